/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rtnl.c - rtnetlink requests and dumps over one libnl socket.
 *
 * Theory of operation. Requests are raw because libnl 3.7 cannot express a
 * target namespace. Four traps of that interface are handled here, for all
 * callers:
 *  - auto-ack is off, or an extra ACK behind a GETNSID reply would put the
 *    socket out of step;
 *  - strict checking is on, or the kernel ignores IFA_TARGET_NETNSID and answers
 *    with the host's own addresses; a reply without the target's nsid is dropped;
 *  - a failed dump ends in NLMSG_DONE with a negative errno as payload, which
 *    libnl does not read: the finish callback does;
 *  - a dump that changed under way (NLE_DUMP_INTR) is repeated;
 *  - ENOBUFS in a dump is no end of it: the kernel lacked memory for the next part, and makes it
 *    at the next call (netlink_dump() in net/netlink/af_netlink.c). libnl calls that, and a failed
 *    allocation of its own, NLE_NOMEM; errno tells which. The rest is read and the dump repeated.
 * Nothing is ever changed: only RTM_GET* is sent.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/net_namespace.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/log.h"
#include <sys/socket.h>

#ifndef NETLINK_GET_STRICT_CHK
#define NETLINK_GET_STRICT_CHK 12
#endif
#ifndef RTEXT_FILTER_SKIP_STATS
#define RTEXT_FILTER_SKIP_STATS (1 << 3)
#endif

#define RTNL_RETRIES 8 /* of an interrupted dump; then what it gave is used */
#define RTNL_MSG_BUF 65536 /* one recvmsg; the kernel fills at most 32 KiB */
#define RTNL_TIMEOUT_S 10 /* the kernel answers at once; this only ends a hang */

struct resolve_rtnl {
	struct nl_sock *sk;
	bool strict;
	int lacked; /* -errno of a question that had no answer for want of memory or time */
};

/* What the callbacks of one request collect. */
struct rtnl_reply {
	int (*parse)(const void *msg, size_t len, void *to);
	void *array;
	unsigned n;
	size_t size;
	int32_t nsid; /* of the target; -1: host */
	size_t nsid_at; /* offset of target_nsid in an element */
	int error;
	bool done;
};

static int rtnl_errno(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : nlerr) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_NODEV:
		return -ENODEV;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	default:
		return -EIO;
	}
}

struct resolve_rtnl *resolve_rtnl_open(struct err *err)
{
	struct timeval tv = { .tv_sec = RTNL_TIMEOUT_S };
	struct resolve_rtnl *rt = calloc(1, sizeof(*rt));
	int on = 1, rc;

	if (!rt) {
		err_sys(err, ENOMEM, "netlink socket");
		return NULL;
	}
	rt->sk = nl_socket_alloc();
	if (!rt->sk) {
		err_sys(err, ENOMEM, "netlink socket");
		goto out;
	}
	nl_socket_disable_auto_ack(rt->sk);
	rc = nl_connect(rt->sk, NETLINK_ROUTE);
	if (rc) {
		err_set(err, rtnl_errno(rc), "netlink socket: %s", nl_geterror(rc));
		goto out;
	}
	nl_socket_set_msg_buf_size(rt->sk, RTNL_MSG_BUF);
	setsockopt(nl_socket_get_fd(rt->sk), SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	/* since Linux 4.20; without it target addresses come from /proc */
	rt->strict = setsockopt(nl_socket_get_fd(rt->sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on,
				sizeof(on)) == 0;
	return rt;
out:
	resolve_rtnl_free(rt);
	return NULL;
}

void resolve_rtnl_free(struct resolve_rtnl *rt)
{
	if (!rt)
		return;
	nl_socket_free(rt->sk);
	free(rt);
}

static int rtnl_on_valid(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	struct rtnl_reply *r = arg;
	int32_t nsid;
	char *to;
	int rc;

	to = resolve_grow(&r->array, &r->n, r->size, RESOLVE_LINKS_MAX);
	if (!to) {
		r->error = -ENOMEM;
		return NL_SKIP;
	}
	rc = r->parse(h, h->nlmsg_len, to);
	if (!rc && r->nsid >= 0) {
		memcpy(&nsid, to + r->nsid_at, sizeof(nsid));
		if (nsid != r->nsid) {
			/* answered for another namespace: the kernel ignores the attribute */
			r->error = -EOPNOTSUPP;
			rc = -1;
		}
	}
	if (rc)
		r->n--;
	return NL_OK;
}

static int rtnl_on_finish(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	struct rtnl_reply *r = arg;
	int code = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(code)) {
		memcpy(&code, nlmsg_data(h), sizeof(code));
		if (code < 0)
			r->error = code;
	}
	r->done = true;
	return NL_STOP;
}

static int rtnl_on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct rtnl_reply *r = arg;

	(void)from;
	r->error = e->error ? e->error : 0;
	r->done = true;
	return NL_STOP;
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

/* Sends msg (taken) and collects until the dump, or the one answer, has come. */
static int rtnl_talk(struct resolve_rtnl *rt, struct nl_msg *msg, bool dump, struct rtnl_reply *r)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	bool interrupted = false;
	unsigned starved = 0;
	int rc = -NLE_NOMEM, why = 0;
	bool again;

