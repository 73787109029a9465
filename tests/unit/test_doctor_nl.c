/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doctor_nl.c - what doctor makes of the kernel's netlink messages and counter files.
 *
 * Messages are built here: as the kernel sends them, then cut, too long, of a wrong type.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "../../src/doctor/counters.h"
#include "../../src/doctor/doctor_priv.h"
#include "nl_message.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NEW_CHAIN (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN)
#define NEW_RULE (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE)

static const uint8_t V4[4] = { 10, 244, 1, 1 };
static const uint8_t V6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
static const uint8_t MAC[6] = { 2, 0x42, 10, 244, 1, 1 };

static void assert_addr(const struct addr *a, const char *want)
{
	char text[ADDR_STR_MAX];

	assert_string_equal(addr_str(a, text), want);
}

/*
 * A message that is good is refused as one of another type and with its fixed header cut, and no
 * cut behind that reads past its end (each is a heap block of its own: the sanitizers see).
 */
static void assert_every_cut(const struct nl_message *good, size_t header,
			     int (*parse)(struct nlmsghdr *h, void *to), size_t size)
{
	void *to = malloc(size);

	assert_non_null(to);
	for (size_t n = NLMSG_HDRLEN; n <= good->len; n++) {
		uint8_t *copy = malloc(n);
		uint32_t len = (uint32_t)n;
		int rc;

		assert_non_null(copy);
		memcpy(copy, good->b, n);
		memcpy(copy, &len, sizeof(len));
		memset(to, 0, size);
		rc = parse((struct nlmsghdr *)(void *)copy, to);
		if (n < NLMSG_HDRLEN + header)
			assert_int_equal(rc, -EBADMSG);
		if (n == good->len) {
			uint16_t other = NLMSG_NOOP;

			assert_int_equal(rc, 0);
			memcpy(copy + offsetof(struct nlmsghdr, nlmsg_type), &other, sizeof(other));
			assert_int_equal(parse((struct nlmsghdr *)(void *)copy, to), -EBADMSG);
		}
		free(copy);
	}
	free(to);
}

/* -------------------------------------------------------------------- links */

static void begin_link(struct nl_message *m, int ifindex, const char *name)
{
	struct ifinfomsg ifi = { .ifi_index = ifindex, .ifi_flags = IFF_UP };

	nl_message_begin(m, RTM_NEWLINK, &ifi, sizeof(ifi));
	if (name)
		nl_message_str(m, IFLA_IFNAME, name);
}

static int link_of(struct nl_message *m, struct doctor_link *ret)
{
	memset(ret, 0, sizeof(*ret));
	return doctor_nl_parse_link(nl_message_hdr(m), ret);
}

static void test_link(void **state)
{
	struct doctor_link l;
	struct nl_message m;
	size_t info, port;

	(void)state;
	begin_link(&m, 7, "veth0a0eb08d");
	nl_message_u32(&m, IFLA_MTU, 1450);
	nl_message_u32(&m, IFLA_LINK, 2);
	nl_message_u32(&m, IFLA_LINK_NETNSID, 3);
	nl_message_u32(&m, IFLA_MASTER, 5);
	nl_message_put(&m, IFLA_ADDRESS, MAC, sizeof(MAC));
	nl_message_u32(&m, IFLA_MAX + 9, 1); /* of a kernel to come */
	info = nl_message_down(&m, IFLA_LINKINFO);
	nl_message_str(&m, IFLA_INFO_KIND, "veth");
	nl_message_str(&m, IFLA_INFO_SLAVE_KIND, "bridge");
	port = nl_message_down(&m, IFLA_INFO_SLAVE_DATA);
	nl_message_u8(&m, IFLA_BRPORT_STATE, BR_STATE_FORWARDING);
	nl_message_u8(&m, IFLA_BRPORT_MODE, 1);
	nl_message_u8(&m, IFLA_BRPORT_ISOLATED, 1);
	nl_message_up(&m, port);
	nl_message_up(&m, info);
	assert_int_equal(link_of(&m, &l), 0);
	assert_int_equal(l.ifindex, 7);
	assert_int_equal(l.flags, IFF_UP);
	assert_string_equal(l.name, "veth0a0eb08d");
	assert_string_equal(l.kind, "veth");
	assert_int_equal(l.mtu, 1450);
	assert_int_equal(l.iflink, 2);
	assert_int_equal(l.link_netnsid, 3);
	assert_int_equal(l.master, 5);
	assert_memory_equal(l.mac.b, MAC, sizeof(MAC));
	assert_true(l.is_port && l.hairpin && l.isolated);
	assert_int_equal(l.port_state, BR_STATE_FORWARDING);
	assert_every_cut(&m, sizeof(struct ifinfomsg), doctor_nl_parse_link, sizeof(l));
}

