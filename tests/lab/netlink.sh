#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# netlink.sh - the kernel's answers do not come as they should: changed under way, no memory for
# them, too many of them (TAP, root).
# Time limit: 300 s
#
# What goes wrong comes from tests/preload/netlink.c, at each receive call in turn; and once for
# real, from devices that come and go while the node is read.
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX='nl'
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq ip
shim=$BUILD/preload/netlink.so
[[ -e $shim ]] || bail "make tools first"
if ldd "$PODHOP" | grep -q 'libasan\|libtsan\|libubsan'; then
	skip_all 'built with a sanitizer, whose own reads would be counted'
fi
lab_up --service 10.96.0.10:5301=api:5301

faulty() { # FAULT AT ON COMMAND...: podhop on node1, stdout and stderr in $dir/out and err
	local fault=$1 at=$2 go_on=$3
	shift 3
	on node1 env NETLINK_FAULT="$fault" NETLINK_AT="$at" ${go_on:+NETLINK_ON=1} LD_PRELOAD="$shim" \
		timeout -s KILL 60 "$PODHOP" "$@" --host-root "$NODE1_ROOT" >"$dir/out" 2>"$dir/err" </dev/null
}

# ---- each receive call of the commands that only look ----

# What was found, without what differs from second to second.
found() {
	case $1 in
	doctor) jq -c '[.checks[] | select(.id | test("^conntrack") | not) | [.id, .status, .object]]' "$dir/out" ;;
	*) jq -c . "$dir/out" ;;
	esac
}

each_call() { # NAME STEP COMMAND...
	local name=$1 step=$2 fault at total wanted status_wanted status bad=()
	shift 2
	on node1 env NETLINK_FD=9 LD_PRELOAD="$shim" "$PODHOP" "$@" --host-root "$NODE1_ROOT" \
		9>"$dir/count" >"$dir/out" 2>"$dir/err" </dev/null
	status_wanted=$?
	wanted=$(found "$1")
	total=$(<"$dir/count")
	for fault in intr enobufs; do
		for ((at = 1; at <= total; at += step)); do
			faulty "$fault" "$at" '' "$@"
			status=$?
			# An answer that is no dump is not asked for again.
			if [[ $fault == enobufs && $status == 1 && $(<"$dir/err") == *'No buffer space'* ]]; then
				continue
			fi
			[[ $status == "$status_wanted" && $(found "$1") == "$wanted" && ! -s $dir/err ]] ||
				bad+=("$fault at $at: exit $status: $(head -c 300 "$dir/err")")
		done
	done
	if ((${#bad[@]} == 0 && total >= 5)); then
		ok "$name: interrupted or starved at each of $total reads: the same answer"
	else
		not_ok "$name: interrupted or starved at each of $total reads" "$(printf '%s\n' "${bad[@]}")"
	fi
	faulty intr 1 on "$@"
	is "$name: interrupted each time: what was read, ..." "$? $(found "$1")" "$status_wanted $wanted"
	like "... and that it may not be all" "$(<"$dir/err")" 'changed each time: some of it may be missing'
	faulty enobufs 1 on "$@"
	status=$?
	is "$name: no memory at any read ends it with 1" "$status" 1
	like "... and a sentence" "$(<"$dir/err")" '[Nn]o buffer space'
}

each_call list 1 list --json
each_call resolve 1 resolve default/web --json
each_call doctor 1 doctor --json

# ---- devices that come and go while the node is read ----

wanted=$(on node1 "$PODHOP" list --host-root "$NODE1_ROOT" --json | jq -c '[.pods[] | [.name, .veth, .ips, .bridge]]')
on node1 bash -c 'echo begun; n=0
	while ip link add "x$((n % 40))" type veth peer name "y$((n % 40))"; do
		((n < 20)) || ip link del "x$(((n - 20) % 40))"
		n=$((n + 1))
	done' >"$dir/churn" 2>&1 &
churn=$!
jobs_started+=("$churn")
wait_for "$dir/churn" begun "$churn"
wrong=0
for ((i = 0; i < 40; i++)); do
	now=$(on node1 "$PODHOP" list --host-root "$NODE1_ROOT" --json 2>"$dir/err" |
		jq -c '[.pods[] | [.name, .veth, .ips, .bridge]]')
	[[ $now == "$wanted" ]] || wrong=$((wrong + 1))
done
# As long as it ran, there was something to be interrupted by.
running=$(kill -0 "$churn" 2>/dev/null && echo yes)
kill -KILL "$churn" 2>/dev/null
wait "$churn" 2>/dev/null
is "devices come and go: the same list 40 times" "$wrong $running" '0 yes'

# ---- events of a capture ----

start_capture() { # FAULT AT ON CAPTURE-OPTIONS...
	local fault=$1 at=$2 go_on=$3
	shift 3
	: >"$dir/node1.err"
	"$lab" exec node1 env NETLINK_FAULT="$fault" NETLINK_AT="$at" ${go_on:+NETLINK_ON=1} LD_PRELOAD="$shim" \
		"$PODHOP" capture default/web --host-root "$NODE1_ROOT" --json "$@" \
		>"$dir/node1.out" 2>"$dir/node1.err" </dev/null &
	capture_pid[node1]=$!
	jobs_started+=("$!")
	wait_for "$dir/node1.err" 'capturing on' "$!"
}

# How many reads there are until the capture begins.
on node1 env NETLINK_FD=9 LD_PRELOAD="$shim" "$PODHOP" capture default/web --host-root "$NODE1_ROOT" \
	-a duration:1 --json 9>"$dir/count" >"$dir/out" 2>"$dir/err" </dev/null
start=$(<"$dir/count")
((start > 5)) || bail "a capture reads netlink $start times"

# From the end of the start on every event is lost.
start_capture lost $((start - 1)) on -v
udp web api 10.96.0.10 20
capture_end node1
is "events of connections that are lost do not end a capture" "$status" 0
is "the packets themselves show the translation" \
	"$(jq '[.flows[] | select(.translated) | .packets] | add' "$dir/node1.out")" 40
is "... and none is lost or ambiguous" "$(jq -c '[.packets.ambiguous, (.losses | length)]' "$dir/node1.out")" '[0,0]'
done_testing
