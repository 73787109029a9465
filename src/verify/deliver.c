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
 * packets are then taken in order. What the receiver shows that nobody sent stays
 * unclaimed for two windows: it may be a packet that was altered on the way.
 *
 * A sent packet is in scope when both captures ran: between two packets that were
 * delivered (either way), or a window away from the ends of the receiver's capture.
 */
#include "verify_priv.h"

#include <stdlib.h>
#include <string.h>

#include "podhop/hash.h"

enum key_kind {
	KEY_STREAM = 21,
	KEY_WHOLE,
	KEY_FRAGMENTS,
	KEY_BLOCK,
};

#define MAY_FRAGMENT 1200u /* smaller datagrams are not cut: IPv6's least MTU is 1280 */

#define TIME_MAX_NS 4000000000000000000LL /* the year 2096 */

#define ROLE_BIT(r) (1u << (r))

/* ------------------------------------------------------------------- pieces */

static void pieces_free(struct verify *v, uint32_t *list)
{
	while (*list != NONE) {
		uint32_t i = *list;

		*list = v->piece[i].next;
		v->piece[i].next = v->piece_free;
		v->piece_free = i;
	}
}

static bool piece_push(struct verify *v, uint32_t *list, uint32_t start, uint32_t end)
{
	uint32_t i = v->piece_free;

	if (i != NONE)
		v->piece_free = v->piece[i].next;
	else if (v->piece_top < PIECES_MAX)
		i = v->piece_top++;
	else
		return false;
	v->piece[i] = (struct piece){ start, end, *list };
	*list = i;
	return true;
}

static bool pieces_overlap(const struct verify *v, uint32_t list, uint32_t start, uint32_t end)
{
	for (; list != NONE; list = v->piece[list].next)
		if (start < v->piece[list].end && v->piece[list].start < end)
			return true;
	return false;
}

/* Adds [start, end) as far as it is new. Returns how many bytes were; *ret_full: no room. */
static uint32_t pieces_add(struct verify *v, uint32_t *list, uint32_t start, uint32_t end,
			   bool *ret_full)
{
	uint32_t fresh = 0;

	while (start < end) {
		uint32_t stop = end, skip = 0, *join = NULL;

		for (uint32_t i = *list; i != NONE; i = v->piece[i].next) {
			struct piece *p = &v->piece[i];
			if (p->start <= start && start < p->end)
				skip = p->end;
			else if (p->start > start && p->start < stop)
				stop = p->start;
			if (p->end == start)
				join = &p->end;
		}
		if (skip) {
			start = skip;
			continue;
		}
		fresh += stop - start;
		if (join)
			*join = stop;
		else if (!piece_push(v, list, start, stop))
			*ret_full = true;
		start = stop;
	}
	return fresh;
}

/* ------------------------------------------------------------------- tables */

static bool sent_before(const struct verify *v, uint32_t a, uint32_t b)
{
	const struct sent *x = &v->sent[a], *y = &v->sent[b];

	return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->id < y->id;
}

static bool received_before(const struct verify *v, uint32_t a, uint32_t b)
{
	const struct received *x = &v->received[a], *y = &v->received[b];

	return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->id < y->id;
}

static struct direction *direction_of(struct verify *v, unsigned from, unsigned to)
{
	return &v->direction[from * v->cfg.n_nodes + to];
}

static void link_add(struct verify *v, uint32_t i, uint64_t key)
{
	uint32_t k = v->link_free;

	if (k != NONE)
		v->link_free = v->link[k].sibling;
	else if (v->link_top < LINKS_A_PACKET * v->n_packets)
		k = v->link_top++;
	else
		return; /* found by its first byte only */
	uint32_t *bucket = &v->link_bucket[key & v->link_mask];
	v->link[k] = (struct link){
		.key = key, .sent = i, .next = *bucket, .prev = NONE, .sibling = v->sent[i].link
	};
	if (*bucket != NONE)
		v->link[*bucket].prev = k;
	*bucket = k;
	v->sent[i].link = k;
}

static void sent_free(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	if (s->prev != NONE)
		v->sent[s->prev].next = s->next;
	else
		v->sent_bucket[s->key & v->mask] = s->next;
	if (s->next != NONE)
		v->sent[s->next].prev = s->prev;
	while (s->link != NONE) {
		uint32_t k = s->link;
		struct link *l = &v->link[k];

		s->link = l->sibling;
		if (l->prev != NONE)
			v->link[l->prev].next = l->next;
		else
			v->link_bucket[l->key & v->link_mask] = l->next;
		if (l->next != NONE)
			v->link[l->next].prev = l->prev;
		l->sibling = v->link_free;
		v->link_free = k;
	}
	pieces_free(v, &s->pieces);
	s->flags = 0;
	s->next = v->sent_free;
	v->sent_free = i;
	v->n_sent--;
}

