/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_parse.c - every source of the resolver, read from its own text.
 *
 * Cgroup paths are those of the runtimes' own code and tests; CNI results have
 * the shape of each spec version; netlink messages are built here byte by byte,
 * then cut and damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "../../src/resolve/resolve_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define UID1 "8f013a97-516b-4477-aa9d-018d88bb8b88"
#define UID1_ "8f013a97_516b_4477_aa9d_018d88bb8b88"
#define UID2 "494211a3-f155-4c52-97ee-acb0c488573c"
#define STATIC_UID "00112233445566778899aabbccddeeff"

/* ------------------------------------------------------------------- cgroup */

static void test_cgroup(void **state)
{
	static const struct {
		const char *text, *id, *uid, *runtime;
	} rows[] = {
		/* cgroupfs */
		{ "0::/kubepods/burstable/pod" UID1 "/" ID1 "\n", ID1, UID1, "" },
		{ "0::/kubepods/besteffort/pod" UID1 "/" ID1 "\n", ID1, UID1, "" },
		{ "0::/kubepods/pod" UID1 "/" ID1 "\n", ID1, UID1, "" },
		{ "0::/kubepods/burstable/pod" UID1 "/crio-" ID1 "\n", ID1, UID1, "cri-o" },
		{ "0::/kubepods/burstable/pod" UID1 "/crio-" ID1 "/container\n", ID1, UID1,
		  "cri-o" },
		/* systemd */
		{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID1_
		  ".slice/cri-containerd-" ID1 ".scope\n",
		  ID1, UID1, "containerd" },
		{ "0::/kubepods.slice/kubepods-pod" UID1_ ".slice/cri-containerd-" ID1 ".scope\n",
		  ID1, UID1, "containerd" },
		{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID1_
		  ".slice/docker-" ID1 ".scope\n",
		  ID1, UID1, "docker" },
		{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID1_
		  ".slice/crio-" ID1 ".scope/container\n",
		  ID1, UID1, "cri-o" },
		{ "0::/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID1_
		  ".slice/crio-conmon-" ID1 ".scope\n",
		  NULL, NULL, NULL },
		/* systemd slices, runtime on cgroupfs */
		{ "0::/system.slice/containerd.service/kubepods-burstable-pod" UID1_
		  ".slice:cri-containerd:" ID1 "\n",
		  ID1, UID1, "containerd" },
		/* kind: from inside, then from the real host */
		{ "0::/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		  "kubelet-kubepods-burstable-pod" UID1_ ".slice/cri-containerd-" ID1 ".scope\n",
		  ID1, UID1, "containerd" },
		{ "0::/kubelet/kubepods/burstable/pod" UID1 "/" ID1 "\n", ID1, UID1, "" },
		{ "0::/system.slice/docker-" ID2 ".scope/kubelet/kubepods/burstable/pod" UID1
		  "/" ID1 "\n",
		  ID1, UID1, "" },
		{ "0::/docker/" ID2
		  "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID1_
		  ".slice/cri-containerd-" ID1 ".scope\n",
		  ID1, UID1, "containerd" },
		/* plain docker, podman */
		{ "0::/docker/" ID1 "\n", ID1, "", "docker" },
		{ "0::/system.slice/docker-" ID1 ".scope\n", ID1, "", "docker" },
		{ "0::/machine.slice/libpod-" ID1 ".scope/container\n", ID1, "", "podman" },
		{ "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" ID1
		  ".scope/container\n",
		  ID1, "", "podman" },
		{ "0::/system.slice/x.service/libpod-payload-" ID1 "\n", ID1, "", "podman" },
		{ "0::/machine.slice/libpod-conmon-" ID1 ".scope\n", NULL, NULL, NULL },
		/* static pod: the uid is 32 hex digits */
		{ "0::/kubepods/burstable/pod" STATIC_UID "/" ID1 "\n", ID1, STATIC_UID, "" },
		{ "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" STATIC_UID
		  ".slice/cri-containerd-" ID1 ".scope\n",
		  ID1, STATIC_UID, "containerd" },
		/* deeper ones, what a pod started inside itself, a cgroup namespace */
		{ "0::/kubepods/pod" UID1 "/" ID1 "/init.scope\n", ID1, UID1, "" },
		{ "0::/kubepods/pod" UID1 "/" ID1 "/docker/" ID2 "\n", ID1, UID1, "" },
		{ "0::/kubepods/pod" UID2 "/" ID2 "/kubelet/kubepods/pod" UID1 "/" ID1 "\n", ID1,
		  UID1, "" },
		{ "0::/../../pod" UID1 "/" ID1 "\n", ID1, UID1, "" },
		/* version 1 and hybrid */
		{ "12:cpuset:/\n5:pids:/kubepods/burstable/pod" UID1 "/" ID1
		  "\n0::/system.slice/x\n",
		  ID1, UID1, "" },
		{ "3:pids:/docker/" ID1 "\n1:name=systemd:/docker/" ID1, ID1, "", "docker" },
		/* nothing of it */
		{ "0::/init.scope\n", NULL, NULL, NULL },
		{ "0::/user.slice/user-0.slice/session-1.scope\n", NULL, NULL, NULL },
		{ "0::/kubepods.slice/kubepods-podnonsense.slice\n", NULL, NULL, NULL },
		{ "0::/x/" ID1 "0\n", NULL, NULL, NULL },
		{ "0::/x" ID1 "\n", NULL, NULL, NULL },
		{ "0::/x/pod" UID1 "/y\n", NULL, NULL, NULL },
		{ "", NULL, NULL, NULL },
		{ ":", NULL, NULL, NULL },
		{ "::", NULL, NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct resolve_cgroup cg = { .runtime = NULL };
		bool got = resolve_cgroup_parse(rows[i].text, strlen(rows[i].text), &cg);

		if (got != (rows[i].id != NULL))
			fail_msg("row %zu: %s", i, rows[i].text);
		if (!got)
			continue;
		assert_string_equal(cg.id, rows[i].id);
		assert_string_equal(cg.uid, rows[i].uid);
		assert_string_equal(cg.runtime, rows[i].runtime);
	}
}

/* ---------------------------------------------------------------------- cni */

static void test_cni_versions(void **state)
{
	/* %s of the envelope: the result as each spec version shapes it */
	static const struct {
		const char *version, *result;
		unsigned hosts, ips;
	} rows[] = {
		{ "0.1.0",
		  "{\"ip4\":{\"ip\":\"10.244.1.2/24\",\"gateway\":\"10.244.1.1\"},\"dns\":{}}", 0,
		  1 },
		{ "0.2.0",
		  "{\"cniVersion\":\"0.2.0\",\"ip4\":{\"ip\":\"10.244.1.2/24\"},"
		  "\"ip6\":{\"ip\":\"fd00::2/64\"}}",
		  0, 2 },
		{ "0.3.1",
		  "{\"cniVersion\":\"0.3.1\",\"interfaces\":[{\"name\":\"cni0\",\"mac\":"
		  "\"0a:58:0a:f4:01:01\"},{\"name\":\"veth0a1b2c3d\",\"mac\":\"02:00:00:00:00:01\"}"
		  ","
		  "{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\",\"sandbox\":"
		  "\"/var/run/netns/cni-1\"}],\"ips\":[{\"version\":\"4\",\"interface\":2,"
		  "\"address\":\"10.244.1.2/24\",\"gateway\":\"10.244.1.1\"}],\"routes\":["
		  "{\"dst\":\"10.244.0.0/16\"}],\"dns\":{}}",
		  2, 1 },
		{ "0.4.0",
		  "{\"cniVersion\":\"0.4.0\",\"interfaces\":[{\"name\":\"cni0\"},"
		  "{\"name\":\"veth0a1b2c3d\"},{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\","
		  "\"sandbox\":\"/var/run/netns/"
		  "cni-1\"}],\"ips\":[{\"version\":\"4\",\"interface\":2,"
		  "\"address\":\"10.244.1.2/24\"},{\"version\":\"6\",\"interface\":2,\"address\":"
		  "\"fd00::2/64\"}]}",
		  2, 2 },
		{ "1.0.0",
		  "{\"cniVersion\":\"1.0.0\",\"interfaces\":[{\"name\":\"cni0\"},"
		  "{\"name\":\"veth0a1b2c3d\"},{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\","
		  "\"sandbox\":\"/var/run/netns/cni-1\"}],\"ips\":[{\"interface\":2,\"address\":"
		  "\"10.244.1.2/24\"},{\"interface\":0,\"address\":\"10.9.9.9/24\"}]}",
		  2, 1 },
		{ "1.1.0",
		  "{\"cniVersion\":\"1.1.0\",\"interfaces\":[{\"name\":\"cni0\",\"mtu\":1450},"
		  "{\"name\":\"veth0a1b2c3d\",\"mtu\":1450,\"socketPath\":\"\",\"pciID\":\"\"},"
		  "{\"name\":\"eth0\",\"mac\":\"02:00:00:00:00:02\",\"mtu\":1450,\"sandbox\":"
		  "\"/var/run/netns/cni-1\"}],\"ips\":[{\"interface\":2,\"address\":"
		  "\"10.244.1.2/24\"}],\"routes\":[{\"dst\":\"0.0.0.0/"
		  "0\",\"mtu\":1400,\"table\":5}]}",
		  2, 1 },
	};
	static const char *const args[] = {
		"[[\"IgnoreUnknown\",\"1\"],[\"K8S_POD_NAMESPACE\",\"default\"],[\"K8S_POD_NAME\","
		"\"web\"],[\"K8S_POD_INFRA_CONTAINER_ID\",\"" ID1 "\"],[\"K8S_POD_UID\",\"" UID1
		"\"]]",
		/* containerd: any order */
		"[[\"K8S_POD_UID\",\"" UID1 "\"],[\"K8S_POD_NAME\",\"web\"],[\"K8S_POD_NAMESPACE\","
		"\"default\"],[\"IgnoreUnknown\",\"1\"]]",
	};
	static const char file[] = "cbr0-x-" ID1 "-eth0";

	(void)state;
	for (size_t i = 0; i < COUNT(rows) * 2; i++) {
		struct resolve_cni c;
		struct buf b;
		struct addr want;
		const char *result = rows[i / 2].result;

		buf_init(&b, 65536);
		buf_addf(&b,
			 "{\"kind\":\"cniCacheV1\",\"containerId\":\"" ID1 "\",\"config\":"
			 "\"eyJuYW1lIjoiY2JyMCIsInBsdWdpbnMiOlt7InR5cGUiOiJmbGFubmVsIn1dfQ==\","
			 "\"ifName\":\"eth0\",\"networkName\":\"cbr0-x\",\"cniArgs\":%s,\"result\":"
			 "%s}",
			 args[i % 2], result);
		assert_int_equal(resolve_cni_parse(buf_str(&b), b.len, file, &c), 0);
		assert_string_equal(c.container_id, ID1);
		assert_string_equal(c.network, "cbr0-x");
		assert_string_equal(c.ifname, "eth0");
		assert_string_equal(c.namespace_, "default");
		assert_string_equal(c.name, "web");
		assert_string_equal(c.uid, UID1);
		assert_string_equal(c.plugin, "flannel");
		assert_int_equal(c.n_hosts, rows[i / 2].hosts);
		assert_int_equal(c.n_ips, rows[i / 2].ips);
		assert_int_equal(addr_parse("10.244.1.2", &want), 0);
		assert_true(addr_eq(&c.ips[0], &want));
		if (c.n_hosts) {
			assert_string_equal(c.hosts[1].name, "veth0a1b2c3d");
			assert_string_equal(c.netns, "/var/run/netns/cni-1");
			assert_int_equal(c.mac.b[5], 2);
		}
		resolve_cni_done(&c);

		/* libcni 0.7: the bare result; the file's name says the rest */
		assert_int_equal(resolve_cni_parse(result, strlen(result), file, &c), 0);
		assert_string_equal(c.container_id, ID1);
		assert_string_equal(c.network, "cbr0-x");
		assert_string_equal(c.ifname, "eth0");
		assert_null(c.name);
		assert_int_equal(c.n_ips, rows[i / 2].ips);
		resolve_cni_done(&c);
		buf_done(&b);
	}
}

static void test_cni_odd(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"1",
		"null",
		"{}",
		"{\"kind\":\"other\",\"ips\":[]}",
		"\xff\xfe",
		"{\"kind\":1}",
	};
	static const char *const odd[] = {
		"{\"kind\":\"cniCacheV1\"}",
		"{\"kind\":\"cniCacheV1\",\"cniArgs\":null,\"result\":null}",
		"{\"kind\":\"cniCacheV1\",\"cniArgs\":[[],[\"K8S_POD_NAME\"],[1,2],3,[\"K8S_POD_"
		"NAME\",7]],"
		"\"config\":\"%%%\",\"containerId\":9}",
		"{\"kind\":\"cniCacheV1\",\"result\":{\"interfaces\":[1,{},{\"name\":"
		"\"a-name-that-no-interface-can-have\"}],\"ips\":[{},{\"address\":\"x\"},"
		"{\"address\":\"10.0.0.1/99\"},{\"interface\":-5,\"address\":\"10.0.0.1/24\"}]}}",
	};
	struct resolve_cni c;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(resolve_cni_parse(bad[i], strlen(bad[i]), "x", &c), -EBADMSG);
	for (size_t i = 0; i < COUNT(odd); i++) {
		assert_int_equal(resolve_cni_parse(odd[i], strlen(odd[i]), "x", &c), 0);
		assert_null(c.name);
		assert_int_equal(c.n_hosts, 0);
		resolve_cni_done(&c);
	}
	/* more of everything than there is room for */
	{
		struct buf b;

		buf_init(&b, 1u << 20);
		buf_adds(&b, "{\"cniVersion\":\"1.0.0\",\"interfaces\":[");
		for (int i = 0; i < 100; i++)
			buf_addf(&b, "%s{\"name\":\"h%d\"}", i ? "," : "", i);
		buf_adds(&b, "],\"ips\":[");
		for (int i = 0; i < 100; i++)
			buf_addf(&b, "%s{\"address\":\"10.0.0.%d/24\"}", i ? "," : "", i);
		buf_adds(&b, "]}");
		assert_int_equal(resolve_cni_parse(buf_str(&b), b.len, "net-abc-eth7", &c), 0);
		assert_int_equal(c.n_hosts, RESOLVE_CNI_HOSTS);
		assert_int_equal(c.n_ips, RESOLVE_CNI_IPS);
		assert_null(c.container_id);
		assert_string_equal(c.ifname, "eth7");
		resolve_cni_done(&c);
		buf_done(&b);
	}
}

