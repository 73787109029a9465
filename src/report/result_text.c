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
 * A drawing shows the packets of one path, and with it those that should have
 * taken it and did not: a path whose packets were all seen last at its end, with
 * the next hop of a longer path expected, is drawn as part of that longer path,
 *
 *   pod ── veth ── 12 us ─▶ bridge ── 31 us ─▶ vtep ── 22 us ─▶ underlay ─▶ node
 *          1,204            1,204              1,190            1,190
 *                                  14 lost
 *
 * so that the loss is seen where it happens. Only whole rows move: packets that
 * rightly end at the bridge (they go to the node itself) never look like losses.
 * Medians stand on the arrows. Wide drawings continue on a next pair of lines.
 *
 * Everything in colour is also said in words.
 */
#include "report_priv.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#define DRAWN_ROWS_MAX 64	/* paths looked at; a node has a dozen, the rest is counted */
#define DRAWINGS_MAX 6		/* drawings on one screen; verbose: all */
#define FLOWS_SHOWN 10
#define LOSSES_SHOWN 8
#define TUNNELS_SHOWN 5
#define PODS_SHOWN 3
#define EVIDENCE_SHOWN 4
#define WIDTH_DEFAULT 80
#define WIDTH_MIN 72	/* tables are not squeezed further */
#define LABEL 11	/* the column in which text begins, and goes on after a break */
#define INDENT 2

static unsigned width(const struct report_out *o)
{
	if (!o->style->width)
		return WIDTH_DEFAULT;
	return o->style->width < WIDTH_MIN ? WIDTH_MIN : o->style->width;
}

static unsigned shown(const struct report_out *o, unsigned n, unsigned max)
{
	return o->style->verbose || n < max ? n : max;
}

static void in_color(struct report_out *o, enum report_color c, const char *text)
{
	report_out_color(o, c);
	report_out_str(o, text);
	report_out_color(o, REPORT_PLAIN);
}

static void count(struct report_out *o, uint64_t v)
{
	char text[REPORT_FIGURE_MAX];

	report_out_str(o, report_count(v, text));
}

/* A figure and its unit stay on one line. */
static void glued(struct report_out *o, const char *figure)
{
	for (; *figure; figure++)
		report_out_chr(o, *figure == ' ' ? REPORT_GLUE : *figure);
}

static void bytes(struct report_out *o, uint64_t v)
{
	char text[REPORT_FIGURE_MAX];

	glued(o, report_bytes(v, text));
}

/* "1 packet", "1,204 packets". */
static void count_of(struct report_out *o, uint64_t v, const char *noun)
{
	count(o, v);
	report_out_chr(o, REPORT_GLUE);
	report_out_fmt(o, "%s%s", noun, v == 1 ? "" : "s");
}

/* A cell of a table; what is too wide for it still stands apart. */
static void right(struct report_out *o, const char *text, unsigned columns)
{
	size_t n = strlen(text);

	report_out_pad(o, n < columns ? columns - (unsigned)n : 1);
	glued(o, text);
}

