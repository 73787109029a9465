#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# replay.sh - the result depends neither on the order in which hops are drained nor on luck
# (TAP, needs root for the labs that make the captures).
# Time limit: 7200 s
#
# The stored files of truth.sh's rows, each reported as it would be had the capture been less
# lucky (tests/tools/replay.py): its frames in any order within 200 ms give the same report and
# the same packets; without 1, 10 and 50 % of the frames of each hop in turn no two frames are of
# one packet that were not, and every packet that lost frames is said to be missing at that hop.
#
# usage: replay.sh [-t] [-k DIR] [VARIANT[/CASE[/FAMILY]]...]
#   -t       print a table instead of TAP: a line a case and family, a column a lab
#   -k DIR   the files that `truth.sh -k DIR` has kept; no lab, no root
# Without names: all with -t, -k or PODHOP_LONG set, else those that stand for the others.
set -u
export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
here=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$here/$build
replay=$here/tests/tools/replay.py

# shellcheck source=tests/lib/rows.sh
source "$here/tests/lib/rows.sh"
rows_options "$@"
if ((!${#wanted[@]} && !table)) && [[ -z $keep && -z ${PODHOP_LONG:-} ]]; then
	wanted=(on/{service-udp,node-pod-udp,service-local-udp,nodeport-udp,too-big}/v4
		on/{pod-pod-udp,hairpin-udp,equal-udp}/v6 off/{service-tcp,hairpin-udp}/v4
		direct/nodeport-far-udp/v4)
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM HUP

if [[ -z $keep ]]; then
	[[ $EUID == 0 ]] || { echo "1..0 # SKIP needs root"; exit 0; }
	keep=$work/truth
	mkdir "$keep"
	PODHOP_LONG=${PODHOP_LONG:-$table} "$here/tests/lab/truth.sh" -k "$keep" "${wanted[@]}" \
		>"$work/truth.out" 2>&1 || sed -n '/^not ok/,/^ok/{/^ok/!s/^/# /p}' "$work/truth.out"
fi

# sums FILE: one line of "same|DIFFERS named due edge alike wrong", over all that was removed
sums() {
	awk '
		/^shuffled/ { same = $NF }
		/^removed/ {
			for (i = 2; i <= NF; i++) { split($i, a, "="); n[a[1]] += a[2] }
		}
		END { print same, n["named"] + 0, n["named"] + n["elsewhere"] + n["unnamed"],
			n["edge"] + n["alone"], n["ambiguous"] + n["alike"], n["merged"] + n["invented"] + 0 }' "$1"
}

count=0 failed=0
for file in "$keep"/*.pcapng; do
	row=${file##*/}
	row=${row%.pcapng}
	variant=${row%%-*}
	[[ $row != outer-fragments-* ]] || variant=outer-fragments
	family=${row##*-}
	case=${row#"$variant"-}
	case=${case%-*}
	[[ $row != *.again && $case != *-between-* ]] || continue # no pod: nothing is ever missing
	rows_wanted "$variant" "$case" "$family" || continue
	"$replay" "$build/podhop" "$file" "$work" >"$work/$row.out" 2>&1
	status=$?
	((++count))
	read -r same named due edge alike wrong < <(sums "$work/$row.out")
	cell="$same $named of $due"
	((alike == 0)) || cell+=", $alike alike"
	if ((status)); then
		((++failed))
		cell+=" **wrong**"
	fi
	if ((table)); then
		printf '%s\t%s %s\t%s\n' "$variant" "$case" "$family" "$cell" >>"$work/rows"
	elif ((status)); then
		echo "not ok $count - $row: $cell, wrong $wrong"
		grep '^#' "$work/$row.out" | cut -c1-300
	else
		echo "ok $count - $row: shuffled $same; removed: $named of $due named, $edge at the edge or alone, $alike alike, wrong $wrong"
	fi
done

if ((table)); then
	"$here/tests/lib/truth-table" "$work/rows"
else
	echo "1..$count"
fi
((count > 0 && failed == 0))
