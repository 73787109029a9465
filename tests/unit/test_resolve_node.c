/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_node.c - pods resolved on a whole node: files, processes and netlink.
 *
 * Theory of operation. The files are a host root in a temporary directory (host_root.h), the
 * kernel is made up (fake_node.h), everything between is the program's own: netlink's bytes, libnl,
 * the joins, the sentences. tests/lab/resolve.sh does the same on a real kernel; here is what a
 * real one seldom does, and what needs no root.
 *
 * The node has two pods: web in namespace 5 behind veth01, db in 6 behind veth02.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "../../src/resolve/resolve_priv.h"
#include "fake_node.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID3 "0123456789ab0000000000000000000000000000000000000000000000000000"
#define UID1 "8f013a97-516b-4477-aa9d-018d88bb8b88"
#define UID2 "494211a3-f155-4c52-97ee-acb0c488573c"
#define UID3 "00000000-1111-2222-3333-444444444444"

enum { LO = 1, ETH0, FLANNEL, CNI0, FLANNEL6, WEB_VETH = 7, DB_VETH };
enum { WEB = 5, DB = 6 }; /* their namespaces, as the host numbers them */
#define POD_ETH0 2
#define UP IFF_UP

static struct err err;
static struct chain *c;

/* A pair between the host and a pod. */
static void has_veth(int32_t ns, uint32_t host_index, const char *host_name, const char *ifname)
{
	has_link((struct node_link){ .ns = HOST, .index = host_index, .name = host_name,
				     .kind = "veth", .iflink = POD_ETH0, .peer_ns = ns,
				     .master = CNI0, .flags = UP, .mac = "0a:00:00:00:00:01" });
	has_link((struct node_link){ .ns = ns, .index = LO, .name = "lo", .peer_ns = HOST,
				     .flags = UP | IFF_LOOPBACK });
	has_link((struct node_link){ .ns = ns, .index = POD_ETH0, .name = ifname, .kind = "veth",
				     .iflink = host_index, .peer_ns = SELF_NSID, .flags = UP,
				     .mac = "0a:00:00:00:00:02" });
}

