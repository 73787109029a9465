/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conntrack.c - ctnetlink: a dump, then events, of translated connections.
 *
 * Theory of operation
 *
 * The kernel decides on a connection's translation with its first packet, and tells it when
 * that packet has passed the last hook (IPCTNL_MSG_CT_NEW): before it is handed to the device
 * behind the translation, so before the tap there stamps it. Whoever reads the events after
 * the rings knows of each connection before its translated packets.
 *
 * Later events of a connection (state, end) say nothing new, so the group of new ones alone is
 * joined. Of these a program in the socket keeps what was translated (CTA_STATUS): a busy node
 * opens thousands of connections a second, most of them plain.
 *
 * The dump uses a socket of its own: events that arrive while it runs stay queued on the
 * other one. A connection in both is told twice, which changes nothing. It is left out where
 * the kernel counts no connection: those that begin after the count send events as well.
 */
#include "podhop/conntrack.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netlink/addr.h>
#include <netlink/attr.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netfilter/ct.h>
#include <netlink/netfilter/nfnl.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "podhop/netlink.h"

#define CONNTRACK_SOCKET_BYTES (4 << 20) /* some 8,000 events between two looks */
#define CONNTRACK_READS_MAX 4096 /* a look: frames wait meanwhile */

#define TRANSLATED (IPS_SRC_NAT | IPS_DST_NAT)
#define FROM_ORIGINAL 0 /* libnl's "repl" argument */
#define FROM_REPLY 1

struct conntrack {
	struct nl_sock *events;
	conntrack_sink *sink;
	void *arg;
	int told;
};

/* ----------------------------------------------------------------- messages */

static bool address_of(const struct nl_addr *from, struct addr *to)
{
	if (!from)
		return false;
	switch (nl_addr_get_len(from)) {
	case 4:
		*to = addr_from_v4(nl_addr_get_binary_addr(from));
		return true;
	case 16:
		*to = addr_from_v6(nl_addr_get_binary_addr(from));
		return true;
	default:
		return false;
	}
}

static bool tuple_of(const struct nfnl_ct *ct, int side, struct result_tuple *to)
{
	*to = (struct result_tuple){ .protocol = nfnl_ct_get_proto(ct), .has_ports = true };
	if (!address_of(nfnl_ct_get_src(ct, side), &to->src) ||
	    !address_of(nfnl_ct_get_dst(ct, side), &to->dst))
		return false;
	switch (to->protocol) {
	case MODEL_PROTO_TCP:
	case MODEL_PROTO_UDP:
	case MODEL_PROTO_SCTP:
		if (!nfnl_ct_test_src_port(ct, side) || !nfnl_ct_test_dst_port(ct, side))
			return false;
		to->sport = nfnl_ct_get_src_port(ct, side);
		to->dport = nfnl_ct_get_dst_port(ct, side);
		return true;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		if (!nfnl_ct_test_icmp_id(ct, side))
			return false;
		to->sport = nfnl_ct_get_icmp_id(ct, side);
		return true;
	default:
		return false;
	}
}

bool conntrack_parse(const void *msg, size_t len, struct result_tuple *ret_original,
		     struct result_tuple *ret_reply)
{
	const struct nlmsghdr *h = msg;
	struct result_tuple original, reply;
	struct nfnl_ct *ct = NULL;
	bool sound;

