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
#include <stdlib.h>
#include <string.h>

#define HOSTLOCAL_DIR "/var/lib/cni/networks"
#define HOSTLOCAL_FILE_MAX 4096 /* an id and an interface name */

/* Where the line at p ends: a NUL byte ends the text. */
static const char *lease_line(const char *p, const char *end)
{
	while (p < end && *p && *p != '\r' && *p != '\n')
		p++;
	return p;
}

int resolve_lease_parse(const char *text, size_t len, struct resolve_lease *ret)
{
	const char *end = text + len, *stop = lease_line(text, end), *p = stop;
	struct resolve_lease l = { .id = NULL };
	bool oom = false;

	if (stop == text)
		return -EBADMSG;
	resolve_copy(&l.id, text, (size_t)(stop - text), &oom);
	while (p < end && (*p == '\r' || *p == '\n'))
		p++;
	resolve_copy(&l.ifname, p, (size_t)(lease_line(p, end) - p), &oom);
	if (oom) { /* ENOMEM */
		resolve_lease_done(&l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

void resolve_lease_done(struct resolve_lease *l)
{
	free(l->id);
	free(l->ifname);
	free(l->file);
	*l = (struct resolve_lease){ .id = NULL };
}

static void hostlocal_network(struct resolve *r, int parent, const char *network, struct buf *b)
{
	const char *name;
	unsigned n = 0;
	int error = 0;
	DIR *d = resolve_fs_opendir_at(parent, network, &error);

	if (!d) {
		resolve_deny(r, HOSTLOCAL_DIR, error);
		return;
	}
	while ((name = resolve_fs_next(d, &n))) {
		struct resolve_lease one = { .id = NULL }, *slot;
		struct addr ip;

		/* "lock" and "last_reserved_ip.0" are no addresses */
		if (addr_parse(name, &ip) ||
		    resolve_noted(r, resolve_fs_read_at(dirfd(d), name, b)) ||
		    resolve_noted(r, resolve_lease_parse(buf_str(b), b->len, &one)))
			continue;
		one.ip = ip;
		one.file = resolve_fmt(r, "%s/%s/%s", HOSTLOCAL_DIR, network, name);
		slot = resolve_grow(r, &r->leases, &r->n_leases, sizeof(*slot),
				    RESOLVE_ENTRIES_MAX);
		if (slot)
			*slot = one;
		else
			resolve_lease_done(&one); /* ENOMEM */
	}
	closedir(d);
}

void resolve_hostlocal_scan(struct resolve *r)
{
	const char *name;
	struct buf b;
	unsigned n = 0;
	int error = 0;
	DIR *d = resolve_fs_opendir(&r->fs, HOSTLOCAL_DIR, &error);

	if (!d) {
		resolve_deny(r, HOSTLOCAL_DIR, error);
		return;
	}
	buf_init(&b, HOSTLOCAL_FILE_MAX);
	while ((name = resolve_fs_next(d, &n)))
		hostlocal_network(r, dirfd(d), name, &b);
	buf_done(&b);
	closedir(d);
}
