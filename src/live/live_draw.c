/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_draw.c - where everything stands on the screen.
 *
 * Theory of operation
 *
 * From above: whose packets, what became of them, the hops side by side, losses; then the list
 * of packets takes what is left, and the keys stand in the last row. The hops are numbered;
 * where the screen is narrow a packet's path is written in these numbers. Hops that do not
 * fit beside each other are reached with the arrow keys.
 *
 * Everything is text on a canvas of rows and columns, written from scratch each time; curses
 * finds out what has changed.
 */
#include "live_priv.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "podhop/figure.h"

#define NS_PER_S 1000000000LL
#define TEXT_MAX 512
#define LABEL 13		/* columns of the hops' row names */
#define HOP_COLUMNS_MIN 16
#define HOP_COLUMNS_MAX 26
#define WITH_TIME 100		/* from so many columns on packets have their time, */
#define WITH_WORDS 124		/* and paths their words */
#define LOSS_ROWS 2

static const char *const sort_names[LIVE_SORT_COUNT] = {
	[LIVE_SORT_NEWEST] = "newest first",
	[LIVE_SORT_SLOWEST] = "slowest first",
	[LIVE_SORT_LONGEST] = "longest first",
	[LIVE_SORT_TROUBLE] = "lost first",
};

/* Cut where the row ends. */
__attribute__((format(printf, 5, 6)))
static int put(const struct live_canvas *c, int row, int column, enum live_look look,
	       const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;
	int n;

	if (row < 0 || row >= c->rows || column < 0 || column >= c->columns)
		return column;
	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0)
		return column;
	if (n >= (int)sizeof(text))
		n = (int)sizeof(text) - 1;
	if (n > c->columns - column)
		n = c->columns - column;
	text[n] = '\0';
	c->put(c->arg, row, column, look, text);
	return column + n;
}

/* A whole row in one look. */
static void bar(const struct live_canvas *c, int row, const char *left, const char *right)
{
	int room = c->columns - (int)strlen(right) - 1;

	put(c, row, 0, LIVE_BAR, "%*s", c->columns, "");
	put(c, row, 0, LIVE_BAR, " %.*s", room > 3 ? room - 3 : 0, left);
	if (room > 6 && (int)strlen(left) > room - 3)
		put(c, row, room - 5, LIVE_BAR, "...");
	put(c, row, room, LIVE_BAR, "%s", right);
}

static const char *time_of_day(int64_t time_ns, char out[static 24])
{
	time_t s = (time_t)(time_ns / NS_PER_S);
	int64_t us = time_ns % NS_PER_S / 1000;
	struct tm tm;

	if (us < 0 || !localtime_r(&s, &tm))
		us = 0, memset(&tm, 0, sizeof(tm));
	snprintf(out, 24, "%02d:%02d:%02d.%06" PRId64, tm.tm_hour % 100, tm.tm_min % 100,
		 tm.tm_sec % 100, us);
	return out;
}

/* ------------------------------------------------------------------- figures */

static int totals(const struct live_view *v, const struct live_canvas *c, int row)
{
	const struct live_frame *f = &v->frame;
	char a[FIGURE_MAX], b[FIGURE_MAX];
	int at;

	at = put(c, row, 0, LIVE_PLAIN, "packets      ");
	at = put(c, row, at, LIVE_BOLD, "%s", figure_count(f->total, a));
	at = put(c, row, at, LIVE_PLAIN, ": %s complete, ", figure_count(f->complete, a));
	at = put(c, row, at, f->incomplete ? LIVE_BAD : LIVE_PLAIN, "%s incomplete",
		 figure_count(f->incomplete, a));
	at = put(c, row, at, f->ambiguous ? LIVE_WARN : LIVE_PLAIN, ", %s ambiguous",
		 figure_count(f->ambiguous, a));
	at = put(c, row, at, LIVE_PLAIN, ", %s edge", figure_count(f->edge, a));
	put(c, row, at, LIVE_PLAIN, ";  %s/s", figure_count(live_view_rate(v, -1, false), a));
	row++;
	if (f->outer_datagrams)
		put(c, row, 0, LIVE_PLAIN, "VXLAN        %s datagrams, overhead %s = %s",
		    figure_count(f->outer_datagrams, a), figure_bytes(f->overhead_bytes, b),
		    figure_pct(f->overhead_bytes, f->inner_bytes, (char[FIGURE_MAX]){ 0 }));
	else
		put(c, row, 0, LIVE_DIM, "VXLAN        nothing yet");
	return row + 1;
}

