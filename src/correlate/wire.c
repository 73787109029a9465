/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.c - what another node's capture can recognise a packet by, and where it was seen.
 *
 * One node's hops tell its packets apart by what no hop changes; so do two nodes', since
 * the inner packet crosses the wire unchanged. What is told here is therefore what matching
 * compares already, with the bytes seen at each hop: the far node may cut and merge at
 * other places.
 */
#include "correlate_priv.h"

/*
 * Each node's routing step takes one off the TTL, between bridge and VTEP: what the wire
 * shows can be told from either side of it.
 */
static void note_ttl(struct packet *p, struct packet_more *m, const struct correlate_obs *o,
		     unsigned role)
{
	if (role == MODEL_ROLE_VTEP || role == MODEL_ROLE_UNDERLAY) {
		m->wire_ttl = o->ttl;
		p->flags |= PACKET_TTL_FROM_WIRE;
	} else if (!(p->flags & PACKET_TTL_FROM_WIRE)) {
		m->wire_ttl = (uint8_t)(o->direction == MODEL_DIRECTION_INGRESS ? o->ttl + 1
										 : o->ttl - 1);
	}
}

void wire_note(struct correlate *c, struct packet *p, const struct correlate_obs *o, bool part)
{
	struct packet_more *m = more_need(c, p);

	m->outer_flags |= o->flags & (OBS_OUTER_DF | OBS_OUTER_UNSUMMED);
	if (o->flags & OBS_ENCAP)
		m->outer_ttl = o->outer_ttl;
	note_ttl(p, m, o, c->hop[o->hop].role);
	/* A segment has neither the first number nor the last flags, a later fragment no header. */
	if ((part && o->kind == KIND_TCP_DATA) || (o->kind == KIND_FRAGMENT && o->frag_off))
		return;
	m->seq = o->seq;
	m->ack = o->ack;
	m->l4_flags = o->tcp_flags;
}

void wire_fill(struct correlate *c, const struct packet *p, struct result_packet *r)
{
	const struct flow *f = flow_root(c, p->flow);
	const struct packet_more *m = more_of(c, p);

	r->kind = p->kind == KIND_TCP_DATA   ? RESULT_KIND_STREAM
		  : p->kind == KIND_FRAGMENT ? RESULT_KIND_FRAGMENTS
					     : RESULT_KIND_WHOLE;
	r->body = p->body;
	r->body_len = p->body_len;
	r->size = p->size;
	r->segment = m->segment ? m->segment : f->segment;
	r->sig = p->sig;
	r->seq = m->seq;
	r->ack = m->ack;
	r->l4_flags = m->l4_flags;
	r->ttl = m->wire_ttl;
	r->outer_ttl = m->outer_ttl;
	r->outer_df = m->outer_flags & OBS_OUTER_DF;
	r->outer_unsummed = m->outer_flags & OBS_OUTER_UNSUMMED;
	r->outer_fragmented = m->fragment_bytes != 0;

	for (unsigned i = 0; i < p->n_sightings && i < RESULT_SIGHTINGS_MAX; i++) {
		const struct sighting *s = sighting(c, p, i);
		r->sightings[r->n_sightings++] = (struct result_sighting){
			.first_ns = s->first_ns, .covered = s->covered,
			.hop = (uint16_t)PLACE_HOP(s->place), .role = s->role,
			.way = (uint8_t)PLACE_WAY(s->place), .encap = PLACE_ENCAP(s->place),
			.whole = s->whole || (s->covered >= p->size && p->kind == KIND_TCP_DATA),
		};
	}
	if (c->content)
		content_fill(c, (uint32_t)(p - c->packet), r);
	r->parts = c->parts;
	for (uint32_t k = m->ranges; k != NONE && r->n_parts < RANGES_OF_PACKET_MAX;
	     k = c->range[k].next)
		for (unsigned i = 0; i < r->n_sightings; i++)
			if (sighting(c, p, i)->place == c->range[k].place && !r->sightings[i].whole)
				c->parts[r->n_parts++] = (struct result_part){
					.start = c->range[k].start, .end = c->range[k].end,
					.at = (uint8_t)i };
}

int64_t correlate_oldest_ns(const struct correlate *c)
{
	return c->oldest == NONE ? INT64_MAX : c->packet[c->oldest].first_ns;
}
