/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arrive.c - packets as the nodes' pipelines close them: whose they are, and into the tables.
 *
 * Theory of operation. A packet that leaves its node goes into the table of sent ones, under the
 * keys it can be found by; one that comes in into the heap of received ones. Full tables decide
 * their oldest packet early.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <stdlib.h>

#include "podhop/hash.h"

#define EVICT_LOOK 64 /* of the oldest, for one that has arrived */

/*
 * Room for one more. The oldest of which all has arrived waits only for copies of itself; one
 * that has not would be unknown for ever.
 */
static void evict_sent(struct verify *v)
{
	uint32_t waiting[EVICT_LOOK];
	unsigned n = 0;
	struct direction *best = NULL;

	verify_acquaint(v);
	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++)
		if (!best || v->direction[k].sent.n > best->sent.n)
			best = &v->direction[k];
	if (!best || !best->sent.n)
		return; /* nothing waits: cannot be, where a table is full */
	uint32_t i = verify_heap_pop(v, &best->sent, verify_sent_before);
	while (v->sent[i].got < v->sent[i].size && n < EVICT_LOOK && best->sent.n) {
		waiting[n++] = i;
		i = verify_heap_pop(v, &best->sent, verify_sent_before);
	}
	if (v->sent[i].got < v->sent[i].size && n) {
		uint32_t newest = i;

		i = waiting[0];
		waiting[0] = newest;
	}
	/* There was room for them: they come from there. */
	while (n)
		(void)verify_heap_push(v, &best->sent, waiting[--n], verify_sent_before);
	v->evicted_sent += v->sent[i].got < v->sent[i].size;
	verify_judge(v, i, true);
}

static void evict_received(struct verify *v)
{
	struct direction *best = NULL;

	verify_acquaint(v);
	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++) {
		if (verify_drop_unclaimed(v, &v->direction[k]))
			return;
		if (!best || v->direction[k].received.n > best->received.n)
			best = &v->direction[k];
	}
	uint32_t i = verify_heap_pop(v, &best->received, verify_received_before);
	v->sent_until_ns = v->received_until_ns = INT64_MAX;
	if (!verify_has_offset(v, v->received[i].from, v->received[i].to) ||
	    !verify_claim_any(v, &v->received[i]))
		v->evicted_received++;
	verify_received_free(v, i);
}

static uint64_t key_of(uint64_t tuple_hash, const struct result_packet *p, uint64_t fragments)
{
	switch (p->kind) {
	case RESULT_KIND_STREAM:
		return hash_mix(tuple_hash, p->tcp_seq, KEY_STREAM);
	case RESULT_KIND_FRAGMENTS:
		return fragments;
	case RESULT_KIND_WHOLE:
		break;
	}
	return hash_mix(tuple_hash, p->fingerprint, KEY_WHOLE);
}

static bool is_strong(const struct result_packet *p)
{
	return p->kind == RESULT_KIND_STREAM || p->has_ip_id;
}

/* What a direction needs once packets go that way. False: no memory, and so no verdict. */
static bool prepare(struct verify *v, struct direction *d)
{
	bool ready;

	if (!d->delay)
		d->delay = calloc(DELAYS_KEPT, sizeof(*d->delay));
	if (!d->order)
		d->order = calloc(FLOWS, sizeof(*d->order));
	ready = d->delay && d->order && verify_outer_prepare(d);
	v->no_memory |= !ready;
	return ready;
}

/* All its bytes were seen there. */
static bool is_whole(const struct result_packet *p, const struct result_sighting *s)
{
	return s->whole || s->covered >= p->size;
}

/* The sum of its payload, where the hop nearest the pod shows all of it: it is from there. */
static struct result_sum sum_of(const struct node *n, const struct result_packet *p)
{
	struct result_sum sum = p->sum;
	bool all = false;

	for (unsigned k = 0; k < p->n_sightings; k++)
		all |= p->sightings[k].role == n->last && is_whole(p, &p->sightings[k]);
	sum.cut |= !all;
	return sum;
}

/* Of a packet without payload, too, something has to arrive. */
static uint32_t size_of(const struct result_packet *p)
{
	return p->size ? p->size : 1;
}

static uint32_t start_of(const struct result_packet *p)
{
	return p->kind == RESULT_KIND_STREAM ? p->tcp_seq : 0;
}

/* ------------------------------------------------------------------- sent */

