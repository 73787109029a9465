/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match.c - the matching rules: which packet does an observation belong to?
 *
 * Theory of operation
 *
 * A packet is the largest unit in which its bytes appear at any hop of the node.
 * It has a range of bytes: a piece of a TCP stream (start = sequence number),
 * or the payload of one IP datagram (start = 0). An observation shows all of that
 * range or a part of it, at a place. A place is a hop, one way, plain or inside
 * VXLAN; no packet passes a place twice, so what a place has shown of a packet it cannot
 * show again: the same bytes once more are another packet.
 *
 *        pod's veth        cni0            flannel.1          eth0
 *      |------------|  |------------|  |------------|   |--|--|--|--|
 *       super-frame     super-frame     super-frame      4 segments, each
 *       [seq, seq+4m)                                    a part of the range
 *
 *           eth0          flannel.1         cni0             veth
 *      |--|--|--|--|   |------------|  |------------|   |------------|
 *       4 segments:     merged by GRO: contains them, becomes
 *       4 packets       their parent; the 4 are one packet
 *
 * The rules, in this order; the first that finds a packet decides:
 *
 *   same         everything that no hop may change agrees, the place is free
 *   segment      TCP bytes inside a longer packet whose header they share
 *   merge        TCP bytes that contain shorter packets whose headers agree
 *   datagram     one of the datagrams in a UDP super-frame (UDP_SEGMENT)
 *   fragment     an IP fragment of a datagram seen whole or in fragments
 *   defragment   a whole datagram that was seen in fragments before
 *   outer        a later fragment of the VXLAN datagram of a known packet
 *   translate    as `same`, `segment`, `merge`, `fragment` or `defragment`, but under
 *                other addresses: joins the two flows
 *   new          a packet of its own
 *
 * An ICMP error is a packet as any other; besides, it is told to the packet it quotes.
 *
 * All of them look up candidates by key and check them by content. A packet's
 * primary key is made from its flow group's key (flow.c) and, for TCP data, its
 * first sequence number, else the hash of its headers: one probe finds the common
 * packet. Secondary keys (aliases) exist only for packets that may need another
 * rule: super-frames, datagrams that may be cut, packets whose flow may be translated.
 *
 * When several packets fit (look-alikes: equal bytes, no IP id), they are taken in
 * order, the oldest first, as every queue of the kernel would; packets between which an
 * observation had a choice are tied, and judged together when all have closed (close.c).
 */
#include "correlate_priv.h"

#include <string.h>

#include "podhop/hash.h"

enum key_kind {
	KEY_STREAM = 1,		/* flow group, first sequence number */
	KEY_WHOLE,		/* flow group, header hash */
	KEY_SUPER,		/* flow group, 16 KiB block of sequence space */
	KEY_FRAGMENT,		/* addresses, protocol, IP id */
	KEY_DATAGRAM,		/* flow group, token: whole or cut */
	KEY_DATAGRAM_ANY,	/* the same without addresses */
	KEY_UDP_SUPER,		/* flow group */
	KEY_OUTER,		/* outer addresses, outer id */
	KEY_TRANSLATED,		/* header hash alone */
};

static uint64_t key_addresses(const struct addr *src, const struct addr *dst, uint64_t n,
			      enum key_kind kind)
{
	uint64_t w[4];

	memcpy(&w[0], src->b, 16);
	memcpy(&w[2], dst->b, 16);
	return hash_mix(hash_mix(w[0] ^ w[2] << 1, w[1], 11), hash_mix(w[3] + n, w[2], 13), kind);
}

static uint64_t key_primary(const struct correlate_obs *o, uint64_t flow_key)
{
	if (o->kind == KIND_TCP_DATA)
		return hash_mix(flow_key, o->seq, KEY_STREAM);
	return hash_mix(flow_key, o->head, KEY_WHOLE);
}

uint32_t correlate_hint(const struct correlate_obs *o)
{
	/* Right for flows that are alone in their group: most. */
	return (uint32_t)key_primary(o, o->tuple_hash);
}

void correlate_prefetch_push(const struct correlate *c, uint32_t hint)
{
	__builtin_prefetch(&c->bucket[hint & c->bucket_mask], 1);
}

static uint64_t key_fragment(const struct correlate_obs *o)
{
	return key_addresses(&o->tuple.src, &o->tuple.dst,
			     (uint64_t)o->tuple.protocol << 32 | o->ip_id, KEY_FRAGMENT);
}

static uint64_t key_outer(const struct correlate_obs *o)
{
	return key_addresses(&o->outer_src, &o->outer_dst, (uint64_t)o->hop << 32 | o->outer_id,
			     KEY_OUTER);
}

static uint64_t key_translated(const struct correlate_obs *o)
{
	/* The first segment of a super-frame has its sequence number and shares its header. */
	if (o->kind == KIND_TCP_DATA)
		return hash_mix((uint64_t)o->sig << 32 | o->seq, o->tuple.protocol, KEY_TRANSLATED);
	return hash_mix(o->head, o->tuple.protocol, KEY_TRANSLATED);
}

static uint64_t key_super(uint64_t flow_key, uint32_t seq)
{
	return hash_mix(flow_key, seq >> SUPER_BLOCK_SHIFT, KEY_SUPER);
}

/* ------------------------------------------------------------------- helpers */

static uint16_t place_of(const struct correlate_obs *o)
{
	return PLACE(o->hop, o->way, o->flags & OBS_ENCAP);
}

static struct sighting *sighting_at(struct packet *p, uint16_t place)
{
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (p->s[i].place == place)
			return &p->s[i];
	return NULL;
}

/*
 * Kept in time order: a whole is seen after its parts, and a capture that was late with a frame
 * delivers it behind others. NULL when the path has more places than are kept.
 */
static struct sighting *sighting_new(struct packet *p, int64_t first_ns, uint16_t place,
				     unsigned role)
{
	unsigned at = p->n_sightings;

	if (at == SIGHTINGS_MAX) {
		p->path_cut = true;
		return NULL;
	}
	p->n_sightings++;
	while (at && p->s[at - 1].first_ns > first_ns) {
		p->s[at] = p->s[at - 1];
		at--;
	}
	p->s[at] = (struct sighting){ .first_ns = first_ns, .place = place, .role = (uint8_t)role };
	return &p->s[at];
}

static bool has_place(const struct packet *p, uint16_t place)
{
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (p->s[i].place == place)
			return true;
	return false;
}