/* A section begins with an empty line and its name. */
static void section(struct report_out *o, const char *name)
{
	report_out_chr(o, '\n');
	in_color(o, REPORT_BOLD, name);
	report_out_pad(o, strlen(name) < LABEL ? LABEL - (unsigned)strlen(name) : 1);
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

	in_color(o, REPORT_BOLD, "podhop");
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
	char text[REPORT_FIGURE_MAX], stamp[64];
	struct tm tm;

	report_out_pad(o, LABEL);
	if ((start || end) && end >= start) {
		report_out_str(o, report_duration((uint64_t)end - (uint64_t)start, text));
		if (localtime_r(&s, &tm) && strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &tm)) {
			report_out_str(o, " from ");
			report_out_str(o, stamp);
		}
		report_out_str(o, ", ");
	}
	count_of(o, r->capture.observations, "observation");
	if (r->capture.foreign) {
		report_out_str(o, ", ");
		count(o, r->capture.foreign);
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
	report_out_pad(o, LABEL);
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
			count(o, n[k]);
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

/* ---- drawings */

struct drawing {
	const struct result_path_row *row;
	uint64_t packets, bytes;
	uint64_t at[RESULT_PATH_MAX];	/* packets seen at each hop */
	uint64_t gone[RESULT_PATH_MAX];	/* seen last at it, more expected */
	bool lost[RESULT_PATH_MAX];	/* of those: some with the verdict lost */
	enum model_role expected;	/* behind the last hop, nothing arrived there at all */
	bool absorbed;
};

/* Packets that were seen last at `from` with `to` expected (NONE: anything). */
static uint64_t gone_between(const struct result *r, enum model_direction direction,
			     enum model_role from, enum model_role to, bool *ret_lost,
			     enum model_role *ret_to)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < r->n_losses; i++) {
		const struct result_loss *l = &r->losses[i];

		if (l->direction != direction || l->last_seen != from ||
		    (to != MODEL_ROLE_NONE && l->next_expected != to))
			continue;
		if (!sum)
			*ret_to = l->next_expected;
		sum = l->packets > UINT64_MAX - sum ? UINT64_MAX : sum + l->packets;
		*ret_lost |= l->lost;
	}
	return sum;
}

static unsigned path_len(const struct result_path *p)
{
	return p->n < RESULT_PATH_MAX ? p->n : RESULT_PATH_MAX;
}

static bool begins(const struct result_path *part, const struct result_path *whole)
{
	unsigned n = path_len(part);

	return n && n < path_len(whole) && !part->cut && !memcmp(part->role, whole->role, n);
}

/* Draws row i as the beginning of the longest path that its packets should have taken. */
static void absorb(struct drawing *d, unsigned n, unsigned i, const struct result *r)
{
	const struct result_path_row *part = d[i].row;
	unsigned len = path_len(&part->path), best = n;
	enum model_role to;
	bool lost = false;

	for (unsigned k = 0; k < n; k++) {
		const struct result_path *longer = &d[k].row->path;
		bool one_lost = false;

		if (d[k].row->direction != part->direction || !begins(&part->path, longer) ||
		    (best < n && path_len(longer) <= path_len(&d[best].row->path)))
			continue;
		if (gone_between(r, part->direction, (enum model_role)part->path.role[len - 1],
				 (enum model_role)longer->role[len], &one_lost, &to) < part->packets)
			continue;
		best = k;
		lost = one_lost;
	}
	if (best == n)
		return;
	for (unsigned k = 0; k < len; k++)
		d[best].at[k] += part->packets;
	d[best].gone[len - 1] += part->packets;
	d[best].lost[len - 1] |= lost;
	d[best].packets += part->packets;
	d[best].bytes += part->bytes;
	d[i].absorbed = true;
}

/* What is missing behind the end of a path that was not drawn as part of another. */
static void open_end(struct drawing *d, const struct result *r)
{
	unsigned len = path_len(&d->row->path);
	enum model_role to = MODEL_ROLE_NONE;
	bool lost = false;
	uint64_t gone;

	if (!len || d->absorbed)
		return;
	gone = gone_between(r, d->row->direction, (enum model_role)d->row->path.role[len - 1],
			    MODEL_ROLE_NONE, &lost, &to);
	/* Another path that ends at the same hop may be the one that lost them: only what fits. */
	if (!gone || gone > d->row->packets || d->gone[len - 1])
		return;
	d->gone[len - 1] = gone;
	d->lost[len - 1] = lost;
	if (gone == d->row->packets)
		d->expected = to;
}

/* Two lines that are filled together, so that counts stand under names. */
#define LINE_BYTES 2048
struct line {
	char text[LINE_BYTES];
	size_t n;
	unsigned columns;
};

static void line_add(struct line *l, const char *text, unsigned columns)
{
	size_t n = strlen(text);

	if (n >= LINE_BYTES - l->n)
		return;
	memcpy(l->text + l->n, text, n + 1);
	l->n += n;
	l->columns += columns;
}

