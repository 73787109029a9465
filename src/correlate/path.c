/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path.c - which hops a packet's path needs, and where it stopped.
 *
 * Theory of operation
 *
 * A path is known by what was seen of it: whatever was seen inside VXLAN passed all
 * four hops; whatever was seen plain on the underlay passed all but the VTEP. For a
 * packet that was seen at neither, its flow's earlier packets tell, then the node's
 * routes (live), then the addresses of the devices (a file that names them), then
 * what other flows to the same subnet did. When none of these knows, nothing is
 * expected that was not seen: podhop does not call a packet lost on a guess.
 *
 *   destination            hops of a packet that leaves the pod
 *   remote pod             veth bridge vtep underlay
 *   outside, other node    veth bridge      underlay
 *   the node itself        veth bridge
 *   pod of this node       veth (the bridge forwards it: no tap on cni0), its veth
 *
 * Roles that are not captured are not needed. Datapath facts: which hop sees what was
 * measured for every row; the bridge shows a frame once, when the node itself takes
 * or sends it (net/bridge/br_input.c: br_pass_frame_up, br_device.c: br_dev_xmit).
 */
#include "correlate_priv.h"

#define BIT(role) (1u << (role))
#define ALL_ROLES (BIT(MODEL_ROLE_VETH) | BIT(MODEL_ROLE_BRIDGE) | BIT(MODEL_ROLE_VTEP) | \
		   BIT(MODEL_ROLE_UNDERLAY))

static enum model_route_kind route_from_table(const struct model_net *net, const struct addr *dst)
{
	const struct model_route *best = NULL;

	for (unsigned i = 0; i < net->n_routes; i++) {
		const struct model_route *r = &net->routes[i];
		if (prefix_has(&r->dst, dst) && (!best || r->dst.len > best->dst.len))
			best = r;
	}
	return best ? best->kind : MODEL_ROUTE_UNKNOWN;
}

static bool is_own_address(const struct model_net *net, const struct addr *a)
{
	for (unsigned i = 0; i < net->n_hops; i++)
		for (unsigned k = 0; k < net->hops[i].n_addrs; k++)
			if (addr_eq(&net->hops[i].addrs[k].addr, a))
				return true;
	return false;
}

enum model_route_kind path_route(const struct correlate *c, const struct addr *dst)
{
	const struct model_net *net = c->net;
	bool bridge_known = false;

	if (addr_is_multicast(dst))
		return MODEL_ROUTE_LOCAL; /* stays on the link */
	if (is_own_address(net, dst))
		return MODEL_ROUTE_NODE;
	if (addr_is_link_local(dst)) {
		/* So does this, but for an address of the node itself: NodeLocal DNS has one. */
		bool is_own = addr_is_v4(dst) && net->routes_known &&
			      route_from_table(net, dst) == MODEL_ROUTE_NODE;

		return is_own ? MODEL_ROUTE_NODE : MODEL_ROUTE_LOCAL;
	}
	if (net->routes_known)
		return route_from_table(net, dst);
	for (unsigned i = 0; i < net->n_hops; i++) {
		const struct model_hop *h = &net->hops[i];
		if (h->role != MODEL_ROLE_BRIDGE)
			continue;
		for (unsigned k = 0; k < h->n_addrs; k++) {
			if (addr_is_v4(&h->addrs[k].addr) != addr_is_v4(dst))
				continue;
			bridge_known = true;
			if (prefix_has(&h->addrs[k], dst))
				return MODEL_ROUTE_LOCAL;
		}
	}
	for (unsigned i = 0; i < c->n_learned; i++)
		if (prefix_has(&c->learned[i], dst))
			return c->learned_kind[i];
	/* flannel's Network is a /16 (v6: /56) by default, cut into the nodes' subnets. */
	for (unsigned i = 0; bridge_known && i < net->n_hops; i++) {
		const struct model_hop *h = &net->hops[i];
		if (h->role != MODEL_ROLE_BRIDGE)
			continue;
		for (unsigned k = 0; k < h->n_addrs; k++) {
			struct prefix p = h->addrs[k];
			p.len = addr_is_v4(&p.addr) ? 16 : 48;
			if (addr_is_v4(&p.addr) == addr_is_v4(dst) &&
			    !addr_is_link_local(&p.addr) && prefix_has(&p, dst))
				return (c->captured_roles & BIT(MODEL_ROLE_VTEP))
					       ? MODEL_ROUTE_VTEP
					       : MODEL_ROUTE_UNKNOWN;
		}
	}
	return bridge_known ? MODEL_ROUTE_DIRECT : MODEL_ROUTE_UNKNOWN;
}

