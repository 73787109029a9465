/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_node.c - bridge, MTUs, sysctls, conntrack, netfilter, offloads: what is the node's.
 *
 * Sources: the bridge plugin (plugins/main/bridge) for cni0, Linux ip-sysctl and
 * nf_conntrack-sysctl documents for the switches, net/ipv4/ip_forward.c and
 * fib_frontend.c for which of "all" and the device's own value counts.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/netfilter.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNTRACK_NEARLY_FULL 90 /* percent; then bursts are what fills it */

/* -------------------------------------------------------------------- bridge */

static bool has_route(const struct doctor_view *v, const struct prefix *dst, uint32_t oif)
{
	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *r = &v->routes[i];

		if (r->table == RT_TABLE_MAIN && r->type == RTN_UNICAST && r->oif == oif &&
		    doctor_prefix_eq(&r->dst, dst))
			return true;
	}
	return false;
}

static void check_subnet(struct doctor *d, const struct doctor_link *br, const struct prefix *own)
{
	struct prefix base = doctor_prefix_base(*own), found = { .len = 0 };
	const char *dev = doctor_word(d, br->name), *want = doctor_prefix(d, own);
	bool has = false, v4 = addr_is_v4(&own->addr);

	for (unsigned i = 0; i < d->v->n_addrs; i++) {
		const struct doctor_ifaddr *a = &d->v->addrs[i];

		if (a->ifindex != br->ifindex || addr_is_v4(&a->prefix.addr) != v4 ||
		    addr_is_link_local(&a->prefix.addr))
			continue;
		has |= doctor_prefix_eq(&a->prefix, own);
		found = a->prefix;
	}
	doctor_judge(
		d, has, DOCTOR_FAIL, "bridge.address", br->name,
		doctor_text(d, "%s, as subnet.env says: the pods' gateway", want),
		has	    ? "it has it"
		: found.len ? doctor_prefix(d, &found)
			    : "no address",
		found.len
			? doctor_text(d,
				      "ip addr add %s dev %s; ip addr del %s dev %s  # pods with "
				      "addresses of the old subnet have to be made anew",
				      want, dev, doctor_prefix(d, &found), dev)
			: doctor_text(d, "ip addr add %s dev %s%s", want, dev, v4 ? "" : " nodad"));
	if (!(br->flags & IFF_UP))
		return; /* its routes went with it */
	if (has_route(d->v, &base, br->ifindex)) {
		doctor_add(d, DOCTOR_OK, "bridge.route", br->name,
			   doctor_text(d, "%s is on it", doctor_prefix(d, &base)),
			   "the route is there", "");
	} else {
		const struct doctor_route *r = doctor_route_to(d->v, &base.addr, 0);
		const struct doctor_link *dev2 = r ? doctor_link_by_index(d->v, r->oif) : NULL;

		doctor_add(
			d, DOCTOR_FAIL, "bridge.route", br->name,
			doctor_text(d, "%s is on it", doctor_prefix(d, &base)),
			dev2 && r->dst.len && r->type == RTN_UNICAST
				? doctor_text(d, "the route leads to %s", dev2->name)
				: "no route: packets to this node's pods go elsewhere or nowhere",
			doctor_text(d, "ip route replace %s dev %s proto kernel%s%s",
				    doctor_prefix(d, &base), dev, v4 ? " scope link src " : "",
				    v4 ? doctor_addr(d, &own->addr) : ""));
	}
}

void doctor_check_bridge(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	const struct doctor_link *br = doctor_bridge(v);
	bool up;

	if (!br) {
		doctor_add(d, DOCTOR_SKIP, "bridge.state", "cni0", "the bridge that pods hang on",
			   "none yet: the first pod makes it", "");
		return;
	}
	up = br->flags & IFF_UP;
	doctor_judge(d, up, DOCTOR_FAIL, "bridge.state", br->name, "up", up ? "up" : "down",
		     doctor_text(d, "ip link set dev %s up", doctor_word(d, br->name)));
	if (v->env_rc)
		return;
	if (v->env.subnet4.len)
		check_subnet(d, br, &v->env.subnet4);
	if (v->env.subnet6.len)
		check_subnet(d, br, &v->env.subnet6);
	if (br->vlan_filtering)
		doctor_add(d, DOCTOR_WARN, "bridge.vlan", br->name, "no VLAN filtering",
			   "on: frames of a VLAN that a port is not in are dropped",
			   doctor_text(d, "ip link set dev %s type bridge vlan_filtering 0",
				       doctor_word(d, br->name)));
}

/* ---------------------------------------------------------------------- MTU */

