/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream.c - TCP bytes that one hop shows in one frame and another in several.
 *
 * Theory of operation
 *
 * A super-frame (GSO) is cut into segments behind a tap, or segments are merged into one
 * in front of it (GRO). Bytes tell what belongs together: a segment's range lies within that
 * of its super-frame, and all headers share what cutting and merging leave alone
 * (sig, observe.c). IP ids count up from segment to segment, which tells a
 * retransmission of the same bytes from the first sending.
 *
 *   segment   the super-frame is open already: it is found by its first sequence number,
 *             by the flow's cursor (the one being cut at this place), or by the 16 KiB
 *             block of sequence space, under which each super-frame has a key
 *   merge     its segments are open: they are looked for one behind the other, from the
 *             first byte on, and become parts of a new packet
 */
#include "correlate_priv.h"

#include "podhop/hash.h"
#include "match_keys.h"

/*
 * IP ids of segments count up from the super-frame's (tcp_gso_segment), or are all equal
 * where the device was told so (SKB_GSO_TCP_FIXEDID). ids: of the part, of the whole;
 * offset: of the part in the whole.
 */
bool stream_id_fits(uint32_t part_id, uint32_t whole_id, uint32_t offset, uint32_t part_size,
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

uint32_t stream_segment_by_id(uint32_t part_id, uint32_t whole_id, uint32_t offset, bool is_v4)
{
	uint32_t k = (part_id - whole_id) & 0xffffu;

	return is_v4 && k && offset % k == 0 ? offset / k : 0;
}

static uint64_t key_super(uint64_t flow_key, uint32_t seq)
{
	return hash_mix(flow_key, seq >> SUPER_BLOCK_SHIFT, KEY_SUPER);
}

/* ------------------------------------------------------------------ segment */

/*
 * Longer than a segment of its flow may be, by the MSS of its sender's own SYN, or than those that
 * were seen: it is cut also where its device could carry it, or nobody says what it can.
 */
bool stream_is_super(const struct flow *f, const struct correlate_obs *o)
{
	return (o->flags & OBS_LARGE) || (f->mss && o->size > f->mss) ||
	       (f->segment && o->size > f->segment);
}

/* Keys under which any of its segments finds a super-frame. */
void stream_index(struct correlate *c, uint32_t i, uint64_t flow_key)
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

	if (!packet_is_open(p) || p->kind != KIND_TCP_DATA || p->size <= o->size ||
	    p->sig != o->sig || c->flow[p->flow].key != flow_key)
		return false;
	if (offset >= p->size || o->size > p->size - offset)
		return false;
	if (range_overlaps(c, p, place, offset, offset + o->size) ||
	    choice_was_sent_on(c, p, o, place))
		return false;
	return stream_id_fits(o->ip_id, p->ip_id, offset, o->size, o->flags & OBS_IPV4);
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

uint32_t stream_segment(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			struct flow *f, uint16_t place)
{
	uint32_t *cursor = cursor_of(f, place);
	struct choice ch = { .best = NONE };

	/* Segments leave one after the other: most continue the super-frame of the last. */
	if (*cursor != NONE && contains(c, *cursor, o, flow_key, place))
		return *cursor;

	uint64_t key = match_key(o, flow_key);
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

/* ------------------------------------------------------------- sent again */

/* Super-frames of the flow were shown cut at place. */
static bool is_cut_at(const struct flow *f, uint16_t place)
{
	for (unsigned k = 0; k < CURSORS; k++)
		if (f->cursor[k] != NONE && f->cursor_place[k] == place)
			return true;
	return false;
}

/* How many places have shown packet i, but this one. */
static unsigned places_before(const struct correlate *c, uint32_t i, uint16_t place)
{
	const struct packet *p = &c->packet[i];

	return p->n_sightings - (packet_has_place(c, p, place) ? 1u : 0u);
}

/*
 * As long as a super-frame has not shown these bytes here, its segment may have been missed, and
 * this be another's; but it never came so far if it was not seen at the hops that showed the other.
 */
void stream_tie_again(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		      uint16_t place, uint32_t i)
{
	const uint64_t flow_key = c->flow[flow].key;
	struct flow *f = flow_root(c, flow);
	unsigned n = 0;

	if (!f->sent_again || (o->flags & OBS_LARGE))
		return;
	if (o->time_ns - f->again_ns > c->cfg.window_ns) {
		f->sent_again = false;
		return;
	}

	const unsigned places = places_before(c, i, place);
	const bool cut_here = is_cut_at(f, place);

	for (uint32_t a = alias_first(c, key_super(flow_key, o->seq)); a != NONE && n < CHAIN_MAX;
	     a = alias_next(c, a), n++) {
		uint32_t k = c->alias[a].packet;

		if (k != i && contains(c, k, o, flow_key, place) &&
		    (cut_here || packet_has_place(c, &c->packet[k], place)) &&
		    places_before(c, k, place) >= places)
			choice_tie(c, i, k);
	}
}

/* -------------------------------------------------------------------- merge */

/* Packet i is the segment of o that begins at seq, and place has not shown it. */
static bool is_part(const struct correlate *c, uint32_t i, const struct correlate_obs *o,
		    uint64_t key, uint32_t seq, uint16_t place)
{
	const struct packet *p = &c->packet[i];
	const uint32_t offset = seq - o->seq, left = o->size - offset;

	if (p->key != key || !packet_is_open(p) || p->kind != KIND_TCP_DATA ||
	    p->size > left || p->size >= o->size || p->sig != o->sig ||
	    packet_has_place(c, p, place) || choice_was_sent_on(c, p, o, place))
		return false;
	return stream_id_fits(p->ip_id, o->ip_id, offset, p->size, o->flags & OBS_IPV4);
}

/* Where the same bytes were sent again, either may be what was merged: they are tied. */
static uint32_t part_at(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			uint32_t seq, uint16_t place)
{
	const uint64_t key = key_stream(flow_key, seq);
	const uint32_t first = c->bucket[key & c->bucket_mask];
	struct choice ch = { .best = NONE };
	unsigned n = 0;

	for (uint32_t i = first; i != NONE && n < LOOKALIKES_MAX; i = c->packet[i].next, n++)
		if (is_part(c, i, o, key, seq, place))
			choice_offer(c, &ch, i, o->time_ns);
	n = 0;
	for (uint32_t i = first; ch.n > 1 && i != NONE && n < LOOKALIKES_MAX;
	     i = c->packet[i].next, n++)
		if (i != ch.best && is_part(c, i, o, key, seq, place))
			choice_tie(c, ch.best, i);
	return ch.best;
}

uint32_t stream_merge(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
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
	p->ip_id = (uint16_t)o->ip_id;
	p->is_v4 = o->flags & OBS_IPV4;
	for (uint32_t k = 0; k < n; k++)
		if (!(c->packet[parts[k]].flags & PACKET_CLOSED))
			attach_part(c, i, parts[k]);
	packet_index(c, i, match_key(o, flow_key));
	/* A frame that GRO merged bears the time of its first segment: the others come later. */
	stream_index(c, i, flow_key);
	stream_tie_passed(c, o, flow, place, i);
	return i;
}

/* ------------------------------------------------------------------- passed */

/*
 * Packet k has o's byte at seq, was seen elsewhere before, and then at place. What was seen first,
 * all of k or segments, may have been a piece of o.
 */
static bool has_passed(const struct correlate *c, uint32_t k, const struct correlate_obs *o,
		       uint64_t flow_key, uint16_t place, uint32_t seq)
{
	const struct packet *p = &c->packet[k];
	const uint32_t offset = p->start - o->seq;
	const bool is_piece = offset < o->size && p->size <= o->size - offset;

	return p->kind == KIND_TCP_DATA && p->sig == o->sig &&
	       c->flow[p->flow].key == flow_key && seq - p->start < p->size &&
	       (is_piece || !p->s[0].whole) &&
	       packet_has_come_by(c, p, o, place);
}

/* A packet other than i that begins at seq, or a super-frame with these bytes. */
static uint32_t passed_at(const struct correlate *c, const struct correlate_obs *o,
			  uint64_t flow_key, uint16_t place, uint32_t seq, uint32_t i)
{
	const uint64_t key = key_stream(flow_key, seq);
	unsigned n = 0;

	for (uint32_t k = c->bucket[key & c->bucket_mask]; k != NONE && n < LOOKALIKES_MAX;
	     k = c->packet[k].next, n++)
		if (c->packet[k].key == key && k != i &&
		    has_passed(c, k, o, flow_key, place, seq))
			return k;
	n = 0;
	for (uint32_t a = alias_first(c, key_super(flow_key, seq)); a != NONE && n < LOOKALIKES_MAX;
	     a = alias_next(c, a), n++)
		if (c->alias[a].packet != i &&
		    has_passed(c, c->alias[a].packet, o, flow_key, place, seq))
			return c->alias[a].packet;
	return NONE;
}

/* Any place has shown p's byte at offset. */
static bool was_shown(const struct correlate *c, const struct packet *p, uint32_t offset)
{
	for (unsigned k = 0; k < p->n_sightings; k++)
		if (range_overlaps(c, p, sighting(c, p, k)->place, offset, offset + 1))
			return true;
	return false;
}

void stream_tie_passed(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		       uint16_t place, uint32_t i)
{
	const struct packet *p = &c->packet[i];
	const struct flow *f = flow_root(c, flow);
	const uint32_t segment = more_of(c, p)->segment; /* of those that were merged */
	const uint32_t step = segment ? segment : f->segment ? f->segment : o->size;
	unsigned n = 0;

	if (o->ip_id || o->time_ns > f->behind_until_ns)
		return;
	for (uint32_t pos = 0; pos < o->size && n < RANGES_OF_PACKET_MAX; pos += step, n++) {
		if (was_shown(c, p, pos))
			continue;

		uint32_t k = passed_at(c, o, c->flow[flow].key, place, o->seq + pos, i);
		if (k != NONE)
			choice_tie(c, i, k);
	}
}