static int setup(void **state)
{
	struct root *t = root_make();

	node_reset(t);
	err_clear(&err);
	c = NULL;
	has_link((struct node_link){ .ns = HOST, .index = CNI0, .name = "cni0", .kind = "bridge",
				     .peer_ns = HOST, .flags = UP, .mac = "0a:58:0a:f4:01:01" });
	has_link((struct node_link){ .ns = HOST, .index = LO, .name = "lo", .peer_ns = HOST,
				     .flags = UP | IFF_LOOPBACK });
	has_link((struct node_link){ .ns = HOST, .index = ETH0, .name = "eth0", .peer_ns = HOST,
				     .flags = UP, .mac = "0a:00:00:00:00:77" });
	has_link((struct node_link){ .ns = HOST, .index = FLANNEL, .name = "flannel.1",
				     .kind = "vxlan", .peer_ns = HOST, .flags = UP, .vni = 1,
				     .over = ETH0, .local = "192.168.77.1",
				     .mac = "02:00:00:00:00:01" });
	has_veth(WEB, WEB_VETH, "veth01", "eth0");
	has_veth(DB, DB_VETH, "veth02", "eth0");
	has_addr(HOST, ETH0, "192.168.77.1/24");
	has_addr(HOST, CNI0, "10.244.1.1/24");
	has_addr(WEB, LO, "127.0.0.1/8");
	has_addr(WEB, POD_ETH0, "fe80::2/64");
	has_addr(WEB, POD_ETH0, "fd00:1::2/64");
	has_addr(WEB, POD_ETH0, "10.244.1.2/24");
	has_addr(DB, POD_ETH0, "10.244.1.3/24");
	has_route((struct node_route){ .dst = "0.0.0.0/0", .oif = ETH0, .via = "192.168.77.2" });
	has_route((struct node_route){ .dst = "10.244.1.0/24", .oif = CNI0 });
	has_route((struct node_route){ .dst = "10.244.2.0/24", .oif = FLANNEL,
				       .via = "10.244.2.0" });
	has_route((struct node_route){ .dst = "10.244.3.0/24", .oif = ETH0,
				       .via = "192.168.77.3" });
	has_neigh(AF_INET, FLANNEL, "02:00:00:00:00:02", "10.244.2.0");
	has_neigh(AF_BRIDGE, FLANNEL, "02:00:00:00:00:02", "192.168.77.2");
	has_nsid("web", WEB);
	has_nsid("db", DB);
	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/run/netns/web");
	put_cni(t, ID2, "default", "db", UID2, "10.244.1.3", "veth02", "/run/netns/db");
	put_proc(t, 100, "web", "/kubepods/pod" UID1 "/cri-containerd-" ID1);
	put_proc(t, 200, "db", "/kubepods/pod" UID2 "/cri-containerd-" ID2);
	put_netns(t, "run/netns/web", "web");
	put(t, "run/flannel/subnet.env",
	    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct root *t = *state;

	chain_free(c);
	resolve_free(t->r);
	root_remove(t);
	kernel_reset();
	return 0;
}

static struct resolve *opened(struct root *t)
{
	const struct resolve_config config = { .host_root = t->dir, .node = "n1" };

	t->r = resolve_open(&config, &err);
	if (!t->r)
		fail_msg("%s", err.text);
	return t->r;
}

/* Resolves POD anew; the chain is in c, the sentence in err. */
static int resolve(struct root *t, const char *pod)
{
	chain_free(c);
	c = NULL;
	err_clear(&err);
	return resolve_pod(t->r ? t->r : opened(t), pod, &c, &err);
}

static void assert_says(const char *part)
{
	if (!strstr(err.text, part))
		fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

static void assert_problem(const struct chain_pod *pod, const char *part)
{
	if (!strstr(pod->problem, part))
		fail_msg("\"%s\" does not say \"%s\"", pod->problem, part);
}

/* The value of a step's evidence, the n-th of them; fails where there are fewer. */
static void assert_evidence(const char *step, unsigned nth, const char *source, const char *value)
{
	for (unsigned i = 0; i < c->n_evidence; i++) {
		if (strcmp(c->evidence[i].step, step) != 0 || nth-- > 0)
			continue;
		assert_string_equal(c->evidence[i].source, source);
		assert_string_equal(c->evidence[i].value, value);
		return;
	}
	fail_msg("no %s: %s", step, value);
}

static void assert_ips(const struct chain_pod *pod, const char *first, const char *second)
{
	char text[ADDR_STR_MAX];

	assert_int_equal(pod->n_ips, second ? 2 : 1);
	assert_string_equal(addr_str(&pod->ips[0], text), first);
	if (second)
		assert_string_equal(addr_str(&pod->ips[1], text), second);
}

/* ------------------------------------------------------------ the whole way */

static void test_chain(void **state)
{
	struct root *t = *state;
	const struct chain_interface *ifc;
	char text[256];

	assert_int_equal(resolve(t, "default/web"), 0);
	assert_int_equal(c->n_pods, 1);
	assert_string_equal(c->pods[0].namespace_, "default");
	assert_string_equal(c->pods[0].name, "web");
	assert_string_equal(c->pods[0].uid, UID1);
	assert_string_equal(c->pods[0].runtime, "containerd");
	assert_string_equal(c->pods[0].netns_path, "/run/netns/web");
	assert_string_equal(c->pods[0].problem, "");
	assert_int_equal(c->pods[0].pid, 100);
	assert_ips(&c->pods[0], "10.244.1.2", "fd00:1::2");
	assert_int_equal(c->pods[0].n_interfaces, 1);
	ifc = &c->pods[0].interfaces[0];
	assert_string_equal(ifc->link.name, "eth0");
	assert_string_equal(ifc->host_veth.name, "veth01");
	assert_int_equal(ifc->host_veth.ifindex, WEB_VETH);
	assert_int_equal(ifc->host_veth.mtu, NODE_MTU);
	assert_string_equal(ifc->bridge, "cni0");
	assert_int_equal(c->pods[0].n_containers, 1);
	assert_true(c->pods[0].containers[0].sandbox);
	assert_string_equal(c->host.node, "n1");
	assert_string_equal(c->host.bridges[0].name, "cni0");
	assert_string_equal(c->host.vteps[0].link.name, "flannel.1");
	assert_string_equal(c->host.underlays[0].name, "eth0");

	assert_evidence("pod", 0, "/var/lib/cni/results/cbr0-" ID1 "-eth0",
			"default/web, uid " UID1 ", sandbox " ID1);
	assert_evidence("container", 0, "/proc/100/cgroup", "sandbox " ID1);
	assert_evidence("process", 0, "/proc/100/cgroup", "pid 100 runs sandbox 0123456789ab");
	snprintf(text, sizeof(text), "inode %llu", (unsigned long long)c->pods[0].netns_inode);
	assert_evidence("netns", 0, "/proc/100/ns/net", text);
	snprintf(text, sizeof(text), "/run/netns/web, inode %llu",
		 (unsigned long long)c->pods[0].netns_inode);
	assert_evidence("netns", 1, "/var/lib/cni/results/cbr0-" ID1 "-eth0", text);
	assert_evidence("nsid", 0, "netlink RTM_GETNSID",
			"the host knows that namespace as nsid 5");
	assert_evidence("peer", 0, "netlink RTM_GETLINK in nsid 5",
			"eth0 is ifindex 2, mac 0a:00:00:00:00:02, its peer is ifindex 7 of the "
			"host");
	assert_evidence("veth", 0, "netlink RTM_GETLINK",
			"veth01 is ifindex 7, its peer is ifindex 2 in nsid 5");
	assert_evidence("bridge", 0, "netlink RTM_GETLINK",
			"veth01 is a port of cni0 (ifindex 4), forwarding, hairpin on");
	assert_evidence("cni", 0, "/var/lib/cni/results/cbr0-" ID1 "-eth0",
			"eth0, host end veth01, 10.244.1.2: agrees with netlink");
	assert_evidence("vtep", 0, "netlink RTM_GETLINK",
			"flannel.1 is vxlan, vni 1, port 8472, local 192.168.77.1, mac "
			"02:00:00:00:00:01");
	assert_evidence("underlay", 0, "netlink RTM_GETLINK IFLA_VXLAN_LINK",
			"flannel.1 sends through eth0 (ifindex 2)");
	assert_evidence("underlay", 1, "netlink RTM_GETADDR", "eth0 has 192.168.77.1/24");
}

/* Every form of POD comes to the same veth. */
static void test_forms(void **state)
{
	static const char *const forms[] = {
		"web", "10.244.1.2", "fd00:1::2", ("container:" ID1), "0123456789ab",
		"pid:100", "netns:/run/netns/web", "netns:/proc/100/ns/net", "veth:veth01",
	};
	struct root *t = *state;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(resolve(t, forms[i]), 0);
		assert_string_equal(c->pods[0].name, "web");
		assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth01");
	}
}

static void test_list(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "gone", "", "10.244.1.9", "veth99", "/run/netns/gone");
	assert_int_equal(resolve_list(opened(t), &c, &err), 0);
	assert_int_equal(c->n_pods, 3);
	assert_string_equal(c->pods[0].name, "db");
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth02");
	assert_string_equal(c->pods[1].name, "gone");
	assert_problem(&c->pods[1], "gone: /var/lib/cni/results/cbr0-" ID3 "-eth0 is left over, "
				    "but its network namespace, its host veth veth99 and its "
				    "processes do not exist any more");
	assert_ips(&c->pods[1], "10.244.1.9", NULL);
	assert_string_equal(c->pods[2].name, "web");
	assert_int_equal(c->n_evidence, 0);
}

