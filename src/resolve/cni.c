/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cni.c - the result cache of libcni: which sandbox got which veth and address.
 *
 * Theory of operation. Files are <cache dir>/results/<network>-<container id>-<ifname>, one an
 * attachment (cni:libcni/api.go). Since libcni 0.8 they are "cniCacheV1" objects
 * with the pod's name in cniArgs; libcni 0.7 wrote the bare result. The result
 * inside has the shape of its own spec version: ip4/ip6 (0.1, 0.2), interfaces
 * and ips with a version (0.3, 0.4), without (1.0), with mtu and more (1.1).
 * The cache directory is /var/lib/cni, cri-dockerd's /var/lib/cni/cache.
 */
#include "resolve_priv.h"
#include "resolve_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const cni_dirs[] = {
	"/var/lib/cni/results",
	"/var/lib/cni/cache/results",
};

static void cni_args(const json_t *args, struct resolve_cni *c)
{
	/* the order differs between runtimes, and containerd's is random */
	for (size_t i = 0; i < json_array_size(args); i++) {
		const json_t *pair = json_array_get(args, i);
		const char *key = json_string_value(json_array_get(pair, 0));
		const char *value = json_string_value(json_array_get(pair, 1));
		char **to = NULL;

		if (!key)
			continue;
		if (strcmp(key, "K8S_POD_NAMESPACE") == 0)
			to = &c->namespace_;
		else if (strcmp(key, "K8S_POD_NAME") == 0)
			to = &c->name;
		else if (strcmp(key, "K8S_POD_UID") == 0)
			to = &c->uid;
		else if (strcmp(key, "K8S_POD_INFRA_CONTAINER_ID") == 0 && !c->container_id)
			to = &c->container_id;
		if (!to)
			continue;
		/* of two of one name the later one counts */
		free(*to);
		*to = NULL;
		if (value)
			resolve_copy(to, value, strlen(value), &c->oom);
	}
}

/* Decodes base64 (RFC 4648); stops at the first character that is none. */
static size_t cni_base64(const char *in, char *out, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	for (; *in && n < size; in++) {
		const char *d = strchr(digits, *in);

		if (!d)
			break;
		bits = (bits << 6) | (uint32_t)(d - digits);
		have += 6;
		if (have >= 8) {
			have -= 8;
			out[n++] = (char)(bits >> have);
		}
	}
	return n;
}

/* The type of the network's first plugin: "flannel", "bridge", "macvlan", ... */
static void cni_config(const char *text, struct resolve_cni *c)
{
	size_t len = text ? strlen(text) : 0, n;
	char *raw;
	json_t *root;

	if (!len)
		return;
	raw = malloc(len);
	if (!raw) {
		c->oom = true; /* ENOMEM */
		return;
	}
	n = cni_base64(text, raw, len);
	root = resolve_json_object(raw, n, &c->oom);
	resolve_json_fill(&c->plugin, json_array_get(json_object_get(root, "plugins"), 0), "type",
			  &c->oom);
	resolve_json_fill(&c->plugin, root, "type", &c->oom);
	json_decref(root);
	free(raw);
}

static void cni_add_ip(struct resolve_cni *c, const char *text)
{
	struct prefix p;

	if (!text || c->n_ips == RESOLVE_CNI_IPS || prefix_parse(text, &p) != 0)
		return;
	for (unsigned i = 0; i < c->n_ips; i++) {
		if (addr_eq(&c->ips[i], &p.addr))
			return;
	}
	c->ips[c->n_ips++] = p.addr;
}

static void cni_add_host(struct resolve_cni *c, const char *name, const char *mac)
{
	if (c->n_hosts == RESOLVE_CNI_HOSTS || strlen(name) >= sizeof(c->hosts[0].name))
		return;
	strcpy(c->hosts[c->n_hosts].name, name);
	if (mac)
		(void)mac_parse(mac, &c->hosts[c->n_hosts].mac);
	/* The analyzer loses sight of c: resolve_cni_done() frees what it holds. */
	c->n_hosts++; /* NOLINT(clang-analyzer-unix.Malloc) */
}

