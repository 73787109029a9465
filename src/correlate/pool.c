/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pool.c - the correlator's memory: packets, secondary keys, ranges.
 *
 * Theory of operation
 *
 * Everything is an element of an array that was sized at the start; free elements
 * form a stack, so that the same few are used again and again while the rest of
 * the array is never touched (and so never resident). Buckets are doubly linked,
 * because packets leave in another order than they came.
 *
 * A packet stays until it is closed and nobody holds it: every observation that
 * waits for its mark holds its packet, and every part holds the packet that it turned out
 * to belong to. One that has settled closes when nobody holds it any more.
 */
#include "correlate_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u
#define BUCKETS_FIRST 1024u	/* 4 KiB */

/* What packet_more_new() begins with, and what packets without one are read as. */
const struct packet_more packet_more_none = {
	.aliases = NONE, .ranges = NONE, .seen = NONE, .seen_last = NONE, .tie = NONE,
	.tie_next = NONE,
};

static void *table(size_t n, size_t size)
{
	return calloc(n, size); /* checks n * size for overflow */
}

static uint32_t pow2_at_least(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p <<= 1;
	return p;
}

/* n buckets, of which so many are used at first. */
static uint32_t *buckets(uint32_t n, uint32_t used)
{
	uint32_t *b = table(n, sizeof(*b));

	if (b)
		memset(b, 0xff, (size_t)(used < n ? used : n) * sizeof(*b));
	return b;
}

int pool_init(struct correlate *c, struct err *err)
{
	c->n_packets = c->cfg.packets_max ? c->cfg.packets_max : PACKETS_MAX_DEFAULT;
	c->n_flows = c->cfg.flows_max ? c->cfg.flows_max : FLOWS_MAX_DEFAULT;
	c->n_alias = 3 * c->n_packets;
	c->n_range = 2 * c->n_packets;
	c->n_tie = c->n_packets / 2 + 1;
	c->n_seen = c->cfg.observations ? 8 * c->n_packets : 0;

	uint32_t nb = pow2_at_least(c->n_packets / 2 + 1), na = nb;
	uint32_t nf = pow2_at_least(c->n_flows / 2 + 1);

	c->packet_memory = table(c->n_packets + 1, sizeof(*c->packet));
	c->packet = c->packet_memory;
	if (c->packet)
		c->packet = (struct packet *)(((uintptr_t)c->packet + CACHE_LINE - 1) &
					      ~(uintptr_t)(CACHE_LINE - 1));
	c->more = table(c->n_packets, sizeof(*c->more));
	if (c->cfg.contents)
		c->content = table(c->n_packets, sizeof(*c->content));
	c->bucket = buckets(nb, BUCKETS_FIRST);
	c->settling = table(pow2_at_least(c->n_packets), sizeof(*c->settling));
	c->alias = table(c->n_alias, sizeof(*c->alias));
	c->alias_bucket = buckets(na, na);
	c->range = table(c->n_range, sizeof(*c->range));
	c->tie = table(c->n_tie, sizeof(*c->tie));
	c->flow = table(c->n_flows, sizeof(*c->flow));
	c->flow_bucket = buckets(nf, nf);
	if (c->n_seen) {
		c->seen = table(c->n_seen, sizeof(*c->seen));
		c->list = table(RESULT_OBSERVATIONS_MAX, sizeof(*c->list));
	}
	if (!c->packet || !c->more || !c->bucket || !c->settling || !c->alias || !c->alias_bucket ||
	    !c->range || !c->tie || !c->flow || !c->flow_bucket ||
	    (c->cfg.contents && !c->content) || (c->n_seen && (!c->seen || !c->list)))
		return err_sys(err, ENOMEM, "tables for %u packets and %u flows", c->n_packets,
			       c->n_flows);
	c->n_buckets = nb;
	c->bucket_mask = (nb < BUCKETS_FIRST ? nb : BUCKETS_FIRST) - 1;
	c->settling_mask = pow2_at_least(c->n_packets) - 1;
	c->wake_ns = INT64_MAX;
	c->alias_mask = na - 1;
	c->flow_mask = nf - 1;
	c->packets_free = c->alias_free = c->range_free = c->seen_free = c->tie_free = NONE;
	c->flows_free = c->flow_newest = c->flow_oldest = NONE;
	c->oldest = c->newest = NONE;
	return 0;
}