static uint32_t seen_roles(const struct correlate *c, const struct packet *p)
{
	uint32_t mask = 0;

	for (unsigned i = 0; i < p->n_sightings; i++)
		mask |= BIT(sighting(c, p, i)->role);
	return mask;
}

/* A role at which the packet was seen twice, in and out again, is whole when both are. */
static uint32_t whole_roles(const struct correlate *c, const struct packet *p)
{
	uint32_t mask = 0, in_part = 0;

	for (unsigned i = 0; i < p->n_sightings; i++) {
		const struct sighting *s = sighting(c, p, i);
		if (s->whole || (s->covered >= p->size &&
				 (p->kind != KIND_FRAGMENT || p->flags & PACKET_TOTAL_KNOWN)))
			mask |= BIT(s->role);
		else
			in_part |= BIT(s->role);
	}
	return mask & ~in_part;
}

static bool seen_inside_vxlan(const struct correlate *c, const struct packet *p)
{
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (PLACE_ENCAP(sighting(c, p, i)->place) ||
		    sighting(c, p, i)->role == MODEL_ROLE_VTEP)
			return true;
	return false;
}

const struct addr *path_far_end(const struct correlate *c, const struct packet *p)
{
	const struct flow *f = flow_root(c, p->flow);
	const struct flow *view = &c->flow[f->far_view != NONE ? f->far_view : p->flow];

	return p->direction == MODEL_DIRECTION_INGRESS ? &view->tuple.src : &view->tuple.dst;
}

static enum model_route_kind far_route(const struct correlate *c, const struct packet *p)
{
	const struct flow *f = flow_root(c, p->flow);

	return f->route != MODEL_ROUTE_UNKNOWN ? f->route : path_route(c, path_far_end(c, p));
}

bool path_is_tunnelled(const struct correlate *c, const struct packet *p)
{
	return seen_inside_vxlan(c, p) || far_route(c, p) == MODEL_ROUTE_VTEP;
}

/* Sent to where the node has no route. What is for a link alone needs none. */
static bool goes_nowhere(const struct correlate *c, const struct packet *p)
{
	const struct addr *to = path_far_end(c, p);

	return c->net->routes_known && p->direction == MODEL_DIRECTION_EGRESS &&
	       !addr_is_multicast(to) && !addr_is_link_local(to);
}

/* What goes to the node, or comes from it as an answer to that, passes the bridge. */
static bool passes_node(const struct correlate *c, const struct packet *p)
{
	const struct flow *f = flow_root(c, p->flow);
	uint32_t back;

	if (p->direction == MODEL_DIRECTION_EGRESS)
		return f->to_node;
	back = flow_back(c, &c->flow[f->pod_view].tuple);
	return back != NONE && flow_root(c, back)->to_node;
}

static uint32_t needed_roles(const struct correlate *c, const struct packet *p)
{
	uint32_t need = BIT(MODEL_ROLE_VETH), seen = seen_roles(c, p);

	if (p->direction == MODEL_DIRECTION_OTHER)
		return 0;
	if (seen_inside_vxlan(c, p)) {
		need = ALL_ROLES;
	} else if (seen & BIT(MODEL_ROLE_UNDERLAY)) {
		need |= BIT(MODEL_ROLE_BRIDGE) | BIT(MODEL_ROLE_UNDERLAY);
	} else {
		switch (far_route(c, p)) {
		case MODEL_ROUTE_VTEP:
			need = ALL_ROLES;
			break;
		case MODEL_ROUTE_DIRECT:
			need |= BIT(MODEL_ROLE_BRIDGE) | BIT(MODEL_ROLE_UNDERLAY);
			break;
		case MODEL_ROUTE_NODE:
			need |= BIT(MODEL_ROLE_BRIDGE);
			break;
		case MODEL_ROUTE_BLACKHOLE:
			/* It should go on, and cannot: the next hop is missing by definition. */
			need |= BIT(MODEL_ROLE_BRIDGE) | BIT(MODEL_ROLE_UNDERLAY);
			break;
		case MODEL_ROUTE_LOCAL:
			if (passes_node(c, p))
				need |= BIT(MODEL_ROLE_BRIDGE);
			break;
		case MODEL_ROUTE_UNKNOWN:
		case MODEL_ROUTE_COUNT:
			if (passes_node(c, p))
				need |= BIT(MODEL_ROLE_BRIDGE);
			/* Without a route as with a blackhole; where one may lead is not known. */
			need |= goes_nowhere(c, p)
					? BIT(MODEL_ROLE_BRIDGE) | BIT(MODEL_ROLE_UNDERLAY)
					: seen;
			break;
		}
	}
	return need & c->captured_roles;
}