/* Of dead records of one name the newest is listed, and none beside a live one. */
static void test_list_dead(void **state)
{
	static const char *const ids[] = { "aa" ID3, "bb" ID3, "cc" ID3 };
	struct timespec times[2] = { { 0, 0 }, { 0, 0 } };
	struct root *t = *state;
	char path[PATH_MAX];

	for (int i = 0; i < 3; i++) {
		put_cni(t, ids[i], "x", "job", "", i == 1 ? "10.244.1.51" : "10.244.1.50", "veth99",
			"/gone");
		snprintf(path, sizeof(path), "%s/var/lib/cni/results/cbr0-%s-eth0", t->dir, ids[i]);
		times[0].tv_sec = times[1].tv_sec = i == 1 ? 2000 : 1000;
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	put_cni(t, "dd" ID3, "default", "web", "", "10.244.1.52", "veth99", "/gone");
	assert_int_equal(resolve_list(opened(t), &c, &err), 0);
	assert_int_equal(c->n_pods, 3);
	assert_string_equal(c->pods[2].name, "job");
	assert_ips(&c->pods[2], "10.244.1.51", NULL);
	assert_string_equal(c->pods[1].name, "web");
	assert_string_equal(c->pods[1].problem, "");
}

/* Two of one name and time: one is shown. Nameless ones are each their own. */
static void test_list_alike(void **state)
{
	struct timespec times[2] = { { 1000, 0 }, { 1000, 0 } };
	struct root *t = *state;
	char path[PATH_MAX];

	for (int i = 0; i < 2; i++) {
		put_cni(t, i ? "aa" ID3 : "bb" ID3, "x", "job", "", "10.244.1.50", "v", "/gone");
		snprintf(path, sizeof(path), "%s/var/lib/cni/results/cbr0-%s" ID3 "-eth0", t->dir,
			 i ? "aa" : "bb");
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
		put(t, i ? "var/lib/cni/results/net-a-eth0" : "var/lib/cni/results/net-b-eth0",
		    "{\"cniVersion\":\"1.0.0\",\"ips\":[{\"address\":\"10.9.0.%d/24\"}]}", i + 1);
	}
	assert_int_equal(resolve_list(opened(t), &c, &err), 0);
	assert_int_equal(c->n_pods, 5);
	assert_string_equal(c->pods[0].name, "");
	assert_string_equal(c->pods[1].name, "");
	assert_string_equal(c->pods[4].name, "job");
}

static void test_two_pods(void **state)
{
	static const char *const both[] = { "db", "web" }, *const one[] = { "web", "nothing" };
	struct root *t = *state;

	assert_int_equal(resolve_pods(opened(t), both, 2, &c, &err), 0);
	assert_int_equal(c->n_pods, 2);
	assert_string_equal(c->pods[0].name, "db");
	assert_string_equal(c->pods[1].name, "web");
	assert_int_equal(c->host.n_bridges, 1);
	chain_free(c);
	c = NULL;
	assert_int_equal(resolve_pods(t->r, one, 2, &c, &err), -ENOENT);
	assert_null(c);
	assert_says("no pod nothing on this node (n1)");
}

/* The names of a pod's containers come from its bundles, in the order of their pids. */
static void test_containers(void **state)
{
	struct root *t = *state;

	put_bundle(t, ID1, ID1, NULL, 100);
	put_bundle(t, "aa" ID3, ID1, "sidecar", 102);
	put_bundle(t, "bb" ID3, ID1, "app", 101);
	put_bundle(t, "cc" ID3, ID1, "done", 999);
	put_bundle(t, "dd" ID3, ID1, "also-done", 999);
	put_proc(t, 101, "web", "/");
	put_proc(t, 102, "web", "/");
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->pods[0].n_containers, 5);
	assert_string_equal(c->pods[0].containers[0].id, ID1);
	assert_string_equal(c->pods[0].containers[1].id, "cc" ID3);
	assert_string_equal(c->pods[0].containers[2].name, "also-done");
	assert_string_equal(c->pods[0].containers[3].name, "app");
	assert_int_equal(c->pods[0].containers[4].pid, 102);
	assert_evidence("process", 0, "/proc/100/cgroup", "pid 100 runs sandbox 0123456789ab");
}

/* CRI-O drops the pause container: its id leads the list all the same. */
static void test_no_pause(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "app", UID2, "10.244.1.4", "veth03", "/gone");
	put(t, "run/containers/storage/overlay-containers/aa/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"container\","
	    "\"io.kubernetes.cri-o.SandboxID\":\"" ID3 "\","
	    "\"io.kubernetes.cri-o.Metadata\":\"{\\\"name\\\":\\\"app\\\"}\"}}");
	put(t, "run/containers/storage/overlay-containers/aa/userdata/pidfile", "300");
	put_proc(t, 300, "app", "/");
	has_veth(8, 9, "veth03", "eth0");
	has_nsid("app", 8);
	assert_int_equal(resolve(t, "app"), 0);
	assert_int_equal(c->pods[0].n_containers, 2);
	assert_string_equal(c->pods[0].containers[0].id, ID3);
	assert_true(c->pods[0].containers[0].sandbox);
	assert_string_equal(c->pods[0].containers[1].name, "app");
	assert_int_equal(c->pods[0].containers[1].pid, 300);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth03");
	assert_evidence("container", 0,
			"/run/containers/storage/overlay-containers/aa/userdata/config.json",
			"app aa");
	assert_evidence("process", 0, "/proc/300/cgroup", "pid 300 runs container aa");
}

/* ------------------------------------------------------- netlink and files */

/* What CNI's files say and netlink does not is told, and not believed. */
static void test_contradictions(void **state)
{
	struct root *t = *state;

	put_cni(t, ID1, "default", "web", UID1, "10.9.9.9", "veth99", "/run/netns/web");
	assert_int_equal(resolve(t, "web"), 0);
	assert_problem(&c->pods[0], "names host device veth99, netlink shows veth01");
	assert_problem(&c->pods[0], "gives address 10.9.9.9, which the pod does not have");
	assert_evidence("cni", 0, "/var/lib/cni/results/cbr0-" ID1 "-eth0",
			"eth0, host end veth99, 10.9.9.9: contradicts netlink");
	resolve_free(t->r);
	t->r = NULL;
	link_named(WEB, "eth0")->name = "net7";
	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/run/netns/web");
	assert_int_equal(resolve(t, "web"), 0);
	assert_problem(&c->pods[0], "names interface eth0, which the pod does not have");
	assert_string_equal(c->pods[0].interfaces[0].link.name, "net7");
}