void pool_done(struct correlate *c)
{
	free(c->packet_memory);
	free(c->bucket);
	free(c->settling);
	free(c->more);
	free(c->content);
	free(c->alias);
	free(c->alias_bucket);
	free(c->range);
	free(c->tie);
	free(c->flow);
	free(c->flow_bucket);
	free(c->seen);
	free(c->list);
}

/* ------------------------------------------------------------------ packets */

uint32_t packet_root(const struct correlate *c, uint32_t p)
{
	while (c->packet[p].parent != NONE)
		p = c->packet[p].parent;
	return p;
}

/* The oldest that settles is held by its queue and perhaps by its look-alikes, nothing else. */
static bool only_settles(const struct correlate *c)
{
	const struct packet *p = &c->packet[c->settling[c->settling_head].packet];

	return p->held == 1u + ((p->flags & PACKET_TIED) ? 1u : 0u);
}

static void close_early(struct correlate *c, uint32_t i)
{
	c->packet[i].flags |= PACKET_EARLY;
	c->closed_early++;
	close_packet(c, i);
}

/*
 * Whole packets that only settle go first, then the oldest, early and
 * with that known. What is held by observations that wait for their mark cannot go.
 */
bool correlate_make_room(struct correlate *c)
{
	if (c->packets_top < c->n_packets)
		return true;
	while (c->packets_free == NONE && c->n_settling && only_settles(c))
		close_unqueue(c);
	/* Look-alikes are judged together: only the last one's close frees any of them. */
	while (c->packets_free == NONE && c->oldest != NONE &&
	       !packet_waits(&c->packet[c->oldest]))
		close_early(c, c->oldest);
	return c->packets_free != NONE;
}

/*
 * The oldest can wait for a part of itself that look-alikes hold (where they are too many for one
 * tie: choice_replace()), and they for one that is open further back. Whoever has released all
 * marks would wait for it in vain: it goes.
 */
static bool make_room_behind(struct correlate *c)
{
	uint32_t i = c->oldest;

	while (i != NONE && c->packets_free == NONE) {
		uint32_t later = c->packet[i].later;

		if (!packet_waits(&c->packet[i])) {
			close_early(c, i);
			/* Its look-alikes' close can have closed the next one, too. */
			if (later != NONE && !packet_is_open(&c->packet[later]))
				later = c->oldest;
		}
		i = later;
	}
	return c->packets_free != NONE;
}

static void list_append(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];

	/*
	 * Time order: a merged packet is as old as its first part, so it may belong
	 * further back.
	 */
	uint32_t after = c->newest;
	while (after != NONE && c->packet[after].first_ns > p->first_ns)
		after = c->packet[after].earlier;
	p->earlier = after;
	p->later = after == NONE ? c->oldest : c->packet[after].later;
	if (p->later == NONE)
		c->newest = i;
	else
		c->packet[p->later].earlier = i;
	if (after == NONE) {
		c->oldest = i;
		if (p->first_ns + c->cfg.window_ns < c->wake_ns)
			c->wake_ns = p->first_ns + c->cfg.window_ns;
	} else {
		c->packet[after].later = i;
	}
}

void packet_unlist(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];

	if (p->earlier == NONE)
		c->oldest = p->later;
	else
		c->packet[p->earlier].later = p->later;
	if (p->later == NONE)
		c->newest = p->earlier;
	else
		c->packet[p->later].earlier = p->earlier;
	p->earlier = p->later = NONE;
}

uint32_t packet_new(struct correlate *c, int64_t first_ns)
{
	uint32_t i;

	if (c->packets_free == NONE && c->packets_top < c->n_packets) {
		i = c->packets_top++;
	} else {
		if (c->packets_free == NONE && !correlate_make_room(c) && !make_room_behind(c))
			return NONE;
		i = c->packets_free;
		c->packets_free = c->packet[i].next;
	}

	struct packet *p = &c->packet[i];

	/* Sightings are filled as they are counted. */
	memset(p, 0, offsetof(struct packet, s));
	memset(&p->first_ns, 0, sizeof(*p) - offsetof(struct packet, first_ns));
	p->first_ns = first_ns;
	p->flags = PACKET_USED;
	p->next = p->prev = p->parent = p->flow = NONE;
	p->tunnel = NO_TUNNEL;
	p->verdict_rank = p->len_rank = UINT8_MAX;
	if (c->content)
		c->content[i].seen = false;
	list_append(c, i);
	c->n_open++;
	return i;
}

