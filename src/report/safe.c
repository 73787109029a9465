/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * safe.c - makes foreign strings fit for a terminal and for JSON.
 *
 * Interface names come from capture files, pod names from other people's
 * manifests, reasons quote both. A terminal obeys what it is sent (ECMA-48), so
 * every such string passes here.
 */
#include "report_priv.h"

uint32_t report_utf8_next(const char **s)
{
	const unsigned char *p = (const unsigned char *)*s;
	unsigned char low = 0x80, high = 0xbf;
	unsigned more = 0;
	uint32_t cp = *p++;

	/* Unicode, table 3-7: the lead byte limits the one after it. */
	if (cp >= 0xc2 && cp <= 0xdf) {
		more = 1;
		cp &= 0x1f;
	} else if (cp >= 0xe0 && cp <= 0xef) {
		low = cp == 0xe0 ? 0xa0 : 0x80; /* overlong */
		high = cp == 0xed ? 0x9f : 0xbf; /* surrogates */
		more = 2;
		cp &= 0x0f;
	} else if (cp >= 0xf0 && cp <= 0xf4) {
		low = cp == 0xf0 ? 0x90 : 0x80;
		high = cp == 0xf4 ? 0x8f : 0xbf; /* beyond U+10FFFF */
		more = 3;
		cp &= 0x07;
	} else if (cp >= 0x80) {
		cp = REPORT_REPLACEMENT;
	}
	for (; more; more--) {
		/* The NUL at the end is no continuation byte: never read beyond it. */
		if (*p < low || *p > high) {
			cp = REPORT_REPLACEMENT;
			break;
		}
		cp = cp << 6 | (*p++ & 0x3fu);
		low = 0x80;
		high = 0xbf;
	}
	*s = (const char *)p;
	return cp;
}

/* Writes the 1 to 4 bytes of a valid code point, returns their number. */
static unsigned utf8_put(uint32_t cp, char out[static 4])
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | cp >> 18);
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t report_utf8_repair(const char *s, char *out, size_t size)
{
	size_t len = 0, used = 0;
	bool full = !out || !size;
	char one[4];

	while (*s) {
		unsigned n = utf8_put(report_utf8_next(&s), one);

		if (!full && n < size - used) {
			for (unsigned i = 0; i < n; i++)
				out[used++] = one[i];
		} else {
			full = true;
		}
		len += n;
	}
	if (out && size)
		out[used] = '\0';
	return len;
}

/*
 * C0, DEL, C1; zero-width and bidirectional controls (Unicode TR 36, 2.6), line and
 * paragraph separators, the byte order mark, annotations and tags: what a terminal
 * obeys, or what makes a name look like another one.
 */
static bool is_unsafe(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x61c ||
	       (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0xfeff || (cp >= 0xfff9 && cp <= 0xfffb) ||
	       (cp >= 0xe0000 && cp <= 0xe0fff);
}

unsigned report_safe(const char *s, bool utf8, char *out, size_t size)
{
	unsigned columns = 0;
	size_t used = 0;

	if (!size)
		return 0;
	while (*s) {
		uint32_t cp = report_utf8_next(&s);
		char one[16];
		unsigned n, width = 1;

		if (is_unsafe(cp)) {
			n = (unsigned)snprintf(one, sizeof(one), cp < 0x100 ? "\\x%02x" : "\\u{%x}",
					       (unsigned)cp);
			width = n;
		} else if (cp < 0x80 || utf8) {
			n = utf8_put(cp, one);
		} else {
			one[0] = '?';
			n = 1;
		}
		if (n >= size - used)
			break;
		for (unsigned i = 0; i < n; i++)
			out[used++] = one[i];
		columns += width;
	}
	out[used] = '\0';
	return columns;
}
