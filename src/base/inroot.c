/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inroot.c - follows symbolic links by hand, inside a directory that is taken for the root.
 *
 * Theory of operation. Who owns the files may be hostile and fast: what was a directory when it
 * was looked at can be a link out of the root when it is opened. So each step names one part
 * below a directory that is open already, and never has the kernel follow a link: readlinkat()
 * says whether the part is one, and openat() refuses it should it have become one since. ".."
 * is asked of no directory, which might have been moved out; the walk begins anew at the root
 * and goes over the names that led here, less the last.
 */
#include "podhop/inroot.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */
#define INTO_DIRECTORY (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct walk {
	int root; /* the caller's */
	int dir; /* where it is now: root, or a descriptor of its own */
	unsigned links; /* followed so far */
	size_t done_len;
	char done[PATH_MAX]; /* names from root to dir, '/' between them */
	char rest[PATH_MAX]; /* what is still to be walked */
};

static void stand_on(struct walk *w, int dir)
{
	if (w->dir != w->root)
		close(w->dir);
	w->dir = dir;
}

static void go_to_root(struct walk *w)
{
	stand_on(w, w->root);
	w->done_len = 0;
	w->done[0] = '\0';
}

static int go_down(struct walk *w, const char *name)
{
	size_t len = strlen(name);
	int dir;

	if (len + 2 > sizeof(w->done) - w->done_len)
		return -ENAMETOOLONG;
	dir = openat(w->dir, name, INTO_DIRECTORY);
	if (dir < 0)
		return -errno;
	stand_on(w, dir);
	if (w->done_len)
		w->done[w->done_len++] = '/';
	memcpy(w->done + w->done_len, name, len + 1);
	w->done_len += len;
	return 0;
}

/* Takes the first name off a path; false where there is none. */
static bool take_name(char *path, char ret_name[static NAME_MAX + 1], int *ret_error)
{
	const char *part = path + strspn(path, "/");
	size_t len = strcspn(part, "/");

	*ret_error = len > NAME_MAX ? -ENAMETOOLONG : 0;
	if (!len || *ret_error)
		return false;
	memcpy(ret_name, part, len);
	ret_name[len] = '\0';
	memmove(path, part + len, strlen(part + len) + 1);
	return true;
}

/* Above the root is the root. */
static int go_up(struct walk *w)
{
	char way[PATH_MAX], name[NAME_MAX + 1], *last;
	int rc = 0;

	memcpy(way, w->done, w->done_len + 1);
	last = strrchr(way, '/');
	*(last ? last : way) = '\0';
	go_to_root(w);
	while (!rc && take_name(way, name, &rc))
		rc = go_down(w, name);
	return rc;
}

/* name is a link to target: goes to where that begins, and puts it in front of the rest. */
static int follow(struct walk *w, const char *name, const char *target)
{
	const bool absolute = target[0] == '/';
	char joined[PATH_MAX];
	int n;

	if (++w->links > LINKS_MAX)
		return -ELOOP;
	if (absolute) {
		const char *to = target + strspn(target, "/");

		/* A link to itself (what only means something outside) needs no 40 rounds. */
		n = snprintf(joined, sizeof(joined), "%s%s%s", w->done, w->done_len ? "/" : "",
			     name);
		if (n > 0 && (size_t)n < sizeof(joined) && strcmp(to, joined) == 0)
			return -ELOOP;
		go_to_root(w);
	}
	n = snprintf(joined, sizeof(joined), "%s/%s", target, w->rest);
	if (n < 0 || (size_t)n >= sizeof(joined))
		return -ENAMETOOLONG;
	memcpy(w->rest, joined, (size_t)n + 1);
	return 0;
}

/* Nothing but slashes is left to walk. */
static bool is_over(const struct walk *w)
{
	return !w->rest[strspn(w->rest, "/")];
}

/* Past one name in front of the last; *ret_last: it is the last, and no link. 0 or -errno. */
static int step(struct walk *w, const char *name, bool *ret_last)
{
	char target[PATH_MAX];
	ssize_t n;

	if (strcmp(name, ".") == 0)
		return 0;
	if (strcmp(name, "..") == 0)
		return go_up(w);
	n = readlinkat(w->dir, name, target, sizeof(target) - 1);
	if (n >= 0) {
		target[n] = '\0';
		return follow(w, name, target);
	}
	if (errno != EINVAL) /* which says: it is there, and no link */
		return -errno;
	*ret_last = is_over(w);
	return *ret_last ? 0 : go_down(w, name);
}

int inroot_open(int root, const char *path, int flags)
{
	struct walk w = { .root = root, .dir = root };
	char name[NAME_MAX + 1];
	bool last = false;
	int rc = 0, fd;

	if (strlen(path) >= sizeof(w.rest))
		return -ENAMETOOLONG;
	strcpy(w.rest, path);
	while (!rc && !last && take_name(w.rest, name, &rc))
		rc = step(&w, name, &last);
	if (!rc) {
		fd = openat(w.dir, last ? name : ".", flags | O_CLOEXEC | O_NOFOLLOW);
		rc = fd < 0 ? -errno : fd;
	}
	go_to_root(&w);
	return rc;
}