	if (len < sizeof(*h) || h->nlmsg_len < sizeof(*h) + sizeof(struct nfgenmsg) ||
	    h->nlmsg_len > len || h->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
		return false;
	/* libnl changes nothing in it; its argument is not const by oversight */
	if (nfnlmsg_ct_parse((struct nlmsghdr *)(uintptr_t)h, &ct) < 0)
		return false;
	sound = (nfnl_ct_get_status(ct) & TRANSLATED) && tuple_of(ct, FROM_ORIGINAL, &original) &&
		tuple_of(ct, FROM_REPLY, &reply);
	nfnl_ct_put(ct);
	if (!sound)
		return false;
	*ret_original = original;
	*ret_reply = reply;
	return true;
}

static void take(void *arg, struct nlmsghdr *h)
{
	struct result_tuple original, reply;
	struct conntrack *c = arg;

	if (!conntrack_parse(h, h->nlmsg_len, &original, &reply))
		return;
	c->sink(c->arg, &original, &reply);
	c->told++;
}

static int on_event(struct nl_msg *msg, void *arg)
{
	take(arg, nlmsg_hdr(msg));
	return NL_OK;
}

/* ------------------------------------------------------------------ sockets */

/* In the kernel: of the new connections, those that are translated. */
static int attach_filter(int fd)
{
	struct sock_filter program[] = {
		/* where in the message the attribute CTA_STATUS is; 0: it has none */
		BPF_STMT(BPF_LD | BPF_IMM, sizeof(struct nlmsghdr) + sizeof(struct nfgenmsg)),
		BPF_STMT(BPF_LDX | BPF_IMM, CTA_STATUS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TRANSLATED, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	const struct sock_fprog prog = { .len = sizeof(program) / sizeof(program[0]),
					 .filter = program };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

struct conntrack *conntrack_open(struct err *err)
{
	struct conntrack *c = calloc(1, sizeof(*c));
	const int size = CONNTRACK_SOCKET_BYTES;
	int rc;

	if (!c) {
		err_sys(err, ENOMEM, "conntrack");
		return NULL;
	}
	if (netlink_open(NETLINK_NETFILTER, &c->events, err) < 0) {
		err_prefix(err, "conntrack");
		goto fail;
	}
	int fd = nl_socket_get_fd(c->events);
	nl_socket_modify_cb(c->events, NL_CB_VALID, NL_CB_CUSTOM, on_event, c);
	nl_socket_disable_seq_check(c->events);
	/* Beyond rmem_max where that is allowed; a smaller one only loses events sooner. */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	if (attach_filter(fd) < 0) {
		err_sys(err, errno, "conntrack: filter");
		goto fail;
	}
	rc = nl_socket_add_membership(c->events, NFNLGRP_CONNTRACK_NEW);
	if (rc >= 0)
		rc = nl_socket_set_nonblocking(c->events);
	if (rc < 0) {
		err_set(err, netlink_errno(rc), "conntrack: events: %s", nl_geterror(rc));
		goto fail;
	}
	return c;
fail:
	conntrack_free(c);
	return NULL;
}

void conntrack_free(struct conntrack *c)
{
	if (!c)
		return;
	nl_socket_free(c->events);
	free(c);
}

/* --------------------------------------------------------------------- read */

static struct nl_msg *question(uint8_t subtype, int flags)
{
	return nfnlmsg_alloc_simple(NFNL_SUBSYS_CTNETLINK, subtype, flags, AF_UNSPEC, 0);
}

static int count_of(struct nlmsghdr *h, void *to)
{
	struct nlattr *a = NULL;

	if (h->nlmsg_type == (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS))
		a = nlmsg_find_attr(h, sizeof(struct nfgenmsg), CTA_STATS_GLOBAL_ENTRIES);
	if (!a || nla_len(a) != (int)sizeof(uint32_t))
		return -1;
	*(uint32_t *)to = nla_get_u32(a);	/* big-endian, which 0 is not */
	return 0;
}

/*
 * The namespace is known to have no connection. The kernel's table is one for all namespaces, and
 * a dump walks it from end to end: 10 ms for the quarter of a million of empty buckets that a
 * machine of 24 GiB has (ctnetlink_dump_table() in net/netfilter/nf_conntrack_netlink.c).
 */
static bool has_none(struct nl_sock *sk)
{
	struct netlink_rows counts = { .parse = count_of, .size = sizeof(uint32_t), .max = 1 };
	struct nl_msg *msg = question(IPCTNL_MSG_CT_GET_STATS, 0);
	bool none = msg && netlink_ask(sk, msg, &counts) == 0 && counts.n == 1 &&
		    *(const uint32_t *)counts.array == 0;

	free(counts.array);
	return none;
}

int conntrack_dump(struct conntrack *c, conntrack_sink *sink, void *arg, struct err *err)
{
	struct nl_sock *sk;
	struct nl_msg *msg;
	int rc = netlink_open(NETLINK_NETFILTER, &sk, err);

	if (rc < 0)
		return err_prefix(err, "conntrack");
	c->sink = sink;
	c->arg = arg;
	/* Connections come and go meanwhile: those that came send events. */
	if (!has_none(sk)) {
		msg = question(IPCTNL_MSG_CT_GET, NLM_F_DUMP);
		rc = msg ? netlink_walk(sk, msg, take, c) : -ENOMEM;
	}
	nl_socket_free(sk);
	return rc < 0 ? err_sys(err, rc, "conntrack") : 0;
}

int conntrack_read(struct conntrack *c, conntrack_sink *sink, void *arg)
{
	int rc = 0;

	c->sink = sink;
	c->arg = arg;
	c->told = 0;
	for (int n = 0; n < CONNTRACK_READS_MAX && rc >= 0; n++) {
		errno = 0;
		rc = nl_recvmsgs_default(c->events);
	}
	/* libnl has one code for both */
	if (rc == -NLE_NOMEM && errno == ENOBUFS)
		return -ENOBUFS;
	return rc >= 0 || rc == -NLE_AGAIN ? c->told : netlink_errno(rc);
}
