#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# conntrack.sh - flows that look alike behind a translation are told apart by what conntrack
# knows (TAP, root).
#
# Many sockets send the same bytes at the same time, and the node gives each a port at random
# (masquerade to the outside; a NodePort's clients): nothing in a packet behind the translation
# says which socket it came from. But for one thing that podhop does not look at, because hops
# may change it: DSCP, another for each socket. It is the truth here. Some sockets' packets
# are dropped before they are translated, so that order alone leads astray.
set -u
# shellcheck source=tests/lib/lab.sh
source "$(dirname "$0")/../lib/lab.sh"
lab_test
need python3 tshark nft setpriv
N=48 ROUNDS=5 sink='' web='' less=''

# send FROM ADDRESS PORT FIRST-PORT ROUNDS: equal datagrams of N sockets, DSCP i for the i-th
send() {
	on "$1" /usr/bin/python3 - "$2" "$3" "$4" "$5" "$N" <<-'END'
		import socket, sys, time
		address, port, first, rounds, n = sys.argv[1], *map(int, sys.argv[2:])
		family = socket.AF_INET6 if ":" in address else socket.AF_INET
		sockets = []
		for i in range(n):
		    s = socket.socket(family, socket.SOCK_DGRAM)
		    if family == socket.AF_INET6:
		        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, i << 2)
		        s.setsockopt(socket.IPPROTO_IPV6, 70, 0)  # IPV6_AUTOFLOWLABEL: it would tell
		    else:
		        s.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, i << 2)
		        s.setsockopt(socket.IPPROTO_IP, 10, 2)  # IP_MTU_DISCOVER: DF, so id 0
		    s.bind(("", first + i))
		    # not connected: a connected one counts in its IP id, and so would tell
		    sockets.append(s)
		time.sleep(0.3)  # a window: what is lost behind it is no edge
		for r in range(rounds):
		    for s in sockets:
		        try:
		            s.sendto(b"alike" * 20, (address, port))
		        except ConnectionRefusedError:
		            pass
		time.sleep(0.4)  # the same at the end
	END
}

# told FILE PORTS FRAMES: how many packet ids there are, how many of them have FRAMES frames, how
# many have frames of several sockets, and how many frames were called ambiguous
told() {
	tshark -r "$1" -Y "udp.port in {$2}" -T fields -e frame.packet_id -e ip.dsfield.dscp \
		-e ipv6.tclass.dscp -e frame.comment 2>/dev/null >"$dir/frames"
	awk -v frames="$3" '
		{ dscp = $2; id = $1; seen[id]++
		  if (id in of && of[id] != dscp) mixed[id] = 1
		  of[id] = dscp
		  if (/amb=/) ambiguous++ }
		END { for (i in seen) { ids++; full += seen[i] == frames; m += i in mixed }
		      printf "ids %d full %d mixed %d ambiguous %d\n", ids, full, m, ambiguous }' \
		"$dir/frames"
}

lab_up --ipv6 --masq iptables --outside --nodeport 30080=node1/web:8080
# Of the odd sockets nothing comes through: dropped before it is translated, so conntrack
# never confirms their connections.
for family in ip ip6; do
	on node1 nft -f - <<-END
		table $family ph-odd {
			chain forward {
				type filter hook forward priority 0;
				$family dscp { $(seq -s, 1 2 47) } drop
			}
		}
	END
done
for place in "$OUTSIDE_IP" "$OUTSIDE_IP6"; do
	on node1/web ping -q -c 1 -w 2 "$place" >/dev/null
done
start sink "$dir/sink" on outside "$TOOLS/udpecho" server -6 -o -p 9000
wait_for "$dir/sink" '^ready' "$sink"
# Somebody listens, or the pod's refusals would be quotes of all these packets.
start web "$dir/web" on node1/web "$TOOLS/udpecho" server -6 -o -p 8080
wait_for "$dir/web" '^ready' "$web"
all=$((N * ROUNDS)) half=$((N * ROUNDS / 2))
want="ids $all full $half mixed 0 ambiguous 0"

for v in '' 6; do
	outside=OUTSIDE_IP$v node=NODE1_IP$v
	capture node1 default/web -v --window 200 -w "$dir/events.pcapng" -T json --report "$dir/events.json"
	send node1/web "${!outside}" 9000 20000 $ROUNDS
	capture_end node1
	is "v${v:-4}: connections that begin: each packet is its socket's" \
		"$(told "$dir/events.pcapng" 9000 3)" "$want"
	is "v${v:-4}: what was dropped is lost, the rest complete" \
		"$(jq -c '[.packets.ambiguous, (.losses | map(.packets) | add)]' "$dir/events.json")" \
		"[0,$half]"

	send node1/web "${!outside}" 9000 21000 1
	capture node1 default/web -v --window 200 -w "$dir/dump.pcapng" -T json --report "$dir/dump.json"
	send node1/web "${!outside}" 9000 21000 $ROUNDS
	capture_end node1
	is "v${v:-4}: connections that were there before: the same" \
		"$(told "$dir/dump.pcapng" 9000 3)" "$want"
	like "v${v:-4}: -v says how many there were" "$(<"$dir/node1.err")" \
		'[1-9][0-9]* translated connections of the pod exist'

	capture node1 default/web -v --window 200 -w "$dir/in.pcapng" -T json --report "$dir/in.json"
	send outside "${!node}" 30080 22000 $ROUNDS
	capture_end node1
	# The dropped ones show at eth0 alone, of no pod.
	is "v${v:-4}: a NodePort's clients: the same" "$(told "$dir/in.pcapng" 8080,30080 3)" \
		"ids $half full $half mixed 0 ambiguous 0"
done

# Without the right to ask, packets alone have to do: it says so, and owns up to the doubt.
capture_without() {
	: >"$dir/less.err"
	start less "$dir/less.err" "$lab" exec node1 setpriv --bounding-set=-net_admin \
		--inh-caps=-net_admin "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -v \
		--window 200 -w "$dir/less.pcapng" -T json --report "$dir/less.json"
	wait_for "$dir/less.err" 'capturing on' "$less"
}
capture_without
send node1/web "$OUTSIDE_IP" 9000 23000 $ROUNDS
kill -TERM "$less"
wait "$less"
is "without CAP_NET_ADMIN: exit status" $? 0
like "without CAP_NET_ADMIN: -v says what is missing" "$(<"$dir/less.err")" \
	'conntrack.*learned from the packets alone'
found=$(told "$dir/less.pcapng" 9000 3)
like "without CAP_NET_ADMIN: these packets alone are ambiguous" "$found" 'ambiguous [1-9]'
mixed=${found#*mixed }
if ((${mixed%% *} <= $(jq .packets.ambiguous "$dir/less.json"))); then
	ok "without CAP_NET_ADMIN: no more packets are wrong than are called ambiguous"
else
	not_ok "without CAP_NET_ADMIN: no more packets are wrong than are called ambiguous" \
		"$found, ambiguous $(jq .packets.ambiguous "$dir/less.json")"
fi

capture node1 default/web -v --no-nat -w "$dir/no.pcapng" -T json --report "$dir/no.json"
capture_end node1
if grep -q conntrack "$dir/node1.err"; then
	not_ok "--no-nat asks nobody" "$(<"$dir/node1.err")"
else
	ok "--no-nat asks nobody"
fi
done_testing
