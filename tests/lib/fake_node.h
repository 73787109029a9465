/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_node.h - a node as rtnetlink shows it, for tests of the resolver.
 *
 * Tables say which links, addresses, routes, neighbours and namespace ids there are; node_answer()
 * answers as Linux 6 does. Namespaces are numbered as the host numbers them; HOST is its own. To
 * be included behind cmocka's headers, once a program.
 */
#ifndef TESTS_FAKE_NODE_H
#define TESTS_FAKE_NODE_H

#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "fake_kernel.h"
#include "host_root.h"
#include "podhop/addr.h"

#define HOST (-1)
#define ANY_NS (-2)
#define NODE_ROWS 64
#define NODE_MTU 1450
#define SELF_NSID 0 /* the host, as other namespaces number it */
#define STARVED 9 /* one more than netlink.c is patient */

struct node_link {
	int32_t ns;
	uint32_t index;
	const char *name, *kind;
	uint32_t iflink;
	int32_t peer_ns; /* IFLA_LINK_NETNSID; HOST: none */
	uint32_t master, flags;
	const char *mac;
	uint32_t vni, over; /* of a VXLAN device */
	const char *local;
};

struct node_addr {
	int32_t ns;
	uint32_t index;
	const char *prefix;
};

struct node_route {
	const char *dst;
	uint32_t oif;
	const char *via;
	uint8_t type, table; /* 0: unicast, main */
	uint32_t metric;
};

struct node_neigh {
	int family;
	uint32_t index;
	const char *mac, *dst;
};

static struct {
	const struct root *t;
	struct node_link link[NODE_ROWS];
	struct node_addr addr[NODE_ROWS];
	struct node_route route[NODE_ROWS];
	struct node_neigh neigh[NODE_ROWS];
	struct {
		const char *ns; /* as put_proc() and put_netns() name it */
		int32_t id;
	} nsid[NODE_ROWS];
	struct {
		pid_t pid;
		int32_t id;
	} pid[NODE_ROWS];
	struct {
		int type; /* RTM_GET* */
		int32_t ns;
		int error;
	} fault[NODE_ROWS];
	unsigned n_links, n_addrs, n_routes, n_neighs, n_nsids, n_pids, n_faults;
	bool ignores_target; /* a kernel that does not know IFLA_TARGET_NETNSID */
} node;

static inline struct node_link *has_link(struct node_link l)
{
	assert_true(node.n_links < NODE_ROWS);
	node.link[node.n_links] = l;
	return &node.link[node.n_links++];
}

static inline void has_addr(int32_t ns, uint32_t index, const char *prefix)
{
	assert_true(node.n_addrs < NODE_ROWS);
	node.addr[node.n_addrs++] = (struct node_addr){ ns, index, prefix };
}

static inline void has_route(struct node_route r)
{
	assert_true(node.n_routes < NODE_ROWS);
	node.route[node.n_routes++] = r;
}

static inline void has_neigh(int family, uint32_t index, const char *mac, const char *dst)
{
	assert_true(node.n_neighs < NODE_ROWS);
	node.neigh[node.n_neighs++] = (struct node_neigh){ family, index, mac, dst };
}

static inline void has_nsid(const char *ns, int32_t id)
{
	assert_true(node.n_nsids < NODE_ROWS);
	node.nsid[node.n_nsids].ns = ns;
	node.nsid[node.n_nsids++].id = id;
}

static inline void has_pid(pid_t pid, int32_t id)
{
	assert_true(node.n_pids < NODE_ROWS);
	node.pid[node.n_pids].pid = pid;
	node.pid[node.n_pids++].id = id;
}

/* That question is answered with an error; ENOBUFS: the kernel has no memory for the answer. */
static inline void has_fault(int type, int32_t ns, int error)
{
	assert_true(node.n_faults < NODE_ROWS);
	node.fault[node.n_faults].type = type;
	node.fault[node.n_faults].ns = ns;
	node.fault[node.n_faults++].error = error;
}

static inline struct node_link *link_named(int32_t ns, const char *name)
{
	for (unsigned i = 0; i < node.n_links; i++) {
		if (node.link[i].ns == ns && strcmp(node.link[i].name, name) == 0)
			return &node.link[i];
	}
	fail_msg("no link %s", name);
	return NULL;
}

