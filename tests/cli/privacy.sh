#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# privacy.sh - what --no-payload and --anonymize write (TAP): nothing of the original is left in
# it, tshark finds no more fault with it than before, and report and verify find the same.
# shellcheck disable=SC2317  # functions are called through ok
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. "$root/tests/lib/tap.sh"
same() { [[ $1 == "$2" ]] || { printf 'found  %s\nwanted %s\n' "$1" "$2"; return 1; }; }
# status WANTED COMMAND...
status() { local s=0 w=$1; shift; "$@" >"$tmp/out" 2>"$tmp/err" || s=$?; same "$s" "$w"; }
has() { grep -qF -e "$2" "$1" || { cat "$1"; return 1; }; }
podhop() { timeout 60 "$PODHOP" "$@"; }

head -c 32 /dev/urandom >"$tmp/key"
head -c 32 /dev/urandom >"$tmp/other"
# All that a report says but for addresses and names: who they are may change, how many not.
figures() {
	podhop report -q -T json "$1" | jq -cS '
		[.packets, .encapsulation.inner_packets, .encapsulation.outer_datagrams,
		 .encapsulation.overhead_bytes, [.paths[] | [.path, .direction, .packets, .bytes]],
		 ([.flows[] | [.protocol, .sport, .dport, .path, .packets, .payload_bytes,
		               .retransmissions, (.translated != null)]] | sort),
		 ([.losses[] | [.last_seen, .next_expected, .packets, .verdict]] | sort)]'
}
verdict() {
	podhop verify -q -T json "$@" | jq -cS '[.verdict, ([.directions[] |
		[.sent, .delivered, .lost, .altered, .unknown, .unprovable, .out_of_scope]] | sort)]'
}
lost() {
	podhop verify -q -T json "$@" | jq -cS '[.verdict, ([.directions[] | [.lost, .altered, .unknown,
		.sent + .unprovable, [.lost_packets[] | [.time_ns, .src, .dst, .bytes_missing]]]] | sort)]'
}
# Frames of a kind, by number: malformed, or with a checksum that is wrong.
faults() {
	tshark -r "$1" -d udp.port==8472,vxlan -o ip.check_checksum:TRUE \
		-o tcp.check_checksum:TRUE -o udp.check_checksum:TRUE -T fields -e frame.number \
		-Y '_ws.malformed || ip.checksum.status==0 || tcp.checksum.status==0 ||
		udp.checksum.status==0 || icmp.checksum.status==0 || icmpv6.checksum.status==0' \
		2>/dev/null
}
malformed() {
	tshark -r "$1" -d udp.port==8472,vxlan -Y _ws.malformed -T fields -e frame.number 2>/dev/null |
		sort
}
# Where it guesses at payload, tshark may find it malformed; no further frame is.
no_more_malformed() { # FILE PLAIN
	comm -23 <(malformed "$1") <(malformed "$2") | awk '{ bad = 1; print } END { exit bad }'
}
fields() {
	tshark -r "$1" -d udp.port==8472,vxlan -T fields -e frame.number -e frame.time_epoch \
		-e frame.len -e frame.packet_id -e ip.proto -e ipv6.nxt -e ip.id -e ip.ttl \
		-e vxlan.vni -e tcp.seq_raw -e tcp.options -e udp.port -e tcp.port 2>/dev/null
}
# Words of the original that must not be in the file: addresses as text and as bytes, names.
leaks() { # FILE ORIGINAL
	/usr/bin/python3 - "$1" "$2" "$PODHOP" <<'PY'
import ipaddress, re, subprocess, sys
data = open(sys.argv[1], "rb").read()
def tshark(*fields):
    out = subprocess.run(["tshark", "-r", sys.argv[2], "-d", "udp.port==8472,vxlan", "-T", "fields"] +
                         [w for f in fields for w in ("-e", f)], capture_output=True, text=True).stdout
    return set(re.split(r"[\s,]+", out)) - {""}
bad = []
for a in tshark("ip.addr", "ipv6.addr", "arp.src.proto_ipv4", "arp.dst.proto_ipv4"):
    ip = ipaddress.ip_address(a)
    if ip.is_multicast or ip.is_unspecified or ip.is_loopback or a == "255.255.255.255":
        continue
    if ip.packed in data or a.encode() in data:
        bad.append(a)
for m in tshark("eth.addr"):
    b = bytes.fromhex(m.replace(":", ""))
    if not b[0] & 1 and any(b) and (b in data or m.encode() in data):
        bad.append(m)
names = subprocess.run([sys.argv[3], "report", "-q", "-T", "json", sys.argv[2]],
                       capture_output=True, text=True).stdout
import json
r = json.loads(names)
comment = subprocess.run(["capinfos", "-k", sys.argv[2]], capture_output=True, text=True).stdout
words = {r["node"]} | set(re.findall(r"pods=([^/ ]+)/([^:]+):", comment)[0] if "pods=" in comment
                          and re.findall(r"pods=([^/ ]+)/([^:]+):", comment) else ())
for w in words - {""}:
    if re.search(rb"(?<![0-9a-z])" + re.escape(w.encode()) + rb"(?![0-9a-z])", data):
        bad.append(w)
print("\n".join(bad))
sys.exit(bool(bad))
PY
}
no_payload_left() { # every frame ends behind its headers
	tshark -r "$1" -d udp.port==8472,vxlan -Y 'data.data || tcp.payload' 2>/dev/null |
		awk '{ bad = 1; print } END { exit bad }'
}

