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

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

static char *oci_dup(const char *s)
{
	return s && *s ? strdup(s) : NULL;
}

static const char *oci_get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void oci_set(char **dst, const char *value)
{
	if (!*dst)
		*dst = oci_dup(value);
}

static void oci_containerd(const json_t *a, struct resolve_oci *o)
{
	const char *type = oci_get(a, "io.kubernetes.cri.container-type");

	o->runtime = "containerd";
	o->is_sandbox = type && strcmp(type, "sandbox") == 0;
	oci_set(&o->sandbox_id, oci_get(a, "io.kubernetes.cri.sandbox-id"));
	oci_set(&o->name, oci_get(a, "io.kubernetes.cri.sandbox-name"));
	oci_set(&o->namespace_, oci_get(a, "io.kubernetes.cri.sandbox-namespace"));
	oci_set(&o->uid, oci_get(a, "io.kubernetes.cri.sandbox-uid"));
	oci_set(&o->container, oci_get(a, "io.kubernetes.cri.container-name"));
}

static void oci_crio(const json_t *a, struct resolve_oci *o)
{
	const char *type = oci_get(a, "io.kubernetes.cri-o.ContainerType");
	const char *host = oci_get(a, "io.kubernetes.cri-o.HostNetwork");
	const char *labels_text = oci_get(a, "io.kubernetes.cri-o.Labels");
	const char *meta_text = oci_get(a, "io.kubernetes.cri-o.Metadata");
	json_t *labels = labels_text ? json_loads(labels_text, 0, NULL) : NULL;
	json_t *meta = meta_text ? json_loads(meta_text, 0, NULL) : NULL;

	o->runtime = "cri-o";
	o->is_sandbox = type && strcmp(type, "sandbox") == 0;
	o->host_network = host && strcmp(host, "true") == 0;
	oci_set(&o->sandbox_id, oci_get(a, "io.kubernetes.cri-o.SandboxID"));
	oci_set(&o->name, oci_get(a, "io.kubernetes.cri-o.KubeName"));
	oci_set(&o->namespace_, oci_get(a, "io.kubernetes.cri-o.Namespace"));
	oci_set(&o->name, oci_get(labels, "io.kubernetes.pod.name"));
	oci_set(&o->namespace_, oci_get(labels, "io.kubernetes.pod.namespace"));
	oci_set(&o->uid, oci_get(labels, "io.kubernetes.pod.uid"));
	if (o->is_sandbox) {
		oci_set(&o->name, oci_get(meta, "name"));
		oci_set(&o->namespace_, oci_get(meta, "namespace"));
		oci_set(&o->uid, oci_get(meta, "uid"));
	} else {
		oci_set(&o->container, oci_get(labels, "io.kubernetes.container.name"));
		oci_set(&o->container, oci_get(meta, "name"));
	}
	json_decref(labels);
	json_decref(meta);
}

int resolve_oci_parse(const char *json, size_t len, const char *id, struct resolve_oci *ret)
{
	json_t *root = json_loadb(json, len, 0, NULL), *ns;
	struct resolve_oci o = { .runtime = "" };
	const json_t *a, *spaces;
	bool own_network = false;
	size_t i;

	if (!json_is_object(root)) {
		json_decref(root);
		return -EBADMSG;
	}
	a = json_object_get(root, "annotations");
	if (oci_get(a, "io.kubernetes.cri.container-type")) {
		oci_containerd(a, &o);
	} else if (oci_get(a, "io.kubernetes.cri-o.ContainerType")) {
		oci_crio(a, &o);
	} else {
		json_decref(root);
		return -ENOMSG;
	}
	spaces = json_object_get(json_object_get(root, "linux"), "namespaces");
	json_array_foreach(spaces, i, ns)
	{
		const char *type = oci_get(ns, "type");

		if (type && strcmp(type, "network") == 0) {
			own_network = true;
			oci_set(&o.netns, oci_get(ns, "path"));
		}
	}
	/* without an entry the container stays where the runtime is: on the host */
	if (json_is_array(spaces) && !own_network)
		o.host_network = true;
	if (o.is_sandbox)
		oci_set(&o.sandbox_id, id);
	json_decref(root);
	*ret = o;
	return 0;
}

