#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# follow.sh - pods and devices that come again under a capture with --follow (TAP, root).
# Time limit: 300 s
#
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=fo
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq tshark tcpdump ip
lab_up

status_words() { awk '/^(CapEff|NoNewPrivs|Seccomp):/ { printf "%s%s ", $1, $2 }' "/proc/$1/status"; }

# ---- without --follow nothing is kept ----

capture node1 default/web -w "$dir/plain.pcapng" --json
is "without --follow: no capability is left" \
	"$(status_words "$(podhop_pid "${capture_pid[node1]}")")" \
	'CapEff:0000000000000000 NoNewPrivs:1 Seccomp:2 '
capture_end node1

# ---- a pod re-created under its name ----

first_veth=$POD_WEB_VETH first_ip=$POD_WEB_IP
capture node1 default/web -w "$dir/pod.pcapng" --json --follow
# CAP_NET_ADMIN is bit 12, CAP_NET_RAW bit 13.
is "with it: CAP_NET_ADMIN and CAP_NET_RAW, and calls limited" \
	"$(status_words "$(podhop_pid "${capture_pid[node1]}")")" \
	'CapEff:0000000000003000 NoNewPrivs:1 Seccomp:2 '
like "which is said at the start" "$(cat "$dir/node1.err")" 'CAP_NET_RAW and CAP_NET_ADMIN are kept'
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
"$lab" del node1/web >/dev/null || bail "lab del"
wait_for "$dir/node1.err" "$first_veth went away" "${capture_pid[node1]}"
"$lab" add node1 default/web >/dev/null || bail "lab add"
eval "$("$lab" env)"
wait_for "$dir/node1.err" "$POD_WEB_VETH is captured in place of $first_veth" "${capture_pid[node1]}"
on web ping -c 4 -i 0.05 "$POD_API_IP" >/dev/null
# A second time.
second_veth=$POD_WEB_VETH second_ip=$POD_WEB_IP
"$lab" del node1/web >/dev/null || bail "lab del"
wait_for "$dir/node1.err" "$second_veth went away" "${capture_pid[node1]}"
"$lab" add node1 default/web >/dev/null || bail "lab add"
eval "$("$lab" env)"
wait_for "$dir/node1.err" "$POD_WEB_VETH is captured in place of $second_veth" "${capture_pid[node1]}"
udp web api "$POD_API_IP" 20
capture_end node1
is "a pod that comes again twice does not end the run" "$status" 0
report=$(cat "$dir/node1.out")
is "three veths, one after the other" \
	"$(jq -c '[.capture.interfaces[] | select(.role == "veth") | .name]' <<<"$report")" \
	"[\"$first_veth\",\"$second_veth\",\"$POD_WEB_VETH\"]"
# Requests and replies at four hops each.
whole() { jq --arg ip "$1" --arg p "$2" '[.flows[] | select(.protocol == $p and
	(.src == $ip or .dst == $ip) and (.path | test("veth") and test("underlay"))) | .packets] | add' \
	<<<"${3:-$report}"; }
is "the first pod's packets at all hops" "$(whole "$first_ip" icmp)" 6
is "the second's" "$(whole "$second_ip" icmp)" 8
is "the third's" "$(whole "$POD_WEB_IP" udp)" 40
is "none is called lost" "$(jq '[.losses[] | select(.verdict == "lost")] | length' <<<"$report")" 0
is "one file, whole" "$(tcpdump -n -r "$dir/pod.pcapng" -w /dev/null 2>&1 | grep -v '^reading from')" ''
is "each veth described where it came" \
	"$(tshark -r "$dir/pod.pcapng" -T fields -e frame.interface_name 2>/dev/null | sort | uniq -c |
		awk '$2 ~ /^veth/ { n++ } END { print n }')" 3
again=$("$PODHOP" report "$dir/pod.pcapng" --json 2>"$dir/again.err")
is "podhop report reads it" "$?" 0
is "... with all pods' packets" \
	"$(whole "$first_ip" icmp "$again") $(whole "$second_ip" icmp "$again") $(whole "$POD_WEB_IP" udp "$again")" '6 8 40'