static void received_unclaim_end(struct verify *v, struct received *r)
{
	if (!r->unclaimed)
		return;
	if (r->same_prev != NONE)
		v->received[r->same_prev].same_next = r->same_next;
	else
		v->same_bucket[r->tuple_hash & v->mask] = r->same_next;
	if (r->same_next != NONE)
		v->received[r->same_next].same_prev = r->same_prev;
	r->unclaimed = false;
}

static void received_unindex(struct verify *v, struct received *r)
{
	if (r->prev != NONE)
		v->received[r->prev].next = r->next;
	else
		v->received_bucket[r->key & v->mask] = r->next;
	if (r->next != NONE)
		v->received[r->next].prev = r->prev;
}

static void received_free(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];

	received_unclaim_end(v, r);
	received_unindex(v, r);
	pieces_free(v, &r->pieces);
	r->next = v->received_free;
	v->received_free = i;
	v->n_received--;
}

/* ------------------------------------------------------------- clock samples */

static void clock_sample(struct verify *v, const struct sent *s, const struct received *r)
{
	struct pair *p = verify_pair_of(v, s->from, s->to);

	if (v->cfg.has_offset)
		return;
	if (s->from < s->to) {
		verify_clock_forward(p->clock, s->wire_ns, r->first_ns);
		p->forward = true;
	} else {
		verify_clock_backward(p->clock, r->first_ns, s->wire_ns);
		p->backward = true;
	}
	p->samples++;
	if (p->samples >= p->next_estimate || (p->forward && p->backward && !p->line.known)) {
		uint64_t step = p->samples / 4;

		verify_clock_line(p->clock, &p->line);
		p->next_estimate = p->samples + (step < 1 ? 1 : step > 8192 ? 8192 : step);
	}
}

/* A fair sample of all delays (reservoir): what percentiles need, in bounded memory. */
static void delay_sample(struct verify *v, struct direction *d, const struct sent *s, int64_t delta)
{
	uint64_t at = d->n_delays++;

	if (!d->delay)
		return;
	if (at >= DELAYS_KEPT) {
		v->random ^= v->random << 13;
		v->random ^= v->random >> 7;
		v->random ^= v->random << 17;
		at = v->random % d->n_delays;
		if (at >= DELAYS_KEPT)
			return;
	}
	d->delay[at] = (struct delay_sample){ s->time_ns, delta };
}

static void watch_order(struct direction *d, struct sent *s)
{
	if (!d->order)
		return;
	struct flow_order *o = &d->order[s->tuple_hash % FLOWS];

	if (o->tuple_hash != s->tuple_hash)
		*o = (struct flow_order){ s->tuple_hash, INT64_MIN };
	if (s->time_ns < o->newest_ns)
		d->d.reordered++;
	else
		o->newest_ns = s->time_ns;
}

static void prove(struct verify *v, const struct sent *s)
{
	unsigned ref = s->from < s->to ? s->from : s->to;
	struct pair *p = verify_pair_of(v, s->from, s->to);
	int64_t t = ref == s->from ? s->time_ns : verify_convert(v, s->from, ref, s->time_ns);

	if (!p->proof || t < p->proof_from)
		p->proof_from = t;
	if (!p->proof || t > p->proof_to)
		p->proof_to = t;
	p->proof = true;
}

/* -------------------------------------------------------------- outer headers */

static void compare_outer(struct direction *d, const struct sent *s, const struct received *r)
{
	if (!(s->flags & SENT_ENCAP))
		return;
	if (r->vni && s->vni != r->vni)
		d->vni_differs++;
	if (!addr_is_none(&r->outer_dst) && !addr_eq(&s->outer_dst, &r->outer_dst))
		d->dst_differs++;
	if (s->ttl != r->ttl)
		d->ttl_differs++;
	if (r->outer_fragmented && !(s->flags & SENT_OUTER_FRAGMENTED))
		d->fragmented_between++;
}

/* ------------------------------------------------------------------ claiming */

/*
 * Received bytes [from, from + len) are the sent packet's [lo, lo + len). Notes at which
 * hops they were seen. Returns the bytes that are new at the receiver's last hop.
 */
static uint32_t claim(struct verify *v, struct sent *s, struct received *r, uint32_t lo,
		      uint32_t len, uint32_t from)
{
	struct direction *d = direction_of(v, s->from, s->to);
	const struct node *to = &v->node[s->to];
	uint32_t fresh = 0, before = s->got;
	bool full = false;

	s->taken += len;
	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (role == to->last)
			continue;
		if (r->whole & ROLE_BIT(role))
			s->covered[role] += len;
		else
			s->covered[role] += r->covered[role] < len ? r->covered[role] : len;
	}
	if (r->whole & ROLE_BIT(to->last)) {
		if (len == s->size && !s->got) {
			fresh = len;
		} else {
			fresh = pieces_add(v, &s->pieces, lo, lo + len, &full);
		}
	} else {
		for (uint32_t i = r->pieces; i != NONE; i = v->piece[i].next) {
			uint32_t a = v->piece[i].start, b = v->piece[i].end;

			a = a > from ? a - from : 0;
			b = b > from ? b - from : 0;
			if (b > len)
				b = len;
			if (a < b)
				fresh += pieces_add(v, &s->pieces, lo + a, lo + b, &full);
		}
	}
	s->got += fresh;
	s->covered[to->last] = s->got;
	if (r->doubt || full)
		s->flags |= SENT_DOUBT;
	v->matched++;
	if (lo == 0 && !(s->flags & SENT_TIMED)) {
		if (from == 0 && (s->flags & SENT_STRONG) && !(s->flags & SENT_RETRANSMISSION) &&
		    s->wire_ns && r->first_ns)
			clock_sample(v, s, r);
		compare_outer(d, s, r);
		if (fresh) {
			s->flags |= SENT_TIMED;
			delay_sample(v, d, s, r->time_ns - s->time_ns);
			watch_order(d, s);
		}
	}
	if (s->got >= s->size && before < s->size) {
		prove(v, s);
		pieces_free(v, &s->pieces);
	}
	return fresh;
}