static bool is_candidate(const struct packet *p)
{
	return (p->flags & (PACKET_USED | PACKET_CLOSED)) == PACKET_USED && p->parent == NONE;
}

/* Payloads agree as far as both hops captured them. */
static bool same_body(const struct packet *p, const struct correlate_obs *o)
{
	return p->body_len != o->body_len || p->body == o->body;
}

static bool same_content(const struct packet *p, const struct correlate_obs *o)
{
	return p->kind == o->kind && p->head == o->head && p->size == o->size && same_body(p, o);
}

/* Larger than its link carries: the tap stands in front of segmentation or behind a merge. */
static bool is_large(const struct correlate *c, const struct correlate_obs *o)
{
	const uint32_t mtu_default = 1500;
	uint32_t mtu = c->net->hops[o->hop].mtu;

	if (!mtu)
		mtu = mtu_default;
	return o->l3_len + ((o->flags & OBS_ENCAP) ? o->encap_len : 0) > mtu;
}

/*
 * IP ids of segments count up from the super-frame's (tcp_gso_segment), or are all equal
 * where the device was told so (SKB_GSO_TCP_FIXEDID). ids: of the part, of the whole;
 * offset: of the part in the whole.
 */
static bool id_fits(uint32_t part_id, uint32_t whole_id, uint32_t offset, uint32_t part_size,
		    bool is_v4)
{
	uint32_t k = (part_id - whole_id) & 0xffffu;

	if (!is_v4)
		return true;
	if (k == 0)
		return true;
	/* k segments of equal size come before this one, which is not longer than they are. */
	return offset && offset % k == 0 && offset / k >= part_size;
}

/* ------------------------------------------------------- noting an observation */

static uint32_t tunnel_row(struct correlate *c, struct flow *f, const struct correlate_obs *o)
{
	for (unsigned i = 0; i <= c->n_tunnels; i++) {
		uint32_t k = i ? i - 1 : f->tunnel; /* the flow's last one first */
		if (k >= c->n_tunnels)
			continue;
		struct result_tunnel *t = &c->tunnel[k];
		if (t->vni == o->vni && t->port == o->outer_dport &&
		    addr_eq(&t->outer_src, &o->outer_src) &&
		    addr_eq(&t->outer_dst, &o->outer_dst)) {
			f->tunnel = k;
			return k;
		}
	}
	if (c->n_tunnels == TUNNELS_MAX)
		return TUNNELS_MAX - 1;
	struct result_tunnel *t = &c->tunnel[c->n_tunnels];
	t->vni = o->vni;
	t->outer_src = o->outer_src;
	t->outer_dst = o->outer_dst;
	t->port = o->outer_dport;
	f->tunnel = c->n_tunnels;
	return c->n_tunnels++;
}

static void learn_remote(struct correlate *c, const struct addr *dst)
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
	if (c->n_learned < LEARNED_MAX)
		c->learned[c->n_learned++] = p;
}

/* Encapsulated on the underlay: what the outer headers cost (contract, section 1). */
static void count_outer(struct correlate *c, struct packet *p, struct flow *f,
			const struct correlate_obs *o, bool large)
{
	p->tunnel = tunnel_row(c, f, o);
	p->encap_len = (uint16_t)o->encap_len;
	p->outer_sport = o->outer_sport;
	p->header_len = o->header_len;
	p->tcp_options_len = o->tcp_options_len;
	if (large)
		p->large_outer++;
	else {
		p->small_outer++;
		p->small_payload += o->payload_len;
		p->small_inner += o->header_len + o->payload_len;
	}
	if (o->flags & OBS_OUTER_FIRST)
		p->outer_fragmented++;
}

static bool counts_outer(const struct packet *p, uint16_t place)
{
	/* One underlay hop counts: of two (a bond and its NIC) the one seen first. */
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (p->s[i].role == MODEL_ROLE_UNDERLAY && PLACE_ENCAP(p->s[i].place))
			return p->s[i].place == place;
	return false;
}

/*
 * Many wire frames in one: TCP behind or before segmentation, or UDP_SEGMENT's datagrams. On
 * the bridge a large datagram may as well be one that br_netfilter put together (D 5.7).
 */
static bool is_super(const struct correlate *c, const struct correlate_obs *o)
{
	if (!is_large(c, o))
		return false;
	if (o->kind == KIND_WHOLE && o->tuple.protocol == MODEL_PROTO_UDP)
		return c->hop[o->hop].role != MODEL_ROLE_BRIDGE || (o->flags & OBS_DF);
	return o->kind == KIND_TCP_DATA;
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

	if (o->flags & OBS_ENCAP || role == MODEL_ROLE_VTEP) {
		if (f->route != MODEL_ROUTE_VTEP && o->way != MODEL_WAY_IN)
			learn_remote(c, &o->tuple.dst);
		f->route = MODEL_ROUTE_VTEP;
	} else if (role == MODEL_ROLE_UNDERLAY) {
		f->route = MODEL_ROUTE_DIRECT;
	} else if (role == MODEL_ROLE_VETH && f->route == MODEL_ROUTE_UNKNOWN &&
		   o->way == MODEL_WAY_OUT && p->n_sightings == 1 &&
		   p->direction == MODEL_DIRECTION_INGRESS &&
		   (c->captured_roles & others) == others) {
		struct result_tuple t = flow_reverse_tuple(&o->tuple);
		uint32_t back = flow_find(c, &t, flow_hash(c, &t));

		f->route = MODEL_ROUTE_LOCAL;
		if (back != NONE && flow_root(c, back)->route == MODEL_ROUTE_UNKNOWN)
			flow_root(c, back)->route = MODEL_ROUTE_LOCAL;
	}
}

