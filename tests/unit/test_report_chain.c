/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_chain.c - chains printed: order of fields, absent facts, hostile names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <linux/if_bridge.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/failing_json.h"
#include "../lib/report_fixture.h"
#include "podhop/report.h"

#define ESCAPE "\033[31mred\xff\n"

static struct addr address = { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 244, 1, 2 } };
static struct prefix prefixes[2];

static char *text(const char *s)
{
	static char buffers[64][128];
	static unsigned next;
	char *b = buffers[next++ % 64];

	snprintf(b, sizeof(buffers[0]), "%s", s);
	return b;
}

/* One whole pod, one on the host's network, one gone; names as given. */
static void build(struct chain *c, struct chain_pod pods[3], const char *name)
{
	static struct chain_container containers[2];
	static struct chain_interface ifc;
	static struct chain_link bridge, underlay;
	static struct chain_vtep vtep;
	static struct chain_evidence evidence;

	memset(c, 0, sizeof(*c));
	memset(pods, 0, 3 * sizeof(*pods));
	prefixes[0] = (struct prefix){ address, 24 };
	prefixes[1] = (struct prefix){ { { 0xfe, 0x80, [15] = 1 } }, 64 };
	containers[0] = (struct chain_container){ text("0123456789abcdef"), text(""), 41, true };
	containers[1] = (struct chain_container){ text("fedcba9876543210"), text(name), 42, false };
	memset(&ifc, 0, sizeof(ifc));
	strcpy(ifc.link.name, "eth0");
	ifc.link.ifindex = 2;
	ifc.link.iflink = 7;
	ifc.link.mtu = 1450;
	ifc.link.mac.b[5] = 1;
	ifc.link.addrs = prefixes;
	ifc.link.n_addrs = 2;
	strcpy(ifc.host_veth.name, "veth0a1b2c3d");
	ifc.host_veth.ifindex = 7;
	ifc.host_veth.iflink = 2;
	ifc.host_veth.link_netnsid = 0;
	ifc.host_veth.port_state = 3;
	ifc.bridge_ifindex = 4;
	strcpy(ifc.bridge, "cni0");
	for (unsigned i = 0; i < 3; i++) {
		pods[i].namespace_ = text(i == 1 ? "kube-system" : "default");
		pods[i].name = text(name);
		pods[i].uid = text("");
		pods[i].runtime = text(i ? "" : "containerd");
		pods[i].netns_path = text(i ? "" : "/var/run/netns/cni-1");
		pods[i].problem = text(i == 0	? ""
				       : i == 1 ? "uses the host's network"
						: "gone: left");
	}
	pods[0].pid = 41;
	pods[0].netns_inode = 4026532532;
	pods[0].ips = &address;
	pods[0].n_ips = 1;
	pods[0].containers = containers;
	pods[0].n_containers = 2;
	pods[0].interfaces = &ifc;
	pods[0].n_interfaces = 1;
	pods[1].host_network = true;
	bridge = (struct chain_link){
		.name = "cni0", .ifindex = 4, .mtu = 1450, .link_netnsid = -1
	};
	underlay = (struct chain_link){ .name = "eth0", .ifindex = 2, .mtu = 1500 };
	vtep = (struct chain_vtep){ .link = { .name = "flannel.1", .ifindex = 3 },
				    .family = 4,
				    .vni = 1,
				    .port = 8472,
				    .local = address,
				    .underlay_ifindex = 2 };
	evidence = (struct chain_evidence){ text("veth"), text("netlink RTM_GETLINK"), text(name) };
	c->host.node = text("n1");
	c->host.bridges = &bridge;
	c->host.vteps = &vtep;
	c->host.underlays = &underlay;
	c->host.n_bridges = c->host.n_vteps = c->host.n_underlays = 1;
	c->pods = pods;
	c->n_pods = 3;
	c->evidence = &evidence;
	c->n_evidence = 1;
}

enum output { LIST_TEXT, LIST_JSON, RESOLVE_TEXT, RESOLVE_JSON };

static char *print(const struct chain *c, enum output o, bool utf8)
{
	struct report_style style = { .utf8 = utf8 };
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);
	int rc = 0;

	assert_non_null(f);
	switch (o) {
	case LIST_TEXT:
		rc = report_list_text(f, c, &style);
		break;
	case LIST_JSON:
		rc = report_list_json(f, c, false);
		break;
	case RESOLVE_TEXT:
		rc = report_resolve_text(f, c, &style);
		break;
	case RESOLVE_JSON:
		rc = report_resolve_json(f, c, false);
		break;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(fclose(f), 0);
	return out;
}