static void line_ascii(struct line *l, const char *text)
{
	line_add(l, text, (unsigned)strlen(text));
}

static void line_to(struct line *l, unsigned columns, const char *fill)
{
	while (l->columns < columns && l->n < LINE_BYTES - 8)
		line_add(l, fill, 1);
}

static void line_color(struct line *l, const struct report_style *style, enum report_color c)
{
	line_add(l, report_color(style, c), 0);
}

static void lines_flush(struct report_out *o, struct line *top, struct line *low)
{
	report_out_mem(o, top->text, top->n);
	report_out_chr(o, '\n');
	if (low->columns > INDENT) {
		report_out_mem(o, low->text, low->n);
		report_out_chr(o, '\n');
	}
	*top = *low = (struct line){ .n = 0 };
}

static const struct result_latency *latency_between(const struct result *r,
						    enum model_direction direction,
						    enum model_role from, enum model_role to)
{
	for (unsigned i = 0; i < r->n_latency; i++) {
		const struct result_latency *l = &r->latency[i];

		if (l->direction == direction && l->from == from && l->to == to)
			return l->measurable && l->samples ? l : NULL;
	}
	return NULL;
}

/*
 * What lies beyond the first or last hop of a path; NULL: cannot be said, since the
 * packet did not begin (end) there. "host" is this node, "node" another one.
 */
static const char *beyond(const struct result_path_row *row, bool first)
{
	unsigned n = path_len(&row->path);
	bool pod_side = first == (row->direction == MODEL_DIRECTION_EGRESS);

	if (row->direction == MODEL_DIRECTION_OTHER || !n || (!first && row->path.cut))
		return NULL;
	switch ((enum model_role)row->path.role[first ? 0 : n - 1]) {
	case MODEL_ROLE_VETH:
		return pod_side || n > 1 ? "pod" : NULL;
	case MODEL_ROLE_BRIDGE:
		return pod_side ? NULL : "host";
	case MODEL_ROLE_UNDERLAY:
		if (pod_side)
			return NULL;
		return row->encapsulated ? "node" : "outside";
	case MODEL_ROLE_VTEP:
	case MODEL_ROLE_NONE:
	case MODEL_ROLE_COUNT:
		break;
	}
	return NULL;
}

struct glyphs {
	const char *dash, *arrow, *cut;	/* one column each */
};

/* One hop with its count, and the way to the next one with median and losses. */
static void draw_hop(struct line *top, struct line *low, const struct drawing *d, unsigned i,
		     const struct result *r, const struct report_style *style,
		     const struct glyphs *g, const char *next)
{
	const struct result_path *path = &d->row->path;
	enum model_role role = (enum model_role)path->role[i];
	const struct result_latency *l = NULL;
	char median[REPORT_FIGURE_MAX] = "", text[REPORT_FIGURE_MAX];
	bool cut = d->expected != MODEL_ROLE_NONE && i + 1 == path_len(path);
	unsigned need;

	if (i + 1 < path_len(path))
		l = latency_between(r, d->row->direction, role, (enum model_role)path->role[i + 1]);
	if (l)
		report_ns(l->p50_ns, median);
	line_to(low, top->columns, " ");
	line_color(top, style, REPORT_BOLD);
	line_ascii(top, model_role_name(role));
	line_color(top, style, REPORT_PLAIN);
	line_ascii(low, report_count(d->at[i], text));
	if (d->gone[i]) {
		line_to(low, top->columns + 1, " ");
		if (low->columns > top->columns + 1)
			line_ascii(low, " ");
		line_color(low, style, d->lost[i] ? REPORT_RED : REPORT_YELLOW);
		line_ascii(low, report_count(d->gone[i], text));
		line_ascii(low, d->lost[i] ? " lost" : " missing");
		line_color(low, style, REPORT_PLAIN);
	}
	if (!next)
		return;
	line_ascii(top, " ");
	line_color(top, style, cut ? REPORT_RED : REPORT_DIM);
	line_add(top, g->dash, 1);
	/* The next name must not stand before the end of what is written below. */
	need = low->columns + 1;
	if (*median) {
		unsigned rest = (unsigned)strlen(median) + 5;	/* " 12 us ─▶ " */

		if (need > rest)
			line_to(top, need - rest, g->dash);
		line_ascii(top, " ");
		line_color(top, style, REPORT_PLAIN);
		line_ascii(top, median);
		line_color(top, style, REPORT_DIM);
		line_ascii(top, " ");
		line_add(top, g->dash, 1);
	} else if (need > 2) {
		line_to(top, need - 2, g->dash);
	}
	line_add(top, cut ? g->cut : g->arrow, 1);
	line_color(top, style, REPORT_PLAIN);
	line_ascii(top, " ");
}

