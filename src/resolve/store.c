/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.c - joins what the readers found into one record a sandbox.
 *
 * Theory of operation. Sources name the same pod by different keys:
 *   CNI cache     sandbox id, namespace/name, (uid), netns path
 *   OCI, docker   container id -> sandbox id, names, netns path, pid
 *   /proc         pid -> namespace inode, container id, uid
 *   pod logs      uid <-> namespace/name
 * The sandbox id is the record's key where it is known; a process joins by its
 * container id, else by its pod uid, else by its network namespace. A record is
 * alive when a namespace, a process or the host veth of its claim proves it:
 * files alone, which survive crashes and reboots, never do.
 *
 * Everything is linear in files, processes and records but for lookups through
 * the two indexes and the sorted process table.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void resolve_copy(char **dst, const char *s, size_t n, bool *oom)
{
	if (*dst || !n)
		return;
	*dst = strndup(s, n);
	if (!*dst)
		*oom = true; /* ENOMEM */
}

void resolve_fill(struct resolve *r, char **dst, const char *src)
{
	if (src)
		resolve_copy(dst, src, strlen(src), &r->oom);
}

char *resolve_fmt(struct resolve *r, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&s, fmt, ap);
	va_end(ap);
	if (n < 0) {
		r->oom = true;
		return NULL;
	}
	return s;
}

void resolve_deny(struct resolve *r, const char *path, int error)
{
	(void)resolve_noted(r, -error);
	if ((error == EACCES || error == EPERM) && !r->denied[0])
		snprintf(r->denied, sizeof(r->denied), "%.200s", path);
}

int resolve_noted(struct resolve *r, int rc)
{
	if (rc == -ENOMEM)
		r->oom = true;
	return rc;
}

void *resolve_grow(struct resolve *r, void *array_ptr, unsigned *n, size_t size, unsigned max)
{
	void *element = grow(array_ptr, n, size, max);

	if (!element && *n < max)
		r->oom = true; /* ENOMEM */
	return element;
}

struct resolve_rec *resolve_rec_new(struct resolve *r)
{
	struct resolve_rec *rec =
		resolve_grow(r, &r->recs, &r->n_recs, sizeof(*rec), RESOLVE_RECS_MAX);

	if (rec)
		rec->nsid = -1;
	return rec;
}

struct resolve_rec *resolve_rec_by_id(struct resolve *r, const char *id)
{
	uint32_t at;

	return *id && resolve_index_find(&r->by_id, id, &at) ? &r->recs[at] : NULL;
}

void resolve_rec_set_uid(struct resolve *r, struct resolve_rec *rec, const char *uid)
{
	uint32_t at;

	if (rec->uid || !*uid)
		return;
	resolve_fill(r, &rec->uid, uid);
	if (!rec->uid)
		return;
	if (resolve_index_find(&r->by_uid, rec->uid, &at))
		r->uid_twice = true;
	else if (!resolve_index_add(&r->by_uid, rec->uid, (uint32_t)(rec - r->recs)))
		r->oom = true;
}

void resolve_rec_set_sandbox(struct resolve *r, struct resolve_rec *rec, const char *id)
{
	struct resolve_container *c;

	if (rec->sandbox_id)
		return;
	resolve_fill(r, &rec->sandbox_id, id);
	if (!rec->sandbox_id)
		return; /* ENOMEM, noted */
	if (!resolve_index_add(&r->by_id, rec->sandbox_id, (uint32_t)(rec - r->recs)))
		r->oom = true; /* ENOMEM */
	c = resolve_rec_has(rec, rec->sandbox_id);
	if (c)
		c->sandbox = true;
}

struct resolve_container *resolve_rec_has(struct resolve_rec *rec, const char *id)
{
	for (unsigned i = 0; i < rec->n_containers; i++) {
		if (strcmp(rec->containers[i].id, id) == 0)
			return &rec->containers[i];
	}
	return NULL;
}