/* Which end is the container's, what is said twice, and names of files that mean nothing. */
static void test_cni_more(void **state)
{
	static const char meta[] =
		"{\"kind\":\"cniCacheV1\",\"ifName\":\"eth0\",\"cniArgs\":["
		"[\"K8S_POD_NAME\",\"old\"],[\"K8S_POD_NAME\",\"new\"],[\"K8S_POD_UID\",\"\"],"
		"[\"K8S_POD_INFRA_CONTAINER_ID\",\"" ID1 "\"],"
		"[\"K8S_POD_INFRA_CONTAINER_ID\",\"other\"]],\"config\":\"eyJ0eXBlIjoicHRwIn0=\","
		"\"result\":{\"interfaces\":[{\"name\":\"net1\",\"sandbox\":\"/a\",\"mac\":"
		"\"02:00:00:00:00:01\"},{\"name\":\"veth1\",\"sandbox\":\"\"},{\"name\":\"net2\","
		"\"sandbox\":\"/b\"},{\"name\":\"eth0\",\"sandbox\":\"/c\",\"mac\":"
		"\"02:00:00:00:00:03\"}],\"ips\":[{\"interface\":0,\"address\":\"10.9.0.1/24\"},"
		"{\"interface\":3,\"address\":\"10.244.1.2/24\"},"
		"{\"address\":\"10.244.1.2/24\"}]}}";
	static const char bare[] =
		"{\"ip4\":{\"ip\":\"10.244.1.2/24\"},\"interfaces\":[{\"name\":\"eth7\","
		"\"sandbox\":\"/a\"}]}";
	static const char *const names[] = { "x", "cbr0-" ID1, "cbr0_" ID1 "-eth7",
					     "cbr0-" STATIC_UID "-" UID1 "-" STATIC_UID UID1 };
	struct resolve_cni c;
	char text[ADDR_STR_MAX];

	(void)state;
	assert_int_equal(resolve_cni_parse(meta, strlen(meta), "x", &c), 0);
	assert_string_equal(c.name, "new");
	assert_null(c.uid);
	assert_string_equal(c.container_id, ID1);
	assert_string_equal(c.plugin, "ptp");
	/* the first sandbox is kept; MAC and addresses are those of the attachment's own name */
	assert_string_equal(c.netns, "/a");
	assert_int_equal(c.mac.b[5], 3);
	assert_int_equal(c.n_hosts, 1);
	assert_int_equal(c.n_ips, 1);
	assert_string_equal(addr_str(&c.ips[0], text), "10.244.1.2");
	resolve_cni_done(&c);
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_int_equal(resolve_cni_parse(bare, strlen(bare), names[i], &c), 0);
		assert_null(c.container_id);
		assert_null(c.network);
		resolve_cni_done(&c);
	}
	assert_int_equal(resolve_cni_parse(bare, strlen(bare), "x", &c), 0);
	assert_string_equal(c.ifname, "eth7");
	resolve_cni_done(&c);
	assert_int_equal(resolve_cni_parse("{\"ip6\":1}", 9, "x", &c), 0);
	assert_null(c.ifname);
	resolve_cni_done(&c);
}

