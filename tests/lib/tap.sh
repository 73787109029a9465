# SPDX-License-Identifier: BSD-3-Clause
# tap.sh - what tests of command lines share: TAP lines for what was found. To be sourced by bash.
#
# Counts in n; failed is 1 when a test was not ok. The plan is the caller's.
# shellcheck shell=bash
# shellcheck disable=SC2034  # failed is the caller's exit status
n=0 failed=0

# Lines of a text behind the first, as TAP's diagnostics.
tap_lines() { printf '%s' "${1//$'\n'/$'\n'#  }"; }

is() { # NAME FOUND WANTED
	n=$((n + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $n - $1"
	else
		printf 'not ok %d - %s\n# found: %s\n# wanted: %s\n' "$n" "$1" "$(tap_lines "$2")" "$(tap_lines "$3")"
		failed=1
	fi
}

like() { # NAME FOUND REGEX
	if [[ $2 =~ $3 ]]; then is "$1" "" ""; else is "$1" "$2" "something like $3"; fi
}

ok() { # NAME COMMAND...: it succeeds; else what it said is told. COMMAND may be a function
	local tap_name=$1 said
	shift
	n=$((n + 1))
	if said=$("$@" 2>&1); then
		echo "ok $n - $tap_name"
	else
		printf 'not ok %d - %s\n# %s\n' "$n" "$tap_name" "$(tap_lines "$(head -n 20 <<<"$said")")"
		failed=1
	fi
}
