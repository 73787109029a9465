/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * docker.c - docker's own state on disk: pods of dockershim and cri-dockerd.
 *
 * /var/lib/docker/containers/<id>/config.v2.json says everything the API would:
 * State.Pid, Config.Labels, NetworkSettings. Kubernetes names its containers
 * k8s_<container>_<pod>_<namespace>_<uid>_<attempt>, the pause container "POD"
 * (cri-dockerd:core/naming.go), and labels them io.kubernetes.*.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCKER_DIR "/var/lib/docker/containers"
#define DOCKER_NAME_PARTS 7 /* the seventh is a random suffix after a name clash */

static const char *docker_get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void docker_set(char **dst, const char *value)
{
	if (!*dst && value && *value)
		*dst = strdup(value);
}

bool resolve_docker_name(const char *name, struct resolve_docker *ret)
{
	const char *part[DOCKER_NAME_PARTS + 1];
	size_t len[DOCKER_NAME_PARTS + 1];
	unsigned n = 0;

	if (*name == '/')
		name++;
	while (n <= DOCKER_NAME_PARTS) {
		part[n] = name;
		len[n] = strcspn(name, "_");
		name += len[n];
		n++;
		if (!*name)
			break;
		name++;
	}
	if ((n != 6 && n != 7) || len[0] != 3 || memcmp(part[0], "k8s", 3) != 0)
		return false;
	for (unsigned i = 1; i < 5; i++) {
		if (!len[i])
			return false;
	}
	if (!ret->container)
		ret->container = strndup(part[1], len[1]);
	if (!ret->name)
		ret->name = strndup(part[2], len[2]);
	if (!ret->namespace_)
		ret->namespace_ = strndup(part[3], len[3]);
	if (!ret->uid)
		ret->uid = strndup(part[4], len[4]);
	if (ret->container && strcmp(ret->container, "POD") == 0)
		ret->is_sandbox = true;
	ret->is_pod = true;
	return true;
}

