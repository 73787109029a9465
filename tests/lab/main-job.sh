#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# main-job.sh - podhop's main claims on a real datapath, judged by the traffic itself (TAP, root).
# Time limit: 900 s
#
# Traffic carries its own identity (tests/tools), so build/tools/groundtruth can say, without a
# line of podhop's, whether every frame has the id of its packet. Other programs judge the
# files: tshark, capinfos, tcpdump, dumpcap; strace says what podhop asked of the kernel.
#
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=mj
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq tshark dumpcap capinfos tcpdump strace ip
groundtruth=$TOOLS/groundtruth
OUT='veth>bridge>vtep>underlay' IN='underlay>vtep>bridge>veth'

# json NAME FILE FILTER WANTED
json() { is "$1" "$(jq -c "$3" "$2" 2>&1)" "$4"; }

# truth NAME FILE OPTIONS...: groundtruth agrees
truth() {
	local name=$1 file=$2 out
	shift 2
	if out=$("$groundtruth" "$@" "$file" 2>&1); then
		ok "$name"
	else
		not_ok "$name" "$out"
	fi
}

# The receiver of one-way datagrams: counts nothing, is there so that none is answered by ICMP.
sink() { start sink_pid "$dir/sink" on "$1" "$TOOLS/udpecho" server "$2" -p "$3" -o; }

# ---- 100,000 numbered datagrams over four hops ----

lab_up
capture node1 default/web -w "$dir/udp.pcapng" --json -B 65536
start udp_server "$dir/udp.server" on api "$TOOLS/udpecho" server -p 5301 -o -w 600000
wait_for "$dir/udp.server" '^ready' "$udp_server"
# 40,000 frames a second over all hops: two processors that do other things too keep up.
if on web "$TOOLS/udpgen" -n 100000 -s 8:1400 -r 10000 -f 4 -p 5301 "$POD_API_IP" >"$dir/udpgen" 2>&1; then
	ok "100,000 datagrams of random size were sent"
else
	not_ok "100,000 datagrams of random size were sent" "$(cat "$dir/udpgen")"
fi
capture_end node1
kill "$udp_server" 2>/dev/null
is "capture ends with 0 on SIGTERM" "$status" 0
report=$dir/node1.out
json "all complete" "$report" '.packets | [.incomplete, .ambiguous, .edge]' '[0,0,0]'
json "one path" "$report" '[.paths[] | select(.encapsulated) | [.path, .direction, .packets]]' \
	"[[\"$OUT\",\"egress\",100000]]"
json "nothing dropped" "$report" \
	'[.capture.interfaces[] | .dropped_kernel, .dropped_podhop] | add' 0
json "50 bytes a datagram, observed" "$report" '.encapsulation |
	[.basis, .overhead_bytes == 50 * .outer_datagrams, .outer_datagrams >= 100000]' \
	'["observed",true,true]'
truth "each number has one id at four hops, no id two numbers" "$dir/udp.pcapng" -n 100000 -H 4
like "in time order" "$(capinfos -o "$dir/udp.pcapng")" 'Strict time order: *True'

# ---- other programs read the file ----

tcpdump -n -r "$dir/udp.pcapng" -w /dev/null 2>"$dir/err"
is "tcpdump reads it" "$?" 0
capinfos "$dir/udp.pcapng" >"$dir/capinfos" 2>&1
is "capinfos reads it" "$?" 0

# ---- a small file, in depth: TCP, UDP, ICMP; dumpcap beside it ----

veth=$POD_WEB_VETH
: >"$dir/dumpcap"
# With its default limits dumpcap's own queue loses frames of four interfaces.
on node1 dumpcap -q -C 100000000 -N 100000 -i "$veth" -i cni0 -i flannel.1 -i eth0 \
	-w "$dir/dumpcap.pcapng" -P \
	>"$dir/dumpcap" 2>&1 </dev/null &
dumpcap_pid=$!
jobs_started+=("$dumpcap_pid")
wait_for "$dir/dumpcap" 'File:' "$dumpcap_pid"
capture node1 default/web -w "$dir/small.pcapng" --json
tcp web api "$POD_API_IP" -n 300K -- -n 100K
udp web api "$POD_API_IP" 200 -s 8-1400
on web ping -q -c 20 -i 0.02 "$POD_API_IP" >/dev/null || bail "ping"
capture_end node1
is "capture" "$status" 0
report=$dir/node1.out
cp "$report" "$report.json"
json "paths out and in" "$report" '[.paths[] | [.direction, .path]] | sort' \
	"[[\"egress\",\"$OUT\"],[\"ingress\",\"$IN\"]]"
json "all complete" "$report" '.packets | .total > 400 and .total == .complete' true
truth "ids agree with the traffic" "$dir/small.pcapng" -n 400 -i 40 -H 4
tshark -r "$dir/small.pcapng" -X 'read_format:MIME Files Format' -V >"$dir/blocks" 2>"$dir/err"
is "tshark dissects the blocks" "$?:$(grep -v -i 'running as' "$dir/err")" 0:
is "no malformed block" "$(grep -ciE 'malformed|\[expert' "$dir/blocks")" 0
tshark -n -r "$dir/small.pcapng" -T fields -e frame.packet_id -e frame.interface_name \
	-e frame.comment 2>"$dir/err" >"$dir/fields"
