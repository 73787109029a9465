/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check_remote.c - each remote node's three entries, and what is left of incomplete ones.
 *
 * Theory of operation. flannel keeps three permanent entries for each remote node
 * (pkg/backend/vxlan/vxlan_network.go, handleSubnetEvents):
 *
 *	route       <subnet> via <subnet's first address> dev <vtep> onlink
 *	neighbour   <that address> -> <remote VTEP's MAC>
 *	FDB entry   <that MAC> -> <remote node's address>
 *
 * They are joined by their values. A remote node is known by its route or, when that is
 * missing, by its neighbour; an FDB entry that nothing leads to is the trace of a third
 * kind. Where exactly one node is broken and exactly one entry is left over, they
 * belong together, and the command can be given in full. Nothing on a node says what
 * a remote node's true address is: that it answers ARP is the evidence there is.
 * Where a command rests on such a guess, its comment says so.
 */
#include "doctor_priv.h"

#include <sys/socket.h> /* before linux/if.h, which needs it */
#include <linux/if.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>

#define RESTART "restart flanneld on this node, it writes these entries anew"

/* One VTEP and what is known of those behind it. */
struct tunnel {
	const struct doctor_link *vtep, *under;
	const char *dev; /* the VTEP's name for the shell */
	const struct doctor_neigh *spare_fdb; /* the only FDB entry nothing leads to; NULL */
	unsigned n_spare;
	unsigned n_broken; /* remote nodes that lack the way to an FDB entry */
	unsigned n_remotes;
};

static bool is_tunnel_route(const struct tunnel *t, const struct doctor_route *r)
{
	return r->oif == t->vtep->ifindex && r->type == RTN_UNICAST && r->table == RT_TABLE_MAIN &&
	       !addr_is_none(&r->gw) && r->v6 == t->vtep->vxlan_v6;
}

static bool is_fdb(const struct tunnel *t, const struct doctor_neigh *f)
{
	/* the all-zero MAC is the default destination, multicast ones are the kernel's */
	return f->ifindex == t->vtep->ifindex && !addr_is_none(&f->dst) && !mac_is_none(&f->mac) &&
	       !(f->mac.b[0] & 1);
}

/* A neighbour that flannel made, or somebody in its place. */
static bool is_remote_neigh(const struct tunnel *t, const struct doctor_neigh *n)
{
	return n->ifindex == t->vtep->ifindex && (n->state & NUD_PERMANENT) &&
	       !mac_is_none(&n->mac) && !addr_is_multicast(&n->dst) &&
	       !addr_is_link_local(&n->dst) && addr_is_v4(&n->dst) != t->vtep->vxlan_v6;
}

static const struct doctor_neigh *fdb_of(const struct doctor *d, const struct tunnel *t,
					 const struct mac *mac)
{
	for (unsigned i = 0; i < d->v->n_fdb; i++) {
		if (is_fdb(t, &d->v->fdb[i]) && mac_eq(&d->v->fdb[i].mac, mac))
			return &d->v->fdb[i];
	}
	return NULL;
}

/* Some remote node's neighbour has this MAC. */
static bool is_claimed(const struct doctor *d, const struct tunnel *t, const struct mac *mac)
{
	for (unsigned i = 0; i < d->v->n_neighs; i++) {
		if (d->v->neighs[i].ifindex == t->vtep->ifindex &&
		    doctor_neigh_valid(&d->v->neighs[i]) && mac_eq(&d->v->neighs[i].mac, mac))
			return true;
	}
	return false;
}

static bool has_route_via(const struct doctor *d, const struct tunnel *t, const struct addr *gw)
{
	for (unsigned i = 0; i < d->v->n_routes; i++) {
		if (is_tunnel_route(t, &d->v->routes[i]) && addr_eq(&d->v->routes[i].gw, gw))
			return true;
	}
	return false;
}

/* This remote's way ends before an FDB entry. */
static bool is_broken(const struct doctor *d, const struct tunnel *t, const struct addr *gw)
{
	const struct doctor_neigh *n = doctor_neigh_of(d->v, t->vtep->ifindex, gw);

	return !doctor_neigh_valid(n) || !fdb_of(d, t, &n->mac);
}

