/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path_draw.c - draws the paths of a result.
 *
 * Theory of operation
 *
 * A drawing shows the packets of one path, and with it those that should have
 * taken it and did not: packets that were seen last at the end of a path, with
 * the next hop of a longer path expected, are drawn as part of that longer path,
 *
 *   pod - veth - 12 us -> bridge - 31 us -> vtep - 22 us -> underlay -> node
 *         1,204           1,204  14 lost    1,190           1,190
 *
 * so that the loss is seen where it happens. Packets that rightly end at the bridge
 * (they go to the node itself) stay where they are: how many they are is known when
 * no other path of the direction ends there, else only whole paths move. page.js draws
 * by the same rule. A path that no longer one was seen for ends where its packets did:
 *
 *   pod - veth -> bridge ------x vtep
 *         14      14     14 lost
 *
 * Medians stand on the arrows, counts under the names. The two lines are filled
 * together, a hop and the arrow behind it at a time; what does not fit the screen
 * goes on with a next pair of lines.
 */
#include "report_priv.h"

#include <string.h>

#define DRAWN_ROWS_MAX 64 /* paths looked at; a node has a dozen, the rest is counted */
#define DRAWINGS_MAX 6 /* drawings on one screen; verbose: all */
#define INDENT 2

struct drawing {
	const struct result_path_row *row;
	uint64_t packets, bytes;
	uint64_t at[RESULT_PATH_MAX]; /* packets seen at each hop */
	uint64_t gone[RESULT_PATH_MAX]; /* seen last at it, more expected */
	bool lost[RESULT_PATH_MAX]; /* of those: some with the verdict lost */
	enum model_role expected; /* behind the last hop, nothing arrived there at all */
	bool absorbed;
};

struct gone {
	uint64_t packets, bytes;
	enum model_role to; /* expected next, of the first */
	bool lost; /* some with that verdict */
};

static uint64_t sum_of(uint64_t a, uint64_t b)
{
	return b > UINT64_MAX - a ? UINT64_MAX : a + b;
}

/* Packets that were seen last at `from` with `to` expected (NONE: anything). */
static struct gone gone_between(const struct result *r, enum model_direction direction,
				enum model_role from, enum model_role to)
{
	struct gone sum = { .to = MODEL_ROLE_NONE };