void resolve_oci_done(struct resolve_oci *o)
{
	free(o->sandbox_id);
	free(o->namespace_);
	free(o->name);
	free(o->uid);
	free(o->container);
	free(o->netns);
	*o = (struct resolve_oci){ .runtime = "" };
}

static pid_t oci_read_pid(int dir, const char *name)
{
	struct buf b;
	long pid = 0;

	buf_init(&b, 64);
	if (resolve_fs_read_at(dir, name, &b) == 0)
		pid = strtol(buf_str(&b), NULL, 10);
	buf_done(&b);
	return pid > 0 && pid < (1L << 30) ? (pid_t)pid : 0;
}

static void oci_join(struct resolve *r, const char *id, const struct resolve_oci *o, pid_t pid,
		     const char *file)
{
	const char *sandbox = resolve_s(o->sandbox_id);
	struct resolve_rec *rec = resolve_rec_by_id(r, sandbox);
	struct resolve_container *c;
	const struct resolve_proc *p;
	uint32_t at;

	if (!rec)
		rec = resolve_rec_by_id(r, id);
	/* a record that only a process's cgroup made knows its uid, not its sandbox */
	if (!rec && o->uid && resolve_index_find(&r->by_uid, o->uid, &at) &&
	    !r->recs[at].sandbox_id)
		rec = &r->recs[at];
	if (!rec)
		rec = resolve_rec_new(r);
	if (!rec)
		return;
	rec->is_pod = true;
	if (!rec->sandbox_id && *sandbox) {
		resolve_fill(r, &rec->sandbox_id, sandbox);
		if (rec->sandbox_id &&
		    !resolve_index_add(&r->by_id, rec->sandbox_id, (uint32_t)(rec - r->recs)))
			r->oom = true;
		c = rec->sandbox_id ? resolve_rec_has(rec, rec->sandbox_id) : NULL;
		if (c)
			c->sandbox = true;
	}
	if (o->name && !rec->name) {
		free(rec->source);
		rec->source = NULL;
		resolve_fill(r, &rec->source, file);
	}
	resolve_fill(r, &rec->namespace_, o->namespace_);
	resolve_fill(r, &rec->name, o->name);
	if (o->uid)
		resolve_rec_set_uid(r, rec, o->uid);
	if (!rec->runtime)
		resolve_fill(r, &rec->runtime, o->runtime);
	if (o->host_network)
		rec->host_network_said = true;
	if (o->netns && !rec->netns_path) {
		resolve_fill(r, &rec->netns_path, o->netns);
		resolve_fill(r, &rec->netns_source, file);
	}
	c = resolve_rec_container(r, rec, id);
	if (!c)
		return;
	c->sandbox = o->is_sandbox;
	resolve_fill(r, &c->name, o->container);
	if (!c->source)
		resolve_fill(r, &c->source, file);
	p = pid ? resolve_proc_find(r, pid) : NULL;
	if (p && (!p->cg.id[0] || strcmp(p->cg.id, id) == 0)) {
		c->pid = pid;
	} else if (!c->pid && resolve_index_find(&r->proc_by_id, id, &at)) {
		c->pid = r->procs[at].pid;
	}
}

/*
 * One bundle: dir is the directory that holds <id>. With a needle, only a text that has
 * it is parsed: that is ten times as fast, and ids and uids are never escaped.
 */
static void oci_bundle(struct resolve *r, const struct oci_root *root, int dir, const char *path,
		       const char *id, const char *needle, struct buf *b)
{
	struct resolve_oci o;
	char name[512];
	char *file;
	pid_t pid;

	if ((size_t)snprintf(name, sizeof(name), "%s/%sconfig.json", id, root->sub) >= sizeof(name))
		return;
	if (resolve_fs_read_at(dir, name, b) ||
	    (needle && (!b->len || !memmem(b->data, b->len, needle, strlen(needle)))) ||
	    resolve_oci_parse(buf_str(b), b->len, id, &o))
		return;
	file = resolve_fmt(r, "%s/%s", path, name);
	snprintf(name, sizeof(name), "%s/%s%s", id, root->sub, root->pid_file);
	pid = oci_read_pid(dir, name);
	if (file)
		oci_join(r, id, &o, pid, file);
	free(file);
	resolve_oci_done(&o);
}

