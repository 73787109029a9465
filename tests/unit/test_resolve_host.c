/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_host.c - the host's side of a chain, and a chain as hops.
 *
 * The node is given as netlink would show it; no socket is open.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/resolve/resolve_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A flannel node with two address families, docker's bridge and a VXLAN device nobody uses. */
enum { LO = 1, ETH0, FLANNEL, CNI0, VETH, FLANNEL6, DOCKER0, STRAY, PTP, ETH1, DOCKVETH };

static struct resolve_link link_of(uint32_t index, const char *name, const char *kind)
{
	struct resolve_link l = { .target_nsid = -1 };

	l.l.ifindex = index;
	strcpy(l.l.name, name);
	strcpy(l.l.kind, kind);
	l.l.link_netnsid = -1;
	l.l.port_state = -1;
	l.l.mtu = 1500;
	l.l.flags = IFF_UP;
	return l;
}

static struct addr ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static struct resolve_route route(const char *dst, uint32_t table, uint8_t type, uint32_t oif)
{
	struct resolve_route r = { .table = table, .type = type, .oif = oif };

	assert_int_equal(prefix_parse(dst, &r.dst), 0);
	r.v6 = !addr_is_v4(&r.dst.addr);
	return r;
}

static int setup(void **state)
{
	struct resolve *r = calloc(1, sizeof(*r));
	struct resolve_link links[] = {
		link_of(LO, "lo", ""),
		link_of(ETH0, "ens3", ""),
		link_of(FLANNEL, "flannel.1", "vxlan"),
		link_of(CNI0, "cbr7", "bridge"),
		link_of(VETH, "veth01", "veth"),
		link_of(FLANNEL6, "flannel-v6.1", "vxlan"),
		link_of(DOCKER0, "docker0", "bridge"),
		link_of(STRAY, "vxlan.calico", "vxlan"),
		link_of(PTP, "veth02", "veth"),
		link_of(ETH1, "ens4", ""),
		link_of(DOCKVETH, "veth03", "veth"),
	};
	struct resolve_ifaddr addrs[] = {
		{ .ifindex = ETH0 },
		{ .ifindex = FLANNEL },
		{ .ifindex = CNI0 },
		{ .ifindex = ETH0 },
	};
	struct resolve_route routes[] = {
		route("0.0.0.0/0", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		route("0.0.0.0/0", RT_TABLE_MAIN, RTN_UNICAST, ETH0),
		route("10.244.1.0/24", RT_TABLE_MAIN, RTN_UNICAST, CNI0),
		route("10.244.2.0/24", RT_TABLE_MAIN, RTN_UNICAST, FLANNEL),
		route("10.244.3.0/24", RT_TABLE_MAIN, RTN_UNICAST, ETH0),
		route("10.244.0.0/16", RT_TABLE_MAIN, RTN_BLACKHOLE, 0),
		route("10.9.0.7/32", RT_TABLE_MAIN, RTN_UNICAST, PTP),
		route("172.17.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, DOCKER0),
		route("fd00:2::/64", RT_TABLE_MAIN, RTN_UNICAST, FLANNEL6),
		route("fe80::/64", RT_TABLE_MAIN, RTN_UNICAST, ETH0),
		route("10.244.2.9/32", RT_TABLE_MAIN, RTN_UNICAST, FLANNEL), /* a PMTU exception */
		route("192.168.0.1/32", RT_TABLE_LOCAL, RTN_LOCAL, ETH0),
		route("192.168.0.255/32", RT_TABLE_LOCAL, RTN_BROADCAST, ETH0),
		route("10.10.0.0/16", 1000, RTN_UNICAST, ETH0), /* policy routing */
	};

	if (!r)
		return -1;
	strcpy(r->node, "n1");
	routes[0].metric = 200;
	routes[1].metric = 100;
	routes[3].mtu = 1400;
	routes[4].gw = ip("192.168.0.3");
	routes[10].flags = RTM_F_CLONED;
	links[0].l.flags |= IFF_LOOPBACK;
	links[2].vxlan_vni = links[5].vxlan_vni = 1;
	links[2].vxlan_port = links[5].vxlan_port = 8472;
	links[2].vxlan_link = links[5].vxlan_link = ETH0;
	links[2].vxlan_local = ip("192.168.0.1");
	links[2].l.mtu = 1450;
	links[5].vxlan_v6 = true;
	links[7].vxlan_vni = 4096;
	links[7].vxlan_port = 4789;
	links[7].vxlan_link = ETH1;
	links[4].l.master = CNI0;
	links[4].l.link_netnsid = 3;
	links[4].l.iflink = 2;
	links[8].l.link_netnsid = 4;
	links[10].l.master = DOCKER0;
	links[10].l.link_netnsid = 5;
	assert_int_equal(prefix_parse("192.168.0.1/24", &addrs[0].prefix), 0);
	assert_int_equal(prefix_parse("10.244.1.0/32", &addrs[1].prefix), 0);
	assert_int_equal(prefix_parse("10.244.1.1/24", &addrs[2].prefix), 0);
	assert_int_equal(prefix_parse("fd00::1/64", &addrs[3].prefix), 0);
	r->links = malloc(sizeof(links));
	r->addrs = malloc(sizeof(addrs));
	r->routes = malloc(sizeof(routes));
	if (!r->links || !r->addrs || !r->routes)
		return -1;
	memcpy(r->links, links, sizeof(links));
	memcpy(r->addrs, addrs, sizeof(addrs));
	memcpy(r->routes, routes, sizeof(routes));
	r->n_links = COUNT(links);
	r->n_addrs = COUNT(addrs);
	r->n_routes = COUNT(routes);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct resolve *r = *state;

	free(r->links);
	free(r->addrs);
	free(r->routes);
	free(r);
	return 0;
}

/* A chain of n pods that all hang on veth01. */
static struct chain *chain_of(struct resolve *r, unsigned n)
{
	struct chain *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->pods = calloc(n, sizeof(*c->pods));
	assert_non_null(c->pods);
	c->n_pods = n;
	for (unsigned i = 0; i < n; i++) {
		struct chain_pod *p = &c->pods[i];

		p->namespace_ = strdup("default");
		p->name = strdup("web");
		p->uid = strdup("");
		p->runtime = strdup("");
		p->netns_path = strdup("");
		p->problem = strdup("");
		p->ips = calloc(1, sizeof(*p->ips));
		p->interfaces = calloc(1, sizeof(*p->interfaces));
		assert_non_null(p->ips);
		assert_non_null(p->interfaces);
		p->ips[0] = ip("10.244.1.5");
		p->n_ips = 1;
		p->n_interfaces = 1;
		p->interfaces[0].link.mac.b[5] = 9;
		p->interfaces[0].bridge_ifindex = CNI0;
		strcpy(p->interfaces[0].bridge, "cbr7");
		assert_int_equal(resolve_host_copy(r, resolve_host_link(r, VETH),
						   &p->interfaces[0].host_veth),
				 0);
		p->interfaces[0].host_veth.ifindex = VETH + 1000 * i;
	}
	assert_int_equal(resolve_host_fill(r, c), 0);
	return c;
}

static void test_fill(void **state)
{
	static const struct {
		const char *dst;
		enum model_route_kind kind;
		uint32_t mtu, ifindex;
	} want[] = {
		{ "0.0.0.0/0", MODEL_ROUTE_DIRECT, 1500, ETH0 },
		{ "10.244.1.0/24", MODEL_ROUTE_LOCAL, 1500, CNI0 },
		{ "10.244.2.0/24", MODEL_ROUTE_VTEP, 1400, FLANNEL },
		{ "10.244.3.0/24", MODEL_ROUTE_DIRECT, 1500, ETH0 },
		{ "10.244.0.0/16", MODEL_ROUTE_BLACKHOLE, 0, 0 },
		{ "10.9.0.7/32", MODEL_ROUTE_LOCAL, 1500, PTP },
		{ "172.17.0.0/16", MODEL_ROUTE_LOCAL, 1500, DOCKER0 },
		{ "fd00:2::/64", MODEL_ROUTE_VTEP, 1500, FLANNEL6 },
		{ "192.168.0.1/32", MODEL_ROUTE_NODE, 1500, ETH0 },
	};
	struct chain *c = chain_of(*state, 1);
	char text[PREFIX_STR_MAX];

	assert_string_equal(c->host.node, "n1");
	assert_int_equal(c->host.n_bridges, 1);
	assert_string_equal(c->host.bridges[0].name, "cbr7");
	assert_int_equal(c->host.bridges[0].n_addrs, 1);
	/* IPv4 first, then by index; the unused one is a fact too */
	assert_int_equal(c->host.n_vteps, 3);
	assert_string_equal(c->host.vteps[0].link.name, "flannel.1");
	assert_string_equal(c->host.vteps[1].link.name, "vxlan.calico");
	assert_string_equal(c->host.vteps[2].link.name, "flannel-v6.1");
	assert_int_equal(c->host.vteps[2].family, 6);
	assert_int_equal(c->host.vteps[0].underlay_ifindex, ETH0);
	/* one underlay for both families */
	assert_int_equal(c->host.n_underlays, 2);
	assert_string_equal(c->host.underlays[0].name, "ens3");
	assert_int_equal(c->host.underlays[0].n_addrs, 2);
	assert_int_equal(c->host.n_routes, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_string_equal(prefix_str(&c->host.routes[i].dst, text), want[i].dst);
		assert_int_equal(c->host.routes[i].kind, want[i].kind);
		assert_int_equal(c->host.routes[i].mtu, want[i].mtu);
		assert_int_equal(c->host.routes[i].ifindex, want[i].ifindex);
	}
	chain_free(c);
}

static void test_routes(void **state)
{
	static const struct {
		const char *ip;
		uint32_t oif;
	} rows[] = {
		{ "10.244.1.9", CNI0 },	   { "10.244.2.9", FLANNEL }, { "10.244.3.9", ETH0 },
		{ "10.244.200.1", 0 },	   { "8.8.8.8", ETH0 },	      { "192.168.0.1", ETH0 },
		{ "fd00:2::9", FLANNEL6 }, { "10.10.0.1", ETH0 },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct addr a = ip(rows[i].ip);
		const struct resolve_route *rt = resolve_host_route(*state, &a);

		assert_non_null(rt);
		assert_int_equal(rt->oif, rows[i].oif);
	}
	{
		struct addr a = ip("2001:db8::1");

		assert_null(resolve_host_route(*state, &a));
	}
}

static void test_net(void **state)
{
	static const struct {
		enum model_role role;
		const char *name;
		int pod;
		uint32_t vni;
		uint16_t port;
	} want[] = {
		{ MODEL_ROLE_VETH, "veth01", 0, 0, 0 },
		{ MODEL_ROLE_BRIDGE, "cbr7", -1, 0, 0 },
		{ MODEL_ROLE_VTEP, "flannel.1", -1, 1, 8472 },
		{ MODEL_ROLE_VTEP, "flannel-v6.1", -1, 1, 8472 },
		{ MODEL_ROLE_UNDERLAY, "ens3", -1, 1, 8472 },
	};
	struct chain *c = chain_of(*state, 1);
	struct err err = ERR_INIT;
	struct model_net *net = calloc(1, sizeof(*net));

	assert_non_null(net);
	assert_int_equal(resolve_net(c, net, &err), 0);
	assert_string_equal(net->node, "n1");
	assert_int_equal(net->n_hops, COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_int_equal(net->hops[i].role, want[i].role);
		assert_string_equal(net->hops[i].name, want[i].name);
		assert_int_equal(net->hops[i].pod, want[i].pod);
		assert_int_equal(net->hops[i].vni, want[i].vni);
		assert_int_equal(net->hops[i].vxlan_port, want[i].port);
		assert_int_equal(net->hops[i].linktype, MODEL_LINKTYPE_ETHERNET);
	}
	assert_int_equal(net->n_pods, 1);
	assert_int_equal(net->pods[0].mac.b[5], 9);
	assert_int_equal(net->n_vxlan_ports, 1);
	assert_true(net->routes_known);
	assert_int_equal(net->n_routes, c->host.n_routes);
	free(net->routes);
	chain_free(c);

	/* more pods than one run can hold: refused, output untouched */
	memset(net, 0x5a, sizeof(*net));
	c = chain_of(*state, MODEL_PODS_MAX + 1);
	assert_int_equal(resolve_net(c, net, &err), -E2BIG);
	assert_int_equal(err.class, ERR_USAGE);
	for (size_t i = 0; i < sizeof(*net); i++)
		assert_int_equal(((const uint8_t *)net)[i], 0x5a);
	free(net);
	chain_free(c);
}

/* No overlay: the way out of the node is the underlay. */
static void test_no_vxlan(void **state)
{
	struct resolve *r = *state;
	struct model_net *net = calloc(1, sizeof(*net));
	struct chain *c;

	assert_non_null(net);
	for (unsigned i = 0; i < r->n_links; i++) {
		if (strcmp(r->links[i].l.kind, "vxlan") == 0)
			r->links[i].l.kind[0] = 0;
	}
	c = chain_of(r, 1);
	assert_int_equal(c->host.n_vteps, 0);
	assert_int_equal(c->host.n_underlays, 1);
	assert_string_equal(c->host.underlays[0].name, "ens3");
	assert_int_equal(resolve_net(c, net, NULL), 0);
	assert_int_equal(net->n_hops, 3);
	assert_int_equal(net->hops[2].role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(net->n_vxlan_ports, 0);
	free(net->routes);
	free(net);
	chain_free(c);
}

/* A VXLAN device that names no lower one: its own address, then the way out of the node. */
static void test_underlay_guess(void **state)
{
	struct resolve *r = *state;
	struct resolve_link *flannel = &r->links[FLANNEL - 1];
	const struct resolve_link *vtep;

	for (unsigned i = 0; i < r->n_links; i++) {
		if (&r->links[i] != flannel && strcmp(r->links[i].l.kind, "vxlan") == 0)
			r->links[i].l.kind[0] = 0;
	}
	flannel->vxlan_link = 0;
	vtep = resolve_host_vtep_over(r, ETH0);
	assert_ptr_equal(vtep, flannel);
	assert_null(resolve_host_vtep_over(r, ETH1));
	assert_null(resolve_host_vtep_over(r, 99));
	/* an address that no device has: the default route of the smaller metric */
	flannel->vxlan_local = ip("192.168.99.99");
	assert_ptr_equal(resolve_host_vtep_over(r, ETH0), flannel);
	r->routes[0].metric = 50;
	assert_ptr_equal(resolve_host_vtep_over(r, ETH1), flannel);
	assert_null(resolve_host_vtep_over(r, ETH0));
	/* IPv4's before IPv6's, whatever the metric; blackholes and other tables lead nowhere */
	r->routes[0] = route("::/0", RT_TABLE_MAIN, RTN_UNICAST, ETH1);
	flannel->vxlan_local = (struct addr){ { 0 } };
	assert_ptr_equal(resolve_host_vtep_over(r, ETH0), flannel);
	r->routes[1].oif = 0;
	assert_ptr_equal(resolve_host_vtep_over(r, ETH1), flannel);
	r->routes[0].type = RTN_BLACKHOLE;
	assert_null(resolve_host_vtep_over(r, ETH1));
	r->routes[0].type = RTN_UNICAST;
	r->routes[0].table = 1000;
	assert_null(resolve_host_vtep_over(r, ETH1));
}

/* Routes of every other kind, and those that another one hides. */
static void test_route_kinds(void **state)
{
	static const struct {
		const char *dst;
		enum model_route_kind kind;
	} want[] = {
		{ "10.1.0.0/16", MODEL_ROUTE_UNKNOWN },
		{ "10.2.0.0/16", MODEL_ROUTE_NODE },
		{ "10.3.0.0/16", MODEL_ROUTE_BLACKHOLE },
		{ "10.4.0.0/16", MODEL_ROUTE_BLACKHOLE },
		{ "10.5.0.0/16", MODEL_ROUTE_DIRECT },
		{ "10.6.0.0/16", MODEL_ROUTE_DIRECT },
		{ "10.7.0.0/16", MODEL_ROUTE_LOCAL },
		{ "10.8.0.0/16", MODEL_ROUTE_VTEP },
	};
	struct resolve_route routes[] = {
		route("10.1.0.0/16", RT_TABLE_MAIN, RTN_THROW, 0),
		route("10.2.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, LO),
		route("10.3.0.0/16", RT_TABLE_MAIN, RTN_PROHIBIT, 0),
		route("10.4.0.0/16", RT_TABLE_MAIN, RTN_UNREACHABLE, 0),
		route("10.5.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		/* a bridge that no pod hangs on is like any other device */
		route("10.6.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, DOCKER0),
		/* a bridge of pods that are not asked for */
		route("10.7.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, CNI0),
		/* the first of two of equal metric; the local table's before both */
		route("10.8.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, FLANNEL),
		route("10.8.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		route("10.9.0.1/32", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		route("10.9.0.1/32", RT_TABLE_LOCAL, RTN_BROADCAST, ETH1),
		route("10.9.0.2/32", RT_TABLE_LOCAL, RTN_UNICAST, ETH1),
		route("10.9.0.3/32", RT_TABLE_MAIN, RTN_MULTICAST, ETH1),
		route("10.9.0.4/32", RT_TABLE_MAIN, RTN_ANYCAST, ETH1),
		route("10.9.0.5/32", 77, RTN_UNICAST, ETH1),
	};
	struct resolve *r = *state;
	struct chain *c = calloc(1, sizeof(*c));
	char text[PREFIX_STR_MAX];

	assert_non_null(c);
	/* underlays would make any route through them direct */
	for (unsigned i = 0; i < r->n_links; i++) {
		if (strcmp(r->links[i].l.kind, "vxlan") == 0)
			r->links[i].vxlan_link = ETH0;
	}
	r->links[DOCKVETH - 1].l.link_netnsid = -1;
	memcpy(r->links[CNI0 - 1].l.kind, "openvswitch", sizeof("openvswitch"));
	free(r->routes);
	r->routes = malloc(sizeof(routes));
	assert_non_null(r->routes);
	memcpy(r->routes, routes, sizeof(routes));
	r->n_routes = COUNT(routes);
	r->routes[9].metric = 1;
	assert_int_equal(resolve_host_fill(r, c), 0);
	assert_int_equal(c->host.n_routes, COUNT(want) + 1);
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_string_equal(prefix_str(&c->host.routes[i].dst, text), want[i].dst);
		assert_int_equal(c->host.routes[i].kind, want[i].kind);
	}
	assert_string_equal(prefix_str(&c->host.routes[COUNT(want)].dst, text), "10.9.0.1/32");
	chain_free(c);
}

/* A local route hides the main table's of the same prefix, a smaller metric the larger. */
static void test_shadowed(void **state)
{
	struct resolve *r = *state;
	struct chain *c = calloc(1, sizeof(*c));
	struct resolve_route routes[] = {
		route("10.1.0.1/32", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		route("10.1.0.1/32", RT_TABLE_LOCAL, RTN_LOCAL, ETH0),
		route("10.2.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, ETH1),
		route("10.2.0.0/16", RT_TABLE_MAIN, RTN_UNICAST, ETH0),
	};

	assert_non_null(c);
	free(r->routes);
	r->routes = malloc(sizeof(routes));
	assert_non_null(r->routes);
	memcpy(r->routes, routes, sizeof(routes));
	r->n_routes = COUNT(routes);
	r->routes[2].metric = 7;
	assert_int_equal(resolve_host_fill(r, c), 0);
	assert_int_equal(c->host.n_routes, 2);
	assert_int_equal(c->host.routes[0].kind, MODEL_ROUTE_NODE);
	assert_int_equal(c->host.routes[1].ifindex, ETH0);
	chain_free(c);
}

/* No route into it: a VXLAN device with an address matters more than one without. */
static void test_net_weights(void **state)
{
	struct resolve *r = *state;
	struct model_net *net = calloc(1, sizeof(*net));
	struct chain *c;

	assert_non_null(net);
	r->n_routes = 1;
	r->links[FLANNEL6 - 1].vxlan_port = 0;
	c = chain_of(r, 1);
	/* its veth twice, and an interface without one */
	c->pods[0].interfaces = realloc(c->pods[0].interfaces, 3 * sizeof(*c->pods[0].interfaces));
	assert_non_null(c->pods[0].interfaces);
	c->pods[0].interfaces[1] = c->pods[0].interfaces[0];
	c->pods[0].interfaces[1].host_veth.addrs = NULL;
	c->pods[0].interfaces[1].host_veth.n_addrs = 0;
	c->pods[0].interfaces[2] = (struct chain_interface){ .bridge_ifindex = 0 };
	c->pods[0].n_interfaces = 3;
	free(c->host.node);
	c->host.node = NULL;
	assert_int_equal(resolve_net(c, net, NULL), 0);
	assert_string_equal(net->node, "");
	assert_int_equal(net->n_hops, 4);
	assert_string_equal(net->hops[2].name, "flannel.1");
	assert_string_equal(net->hops[3].name, "ens3");
	assert_int_equal(net->n_vxlan_ports, 1);
	free(net->routes);
	/* nothing known of routes; no device matters: all count; two have one underlay and port */
	c->host.n_routes = 0;
	for (unsigned i = 0; i < c->host.n_vteps; i++)
		c->host.vteps[i].link.n_addrs = 0;
	assert_int_equal(resolve_net(c, net, NULL), 0);
	assert_null(net->routes);
	assert_false(net->routes_known);
	assert_int_equal(net->n_hops, 2 + 3 + 2);
	assert_int_equal(net->n_vxlan_ports, 2);
	chain_free(c);
	free(net);
}

/* A hop more than one run can hold, whatever it is. */
static void test_net_full(void **state)
{
	struct model_net *net = calloc(1, sizeof(*net));
	struct err err = ERR_INIT;
	struct resolve *r = *state;

	assert_non_null(net);
	/* so many veths that over - 1 of the host's four hops do not fit, at last a veth neither */
	for (unsigned over = 1; over <= 6; over++) {
		struct chain *c = chain_of(r, 1);
		struct chain_pod *p = &c->pods[0];
		unsigned n = MODEL_HOPS_MAX - 5 + over;

		p->interfaces = realloc(p->interfaces, n * sizeof(*p->interfaces));
		assert_non_null(p->interfaces);
		for (unsigned i = 1; i < n; i++) {
			p->interfaces[i] = p->interfaces[0];
			p->interfaces[i].host_veth.addrs = NULL;
			p->interfaces[i].host_veth.n_addrs = 0;
			p->interfaces[i].host_veth.ifindex = 1000 + i;
		}
		p->n_interfaces = n;
		err_clear(&err);
		assert_int_equal(resolve_net(c, net, &err), over == 1 ? 0 : -E2BIG);
		if (over == 1)
			free(net->routes);
		else
			assert_non_null(strstr(err.text, "too many pods for one run"));
		chain_free(c);
	}
	free(net);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_fill),
		CASE(test_routes),
		CASE(test_net),
		CASE(test_no_vxlan),
		CASE(test_underlay_guess),
		CASE(test_route_kinds),
		CASE(test_shadowed),
		CASE(test_net_weights),
		CASE(test_net_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