/* What a link does not say, or says at the wrong length, is zero or none; a name it must have. */
static void test_link_lacks(void **state)
{
	struct doctor_link l;
	struct nl_message m;

	(void)state;
	begin_link(&m, 1, "lo");
	assert_int_equal(link_of(&m, &l), 0);
	assert_int_equal(l.link_netnsid, -1);
	assert_true(l.mtu == 0 && l.master == 0 && l.iflink == 0 && mac_is_none(&l.mac));
	assert_true(l.kind[0] == 0 && !l.is_port && l.vni == 0 && !l.vlan_filtering);

	begin_link(&m, 1, "lo");
	nl_message_put(&m, IFLA_LINK_NETNSID, V4, 2);
	nl_message_put(&m, IFLA_MTU, V4, 3);
	nl_message_put(&m, IFLA_ADDRESS, V6, 8); /* not Ethernet's */
	assert_int_equal(link_of(&m, &l), 0);
	assert_int_equal(l.link_netnsid, -1);
	assert_true(l.mtu == 0 && mac_is_none(&l.mac));

	begin_link(&m, 0, "lo");
	assert_int_equal(link_of(&m, &l), -EBADMSG);
	begin_link(&m, -1, "lo");
	assert_int_equal(link_of(&m, &l), -EBADMSG);
	begin_link(&m, 1, NULL);
	assert_int_equal(link_of(&m, &l), -EBADMSG);
	begin_link(&m, 1, "");
	assert_int_equal(link_of(&m, &l), -EBADMSG);

	/* longer than a name can be, and without an end */
	begin_link(&m, 1, NULL);
	nl_message_put(&m, IFLA_IFNAME, "0123456789abcdefghij", 20);
	assert_int_equal(link_of(&m, &l), 0);
	assert_string_equal(l.name, "0123456789abcde");

	/* an attribute longer than what is left: what stands before it is right */
	begin_link(&m, 1, "eth0");
	nl_message_u32(&m, IFLA_MTU, 1500);
	nl_message_lie(&m, IFLA_LINK, 400, V4, sizeof(V4));
	nl_message_u32(&m, IFLA_MASTER, 9);
	assert_int_equal(link_of(&m, &l), 0);
	assert_int_equal(l.mtu, 1500);
	assert_true(l.iflink == 0 && l.master == 0);
}

static void vxlan_link(struct nl_message *m, unsigned local, const void *addr, size_t len)
{
	const uint16_t port = htons(8472);
	size_t info, data;

	begin_link(m, 4, "flannel.1");
	info = nl_message_down(m, IFLA_LINKINFO);
	/* what the data mean is known by the kind, though it comes behind them */
	data = nl_message_down(m, IFLA_INFO_DATA);
	nl_message_u32(m, IFLA_VXLAN_ID, 1);
	nl_message_u32(m, IFLA_VXLAN_LINK, 2);
	nl_message_put(m, IFLA_VXLAN_PORT, &port, sizeof(port));
	nl_message_put(m, local, addr, len);
	nl_message_up(m, data);
	nl_message_str(m, IFLA_INFO_KIND, "vxlan");
	nl_message_up(m, info);
}

static void test_vxlan(void **state)
{
	struct doctor_link l;
	struct nl_message m;

	(void)state;
	vxlan_link(&m, IFLA_VXLAN_LOCAL, V4, sizeof(V4));
	assert_int_equal(link_of(&m, &l), 0);
	assert_string_equal(l.kind, "vxlan");
	assert_int_equal(l.vni, 1);
	assert_int_equal(l.vxlan_link, 2);
	assert_int_equal(l.vxlan_port, 8472);
	assert_addr(&l.vxlan_local, "10.244.1.1");
	assert_false(l.vxlan_v6 || l.vxlan_external);

	vxlan_link(&m, IFLA_VXLAN_LOCAL6, V6, sizeof(V6));
	assert_int_equal(link_of(&m, &l), 0);
	assert_addr(&l.vxlan_local, "2001:db8::1");
	assert_true(l.vxlan_v6);

	vxlan_link(&m, IFLA_VXLAN_GROUP6, V6, sizeof(V6));
	assert_int_equal(link_of(&m, &l), 0);
	assert_true(l.vxlan_v6 && addr_is_none(&l.vxlan_local));

	vxlan_link(&m, IFLA_VXLAN_COLLECT_METADATA, MAC, 1);
	assert_int_equal(link_of(&m, &l), 0);
	assert_true(l.vxlan_external);

	/* five bytes are no address, one is no port */
	vxlan_link(&m, IFLA_VXLAN_LOCAL, V6, 5);
	assert_int_equal(link_of(&m, &l), 0);
	assert_true(addr_is_none(&l.vxlan_local));
	vxlan_link(&m, IFLA_VXLAN_PORT, V4, 1);
	assert_int_equal(link_of(&m, &l), 0);
	assert_int_equal(l.vxlan_port, 0);
}

static void test_bridge(void **state)
{
	static const struct {
		const char *kind;
		bool has_data, wants;
	} rows[] = { { "bridge", true, true },
		     { "bridge", false, false },
		     { "bond", true, false } };
	struct doctor_link l;
	struct nl_message m;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		size_t info, data;

		begin_link(&m, 5, "cni0");
		info = nl_message_down(&m, IFLA_LINKINFO);
		nl_message_str(&m, IFLA_INFO_KIND, rows[i].kind);
		if (rows[i].has_data) {
			data = nl_message_down(&m, IFLA_INFO_DATA);
			nl_message_u8(&m, IFLA_BR_VLAN_FILTERING, 1);
			nl_message_u32(&m, IFLA_BR_STP_STATE, 1);
			nl_message_up(&m, data);
		}
		nl_message_up(&m, info);
		assert_int_equal(link_of(&m, &l), 0);
		assert_string_equal(l.kind, rows[i].kind);
		assert_int_equal(l.vlan_filtering, rows[i].wants);
		assert_int_equal(l.stp, rows[i].wants);
		assert_false(l.is_port);
	}
}