static bool bodies_differ(const struct sent *s, const struct received *r)
{
	return s->body_len && s->body_len == r->body_len && s->body != r->body;
}

/* Are these bytes of s still to come? */
static bool is_free(const struct verify *v, const struct sent *s, uint32_t lo, uint32_t len)
{
	if (s->got >= s->size || len > s->size || s->taken > s->size - len)
		return false;
	return !pieces_overlap(v, s->pieces, lo, lo + len);
}

/*
 * IP ids of segments count up from the super-frame's. offset: of the received bytes in
 * the sent packet, negative when they begin before it (merged with what came before).
 */
static bool ids_fit(const struct sent *s, const struct received *r, int32_t offset)
{
	uint32_t up = (r->ip_id - s->ip_id) & 0xffffu, bytes = (uint32_t)offset;

	if (!r->v4)
		return true;
	if (offset < 0) {
		up = (s->ip_id - r->ip_id) & 0xffffu;
		bytes = (uint32_t)-offset;
	}
	if (!offset)
		return !up;
	if (!up)
		return true; /* SKB_GSO_TCP_FIXEDID */
	if (offset > 0 && s->segment && s->segment < s->size)
		return (uint64_t)up * s->segment == bytes;
	return up <= bytes;
}

/* Seen at the receiver's last hop although all its bytes had been: a copy. */
static void note_copy(struct verify *v, struct sent *s, const struct received *r)
{
	const struct node *to = &v->node[s->to];

	if (s->flags & SENT_DUPLICATED || !((r->whole & ROLE_BIT(to->last)) || r->pieces != NONE))
		return;
	s->flags |= SENT_DUPLICATED;
	direction_of(v, s->from, s->to)->d.duplicated++;
}

