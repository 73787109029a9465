/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters.c - the kernel's own counters, read before and after, and what they mean.
 *
 * Theory of operation. A tap shows that a packet did not come; it cannot show
 * whether a rule, a full queue, a missing route or a filter took it. The kernel
 * counts most of these: links and queueing disciplines (netlink), protocols
 * (/proc/net/snmp, netstat, snmp6), the receive backlog (softnet_stat),
 * connection tracking (/proc/net/stat/nf_conntrack), nftables rules that drop. All
 * are of the caller's network namespace but softnet, which is the machine's.
 *
 * Counters are sorted by name, so that two readings are compared in one pass.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "doctor_dump.h"

#define COUNTERS_MAX (1u << 20) /* 24 a link, 2 a queue, 1 a rule, 300 of protocols */
#define COUNTERS_FILE_MAX (1u << 20)
#define COUNTERS_COLUMNS_MAX 512 /* of one line; TcpExt has 140 */

/* ------------------------------------------------------------- what they mean */

struct meaning {
	const char *group, *name, *text;
	enum doctor_counter_kind kind;
};

/* Those that say something about a lost packet; all others are traffic. */
static const struct meaning meanings[] = {
	{ "link", "rx_dropped", "received and thrown away by the device or the stack",
	  DOCTOR_COUNTER_DROP },
	{ "link", "tx_dropped", "not sent: the device refused it", DOCTOR_COUNTER_DROP },
	{ "link", "rx_errors", "broken frames", DOCTOR_COUNTER_DROP },
	{ "link", "tx_errors", "not sent: on a VXLAN device no route, no FDB entry or no room",
	  DOCTOR_COUNTER_DROP },
	{ "link", "rx_crc_errors", "frames with a wrong checksum", DOCTOR_COUNTER_DROP },
	{ "link", "rx_fifo_errors", "the NIC's ring was full", DOCTOR_COUNTER_DROP },
	{ "link", "rx_missed_errors", "the NIC's ring was full", DOCTOR_COUNTER_DROP },
	{ "link", "rx_over_errors", "the NIC's ring was full", DOCTOR_COUNTER_DROP },
	{ "link", "rx_length_errors", "frames longer than the device takes", DOCTOR_COUNTER_DROP },
	{ "link", "rx_frame_errors", "broken frames", DOCTOR_COUNTER_DROP },
	{ "link", "rx_nohandler", "nobody wanted them", DOCTOR_COUNTER_DROP },
	{ "link", "tx_carrier_errors", "no carrier, or no route for the outer packet",
	  DOCTOR_COUNTER_DROP },
	{ "link", "tx_aborted_errors", "given up", DOCTOR_COUNTER_DROP },
	{ "link", "tx_fifo_errors", "the transmit queue was full", DOCTOR_COUNTER_DROP },
	{ "link", "collisions", "a VXLAN device's routes lead into itself", DOCTOR_COUNTER_DROP },
	{ "qdisc", "drops", "the queue was full, or a policer", DOCTOR_COUNTER_DROP },
	{ "qdisc", "overlimits", "the queue's rate was reached", DOCTOR_COUNTER_HINT },
	{ "ip", "InDiscards", "thrown away by the IP layer: no memory, or a filter",
	  DOCTOR_COUNTER_DROP },
	{ "ip", "InHdrErrors", "bad headers, or TTL at its end", DOCTOR_COUNTER_DROP },
	{ "ip", "InAddrErrors", "not for this node, which does not forward", DOCTOR_COUNTER_DROP },
	{ "ip", "InUnknownProtos", "no such protocol here", DOCTOR_COUNTER_DROP },
	{ "ip", "OutDiscards", "thrown away on the way out: often a filter", DOCTOR_COUNTER_DROP },
	{ "ip", "OutNoRoutes", "no route", DOCTOR_COUNTER_DROP },
	{ "ip", "InNoRoutes", "no route for what should be forwarded", DOCTOR_COUNTER_DROP },
	{ "ip", "ReasmFails", "fragments that never became whole", DOCTOR_COUNTER_DROP },
	{ "ip", "ReasmTimeout", "fragments that waited in vain", DOCTOR_COUNTER_DROP },
	{ "ip", "FragFails", "too long, and must not be fragmented", DOCTOR_COUNTER_DROP },
	{ "ip", "FragCreates", "packets are longer than an MTU on their way", DOCTOR_COUNTER_HINT },
	{ "ip", "InTruncatedPkts", "shorter than they say", DOCTOR_COUNTER_DROP },
	{ "ip", "InCsumErrors", "a wrong checksum", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InDiscards", "thrown away by the IPv6 layer", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InHdrErrors", "bad headers, or hop limit at its end", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InAddrErrors", "not for this node, which does not forward",
	  DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InNoRoutes", "no route for what should be forwarded", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InTooBigErrors", "longer than the next MTU: Packet Too Big was sent",
	  DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6OutDiscards", "thrown away on the way out", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6OutNoRoutes", "no route", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6ReasmFails", "fragments that never became whole", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6FragFails", "too long, and must not be fragmented", DOCTOR_COUNTER_DROP },
	{ "ip6", "Ip6InTruncatedPkts", "shorter than they say", DOCTOR_COUNTER_DROP },
	{ "udp", "NoPorts", "nobody listens: for VXLAN, the wrong port", DOCTOR_COUNTER_DROP },
	{ "udp", "InErrors", "refused by a socket", DOCTOR_COUNTER_DROP },
	{ "udp", "RcvbufErrors", "a socket's buffer was full", DOCTOR_COUNTER_DROP },
	{ "udp", "SndbufErrors", "no room to send", DOCTOR_COUNTER_DROP },
	{ "udp", "InCsumErrors", "a wrong checksum", DOCTOR_COUNTER_DROP },
	{ "udp", "MemErrors", "no memory for UDP", DOCTOR_COUNTER_DROP },
	{ "udp6", "Udp6NoPorts", "nobody listens: for VXLAN, the wrong port", DOCTOR_COUNTER_DROP },
	{ "udp6", "Udp6InErrors", "refused by a socket", DOCTOR_COUNTER_DROP },
	{ "udp6", "Udp6RcvbufErrors", "a socket's buffer was full", DOCTOR_COUNTER_DROP },
	{ "udp6", "Udp6InCsumErrors", "a wrong checksum", DOCTOR_COUNTER_DROP },
	{ "tcp", "RetransSegs", "sent again by this node's own connections", DOCTOR_COUNTER_HINT },
	{ "tcp", "InErrs", "broken segments", DOCTOR_COUNTER_DROP },
	{ "tcp", "InCsumErrors", "a wrong checksum", DOCTOR_COUNTER_DROP },
	{ "icmp", "InDestUnreachs", "somebody said: cannot be delivered, or too long",
	  DOCTOR_COUNTER_HINT },
	{ "icmp", "OutDestUnreachs", "this node said: cannot be delivered, or too long",
	  DOCTOR_COUNTER_HINT },
	{ "icmp", "OutTimeExcds", "TTL at its end here: a routing loop", DOCTOR_COUNTER_HINT },
	{ "icmp6", "Icmp6OutDestUnreachs", "this node said: cannot be delivered",
	  DOCTOR_COUNTER_HINT },
	{ "icmp6", "Icmp6OutPktTooBigs", "this node said: too long", DOCTOR_COUNTER_HINT },
	{ "icmp6", "Icmp6InPktTooBigs", "somebody said: too long", DOCTOR_COUNTER_HINT },
	{ "tcpext", "IPReversePathFilter", "rp_filter: the way back leads elsewhere",
	  DOCTOR_COUNTER_DROP },
	{ "tcpext", "ListenOverflows", "a listener's queue was full", DOCTOR_COUNTER_DROP },
	{ "tcpext", "ListenDrops", "a listener's queue was full", DOCTOR_COUNTER_DROP },
	{ "tcpext", "TCPBacklogDrop", "a socket's backlog was full", DOCTOR_COUNTER_DROP },
	{ "tcpext", "LockDroppedIcmps", "ICMP for a busy socket", DOCTOR_COUNTER_HINT },
	{ "softnet", "dropped", "a CPU's receive backlog was full (netdev_max_backlog)",
	  DOCTOR_COUNTER_DROP },
	{ "softnet", "time_squeeze", "a CPU ran out of its time for receiving",
	  DOCTOR_COUNTER_HINT },
	{ "conntrack", "insert_failed", "two packets raced to make one connection: one was dropped",
	  DOCTOR_COUNTER_DROP },
	{ "conntrack", "drop", "the table of connections was full", DOCTOR_COUNTER_DROP },
	{ "conntrack", "early_drop", "connections thrown out of a full table",
	  DOCTOR_COUNTER_HINT },
	{ "conntrack", "invalid", "packets that fit no connection", DOCTOR_COUNTER_HINT },
	{ "conntrack", "entries", "", DOCTOR_COUNTER_GAUGE },
	{ "conntrack", "max", "", DOCTOR_COUNTER_GAUGE },
	{ "nft", "drop", "a rule dropped them", DOCTOR_COUNTER_DROP },
	{ "nft", "reject", "a rule rejected them", DOCTOR_COUNTER_DROP },
};

