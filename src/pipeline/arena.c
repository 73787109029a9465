/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.c - the memory of frames that wait, a ring of fixed size.
 */
#include "pipeline_priv.h"

#include <errno.h>
#include <stdlib.h>

#define ARENA_MIN 65536u	/* bytes */

static uint32_t units_of(uint32_t size)
{
	return (uint32_t)((sizeof(struct slot) + (size_t)size + ARENA_UNIT - 1) / ARENA_UNIT);
}

int arena_init(struct arena *a, size_t bytes)
{
	if (bytes < ARENA_MIN)
		bytes = ARENA_MIN;
	if (bytes / ARENA_UNIT > UINT32_MAX / 2)
		return -ENOMEM;
	a->units = (uint32_t)(bytes / ARENA_UNIT);
	/* Pages that were never used are never resident. */
	a->memory = malloc((size_t)a->units * ARENA_UNIT);
	return a->memory ? 0 : -ENOMEM;
}

void arena_done(struct arena *a)
{
	free(a->memory);
	a->memory = NULL;
}

bool arena_alloc(struct arena *a, uint32_t size, uint32_t *ret_slot)
{
	uint32_t n = units_of(size);
	struct slot *s;

	/* From the start again whenever it is empty: a quiet capture stays in few pages. */
	if (!a->used)
		a->head = a->tail = 0;
	if (a->head >= a->tail && (!a->used || a->head > a->tail) && n > a->units - a->head) {
		/* The rest at the end is too short: it is passed over as a slot that is gone. */
		uint32_t rest = a->units - a->head;

		if (n >= a->tail)
			return false;
		if (rest) {
			s = arena_slot(a, a->head);
			s->units = rest;
			s->gone = true;
			a->used += rest;
		}
		a->head = 0;
	}
	if (n > a->units - a->used || (a->used && a->head <= a->tail && n > a->tail - a->head))
		return false;
	*ret_slot = a->head;
	s = arena_slot(a, a->head);
	s->units = n;
	s->gone = false;
	a->head += n;
	a->used += n;
	if (a->head == a->units)
		a->head = 0;
	return true;
}

void arena_free(struct arena *a, uint32_t slot)
{
	arena_slot(a, slot)->gone = true;
	while (a->used) {
		const struct slot *s = arena_slot(a, a->tail);

		if (!s->gone)
			return;
		a->used -= s->units;
		a->tail += s->units;
		if (a->tail == a->units)
			a->tail = 0;
	}
}

int arena_grow(struct arena *a, uint32_t size)
{
	uint32_t n = units_of(size);
	uint8_t *memory = realloc(a->memory, (size_t)n * ARENA_UNIT);

	if (!memory)
		return -ENOMEM;
	a->memory = memory;
	a->units = n;
	a->head = a->tail = a->used = 0;
	return 0;
}