static unsigned n_sightings_at(const struct correlate *c, const struct packet *p,
			       enum model_role role)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->n_sightings; i++)
		n += sighting(c, p, i)->role == role;
	return n;
}

/*
 * From one captured pod to another, or back to itself: a second veth must show it. Behind a
 * translation one tuple names the sender, another the receiver, and a hop shows one of them.
 */
static bool misses_second_veth(const struct correlate *c, const struct packet *p)
{
	const struct flow *f = flow_root(c, p->flow);
	const uint32_t views[2] = { f->far_view != NONE ? f->pod_view : p->flow,
				    f->far_view != NONE ? f->far_view : p->flow };
	bool from_pod = false, to_pod = false;

	for (unsigned i = 0; i < 2; i++) {
		const struct result_tuple *t = &c->flow[views[i]].tuple;

		/* Untranslated it does not leave the pod. */
		if (f->far_view == NONE && addr_eq(&t->src, &t->dst))
			return false;
		from_pod |= observe_pod_of(c, &t->src) >= 0;
		to_pod |= observe_pod_of(c, &t->dst) >= 0;
	}
	return from_pod && to_pod && (c->captured_roles & BIT(MODEL_ROLE_VETH)) &&
	       n_sightings_at(c, p, MODEL_ROLE_VETH) < 2;
}

/* Its flow goes to the node and comes back from it: the bridge must show it twice. */
static bool misses_second_bridge(const struct correlate *c, const struct packet *p)
{
	return p->direction == MODEL_DIRECTION_EGRESS && flow_root(c, p->flow)->by_node &&
	       n_sightings_at(c, p, MODEL_ROLE_BRIDGE) < 2;
}

bool path_may_go_on(const struct correlate *c, const struct packet *p)
{
	return !(seen_roles(c, p) & (BIT(MODEL_ROLE_VTEP) | BIT(MODEL_ROLE_UNDERLAY))) &&
	       n_sightings_at(c, p, MODEL_ROLE_VETH) < 2;
}

/* The last role that packet p needs to be seen at. */
static enum model_role last_needed(const struct packet *p, uint32_t need)
{
	bool inwards = p->direction == MODEL_DIRECTION_INGRESS;
	enum model_role last = MODEL_ROLE_NONE;

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++)
		if ((need & BIT(role)) && (last == MODEL_ROLE_NONE || !inwards))
			last = role;
	return last;
}

/* Where nothing more can come: it may close as soon as the look-ahead has passed. */
bool path_is_done(const struct correlate *c, const struct packet *p, const struct sighting *last)
{
	uint32_t need = needed_roles(c, p), whole = whole_roles(c, p);
	unsigned way = PLACE_WAY(last->place);

	if (!(whole & BIT(last->role)) || (need & ~whole))
		return false;
	switch (p->direction) {
	case MODEL_DIRECTION_EGRESS:
		if (misses_second_veth(c, p) || misses_second_bridge(c, p))
			return false;
		if (last->role == MODEL_ROLE_UNDERLAY && way != MODEL_WAY_IN)
			return true;
		if (last->role == MODEL_ROLE_VETH && way == MODEL_WAY_OUT && p->n_sightings > 1)
			return true;
		break;
	case MODEL_DIRECTION_INGRESS:
		if (misses_second_veth(c, p))
			return false;
		if (last->role == MODEL_ROLE_VETH && way != MODEL_WAY_IN)
			return true;
		break;
	default:
		/* Of no pod: sent by the node, or seen everywhere. */
		if (last->role == MODEL_ROLE_UNDERLAY ? way == MODEL_WAY_OUT
						      : way == MODEL_WAY_OUT &&
							last->role != MODEL_ROLE_VTEP)
			return true;
		return whole == c->captured_roles;
	}
	/* Foreign captures may lack the hop at which the path ends. */
	if (c->captured_roles & BIT(p->direction == MODEL_DIRECTION_EGRESS ? MODEL_ROLE_UNDERLAY
									    : MODEL_ROLE_VETH)) {
		enum model_route_kind route = far_route(c, p);

		return p->direction == MODEL_DIRECTION_EGRESS &&
		       (route == MODEL_ROUTE_LOCAL || route == MODEL_ROUTE_NODE);
	}
	return far_route(c, p) != MODEL_ROUTE_UNKNOWN && last->role == last_needed(p, need);
}

