/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters_parse.c - the kernel's counters: what is asked, and what answers mean.
 *
 * Theory of operation. There are two kinds of sources: dumps over netlink and files of /proc. Both
 * are tables here, so that a reading can be made at once (counters_read.c), and another be
 * got ready now and made later, when nothing can be opened any more (watch.c).
 */
#include "doctor_priv.h"

#include <ctype.h>
#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/if_link.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "counters.h"

#define COUNTERS_COLUMNS_MAX 512 /* of one line; TcpExt has 140 */

/* -------------------------------------------------------------------- netlink */

struct link_stats {
	uint32_t ifindex;
	char name[16];
	struct rtnl_link_stats64 s;
};

static int parse_stats(struct nlmsghdr *h, void *to)
{
	struct nlattr *a[IFLA_MAX + 1];
	struct link_stats *l = to;
	struct ifinfomsg ifi;
	size_t n;

	if (h->nlmsg_type != RTM_NEWLINK || nlmsg_parse(h, sizeof(ifi), a, IFLA_MAX, NULL) < 0 ||
	    !a[IFLA_STATS64])
		return -EBADMSG;
	memcpy(&ifi, nlmsg_data(h), sizeof(ifi));
	l->ifindex = (uint32_t)ifi.ifi_index;
	doctor_attr_str(a[IFLA_IFNAME], l->name, sizeof(l->name));
	/* older and newer kernels have fewer or more counters at the end */
	n = (size_t)nla_len(a[IFLA_STATS64]);
	memcpy(&l->s, nla_data(a[IFLA_STATS64]), n < sizeof(l->s) ? n : sizeof(l->s));
	return 0;
}

struct qdisc_stats {
	uint32_t ifindex, handle;
	char kind[16];
	struct { /* struct gnet_stats_queue, linux/gen_stats.h */
		uint32_t qlen, backlog, drops, requeues, overlimits;
	} q;
};

static int parse_qdisc(struct nlmsghdr *h, void *to)
{
	enum { STATS_QUEUE = 3 }; /* TCA_STATS_QUEUE */
	struct nlattr *a[TCA_MAX + 1], *s[STATS_QUEUE + 1];
	struct qdisc_stats *q = to;
	struct tcmsg tc;

	if (h->nlmsg_type != RTM_NEWQDISC || nlmsg_parse(h, sizeof(tc), a, TCA_MAX, NULL) < 0 ||
	    !a[TCA_STATS2])
		return -EBADMSG;
	doctor_attr_nested(s, STATS_QUEUE, a[TCA_STATS2]);
	if (!s[STATS_QUEUE] || nla_len(s[STATS_QUEUE]) < (int)sizeof(q->q))
		return -EBADMSG;
	memcpy(&tc, nlmsg_data(h), sizeof(tc));
	q->ifindex = (uint32_t)tc.tcm_ifindex;
	q->handle = tc.tcm_handle;
	doctor_attr_str(a[TCA_KIND], q->kind, sizeof(q->kind));
	memcpy(&q->q, nla_data(s[STATS_QUEUE]), sizeof(q->q));
	return 0;
}

static void put_link(struct reading *r, const struct link_stats *l)
{
	const struct {
		const char *name;
		uint64_t value;
	} v[] = {
		{ "rx_packets", l->s.rx_packets },
		{ "tx_packets", l->s.tx_packets },
		{ "rx_bytes", l->s.rx_bytes },
		{ "tx_bytes", l->s.tx_bytes },
		{ "rx_errors", l->s.rx_errors },
		{ "tx_errors", l->s.tx_errors },
		{ "rx_dropped", l->s.rx_dropped },
		{ "tx_dropped", l->s.tx_dropped },
		{ "multicast", l->s.multicast },
		{ "collisions", l->s.collisions },
		{ "rx_length_errors", l->s.rx_length_errors },
		{ "rx_over_errors", l->s.rx_over_errors },
		{ "rx_crc_errors", l->s.rx_crc_errors },
		{ "rx_frame_errors", l->s.rx_frame_errors },
		{ "rx_fifo_errors", l->s.rx_fifo_errors },
		{ "rx_missed_errors", l->s.rx_missed_errors },
		{ "tx_aborted_errors", l->s.tx_aborted_errors },
		{ "tx_carrier_errors", l->s.tx_carrier_errors },
		{ "tx_fifo_errors", l->s.tx_fifo_errors },
		{ "rx_nohandler", l->s.rx_nohandler },
	};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++)
		doctor_count(r, "link", l->name, v[i].name, v[i].value);
}

