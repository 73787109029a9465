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
 * other one. A connection in both is told twice, which changes nothing.
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
#include <sys/time.h>

#define CONNTRACK_MSG_BUF 65536 /* one recvmsg; the kernel fills at most 32 KiB of a dump */
#define CONNTRACK_TIMEOUT_S 10 /* the kernel answers at once; this only ends a hang */
#define CONNTRACK_SOCKET_BYTES (4 << 20) /* some 8,000 events between two looks */
#define CONNTRACK_STARVED_MAX 8 /* times that the kernel has no memory for a dump */
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

static int on_valid(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	struct result_tuple original, reply;
	struct conntrack *c = arg;

	if (!conntrack_parse(h, h->nlmsg_len, &original, &reply))
		return NL_SKIP;
	c->sink(c->arg, &original, &reply);
	c->told++;
	return NL_OK;
}

/* ------------------------------------------------------------------ sockets */

static int errno_of(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : nlerr) {
	case NLE_NOMEM:
		return -ENOBUFS; /* libnl has one code for both */
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

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

static struct nl_sock *connect_socket(struct conntrack *c, struct err *err)
{
	struct nl_sock *sk = nl_socket_alloc();
	int rc = sk ? nfnl_connect(sk) : -NLE_NOMEM;

	if (rc < 0) {
		err_set(err, errno_of(rc), "conntrack: netlink socket: %s", nl_geterror(rc));
		nl_socket_free(sk);
		return NULL;
	}
	nl_socket_disable_auto_ack(sk);
	nl_socket_set_msg_buf_size(sk, CONNTRACK_MSG_BUF);
	nl_socket_modify_cb(sk, NL_CB_VALID, NL_CB_CUSTOM, on_valid, c);
	return sk;
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
	c->events = connect_socket(c, err);
	if (!c->events)
		goto fail;
	int fd = nl_socket_get_fd(c->events);
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
		err_set(err, errno_of(rc), "conntrack: events: %s", nl_geterror(rc));
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

int conntrack_dump(struct conntrack *c, conntrack_sink *sink, void *arg, struct err *err)
{
	const struct timeval patience = { .tv_sec = CONNTRACK_TIMEOUT_S };
	struct nl_sock *sk = connect_socket(c, err);
	int rc;

	if (!sk)
		return -EIO;
	(void)setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	c->sink = sink;
	c->arg = arg;
	rc = nfnl_ct_dump_request(sk);
	/* After ENOBUFS the rest comes: the kernel had no memory for the next part of the dump. */
	for (int n = 0; rc >= 0 && n < CONNTRACK_STARVED_MAX; n++) {
		errno = 0;
		rc = nl_recvmsgs_default(sk);
		if (rc != -NLE_NOMEM || errno != ENOBUFS)
			break;
		rc = 0;
	}
	nl_socket_free(sk);
	/* Connections came and went meanwhile: those that came send events. */
	if (rc >= 0 || rc == -NLE_DUMP_INTR)
		return 0;
	return err_set(err, errno_of(rc), "conntrack: %s", nl_geterror(rc));
}

int conntrack_read(struct conntrack *c, conntrack_sink *sink, void *arg)
{
	int rc = 0;

	c->sink = sink;
	c->arg = arg;
	c->told = 0;
	for (int n = 0; n < CONNTRACK_READS_MAX && rc >= 0; n++)
		rc = nl_recvmsgs_default(c->events);
	rc = rc < 0 ? errno_of(rc) : 0;
	return rc == 0 || rc == -EAGAIN ? c->told : rc;
}