static bool claim_exact(struct verify *v, struct received *r)
{
	uint32_t best = NONE, copy = NONE;
	unsigned n = 0;

	for (uint32_t i = v->sent_bucket[r->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->sent[i].next, n++) {
		struct sent *s = &v->sent[i];

		if (s->key != r->key || s->from != r->from || s->to != r->to ||
		    s->kind != r->kind || s->size != r->size || bodies_differ(s, r))
			continue;
		if (r->kind == RESULT_KIND_STREAM
			    ? s->start != r->start || s->sig != r->sig || !ids_fit(s, r, 0)
			    : s->head != r->head)
			continue;
		if (!is_free(v, s, 0, r->size)) {
			copy = i;
			continue;
		}
		if (best == NONE || sent_before(v, i, best))
			best = i;
	}
	if (best != NONE) {
		claim(v, &v->sent[best], r, 0, r->size, 0);
		return true;
	}
	if (copy != NONE) {
		note_copy(v, &v->sent[copy], r);
		return true;
	}
	return false;
}

static uint64_t key_block(uint64_t tuple_hash, uint32_t seq)
{
	return hash_mix(tuple_hash, seq >> BLOCK_SHIFT, KEY_BLOCK);
}

/* The sent packet that has the byte at seq; *ret_next: else the nearest one behind it. */
static uint32_t stream_at(const struct verify *v, const struct received *r, uint32_t seq,
			  uint32_t left, uint32_t *ret_next, uint32_t *ret_copy)
{
	uint64_t key = key_block(r->tuple_hash, seq);
	uint32_t best = NONE;
	unsigned n = 0;

	*ret_copy = NONE;
	for (uint32_t k = v->link_bucket[key & v->link_mask]; k != NONE && n < CHAIN_MAX;
	     k = v->link[k].next, n++) {
		uint32_t i = v->link[k].sent;
		const struct sent *s = &v->sent[i];
		uint32_t ahead = s->start - seq, offset = seq - s->start;

		if (v->link[k].key != key || s->tuple_hash != r->tuple_hash || s->sig != r->sig ||
		    s->from != r->from || s->to != r->to || s->kind != RESULT_KIND_STREAM)
			continue;
		if (!ids_fit(s, r, (int32_t)(r->start - s->start)))
			continue;
		if (s->start == r->start && s->size == r->size && bodies_differ(s, r))
			continue;
		if (ahead && ahead < left && ahead < *ret_next)
			*ret_next = ahead;
		if (offset >= s->size)
			continue;
		uint32_t len = s->size - offset < left ? s->size - offset : left;
		if (!is_free(v, s, offset, len)) {
			*ret_copy = i;
			continue;
		}
		if (best == NONE || sent_before(v, i, best))
			best = i;
	}
	return best;
}

static bool claim_stream(struct verify *v, struct received *r)
{
	bool any = false;

	for (uint32_t pos = 0; pos < r->size;) {
		uint32_t left = r->size - pos, next = left, copy;
		uint32_t block_end =
			(1u << BLOCK_SHIFT) - ((r->start + pos) & ((1u << BLOCK_SHIFT) - 1));
		uint32_t i = stream_at(v, r, r->start + pos, left, &next, &copy);

		if (i == NONE && copy != NONE) {
			struct sent *s = &v->sent[copy];
			uint32_t offset = r->start + pos - s->start;

			note_copy(v, s, r);
			any = true;
			pos += s->size - offset;
			continue;
		}
		if (i == NONE) {
			pos += next < block_end ? next : block_end;
			continue;
		}
		struct sent *s = &v->sent[i];
		uint32_t offset = r->start + pos - s->start;
		uint32_t len = s->size - offset < left ? s->size - offset : left;
		claim(v, s, r, offset, len, pos);
		any = true;
		pos += len;
	}
	return any;
}

static uint64_t key_fragments(const struct result_tuple *t, bool has_id, uint32_t ip_id,
			      uint32_t size)
{
	struct result_tuple addresses = { .src = t->src, .dst = t->dst, .protocol = t->protocol };

	return hash_mix(verify_tuple_hash(&addresses), has_id ? ip_id : (uint64_t)size << 32,
			KEY_FRAGMENTS);
}

/* Fragments on one side at least: the IP id tells, its header may look different. */
static bool claim_fragments(struct verify *v, struct received *r)
{
	uint32_t best = NONE;
	unsigned n = 0;

	for (uint32_t k = v->link_bucket[r->fragments & v->link_mask]; k != NONE && n < CHAIN_MAX;
	     k = v->link[k].next, n++) {
		uint32_t i = v->link[k].sent;
		const struct sent *s = &v->sent[i];

		if (r->kind != RESULT_KIND_FRAGMENTS && s->kind != RESULT_KIND_FRAGMENTS)
			continue;
		if (v->link[k].key != r->fragments || s->from != r->from || s->to != r->to ||
		    s->taken || r->size > s->size)
			continue;
		if (best == NONE || sent_before(v, i, best))
			best = i;
	}
	if (best == NONE)
		return false;
	claim(v, &v->sent[best], r, 0, r->size, 0);
	return true;
}

static bool claim_any(struct verify *v, struct received *r)
{
	if (r->kind == RESULT_KIND_FRAGMENTS)
		return claim_fragments(v, r);
	if (claim_exact(v, r))
		return true;
	if (r->kind == RESULT_KIND_STREAM)
		return claim_stream(v, r);
	return r->size > MAY_FRAGMENT && claim_fragments(v, r);
}

static void process(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];
	struct direction *d = direction_of(v, r->from, r->to);

	r->queued = false;
	if (claim_any(v, r)) {
		received_free(v, i);
		return;
	}
	uint32_t *bucket = &v->same_bucket[r->tuple_hash & v->mask];
	r->unclaimed = true;
	r->same_prev = NONE;
	r->same_next = *bucket;
	if (*bucket != NONE)
		v->received[*bucket].same_prev = i;
	*bucket = i;
	r->older = NONE;
	if (d->unclaimed_last != NONE)
		v->received[d->unclaimed_last].older = i;
	else
		d->unclaimed_first = i;
	d->unclaimed_last = i;
}

/* The oldest unclaimed one goes. */
static bool drop_unclaimed(struct verify *v, struct direction *d)
{
	uint32_t i = d->unclaimed_first;

	if (i == NONE)
		return false;
	d->unclaimed_first = v->received[i].older;
	if (d->unclaimed_first == NONE)
		d->unclaimed_last = NONE;
	received_free(v, i);
	return true;
}

/* ------------------------------------------------------------------- judging */

static bool dropped_at(const struct verify *v, unsigned node, uint32_t roles, int64_t from,
		       int64_t to)
{
	const struct node *n = &v->node[node];

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (!(roles & ROLE_BIT(role)))
			continue;
		if (n->dropped_any_time[role])
			return true;
		for (unsigned k = 0; k < n->n_drops[role]; k++)
			if (n->drops[role][k].from_ns <= to && from <= n->drops[role][k].to_ns)
				return true;
	}
	return false;
}

