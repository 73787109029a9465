#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# deps.sh - installs the Debian packages that building, the demo or the tests need.
#
#   tests/lib/deps.sh [-l] GROUP...     build, demo, check, lint, long, port, afl, deb
#
# Installs only what is missing, and needs root for that; without root it prints the command
# and fails. -l lists the packages of the groups, missing or not. README.md says
# what each is for. A program that is there from elsewhere (node, clang) is not installed again.
set -u

# package | groups that need it | a program that stands for it, else the package itself counts
table='
gcc                         | build demo check lint long | gcc
libc6-dev                   | build demo check lint long |
pkg-config                  | build demo check lint long | pkg-config
libpcap-dev                 | build demo check lint long |
libnl-3-dev                 | build demo check lint long |
libnl-route-3-dev           | build demo check lint long |
libnl-nf-3-dev              | build demo check lint long |
libjansson-dev              | build demo check lint long |
libxxhash-dev               | build demo check lint long |
libseccomp-dev              | build demo check lint long |
libcap-ng-dev               | build demo check lint long |
zlib1g-dev                  | build demo check lint long |
libzstd-dev                 | build demo check lint long |
nettle-dev                  | build demo check lint long |
libncurses-dev              | build demo check lint long |
libcmocka-dev               | check lint long            |
iproute2                    | demo check long            | ip
ethtool                     | demo check long            | ethtool
nftables                    | demo check long            | nft
containernetworking-plugins | demo check long            |
jq                          | demo check long            | jq
bsdextrautils               | demo check long            | column
procps                      | demo check long            | sysctl
iputils-ping                | demo check long            | ping
iptables                    | check long                 | iptables
tshark                      | check long                 | tshark
tcpdump                     | check long                 | tcpdump
strace                      | check long                 | strace
tmux                        | check long                 | tmux
zsh                         | check long                 | zsh
fish                        | check long                 | fish
chromium                    | check long                 | chromium
chromium-driver             | check long                 | chromedriver
python3                     | check lint long            | /usr/bin/python3
python3-jsonschema          | check long                 |
kubernetes-client           | check long                 | kubectl
clang                       | check lint long            | clang
nodejs                      | check long                 | node
npm                         | check long                 | npm
man-db                      | lint                       | man
groff-base                  | check lint long            | groff
clang-tidy                  | lint                       | clang-tidy
clang-format                | lint                       | clang-format
cppcheck                    | lint                       | cppcheck
shellcheck                  | lint                       | shellcheck
valgrind                    | long                       | valgrind
dpkg-dev                    | deb long                   | dpkg-buildpackage
debhelper                   | deb long                   |
po-debconf                  | deb long                   |
lintian                     | long                       | lintian
debootstrap                 | long                       | debootstrap
gcc-i686-linux-gnu          | port long                  | i686-linux-gnu-gcc
libc6-dev-i386-cross        | port long                  |
gcc-s390x-linux-gnu         | port long                  | s390x-linux-gnu-gcc
libc6-dev-s390x-cross       | port long                  |
qemu-user                   | port long                  | qemu-s390x
afl++                       | afl                        | afl-clang-fast
'
export PATH=$PATH:/usr/sbin:/sbin

list_only=
if [[ ${1:-} == -l ]]; then
	list_only=1
	shift
fi
(($#)) || set -- build

is_there() { # PACKAGE PROGRAM
	if [[ -n $2 ]]; then
		command -v "$2" >/dev/null
	else
		[[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
	fi
}

if [[ -z $list_only ]] && ! command -v dpkg-query >/dev/null; then
	echo "deps: no Debian system: see README.md for what is needed, by Debian's names" >&2
	exit 0
fi
missing=()
while IFS='|' read -r package groups program; do
	package=${package// /} program=${program// /}
	wanted=
	for group in "$@"; do
		[[ " $groups " != *" $group "* ]] || wanted=1
	done
	[[ -n $package && -n $wanted ]] || continue
	if [[ -n $list_only ]]; then
		echo "$package"
	elif ! is_there "$package" "$program"; then
		missing+=("$package")
	fi
done <<<"$table"
((${#missing[@]})) || exit 0

install=(apt-get install -y -q --no-install-recommends)
if ((EUID)); then
	printf 'deps: missing packages; as root run:\n  %s %s\n' "${install[*]}" "${missing[*]}" >&2
	exit 1
fi
export DEBIAN_FRONTEND=noninteractive
echo "deps: installing ${missing[*]}" >&2
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# A fresh machine or container has no package lists; old ones name files that are gone. Another
# apt may hold the lock for a while.
lock=(-o DPkg::Lock::Timeout=120)
if ! apt-cache show "${missing[@]}" >/dev/null 2>&1; then
	apt-get "${lock[@]}" update -q >"$log" 2>&1 || cat "$log" >&2
fi
if ! "${install[@]}" "${lock[@]}" "${missing[@]}" >"$log" 2>&1; then
	apt-get "${lock[@]}" update -q >>"$log" 2>&1
	if ! "${install[@]}" "${lock[@]}" "${missing[@]}" >>"$log" 2>&1; then
		tail -n 30 "$log" >&2
		echo "deps: apt-get could not install ${missing[*]}" >&2
		exit 1
	fi
fi
