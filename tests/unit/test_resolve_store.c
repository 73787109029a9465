/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_store.c - sources joined into pods, and POD forms picked from them.
 *
 * Each test builds a host root in a temporary directory (host_root.h). The joins look at
 * no more than (st_dev, st_ino) of a namespace's file. The kernel (fake_kernel.h) answers
 * nothing: what it has to say is in test_resolve_node.c, and in tests/lab/resolve.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/resolve/resolve_priv.h"
#include "fake_kernel.h"
#include "host_root.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID3 "0123456789ab0000000000000000000000000000000000000000000000000000"
#define UID1 "8f013a97-516b-4477-aa9d-018d88bb8b88"
#define UID2 "494211a3-f155-4c52-97ee-acb0c488573c"

static int setup(void **state)
{
	kernel_reset();
	*state = root_make();
	return 0;
}

static int teardown(void **state)
{
	struct root *t = *state;

	if (t->r) {
		resolve_store_done(t->r);
		resolve_fs_done(&t->r->fs);
		resolve_rtnl_free(t->r->rtnl);
		free(t->r->links);
		free(t->r);
	}
	root_remove(t);
	return 0;
}

static struct resolve *load(struct root *t, bool all)
{
	struct err err = ERR_INIT;

	t->r = calloc(1, sizeof(*t->r));
	assert_non_null(t->r);
	t->r->own_fd = -1;
	t->r->self_nsid = -1;
	strcpy(t->r->node, "n1");
	assert_int_equal(resolve_fs_init(&t->r->fs, t->dir, &err), 0);
	assert_true(t->r->fs.proc_in_root);
	assert_false(t->r->fs.own_pids);
	t->r->rtnl = resolve_rtnl_open(&err);
	assert_non_null(t->r->rtnl);
	assert_int_equal(resolve_store_load(t->r, all, &err), 0);
	return t->r;
}

static struct resolve_rec *named(struct resolve *r, const char *name)
{
	for (unsigned i = 0; i < r->n_recs; i++) {
		if (r->recs[i].name && strcmp(r->recs[i].name, name) == 0)
			return &r->recs[i];
	}
	fail_msg("no record %s", name);
	return NULL;
}

static const char *pick(struct resolve *r, const char *pod, struct err *err)
{
	static char label[512];
	struct resolve_rec *rec = NULL;

	err_clear(err);
	if (resolve_pick(r, pod, &rec, err))
		return NULL;
	return resolve_rec_label(rec, label, sizeof(label));
}

/* -------------------------------------------------------------------- joins */

/* containerd: cache with uid, processes found through the pod's cgroup. */
static void test_containerd(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/var/run/netns/cni-1");
	put_proc(t, 100, "web", "/kubepods/pod" UID1 "/" ID1);
	put_proc(t, 101, "web", "/kubepods/pod" UID1 "/" ID2);
	put_proc(t, 102, "nested", "/kubepods/pod" UID1 "/" ID2 "/docker/" ID3);
	r = load(t, false);
	assert_int_equal(r->n_recs, 1);
	rec = named(r, "web");
	assert_true(rec->alive && rec->is_pod && !rec->host_network);
	assert_string_equal(rec->uid, UID1);
	assert_int_equal(rec->n_containers, 2);
	assert_int_equal(rec->pid, 100);
	assert_true(rec->containers[0].sandbox);
	assert_int_equal(rec->containers[1].pid, 101);
	assert_true(resolve_netns_eq(&rec->ns, &r->procs[1].ns));
}

/* cri-dockerd: no uid in the cache; the pause container's cgroup gives it. */
static void test_dockerd(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put(t, "var/lib/cni/cache/results/cbr0-" ID1 "-eth0",
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"" ID1 "\",\"ifName\":\"eth0\",\"cniArgs\":["
	    "[\"K8S_POD_NAMESPACE\",\"default\"],[\"K8S_POD_NAME\",\"web\"]],\"result\":{}}");
	put(t, "var/lib/docker/containers/" ID2 "/config.v2.json",
	    "{\"ID\":\"" ID2 "\",\"Name\":\"/k8s_app_web_default_" UID1
	    "_0\",\"State\":{\"Running\":true,"
	    "\"Pid\":201},\"Config\":{\"Labels\":{\"io.kubernetes.docker.type\":\"container\","
	    "\"io.kubernetes.sandbox.id\":\"" ID1 "\"}}}");
	put_proc(t, 200, "web", "/kubepods/pod" UID1 "/" ID1);
	put_proc(t, 201, "web", "/kubepods/pod" UID1 "/" ID2);
	r = load(t, false);
	assert_int_equal(r->n_recs, 1);
	rec = named(r, "web");
	assert_string_equal(rec->uid, UID1);
	assert_string_equal(rec->runtime, "docker");
	assert_int_equal(rec->n_containers, 2);
	assert_int_equal(rec->pid, 200);
	assert_string_equal(resolve_rec_has(rec, ID2)->name, "app");
	assert_int_equal(resolve_rec_has(rec, ID2)->pid, 201);
}

/* CRI-O without a pause process; the name comes from the log directory. */
static void test_logs_name(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put(t, "var/log/pods/kube-system_proxy-x_" UID2 "/proxy/0.log", "x");
	put_proc(t, 300, "p",
		 "/kubepods.slice/kubepods-pod494211a3_f155_4c52_97ee_acb0c488573c.slice/"
		 "crio-" ID1 ".scope");
	r = load(t, false);
	assert_int_equal(r->n_recs, 1);
	rec = named(r, "proxy-x");
	assert_string_equal(rec->namespace_, "kube-system");
	assert_string_equal(rec->runtime, "cri-o");
	assert_int_equal(rec->pid, 300);
	assert_true(rec->alive);
	/* the sandbox is not known, and no container is taken for it */
	assert_false(rec->containers[0].sandbox);
}

/* hostNetwork: same namespace as this process's own. */
static void test_host_network(void **state)
{
	struct root *t = *state;
	struct resolve *r;
	struct err err;

	put(t, "var/log/pods/kube-system_proxy_" UID2 "/x", "x");
	put_proc(t, 300, "host", "/kubepods/pod" UID2 "/" ID1);
	r = load(t, false);
	r->own = r->procs[1].ns;
	resolve_rec_settle(r, &r->recs[0]);
	assert_true(r->recs[0].host_network);
	assert_string_equal(pick(r, "proxy", &err), "kube-system/proxy");
	assert_string_equal(pick(r, "pid:300", &err), "kube-system/proxy");
}

