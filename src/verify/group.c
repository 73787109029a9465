/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * group.c - are the bytes of a stream the same when they were cut elsewhere?
 *
 * Theory of operation
 *
 * Sums of payload add up over any cut (struct result_sum). Each sent packet begins as a group of
 * its own, with its sum and its bytes as what is left to arrive. A received packet takes its own
 * away; one that lies across several packets joins their groups first:
 *
 *      sent        |-------- S1 --------|-------- S2 --------|-------- S3 --------|
 *      received    |--| |--| |-- R3 --| |--------- R4 -------|--------- R5 -------|
 *
 *      R4 = S2: compared as a whole (claim.c). R3 across S1 and S2 would make one group of both.
 *
 * When nothing is left to arrive, the sums must be used up too. Else bytes were altered, and what
 * is left over says which, when they lie within one word: its change, and its change times
 * its number. Where it does not, one packet of the group is altered and of the others nobody
 * knows.
 *
 * What cannot be compared (not all captured, a part lost, or sent by nobody known) spoils its
 * group: no word is said of its packets' bytes, up to the next place where both sides cut.
 */
#include "verify_priv.h"

#include "deliver.h"

#define GROUP_MAX 4096u /* of packets: with cuts that never meet a group is given up */
#define WORD 4u
#define WORD_NUMBERS ((int64_t)(UINT32_MAX / WORD) + 1) /* of a stream: content.c */

void verify_group_start(struct verify *v, uint32_t i)
{
	struct sent *s = &v->sent[i];

	s->group = s->ring = i;
	s->members = 1;
	s->open = s->size;
}

static void dissolve(struct verify *v, uint32_t group, uint32_t flag)
{
	uint32_t i = group;

	do {
		uint32_t next = v->sent[i].ring;

		verify_group_start(v, i);
		v->sent[i].flags |= flag;
		i = next;
	} while (i != group);
}

void verify_group_spoil(struct verify *v, uint32_t i)
{
	dissolve(v, v->sent[i].group, SENT_UNSUMMED);
}

bool verify_group_join(struct verify *v, uint32_t a, uint32_t b)
{
	uint32_t large = v->sent[a].group, small = v->sent[b].group, k;

	if (large == small)
		return true;
	if (v->sent[large].members < v->sent[small].members) {
		k = large;
		large = small;
		small = k;
	}
	struct sent *to = &v->sent[large], *from = &v->sent[small];

	if (to->members + from->members > GROUP_MAX)
		return false;
	to->members += from->members;
	from->members = 0;
	to->open += from->open;
	to->left.words += from->left.words;
	to->left.placed += from->left.placed;
	to->flags |= from->flags & SENT_UNSUMMED;
	k = small;
	do {
		v->sent[k].group = large;
		k = v->sent[k].ring;
	} while (k != small);
	/* Two circles, opened and tied together. */
	k = to->ring;
	to->ring = from->ring;
	from->ring = k;
	return true;
}

/* The byte of the stream that a change of one word begins with. False: it was no such change. */
static bool find_byte(const struct result_sum *left, uint32_t *ret_seq)
{
	const int64_t change = (int64_t)left->words, placed = (int64_t)left->placed;
	uint32_t byte = 0;

	if (!change || change > UINT32_MAX || change < -(int64_t)UINT32_MAX || placed % change)
		return false;
	if (placed / change < 0 || placed / change >= WORD_NUMBERS)
		return false;
	while (!((uint64_t)change >> 8 * byte & 0xff))
		byte++;
	*ret_seq = (uint32_t)(placed / change) * WORD + byte;
	return true;
}

/* All of it has come, and its sums are not used up. */
static void tell_altered(struct verify *v, uint32_t group)
{
	uint32_t altered = NONE, seq, i = group;
	bool located = find_byte(&v->sent[group].left, &seq);

	do {
		if (located && seq - v->sent[i].start < v->sent[i].size)
			altered = i;
		i = v->sent[i].ring;
	} while (i != group);
	if (altered == NONE) {
		altered = group;
		do {
			v->sent[i].flags |= SENT_UNSURE;
			i = v->sent[i].ring;
		} while (i != group);
		v->sent[altered].flags &= ~(uint32_t)SENT_UNSURE;
	}
	v->sent[altered].flags |= SENT_ALTERED;
}

void verify_group_take(struct verify *v, uint32_t i, const struct received *r)
{
	uint32_t group = v->sent[i].group;
	struct sent *s = &v->sent[group];

	if (s->flags & SENT_UNSUMMED || r->sum.cut || r->size > s->open) {
		verify_group_spoil(v, i);
		return;
	}
	s->open -= r->size;
	s->left.words -= r->sum.words;
	s->left.placed -= r->sum.placed;
	if (s->open)
		return;
	if (s->left.words || s->left.placed)
		tell_altered(v, group);
	/* Whatever shows its bytes from here on is a copy. */
	dissolve(v, group, SENT_UNSUMMED);
}

void verify_group_leave(struct verify *v, uint32_t i)
{
	if (v->sent[i].ring != i)
		verify_group_spoil(v, i);
}
