/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_dump.h - netlink dumps, for the files that make and read them.
 *
 * Apart from doctor_priv.h, so that checks do not see libnl.
 */
#ifndef DOCTOR_DUMP_H
#define DOCTOR_DUMP_H

#include <linux/netlink.h>
#include <netlink/attr.h>
#include <netlink/netlink.h>
#include <stdbool.h>
#include <stddef.h>

#include "podhop/err.h"

/*
 * Sends a dump request and gathers what parse makes of each message: it fills a zeroed
 * element, or returns non-zero for one that does not count. ret_array: the address of a
 * pointer to elements; heap, the caller's. Outputs are untouched on failure (-errno).
 */
int doctor_dump(struct nl_sock *sk, int type, const void *header, size_t len,
		int (*parse)(struct nlmsghdr *h, void *to), size_t size, void *ret_array,
		unsigned *ret_n);
/* What a message may lack, NULL then: the string, cut to size; out is left as it is. */
void doctor_attr_str(struct nlattr *a, char *out, size_t size);
/* The attributes up to max inside one, each NULL where it is not there or not whole. */
void doctor_attr_nested(struct nlattr *a[], int max, struct nlattr *nest);

/* A dump as a question, to be asked at once or ahead of time. */
struct doctor_question {
	int protocol, type;
	const void *header;
	size_t len;
	int (*parse)(struct nlmsghdr *h, void *to);
	size_t size; /* of an element */
};
/*
 * Asks now and has the answer made later, when doctor_answer() reads it: neither socket nor
 * right is needed then. Returns a file descriptor, or -errno. See ask_ahead.c.
 */
int doctor_ask_ahead(const struct doctor_question *q);
/*
 * Once; outputs as doctor_dump(). *ret_whole false: elements may be missing, those that are there
 * are right. Leaves fd open. -ENODATA: there was no answer.
 */
int doctor_answer(int fd, const struct doctor_question *q, void *ret_array, unsigned *ret_n,
		  bool *ret_whole);

/* The tables of a view, in this order: links, addresses, routes, neighbours, FDB. */
#define DOCTOR_TABLES 5
extern const struct doctor_question doctor_tables[DOCTOR_TABLES];
struct doctor_view;
struct doctor_slot {
	void *array; /* address of a pointer to elements */
	unsigned *n;
};
struct doctor_slot doctor_table_slot(struct doctor_view *v, unsigned i);

/*
 * One message, whole (nlmsg_ok()), into a zeroed row of its kind: doctor_link, doctor_ifaddr,
 * doctor_route, doctor_neigh, doctor_base_chain (when it is one), doctor_rule (when it drops).
 * 0, or -EBADMSG: it does not count, and what the row holds means nothing. Host byte order.
 */
int doctor_nl_parse_link(struct nlmsghdr *h, void *to);
int doctor_nl_parse_addr(struct nlmsghdr *h, void *to);
int doctor_nl_parse_route(struct nlmsghdr *h, void *to);
int doctor_nl_parse_neigh(struct nlmsghdr *h, void *to);
int doctor_nl_parse_chain(struct nlmsghdr *h, void *to);
int doctor_nl_parse_rule(struct nlmsghdr *h, void *to);

#endif