/* evicted: before anybody could see what came of it. */
static bool in_scope(const struct verify *v, const struct sent *s, bool evicted)
{
	const struct pair *p = verify_pair_of(v, s->from, s->to);
	const struct node *to = &v->node[s->to];
	unsigned ref = s->from < s->to ? s->from : s->to;
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	int64_t t = ref == s->from ? s->time_ns : there;

	if (p->proof && t >= p->proof_from && t <= p->proof_to)
		return true;
	if (evicted)
		return to->told && there >= to->first_ns && there <= to->last_ns;
	return to->told && there - to->first_ns >= v->cfg.window_ns &&
	       to->last_ns - there >= v->cfg.window_ns;
}

/* Where the packet was seen last, and which hop should have been next. */
static void locate(const struct verify *v, const struct sent *s, struct verify_lost *l)
{
	const struct node *from = &v->node[s->from], *to = &v->node[s->to];
	unsigned missing = MODEL_ROLE_NONE;

	l->last_node = l->next_node = s->from;
	l->last_role = s->last_role;
	for (unsigned role = MODEL_ROLE_UNDERLAY; role >= MODEL_ROLE_VETH; role--) {
		if (!(to->roles & ROLE_BIT(role)))
			continue;
		/* DirectRouting passes no VTEP. */
		if (role == MODEL_ROLE_VTEP && !(s->flags & SENT_ENCAP) && !s->covered[role] &&
		    s->last_role == MODEL_ROLE_UNDERLAY)
			continue;
		if (s->covered[role] < s->size) {
			missing = role;
			break;
		}
		l->last_node = s->to;
		l->last_role = role;
	}
	l->next_node = s->to;
	l->next_role = missing;
	if (l->last_node != s->from)
		return;
	/* It did not leave its own node: the next hop there is the one that misses it. */
	for (unsigned role = s->last_role + 1; role < MODEL_ROLE_COUNT && !s->taken; role++)
		if (from->roles & ROLE_BIT(role)) {
			l->next_node = s->from;
			l->next_role = role;
			return;
		}
}

static bool is_excused(const struct verify *v, const struct sent *s, const struct verify_lost *l)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t inwards = v->node[s->to].roles;

	if (s->flags & (SENT_DOUBT | SENT_LATE))
		return true;
	if (l->next_node == s->to)
		inwards &= ROLE_BIT(l->next_role + 1) - 1;
	else if (dropped_at(v, s->from, ~(ROLE_BIT(l->next_role) - 1), s->time_ns,
			    s->time_ns + v->cfg.window_ns))
		return true;
	return dropped_at(v, s->to, inwards, there, there + v->cfg.window_ns);
}

/*
 * Looks for s among what nobody is known to have sent: the same place in the stream, the
 * same IP id, or the same payload, but something else changed.
 */
static void find_altered(struct verify *v, struct sent *s)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t next;
	unsigned n = 0;

	for (uint32_t i = v->same_bucket[s->tuple_hash & v->mask];
	     i != NONE && n < CHAIN_MAX && s->got < s->size; i = next, n++) {
		struct received *r = &v->received[i];
		uint32_t lo = 0;
		bool same;

		next = r->same_next;
		if (r->tuple_hash != s->tuple_hash || r->from != s->from || r->to != s->to ||
		    r->kind != s->kind || r->size > s->size ||
		    r->time_ns - there > v->cfg.window_ns || there - r->time_ns > SLACK_NS * 10)
			continue;
		if (s->kind == RESULT_KIND_STREAM) {
			lo = r->start - s->start;
			same = lo <= s->size - r->size && is_free(v, s, lo, r->size);
		} else {
			same = r->size == s->size && !s->taken &&
			       (r->head == s->head ||
				(s->flags & SENT_HAS_ID && r->has_id && r->ip_id == s->ip_id) ||
				(s->body_len && s->body_len == r->body_len && s->body == r->body));
		}
		if (!same)
			continue;
		s->flags |= SENT_ALTERED;
		claim(v, s, r, lo, r->size, 0);
		/* Stays in the list of unclaimed ones by age, but nobody finds it any more. */
		received_unclaim_end(v, r);
	}
}

static void judge(struct verify *v, uint32_t i, bool evicted)
{
	struct sent *s = &v->sent[i];
	struct direction *d = direction_of(v, s->from, s->to);
	struct verify_lost l = {
		.packet_id = s->id,
		.frame = s->frame,
		.hop = s->hop,
		.time_ns = s->time_ns,
		.tuple = s->tuple,
		.ip_id = s->ip_id,
		.has_ip_id = s->flags & SENT_HAS_ID,
		.length = s->length,
	};

	if (s->got < s->size && verify_has_offset(v, s->from, s->to))
		find_altered(v, s);
	if (s->got >= s->size) {
		d->d.sent++;
		if (s->flags & SENT_ALTERED)
			d->d.altered++;
		else
			d->d.delivered++;
	} else if (!verify_has_offset(v, s->from, s->to)) {
		/* Nothing matched, so nobody knows when both captures ran: only where it was. */
		d->d.out_of_scope++;
		locate(v, s, &l);
		verify_count_place(&d->d, &l);
	} else if (!in_scope(v, s, evicted)) {
		d->d.out_of_scope++;
	} else {
		d->d.sent++;
		locate(v, s, &l);
		if (evicted || is_excused(v, s, &l)) {
			d->d.unknown++;
			d->evicted += evicted;
		} else {
			l.bytes_missing = s->size - s->got;
			verify_count_lost(v, d, s, &l);
		}
	}
	sent_free(v, i);
}

