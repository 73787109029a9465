/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host_root.h - a node's files in a temporary directory, for --host-root.
 *
 * It has a /proc of its own: proc/<pid>/cgroup is text, proc/<pid>/ns/net a plain file with the
 * sticky bit, and a hard link to it is a second process in the same namespace. To be included
 * behind cmocka's headers.
 */
#ifndef TESTS_HOST_ROOT_H
#define TESTS_HOST_ROOT_H

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAMESPACE_MODE (S_ISVTX | 0644)

struct root {
	char dir[64];
	struct resolve *r;
};

static inline void make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(path, 0755);
		*p = '/';
	}
}

static inline void put_bytes(const struct root *t, const char *name, const void *bytes, size_t n)
{
	char path[PATH_MAX];
	FILE *f;

	assert_true((size_t)snprintf(path, sizeof(path), "%s/%s", t->dir, name) < sizeof(path));
	make_parents(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

__attribute__((format(printf, 3, 4))) static inline void put(const struct root *t, const char *name,
							     const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	assert_true(n >= 0);
	put_bytes(t, name, text, (size_t)n);
	free(text);
}

static inline void put_dir(const struct root *t, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s/", t->dir, name);
	make_parents(path);
}

static inline void put_link(const struct root *t, const char *name, const char *target)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	make_parents(path);
	assert_int_equal(symlink(target, path), 0);
}

/* The namespace of that name at a path of the node. */
static inline void put_netns(const struct root *t, const char *name, const char *ns)
{
	char path[PATH_MAX], ns_path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	make_parents(path);
	snprintf(ns_path, sizeof(ns_path), "%s/ns-%s", t->dir, ns);
	close(open(ns_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	/* what is created does not get the sticky bit everywhere */
	assert_int_equal(chmod(ns_path, NAMESPACE_MODE), 0);
	assert_int_equal(link(ns_path, path), 0);
}

/* A process; ns names its namespace. */
static inline void put_proc(const struct root *t, int pid, const char *ns, const char *cgroup)
{
	char name[64];

	snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
	put(t, name, "0::%s\n", cgroup);
	snprintf(name, sizeof(name), "proc/%d/ns/net", pid);
	put_netns(t, name, ns);
}

/* A process whose first thread has ended; with one thread it is a zombie. It shows no namespace. */
static inline void put_zombie(const struct root *t, int pid, const char *cgroup, int threads)
{
	char name[64];

	snprintf(name, sizeof(name), "proc/%d/cgroup", pid);
	put(t, name, "0::%s\n", cgroup);
	snprintf(name, sizeof(name), "proc/%d/stat", pid);
	put(t, name, "%d (a) S b) Z 1 %d %d 0 -1 4228108 77 0 0 0 0 0 0 0 20 0 %d 0 9 0 0\n", pid,
	    pid, pid, threads);
}

static inline void put_cni(const struct root *t, const char *id, const char *namespace_,
			   const char *name, const char *uid, const char *ip, const char *veth,
			   const char *netns)
{
	char file[256];

	snprintf(file, sizeof(file), "var/lib/cni/results/cbr0-%s-eth0", id);
	put(t, file,
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"%s\",\"ifName\":\"eth0\","
	    "\"networkName\":\"cbr0\",\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"%s\"],"
	    "[\"K8S_POD_NAME\",\"%s\"],[\"K8S_POD_UID\",\"%s\"]],"
	    "\"result\":{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"cni0\"},"
	    "{\"name\":\"%s\"},{\"name\":\"eth0\",\"sandbox\":\"%s\"}],"
	    "\"ips\":[{\"interface\":2,\"address\":\"%s/24\"}]}}",
	    id, namespace_, name, uid, veth, netns, ip);
}

/* A bundle of containerd's; no container name: a sandbox. */
static inline void put_bundle(const struct root *t, const char *id, const char *sandbox,
			      const char *container, int pid)
{
	char name[256];

	snprintf(name, sizeof(name),
		 "run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/config.json", id);
	put(t, name,
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"%s\","
	    "\"io.kubernetes.cri.container-name\":\"%s\","
	    "\"io.kubernetes.cri.sandbox-id\":\"%s\"},"
	    "\"linux\":{\"namespaces\":[{\"type\":\"network\",\"path\":\"/gone\"}]}}",
	    container ? "container" : "sandbox", container ? container : "", sandbox);
	snprintf(name, sizeof(name),
		 "run/containerd/io.containerd.runtime.v2.task/k8s.io/%s/init.pid", id);
	put(t, name, "%d", pid);
}

static inline struct root *root_make(void)
{
	struct root *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	strcpy(t->dir, "/tmp/podhop-test-XXXXXX");
	assert_non_null(mkdtemp(t->dir));
	/* also for a test that gives up being root */
	assert_int_equal(chmod(t->dir, 0755), 0);
	put(t, "proc/1/cgroup", "0::/init.scope\n");
	return t;
}

static inline void remove_tree(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct dirent *e;
	DIR *d;

	if (fd < 0 || !(d = fdopendir(fd))) {
		if (fd >= 0)
			close(fd);
		unlinkat(dirfd, name, 0);
		return;
	}
	while ((e = readdir(d))) {
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			remove_tree(fd, e->d_name);
	}
	closedir(d);
	unlinkat(dirfd, name, AT_REMOVEDIR);
}

static inline void root_remove(struct root *t)
{
	remove_tree(AT_FDCWD, t->dir);
	free(t);
}

#endif