/* --------------------------------------------------- addresses, routes, neighbours */

static void begin_addr(struct nl_message *m, int family, uint8_t prefixlen)
{
	struct ifaddrmsg ifa = { .ifa_family = (uint8_t)family,
				 .ifa_prefixlen = prefixlen,
				 .ifa_index = 5 };

	nl_message_begin(m, RTM_NEWADDR, &ifa, sizeof(ifa));
}

static int addr_of(struct nl_message *m, struct doctor_ifaddr *ret)
{
	memset(ret, 0, sizeof(*ret));
	return doctor_nl_parse_addr(nl_message_hdr(m), ret);
}

static void test_addr(void **state)
{
	static const uint8_t peer[4] = { 10, 244, 1, 2 };
	struct doctor_ifaddr a;
	struct nl_message m;

	(void)state;
	/* of a point-to-point link IFA_ADDRESS is the peer's */
	begin_addr(&m, AF_INET, 24);
	nl_message_put(&m, IFA_ADDRESS, peer, sizeof(peer));
	nl_message_put(&m, IFA_LOCAL, V4, sizeof(V4));
	assert_int_equal(addr_of(&m, &a), 0);
	assert_int_equal(a.ifindex, 5);
	assert_int_equal(a.prefix.len, 24);
	assert_addr(&a.prefix.addr, "10.244.1.1");
	assert_every_cut(&m, sizeof(struct ifaddrmsg), doctor_nl_parse_addr, sizeof(a));

	begin_addr(&m, AF_INET6, 64);
	nl_message_put(&m, IFA_ADDRESS, V6, sizeof(V6));
	assert_int_equal(addr_of(&m, &a), 0);
	assert_addr(&a.prefix.addr, "2001:db8::1");

	begin_addr(&m, AF_INET, 24);
	assert_int_equal(addr_of(&m, &a), -EBADMSG);
	begin_addr(&m, AF_INET, 24);
	nl_message_put(&m, IFA_LOCAL, V6, 6);
	assert_int_equal(addr_of(&m, &a), -EBADMSG);
	/* longer than the family's addresses are */
	begin_addr(&m, AF_INET, 33);
	nl_message_put(&m, IFA_LOCAL, V4, sizeof(V4));
	assert_int_equal(addr_of(&m, &a), -EBADMSG);
	begin_addr(&m, AF_INET6, 129);
	nl_message_put(&m, IFA_ADDRESS, V6, sizeof(V6));
	assert_int_equal(addr_of(&m, &a), -EBADMSG);
}

static void begin_route(struct nl_message *m, int family, uint8_t dst_len, unsigned flags)
{
	struct rtmsg rtm = { .rtm_family = (uint8_t)family,
			     .rtm_dst_len = dst_len,
			     .rtm_table = RT_TABLE_MAIN,
			     .rtm_protocol = RTPROT_STATIC,
			     .rtm_type = RTN_UNICAST,
			     .rtm_flags = flags };

	nl_message_begin(m, RTM_NEWROUTE, &rtm, sizeof(rtm));
}

static int route_of(struct nl_message *m, struct doctor_route *ret)
{
	memset(ret, 0, sizeof(*ret));
	return doctor_nl_parse_route(nl_message_hdr(m), ret);
}

static void test_route(void **state)
{
	static const uint8_t net[4] = { 10, 244, 2, 0 };
	static const uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
	struct doctor_route r;
	struct nl_message m;

	(void)state;
	begin_route(&m, AF_INET, 24, RTNH_F_ONLINK);
	nl_message_u32(&m, RTA_TABLE, 1000);
	nl_message_put(&m, RTA_DST, net, sizeof(net));
	nl_message_put(&m, RTA_GATEWAY, V4, sizeof(V4));
	nl_message_u32(&m, RTA_OIF, 4);
	nl_message_u32(&m, RTA_PRIORITY, 100);
	assert_int_equal(route_of(&m, &r), 0);
	assert_false(r.v6);
	assert_int_equal(r.type, RTN_UNICAST);
	assert_int_equal(r.protocol, RTPROT_STATIC);
	assert_int_equal(r.table, 1000);
	assert_int_equal(r.nh_flags, RTNH_F_ONLINK);
	assert_int_equal(r.oif, 4);
	assert_int_equal(r.metric, 100);
	assert_int_equal(r.dst.len, 24);
	assert_addr(&r.dst.addr, "10.244.2.0");
	assert_addr(&r.gw, "10.244.1.1");
	assert_every_cut(&m, sizeof(struct rtmsg), doctor_nl_parse_route, sizeof(r));

	/* defaults have no destination; a table that is cut is the header's */
	begin_route(&m, AF_INET, 0, 0);
	nl_message_put(&m, RTA_TABLE, V4, 2);
	assert_int_equal(route_of(&m, &r), 0);
	assert_addr(&r.dst.addr, "0.0.0.0");
	assert_int_equal(r.table, RT_TABLE_MAIN);
	assert_true(addr_is_none(&r.gw));
	begin_route(&m, AF_INET6, 0, 0);
	assert_int_equal(route_of(&m, &r), 0);
	assert_true(r.v6);
	assert_addr(&r.dst.addr, "::");

	/* an exception that PMTU discovery made, a family of others (MPLS) */
	begin_route(&m, AF_INET, 0, RTM_F_CLONED);
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	begin_route(&m, 28, 0, 0);
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	/* too long; a destination of no family, of the other one, of IPv4 as IPv6 writes it */
	begin_route(&m, AF_INET, 33, 0);
	nl_message_put(&m, RTA_DST, net, sizeof(net));
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	begin_route(&m, AF_INET6, 129, 0);
	nl_message_put(&m, RTA_DST, V6, sizeof(V6));
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	begin_route(&m, AF_INET, 24, 0);
	nl_message_put(&m, RTA_DST, V6, 5);
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	begin_route(&m, AF_INET, 24, 0);
	nl_message_put(&m, RTA_DST, V6, sizeof(V6));
	assert_int_equal(route_of(&m, &r), -EBADMSG);
	begin_route(&m, AF_INET6, 96, 0);
	nl_message_put(&m, RTA_DST, mapped, sizeof(mapped));
	assert_int_equal(route_of(&m, &r), -EBADMSG);
}