	for (unsigned i = 0; i < r->n_losses; i++) {
		const struct result_loss *l = &r->losses[i];

		if (l->direction != direction || l->last_seen != from ||
		    (to != MODEL_ROLE_NONE && l->next_expected != to))
			continue;
		if (!sum.packets)
			sum.to = l->next_expected;
		sum.packets = sum_of(sum.packets, l->packets);
		sum.bytes = sum_of(sum.bytes, l->bytes);
		sum.lost |= l->lost;
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

/* No other path of its direction, of about its length, ends where row i does. */
static bool ends_alone(const struct drawing *d, unsigned n, unsigned i)
{
	unsigned len = path_len(&d[i].row->path);

	for (unsigned k = 0; k < n; k++) {
		unsigned other = path_len(&d[k].row->path);

		if (k != i && other && d[k].row->direction == d[i].row->direction &&
		    d[k].row->path.role[other - 1] == d[i].row->path.role[len - 1] &&
		    other < len + 2)
			return false;
	}
	return true;
}

/* Draws what ended too soon of row i on the longest path that it should have taken. */
static void absorb(struct drawing *d, unsigned n, unsigned i, const struct result *r)
{
	const struct result_path_row *part = d[i].row;
	unsigned len = path_len(&part->path), best = n;
	struct gone moved = { 0 };

	for (unsigned k = 0; k < n; k++) {
		const struct result_path *longer = &d[k].row->path;
		struct gone gone;

		if (d[k].row->direction != part->direction || !begins(&part->path, longer) ||
		    (best < n && path_len(longer) <= path_len(&d[best].row->path)))
			continue;
		gone = gone_between(r, part->direction, (enum model_role)part->path.role[len - 1],
				    (enum model_role)longer->role[len]);
		if (!gone.packets || (gone.packets < part->packets && !ends_alone(d, n, i)))
			continue;
		best = k;
		moved = gone;
	}
	if (best == n)
		return;
	if (moved.packets >= part->packets) {
		moved.packets = part->packets;
		moved.bytes = part->bytes;
	}
	moved.bytes = moved.bytes < d[i].bytes ? moved.bytes : d[i].bytes;
	for (unsigned k = 0; k < len; k++) {
		d[best].at[k] += moved.packets;
		d[i].at[k] -= moved.packets;
	}
	d[best].gone[len - 1] += moved.packets;
	d[best].lost[len - 1] |= moved.lost;
	d[best].packets += moved.packets;
	d[best].bytes += moved.bytes;
	d[i].packets -= moved.packets;
	d[i].bytes -= moved.bytes;
	d[i].absorbed = !d[i].packets;
}

/* What is missing behind the end of a path that was not drawn as part of another. */
static void open_end(struct drawing *d, const struct result *r)
{
	unsigned len = path_len(&d->row->path);
	struct gone gone;

	if (!len || d->packets < d->row->packets)
		return;
	gone = gone_between(r, d->row->direction, (enum model_role)d->row->path.role[len - 1],
			    MODEL_ROLE_NONE);
	/* Another path that ends at the same hop may be the one that lost them: only what fits. */
	if (!gone.packets || gone.packets > d->row->packets || d->gone[len - 1])
		return;
	d->gone[len - 1] = gone.packets;
	d->lost[len - 1] = gone.lost;
	if (gone.packets == d->row->packets)
		d->expected = gone.to;
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
 * packet did not begin (end) there. "host" is this node, "node" another one. Of packets that
 * were cut off by the capture's edge, or are ambiguous, nobody knows whether they went there.
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
		return pod_side || !row->complete ? NULL : "host";
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
	const char *dash, *arrow, *cut; /* one column each */
};

/* One hop with its count, and the way to the next one with median and losses. */
static void draw_hop(struct line *top, struct line *low, const struct drawing *d, unsigned i,
		     const struct result *r, const struct report_style *style,
		     const struct glyphs *g, const char *next)
{
	const struct result_path *path = &d->row->path;
	enum model_role role = (enum model_role)path->role[i];
	const struct result_latency *l = NULL;
	char median[FIGURE_MAX] = "", text[FIGURE_MAX];
	bool cut = d->expected != MODEL_ROLE_NONE && i + 1 == path_len(path);
	unsigned need;

	if (i + 1 < path_len(path))
		l = latency_between(r, d->row->direction, role, (enum model_role)path->role[i + 1]);
	if (l)
		figure_ns(l->p50_ns, median);
	line_to(low, top->columns, " ");
	line_color(top, style, REPORT_BOLD);
	line_ascii(top, model_role_name(role));
	line_color(top, style, REPORT_PLAIN);
	line_ascii(low, figure_count(d->at[i], text));
	if (d->gone[i]) {
		line_to(low, top->columns + 1, " ");
		if (low->columns > top->columns + 1)
			line_ascii(low, " ");
		line_color(low, style, d->lost[i] ? REPORT_RED : REPORT_YELLOW);
		line_ascii(low, figure_count(d->gone[i], text));
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
		unsigned rest = (unsigned)strlen(median) + 5; /* " 12 us ─▶ " */

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
		if (top.columns + (i + 1 == n && to ? strlen(to) : 0) >
			    report_out_width(o) + (i + 1 < n) &&
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

void report_paths(struct report_out *o, const struct result *r)
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
		report_out_section(o, model_direction_name(d[i].row->direction));
		report_out_str(o, result_path_str(&d[i].row->path, text));
		report_out_str(o, "  ");
		report_out_count_of(o, d[i].packets, "packet");
		report_out_str(o, ", ");
		report_out_bytes(o, d[i].bytes);
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
		report_out_count_of(o, left_packets, "packet");
		report_out_chr(o, '\n');
	}
}
