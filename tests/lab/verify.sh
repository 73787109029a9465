#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# verify.sh - two nodes' captures against what is known of the traffic: nothing lost, exactly
# known losses, offloads, another clock, one capture alone; from files and through FIFOs.
LAB_PREFIX=vfy
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need jq nft python3
lab_test

LOST=137 OF=50000
WEB=node1/default/web API=node2/default/api

# verify [options] FILE...: JSON in $dir/v.json, exit status in $status
verify() {
	timeout 120 "$PODHOP" verify -T json "$@" >"$dir/v.json" 2>"$dir/v.err"
	status=$?
	[[ ! -s $dir/v.err ]] || sed 's/^/# /' "$dir/v.err"
}
get() { jq -c "$1" "$dir/v.json"; }
# counts FROM TO: sent delivered lost altered unknown
counts() {
	jq -r --arg f "$1" --arg t "$2" '.directions[] | select(.from == $f and .to == $t) |
		"\(.sent) \(.delivered) \(.lost) \(.altered) \(.unknown)"' "$dir/v.json"
}
both_start() { # options of capture
	capture node1 default/web -w "$dir/a.pcapng" "$@"
	capture node2 default/api -w "$dir/b.pcapng" "$@"
}
both_end() {
	sleep 0.3 # what is on its way arrives
	capture_end node1
	capture_end node2
}
udpgen() { # COUNT [options]
	local n=$1 api_ns=$POD_API_NS
	shift
	: "$api_ns"
	on $WEB "$TOOLS/udpgen" -n "$n" "$@" -p 5001 "$POD_API_IP" >"$dir/udpgen.out" 2>&1 ||
		bail "udpgen: $(cat "$dir/udpgen.out")"
}
rate() { echo "# $1: $(jq .per_second "$dir/udpgen.out") datagrams a second"; }
# The numbers in the payloads of the packets that verify lists as lost.
lost_numbers() {
	jq -r '.directions[].lost_packets[] | "\(.file) \(.frame)"' "$dir/v.json" |
		"$ROOT/tests/lib/payload-numbers"
}

lab_up

# ---- nothing lost

both_start
on $WEB ping -q -c 20 -i 0.01 "$POD_API_IP" >/dev/null || bail "ping"
udp $WEB $API "$POD_API_IP" 500
tcp $WEB $API "$POD_API_IP" -n 3000000
both_end
verify "$dir/a.pcapng" "$dir/b.pcapng"
is "healthy: exit status" $status 0
is "healthy: verdict" "$(get .verdict)" '"delivered"'
is "healthy: nothing lost, altered or unknown" \
	"$(get '[.directions[] | .lost + .altered + .unknown + .duplicated] | add')" 0
is "healthy: all sent were delivered" \
	"$(get '[.directions[] | .sent == .delivered and .sent > 500] | all')" true
is "healthy: delays both ways" \
	"$(get '[.directions[].one_way_delay_ns | .min > 0 and .p50 <= .p90 and .max < 1e9] | all')" true
is "healthy: the offset of one clock against itself is within its uncertainty" \
	"$(get '.clocks[0] | (.offset_ns | fabs) <= .uncertainty_ns and .uncertainty_ns < 500000')" true
is "healthy: outer destination, as the FDB of each node had it" \
	"$(get '[.directions[].outer | .destination_judged == .packets and .packets > 200 and
		.destination_unexpected + .destination_varies == 0 and .destination != null] | all')" true
is "healthy: outer TTL 64, no router between" \
	"$(get '[.directions[].outer | .ttl_sent, .ttl_received, .routers] | unique')" \
	'[{"min":0,"max":0},{"min":64,"max":64}]'
is "healthy: the text says so first" \
	"$("$PODHOP" verify "$dir/a.pcapng" "$dir/b.pcapng" | head -n 1 | cut -d: -f1)" delivered
succeeds "healthy: the JSON is what its schema says" "$ROOT/tests/cli/schema.sh" "$dir/v.json"
is "as JSON lines: the report is the last" \
	"$("$PODHOP" verify -T jsonl "$dir/a.pcapng" "$dir/b.pcapng" | tail -n 1 | jq -r .schema)" podhop.verify/1

# ---- one capture alone

verify "$dir/a.pcapng"
is "alone: exit status" $status 0
is "alone: replies prove what was sent" \
	"$(get '.directions[0] | .sent > 500 and .sent == .delivered and .unprovable > 0')" true