/* The first of several next hops stands for all; one that is not whole says nothing. */
static void test_multipath(void **state)
{
	static const struct {
		uint16_t told; /* of the first next hop's length */
		size_t bytes; /* there are */
		uint32_t oif;
		bool gw;
	} rows[] = {
		{ sizeof(struct rtnexthop) + 8, sizeof(struct rtnexthop) + 8, 4, true },
		{ sizeof(struct rtnexthop), sizeof(struct rtnexthop) + 8, 4, false },
		{ sizeof(struct rtnexthop) - 1, sizeof(struct rtnexthop) + 8, 0, false },
		{ sizeof(struct rtnexthop) + 9, sizeof(struct rtnexthop) + 8, 0, false },
		{ sizeof(struct rtnexthop) + 8, sizeof(struct rtnexthop) - 1, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct {
			struct rtnexthop nh;
			struct nlattr a;
			uint8_t gw[4];
		} hop = { { rows[i].told, RTNH_F_ONLINK, 0, 4 },
			  { sizeof(struct nlattr) + 4, RTA_GATEWAY },
			  { 10, 244, 1, 1 } };
		struct doctor_route r;
		struct nl_message m;

		begin_route(&m, AF_INET, 0, 0);
		nl_message_put(&m, RTA_MULTIPATH, &hop, rows[i].bytes);
		assert_int_equal(route_of(&m, &r), 0);
		assert_int_equal(r.oif, rows[i].oif);
		assert_int_equal(r.nh_flags, rows[i].oif ? RTNH_F_ONLINK : 0);
		if (rows[i].gw)
			assert_addr(&r.gw, "10.244.1.1");
		else
			assert_true(addr_is_none(&r.gw));
	}
}

static void test_neigh(void **state)
{
	struct ndmsg nd = { .ndm_family = AF_BRIDGE,
			    .ndm_ifindex = 4,
			    .ndm_state = NUD_PERMANENT,
			    .ndm_flags = NTF_SELF };
	struct doctor_neigh n = { .ifindex = 0 };
	struct nl_message m;

	(void)state;
	nl_message_begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	nl_message_put(&m, NDA_DST, V4, sizeof(V4));
	nl_message_put(&m, NDA_LLADDR, MAC, sizeof(MAC));
	nl_message_u32(&m, NDA_MASTER, 5);
	assert_int_equal(doctor_nl_parse_neigh(nl_message_hdr(&m), &n), 0);
	assert_int_equal(n.ifindex, 4);
	assert_int_equal(n.state, NUD_PERMANENT);
	assert_int_equal(n.flags, NTF_SELF);
	assert_int_equal(n.master, 5);
	assert_addr(&n.dst, "10.244.1.1");
	assert_memory_equal(n.mac.b, MAC, sizeof(MAC));
	assert_every_cut(&m, sizeof(nd), doctor_nl_parse_neigh, sizeof(n));

	nl_message_begin(&m, RTM_NEWNEIGH, &nd, sizeof(nd));
	memset(&n, 0, sizeof(n));
	assert_int_equal(doctor_nl_parse_neigh(nl_message_hdr(&m), &n), 0);
	assert_true(addr_is_none(&n.dst) && mac_is_none(&n.mac));
}

/* ---------------------------------------------------------------- netfilter */

static void test_chain(void **state)
{
	static const struct {
		bool has_hook;
		size_t policy_len; /* 0: none */
		uint32_t policy;
		int rc;
		bool drop;
	} rows[] = {
		{ true, 4, NF_DROP, 0, true },
		{ true, 4, NF_ACCEPT, 0, false },
		{ true, 0, 0, 0, false },
		{ true, 3, NF_DROP, 0, false }, /* NF_DROP is 0, as what is cut reads */
		{ false, 4, NF_DROP, -EBADMSG, false },
	};
	struct nfgenmsg g = { .nfgen_family = NFPROTO_IPV4 };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const uint32_t policy = htobe32(rows[i].policy);
		struct doctor_base_chain c = { .hook = 0 };
		struct nl_message m;
		size_t hook;

		nl_message_begin(&m, NEW_CHAIN, &g, sizeof(g));
		nl_message_str(&m, NFTA_CHAIN_TABLE, "filter");
		nl_message_str(&m, NFTA_CHAIN_NAME, "FORWARD");
		if (rows[i].has_hook) {
			hook = nl_message_down(&m, NFTA_CHAIN_HOOK);
			nl_message_u32(&m, NFTA_HOOK_HOOKNUM, htobe32(NF_INET_FORWARD));
			nl_message_up(&m, hook);
		}
		if (rows[i].policy_len)
			nl_message_put(&m, NFTA_CHAIN_POLICY, &policy, rows[i].policy_len);
		assert_int_equal(doctor_nl_parse_chain(nl_message_hdr(&m), &c), rows[i].rc);
		if (rows[i].rc)
			continue;
		assert_int_equal(c.family, NFPROTO_IPV4);
		assert_string_equal(c.table, "filter");
		assert_string_equal(c.chain, "FORWARD");
		assert_int_equal(c.hook, NF_INET_FORWARD);
		assert_int_equal(c.drop, rows[i].drop);
		assert_every_cut(&m, sizeof(g), doctor_nl_parse_chain, sizeof(c));
	}
}

