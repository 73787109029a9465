# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# truth-traffic.sh - what truth.sh sends: traffic that carries its own identity (sourced).
#
# Needs $tools, $out and the variables of `lab env`; $family is v4 or v6. All functions end
# with the client's status and leave the lab as it was.
# shellcheck disable=SC2154  # variables of truth.sh and of the lab

# ---- traffic: all end with the client's status ---------------------------------

# server NS TOOL ARGUMENTS...
server() {
	local ns=$1 tool=$2
	shift 2
	: >"$out/server"
	ip netns exec "$ns" timeout 30 "$tools/$tool" server "$@" >"$out/server" 2>&1 &
	server_pid=$!
	wait_for "$out/server" ready
}

end_server() {
	kill "$server_pid" 2>/dev/null
	wait "$server_pid" 2>/dev/null
	server_pid=''
}

# SERVERNS CLIENTNS ADDRESS PORT SERVERPORT
tcp() {
	server "$1" tcpstream "-${family#v}" -p "$5" -n 300K -k 3 ${mss:+-m "$mss"}
	# shellcheck disable=SC2086  # options are many words
	ip netns exec "$2" timeout 20 "$tools/tcpstream" client -p "$4" -n 3M -e 300K -k 3 \
		${mss:+-m "$mss"} ${tcp_options:-} "$3"
	local rc=$?
	end_server
	return $rc
}

udp() {
	server "$1" udpecho "-${family#v}" -p "$5" ${listen:+"$listen"}
	# shellcheck disable=SC2086  # options are many words
	ip netns exec "$2" timeout 20 "$tools/udpecho" client -p "$4" -n 200 -s "${sizes:-16-4000}" \
		-i 100 -w 2000 ${udp_options:-} "$3"
	local rc=$?
	end_server
	return $rc
}

udp_gso() {
	server "$1" udpecho "-${family#v}" -p "$5" -o
	ip netns exec "$2" timeout 20 "$tools/udpgen" -n 3400 -s 1000 -G 17 -r 30000 -p "$4" "$3"
	local rc=$?
	end_server
	return $rc
}

icmp() {
	ip netns exec "$2" timeout 20 ping -q -c 20 -i 0.01 -s 1000 "$3" &&
		ip netns exec "$2" timeout 20 ping -q -c 20 -i 0.01 -s 5000 "$3"
}

both_ways() {
	tcp "$2" "$1" "$6" "$5" "$5" && tcp "$1" "$2" "$3" "$4" "$5"
}

# The node's own address as source, as a process has that is bound to it (flannel's rules
# for it differ between iptables and nft).
tcp_host_bound() { # SERVERNS ADDRESS PORT SERVERPORT
	local route=10.244.2.0/24 via=10.244.2.0 dev=flannel.1 own=$NODE1_IP
	[[ $family == v4 ]] || route=fd00:10:244:2::/64 via=fd00:10:244:2:: dev=flannel-v6.1 own=$NODE1_IP6
	ip -n "$NODE1_NS" route replace "$route" via "$via" dev "$dev" onlink src "$own"
	tcp "$1" "$NODE1_NS" "$2" "$3" "$4"
	local rc=$?
	ip -n "$NODE1_NS" route del "$route" dev "$dev"
	ip -n "$NODE1_NS" route replace "$route" via "$via" dev "$dev" onlink
	return $rc
}

# Only what goes to node 2 is encapsulated: node 2 has a direct route back.
tcp_one_way_direct() { # SERVERNS CLIENTNS ADDRESS PORT SERVERPORT
	local route=10.244.1.0/24 via=10.244.1.0 dev=flannel.1 direct=$NODE1_IP
	[[ $family == v4 ]] || route=fd00:10:244:1::/64 via=fd00:10:244:1:: dev=flannel-v6.1 direct=$NODE1_IP6
	ip -n "$NODE2_NS" route del "$route"
	ip -n "$NODE2_NS" route add "$route" via "$direct" dev eth0
	tcp "$@"
	local rc=$?
	ip -n "$NODE2_NS" route del "$route"
	ip -n "$NODE2_NS" route add "$route" via "$via" dev "$dev" onlink
	return $rc
}

# NodeLocal DNS: an address of the node itself, on no wire.
udp_node_local() { # CLIENTNS
	local address=169.254.20.10 listen
	[[ $family == v4 ]] || address=fd00:169:254::10
	ip -n "$NODE1_NS" addr add "$address" dev lo 2>/dev/null
	listen=$address
	udp "$NODE1_NS" "$1" "$address" 53 53
}