static void draw(struct report_out *o, const struct drawing *d, const struct result *r)
{
	static const struct glyphs utf8 = { "─", "▶", "✗" }, ascii = { "-", ">", "x" };
	const struct report_style *style = o->style;
	const struct glyphs *g = style->utf8 ? &utf8 : &ascii;
	unsigned n = path_len(&d->row->path);
	const char *from = beyond(d->row, true), *to = beyond(d->row, false);
	struct line top = { .n = 0 }, low = { .n = 0 };

	if (d->expected != MODEL_ROLE_NONE)
		to = model_role_name(d->expected);
	else if (d->row->path.cut)
		to = "...";
	line_to(&top, INDENT, " ");
	line_to(&low, INDENT, " ");
	if (from) {
		line_ascii(&top, from);
		line_ascii(&top, " ");
		line_color(&top, style, REPORT_DIM);
		line_add(&top, g->dash, 1);
		line_color(&top, style, REPORT_PLAIN);
		line_ascii(&top, " ");
	}
	for (unsigned i = 0; i < n; i++) {
		struct line top_before = top, low_before = low;
		const char *next = i + 1 < n ? "" : to;

		draw_hop(&top, &low, d, i, r, style, g, next);
		/* Does not fit: take it back, and do it again on a line of its own. */
		if (top.columns + (i + 1 == n && to ? strlen(to) : 0) > width(o) + (i + 1 < n) &&
		    top_before.columns > 2 * INDENT) {
			lines_flush(o, &top_before, &low_before);
			top = low = (struct line){ .n = 0 };
			line_to(&top, 2 * INDENT, " ");
			line_to(&low, 2 * INDENT, " ");
			draw_hop(&top, &low, d, i, r, style, g, next);
		}
	}
	if (to)
		line_ascii(&top, to);
	lines_flush(o, &top, &low);
}

static void drawings(struct report_out *o, const struct result *r)
{
	struct drawing d[DRAWN_ROWS_MAX];
	unsigned n = r->n_paths < DRAWN_ROWS_MAX ? r->n_paths : DRAWN_ROWS_MAX, drawn = 0, left = 0;
	uint64_t left_packets = 0;
	char text[RESULT_PATH_STR_MAX];

	for (unsigned i = 0; i < n; i++) {
		d[i] = (struct drawing){ .row = &r->paths[i],
					 .packets = r->paths[i].packets,
					 .bytes = r->paths[i].bytes };
		for (unsigned k = 0; k < path_len(&r->paths[i].path); k++)
			d[i].at[k] = r->paths[i].packets;
	}
	for (unsigned i = 0; i < n; i++)
		absorb(d, n, i, r);
	for (unsigned i = 0; i < n; i++) {
		if (d[i].absorbed)
			continue;
		open_end(&d[i], r);
		if (!o->style->verbose && drawn == DRAWINGS_MAX) {
			left++;
			left_packets += d[i].packets;
			continue;
		}
		drawn++;
		section(o, model_direction_name(d[i].row->direction));
		report_out_str(o, result_path_str(&d[i].row->path, text));
		report_out_str(o, "  ");
		count_of(o, d[i].packets, "packet");
		report_out_str(o, ", ");
		bytes(o, d[i].bytes);
		report_out_chr(o, '\n');
		draw(o, &d[i], r);
	}
	for (unsigned i = n; i < r->n_paths; i++) {
		left++;
		left_packets += r->paths[i].packets;
	}
	if (left) {
		report_out_fmt(o, "\n%*s... and %u more path%s with ", INDENT, "", left,
			       left == 1 ? "" : "s");
		count_of(o, left_packets, "packet");
		report_out_chr(o, '\n');
	}
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
	count(o, v);
	report_out_chr(o, REPORT_GLUE);
	report_out_str(o, what);
	if (c != REPORT_PLAIN)
		report_out_color(o, REPORT_PLAIN);
	*lead = ", ";
}