static void count_spare(struct doctor *d, struct tunnel *t)
{
	for (unsigned i = 0; i < d->v->n_fdb; i++) {
		const struct doctor_neigh *f = &d->v->fdb[i];

		if (is_fdb(t, f) && !is_claimed(d, t, &f->mac)) {
			t->n_spare++;
			t->spare_fdb = f;
		}
	}
	for (unsigned i = 0; i < d->v->n_routes; i++) {
		const struct doctor_route *r = &d->v->routes[i];

		if (is_tunnel_route(t, r)) {
			t->n_remotes++;
			t->n_broken += is_broken(d, t, &r->gw);
		}
	}
	for (unsigned i = 0; i < d->v->n_neighs; i++) {
		const struct doctor_neigh *n = &d->v->neighs[i];

		if (is_remote_neigh(t, n) && !has_route_via(d, t, &n->dst)) {
			t->n_remotes++;
			t->n_broken += is_broken(d, t, &n->dst);
		}
	}
	if (t->n_spare != 1 || t->n_broken != 1)
		t->spare_fdb = NULL;
}

/* ------------------------------------------------------------------ the node */

static bool is_gateway(const struct doctor_view *v, const struct addr *a)
{
	for (unsigned i = 0; i < v->n_routes; i++) {
		if (addr_eq(&v->routes[i].gw, a))
			return true;
	}
	return false;
}

/*
 * The one neighbour on the underlay that could be the node an entry should lead to: it
 * answers, and no other entry leads there. NULL when there is none, or a choice.
 */
static const struct doctor_neigh *candidate(const struct doctor *d, const struct tunnel *t)
{
	const struct doctor_neigh *only = NULL;

	for (unsigned i = 0; t->under && i < d->v->n_neighs; i++) {
		const struct doctor_neigh *n = &d->v->neighs[i];
		bool used = false;

		if (n->ifindex != t->under->ifindex || !doctor_neigh_valid(n) ||
		    (n->state & NUD_NOARP) || addr_is_link_local(&n->dst) ||
		    addr_is_multicast(&n->dst) || addr_is_v4(&n->dst) == t->vtep->vxlan_v6 ||
		    is_gateway(d->v, &n->dst))
			continue;
		for (unsigned j = 0; j < d->v->n_fdb && !used; j++)
			used = is_fdb(t, &d->v->fdb[j]) && addr_eq(&d->v->fdb[j].dst, &n->dst);
		if (used)
			continue;
		if (only)
			return NULL;
		only = n;
	}
	return only;
}

/* The command that gives a MAC its node, when there is one that could be it. */
static const char *fdb_advice(struct doctor *d, const struct tunnel *t, const struct mac *mac)
{
	const struct doctor_neigh *c = candidate(d, t);

	if (!c)
		return "# " RESTART;
	return doctor_text(
		d,
		"bridge fdb replace %s dev %s dst %s self permanent  # if that is the node: "
		"the only neighbour on %s that no entry leads to; else " RESTART,
		doctor_mac(d, mac), t->dev, doctor_addr(d, &c->dst), t->under->name);
}

static const char *route_words(struct doctor *d, const struct doctor_route *r)
{
	const struct doctor_link *dev = doctor_link_by_index(d->v, r->oif);
	const char *kind = r->type == RTN_BLACKHOLE	? "blackhole "
			   : r->type == RTN_UNREACHABLE ? "unreachable "
			   : r->type == RTN_PROHIBIT	? "prohibit "
			   : r->type == RTN_LOCAL	? "local "
			   : r->type == RTN_THROW	? "throw "
							: "";
	const char *dst = r->dst.len ? doctor_prefix(d, &r->dst) : "default";

	if (!addr_is_none(&r->gw))
		return doctor_text(d, "%s%s via %s dev %s", kind, dst, doctor_addr(d, &r->gw),
				   dev ? dev->name : "?");
	if (dev && r->type == RTN_UNICAST)
		return doctor_text(d, "%s dev %s", dst, dev->name);
	return doctor_text(d, "%s%s", kind, dst);
}

/* What there is of a remote node: the FDB entry that leads to it. */
struct remote {
	const struct tunnel *t;
	const struct doctor_neigh *fdb;
	const char *object;
	const char *where; /* the node's address */
	const char *expected;
};