static uint32_t flags_of(const struct result_packet *p, const struct result_tuple *wire, bool cut)
{
	uint32_t flags = SENT_USED;

	flags |= cut ? SENT_UNSUMMED : 0;
	flags |= p->has_contents ? SENT_TOLD : 0;
	flags |= addr_is_v4(&wire->src) ? SENT_V4 : 0;
	flags |= is_strong(p) ? SENT_STRONG : 0;
	flags |= p->has_ip_id ? SENT_HAS_ID : 0;
	flags |= p->encapsulated ? SENT_ENCAP : 0;
	flags |= p->outer_df ? SENT_OUTER_DF : 0;
	flags |= p->outer_fragmented ? SENT_OUTER_FRAGMENTED : 0;
	flags |= p->outer_unsummed ? SENT_OUTER_UNSUMMED : 0;
	flags |= p->retransmission ? SENT_RETRANSMISSION : 0;
	return flags;
}

/* The furthest hop of the sender that saw all of it. */
static uint8_t last_role_of(const struct result_packet *p)
{
	uint8_t role = p->sightings[0].role;

	for (unsigned k = 0; k < p->n_sightings; k++)
		if (is_whole(p, &p->sightings[k]) && p->sightings[k].role > role)
			role = p->sightings[k].role;
	return role;
}

/* The packet alone, in no table yet. */
static struct sent sent_of(const struct verify *v, unsigned from, unsigned to,
			   const struct result_packet *p, const struct result_tuple *wire)
{
	const struct result_sighting *first = &p->sightings[0];
	const struct result_sighting *last = &p->sightings[p->n_sightings - 1];
	struct sent s = {
		.time_ns = p->time_ns,
		.wire_ns = last->first_ns,
		.tuple_hash = verify_tuple_hash(v, wire),
		.head = p->fingerprint,
		.body = p->body,
		.id = p->id,
		.frame = p->frame_number,
		.prev = NONE,
		.link = NONE,
		.pieces = NONE,
		.start = start_of(p),
		.size = size_of(p),
		.sig = p->sig,
		.ip_id = p->ip_id,
		.segment = p->segment,
		.body_len = p->body_len,
		.length = p->length,
		.tuple = p->tuple,
		.hop = first->hop,
		.outer_sport = p->outer_sport,
		.outer_ttl = p->outer_ttl,
		.kind = (uint8_t)p->kind,
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.from_pod = verify_pod_of(&v->node[from], &wire->src),
		.to_pod = verify_pod_of(&v->node[to], &wire->dst),
		.ttl = p->ttl,
		.last_role = last_role_of(p),
		.wire_role = last->role,
		.vni = p->vni,
		.outer_dst = p->outer_dst,
		.left = sum_of(&v->node[from], p),
		.fixed = p->fixed,
		.l4_flags = p->l4_flags,
		.tos = p->tos,
		.checksum = p->checksum,
	};
	s.flags = flags_of(p, wire, s.left.cut);
	return s;
}

/* Under each block of the stream that it touches. */
static void link_blocks(struct verify *v, uint32_t i)
{
	const struct sent *s = &v->sent[i];
	uint32_t block = s->start >> BLOCK_SHIFT;
	const uint32_t end = (s->start + s->size - 1) >> BLOCK_SHIFT;

	for (uint32_t n = 0; n < BLOCKS_MAX; n++) {
		verify_link_add(v, i, hash_mix(s->tuple_hash, block, KEY_BLOCK));
		if (block == end)
			break;
		block = (block + 1) & (UINT32_MAX >> BLOCK_SHIFT); /* sequence numbers wrap */
	}
}

/* Under all keys by which what arrives may name it. */
static void index_sent(struct verify *v, uint32_t i, const struct result_packet *p,
		       const struct result_tuple *wire)
{
	struct sent *s = &v->sent[i];
	const uint64_t fragments = verify_key_fragments(v, wire, p->has_ip_id, p->ip_id, s->size);

	verify_group_start(v, i);
	s->key = key_of(s->tuple_hash, p, fragments);
	verify_sent_index(v, i);
	if (s->kind == RESULT_KIND_STREAM)
		link_blocks(v, i);
	else if (s->kind == RESULT_KIND_FRAGMENTS || s->size > MAY_FRAGMENT)
		verify_link_add(v, i, fragments);
}

