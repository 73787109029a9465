/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result_text.c - the report of a run on one screen.
 *
 * Theory of operation
 *
 * The reader hunts a packet at night: what matters comes first, a zero that says
 * nothing is not printed, and every figure has its unit. The order is: what was
 * captured and whether the capture itself can be trusted; where the packets went
 * (a drawing a path); how many were whole; where they were lost and why; what
 * each hop took; what encapsulation cost; who talked most; what podhop cost.
 *
 * Paths are drawn in path_draw.c. Lists are cut to what a screen holds and say
 * how much was cut; verbose cuts nothing. Everything in colour is also said in
 * words. Lines are broken between words by report_out_wrap(), so that the
 * functions below write sentences and need not count columns; tables do.
 */
#include "report_priv.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define FLOWS_SHOWN 10
#define LOSSES_SHOWN 8
#define TUNNELS_SHOWN 5
#define PODS_SHOWN 3
#define EVIDENCE_SHOWN 4
#define INDENT 2

static unsigned shown(const struct report_out *o, unsigned n, unsigned max)
{
	return o->style->verbose || n < max ? n : max;
}

/* A cell of a table; what is too wide for it still stands apart. */
static void right(struct report_out *o, const char *text, unsigned columns)
{
	size_t n = strlen(text);

	report_out_pad(o, n < columns ? columns - (unsigned)n : 1);
	report_out_glued(o, text);
}

/* ---- header */

static void pod_name(struct report_out *o, const struct model_pod *pod)
{
	char text[ADDR_STR_MAX];

	if (pod->namespace_[0]) {
		report_out_safe(o, pod->namespace_);
		report_out_chr(o, '/');
	}
	report_out_safe(o, pod->name);
	for (unsigned i = 0; i < pod->n_addrs && i < MODEL_POD_ADDRS_MAX; i++) {
		if (i || pod->name[0])
			report_out_chr(o, ' ');
		report_out_str(o, addr_str(&pod->addrs[i], text));
	}
}

static void who(struct report_out *o, const struct result *r, const struct model_net *net)
{
	unsigned n = net ? net->n_pods : 0, limit = shown(o, n, PODS_SHOWN);

	report_out_in_color(o, REPORT_BOLD, "podhop");
	report_out_pad(o, 5);
	report_out_str(o, "node ");
	report_out_safe(o, r->node && *r->node ? r->node : "?");
	if (n)
		report_out_str(o, n == 1 ? ", pod " : ", pods ");
	for (unsigned i = 0; i < limit; i++) {
		if (i)
			report_out_str(o, ", ");
		pod_name(o, &net->pods[i]);
	}
	if (limit < n)
		report_out_fmt(o, " and %u more", n - limit);
	report_out_chr(o, '\n');
}

static void when(struct report_out *o, const struct result *r)
{
	int64_t start = r->capture.start_ns, end = r->capture.end_ns;
	time_t s = (time_t)(start / 1000000000);
	char text[FIGURE_MAX], stamp[64];
	struct tm tm;

	report_out_pad(o, REPORT_LABEL);
	if ((start || end) && end >= start) {
		report_out_str(o, figure_duration((uint64_t)end - (uint64_t)start, text));
		if (localtime_r(&s, &tm) &&
		    strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm)) {
			report_out_str(o, " from ");
			report_out_str(o, stamp);
		}
		report_out_str(o, ", ");
	}
	report_out_count_of(o, r->capture.observations, "observation");
	if (r->capture.foreign) {
		report_out_str(o, ", ");
		report_out_count(o, r->capture.foreign);
		report_out_str(o, " of other traffic left out");
	}
	report_out_chr(o, '\n');
}

static uint64_t known(int64_t v)
{
	return v < 0 ? 0 : (uint64_t)v;
}