static void totals(struct report_out *o, const struct result *r)
{
	const char *lead = ": ";

	section(o, "packets");
	if (r->packets.total)
		count(o, r->packets.total);
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
}

static void loss(struct report_out *o, const struct result_loss *l)
{
	unsigned limit = shown(o, l->n_evidence, EVIDENCE_SHOWN);

	report_out_pad(o, INDENT);
	report_out_color(o, l->lost ? REPORT_RED : REPORT_YELLOW);
	report_out_str(o, l->lost ? "lost     " : "unknown  ");
	count_of(o, l->packets, "packet");
	report_out_color(o, REPORT_PLAIN);
	report_out_str(o, ", ");
	bytes(o, l->bytes);
	report_out_fmt(o, " %s: ", model_direction_name(l->direction));
	if (l->last_seen != MODEL_ROLE_NONE)
		report_out_fmt(o, "seen last at %s", model_role_name(l->last_seen));
	if (l->next_expected != MODEL_ROLE_NONE)
		report_out_fmt(o, "%snot at %s", l->last_seen != MODEL_ROLE_NONE ? ", " : "",
			       model_role_name(l->next_expected));
	report_out_chr(o, '\n');
	if (l->reason && *l->reason) {
		report_out_pad(o, LABEL);
		report_out_safe(o, l->reason);
		report_out_chr(o, '\n');
	}
	for (unsigned i = 0; i < limit; i++) {
		report_out_pad(o, LABEL);
		report_out_str(o, "- ");
		report_out_safe(o, l->evidence[i] ? l->evidence[i] : "");
		report_out_chr(o, '\n');
	}
	if (limit < l->n_evidence)
		report_out_fmt(o, "%*s- and %u more\n", LABEL, "", l->n_evidence - limit);
}

static void losses(struct report_out *o, const struct result *r)
{
	unsigned limit = shown(o, r->n_losses, LOSSES_SHOWN);
	uint64_t more = r->n_losses - limit + r->losses_omitted;

	if (!r->n_losses && !r->losses_omitted)
		return;
	section(o, "losses");
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < limit; i++)
		loss(o, &r->losses[i]);
	if (more) {
		report_out_str(o, "  ... and ");
		count(o, more);
		report_out_str(o, " more\n");
	}
}

/* ---- what the hops took */

#define BETWEEN_COLUMNS 19	/* "underlay > underlay" */
#define FIGURE_COLUMNS 10
#define SAMPLES_COLUMNS 12

static void latency(struct report_out *o, const struct result *r)
{
	char text[REPORT_FIGURE_MAX];
	unsigned sampled = 0;

	for (unsigned i = 0; i < r->n_latency; i++)
		sampled += r->latency[i].samples != 0;
	if (!sampled)
		return;
	section(o, "latency");
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
		report_out_fmt(o, "  %-8s %-*s", model_direction_name(l->direction), BETWEEN_COLUMNS,
			       between);
		if (l->measurable) {
			right(o, report_ns(l->p50_ns, text), FIGURE_COLUMNS);
			right(o, report_ns(l->p99_ns, text), FIGURE_COLUMNS);
			right(o, report_ns(l->max_ns, text), FIGURE_COLUMNS);
			right(o, report_count(l->samples, text), SAMPLES_COLUMNS);
		} else {
			report_out_str(o, "    not measurable: one time stamp for both");
		}
		report_out_chr(o, '\n');
	}
}

