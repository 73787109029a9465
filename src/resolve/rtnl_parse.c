/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtnl_parse.c - one rtnetlink message to a plain struct.
 *
 * Theory of operation. Layouts: linux/netlink.h, linux/rtnetlink.h, linux/if_link.h. Netlink speaks
 * host byte order; addresses and the VXLAN port are in network order. Headers
 * and attributes are copied out of the message, never cast onto it, and every
 * length is compared with what is left.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "podhop/bytes.h"

#define PARSE_ATTRS_MAX 1024 /* attributes of one level; the kernel defines under 80 */

struct attr {
	uint16_t type;
	struct bytes v;
};

/* Copies a fixed header out; false when it is not all there. */
static bool parse_take(struct bytes *b, void *to, size_t n)
{
	const uint8_t *p = bytes_take(b, n);

	if (p)
		memcpy(to, p, n);
	return p != NULL;
}

/* The next attribute; false at the end or at one that does not fit. */
static bool parse_attr(struct bytes *b, struct attr *a)
{
	struct nlattr h;
	size_t pad;

	if (!bytes_has(b, sizeof(h)) || !parse_take(b, &h, sizeof(h)))
		return false;
	if (h.nla_len < sizeof(h) || !bytes_has(b, h.nla_len - sizeof(h))) {
		b->over = true;
		return false;
	}
	a->type = h.nla_type & (uint16_t)NLA_TYPE_MASK;
	a->v = bytes_of(b->data + b->pos, h.nla_len - sizeof(h));
	bytes_skip(b, h.nla_len - sizeof(h));
	pad = (4 - (h.nla_len & 3)) & 3;
	bytes_skip(b, pad < bytes_left(b) ? pad : bytes_left(b));
	return true;
}

static uint32_t parse_u32(struct attr a)
{
	uint32_t v = 0;

	if (a.v.len >= sizeof(v))
		memcpy(&v, a.v.data, sizeof(v));
	return v;
}

static uint8_t parse_u8(struct attr a)
{
	return a.v.len >= 1 ? a.v.data[0] : 0;
}

static void parse_str(struct attr a, char *out, size_t size)
{
	size_t n = strnlen((const char *)a.v.data, a.v.len);

	if (n > size - 1)
		n = size - 1;
	memcpy(out, a.v.data, n);
	out[n] = 0;
}

/* An address by its length; false when it is of no family known. */
static bool parse_address(struct attr a, struct addr *ret)
{
	if (a.v.len == 4)
		*ret = addr_from_v4(a.v.data);
	else if (a.v.len == 16)
		*ret = addr_from_v6(a.v.data);
	else
		return false;
	return true;
}

static void parse_mac(struct attr a, struct mac *ret)
{
	if (a.v.len == sizeof(ret->b))
		memcpy(ret->b, a.v.data, sizeof(ret->b));
}

/* Checks the netlink header and gives what is behind it. */
static bool parse_begin(const void *msg, size_t len, uint16_t type, struct bytes *ret)
{
	struct nlmsghdr h;

	*ret = bytes_of(msg, len);
	if (!parse_take(ret, &h, sizeof(h)))
		return false;
	if (h.nlmsg_type != type || h.nlmsg_len < sizeof(h) || h.nlmsg_len > len)
		return false;
	*ret = bytes_of((const uint8_t *)msg + sizeof(h), h.nlmsg_len - sizeof(h));
	return true;
}

static void parse_vxlan(struct bytes b, struct resolve_link *ret)
{
	struct attr a;

	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		switch (a.type) {
		case IFLA_VXLAN_ID:
			ret->vxlan_vni = parse_u32(a);
			break;
		case IFLA_VXLAN_LINK:
			ret->vxlan_link = parse_u32(a);
			break;
		case IFLA_VXLAN_PORT:
			if (a.v.len >= 2)
				ret->vxlan_port = bytes_load_be16(a.v.data);
			break;
		case IFLA_VXLAN_LOCAL:
			if (a.v.len == 4)
				parse_address(a, &ret->vxlan_local);
			break;
		case IFLA_VXLAN_LOCAL6:
			if (a.v.len == 16 && parse_address(a, &ret->vxlan_local))
				ret->vxlan_v6 = true;
			break;
		case IFLA_VXLAN_GROUP6:
			ret->vxlan_v6 = true;
			break;
		default:
			break;
		}
	}
}

static void parse_bridge_port(struct bytes b, struct resolve_link *ret)
{
	struct attr a;

	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		if (a.type == IFLA_BRPORT_STATE)
			ret->l.port_state = parse_u8(a);
		else if (a.type == IFLA_BRPORT_MODE)
			ret->l.hairpin = parse_u8(a) != 0;
	}
}