/* Bits, as links are told; "1.20 Gbit/s". */
static const char *bits(uint64_t bytes_per_s, char out[static FIGURE_MAX])
{
	char text[FIGURE_MAX];
	size_t n;

	figure_bytes(bytes_per_s * 8, text);
	n = strlen(text);
	text[n ? n - 1 : 0] = '\0'; /* its B */
	snprintf(out, FIGURE_MAX, "%.*sbit/s", FIGURE_MAX - 8, text);
	return out;
}

static const char *dropped(const struct live_hop *h, enum live_look *look,
			   char out[static FIGURE_MAX])
{
	uint64_t n = h->dropped_podhop + (h->dropped_kernel > 0 ? (uint64_t)h->dropped_kernel : 0);

	*look = n ? LIVE_BAD : LIVE_PLAIN;
	if (!n && h->dropped_kernel < 0)
		snprintf(out, FIGURE_MAX, "?");
	else
		figure_count(n, out);
	return out;
}

/*
 * What a packet took to this hop from the one before; of several ways the one most take. Known
 * by role: a device that saw nothing has none.
 */
static const char *latency(const struct live_frame *f, const struct live_hop *h,
			   uint8_t direction, char out[static FIGURE_MAX])
{
	const struct live_latency *best = NULL;
	char p50[FIGURE_MAX], p99[FIGURE_MAX];

	for (unsigned i = 0; i < f->n_latencies; i++) {
		const struct live_latency *l = &f->latencies[i];

		if (h->frames && l->to == h->role && l->direction == direction &&
		    (!best || l->samples > best->samples))
			best = l;
	}
	if (!best)
		return "";
	if (!best->measurable)
		return "one stamp";
	snprintf(out, FIGURE_MAX, "%.17s/%.17s", figure_ns(best->p50_ns, p50),
		 figure_ns(best->p99_ns, p99));
	return out;
}

static int hops(struct live_view *v, const struct live_canvas *c, int row)
{
	static const char *const names[] = { "hop", "", "frames", "per second", "", "dropped",
					     "out p50/p99", "in p50/p99" };
	const struct live_frame *f = &v->frame;
	unsigned fit = (unsigned)(c->columns - LABEL) / HOP_COLUMNS_MIN, n, width;

	if (v->first_hop + fit > f->n_hops)
		v->first_hop = f->n_hops > fit ? f->n_hops - fit : 0;
	n = f->n_hops - v->first_hop < fit ? f->n_hops - v->first_hop : fit;
	width = n ? (unsigned)(c->columns - LABEL) / n : HOP_COLUMNS_MIN;
	if (width > HOP_COLUMNS_MAX)
		width = HOP_COLUMNS_MAX;

	for (int i = 0; i < 8; i++)
		put(c, row + i, 0, LIVE_PLAIN, "%s", names[i]);
	for (unsigned i = 0; i < n; i++) {
		unsigned k = v->first_hop + i;
		const struct live_hop *h = &f->hops[k];
		int at = LABEL + (int)(i * width), w = (int)width - 1;
		char a[FIGURE_MAX], role[24];
		enum live_look look;

		snprintf(role, sizeof(role), "%s%u %s%s", i == 0 && v->first_hop ? "< " : "", k + 1,
			 model_role_name(h->role), i + 1 == n && k + 1 < f->n_hops ? " >" : "");
		put(c, row, at, LIVE_BOLD, "%*.*s", w, w, role);
		put(c, row + 1, at, LIVE_DIM, "%*.*s", w, w, h->name);
		put(c, row + 2, at, LIVE_PLAIN, "%*s", w, figure_count(h->frames, a));
		put(c, row + 3, at, LIVE_PLAIN, "%*s", w,
		    figure_count(live_view_rate(v, (int)k, false), a));
		put(c, row + 4, at, LIVE_PLAIN, "%*s", w, bits(live_view_rate(v, (int)k, true), a));
		const char *drops = dropped(h, &look, a);
		put(c, row + 5, at, look, "%*s", w, drops);
		put(c, row + 6, at, LIVE_PLAIN, "%*s", w,
		    latency(f, h, MODEL_DIRECTION_EGRESS, a));
		put(c, row + 7, at, LIVE_PLAIN, "%*s", w,
		    latency(f, h, MODEL_DIRECTION_INGRESS, a));
	}
	return row + 8;
}

