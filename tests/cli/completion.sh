#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# completion.sh - what <Tab> offers, in bash (TAP); zsh and fish are parsed where they are.
# Also: the manual page of each command lists the options that its help lists.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
n=0 failed=0

# The pods of a made-up node; everything else is podhop's own.
cat >"$tmp/podhop" <<STUB
#!/bin/sh
[ "\$1" != list ] || { printf '%s\n' 'NAMESPACE NAME IP PID NETNS VETH BRIDGE VTEP UNDERLAY STATE' \
	'default web 10.244.1.2 1 - veth1 cni0 flannel.1 eth0 ok' \
	'shop web-2 10.244.1.3 2 - veth2 cni0 flannel.1 eth0 ok' \
	'kube-flannel kube-flannel-x - 3 - - - - - hostNetwork'; exit 0; }
exec "$PODHOP" "\$@"
STUB
chmod +x "$tmp/podhop"
PATH=$tmp:$PATH
# shellcheck source=src/completion/podhop.bash
. "$root/src/completion/podhop.bash"

# offers LINE: what completing its last word offers (a trailing space: a new word)
offers() {
	local line=$1
	read -r -a COMP_WORDS <<<"$line"
	[[ $line != *' ' ]] || COMP_WORDS+=('')
	COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
	COMPREPLY=()
	_podhop
	printf '%s\n' "${COMPREPLY[@]}" | sort | tr '\n' ' '
}

is() { # NAME FOUND WANTED
	n=$((n + 1))
	if [[ $2 == "$3" ]]; then
		echo "ok $n - $1"
	else
		printf 'not ok %d - %s\n# found: %s\n# wanted: %s\n' "$n" "$1" "$2" "$3"
		failed=1
	fi
}

has() { # NAME FOUND WORD...
	local name=$1 found=" $2" word missing=''
	shift 2
	for word; do [[ $found == *" $word "* ]] || missing+=" $word"; done
	is "$name" "$missing" ''
}

is 'a command' "$(offers 'podhop cap')" 'capture '
has 'all commands' "$(offers 'podhop ')" list resolve capture report help
is 'pods, by name and with namespace' "$(offers 'podhop capture ')" 'default/web shop/web-2 web web-2 '
is 'a pod' "$(offers 'podhop capture sh')" 'shop/web-2 '
is 'one POD only' "$(offers 'podhop capture web ')" ' '
is 'the POD behind options' "$(offers 'podhop capture -c 5 -q de')" 'default/web '
is 'an option that takes a POD' "$(offers 'podhop capture web --and sh')" 'shop/web-2 '
is 'values of a choice' "$(offers 'podhop capture web -T j')" 'json jsonl '
is 'roles' "$(offers 'podhop capture web --hops v')" 'veth= vtep= '
is 'help COMMAND' "$(offers 'podhop help res')" 'resolve '
is 'files' "$(cd "$tmp" && touch a.pcapng b.pcapng && offers 'podhop report a')" 'a.pcapng '
is 'files of an option' "$(cd "$tmp" && offers 'podhop capture web -w b.')" 'b.pcapng '
is 'no value is made up' "$(offers 'podhop capture web -c ')" ' '
# Every option that the help lists is offered, and nothing else.
for command in list resolve capture report; do
	is "options of $command are those of its help" \
		"$(offers "podhop $command -" | tr ' ' '\n' | grep -v '^$' | sort)" \
		"$("$PODHOP" help "$command" | sed -n 's/^  *\(-.*\)/\1/p' | sed 's/   *.*//' |
			grep -o -e '--[a-z-]*' -e '^-[A-Za-z]' | sort)"
done
# The command's own page explains each of them too.
for command in list resolve capture report; do
	missing=''
	while read -r long; do
		grep -qF -e "${long//-/\\-}" "$root/src/man/podhop-$command.8" || missing+=" $long"
	done < <("$PODHOP" help "$command" | grep -o -e '--[a-z][a-z-]*' | sort -u)
	is "podhop-$command(8) has the options of its help" "$missing" ''
done
for shell in zsh:_podhop fish:podhop.fish; do
	n=$((n + 1))
	if [[ -z $(type -P "${shell%%:*}") ]]; then
		echo "ok $n - ${shell#*:} is sound # SKIP ${shell%%:*} is not installed"
	elif "${shell%%:*}" -n "$root/src/completion/${shell#*:}"; then
		echo "ok $n - ${shell#*:} is sound"
	else
		echo "not ok $n - ${shell#*:} is sound"
		failed=1
	fi
done
echo "1..$n"
exit $failed