/* --------------------------------------------------- host-local, pod logs */

static void test_lease(void **state)
{
	static const struct {
		const char *text, *id, *ifname;
	} rows[] = {
		{ ID1 "\r\neth0", ID1, "eth0" },
		{ ID1 "\r\neth0\n", ID1, "eth0" },
		{ ID1, ID1, NULL },
		{ ID1 "\n", ID1, NULL },
		{ "short\r\nnet1", "short", "net1" },
		{ "", NULL, NULL },
		{ "\r\neth0", NULL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct resolve_lease l = { .id = NULL };
		int rc = resolve_lease_parse(rows[i].text, strlen(rows[i].text), &l);

		assert_int_equal(rc, rows[i].id ? 0 : -EBADMSG);
		if (rc)
			continue;
		assert_string_equal(l.id, rows[i].id);
		if (rows[i].ifname)
			assert_string_equal(l.ifname, rows[i].ifname);
		else
			assert_null(l.ifname);
		resolve_lease_done(&l);
	}
}

static void test_podlog(void **state)
{
	static const char *const bad[] = { "",	   "_",	   "__",      "a_b", "a_b_",
					   "_b_c", "a__c", "a_b_c_d", UID1 };
	struct resolve_log l;

	(void)state;
	assert_int_equal(resolve_podlog_parse("kube-system_coredns-5d78c9869d-abcde_" UID1, &l), 0);
	assert_string_equal(l.namespace_, "kube-system");
	assert_string_equal(l.name, "coredns-5d78c9869d-abcde");
	assert_string_equal(l.uid, UID1);
	resolve_log_done(&l);
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(resolve_podlog_parse(bad[i], &l), -EBADMSG);
}

/* -------------------------------------------------------------- oci, docker */

static void test_oci(void **state)
{
	static const char sandbox[] =
		"{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-type\":"
		"\"sandbox\",\"io.kubernetes.cri.sandbox-id\":\"" ID1
		"\",\"io.kubernetes.cri.sandbox-name\":"
		"\"web\",\"io.kubernetes.cri.sandbox-namespace\":\"default\",\"io.kubernetes.cri."
		"sandbox-uid\":\"" UID1
		"\"},\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"network\",\"path\":"
		"\"/var/run/netns/cni-1\"}]}}";
	static const char app[] =
		"{\"annotations\":{\"io.kubernetes.cri.container-type\":\"container\","
		"\"io.kubernetes.cri.container-name\":\"app\",\"io.kubernetes.cri.sandbox-id\":"
		"\"" ID1 "\","
		"\"io.kubernetes.cri.sandbox-name\":\"web\",\"io.kubernetes.cri.sandbox-"
		"namespace\":"
		"\"default\"},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}]}}";
	static const char crio[] =
		"{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"container\","
		"\"io.kubernetes.cri-o.SandboxID\":\"" ID1
		"\",\"io.kubernetes.cri-o.KubeName\":\"web\","
		"\"io.kubernetes.cri-o.Namespace\":\"default\",\"io.kubernetes.cri-o.Metadata\":"
		"\"{\\\"name\\\":\\\"app\\\",\\\"attempt\\\":1}\",\"io.kubernetes.cri-o.Labels\":"
		"\"{\\\"io.kubernetes.pod.uid\\\":\\\"" UID1 "\\\"}\"},\"linux\":{\"namespaces\":"
		"[{\"type\":\"network\",\"path\":\"/var/run/netns/u\"}]}}";
	static const char crio_sandbox[] =
		"{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"sandbox\","
		"\"io.kubernetes.cri-o.HostNetwork\":\"true\",\"io.kubernetes.cri-o.Metadata\":"
		"\"{\\\"name\\\":\\\"proxy\\\",\\\"uid\\\":\\\"" UID2 "\\\",\\\"namespace\\\":"
		"\\\"kube-system\\\"}\"}}";
	static const char *const none[] = {
		"", "{", "[]", "{}", "{\"annotations\":{\"a\":\"b\"}}", "{\"annotations\":7}"
	};
	struct resolve_said o;

	(void)state;
	assert_int_equal(resolve_oci_parse(sandbox, sizeof(sandbox) - 1, ID1, &o), 0);
	assert_true(o.is_sandbox);
	assert_false(o.host_network);
	assert_string_equal(o.sandbox_id, ID1);
	assert_string_equal(o.name, "web");
	assert_string_equal(o.namespace_, "default");
	assert_string_equal(o.uid, UID1);
	assert_string_equal(o.netns, "/var/run/netns/cni-1");
	assert_string_equal(o.runtime, "containerd");
	resolve_container_done(&o);

	assert_int_equal(resolve_oci_parse(app, sizeof(app) - 1, ID2, &o), 0);
	assert_false(o.is_sandbox);
	assert_true(o.host_network);
	assert_string_equal(o.container, "app");
	assert_string_equal(o.sandbox_id, ID1);
	resolve_container_done(&o);

	assert_int_equal(resolve_oci_parse(crio, sizeof(crio) - 1, ID2, &o), 0);
	assert_string_equal(o.runtime, "cri-o");
	assert_string_equal(o.container, "app");
	assert_string_equal(o.name, "web");
	assert_string_equal(o.uid, UID1);
	assert_false(o.host_network);
	resolve_container_done(&o);

	assert_int_equal(resolve_oci_parse(crio_sandbox, sizeof(crio_sandbox) - 1, ID2, &o), 0);
	assert_true(o.is_sandbox && o.host_network);
	assert_string_equal(o.sandbox_id, ID2);
	assert_string_equal(o.name, "proxy");
	assert_string_equal(o.namespace_, "kube-system");
	assert_string_equal(o.uid, UID2);
	resolve_container_done(&o);

	for (size_t i = 0; i < COUNT(none); i++)
		assert_true(resolve_oci_parse(none[i], strlen(none[i]), ID1, &o) < 0);
}

static void test_docker(void **state)
{
	static const char pause[] =
		"{\"ID\":\"" ID1 "\",\"Name\":\"/k8s_POD_web_default_" UID1
		"_0\",\"State\":{\"Running\":true,"
		"\"Pid\":4711},\"Config\":{\"Labels\":{\"io.kubernetes.docker.type\":"
		"\"podsandbox\","
		"\"io.kubernetes.pod.name\":\"web\",\"io.kubernetes.pod.namespace\":\"default\","
		"\"io.kubernetes.pod.uid\":\"" UID1 "\"}},\"NetworkSettings\":{\"SandboxKey\":"
		"\"/var/run/docker/netns/0123456789ab\",\"Networks\":{\"none\":{}}}}";
	static const char app[] =
		"{\"ID\":\"" ID2 "\",\"Name\":\"/k8s_app_web_default_" UID1
		"_3\",\"State\":{\"Pid\":4712},"
		"\"Config\":{\"Labels\":{\"io.kubernetes.docker.type\":\"container\","
		"\"io.kubernetes.sandbox.id\":\"" ID1 "\"}}}";
	static const char plain[] =
		"{\"ID\":\"" ID2
		"\",\"Name\":\"/registry\",\"State\":{\"Running\":false,\"Pid\":0},"
		"\"Config\":{\"Labels\":null},\"NetworkSettings\":{\"Networks\":{\"host\":{}}}}";
	static const char *const none[] = { "", "{}", "[1]", "{\"ID\":5}" };
	static const char *const bad_names[] = { "",
						 "k8s",
						 "k8s_a_b_c_d",
						 "k8s_a_b_c_d_e_f_g",
						 "x8s_a_b_c_d_0",
						 "k8s__b_c_d_0",
						 "registry" };
	struct resolve_said d;

	(void)state;
	assert_int_equal(resolve_docker_parse(pause, sizeof(pause) - 1, &d), 0);
	assert_true(d.is_sandbox && d.is_pod && d.running && !d.host_network);
	assert_int_equal(d.pid, 4711);
	assert_string_equal(d.name, "web");
	assert_string_equal(d.namespace_, "default");
	assert_string_equal(d.uid, UID1);
	assert_string_equal(d.netns, "/var/run/docker/netns/0123456789ab");
	resolve_container_done(&d);

	assert_int_equal(resolve_docker_parse(app, sizeof(app) - 1, &d), 0);
	assert_true(!d.is_sandbox && d.is_pod && d.running);
	assert_string_equal(d.container, "app");
	assert_string_equal(d.name, "web");
	assert_string_equal(d.uid, UID1);
	assert_string_equal(d.sandbox_id, ID1);
	resolve_container_done(&d);

	assert_int_equal(resolve_docker_parse(plain, sizeof(plain) - 1, &d), 0);
	assert_true(d.is_sandbox && !d.is_pod && !d.running && d.host_network);
	resolve_container_done(&d);

	for (size_t i = 0; i < COUNT(none); i++)
		assert_int_equal(resolve_docker_parse(none[i], strlen(none[i]), &d), -EBADMSG);
	for (size_t i = 0; i < COUNT(bad_names); i++) {
		d = (struct resolve_said){ .pid = 0 };
		assert_false(resolve_docker_name(bad_names[i], &d));
	}
}

/* What is missing, of another type or said twice. */
static void test_docker_odd(void **state)
{
	static const struct {
		const char *json, *sandbox, *container, *name;
		bool is_sandbox, is_pod, running, host_network;
		pid_t pid;
	} rows[] = {
		{ "{\"ID\":\"a\"}", NULL, NULL, NULL, false, false, false, false, 0 },
		{ "{\"ID\":\"a\",\"Name\":7,\"State\":[],\"Config\":\"x\",\"NetworkSettings\":1}",
		  NULL, NULL, NULL, false, false, false, false, 0 },
		{ "{\"ID\":\"a\",\"State\":{\"Pid\":1073741824}}", NULL, NULL, NULL, false, false,
		  false, false, 0 },
		{ "{\"ID\":\"a\",\"State\":{\"Pid\":-1,\"Running\":true}}", NULL, NULL, NULL, false,
		  false, true, false, 0 },
		/* labels alone; the pause container has no name of its own */
		{ "{\"ID\":\"a\",\"Name\":\"/x\",\"Config\":{\"Labels\":{"
		  "\"io.kubernetes.pod.name\":\"web\",\"io.kubernetes.container.name\":\"app\"}}}",
		  NULL, "app", "web", false, true, false, false, 0 },
		{ "{\"ID\":\"a\",\"Name\":\"/k8s_POD_web_d_u_0\",\"Config\":{\"Labels\":{"
		  "\"io.kubernetes.container.name\":\"POD\",\"io.kubernetes.sandbox.id\":\"b\"}}}",
		  "a", NULL, "web", true, true, false, false, 0 },
		/* labels beat the name; a suffix after a clash; POD as a part of a name only */
		{ "{\"ID\":\"a\",\"Name\":\"k8s_PODS_web_d_u_0_ff\",\"Config\":{\"Labels\":{"
		  "\"io.kubernetes.pod.name\":\"db\"}}}", NULL, "PODS", "db", false, true, false,
		  false, 0 },
		{ "{\"ID\":\"a\",\"Name\":\"k8s_abc_web_d_u_0\"}", NULL, "abc", "web", false, true,
		  false, false, 0 },
		/* of no pod: a sandbox of its own, here in the host's network */
		{ "{\"ID\":\"a\",\"Name\":\"/reg\",\"NetworkSettings\":{"
		  "\"Networks\":{\"host\":{}}}}",
		  "a", NULL, NULL, true, false, false, true, 0 },
		/* an app container's networks are its sandbox's */
		{ "{\"ID\":\"a\",\"Name\":\"/k8s_app_web_d_u_0\",\"NetworkSettings\":{"
		  "\"SandboxKey\":\"/x\","
		  "\"Networks\":{\"host\":{}}}}", NULL, "app", "web", false, true, false,
		  false, 0 },
	};
	struct resolve_said d;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (resolve_docker_parse(rows[i].json, strlen(rows[i].json), &d))
			fail_msg("row %zu", i);
		assert_string_equal(resolve_s(d.sandbox_id), resolve_s(rows[i].sandbox));
		assert_string_equal(resolve_s(d.container), resolve_s(rows[i].container));
		assert_string_equal(resolve_s(d.name), resolve_s(rows[i].name));
		assert_null(d.netns);
		assert_int_equal(d.is_sandbox, rows[i].is_sandbox);
		assert_int_equal(d.is_pod, rows[i].is_pod);
		assert_int_equal(d.running, rows[i].running);
		assert_int_equal(d.host_network, rows[i].host_network);
		assert_int_equal(d.pid, rows[i].pid);
		resolve_container_done(&d);
	}
}