/* One expression of a rule: what is put next is inside its data. */
static void begin_expr(struct nl_message *m, size_t at[2], const char *name)
{
	at[0] = nl_message_down(m, NFTA_LIST_ELEM);
	nl_message_str(m, NFTA_EXPR_NAME, name);
	at[1] = nl_message_down(m, NFTA_EXPR_DATA);
}

static void end_expr(struct nl_message *m, const size_t at[2])
{
	nl_message_up(m, at[1]);
	nl_message_up(m, at[0]);
}

static void put_verdict(struct nl_message *m, uint32_t code, size_t len)
{
	const uint32_t be = htobe32(code);
	size_t at[2], data, verdict;

	begin_expr(m, at, "immediate");
	data = nl_message_down(m, NFTA_IMMEDIATE_DATA);
	verdict = nl_message_down(m, NFTA_DATA_VERDICT);
	nl_message_put(m, NFTA_VERDICT_CODE, &be, len);
	nl_message_up(m, verdict);
	nl_message_up(m, data);
	end_expr(m, at);
}

static void put_counter(struct nl_message *m, uint64_t packets, size_t len)
{
	const uint64_t be = htobe64(packets);
	size_t at[2];

	begin_expr(m, at, "counter");
	nl_message_put(m, NFTA_COUNTER_PACKETS, &be, len);
	end_expr(m, at);
}

static void put_target(struct nl_message *m, const char *name)
{
	size_t at[2];

	begin_expr(m, at, "target");
	nl_message_str(m, NFTA_TARGET_NAME, name);
	end_expr(m, at);
}

static void put_bare(struct nl_message *m, const char *name)
{
	size_t at = nl_message_down(m, NFTA_LIST_ELEM);

	nl_message_str(m, NFTA_EXPR_NAME, name);
	nl_message_up(m, at);
}

static size_t begin_rule(struct nl_message *m)
{
	struct nfgenmsg g = { .nfgen_family = NFPROTO_INET };
	const uint64_t handle = htobe64(42);

	nl_message_begin(m, NEW_RULE, &g, sizeof(g));
	nl_message_str(m, NFTA_RULE_TABLE, "pods");
	nl_message_str(m, NFTA_RULE_CHAIN, "forward");
	nl_message_put(m, NFTA_RULE_HANDLE, &handle, sizeof(handle));
	return nl_message_down(m, NFTA_RULE_EXPRESSIONS);
}

static int rule_of(struct nl_message *m, size_t at, struct doctor_rule *ret)
{
	nl_message_up(m, at);
	memset(ret, 0, sizeof(*ret));
	return doctor_nl_parse_rule(nl_message_hdr(m), ret);
}

static void test_rule_drops(void **state)
{
	struct doctor_rule r;
	struct nl_message m;
	size_t at;

	(void)state;
	at = begin_rule(&m);
	put_bare(&m, "cmp");
	put_counter(&m, 40, 8);
	put_verdict(&m, NF_DROP, 4);
	assert_int_equal(rule_of(&m, at, &r), 0);
	assert_int_equal(r.family, NFPROTO_INET);
	assert_string_equal(r.table, "pods");
	assert_string_equal(r.chain, "forward");
	assert_int_equal(r.handle, 42);
	assert_true(r.has_counter && !r.reject);
	assert_int_equal(r.packets, 40);
	assert_every_cut(&m, sizeof(struct nfgenmsg), doctor_nl_parse_rule, sizeof(r));

	at = begin_rule(&m);
	put_target(&m, "DROP");
	assert_int_equal(rule_of(&m, at, &r), 0);
	assert_false(r.reject || r.has_counter);

	at = begin_rule(&m);
	put_target(&m, "REJECT");
	put_target(&m, "LOG");
	assert_int_equal(rule_of(&m, at, &r), 0);
	assert_true(r.reject);

	at = begin_rule(&m);
	put_bare(&m, "reject");
	put_counter(&m, 40, 7); /* cut */
	assert_int_equal(rule_of(&m, at, &r), 0);
	assert_true(r.reject && r.has_counter);
	assert_int_equal(r.packets, 0);
}

