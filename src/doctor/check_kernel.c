/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_kernel.c - connection tracking, netfilter, checksum offload.
 *
 * Theory of operation. Connection tracking is judged by its own counters: a full
 * table and failed insertions lose packets that no configuration explains. Of rules
 * it is not worked out which packets they mean (podhop would have to be nft for
 * that): chains that drop by default and rules that have dropped something are
 * named, and the reader judges. Offload faults are known by kernel version.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNTRACK_NEARLY_FULL 90 /* percent; then bursts are what fills it */

static void check_table(struct doctor *d)
{
	long count = 0, max = 0;

	if (doctor_sysctl(d->v, "netfilter/nf_conntrack_count", &count) != 0 ||
	    doctor_sysctl(d->v, "netfilter/nf_conntrack_max", &max) != 0 || max <= 0)
		return;
	doctor_add(d,
		   count >= max ? DOCTOR_FAIL
		   : (int64_t)count * 100 >= (int64_t)max * CONNTRACK_NEARLY_FULL
			   ? DOCTOR_WARN
			   : DOCTOR_OK,
		   "conntrack.table", "connections tracked", "room in the table",
		   doctor_text(d, "%ld of %ld", count, max),
		   doctor_text(d,
			       "sysctl -w net.netfilter.nf_conntrack_max=%ld  # on the host: "
			       "it is one limit for the machine",
			       2 * max));
}

/* Since boot: no failure by itself, but the first thing to know of lost DNS. */
static void check_drops(struct doctor *d)
{
	uint64_t drop = 0, early = 0, failed = 0;
	struct doctor_counters *c = NULL;
	int rc = doctor_counters_of_file(d->v, "self/net/stat/nf_conntrack", &c);

	d->oom |= rc == -ENOMEM;
	if (!rc && doctor_counter_value(c, "conntrack", "insert_failed", &failed)) {
		(void)doctor_counter_value(c, "conntrack", "drop", &drop);
		(void)doctor_counter_value(c, "conntrack", "early_drop", &early);
		doctor_judge(
			d, !failed && !drop && !early, DOCTOR_WARN, "conntrack.drops",
			"packets so far", "none dropped by connection tracking",
			failed || drop || early
				? doctor_text(d, "insert_failed %llu, drop %llu, early_drop %llu",
					      (unsigned long long)failed, (unsigned long long)drop,
					      (unsigned long long)early)
				: "none",
			failed ? "# insert_failed: two packets of one socket raced through a "
				 "Service's translation (DNS: A and AAAA); use NodeLocal DNSCache, "
				 "or single-request-reopen in resolv.conf"
			       : "# see conntrack.table: the table was full");
	}
	doctor_counters_free(c);
}

const char *doctor_hook_name(uint8_t family, uint32_t hook)
{
	/* linux/netfilter.h, linux/netfilter_arp.h: each family counts its own, from 0 */
	static const char *const ip[] = {
		"prerouting", "input", "forward", "output", "postrouting", "ingress",
	};
	static const char *const arp[] = { "input", "output", "forward" };
	static const char *const netdev[] = { "ingress", "egress" };
	const char *const *names = ip;
	size_t n = sizeof(ip) / sizeof(ip[0]);

	if (family == NFPROTO_ARP) {
		names = arp;
		n = sizeof(arp) / sizeof(arp[0]);
	} else if (family == NFPROTO_NETDEV) {
		names = netdev;
		n = sizeof(netdev) / sizeof(netdev[0]);
	}
	return hook < n ? names[hook] : "?";
}

const char *doctor_family_name(uint8_t family)
{
	switch (family) {
	case NFPROTO_INET:
		return "inet";
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	case NFPROTO_ARP:
		return "arp";
	case NFPROTO_NETDEV:
		return "netdev";
	case NFPROTO_BRIDGE:
		return "bridge";
	default:
		return "?";
	}
}

/* Chains that drop by default; how many there are. */
static unsigned check_policies(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_chains; i++) {
		const struct doctor_base_chain *c = &v->chains[i];

		if (!c->drop)
			continue;
		n++;
		doctor_add(
			d, DOCTOR_WARN, "netfilter.policy",
			doctor_text(d, "%s %s %s", doctor_family_name(c->family), c->table,
				    c->chain),
			doctor_text(d, "%s accepts what no rule names",
				    doctor_hook_name(c->family, c->hook)),
			"policy drop: each kind of packet needs a rule (docker sets FORWARD so)",
			c->hook == NF_INET_FORWARD && strcmp(c->chain, "FORWARD") == 0
				? doctor_text(d,
					      "%s -P FORWARD ACCEPT  # or start flanneld with "
					      "--iptables-forward-rules",
					      c->family == NFPROTO_IPV6 ? "ip6tables" : "iptables")
				: "");
	}
	return n;
}