/* One line, since it decides whether the rest can be believed. */
static void drops(struct report_out *o, const struct result *r)
{
	bool any = false, unknown = false;

	if (!r->capture.n_interfaces)
		return;
	report_out_pad(o, REPORT_LABEL);
	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		const struct result_interface *f = &r->capture.interfaces[i];
		const char *by[3] = { "kernel", "device", "podhop" };
		uint64_t n[3] = { known(f->dropped_kernel), known(f->dropped_interface),
				  f->dropped_podhop };
		bool first = true;

		unknown |= f->dropped_kernel < 0;
		if (!n[0] && !n[1] && !n[2])
			continue;
		report_out_color(o, REPORT_YELLOW);
		report_out_str(o, any ? ", " : "dropped: ");
		report_out_safe(o, f->name);
		for (unsigned k = 0; k < 3; k++) {
			if (!n[k])
				continue;
			report_out_str(o, first ? " " : " + ");
			report_out_count(o, n[k]);
			report_out_fmt(o, " by %s", by[k]);
			first = false;
		}
		report_out_color(o, REPORT_PLAIN);
		any = true;
	}
	if (!any && !unknown) {
		report_out_str(o, "dropped: none at ");
		for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
			if (i)
				report_out_str(o, ", ");
			report_out_safe(o, r->capture.interfaces[i].name);
		}
	}
	if (unknown) {
		const char *lead = any ? "; not known at " : "dropped: not known at ";

		for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
			if (r->capture.interfaces[i].dropped_kernel >= 0)
				continue;
			report_out_str(o, lead);
			report_out_safe(o, r->capture.interfaces[i].name);
			lead = ", ";
		}
	}
	report_out_chr(o, '\n');
}

/* ---- counts */

static void part(struct report_out *o, uint64_t v, const char *what, enum report_color c,
		 const char **lead)
{
	if (!v)
		return;
	report_out_str(o, *lead);
	if (c != REPORT_PLAIN)
		report_out_color(o, c);
	report_out_count(o, v);
	report_out_chr(o, REPORT_GLUE);
	report_out_str(o, what);
	if (c != REPORT_PLAIN)
		report_out_color(o, REPORT_PLAIN);
	*lead = ", ";
}

static void totals(struct report_out *o, const struct result *r)
{
	const char *lead = ": ";

	report_out_section(o, "packets");
	if (r->packets.total)
		report_out_count(o, r->packets.total);
	else
		report_out_str(o, "none");
	part(o, r->packets.complete, "complete", REPORT_PLAIN, &lead);
	part(o, r->packets.incomplete, "incomplete", REPORT_RED, &lead);
	part(o, r->packets.ambiguous, "ambiguous", REPORT_YELLOW, &lead);
	part(o, r->packets.edge, "at the edge of the capture", REPORT_PLAIN, &lead);
	if (r->packets.not_ip || r->packets.malformed) {
		lead = "; not counted: ";
		part(o, r->packets.not_ip, "not IP", REPORT_PLAIN, &lead);
		part(o, r->packets.malformed, "malformed", REPORT_YELLOW, &lead);
	}
	report_out_chr(o, '\n');
	if (r->packets.edge) {
		report_out_pad(o, REPORT_LABEL);
		report_out_str(o, "edge: within a window of a start or end, never called lost\n");
	}
}

static void loss(struct report_out *o, const struct result_loss *l)
{
	unsigned limit = shown(o, l->n_evidence, EVIDENCE_SHOWN);

	report_out_pad(o, INDENT);
	report_out_color(o, l->lost ? REPORT_RED : REPORT_YELLOW);
	report_out_str(o, l->lost ? "lost     " : "unknown  ");
	report_out_count_of(o, l->packets, "packet");
	report_out_color(o, REPORT_PLAIN);
	report_out_str(o, ", ");
	report_out_bytes(o, l->bytes);
	report_out_fmt(o, " %s: ", model_direction_name(l->direction));
	if (l->last_seen != MODEL_ROLE_NONE)
		report_out_fmt(o, "seen last at %s", model_role_name(l->last_seen));
	if (l->next_expected != MODEL_ROLE_NONE)
		report_out_fmt(o, "%snot at %s", l->last_seen != MODEL_ROLE_NONE ? ", " : "",
			       model_role_name(l->next_expected));
	report_out_chr(o, '\n');
	if (l->reason && *l->reason) {
		report_out_pad(o, REPORT_LABEL);
		report_out_safe(o, l->reason);
		report_out_chr(o, '\n');
	}
	for (unsigned i = 0; i < limit; i++) {
		report_out_pad(o, REPORT_LABEL);
		report_out_str(o, "- ");
		report_out_safe(o, l->evidence[i] ? l->evidence[i] : "");
		report_out_chr(o, '\n');
	}
	if (limit < l->n_evidence)
		report_out_fmt(o, "%*s- and %u more\n", REPORT_LABEL, "", l->n_evidence - limit);
}

static void losses(struct report_out *o, const struct result *r)
{
	unsigned limit = shown(o, r->n_losses, LOSSES_SHOWN);
	uint64_t more = r->n_losses - limit + r->losses_omitted;

	if (!r->n_losses && !r->losses_omitted)
		return;
	report_out_section(o, "losses");
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < limit; i++)
		loss(o, &r->losses[i]);
	if (more) {
		report_out_str(o, "  ... and ");
		report_out_count(o, more);
		report_out_str(o, " more\n");
	}
}

