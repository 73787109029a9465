/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_sysctl.c - forwarding, rp_filter, br_netfilter.
 *
 * Theory of operation. Which value counts is the kernel's choice, and differs:
 *  - IPv4 forwards by the value of the device a packet came in by; writing ip_forward
 *    sets every device's (net/ipv4/devinet.c);
 *  - IPv6 forwards by "all" alone (net/ipv6/ip6_output.c, ip6_forward);
 *  - rp_filter is the higher of "all" and the device's, so that 2 (loose) anywhere
 *    wins over 1 (strict) (include/linux/inetdevice.h, IN_DEV_RPFILTER).
 * Strict is wrong only where the way back differs from the way in; that is worked
 * out from routes, and else told by the kernel's own count.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

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

		if (n->ifindex != vtep->ifindex || !(n->state & NUD_PERMANENT) ||
		    addr_is_multicast(&n->dst))
			continue;
		r = doctor_route_to(v, &n->dst, 0);
		if (r && r->type == RTN_UNICAST && r->oif != vtep->ifindex &&
		    doctor_in_networks(v, &r->dst.addr))
			return r;
	}
	return NULL;
}

/* Packets that rp_filter has dropped since boot, on all devices together. */
static uint64_t dropped_by_rp_filter(struct doctor *d)
{
	struct doctor_counters *c = NULL;
	uint64_t n = 0;
	int rc = doctor_counters_of_file(d->v, "self/net/netstat", &c);

	d->oom |= rc == -ENOMEM;
	if (!rc)
		(void)doctor_counter_value(c, "tcpext", "IPReversePathFilter", &n);
	doctor_counters_free(c);
	return n;
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
	dropped = dropped_by_rp_filter(d);
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