static const struct meaning *meaning_of(const char *group, const char *name)
{
	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (strcmp(meanings[i].name, name) == 0 && strcmp(meanings[i].group, group) == 0)
			return &meanings[i];
	}
	return NULL;
}

const char *doctor_counter_meaning(const struct doctor_counter *c)
{
	const struct meaning *m = meaning_of(c->group, c->name);

	return m ? m->text : "";
}

/* ------------------------------------------------------------------- reading */

struct reading {
	struct doctor_counters *to;
	bool oom;
};

static void put(struct reading *r, const char *group, const char *object, const char *name,
		uint64_t value)
{
	const struct meaning *m = meaning_of(group, name);
	struct doctor_counter *c = doctor_grow(&r->to->c, &r->to->n, sizeof(*c), COUNTERS_MAX);

	if (!c) {
		r->oom = true;
		return;
	}
	snprintf(c->group, sizeof(c->group), "%s", group);
	snprintf(c->object, sizeof(c->object), "%s", object);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->kind = m ? m->kind : DOCTOR_COUNTER_TRAFFIC;
	c->value = value;
}

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
	struct nlattr *a[TCA_MAX + 1], *s[8];
	struct qdisc_stats *q = to;
	struct tcmsg tc;

	if (h->nlmsg_type != RTM_NEWQDISC || nlmsg_parse(h, sizeof(tc), a, TCA_MAX, NULL) < 0 ||
	    !a[TCA_STATS2] || nla_parse_nested(s, 7, a[TCA_STATS2], NULL) < 0 || !s[STATS_QUEUE] ||
	    nla_len(s[STATS_QUEUE]) < (int)sizeof(q->q))
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
		put(r, "link", l->name, v[i].name, v[i].value);
}

