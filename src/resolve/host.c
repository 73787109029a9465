/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * host.c - the host's side of every chain: bridges, VTEPs, underlays, routes.
 *
 * Theory of operation. Devices are found by what they are, never by name: a bridge
 * because pod veths are its ports, a VTEP because its kind is vxlan, the underlay because
 * IFLA_VXLAN_LINK points at it. Routes get the kind that decides which hops a path needs:
 * by their type first, then by the device they leave through.
 */
#include "resolve_priv.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

const struct resolve_link *resolve_host_link(const struct resolve *r, uint32_t ifindex)
{
	unsigned lo = 0, hi = r->n_links;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (r->links[mid].l.ifindex < ifindex)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < r->n_links && r->links[lo].l.ifindex == ifindex ? &r->links[lo] : NULL;
}

const struct resolve_link *resolve_host_link_named(const struct resolve *r, const char *name)
{
	for (unsigned i = 0; i < r->n_links; i++) {
		if (strcmp(r->links[i].l.name, name) == 0)
			return &r->links[i];
	}
	return NULL;
}

int resolve_host_copy(const struct resolve *r, const struct resolve_link *from,
		      struct chain_link *to)
{
	*to = from->l;
	to->addrs = NULL;
	to->n_addrs = 0;
	for (unsigned i = 0; i < r->n_addrs; i++) {
		struct prefix *p;

		if (r->addrs[i].ifindex != from->l.ifindex)
			continue;
		p = grow(&to->addrs, &to->n_addrs, sizeof(*p), RESOLVE_LINKS_MAX);
		if (!p)
			return -ENOMEM;
		*p = r->addrs[i].prefix;
	}
	return 0;
}

static bool host_is(const struct resolve_link *l, const char *kind)
{
	return l && strcmp(l->l.kind, kind) == 0;
}

static bool host_is_bridge(const struct resolve_link *l)
{
	return host_is(l, "bridge") || host_is(l, "openvswitch");
}

/* A bridge that veths from other namespaces hang on. */
static bool host_is_pod_bridge(const struct resolve *r, uint32_t ifindex)
{
	if (!host_is_bridge(resolve_host_link(r, ifindex)))
		return false;
	for (unsigned i = 0; i < r->n_links; i++) {
		const struct resolve_link *l = &r->links[i];

		if (l->l.master == ifindex && host_is(l, "veth") && l->l.link_netnsid >= 0)
			return true;
	}
	return false;
}

static bool host_usable(const struct resolve_route *rt)
{
	return !(rt->flags & RTM_F_CLONED) && rt->type != RTN_BROADCAST &&
	       rt->type != RTN_MULTICAST && rt->type != RTN_ANYCAST;
}

const struct resolve_route *resolve_host_route(const struct resolve *r, const struct addr *a)
{
	static const uint32_t tables[] = { RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT };

	/* the order of the default rules: local, then main, then default */
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		const struct resolve_route *best = NULL;

		for (unsigned i = 0; i < r->n_routes; i++) {
			const struct resolve_route *rt = &r->routes[i];

			if (rt->table != tables[t] || !host_usable(rt) || rt->v6 == addr_is_v4(a) ||
			    !prefix_has(&rt->dst, a))
				continue;
			if (!best || rt->dst.len > best->dst.len ||
			    (rt->dst.len == best->dst.len && rt->metric < best->metric))
				best = rt;
		}
		if (best)
			return best;
	}
	return NULL;
}

