#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# replay.sh - the result depends neither on the order in which hops are drained nor on luck
# (TAP, needs root for the lab that makes the capture).
#
# One capture of TCP and UDP through a Service, with fragments, is reported as it is; then with
# its frames shuffled within 200 ms: the same report. Then with 1, 10 and 50 % of the frames of
# one hop removed: no two packets under one id, and what is missing is missing at that hop.
# With a FILE it replays that instead (no root needed).
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$here/$build
tools=$build/tools
podhop=$build/podhop
perturb=$here/tests/tools/perturb.py
lab=$here/samples/lab/lab
work=$(mktemp -d)
export PODHOP_LAB=replay$$ PODHOP_LAB_DIR=$work/labs
pids=()
# shellcheck disable=SC2317  # called by the trap
cleanup() {
	trap - EXIT INT TERM HUP
	((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null
	[[ -d $work/labs ]] && "$lab" down >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

count=0 failed=0
check() { # STATUS TEXT
	((++count))
	if (($1 == 0)); then
		echo "ok $count - $2"
	else
		echo "not ok $count - $2"
		((++failed))
	fi
}

make_capture() {
	[[ $EUID == 0 ]] || { echo "1..0 # SKIP needs root"; exit 0; }
	"$lab" up -q --masq iptables --service 10.96.0.10:80=node2/api:8080 --offload off || exit 1
	eval "$("$lab" env)"
	ip netns exec "$POD_API_NS" "$tools/udpecho" server -p 8080 >/dev/null 2>&1 &
	pids+=($!)
	ip netns exec "$POD_API_NS" "$tools/tcpstream" server -p 8080 -k 20 >/dev/null 2>&1 &
	pids+=($!)
	ip netns exec "$NODE1_NS" "$podhop" capture default/web --host-root "$NODE1_ROOT" \
		-w "$1" -T json --report /dev/null >/dev/null 2>"$work/err" &
	local pid=$! i
	pids+=("$pid")
	for ((i = 0; i < 100; i++)); do
		grep -q capturing "$work/err" && break
		sleep 0.05
	done
	for ((i = 0; i < 20; i++)); do
		# Each socket's IP ids begin anywhere. Two sockets whose ids meet within one window are
		# real look-alikes, of which with frames removed nobody can tell which is which.
		((i == 0)) || sleep 0.2
		ip netns exec "$POD_WEB_NS" "$tools/tcpstream" client -p 80 -n 200K 10.96.0.10 >/dev/null
		ip netns exec "$POD_WEB_NS" "$tools/udpecho" client -p 80 -n 100 -s 16-4000 -i 500 \
			-b "$((i * 1000 + 1))" 10.96.0.10 >/dev/null
	done
	sleep 0.3
	kill -INT "$pid"
	wait "$pid"
}

report() { # FILE OUT [WRITE]
	"$podhop" report "$1" -T json --window 100 ${3:+-w "$3"} >"$2" 2>"$work/report.err"
}

same='del(.inputs, .capture.cpu_ns, .capture.max_rss_bytes) | .capture.interfaces |= sort_by(.name)'
file=${1:-$work/base.pcapng}
[[ -n ${1:-} ]] || make_capture "$file"
report "$file" "$work/base.json" "$work/base-out.pcapng"
"$tools/groundtruth" "$work/base-out.pcapng" >"$work/truth"
check $? "as captured: $(grep -c precision=1.000000 "$work/truth") kinds exact"
mapfile -t hops < <(jq -r '.capture.interfaces[] | "--hops", "\(.role)=\(.name)"' "$work/base.json")
pod=$(jq -r '[.flows[] | select(.direction == "egress") | .src][0]' "$work/base.json")
"$perturb" shuffle 0 "$file" "$work/ordered.pcapng" >/dev/null
moved=$("$perturb" shuffle 0.2 "$file" "$work/shuffled.pcapng")
for f in ordered shuffled; do
	"$podhop" report "$work/$f.pcapng" -T json --window 100 --pod "$pod" "${hops[@]}" \
		>"$work/$f.json" 2>"$work/$f.err" || cat "$work/$f.err"
done
diff <(jq -S "$same" "$work/ordered.json") <(jq -S "$same" "$work/shuffled.json") >"$work/diff"
status=$?
check $status "$moved frames shuffled within 200 ms: the same report"
((status == 0)) || head -n 16 "$work/diff" | sed 's/^/# /'

for role in veth bridge vtep underlay; do
	name=$(jq -r --arg r $role '[.capture.interfaces[] | select(.role == $r and
		.observations > 0) | .name][0]' "$work/base.json")
	for percent in 1 10 50; do
		gone=$("$perturb" remove $percent "$name" "$file" "$work/less.pcapng")
		report "$work/less.pcapng" "$work/less.json" "$work/less-out.pcapng"
		"$tools/groundtruth" "$work/less-out.pcapng" >"$work/truth"
		merged=$(sed -n 's/.* \(merged\|mixed\|overlaps\)=\([0-9]*\).*/\2/p' "$work/truth" |
			awk '{ n += $1 } END { print n + 0 }')
		right=$(jq --arg r $role '[.losses[] | select(.next_expected == $r) | .packets] | add // 0' \
			"$work/less.json")
		wrong=$(jq --arg r $role '[.losses[] | select(.next_expected != $r) | .packets] | add // 0' \
			"$work/less.json")
		ambiguous=$(jq .packets.ambiguous "$work/less.json")
		((merged == 0 && wrong == 0 && right > 0 && ambiguous == 0))
		status=$?
		check $status "$percent % of $role removed ($gone frames): merged $merged, named there $right, elsewhere $wrong, ambiguous $ambiguous"
		((status == 0)) || { jq -c '.losses[] | [.last_seen, .next_expected, .direction, .packets,
			.verdict, .reason]' "$work/less.json"; grep -E '^(merged|bytes)' "$work/truth" |
			head -n 2; } | sed 's/^/# /'
	done
done
echo "1..$count"
((failed == 0))