static int losses(const struct live_frame *f, const struct live_canvas *c, int row)
{
	unsigned shown = f->n_losses < LOSS_ROWS ? f->n_losses : LOSS_ROWS;
	char a[FIGURE_MAX];

	for (unsigned i = 0; i < shown; i++) {
		const struct live_loss *l = &f->losses[i];
		bool more = i + 1 == shown && f->n_losses > shown;

		put(c, row + (int)i, 0, l->lost ? LIVE_BAD : LIVE_WARN,
		    "%-13s%s %s: seen last at %s, not at %s: %s%s", l->lost ? "lost" : "missing",
		    figure_count(l->packets, a), live_way(l->direction),
		    model_role_name(l->last_seen), model_role_name(l->next_expected), l->reason,
		    more ? " ..." : "");
	}
	return row + (int)shown;
}

/* ---------------------------------------------------------------------- list */

static enum live_look look_of(const struct live_packet *p)
{
	switch (p->status) {
	case RESULT_INCOMPLETE:
		return p->lost ? LIVE_BAD : LIVE_WARN;
	case RESULT_AMBIGUOUS:
		return LIVE_WARN;
	case RESULT_EDGE:
		return LIVE_DIM;
	default:
		return p->retransmission ? LIVE_WARN : LIVE_PLAIN;
	}
}

static void packet(const struct live_view *v, const struct live_canvas *c, int row,
		   const struct live_packet *p)
{
	bool words = c->columns >= WITH_WORDS, with_time = c->columns >= WITH_TIME;
	char path[LIVE_PATH_MAX], protocol[MODEL_PROTOCOL_TEXT_MAX];
	char delay[FIGURE_MAX] = "", when[24];
	enum live_look look = v->chosen == p->id ? LIVE_CHOSEN : look_of(p);
	int at;

	if (p->delay_ns > 0)
		figure_ns((uint64_t)p->delay_ns, delay);
	else if (!p->delay_ns)
		strcpy(delay, "1-stamp");
	live_path(p, v->frame.hops, v->frame.n_hops, !words, path);
	if (look == LIVE_CHOSEN)
		put(c, row, 0, look, "%*s", c->columns, "");
	at = put(c, row, 0, look, "%7" PRIu64 " ", p->id);
	if (with_time)
		at = put(c, row, at, look, "%s ", time_of_day(p->time_ns, when));
	at = put(c, row, at, look, "%-3s %-*s %-4s  %7.12s %5" PRIu32 " %-4s ",
		 live_way(p->direction), words ? 25 : 7, path, live_state(p), delay, p->length,
		 model_protocol_text(p->protocol, protocol));
	at = put(c, row, at, look, "%s > %s", p->src, p->dst);
	if (words && (p->far_src[0] || p->far_dst[0]))
		put(c, row, at, look, "  (nat %s > %s)", p->far_src, p->far_dst);
}