static int read_netlink(struct reading *r, struct err *err)
{
	struct ifinfomsg ifi = { .ifi_family = AF_UNSPEC };
	struct tcmsg tc = { .tcm_family = AF_UNSPEC };
	struct link_stats *links = NULL;
	struct qdisc_stats *queues = NULL;
	struct doctor_rule *rules = NULL;
	struct doctor_base_chain *chains = NULL;
	unsigned n_links = 0, n_queues = 0, n_rules = 0, n_chains = 0;
	char object[64];
	struct nl_sock *sk = NULL;
	int rc = doctor_dump_open(NETLINK_ROUTE, &sk, err);

	if (rc)
		return rc;
	rc = doctor_dump(sk, RTM_GETLINK, &ifi, sizeof(ifi), parse_stats, sizeof(*links), &links,
			 &n_links);
	if (rc) {
		rc = err_sys(err, rc, "read link counters over netlink");
		goto out;
	}
	/* what follows may be refused, and is then not among the counters */
	if (doctor_dump(sk, RTM_GETQDISC, &tc, sizeof(tc), parse_qdisc, sizeof(*queues), &queues,
			&n_queues) == -ENOMEM ||
	    doctor_nl_rules(&rules, &n_rules, &chains, &n_chains) == -ENOMEM) {
		rc = err_sys(err, ENOMEM, "counters");
		goto out;
	}
	for (unsigned i = 0; i < n_links; i++)
		put_link(r, &links[i]);
	for (unsigned i = 0; i < n_queues; i++) {
		const char *name = "?";

		for (unsigned j = 0; j < n_links; j++) {
			if (links[j].ifindex == queues[i].ifindex)
				name = links[j].name;
		}
		/* a queue a CPU under mq: handle 0, told apart by nothing, so summed below */
		snprintf(object, sizeof(object), "%s %s %x:", name, queues[i].kind,
			 queues[i].handle >> 16);
		put(r, "qdisc", object, "drops", queues[i].q.drops);
		put(r, "qdisc", object, "overlimits", queues[i].q.overlimits);
	}
	for (unsigned i = 0; i < n_rules; i++) {
		if (!rules[i].has_counter)
			continue;
		snprintf(object, sizeof(object), "%s %.20s %.20s #%llu",
			 doctor_family_name(rules[i].family), rules[i].table, rules[i].chain,
			 (unsigned long long)rules[i].handle);
		put(r, "nft", object, rules[i].reject ? "reject" : "drop", rules[i].packets);
	}
out:
	nl_socket_free(sk);
	free(links);
	free(queues);
	free(rules);
	free(chains);
	return rc;
}