static void parse_linkinfo(struct bytes b, struct resolve_link *ret)
{
	struct bytes data = bytes_of(NULL, 0), slave = bytes_of(NULL, 0);
	struct attr a;

	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		switch (a.type) {
		case IFLA_INFO_KIND:
			parse_str(a, ret->l.kind, sizeof(ret->l.kind));
			break;
		case IFLA_INFO_DATA:
			data = a.v;
			break;
		case IFLA_INFO_SLAVE_KIND:
			parse_str(a, ret->slave_kind, sizeof(ret->slave_kind));
			break;
		case IFLA_INFO_SLAVE_DATA:
			slave = a.v;
			break;
		default:
			break;
		}
	}
	/* what the data mean depends on the kind, whichever came first */
	if (strcmp(ret->l.kind, "vxlan") == 0)
		parse_vxlan(data, ret);
	if (strcmp(ret->slave_kind, "bridge") == 0)
		parse_bridge_port(slave, ret);
}

int resolve_parse_link(const void *msg, size_t len, struct resolve_link *ret)
{
	struct resolve_link l = { .target_nsid = -1 };
	struct ifinfomsg ifi;
	struct bytes b;
	struct attr a;

	l.l.link_netnsid = -1;
	l.l.port_state = -1;
	if (!parse_begin(msg, len, RTM_NEWLINK, &b) || !parse_take(&b, &ifi, sizeof(ifi)))
		return -EBADMSG;
	if (ifi.ifi_index <= 0)
		return -EBADMSG;
	l.l.ifindex = (uint32_t)ifi.ifi_index;
	l.l.flags = ifi.ifi_flags;
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		switch (a.type) {
		case IFLA_IFNAME:
			parse_str(a, l.l.name, sizeof(l.l.name));
			break;
		case IFLA_LINK:
			l.l.iflink = parse_u32(a);
			l.has_iflink = true;
			break;
		case IFLA_LINK_NETNSID:
			l.l.link_netnsid = (int32_t)parse_u32(a);
			break;
		case IFLA_TARGET_NETNSID:
			l.target_nsid = (int32_t)parse_u32(a);
			break;
		case IFLA_MASTER:
			l.l.master = parse_u32(a);
			break;
		case IFLA_MTU:
			l.l.mtu = parse_u32(a);
			break;
		case IFLA_ADDRESS:
			parse_mac(a, &l.l.mac);
			break;
		case IFLA_OPERSTATE:
			l.l.operstate = parse_u8(a);
			break;
		case IFLA_LINKINFO:
			parse_linkinfo(a.v, &l);
			break;
		default:
			break;
		}
	}
	if (b.over || !l.l.name[0])
		return -EBADMSG;
	/*
	 * Kernels before 5.2 left IFLA_LINK out where both ends of a pair have
	 * the same index (fixed by commit feadc4b6cf42).
	 */
	if (l.l.link_netnsid >= 0 && !l.has_iflink && strcmp(l.l.kind, "veth") == 0) {
		l.l.iflink = l.l.ifindex;
		l.has_iflink = true;
	}
	*ret = l;
	return 0;
}

int resolve_parse_addr(const void *msg, size_t len, struct resolve_ifaddr *ret)
{
	struct resolve_ifaddr r = { .target_nsid = -1 };
	struct addr address = { { 0 } }, local = { { 0 } };
	struct ifaddrmsg ifa;
	struct bytes b;
	struct attr a;

	if (!parse_begin(msg, len, RTM_NEWADDR, &b) || !parse_take(&b, &ifa, sizeof(ifa)))
		return -EBADMSG;
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		switch (a.type) {
		case IFA_ADDRESS:
			parse_address(a, &address);
			break;
		case IFA_LOCAL:
			parse_address(a, &local);
			break;
		case IFA_TARGET_NETNSID:
			r.target_nsid = (int32_t)parse_u32(a);
			break;
		default:
			break;
		}
	}
	/* on a point-to-point device IFA_ADDRESS is the peer's */
	r.prefix.addr = addr_is_none(&local) ? address : local;
	if (b.over || addr_is_none(&r.prefix.addr) ||
	    ifa.ifa_prefixlen > (addr_is_v4(&r.prefix.addr) ? 32 : 128))
		return -EBADMSG;
	r.prefix.len = ifa.ifa_prefixlen;
	r.ifindex = ifa.ifa_index;
	r.scope = ifa.ifa_scope;
	*ret = r;
	return 0;
}

static void parse_metrics(struct bytes b, struct resolve_route *ret)
{
	struct attr a;

	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		if (a.type == RTAX_MTU)
			ret->mtu = parse_u32(a);
	}
}

