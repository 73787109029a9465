/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * live_view.c - what the screen knows and what the keys do to it; no terminal here.
 *
 * Theory of operation. A message replaces the figures, and its packets are added to a ring of the
 * last LIVE_KEPT. The list is made anew from the ring before each drawing, filtered and sorted, so
 * that keys only change what is wanted. The chosen packet is remembered by its id and
 * the list scrolls to it; a frozen packet is a copy, which newer packets cannot push out. While
 * paused messages are passed over: the next one has all figures again.
 *
 * A message comes from the process that reads strangers' packets: what is an index or a
 * string's end in it is checked before it is kept.
 */
#include "live_priv.h"

#include <stdlib.h>
#include <string.h>

#define NS_PER_S 1000000000LL
#define ESCAPE_CHARACTER 27
#define DELETE_CHARACTER 127

/* ------------------------------------------------------------------ messages */

static void check_string(char *s, size_t size)
{
	s[size - 1] = '\0';
	for (; *s; s++)
		if (*s < ' ' || *s > '~')
			*s = '?';
}

#define CHECK_STRING(s) check_string((s), sizeof(s))

static uint8_t role_within(uint8_t role)
{
	return role < MODEL_ROLE_COUNT ? role : MODEL_ROLE_NONE;
}

static void check_packet(struct live_packet *p)
{
	if (p->n_sightings > RESULT_SIGHTINGS_MAX)
		p->n_sightings = RESULT_SIGHTINGS_MAX;
	if (p->status == 0 || p->status >= RESULT_STATUS_COUNT)
		p->status = RESULT_EDGE;
	p->last_seen = role_within(p->last_seen);
	p->next_expected = role_within(p->next_expected);
	CHECK_STRING(p->src);
	CHECK_STRING(p->dst);
	CHECK_STRING(p->far_src);
	CHECK_STRING(p->far_dst);
	CHECK_STRING(p->outer_src);
	CHECK_STRING(p->outer_dst);
	CHECK_STRING(p->reason);
}

static void check_frame(struct live_frame *f)
{
	CHECK_STRING(f->title);
	CHECK_STRING(f->message);
	if (f->n_hops > MODEL_HOPS_MAX)
		f->n_hops = MODEL_HOPS_MAX;
	if (f->n_latencies > LIVE_LATENCIES_MAX)
		f->n_latencies = LIVE_LATENCIES_MAX;
	if (f->n_losses > LIVE_LOSSES_MAX)
		f->n_losses = LIVE_LOSSES_MAX;
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++) {
		f->hops[i].role = role_within(f->hops[i].role);
		CHECK_STRING(f->hops[i].name);
	}
	for (unsigned i = 0; i < f->n_losses; i++) {
		f->losses[i].last_seen = role_within(f->losses[i].last_seen);
		f->losses[i].next_expected = role_within(f->losses[i].next_expected);
		CHECK_STRING(f->losses[i].reason);
	}
	for (unsigned i = 0; i < f->n_packets; i++)
		check_packet(&f->packets[i]);
}

static void remember(struct live_view *v)
{
	struct live_past *p;

	if (v->n_past == LIVE_HISTORY) {
		memmove(&v->past[0], &v->past[1], (LIVE_HISTORY - 1) * sizeof(v->past[0]));
		v->n_past--;
	}
	p = &v->past[v->n_past++];
	p->now_ns = v->frame.now_ns;
	p->total = v->frame.total;
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++) {
		p->frames[i] = v->frame.hops[i].frames;
		p->bytes[i] = v->frame.hops[i].bytes;
	}
}

bool live_view_take(struct live_view *v, const void *message, size_t size)
{
	if (size < live_frame_size(0) || size > sizeof(v->frame))
		return false;
	if (v->paused)
		return true;
	memcpy(&v->frame, message, size);
	if (v->frame.n_packets > LIVE_PACKETS_MAX || size != live_frame_size(v->frame.n_packets))
		v->frame.n_packets = 0;
	check_frame(&v->frame);
	v->has_frame = true;
	v->passed_over = v->frame.passed_over;
	remember(v);
	for (unsigned i = 0; i < v->frame.n_packets; i++) {
		v->kept[v->next] = v->frame.packets[i];
		v->next = (v->next + 1) % LIVE_KEPT;
		v->n_kept += v->n_kept < LIVE_KEPT;
	}
	return true;
}

