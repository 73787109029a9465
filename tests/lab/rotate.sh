#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# rotate.sh - live: files by the clock beside dumpcap's and tcpdump's, packed ones inside the sandbox and
# after kill -9, streams into dumpcap and tshark (TAP, root).
#
# Time limit: 240 s
# shellcheck disable=SC2119,SC2154,SC2012  # variables of `lab env`; names of our own making
LAB_PREFIX=rot
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need jq tshark capinfos tcpdump dumpcap
lab_test
lab_up
WEB=node1/default/web
count() { capinfos -Tcr "$1" 2>/dev/null | cut -f2; }
ids() { tshark -r "$1" -Y frame.packet_id 2>/dev/null | wc -l; } # frames of packets; no ARP and the like
# whole FILE...: those without exactly one section, or with an interface that has no statistics
whole() {
	local f blocks
	for f; do
		blocks=$(tshark -r "$f" -X 'read_format:MIME Files Format' -V 2>/dev/null)
		[[ $(grep -c 'Block Type: Section Header Block' <<<"$blocks") == 1 &&
			$(grep -c 'Block Type: Interface Description Block' <<<"$blocks") -gt 0 &&
			$(grep -c 'Block Type: Name Resolution Block' <<<"$blocks") == 1 &&
			$(grep -c 'Option: End Time' <<<"$blocks") -ge \
			$(grep -c 'Block Type: Interface Description Block' <<<"$blocks") ]] || echo "$f"
	done
}
pings() { on $WEB ping -q -c "$1" -i "$2" "$POD_API_IP" >/dev/null || bail "ping"; }

# ---- a quiet network: files follow the clock

mkdir "$dir/quiet"
start dumpcap_pid "$dir/dumpcap.log" ip netns exec "$NODE1_NS" \
	dumpcap -q -i "$POD_WEB_VETH" -b duration:1 -a files:4 -w "$dir/quiet/d.pcapng"
capture node1 default/web -w "$dir/quiet/p.pcapng" -b duration:1 -a files:4
wait "${capture_pid[node1]}"
is "-b duration:1 -a files:4: ends by itself" $? 0
wait "$dumpcap_pid"
names() { (cd "$dir/quiet" && ls "$1"_* | sed -E "s/^$1//; s/_[0-9]{14}/_TIME/"); }
is "as many files as dumpcap, called likewise" "$(names p)" "$(names d)"
is "each begins a second after the one before" "$(cd "$dir/quiet" && for f in p_*; do
	date -u -d "$(sed -E 's/.*_([0-9]{8})([0-9]{2})([0-9]{2})([0-9]{2})\..*/\1 \2:\3:\4/' <<<"$f")" +%s
done | awk 'NR > 1 && $1 - before != 1 { print } { before = $1 }')" ""
is "each is complete by itself, without one frame" "$(whole "$dir"/quiet/p_*)" ""

# ---- -G and -W, beside tcpdump

mkdir "$dir/g"
on $WEB ping -q -c 60 -i 0.1 "$POD_API_IP" >/dev/null &
jobs_started+=("$!")
start tcpdump_pid "$dir/tcpdump.log" ip netns exec "$NODE1_NS" \
	tcpdump -q -Z root -i "$POD_WEB_VETH" -G 1 -W 3 -w "$dir/g/t-%H%M%S.pcap"
capture node1 default/web -G 1 -W 3 -w "$dir/g/p-%H%M%S.pcapng"
wait "${capture_pid[node1]}"
is "-G 1 -W 3: ends by itself" $? 0
wait "$tcpdump_pid"
is "-G 1 -W 3: tcpdump's number of files" "$(ls "$dir"/g/p-* | wc -l) $(ls "$dir"/g/t-* | wc -l)" "3 3"
like "-G: named by the time" "$(cd "$dir/g" && ls p-* | tr '\n' ' ')" '^p-[0-9]{6}\.pcapng p-[0-9]{6}\.pcapng p-[0-9]{6}\.pcapng $'
is "-G: each is complete by itself" "$(whole "$dir"/g/p-*)" ""
is "-G: a second's frames in each" "$(for f in "$dir"/g/p-*; do ids "$f"; done | awk '$1 < 56 || $1 > 104')" ""

# ---- packed: in the sandbox, with rotation and a file a hop

