/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outfile.c - opens the files that a run writes: captures, reports, pages.
 *
 * They show what pods send, so each is its owner's alone, and none is what a stranger put in its
 * place: no symbolic link is followed, and where everybody may make files nobody else's file, FIFO
 * or, on the way to the file, link is taken. The kernel would refuse the latter itself, where
 * fs.protected_regular, fs.protected_fifos and fs.protected_symlinks are switched on
 * (Documentation/admin-guide/sysctl/fs.rst). Nor is anything
 * written over that is not what it is to become.
 *
 * A shell's >(COMMAND) is the name of a descriptor that podhop was started with, /dev/fd/63. That
 * is a link as well, but nobody else's: the descriptor is written to, whoever's file it is.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_BYTES 1024		/* a packed capture's first block, a page's title are in it */
#define MODE_ALONE 0600
#define MODE_BITS 07777u

char *outfile_directory(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
}

/* Everybody's, or a group's in which each has its own files. */
static bool is_shared(const struct stat *dir)
{
	return (dir->st_mode & S_IWOTH) || ((dir->st_mode & S_ISVTX) && (dir->st_mode & S_IWGRP));
}

/* Whether anybody but us and the directory's owner, who could put any file there, put st there. */
static bool is_strangers(const struct stat *dir, const struct stat *st)
{
	return is_shared(dir) && st->st_uid != geteuid() && st->st_uid != dir->st_uid;
}

static int refuse_strangers(int dir, const char *path, const struct stat *st, struct err *err)
{
	struct stat d;

	if (!S_ISREG(st->st_mode) && !S_ISFIFO(st->st_mode))
		return 0;
	if (fstat(dir, &d) < 0)
		return err_sys(err, errno, "%s", path);
	if (is_strangers(&d, st))
		return err_set(err, EACCES, "%s is another user's, in a directory where everybody "
			       "may make files: name another file", path);
	return 0;
}