static void check_vtep_mtu(struct doctor *d, const struct doctor_link *l)
{
	const struct doctor_link *under = doctor_underlay(d->v, l);
	unsigned overhead = l->vxlan_v6 ? DOCTOR_OVERHEAD_V6 : DOCTOR_OVERHEAD_V4, most;

	if (!under || under->mtu <= overhead)
		return;
	most = under->mtu - overhead;
	/*
	 * The outer packet may be fragmented, so most of them pass: until a switch or a
	 * firewall drops fragments. It is a fault of configuration all the same.
	 */
	doctor_judge(
		d, l->mtu <= most, DOCTOR_FAIL, "mtu.vtep", l->name,
		doctor_text(d, "at most %u: %s has %u, encapsulation takes %u", most, under->name,
			    under->mtu, overhead),
		doctor_text(d, "%u%s", l->mtu,
			    l->mtu <= most ? ""
					   : ": every full-sized packet leaves as two fragments"),
		doctor_text(
			d,
			"ip link set dev %s mtu %u  # or give %s %u, where the network carries it",
			doctor_word(d, l->name), most, under->name, l->mtu + overhead));
}

/* The smallest MTU of the IPv4 VTEPs, else of all; 0: none. flannel's IPv6 device may be smaller. */
static uint32_t tunnel_mtu(const struct doctor_view *v)
{
	uint32_t m4 = 0, m6 = 0;

	for (unsigned i = 0; i < v->n_links; i++) {
		const struct doctor_link *l = &v->links[i];
		uint32_t *m = l->vxlan_v6 ? &m6 : &m4;

		if (doctor_is_vtep(v, l) && (!*m || l->mtu < *m))
			*m = l->mtu;
	}
	/* flannel takes 50 off for IPv6 too; the kernel then clamps the device by 20 more */
	return m4 ? m4 : m6 ? m6 + DOCTOR_OVERHEAD_V6 - DOCTOR_OVERHEAD_V4 : 0;
}

void doctor_check_mtu(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	const struct doctor_link *br = doctor_bridge(v);
	uint32_t tunnel = tunnel_mtu(v);

	for (unsigned i = 0; i < v->n_links; i++) {
		if (doctor_is_vtep(v, &v->links[i]))
			check_vtep_mtu(d, &v->links[i]);
	}
	if (!v->env_rc && v->env.mtu && tunnel)
		doctor_judge(d, v->env.mtu <= tunnel, DOCTOR_FAIL, "mtu.flannel",
			     "/run/flannel/subnet.env",
			     doctor_text(d, "at most %u, what the tunnel takes", tunnel),
			     doctor_text(d, "FLANNEL_MTU=%u%s", v->env.mtu,
					 v->env.mtu <= tunnel
						 ? ""
						 : ": new pods send packets that are too long"),
			     "# restart flanneld on this node, then make the pods anew");
	if (br && tunnel)
		doctor_judge(d, br->mtu <= tunnel, DOCTOR_WARN, "mtu.bridge", br->name,
			     doctor_text(d, "at most %u, what the tunnel takes", tunnel),
			     doctor_text(d, "%u", br->mtu),
			     doctor_text(d, "ip link set dev %s mtu %u", doctor_word(d, br->name),
					 tunnel));
}

/* ------------------------------------------------------------------- sysctls */

/* Devices that packets of pods come in by. */
static unsigned path_devices(const struct doctor_view *v, const struct doctor_link *out[static 16])
{
	unsigned n = 0;
	const struct doctor_link *br = doctor_bridge(v);

	if (br)
		out[n++] = br;
	for (unsigned i = 0; i < v->n_links && n < 14; i++) {
		const struct doctor_link *l = &v->links[i], *under;
		bool have = false;

		if (!doctor_is_vtep(v, l))
			continue;
		out[n++] = l;
		under = doctor_underlay(v, l);
		for (unsigned j = 0; j < n; j++)
			have |= out[j] == under;
		if (under && !have)
			out[n++] = under;
	}
	return n;
}

static bool uses(const struct doctor_view *v, bool v6)
{
	if (!v->env_rc)
		return v6 ? v->env.subnet6.len : v->env.subnet4.len;
	for (unsigned i = 0; i < v->n_links; i++) {
		if (doctor_is_vtep(v, &v->links[i]) && v->links[i].vxlan_v6 == v6)
			return true;
	}
	return !v6;
}

