#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# faults.sh - what befalls a capture: killed, full disk, reader gone, suspended, interrupted, clock
# stepped, devices gone (TAP, root).
# Time limit: 300 s
#
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=fa
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq tshark capinfos tcpdump ip mount
lab_up

mounted=''
unmount() { [[ -z $mounted ]] || umount "$mounted" 2>/dev/null; }
trap 'unmount; cleanup' EXIT

frames_of() { capinfos -Trc "$1" 2>/dev/null | cut -f2; }
# Every frame of the file can be read, though it may be cut short.
readable() { tcpdump -n -r "$1" -w /dev/null 2>&1 | grep -v '^reading from' || true; }

# ---- kill -9 while writing ----

capture node1 default/web -s 128 -w "$dir/killed.pcapng"
on web "$TOOLS/udpgen" -n 20000 -s 64 -r 5000 -p 5301 "$POD_API_IP" >/dev/null 2>&1 &
sender=$!
jobs_started+=("$sender")
# Until the file grows: frames have been written.
tries=600
until (($(stat -c %s "$dir/killed.pcapng") > 1000000)) || ! ((tries--)); do sleep 0.05; done
kill -KILL "${capture_pid[node1]}"
killed_at=$(date +%s.%N)
wait "${capture_pid[node1]}" 2>/dev/null
wait "$sender"
last=$(tshark -r "$dir/killed.pcapng" -T fields -e frame.time_epoch 2>/dev/null | tail -n 1)
frames=$(tshark -r "$dir/killed.pcapng" -T fields -e frame.number 2>/dev/null | tail -n 1)
if ((frames > 1000)); then
	ok "a killed capture leaves a file that tshark reads"
else
	not_ok "a killed capture leaves a file that tshark reads" "frames: $frames"
fi
if awk -v a="$killed_at" -v b="$last" 'BEGIN { exit !(a - b <= 1.0) }'; then
	ok "readable up to at most 1 s before"
else
	not_ok "readable up to at most 1 s before" "killed at $killed_at, last frame $last"
fi
"$PODHOP" report "$dir/killed.pcapng" -T json >"$dir/killed.json" 2>"$dir/killed.err"
status=$?
if [[ $status == 0 || ($status == 1 && -s $dir/killed.err) ]]; then
	ok "podhop report reads it, and says so when it is cut short"
else
	not_ok "podhop report reads it" "exit $status: $(cat "$dir/killed.err")"
fi
is "every frame that tshark sees is reported" "$(jq '.inputs[0].frames' "$dir/killed.json")" "$frames"

# ---- a full disk ----

mkdir "$dir/small"
mount -t tmpfs -o size=2m none "$dir/small" || bail "no tmpfs"
mounted=$dir/small
capture node1 default/web -s 128 -w "$dir/small/full.pcapng" --min-free 0 --report "$dir/full.txt"
on web "$TOOLS/udpgen" -n 20000 -s 64 -r 10000 -p 5301 "$POD_API_IP" >/dev/null 2>&1
wait "${capture_pid[node1]}"
status=$?
is "a full disk ends the capture with 1" "$status" 1
like "and a sentence that names file and reason" "$(cat "$dir/node1.err")" \
	'full\.pcapng: write: No space left on device'
is "what was written is whole" "$(readable "$dir/small/full.pcapng")" ''
like "and is reported" "$(cat "$dir/full.txt")" 'observations'
read -r unwritten captured < <(sed -n 's/.* \([0-9]*\) of the \([0-9]*\) frames that were captured are not in .*/\1 \2/p' \
	"$dir/node1.err")
is "what is not in the file is counted" \
	"$((captured - unwritten)) $captured" "$(frames_of "$dir/small/full.pcapng") $(jq .capture.observations "$dir/full.txt")"
# Space is there again: the same file is written over, and whole.
truncate -s 0 "$dir/small/full.pcapng"
capture node1 default/web -s 128 -w "$dir/small/full.pcapng" --min-free 0
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
capture_end node1
is "with space again the next capture is as ever" "$status $(readable "$dir/small/full.pcapng")" '0 '
umount "$dir/small"
mounted=''