struct resolve_container *resolve_rec_container(struct resolve *r, struct resolve_rec *rec,
						const char *id)
{
	struct resolve_container *c = resolve_rec_has(rec, id);
	char *copy;

	if (c)
		return c;
	copy = strdup(id);
	if (!copy) {
		r->oom = true; /* ENOMEM */
		return NULL;
	}
	c = resolve_grow(r, &rec->containers, &rec->n_containers, sizeof(*c), RESOLVE_ENTRIES_MAX);
	if (!c) {
		free(copy);
		return NULL;
	}
	c->id = copy;
	c->sandbox = rec->sandbox_id && strcmp(id, rec->sandbox_id) == 0;
	if (!resolve_index_add(&r->by_id, c->id, (uint32_t)(rec - r->recs)))
		r->oom = true;
	return c;
}

/*
 * Looks at the namespace that a file names. /proc/<pid>/ns/net (cri-dockerd) is
 * only as good as the pid: after its death another process may have the number.
 */
static void store_netns(struct resolve *r, struct resolve_rec *rec)
{
	const struct resolve_proc *p;
	struct resolve_netns ns;
	char *end;
	long pid;
	int fd;

	if (rec->ns.ino || !rec->netns_path)
		return;
	if (strncmp(rec->netns_path, "/proc/", 6) == 0) {
		pid = strtol(rec->netns_path + 6, &end, 10);
		p = *end == '/' ? resolve_proc_find(r, (pid_t)pid) : NULL;
		if (!p ||
		    (p->cg.id[0] && rec->sandbox_id && strlen(rec->sandbox_id) == RESOLVE_HEX_ID &&
		     strcmp(p->cg.id, rec->sandbox_id) != 0))
			return;
		if (!p->cg.id[0] && resolve_netns_eq(&p->ns, &r->own))
			return;
	}
	fd = resolve_netns_open(&r->fs, rec->netns_path, &ns);
	if (fd == -EACCES || fd == -EPERM)
		rec->netns_denied = true;
	if (fd < 0)
		return;
	close(fd);
	rec->ns = ns;
}

static void store_take_proc(struct resolve *r, struct resolve_rec *rec,
			    const struct resolve_proc *p)
{
	struct resolve_container *c;

	rec->is_pod = rec->is_pod || p->cg.uid[0];
	resolve_rec_set_uid(r, rec, p->cg.uid);
	resolve_fill(r, &rec->runtime, p->cg.runtime);
	c = resolve_rec_container(r, rec, p->cg.id);
	if (c && !c->pid)
		c->pid = p->pid; /* lowest first: the container's init, but for wrapped numbers */
	if (c && !c->source)
		c->source = resolve_fmt(r, "/proc/%d/cgroup", (int)p->pid);
	/* a record that files gave a namespace keeps it; nested ones come later */
	if (!rec->ns.ino && (c == NULL || c->pid == p->pid))
		rec->ns = p->ns;
}

static struct resolve_rec *store_rec_of(struct resolve *r, const struct resolve_proc *p)
{
	uint32_t at;

	if (resolve_index_find(&r->by_uid, p->cg.uid, &at)) {
		struct resolve_rec *first = &r->recs[at];

		/* a sandbox made anew: the process's namespace says which */
		for (unsigned i = 0; r->uid_twice && i < r->n_recs; i++) {
			/* n_recs above 0 comes with recs. NOLINTNEXTLINE(clang-analyzer-core.*) */
			if (r->recs[i].uid && strcmp(r->recs[i].uid, p->cg.uid) == 0 &&
			    resolve_netns_eq(&r->recs[i].ns, &p->ns))
				return &r->recs[i];
		}
		return first;
	}
	for (unsigned i = 0; i < r->n_recs; i++) {
		/* As above. NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		if (!r->recs[i].uid && resolve_netns_eq(&r->recs[i].ns, &p->ns) &&
		    !resolve_netns_eq(&p->ns, &r->own))
			return &r->recs[i];
	}
	return resolve_rec_new(r);
}

static void store_join_procs(struct resolve *r)
{
	for (unsigned i = 0; i < r->n_procs; i++) {
		const struct resolve_proc *p = &r->procs[i];
		struct resolve_rec *rec = resolve_rec_by_id(r, p->cg.id);

		if (rec)
			store_take_proc(r, rec, p);
	}
	for (unsigned i = 0; i < r->n_procs; i++) {
		const struct resolve_proc *p = &r->procs[i];
		struct resolve_rec *rec;

		/* without a container id it may be a shim, which lives on the host */
		if (!p->cg.uid[0] || !p->cg.id[0] || resolve_rec_by_id(r, p->cg.id))
			continue;
		rec = store_rec_of(r, p);
		if (rec)
			store_take_proc(r, rec, p);
	}
}

