/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * translate.c - the same packet under other addresses: DNAT, SNAT, masquerade, hairpin.
 *
 * Theory of operation
 *
 * A Service's address is turned into a pod's between veth and VTEP, a pod's into the node's
 * between bridge and underlay, both for a NodePort. All that stays is the header without
 * addresses and ports and the payload. Packets of a flow that nobody has followed to its end yet
 * therefore have a second key made of these alone. The first observation that is found
 * by it joins the two flows into a group (flow.c), and the two of the answers with them; from
 * then on the group's key finds their packets at once, and the second keys are not needed.
 *
 * Guards against joining strangers: an observation where packets begin (a pod sends, or the
 * wire delivers a tunnelled one) cannot be a translation of anything; a translation
 * changes one side of a tuple, or both where nothing else fits; a choice between packets of
 * several flows joins none of them; ICMP errors are matched one by one, because their tuple
 * says too little.
 */
#include "correlate_priv.h"

#include "match_keys.h"

uint64_t translate_key(const struct correlate_obs *o)
{
	/* The first segment of a super-frame has its sequence number and shares its header. */
	if (o->kind == KIND_TCP_DATA)
		return hash_mix((uint64_t)o->sig << 32 | o->seq, o->tuple.protocol, KEY_TRANSLATED);
	return hash_mix(o->head, o->tuple.protocol, KEY_TRANSLATED);
}

/*
 * Could one of two tuples have been made of the other? A translation changes one side
 * of it; both only where the node does DNAT and masquerades as well (NodePort): that
 * much is believed of packets that nothing else can be confused with.
 */
static bool is_translation(const struct result_tuple *a, const struct result_tuple *b,
			   bool is_unique)
{
	if (a->protocol != b->protocol || addr_is_v4(&a->src) != addr_is_v4(&b->src))
		return false;
	if (addr_eq(&a->src, &b->src) && a->sport == b->sport)
		return true;
	if (addr_eq(&a->dst, &b->dst) && a->dport == b->dport)
		return true;
	/*
	 * The other way round it is an answer, or the other end's own: an echo's payload is the
	 * request's, and all heartbeats' are equal. No translation makes two hosts change places.
	 */
	if (addr_eq(&a->src, &b->dst) && addr_eq(&a->dst, &b->src))
		return false;
	return is_unique;
}

/* A translation may show packet p under o's tuple: neither is where its packets begin. */
bool translate_may(const struct correlate *c, const struct packet *p,
			  const struct correlate_obs *o, uint32_t flow, bool is_unique)
{
	const struct flow *g = &c->flow[p->flow];

	if (!c->cfg.nat || c->flow[flow].origin)
		return false;
	if (flow_same_group(c, p->flow, flow) && !(o->flags & OBS_ERROR))
		return false;
	/* A packet of a pod may be translated; two foreign ones are left alone. */
	if (p->direction == MODEL_DIRECTION_OTHER && o->direction == MODEL_DIRECTION_OTHER &&
	    !c->cfg.keep_other)
		return false;
	return is_translation(&g->tuple, &o->tuple, is_unique);
}

/*
 * Two flows are one: as the hop nearer the pod showed it, and as one further away did. There
 * may be a third form between them; the outermost ones are the views.
 */
static void link_views(struct correlate *c, uint32_t pod, unsigned pod_role, uint32_t far,
		       unsigned far_role)
{
	struct flow *root;

	/* The far tuple served another flow before (a port of the node, used again). */
	if (!flow_same_group(c, pod, far) && c->flow[far].ring != far &&
	    flow_root(c, far)->pod_view != far)
		flow_unlink(c, far);
	flow_link(c, pod, far);
	root = flow_root(c, pod);
	if (pod_role <= root->pod_role) {
		root->pod_role = (uint8_t)pod_role;
		root->pod_view = pod;
	}
	if (far_role >= root->far_role) {
		root->far_role = (uint8_t)far_role;
		root->far_view = far;
	}
}

/* Two tuples are the same flow, seen by the pod and behind a translation. */
static void link_tuples(struct correlate *c, const struct result_tuple *pod, unsigned pod_role,
			const struct result_tuple *far, unsigned far_role, int64_t now_ns)
{
	uint32_t p = flow_get(c, pod, flow_hash(c, pod), MODEL_DIRECTION_OTHER, now_ns);
	uint32_t f = flow_get(c, far, flow_hash(c, far), MODEL_DIRECTION_OTHER, now_ns);

	if (p != f)
		link_views(c, p, pod_role, f, far_role);
}

/*
 * One direction of a connection: its packets begin with one tuple and end with another. The
 * pod's name for them is the one that it sends, else the one that it receives.
 */
static bool learn_direction(struct correlate *c, const struct result_tuple *begin,
			    const struct result_tuple *end)
{
	if (observe_pod_of(c, &begin->src) >= 0)
		link_tuples(c, begin, MODEL_ROLE_NONE, end, MODEL_ROLE_COUNT, c->now_ns);
	else if (observe_pod_of(c, &end->dst) >= 0)
		link_tuples(c, end, MODEL_ROLE_NONE, begin, MODEL_ROLE_COUNT, c->now_ns);
	else
		return false;
	return true;
}

bool correlate_learn_connection(struct correlate *c, const struct result_tuple *original,
				const struct result_tuple *reply)
{
	const struct result_tuple there = flow_reverse_tuple(reply);
	const struct result_tuple back = flow_reverse_tuple(original);

	if (!c->cfg.nat || tuple_eq(original, &there))
		return false;
	c->last.root = NULL; /* another from here on, maybe */
	return learn_direction(c, original, &there) && learn_direction(c, reply, &back);
}