# ---- another clock: +37.123456 ms, drifting 50 ppm

"$TOOLS/retime" -s 37123456 -d 50 "$dir/b.pcapng" "$dir/c.pcapng" >"$dir/first" ||
	bail "retime"
verify "$dir/a.pcapng" "$dir/c.pcapng"
is "clock: exit status" $status 0
is "clock: the offset is within its uncertainty" "$(jq -c --argjson first "$(cat "$dir/first")" \
	'.clocks[0] | (37123456 + 50e-6 * (.at_ns - $first) - .offset_ns | fabs) <= .uncertainty_ns' \
	"$dir/v.json")" true
is "clock: tight" "$(get '.clocks[0].uncertainty_ns < 200000')" true
is "clock: delays come back" \
	"$(get '[.directions[].one_way_delay_ns | .min > -100000 and .p50 < 5e6] | all')" true
"$TOOLS/retime" -s -7200000000000 "$dir/b.pcapng" "$dir/c.pcapng" >/dev/null
verify "$dir/a.pcapng" "$dir/c.pcapng"
"$ROOT/tests/lib/clock-trials" "$PODHOP" "$TOOLS/retime" "$dir/a.pcapng" "$dir/b.pcapng" 100 >"$dir/trials" ||
	bail "clock-trials"
read -r trials inside tight delays <"$dir/trials"
echo "# clock: of $trials trials behind queues, $inside inside the uncertainty, $tight tight, $delays with delays"
is "clock behind queues: 100 trials, all tight, at least 95 inside, delays too" \
	"$trials $((inside >= 95)) $tight $((delays >= 95))" "100 1 100 1"
is "clock: two hours off" "$status $(get '.clocks[0].offset_ns + 7200000000000 | fabs < 1e6')" "0 true"

# ---- a fault that comes while packets are captured

read -r mac node <<<"$(on node1 bridge fdb show dev flannel.1 | awk '/ dst / { print $1, $3; exit }')"
both_start --window 200
on $WEB ping -q -c 5 -i 0.01 "$POD_API_IP" >/dev/null || bail "ping"
on node1 bridge fdb del "$mac" dev flannel.1 dst "$node" self || bail "bridge"
on $WEB ping -q -c 10 -i 0.01 -W 1 "$POD_API_IP" >/dev/null
# Packets of node2, which do arrive, show that both captures still ran.
on $API "$TOOLS/udpgen" -n 1 -p 5001 "$POD_WEB_IP" >/dev/null 2>&1 || bail "udpgen"
both_end
on node1 bridge fdb replace "$mac" dev flannel.1 dst "$node" self permanent || bail "bridge"
verify --window 200 "$dir/a.pcapng" "$dir/b.pcapng"
is "FDB entry gone during the capture: counts" \
	"$(counts node1 node2)" "16 5 11 0 0" # with the ICMP error about udpgen's
is "FDB entry gone during the capture: the reason" \
	"$(get '.directions[] | select(.lost > 0).places[0].reason |
		test("^remote.fdb 10.244.2.0/24.*not so as the capture began")')" true

both_start --window 200
on $WEB ping -q -c 5 -i 0.01 "$POD_API_IP" >/dev/null || bail "ping"
on node1 sysctl -qw net.ipv4.ip_forward=0 || bail "sysctl"
on $WEB ping -q -c 10 -i 0.01 -W 1 "$POD_API_IP" >/dev/null
on $API "$TOOLS/udpgen" -n 1 -p 5001 "$POD_WEB_IP" >/dev/null 2>&1 || bail "udpgen"
both_end
on node1 sysctl -qw net.ipv4.ip_forward=1 || bail "sysctl"
verify --window 200 "$dir/a.pcapng" "$dir/b.pcapng"
is "forwarding off during the capture: the reason" \
	"$(get '.directions[] | select(.from == "node1").places[0].reason |
		test("^sysctl.forwarding net.ipv4.ip_forward.*not so as the capture began")')" true

# ---- exactly known losses: what the payload's number says is dropped on node2