/* A pair counts when each end names the other. */
static void test_pair(void **state)
{
	struct root *t = *state;

	link_named(HOST, "veth01")->iflink = 99;
	assert_int_equal(resolve(t, "web"), -EOPNOTSUPP);
	assert_int_equal(err.class, ERR_USAGE);
	assert_says("pod default/web cannot be captured: eth0 says its peer is ifindex 7 of the "
		    "host, which does not lead back");
	assert_non_null(c);
	assert_int_equal(c->pods[0].interfaces[0].host_veth.ifindex, 0);
	assert_evidence("peer", 0, "netlink RTM_GETLINK in nsid 5",
			"eth0 is ifindex 2, kind veth");
	/* its peer is in another namespace than the host's: no sentence, and no veth */
	resolve_free(t->r);
	t->r = NULL;
	link_named(HOST, "veth01")->iflink = POD_ETH0;
	link_named(WEB, "eth0")->peer_ns = 3;
	assert_int_equal(resolve(t, "web"), -EOPNOTSUPP);
	assert_int_equal(c->pods[0].interfaces[0].host_veth.ifindex, 0);
	assert_says("no device of this host leads into its network namespace");
}

/* What appears by itself in every namespace is no interface of the pod; eth0 comes first. */
static void test_interfaces(void **state)
{
	struct root *t = *state;

	link_named(WEB, "eth0")->name = "first";
	has_link((struct node_link){ .ns = WEB, .index = 3, .name = "tunl0", .kind = "ipip",
				     .peer_ns = HOST });
	has_link((struct node_link){ .ns = WEB, .index = 4, .name = "wg0", .kind = "wireguard",
				     .peer_ns = HOST, .flags = UP });
	has_link((struct node_link){ .ns = WEB, .index = 5, .name = "dummy0", .kind = "dummy",
				     .peer_ns = HOST });
	has_addr(WEB, 5, "10.9.0.1/32");
	has_link((struct node_link){ .ns = HOST, .index = 20, .name = "veth20", .kind = "veth",
				     .iflink = 6, .peer_ns = WEB, .flags = UP });
	has_link((struct node_link){ .ns = WEB, .index = 6, .name = "eth0", .kind = "veth",
				     .iflink = 20, .peer_ns = SELF_NSID, .flags = UP });
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->pods[0].n_interfaces, 4);
	assert_string_equal(c->pods[0].interfaces[0].link.name, "eth0");
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth20");
	assert_string_equal(c->pods[0].interfaces[0].bridge, "");
	assert_string_equal(c->pods[0].interfaces[1].link.name, "first");
	assert_string_equal(c->pods[0].interfaces[3].link.name, "dummy0");
	assert_int_equal(c->pods[0].n_ips, 3);
}

/* A kernel that ignores the target shows the host's devices: they are nobody's. */
static void test_old_kernel(void **state)
{
	struct root *t = *state;

	node.ignores_target = true;
	put(t, "proc/100/net/igmp",
	    "Idx\tDevice    : Count Querier\tGroup\n1\tlo        :     1      V3\n"
	    "2\teth0      :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
	    "3\tname-that-is-too-long: 1 V3\n4\t\n");
	put(t, "proc/100/net/fib_trie",
	    "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 10.244.1.0\n        /24 link UNICAST\n"
	    "Local:\n     |-- 10.244.1.2\n        /32 host LOCAL\n     |-- 127.0.0.1\n"
	    "        /32 host LOCAL\n     |-- 10.244.1.2\n        /32 host LOCAL\n"
	    "     |-- 10.999.1.2\n        /32 host LOCAL\n");
	put(t, "proc/100/net/if_inet6",
	    "fe800000000000000000000000000002 02 40 20 80     eth0\n"
	    "fd000001000000000000000000000002 02 40 00 80     eth0\n"
	    "fd00000100000000000000000000000x 02 40 00 80     eth0\n"
	    "fd000001000000000000000000000003 02 40\nshort\n");
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->pods[0].n_interfaces, 1);
	assert_string_equal(c->pods[0].interfaces[0].link.name, "eth0");
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth01");
	assert_ips(&c->pods[0], "10.244.1.2", "fd00:1::2");
	assert_string_equal(c->pods[0].problem, "");
}

/* No strict checking: the pod's addresses come from its process, and links from netlink. */
static void test_not_strict(void **state)
{
	struct root *t = *state;

	kernel.no_option = NETLINK_GET_STRICT_CHK;
	assert_int_equal(resolve(t, "web"), 0);
	/* no process says an address: CNI's file does */
	assert_ips(&c->pods[0], "10.244.1.2", NULL);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth01");
}

/* Without CAP_NET_ADMIN the host's veths decide, and CNI's file gives name and MAC. */
static void test_no_right(void **state)
{
	struct root *t = *state;

	has_fault(RTM_GETLINK, WEB, EACCES);
	put(t, "var/lib/cni/results/cbr0-" ID1 "-eth0",
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"" ID1 "\",\"ifName\":\"eth0\","
	    "\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"default\"],[\"K8S_POD_NAME\",\"web\"]],"
	    "\"result\":{\"interfaces\":[{\"name\":\"cni0\"},{\"name\":\"veth01\"},"
	    "{\"name\":\"eth0\",\"mac\":\"0a:00:00:00:00:05\",\"sandbox\":\"/x\"}],"
	    "\"ips\":[{\"address\":\"fd00:1::2/64\"},{\"address\":\"10.244.1.2/24\"}]}}");
	put(t, "var/lib/cni/networks/cbr0/10.244.1.2", "%s", ID1 "\r\neth0");
	put(t, "var/lib/cni/networks/cbr0/10.244.1.3", "%s", ID2 "\r\neth0");
	put(t, "var/lib/cni/networks/cbr0/fd00:1::9", "%s", ID1);
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->pods[0].n_interfaces, 1);
	assert_string_equal(c->pods[0].interfaces[0].link.name, "eth0");
	assert_int_equal(c->pods[0].interfaces[0].link.mac.b[5], 5);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth01");
	assert_int_equal(c->pods[0].n_ips, 3);
	assert_ips(&(struct chain_pod){ .ips = c->pods[0].ips, .n_ips = 2 }, "10.244.1.2",
		   "fd00:1::2");
	assert_evidence("veth", 0, "netlink RTM_GETLINK",
			"veth01 is ifindex 7, its peer is ifindex 2 in nsid 5");
}

/* ------------------------------------------------------------- not to be had */

