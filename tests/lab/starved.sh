#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# starved.sh - the n-th allocation of a capture that is under way fails (TAP, root).
# Time limit: 900 s
#
# tests/cli/nomem.sh does the same with commands that read files. Here counting begins once frames
# are captured (tests/preload/nomem.c): what follows are the tables that grow with traffic, the
# end, report and page. Whatever n, and with all that follow failing, too: no signal; the file is
# whole; exit status 0 with every frame in file and report, or 1 with a sentence.
# Of a capture the first dozen, and behind them every 97th; with PODHOP_LONG (make check-full) every 7th.
#
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=st
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq tcpdump capinfos
shim=$BUILD/preload/nomem.so
[[ -e $shim ]] || bail "$shim is missing: make tools"
! ldd "$PODHOP" | grep -q 'libasan\|libtsan\|libubsan' ||
	skip_all "built with a sanitizer, which has an allocator of its own"
lab_up

PINGS=4
first=12 step=97
[[ -z ${PODHOP_LONG:-} ]] || step=7

# starve OPTIONS...: one capture of some pings, under NOMEM_AT and NOMEM_ON as they are; sets $status
starve() {
	local pid
	: >"$dir/err"
	NOMEM_LIVE=1 NOMEM_FD=9 LD_PRELOAD=$shim "$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" \
		-q "$@" --json -w "$dir/out.pcapng" >"$dir/out.json" 2>"$dir/err" </dev/null 9>"$dir/count" &
	pid=$!
	jobs_started=("$pid")
	# -q says nothing: it captures once its door is closed.
	until grep -qs '^Seccomp:[[:space:]]*2' "/proc/$(podhop_pid "$pid")/status" ||
		! kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
	kill -USR2 "$(podhop_pid "$pid")" 2>/dev/null
	on web ping -q -c "$PINGS" -i 0.002 "$POD_API_IP" >/dev/null
	kill -TERM "$(podhop_pid "$pid")" 2>/dev/null
	wait "$pid"
	status=$?
	jobs_started=()
}

# What is wrong with this run; nothing when all is well.
fault() {
	local kept told
	kept=$(capinfos -Trc "$dir/out.pcapng" 2>/dev/null | cut -f2)
	told=$(tcpdump -n -r "$dir/out.pcapng" -w /dev/null 2>&1 | grep -v '^reading from')
	[[ -z $told ]] || echo "the file: $told"
	case $status in
	0)
		jq -e --argjson kept "${kept:-0}" --argjson pings "$PINGS" '.capture.observations == $kept and
			$kept >= 8 * $pings and .packets.complete >= 2 * $pings' "$dir/out.json" >/dev/null 2>&1 ||
			[[ -s $dir/err ]] || echo "exit 0 without all frames or a word: $kept in the file"
		;;
	1) # What was captured before is in the file, but for the frame that is named.
		[[ -s $dir/err ]] || echo "exit 1 without a word"
		grep -q 'frame [0-9]*: ' "$dir/err" || ((kept >= 8 * PINGS)) ||
			echo "$kept frames in the file: $(head -c 200 "$dir/err")"
		;;
	*) echo "exit $status: $(head -c 200 "$dir/err")" ;;
	esac
}

sweep() { # NAME OPTIONS...
	local name=$1 total at mode runs=0 refused=0 bad=() why
	shift
	rm -f "$dir/out.pcapng"
	starve "$@"
	total=$(<"$dir/count")
	is "$name: all is there when nothing fails" "$status $(fault)" '0 '
	for mode in '' 1; do
		for ((at = 1; at <= total; at += at < first ? 1 : step)); do
			rm -f "$dir/out.pcapng"
			if [[ -z $mode ]]; then
				NOMEM_AT=$at starve "$@"
			else
				NOMEM_AT=$at NOMEM_ON=1 starve "$@"
			fi
			runs=$((runs + 1))
			((status == 0)) || refused=$((refused + 1))
			why=$(fault)
			[[ -z $why ]] || bad+=("${mode:+all from }$at: $why")
		done
	done
	if ((${#bad[@]} == 0)); then
		ok "$name: $runs runs of $total allocations, $refused refused, the rest with all frames or a word"
	else
		not_ok "$name: ${#bad[@]} of $runs" "$(printf '%s\n' "${bad[@]}")"
	fi
}

sweep 'report as JSON'
sweep 'report, page and file a hop' --split --html "$dir/out.html" --report "$dir/report.txt"

# Wireshark's list of pods, each allocation (every 13th without PODHOP_LONG): whole, or a word.
interfaces() { "$lab" exec node1 "$PODHOP" --extcap-interfaces --host-root "$NODE1_ROOT" >"$dir/list" 2>"$dir/err"; }
interfaces
cp "$dir/list" "$dir/whole"
NOMEM_FD=9 LD_PRELOAD=$shim interfaces 9>"$dir/count"
total=$(<"$dir/count") silent='' runs=0
for ((at = 1; at <= total; at += at + 20 > total || step == 7 ? 1 : 13)); do
	runs=$((runs + 1))
	NOMEM_AT=$at LD_PRELOAD=$shim interfaces
	status=$?
	cmp -s "$dir/list" "$dir/whole" || [[ $status == 1 && -s $dir/err ]] || silent+=" $at"
done
is "Wireshark's interfaces: $runs runs of $total allocations, both pods or a sentence" \
	"$(grep -c '^interface' "$dir/whole")$silent" 2
done_testing
