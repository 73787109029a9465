#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# rotate.sh - several files from one run: names, counts and units beside tcpdump's, each file complete by
# itself, packed files, and reading them again (TAP). dumpcap's ways, which are live only: tests/lab/rotate.sh.
#
# Time limit: 240 s
# shellcheck disable=SC2012,SC2002  # names of our own making; a pipe is what is tried
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$PWD/$BUILD
podhop=$BUILD/podhop
[[ -x $podhop ]] || { echo "Bail out! $podhop is missing: make"; exit 1; }
for tool in tshark capinfos tcpdump jq python3 gzip; do
	command -v $tool >/dev/null || { echo "1..0 # SKIP no $tool"; exit 0; }
done
export LC_ALL=C TZ=UTC
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
. tests/lib/tap.sh

# 4,000 datagrams of a pod at its veth and at the bridge, 1,000 bytes each: 8 MB in 8 s, two files.
python3 - "$tmp" <<'END'
import struct, sys
for hop, delay in (("veth1", 0), ("cni0", 5)):
    with open(f"{sys.argv[1]}/{hop}.pcap", "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 262144, 1))
        for i in range(4000):
            payload = struct.pack(">Q", i) + bytes((i * 7 + k * k) & 255 for k in range(950))
            udp = struct.pack(">HHHH", 40000, 9, 8 + len(payload), 0) + payload
            ip = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), i, 0, 64, 17, 0,
                                       bytes([10, 244, 1, 2]), bytes([10, 244, 1, 3])))
            s = sum(struct.unpack(">10H", ip))
            s = (s & 0xffff) + (s >> 16)
            ip[10:12] = struct.pack(">H", ~(s + (s >> 16)) & 0xffff)
            frame = bytes.fromhex("02000000000102000000000208 00") + bytes(ip) + udp
            f.write(struct.pack("<IIII", 1700000000 + i // 500, i % 500 * 2000 + delay, len(frame), len(frame)))
            f.write(frame)
END
inputs=("$tmp/veth1.pcap" "$tmp/cni0.pcap")
run() { # DIRECTORY OPTIONS...: podhop report there; its exit status in $status, the whole run's report beside it
	local into=$tmp/$1
	shift
	rm -rf "$into"
	mkdir -p "$into"
	(cd "$into" && "$podhop" report "${inputs[@]}" --hops veth=veth1.pcap --hops bridge=cni0.pcap \
		--pod 10.244.1.2 --json "$@" >../report.json 2>../err)
	status=$?
	[[ $status == 0 ]] || sed 's/^/# /' "$tmp/err"
}
names() { (cd "$tmp/$1" && ls | tr '\n' ' '); }
count() { capinfos -Tcr "$1" 2>/dev/null | cut -f2; } # frames of a file
counts() { local f; for f in "$tmp/$1"/*; do count "$f"; done | tr '\n' ' '; }
# whole DIRECTORY: faults of its files, as tshark sees their blocks: one section, an interface
# statistics block for each interface that is described, and nothing that it complains of
whole() {
	local f blocks
	for f in "$tmp/$1"/*; do
		blocks=$(tshark -r "$f" -X 'read_format:MIME Files Format' -V 2>/dev/null)
		[[ $(grep -c 'Block Type: Section Header Block' <<<"$blocks") == 1 ]] || echo "$f: section"
		[[ $(grep -c 'Block Type: Interface Description Block' <<<"$blocks") == \
			$(grep -c 'Block Type: Interface Statistics Block' <<<"$blocks") ]] || echo "$f: statistics"
		! grep -qi 'malformed\|expert info (error' <<<"$blocks" || echo "$f: malformed"
		tshark -r "$f" -T fields -e frame.number 2>&1 >/dev/null | grep -v 'Running as'
	done
}

run one -w x.pcapng
is "one file" "$status $(names one)$(counts one)" "0 x.pcapng 8000 "

# ---- tcpdump's -C and -W: the same names

for w in '' 1 3 12; do
	rm -rf "$tmp/t"
	mkdir "$tmp/t"
	# As root Debian's tcpdump becomes another user, who may not write there.
	# shellcheck disable=SC2046,SC2086  # an option and its value, or nothing
	tcpdump -q $( ((EUID)) || echo -Z root) -r "$tmp/veth1.pcap" -C 1 ${w:+-W $w} -w "$tmp/t/x.pcapng" 2>/dev/null
	run c -w x.pcapng -C 1 ${w:+-W $w} --terse
	# Our file has two hops: where no ring holds them back there are more files, called likewise.
	if [[ -n $w && $w -lt 12 ]]; then
		is "-C 1 -W $w: names of tcpdump's" "$(names c)" "$(names t)"
	else
		is "-C 1${w:+ -W $w}: names begin as tcpdump's" "$(names c | tr ' ' '\n' | sort -V | head -n 4)" \
			"$(names t | tr ' ' '\n' | sort -V | head -n 4)"
	fi
	[[ $w != 3 ]] || is "-C 1 -W 3: each is complete by itself" "$(whole c)" ""
done
run c -w x.pcapng -C 1
sizes=$(cd "$tmp/c" && for f in $(ls | sort -V | head -n -1); do stat -c %s "$f"; done)
is "-C 1: a million bytes, and no more than what was begun" \
	"$(awk '$1 < 1000000 || $1 > 1001500' <<<"$sizes")" ""
is "-C: no frame is lost between files" "$(counts c | tr ' ' '\n' | awk '{ n += $1 } END { print n }')" 8000

# ---- dumpcap's words, cut by the frames' own time and count

run b -w x.pcapng -b packets:3000
like "-b packets: names" "$(names b)" '^x_00001_[0-9]{14}\.pcapng x_00002_[0-9]{14}\.pcapng x_00003_[0-9]{14}\.pcapng $'
is "-b packets: frames in each" "$(counts b)" "3000 3000 2000 "
is "-b packets: each is complete by itself" "$(whole b)" ""
delivered() { tshark -r "$1" -X 'read_format:MIME Files Format' -V 2>/dev/null |
	sed -n 's/.*Option: Number of Packets Delivered to the User = //p' | tr '\n' ' '; }
is "its statistics are of its own frames" "$(for f in "$tmp"/b/*; do delivered "$f"; done)" "1500 1500 1500 1500 1000 1000 "
run again -w y.pcapng
fields='{packets, paths, losses, latency: [.latency[] | {from, to, samples, max_ns}]}'
is "the files of one run, reported together, are the run" \
	"$("$podhop" report "$tmp"/b/* --json | jq -Sc "$fields")" "$("$podhop" report "$tmp/again/y.pcapng" --json | jq -Sc "$fields")"
is "... and one of them alone says of nothing that it was lost" \
	"$(for f in "$tmp"/b/*; do "$podhop" report "$f" --json | jq -c '.packets.incomplete, .losses'; done | sort -u | tr '\n' ' ')" "0 [] "
run b -w x.pcapng -b packets:1001
is "... also where a packet's frames lie in two files" "$(for f in "$tmp"/b/*; do "$podhop" report "$f" --json; done |
	jq -sc '[([.[].packets.incomplete] | add), ([.[].packets.edge] | add > 0), ([.[].losses[]] | length)]')" '[0,true,0]'
run b -w x.pcapng -b packets:1000 -b files:2
like "-b files:2 keeps the newest" "$(names b)" '^x_00007_[0-9]{14}\.pcapng x_00008_[0-9]{14}\.pcapng $'
run b -w x.pcapng -b packets:1000 -b files:2 --split
like "-b files:2 --split: of the hops' files too" "$(names b | sed -E 's/_[0-9]{14}//g')" \
	'^x_00007-bridge-cni0.pcap.pcapng x_00007-veth-veth1.pcap.pcapng x_00007.pcapng x_00008-bridge'
is "--split: six files" "$(names b | wc -w)" 6
is "--split: each hop's frames" "$(counts b)" "500 500 1000 500 500 1000 "
is "--split: each is complete by itself" "$(whole b)" ""
run b -w x.pcapng -b packets:1000 -a files:3
is "-a files:3 ends behind the third" "$(counts b)" "1000 1000 1000 "
run b -w x.pcapng -b duration:3
is "-b duration:3 by the frames' stamps" "$(counts b)" "3000 3000 2000 "
run b -w x.pcapng -b interval:5
is "-b interval:5: at whole multiples" "$(counts b)" "5000 3000 "
run b -w x.pcapng -b filesize:1000
is "-b filesize counts thousands of bytes" "$(cd "$tmp/b" && for f in $(ls | head -n -1); do stat -c %s "$f"; done |
	awk '$1 < 1000000 || $1 > 1001500')" ""
run b -w x.pcapng -a filesize:1000 -b files:2
is "-a filesize with -b is each file's, as dumpcap takes it" "$(names b | wc -w)" 2
run b -w x.pcapng -a filesize:1000
is "-a filesize alone ends the run" "$(cd "$tmp/b" && stat -c %s x.pcapng | awk '$1 >= 1000000 && $1 < 1002500 { print "yes" }')" yes
run b -w x.pcapng -a packets:77
is "-a packets counts frames" "$(counts b)" "77 "

# What ends a run may stand between two frames of one packet: the report is of the frames in the
# files, those behind are neither counted nor matched.
told='[.capture.observations, .packets, .paths, .latency, .losses]'
for limit in '-a packets:1' '-a packets:77' '-a filesize:1' '-a filesize:77' '-a files:3 -b packets:333' \
	'-a files:2 -b filesize:100' '-a files:2 -b duration:2' '-C 1 -a files:2' '-G 3 -W 1'; do
	# shellcheck disable=SC2086  # options are many words
	run b -w x-%s.pcapng $limit
	is "$limit: reported is what was written" "$(jq -Sc "$told" "$tmp/report.json")" \
		"$("$podhop" report "$tmp"/b/* --json | jq -Sc "$told")"
done
run b -w .x -b packets:4000
like "a name that begins with its only dot" "$(ls -A "$tmp/b" | tr '\n' ' ')" '^\.x_00001_[0-9]{14} \.x_00002_[0-9]{14} $'
"$podhop" report "${inputs[@]}" -w "$tmp/x" -b files:2 >/dev/null 2>"$tmp/err"
like "-b files alone says what is missing" "$? $(cat "$tmp/err")" '^2 .*when the next file begins'

# ---- packed

run plain -w x.pcapng -C 4 --split
for kind in gz zst; do
	run packed -w "x.pcapng.$kind" -C 4 --split
	is ".$kind: names" "$(names packed)" "$(names plain | sed "s/\(x[^ ]*\)/\1.$kind/g")"
	is ".$kind: each is complete by itself, to tshark" "$(whole packed)" ""
	is ".$kind: frames" "$(counts packed)" "$(counts plain)"
	if [[ $kind == gz ]]; then
		is ".gz: gzip finds each sound" "$(gzip -t "$tmp"/packed/*.gz 2>&1)" ""
		is ".gz: unpacked it is the same bytes" \
			"$(cd "$tmp/packed" && for f in x.pcapng.gz x-veth-veth1.pcap.pcapng.gz; do gzip -dc $f; done | sha256sum)" \
			"$(cd "$tmp/plain" && cat x.pcapng x-veth-veth1.pcap.pcapng | sha256sum)"
	fi
	like ".$kind: it is smaller" "$(cd "$tmp" && stat -c %s plain/x.pcapng "packed/x.pcapng.$kind" |
		xargs printf '%s %s' | awk '{ print ($2 * 1.5 < $1) }')" 1
	run packed -w "x.pcapng.$kind" -b packets:3000
	like ".$kind: number and time stand in front of both suffixes" "$(names packed)" "^x_00001_[0-9]{14}\.pcapng\.$kind x_00002"

	# Reading: the report on a packed capture is that on the capture.
	run packed -w "x.pcapng.$kind"
	fields='del(.inputs[].file, .capture.cpu_ns, .capture.max_rss_bytes)'
	run again -w y.pcapng
	whole_report=$("$podhop" report "$tmp/again/y.pcapng" --json | jq -Sc "$fields")
	is ".$kind: the report on it" "$("$podhop" report "$tmp/packed/x.pcapng.$kind" --json | jq -Sc "$fields")" "$whole_report"
	is ".$kind: as standard input" "$("$podhop" report - --json <"$tmp/packed/x.pcapng.$kind" | jq -Sc "$fields")" "$whole_report"
	is ".$kind: through a pipe" "$(cat "$tmp/packed/x.pcapng.$kind" | "$podhop" report - --json | jq -Sc "$fields")" \
		"$(cat "$tmp/again/y.pcapng" | "$podhop" report - --json | jq -Sc "$fields")"
	like ".$kind: verify" "$("$podhop" verify n="$tmp/packed/x.pcapng.$kind" --json | jq -Sc .directions)" '"unprovable":4000'
	is ".$kind: verify, as on the capture" "$("$podhop" verify n="$tmp/packed/x.pcapng.$kind" --json | jq -Sc .directions)" \
		"$("$podhop" verify n="$tmp/again/y.pcapng" --json | jq -Sc .directions)"
	head -c 300000 "$tmp/packed/x.pcapng.$kind" >"$tmp/cut.$kind"
	"$podhop" report "$tmp/cut.$kind" --json >"$tmp/cut.json" 2>"$tmp/err"
	like ".$kind, cut short: reported as far as it goes, exit 1" \
		"$? $(jq '.packets.total > 50' "$tmp/cut.json") $(cat "$tmp/err")" '^1 true .*cut short at offset'
	# What the file holds is what is asked, not what it is called.
	printf 'no capture\n' | gzip -c >"$tmp/text.pcapng.gz"
	"$podhop" report "${inputs[@]}" --hops veth=veth1.pcap --hops bridge=cni0.pcap -w "$tmp/text.pcapng.gz" >/dev/null 2>"$tmp/err"
	like ".$kind: packed text is not overwritten" "$? $(cat "$tmp/err") $(gzip -dc "$tmp/text.pcapng.gz")" \
		'^1 .*not overwritten; name another file.* no capture$'
	cp "$tmp/packed/x.pcapng.$kind" "$tmp/old.pcapng"
	"$podhop" report "${inputs[@]}" --hops veth=veth1.pcap --hops bridge=cni0.pcap -w "$tmp/old.pcapng" >/dev/null 2>&1
	is ".$kind: a packed capture is" "$? $(count "$tmp/old.pcapng")" "0 8000"
done
done_testing
