/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_netlink.c - any bytes as what the kernel answers when pods, routes and translated
 * connections are looked up: rtnetlink's and conntrack's messages.
 *
 * Asserted: what is accepted is in its bounds (strings end, a prefix is no longer than its family's
 * addresses, a link has index and name, a translated connection has a protocol with ports or an
 * echo), and the same bytes give the same row, whatever lies behind the message.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/netlink.h>

#include "fuzz_demand.h"
#include "../../src/resolve/resolve_priv.h"

#include "podhop/conntrack.h"
#include "podhop/result.h"

#define MESSAGES_MAX 64
#define INPUT_MAX (1u << 14)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(const struct resolve_link *l)
{
	ENDS(l->l.name);
	ENDS(l->l.kind);
	ENDS(l->slave_kind);
	demand(l->l.ifindex && l->l.ifindex <= INT32_MAX && l->l.name[0], "index and name");
}

static void try_rows(const void *msg, size_t len, const void *again, size_t more)
{
	struct resolve_link l[2];
	struct resolve_ifaddr i[2];
	struct resolve_route r[2];
	struct resolve_neigh n[2];
	int32_t nsid[2];

	memset(l, 0, sizeof(l));
	memset(i, 0, sizeof(i));
	memset(r, 0, sizeof(r));
	memset(n, 0, sizeof(n));
	if (resolve_parse_link(msg, len, &l[0]) == 0) {
		check_link(&l[0]);
		demand(resolve_parse_link(again, more, &l[1]) == 0 &&
			       memcmp(&l[0], &l[1], sizeof(l[0])) == 0, "the same link twice");
	}
	if (resolve_parse_addr(msg, len, &i[0]) == 0) {
		demand(prefix_fits(&i[0].prefix), "an address' prefix");
		demand(resolve_parse_addr(again, more, &i[1]) == 0 &&
			       addr_eq(&i[0].prefix.addr, &i[1].prefix.addr) &&
			       i[0].prefix.len == i[1].prefix.len, "the same address twice");
	}
	if (resolve_parse_route(msg, len, &r[0]) == 0) {
		demand(prefix_fits(&r[0].dst) && addr_is_v4(&r[0].dst.addr) != r[0].v6,
		       "a route's destination is of its family");
		demand(resolve_parse_route(again, more, &r[1]) == 0 && r[0].oif == r[1].oif &&
			       addr_eq(&r[0].gw, &r[1].gw), "the same route twice");
	}
	if (resolve_parse_neigh(msg, len, &n[0]) == 0)
		demand(n[0].ifindex && resolve_parse_neigh(again, more, &n[1]) == 0 &&
			       addr_eq(&n[0].dst, &n[1].dst), "the same neighbour twice");
	if (resolve_parse_nsid(msg, len, &nsid[0]) == 0)
		demand(resolve_parse_nsid(again, more, &nsid[1]) == 0 && nsid[0] == nsid[1],
		       "the same namespace twice");
}

static void check_tuple(const struct result_tuple *t)
{
	bool echo = t->protocol == MODEL_PROTO_ICMP || t->protocol == MODEL_PROTO_ICMPV6;

	demand(t->has_ports && !addr_is_none(&t->src) && !addr_is_none(&t->dst) &&
		       (echo || t->protocol == MODEL_PROTO_TCP || t->protocol == MODEL_PROTO_UDP ||
			t->protocol == MODEL_PROTO_SCTP), "a connection with ports");
}

static void try_connection(const void *msg, size_t len, const void *again, size_t more)
{
	struct result_tuple a[2], b[2];

	if (!conntrack_parse(msg, len, &a[0], &a[1]))
		return;
	check_tuple(&a[0]);
	check_tuple(&a[1]);
	demand(conntrack_parse(again, more, &b[0], &b[1]) && addr_eq(&a[0].src, &b[0].src) &&
		       addr_eq(&a[1].dst, &b[1].dst) && a[0].sport == b[0].sport,
	       "the same connection twice");
}

/* len bytes alone in memory, so that a read behind them is seen. */
static void try_message(const uint8_t *msg, size_t len, size_t left)
{
	void *alone = malloc(len), *within = malloc(left);

	if (alone && within) {
		memcpy(alone, msg, len);
		memcpy(within, msg, left);
		try_rows(alone, len, within, left);
		try_connection(alone, len, within, left);
	}
	free(alone);
	free(within);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > INPUT_MAX)
		return 0;
	for (unsigned n = 0; n < MESSAGES_MAX && size >= sizeof(struct nlmsghdr); n++) {
		uint32_t len;

		memcpy(&len, data, sizeof(len));
		/* A length that lies: the parsers have to see it themselves. */
		try_message(data, len < size && len >= sizeof(len) ? len : size, size);
		if (len < sizeof(struct nlmsghdr) || NLMSG_ALIGN(len) >= size)
			break;
		data += NLMSG_ALIGN(len);
		size -= NLMSG_ALIGN(len);
	}
	return 0;
}
