/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * match.c - the matching rules in their order: which packet does an observation belong to?
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
 * The rules, in this order; the first that finds a packet decides. Each stands in one place,
 * with tests in tests/unit that are named after it:
 *
 *   rule        what it finds                                 code           test_correlate_*.c
 *   same        everything that no hop may change agrees,     rule_same()    rules: test_same_*
 *               the place is free; the short way of most      track.c        track, fuzz_observe
 *   translate   the same under other addresses: joins the     translate.c    nat
 *               two flows
 *   segment     TCP bytes inside a longer packet whose        stream.c       rules: test_segment*
 *               header they share
 *   merge       TCP bytes that contain shorter packets whose  stream.c       rules: test_merge*
 *               headers agree
 *   defragment  a datagram seen in fragments before           datagram.c     rules: test_defrag*
 *   datagram    one of those in a UDP_SEGMENT super-frame     datagram.c     rules: test_udp_super
 *   new         a packet of its own                           match_new()    all
 *
 * IP fragments have rules of their own, then `new`:
 *
 *   fragment    a range of an inner datagram                  datagram.c     rules: test_fragment*
 *   outer       a later fragment of a VXLAN datagram          datagram.c     rules: test_outer_*
 *
 * All but `same` and `new` may cross a translation. What is asked of each of them besides:
 *
 *   look-alikes: which of several, and what is unsure         choice.c       rules: test_equal_*
 *   bytes sent again: whose segment was missed                stream.c       rules: test_segment_*
 *   which hops its path needs, where and why it stopped       path.c         close: test_stops
 *   when it closes, and what excuses a loss                   close.c        close
 *
 * An ICMP error is a packet as any other; besides, it is told to the packet it quotes.
 *
 * All of them look up candidates by key and check them by content. A packet's
 * primary key is made from its flow group's key (flow.c) and, for TCP data, its
 * first sequence number, else the hash of its headers: one probe finds the common
 * packet. Secondary keys (aliases) exist only for packets that may need another
 * rule: super-frames, datagrams that may be cut, packets whose flow may be translated.
 *
 * When several packets fit (look-alikes: equal bytes, no IP id), the one that came furthest is
 * taken, of these the oldest, as every queue of the kernel would (choice.c); packets between
 * which an observation had a choice are tied, and judged together when all have closed (close.c).
 */
#include "correlate_priv.h"

#include "match_keys.h"

uint64_t match_key(const struct correlate_obs *o, uint64_t flow_key)
{
	if (o->kind == KIND_TCP_DATA)
		return key_stream(flow_key, o->seq);
	return hash_mix(flow_key, o->head, KEY_WHOLE);
}

/* -------------------------------------------------------------------- same */

/* Places at which a packet enters what podhop can see: nothing was seen of it before. */
static bool is_origin(const struct correlate *c, const struct correlate_obs *o)
{
	unsigned role = c->hop[o->hop].role;

	return o->way == MODEL_WAY_IN &&
	       (role == MODEL_ROLE_VETH ||
		(role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP)));
}

static bool is_same(const struct correlate *c, const struct packet *p, uint64_t key,
		    const struct correlate_obs *o, uint16_t place)
{
	return p->key == key && packet_is_open(p) && packet_same_content(p, o) &&
	       !packet_has_place(c, p, place) && !choice_was_further_on(c, p, o, place);
}

static uint32_t rule_same(struct correlate *c, const struct correlate_obs *o, uint64_t key,
			  uint16_t place)
{
	const uint32_t first = c->bucket[key & c->bucket_mask];
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t i = first; i != NONE && n < LOOKALIKES_MAX; i = c->packet[i].next, n++)
		if (is_same(c, &c->packet[i], key, o, place))
			choice_offer(c, &ch, i, o->time_ns);
	if (ch.n < 2)
		return ch.best;
	n = 0;
	for (uint32_t i = first; i != NONE && n < LOOKALIKES_MAX; i = c->packet[i].next, n++)
		if (i != ch.best && is_same(c, &c->packet[i], key, o, place))
			choice_tie(c, ch.best, i);
	choice_note(c, &ch);
	return ch.best;
}