/* containerd's bundles name what the cache does not know; pids must still fit. */
static void test_bundles(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;
	static const char dir[] = "run/containerd/io.containerd.runtime.v2.task/k8s.io/";
	char name[256];

	snprintf(name, sizeof(name), "%s" ID1 "/config.json", dir);
	put(t, name,
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
	    "\"io.kubernetes.cri.sandbox-id\":\"" ID1
	    "\",\"io.kubernetes.cri.sandbox-name\":\"web\","
	    "\"io.kubernetes.cri.sandbox-namespace\":\"default\"},\"linux\":{\"namespaces\":["
	    "{\"type\":\"network\"}]}}");
	snprintf(name, sizeof(name), "%s" ID1 "/init.pid", dir);
	put(t, name, "400");
	snprintf(name, sizeof(name), "%s" ID2 "/config.json", dir);
	put(t, name,
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.container-name\":\"app\",\"io.kubernetes.cri.sandbox-id\":\"" ID1
	    "\"}}");
	snprintf(name, sizeof(name), "%s" ID2 "/init.pid", dir);
	put(t, name, "402");
	put_proc(t, 400, "web", "/kubepods/pod" UID1 "/" ID1);
	put_proc(t, 401, "web", "/kubepods/pod" UID1 "/" ID2);
	/* the number in init.pid belongs to another container by now */
	put_proc(t, 402, "other", "/docker/" ID3);
	r = load(t, true);
	assert_int_equal(r->n_recs, 1);
	rec = named(r, "web");
	assert_int_equal(rec->pid, 400);
	assert_string_equal(rec->uid, UID1);
	assert_string_equal(resolve_rec_has(rec, ID2)->name, "app");
	assert_int_equal(resolve_rec_has(rec, ID2)->pid, 401);
	assert_true(resolve_rec_has(rec, ID1)->sandbox);
}

/*
 * The namespace's path cannot be opened and no cgroup says a container's id: a process
 * that a bundle names tells the namespace, and every form comes to the same pod.
 */
static void test_bundle_netns(void **state)
{
	static const char *const forms[] = { "web",	    "10.244.1.2",    "pid:500",
					     "pid:501",	    "pid:502",	     "container:" ID1,
					     "container:" ID2 };

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct resolve_rec *rec = NULL;
		struct root *t;
		struct resolve *r;
		struct err err = ERR_INIT;
		void *one;
		int pid = 500;

		assert_int_equal(setup(&one), 0);
		t = one;
		put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/gone");
		put_cni(t, ID3, "default", "db", UID2, "10.244.1.3", "veth02", "/gone");
		put_bundle(t, ID1, ID1, NULL, 500);
		put_bundle(t, ID2, ID1, "app", 501);
		put_bundle(t, ID3, ID3, NULL, 510);
		put_bundle(t, "77" ID3, ID3, "other", 511);
		put_proc(t, 500, "web", "/");
		put_proc(t, 501, "web", "/");
		put_proc(t, 502, "web", "/");
		put_proc(t, 510, "db", "/");
		put_proc(t, 511, "db", "/");
		r = load(t, false);
		assert_int_equal(resolve_pick(r, forms[i], &rec, &err), 0);
		assert_string_equal(rec->name, "web");
		resolve_oci_scan_rec(r, rec);
		rec = named(r, "web");
		resolve_rec_settle(r, rec);
		assert_true(rec->ns.ino != 0);
		assert_true(resolve_netns_eq(&rec->ns, &resolve_proc_find(r, 502)->ns));
		assert_int_equal(rec->n_containers, 2);
		assert_string_equal(resolve_rec_has(rec, ID2)->name, "app");
		assert_int_equal(resolve_rec_has(rec, ID2)->pid, 501);
		if (strncmp(forms[i], "pid:", 4) == 0)
			pid = atoi(forms[i] + 4);
		assert_int_equal(rec->pid, pid);
		teardown(&one);
	}
	(void)state;
}

/* The number in init.pid may be the host's by now: it makes no pod a hostNetwork one. */
static void test_bundle_host_pid(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put_bundle(t, ID1, ID1, NULL, 500);
	put_proc(t, 500, "host", "/init.scope");
	r = load(t, true);
	rec = resolve_rec_by_id(r, ID1);
	assert_non_null(rec);
	r->own = resolve_proc_find(r, 500)->ns;
	rec->ns.ino = 0;
	resolve_rec_settle(r, rec);
	assert_int_equal(rec->ns.ino, 0);
	assert_false(rec->host_network);
	rec->host_network_said = true;
	resolve_rec_settle(r, rec);
	assert_true(resolve_netns_eq(&rec->ns, &r->own));
	assert_true(rec->host_network);
}

/* A node inside a network namespace: its eth0 is a veth, and no pod hangs on it. */
static void test_underlay(void **state)
{
	struct root *t = *state;
	struct resolve *r = load(t, true);
	struct err err = ERR_INIT;
	struct resolve_rec *rec;

	r->n_links = 3;
	r->links = calloc(r->n_links, sizeof(*r->links));
	assert_non_null(r->links);
	for (unsigned i = 0; i < r->n_links; i++) {
		r->links[i].l.ifindex = i + 1;
		r->links[i].l.link_netnsid = -1;
	}
	strcpy(r->links[0].l.name, "eth0");
	strcpy(r->links[0].l.kind, "veth");
	r->links[0].l.link_netnsid = 7;
	strcpy(r->links[1].l.name, "flannel.1");
	strcpy(r->links[1].l.kind, "vxlan");
	r->links[1].vxlan_link = 1;
	strcpy(r->links[2].l.name, "cni0");
	strcpy(r->links[2].l.kind, "bridge");
	assert_null(pick(r, "veth:eth0", &err));
	assert_int_equal(err.class, ERR_USAGE);
	assert_non_null(strstr(err.text, "the underlay of flannel.1"));
	/* of a bridge it may be a pod's after all */
	r->links[0].l.master = 3;
	assert_non_null(pick(r, "veth:eth0", &err));
	/* that record is of no source: still refused where it is an underlay */
	r->links[0].l.master = 0;
	assert_null(pick(r, "veth:eth0", &err));
	/* a pod's namespace behind it: the pod */
	rec = resolve_rec_new(r);
	assert_non_null(rec);
	for (unsigned i = 0; i < r->n_recs; i++)
		r->recs[i].nsid = -1, r->recs[i].nsid_asked = true;
	rec->nsid = 7;
	rec->alive = rec->is_pod = true;
	assert_non_null(pick(r, "veth:eth0", &err));
}

/* Files outlive their pod: what lives hides them, what has no successor shows as gone. */
static void test_stale(void **state)
{
	struct root *t = *state;
	struct resolve *r;
	struct err err;

	/* the same StatefulSet pod, before and after a crash */
	put_cni(t, ID1, "default", "db-0", UID1, "10.244.1.2", "veth01", "/var/run/netns/cni-1");
	put_cni(t, ID2, "default", "db-0", UID2, "10.244.1.3", "veth02", "/var/run/netns/cni-2");
	/* a leftover without successor, whose namespace's file is a plain one */
	put_cni(t, ID3, "default", "old", UID1, "10.244.1.4", "veth03", "/var/run/netns/cni-3");
	put(t, "var/run/netns/cni-3", "%s", "");
	put_proc(t, 500, "db", "/kubepods/pod" UID2 "/" ID2);
	r = load(t, false);
	assert_string_equal(pick(r, "db-0", &err), "default/db-0");
	{
		struct resolve_rec *rec;

		assert_int_equal(resolve_pick(r, "default/db-0", &rec, &err), 0);
		assert_string_equal(rec->sandbox_id, ID2);
		assert_true(rec->alive);
		assert_int_equal(resolve_pick(r, "old", &rec, &err), 0);
		assert_false(rec->alive);
		/* its address is known, and leads to the dead record */
		assert_int_equal(resolve_pick(r, "10.244.1.4", &rec, &err), 0);
		assert_false(rec->alive);
	}
}

