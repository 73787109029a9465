/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doctor_files.c - which of a node's files doctor finds and reads, and what it makes of those
 * that cannot be read. What they say is test_doctor.c's.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/doctor/doctor_priv.h"

#include "podhop/addr.h"
#include "podhop/buf.h"
#include "podhop/resolve.h"

#include <cmocka.h> /* last: it has a macro called fail() */

#include "host_root.h"

#define VXLAN "{\"Backend\":{\"Type\":\"vxlan\",\"VNI\":%u}}"
#define CNI "{\"plugins\":[{\"type\":\"%s\",\"delegate\":{\"hairpinMode\":%s}}]}"

static struct root *node;
static struct doctor_view view;
static struct buf text;

static int begin(void **state)
{
	(void)state;
	node = root_make();
	put(node, "proc/sys/net/ipv4/ip_forward", "1\n");
	view = (struct doctor_view){ .root = -1, .proc = -1 };
	buf_init(&text, 1000);
	return 0;
}

static int end(void **state)
{
	(void)state;
	doctor_view_done(&view);
	buf_done(&text);
	root_remove(node);
	return 0;
}

static void open_node(void)
{
	assert_int_equal(doctor_files_open(&view, node->dir, NULL), 0);
}

static void is_file(const char *path, int rc, const char *content)
{
	assert_int_equal(doctor_file_read(&view, path, &text), rc);
	if (!rc)
		assert_string_equal(buf_str(&text), content);
}

static void is_proc(const char *path, int rc, const char *content)
{
	assert_int_equal(doctor_proc_read(&view, path, &text), rc);
	if (!rc)
		assert_string_equal(buf_str(&text), content);
}

/* -------------------------------------------------------------------- opening */

static void test_no_such_root(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(doctor_files_open(&view, "/no/such/root", &err), -ENOENT);
	assert_string_equal(err.text, "open host root /no/such/root: No such file or directory");
}

/* Without a host root, or with / as one, paths are those of this machine. */
static void test_this_machine(void **state)
{
	static const char *const roots[] = { NULL, "", "/" };
	char path[128];

	(void)state;
	put(node, "there", "here\n");
	snprintf(path, sizeof(path), "%s/there", node->dir);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(doctor_files_open(&view, roots[i], NULL), 0);
		assert_int_equal(view.root, -1);
		is_file(path, 0, "here\n");
		snprintf(path, sizeof(path), "%s/not-there", node->dir);
		is_file(path, -ENOENT, NULL);
		snprintf(path, sizeof(path), "%s/there", node->dir);
		assert_int_equal(doctor_proc_read(&view, "sys/kernel/osrelease", &text), 0);
		assert_true(text.len > 0);
		close(view.proc);
		view.proc = -1;
	}
}

/* A container's mount point for /proc that nothing is mounted on: this machine's is the node's. */
static void test_proc_of_the_root(void **state)
{
	char *empty;

	(void)state;
	open_node();
	is_proc("sys/net/ipv4/ip_forward", 0, "1\n");
	is_proc("self/stat", -ENOENT, NULL);
	doctor_view_done(&view);
	view = (struct doctor_view){ .root = -1, .proc = -1 };
	put_dir(node, "other/proc");
	assert_true(asprintf(&empty, "%s/other", node->dir) > 0);
	assert_int_equal(doctor_files_open(&view, empty, NULL), 0);
	free(empty);
	assert_true(view.root >= 0);
	assert_int_equal(doctor_proc_read(&view, "self/stat", &text), 0);
}

/* -------------------------------------------------------------------- reading */

