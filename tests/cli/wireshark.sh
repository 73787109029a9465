#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# wireshark.sh - the plugin and the profile of samples/wireshark in tshark (TAP).
#
#   tests/cli/wireshark.sh [FILE...]     without FILE hops.pcapng, fragments6.pcapng and samples/
#
# hops.pcapng: node1 of a lab with VXLAN on port 51234, VNI 7, segmentation in front of
# eth0 (super-frames at three hops, segments on the wire), pod default/web: pings and
# 40 kB over TCP to a Service. 24 packets, 114 frames, 128 bytes kept of each.
# fragments6.pcapng: pings of 4,000 bytes over IPv6, in fragments, the first into a Packet Too Big.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
plugin=$root/samples/wireshark/podhop.lua
sample=$root/tests/data/wireshark/hops.pcapng
[ $# -gt 0 ] || set -- "$root"/tests/data/wireshark/*.pcapng "$root"/samples/*.pcapng

if ! command -v tshark >/dev/null || ! command -v jq >/dev/null; then
	echo '1..0 # skip tshark or jq is not installed'
	exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/conf/profiles"
cp -r "$root/samples/wireshark/profile" "$tmp/conf/profiles/podhop"
WIRESHARK_CONFIG_DIR=$tmp/conf
export WIRESHARK_CONFIG_DIR

# shellcheck source=tests/lib/tap.sh
. "$root/tests/lib/tap.sh"

# shellcheck disable=SC2317  # called through ok
same() {
	[ "$1" = "$2" ] || { echo "have $1, want $2"; return 1; }
}

# shark FILE ARGUMENTS...: with the plugin; messages kept for the last test
shark() {
	timeout 120 tshark -X "lua_script:$plugin" -r "$@" 2>>"$tmp/messages"
}

count() {
	shark "$@" | wc -l
}

# Every observation but a packet's first links back, every one but the last links on, each
# link is answered, goes to a neighbouring hop of the same packet, and forward in time. Frames that
# end where others of their packet go on are known ones.
# shellcheck disable=SC2317
links() {
	shark "$1" -2 -Y frame.packet_id -T fields -e frame.number -e podhop.id -e podhop.hop \
		-e podhop.hops -e podhop.prev_hop -e podhop.next_hop >"$tmp/links"
	ends=
	[ "$name" != fragments6.pcapng ] || ends=,7,11,
	awk -F '\t' -v ends="$ends" '
	{
		id[$1] = $2; hop[$1] = $3; hops[$1] = $4; prev[$1] = $5; next_[$1] = $6; n++
	}
	function bad(text) { print "frame " f ": " text; failed = 1 }
	END {
		if (!n) { print "no frame with a packet id"; exit 1 }
		for (f in id) {
			if (hop[f] > 1 && prev[f] == "") bad("no link back")
			if (hop[f] == 1 && prev[f] != "") bad("link back at the first hop")
			if (hop[f] < hops[f] && (next_[f] == "") != (index(ends, "," f ",") > 0))
				bad(next_[f] == "" ? "no link on" : "links on")
			if (hop[f] == hops[f] && next_[f] != "") bad("link on at the last hop")
			k = split(next_[f], to, ",")
			for (i = 1; i <= k; i++) {
				if (id[to[i]] != id[f] || hop[to[i]] != hop[f] + 1 || to[i] + 0 <= f + 0)
					bad("links on to " to[i])
				if (("," prev[to[i]] ",") !~ ("," f ",")) bad(to[i] " does not link back")
			}
			k = split(prev[f], to, ",")
			for (i = 1; i <= k; i++)
				if (("," next_[to[i]] ",") !~ ("," f ",")) bad(to[i] " does not link on")
		}
		exit failed
	}' "$tmp/links"
}

for file in "$@"; do
	name=$(basename "$file")
	total=$(count "$file" -Y frame.packet_id)
	succeeds "$name: links in both directions for every packet" links "$file"
	succeeds "$name: every frame with a packet id has hop, path, role, direction" same "$(count "$file" \
		-Y 'podhop.hop && podhop.path && podhop.role && podhop.dir && podhop.id')" "$total"
	succeeds "$name: path filters" test "$(count "$file" -2 -Y 'podhop.path contains "vtep"')" -gt 0
	succeeds "$name: a path filter and its opposite share the frames" same "$(($(count "$file" -2 \
		-Y 'podhop.path contains "vtep"') + $(count "$file" -2 \
		-Y 'podhop && !(podhop.path contains "vtep")')))" "$total"
	succeeds "$name: the profile flags no retransmission" same "$(count "$file" -2 -C podhop \
		-Y 'tcp.analysis.retransmission || tcp.analysis.spurious_retransmission ||
		    tcp.analysis.fast_retransmission || tcp.analysis.duplicate_ack')" 0
	# Behind the first fragment of an outer datagram there is none. Put together it may stand in
	# the last one.
	succeeds "$name: VXLAN is decoded wherever it is" same \
		"$(count "$file" -Y 'podhop.role == "underlay" && podhop.path contains "vtep" && !vxlan &&
			!(ip.frag_offset > 0) && !(ipv6.fraghdr.offset > 0) && !ip.reassembled_in &&
			!ipv6.reassembled.in' -2)" 0

	# What --terse leaves out follows from the frames themselves.
	timeout 60 "$PODHOP" report -q "$file" -w "$tmp/terse.pcapng" --terse >/dev/null
	succeeds "$name --terse: links in both directions" links "$tmp/terse.pcapng"
	for mode in "$file" "$tmp/terse.pcapng"; do
		shark "$mode" -2 -Y podhop -T fields -e podhop.id -e podhop.hop -e podhop.hops \
			-e podhop.role -e podhop.path -e podhop.dir -e podhop.prev_hop \
			-e podhop.next_hop >"$tmp/$(basename "$mode").fields"
	done
	succeeds "$name --terse: the same fields as with comments" \
		diff "$tmp/$name.fields" "$tmp/terse.pcapng.fields"
	shark "$file" -2 -Y 'podhop.dt' -T fields -e frame.number -e podhop.dt >"$tmp/dt"
	shark "$file" -T fields -e frame.number -e frame.comment |
		sed -n 's/^\([0-9]*\)\t.* dt_ns=\([0-9]*\).*/\1 \2/p' |
		awk '{ printf "%d\t%d.%09d\n", $1, $2 / 1000000000, $2 % 1000000000 }' >"$tmp/want"
	succeeds "$name: podhop.dt is the comment's dt_ns" diff "$tmp/want" "$tmp/dt"

	# A file a hop: the analysis works there, and blames nothing but real retransmissions.
	timeout 60 "$PODHOP" report -q "$file" -w "$tmp/split.pcapng" --split >/dev/null
	shark "$tmp/split.pcapng" -2 -Y podhop.retransmission -T fields -e podhop.id | sort -u >"$tmp/real"
	for hop in "$tmp"/split-*.pcapng; do
		shark "$hop" -2 -Y 'tcp.analysis.retransmission ||
			tcp.analysis.spurious_retransmission || tcp.analysis.fast_retransmission' \
			-T fields -e podhop.id | sort -u >"$tmp/flagged"
		succeeds "$name $(basename "$hop"): nothing else is flagged retransmission" \
			sh -c "! comm -13 '$tmp/real' '$tmp/flagged' | grep ."
	done
	rm -f "$tmp"/split*.pcapng
done

# An IPv6 datagram in three fragments, of which the VTEP lets the last pass (the others are too long).
succeeds "fragments6.pcapng: the fragment that went on links to itself alone" same \
	"$(shark "$root/tests/data/wireshark/fragments6.pcapng" -2 -Y 'podhop.id == 3 && podhop.role == "vtep"' \
		-T fields -e frame.number -e podhop.prev_hop -e podhop.next_hop | tr '\t' ' ')" "16 15 17"
succeeds "fragments6.pcapng: those that were too long link no further" same \
	"$(shark "$root/tests/data/wireshark/fragments6.pcapng" -2 -Y 'frame.number == 7 || frame.number == 11' \
		-T fields -e podhop.prev_hop -e podhop.next_hop | tr '\t\n' ' ;')" "6 ;10 ;"

# What is known of the sample to the digit.
succeeds "sample: 24 packets" same "$(count "$sample" -Y 'podhop.hop == 1')" 24
succeeds "sample: one path for each" same "$(shark "$sample" -2 -Y 'podhop.hop == 1' -T fields -e podhop.path |
	sort | uniq -c | tr -s ' ' | tr '\n' ';')" \
	" 10 underlay>vtep>bridge>veth; 2 veth; 12 veth>bridge>vtep>underlay;"
