/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters.c - the kernel's own counters, compared, and what they mean.
 *
 * Theory of operation. A tap shows that a packet did not come; it cannot show
 * whether a rule, a full queue, a missing route or a filter took it. The kernel
 * counts most of these: links and queueing disciplines (netlink), protocols
 * (/proc/net/snmp, netstat, snmp6), the receive backlog (softnet_stat),
 * connection tracking (/proc/net/stat/nf_conntrack), nftables rules that drop. All
 * are of the caller's network namespace but softnet, which is the machine's. Where they
 * are read: counters_parse.c.
 *
 * Counters are sorted by name, so that two readings are compared in one pass.
 */
#include "doctor_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

#define COUNTERS_MAX (1u << 20) /* 24 a link, 2 a queue, 1 a rule, 300 of protocols */

/* ------------------------------------------------------------- what they mean */

struct meaning {
	const char *group, *name, *text;
	enum doctor_counter_kind kind;
};

/* Those that say something about a lost packet; all others are traffic. */
static const struct meaning meanings[] = {
	{ "link", "rx_dropped", "received and thrown away by the device or the stack",
	  DOCTOR_COUNTER_DROP },
	{ "link", "tx_dropped", "not sent: the device refused it; on a VXLAN device, no FDB entry",
	  DOCTOR_COUNTER_DROP },
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

/* -------------------------------------------------------------------- a reading */

void doctor_count(struct reading *r, const char *group, const char *object, const char *name,
		  uint64_t value)
{
	const struct meaning *m = meaning_of(group, name);
	struct doctor_counter *c = grow(&r->to->c, &r->to->n, sizeof(*c), COUNTERS_MAX);

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

static int by_name(const void *a, const void *b)
{
	const struct doctor_counter *x = a, *y = b;
	int c = strcmp(x->group, y->group);

	if (!c)
		c = strcmp(x->object, y->object);
	return c ? c : strcmp(x->name, y->name);
}

/* One of each name: queues that cannot be told apart are summed. */
void doctor_counters_merge(struct doctor_counters *c)
{
	unsigned n = 0;

	if (!c->n)
		return;
	qsort(c->c, c->n, sizeof(*c->c), by_name);
	for (unsigned i = 0; i < c->n; i++) {
		if (n && by_name(&c->c[n - 1], &c->c[i]) == 0)
			c->c[n - 1].value += c->c[i].value;
		else
			c->c[n++] = c->c[i];
	}
	c->n = n;
}

bool doctor_counter_value(const struct doctor_counters *c, const char *group, const char *name,
			  uint64_t *ret)
{
	for (unsigned i = 0; i < c->n; i++) {
		if (strcmp(c->c[i].group, group) != 0 || strcmp(c->c[i].name, name) != 0)
			continue;
		*ret = c->c[i].value;
		return true;
	}
	return false;
}

void doctor_counters_free(struct doctor_counters *c)
{
	if (!c)
		return;
	free(c->c);
	free(c);
}

/*
 * The kernel keeps these in 32 bits a CPU (struct softnet_data, struct ip_conntrack_stat): modulo
 * 2^32 the difference is right though one has wrapped. Of the others a smaller value is that of a
 * device, rule or queue that was made anew.
 */
static uint64_t moved(const struct doctor_counter *c, uint64_t was)
{
	if (c->value >= was)
		return c->value - was;
	if (strcmp(c->group, "softnet") == 0 || strcmp(c->group, "conntrack") == 0)
		return (uint32_t)(c->value - was);
	return c->value;
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
		if (c->kind == DOCTOR_COUNTER_GAUGE || c->value == was)
			continue;
		rc = fn(arg, c, moved(c, was));
		if (rc)
			return rc;
	}
	return 0;
}
