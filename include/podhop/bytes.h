/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bytes.h - the only way podhop looks at bytes that strangers wrote.
 *
 * Owns: nothing; a `struct bytes` borrows memory for as long as the caller has it.
 * Never: reads outside [data, data + len), trusts a length found in the data,
 * or needs alignment. No header struct is ever cast onto packet bytes.
 *
 * Reads past the end give 0 and set `over`; a parser may therefore read a
 * whole header and check once. Lengths are compared by subtraction (need > left),
 * never by adding to a pointer or an offset, which could wrap.
 */
#ifndef PODHOP_BYTES_H
#define PODHOP_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t len;
	size_t pos;
	bool over;	/* something was read that is not there */
};

static inline struct bytes bytes_of(const void *data, size_t len)
{
	return (struct bytes){ .data = data, .len = len, .pos = 0, .over = false };
}

static inline size_t bytes_left(const struct bytes *b)
{
	return b->len - b->pos;
}

/* True when n more bytes can be read. */
static inline bool bytes_has(const struct bytes *b, size_t n)
{
	return n <= bytes_left(b);
}

/* Takes n bytes; NULL (and over) when they are not all there. */
static inline const uint8_t *bytes_take(struct bytes *b, size_t n)
{
	if (!bytes_has(b, n)) {
		b->pos = b->len;
		b->over = true;
		return NULL;
	}
	const uint8_t *p = b->data + b->pos;
	b->pos += n;
	return p;
}

static inline void bytes_skip(struct bytes *b, size_t n)
{
	(void)bytes_take(b, n);
}

static inline uint8_t bytes_u8(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 1);
	return p ? p[0] : 0;
}

static inline uint16_t bytes_load_be16(const uint8_t *p)
{
	return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t bytes_load_be32(const uint8_t *p)
{
	return ((uint32_t)p[0] << 24) | ((uint32_t)p[1] << 16) | ((uint32_t)p[2] << 8) | p[3];
}

static inline uint16_t bytes_be16(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 2);
	return p ? bytes_load_be16(p) : 0;
}

static inline uint32_t bytes_be24(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 3);
	return p ? ((uint32_t)p[0] << 16) | ((uint32_t)p[1] << 8) | p[2] : 0;
}

static inline uint32_t bytes_be32(struct bytes *b)
{
	const uint8_t *p = bytes_take(b, 4);
	return p ? bytes_load_be32(p) : 0;
}

#endif
