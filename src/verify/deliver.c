/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliver.c - which of the packets that left a node came to another, and how.
 *
 * Theory of operation
 *
 * Both nodes see the same inner packet, so it is known again by what a node's own hops
 * know it by (wire.c): addresses and ports as on the wire, then
 *
 *   a datagram     hash of its headers, hash of its payload
 *   a fragmented   addresses, protocol and IP id (defragmented on one side, its
 *   datagram       header looks different there)
 *   TCP data       the bytes of the stream it carries. What node a sent as one super-frame
 *                  node b may see in segments, or merged with the end of the one before:
 *
 *      sent        |-------- S1 --------|-------- S2 --------|
 *      received    |--| |--| |-- R3 --| |--------- R4 -------|
 *
 *                  R3 lies across both; each part counts for its own packet. Segments
 *                  share acknowledgement, flags and options with their super-frame (sig)
 *                  and their IP ids count up from its: so a retransmission, that carries
 *                  the same bytes, fills no gap in the packet that was lost.
 *
 * Sent packets wait in a table until the receiver's time has passed them by a window;
 * received ones until all packets sent before them are known. Equal packets are then told
 * apart by time (alike.c). What the receiver shows that nobody sent stays unclaimed for two
 * windows: it may be a packet that was altered on the way, or the clocks were wrong.
 *
 * Between two nodes each of these moments, the last one too, has its turn in order of time, and
 * what was read beyond it is not looked at: so what is known then, and the result, does not
 * depend on which node was read first, as long as no table is full.
 *
 * arrive.c takes packets in, claim.c finds what was sent in what was received, judge.c says what
 * came of it as far as the captures could show it (scope.c); when, is decided here.
 */
#include "verify_priv.h"

#include "deliver.h"

/* Windows that what is unclaimed stays: verify_find_unclaimed(), verify_meet(). */
#define KEEP 2
#define KEEP_WEAK 6

static int64_t plus(int64_t t, int64_t ns)
{
	return t > INT64_MAX - ns ? INT64_MAX : t + ns;
}

/* How far two clocks, as they are known, may be from each other. */
static int64_t slack_ns(const struct verify *v, unsigned from, unsigned to)
{
	const struct pair *p = verify_pair_of(v, from, to);

	return SLACK_NS + (p->line.uncertainty_ns > 0 ? p->line.uncertainty_ns : 0);
}

static void process(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];
	struct direction *d = verify_direction_of(v, r->from, r->to);

	r->queued = false;
	/* As far as all is known now, whichever node was read further. */
	v->sent_until_ns =
		verify_convert(v, r->to, r->from, r->time_ns) + slack_ns(v, r->from, r->to);
	v->received_until_ns = r->time_ns;
	if (r->time_ns > d->seen_ns)
		d->seen_ns = r->time_ns;
	if (verify_claim_any(v, r)) {
		verify_received_free(v, i);
		return;
	}
	verify_step_unclaimed(v, r);
	verify_unclaim(v, i);
	r->older = NONE;
	if (d->unclaimed_last != NONE)
		v->received[d->unclaimed_last].older = i;
	else
		d->unclaimed_first = i;
	d->unclaimed_last = i;
}

/* The oldest unclaimed one goes. */
bool verify_drop_unclaimed(struct verify *v, struct direction *d)
{
	uint32_t i = d->unclaimed_first;

	if (i == NONE)
		return false;
	d->unclaimed_first = v->received[i].older;
	if (d->unclaimed_first == NONE)
		d->unclaimed_last = NONE;
	verify_received_free(v, i);
	return true;
}

/* ------------------------------------------------------------------- pumping */

/* What left and what came before that time, by the receiver's clock, has been given. */
static int64_t known_until(const struct verify *v, unsigned from, unsigned to)
{
	int64_t left = v->node[from].frontier_ns, came = v->node[to].frontier_ns;

	if (left != INT64_MIN && left != INT64_MAX)
		left = verify_convert(v, from, to, left) - slack_ns(v, from, to);
	return left < came ? left : came;
}

enum event_kind {
	EVENT_NONE = 0,
	EVENT_FIND, /* a received packet, among the sent ones */
	EVENT_JUDGE, /* a sent one, whose time is over */
	EVENT_DROP, /* the oldest unclaimed one: nothing that it could be waits any more */
};

struct event {
	enum event_kind kind;
	struct direction *d;
	int64_t due_ns; /* by the receiver's clock; all until then must be known */
	int64_t time_ns; /* the same by the clock of the pair's reference */
};