# ---- what is said at the start ----

says() { # WANTED OPTIONS...: what the notice says behind the devices
	local wanted=$1
	shift
	rm -f "$dir/said.pcapng"
	capture node1 default/web "$@"
	capture_end node1
	is "said at the start of $*" "$(sed -n 's/^podhop: capturing on [^;]*; //p' "$dir/node1.err")" "$wanted"
}
file=$dir/said.pcapng
says 'whole frames are looked at, none is kept' -a duration:60
says 'whole frames with their payload are kept' -w "$file" -a duration:60
says 'the first 96 bytes of each inner frame are kept' -w "$file" -s 96 -c 1000
says 'the headers alone of whole frames are kept' -w "$file" --no-payload -a packets:1000
says 'the headers alone of the first 96 bytes of each inner frame are kept' -w "$file" -s 96 --no-payload -a filesize:1000
says 'whole frames with their payload are kept; nothing bounds the file (-a, -c)' -w "$file" --min-free 0
says 'whole frames with their payload are kept; nothing bounds the files (-a, -c, -b files)' -w "$file" --min-free 0 -b packets:1000
says 'whole frames with their payload are kept' -w "$file" --min-free 0 -b packets:1000 -b files:2
says 'whole frames with their payload are kept; nothing bounds the file (-a, -c) but 1.00 GB that stay free on the disk (--min-free)' \
	-w "$file" --min-free 1000
# Standard output is a file here.
says 'whole frames with their payload are kept; nothing bounds the file (-a, -c) but 1.00 GB that stay free on the disk (--min-free)' \
	-w -
mkfifo "$dir/said.fifo"
cat "$dir/said.fifo" >"$dir/said.stream" &
jobs_started+=("$!")
says 'whole frames with their payload are kept; nothing bounds the stream (-a, -c)' -w "$dir/said.fifo"
rm -f "$dir"/said*

# ---- a disk that must not become full ----

mount -t tmpfs -o size=8m none "$dir/small" || bail "no tmpfs"
mounted=$dir/small
free() { stat -f -c '%a %S' "$dir/small" | awk '{ print $1 * $2 }'; }
capture node1 default/web -s 128 -w "$dir/small/floor.pcapng" --min-free 4 --json
on web "$TOOLS/udpgen" -n 40000 -s 64 -r 10000 -p 5301 "$POD_API_IP" >/dev/null 2>&1
wait "${capture_pid[node1]}"
is "less free than --min-free ends the capture with 1" "$?" 1
like "and a sentence with both figures" "$(cat "$dir/node1.err")" \
	'floor\.pcapng: [0-9.]+ MB free on the disk, 4\.00 MB are to stay free'
if (($(free) >= 3500000)); then
	ok "the room is still there"
else
	not_ok "the room is still there" "$(free) bytes free"
fi
is "the file is whole" "$(readable "$dir/small/floor.pcapng")" ''
is "and has what the report counts" "$(frames_of "$dir/small/floor.pcapng")" \
	"$(jq '.capture.observations' "$dir/node1.out")"
# Others fill it while nothing passes.
rm -f "$dir/small/floor.pcapng"
capture node1 default/web -s 128 -w "$dir/small/floor.pcapng" --min-free 50% --json
like "what bounds the file is said" "$(cat "$dir/node1.err")" \
	'nothing bounds the file \(-a, -c\) but 4\.[0-9]+ MB that stay free'
head -c 5000000 /dev/zero >"$dir/small/others"
wait "${capture_pid[node1]}"
is "the same when others fill it" "$? $(readable "$dir/small/floor.pcapng")" '1 '
# From the beginning: nothing is captured.
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" --min-free 50% \
	-w "$dir/small/none.pcapng" -c 1 >"$dir/none.out" 2>"$dir/none.err"
is "no room at the start: said before anything is captured" \
	"$? $(grep -c 'capturing on' "$dir/none.err")" '1 0'
umount "$dir/small"
mounted=''

# ---- the reader of -w - goes away ----

mkfifo "$dir/fifo"
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -w - >"$dir/fifo" \
	2>"$dir/pipe.err" </dev/null &