/* ---------------------------------------------------------------- coming in */

static void evict_sent(struct verify *v)
{
	struct direction *best = NULL;

	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++)
		if (!best || v->direction[k].sent.n > best->sent.n)
			best = &v->direction[k];
	uint32_t i = verify_heap_pop(v, &best->sent, sent_before);
	v->evicted_sent += v->sent[i].got < v->sent[i].size;
	judge(v, i, true);
}

static void evict_received(struct verify *v)
{
	struct direction *best = NULL;

	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++) {
		if (drop_unclaimed(v, &v->direction[k]))
			return;
		if (!best || v->direction[k].received.n > best->received.n)
			best = &v->direction[k];
	}
	uint32_t i = verify_heap_pop(v, &best->received, received_before);
	if (!verify_has_offset(v, v->received[i].from, v->received[i].to) ||
	    !claim_any(v, &v->received[i]))
		v->evicted_received++;
	received_free(v, i);
}

/* Nobody knows the offset yet: one packet that is surely the same on both sides tells. */
static void first_match(struct verify *v, const struct sent *s, const struct received *r)
{
	bool same = s->key == r->key && s->from == r->from && s->to == r->to &&
		    s->kind == r->kind && s->size == r->size && s->body == r->body &&
		    s->body_len == r->body_len && (s->flags & SENT_STRONG) &&
		    !(s->flags & SENT_RETRANSMISSION) && s->wire_ns && r->first_ns;

	if (same && (r->kind == RESULT_KIND_STREAM ? s->sig == r->sig && ids_fit(s, r, 0)
						   : s->head == r->head))
		clock_sample(v, s, r);
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
	return p->kind == RESULT_KIND_STREAM || p->has_ip_id || p->body_len >= 8;
}

static bool prepare(struct verify *v, struct direction *d)
{
	(void)v;
	if (!d->delay)
		d->delay = calloc(DELAYS_KEPT, sizeof(*d->delay));
	if (!d->order)
		d->order = calloc(FLOWS, sizeof(*d->order));
	if (!d->sport)
		d->sport = calloc(1, SPORTS / 8);
	if (!d->sport_flows)
		d->sport_flows = calloc(SPORTS / 64, sizeof(*d->sport_flows));
	return d->delay && d->order && d->sport && d->sport_flows;
}

static void note_outer(struct direction *d, const struct sent *s)
{
	if (!(s->flags & SENT_ENCAP))
		return;
	d->encapsulated++;
	d->outer_df += (s->flags & SENT_OUTER_DF) != 0;
	d->outer_fragmented += (s->flags & SENT_OUTER_FRAGMENTED) != 0;
	d->unsummed += (s->flags & SENT_OUTER_UNSUMMED) && !addr_is_v4(&s->outer_dst);
	if (!(d->sport[s->outer_sport / 8] & 1u << s->outer_sport % 8)) {
		d->sport[s->outer_sport / 8] |= (uint8_t)(1u << s->outer_sport % 8);
		d->n_sports++;
	}
	uint32_t f = (uint32_t)(s->tuple_hash >> 20) % SPORTS;
	if (!(d->sport_flows[f / 64] & UINT64_C(1) << f % 64)) {
		d->sport_flows[f / 64] |= UINT64_C(1) << f % 64;
		d->n_flows++;
	}
}