static void fail_node(struct doctor *d, const struct remote *r, const char *expected,
		      const char *found, const char *advice)
{
	doctor_add(d, DOCTOR_FAIL, "remote.node", r->object, expected, found, advice);
}

/* Another entry that cannot be right beside it. True: there is one, and it is told. */
static bool is_contradicted(struct doctor *d, const struct remote *r)
{
	const struct doctor_neigh *fdb = r->fdb;

	for (unsigned i = 0; i < d->v->n_fdb; i++) {
		const struct doctor_neigh *f = &d->v->fdb[i];

		if (f == fdb || !is_fdb(r->t, f))
			continue;
		if (addr_eq(&f->dst, &fdb->dst) && is_claimed(d, r->t, &f->mac)) {
			fail_node(d, r, "a node of its own",
				  doctor_text(d, "%s, where the FDB entry of %s leads too",
					      r->where, doctor_mac(d, &f->mac)),
				  fdb_advice(d, r->t, &fdb->mac));
			return true;
		}
		if (mac_eq(&f->mac, &fdb->mac) && f < fdb) {
			fail_node(d, r, "one destination for one MAC",
				  doctor_text(d, "%s and %s: each frame is sent to both",
					      doctor_addr(d, &f->dst), r->where),
				  "# " RESTART);
			return true;
		}
	}
	return false;
}

/* found: instead of a route that can be taken. */
static void fail_route(struct doctor *d, const struct remote *r, const struct doctor_route *found)
{
	fail_node(d, r, r->expected,
		  found ? doctor_text(d, "%s: the route is %s", r->where, route_words(d, found))
			: doctor_text(d, "no route to %s", r->where),
		  candidate(d, r->t) ? fdb_advice(d, r->t, &r->fdb->mac)
				     : doctor_text(d, "# give this node a route to %s, or " RESTART,
						   r->where));
}

/* The neighbour through which it is reached, or that it is itself, does not answer. */
static void fail_neigh(struct doctor *d, const struct remote *r, const struct doctor_route *route,
		       const struct addr *next)
{
	const struct doctor_neigh *c = candidate(d, r->t);
	const struct doctor_link *dev = doctor_link_by_index(d->v, route->oif);

	fail_node(d, r, r->expected,
		  doctor_text(d, "%s does not answer %s on %s", doctor_addr(d, next),
			      addr_is_v4(next) ? "ARP" : "neighbour discovery",
			      dev ? dev->name : "?"),
		  c && next == &r->fdb->dst
			  ? fdb_advice(d, r->t, &r->fdb->mac)
			  : doctor_text(d, "# see whether %s is up and its address is still that "
					   "one; if not, " RESTART, r->where));
}

static void check_node(struct doctor *d, const struct tunnel *t, const struct doctor_neigh *fdb,
		       const char *object)
{
	const struct addr *node = &fdb->dst;
	const struct doctor_link *own = doctor_addr_owner(d->v, node);
	struct remote r = { .t = t, .fdb = fdb, .object = object, .where = doctor_addr(d, node) };

	r.expected = doctor_text(d, "%s can be reached%s%s", r.where, t->under ? " through " : "",
				 t->under ? t->under->name : "");
	if (own) {
		fail_node(d, &r, "the address of another node",
			  doctor_text(d, "%s is this node's own, on %s", r.where, own->name),
			  fdb_advice(d, t, &fdb->mac));
		return;
	}
	if (is_contradicted(d, &r))
		return;
	/* a VXLAN device that is bound to a device asks for routes through that one only */
	const struct doctor_route *route = doctor_route_to(d->v, node, t->vtep->vxlan_link);
	if (!route || route->type != RTN_UNICAST || route->oif == t->vtep->ifindex) {
		fail_route(d, &r, route ? route : doctor_route_to(d->v, node, 0));
		return;
	}
	const struct addr *next = addr_is_none(&route->gw) ? node : &route->gw;
	const struct doctor_neigh *n = doctor_neigh_of(d->v, route->oif, next);
	if (n && (n->state & (NUD_FAILED | NUD_INCOMPLETE)) && !doctor_neigh_valid(n)) {
		fail_neigh(d, &r, route, next);
		return;
	}
	doctor_add(d, DOCTOR_OK, "remote.node", object, r.expected,
		   doctor_text(d, "it is, by %s", route_words(d, route)), "");
}