static void test_oci_odd(void **state)
{
	static const struct {
		const char *json, *name, *netns;
		bool is_sandbox, host_network;
	} rows[] = {
		/* annotations that are no JSON, or another type than an object */
		{ "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"sandbox\","
		  "\"io.kubernetes.cri-o.Labels\":\"{\",\"io.kubernetes.cri-o.Metadata\":\"[1]\","
		  "\"io.kubernetes.cri-o.HostNetwork\":\"false\"}}", "", "", true, false },
		{ "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"container\","
		  "\"io.kubernetes.cri-o.Metadata\":7}}", "", "", false, false },
		/* namespaces: no array, of other types, without a path, two */
		{ "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
		  "\"io.kubernetes.cri.sandbox-name\":\"\"},\"linux\":{\"namespaces\":{}}}", "", "",
		  true, false },
		{ "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"other\"},"
		  "\"linux\":{\"namespaces\":[7,{},{\"type\":1},{\"type\":\"pid\"}]}}", "", "",
		  false, true },
		{ "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
		  "\"io.kubernetes.cri.sandbox-name\":\"web\"},\"linux\":{\"namespaces\":["
		  "{\"type\":\"network\"},{\"type\":\"network\",\"path\":\"/x\"},"
		  "{\"type\":\"network\",\"path\":\"/y\"}]}}", "web", "/x", true, false },
	};
	struct resolve_said o;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		if (resolve_oci_parse(rows[i].json, strlen(rows[i].json), "id", &o))
			fail_msg("row %zu", i);
		assert_string_equal(o.id, "id");
		assert_string_equal(resolve_s(o.name), rows[i].name);
		assert_string_equal(resolve_s(o.netns), rows[i].netns);
		assert_int_equal(o.is_sandbox, rows[i].is_sandbox);
		assert_int_equal(o.host_network, rows[i].host_network);
		assert_string_equal(resolve_s(o.sandbox_id), o.is_sandbox ? "id" : "");
		resolve_container_done(&o);
	}
}

