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

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const cni_dirs[] = {
	"/var/lib/cni/results",
	"/var/lib/cni/cache/results",
};

static char *cni_dup(const json_t *value)
{
	const char *s = json_string_value(value);

	return s && *s ? strdup(s) : NULL;
}

static void cni_args(const json_t *args, struct resolve_cni *c)
{
	size_t i;
	json_t *pair;

	/* the order differs between runtimes, and containerd's is random */
	json_array_foreach(args, i, pair)
	{
		const char *key = json_string_value(json_array_get(pair, 0));
		const json_t *value = json_array_get(pair, 1);
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
		if (to) {
			free(*to);
			*to = cni_dup(value);
		}
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
	char *raw = len ? malloc(len) : NULL;
	json_t *root;

	if (!raw)
		return;
	n = cni_base64(text, raw, len);
	root = json_loadb(raw, n, 0, NULL);
	c->plugin = cni_dup(
		json_object_get(json_array_get(json_object_get(root, "plugins"), 0), "type"));
	if (!c->plugin)
		c->plugin = cni_dup(json_object_get(root, "type"));
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

static void cni_result(const json_t *result, struct resolve_cni *c)
{
	const json_t *interfaces = json_object_get(result, "interfaces");
	const json_t *ips = json_object_get(result, "ips");
	size_t i, own = SIZE_MAX;
	json_t *e;

	json_array_foreach(interfaces, i, e)
	{
		const char *name = json_string_value(json_object_get(e, "name"));
		const char *mac = json_string_value(json_object_get(e, "mac"));
		const char *sandbox = json_string_value(json_object_get(e, "sandbox"));

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
			if (!c->netns)
				c->netns = strdup(sandbox);
			if (!c->ifname)
				c->ifname = strdup(name);
		}
	}
	json_array_foreach(ips, i, e)
	{
		const json_t *index = json_object_get(e, "interface");

		if (json_is_integer(index) && own != SIZE_MAX &&
		    json_integer_value(index) != (json_int_t)own)
			continue;
		cni_add_ip(c, json_string_value(json_object_get(e, "address")));
	}
	cni_add_ip(c, json_string_value(json_object_get(json_object_get(result, "ip4"), "ip")));
	cni_add_ip(c, json_string_value(json_object_get(json_object_get(result, "ip6"), "ip")));
}

/*
 * "<network>-<64 hex>-<ifname>": the network may hold '-' itself, so the id is
 * looked for and the rest follows. Other ids cannot be told from the network.
 */
static void cni_file_name(const char *name, struct resolve_cni *c)
{
	size_t len = strlen(name);

	for (size_t i = 0; len > RESOLVE_HEX_ID + 2 && i < len - RESOLVE_HEX_ID - 1; i++) {
		if (name[i] != '-' || name[i + 1 + RESOLVE_HEX_ID] != '-')
			continue;
		if (strspn(name + i + 1, "0123456789abcdef") != RESOLVE_HEX_ID)
			continue;
		if (!c->network)
			c->network = strndup(name, i);
		if (!c->container_id)
			c->container_id = strndup(name + i + 1, RESOLVE_HEX_ID);
		if (!c->ifname)
			c->ifname = strdup(name + i + 2 + RESOLVE_HEX_ID);
		return;
	}
	if (!c->ifname && strrchr(name, '-'))
		c->ifname = strdup(strrchr(name, '-') + 1);
}

int resolve_cni_parse(const char *json, size_t len, const char *file_name, struct resolve_cni *ret)
{
	struct resolve_cni c = { .file = NULL };
	json_t *root = json_loadb(json, len, 0, NULL);
	const char *kind;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	kind = json_string_value(json_object_get(root, "kind"));
	if (kind && strcmp(kind, "cniCacheV1") == 0) {
		c.container_id = cni_dup(json_object_get(root, "containerId"));
		c.ifname = cni_dup(json_object_get(root, "ifName"));
		c.network = cni_dup(json_object_get(root, "networkName"));
		c.netns = cni_dup(json_object_get(root, "netns"));
		cni_args(json_object_get(root, "cniArgs"), &c);
		cni_config(json_string_value(json_object_get(root, "config")), &c);
		cni_file_name(file_name, &c);
		cni_result(json_object_get(root, "result"), &c);
	} else if (!kind && (json_object_get(root, "interfaces") || json_object_get(root, "ips") ||
			     json_object_get(root, "ip4") || json_object_get(root, "ip6") ||
			     json_object_get(root, "cniVersion"))) {
		cni_file_name(file_name, &c);
		cni_result(root, &c);
	} else {
		json_decref(root);
		return -EBADMSG;
	}
	json_decref(root);
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

/* Takes c into the record of its sandbox. */
static void cni_join(struct resolve *r, struct resolve_cni *c)
{
	struct resolve_rec *rec = NULL;
	struct resolve_cni *slot;

	if (c->container_id)
		rec = resolve_rec_by_id(r, c->container_id);
	if (!rec) {
		rec = resolve_rec_new(r);
		if (!rec)
			goto drop;
		if (c->container_id) {
			resolve_fill(r, &rec->sandbox_id, c->container_id);
			if (rec->sandbox_id && !resolve_index_add(&r->by_id, rec->sandbox_id,
								  (uint32_t)(rec - r->recs)))
				r->oom = true;
		}
	}
	rec->is_pod = true;
	if (c->name && !rec->name)
		resolve_fill(r, &rec->source, c->file);
	resolve_fill(r, &rec->namespace_, c->namespace_);
	resolve_fill(r, &rec->name, c->name);
	if (c->uid)
		resolve_rec_set_uid(r, rec, c->uid);
	if (c->netns && !rec->netns_path) {
		resolve_fill(r, &rec->netns_path, c->netns);
		resolve_fill(r, &rec->netns_source, c->file);
	}
	if (c->mtime > rec->mtime)
		rec->mtime = c->mtime;
	slot = grow(&rec->cni, &rec->n_cni, sizeof(*slot), RESOLVE_ENTRIES_MAX);
	if (slot) {
		*slot = *c;
		return;
	}
drop:
	r->oom = true;
	resolve_cni_done(c);
}

void resolve_cni_scan(struct resolve *r)
{
	struct buf b;

	buf_init(&b, RESOLVE_FILE_MAX);
	for (size_t i = 0; i < sizeof(cni_dirs) / sizeof(cni_dirs[0]); i++) {
		int error = 0;
		DIR *d = resolve_fs_opendir(&r->fs, cni_dirs[i], &error);
		struct dirent *e;

		if (!d) {
			resolve_deny(r, cni_dirs[i], error);
			continue;
		}
		for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
			struct resolve_cni c;
			struct stat st;
			int rc;

			if (e->d_name[0] == '.')
				continue;
			rc = resolve_fs_read_at(dirfd(d), e->d_name, &b);
			if (rc) {
				resolve_deny(r, cni_dirs[i], -rc);
				continue;
			}
			if (resolve_cni_parse(buf_str(&b), b.len, e->d_name, &c))
				continue;
			if (c.ifname && strcmp(c.ifname, "lo") == 0) {
				resolve_cni_done(&c);
				continue;
			}
			c.file = resolve_fmt(r, "%s/%s", cni_dirs[i], e->d_name);
			if (fstatat(dirfd(d), e->d_name, &st, 0) == 0)
				c.mtime = st.st_mtim.tv_sec;
			cni_join(r, &c);
		}
		closedir(d);
	}
	buf_done(&b);
}