# ---- rotation besides: the later files know the later pod ----

capture node1 default/web -w "$dir/ring.pcapng" -b packets:40 --json --follow
"$lab" del node1/web >/dev/null || bail "lab del"
wait_for "$dir/node1.err" "$POD_WEB_VETH went away" "${capture_pid[node1]}"
"$lab" add node1 default/web >/dev/null || bail "lab add"
eval "$("$lab" env)"
wait_for "$dir/node1.err" "$POD_WEB_VETH is captured in place" "${capture_pid[node1]}"
udp web api "$POD_API_IP" 20
capture_end node1
files=("$dir"/ring_*.pcapng)
is "a rotation goes on" "$status $((${#files[@]} > 3))" '0 1'
last=$("$PODHOP" report "${files[@]:1}" --json)
is "... and its later files know the later pod" \
	"$(jq -c '[(.packets.total >= 30), ([.paths[].direction] | unique)]' <<<"$last")" '[true,["egress","ingress"]]'
is "... whose packets are in them" "$(whole "$POD_WEB_IP" udp "$(cat "$dir/node1.out")")" 40

# ---- flannel.1 deleted and made anew, with another ifindex ----

index() { on node1 cat /sys/class/net/flannel.1/ifindex; }
capture node1 default/web -w "$dir/vtep.pcapng" --json --follow
udp web api "$POD_API_IP" 5
before=$(index)
# The routes and the neighbours that flannel keeps behind it.
routes=$(on node1 ip route show dev flannel.1)
neighbours=$(on node1 ip neigh show dev flannel.1 nud permanent)
fdb=$(on node1 bridge fdb show dev flannel.1 | grep ' dst ')
mac=$NODE1_VTEP_MAC
on node1 ip link del flannel.1
wait_for "$dir/node1.err" "flannel.1 went away" "${capture_pid[node1]}"
on node1 ip link add flannel.1 address "$mac" type vxlan id "$LAB_VNI" dstport "$LAB_PORT" \
	local "$NODE1_IP" dev eth0 nolearning
on node1 ip addr add "$NODE1_VTEP_IP/32" dev flannel.1
on node1 ip link set flannel.1 mtu "$LAB_MTU" up
while read -r line; do
	# shellcheck disable=SC2086  # words of a route
	[[ -z $line ]] || on node1 ip route replace $line dev flannel.1
done <<<"$routes"
while read -r ip _ lladdr _; do
	[[ -z $ip ]] || on node1 ip neigh replace "$ip" lladdr "$lladdr" dev flannel.1 nud permanent
done <<<"$neighbours"
while read -r lladdr line; do
	[[ -z $lladdr ]] || on node1 bridge fdb replace "$lladdr" dev flannel.1 dst "$(grep -o 'dst [^ ]*' <<<"$line" | cut -d' ' -f2)"
done <<<"$fdb"
wait_for "$dir/node1.err" "flannel.1 is captured in place of flannel.1" "${capture_pid[node1]}"
udp web api "$POD_API_IP" 7
capture_end node1
is "a VTEP made anew does not end the run" "$status" 0
is "it has another ifindex" "$([[ $(index) != "$before" ]] && echo yes)" yes
is "packets before and after are seen at it" \
	"$(jq '[.flows[] | select(.protocol == "udp" and (.path | test("vtep"))) | .packets] | add' "$dir/node1.out")" 24
is "it is there twice" \
	"$(jq '[.capture.interfaces[] | select(.name == "flannel.1")] | length' "$dir/node1.out")" 2

# ---- what cannot be followed ----

"$lab" exec node1 "$PODHOP" capture "veth:$POD_WEB_VETH" --host-root "$NODE1_ROOT" --follow --split \
	-w "$dir/x.pcapng" >"$dir/x.out" 2>"$dir/x.err"
is "not with --split" "$? $(grep -c 'not with --split' "$dir/x.err")" '2 1'
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" --follow -Z nobody \
	>"$dir/x.out" 2>"$dir/x.err"
is "not with -Z" "$? $(grep -c 'not with -Z' "$dir/x.err")" '2 1'
done_testing