static void test_rule_does_not_drop(void **state)
{
	static const char *const bare[] = { "immediate", "target", "counter", "", "log" };
	struct nfgenmsg g = { .nfgen_family = NFPROTO_INET };
	struct doctor_rule r;
	struct nl_message m;
	size_t at, in[2], data;

	(void)state;
	at = begin_rule(&m);
	put_counter(&m, 40, 8);
	put_verdict(&m, NF_ACCEPT, 4);
	put_target(&m, "LOG");
	assert_int_equal(rule_of(&m, at, &r), -EBADMSG);
	/* a verdict that is cut is none, though NF_DROP is 0 */
	at = begin_rule(&m);
	put_verdict(&m, NF_DROP, 3);
	assert_int_equal(rule_of(&m, at, &r), -EBADMSG);
	/* what an immediate holds need not be a verdict */
	at = begin_rule(&m);
	begin_expr(&m, in, "immediate");
	data = nl_message_down(&m, NFTA_IMMEDIATE_DATA);
	nl_message_u32(&m, NFTA_DATA_VALUE, 0);
	nl_message_up(&m, data);
	end_expr(&m, in);
	assert_int_equal(rule_of(&m, at, &r), -EBADMSG);
	for (size_t i = 0; i < COUNT(bare); i++) {
		at = begin_rule(&m);
		put_bare(&m, bare[i]);
		assert_int_equal(rule_of(&m, at, &r), -EBADMSG);
	}
	at = begin_rule(&m);
	assert_int_equal(rule_of(&m, at, &r), -EBADMSG);
	nl_message_begin(&m, NEW_RULE, &g, sizeof(g));
	assert_int_equal(doctor_nl_parse_rule(nl_message_hdr(&m), &r), -EBADMSG);
}

/* linux/netfilter_arp.h and NF_NETDEV_* count from 0 as well: a number alone is no hook. */
static void test_hook_names(void **state)
{
	static const struct {
		uint8_t family;
		uint32_t hook;
		const char *name;
	} rows[] = {
		{ NFPROTO_INET, NF_INET_PRE_ROUTING, "prerouting" },
		{ NFPROTO_IPV4, NF_INET_FORWARD, "forward" },
		{ NFPROTO_IPV6, NF_INET_POST_ROUTING, "postrouting" },
		{ NFPROTO_BRIDGE, NF_INET_LOCAL_IN, "input" },
		{ NFPROTO_INET, NF_INET_INGRESS, "ingress" },
		{ NFPROTO_ARP, 0, "input" },
		{ NFPROTO_ARP, 1, "output" },
		{ NFPROTO_ARP, 2, "forward" },
		{ NFPROTO_NETDEV, NF_NETDEV_INGRESS, "ingress" },
		{ NFPROTO_NETDEV, 1, "egress" },
		{ NFPROTO_NETDEV, 2, "?" },
		{ NFPROTO_ARP, 3, "?" },
		{ NFPROTO_INET, 6, "?" },
		{ NFPROTO_BRIDGE, UINT32_MAX, "?" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(doctor_hook_name(rows[i].family, rows[i].hook), rows[i].name);
}

/* ----------------------------------------------------------------- counters */

static const struct doctor_counter *find(const struct doctor_counters *c, const char *group,
					 const char *object, const char *name)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (strcmp(c->c[i].group, group) == 0 && strcmp(c->c[i].object, object) == 0 &&
		    strcmp(c->c[i].name, name) == 0)
			return &c->c[i];
	}
	return NULL;
}

static void assert_counter(const struct doctor_counters *c, const char *group, const char *object,
			   const char *name, uint64_t value)
{
	const struct doctor_counter *one = find(c, group, object, name);

	if (!one)
		fail_msg("no counter %s %s %s", group, object, name);
	else
		assert_int_equal(one->value, value);
}

static void stats_link(struct nl_message *m, size_t len)
{
	struct rtnl_link_stats64 s[2] = { { .rx_packets = 7, .tx_dropped = 3, .rx_nohandler = 2 } };

	begin_link(m, 4, "flannel.1");
	nl_message_put(m, IFLA_STATS64, s, len);
}

static void queue(struct nl_message *m, int ifindex, unsigned handle, uint32_t drops, size_t len)
{
	struct tcmsg tc = { .tcm_ifindex = ifindex, .tcm_handle = handle << 16 };
	const uint32_t q[5] = { 0, 0, drops, 0, 1 };
	size_t stats;

	nl_message_begin(m, RTM_NEWQDISC, &tc, sizeof(tc));
	nl_message_str(m, TCA_KIND, "pfifo");
	stats = nl_message_down(m, TCA_STATS2);
	nl_message_put(m, 3 /* TCA_STATS_QUEUE */, q, len);
	nl_message_up(m, stats);
}

static int answer(struct counter_answer a[COUNTER_QUESTIONS], enum counter_question i,
		  struct nl_message *m)
{
	const struct doctor_question *q = &doctor_counter_questions[i];
	int rc;

	assert_non_null(grow(&a[i].array, &a[i].n, q->size, DOCTOR_ENTRIES_MAX));
	rc = q->parse(nl_message_hdr(m), (char *)a[i].array + (a[i].n - 1) * q->size);
	if (rc)
		a[i].n--;
	return rc;
}

