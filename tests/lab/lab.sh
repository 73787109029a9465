#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# lab.sh - the lab itself: what it builds is flannel's datapath, and it leaves nothing (TAP, root).
set -u
ROOT=$(cd "$(dirname "$0")/../.." && pwd)
TOOLS=${BUILD:-$ROOT/build}/tools
export PODHOP_LAB=lt$$ PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
lab=$ROOT/samples/lab/lab
API=10.244.2.2 # the lab's addresses are fixed

# shellcheck source=tests/lib/tap.sh
. "$ROOT/tests/lib/tap.sh"
# exits NAME STATUS PATTERN CMD...: its status, and a message like the pattern
exits() {
	local name=$1 want=$2 pattern=$3 out status=0
	shift 3
	out=$("$@" 2>&1) || status=$?
	if [[ $status == "$want" && $out =~ $pattern ]]; then
		ok "$name"
	else
		not_ok "$name" "exit $status: $out"
	fi
}

[[ $EUID == 0 ]] || skip_all "needs root: it creates namespaces"
for tool in tcpdump ip jq; do
	[[ -n $(type -P $tool) ]] || skip_all "$tool is missing"
done
[[ -x $TOOLS/tcpstream ]] || skip_all "$TOOLS/tcpstream is missing: make tools"
dir=$(mktemp -d)
trap '"$lab" down -q; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM HUP

# What of the machine must be as before: its devices, addresses, routes, sysctls.
machine() {
	ip -o link | sed 's/ qlen.*//'
	ip -o addr show scope global
	ip route
	cat /proc/sys/net/ipv4/ip_forward
	nft list tables 2>/dev/null
}
leftovers() {
	ip netns list | grep "^ph-$PODHOP_LAB-"
	ls -d "/run/podhop-lab/$PODHOP_LAB" "/run/podhop-lab/.$PODHOP_LAB.lock" 2>/dev/null
	pgrep -f "ph-$PODHOP_LAB-"
}
nothing_left() {
	local found
	found=$(leftovers)
	if [[ -z $found ]]; then ok "$1"; else not_ok "$1" "$found"; fi
}
up() { "$lab" up -q "$@"; }
# shellcheck disable=SC2317  # what "succeeds" and "frames" run
ping_from() { # PLACE ADDRESS [SIZE]
	"$lab" exec "$1" ping -q -c 3 -i 0.05 -W 5 -s "${3:-56}" "$2"
}

# stream [-6] ADDRESS BYTES: from node1/web to node2/api
# shellcheck disable=SC2317
stream() {
	local family=-4 fd line
	if [[ $1 == -6 ]]; then
		family=-6
		shift
	fi
	exec {fd}< <(exec "$lab" exec node2/api "$TOOLS/tcpstream" server "$family" -e "$2" \
		-w 10 2>&1)
	read -rt 10 line <&"$fd" # "ready"
	"$lab" exec node1/web "$TOOLS/tcpstream" client -n "$2" -w 10 "$1" >/dev/null || return 1
	read -rt 10 line <&"$fd"
	exec {fd}<&-
	[[ $line == *"received=$2 "* ]]
}

# frames NODE DEVICE CMD...: the lengths of the frames that DEVICE shows meanwhile
frames() {
	local node=$1 device=$2 pid fd line
	shift 2
	exec {fd}< <(exec "$lab" exec "$node" tcpdump -p -n -e --immediate-mode -U -s 128 \
		-i "$device" -w "$dir/pcap" 2>&1)
	pid=$!
	while read -rt 10 line <&"$fd" && [[ $line != *listening* ]]; do :; done
	"$@" >/dev/null 2>&1
	kill -INT "$pid"
	cat <&"$fd" >/dev/null # until it has ended
	exec {fd}<&-
	tcpdump -n -e -r "$dir/pcap" 2>/dev/null |
		sed -n 's/^.*ethertype IPv4[^,]*, length \([0-9]*\):.*/\1/p' | sort -n
}
longest() { frames "$@" | tail -n 1; }

# shorter NAME LENGTH LIMIT, longer NAME LENGTH LIMIT
shorter() {
	if ((${2:-99999} <= $3)); then
		ok "$1"
	else
		not_ok "$1" "${2:-none} bytes, at most $3 wanted"
	fi
}
longer() {
	if ((${2:-0} > $3)); then
		ok "$1"
	else
		not_ok "$1" "${2:-none} bytes, more than $3 wanted"
	fi
}

before=$(machine)

succeeds "up" up
(
	flock 9
	"$lab" add node1 test/lock >/dev/null
) 9>"$dir/lock"
succeeds "what runs in a lab keeps no lock of who made it" flock -n "$dir/lock" true
succeeds "its pod goes" "$lab" del node1/test/lock
succeeds "a pod reaches the other node" ping_from node1/web $API
succeeds "a pod reaches its neighbour" ping_from node1/web 10.244.1.3
succeeds "a node reaches a remote pod" ping_from node1 $API
exits "a second up is refused" 1 "is up already" up
succeeds "status" "$lab" status
eval "$("$lab" env)"
succeeds "env names the veth" "$lab" exec node1 ip link show "$POD_WEB_VETH"
succeeds "a pod's process is in its namespace" \
	test "/proc/$POD_WEB_PID/ns/net" -ef "/run/netns/$POD_WEB_NS"
