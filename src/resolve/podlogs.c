/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * podlogs.c - pod names from the kubelet's log directories.
 *
 * /var/log/pods/<namespace>_<name>_<uid> (kubelet, BuildPodLogsDirectory): '_' is
 * in no Kubernetes name, so three parts are certain. The directory may outlive
 * the pod: it gives a name to a uid, never life.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PODLOGS_DIR "/var/log/pods"

int resolve_podlog_parse(const char *dir, struct resolve_log *ret)
{
	const char *a = strchr(dir, '_');
	const char *b = a ? strchr(a + 1, '_') : NULL;
	struct resolve_log l = { .uid = NULL };
	bool oom = false;

	if (!b || strchr(b + 1, '_') || a == dir || b == a + 1 || !b[1])
		return -EBADMSG;
	resolve_copy(&l.namespace_, dir, (size_t)(a - dir), &oom);
	resolve_copy(&l.name, a + 1, (size_t)(b - a - 1), &oom);
	resolve_copy(&l.uid, b + 1, strlen(b + 1), &oom);
	if (oom) { /* ENOMEM */
		resolve_log_done(&l);
		return -ENOMEM;
	}
	*ret = l;
	return 0;
}

void resolve_log_done(struct resolve_log *l)
{
	free(l->namespace_);
	free(l->name);
	free(l->uid);
	*l = (struct resolve_log){ .uid = NULL };
}

void resolve_podlogs_scan(struct resolve *r)
{
	const char *name;
	unsigned n = 0;
	int error = 0;
	DIR *d = resolve_fs_opendir(&r->fs, PODLOGS_DIR, &error);

	if (!d) {
		resolve_deny(r, PODLOGS_DIR, error);
		return;
	}
	while ((name = resolve_fs_next(d, &n))) {
		struct resolve_log one = { .uid = NULL }, *slot;

		if (resolve_noted(r, resolve_podlog_parse(name, &one)))
			continue;
		slot = resolve_grow(r, &r->logs, &r->n_logs, sizeof(*slot), RESOLVE_ENTRIES_MAX);
		if (slot)
			*slot = one;
		else
			resolve_log_done(&one); /* ENOMEM */
	}
	closedir(d);
}