/* ---- encapsulation */

static const char *basis_text(enum result_basis basis)
{
	switch (basis) {
	case RESULT_BASIS_OBSERVED:
		return "observed on the wire";
	case RESULT_BASIS_COMPUTED:
		return "computed from the segment size";
	case RESULT_BASIS_MIXED:
		return "in part observed, in part computed";
	case RESULT_BASIS_UNKNOWN:
		return "cannot be told: segment size not known";
	case RESULT_BASIS_NONE:
		break;
	}
	return "";
}

static void each(struct report_out *o, uint64_t over, uint64_t datagrams)
{
	if (!datagrams)
		return;
	report_out_str(o, over % datagrams ? ", about " : ", ");
	bytes(o, over / datagrams);
	report_out_str(o, " a datagram");
}

static void encapsulation(struct report_out *o, const struct result *r)
{
	uint64_t datagrams = r->encapsulation.outer_datagrams;
	uint64_t over = r->encapsulation.overhead_bytes, inner = r->encapsulation.inner_bytes;
	unsigned limit = shown(o, r->encapsulation.n_tunnels, TUNNELS_SHOWN);
	char text[REPORT_FIGURE_MAX];

	if (!r->encapsulation.inner_packets && !datagrams)
		return;
	section(o, "VXLAN");
	count_of(o, r->encapsulation.inner_packets, "packet");
	report_out_str(o, " in ");
	count_of(o, datagrams, "datagram");
	if (r->encapsulation.outer_datagrams_computed &&
	    r->encapsulation.outer_datagrams_computed < datagrams) {
		report_out_str(o, " (");
		count(o, r->encapsulation.outer_datagrams_computed);
		report_out_str(o, " computed)");
	}
	report_out_chr(o, '\n');
	report_out_pad(o, LABEL);
	in_color(o, REPORT_BOLD, "overhead ");
	bytes(o, over);
	if (inner) {
		report_out_str(o, " on ");
		bytes(o, inner);
		report_out_str(o, " = ");
		glued(o, report_pct(over, inner, text));
	}
	each(o, over, datagrams);
	if (*basis_text(r->encapsulation.basis))
		report_out_fmt(o, "; %s", basis_text(r->encapsulation.basis));
	report_out_chr(o, '\n');
	if (r->encapsulation.fragmented_outer) {
		report_out_pad(o, LABEL);
		report_out_color(o, REPORT_YELLOW);
		count_of(o, r->encapsulation.fragmented_outer, "datagram");
		report_out_str(o, " fragmented on the underlay, ");
		bytes(o, r->encapsulation.fragment_bytes);
		report_out_str(o, " of extra headers");
		report_out_color(o, REPORT_PLAIN);
		report_out_chr(o, '\n');
	}
	for (unsigned i = 0; i < limit; i++) {
		const struct result_tunnel *t = &r->encapsulation.tunnels[i];
		char end[REPORT_END_MAX];

		report_out_fmt(o, "  vni %-4" PRIu32 " ", t->vni);
		report_out_str(o, report_end(o->style, &t->outer_src, false, 0, end));
		report_out_str(o, " > ");
		report_out_str(o, report_end(o->style, &t->outer_dst, true, t->port, end));
		report_out_str(o, "  ");
		count_of(o, t->packets, "packet");
		report_out_str(o, ", ");
		count_of(o, t->outer_datagrams, "datagram");
		report_out_str(o, ", +");
		bytes(o, t->overhead_bytes);
		if (t->basis != r->encapsulation.basis && result_basis_name(t->basis))
			report_out_fmt(o, " (%s)", result_basis_name(t->basis));
		report_out_chr(o, '\n');
	}
	if (limit < r->encapsulation.n_tunnels)
		report_out_fmt(o, "  ... and %u more tunnels\n", r->encapsulation.n_tunnels - limit);
}

