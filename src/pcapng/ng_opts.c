/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_opts.c - text in the options of pcapng blocks: valid UTF-8, bounded.
 */
#include "pcapng_priv.h"

#include <string.h>

/*
 * Length of the valid UTF-8 character at s (Unicode, table 3-7), or 0; then
 * *ret_bad is how many bytes one U+FFFD stands for (the longest start of a
 * character that is there, at least 1). NUL counts as invalid.
 */
static size_t utf8_char(const uint8_t *s, size_t n, size_t *ret_bad)
{
	uint8_t lo = 0x80, hi = 0xbf;
	size_t more;

	*ret_bad = 1;
	if (s[0] < 0x80)
		return s[0] != 0;
	if (s[0] >= 0xc2 && s[0] <= 0xdf) {
		more = 1;
	} else if ((s[0] & 0xf0) == 0xe0) {
		more = 2;
		if (s[0] == 0xe0)
			lo = 0xa0;	/* shorter form exists */
		else if (s[0] == 0xed)
			hi = 0x9f;	/* surrogates */
	} else if (s[0] >= 0xf0 && s[0] <= 0xf4) {
		more = 3;
		if (s[0] == 0xf0)
			lo = 0x90;
		else if (s[0] == 0xf4)
			hi = 0x8f;	/* beyond U+10FFFF */
	} else {
		return 0;
	}
	for (size_t i = 1; i <= more; i++) {
		if (i >= n || s[i] < lo || s[i] > hi) {
			*ret_bad = i;
			return 0;
		}
		lo = 0x80;
		hi = 0xbf;
	}
	return more + 1;
}

/* True when all n bytes are ASCII and none is NUL: what nearly all text is. */
static bool is_plain(const char *s, size_t n)
{
	const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
	size_t i = 0;

	for (; n - i >= 8; i += 8) {
		uint64_t v;

		memcpy(&v, s + i, sizeof(v));
		if ((v & tops) || ((v - ones) & ~v & tops))
			return false;
	}
	for (; i < n; i++)
		if ((signed char)s[i] <= 0)
			return false;
	return true;
}

size_t pcapng_utf8_copy(char *dst, size_t max, const char *src, size_t n)
{
	static const char replacement[3] = { '\xef', '\xbf', '\xbd' };
	size_t out = 0;

	if (is_plain(src, n)) {
		size_t len = n < max ? n : max;

		if (dst && len)
			memcpy(dst, src, len);
		return len;
	}
	for (size_t i = 0; i < n;) {
		size_t bad;
		size_t len = utf8_char((const uint8_t *)src + i, n - i, &bad);
		const char *from = len ? src + i : replacement;
		size_t put = len ? len : sizeof(replacement);

		if (put > max - out)
			break;
		if (dst)
			memcpy(dst + out, from, put);
		out += put;
		i += len ? len : bad;
	}
	return out;
}

void pcapng_option_string(char *dst, size_t size, const uint8_t *value, size_t len)
{
	const char *text = (const char *)value;
	size_t n = pcapng_utf8_copy(dst, size - 1, text, strnlen(text, len));

	dst[n] = '\0';
}
