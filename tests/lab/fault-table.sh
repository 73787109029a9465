#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# fault-table.sh - single faults between two nodes: where capture and verify place the loss, for
# what reason, and what doctor says (TAP, needs root).
# Time limit: 600 s
#
#   tests/lab/fault-table.sh [-t] [NAME...]    -t: the table, as `make faults` prints it
#
# Each fault goes into a healthy lab. Both nodes are captured, datagrams with numbers go both
# ways and are answered, then everything is asked: the capture on each node, verify over both
# files, doctor on each node. What is wanted stands with each fault; one place too many is as
# wrong as one that is missing. Without a name or PODHOP_LONG a few faults stand for all.
# Between the nodes hangs a wire of our own (tests/tools/wire.c), since this kernel may have no netem.
#
# shellcheck disable=SC2154  # NODE1_IP and the like come from lab env
LAB_PREFIX=ftb
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"

table=''
while getopts t option; do
	case $option in
	t) table=1 PODHOP_LONG=1 ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
only=("$@")
# Of the tests themselves only what went wrong is of interest then.
[[ -z $table ]] || ok() { : $((++n_tests)); }

need jq nft ip tc
lab_test

WEB=node1/default/web API=node2/default/api
WINDOW=250	# ms: packets nearer the ends of a capture are edges
N=100		# requests each way; their replies make it four flows
wire_pid=''

row() { # what the table shows
	[[ -z $table ]] || printf '| %-34s | %-34s | %-34s | %-58s | %-26s | %s |\n' "$@"
}

# ---- the wire

wire_up() { # options of wire: in place of the one before
	[[ -z $wire_pid ]] || { kill "$wire_pid" && wait "$wire_pid"; }
	start wire_pid "$dir/wire" ip netns exec "ph-$PODHOP_LAB-outside" "$TOOLS/wire" "$@" port1 port2
	wait_for "$dir/wire" '^ready' "$wire_pid"
}

up() {
	wire_pid=''
	lab_down
	lab_up --outside --offload off
	on outside ip link set port1 nomaster
	on outside ip link set port2 nomaster
	on outside ip link set br0 down
	wire_up
	mac=$NODE2_VTEP_MAC
	start server1 "$dir/server1" on $WEB "$TOOLS/udpecho" server -4 -n 1000000 -w 600000
	start server2 "$dir/server2" on $API "$TOOLS/udpecho" server -4 -n 1000000 -w 600000
	wait_for "$dir/server1" '^ready' "$server1"
	wait_for "$dir/server2" '^ready' "$server2"
	# Neighbours are known before anything is measured.
	on $WEB ping -q -c 2 -i 0.01 -W 2 "$POD_API_IP" >/dev/null || bail 'packets do not pass'
}

# ---- one run

clients() { # [options of udpecho client]: N requests each way
	local one two
	on $WEB "$TOOLS/udpecho" client -o -i 1000 -w 50 -n $N "$@" "$POD_API_IP" >/dev/null 2>&1 &
	one=$!
	on $API "$TOOLS/udpecho" client -o -i 1000 -w 50 -n $N "$@" "$POD_WEB_IP" >/dev/null 2>&1 &
	two=$!
	wait $one $two
}

pause() { sleep "0.$((WINDOW + 80))"; } # until what comes now is no edge

observe() { # [options of udpecho client]: $dir/a.json, b.json, v.json, d1.json, d2.json
	local node
	capture node1 default/web --window $WINDOW -w "$dir/a.pcapng" --report "$dir/a.json"
	capture node2 default/api --window $WINDOW -w "$dir/b.pcapng" --report "$dir/b.json"
	pause
	clients "$@"
	pause
	capture_end node1
	capture_end node2
	timeout 60 "$PODHOP" verify --window $WINDOW --json "$dir/a.pcapng" "$dir/b.pcapng" \
		>"$dir/v.json" 2>"$dir/v.err"
	verify_status=$?
	for node in 1 2; do
		on node$node "$PODHOP" doctor --json --host-root "$LAB_STATE/node$node" \
			>"$dir/d$node.json" 2>/dev/null
	done
}

