#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# doctor.sh - a healthy lab is healthy to podhop doctor, each single fault is found, and
# what it advises mends it (TAP, needs root).
#
#   tests/lab/doctor.sh [healthy|faults]     both by default
#
# A fault is injected into a healthy lab, one packet each way is tried, then doctor has to
# fail the right check of the right object, on the node where the fault is. Its advice is
# run as it stands, up to three times (a device that comes up shows what it lost); after
# that doctor finds nothing and the packet passes. Where a part of it is flanneld's work,
# which the lab does not have, the test does what flanneld would do.
#
# shellcheck disable=SC2154  # NODE1_IP and the like come from lab env
# shellcheck disable=SC2317  # traps and cases call what looks unreachable
set -u

ROOT=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-${BUILD:-$ROOT/build}/podhop}
export PODHOP_LAB=doc$$ PATH=$PATH:/usr/sbin:/sbin LC_ALL=C
lab=$ROOT/samples/lab/lab
dir=''
# shellcheck source=tests/lib/tap.sh
. "$ROOT/tests/lib/tap.sh"

cleanup() {
	trap - EXIT
	timeout 60 "$lab" down -q >/dev/null 2>&1
	[[ -z $dir ]] || rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

[[ $EUID == 0 ]] || skip_all 'needs root: it makes network namespaces'
for tool in ip bridge jq nft ping sysctl nsenter; do
	type -P $tool >/dev/null || skip_all "$tool is missing"
done
[[ -x $PODHOP ]] || bail "$PODHOP is not built"
dir=$(mktemp -d) || bail 'no directory for files'
out=$dir/out.json

# up OPTIONS...
up() {
	timeout 60 "$lab" down -q >/dev/null 2>&1
	timeout 120 "$lab" up -q "$@" 2>"$dir/err" || bail "lab up $*: $(cat "$dir/err")"
	eval "$("$lab" env)"
}

on() { # NODE COMMAND...: a line for its shell
	local node=$1
	shift
	ip netns exec "ph-$LAB-$node" bash -c "$*"
}

# doctor NODE [POD]: JSON in $out, its exit status
n_kept=0
doctor() {
	local node=$1
	shift
	on "$node" "timeout 20 '$PODHOP' doctor --json --host-root '$LAB_STATE/$node' $*" >"$out" 2>"$dir/err"
	local rc=$?
	[[ ! -s $out ]] || cp "$out" "$dir/kept-$((++n_kept)).json"
	return $rc
}

findings() { jq -r '.checks[] | select(.status == "fail" or .status == "warn") |
	"\(.status) \(.id) \(.object): expected \(.expected); found \(.found); mend \(.advice)"' "$out"; }

# found STATUS ID OBJECT
found() {
	jq -e --arg status "$1" --arg id "$2" --arg object "$3" \
		'any(.checks[]; .status == $status and .id == $id and .object == $object)' \
		"$out" >/dev/null
}

try_packets() { # one each way; what comes of it is for the caller
	local family=${1:-4} a=$POD_WEB_IP b=$POD_API_IP
	[[ $family == 4 ]] || a=$POD_WEB_IP6 b=$POD_API_IP6
	ip netns exec "$POD_WEB_NS" ping -"$family" -n -c 1 -W 1 "$b" >/dev/null 2>&1 &
	ip netns exec "$POD_API_NS" ping -"$family" -n -c 1 -W 1 "$a" >/dev/null 2>&1
	local rc=$?
	wait $! && return $rc
}

# Runs every advice of a kind of finding, as a person would who pastes them.
mend() { # NODE STATUS
	local advice
	while IFS= read -r advice; do
		on "$1" "$advice" >>"$dir/mend" 2>&1
	done < <(jq -r --arg status "$2" '.checks[] | select(.status == $status) | .advice // empty' "$out")
}

# fault NAME NODE ID OBJECT INJECT [RESTORE]: RESTORE is what flanneld would do, or what
# nobody but the test can know; family 6 when the name begins with IPv6.
fault() {
	local name=$1 node=$2 id=$3 object=$4 inject=$5 restore=${6:-} rc text family=4 pass
	[[ $name != IPv6* ]] || family=6
	on "$node" "$inject" >"$dir/err" 2>&1 || {
		not_ok "$name: injected" "$(cat "$dir/err")"
		return
	}
	try_packets $family
	doctor "$node"
	rc=$?
	text=$(findings)
	if [[ $rc == 3 ]] && found fail "$id" "$object"; then
		ok "$name: doctor fails $id of $object"
	else
		not_ok "$name: doctor fails $id of $object" "exit $rc
$text
$(cat "$dir/err")"
	fi
	if jq -e 'all(.checks[] | select(.status == "fail"); .advice != null)' "$out" >/dev/null; then
		ok "$name: every failed check has an advice"
	else
		not_ok "$name: every failed check has an advice" "$text"
	fi
	for pass in 1 2 3; do
		mend "$node" fail
		[[ -z $restore || $pass != 1 ]] || on "$node" "$restore" >"$dir/err" 2>&1 || cat "$dir/err" >&2
		doctor "$node" && break
	done
	text=$(findings)
	if jq -e 'all(.checks[]; .status != "fail")' "$out" >/dev/null && try_packets $family; then
		ok "$name: mended${restore:+, flanneld having done its part}"
	else
		not_ok "$name: mended" "$text
$(cat "$dir/mend")"
		up "${up_options[@]}" # the others shall not suffer
		try_packets $family
	fi
	: >"$dir/mend"
}

# warning NAME NODE ID OBJECT INJECT: the same, exit status 0
warning() {
	local name=$1 node=$2 id=$3 object=$4 inject=$5 rc
	on "$node" "$inject" >"$dir/err" 2>&1
	try_packets
	doctor "$node"
	rc=$?
	if [[ $rc == 0 ]] && found warn "$id" "$object"; then
		ok "$name: doctor warns of $id of $object"
	else
		not_ok "$name: doctor warns of $id of $object" "exit $rc
$(findings)"
	fi
	mend "$node" warn
	doctor "$node"
	if found warn "$id" "$object"; then
		not_ok "$name: mended" "$(findings)"
	else
		ok "$name: mended"
	fi
}

healthy() { # NAME: doctor finds nothing on any node
	local i rc bad=''
	for ((i = 1; i <= LAB_NODES; i++)); do
		doctor "node$i"
		rc=$?
		if [[ $rc != 0 ]] || ! jq -e 'all(.checks[]; .status != "fail")' "$out" >/dev/null; then
			bad+="node$i: exit $rc
$(findings)$(cat "$dir/err")
"
		fi
	done
	if [[ -z $bad ]]; then ok "$1: nothing failed"; else not_ok "$1: nothing failed" "$bad"; fi
}

# What flannel would write for node2's entries on node1, in whole.
entries() {
	printf 'ip neigh replace 10.244.2.0 lladdr %s dev flannel.1 nud permanent; ' "$NODE2_VTEP_MAC"
	printf 'bridge fdb replace %s dev flannel.1 dst %s self permanent; ' "$NODE2_VTEP_MAC" "$NODE2_IP"
	printf 'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink'
}

vtep() { # VNI PORT: what flanneld makes
	printf 'ip link del flannel.1 2>/dev/null; '
	printf 'ip link add flannel.1 address %s mtu 1450 type vxlan id %s dev eth0 local %s dstport %s nolearning && ' \
		"$NODE1_VTEP_MAC" "$1" "$NODE1_IP" "$2"
	printf 'ip addr add 10.244.1.0/32 dev flannel.1 && ip link set flannel.1 up && '
	entries
}

test_healthy() {
	local variant options run
	for run in 1 2 3; do
		up
		healthy "default lab, run $run, before any traffic"
		try_packets || not_ok "default lab, run $run: packets pass"
		healthy "default lab, run $run, after traffic"
	done
	for variant in '--ipv6' '--no-v4' '--direct-routing' '--ipv6 --direct-routing' \
		'--service 10.96.0.10:80=node2/api:80 --nodeport 30080=node2/api:80' \
		'--underlay-mtu 9000 --mtu 8950' '--mtu 1400' '--offload off' '--gro' \
		'--br-netfilter 0' '--masq iptables' '--masq nft --ipv6' '--nodes 3 --outside' \
		'--vni 42 --port 4790' '--cni-version 1.0.0'; do
		read -ra options <<<"$variant"
		up "${options[@]}"
		if [[ $variant == *no-v4* ]]; then try_packets 6; else try_packets; fi ||
			not_ok "$variant: packets pass"
		healthy "$variant"
	done
}

test_faults() {
	local subnet='10.244.2.0/24 dev flannel.1' mac web=default/web i
	up_options=()
	up
	try_packets || bail 'packets do not pass in a healthy lab'
	mac=$NODE2_VTEP_MAC

	fault 'FDB entry missing' node1 remote.fdb "$subnet" \
		"bridge fdb del $mac dev flannel.1 dst $NODE2_IP self"
	fault 'FDB entry to nobody' node1 remote.node "$subnet" \
		"bridge fdb replace $mac dev flannel.1 dst 192.168.77.99 self permanent"
	fault 'FDB entry to this node' node1 remote.node "$subnet" \
		"bridge fdb replace $mac dev flannel.1 dst $NODE1_IP self permanent"
	fault 'FDB entry outside the underlay' node1 remote.node "$subnet" \
		"bridge fdb replace $mac dev flannel.1 dst 203.0.113.9 self permanent"
	fault 'neighbour missing' node1 remote.neighbour "$subnet" \
		'ip neigh del 10.244.2.0 dev flannel.1'
	fault 'neighbour with a wrong MAC' node1 remote.neighbour "$subnet" \
		'ip neigh replace 10.244.2.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent'
	fault 'route missing' node1 remote.route "$subnet" 'ip route del 10.244.2.0/24'
	fault 'route is a blackhole' node1 remote.route "$subnet" \
		'ip route replace blackhole 10.244.2.0/24'
	fault 'blackhole for a pod' node1 route.blackhole 10.244.2.2/32 \
		'ip route add blackhole 10.244.2.2/32'
	fault 'prohibited subnet with a metric' node1 route.blackhole 10.244.2.0/25 \
		'ip route add prohibit 10.244.2.0/25 metric 7'
	fault 'two nodes with one VTEP MAC' node1 remote.mac 10.244.3.0 \
		"ip neigh replace 10.244.3.0 lladdr $mac dev flannel.1 nud permanent;
		 ip route replace 10.244.3.0/24 via 10.244.3.0 dev flannel.1 onlink" \
		'ip neigh del 10.244.3.0 dev flannel.1; ip route del 10.244.3.0/24'
	fault 'VTEP down' node1 vtep.state flannel.1 'ip link set flannel.1 down' "$(entries)"
	fault 'VTEP of a wrong VNI' node1 vtep.vni flannel.1 "$(vtep 2 8472)" "$(vtep 1 8472)"
	fault 'VTEP gone' node1 vtep.kind flannel.1 'ip link del flannel.1' "$(vtep 1 8472)"
	fault 'VTEP is a dummy' node1 vtep.kind flannel.1 \
		'ip link del flannel.1; ip link add flannel.1 type bridge; ip link set flannel.1 up' \
		"$(vtep 1 8472)"
	mkdir -p "$NODE1_ROOT/etc/kube-flannel"
	printf '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' \
		>"$NODE1_ROOT/etc/kube-flannel/net-conf.json"
	fault 'VTEP with a wrong port' node1 vtep.port flannel.1 "$(vtep 1 8473)" "$(vtep 1 8472)"
	rm -r "$NODE1_ROOT/etc/kube-flannel"
	fault 'VTEP without its address' node1 vtep.address flannel.1 \
		'ip addr del 10.244.1.0/32 dev flannel.1' "$(entries)"
	fault 'underlay without the local address' node1 vtep.local flannel.1 \
		"ip addr del $NODE1_IP/24 dev eth0; ip addr add 192.168.77.200/24 dev eth0" \
		"ip addr del 192.168.77.200/24 dev eth0; ip addr add $NODE1_IP/24 dev eth0; $(vtep 1 8472)"
	fault 'underlay down' node1 vtep.underlay eth0 'ip link set eth0 down'
	fault 'VTEP MTU too large' node1 mtu.vtep flannel.1 'ip link set eth0 mtu 1450' \
		'ip link set eth0 mtu 1500; ip link set flannel.1 mtu 1450'
	fault 'pod MTU too large' node1 pod.mtu $web "nsenter -t $POD_WEB_PID -n ip link set eth0 mtu 1500"
	fault 'host veth MTU too small' node1 pod.mtu $web "ip link set $POD_WEB_VETH mtu 1400"
	fault 'bridge MTU too small' node1 pod.mtu $web 'ip link set cni0 mtu 1300'
	fault 'forwarding off' node1 sysctl.forwarding net.ipv4.ip_forward \
		'sysctl -qw net.ipv4.ip_forward=0'
	fault 'forwarding off at the VTEP' node1 sysctl.forwarding net/ipv4/conf/flannel.1/forwarding \
		'sysctl -qw net/ipv4/conf/flannel.1/forwarding=0'
	fault 'rp_filter strict, route asymmetric' node1 sysctl.rp_filter \
		net/ipv4/conf/flannel.1/rp_filter \
		"sysctl -qw net/ipv4/conf/flannel.1/rp_filter=1;
		 ip route replace 10.244.2.0/24 via $NODE2_IP dev eth0" "$(entries)"
	fault 'veth off the bridge' node1 pod.bridge $web "ip link set $POD_WEB_VETH nomaster"
	fault 'port held back by a spanning tree' node1 pod.port $web "ip link set cni0 type bridge stp_state 1;
		ip link set $POD_WEB_VETH down; ip link set $POD_WEB_VETH up"
	fault 'port disabled' node1 pod.port $web "bridge link set dev $POD_WEB_VETH state 0"
	fault 'host veth down' node1 pod.veth $web "ip link set $POD_WEB_VETH down"
	fault 'pod interface down' node1 pod.interface $web \
		"nsenter -t $POD_WEB_PID -n ip link set eth0 down"
	fault 'pod without a default route' node1 pod.route $web \
		"nsenter -t $POD_WEB_PID -n ip route del default"
	fault 'pod with the address of another' node1 pod.address default/client \
		"nsenter -t $POD_CLIENT_PID -n ip addr add $POD_WEB_IP/24 dev eth0"
	fault 'pod with an address of the other node' node1 pod.address default/client \
		"nsenter -t $POD_CLIENT_PID -n ip addr add $POD_API_IP/24 dev eth0"
	fault 'pod with the address of cni0' node1 pod.address default/client \
		"nsenter -t $POD_CLIENT_PID -n ip addr add 10.244.1.1/24 dev eth0"
	fault 'wrong neighbour on the bridge' node1 pod.neighbour $web \
		"ip neigh replace $POD_WEB_IP lladdr 02:00:00:00:00:66 dev cni0 nud permanent"
	fault 'bridge down' node1 bridge.state cni0 'ip link set cni0 down'
	fault 'bridge without its address' node1 bridge.address cni0 \
		'ip addr del 10.244.1.1/24 dev cni0'
	fault 'bridge with another address' node1 bridge.address cni0 \
		'ip addr del 10.244.1.1/24 dev cni0; ip addr add 10.244.9.1/24 dev cni0'
	fault 'bridge without its route' node1 bridge.route cni0 'ip route del 10.244.1.0/24 dev cni0'
	fault 'subnet.env missing' node1 flannel.subnet /run/flannel/subnet.env \
		"mv $NODE1_ROOT/run/flannel/subnet.env $NODE1_ROOT/run/flannel/away" \
		"mv $NODE1_ROOT/run/flannel/away $NODE1_ROOT/run/flannel/subnet.env"
	fault 'FLANNEL_MTU too large' node1 mtu.flannel /run/flannel/subnet.env \
		"sed -i s/1450/1500/ $NODE1_ROOT/run/flannel/subnet.env" \
		"sed -i s/1500/1450/ $NODE1_ROOT/run/flannel/subnet.env"

	warning 'hairpin off' node1 pod.hairpin $web "bridge link set dev $POD_WEB_VETH hairpin off"
	warning 'bridged frames skip the rules' node1 sysctl.br_netfilter \
		net.bridge.bridge-nf-call-iptables 'sysctl -qw net.bridge.bridge-nf-call-iptables=0'
	warning 'bridge MTU above that of the tunnel' node1 mtu.bridge cni0 'ip link set cni0 mtu 1500'
	warning 'neighbour not permanent' node1 remote.neighbour "$subnet" \
		"ip neigh replace 10.244.2.0 lladdr $mac dev flannel.1 nud reachable"
	warning 'FDB entry left over' node1 remote.neighbour "$NODE2_IP dev flannel.1" \
		"bridge fdb replace 02:00:00:00:00:98 dev flannel.1 dst $NODE2_IP self permanent"

	on node1 'nft "add table ip t; add chain ip t f { type filter hook forward priority 0; policy accept; };
		add rule ip t f icmp type echo-request counter drop"'
	try_packets
	doctor node1
	is 'a rule that drops: exit status' $? 0
	if jq -e '.checks[] | select(.id == "netfilter.drops" and .status == "warn") |
		(.object | startswith("ip t f handle")) and (.found == "dropped 2 packets so far")' \
		"$out" >/dev/null; then
		ok 'a rule that drops is named with its count'
	else
		not_ok 'a rule that drops is named with its count' "$(findings)"
	fi
	on node1 'nft "delete table ip t; add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"'
	doctor node1
	if found warn netfilter.policy 'ip filter FORWARD'; then
		ok 'policy drop of FORWARD is named'
	else
		not_ok 'policy drop of FORWARD is named' "$(findings)"
	fi
	on node1 'nft delete table ip filter'

	"$lab" del --stale node1/client >/dev/null
	for ((i = 0; i < 100; i++)); do # until somebody has reaped its processes
		[[ -e /proc/$POD_CLIENT_PAUSE_PID || -e /proc/$POD_CLIENT_PID ]] || break
		sleep 0.1
	done
	doctor node1
	is 'a pod gone by a crash: exit status' $? 0
	if found warn ipam.lease "/var/lib/cni/networks/cbr0/$POD_CLIENT_IP" &&
		found warn cni.result default/client; then
		ok 'a pod gone by a crash: its address and its result are named'
	else
		not_ok 'a pod gone by a crash: its address and its result are named' "$(findings)"
	fi
	mend node1 warn
	doctor node1
	if found warn ipam.lease "/var/lib/cni/networks/cbr0/$POD_CLIENT_IP"; then
		not_ok 'a pod gone by a crash: the address is free again' "$(findings)"
	else
		ok 'a pod gone by a crash: the address is free again'
	fi
}

test_faults6() {
	local subnet='fd00:10:244:2::/64 dev flannel-v6.1' mac under=fd77::12
	up_options=(--ipv6)
	up --ipv6
	try_packets 6 || bail 'IPv6 packets do not pass in a healthy lab'
	mac=02:00:0a:f4:02:06
	fault 'IPv6 FDB entry missing' node1 remote.fdb "$subnet" \
		"bridge fdb del $mac dev flannel-v6.1 dst $under self"
	fault 'IPv6 neighbour missing' node1 remote.neighbour "$subnet" \
		'ip neigh del fd00:10:244:2:: dev flannel-v6.1'
	fault 'IPv6 route missing' node1 remote.route "$subnet" 'ip route del fd00:10:244:2::/64'
	fault 'IPv6 route is a blackhole' node1 route.blackhole fd00:10:244:2::/64 \
		'ip route del fd00:10:244:2::/64; ip route add blackhole fd00:10:244:2::/64'
	fault 'IPv6 forwarding off' node1 sysctl.forwarding net.ipv6.conf.all.forwarding \
		'sysctl -qw net.ipv6.conf.all.forwarding=0'
	fault 'IPv6 VTEP MTU too large' node1 mtu.vtep flannel-v6.1 'ip link set eth0 mtu 1480' \
		'ip link set eth0 mtu 1500; ip link set flannel.1 mtu 1450; ip link set flannel-v6.1 mtu 1430'
	fault 'IPv6 ports differ' node1 vtep.port flannel-v6.1 \
		"ip link del flannel-v6.1; ip link add flannel-v6.1 address 02:00:0a:f4:01:06 mtu 1430 \
		type vxlan id 1 dev eth0 local fd77::11 dstport 8473 nolearning" \
		"ip link del flannel-v6.1 2>/dev/null; ip link add flannel-v6.1 address 02:00:0a:f4:01:06 mtu 1430 \
		type vxlan id 1 dev eth0 local fd77::11 dstport 8472 nolearning;
		ip addr add fd00:10:244:1::/128 dev flannel-v6.1 nodad; ip link set flannel-v6.1 up;
		ip neigh replace fd00:10:244:2:: lladdr $mac dev flannel-v6.1 nud permanent;
		bridge fdb replace $mac dev flannel-v6.1 dst $under self permanent;
		ip route replace fd00:10:244:2::/64 via fd00:10:244:2:: dev flannel-v6.1 onlink"
}

test_cli() {
	local rc
	up
	doctor node1 default/web
	is 'POD: exit status' $? 0
	is 'POD: only its checks' "$(jq -r '[.checks[] | select(.id | startswith("pod.")) | .object] |
		unique | join(" ")' "$out")" default/web
	doctor node1 default/nosuch
	is 'unknown POD: exit status' $? 2
	doctor node1 kube-flannel-node1
	is 'hostNetwork POD: exit status' $? 2
	if grep -q hostNetwork "$dir/err"; then ok 'hostNetwork POD: its sentence'; else
		not_ok 'hostNetwork POD: its sentence' "$(cat "$dir/err")"; fi
	is 'text of a healthy node is one line' \
		"$(on node1 "'$PODHOP' doctor --host-root '$NODE1_ROOT'" | sed 's/[0-9][0-9]*/N/g')" \
		'nodeN: all N checks passed'
	on node1 'ip neigh del 10.244.2.0 dev flannel.1'
	on node1 "'$PODHOP' doctor --host-root '$NODE1_ROOT'" >"$dir/text"
	is 'text: exit status of a failed check' $? 3
	is 'text: the failure comes first' "$(head -n 1 "$dir/text")" \
		'FAIL  remote.neighbour    10.244.2.0/24 dev flannel.1'
	is 'text: summary' "$(tail -n 1 "$dir/text" | sed 's/[0-9][0-9]*/N/g')" 'nodeN: N of N checks failed'
	if type -P strace >/dev/null; then
		on node1 "strace -f -o '$dir/strace' -e trace=process,setns,unshare,sendmsg,sendto \
			'$PODHOP' doctor --host-root '$NODE1_ROOT'" >/dev/null 2>&1
		rc=$(grep -cE '^[0-9]+ +(setns|unshare|clone3?|v?fork)\(' "$dir/strace")
		is 'no namespace entered, no child started' "$rc" 0
		rc=$(grep -cE 'RTM_(NEW|SET|DEL)|NFT_MSG_(NEW|DEL)' "$dir/strace")
		is 'nothing but questions over netlink' "$rc" 0
	fi
	if ! on node1 "setpriv --reuid 65534 --regid 65534 --clear-groups true" 2>/dev/null; then
		return
	fi
	on node1 "setpriv --reuid 65534 --regid 65534 --clear-groups '$PODHOP' doctor --json \
		--host-root '$NODE1_ROOT'" >"$out" 2>"$dir/err"
	rc=$?
	if [[ $rc == 3 || $rc == 1 ]]; then ok 'without rights: no crash'; else
		not_ok 'without rights: no crash' "exit $rc $(cat "$dir/err")"; fi
}

# The healthy variants take three minutes: with PODHOP_LONG, or by name.
case ${1:-${PODHOP_LONG:+all}} in
healthy) test_healthy ;;
faults) test_faults && test_faults6 ;;
cli) test_cli ;;
'')
	test_cli
	test_faults
	test_faults6
	;;
all)
	test_healthy
	test_cli
	test_faults
	test_faults6
	;;
*) bail "what is $1?" ;;
esac
if BUILD=${BUILD:-build} "$ROOT/tests/cli/schema.sh" "$dir"/kept-*.json >"$dir/schema" 2>&1; then
	ok "$n_kept reports are valid by their schema"
else
	not_ok "$n_kept reports are valid by their schema" "$(grep -A1 '^not ok' "$dir/schema" | head -n 20)"
fi
done_testing
