# SPDX-License-Identifier: BSD-3-Clause
# tap.sh - TAP for tests in bash (sourced). tap.py is the same for those in Python.
#
# A test ends with done_testing, which prints the plan and exits.
# shellcheck shell=bash
n_tests=0 n_failed=0

ok() { printf 'ok %d - %s\n' $((++n_tests)) "$1"; }

# not_ok NAME [TEXT]: the first lines of a text go along as diagnostics
not_ok() {
	printf 'not ok %d - %s\n' $((++n_tests)) "$1"
	n_failed=$((n_failed + 1))
	[[ -z ${2:-} ]] || head -n 40 <<<"$2" | sed 's/^/# /'
}

# skip NAME REASON
skip() { printf 'ok %d - %s # SKIP %s\n' $((++n_tests)) "$1" "$2"; }

# is NAME FOUND WANTED
is() {
	if [[ $2 == "$3" ]]; then
		ok "$1"
	else
		not_ok "$1" "found: $2"$'\n'"wanted: $3"
	fi
}

# like NAME FOUND PATTERN (a regular expression)
like() {
	if [[ $2 =~ $3 ]]; then
		ok "$1"
	else
		not_ok "$1" "found: $2"$'\n'"wanted something like: $3"
	fi
}

# succeeds NAME COMMAND...: a program or a function; else what it said is told
succeeds() {
	local tap_name=$1 said
	shift
	if said=$("$@" 2>&1); then
		ok "$tap_name"
	else
		not_ok "$tap_name" "exit status $?: $said"
	fi
}

bail() {
	printf 'Bail out! %s\n' "$*"
	exit 1
}

# A machine on which the test cannot run. PODHOP_NO_SKIP (set in CI): then it fails.
skip_all() {
	[[ -z ${PODHOP_NO_SKIP:-} ]] || bail "$1"
	printf '1..0 # SKIP %s\n' "$1"
	exit 0
}

done_testing() {
	printf '1..%d\n' "$n_tests"
	exit $((n_failed > 0))
}
