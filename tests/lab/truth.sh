#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# truth.sh - everything a node does to a packet, judged by what the payload says.
# Time limit: 2400 s
#
# Labs in several variants (offload, br_netfilter, masquerade order, IPv4 and IPv6), in
# each one all the ways a packet can take. Generators put identity into the payload;
# groundtruth reads podhop's file with a decoder of its own and compares the packet ids
# with it. A row is right when precision and recall are 1.000000, nothing is ambiguous and
# nothing is called incomplete or lost; where packets are dropped on purpose, exactly these are.
# What is ambiguous there has to be equal to another packet in every byte. The file is reported
# once more, and its ids have to be as right.
#
# usage: truth.sh [-t] [-k DIR] [VARIANT[/CASE[/FAMILY]]...]
#   -t       print the table instead of TAP; with -k also the rows of earlier runs
#   -k DIR   keep captures, reports and the table's rows there
# Without names: all with -t or PODHOP_LONG set, else those that stand for the others.
# Needs root; BUILD is where podhop and the tools were built (default build).
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$here/$build
tools=$build/tools
podhop=$build/podhop
lab=$here/samples/lab/lab

# shellcheck source=tests/lib/rows.sh
source "$here/tests/lib/rows.sh"
rows_options "$@"
if ((!${#wanted[@]} && !table)) && [[ -z ${PODHOP_LONG:-} ]]; then
	wanted=(on/{pod-pod-udp,service-tcp,service-udp,outside-udp,too-big}/v6
		on/{service-local-udp,hairpin-udp,outside-tcp,lb-udp,hostport-tcp,nodeport-far-udp}/v4
		on/{node-local-dns,loss-tcp,one-way-direct,host-bound-tcp,udp-gso}/v4
		on/{nodeport-between-udp,lb-between-udp,doubled-udp,equal-udp,ttl-ends}/v4
		off/{service-udp,host-bound-tcp,nodeport-far-tcp,udp-gso,seq-wrap-tcp}/v4
		gro/{pod-pod-tcp,service-udp}/v6 outer-fragments/pod-pod-udp/v6 big/same-node-tcp/v6)
fi

work=$(mktemp -d)
export PODHOP_LAB=truth$$ PODHOP_LAB_DIR=$work/labs
# shellcheck disable=SC2317  # called by the trap
cleanup() {
	trap - EXIT INT TERM HUP
	((${#capture_pids[@]} == 0)) || kill "${capture_pids[@]}" 2>/dev/null
	[[ -n ${server_pid:-} ]] && kill "$server_pid" 2>/dev/null
	"$lab" down >/dev/null 2>&1
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM HUP

capture_pids=()
out=${keep:-$work/out}
mkdir -p "$out"
count=0 failed=0

say() { ((table)) || printf '%s\n' "$*"; }

# wait_for FILE TEXT: at most 5 s
wait_for() {
	local i
	for ((i = 0; i < 100; i++)); do
		grep -q -- "$2" "$1" 2>/dev/null && return 0
		sleep 0.05
	done
	return 1
}

# shellcheck source=tests/lib/truth-traffic.sh
source "$here/tests/lib/truth-traffic.sh"

# ---- one case ---------------------------------------------------------------------

# Rings that a machine busy with other tests does not fill: of what they drop nobody can know.
RING_KIB=65536
BIG_TCP_BYTES=185000 # as the lab's
declare -A NODE_DEVICES=([eth0]=underlay [flannel.1]=vtep [flannel-v6.1]=vtep [cni0]=bridge)

# start_capture NAME NODE POD OPTIONS: podhop's own, or (POD "-") dumpcap's of a node without one
start_capture() {
	local name=$1 ns=${2^^}_NS root=${2^^}_ROOT device
	rm -f "$name".*.pcap
	: >"$name.err"
	if [[ $3 == - ]]; then
		for device in "${!NODE_DEVICES[@]}"; do
			: >"$name.$device.err"
			ip netns exec "${!ns}" dumpcap -p -q -B $((RING_KIB / 1024)) -i "$device" \
				-w "$name.$device.pcap" 2>"$name.$device.err" &
			capture_pids+=($!)
			wait_for "$name.$device.err" 'File:'
		done
		return
	fi
	# shellcheck disable=SC2086  # options are many words
	ip netns exec "${!ns}" "$podhop" capture "$3" --host-root "${!root}" -w "$name.pcapng" \
		-B $RING_KIB -T json --report "$name.json" $4 >/dev/null 2>"$name.err" &
	capture_pids+=($!)
	wait_for "$name.err" capturing
}

end_capture() { # NAME POD
	local device hops=()
	kill -INT "${capture_pids[@]}" 2>/dev/null
	wait "${capture_pids[@]}"
	capture_pids=()
	[[ $2 == - ]] || return
	for device in "${!NODE_DEVICES[@]}"; do
		hops+=(--hops "${NODE_DEVICES[$device]}=$device")
	done
	"$podhop" report "$1".*.pcap "${hops[@]}" -q -w "$1.pcapng" -T json --report "$1.json" \
		>/dev/null 2>>"$1.err"
}

# judge FILE: what ground truth says of it goes to FILE.truth; sets precision, recall and agrees
judge() {
	agrees=0
	# shellcheck disable=SC2086  # options are many words
	"$tools/groundtruth" ${truth_options:-} "$1" >"$1.truth" 2>&1 && agrees=1
	read -r precision recall < <(awk '
		/ precision=/ { for (i = 1; i <= NF; i++) { split($i, a, "=")
			if (a[1] == "precision" && (p == "" || a[2] < p)) p = a[2]
			if (a[1] == "recall" && (r == "" || a[2] < r)) r = a[2] } }
		END { print p == "" ? "-" : p, r == "" ? "-" : r }' "$1.truth")
}

# stored NAME WINDOW: the file that was written, reported again, has ids as right, and as many
# packets are complete, though of translations it tells nothing but the packets themselves;
# nothing is called lost in it that was not.
stored() {
	local lost='[.losses[] | select(.verdict == "lost") | .packets] | add // 0'
	# shellcheck disable=SC2086  # options are many words
	"$podhop" report "$1.pcapng" -q -w "$1.again.pcapng" -T json --report "$1.again.json" $2 \
		>/dev/null 2>>"$1.err" || return 1
	judge "$1.again.pcapng"
	((agrees)) && [[ "$precision $recall" == '1.000000 1.000000' ]] &&
		[[ $(jq -c .packets "$1.again.json") == "$(jq -c .packets "$1.json")" ]] &&
		(($(jq "$lost" "$1.again.json") <= $(jq "$lost" "$1.json")))
}

# Of bytes that are sent again at once nothing in IPv6 tells which frame was lost: that is
# ambiguous, of packets that are equal in every byte, and only of these.
equal_twins() { # NAME WINDOW
	local ids
	# shellcheck disable=SC2086  # options are many words
	ids=$("$podhop" report "$1.pcapng" -q -T jsonl $2 2>/dev/null |
		jq -r 'select(.status == "ambiguous") | .packet_id' | paste -sd,)
	[[ -n $ids ]] && "$tools/groundtruth" -e "$ids" "$1.pcapng" >"$1.twins" 2>&1 &&
		grep -q "^twins=$ambiguous equal=$ambiguous$" "$1.twins"
}

# run CASE FAMILY NODE POD OPTIONS -- TRAFFIC...
run() {
	local case=$1 family=$2 node=$3 pod=$4 options=$5
	local name precision=- recall=- agrees=0 ambiguous incomplete lost edge
	local traffic=0 dropped=0 verdict='' note='' in_cell='' window=''
	shift 6
	rows_wanted "$variant" "$case" "$family" || return 0
	make_lab
	name=$out/$variant-$case-$family
	[[ $options != --window* ]] || window=$options
	# Once before: path MTUs and neighbours are then known, nothing is lost on their account.
	"$@" >"$name.warm" 2>&1
	start_capture "$name" "$node" "$pod" "$options"
	dropped=0
	"$@" >"$name.traffic" 2>&1 || traffic=$?
	sleep 0.4
	end_capture "$name" "$pod"

	read -r ambiguous incomplete edge lost < <(jq -r --arg reason "${reason:-.}" '
		"\(.packets.ambiguous) \(.packets.incomplete) \(.packets.edge) \([.losses[] |
		select(.verdict == "lost" and (.reason | test($reason))) | .packets] | add // 0)"' \
		"$name.json" 2>/dev/null || echo - - - -)
	[[ $variant != big ]] || tshark -r "$name.pcapng" -Y 'frame.len > 66000' 2>/dev/null |
		grep -q . || note+=' nothing larger than 64 KiB;'
	[[ -z ${also:-} ]] || "$also" "$name.pcapng" || note+=" not so: $also;"
	[[ $ambiguous == 0 ]] || { [[ $case == loss-* ]] && equal_twins "$name" "$window"; } ||
		note+=' ambiguous, and not equal;'
	# Where every outer datagram is cut the kernel loses some in reassembly: true losses.
	if [[ $variant != outer-fragments ]] && ! { [[ "$traffic $edge" == "0 0" ]] &&
		((incomplete == lost && lost <= dropped && dropped <= lost + ambiguous)); }; then
		note+=' other losses;'
	fi
	stored "$name" "$window" || note+=" the stored file: $precision $recall;"
	judge "$name.pcapng"
	((agrees)) && [[ "$precision $recall" == "1.000000 1.000000" ]] || note+=' wrong ids;'

	verdict=ok
	[[ -z $note ]] || verdict='not ok'
	[[ -z $note ]] || ((failed++))
	((count++))
	say "$verdict $count - $variant $case $family: precision $precision recall $recall ambiguous $ambiguous dropped $dropped lost $lost edge $edge incomplete $incomplete"
	((dropped == 0)) || in_cell+=" ($lost of $dropped lost)"
	[[ -z $note ]] || in_cell+=' **wrong**'
	printf '%s\t%s %s\t%s\n' "$variant" "$case" "$family" \
		"$precision $recall $ambiguous$in_cell" >>"$out/rows"
	[[ -z $note ]] || explain "$name" "traffic $traffic;$note" |
		while read -r line; do say "# $line"; done
	[[ -n $keep ]] || rm -f "$name".*
}

explain() { # NAME NOTE
	{ printf '%s\n' "$2"
	  tail -n 1 "$1.pcapng.truth"
	  grep -hE '^(split|merged|mixed|bytes|other)' "$1.pcapng.truth" | head -n 3
	  jq -c '.packets, .paths[] | [.path?, .direction?, .packets?]' "$1.json"
	  jq -c '.losses[] | [.last_seen, .next_expected, .direction, .packets, .reason]' "$1.json"
	  tail -n 3 "$1.err" "$1.traffic"; } 2>/dev/null
}

# ---- variants -----------------------------------------------------------------------

lab_options='' lab_is_up=0
make_lab() {
	((lab_is_up)) && return
	# shellcheck disable=SC2086  # options are many words
	"$lab" up -q --outside --service 10.96.0.10:80=node2/api:8080 \
		--service 10.96.0.11:80=node1/client:8080 --service 10.96.0.12:80=node1/web:8080 \
		--service '[fd00:10:96::10]:80=node2/api:8080' \
		--service '[fd00:10:96::11]:80=node1/client:8080' \
		--service '[fd00:10:96::12]:80=node1/web:8080' \
		--service 203.0.113.10:80=node1/web:8080 --service '[2001:db8::10]:80=node1/web:8080' \
		--loadbalancer 203.0.113.11:80=node2/api:8080 \
		--loadbalancer '[2001:db8::11]:80=node2/api:8080' \
		--nodeport 30080=node1/web:8080 --nodeport 30081=node2/api:8080 \
		--hostport 30082=node1/web:8080 $lab_options ||
		{ echo "Bail out! no lab"; exit 1; }
	eval "$("$lab" env)"
	lab_is_up=1
	# A load balancer's addresses: on no device, sent to a node.
	ip -n "$OUTSIDE_NS" route add 203.0.113.10/31 via "$NODE1_IP"
	ip -n "$OUTSIDE_NS" route add 2001:db8::10/127 via "$NODE1_IP6"
	[[ $variant != big ]] || make_big_ipv4
	# Neighbours are found before anything is judged: packets that wait for them get lost.
	local warm
	for warm in "$NODE1_NS" "$NODE2_NS"; do
		ip netns exec "$warm" ping -q -c 1 -w 2 "$OUTSIDE_IP" >/dev/null
		ip netns exec "$warm" ping -q -c 1 -w 2 "$OUTSIDE_IP6" >/dev/null
	done
}

# The lab's --big-tcp is that of IPv6: for IPv4 iproute2 has to be newer than Debian's.
make_big_ipv4() {
	local ns
	for ns in "$NODE1_NS" "$NODE2_NS" "$OUTSIDE_NS" "$POD_WEB_NS" "$POD_CLIENT_NS" "$POD_API_NS"; do
		ip netns exec "$ns" "$here/tests/tools/big-ipv4.py" $BIG_TCP_BYTES ||
			{ echo "Bail out! no BIG TCP over IPv4"; exit 1; }
	done
}

# variant NAME LAB-OPTIONS...
variant() {
	if ((lab_is_up)); then
		"$lab" down >/dev/null 2>&1
		lab_is_up=0
	fi
	variant=$1
	shift
	lab_options=$*
}

# v FAMILY NAME: the address NAME of a family; evaluated when the lab is up
v() {
	local name=$2
	[[ $1 == v6 ]] && name+=6
	printf '%s' "${!name}"
}

# With br_netfilter or without it; what is sent inside one node comes back around the translation
# without it (D 5.4), and Services there do not work.
all_paths() {
	local f br=$1 gso='' sizes=''
	[[ $variant == on || $variant == direct ]] && gso='-g 17'
	for f in v4 v6; do
		# Put together by a node and not cut again, a datagram may fit eth0 and not the
		# other node's pod behind it. IPv6 then has to be told by an error.
		[[ $variant == direct && $f == v6 ]] && sizes=1460-4000
		run pod-pod-tcp $f node1 default/web '' -- later both_ways POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080 @POD_WEB_IP
		run pod-pod-udp $f node1 default/web '' -- later udp POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		run pod-pod-icmp $f node1 default/web '' -- later icmp POD_API_NS POD_WEB_NS @POD_API_IP
		truth_options='-g 17'
		run udp-gso $f node1 default/web '' -- later udp_gso POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		truth_options=$gso
		run udp-gso-in $f node2 default/api '' -- later udp_gso POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		truth_options=''
		run same-node-tcp $f node1 default/web '--and default/client' -- later tcp POD_CLIENT_NS POD_WEB_NS @POD_CLIENT_IP 8080 8080
		run same-node-udp $f node1 default/web '' -- later udp POD_CLIENT_NS POD_WEB_NS @POD_CLIENT_IP 8080 8080
		run pod-node-tcp $f node1 default/web '' -- later tcp NODE1_NS POD_WEB_NS @NODE1_IP 8080 8080
		run node-pod-udp $f node1 default/web '' -- later udp POD_WEB_NS NODE1_NS @POD_WEB_IP 8080 8080
		run node-local-dns $f node1 default/web '' -- later udp_node_local POD_WEB_NS
		run host-pod-tcp $f node2 default/api '' -- later tcp POD_API_NS NODE1_NS @POD_API_IP 8080 8080
		[[ $variant == direct ]] ||
			run host-bound-tcp $f node2 default/api '' -- later tcp_host_bound POD_API_NS @POD_API_IP 8080 8080
		run service-tcp $f node1 default/web '' -- later tcp POD_API_NS POD_WEB_NS "$(vip $f 10)" 80 8080
		run service-udp $f node1 default/web '' -- later udp POD_API_NS POD_WEB_NS "$(vip $f 10)" 80 8080
		run filter-service $f node1 default/web 'tcp port 80' -- later tcp POD_API_NS POD_WEB_NS "$(vip $f 10)" 80 8080
		if ((br)); then
			run service-local-tcp $f node1 default/web '' -- later tcp POD_CLIENT_NS POD_WEB_NS "$(vip $f 11)" 80 8080
			run service-local-udp $f node1 default/web '--and default/client' -- later udp POD_CLIENT_NS POD_WEB_NS "$(vip $f 11)" 80 8080
		fi
		also=errors_are_known run service-refused $f node1 default/web '' -- later udp_refused POD_API_NS POD_WEB_NS "$(vip $f 10)" 80
		run hairpin-tcp $f node1 default/web '' -- later tcp POD_WEB_NS POD_WEB_NS "$(vip $f 12)" 80 8080
		run hairpin-udp $f node1 default/web '' -- later udp POD_WEB_NS POD_WEB_NS "$(vip $f 12)" 80 8080
		run outside-tcp $f node1 default/web '' -- later tcp OUTSIDE_NS POD_WEB_NS @OUTSIDE_IP 8080 8080
		run outside-udp $f node1 default/web '' -- later udp OUTSIDE_NS POD_WEB_NS @OUTSIDE_IP 8080 8080
		run lb-tcp $f node1 default/web '' -- later tcp POD_WEB_NS OUTSIDE_NS "$(lb $f 10)" 80 8080
		run lb-udp $f node1 default/web '' -- later udp POD_WEB_NS OUTSIDE_NS "$(lb $f 10)" 80 8080
		run nodeport-tcp $f node1 default/web '' -- later tcp POD_WEB_NS OUTSIDE_NS @NODE1_IP 30080 8080
		run nodeport-udp $f node1 default/web '' -- later udp POD_WEB_NS OUTSIDE_NS @NODE1_IP 30080 8080
		run hostport-tcp $f node1 default/web '' -- later tcp POD_WEB_NS OUTSIDE_NS @NODE1_IP 30082 8080
		run hostport-udp $f node1 default/web '' -- later udp POD_WEB_NS OUTSIDE_NS @NODE1_IP 30082 8080
		run nodeport-far-tcp $f node1 default/web '' -- later tcp POD_API_NS POD_WEB_NS @NODE1_IP 30081 8080
		[[ $f == v4 ]] || sizes=1460-4000
		run nodeport-far-udp $f node1 default/web '' -- later udp POD_API_NS POD_WEB_NS @NODE2_IP 30081 8080
		sizes=''
		run nodeport-snat-tcp $f node2 default/api '' -- later tcp POD_API_NS OUTSIDE_NS @NODE1_IP 30081 8080
		[[ $f == v4 ]] || sizes=1460-4000
		[[ $variant != outer-fragments ]] || sizes=16-1200 # larger ones get lost, to 2 s each
		run nodeport-snat-udp $f node2 default/api '' -- later udp POD_API_NS OUTSIDE_NS @NODE1_IP 30081 8080
		# The node between, without a captured pod: plain on eth0, and in VXLAN on the same device.
		# Nothing of it is ever incomplete, so ground truth counts the hops.
		truth_options='-H 3'
		[[ $variant != direct ]] || truth_options='-H 2'
		[[ $variant != outer-fragments ]] || truth_options=''
		run nodeport-between-tcp $f node1 - '' -- later tcp POD_API_NS OUTSIDE_NS @NODE1_IP 30081 8080
		run nodeport-between-udp $f node1 - '' -- later udp POD_API_NS OUTSIDE_NS @NODE1_IP 30081 8080
		run lb-between-udp $f node1 - '' -- later udp POD_API_NS OUTSIDE_NS "$(lb $f 11)" 80 8080
		sizes=''
		[[ -z $truth_options ]] || truth_options="-H $((${truth_options#-H } - 1))"
		run host-between-tcp $f node1 - '' -- later tcp POD_API_NS NODE1_NS @POD_API_IP 8080 8080
		truth_options=''
		[[ $variant == outer-fragments ]] || look_alikes $f
		[[ $variant == direct ]] && continue
		run one-way-direct $f node1 default/web '' -- later tcp_one_way_direct POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		[[ $variant == outer-fragments ]] && continue
		run loss-tcp $f node1 default/web '--window 200' -- later tcp_loss POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		reason='larger than the path allows: an ICMP error'
		run too-big $f node1 default/web '--window 200' -- later udp_too_big POD_WEB_NS @POD_API_IP 8080
		reason='its TTL ended'
		run ttl-ends $f node1 default/web '--window 200' -- later udp_ttl_ends POD_WEB_NS @POD_API_IP 8080
		reason=''
	done
}

# What looks alike, on its way out through a Service; and both families at once.
look_alikes() { # FAMILY
	local f=$1 vip sizes=16-1300
	vip=$(vip "$f" 10)
	truth_options=-d run doubled-udp "$f" node1 default/web '' -- later doubled udp POD_API_NS POD_WEB_NS "$vip" 80 8080
	run doubled-tcp "$f" node1 default/web '' -- later doubled tcp POD_API_NS POD_WEB_NS "$vip" 80 8080
	truth_options=-d run equal-udp "$f" node1 default/web '' -- later udp_equal POD_API_NS POD_WEB_NS "$vip" 80 8080
	run flows-udp "$f" node1 default/web '' -- later udp_flows POD_API_NS POD_WEB_NS "$vip" 80 8080
	also=seq_wrapped run seq-wrap-tcp "$f" node1 default/web '' -- later tcp_seq_wrap POD_API_NS POD_WEB_NS "$vip" 80 8080
	run port-reuse-tcp "$f" node1 default/web '' -- later tcp_port_reuse POD_API_NS POD_WEB_NS "$vip" 80 8080
	[[ $f == v4 ]] || run extension-udp "$f" node1 default/web '' -- later udp_extension POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
	[[ $variant == direct ]] || sizes=16-4000
	[[ $f == v4 ]] || run dual-stack "$f" node1 default/web '' -- later dual_stack POD_API_NS POD_WEB_NS @POD_API_IP4 @POD_API_IP 8080
	[[ $variant == on || $variant == off ]] || return
	run id-wrap-udp "$f" node1 default/web '' -- later udp_id_wrap POD_API_NS POD_WEB_NS "$vip" 80 8080
	also=has_equal_acks run keepalive-tcp "$f" node1 default/web '' -- later tcp_keepalive POD_API_NS POD_WEB_NS "$vip" 80 8080
	also=outer_port_changed run retransmitted-tcp "$f" node1 default/web '' -- later tcp_rto POD_API_NS POD_WEB_NS "$vip" 80 8080
}

# Super-frames of more than 64 KiB. VXLAN devices take none: inside the node, and direct.
big_paths() {
	# The jumbo option of IPv6 makes the first segment 8 bytes longer: a router whose next MTU is
	# the same as the one before would refuse the super-frame.
	local mss=1300 f
	for f in v4 v6; do
		run same-node-tcp $f node1 default/web '--and default/client' -- later tcp POD_CLIENT_NS POD_WEB_NS @POD_CLIENT_IP 8080 8080
		run pod-pod-tcp $f node1 default/web '' -- later tcp POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		run pod-pod-in-tcp $f node2 default/api '' -- later tcp POD_API_NS POD_WEB_NS @POD_API_IP 8080 8080
		run outside-tcp $f node1 default/web '' -- later tcp OUTSIDE_NS POD_WEB_NS @OUTSIDE_IP 8080 8080
		run filter-tcp $f node1 default/web 'tcp port 8080' -- later tcp OUTSIDE_NS POD_WEB_NS @OUTSIDE_IP 8080 8080
		run service-tcp $f node1 default/web '' -- later tcp POD_API_NS POD_WEB_NS "$(vip $f 10)" 80 8080
	done
}

lb() { [[ $1 == v6 ]] && printf '2001:db8::%s' "$2" || printf '203.0.113.%s' "$2"; }
vip() { [[ $1 == v6 ]] && printf 'fd00:10:96::%s' "$2" || printf '10.96.0.%s' "$2"; }

[[ $EUID == 0 ]] || { echo "1..0 # SKIP needs root"; exit 0; }

variant on --ipv6 --masq iptables --proxy iptables
all_paths 1
variant off --ipv6 --masq nft --offload off --br-netfilter 0
all_paths 0
variant gro --ipv6 --masq nft --gro
all_paths 1
variant outer-fragments --ipv6 --masq iptables --underlay-mtu 1450 --offload off
all_paths 1
variant direct --ipv6 --masq iptables --direct-routing
all_paths 1
variant big --ipv6 --masq iptables --direct-routing --big-tcp
big_paths

if ((table)); then
	"$here/tests/lib/truth-table" "$out/rows"
else
	echo "1..$count"
fi
((failed == 0))
