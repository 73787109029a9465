#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# rights.sh - podhop with file capabilities and no root, with less, and what it can do no more once
# it captures (TAP, root).
# Time limit: 200 s
#
# shellcheck disable=SC1091,SC2034,SC2154  # what the sourced file reads and sets
set -u
LAB_PREFIX=ri
. "$(dirname "$0")/../lib/lab.sh"
lab_test
need jq setpriv setcap
lab_up

chmod 755 "$dir"
install -m 755 "$PODHOP" "$dir/podhop"
# As nobody, with what the file's capabilities give.
as() { on node1 setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
give() { # CAPABILITIES, none: ''
	setcap -r "$dir/podhop" 2>/dev/null
	[[ -z $1 ]] || setcap "$1=ep" "$dir/podhop" || bail "setcap"
}
veths() { as "$dir/podhop" list --host-root "$NODE1_ROOT" --json 2>"$dir/err" |
	jq -r '[.pods[] | select(.veth) | .name + "=" + .veth] | sort | join(" ")'; }
wanted="client=$POD_CLIENT_VETH web=$POD_WEB_VETH"
# Captures as nobody while the pod sends, to the third packet; its exit status and paths.
capture_as() {
	local pid out=$dir/as.out
	: >"$dir/as.err"
	as "$dir/podhop" capture "$@" --host-root "$NODE1_ROOT" -c 6 --json icmp >"$out" 2>"$dir/as.err" </dev/null &
	pid=$!
	jobs_started+=("$pid")
	wait_for "$dir/as.err" 'capturing on' "$pid"
	on web ping -c 3 -i 0.05 "$POD_API_IP" >/dev/null
	wait "$pid"
	echo "$? $(jq -r '[.paths[].path] | sort | join(" ")' "$out")"
}
both='0 underlay>vtep>bridge>veth veth>bridge>vtep>underlay'

give cap_net_raw,cap_net_admin
is "CAP_NET_RAW, CAP_NET_ADMIN: all pods are found" "$(veths)" "$wanted"
is "... with what is inside of them" "$(as "$dir/podhop" resolve default/web --host-root "$NODE1_ROOT" --json |
	jq -r '.pod.interfaces[0] | .name + " " + .mac')" "eth0 $POD_WEB_MAC"
is "... and captured by name" "$(capture_as default/web)" "$both"
is "... by address" "$(capture_as "$POD_WEB_IP")" "$both"

give cap_net_raw
is "CAP_NET_RAW alone: all pods are found" "$(veths)" "$wanted"
is "... and captured" "$(capture_as default/web)" "$both"
like "... which says what is missing for translations" "$(<"$dir/as.err")" 'conntrack: .* needs CAP_NET_ADMIN'
is "... by veth" "$(capture_as "veth:$POD_WEB_VETH")" "$both"
is "... not more than that is known inside" "$(as "$dir/podhop" resolve default/web --host-root "$NODE1_ROOT" --json 2>/dev/null |
	jq -r '.veth')" "$POD_WEB_VETH"
like "... and why" "$(as "$dir/podhop" resolve default/web --host-root "$NODE1_ROOT" 2>&1)" \
	'mtu \?.*peer +not shown: needs CAP_NET_ADMIN'

give ''
is "no right at all: pods are found" "$(veths)" "$wanted"
as "$dir/podhop" capture default/web --host-root "$NODE1_ROOT" >"$dir/out" 2>"$dir/err"
is "... capture fails with 1" "$?" 1
like "... and names the missing right" "$(cat "$dir/err")" "open $POD_WEB_VETH: .*\(needs CAP_NET_RAW: run podhop as root\)"
cp "$ROOT/samples/remote.pcapng" "$dir/in.pcapng"
chmod 644 "$dir/in.pcapng"
as "$dir/podhop" report "$dir/in.pcapng" -q >"$dir/out" 2>&1
is "report needs none" "$?" 0
as "$dir/podhop" verify "$dir/in.pcapng" >"$dir/out" 2>&1
is "verify needs none" "$?" 0
as "$dir/podhop" doctor --host-root "$NODE1_ROOT" >"$dir/out" 2>&1
status=$?
is "doctor does what it can" "$((status == 0 || status == 3)) $(grep -c 'skipped$' "$dir/out")" '1 1'
is "... and says what each needs" "$(as "$dir/podhop" doctor --host-root "$NODE1_ROOT" --json |
	jq -r '[.checks[] | select(.status == "skip") | .found | test("needs CAP_[A-Z_]+")] | all')" true

