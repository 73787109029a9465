#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# dist.sh - a source archive is the same bytes each time, and can be built; what `make install` puts where (TAP).
set -u
cd "$(dirname "$0")/../.." || exit 1
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
if ! git rev-parse HEAD >/dev/null 2>&1; then
	echo '1..0 # SKIP no git history'
	exit 0
fi
. tests/lib/tap.sh
sum() { sha256sum "$1" | cut -d' ' -f1; }

make -s BUILD="$tmp/one" dist >/dev/null 2>&1
# Another directory (longer), file times, umask, time zone and language.
git clone -q --no-hardlinks . "$tmp/another directory of the same" 2>/dev/null
(
	cd "$tmp/another directory of the same" && umask 027 && find . -path ./.git -prune -o -type f -exec touch -d 2001-01-01 {} + &&
		TZ=Asia/Kathmandu LC_ALL=C make -s BUILD="$tmp/two" dist >/dev/null 2>&1
)
one=$(echo "$tmp"/one/podhop-*.tar.gz) two=$(echo "$tmp"/two/podhop-*.tar.gz)
is "an archive comes of it" "$([[ -s $one ]] && echo yes)" yes
is "the same name" "${two##*/}" "${one##*/}"
is "the same bytes, from another place, time, umask and time zone" "$(sum "$two")" "$(sum "$one")"
tar -xzf "$one" -C "$tmp"
tree=$tmp/$(basename "$one" .tar.gz)
is "all of it is below one directory" "$(tar -tzf "$one" | cut -d/ -f1 | sort -u)" "${tree##*/}"
is "it is what git has" "$(cd "$tree" && find . -type f ! -name .version | sed 's,^\./,,' | sort | sha256sum)" \
	"$(git ls-tree -r --name-only HEAD | sort | sha256sum)"
# Unpacked in another project's checkout it still knows what it is.
(cd "$tmp" && git init -q . && git -c user.name=x -c user.email=x@y commit -q --allow-empty -m x)
is "unpacked, it knows its version" "$(make -s -C "$tree" --eval 'v:;@echo $(VERSION)' v)" \
	"$(sed 's/podhop-//; s/\.tar\.gz//' <<<"${one##*/}")"

# ---- what is installed where, and gone afterwards

for prefix in /usr /usr/local; do
	make -s install DESTDIR="$tmp/root$prefix" PREFIX="$prefix" BUILD="${BUILD:-build}" >/dev/null 2>"$tmp/err"
	is "PREFIX=$prefix: make install" "$? $(cat "$tmp/err")" "0 "
	lib=$prefix/lib/$("${CC:-cc}" -print-multiarch 2>/dev/null)/wireshark
	missing=''
	for file in $prefix/sbin/podhop $prefix/bin/kubectl-podhop $prefix/bin/kubectl_complete-podhop $prefix/share/man/man8/podhop.8 \
		$prefix/share/man/man1/kubectl-podhop.1 $prefix/share/man/man5/podhop-report.5 \
		$prefix/share/podhop/schema/podhop.report-1.schema.json \
		"$lib/plugins/podhop.lua" $prefix/share/wireshark/profiles/podhop/preferences \
		$prefix/share/bash-completion/completions/podhop $prefix/share/zsh/site-functions/_podhop \
		$prefix/share/fish/vendor_completions.d/podhop.fish; do
		[[ -s $tmp/root$prefix$file ]] || missing+=" $file"
	done
	is "PREFIX=$prefix: everything is in its place" "$missing" ""
	is "PREFIX=$prefix: the extcap leads to podhop" "$(readlink "$tmp/root$prefix$lib/extcap/podhop")" "$prefix/sbin/podhop"
	make -s uninstall DESTDIR="$tmp/root$prefix" PREFIX="$prefix" >/dev/null 2>&1
	is "PREFIX=$prefix: make uninstall leaves nothing" "$(find "$tmp/root$prefix" ! -type d)" ""
done
done_testing
