/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * attach.c - what an observation adds to the packet that it was found to belong to.
 *
 * Theory of operation
 *
 * A packet keeps a sighting for each place that showed it: when first, how many of its
 * bytes, and whether as a whole. What was seen in parts has its ranges besides. From these
 * alone it is told later which way it took and where it stopped (path.c), so an
 * observation adds to them and to the few figures that no sighting has: the length nearest
 * the pod, the outer datagrams at the underlay, the sizes of segments.
 *
 * The observations of most packets do not come here, but go the short way in track.c. All that
 * is kept here is kept there too, so that a packet may leave the short way at any place.
 */
#include "correlate_priv.h"

/*
 * Kept in time order: a whole is seen after its parts, and a capture that was late with a frame
 * delivers it behind others. NULL when the path has more places than are kept.
 */
static struct sighting *sighting_new(struct correlate *c, struct packet *p, int64_t first_ns,
				     uint16_t place, unsigned role)
{
	unsigned at = p->n_sightings;

	if (at == SIGHTINGS_MAX) {
		p->flags |= PACKET_PATH_CUT;
		return NULL;
	}
	p->n_sightings++;
	while (at && sighting(c, p, at - 1)->first_ns > first_ns) {
		*sighting_change(c, p, at) = *sighting(c, p, at - 1);
		at--;
	}
	struct sighting *s = sighting_change(c, p, at);
	*s = (struct sighting){ .first_ns = first_ns, .place = place, .role = (uint8_t)role };
	return s;
}

/* ----------------------------------------------------------------- the tunnel */

/* The row of o's tunnel, made when it is new; likely: the one to be looked at first. */
static uint16_t tunnel_row(struct correlate *c, uint16_t likely, const struct correlate_obs *o)
{
	for (unsigned i = 0; i <= c->n_tunnels; i++) {
		uint16_t k = i ? (uint16_t)(i - 1) : likely;
		if (k >= c->n_tunnels)
			continue;
		struct result_tunnel *t = &c->tunnel[k];
		if (t->vni == o->vni && t->port == o->outer_dport &&
		    addr_eq(&t->outer_src, &o->outer_src) &&
		    addr_eq(&t->outer_dst, &o->outer_dst))
			return k;
	}
	if (c->n_tunnels == TUNNELS_MAX)
		return TUNNELS_MAX - 1;
	struct result_tunnel *t = &c->tunnel[c->n_tunnels];
	t->vni = o->vni;
	t->outer_src = o->outer_src;
	t->outer_dst = o->outer_dst;
	t->port = o->outer_dport;
	return (uint16_t)c->n_tunnels++;
}

/* Encapsulated on the underlay: what the outer headers cost (contract, section 1). */
void attach_count_outer(struct correlate *c, struct packet *p, struct flow *f,
			const struct correlate_obs *o, bool large)
{
	p->tunnel = f->tunnel = tunnel_row(c, f->tunnel, o); /* the flow's last one first */
	p->encap_len = (uint16_t)o->encap_len;
	p->outer_sport = o->outer_sport;
	if (large) {
		struct packet_more *m = more_need(c, p);

		m->large_outer++;
		m->header_len = o->header_len;
		m->tcp_options_len = o->tcp_options_len;
	} else if (p->small_outer < UINT16_MAX) {
		p->small_outer++;
		p->small_inner += o->header_len + o->payload_len;
	}
	if (o->flags & OBS_OUTER_FIRST)
		more_need(c, p)->outer_fragmented++;
}

void attach_count_bare(struct correlate *c, const struct correlate_obs *o)
{
	if (c->hop[o->hop].role != MODEL_ROLE_UNDERLAY || !(o->flags & OBS_ENCAP))
		return;
	/* One underlay hop counts, as with packets: the first that showed such a datagram. */
	if (!c->bare_hop)
		c->bare_hop = 1u + o->hop;
	if (c->bare_hop != 1u + o->hop)
		return;
	tally_bare_datagram(c, tunnel_row(c, 0, o), o);
}