/* ------------------------------------------------------- neighbour and FDB entry */

/* The way on from a gateway. The object is the remote subnet. */
static void check_beyond(struct doctor *d, const struct tunnel *t, const struct addr *gw,
			 const char *object)
{
	const struct doctor_neigh *n = doctor_neigh_of(d->v, t->vtep->ifindex, gw), *f;
	const char *ip = doctor_addr(d, gw);
	const char *to_spare = t->spare_fdb
				       ? doctor_text(d,
						     "ip neigh replace %s lladdr %s dev %s nud "
						     "permanent  # the MAC of the only "
						     "FDB entry without a neighbour",
						     ip, doctor_mac(d, &t->spare_fdb->mac), t->dev)
				       : "# " RESTART;
	const char *expected = doctor_text(
		d, "a permanent neighbour %s on %s with the remote VTEP's MAC", ip, t->vtep->name);

	if (!doctor_neigh_valid(n)) {
		doctor_add(d, DOCTOR_FAIL, "remote.neighbour", object, expected,
			   n && (n->state & (NUD_FAILED | NUD_INCOMPLETE))
				   ? "none: ARP found nothing, and cannot through this device"
				   : "none",
			   to_spare);
		return;
	}
	if (mac_eq(&n->mac, &t->vtep->mac)) {
		doctor_add(
			d, DOCTOR_FAIL, "remote.neighbour", object, expected,
			doctor_text(d, "%s, which is this node's own VTEP", doctor_mac(d, &n->mac)),
			to_spare);
		return;
	}
	f = fdb_of(d, t, &n->mac);
	/* the one entry left over says which of the two MACs is the wrong one */
	if (!f && t->spare_fdb) {
		doctor_add(d, DOCTOR_FAIL, "remote.neighbour", object,
			   doctor_text(d, "neighbour %s has %s, the MAC of the FDB entry to %s", ip,
				       doctor_mac(d, &t->spare_fdb->mac),
				       doctor_addr(d, &t->spare_fdb->dst)),
			   doctor_mac(d, &n->mac), to_spare);
		return;
	}
	doctor_judge(d, n->state & NUD_PERMANENT, DOCTOR_WARN, "remote.neighbour", object, expected,
		     doctor_text(d, "%s%s", doctor_mac(d, &n->mac),
				 n->state & NUD_PERMANENT ? "" : ", not permanent: it will expire"),
		     doctor_text(d, "ip neigh replace %s lladdr %s dev %s nud permanent", ip,
				 doctor_mac(d, &n->mac), t->dev));
	doctor_judge(d, f != NULL, DOCTOR_FAIL, "remote.fdb", object,
		     doctor_text(d, "an FDB entry of %s for %s that leads to the node",
				 t->vtep->name, doctor_mac(d, &n->mac)),
		     f ? doctor_text(d, "%s", doctor_addr(d, &f->dst))
		       : "none: frames to it are dropped",
		     fdb_advice(d, t, &n->mac));
	if (f)
		check_node(d, t, f, object);
}

static void check_duplicates(struct doctor *d, const struct tunnel *t)
{
	for (unsigned i = 0; i < d->v->n_neighs; i++) {
		const struct doctor_neigh *a = &d->v->neighs[i];

		if (!is_remote_neigh(t, a))
			continue;
		for (unsigned j = 0; j < d->v->n_neighs; j++) {
			const struct doctor_neigh *b = &d->v->neighs[j];

			if (j == i || !is_remote_neigh(t, b) || !mac_eq(&a->mac, &b->mac))
				continue;
			doctor_add(d, DOCTOR_FAIL, "remote.mac", doctor_addr(d, &a->dst),
				   "a VTEP MAC of its own",
				   doctor_text(d,
					       "%s, which %s has too: one of them gets the other's "
					       "packets",
					       doctor_mac(d, &a->mac), doctor_addr(d, &b->dst)),
				   "# restart flanneld on both of those nodes, or delete flannel's "
				   "device there: it gets a new MAC");
			break;
		}
	}
}

/* -------------------------------------------------------------------- routes */

static const char *object_of(struct doctor *d, const struct prefix *subnet, const struct tunnel *t)
{
	return doctor_text(d, "%s dev %s", doctor_prefix(d, subnet), t->vtep->name);
}

