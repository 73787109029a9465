/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.c - questions to the kernel over a libnl socket.
 *
 * Theory of operation. libnl walks and bounds-checks messages and attributes. These it leaves to
 * those who use it:
 *  - auto-ack is off, or an extra ACK behind an answer would put the socket out of step;
 *  - a failed dump ends in NLMSG_DONE with a negative errno as payload, which libnl does not
 *    read: the finish callback does;
 *  - a dump that changed under way (NLM_F_DUMP_INTR) is told behind the message that says so;
 *    the rest still comes, and has to be read before the question is put again;
 *  - ENOBUFS in a dump is no end of it: the kernel lacked memory for the next part, and makes it
 *    at the next call (netlink_dump() in net/netlink/af_netlink.c). libnl calls that, and a failed
 *    allocation of its own, NLE_NOMEM; errno tells which. The dump is made anew as well;
 *  - ctnetlink marks its statistics, one message, as part of several (NLM_F_MULTI), and no end
 *    follows (ctnetlink_stat_ct_fill_info()): libnl would wait for it.
 */
#include "podhop/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "podhop/grow.h"
#include "podhop/log.h"

#define RETRIES 8 /* of a dump that changed, of a kernel without memory */
#define MESSAGES_BUF 65536 /* one recvmsg; the kernel fills at most 32 KiB */
#define TIMEOUT_S 10 /* the kernel answers at once; this only ends a hang */

/* One question, while its answer comes. */
struct answer {
	struct netlink_rows *rows; /* NULL: each message is handed on */
	void (*each)(void *arg, struct nlmsghdr *h);
	void *arg;
	bool dump; /* all of several messages; else one */
	int error; /* -errno; 0: none */
	bool done;
};

int netlink_errno(int nlerr)
{
	switch (nlerr < 0 ? -nlerr : nlerr) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_OPNOTSUPP:
	case NLE_PROTO_MISMATCH:
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

int netlink_open(int protocol, struct nl_sock **ret, struct err *err)
{
	const struct timeval patience = { .tv_sec = TIMEOUT_S };
	struct nl_sock *sk = nl_socket_alloc();
	int rc = sk ? nl_connect(sk, protocol) : -NLE_NOMEM;

	*ret = NULL;
	if (rc < 0) {
		nl_socket_free(sk);
		return err_set(err, netlink_errno(rc), "netlink socket: %s", nl_geterror(rc));
	}
	nl_socket_disable_auto_ack(sk);
	nl_socket_set_msg_buf_size(sk, MESSAGES_BUF);
	(void)setsockopt(nl_socket_get_fd(sk), SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	*ret = sk;
	return 0;
}

static int on_valid(struct nl_msg *msg, void *arg)
{
	struct answer *a = arg;
	struct netlink_rows *rows = a->rows;
	const bool ends = !a->dump && (nlmsg_hdr(msg)->nlmsg_flags & NLM_F_MULTI);
	void *to;

	if (!rows) {
		a->each(a->arg, nlmsg_hdr(msg));
		return NL_OK;
	}
	to = grow(&rows->array, &rows->n, rows->size, rows->max);
	if (!to) {
		if (rows->n < rows->max)
			a->error = -ENOMEM;
		else
			rows->full = true;
		return NL_SKIP;
	}
	if (rows->parse(nlmsg_hdr(msg), to) != 0)
		rows->n--;
	return ends ? NL_STOP : NL_OK;
}

static int on_finish(struct nl_msg *msg, void *arg)
{
	const struct nlmsghdr *h = nlmsg_hdr(msg);
	struct answer *a = arg;
	int code = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(code)) {
		memcpy(&code, nlmsg_data(h), sizeof(code));
		if (code < 0)
			a->error = code;
	}
	a->done = true;
	return NL_STOP;
}

static int on_error(struct sockaddr_nl *from, struct nlmsgerr *e, void *arg)
{
	struct answer *a = arg;

	(void)from;
	a->error = e->error;
	a->done = true;
	return NL_STOP;
}

/* Reads until all has come. 0, -EINTR when some may be missing, or -errno. */
static int receive(struct nl_sock *sk, struct nl_cb *cb, struct answer *a)
{
	bool interrupted = false, again;
	unsigned starved = 0;
	int rc, why;

	do {
		errno = 0;
		rc = nl_recvmsgs(sk, cb);
		why = errno;
		again = rc == -NLE_NOMEM && why == ENOBUFS && starved++ < RETRIES;
		if (rc == -NLE_DUMP_INTR || again)
			interrupted = true;
		else if (rc < 0)
			break;
	} while (again || (a->dump && !a->done));
	if (a->error)
		return a->error;
	if (rc == -NLE_NOMEM && why == ENOBUFS)
		return -ENOBUFS;
	if (rc < 0 && rc != -NLE_DUMP_INTR)
		return netlink_errno(rc);
	return interrupted && a->dump ? -EINTR : 0;
}

static int talk(struct nl_sock *sk, struct nl_msg *msg, struct answer *a)
{
	struct nl_cb *cb = nl_cb_alloc(NL_CB_DEFAULT);
	int rc;

	if (!cb)
		return -ENOMEM;
	nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_valid, a);
	nl_cb_set(cb, NL_CB_FINISH, NL_CB_CUSTOM, on_finish, a);
	nl_cb_err(cb, NL_CB_CUSTOM, on_error, a);
	/* A message that is sent once more gets a number of its own, too. */
	nlmsg_hdr(msg)->nlmsg_seq = NL_AUTO_SEQ;
	rc = nl_send_auto(sk, msg);
	rc = rc < 0 ? netlink_errno(rc) : receive(sk, cb, a);
	nl_cb_put(cb);
	return rc;
}

static void forget(struct netlink_rows *rows)
{
	free(rows->array);
	rows->array = NULL;
	rows->n = 0;
	rows->full = false;
}

int netlink_ask(struct nl_sock *sk, struct nl_msg *msg, struct netlink_rows *rows)
{
	struct answer a = { .rows = rows };
	int rc = talk(sk, msg, &a);

	nlmsg_free(msg);
	if (rc)
		forget(rows);
	return rc;
}

int netlink_dump(struct nl_sock *sk, struct nl_msg *msg, struct netlink_rows *rows)
{
	int rc = -EINTR;

	for (unsigned i = 0; i < RETRIES && rc == -EINTR; i++) {
		struct answer a = { .rows = rows, .dump = true };

		forget(rows);
		rc = talk(sk, msg, &a);
	}
	nlmsg_free(msg);
	if (rc == -EINTR) {
		log_warn("netlink", "what was read changed each time: some of it may be missing");
		rc = 0;
	}
	if (rc)
		forget(rows);
	return rc;
}

int netlink_walk(struct nl_sock *sk, struct nl_msg *msg,
		 void (*each)(void *arg, struct nlmsghdr *h), void *arg)
{
	struct answer a = { .each = each, .arg = arg, .dump = true };
	int rc = talk(sk, msg, &a);

	nlmsg_free(msg);
	return rc == -EINTR ? 0 : rc;
}
