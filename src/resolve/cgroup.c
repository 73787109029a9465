/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cgroup.c - container id, pod uid and runtime from /proc/<pid>/cgroup.
 *
 * Shapes come from kubernetes:pkg/kubelet/cm, containerd:internal/cri,
 * cri-o:internal/config/cgmgr, opencontainers/cgroups:systemd and kind:
 *   /kubepods[/QOS]/pod<uid>/<id>                        cgroupfs, any runtime
 *   /kubepods.slice/.../kubepods-QOS-pod<uid_>.slice/cri-containerd-<id>.scope
 *   /system.slice/containerd.service/kubepods-QOS-pod<uid_>.slice:cri-containerd:<id>
 *   /docker/<node id>/kubelet/kubepods/QOS/pod<uid>/<id>  kind, seen from outside
 *   /system.slice/docker-<id>.scope, /machine.slice/libpod-<id>.scope
 * with anything in front (a nested root) and behind (/container, /init.scope).
 * The pod's container is the first id behind the last pod uid: what comes
 * later was started inside that container.
 */
#include "resolve_priv.h"

#include <string.h>

static bool cg_is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static size_t cg_hex_run(const char *s, const char *end)
{
	size_t n = 0;

	while (n < (size_t)(end - s) && cg_is_hex(s[n]))
		n++;
	return n;
}

/* Length of a uid at s: 8-4-4-4-12 with '-' or '_', or 32 hex; 0 when it is none. */
static size_t cg_uid_len(const char *s, const char *end)
{
	static const uint8_t groups[] = { 8, 4, 4, 4, 12 };
	const char *p = s;

	if (cg_hex_run(s, end) == 32)
		return 32;
	for (size_t i = 0; i < sizeof(groups); i++) {
		if (i) {
			if (p == end || (*p != '-' && *p != '_'))
				return 0;
			p++;
		}
		if (cg_hex_run(p, end) != groups[i])
			return 0;
		p += groups[i];
	}
	return (size_t)(p - s);
}

static char cg_lower(char c)
{
	return c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
}

/* The last "pod<uid>" that starts a segment or follows a '-'. */
static const char *cg_find_uid(const char *path, const char *end, size_t *ret_len)
{
	const char *found = NULL, *p = path;
	const char *kube = memmem(path, (size_t)(end - path), "kubepods", 8);

	/*
	 * Seen from a cgroup namespace of its own, siblings look like
	 * /../pod<uid>/<id>: the word kubepods is then above the root.
	 */
	if (!kube && !(end - path >= 3 && memcmp(path, "/..", 3) == 0))
		return NULL;
	if (kube)
		p = kube + 8;
	while (end - p > 3) {
		const char *hit = memmem(p, (size_t)(end - p), "pod", 3);
		size_t n;

		if (!hit)
			break;
		p = hit + 3;
		if (hit == path || (hit[-1] != '/' && hit[-1] != '-'))
			continue;
		n = cg_uid_len(p, end);
		if (n) {
			found = p;
			*ret_len = n;
		}
	}
	return found;
}

/* A run of exactly 64 hex digits behind start, '/', '-' or ':'; the first or the last one. */
static const char *cg_find_id(const char *p, const char *end, bool first)
{
	const char *start = p, *found = NULL;

	while (p < end) {
		size_t n = cg_hex_run(p, end);

		if (n == RESOLVE_HEX_ID &&
		    (p == start || p[-1] == '/' || p[-1] == '-' || p[-1] == ':')) {
			found = p;
			if (first)
				break;
		}
		p += n ? n : 1;
	}
	return found;
}

static const char *cg_runtime(const char *path, const char *id)
{
	static const struct {
		const char *prefix, *runtime;
	} table[] = {
		{ "cri-containerd-", "containerd" },
		{ "cri-containerd:", "containerd" },
		{ "crio-", "cri-o" },
		{ "docker-", "docker" },
		{ "/docker/", "docker" },
		{ "libpod-", "podman" },
		{ "libpod-payload-", "podman" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].prefix);

		if ((size_t)(id - path) >= n && memcmp(id - n, table[i].prefix, n) == 0)
			return table[i].runtime;
	}
	return "";
}

static bool cg_parse_path(const char *path, const char *end, struct resolve_cgroup *ret)
{
	const char *uid, *id, *leaf;
	size_t uid_len = 0;

	*ret = (struct resolve_cgroup){ .runtime = "" };
	/*
	 * conmon watches a container from the host's namespaces; crun puts the
	 * container one level down, so the last two segments are looked at.
	 */
	leaf = memrchr(path, '/', (size_t)(end - path));
	if (leaf && leaf > path) {
		const char *up = memrchr(path, '/', (size_t)(leaf - path));

		if (up)
			leaf = up;
	}
	if (leaf && memmem(leaf, (size_t)(end - leaf), "conmon", 6))
		return false;
	uid = cg_find_uid(path, end, &uid_len);
	if (uid) {
		for (size_t i = 0; i < uid_len; i++)
			ret->uid[i] = uid[i] == '_' ? '-' : cg_lower(uid[i]);
		id = cg_find_id(uid + uid_len, end, true);
	} else {
		id = cg_find_id(path, end, false);
	}
	if (id) {
		for (size_t i = 0; i < RESOLVE_HEX_ID; i++)
			ret->id[i] = cg_lower(id[i]);
		ret->runtime = cg_runtime(path, id);
	}
	return uid || id;
}

bool resolve_cgroup_parse(const char *text, size_t len, struct resolve_cgroup *ret)
{
	const char *p = text, *end = text + len;
	struct resolve_cgroup best = { .runtime = "" };
	bool found = false;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *stop = nl ? nl : end;
		const char *c1 = memchr(p, ':', (size_t)(stop - p));
		const char *c2 = c1 ? memchr(c1 + 1, ':', (size_t)(stop - c1 - 1)) : NULL;
		struct resolve_cgroup one;

		/* version 1 has a line a controller, some of which may be at "/" */
		if (c2 && cg_parse_path(c2 + 1, stop, &one)) {
			if (!found || (!best.uid[0] && one.uid[0]) ||
			    (!best.id[0] && one.id[0] && !best.uid[0] == !one.uid[0])) {
				best = one;
				found = true;
			}
		}
		p = nl ? nl + 1 : end;
	}
	if (found)
		*ret = best;
	return found;
}
