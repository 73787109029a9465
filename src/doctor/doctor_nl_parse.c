/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_nl_parse.c - one netlink message to one row of a table.
 *
 * Theory of operation. libnl hands over whole messages and walks their attributes, so that one
 * which is cut or too long is not seen; what a message lacks stays zero. A value is read only where
 * it is as long as its type. Layouts: linux/rtnetlink.h, linux/if_link.h, linux/neighbour.h,
 * and for rules linux/netfilter/nf_tables.h, whose numbers are in network order.
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
#include <string.h>
#include <sys/socket.h>

#include "doctor_dump.h"

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

/* There, and not shorter than its type. */
static bool has(struct nlattr *a, size_t size)
{
	return a && nla_len(a) >= (int)size;
}

static uint32_t get_u32(struct nlattr *a)
{
	return has(a, sizeof(uint32_t)) ? nla_get_u32(a) : 0;
}

static uint16_t get_u16(struct nlattr *a)
{
	return has(a, sizeof(uint16_t)) ? nla_get_u16(a) : 0;
}

static uint8_t get_u8(struct nlattr *a)
{
	return has(a, sizeof(uint8_t)) ? nla_get_u8(a) : 0;
}

void doctor_attr_str(struct nlattr *a, char *out, size_t size)
{
	if (a)
		nla_strlcpy(out, a, size);
}

void doctor_attr_nested(struct nlattr *a[], int max, struct nlattr *nest)
{
	memset(a, 0, ((size_t)max + 1) * sizeof(*a));
	/* Without a policy libnl refuses nothing: it takes what is whole. */
	if (nest)
		(void)nla_parse_nested(a, max, nest, NULL);
}

/* -------------------------------------------------------------------- links */

static void parse_vxlan(struct nlattr *data, struct doctor_link *l)
{
	struct nlattr *a[IFLA_VXLAN_MAX + 1];

	doctor_attr_nested(a, IFLA_VXLAN_MAX, data);
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

	doctor_attr_nested(a, IFLA_BRPORT_MAX, data);
	l->is_port = true;
	l->port_state = get_u8(a[IFLA_BRPORT_STATE]);
	l->hairpin = get_u8(a[IFLA_BRPORT_MODE]) != 0;
	l->isolated = get_u8(a[IFLA_BRPORT_ISOLATED]) != 0;
}

static void parse_bridge(struct nlattr *data, struct doctor_link *l)
{
	struct nlattr *a[IFLA_BR_MAX + 1];

	doctor_attr_nested(a, IFLA_BR_MAX, data);
	l->vlan_filtering = get_u8(a[IFLA_BR_VLAN_FILTERING]) != 0;
	l->stp = get_u32(a[IFLA_BR_STP_STATE]) != 0;
}

static void parse_link_info(struct nlattr *info, struct doctor_link *l)
{
	struct nlattr *a[IFLA_INFO_MAX + 1];
	char slave[16] = "";

	doctor_attr_nested(a, IFLA_INFO_MAX, info);
	doctor_attr_str(a[IFLA_INFO_KIND], l->kind, sizeof(l->kind));
	doctor_attr_str(a[IFLA_INFO_SLAVE_KIND], slave, sizeof(slave));
	if (strcmp(l->kind, "vxlan") == 0)
		parse_vxlan(a[IFLA_INFO_DATA], l);
	if (strcmp(l->kind, "bridge") == 0)
		parse_bridge(a[IFLA_INFO_DATA], l);
	if (strcmp(slave, "bridge") == 0)
		parse_port(a[IFLA_INFO_SLAVE_DATA], l);
}

int doctor_nl_parse_link(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[IFLA_MAX + 1];
	struct doctor_link *l = to;
	struct ifinfomsg ifi;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(ifi), a, IFLA_MAX, NULL) < 0)
		return -EBADMSG;
	memcpy(&ifi, nlmsg_data(h), sizeof(ifi));
	doctor_attr_str(a[IFLA_IFNAME], l->name, sizeof(l->name));
	if (ifi.ifi_index <= 0 || !l->name[0])
		return -EBADMSG;
	l->ifindex = (uint32_t)ifi.ifi_index;
	l->flags = ifi.ifi_flags;
	l->link_netnsid = -1;
	if (has(a[IFLA_LINK_NETNSID], sizeof(uint32_t)))
		l->link_netnsid = (int32_t)get_u32(a[IFLA_LINK_NETNSID]);
	l->master = get_u32(a[IFLA_MASTER]);
	l->iflink = get_u32(a[IFLA_LINK]);
	l->mtu = get_u32(a[IFLA_MTU]);
	get_mac(a[IFLA_ADDRESS], &l->mac);
	parse_link_info(a[IFLA_LINKINFO], l);
	return 0;
}

/* --------------------------------------------------- addresses, routes, neighbours */

int doctor_nl_parse_addr(struct nlmsghdr *h, void *to)
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
	if (!get_addr(a[IFA_LOCAL] ? a[IFA_LOCAL] : a[IFA_ADDRESS], &i->prefix.addr) ||
	    i->prefix.len > (addr_is_v4(&i->prefix.addr) ? 32 : 128))
		return -EBADMSG;
	return 0;
}