static void store_join_logs(struct resolve *r)
{
	struct resolve_index by_uid = { .slots = NULL };

	for (unsigned i = 0; i < r->n_logs; i++) {
		if (!resolve_index_add(&by_uid, r->logs[i].uid, i))
			r->oom = true;
	}
	for (unsigned i = 0; i < r->n_recs; i++) {
		struct resolve_rec *rec = &r->recs[i];
		const struct resolve_log *log = NULL;
		unsigned n = 0;
		uint32_t at;

		if (rec->uid && !rec->name && resolve_index_find(&by_uid, rec->uid, &at)) {
			log = &r->logs[at];
			resolve_fill(r, &rec->namespace_, log->namespace_);
			resolve_fill(r, &rec->name, log->name);
			free(rec->source);
			rec->source = resolve_fmt(r, "/var/log/pods/%s_%s_%s", log->namespace_,
						  log->name, log->uid);
			continue;
		}
		/* cri-dockerd's cache has no uid; two directories of one name decide nothing */
		for (unsigned j = 0; !rec->uid && rec->name && j < r->n_logs; j++) {
			if (strcmp(r->logs[j].name, rec->name) == 0 &&
			    strcmp(r->logs[j].namespace_, resolve_s(rec->namespace_)) == 0) {
				log = &r->logs[j];
				n++;
			}
		}
		if (n == 1)
			resolve_rec_set_uid(r, rec, log->uid);
	}
	resolve_index_done(&by_uid);
}

const struct resolve_link *resolve_rec_claim(const struct resolve *r, const struct resolve_rec *rec)
{
	for (unsigned i = 0; i < rec->n_cni; i++) {
		for (unsigned j = 0; j < rec->cni[i].n_hosts; j++) {
			const struct resolve_link *l =
				resolve_host_link_named(r, rec->cni[i].hosts[j].name);

			if (l && strcmp(l->l.kind, "veth") == 0 && l->l.link_netnsid >= 0 &&
			    (mac_is_none(&rec->cni[i].hosts[j].mac) ||
			     mac_eq(&rec->cni[i].hosts[j].mac, &l->l.mac)))
				return l;
		}
	}
	return NULL;
}

/*
 * The namespace of a process that a runtime's file names, where no path of it could be
 * opened. The file may outlive its container, and another process may have the number:
 * one in the host's own namespace is believed only of a pod said to use it.
 */
static void store_take_ns(struct resolve *r, struct resolve_rec *rec,
			  const struct resolve_container *c, const struct resolve_proc *p)
{
	if (rec->ns.ino || !p->ns.ino)
		return;
	if (p->cg.id[0] ? strcmp(p->cg.id, c->id) != 0
			: resolve_netns_eq(&p->ns, &r->own) && !rec->host_network_said)
		return;
	rec->ns = p->ns;
	if (rec->nsid < 0)
		rec->nsid_asked = false;
}

void resolve_rec_settle(struct resolve *r, struct resolve_rec *rec)
{
	const struct resolve_proc *p = NULL;
	pid_t any = 0, before = rec->pid;

	rec->pid = 0;
	for (int pass = 0; pass < 2 && !rec->pid; pass++) {
		for (unsigned i = 0; i < rec->n_containers; i++) {
			const struct resolve_container *c = &rec->containers[i];

			if (!c->pid || c->sandbox != (pass == 0))
				continue;
			p = resolve_proc_find(r, c->pid);
			if (!p)
				continue;
			if (!any)
				any = c->pid;
			store_take_ns(r, rec, c, p);
			if (!rec->ns.ino || resolve_netns_eq(&rec->ns, &p->ns)) {
				rec->pid = c->pid;
				break;
			}
		}
	}
	if (!rec->pid && rec->ns.ino && !resolve_netns_eq(&rec->ns, &r->own)) {
		p = resolve_proc_in(r, &rec->ns);
		if (p)
			rec->pid = p->pid;
	}
	if (!rec->pid)
		rec->pid = before;
	p = rec->asked_pid ? resolve_proc_find(r, rec->asked_pid) : NULL;
	if (p && (!rec->ns.ino || !p->ns.ino || resolve_netns_eq(&rec->ns, &p->ns)))
		rec->pid = p->pid;
	if (rec->ns.ino || any || rec->pid || resolve_rec_claim(r, rec))
		rec->alive = true;
	rec->host_network = resolve_netns_eq(&rec->ns, &r->own) ||
			    (!rec->ns.ino && rec->host_network_said && any);
}

