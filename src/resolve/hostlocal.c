/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostlocal.c - leases of the host-local IPAM plugin: pod IP to container id.
 *
 * /var/lib/cni/networks/<network>/<ip> holds "<container id>\r\n<ifname>" without
 * a newline at the end; very old ones the id alone (plugins:ipam/host-local/
 * backend/disk). Leases leak after crashes: they name, they prove nothing.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTLOCAL_DIR "/var/lib/cni/networks"
#define HOSTLOCAL_FILE_MAX 4096 /* an id and an interface name */

bool resolve_lease_parse(const char *text, size_t len, struct resolve_lease *ret)
{
	const char *end = text + len;
	const char *p = text, *q;

	while (p < end && *p != '\r' && *p != '\n' && *p != 0)
		p++;
	if (p == text)
		return false;
	ret->id = strndup(text, (size_t)(p - text));
	ret->ifname = NULL;
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	for (q = p; q < end && *q != '\r' && *q != '\n' && *q != 0; q++)
		;
	if (q > p)
		ret->ifname = strndup(p, (size_t)(q - p));
	if (ret->id)
		return true;
	free(ret->ifname); /* out of memory: the caller frees nothing */
	ret->ifname = NULL;
	return false;
}

static void hostlocal_network(struct resolve *r, int parent, const char *network, struct buf *b)
{
	int fd = openat(parent, network, O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0) {
		resolve_deny(r, HOSTLOCAL_DIR, errno);
		return;
	}
	d = fdopendir(fd);
	if (!d) {
		close(fd);
		return;
	}
	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		struct resolve_lease one = { .id = NULL }, *slot;

		/* "lock" and "last_reserved_ip.0" are no addresses */
		if (addr_parse(e->d_name, &one.ip) || resolve_fs_read_at(fd, e->d_name, b))
			continue;
		if (!resolve_lease_parse(buf_str(b), b->len, &one))
			continue;
		one.file = resolve_fmt(r, "%s/%s/%s", HOSTLOCAL_DIR, network, e->d_name);
		slot = grow(&r->leases, &r->n_leases, sizeof(*slot), RESOLVE_ENTRIES_MAX);
		if (slot) {
			*slot = one;
		} else {
			free(one.id);
			free(one.ifname);
			free(one.file);
			r->oom = true;
		}
	}
	closedir(d);
}

void resolve_hostlocal_scan(struct resolve *r)
{
	struct dirent *e;
	struct buf b;
	int error = 0;
	DIR *d = resolve_fs_opendir(&r->fs, HOSTLOCAL_DIR, &error);

	if (!d) {
		resolve_deny(r, HOSTLOCAL_DIR, error);
		return;
	}
	buf_init(&b, HOSTLOCAL_FILE_MAX);
	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		if (e->d_name[0] != '.')
			hostlocal_network(r, dirfd(d), e->d_name, &b);
	}
	buf_done(&b);
	closedir(d);
}