/* The container's end: its place in the list, SIZE_MAX when none has a sandbox. */
static size_t cni_interfaces(const json_t *interfaces, struct resolve_cni *c)
{
	size_t own = SIZE_MAX;

	for (size_t i = 0; i < json_array_size(interfaces); i++) {
		const json_t *e = json_array_get(interfaces, i);
		const char *name = resolve_json_text(e, "name");
		const char *mac = resolve_json_text(e, "mac");
		const char *sandbox = resolve_json_text(e, "sandbox");

		if (!name)
			continue;
		if (!sandbox || !*sandbox) {
			cni_add_host(c, name, mac);
			continue;
		}
		/* a meta plugin may list more; the attachment's own name wins */
		if (own == SIZE_MAX || (c->ifname && strcmp(name, c->ifname) == 0)) {
			own = i;
			if (mac)
				(void)mac_parse(mac, &c->mac);
			resolve_copy(&c->netns, sandbox, strlen(sandbox), &c->oom);
			resolve_copy(&c->ifname, name, strlen(name), &c->oom);
		}
	}
	return own;
}

static void cni_result(const json_t *result, struct resolve_cni *c)
{
	size_t own = cni_interfaces(json_object_get(result, "interfaces"), c);
	const json_t *ips = json_object_get(result, "ips");

	for (size_t i = 0; i < json_array_size(ips); i++) {
		const json_t *e = json_array_get(ips, i);
		const json_t *index = json_object_get(e, "interface");

		if (json_is_integer(index) && own != SIZE_MAX &&
		    json_integer_value(index) != (json_int_t)own)
			continue;
		cni_add_ip(c, resolve_json_text(e, "address"));
	}
	cni_add_ip(c, resolve_json_text(json_object_get(result, "ip4"), "ip"));
	cni_add_ip(c, resolve_json_text(json_object_get(result, "ip6"), "ip"));
}

/*
 * "<network>-<64 hex>-<ifname>": the network may hold '-' itself, so the id is
 * looked for and the rest follows. Other ids cannot be told from the network.
 */
static void cni_file_name(const char *name, struct resolve_cni *c)
{
	const char *dash = strrchr(name, '-');
	size_t len = strlen(name);

	for (size_t i = 0; len > RESOLVE_HEX_ID + 2 && i < len - RESOLVE_HEX_ID - 1; i++) {
		const char *id = name + i + 1;

		if (name[i] != '-' || id[RESOLVE_HEX_ID] != '-' ||
		    strspn(id, "0123456789abcdef") != RESOLVE_HEX_ID)
			continue;
		resolve_copy(&c->network, name, i, &c->oom);
		resolve_copy(&c->container_id, id, RESOLVE_HEX_ID, &c->oom);
		dash = id + RESOLVE_HEX_ID;
		break;
	}
	if (dash)
		resolve_copy(&c->ifname, dash + 1, strlen(dash + 1), &c->oom);
}

/* libcni 0.7 wrote results alone: what any version's has. */
static bool cni_is_result(const json_t *root)
{
	static const char *const keys[] = { "cniVersion", "interfaces", "ips", "ip4", "ip6" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (json_object_get(root, keys[i]))
			return true;
	}
	return false;
}