static void test_counters_of_messages(void **state)
{
	struct counter_answer a[COUNTER_QUESTIONS] = { { 0 } };
	struct doctor_counters c = { 0 };
	struct reading r = { .to = &c };
	const struct tcmsg tc = { .tcm_ifindex = 4 };
	struct nl_message m;
	size_t at;

	(void)state;
	stats_link(&m, sizeof(struct rtnl_link_stats64));
	assert_int_equal(answer(a, COUNTER_LINKS, &m), 0);
	assert_every_cut(&m, sizeof(struct ifinfomsg),
			 doctor_counter_questions[COUNTER_LINKS].parse,
			 doctor_counter_questions[COUNTER_LINKS].size);
	begin_link(&m, 4, "flannel.1"); /* without counters */
	assert_int_equal(answer(a, COUNTER_LINKS, &m), -EBADMSG);

	queue(&m, 4, 0x8001, 5, 20);
	assert_int_equal(answer(a, COUNTER_QUEUES, &m), 0);
	assert_every_cut(&m, sizeof(tc), doctor_counter_questions[COUNTER_QUEUES].parse,
			 doctor_counter_questions[COUNTER_QUEUES].size);
	queue(&m, 99, 1, 6, 20); /* of a link that is gone */
	assert_int_equal(answer(a, COUNTER_QUEUES, &m), 0);
	queue(&m, 4, 1, 6, 19);
	assert_int_equal(answer(a, COUNTER_QUEUES, &m), -EBADMSG);
	nl_message_begin(&m, RTM_NEWQDISC, &tc, sizeof(tc));
	assert_int_equal(answer(a, COUNTER_QUEUES, &m), -EBADMSG);
	at = nl_message_down(&m, TCA_STATS2);
	nl_message_up(&m, at);
	assert_int_equal(answer(a, COUNTER_QUEUES, &m), -EBADMSG);

	at = begin_rule(&m);
	put_counter(&m, 40, 8);
	put_verdict(&m, NF_DROP, 4);
	nl_message_up(&m, at);
	assert_int_equal(answer(a, COUNTER_RULES, &m), 0);
	at = begin_rule(&m);
	put_counter(&m, 41, 8);
	put_bare(&m, "reject");
	nl_message_up(&m, at);
	assert_int_equal(answer(a, COUNTER_RULES, &m), 0);
	at = begin_rule(&m);
	put_verdict(&m, NF_DROP, 4); /* counts nothing */
	nl_message_up(&m, at);
	assert_int_equal(answer(a, COUNTER_RULES, &m), 0);

	doctor_count_answers(&r, a);
	doctor_counters_merge(&c);
	assert_false(r.oom);
	assert_int_equal(c.n, 20 + 2 * 2 + 2);
	assert_counter(&c, "link", "flannel.1", "rx_packets", 7);
	assert_counter(&c, "link", "flannel.1", "tx_dropped", 3);
	assert_counter(&c, "link", "flannel.1", "rx_nohandler", 2);
	assert_counter(&c, "qdisc", "flannel.1 pfifo 8001:", "drops", 5);
	assert_counter(&c, "qdisc", "flannel.1 pfifo 8001:", "overlimits", 1);
	assert_counter(&c, "qdisc", "? pfifo 1:", "drops", 6);
	assert_counter(&c, "nft", "inet pods forward #42", "drop", 40);
	assert_counter(&c, "nft", "inet pods forward #42", "reject", 41);
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		free(a[i].array);
	free(c.c);
}

/* Older kernels have fewer counters at the end of a link's, newer ones more. */
static void test_stats_of_other_kernels(void **state)
{
	const size_t nohandler = offsetof(struct rtnl_link_stats64, rx_nohandler);
	const size_t lengths[] = { nohandler, sizeof(struct rtnl_link_stats64) + 16 };

	(void)state;
	for (size_t i = 0; i < COUNT(lengths); i++) {
		struct counter_answer a[COUNTER_QUESTIONS] = { { 0 } };
		struct doctor_counters c = { 0 };
		struct reading r = { .to = &c };
		struct nl_message m;

		stats_link(&m, lengths[i]);
		assert_int_equal(answer(a, COUNTER_LINKS, &m), 0);
		doctor_count_answers(&r, a);
		assert_counter(&c, "link", "flannel.1", "tx_dropped", 3);
		assert_counter(&c, "link", "flannel.1", "rx_nohandler", i ? 2 : 0);
		free(a[COUNTER_LINKS].array);
		free(c.c);
	}
}

static void read_text(struct doctor_counters *c, const char *path, const char *text)
{
	struct reading r = { .to = c };
	bool known = false;

	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < COUNTER_FILES; i++) {
		if (strcmp(doctor_counter_files[i].path, path) != 0)
			continue;
		doctor_counter_files[i].parse(&r, text);
		known = true;
	}
	assert_true(known);
	assert_false(r.oom);
	doctor_counters_merge(c);
}