static void store_join(struct resolve *r)
{
	for (unsigned i = 0; i < r->n_recs; i++)
		store_netns(r, &r->recs[i]);
	store_join_procs(r);
	store_join_logs(r);
	for (unsigned i = 0; i < r->n_recs; i++)
		resolve_rec_settle(r, &r->recs[i]);
}

struct resolve_rec *resolve_rec_anonymous(struct resolve *r, const struct resolve_netns *ns,
					  const char *path, pid_t pid)
{
	struct resolve_rec *rec = resolve_rec_new(r);

	if (!rec)
		return NULL;
	if (ns)
		rec->ns = *ns;
	resolve_fill(r, &rec->netns_path, path);
	resolve_rec_settle(r, rec);
	if (pid) {
		rec->pid = pid;
		rec->alive = true;
	}
	return rec;
}

bool resolve_rec_is_known(const struct resolve_rec *rec)
{
	return rec->is_pod || rec->sandbox_id || rec->n_containers;
}

int resolve_store_load(struct resolve *r, bool all, struct err *err)
{
	bool more = false;

	if (!r->have_pods) {
		struct buf b;

		r->have_pods = true;
		more = true;
		resolve_cni_scan(r);
		resolve_hostlocal_scan(r);
		resolve_podlogs_scan(r);
		resolve_proc_scan(r);
		resolve_docker_scan(r);
		buf_init(&b, 65536);
		if (resolve_fs_read(&r->fs, "/run/flannel/subnet.env", &b) == 0)
			resolve_fill(r, &r->subnet_env, buf_str(&b));
		buf_done(&b);
	}
	if (all && !r->have_bundles) {
		r->have_bundles = true;
		more = true;
		resolve_oci_scan(r);
	}
	if (more)
		store_join(r);
	if (r->oom)
		return err_sys(err, ENOMEM, "read the node's pods");
	return 0;
}

static void store_rec_done(struct resolve_rec *rec)
{
	free(rec->sandbox_id);
	free(rec->namespace_);
	free(rec->name);
	free(rec->uid);
	free(rec->runtime);
	free(rec->source);
	free(rec->netns_path);
	free(rec->netns_source);
	for (unsigned i = 0; i < rec->n_cni; i++)
		resolve_cni_done(&rec->cni[i]);
	free(rec->cni);
	for (unsigned i = 0; i < rec->n_containers; i++) {
		free(rec->containers[i].id);
		free(rec->containers[i].name);
		free(rec->containers[i].source);
	}
	free(rec->containers);
}

void resolve_store_done(struct resolve *r)
{
	for (unsigned i = 0; i < r->n_recs; i++)
		store_rec_done(&r->recs[i]);
	free(r->recs);
	resolve_index_done(&r->by_id);
	resolve_index_done(&r->by_uid);
	resolve_index_done(&r->proc_by_id);
	free(r->procs);
	free(r->procs_by_ns);
	for (unsigned i = 0; i < r->n_logs; i++)
		resolve_log_done(&r->logs[i]);
	free(r->logs);
	for (unsigned i = 0; i < r->n_leases; i++)
		resolve_lease_done(&r->leases[i]);
	free(r->leases);
	free(r->subnet_env);
	r->recs = NULL;
	r->procs = NULL;
	r->procs_by_ns = NULL;
	r->logs = NULL;
	r->leases = NULL;
	r->subnet_env = NULL;
	r->n_recs = r->n_procs = r->n_logs = r->n_leases = 0;
	r->have_pods = r->have_bundles = r->uid_twice = false;
}