static void check_route(struct doctor *d, const struct tunnel *t, const struct doctor_route *r)
{
	struct prefix base = doctor_prefix_base(r->dst);
	const char *object = object_of(d, &r->dst, t);
	const char *command =
		doctor_text(d, "ip route replace %s via %s dev %s onlink",
			    doctor_prefix(d, &r->dst), doctor_addr(d, &base.addr), t->dev);
	bool onlink = r->nh_flags & RTNH_F_ONLINK,
	     dead = r->nh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN);
	bool first = addr_eq(&base.addr, &r->gw);

	doctor_judge(d, onlink && first && !dead, dead ? DOCTOR_FAIL : DOCTOR_WARN, "remote.route",
		     object,
		     doctor_text(d, "via the subnet's first address %s, onlink",
				 doctor_addr(d, &base.addr)),
		     doctor_text(d, "%s%s%s", route_words(d, r),
				 onlink ? " onlink" : ", not onlink", dead ? ", dead" : ""),
		     command);
	check_beyond(d, t, &r->gw, object);
}

/* A subnet of the cluster that is routed into the tunnel without a node behind it. */
static void check_bare_route(struct doctor *d, const struct tunnel *t, const struct doctor_route *r)
{
	struct prefix base = doctor_prefix_base(r->dst);

	if (r->oif != t->vtep->ifindex || !addr_is_none(&r->gw) || r->type != RTN_UNICAST ||
	    r->table != RT_TABLE_MAIN || r->v6 != t->vtep->vxlan_v6 ||
	    r->protocol == RTPROT_KERNEL || !doctor_in_networks(d->v, &r->dst.addr))
		return;
	doctor_add(d, DOCTOR_FAIL, "remote.route", object_of(d, &r->dst, t),
		   doctor_text(d, "via the subnet's first address %s, onlink",
			       doctor_addr(d, &base.addr)),
		   doctor_text(d, "%s: without a gateway every pod there needs a neighbour",
			       route_words(d, r)),
		   doctor_text(d, "ip route replace %s via %s dev %s onlink",
			       doctor_prefix(d, &r->dst), doctor_addr(d, &base.addr), t->dev));
}

/* A neighbour tells of a remote node that no route leads to. */
static void check_no_route(struct doctor *d, const struct tunnel *t, const struct doctor_neigh *n)
{
	const struct prefix *own = t->vtep->vxlan_v6 ? &d->v->env.subnet6 : &d->v->env.subnet4;
	struct prefix subnet = { .addr = n->dst,
				 .len = own->len	    ? own->len
					: t->vtep->vxlan_v6 ? 64
							    : 24 }; /* flannel's defaults */
	struct prefix base = doctor_prefix_base(subnet);
	const struct doctor_route *r = doctor_route_to(d->v, &n->dst, 0);
	const char *object, *advice, *found;
	enum doctor_status status = DOCTOR_FAIL;

	if (!addr_eq(&base.addr, &n->dst)) {
		/* not a subnet's first address, so not one of flannel's */
		doctor_add(
			d, DOCTOR_WARN, "remote.route", object_of(d, &subnet, t),
			"neighbours that a route leads to", "none leads to this one",
			doctor_text(d, "ip neigh del %s dev %s", doctor_addr(d, &n->dst), t->dev));
		return;
	}
	object = object_of(d, &subnet, t);
	advice = doctor_text(d, "ip route replace %s via %s dev %s onlink",
			     doctor_prefix(d, &subnet), doctor_addr(d, &n->dst), t->dev);
	if (!r || !r->dst.len ||
	    (d->v->env.n_networks && r->dst.len <= d->v->env.networks[0].len)) {
		found = r ? doctor_text(d, "none of its own, so %s applies", route_words(d, r))
			  : "none";
	} else if (r->type == RTN_UNICAST) {
		/* DirectRouting turned on or off leaves this behind; packets pass, the other way */
		found = doctor_text(d, "%s: replies take another way than %s", route_words(d, r),
				    t->vtep->name);
		status = DOCTOR_WARN;
	} else {
		found = doctor_text(d, "%s: packets are dropped", route_words(d, r));
		/* another prefix or metric is not replaced by the new route */
		if (r->dst.len != subnet.len || r->metric != (r->v6 ? 1024u : 0u))
			advice = doctor_text(d, "ip route del %s metric %u; %s",
					     doctor_prefix(d, &r->dst), r->metric, advice);
	}
	doctor_add(d, status, "remote.route", object,
		   doctor_text(d, "a route via %s dev %s onlink, since it is a neighbour there",
			       doctor_addr(d, &n->dst), t->vtep->name),
		   found, advice);
	check_beyond(d, t, &n->dst, object);
}