static int print_list(FILE *out, const void *c)
{
	return report_list_json(out, c, false);
}

static int print_resolve(FILE *out, const void *c)
{
	return report_resolve_json(out, c, false);
}

static void test_no_memory(void **state)
{
	struct chain_pod pods[3];
	struct chain c;
	char *list, *resolve;

	(void)state;
	build(&c, pods, ESCAPE);
	list = print(&c, LIST_JSON, false);
	resolve = print(&c, RESOLVE_JSON, false);
	failing_json_sweep(print_list, &c, list);
	failing_json_sweep(print_resolve, &c, resolve);
	free(list);
	free(resolve);
}

/* Each of them lacks something else; the host has more than one of each. */
static void build_odd(struct chain *c, struct chain_pod pods[6])
{
	static struct addr two[3];
	static struct chain_interface ifc[4];
	static struct chain_link bridges[2], underlays[2];
	static struct chain_vtep vteps[2];
	static struct chain_container unnamed;
	static struct chain_evidence evidence;
	static struct chain_pod made[3];

	build(c, made, "web");
	for (unsigned i = 0; i < 6; i++) {
		pods[i] = (struct chain_pod){ .namespace_ = text(""),
					      .name = text(""),
					      .uid = text(""),
					      .runtime = text(""),
					      .netns_path = text(""),
					      .problem = text("left alone") };
	}
	two[0] = two[1] = two[2] = address;
	two[1].b[15]++;
	two[2].b[15] += 2;
	unnamed = (struct chain_container){ text("0123456789abcdef"), text(""), 0, false };
	pods[0].name = text("only-a-name");
	pods[0].uid = text("8f013a97-516b-4477-aa9d-018d88bb8b88");
	pods[0].problem = text("");
	pods[0].ips = two;
	pods[0].n_ips = 3;
	pods[1].containers = &unnamed;
	pods[1].n_containers = 1;
	pods[2].pid = 77;
	pods[2].netns_inode = 4026532999;
	pods[3].netns_path = text("/run/netns/x");
	pods[5].host_network = true;
	memset(ifc, 0, sizeof(ifc));
	strcpy(ifc[0].host_veth.name, "veth0a1b2c3d"); /* only the host's side is known */
	ifc[0].host_veth.ifindex = 7;
	ifc[0].host_veth.link_netnsid = -1;
	strcpy(ifc[1].link.name, "net1");
	strcpy(ifc[1].link.kind, "macvlan");
	ifc[1].link.ifindex = 3;
	strcpy(ifc[2].link.name, "net2");
	ifc[2].link.ifindex = 4;
	ifc[3] = ifc[0];
	ifc[3].host_veth.hairpin = true;
	ifc[3].host_veth.port_state = 9;
	ifc[3].bridge_ifindex = 4;
	strcpy(ifc[3].bridge, "cni0");
	pods[0].interfaces = ifc;
	pods[0].n_interfaces = 4;
	pods[1].interfaces = ifc + 1;
	pods[1].n_interfaces = 2;
	bridges[0] = bridges[1] = c->host.bridges[0];
	strcpy(bridges[1].name, "cni1");
	underlays[0] = underlays[1] = c->host.underlays[0];
	strcpy(underlays[1].name, "eth1");
	vteps[0] = vteps[1] = c->host.vteps[0];
	strcpy(vteps[1].link.name, "flannel-v6.1");
	vteps[1].local = (struct addr){ { 0 } };
	evidence = (struct chain_evidence){ text("a step with a long name"), text("a file"),
					    text("what it says") };
	c->host.bridges = bridges;
	c->host.vteps = vteps;
	c->host.underlays = underlays;
	c->host.n_bridges = c->host.n_vteps = c->host.n_underlays = 2;
	c->evidence = &evidence;
	c->pods = pods;
	c->n_pods = 6;
}