/* "Tcp" and "TcpExt" become "tcp" and "tcpext". */
static void lower(const char *s, size_t n, char *out, size_t size)
{
	size_t i;

	for (i = 0; i < n && i + 1 < size; i++)
		out[i] = (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] + 32 : s[i]);
	out[i] = 0;
}

/* Pairs of lines: "Ip: name name ...", "Ip: 1 2 ...". */
static void read_pairs(struct reading *r, const char *text)
{
	while (*text) {
		const char *names = text, *values = strchr(text, '\n'), *end;
		size_t n = strcspn(names, ":\n");
		char group[16], name[40];

		if (!values++)
			return;
		end = strchr(values, '\n');
		if (names[n] != ':' || strncmp(names, values, n + 1) != 0)
			return;
		lower(names, n, group, sizeof(group));
		names += n + 1;
		values += n + 1;
		for (unsigned i = 0; i < COUNTERS_COLUMNS_MAX; i++) {
			char *after;
			uint64_t v;

			names += strspn(names, " ");
			n = strcspn(names, " \n");
			v = strtoull(values, &after, 10);
			if (!n || after == values || (end && after > end))
				break;
			snprintf(name, sizeof(name), "%.*s", (int)n, names);
			put(r, group, "", name, v);
			names += n;
			values = after;
		}
		if (!end)
			return;
		text = end + 1;
	}
}

