# SPDX-License-Identifier: BSD-3-Clause
# cluster.jq - many nodes' reports (podhop capture --json, report --json) as one:
#
#   jq -n -f cluster.jq node1.json node2.json ...
#
# Reports are read one after the other; what is kept grows with nodes and tunnels, not with packets.
def plus($more): reduce ($more | to_entries[]) as $e (.;
	if $e.value | type == "number" then .[$e.key] += $e.value else . end);

reduce inputs as $r (
	{nodes: 0, observations: 0, dropped: 0, packets: {}, encapsulation: {}, losses: [], tunnels: {}, latency: []};
	.nodes += 1
	| .observations += $r.capture.observations
	| .dropped += ([$r.capture.interfaces[].dropped_kernel // 0] | add // 0)
	| .packets |= plus($r.packets)
	| .encapsulation |= plus($r.encapsulation | del(.overhead_pct, .tunnels))
	| .losses += [$r.losses[] | {node: $r.node, last_seen, next_expected, direction, packets, verdict, reason}]
	| reduce ($r.encapsulation.tunnels // [])[] as $t (.;
		.tunnels["\($t.outer_src) > \($t.outer_dst)"] |= plus($t | {packets, overhead_bytes}))
	| .latency += [$r.latency[] | select(.measurable and .samples > 0) |
		{node: $r.node, from, to, direction, p99_ns}]
)
| .encapsulation.overhead_pct = (if (.encapsulation.inner_bytes // 0) > 0 then
	100 * .encapsulation.overhead_bytes / .encapsulation.inner_bytes else null end)
| .losses_omitted = ([(.losses | length) - 100, 0] | max)
| .losses |= (sort_by(-.packets) | .[:100])
| .latency |= (sort_by(-.p99_ns) | .[:20])
| .tunnels |= (to_entries | sort_by(-.value.packets) | {count: length, most: (.[:20] | from_entries)})