/* ---- what the hops took */

#define BETWEEN_COLUMNS 19 /* "underlay > underlay" */
#define FIGURE_COLUMNS 10
#define SAMPLES_COLUMNS 12

static void latency(struct report_out *o, const struct result *r)
{
	char text[FIGURE_MAX];
	unsigned sampled = 0;

	for (unsigned i = 0; i < r->n_latency; i++)
		sampled += r->latency[i].samples != 0;
	if (!sampled)
		return;
	report_out_section(o, "latency");
	report_out_pad(o, BETWEEN_COLUMNS);
	right(o, "p50", FIGURE_COLUMNS);
	right(o, "p99", FIGURE_COLUMNS);
	right(o, "max", FIGURE_COLUMNS);
	right(o, "samples", SAMPLES_COLUMNS);
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < r->n_latency; i++) {
		const struct result_latency *l = &r->latency[i];
		char between[48];

		if (!l->samples)
			continue;
		snprintf(between, sizeof(between), "%s > %s", model_role_name(l->from),
			 model_role_name(l->to));
		report_out_fmt(o, "  %-8s %-*s", model_direction_name(l->direction),
			       BETWEEN_COLUMNS, between);
		if (l->measurable) {
			right(o, figure_ns(l->p50_ns, text), FIGURE_COLUMNS);
			right(o, figure_ns(l->p99_ns, text), FIGURE_COLUMNS);
			right(o, figure_ns(l->max_ns, text), FIGURE_COLUMNS);
			right(o, figure_count(l->samples, text), SAMPLES_COLUMNS);
		} else {
			report_out_str(o, "    not measurable: one time stamp for both");
		}
		report_out_chr(o, '\n');
	}
}

/* ---- encapsulation */

/* "; in part observed, in part computed, without 3 packets of unknown segment size" */
static void mixed(struct report_out *o, const struct result_encapsulation *e)
{
	const char *join = "; ";

	if (e->outer_datagrams_computed < e->outer_datagrams) {
		report_out_fmt(o, "%sin part observed", join);
		join = ", ";
	}
	if (e->outer_datagrams_computed) {
		report_out_fmt(o, "%sin part computed", join);
		join = ", ";
	}
	if (e->inner_packets_unknown) {
		report_out_fmt(o, "%swithout ", join);
		report_out_count_of(o, e->inner_packets_unknown, "packet");
		report_out_str(o, " of unknown segment size");
	}
}

static void basis(struct report_out *o, const struct result_encapsulation *e)
{
	switch (e->basis) {
	case RESULT_BASIS_OBSERVED:
		report_out_str(o, "; observed on the wire");
		break;
	case RESULT_BASIS_COMPUTED:
		report_out_str(o, "; computed from the segment size");
		break;
	case RESULT_BASIS_MIXED:
		mixed(o, e);
		break;
	case RESULT_BASIS_UNKNOWN:
		report_out_str(o, "; cannot be told: segment size not known");
		break;
	case RESULT_BASIS_NONE:
		break;
	}
}

static void each(struct report_out *o, uint64_t over, uint64_t datagrams)
{
	if (!datagrams)
		return;
	report_out_str(o, over % datagrams ? ", about " : ", ");
	report_out_bytes(o, over / datagrams);
	report_out_str(o, " a datagram");
}

/* "125 packets in 1,560 datagrams (1,478 computed)" */
static void datagrams(struct report_out *o, const struct result_encapsulation *e)
{
	report_out_count_of(o, e->inner_packets, "packet");
	report_out_str(o, " in ");
	report_out_count_of(o, e->outer_datagrams, "datagram");
	if (e->outer_datagrams_computed && e->outer_datagrams_computed < e->outer_datagrams) {
		report_out_str(o, " (");
		report_out_count(o, e->outer_datagrams_computed);
		report_out_str(o, " computed)");
	}
	report_out_chr(o, '\n');
}

/* "overhead 78.0 kB on 2.20 MB = 3.5 %, 50 B a datagram; computed" */
static void overhead(struct report_out *o, const struct result_encapsulation *e)
{
	char text[FIGURE_MAX];

	report_out_pad(o, REPORT_LABEL);
	report_out_in_color(o, REPORT_BOLD, "overhead ");
	report_out_bytes(o, e->overhead_bytes);
	if (e->inner_bytes) {
		report_out_str(o, " on ");
		report_out_bytes(o, e->inner_bytes);
		report_out_str(o, " = ");
		report_out_glued(o, figure_pct(e->overhead_bytes, e->inner_bytes, text));
	}
	each(o, e->overhead_bytes, e->outer_datagrams);
	basis(o, e);
	report_out_chr(o, '\n');
}

