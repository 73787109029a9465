/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buf.h - a growable byte string with a stated maximum.
 *
 * Owns: the heap block behind `data`; always NUL-terminated once anything was
 * added, so `data` can be printed as a C string.
 * Never: grows beyond `max`, prints, or aborts. A failed addition (limit or
 * memory) sets `failed` and every later addition is a no-op, so that a long
 * run of additions needs one check, at its end.
 *
 * Zero-initialised memory plus buf_init() is a valid empty buffer; buf_done()
 * accepts any initialised buffer, also a failed one.
 */
#ifndef PODHOP_BUF_H
#define PODHOP_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf {
	char *data;	/* NULL while empty */
	size_t len;	/* bytes in use, without the NUL */
	size_t size;	/* bytes allocated */
	size_t max;	/* never holds more than this */
	bool failed;
};

void buf_init(struct buf *b, size_t max);
void buf_done(struct buf *b);
void buf_clear(struct buf *b);		/* empty again, memory kept, failed reset */
void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
__attribute__((format(printf, 2, 3)))
void buf_addf(struct buf *b, const char *fmt, ...);
const char *buf_str(const struct buf *b);	/* "" while empty */

#endif