typedef void oci_visit(struct resolve *r, const struct oci_root *root, DIR *d, const char *path,
		       void *arg, struct buf *b);

/* Calls visit for each directory that holds containers. */
static void oci_each_dir(struct resolve *r, oci_visit *visit, void *arg)
{
	struct buf b;

	buf_init(&b, RESOLVE_FILE_MAX);
	for (size_t i = 0; i < sizeof(oci_roots) / sizeof(oci_roots[0]); i++) {
		const struct oci_root *root = &oci_roots[i];
		int error = 0;
		DIR *d = resolve_fs_opendir(&r->fs, root->dir, &error);
		struct dirent *e;

		if (!d) {
			resolve_deny(r, root->dir, error);
			continue;
		}
		if (!root->namespaces)
			visit(r, root, d, root->dir, arg, &b);
		for (unsigned n = 0;
		     root->namespaces && n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
			char path[512];
			int fd;
			DIR *sub;

			if (e->d_name[0] == '.' ||
			    (size_t)snprintf(path, sizeof(path), "%s/%s", root->dir, e->d_name) >=
				    sizeof(path))
				continue;
			fd = openat(dirfd(d), e->d_name,
				    O_RDONLY | O_DIRECTORY | O_NONBLOCK | O_CLOEXEC);
			if (fd < 0) {
				resolve_deny(r, path, errno);
				continue;
			}
			sub = fdopendir(fd);
			if (!sub) {
				close(fd);
				continue;
			}
			visit(r, root, sub, path, arg, &b);
			closedir(sub);
		}
		closedir(d);
	}
	buf_done(&b);
}

static void oci_visit_all(struct resolve *r, const struct oci_root *root, DIR *d, const char *path,
			  void *arg, struct buf *b)
{
	struct dirent *e;

	(void)arg;
	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		const struct resolve_rec *rec = resolve_rec_by_id(r, e->d_name);

		/* only the container's name would be new: resolve_oci_scan_rec() gets it */
		if (rec && rec->name && rec->ns.ino)
			continue;
		if (e->d_name[0] != '.')
			oci_bundle(r, root, dirfd(d), path, e->d_name, NULL, b);
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
		char *id = strdup(r->recs[at].containers[i].id);

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
	struct dirent *e;

	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		if (e->d_name[0] != '.' && !resolve_rec_by_id(r, e->d_name))
			oci_bundle(r, root, dirfd(d), path, e->d_name, arg, b);
	}
}

static void oci_visit_prefix(struct resolve *r, const struct oci_root *root, DIR *d,
			     const char *path, void *arg, struct buf *b)
{
	const char *prefix = arg;
	struct dirent *e;

	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		if (e->d_name[0] != '.' && strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			oci_bundle(r, root, dirfd(d), path, e->d_name, NULL, b);
	}
}

void resolve_oci_scan_prefix(struct resolve *r, char *prefix)
{
	oci_each_dir(r, oci_visit_prefix, prefix);
}

void resolve_oci_scan_rec(struct resolve *r, struct resolve_rec *rec)
{
	size_t at = (size_t)(rec - r->recs);
	char *needle;

	if (rec->bundles_read)
		return;
	rec->bundles_read = true;
	oci_each_dir(r, oci_visit_rec, &at);
	if (r->have_bundles)
		return;
	rec = &r->recs[at];
	needle = rec->sandbox_id ? rec->sandbox_id : rec->uid;
	needle = needle ? strdup(needle) : NULL;
	if (needle)
		oci_each_dir(r, oci_visit_unknown, needle);
	free(needle);
}
