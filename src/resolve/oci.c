/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * oci.c - OCI bundles on disk: container names and pids without a runtime call.
 *
 * Theory of operation. containerd (also k3s, rke2, microk8s) keeps a bundle a task in
 * <state>/io.containerd.runtime.v2.task/<ns>/<id>/{config.json,init.pid}, CRI-O in
 * <run root>/overlay-containers/<id>/userdata/{config.json,pidfile}. Annotations:
 * containerd:internal/cri/annotations, cri-o:internal/annotations. A pid is used
 * only while a process of that number lives in that container's cgroup.
 *
 * A config.json has some 20 KB, so reading every bundle of a full node is the one
 * slow source: pick.c asks for all of them only when the others left a question, and
 * bundles of containers that are known by then are left unread.
 */
#include "resolve_priv.h"
#include "resolve_json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OCI_PATH_MAX (NAME_MAX + 100) /* a root below, and one name */

/* Directories whose entries are containers; "%" stands for one level of any name. */
static const struct oci_root {
	const char *dir;
	bool namespaces; /* one more level: containerd's namespaces */
	const char *sub; /* of the container: where config.json lies */
	const char *pid_file;
} oci_roots[] = {
	{ "/run/containerd/io.containerd.runtime.v2.task", true, "", "init.pid" },
	{ "/run/k3s/containerd/io.containerd.runtime.v2.task", true, "", "init.pid" },
	{ "/run/containerd/io.containerd.runtime.v1.linux", true, "", "init.pid" },
	{ "/var/snap/microk8s/common/run/containerd/io.containerd.runtime.v2.task", true, "",
	  "init.pid" },
	{ "/run/containers/storage/overlay-containers", false, "userdata/", "pidfile" },
	{ "/var/run/containers/storage/overlay-containers", false, "userdata/", "pidfile" },
};

static void oci_containerd(const json_t *a, struct resolve_said *o)
{
	o->runtime = "containerd";
	resolve_json_fill(&o->sandbox_id, a, "io.kubernetes.cri.sandbox-id", &o->oom);
	resolve_json_fill(&o->name, a, "io.kubernetes.cri.sandbox-name", &o->oom);
	resolve_json_fill(&o->namespace_, a, "io.kubernetes.cri.sandbox-namespace", &o->oom);
	resolve_json_fill(&o->uid, a, "io.kubernetes.cri.sandbox-uid", &o->oom);
	resolve_json_fill(&o->container, a, "io.kubernetes.cri.container-name", &o->oom);
}

/* An annotation that is a JSON document itself; NULL. */
static json_t *oci_inner(const json_t *a, const char *key, bool *oom)
{
	const char *text = resolve_json_text(a, key);

	return text ? resolve_json_object(text, strlen(text), oom) : NULL;
}

static void oci_crio(const json_t *a, struct resolve_said *o)
{
	const char *host = resolve_json_text(a, "io.kubernetes.cri-o.HostNetwork");
	json_t *labels = oci_inner(a, "io.kubernetes.cri-o.Labels", &o->oom);
	json_t *meta = oci_inner(a, "io.kubernetes.cri-o.Metadata", &o->oom);

	o->runtime = "cri-o";
	o->host_network = host && strcmp(host, "true") == 0;
	resolve_json_fill(&o->sandbox_id, a, "io.kubernetes.cri-o.SandboxID", &o->oom);
	resolve_json_fill(&o->name, a, "io.kubernetes.cri-o.KubeName", &o->oom);
	resolve_json_fill(&o->namespace_, a, "io.kubernetes.cri-o.Namespace", &o->oom);
	resolve_json_fill(&o->name, labels, "io.kubernetes.pod.name", &o->oom);
	resolve_json_fill(&o->namespace_, labels, "io.kubernetes.pod.namespace", &o->oom);
	resolve_json_fill(&o->uid, labels, "io.kubernetes.pod.uid", &o->oom);
	if (o->is_sandbox) {
		resolve_json_fill(&o->name, meta, "name", &o->oom);
		resolve_json_fill(&o->namespace_, meta, "namespace", &o->oom);
		resolve_json_fill(&o->uid, meta, "uid", &o->oom);
	} else {
		resolve_json_fill(&o->container, labels, "io.kubernetes.container.name", &o->oom);
		resolve_json_fill(&o->container, meta, "name", &o->oom);
	}
	json_decref(labels);
	json_decref(meta);
}

