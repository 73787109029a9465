/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_out.c - a chunked output stream and figures as people read them.
 *
 * Figures are made from integers only: no locale changes their decimal point and
 * no 64-bit value loses digits. They are cut, not rounded: 999 us never turns
 * into 1000 us, and a percentage never reaches 100 by rounding.
 */
#include "report_priv.h"

#include <errno.h>
#include <inttypes.h>
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

const char *report_count(uint64_t v, char out[static REPORT_FIGURE_MAX])
{
	char digits[REPORT_FIGURE_MAX];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, v);
	char *p = out;

	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			*p++ = ',';
		*p++ = digits[i];
	}
	*p = '\0';
	return out;
}

struct unit {
	const char *name;
	uint64_t size;
};

/* Three significant digits in the largest unit that leaves at least 1. */
static const char *in_unit(uint64_t v, const struct unit *units, unsigned n_units,
			   char out[static REPORT_FIGURE_MAX])
{
	char whole[REPORT_FIGURE_MAX];
	unsigned i = n_units - 1;
	uint64_t q, r;

	while (i && v < units[i].size)
		i--;
	q = v / units[i].size;
	r = v % units[i].size;
	if (units[i].size == 1 || q >= 100) {
		report_count(q, whole);
		snprintf(out, REPORT_FIGURE_MAX, "%.30s %s", whole, units[i].name);
	} else if (q >= 10) {
		snprintf(out, REPORT_FIGURE_MAX, "%" PRIu64 ".%" PRIu64 " %s", q,
			 r / (units[i].size / 10), units[i].name);
	} else {
		snprintf(out, REPORT_FIGURE_MAX, "%" PRIu64 ".%02" PRIu64 " %s", q,
			 r / (units[i].size / 100), units[i].name);
	}
	return out;
}

const char *report_bytes(uint64_t v, char out[static REPORT_FIGURE_MAX])
{
	static const struct unit units[] = {
		{ "B", 1 },
		{ "kB", 1000 },
		{ "MB", 1000000 },
		{ "GB", 1000000000 },
		{ "TB", 1000000000000 },
		{ "PB", 1000000000000000 },
		{ "EB", 1000000000000000000 },
	};

	return in_unit(v, units, sizeof(units) / sizeof(units[0]), out);
}

#define US 1000u
#define MS 1000000u
#define SEC 1000000000u

const char *report_ns(uint64_t ns, char out[static REPORT_FIGURE_MAX])
{
	static const struct unit units[] = {
		{ "ns", 1 }, { "us", US }, { "ms", MS }, { "s", SEC },
	};
	char whole[REPORT_FIGURE_MAX];

	/* The kernel stamps in microseconds: digits behind them would be noise. */
	if (ns >= US && ns < MS && (ns >= 10 * US || ns % US == 0)) {
		snprintf(out, REPORT_FIGURE_MAX, "%.30s us", report_count(ns / US, whole));
		return out;
	}
	return in_unit(ns, units, sizeof(units) / sizeof(units[0]), out);
}

const char *report_duration(uint64_t ns, char out[static REPORT_FIGURE_MAX])
{
	uint64_t s = ns / SEC;

	if (s < 120)
		return report_ns(ns, out);
	if (s < 7200)
		snprintf(out, REPORT_FIGURE_MAX, "%" PRIu64 " min %02" PRIu64 " s", s / 60, s % 60);
	else if (s < 172800)
		snprintf(out, REPORT_FIGURE_MAX, "%" PRIu64 " h %02" PRIu64 " min", s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, REPORT_FIGURE_MAX, "%" PRIu64 " d %02" PRIu64 " h", s / 86400,
			 s / 3600 % 24);
	return out;
}

const char *report_pct(uint64_t part, uint64_t whole, char out[static REPORT_FIGURE_MAX])
{
	long double pct;
	char q[REPORT_FIGURE_MAX];
	uint64_t tenths;

	out[0] = '\0';
	if (!whole)
		return out;
	/* part * 1000 may not fit 64 bits; a long double has their 64 digits (x86) or enough. */
	pct = (long double)part * 1000 / (long double)whole;
	tenths = pct < 1e18L ? (uint64_t)pct : (uint64_t)1e18L;
	snprintf(out, REPORT_FIGURE_MAX, "%.30s.%" PRIu64 " %%", report_count(tenths / 10, q),
		 tenths % 10);
	return out;
}

const char *report_end(const struct report_style *style, const struct addr *a, bool has_port,
		       uint16_t port, char out[static REPORT_END_MAX])
{
	const char *name = style && style->name ? style->name(style->name_arg, a) : NULL;
	char text[ADDR_STR_MAX];
	size_t n;

	if (name && *name)
		report_safe(name, style->utf8, out, REPORT_END_MAX - 8);
	else
		snprintf(out, REPORT_END_MAX, "%s", addr_is_none(a) ? "?" : addr_str(a, text));
	n = strlen(out);
	if (has_port)
		snprintf(out + n, REPORT_END_MAX - n, ".%u", port);
	return out;
}

const char *report_protocol(uint8_t protocol, char out[static REPORT_PROTOCOL_MAX])
{
	const char *name = model_protocol_name(protocol);

	if (name)
		snprintf(out, REPORT_PROTOCOL_MAX, "%s", name);
	else
		snprintf(out, REPORT_PROTOCOL_MAX, "proto-%u", protocol);
	return out;
}

bool report_protocol_has_dport(uint8_t protocol)
{
	return protocol != MODEL_PROTO_ICMP && protocol != MODEL_PROTO_ICMPV6;
}

const char *report_nat(const struct report_style *style, const struct result_tuple *pod,
		       const struct result_tuple *far, char out[static REPORT_NAT_MAX])
{
	bool src_port = pod->has_ports && far->has_ports;
	bool dst_port = src_port && report_protocol_has_dport(pod->protocol);
	bool src = !addr_eq(&pod->src, &far->src) || (src_port && pod->sport != far->sport);
	bool dst = !addr_eq(&pod->dst, &far->dst) || (dst_port && pod->dport != far->dport);
	char a[REPORT_END_MAX], b[REPORT_END_MAX];
	int n = 0;

	out[0] = '\0';
	if (src) {
		report_end(style, &pod->src, src_port, pod->sport, a);
		report_end(style, &far->src, src_port, far->sport, b);
		n = snprintf(out, REPORT_NAT_MAX, "%s -> %s%s", a, b, dst ? ", " : "");
	}
	if (dst && n >= 0) {
		report_end(style, &pod->dst, dst_port, pod->dport, a);
		report_end(style, &far->dst, dst_port, far->dport, b);
		snprintf(out + n, REPORT_NAT_MAX - (size_t)n, "%s -> %s", a, b);
	}
	return out;
}
