#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# names.sh - --pods: names in lines, report, page and file (TAP).
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
sample=$root/tests/data/wireshark/hops.pcapng
cluster=$root/tests/data/names/cluster.json
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. "$root/tests/lib/tap.sh"

podhop() { timeout 30 "$PODHOP" "$@"; }

podhop report "$sample" --pods "$cluster" --html "$tmp/page.html" -w "$tmp/named.pcapng" --print \
	>"$tmp/text" 2>&1
succeeds 'lines name pods and Services' grep -q \
	'default/web\.[0-9]* > shop/api\.80 .*(nat shop/api.80 -> default/api.8080)' "$tmp/text"
succeeds 'the report names nodes' grep -q 'node1 > node2\.51234' "$tmp/text"
succeeds 'the page names them' grep -q 'shop/api' "$tmp/page.html"
podhop report -n "$sample" --pods "$cluster" >"$tmp/text" 2>&1
succeeds '-n: addresses' grep -q '10\.244\.1\.2\.[0-9]* > 10\.96\.0\.10\.80' "$tmp/text"
succeeds '-n: no name in a line' sh -c "! grep -q 'shop/api\|node2' '$tmp/text'"
podhop report "$sample" >"$tmp/text" 2>&1
succeeds 'without --pods: addresses' grep -q '10\.244\.1\.2\.[0-9]* > 10\.96\.0\.10\.80' "$tmp/text"
podhop report "$sample" --pods - <"$cluster" >"$tmp/text" 2>&1
succeeds 'from a pipe' grep -q shop/api "$tmp/text"
if command -v tshark >/dev/null; then
	# tshark's remarks name the file.
	tshark -r "$tmp/named.pcapng" -q -z hosts 2>/dev/null | grep -v '^#' >"$tmp/hosts"
	# A report of that file keeps the names.
	podhop report -q "$tmp/named.pcapng" -w "$tmp/again.pcapng" >/dev/null
	tshark -r "$tmp/again.pcapng" -q -z hosts 2>/dev/null | grep -v '^#' >"$tmp/hosts.again"
	succeeds 'names of an input are kept' sh -c "sort '$tmp/hosts' >'$tmp/a'; sort '$tmp/hosts.again' |
		diff '$tmp/a' -"
	for line in '10.96.0.10 shop/api' '10.244.2.2 default/api' '192.168.77.12 node2' \
		'10.244.2.0 node2' '10.244.1.2 default/web'; do
		succeeds "file: $line" grep -qx "$(echo "$line" | tr ' ' '\t')" "$tmp/hosts"
	done
else
	skip "names in the file" "tshark is not installed"
fi
status=0
podhop report "$sample" --pods "$sample" >"$tmp/text" 2>&1 || status=$?
succeeds 'what is no JSON is refused' test "$status" -eq 1
succeeds 'the refusal says what is needed' grep -q 'hops.pcapng: no JSON .*kubectl get pods' "$tmp/text"
done_testing
