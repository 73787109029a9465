/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netns.c - a network namespace as a file: opened, identified, never entered.
 *
 * The identity is (st_dev, st_ino) of the nsfs file. A path under
 * /var/run/netns is a bind mount of it; without the mount (after a reboot, or
 * seen from a container whose mounts do not propagate) a plain empty file
 * stands there, which must not be taken for a namespace.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "podhop/inroot.h"

/* Takes fd: returns it when it is a namespace, else closes it. */
static int netns_check(int fd, struct resolve_netns *ret)
{
	struct statfs sfs;
	struct stat st;

	if (fstatfs(fd, &sfs) != 0 || fstat(fd, &st) != 0) {
		int e = errno;

		close(fd);
		return -e;
	}
	if (sfs.f_type != NSFS_MAGIC) {
		close(fd);
		return S_ISREG(st.st_mode) ? -ESTALE : S_ISDIR(st.st_mode) ? -EISDIR : -EOPNOTSUPP;
	}
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return fd;
}

int resolve_netns_open(const struct resolve_fs *fs, const char *path, struct resolve_netns *ret)
{
	int fd = resolve_fs_open(fs, path, O_RDONLY | O_NONBLOCK);

	if (fd >= 0)
		fd = netns_check(fd, ret);
	if ((fd == -ENOENT && fs->root >= 0 && !fs->proc_in_root) ||
	    (fd == -ELOOP && fs->root >= 0 && (!fs->proc_in_root || fs->own_pids))) {
		/*
		 * A directory of state files is no root: mounts are where we see them.
		 * -ELOOP: it says so itself, by a link to the path it has on the real one.
		 */
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		fd = fd < 0 ? -errno : netns_check(fd, ret);
	}
	if ((fd == -ESTALE || fd == -EISDIR || fd == -ENOENT) && fs->proc_in_root &&
	    strncmp(path, "/proc/", 6) != 0) {
		/* the mount may be seen by the node's init only */
		int root = openat(fs->proc, "1/root", O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (root >= 0) {
			int other = inroot_open(root, path, O_RDONLY | O_NONBLOCK);

			if (other >= 0)
				other = netns_check(other, ret);
			close(root);
			if (other >= 0)
				return other;
		}
	}
	return fd;
}

int resolve_netns_open_pid(const struct resolve_fs *fs, pid_t pid, struct resolve_netns *ret)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "%d/ns/net", (int)pid);
	fd = openat(fs->proc, name, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : netns_check(fd, ret);
}

int resolve_netns_open_own(struct resolve_netns *ret)
{
	int fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : netns_check(fd, ret);
}
