/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_nl.c - the kernel's own tables of this network namespace, over netlink.
 *
 * Theory of operation. Only dumps are sent (src/netlink), so nothing can change. A message
 * fills one row of a table; what it lacks stays zero, and a full table keeps what was read.
 * Layouts: linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h, and for rules
 * linux/netfilter/nf_tables.h, whose numbers are in network order.
 */
#include "doctor_priv.h"

#include <endian.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "doctor_dump.h"
#include "podhop/netlink.h"

int doctor_dump(struct nl_sock *sk, int type, const void *header, size_t len,
		int (*parse)(struct nlmsghdr *h, void *to), size_t size, void *ret_array,
		unsigned *ret_n)
{
	/* A full table stays as it is: what was read is right. */
	struct netlink_rows rows = { .parse = parse, .size = size, .max = DOCTOR_ENTRIES_MAX };
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
	int rc;

	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, (void *)(uintptr_t)header, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	rc = netlink_dump(sk, msg, &rows);
	if (rc)
		return rc;
	memcpy(ret_array, &rows.array, sizeof(rows.array));
	*ret_n = rows.n;
	return 0;
}

/* ------------------------------------------------------------------- values */

static bool get_addr(struct nlattr *a, struct addr *ret)
{
	uint8_t b[16];

	if (!a || (nla_len(a) != 4 && nla_len(a) != 16))
		return false;
	memcpy(b, nla_data(a), (size_t)nla_len(a));
	*ret = nla_len(a) == 4 ? addr_from_v4(b) : addr_from_v6(b);
	return true;
}

static void get_mac(struct nlattr *a, struct mac *ret)
{
	if (a && nla_len(a) == (int)sizeof(ret->b))
		memcpy(ret->b, nla_data(a), sizeof(ret->b));
}

static uint32_t get_u32(struct nlattr *a)
{
	return a && nla_len(a) >= 4 ? nla_get_u32(a) : 0;
}

static uint16_t get_u16(struct nlattr *a)
{
	return a && nla_len(a) >= 2 ? nla_get_u16(a) : 0;
}

static uint8_t get_u8(struct nlattr *a)
{
	return a && nla_len(a) >= 1 ? nla_get_u8(a) : 0;
}

void doctor_attr_str(struct nlattr *a, char *out, size_t size)
{
	if (a)
		nla_strlcpy(out, a, size);
}

/* -------------------------------------------------------------------- links */

static void parse_vxlan(struct nlattr *data, struct doctor_link *l)
{
	struct nlattr *a[IFLA_VXLAN_MAX + 1];

	if (nla_parse_nested(a, IFLA_VXLAN_MAX, data, NULL) < 0)
		return;
	l->vni = get_u32(a[IFLA_VXLAN_ID]);
	l->vxlan_link = get_u32(a[IFLA_VXLAN_LINK]);
	l->vxlan_port = be16toh(get_u16(a[IFLA_VXLAN_PORT]));
	l->vxlan_external = get_u8(a[IFLA_VXLAN_COLLECT_METADATA]) != 0;
	if (get_addr(a[IFLA_VXLAN_LOCAL6], &l->vxlan_local))
		l->vxlan_v6 = true;
	else
		get_addr(a[IFLA_VXLAN_LOCAL], &l->vxlan_local);
	if (a[IFLA_VXLAN_GROUP6])
		l->vxlan_v6 = true;
}

static void parse_port(struct nlattr *data, struct doctor_link *l)
{
	struct nlattr *a[IFLA_BRPORT_MAX + 1];

	if (nla_parse_nested(a, IFLA_BRPORT_MAX, data, NULL) < 0)
		return;
	l->is_port = true;
	l->port_state = get_u8(a[IFLA_BRPORT_STATE]);
	l->hairpin = get_u8(a[IFLA_BRPORT_MODE]) != 0;
	l->isolated = get_u8(a[IFLA_BRPORT_ISOLATED]) != 0;
}

