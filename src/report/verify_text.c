/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify_text.c - the verdict of verify, and what it stands on, for people.
 *
 * Theory of operation. From the answer to its details, each part only where there is something
 * to tell: one sentence; a table of counts; what else each direction shows, with delays; clocks;
 * reasons; why packets ended where they did; the lost packets one by one.
 */
#include "report_priv.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOST_SHOWN 20
#define INDENT 2

static const char *name_of(const struct report_verify *v, int node)
{
	return node >= 0 && (unsigned)node < v->n_nodes ? v->nodes[node] : "peers";
}

static const char *place(const struct report_verify *v, int node, enum model_role role, char *out,
			 size_t size)
{
	snprintf(out, size, "%s:%s", name_of(v, node), model_role_name(role));
	return out;
}

const char *report_verify_sentence(const struct report_verify *v, const struct report_style *style,
				   char out[static REPORT_SENTENCE_MAX])
{
	const struct verify_result *r = v->result;
	const struct verify_direction *worst = NULL;
	uint64_t sent = 0, lost = 0, altered = 0, unknown = 0, unprovable = 0, shown;
	char a[FIGURE_MAX], b[FIGURE_MAX], text[REPORT_SENTENCE_MAX];
	char from[MODEL_K8S_NAME_MAX + 16], to[MODEL_K8S_NAME_MAX + 16];
	int n;

	for (unsigned i = 0; i < r->n_directions; i++) {
		const struct verify_direction *d = &r->directions[i];

		sent += d->sent;
		lost += d->lost;
		altered += d->altered;
		unknown += d->unknown;
		unprovable += d->unprovable;
		if (d->n_places && (!worst || d->places[0].packets > worst->places[0].packets))
			worst = d;
	}
	switch (r->verdict) {
	case VERIFY_DELIVERED:
		/* Of one capture only what replies prove is counted. */
		if (v->n_nodes == 1)
			snprintf(text, sizeof(text),
				 "delivered: %s packet%s, as replies prove; of %s nothing is known",
				 figure_count(sent, a), sent == 1 ? "" : "s",
				 figure_count(unprovable, b));
		else
			snprintf(text, sizeof(text), "delivered: %s packet%s, none lost",
				 figure_count(sent, a), sent == 1 ? "" : "s");
		break;
	case VERIFY_LOST:
		if (!worst) {
			snprintf(text, sizeof(text), "altered on the way: %s of %s",
				 figure_count(altered, a), figure_count(sent, b));
			break;
		}
		shown = worst->places[0].packets;
		n = snprintf(text, sizeof(text), "lost %s of %s between %s and %s",
			     figure_count(shown, a), figure_count(worst->sent, b),
			     place(v, worst->places[0].last_node, worst->places[0].last_role, from,
				   sizeof(from)),
			     place(v, worst->places[0].next_node, worst->places[0].next_role, to,
				   sizeof(to)));
		if (n > 0 && (size_t)n < sizeof(text) && lost > shown)
			n += snprintf(text + n, sizeof(text) - (size_t)n, ", %s elsewhere",
				      figure_count(lost - shown, a));
		if (n > 0 && (size_t)n < sizeof(text) && altered)
			snprintf(text + n, sizeof(text) - (size_t)n, ", %s altered",
				 figure_count(altered, a));
		break;
	case VERIFY_INCONCLUSIVE:
		snprintf(text, sizeof(text), "inconclusive: %s",
			 r->n_reasons ? r->reasons[unknown || !sent ? 0 : r->n_reasons - 1]
				      : "nothing matched");
		break;
	}
	report_safe(text, style && style->utf8, out, REPORT_SENTENCE_MAX);
	return out;
}

static void cell(struct report_out *o, const char *text, unsigned columns)
{
	size_t n = strlen(text);

	report_out_pad(o, n < columns ? columns - (unsigned)n : 1);
	report_out_str(o, text);
}