static void test_host_network(void **state)
{
	struct root *t = *state;

	put(t, "proc/300/cgroup", "0::/kubepods/pod" UID3 "/" ID3 "\n");
	put_link(t, "proc/300/ns/net", "/proc/self/ns/net");
	put(t, "var/log/pods/kube-system_proxy_" UID3 "/x", "x");
	put_bundle(t, ID3, ID3, NULL, 300);
	assert_int_equal(resolve(t, "container:" ID3), -EOPNOTSUPP);
	assert_int_equal(err.class, ERR_USAGE);
	assert_says("uses the host's network (hostNetwork), so it has no veth: its packets are the "
		    "node's own; capture on the node's devices, e.g. tcpdump -i eth0");
	assert_true(c->pods[0].host_network);
	assert_int_equal(c->pods[0].n_interfaces, 0);
	assert_int_equal(resolve(t, "netns:/proc/300/ns/net"), -EOPNOTSUPP);
	assert_null(c);
	assert_says("netns:/proc/300/ns/net is in the host's own network namespace");
}

/* A pod whose device lies on another one: the parent is named where that is known. */
static void test_parented(void **state)
{
	struct root *t = *state;

	/* by netlink */
	link_named(WEB, "eth0")->kind = "macvlan";
	link_named(WEB, "eth0")->iflink = ETH0;
	assert_int_equal(resolve(t, "web"), -EOPNOTSUPP);
	assert_says("pod default/web cannot be captured: eth0 is a macvlan device on eth0: its "
		    "packets pass no host veth, bridge or VTEP; capture on eth0 itself, e.g. "
		    "tcpdump -i eth0");
	link_named(WEB, "eth0")->iflink = 77;
	resolve_free(t->r);
	t->r = NULL;
	assert_int_equal(resolve(t, "web"), -EOPNOTSUPP);
	assert_says("eth0 is a macvlan device: its packets pass no host veth, bridge or VTEP; "
		    "capture on its parent device");
}

/* No host device leads there, so there is no id: the pod's own sysfs says what it is. */
static void test_parented_sysfs(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "mac", UID2, "10.9.0.5", "none", "/gone");
	put_proc(t, 300, "mac", "/docker/" ID3);
	put(t, "proc/300/net/igmp", "2\tnet1 : 1 V3\n3\teth0 : 1 V3\n");
	put(t, "proc/300/root/sys/class/net/eth0/uevent", "DEVTYPE=ipvlan\nINTERFACE=eth0\n");
	put(t, "proc/300/root/sys/class/net/eth0/iflink", "2\n");
	put(t, "proc/300/root/sys/class/net/net1/uevent", "INTERFACE=net1\n");
	assert_int_equal(resolve(t, "mac"), -EOPNOTSUPP);
	assert_says("pod default/mac cannot be captured: eth0 is a ipvlan device on eth0");
	/* a longer kind than there is, and none: then CNI's config */
	resolve_free(t->r);
	t->r = NULL;
	put(t, "proc/300/root/sys/class/net/eth0/uevent", "DEVTYPE=longer-than-any-kind");
	put(t, "var/lib/cni/results/cbr0-" ID3 "-eth0",
	    "{\"kind\":\"cniCacheV1\",\"containerId\":\"" ID3 "\",\"ifName\":\"eth0\","
	    "\"cniArgs\":[[\"K8S_POD_NAMESPACE\",\"default\"],[\"K8S_POD_NAME\",\"mac\"]],"
	    "\"config\":\"eyJ0eXBlIjoibWFjdmxhbiJ9\",\"result\":{}}");
	assert_int_equal(resolve(t, "mac"), -EOPNOTSUPP);
	assert_says("eth0 is a macvlan device: its packets pass");
}

/* A link of the pod's that leads out of it shows nothing of the node's. */
static void test_sysfs_leads_out(void **state)
{
	struct root *t = *state;
	char outside[PATH_MAX];

	put_cni(t, ID3, "default", "mac", UID2, "10.9.0.5", "none", "/gone");
	put_proc(t, 300, "mac", "/docker/" ID3);
	put(t, "proc/300/net/igmp", "3\teth0 : 1 V3\n");
	put(t, "elsewhere/eth0/uevent", "DEVTYPE=ipvlan\nINTERFACE=eth0\n");
	put(t, "elsewhere/eth0/iflink", "2\n");
	snprintf(outside, sizeof(outside), "%s/elsewhere", t->dir);
	put_link(t, "proc/300/root/sys/class/net", outside);
	assert_int_equal(resolve(t, "mac"), -EOPNOTSUPP);
	assert_says("no device of this host leads into its network namespace");
}

/* A NIC that was moved into the pod, or nothing at all. */
static void test_no_way_in(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "sriov", UID2, "10.9.0.5", "none", "/gone");
	put_proc(t, 300, "sriov", "/docker/" ID3);
	assert_int_equal(resolve(t, "sriov"), -EOPNOTSUPP);
	assert_says("no device of this host leads into its network namespace (a moved or SR-IOV "
		    "NIC, or a namespace of another node)");
	/* the node's init is in another network: podhop is what stands outside */
	resolve_free(t->r);
	t->r = NULL;
	put_netns(t, "proc/1/ns/net", "node");
	assert_int_equal(resolve(t, "sriov"), -EOPNOTSUPP);
	assert_says("podhop itself runs outside the node's network namespace and sees none of its "
		    "devices: start it with hostNetwork: true");
}

static void test_only_lo(void **state)
{
	struct root *t = *state;

	has_nsid("bare", 9);
	has_link((struct node_link){ .ns = 9, .index = LO, .name = "lo", .peer_ns = HOST,
				     .flags = UP | IFF_LOOPBACK });
	put_proc(t, 300, "bare", "/docker/" ID3);
	assert_int_equal(resolve(t, "container:" ID3), -EOPNOTSUPP);
	assert_says("its network namespace has no interface but lo");
}

static void test_gone(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "gone", UID2, "10.244.1.9", "cni0", "/run/netns/gone");
	assert_int_equal(resolve(t, "gone"), -ENOENT);
	assert_int_equal(err.class, ERR_USAGE);
	assert_says("pod default/gone is gone: /var/lib/cni/results/cbr0-" ID3 "-eth0 is left "
		    "over, but its network namespace and its processes do not exist any more");
	assert_ips(&c->pods[0], "10.244.1.9", NULL);
}

