/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc.c - one pass over /proc: every process's namespace and cgroup.
 *
 * The pass is what a list of 500 pods costs, once: two indexes over it (by
 * namespace, by container id) answer all later questions. Without the right to
 * look at a process (CAP_SYS_PTRACE) its namespace stays unknown; its cgroup can
 * be read by anyone.
 */
#include "resolve_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROC_CGROUP_MAX 8192 /* some 14 lines in version 1, one in version 2 */
#define PROC_STAT_MAX 1024 /* one line of 52 numbers */
#define PROC_STAT_THREADS 17 /* num_threads is so many words behind the state, proc(5) */

static int proc_cmp(const void *a, const void *b)
{
	pid_t x = ((const struct resolve_proc *)a)->pid, y = ((const struct resolve_proc *)b)->pid;

	return x < y ? -1 : x > y;
}

static int proc_cmp_ns(const void *a, const void *b, void *arg)
{
	const struct resolve_proc *procs = arg;
	uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;
	const struct resolve_proc *x = &procs[i], *y = &procs[j];

	if (x->ns.ino != y->ns.ino)
		return x->ns.ino < y->ns.ino ? -1 : 1;
	if (x->ns.dev != y->ns.dev)
		return x->ns.dev < y->ns.dev ? -1 : 1;
	return i < j ? -1 : i > j;
}

/* Up to size bytes of a file of the process; how many there were, 0 when it cannot be read. */
static size_t proc_text(int dir, const char *pid, const char *file, char *text, size_t size)
{
	char path[64];
	size_t len = 0;
	int fd;

	snprintf(path, sizeof(path), "%.20s/%s", pid, file);
	fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	while (len < size) {
		ssize_t n = read(fd, text + len, size - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	return len;
}

/*
 * Dead and not yet waited for: it keeps its number and its cgroup, but no namespace.
 * Where only the first thread has ended the state says Z too, and the process lives.
 */
static bool proc_is_zombie(int dir, const char *pid)
{
	char text[PROC_STAT_MAX + 1], *p;
	unsigned long threads = 0;

	text[proc_text(dir, pid, "stat", text, PROC_STAT_MAX)] = 0;
	p = strrchr(text, ')'); /* the command's name may hold blanks and brackets */
	if (!p || p[1] != ' ' || (p[2] != 'Z' && p[2] != 'X'))
		return false;
	p += 2;
	for (unsigned i = 0; i < PROC_STAT_THREADS && p; i++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	if (p)
		threads = strtoul(p, NULL, 10);
	return threads <= 1;
}

/* False: nothing of it is alive any more. */
static bool proc_read(int dir, const char *pid, struct resolve_proc *p)
{
	char path[64], text[PROC_CGROUP_MAX];
	struct stat st;
	size_t len;

	p->cg.runtime = "";
	snprintf(path, sizeof(path), "%.20s/ns/net", pid);
	if (fstatat(dir, path, &st, 0) == 0) {
		p->ns.dev = st.st_dev;
		p->ns.ino = st.st_ino;
	} else if (proc_is_zombie(dir, pid)) {
		/* only asked here: who has a namespace is no zombie, and a list stays quick */
		return false;
	}
	/* A missing right is not worth a word: it matters only for the pod asked for. */
	len = proc_text(dir, pid, "cgroup", text, sizeof(text));
	if (!len || !resolve_cgroup_parse(text, len, &p->cg))
		p->cg = (struct resolve_cgroup){ .runtime = "" };
	return true;
}

void resolve_proc_scan(struct resolve *r)
{
	bool sorted = true;
	struct dirent *e;
	int error = 0;
	DIR *d = resolve_fs_opendir_at(r->fs.proc, ".", &error);

	if (!d) {
		resolve_deny(r, "/proc", error);
		return;
	}
	while ((e = readdir(d))) {
		struct resolve_proc one = { .pid = 0 }, *p;

		if (e->d_name[0] < '1' || e->d_name[0] > '9')
			continue;
		one.pid = (pid_t)strtol(e->d_name, NULL, 10);
		if (!proc_read(dirfd(d), e->d_name, &one))
			continue;
		p = resolve_grow(r, &r->procs, &r->n_procs, sizeof(*p), RESOLVE_PROCS_MAX);
		if (!p)
			break;
		*p = one;
		if (r->n_procs > 1 && p[-1].pid > p->pid)
			sorted = false;
	}
	closedir(d);
	if (!r->n_procs)
		return;
	if (!sorted)
		qsort(r->procs, r->n_procs, sizeof(*r->procs), proc_cmp);
	r->procs_by_ns = calloc(r->n_procs, sizeof(*r->procs_by_ns));
	if (!r->procs_by_ns) {
		r->oom = true;
		return;
	}
	for (uint32_t i = 0; i < r->n_procs; i++) {
		r->procs_by_ns[i] = i;
		if (r->procs[i].cg.id[0] &&
		    !resolve_index_add(&r->proc_by_id, r->procs[i].cg.id, i))
			r->oom = true;
	}
	qsort_r(r->procs_by_ns, r->n_procs, sizeof(*r->procs_by_ns), proc_cmp_ns, r->procs);
}

const struct resolve_proc *resolve_proc_in(const struct resolve *r, const struct resolve_netns *ns)
{
	uint32_t lo = 0, hi = r->procs_by_ns ? r->n_procs : 0;
	const struct resolve_proc *p;

	if (!ns->ino)
		return NULL;
	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		p = &r->procs[r->procs_by_ns[mid]];
		if (p->ns.ino < ns->ino || (p->ns.ino == ns->ino && p->ns.dev < ns->dev))
			lo = mid + 1;
		else
			hi = mid;
	}
	if (!r->procs_by_ns || lo == r->n_procs)
		return NULL;
	p = &r->procs[r->procs_by_ns[lo]];
	return resolve_netns_eq(&p->ns, ns) ? p : NULL;
}

const struct resolve_proc *resolve_proc_find(const struct resolve *r, pid_t pid)
{
	struct resolve_proc key = { .pid = pid };

	if (!r->n_procs)
		return NULL;
	return bsearch(&key, r->procs, r->n_procs, sizeof(key), proc_cmp);
}

const struct resolve_proc *resolve_proc_by_nsid(struct resolve *r, int32_t nsid)
{
	for (uint32_t i = 0; r->procs_by_ns && i < r->n_procs; i++) {
		const struct resolve_proc *p = &r->procs[r->procs_by_ns[i]];
		struct resolve_netns ns;
		int32_t one = -1;
		int fd;

		if (!p->ns.ino || resolve_netns_eq(&p->ns, &r->own) ||
		    (i && resolve_netns_eq(&p->ns, &r->procs[r->procs_by_ns[i - 1]].ns)))
			continue;
		fd = resolve_netns_open_pid(&r->fs, p->pid, &ns);
		if (fd < 0)
			continue;
		if (resolve_rtnl_nsid(r->rtnl, fd, 0, &one))
			one = -1;
		close(fd);
		if (one == nsid)
			return p;
	}
	return NULL;
}
