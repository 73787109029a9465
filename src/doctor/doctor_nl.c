/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_nl.c - the kernel's own tables of this network namespace, over netlink.
 *
 * Theory of operation. Only dumps are sent (src/netlink), so nothing can change. A message
 * fills one row of a table (doctor_nl_parse.c), and a full table keeps what was read.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "doctor_dump.h"
#include "podhop/netlink.h"

int doctor_dump(struct nl_sock *sk, int type, const void *header, size_t len,
		int (*parse)(struct nlmsghdr *h, void *to), size_t size, void *ret_array,
		unsigned *ret_n)
{
	/* A full table stays as it is: what was read is right. */
	struct netlink_rows rows = { .parse = parse, .size = size, .max = DOCTOR_ENTRIES_MAX };
	struct nl_msg *msg = nlmsg_alloc_simple(type, NLM_F_REQUEST | NLM_F_DUMP);
	int rc;

	if (!msg)
		return -ENOMEM;
	if (nlmsg_append(msg, (void *)(uintptr_t)header, len, NLMSG_ALIGNTO) < 0) {
		nlmsg_free(msg);
		return -ENOMEM;
	}
	rc = netlink_dump(sk, msg, &rows);
	if (rc)
		return rc;
	memcpy(ret_array, &rows.array, sizeof(rows.array));
	*ret_n = rows.n;
	return 0;
}

/* Rules that drop, and base chains. -EPERM without CAP_NET_ADMIN. */
static int dump_rules(struct doctor_rule **ret_rules, unsigned *ret_n_rules,
		      struct doctor_base_chain **ret_chains, unsigned *ret_n_chains)
{
	struct nfgenmsg g = { .nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0 };
	struct doctor_base_chain *chains = NULL;
	unsigned n_chains = 0;
	struct nl_sock *sk;
	int rc = netlink_open(NETLINK_NETFILTER, &sk, NULL);

	if (rc)
		return rc;
	rc = doctor_dump(sk, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN, &g, sizeof(g),
			 doctor_nl_parse_chain, sizeof(*chains), &chains, &n_chains);
	if (!rc)
		rc = doctor_dump(sk, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE, &g, sizeof(g),
				 doctor_nl_parse_rule, sizeof(**ret_rules), ret_rules, ret_n_rules);
	nl_socket_free(sk);
	if (rc) {
		free(chains);
		return rc;
	}
	*ret_chains = chains;
	*ret_n_chains = n_chains;
	return 0;
}

/* ---------------------------------------------------------------- the tables */

static const struct {
	struct ifinfomsg ifi;
	struct nlattr mask;
	uint32_t value;
} ask_links = {
	.ifi = { .ifi_family = AF_UNSPEC },
	/* counters are half of a link message, and not asked for here */
	.mask = { .nla_len = sizeof(struct nlattr) + 4, .nla_type = IFLA_EXT_MASK },
	.value = 1 << 3, /* RTEXT_FILTER_SKIP_STATS */
};
static const struct ifaddrmsg ask_addrs = { .ifa_family = AF_UNSPEC };
static const struct rtmsg ask_routes = { .rtm_family = AF_UNSPEC };
static const struct ndmsg ask_neighs = { .ndm_family = AF_UNSPEC };
static const struct ndmsg ask_fdb = { .ndm_family = AF_BRIDGE };

const struct doctor_question doctor_tables[DOCTOR_TABLES] = {
	{ NETLINK_ROUTE, RTM_GETLINK, &ask_links, sizeof(ask_links), doctor_nl_parse_link,
	  sizeof(struct doctor_link) },
	{ NETLINK_ROUTE, RTM_GETADDR, &ask_addrs, sizeof(ask_addrs), doctor_nl_parse_addr,
	  sizeof(struct doctor_ifaddr) },
	{ NETLINK_ROUTE, RTM_GETROUTE, &ask_routes, sizeof(ask_routes), doctor_nl_parse_route,
	  sizeof(struct doctor_route) },
	{ NETLINK_ROUTE, RTM_GETNEIGH, &ask_neighs, sizeof(ask_neighs), doctor_nl_parse_neigh,
	  sizeof(struct doctor_neigh) },
	{ NETLINK_ROUTE, RTM_GETNEIGH, &ask_fdb, sizeof(ask_fdb), doctor_nl_parse_neigh,
	  sizeof(struct doctor_neigh) },
};

struct doctor_slot doctor_table_slot(struct doctor_view *v, unsigned i)
{
	const struct doctor_slot slots[DOCTOR_TABLES] = {
		{ &v->links, &v->n_links },   { &v->addrs, &v->n_addrs },
		{ &v->routes, &v->n_routes }, { &v->neighs, &v->n_neighs },
		{ &v->fdb, &v->n_fdb },
	};

	return slots[i];
}

int doctor_nl_read(struct doctor_view *v, struct err *err)
{
	static const char *const what[DOCTOR_TABLES] = { "links", "addresses", "routes",
							 "neighbours", "forwarding database" };
	struct nl_sock *sk;
	unsigned i;
	int rc = netlink_open(NETLINK_ROUTE, &sk, err);

	if (rc)
		return rc;
	for (i = 0; i < DOCTOR_TABLES && !rc; i++) {
		const struct doctor_question *q = &doctor_tables[i];
		struct doctor_slot s = doctor_table_slot(v, i);

		rc = doctor_dump(sk, q->type, q->header, q->len, q->parse, q->size, s.array, s.n);
	}
	nl_socket_free(sk);
	if (rc)
		return err_sys(err, rc, "read the node's %s over netlink", what[i - 1]);
	v->netfilter = dump_rules(&v->rules, &v->n_rules, &v->chains, &v->n_chains);
	return v->netfilter == -ENOMEM ? err_sys(err, ENOMEM, "read nftables' rules") : 0;
}