/* ---- flows */

/* A row's figures, right of the flow itself; an empty cell for a zero that says nothing. */
#define FLOW_FIGURES 32

static void flow_figures(struct report_out *o, const struct result_flow *f)
{
	char text[REPORT_FIGURE_MAX];

	right(o, report_count(f->packets, text), 12);
	right(o, report_bytes(f->bytes, text), 10);
	right(o, f->overhead_bytes ? report_bytes(f->overhead_bytes, text) : "", 10);
	report_out_chr(o, '\n');
}

static void flow(struct report_out *o, const struct result_flow *f, unsigned columns)
{
	const struct result_tuple *t = &f->tuple;
	bool dport = t->has_ports && report_protocol_has_dport(t->protocol);
	char src[REPORT_END_MAX], dst[REPORT_END_MAX], protocol[REPORT_PROTOCOL_MAX];
	char nat[REPORT_NAT_MAX], path[RESULT_PATH_STR_MAX];
	unsigned used;

	report_end(o->style, &t->src, dport, t->sport, src);
	report_end(o->style, &t->dst, dport, t->dport, dst);
	report_protocol(t->protocol, protocol);
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
		count_of(o, f->retransmissions, "retransmission");
		report_out_color(o, REPORT_PLAIN);
		report_out_chr(o, '\n');
	}
	if (o->style->verbose) {
		report_out_pad(o, 2 * INDENT);
		report_out_fmt(o, "%s %s, payload ", model_direction_name(f->direction),
			       result_path_str(&f->path, path));
		bytes(o, f->payload_bytes);
		report_out_chr(o, '\n');
	}
}

static void flows(struct report_out *o, const struct result *r)
{
	unsigned limit = shown(o, r->n_flows, FLOWS_SHOWN);
	uint64_t more = r->n_flows - limit + r->flows_omitted;
	unsigned columns = width(o) - FLOW_FIGURES;

	if (!r->n_flows)
		return;
	if (columns > 64)	/* on a wide screen figures stay near what they belong to */
		columns = 64;
	section(o, "flows");
	report_out_pad(o, columns - LABEL);
	right(o, "packets", 12);
	right(o, "bytes", 10);
	right(o, r->encapsulation.overhead_bytes ? "overhead" : "", 10);
	report_out_chr(o, '\n');
	for (unsigned i = 0; i < limit; i++)
		flow(o, &r->flows[i], columns);
	if (more) {
		report_out_str(o, "  ... and ");
		count_of(o, more, "more flow");
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
	count(o, v);
	report_out_chr(o, ' ');
	report_out_str(o, v == 1 ? one : many);
	report_out_chr(o, '\n');
}

static void cost(struct report_out *o, const struct result *r)
{
	char text[REPORT_FIGURE_MAX];

	if (!r->capture.cpu_ns && !r->capture.max_rss_bytes)
		return;
	section(o, "cost");
	report_out_str(o, "podhop used ");
	report_out_str(o, report_duration(r->capture.cpu_ns, text));
	report_out_str(o, " of CPU time and ");
	bytes(o, r->capture.max_rss_bytes);
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
		in_color(o, REPORT_YELLOW, "warning");
		report_out_pad(o, 4);
		report_out_safe(o, in->file ? in->file : "?");
		report_out_str(o, ": read up to byte ");
		count(o, (uint64_t)in->truncated_at);
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
	report_out_wrap(&o, width(&o), LABEL);
	who(&o, r, net);
	when(&o, r);
	drops(&o, r);
	drawings(&o, r);
	totals(&o, r);
	losses(&o, r);
	latency(&o, r);
	encapsulation(&o, r);
	flows(&o, r);
	cost(&o, r);
	warnings(&o, r);
	return report_out_done(&o);
}