static void check_forwarding4(struct doctor *d, const struct doctor_link *const *dev, unsigned n)
{
	static const char object[] = "net.ipv4.ip_forward";
	long value = 0;
	int rc = doctor_sysctl(d->v, "ipv4/ip_forward", &value);

	if (rc) {
		doctor_add(d, DOCTOR_SKIP, "sysctl.forwarding", object, "1",
			   doctor_text(d, "cannot be read: %s", strerror(-rc)), "");
		return;
	}
	doctor_judge(
		d, value, DOCTOR_FAIL, "sysctl.forwarding", object, "1",
		doctor_text(d, "%ld%s", value,
			    value ? ""
				  : ": this node forwards nothing between pods and the network"),
		"sysctl -w net.ipv4.ip_forward=1");
	if (!value)
		return; /* and with it every device's own */
	for (unsigned i = 0; i < n; i++) {
		rc = doctor_sysctl_dev(d->v, "ipv4", dev[i]->name, "forwarding", &value);
		if (rc)
			continue;
		/* only in the slash form can a device have a dot in its name */
		doctor_judge(d, value, DOCTOR_FAIL, "sysctl.forwarding",
			     doctor_text(d, "net/ipv4/conf/%s/forwarding", dev[i]->name), "1",
			     doctor_text(d, "%ld%s", value,
					 value ? "" : ": what comes in there is not forwarded"),
			     doctor_text(d, "sysctl -w net/ipv4/conf/%s/forwarding=1",
					 doctor_word(d, dev[i]->name)));
	}
}

/* A remote subnet whose packets come through the tunnel, but whose replies leave elsewhere. */
static const struct doctor_route *asymmetric(const struct doctor_view *v,
					     const struct doctor_link *vtep)
{
	for (unsigned i = 0; i < v->n_neighs; i++) {
		const struct doctor_neigh *n = &v->neighs[i];
		const struct doctor_route *r;

		if (n->ifindex != vtep->ifindex || !(n->state & 0x80 /* NUD_PERMANENT */) ||
		    addr_is_multicast(&n->dst))
			continue;
		r = doctor_route_to(v, &n->dst, 0);
		if (r && r->type == RTN_UNICAST && r->oif != vtep->ifindex &&
		    doctor_in_networks(v, &r->dst.addr))
			return r;
	}
	return NULL;
}

static uint64_t netstat_value(const struct doctor_view *v, const char *name)
{
	uint64_t value = 0;
	const char *line;
	struct buf b;

	buf_init(&b, DOCTOR_FILE_MAX);
	if (doctor_proc_read(v, "self/net/netstat", &b) != 0)
		goto out;
	/* pairs of lines: names, values */
	for (line = buf_str(&b); line && *line;) {
		const char *values = strchr(line, '\n');
		unsigned column = 0;
		bool hit = false;
		size_t n, len = strlen(name);

		if (!values++)
			break;
		for (const char *p = line; p < values && !hit; p += n) {
			p += strspn(p, " ");
			n = strcspn(p, " \n");
			hit = n == len && memcmp(p, name, n) == 0;
			if (!n)
				break;
			column += !hit;
		}
		if (hit) {
			const char *p = values;

			for (; column && *p && *p != '\n'; column--) {
				p += strcspn(p, " \n");
				p += strspn(p, " ");
			}
			value = strtoull(p, NULL, 10);
			break;
		}
		line = strchr(values, '\n');
		line = line ? line + 1 : NULL;
	}
out:
	buf_done(&b);
	return value;
}

/* The higher of the two counts: 0 none, 1 strict, 2 loose. */
static void check_rp_filter(struct doctor *d, const struct doctor_link *l)
{
	long all = 0, own = 0, value;
	const struct doctor_route *r = asymmetric(d->v, l);
	const struct doctor_link *other = r ? doctor_link_by_index(d->v, r->oif) : NULL;
	const char *object = doctor_text(d, "net/ipv4/conf/%s/rp_filter", l->name), *found;
	const char *advice =
		doctor_text(d, "sysctl -w net/ipv4/conf/%s/rp_filter=2", doctor_word(d, l->name));
	uint64_t dropped;

	if (doctor_sysctl(d->v, "ipv4/conf/all/rp_filter", &all) != 0 ||
	    doctor_sysctl_dev(d->v, "ipv4", l->name, "rp_filter", &own) != 0)
		return;
	value = own > all ? own : all;
	if (value != 1) {
		doctor_add(d, DOCTOR_OK, "sysctl.rp_filter", object, "not strict",
			   value ? "2, loose" : "0, off", "");
		return;
	}
	dropped = netstat_value(d->v, "IPReversePathFilter");
	if (other) {
		found = doctor_text(
			d, "1, strict, but %s leads to %s: what comes in from there is dropped",
			doctor_prefix(d, &r->dst), other->name);
		doctor_add(d, DOCTOR_FAIL, "sysctl.rp_filter", object,
			   "not strict where routes are asymmetric", found, advice);
	} else if (strcmp(l->kind, "bridge") == 0 || !dropped) {
		/* pods' own addresses are on the bridge, so strict is right there */
		doctor_add(d, DOCTOR_OK, "sysctl.rp_filter", object,
			   "not strict where routes are asymmetric",
			   "1, strict, and no route is asymmetric", "");
	} else {
		doctor_add(d, DOCTOR_WARN, "sysctl.rp_filter", object, "not strict",
			   doctor_text(d,
				       "1, strict; the node has dropped %llu packets for it on all "
				       "its devices "
				       "(IPReversePathFilter)",
				       (unsigned long long)dropped),
			   advice);
	}
}