pid=$!
jobs_started+=("$pid")
head -c 200 "$dir/fifo" >/dev/null
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
wait "$pid"
is "a reader that goes away is a normal end" "$?" 0

# ---- a slow reader: nothing is lost silently ----

"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -s 128 -w - \
	--json --report "$dir/slow.json" >"$dir/fifo" 2>"$dir/slow.err" </dev/null &
pid=$!
jobs_started+=("$pid")
exec {reader}<"$dir/fifo"
head -c 100 <&"$reader" >"$dir/slow.pcapng"
wait_for "$dir/slow.err" 'capturing on' "$pid"
on web "$TOOLS/udpgen" -n 50000 -s 64 -p 5301 "$POD_API_IP" >/dev/null 2>&1
cat <&"$reader" >>"$dir/slow.pcapng" &
cat_pid=$!
jobs_started+=("$cat_pid")
# All is drained when the last number has come through: the idle stream tells time.
tries=200
size=-1
until [[ $(stat -c %s "$dir/slow.pcapng") == "$size" ]] || ! ((tries--)); do
	size=$(stat -c %s "$dir/slow.pcapng")
	sleep 0.3
done
kill -TERM "$pid"
wait "$pid"
exec {reader}<&-
wait "$cat_pid"
kept=$(jq '.capture.observations' "$dir/slow.json")
is "every observation counted is in the stream" "$(frames_of "$dir/slow.pcapng")" "$kept"
missing=$(jq '[.capture.interfaces[].dropped_kernel] | add' "$dir/slow.json")
if ((kept + missing >= 200000)); then
	ok "what a slow reader cost is counted"
else
	not_ok "what a slow reader cost is counted" "kept $kept, dropped $missing of 200000"
fi

# One that takes nothing, up to the end: what the stream had no room for is in the rings by then.
# shellcheck disable=SC2217 # it holds the FIFO open, and does not read
sleep 600 <"$dir/fifo" &
reader=$!
jobs_started+=("$reader")
"$lab" exec node1 "$PODHOP" capture default/web 'udp port 5301' --host-root "$NODE1_ROOT" -s 128 -w - \
	--json --report "$dir/stalled.json" >"$dir/fifo" 2>"$dir/stalled.err" </dev/null &
pid=$!
jobs_started+=("$pid")
wait_for "$dir/stalled.err" 'capturing on' "$pid"
on web "$TOOLS/udpgen" -n 20000 -s 64 -r 20000 -p 5301 "$POD_API_IP" >/dev/null 2>&1
kill -TERM "$pid"
wait "$pid"
is "a reader that takes nothing ends the capture with 1" "$?" 1
kill "$reader"
is "what is still in the rings then is counted, at each hop" \
	"$(jq -c '[.capture.interfaces[] | .dropped_podhop > 0 and
		.observations + .dropped_kernel + .dropped_podhop >= 20000] | unique' "$dir/stalled.json")" '[true]'

# ---- a node that is suspended, or a capture that is ----