/* ------------------------------------------------------------------ netlink */

struct msg {
	size_t n;
	uint8_t b[2048];
};

static void put(struct msg *m, const void *bytes, size_t n)
{
	assert_true(n <= sizeof(m->b) - m->n);
	if (n)
		memcpy(m->b + m->n, bytes, n);
	m->n += n;
	while (m->n & 3)
		m->b[m->n++] = 0;
}

static void begin(struct msg *m, uint16_t type, const void *header, size_t n)
{
	struct nlmsghdr h = { .nlmsg_type = type };

	m->n = 0;
	put(m, &h, sizeof(h));
	put(m, header, n);
}

static size_t open_attr(struct msg *m, uint16_t type)
{
	struct nlattr a = { .nla_type = type };
	size_t at = m->n;

	put(m, &a, sizeof(a));
	return at;
}

static void close_attr(struct msg *m, size_t at)
{
	uint16_t len = (uint16_t)(m->n - at);

	memcpy(m->b + at, &len, sizeof(len));
}

static void attr(struct msg *m, uint16_t type, const void *value, size_t n)
{
	struct nlattr a = { .nla_type = type, .nla_len = (uint16_t)(sizeof(a) + n) };

	put(m, &a, sizeof(a));
	put(m, value, n);
}

static void attr_u32(struct msg *m, uint16_t type, uint32_t v)
{
	attr(m, type, &v, sizeof(v));
}