/*
 * Packet i begins here, where its equal has passed and was seen before: the hop that it comes
 * from missed one of the two, and which one the equal's first sightings show, nobody can say.
 * Returns whether i is the only one of its key.
 */
static bool tie_entered(struct correlate *c, const struct correlate_obs *o, uint64_t key,
			uint16_t place, uint32_t i)
{
	bool alone = true;
	unsigned n = 0;

	for (uint32_t k = c->bucket[key & c->bucket_mask]; k != NONE; k = c->packet[k].next) {
		const struct packet *p = &c->packet[k];

		if (n++ == LOOKALIKES_MAX)
			return false;
		if (k == i || p->key != key)
			continue;
		alone = false;
		if (packet_has_come_by(c, p, o, place) && packet_same_content(p, o))
			choice_tie(c, i, k);
	}
	return alone;
}

/* A packet's flow is the one that the hop nearest the pod shows: others may serve many pods. */
static void note_nearer(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			uint32_t flow)
{
	const struct packet *p = &c->packet[i];

	if (p->flow != flow && c->hop[o->hop].role < p->len_rank && o->kind == p->kind)
		packet_set_flow(c, i, flow);
}

/* --------------------------------------------------------------------- new */

static void new_tcp_data(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			 uint32_t flow)
{
	struct packet *p = &c->packet[i];
	struct flow *f = flow_root(c, flow);

	if (flow_is_behind(f, o->seq))
		f->behind_until_ns = o->time_ns + LOOKALIKE_AGE_NS;
	if (flow_note_range(f, o->seq, o->size)) {
		p->flags |= PACKET_RETRANSMISSION;
		f->sent_again = true;
		f->again_ns = o->time_ns;
	}
	if (stream_is_super(f, o))
		stream_index(c, i, c->flow[flow].key);
}

static void new_fragment(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			 uint32_t flow)
{
	struct packet *p = &c->packet[i];

	p->size = o->frag_off + o->size;
	p->payload_len = p->size;
	if (o->flags & OBS_LAST_FRAGMENT)
		p->flags |= PACKET_TOTAL_KNOWN;
	if (!o->frag_off)
		more_need(c, p)->l4_len = (uint16_t)(o->size - o->payload_len);
	datagram_index_id(c, i, o);
	datagram_index(c, i, o, flow);
}

/* A whole datagram, or a segment without data. */
static inline void new_whole(struct correlate *c, uint32_t i, const struct correlate_obs *o,
			     uint32_t flow)
{
	struct packet *p = &c->packet[i];

	p->flags |= PACKET_TOTAL_KNOWN;
	if (o->flags & OBS_SYN) {
		struct flow *f = flow_root(c, flow);

		if (o->mss && (!f->mss || o->mss < f->mss))
			f->mss = o->mss;
		if (flow_note_range(f, o->seq, 1))
			p->flags |= PACKET_RETRANSMISSION;
	}
	if (o->flags & OBS_MAY_FRAGMENT) {
		if (o->flags & OBS_IPV4)
			datagram_index_id(c, i, o);
		datagram_index(c, i, o, flow);
	}
	if (attach_is_super(c, o))
		datagram_index_super(c, i, c->flow[flow].key);
}

uint32_t match_new(struct correlate *c, const struct correlate_obs *o, uint32_t flow)
{
	uint32_t i = packet_new(c, o->time_ns);

	if (i == NONE)
		return NONE;

	struct packet *p = &c->packet[i];
	const struct flow *f = flow_root(c, flow);

	p->number = o->number;
	p->kind = o->kind;
	packet_set_flow(c, i, flow);
	p->head = o->head;
	p->body = o->body;
	p->body_len = o->body_len;
	p->sig = o->sig;
	p->ip_id = (uint16_t)o->ip_id;
	p->is_v4 = o->flags & OBS_IPV4;
	p->direction = o->direction;
	p->payload_len = o->payload_len;
	p->size = o->size;
	p->start = o->tuple.protocol == MODEL_PROTO_TCP ? o->seq : 0;
	if (o->ip_id && !p->is_v4)
		more_need(c, p)->fragment_id = o->ip_id;

	switch (o->kind) {
	case KIND_TCP_DATA:
		new_tcp_data(c, i, o, flow);
		break;
	case KIND_FRAGMENT:
		new_fragment(c, i, o, flow);
		return i; /* found by these keys alone */
	case KIND_OUTER_FRAGMENT:
		p->flags |= PACKET_PENDING;
		datagram_index_outer(c, i, o, 0);
		return i;
	default:
		new_whole(c, i, o, flow);
		break;
	}
	packet_index(c, i, match_key(o, c->flow[flow].key));
	if (c->cfg.nat && (f->nat == FLOW_NAT_UNKNOWN || (o->flags & (OBS_SYN | OBS_ERROR)) ||
			   o->time_ns - c->flow[flow].last_ns > FLOW_SLEPT_NS))
		alias_add(c, i, translate_key(o), 0);
	return i;
}