static void list(struct live_view *v, const struct live_canvas *c, int row, int rows)
{
	bool words = c->columns >= WITH_WORDS, with_time = c->columns >= WITH_TIME;

	put(c, row, 0, LIVE_DIM, "%7s %s%-3s %-*s %-4s  %7s %5s %-4s %s", "id",
	    with_time ? "time            " : "", "way", words ? 25 : 7, "path", "", "took", "len",
	    "", "from > to");
	live_view_list(v, (unsigned)(rows > 1 ? rows - 1 : 0));
	for (int i = 0; i + 1 < rows && v->top + (unsigned)i < v->n_list; i++)
		packet(v, c, row + 1 + i, &v->kept[v->list[v->top + (unsigned)i]]);
	if (!v->n_list)
		put(c, row + 1, 0, LIVE_DIM, "        %s", v->filter[0] ?
		    "none of the last packets has this in its line" : "no packet yet");
}

/* ------------------------------------------------------------- frozen packet */

static void frozen(const struct live_view *v, const struct live_canvas *c, int row, int rows)
{
	const struct live_packet *p = &v->frozen_packet;
	char protocol[MODEL_PROTOCOL_TEXT_MAX], a[FIGURE_MAX], when[24];
	int end = row + rows, at;

	put(c, row++, 1, LIVE_PLAIN, "%s %s > %s, %" PRIu32 " bytes, %" PRIu32 " of them payload",
	    model_protocol_text(p->protocol, protocol), p->src, p->dst, p->length, p->payload_len);
	for (unsigned i = 0; i < p->n_sightings && row < end; i++, row++) {
		const struct live_sighting *s = &p->sightings[i];
		const struct live_hop *h = s->hop < v->frozen_n_hops ? &v->frozen_hops[s->hop]
								     : NULL;
		int64_t before = i ? p->sightings[i - 1].time_ns : INT64_MAX;

		at = put(c, row, 1, LIVE_BOLD, "%2u %-9s", s->hop + 1u,
			 h ? model_role_name(h->role) : "?");
		at = put(c, row, at, LIVE_PLAIN, " %-16.16s %s", h ? h->name : "?",
			 time_of_day(s->time_ns, when));
		if (s->time_ns == before)
			at = put(c, row, at, LIVE_DIM, "  one stamp for both hops");
		else if (s->time_ns > before)
			at = put(c, row, at, LIVE_GOOD, "  + %s",
				 figure_ns((uint64_t)s->time_ns - (uint64_t)before, a));
		if (s->encap)
			put(c, row, at, LIVE_PLAIN, "  in VXLAN");
	}
	if (p->status == RESULT_INCOMPLETE && row < end)
		put(c, row++, 1, p->lost ? LIVE_BAD : LIVE_WARN, "%s after %s, not seen at %s: %s",
		    p->lost ? "lost" : "missing", model_role_name(p->last_seen),
		    model_role_name(p->next_expected), p->reason);
	else if (p->status != RESULT_COMPLETE && row < end)
		put(c, row++, 1, LIVE_WARN, "%s: %s", result_status_name(p->status), p->reason);
	if (p->encapsulated && row < end)
		put(c, row++, 1, LIVE_PLAIN, "VXLAN %s > %s", p->outer_src, p->outer_dst);
	if (p->encapsulated && row < end)
		put(c, row++, 1, LIVE_PLAIN, "      vni %" PRIu32 ", %" PRIu32
		    " datagram%s, overhead %s", p->vni, p->outer_datagrams,
		    p->outer_datagrams == 1 ? "" : "s", figure_bytes(p->overhead_bytes, a));
	if ((p->far_src[0] || p->far_dst[0]) && row < end)
		put(c, row++, 1, LIVE_PLAIN, "beyond the node: %s > %s", p->far_src, p->far_dst);
	if (p->retransmission && row < end)
		put(c, row, 1, LIVE_WARN, "a retransmission");
}

