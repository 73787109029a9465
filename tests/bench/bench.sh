#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# bench.sh - how fast podhop correlates, and in how much memory; the best of several runs, as JSON.
#
#   tests/bench/bench.sh [FILE...]
#
# Without FILE (root): captures 100,000 datagrams over four hops in the lab once and keeps the
# file as build/bench.pcapng, so that before and after are measured on the same input.
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=be
. "$(dirname "$0")/../lib/lab.sh"
RUNS=${RUNS:-5}

if (($# == 0)); then
	set -- "$BUILD/bench.pcapng"
	if [[ ! -e $1 ]]; then
		lab_test
		lab_up
		capture node1 default/web -w "$1.new" -s 256 -B 65536
		start sink "$dir/sink" on api "$TOOLS/udpecho" server -o -w 600000
		wait_for "$dir/sink" '^ready' "$sink"
		on web "$TOOLS/udpgen" -n 100000 -s 8:1400 -r 20000 -f 16 -p 5301 "$POD_API_IP" >&2
		capture_end node1
		mv "$1.new" "$1"
	fi
fi
for file in "$@"; do
	for mode in report rewrite; do
		write=()
		[[ $mode == report ]] || write=(-w /dev/null)
		best='' frames='' memory=''
		for ((i = 0; i < RUNS; i++)); do
			begin=$(date +%s%N)
			"$PODHOP" report "$file" -q --json --terse "${write[@]}" >"$BUILD/bench.json" || exit 1
			ns=$(($(date +%s%N) - begin))
			[[ -n $best ]] && ((ns >= best)) || best=$ns
			frames=$(jq .capture.observations "$BUILD/bench.json")
			memory=$(jq .capture.max_rss_bytes "$BUILD/bench.json")
		done
		printf '{"file":"%s","mode":"%s","runs":%d,"frames":%d,"ns":%d,"frames_per_s":%d,"max_rss_bytes":%d}\n' \
			"${file##*/}" "$mode" "$RUNS" "$frames" "$best" $((frames * 1000000000 / best)) "$memory"
	done
done
