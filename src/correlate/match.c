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
 *   fragment     an IP fragment of a datagram seen whole or in fragments
 *   defragment   a whole datagram that was seen in fragments before
 *   outer        a later fragment of the VXLAN datagram of a known packet
 *   translate    as `same`, but under other addresses: joins the two flows
 *   new          a packet of its own
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
	KEY_REASSEMBLED,	/* addresses, protocol, length: an IPv6 datagram loses its id */
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
		    addr_eq(&t->outer_src, &o->outer_src) && addr_eq(&t->outer_dst, &o->outer_dst)) {
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
		p->flags |= PACKET_OUTER_FRAGMENTED;
}

static bool counts_outer(const struct packet *p, uint16_t place)
{
	/* One underlay hop counts: of two (a bond and its NIC) the one seen first. */
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (p->s[i].role == MODEL_ROLE_UNDERLAY && PLACE_ENCAP(p->s[i].place))
			return p->s[i].place == place;
	return false;
}

/* Enters bytes [start, start + size) of packet i, seen by o at place. */
static void attach(struct correlate *c, uint32_t i, const struct correlate_obs *o, uint16_t place,
		   uint32_t start, uint32_t size)
{
	struct packet *p = &c->packet[i];
	struct flow *f = p->flow == NONE ? NULL : flow_root(c, p->flow);
	unsigned role = c->hop[o->hop].role;
	bool part = start != 0 || size != p->size || o->kind == KIND_FRAGMENT;
	bool large = is_large(c, o), encap = role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP);
	struct sighting *s = sighting_at(p, place);

	if (!s && p->n_sightings < SIGHTINGS_MAX) {
		s = &p->s[p->n_sightings++];
		*s = (struct sighting){ .first_ns = o->time_ns, .place = place,
					.role = (uint8_t)role };
	} else if (!s) {
		p->path_cut = true;
	}
	if (s) {
		s->covered += size;
		if (!part)
			s->whole = 1;
		else
			range_add(c, p, place, start, start + size,
				  large && encap && o->kind == KIND_TCP_DATA);
	}
	if (o->kind != KIND_OUTER_FRAGMENT) {
		wire_note(p, o, part);
		if (role < p->len_rank || (role == p->len_rank && o->eth_len > p->len && !part)) {
			p->len_rank = (uint8_t)role;
			p->len = part ? o->header_len + p->payload_len : o->eth_len;
		}
		if (o->direction == MODEL_DIRECTION_EGRESS ||
		    p->direction == MODEL_DIRECTION_OTHER)
			p->direction = o->direction;
		p->flags |= o->flags & OBS_ROUTED ? PACKET_ROUTED : 0;
		p->ttl_last = o->ttl;
		if (f && encap && counts_outer(p, place))
			count_outer(c, p, f, o, large && o->kind == KIND_TCP_DATA);
		if (f && (o->flags & OBS_ENCAP || role == MODEL_ROLE_VTEP)) {
			if (f->route != MODEL_ROUTE_VTEP && o->way != MODEL_WAY_IN)
				learn_remote(c, &o->tuple.dst);
			f->route = MODEL_ROUTE_VTEP;
		} else if (f && role == MODEL_ROLE_UNDERLAY) {
			f->route = MODEL_ROUTE_DIRECT;
		}
		if (part && !large && o->kind == KIND_TCP_DATA && size > p->segment)
			p->segment = size;
		if (f && p->segment > f->segment)
			f->segment = p->segment;
	}
	if (c->n_seen)
		seen_add(c, p, o, start, size, part);
	p->observations++;
	if (!(p->flags & PACKET_DONE) && s && path_is_done(c, p, s)) {
		p->flags |= PACKET_DONE;
		p->done_ns = o->time_ns;
		p->done_next = NONE;
		p->held++; /* by the queue */
		if (c->done_last == NONE)
			c->done_first = i;
		else
			c->packet[c->done_last].done_next = i;
		c->done_last = i;
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

static void tie_two(struct correlate *c, uint32_t a, uint32_t b)
{
	uint32_t t;

	if (c->packet[a].tie != NONE && c->packet[b].tie != NONE)
		return;
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
	unsigned n = 0;

	for (uint32_t i = c->bucket[key & c->bucket_mask]; i != NONE && n < CHAIN_MAX;
	     i = c->packet[i].next, n++) {
		const struct packet *p = &c->packet[i];
		if (p->key != key || !is_candidate(p) || !same_content(p, o) || has_place(p, place))
			continue;
		choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.n > 1) {
		n = 0;
		for (uint32_t i = c->bucket[key & c->bucket_mask]; i != NONE && n < CHAIN_MAX;
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

		if (!to && p->n_sightings < SIGHTINGS_MAX) {
			/* Kept in time order: the parts were seen before the whole. */
			unsigned at = p->n_sightings++;
			while (at && p->s[at - 1].first_ns > from->first_ns) {
				p->s[at] = p->s[at - 1];
				at--;
			}
			to = &p->s[at];
			*to = (struct sighting){ .first_ns = from->first_ns, .place = from->place,
						 .role = from->role };
		} else if (!to) {
			p->path_cut = true;
			continue;
		}
		to->covered += from->covered;
		if (from->whole)
			range_add(c, p, from->place, base, base + q->size, false);
	}
	for (uint32_t r = q->ranges; r != NONE; r = c->range[r].next)
		range_add(c, p, c->range[r].place, base + c->range[r].start,
			  base + c->range[r].end, c->range[r].large);

	if (q->direction == MODEL_DIRECTION_EGRESS || p->direction == MODEL_DIRECTION_OTHER)
		p->direction = q->direction;
	p->flags |= q->flags & (PACKET_RETRANSMISSION | PACKET_TRANSLATED |
				PACKET_OUTER_FRAGMENTED | PACKET_ROUTED | PACKET_WRITTEN);
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

	if (q->flags & PACKET_TIED)
		close_tied(c, child);
	packet_unindex(c, child);
	packet_unlist(c, child);
	c->n_open--;
	if (q->flow != NONE && c->flow[q->flow].open)
		c->flow[q->flow].open--;
	q->parent = parent;
	q->flags |= PACKET_CLOSED;
	p->held++;
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
	p->flow = flow;
	c->flow[flow].open++;
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
	return i;
}

/* ---------------------------------------------------- fragments of datagrams */

static void fragment_identify(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			      uint32_t flow)
{
	struct packet *p = &c->packet[i];

	/* The first fragment brings ports and length of the transport header. */
	if (o->tuple.has_ports && p->flow != flow) {
		if (p->flow != NONE && c->flow[p->flow].open)
			c->flow[p->flow].open--;
		p->flow = flow;
		c->flow[flow].open++;
	}
}

static uint32_t rule_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			      uint16_t place)
{
	uint64_t key = key_fragment(o);
	uint32_t end = o->frag_off + o->size;
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p) || (p->kind != KIND_FRAGMENT && p->kind != KIND_WHOLE) ||
		    range_overlaps(c, p, place, o->frag_off, end))
			continue;
		if ((p->flags & PACKET_TOTAL_KNOWN) && end > p->size)
			continue;
		choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.best == NONE)
		return NONE;
	choice_note(c, &ch);

	struct packet *p = &c->packet[ch.best];
	if (!(p->flags & PACKET_TOTAL_KNOWN)) {
		if (end > p->size) {
			p->size = end;
			p->payload_len = end;
		}
		if (o->flags & OBS_LAST_FRAGMENT) {
			p->flags |= PACKET_TOTAL_KNOWN;
			if (!(o->flags & OBS_IPV4))
				alias_add(c, ch.best,
					  key_addresses(&o->tuple.src, &o->tuple.dst,
							(uint64_t)o->tuple.protocol << 32 | p->size,
							KEY_REASSEMBLED));
		}
	}
	fragment_identify(c, ch.best, o, flow);
	return ch.best;
}