/* The dead that nobody waited for prove nothing; one living process of the pod does. */
static void test_zombies(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;
	struct err err;

	put_cni(t, ID1, "default", "dead", UID1, "10.244.1.2", "veth01", "/var/run/netns/cni-1");
	put_zombie(t, 700, "/kubepods/pod" UID1 "/" ID1, 1);
	put_zombie(t, 701, "/kubepods/pod" UID1 "/" ID1, 1);
	put_cni(t, ID2, "default", "half", UID2, "10.244.1.3", "veth02", "/var/run/netns/cni-2");
	put_zombie(t, 710, "/kubepods/pod" UID2 "/" ID2, 1);
	put_proc(t, 711, "half", "/kubepods/pod" UID2 "/" ID2);
	put_cni(t, ID3, "default", "threads", "", "10.244.1.4", "veth03", "/var/run/netns/cni-3");
	put_zombie(t, 720, "/docker/" ID3, 2);
	r = load(t, false);
	rec = named(r, "dead");
	assert_false(rec->alive);
	assert_int_equal(rec->pid, 0);
	assert_null(resolve_proc_find(r, 700));
	assert_null(pick(r, "pid:700", &err));
	rec = named(r, "half");
	assert_true(rec->alive);
	assert_int_equal(rec->pid, 711);
	assert_true(named(r, "threads")->alive);
	assert_non_null(resolve_proc_find(r, 720));
}

/* cri-dockerd names the namespace by a pid, which another process has by now. */
static void test_pid_reuse(void **state)
{
	struct root *t = *state;
	struct resolve *r;

	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/proc/600/ns/net");
	put_proc(t, 600, "other", "/docker/" ID2);
	r = load(t, false);
	assert_false(named(r, "web")->alive);
	assert_int_equal(named(r, "web")->ns.ino, 0);
}

/* docker's own word about networks is in another file; what does not run adds little. */
static void test_docker_scan(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;
	static const char dir[] = "var/lib/docker/containers/";
	char name[256];

#define DOCKER(id, file, ...) \
	snprintf(name, sizeof(name), "%s" id "/" file, dir), put(t, name, __VA_ARGS__)
	/* a pause container in the host's network, whose SandboxKey is the host's */
	DOCKER(ID1, "config.v2.json",
	       "{\"ID\":\"" ID1 "\",\"Name\":\"/k8s_POD_proxy_sys_" UID1 "_0\","
	       "\"State\":{\"Pid\":300},"
	       "\"NetworkSettings\":{\"SandboxKey\":\"/var/run/docker/netns/default\"}}");
	DOCKER(ID1, "hostconfig.json", "{\"NetworkMode\":\"host\"}");
	put_proc(t, 300, "host", "/");
	/* its containers: by NetworkMode alone; one that has ended; one that says nothing more */
	DOCKER(ID2, "config.v2.json",
	       "{\"ID\":\"" ID2 "\",\"Name\":\"/k8s_app_proxy_sys_" UID1 "_0\","
	       "\"State\":{\"Pid\":301}}");
	DOCKER(ID2, "hostconfig.json", "{\"NetworkMode\":\"container:" ID1 "\"}");
	put_proc(t, 301, "host", "/");
	DOCKER("aa" ID3, "config.v2.json",
	       "{\"ID\":\"aa" ID3 "\",\"Name\":\"/k8s_old_proxy_sys_" UID1 "_0\",\"Config\":{"
	       "\"Labels\":{\"io.kubernetes.sandbox.id\":\"" ID1 "\"}}}");
	DOCKER("aa" ID3, "hostconfig.json", "{\"NetworkMode\":7}");
	/* of no known pod, with a pid that is nobody's, or another container's by now */
	DOCKER("bb" ID3, "config.v2.json",
	       "{\"ID\":\"bb" ID3 "\",\"Name\":\"/k8s_POD_gone_sys_" UID2 "_0\","
	       "\"State\":{\"Pid\":999}}");
	DOCKER("cc" ID3, "config.v2.json",
	       "{\"ID\":\"cc" ID3 "\",\"Name\":\"/registry\",\"State\":{\"Pid\":303}}");
	DOCKER("cc" ID3, "hostconfig.json", "{\"NetworkMode\":\"host\"");
	put_proc(t, 303, "reg", "/docker/" ID3);
	DOCKER("dd" ID3, "config.v2.json", "{\"ID\":");
	put(t, "var/lib/docker/containers/ee/other", "x");
	put(t, "var/lib/docker/containers/.tmp/config.v2.json", "{\"ID\":\"a\"}");
#undef DOCKER
	r = load(t, false);
	r->own = resolve_proc_find(r, 300)->ns;
	rec = named(r, "proxy");
	resolve_rec_settle(r, rec);
	assert_true(rec->host_network && rec->host_network_said);
	assert_null(rec->netns_path);
	assert_string_equal(rec->sandbox_id, ID1);
	assert_int_equal(rec->n_containers, 2);
	assert_string_equal(resolve_rec_has(rec, ID2)->name, "app");
	assert_int_equal(resolve_rec_has(rec, ID2)->pid, 301);
	assert_int_equal(rec->pid, 300);
	assert_null(resolve_rec_by_id(r, "bb" ID3));
	rec = resolve_rec_by_id(r, "cc" ID3);
	assert_non_null(rec);
	assert_false(rec->is_pod);
	assert_int_equal(rec->n_containers, 1);
	assert_int_equal(rec->containers[0].pid, 0);
	for (unsigned i = 0; i < r->n_recs; i++)
		assert_string_not_equal(resolve_s(r->recs[i].name), "gone");
}

/* A record that a process's cgroup made gets its sandbox from a file, by the pod's uid. */
static void test_sandbox_later(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put_proc(t, 100, "web", "/kubepods/pod" UID1 "/" ID2);
	put_proc(t, 101, "web", "/kubepods/pod" UID1 "/" ID1);
	put(t, "run/containerd/io.containerd.runtime.v2.task/k8s.io/aa/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.sandbox-id\":\"" ID1 "\",\"io.kubernetes.cri.sandbox-uid\":"
	    "\"" UID1 "\",\"io.kubernetes.cri.sandbox-name\":\"web\"}}");
	put(t, "run/containerd/io.containerd.runtime.v2.task/k8s.io/aa/init.pid", "-7");
	put(t, "run/containerd/io.containerd.runtime.v2.task/k8s.io/bb/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
	    "\"io.kubernetes.cri.sandbox-uid\":\"" UID1 "\"}}");
	put(t, "run/containerd/io.containerd.runtime.v2.task/k8s.io/bb/init.pid", "99999999999");
	put(t, "run/containerd/io.containerd.runtime.v2.task/file", "no directory");
	put(t, "run/containerd/io.containerd.runtime.v2.task/k8s.io/cc/config.json", "[]");
	r = load(t, true);
	assert_int_equal(r->n_recs, 1);
	rec = named(r, "web");
	assert_string_equal(rec->sandbox_id, ID1);
	assert_true(resolve_rec_has(rec, ID1)->sandbox);
	assert_int_equal(rec->n_containers, 4);
	assert_int_equal(resolve_rec_has(rec, "aa")->pid, 0);
	assert_int_equal(resolve_rec_has(rec, "bb")->pid, 0);
	assert_int_equal(rec->pid, 101);
}

