#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# live.sh - the live screen in a real terminal: tmux (TAP).
#
# tmux is the terminal; what it shows is compared with the report that the same run writes. The
# shell in it stands for the user's: the terminal's modes before and after are its `stty`.
# shellcheck disable=SC2154  # set by start, or by lab env
set -uo pipefail
# shellcheck source=tests/lib/lab.sh
. "$(dirname "$0")/../lib/lab.sh"
need tmux jq stty
lab_test
socket=ph-$$
tm() { tmux -L "$socket" -f /dev/null "$@"; }
end() {
	tm kill-server 2>/dev/null
	cleanup
}
trap end EXIT
lab_up --offload off

# ---- what a user of the terminal does and sees ----

pane() { tm capture-pane -p -t t; }
# The pane's own shell: a line typed there
line() { tm send-keys -t t "$1" Enter; }
key() { tm send-keys -t t "$@"; }
# Until the pane has a line like PATTERN
shows() { # PATTERN
	local tries=600
	until pane | grep -q -e "$1"; do
		((tries--)) || bail "the pane never showed '$1': $(pane)"
		sleep 0.05
	done
}
# screen_up OPTIONS...: the screen with its first packets
screen_up() {
	clear_pane
	line "$live $*"
	shows '^ podhop default/web'
}
clear_pane() {
	n_marks=$((${n_marks:-0} + 1))
	line "clear; stty -a >$dir/stty.$n_marks; echo MARK-$n_marks"
	shows "^MARK-$n_marks"
}
# Until the screen's process has left the terminal: before that it would take the keys
left() {
	local tries=600
	until [[ $(tm display -p -t t '#{alternate_on}') == 0 ]] && [[ -z $(pgrep -f "^$PODHOP capture web --live") ]]; do
		((tries--)) || bail "the screen never left: $(pane)"
		sleep 0.05
	done
}
# Back at the shell with the modes it had, and the screen gone from the terminal
is_restored() { # NAME
	clear_pane
	is "$1: the terminal has its modes back" "$(cat "$dir/stty.$n_marks")" "$(cat "$dir/stty.1")"
	is "$1: the terminal shows the shell, with a cursor" \
		"$(tm display -p -t t '#{alternate_on} #{cursor_flag}')" '0 1'
}
status_is() { # NAME WANTED
	line 'echo "status=$?="'
	shows '^status=[0-9]*='
	like "$1: exit status $2" "$(pane | grep -o '^status=[0-9]*=' | tail -n 1)" "=$2="
}
# The capturing process: the parent of the pair
pid_of_capture() { pgrep -o -f "^$PODHOP capture web --live"; }
pid_of_screen() { pgrep -P "$(pid_of_capture)"; }

PS1='$ ' tm new-session -d -s t -x 80 -y 24 "env -i PATH=$PATH HOME=$dir TZ=UTC LC_ALL=C.UTF-8 \
	PODHOP_LAB=$PODHOP_LAB TERM=screen PS1='\$ ' PODHOP_LAB_DIR=${PODHOP_LAB_DIR:-/run/podhop-lab} \
	bash --norc --noprofile -i"
live="$lab exec node1 $PODHOP capture web --live --host-root $NODE1_ROOT --report $dir/r.json"
clear_pane

# ---- figures: the screen and the report of one run ----

screen_up -w "$dir/live.pcapng" -s 128
udp node1/web node2/api "$POD_API_IP" 40 -i 1000
on node1/web ping -q -c 3 -i 0.05 "$POD_API_IP" >/dev/null
# All closed, and the figures have stood still for 2 s. The pod's own ICMPv6 may be among them.
shows '^packets *\(8[6-9]\|9[0-9]\): '
shows '^per second  *0  *0  *0  *0'
screen=$(pane)
total=$(sed -n 's/^packets *\([0-9]*\): .*/\1/p' <<<"$screen")
key q
shows '^cost '
status_is 'q' 0
is 'packets: screen and report' \
	"$(sed -n 's/^packets *\(.*\);.*/\1/p' <<<"$screen")" "$(jq -r '.packets | "\(.total): " +
	"\(.complete) complete, \(.incomplete) incomplete, \(.ambiguous) ambiguous, \(.edge) edge"' \
	"$dir/r.json")"
