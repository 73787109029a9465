/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtnl.c - rtnetlink requests and dumps, also about other network namespaces.
 *
 * Theory of operation. Requests are raw because libnl 3.7 cannot express a target namespace.
 * Strict checking is on, or the kernel ignores IFA_TARGET_NETNSID and answers with the host's
 * own addresses; an answer of another nsid than the one that was asked for is none.
 * Nothing is ever changed: only RTM_GET* is sent. How: src/netlink.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "podhop/netlink.h"

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif
#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

struct resolve_rtnl {
	struct nl_sock *sk;
	bool strict;
	int lacked; /* -errno of a question that had no answer for want of memory or time */
};

struct resolve_rtnl *resolve_rtnl_open(struct err *err)
{
	struct resolve_rtnl *rt = calloc(1, sizeof(*rt));
	const int on = 1;

	if (!rt) {
		err_sys(err, ENOMEM, "netlink socket");
		return NULL;
	}
	if (netlink_open(NETLINK_ROUTE, &rt->sk, err) < 0) {
		resolve_rtnl_free(rt);
		return NULL;
	}
	/* since Linux 4.20; without it target addresses come from /proc */
	rt->strict = setsockopt(nl_socket_get_fd(rt->sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
				sizeof(on)) == 0;
	return rt;
}

void resolve_rtnl_free(struct resolve_rtnl *rt)
{
	if (!rt)
		return;
	nl_socket_free(rt->sk);
	free(rt);
}

/* Who asks takes a failure for "there is none"; of these it is noted that there may be one. */
static int rtnl_lacks(struct resolve_rtnl *rt, int rc)
{
	if (!rt->lacked && (rc == -ENOMEM || rc == -ENOBUFS || rc == -EAGAIN))
		rt->lacked = rc;
	return rc;
}

int resolve_rtnl_lacked(struct resolve_rtnl *rt)
{
	int rc = rt->lacked;

	rt->lacked = 0;
	return rc;
}

/* A dump request: fixed header, then the target's nsid where one is asked for. */
static struct nl_msg *rtnl_request(int type, const void *header, size_t len, int nsid_attr,
				   int32_t nsid)
{
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);

	if (!msg)
		return NULL;
	if (nlmsg_append(msg, (void *)(uintptr_t)header, len, NLMSG_ALIGNTO) < 0)
		goto fail;
	if (nsid >= 0 && nla_put_s32(msg, nsid_attr, nsid) < 0)
		goto fail;
	/* counters are half of a link message, and not asked for */
	if (type == RTM_GETLINK && nla_put_u32(msg, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS) < 0)
		goto fail;
	return msg;
fail:
	nlmsg_free(msg);
	return NULL;
}

/* Rows of `size` bytes, whose target's nsid, where one was asked for, stands at nsid_at. */
static bool rtnl_is_of(const struct netlink_rows *rows, int32_t nsid, size_t nsid_at)
{
	int32_t told;

	for (unsigned i = 0; i < rows->n; i++) {
		memcpy(&told, (char *)rows->array + i * rows->size + nsid_at, sizeof(told));
		if (told != nsid)
			return false;
	}
	return true;
}

static int rtnl_dump(struct resolve_rtnl *rt, struct nl_msg *msg, struct netlink_rows *rows)
{
	int rc = msg ? netlink_dump(rt->sk, msg, rows) : -ENOMEM;

	if (!rc && rows->full) {
		free(rows->array);
		rc = -ENOMEM;
	}
	return rtnl_lacks(rt, rc);
}

/* The same of another namespace, by a kernel that may ignore which one was asked for. */
static int rtnl_dump_of(struct resolve_rtnl *rt, struct nl_msg *msg, int32_t nsid, size_t nsid_at,
			struct netlink_rows *rows)
{
	int rc = rtnl_dump(rt, msg, rows);

	if (rc || nsid < 0 || rtnl_is_of(rows, nsid, nsid_at))
		return rc;
	free(rows->array);
	return -EOPNOTSUPP;
}

static int rtnl_parse_link(struct nlmsghdr *h, void *to)
{
	return resolve_parse_link(h, h->nlmsg_len, to);
}

