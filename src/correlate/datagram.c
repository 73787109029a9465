/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * datagram.c - datagrams that hops show whole, in IP fragments, or many in one frame.
 *
 * Theory of operation
 *
 *   super       UDP_SEGMENT: a pod sends many datagrams in one frame, which is cut behind
 *               a tap. They are parts of the one packet.
 *   fragment    an IP fragment of a datagram. Fragments are put together as a receiver would:
 *               by addresses, protocol and IP id (RFC 791, RFC 8200), each place for itself.
 *   defragment  with br_netfilter the bridge shows a datagram whole that the veth showed in
 *               fragments, and the VTEP shows fragments again (D 5.7), of another id in IPv6.
 *               Whole and first fragment have a token in common (observe.c).
 *   outer       the VXLAN datagram itself was cut on the underlay (its DF is clear): the first
 *               outer fragment shows the inner headers, the later ones only the outer id. One
 *               that comes before its first one waits as a packet of its own (PACKET_PENDING).
 */
#include "correlate_priv.h"

#include "match_keys.h"

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
	uint32_t known = more_of(c, p)->segment, segment = known ? known : o->payload_len, k, start;
	uint32_t covered = 0;

	if (!(p->flags & PACKET_UDP_SUPER) || o->payload_len >= p->payload_len)
		return false;
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (sighting(c, p, i)->place == place)
			covered = sighting(c, p, i)->covered;
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

/* Where the bytes of p end that place has shown so far. */
static uint32_t end_at(const struct correlate *c, const struct packet *p, uint16_t place)
{
	uint32_t end = 0;

	for (uint32_t r = more_of(c, p)->ranges; r != NONE; r = c->range[r].next)
		if (c->range[r].place == place && c->range[r].end > end)
			end = c->range[r].end;
	return end;
}

/* Super-frame i is one that o may be a datagram of; where in it. */
static bool is_of_super(const struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint64_t flow_key, uint16_t place, uint32_t *ret_start, uint32_t *ret_size)
{
	const struct packet *p = &c->packet[i];

	return packet_is_open(p) && c->flow[p->flow].key == flow_key &&
	       datagram_range(c, p, o, place, ret_start, ret_size);
}

/* Place has shown something of super-frame i, which was sent behind the other. */
static bool has_begun_behind(const struct correlate *c, uint32_t i, uint32_t other, uint16_t place)
{
	return packet_has_place(c, &c->packet[i], place) &&
	       c->packet[i].first_ns > c->packet[other].first_ns;
}

/*
 * Super-frames of one flow are cut one after the other, and so are their datagrams sent: that
 * which is the next of one is of that one. With IP ids that leaves no choice, unless the next
 * super-frame has begun to pass; without, that one's first is as good. What had a choice is
 * judged together: when all are complete, it made no difference.
 */
uint32_t datagram_of_super(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			   uint16_t place, uint32_t *ret_start, uint32_t *ret_size)
{
	const uint64_t key = hash_mix(flow_key, 0, KEY_UDP_SUPER);
	struct choice next = { .best = NONE }, any = { .best = NONE };
	unsigned n = 0;

	for (uint32_t a = alias_first(c, key); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet, start, size;

		if (!is_of_super(c, i, o, flow_key, place, &start, &size))
			continue;
		choice_offer(c, start == end_at(c, &c->packet[i], place) ? &next : &any, i,
			     o->time_ns);
	}

	const uint32_t best = next.best != NONE ? next.best : any.best;

	if (best == NONE)
		return NONE;

	const bool sure = next.n == 1 && (o->flags & OBS_IPV4);

	n = 0;
	for (uint32_t a = alias_first(c, key);
	     next.n + any.n > 1 && a != NONE && n < CHAIN_MAX; a = alias_next(c, a), n++) {
		uint32_t i = c->alias[a].packet, start, size;

		if (i != best && is_of_super(c, i, o, flow_key, place, &start, &size) &&
		    (!sure || has_begun_behind(c, i, best, place)))
			choice_tie(c, best, i);
	}
	datagram_range(c, &c->packet[best], o, place, ret_start, ret_size);
	struct packet_more *m = more_need(c, &c->packet[best]);
	if (!m->segment)
		m->segment = o->payload_len;
	return best;
}

