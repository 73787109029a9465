#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# pcapng-judge.sh - lets tshark, capinfos, tcpdump and dumpcap judge the files of our pcapng writer.
#
# Needs neither root nor a network. Arguments: further files of ours to judge.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
FRAMES=1000	# JUDGE_FRAMES of tests/unit/test_pcapng_write.c

dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
have()
{
	command -v "$1" >/dev/null 2>&1
}

# judge NAME FILE: what any of our files must stand
judge()
{
	if have tshark; then
		# The block structure itself, dissected by somebody else's code. For files of up
		# to some 100,000 frames: it builds one tree of all blocks.
		blocks=$(timeout 120 tshark -r "$2" -X 'read_format:MIME Files Format' -V \
			-o gui.max_tree_items:20000000 2>"$dir/err")
		is "$1: tshark reads its blocks" "$?:$(grep -vi 'running as' "$dir/err")" "0:"
		is "$1: no malformed block, no expert information" \
			"$(printf '%s\n' "$blocks" | grep -ciE 'malformed|expert info|unknown (block|option)')" 0
		# Comments are expert information of severity "Comment" and no complaint; the packets
		# are left to other tests, so that only what concerns the file is looked at.
		timeout 120 tshark -r "$2" -n -T fields -e frame.number >/dev/null 2>"$dir/err"
		is "$1: tshark reads it without a warning" "$(grep -vi 'running as' "$dir/err")" ""
	else
		skip "$1: tshark" "it is not installed"
	fi
	if have capinfos; then
		out=$(timeout 120 capinfos -A "$2" 2>&1)
		is "$1: capinfos reads it" "$?" 0
		is "$1: in time order" "$(printf '%s\n' "$out" | sed -n 's/^Strict time order: *//p')" True
	else
		skip "$1: capinfos" "it is not installed"
	fi
	if have tcpdump; then
		timeout 120 tcpdump -n -r "$2" -w /dev/null 2>"$dir/err"
		is "$1: tcpdump reads it" "$?" 0
	else
		skip "$1: tcpdump" "it is not installed"
	fi
}

f=$dir/everything.pcapng
writer=$BUILD/tests/test_pcapng_write
[ -x "$writer" ] || make -s BUILD="$BUILD" "$writer" >/dev/null 2>&1
if PODHOP_JUDGE_FILE=$f timeout 60 "$writer" >"$dir/out" 2>&1; then
	ok "the writer's own tests pass"
else
	not_ok "the writer's own tests pass" "$(cat "$dir/out")"
fi

judge everything "$f"
if have tshark; then
	fields()
	{
		timeout 60 tshark -r "$f" -n -T fields "$@" 2>/dev/null
	}
	is "tshark finds all frames" "$(fields -e frame.number | wc -l)" $FRAMES
	is "frame.packet_id selects the hops of one packet" \
		"$(fields -Y 'frame.packet_id == 7' -e frame.interface_name | tr '\n' ' ')" \
		"veth0 cni0 flannel.1 eth0 "
	is "nanoseconds" "$(fields -Y 'frame.number == 2' -e frame.time_epoch)" 1700000000.000001001
	is "direction" "$(fields -Y 'frame.number == 2' -e frame.packet_flags_direction)" 0x00000001
	is "drop count" "$(fields -Y 'frame.drop_count == 1' -e frame.number | wc -l)" 20
	is "comment" "$(fields -Y 'frame.number == 2' -e frame.comment)" \
		"podhop id=31 hop=3 dir=egress path=veth>bridge>vtep dt_ns=24000"
	is "interface description" \
		"$(fields -Y 'frame.number == 2' -e frame.interface_description)" "podhop role=x node=n1"
	is "names" "$(timeout 60 tshark -r "$f" -N n -Y 'frame.number == 2' -T fields \
		-e ip.src_host 2>/dev/null)" "default/web"
	is "a frame of 261120 bytes" "$(fields -Y 'frame.number == 601' -e frame.cap_len)" 261120
else
	skip "what tshark finds" "it is not installed"
fi
if have tcpdump; then
	is "tcpdump finds all frames" \
		"$(timeout 60 tcpdump -n -r "$f" 2>/dev/null | wc -l)" $FRAMES
	is "tcpdump shows the frame" \
		"$(timeout 60 tcpdump -n -t -r "$f" -c 1 2>/dev/null)" \
		"IP 10.244.1.2.40000 > 10.244.2.3.5001: UDP, length 4"
else
	skip "what tcpdump finds" "it is not installed"
fi
if have capinfos; then
	out=$(timeout 60 capinfos "$f" 2>/dev/null)
	is "capinfos finds four interfaces" \
		"$(printf '%s\n' "$out" | sed -n 's/^Number of interfaces in file: *//p')" 4
	is "capinfos finds a statistics block each" \
		"$(printf '%s\n' "$out" | grep -c 'Number of stat entries = 1')" 4
else
	skip "what capinfos finds" "it is not installed"
fi
if have dumpcap; then
	# Its block limit on pipes is the lowest of all: only the 70000 byte comment is near it.
	timeout 60 dumpcap -q -i - -w "$dir/piped.pcapng" <"$f" >"$dir/out" 2>&1
	is "dumpcap takes it from a pipe" "$?:$(timeout 60 capinfos -Mc "$dir/piped.pcapng" 2>/dev/null |
		sed -n 's/^Number of packets: *//p')" "0:$FRAMES"
else
	skip "what dumpcap finds" "it is not installed"
fi

i=0
for file in "$@"; do
	i=$((i + 1))
	judge "argument $i" "$file"
done

done_testing