/* What an ICMP error says of the packet that it quotes (RFC 792, 1812, 4443). */
static enum packet_error error_of(bool is_v4, unsigned type, unsigned code)
{
	enum { UNREACHABLE4 = 3, TTL4 = 11, UNREACHABLE6 = 1, TOO_BIG6 = 2, TTL6 = 3 };

	if (is_v4) {
		if (type == UNREACHABLE4 && code == 4)
			return ERROR_TOO_BIG;
		if (type == UNREACHABLE4 && (code == 9 || code == 10 || code == 13))
			return ERROR_PROHIBITED;
		return type == TTL4 ? ERROR_TTL : ERROR_UNREACHABLE;
	}
	if (type == TOO_BIG6)
		return ERROR_TOO_BIG;
	if (type == UNREACHABLE6 && (code == 1 || code == 5))
		return ERROR_PROHIBITED;
	return type == TTL6 ? ERROR_TTL : ERROR_UNREACHABLE;
}

/* Tells an ICMP error to the open packet that it quotes; errors are few, and come soon. */
static void note_error(struct correlate *c, const struct correlate_obs *o)
{
	uint32_t flow = flow_by_hash(c, o->quote_hash);
	unsigned n = 0;

	if (flow == NONE)
		return;
	for (uint32_t i = c->newest; i != NONE && n < QUOTE_SEARCH_MAX;
	     i = c->packet[i].earlier, n++) {
		struct packet *p = &c->packet[i];
		uint32_t off = o->seq - p->start;

		if (p->flow == NONE || !flow_same_group(c, p->flow, flow))
			continue;
		if (p->kind == KIND_TCP_DATA ? off >= p->size
					     : (o->ack && p->ip_id && o->ack != p->ip_id))
			continue;
		more_need(c, p)->error =
			(uint8_t)error_of(o->flags & OBS_IPV4, o->mss >> 8, o->mss & 0xff);
		return;
	}
}

static uint32_t match_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			       uint16_t place, uint32_t cut)
{
	uint32_t size = cut && cut < o->size ? cut : o->size;
	uint32_t i = datagram_fragment(c, o, flow, place);

	if (i == NONE)
		i = match_new(c, o, flow);
	if (i == NONE)
		return NONE;
	attach_observation(c, i, o, place, o->frag_off, size);
	if (o->flags & OBS_OUTER_FIRST)
		datagram_outer_first(c, i, o, place, o->outer_base - o->frag_off);
	else if (!o->frag_off && c->hop[o->hop].role == MODEL_ROLE_UNDERLAY)
		datagram_outer_first(c, i, o, place, 0);
	return i;
}

/*
 * cni0's ports have hairpin on: what the pod sends to many comes back to it
 * with its own MAC as source (D 5.2), which only the order can tell apart.
 */
static uint32_t match_own_multicast(struct correlate *c, struct correlate_obs *o, uint64_t key,
				    uint16_t *place)
{
	const uint16_t back = PLACE(o->hop, MODEL_WAY_OUT, false);
	uint32_t i = NONE;

	if ((o->flags & OBS_MULTICAST) && c->hop[o->hop].role == MODEL_ROLE_VETH &&
	    o->way == MODEL_WAY_IN)
		i = rule_same(c, o, key, back);
	if (i != NONE) {
		*place = back;
		o->way = MODEL_WAY_OUT;
	}
	return i;
}