/* Where VXLAN datagrams leave when the device names no lower device. */
static uint32_t host_guess_underlay(const struct resolve *r, const struct resolve_link *vxlan)
{
	const struct resolve_route *best = NULL;

	if (vxlan && vxlan->vxlan_link)
		return vxlan->vxlan_link;
	for (unsigned i = 0; vxlan && !addr_is_none(&vxlan->vxlan_local) && i < r->n_addrs; i++) {
		if (addr_eq(&r->addrs[i].prefix.addr, &vxlan->vxlan_local))
			return r->addrs[i].ifindex;
	}
	for (unsigned i = 0; i < r->n_routes; i++) {
		const struct resolve_route *rt = &r->routes[i];

		if (rt->dst.len || rt->table != RT_TABLE_MAIN || rt->type != RTN_UNICAST ||
		    !rt->oif)
			continue;
		if (!best || (best->v6 && !rt->v6) ||
		    (best->v6 == rt->v6 && rt->metric < best->metric))
			best = rt;
	}
	return best ? best->oif : 0;
}

const struct resolve_link *resolve_host_vtep_over(const struct resolve *r, uint32_t ifindex)
{
	const struct resolve_link *l = resolve_host_link(r, ifindex);

	if (!l || host_is_bridge(resolve_host_link(r, l->l.master)))
		return NULL;
	for (unsigned i = 0; i < r->n_links; i++) {
		if (host_is(&r->links[i], "vxlan") &&
		    host_guess_underlay(r, &r->links[i]) == ifindex)
			return &r->links[i];
	}
	return NULL;
}

static int host_add_underlay(const struct resolve *r, struct chain_host *h, uint32_t ifindex)
{
	const struct resolve_link *l = resolve_host_link(r, ifindex);
	struct chain_link *to;

	if (!l || (l->l.flags & IFF_LOOPBACK))
		return 0;
	for (unsigned i = 0; i < h->n_underlays; i++) {
		if (h->underlays[i].ifindex == ifindex)
			return 0;
	}
	to = grow(&h->underlays, &h->n_underlays, sizeof(*to), RESOLVE_LINKS_MAX);
	return to ? resolve_host_copy(r, l, to) : -ENOMEM;
}

static int host_add_vteps(const struct resolve *r, struct chain_host *h)
{
	/* IPv4 first; the host's links are in order of ifindex */
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned i = 0; i < r->n_links; i++) {
			const struct resolve_link *l = &r->links[i];
			struct chain_vtep *v;
			int rc;

			if (!host_is(l, "vxlan") || l->vxlan_v6 != (v6 == 1))
				continue;
			v = grow(&h->vteps, &h->n_vteps, sizeof(*v), RESOLVE_LINKS_MAX);
			if (!v)
				return -ENOMEM;
			v->family = l->vxlan_v6 ? 6 : 4;
			v->vni = l->vxlan_vni;
			v->port = l->vxlan_port;
			v->local = l->vxlan_local;
			v->underlay_ifindex = host_guess_underlay(r, l);
			rc = resolve_host_copy(r, l, &v->link);
			if (!rc)
				rc = host_add_underlay(r, h, v->underlay_ifindex);
			if (rc)
				return rc;
		}
	}
	/* host-gw, or no overlay at all: the way out of the node */
	return h->n_underlays ? 0 : host_add_underlay(r, h, host_guess_underlay(r, NULL));
}