static uint32_t rule_defragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
				uint16_t place)
{
	struct choice ch = { .best = NONE };
	uint64_t key;
	unsigned n = 0;

	if (o->flags & OBS_IPV4)
		key = key_fragment(o);
	else
		key = key_addresses(&o->tuple.src, &o->tuple.dst,
				    (uint64_t)o->tuple.protocol << 32 | o->size, KEY_REASSEMBLED);
	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p) || p->kind != KIND_FRAGMENT || has_place(p, place) ||
		    !(p->flags & PACKET_TOTAL_KNOWN) || p->size != o->size)
			continue;
		if (c->flow[p->flow].tuple.has_ports && c->flow[p->flow].key != c->flow[flow].key)
			continue;
		choice_offer(c, &ch, i, o->time_ns);
	}
	if (ch.best == NONE)
		return NONE;
	choice_note(c, &ch);

	struct packet *p = &c->packet[ch.best];
	p->payload_len = o->payload_len;
	p->len = o->eth_len; /* of the whole datagram; attach() refines it by hop */
	fragment_identify(c, ch.best, o, flow);
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	return ch.best;
}

/* ----------------------------------------------------------- outer fragments */

static uint32_t rule_outer(struct correlate *c, const struct correlate_obs *o, bool *ret_pending)
{
	uint64_t key = key_outer(o);
	uint32_t pending = NONE;
	unsigned n = 0;

	*ret_pending = false;
	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p))
			continue;
		if (p->flags & PACKET_PENDING)
			pending = i;
		else
			return i;
	}
	*ret_pending = true;
	return pending;
}

