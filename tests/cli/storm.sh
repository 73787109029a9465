#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# storm.sh - a signal every half millisecond: whatever waits or writes is interrupted (TAP).
# Time limit: 120 s
#
# tests/preload/storm.c sends them, and counts them. What a command says and writes is the same
# with and without; inputs are pipes that are filled slowly and outputs pipes that are read slowly,
# so that there is something to interrupt.
# shellcheck disable=SC2016,SC2317  # what eval expands and calls
set -u -o pipefail
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
podhop=$BUILD/podhop shim=$BUILD/preload/storm.so
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
tmp=$(mktemp -d /tmp/podhop-storm.XXXXXX)
trap 'rm -rf -- "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
[[ -x $podhop && -e $shim ]] || { echo "Bail out! make and make tools first"; exit 1; }
if ldd "$podhop" | grep -q 'libasan\|libtsan\|libubsan'; then
	echo '1..0 # SKIP built with a sanitizer, which wants to be loaded first'
	exit 0
fi

# What differs from run to run: CPU time and memory used, names of pipes.
same_part() { sed -e '/cpu_ns\|max_rss/d' -e '/^cost /d' -e "s#/dev/fd/[0-9]*#PIPE#g" "$1"; }

# drip FILE: in pieces, with a pause behind each
drip() {
	local size at
	size=$(stat -c %s "$1")
	for ((at = 0; at < size; at += size / 20 + 1)); do
		tail -c "+$((at + 1))" "$1" | head -c "$((size / 20 + 1))"
		sleep 0.01
	done
}

# sip: a line, and a pause
sip() {
	local line
	while IFS= read -r line; do
		printf '%s\n' "$line"
		sleep 0.01
	done
}

# late: reads on when its writer has waited for a while, however late it began to write
late() {
	head -c 1
	sleep 0.3
	cat
}

check() { # NAME COMMAND SIGNALS-AT-LEAST: a bash command line in which podhop is run
	local calm=0 stormy=0 count
	eval "$2" >"$tmp/calm" 2>"$tmp/calm.err" </dev/null || calm=$?
	STORM_FD=9 PRELOAD=$shim
	export STORM_FD
	eval "$2" >"$tmp/storm" 2>"$tmp/storm.err" </dev/null 9>"$tmp/count" || stormy=$?
	unset STORM_FD PRELOAD
	count=$(<"$tmp/count")
	if [[ $calm == "$stormy" && ${count:-0} -ge $3 ]] &&
		cmp -s <(same_part "$tmp/calm") <(same_part "$tmp/storm") &&
		cmp -s <(same_part "$tmp/calm.err") <(same_part "$tmp/storm.err"); then
		ok "$1: the same, interrupted $count times"
	else
		not_ok "$1: exit status $calm, with signals $stormy; ${count:-no} signals" \
			"$(diff <(same_part "$tmp/calm") <(same_part "$tmp/storm") | head -n 10
			diff <(same_part "$tmp/calm.err") <(same_part "$tmp/storm.err") | head -n 10)"
	fi
}

# Standard output is a pipe that takes a page (F_SETPIPE_SZ is 1031).
run_narrow() {
	LD_PRELOAD=${PRELOAD:-} python3 -c 'import fcntl, os, sys
fcntl.fcntl(1, 1031, 4096)
os.execv(sys.argv[1], sys.argv[1:])' "$podhop" "$@"
}
run() { LD_PRELOAD=${PRELOAD:-} "$podhop" "$@"; }

check 'report of a pipe' 'run report --json <(drip samples/remote.pcapng)' 100
gzip -c samples/service.pcapng >"$tmp/packed.pcapng.gz"
check 'report of a packed pipe' 'run report --json <(drip "$tmp/packed.pcapng.gz")' 100
check 'verify of two pipes' 'run verify --json a=<(drip samples/loss.pcapng) b=<(drip samples/remote.pcapng)' 100
check 'a capture from pipe to pipe' 'run report -q -w - <(drip samples/segments.pcapng) | late | cksum' 100
check 'lines to a pipe that is read slowly' 'run_narrow report -T jsonl samples/segments.pcapng | sip' 100
check 'a page to a pipe that is read slowly' 'run_narrow report -q -T json --report "$tmp/out.json" --html /dev/stdout -w /dev/null \
	samples/segments.pcapng | late' 100
check 'files written' 'run report -q -w "$tmp/out.pcapng" --html "$tmp/out.html" --report "$tmp/out.json" \
	--json samples/segments.pcapng >/dev/null && cksum <"$tmp/out.pcapng"' 1
check 'list' 'run list --json' 1
check 'doctor' 'run doctor -q | sed -n "s/ *[0-9].*//p"' 1
done_testing