/* Why a packet was not seen behind `role`, as far as the evidence goes. */
static const char *loss_reason(const struct correlate *c, const struct packet *p,
			       enum model_role role, bool *ret_vague)
{
	*ret_vague = false;
	switch (more_of(c, p)->error) {
	case ERROR_TOO_BIG:
		return "larger than the path allows: an ICMP error about it was sent";
	case ERROR_TTL:
		return "its TTL ended: an ICMP error about it was sent";
	case ERROR_PROHIBITED:
		return "refused by a filter: an ICMP error about it was sent";
	case ERROR_UNREACHABLE:
		return "unreachable: an ICMP error about it was sent";
	default:
		break;
	}
	switch (far_route(c, p)) {
	case MODEL_ROUTE_BLACKHOLE:
		return "the route to its destination is a blackhole";
	case MODEL_ROUTE_UNKNOWN:
		/* Unless a Service's address was about to be translated: doctor's checks tell. */
		*ret_vague = true;
		if (c->net->routes_known)
			return "no route to its destination";
		break;
	default:
		break;
	}
	/* The node forwards behind the bridge (out) and behind the VTEP or underlay (in). */
	if (p->ttl_last <= 1 && role != MODEL_ROLE_VETH)
		return "its TTL ended here";
	*ret_vague = true;
	if (p->direction == MODEL_DIRECTION_EGRESS && role == MODEL_ROLE_VTEP)
		return "the VTEP did not send it: no FDB or ARP entry, or no way to the other node";
	return "not seen behind this hop";
}

/*
 * Seen at the pod's veth alone, on its way to an address that only the default route
 * knows: br_netfilter may have turned a Service's address to a pod of this node, and then
 * the bridge shows nothing (D 5.4). Until the flow is seen elsewhere nobody can tell.
 */
static bool may_be_local(const struct correlate *c, const struct packet *p)
{
	return c->cfg.nat && p->direction == MODEL_DIRECTION_EGRESS && p->n_sightings == 1 &&
	       p->s[0].role == MODEL_ROLE_VETH &&
	       flow_root(c, p->flow)->route == MODEL_ROUTE_UNKNOWN &&
	       far_route(c, p) == MODEL_ROUTE_DIRECT && !more_of(c, p)->error;
}

/*
 * On its way to an address of which nothing is known but that it answers, and that its answers
 * come from nowhere before the bridge: an address of the node itself, which a file does not name
 * (NodeLocal DNS has one).
 */
static bool may_be_node(const struct correlate *c, const struct packet *p)
{
	const struct flow *f = flow_root(c, p->flow), *g;
	uint32_t back;

	if (c->net->routes_known || p->direction != MODEL_DIRECTION_EGRESS ||
	    f->route != MODEL_ROUTE_UNKNOWN || more_of(c, p)->error ||
	    !(seen_roles(c, p) & BIT(MODEL_ROLE_BRIDGE)))
		return false;
	back = flow_back(c, &c->flow[f->pod_view].tuple);
	if (back == NONE)
		return false;
	g = flow_root(c, back);
	return g->from_bridge && g->route == MODEL_ROUTE_UNKNOWN;
}

/* A role has shown it once and should have twice: on its way in, or on its way out again. */
static void judge_second(const struct correlate *c, const struct packet *p, enum model_role role,
			 struct path_verdict *ret)
{
	const struct sighting *last = sighting(c, p, p->n_sightings - 1u);
	/* Out at the role, or behind it: it was there. */
	bool passed = last->role == MODEL_ROLE_VETH && PLACE_WAY(last->place) == MODEL_WAY_OUT;

	ret->next_expected = role;
	if (passed) {
		ret->reason = "seen further on: the capture missed it here";
		ret->may_be_lost = false;
	} else {
		ret->last_seen = last->role;
		ret->reason = role == MODEL_ROLE_VETH ? "not delivered to the other pod's veth"
						      : "not sent back to the bridge by the node";
		ret->vague = true;
	}
	ret->missing_mask = BIT(MODEL_ROLE_VETH) | (role == MODEL_ROLE_BRIDGE ? BIT(role) : 0);
}