static void parse_link_info(struct nlattr *info, struct doctor_link *l)
{
	struct nlattr *a[IFLA_INFO_MAX + 1];
	char slave[16] = "";

	if (nla_parse_nested(a, IFLA_INFO_MAX, info, NULL) < 0)
		return;
	doctor_attr_str(a[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
	doctor_attr_str(a[IFLA_INFO_SLAVE_KIND], slave, sizeof(slave));
	if (a[IFLA_INFO_DATA] && strcmp(l->kind, "vxlan") == 0)
		parse_vxlan(a[IFLA_INFO_DATA], l);
	if (a[IFLA_INFO_DATA] && strcmp(l->kind, "bridge") == 0) {
		struct nlattr *b[IFLA_BR_MAX + 1];

		if (nla_parse_nested(b, IFLA_BR_MAX, a[IFLA_INFO_DATA], NULL) >= 0) {
			l->vlan_filtering = get_u8(b[IFLA_BR_VLAN_FILTERING]) != 0;
			l->stp = get_u32(b[IFLA_BR_STP_STATE]) != 0;
		}
	}
	if (a[IFLA_INFO_SLAVE_DATA] && strcmp(slave, "bridge") == 0)
		parse_port(a[IFLA_INFO_SLAVE_DATA], l);
}

static int parse_link(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[IFLA_MAX + 1];
	struct doctor_link *l = to;
	struct ifinfomsg ifi;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(ifi), a, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	memcpy(&ifi, nlmsg_data(h), sizeof(ifi));
	l->ifindex = (uint32_t)ifi.ifi_index;
	l->flags = ifi.ifi_flags;
	l->link_netnsid = a[IFLA_LINK_NETNSID] ? (int32_t)get_u32(a[IFLA_LINK_NETNSID]) : -1;
	l->master = get_u32(a[IFLA_MASTER]);
	l->iflink = get_u32(a[IFLA_LINK]);
	l->mtu = get_u32(a[IFLA_MTU]);
	doctor_attr_str(a[IFLA_IFNAME], l->name, sizeof(l->name));
	get_mac(a[IFLA_ADDRESS], &l->mac);
	if (a[IFLA_LINKINFO])
		parse_link_info(a[IFLA_LINKINFO], l);
	return 0;
}

/* --------------------------------------------------- addresses, routes, neighbours */

static int parse_ifaddr(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[IFA_MAX + 1];
	struct doctor_ifaddr *i = to;
	struct ifaddrmsg ifa;

	if (h->nlmsg_type != RTM_NEWADDR || nlmsg_parse(h, sizeof(ifa), a, IFA_MAX, NULL) < 0)
		return -EBADMSG;
	memcpy(&ifa, nlmsg_data(h), sizeof(ifa));
	i->ifindex = ifa.ifa_index;
	i->prefix.len = ifa.ifa_prefixlen;
	/* a point-to-point link's own address is IFA_LOCAL */
	if (!get_addr(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], &i->prefix.addr))
		return -EBADMSG;
	return 0;
}

/* The first next hop stands for all: flannel makes no multipath routes. */
static void parse_multipath(struct nlattr *mp, struct doctor_route *r)
{
	struct rtnexthop nh;
	size_t len = (size_t)nla_len(mp), n = sizeof(nh);
	struct nlattr *a;
	int left;

	if (len < n)
		return;
	memcpy(&nh, nla_data(mp), n);
	if (nh.rtnh_len < n || nh.rtnh_len > len)
		return;
	r->oif = (uint32_t)nh.rtnh_ifindex;
	r->nh_flags = nh.rtnh_flags;
	a = (struct nlattr *)((char *)nla_data(mp) + n);
	left = (int)(nh.rtnh_len - n);
	a = nla_find(a, left, RTA_GATEWAY);
	if (a)
		get_addr(a, &r->gw);
}

static int parse_route(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[RTA_MAX + 1];
	static const uint8_t zero[16];
	struct doctor_route *r = to;
	struct rtmsg rtm;

	if (h->nlmsg_type != RTM_NEWROUTE || nlmsg_parse(h, sizeof(rtm), a, RTA_MAX, NULL) < 0)
		return -EBADMSG;
	memcpy(&rtm, nlmsg_data(h), sizeof(rtm));
	/* PMTU exceptions are no configuration */
	if ((rtm.rtm_family != AF_INET && rtm.rtm_family != AF_INET6) ||
	    (rtm.rtm_flags & RTM_F_CLONED))
		return -EBADMSG;
	r->v6 = rtm.rtm_family == AF_INET6;
	r->type = rtm.rtm_type;
	r->protocol = rtm.rtm_protocol;
	r->table = a[RTA_TABLE] ? get_u32(a[RTA_TABLE]) : rtm.rtm_table;
	r->nh_flags = rtm.rtm_flags;
	r->oif = get_u32(a[RTA_OIF]);
	r->metric = get_u32(a[RTA_PRIORITY]);
	r->dst.len = rtm.rtm_dst_len;
	if (!get_addr(a[RTA_DST], &r->dst.addr))
		r->dst.addr = r->v6 ? addr_from_v6(zero) : addr_from_v4(zero);
	get_addr(a[RTA_GATEWAY], &r->gw);
	if (a[RTA_MULTIPATH])
		parse_multipath(a[RTA_MULTIPATH], r);
	return 0;
}

static int parse_neigh(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[NDA_MAX + 1];
	struct doctor_neigh *n = to;
	struct ndmsg nd;

	if (h->nlmsg_type != RTM_NEWNEIGH || nlmsg_parse(h, sizeof(nd), a, NDA_MAX, NULL) < 0)
		return -EBADMSG;
	memcpy(&nd, nlmsg_data(h), sizeof(nd));
	n->ifindex = (uint32_t)nd.ndm_ifindex;
	n->state = nd.ndm_state;
	n->flags = nd.ndm_flags;
	n->master = get_u32(a[NDA_MASTER]);
	get_addr(a[NDA_DST], &n->dst);
	get_mac(a[NDA_LLADDR], &n->mac);
	return 0;
}

/* ---------------------------------------------------------------- netfilter */

static uint32_t get_be32(struct nlattr *a)
{
	return be32toh(get_u32(a));
}

static uint64_t get_be64(struct nlattr *a)
{
	return a && nla_len(a) >= 8 ? be64toh(nla_get_u64(a)) : 0;
}

static int parse_chain(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct doctor_base_chain *c = to;
	struct nfgenmsg g;

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    nlmsg_parse(h, sizeof(g), a, NFTA_CHAIN_MAX, NULL) < 0)
		return -EBADMSG;
	if (!a[NFTA_CHAIN_HOOK] ||
	    nla_parse_nested(hook, NFTA_HOOK_MAX, a[NFTA_CHAIN_HOOK], NULL) < 0)
		return -EBADMSG; /* no base chain */
	memcpy(&g, nlmsg_data(h), sizeof(g));
	c->family = g.nfgen_family;
	doctor_attr_str(a[NFTA_CHAIN_TABLE], c->table, sizeof(c->table));
	doctor_attr_str(a[NFTA_CHAIN_NAME], c->chain, sizeof(c->chain));
	c->hook = get_be32(hook[NFTA_HOOK_HOOKNUM]);
	c->drop = a[NFTA_CHAIN_POLICY] && get_be32(a[NFTA_CHAIN_POLICY]) == NF_DROP;
	return 0;
}