void datagram_index_super(struct correlate *c, uint32_t i, uint64_t flow_key)
{
	c->packet[i].flags |= PACKET_UDP_SUPER;
	alias_add(c, i, hash_mix(flow_key, 0, KEY_UDP_SUPER), 0);
}

void datagram_index_id(struct correlate *c, uint32_t i, const struct correlate_obs *o)
{
	alias_add(c, i, key_fragment(o), 0);
}

void datagram_index_outer(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			  uint32_t base)
{
	alias_add(c, i, key_outer(o), base);
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
void datagram_index(struct correlate *c, uint32_t i, const struct correlate_obs *o,
		    uint32_t flow)
{
	struct packet_more *m;

	if (!o->token)
		return;
	m = more_need(c, &c->packet[i]);
	if (m->token == o->token)
		return;
	m->token = o->token;
	alias_add(c, i, key_datagram(c->flow[flow].key, o), 0);
	if (c->cfg.nat && flow_root(c, flow)->nat == FLOW_NAT_UNKNOWN)
		alias_add(c, i, key_datagram_any(o), 0);
}

/* What was seen of a datagram fits the whole of one; its last fragment may not have been. */
static bool has_size(const struct packet *p, const struct correlate_obs *o)
{
	return (p->flags & PACKET_TOTAL_KNOWN) ? p->size == o->size : p->size < o->size;
}

static bool fits_datagram(const struct correlate *c, const struct packet *p,
			  const struct correlate_obs *o, uint16_t place)
{
	if (!packet_is_open(p) || (p->kind != KIND_FRAGMENT && p->kind != KIND_WHOLE))
		return false;
	if (o->kind == KIND_WHOLE)
		return p->kind == KIND_FRAGMENT && !packet_has_place(c, p, place) &&
		       has_size(p, o);
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

			if (more_of(c, p)->token == o->token && fits_datagram(c, p, o, place) &&
			    (any ? translate_may(c, p, o, flow, true)
				 : c->flow[p->flow].key == c->flow[flow].key))
				choice_offer(c, &ch, i, o->time_ns);
		}
		if (any && ch.best != NONE)
			translate_learn(c, ch.best, o, flow);
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
		uint32_t token = more_of(c, p)->token;

		/* Two sockets may count the same ids at the same time: content decides. */
		if ((o->token && token && o->token != token) || !fits_datagram(c, p, o, place))
			continue;
		/* Fragments follow each other: the datagram that began to pass here goes on. */
		choice_offer(c, packet_has_place(c, p, place) ? &begun : &any, i, o->time_ns);
	}
	struct choice *ch = begun.best != NONE ? &begun : &any;
	if (ch->best != NONE)
		choice_note(c, ch);
	return ch->best;
}

