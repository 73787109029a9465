/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * claim.c - which sent packet a received one is, or which parts of which.
 *
 * Theory of operation. In this order: the same packet as a whole; the bytes of a stream,
 * wherever super-frames were cut and merged; a datagram that was in fragments on one side.
 * Of equal candidates the time decides (alike.c). What fits none stays unclaimed (deliver.c).
 * Whatever is claimed gives samples of clock, delay and order, and has its outer headers
 * compared.
 */
#include "verify_priv.h"

#include "deliver.h"

#include "podhop/hash.h"

/* ------------------------------------------------------------- clock samples */

void verify_clock_sample(struct verify *v, const struct sent *s, const struct received *r)
{
	struct pair *p = verify_pair_of(v, s->from, s->to);

	if (v->cfg.has_offset)
		return;
	if (p->weak && s->flags & SENT_STRONG) {
		/* What has an id tells it better, and what else was taken may have been wrong. */
		verify_clock_clear(p->clock);
		p->samples = p->next_estimate = 0;
		p->forward = p->backward = false;
	}
	p->weak = (!p->samples || p->weak) && !(s->flags & SENT_STRONG);
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

		verify_estimate(v, s->from, s->to, r->first_ns);
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

static void watch_order(struct direction *d, const struct sent *s, const struct received *r)
{
	if (!d->order)
		return;
	struct flow_order *o = &d->order[s->tuple_hash % FLOWS];

	if (o->tuple_hash != s->tuple_hash)
		*o = (struct flow_order){ s->tuple_hash, INT64_MIN, INT64_MIN };
	if (s->time_ns >= o->newest_ns) {
		o->newest_ns = s->time_ns;
		o->came_ns = r->time_ns;
	} else if (r->time_ns >= o->came_ns) {
		/* One that is found late (verify_find_unclaimed()) may have come in time. */
		d->d.reordered++;
	}
}

/* Both captures ran. */
static void prove(struct verify *v, const struct sent *s, const struct received *r)
{
	verify_prove(v, s->from, s->hop, s->time_ns);
	verify_prove(v, s->to, r->hop, r->time_ns);
}

/* ------------------------------------------------------------------ claiming */

/*
 * Received bytes [from, from + len) are the sent packet's [lo, lo + len). Notes at which
 * hops they were seen. Returns the bytes that are new at the receiver's last hop.
 */
uint32_t verify_claim(struct verify *v, struct sent *s, struct received *r, uint32_t lo,
		      uint32_t len, uint32_t from)
{
	struct direction *d = verify_direction_of(v, s->from, s->to);
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
			fresh = verify_pieces_add(v, &s->pieces, lo, lo + len, &full);
		}
	} else {
		for (uint32_t i = r->pieces; i != NONE; i = v->piece[i].next) {
			uint32_t a = v->piece[i].start, b = v->piece[i].end;

			a = a > from ? a - from : 0;
			b = b > from ? b - from : 0;
			if (b > len)
				b = len;
			if (a < b)
				fresh += verify_pieces_add(v, &s->pieces, lo + a, lo + b, &full);
		}
	}
	s->got += fresh;
	s->covered[to->last] = s->got;
	if (r->doubt || full)
		s->flags |= SENT_DOUBT;
	v->matched++;
	if (lo == 0 && !(s->flags & SENT_TIMED)) {
		if (from == 0 && !r->alike && !(s->flags & (SENT_RETRANSMISSION | SENT_ALTERED)) &&
		    s->wire_ns && r->first_ns)
			verify_clock_sample(v, s, r);
		verify_outer_compare(d, s, r);
		if (fresh && !r->unsure) {
			s->flags |= SENT_TIMED;
			delay_sample(v, d, s, r->time_ns - s->time_ns);
			/* What was altered is known late: not by when it came. */
			if (!(s->flags & SENT_ALTERED)) {
				verify_step_fits(v, s, r);
				verify_usual_note(v, s, r);
				watch_order(d, s, r);
			}
		}
	}
	if (s->got >= s->size && before < s->size) {
		prove(v, s, r);
		verify_pieces_free(v, &s->pieces);
	}
	return fresh;
}

static bool bodies_differ(const struct sent *s, const struct received *r)
{
	return s->body_len && s->body_len == r->body_len && s->body != r->body;
}

/* Of what both saw as a whole, cut in the same way or not. */
static bool sums_differ(const struct sent *s, const struct received *r)
{
	return !(s->flags & SENT_UNSUMMED) && !r->sum.cut && s->members == 1 &&
	       s->open == s->size &&
	       (s->left.words != r->sum.words || s->left.placed != r->sum.placed ||
		s->left.bytes != r->sum.bytes);
}

/*
 * Offload leaves a checksum to the NIC: what was partial, or not looked at, may arrive right. What
 * arrives wrong was altered, or its checksum was.
 */
static bool checksum_broke(const struct sent *s, const struct received *r)
{
	if (s->checksum == RESULT_CHECKSUM_UNKNOWN || s->checksum == RESULT_CHECKSUM_WRONG)
		return false;
	return r->checksum == RESULT_CHECKSUM_WRONG ||
	       (r->checksum == RESULT_CHECKSUM_NONE && s->checksum != RESULT_CHECKSUM_NONE);
}

/* The same bytes under the same id at another place: its sequence number was altered. */
static bool was_moved(const struct sent *s, const struct received *r)
{
	return s->start != r->start && s->size == r->size && s->body_len == s->size &&
	       s->body_len == r->body_len && s->body == r->body && s->flags & SENT_HAS_ID &&
	       r->has_id && s->ip_id == r->ip_id;
}