static bool expr_drops(struct nlattr *data)
{
	struct nlattr *a[NFTA_IMMEDIATE_MAX + 1], *d[NFTA_DATA_MAX + 1], *v[NFTA_VERDICT_MAX + 1];

	return nla_parse_nested(a, NFTA_IMMEDIATE_MAX, data, NULL) >= 0 && a[NFTA_IMMEDIATE_DATA] &&
	       nla_parse_nested(d, NFTA_DATA_MAX, a[NFTA_IMMEDIATE_DATA], NULL) >= 0 &&
	       d[NFTA_DATA_VERDICT] &&
	       nla_parse_nested(v, NFTA_VERDICT_MAX, d[NFTA_DATA_VERDICT], NULL) >= 0 &&
	       v[NFTA_VERDICT_CODE] && get_be32(v[NFTA_VERDICT_CODE]) == NF_DROP;
}

/* True when this expression throws the packet away. */
static bool parse_expr(struct nlattr *e, struct doctor_rule *r)
{
	struct nlattr *a[NFTA_EXPR_MAX + 1], *d[NFTA_COUNTER_MAX + 1];
	char name[32] = "";

	if (nla_parse_nested(a, NFTA_EXPR_MAX, e, NULL) < 0)
		return false;
	doctor_attr_str(a[NFTA_EXPR_NAME], name, sizeof(name));
	if (strcmp(name, "reject") == 0) {
		r->reject = true;
		return true;
	}
	if (!a[NFTA_EXPR_DATA])
		return false;
	if (strcmp(name, "counter") == 0 &&
	    nla_parse_nested(d, NFTA_COUNTER_MAX, a[NFTA_EXPR_DATA], NULL) >= 0) {
		r->has_counter = true;
		r->packets = get_be64(d[NFTA_COUNTER_PACKETS]);
	} else if (strcmp(name, "immediate") == 0) {
		return expr_drops(a[NFTA_EXPR_DATA]);
	} else if (strcmp(name, "target") == 0) {
		/* iptables-nft: an xtables target inside */
		struct nlattr *t[NFTA_TARGET_MAX + 1];
		char target[32] = "";

		if (nla_parse_nested(t, NFTA_TARGET_MAX, a[NFTA_EXPR_DATA], NULL) < 0)
			return false;
		doctor_attr_str(t[NFTA_TARGET_NAME], target, sizeof(target));
		r->reject = strcmp(target, "REJECT") == 0;
		return r->reject || strcmp(target, "DROP") == 0;
	}
	return false;
}