static int host_add_bridges(const struct resolve *r, struct chain *c)
{
	struct chain_host *h = &c->host;

	for (unsigned i = 0; i < c->n_pods; i++) {
		for (unsigned j = 0; j < c->pods[i].n_interfaces; j++) {
			uint32_t ifindex = c->pods[i].interfaces[j].bridge_ifindex;
			const struct resolve_link *l;
			struct chain_link *to;
			unsigned k;
			int rc;

			for (k = 0; k < h->n_bridges && h->bridges[k].ifindex != ifindex; k++)
				;
			l = ifindex && k == h->n_bridges ? resolve_host_link(r, ifindex) : NULL;
			if (!l)
				continue;
			to = grow(&h->bridges, &h->n_bridges, sizeof(*to),
					  RESOLVE_LINKS_MAX);
			if (!to)
				return -ENOMEM;
			rc = resolve_host_copy(r, l, to);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static enum model_route_kind host_route_kind(const struct resolve *r, const struct chain_host *h,
					     const struct resolve_route *rt)
{
	const struct resolve_link *dev = resolve_host_link(r, rt->oif);

	switch (rt->type) {
	case RTN_LOCAL:
		return MODEL_ROUTE_NODE;
	case RTN_BLACKHOLE:
	case RTN_UNREACHABLE:
	case RTN_PROHIBIT:
		return MODEL_ROUTE_BLACKHOLE;
	case RTN_UNICAST:
		break;
	default:
		return MODEL_ROUTE_UNKNOWN;
	}
	for (unsigned i = 0; i < h->n_underlays; i++) {
		if (h->underlays[i].ifindex == rt->oif)
			return MODEL_ROUTE_DIRECT;
	}
	for (unsigned i = 0; i < h->n_bridges; i++) {
		if (h->bridges[i].ifindex == rt->oif)
			return MODEL_ROUTE_LOCAL;
	}
	if (host_is(dev, "vxlan"))
		return MODEL_ROUTE_VTEP;
	if (dev && (dev->l.flags & IFF_LOOPBACK))
		return MODEL_ROUTE_NODE;
	/* ptp, Calico: a route a pod, straight to its veth */
	if (host_is(dev, "veth") && dev->l.link_netnsid >= 0 && !dev->l.master)
		return MODEL_ROUTE_LOCAL;
	if (dev && host_is_pod_bridge(r, rt->oif))
		return MODEL_ROUTE_LOCAL;
	return MODEL_ROUTE_DIRECT;
}

/* Another route to the same prefix comes first: by table, then by metric. */
static bool host_is_shadowed(const struct resolve *r, unsigned at)
{
	const struct resolve_route *a = &r->routes[at];

	for (unsigned i = 0; i < r->n_routes; i++) {
		const struct resolve_route *b = &r->routes[i];

		if (i == at || b->dst.len != a->dst.len || b->v6 != a->v6 ||
		    !addr_eq(&a->dst.addr, &b->dst.addr) || !host_usable(b))
			continue;
		if (b->table == RT_TABLE_LOCAL && a->table == RT_TABLE_MAIN)
			return true;
		if (b->table == a->table &&
		    (b->metric < a->metric || (b->metric == a->metric && i < at)))
			return true;
	}
	return false;
}

static int host_add_routes(const struct resolve *r, struct chain_host *h)
{
	for (unsigned i = 0; i < r->n_routes && h->n_routes < MODEL_ROUTES_MAX; i++) {
		const struct resolve_route *rt = &r->routes[i];
		const struct resolve_link *dev = resolve_host_link(r, rt->oif);
		struct model_route *to;

		if (!host_usable(rt))
			continue;
		if (rt->table != RT_TABLE_MAIN && rt->table != RT_TABLE_LOCAL)
			continue;
		if (rt->table == RT_TABLE_LOCAL && rt->type != RTN_LOCAL)
			continue;
		/* every interface has fe80::/64, and it leads nowhere a pod's packet goes */
		if ((rt->v6 && addr_is_link_local(&rt->dst.addr)) || host_is_shadowed(r, i))
			continue;
		to = grow(&h->routes, &h->n_routes, sizeof(*to), MODEL_ROUTES_MAX);
		if (!to)
			return -ENOMEM;
		to->dst = rt->dst;
		to->kind = host_route_kind(r, h, rt);
		to->mtu = rt->mtu ? rt->mtu : dev ? dev->l.mtu : 0;
		to->ifindex = rt->oif;
	}
	return 0;
}

int resolve_host_fill(struct resolve *r, struct chain *c)
{
	int rc;

	c->host.node = strdup(r->node);
	if (!c->host.node)
		return -ENOMEM;
	rc = host_add_bridges(r, c);
	if (!rc)
		rc = host_add_vteps(r, &c->host);
	if (!rc)
		rc = host_add_routes(r, &c->host);
	return rc;
}