static const char *signed_ns(int64_t ns, char out[static FIGURE_MAX])
{
	out[0] = '-';
	figure_ns(ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns, out + (ns < 0));
	return out;
}

#define WIDTH 11
#define NAME_WIDTH 22

static void counts(struct report_out *o, const struct report_verify *v)
{
	static const char *const head[] = { "sent", "delivered", "lost", "altered", "unknown" };
	const struct verify_result *r = v->result;
	char text[FIGURE_MAX];

	report_out_chr(o, '\n');
	report_out_pad(o, NAME_WIDTH);
	for (unsigned i = 0; i < sizeof(head) / sizeof(head[0]); i++)
		cell(o, head[i], WIDTH);
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < r->n_directions; i++) {
		const struct verify_direction *d = &r->directions[i];
		const uint64_t n[] = { d->sent, d->delivered, d->lost, d->altered, d->unknown };
		unsigned columns = report_out_safe(o, name_of(v, d->from));

		report_out_str(o, " > ");
		columns += 3 + report_out_safe(o, name_of(v, d->to));
		report_out_pad(o, columns < NAME_WIDTH ? NAME_WIDTH - columns : 1);
		for (unsigned k = 0; k < sizeof(n) / sizeof(n[0]); k++) {
			bool bad = n[k] && (k == 2 || k == 3);
			if (bad)
				report_out_color(o, REPORT_RED);
			cell(o, figure_count(n[k], text), WIDTH);
			if (bad)
				report_out_color(o, REPORT_PLAIN);
		}
		report_out_chr(o, '\n');
	}
}

static void range(struct report_out *o, const struct verify_range *r)
{
	if (r->min == r->max)
		report_out_fmt(o, "%u", r->max);
	else
		report_out_fmt(o, "%u to %u", r->min, r->max);
}

/* What the outer headers were; what is wrong with them is among the reasons. */
static void outer(struct report_out *o, const struct verify_outer *u)
{
	char a[FIGURE_MAX], to[ADDR_STR_MAX];

	if (!u->packets)
		return;
	report_out_str(o, "  VXLAN: ");
	report_out_str(o, figure_count(u->packets, a));
	report_out_str(o, u->packets == 1 ? " packet" : " packets");
	if (!addr_is_none(&u->to)) {
		report_out_str(o, " to ");
		report_out_str(o, addr_str(&u->to, to));
		report_out_str(o, u->judged ? ", where the FDB leads" : ", FDB not known");
	}
	if (u->ttl_sent.max) {
		report_out_str(o, "; TTL ");
		range(o, &u->ttl_sent);
	}
	if (u->routers_known) {
		report_out_str(o, ", routers ");
		range(o, &u->routers);
	}
	report_out_fmt(o, "; source ports %" PRIu32 " for %" PRIu32 " flow%s", u->source_ports,
		       u->flows, u->flows == 1 ? "" : "s");
	if (u->checksum_zero) {
		report_out_str(o, "; UDP checksum 0 in ");
		report_out_str(o, figure_count(u->checksum_zero, a));
	}
	report_out_chr(o, '\n');
}