/* The packet that showed it is found by its group's key from here on, by the next hop already. */
static void follow_group(struct correlate *c, uint32_t i)
{
	const struct packet *p = &c->packet[i];
	const uint64_t flow_key = c->flow[p->flow].key;

	packet_rekey(c, i, p->kind == KIND_TCP_DATA ? key_stream(flow_key, p->start)
						    : hash_mix(flow_key, p->head, KEY_WHOLE));
}

/* What goes by the name of `flow` goes the way of what goes by the other name. */
static void take_route(const struct correlate *c, uint32_t flow, uint32_t other)
{
	struct flow *f = flow_root(c, flow);
	uint8_t route = flow_root(c, other)->route;

	if (f->route != MODEL_ROUTE_UNKNOWN || f->route == route)
		return;
	f->route = route;
	flow_forget_track(f);
}

void translate_learn(struct correlate *c, uint32_t i, const struct correlate_obs *o,
		     uint32_t flow)
{
	struct packet *p = &c->packet[i];
	uint32_t before = p->flow;
	unsigned role = c->hop[o->hop].role, role_before = p->len_rank;
	bool hairpin = role == role_before; /* veth to veth */
	/* The tuple seen nearest the pod is how the pod knows the flow. */
	bool now_nearer = role < role_before;

	/*
	 * Without ports (ICMP errors, mostly) a tuple says too little to join all of its
	 * packets; each is matched for itself, and named as the pod sees it.
	 */
	if (!o->tuple.has_ports && (o->flags & OBS_ERROR)) {
		if (now_nearer) {
			take_route(c, flow, before);
			packet_set_flow(c, i, flow);
		}
		return;
	}
	/* Behind a hairpin's second leg nothing translates any more: no bridge knows better. */
	unsigned pod_role = now_nearer ? role : role_before,
		 far_role = now_nearer ? role_before : hairpin ? MODEL_ROLE_COUNT : role;

	link_views(c, now_nearer ? flow : before, pod_role, now_nearer ? before : flow, far_role);

	/* The answers will be translated back: their two flows belong together as well. */
	struct result_tuple tb = flow_reverse_tuple(&c->flow[before].tuple);
	struct result_tuple tf = flow_reverse_tuple(&c->flow[flow].tuple);

	if (hairpin || now_nearer)
		link_tuples(c, &tf, pod_role, &tb, far_role, o->time_ns);
	else
		link_tuples(c, &tb, pod_role, &tf, far_role, o->time_ns);
	follow_group(c, i);
}

/* Packet p may be what o shows behind a translation. */
static bool is_candidate(const struct correlate *c, const struct packet *p,
			 const struct correlate_obs *o, uint32_t flow, uint16_t place,
			 bool is_unique)
{
	return packet_is_open(p) && packet_same_content(p, o) && !packet_has_place(c, p, place) &&
	       translate_may(c, p, o, flow, is_unique);
}

/*
 * Several packets fit. They are judged together, as look-alikes of one flow are; and only when
 * they are all of one flow something is learned of it. To join the wrong two would
 * lead all their later packets astray, and these without any doubt left to tell of.
 */
static void tie_candidates(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   uint16_t place, uint32_t best)
{
	const bool near = is_translation(&c->flow[c->packet[best].flow].tuple, &o->tuple, false);
	unsigned n = 0;

	for (uint32_t a = alias_first(c, translate_key(o)); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;

		if (i != best && is_candidate(c, &c->packet[i], o, flow, place, !near))
			choice_tie(c, best, i);
	}
}

uint32_t translate_packet(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			  uint16_t place)
{
	uint64_t key = translate_key(o);
	bool is_unique = o->tuple.protocol == MODEL_PROTO_TCP || o->body_len ||
			 (o->flags & OBS_HAS_ID);
	struct choice near = { .best = NONE }, any = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;

		if (!is_candidate(c, &c->packet[i], o, flow, place, is_unique))
			continue;
		if (is_translation(&c->flow[c->packet[i].flow].tuple, &o->tuple, false))
			choice_offer(c, &near, i, o->time_ns);
		else
			choice_offer(c, &any, i, o->time_ns);
	}
	struct choice *ch = near.best != NONE ? &near : &any;
	if (ch->best == NONE)
		return NONE;
	choice_note(c, ch);
	if (ch->n > 1)
		tie_candidates(c, o, flow, place, ch->best);
	if (choice_is_of_one_flow(c, ch->best))
		translate_learn(c, ch->best, o, flow);
	return ch->best;
}

/*
 * The first translated packet that is seen may be a super-frame before and segments
 * behind the translation, or the other way round: its flow is learned from them, and the
 * rules for segments and merges do the rest.
 */
bool translate_stream(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		      uint16_t place)
{
	uint64_t key = translate_key(o);
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (packet_is_open(p) && p->kind == KIND_TCP_DATA && p->sig == o->sig &&
		    p->start == o->seq && p->size != o->size && !packet_has_place(c, p, place) &&
		    stream_id_fits(o->ip_id, p->ip_id, 0, o->size, o->flags & OBS_IPV4) &&
		    translate_may(c, p, o, flow, false))
			choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.best == NONE)
		return false;
	translate_learn(c, ch.best, o, flow);
	return true;
}