static void test_counter_pairs(void **state)
{
	static const struct {
		const char *text;
		unsigned n;
	} cut[] = {
		{ "", 0 },
		{ "Ip: A B", 0 }, /* no values */
		{ "Ip: A B\nUdp: 1 2\n", 0 }, /* of another group */
		{ "Ip A B\nIp 1 2\n", 0 }, /* no group */
		{ "Ip: A B C\nIp: 1 2\nUdp: X\nUdp: 3\n", 3 }, /* fewer values than names */
		{ "Ip: A\nIp: 1 2 3\n", 1 }, /* fewer names */
		{ "Ip: A B\nIp: 1 x\n", 1 },
		{ "Ip: A B\nIp: 1 2", 2 }, /* no end of line */
		{ "Ip: \nIp: 1\n", 0 },
	};
	struct doctor_counters c;

	(void)state;
	read_text(&c, "self/net/netstat",
		  "TcpExt: SyncookiesSent ListenDrops\nTcpExt: 1 22\n"
		  "IpExt: InNoRoutes\nIpExt: 18446744073709551615\n");
	assert_int_equal(c.n, 3);
	assert_counter(&c, "tcpext", "", "SyncookiesSent", 1);
	assert_counter(&c, "tcpext", "", "ListenDrops", 22);
	assert_counter(&c, "ipext", "", "InNoRoutes", UINT64_MAX);
	free(c.c);
	for (size_t i = 0; i < COUNT(cut); i++) {
		read_text(&c, "self/net/snmp", cut[i].text);
		if (c.n != cut[i].n)
			fail_msg("%u counters of \"%s\"", c.n, cut[i].text);
		free(c.c);
	}
	/* a group's name is cut to its room, not refused */
	read_text(&c, "self/net/snmp", "AGroupWithALongName: A\nAGroupWithALongName: 1\n");
	assert_counter(&c, "agroupwithalong", "", "A", 1);
	free(c.c);
}

static void test_counter_lines(void **state)
{
	struct doctor_counters c;

	(void)state;
	read_text(&c, "self/net/snmp6",
		  "Ip6InReceives                   \t12\n"
		  "\n"
		  "Ip6InNoRoutes x\n"
		  "Else 5\n"
		  "Icmp6InMsgs 3\nUdp6NoPorts 4\nUdpLite6InErrors 5");
	assert_int_equal(c.n, 4);
	assert_counter(&c, "ip6", "", "Ip6InReceives", 12);
	assert_counter(&c, "icmp6", "", "Icmp6InMsgs", 3);
	assert_counter(&c, "udp6", "", "Udp6NoPorts", 4);
	assert_counter(&c, "udplite6", "", "UdpLite6InErrors", 5);
	free(c.c);
}

/* A blank line, and a name without its number: no line counts twice, none takes the next one's. */
static void test_counter_lines_apart(void **state)
{
	struct doctor_counters c;

	(void)state;
	read_text(&c, "self/net/snmp6", "\nIp6InReceives 12\nIp6InDiscards\n7 Ip6OutRequests 8\n");
	assert_int_equal(c.n, 1);
	assert_counter(&c, "ip6", "", "Ip6InReceives", 12);
	free(c.c);
	read_text(&c, "self/net/softnet_stat", "\n00000001 00000002 00000003\n1 2\n4 5 6\n");
	assert_int_equal(c.n, 6);
	assert_counter(&c, "softnet", "cpu1", "processed", 1);
	assert_counter(&c, "softnet", "cpu3", "dropped", 5);
	free(c.c);
}

static void test_counter_tables(void **state)
{
	struct doctor_counters c;

	(void)state;
	read_text(&c, "self/net/softnet_stat",
		  "0000ffff 00000002 00000003 00000000\n00000001 00000000 00000010\n");
	assert_int_equal(c.n, 6);
	assert_counter(&c, "softnet", "cpu0", "processed", 65535);
	assert_counter(&c, "softnet", "cpu0", "dropped", 2);
	assert_counter(&c, "softnet", "cpu1", "time_squeeze", 16);
	free(c.c);

	/* all CPUs share the entries; the rest is summed; a line that is cut has no such column */
	read_text(
		&c, "self/net/stat/nf_conntrack",
		"entries  searched drop\n00000010  00000001 00000002\n00000010  00000003 0000000a\n"
		"00000010\n");
	assert_int_equal(c.n, 3);
	assert_counter(&c, "conntrack", "", "entries", 16);
	assert_counter(&c, "conntrack", "", "searched", 4);
	assert_counter(&c, "conntrack", "", "drop", 12);
	free(c.c);
	read_text(&c, "self/net/stat/nf_conntrack", "");
	assert_int_equal(c.n, 0);
	read_text(&c, "sys/net/netfilter/nf_conntrack_max", "262144\n");
	assert_counter(&c, "conntrack", "", "max", 262144);
	free(c.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_link_lacks),
		cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_bridge),
		cmocka_unit_test(test_addr),
		cmocka_unit_test(test_route),
		cmocka_unit_test(test_multipath),
		cmocka_unit_test(test_neigh),
		cmocka_unit_test(test_chain),
		cmocka_unit_test(test_rule_drops),
		cmocka_unit_test(test_rule_does_not_drop),
		cmocka_unit_test(test_hook_names),
		cmocka_unit_test(test_counters_of_messages),
		cmocka_unit_test(test_stats_of_other_kernels),
		cmocka_unit_test(test_counter_pairs),
		cmocka_unit_test(test_counter_lines),
		cmocka_unit_test(test_counter_lines_apart),
		cmocka_unit_test(test_counter_tables),
	};

	return cmocka_run_group_tests_name("doctor_nl", tests, NULL, NULL);
}