static void take_sent(struct verify *v, unsigned from, unsigned to, const struct result_packet *p,
		      const struct result_tuple *wire)
{
	struct direction *d = verify_direction_of(v, from, to);
	struct sent *s;
	uint32_t i;

	if (!prepare(v, d))
		return;
	if (v->sent_free == NONE && v->sent_top == v->n_packets)
		evict_sent(v);
	i = verify_sent_new(v);
	if (i == NONE)
		return;
	v->n_taken++;
	s = &v->sent[i];
	*s = sent_of(v, from, to, p, wire);
	index_sent(v, i, p, wire);
	if (p->encapsulated)
		d->outer[addr_is_v4(&wire->src)] =
			(struct outer_addrs){ p->outer_src, p->outer_dst };
	verify_outer_sent(v, d, s, wire);
	if (!verify_heap_push(v, &d->sent, i, verify_sent_before)) {
		d->d.unknown++;
		verify_sent_free(v, i);
		return;
	}
	/* What came of it may have been dropped already (verify_find_unclaimed()). */
	if (verify_has_offset(v, from, to) && d->done_ns != INT64_MIN &&
	    verify_convert(v, from, to, s->time_ns) < d->done_ns - 2 * v->cfg.window_ns)
		s->flags |= SENT_LATE;
}

/* --------------------------------------------------------------- received */

static bool has_addr(const struct model_net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		for (unsigned k = 0; k < net->pods[i].n_addrs; k++)
			if (addr_eq(&net->pods[i].addrs[k], a))
				return true;
	return false;
}

/* A place in the table; NONE: it is full. */
static uint32_t received_new(struct verify *v)
{
	uint32_t i = NONE;

	if (v->received_free == NONE && v->received_top == v->n_packets)
		evict_received(v);
	if (v->received_free != NONE) {
		i = v->received_free;
		v->received_free = v->received[i].next;
	} else if (v->received_top < v->n_packets) {
		i = v->received_top++;
	}
	v->n_received += i != NONE;
	return i;
}

/* The packet alone, in no table yet. */
static struct received received_of(const struct verify *v, unsigned from, unsigned to,
				   const struct result_packet *p, const struct result_tuple *wire)
{
	const struct result_sighting *first = &p->sightings[0];
	const struct result_sighting *last = &p->sightings[p->n_sightings - 1];
	const struct model_net *sender = v->node[from].net;
	struct received r = {
		.time_ns = last->first_ns,
		.first_ns = first->first_ns,
		.tuple_hash = verify_tuple_hash(v, wire),
		.head = p->fingerprint,
		.body = p->body,
		.id = p->id,
		.prev = NONE,
		.pieces = NONE,
		.same_next = NONE,
		.same_prev = NONE,
		.twin_next = NONE,
		.twin_prev = NONE,
		.older = NONE,
		.start = start_of(p),
		.size = size_of(p),
		.sig = p->sig,
		.ip_id = p->ip_id,
		.body_len = p->body_len,
		.vni = p->vni,
		.outer_dst = p->outer_dst,
		.outer_ttl = p->outer_ttl,
		.kind = (uint8_t)p->kind,
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.ttl = p->ttl,
		.wire_role = first->role,
		.last_role = last->role,
		.hop = last->hop,
		.v4 = addr_is_v4(&wire->src),
		.has_id = p->has_ip_id,
		.queued = true,
		.outer_fragmented = p->outer_fragmented,
		.sum = sum_of(&v->node[to], p),
		.stranger = sender->n_pods && !has_addr(sender, &wire->src),
		.told = p->has_contents,
		.fixed = p->fixed,
		.l4_flags = p->l4_flags,
		.tos = p->tos,
		.checksum = p->checksum,
		.doubt = p->status == RESULT_INCOMPLETE && !p->lost,
	};
	r.fragments = verify_key_fragments(v, wire, p->has_ip_id, p->ip_id, r.size);
	r.key = key_of(r.tuple_hash, p, r.fragments);
	return r;
}

/* What the hop nearest the pod saw of it is what arrived: when, and which pieces if not all. */
static void note_arrival(struct verify *v, struct received *r, const struct result_packet *p,
			 unsigned sighting)
{
	const struct result_sighting *s = &p->sightings[sighting];

	r->time_ns = s->first_ns;
	r->hop = s->hop;
	for (unsigned n = 0; n < p->n_parts && !(r->whole & ROLE_BIT(s->role)); n++)
		if (p->parts[n].at == sighting &&
		    !verify_piece_push(v, &r->pieces, p->parts[n].start, p->parts[n].end))
			r->doubt = true;
}