static void fragmented(struct report_out *o, const struct result_encapsulation *e)
{
	if (!e->fragmented_outer)
		return;
	report_out_pad(o, REPORT_LABEL);
	report_out_color(o, REPORT_YELLOW);
	report_out_count_of(o, e->fragmented_outer, "datagram");
	report_out_str(o, " fragmented on the underlay, ");
	report_out_bytes(o, e->fragment_bytes);
	report_out_str(o, " of extra headers");
	report_out_color(o, REPORT_PLAIN);
	report_out_chr(o, '\n');
}

/* all: the basis of all tunnels together; one's own is told where it differs. */
static void tunnel(struct report_out *o, const struct result_tunnel *t, enum result_basis all)
{
	char end[REPORT_END_MAX];

	report_out_fmt(o, "  vni %-4" PRIu32 " ", t->vni);
	report_out_str(o, report_end(o->style, &t->outer_src, false, 0, end));
	report_out_str(o, " > ");
	report_out_str(o, report_end(o->style, &t->outer_dst, true, t->port, end));
	report_out_str(o, "  ");
	report_out_count_of(o, t->packets, "packet");
	report_out_str(o, ", ");
	report_out_count_of(o, t->outer_datagrams, "datagram");
	report_out_str(o, ", +");
	report_out_bytes(o, t->overhead_bytes);
	if (t->basis != all && result_basis_name(t->basis))
		report_out_fmt(o, " (%s)", result_basis_name(t->basis));
	report_out_chr(o, '\n');
}

static void encapsulation(struct report_out *o, const struct result *r)
{
	const struct result_encapsulation *e = &r->encapsulation;
	unsigned limit = shown(o, e->n_tunnels, TUNNELS_SHOWN);

	if (!e->inner_packets && !e->outer_datagrams)
		return;
	report_out_section(o, "VXLAN");
	datagrams(o, e);
	overhead(o, e);
	fragmented(o, e);
	for (unsigned i = 0; i < limit; i++)
		tunnel(o, &e->tunnels[i], e->basis);
	if (limit < e->n_tunnels)
		report_out_fmt(o, "  ... and %u more tunnels\n", e->n_tunnels - limit);
}

/* ---- flows */

/* A row's figures, right of the flow itself; an empty cell for a zero that says nothing. */
#define FLOW_FIGURES 32

static void flow_figures(struct report_out *o, const struct result_flow *f)
{
	char text[FIGURE_MAX];

	right(o, figure_count(f->packets, text), 12);
	right(o, figure_bytes(f->bytes, text), 10);
	right(o, f->overhead_bytes ? figure_bytes(f->overhead_bytes, text) : "", 10);
	report_out_chr(o, '\n');
}

static void flow(struct report_out *o, const struct result_flow *f, unsigned columns)
{
	const struct result_tuple *t = &f->tuple;
	bool dport = t->has_ports && report_protocol_has_dport(t->protocol);
	char src[REPORT_END_MAX], dst[REPORT_END_MAX], protocol[MODEL_PROTOCOL_TEXT_MAX];
	char nat[REPORT_NAT_MAX], path[RESULT_PATH_STR_MAX];
	unsigned used;

	report_end(o->style, &t->src, dport, t->sport, src);
	report_end(o->style, &t->dst, dport, t->dport, dst);
	model_protocol_text(t->protocol, protocol);
	report_out_pad(o, INDENT);
	report_out_fmt(o, "%s ", protocol);
	report_out_str(o, src);
	report_out_str(o, " > ");
	report_out_str(o, dst);
	/* Names outside ASCII make this too wide: then the figures stand a little to the left. */
	used = INDENT + (unsigned)(strlen(protocol) + 1 + strlen(src) + 3 + strlen(dst));
	if (t->has_ports && !dport) {
		report_out_fmt(o, " echo %u", t->sport);
		used += (unsigned)snprintf(NULL, 0, " echo %u", t->sport);
	}
	if (used > columns) {
		report_out_chr(o, '\n');
		used = 0;
	}
	report_out_pad(o, columns - used);
	flow_figures(o, f);
	if (f->translated && *report_nat(o->style, t, &f->translation, nat)) {
		report_out_pad(o, 2 * INDENT);
		report_out_fmt(o, "nat ");
		report_out_str(o, nat);
		report_out_chr(o, '\n');
	}
	if (f->retransmissions) {
		report_out_pad(o, 2 * INDENT);
		report_out_color(o, REPORT_YELLOW);
		report_out_count_of(o, f->retransmissions, "retransmission");
		report_out_color(o, REPORT_PLAIN);
		report_out_chr(o, '\n');
	}
	if (o->style->verbose) {
		report_out_pad(o, 2 * INDENT);
		report_out_fmt(o, "%s %s, payload ", model_direction_name(f->direction),
			       result_path_str(&f->path, path));
		report_out_bytes(o, f->payload_bytes);
		report_out_chr(o, '\n');
	}
}