static bool counts_outer(const struct correlate *c, const struct packet *p, uint16_t place)
{
	/* One underlay hop counts: of two (a bond and its NIC) the one seen first. */
	for (unsigned i = 0; i < p->n_sightings; i++) {
		const struct sighting *s = sighting(c, p, i);
		if (s->role == MODEL_ROLE_UNDERLAY && PLACE_ENCAP(s->place))
			return s->place == place;
	}
	return false;
}

/* ------------------------------------------------------------------ the route */

static void learn_remote(struct correlate *c, const struct addr *dst, enum model_route_kind kind)
{
	/* flannel's default SubnetLen is 24; IPv6SubnetLen is 64. */
	struct prefix p = { .addr = *dst, .len = addr_is_v4(dst) ? 24 : 64 };

	if (c->net->routes_known || addr_is_multicast(dst))
		return;
	for (unsigned i = 0; i < c->n_learned; i++)
		if (prefix_has(&c->learned[i], dst))
			return;
	/* Subnets may be smaller: where a captured pod lives is not remote. */
	for (unsigned i = 0; i < c->net->n_pods; i++)
		for (unsigned k = 0; k < c->net->pods[i].n_addrs; k++)
			if (prefix_has(&p, &c->net->pods[i].addrs[k]))
				return;
	if (c->n_learned < LEARNED_MAX) {
		c->learned_kind[c->n_learned] = (uint8_t)kind;
		c->learned[c->n_learned++] = p;
		c->tracks++; /* paths that were whole may lack a hop from here on */
	}
}

static void set_route(struct flow *f, enum model_route_kind route)
{
	if (f->route != route) {
		f->route = (uint8_t)route;
		flow_forget_track(f);
	}
}

/*
 * What the pod sends and the bridge gives to the node. Packets back from there pass the bridge
 * again: none of either direction is bridged from pod to pod.
 */
static void learn_node(struct correlate *c, const struct packet *p, struct flow *f, unsigned way)
{
	bool back_again = way == MODEL_WAY_OUT && f->to_node && p->n_sightings > 1;
	uint32_t back;

	if (back_again && !f->by_node) {
		f->by_node = true;
		flow_forget_track(f);
	}
	if (way != MODEL_WAY_IN || f->to_node)
		return;
	f->to_node = true;
	flow_forget_track(f);
	back = flow_back(c, &c->flow[f->pod_view].tuple);
	if (back != NONE) {
		flow_forget_track(flow_root(c, back));
		if (flow_root(c, back)->route == MODEL_ROUTE_LOCAL)
			set_route(flow_root(c, back), MODEL_ROUTE_UNKNOWN);
	}
	if (f->route == MODEL_ROUTE_LOCAL)
		set_route(f, MODEL_ROUTE_UNKNOWN);
}

/*
 * What the flow's packets show of its way. A pod's answer that reaches its veth and no hop
 * before came from a pod of this node, by way of the bridge, whatever address it bears
 * (D 5.4); so do then the requests.
 */
