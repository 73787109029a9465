/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.h - questions to the kernel: one that has one answer, and dumps.
 *
 * Owns: nothing; sockets are libnl's, and the caller's.
 * Never: changes anything: what is sent is its callers' questions.
 *
 * What libnl leaves to those who use it is done once, here: see netlink.c.
 */
#ifndef PODHOP_NETLINK_H
#define PODHOP_NETLINK_H

#include <stdbool.h>
#include <stddef.h>

#include "podhop/err.h"

struct nl_msg;
struct nl_sock;
struct nlmsghdr;

/*
 * A socket for questions of that protocol (NETLINK_ROUTE, ...), to be freed with
 * nl_socket_free(). No answer takes longer than ten seconds. 0 or -errno; *ret is then NULL.
 */
int netlink_open(int protocol, struct nl_sock **ret, struct err *err);

/* libnl's code (NLE_*, either sign) as -errno; -EIO for those that have none. */
int netlink_errno(int nlerr);

/* What becomes of an answer's messages: an array of elements. */
struct netlink_rows {
	/* Fills a zeroed element; not 0: the message does not count. It is whole. */
	int (*parse)(struct nlmsghdr *h, void *to);
	size_t size; /* of an element */
	unsigned max; /* elements; what comes beyond them is left out */
	void *array; /* heap, the caller's; NULL at first and after a failure */
	unsigned n;
	bool full; /* something was left out */
};

/*
 * Sends msg, which is freed, and takes its one answer. 0 or -errno: what the kernel said, or
 * -ENOMEM (none here), -ENOBUFS (none there, again and again), -EAGAIN (no answer in time).
 */
int netlink_ask(struct nl_sock *sk, struct nl_msg *msg, struct netlink_rows *rows);
/*
 * The same with all answers of a dump (NLM_F_DUMP). A dump that changed under way is made anew;
 * on a node that never rests the last one is used, since each message is right by itself, and
 * a warning says that some may be missing.
 */
int netlink_dump(struct nl_sock *sk, struct nl_msg *msg, struct netlink_rows *rows);
/*
 * A dump of things that come and go all the time, each message handed on: nothing is kept and
 * nothing made anew. The kernel may leave out what came meanwhile. 0 or -errno, as netlink_ask().
 */
int netlink_walk(struct nl_sock *sk, struct nl_msg *msg,
		 void (*each)(void *arg, struct nlmsghdr *h), void *arg);

#endif
