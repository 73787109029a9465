# SPDX-License-Identifier: BSD-3-Clause
# podhop.bash - completion for bash: commands and options as `podhop help` tells them,
# pods as `podhop list` does. Nothing is listed here twice.
# shellcheck shell=bash

_podhop_commands() {
	"$1" help 2>/dev/null | sed -n 's/^  podhop \([a-z]*\) .*/\1/p'
}

# Lines "-w --write FILE" of a command's options; "-" where there is none.
_podhop_options() {
	"$1" help "$2" 2>/dev/null | sed -n \
		-e 's/^\( *--[a-z-]*\)\[=[^ ]*/\1/' \
		-e 's/^  -\(.\), --\([a-z-]*\) \{0,1\}\([^ ]*\)  *.*/-\1 --\2 \3/p' \
		-e 's/^      *--\([a-z-]*\) \{0,1\}\([^ ]*\)  *.*/- --\1 \2/p' \
		-e 's/^  -\(.\) \{0,1\}\([^ ,]*\)  *.*/-\1 - \2/p'
}

# namespace/name and name of the pods that can be captured
_podhop_pods() {
	"$1" list -q 2>/dev/null | awk 'NR > 1 && $NF == "ok" { print $1 "/" $2; print $2 }'
}

_podhop() {
	local program=${COMP_WORDS[0]} cur=${COMP_WORDS[COMP_CWORD]} prev='' command='' word
	local metavar='' words=0 i short long arg options
	COMPREPLY=()
	((COMP_CWORD < 1)) || prev=${COMP_WORDS[COMP_CWORD - 1]}
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "$(_podhop_commands "$program") --help --version" -- "$cur")
		return
	fi
	command=${COMP_WORDS[1]}
	options=$(_podhop_options "$program" "$command")

	# Which positional argument is this? Options and their values do not count.
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		if [[ $word == -?* ]]; then
			while read -r short long arg; do
				[[ -z $arg || ($word != "$short" && $word != "$long") ]] || ((i += 1))
			done <<<"$options"
		else
			((words += 1))
		fi
	done
	while read -r short long arg; do
		[[ $prev != "$short" && $prev != "$long" ]] || metavar=$arg
	done <<<"$options"

	case $metavar in
	FILE) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
	DIR) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur") ;;
	USER) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	POD) mapfile -t COMPREPLY < <(compgen -W "$(_podhop_pods "$program")" -- "$cur") ;;
	ROLE=*) compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W 'veth= bridge= vtep= underlay=' -- "$cur") ;;
	COND) compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W 'duration: filesize: packets: files:' -- "$cur") ;;
	*'|'*) mapfile -t COMPREPLY < <(compgen -W "${metavar//|/ }" -- "$cur") ;;
	?*) ;;
	*)
		if [[ $cur == -* ]]; then
			mapfile -t COMPREPLY < <(compgen -W "$(tr -s ' ' '\n' <<<"$options" | grep '^-.')" -- "$cur")
			return
		fi
		case $command in
		resolve | capture | doctor)
			((words)) || mapfile -t COMPREPLY < <(compgen -W "$(_podhop_pods "$program")" -- "$cur") ;;
		report | verify)
			compopt -o filenames 2>/dev/null
			mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
		help)
			((words)) || mapfile -t COMPREPLY < <(compgen -W "$(_podhop_commands "$program")" -- "$cur") ;;
		esac
		;;
	esac
}
complete -F _podhop podhop
