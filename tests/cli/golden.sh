#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# golden.sh - podhop's exact output and exit status for a list of command lines (TAP).
#
#   tests/cli/golden.sh [--update] [CASE...]
#
# tests/cli/cases/CASE/cmd is a shell script; stdout, stderr and exit beside it say what it has
# to print and to return (a missing file: nothing, 0). It runs in an empty directory with
# podhop in PATH, samples/ as `samples`, TZ=UTC and LC_ALL=C. Exit status 77 skips it; what it
# printed is the reason. --update rewrites the expectations: review them as a diff.
#
# What differs from run to run is made equal before: version, CPU time and memory.
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
BUILD=${BUILD:-build}
[[ $BUILD == /* ]] || BUILD=$root/$BUILD
export PATH=$BUILD:$PATH:/usr/sbin:/sbin TZ=UTC LC_ALL=C TERM=dumb COLUMNS=80
export TOOLS=$BUILD/tools ROOT=$root
unset NODE_NAME NO_COLOR PODHOP_LAB SSH_CONNECTION
[[ -x $BUILD/podhop ]] || { echo "Bail out! $BUILD/podhop is missing: make"; exit 1; }

update=
if [[ ${1:-} == --update ]]; then
	update=1
	shift
fi
if (($#)); then
	cases=("${@/#/tests/cli/cases/}")
else
	cases=(tests/cli/cases/*/)
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' INT TERM

same_each_run() {
	sed -E -e 's/^podhop [0-9a-v][^ ]*$/podhop VERSION/' \
		-e 's/podhop used .* of CPU time and .* of memory/podhop used CPU time and memory/' \
		-e 's/"(cpu_ns|max_rss_bytes)": ?[0-9]+/"\1":0/g'
}

echo "1..${#cases[@]}"
n=0 failed=0
for c in "${cases[@]}"; do
	c=${c%/}
	name=${c##*/}
	n=$((n + 1))
	mkdir "$tmp/dir" "$tmp/got"
	ln -s "$root/samples" "$tmp/dir/samples"
	(cd "$tmp/dir" && timeout -k 5 60 bash "$root/$c/cmd" >"$tmp/stdout" 2>"$tmp/stderr" </dev/null)
	status=$?
	if ((status == 77)); then
		echo "ok $n - $name # SKIP $(tail -n 1 "$tmp/stderr")"
	else
		same_each_run <"$tmp/stdout" >"$tmp/got/stdout"
		same_each_run <"$tmp/stderr" >"$tmp/got/stderr"
		echo "$status" >"$tmp/got/exit"
		bad=
		for what in stdout stderr exit; do
			if [[ -n $update ]]; then
				if [[ -s $tmp/got/$what && ($what != exit || $status != 0) ]]; then
					cp "$tmp/got/$what" "$c/$what"
				else
					rm -f "$c/$what"
				fi
				continue
			fi
			want=$c/$what
			if [[ ! -e $want ]]; then
				want=$tmp/want
				: >"$want"
				[[ $what != exit ]] || echo 0 >"$want"
			fi
			diff -u --label "$c/$what (wanted)" --label "found" "$want" "$tmp/got/$what" \
				>"$tmp/diff" || bad+=$(cat "$tmp/diff")$'\n'
		done
		if [[ -z $bad ]]; then
			echo "ok $n - $name"
		else
			failed=1
			echo "not ok $n - $name"
			head -n 60 <<<"$bad" | sed 's/^/# /'
		fi
	fi
	rm -rf --one-file-system "$tmp/dir" "$tmp/got"
done
exit "$failed"