static void finish(struct msg *m)
{
	uint32_t len = (uint32_t)m->n;

	memcpy(m->b, &len, sizeof(len));
}

static void build_veth(struct msg *m)
{
	struct ifinfomsg ifi = { .ifi_index = 7, .ifi_flags = 0x1043 };
	size_t info, slave;

	begin(m, RTM_NEWLINK, &ifi, sizeof(ifi));
	attr(m, IFLA_IFNAME, "veth0a1b2c3d", 13);
	attr_u32(m, IFLA_LINK, 2);
	attr_u32(m, IFLA_LINK_NETNSID, 3);
	attr_u32(m, IFLA_MASTER, 4);
	attr_u32(m, IFLA_MTU, 1450);
	attr(m, IFLA_ADDRESS, "\x02\x00\x00\x00\x00\x01", 6);
	attr(m, IFLA_OPERSTATE, "\x06", 1);
	info = open_attr(m, IFLA_LINKINFO | NLA_F_NESTED);
	attr(m, IFLA_INFO_KIND, "veth", 5);
	attr(m, IFLA_INFO_SLAVE_KIND, "bridge", 7);
	slave = open_attr(m, IFLA_INFO_SLAVE_DATA);
	attr(m, IFLA_BRPORT_STATE, "\x03", 1);
	attr(m, IFLA_BRPORT_MODE, "\x01", 1);
	close_attr(m, slave);
	close_attr(m, info);
	finish(m);
}

static void build_vxlan(struct msg *m)
{
	struct ifinfomsg ifi = { .ifi_index = 3 };
	size_t info, data;

	begin(m, RTM_NEWLINK, &ifi, sizeof(ifi));
	attr(m, IFLA_IFNAME, "flannel.1", 10);
	info = open_attr(m, IFLA_LINKINFO);
	/* data before kind: the order is nobody's promise */
	data = open_attr(m, IFLA_INFO_DATA);
	attr_u32(m, IFLA_VXLAN_ID, 1);
	attr_u32(m, IFLA_VXLAN_LINK, 2);
	attr(m, IFLA_VXLAN_PORT, "\x21\x18", 2);
	attr(m, IFLA_VXLAN_LOCAL, "\xc0\xa8\x4d\x01", 4);
	close_attr(m, data);
	attr(m, IFLA_INFO_KIND, "vxlan", 6);
	close_attr(m, info);
	finish(m);
}

static void test_netlink_links(void **state)
{
	struct resolve_link l;
	char text[ADDR_STR_MAX];
	struct msg m;

	(void)state;
	build_veth(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
	assert_string_equal(l.l.name, "veth0a1b2c3d");
	assert_string_equal(l.l.kind, "veth");
	assert_int_equal(l.l.ifindex, 7);
	assert_int_equal(l.l.iflink, 2);
	assert_true(l.has_iflink);
	assert_int_equal(l.l.link_netnsid, 3);
	assert_int_equal(l.target_nsid, -1);
	assert_int_equal(l.l.master, 4);
	assert_int_equal(l.l.mtu, 1450);
	assert_int_equal(l.l.mac.b[5], 1);
	assert_int_equal(l.l.operstate, 6);
	assert_int_equal(l.l.port_state, BR_STATE_FORWARDING);
	assert_true(l.l.hairpin);

	build_vxlan(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
	assert_string_equal(l.l.kind, "vxlan");
	assert_int_equal(l.vxlan_vni, 1);
	assert_int_equal(l.vxlan_link, 2);
	assert_int_equal(l.vxlan_port, 8472);
	assert_string_equal(addr_str(&l.vxlan_local, text), "192.168.77.1");
	assert_false(l.vxlan_v6);
	assert_int_equal(l.l.link_netnsid, -1);
	assert_int_equal(l.l.port_state, -1);
}

/* Before Linux 5.2 IFLA_LINK is missing where both ends have one index. */
static void test_netlink_old_kernel(void **state)
{
	struct ifinfomsg ifi = { .ifi_index = 5 };
	struct resolve_link l;
	struct msg m;
	size_t info;

	(void)state;
	begin(&m, RTM_NEWLINK, &ifi, sizeof(ifi));
	attr(&m, IFLA_IFNAME, "eth0", 5);
	attr_u32(&m, IFLA_LINK_NETNSID, 0);
	attr_u32(&m, IFLA_TARGET_NETNSID, 9);
	info = open_attr(&m, IFLA_LINKINFO);
	attr(&m, IFLA_INFO_KIND, "veth", 5);
	close_attr(&m, info);
	finish(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
	assert_int_equal(l.l.iflink, 5);
	assert_true(l.has_iflink);
	assert_int_equal(l.target_nsid, 9);
}

static void test_netlink_others(void **state)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 2 };
	struct rtmsg rtm = { .rtm_family = AF_INET,
			     .rtm_dst_len = 24,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_type = RTN_UNICAST };
	struct ndmsg nd = { .ndm_family = AF_BRIDGE, .ndm_ifindex = 3, .ndm_state = 0x80 };
	struct rtgenmsg g = { .rtgen_family = 0 };
	struct rtnexthop nh = { .rtnh_len = sizeof(nh) + 8, .rtnh_ifindex = 6 };
	char text[PREFIX_STR_MAX];
	struct resolve_ifaddr a;
	struct resolve_route r;
	struct resolve_neigh n;
	struct msg m;
	int32_t nsid;
	size_t at;

	(void)state;
	begin(&m, RTM_NEWADDR, &ifa, sizeof(ifa));
	attr(&m, IFA_ADDRESS, "\x0a\xf4\x01\x01", 4);
	attr(&m, IFA_LOCAL, "\x0a\xf4\x01\x02", 4);
	attr_u32(&m, IFA_TARGET_NETNSID, 4);
	finish(&m);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), 0);
	assert_string_equal(prefix_str(&a.prefix, text), "10.244.1.2/24");
	assert_int_equal(a.ifindex, 2);
	assert_int_equal(a.target_nsid, 4);

	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	attr(&m, RTA_DST, "\x0a\xf4\x02\x00", 4);
	attr(&m, RTA_GATEWAY, "\x0a\xf4\x02\x00", 4);
	attr_u32(&m, RTA_OIF, 3);
	at = open_attr(&m, RTA_METRICS);
	attr_u32(&m, RTAX_MTU, 1400);
	close_attr(&m, at);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), 0);
	assert_string_equal(prefix_str(&r.dst, text), "10.244.2.0/24");
	assert_int_equal(r.oif, 3);
	assert_int_equal(r.mtu, 1400);
	assert_int_equal(r.table, RT_TABLE_MAIN);
	assert_string_equal(addr_str(&r.gw, text), "10.244.2.0");

	/* several next hops, a table above 255, no destination: a default route */
	rtm.rtm_dst_len = 0;
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	attr_u32(&m, RTA_TABLE, 1000);
	at = open_attr(&m, RTA_MULTIPATH);
	put(&m, &nh, sizeof(nh));
	attr(&m, RTA_GATEWAY, "\xc0\xa8\x01\x01", 4);
	close_attr(&m, at);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), 0);
	assert_string_equal(prefix_str(&r.dst, text), "0.0.0.0/0");
	assert_int_equal(r.oif, 6);
	assert_int_equal(r.table, 1000);
	assert_string_equal(addr_str(&r.gw, text), "192.168.1.1");

	/* a prefix longer than its address; an address of the wrong family */
	rtm.rtm_dst_len = 33;
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);
	rtm.rtm_dst_len = 24;
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	attr(&m, RTA_DST, "0123456789abcdef", 16);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);

	begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	attr(&m, NDA_LLADDR, "\x02\x00\x00\x00\x00\x02", 6);
	attr(&m, NDA_DST, "\xc0\xa8\x4d\x02", 4);
	finish(&m);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), 0);
	assert_int_equal(n.ifindex, 3);
	assert_int_equal(n.mac.b[5], 2);
	assert_string_equal(addr_str(&n.dst, text), "192.168.77.2");

	begin(&m, RTM_NEWNSID, &g, sizeof(g));
	attr_u32(&m, NETNSA_NSID, (uint32_t)-1);
	finish(&m);
	assert_int_equal(resolve_parse_nsid(m.b, m.n, &nsid), 0);
	assert_int_equal(nsid, -1);
}

