/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * figures.c - numbers, units, addresses and translations as people read them.
 *
 * Theory of operation
 *
 * Figures are made from integers only: no locale changes their decimal point and
 * no 64-bit value loses digits. They are cut, not rounded: 999 us never turns
 * into 1000 us, and a percentage never reaches 100 by rounding. The unit is the
 * largest that leaves at least 1, with three significant digits; bytes have
 * decimal units, as link speeds do.
 */
#include "report_priv.h"

#include <inttypes.h>
#include <string.h>

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
		{ "ns", 1 },
		{ "us", US },
		{ "ms", MS },
		{ "s", SEC },
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

void report_out_count(struct report_out *o, uint64_t v)
{
	char text[REPORT_FIGURE_MAX];

	report_out_str(o, report_count(v, text));
}

void report_out_glued(struct report_out *o, const char *figure)
{
	for (; *figure; figure++)
		report_out_chr(o, *figure == ' ' ? REPORT_GLUE : *figure);
}

void report_out_bytes(struct report_out *o, uint64_t v)
{
	char text[REPORT_FIGURE_MAX];

	report_out_glued(o, report_bytes(v, text));
}

void report_out_count_of(struct report_out *o, uint64_t v, const char *noun)
{
	report_out_count(o, v);
	report_out_chr(o, REPORT_GLUE);
	report_out_fmt(o, "%s%s", noun, v == 1 ? "" : "s");
}