static void more(struct report_out *o, const struct report_verify *v)
{
	const struct verify_result *r = v->result;
	char a[FIGURE_MAX];

	for (unsigned i = 0; i < r->n_directions; i++) {
		const struct verify_direction *d = &r->directions[i];
		const struct {
			uint64_t n;
			const char *what;
		} also[] = {
			{ d->duplicated, "duplicated" },
			{ d->reordered, "reordered" },
			{ d->unprovable, "unprovable" },
			{ d->out_of_scope, "out of scope" },
		};
		bool any = d->delays.known || d->outer.packets;

		for (unsigned k = 0; k < sizeof(also) / sizeof(also[0]); k++)
			any |= also[k].n != 0;
		if (!any)
			continue;
		report_out_chr(o, '\n');
		report_out_safe(o, name_of(v, d->from));
		report_out_str(o, " > ");
		report_out_safe(o, name_of(v, d->to));
		report_out_chr(o, '\n');
		for (unsigned k = 0; k < sizeof(also) / sizeof(also[0]); k++) {
			if (!also[k].n)
				continue;
			report_out_pad(o, INDENT);
			report_out_str(o, figure_count(also[k].n, a));
			report_out_chr(o, ' ');
			report_out_str(o, also[k].what);
			report_out_chr(o, '\n');
		}
		outer(o, &d->outer);
		if (!d->delays.known)
			continue;
		report_out_str(o, "  one-way delay: least ");
		report_out_str(o, signed_ns(d->delays.min_ns, a));
		report_out_str(o, ", half below ");
		report_out_str(o, signed_ns(d->delays.p50_ns, a));
		report_out_str(o, ", 90 % ");
		report_out_str(o, signed_ns(d->delays.p90_ns, a));
		report_out_str(o, ", 99 % ");
		report_out_str(o, signed_ns(d->delays.p99_ns, a));
		report_out_str(o, ", most ");
		report_out_str(o, signed_ns(d->delays.max_ns, a));
		report_out_chr(o, '\n');
	}
}

static void clocks(struct report_out *o, const struct report_verify *v)
{
	const struct verify_result *r = v->result;

	for (unsigned i = 0; i < r->n_clocks; i++) {
		const struct verify_pair *p = &r->clocks[i];
		int64_t ns = p->line.offset_ns;
		char a[FIGURE_MAX];

		report_out_section(o, "clock");
		report_out_safe(o, name_of(v, p->node));
		if (!p->line.known) {
			report_out_str(o, " against ");
			report_out_safe(o, name_of(v, p->reference));
			report_out_str(o, ": not known, ");
			report_out_str(o, p->method);
			report_out_chr(o, '\n');
			continue;
		}
		/* To the nanosecond: who asks for an offset wants all of it. */
		report_out_fmt(o, " is %" PRIu64 ".%06" PRIu64 " ms %s ",
			       (ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns) / 1000000,
			       (ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns) % 1000000,
			       ns < 0 ? "behind" : "ahead of");
		report_out_safe(o, name_of(v, p->reference));
		if (p->line.uncertainty_ns >= 0) {
			report_out_fmt(o, ", drifting %+.2f ppm", p->line.drift * 1e6);
			report_out_str(o, ", within ");
			report_out_str(o, figure_ns((uint64_t)p->line.uncertainty_ns, a));
		}
		report_out_str(o, " (");
		report_out_str(o, p->method);
		report_out_str(o, p->steps ? ", since it was stepped)\n" : ")\n");
	}
}

/* Why, for each place where packets ended, as far as the captures know it. */
static void causes(struct report_out *o, const struct report_verify *v)
{
	const struct verify_result *r = v->result;
	char from[MODEL_K8S_NAME_MAX + 16], to[MODEL_K8S_NAME_MAX + 16];
	bool any = false;

	for (unsigned i = 0; i < r->n_directions; i++)
		for (unsigned k = 0; k < r->directions[i].n_places; k++) {
			const struct verify_place *p = &r->directions[i].places[k];

			if (!p->reason && !p->n_evidence)
				continue;
			if (!any)
				report_out_section(o, "why");
			else
				report_out_pad(o, REPORT_LABEL);
			any = true;
			report_out_safe(o,
					place(v, p->last_node, p->last_role, from, sizeof(from)));
			report_out_str(o, " > ");
			report_out_safe(o, place(v, p->next_node, p->next_role, to, sizeof(to)));
			report_out_str(o, ": ");
			report_out_safe(o, p->reason ? p->reason : "not known");
			report_out_chr(o, '\n');
			for (unsigned n = 0; n < p->n_evidence; n++) {
				report_out_pad(o, REPORT_LABEL);
				report_out_str(o, "- ");
				report_out_safe(o, p->evidence[n]);
				report_out_chr(o, '\n');
			}
		}
}

