#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# outputs.sh - whose the files are that podhop writes, and over what it writes none (TAP).
# shellcheck disable=SC2012  # names that are made here
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
export PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
podhop=$PWD/$BUILD/podhop
[[ $BUILD != /* ]] || podhop=$BUILD/podhop
sample=$PWD/samples/remote.pcapng
tmp=$(mktemp -d /tmp/podhop-outputs.XXXXXX)
trap 'rm -rf -- "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
[[ -x $podhop ]] || { echo "Bail out! make first"; exit 1; }
cd "$tmp" || exit 1

report() { "$podhop" report "$sample" -q "$@" >/dev/null 2>err; }
all=(-w a.pcapng --report a.json --html a.html)

umask 0
report "${all[@]}"
is "files are their owner's alone" "$? $(stat -c %a a.pcapng a.json a.html | xargs)" '0 600 600 600'
chmod 644 a.pcapng a.html
chmod 666 a.json
report "${all[@]}"
is "also when they are written over" "$? $(stat -c %a a.pcapng a.json a.html | xargs)" '0 600 600 600'
report -b packets:50 -w r.pcapng
is "and the later ones of a rotation" "$? $(stat -c %a r_*.pcapng | sort | uniq -c | xargs)" '0 3 600'
report -C 1 -w c.pcapng && chmod 644 c.pcapng && report -C 1 -w c.pcapng
is "... over older ones" "$? $(stat -c %a c.pcapng)" '0 600'

# A FIFO whose reader goes: an end, as with -w -.
mkfifo fifo
timeout -s KILL 20 "$podhop" report "$sample" "$sample" "$sample" "$sample" -q -w fifo >/dev/null 2>err &
pid=$!
head -c 100 fifo >/dev/null
wait "$pid"
is "a FIFO whose reader goes is a normal end" "$? $(<err)" '0 '
timeout -s KILL 20 "$podhop" report "$sample" -q -w fifo >/dev/null 2>err &
pid=$!
cat fifo >through.pcapng
wait "$pid"
is "one that is read has everything" "$? $("$podhop" report through.pcapng --json | grep -c '"observations": 117,')" '0 1'

# ---- descriptors: >(COMMAND) is /dev/fd/N, a link that nobody else can have planted ----

report -w >(cat >through.pcapng) --report >(cat >through.json) --html >(cat >through.html)
status=$?
wait_all() { for ((i = 0; i < 500; i++)); do [[ -s $1 && -s $2 && -s $3 ]] && return; sleep 0.02; done; }
wait_all through.pcapng through.json through.html
is "a process's standard input is written to" \
	"$status $(head -c 1 through.json) $("$podhop" report through.pcapng --json |
		grep -c '"observations": 117,') $(tail -n 1 through.html)" '0 { 1 </html>'
"$podhop" report "$sample" -w /dev/stdout 2>err | cmp - through.pcapng
is "/dev/stdout is -, and the report goes to stderr" "${PIPESTATUS[*]} $(grep -c '^cost' err)" '0 0 1'
echo text >text
report -w /dev/fd/3 3<>text
is "a descriptor's file is not written over either" "$? $(<text) $(grep -c 'is no capture' err)" '1 text 1'
report -w /dev/fd/3 3<text
is "one that is open for reading only is refused" "$? $(grep -c 'no descriptor that is open for writing' err)" '1 1'
report -w /dev/fd/77
is "one that is not open, too" "$? $(grep -c 'no descriptor that is open for writing' err)" '1 1'

# ---- a reader that stops and does not close ----

# stalled SIGNAL COMMAND...: once the pipe {} is full, SIGNAL; the exit status, or that it hung. What
# was in the pipe goes to the file taken.
stalled() {
	python3 - "$@" <<-'EOF' 2>&1
	import os, select, signal, subprocess, sys, time
	r, w = os.pipe()
	command = [a.replace("{}", f"/proc/self/fd/{w}") for a in sys.argv[2:]]
	p = subprocess.Popen(command, stdout=w, pass_fds=[w], stderr=open("err", "w"))
	while select.select([], [w], [], 0)[1] and p.poll() is None:
	    time.sleep(0.01)
	os.close(w)
	if p.poll() is not None:
	    sys.exit(f"the pipe was never full; exit status {p.returncode}")
	p.send_signal(getattr(signal, sys.argv[1]))
	try:
	    print(p.wait(timeout=60))
	except subprocess.TimeoutExpired:
	    p.kill()
	    print("hangs")
	open("taken", "wb").write(open(r, "rb").read())
	EOF
}
many=()
for ((i = 0; i < 16; i++)); do many+=("$sample"); done
for signal in SIGTERM SIGINT; do
	is "a reader that stops: $signal ends it, and that is said" \
		"$(stalled $signal "$podhop" report -w - "${many[@]}") $(grep -c 'stdout: write: its reader takes nothing any more' err)" '1 1'
done
read -r unwritten captured < <(sed -n 's/.* \([0-9]*\) of the \([0-9]*\) frames that were captured are not in the stream/\1 \2/p' err)
is "... with how many frames are not in the stream" \
	"${captured:-none} $((captured - unwritten))" \
	"$((16 * 117)) $("$podhop" report taken --json 2>/dev/null | sed -n 's/ *"frames": \([0-9]*\),/\1/p')"
is "... lines" "$(stalled SIGTERM "$podhop" report -T jsonl "${many[@]}") $(grep -c 'write packets: its reader takes nothing' err)" '1 1'
is "... a page" "$(stalled SIGTERM "$podhop" report -q -T json --html {} "${many[@]}")" '1'

if ((EUID != 0)); then
	echo "ok $((++n)) - other users' files # SKIP root is needed"
	done_testing
fi

# ---- a directory in which everybody may make files ----

mkdir shared
chmod 1777 shared
chmod 755 .
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
nobody sh -c 'umask 0; cd shared && : >planted.pcapng && : >planted.json && mkfifo planted'
for option in '-w shared/planted.pcapng' '--report shared/planted.json' '--html shared/planted.json' '-w shared/planted'; do
	# shellcheck disable=SC2086  # two words
	timeout -s KILL 20 "$podhop" report "$sample" -q $option >/dev/null 2>err
	is "shared directory: nobody's file is not written (${option%% *})" \
		"$? $(grep -c "is another user's, in a directory" err) $(find shared -type f -size +0 | wc -l)" '1 1 0'
done
mkdir target
nobody ln -s "$tmp/target" shared/way
ln -s "$tmp/target" shared/ours
for option in '-w shared/way/a.pcapng' '--html shared/way/a.html' '-b packets:50 -w shared/way/r.pcapng'; do
	# shellcheck disable=SC2086  # several words
	report $option
	is "... nor is nobody's link followed on the way to one (${option%% *})" \
		"$? $(grep -c "way is another user's link" err) $(ls target | wc -l)" '1 1 0'
done
report -w shared/ours/a.pcapng
is "... but our own is" "$? $(ls target)" '0 a.pcapng'
report -b packets:50 -w shared/ring.pcapng
is "... but our own" "$? $(ls shared/ring_*.pcapng | wc -l)" '0 3'
chown nobody shared
nobody sh -c ': >shared/owners.pcapng'
report -w shared/owners.pcapng
is "... and the directory's owner's, who could put any file there" "$? $([[ -s shared/owners.pcapng ]] && echo written)" '0 written'
mkdir home
chown nobody home
nobody sh -c ': >home/mine.pcapng'
report -w home/mine.pcapng
is "elsewhere a file stays its owner's" "$? $(stat -c '%U' home/mine.pcapng)" '0 nobody'
done_testing
