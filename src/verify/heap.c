/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * heap.c - table indices in order of time: packets close in another order than they came.
 */
#include "verify_priv.h"

#include <stdlib.h>

#define FIRST_SIZE 1024u

bool verify_heap_push(struct verify *v, struct heap *h, uint32_t i, heap_before before)
{
	if (h->n == h->size) {
		/* Never above the table whose indices it holds, so it stops growing. */
		uint32_t size = h->size ? 2 * h->size : FIRST_SIZE;
		uint32_t *grown = realloc(h->at, size * sizeof(*grown));

		if (!grown) {
			v->no_memory = true;
			return false;
		}
		h->at = grown;
		h->size = size;
	}
	uint32_t k = h->n++;
	while (k) {
		uint32_t up = (k - 1) / 2;
		if (!before(v, i, h->at[up]))
			break;
		h->at[k] = h->at[up];
		k = up;
	}
	h->at[k] = i;
	return true;
}

uint32_t verify_heap_pop(struct verify *v, struct heap *h, heap_before before)
{
	uint32_t top = h->at[0], last = h->at[--h->n], k = 0;

	for (;;) {
		uint32_t down = 2 * k + 1;
		if (down >= h->n)
			break;
		if (down + 1 < h->n && before(v, h->at[down + 1], h->at[down]))
			down++;
		if (!before(v, h->at[down], last))
			break;
		h->at[k] = h->at[down];
		k = down;
	}
	h->at[k] = last;
	return top;
}