stopped() { [[ $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status") == T ]]; }

capture node1 default/web -s 128 -B 256 -w "$dir/sleep.pcapng" --json
pid=$(podhop_pid "${capture_pid[node1]}")
on web "$TOOLS/udpgen" -n 100 -s 64 -p 5301 "$POD_API_IP" >/dev/null 2>&1
kill -STOP "$pid"
until stopped "$pid"; do sleep 0.01; done
# More than its rings hold: the kernel drops the rest, and counts.
on web "$TOOLS/udpgen" -n 50000 -s 64 -p 5301 "$POD_API_IP" >/dev/null 2>&1
kill -CONT "$pid"
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
capture_end node1
is "a capture that was stopped goes on" "$status" 0
kept=$(jq '.capture.observations' "$dir/node1.out")
missing=$(jq '[.capture.interfaces[].dropped_kernel] | add' "$dir/node1.out")
# 50,100 datagrams at four hops, three pings and their answers, as much ICMP as the far node sends.
if ((kept + missing >= 200400 + 24 && missing > 0)); then
	ok "every frame of that time is kept or counted as dropped"
else
	not_ok "every frame of that time is kept or counted as dropped" "kept $kept, dropped $missing of 200424"
fi
is "what the rings lost is not called lost by the network" \
	"$(jq '[.losses[] | select(.verdict == "lost") | .packets] | add // 0' "$dir/node1.out")" 0
is "what came behind it is whole" \
	"$(jq '[.flows[] | select(.protocol == "icmp" and (.src_port? // 0) == 0 and (.path | test("veth.*underlay|underlay.*veth"))) |
		.packets] | add >= 6' "$dir/node1.out")" true
is "the file has what the report counts" "$(frames_of "$dir/sleep.pcapng")" "$kept"

# Little traffic, and no drops: seconds of it wait in each ring, and one is read before the next.
capture node1 default/web -s 128 -w "$dir/sleep.pcapng" --json
pid=$(podhop_pid "${capture_pid[node1]}")
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
kill -STOP "$pid"
until stopped "$pid"; do sleep 0.01; done
on web ping -c 8 -i 0.5 "$POD_API_IP" >/dev/null
kill -CONT "$pid"
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
capture_end node1
is "a capture that was stopped for seconds sees each packet whole, and no stepped clock" \
	"$(jq -c '[.packets.complete == .packets.total, .packets.total >= 28, .losses, .capture.clock_steps,
		.capture.late]' "$dir/node1.out")" '[true,true,[],0,0]'
# The same behind a pipe whose reader takes nothing: podhop waits in its write.
mkfifo "$dir/slow.fifo"
# shellcheck disable=SC2217  # it holds the FIFO open and reads nothing
sleep 600 <"$dir/slow.fifo" &
reader=$!
jobs_started+=("$reader")
capture node1 default/web -s 1500 -B 4096 -w "$dir/slow.fifo" --json
pid=$(podhop_pid "${capture_pid[node1]}")
on web "$TOOLS/udpgen" -n 200 -s 1400 -r 2000 -p 5301 "$POD_API_IP" >/dev/null 2>&1
until [[ $(<"/proc/$pid/wchan") == *pipe_write* ]]; do sleep 0.01; done
on web ping -c 8 -i 0.5 "$POD_API_IP" >/dev/null
cat "$dir/slow.fifo" >"$dir/slow.pcapng" &
jobs_started+=("$!")
on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
capture_end node1
is "... as one that waited for its pipe's reader" \
	"$(jq -c '[([.losses[] | select(.verdict == "lost")]), .capture.clock_steps, .capture.late]' "$dir/node1.out")" '[[],0,0]'
kill "$reader"

# ---- signals, one after the other ----

shim=$BUILD/preload/storm.so
if [[ ! -e $shim ]] || ldd "$PODHOP" | grep -q 'libasan\|libtsan\|libubsan'; then
	skip "interrupted every half millisecond" "no tests/preload/storm.c, or a sanitizer's build"
else
	STORM_FD=9 LD_PRELOAD=$shim "$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -w - \
		--json --report "$dir/storm.json" >"$dir/storm.pcapng" 2>"$dir/storm.err" </dev/null 9>"$dir/storm.count" &
	pid=$!
	jobs_started+=("$pid")
	wait_for "$dir/storm.err" 'capturing on' "$pid"
	udp web api "$POD_API_IP" 500
	kill -TERM "$(podhop_pid "$pid")"
	wait "$pid"
	is "interrupted every half millisecond: a normal end" "$?" 0
	is "... every packet at every hop" \
		"$(jq -c '[.flows[] | select(.protocol == "udp" and (.path | test("veth.*underlay|underlay.*veth"))) | .packets] | add' \
			"$dir/storm.json")" 1000
	is "... each frame in the stream" "$(frames_of "$dir/storm.pcapng")" "$(jq '.capture.observations' "$dir/storm.json")"
	if (($(<"$dir/storm.count") >= 100)); then
		ok "... and it was interrupted"
	else
		not_ok "... and it was interrupted" "$(<"$dir/storm.count") times"
	fi
fi

# ---- the system clock is stepped while packets flow ----

# stepped MS TIMES OPTIONS...: a stream through all hops, the clock stepped by MS milliseconds at a
# time (tests/preload/clockstep.c); sets $status
stepped() {
	local ms=$1 times=$2 pid sender i
	shift 2
	: >"$dir/step.err"
	CLOCKSTEP_MS=$ms LD_PRELOAD=$BUILD/preload/clockstep.so "$lab" exec node1 "$PODHOP" capture default/web \
		--host-root "$NODE1_ROOT" -s 128 --json -w "$dir/step.pcapng" "$@" \
		>"$dir/step.out" 2>"$dir/step.err" </dev/null &
	pid=$!
	jobs_started+=("$pid")
	wait_for "$dir/step.err" 'capturing on' "$pid"
	on web "$TOOLS/udpgen" -n 4000 -s 64 -r 2000 -p 5301 "$POD_API_IP" >/dev/null 2>&1 &
	sender=$!
	jobs_started+=("$sender")
	for ((i = 0; i < times; i++)); do
		until (($(stat -c %s "$dir/step.pcapng") > 100000 * (i + 1))); do sleep 0.02; done
		kill -USR2 "$(podhop_pid "$pid")"
	done
	wait "$sender"
	kill -TERM "$(podhop_pid "$pid")"
	wait "$pid"
	status=$?
}
# The stream's 16,000 observations are all there, no packet is called lost, the file has all frames.
# The packet that a small step meets between two hops may bear stamps so far apart that it is two, each
# with a part of the path: both together have the observations of one (tests/unit/test_pipeline.c,
# test_small_step_cuts_one_packet).
step_is_told() {
	local steps=$1
	[[ $status == 0 ]] && jq -e --arg steps "$steps" '.capture.observations >= 16000 and
		([.losses[] | select(.verdict == "lost")] == []) and
		.capture.clock_steps == ($steps | tonumber) and
		($steps != "0" or .packets.complete == .packets.total or
		 (.packets.complete + 2 == .packets.total and .packets.edge == 2 and
		  (.packets.complete + 1) * 4 + .packets.not_ip == .capture.observations))' \
		"$dir/step.out" >/dev/null &&
		[[ $(tshark -r "$dir/step.pcapng" -T fields -e frame.number 2>/dev/null | tail -n 1) == \
			$(jq .capture.observations "$dir/step.out") ]]
}
# Each is counted once, though every hop's ring crosses it. By less than the capture sorts (and the
# look-ahead spans) a step is disorder, and no more.
for step in "-3600000 1 1" "3600000 1 1" "-5000 3 3" "-300 1 0" "-30 1 0"; do
	read -r ms times steps <<<"$step"
	stepped "$ms" "$times"
	if step_is_told "$steps"; then
		ok "the clock is stepped by $ms ms, $times x: all frames, nothing lost, steps: $steps"
	else
		not_ok "the clock is stepped by $ms ms, $times x" "$(jq -c '[.capture.observations,
			.packets, .capture.clock_steps, .losses]' "$dir/step.out"; tail -n 2 "$dir/step.err")"
	fi
done

# ---- devices that go away ----

capture node1 default/client -w "$dir/gone.pcapng" --json
on client ping -c 2 -i 0.05 "$POD_API_IP" >/dev/null
on node1 ip link del "$POD_CLIENT_VETH"
wait_for "$dir/node1.err" "$POD_CLIENT_VETH went away" "${capture_pid[node1]}"
capture_end node1
is "a veth that is deleted does not end the run" "$status" 0
is "what it showed before is kept" \
	"$(jq '[.capture.interfaces[] | select(.role == "veth") | .observations >= 4] | all' "$dir/node1.out")" true

capture node1 default/web -w "$dir/vtep.pcapng" --json
on node1 ip link del flannel.1
wait_for "$dir/node1.err" "flannel.1 went away" "${capture_pid[node1]}"
on web ping -c 2 -i 0.05 -W 1 "$NODE1_CNI_IP" >/dev/null
capture_end node1
is "a VTEP that is deleted does not end the run" "$status" 0
is "the other hops go on" \
	"$(jq '[.paths[] | select(.path == "veth>bridge")] | length' "$dir/node1.out")" 1
done_testing
