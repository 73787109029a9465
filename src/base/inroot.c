/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inroot.c - follows symbolic links by hand, inside a directory that is taken for the root.
 */
#include "podhop/inroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

/* Puts `target` in front of what is left to walk. */
static int prepend(char rest[static PATH_MAX], const char *target)
{
	char joined[PATH_MAX];
	int n = snprintf(joined, sizeof(joined), "%s/%s", target, rest);

	if (n < 0 || (size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(rest, joined, (size_t)n + 1);
	return 0;
}

int inroot_open(int root, const char *path, int flags)
{
	char done[PATH_MAX] = "", rest[PATH_MAX], target[PATH_MAX];
	size_t done_len = 0;
	unsigned links = 0;
	int fd;

	if (strlen(path) >= sizeof(rest))
		return -ENAMETOOLONG;
	strcpy(rest, path);
	for (;;) {
		size_t skip = strspn(rest, "/"), len = strcspn(rest + skip, "/");
		const char *part = rest + skip;
		size_t before = done_len;
		ssize_t n;
		int rc;

		if (len == 0)
			break;
		if (len == 2 && memcmp(part, "..", 2) == 0) {
			/* above the root is the root */
			while (done_len > 0 && done[--done_len] != '/')
				;
			done[done_len] = 0;
			memmove(rest, part + len, strlen(part + len) + 1);
			continue;
		}
		if (len != 1 || *part != '.') {
			if (len + 2 > sizeof(done) - done_len)
				return -ENAMETOOLONG;
			if (done_len)
				done[done_len++] = '/';
			memcpy(done + done_len, part, len);
			done_len += len;
			done[done_len] = 0;
		}
		memmove(rest, part + len, strlen(part + len) + 1);
		if (!done_len)
			continue;
		n = readlinkat(root, done, target, sizeof(target) - 1);
		if (n < 0) {
			if (errno == EINVAL)
				continue; /* not a link */
			return -errno;
		}
		target[n] = 0;
		/* A link to itself (what only means something outside) needs no 40 rounds. */
		if (++links > LINKS_MAX ||
		    (target[0] == '/' && strcmp(target + strspn(target, "/"), done) == 0))
			return -ELOOP;
		done_len = target[0] == '/' ? 0 : before;
		done[done_len] = 0;
		rc = prepend(rest, target);
		if (rc)
			return rc;
	}
	fd = openat(root, done_len ? done : ".", flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
