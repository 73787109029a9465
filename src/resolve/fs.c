/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fs.c - opens the node's files below the host root, symlinks kept inside it.
 *
 * A container that looks at its node has / mounted somewhere (--host-root).
 * There /var/run is an absolute link to /run, which must mean the node's /run.
 * inroot.h does that.
 *
 * A root without a /proc of its own (a lab's state directory) gets the real one,
 * and paths of network namespaces that it does not hold are then the real ones too.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "podhop/inroot.h"

#define FS_CHUNK 16384

static int fs_looks_like_proc(int dirfd)
{
	return faccessat(dirfd, "1", F_OK, 0) == 0 ||
	       faccessat(dirfd, "self", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int resolve_fs_init(struct resolve_fs *fs, const char *host_root, struct err *err)
{
	char self[32], own[32];
	ssize_t n;

	fs->root = -1;
	fs->proc = -1;
	fs->proc_in_root = false;
	fs->own_pids = false;
	if (host_root && *host_root && strcmp(host_root, "/") != 0) {
		fs->root = open(host_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fs->root < 0)
			return err_sys(err, errno, "open host root %s", host_root);
		fs->proc = openat(fs->root, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fs->proc >= 0 && !fs_looks_like_proc(fs->proc)) {
			close(fs->proc);
			fs->proc = -1;
		}
		fs->proc_in_root = fs->proc >= 0;
	}
	if (fs->proc < 0)
		fs->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fs->proc < 0)
		return err_sys(err, errno, "open /proc");
	/*
	 * The link "self" of a procfs shows this process as that procfs's pid
	 * namespace numbers it: equal to getpid() only where both are the same.
	 */
	n = readlinkat(fs->proc, "self", self, sizeof(self) - 1);
	if (n > 0) {
		self[n] = 0;
		snprintf(own, sizeof(own), "%d", (int)getpid());
		fs->own_pids = strcmp(self, own) == 0;
	}
	return 0;
}

void resolve_fs_done(struct resolve_fs *fs)
{
	if (fs->root >= 0)
		close(fs->root);
	if (fs->proc >= 0)
		close(fs->proc);
	fs->root = fs->proc = -1;
}

int resolve_fs_open(const struct resolve_fs *fs, const char *path, int flags)
{
	int fd;

	if (strncmp(path, "/proc/", 6) == 0) {
		/* magic links (ns/net) must be followed by the kernel */
		fd = openat(fs->proc, path + 6, flags | O_CLOEXEC);
		return fd < 0 ? -errno : fd;
	}
	if (fs->root >= 0)
		return inroot_open(fs->root, path, flags);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes fd, or a negative errno. */
static DIR *fs_dir(int fd, int *ret_errno)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (d)
		return d;
	*ret_errno = fd < 0 ? -fd : ENOMEM; /* a directory it is */
	if (fd >= 0)
		close(fd);
	return NULL;
}

DIR *resolve_fs_opendir(const struct resolve_fs *fs, const char *path, int *ret_errno)
{
	return fs_dir(resolve_fs_open(fs, path, O_RDONLY | O_DIRECTORY | O_NONBLOCK), ret_errno);
}

DIR *resolve_fs_opendir_at(int dirfd, const char *name, int *ret_errno)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);

	return fs_dir(fd < 0 ? -errno : fd, ret_errno);
}

const char *resolve_fs_next(DIR *d, unsigned *n)
{
	const struct dirent *e;

	while (*n < RESOLVE_ENTRIES_MAX && (e = readdir(d))) {
		++*n;
		if (e->d_name[0] != '.')
			return e->d_name;
	}
	return NULL;
}

/* Reads to the end; refuses what is no regular file and what is too large. */
static int fs_read_fd(int fd, struct buf *b)
{
	char chunk[FS_CHUNK];
	struct stat st;

	buf_clear(b);
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return 0;
		buf_add(b, chunk, (size_t)n);
		if (b->failed)
			return b->len + (size_t)n > b->max ? -EFBIG : -ENOMEM;
	}
}

/* fd: as opened, or -errno. */
static int read_and_close(int fd, struct buf *b)
{
	int rc;

	if (fd < 0)
		return fd;
	rc = fs_read_fd(fd, b);
	close(fd);
	return rc;
}

int resolve_fs_read_at(int dirfd, const char *name, struct buf *b)
{
	int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	return read_and_close(fd < 0 ? -errno : fd, b);
}

int resolve_fs_read_in(int root, const char *path, struct buf *b)
{
	int fd = inroot_open(root, path, O_RDONLY | O_NONBLOCK);

	return read_and_close(fd, b);
}

int resolve_fs_read(const struct resolve_fs *fs, const char *path, struct buf *b)
{
	int fd = resolve_fs_open(fs, path, O_RDONLY | O_NONBLOCK);

	return read_and_close(fd, b);
}
