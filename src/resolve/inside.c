/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inside.c - what a pod's namespace shows of itself without netlink's help.
 *
 * A dump of another namespace needs CAP_NET_ADMIN over it, and needs that the
 * host gave it an id, which it only does for namespaces that one of its own
 * devices leads to. /proc/<pid>/net shows the namespace of that process to
 * anyone, and a mounted sysfs below /proc/<pid>/root says what a device is.
 */
#include "resolve_priv.h"
#include "resolve_inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INSIDE_FILE_MAX (1u << 20)

static int inside_read(const struct resolve *r, pid_t pid, const char *file, struct buf *b)
{
	char path[160];

	snprintf(path, sizeof(path), "%d/%s", (int)pid, file);
	return resolve_fs_read_at(r->fs.proc, path, b);
}

/* "2\teth0      :     1      V3": index and name of every device with IPv4 multicast. */
static void inside_igmp(char *text, struct resolve_inside *in)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned long index;
		char *p;
		size_t n;

		if (*line < '0' || *line > '9')
			continue;
		index = strtoul(line, &p, 10);
		p += strspn(p, " \t");
		n = strcspn(p, " \t:");
		if (!n || n >= sizeof(in->dev[0].name) || in->n_dev == RESOLVE_INSIDE_DEVS)
			continue;
		memcpy(in->dev[in->n_dev].name, p, n);
		in->dev[in->n_dev].name[n] = 0;
		in->dev[in->n_dev].ifindex = (uint32_t)index;
		in->n_dev++;
	}
}

/*
 * fib_trie prints an address, then lines with what it is: "/32 host LOCAL". It does
 * not say on which device.
 */
static void inside_fib_trie(char *text, struct resolve_inside *in)
{
	char *save = NULL;
	struct addr last = { { 0 } };

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *p = line + strspn(line, " |+-");

		if (strncmp(p, "/32 host LOCAL", 14) == 0) {
			bool known = addr_is_none(&last) || last.b[12] == 127;

			for (unsigned i = 0; i < in->n_ips; i++)
				known = known || addr_eq(&in->ips[i], &last);
			if (!known && in->n_ips < RESOLVE_CNI_IPS)
				in->ips[in->n_ips++] = last;
		} else if (*p >= '0' && *p <= '9') {
			p[strcspn(p, " /")] = 0;
			if (addr_parse(p, &last))
				last = (struct addr){ { 0 } };
		}
	}
}

/* "<32 hex> <index> <prefix length> <scope> <flags> <name>", numbers in hex. */
static void inside_if_inet6(char *text, struct resolve_inside *in)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		unsigned index, len, scope, flags;
		uint8_t b[16];
		char name[16];
		struct addr a;
		bool ok = strlen(line) > 32;

		for (unsigned i = 0; ok && i < 16; i++) {
			char two[3] = { line[2 * i], line[2 * i + 1], 0 };
			char *end;

			b[i] = (uint8_t)strtoul(two, &end, 16);
			ok = *end == 0;
		}
		if (!ok ||
		    sscanf(line + 32, "%x %x %x %x %15s", &index, &len, &scope, &flags, name) != 5)
			continue;
		a = addr_from_v6(b);
		/* scope 0 is global */
		if (scope != 0 || addr_is_link_local(&a) || in->n_ips == RESOLVE_CNI_IPS)
			continue;
		in->ips[in->n_ips++] = a;
	}
}

void resolve_inside_read(const struct resolve *r, pid_t pid, struct resolve_inside *in)
{
	struct buf b;

	*in = (struct resolve_inside){ .n_dev = 0 };
	if (!pid)
		return;
	buf_init(&b, INSIDE_FILE_MAX);
	if (inside_read(r, pid, "net/igmp", &b) == 0 && b.data)
		inside_igmp(b.data, in);
	if (inside_read(r, pid, "net/fib_trie", &b) == 0 && b.data)
		inside_fib_trie(b.data, in);
	if (inside_read(r, pid, "net/if_inet6", &b) == 0 && b.data)
		inside_if_inet6(b.data, in);
	buf_done(&b);
}

/* "DEVTYPE=macvlan", a line of many. */
static void inside_devtype(const char *text, char kind[static 16])
{
	const char *p = strstr(text, "DEVTYPE=");
	size_t n;

	if (!p)
		return;
	p += strlen("DEVTYPE=");
	n = strcspn(p, "\n");
	if (n >= 16)
		return;
	memcpy(kind, p, n);
	kind[n] = 0;
}

void resolve_inside_kind(const struct resolve *r, pid_t pid, const char *ifname,
			 char kind[static 16], uint32_t *ret_iflink)
{
	char path[128];
	struct buf b;
	int root;

	kind[0] = 0;
	*ret_iflink = 0;
	if (!pid || strchr(ifname, '/') || strlen(ifname) > 15)
		return;
	/* The pod's own files: an absolute link among them would lead out into the node's. */
	snprintf(path, sizeof(path), "%d/root", (int)pid);
	root = openat(r->fs.proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return;
	buf_init(&b, 4096);
	snprintf(path, sizeof(path), "/sys/class/net/%s/uevent", ifname);
	if (resolve_fs_read_in(root, path, &b) == 0)
		inside_devtype(buf_str(&b), kind);
	snprintf(path, sizeof(path), "/sys/class/net/%s/iflink", ifname);
	if (kind[0] && resolve_fs_read_in(root, path, &b) == 0)
		*ret_iflink = (uint32_t)strtoul(buf_str(&b), NULL, 10);
	buf_done(&b);
	close(root);
}
