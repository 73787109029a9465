#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# completion.sh - what <Tab> offers, in bash, and in zsh and fish where they are (TAP).
# Also: the manual page of each command has the very options, and words, of the parser's table.
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
# shellcheck source=tests/lib/tap.sh
. "$root/tests/lib/tap.sh"

# The pods of a made-up node; everything else is podhop's own.
cat >"$tmp/podhop" <<STUB
#!/bin/sh
[ "\$1" != --extcap-interfaces ] || { printf '%s\n' \
	'extcap {version=1}{display=podhop: pods at every hop}' \
	'interface {value=podhop-default-web}{display=pod default/web 10.244.1.2}' \
	'interface {value=podhop-shop-web-2}{display=pod shop/web-2 10.244.1.3}'; exit 0; }
exec "$PODHOP" "\$@"
STUB
chmod +x "$tmp/podhop"
PATH=$tmp:$PATH
BUILD=${BUILD:-$root/build}
[[ $BUILD == /* ]] || BUILD=$root/$BUILD
made=$BUILD/completion
[[ -e $made/podhop.bash ]] || { echo "Bail out! $made is missing: make"; exit 1; }
# bash as it is at a terminal, because readline splits the words: types a line and a tab, and prints
# what podhop.bash offered and what then stands on the line, word by word.
cat >"$tmp/ask.py" <<'PY'
import os, pty, sys
made, out, line = sys.argv[1:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(PS1="", TERM="dumb", INPUTRC="/dev/null")
    os.execvp("bash", ["bash", "--norc", "--noprofile", "-i"])
got = b""
def upto(mark):
    global got
    while mark not in got:
        try:
            piece = os.read(fd, 4096)
        except OSError:
            sys.exit("bash ended: %r" % got)
        got += piece
    got = got[got.index(mark) + len(mark):]
def say(text):
    os.write(fd, text.encode())
say(f""". '{made}/podhop.bash'
_asked() {{ _podhop; printf '%s\\n' "${{COMPREPLY[@]}}" >'{out}'; }}
complete -F _asked podhop; bind 'set bell-style none'; bind 'set completion-query-items 0'
PS1="READ""Y>"\n""")
upto(b"READY>")
say(f"{line}\t\x01>'{out}.line' printf '<%s>' \r")
upto(b"READY>")
say("echo DO''NE; exit\r")
upto(b"DONE")
PY
ask() { timeout 30 python3 "$tmp/ask.py" "$made" "$tmp/offers" "$1"; }
# offers LINE: what completing its last word offers (a trailing space: a new word)
offers() { ask "$1" && sort "$tmp/offers" | tr '\n' ' '; }
completed() { ask "$1" && cat "$tmp/offers.line"; }

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
is 'a device behind the role' "$(offers 'podhop capture web --hops veth=l')" 'lo '
is 'a choice behind =' "$(offers 'podhop capture web --format=j')" 'json jsonl '
is 'conditions of -a' "$(offers 'podhop capture web -a ')" 'duration: files: filesize: packets: '
is 'conditions of -b' "$(offers 'podhop capture web -b ')" 'duration: files: filesize: interval: packets: '
is 'conditions behind =' "$(offers 'podhop capture web --ring-buffer=i')" 'interval: '
is 'no number is made up behind a condition' "$(offers 'podhop capture web -a duration:')" ' '
is 'an option that takes a POD, behind =' "$(offers 'podhop capture web --and=shop')" 'shop/web-2 '
is 'one POD only, with a colon in it' "$(offers 'podhop capture pid:123 ')" ' '
is 'one POD only, behind options with = and :' \
	"$(offers 'podhop capture --format=json -a duration:5 --hops veth=lo de')" 'default/web '
is 'help COMMAND' "$(offers 'podhop help res')" 'resolve '
mkdir "$tmp/files"
is 'files' "$(cd "$tmp/files" && touch a.pcapng b.pcapng && offers 'podhop report a')" 'a.pcapng '
is 'files of an option' "$(cd "$tmp/files" && offers 'podhop capture web -w b.')" 'b.pcapng '
is 'files of an option, behind =' "$(cd "$tmp/files" && offers 'podhop capture web --write=b.')" 'b.pcapng '
is 'files of a node' "$(cd "$tmp/files" && offers 'podhop verify node1=a')" 'a.pcapng '
is 'a role is given a file' "$(cd "$tmp/files" && offers 'podhop report a.pcapng --hops vtep=b')" 'b.pcapng '
is 'what is typed stays: =' "$(completed 'podhop capture web --direction=ino')" \
	'<podhop><capture><web><--direction=inout>'
is 'what is typed stays: = and :' "$(completed 'podhop capture shop/web-2 --autostop=dur')" \
	'<podhop><capture><shop/web-2><--autostop=duration:>'
is 'what is typed stays: files' "$(cd "$tmp/files" && completed 'podhop verify node1=a.p')" \
	'<podhop><verify><node1=a.pcapng>'
is 'no value is made up' "$(offers 'podhop capture web -c ')" ' '
# Every option of the table is offered, and nothing else: also those whose value may be left out.
table=$("$PODHOP" help --table)
words_of() { awk -F '\t' -v c="$1" '$1 == "option" && $2 == c { print $3; print $4 }' <<<"$table" |
	grep . | sort; }
commands=$(awk -F '\t' '$1 == "command" && $2 != "help" { print $2 }' <<<"$table")
for command in $commands; do
	is "bash: options of $command are those of the table" \
		"$(offers "podhop $command -" | tr ' ' '\n' | grep . | sort)" "$(words_of "$command")"
done
is 'the FILE behind an option with a value that may be left out' \
	"$(cd "$tmp/files" && offers 'podhop report --anonymize a')" 'a.pcapng '

# The manual page of each command has what the table has, in its words and its order
# (src/man/update-options).
for command in $commands; do
	is "podhop-$command(8) has the options of the table" \
		"$(sed -n '/^\.SH OPTIONS/,/^\.S[HS] /p' "$root/src/man/podhop-$command.8" |
			grep -A 1000 -m 1 '^\.TP' | sed '/^\.SH/d')" \
		"$("$root/src/man/options" "$command" <<<"$table")"
done

if [[ -z $(type -P fish) ]]; then
	skip "fish" "fish is not installed"
else
	fish() { command fish --no-config -c "source $made/podhop.fish; complete -C '$1'" |
		cut -f 1 | sort | tr '\n' ' '; }
	is 'fish: a command' "$(fish 'podhop cap')" 'capture '
	is 'fish: pods' "$(fish 'podhop capture ')" 'default/web shop/web-2 web web-2 '
	is 'fish: an option that takes a POD' "$(fish 'podhop capture web --and sh')" 'shop/web-2 '
	is 'fish: values of a choice' "$(fish 'podhop capture web -T j')" 'json jsonl '
	is 'fish: conditions of -b' "$(fish 'podhop capture web -b ')" \
		'duration: files: filesize: interval: packets: '
	is 'fish: conditions behind =' "$(fish 'podhop capture web --autostop=f')" \
		'--autostop=files: --autostop=filesize: '
	is 'fish: roles' "$(fish 'podhop report --hops v')" 'veth= vtep= '
	is 'fish: help COMMAND' "$(fish 'podhop help res')" 'resolve '
	is 'fish: files' "$(cd "$tmp/files" && fish 'podhop report a.')" 'a.pcapng '
	for command in $commands; do
		is "fish: options of $command are those of the table" \
			"$(fish "podhop $command --" | tr ' ' '\n' | grep . | sort -u)" \
			"$(words_of "$command" | grep -e ^--)"
	done
fi

# zsh completes only at a terminal: one of its own, where compadd tells what it would offer.
cat >"$tmp/ask.zsh" <<'ZSH'
zmodload zsh/zpty
zpty z env PATH="$PATH" TERM=dumb zsh -f -i +o zle
zpty -w z "PS1=; fpath=($1 \$fpath); autoload -Uz compinit; compinit -u -d $2/dump"
zpty -w z 'compadd() { local -a offer
	[[ "$*" == *-[OAD]\ * ]] && { builtin compadd "$@"; return }
	builtin compadd -A offer "$@"; print -l -- "OFFER "$^offer; }'
zpty -w z '_offers() { _main_complete; print DONE; compstate[list]= compstate[insert]= }'
zpty -w z 'setopt zle; zle -C offers list-choices _offers; bindkey "^I" offers; PS1="EDIT""OR> "'
# The editor's prompt: from here on it takes keys.
zpty -r z out '*EDITOR> *'
zpty -w -n z "$3"$'\t'
while zpty -r z out; do
	print -r -- "$out"
	[[ $out != *DONE* ]] || break
done
zpty -d z
ZSH
if [[ -z $(type -P zsh) ]]; then
	skip "zsh" "zsh is not installed"
else
	# What was typed is echoed: the offers of the definition above begin with a quote.
	zsh() { timeout 30 "$(type -P zsh)" -f "$tmp/ask.zsh" "$made" "$tmp" "$1" 2>&1 | tr -d '\r' |
		grep -o 'OFFER [A-Za-z0-9-][^ ]*' | cut -d ' ' -f 2 | sort -u | tr '\n' ' '; }
	is 'zsh: a command' "$(zsh 'podhop cap')" 'capture '
	is 'zsh: pods' "$(zsh 'podhop capture ')" 'default/web shop/web-2 web web-2 '
	is 'zsh: an option that takes a POD' "$(zsh 'podhop capture web --and sh')" 'shop/web-2 '
	is 'zsh: values of a choice' "$(zsh 'podhop capture web -T j')" 'json jsonl '
	is 'zsh: conditions of -b' "$(zsh 'podhop capture web -b ')" \
		'duration: files: filesize: interval: packets: '
	is 'zsh: conditions behind =' "$(zsh 'podhop capture web --autostop=f')" 'files: filesize: '
	is 'zsh: roles' "$(zsh 'podhop report --hops v')" 'veth= vtep= '
	is 'zsh: a role is given a file' "$(cd "$tmp/files" && zsh 'podhop report --hops vtep=a')" 'a.pcapng '
	is 'zsh: a choice behind =' "$(zsh 'podhop capture web --format=j')" 'json jsonl '
	is 'zsh: help COMMAND' "$(zsh 'podhop help res')" 'resolve '
	is 'zsh: files' "$(cd "$tmp/files" && zsh 'podhop report a.')" 'a.pcapng '
	for command in $commands; do
		is "zsh: options of $command are those of the table" \
			"$(zsh "podhop $command --" | tr ' ' '\n' | sed 's/=-\?$//' | grep . | sort -u)" \
			"$(words_of "$command" | grep -e ^--)"
	done
fi
done_testing