/* One uid, two sandboxes: a pod made anew after a crash. Its processes tell them apart. */
static void test_uid_twice(void **state)
{
	struct root *t = *state;
	struct resolve *r;

	put_cni(t, ID1, "default", "db-0", UID1, "10.244.1.2", "veth01", "/run/netns/old");
	put_cni(t, ID2, "default", "db-0", UID1, "10.244.1.3", "veth02", "/run/netns/new");
	put_netns(t, "run/netns/old", "old");
	put_netns(t, "run/netns/new", "new");
	put_proc(t, 500, "new", "/kubepods/pod" UID1 "/" ID3);
	put_proc(t, 501, "else", "/kubepods/pod" UID1 "/aa" ID3);
	r = load(t, false);
	for (int i = 0; i < 2; i++) {
		struct resolve_rec *rec = resolve_rec_by_id(r, i ? ID2 : ID1);

		assert_non_null(rec);
		assert_int_equal(resolve_rec_has(rec, ID3) != NULL, i);
	}
}

/* No uid in the cache: the namespace joins a process to it, a log directory gives the uid. */
static void test_by_namespace(void **state)
{
	struct root *t = *state;
	struct resolve *r;

	put_cni(t, ID1, "default", "web", "", "10.244.1.2", "veth01", "/run/netns/web");
	put_netns(t, "run/netns/web", "web");
	put_proc(t, 500, "web", "/kubepods/pod" UID1 "/" ID3);
	put_cni(t, ID2, "default", "db", "", "10.244.1.3", "veth02", "/x");
	put(t, "var/log/pods/default_db_" UID2 "/x", "x");
	put(t, "var/log/pods/other_db_" UID1 "/x", "x");
	put_cni(t, "aa" ID2, "default", "twice", "", "10.244.1.4", "veth03", "/x");
	put(t, "var/log/pods/default_twice_1/x", "x");
	put(t, "var/log/pods/default_twice_2/x", "x");
	r = load(t, false);
	assert_string_equal(named(r, "web")->uid, UID1);
	assert_int_equal(resolve_rec_has(named(r, "web"), ID3)->pid, 500);
	assert_string_equal(named(r, "db")->uid, UID2);
	assert_null(named(r, "twice")->uid);
}

/* A path in /proc is believed while the process may be the sandbox's. */
static void test_proc_paths(void **state)
{
	static const struct {
		const char *name, *path;
		bool alive;
	} rows[] = {
		{ "same", "/proc/600/ns/net", true },	  { "bare", "/proc/601/ns/net", true },
		{ "none", "/proc/999/ns/net", false },	  { "word", "/proc/self/ns/net", false },
		{ "odd", "/proc/600x/ns/net", false },	  { "zero", "/proc/602/ns/net", false },
	};
	struct root *t = *state;
	struct resolve *r;
	char id[RESOLVE_HEX_ID + 1];

	put_proc(t, 600, "a", "/docker/" ID1);
	put_proc(t, 601, "b", "/");
	put(t, "proc/602/cgroup", "0::/docker/" ID2 "\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(id, sizeof(id), "%064zx", i);
		put_cni(t, i ? id : ID1, "x", rows[i].name, "", "10.244.1.2", "v", rows[i].path);
	}
	r = load(t, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (named(r, rows[i].name)->alive != rows[i].alive)
			fail_msg("%s", rows[i].name);
	}
}

/* The host's own namespace behind a number that was the sandbox's once. */
static void test_proc_path_host(void **state)
{
	struct root *t = *state;
	struct resolve *r;

	put_proc(t, 600, "host", "/");
	put_cni(t, ID1, "x", "web", "", "10.244.1.2", "v", "/proc/600/ns/net");
	t->r = calloc(1, sizeof(*t->r));
	assert_non_null(t->r);
	r = t->r;
	r->own_fd = -1;
	assert_int_equal(resolve_fs_init(&r->fs, t->dir, NULL), 0);
	assert_true(resolve_netns_open_pid(&r->fs, 600, &r->own) >= 0);
	assert_int_equal(resolve_store_load(r, false, NULL), 0);
	assert_int_equal(named(r, "web")->ns.ino, 0);
	assert_false(named(r, "web")->alive);
}

/* A host veth is the claimed one when its MAC is, or where the file says none. */
static void test_claims(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec;
	struct resolve *r;

	put_cni(t, ID1, "default", "web", "", "10.244.1.2", "veth01", "/x");
	r = load(t, false);
	rec = named(r, "web");
	r->links = calloc(2, sizeof(*r->links));
	assert_non_null(r->links);
	r->n_links = 2;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(r->links[i].l.name, sizeof(r->links[i].l.name), i ? "veth01" : "cni0");
		strcpy(r->links[i].l.kind, i ? "veth" : "bridge");
	}
	assert_ptr_equal(resolve_rec_claim(r, rec), &r->links[1]);
	rec->cni[0].hosts[1].mac.b[5] = 7;
	assert_null(resolve_rec_claim(r, rec));
	r->links[1].l.mac.b[5] = 7;
	assert_ptr_equal(resolve_rec_claim(r, rec), &r->links[1]);
	r->links[1].l.link_netnsid = -1;
	assert_null(resolve_rec_claim(r, rec));
	/* it lives by that claim alone */
	resolve_rec_settle(r, rec);
	assert_false(rec->alive);
	r->links[1].l.link_netnsid = 0;
	resolve_rec_settle(r, rec);
	assert_true(rec->alive);
}