/* One step on the way; the fd of the directory, which replaces dir, or -errno. */
static int step_into(int dir, const char *name, const char *path, struct err *err)
{
	int flags = O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, next;
	struct stat d, st;

	if (fstat(dir, &d) < 0 || fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(err, errno, "open %s", path);
	if (S_ISLNK(st.st_mode)) {
		if (is_strangers(&d, &st))
			return err_set(err, EACCES, "%s: %s is another user's link, in a directory "
				       "where everybody may make files", path, name);
		flags &= ~O_NOFOLLOW;
	}
	next = openat(dir, name, flags);
	return next < 0 ? err_sys(err, errno, "open %s", path) : next;
}

/*
 * The directory that path's file is in, and the file's name there. Step by step: what was looked
 * at is what is opened, though somebody puts a link in its place meanwhile.
 */
static int open_directory(const char *path, int *ret_dir, const char **ret_name, struct err *err)
{
	int dir = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *const whole = path, *slash;

	if (dir < 0)
		return err_sys(err, errno, "open %s", whole);
	for (; (slash = strchr(path, '/')) != NULL; path = slash + 1) {
		char name[NAME_MAX + 1];
		size_t n = (size_t)(slash - path);
		int next;

		if (!n)
			continue;
		if (n >= sizeof(name)) {
			close(dir);
			return err_sys(err, ENAMETOOLONG, "open %s", whole);
		}
		memcpy(name, path, n);
		name[n] = '\0';
		next = step_into(dir, name, whole, err);
		close(dir);
		if (next < 0)
			return next;
		dir = next;
	}
	*ret_dir = dir;
	*ret_name = path;
	return 0;
}

/* Ours alone; behind the door we are the user of -Z, and so are the files from before it. */
static int take(const struct options *o, int fd, const char *path, const struct stat *st,
		struct err *err)
{
	if (!S_ISREG(st->st_mode) || st->st_uid != geteuid())
		return 0;
	if ((st->st_mode & MODE_BITS) != MODE_ALONE && fchmod(fd, MODE_ALONE) < 0)
		return err_sys(err, errno, "%s", path);
	/* Who may not give files away may not become another user either, which is told then. */
	if (o->user && o->uid != st->st_uid && fchown(fd, o->uid, o->gid) < 0 && errno != EPERM)
		return err_sys(err, errno, "%s", path);
	return 0;
}

static int judge_content(int fd, const char *path, const struct stat *st,
			 outfile_is_ours *is_ours, const char *kind, struct err *err)
{
	uint8_t head[HEAD_BYTES];
	ssize_t n = 0;

	if (S_ISREG(st->st_mode) && st->st_size)
		n = pread(fd, head, sizeof(head), 0);
	if (n < 0 || (n > 0 && !is_ours(head, (size_t)n)))
		return err_set(err, EEXIST, "%s exists and is no %s: it is not overwritten; "
			       "name another file, or remove this one", path, kind);
	return 0;
}

static int judge(const struct options *o, int dir, int fd, const char *path,
		 outfile_is_ours *is_ours, const char *kind, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", path);
	if (refuse_strangers(dir, path, &st, err) < 0)
		return -EACCES;
	if (judge_content(fd, path, &st, is_ours, kind, err) < 0)
		return -EEXIST;
	return take(o, fd, path, &st, err);
}

int outfile_descriptor(const char *path)
{
	static const char *const folder[] = { "/dev/fd/", "/proc/self/fd/" };
	char *end;
	long n;

	if (strcmp(path, "/dev/stdout") == 0)
		return STDOUT_FILENO;
	if (strcmp(path, "/dev/stderr") == 0)
		return STDERR_FILENO;
	for (unsigned i = 0; i < sizeof(folder) / sizeof(folder[0]); i++) {
		const char *digits = path + strlen(folder[i]);

		if (strncmp(path, folder[i], strlen(folder[i])) != 0 || *digits < '0' ||
		    *digits > '9')
			continue;
		n = strtol(digits, &end, 10);
		return *end || n > INT_MAX ? -1 : (int)n;
	}
	return -1;
}

/* What podhop opened itself is closed on exec, and none of the caller's business. */
static int open_descriptor(int of, const char *path, outfile_is_ours *is_ours, const char *kind,
			   int *ret_fd, struct err *err)
{
	const int flags = fcntl(of, F_GETFD), access = fcntl(of, F_GETFL);
	struct stat st;
	int fd;

	if (flags < 0 || (flags & FD_CLOEXEC) || access < 0 || (access & O_ACCMODE) == O_RDONLY ||
	    fstat(of, &st) < 0)
		return err_set(err, EBADF, "%s is no descriptor that is open for writing", path);
	if (judge_content(of, path, &st, is_ours, kind, err) < 0)
		return -EEXIST;
	fd = fcntl(of, F_DUPFD_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	*ret_fd = fd;
	return 0;
}

static int open_in(const struct options *o, int dir, const char *name, const char *path,
		   outfile_is_ours *is_ours, const char *kind, int *ret_fd, struct err *err)
{
	int fd, access = O_RDWR, rc;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		/* Before the open, which waits for a FIFO's reader. */
		if (refuse_strangers(dir, path, &st, err) < 0)
			return -EACCES;
		/* Who can read a FIFO himself never hears that its reader went. */
		if (S_ISFIFO(st.st_mode))
			access = O_WRONLY;
	}
	fd = openat(dir, name, access | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, MODE_ALONE);
	if (fd < 0 && errno == ELOOP)
		return err_set(err, ELOOP, "%s is a symbolic link: name the file itself", path);
	if (fd < 0)
		return err_sys(err, errno, "open %s", path);
	rc = judge(o, dir, fd, path, is_ours, kind, err);
	if (rc < 0)
		close(fd);
	else
		*ret_fd = fd;
	return rc;
}

int outfile_open(const struct options *o, const char *path, outfile_is_ours *is_ours,
		 const char *kind, int *ret_fd, struct err *err)
{
	int dir = -1, rc, given = outfile_descriptor(path);
	const char *name = path;

	if (given >= 0)
		return open_descriptor(given, path, is_ours, kind, ret_fd, err);
	rc = open_directory(path, &dir, &name, err);
	if (rc < 0)
		return rc;
	rc = *name ? open_in(o, dir, name, path, is_ours, kind, ret_fd, err)
		   : err_sys(err, EISDIR, "open %s", path);
	close(dir);
	return rc;
}

int outfile_cut(int fd, const char *path, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || ftruncate(fd, 0) == 0)
		return 0;
	return err_sys(err, errno, "truncate %s", path);
}