/* Enters bytes [start, start + size) of packet i, seen by o at place. */
static void attach(struct correlate *c, uint32_t i, const struct correlate_obs *o, uint16_t place,
		   uint32_t start, uint32_t size)
{
	struct packet *p = &c->packet[i];
	struct flow *f = p->flow == NONE ? NULL : flow_root(c, p->flow);
	unsigned role = c->hop[o->hop].role;
	bool part = start != 0 || size != p->size || o->kind == KIND_FRAGMENT;
	bool large = is_super(c, o), encap = role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP);
	struct sighting *s = sighting_at(p, place);

	if (!s)
		s = sighting_new(p, o->time_ns, place, role);
	if (s) {
		if (o->time_ns < s->first_ns)
			s->first_ns = o->time_ns;
		s->covered += size;
		if (!part)
			s->whole = 1;
		else
			range_add(c, p, place, start, start + size,
				  large && encap);
	}
	if (o->kind != KIND_OUTER_FRAGMENT) {
		wire_note(p, o, part);
		if (role < p->len_rank || (role == p->len_rank && o->eth_len > p->len && !part)) {
			p->len_rank = (uint8_t)role;
			p->len = part ? o->header_len + p->payload_len : o->eth_len;
			p->l2l3_len =
				o->kind == KIND_FRAGMENT ? (uint16_t)(o->eth_len - o->size) : 0;
		}
		if (o->direction == MODEL_DIRECTION_EGRESS ||
		    p->direction == MODEL_DIRECTION_OTHER)
			p->direction = o->direction;
		p->flags |= o->flags & OBS_ROUTED ? PACKET_ROUTED : 0;
		p->ttl_last = o->ttl;
		if (f && encap && counts_outer(p, place))
			count_outer(c, p, f, o, large);
		if (f)
			learn_route(c, p, f, o, role);
		if (o->segment && !p->segment)
			p->segment = o->segment;
		if (part && !large && o->kind == KIND_TCP_DATA && size > p->segment)
			p->segment = size;
		if (f && p->segment > f->segment)
			f->segment = p->segment;
	}
	if (c->n_seen)
		seen_add(c, p, o, start, size, part);
	p->observations++;
	if (!(p->flags & PACKET_DONE) && s && path_is_done(c, p, &p->s[p->n_sightings - 1])) {
		p->flags |= PACKET_DONE;
		close_queue(c, i, o->time_ns);
	} else if (p->direction == MODEL_DIRECTION_OTHER && !c->cfg.keep_other &&
		   p->observations == 1) {
		/* Of no captured pod so far: a translation would show it within the look-ahead. */
		close_queue(c, i, o->time_ns);
	}
}

/* ------------------------------------------------------------------- ties */

static void tie_join(struct correlate *c, uint32_t tie, uint32_t i)
{
	struct tie *t = &c->tie[tie];

	if (t->members >= TIE_MEMBERS_MAX)
		return;
	c->packet[i].tie = tie;
	c->packet[i].tie_next = NONE;
	c->packet[i].flags |= PACKET_TIED;
	c->packet[i].held++; /* a closed member waits for the others */
	if (t->first == NONE)
		t->first = i;
	else
		c->packet[t->last].tie_next = i;
	t->last = i;
	t->members++;
}

/* Two groups of look-alikes have met: they are judged as one. */
static void tie_merge(struct correlate *c, uint32_t keep, uint32_t gone)
{
	struct tie *a = &c->tie[keep], *b = &c->tie[gone];

	if (a->members + b->members > TIE_MEMBERS_MAX)
		return;
	for (uint32_t i = b->first; i != NONE; i = c->packet[i].tie_next)
		c->packet[i].tie = keep;
	c->packet[a->last].tie_next = b->first;
	a->last = b->last;
	a->members += b->members;
	a->closed += b->closed;
	a->any_incomplete |= b->any_incomplete;
	b->next_free = c->tie_free;
	c->tie_free = gone;
}

static void tie_two(struct correlate *c, uint32_t a, uint32_t b)
{
	uint32_t t;

	if (c->packet[a].tie != NONE && c->packet[b].tie != NONE) {
		if (c->packet[a].tie != c->packet[b].tie)
			tie_merge(c, c->packet[a].tie, c->packet[b].tie);
		return;
	}
	if (c->packet[a].tie == NONE && c->packet[b].tie == NONE) {
		if (c->tie_free != NONE) {
			t = c->tie_free;
			c->tie_free = c->tie[t].next_free;
		} else if (c->tie_top < c->n_tie) {
			t = c->tie_top++;
		} else {
			return;
		}
		c->tie[t] = (struct tie){ .first = NONE, .last = NONE, .next_free = NONE };
		tie_join(c, t, a);
		tie_join(c, t, b);
	} else if (c->packet[a].tie != NONE) {
		tie_join(c, c->packet[a].tie, b);
	} else {
		tie_join(c, c->packet[b].tie, a);
	}
}

/* Chooses among look-alikes: the oldest that can still be on its way between two hops. */
struct choice {
	uint32_t best;
	unsigned n;
	int64_t best_ns;
	bool best_fresh;
};

static void choice_offer(struct correlate *c, struct choice *ch, uint32_t i, int64_t now_ns)
{
	const struct packet *p = &c->packet[i];
	int64_t last = p->n_sightings ? p->s[p->n_sightings - 1].first_ns : p->first_ns;
	bool fresh = now_ns - last <= LOOKALIKE_AGE_NS;

	ch->n++;
	if (ch->best == NONE || (fresh && !ch->best_fresh) ||
	    (fresh == ch->best_fresh && p->first_ns < ch->best_ns)) {
		ch->best = i;
		ch->best_ns = p->first_ns;
		ch->best_fresh = fresh;
	}
}

static void choice_note(struct correlate *c, const struct choice *ch)
{
	struct packet *p = &c->packet[ch->best];

	if (ch->n > 1 && ch->n > p->ambiguous)
		p->ambiguous = (uint16_t)(ch->n > UINT16_MAX ? UINT16_MAX : ch->n);
}

/* -------------------------------------------------------------------- same */

static uint32_t rule_same(struct correlate *c, const struct correlate_obs *o, uint64_t key,
			  uint16_t place)
{
	struct choice ch = { .best = NONE };
	uint32_t i = c->bucket[key & c->bucket_mask];
	unsigned n = 0;

	for (; i != NONE && n < CHAIN_MAX; i = c->packet[i].next, n++) {
		const struct packet *p = &c->packet[i];
		if (p->key != key || !is_candidate(p) || !same_content(p, o) || has_place(p, place))
			continue;
		choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.n > 1) {
		n = 0;
		for (i = c->bucket[key & c->bucket_mask]; i != NONE && n < CHAIN_MAX;
		     i = c->packet[i].next, n++) {
			const struct packet *p = &c->packet[i];
			if (i != ch.best && p->key == key && is_candidate(p) &&
			    same_content(p, o) && !has_place(p, place))
				tie_two(c, ch.best, i);
		}
		choice_note(c, &ch);
	}
	return ch.best;
}

