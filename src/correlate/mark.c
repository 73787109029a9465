/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mark.c - what is said of a frame as it leaves: its packet's id, its hop, the path so far.
 *
 * Each correlate_ref that correlate_push() gave out comes back here exactly once, to
 * correlate_mark(), correlate_count() or correlate_discard(): a packet's slot is free for
 * others only when it has closed and none of its frames is held any more.
 */
#include "correlate_priv.h"

static inline void count_kept(struct correlate *c, unsigned hop, uint32_t len)
{
	c->hop[hop].observations++;
	c->hop[hop].bytes += len;
}

static inline void release_one(struct correlate *c, uint32_t i)
{
	c->packet[i].held--;
	if (c->packet[i].flags & (PACKET_CLOSED | PACKET_SETTLED))
		packet_release(c, i);
}

/* Nobody sees it: not of a captured pod, refused by FILTER, or behind the last one asked for. */
static inline bool is_refused(const struct correlate *c, struct packet *p)
{
	if (!p->id && c->cfg.max_packets && c->next_id >= c->cfg.max_packets)
		p->verdict = CORRELATE_DROP;
	return (p->direction == MODEL_DIRECTION_OTHER && !c->cfg.keep_other) ||
	       p->verdict == CORRELATE_DROP;
}

void correlate_count(struct correlate *c, correlate_ref ref, unsigned hop, uint32_t len)
{
	if (ref == CORRELATE_REF_FOREIGN) {
		c->foreign++;
		return;
	}
	if (ref == CORRELATE_REF_NONE) {
		count_kept(c, hop, len);
		return;
	}
	if (c->refuses && is_refused(c, &c->packet[packet_root(c, ref)]))
		c->foreign++;
	else
		count_kept(c, hop, len);
	release_one(c, ref);
}

/* Where in its packet's path the observation stands, and what led there. */
static void mark_path(const struct correlate *c, const struct packet *p,
		      const struct correlate_tag *o, struct correlate_mark *m)
{
	uint16_t place = PLACE(o->hop, o->way,
			       (o->flags & OBS_ENCAP) || o->kind == KIND_OUTER_FRAGMENT);
	unsigned k = 0;

	while (k + 1u < p->n_sightings && sighting(c, p, k)->place != place)
		k++;
	m->hop = k + 1;
	for (unsigned n = 0; n <= k && n < p->n_sightings; n++)
		m->path.role[m->path.n++] = sighting(c, p, n)->role;
	if (k && k < p->n_sightings)
		m->dt_ns = o->time_ns - sighting(c, p, k - 1)->first_ns;
}

static inline void mark_translation(const struct correlate *c, const struct packet *p,
				    struct correlate_mark *m)
{
	const struct flow *f;

	if (p->flow == NONE)
		return;
	f = flow_root(c, p->flow);
	if (f->far_view == NONE)
		return;
	m->translated = true;
	m->translation = c->flow[f->far_view].tuple;
}

bool correlate_is_final(const struct correlate *c, correlate_ref ref)
{
	const struct packet *p;

	if (ref >= c->n_packets)
		return true; /* of no packet: foreign, or without IP */
	p = &c->packet[ref];
	return (p->flags & PACKET_SETTLED) || (!c->cfg.verdicts && track_is_final(c, p));
}

void correlate_mark(struct correlate *c, correlate_ref ref, const struct correlate_tag *o,
		    struct correlate_mark *m)
{
	m->keep = m->translated = false;
	m->id = 0;
	m->hop = m->ambiguous = 0;
	m->path = (struct result_path){ .n = 0 };
	m->dt_ns = -1;
	m->direction = o->direction;
	if (ref == CORRELATE_REF_FOREIGN) {
		c->foreign++;
		return;
	}
	if (ref == CORRELATE_REF_NONE) {
		m->keep = true;
		count_kept(c, o->hop, o->len);
		return;
	}

	struct packet *p = &c->packet[packet_root(c, ref)];

	m->direction = p->direction;
	if (is_refused(c, p)) {
		c->foreign++;
	} else {
		m->keep = true;
		count_kept(c, o->hop, o->len);
		if (!p->id) {
			p->id = ++c->next_id;
			if (!(p->flags & PACKET_CLOSED))
				c->ids_open++;
		}
		m->id = p->id;
		if (c->cfg.ids_only) {
			release_one(c, ref);
			return;
		}
		m->ambiguous = p->ambiguous;
		mark_path(c, p, o, m);
		mark_translation(c, p, m);
	}
	release_one(c, ref);
}

/* What correlate_mark() finds out, where the last sighting is this frame's. */
static inline void mark_followed(const struct correlate *c, const struct packet *p,
				 struct correlate_mark *m)
{
	const unsigned n = p->n_sightings - 1u;

	m->keep = true;
	m->id = p->id;
	m->direction = p->direction;
	m->ambiguous = p->ambiguous;
	m->translated = false;
	if (c->cfg.ids_only)
		return;
	m->hop = n + 1;
	m->path.n = (uint8_t)m->hop;
	m->path.cut = false;
	for (unsigned k = 0; k <= n; k++)
		m->path.role[k] = p->s[k].role;
	m->dt_ns = p->s[n].first_ns - p->s[n - 1].first_ns;
	mark_translation(c, p, m);
}

bool correlate_follow(struct correlate *c, const struct model_frame *before,
		      const struct model_frame *f, const struct model_parts *u,
		      struct correlate_obs *o, struct correlate_mark *m)
{
	const struct last_push *last = &c->last;
	struct packet *p;

	if (!last->root)
		return false;
	p = &c->packet[last->packet];
	close_as_of(c, f->time_ns);
	/* What has an id is kept. */
	if ((m ? !p->id : is_refused(c, p)) || !track_follow(c, before, f, u, o))
		return false;
	c->flow[last->flow].last_ns = f->time_ns;
	count_kept(c, f->hop, f->len);
	if (m)
		mark_followed(c, p, m);
	if (p->flags & PACKET_SETTLED)
		packet_release(c, last->packet);
	return true;
}

void correlate_discard(struct correlate *c, correlate_ref ref)
{
	if (ref == CORRELATE_REF_FOREIGN || ref == CORRELATE_REF_NONE)
		return;
	struct packet *p = &c->packet[packet_root(c, ref)];
	if (!p->id)
		p->verdict = CORRELATE_DROP;
	release_one(c, ref);
}

bool correlate_pod_tuple(const struct correlate *c, correlate_ref ref,
			 struct result_tuple *ret_tuple)
{
	if (ref >= c->n_packets)
		return false;
	const struct packet *p = &c->packet[packet_root(c, ref)];
	if (p->flow == NONE)
		return false;
	const struct flow *f = flow_root(c, p->flow);
	if (f->far_view == NONE)
		return false;
	*ret_tuple = c->flow[f->pod_view].tuple;
	return true;
}
