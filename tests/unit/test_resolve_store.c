/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_store.c - sources joined into pods, and POD forms picked from them.
 *
 * Each test builds a host root in a temporary directory (host_root.h). The joins look at
 * no more than (st_dev, st_ino) of a namespace's file. No netlink socket is open: what needs
 * one is in test_resolve_node.c, against a kernel that is made up, and in tests/lab/resolve.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/resolve/resolve_priv.h"
#include "host_root.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID3 "0123456789ab0000000000000000000000000000000000000000000000000000"
#define UID1 "8f013a97-516b-4477-aa9d-018d88bb8b88"
#define UID2 "494211a3-f155-4c52-97ee-acb0c488573c"

static int setup(void **state)
{
	*state = root_make();
	return 0;
}

static int teardown(void **state)
{
	struct root *t = *state;

	if (t->r) {
		resolve_store_done(t->r);
		resolve_fs_done(&t->r->fs);
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
		CASE(test_many),	 CASE(test_underlay),  CASE(test_bundle_netns),
		CASE(test_bundle_host_pid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