static void take_sent(struct verify *v, unsigned from, unsigned to, const struct result_packet *p,
		      const struct result_tuple *wire)
{
	struct direction *d = direction_of(v, from, to);
	const struct result_sighting *last = &p->sightings[p->n_sightings - 1];
	uint32_t size = p->size ? p->size : 1, i;

	if (!prepare(v, d))
		return;
	if (v->sent_free == NONE && v->sent_top == v->n_packets)
		evict_sent(v);
	if (v->sent_free != NONE) {
		i = v->sent_free;
		v->sent_free = v->sent[i].next;
	} else {
		i = v->sent_top++;
	}
	v->n_sent++;

	struct sent *s = &v->sent[i];
	uint64_t fragments = key_fragments(wire, p->has_ip_id, p->ip_id, size);
	*s = (struct sent){
		.time_ns = p->time_ns,
		.wire_ns = last->first_ns,
		.tuple_hash = verify_tuple_hash(wire),
		.head = p->fingerprint,
		.body = p->body,
		.id = p->id,
		.frame = p->frame_number,
		.prev = NONE,
		.link = NONE,
		.pieces = NONE,
		.start = p->kind == RESULT_KIND_STREAM ? p->tcp_seq : 0,
		.size = size,
		.sig = p->sig,
		.ip_id = p->ip_id,
		.segment = p->segment,
		.body_len = p->body_len,
		.length = p->length,
		.tuple = p->tuple,
		.flags = SENT_USED,
		.hop = p->sightings[0].hop,
		.outer_sport = p->outer_sport,
		.kind = (uint8_t)p->kind,
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.ttl = p->ttl,
		.last_role = p->sightings[0].role,
		.wire_role = last->role,
		.vni = p->vni,
		.outer_dst = p->outer_dst,
	};
	s->key = key_of(s->tuple_hash, p, fragments);
	s->flags |= addr_is_v4(&wire->src) ? SENT_V4 : 0;
	s->flags |= is_strong(p) ? SENT_STRONG : 0;
	s->flags |= p->has_ip_id ? SENT_HAS_ID : 0;
	s->flags |= p->encapsulated ? SENT_ENCAP : 0;
	s->flags |= p->outer_df ? SENT_OUTER_DF : 0;
	s->flags |= p->outer_fragmented ? SENT_OUTER_FRAGMENTED : 0;
	s->flags |= p->outer_unsummed ? SENT_OUTER_UNSUMMED : 0;
	s->flags |= p->retransmission ? SENT_RETRANSMISSION : 0;
	for (unsigned k = 0; k < p->n_sightings; k++)
		if ((p->sightings[k].whole || p->sightings[k].covered >= p->size) &&
		    p->sightings[k].role > s->last_role)
			s->last_role = p->sightings[k].role;

	s->next = v->sent_bucket[s->key & v->mask];
	if (s->next != NONE)
		v->sent[s->next].prev = i;
	v->sent_bucket[s->key & v->mask] = i;
	if (s->kind == RESULT_KIND_STREAM) {
		uint32_t block = s->start >> BLOCK_SHIFT, n = 0;
		uint32_t end = (s->start + size - 1) >> BLOCK_SHIFT;

		for (;; block = (block + 1) & (UINT32_MAX >> BLOCK_SHIFT)) {
			link_add(v, i, hash_mix(s->tuple_hash, block, KEY_BLOCK));
			if (block == end || ++n == BLOCKS_MAX)
				break;
		}
	} else if (s->kind == RESULT_KIND_FRAGMENTS || size > MAY_FRAGMENT) {
		link_add(v, i, fragments);
	}
	note_outer(d, s);
	if (!verify_heap_push(v, &d->sent, i, sent_before)) {
		d->d.unknown++;
		sent_free(v, i);
		return;
	}

	unsigned n = 0;
	uint32_t next;
	bool unknown = !verify_has_offset(v, from, to);
	bool late = !unknown && d->done_ns != INT64_MIN &&
		    verify_convert(v, from, to, s->time_ns) < d->done_ns;
	for (uint32_t k = v->received_bucket[s->key & v->mask];
	     (unknown || late) && k != NONE && n < CHAIN_MAX; k = next, n++) {
		struct received *r = &v->received[k];

		next = r->next;
		if (r->key != s->key)
			continue;
		if (unknown) {
			first_match(v, s, r);
			unknown = !verify_has_offset(v, from, to);
		} else if (r->unclaimed && claim_any(v, r)) {
			received_unclaim_end(v, r);
		}
	}
	if (late && s->got < s->size)
		s->flags |= SENT_LATE;
}