# Every 40th packet with data is dropped between bridge and VTEP, in both directions ($dropped in all).
# Of ACKs without, equal ones may follow each other: of these nobody can say which was lost.
tcp_loss() { # SERVERNS CLIENTNS ADDRESS PORT SERVERPORT
	local t=ip
	[[ $family == v4 ]] || t=ip6
	ip netns exec "$NODE1_NS" nft -f - <<-END
		table $t ph-loss {
			chain forward {
				type filter hook forward priority 0;
				meta length > 400 tcp sport $5 numgen inc mod 40 == 7 counter drop
				meta length > 400 tcp dport $5 numgen inc mod 40 == 7 counter drop
			}
		}
	END
	sleep 0.3 # behind the edge, and before the next
	tcp "$@"
	local rc=$?
	sleep 0.3
	dropped=$(ip netns exec "$NODE1_NS" nft -j list table $t ph-loss |
		jq '[.. | .counter? // empty | .packets] | add')
	ip netns exec "$NODE1_NS" nft delete table $t ph-loss
	return $rc
}

# Datagrams with DF that fit the pod's device and not the VTEP: all are refused, with an error.
udp_too_big() { # CLIENTNS ADDRESS PORT
	local told
	[[ $family == v6 ]] || ip -n "$NODE1_NS" link set flannel.1 mtu 1400
	sleep 0.3
	# Of the errors each ends one send(): sent= counts the others.
	told=$(ip netns exec "$1" timeout 20 "$tools/udpecho" client -D -o -i 1000 -p "$3" -n 60 \
		-s 1395 "$2")
	sleep 0.3
	[[ $family == v6 ]] || ip -n "$NODE1_NS" link set flannel.1 mtu 1450
	dropped=${told#sent=}
	dropped=${dropped%% *}
	((dropped > 0))
}

# Datagrams that the node has to refuse when it routes them, because their TTL ends.
udp_ttl_ends() { # CLIENTNS ADDRESS PORT
	sleep 0.3
	ip netns exec "$1" timeout 20 "$tools/udpecho" client -t 1 -o -i 1000 -p "$3" -n 60 -s 100 \
		"$2"
	local rc=$?
	sleep 0.3
	dropped=60
	return $rc
}

# ---- look-alikes

# doubled TRAFFIC ARGUMENTS...: every 10th of what a client in $2 sends leaves its device twice
doubled() {
	local ns=$3
	ip netns exec "$ns" nft -f - <<-END
		table netdev ph-doubled {
			chain out {
				type filter hook egress device "eth0" priority 0;
				meta length > 400 numgen inc mod 10 == 3 counter dup to "eth0"
			}
		}
	END
	"$@"
	local rc=$?
	ip netns exec "$ns" nft -j list table netdev ph-doubled |
		jq -e '[.. | .counter? // empty | .packets] | add > 5' >/dev/null || rc=1
	ip netns exec "$ns" nft delete table netdev ph-doubled
	return $rc
}

# One datagram again and again, as fast as it goes; of its answers over IPv4 each has the IP id 0.
udp_equal() {
	local sizes=200 udp_options='-E -o -i 0'
	udp "$@"
}

# More than 65,536 datagrams within one window: each IP id comes twice.
udp_id_wrap() {
	server "$1" udpecho "-${family#v}" -p "$5" -o
	ip netns exec "$2" timeout 20 "$tools/udpgen" -n 80000 -s 18 -r 50000 -p "$4" "$3"
	local rc=$?
	end_server
	return $rc
}

# 2,000 flows at once.
udp_flows() {
	server "$1" udpecho "-${family#v}" -p "$5"
	ip netns exec "$2" timeout 20 "$tools/udpgen" -n 8000 -s 100 -f 2000 -r 10000 -p "$4" "$3"
	local rc=$?
	sleep 0.1 # the last answers
	end_server
	return $rc
}

# The client's sequence numbers pass 4 GiB in the middle of each connection.
tcp_seq_wrap() {
	local tcp_options='-q 4293467296'
	tcp "$@"
}

# Three connections from one port, one close behind the other: neither end keeps TIME_WAIT.
tcp_port_reuse() {
	local tcp_options='-P 45000' ns
	for ns in "$1" "$2"; do
		ip netns exec "$ns" sh -c 'echo 0 >/proc/sys/net/ipv4/tcp_max_tw_buckets'
	done
	tcp "$@"
	local rc=$?
	for ns in "$1" "$2"; do
		ip netns exec "$ns" sh -c 'echo 65536 >/proc/sys/net/ipv4/tcp_max_tw_buckets'
	done
	return $rc
}

# Idle for more than two seconds, with a keepalive each second: ACKs whose numbers are equal.
tcp_keepalive() {
	server "$1" tcpstream "-${family#v}" -p "$5" -K -n 3000
	ip netns exec "$2" timeout 20 "$tools/tcpstream" client -p "$4" -K -n 30K -c 30000 \
		-i 2300000 -e 3000 "$3"
	local rc=$?
	end_server
	return $rc
}

# Behind this node nothing arrives until the sender's timer has run out a few times; each time
# the kernel takes another source port for the outer header.
tcp_rto() { # SERVERNS CLIENTNS ADDRESS PORT SERVERPORT
	local t=ip i rc client
	[[ $family == v4 ]] || t=ip6
	server "$1" tcpstream "-${family#v}" -p "$5" -n 300K
	ip netns exec "$2" timeout 20 "$tools/tcpstream" client -p "$4" -n 600K -r 2M -c 20000 \
		-e 300K "$3" &
	client=$!
	for ((i = 0; i < 100; i++)); do
		ip netns exec "$2" ss -Hitn "dport = :$4" | grep -q 'bytes_acked:[0-9]\{5\}' && break
		sleep 0.02
	done
	ip netns exec "$NODE2_NS" nft -f - <<-END
		table $t ph-rto {
			chain forward {
				type filter hook forward priority 0;
				tcp dport $5 counter drop
			}
		}
	END
	for ((i = 0; i < 200; i++)); do
		ip netns exec "$2" ss -Hitn "dport = :$4" | grep -q 'backoff:[2-9]' && break
		sleep 0.02
	done
	ip netns exec "$NODE2_NS" nft delete table $t ph-rto
	wait "$client"
	rc=$?
	end_server
	return $rc
}

# on_wire FILE FIELD...: of the segments that the client sent, as tshark sees them on eth0
on_wire() {
	local file=$1 field fields=()
	shift
	for field; do fields+=(-e "$field"); done
	tshark -r "$file" -d udp.port==8472,vxlan -T fields "${fields[@]}" \
		-Y 'frame.interface_name == "eth0" && tcp.dstport == 8080' 2>/dev/null
}

# That a connection had more than one outer source port.
outer_port_changed() { # FILE
	on_wire "$1" udp.srcport tcp.srcport | sort -u | cut -f2 | uniq -d | grep -q .
}

# That sequence numbers went beyond 4 GiB.
seq_wrapped() { # FILE
	on_wire "$1" tcp.seq_raw | awk '$1 > 4293000000 { high++ } $1 < 2000000 { low++ }
		END { exit !(high && low) }'
}

# That ACKs without data came with equal numbers.
has_equal_acks() { # FILE
	on_wire "$1" tcp.len tcp.seq_raw tcp.ack_raw | grep '^0' | sort | uniq -d | grep -q .
}

# ---- more than one kind

# Both families of one pod at once.
dual_stack() { # SERVERNS CLIENTNS ADDRESS ADDRESS6 PORT
	local family=v6 one rc
	server "$1" udpecho -6 -p "$5"
	ip netns exec "$2" timeout 20 "$tools/udpecho" client -p "$5" -n 200 -s "$sizes" -i 100 \
		-w 2000 -b 100001 "$4" &
	one=$!
	ip netns exec "$2" timeout 20 "$tools/udpecho" client -p "$5" -n 200 -s "$sizes" -i 100 \
		-w 2000 "$3"
	rc=$?
	wait "$one" || rc=1
	end_server
	return $rc
}

# Datagrams with an extension header of IPv6, in fragments as well.
udp_extension() {
	local udp_options=-x
	udp "$@"
}

# Nobody listens: each datagram is answered by an ICMP error, of which every second or so ends
# a send() of the client.
udp_refused() { # SERVERNS CLIENTNS ADDRESS PORT
	local limit=/proc/sys/net/ipv4/icmp_ratelimit said
	[[ $family == v4 ]] || limit=/proc/sys/net/ipv6/icmp/ratelimit
	ip netns exec "$1" sh -c "echo 0 >$limit"
	said=$(ip netns exec "$2" timeout 20 "$tools/udpecho" client -o -p "$4" -n 100 -s 16-500 \
		-i 2000 "$3")
	ip netns exec "$1" sh -c "echo 1000 >$limit"
	printf '%s\n' "$said"
	said=${said#sent=}
	((${said%% *} >= 40))
}

# That errors came, and have the number that they quote.
errors_are_known() { # FILE
	"$tools/groundtruth" "$1" | grep -q '^icmp frames=[0-9]\{2,\} '
}

# later TRAFFIC ARGUMENTS...: names of namespaces and @addresses become what the lab says
# (@..._IP4: whatever family it is)
later() {
	local traffic=$1 args=() a name
	shift
	for a; do
		if [[ $a == *_NS ]]; then
			args+=("${!a}")
		elif [[ $a == @* ]]; then
			name=${a#@}
			if [[ $name == *_IP4 ]]; then
				name=${name%4}
			elif [[ $family == v6 ]]; then
				name+=6
			fi
			args+=("${!name}")
		else
			args+=("$a")
		fi
	done
	"$traffic" "${args[@]}"
}