uint64_t live_view_rate(const struct live_view *v, int hop, bool bytes)
{
	const struct live_past *a = &v->past[0], *b = &v->past[v->n_past ? v->n_past - 1 : 0];
	uint64_t from = hop < 0 ? a->total : bytes ? a->bytes[hop] : a->frames[hop];
	uint64_t to = hop < 0 ? b->total : bytes ? b->bytes[hop] : b->frames[hop];

	if (v->n_past < 2 || b->now_ns <= a->now_ns || to <= from)
		return 0;
	double rate = (double)(to - from) * (double)NS_PER_S /
		      ((double)b->now_ns - (double)a->now_ns);
	return rate < 1e18 ? (uint64_t)(rate + 0.5) : 0;
}

/* ---------------------------------------------------------------------- list */

struct sorted {
	const struct live_packet *packet;
	uint16_t at;
	uint8_t trouble;
};

static int by_newest(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;

	return (x->packet->id < y->packet->id) - (x->packet->id > y->packet->id);
}

static int by_slowest(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int d = (x->packet->delay_ns < y->packet->delay_ns) -
		(x->packet->delay_ns > y->packet->delay_ns);

	return d ? d : by_newest(a, b);
}

static int by_longest(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int d = (x->packet->length < y->packet->length) - (x->packet->length > y->packet->length);

	return d ? d : by_newest(a, b);
}

static int by_trouble(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int d = (x->trouble < y->trouble) - (x->trouble > y->trouble);

	return d ? d : by_newest(a, b);
}

/* Lost first, then what may be; a packet of the capture's edge is no trouble. */
static uint8_t trouble_of(const struct live_packet *p)
{
	switch (p->status) {
	case RESULT_INCOMPLETE:
		return p->lost ? 4 : 3;
	case RESULT_AMBIGUOUS:
		return 2;
	default:
		return p->retransmission != 0;
	}
}

void live_view_list(struct live_view *v, unsigned list_rows)
{
	static int (*const order[LIVE_SORT_COUNT])(const void *, const void *) = {
		[LIVE_SORT_NEWEST] = by_newest,
		[LIVE_SORT_SLOWEST] = by_slowest,
		[LIVE_SORT_LONGEST] = by_longest,
		[LIVE_SORT_TROUBLE] = by_trouble,
	};
	struct sorted sorted[LIVE_KEPT];
	char line[LIVE_LINE_MAX];
	unsigned n = 0, at = 0;

	for (unsigned i = 0; i < v->n_kept; i++) {
		const struct live_packet *p = &v->kept[i];

		if (v->filter[0] && !live_line_has(live_line(p, v->frame.hops, v->frame.n_hops,
							     line), v->filter))
			continue;
		sorted[n++] = (struct sorted){ p, (uint16_t)i, trouble_of(p) };
	}
	/* cppcheck-suppress uninitvar ; n of them were filled */
	qsort(sorted, n, sizeof(sorted[0]), order[v->sort]);
	v->n_list = n;
	for (unsigned i = 0; i < n; i++) {
		v->list[i] = sorted[i].at;
		if (v->chosen && sorted[i].packet->id == v->chosen)
			at = i + 1;
	}
	/* Newer packets pushed the chosen one out of what is kept. */
	if (!at)
		v->chosen = 0;
	v->list_rows = list_rows ? list_rows : 1;
	if (!at)
		v->top = 0;
	else if (at - 1 < v->top)
		v->top = at - 1;
	else if (at - 1 >= v->top + v->list_rows)
		v->top = at - v->list_rows;
}

/* ---------------------------------------------------------------------- keys */