static void check_br_netfilter(struct doctor *d, bool v6)
{
	const char *name = v6 ? "bridge-nf-call-ip6tables" : "bridge-nf-call-iptables";
	const char *object = doctor_text(d, "net.bridge.%s", name);
	long value = 0;
	int rc = doctor_sysctl(
		d->v, v6 ? "bridge/bridge-nf-call-ip6tables" : "bridge/bridge-nf-call-iptables",
		&value);

	if (rc == -ENOENT)
		doctor_add(
			d, DOCTOR_WARN, "sysctl.br_netfilter", object, "1",
			"br_netfilter is not loaded: replies of a Service's pod on the same node "
			"are not translated back",
			doctor_text(d, "modprobe br_netfilter && sysctl -w net.bridge.%s=1", name));
	else if (rc)
		doctor_add(d, DOCTOR_SKIP, "sysctl.br_netfilter", object, "1",
			   doctor_text(d, "cannot be read: %s", strerror(-rc)), "");
	else
		doctor_judge(d, value, DOCTOR_WARN, "sysctl.br_netfilter", object, "1",
			     value ? "1"
				   : "0: replies of a Service's pod on the same node are not "
				     "translated back",
			     doctor_text(d, "sysctl -w net.bridge.%s=1", name));
}

void doctor_check_sysctls(struct doctor *d)
{
	const struct doctor_link *dev[16] = { NULL };
	unsigned n = path_devices(d->v, dev);
	long value = 0;

	if (uses(d->v, false)) {
		check_forwarding4(d, dev, n);
		for (unsigned i = 0; i < n; i++)
			check_rp_filter(d, dev[i]);
		check_br_netfilter(d, false);
	}
	if (!uses(d->v, true))
		return;
	/* for IPv6 only "all" decides (net/ipv6/ip6_output.c, ip6_forward) */
	if (doctor_sysctl(d->v, "ipv6/conf/all/forwarding", &value) == 0)
		doctor_judge(d, value, DOCTOR_FAIL, "sysctl.forwarding",
			     "net.ipv6.conf.all.forwarding", "1",
			     doctor_text(d, "%ld%s", value,
					 value ? ""
					       : ": this node forwards no IPv6 between pods and "
						 "the network"),
			     "sysctl -w net.ipv6.conf.all.forwarding=1");
	check_br_netfilter(d, true);
}

/* -------------------------------------------------------------------- kernel */

/* Sum of a column of /proc/net/stat/nf_conntrack: a line of hexadecimals a CPU. */
static bool conntrack_stat(const char *text, const char *name, uint64_t *ret)
{
	char want[32], title[32];
	unsigned column = 0, at = 0;
	const char *p = text;
	bool hit = false;
	uint64_t sum = 0;
	int n = 0;

	snprintf(want, sizeof(want), "%s", name);
	for (; sscanf(p, " %31s%n", title, &n) == 1; p += n) {
		const char *eol = strchr(text, '\n');

		if (eol && p > eol)
			break;
		if (strcmp(title, want) == 0) {
			hit = true;
			break;
		}
		column++;
	}
	if (!hit)
		return false;
	for (p = strchr(text, '\n'); p && p[1]; p = strchr(p + 1, '\n')) {
		const char *q = p + 1;
		char *end;

		for (at = 0; at <= column; at++) {
			unsigned long long v = strtoull(q, &end, 16);

			if (end == q)
				break;
			if (at == column)
				sum += v;
			q = end;
		}
	}
	*ret = sum;
	return true;
}