struct packet_more *packet_more_new(struct correlate *c, struct packet *p)
{
	struct packet_more *m = &c->more[p - c->packet];

	*m = packet_more_none;
	p->flags |= PACKET_MORE;
	return m;
}

static void bucket_push(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];
	uint32_t *head = &c->bucket[p->key & c->bucket_mask];

	p->prev = NONE;
	p->next = *head;
	if (*head != NONE)
		c->packet[*head].prev = i;
	*head = i;
}

/*
 * Twice as many buckets. Few packets are open at a time, and buckets that stay in the cache
 * are worth more than many; so there are as many as packets once needed one.
 */
static void buckets_double(struct correlate *c)
{
	const uint32_t n = c->bucket_mask + 1;

	memset(c->bucket + n, 0xff, (size_t)n * sizeof(*c->bucket));
	c->bucket_mask = 2 * n - 1;
	for (uint32_t b = 0; b < n; b++) {
		uint32_t next, i = c->bucket[b];

		c->bucket[b] = NONE;
		for (; i != NONE; i = next) {
			next = c->packet[i].next;
			bucket_push(c, i);
		}
	}
}

void packet_index(struct correlate *c, uint32_t i, uint64_t key)
{
	struct packet *p = &c->packet[i];

	if (c->n_indexed > c->bucket_mask && c->bucket_mask + 1 < c->n_buckets)
		buckets_double(c);
	p->key = key;
	bucket_push(c, i);
	p->flags |= PACKET_INDEXED;
	c->n_indexed++;
}

static void bucket_take(struct correlate *c, struct packet *p)
{
	if (p->prev == NONE)
		c->bucket[p->key & c->bucket_mask] = p->next;
	else
		c->packet[p->prev].next = p->next;
	if (p->next != NONE)
		c->packet[p->next].prev = p->prev;
	p->next = p->prev = NONE;
}

void packet_rekey(struct correlate *c, uint32_t i, uint64_t key)
{
	struct packet *p = &c->packet[i];

	if (!(p->flags & PACKET_INDEXED) || p->key == key)
		return;
	bucket_take(c, p);
	p->key = key;
	bucket_push(c, i);
}

static void alias_drop(struct correlate *c, uint32_t a)
{
	struct alias *e = &c->alias[a];

	if (e->prev == NONE)
		c->alias_bucket[e->key & c->alias_mask] = e->next;
	else
		c->alias[e->prev].next = e->next;
	if (e->next != NONE)
		c->alias[e->next].prev = e->prev;
	e->sibling = c->alias_free;
	c->alias_free = a;
}

void packet_unindex(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];

	if (p->flags & PACKET_INDEXED) {
		bucket_take(c, p);
		p->flags &= (uint16_t)~PACKET_INDEXED;
		c->n_indexed--;
	}
	if (!(p->flags & PACKET_MORE))
		return;
	for (uint32_t a = c->more[i].aliases; a != NONE;) {
		uint32_t sibling = c->alias[a].sibling;
		alias_drop(c, a);
		a = sibling;
	}
	c->more[i].aliases = NONE;
}

void packet_set_flow(struct correlate *c, uint32_t i, uint32_t flow)
{
	struct packet *p = &c->packet[i];

	if (p->flow != NONE)
		c->flow[p->flow].open--;
	p->flow = flow;
	if (flow != NONE)
		c->flow[flow].open++;
}

void packet_release(struct correlate *c, uint32_t i)
{
	/*
	 * A part releases the packet that it belongs to: a walk up, never deeper than
	 * merges nest.
	 */
	while (i != NONE) {
		struct packet *p = &c->packet[i];
		uint32_t parent = p->parent;

		if ((p->flags & (PACKET_SETTLED | PACKET_CLOSED)) == PACKET_SETTLED &&
		    !packet_waits(p)) {
			close_packet(c, i);
			return;
		}
		if (p->held || !(p->flags & PACKET_CLOSED) || !(p->flags & PACKET_USED))
			return;
		if (p->flags & PACKET_MORE) {
			const struct packet_more *m = &c->more[i];

			range_drop_all(c, p);
			if (m->seen != NONE) {
				c->seen[m->seen_last].next = c->seen_free;
				c->seen_free = m->seen;
			}
		}
		p->flags = 0;
		packet_set_flow(c, i, NONE);
		p->next = c->packets_free;
		c->packets_free = i;
		if (parent != NONE)
			c->packet[parent].held--;
		i = parent;
	}
}

