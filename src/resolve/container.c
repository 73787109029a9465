/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * container.c - what a runtime's file says of one container, joined into the store.
 *
 * The rules are one for all runtimes: the record of its sandbox, else of itself, else of the
 * pod's uid; what a record knows already stays; a pid counts only while a process of that
 * number lives in that container's cgroup.
 */
#include "resolve_priv.h"

#include <stdlib.h>
#include <string.h>

void resolve_container_done(struct resolve_said *c)
{
	free(c->id);
	free(c->sandbox_id);
	free(c->namespace_);
	free(c->name);
	free(c->uid);
	free(c->container);
	free(c->netns);
	*c = (struct resolve_said){ .runtime = "" };
}

static struct resolve_rec *container_rec(struct resolve *r, const struct resolve_said *c)
{
	struct resolve_rec *rec = resolve_rec_by_id(r, resolve_s(c->sandbox_id));
	uint32_t at;

	if (!rec)
		rec = resolve_rec_by_id(r, c->id);
	/* a record that only a process's cgroup made knows its uid, not its sandbox */
	if (!rec && c->uid && resolve_index_find(&r->by_uid, c->uid, &at) &&
	    !r->recs[at].sandbox_id)
		rec = &r->recs[at];
	return rec;
}

/* The process that it runs as, by the file's word or by the processes' own. */
static void container_pid(struct resolve *r, const struct resolve_said *c,
			  struct resolve_container *to)
{
	const struct resolve_proc *p = c->pid ? resolve_proc_find(r, c->pid) : NULL;
	uint32_t at;

	if (p && (!p->cg.id[0] || strcmp(p->cg.id, c->id) == 0))
		to->pid = c->pid;
	else if (!to->pid && resolve_index_find(&r->proc_by_id, c->id, &at))
		to->pid = r->procs[at].pid;
}

void resolve_container_join(struct resolve *r, const struct resolve_said *c, const char *file,
			    bool may_add)
{
	struct resolve_rec *rec = container_rec(r, c);
	struct resolve_container *to;

	if (!rec && may_add)
		rec = resolve_rec_new(r);
	if (!rec)
		return;
	rec->is_pod = rec->is_pod || c->is_pod;
	if (c->sandbox_id)
		resolve_rec_set_sandbox(r, rec, c->sandbox_id);
	if (c->name && !rec->name) {
		free(rec->source);
		rec->source = NULL;
		resolve_fill(r, &rec->source, file);
	}
	resolve_fill(r, &rec->namespace_, c->namespace_);
	resolve_fill(r, &rec->name, c->name);
	resolve_rec_set_uid(r, rec, resolve_s(c->uid));
	resolve_fill(r, &rec->runtime, c->runtime);
	rec->host_network_said = rec->host_network_said || c->host_network;
	/* docker names one for the host's network, too */
	if (c->netns && !rec->netns_path && !c->host_network) {
		resolve_fill(r, &rec->netns_path, c->netns);
		resolve_fill(r, &rec->netns_source, file);
	}
	/* what no longer runs has nothing more to say of the pod */
	if (!c->running && !c->is_sandbox)
		return;
	to = resolve_rec_container(r, rec, c->id);
	if (!to)
		return; /* ENOMEM, noted */
	to->sandbox = c->is_sandbox;
	resolve_fill(r, &to->name, c->container);
	resolve_fill(r, &to->source, file);
	container_pid(r, c, to);
}