static void lost_packets(struct report_out *o, const struct report_verify *v,
			 const struct verify_direction *d)
{
	uint32_t n = d->n_lost_packets;
	char end[REPORT_END_MAX], where[MODEL_K8S_NAME_MAX + 16], protocol[MODEL_PROTOCOL_TEXT_MAX];

	if (!n)
		return;
	if (!o->style->verbose && n > LOST_SHOWN)
		n = LOST_SHOWN;
	report_out_section(o, "lost");
	report_out_safe(o, name_of(v, d->from));
	report_out_str(o, " > ");
	report_out_safe(o, name_of(v, d->to));
	report_out_chr(o, '\n');
	for (uint32_t i = 0; i < n; i++) {
		const struct verify_lost *l = &d->lost_packets[i];
		const struct result_tuple *t = &l->tuple;
		time_t s = (time_t)(l->time_ns / 1000000000);
		int node = d->from >= 0 ? d->from : d->to; /* of one capture alone: its own */
		const char *file = v->file && node >= 0 ? v->file(v->arg, (unsigned)node, l) : NULL;
		struct tm tm;

		localtime_r(&s, &tm);
		report_out_fmt(o, "  %02d:%02d:%02d.%06" PRId64 " %s ", tm.tm_hour, tm.tm_min,
			       tm.tm_sec, l->time_ns % 1000000000 / 1000,
			       model_protocol_text(t->protocol, protocol));
		report_out_str(o, report_end(o->style, &t->src, t->has_ports, t->sport, end));
		report_out_str(o, " > ");
		report_out_str(o, report_end(o->style, &t->dst,
					     t->has_ports && report_protocol_has_dport(t->protocol),
					     t->dport, end));
		if (l->has_ip_id)
			report_out_fmt(o, " id %" PRIu32, l->ip_id);
		report_out_fmt(o, " length %" PRIu32, l->length);
		if (l->bytes_missing < l->length)
			report_out_fmt(o, " missing %" PRIu32, l->bytes_missing);
		report_out_str(o, ", last seen ");
		report_out_safe(o, place(v, l->last_node, l->last_role, where, sizeof(where)));
		if (file) {
			report_out_str(o, " (");
			report_out_safe(o, file);
			report_out_fmt(o, " frame %" PRIu64 ")", l->frame);
		}
		report_out_chr(o, '\n');
	}
	if (d->n_lost_packets > n) {
		report_out_str(o, "  ... and ");
		report_out_count(o, d->n_lost_packets - n);
		report_out_str(o, " more (-v or -T json list them)\n");
	}
	if (d->lost_omitted) {
		report_out_str(o, "  ... and ");
		report_out_count(o, d->lost_omitted);
		report_out_str(o, " that no list holds\n");
	}
}

int report_verify_text(FILE *out, const struct report_verify *v, const struct report_style *style)
{
	const struct verify_result *r = v->result;
	char sentence[REPORT_SENTENCE_MAX];
	struct report_out o;

	report_out_init(&o, out, style);
	report_out_in_color(&o,
			    r->verdict == VERIFY_DELIVERED ? REPORT_GREEN
			    : r->verdict == VERIFY_LOST	   ? REPORT_RED
							   : REPORT_YELLOW,
			    report_verify_sentence(v, o.style, sentence));
	report_out_chr(&o, '\n');
	counts(&o, v);
	more(&o, v);
	clocks(&o, v);
	if (r->n_reasons) {
		report_out_section(&o, "reasons");
		for (unsigned i = 0; i < r->n_reasons; i++) {
			if (i)
				report_out_pad(&o, REPORT_LABEL);
			report_out_safe(&o, r->reasons[i]);
			report_out_chr(&o, '\n');
		}
	}
	causes(&o, v);
	for (unsigned i = 0; i < r->n_directions; i++)
		lost_packets(&o, v, &r->directions[i]);
	return report_out_done(&o);
}