static void test_odd(void **state)
{
	struct chain_pod pods[6];
	struct chain c;
	char *out;

	(void)state;
	build_odd(&c, pods);
	out = print(&c, LIST_TEXT, false);
	assert_golden("chain_odd_list.txt", out);
	free(out);
	out = print(&c, RESOLVE_TEXT, true);
	assert_golden("chain_odd_resolve.txt", out);
	free(out);
	/* interfaces without a device on the host alone; then a veth that leads nowhere known */
	c.pods = &pods[1];
	c.n_pods = 1;
	out = print(&c, RESOLVE_TEXT, false);
	assert_golden("chain_macvlan.txt", out);
	free(out);
	out = print(&c, RESOLVE_JSON, false);
	assert_golden("chain_macvlan.json", out);
	failing_json_sweep(print_resolve, &c, out);
	free(out);
	c.pods = &pods[0];
	c.pods[0].n_interfaces = 1;
	c.host.n_bridges = c.host.n_vteps = c.host.n_underlays = 0;
	c.n_evidence = 0;
	out = print(&c, RESOLVE_TEXT, false);
	assert_golden("chain_veth_alone.txt", out);
	free(out);
	/* routed: a veth that is no bridge's port */
	c.host.n_vteps = 1;
	out = print(&c, RESOLVE_TEXT, false);
	assert_golden("chain_routed.txt", out);
	free(out);
	c.host.n_vteps = 0;
	c.host.n_bridges = 1;
	c.pods[0].interfaces += 3;
	out = print(&c, RESOLVE_TEXT, false);
	assert_golden("chain_bridge_alone.txt", out);
	free(out);
}

static void test_list_text(void **state)
{
	struct chain_pod pods[3];
	struct chain c;
	char *out;

	(void)state;
	build(&c, pods, "web");
	out = print(&c, LIST_TEXT, false);
	assert_string_equal(out, "NAMESPACE    NAME  IP          PID  NETNS       VETH          "
				 "BRIDGE  VTEP       UNDERLAY  STATE\n"
				 "default      web   10.244.1.2  41   4026532532  veth0a1b2c3d  "
				 "cni0    flannel.1  eth0      ok\n"
				 "kube-system  web   -           -    -           -             -  "
				 "     -          -         hostNetwork\n"
				 "default      web   -           -    -           -             -  "
				 "     -          -         gone\n"
				 "\n"
				 "default/web: gone: left\n");
	free(out);
	c.n_pods = 0;
	out = print(&c, LIST_TEXT, false);
	assert_string_equal(out, "no pods on n1\n");
	free(out);
}

static void test_resolve_text(void **state)
{
	struct chain_pod pods[3];
	struct chain c;
	char *out;

	(void)state;
	build(&c, pods, "web");
	c.n_pods = 1;
	out = print(&c, RESOLVE_TEXT, false);
	assert_string_equal(
		out, "default/web  10.244.1.2  on node n1\n"
		     "sandbox   0123456789ab, pid 41, containerd\n"
		     "container web fedcba987654, pid 42\n"
		     "netns     inode 4026532532, /var/run/netns/cni-1, pid 41\n"
		     "\n"
		     "pod       eth0            ifindex 2, its peer is ifindex 7 of the host\n"
		     "  |                       mtu 1450, mac 00:00:00:00:00:01, 10.244.1.2/24\n"
		     "  |\n"
		     "veth      veth0a1b2c3d    ifindex 7, its peer is ifindex 2 in nsid 0\n"
		     "  |                       mtu ?\n"
		     "  |                       port of cni0, forwarding, hairpin off\n"
		     "  |\n"
		     "bridge    cni0            ifindex 4\n"
		     "  |                       mtu 1450\n"
		     "  |\n"
		     "vtep      flannel.1       ifindex 3, vni 1, port 8472, local 10.244.1.2\n"
		     "  |                       mtu ?\n"
		     "  |\n"
		     "underlay  eth0            ifindex 2\n"
		     "                          mtu 1500\n"
		     "\n"
		     "evidence\n"
		     "  veth      web\n"
		     "            from netlink RTM_GETLINK\n");
	free(out);
	/* a pod without veth has no drawing of a path that its packets never take */
	c.pods = &pods[1];
	out = print(&c, RESOLVE_TEXT, false);
	assert_null(strstr(out, "flannel.1"));
	assert_non_null(strstr(out, "problem   uses the host's network"));
	free(out);
}

static void test_hostile(void **state)
{
	struct chain_pod pods[3];
	struct chain c;

	(void)state;
	build(&c, pods, ESCAPE);
	for (int o = LIST_TEXT; o <= RESOLVE_JSON; o++) {
		for (int utf8 = 0; utf8 < 2; utf8++) {
			char *out = print(&c, (enum output)o, utf8 == 1);

			for (const char *p = out; *p; p++)
				assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
			/* the newline in the name made no line of its own */
			if (o == LIST_TEXT)
				assert_non_null(strstr(out, "\\x1b[31mred"));
			free(out);
		}
	}
}

/* The keys of an object, in the order they stand in the text. */
static void assert_keys(const json_t *o, const char *want)
{
	char got[512] = "";
	const char *key;
	json_t *value;

	assert_true(json_is_object(o));
	json_object_foreach((json_t *)(uintptr_t)o, key, value)
	{
		(void)value;
		strcat(got, got[0] ? "," : "");
		strcat(got, key);
	}
	assert_string_equal(got, want);
}

