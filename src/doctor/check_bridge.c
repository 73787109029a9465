/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_bridge.c - the pods' bridge, and the MTUs from it to the underlay.
 *
 * Sources: the bridge plugin (plugins/main/bridge/bridge.go) for cni0, flannel's
 * pkg/backend/vxlan for the VTEP's MTU.
 */
#include "doctor_priv.h"

#include <sys/socket.h> /* before linux/if.h, which needs it */
#include <linux/if.h>
#include <linux/rtnetlink.h>

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
	unsigned overhead = l->vxlan_v6 ? MODEL_VXLAN_OVERHEAD_V6 : MODEL_VXLAN_OVERHEAD_V4, most;

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

/* The smallest MTU of the IPv4 VTEPs, else of all; 0: none. */
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
	return m4 ? m4 : m6 ? m6 + MODEL_VXLAN_OVERHEAD_V6 - MODEL_VXLAN_OVERHEAD_V4 : 0;
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