succeeds 'all that was sent is among them' test "$total" -ge 86
frames=$(awk '$1 == "frames" { $1 = ""; print }' <<<"$screen" | tr -d ',' | xargs)
is 'frames at each hop: screen and report' "$frames" \
	"$(jq -r '[.capture.interfaces[].observations] | join(" ")' "$dir/r.json")"
is 'hops: screen and report' "$(sed -n 5p <<<"$screen" | xargs)" \
	"$(jq -r '[.capture.interfaces[].name] | join(" ")' "$dir/r.json")"
is 'dropped: screen and report' "$(awk '$1 == "dropped" { $1 = ""; print }' <<<"$screen" | xargs)" \
	"$(jq -r '[.capture.interfaces[] | .dropped_kernel + .dropped_podhop] | join(" ")' "$dir/r.json")"
# p50 as the screen writes it: cut to three digits, microseconds whole from 10 on
jq -r '.latency[] | select(.direction == "egress" and .measurable) | .p50_ns' "$dir/r.json" |
	while read -r ns; do
		if ((ns < 10000 && ns % 1000)); then
			printf '%d.%02d us\n' $((ns / 1000)) $((ns % 1000 / 10))
		elif ((ns >= 1000)); then
			echo "$((ns / 1000))"
		else
			echo "$ns ns"
		fi
	done >"$dir/p50"
missing=''
while read -r text; do
	grep '^out p50' <<<"$screen" | grep -qF -e " $text" || missing+=" $text"
done <"$dir/p50"
is 'latencies: screen and report' "$missing" ''
like 'VXLAN: screen and report' "$screen" \
	"VXLAN +$(jq -r .encapsulation.outer_datagrams "$dir/r.json") datagrams"
is '-w: the file has all of it' "$(on node1 "$PODHOP" report "$dir/live.pcapng" --json |
	jq .packets.total)" "$total"
is_restored 'q'

# ---- keys ----

screen_up
start ping_pid "$dir/ping" "$lab" exec node1/web ping -i 0.1 "$POD_API_IP"
shows '4>3>2>1 ok'
like 'a packet with its path in the hops'\'' numbers' "$(pane)" 'out 1>2>3>4 ok .* icmp 10\.244\.1\.2 > 10'
key Down Enter
shows ' packet [0-9]*, [a-z]*, complete '
frozen=$(pane)
like 'frozen: hop by hop' "$frozen" '1 veth +veth[0-9a-f]+ +[0-9:.]{15}'
like 'frozen: the time since the hop before' "$frozen" 'flannel\.1 +[0-9:.]{15} +(\+ [0-9.]+ [num]+s|one stamp for both hops)'
total() { pane | sed -n 's/^packets *\([0-9,]*\):.*/\1/p'; }
before=$(total)
for _ in {1..100}; do
	[[ $(total) == "$before" ]] || break
	sleep 0.05
done
is 'frozen: figures go on' "$([[ $(total) != "$before" ]] && echo yes)" yes
is 'frozen: the packet stays' "$(pane | grep ' packet ')" "$(grep ' packet ' <<<"$frozen")"
key Escape
shows ' packets, newest first'
key p
shows 'PAUSED'
before=$(pane)
# Two intervals of the screen: the ping's next answers are proof that time went by.
answers=$(wc -l <"$dir/ping")
for _ in {1..200}; do
	(($(wc -l <"$dir/ping") < answers + 10)) || break
	sleep 0.05
done
is 'pause: the screen stands still' "$(pane)" "$before"
key p
shows ' live *$'
key s
shows 'slowest first'
key s s
shows 'lost first'
key s
on node1/web ping -q -c 2 -i 0.05 -s 1000 "$POD_API_IP" >/dev/null
key '/' 'len 1042' Enter
shows 'with "len 1042"'
on node1/web ping -q -c 2 -i 0.05 -s 1000 "$POD_API_IP" >/dev/null
shows ' 1042 icmp'
is 'filter: only what has it' "$(pane | grep -c ' 98 icmp')" 0
key Escape
shows ' 98 icmp'
key '?'
shows 'end the capture and print its report'
key '?'
shows ' packets, newest first'

# ---- sizes ----