/* A rule that has dropped something, or may have and does not count. */
static bool is_to_be_named(const struct doctor_rule *r)
{
	if (r->has_counter)
		return r->packets;
	/* kube-proxy's own rules are right, and there are many without a counter */
	return strncmp(r->chain, "KUBE-", 5) != 0 && strcmp(r->table, "kube-proxy") != 0;
}

/* How many were named. */
static unsigned check_rules(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_rules && n < DOCTOR_LISTED_MAX; i++) {
		const struct doctor_rule *r = &v->rules[i];

		if (!is_to_be_named(r))
			continue;
		n++;
		doctor_add(d, DOCTOR_WARN, "netfilter.drops",
			   doctor_text(d, "%s %s %s handle %llu", doctor_family_name(r->family),
				       r->table, r->chain, (unsigned long long)r->handle),
			   "no rule that drops pods' packets",
			   r->has_counter ? doctor_text(d, "%s %llu packets so far",
							r->reject ? "rejected" : "dropped",
							(unsigned long long)r->packets)
					  : doctor_text(d, "%s, without a counter",
							r->reject ? "rejects" : "drops"),
			   doctor_text(d,
				       "nft -a list chain %s %s %s  # shows which packets it means",
				       doctor_family_name(r->family), doctor_word(d, r->table),
				       doctor_word(d, r->chain)));
	}
	return n;
}

static void check_netfilter(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	unsigned named;

	if (v->netfilter) {
		doctor_add(d, DOCTOR_SKIP, "netfilter.drops", "nftables",
			   "no rule that drops pods' packets",
			   v->netfilter == -EPERM
				   ? "cannot be read: needs CAP_NET_ADMIN"
				   : doctor_text(d, "cannot be read: %s", strerror(-v->netfilter)),
			   "");
		return;
	}
	named = check_policies(d);
	named += check_rules(d);
	if (!named)
		doctor_add(d, DOCTOR_OK, "netfilter.drops", "nftables",
			   "no rule that drops pods' packets",
			   v->n_chains ? "none has dropped any" : "no rules", "");
}

/* Rules of the old interface are seen by no nftables request. */
static void check_legacy(struct doctor *d)
{
	struct buf b;

	buf_init(&b, DOCTOR_FILE_MAX);
	if (doctor_check_read(d, "self/net/ip_tables_names", &b) == 0 &&
	    strstr(buf_str(&b), "filter"))
		doctor_add(d, DOCTOR_SKIP, "netfilter.legacy", "iptables-legacy",
			   "no rule that drops pods' packets", "rules exist and are not read",
			   "iptables-legacy -nvL FORWARD  # a policy of DROP needs rules for pods");
	buf_done(&b);
}

/*
 * The transmit checksum feature of a device; -errno. Reading it needs no rights. Any socket will
 * do for the question, and the sandbox lets none through that could send a datagram.
 */
static int tx_checksum(const char *dev, bool *ret)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GTXCSUM };
	struct ifreq ifr = { .ifr_data = (void *)&value };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev);
	if (ioctl(fd, SIOCETHTOOL, &ifr) != 0)
		rc = -errno;
	else
		*ret = value.data != 0;
	close(fd);
	return rc;
}

static void check_offload(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	const char *kernel = doctor_text(d, "Linux %u.%u", v->kernel_major, v->kernel_minor);
	/* fixed in 5.7: "netfilter: nat: never update the UDP checksum when it's 0" */
	bool old = v->kernel_major &&
		   (v->kernel_major < 5 || (v->kernel_major == 5 && v->kernel_minor < 7));

	for (unsigned i = 0; i < v->n_links; i++) {
		const struct doctor_link *l = &v->links[i];
		bool on = false;
		int rc;

		if (!doctor_is_vtep(v, l))
			continue;
		if (!old) {
			doctor_add(d, DOCTOR_OK, "offload.checksum", l->name,
				   "a kernel without the masqueraded-checksum fault (5.7 or later)",
				   kernel, "");
			continue;
		}
		rc = tx_checksum(l->name, &on);
		doctor_add(d,
			   rc	? DOCTOR_SKIP
			   : on ? DOCTOR_WARN
				: DOCTOR_OK,
			   "offload.checksum", l->name,
			   "transmit checksum offload off before Linux 5.7",
			   rc	? doctor_text(d, "%s; the feature cannot be read: %s", kernel,
					      strerror(-rc))
			   : on ? doctor_text(d,
					      "%s, and it is on: masqueraded packets may leave "
					      "with a wrong checksum",
					      kernel)
				: doctor_text(d, "%s, and it is off", kernel),
			   doctor_text(d, "ethtool -K %s tx-checksum-ip-generic off",
				       doctor_word(d, l->name)));
	}
}

void doctor_check_kernel(struct doctor *d)
{
	check_table(d);
	check_drops(d);
	check_netfilter(d);
	check_legacy(d);
	check_offload(d);
}