static void take_received(struct verify *v, unsigned from, unsigned to,
			  const struct result_packet *p, const struct result_tuple *wire)
{
	struct direction *d = direction_of(v, from, to);
	const struct node *node = &v->node[to];
	const struct result_sighting *last = &p->sightings[p->n_sightings - 1];
	uint32_t size = p->size ? p->size : 1, i;

	if (!prepare(v, d))
		return;
	if (v->received_free == NONE && v->received_top == v->n_packets)
		evict_received(v);
	if (v->received_free != NONE) {
		i = v->received_free;
		v->received_free = v->received[i].next;
	} else if (v->received_top < v->n_packets) {
		i = v->received_top++;
	} else {
		return;
	}
	v->n_received++;

	struct received *r = &v->received[i];
	uint64_t fragments = key_fragments(wire, p->has_ip_id, p->ip_id, size);
	*r = (struct received){
		.time_ns = last->first_ns,
		.first_ns = p->sightings[0].first_ns,
		.tuple_hash = verify_tuple_hash(wire),
		.head = p->fingerprint,
		.body = p->body,
		.id = p->id,
		.prev = NONE,
		.pieces = NONE,
		.same_next = NONE,
		.same_prev = NONE,
		.older = NONE,
		.start = p->kind == RESULT_KIND_STREAM ? p->tcp_seq : 0,
		.size = size,
		.sig = p->sig,
		.ip_id = p->ip_id,
		.body_len = p->body_len,
		.vni = p->vni,
		.outer_dst = p->outer_dst,
		.kind = (uint8_t)p->kind,
		.from = (uint8_t)from,
		.to = (uint8_t)to,
		.ttl = p->ttl,
		.wire_role = p->sightings[0].role,
		.last_role = last->role,
		.v4 = addr_is_v4(&wire->src),
		.has_id = p->has_ip_id,
		.queued = true,
		.outer_fragmented = p->outer_fragmented,
		.doubt = p->status == RESULT_INCOMPLETE && !p->lost,
	};
	r->key = key_of(r->tuple_hash, p, fragments);
	r->fragments = fragments;
	for (unsigned k = 0; k < p->n_sightings; k++) {
		const struct result_sighting *s = &p->sightings[k];

		if (s->whole || s->covered >= p->size)
			r->whole |= (uint16_t)ROLE_BIT(s->role);
		r->covered[s->role] = s->covered;
		if (s->role != node->last)
			continue;
		r->time_ns = s->first_ns;
		for (unsigned n = 0; n < p->n_parts && !(r->whole & ROLE_BIT(s->role)); n++)
			if (p->parts[n].at == k &&
			    !piece_push(v, &r->pieces, p->parts[n].start, p->parts[n].end))
				r->doubt = true;
	}
	r->next = v->received_bucket[r->key & v->mask];
	if (r->next != NONE)
		v->received[r->next].prev = i;
	v->received_bucket[r->key & v->mask] = i;
	if (!verify_heap_push(v, &d->received, i, received_before)) {
		received_free(v, i);
		return;
	}
	unsigned n = 0;
	for (uint32_t k = v->sent_bucket[r->key & v->mask];
	     k != NONE && n < CHAIN_MAX && !verify_has_offset(v, from, to);
	     k = v->sent[k].next, n++)
		first_match(v, &v->sent[k], r);
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

static bool has_addr(const struct model_net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		for (unsigned k = 0; k < net->pods[i].n_addrs; k++)
			if (addr_eq(&net->pods[i].addrs[k], a))
				return true;
	return false;
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

	/* Times beyond a century are a damaged file's; sums of them would overflow. */
	if (!p->n_sightings || addr_is_multicast(&wire->dst) || p->time_ns < 0 ||
	    p->time_ns > TIME_MAX_NS)
		return;
	switch (course_of(&v->node[node], p)) {
	case COURSE_LEAVES:
		if (has_addr(net, &wire->dst))
			return;
		other = other_node(v, node, &wire->dst);
		if (other >= 0)
			take_sent(v, node, (unsigned)other, p, wire);
		else if (v->cfg.n_nodes == 2)
			direction_of(v, node, 1 - node)->d.out_of_scope++;
		break;
	case COURSE_ARRIVES:
		if (has_addr(net, &wire->src))
			return;
		other = other_node(v, node, &wire->src);
		if (other >= 0)
			take_received(v, (unsigned)other, node, p, wire);
		break;
	case COURSE_NONE:
		break;
	}
}

/* ------------------------------------------------------------------- pumping */

static int64_t plus(int64_t t, int64_t ns)
{
	return t > INT64_MAX - ns ? INT64_MAX : t + ns;
}

static void pump_direction(struct verify *v, unsigned from, unsigned to)
{
	struct direction *d = direction_of(v, from, to);
	const struct pair *p = verify_pair_of(v, from, to);
	int64_t slack = SLACK_NS + (p->line.uncertainty_ns > 0 ? p->line.uncertainty_ns : 0);
	int64_t frontier = v->node[to].frontier_ns;

	if (!verify_has_offset(v, from, to))
		return;
	while (d->received.n) {
		uint32_t i = d->received.at[0];
		int64_t t = v->received[i].time_ns;

		if (v->node[from].frontier_ns != INT64_MAX &&
		    v->node[from].frontier_ns < plus(verify_convert(v, to, from, t), slack)) {
			if (t < frontier)
				frontier = t;
			break;
		}
		verify_heap_pop(v, &d->received, received_before);
		process(v, i);
	}
	d->done_ns = frontier;
	while (d->sent.n) {
		uint32_t i = d->sent.at[0];
		int64_t t = verify_convert(v, from, to, v->sent[i].time_ns);

		if (d->done_ns != INT64_MAX && d->done_ns < plus(t, v->cfg.window_ns + slack))
			break;
		verify_heap_pop(v, &d->sent, sent_before);
		judge(v, i, false);
	}
	while (d->unclaimed_first != NONE && d->done_ns != INT64_MAX &&
	       d->done_ns > plus(v->received[d->unclaimed_first].time_ns, 2 * v->cfg.window_ns))
		drop_unclaimed(v, d);
}

void verify_deliver_pump(struct verify *v)
{
	for (unsigned a = 0; a < v->cfg.n_nodes; a++)
		for (unsigned b = 0; b < v->cfg.n_nodes; b++)
			if (a != b)
				pump_direction(v, a, b);
}

void verify_deliver_finish(struct verify *v)
{
	for (unsigned k = 0; k < v->cfg.n_nodes; k++)
		v->node[k].frontier_ns = INT64_MAX;
	verify_deliver_pump(v);
	/* What never found its counterpart's clock. */
	for (unsigned k = 0; k < v->cfg.n_nodes * v->cfg.n_nodes; k++)
		while (v->direction[k].sent.n)
			judge(v, verify_heap_pop(v, &v->direction[k].sent, sent_before), false);
}