/* FDB entries that no neighbour leads to: of a node whose other entries are missing. */
static void check_spare(struct doctor *d, const struct tunnel *t)
{
	for (unsigned i = 0; i < d->v->n_fdb; i++) {
		const struct doctor_neigh *f = &d->v->fdb[i];
		bool known = false;

		if (!is_fdb(t, f) || is_claimed(d, t, &f->mac) || f == t->spare_fdb)
			continue;
		for (unsigned j = 0; j < d->v->n_fdb && !known; j++)
			known = is_fdb(t, &d->v->fdb[j]) && addr_eq(&d->v->fdb[j].dst, &f->dst) &&
				is_claimed(d, t, &d->v->fdb[j].mac);
		doctor_add(
			d, known ? DOCTOR_WARN : DOCTOR_FAIL, "remote.neighbour",
			doctor_text(d, "%s dev %s", doctor_addr(d, &f->dst), t->vtep->name),
			doctor_text(d, "a route and a neighbour that lead to the FDB entry of %s",
				    doctor_mac(d, &f->mac)),
			known ? "none: the node has another entry, this one is left over"
			      : "none: nothing is sent to this node",
			known ? doctor_text(d, "bridge fdb del %s dev %s dst %s self",
					    doctor_mac(d, &f->mac), t->dev, doctor_addr(d, &f->dst))
			      : "# " RESTART);
	}
}

/* With DirectRouting: the remote subnet is behind a neighbour on the underlay. */
static unsigned check_direct(struct doctor *d, bool v6)
{
	const struct doctor_view *v = d->v;
	unsigned n = 0;

	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *r = &v->routes[i];
		const struct doctor_link *dev = doctor_link_by_index(v, r->oif);
		const struct doctor_neigh *nb;
		bool failed;

		if (r->v6 != v6 || r->type != RTN_UNICAST || r->table != RT_TABLE_MAIN || !dev ||
		    addr_is_none(&r->gw) || !r->dst.len || !doctor_in_networks(v, &r->dst.addr) ||
		    doctor_is_vtep(v, dev))
			continue;
		n++;
		nb = doctor_neigh_of(v, r->oif, &r->gw);
		failed = (nb && (nb->state & NUD_FAILED)) ||
			 (r->nh_flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN));
		doctor_judge(
			d, !failed, DOCTOR_FAIL, "remote.route",
			doctor_text(d, "%s dev %s", doctor_prefix(d, &r->dst), dev->name),
			"a route to a node that can be reached",
			doctor_text(d, "%s%s", route_words(d, r),
				    failed ? ": it does not answer" : ""),
			doctor_text(
				d,
				"# see whether %s is up; if its address is another now, " RESTART,
				doctor_addr(d, &r->gw)));
	}
	return n;
}

static bool subnet_is_cluster(const struct doctor *d, const struct doctor_route *r)
{
	const struct prefix *own = r->v6 ? &d->v->env.subnet6 : &d->v->env.subnet4;
	struct prefix base = doctor_prefix_base(*own);

	if (!doctor_in_networks(d->v, &r->dst.addr))
		return false;
	/* Canal's --ip-blackhole-route; and the whole network as a backstop for what has no node */
	if (doctor_prefix_eq(&r->dst, &base))
		return false;
	return !own->len || r->dst.len >= own->len;
}

