/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * read_file.h - a whole file, for tests.
 */
#ifndef READ_FILE_H
#define READ_FILE_H

#include <errno.h>
#include <stdio.h>

#include "podhop/buf.h"

/* Into b, emptied first. 0, or -errno: -EFBIG when it is larger than b->max. */
static inline int read_file(struct buf *b, const char *path)
{
	FILE *f = fopen(path, "rbe");
	char chunk[4096];
	size_t n;
	int rc = 0;

	buf_clear(b);
	if (!f)
		return -errno;
	while (!rc && (n = fread(chunk, 1, sizeof(chunk), f))) {
		buf_add(b, chunk, n);
		rc = b->failed ? -EFBIG : 0;
	}
	if (ferror(f))
		rc = -EIO;
	(void)fclose(f);
	return rc;
}

#endif