int resolve_docker_parse(const char *json, size_t len, struct resolve_docker *ret)
{
	json_t *root = json_loadb(json, len, 0, NULL);
	struct resolve_docker d = { .pid = 0 };
	const json_t *labels, *state, *net;
	const char *type, *name;
	json_int_t pid;

	if (!json_is_object(root) || !docker_get(root, "ID")) {
		json_decref(root);
		return -EBADMSG;
	}
	labels = json_object_get(json_object_get(root, "Config"), "Labels");
	state = json_object_get(root, "State");
	net = json_object_get(root, "NetworkSettings");
	docker_set(&d.id, docker_get(root, "ID"));
	docker_set(&d.name, docker_get(labels, "io.kubernetes.pod.name"));
	docker_set(&d.namespace_, docker_get(labels, "io.kubernetes.pod.namespace"));
	docker_set(&d.uid, docker_get(labels, "io.kubernetes.pod.uid"));
	docker_set(&d.container, docker_get(labels, "io.kubernetes.container.name"));
	docker_set(&d.sandbox_id, docker_get(labels, "io.kubernetes.sandbox.id"));
	type = docker_get(labels, "io.kubernetes.docker.type");
	d.is_pod = type || d.name;
	d.is_sandbox = type && strcmp(type, "podsandbox") == 0;
	name = docker_get(root, "Name");
	if (name && !resolve_docker_name(name, &d) && !d.is_pod)
		d.is_sandbox = true;
	pid = json_integer_value(json_object_get(state, "Pid"));
	if (pid > 0 && pid < (1 << 30))
		d.pid = (pid_t)pid;
	d.running = json_is_true(json_object_get(state, "Running")) || d.pid;
	docker_set(&d.netns, docker_get(net, "SandboxKey"));
	if (json_object_get(json_object_get(net, "Networks"), "host"))
		d.host_network = true;
	json_decref(root);
	if (!d.id) {
		resolve_docker_done(&d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

void resolve_docker_done(struct resolve_docker *d)
{
	free(d->id);
	free(d->name);
	free(d->namespace_);
	free(d->uid);
	free(d->container);
	free(d->sandbox_id);
	free(d->netns);
	*d = (struct resolve_docker){ .pid = 0 };
}

/* NetworkMode of hostconfig.json: "host", "container:<id>", "none", ... */
static void docker_hostconfig(int dir, const char *id, struct resolve_docker *d, struct buf *b)
{
	char name[300];
	const char *mode;
	json_t *root;

	if ((size_t)snprintf(name, sizeof(name), "%s/hostconfig.json", id) >= sizeof(name) ||
	    resolve_fs_read_at(dir, name, b))
		return;
	root = json_loadb(buf_str(b), b->len, 0, NULL);
	mode = docker_get(root, "NetworkMode");
	if (mode && strcmp(mode, "host") == 0)
		d->host_network = true;
	else if (mode && strncmp(mode, "container:", 10) == 0)
		docker_set(&d->sandbox_id, mode + 10);
	json_decref(root);
}

static void docker_join(struct resolve *r, const struct resolve_docker *d, const char *file)
{
	const char *sandbox = d->is_sandbox || !d->sandbox_id ? d->id : d->sandbox_id;
	struct resolve_rec *rec = resolve_rec_by_id(r, sandbox);
	const struct resolve_proc *p = d->pid ? resolve_proc_find(r, d->pid) : NULL;
	struct resolve_container *c;
	uint32_t at;

	if (!rec)
		rec = resolve_rec_by_id(r, d->id);
	if (!rec && d->uid && resolve_index_find(&r->by_uid, d->uid, &at) &&
	    !r->recs[at].sandbox_id)
		rec = &r->recs[at];
	/* what no longer runs adds to a known pod, and makes none */
	if (!rec && (!d->running || !p))
		return;
	if (!rec)
		rec = resolve_rec_new(r);
	if (!rec)
		return;
	if (!rec->sandbox_id) {
		resolve_fill(r, &rec->sandbox_id, sandbox);
		if (rec->sandbox_id &&
		    !resolve_index_add(&r->by_id, rec->sandbox_id, (uint32_t)(rec - r->recs)))
			r->oom = true;
		c = rec->sandbox_id ? resolve_rec_has(rec, rec->sandbox_id) : NULL;
		if (c)
			c->sandbox = true;
	}
	if (d->is_pod)
		rec->is_pod = true;
	if (d->name && !rec->name) {
		free(rec->source);
		rec->source = NULL;
		resolve_fill(r, &rec->source, file);
	}
	resolve_fill(r, &rec->namespace_, d->namespace_);
	resolve_fill(r, &rec->name, d->name);
	if (d->uid)
		resolve_rec_set_uid(r, rec, d->uid);
	resolve_fill(r, &rec->runtime, "docker");
	if (d->is_sandbox && d->host_network)
		rec->host_network_said = true;
	if (d->is_sandbox && d->netns && !rec->netns_path && !d->host_network) {
		resolve_fill(r, &rec->netns_path, d->netns);
		resolve_fill(r, &rec->netns_source, file);
	}
	if (!d->running && !d->is_sandbox)
		return;
	c = resolve_rec_container(r, rec, d->id);
	if (!c)
		return;
	c->sandbox = d->is_sandbox;
	if (!d->is_sandbox)
		resolve_fill(r, &c->name, d->container);
	if (!c->source)
		resolve_fill(r, &c->source, file);
	if (p && (!p->cg.id[0] || strcmp(p->cg.id, d->id) == 0))
		c->pid = d->pid;
}

void resolve_docker_scan(struct resolve *r)
{
	struct dirent *e;
	struct buf b;
	int error = 0;
	DIR *d = resolve_fs_opendir(&r->fs, DOCKER_DIR, &error);

	if (!d) {
		resolve_deny(r, DOCKER_DIR, error);
		return;
	}
	buf_init(&b, RESOLVE_FILE_MAX);
	/* pause containers first, so that app containers find their sandbox's record */
	for (int pass = 0; pass < 2; pass++) {
		rewinddir(d);
		for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
			struct resolve_docker one;
			char name[300];
			char *file;

			if (e->d_name[0] == '.' ||
			    (size_t)snprintf(name, sizeof(name), "%s/config.v2.json", e->d_name) >=
				    sizeof(name))
				continue;
			if (resolve_fs_read_at(dirfd(d), name, &b) ||
			    resolve_docker_parse(buf_str(&b), b.len, &one))
				continue;
			if (one.is_sandbox == (pass == 0)) {
				docker_hostconfig(dirfd(d), e->d_name, &one, &b);
				file = resolve_fmt(r, "%s/%s", DOCKER_DIR, name);
				if (file)
					docker_join(r, &one, file);
				free(file);
			}
			resolve_docker_done(&one);
		}
	}
	closedir(d);
	buf_done(&b);
}
