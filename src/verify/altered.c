/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * altered.c - packets that arrived, but not as they were sent.
 *
 * Theory of operation
 *
 * A sent packet of which nothing arrived is looked for among the received ones that nobody is known
 * to have sent. It is one of them when what is left tells so:
 *
 *   what was altered                          what tells
 *   payload, transport header, IP id          same addresses and ports, and the same headers, the
 *                                             same IP id, or the same payload
 *   its length                                same addresses and ports, and the same IP id
 *   bytes of a stream, or headers of those    same addresses and ports, and place in the stream
 *   a sequence number                         same addresses and ports, IP id and payload
 *   ports, the source address                 same headers but for these, IP id and payload; and
 *                                             both captures saw it on the wire, behind any
 *                                             translation of its node's own
 *
 * No hop may change any of these; MAC addresses, VLAN tag, TTL, DSCP and ECN, the IPv4 header
 * checksum, and a checksum that offload left to the NIC are not looked at here.
 */
#include "verify_priv.h"

#include "deliver.h"

#define BODY_MIN 8u /* bytes of payload that are no coincidence */

static bool in_time(const struct verify *v, const struct sent *s, const struct received *r)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);

	return r->time_ns - there <= v->cfg.window_ns && there - r->time_ns <= SLACK_NS * 10;
}

static bool has_same_id(const struct sent *s, const struct received *r)
{
	return s->flags & SENT_HAS_ID && r->has_id && r->ip_id == s->ip_id;
}

static bool has_same_body(const struct sent *s, const struct received *r)
{
	return s->body_len && s->body_len == r->body_len && s->body == r->body;
}

/* ret_lo: where r's bytes belong in s, which takes size of them. */
static bool is_stream_of(const struct verify *v, const struct sent *s, const struct received *r,
			 uint32_t *ret_lo, uint32_t *ret_size)
{
	*ret_size = r->size;
	*ret_lo = r->start - s->start;
	if (r->size > s->size)
		return false;
	if (*ret_lo > s->size - r->size) {
		*ret_lo = 0;
		return !s->taken && r->size == s->size && has_same_id(s, r) && has_same_body(s, r);
	}
	return verify_is_free(v, s, *ret_lo, r->size);
}

static bool is_datagram_of(const struct verify *v, const struct sent *s, const struct received *r)
{
	/* What is equal came at another time, so it is another one. */
	if (s->taken || verify_is_same(s, r))
		return false;
	/* Fragments may be fewer. */
	if (has_same_id(s, r) && (r->size == s->size || r->kind == RESULT_KIND_WHOLE))
		return true;
	if (r->kind != s->kind || r->size != s->size)
		return false;
	if (r->head == s->head &&
	    (s->flags & SENT_HAS_ID || verify_fit_of(v, s, r) == VERIFY_FIT_WELL))
		return true;
	return has_same_body(s, r);
}

static void take(struct verify *v, struct sent *s, struct received *r, uint32_t lo, uint32_t size)
{
	s->flags |= SENT_ALTERED;
	verify_group_spoil(v, (uint32_t)(s - v->sent));
	verify_claim(v, s, r, lo, size, 0);
	verify_unclaim_found(v, r);
}

static void look_in_flow(struct verify *v, struct sent *s)
{
	uint32_t next;
	unsigned n = 0;

	for (uint32_t i = v->same_bucket[s->tuple_hash & v->mask];
	     i != NONE && n < CHAIN_MAX && s->got < s->size; i = next, n++) {
		struct received *r = &v->received[i];
		uint32_t lo = 0, size = s->size;

		next = r->same_next;
		if (r->tuple_hash != s->tuple_hash || r->from != s->from || r->to != s->to ||
		    (r->kind == RESULT_KIND_STREAM) != (s->kind == RESULT_KIND_STREAM) ||
		    !in_time(v, s, r))
			continue;
		if (s->kind == RESULT_KIND_STREAM ? is_stream_of(v, s, r, &lo, &size)
						  : is_datagram_of(v, s, r))
			take(v, s, r, lo, size);
	}
}

static void look_for_twin(struct verify *v, struct sent *s)
{
	unsigned n = 0;

	if (s->taken || s->body_len < BODY_MIN)
		return;
	for (uint32_t i = v->twin_bucket[verify_key_content(s->head, s->body) & v->mask];
	     i != NONE && n < CHAIN_MAX; i = v->received[i].twin_next, n++) {
		struct received *r = &v->received[i];

		if (r->head != s->head || r->from != s->from || r->to != s->to ||
		    r->kind != s->kind || r->size != s->size || !has_same_body(s, r) ||
		    !has_same_id(s, r) || !in_time(v, s, r))
			continue;
		/* A masquerade on the way to the wire would change the address too. */
		if (r->stranger &&
		    (s->wire_role < MODEL_ROLE_VTEP || r->wire_role < MODEL_ROLE_VTEP))
			continue;
		take(v, s, r, 0, s->size);
		return;
	}
}

void verify_find_altered(struct verify *v, struct sent *s)
{
	look_in_flow(v, s);
	if (s->got < s->size)
		look_for_twin(v, s);
}