/* A number that leads to another process by now: neither by pid nor by path. */
static void test_other_by_now(void **state)
{
	struct root *t = *state;
	struct resolve *r = opened(t);
	struct resolve_rec *rec;

	assert_int_equal(resolve_store_load(r, false, &err), 0);
	rec = resolve_rec_by_id(r, ID1);
	assert_non_null(rec);
	assert_int_equal(rec->pid, 100);
	rec->pid = 200;
	free(rec->netns_path);
	rec->netns_path = strdup("/proc/200/ns/net");
	rec->nsid = -1;
	rec->nsid_asked = false;
	resolve_rec_nsid(r, rec);
	assert_int_equal(rec->nsid, -1);
	/* the path alone */
	free(rec->netns_path);
	rec->netns_path = strdup("/run/netns/web");
	rec->nsid_asked = false;
	resolve_rec_nsid(r, rec);
	assert_int_equal(rec->nsid, WEB);
}

/* Neither process nor path: the veth that CNI's file names leads to namespace and process. */
static void test_claim(void **state)
{
	struct root *t = *state;

	put_cni(t, ID3, "default", "app", "", "10.244.1.4", "veth03", "/gone");
	has_veth(8, 9, "veth03", "eth0");
	has_nsid("app", 8);
	put_proc(t, 400, "app", "/");
	put_proc(t, 401, "app", "/");
	assert_int_equal(resolve(t, "app"), 0);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth03");
	assert_int_equal(c->pods[0].pid, 400);
	assert_true(c->pods[0].netns_inode != 0);
	/* and from the other side: the process, or the veth, leads to the pod */
	assert_int_equal(resolve(t, "pid:401"), 0);
	assert_string_equal(c->pods[0].name, "app");
	assert_int_equal(c->pods[0].pid, 401);
	assert_int_equal(resolve(t, "veth:veth03"), 0);
	assert_string_equal(c->pods[0].name, "app");
}

/* A veth of which no file knows: the process behind it, or nothing but the veth. */
static void test_bare_veth(void **state)
{
	struct root *t = *state;

	has_veth(8, 9, "veth03", "eth0");
	has_nsid("bare", 8);
	put_proc(t, 400, "bare", "/");
	assert_int_equal(resolve(t, "veth:veth03"), 0);
	assert_string_equal(c->pods[0].name, "");
	assert_int_equal(c->pods[0].pid, 400);
	has_veth(10, 11, "veth04", "eth0");
	resolve_free(t->r);
	t->r = NULL;
	assert_int_equal(resolve(t, "veth:veth04"), 0);
	assert_int_equal(c->pods[0].pid, 0);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth04");
}

/* An underlay that is a veth leads to another node. */
static void test_underlay(void **state)
{
	struct root *t = *state;

	link_named(HOST, "eth0")->kind = "veth";
	link_named(HOST, "eth0")->peer_ns = 12;
	link_named(HOST, "eth0")->iflink = POD_ETH0;
	has_link((struct node_link){ .ns = 12, .index = POD_ETH0, .name = "eth0", .kind = "veth",
				     .iflink = ETH0, .peer_ns = SELF_NSID, .flags = UP });
	has_nsid("far", 12);
	put_netns(t, "var/run/netns/far", "far");
	assert_int_equal(resolve(t, "netns:far"), -EOPNOTSUPP);
	assert_says("what leads there is eth0, the underlay of flannel.1: that is the network of "
		    "another node and no pod; run podhop on that node");
	assert_null(strstr(err.text, "SR-IOV"));
	/* the same where the right to look inside is missing */
	resolve_free(t->r);
	t->r = NULL;
	has_fault(RTM_GETLINK, 12, EACCES);
	assert_int_equal(resolve(t, "netns:far"), -EOPNOTSUPP);
	assert_says("the underlay of flannel.1");
	assert_int_equal(resolve(t, "veth:eth0"), -EINVAL);
	assert_says("eth0 is no pod's veth but the underlay of flannel.1");
}

/* A process that shows no namespace: the right is named, or its number leads there. */
static void test_no_look(void **state)
{
	struct root *t = *state;
	char self[16];

	put_zombie(t, 720, "/docker/" ID3, 2);
	assert_int_equal(resolve(t, "pid:720"), -EACCES);
	assert_int_equal(err.class, ERR_FAILED);
	assert_says("pod pid:720: no permission to look at its network namespace: needs "
		    "CAP_SYS_PTRACE, run as root");
	assert_non_null(c);
	resolve_free(t->r);
	t->r = NULL;
	snprintf(self, sizeof(self), "%d", (int)getpid());
	put_link(t, "proc/self", self);
	has_pid(720, WEB);
	assert_int_equal(resolve(t, "pid:720"), 0);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth01");
	assert_int_equal(c->pods[0].netns_inode, 0);
}

/* More devices and addresses than there is room for, and lines that are none. */
static void test_inside_full(void **state)
{
	struct root *t = *state;
	struct buf igmp, trie, inet6;

	buf_init(&igmp, 65536);
	buf_init(&trie, 65536);
	buf_init(&inet6, 65536);
	buf_adds(&igmp, "Idx\n: x\n1\t: 1 V3\n");
	buf_adds(&inet6, "zz\n");
	for (int i = 1; i <= 30; i++) {
		buf_addf(&igmp, "%d\tdev%d : 1 V3\n", i, i);
		buf_addf(&trie, "     |-- 10.0.0.%d\n        /32 host LOCAL\n", i);
		buf_addf(&inet6, "fd0000000000000000000000000000%02x 02 40 00 80 eth0\n", i);
	}
	buf_adds(&trie, "        /32 host LOCAL\n");
	has_fault(RTM_GETLINK, WEB, EACCES);
	put(t, "proc/100/net/igmp", "%s", buf_str(&igmp));
	put(t, "proc/100/net/fib_trie", "%s", buf_str(&trie));
	put(t, "proc/100/net/if_inet6", "%s", buf_str(&inet6));
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->pods[0].n_ips, RESOLVE_CNI_IPS);
	assert_string_equal(c->pods[0].interfaces[0].link.name, "dev2");
	buf_done(&igmp);
	buf_done(&trie);
	buf_done(&inet6);
}