tm resize-window -t t -x 60 -y 20
shows 'podhop needs 80x24'
like 'too small: what it has, and how to end' "$(pane)" 'this is 60x20'
tm resize-window -t t -x 140 -y 40
shows 'underlay>vtep>bridge>veth'
like 'wide: paths in words, with times' "$(pane)" '[0-9:.]{15} (out|in ) +(veth|underlay)>'
tm resize-window -t t -x 80 -y 24
shows '4>3>2>1'
key C-c
shows '^cost '
status_is 'Ctrl-C' 0
is_restored 'Ctrl-C'

# ---- every other end ----

screen_up
kill -TERM "$(pid_of_capture)"
shows '^cost '
status_is 'SIGTERM' 0
is_restored 'SIGTERM'

screen_up
kill -KILL "$(pid_of_capture)"
left
status_is 'SIGKILL' 137
is_restored 'SIGKILL'

screen_up
kill -KILL "$(pid_of_screen)"
shows '^cost '
status_is 'SIGKILL for the screen'\''s process' 0
is_restored 'SIGKILL for the screen'\''s process'

screen_up
key C-z
key C-z
shows ' packets, newest first'
kill -QUIT "$(pid_of_capture)"
left
status_is 'SIGQUIT' 131
is_restored 'SIGQUIT'

clear_pane
line "$live -w - | head -c 3000 >/dev/null"
shows '^ podhop default/web\|^\$ '
# More than head takes, in the stream
on node1/web ping -q -c 20 -i 0.02 -s 1000 "$POD_API_IP" >/dev/null
shows '^cost \|podhop used'
is_restored 'the reader of -w - goes'

screen_up -c 3
shows '^cost '
status_is '-c' 0
is_restored '-c'

# ---- what it says where there is no screen ----

clear_pane
line "TERM=dumb $live"
shows 'cannot place its cursor'
status_is 'TERM=dumb' 2
line "clear; TERM=no-such-terminal $live"
shows 'no terminal of type no-such-terminal'
status_is 'an unknown terminal' 2
is_restored 'no screen'
status=0
on node1 setsid -w "$PODHOP" capture web --live --host-root "$NODE1_ROOT" </dev/null \
	>"$dir/out" 2>"$dir/err" || status=$?
is 'no terminal: exit status 2' "$status" 2
like 'no terminal: what to do' "$(cat "$dir/err")" '^podhop: --live needs a terminal.*ssh -t'
line "clear; $lab exec node1 $PODHOP capture nosuchpod --live --host-root $NODE1_ROOT"
shows 'nosuchpod'
status_is 'a wrong pod: on a terminal as it was' 2
is_restored 'a wrong pod'

# ---- a terminal that takes nothing does not hold up the capture ----

screen_up -w "$dir/stopped.pcapng" -s 96
kill -STOP "$(pid_of_screen)"
on node1/web ping -q -c 200 -i 0.005 -s 200 "$POD_API_IP" >/dev/null
kill -CONT "$(pid_of_screen)"
shows 'packets'
key q
shows '^cost '
is 'a screen that hangs: no frame was dropped' \
	"$(jq -c '[.capture.interfaces[] | .dropped_kernel + .dropped_podhop] | add' "$dir/r.json")" 0
is 'a screen that hangs: every packet is there' "$("$PODHOP" report "$dir/stopped.pcapng" \
	-f 'icmp and greater 240' --json | jq .packets.total)" 400
kill "$ping_pid"

# Stopped with Ctrl-S, and never let go on: the run goes on, and at its end the terminal does.
screen_up -w "$dir/held.pcapng" -s 96
screen_pid=$(pid_of_screen)
key C-s
until [[ $(<"/proc/$screen_pid/wchan") == *wait_woken* ]]; do sleep 0.01; done
on node1/web ping -q -c 200 -i 0.005 -s 200 "$POD_API_IP" >/dev/null
kill -TERM "$(pid_of_capture)"
shows '^cost '
status_is 'Ctrl-S, then SIGTERM' 0
is '... no frame was dropped' "$(jq -c '[.capture.interfaces[] | .dropped_kernel + .dropped_podhop] | add' "$dir/r.json")" 0
is '... the file has all of it' "$(on node1 "$PODHOP" report "$dir/held.pcapng" --json | jq .packets.total)" \
	"$(jq .packets.total "$dir/r.json")"
is_restored 'Ctrl-S'

done_testing