static void test_json(void **state)
{
	struct chain_pod pods[3];
	json_t *root, *pod, *host;
	struct chain c;
	char *out;

	(void)state;
	build(&c, pods, "web");
	out = print(&c, LIST_JSON, false);
	root = json_loads(out, 0, NULL);
	free(out);
	assert_keys(root, "schema,node,pods");
	pod = json_array_get(json_object_get(root, "pods"), 0);
	assert_keys(
		pod,
		"namespace,name,uid,ips,pid,container_ids,netns_inode,pod_interface,pod_ifindex,"
		"veth,veth_ifindex,bridge,host_network,problem");
	assert_true(json_is_null(json_object_get(pod, "uid")));
	assert_true(json_is_null(json_object_get(pod, "problem")));
	assert_int_equal(json_array_size(json_object_get(pod, "container_ids")), 2);
	assert_int_equal(json_integer_value(json_object_get(pod, "netns_inode")), 4026532532);
	pod = json_array_get(json_object_get(root, "pods"), 1);
	assert_true(json_is_true(json_object_get(pod, "host_network")));
	assert_true(json_is_null(json_object_get(pod, "veth")));
	assert_true(json_is_null(json_object_get(pod, "pid")));
	json_decref(root);

	out = print(&c, RESOLVE_JSON, false);
	root = json_loads(out, 0, NULL);
	free(out);
	assert_keys(root, "schema,node,veth,problem,pod,host,evidence");
	pod = json_object_get(root, "pod");
	assert_keys(pod, "namespace,name,uid,ips,pid,netns_inode,runtime,containers,interfaces");
	assert_keys(json_array_get(json_object_get(pod, "containers"), 1), "id,name,pid");
	pod = json_array_get(json_object_get(pod, "interfaces"), 0);
	assert_keys(pod, "name,ifindex,iflink,mac,mtu,ips,host_veth");
	assert_int_equal(json_array_size(json_object_get(pod, "ips")), 1);
	assert_keys(json_object_get(pod, "host_veth"),
		    "name,ifindex,iflink,link_netnsid,mac,mtu,port_state,bridge");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(pod, "host_veth"),
							    "link_netnsid")),
			 0);
	host = json_object_get(root, "host");
	assert_keys(host, "bridge,vteps,underlays");
	assert_keys(json_object_get(host, "bridge"), "name,ifindex,mac,mtu");
	assert_keys(json_array_get(json_object_get(host, "vteps"), 0),
		    "family,name,ifindex,vni,port,local,mac,mtu,underlay_ifindex");
	assert_keys(json_array_get(json_object_get(host, "underlays"), 0),
		    "name,ifindex,mac,mtu,addresses");
	assert_keys(json_array_get(json_object_get(root, "evidence"), 0), "step,source,value");
	json_decref(root);

	c.host.n_bridges = 0;
	c.n_pods = 0;
	out = print(&c, RESOLVE_JSON, false);
	root = json_loads(out, 0, NULL);
	free(out);
	assert_true(json_is_null(json_object_get(root, "pod")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "host"), "bridge")));
	json_decref(root);
}

/* A full disk is said, not swallowed. */
static void test_stream_error(void **state)
{
	struct report_style style = { .utf8 = false };
	struct chain_pod pods[3];
	struct chain c;
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	if (!f) {
		skip();
		return;
	}
	setvbuf(f, NULL, _IONBF, 0);
	build(&c, pods, "web");
	assert_true(report_list_text(f, &c, &style) < 0);
	assert_true(report_list_json(f, &c, false) < 0);
	assert_true(report_resolve_text(f, &c, &style) < 0);
	assert_true(report_resolve_json(f, &c, false) < 0);
	fclose(f);
}

/* The kernel's numbers, the words of `bridge link`. */
static void test_port_states(void **state)
{
	static const struct {
		int number;
		const char *name;
	} states[] = {
		{ BR_STATE_DISABLED, "disabled" },     { BR_STATE_LISTENING, "listening" },
		{ BR_STATE_LEARNING, "learning" },     { BR_STATE_FORWARDING, "forwarding" },
		{ BR_STATE_BLOCKING, "blocking" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		assert_string_equal(chain_port_state_name(states[i].number), states[i].name);
	assert_null(chain_port_state_name(-1));
	assert_null(chain_port_state_name(BR_STATE_BLOCKING + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_port_states),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_list_text),    cmocka_unit_test(test_resolve_text),
		cmocka_unit_test(test_hostile),	     cmocka_unit_test(test_json),
		cmocka_unit_test(test_stream_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
