# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# rows.sh - the rows of the ground truth that truth.sh and replay.sh are asked for (sourced).
#
#   rows_options "$@"   -t: $table is 1; -k DIR: $keep is DIR; the names behind: $wanted
#   rows_wanted VARIANT CASE FAMILY
# shellcheck disable=SC2034  # read by who sources this

rows_options() {
	local opt OPTIND=1
	table=0 keep=''
	while getopts tk: opt; do
		case $opt in
		t) table=1 ;;
		k) keep=$OPTARG ;;
		*) exit 2 ;;
		esac
	done
	shift $((OPTIND - 1))
	wanted=("$@")
}

rows_wanted() {
	local w
	((${#wanted[@]})) || return 0
	for w in "${wanted[@]}"; do
		[[ "$1/$2/$3/" == "$w/"* ]] && return 0
	done
	return 1
}