/* A name and a number a line; the group is the name's beginning. */
static void read_lines(struct reading *r, const char *text)
{
	static const char *const groups[] = { "Ip6", "Icmp6", "Udp6", "UdpLite6" };
	char name[64], group[16];
	unsigned long long v;

	for (; text && *text; text = strchr(text, '\n'), text = text ? text + 1 : NULL) {
		if (sscanf(text, "%63s %llu", name, &v) != 2)
			continue;
		for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
			size_t n = strlen(groups[i]);

			if (strncmp(name, groups[i], n) == 0) {
				lower(groups[i], n, group, sizeof(group));
				put(r, group, "", name, v);
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

	for (; text && *text; text = strchr(text, '\n'), text = text ? text + 1 : NULL, cpu++) {
		unsigned total, dropped, squeeze;

		if (sscanf(text, "%x %x %x", &total, &dropped, &squeeze) != 3)
			continue;
		snprintf(object, sizeof(object), "cpu%u", cpu);
		put(r, "softnet", object, "processed", total);
		put(r, "softnet", object, "dropped", dropped);
		put(r, "softnet", object, "time_squeeze", squeeze);
	}
}

/* A line of names, then a line a CPU, hexadecimal; summed but for "entries", which all share. */
static void read_conntrack(struct reading *r, const char *text)
{
	const char *names = text;

	for (unsigned column = 0; column < COUNTERS_COLUMNS_MAX; column++) {
		size_t n;
		char name[40];
		uint64_t sum = 0;

		names += strspn(names, " ");
		n = strcspn(names, " \n");
		if (!n)
			return;
		snprintf(name, sizeof(name), "%.*s", (int)n, names);
		names += n;
		for (const char *line = strchr(text, '\n'); line && line[1];
		     line = strchr(line + 1, '\n')) {
			const char *p = line + 1;
			uint64_t v = 0;
			char *after;

			for (unsigned i = 0; i <= column; i++, p = after) {
				v = strtoull(p, &after, 16);
				if (after == p) {
					v = 0;
					break;
				}
			}
			sum = strcmp(name, "entries") == 0 ? v : sum + v;
		}
		put(r, "conntrack", "", name, sum);
	}
}

static void read_files(struct reading *r, const struct doctor_view *v)
{
	long max;
	struct buf b;

	buf_init(&b, COUNTERS_FILE_MAX);
	if (doctor_proc_read(v, "self/net/snmp", &b) == 0)
		read_pairs(r, buf_str(&b));
	if (doctor_proc_read(v, "self/net/netstat", &b) == 0)
		read_pairs(r, buf_str(&b));
	if (doctor_proc_read(v, "self/net/snmp6", &b) == 0)
		read_lines(r, buf_str(&b));
	if (doctor_proc_read(v, "self/net/softnet_stat", &b) == 0)
		read_softnet(r, buf_str(&b));
	if (doctor_proc_read(v, "self/net/stat/nf_conntrack", &b) == 0)
		read_conntrack(r, buf_str(&b));
	buf_done(&b);
	if (doctor_sysctl(v, "netfilter/nf_conntrack_max", &max) == 0 && max > 0)
		put(r, "conntrack", "", "max", (uint64_t)max);
}

static int by_name(const void *a, const void *b)
{
	const struct doctor_counter *x = a, *y = b;
	int c = strcmp(x->group, y->group);

	if (!c)
		c = strcmp(x->object, y->object);
	return c ? c : strcmp(x->name, y->name);
}

/* One of each name: queues that cannot be told apart are summed. */
static void merge(struct doctor_counters *c)
{
	unsigned n = 0;

	qsort(c->c, c->n, sizeof(*c->c), by_name);
	for (unsigned i = 0; i < c->n; i++) {
		if (n && by_name(&c->c[n - 1], &c->c[i]) == 0)
			c->c[n - 1].value += c->c[i].value;
		else
			c->c[n++] = c->c[i];
	}
	c->n = n;
}

int doctor_counters_read(const char *host_root, struct doctor_counters **ret, struct err *err)
{
	struct reading r = { .to = calloc(1, sizeof(*r.to)) };
	struct doctor_view v = { .root = -1, .proc = -1 };
	int rc;

	if (!r.to)
		return err_sys(err, ENOMEM, "counters");
	rc = doctor_files_open(&v, host_root, err);
	if (!rc)
		rc = read_netlink(&r, err);
	if (!rc) {
		read_files(&r, &v);
		if (r.oom)
			rc = err_sys(err, ENOMEM, "counters");
	}
	doctor_view_done(&v);
	if (rc) {
		doctor_counters_free(r.to);
		return rc;
	}
	if (r.to->n)
		merge(r.to);
	*ret = r.to;
	return 0;
}

void doctor_counters_free(struct doctor_counters *c)
{
	if (!c)
		return;
	free(c->c);
	free(c);
}

int doctor_counters_diff(const struct doctor_counters *before, const struct doctor_counters *after,
			 int (*fn)(void *arg, const struct doctor_counter *c, uint64_t moved),
			 void *arg)
{
	unsigned i = 0;

	for (unsigned j = 0; j < after->n; j++) {
		const struct doctor_counter *c = &after->c[j];
		uint64_t was = 0;
		int rc;

		while (i < before->n && by_name(&before->c[i], c) < 0)
			i++;
		if (i < before->n && by_name(&before->c[i], c) == 0)
			was = before->c[i].value;
		if (was > c->value)
			was = 0;
		if (c->kind == DOCTOR_COUNTER_GAUGE || c->value == was)
			continue;
		rc = fn(arg, c, c->value - was);
		if (rc)
			return rc;
	}
	return 0;
}