/* The network namespace: its path. Without an entry the container stays where the runtime is. */
static void oci_network(const json_t *spaces, struct resolve_said *o)
{
	bool own = false;

	for (size_t i = 0; i < json_array_size(spaces); i++) {
		const json_t *ns = json_array_get(spaces, i);
		const char *type = resolve_json_text(ns, "type");

		if (!type || strcmp(type, "network") != 0)
			continue;
		own = true;
		resolve_json_fill(&o->netns, ns, "path", &o->oom);
	}
	if (json_is_array(spaces) && !own)
		o->host_network = true;
}

int resolve_oci_parse(const char *json, size_t len, const char *id, struct resolve_said *ret)
{
	struct resolve_said o = { .running = true, .is_pod = true, .runtime = "" };
	json_t *root = resolve_json_object(json, len, &o.oom);
	const json_t *a = json_object_get(root, "annotations");
	const char *cri = resolve_json_text(a, "io.kubernetes.cri.container-type");
	const char *type = cri ? cri : resolve_json_text(a, "io.kubernetes.cri-o.ContainerType");

	if (!type) {
		json_decref(root);
		return o.oom ? -ENOMEM : root ? -ENOMSG : -EBADMSG;
	}
	o.is_sandbox = strcmp(type, "sandbox") == 0;
	if (cri)
		oci_containerd(a, &o);
	else
		oci_crio(a, &o);
	oci_network(json_object_get(json_object_get(root, "linux"), "namespaces"), &o);
	resolve_copy(&o.id, id, strlen(id), &o.oom);
	if (o.is_sandbox)
		resolve_copy(&o.sandbox_id, id, strlen(id), &o.oom);
	json_decref(root);
	if (o.oom) { /* ENOMEM */
		resolve_container_done(&o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

static pid_t oci_read_pid(struct resolve *r, int dir, const char *name)
{
	struct buf b;
	long pid = 0;

	buf_init(&b, 64);
	if (resolve_noted(r, resolve_fs_read_at(dir, name, &b)) == 0)
		pid = strtol(buf_str(&b), NULL, 10);
	buf_done(&b);
	return pid > 0 && pid < (1L << 30) ? (pid_t)pid : 0;
}

/*
 * One bundle: dir is the directory that holds <id>. With a needle, only a text that has
 * it is parsed: that is ten times as fast, and ids and uids are never escaped.
 */
static void oci_bundle(struct resolve *r, const struct oci_root *root, int dir, const char *path,
		       const char *id, const char *needle, struct buf *b)
{
	struct resolve_said o;
	char name[512];
	char *file;

	/* ids that files name may have any length */
	if ((size_t)snprintf(name, sizeof(name), "%s/%sconfig.json", id, root->sub) >= sizeof(name))
		return;
	if (resolve_noted(r, resolve_fs_read_at(dir, name, b)) ||
	    (needle && !strstr(buf_str(b), needle)) ||
	    resolve_noted(r, resolve_oci_parse(buf_str(b), b->len, id, &o)))
		return;
	file = resolve_fmt(r, "%s/%s", path, name);
	snprintf(name, sizeof(name), "%s/%s%s", id, root->sub, root->pid_file);
	o.pid = oci_read_pid(r, dir, name);
	if (file)
		resolve_container_join(r, &o, file, true);
	free(file);
	resolve_container_done(&o);
}

typedef void oci_visit(struct resolve *r, const struct oci_root *root, DIR *d, const char *path,
		       void *arg, struct buf *b);

/* containerd's namespaces: each holds containers. */
static void oci_namespaces(struct resolve *r, const struct oci_root *root, DIR *d, oci_visit *visit,
			   void *arg, struct buf *b)
{
	char path[OCI_PATH_MAX];
	const char *name;
	unsigned n = 0;

	while ((name = resolve_fs_next(d, &n))) {
		int error = 0;
		DIR *sub = resolve_fs_opendir_at(dirfd(d), name, &error);

		snprintf(path, sizeof(path), "%s/%s", root->dir, name);
		if (sub) {
			visit(r, root, sub, path, arg, b);
			closedir(sub);
		} else {
			resolve_deny(r, path, error);
		}
	}
}

/* Calls visit for each directory that holds containers. */
static void oci_each_dir(struct resolve *r, oci_visit *visit, void *arg)
{
	struct buf b;

	buf_init(&b, RESOLVE_FILE_MAX);
	for (size_t i = 0; i < sizeof(oci_roots) / sizeof(oci_roots[0]); i++) {
		const struct oci_root *root = &oci_roots[i];
		int error = 0;
		DIR *d = resolve_fs_opendir(&r->fs, root->dir, &error);

		if (!d) {
			resolve_deny(r, root->dir, error);
			continue;
		}
		if (root->namespaces)
			oci_namespaces(r, root, d, visit, arg, &b);
		else
			visit(r, root, d, root->dir, arg, &b);
		closedir(d);
	}
	buf_done(&b);
}

static void oci_visit_all(struct resolve *r, const struct oci_root *root, DIR *d, const char *path,
			  void *arg, struct buf *b)
{
	const char *name;
	unsigned n = 0;

	(void)arg;
	while ((name = resolve_fs_next(d, &n))) {
		const struct resolve_rec *rec = resolve_rec_by_id(r, name);

		/* only the container's name would be new: resolve_oci_scan_rec() gets it */
		if (!rec || !rec->name || !rec->ns.ino)
			oci_bundle(r, root, dirfd(d), path, name, NULL, b);
	}
}

void resolve_oci_scan(struct resolve *r)
{
	oci_each_dir(r, oci_visit_all, NULL);
}

static void oci_visit_rec(struct resolve *r, const struct oci_root *root, DIR *d, const char *path,
			  void *arg, struct buf *b)
{
	size_t at = *(const size_t *)arg;

	if (r->recs[at].sandbox_id)
		oci_bundle(r, root, dirfd(d), path, r->recs[at].sandbox_id, NULL, b);
	/* the bundles found may add containers, which are then known already */
	for (unsigned i = 0, n = r->recs[at].n_containers; i < n; i++) {
		char *id = NULL;

		resolve_fill(r, &id, r->recs[at].containers[i].id);
		if (id && strcmp(id, resolve_s(r->recs[at].sandbox_id)) != 0)
			oci_bundle(r, root, dirfd(d), path, id, NULL, b);
		free(id);
	}
}

/*
 * Containers that nothing has named so far: their cgroup does not say their id, or they
 * have no process at present. The bundle names the sandbox.
 */
static void oci_visit_unknown(struct resolve *r, const struct oci_root *root, DIR *d,
			      const char *path, void *arg, struct buf *b)
{
	const char *name;
	unsigned n = 0;

	while ((name = resolve_fs_next(d, &n))) {
		if (!resolve_rec_by_id(r, name))
			oci_bundle(r, root, dirfd(d), path, name, arg, b);
	}
}

static void oci_visit_prefix(struct resolve *r, const struct oci_root *root, DIR *d,
			     const char *path, void *arg, struct buf *b)
{
	const char *prefix = arg, *name;
	unsigned n = 0;

	while ((name = resolve_fs_next(d, &n))) {
		if (strncmp(name, prefix, strlen(prefix)) == 0)
			oci_bundle(r, root, dirfd(d), path, name, NULL, b);
	}
}

void resolve_oci_scan_prefix(struct resolve *r, char *prefix)
{
	oci_each_dir(r, oci_visit_prefix, prefix);
}

void resolve_oci_scan_rec(struct resolve *r, struct resolve_rec *rec)
{
	size_t at = (size_t)(rec - r->recs);
	char *needle = NULL;

	if (rec->bundles_read)
		return;
	rec->bundles_read = true;
	oci_each_dir(r, oci_visit_rec, &at);
	if (r->have_bundles)
		return;
	rec = &r->recs[at];
	resolve_fill(r, &needle, rec->sandbox_id);
	resolve_fill(r, &needle, rec->uid);
	if (needle)
		oci_each_dir(r, oci_visit_unknown, needle);
	free(needle);
}
