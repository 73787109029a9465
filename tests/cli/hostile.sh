#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hostile.sh - flows, look-alikes, fragments, VNIs, nesting, header chains without end, clocks that
# jump: memory is bounded (TAP).
# Time limit: 300 s
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
export LC_ALL=C TZ=UTC
podhop=$BUILD/podhop
tmp=$(mktemp -d /tmp/podhop-hostile.XXXXXX)
trap 'rm -rf -- "$tmp"' EXIT
n=0 failed=0
for need in jq python3; do
	command -v $need >/dev/null || { echo "1..0 # SKIP no $need"; exit 0; }
done
if ldd "$podhop" | grep -q 'libasan\|libtsan\|libubsan'; then
	echo '1..0 # SKIP memory is counted, and a sanitizer takes its own'
	exit 0
fi
memory_max=200000000 # the tables are 130 MB when all their pages are used
run() { # KIND FRAMES JQ WANTED: of the same frames at two hops
	local found
	tests/tools/hostile.py "$1" "$2" >"$tmp/veth.pcap"
	cp "$tmp/veth.pcap" "$tmp/bridge.pcap"
	timeout -s KILL 60 "$podhop" report "$tmp/veth.pcap" "$tmp/bridge.pcap" -q --json \
		--hops veth=veth.pcap --hops bridge=bridge.pcap --pod 10.244.1.2 >"$tmp/json" 2>&1
	found="$? $(jq -r "(.capture.max_rss_bytes < $memory_max), .capture.observations, ($3)" "$tmp/json" | tr '\n' ' ')"
	n=$((n + 1))
	if [[ $found == "0 true $((2 * $2)) $4 " ]]; then
		echo "ok $n - $1: $2 frames at two hops, $(($(jq .capture.max_rss_bytes "$tmp/json") / 1000000)) MB"
	else
		failed=1
		echo "not ok $n - $1"
		echo "# found: $found wanted: 0 true $((2 * $2)) $4"
	fi
}
run flows 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
run fragments 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
run vni 200000 '.packets.total, (.capture.closed_early > 0)' '200000 true'
run nested 30000 '.packets.total' 0
run extensions 30000 '.packets.malformed' 60000
# Each is compared with those that are open; stamps that jump back close what is.
run alike 200000 '.packets.complete, .packets.ambiguous' '200000 0'
run clock 200000 '.packets.total > 200000' true
echo "1..$n"
exit $failed
