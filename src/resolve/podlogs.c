/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * podlogs.c - pod names from the kubelet's log directories.
 *
 * /var/log/pods/<namespace>_<name>_<uid> (kubelet, BuildPodLogsDirectory): '_' is
 * in no Kubernetes name, so three parts are certain. The directory may outlive
 * the pod: it gives a name to a uid, never life.
 */
#include "resolve_priv.h"

#include <stdlib.h>
#include <string.h>

#define PODLOGS_DIR "/var/log/pods"

bool resolve_podlog_parse(const char *dir, struct resolve_log *ret)
{
	const char *a = strchr(dir, '_');
	const char *b = a ? strchr(a + 1, '_') : NULL;

	if (!b || strchr(b + 1, '_') || a == dir || b == a + 1 || !b[1])
		return false;
	ret->namespace_ = strndup(dir, (size_t)(a - dir));
	ret->name = strndup(a + 1, (size_t)(b - a - 1));
	ret->uid = strdup(b + 1);
	if (ret->namespace_ && ret->name && ret->uid)
		return true;
	free(ret->namespace_);
	free(ret->name);
	free(ret->uid);
	*ret = (struct resolve_log){ .uid = NULL };
	return false;
}

void resolve_podlogs_scan(struct resolve *r)
{
	struct dirent *e;
	int error = 0;
	DIR *d = resolve_fs_opendir(&r->fs, PODLOGS_DIR, &error);

	if (!d) {
		resolve_deny(r, PODLOGS_DIR, error);
		return;
	}
	for (unsigned n = 0; n < RESOLVE_ENTRIES_MAX && (e = readdir(d)); n++) {
		struct resolve_log one, *slot;

		if (!resolve_podlog_parse(e->d_name, &one))
			continue;
		slot = grow(&r->logs, &r->n_logs, sizeof(*slot), RESOLVE_ENTRIES_MAX);
		if (slot) {
			*slot = one;
		} else {
			free(one.namespace_);
			free(one.name);
			free(one.uid);
			r->oom = true;
		}
	}
	closedir(d);
}
