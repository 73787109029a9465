# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# lab.sh - TAP, a lab and captures in it, for lab tests (sourced).
#
# Sets PODHOP_LAB to a name with this process's id and removes that lab on any exit. Waits are
# for events: lines that a program prints when it is ready, not seconds.
# shellcheck disable=SC2034,SC2154  # variables of the tests, and those of `lab env`

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
BUILD=${BUILD:-$ROOT/build}
[[ $BUILD == /* ]] || BUILD=$ROOT/$BUILD
PODHOP=${PODHOP:-$BUILD/podhop}
TOOLS=$BUILD/tools
export PODHOP_LAB=${LAB_PREFIX:-t}$$ PATH=$PATH:/usr/sbin:/sbin LC_ALL=C TZ=UTC
lab=$ROOT/samples/lab/lab

dir=''
jobs_started=()
# shellcheck source=tests/lib/tap.sh
. "$ROOT/tests/lib/tap.sh"

# need COMMAND...
need() {
	local command
	for command in "$@"; do
		[[ -n $(type -P "$command") ]] || skip_all "$command is missing"
	done
}

# ---- the lab ----

cleanup() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	((${#jobs_started[@]} == 0)) || kill -KILL "${jobs_started[@]}" 2>/dev/null
	wait 2>/dev/null
	"$lab" down -q
	[[ -z $dir ]] || rm -rf --one-file-system -- "$dir"
	exit "$status"
}

# Before anything else: root, the scratch directory $dir, and what undoes it all.
lab_test() {
	[[ $EUID == 0 ]] || skip_all "needs root: it creates namespaces"
	[[ -x $PODHOP ]] || bail "$PODHOP is missing: make"
	trap cleanup EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
	trap 'exit 129' HUP
	dir=$(mktemp -d /tmp/podhop-test.XXXXXX)
}

lab_up() { # options of `lab up`
	"$lab" up -q "$@" || bail "the lab did not come up"
	eval "$("$lab" env)"
}

lab_down() { "$lab" down -q; }

on() { "$lab" exec "$@"; }

# Until a line like PATTERN stands in FILE, as long as process PID lives.
wait_for() { # FILE PATTERN PID
	local tries=1200
	until grep -q "$2" "$1" 2>/dev/null; do
		if ! kill -0 "$3" 2>/dev/null || ! ((tries--)); then
			bail "'$2' did not come: $(tail -n 5 "$1" 2>/dev/null)"
		fi
		sleep 0.05
	done
}

# start VARIABLE FILE COMMAND...: in the background, its pid in VARIABLE, its output in FILE
start() {
	local -n pid_of=$1
	local file=$2
	shift 2
	: >"$file"
	"$@" >"$file" 2>&1 </dev/null &
	pid_of=$!
	jobs_started+=("$pid_of")
}

# capture NODE POD OPTIONS...: podhop in the background; stdout and stderr in $dir/NODE.out
# and .err, its pid in capture_pid[NODE]; back when it captures
declare -A capture_pid=()
capture() {
	local node=$1 pod=$2 host_root=${1^^}_ROOT
	shift 2
	: >"$dir/$node.err"
	"$lab" exec "$node" "$PODHOP" capture "$pod" --host-root "${!host_root}" "$@" \
		>"$dir/$node.out" 2>"$dir/$node.err" </dev/null &
	capture_pid[$node]=$!
	jobs_started+=("$!")
	wait_for "$dir/$node.err" 'capturing on' "$!"
}

# capture_end NODE: ends it with SIGTERM; its exit status in $status
capture_end() {
	kill -TERM "${capture_pid[$1]}" 2>/dev/null
	wait "${capture_pid[$1]}"
	status=$?
}

# podhop_pid PID: the podhop below a `lab exec`
podhop_pid() {
	local pid=$1 child
	while child=$(pgrep -P "$pid" | head -n 1) && [[ -n $child ]]; do pid=$child; done
	echo "$pid"
}

# tcp CLIENT-POD SERVER-POD ADDRESS [client options] [-- server options]: one stream, to its end
tcp() {
	local from=$1 to=$2 address=$3 family=-4 client=() server_pid
	shift 3
	[[ $address != *:* ]] || family=-6
	while (($#)) && [[ $1 != -- ]]; do
		client+=("$1")
		shift
	done
	(($# == 0)) || shift
	start server_pid "$dir/tcp.server" on "$to" "$TOOLS/tcpstream" server "$family" "$@"
	wait_for "$dir/tcp.server" '^ready' "$server_pid"
	on "$from" "$TOOLS/tcpstream" client "${client[@]}" "$address" >"$dir/tcp.client" 2>&1 ||
		bail "tcpstream client: $(tail -n 3 "$dir/tcp.client")"
	wait "$server_pid" || bail "tcpstream server: $(tail -n 3 "$dir/tcp.server")"
}

# udp CLIENT-POD SERVER-POD ADDRESS COUNT [client options]: requests and replies
udp() {
	local from=$1 to=$2 address=$3 count=$4 family=-4 server_pid
	shift 4
	[[ $address != *:* ]] || family=-6
	start server_pid "$dir/udp.server" on "$to" "$TOOLS/udpecho" server "$family" -n "$count"
	wait_for "$dir/udp.server" '^ready' "$server_pid"
	on "$from" "$TOOLS/udpecho" client -n "$count" "$@" "$address" >"$dir/udp.client" 2>&1 ||
		bail "udpecho client: $(tail -n 3 "$dir/udp.client")"
	wait "$server_pid" || bail "udpecho server: $(tail -n 3 "$dir/udp.server")"
}
