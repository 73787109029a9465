#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# wireshark.sh - tshark beside podhop in a lab: extcap, plugin, profile (TAP).
#
# tshark starts podhop itself, from an extcap folder, inside the node's namespace.
# shellcheck disable=SC2154  # set by start, or by lab env
set -uo pipefail
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need tshark awk
lab_test
plugin=$ROOT/samples/wireshark/podhop.lua

export WIRESHARK_CONFIG_DIR=$dir/conf
mkdir -p "$dir/conf/extcap" "$dir/conf/plugins" "$dir/conf/profiles"
cp "$plugin" "$dir/conf/plugins/"
cp -r "$ROOT/samples/wireshark/profile" "$dir/conf/profiles/podhop"

lab_up --offload off

# A node's root is not / here: the folder holds a script, as on any such node.
printf '#!/bin/sh\nexec "%s" "$@" --host-root "%s"\n' "$PODHOP" "$NODE1_ROOT" \
	>"$dir/conf/extcap/podhop"
chmod +x "$dir/conf/extcap/podhop"
extcap=$dir/conf/extcap/podhop

shark() { on node1 timeout 60 tshark "$@" 2>"$dir/shark.err"; }

# ---- the protocol, as a program sees it ----

is 'interfaces: a sentence and the pods' "$(on node1 "$extcap" --extcap-interfaces \
	--extcap-version=4.0 2>&1 | sed 's/{version=[^}]*}//')" \
	"extcap {display=podhop: pods at every hop}
interface {value=podhop-default-client}{display=pod default/client $POD_CLIENT_IP}
interface {value=podhop-default-web}{display=pod default/web $POD_WEB_IP}"
like 'config: the options' "$(on node1 "$extcap" --extcap-config --extcap-interface podhop-default-web 2>&1 |
	sed -n 's/^arg .*{call=\([^}]*\)}.*/\1/p' | tr '\n' ' ')" '--filter --snaplen --hops --names'
is 'dlts: Ethernet' "$(on node1 "$extcap" --extcap-dlts --extcap-interface podhop-default-web 2>&1)" \
	'dlt {number=1}{name=EN10MB}{display=Ethernet}'
is 'a valid filter: silence' "$(on node1 "$extcap" --extcap-capture-filter 'tcp port 80' \
	--extcap-interface podhop-default-web 2>&1)" ''
like 'a wrong filter: a sentence' "$(on node1 "$extcap" --extcap-capture-filter 'tcp porrt 80' \
	--extcap-interface podhop-default-web 2>&1)" 'porrt'
PODHOP_LAB_DIR=/nonexistent like 'no node here: an empty list, not an error' \
	"$("$PODHOP" --extcap-interfaces --host-root "$dir" 2>&1; echo "status $?")" \
	'extcap .*status 0'

# ---- tshark lists and captures ----

like 'tshark -D lists the pods' "$(shark -D)" 'podhop-default-web \(pod default/web '

start ping_pid "$dir/ping" "$lab" exec node1/web ping -i 0.1 "$POD_API_IP"
wait_for "$dir/ping" 'bytes from' "$ping_pid"
shark -i podhop-default-web -c 40 -T fields -e podhop.hop -e frame.packet_id -e frame.interface_name \
	-e podhop.path >"$dir/live" || true
is 'tshark -i: 40 frames, live' "$(wc -l <"$dir/live")" 40
is 'tshark -i: every hop' "$(cut -f 3 "$dir/live" | sort -u | tr '\n' ' ')" \
	"$(printf '%s\n' "$POD_WEB_VETH" cni0 "$LAB_VTEP" eth0 | sort | tr '\n' ' ')"
is 'tshark -i: hops 1 to 4 of each packet' "$(awk -F '\t' '{ h[$2] = h[$2] $1 } END {
	for (p in h) print h[p] }' "$dir/live" | sort | uniq -c | sort -rn | awk 'NR == 1 { print $2 }')" 1234
shark -i podhop-default-web -a duration:2 -w "$dir/ext.pcapng" >/dev/null || true
succeeds 'tshark -i -w: a sound file' tshark -r "$dir/ext.pcapng" -Y podhop
shark -i podhop-default-web -f 'icmp[icmptype] = icmp-echoreply' -c 8 -T fields -e icmp.type \
	>"$dir/live" || true
is 'tshark -f: the filter speaks of the pod, at every hop' "$(sort "$dir/live" | uniq -c | tr -s ' ')" ' 8 0'
# Of the traffic, not of ARP, whose frames are shorter than that.
shark -i podhop-default-web -f icmp -o extcap.podhop_default_web.snaplen:64 -c 8 -T fields -e frame.cap_len \
	-e frame.interface_name >"$dir/live" || true