/* ------------------------------------------------------------------ segment */

/* Keys under which any of its segments finds a super-frame. */
static void super_index(struct correlate *c, uint32_t i, uint64_t flow_key)
{
	const struct packet *p = &c->packet[i];
	uint32_t last = (p->start + p->size - 1) >> SUPER_BLOCK_SHIFT;

	for (uint32_t b = p->start >> SUPER_BLOCK_SHIFT;;
	     b = (b + 1) & (UINT32_MAX >> SUPER_BLOCK_SHIFT)) {
		alias_add(c, i, hash_mix(flow_key, b, KEY_SUPER), 0);
		if (b == last)
			break;
	}
}

static bool contains(const struct correlate *c, uint32_t i, const struct correlate_obs *o,
		     uint64_t flow_key, uint16_t place)
{
	const struct packet *p = &c->packet[i];
	uint32_t offset = o->seq - p->start;

	if (!is_candidate(p) || p->kind != KIND_TCP_DATA || p->size <= o->size ||
	    p->sig != o->sig || c->flow[p->flow].key != flow_key)
		return false;
	if (offset >= p->size || o->size > p->size - offset)
		return false;
	if (range_overlaps(c, p, place, offset, offset + o->size))
		return false;
	return id_fits(o->ip_id, p->ip_id, offset, o->size, o->flags & OBS_IPV4);
}

static uint32_t *cursor_of(struct flow *f, uint16_t place)
{
	for (unsigned k = 0; k < CURSORS; k++)
		if (f->cursor[k] != NONE && f->cursor_place[k] == place)
			return &f->cursor[k];
	unsigned k = place % CURSORS;
	f->cursor_place[k] = place;
	f->cursor[k] = NONE;
	return &f->cursor[k];
}

static uint32_t rule_segment(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			     struct flow *f, uint16_t place)
{
	uint32_t *cursor = cursor_of(f, place);
	struct choice ch = { .best = NONE };

	/* Segments leave one after the other: most continue the super-frame of the last. */
	if (*cursor != NONE && contains(c, *cursor, o, flow_key, place))
		return *cursor;

	uint64_t key = hash_mix(flow_key, o->seq, KEY_STREAM);
	unsigned n = 0;
	for (uint32_t i = c->bucket[key & c->bucket_mask]; i != NONE && n < CHAIN_MAX;
	     i = c->packet[i].next, n++)
		if (c->packet[i].key == key && contains(c, i, o, flow_key, place))
			choice_offer(c, &ch, i, o->time_ns);
	if (ch.best == NONE) {
		n = 0;
		for (uint32_t a = alias_first(c, key_super(flow_key, o->seq));
		     a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++)
			if (contains(c, c->alias[a].packet, o, flow_key, place))
				choice_offer(c, &ch, c->alias[a].packet, o->time_ns);
	}
	if (ch.best != NONE) {
		choice_note(c, &ch);
		*cursor = ch.best;
	}
	return ch.best;
}

/* -------------------------------------------------------------------- merge */

static uint32_t part_at(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			uint32_t seq, uint16_t place)
{
	uint64_t key = hash_mix(flow_key, seq, KEY_STREAM);
	uint32_t offset = seq - o->seq, left = o->size - offset;
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t i = c->bucket[key & c->bucket_mask]; i != NONE && n < CHAIN_MAX;
	     i = c->packet[i].next, n++) {
		const struct packet *p = &c->packet[i];
		if (p->key != key || !is_candidate(p) || p->kind != KIND_TCP_DATA ||
		    p->size > left || p->size >= o->size || p->sig != o->sig ||
		    has_place(p, place))
			continue;
		if (!id_fits(p->ip_id, o->ip_id, offset, p->size, o->flags & OBS_IPV4))
			continue;
		choice_offer(c, &ch, i, o->time_ns);
	}
	return ch.best;
}

/* Makes packet `child` a part of `parent`: its observations, places and figures move over. */
static void absorb(struct correlate *c, uint32_t parent, uint32_t child)
{
	struct packet *p = &c->packet[parent], *q = &c->packet[child];
	uint32_t base = q->kind == KIND_TCP_DATA ? q->start - p->start : 0;

	for (unsigned k = 0; k < q->n_sightings; k++) {
		const struct sighting *from = &q->s[k];
		struct sighting *to = sighting_at(p, from->place);

		if (!to)
			to = sighting_new(p, from->first_ns, from->place, from->role);
		if (!to)
			continue;
		to->covered += from->covered;
		if (from->whole)
			range_add(c, p, from->place, base, base + q->size, false);
	}
	for (uint32_t r = q->ranges; r != NONE; r = c->range[r].next)
		range_add(c, p, c->range[r].place, base + c->range[r].start,
			  base + c->range[r].end, c->range[r].large);

	if (q->direction == MODEL_DIRECTION_EGRESS || p->direction == MODEL_DIRECTION_OTHER)
		p->direction = q->direction;
	p->flags |= q->flags & (PACKET_RETRANSMISSION | PACKET_ROUTED);
	p->outer_fragmented = (uint16_t)(p->outer_fragmented + q->outer_fragmented);
	if (!p->error)
		p->error = q->error;
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
	if (q->segment > p->segment)
		p->segment = q->segment;
	if (q->kind == KIND_TCP_DATA && q->size > p->segment && !q->large_outer)
		p->segment = q->size;
	if (q->tunnel != NONE) {
		p->tunnel = q->tunnel;
		p->encap_len = q->encap_len;
		p->outer_sport = q->outer_sport;
		p->header_len = q->header_len;
		p->tcp_options_len = q->tcp_options_len;
	}
	p->small_outer += q->small_outer;
	p->small_payload += q->small_payload;
	p->small_inner += q->small_inner;
	p->large_outer += q->large_outer;
	p->fragment_bytes += q->fragment_bytes;
	p->observations += q->observations;
	if (q->seen != NONE) {
		for (uint32_t s = q->seen; s != NONE; s = c->seen[s].next) {
			c->seen[s].start += base;
			c->seen[s].part = true;
		}
		if (p->seen == NONE)
			p->seen = q->seen;
		else
			c->seen[p->seen_last].next = q->seen;
		p->seen_last = q->seen_last;
		q->seen = q->seen_last = NONE;
	}

	packet_unindex(c, child);
	packet_unlist(c, child);
	c->n_open--;
	q->parent = parent;
	q->flags |= PACKET_CLOSED;
	p->held++;
	if (q->flags & PACKET_TIED)
		close_tied(c, child);
	packet_release(c, child);
}

