#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hostile.sh - flows, look-alikes, fragments, VNIs, nesting, header chains without end, clocks that
# jump, flows made to fall into one bucket: memory and time are bounded, what is refused is counted
# (TAP).
# Time limit: 300 s
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
export LC_ALL=C TZ=UTC
podhop=$BUILD/podhop
tmp=$(mktemp -d /tmp/podhop-hostile.XXXXXX)
trap 'rm -rf -- "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
for need in jq python3; do
	command -v $need >/dev/null || { echo "1..0 # SKIP no $need"; exit 0; }
done
if ldd "$podhop" | grep -q 'libasan\|libtsan\|libubsan'; then
	echo '1..0 # SKIP memory is counted, and a sanitizer takes its own'
	exit 0
fi
memory_max=200000000 # the tables are 130 MB when all their pages are used
run() { # KIND FRAMES JQ WANTED: of the same frames at two hops
	local found pods=(--pod 10.244.1.2 --pod fd00:0:0:1::2)
	tests/tools/hostile.py "$1" "$2" >"$tmp/veth.pcap"
	cp "$tmp/veth.pcap" "$tmp/bridge.pcap"
	timeout -s KILL 60 "$podhop" report "$tmp/veth.pcap" "$tmp/bridge.pcap" -q --json \
		--hops veth=veth.pcap --hops bridge=bridge.pcap "${pods[@]}" >"$tmp/json" 2>&1
	found="$? $(jq -r "(.capture.max_rss_bytes < $memory_max), .capture.observations, ($3)" "$tmp/json" | tr '\n' ' ')"
	if [[ $found == "0 true $((2 * $2)) $4 " ]]; then
		ok "$1: $2 frames at two hops, $(($(jq .capture.max_rss_bytes "$tmp/json") / 1000000)) MB"
	else
		not_ok "$1" "found: $found wanted: 0 true $((2 * $2)) $4"
	fi
}
run flows 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
run fragments 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
run vni 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
# VXLAN in VXLAN: of no pod, and at these two hops nothing is unwrapped.
run nested 30000 '.packets.total, (.paths[] | .direction, .packets), .encapsulation.outer_datagrams' \
	'0 other 30000 0'
# At the underlay one layer is, and one is counted, however many follow.
nested=$("$podhop" report "$tmp/veth.pcap" -q --json --hops underlay=veth.pcap --pod 10.244.1.2 2>&1 |
	jq -c '[.packets.total, .paths[].packets, .encapsulation.outer_datagrams, .encapsulation.overhead_bytes,
		([.encapsulation.tunnels[].outer_datagrams] | add), (.encapsulation.tunnels | length <= 4096)]')
is 'nested, at the underlay: one layer is unwrapped and counted, the rest are its bytes' "$nested" \
	'[0,30000,30000,1500000,30000,true]'
run extensions 30000 '.packets.malformed' 60000
# Each is compared with those that are open; stamps that jump back close what is.
run alike 200000 '.packets.complete, .packets.ambiguous' '200000 0'
run clock 200000 '.packets.total > 200000' true
# Under a table without a key the second takes time by the square: killed after a minute.
run scatter 200000 '.packets.total' 200000
run collide 200000 '.packets.total' 200000
# Whoever starts podhop may be large: what is told is podhop's own.
found=$(python3 - "$podhop" <<'EOF'
import json, subprocess, sys
before = b"x" * 400_000_000
told = subprocess.run([sys.argv[1], "report", "samples/remote.pcapng", "-q", "--json"], capture_output=True)
print(json.loads(told.stdout)["capture"]["max_rss_bytes"] in range(1_000_000, len(before)))
EOF
)
is "a large parent's memory is not podhop's" "$found" True
key_of_run() { # DIGITS COMMAND
	local digits=$1
	shift
	KEYED_FD=9 LD_PRELOAD=$BUILD/preload/keyed.so "$podhop" "$@" samples/remote.pcapng -q \
		9>"$tmp/key" >/dev/null 2>&1
	grep -xE "[0-9a-f]{$digits}" "$tmp/key" | sort | uniq | head -n 1
}
key_differs() { # NAME DIGITS COMMAND
	local one two
	one=$(key_of_run "$2" "$3") two=$(key_of_run "$2" "$3")
	if [[ -n $one && -n $two && $one != "$two" ]]; then
		ok "$3: $1"
	else
		not_ok "$3: $1" "'$one', then '$two'"
	fi
}
for command in report verify; do
	key_differs "the tables' key is another one each run" 16 "$command"
	# The 16 bytes that each program gets from the kernel at its start.
	KEYED_FAIL=1 key_differs "also where there is no getrandom()" 32 "$command"
done
done_testing