/* TCP window and urgent pointer, DF, checksum; and flags that only the last segment has. */
static bool headers_differ(const struct sent *s, const struct received *r)
{
	if (s->flags & SENT_TOLD && r->told && (s->fixed != r->fixed || checksum_broke(s, r)))
		return true;
	return r->kind == RESULT_KIND_STREAM && s->start == r->start && s->size == r->size &&
	       s->l4_flags != r->l4_flags;
}

bool verify_is_altered(const struct sent *s, const struct received *r)
{
	return bodies_differ(s, r) || sums_differ(s, r) || headers_differ(s, r);
}

/* Are these bytes of s still to come? */
bool verify_is_free(const struct verify *v, const struct sent *s, uint32_t lo, uint32_t len)
{
	if (s->got >= s->size || len > s->size || s->taken > s->size - len)
		return false;
	return !verify_pieces_overlap(v, s->pieces, lo, lo + len);
}

/*
 * IP ids of segments count up from the super-frame's. offset: of the received bytes in
 * the sent packet, negative when they begin before it (merged with what came before).
 */
bool verify_ids_fit(const struct sent *s, const struct received *r, int32_t offset)
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
	verify_direction_of(v, s->from, s->to)->d.duplicated++;
}

static bool claim_exact(struct verify *v, struct received *r)
{
	struct verify_choice c = verify_choose(v, r);

	if (c.best != NONE)
		verify_claim(v, &v->sent[c.best], r, 0, r->size, 0);
	else if (c.copy != NONE)
		note_copy(v, &v->sent[c.copy], r);
	return c.best != NONE || c.copy != NONE;
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

		if (v->link[k].key != key || s->time_ns > v->sent_until_ns ||
		    s->tuple_hash != r->tuple_hash || s->sig != r->sig || s->from != r->from ||
		    s->to != r->to || s->kind != RESULT_KIND_STREAM)
			continue;
		if (!verify_ids_fit(s, r, (int32_t)(r->start - s->start)))
			continue;
		if ((s->start == r->start && bodies_differ(s, r)) || headers_differ(s, r) ||
		    was_moved(s, r))
			continue;
		if (ahead && ahead < left && ahead < *ret_next)
			*ret_next = ahead;
		if (offset >= s->size)
			continue;
		uint32_t len = s->size - offset < left ? s->size - offset : left;
		if (!verify_is_free(v, s, offset, len)) {
			*ret_copy = i;
			continue;
		}
		/* Sent again without an id that would tell (IPv6): the time does. */
		if (best == NONE || verify_fits_better(v, r, i, best))
			best = i;
	}
	return best;
}

static bool claim_stream(struct verify *v, struct received *r)
{
	bool any = false;
	uint32_t first = NONE, taken = 0;
	bool joined = true;

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
		verify_claim(v, s, r, offset, len, pos);
		if (first == NONE)
			first = i;
		else
			joined &= verify_group_join(v, first, i);
		if (!joined)
			verify_group_spoil(v, i);
		taken += len;
		any = true;
		pos += len;
	}
	if (first != NONE && joined && taken == r->size)
		verify_group_take(v, first, r);
	else if (first != NONE)
		verify_group_spoil(v, first);
	return any;
}

uint64_t verify_key_fragments(const struct verify *v, const struct result_tuple *t, bool has_id,
			      uint32_t ip_id, uint32_t size)
{
	struct result_tuple addresses = { .src = t->src, .dst = t->dst, .protocol = t->protocol };

	return hash_mix(verify_tuple_hash(v, &addresses), has_id ? ip_id : (uint64_t)size << 32,
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
		if (v->link[k].key != r->fragments || s->time_ns > v->sent_until_ns ||
		    s->from != r->from || s->to != r->to || s->taken || r->size > s->size ||
		    (r->size == s->size && sums_differ(s, r)))
			continue;
		if (best == NONE || verify_sent_before(v, i, best))
			best = i;
	}
	if (best == NONE)
		return false;
	r->alike = !r->has_id;
	verify_claim(v, &v->sent[best], r, 0, r->size, 0);
	return true;
}

bool verify_claim_any(struct verify *v, struct received *r)
{
	if (r->kind == RESULT_KIND_FRAGMENTS)
		return claim_fragments(v, r);
	if (claim_exact(v, r))
		return true;
	if (r->kind == RESULT_KIND_STREAM)
		return claim_stream(v, r);
	return r->size > MAY_FRAGMENT && claim_fragments(v, r);
}

/* Is r, of the same flow, all or a part of s, by place and size? */
static bool may_be_of(const struct sent *s, const struct received *r)
{
	if (r->kind == RESULT_KIND_STREAM && s->kind == RESULT_KIND_STREAM)
		return r->start - s->start < s->size || s->start - r->start < r->size;
	return r->key == s->key || (r->kind != s->kind && r->size <= s->size && r->has_id &&
				    s->flags & SENT_HAS_ID && r->ip_id == s->ip_id);
}

void verify_find_unclaimed(struct verify *v, const struct sent *s)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t next;
	unsigned n = 0;

	v->sent_until_ns = s->time_ns + v->cfg.window_ns;
	v->received_until_ns = there + v->cfg.window_ns;
	for (uint32_t i = v->same_bucket[s->tuple_hash & v->mask];
	     i != NONE && n < CHAIN_MAX && s->got < s->size; i = next, n++) {
		struct received *r = &v->received[i];

		next = r->same_next;
		if (r->tuple_hash != s->tuple_hash || r->from != s->from || r->to != s->to ||
		    r->time_ns < there - v->cfg.window_ns || r->time_ns > v->received_until_ns ||
		    !may_be_of(s, r))
			continue;
		if (verify_claim_any(v, r))
			verify_unclaim_found(v, r);
	}
}