int resolve_cni_parse(const char *json, size_t len, const char *file_name, struct resolve_cni *ret)
{
	struct resolve_cni c = { .file = NULL };
	json_t *root = resolve_json_object(json, len, &c.oom);
	const char *kind = resolve_json_text(root, "kind");
	const json_t *result = NULL;

	if (kind && strcmp(kind, "cniCacheV1") == 0) {
		resolve_json_fill(&c.container_id, root, "containerId", &c.oom);
		resolve_json_fill(&c.ifname, root, "ifName", &c.oom);
		resolve_json_fill(&c.network, root, "networkName", &c.oom);
		resolve_json_fill(&c.netns, root, "netns", &c.oom);
		cni_args(json_object_get(root, "cniArgs"), &c);
		cni_config(resolve_json_text(root, "config"), &c);
		result = json_object_get(root, "result");
	} else if (!kind && cni_is_result(root)) {
		result = root;
	} else {
		json_decref(root);
		return c.oom ? -ENOMEM : -EBADMSG;
	}
	cni_file_name(file_name, &c);
	cni_result(result, &c);
	json_decref(root);
	if (c.oom) { /* ENOMEM */
		resolve_cni_done(&c);
		return -ENOMEM;
	}
	*ret = c;
	return 0;
}

void resolve_cni_done(struct resolve_cni *c)
{
	free(c->container_id);
	free(c->ifname);
	free(c->network);
	free(c->netns);
	free(c->plugin);
	free(c->namespace_);
	free(c->name);
	free(c->uid);
	free(c->file);
	*c = (struct resolve_cni){ .file = NULL };
}

/* Takes c into the record of its sandbox. Above a limit it is left out: see resolve_rec_new(). */
static void cni_join(struct resolve *r, struct resolve_cni *c)
{
	struct resolve_rec *rec = resolve_rec_by_id(r, resolve_s(c->container_id));
	struct resolve_cni *slot = NULL;

	if (!rec)
		rec = resolve_rec_new(r);
	if (rec)
		slot = resolve_grow(r, &rec->cni, &rec->n_cni, sizeof(*slot), RESOLVE_ENTRIES_MAX);
	if (!slot) {
		resolve_cni_done(c); /* ENOMEM */
		return;
	}
	rec->is_pod = true;
	if (c->container_id)
		resolve_rec_set_sandbox(r, rec, c->container_id);
	if (c->name && !rec->name)
		resolve_fill(r, &rec->source, c->file);
	resolve_fill(r, &rec->namespace_, c->namespace_);
	resolve_fill(r, &rec->name, c->name);
	resolve_rec_set_uid(r, rec, resolve_s(c->uid));
	if (c->netns && !rec->netns_path) {
		resolve_fill(r, &rec->netns_path, c->netns);
		resolve_fill(r, &rec->netns_source, c->file);
	}
	if (c->mtime > rec->mtime)
		rec->mtime = c->mtime;
	*slot = *c;
}

static void cni_file(struct resolve *r, DIR *d, const char *dir, const char *name, struct buf *b)
{
	struct resolve_cni c;
	struct stat st;
	int rc = resolve_fs_read_at(dirfd(d), name, b);

	if (rc) {
		resolve_deny(r, dir, -rc);
		return;
	}
	if (resolve_noted(r, resolve_cni_parse(buf_str(b), b->len, name, &c)))
		return;
	if (strcmp(resolve_s(c.ifname), "lo") == 0) {
		resolve_cni_done(&c);
		return;
	}
	c.file = resolve_fmt(r, "%s/%s", dir, name);
	if (fstatat(dirfd(d), name, &st, 0) == 0)
		c.mtime = st.st_mtim.tv_sec;
	cni_join(r, &c);
}

void resolve_cni_scan(struct resolve *r)
{
	struct buf b;

	buf_init(&b, RESOLVE_FILE_MAX);
	for (size_t i = 0; i < sizeof(cni_dirs) / sizeof(cni_dirs[0]); i++) {
		const char *name;
		unsigned n = 0;
		int error = 0;
		DIR *d = resolve_fs_opendir(&r->fs, cni_dirs[i], &error);

		if (!d) {
			resolve_deny(r, cni_dirs[i], error);
			continue;
		}
		while ((name = resolve_fs_next(d, &n)))
			cni_file(r, d, cni_dirs[i], name, &b);
		closedir(d);
	}
	buf_done(&b);
}