for kind in gz zst; do
	mkdir "$dir/$kind"
	capture node1 default/web -w "$dir/$kind/x.pcapng.$kind" -b packets:100 -b files:3 --split icmp
	pings 100 0.005
	sleep 0.3 # what is on its way arrives
	capture_end node1
	is ".$kind: exit status" $status 0
	# 100 frames each; what came besides the pings (an ICMP of the node's) may have begun one more.
	mains=("$dir/$kind"/x_0000?_??????????????.pcapng."$kind")
	is ".$kind: the newest three, each with a file a hop" \
		"$(cd "$dir/$kind" && ls | sed -E 's/_[0-9]{5}_[0-9]{14}//; s/-veth[0-9a-f]+/-VETH/' | sort | uniq -c | sed 's/^ *//' | tr '\n' ' ')" \
		"3 x-bridge-cni0.pcapng.$kind 3 x-underlay-eth0.pcapng.$kind 3 x-veth-VETH.pcapng.$kind 3 x-vtep-flannel.1.pcapng.$kind 3 x.pcapng.$kind "
	is ".$kind: each is complete by itself" "$(whole "$dir/$kind"/*)" ""
	is ".$kind: frames of the full ones" "$(count "${mains[0]}") $(count "${mains[1]}")" "100 100"
	is ".$kind: one file's statistics are of its own frames and time" \
		"$(tshark -r "${mains[1]}" -X 'read_format:MIME Files Format' -V 2>/dev/null |
			awk '/Option: Number of Packets Delivered to the User/ { n += $NF } END { print n + 0 }')" 100

	# kill -9: what was captured more than a second before can be read.
	capture node1 default/web -w "$dir/killed.pcapng.$kind" icmp
	pings 30 0.1
	kill -KILL "${capture_pid[node1]}"
	killed_at=$(date +%s.%N)
	wait "${capture_pid[node1]}" 2>/dev/null
	last=$(tshark -r "$dir/killed.pcapng.$kind" -T fields -e frame.time_epoch 2>/dev/null | tail -n 1)
	is ".$kind: killed, readable up to at most 1 s before" \
		"$(awk -v a="$killed_at" -v b="${last:-0}" 'BEGIN { print a - b <= 1.0 ? "yes" : a - b }')" yes
	"$PODHOP" report "$dir/killed.pcapng.$kind" --json >"$dir/killed.json" 2>"$dir/killed.err"
	like ".$kind: killed, reported as far as it goes, and said so" \
		"$? $(jq '.packets.total > 35' "$dir/killed.json") $(cat "$dir/killed.err")" '^1 true .*cut short'
	is ".$kind: killed, podhop and tshark see the same frames" "$(jq '.inputs[0].frames' "$dir/killed.json")" \
		"$(tshark -r "$dir/killed.pcapng.$kind" -T fields -e frame.number 2>/dev/null | tail -n 1)"
done

# ---- streams

"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -w - -c 40 icmp 2>"$dir/s.err" </dev/null |
	dumpcap -q -i - -b packets:100 -w "$dir/piped.pcapng" 2>"$dir/d.err" &
stream=$!
wait_for "$dir/s.err" 'capturing on' "$stream"
pings 40 0.01
wait "$stream"
is "-w - into dumpcap -i -: every frame, in files of dumpcap's" \
	"$(for f in "$dir"/piped_*; do count "$f"; done | awk '{ n += $1 } END { print n, NR }')" "160 2"
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -w - -c 40 icmp 2>"$dir/s.err" </dev/null |
	tshark -i - -l -T fields -e frame.packet_id -e frame.interface_name >"$dir/live" 2>/dev/null &
stream=$!
wait_for "$dir/s.err" 'capturing on' "$stream"
pings 40 0.01
wait "$stream"
is "-w - into tshark -i -: 40 packets at four hops" \
	"$(cut -f1 "$dir/live" | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | awk '{ print $1 "x" $2 }')" 40x4
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -w - -c 40 icmp 2>"$dir/s.err" </dev/null |
	tshark -r - -T fields -e frame.packet_id >"$dir/live" 2>/dev/null &
stream=$!
wait_for "$dir/s.err" 'capturing on' "$stream"
pings 40 0.01
wait "$stream"
is "-w - into tshark -r -" "$(sort -u "$dir/live" | wc -l) $(wc -l <"$dir/live")" "40 160"
done_testing