/* A node without VXLAN, and one whose VXLAN device names neither lower device nor address. */
static void test_no_overlay(void **state)
{
	struct root *t = *state;
	struct node_link *flannel = link_named(HOST, "flannel.1");

	flannel->over = 0;
	flannel->local = NULL;
	assert_int_equal(resolve(t, "web"), 0);
	assert_evidence("vtep", 0, "netlink RTM_GETLINK",
			"flannel.1 is vxlan, vni 1, port 8472, local -, mac 02:00:00:00:00:01");
	assert_evidence("underlay", 0, "netlink RTM_GETROUTE",
			"flannel.1 sends through eth0 (ifindex 2)");
	resolve_free(t->r);
	t->r = NULL;
	flannel->kind = NULL;
	node.n_addrs = 0;
	assert_int_equal(resolve(t, "web"), 0);
	assert_int_equal(c->host.n_vteps, 0);
	assert_evidence("underlay", 0, "netlink RTM_GETROUTE", "eth0 is the way out of the node");
}

/* Two live pods of one name, as a StatefulSet's before and behind a restart, keep their order. */
static void test_list_order(void **state)
{
	struct root *t = *state;

	put_cni(t, "bb" ID3, "a", "x", "u2", "10.1.0.1", "v", "/gone");
	put_proc(t, 301, "b", "/docker/bb"
		 "00000000000000000000000000000000000000000000000000000000000000");
	put_bundle(t, ID3, ID3, NULL, 302);
	put_proc(t, 302, "c", "/");
	put_proc(t, 303, "d", "/kubepods/pod" UID3 "/cc"
		 "00000000000000000000000000000000000000000000000000000000000000");
	put_bundle(t, "dd" ID3, "dd" ID3, NULL, 304);
	put_proc(t, 304, "e", "/");
	assert_int_equal(resolve_list(opened(t), &c, &err), 0);
	/* by namespace and name, then uid, then the sandbox's id */
	for (unsigned i = 1; i < c->n_pods; i++) {
		const struct chain_pod *a = &c->pods[i - 1], *b = &c->pods[i];
		int order = strcmp(a->namespace_, b->namespace_);

		order = order ? order : strcmp(a->name, b->name);
		order = order ? order : strcmp(a->uid, b->uid);
		order = order ? order : strcmp(a->containers[0].id, b->containers[0].id);
		assert_true(order < 0);
	}
	assert_int_equal(c->n_pods, 6);
}

/* ------------------------------------------------------------ other addresses */

static void test_elsewhere(void **state)
{
	static const struct {
		const char *pod, *says;
		int code;
	} rows[] = {
		{ "10.244.2.9",
		  "10.244.2.9 belongs to a pod of another node: 10.244.2.0/24 goes through "
		  "flannel.1 to node 192.168.77.2; run podhop there", EREMOTE },
		{ "10.244.3.9",
		  "10.244.3.9 belongs to a pod of another node: 10.244.3.0/24 is routed to node "
		  "192.168.77.3 over eth0; run podhop there", EREMOTE },
		{ "192.168.77.1",
		  "192.168.77.1 is this node's own address (eth0): hostNetwork pods share it and "
		  "have no veth; capture on the node's devices, e.g. tcpdump -i eth0",
		  EADDRNOTAVAIL },
		{ "10.244.1.200",
		  "no pod of this node has address 10.244.1.200, although it is in 10.244.1.0/24 "
		  "of cni0: the pod is gone", ENOENT },
		{ "10.244.200.1", "10.244.200.1 is in the cluster's pod network", EREMOTE },
		{ "8.8.8.8", "no pod of this node has address 8.8.8.8", ENOENT },
		{ "veth:eth0", "eth0 is no veth: `podhop list`", EINVAL },
		{ "veth:cni0", "cni0 is no veth but a bridge", EINVAL },
		{ "veth:pair", "both ends of veth pair are in this network namespace", EINVAL },
	};
	struct root *t = *state;

	has_link((struct node_link){ .ns = HOST, .index = 30, .name = "pair", .kind = "veth",
				     .iflink = 31, .peer_ns = HOST, .flags = UP });
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(resolve(t, rows[i].pod), -rows[i].code);
		assert_int_equal(err.class, ERR_USAGE);
		assert_says(rows[i].says);
		assert_null(c);
	}
	/* no neighbour tells the node behind the VTEP */
	node.n_neighs = 1;
	assert_int_equal(resolve(t, "10.244.2.9"), -EREMOTE);
	assert_says("10.244.2.0/24 goes through flannel.1; run podhop on that node");
	has_fault(RTM_GETNEIGH, ANY_NS, EPERM);
	assert_int_equal(resolve(t, "10.244.2.9"), -EREMOTE);
	assert_says("10.244.2.0/24 goes through flannel.1; run podhop on that node");
}

/* An address that no file knows is looked for in every namespace. */
static void test_unknown_address(void **state)
{
	struct root *t = *state;

	has_addr(DB, POD_ETH0, "10.244.1.77/24");
	assert_int_equal(resolve(t, "10.244.1.77"), 0);
	assert_string_equal(c->pods[0].name, "db");
}

/* ---------------------------------------------------------- when netlink fails */

static void test_open_fails(void **state)
{
	static const struct {
		int type;
		const char *says;
	} rows[] = {
		{ RTM_GETLINK, "read the node's links over netlink: Operation not permitted" },
		{ RTM_GETADDR, "read the node's addresses over netlink: Operation not permitted" },
		{ RTM_GETROUTE, "read the node's routes over netlink: Operation not permitted" },
	};
	struct root *t = *state;
	struct resolve_config config = { .host_root = t->dir };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		node.n_faults = 0;
		has_fault(rows[i].type, HOST, EPERM);
		err_clear(&err);
		assert_null(resolve_open(&config, &err));
		assert_says(rows[i].says);
		assert_int_equal(err.class, ERR_FAILED);
	}
	node.n_faults = 0;
	kernel.no_socket = EACCES;
	err_clear(&err);
	assert_null(resolve_open(&config, &err));
	assert_says("netlink socket");
	config.host_root = "/nowhere/at/all";
	err_clear(&err);
	assert_null(resolve_open(&config, &err));
	assert_says("open host root /nowhere/at/all: No such file or directory");
}

