#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# demo.sh - podhop at work: two flannel nodes on this machine, traffic between their pods.
#
# Needs root. Raises a lab of network namespaces (samples/lab/lab) under a name of its own and
# removes it however it ends; the machine's own interfaces are not touched. Leaves
# build/demo.pcapng.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
BUILD=${BUILD:-build}
podhop=$root/$BUILD/podhop
tools=$root/$BUILD/tools
out=$BUILD/demo.pcapng
export PODHOP_LAB=demo$$
lab=$root/samples/lab/lab

die() {
	echo "demo: $*" >&2
	exit 1
}
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[[ -t 1 && -z ${NO_COLOR:-} ]] || say() { printf '\n%s\n' "$*"; }

((EUID == 0)) || die "needs root for its network namespaces: sudo make demo"
[[ -x $podhop && -x $tools/tcpstream && -x $tools/udpecho ]] || die "not built: make all tools"

tmp=$(mktemp -d) || exit 1
pids=()
cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	((${#pids[@]} == 0)) || kill "${pids[@]}" 2>/dev/null
	wait
	"$lab" down -q
	rm -rf "$tmp"
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

# Until a line like PATTERN stands in FILE, as long as process PID lives.
wait_for() { # FILE PATTERN PID
	local tries=400
	until grep -q "$2" "$1" 2>/dev/null; do
		if ! kill -0 "$3" 2>/dev/null || ! ((tries--)); then
			cat "$1" >&2
			return 1
		fi
		sleep 0.05
	done
}

say "A lab of two flannel nodes (node1: default/web, node2: default/api)"
"$lab" up -q || die "the lab did not come up"
"$lab" status
eval "$("$lab" env)"

say "\$ podhop list                  (on node1)"
"$lab" exec node1 "$podhop" list --host-root "$NODE1_ROOT" || die "list failed"

say "\$ podhop capture default/web -w $out        (on node1; default/web talks to default/api on node2)"
"$lab" exec node1 "$podhop" capture default/web --host-root "$NODE1_ROOT" -w "$out" \
	-a duration:60 >"$tmp/report" 2>"$tmp/progress" &
capture=$!
pids+=("$capture")
wait_for "$tmp/progress" 'capturing on' "$capture" || die "capture did not start"
cat "$tmp/progress"

"$lab" exec node2/api "$tools/tcpstream" server -n 200K >"$tmp/tcp" 2>&1 &
server=$!
pids+=("$server")
"$lab" exec node2/api "$tools/udpecho" server -n 1000 >"$tmp/udp" 2>&1 &
echo_server=$!
pids+=("$echo_server")
wait_for "$tmp/tcp" '^ready' "$server" || die "the TCP server did not start"
wait_for "$tmp/udp" '^ready' "$echo_server" || die "the UDP server did not start"
"$lab" exec node1/web "$tools/tcpstream" client -n 2M "$POD_API_IP" >"$tmp/client" ||
	die "the TCP stream failed"
"$lab" exec node1/web "$tools/udpecho" client -n 1000 -s 8-1400 "$POD_API_IP" >"$tmp/client" ||
	die "the UDP exchange failed"
"$lab" exec node1/web ping -q -i 0.02 -c 50 "$POD_API_IP" >"$tmp/client" || die "ping failed"
wait "$server" "$echo_server"
kill -TERM "$capture"
wait "$capture" || {
	cat "$tmp/progress" "$tmp/report" >&2
	die "capture failed"
}
sed 1d "$tmp/progress"
cat "$tmp/report"

for sign in 'veth>bridge>vtep>underlay' 'underlay>vtep>bridge>veth' '50 B a datagram'; do
	grep -q "$sign" "$tmp/report" || die "the report lacks '$sign'"
done
cat <<END

$out has every frame of all four hops, each with the id of its packet:
  tshark -r $out -d udp.port==8472,vxlan -Y frame.packet_id==1     one packet at all its hops
  $BUILD/podhop report $out                                    the same report again
  wireshark $out
END