static void test_what_is_no_file(void **state)
{
	char path[128];

	(void)state;
	put(node, "etc/plain", "content");
	put(node, "etc/empty", "%s", "");
	put_dir(node, "etc/directory");
	put_link(node, "etc/link", "/etc/plain");
	put_link(node, "etc/outside", "../../../../../../etc/passwd");
	snprintf(path, sizeof(path), "%s/etc/fifo", node->dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	open_node();
	is_file("/etc/plain", 0, "content");
	is_file("/etc/empty", 0, "");
	is_file("/etc/link", 0, "content");
	is_file("/etc/none", -ENOENT, NULL);
	is_file("/etc/directory", -EINVAL, NULL);
	/* of a FIFO nothing is read, and its writer is not waited for */
	is_file("/etc/fifo", -EINVAL, NULL);
	/* above the root there is none: this machine's file is not the node's */
	is_file("/etc/outside", -ENOENT, NULL);
}

static void test_long_file(void **state)
{
	static char bytes[70000];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	put_bytes(node, "most", bytes, 1000);
	put_bytes(node, "more", bytes, 1001);
	put_bytes(node, "pieces", bytes, sizeof(bytes));
	open_node();
	assert_int_equal(doctor_file_read(&view, "/most", &text), 0);
	assert_int_equal(text.len, 1000);
	assert_int_equal(doctor_file_read(&view, "/more", &text), -EFBIG);
	buf_done(&text);
	buf_init(&text, sizeof(bytes));
	assert_int_equal(doctor_file_read(&view, "/pieces", &text), 0);
	assert_int_equal(text.len, sizeof(bytes));
	/* what was read before is gone */
	assert_int_equal(doctor_file_read(&view, "/most", &text), 0);
	assert_int_equal(strspn(buf_str(&text), "x"), 1000);
	assert_int_equal(text.len, 1000);
}

/* Behind the door only what was read before can be read, and it is read anew. */
static void test_kept(void **state)
{
	(void)state;
	put(node, "proc/net/udp", "one\n");
	put(node, "etc/plain", "content");
	open_node();
	view.kept = calloc(1, sizeof(*view.kept));
	is_proc("net/udp", 0, "one\n");
	is_proc("net/udp", 0, "one\n");
	assert_int_equal(view.kept->n, 1);
	view.sealed = true;
	put(node, "proc/net/udp", "two\n");
	is_proc("net/udp", 0, "two\n");
	is_proc("sys/net/ipv4/ip_forward", -EACCES, NULL);
	is_file("/etc/plain", -EACCES, NULL);
}

/* One file more than there is room for is read, and not known later. */
static void test_kept_is_full(void **state)
{
	char name[64];

	(void)state;
	open_node();
	view.kept = calloc(1, sizeof(*view.kept));
	for (unsigned i = 0; i <= DOCTOR_KEPT_MAX; i++) {
		snprintf(name, sizeof(name), "proc/f%u", i);
		put(node, name, "%u", i);
		is_proc(name + strlen("proc/"), 0, name + strlen("proc/f"));
	}
	assert_int_equal(view.kept->n, DOCTOR_KEPT_MAX);
	view.sealed = true;
	is_proc("f0", 0, "0");
	is_proc(name + strlen("proc/"), -EACCES, NULL);
}

/* -------------------------------------------------------------------- sysctls */

static void test_sysctl(void **state)
{
	static const struct {
		const char *content;
		int rc;
		long value;
	} cases[] = {
		{ "0\n", 0, 0 },
		{ "-1\n", 0, -1 },
		{ "4096\t131072\t6291456\n", 0, 4096 },
		{ "1234567890123456789 and more than fits\n", 0, 1234567890123456789 },
		{ "none\n", -EBADMSG, 7 },
		{ "\n", -EBADMSG, 7 },
		{ "", -EBADMSG, 7 },
	};
	long value;

	(void)state;
	open_node();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		value = 7;
		put(node, "proc/sys/net/a/b", "%s", cases[i].content);
		assert_int_equal(doctor_sysctl(&view, "a/b", &value), cases[i].rc);
		assert_int_equal(value, cases[i].value);
	}
	assert_int_equal(doctor_sysctl(&view, "a/none", &value), -ENOENT);
	put_dir(node, "proc/sys/net/a/directory");
	assert_int_equal(doctor_sysctl(&view, "a/directory", &value), -EISDIR);
	/* a device's name may have a dot in it */
	put(node, "proc/sys/net/ipv4/conf/flannel.1/rp_filter", "2\n");
	assert_int_equal(doctor_sysctl_dev(&view, "ipv4", "flannel.1", "rp_filter", &value), 0);
	assert_int_equal(value, 2);
	/* kept, as other files of /proc are */
	view.kept = calloc(1, sizeof(*view.kept));
	assert_int_equal(doctor_sysctl(&view, "ipv4/ip_forward", &value), 0);
	assert_int_equal(value, 1);
	view.sealed = true;
	put(node, "proc/sys/net/ipv4/ip_forward", "0\n");
	assert_int_equal(doctor_sysctl(&view, "ipv4/ip_forward", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(doctor_sysctl(&view, "a/b", &value), -EACCES);
}

/* --------------------------------------------------------------- what is found */

/* The node's pods as the resolver knows them: only those of flannel's kind use its network. */
static const struct chain *pods(void)
{
	static char c[] = "c", d[] = "d", e[] = "e", u[] = "u", tenant[] = "tenant";
	static struct chain_pod pod[] = {
		{ .uid = c, .host_network = true }, { .uid = d, .host_network = true },
		{ .uid = e, .host_network = true }, { .uid = tenant },
		{ .uid = u, .host_network = true },
	};
	static struct chain chain = { .pods = pod, .n_pods = sizeof(pod) / sizeof(pod[0]) };

	return &chain;
}

static void read_node(void)
{
	open_node();
	view.chain = pods();
	assert_int_equal(doctor_files_read(&view), 0);
}

static void test_empty_node(void **state)
{
	(void)state;
	read_node();
	assert_int_equal(view.env_rc, -ENOENT);
	assert_null(view.conf.path);
	assert_null(view.cni_conf);
	assert_int_equal(view.n_leases, 0);
	/* where the node does not say, it is this machine's kernel */
	assert_true(view.kernel_major > 0);
}

static void test_subnet_env_is_broken(void **state)
{
	(void)state;
	put(node, "run/flannel/subnet.env", "FLANNEL_SUBNET=oops\n");
	put(node, "proc/sys/kernel/osrelease", "next\n");
	read_node();
	assert_int_equal(view.env_rc, -EBADMSG);
	assert_true(view.kernel_major > 0);
}

/* flanneld's configuration: its own file, k3s's, then what the kubelet made of a ConfigMap. */
static void test_conf_is_found(void **state)
{
	static const struct {
		const char *path;
		unsigned vni;
	} places[] = {
		{ "/etc/kube-flannel/net-conf.json", 1 },
		{ "/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json", 2 },
		{ "/var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/kube-flannel-cfg/"
		  "net-conf.json",
		  3 },
	};

	(void)state;
	/* what is not flannel's, or is none */
	put(node, "var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/dns/net-conf.json", VXLAN,
	    9);
	/* anybody's pod, and one that nobody knows */
	put(node, "var/lib/kubelet/pods/tenant/volumes/kubernetes.io~configmap/flannel-cfg/"
		  "net-conf.json", VXLAN, 9);
	put(node, "var/lib/kubelet/pods/gone/volumes/kubernetes.io~configmap/flannel-cfg/"
		  "net-conf.json", VXLAN, 9);
	put(node, "var/lib/kubelet/pods/c/volumes/kubernetes.io~configmap/flannel/net-conf.json",
	    "{\"Backend\":");
	put_dir(node, "var/lib/kubelet/pods/d/volumes/kubernetes.io~configmap/flannel-cfg");
	put_dir(node, "var/lib/kubelet/pods/e");
	read_node();
	assert_null(view.conf.path);
	for (size_t i = 3; i-- > 0;) {
		doctor_view_done(&view);
		view = (struct doctor_view){ .root = -1, .proc = -1 };
		put(node, places[i].path + 1, VXLAN, places[i].vni);
		read_node();
		assert_string_equal(view.conf.path, places[i].path);
		assert_int_equal(view.conf.vni, places[i].vni);
	}
}

/* Of CNI's configurations the first by name that is flannel's; k3s's where there is none. */
static void test_cni_is_found(void **state)
{
	(void)state;
	put(node, "etc/cni/net.d/00-bridge.conf", CNI, "bridge", "true");
	put(node, "etc/cni/net.d/01-broken.json", "{");
	put(node, "etc/cni/net.d/02-flannel.bak", CNI, "flannel", "true");
	put(node, "etc/cni/net.d/README", "none");
	put_dir(node, "etc/cni/net.d/03-dir.conflist");
	put(node, "var/lib/rancher/k3s/agent/etc/cni/net.d/10-flannel.conflist", CNI, "flannel",
	    "true");
	read_node();
	assert_string_equal(view.cni_conf,
			    "/var/lib/rancher/k3s/agent/etc/cni/net.d/10-flannel.conflist");
	assert_true(view.cni_hairpin);
	doctor_view_done(&view);
	view = (struct doctor_view){ .root = -1, .proc = -1 };
	for (unsigned i = 9; i >= 5; i--) {
		char name[64];

		snprintf(name, sizeof(name), "etc/cni/net.d/%u0-flannel.conflist", i);
		put(node, name, CNI, "flannel", i == 5 ? "false" : "true");
	}
	read_node();
	assert_string_equal(view.cni_conf, "/etc/cni/net.d/50-flannel.conflist");
	assert_false(view.cni_hairpin);
}

static void test_leases(void **state)
{
	char addr[ADDR_STR_MAX];

	(void)state;
	put(node, "var/lib/cni/networks/cbr0/10.244.1.5", "abc\r\neth0");
	put(node, "var/lib/cni/networks/cbr0/lock", "%s", "");
	put(node, "var/lib/cni/networks/cbr0/last_reserved_ip.0", "10.244.1.5");
	put_dir(node, "var/lib/cni/networks/cbr0/10.244.1.6");
	put(node, "var/lib/cni/networks/.hidden/10.244.1.7", "def");
	put(node, "var/lib/cni/networks/file", "none");
	read_node();
	assert_int_equal(view.n_leases, 1);
	assert_string_equal(addr_str(&view.leases[0].ip, addr), "10.244.1.5");
	assert_string_equal(view.leases[0].path, "/var/lib/cni/networks/cbr0/10.244.1.5");
	assert_string_equal(view.leases[0].id, "abc");
}

int main(void)
{
#define EACH(test) cmocka_unit_test_setup_teardown(test, begin, end)
	const struct CMUnitTest tests[] = {
		EACH(test_no_such_root),     EACH(test_this_machine),
		EACH(test_proc_of_the_root), EACH(test_what_is_no_file),
		EACH(test_long_file),	     EACH(test_kept),
		EACH(test_kept_is_full),     EACH(test_sysctl),
		EACH(test_empty_node),	     EACH(test_subnet_env_is_broken),
		EACH(test_conf_is_found),    EACH(test_cni_is_found),
		EACH(test_leases),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
