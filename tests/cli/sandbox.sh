#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# sandbox.sh - which rights report, verify, list, resolve and doctor run with (TAP).
#
# What a process has is read from /proc while it waits for a FIFO; that what is missing kills is
# shown by a preloaded library that does it (tests/preload/deliberate.c).
# shellcheck disable=SC2012  # names that are made here
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
podhop=$PWD/$BUILD/podhop
[[ $BUILD != /* ]] || podhop=$BUILD/podhop
shim=${podhop%/*}/preload/deliberate.so
sample=$PWD/samples/remote.pcapng
tmp=$(mktemp -d /tmp/podhop-sandbox.XXXXXX)
pid=''
trap '[[ -z $pid ]] || kill -KILL $pid 2>/dev/null; rm -rf -- "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh

[[ -x $podhop && -e $shim ]] || { echo "Bail out! make and make tools first"; exit 1; }

# Under a sanitizer there is no seccomp: see src/sandbox.
if ldd "$podhop" | grep -q 'libasan\|libtsan\|libubsan'; then
	echo '1..0 # SKIP built with a sanitizer'
	exit 0
fi

mkfifo "$tmp/fifo"
words() { awk '/^(CapEff|CapPrm|CapInh|CapAmb|NoNewPrivs|Seccomp):/ { printf "%s%s ", $1, $2 }' "/proc/$1/status"; }
none=0000000000000000
wanted="CapInh:$none CapPrm:$none CapEff:$none CapAmb:$none NoNewPrivs:1 Seccomp:2 "
for command in report verify; do
	"$podhop" $command "$tmp/fifo" >/dev/null 2>&1 &
	pid=$!
	exec {writer}>"$tmp/fifo"
	# Its header alone: the program waits for more, behind the door.
	head -c 2000 "$sample" >&"$writer"
	tries=200
	until [[ $(words $pid) == *'Seccomp:2 ' ]] || ! ((tries--)); do sleep 0.05; done
	is "$command: no capability, none to come, calls limited" "$(words $pid)" "$wanted"
	exec {writer}>&-
	wait $pid
	pid=''
done

# what COMMAND...: its exit status, and whether it was let through
deliberate() {
	local what=$1
	shift
	DELIBERATE=$what LD_PRELOAD=$shim "$@" >/dev/null 2>"$tmp/err"
	printf '%s%s' $? "$(grep -o 'let through' "$tmp/err")"
}
killed=$((128 + 31)) # SIGSYS
for command in report verify; do
	for what in socket packet open openat2 write exec fork ptrace signal; do
		is "$command: $what is its end" "$(deliberate $what "$podhop" $command "$sample" 2>&1)" $killed
	done
	is "$command: without it all is well" "$(deliberate nothing "$podhop" $command "$sample")" 0
done
for command in 'list' 'doctor'; do
	for what in socket packet openat2 write exec fork ptrace signal; do
		is "$command: $what is its end" "$(deliberate $what "$podhop" $command 2>&1)" $killed
	done
	is "$command: it reads files" "$(deliberate open "$podhop" $command | grep -o 'let.*')" 'let through'
done

# What is opened late: each way of writing.
cd "$tmp" || exit 1
"$podhop" report "$sample" -q -w a.pcapng --report a.json --html a.html >/dev/null
is "report writes all that it is asked for" "$? $(ls -s a.pcapng a.json a.html | awk '$1 { n++ } END { print n }')" '0 3'
"$podhop" report "$sample" -q --split -w s.pcapng >/dev/null
is "report --split makes a file a hop" "$? $(ls s-*.pcapng | wc -l)" '0 4'
"$podhop" report "$sample" -q -b packets:50 -w r.pcapng >/dev/null
is "report -b makes its files" "$? $(ls r_*.pcapng | wc -l)" '0 3'
echo text >text.txt
"$podhop" report text.txt -q -w none.pcapng >/dev/null 2>&1
is "what is no capture makes no file" "$? $(ls none.pcapng 2>/dev/null)" '1 '

# A filter in a capture may name services: looked up behind the door, in /etc/services alone.
"$podhop" report "$sample" -q -f 'not port domain and not tcp port ssh' -w f.pcapng >/dev/null
"$podhop" verify f.pcapng >/dev/null
is "verify compiles a capture's filter with names" $? 0
sed 's/not port domain/not port domxyz/' f.pcapng >g.pcapng
"$podhop" verify g.pcapng >/dev/null 2>err
is "and says which name it does not know" "$? $(grep -c "unknown port 'domxyz'" err)" '2 1'
done_testing