/* An attribute of 4 or 16 bytes. */
static inline void reply_address(int type, const struct addr *a)
{
	if (addr_is_v4(a))
		reply_attr(type, a->b + 12, 4);
	else
		reply_attr(type, a->b, 16);
}

static inline struct addr node_ip(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static inline void reply_mac(int type, const char *text)
{
	struct mac m;

	assert_int_equal(mac_parse(text, &m), 0);
	reply_attr(type, m.b, sizeof(m.b));
}

static inline void node_linkinfo(const struct node_link *l)
{
	size_t info = reply_open(IFLA_LINKINFO), data;

	reply_attr(IFLA_INFO_KIND, l->kind, strlen(l->kind) + 1);
	if (l->vni) {
		data = reply_open(IFLA_INFO_DATA);
		reply_u32(IFLA_VXLAN_ID, l->vni);
		if (l->over)
			reply_u32(IFLA_VXLAN_LINK, l->over);
		reply_attr(IFLA_VXLAN_PORT, "\x21\x18", 2);
		if (l->local) {
			struct addr a = node_ip(l->local);

			reply_address(addr_is_v4(&a) ? IFLA_VXLAN_LOCAL : IFLA_VXLAN_LOCAL6, &a);
		}
		reply_close(data);
	}
	if (l->master) {
		reply_attr(IFLA_INFO_SLAVE_KIND, "bridge", 7);
		data = reply_open(IFLA_INFO_SLAVE_DATA);
		reply_attr(IFLA_BRPORT_STATE, &(const uint8_t){ BR_STATE_FORWARDING }, 1);
		reply_attr(IFLA_BRPORT_MODE, &(const uint8_t){ 1 }, 1);
		reply_close(data);
	}
	reply_close(info);
}

static inline void node_links(int32_t ns)
{
	for (unsigned i = 0; i < node.n_links; i++) {
		const struct node_link *l = &node.link[i];
		struct ifinfomsg ifi = { .ifi_index = (int)l->index, .ifi_flags = l->flags };

		if (l->ns != (node.ignores_target ? HOST : ns))
			continue;
		reply_begin(RTM_NEWLINK, NLM_F_MULTI, &ifi, sizeof(ifi));
		reply_attr(IFLA_IFNAME, l->name, strlen(l->name) + 1);
		reply_u32(IFLA_MTU, NODE_MTU);
		if (l->iflink)
			reply_u32(IFLA_LINK, l->iflink);
		if (l->peer_ns != HOST)
			reply_u32(IFLA_LINK_NETNSID, (uint32_t)l->peer_ns);
		if (l->master)
			reply_u32(IFLA_MASTER, l->master);
		if (l->mac)
			reply_mac(IFLA_ADDRESS, l->mac);
		if (l->ns != HOST)
			reply_u32(IFLA_TARGET_NETNSID, (uint32_t)l->ns);
		if (l->kind)
			node_linkinfo(l);
		reply_end();
	}
}

static inline void node_addrs(int32_t ns)
{
	for (unsigned i = 0; i < node.n_addrs; i++) {
		const struct node_addr *a = &node.addr[i];
		struct prefix p;
		struct ifaddrmsg ifa = { .ifa_index = a->index };

		if (a->ns != ns)
			continue;
		assert_int_equal(prefix_parse(a->prefix, &p), 0);
		ifa.ifa_family = addr_is_v4(&p.addr) ? AF_INET : AF_INET6;
		ifa.ifa_prefixlen = p.len;
		reply_begin(RTM_NEWADDR, NLM_F_MULTI, &ifa, sizeof(ifa));
		reply_address(IFA_ADDRESS, &p.addr);
		if (ns != HOST)
			reply_u32(IFA_TARGET_NETNSID, (uint32_t)ns);
		reply_end();
	}
}

static inline void node_routes(void)
{
	for (unsigned i = 0; i < node.n_routes; i++) {
		const struct node_route *r = &node.route[i];
		struct prefix p;
		struct rtmsg rtm = { .rtm_type = r->type ? r->type : RTN_UNICAST,
				     .rtm_table = r->table ? r->table : RT_TABLE_MAIN };

		assert_int_equal(prefix_parse(r->dst, &p), 0);
		rtm.rtm_family = addr_is_v4(&p.addr) ? AF_INET : AF_INET6;
		rtm.rtm_dst_len = p.len;
		reply_begin(RTM_NEWROUTE, NLM_F_MULTI, &rtm, sizeof(rtm));
		if (p.len)
			reply_address(RTA_DST, &p.addr);
		if (r->oif)
			reply_u32(RTA_OIF, r->oif);
		if (r->via) {
			struct addr via = node_ip(r->via);

			reply_address(RTA_GATEWAY, &via);
		}
		reply_u32(RTA_PRIORITY, r->metric);
		reply_end();
	}
}

static inline void node_neighs(int family)
{
	for (unsigned i = 0; i < node.n_neighs; i++) {
		const struct node_neigh *n = &node.neigh[i];
		struct ndmsg nd = { .ndm_family = (uint8_t)family, .ndm_ifindex = (int)n->index };
		struct addr dst = node_ip(n->dst);

		if (n->family != family)
			continue;
		reply_begin(RTM_NEWNEIGH, NLM_F_MULTI, &nd, sizeof(nd));
		reply_address(NDA_DST, &dst);
		reply_mac(NDA_LLADDR, n->mac);
		reply_end();
	}
}

/* The id of the namespace that an open file is; -1: it has none. */
static inline int32_t node_nsid_of(int fd)
{
	struct stat asked, st;
	char path[PATH_MAX];

	assert_int_equal(fstat(fd, &asked), 0);
	if (stat("/proc/self/ns/net", &st) == 0 && st.st_ino == asked.st_ino &&
	    st.st_dev == asked.st_dev)
		return SELF_NSID;
	for (unsigned i = 0; i < node.n_nsids; i++) {
		snprintf(path, sizeof(path), "%s/ns-%s", node.t->dir, node.nsid[i].ns);
		if (stat(path, &st) == 0 && st.st_ino == asked.st_ino)
			return node.nsid[i].id;
	}
	return -1;
}

static inline void node_nsid(const struct nlmsghdr *h)
{
	const struct rtgenmsg g = { .rtgen_family = AF_UNSPEC };
	uint32_t v;
	int32_t id = -1;

	if (request_u32(h, sizeof(g), NETNSA_FD, &v))
		id = node_nsid_of((int)v);
	else if (request_u32(h, sizeof(g), NETNSA_PID, &v)) {
		for (unsigned i = 0; i < node.n_pids; i++)
			id = node.pid[i].pid == (pid_t)v ? node.pid[i].id : id;
	}
	reply_begin(RTM_NEWNSID, 0, &g, sizeof(g));
	reply_u32(NETNSA_NSID, (uint32_t)id);
	reply_end();
}

static inline void node_answer(const struct nlmsghdr *h)
{
	uint32_t target = (uint32_t)HOST;
	struct ndmsg nd;

	if (h->nlmsg_type == RTM_GETLINK)
		(void)request_u32(h, sizeof(struct ifinfomsg), IFLA_TARGET_NETNSID, &target);
	else if (h->nlmsg_type == RTM_GETADDR)
		(void)request_u32(h, sizeof(struct ifaddrmsg), IFA_TARGET_NETNSID, &target);
	for (unsigned i = 0; i < node.n_faults; i++) {
		if (node.fault[i].type != h->nlmsg_type ||
		    (node.fault[i].ns != ANY_NS && node.fault[i].ns != (int32_t)target))
			continue;
		if (node.fault[i].error != ENOBUFS) {
			reply_error(node.fault[i].error);
			return;
		}
		for (unsigned k = 0; k < STARVED; k++)
			reply_fault(ENOBUFS);
		return;
	}
	switch (h->nlmsg_type) {
	case RTM_GETLINK:
		node_links((int32_t)target);
		break;
	case RTM_GETADDR:
		node_addrs((int32_t)target);
		break;
	case RTM_GETROUTE:
		node_routes();
		break;
	case RTM_GETNEIGH:
		memcpy(&nd, (const uint8_t *)h + NLMSG_HDRLEN, sizeof(nd));
		node_neighs(nd.ndm_family);
		break;
	case RTM_GETNSID:
		node_nsid(h);
		return;
	default:
		fail_msg("the node was asked for message %d", h->nlmsg_type);
	}
	reply_done(0, 0);
}

static inline void node_reset(const struct root *t)
{
	kernel_reset();
	memset(&node, 0, sizeof(node));
	node.t = t;
	kernel.answer = node_answer;
}

#endif
