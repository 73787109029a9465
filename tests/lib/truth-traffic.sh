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
	ip netns exec "$2" timeout 20 "$tools/tcpstream" client -p "$4" -n 3M -e 300K -k 3 \
		${mss:+-m "$mss"} "$3"
	local rc=$?
	end_server
	return $rc
}

udp() {
	server "$1" udpecho "-${family#v}" -p "$5" ${listen:+"$listen"}
	ip netns exec "$2" timeout 20 "$tools/udpecho" client -p "$4" -n 200 -s "${sizes:-16-4000}" \
		-i 100 -w 2000 "$3"
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

# later TRAFFIC ARGUMENTS...: names of namespaces and @addresses become what the lab says
later() {
	local traffic=$1 args=() a name
	shift
	for a; do
		if [[ $a == *_NS ]]; then
			args+=("${!a}")
		elif [[ $a == @* ]]; then
			name=${a#@}
			[[ $family == v6 ]] && name+=6
			args+=("${!name}")
		else
			args+=("$a")
		fi
	done
	"$traffic" "${args[@]}"
}