static const struct ifinfomsg ask_links = { .ifi_family = AF_UNSPEC };
static const struct tcmsg ask_queues = { .tcm_family = AF_UNSPEC };
static const struct nfgenmsg ask_rules = { .nfgen_family = NFPROTO_UNSPEC,
					   .version = NFNETLINK_V0 };

const struct doctor_question doctor_counter_questions[COUNTER_QUESTIONS] = {
	[COUNTER_LINKS] = { NETLINK_ROUTE, RTM_GETLINK, &ask_links, sizeof(ask_links), parse_stats,
			    sizeof(struct link_stats) },
	[COUNTER_QUEUES] = { NETLINK_ROUTE, RTM_GETQDISC, &ask_queues, sizeof(ask_queues),
			     parse_qdisc, sizeof(struct qdisc_stats) },
	[COUNTER_RULES] = { NETLINK_NETFILTER, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETRULE,
			    &ask_rules, sizeof(ask_rules), doctor_nl_parse_rule,
			    sizeof(struct doctor_rule) },
};

void doctor_count_answers(struct reading *r, const struct counter_answer a[COUNTER_QUESTIONS])
{
	const struct link_stats *links = a[COUNTER_LINKS].array;
	const struct qdisc_stats *queues = a[COUNTER_QUEUES].array;
	const struct doctor_rule *rules = a[COUNTER_RULES].array;
	char object[64];

	for (unsigned i = 0; i < a[COUNTER_LINKS].n; i++)
		put_link(r, &links[i]);
	for (unsigned i = 0; i < a[COUNTER_QUEUES].n; i++) {
		const char *name = "?";

		for (unsigned j = 0; j < a[COUNTER_LINKS].n; j++) {
			if (links[j].ifindex == queues[i].ifindex)
				name = links[j].name;
		}
		/* a queue a CPU under mq: handle 0, told apart by nothing, so summed later */
		snprintf(object, sizeof(object), "%s %s %x:", name, queues[i].kind,
			 queues[i].handle >> 16);
		doctor_count(r, "qdisc", object, "drops", queues[i].q.drops);
		doctor_count(r, "qdisc", object, "overlimits", queues[i].q.overlimits);
	}
	for (unsigned i = 0; i < a[COUNTER_RULES].n; i++) {
		if (!rules[i].has_counter)
			continue;
		doctor_rule_name(&rules[i], object);
		doctor_count(r, "nft", object, rules[i].reject ? "reject" : "drop",
			     rules[i].packets);
	}
}

void doctor_rule_name(const struct doctor_rule *rule, char out[static 64])
{
	snprintf(out, 64, "%s %.20s %.20s #%llu", doctor_family_name(rule->family), rule->table,
		 rule->chain, (unsigned long long)rule->handle);
}

/* ----------------------------------------------------------------------- files */

/* "Tcp" and "TcpExt" become "tcp" and "tcpext". */
static void lower(const char *s, size_t n, char *out, size_t size)
{
	size_t i;

	for (i = 0; i < n && i + 1 < size; i++)
		out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
	out[i] = 0;
}

/* The next number of a line, p then behind it; false at the line's end, or at a word. */
static bool number(const char **p, int base, uint64_t *ret)
{
	const char *s = *p + strspn(*p, " \t");
	char *after;

	if (!isxdigit((unsigned char)*s)) /* strtoull() would go on to the next line */
		return false;
	*ret = strtoull(s, &after, base);
	if (after == s)
		return false;
	*p = after;
	return true;
}

