/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buf.c - the growable byte string.
 */
#include "podhop/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_SIZE_MIN 64		/* first allocation: a short line */

void buf_init(struct buf *b, size_t max)
{
	*b = (struct buf){ .max = max };
}

void buf_done(struct buf *b)
{
	free(b->data);
	*b = (struct buf){ .max = b->max };
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

/* Makes room for n more bytes and the NUL. False, and failed, when there is none. */
static bool buf_reserve(struct buf *b, size_t n)
{
	size_t need, size;
	char *data;

	if (b->failed)
		return false;
	if (n > b->max - b->len || n >= SIZE_MAX - b->len)
		goto fail;
	need = b->len + n + 1;
	if (need <= b->size)
		return true;
	size = b->size ? b->size : BUF_SIZE_MIN;
	while (size < need)
		size = size > SIZE_MAX / 2 ? need : size * 2;
	if (size - 1 > b->max)
		size = b->max + 1;
	data = realloc(b->data, size);
	if (!data)
		goto fail;
	b->data = data;
	b->size = size;
	return true;
fail:
	b->failed = true;
	return false;
}

void buf_add(struct buf *b, const void *bytes, size_t n)
{
	if (!buf_reserve(b, n))
		return;
	if (n != 0)
		memcpy(b->data + b->len, bytes, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

void buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	if (!buf_reserve(b, 0))
		return;
	room = b->size - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	if (n < 0)
		goto undo;
	if ((size_t)n >= room) {
		if (!buf_reserve(b, (size_t)n))
			goto undo;
		room = b->size - b->len;
		va_start(ap, fmt);
		n = vsnprintf(b->data + b->len, room, fmt, ap);
		va_end(ap);
		if (n < 0 || (size_t)n >= room)
			goto undo;
	}
	b->len += (size_t)n;
	return;
undo:
	b->failed = true;
	b->data[b->len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}