static uint32_t rule_merge(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   struct flow *f, uint16_t place)
{
	uint64_t flow_key = c->flow[flow].key;
	uint32_t parts[RANGES_OF_PACKET_MAX], n = 0, step = f->segment;

	for (uint32_t pos = 0; pos < o->size && n < RANGES_OF_PACKET_MAX;) {
		uint32_t i = part_at(c, o, flow_key, o->seq + pos, place);
		if (i != NONE) {
			parts[n++] = i;
			pos += c->packet[i].size;
			if (!step)
				step = c->packet[i].size;
		} else if (step) {
			pos += step; /* one that was not seen: go on behind it */
		} else {
			break;
		}
	}
	if (!n)
		return NONE;

	int64_t first_ns = c->packet[parts[0]].first_ns;
	for (uint32_t k = 1; k < n; k++)
		if (c->packet[parts[k]].first_ns < first_ns)
			first_ns = c->packet[parts[k]].first_ns;
	for (uint32_t k = 0; k < n; k++)
		c->packet[parts[k]].held++; /* a full table must not close them now */
	uint32_t i = packet_new(c, first_ns);
	for (uint32_t k = 0; k < n; k++)
		c->packet[parts[k]].held--;
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	packet_set_flow(c, i, flow);
	p->kind = KIND_TCP_DATA;
	p->start = o->seq;
	p->size = o->size;
	p->payload_len = o->payload_len;
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	p->sig = o->sig;
	p->ip_id = o->ip_id;
	p->obs_flags = (uint16_t)o->flags;
	for (uint32_t k = 0; k < n; k++)
		if (!(c->packet[parts[k]].flags & PACKET_CLOSED))
			absorb(c, i, parts[k]);
	packet_index(c, i, key_primary(o, flow_key));
	/* A frame that GRO merged bears the time of its first segment: the others come later. */
	super_index(c, i, flow_key);
	return i;
}

/* ----------------------------------------------- datagrams of a UDP super-frame */

/*
 * UDP_SEGMENT: all datagrams but the last have one size, their IP ids count up
 * (net/ipv4/af_inet.c: inet_gso_segment); IPv6 has none, there the order tells. Range:
 * the super-frame's transport bytes, so that its one UDP header goes with the first.
 */
static bool datagram_range(const struct correlate *c, const struct packet *p,
			   const struct correlate_obs *o, uint16_t place, uint32_t *ret_start,
			   uint32_t *ret_size)
{
	const uint32_t udp_header = p->size - p->payload_len;
	uint32_t segment = p->segment ? p->segment : o->payload_len, k, start;
	uint32_t covered = 0;

	if (!(p->flags & PACKET_UDP_SUPER) || o->payload_len >= p->payload_len)
		return false;
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (p->s[i].place == place)
			covered = p->s[i].covered;
	if (o->flags & OBS_IPV4)
		k = (o->ip_id - p->ip_id) & 0xffffu;
	else
		k = covered ? (covered - udp_header + segment - 1) / segment : 0;
	if (k >= p->payload_len)
		return false;
	start = k * segment;
	if (start >= p->payload_len || o->payload_len > p->payload_len - start)
		return false;
	if (o->payload_len != segment && start + o->payload_len != p->payload_len)
		return false;
	*ret_start = start ? udp_header + start : 0;
	*ret_size = o->payload_len + (start ? 0 : udp_header);
	return !range_overlaps(c, p, place, *ret_start, *ret_start + *ret_size);
}

static uint32_t rule_datagram(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			      uint16_t place, uint32_t *ret_start, uint32_t *ret_size)
{
	uint64_t key = hash_mix(flow_key, 0, KEY_UDP_SUPER);
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet, start, size;

		if (is_candidate(&c->packet[i]) && c->flow[c->packet[i].flow].key == flow_key &&
		    datagram_range(c, &c->packet[i], o, place, &start, &size))
			choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.best == NONE)
		return NONE;
	/* Super-frames of one flow are cut one after the other: the oldest is the one. */
	datagram_range(c, &c->packet[ch.best], o, place, ret_start, ret_size);
	struct packet *p = &c->packet[ch.best];
	if (!p->segment)
		p->segment = o->payload_len;
	return ch.best;
}

/* -------------------------------------------------------------- translation */

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
	return is_unique;
}

/* A translation may show packet p under o's tuple: neither is where its packets begin. */
static bool may_translate(const struct correlate *c, const struct packet *p,
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

void match_learn(struct correlate *c, const struct result_tuple *pod, unsigned pod_role,
		 const struct result_tuple *far, unsigned far_role, int64_t now_ns)
{
	uint32_t p = flow_get(c, pod, flow_hash(c, pod), MODEL_DIRECTION_OTHER, now_ns);
	uint32_t f = flow_get(c, far, flow_hash(c, far), MODEL_DIRECTION_OTHER, now_ns);

	if (p != f)
		link_views(c, p, pod_role, f, far_role);
}

static void learn_translation(struct correlate *c, uint32_t i, const struct correlate_obs *o,
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
		if (now_nearer)
			packet_set_flow(c, i, flow);
		return;
	}
	unsigned pod_role = now_nearer ? role : role_before,
		 far_role = now_nearer ? role_before : role;

	link_views(c, now_nearer ? flow : before, pod_role, now_nearer ? before : flow, far_role);

	/* The answers will be translated back: their two flows belong together as well. */
	struct result_tuple tb = flow_reverse_tuple(&c->flow[before].tuple);
	struct result_tuple tf = flow_reverse_tuple(&c->flow[flow].tuple);

	if (hairpin || now_nearer)
		match_learn(c, &tf, pod_role, &tb, far_role, o->time_ns);
	else
		match_learn(c, &tb, pod_role, &tf, far_role, o->time_ns);
}

static uint32_t rule_translate(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			       uint16_t place)
{
	uint64_t key = key_translated(o);
	bool is_unique = o->tuple.protocol == MODEL_PROTO_TCP || o->body_len ||
			 (o->flags & OBS_HAS_ID);
	struct choice near = { .best = NONE }, any = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p) || !same_content(p, o) || has_place(p, place) ||
		    !may_translate(c, p, o, flow, is_unique))
			continue;
		if (is_translation(&c->flow[p->flow].tuple, &o->tuple, false))
			choice_offer(c, &near, i, o->time_ns);
		else
			choice_offer(c, &any, i, o->time_ns);
	}
	struct choice *ch = near.best != NONE ? &near : &any;
	if (ch->best == NONE)
		return NONE;
	choice_note(c, ch);
	learn_translation(c, ch->best, o, flow);
	return ch->best;
}