int doctor_nl_parse_rule(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[NFTA_RULE_MAX + 1], *e;
	struct doctor_rule *r = to;
	struct nfgenmsg g;
	bool drops = false;
	int left;

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) ||
	    nlmsg_parse(h, sizeof(g), a, NFTA_RULE_MAX, NULL) < 0 || !a[NFTA_RULE_EXPRESSIONS])
		return -EBADMSG;
	nla_for_each_nested(e, a[NFTA_RULE_EXPRESSIONS], left) drops |= parse_expr(e, r);
	if (!drops)
		return -EBADMSG;
	memcpy(&g, nlmsg_data(h), sizeof(g));
	r->family = g.nfgen_family;
	r->handle = get_be64(a[NFTA_RULE_HANDLE]);
	doctor_attr_str(a[NFTA_RULE_TABLE], r->table, sizeof(r->table));
	doctor_attr_str(a[NFTA_RULE_CHAIN], r->chain, sizeof(r->chain));
	return 0;
}

int doctor_nl_rules(struct doctor_rule **ret_rules, unsigned *ret_n_rules,
		    struct doctor_base_chain **ret_chains, unsigned *ret_n_chains)
{
	struct nfgenmsg g = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 };
	struct doctor_base_chain *chains = NULL;
	unsigned n_chains = 0;
	struct nl_sock *sk;
	int rc = netlink_open(NETLINK_NETFILTER, &sk, NULL);

	if (rc)
		return rc;
	rc = doctor_dump(sk, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, &g, sizeof(g),
			 parse_chain, sizeof(*chains), &chains, &n_chains);
	if (!rc)
		rc = doctor_dump(sk, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, &g, sizeof(g),
				 doctor_nl_parse_rule, sizeof(**ret_rules), ret_rules, ret_n_rules);
	nl_socket_free(sk);
	if (rc) {
		free(chains);
		return rc;
	}
	*ret_chains = chains;
	*ret_n_chains = n_chains;
	return 0;
}

/* ---------------------------------------------------------------- the tables */

static const struct {
	struct ifinfomsg ifi;
	struct nlattr mask;
	uint32_t value;
} ask_links = {
	.ifi = { .ifi_family = AF_UNSPEC },
	/* counters are half of a link message, and not asked for here */
	.mask = { .nla_len = sizeof(struct nlattr) + 4, .nla_type = IFLA_EXT_MASK },
	.value = 1 << 3, /* RTEXT_FILTER_SKIP_STATS */
};
static const struct ifaddrmsg ask_addrs = { .ifa_family = AF_UNSPEC };
static const struct rtmsg ask_routes = { .rtm_family = AF_UNSPEC };
static const struct ndmsg ask_neighs = { .ndm_family = AF_UNSPEC };
static const struct ndmsg ask_fdb = { .ndm_family = AF_BRIDGE };

const struct doctor_question doctor_tables[DOCTOR_TABLES] = {
	{ NETLINK_ROUTE, RTM_GETLINK, &ask_links, sizeof(ask_links), parse_link,
	  sizeof(struct doctor_link) },
	{ NETLINK_ROUTE, RTM_GETADDR, &ask_addrs, sizeof(ask_addrs), parse_ifaddr,
	  sizeof(struct doctor_ifaddr) },
	{ NETLINK_ROUTE, RTM_GETROUTE, &ask_routes, sizeof(ask_routes), parse_route,
	  sizeof(struct doctor_route) },
	{ NETLINK_ROUTE, RTM_GETNEIGH, &ask_neighs, sizeof(ask_neighs), parse_neigh,
	  sizeof(struct doctor_neigh) },
	{ NETLINK_ROUTE, RTM_GETNEIGH, &ask_fdb, sizeof(ask_fdb), parse_neigh,
	  sizeof(struct doctor_neigh) },
};

struct doctor_slot doctor_table_slot(struct doctor_view *v, unsigned i)
{
	const struct doctor_slot slots[DOCTOR_TABLES] = {
		{ &v->links, &v->n_links },   { &v->addrs, &v->n_addrs },
		{ &v->routes, &v->n_routes }, { &v->neighs, &v->n_neighs },
		{ &v->fdb, &v->n_fdb },
	};

	return slots[i];
}

int doctor_nl_read(struct doctor_view *v, struct err *err)
{
	static const char *const what[DOCTOR_TABLES] = { "links", "addresses", "routes",
							 "neighbours", "forwarding database" };
	struct nl_sock *sk;
	unsigned i;
	int rc = netlink_open(NETLINK_ROUTE, &sk, err);

	if (rc)
		return rc;
	for (i = 0; i < DOCTOR_TABLES && !rc; i++) {
		const struct doctor_question *q = &doctor_tables[i];
		struct doctor_slot s = doctor_table_slot(v, i);

		rc = doctor_dump(sk, q->type, q->header, q->len, q->parse, q->size, s.array, s.n);
	}
	nl_socket_free(sk);
	if (rc)
		return err_sys(err, rc, "read the node's %s over netlink", what[i - 1]);
	v->netfilter = doctor_nl_rules(&v->rules, &v->n_rules, &v->chains, &v->n_chains);
	return v->netfilter == -ENOMEM ? err_sys(err, ENOMEM, "read nftables' rules") : 0;
}