static void learn_route(struct correlate *c, const struct packet *p, struct flow *f,
			const struct correlate_obs *o, unsigned role)
{
	const uint32_t others = 1u << MODEL_ROLE_BRIDGE | 1u << MODEL_ROLE_UNDERLAY;

	if (role == MODEL_ROLE_BRIDGE && p->direction == MODEL_DIRECTION_EGRESS)
		learn_node(c, p, f, o->way);
	if ((o->flags & OBS_ENCAP) || role == MODEL_ROLE_VTEP) {
		if (f->route != MODEL_ROUTE_VTEP && o->way != MODEL_WAY_IN)
			learn_remote(c, &o->tuple.dst, MODEL_ROUTE_VTEP);
		set_route(f, MODEL_ROUTE_VTEP);
	} else if (role == MODEL_ROLE_UNDERLAY) {
		if (f->route != MODEL_ROUTE_DIRECT && o->way == MODEL_WAY_OUT &&
		    path_route(c, &o->tuple.dst) == MODEL_ROUTE_VTEP)
			/* In the cluster's network by its address, and no tunnel leads there. */
			learn_remote(c, &o->tuple.dst, MODEL_ROUTE_DIRECT);
		set_route(f, MODEL_ROUTE_DIRECT);
	} else if (role == MODEL_ROLE_VETH && f->route == MODEL_ROUTE_UNKNOWN &&
		   o->way == MODEL_WAY_OUT && p->n_sightings == 1 &&
		   p->direction == MODEL_DIRECTION_INGRESS &&
		   (c->captured_roles & others) == others &&
		   path_route(c, &o->tuple.src) != MODEL_ROUTE_NODE) {
		uint32_t back = flow_back(c, &o->tuple);

		/* But the node's answers pass the bridge, where this one was missed. */
		if (back != NONE && flow_root(c, back)->to_node)
			return;
		set_route(f, MODEL_ROUTE_LOCAL);
		if (back != NONE && flow_root(c, back)->route == MODEL_ROUTE_UNKNOWN)
			set_route(flow_root(c, back), MODEL_ROUTE_LOCAL);
	} else if (role == MODEL_ROLE_BRIDGE && o->way == MODEL_WAY_OUT && p->n_sightings == 1 &&
		   p->direction == MODEL_DIRECTION_INGRESS) {
		f->from_bridge = true; /* by the node itself, or the capture missed the rest */
	}
}

/* ------------------------------------------------------------------ one more */

/*
 * Many wire frames in one: TCP behind or before segmentation, or UDP_SEGMENT's datagrams. On
 * the bridge a large datagram may as well be one that br_netfilter put together (D 5.7).
 */
bool attach_is_super(const struct correlate *c, const struct correlate_obs *o)
{
	if (!(o->flags & OBS_LARGE))
		return false;
	if (o->kind == KIND_WHOLE && o->tuple.protocol == MODEL_PROTO_UDP)
		return c->hop[o->hop].role != MODEL_ROLE_BRIDGE || (o->flags & OBS_DF);
	return o->kind == KIND_TCP_DATA;
}

/* Of a packet that this observation shows in part: the length it has as a whole. */
static void note_nearest_part(struct correlate *c, struct packet *p,
			      const struct correlate_obs *o, unsigned role)
{
	if (o->direction == MODEL_DIRECTION_EGRESS || p->direction == MODEL_DIRECTION_OTHER)
		p->direction = o->direction;
	p->ttl_last = o->ttl;
	if (role >= p->len_rank)
		return;
	p->len_rank = (uint8_t)role;
	p->len = o->header_len + p->payload_len;
	if (o->kind == KIND_FRAGMENT)
		more_need(c, p)->l2l3_len = (uint16_t)(o->eth_len - o->size);
	else if (p->flags & PACKET_MORE)
		more_need(c, p)->l2l3_len = 0;
}

/*
 * A part of a stream's packet: how long its segments are. All but the last one are equally long, so
 * that the last one's length tells nothing. 0: not known.
 */
static uint32_t segment_of_part(const struct packet *p, uint32_t start, uint32_t size,
				uint32_t ip_id, bool large)
{
	uint32_t by_id = stream_segment_by_id(ip_id, p->ip_id, start, p->is_v4);

	if (by_id)
		return by_id;
	return large || start + size == p->size ? 0 : size;
}

/*
 * A file does not tell what a device carries. What was seen in one piece there does, where nothing
 * makes super-frames of it: fragments, ICMP. So do two SYNs whose connection goes through the
 * tunnel. Else frames of a network with jumbo frames look like super-frames of a usual one.
 */
static void learn_mtu(struct hop_state *h, const struct correlate *c, const struct flow *f,
		      const struct correlate_obs *o)
{
	const uint32_t tcp_header = 20, ip_header = o->l3_len - o->size;
	uint32_t carried = 0;

	if (o->flags & OBS_OUTER_FIRST)
		return;
	if (o->flags & OBS_SYN) {
		uint32_t mss = flow_mss(c, f);

		if (mss)
			carried = ip_header + tcp_header + mss;
	} else if (o->kind == KIND_FRAGMENT || o->tuple.protocol == MODEL_PROTO_ICMP ||
		   o->tuple.protocol == MODEL_PROTO_ICMPV6) {
		carried = o->l3_len;
	}
	if (carried && carried + o->encap_len > h->mtu)
		h->mtu = carried + o->encap_len;
}