static void choose(struct live_view *v, int64_t by)
{
	int64_t at = -1;

	if (!v->n_list)
		return;
	for (unsigned i = 0; i < v->n_list; i++)
		if (v->chosen && v->kept[v->list[i]].id == v->chosen)
			at = i;
	at = at < 0 && by > 0 ? 0 : at + by;
	if (at < 0)
		at = 0;
	if (at >= v->n_list)
		at = v->n_list - 1;
	v->chosen = v->kept[v->list[at]].id;
}

/* The path stays on the screen while everything else goes on. */
static void freeze(struct live_view *v)
{
	if (!v->chosen)
		choose(v, 1);
	for (unsigned i = 0; i < v->n_kept; i++) {
		if (!v->chosen || v->kept[i].id != v->chosen)
			continue;
		v->frozen = true;
		v->frozen_packet = v->kept[i];
		v->frozen_n_hops = v->frame.n_hops;
		memcpy(v->frozen_hops, v->frame.hops, sizeof(v->frozen_hops));
	}
}

static enum live_order type(struct live_view *v, int key)
{
	size_t n = strlen(v->edit);

	if (key == LIVE_KEY_ENTER) {
		v->typing = false;
		memcpy(v->filter, v->edit, sizeof(v->filter));
		return LIVE_ORDER_FILTER;
	}
	if (key == LIVE_KEY_ESCAPE || key == ESCAPE_CHARACTER)
		v->typing = false;
	else if (key == LIVE_KEY_BACKSPACE || key == '\b' || key == DELETE_CHARACTER)
		v->edit[n ? n - 1 : 0] = '\0';
	else if (key == 'U' - '@') /* Ctrl-U */
		v->edit[0] = '\0';
	else if (key >= ' ' && key <= '~' && n + 1 < sizeof(v->edit)) {
		v->edit[n] = (char)key;
		v->edit[n + 1] = '\0';
	}
	return LIVE_ORDER_NONE;
}

/* Back by one step: help, the frozen packet, the choice, the filter. */
static enum live_order back(struct live_view *v)
{
	if (v->help) {
		v->help = false;
	} else if (v->frozen) {
		v->frozen = false;
	} else if (v->chosen) {
		v->chosen = 0;
	} else if (v->filter[0]) {
		v->filter[0] = '\0';
		return LIVE_ORDER_FILTER;
	}
	return LIVE_ORDER_NONE;
}

enum live_order live_view_key(struct live_view *v, int key)
{
	if (v->typing)
		return type(v, key);
	switch (key) {
	case 'q':
	case 'Q':
		return LIVE_ORDER_END;
	case 'p':
	case ' ':
		v->paused = !v->paused;
		break;
	case 's':
		v->sort = (v->sort + 1) % LIVE_SORT_COUNT;
		v->top = 0;
		break;
	case '/':
		v->typing = true;
		v->help = false;
		memcpy(v->edit, v->filter, sizeof(v->edit));
		break;
	case '?':
	case 'h':
		v->help = !v->help;
		break;
	case 'f':
	case LIVE_KEY_ENTER:
		if (v->frozen)
			v->frozen = false;
		else
			freeze(v);
		break;
	case LIVE_KEY_ESCAPE:
	case ESCAPE_CHARACTER:
		return back(v);
	case LIVE_KEY_UP:
	case 'k':
		choose(v, -1);
		break;
	case LIVE_KEY_DOWN:
	case 'j':
		choose(v, 1);
		break;
	case LIVE_KEY_PAGE_UP:
		choose(v, -(int64_t)v->list_rows);
		break;
	case LIVE_KEY_PAGE_DOWN:
		choose(v, v->list_rows);
		break;
	case LIVE_KEY_HOME:
		choose(v, -(int64_t)LIVE_KEPT);
		break;
	case LIVE_KEY_END:
		choose(v, LIVE_KEPT);
		break;
	case LIVE_KEY_LEFT:
		v->first_hop -= v->first_hop > 0;
		break;
	case LIVE_KEY_RIGHT:
		v->first_hop += v->first_hop + 1 < v->frame.n_hops;
		break;
	default:
		break;
	}
	return LIVE_ORDER_NONE;
}