/* An answer that did not come for want of memory is not "there is none". */
static void test_lacks(void **state)
{
	struct root *t = *state;

	has_fault(RTM_GETADDR, WEB, ENOBUFS);
	assert_int_equal(resolve(t, "web"), -ENOBUFS);
	assert_null(c);
	assert_says("ask the kernel over netlink about web: No buffer space available");
	err_clear(&err);
	assert_int_equal(resolve_list(t->r, &c, &err), -ENOBUFS);
	assert_null(c);
	assert_says("list pods: No buffer space available");
	/* and the next question has an answer again */
	node.n_faults = 0;
	assert_int_equal(resolve(t, "web"), 0);
}

/* The kernel says nothing of use about an id. */
static void say_no_nsid(const struct nlmsghdr *h)
{
	const struct rtgenmsg g = { .rtgen_family = AF_UNSPEC };

	if (h->nlmsg_type != RTM_GETNSID) {
		node_answer(h);
		return;
	}
	reply_begin(RTM_NEWNSID, 0, &g, sizeof(g));
	reply_end();
}

static void test_no_nsid(void **state)
{
	struct root *t = *state;
	int32_t id = 77;

	kernel.answer = say_no_nsid;
	opened(t);
	assert_int_equal(resolve_rtnl_nsid(t->r->rtnl, t->r->own_fd, 0, &id), -EBADMSG);
	assert_int_equal(id, 77);
	kernel.answer = node_answer;
	assert_int_equal(resolve_rtnl_nsid(t->r->rtnl, t->r->own_fd, 0, &id), 0);
	assert_int_equal(id, SELF_NSID);
	has_pid(4711, 9);
	assert_int_equal(resolve_rtnl_nsid(t->r->rtnl, -1, 4711, &id), 0);
	assert_int_equal(id, 9);
	assert_int_equal(resolve_rtnl_nsid(t->r->rtnl, -1, 4712, &id), 0);
	assert_int_equal(id, -1);
}

/* More links than are read: what is missing might be the pod's. */
static void test_too_many(void **state)
{
	struct root *t = *state;
	struct resolve_link *links = NULL;
	unsigned n = 0;

	opened(t);
	assert_int_equal(resolve_rtnl_links(t->r->rtnl, WEB, &links, &n), 0);
	assert_int_equal(n, 2);
	free(links);
	links = NULL;
	node.ignores_target = true;
	assert_int_equal(resolve_rtnl_links(t->r->rtnl, WEB, &links, &n), -EOPNOTSUPP);
	assert_null(links);
	assert_int_equal(resolve_rtnl_lacked(t->r->rtnl), 0);
}

/* ------------------------------------------------------- what else is offered */

static void test_refresh(void **state)
{
	struct root *t = *state;

	assert_int_equal(resolve(t, "web"), 0);
	put_cni(t, ID3, "default", "late", "", "10.244.1.4", "veth03", "/gone");
	has_veth(8, 9, "veth03", "eth0");
	assert_int_equal(resolve(t, "late"), -ENOENT);
	assert_int_equal(resolve_refresh(t->r, &err), 0);
	assert_int_equal(resolve(t, "late"), 0);
	assert_string_equal(c->pods[0].interfaces[0].host_veth.name, "veth03");
	has_fault(RTM_GETLINK, HOST, EPERM);
	assert_int_equal(resolve_refresh(t->r, &err), -EPERM);
	node.n_faults = 0;
	assert_int_equal(resolve_refresh(t->r, &err), 0);
	assert_int_equal(resolve(t, "web"), 0);
}

static void test_device(void **state)
{
	struct root *t = *state;
	struct chain_link l;

	opened(t);
	assert_int_equal(resolve_device(t->r, "eth0", &l, &err), 0);
	assert_int_equal(l.ifindex, ETH0);
	assert_int_equal(l.n_addrs, 1);
	free(l.addrs);
	assert_int_equal(resolve_device(t->r, "eth9", &l, &err), -ENODEV);
	assert_int_equal(err.class, ERR_USAGE);
	assert_says("there is no device eth9 on this node");
}

/* The node's own root: its name comes from the machine, and nothing of it is changed. */
static void test_own_root(void **state)
{
	char name[64];

	(void)state;
	unsetenv("NODE_NAME");
	resolve_node_name(NULL, NULL, name, sizeof(name));
	assert_true(name[0] != 0);
	resolve_node_name("/nowhere/at/all", NULL, name, sizeof(name));
	assert_true(name[0] != 0);
	resolve_node_name("/", "given name", name, sizeof(name));
	assert_string_equal(name, "given");
	strcpy(name, "kept");
	resolve_node_name(NULL, "x", name, 0);
	assert_string_equal(name, "kept");
	resolve_free(NULL);
	setenv("NODE_NAME", "", 1);
	resolve_node_name("/nowhere/at/all", "", name, sizeof(name));
	assert_string_not_equal(name, "");
	unsetenv("NODE_NAME");
	struct resolve *r = resolve_open(NULL, &err);
	assert_non_null(r);
	assert_int_equal(r->fs.root, -1);
	assert_int_equal(r->n_links, 6);
	resolve_free(r);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_chain),	  CASE(test_forms),	   CASE(test_list),
		CASE(test_list_dead),	  CASE(test_list_alike),   CASE(test_two_pods),
		CASE(test_containers),	  CASE(test_no_pause),	   CASE(test_contradictions),
		CASE(test_pair),	  CASE(test_interfaces),   CASE(test_old_kernel),
		CASE(test_not_strict),	  CASE(test_no_right),	   CASE(test_host_network),
		CASE(test_parented),	  CASE(test_parented_sysfs), CASE(test_no_way_in),
		CASE(test_sysfs_leads_out),
		CASE(test_only_lo),	  CASE(test_gone),	   CASE(test_other_by_now),
		CASE(test_claim),	  CASE(test_bare_veth),	   CASE(test_underlay),
		CASE(test_elsewhere),	  CASE(test_unknown_address), CASE(test_open_fails),
		CASE(test_lacks),	  CASE(test_no_nsid),	   CASE(test_too_many),
		CASE(test_no_look),	  CASE(test_inside_full),  CASE(test_no_overlay),
		CASE(test_list_order),
		CASE(test_refresh),	  CASE(test_device),	   CASE(test_own_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