static const char *next_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : text + strlen(text);
}

/* Pairs of lines: "Ip: name name ...", "Ip: 1 2 ...". */
static void read_pairs(struct reading *r, const char *text)
{
	while (*text) {
		const char *names = text, *values = next_line(text);
		size_t n = strcspn(names, ":\n");
		char group[16], name[40];
		uint64_t v;

		if (names[n] != ':' || strncmp(names, values, n + 1) != 0)
			return;
		text = next_line(values);
		lower(names, n, group, sizeof(group));
		names += n + 1;
		values += n + 1;
		for (unsigned i = 0; i < COUNTERS_COLUMNS_MAX; i++) {
			names += strspn(names, " ");
			n = strcspn(names, " \n");
			if (!n || !number(&values, 10, &v))
				break;
			snprintf(name, sizeof(name), "%.*s", (int)n, names);
			doctor_count(r, group, "", name, v);
			names += n;
		}
	}
}

/* A name and a number a line; the group is the name's beginning. */
static void read_lines(struct reading *r, const char *text)
{
	static const char *const groups[] = { "Ip6", "Icmp6", "Udp6", "UdpLite6" };
	char name[40], group[16];
	uint64_t v;

	for (; *text; text = next_line(text)) {
		size_t n = strcspn(text, " \t\n");
		const char *p = text + n;

		if (!number(&p, 10, &v))
			continue;
		snprintf(name, sizeof(name), "%.*s", (int)n, text);
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
			n = strlen(groups[i]);
			if (strncmp(name, groups[i], n) == 0) {
				lower(groups[i], n, group, sizeof(group));
				doctor_count(r, group, "", name, v);
				break;
			}
		}
	}
}

/* net/core/net-procfs.c, softnet_seq_show: a line a CPU, hexadecimal columns. */
static void read_softnet(struct reading *r, const char *text)
{
	char object[24];
	unsigned cpu = 0;

	for (; *text; text = next_line(text), cpu++) {
		uint64_t total, dropped, squeeze;
		const char *p = text;

		if (!number(&p, 16, &total) || !number(&p, 16, &dropped) ||
		    !number(&p, 16, &squeeze))
			continue;
		snprintf(object, sizeof(object), "cpu%u", cpu);
		doctor_count(r, "softnet", object, "processed", total);
		doctor_count(r, "softnet", object, "dropped", dropped);
		doctor_count(r, "softnet", object, "time_squeeze", squeeze);
	}
}

/* The number in that column, from 0, of a line; false: the line is shorter. */
static bool column_of(const char *line, unsigned column, uint64_t *ret)
{
	for (unsigned i = 0; i <= column; i++) {
		if (!number(&line, 16, ret))
			return false;
	}
	return true;
}

/* A line of names, then a line a CPU, hexadecimal; summed but for "entries", which all share. */
static void read_conntrack(struct reading *r, const char *text)
{
	const char *names = text;

	for (unsigned column = 0; column < COUNTERS_COLUMNS_MAX; column++) {
		uint64_t v, sum = 0;
		char name[40];
		size_t n;

		names += strspn(names, " ");
		n = strcspn(names, " \n");
		if (!n)
			return;
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		names += n;
		for (const char *line = next_line(text); *line; line = next_line(line)) {
			if (column_of(line, column, &v))
				sum = strcmp(name, "entries") == 0 ? v : sum + v;
		}
		doctor_count(r, "conntrack", "", name, sum);
	}
}

static void read_conntrack_max(struct reading *r, const char *text)
{
	doctor_count(r, "conntrack", "", "max", strtoull(text, NULL, 10));
}

const struct counter_file doctor_counter_files[COUNTER_FILES] = {
	{ "self/net/snmp", read_pairs },
	{ "self/net/netstat", read_pairs },
	{ "self/net/snmp6", read_lines },
	{ "self/net/softnet_stat", read_softnet },
	{ "self/net/stat/nf_conntrack", read_conntrack },
	{ "sys/net/netfilter/nf_conntrack_max", read_conntrack_max },
};
