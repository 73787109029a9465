/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tables.c - sent and received packets, found by key, freed, ordered.
 */
#include "verify_priv.h"

#include "deliver.h"

bool verify_sent_before(const struct verify *v, uint32_t a, uint32_t b)
{
	const struct sent *x = &v->sent[a], *y = &v->sent[b];

	return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->id < y->id;
}

bool verify_received_before(const struct verify *v, uint32_t a, uint32_t b)
{
	const struct received *x = &v->received[a], *y = &v->received[b];

	return x->time_ns != y->time_ns ? x->time_ns < y->time_ns : x->id < y->id;
}

struct direction *verify_direction_of(struct verify *v, unsigned from, unsigned to)
{
	return &v->direction[from * v->cfg.n_nodes + to];
}

void verify_link_add(struct verify *v, uint32_t i, uint64_t key)
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

uint32_t verify_sent_new(struct verify *v)
{
	uint32_t i = v->sent_free;

	if (i != NONE)
		v->sent_free = v->sent[i].next;
	else if (v->sent_top < v->n_packets)
		i = v->sent_top++;
	else
		return NONE;
	v->n_sent++;
	return i;
}

void verify_sent_release(struct verify *v, uint32_t i)
{
	v->sent[i].flags = 0;
	v->sent[i].next = v->sent_free;
	v->sent_free = i;
	v->n_sent--;
}

void verify_sent_index(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];
	uint32_t *bucket = &v->sent_bucket[s->key & v->mask];

	s->prev = NONE;
	s->next = *bucket;
	if (*bucket != NONE)
		v->sent[*bucket].prev = i;
	*bucket = i;
}

void verify_sent_unindex(struct verify *v, uint32_t i)
{
	const struct sent *s = &v->sent[i];

	if (s->prev != NONE)
		v->sent[s->prev].next = s->next;
	else
		v->sent_bucket[s->key & v->mask] = s->next;
	if (s->next != NONE)
		v->sent[s->next].prev = s->prev;
}

void verify_sent_free(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	verify_sent_unindex(v, i);
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
	verify_pieces_free(v, &s->pieces);
	verify_group_leave(v, i);
	verify_sent_release(v, i);
}

void verify_unclaim(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];
	uint32_t *same = &v->same_bucket[r->tuple_hash & v->mask];
	uint32_t *twin = &v->twin_bucket[verify_key_content(r->head, r->body) & v->mask];

	r->unclaimed = true;
	r->same_prev = r->twin_prev = NONE;
	r->same_next = *same;
	if (*same != NONE)
		v->received[*same].same_prev = i;
	*same = i;
	r->twin_next = *twin;
	if (*twin != NONE)
		v->received[*twin].twin_prev = i;
	*twin = i;
}

static void unclaim_end(struct verify *v, struct received *r)
{
	if (!r->unclaimed)
		return;
	if (r->same_prev != NONE)
		v->received[r->same_prev].same_next = r->same_next;
	else
		v->same_bucket[r->tuple_hash & v->mask] = r->same_next;
	if (r->same_next != NONE)
		v->received[r->same_next].same_prev = r->same_prev;
	if (r->twin_prev != NONE)
		v->received[r->twin_prev].twin_next = r->twin_next;
	else
		v->twin_bucket[verify_key_content(r->head, r->body) & v->mask] = r->twin_next;
	if (r->twin_next != NONE)
		v->received[r->twin_next].twin_prev = r->twin_prev;
	r->unclaimed = false;
}

void verify_unclaim_found(struct verify *v, struct received *r)
{
	unclaim_end(v, r);
	verify_step_claimed(v, r);
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

void verify_received_free(struct verify *v, uint32_t i)
{
	struct received *r = &v->received[i];

	unclaim_end(v, r);
	received_unindex(v, r);
	verify_pieces_free(v, &r->pieces);
	r->next = v->received_free;
	v->received_free = i;
	v->n_received--;
}
