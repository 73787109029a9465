/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_view.c - questions that several checks ask of a view.
 */
#include "doctor_priv.h"

#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

const struct doctor_link *doctor_link_by_index(const struct doctor_view *v, uint32_t ifindex)
{
	for (unsigned i = 0; ifindex && i < v->n_links; i++) {
		if (v->links[i].ifindex == ifindex)
			return &v->links[i];
	}
	return NULL;
}

const struct doctor_link *doctor_link_by_name(const struct doctor_view *v, const char *name)
{
	for (unsigned i = 0; i < v->n_links; i++) {
		if (strcmp(v->links[i].name, name) == 0)
			return &v->links[i];
	}
	return NULL;
}

const struct doctor_route *doctor_route_to(const struct doctor_view *v, const struct addr *a,
					   uint32_t oif)
{
	static const uint32_t tables[] = { RT_TABLE_LOCAL, RT_TABLE_MAIN, RT_TABLE_DEFAULT };

	/* the order of the default rules */
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++) {
		const struct doctor_route *best = NULL;

		for (unsigned i = 0; i < v->n_routes; i++) {
			const struct doctor_route *r = &v->routes[i];

			if (r->table != tables[t] || r->v6 == addr_is_v4(a) ||
			    !prefix_has(&r->dst, a) || (oif && r->oif != oif) ||
			    r->type == RTN_BROADCAST || r->type == RTN_MULTICAST ||
			    r->type == RTN_ANYCAST)
				continue;
			if (!best || r->dst.len > best->dst.len ||
			    (r->dst.len == best->dst.len && r->metric < best->metric))
				best = r;
		}
		if (best)
			return best;
	}
	return NULL;
}

const struct doctor_neigh *doctor_neigh_of(const struct doctor_view *v, uint32_t ifindex,
					   const struct addr *ip)
{
	for (unsigned i = 0; i < v->n_neighs; i++) {
		if (v->neighs[i].ifindex == ifindex && addr_eq(&v->neighs[i].dst, ip) &&
		    !(v->neighs[i].flags & NTF_PROXY))
			return &v->neighs[i];
	}
	return NULL;
}

const struct doctor_link *doctor_addr_owner(const struct doctor_view *v, const struct addr *a)
{
	for (unsigned i = 0; i < v->n_addrs; i++) {
		if (addr_eq(&v->addrs[i].prefix.addr, a))
			return doctor_link_by_index(v, v->addrs[i].ifindex);
	}
	return NULL;
}

bool doctor_neigh_valid(const struct doctor_neigh *n)
{
	const uint16_t valid =
		NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

	return n && (n->state & valid) && !mac_is_none(&n->mac);
}

struct prefix doctor_prefix_base(struct prefix p)
{
	unsigned keep = p.len + (addr_is_v4(&p.addr) ? 96u : 0u);

	for (unsigned i = 0; i < sizeof(p.addr.b); i++) {
		unsigned bits = keep > 8 * i ? keep - 8 * i : 0;

		if (bits < 8)
			p.addr.b[i] = (uint8_t)(p.addr.b[i] & (0xff00u >> bits));
	}
	return p;
}

bool doctor_prefix_eq(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_eq(&a->addr, &b->addr);
}

bool doctor_in_networks(const struct doctor_view *v, const struct addr *a)
{
	for (unsigned i = 0; i < v->env.n_networks; i++) {
		if (prefix_has(&v->env.networks[i], a))
			return true;
	}
	return false;
}

const struct doctor_link *doctor_bridge(const struct doctor_view *v)
{
	const struct doctor_link *best = NULL;
	unsigned most = 0;

	/* the one with the node's pod subnet on it ... */
	for (unsigned i = 0; !v->env_rc && i < v->n_addrs; i++) {
		const struct doctor_link *l = doctor_link_by_index(v, v->addrs[i].ifindex);

		if (l && strcmp(l->kind, "bridge") == 0 &&
		    (addr_eq(&v->addrs[i].prefix.addr, &v->env.subnet4.addr) ||
		     addr_eq(&v->addrs[i].prefix.addr, &v->env.subnet6.addr)))
			return l;
	}
	/* ... else the one most pods hang on ... */
	for (unsigned i = 0; i < v->n_links; i++) {
		unsigned n = 0;

		if (strcmp(v->links[i].kind, "bridge") != 0)
			continue;
		for (unsigned j = 0; j < v->n_links; j++)
			n += v->links[j].master == v->links[i].ifindex &&
			     v->links[j].link_netnsid >= 0;
		if (n > most) {
			most = n;
			best = &v->links[i];
		}
	}
	/* ... else the one that flannel's delegate makes by default */
	if (!best) {
		best = doctor_link_by_name(v, "cni0");
		if (best && strcmp(best->kind, "bridge") != 0)
			best = NULL;
	}
	return best;
}

bool doctor_is_vtep(const struct doctor_view *v, const struct doctor_link *l)
{
	if (strcmp(l->kind, "vxlan") != 0 || l->vxlan_external)
		return false;
	if (strncmp(l->name, "flannel", 7) == 0)
		return true;
	/* by another name, but used in flannel's way: routes to the cluster through it */
	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *r = &v->routes[i];

		if (r->oif == l->ifindex && !addr_is_none(&r->gw) && doctor_in_networks(v, &r->gw))
			return true;
	}
	return false;
}

const struct doctor_link *doctor_underlay(const struct doctor_view *v,
					  const struct doctor_link *vtep)
{
	if (vtep->vxlan_link)
		return doctor_link_by_index(v, vtep->vxlan_link);
	if (!addr_is_none(&vtep->vxlan_local))
		return doctor_addr_owner(v, &vtep->vxlan_local);
	return NULL;
}

bool doctor_pod_gone(const struct chain_pod *p)
{
	return strncmp(p->problem, "gone", 4) == 0;
}

bool doctor_pod_same(const struct chain_pod *a, const struct chain_pod *b)
{
	if (a->netns_inode && b->netns_inode)
		return a->netns_inode == b->netns_inode;
	if (a->uid[0] && b->uid[0])
		return strcmp(a->uid, b->uid) == 0;
	if (a->n_interfaces && b->n_interfaces && a->interfaces[0].host_veth.ifindex)
		return a->interfaces[0].host_veth.ifindex == b->interfaces[0].host_veth.ifindex;
	return strcmp(a->namespace_, b->namespace_) == 0 && strcmp(a->name, b->name) == 0;
}