/* The bytes of the packet's range that a later outer fragment carries. */
static void outer_range(const struct packet *p, const struct correlate_obs *o, uint32_t *ret_start,
			uint32_t *ret_size)
{
	uint32_t start = o->frag_off > p->outer_base ? o->frag_off - p->outer_base : 0;
	uint32_t size = o->size;

	if (start > p->size)
		start = p->size;
	if (size > p->size - start)
		size = p->size - start;
	*ret_start = start;
	*ret_size = size;
}

/* -------------------------------------------------------------- translation */

static bool shares_address(const struct result_tuple *a, const struct result_tuple *b)
{
	return addr_eq(&a->src, &b->src) || addr_eq(&a->dst, &b->dst);
}

static uint32_t rule_translate(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			       uint16_t place)
{
	uint64_t key = hash_mix(o->head, o->tuple.protocol, KEY_TRANSLATED);
	struct choice near = { .best = NONE }, any = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet;
		const struct packet *p = &c->packet[i];

		if (!is_candidate(p) || !same_content(p, o) || has_place(p, place))
			continue;
		const struct flow *g = &c->flow[p->flow];
		if (g->key == c->flow[flow].key || g->tuple.protocol != o->tuple.protocol)
			continue;
		/* A packet of a pod may be translated; two foreign ones are left alone. */
		if (p->direction == MODEL_DIRECTION_OTHER &&
		    o->direction == MODEL_DIRECTION_OTHER && !c->cfg.keep_other)
			continue;
		if (shares_address(&g->tuple, &o->tuple))
			choice_offer(c, &near, i, o->time_ns);
		else if (o->body_len || (o->flags & OBS_HAS_ID))
			choice_offer(c, &any, i, o->time_ns);
	}
	struct choice *ch = near.best != NONE ? &near : &any;
	if (ch->best == NONE)
		return NONE;
	choice_note(c, ch);
	return ch->best;
}