/* What lies in the directories and is no source of anything. */
static void test_clutter(void **state)
{
	struct root *t = *state;
	struct resolve *r;
	char path[PATH_MAX];
	char *big = calloc(1, RESOLVE_FILE_MAX + 2);

	assert_non_null(big);
	memset(big, ' ', RESOLVE_FILE_MAX + 1);
	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/x");
	put(t, "var/lib/cni/results/cbr0-" ID1 "-lo",
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"" ID1 "\",\"ifName\":\"lo\","
	    "\"result\":{\"ips\":[{\"address\":\"127.0.0.1/8\"}]}}");
	put(t, "var/lib/cni/results/.hidden", "{\"cniVersion\":\"1.0.0\"}");
	put(t, "var/lib/cni/results/empty", "%s", "");
	put_bytes(t, "var/lib/cni/results/nul", "{\"cniVersion\":\"1\0\"}", 19);
	put_bytes(t, "var/lib/cni/results/big", big, RESOLVE_FILE_MAX + 1);
	put_dir(t, "var/lib/cni/results/directory");
	put_link(t, "var/lib/cni/results/dangling", "nowhere");
	snprintf(path, sizeof(path), "%s/var/lib/cni/results/fifo", t->dir);
	assert_int_equal(mkfifo(path, 0644), 0);
	put(t, "var/lib/cni/networks/cbr0/10.244.1.7", "%s", "\r\neth0");
	put_bytes(t, "var/lib/cni/networks/cbr0/10.244.1.8", ID1 "\0\r\neth0", 71);
	put_dir(t, "var/lib/cni/networks/cbr0/10.244.1.9");
	put(t, "var/lib/cni/networks/file", "x");
	put(t, "var/log/pods/readme", "x");
	put(t, "proc/7/cgroup", "%s", "");
	put(t, "proc/8/stat", "8 (a");
	put(t, "proc/9/stat", "9 (a) Z 1 9");
	put(t, "proc/10/stat", "10 (a) X 1 10 10 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 9");
	put(t, "proc/11/stat", "11 (a)x");
	put(t, "proc/meminfo", "x");
	put_proc(t, 12, "half", "/docker/abc");
	free(big);
	r = load(t, true);
	assert_int_equal(r->n_recs, 1);
	assert_int_equal(r->recs[0].n_cni, 1);
	assert_int_equal(r->n_leases, 1);
	assert_string_equal(r->leases[0].id, ID1);
	assert_null(r->leases[0].ifname);
	assert_int_equal(r->n_logs, 0);
	/* dead and not waited for, or a dead one's line that is cut */
	assert_null(resolve_proc_find(r, 9));
	assert_null(resolve_proc_find(r, 10));
	for (int pid = 7; pid <= 12; pid++) {
		if (pid != 9 && pid != 10)
			assert_non_null(resolve_proc_find(r, pid));
	}
	assert_string_equal(resolve_proc_find(r, 12)->cg.id, "");
}

/* Without a right: root gives its own up for a while. */
static void be(uid_t uid)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(uid), 0);
}

static void deny(const struct root *t, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", t->dir, name);
	assert_int_equal(chmod(path, 0), 0);
}

static void test_denied(void **state)
{
	static const char *const shut[] = {
		"var/lib/cni/results",
		"var/lib/cni/networks",
		"var/lib/cni/networks/cbr0",
		"var/log/pods",
		"var/lib/docker/containers",
		"run/containerd/io.containerd.runtime.v2.task",
		"run/containerd/io.containerd.runtime.v2.task/k8s.io",
		"run/containers/storage/overlay-containers",
	};
	struct root *t = *state;
	struct err err = ERR_INIT;

	for (size_t i = 0; i < sizeof(shut) / sizeof(shut[0]); i++) {
		struct root *one = root_make();
		struct resolve *r;

		put_dir(one, shut[i]);
		deny(one, shut[i]);
		be(65534);
		r = load(one, true);
		be(0);
		if (!strstr(shut[i], "cbr0"))
			assert_string_equal(r->denied + 1, shut[i]);
		else
			assert_string_equal(r->denied, "/var/lib/cni/networks");
		teardown((void **)&one);
	}
	/* a file, and a namespace's */
	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/run/netns/web");
	put_cni(t, ID2, "default", "db", UID2, "10.244.1.3", "veth02", "/x");
	deny(t, "var/lib/cni/results/cbr0-" ID2 "-eth0");
	put_netns(t, "run/netns/web", "web");
	deny(t, "run/netns/web");
	be(65534);
	load(t, false);
	be(0);
	assert_true(named(t->r, "web")->netns_denied);
	assert_int_equal(t->r->n_recs, 1);
	assert_null(pick(t->r, "db", &err));
	assert_int_equal(err.class, ERR_FAILED);
	assert_string_equal(err.text,
			    "cannot tell whether this node has db: no permission to read "
			    "/var/lib/cni/results (needs CAP_DAC_READ_SEARCH; run as root)");
	assert_null(pick(t->r, "container:777", &err));
	assert_non_null(strstr(err.text, "cannot tell whether this node has container:777"));
	assert_null(pick(t->r, "10.9.9.9", &err));
	assert_non_null(strstr(err.text, "cannot tell whether this node has 10.9.9.9"));
	/* a leftover proves nothing then */
	t->r->logs = calloc(1, sizeof(*t->r->logs));
	assert_non_null(t->r->logs);
	t->r->n_logs = 1;
	assert_int_equal(resolve_podlog_parse("default_db_1", &t->r->logs[0]), 0);
	assert_null(pick(t->r, "default/db", &err));
	assert_non_null(strstr(err.text, "cannot tell whether this node has default/db"));
	be(65534);
	assert_null(pick(t->r, "netns:/run/netns/web", &err));
	be(0);
	assert_int_equal(err.class, ERR_FAILED);
	assert_non_null(strstr(err.text, "open /run/netns/web (needs CAP_SYS_PTRACE"));
}

/* -------------------------------------------------------------------- forms */

static void test_forms(void **state)
{
	struct root *t = *state;
	struct resolve *r;
	struct err err = ERR_INIT;

	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/x");
	put_cni(t, ID2, "default", "0123456789ab", UID2, "fd00::2", "veth02", "/x");
	put_proc(t, 700, "a", "/kubepods/pod" UID1 "/" ID1);
	put_proc(t, 701, "b", "/kubepods/pod" UID2 "/" ID2);
	put_proc(t, 702, "b", "/init.scope");
	put_proc(t, 703, "c", "/docker/" ID3);
	r = load(t, false);
	assert_string_equal(pick(r, "default/web", &err), "default/web");
	assert_string_equal(pick(r, "web", &err), "default/web");
	assert_string_equal(pick(r, "10.244.1.2", &err), "default/web");
	assert_string_equal(pick(r, "fd00::2", &err), "default/0123456789ab");
	assert_string_equal(pick(r, "fd00:0:0::2", &err), "default/0123456789ab");
	assert_string_equal(pick(r, "container:" ID1, &err), "default/web");
	assert_string_equal(pick(r, "container:containerd://" ID1, &err), "default/web");
	assert_string_equal(pick(r, "container:fedc", &err), "default/0123456789ab");
	assert_string_equal(pick(r, "container:FEDC", &err), "default/0123456789ab");
	assert_string_equal(pick(r, "fedcba987654", &err), "default/0123456789ab");
	assert_string_equal(pick(r, ID1, &err), "default/web");
	/* an exact name beats a hex prefix */
	assert_string_equal(pick(r, "0123456789ab", &err), "default/0123456789ab");
	assert_string_equal(pick(r, "0123456789abc", &err), "default/web");
	assert_string_equal(pick(r, "pid:700", &err), "default/web");
	/* no Kubernetes about the process, but it is in the pod's namespace */
	assert_string_equal(pick(r, "pid:702", &err), "default/0123456789ab");
	/* no pod at all */
	assert_string_equal(pick(r, "pid:703", &err), "pid:703");
	assert_string_equal(pick(r, "container:0123456789ab0", &err), "pid:703");
}