	if (!cb)
		goto out;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, rtnl_on_valid, r);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, rtnl_on_finish, r);
	nl_cb_err(cb, NL_CB_CUSTOM, rtnl_on_error, r);
	rc = nl_send_auto(rt->sk, msg);
	if (rc < 0)
		goto out;
	do {
		errno = 0;
		rc = nl_recvmsgs(rt->sk, cb);
		why = errno;
		/* reported behind the message that says so; the rest still comes */
		again = rc == -NLE_NOMEM && why == ENOBUFS && starved++ < RTNL_RETRIES;
		if (rc == -NLE_DUMP_INTR || again)
			interrupted = true;
		else if (rc < 0)
			break;
	} while (again || (dump && !r->done));
	if (r->error)
		rc = 0;
out:
	nl_cb_put(cb);
	nlmsg_free(msg);
	if (rc < 0 && rc != -NLE_DUMP_INTR)
		return rtnl_lacks(rt, why == ENOBUFS ? -ENOBUFS : rtnl_errno(rc));
	if (r->error)
		return rtnl_lacks(rt, r->error);
	return interrupted && dump ? -EINTR : 0;
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

static int rtnl_dump(struct resolve_rtnl *rt, int type, const void *header, size_t len,
		     int nsid_attr, struct rtnl_reply *r)
{
	int rc = -EINTR;

	for (int i = 0; i < RTNL_RETRIES && rc == -EINTR; i++) {
		struct nl_msg *msg = rtnl_request(type, header, len, nsid_attr, r->nsid);

		free(r->array);
		r->array = NULL;
		r->n = 0;
		r->error = 0;
		r->done = false;
		if (!msg)
			return rtnl_lacks(rt, -ENOMEM);
		rc = rtnl_talk(rt, msg, true, r);
	}
	/* each message is right by itself */
	if (rc == -EINTR) {
		log_warn("netlink", "what was read changed each time: some of it may be missing");
		rc = 0;
	}
	if (rc) {
		free(r->array);
		r->array = NULL;
		r->n = 0;
	}
	return rc;
}

static int rtnl_parse_link(const void *msg, size_t len, void *to)
{
	return resolve_parse_link(msg, len, to);
}

static int rtnl_parse_addr(const void *msg, size_t len, void *to)
{
	return resolve_parse_addr(msg, len, to);
}

static int rtnl_parse_route(const void *msg, size_t len, void *to)
{
	return resolve_parse_route(msg, len, to);
}

static int rtnl_parse_neigh(const void *msg, size_t len, void *to)
{
	return resolve_parse_neigh(msg, len, to);
}

int resolve_rtnl_links(struct resolve_rtnl *rt, int32_t nsid, struct resolve_link **ret,
		       unsigned *ret_n)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct rtnl_reply r = {
		.parse = rtnl_parse_link,
		.size = sizeof(struct resolve_link),
		.nsid = nsid,
		.nsid_at = offsetof(struct resolve_link, target_nsid),
	};
	int rc = rtnl_dump(rt, RTM_GETLINK, &ifi, sizeof(ifi), IFLA_TARGET_NETNSID, &r);

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
	struct rtnl_reply r = {
		.parse = rtnl_parse_addr,
		.size = sizeof(struct resolve_ifaddr),
		.nsid = nsid,
		.nsid_at = offsetof(struct resolve_ifaddr, target_nsid),
	};
	int rc;

	if (nsid >= 0 && !rt->strict)
		return -EOPNOTSUPP;
	rc = rtnl_dump(rt, RTM_GETADDR, &ifa, sizeof(ifa), IFA_TARGET_NETNSID, &r);
	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

int resolve_rtnl_routes(struct resolve_rtnl *rt, struct resolve_route **ret, unsigned *ret_n)
{
	struct rtmsg rtm = { .rtm_family = AF_UNSPEC };
	struct rtnl_reply r = {
		.parse = rtnl_parse_route,
		.size = sizeof(struct resolve_route),
		.nsid = -1,
	};
	int rc = rtnl_dump(rt, RTM_GETROUTE, &rtm, sizeof(rtm), 0, &r);

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
	struct rtnl_reply r = {
		.parse = rtnl_parse_neigh,
		.size = sizeof(struct resolve_neigh),
		.nsid = -1,
	};
	int rc = rtnl_dump(rt, RTM_GETNEIGH, &nd, sizeof(nd), 0, &r);

	if (!rc) {
		*ret = r.array;
		*ret_n = r.n;
	}
	return rc;
}

static int rtnl_parse_nsid(const void *msg, size_t len, void *to)
{
	return resolve_parse_nsid(msg, len, to);
}

int resolve_rtnl_nsid(struct resolve_rtnl *rt, int fd, pid_t pid, int32_t *ret)
{
	struct rtgenmsg g = { .rtgen_family = AF_UNSPEC };
	struct rtnl_reply r = {
		.parse = rtnl_parse_nsid,
		.size = sizeof(int32_t),
		.nsid = -1,
	};
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
	rc = rtnl_talk(rt, msg, false, &r);
	if (!rc && r.n != 1)
		rc = -EBADMSG;
	if (!rc)
		memcpy(ret, r.array, sizeof(*ret));
	free(r.array);
	return rc;
}
