#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# filter.sh - a FILTER means the pod's packets as its veth shows them: they are kept at every hop,
# and nothing else is (TAP, root).
#
# In each case two conversations run side by side that differ in what the FILTER says, both with
# the same far end. What the payload says is the truth: of the chosen one every number (request
# and reply) is at every hop in all its fragments, of the other there is no frame. Behind a
# Service, a NodePort or a masquerade the chosen words are in no frame but the veth's.
set -u
# shellcheck source=tests/lib/lab.sh
source "$(dirname "$0")/../lib/lab.sh"
lab_test
need tshark nft
N=100 sizes=16-1200 server='' other=''

# serve PLACE: what answers on ports 8080 and 9090
serve() {
	start server "$dir/server" on "$1" "$TOOLS/udpecho" server -6 -p 8080
	start other "$dir/other" on "$1" "$TOOLS/udpecho" server -6 -p 9090
	wait_for "$dir/server" '^ready' "$server"
	wait_for "$dir/other" '^ready' "$other"
}

served() {
	kill "$server" "$other" 2>/dev/null
	wait "$server" "$other" 2>/dev/null
}

# both FROM ADDRESS PORT OTHER-PORT: numbers 1.. to PORT, numbers 100001.. to OTHER-PORT
both() {
	local pid
	start pid "$dir/client.other" on "$1" "$TOOLS/udpecho" client -p "$4" -n $N -b 100001 \
		-s "$sizes" -i 300 "$2"
	on "$1" "$TOOLS/udpecho" client -p "$3" -n $N -s "$sizes" -i 300 "$2" >"$dir/client" 2>&1
	wait "$pid"
}

# chosen NAME POD HOPS FILTER FROM ADDRESS PORT OTHER-PORT: numbers and replies of the first port,
# at HOPS places each, and nothing of the second
chosen() {
	local name=$1 pod=$2 hops=$3 filter=$4 found
	shift 4
	both "$@" # neighbours and path MTUs are known from here on
	capture node1 "$pod" -w "$dir/f.pcapng" -T json --report "$dir/f.json" "$filter"
	both "$@"
	sleep 0.3
	capture_end node1
	if found=$("$TOOLS/groundtruth" -n $((2 * N)) -H "$hops" "$dir/f.pcapng" 2>&1) &&
		[[ $found == *"numbers=$((2 * N)) split=0 merged=0 wrong_hops=0"* ]] &&
		[[ $(jq -c '[.packets.incomplete, .packets.ambiguous, .packets.edge,
			.capture.filter_unsure]' "$dir/f.json") == "[0,0,0,0]" ]] &&
		(($(jq .packets.total "$dir/f.json") == 2 * N)) &&
		(($(jq .capture.foreign "$dir/f.json") > 0)); then
		ok "$name: $filter"
	else
		not_ok "$name: $filter" "$found
$(jq -c '.packets, (.capture | del(.interfaces)), [.paths[] | [.path, .direction, .packets]]' \
	"$dir/f.json")
$(tail -n 3 "$dir/client" "$dir/client.other")"
	fi
}

for br in 1 0; do
	lab_up --ipv6 --masq iptables --outside --br-netfilter $br \
		--service 10.96.0.10:80=node2/api:8080 --service 10.96.0.10:90=node2/api:9090 \
		--service '[fd00:96::10]:80=node2/api:8080' \
		--service '[fd00:96::10]:90=node2/api:9090' \
		--service 10.96.0.11:80=node1/client:8080 --service 10.96.0.11:90=node1/client:9090 \
		--nodeport 30080=node1/web:8080 --nodeport 30090=node1/web:9090
	with="br_netfilter $br"
	# Fragments: 100 to 4000 bytes. Without conntrack's hooks on the bridge they pass in parts.
	serve node2/api
	sizes=16-1200 chosen "Service, $with" default/web 4 'udp port 80' node1/web 10.96.0.10 80 90
	sizes=16-4000 chosen "Service, fragments, $with" default/web 4 'udp port 80' \
		node1/web 10.96.0.10 80 90
	sizes=16-4000 chosen "Service, IPv6, fragments, $with" default/web 4 'udp port 80' \
		node1/web fd00:96::10 80 90
	sizes=16-4000 chosen "by the Service's address, $with" default/web 4 \
		'host 10.96.0.10 and not port 90' node1/web 10.96.0.10 80 90
	sizes=16-4000 chosen "remote pod, fragments, $with" default/web 4 'udp port 8080' \
		node1/web "$POD_API_IP" 8080 9090
	served
	serve outside
	sizes=16-4000 chosen "masquerade, fragments, $with" default/web 3 \
		"src host $POD_WEB_IP and udp dst port 8080 or src port 8080" \
		node1/web "$OUTSIDE_IP" 8080 9090
	sizes=16-4000 chosen "masquerade, IPv6, $with" default/web 3 'ip6 and udp port 8080' \
		node1/web "$OUTSIDE_IP6" 8080 9090
	served
	serve node1/web
	# The pod's own view of a NodePort's client is its own port and the bridge's address.
	sizes=16-4000 chosen "NodePort, $with" default/web 3 'udp port 8080' \
		outside "$NODE1_IP" 30080 30090
	served
	if ((br)); then
		serve node1/client
		# Inside the node the bridge shows it or not, as neighbours are cached (D 5.4).
		both node1/web 10.96.0.11 80 90
		capture node1 default/web --and default/client -w "$dir/f.pcapng" -T json \
			--report "$dir/f.json" 'udp port 80'
		sizes=16-4000 both node1/web 10.96.0.11 80 90
		sleep 0.3
		capture_end node1
		succeeds "Service to a pod of this node, $with: udp port 80" \
			"$TOOLS/groundtruth" -n $((2 * N)) "$dir/f.pcapng"
		is "... both veths show each, $with" "$(jq -c '[.packets.total, .packets.complete,
			.capture.filter_unsure]' "$dir/f.json")" "[$((2 * N)),$((2 * N)),0]"
		served
	fi
	lab_down
done

# Segments: TCP super-frames cut at eth0 are kept in all their parts.
lab_up --offload off --service 10.96.0.10:80=node2/api:5201
capture node1 default/web -w "$dir/f.pcapng" -T json --report "$dir/f.json" 'tcp port 80'
tcp node1/web node2/api 10.96.0.10 -p 80 -n 2M
sleep 0.3
capture_end node1
succeeds "segments of a Service's stream: every byte at every hop" \
	"$TOOLS/groundtruth" -H 4 -b 2000000 "$dir/f.pcapng"
is "... nothing is incomplete" "$(jq -c '[.packets.incomplete, .packets.ambiguous,
	.capture.filter_unsure]' "$dir/f.json")" '[0,0,0]'
done_testing