mapfile -t numbers < <(python3 -c "
import random
random.seed(137)
print('\n'.join(map(str, sorted(random.sample(range(10, $OF - 10), $LOST)))))")
printf '%s\n' "${numbers[@]}" >"$dir/numbers"
on node2 nft -f - <<END || bail "nft"
table ip t {
	chain f {
		type filter hook forward priority -300;
		udp dport 5001 @th,64,64 { $(IFS=,; echo "${numbers[*]}") } drop
	}
}
END
both_start -s 256 -B 65536
udpgen $OF # as fast as it can
rate "137 of 50,000"
both_end
verify "$dir/a.pcapng" "$dir/b.pcapng"
is "137 of 50,000: exit status" $status 3
is "137 of 50,000: counts" "$(counts node1 node2)" "$OF $((OF - LOST)) $LOST 0 0"
is "137 of 50,000: exactly those" "$(lost_numbers | sort -n | diff - "$dir/numbers" | head -n 5)" ""
is "137 of 50,000: where" \
	"$(get '[.directions[].lost_packets[].last_seen] | unique')" '["node2:vtep"]'
like "137 of 50,000: the sentence" "$("$PODHOP" verify "$dir/a.pcapng" "$dir/b.pcapng" | head -n 1)" \
	'^lost 137 of 50,000 between node2:vtep and node2:bridge'
# The clock of node2 is stepped in the middle, however fast they were sent: what it hides is not lost.
editcap -r "$dir/b.pcapng" "$dir/middle.pcapng" 1 $((2 * OF)) || bail "editcap"
middle_ns=$(tshark -r "$dir/middle.pcapng" -T fields -e frame.time_relative 2>/dev/null |
	awk 'END { printf "%.0f", $1 * 1e9 }')
for by in 30000000000 -30000000000; do
	"$TOOLS/retime" -j $by -a "$middle_ns" "$dir/b.pcapng" "$dir/c.pcapng" >/dev/null || bail "retime"
	verify "$dir/a.pcapng" "$dir/c.pcapng"
	is "clock stepped by $by ns: only what was dropped is lost" \
		"$(lost_numbers | grep -vxFf "$dir/numbers" | head -n 5)" ""
	is "clock stepped by $by ns: the rest is unknown, and the step told" \
		"$(get '[(.directions | map(.unknown) | add > 10000),
			(.reasons | any(test("clock.* was (stepped|set back)")))]')" "[true,true]"
done
verify a="$dir/b.pcapng" b="$dir/a.pcapng"
is "named the other way round: the same" "$(counts b a)" "$OF $((OF - LOST)) $LOST 0 0"
# The other way went ICMP errors (port unreachable); without them nothing tells the offset.
verify -f 'udp port 5001' "$dir/a.pcapng" "$dir/b.pcapng"
is "one way only: counts" "$(counts node1 node2)" "$OF $((OF - LOST)) $LOST 0 0"
is "one way only: no offset, no delays" \
	"$(get '[.clocks[0].offset_ns, .clocks[0].uncertainty_ns, .directions[].one_way_delay_ns]')" \
	"[null,null,null,null]"
verify -f 'udp port 5001' --clock-offset 0 "$dir/a.pcapng" "$dir/b.pcapng"
is "one way only, told the offset: delays" \
	"$(get '.directions[] | select(.sent > 0) | .one_way_delay_ns.min > 0')" true

# ---- the same live, through FIFOs

mkfifo "$dir/a.fifo" "$dir/b.fifo"
rm -f "$dir/node1.err" "$dir/node2.err"
start pid "$dir/live.json" timeout 120 "$PODHOP" verify -T json "$dir/a.fifo" "$dir/b.fifo"
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -s 256 -B 65536 -w - \
	2>"$dir/node1.err" </dev/null > >(tee "$dir/a.live.pcapng" >"$dir/a.fifo") &
capture_pid[node1]=$!
jobs_started+=("$!")
"$lab" exec node2 "$PODHOP" capture default/api --host-root "$NODE2_ROOT" -s 256 -B 65536 -w - \
	2>"$dir/node2.err" </dev/null > >(tee "$dir/b.live.pcapng" >"$dir/b.fifo") &
capture_pid[node2]=$!
jobs_started+=("$!")
wait_for "$dir/node1.err" 'capturing on' "${capture_pid[node1]}"
wait_for "$dir/node2.err" 'capturing on' "${capture_pid[node2]}"
on $WEB ping -q -c 5 -i 0.05 "$POD_API_IP" >/dev/null
udpgen $OF
rate live
# A window later all is decided, while the captures go on.
for _ in {1..100}; do
	# shellcheck disable=SC2154  # start sets it
	pkill -USR1 -P "$pid"
	sleep 0.1
	! grep -q 'so far: lost 137' "$dir/live.json" || break
