#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# privacy.sh - live captures of two nodes, anonymized as they are written: nothing of the lab's
# addresses leaves it, and what was sent, delivered and lost is known all the same.
# shellcheck disable=SC1091,SC2034,SC2119,SC2154  # much is set by the sourced file
LAB_PREFIX=prv
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need jq nft python3
lab_test
WEB=node1/default/web API=node2/default/api

head -c 32 /dev/urandom >"$dir/key"
lab_up
capture node1 default/web -w "$dir/a.pcapng" --no-payload --anonymize="$dir/key" -f 'not port 9999'
capture node2 default/api -w "$dir/b.pcapng" --no-payload --anonymize="$dir/key" -Z nobody
on $WEB ping -q -c 20 -i 0.01 "$POD_API_IP" >/dev/null || bail "ping"
tcp $WEB $API "$POD_API_IP" -n 3000000
udp $WEB $API "$POD_API_IP" 200
sleep 0.3 # what is on its way arrives
capture_end node1
is "a sound end" "$status" 0
capture_end node2
is "a sound end, of another user" "$status" 0

json=$("$PODHOP" verify -T json "$dir/a.pcapng" "$dir/b.pcapng")
is "delivered" "$(jq -r .verdict <<<"$json")" delivered
is "all that was sent" "$(jq '[.directions[] | .sent == .delivered and .sent > 200] | all' <<<"$json")" true
is "nodes have pseudonyms" "$(jq -r '.nodes | map(startswith("n-")) | all' <<<"$json")" true
for file in a b; do
	report=$("$PODHOP" report -q -T json "$dir/$file.pcapng")
	is "$file: the paths" "$(jq -r '[.paths[] | select(.packets > 200).path] | sort | join(" ")' <<<"$report")" \
		'underlay>vtep>bridge>veth veth>bridge>vtep>underlay'
	is "$file: nothing ambiguous" "$(jq .packets.ambiguous <<<"$report")" 0
	is "$file: nothing of the lab is in it" "$(python3 - "$dir/$file.pcapng" "$POD_WEB_IP" "$POD_API_IP" \
		"$NODE1_IP" "$NODE2_IP" web api node1 node2 <<'PY'
import ipaddress, re, sys
data = open(sys.argv[1], "rb").read()
for word in sys.argv[2:]:
    try:
        found = ipaddress.ip_address(word).packed in data or word.encode() in data
    except ValueError:
        found = re.search(rb"(?<![0-9a-z])" + word.encode() + rb"(?![0-9a-z])", data)
    if found:
        print(word)
PY
	)" ''
done
like "the filter speaks of no address" "$(head -c 4096 "$dir/a.pcapng" | tr -d '\0')" 'filter=not port 9999'
# Half a super-frame's header at most: payload is not in it, though its length is.
is "headers only" "$(("$(stat -c %s "$dir/a.pcapng")" < 3000000))" 1
like "lengths are those on the wire" "$("$PODHOP" report -q -T json "$dir/a.pcapng" |
	jq '[.flows[].payload_bytes] | max')" '^3[0-9]{6}$'
done_testing
