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
#include "resolve_json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOCKER_DIR "/var/lib/docker/containers"
#define DOCKER_NAME_PARTS 7 /* the seventh is a random suffix after a name clash */
#define DOCKER_PATH_MAX (NAME_MAX + sizeof("/hostconfig.json")) /* of the longer file's */

bool resolve_docker_name(const char *name, struct resolve_said *ret)
{
	const char *part[DOCKER_NAME_PARTS];
	size_t len[DOCKER_NAME_PARTS];
	unsigned n = 0;

	if (*name == '/')
		name++;
	for (;;) {
		part[n] = name;
		len[n] = strcspn(name, "_");
		name += len[n++];
		if (!*name)
			break;
		if (n == DOCKER_NAME_PARTS)
			return false;
		name++;
	}
	if (n < DOCKER_NAME_PARTS - 1 || len[0] != 3 || memcmp(part[0], "k8s", 3) != 0)
		return false;
	for (unsigned i = 1; i < 5; i++) {
		if (!len[i])
			return false;
	}
	if (len[1] == 3 && memcmp(part[1], "POD", 3) == 0)
		ret->is_sandbox = true;
	else
		resolve_copy(&ret->container, part[1], len[1], &ret->oom);
	resolve_copy(&ret->name, part[2], len[2], &ret->oom);
	resolve_copy(&ret->namespace_, part[3], len[3], &ret->oom);
	resolve_copy(&ret->uid, part[4], len[4], &ret->oom);
	ret->is_pod = true;
	return true;
}

int resolve_docker_parse(const char *json, size_t len, struct resolve_said *ret)
{
	struct resolve_said d = { .runtime = "docker" };
	json_t *root = resolve_json_object(json, len, &d.oom);
	const json_t *labels, *state, *net;
	const char *type, *name;
	json_int_t pid;

	resolve_json_fill(&d.id, root, "ID", &d.oom);
	if (!d.id) {
		json_decref(root);
		return d.oom ? -ENOMEM : -EBADMSG;
	}
	labels = json_object_get(json_object_get(root, "Config"), "Labels");
	state = json_object_get(root, "State");
	net = json_object_get(root, "NetworkSettings");
	type = resolve_json_text(labels, "io.kubernetes.docker.type");
	d.is_sandbox = type && strcmp(type, "podsandbox") == 0;
	resolve_json_fill(&d.name, labels, "io.kubernetes.pod.name", &d.oom);
	d.is_pod = type || d.name;
	resolve_json_fill(&d.namespace_, labels, "io.kubernetes.pod.namespace", &d.oom);
	resolve_json_fill(&d.uid, labels, "io.kubernetes.pod.uid", &d.oom);
	resolve_json_fill(&d.sandbox_id, labels, "io.kubernetes.sandbox.id", &d.oom);
	resolve_json_fill(&d.container, labels, "io.kubernetes.container.name", &d.oom);
	name = resolve_json_text(root, "Name");
	if (name && !resolve_docker_name(name, &d) && !d.is_pod)
		d.is_sandbox = true;
	pid = json_integer_value(json_object_get(state, "Pid"));
	if (pid > 0 && pid < (1 << 30))
		d.pid = (pid_t)pid;
	d.running = json_is_true(json_object_get(state, "Running")) || d.pid;
	if (d.is_sandbox) {
		free(d.container);
		free(d.sandbox_id);
		d.container = d.sandbox_id = NULL;
		resolve_copy(&d.sandbox_id, d.id, strlen(d.id), &d.oom);
		d.host_network = json_object_get(json_object_get(net, "Networks"), "host");
		resolve_json_fill(&d.netns, net, "SandboxKey", &d.oom);
	}
	json_decref(root);
	if (d.oom) { /* ENOMEM */
		resolve_container_done(&d);
		return -ENOMEM;
	}
	*ret = d;
	return 0;
}

/* NetworkMode of hostconfig.json: "host", "container:<id>", "none", ... */
static void docker_hostconfig(struct resolve *r, int dir, const char *id, struct resolve_said *d,
			      struct buf *b)
{
	static const char shares[] = "container:";
	char name[DOCKER_PATH_MAX];
	const char *mode;
	json_t *root;

	snprintf(name, sizeof(name), "%s/hostconfig.json", id);
	if (resolve_noted(r, resolve_fs_read_at(dir, name, b)))
		return;
	root = resolve_json_object(buf_str(b), b->len, &r->oom);
	mode = resolve_json_text(root, "NetworkMode");
	if (!mode)
		mode = "";
	if (strcmp(mode, "host") == 0 && d->is_sandbox)
		d->host_network = true;
	else if (strncmp(mode, shares, strlen(shares)) == 0)
		resolve_fill(r, &d->sandbox_id, mode + strlen(shares));
	json_decref(root);
}

/* One container's directory; the pause containers alone, or all others. */
static void docker_container(struct resolve *r, int dir, const char *id, bool sandboxes,
			     struct buf *b)
{
	char name[DOCKER_PATH_MAX];
	struct resolve_said d;
	bool may_add;
	char *file;

	snprintf(name, sizeof(name), "%s/config.v2.json", id);
	if (resolve_noted(r, resolve_fs_read_at(dir, name, b)) ||
	    resolve_noted(r, resolve_docker_parse(buf_str(b), b->len, &d)))
		return;
	if (d.is_sandbox == sandboxes) {
		docker_hostconfig(r, dir, id, &d, b);
		/* what a file says outlives a crash: a process has to be there */
		may_add = d.running && resolve_proc_find(r, d.pid);
		file = resolve_fmt(r, "%s/%s", DOCKER_DIR, name);
		if (file)
			resolve_container_join(r, &d, file, may_add);
		free(file);
	}
	resolve_container_done(&d);
}

void resolve_docker_scan(struct resolve *r)
{
	const char *name;
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
		unsigned n = 0;

		rewinddir(d);
		while ((name = resolve_fs_next(d, &n)))
			docker_container(r, dirfd(d), name, pass == 0, &b);
	}
	closedir(d);
	buf_done(&b);
}