# ---- another user (-Z) ----

mkdir "$dir/home"
chown nobody "$dir/home"
start_as() { # CAPTURE-OPTIONS...: sets $pid
	: >"$dir/z.err"
	on node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -Z nobody "$@" \
		>"$dir/z.out" 2>"$dir/z.err" </dev/null &
	pid=$!
	jobs_started+=("$pid")
	wait_for "$dir/z.err" 'capturing on' "$pid"
}
start_as -w "$dir/home/z.pcapng" --report "$dir/home/z.json" --html "$dir/home/z.html" --json
is "-Z: the user is changed, no group and no capability is left" \
	"$(awk '/^(Uid|Gid|Groups|CapPrm|CapEff|CapBnd|CapAmb):/ { $1 = $1; print }' "/proc/$(podhop_pid "$pid")/status" | xargs)" \
	"Uid: 65534 65534 65534 65534 Gid: 65534 65534 65534 65534 Groups: 65534 CapPrm: 0000000000000000 CapEff: 0000000000000000 CapBnd: 0000000000000000 CapAmb: 0000000000000000"
kill -TERM "$(podhop_pid "$pid")"
wait "$pid"
is "... and the files are that user's" "$? $(stat -c '%U:%a' "$dir"/home/z.* | xargs)" '0 nobody:600 nobody:600 nobody:600'
# More than fits into the ring's two files: the first one's turn comes again.
start_as -C 1 -W 2 -w "$dir/home/ring.pcapng" -T json
on web "$TOOLS/udpgen" -n 2000 -s 600 -p 5301 "$POD_API_IP" >/dev/null 2>&1
kill -TERM "$(podhop_pid "$pid")"
wait "$pid"
is "... also those that come again in a ring" "$? $(stat -c '%U:%a' "$dir"/home/ring.* | xargs)" '0 nobody:600 nobody:600'
"$lab" exec node1 "$PODHOP" capture default/web --host-root "$NODE1_ROOT" -Z no-such-user \
	-w "$dir/home/none.pcapng" >"$dir/out" 2>"$dir/err" </dev/null
is "an unknown user is said before a file is made" "$? $(<"$dir/err") $(ls "$dir/home/none.pcapng" 2>/dev/null)" \
	'2 podhop: -Z no-such-user: there is no such user '

# ---- what a capture may not do, once it captures (as root, without -Z) ----

shim=$BUILD/preload/deliberate.so
if [[ ! -e $shim ]] || ldd "$PODHOP" | grep -q 'libasan\|libtsan\|libubsan'; then
	skip "a capture is killed for what it must not do" "no tests/preload/deliberate.c, or a sanitizer's build"
else
	# deliberate WHAT CAPTURE-OPTIONS...: exit status, and whether it was let through
	deliberate() {
		local what=$1
		shift
		on node1 env DELIBERATE="$what" LD_PRELOAD="$shim" "$PODHOP" capture default/web \
			--host-root "$NODE1_ROOT" -a duration:1 "$@" >"$dir/out" 2>"$dir/err" </dev/null
		printf '%s%s' $? "$(grep -o 'let through' "$dir/err")"
	}
	killed=$((128 + 31)) # SIGSYS
	is "capture: without it all is well" "$(deliberate nothing)" 0
	for what in socket packet open openat2 write exec fork ptrace signal send; do
		is "capture: $what is its end" "$(deliberate "$what")" "$killed"
	done
	# With --follow packet sockets can be opened, so that sending is no news.
	for what in socket openat2 write exec fork ptrace signal; do
		is "capture --follow: $what is its end" "$(deliberate "$what" --follow)" "$killed"
	done
fi
done_testing
