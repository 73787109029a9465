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
 * received ones, in order of time, until all packets sent before them are known. Equal
 * packets are then told apart by time (alike.c). What the receiver shows that nobody sent
 * stays unclaimed for two windows: it may be a packet that was altered on the way.
 *
 * arrive.c takes packets in, claim.c finds what was sent in what was received, judge.c says what
 * came of it as far as the captures could show it (scope.c); when, is decided here.
 */
#include "verify_priv.h"

#include "deliver.h"

static void process(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];
	struct direction *d = verify_direction_of(v, r->from, r->to);

	r->queued = false;
	if (verify_claim_any(v, r)) {
		verify_received_free(v, i);
		return;
	}
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

static int64_t plus(int64_t t, int64_t ns)
{
	return t > INT64_MAX - ns ? INT64_MAX : t + ns;
}

static int64_t slack_of(const struct verify *v, unsigned from, unsigned to)
{
	const struct pair *p = verify_pair_of(v, from, to);

	return SLACK_NS + (p->line.uncertainty_ns > 0 ? p->line.uncertainty_ns : 0);
}

/* Finds what was received among what was sent, as far as both are known. */
static void pump_received(struct verify *v, unsigned from, unsigned to)
{
	struct direction *d = verify_direction_of(v, from, to);
	int64_t slack = slack_of(v, from, to), frontier = v->node[to].frontier_ns;

	if (!verify_has_offset(v, from, to))
		return;
	/* A packet that is still to be told of as sent must not find its receivers gone through. */
	if (v->node[from].frontier_ns != INT64_MAX) {
		int64_t known =
			v->node[from].frontier_ns == INT64_MIN
				? INT64_MIN
				: verify_convert(v, from, to, v->node[from].frontier_ns) - slack;

		if (known < frontier)
			frontier = known;
	}
	while (d->received.n) {
		uint32_t i = d->received.at[0];
		int64_t t = v->received[i].time_ns;

		/* One that came earlier may close later: they are gone through in order. */
		if (v->node[to].frontier_ns != INT64_MAX && t >= v->node[to].frontier_ns)
			break;
		if (v->node[from].frontier_ns != INT64_MAX &&
		    v->node[from].frontier_ns < plus(verify_convert(v, to, from, t), slack)) {
			if (t < frontier)
				frontier = t;
			break;
		}
		verify_heap_pop(v, &d->received, verify_received_before);
		process(v, i);
	}
	d->done_ns = frontier;
}

/* Says what came of those whose time is over. */
static void pump_sent(struct verify *v, unsigned from, unsigned to)
{
	struct direction *d = verify_direction_of(v, from, to);
	int64_t slack = slack_of(v, from, to);

	if (!verify_has_offset(v, from, to))
		return;
	while (d->sent.n) {
		uint32_t i = d->sent.at[0];
		int64_t t = verify_convert(v, from, to, v->sent[i].time_ns);

		if (d->done_ns != INT64_MAX && d->done_ns < plus(t, v->cfg.window_ns + slack))
			break;
		if (verify_must_wait(v, &v->sent[i]))
			break;
		verify_heap_pop(v, &d->sent, verify_sent_before);
		verify_judge(v, i, false);
	}
	while (d->unclaimed_first != NONE && d->done_ns != INT64_MAX &&
	       d->done_ns > plus(v->received[d->unclaimed_first].time_ns, 2 * v->cfg.window_ns))
		verify_drop_unclaimed(v, d);
}

void verify_deliver_pump(struct verify *v)
{
	unsigned n = v->cfg.n_nodes;

	verify_acquaint(v);
	/* First all that arrived: what went the other way proves that both captures ran. */
	for (unsigned k = 0; k < 2 * n * n; k++) {
		unsigned a = k / n % n, b = k % n;

		if (a != b && k < n * n)
			pump_received(v, a, b);
		else if (a != b)
			pump_sent(v, a, b);
	}
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