static void test_refused(void **state)
{
	static const struct {
		const char *pod, *says;
	} rows[] = {
		{ "", "a POD is" },
		{ "web", "means more than one pod of this node: a/web (container:0123456789ab), "
			 "b/web (container:fedcba987654)" },
		{ "container:", "takes an id" },
		{ "container:777", "no container 777" },
		{ "pid:", "takes a process number" },
		{ "pid:12x", "takes a process number" },
		{ "pid:-4", "takes a process number" },
		{ "pid:99999999999999999999", "takes a process number" },
		{ "pid:999", "no process 999" },
		{ "netns:/nope", "no network namespace /nope" },
		{ "netns:/etc/hostname", "a plain file" },
		{ "netns:/etc", "no network namespace /etc: Is a directory" },
		{ "netns:nope", "no network namespace /var/run/netns/nope" },
		{ "veth:nope", "no device nope" },
		{ "/web", "no namespace/name" },
		{ "a/", "no namespace/name" },
		{ "a/b/c", "no namespace/name" },
		{ "c/web", "no pod c/web on this node (n1)" },
		{ "nothing", "no pod nothing on this node (n1)" },
		{ "feedbeef", "no pod feedbeef" },
		{ "left", "pod default/left is gone" },
		{ "default/left", "pod default/left is gone" },
		{ "10.9.9.9", "no pod of this node has address 10.9.9.9" },
		{ "10.244.1.9", "is gone: /var/lib/cni/networks/cbr0/10.244.1.9 is left over" },
		{ "10.244.7.1", "in the cluster's pod network" },
		{ "fd00:7::1", "in the cluster's pod network" },
	};
	struct root *t = *state;
	struct resolve *r;
	struct err err = ERR_INIT;

	put_cni(t, ID1, "a", "web", UID1, "10.244.1.2", "veth01", "/x");
	put_cni(t, ID2, "b", "web", UID2, "10.244.1.3", "veth02", "/x");
	put_proc(t, 700, "a", "/kubepods/pod" UID1 "/" ID1);
	put_proc(t, 701, "b", "/kubepods/pod" UID2 "/" ID2);
	put(t, "etc/hostname", "n1\n");
	put(t, "var/log/pods/default_left_00112233-0000-0000-0000-000000000000/x", "x");
	put(t, "var/lib/cni/networks/cbr0/10.244.1.9", "%s", ID3 "\r\neth0");
	put(t, "var/lib/cni/networks/cbr0/last_reserved_ip.0", "10.244.1.9");
	put(t, "run/flannel/subnet.env",
	    "FLANNEL_NETWORK=10.42.0.0/16,10.244.0.0/16\n"
	    "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_IPV6_NETWORK=fd00::/16\nFLANNEL_MTU=1450\n");
	r = load(t, false);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (pick(r, rows[i].pod, &err))
			fail_msg("%s was accepted", rows[i].pod);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].pod, err.text);
		assert_int_equal(err.class, ERR_USAGE);
	}
	/* what could not be read is no proof of absence */
	resolve_deny(r, "/var/lib/cni/results", EACCES);
	assert_null(pick(r, "nothing", &err));
	assert_int_equal(err.class, ERR_FAILED);
	assert_non_null(strstr(err.text, "no permission to read /var/lib/cni/results"));
}

/* What a record is called, by the best that is known of it. */
static void test_labels(void **state)
{
	struct resolve_container one = { .id = (char[]){ ID2 } };
	struct resolve_rec rec = { .netns_path = NULL };
	char label[64];

	(void)state;
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "unnamed pod");
	rec.netns_path = (char[]){ "/run/netns/x" };
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "netns:/run/netns/x");
	rec.pid = 7;
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "pid:7");
	rec.uid = (char[]){ "u" };
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "pod of uid u");
	rec.containers = &one;
	rec.n_containers = 1;
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)),
			    "container:fedcba987654");
	rec.sandbox_id = (char[]){ ID1 };
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)),
			    "container:0123456789ab");
	rec.name = (char[]){ "web" };
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "web");
	rec.namespace_ = (char[]){ "default" };
	assert_string_equal(resolve_rec_label(&rec, label, sizeof(label)), "default/web");
}

/* More candidates than a sentence holds, in the order of their names. */
static void test_ambiguous(void **state)
{
	static const unsigned counts[] = { 8, 9, 70 };

	(void)state;
	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct root *t = root_make();
		struct err err = ERR_INIT;
		struct resolve *r;
		char more[32];

		for (unsigned k = 0; k < counts[i]; k++) {
			char id[80], ns[16], cg[128];

			snprintf(id, sizeof(id), "%02u%062x", k, 0);
			snprintf(ns, sizeof(ns), "ns%02u", k);
			put_cni(t, id, ns, "web", "", "10.1.1.1", "v", "/x");
			snprintf(cg, sizeof(cg), "/docker/%s", id);
			put_proc(t, 100 + (int)k, ns, cg);
		}
		r = load(t, false);
		assert_null(pick(r, "web", &err));
		assert_non_null(strstr(err.text, "web means more than one pod of this node: "
						 "ns00/web (container:000000000000), ns01/web "));
		assert_null(strstr(err.text, "ns08"));
		snprintf(more, sizeof(more), ", and %u more", counts[i] - 8);
		assert_int_equal(strstr(err.text, more) != NULL, counts[i] > 8);
		assert_null(pick(r, "10.1.1.1", &err));
		assert_non_null(strstr(err.text, "10.1.1.1 means more than one pod"));
		teardown((void **)&t);
	}
}

/* Candidates without a name, and of one name: by their ids. */
static void test_ambiguous_names(void **state)
{
	struct root *t = *state;
	struct err err = ERR_INIT;
	struct resolve *r;

	put_cni(t, ID2, "a", "web", "", "10.1.1.1", "v", "/x");
	put_cni(t, ID1, "a", "web", "", "10.1.1.1", "v", "/x");
	put_proc(t, 100, "1", "/docker/" ID1);
	put_proc(t, 101, "2", "/docker/" ID2);
	put_proc(t, 102, "3", "/kubepods/pod" UID1 "/" ID3);
	put_proc(t, 103, "4", "/kubepods/pod" UID2 "/" "0123456789abff" ID3);
	put(t, "var/lib/cni/networks/cbr0/10.1.1.1", "%s", ID3);
	r = load(t, false);
	assert_null(pick(r, "web", &err));
	assert_string_equal(err.text, "web means more than one pod of this node: a/web "
				      "(container:0123456789ab), a/web (container:fedcba987654)");
	assert_null(pick(r, "10.1.1.1", &err));
	assert_string_equal(err.text, "10.1.1.1 means more than one pod of this node: a/web "
				      "(container:0123456789ab), a/web (container:fedcba987654), "
				      "container:0123456789ab");
}

