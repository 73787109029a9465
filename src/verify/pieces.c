/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pieces.c - which bytes of a packet were seen, as a list of ranges.
 */
#include "verify_priv.h"

#include "deliver.h"

void verify_pieces_free(struct verify *v, uint32_t *list)
{
	while (*list != NONE) {
		uint32_t i = *list;

		*list = v->piece[i].next;
		v->piece[i].next = v->piece_free;
		v->piece_free = i;
	}
}

bool verify_piece_push(struct verify *v, uint32_t *list, uint32_t start, uint32_t end)
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

bool verify_pieces_overlap(const struct verify *v, uint32_t list, uint32_t start, uint32_t end)
{
	for (; list != NONE; list = v->piece[list].next)
		if (start < v->piece[list].end && v->piece[list].start < end)
			return true;
	return false;
}

/* Adds [start, end) as far as it is new. Returns how many bytes were; *ret_full: no room. */
uint32_t verify_pieces_add(struct verify *v, uint32_t *list, uint32_t start, uint32_t end,
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
		else if (!verify_piece_push(v, list, start, stop))
			*ret_full = true;
		start = stop;
	}
	return fresh;
}
