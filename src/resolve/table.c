/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * table.c - a map from strings, for the joins of the store.
 */
#include "resolve_priv.h"

#include <stdlib.h>
#include <string.h>

#define TABLE_FIRST 64 /* slots of a new index; a power of two */

/* FNV-1a: the keys are ids and uids of this node, not chosen by strangers. */
static uint32_t table_hash(const char *s)
{
	uint32_t h = 2166136261u;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 16777619u;
	return h;
}

static struct resolve_index_slot *table_slot(struct resolve_index_slot *slots, uint32_t size,
					     const char *key)
{
	uint32_t i = table_hash(key) & (size - 1);

	/* at most half full, so an empty slot ends every search */
	while (slots[i].key && strcmp(slots[i].key, key) != 0)
		i = (i + 1) & (size - 1);
	return &slots[i];
}

bool resolve_index_add(struct resolve_index *ix, const char *key, uint32_t value)
{
	struct resolve_index_slot *slot;

	if (ix->n >= ix->size / 2) {
		uint32_t size = ix->size ? ix->size * 2 : TABLE_FIRST;
		struct resolve_index_slot *slots = calloc(size, sizeof(*slots));

		if (!slots)
			return false;
		for (uint32_t i = 0; i < ix->size; i++) {
			if (ix->slots[i].key)
				*table_slot(slots, size, ix->slots[i].key) = ix->slots[i];
		}
		free(ix->slots);
		ix->slots = slots;
		ix->size = size;
	}
	slot = table_slot(ix->slots, ix->size, key);
	if (!slot->key) {
		slot->key = key;
		slot->value = value;
		ix->n++;
	}
	return true;
}

bool resolve_index_find(const struct resolve_index *ix, const char *key, uint32_t *ret_value)
{
	const struct resolve_index_slot *slot;

	if (!ix->size)
		return false;
	slot = table_slot(ix->slots, ix->size, key);
	if (!slot->key)
		return false;
	*ret_value = slot->value;
	return true;
}

void resolve_index_done(struct resolve_index *ix)
{
	free(ix->slots);
	*ix = (struct resolve_index){ .slots = NULL };
}
