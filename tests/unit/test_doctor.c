/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doctor.c - flannel's files, and each check on a node that is made up here.
 *
 * The node is a healthy one as in samples/lab; every case changes one thing, and
 * exactly the checks named there may fail. The real kernel's side is tests/lab/doctor.sh.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <linux/if.h>
#include <linux/if_bridge.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../src/doctor/doctor_priv.h"
#include "podhop/report.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* -------------------------------------------------------------------- values */

static struct addr ip(const char *s)
{
	struct addr a;

	assert_int_equal(addr_parse(s, &a), 0);
	return a;
}

static struct prefix net(const char *s)
{
	struct prefix p;

	assert_int_equal(prefix_parse(s, &p), 0);
	return p;
}

static struct mac hw(const char *s)
{
	struct mac m;

	assert_int_equal(mac_parse(s, &m), 0);
	return m;
}

/* ------------------------------------------------------------------- parsers */

static void test_env(void **state)
{
	static const struct {
		const char *text;
		int rc;
		const char *subnet4, *subnet6;
		unsigned mtu, networks;
	} cases[] = {
		{ "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n"
		  "FLANNEL_IPMASQ=true\n",
		  0, "10.244.1.1/24", "", 1450, 1 },
		{ "FLANNEL_NETWORK=10.0.0.0/16,10.1.0.0/16\nFLANNEL_SUBNET=10.1.7.1/24\n"
		  "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:7::1/64\n"
		  "FLANNEL_MTU=8950",
		  0, "10.1.7.1/24", "fd00:0:0:7::1/64", 8950, 3 },
		{ "FLANNEL_IPV6_NETWORK=fd00::/48\nFLANNEL_IPV6_SUBNET=fd00:0:0:7::1/64\n", 0, "",
		  "fd00:0:0:7::1/64", 0, 1 },
		{ "# a comment\nOTHER=1\nFLANNEL_SUBNET=10.244.1.1/24\n", 0, "10.244.1.1/24", "", 0,
		  0 },
		{ "", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_MTU=1450\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=10.244.1/24\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=10.244.1.1/33\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=fd00::1/64\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_IPV6_SUBNET=10.244.1.1/24\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=big\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=99999999\n", -EBADMSG, "", "", 0, 0 },
		{ "FLANNEL_NETWORK=10.0.0.0/16,oops\nFLANNEL_SUBNET=10.0.1.1/24\n", -EBADMSG, "",
		  "", 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct doctor_env e = { .mtu = 7 };
		char s[PREFIX_STR_MAX];

		assert_int_equal(doctor_parse_env(cases[i].text, &e), cases[i].rc);
		if (cases[i].rc) {
			assert_int_equal(e.mtu, 7); /* untouched */
			continue;
		}
		assert_int_equal(e.mtu, cases[i].mtu);
		assert_int_equal(e.n_networks, cases[i].networks);
		assert_string_equal(e.subnet4.len ? prefix_str(&e.subnet4, s) : "",
				    cases[i].subnet4);
		assert_string_equal(e.subnet6.len ? prefix_str(&e.subnet6, s) : "",
				    cases[i].subnet6);
	}
}

static void test_conf(void **state)
{
	static const struct {
		const char *text, *backend;
		int rc;
		unsigned vni, port;
		bool direct;
	} cases[] = {
		{ "{\"Network\":\"10.244.0.0/16\",\"Backend\":{\"Type\":\"vxlan\"}}", "vxlan", 0, 1,
		  0, false },
		{ "{\"Backend\":{\"Type\":\"vxlan\",\"VNI\":4096,\"Port\":4789,\"DirectRouting\":"
		  "true}}",
		  "vxlan", 0, 4096, 4789, true },
		{ "{\"Backend\":{\"Type\":\"host-gw\"}}", "host-gw", 0, 1, 0, false },
		{ "{\"Network\":\"10.244.0.0/16\"}", "", -EBADMSG, 0, 0, false },
		{ "{\"Backend\":[]}", "", -EBADMSG, 0, 0, false },
		{ "{\"Backend\":{\"Type\":\"vxlan\",\"Port\":65536}}", "", -EBADMSG, 0, 0, false },
		{ "{\"Backend\":{\"Type\":\"vxlan\",\"VNI\":-1}}", "", -EBADMSG, 0, 0, false },
		{ "{\"Backend\":", "", -EBADMSG, 0, 0, false },
		{ "", "", -EBADMSG, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct doctor_conf c = { .vni = 0 };

		assert_int_equal(doctor_parse_conf(cases[i].text, strlen(cases[i].text), &c),
				 cases[i].rc);
		assert_string_equal(c.backend, cases[i].backend);
		assert_int_equal(c.vni, cases[i].vni);
		assert_int_equal(c.port, cases[i].port);
		assert_int_equal(c.direct_routing, cases[i].direct);
	}
}

static void test_cni(void **state)
{
	static const struct {
		const char *text;
		int rc;
		bool hairpin;
	} cases[] = {
		{ "{\"name\":\"cbr0\",\"plugins\":[{\"type\":\"flannel\",\"delegate\":{"
		  "\"hairpinMode\":true}},"
		  "{\"type\":\"portmap\"}]}",
		  0, true },
		{ "{\"plugins\":[{\"type\":\"flannel\"}]}", 0, false },
		{ "{\"type\":\"flannel\",\"delegate\":{\"hairpinMode\":true}}", 0, true },
		{ "{\"plugins\":[{\"type\":\"calico\"}]}", -ENOENT, false },
		{ "{\"plugins\":[7,{}]}", -ENOENT, false },
		{ "[]", -ENOENT, false },
		{ "{", -EBADMSG, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool hairpin = false;

		assert_int_equal(doctor_parse_cni(cases[i].text, strlen(cases[i].text), &hairpin),
				 cases[i].rc);
		assert_int_equal(hairpin, cases[i].hairpin);
	}
}

static void test_prefix_base(void **state)
{
	static const char *const cases[][2] = {
		{ "10.244.1.1/24", "10.244.1.0/24" },
		{ "10.244.1.1/32", "10.244.1.1/32" },
		{ "10.244.255.255/9", "10.128.0.0/9" },
		{ "10.244.1.1/0", "0.0.0.0/0" },
		{ "fd00:10:244:1::1/64", "fd00:10:244:1::/64" },
		{ "fd00::ff/121", "fd00::80/121" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct prefix p = doctor_prefix_base(net(cases[i][0]));
		char s[PREFIX_STR_MAX];

		assert_string_equal(prefix_str(&p, s), cases[i][1]);
	}
}

/* --------------------------------------------------------------- a made-up node */

enum { ETH0 = 2, FLANNEL = 3, CNI0 = 4, VETH_WEB = 5, VETH_CLIENT = 6 };

struct node {
	char dir[64];
	struct doctor_view v;
	struct doctor_link links[8];
	struct doctor_ifaddr addrs[8];
	struct doctor_route routes[16];
	struct doctor_neigh neighs[16], fdb[16];
	struct doctor_lease leases[256];
	struct doctor_base_chain chains[2];
	struct doctor_rule rules[2];
	struct chain chain;
	struct chain_pod pods[2];
	struct chain_interface ifc[2];
	struct chain_container containers[2];
	struct prefix pod_addrs[2][2];
	struct addr pod_ips[2];
};

static void put(const struct node *n, const char *path, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", n->dir, path);
	for (char *p = full + strlen(n->dir) + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(full, 0755);
		*p = '/';
	}
	f = fopen(full, "we");
	assert_non_null(f);
	fputs(text, f);
	assert_int_equal(fclose(f), 0);
}

static void add_link(struct node *n, uint32_t ifindex, const char *name, const char *kind,
		     uint32_t mtu, const char *mac)
{
	struct doctor_link *l = &n->links[n->v.n_links++];

	l->ifindex = ifindex;
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->kind, sizeof(l->kind), "%s", kind);
	l->mtu = mtu;
	l->flags = IFF_UP | IFF_LOWER_UP;
	l->link_netnsid = -1;
	l->mac = hw(mac);
}

static void add_addr(struct node *n, uint32_t ifindex, const char *prefix)
{
	n->addrs[n->v.n_addrs++] = (struct doctor_ifaddr){ ifindex, net(prefix) };
}

static struct doctor_route *add_route(struct node *n, const char *dst, const char *gw, uint32_t oif)
{
	struct doctor_route *r = &n->routes[n->v.n_routes++];

	*r = (struct doctor_route){
		.dst = net(dst), .type = RTN_UNICAST, .oif = oif, .table = RT_TABLE_MAIN
	};
	r->v6 = !addr_is_v4(&r->dst.addr);
	if (gw)
		r->gw = ip(gw);
	else
		r->protocol = RTPROT_KERNEL;
	return r;
}

static struct doctor_neigh *add_neigh(struct doctor_neigh *table, unsigned *n, uint32_t ifindex,
				      const char *dst, const char *mac, uint16_t state)
{
	struct doctor_neigh *e = &table[(*n)++];

	*e = (struct doctor_neigh){
		.ifindex = ifindex, .state = state, .dst = ip(dst), .mac = hw(mac)
	};
	return e;
}

static void add_pod(struct node *n, unsigned i, char *name, char *id, const char *addr,
		    const char *mac, uint32_t veth)
{
	struct chain_interface *f = &n->ifc[i];
	struct chain_pod *p = &n->pods[i];
	char path[64];

	n->containers[i] = (struct chain_container){ .id = id, .sandbox = true };
	n->pod_addrs[i][0] = net(addr);
	n->pod_ips[i] = n->pod_addrs[i][0].addr;
	*p = (struct chain_pod){
		.namespace_ = (char *)(uintptr_t) "default",
		.name = name,
		.uid = (char *)(uintptr_t) "",
		.pid = 100 + (int)i,
		.netns_inode = 1000 + i,
		.ips = &n->pod_ips[i],
		.n_ips = 1,
		.containers = &n->containers[i],
		.n_containers = 1,
		.interfaces = f,
		.n_interfaces = 1,
		.problem = (char *)(uintptr_t) "",
	};
	strcpy(f->link.name, "eth0");
	f->link.ifindex = 2;
	f->link.mtu = 1450;
	f->link.mac = hw(mac);
	f->link.flags = IFF_UP;
	f->link.addrs = n->pod_addrs[i];
	f->link.n_addrs = 1;
	f->host_veth.ifindex = veth;
	f->bridge_ifindex = CNI0;
	n->leases[i] = (struct doctor_lease){ .path = (char *)(uintptr_t) "/var/lib/cni/x",
					      .id = id,
					      .ip = n->pod_ips[i] };
	snprintf(path, sizeof(path), "proc/%d/net/route", 100 + (int)i);
	put(n, path,
	    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
	    "eth0\t00000000\t0101F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
	n->v.n_leases++;
	n->chain.n_pods++;
}

static void node_init(struct node *n)
{
	static const char *const devices[] = { "eth0", "flannel.1", "cni0", "all" };
	struct err err = ERR_INIT;
	char path[128];

	memset(n, 0, sizeof(*n));
	strcpy(n->dir, "/tmp/podhop-test-XXXXXX");
	assert_non_null(mkdtemp(n->dir));
	put(n, "proc/sys/net/ipv4/ip_forward", "1\n");
	put(n, "proc/sys/net/bridge/bridge-nf-call-iptables", "1\n");
	put(n, "proc/sys/net/netfilter/nf_conntrack_count", "10\n");
	put(n, "proc/sys/net/netfilter/nf_conntrack_max", "1000\n");
	put(n, "proc/self/net/udp",
	    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
	    "timeout inode ref pointer drops\n"
	    " 3455: 00000000:2118 00000000:0000 07 00000000:00000000 00:00000000 00000000     0    "
	    "    0 220777 2 0 0\n");
	put(n, "proc/self/net/stat/nf_conntrack",
	    "entries  clashres found new invalid ignore delete chainlength insert insert_failed "
	    "drop early_drop icmp_error\n"
	    "0000000a  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
	    "00000000 00000000 00000000 00000000\n"
	    "0000000a  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 "
	    "00000000 00000000 00000000 00000000\n");
	for (size_t i = 0; i < COUNT(devices); i++) {
		snprintf(path, sizeof(path), "proc/sys/net/ipv4/conf/%s/forwarding", devices[i]);
		put(n, path, "1\n");
		snprintf(path, sizeof(path), "proc/sys/net/ipv4/conf/%s/rp_filter", devices[i]);
		put(n, path, "0\n");
	}
	n->v = (struct doctor_view){
		.host_root = "",
		.links = n->links,
		.addrs = n->addrs,
		.routes = n->routes,
		.neighs = n->neighs,
		.fdb = n->fdb,
		.leases = n->leases,
		.chains = n->chains,
		.rules = n->rules,
		.chain = &n->chain,
		.cni_hairpin = true,
		.cni_conf = (char *)(uintptr_t) "/etc/cni/net.d/10-flannel.conflist",
		.kernel_major = 6,
		.kernel_minor = 1,
		.env = { .networks = { net("10.244.0.0/16") },
			 .n_networks = 1,
			 .subnet4 = net("10.244.1.1/24"),
			 .mtu = 1450 },
	};
	assert_int_equal(doctor_files_open(&n->v, n->dir, &err), 0);
	n->chain.pods = n->pods;
	n->chain.host.node = (char *)(uintptr_t) "node1";

	add_link(n, ETH0, "eth0", "", 1500, "02:00:c0:a8:4d:0b");
	add_link(n, FLANNEL, "flannel.1", "vxlan", 1450, "02:00:0a:f4:01:00");
	add_link(n, CNI0, "cni0", "bridge", 1450, "02:00:00:00:00:01");
	add_link(n, VETH_WEB, "vethweb", "veth", 1450, "02:00:00:00:00:02");
	add_link(n, VETH_CLIENT, "vethclient", "veth", 1450, "02:00:00:00:00:03");
	n->links[1].vni = 1;
	n->links[1].vxlan_port = 8472;
	n->links[1].vxlan_link = ETH0;
	n->links[1].vxlan_local = ip("192.168.77.11");
	for (unsigned i = 3; i < 5; i++) {
		n->links[i].master = CNI0;
		n->links[i].link_netnsid = (int32_t)i;
		n->links[i].is_port = n->links[i].hairpin = true;
		n->links[i].port_state = BR_STATE_FORWARDING;
	}
	add_addr(n, ETH0, "192.168.77.11/24");
	add_addr(n, FLANNEL, "10.244.1.0/32");
	add_addr(n, CNI0, "10.244.1.1/24");
	add_route(n, "192.168.77.0/24", NULL, ETH0);
	add_route(n, "10.244.1.0/24", NULL, CNI0);
	add_route(n, "10.244.2.0/24", "10.244.2.0", FLANNEL)->nh_flags = RTNH_F_ONLINK;
	add_route(n, "10.244.3.0/24", "10.244.3.0", FLANNEL)->nh_flags = RTNH_F_ONLINK;
	add_neigh(n->neighs, &n->v.n_neighs, FLANNEL, "10.244.2.0", "02:00:0a:f4:02:00",
		  NUD_PERMANENT);
	add_neigh(n->neighs, &n->v.n_neighs, FLANNEL, "10.244.3.0", "02:00:0a:f4:03:00",
		  NUD_PERMANENT);
	add_neigh(n->neighs, &n->v.n_neighs, ETH0, "192.168.77.12", "02:00:c0:a8:4d:0c", NUD_STALE);
	add_neigh(n->neighs, &n->v.n_neighs, ETH0, "192.168.77.13", "02:00:c0:a8:4d:0d",
		  NUD_REACHABLE);
	add_neigh(n->fdb, &n->v.n_fdb, FLANNEL, "192.168.77.12", "02:00:0a:f4:02:00",
		  NUD_PERMANENT | NUD_NOARP);
	add_neigh(n->fdb, &n->v.n_fdb, FLANNEL, "192.168.77.13", "02:00:0a:f4:03:00",
		  NUD_PERMANENT);
	add_pod(n, 0, (char *)(uintptr_t) "web", (char *)(uintptr_t) "aaaa", "10.244.1.2/24",
		"02:00:00:00:01:02", VETH_WEB);
	add_pod(n, 1, (char *)(uintptr_t) "client", (char *)(uintptr_t) "bbbb", "10.244.1.3/24",
		"02:00:00:00:01:03", VETH_CLIENT);
}

static void node_done(struct node *n)
{
	char command[128];

	close(n->v.root);
	close(n->v.proc);
	snprintf(command, sizeof(command), "rm -rf %s", n->dir);
	assert_int_equal(system(command), 0); /* NOLINT: a test's own directory */
}

static struct doctor_report *run(struct node *n)
{
	struct doctor_report *r = calloc(1, sizeof(*r));
	struct doctor d = { .v = &n->v, .r = r };

	assert_non_null(r);
	r->node = strdup("node1");
	doctor_check_flannel(&d);
	doctor_check_pods(&d);
	doctor_check_bridge(&d);
	doctor_check_vteps(&d);
	doctor_check_remotes(&d);
	doctor_check_mtu(&d);
	doctor_check_sysctls(&d);
	doctor_check_kernel(&d);
	doctor_check_leftovers(&d);
	assert_false(d.oom);
	return r;
}

/* The report is printed when the view is gone: nothing of it points there. */
static void test_report_outlives_view(void **state)
{
	struct doctor_report *r;
	struct node n;
	unsigned named = 0;

	(void)state;
	node_init(&n);
	r = run(&n);
	memset(n.links, 'x', sizeof(n.links));
	for (unsigned i = 0; i < r->n_checks; i++) {
		const struct doctor_check *c = &r->checks[i];

		named += strcmp(c->object, "flannel.1") == 0;
		assert_null(strstr(c->object, "xxx"));
		assert_null(strstr(c->expected, "xxx"));
		assert_null(strstr(c->found, "xxx"));
		assert_null(strstr(c->advice, "xxx"));
	}
	assert_true(named >= 5);
	doctor_report_free(r);
	node_done(&n);
}

static void test_healthy(void **state)
{
	struct doctor_report *r;
	struct node n;

	(void)state;
	node_init(&n);
	r = run(&n);
	for (unsigned i = 0; i < r->n_checks; i++) {
		if (r->checks[i].status != DOCTOR_OK)
			fail_msg("%s %s: %s", r->checks[i].id, r->checks[i].object,
				 r->checks[i].found);
		assert_string_equal(r->checks[i].advice, "");
		assert_string_not_equal(r->checks[i].expected, "");
		assert_string_not_equal(r->checks[i].found, "");
	}
	assert_int_equal(r->n[DOCTOR_OK], r->n_checks);
	assert_true(r->n_checks > 40);
	doctor_report_free(r);
	node_done(&n);
}

/* ------------------------------------------------------------------ one change */

static void no_route(struct node *n)
{
	n->routes[2] = n->routes[--n->v.n_routes];
}
static void no_neigh(struct node *n)
{
	n->neighs[0].state = NUD_FAILED;
}
static void no_fdb(struct node *n)
{
	n->fdb[0] = n->fdb[--n->v.n_fdb];
}
static void wrong_neigh(struct node *n)
{
	n->neighs[0].mac.b[5] = 9;
}
static void own_mac(struct node *n)
{
	n->neighs[0].mac = n->links[1].mac;
}
static void same_mac(struct node *n)
{
	n->neighs[0].mac = n->neighs[1].mac;
}
static void fdb_own(struct node *n)
{
	n->fdb[0].dst = ip("192.168.77.11");
}
static void fdb_same(struct node *n)
{
	n->fdb[0].dst = n->fdb[1].dst;
}
static void fdb_far(struct node *n)
{
	n->fdb[0].dst = ip("203.0.113.9");
}
static void fdb_silent(struct node *n)
{
	n->fdb[0].dst = ip("192.168.77.99");
	add_neigh(n->neighs, &n->v.n_neighs, ETH0, "192.168.77.99", "00:00:00:00:00:00",
		  NUD_FAILED);
}
static void blackhole(struct node *n)
{
	n->routes[2].type = RTN_BLACKHOLE;
	n->routes[2].gw = (struct addr){ .b = { 0 } };
	n->routes[2].oif = 0;
}
static void own_blackhole(struct node *n) /* Canal's; and a backstop for the whole network */
{
	add_route(n, "10.244.1.0/24", NULL, 0)->type = RTN_BLACKHOLE;
	n->routes[n->v.n_routes - 1].metric = 9;
	add_route(n, "10.244.0.0/16", NULL, 0)->type = RTN_UNREACHABLE;
}
static void not_onlink(struct node *n)
{
	n->routes[2].nh_flags = 0;
}
static void not_permanent(struct node *n)
{
	n->neighs[0].state = NUD_REACHABLE;
}
static void left_fdb(struct node *n)
{
	add_neigh(n->fdb, &n->v.n_fdb, FLANNEL, "192.168.77.12", "02:00:00:00:00:98",
		  NUD_PERMANENT);
}
static void lone_fdb(struct node *n)
{
	add_neigh(n->fdb, &n->v.n_fdb, FLANNEL, "192.168.77.14", "02:00:0a:f4:04:00",
		  NUD_PERMANENT);
}
static void all_zero_fdb(struct node *n) /* a default destination is no remote node */
{
	add_neigh(n->fdb, &n->v.n_fdb, FLANNEL, "192.168.77.14", "00:00:00:00:00:00",
		  NUD_PERMANENT);
}
static void vtep_down(struct node *n)
{
	n->links[1].flags = 0;
}
static void vtep_vni(struct node *n)
{
	n->links[1].vni = 2;
}
static void vtep_port(struct node *n)
{
	n->links[1].vxlan_port = 8473;
	put(n, "proc/self/net/udp",
	    "title\n 1: 00000000:2119 00000000:0000 07 0:0 0:0 0 0 0 1 2 0 0\n");
}
static void conf_port(struct node *n)
{
	n->v.conf = (struct doctor_conf){
		.path = (char *)(uintptr_t) "/c", .backend = "vxlan", .vni = 1, .port = 4789
	};
}
static void vtep_kind(struct node *n)
{
	strcpy(n->links[1].kind, "dummy");
}
static void vtep_local(struct node *n)
{
	n->addrs[0].prefix = net("192.168.77.20/24");
}
static void vtep_addr(struct node *n)
{
	n->addrs[1].prefix = net("10.244.7.0/32");
}
static void eth_down(struct node *n)
{
	n->links[0].flags = 0;
}
static void eth_carrier(struct node *n)
{
	n->links[0].flags = IFF_UP;
}
static void eth_narrow(struct node *n)
{
	n->links[0].mtu = 1499;
}
static void eth_wide(struct node *n)
{
	n->links[0].mtu = 9000;
}
static void taken(struct node *n)
{
	n->links[1].flags = 0;
} /* the socket in /proc is another's */
static void pod_wide(struct node *n)
{
	n->ifc[0].link.mtu = n->links[3].mtu = 1500;
}
static void veth_narrow(struct node *n)
{
	n->links[3].mtu = 1400;
}
static void bridge_narrow(struct node *n)
{
	n->links[2].mtu = 1400;
}
static void bridge_wide(struct node *n)
{
	n->links[2].mtu = 1500;
}
static void env_wide(struct node *n)
{
	n->v.env.mtu = 1500;
}
static void env_none(struct node *n)
{
	n->v.env_rc = -ENOENT;
	memset(&n->v.env, 0, sizeof(n->v.env));
}
static void env_bad(struct node *n)
{
	n->v.env_rc = -EBADMSG;
	memset(&n->v.env, 0, sizeof(n->v.env));
}
static void no_cni(struct node *n)
{
	n->v.cni_conf = NULL;
}
static void no_forward(struct node *n)
{
	put(n, "proc/sys/net/ipv4/ip_forward", "0\n");
}
static void dev_forward(struct node *n)
{
	put(n, "proc/sys/net/ipv4/conf/flannel.1/forwarding", "0\n");
}
static void strict(struct node *n)
{
	put(n, "proc/sys/net/ipv4/conf/flannel.1/rp_filter", "1\n");
}
static void strict_counted(struct node *n)
{
	strict(n);
	put(n, "proc/self/net/netstat",
	    "TcpExt: A IPReversePathFilter B\nTcpExt: 1 42 3\nIpExt: X\nIpExt: 0\n");
}
static void asymmetric(struct node *n)
{
	strict(n);
	n->routes[2].gw = ip("192.168.77.12");
	n->routes[2].oif = ETH0;
	n->routes[2].nh_flags = 0;
}
static void loose_wins(struct node *n)
{
	asymmetric(n);
	put(n, "proc/sys/net/ipv4/conf/all/rp_filter", "2\n");
}
static void no_br_nf(struct node *n)
{
	put(n, "proc/sys/net/bridge/bridge-nf-call-iptables", "0\n");
}
static void detached(struct node *n)
{
	n->links[3].master = 0;
	n->links[3].is_port = false;
}
static void blocked(struct node *n)
{
	n->links[3].port_state = BR_STATE_BLOCKING;
}
static void isolated(struct node *n)
{
	n->links[3].isolated = true;
}
static void no_hairpin(struct node *n)
{
	n->links[3].hairpin = false;
}
static void veth_down(struct node *n)
{
	n->links[3].flags = 0;
}
static void pod_down(struct node *n)
{
	n->ifc[0].link.flags = 0;
}
static void pod_route(struct node *n)
{
	put(n, "proc/100/net/route", "Iface\n");
}
static void pod_gateway(struct node *n)
{
	put(n, "proc/100/net/route",
	    "Iface\neth0\t00000000\t0901F40A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
}
static void same_ip(struct node *n)
{
	n->pod_addrs[1][1] = net("10.244.1.2/24");
	n->ifc[1].link.n_addrs = 2;
}
static void foreign_ip(struct node *n)
{
	n->pod_addrs[0][0] = net("10.244.2.7/24");
}
static void bridge_ip(struct node *n)
{
	n->pod_addrs[0][0] = net("10.244.1.1/24");
}
static void pod_mac(struct node *n)
{
	n->ifc[1].link.mac = n->ifc[0].link.mac;
}
static void bad_arp(struct node *n)
{
	add_neigh(n->neighs, &n->v.n_neighs, CNI0, "10.244.1.2", "02:00:00:00:00:66", NUD_STALE);
}
static void good_arp(struct node *n)
{
	add_neigh(n->neighs, &n->v.n_neighs, CNI0, "10.244.1.2", "02:00:00:00:01:02", NUD_STALE);
}
static void bridge_down(struct node *n)
{
	n->links[2].flags = 0;
}
static void bridge_addr(struct node *n)
{
	n->addrs[2].prefix = net("10.244.9.1/24");
}
static void bridge_route(struct node *n)
{
	n->routes[1] = n->routes[--n->v.n_routes];
}
static void leaked(struct node *n)
{
	n->leases[0].id = (char *)(uintptr_t) "cccc";
}
static void gone(struct node *n)
{
	n->pods[1].problem =
		(char *)(uintptr_t) "gone: /var/lib/cni/results/it's is left over, but ...";
	n->pods[1].n_interfaces = 0;
}
static void full_table(struct node *n)
{
	put(n, "proc/sys/net/netfilter/nf_conntrack_count", "1000\n");
}
static void small_table(struct node *n)
{
	put(n, "proc/sys/net/netfilter/nf_conntrack_max", "50\n");
}
/* A line that ends before the column has no part in it: the next one is another CPU's. */
static void short_line(struct node *n)
{
	put(n, "proc/self/net/stat/nf_conntrack",
	    "entries insert_failed drop\n0a 0\n0b 0 0\n");
}
static void raced(struct node *n)
{
	put(n, "proc/self/net/stat/nf_conntrack",
	    "entries insert_failed drop\n0a 00000010 0\n0a 00000001 0\n");
}
static void dropping(struct node *n)
{
	n->v.n_rules = 1;
	n->rules[0] = (struct doctor_rule){ .table = "t",
					    .chain = "c",
					    .family = 2,
					    .handle = 5,
					    .has_counter = true,
					    .packets = 3 };
}
static void drop_unused(struct node *n)
{
	dropping(n);
	n->rules[0].packets = 0;
}
static void policy(struct node *n)
{
	n->v.n_chains = 1;
	n->chains[0] = (struct doctor_base_chain){
		.table = "filter", .chain = "FORWARD", .family = 2, .hook = 2, .drop = true
	};
}
static void other_backend(struct node *n)
{
	conf_port(n);
	strcpy(n->v.conf.backend, "host-gw");
}
static void legacy(struct node *n)
{
	put(n, "proc/self/net/ip_tables_names", "nat\nfilter\n");
}
static void filtering(struct node *n)
{
	n->links[2].vlan_filtering = true;
}
static void no_lease(struct node *n)
{
	n->leases[0].ip = n->leases[1].ip;
	n->leases[0].id = n->leases[1].id;
}
/* So many addresses of the 253 that are not the network's, the bridge's or everybody's. */
static void given(struct node *n, unsigned addresses)
{
	for (unsigned i = 0; i < addresses; i++)
		n->leases[i] = n->leases[i % 2];
	n->v.n_leases = addresses;
}
static void subnet_full(struct node *n)
{
	given(n, 253);
}
static void subnet_nearly_full(struct node *n)
{
	given(n, 228);
}
static void subnet_has_room(struct node *n)
{
	given(n, 227);
}
static void stp(struct node *n)
{
	blocked(n);
	n->links[2].stp = true;
}

struct change {
	void (*change)(struct node *n);
	enum doctor_status status; /* of the check below; OK: nothing but ok may come */
	const char *id, *object, *advice; /* advice: its beginning */
	const char *also; /* ids that fail as a consequence, with blanks around */
};

#define R2 "10.244.2.0/24 dev flannel.1"
static const struct change changes[] = {
	{ no_route, DOCTOR_FAIL, "remote.route", R2,
	  "ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink", "" },
	{ no_neigh, DOCTOR_FAIL, "remote.neighbour", R2,
	  "ip neigh replace 10.244.2.0 lladdr 02:00:0a:f4:02:00 dev flannel.1 nud permanent", "" },
	{ wrong_neigh, DOCTOR_FAIL, "remote.neighbour", R2,
	  "ip neigh replace 10.244.2.0 lladdr 02:00:0a:f4:02:00 dev flannel.1 nud permanent", "" },
	{ own_mac, DOCTOR_FAIL, "remote.neighbour", R2,
	  "ip neigh replace 10.244.2.0 lladdr 02:00:0a:f4:02:00 dev flannel.1 nud permanent", "" },
	{ same_mac, DOCTOR_FAIL, "remote.mac", "10.244.2.0", "# ", " remote.neighbour " },
	{ no_fdb, DOCTOR_FAIL, "remote.fdb", R2,
	  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self permanent",
	  "" },
	{ fdb_own, DOCTOR_FAIL, "remote.node", R2,
	  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self permanent",
	  "" },
	{ fdb_same, DOCTOR_FAIL, "remote.node", R2,
	  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self permanent",
	  "" },
	{ fdb_far, DOCTOR_FAIL, "remote.node", R2,
	  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self permanent",
	  "" },
	{ fdb_silent, DOCTOR_FAIL, "remote.node", R2,
	  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self permanent",
	  "" },
	{ blackhole, DOCTOR_FAIL, "remote.route", R2,
	  "ip route replace 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink",
	  " route.blackhole " },
	{ blackhole, DOCTOR_FAIL, "route.blackhole", "10.244.2.0/24",
	  "ip route del blackhole 10.244.2.0/24", " remote.route " },
	{ own_blackhole, DOCTOR_OK, "", "", "", "" },
	{ not_onlink, DOCTOR_WARN, "remote.route", R2, "ip route replace", "" },
	{ not_permanent, DOCTOR_WARN, "remote.neighbour", R2, "ip neigh replace", "" },
	{ left_fdb, DOCTOR_WARN, "remote.neighbour", "192.168.77.12 dev flannel.1",
	  "bridge fdb del 02:00:00:00:00:98 dev flannel.1 dst 192.168.77.12 self", "" },
	{ lone_fdb, DOCTOR_FAIL, "remote.neighbour", "192.168.77.14 dev flannel.1", "# restart",
	  "" },
	{ all_zero_fdb, DOCTOR_OK, "", "", "", "" },
	{ vtep_down, DOCTOR_FAIL, "vtep.state", "flannel.1", "ip link set dev flannel.1 up",
	  " vtep.socket  remote.route " },
	{ taken, DOCTOR_FAIL, "vtep.socket", "flannel.1", "ss -uanp",
	  " vtep.state  remote.route " },
	{ vtep_vni, DOCTOR_FAIL, "vtep.vni", "flannel.1", "ip link del dev flannel.1", "" },
	{ vtep_port, DOCTOR_WARN, "vtep.port", "flannel.1", "# right when", "" },
	{ conf_port, DOCTOR_FAIL, "vtep.port", "flannel.1", "ip link del dev flannel.1", "" },
	{ vtep_kind, DOCTOR_FAIL, "vtep.kind", "flannel.1", "ip link del dev flannel.1", "" },
	{ vtep_local, DOCTOR_FAIL, "vtep.local", "flannel.1", "ip link del dev flannel.1", "" },
	{ vtep_addr, DOCTOR_FAIL, "vtep.address", "flannel.1",
	  "ip addr add 10.244.1.0/32 dev flannel.1", "" },
	{ eth_down, DOCTOR_FAIL, "vtep.underlay", "eth0", "ip link set dev eth0 up", "" },
	{ eth_carrier, DOCTOR_FAIL, "vtep.underlay", "eth0", "ip link set dev eth0 up  # it is",
	  "" },
	{ eth_narrow, DOCTOR_FAIL, "mtu.vtep", "flannel.1", "ip link set dev flannel.1 mtu 1449",
	  "" },
	{ eth_wide, DOCTOR_OK, "", "", "", "" },
	{ pod_wide, DOCTOR_FAIL, "pod.mtu", "default/web",
	  "ip link set dev vethweb mtu 1450; nsenter -t 100 -n ip link set dev eth0 mtu 1450", "" },
	{ veth_narrow, DOCTOR_FAIL, "pod.mtu", "default/web", "ip link set dev vethweb mtu 1450",
	  "" },
	{ bridge_narrow, DOCTOR_FAIL, "pod.mtu", "default/web", "ip link set dev cni0 mtu 1450",
	  "" },
	{ bridge_wide, DOCTOR_WARN, "mtu.bridge", "cni0", "ip link set dev cni0 mtu 1450", "" },
	{ env_wide, DOCTOR_FAIL, "mtu.flannel", "/run/flannel/subnet.env", "# restart", "" },
	{ env_none, DOCTOR_FAIL, "flannel.subnet", "/run/flannel/subnet.env", "# start flanneld",
	  "" },
	{ env_bad, DOCTOR_FAIL, "flannel.subnet", "/run/flannel/subnet.env", "# restart", "" },
	{ no_cni, DOCTOR_WARN, "flannel.cni", "/etc/cni/net.d", "# ", "" },
	{ no_forward, DOCTOR_FAIL, "sysctl.forwarding", "net.ipv4.ip_forward",
	  "sysctl -w net.ipv4.ip_forward=1", "" },
	{ dev_forward, DOCTOR_FAIL, "sysctl.forwarding", "net/ipv4/conf/flannel.1/forwarding",
	  "sysctl -w net/ipv4/conf/flannel.1/forwarding=1", "" },
	{ strict, DOCTOR_OK, "", "", "", "" },
	{ strict_counted, DOCTOR_WARN, "sysctl.rp_filter", "net/ipv4/conf/flannel.1/rp_filter",
	  "sysctl -w net/ipv4/conf/flannel.1/rp_filter=2", "" },
	{ asymmetric, DOCTOR_FAIL, "sysctl.rp_filter", "net/ipv4/conf/flannel.1/rp_filter",
	  "sysctl -w net/ipv4/conf/flannel.1/rp_filter=2", " remote.route " },
	{ loose_wins, DOCTOR_WARN, "remote.route", R2, "ip route replace", "" },
	{ no_br_nf, DOCTOR_WARN, "sysctl.br_netfilter", "net.bridge.bridge-nf-call-iptables",
	  "sysctl -w net.bridge.bridge-nf-call-iptables=1", "" },
	{ detached, DOCTOR_FAIL, "pod.bridge", "default/web",
	  "ip link set dev vethweb master cni0 && bridge link set dev vethweb hairpin on", "" },
	{ blocked, DOCTOR_FAIL, "pod.port", "default/web", "bridge link set dev vethweb state 3",
	  "" },
	{ stp, DOCTOR_FAIL, "pod.port", "default/web",
	  "ip link set dev cni0 type bridge stp_state 0", "" },
	{ isolated, DOCTOR_WARN, "pod.isolated", "default/web",
	  "bridge link set dev vethweb isolated off", "" },
	{ no_hairpin, DOCTOR_WARN, "pod.hairpin", "default/web",
	  "bridge link set dev vethweb hairpin on", "" },
	{ veth_down, DOCTOR_FAIL, "pod.veth", "default/web", "ip link set dev vethweb up", "" },
	{ pod_down, DOCTOR_FAIL, "pod.interface", "default/web",
	  "nsenter -t 100 -n ip link set dev eth0 up", "" },
	{ pod_route, DOCTOR_FAIL, "pod.route", "default/web",
	  "nsenter -t 100 -n ip route replace default via 10.244.1.1", "" },
	{ pod_gateway, DOCTOR_WARN, "pod.route", "default/web", "nsenter -t 100 -n", "" },
	{ same_ip, DOCTOR_FAIL, "pod.address", "default/client",
	  "nsenter -t 101 -n ip addr del 10.244.1.2/24 dev eth0", "" },
	{ same_ip, DOCTOR_FAIL, "pod.address", "default/web", "# it is this pod's", "" },
	{ foreign_ip, DOCTOR_FAIL, "pod.address", "default/web",
	  "nsenter -t 100 -n ip addr del 10.244.2.7/24 dev eth0", "" },
	{ bridge_ip, DOCTOR_FAIL, "pod.address", "default/web", "nsenter -t 100 -n ip addr del",
	  "" },
	{ pod_mac, DOCTOR_FAIL, "pod.mac", "default/client", "# ", "" },
	{ bad_arp, DOCTOR_FAIL, "pod.neighbour", "default/web", "ip neigh del 10.244.1.2 dev cni0",
	  "" },
	{ good_arp, DOCTOR_OK, "", "", "", "" },
	{ bridge_down, DOCTOR_FAIL, "bridge.state", "cni0", "ip link set dev cni0 up", "" },
	{ bridge_addr, DOCTOR_FAIL, "bridge.address", "cni0",
	  "ip addr add 10.244.1.1/24 dev cni0; ip addr del 10.244.9.1/24 dev cni0", "" },
	{ bridge_route, DOCTOR_FAIL, "bridge.route", "cni0",
	  "ip route replace 10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1", "" },
	{ leaked, DOCTOR_WARN, "ipam.lease", "/var/lib/cni/x", "rm -f /var/lib/cni/x", "" },
	{ gone, DOCTOR_WARN, "cni.result", "default/client",
	  "rm -f '/var/lib/cni/results/it'\\''s'", " ipam.lease " },
	{ full_table, DOCTOR_FAIL, "conntrack.table", "connections tracked", "sysctl -w", "" },
	{ small_table, DOCTOR_OK, "", "", "", "" },
	{ short_line, DOCTOR_OK, "", "", "", "" },
	{ raced, DOCTOR_WARN, "conntrack.drops", "packets so far", "# insert_failed", "" },
	{ dropping, DOCTOR_WARN, "netfilter.drops", "ip t c handle 5", "nft -a list chain ip t c",
	  "" },
	{ drop_unused, DOCTOR_OK, "", "", "", "" },
	{ legacy, DOCTOR_SKIP, "netfilter.legacy", "iptables-legacy", "iptables-legacy -nvL", "" },
	{ filtering, DOCTOR_WARN, "bridge.vlan", "cni0",
	  "ip link set dev cni0 type bridge vlan_filtering 0", "" },
	{ other_backend, DOCTOR_WARN, "flannel.backend", "/c", "", "" },
	{ no_lease, DOCTOR_WARN, "pod.lease", "default/web", "# ", "" },
	{ subnet_full, DOCTOR_FAIL, "ipam.free", "10.244.1.1/24", "# the node has", "" },
	{ subnet_nearly_full, DOCTOR_WARN, "ipam.free", "10.244.1.1/24", "# the node has", "" },
	{ subnet_has_room, DOCTOR_OK, "", "", "", "" },
	{ policy, DOCTOR_WARN, "netfilter.policy", "ip filter FORWARD",
	  "iptables -P FORWARD ACCEPT", "" },
};

static void check_change(size_t i)
{
	const struct change *c = &changes[i];
	bool hit = c->status == DOCTOR_OK;
	struct doctor_report *r;
	char word[64];
	struct node n;

	node_init(&n);
	c->change(&n);
	r = run(&n);
	for (unsigned j = 0; j < r->n_checks; j++) {
		const struct doctor_check *k = &r->checks[j];

		if (k->status == DOCTOR_OK)
			continue;
		if (c->status != DOCTOR_OK && strcmp(k->id, c->id) == 0) {
			hit |= k->status == c->status && strcmp(k->object, c->object) == 0 &&
			       strncmp(k->advice, c->advice, strlen(c->advice)) == 0;
			continue;
		}
		snprintf(word, sizeof(word), " %s ", k->id);
		if (!strstr(c->also, word))
			fail_msg("change %zu (%s): also %s %s %s: %s", i, c->id,
				 doctor_status_name(k->status), k->id, k->object, k->found);
	}
	if (!hit) {
		for (unsigned j = 0; j < r->n_checks; j++) {
			if (r->checks[j].status != DOCTOR_OK)
				print_error("%s %s %s: %s; mend %s\n",
					    doctor_status_name(r->checks[j].status),
					    r->checks[j].id, r->checks[j].object,
					    r->checks[j].found, r->checks[j].advice);
		}
		fail_msg("change %zu: no %s of %s with that advice", i, c->id, c->object);
	}
	doctor_report_free(r);
	node_done(&n);
}

static void test_changes(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(changes); i++)
		check_change(i);
}

/* Where the entries lead: route, neighbour and FDB joined; what leads nowhere is left out. */
static void test_remotes(void **state)
{
	static struct model_net to;
	char text[PREFIX_STR_MAX];
	struct node n;

	(void)state;
	node_init(&n);
	doctor_remotes(&n.v, &to);
	assert_int_equal(to.n_remotes, 2);
	assert_string_equal(prefix_str(&to.remotes[0].pods, text), "10.244.2.0/24");
	assert_true(addr_eq(&to.remotes[0].node, &n.fdb[0].dst));
	assert_string_equal(prefix_str(&to.remotes[1].pods, text), "10.244.3.0/24");
	assert_true(addr_eq(&to.remotes[1].node, &n.fdb[1].dst));
	/* the better one of two routes to a subnet counts */
	add_route(&n, "10.244.2.0/24", "10.244.3.0", FLANNEL)->metric = 7;
	doctor_remotes(&n.v, &to);
	assert_int_equal(to.n_remotes, 2);
	assert_true(addr_eq(&to.remotes[0].node, &n.fdb[0].dst));
	no_fdb(&n);
	doctor_remotes(&n.v, &to);
	assert_int_equal(to.n_remotes, 1);
	assert_string_equal(prefix_str(&to.remotes[0].pods, text), "10.244.3.0/24");
	n.v.n_neighs = 0;
	doctor_remotes(&n.v, &to);
	assert_int_equal(to.n_remotes, 0);
	node_done(&n);
}

/* What came while packets were captured is told, what was there before is not told twice. */
static void test_find_new(void **state)
{
	struct doctor_report *before, *after;
	struct doctor_findings f = { 0 };
	struct node n;

	(void)state;
	node_init(&n);
	assert_int_equal(doctor_view_check_again(&n.v, &before), 0);
	no_fdb(&n);
	/* behind the sandbox: nothing can be opened, and nothing fails for that */
	n.v.sealed = true;
	assert_int_equal(doctor_view_check_again(&n.v, &after), 0);
	assert_int_equal(doctor_find_new(before, after, &f), 0);
	assert_int_equal(f.n, 1);
	assert_non_null(strstr(f.f[0].reason, "remote.fdb 10.244.2.0/24"));
	assert_non_null(strstr(f.f[0].reason, "(not so as the capture began)"));
	doctor_findings_free(&f);
	assert_int_equal(doctor_find_new(after, after, &f), 0);
	assert_int_equal(f.n, 0);
	doctor_report_free(before);
	doctor_report_free(after);
	node_done(&n);
}

/* So are files of /proc that were open before: one number anew, not what followed the old one. */
static void test_find_new_in_proc(void **state)
{
	struct doctor_kept kept = { .n = 0 };
	struct doctor_report *before, *after;
	struct doctor_findings f = { 0 };
	struct node n;

	(void)state;
	node_init(&n);
	n.v.kept = &kept;
	n.v.only = &n.pods[0];
	put(&n, "proc/sys/net/ipv4/ip_forward", "1234\n");
	assert_int_equal(doctor_view_check_again(&n.v, &before), 0);
	assert_true(kept.n > 3);
	n.v.sealed = true;
	put(&n, "proc/sys/net/ipv4/ip_forward", "0\n");
	put(&n, "proc/100/net/route", "Iface\n");
	assert_int_equal(doctor_view_check_again(&n.v, &after), 0);
	assert_int_equal(doctor_find_new(before, after, &f), 0);
	assert_int_equal(f.n, 2);
	assert_non_null(strstr(f.f[0].reason, "pod.route"));
	assert_non_null(strstr(f.f[1].reason, "sysctl.forwarding net.ipv4.ip_forward"));
	for (unsigned i = 0; i < kept.n; i++) {
		close(kept.f[i].fd);
		free(kept.f[i].path);
	}
	doctor_findings_free(&f);
	doctor_report_free(before);
	doctor_report_free(after);
	node_done(&n);
}

/* One pod asked for: only its checks, but conflicts with others are still seen. */
static void test_one_pod(void **state)
{
	unsigned pods = 0, failed = 0;
	struct doctor_report *r;
	struct node n;

	(void)state;
	node_init(&n);
	same_ip(&n);
	n.v.only = &n.pods[0];
	r = run(&n);
	for (unsigned i = 0; i < r->n_checks; i++) {
		if (strncmp(r->checks[i].id, "pod.", 4) != 0)
			continue;
		assert_string_equal(r->checks[i].object, "default/web");
		pods++;
		failed += r->checks[i].status == DOCTOR_FAIL;
	}
	assert_true(pods > 5);
	assert_int_equal(failed, 1);
	doctor_report_free(r);
	node_done(&n);
}

/* Old kernels have the checksum fault; the boundary is 5.7. */
static void test_kernel_versions(void **state)
{
	static const struct {
		unsigned major, minor;
		bool old;
	} cases[] = {
		{ 3, 10, true }, { 4, 19, true }, { 5, 6, true }, { 5, 7, false }, { 6, 0, false }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct doctor_report *r;
		struct node n;

		node_init(&n);
		n.v.kernel_major = cases[i].major;
		n.v.kernel_minor = cases[i].minor;
		/* no device of that name here, so that the feature cannot be read */
		strcpy(n.links[1].name, "flannel.77");
		n.links[1].vni = 77;
		r = run(&n);
		for (unsigned j = 0; j < r->n_checks; j++) {
			if (strcmp(r->checks[j].id, "offload.checksum") == 0)
				assert_int_equal(r->checks[j].status,
						 cases[i].old ? DOCTOR_SKIP : DOCTOR_OK);
		}
		doctor_report_free(r);
		node_done(&n);
	}
}

/* ------------------------------------------------------------------------ files */

static void test_files(void **state)
{
	char uid[] = "u", path[128];
	struct chain_pod flanneld = { .uid = uid, .host_network = true };
	struct chain chain = { .pods = &flanneld, .n_pods = 1 };
	struct doctor_view v = { .root = -1, .proc = -1, .chain = &chain };
	struct err err = ERR_INIT;
	struct node n;
	struct buf b;

	(void)state;
	node_init(&n);
	put(&n, "run/flannel/subnet.env", "FLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\n");
	put(&n, "etc/cni/net.d/20-other.conflist", "{\"plugins\":[{\"type\":\"flannel\"}]}");
	put(&n, "etc/cni/net.d/10-flannel.conflist",
	    "{\"plugins\":[{\"type\":\"flannel\",\"delegate\":{\"hairpinMode\":true}}]}");
	put(&n, "etc/cni/net.d/05-not.txt", "{\"plugins\":[{\"type\":\"flannel\"}]}");
	put(&n, "var/lib/cni/networks/cbr0/10.244.1.5", "abc\r\neth0");
	put(&n, "var/lib/cni/networks/cbr0/fd00::5", "def");
	put(&n, "var/lib/cni/networks/cbr0/last_reserved_ip.0", "10.244.1.5");
	put(&n, "var/lib/cni/networks/cbr0/lock", "");
	put(&n, "var/lib/kubelet/pods/u/volumes/kubernetes.io~configmap/flannel-cfg/net-conf.json",
	    "{\"Backend\":{\"Type\":\"vxlan\",\"Port\":8473}}");
	put(&n, "proc/sys/kernel/osrelease", "5.4.0-generic\n");
	put(&n, "secret", "outside\n");
	assert_int_equal(doctor_files_open(&v, n.dir, &err), 0);
	assert_int_equal(doctor_files_read(&v), 0);
	assert_int_equal(v.env_rc, 0);
	assert_int_equal(v.env.mtu, 1450);
	assert_string_equal(v.cni_conf, "/etc/cni/net.d/10-flannel.conflist");
	assert_true(v.cni_hairpin);
	assert_int_equal(v.n_leases, 2);
	for (unsigned i = 0; i < v.n_leases; i++)
		assert_string_equal(v.leases[i].id, addr_is_v4(&v.leases[i].ip) ? "abc" : "def");
	assert_int_equal(v.conf.port, 8473);
	assert_int_equal(v.kernel_major * 100 + v.kernel_minor, 504);

	/* an absolute link stays inside the root, a pipe is no file */
	buf_init(&b, 64);
	snprintf(path, sizeof(path), "%s/link", n.dir);
	assert_int_equal(symlink("/secret", path), 0);
	assert_int_equal(doctor_file_read(&v, "/link", &b), 0);
	assert_string_equal(buf_str(&b), "outside\n");
	assert_int_equal(doctor_file_read(&v, "/nosuch", &b), -ENOENT);
	snprintf(path, sizeof(path), "%s/pipe", n.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(doctor_file_read(&v, "/pipe", &b), -EINVAL);
	put(&n, "large", "0123456789012345678901234567890123456789012345678901234567890123456789");
	assert_int_equal(doctor_file_read(&v, "/large", &b), -EFBIG);
	buf_done(&b);
	doctor_view_done(&v);
	node_done(&n);
}

/* -------------------------------------------------------------------- counters */

static int collect(void *arg, const struct doctor_counter *c, uint64_t moved)
{
	struct buf *b = arg;

	buf_addf(b, "%s/%s/%s+%llu ", c->group, c->object, c->name, (unsigned long long)moved);
	return 0;
}

static int stop(void *arg, const struct doctor_counter *c, uint64_t moved)
{
	(void)c;
	(void)moved;
	return ++*(int *)arg == 2 ? -ECANCELED : 0;
}

static void test_counters_diff(void **state)
{
	struct doctor_counter a[] = {
		{ "ip", "", "ForwDatagrams", DOCTOR_COUNTER_TRAFFIC, 5 },
		{ "link", "eth0", "rx_dropped", DOCTOR_COUNTER_DROP, 7 },
		{ "link", "gone", "rx_dropped", DOCTOR_COUNTER_DROP, 7 },
		{ "link", "new", "rx_dropped", DOCTOR_COUNTER_DROP, 9 },
		{ "nft", "t", "drop", DOCTOR_COUNTER_DROP, 1 },
		{ "softnet", "cpu0", "dropped", DOCTOR_COUNTER_DROP, UINT32_MAX - 2 },
		{ "softnet", "cpu1", "dropped", DOCTOR_COUNTER_DROP, 8 },
	}, b[] = {
		{ "conntrack", "", "entries", DOCTOR_COUNTER_GAUGE, 99 },
		{ "ip", "", "ForwDatagrams", DOCTOR_COUNTER_TRAFFIC, 8 },
		{ "link", "eth0", "rx_dropped", DOCTOR_COUNTER_DROP, 7 },
		{ "link", "new", "rx_dropped", DOCTOR_COUNTER_DROP, 2 },
		{ "nft", "t", "drop", DOCTOR_COUNTER_DROP, 138 },
		{ "nft", "u", "drop", DOCTOR_COUNTER_DROP, 4 },
		{ "softnet", "cpu0", "dropped", DOCTOR_COUNTER_DROP, 4 },
		{ "softnet", "cpu1", "dropped", DOCTOR_COUNTER_DROP, 8 },
	};
	struct doctor_counters before = { a, COUNT(a) }, after = { b, COUNT(b) },
			       none = { NULL, 0 };
	struct buf out;
	int calls = 0;

	(void)state;
	buf_init(&out, 4096);
	assert_int_equal(doctor_counters_diff(&before, &after, collect, &out), 0);
	assert_string_equal(buf_str(&out), "ip//ForwDatagrams+3 link/new/rx_dropped+2 "
					   "nft/t/drop+137 nft/u/drop+4 "
					   "softnet/cpu0/dropped+7 ");
	buf_clear(&out);
	assert_int_equal(doctor_counters_diff(&after, &after, collect, &out), 0);
	assert_string_equal(buf_str(&out), "");
	assert_int_equal(doctor_counters_diff(&before, &none, collect, &out), 0);
	assert_int_equal(doctor_counters_diff(&none, &after, stop, &calls), -ECANCELED);
	assert_int_equal(calls, 2);
	buf_done(&out);
}

/* This machine's own, read only: sorted, each name once, the loopback among them. */
static void test_counters_read(void **state)
{
	struct doctor_counters *c = NULL;
	struct err err = ERR_INIT;
	bool lo = false, ip_layer = false;

	(void)state;
	if (doctor_counters_read(NULL, &c, &err) != 0) {
		print_message("skipped: %s\n", err.text);
		skip();
	}
	for (unsigned i = 0; i < c->n; i++) {
		lo |= strcmp(c->c[i].object, "lo") == 0 && strcmp(c->c[i].name, "rx_packets") == 0;
		ip_layer |= strcmp(c->c[i].group, "ip") == 0 &&
			    strcmp(c->c[i].name, "ForwDatagrams") == 0;
		if (i) {
			int order = strcmp(c->c[i - 1].group, c->c[i].group);

			if (!order)
				order = strcmp(c->c[i - 1].object, c->c[i].object);
			if (!order)
				order = strcmp(c->c[i - 1].name, c->c[i].name);
			assert_true(order < 0);
		}
		if (c->c[i].kind == DOCTOR_COUNTER_DROP)
			assert_string_not_equal(doctor_counter_meaning(&c->c[i]), "");
	}
	assert_true(lo);
	assert_true(ip_layer);
	doctor_counters_free(c);
}

/* ---------------------------------------------------------------------- reports */

static void print_both(const struct doctor_report *r, bool verbose, char **ret_text,
		       char **ret_json)
{
	struct report_style style = { .verbose = verbose };
	size_t n;
	FILE *f;

	f = open_memstream(ret_text, &n);
	assert_int_equal(report_doctor_text(f, r, &style), 0);
	fclose(f);
	f = open_memstream(ret_json, &n);
	assert_int_equal(report_doctor_json(f, r, false), 0);
	fclose(f);
}

static void test_report(void **state)
{
	struct doctor_check checks[] = {
		{ "vtep.state", DOCTOR_OK, "flannel.1", "up", "up", "" },
		{ "pod.veth", DOCTOR_WARN, "default/\033[31mweb", "a host veth", "none", "" },
		{ "netfilter.drops", DOCTOR_SKIP, "nftables", "none", "not read", "" },
		{ "remote.fdb", DOCTOR_FAIL, "10.244.2.0/24", "an entry", "none",
		  "bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst 192.168.77.12 self "
		  "permanent  # a line that is longer than the screen is wide" },
	};
	struct doctor_report r = { .node = (char *)(uintptr_t) "node1",
				   .checks = checks,
				   .n_checks = COUNT(checks),
				   .n = { 0, 1, 1, 1, 1 } };
	char *text, *json;

	(void)state;
	print_both(&r, false, &text, &json);
	assert_string_equal(
		text,
		"FAIL  remote.fdb          10.244.2.0/24\n"
		"      expected  an entry\n"
		"      found     none\n"
		"      mend      bridge fdb replace 02:00:0a:f4:02:00 dev flannel.1 dst "
		"192.168.77.12 self permanent  # a line that is longer than the screen is wide\n"
		"\n"
		"warn  pod.veth            default/\\x1b[31mweb\n"
		"      expected  a host veth\n"
		"      found     none\n"
		"\n"
		"node1: 1 of 3 checks failed, 1 warning, 1 skipped\n");
	assert_null(strchr(json, '\033'));
	assert_non_null(strstr(json, "\"schema\": \"podhop.doctor/1\""));
	assert_non_null(strstr(json, "\"advice\": null"));
	free(text);
	free(json);

	r.n_checks = 1;
	memset(r.n, 0, sizeof(r.n));
	r.n[DOCTOR_OK] = 1;
	print_both(&r, false, &text, &json);
	assert_string_equal(text, "node1: 1 check passed\n");
	free(text);
	free(json);
	print_both(&r, true, &text, &json);
	assert_string_equal(text, "ok    vtep.state          flannel.1  up\n\n"
				  "node1: 1 check passed\n");
	free(text);
	free(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_env),
		cmocka_unit_test(test_conf),
		cmocka_unit_test(test_cni),
		cmocka_unit_test(test_prefix_base),
		cmocka_unit_test(test_healthy),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_report_outlives_view),
		cmocka_unit_test(test_remotes),
		cmocka_unit_test(test_find_new),
		cmocka_unit_test(test_find_new_in_proc),
		cmocka_unit_test(test_one_pod),
		cmocka_unit_test(test_kernel_versions),
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_counters_diff),
		cmocka_unit_test(test_counters_read),
		cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