/* Of a packet that misses a hop: its path's hops in the order in which it comes to them. */
struct walk {
	enum model_role furthest;	/* the last that shows it */
	enum model_role before;		/* the last that shows all of it, before first_missing */
	enum model_role first_missing;
	enum model_role next;		/* the first behind `furthest` that misses it */
};

static struct walk walk_path(uint32_t seen, uint32_t whole, uint32_t missing, bool inwards)
{
	struct walk w = { MODEL_ROLE_NONE, MODEL_ROLE_NONE, MODEL_ROLE_NONE, MODEL_ROLE_NONE };

	for (unsigned k = 1; k < MODEL_ROLE_COUNT; k++) {
		enum model_role role = inwards ? MODEL_ROLE_COUNT - k : k;

		if (seen & BIT(role))
			w.furthest = role;
		if ((missing & BIT(role)) && w.first_missing == MODEL_ROLE_NONE)
			w.first_missing = role;
		if ((whole & BIT(role)) && w.first_missing == MODEL_ROLE_NONE)
			w.before = role;
	}
	for (unsigned k = 1; k < MODEL_ROLE_COUNT; k++) {
		enum model_role role = inwards ? MODEL_ROLE_COUNT - k : k;
		bool behind = inwards ? role < w.furthest : role > w.furthest;

		if ((missing & BIT(role)) && behind && w.next == MODEL_ROLE_NONE)
			w.next = role;
	}
	return w;
}

/* It was seen as far as one hop, and not at the next. */
static void judge_end(const struct correlate *c, const struct packet *p, const struct walk *w,
		      struct path_verdict *ret)
{
	ret->last_seen = w->furthest;
	ret->next_expected = w->next;
	ret->reason = loss_reason(c, p, w->furthest, &ret->vague);
	if (may_be_local(c, p)) {
		ret->reason = "not seen behind this hop: perhaps a Service's pod of "
			      "this node";
		ret->may_be_lost = false;
	} else if (may_be_node(c, p)) {
		ret->reason = "not seen behind this hop: perhaps to the node itself, "
			      "whence its answers come";
		ret->may_be_lost = false;
	}
}

/* Some of its bytes passed: the hop that shows a part only is the one. */
static void judge_part(const struct packet *p, const struct walk *w, struct path_verdict *ret)
{
	ret->last_seen = w->before;
	ret->next_expected = w->first_missing;
	ret->reason = p->kind == KIND_TCP_DATA ? "not all of its segments were seen"
					       : "not all of its fragments were seen";
	ret->vague = true;
}

void path_judge(const struct correlate *c, const struct packet *p, struct path_verdict *ret)
{
	uint32_t need = needed_roles(c, p), whole = whole_roles(c, p);
	uint32_t seen = seen_roles(c, p), missing = need & ~whole;
	bool inwards = p->direction == MODEL_DIRECTION_INGRESS;
	bool second_veth = misses_second_veth(c, p);
	bool second_bridge = misses_second_bridge(c, p);

	*ret = (struct path_verdict){ .complete = true, .may_be_lost = true, .reason = "" };
	if (p->direction == MODEL_DIRECTION_OTHER)
		return;
	/* Fragments whose last one never came: nobody knows how much is missing. */
	if (!missing && p->kind == KIND_FRAGMENT && (seen & ~whole))
		missing = seen & ~whole;
	if (!missing && !second_veth && !second_bridge)
		return;
	ret->complete = false;
	if (!missing) {
		judge_second(c, p, second_bridge ? MODEL_ROLE_BRIDGE : MODEL_ROLE_VETH, ret);
		return;
	}

	const struct walk w = walk_path(seen, whole, missing, inwards);

	if (missing & seen) {
		judge_part(p, &w, ret);
	} else if (w.next != MODEL_ROLE_NONE) {
		judge_end(c, p, &w, ret);
	} else {
		ret->last_seen = w.before;
		ret->next_expected = w.first_missing;
		ret->reason = "seen further on: the capture missed it here";
		ret->may_be_lost = false;
	}
	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		bool behind = inwards ? role <= ret->next_expected : role >= ret->next_expected;
		if (behind)
			ret->missing_mask |= BIT(role);
	}
	ret->missing_mask &= c->captured_roles;
}
