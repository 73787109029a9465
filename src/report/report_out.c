/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_out.c - a chunked output stream with colours and word wrap.
 */
#include "report_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

static const struct report_style no_style;

void report_out_init(struct report_out *o, FILE *f, const struct report_style *style)
{
	o->f = f;
	o->style = style ? style : &no_style;
	o->err = 0;
	o->n = 0;
	o->wrap = 0;
}

static void flush(struct report_out *o)
{
	if (!o->n || o->err) {
		o->n = 0;
		return;
	}
	errno = 0;
	if (fwrite(o->b, 1, o->n, o->f) != o->n)
		o->err = errno ? -errno : -EIO;
	o->n = 0;
}

static void store(struct report_out *o, char c)
{
	o->b[o->n++] = c;
	if (o->n == sizeof(o->b))
		flush(o);
}

static void word_end(struct report_out *o)
{
	if (!o->word_n)
		return;
	/* No blank before it: the rest of a word that was too long for the buffer. */
	if (o->spaces && o->column > o->indent && o->word_columns &&
	    (uint64_t)o->column + o->spaces + o->word_columns > o->wrap) {
		store(o, '\n');
		o->column = 0;
		o->spaces = o->indent;
	}
	o->column += o->spaces + o->word_columns;
	for (; o->spaces; o->spaces--)
		store(o, ' ');
	for (size_t i = 0; i < o->word_n; i++)
		store(o, o->word[i]);
	o->word_n = 0;
	o->word_columns = 0;
}

static void wrapped(struct report_out *o, char c)
{
	if (c == ' ' || c == '\n') {
		word_end(o);
		o->spaces += c == ' ';
		if (c == '\n') {
			store(o, c);
			o->column = o->spaces = 0;
		}
		return;
	}
	if (o->word_n == sizeof(o->word))
		word_end(o);
	o->word[o->word_n++] = c == REPORT_GLUE ? ' ' : c;
	if (c == '\033')
		o->in_sgr = true;
	else if (o->in_sgr)
		o->in_sgr = c != 'm';
	else if (((unsigned char)c & 0xc0) != 0x80)
		o->word_columns++;
}

void report_out_wrap(struct report_out *o, unsigned columns, unsigned indent)
{
	o->wrap = columns;
	o->indent = indent;
	o->column = o->spaces = o->word_columns = 0;
	o->in_sgr = false;
	o->word_n = 0;
}

void report_out_mem(struct report_out *o, const void *bytes, size_t n)
{
	const char *p = bytes;

	if (o->wrap) {
		while (n--)
			wrapped(o, *p++);
		return;
	}
	while (n) {
		size_t room = sizeof(o->b) - o->n;
		size_t part = n < room ? n : room;

		memcpy(o->b + o->n, p, part);
		o->n += part;
		p += part;
		n -= part;
		if (o->n == sizeof(o->b))
			flush(o);
	}
}

void report_out_str(struct report_out *o, const char *s)
{
	report_out_mem(o, s, strlen(s));
}

void report_out_chr(struct report_out *o, char c)
{
	if (o->wrap)
		wrapped(o, c);
	else
		store(o, c);
}

void report_out_u64(struct report_out *o, uint64_t v)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	report_out_mem(o, digits + i, sizeof(digits) - i);
}

void report_out_i64(struct report_out *o, int64_t v)
{
	if (v < 0)
		report_out_chr(o, '-');
	report_out_u64(o, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void report_out_pad(struct report_out *o, unsigned columns)
{
	while (columns--)
		report_out_chr(o, ' ');
}

unsigned report_out_safe(struct report_out *o, const char *s)
{
	char safe[REPORT_SAFE_MAX];
	unsigned columns = report_safe(s, o->style->utf8, safe, sizeof(safe));

	report_out_str(o, safe);
	return columns;
}

void report_out_fmt(struct report_out *o, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		report_out_mem(o, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

#define WIDTH_DEFAULT 80
#define WIDTH_MIN 72 /* tables are not squeezed further */

unsigned report_out_width(const struct report_out *o)
{
	if (!o->style->width)
		return WIDTH_DEFAULT;
	return o->style->width < WIDTH_MIN ? WIDTH_MIN : o->style->width;
}

int report_out_done(struct report_out *o)
{
	if (o->wrap)
		word_end(o);
	flush(o);
	return o->err;
}

const char *report_color(const struct report_style *style, enum report_color c)
{
	static const char *const code[REPORT_COLOR_COUNT] = {
		[REPORT_PLAIN] = "\033[0m",   [REPORT_BOLD] = "\033[1m",
		[REPORT_DIM] = "\033[2m",     [REPORT_RED] = "\033[31m",
		[REPORT_YELLOW] = "\033[33m", [REPORT_GREEN] = "\033[32m",
	};

	return style && style->color ? code[c] : "";
}

void report_out_color(struct report_out *o, enum report_color c)
{
	report_out_str(o, report_color(o->style, c));
}

void report_out_in_color(struct report_out *o, enum report_color c, const char *text)
{
	report_out_color(o, c);
	report_out_str(o, text);
	report_out_color(o, REPORT_PLAIN);
}

void report_out_section(struct report_out *o, const char *name)
{
	report_out_chr(o, '\n');
	report_out_in_color(o, REPORT_BOLD, name);
	report_out_pad(o, strlen(name) < REPORT_LABEL ? REPORT_LABEL - (unsigned)strlen(name) : 1);
}