/* The rules behind `same`, for whole datagrams and TCP data. start, size: of o in what is found. */
static uint32_t match_other_form(struct correlate *c, const struct correlate_obs *o,
				 uint32_t flow, uint16_t place, uint32_t *start, uint32_t *size)
{
	struct flow *f = flow_root(c, flow);
	bool sent_by_pod = c->hop[o->hop].role == MODEL_ROLE_VETH && o->way == MODEL_WAY_IN;
	bool translates = c->cfg.nat && !c->flow[flow].origin &&
			  (f->nat != FLOW_NAT_NONE || (o->flags & OBS_ERROR));
	uint32_t i = NONE;

	if (translates)
		i = translate_packet(c, o, flow, place);
	if (i == NONE && o->kind == KIND_TCP_DATA) {
		if (translates && translate_stream(c, o, flow, place))
			f = flow_root(c, flow);
		/* What the pod sends was not cut before: the same bytes are sent again. */
		if (!sent_by_pod)
			i = stream_segment(c, o, c->flow[flow].key, f, place);
		if (i != NONE)
			*start = o->seq - c->packet[i].start;
		else
			i = stream_merge(c, o, flow, f, place);
	}
	if (i == NONE && o->kind == KIND_WHOLE) {
		i = datagram_defragment(c, o, flow, place);
		if (i == NONE && o->tuple.protocol == MODEL_PROTO_UDP && !sent_by_pod)
			i = datagram_of_super(c, o, c->flow[flow].key, place, start, size);
	}
	return i;
}

uint32_t match_observation(struct correlate *c, struct correlate_obs *o, uint32_t flow)
{
	uint16_t place = place_of(o);
	uint32_t i, start = 0, size = o->size, cut = 0;
	bool origin, begins = false;

	struct last_push *last = &c->last;

	if (o->kind == KIND_OUTER_FRAGMENT) {
		last->packet = NONE;
		return datagram_outer_fragment(c, o, flow);
	}

	if (!o->again || last->packet == NONE || last->flow_key != c->flow[flow].key) {
		last->flow_key = c->flow[flow].key;
		last->key = match_key(o, last->flow_key);
		last->packet = NONE;
	}

	const uint64_t key = last->key;

	/* `same`, for nearly all. */
	i = o->kind == KIND_FRAGMENT ? NONE : track_observation(c, o, flow, key);
	last->packet = i;
	last->alone = true;
	if (i != NONE)
		return i;
	last->alone = false;
	origin = is_origin(c, o);
	if (origin)
		c->flow[flow].origin = true;
	if ((o->flags & OBS_OUTER_FIRST) && o->outer_first > o->outer_base)
		cut = o->outer_first - o->outer_base; /* so much of it is in this frame */
	if (o->kind == KIND_FRAGMENT)
		return match_fragment(c, o, flow, place, cut);

	i = rule_same(c, o, key, place);
	last->packet = i;
	if (i == NONE)
		i = match_own_multicast(c, o, key, &place);
	/* What the pod sends was seen nowhere else before, unless this frame came late. */
	if (i == NONE && !(origin && c->hop[o->hop].role == MODEL_ROLE_VETH &&
			   o->time_ns >= c->now_ns))
		i = match_other_form(c, o, flow, place, &start, &size);
	if (i == NONE) {
		last->packet = i = match_new(c, o, flow);
		begins = origin;
		if (i != NONE)
			last->alone = tie_entered(c, o, key, place, i);
		if (i != NONE && o->kind == KIND_TCP_DATA)
			stream_tie_passed(c, o, flow, place, i);
	} else if (o->kind == KIND_TCP_DATA) {
		stream_tie_again(c, o, flow, place, i);
	}
	if (i == NONE)
		return NONE;
	if (cut && cut < size)
		size = cut;
	note_nearer(c, i, o, flow);
	if (!begins || !track_begin(c, i, o))
		attach_observation(c, i, o, place, start, size);
	if (o->flags & OBS_OUTER_FIRST)
		datagram_outer_first(c, i, o, place, o->outer_base - start);
	if (o->flags & OBS_ERROR)
		note_error(c, o);
	return i;
}
