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
 * to belong to.
 */
#include "correlate_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64u

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

static uint32_t *buckets(uint32_t n)
{
	uint32_t *b = table(n, sizeof(*b));

	if (b)
		memset(b, 0xff, (size_t)n * sizeof(*b));
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

	/* Sparse: who shares a bucket with another has to look at a packet that is long cold. */
	uint32_t nb = 4 * pow2_at_least(c->n_packets), na = nb;
	uint32_t nf = pow2_at_least(c->n_flows / 4 + 1);

	c->packet_memory = table(c->n_packets + 1, sizeof(*c->packet));
	c->packet = c->packet_memory;
	if (c->packet)
		c->packet = (struct packet *)(((uintptr_t)c->packet + CACHE_LINE - 1) &
					      ~(uintptr_t)(CACHE_LINE - 1));
	c->bucket = buckets(nb);
	c->done = table(pow2_at_least(c->n_packets), sizeof(*c->done));
	c->alias = table(c->n_alias, sizeof(*c->alias));
	c->alias_bucket = buckets(na);
	c->range = table(c->n_range, sizeof(*c->range));
	c->tie = table(c->n_tie, sizeof(*c->tie));
	c->flow = table(c->n_flows, sizeof(*c->flow));
	c->flow_bucket = buckets(nf);
	if (c->n_seen) {
		c->seen = table(c->n_seen, sizeof(*c->seen));
		c->list = table(RESULT_OBSERVATIONS_MAX, sizeof(*c->list));
	}
	if (!c->packet || !c->bucket || !c->done || !c->alias || !c->alias_bucket || !c->range ||
	    !c->tie || !c->flow || !c->flow_bucket || (c->n_seen && (!c->seen || !c->list)))
		return err_sys(err, ENOMEM, "tables for %u packets and %u flows", c->n_packets,
			       c->n_flows);
	c->bucket_mask = nb - 1;
	c->done_mask = pow2_at_least(c->n_packets) - 1;
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
	free(c->done);
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

/*
 * Whole packets that only wait for their look-ahead go first, then the oldest, early and
 * with that known. What is held by observations that wait for their mark cannot go.
 */
bool correlate_make_room(struct correlate *c)
{
	if (c->packets_top < c->n_packets)
		return true;
	while (c->packets_free == NONE && c->n_done &&
	       c->packet[c->done[c->done_head].packet].held == 1)
		close_unqueue(c);
	if (c->packets_free == NONE && c->oldest != NONE && !c->packet[c->oldest].held) {
		c->packet[c->oldest].flags |= PACKET_EARLY;
		c->closed_early++;
		close_packet(c, c->oldest);
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
	if (after == NONE)
		c->oldest = i;
	else
		c->packet[after].later = i;
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
	uint32_t i = NONE;

	if (c->packets_free != NONE) {
		i = c->packets_free;
		c->packets_free = c->packet[i].next;
	} else if (c->packets_top < c->n_packets) {
		i = c->packets_top++;
	} else {
		if (!correlate_make_room(c))
			return NONE;
		i = c->packets_free;
		c->packets_free = c->packet[i].next;
	}

	struct packet *p = &c->packet[i];

	/* Sightings are filled as they are counted. */
	memset(p, 0, offsetof(struct packet, s));
	memset(&p->body, 0, sizeof(*p) - offsetof(struct packet, body));
	p->first_ns = first_ns;
	p->flags = PACKET_USED;
	p->next = p->prev = p->later = p->earlier = NONE;
	p->parent = p->aliases = p->ranges = p->seen = p->seen_last = NONE;
	p->tie = p->tie_next = p->flow = p->tunnel = NONE;
	p->verdict_rank = p->len_rank = UINT8_MAX;
	list_append(c, i);
	c->n_open++;
	return i;
}

void packet_index(struct correlate *c, uint32_t i, uint64_t key)
{
	struct packet *p = &c->packet[i];
	uint32_t *head = &c->bucket[key & c->bucket_mask];

	p->key = key;
	p->prev = NONE;
	p->next = *head;
	if (*head != NONE)
		c->packet[*head].prev = i;
	*head = i;
	p->flags |= PACKET_INDEXED;
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
		if (p->prev == NONE)
			c->bucket[p->key & c->bucket_mask] = p->next;
		else
			c->packet[p->prev].next = p->next;
		if (p->next != NONE)
			c->packet[p->next].prev = p->prev;
		p->next = p->prev = NONE;
		p->flags &= (uint16_t)~PACKET_INDEXED;
	}
	for (uint32_t a = p->aliases; a != NONE;) {
		uint32_t sibling = c->alias[a].sibling;
		alias_drop(c, a);
		a = sibling;
	}
	p->aliases = NONE;
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

		if (p->held || !(p->flags & PACKET_CLOSED) || !(p->flags & PACKET_USED))
			return;
		for (uint32_t r = p->ranges; r != NONE;) {
			uint32_t next = c->range[r].next;
			c->range[r].next = c->range_free;
			c->range_free = r;
			r = next;
		}
		if (p->seen != NONE) {
			c->seen[p->seen_last].next = c->seen_free;
			c->seen_free = p->seen;
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
	e->sibling = c->packet[i].aliases;
	c->packet[i].aliases = a;
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
		/* A sighting without ranges was of the whole packet. */
		if (p->s[i].place == place && p->s[i].whole)
			return true;
	}
	for (uint32_t r = p->ranges; r != NONE; r = c->range[r].next) {
		const struct range *e = &c->range[r];
		if (e->place == place && start < e->end && e->start < end)
			return true;
	}
	return false;
}

bool range_add(struct correlate *c, struct packet *p, uint16_t place, uint32_t start,
	       uint32_t end, bool large)
{
	uint32_t r;

	if (!large) {
		for (r = p->ranges; r != NONE; r = c->range[r].next) {
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
	if (p->n_ranges >= RANGES_OF_PACKET_MAX)
		return false;
	if (c->range_free != NONE) {
		r = c->range_free;
		c->range_free = c->range[r].next;
	} else if (c->range_top < c->n_range) {
		r = c->range_top++;
	} else {
		return false;
	}
	c->range[r] = (struct range){ .start = start, .end = end, .next = p->ranges,
				      .place = place, .large = large };
	p->ranges = r;
	p->n_ranges++;
	return true;
}

void seen_add(struct correlate *c, struct packet *p, const struct correlate_obs *o,
	      uint32_t start, uint32_t bytes, bool part)
{
	uint32_t i;

	if (c->seen_free != NONE) {
		i = c->seen_free;
		c->seen_free = c->seen[i].next;
	} else if (c->seen_top < c->n_seen) {
		i = c->seen_top++;
	} else {
		p->seen_omitted++;
		return;
	}
	c->seen[i] = (struct seen){ .time_ns = o->time_ns, .length = o->len, .start = start,
				    .bytes = bytes, .next = NONE, .hop = o->hop, .part = part };
	if (p->seen == NONE)
		p->seen = i;
	else
		c->seen[p->seen_last].next = i;
	p->seen_last = i;
}

static uint32_t n_listed_aliases(const struct correlate *c)
{
	uint32_t n = 0;

	for (uint32_t a = c->alias_free; a != NONE; a = c->alias[a].sibling)
		n++;
	return n;
}

bool correlate_is_empty(const struct correlate *c)
{
	uint32_t packets = 0, ranges = 0, seen = 0, ties = 0;

	for (uint32_t i = c->packets_free; i != NONE; i = c->packet[i].next)
		packets++;
	for (uint32_t i = c->range_free; i != NONE; i = c->range[i].next)
		ranges++;
	for (uint32_t i = c->seen_free; i != NONE; i = c->seen[i].next)
		seen++;
	for (uint32_t i = c->tie_free; i != NONE; i = c->tie[i].next_free)
		ties++;
	for (uint32_t i = 0; i < c->flows_top; i++)
		if (c->flow[i].open)
			return false;
	return packets == c->packets_top && ranges == c->range_top && seen == c->seen_top &&
	       ties == c->tie_top && n_listed_aliases(c) == c->alias_top && !c->n_open &&
	       c->oldest == NONE && c->newest == NONE && !c->n_done && !c->ids_open;
}