/* Routes that throw away what they match, for a part of the cluster. */
static void check_blackholes(struct doctor *d)
{
	const struct doctor_view *v = d->v;
	unsigned n = 0;

	if (v->env_rc)
		return;
	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *r = &v->routes[i];

		if ((r->type != RTN_BLACKHOLE && r->type != RTN_UNREACHABLE &&
		     r->type != RTN_PROHIBIT) ||
		    !subnet_is_cluster(d, r))
			continue;
		n++;
		doctor_add(d, DOCTOR_FAIL, "route.blackhole", doctor_prefix(d, &r->dst),
			   "no route that drops packets to pods", route_words(d, r),
			   doctor_text(d, "ip route del %s %s%s%s",
				       r->type == RTN_BLACKHOLE	    ? "blackhole"
				       : r->type == RTN_UNREACHABLE ? "unreachable"
								    : "prohibit",
				       doctor_prefix(d, &r->dst),
				       r->metric ? doctor_text(d, " metric %u", r->metric) : "",
				       r->table != RT_TABLE_MAIN
					       ? doctor_text(d, " table %u", r->table)
					       : ""));
	}
	if (!n)
		doctor_add(d, DOCTOR_OK, "route.blackhole", "routes of the cluster's network",
			   "no route that drops packets to pods", "none", "");
}

static void check_tunnel(struct doctor *d, const struct doctor_link *vtep)
{
	struct tunnel t = { .vtep = vtep, .under = doctor_underlay(d->v, vtep) };
	unsigned direct;

	t.dev = doctor_word(d, vtep->name);
	if (!(vtep->flags & IFF_UP)) {
		doctor_add(d, DOCTOR_SKIP, "remote.route", vtep->name,
			   "entries for each remote node",
			   "the device is down, and its routes and neighbours went with it", "");
		return;
	}
	count_spare(d, &t);
	for (unsigned i = 0; i < d->v->n_routes; i++) {
		if (is_tunnel_route(&t, &d->v->routes[i]))
			check_route(d, &t, &d->v->routes[i]);
		else
			check_bare_route(d, &t, &d->v->routes[i]);
	}
	for (unsigned i = 0; i < d->v->n_neighs; i++) {
		if (is_remote_neigh(&t, &d->v->neighs[i]) &&
		    !has_route_via(d, &t, &d->v->neighs[i].dst))
			check_no_route(d, &t, &d->v->neighs[i]);
	}
	check_spare(d, &t);
	check_duplicates(d, &t);
	direct = check_direct(d, vtep->vxlan_v6);
	if (!t.n_remotes && !t.n_spare && !direct)
		doctor_add(d, DOCTOR_WARN, "remote.route", vtep->name,
			   "entries for each remote node",
			   "none: right for a cluster of one node only",
			   "# look at flanneld's log: does it see the other nodes' subnets?");
}

void doctor_check_remotes(struct doctor *d)
{
	for (unsigned i = 0; i < d->v->n_links; i++) {
		if (doctor_is_vtep(d->v, &d->v->links[i]))
			check_tunnel(d, &d->v->links[i]);
	}
	check_blackholes(d);
}

/* --------------------------------------------------------------------- where they lead */

/* Another route to the same subnet goes before it. */
static bool is_outdone(const struct doctor_view *v, const struct doctor_route *r)
{
	for (unsigned i = 0; i < v->n_routes; i++) {
		const struct doctor_route *other = &v->routes[i];

		if (other->v6 == r->v6 && other->table == r->table &&
		    doctor_prefix_eq(&other->dst, &r->dst) && other->metric < r->metric)
			return true;
	}
	return false;
}

static void add_remotes(const struct doctor_view *v, const struct doctor_link *vtep,
			struct model_net *net)
{
	const struct doctor d = { .v = v };
	const struct tunnel t = { .vtep = vtep };

	for (unsigned i = 0; i < v->n_routes && net->n_remotes < MODEL_REMOTES_MAX; i++) {
		const struct doctor_route *r = &v->routes[i];
		const struct doctor_neigh *n, *f;

		if (!is_tunnel_route(&t, r) || is_outdone(v, r))
			continue;
		n = doctor_neigh_of(v, vtep->ifindex, &r->gw);
		f = doctor_neigh_valid(n) ? fdb_of(&d, &t, &n->mac) : NULL;
		if (f)
			net->remotes[net->n_remotes++] =
				(struct model_remote){ .pods = r->dst, .node = f->dst };
	}
}

void doctor_remotes(const struct doctor_view *v, struct model_net *net)
{
	net->n_remotes = 0;
	for (unsigned i = 0; i < v->n_links; i++) {
		if (doctor_is_vtep(v, &v->links[i]))
			add_remotes(v, &v->links[i], net);
	}
}