static void check_conntrack(struct doctor *d)
{
	long count = 0, max = 0;
	uint64_t drop = 0, early = 0, failed = 0;
	struct buf b;

	if (doctor_sysctl(d->v, "netfilter/nf_conntrack_count", &count) == 0 &&
	    doctor_sysctl(d->v, "netfilter/nf_conntrack_max", &max) == 0 && max > 0) {
		bool full = count >= max, nearly = count >= max / 100 * CONNTRACK_NEARLY_FULL;
		const char *found = doctor_text(d, "%ld of %ld", count, max);
		const char *advice =
			doctor_text(d,
				    "sysctl -w net.netfilter.nf_conntrack_max=%ld  # on the host: "
				    "it is one limit for the machine",
				    2 * max);

		doctor_add(d,
			   full	    ? DOCTOR_FAIL
			   : nearly ? DOCTOR_WARN
				    : DOCTOR_OK,
			   "conntrack.table", "connections tracked", "room in the table", found,
			   advice);
	}
	buf_init(&b, DOCTOR_FILE_MAX);
	if (doctor_proc_read(d->v, "self/net/stat/nf_conntrack", &b) == 0 &&
	    conntrack_stat(buf_str(&b), "insert_failed", &failed)) {
		conntrack_stat(buf_str(&b), "drop", &drop);
		conntrack_stat(buf_str(&b), "early_drop", &early);
		/* since boot: no failure by itself, but the first thing to know about lost DNS answers */
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
	buf_done(&b);
}

static const char *hook_name(uint32_t hook)
{
	static const char *const names[] = {
		"prerouting", "input", "forward", "output", "postrouting",
	};

	return hook < sizeof(names) / sizeof(names[0]) ? names[hook] : "ingress";
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

/*
 * Which packets a rule means is not worked out: podhop would have to be nft for that. What
 * is certain is reported: chains that drop by default, rules that have dropped something.
 */
static void check_netfilter(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	unsigned policies = 0, counted = 0;

	if (v->netfilter) {
		doctor_add(d, DOCTOR_SKIP, "netfilter.drops", "nftables",
			   "no rule that drops pods' packets",
			   doctor_text(d, "cannot be read: %s", strerror(-v->netfilter)), "");
		return;
	}
	for (unsigned i = 0; i < v->n_chains; i++) {
		const struct doctor_base_chain *c = &v->chains[i];

		if (!c->drop)
			continue;
		policies++;
		doctor_add(
			d, DOCTOR_WARN, "netfilter.policy",
			doctor_text(d, "%s %s %s", doctor_family_name(c->family), c->table,
				    c->chain),
			doctor_text(d, "%s accepts what no rule names", hook_name(c->hook)),
			"policy drop: each kind of packet needs a rule (docker sets FORWARD so)",
			c->hook == NF_INET_FORWARD && strcmp(c->chain, "FORWARD") == 0
				? doctor_text(d,
					      "%s -P FORWARD ACCEPT  # or start flanneld with "
					      "--iptables-forward-rules",
					      c->family == NFPROTO_IPV6 ? "ip6tables" : "iptables")
				: "");
	}
	for (unsigned i = 0; i < v->n_rules && counted < DOCTOR_LISTED_MAX; i++) {
		const struct doctor_rule *r = &v->rules[i];

		/* kube-proxy's own rules are right, and there are many without a counter */
		if (r->has_counter ? !r->packets
				   : strncmp(r->chain, "KUBE-", 5) == 0 ||
					     strcmp(r->table, "kube-proxy") == 0)
			continue;
		counted++;
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
	if (!policies && !counted)
		doctor_add(d, DOCTOR_OK, "netfilter.drops", "nftables",
			   "no rule that drops pods' packets",
			   v->n_chains ? "none has dropped any" : "no rules", "");
}

/* Rules of the old interface are seen by no nftables request. */
static void check_legacy(struct doctor *d)
{
	struct buf b;

	buf_init(&b, DOCTOR_FILE_MAX);
	if (doctor_proc_read(d->v, "self/net/ip_tables_names", &b) == 0 &&
	    strstr(buf_str(&b), "filter"))
		doctor_add(d, DOCTOR_SKIP, "netfilter.legacy", "iptables-legacy",
			   "no rule that drops pods' packets", "rules exist and are not read",
			   "iptables-legacy -nvL FORWARD  # a policy of DROP needs rules for pods");
	buf_done(&b);
}

/* The transmit checksum feature of a device; -errno. Reading it needs no rights. */
static int tx_checksum(const char *dev, bool *ret)
{
	struct ethtool_value value = { .cmd = ETHTOOL_GTXCSUM };
	struct ifreq ifr = { .ifr_data = (void *)&value };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = 0;

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
	check_conntrack(d);
	check_netfilter(d);
	check_legacy(d);
	check_offload(d);
}