/* Of dead ones the newest stands for all, whatever the order. */
static void test_newest(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec = NULL;
	struct err err = ERR_INIT;
	struct resolve *r;

	put_cni(t, ID1, "a", "web", "", "10.1.1.1", "v", "/x");
	put_cni(t, ID2, "a", "web", "", "10.1.1.2", "v", "/x");
	put_cni(t, ID3, "a", "web", "", "10.1.1.3", "v", "/x");
	r = load(t, false);
	for (int newest = 0; newest < 3; newest++) {
		for (unsigned i = 0; i < r->n_recs; i++)
			r->recs[i].mtime = i == (unsigned)newest ? 9 : 5;
		assert_int_equal(resolve_pick(r, "web", &rec, &err), 0);
		assert_ptr_equal(rec, &r->recs[newest]);
	}
}

/* Containers of no pod, and processes that show no namespace. */
static void test_strays(void **state)
{
	struct root *t = *state;
	struct resolve_rec *rec = NULL;
	struct err err = ERR_INIT;
	struct resolve *r;

	put_proc(t, 100, "one", "/docker/" ID1);
	put_proc(t, 101, "one", "/docker/" ID1);
	put_proc(t, 102, "two", "/docker/" ID3);
	put_proc(t, 103, "host", "/docker/" ID2);
	put_zombie(t, 104, "/docker/aa" "00000000000000000000000000000000"
		   "000000000000000000000000000000", 2);
	put_zombie(t, 105, "/", 2);
	r = load(t, false);
	r->own = resolve_proc_find(r, 103)->ns;
	assert_null(pick(r, "container:0123456789ab", &err));
	assert_non_null(strstr(err.text, "means more than one container: 0123456789ab, "
					 "0123456789ab; give more digits"));
	assert_string_equal(pick(r, "container:0123456789abc", &err), "pid:100");
	assert_null(pick(r, "container:fedc", &err));
	assert_non_null(strstr(err.text, "is in the host's own network namespace"));
	assert_null(pick(r, "pid:103", &err));
	assert_non_null(strstr(err.text, "pid:103 is in the host's own network namespace"));
	assert_int_equal(resolve_pick(r, "container:aa00", &rec, &err), 0);
	assert_true(rec->netns_denied && rec->alive);
	assert_int_equal(rec->pid, 104);
	assert_int_equal(resolve_pick(r, "pid:105", &rec, &err), 0);
	assert_true(rec->netns_denied && rec->alive);
	assert_int_equal(rec->pid, 105);
}

/* Texts that are no POD, and names that are nearly one. */
static void test_odd_words(void **state)
{
	struct root *t = *state;
	struct err err = ERR_INIT;
	char text[5000];
	struct resolve *r;

	put_cni(t, ID1, "default", "frontend", UID1, "10.244.1.2", "veth01", "/x");
	put_proc(t, 700, "a", "/kubepods/pod" UID1 "/" ID1);
	put_cni(t, ID2, "", "lonely", "", "10.244.1.3", "veth02", "/x");
	put_proc(t, 701, "b", "/docker/" ID2);
	put(t, "var/lib/cni/networks/cbr0/10.244.1.8", "%s", ID1);
	r = load(t, false);
	assert_null(pick(r, "frontedn", &err));
	assert_non_null(strstr(err.text, "did you mean default/frontend?"));
	assert_null(pick(r, "lonley", &err));
	assert_null(strstr(err.text, "did you mean"));
	assert_string_equal(pick(r, "10.244.1.8", &err), "default/frontend");
	memset(text, 'a', sizeof(text));
	text[4097] = 0;
	assert_null(pick(r, text, &err));
	assert_non_null(strstr(err.text, "a POD is"));
	text[300] = '/';
	text[310] = 0;
	assert_null(pick(r, text, &err));
	assert_non_null(strstr(err.text, "is no namespace/name"));
	text[300] = 'a';
	memcpy(text, "container:", 10);
	assert_null(pick(r, text, &err));
	assert_non_null(strstr(err.text, "container: takes an id"));
	memset(text, 'a', 65);
	text[65] = 0;
	assert_null(pick(r, text, &err));
	assert_non_null(strstr(err.text, "no pod aaaa"));
	assert_null(pick(r, "netns:", &err));
	assert_string_equal(err.text, "netns: takes a path, or a name of `ip netns`");
}

/* A list of nothing is an answer where everything could be read. */
static void test_empty_list(void **state)
{
	struct root *t = *state;
	struct err err = ERR_INIT;
	struct chain *c = NULL;
	struct resolve *r = load(t, true);

	assert_int_equal(resolve_list(r, &c, &err), 0);
	assert_int_equal(c->n_pods, 0);
	chain_free(c);
	c = NULL;
	resolve_deny(r, "/run", EIO);
	resolve_deny(r, "/var/lib/cni/results", EPERM);
	resolve_deny(r, "/var/log/pods", EACCES);
	assert_int_equal(resolve_list(r, &c, &err), -EACCES);
	assert_null(c);
	assert_string_equal(err.text, "cannot tell which pods this node has: no permission to read "
				      "/var/lib/cni/results (needs CAP_DAC_READ_SEARCH; run as "
				      "root)");
}

/* A namespace's file: in the root, as the node's init sees it, as this process does. */
static void test_netns_paths(void **state)
{
	struct root *t = *state;
	struct resolve_netns ns, web;
	struct resolve_fs fs;
	char path[256], inside[256];
	int fd;

	put_netns(t, "run/netns/web", "web");
	put(t, "run/netns/plain", "%s", "");
	put_netns(t, "init/run/netns/plain", "web");
	put(t, "init/run/netns/both", "%s", "");
	put(t, "run/netns/both", "%s", "");
	snprintf(path, sizeof(path), "%s/init", t->dir);
	assert_int_equal(resolve_fs_init(&fs, t->dir, NULL), 0);
	fd = resolve_netns_open(&fs, "/run/netns/web", &web);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(resolve_netns_open(&fs, "/run/netns/plain", &ns), -ESTALE);
	put_link(t, "proc/1/root", path);
	fd = resolve_netns_open(&fs, "/run/netns/plain", &ns);
	assert_true(fd >= 0);
	assert_true(resolve_netns_eq(&ns, &web));
	close(fd);
	assert_int_equal(resolve_netns_open(&fs, "/run/netns/both", &ns), -ESTALE);
	assert_int_equal(resolve_netns_open(&fs, "/run/netns/nope", &ns), -ENOENT);
	assert_int_equal(resolve_netns_open(&fs, "/proc/1/ns/net", &ns), -ENOENT);
	assert_int_equal(resolve_netns_open_pid(&fs, 1, &ns), -ENOENT);
	/* a link to the path that it has on the real root: followed by who has the node's pids */
	snprintf(path, sizeof(path), "%s/ns-web", t->dir);
	snprintf(inside, sizeof(inside), "%s/ns-web", t->dir + 1);
	put_link(t, inside, path);
	assert_int_equal(resolve_netns_open(&fs, path, &ns), -ELOOP);
	fs.own_pids = true;
	fd = resolve_netns_open(&fs, path, &ns);
	assert_true(fd >= 0);
	assert_true(resolve_netns_eq(&ns, &web));
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(resolve_netns_open(&fs, path, &ns), -ENOENT);
	resolve_fs_done(&fs);
	/* a directory of state files has no /proc: mounts are where this process sees them */
	put_dir(t, "init/proc");
	snprintf(path, sizeof(path), "%s/init", t->dir);
	assert_int_equal(resolve_fs_init(&fs, path, NULL), 0);
	assert_false(fs.proc_in_root);
	assert_true(fs.own_pids);
	snprintf(path, sizeof(path), "%s/run/netns/web", t->dir);
	fd = resolve_netns_open(&fs, path, &ns);
	assert_true(fd >= 0);
	assert_true(resolve_netns_eq(&ns, &web));
	close(fd);
	assert_int_equal(resolve_netns_open(&fs, "/no/such/path", &ns), -ENOENT);
	resolve_fs_done(&fs);
	/* a /proc without process 1: another pid namespace's */
	put_link(t, "init/proc/self", "7");
	snprintf(path, sizeof(path), "%s/init", t->dir);
	assert_int_equal(resolve_fs_init(&fs, path, NULL), 0);
	assert_true(fs.proc_in_root);
	assert_false(fs.own_pids);
	resolve_fs_done(&fs);
	/* no root at all */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(resolve_fs_init(&fs, i ? i == 1 ? "" : "/" : NULL, NULL), 0);
		assert_int_equal(fs.root, -1);
		assert_int_equal(resolve_fs_open(&fs, "/no/such/path", O_RDONLY), -ENOENT);
		assert_true(fs.own_pids);
		resolve_fs_done(&fs);
	}
}