static void help(const struct live_canvas *c)
{
	static const char *const lines[] = {
		"p, space      stand still; the capture goes on",
		"up, down      choose a packet (also j, k, Page Up, Page Down, Home, End)",
		"Enter, f      freeze the chosen packet's path, hop by hop, with its times",
		"s             newest, slowest, longest, lost packets first",
		"/             only packets with these letters in the line that",
		"              `podhop capture` prints: an address, .53, udp, lost, retrans ...",
		"left, right   more hops, where they do not fit side by side",
		"Escape        back: help, frozen packet, choice, filter",
		"q, Ctrl-C     end the capture and print its report",
		"",
		"frames, per second, dropped: of what is kept at each hop, as in the report.",
		"dropped: by the capture itself; each of them may hide a packet.",
		"out, in: median and 99th percentile of the time since the hop before.",
		"one stamp, 1-stamp: the kernel stamped the frame once for these hops, so that",
		"how long it took is not known.",
		"state: ok, retr (retransmission), lost, miss (may be lost), ambg (could be",
		"two), edge (cut by begin or end of capture). At high rates the list is a",
		"sample; figures count everything, and lost packets have room of their own.",
	};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		put(c, 3 + (int)i, 2, LIVE_PLAIN, "%s", lines[i]);
}

/* ---------------------------------------------------------------------- whole */

static void heading(const struct live_view *v, const struct live_canvas *c, int row)
{
	char a[FIGURE_MAX];
	int at;

	c->rule(c->arg, row);
	if (v->frozen) {
		put(c, row, 2, LIVE_BOLD, " packet %" PRIu64 ", %s, %s ", v->frozen_packet.id,
		    live_way(v->frozen_packet.direction),
		    result_status_name(v->frozen_packet.status));
		return;
	}
	at = put(c, row, 2, LIVE_BOLD, " packets, %s ", sort_names[v->sort]);
	if (v->filter[0])
		at = put(c, row, at + 2, LIVE_BOLD, " with \"%s\" ", v->filter);
	if (v->passed_over)
		put(c, row, at + 2, LIVE_WARN, " a sample: %s more just now ",
		    figure_count(v->passed_over, a));
}

static void title(const struct live_view *v, const struct live_canvas *c)
{
	const struct live_frame *f = &v->frame;
	char right[64], left[LIVE_TITLE_MAX + 16];
	uint64_t s = f->now_ns > f->start_ns ? ((uint64_t)f->now_ns - (uint64_t)f->start_ns) /
							NS_PER_S : 0;

	snprintf(right, sizeof(right), "%" PRIu64 ":%02d:%02d  %s ", s / 3600, (int)(s / 60 % 60),
		 (int)(s % 60), v->paused ? "PAUSED" : "live");
	snprintf(left, sizeof(left), "podhop %s", f->title);
	bar(c, 0, left, right);
}

void live_draw(struct live_view *v, const struct live_canvas *c)
{
	int row = 1, last = c->rows - 1;

	if (c->columns < LIVE_COLUMNS_MIN || c->rows < LIVE_ROWS_MIN) {
		put(c, 0, 0, LIVE_BOLD, "podhop needs %dx%d,", LIVE_COLUMNS_MIN, LIVE_ROWS_MIN);
		put(c, 1, 0, LIVE_BOLD, "this is %dx%d.", c->columns, c->rows);
		put(c, 2, 0, LIVE_PLAIN, "It captures; q: end");
		return;
	}
	title(v, c);
	if (v->help) {
		help(c);
		bar(c, last, "?, Escape: back    q: end and report", "");
		return;
	}
	row = totals(v, c, row);
	row = hops(v, c, row);
	row = losses(&v->frame, c, row);
	heading(v, c, row++);
	if (v->frame.message[0])
		put(c, --last, 0, LIVE_WARN, "%s", v->frame.message);
	if (v->frozen)
		frozen(v, c, row, last - row);
	else
		list(v, c, row, last - row);
	last = c->rows - 1;
	if (v->typing) {
		put(c, last, 0, LIVE_BOLD, "%*s", c->columns, "");
		put(c, last, 0, LIVE_BOLD, " only packets with: %s_", v->edit);
	} else if (v->frozen) {
		bar(c, last, "Escape: back to the list  p: pause  ?: help  q: end and report", "");
	} else {
		bar(c, last, "p: pause  s: sort  /: filter  Enter: freeze path  ?: help  "
			     "q: end and report", "");
	}
}