static int rtnl_parse_addr(struct nlmsghdr *h, void *to)
{
	return resolve_parse_addr(h, h->nlmsg_len, to);
}

static int rtnl_parse_route(struct nlmsghdr *h, void *to)
{
	return resolve_parse_route(h, h->nlmsg_len, to);
}

static int rtnl_parse_neigh(struct nlmsghdr *h, void *to)
{
	return resolve_parse_neigh(h, h->nlmsg_len, to);
}

int resolve_rtnl_links(struct resolve_rtnl *rt, int32_t nsid, struct resolve_link **ret,
		       unsigned *ret_n)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct netlink_rows r = { .parse = rtnl_parse_link,
				  .size = sizeof(struct resolve_link),
				  .max = RESOLVE_LINKS_MAX };
	int rc = rtnl_dump_of(
		rt, rtnl_request(RTM_GETLINK, &ifi, sizeof(ifi), IFLA_TARGET_NETNSID, nsid), nsid,
		offsetof(struct resolve_link, target_nsid), &r);

	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

int resolve_rtnl_addrs(struct resolve_rtnl *rt, int32_t nsid, struct resolve_ifaddr **ret,
		       unsigned *ret_n)
{
	struct ifaddrmsg ifa = { .ifa_family = AF_UNSPEC };
	struct netlink_rows r = { .parse = rtnl_parse_addr,
				  .size = sizeof(struct resolve_ifaddr),
				  .max = RESOLVE_LINKS_MAX };
	int rc;

	if (nsid >= 0 && !rt->strict)
		return -EOPNOTSUPP;
	rc = rtnl_dump_of(rt,
			  rtnl_request(RTM_GETADDR, &ifa, sizeof(ifa), IFA_TARGET_NETNSID, nsid),
			  nsid, offsetof(struct resolve_ifaddr, target_nsid), &r);
	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

int resolve_rtnl_routes(struct resolve_rtnl *rt, struct resolve_route **ret, unsigned *ret_n)
{
	struct rtmsg rtm = { .rtm_family = AF_UNSPEC };
	struct netlink_rows r = { .parse = rtnl_parse_route,
				  .size = sizeof(struct resolve_route),
				  .max = RESOLVE_LINKS_MAX };
	int rc = rtnl_dump(rt, rtnl_request(RTM_GETROUTE, &rtm, sizeof(rtm), 0, -1), &r);

	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

int resolve_rtnl_neighs(struct resolve_rtnl *rt, int family, struct resolve_neigh **ret,
			unsigned *ret_n)
{
	struct ndmsg nd = { .ndm_family = (uint8_t)family };
	struct netlink_rows r = { .parse = rtnl_parse_neigh,
				  .size = sizeof(struct resolve_neigh),
				  .max = RESOLVE_LINKS_MAX };
	int rc = rtnl_dump(rt, rtnl_request(RTM_GETNEIGH, &nd, sizeof(nd), 0, -1), &r);

	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

static int rtnl_parse_nsid(struct nlmsghdr *h, void *to)
{
	return resolve_parse_nsid(h, h->nlmsg_len, to);
}

int resolve_rtnl_nsid(struct resolve_rtnl *rt, int fd, pid_t pid, int32_t *ret)
{
	struct rtgenmsg g = { .rtgen_family = AF_UNSPEC };
	struct netlink_rows r = { .parse = rtnl_parse_nsid, .size = sizeof(int32_t), .max = 1 };
	struct nl_msg *msg = nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST);
	int rc;

	if (!msg)
		return rtnl_lacks(rt, -ENOMEM);
	if (nlmsg_append(msg, &g, sizeof(g), NLMSG_ALIGNTO) < 0 ||
	    nla_put_u32(msg, fd >= 0 ? NETNSA_FD : NETNSA_PID, (uint32_t)(fd >= 0 ? fd : pid)) <
		    0) {
		nlmsg_free(msg);
		return rtnl_lacks(rt, -ENOMEM);
	}
	rc = rtnl_lacks(rt, netlink_ask(rt->sk, msg, &r));
	if (!rc && (r.n != 1 || r.full))
		rc = -EBADMSG;
	if (!rc)
		memcpy(ret, r.array, sizeof(*ret));
	free(r.array);
	return rc;
}
