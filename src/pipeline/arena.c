/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.c - the memory of frames that wait: a bounded number of chunks.
 *
 * Frames leave nearly in the order in which they came, so a chunk that was filled is empty
 * again as a whole soon after. The chunk that was emptied last is filled next: no more memory
 * is touched, nor driven out of the cache, than the frames that wait take.
 */
#include "pipeline_priv.h"

#include <errno.h>
#include <stdlib.h>

#define NONE 0xffffffffu
#define CHUNK_BYTES (ARENA_UNIT << ARENA_CHUNK_BITS)

int arena_init(struct arena *a, size_t bytes)
{
	a->n_chunks = (uint32_t)(bytes / CHUNK_BYTES) + 2;
	if (a->n_chunks > UINT32_MAX >> ARENA_CHUNK_BITS)
		return -EINVAL;
	a->chunk = calloc(a->n_chunks, sizeof(*a->chunk));
	a->free = NONE;	/* the first chunk is current, and has no room yet */
	a->top = 1;
	return a->chunk ? 0 : -ENOMEM;
}

void arena_done(struct arena *a)
{
	for (uint32_t i = 0; a->chunk && i < a->top; i++)
		free(a->chunk[i].data);
	free(a->chunk);
	a->chunk = NULL;
	a->top = 0;
}

/* An empty chunk with room for n bytes becomes the current one: 1; 0: all are in use; -ENOMEM. */
static int next_chunk(struct arena *a, uint32_t n)
{
	struct arena_chunk *c;
	uint32_t i;

	if (a->free != NONE)
		i = a->free;
	else if (a->top < a->n_chunks)
		i = a->top;
	else
		return 0;
	c = &a->chunk[i];
	if (c->size < n) {
		/* Of BIG TCP's and other giants; it keeps that size. */
		uint32_t size = n > CHUNK_BYTES ? n : CHUNK_BYTES;
		uint8_t *data = realloc(c->data, size);

		if (!data)
			return -ENOMEM;
		c->data = data;
		c->size = size;
	}
	if (i == a->top)
		a->top++;
	else
		a->free = c->next_free;
	/* The one that was current may have been left empty, having no room for this frame. */
	if (!a->chunk[a->current].live) {
		a->chunk[a->current].next_free = a->free;
		a->free = a->current;
	}
	c->used = c->live = 0;
	a->current = i;
	return 1;
}

int arena_alloc(struct arena *a, uint32_t size, uint32_t *ret_slot)
{
	if (!arena_alloc_here(a, size, ret_slot)) {
		int rc = next_chunk(a, arena_bytes(size));

		if (rc <= 0)
			return rc;
		(void)arena_alloc_here(a, size, ret_slot);
	}
	return 1;
}

void arena_free(struct arena *a, uint32_t slot)
{
	uint32_t i = slot >> ARENA_CHUNK_BITS;
	struct arena_chunk *c = &a->chunk[i];

	if (--c->live)
		return;
	c->used = 0;
	if (i != a->current) {
		c->next_free = a->free;
		a->free = i;
	}
}
