/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ask_ahead.c - a netlink dump that is asked for now and made when it is read.
 *
 * Theory of operation. A capture gives up its rights before it parses the first packet, and
 * with them the right to ask for nftables' rules; nor can it send on any socket. But the
 * counters that tell where packets were lost are those at its end. The kernel checks
 * rights when a dump is asked for, and makes the dump part by part as its reader
 * takes the parts (netlink_dump() in net/netlink/af_netlink.c), the first one at once unless
 * the socket's receive buffer is full. So: a small buffer, filled with acknowledgements of
 * requests that do nothing, then the question. The first recv() makes room, and the dump begins
 * there, with what is true then.
 *
 * Should a kernel make the first part at once all the same, its values are those of now:
 * no counter has moved, and nothing is said that is not so.
 *
 * It cannot be asked again, so an answer that is not whole has to do; it says so, since of a table
 * what is missing matters as much as what is there. What ends a dump early and how it is told:
 * src/netlink/netlink.c.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor_dump.h"

#define FILL_MESSAGES 16 /* the smallest buffer, 2304 bytes, is full after three */
#define FILL_SEQ 1u
#define QUESTION_SEQ 2u
#define QUESTION_MAX 64
#define ANSWER_BUF 65536 /* the kernel fills at most 32 KiB */

static int send_to_kernel(int fd, const void *msg, size_t len)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	/* A refused acknowledgement shows as ENOBUFS of the next call: that is what is wanted. */
	if (sendto(fd, msg, len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0 &&
	    errno != ENOBUFS)
		return -errno;
	return 0;
}

int doctor_ask_ahead(const struct doctor_question *q)
{
	struct sockaddr_nl own = { .nl_family = AF_NETLINK };
	struct nlmsghdr nothing = { .nlmsg_len = sizeof(nothing),
				    .nlmsg_type = NLMSG_NOOP,
				    .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
				    .nlmsg_seq = FILL_SEQ };
	union {
		struct nlmsghdr h;
		char bytes[QUESTION_MAX];
	} msg = { .h = { .nlmsg_len = (uint32_t)(NLMSG_HDRLEN + q->len),
			 .nlmsg_type = (uint16_t)q->type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
			 .nlmsg_seq = QUESTION_SEQ } };
	int smallest = 1, rc = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, q->protocol);

	if (fd < 0)
		return -errno;
	memcpy(msg.bytes + NLMSG_HDRLEN, q->header, q->len);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &smallest, sizeof(smallest)) < 0 ||
	    bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		rc = -errno;
	for (unsigned i = 0; i < FILL_MESSAGES && !rc; i++)
		rc = send_to_kernel(fd, &nothing, sizeof(nothing));
	if (!rc)
		rc = send_to_kernel(fd, &msg, msg.h.nlmsg_len);
	if (rc) {
		close(fd);
		return rc;
	}
	return fd;
}

struct answer {
	const struct doctor_question *q;
	void *array;
	unsigned n;
	bool begun, done, no_memory;
	bool is_cut; /* something is missing */
};

static void finish(struct answer *a, const struct nlmsghdr *h)
{
	int code = 0;

	if (nlmsg_datalen(h) >= (int)sizeof(code))
		memcpy(&code, nlmsg_data(h), sizeof(code));
	a->is_cut |= code < 0;
	a->done = true;
}

static void take(struct answer *a, struct nlmsghdr *h)
{
	void *to;

	/* Acknowledgements, and the word that the dump could not begin at once. */
	if (h->nlmsg_seq != QUESTION_SEQ || h->nlmsg_type == NLMSG_ERROR)
		return;
	a->begun = true;
	a->is_cut |= (h->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
	if (h->nlmsg_type == NLMSG_DONE) {
		finish(a, h);
		return;
	}
	to = grow(&a->array, &a->n, a->q->size, DOCTOR_ENTRIES_MAX);
	if (!to) {
		a->no_memory |= a->n < DOCTOR_ENTRIES_MAX;
		a->is_cut = true;
	} else if (a->q->parse(h, to) != 0) {
		a->n--;
	}
}

int doctor_answer(int fd, const struct doctor_question *q, void *ret_array, unsigned *ret_n,
		  bool *ret_whole)
{
	struct answer a = { .q = q };
	char *buf = malloc(ANSWER_BUF);
	int rc = 0, refused = 0;

	while (buf && !a.done) {
		ssize_t n = recv(fd, buf, ANSWER_BUF, MSG_DONTWAIT);

		/* told of the acknowledgements that found no room */
		if (n < 0 && (errno == ENOBUFS || errno == EINTR) && refused++ < FILL_MESSAGES)
			continue;
		if (n <= 0)
			break;
		struct nlmsghdr *h = (struct nlmsghdr *)buf;
		for (int left = (int)n; nlmsg_ok(h, left); h = nlmsg_next(h, &left))
			take(&a, h);
	}
	if (!buf || a.no_memory)
		rc = -ENOMEM;
	else if (!a.begun)
		rc = -ENODATA;
	free(buf);
	if (rc) {
		free(a.array);
		return rc;
	}
	memcpy(ret_array, &a.array, sizeof(a.array));
	*ret_n = a.n;
	*ret_whole = a.done && !a.is_cut;
	return 0;
}