is "tshark reads it without a warning" "$(grep -v -i 'running as' "$dir/err")" ''
id=$(jq -r '[.flows[] | select(.protocol == "icmp")] | length' "$report")
is "two ICMP flows" "$id" 2
# An echo request is a frame of its own at each hop: its id selects these four and no other.
id=$(tshark -n -r "$dir/small.pcapng" -d udp.port==8472,vxlan -Y 'icmp.type==8 && icmp.seq==7' \
	-T fields -e frame.packet_id 2>/dev/null | sort -u)
is "frame.packet_id == N selects exactly the hops of a packet" \
	"$(tshark -n -r "$dir/small.pcapng" -d udp.port==8472,vxlan -Y "frame.packet_id==$id" \
		-T fields -e frame.interface_name -e icmp.seq 2>/dev/null | tr '\t\n' ' ,')" \
	"$veth 7,cni0 7,flannel.1 7,eth0 7,"
"$PODHOP" report "$dir/small.pcapng" -q -T jsonl >"$dir/s.jsonl"
"$PODHOP" report "$dir/small.pcapng" -q --json >"$dir/s.json"
succeeds "json and jsonl agree with the schemas" "$ROOT/tests/cli/schema.sh" "$dir/s.jsonl" \
	"$dir/s.json" "$report.json"

# dumpcap ends once what it still has in its buffers is written.
kill -TERM "$dumpcap_pid"
wait "$dumpcap_pid"
paths='[.paths[] | select(.encapsulated) | [.direction, .path, .packets, .bytes]] | sort'
"$PODHOP" report "$dir/dumpcap.pcapng" -q --json --pod "$POD_WEB_IP" >"$dir/dumpcap.json" 2>"$dir/err"
is "report of dumpcap's file" "$?:$(cat "$dir/err")" 0:
json "dumpcap: same paths, same packets, same bytes" "$dir/dumpcap.json" "$paths" \
	"$(jq -c "$paths" "$report")"
json "dumpcap: same overhead" "$dir/dumpcap.json" '.encapsulation.overhead_bytes' \
	"$(jq -c .encapsulation.overhead_bytes "$report")"
reordercap "$dir/dumpcap.pcapng" "$dir/ordered.pcapng" >/dev/null 2>&1
"$PODHOP" report "$dir/ordered.pcapng" -q --json --pod "$POD_WEB_IP" >"$dir/ordered.json" 2>&1
json "dumpcap, brought into time order: the same" "$dir/ordered.json" "$paths" \
	"$(jq -c "$paths" "$report")"

# ---- what podhop asks of the kernel ----

calls='setns|unshare|clone|clone3|fork|vfork|execve'
strace -f -qq -e trace="/^(${calls})\$" -o "$dir/strace" -- \
	"$lab" exec node1 "$PODHOP" resolve default/web --host-root "$NODE1_ROOT" --json >"$dir/resolve.json"
# The lab's own `ip netns exec` comes first; podhop is what its last execve started.
after_podhop() { awk -v p="$PODHOP" 'index($0, "execve(\"" p "\"") { pid = $1; next } pid && $1 == pid' "$dir/strace"; }
is "resolve enters nothing, starts nothing" "$(grep -c "execve(\"$PODHOP\"" "$dir/strace"):$(after_podhop)" 1:
json "and resolves" "$dir/resolve.json" .veth "\"$veth\""
strace -f -qq -e trace="/^(${calls})\$" -o "$dir/strace" -- \
	"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -q -c 5 --json \
	>"$dir/traced.json" 2>"$dir/traced.err" &
traced=$!
jobs_started+=("$traced")
until ! kill -0 "$traced" 2>/dev/null; do
	on web ping -q -c 5 -i 0.02 "$POD_API_IP" >/dev/null || break
done
wait "$traced"
is "capture under strace" "$?" 0
is "capture enters nothing, starts nothing" \
	"$(grep -c "execve(\"$PODHOP\"" "$dir/strace"):$(after_podhop)" 1:
json "-c 5 counts packets" "$dir/traced.json" .packets.total 5

# ---- pods that look alike, and pods that cannot be used ----

# Two nodes built the same way give the same pair of indices; so do their pods' veths.
pair() { jq -c '.pod.interfaces[0] | [.ifindex, .iflink]' "$1"; }
on node2 "$PODHOP" resolve default/api --host-root "$NODE2_ROOT" --json >"$dir/api.json"
on node1 "$PODHOP" resolve default/web --host-root "$NODE1_ROOT" --json >"$dir/web.json"
is "two pods of two nodes: the same pair of indices" "$(pair "$dir/web.json")" "$(pair "$dir/api.json")"
json "a pod of the other node has its own veth" "$dir/api.json" .veth "\"$POD_API_VETH\""
for p in web client; do
	on node1 "$PODHOP" resolve "default/$p" --host-root "$NODE1_ROOT" --json >"$dir/$p.json"