is 'snap length: 64 bytes of the inner frame' "$(awk -v v="$POD_WEB_VETH" '$2 == v { print $1 }' \
	"$dir/live" | sort -u)" 64

# ---- without tshark: FIFO, signals, errors ----

mkfifo "$dir/fifo"
start extcap_pid "$dir/extcap.err" "$lab" exec node1 "$extcap" --capture --extcap-interface podhop-default-web \
	--fifo "$dir/fifo"
start reader_pid "$dir/reader" cp "$dir/fifo" "$dir/fifo.pcapng"
for _ in {1..200}; do
	[[ $(stat -c %s "$dir/fifo.pcapng" 2>/dev/null || echo 0) -lt 4000 ]] || break
	sleep 0.05
done
# The lab's exec becomes the program itself: the signal reaches podhop.
kill -TERM "$extcap_pid"
status=0
wait "$extcap_pid" || status=$?
wait "$reader_pid"
is 'SIGTERM: exit status 0' "$status" 0
is 'SIGTERM: nothing on stderr' "$(cat "$dir/extcap.err")" ''
is 'SIGTERM: statistics of every hop at the end' "$(tshark -r "$dir/fifo.pcapng" \
	-X 'read_format:MIME Files Format' -T fields -e pcapng.block.type 2>/dev/null | tr ',' '\n' |
	tail -n 4 | sort | uniq -c | awk '{ print $1, $2 }')" '4 0x00000005'

start extcap_pid "$dir/extcap.err" "$lab" exec node1 "$extcap" --capture --extcap-interface podhop-default-web \
	--fifo "$dir/fifo"
head -c 2000 "$dir/fifo" >/dev/null
status=0
wait "$extcap_pid" || status=$?
is 'the reader goes: exit status 0' "$status" 0
is 'the reader goes: nothing on stderr' "$(cat "$dir/extcap.err")" ''

status=0
on node1 timeout 20 "$extcap" --capture --extcap-interface podhop-default-gone --fifo "$dir/fifo" \
	2>"$dir/extcap.err" || status=$?
is 'a pod that is gone: exit status 2' "$status" 2
like 'a pod that is gone: what to do' "$(cat "$dir/extcap.err")" 'no such pod .*refresh'
long=$(head -c 5000 /dev/zero | tr '\0' x)
on node1 timeout 20 "$extcap" --capture --extcap-interface podhop-default-web --filter "$long" --fifo "$dir/fifo" \
	2>"$dir/extcap.err" || true
succeeds 'an error has less than 1024 bytes' test "$(wc -c <"$dir/extcap.err")" -lt 1024
shark -i podhop-default-web -f 'tcp porrt 80' -c 1 >/dev/null || true
like 'tshark shows the error' "$(cat "$dir/shark.err")" 'extcap pipe: .*porrt'

# ---- plugin and profile on what was captured here ----

kill "$ping_pid"
capture node1 web -w "$dir/lab.pcapng" --split -s 128
tcp node1/web node2/api "$POD_API_IP" -n 300K
capture_end node1
# shellcheck disable=SC2016
retransmitted() { on node1/web awk '/^Tcp:/ { n = $13 } END { print n }' /proc/net/snmp; }
PODHOP=$PODHOP "$ROOT/tests/cli/wireshark.sh" "$dir/lab.pcapng" >"$dir/tap" || true
is 'plugin and profile on a file of this lab' "$(grep '^not ok' "$dir/tap" || true)" ''

# ---- retransmissions: what tshark flags, the sender's kernel sent again ----

on node2 nft -f - <<'NFT'
table ip podhop_test {
	chain lose {
		type filter hook forward priority 0
		tcp flags & (syn|fin) == 0 meta length > 1000 numgen inc mod 4 == 1 drop
	}
}
NFT
before=$(retransmitted)
capture node1 web -w "$dir/loss.pcapng" --split -s 128
tcp node1/web node2/api "$POD_API_IP" -n 300K
capture_end node1
on node2 nft delete table ip podhop_test
kernel=$(($(retransmitted) - before))
succeeds 'the drops made the kernel send again' test "$kernel" -gt 0
PODHOP=$PODHOP "$ROOT/tests/cli/wireshark.sh" "$dir/loss.pcapng" >"$dir/tap" || true
is 'per-hop files and profile: only real retransmissions are flagged' \
	"$(grep '^not ok' "$dir/tap" || true)" ''
flagged=$(tshark -r "$dir"/loss-veth-*.pcapng -2 -Y 'tcp.analysis.retransmission ||
	tcp.analysis.spurious_retransmission || tcp.analysis.fast_retransmission' 2>/dev/null | wc -l)
succeeds "at the veth no more are flagged ($flagged) than the kernel sent again ($kernel)" \
	test "$flagged" -le "$kernel"

done_testing