uint32_t datagram_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   uint16_t place)
{
	uint32_t end = o->frag_off + o->size, i = find_fragments(c, o, place), whole = NONE;
	bool known = i != NONE;

	/*
	 * Later fragments whose first one a hop did not show, behind a translation or under
	 * another id, had nothing to be known by. This first one tells what they belong to.
	 */
	if (i == NONE ||
	    (!more_of(c, &c->packet[i])->token && c->packet[i].kind == KIND_FRAGMENT))
		whole = find_datagram(c, o, flow, place);
	if (whole != NONE && whole != i) {
		if (i != NONE)
			attach_part(c, whole, i);
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
	if (p->kind == KIND_FRAGMENT && !o->frag_off && !more_of(c, p)->token) {
		/* The first fragment brings ports and length of the transport header. */
		if (o->tuple.has_ports && !flow_same_group(c, p->flow, flow))
			packet_set_flow(c, i, flow);
		more_need(c, p)->l4_len = (uint16_t)(o->size - o->payload_len);
		datagram_index(c, i, o, flow);
	}
	return i;
}

uint32_t datagram_defragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			     uint16_t place)
{
	uint32_t i = find_datagram(c, o, flow, place);

	if (i == NONE && (o->flags & OBS_MAY_FRAGMENT) && (o->flags & OBS_IPV4))
		i = find_fragments(c, o, place); /* the first one was not seen */
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	p->size = o->size;
	p->flags |= PACKET_TOTAL_KNOWN;
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

		if (!packet_is_open(p))
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

/* A later fragment of UDP on the underlay: of a VXLAN datagram, or of a plain one. */
uint32_t datagram_outer_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow)
{
	uint16_t place = place_of(o);
	bool pending;
	uint32_t base, start = 0, size = 0, i = rule_outer(c, o, &pending, &base);

	if (i == NONE || pending) {
		struct correlate_obs plain = *o;
		uint32_t whole;

		plain.kind = KIND_FRAGMENT;
		whole = datagram_fragment(c, &plain, flow, place);
		if (whole != NONE) {
			attach_observation(c, whole, &plain, place, o->frag_off, o->size);
			return whole;
		}
	}
	if (i == NONE)
		i = match_new(c, o, flow);
	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	more_need(c, p)->fragment_bytes += o->len - o->size;
	if (pending) {
		/* Noted with offsets of the outer datagram until its first fragment comes. */
		if (o->flags & OBS_LAST_FRAGMENT)
			p->flags |= PACKET_TOTAL_KNOWN;
		range_add(c, p, place, o->frag_off, o->frag_off + o->size, true);
		if (c->n_seen)
			seen_add(c, p, o, o->frag_off, o->size, true);
		return i;
	}
	outer_range(p, o->frag_off, o->size, base, &start, &size);
	attach_observation(c, i, o, PLACE(o->hop, o->way, true), start, size);
	return i;
}

/* Of a plain datagram's later fragments, that came before its first one: how long it is. */
static void take_total(const struct correlate *c, struct packet *p, const struct packet *q)
{
	if (p->flags & PACKET_TOTAL_KNOWN)
		return;
	for (uint32_t r = more_of(c, q)->ranges; r != NONE; r = c->range[r].next)
		if (c->range[r].end > p->size)
			p->size = p->payload_len = c->range[r].end;
	p->flags |= q->flags & PACKET_TOTAL_KNOWN;
}

/*
 * The first outer fragment of packet i was seen: later ones are looked for under its outer id,
 * and those that came before it are taken in. Plain fragments likewise, with base 0.
 */
void datagram_outer_first(struct correlate *c, uint32_t i, const struct correlate_obs *o,
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
	struct sighting *s = sighting_at(c, p, place);

	if (!(o->flags & OBS_OUTER_FIRST))
		take_total(c, p, q);
	for (uint32_t r = more_of(c, q)->ranges; r != NONE; r = c->range[r].next) {
		uint32_t start, size;

		outer_range(p, c->range[r].start, c->range[r].end - c->range[r].start, base,
			    &start, &size);
		if (s && size) {
			s->covered += size;
			range_add(c, p, place, start, start + size, false);
		}
	}
	range_drop_all(c, q);
	for (uint32_t k = more_of(c, q)->seen; k != NONE; k = c->seen[k].next)
		outer_range(p, c->seen[k].start, c->seen[k].bytes, base, &c->seen[k].start,
			    &c->seen[k].bytes);
	if (!(o->flags & OBS_OUTER_FIRST))
		more_need(c, q)->fragment_bytes = 0; /* a plain datagram's: no tunnel */
	q->direction = MODEL_DIRECTION_OTHER;
	attach_part(c, i, early);
}