static void note_sightings(struct verify *v, struct received *r, const struct result_packet *p)
{
	for (unsigned k = 0; k < p->n_sightings; k++) {
		const struct result_sighting *s = &p->sightings[k];

		if (is_whole(p, s))
			r->whole |= (uint16_t)ROLE_BIT(s->role);
		r->covered[s->role] = s->covered;
		if (s->role == v->node[r->to].last)
			note_arrival(v, r, p, k);
	}
}

static void index_received(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];
	uint32_t *bucket = &v->received_bucket[r->key & v->mask];

	r->next = *bucket;
	if (r->next != NONE)
		v->received[r->next].prev = i;
	*bucket = i;
}

static void take_received(struct verify *v, unsigned from, unsigned to,
			  const struct result_packet *p, const struct result_tuple *wire)
{
	struct direction *d = verify_direction_of(v, from, to);
	uint32_t i;

	if (!prepare(v, d))
		return;
	i = received_new(v);
	if (i == NONE)
		return;
	v->n_taken++;
	v->received[i] = received_of(v, from, to, p, wire);
	note_sightings(v, &v->received[i], p);
	index_received(v, i);
	if (!verify_heap_push(v, &d->received, i, verify_received_before))
		verify_received_free(v, i);
}

/* ------------------------------------------------------------- whose packet */

enum course {
	COURSE_NONE = 0, /* of no concern between nodes */
	COURSE_LEAVES,
	COURSE_ARRIVES,
};

static enum course course_of(const struct node *n, const struct result_packet *p)
{
	if (p->direction == MODEL_DIRECTION_EGRESS)
		return COURSE_LEAVES;
	if (p->direction == MODEL_DIRECTION_INGRESS)
		return COURSE_ARRIVES;
	if (n->net->n_pods)
		return COURSE_NONE;
	/* A capture that knows no pods: the wire's side tells. */
	for (unsigned i = 0; i < p->n_sightings; i++) {
		const struct result_sighting *s = &p->sightings[i];
		if (s->role < MODEL_ROLE_VTEP || s->way == MODEL_WAY_UNKNOWN)
			continue;
		return s->way == MODEL_WAY_OUT ? COURSE_LEAVES : COURSE_ARRIVES;
	}
	return COURSE_NONE;
}

/* The other node that has a pod of this address; -1: none. A node without pods may be anybody's. */
static int other_node(const struct verify *v, unsigned node, const struct addr *a)
{
	int anybody = -1;

	for (unsigned k = 0; k < v->cfg.n_nodes; k++) {
		if (k == node)
			continue;
		if (has_addr(v->node[k].net, a))
			return (int)k;
		if (!v->node[k].net->n_pods)
			anybody = (int)k;
	}
	return anybody;
}

void verify_deliver_packet(struct verify *v, unsigned node, const struct result_packet *p)
{
	const struct result_tuple *wire = p->translated ? &p->translation : &p->tuple;
	const struct model_net *net = v->node[node].net;
	int other;

	if (!p->n_sightings || addr_is_multicast(&wire->dst))
		return;
	switch (course_of(&v->node[node], p)) {
	case COURSE_LEAVES:
		if (has_addr(net, &wire->dst))
			return;
		other = other_node(v, node, &wire->dst);
		if (other < 0 && v->cfg.n_nodes == 2)
			verify_direction_of(v, node, 1 - node)->d.out_of_scope++;
		else if (other >= 0 && p->refused)
			verify_direction_of(v, node, (unsigned)other)->d.out_of_scope++;
		else if (other >= 0)
			take_sent(v, node, (unsigned)other, p, wire);
		break;
	case COURSE_ARRIVES:
		if (p->refused || has_addr(net, &wire->src))
			return;
		other = other_node(v, node, &wire->src);
		/* Of nobody's pod: or of the other node's, and its source was altered. */
		if (other < 0 && v->cfg.n_nodes == 2 && p->encapsulated &&
		    v->n_received < v->n_packets / 2)
			other = 1 - (int)node;
		if (other >= 0)
			take_received(v, (unsigned)other, node, p, wire);
		break;
	case COURSE_NONE:
		break;
	}
}