succeeds "the netns of the cache can be reached through the host root" \
	test "$NODE1_ROOT/var/run/netns/$POD_WEB_NS" -ef "/run/netns/$POD_WEB_NS"
index() { "$lab" exec "$1" ip -j link show eth0 | jq -c '.[0] | [.ifindex, .link_index]'; }
succeeds "two pods have the same ifindex pair" test "$(index node1/web)" = "$(index node2/api)"
succeeds "add" "$lab" add node1 test/web
exits "an ambiguous pod is refused" 1 ambiguous "$lab" exec node1/web true
succeeds "its full name is not" ping_from node1/test/web $API
succeeds "del" "$lab" del node1/test/web
succeeds "del leaves no address file" test ! -e "$NODE1_ROOT/var/lib/cni/networks/cbr0/10.244.1.4"
succeeds "del --stale" "$lab" del --stale node1/client
succeeds "del --stale leaves the cache" \
	test -e "$NODE1_ROOT/var/lib/cni/results/cbr0-$POD_CLIENT_ID-eth0"
PODHOP_LAB=${PODHOP_LAB}b succeeds "a second lab beside it" up
PODHOP_LAB=${PODHOP_LAB}b succeeds "its down" "$lab" down
succeeds "the first is still there" ping_from node1/web $API
longer "super-frames on eth0" "$(longest node1 eth0 stream $API 5000000)" 10000
succeeds "down" "$lab" down
nothing_left "down leaves nothing"
succeeds "down again" "$lab" down

exits "an impossible Service fails" 1 "no pod 'none'" up --service 10.96.0.1:80=none:80
nothing_left "a failed up leaves nothing"
for signal in INT TERM HUP KILL; do
	{ timeout -s $signal 0.7 "$lab" up -q; } >/dev/null 2>&1
	[[ $signal != KILL ]] || "$lab" down -q
	nothing_left "up ended by SIG$signal leaves nothing"
done

up --offload off
shorter "--offload off: eth0 has frames of the MTU" "$(longest node1 eth0 stream $API 5000000)" 1514
"$lab" down -q
up --gro
shorter "--gro: the sender's eth0 has frames of the MTU" \
	"$(longest node1 eth0 stream $API 5000000)" 1514
longer "--gro: the receiver's eth0 has merged ones" \
	"$(longest node2 eth0 stream $API 5000000)" 3000
"$lab" down -q
up --underlay-mtu 1400
shorter "--underlay-mtu: outer datagrams are fragmented" \
	"$(longest node1 eth0 ping_from node1/web $API 1400)" 1414
"$lab" down -q
for on in 1 0; do
	up --br-netfilter $on --masq iptables
	length=$(longest node1 cni0 ping_from node1/web $API 3000)
	if ((on)); then
		longer "--br-netfilter 1: cni0 shows defragmented datagrams" "$length" 3000
	else
		shorter "--br-netfilter 0: cni0 shows fragments" "$length" 1464
	fi
	"$lab" down -q
done

up --ipv6 --outside --masq nft --service 10.96.0.10:80=node2/api:5201 \
	--service '[fd00:96::1]:5201=node2/api:5201' --nodeport 30001=api:5201
succeeds "IPv6 through flannel-v6.1" ping_from node1/web fd00:10:244:2::2
succeeds "flannel-v6.1 is clamped to 1430" \
	test "$("$lab" exec node1 cat /sys/class/net/flannel-v6.1/mtu)" = 1430
succeeds "a pod reaches the outside host, masqueraded" ping_from node1/web 192.168.77.100
succeeds "a Service by its IPv6 VIP" stream -6 fd00:96::1 100000
"$lab" down -q
up --no-v4 --vni 42 --port 4789
succeeds "IPv6 only, other VNI and port" ping_from node1/web fd00:10:244:2::2
succeeds "the device is named after the VNI" "$lab" exec node1 test -e /sys/class/net/flannel-v6.42
"$lab" down -q
up --nodes 3 --direct-routing --cni-version 1.0.0
succeeds "three nodes with direct routes" ping_from node3/app3 10.244.1.2
shorter "--direct-routing: nothing on flannel.1" \
	"$(frames node1 flannel.1 ping_from node1/web $API | wc -l)" 0
"$lab" down -q

exits "no root" 1 "needs root" setpriv --reuid 65534 --clear-groups "$lab" up
exits "a missing plugin is named with its package" 1 containernetworking-plugins \
	env CNI_PATH=/nonexistent "$lab" up
exits "an unknown option" 2 "does not know" "$lab" up --nothing
exits "a bad name" 2 "lower case" "$lab" -n Up-1 up
exits "no lab" 1 "is not up" "$lab" env
nothing_left "nothing left at the end"
if [[ $(machine) == "$before" ]]; then
	ok "the machine's own network is as before"
else
	not_ok "the machine's own network is as before" "$(diff <(echo "$before") <(machine))"
fi
done_testing