static void learn_translation(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			      uint32_t flow)
{
	struct packet *p = &c->packet[i];
	uint32_t before = p->flow;
	unsigned role = c->hop[o->hop].role, role_before = p->s[0].role;
	/* The tuple seen nearest the pod is how the pod knows the flow. */
	bool now_nearer = role < role_before;

	flow_link(c, before, flow);
	struct flow *root = flow_root(c, before);
	root->pod_view = now_nearer ? flow : before;
	root->far_view = now_nearer ? before : flow;
	p->flags |= PACKET_TRANSLATED;

	/* The answers will be translated back: their two flows belong together as well. */
	struct correlate_obs back = { .direction = MODEL_DIRECTION_OTHER };
	uint32_t r[2];
	for (unsigned k = 0; k < 2; k++) {
		back.tuple = flow_reverse_tuple(&c->flow[k ? flow : before].tuple);
		back.tuple_hash = flow_hash(c, &back.tuple);
		back.direction = o->direction == MODEL_DIRECTION_EGRESS ? MODEL_DIRECTION_INGRESS
				: MODEL_DIRECTION_EGRESS;
		r[k] = flow_get(c, &back);
	}
	flow_link(c, r[0], r[1]);
	root = flow_root(c, r[0]);
	root->pod_view = now_nearer ? r[1] : r[0];
	root->far_view = now_nearer ? r[0] : r[1];
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
	p->flow = flow;
	c->flow[flow].open++;
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	p->sig = o->sig;
	p->ip_id = o->ip_id;
	p->obs_flags = (uint16_t)o->flags;
	p->direction = o->direction;
	p->payload_len = o->payload_len;
	p->size = o->size;

	switch (o->kind) {
	case KIND_TCP_DATA:
		p->start = o->seq;
		if (flow_note_range(f, o->seq, o->size))
			p->flags |= PACKET_RETRANSMISSION;
		if (is_large(c, o)) {
			uint32_t last = (o->seq + o->size - 1) >> SUPER_BLOCK_SHIFT;
			p->flags |= PACKET_SUPER;
			for (uint32_t b = o->seq >> SUPER_BLOCK_SHIFT;;
			     b = (b + 1) & (UINT32_MAX >> SUPER_BLOCK_SHIFT)) {
				alias_add(c, i, hash_mix(c->flow[flow].key, b, KEY_SUPER));
				if (b == last)
					break;
			}
		}
		break;
	case KIND_FRAGMENT:
		p->size = o->frag_off + o->size;
		p->payload_len = p->size;
		if (o->flags & OBS_LAST_FRAGMENT)
			p->flags |= PACKET_TOTAL_KNOWN;
		alias_add(c, i, key_fragment(o));
		return i; /* found by that key alone */
	case KIND_OUTER_FRAGMENT:
		p->flags |= PACKET_PENDING;
		alias_add(c, i, key_outer(o));
		return i;
	default:
		p->flags |= PACKET_TOTAL_KNOWN;
		if (o->flags & OBS_SYN) {
			if (o->mss && (!f->mss || o->mss < f->mss))
				f->mss = o->mss;
			if (flow_note_range(f, o->seq, 1))
				p->flags |= PACKET_RETRANSMISSION;
		}
		if (o->flags & OBS_MAY_FRAGMENT)
			alias_add(c, i, key_fragment(o));
		break;
	}
	packet_index(c, i, key_primary(o, c->flow[flow].key));
	if (c->cfg.nat && f->nat == FLOW_NAT_UNKNOWN)
		alias_add(c, i, hash_mix(o->head, o->tuple.protocol, KEY_TRANSLATED));
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

static uint32_t match_outer_fragment(struct correlate *c, const struct correlate_obs *o,
				     uint32_t flow, uint16_t place)
{
	bool pending;
	uint32_t i = rule_outer(c, o, &pending), start = 0, size = 0;

	if (i == NONE)
		i = rule_new(c, o, flow);
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	if (pending) {
		/* Noted with offsets of the outer datagram until its first fragment comes. */
		p->fragment_bytes += o->len - o->size;
		range_add(c, p, place, o->frag_off, o->frag_off + o->size, true);
		p->observations++;
		if (c->n_seen)
			seen_add(c, p, o, o->frag_off, o->size, true);
		return i;
	}
	p->fragment_bytes += o->len - o->size;
	outer_range(p, o, &start, &size);
	attach(c, i, o, PLACE(o->hop, o->way, true), start, size);
	return i;
}

/* The first outer fragment of packet i was seen: later ones are looked for under its outer id. */
static void outer_first(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint16_t place)
{
	struct packet *p = &c->packet[i];
	bool pending;
	uint32_t early = rule_outer(c, o, &pending);

	p->outer_base = o->outer_base;
	alias_add(c, i, key_outer(o));
	if (early == NONE || !pending)
		return;

	struct packet *q = &c->packet[early];
	struct sighting *s = sighting_at(p, place);
	struct correlate_obs later = { 0 };

	for (uint32_t r = q->ranges; r != NONE; r = c->range[r].next) {
		uint32_t start, size;

		later.frag_off = c->range[r].start;
		later.size = c->range[r].end - c->range[r].start;
		outer_range(p, &later, &start, &size);
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
	q->direction = MODEL_DIRECTION_OTHER;
	absorb(c, i, early);
}

uint32_t match_observation(struct correlate *c, const struct correlate_obs *o, uint32_t flow)
{
	uint16_t place = place_of(o);
	struct flow *f = flow_root(c, flow);
	uint64_t flow_key = c->flow[flow].key, key;
	uint32_t i, start = 0, size = o->size;

	if (o->kind == KIND_OUTER_FRAGMENT)
		return match_outer_fragment(c, o, flow, place);
	if (o->kind == KIND_FRAGMENT) {
		i = rule_fragment(c, o, flow, place);
		if (i == NONE)
			i = rule_new(c, o, flow);
		if (i == NONE)
			return NONE;
		attach(c, i, o, place, o->frag_off, o->size);
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
	if (i == NONE && o->kind == KIND_TCP_DATA) {
		i = rule_segment(c, o, flow_key, f, place);
		if (i != NONE)
			start = o->seq - c->packet[i].start;
		else
			i = rule_merge(c, o, flow, f, place);
	}
	if (i == NONE && o->kind == KIND_WHOLE)
		i = rule_defragment(c, o, flow, place);
	if (i == NONE && c->cfg.nat && f->nat != FLOW_NAT_NONE && !is_origin(c, o)) {
		i = rule_translate(c, o, flow, place);
		if (i != NONE)
			learn_translation(c, i, o, flow);
	}
	if (i == NONE)
		i = rule_new(c, o, flow);
	if (i == NONE)
		return NONE;
	if ((o->flags & OBS_OUTER_FIRST) && o->outer_first > o->outer_base) {
		size = o->outer_first - o->outer_base;
		if (size > o->size)
			size = o->size;
	}
	attach(c, i, o, place, start, size);
	if (o->flags & OBS_OUTER_FIRST)
		outer_first(c, i, o, place);
	return i;
}