/*
 * The first translated packet that is seen may be a super-frame before and segments
 * behind the translation, or the other way round: its flow is learned from them, and the
 * rules for segments and merges do the rest.
 */
static bool translate_stream(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			     uint16_t place)
{
	uint64_t key = key_translated(o);
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (is_candidate(p) && p->kind == KIND_TCP_DATA && p->sig == o->sig &&
		    p->start == o->seq && p->size != o->size && !has_place(p, place) &&
		    id_fits(o->ip_id, p->ip_id, 0, o->size, o->flags & OBS_IPV4) &&
		    may_translate(c, p, o, flow, false))
			choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.best == NONE)
		return false;
	learn_translation(c, ch.best, o, flow);
	return true;
}

/* ---------------------------------------------------- fragments of datagrams */

static uint64_t key_datagram(uint64_t flow_key, const struct correlate_obs *o)
{
	return hash_mix(flow_key, (uint64_t)o->token << 32 | ((o->flags & OBS_IPV4) ? o->ip_id : 0),
			KEY_DATAGRAM);
}

static uint64_t key_datagram_any(const struct correlate_obs *o)
{
	return hash_mix(o->tuple.protocol,
			(uint64_t)o->token << 32 | ((o->flags & OBS_IPV4) ? o->ip_id : 0),
			KEY_DATAGRAM_ANY);
}

/* Keys under which the other forms of a datagram find it: fragments, the whole. */
static void datagram_index(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			   uint32_t flow)
{
	struct packet *p = &c->packet[i];

	if (!o->token || p->token == o->token)
		return;
	p->token = o->token;
	alias_add(c, i, key_datagram(c->flow[flow].key, o), 0);
	if (c->cfg.nat && flow_root(c, flow)->nat == FLOW_NAT_UNKNOWN)
		alias_add(c, i, key_datagram_any(o), 0);
}

static bool fits_datagram(const struct correlate *c, const struct packet *p,
			  const struct correlate_obs *o, uint16_t place)
{
	if (!is_candidate(p) || (p->kind != KIND_FRAGMENT && p->kind != KIND_WHOLE))
		return false;
	if (o->kind == KIND_WHOLE)
		return p->kind == KIND_FRAGMENT && !has_place(p, place) &&
		       (p->flags & PACKET_TOTAL_KNOWN) && p->size == o->size;
	uint32_t end = o->frag_off + o->size;
	return !range_overlaps(c, p, place, o->frag_off, end) &&
	       (!(p->flags & PACKET_TOTAL_KNOWN) || end <= p->size);
}

/* By token: another form of the datagram, perhaps behind a translation. */
static uint32_t find_datagram(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			      uint16_t place)
{
	struct choice ch = { .best = NONE };

	if (!o->token)
		return NONE;
	for (unsigned any = 0; any < 2 && ch.best == NONE; any++) {
		uint64_t key = any ? key_datagram_any(o) : key_datagram(c->flow[flow].key, o);
		unsigned n = 0;

		for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
		     a = alias_next(c, a), n++) {
			uint32_t i = c->alias[a].packet;
			const struct packet *p = &c->packet[i];

			if (p->token == o->token && fits_datagram(c, p, o, place) &&
			    (any ? may_translate(c, p, o, flow, true)
				 : c->flow[p->flow].key == c->flow[flow].key))
				choice_offer(c, &ch, i, o->time_ns);
		}
		if (any && ch.best != NONE)
			learn_translation(c, ch.best, o, flow);
	}
	if (ch.best != NONE)
		choice_note(c, &ch);
	return ch.best;
}

/* By addresses and id, as a receiver would put them together (RFC 791, RFC 8200). */
static uint32_t find_fragments(struct correlate *c, const struct correlate_obs *o, uint16_t place)
{
	uint64_t key = key_fragment(o);
	struct choice begun = { .best = NONE }, any = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		/* Two sockets may count the same ids at the same time: content decides. */
		if ((o->token && p->token && o->token != p->token) || !fits_datagram(c, p, o, place))
			continue;
		/* Fragments follow each other: the datagram that began to pass here goes on. */
		choice_offer(c, has_place(p, place) ? &begun : &any, i, o->time_ns);
	}
	struct choice *ch = begun.best != NONE ? &begun : &any;
	if (ch->best != NONE)
		choice_note(c, ch);
	return ch->best;
}

static uint32_t rule_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			      uint16_t place)
{
	uint32_t end = o->frag_off + o->size, i = find_fragments(c, o, place), whole = NONE;
	bool known = i != NONE;

	/*
	 * Later fragments whose first one a hop did not show, behind a translation or under
	 * another id, had nothing to be known by. This first one tells what they belong to.
	 */
	if (i == NONE || (!c->packet[i].token && c->packet[i].kind == KIND_FRAGMENT))
		whole = find_datagram(c, o, flow, place);
	if (whole != NONE && whole != i) {
		if (i != NONE)
			absorb(c, whole, i);
		i = whole;
		known = false;
	}
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	if (!known) /* under a new id or new addresses: the later ones follow it */
		alias_add(c, i, key_fragment(o), 0);
	if (!(p->flags & PACKET_TOTAL_KNOWN)) {
		if (end > p->size) {
			p->size = end;
			p->payload_len = end;
		}
		if (o->flags & OBS_LAST_FRAGMENT)
			p->flags |= PACKET_TOTAL_KNOWN;
	}
	if (p->kind == KIND_FRAGMENT && !o->frag_off && !p->token) {
		/* The first fragment brings ports and length of the transport header. */
		if (o->tuple.has_ports && !flow_same_group(c, p->flow, flow))
			packet_set_flow(c, i, flow);
		p->l4_len = (uint16_t)(o->size - o->payload_len);
		datagram_index(c, i, o, flow);
	}
	return i;
}