/* The first next hop stands for all: flannel makes no multipath routes. */
static void parse_multipath(struct nlattr *mp, struct doctor_route *r)
{
	struct rtnexthop nh;
	size_t len = (size_t)nla_len(mp), n = sizeof(nh);

	if (len < n)
		return;
	memcpy(&nh, nla_data(mp), n);
	if (nh.rtnh_len < n || nh.rtnh_len > len)
		return;
	r->oif = (uint32_t)nh.rtnh_ifindex;
	r->nh_flags = nh.rtnh_flags;
	get_addr(nla_find((struct nlattr *)((char *)nla_data(mp) + n), (int)(nh.rtnh_len - n),
			  RTA_GATEWAY),
		 &r->gw);
}

int doctor_nl_parse_route(struct nlmsghdr *h, void *to)
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
	r->table = has(a[RTA_TABLE], sizeof(uint32_t)) ? get_u32(a[RTA_TABLE]) : rtm.rtm_table;
	r->nh_flags = rtm.rtm_flags;
	r->oif = get_u32(a[RTA_OIF]);
	r->metric = get_u32(a[RTA_PRIORITY]);
	r->dst.len = rtm.rtm_dst_len;
	if (!a[RTA_DST])
		r->dst.addr = r->v6 ? addr_from_v6(zero) : addr_from_v4(zero);
	else if (!get_addr(a[RTA_DST], &r->dst.addr))
		return -EBADMSG;
	/* ::ffff:0:0/96, which some nodes make unreachable, is no prefix of ours: see addr.h */
	if (addr_is_v4(&r->dst.addr) == r->v6 || r->dst.len > (r->v6 ? 128 : 32))
		return -EBADMSG;
	get_addr(a[RTA_GATEWAY], &r->gw);
	if (a[RTA_MULTIPATH])
		parse_multipath(a[RTA_MULTIPATH], r);
	return 0;
}

int doctor_nl_parse_neigh(struct nlmsghdr *h, void *to)
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
	return has(a, sizeof(uint64_t)) ? be64toh(nla_get_u64(a)) : 0;
}

/* NF_DROP is 0: what is not there, or cut, is no verdict. */
static bool is_drop(struct nlattr *verdict)
{
	return has(verdict, sizeof(uint32_t)) && get_be32(verdict) == NF_DROP;
}

int doctor_nl_parse_chain(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[NFTA_CHAIN_MAX + 1], *hook[NFTA_HOOK_MAX + 1];
	struct doctor_base_chain *c = to;
	struct nfgenmsg g;

	if (h->nlmsg_type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN) ||
	    nlmsg_parse(h, sizeof(g), a, NFTA_CHAIN_MAX, NULL) < 0)
		return -EBADMSG;
	if (!a[NFTA_CHAIN_HOOK])
		return -EBADMSG; /* no base chain */
	doctor_attr_nested(hook, NFTA_HOOK_MAX, a[NFTA_CHAIN_HOOK]);
	memcpy(&g, nlmsg_data(h), sizeof(g));
	c->family = g.nfgen_family;
	doctor_attr_str(a[NFTA_CHAIN_TABLE], c->table, sizeof(c->table));
	doctor_attr_str(a[NFTA_CHAIN_NAME], c->chain, sizeof(c->chain));
	c->hook = get_be32(hook[NFTA_HOOK_HOOKNUM]);
	c->drop = is_drop(a[NFTA_CHAIN_POLICY]);
	return 0;
}

static bool expr_drops(struct nlattr *data)
{
	struct nlattr *a[NFTA_IMMEDIATE_MAX + 1], *d[NFTA_DATA_MAX + 1], *v[NFTA_VERDICT_MAX + 1];

	doctor_attr_nested(a, NFTA_IMMEDIATE_MAX, data);
	doctor_attr_nested(d, NFTA_DATA_MAX, a[NFTA_IMMEDIATE_DATA]);
	doctor_attr_nested(v, NFTA_VERDICT_MAX, d[NFTA_DATA_VERDICT]);
	return is_drop(v[NFTA_VERDICT_CODE]);
}

/* True when this expression throws the packet away. */
static bool parse_expr(struct nlattr *e, struct doctor_rule *r)
{
	struct nlattr *a[NFTA_EXPR_MAX + 1], *d[NFTA_COUNTER_MAX + 1];
	char name[32] = "";

	doctor_attr_nested(a, NFTA_EXPR_MAX, e);
	doctor_attr_str(a[NFTA_EXPR_NAME], name, sizeof(name));
	if (strcmp(name, "reject") == 0) {
		r->reject = true;
		return true;
	}
	if (strcmp(name, "immediate") == 0)
		return expr_drops(a[NFTA_EXPR_DATA]);
	if (strcmp(name, "counter") == 0) {
		doctor_attr_nested(d, NFTA_COUNTER_MAX, a[NFTA_EXPR_DATA]);
		r->has_counter = true;
		r->packets = get_be64(d[NFTA_COUNTER_PACKETS]);
	} else if (strcmp(name, "target") == 0) {
		/* iptables-nft: an xtables target inside */
		struct nlattr *t[NFTA_TARGET_MAX + 1];
		char target[32] = "";

		doctor_attr_nested(t, NFTA_TARGET_MAX, a[NFTA_EXPR_DATA]);
		doctor_attr_str(t[NFTA_TARGET_NAME], target, sizeof(target));
		r->reject |= strcmp(target, "REJECT") == 0;
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
