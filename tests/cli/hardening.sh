#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# hardening.sh - what the linker and the compiler were asked for is in the program (TAP).
#
# Looks at $PODHOP as readelf shows it; a build for a sanitizer or without optimization has not
# all of it, and is skipped.
# shellcheck disable=SC2317  # functions are called through holds
set -uo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
PODHOP=${PODHOP:-$root/build/podhop}
# shellcheck source=tests/lib/tap.sh
. "$root/tests/lib/tap.sh"
export LC_ALL=C

if ! command -v readelf >/dev/null; then
	echo '1..0 # SKIP no readelf'
	exit 0
fi
header=$(readelf -hlW "$PODHOP") dynamic=$(readelf -dW "$PODHOP")
symbols=$(readelf --dyn-syms -W "$PODHOP")
if [[ $symbols == *__asan_* || $symbols == *__tsan_* || $symbols == *__ubsan_* ]]; then
	echo '1..0 # SKIP built for a sanitizer'
	exit 0
fi
holds() { # NAME WHAT-IF-NOT CONDITION...
	local name=$1 why=$2
	shift 2
	if "$@"; then ok "$name"; else not_ok "$name" "$why"; fi
}
has() { [[ $1 =~ $2 ]]; }
lacks() { ! has "$@"; }

holds 'position independent' 'type is not DYN' has "$header" 'Type: +DYN'
holds 'the stack is not executable' 'GNU_STACK has E' has "$header" 'GNU_STACK +[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ RW '
holds 'no segment is writable and executable' 'RWE' lacks "$header" 'LOAD[^'$'\n'']* RWE '
holds 'read-only after relocation' 'no GNU_RELRO' has "$header" GNU_RELRO
holds 'all of it: bound at start' 'no BIND_NOW' has "$dynamic" 'BIND_NOW|FLAGS_1.*NOW'
holds 'no run path' 'RPATH or RUNPATH' lacks "$dynamic" 'RPATH|RUNPATH'
holds 'no text relocations' 'TEXTREL' lacks "$dynamic" TEXTREL
holds 'stack protector' 'no __stack_chk_fail' has "$symbols" __stack_chk_fail
holds 'fortified' 'no __*_chk' has "$symbols" '__(memcpy|snprintf|vsnprintf|read|fprintf)_chk'
# Level 3 also checks sizes that are known only when it runs; gcc and clang of this age know it.
holds 'fortified to level 3' 'not asked for in the Makefile' grep -q 'D_FORTIFY_SOURCE=3' "$root/Makefile"
# CET. The linker marks a program only when all its parts are marked, the C library's start files
# among them; Debian 12's are not. So each object of ours has to be.
library=${PODHOP%/*}/libpodhop.a
if [[ $(uname -m) == x86_64 && -e $library ]]; then
	unmarked=$(readelf -nW "$library" | awk '/^File:/ { if (f && !marked) print f; f = $2; marked = 0 }
		/IBT/ && /SHSTK/ { marked = 1 } END { if (f && !marked) print f }')
	holds 'indirect branches and returns are guarded (CET) in every object' "$unmarked" test -z "$unmarked"
fi
# The libraries that the README names, and the C library.
unknown=$(sed -n 's/.*Shared library: \[\(.*\)\]/\1/p' <<<"$dynamic" |
	grep -vE '^(libc|libm|ld-linux-[a-z0-9_-]*|libpcap|libnl-3|libnl-route-3|libnl-nf-3|libjansson|libxxhash|libseccomp|libcap-ng|libz|libzstd|libnettle|libncursesw|libtinfo)\.so(\.|$)')
holds 'no library but the known ones' "$unknown" test -z "$unknown"
done_testing