/* The first of several next hops stands for all: they lead to the same place. */
static void parse_multipath(struct bytes b, struct resolve_route *ret)
{
	struct rtnexthop nh;
	struct bytes sub;
	struct attr a;

	if (!parse_take(&b, &nh, sizeof(nh)) || nh.rtnh_len < sizeof(nh) ||
	    !bytes_has(&b, nh.rtnh_len - sizeof(nh)))
		return;
	ret->oif = nh.rtnh_ifindex > 0 ? (uint32_t)nh.rtnh_ifindex : 0;
	sub = bytes_of(b.data + b.pos, nh.rtnh_len - sizeof(nh));
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&sub, &a); i++) {
		if (a.type == RTA_GATEWAY)
			parse_address(a, &ret->gw);
	}
}

int resolve_parse_route(const void *msg, size_t len, struct resolve_route *ret)
{
	static const uint8_t any[16];
	struct resolve_route r = { .type = 0 };
	struct bytes b, via;
	struct rtmsg rtm;
	struct attr a;
	uint16_t family;

	if (!parse_begin(msg, len, RTM_NEWROUTE, &b) || !parse_take(&b, &rtm, sizeof(rtm)))
		return -EBADMSG;
	if (rtm.rtm_family != AF_INET && rtm.rtm_family != AF_INET6)
		return -EAFNOSUPPORT;
	r.v6 = rtm.rtm_family == AF_INET6;
	if (rtm.rtm_dst_len > (r.v6 ? 128 : 32))
		return -EBADMSG;
	r.type = rtm.rtm_type;
	r.table = rtm.rtm_table;
	r.flags = rtm.rtm_flags;
	r.dst.len = rtm.rtm_dst_len;
	r.dst.addr = r.v6 ? addr_from_v6(any) : addr_from_v4(any);
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		switch (a.type) {
		case RTA_DST:
			if (a.v.len != (r.v6 ? 16u : 4u) || !parse_address(a, &r.dst.addr))
				return -EBADMSG;
			break;
		case RTA_OIF:
			r.oif = parse_u32(a);
			break;
		case RTA_GATEWAY:
			parse_address(a, &r.gw);
			break;
		case RTA_VIA: /* a gateway of the other family */
			via = a.v;
			if (parse_take(&via, &family, sizeof(family))) {
				a.v = bytes_of(via.data + via.pos, bytes_left(&via));
				parse_address(a, &r.gw);
			}
			break;
		case RTA_TABLE:
			r.table = parse_u32(a);
			break;
		case RTA_PRIORITY:
			r.metric = parse_u32(a);
			break;
		case RTA_METRICS:
			parse_metrics(a.v, &r);
			break;
		case RTA_MULTIPATH:
			parse_multipath(a.v, &r);
			break;
		default:
			break;
		}
	}
	/* ::ffff:0:0/96, which some nodes make unreachable, is no prefix of ours: see addr.h */
	if (b.over || addr_is_v4(&r.dst.addr) == r.v6)
		return -EBADMSG;
	*ret = r;
	return 0;
}

int resolve_parse_neigh(const void *msg, size_t len, struct resolve_neigh *ret)
{
	struct resolve_neigh n = { .ifindex = 0 };
	struct ndmsg nd;
	struct bytes b;
	struct attr a;

	if (!parse_begin(msg, len, RTM_NEWNEIGH, &b) || !parse_take(&b, &nd, sizeof(nd)))
		return -EBADMSG;
	if (nd.ndm_ifindex <= 0)
		return -EBADMSG;
	n.ifindex = (uint32_t)nd.ndm_ifindex;
	n.state = nd.ndm_state;
	n.flags = nd.ndm_flags;
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		if (a.type == NDA_DST)
			parse_address(a, &n.dst);
		else if (a.type == NDA_LLADDR)
			parse_mac(a, &n.mac);
	}
	if (b.over)
		return -EBADMSG;
	*ret = n;
	return 0;
}

int resolve_parse_nsid(const void *msg, size_t len, int32_t *ret)
{
	struct rtgenmsg g;
	struct bytes b;
	struct attr a;

	/* rtgenmsg is one byte, padded to four */
	if (!parse_begin(msg, len, RTM_NEWNSID, &b) || !parse_take(&b, &g, sizeof(g)))
		return -EBADMSG;
	bytes_skip(&b, NLMSG_ALIGN(sizeof(g)) - sizeof(g));
	for (unsigned i = 0; i < PARSE_ATTRS_MAX && parse_attr(&b, &a); i++) {
		if (a.type == NETNSA_NSID && a.v.len >= 4) {
			*ret = (int32_t)parse_u32(a);
			return 0;
		}
	}
	return -EBADMSG;
}
