/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_blocks.h - mutates a pcapng file block by block, so that lengths stay right.
 *
 * A byte more or less anywhere makes every length behind it wrong, and what a reader does with
 * a broken length is soon known. Here a block is changed within its body, taken out, put in once
 * more or exchanged with another, and the lengths at both of its ends are set anew. One time in
 * four, and what is no pcapng, goes to the engine's own mutator.
 */
#ifndef TEST_FUZZ_BLOCKS_H
#define TEST_FUZZ_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCKS_MAX 128u
#define BLOCK_HEAD 8u
#define BLOCK_TAIL 4u

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

struct blocks {
	size_t at[BLOCKS_MAX + 1]; /* where each begins; the last one's end */
	unsigned n;
	bool swapped;
};

static inline uint32_t blocks_get(const struct blocks *b, const uint8_t *p)
{
	return b->swapped
		       ? (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]
		       : (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static inline void blocks_set(const struct blocks *b, uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * (b->swapped ? 3 - i : i));
}

static inline void blocks_find(struct blocks *b, const uint8_t *data, size_t size)
{
	size_t at = 0;

	b->n = 0;
	b->at[0] = 0;
	if (size < 12 || memcmp(data, "\x0a\x0d\x0d\x0a", 4) != 0)
		return;
	b->swapped = data[8] == 0x1a;
	while (b->n < BLOCKS_MAX && size - at >= BLOCK_HEAD + BLOCK_TAIL) {
		uint32_t len = blocks_get(b, data + at + 4);

		if (len < BLOCK_HEAD + BLOCK_TAIL || len > size - at)
			break;
		at += len;
		b->at[++b->n] = at;
	}
}

/* Puts n bytes in place of [from, to); the size then, or the old one when there is no room. */
static inline size_t blocks_replace(uint8_t *data, size_t size, size_t max, size_t from, size_t to,
				    const uint8_t *with, size_t n)
{
	if (size - (to - from) + n > max)
		return size;
	memmove(data + from + n, data + to, size - to);
	memcpy(data + from, with, n);
	return size - (to - from) + n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
	struct blocks b = { .n = 0 };
	uint8_t *copy;

	blocks_find(&b, data, size);
	if (!b.n || seed % 4 == 0)
		return LLVMFuzzerMutate(data, size, max);
	copy = malloc(max + 64);
	if (!copy)
		return size;

	unsigned k = seed / 16 % b.n, j = seed / 2048 % b.n;
	size_t from = b.at[k], n = b.at[k + 1] - from;

	memcpy(copy, data + from, n);
	switch (seed / 4 % 4) {
	case 0: { /* its body */
		size_t body = LLVMFuzzerMutate(copy + BLOCK_HEAD, n - BLOCK_HEAD - BLOCK_TAIL,
					       n - BLOCK_HEAD - BLOCK_TAIL + 32);

		while (body % 4)
			copy[BLOCK_HEAD + body++] = 0;
		blocks_set(&b, copy + 4, (uint32_t)(BLOCK_HEAD + body + BLOCK_TAIL));
		blocks_set(&b, copy + BLOCK_HEAD + body,
			   (uint32_t)(BLOCK_HEAD + body + BLOCK_TAIL));
		size = blocks_replace(data, size, max, from, b.at[k + 1], copy,
				      BLOCK_HEAD + body + BLOCK_TAIL);
		break;
	}
	case 1: /* once more, elsewhere */
		size = blocks_replace(data, size, max, b.at[j], b.at[j], copy, n);
		break;
	case 2: /* not at all */
		size = blocks_replace(data, size, max, from, b.at[k + 1], copy, 0);
		break;
	default: /* in another one's place */
		size = blocks_replace(data, size, max, b.at[j], b.at[j + 1], copy, n);
		break;
	}
	free(copy);
	return size;
}

#endif