static void note_segment(struct correlate *c, struct packet *p, struct flow *f,
			 const struct correlate_obs *o, uint32_t start, uint32_t size, bool part,
			 bool large)
{
	uint32_t segment = more_of(c, p)->segment, found = segment, of_part = 0;

	if (o->segment && !found)
		found = o->segment;
	if (part && o->kind == KIND_TCP_DATA)
		of_part = segment_of_part(p, start, size, o->ip_id, large);
	if (of_part > found)
		found = of_part;
	if (found != segment)
		more_need(c, p)->segment = found;
	if (f && found > f->segment)
		f->segment = found;
}

void attach_observation(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint16_t place, uint32_t start, uint32_t size)
{
	struct packet *p = &c->packet[i];
	struct flow *f = p->flow == NONE ? NULL : flow_root(c, p->flow);
	unsigned role = c->hop[o->hop].role;
	bool part = start != 0 || size != p->size || o->kind == KIND_FRAGMENT;
	bool large = attach_is_super(c, o);
	bool encap = role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP);
	bool first = p->n_sightings == 0;
	struct sighting *s = sighting_at(c, p, place);

	if (!s)
		s = sighting_new(c, p, o->time_ns, place, role);
	if (s) {
		if (o->time_ns < s->first_ns)
			s->first_ns = o->time_ns;
		s->covered += size;
		if (!part)
			s->whole = 1;
		else
			range_add(c, p, place, start, start + size, large && encap);
	}
	if (role == c->content_role)
		content_note(c, i, o, place);
	if (o->kind != KIND_OUTER_FRAGMENT) {
		if (c->cfg.on_packet)
			wire_note(c, p, o, part);
		if (part)
			note_nearest_part(c, p, o, role);
		else
			attach_note_nearest(c, p, o, role);
		if (f && encap && c->hop[o->hop].mtu_is_guess)
			learn_mtu(&c->hop[o->hop], c, f, o);
		if (f && encap && counts_outer(c, p, place))
			attach_count_outer(c, p, f, o, large);
		if (f)
			learn_route(c, p, f, o, role);
		if (part || o->segment)
			note_segment(c, p, f, o, start, size, part, large);
	}
	if (c->n_seen)
		seen_add(c, p, o, start, size, part);
	if (track_note(c, i, f, s, o->time_ns))
		return;
	if (!(p->flags & PACKET_DONE) && s &&
	    path_is_done(c, p, sighting(c, p, p->n_sightings - 1u)))
		attach_is_done(c, i, f, o->time_ns);
	else if (first && p->direction == MODEL_DIRECTION_OTHER && !c->cfg.keep_other)
		/* Of no captured pod so far: a translation would show it before it settles. */
		close_queue(c, i, o->time_ns);
}

/* -------------------------------------------------------------------- parts */

static void move_sightings(struct correlate *c, struct packet *p, const struct packet *q,
			   uint32_t base)
{
	for (unsigned k = 0; k < q->n_sightings; k++) {
		const struct sighting *from = sighting(c, q, k);
		struct sighting *to = sighting_at(c, p, from->place);

		if (!to)
			to = sighting_new(c, p, from->first_ns, from->place, from->role);
		if (!to)
			continue;
		to->covered += from->covered;
		/* Of a super-frame the datagrams are counted by its range. */
		if (from->whole)
			range_add(c, p, from->place, base, base + q->size,
				  more_of(c, q)->large_outer != 0 &&
					  from->role == MODEL_ROLE_UNDERLAY &&
					  PLACE_ENCAP(from->place));
	}
	for (uint32_t r = more_of(c, q)->ranges; r != NONE; r = c->range[r].next)
		range_add(c, p, c->range[r].place, base + c->range[r].start,
			  base + c->range[r].end, c->range[r].large);
}

