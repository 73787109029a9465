/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inroot.h - opens files of a node whose / is mounted somewhere (--host-root).
 *
 * Owns: nothing.
 * Never: leaves that directory, wherever the symbolic links in it lead, and whoever moves files
 * and links in it meanwhile.
 *
 * openat2(RESOLVE_IN_ROOT) does the same from Linux 5.6 on. flannel runs on older kernels; and
 * its flags are behind a pointer, where seccomp could not see that a file is opened to be read.
 */
#ifndef PODHOP_INROOT_H
#define PODHOP_INROOT_H

/*
 * Opens path as if root, an open directory, were /: absolute links begin there, and above it is
 * itself. flags as for open(2), which gets O_CLOEXEC and O_NOFOLLOW besides; not O_PATH, which
 * would take a link itself. The descriptor, the caller's to close, or -errno: -ELOOP beyond 40
 * links, -ELOOP or -ENOTDIR where something became a link while it was walked over.
 */
int inroot_open(int root, const char *path, int flags);

#endif