succeeds "sample: a super-frame links to its five segments" same "$(shark "$sample" -2 \
	-Y 'frame.number == 31' -T fields -e podhop.next_hop)" 32,33,34,35,36
succeeds "sample: the Service's translation" test "$(count "$sample" -Y 'podhop.nat contains ":8080"')" -gt 0
succeeds "sample: 50 bytes of overhead a datagram" same "$(shark "$sample" -Y 'podhop.overhead' -T fields \
	-e podhop.overhead | sort | uniq -c | tr -s ' ')" " 46 50"
succeeds "sample: no retransmission" same "$(count "$sample" -Y podhop.retransmission)" 0

lost=$(sed -n 's/^"TRUE","ends too soon","\([^"]*\)".*/\1/p' "$tmp/conf/profiles/podhop/dfilter_buttons" |
	sed 's/\\x22/"/g')
succeeds "loss.pcapng: the packets that ended too soon are those of the report" same \
	"$(shark "$root/samples/loss.pcapng" -2 -Y "$lost" -T fields -e podhop.id | sort -u | wc -l)" \
	"$("$PODHOP" report -q "$root/samples/loss.pcapng" --json | jq '[.losses[].packets] | add')"

# Columns, colours and filter buttons of the profile load, and each button is a filter.
timeout 60 tshark -C podhop -X "lua_script:$plugin" -r "$sample" --color -c 20 \
	>"$tmp/columns" 2>>"$tmp/messages"
succeeds "profile: columns show interface, packet, hop and path" grep -q \
	'eth0 1 4 0.000016000 veth>bridge>vtep>underlay .*default/web' "$tmp/columns"
sed -n 's/^"TRUE","\([^"]*\)","\([^"]*\)".*/\1:\2/p' "$tmp/conf/profiles/podhop/dfilter_buttons" |
	sed 's/\\x22/"/g' >"$tmp/buttons"
while IFS=: read -r label filter; do
	succeeds "profile: button \"$label\"" timeout 60 tshark -X "lua_script:$plugin" -r "$sample" \
		-Y "$filter" -c 1 </dev/null
done <"$tmp/buttons"
sed -n 's/^@[^@]*@\([^@]*\)@.*/\1/p' "$tmp/conf/profiles/podhop/colorfilters" >"$tmp/colours"
while read -r filter; do
	succeeds "profile: colour of $filter" timeout 60 tshark -X "lua_script:$plugin" -r "$sample" \
		-Y "$filter" -c 1 </dev/null
done <"$tmp/colours"
succeeds "plugin: loaded twice it steps back" timeout 60 tshark -X "lua_script:$plugin" \
	-X "lua_script:$plugin" -r "$sample" -c 1
succeeds "no message but tshark's own about root" sh -c \
	"! grep -v 'Running as user' '$tmp/messages' | grep ."
done_testing