done
like "live: the verdict while captures run" "$(tail -n 1 "$dir/live.json")" 'so far: lost 137 of'
both_end
wait "$pid"
is "live: exit status" $? 3
grep -v '^podhop:' "$dir/live.json" >"$dir/v.json"
if [[ $(get '[.reasons[] | select(test("dropped"))] | length') == 0 ]]; then
	is "live: counts" "$(counts node1 node2)" "$((OF + 5)) $((OF + 5 - LOST)) $LOST 0 0"
	# What the FIFOs brought was kept beside: frames are numbered alike.
	is "live: exactly those" "$(jq -r --arg a "$dir/a.live.pcapng" --arg b "$dir/b.live.pcapng" \
		'.directions[].lost_packets[] | "\(if .file | endswith("a.fifo") then $a else $b end) \(.frame)"' \
		"$dir/v.json" | "$ROOT/tests/lib/payload-numbers" | sort -n | diff - "$dir/numbers" | head -n 5)" ""
else
	skip "live: counts" "this machine could not capture all: $(get .reasons)"
	skip "live: exactly those" "this machine could not capture all"
fi
on node2 nft delete table ip t

# ---- a capture that lost frames cannot tell

both_start -s 256
udpgen 2000 -r 10000
both_end
"$TOOLS/holes" "$dir/b.pcapng" "$dir/c.pcapng" 1000 5 || bail "holes"
verify "$dir/a.pcapng" "$dir/c.pcapng"
is "drops in a capture: exit status" $status 4
is "drops in a capture: unknown, not lost" \
	"$(get '[.directions[].lost, (.directions[0].unknown > 0)]')" "[0,0,true]"

# ---- nothing matches

verify "$dir/a.pcapng" x="$dir/a.pcapng"
is "nothing matched: exit status" $status 4

# ---- a super-frame that lost a segment is lost, though a retransmission filled the gap

lab_down
lab_up --outside --offload off
on outside ip link set port1 nomaster
on outside ip link set port2 nomaster
on outside ip link set br0 down
# shellcheck disable=SC2154  # start sets it
start wire "$dir/wire" ip netns exec "ph-$PODHOP_LAB-outside" "$TOOLS/wire" -s 300,301,900,1500 port1 port2
# shellcheck disable=SC2154
wait_for "$dir/wire" '^ready' "$wire"
both_start -s 256 -B 65536
tcp $WEB $API "$POD_API_IP" -n 4000000
on $WEB ping -q -c 2 -i 0.01 "$POD_API_IP" >/dev/null
both_end
kill "$wire"
wait "$wire"
verify "$dir/a.pcapng" "$dir/b.pcapng"
is "segments lost on the wire: exit status" $status 3
is "segments lost on the wire: the bytes that are missing are those" \
	"$(get '[.directions[].lost_packets[].bytes_missing] | add')" "$(tail -n 1 "$dir/wire" | jq .cut_bytes)"
is "segments lost on the wire: of super-frames, lost between the nodes" \
	"$(get '[.directions[].lost_packets[] | select(.length > .bytes_missing + 60 and
		.last_seen == "node1:underlay")] | length > 0 and length <= 4')" true
is "segments lost on the wire: nothing is unknown, and all else arrived" \
	"$(get '[.directions[] | .unknown + .altered, .sent - .delivered - .lost] | add')" 0

# ---- big TCP streams, in every way that offloads cut them

lab_down
for variant in ${VARIANTS:-"--offload on" "--offload off" "--gro"}; do
	# shellcheck disable=SC2086  # words
	lab_up $variant
	both_start -s 128 -B 131072
	# Paced: this is about matching, not about what two processors can capture.
	tcp $WEB $API "$POD_API_IP" -n 200000000 -r 60M
	both_end
	verify "$dir/a.pcapng" "$dir/b.pcapng"
	drops=$(get '[.reasons[] | select(test("dropped"))] | length')
	if ((drops)); then
		# What this machine could not capture is not lost on the way.
		is "200 MB, $variant: what was not captured is not called lost" \
			"$(get '[.directions[].lost] | add')" 0
	else
		is "200 MB, $variant: exit status" $status 0
		is "200 MB, $variant: all delivered" \
			"$(get '[.directions[] | .sent == .delivered] | all')" true
	fi
	lab_down
done
done_testing
