#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# options.sh - help and manual name the same commands and options (TAP).
#
# Help is made of the parser's own table, so it stands for what podhop accepts.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
podhop=$BUILD/podhop
[[ -x $podhop ]] || { echo "Bail out! $podhop is missing: make"; exit 1; }
if ! command -v groff >/dev/null; then
	echo '1..0 # SKIP no groff'
	exit 0
fi
export LC_ALL=C
# What the manual already speaks of. Remove a word once podhop has it: the test says so.
planned=()

# shellcheck source=tests/lib/tap.sh
. tests/lib/tap.sh
empty() { if [[ -z $2 ]]; then ok "$1"; else not_ok "$1" "$2"; fi; } # NAME TEXT: a fault a line
# lines A without those in lines B
without() { grep -vxF -f <(printf '%s\n' "$2" | grep .) <(printf '%s\n' "$1") | grep . | sort -u; }

# The manual as plain text; entries of its OPTIONS begin at the seventh column.
manual=$(groff -man -Tascii -P-c -P-b -P-u -rLL=200n src/man/podhop.8)
section() { awk -v s="$1" '/^[A-Z]/ { on = $0 == s; next } on' <<<"$manual"; }
commands=$("$podhop" help | sed -n 's/^  podhop \([a-z]*\).*/\1/p' | sort -u)
in_manual=$(section SYNOPSIS | sed -n 's/^ *podhop \([a-z]\+\).*/\1/p' | sort -u)
empty "every command is in the manual" "$(without "$commands" "$in_manual")"
empty "every command of the manual exists" "$(without "$in_manual" "$commands"$'\n'"$(printf '%s\n' "${planned[@]}")")"

names() { grep -oE '(^|[ ,])--?[A-Za-z][a-z-]*' | tr -d ' ,' | sort -u; }
# "-w, --write" or "--hops": one of both names will do.
rows=$("$podhop" help --table | awk -F '\t' '$1 == "option" {
	print $3 ($3 != "" && $4 != "" ? ", " : "") $4 }' | sort -u)
wide=$(for c in help $commands; do "$podhop" help "$c"; done | awk 'length($0) > 80')
documented=$(section OPTIONS | grep -E '^       -' |
	sed -E 's/^ +((--?[A-Za-z][a-z-]*( [A-Z]+)?(, )?)+).*/\1/' | names)
empty "help fits 80 columns" "$wide"
empty "every option is in the manual" "$(while IFS= read -r row; do
	grep -qxF -f <(names <<<"$row") <<<"$documented" || echo "$row"
done <<<"$rows")"
empty "every option of the manual exists" \
	"$(without "$documented" "$(names <<<"$rows")"$'\n'"$(printf '%s\n' "${planned[@]}")")"
empty "nothing is planned that is there" \
	"$(printf '%s\n' "${planned[@]}" | grep -xF -f <(printf '%s\n' "$commands"; names <<<"$rows"))"
done_testing