done
is "two pods of one node: two veths" "$(jq -r .veth "$dir/web.json") $(jq -r .veth "$dir/client.json")" \
	"$POD_WEB_VETH $POD_CLIENT_VETH"

# refuses POD STATUS PATTERN
refuses() {
	on node1 "$PODHOP" capture "$1" --host-root "$NODE1_ROOT" -a duration:1 -w "$dir/refused" \
		>"$dir/out" 2>"$dir/err"
	is "capture $1: exit status" "$?" "$2"
	like "capture $1: its sentence" "$(cat "$dir/err")" "$3"
}
refuses kube-flannel/kube-flannel-node1 2 '[Hh]ost ?[Nn]etwork'
refuses "$POD_API_IP" 2 '(other|another) node'
refuses default/nobody 2 'no pod default/nobody'
"$lab" -q del --stale node1/client || bail "lab del"
# Also where nobody waits for the dead: zombies do not keep a pod alive.
refuses default/client 2 'gone'
on node1 "$PODHOP" capture web --host-root "$NODE1_ROOT" "tcp prot 80" -a duration:1 >"$dir/out" 2>"$dir/err"
is "a bad filter: exit status" "$?" 2
on node1 "$PODHOP" capture web --host-root "$NODE1_ROOT" --hops vtep=nosuch -a duration:1 >"$dir/out" 2>"$dir/err"
is "a device that is not there: exit status" "$?" 2
like "and its sentence" "$(cat "$dir/err")" 'nosuch'
install -m 755 "$PODHOP" "$dir/podhop" && chmod 755 "$dir"
on node1 setpriv --reuid 65534 --regid 65534 --clear-groups "$dir/podhop" capture web \
	--host-root "$NODE1_ROOT" -a duration:1 >"$dir/out" 2>"$dir/err"
is "no permission: exit status" "$?" 1
like "and its sentence" "$(cat "$dir/err")" '[Pp]ermi'

# A full disk: what was written is a whole file.
mkdir "$dir/small"
if mount -t tmpfs -o size=256k tmpfs "$dir/small"; then
	capture node1 default/web -w "$dir/small/full.pcapng" --min-free 0 --json
	on web "$TOOLS/udpgen" -n 2000 -s 1400 -r 5000 -p 5302 "$POD_API_IP" >/dev/null 2>&1
	capture_end node1
	is "a full disk: exit status" "$status" 1
	like "and its sentence" "$(cat "$dir/node1.err")" 'full\.pcapng.*[Nn]o space'
	"$PODHOP" report "$dir/small/full.pcapng" -q --json >"$dir/full.json" 2>/dev/null
	json "and what fitted is there" "$dir/full.json" '.capture.observations > 100' true
	umount "$dir/small"
fi
lab_down

# ---- one stream of 200 MB: left to the NIC, cut before it, merged behind it ----

BYTES=200000000
# stream NAME BASIS-NODE1 LAB-OPTIONS...
stream() {
	local name=$1 basis=$2
	shift 2
	lab_up "$@"
	capture node1 default/web -w "$dir/n1.pcapng" -s 128 -B 131072 --terse --json
	capture node2 default/api -w "$dir/n2.pcapng" -s 128 -B 131072 --terse --json
	tcp web api "$POD_API_IP" -n "$BYTES" -- -e "$BYTES"
	capture_end node1
	is "$name: capture on node1" "$status" 0
	capture_end node2
	is "$name: capture on node2" "$status" 0
	for node in node1 node2; do
		report=$dir/$node.out
		if jq -e '[.capture.interfaces[] | .dropped_kernel, .dropped_podhop] | add > 0' \
			"$report" >/dev/null; then
			# Two slow processors: what the kernel dropped cannot be accounted for.
			skip "$name: every byte at every hop of $node" "the capture dropped frames"
			continue
		fi
		truth "$name: every byte at every hop of $node" "$dir/n${node#node}.pcapng" -b "$BYTES" -o 5201
		json "$name: all complete on $node" "$report" '.packets.incomplete + .packets.ambiguous' 0
		json "$name: 50 bytes a datagram on $node" "$report" \
			'.encapsulation | .overhead_bytes == 50 * .outer_datagrams' true
		# 1,398 bytes of payload fit a datagram; less than one in a hundred is shorter.
		json "$name: as many datagrams as the stream needs on $node" "$report" \
			'([.flows[] | select(.dport == 5201) | .overhead_bytes] | add) / 50 / ('"$BYTES"' / 1398) |
			 . > 0.999 and . < 1.05' true
	done
	json "$name: basis on node1" "$dir/node1.out" .encapsulation.basis "$basis"
	lab_down
	rm -f "$dir"/n[12].pcapng
}
stream "offload on" '"mixed"'
stream "offload off at eth0" '"observed"' --offload off
stream "merged by GRO at the other node" '"observed"' --gro

done_testing