static void flows(struct report_out *o, const struct result *r)
{
	unsigned limit = shown(o, r->n_flows, FLOWS_SHOWN);
	uint64_t more = r->n_flows - limit + r->flows_omitted;
	unsigned columns = report_out_width(o) - FLOW_FIGURES;

	if (!r->n_flows)
		return;
	if (columns > 64) /* on a wide screen figures stay near what they belong to */
		columns = 64;
	report_out_section(o, "flows");
	report_out_pad(o, columns - REPORT_LABEL);
	right(o, "packets", 12);
	right(o, "bytes", 10);
	right(o, r->encapsulation.overhead_bytes ? "overhead" : "", 10);
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < limit; i++)
		flow(o, &r->flows[i], columns);
	if (more) {
		report_out_str(o, "  ... and ");
		report_out_count_of(o, more, "more flow");
		report_out_chr(o, '\n');
	}
}

/* ---- podhop itself */

static void warn(struct report_out *o, uint64_t v, const char *one, const char *many)
{
	if (!v)
		return;
	report_out_color(o, REPORT_YELLOW);
	report_out_str(o, "warning");
	report_out_color(o, REPORT_PLAIN);
	report_out_pad(o, 4);
	report_out_count(o, v);
	report_out_chr(o, ' ');
	report_out_str(o, v == 1 ? one : many);
	report_out_chr(o, '\n');
}

static void cost(struct report_out *o, const struct result *r)
{
	char text[FIGURE_MAX];

	if (!r->capture.cpu_ns && !r->capture.max_rss_bytes)
		return;
	report_out_section(o, "cost");
	report_out_str(o, "podhop used ");
	report_out_str(o, figure_duration(r->capture.cpu_ns, text));
	report_out_str(o, " of CPU time and ");
	report_out_bytes(o, r->capture.max_rss_bytes);
	report_out_str(o, " of memory\n");
}

static void warnings(struct report_out *o, const struct result *r)
{
	uint64_t dropped = 0;

	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		const struct result_interface *f = &r->capture.interfaces[i];

		if (known(f->dropped_kernel) || f->dropped_podhop)
			dropped++;
	}
	warn(o, dropped, "hop dropped frames of the capture: what is missing there may not be lost",
	     "hops dropped frames of the capture: what is missing there may not be lost");
	warn(o, r->capture.late, "frame came too late to be put into time order (late)",
	     "frames came too late to be put into time order (late)");
	warn(o, r->capture.clock_steps,
	     "step of the clock: packets under way were not judged (clock_steps)",
	     "steps of the clock: packets under way were not judged (clock_steps)");
	warn(o, r->capture.closed_early,
	     "packet was given up early, the table was full (closed_early)",
	     "packets were given up early, the table was full (closed_early)");
	warn(o, r->capture.filter_unsure,
	     "packet kept though the filter could not decide (filter_unsure)",
	     "packets kept though the filter could not decide (filter_unsure)");
	for (unsigned i = 0; i < r->n_inputs; i++) {
		const struct result_input *in = &r->inputs[i];

		if (in->truncated_at < 0)
			continue;
		report_out_in_color(o, REPORT_YELLOW, "warning");
		report_out_pad(o, 4);
		report_out_safe(o, in->file ? in->file : "?");
		report_out_str(o, ": read up to byte ");
		report_out_count(o, (uint64_t)in->truncated_at);
		if (in->reason && *in->reason) {
			report_out_str(o, ": ");
			report_out_safe(o, in->reason);
		}
		report_out_chr(o, '\n');
	}
}

int report_result_text(FILE *out, const struct result *r, const struct model_net *net,
		       const struct report_style *style)
{
	struct report_out o;

	report_out_init(&o, out, style);
	report_out_wrap(&o, report_out_width(&o), REPORT_LABEL);
	who(&o, r, net);
	when(&o, r);
	drops(&o, r);
	report_paths(&o, r);
	totals(&o, r);
	losses(&o, r);
	latency(&o, r);
	encapsulation(&o, r);
	flows(&o, r);
	cost(&o, r);
	warnings(&o, r);
	return report_out_done(&o);
}