/* VXLAN over IPv6, and values of other sizes than they have. */
static void test_netlink_vxlan(void **state)
{
	struct ifinfomsg ifi = { .ifi_index = 3 };
	struct resolve_link l;
	char text[ADDR_STR_MAX];
	struct msg m;
	size_t info, data;

	(void)state;
	for (int group = 0; group < 2; group++) {
		begin(&m, RTM_NEWLINK, &ifi, sizeof(ifi));
		attr(&m, IFLA_IFNAME, "flannel-v6.1", 13);
		info = open_attr(&m, IFLA_LINKINFO);
		attr(&m, IFLA_INFO_KIND, "vxlan", 6);
		data = open_attr(&m, IFLA_INFO_DATA);
		attr(&m, IFLA_VXLAN_PORT, "\x21", 1);
		attr(&m, IFLA_VXLAN_ID, "\x01\x02", 2);
		attr(&m, IFLA_VXLAN_LOCAL, "0123456789abcdef", 16);
		if (group) {
			attr(&m, IFLA_VXLAN_LOCAL6, "abcd", 4);
			attr(&m, IFLA_VXLAN_GROUP6, "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		} else {
			attr(&m, IFLA_VXLAN_LOCAL6, "\xfd\x77\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
		}
		close_attr(&m, data);
		close_attr(&m, info);
		finish(&m);
		assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
		assert_true(l.vxlan_v6);
		assert_int_equal(l.vxlan_port, 0);
		assert_int_equal(l.vxlan_vni, 0);
		assert_string_equal(addr_str(&l.vxlan_local, text), group ? "::" : "fd77::1");
	}
}

/* Messages that say too little, or of something else. */
static void test_netlink_refused(void **state)
{
	struct ifinfomsg ifi = { .ifi_index = 3 }, none = { .ifi_index = 0 };
	struct ifaddrmsg ifa = { .ifa_family = AF_INET, .ifa_prefixlen = 24, .ifa_index = 2 };
	struct rtmsg rtm = { .rtm_family = AF_INET6, .rtm_dst_len = 64 };
	struct ndmsg nd = { .ndm_family = AF_BRIDGE };
	struct rtgenmsg g = { .rtgen_family = 0 };
	struct nlattr over = { .nla_type = 1, .nla_len = 200 };
	struct resolve_ifaddr a;
	struct resolve_route r;
	struct resolve_neigh n;
	struct resolve_link l;
	struct msg m;
	int32_t nsid = 77;
	uint32_t tiny = 4;

	(void)state;
	/* no index, no name, another message, a header that is shorter than itself */
	begin(&m, RTM_NEWLINK, &none, sizeof(none));
	attr(&m, IFLA_IFNAME, "eth0", 5);
	finish(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), -EBADMSG);
	begin(&m, RTM_NEWLINK, &ifi, sizeof(ifi));
	finish(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), -EBADMSG);
	attr(&m, IFLA_IFNAME, "eth0", 5);
	finish(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), -EBADMSG);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), -EBADMSG);
	assert_int_equal(resolve_parse_nsid(m.b, m.n, &nsid), -EBADMSG);
	memcpy(m.b, &tiny, sizeof(tiny));
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), -EBADMSG);
	/* the header alone, of each kind */
	begin(&m, RTM_NEWADDR, NULL, 0);
	finish(&m);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), -EBADMSG);
	begin(&m, RTM_NEWROUTE, NULL, 0);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);
	begin(&m, RTM_NEWNEIGH, NULL, 0);
	finish(&m);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), -EBADMSG);
	begin(&m, RTM_NEWNSID, NULL, 0);
	finish(&m);
	assert_int_equal(resolve_parse_nsid(m.b, m.n, &nsid), -EBADMSG);
	/* no address, one of no family, a prefix that is too long, an attribute that is cut */
	begin(&m, RTM_NEWADDR, &ifa, sizeof(ifa));
	attr(&m, IFA_LABEL, "eth0", 5);
	attr(&m, IFA_ADDRESS, "12345", 5);
	finish(&m);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), -EBADMSG);
	ifa.ifa_prefixlen = 129;
	begin(&m, RTM_NEWADDR, &ifa, sizeof(ifa));
	attr(&m, IFA_ADDRESS, "\x0a\xf4\x01\x01", 4);
	finish(&m);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), -EBADMSG);
	ifa.ifa_prefixlen = 24;
	begin(&m, RTM_NEWADDR, &ifa, sizeof(ifa));
	attr(&m, IFA_ADDRESS, "\x0a\xf4\x01\x01", 4);
	put(&m, &over, sizeof(over));
	finish(&m);
	assert_int_equal(resolve_parse_addr(m.b, m.n, &a), -EBADMSG);
	/* the same of routes; multicast routes have a family of their own */
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	put(&m, &over, sizeof(over));
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);
	rtm.rtm_dst_len = 129;
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EBADMSG);
	rtm.rtm_family = AF_BRIDGE;
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), -EAFNOSUPPORT);
	/* neighbours of no device; ids that are none */
	begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	finish(&m);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), -EBADMSG);
	nd.ndm_ifindex = 3;
	begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	put(&m, &over, sizeof(over));
	finish(&m);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), -EBADMSG);
	begin(&m, RTM_NEWNSID, &g, sizeof(g));
	attr_u32(&m, NETNSA_PID, 5);
	attr(&m, NETNSA_NSID, "\x01\x02", 2);
	finish(&m);
	assert_int_equal(resolve_parse_nsid(m.b, m.n, &nsid), -EBADMSG);
	assert_int_equal(nsid, 77);
}