static void move_seen(struct correlate *c, struct packet_more *m, struct packet_more *n,
		      uint32_t base)
{
	if (n->seen == NONE)
		return;
	for (uint32_t s = n->seen; s != NONE; s = c->seen[s].next) {
		c->seen[s].start += base;
		c->seen[s].part = true;
	}
	if (m->seen == NONE)
		m->seen = n->seen;
	else
		c->seen[m->seen_last].next = n->seen;
	m->seen_last = n->seen_last;
	n->seen = n->seen_last = NONE;
}

/* What was found out of a part's outer headers. */
static void take_outer(struct packet *p, const struct packet *q, struct packet_more *m,
		       const struct packet_more *n)
{
	if (q->tunnel != NO_TUNNEL) {
		p->tunnel = q->tunnel;
		p->encap_len = q->encap_len;
		p->outer_sport = q->outer_sport;
	}
	p->small_outer = (uint16_t)(p->small_outer + q->small_outer);
	p->small_inner += q->small_inner;

	/* Of segments that came before what they were merged to, only they have outer headers. */
	m->outer_flags |= n->outer_flags;
	if (n->outer_ttl)
		m->outer_ttl = n->outer_ttl;
	m->outer_fragmented = (uint16_t)(m->outer_fragmented + n->outer_fragmented);
	m->fragment_bytes += n->fragment_bytes;
	if (n->large_outer) {
		m->large_outer += n->large_outer;
		m->header_len = n->header_len;
		m->tcp_options_len = n->tcp_options_len;
	}
}

/* The size of segments that a part shows; base: where it begins in the whole. */
static void take_segment(struct correlate *c, struct packet *p, const struct packet *q,
			 struct packet_more *m, const struct packet_more *n, uint32_t base)
{
	if (n->segment > m->segment)
		m->segment = n->segment;
	if (q->kind == KIND_TCP_DATA && p->flow != NONE) {
		uint32_t segment = segment_of_part(p, base, q->size, q->ip_id, n->large_outer != 0);
		struct flow *f = flow_root(c, p->flow);

		if (segment > m->segment)
			m->segment = segment;
		if (segment > f->segment)
			f->segment = segment;
	}
}

/* The number, id and verdict of the two together. */
static void take_identity(struct correlate *c, struct packet *p, const struct packet *q)
{
	if (q->direction == MODEL_DIRECTION_EGRESS || p->direction == MODEL_DIRECTION_OTHER)
		p->direction = q->direction;
	p->flags |= q->flags & PACKET_RETRANSMISSION;
	if (q->verdict_rank < p->verdict_rank) {
		p->verdict = q->verdict;
		p->verdict_rank = q->verdict_rank;
	}
	if (q->id && p->id)
		c->ids_open--;
	if (q->id && (!p->id || q->id < p->id))
		p->id = q->id;
	if (!p->number || q->number < p->number)
		p->number = q->number;
}

/* A part lives on in the whole, for those who hold it. */
static void close_part(struct correlate *c, uint32_t parent, uint32_t child)
{
	struct packet *q = &c->packet[child];

	packet_unindex(c, child);
	packet_unlist(c, child);
	c->n_open--;
	q->parent = parent;
	q->flags |= PACKET_CLOSED;
	c->packet[parent].held++;
	if (q->flags & PACKET_TIED)
		choice_replace(c, parent, child);
	packet_release(c, child);
}

void attach_part(struct correlate *c, uint32_t parent, uint32_t child)
{
	struct packet *p = &c->packet[parent], *q = &c->packet[child];
	struct packet_more *m = more_need(c, p), *n = more_need(c, q);
	uint32_t base = q->kind == KIND_TCP_DATA ? q->start - p->start : 0;

	p->flags &= (uint16_t)~PACKET_TRACK;
	move_sightings(c, p, q, base);
	if (c->content)
		content_move(c, parent, child);
	take_identity(c, p, q);
	take_outer(p, q, m, n);
	if (!m->error)
		m->error = n->error;
	take_segment(c, p, q, m, n, base);
	move_seen(c, m, n, base);
	close_part(c, parent, child);
}