static uint32_t rule_defragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
				uint16_t place)
{
	uint32_t i = find_datagram(c, o, flow, place);

	if (i == NONE && (o->flags & OBS_MAY_FRAGMENT) && (o->flags & OBS_IPV4))
		i = find_fragments(c, o, place); /* the first one was not seen */
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	p->payload_len = o->payload_len;
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	if (o->tuple.has_ports && !flow_same_group(c, p->flow, flow))
		packet_set_flow(c, i, flow);
	datagram_index(c, i, o, flow);
	return i;
}

/* ----------------------------------------------------------- outer fragments */

/* base: where the range of the found packet begins in the outer datagram. */
static uint32_t rule_outer(struct correlate *c, const struct correlate_obs *o, bool *ret_pending,
			   uint32_t *ret_base)
{
	uint64_t key = key_outer(o);
	uint32_t pending = NONE;
	unsigned n = 0;

	*ret_pending = false;
	*ret_base = 0;
	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p))
			continue;
		if (p->flags & PACKET_PENDING) {
			pending = i;
		} else {
			*ret_base = c->alias[a].base;
			return i;
		}
	}
	*ret_pending = true;
	return pending;
}

/* The bytes of the packet's range that [off, off + size) of an outer datagram carry. */
static void outer_range(const struct packet *p, uint32_t off, uint32_t size, uint32_t base,
			uint32_t *ret_start, uint32_t *ret_size)
{
	/* The range may begin before the datagram: base is then negative, as 32 bits count. */
	uint32_t start = off - base;

	if (start > p->size)
		start = p->size;
	if (size > p->size - start)
		size = p->size - start;
	*ret_start = start;
	*ret_size = size;
}

/* ---------------------------------------------------------------------- new */

static uint32_t rule_new(struct correlate *c, const struct correlate_obs *o, uint32_t flow)
{
	uint32_t i = packet_new(c, o->time_ns);

	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	struct flow *f = flow_root(c, flow);

	p->number = o->number;
	p->kind = o->kind;
	packet_set_flow(c, i, flow);
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	p->sig = o->sig;
	p->ip_id = o->ip_id;
	p->obs_flags = (uint16_t)o->flags;
	p->direction = o->direction;
	p->payload_len = o->payload_len;
	p->size = o->size;
	p->start = o->tuple.protocol == MODEL_PROTO_TCP ? o->seq : 0;

	switch (o->kind) {
	case KIND_TCP_DATA:
		if (flow_note_range(f, o->seq, o->size))
			p->flags |= PACKET_RETRANSMISSION;
		if (is_large(c, o))
			super_index(c, i, c->flow[flow].key);
		break;
	case KIND_FRAGMENT:
		p->size = o->frag_off + o->size;
		p->payload_len = p->size;
		if (o->flags & OBS_LAST_FRAGMENT)
			p->flags |= PACKET_TOTAL_KNOWN;
		if (!o->frag_off)
			p->l4_len = (uint16_t)(o->size - o->payload_len);
		alias_add(c, i, key_fragment(o), 0);
		datagram_index(c, i, o, flow);
		return i; /* found by these keys alone */
	case KIND_OUTER_FRAGMENT:
		p->flags |= PACKET_PENDING;
		alias_add(c, i, key_outer(o), 0);
		return i;
	default:
		p->flags |= PACKET_TOTAL_KNOWN;
		if (o->flags & OBS_SYN) {
			if (o->mss && (!f->mss || o->mss < f->mss))
				f->mss = o->mss;
			if (flow_note_range(f, o->seq, 1))
				p->flags |= PACKET_RETRANSMISSION;
		}
		if (o->flags & OBS_MAY_FRAGMENT) {
			if (o->flags & OBS_IPV4)
				alias_add(c, i, key_fragment(o), 0);
			datagram_index(c, i, o, flow);
		}
		if (is_super(c, o)) {
			p->flags |= PACKET_UDP_SUPER;
			alias_add(c, i, hash_mix(c->flow[flow].key, 0, KEY_UDP_SUPER), 0);
		}
		break;
	}
	packet_index(c, i, key_primary(o, c->flow[flow].key));
	if (c->cfg.nat && (f->nat == FLOW_NAT_UNKNOWN || (o->flags & (OBS_SYN | OBS_ERROR)) ||
			   o->time_ns - c->flow[flow].last_ns > FLOW_SLEPT_NS))
		alias_add(c, i, key_translated(o), 0);
	return i;
}

/* Places at which a packet enters what podhop can see: nothing was seen of it before. */
static bool is_origin(const struct correlate *c, const struct correlate_obs *o)
{
	unsigned role = c->hop[o->hop].role;

	return o->way == MODEL_WAY_IN &&
	       (role == MODEL_ROLE_VETH ||
		(role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP)));
}

/* A later fragment of UDP on the underlay: of a VXLAN datagram, or of a plain one. */
static uint32_t match_outer_fragment(struct correlate *c, const struct correlate_obs *o,
				     uint32_t flow)
{
	uint16_t place = place_of(o);
	bool pending;
	uint32_t base, start = 0, size = 0, i = rule_outer(c, o, &pending, &base);

	if (i == NONE || pending) {
		struct correlate_obs plain = *o;
		uint32_t whole;

		plain.kind = KIND_FRAGMENT;
		whole = rule_fragment(c, &plain, flow, place);
		if (whole != NONE) {
			attach(c, whole, &plain, place, o->frag_off, o->size);
			return whole;
		}
	}
	if (i == NONE)
		i = rule_new(c, o, flow);
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	p->fragment_bytes += o->len - o->size;
	if (pending) {
		/* Noted with offsets of the outer datagram until its first fragment comes. */
		range_add(c, p, place, o->frag_off, o->frag_off + o->size, true);
		p->observations++;
		if (c->n_seen)
			seen_add(c, p, o, o->frag_off, o->size, true);
		return i;
	}
	outer_range(p, o->frag_off, o->size, base, &start, &size);
	attach(c, i, o, PLACE(o->hop, o->way, true), start, size);
	return i;
}

/*
 * The first outer fragment of packet i was seen: later ones are looked for under its outer id,
 * and those that came before it are taken in. Plain fragments likewise, with base 0.
 */