/* Values that are unknown, too long, too short or of another family are passed over. */
static void test_netlink_odd(void **state)
{
	static const char long_name[] = "a-name-without-an-end-of-its-own";
	struct ifinfomsg ifi = { .ifi_index = 3 };
	struct rtmsg rtm = { .rtm_family = AF_INET, .rtm_dst_len = 24 };
	struct ndmsg nd = { .ndm_family = AF_INET, .ndm_ifindex = 3 };
	struct rtnexthop nh = { .rtnh_len = sizeof(nh) + 8, .rtnh_ifindex = -1 };
	const uint16_t family = AF_INET6;
	uint8_t via[18] = { 0 };
	char text[ADDR_STR_MAX];
	struct resolve_link l;
	struct resolve_route r;
	struct resolve_neigh n;
	struct msg m;
	size_t at;

	(void)state;
	begin(&m, RTM_NEWLINK, &ifi, sizeof(ifi));
	attr(&m, IFLA_IFNAME, long_name, strlen(long_name));
	attr(&m, IFLA_MTU, "\x01", 1);
	attr(&m, IFLA_OPERSTATE, NULL, 0);
	attr(&m, IFLA_ADDRESS, "\x01\x02\x03\x04", 4);
	attr_u32(&m, IFLA_LINK_NETNSID, 0);
	finish(&m);
	assert_int_equal(resolve_parse_link(m.b, m.n, &l), 0);
	assert_string_equal(l.l.name, "a-name-without-");
	assert_int_equal(l.l.mtu, 0);
	assert_true(mac_is_none(&l.l.mac));
	/* no veth: what old kernels leave out is not made up */
	assert_false(l.has_iflink);

	memcpy(via, &family, sizeof(family));
	memcpy(via + 2, "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 16);
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	attr(&m, RTA_DST, "\x0a\xf4\x02\x00", 4);
	attr(&m, RTA_VIA, via, sizeof(via));
	attr_u32(&m, RTA_MARK, 7);
	attr_u32(&m, RTA_PRIORITY, 100);
	at = open_attr(&m, RTA_METRICS);
	attr_u32(&m, RTAX_HOPLIMIT, 64);
	close_attr(&m, at);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), 0);
	assert_string_equal(addr_str(&r.gw, text), "fe80::1");
	assert_int_equal(r.metric, 100);
	assert_int_equal(r.mtu, 0);
	/* a gateway of which only the family's half is there */
	begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
	attr(&m, RTA_VIA, via, 1);
	finish(&m);
	assert_int_equal(resolve_parse_route(m.b, m.n, &r), 0);
	assert_true(addr_is_none(&r.gw));
	/* next hops: no device; a length that is none, that is more than there is; cut */
	for (int i = 0; i < 4; i++) {
		begin(&m, RTM_NEWROUTE, &rtm, sizeof(rtm));
		at = open_attr(&m, RTA_MULTIPATH);
		nh.rtnh_len = i == 1 ? 2 : i == 2 ? 100 : sizeof(nh) + 8;
		nh.rtnh_ifindex = i ? 6 : -1;
		put(&m, &nh, i == 3 ? 4 : sizeof(nh));
		if (i < 3)
			attr_u32(&m, RTA_FLOW, 1);
		close_attr(&m, at);
		finish(&m);
		assert_int_equal(resolve_parse_route(m.b, m.n, &r), 0);
		assert_int_equal(r.oif, 0);
		assert_true(addr_is_none(&r.gw));
	}

	begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	attr_u32(&m, NDA_PROBES, 1);
	attr(&m, NDA_DST, "12345", 5);
	finish(&m);
	assert_int_equal(resolve_parse_neigh(m.b, m.n, &n), 0);
	assert_true(addr_is_none(&n.dst));
}

/* Every cut and every damaged length ends in an error or in a sound struct. */
static void test_netlink_hostile(void **state)
{
	struct resolve_link l;
	struct msg whole;

	(void)state;
	for (int kind = 0; kind < 2; kind++) {
		if (kind)
			build_vxlan(&whole);
		else
			build_veth(&whole);
		for (size_t n = 0; n < whole.n; n++) {
			uint32_t len = (uint32_t)n;
			uint8_t *cut = malloc(n ? n : 1);

			assert_non_null(cut);
			memcpy(cut, whole.b, n);
			/* the header still claims the whole message */
			assert_int_equal(resolve_parse_link(cut, n, &l), -EBADMSG);
			/* and one that claims just what is there */
			if (n >= sizeof(struct nlmsghdr)) {
				memcpy(cut, &len, sizeof(len));
				if (resolve_parse_link(cut, n, &l) == 0)
					assert_int_equal(l.l.name[15], 0);
			}
			free(cut);
		}
		for (size_t i = sizeof(struct nlmsghdr); i < whole.n; i++) {
			static const uint8_t values[] = { 0, 1, 3, 4, 0x7f, 0x80, 0xff };

			for (size_t v = 0; v < COUNT(values); v++) {
				uint8_t *bent = malloc(whole.n);

				assert_non_null(bent);
				memcpy(bent, whole.b, whole.n);
				bent[i] = values[v];
				if (resolve_parse_link(bent, whole.n, &l) == 0) {
					assert_int_equal(l.l.name[15], 0);
					assert_int_equal(l.l.kind[15], 0);
					assert_true(l.l.ifindex > 0);
				}
				free(bent);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_cni_versions),
		cmocka_unit_test(test_cni_odd),
		cmocka_unit_test(test_lease),
		cmocka_unit_test(test_podlog),
		cmocka_unit_test(test_oci),
		cmocka_unit_test(test_docker),
		cmocka_unit_test(test_docker_odd),
		cmocka_unit_test(test_oci_odd),
		cmocka_unit_test(test_cni_more),
		cmocka_unit_test(test_netlink_links),
		cmocka_unit_test(test_netlink_old_kernel),
		cmocka_unit_test(test_netlink_others),
		cmocka_unit_test(test_netlink_vxlan),
		cmocka_unit_test(test_netlink_refused),
		cmocka_unit_test(test_netlink_odd),
		cmocka_unit_test(test_netlink_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