/* Symbolic links are the node's own: absolute ones start at the host root. */
static void test_links(void **state)
{
	struct root *t = *state;
	char path[PATH_MAX];
	struct resolve *r;
	struct buf b;

	put(t, "run/x/file", "inside");
	snprintf(path, sizeof(path), "%s/var", t->dir);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/var/run", t->dir);
	assert_int_equal(symlink("/run", path), 0);
	snprintf(path, sizeof(path), "%s/var/up", t->dir);
	assert_int_equal(symlink("../../../../run/./x", path), 0);
	snprintf(path, sizeof(path), "%s/var/loop", t->dir);
	assert_int_equal(symlink("loop", path), 0);
	r = load(t, false);
	buf_init(&b, 100);
	assert_int_equal(resolve_fs_read(&r->fs, "/var/run/x/file", &b), 0);
	assert_string_equal(buf_str(&b), "inside");
	assert_int_equal(resolve_fs_read(&r->fs, "/var/up/file", &b), 0);
	assert_string_equal(buf_str(&b), "inside");
	assert_int_equal(resolve_fs_read(&r->fs, "/var/loop", &b), -ELOOP);
	assert_int_equal(resolve_fs_read(&r->fs, "/var/nope", &b), -ENOENT);
	assert_int_equal(resolve_fs_read(&r->fs, "/../../etc/passwd", &b), -ENOENT);
	assert_int_equal(resolve_fs_read(&r->fs, "/run", &b), -EINVAL);
	put(t, "big", "%0200d", 0);
	assert_int_equal(resolve_fs_read(&r->fs, "/big", &b), -EFBIG);
	buf_done(&b);
}

static void test_node_name(void **state)
{
	struct root *t = *state;
	char name[32];

	unsetenv("NODE_NAME");
	put(t, "etc/hostname", "from-file\n");
	resolve_node_name(t->dir, "given", name, sizeof(name));
	assert_string_equal(name, "given");
	resolve_node_name(t->dir, NULL, name, sizeof(name));
	assert_string_equal(name, "from-file");
	setenv("NODE_NAME", "from-env", 1);
	resolve_node_name(t->dir, NULL, name, sizeof(name));
	assert_string_equal(name, "from-env");
	unsetenv("NODE_NAME");
	resolve_node_name(t->dir, "a-name-longer-than-the-buffer-it-goes-to", name, 8);
	assert_string_equal(name, "a-name-");
}

/* More than any node has is a disk that keeps what it should not: the rest is shown. */
static void test_limits(void **state)
{
	struct root *t = *state;
	struct resolve *r = load(t, false);

	while (resolve_rec_new(r))
		;
	while (resolve_grow(r, &r->leases, &r->n_leases, sizeof(*r->leases), RESOLVE_ENTRIES_MAX))
		;
	put_cni(t, ID1, "default", "web", UID1, "10.1.0.9", "veth0", "/x");
	put(t, "var/lib/cni/networks/cbr0/10.1.0.9", ID1 "\r\neth0");
	resolve_cni_scan(r);
	resolve_hostlocal_scan(r);
	assert_false(r->oom);
	assert_int_equal(r->n_recs, RESOLVE_RECS_MAX);
	assert_int_equal(r->n_leases, RESOLVE_ENTRIES_MAX);
}

/* 500 pods, four processes each: the joins stay linear. */
static void test_many(void **state)
{
	struct root *t = *state;
	struct resolve *r;
	struct err err;

	for (int i = 0; i < 500; i++) {
		char id[65], uid[37], name[32], ip[32], cg[256], ns[16];

		snprintf(id, sizeof(id), "%064x", i + 1);
		snprintf(uid, sizeof(uid), "00000000-0000-0000-0000-%012x", i);
		snprintf(name, sizeof(name), "p%d", i);
		snprintf(ip, sizeof(ip), "10.1.%d.%d", i / 250, i % 250 + 1);
		put_cni(t, id, "default", name, uid, ip, "veth0", "/x");
		snprintf(ns, sizeof(ns), "%d", i);
		snprintf(cg, sizeof(cg), "/kubepods/pod%s/%s", uid, id);
		put_proc(t, 1000 + i * 2, ns, cg);
		snprintf(cg, sizeof(cg), "/kubepods/pod%s/%064x", uid, 0x10000 + i);
		put_proc(t, 1001 + i * 2, ns, cg);
	}
	r = load(t, true);
	assert_int_equal(r->n_recs, 500);
	for (unsigned i = 0; i < r->n_recs; i++) {
		assert_true(r->recs[i].alive);
		assert_int_equal(r->recs[i].n_containers, 2);
	}
	assert_string_equal(pick(r, "p321", &err), "default/p321");
	assert_string_equal(pick(r, "10.1.1.72", &err), "default/p321");
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_containerd),	 CASE(test_dockerd),   CASE(test_logs_name),
		CASE(test_host_network), CASE(test_bundles),   CASE(test_stale),
		CASE(test_zombies),	 CASE(test_pid_reuse), CASE(test_forms),
		CASE(test_refused),	 CASE(test_links),     CASE(test_node_name),
		CASE(test_limits),	 CASE(test_many),
		CASE(test_underlay),	 CASE(test_bundle_netns),
		CASE(test_bundle_host_pid), CASE(test_docker_scan), CASE(test_sandbox_later),
		CASE(test_uid_twice), CASE(test_by_namespace), CASE(test_proc_paths),
		CASE(test_proc_path_host), CASE(test_claims), CASE(test_clutter), CASE(test_denied),
		CASE(test_labels), CASE(test_ambiguous), CASE(test_ambiguous_names),
		CASE(test_newest), CASE(test_strays), CASE(test_odd_words),
		CASE(test_empty_list), CASE(test_netns_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
