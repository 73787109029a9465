/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * figures.c - addresses, protocols and translations as people read them.
 */
#include "report_priv.h"

#include <string.h>

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
	char text[FIGURE_MAX];

	report_out_str(o, figure_count(v, text));
}

void report_out_glued(struct report_out *o, const char *figure)
{
	for (; *figure; figure++)
		report_out_chr(o, *figure == ' ' ? REPORT_GLUE : *figure);
}

void report_out_bytes(struct report_out *o, uint64_t v)
{
	char text[FIGURE_MAX];

	report_out_glued(o, figure_bytes(v, text));
}

void report_out_count_of(struct report_out *o, uint64_t v, const char *noun)
{
	report_out_count(o, v);
	report_out_chr(o, REPORT_GLUE);
	report_out_fmt(o, "%s%s", noun, v == 1 ? "" : "s");
}