for sample in segments service fragments ipv6 loss; do
	f=$root/samples/$sample.pcapng
	podhop report -q "$f" -w "$tmp/plain.pcapng" >/dev/null
	podhop report -q "$f" -w "$tmp/short.pcapng" --no-payload >/dev/null
	podhop report -q "$f" -w "$tmp/anon.pcapng" --anonymize="$tmp/key" >/dev/null
	podhop report -q "$f" -w "$tmp/both.pcapng" --anonymize="$tmp/key" --no-payload >/dev/null
	wanted=$(figures "$tmp/plain.pcapng")
	for kind in short anon both; do
		out=$tmp/$kind.pcapng
		succeeds "$sample, $kind: report finds the same" same "$(figures "$out")" "$wanted"
		succeeds "$sample, $kind: nothing malformed that was not" no_more_malformed "$out" "$tmp/plain.pcapng"
		succeeds "$sample, $kind: times, lengths, ids, VNI, sequence numbers stay" \
			diff <(fields "$tmp/plain.pcapng") <(fields "$out")
	done
	succeeds "$sample: no checksum is wrong that was right" \
		same "$(faults "$tmp/anon.pcapng")" "$(faults "$tmp/plain.pcapng")"
	succeeds "$sample: no address and no name is left" leaks "$tmp/both.pcapng" "$tmp/plain.pcapng"
	succeeds "$sample: no payload is left" no_payload_left "$tmp/both.pcapng"
done

# Two nodes, one key.
for node in loss remote; do
	for kind in "" "--anonymize=$tmp/key" "--no-payload --anonymize=$tmp/key"; do
		# shellcheck disable=SC2086
		podhop report -q "$root/samples/$node.pcapng" -w "$tmp/$node${kind:0:4}.pcapng" $kind >/dev/null
	done
done
wanted=$(verdict "$tmp/loss.pcapng" "$tmp/remote.pcapng")
succeeds 'two nodes with one key: the same verdict' \
	same "$(verdict "$tmp/loss--an.pcapng" "$tmp/remote--an.pcapng")" "$wanted"
# A request's id stands in its payload: without it fewer answers prove something, no more is lost.
succeeds 'without payload the same are lost' \
	same "$(lost "$tmp/loss--no.pcapng" "$tmp/remote--no.pcapng")" \
	"$(lost "$tmp/loss--an.pcapng" "$tmp/remote--an.pcapng")"
podhop report -q "$root/samples/remote.pcapng" -w "$tmp/stranger.pcapng" --anonymize="$tmp/other" >/dev/null
succeeds 'two keys: nothing goes together' \
	status 4 podhop verify -q "$tmp/loss--an.pcapng" "$tmp/stranger.pcapng"

f=$root/samples/segments.pcapng
podhop report -q "$f" -w "$tmp/one.pcapng" --anonymize="$tmp/key" >/dev/null
podhop report -q "$f" -w "$tmp/two.pcapng" --anonymize="$tmp/key" >/dev/null
succeeds 'one key, twice: the same bytes' cmp "$tmp/one.pcapng" "$tmp/two.pcapng"
podhop report "$f" -w "$tmp/r1.pcapng" --anonymize >/dev/null 2>"$tmp/said"
podhop report -q "$f" -w "$tmp/r2.pcapng" --anonymize >/dev/null
succeeds 'no key: another one each time' bash -c "! cmp -s '$tmp/r1.pcapng' '$tmp/r2.pcapng'"
succeeds 'that the key is random is said' has "$tmp/said" 'random key'
succeeds 'that payload is kept is said' has "$tmp/said" 'payload is kept'
podhop report "$f" -w "$tmp/r1.pcapng" --anonymize="$tmp/key" --no-payload >/dev/null 2>"$tmp/said"
succeeds 'nothing is said where nothing is amiss' same "$(cat "$tmp/said")" ''
succeeds 'files a hop are anonymous as well' podhop report -q "$f" -w "$tmp/s.pcapng" --split --anonymize="$tmp/key"
for one in "$tmp"/s-*.pcapng; do
	role=${one#"$tmp/s-"}
	succeeds "--split: ${role%%-*}" leaks "$one" "$tmp/plain.pcapng"
done

podhop report -q "$f" -w "$tmp/f.pcapng" --anonymize="$tmp/key" -f 'host 10.244.1.2 and tcp' >/dev/null
comment=$(capinfos -k "$tmp/f.pcapng")
succeeds 'the filter speaks of pseudonyms' bash -c \
	"[[ \$0 =~ filter=host\ [0-9.]+\ and\ tcp && \$0 != *10.244.1.2* ]]" "$comment"
podhop report "$f" -w "$tmp/f.pcapng" --anonymize="$tmp/key" -f 'ip[12:4] = 0x0af40102' \
	>/dev/null 2>"$tmp/said"
succeeds 'a filter that gives addresses away is not told' has "$tmp/said" 'does not tell the filter'
succeeds 'a key that is too short: usage' status 2 podhop report -q "$f" -w "$tmp/x.pcapng" --anonymize=<(echo short)
succeeds 'a key that is not there: failed' status 1 podhop report -q "$f" -w "$tmp/x.pcapng" --anonymize="$tmp/none"
succeeds 'without -w: usage' status 2 podhop report -q "$f" --no-payload
succeeds 'the sentence says why' has "$tmp/err" 'need -w FILE'
done_testing