# What was said, a line a finding, sorted.
said_capture() {
	jq -rn --slurpfile a "$dir/a.json" --slurpfile b "$dir/b.json" '
		[($a[0].losses[] | select(.verdict == "lost") | "node1:" + .last_seen + ">" + .next_expected),
		 ($b[0].losses[] | select(.verdict == "lost") | "node2:" + .last_seen + ">" + .next_expected)] |
		unique | .[]'
}
said_verify() {
	jq -r '[.directions[].places[] | "\(.last_seen)>\(.next_expected)"] | unique | .[]' "$dir/v.json"
}
reasons() { # of the losses of both captures and of verify
	jq -rn --slurpfile a "$dir/a.json" --slurpfile b "$dir/b.json" --slurpfile v "$dir/v.json" '
		[$a[0].losses[].reason, $b[0].losses[].reason, $v[0].directions[].places[].reason |
		 . // empty] | unique | .[]'
}
said_doctor() { # failed checks; rules that dropped something are a warning: they may be meant
	jq -rn --slurpfile a "$dir/d1.json" --slurpfile b "$dir/d2.json" '
		def says: select(.status == "fail" or .id == "netfilter.drops" and .status == "warn") | .id;
		[($a[0].checks[] | "node1 " + says), ($b[0].checks[] | "node2 " + says)] | unique | .[]'
}
totals() { # lost altered duplicated reordered unknown
	jq -r '[.directions[]] | "\(map(.lost) | add) \(map(.altered) | add) \(map(.duplicated) | add) \(
		map(.reordered) | add) \(map(.unknown) | add)"' "$dir/v.json"
}
joined() { paste -sd' '; }