/* Of a direction what is due first of that kind. False: nothing of it waits. */
static bool event_of(struct verify *v, struct direction *d, enum event_kind kind, struct event *ret)
{
	const unsigned from = (unsigned)d->d.from, to = (unsigned)d->d.to;
	const unsigned reference = from < to ? from : to;
	const struct sent *s;
	int64_t wait;

	*ret = (struct event){ .kind = kind, .d = d };
	switch (kind) {
	case EVENT_NONE:
		return false;
	case EVENT_FIND:
		if (!d->received.n)
			return false;
		ret->due_ns = v->received[d->received.at[0]].time_ns;
		ret->time_ns = verify_convert(v, to, reference, ret->due_ns);
		return true;
	case EVENT_JUDGE:
		if (!d->sent.n)
			return false;
		s = &v->sent[d->sent.at[0]];
		if (verify_must_wait(v, s))
			return false;
		wait = v->cfg.window_ns + slack_ns(v, from, to);
		ret->due_ns = plus(verify_convert(v, from, to, s->time_ns), wait);
		ret->time_ns = plus(verify_convert(v, from, reference, s->time_ns), wait);
		return true;
	case EVENT_DROP:
		if (d->unclaimed_first == NONE)
			return false;
		wait = (verify_pair_of(v, from, to)->weak ? KEEP_WEAK : KEEP) * v->cfg.window_ns +
		       slack_ns(v, from, to);
		ret->due_ns = plus(v->received[d->unclaimed_first].time_ns, wait);
		ret->time_ns = verify_convert(v, to, reference, ret->due_ns);
		return true;
	}
	return false;
}

/* Of both directions between two nodes the event that is due first; of those at once by kind. */
static struct event next_event(struct verify *v, unsigned a, unsigned b)
{
	struct direction *const d[] = { verify_direction_of(v, a, b),
					verify_direction_of(v, b, a) };
	struct event best = { 0 }, e;

	for (enum event_kind kind = EVENT_FIND; kind <= EVENT_DROP; kind++)
		for (unsigned k = 0; k < 2; k++)
			if (event_of(v, d[k], kind, &e) && (!best.kind || e.time_ns < best.time_ns))
				best = e;
	return best;
}

static void take_place(struct verify *v, const struct event *e)
{
	switch (e->kind) {
	case EVENT_NONE:
		break;
	case EVENT_FIND:
		process(v, verify_heap_pop(v, &e->d->received, verify_received_before));
		break;
	case EVENT_JUDGE:
		verify_judge(v, verify_heap_pop(v, &e->d->sent, verify_sent_before), false);
		break;
	case EVENT_DROP:
		(void)verify_drop_unclaimed(v, e->d);
		break;
	}
}

/*
 * All that is known of both directions, in order of time: what is known of the clocks when one
 * packet is looked at, and what waits then, is the same whichever node was read first.
 */
static void pump_pair(struct verify *v, unsigned a, unsigned b)
{
	const unsigned from[] = { a, b };
	struct event e;

	if (!verify_has_offset(v, a, b))
		return;
	while ((e = next_event(v, a, b)).kind) {
		int64_t known = known_until(v, (unsigned)e.d->d.from, (unsigned)e.d->d.to);

		if (known != INT64_MAX && e.due_ns >= known)
			break;
		take_place(v, &e);
	}
	for (unsigned k = 0; k < 2; k++) {
		struct direction *d = verify_direction_of(v, from[k], from[!k]);

		d->done_ns = known_until(v, from[k], from[!k]);
		if (d->received.n && v->received[d->received.at[0]].time_ns < d->done_ns)
			d->done_ns = v->received[d->received.at[0]].time_ns;
	}
}

void verify_deliver_pump(struct verify *v)
{
	verify_acquaint(v);
	for (unsigned a = 0; a < v->cfg.n_nodes; a++)
		for (unsigned b = a + 1; b < v->cfg.n_nodes; b++)
			pump_pair(v, a, b);
}

void verify_deliver_finish(struct verify *v)
{
	for (unsigned k = 0; k < v->cfg.n_nodes; k++)
		v->node[k].frontier_ns = INT64_MAX;
	v->finishing = true;
	verify_deliver_pump(v);
	/* What never found its counterpart's clock. */
	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++)
		while (v->direction[k].sent.n)
			verify_judge(v,
				     verify_heap_pop(v, &v->direction[k].sent, verify_sent_before),
				     false);
}