static void outer_first(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint16_t place, uint32_t base)
{
	struct packet *p = &c->packet[i];
	bool pending;
	uint32_t unused, early = rule_outer(c, o, &pending, &unused);

	if (o->flags & OBS_OUTER_FIRST)
		alias_add(c, i, key_outer(o), base);
	if (early == NONE || !pending)
		return;

	struct packet *q = &c->packet[early];
	struct sighting *s = sighting_at(p, place);

	for (uint32_t r = q->ranges; r != NONE; r = c->range[r].next) {
		uint32_t start, size;

		outer_range(p, c->range[r].start, c->range[r].end - c->range[r].start, base,
			    &start, &size);
		if (s && size) {
			s->covered += size;
			range_add(c, p, place, start, start + size, false);
		}
	}
	while (q->ranges != NONE) {
		uint32_t r = q->ranges;
		q->ranges = c->range[r].next;
		c->range[r].next = c->range_free;
		c->range_free = r;
	}
	if (!(o->flags & OBS_OUTER_FIRST))
		q->fragment_bytes = 0; /* of a plain datagram: no cost of the tunnel */
	q->direction = MODEL_DIRECTION_OTHER;
	absorb(c, i, early);
}

/* A packet's flow is the one that the hop nearest the pod shows: others may serve many pods. */
static void note_nearer(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint32_t flow)
{
	const struct packet *p = &c->packet[i];

	if (p->flow != flow && c->hop[o->hop].role < p->len_rank && o->kind == p->kind)
		packet_set_flow(c, i, flow);
}

/* Tells an ICMP error to the open packet that it quotes; errors are few, and come soon. */
static void note_error(struct correlate *c, const struct correlate_obs *o)
{
	enum { UNREACHABLE4 = 3, TTL4 = 11, UNREACHABLE6 = 1, TOO_BIG6 = 2, TTL6 = 3 };
	uint32_t flow = flow_by_hash(c, o->quote_hash);
	unsigned type = o->mss >> 8, code = o->mss & 0xff, n = 0;
	enum packet_error error = ERROR_UNREACHABLE;

	if (flow == NONE)
		return;
	if (o->flags & OBS_IPV4) {
		if (type == UNREACHABLE4 && code == 4)
			error = ERROR_TOO_BIG;
		else if (type == UNREACHABLE4 && (code == 9 || code == 10 || code == 13))
			error = ERROR_PROHIBITED;
		else if (type == TTL4)
			error = ERROR_TTL;
	} else {
		if (type == TOO_BIG6)
			error = ERROR_TOO_BIG;
		else if (type == UNREACHABLE6 && (code == 1 || code == 5))
			error = ERROR_PROHIBITED;
		else if (type == TTL6)
			error = ERROR_TTL;
	}
	for (uint32_t i = c->newest; i != NONE && n < QUOTE_SEARCH_MAX;
	     i = c->packet[i].earlier, n++) {
		struct packet *p = &c->packet[i];
		uint32_t off = o->seq - p->start;

		if (p->flow == NONE || !flow_same_group(c, p->flow, flow))
			continue;
		if (p->kind == KIND_TCP_DATA ? off >= p->size
					     : (o->ack && p->ip_id && o->ack != p->ip_id))
			continue;
		p->error = (uint8_t)error;
		return;
	}
}

uint32_t match_observation(struct correlate *c, const struct correlate_obs *o, uint32_t flow)
{
	uint16_t place = place_of(o);
	struct flow *f = flow_root(c, flow);
	uint64_t flow_key = c->flow[flow].key, key;
	uint32_t i, start = 0, size = o->size, cut = 0;
	bool origin = is_origin(c, o);
	bool sent_by_pod = origin && c->hop[o->hop].role == MODEL_ROLE_VETH;

	if (o->kind == KIND_OUTER_FRAGMENT)
		return match_outer_fragment(c, o, flow);
	if (origin)
		c->flow[flow].origin = true;
	if ((o->flags & OBS_OUTER_FIRST) && o->outer_first > o->outer_base)
		cut = o->outer_first - o->outer_base; /* so much of it is in this frame */

	if (o->kind == KIND_FRAGMENT) {
		i = rule_fragment(c, o, flow, place);
		if (i == NONE)
			i = rule_new(c, o, flow);
		if (i == NONE)
			return NONE;
		if (cut && cut < size)
			size = cut;
		attach(c, i, o, place, o->frag_off, size);
		if (o->flags & OBS_OUTER_FIRST)
			outer_first(c, i, o, place, o->outer_base - o->frag_off);
		else if (!o->frag_off && c->hop[o->hop].role == MODEL_ROLE_UNDERLAY)
			outer_first(c, i, o, place, 0);
		return i;
	}

	key = key_primary(o, flow_key);
	i = rule_same(c, o, key, place);
	if (i == NONE && (o->flags & OBS_MULTICAST) && c->hop[o->hop].role == MODEL_ROLE_VETH &&
	    o->way == MODEL_WAY_IN) {
		/*
		 * cni0's ports have hairpin on: what the pod sends to many comes back to it
		 * with its own MAC as source (D 5.2), which only the order can tell apart.
		 */
		place = PLACE(o->hop, MODEL_WAY_OUT, false);
		i = rule_same(c, o, key, place);
		if (i == NONE)
			place = place_of(o);
	}
	bool translates = c->cfg.nat && !c->flow[flow].origin &&
			  (f->nat != FLOW_NAT_NONE || (o->flags & OBS_ERROR));
	if (i == NONE && translates)
		i = rule_translate(c, o, flow, place);
	if (i == NONE && o->kind == KIND_TCP_DATA) {
		if (translates && translate_stream(c, o, flow, place)) {
			flow_key = c->flow[flow].key;
			f = flow_root(c, flow);
		}
		/* What the pod sends was not cut before: the same bytes are sent again. */
		if (!sent_by_pod)
			i = rule_segment(c, o, flow_key, f, place);
		if (i != NONE)
			start = o->seq - c->packet[i].start;
		else
			i = rule_merge(c, o, flow, f, place);
	}
	if (i == NONE && o->kind == KIND_WHOLE) {
		i = rule_defragment(c, o, flow, place);
		if (i == NONE && o->tuple.protocol == MODEL_PROTO_UDP && !sent_by_pod)
			i = rule_datagram(c, o, flow_key, place, &start, &size);
	}
	if (i == NONE)
		i = rule_new(c, o, flow);
	if (i == NONE)
		return NONE;
	if (cut && cut < size)
		size = cut;
	note_nearer(c, i, o, flow);
	attach(c, i, o, place, start, size);
	if (o->flags & OBS_OUTER_FIRST)
		outer_first(c, i, o, place, o->outer_base - start);
	if (o->flags & OBS_ERROR)
		note_error(c, o);
	return i;
}