chosen() { # NAME: shall this one run?
	local name
	((${#only[@]})) || [[ -n ${PODHOP_LONG:-} || -n ${quick:-} ]] || return 1
	((${#only[@]})) || return 0
	for name in "${only[@]}"; do
		[[ $1 != "$name" ]] || return 0
	done
	return 1
}

# fault NAME KEY=VALUE...
#   node=    node1 (default), node2, outside: where inject and restore run
#   inject= restore=  lines for its shell; restore=up: a new lab
#   wire=    options of the wire
#   capture= verify=  places, as said_capture and said_verify print them, in one line
#   reason=  a regular expression that one reason has to match; '' for none at all
#   doctor=  the checks that have to fail on the node, and no other; '': none may
#   exit=    of verify; 3 if nothing else is said. 4: not one packet of either node came to the other,
#            so that nothing tells whether both captures ran
#   totals=  of verify, when they are known exactly
#   send=    options of the clients
fault() {
	local name=$1 node=node1 inject='' restore='' wire='' capture='' verify='' reason='' doctor=''
	local totals='' send='' exit=3 key bad=() got_c got_v got_r got_d want_d
	shift
	for key; do
		local "${key%%=*}=${key#*=}"
	done
	chosen "$name" || return 0
	# shellcheck disable=SC2086  # words
	[[ -z $wire ]] || wire_up $wire
	if [[ -n $inject ]] && ! on "$node" bash -c "$inject" >"$dir/inject" 2>&1; then
		not_ok "$name: injected" "$(cat "$dir/inject")"
		return
	fi
	clients -n 2 # neighbours that are asked for now show what they come to
	# shellcheck disable=SC2086
	observe $send
	got_c=$(said_capture | joined)
	got_v=$(said_verify | joined)
	got_r=$(reasons)
	got_d=$(said_doctor | joined)
	[[ $got_c == "$capture" ]] || bad+=("capture: '$got_c', wanted '$capture'")
	[[ $got_v == "$verify" ]] || bad+=("verify: '$got_v', wanted '$verify'")
	if [[ -z $reason ]]; then
		[[ -z $got_r ]] || bad+=("reason: '$got_r', wanted none")
	else
		grep -qE -- "$reason" <<<"$got_r" || bad+=("reason: '$got_r', wanted '$reason'")
	fi
	# shellcheck disable=SC2086  # words
	want_d=$([[ -z $doctor ]] || printf "$node %s\n" $doctor | sort | joined)
	[[ $got_d == "$want_d" ]] || bad+=("doctor: '$got_d', wanted '$want_d'")
	[[ -z $totals || $(totals) == "$totals" ]] || bad+=("totals: '$(totals)', wanted '$totals'")
	((verify_status == exit)) ||
		bad+=("verify: exit status $verify_status, wanted $exit: $(cat "$dir/v.err")")
	if ((${#bad[@]})); then
		not_ok "$name" "$(printf '%s\n' "${bad[@]}"; jq -c .reasons "$dir/v.json")"
	else
		ok "$name"
	fi
	row "$name" "${got_c:--}" "${got_v:-$(jq -r '.verdict' "$dir/v.json"), $(totals_words)}" \
		"$(grep -E -m 1 -- "${reason:-.}" <<<"$got_r" | cut -c 1-58 | grep . || echo -)" "${got_d:-nothing wrong here}" \
		"$( ((${#bad[@]})) && echo WRONG || echo right)"
	[[ -z $wire ]] || wire_up
	if [[ $restore == up ]]; then
		up
	elif [[ -n $restore ]]; then
		on "$node" bash -c "$restore" >"$dir/restore" 2>&1 ||
			bail "$name: $(cat "$dir/restore")"
	fi
}

totals_words() {
	local altered duplicated reordered _
	read -r _ altered duplicated reordered _ < <(totals)
	printf '%s altered, %s doubled, %s reordered' "$altered" "$duplicated" "$reordered"
}

healthy() { # RUNS
	local i wrong=''
	for ((i = 1; i <= $1; i++)); do
		observe
		[[ "$(said_capture)$(said_verify)$(reasons)$(said_doctor)" == '' &&
			$verify_status == 0 && $(totals) == '0 0 0 0 0' ]] || wrong+="run $i: $(said_capture |
			joined); $(said_verify | joined); $(said_doctor | joined); $(totals); exit $verify_status
"
	done
	if [[ -z $wrong ]]; then ok "healthy, $1 runs: nothing reported"; else
		not_ok "healthy, $1 runs: nothing reported" "$wrong"
	fi
	row "none, $1 runs" - 'delivered, all' - 'nothing wrong here' "$([[ -z $wrong ]] && echo right || echo WRONG)"
}

# What flannel writes for node2 on node1, in whole.
entries() {
	printf 'ip neigh replace 10.244.2.0 lladdr %s dev flannel.1 nud permanent; ' "$mac"
	printf 'bridge fdb replace %s dev flannel.1 dst %s self permanent; ' "$mac" "$NODE2_IP"
	printf 'ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink'
}
vtep() { # VNI PORT
	printf 'ip link del flannel.1; ip link add flannel.1 address %s mtu 1450 type vxlan id %s ' \
		"$NODE1_VTEP_MAC" "$1"
	printf 'dev eth0 local %s dstport %s nolearning && ip addr add 10.244.1.0/32 dev flannel.1 ' \
		"$NODE1_IP" "$2"
	printf '&& ip link set flannel.1 up && '
	entries
}
# nft HOOK MATCH...: a chain there with one rule that counts and drops
nft_drop() {
	local hook=$1
	shift
	printf "nft -f - <<'END'\ntable ip t {\n\tchain c {\n\t\ttype filter hook %s priority -10;\n\t\t%s drop\n\t}\n}\nEND\n" \
		"$hook" "$*"
}
NFT_OFF='nft delete table ip t'

row fault capture verify reason doctor ''
row --- --- --- --- --- ---
up

quick=1
healthy "${HEALTHY_RUNS:-$([[ -n ${PODHOP_LONG:-} ]] && echo 10 || echo 2)}"

TO_API="ip daddr $POD_API_IP udp dport 5301 counter"
VTEP_OUT=node1:vtep\>node1:underlay
ROUTED_OUT=node1:bridge\>node1:vtep

fault 'FDB entry missing' inject="bridge fdb del $mac dev flannel.1 dst $NODE2_IP self" restore="$(entries)" \
	capture='node1:vtep>underlay' verify="$VTEP_OUT" reason='^remote.fdb 10.244.2.0/24' doctor=remote.fdb
fault 'nft drop in forward' inject="$(nft_drop forward "$TO_API")" restore="$NFT_OFF" \
	capture='node1:bridge>vtep' verify="$ROUTED_OUT" totals="$N 0 0 0 0" \
	reason='^dropped by rule [0-9]+ of nft chain ip t c \(forward\)' doctor=netfilter.drops
fault 'loss on the wire' wire='-d 3,9,10,11,40,77 -p 5301' \
	verify='node1:underlay>node2:underlay node2:underlay>node1:underlay' totals='12 0 0 0 0'
fault 'forwarding off' inject='sysctl -qw net.ipv4.ip_forward=0' restore='sysctl -qw net.ipv4.ip_forward=1' \
	capture='node1:bridge>vtep node1:vtep>bridge' verify='node1:bridge>node1:vtep node1:vtep>node1:bridge' \
	reason='^sysctl.forwarding net.ipv4.ip_forward' doctor=sysctl.forwarding
fault 'damaged on the wire' wire='-f 5,6,7 -p 5301' totals='0 6 0 0 0'
quick=''

fault 'FDB entry to nobody' inject="bridge fdb replace $mac dev flannel.1 dst 192.168.77.99 self permanent" \
	restore="$(entries)" capture='node1:vtep>underlay' verify="$VTEP_OUT" reason='^remote.node' doctor=remote.node
fault 'neighbour missing' inject='ip neigh del 10.244.2.0 dev flannel.1' restore="$(entries)" \
	capture='node1:bridge>vtep' verify="$ROUTED_OUT" reason='^remote.neighbour' doctor=remote.neighbour
fault 'neighbour with a wrong MAC' restore="$(entries)" \
	inject='ip neigh replace 10.244.2.0 lladdr 02:00:00:00:00:99 dev flannel.1 nud permanent' \
	capture='node1:vtep>underlay' verify="$VTEP_OUT" reason='^remote.neighbour' doctor=remote.neighbour
fault 'route missing' inject='ip route del 10.244.2.0/24' restore="$(entries)" \
	capture='node1:bridge>underlay' verify="$ROUTED_OUT" reason='^remote.route' doctor=remote.route
fault 'route is a blackhole' inject='ip route replace blackhole 10.244.2.0/24' restore="$(entries)" \
	capture='node1:bridge>underlay' verify="$ROUTED_OUT" reason='blackhole' doctor='remote.route route.blackhole'
fault 'VTEP down' inject='ip link set flannel.1 down' restore="ip link set flannel.1 up; $(entries)" \
	capture='node1:bridge>underlay node1:underlay>bridge' \
	verify='node1:bridge>node1:underlay node1:underlay>node1:bridge' reason='^vtep.state' doctor=vtep.state
fault 'VTEP of a wrong VNI' inject="$(vtep 2 8472)" restore="$(vtep 1 8472)" \
	capture='node1:underlay>vtep node2:underlay>vtep' \
	verify='node1:underlay>node1:vtep node2:underlay>node2:vtep' reason='^vtep.vni' doctor=vtep.vni
mkdir -p "$NODE1_ROOT/etc/kube-flannel"
printf '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}' >"$NODE1_ROOT/etc/kube-flannel/net-conf.json"
fault 'VTEP with a wrong port' inject="$(vtep 1 8473)" restore="$(vtep 1 8472)" \
	verify='node1:underlay>node2:underlay node2:underlay>node1:underlay' reason='^vtep.port' doctor=vtep.port exit=4
rm -r "$NODE1_ROOT/etc/kube-flannel"
fault 'larger than the VTEP takes, DF set' inject='ip link set flannel.1 mtu 1300' \
	restore='ip link set flannel.1 mtu 1450' send='-D -s 1400' capture='node1:bridge>vtep' verify="$ROUTED_OUT" \
	reason='larger than the path allows' doctor='mtu.flannel pod.mtu'
fault 'rp_filter strict, asymmetric route' restore="sysctl -qw net/ipv4/conf/flannel.1/rp_filter=0; $(entries)" \
	inject="sysctl -qw net/ipv4/conf/flannel.1/rp_filter=1; ip route replace 10.244.2.0/24 via $NODE2_IP dev eth0" \
	capture='node1:vtep>bridge' verify='node1:vtep>node1:bridge' reason='^sysctl.rp_filter' doctor=sysctl.rp_filter
fault 'nft drop in prerouting' inject="$(nft_drop prerouting "$TO_API")" restore="$NFT_OFF" \
	capture='node1:veth>bridge' verify='node1:veth>node1:bridge' totals="$N 0 0 0 0" \
	reason='^dropped by rule .*prerouting' doctor=netfilter.drops
fault 'nft drop in postrouting' inject="$(nft_drop postrouting "$TO_API")" restore="$NFT_OFF" \
	capture='node1:bridge>vtep' verify="$ROUTED_OUT" totals="$N 0 0 0 0" reason='^dropped by rule .*postrouting' doctor=netfilter.drops
fault 'nft drop of what leaves in VXLAN' inject="$(nft_drop output 'udp dport 8472 counter')" \
	restore="$NFT_OFF" capture='node1:vtep>underlay' verify="$VTEP_OUT" reason='^dropped by rule .*output' doctor=netfilter.drops
fault 'nft drop of VXLAN on the other node' node=node2 inject="$(nft_drop input 'udp dport 8472 counter')" \
	restore="$NFT_OFF" capture='node2:underlay>vtep' verify='node2:underlay>node2:vtep' \
	reason='^dropped by rule .*input' doctor=netfilter.drops
fault 'nft drop in forward on the other node' node=node2 inject="$(nft_drop forward "$TO_API")" \
	restore="$NFT_OFF" capture='node2:vtep>bridge' verify='node2:vtep>node2:bridge' totals="$N 0 0 0 0" \
	reason='^dropped by rule .*forward' doctor=netfilter.drops
fault 'nft drop without a counter' inject="$(nft_drop forward "ip daddr $POD_API_IP udp dport 5301")" \
	restore="$NFT_OFF" capture='node1:bridge>vtep' verify="$ROUTED_OUT" totals="$N 0 0 0 0" \
	reason='^perhaps rule .*forward.* does not count' doctor=netfilter.drops
fault 'veth off the bridge' inject="ip link set $POD_WEB_VETH nomaster" restore=up \
	capture='node1:veth>vtep node1:vtep>veth' verify='node1:veth>node1:vtep node1:vtep>node1:veth' \
	reason='^pod.bridge' doctor=pod.bridge # the veth has no bridge that could be captured
fault 'port of the bridge disabled' inject="bridge link set dev $POD_WEB_VETH state 0" \
	restore="bridge link set dev $POD_WEB_VETH state 3" \
	capture='node1:bridge>veth node1:veth>bridge' verify='node1:bridge>node1:veth node1:veth>node1:bridge' \
	reason='^pod.port' doctor=pod.port
fault "pod's interface down" inject="nsenter -t $POD_WEB_PID -n ip link set eth0 down" restore=up \
	capture='node1:bridge>veth' verify='node1:bridge>node1:veth' reason='^pod.interface' doctor=pod.interface
fault 'bridge down' inject='ip link set cni0 down' restore=up \
	capture='node1:veth>vtep node1:vtep>veth' verify='node1:veth>node1:vtep node1:vtep>node1:veth' \
	reason='^bridge.state' doctor=bridge.state
fault 'another pod has the address' restore="nsenter -t $POD_CLIENT_PID -n ip addr del $POD_WEB_IP/24 dev eth0;
	ip neigh del $POD_WEB_IP dev cni0" \
	inject="nsenter -t $POD_CLIENT_PID -n ip addr add $POD_WEB_IP/24 dev eth0
		ip neigh replace $POD_WEB_IP lladdr \$(nsenter -t $POD_CLIENT_PID -n ip -j link show eth0 | jq -r '.[0].address') dev cni0 nud permanent" \
	capture='node1:bridge>veth' verify='node1:bridge>node1:veth' reason='^pod.(address|neighbour)' doctor=pod.address
fault "the VTEP's queue too short" inject='tc qdisc add dev flannel.1 root tbf rate 100kbit burst 1600 limit 1600' \
	restore='tc qdisc del dev flannel.1 root' capture='node1:bridge>vtep' verify="$ROUTED_OUT" \
	reason='queue was full.*qdisc flannel.1 tbf'
fault 'doubled on the wire' wire='-t 2,30,31,32 -p 5301' totals='0 0 8 0 0' exit=0
fault 'swapped on the wire' wire='-w 4,20,60 -p 5301' totals='0 0 0 6 0' exit=0

done_testing
