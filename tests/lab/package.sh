#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# package.sh - the Debian package: built twice alike, lintian, installed in a fresh Debian, first use
# there; and the container image, made by the Containerfile's own steps (TAP, root, several minutes).
#
# The fresh Debian is a chroot by debootstrap, kept in build/chroot.
#
# Time limit: 1500 s
# shellcheck disable=SC2119,SC2154  # variables of `lab env`
LAB_PREFIX=pkg
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need git jq dpkg-buildpackage dh lintian debootstrap setpriv
lab_test
WEB=node1/default/web

# ---- built twice, in different directories

export DEB_BUILD_OPTIONS=nocheck
other=another-directory-with-a-longer-name
for name in one $other; do
	git clone -q --no-hardlinks "$ROOT" "$dir/$name" 2>/dev/null || bail "git clone"
	mask=022
	[[ $name == one ]] || mask=002
	(cd "$dir/$name" && umask $mask && make deb) >"$dir/$name.log" 2>&1 || bail "make deb: $(tail -n 5 "$dir/$name.log")"
done
packages() { (cd "$dir/$1/build/deb" && sha256sum ./*.deb); }
is "two packages: podhop and its debugging symbols" "$(packages one | wc -l)" 2
is "built again elsewhere: the same bytes" "$(packages $other)" "$(packages one)"
deb=$dir/one/build/podhop.deb
is "no trace of where it was built" "$(dpkg-deb --fsys-tarfile "$deb" | grep -c -a "$dir")" 0
is "lintian has nothing to say" \
	"$(cd "$dir/one/build/deb" && lintian --allow-root --fail-on error,warning --display-info ./*.changes 2>&1)" ""

# ---- a fresh Debian 12

cache=$BUILD/chroot/bookworm
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 'Codename: bookworm' | head -n 1)
if [[ ! -e $cache/.ready ]]; then
	rm -rf --one-file-system "$cache"
	mkdir -p "$cache"
	timeout 900 debootstrap --variant=minbase \
		--include=tshark,libcap2-bin,adduser,man-db,procps bookworm "$cache" "$mirror" >"$dir/debootstrap.log" 2>&1 ||
		bail "debootstrap: $(tail -n 3 "$dir/debootstrap.log")"
	rm -f "$cache"/var/cache/apt/archives/*.deb
	touch "$cache/.ready"
fi
chroot=$dir/chroot
cp -a "$cache" "$chroot"
cp /etc/resolv.conf "$chroot/etc/" 2>/dev/null

# in_debian [NETNS ROOT] -- COMMAND...: there; on a lab node: its network and its files
in_debian() {
	local netns='' node_root=''
	if [[ $1 != -- ]]; then
		netns=/run/netns/$1 node_root=$2
		shift 2
	fi
	shift
	# shellcheck disable=SC2016  # for the inner shell
	${netns:+nsenter "--net=$netns"} unshare --mount --propagation private bash -c '
		mount --rbind /proc "$1/proc"; mount --rbind /dev "$1/dev"
		if [[ -n $2 ]]; then
			mkdir -p "$1/run/netns" "$1/run/flannel" "$1/var/lib/cni" "$1/etc/cni/net.d"
			mount --rbind /run/netns "$1/run/netns"
			for d in run/flannel var/lib/cni etc/cni/net.d var/log/pods; do
				mkdir -p "$1/$d"; mount --bind "$2/$d" "$1/$d"
			done
		fi
		root=$1; shift 2
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive "$@"' in "$chroot" "$node_root" "$@"
}

cp "$deb" "$chroot/root/podhop.deb"
in_debian -- apt-get update -q >"$dir/apt.log" 2>&1
# Wireshark copies a profile that it uses to its user's folder.
files() { in_debian -- find / -xdev -type f ! -path '/var/*' ! -path '/proc/*' ! -path '/dev/*' ! -path '/root/*' | sort; }
before=$(files)

# took SINCE WHAT: how long a step of the first use took; told, not judged
took() { echo "# first use: $2: $(((${EPOCHREALTIME/[.,]/} - ${1/[.,]/}) / 1000)) ms"; }

# First use, step 1 of 2: apt install ./podhop.deb
began=$EPOCHREALTIME
in_debian -- sh -c 'cd /root && apt-get install -y -q ./podhop.deb' >>"$dir/apt.log" 2>&1 ||
	bail "apt install: $(tail -n 5 "$dir/apt.log")"
took "$began" "step 1, apt install ./podhop.deb, with the download of what it depends on"
like "podhop --version" "$(in_debian -- podhop --version)" '^podhop [0-9a-f]'
is "podhop help" "$(in_debian -- podhop help | head -n 1)" "$("$PODHOP" help | head -n 1)"
is "every program has its manual" \
	"$(in_debian -- sh -c 'for m in podhop podhop-capture podhop-verify kubectl-podhop; do man -w $m; done' 2>&1 | grep -c '^/usr/share/man/')" 4
is "no program of it has capabilities" "$(in_debian -- getcap -r /usr 2>/dev/null | grep podhop)" ""
is "Wireshark knows the plugin" \
	"$(in_debian -- tshark -G plugins 2>/dev/null | grep -c '/wireshark/plugins/podhop.lua')" 1
is "Wireshark knows the capture source" \
	"$(in_debian -- tshark -G plugins 2>/dev/null | grep -c '/wireshark/extcap/podhop')" 1
is "bash completes" "$(in_debian -- bash -c '. /usr/share/bash-completion/completions/podhop && complete -p podhop')" \
	"complete -F _podhop podhop"

lab_up
node1=("$NODE1_NS" "$NODE1_ROOT")
in_debian "${node1[@]}" -- tshark -D >"$dir/list" 2>/dev/null
like "tshark -D lists the pods" "$(cat "$dir/list")" 'podhop-default-web'

# Step 2 of 2, tshark in place of wireshark -k: a correlated capture, live.
began=$EPOCHREALTIME
in_debian "${node1[@]}" -- sh -c 'podhop capture web -w - -a duration:4 2>/tmp/err |
	tshark -l -i - -C podhop -T fields -e podhop.id -e podhop.role 2>/tmp/tshark.err' >"$dir/first" 2>&1 &
first=$!
tries=100
until grep -q 'capturing on' "$chroot/tmp/err" 2>/dev/null || ((tries-- == 0)); do sleep 0.1; done
on $WEB ping -q -c 20 -i 0.1 "$POD_API_IP" >/dev/null &
pinger=$!
until [[ -s $dir/first ]] || ! kill -0 "$first" 2>/dev/null; do sleep 0.05; done
took "$began" "step 2, podhop capture | tshark, until it shows the pod's first packet"
wait "$pinger" || bail "ping"
wait "$first"
is "first use: a packet at its four hops, shown by plugin and profile" \
	"$(awk '$1 == 1 { print $2 }' "$dir/first" | tr '\n' ' ')" "veth bridge vtep underlay "

# ---- the group, as debconf asks for it

extcap=$(cd "$chroot" && echo usr/lib/*/wireshark/extcap/podhop)
in_debian -- sh -c 'echo "podhop podhop/capture-group boolean true" | debconf-set-selections &&
	dpkg-reconfigure -f noninteractive podhop' >"$dir/debconf.log" 2>&1
is "debconf yes: the file that Wireshark runs" \
	"$(in_debian -- sh -c "stat -c '%U:%G %a' /$extcap; getcap /$extcap" | tr '\n' ' ')" \
	"root:wireshark 750 /$extcap cap_net_admin,cap_net_raw=ep "
is "debconf yes: podhop itself stays as it is" \
	"$(in_debian -- sh -c 'stat -c "%U:%G %a" /usr/bin/podhop; getcap /usr/bin/podhop')" "root:root 755"
in_debian -- useradd -m member -G wireshark
in_debian -- useradd -m other
as() { # USER COMMAND
	in_debian "${node1[@]}" -- su "$1" -c "$2"
}
# What podhop without root finds by the processes' cgroups (tests/lab/daemonset.sh) the lab's pods,
# which are in none, have in CNI's results alone: readable here.
chmod -R a+rX "$NODE1_ROOT/var/lib/cni"
as member 'tshark -D' >"$dir/list" 2>"$dir/list.err"
like "debconf yes: a member's tshark lists the pods" "$(cat "$dir/list")" 'podhop-'
as member "timeout 30 tshark -i podhop-default-web -c 8 -T fields -e frame.interface_name" >"$dir/member" 2>"$dir/member.err" &
member=$!
on $WEB ping -q -c 30 -i 0.2 "$POD_API_IP" >/dev/null &
pinger=$!
jobs_started+=("$pinger")
wait "$member"
kill "$pinger" 2>/dev/null
is "debconf yes: a member captures all hops of it" "$(sort -u "$dir/member" | wc -l)" 4
[[ -s $dir/member ]] || sed 's/^/# /' "$dir/member.err" "$dir/list"
as other 'tshark -D' >"$dir/list" 2>/dev/null
is "debconf yes: others have no such capture source" "$(grep -c podhop "$dir/list")" 0
like "debconf yes: others report on files all the same" \
	"$(as other 'podhop report /usr/share/doc/podhop/examples/loss.pcapng' | grep lost)" 'lost'
in_debian -- sh -c 'cd /root && dpkg -i podhop.deb' >"$dir/dpkg.log" 2>&1
like "an upgrade keeps it" "$(in_debian -- getcap "/$extcap")" 'cap_net_raw'
in_debian -- sh -c 'echo "podhop podhop/capture-group boolean false" | debconf-set-selections &&
	dpkg-reconfigure -f noninteractive podhop' >>"$dir/debconf.log" 2>&1
is "debconf no: taken back" "$(in_debian -- sh -c "stat -c '%U:%G %a' /$extcap; getcap /$extcap")" "root:root 755"

in_debian -- dpkg --purge podhop >>"$dir/dpkg.log" 2>&1
is "purged: no file is left" "$(diff <(echo "$before") <(files) | grep -i podhop)" ""

# ---- the image: the Containerfile's steps, each as a builder does it

# Base images: FROM debian:12-slim is the fresh Debian, FROM scratch an empty directory.
declare -A stage=()
containerfile() { # OUT: sets image_env, image_entrypoint
	local line instruction rest current='' name from
	while IFS= read -r line; do
		instruction=${line%% *} rest=${line#* }
		case $instruction in
		FROM)
			name=${rest##* }
			[[ $rest == *' AS '* ]] || name=final
			current=$dir/stage-$name
			stage[$name]=$current
			case $rest in
			debian:12-slim*) cp -a "$cache" "$current" && cp /etc/resolv.conf "$current/etc/" ;;
			scratch*) mkdir "$current" ;;
			*) bail "Containerfile: $line" ;;
			esac
			;;
		WORKDIR) mkdir -p "$current$rest"; workdir=$rest ;;
		COPY)
			from=$dir/one
			if [[ $rest == --from=* ]]; then
				from=${rest#--from=}
				from=${stage[${from%% *}]}
				rest=${rest#* }
				cp -a "$from${rest%% *}/." "$current${rest##* }"
			elif [[ $rest == '. .' ]]; then
				tar -C "$from" --exclude-from="$from/.dockerignore" -cf - . | tar -C "$current$workdir" -xf -
			else
				mkdir -p "$current$workdir/$(dirname "${rest##* }")"
				cp -a "$from/${rest%% *}" "$current$workdir/${rest##* }"
			fi
			;;
		RUN)
			chroot=$current in_debian -- sh -c "cd $workdir && $rest" >>"$dir/image.log" 2>&1 ||
				bail "RUN $rest: $(tail -n 5 "$dir/image.log")"
			;;
		ENTRYPOINT) image_entrypoint=$(jq -r 'join(" ")' <<<"$rest") ;;
		ENV | ARG | CMD) ;;
		*) bail "Containerfile: $line" ;;
		esac
	done < <(grep -v -e '^#' -e '^$' "$ROOT/samples/kubernetes/Containerfile")
}
containerfile
final=${stage[final]}
like "image: podhop runs in it" "$(chroot "$final" "$image_entrypoint" --version 2>&1)" '^podhop [0-9a-f]'
is "image: it has sleep and no other program" "$(cd "$final" && find . -type f -path '*bin/*' | sort | tr '\n' ' ')" \
	"./usr/bin/podhop ./usr/bin/sleep "
# The loader names each library that it opens; each one that is there must be among them.
used=$(for p in podhop sleep; do chroot "$final" /lib64/ld-linux-x86-64.so.2 --list "/usr/bin/$p"; done 2>&1 |
	grep -oE '/[^ ]+' | sort -u)
is "image: every library that it needs" "$(grep -c 'not found' <<<"$used")" 0
is "image: no library that it does not need" \
	"$(cd "$final" && find lib lib64 usr/lib -name '*.so*' 2>/dev/null | sed 's,^,/,' | sort -u)" "$used"
is "image: the licence of each package of Debian that is in it" \
	"$(cd "$final/usr/share/doc" && for p in libc6 libpcap0.8 libjansson4 coreutils; do [[ -s $p/copyright ]] || echo "$p"; done)" ""
done_testing