/* ------------------------------------------------------------ secondary keys */

void alias_add(struct correlate *c, uint32_t i, uint64_t key, uint32_t base)
{
	uint32_t a;

	if (c->alias_free != NONE) {
		a = c->alias_free;
		c->alias_free = c->alias[a].sibling;
	} else if (c->alias_top < c->n_alias) {
		a = c->alias_top++;
	} else {
		return; /* the packet is then found by its primary key alone */
	}

	struct alias *e = &c->alias[a];
	uint32_t *head = &c->alias_bucket[key & c->alias_mask];

	e->key = key;
	e->packet = i;
	e->base = base;
	e->prev = NONE;
	e->next = *head;
	if (*head != NONE)
		c->alias[*head].prev = a;
	*head = a;
	struct packet_more *m = more_need(c, &c->packet[i]);

	e->sibling = m->aliases;
	m->aliases = a;
}

static uint32_t alias_find(const struct correlate *c, uint32_t a, uint64_t key)
{
	while (a != NONE && c->alias[a].key != key)
		a = c->alias[a].next;
	return a;
}

uint32_t alias_first(const struct correlate *c, uint64_t key)
{
	return alias_find(c, c->alias_bucket[key & c->alias_mask], key);
}

uint32_t alias_next(const struct correlate *c, uint32_t a)
{
	return alias_find(c, c->alias[a].next, c->alias[a].key);
}

/* ------------------------------------------------------------------- ranges */

bool range_overlaps(const struct correlate *c, const struct packet *p, uint16_t place,
		    uint32_t start, uint32_t end)
{
	for (unsigned i = 0; i < p->n_sightings; i++) {
		const struct sighting *s = sighting(c, p, i);
		/* A sighting without ranges was of the whole packet. */
		if (s->place == place && s->whole)
			return true;
	}
	for (uint32_t r = more_of(c, p)->ranges; r != NONE; r = c->range[r].next) {
		const struct range *e = &c->range[r];
		if (e->place == place && start < e->end && e->start < end)
			return true;
	}
	return false;
}

bool range_add(struct correlate *c, struct packet *p, uint16_t place, uint32_t start,
	       uint32_t end, bool large)
{
	struct packet_more *m = more_need(c, p);
	uint32_t r;

	if (!large) {
		for (r = m->ranges; r != NONE; r = c->range[r].next) {
			struct range *e = &c->range[r];
			if (e->place != place || e->large)
				continue;
			if (e->end == start) {
				e->end = end;
				return true;
			}
			if (e->start == end) {
				e->start = start;
				return true;
			}
		}
	}
	if (m->n_ranges >= RANGES_OF_PACKET_MAX)
		return false;
	if (c->range_free != NONE) {
		r = c->range_free;
		c->range_free = c->range[r].next;
	} else if (c->range_top < c->n_range) {
		r = c->range_top++;
	} else {
		return false;
	}
	c->range[r] = (struct range){ .start = start, .end = end, .next = m->ranges,
				      .place = place, .large = large };
	m->ranges = r;
	m->n_ranges++;
	return true;
}

void range_drop_all(struct correlate *c, struct packet *p)
{
	struct packet_more *m = more_need(c, p);

	while (m->ranges != NONE) {
		uint32_t r = m->ranges;

		m->ranges = c->range[r].next;
		c->range[r].next = c->range_free;
		c->range_free = r;
	}
	m->n_ranges = 0;
}

void seen_add(struct correlate *c, struct packet *p, const struct correlate_obs *o,
	      uint32_t start, uint32_t bytes, bool part)
{
	struct packet_more *m = more_need(c, p);
	uint32_t i;

	if (c->seen_free != NONE) {
		i = c->seen_free;
		c->seen_free = c->seen[i].next;
	} else if (c->seen_top < c->n_seen) {
		i = c->seen_top++;
	} else {
		m->seen_omitted++;
		return;
	}
	c->seen[i] = (struct seen){ .time_ns = o->time_ns, .length = o->len, .start = start,
				    .bytes = bytes, .next = NONE, .hop = o->hop, .part = part };
	if (m->seen == NONE)
		m->seen = i;
	else
		c->seen[m->seen_last].next = i;
	m->seen_last = i;
}
