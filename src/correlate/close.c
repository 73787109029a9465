/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * close.c - what becomes of a packet when it closes.
 *
 * A packet is judged once, by what was seen of it and by what the hops lost in its time;
 * what the report sums up is summed up then (tally.c).
 *
 * Theory of operation. A packet closes by one of three ways into close_packet(): it has gone
 * all its way and then settled in the queue (close_queue, close_unqueue), or its window
 * has passed, or it had to make room. It leaves the tables at once, so nothing matches it
 * any more; judge() then decides.
 *
 * judge() asks path_judge() what the packet's path needs. Complete is complete. What is
 * not, is an edge when a hop's capture began or ended about then; ambiguous when another
 * packet could have been meant; otherwise incomplete with a reason, and lost only if no
 * reason is left: not closed early nor by a clock that was stepped, each missing hop captured
 * at that time, and none of them dropped a frame in the packet's time. The excuses come before
 * the verdict, because a loss that was none costs more than one that is called unknown.
 *
 * Packets that look alike (a tie) may have been matched crosswise. Which of them is whole
 * cannot be said one by one, so close_tied() keeps them until the last has closed: if
 * none is incomplete the matching made no difference, else all are ambiguous.
 */
#include "correlate_priv.h"

#include <stdlib.h>
#include <string.h>

#define ETHERNET_USUAL 1514u	/* bytes of a frame without FCS, IEEE 802.3 */

/* ------------------------------------------------------------------ excuses */

static bool is_near(int64_t a, int64_t b, int64_t distance)
{
	return (a > b ? a - b : b - a) < distance;
}

static bool is_edge(const struct correlate *c, const struct packet *p)
{
	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if (h->start_ns != INT64_MIN && is_near(p->first_ns, h->start_ns, c->cfg.window_ns))
			return true;
		if (h->end_ns != INT64_MAX && is_near(p->first_ns, h->end_ns, c->cfg.window_ns))
			return true;
	}
	return false;
}

/* A VTEP carries one family (flannel.1, flannel-v6.1); so do hops whose addresses say so. */
static bool carries_family(const struct model_hop *h, bool v4)
{
	bool any = false;

	if (h->role != MODEL_ROLE_VTEP)
		return true;
	for (unsigned i = 0; i < h->n_addrs; i++) {
		if (addr_is_link_local(&h->addrs[i].addr))
			continue;
		if (addr_is_v4(&h->addrs[i].addr) == v4)
			return true;
		any = true;
	}
	return !any;
}

static bool was_captured(const struct hop_state *h, const struct packet *p)
{
	return p->first_ns >= h->start_ns && p->first_ns <= h->end_ns;
}

/*
 * A device that went and came again is two hops: the pod's next veth, flannel.1 made anew. What
 * one of them was there for, the other need not have shown.
 */
static bool another_was_captured(const struct correlate *c, const struct packet *p, unsigned gone)
{
	const struct model_hop *h = &c->net->hops[gone];

	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct model_hop *other = &c->net->hops[i];

		if (i != gone && other->role == h->role && was_captured(&c->hop[i], p) &&
		    (h->role == MODEL_ROLE_VETH ? other->pod == h->pod
						: strcmp(other->name, h->name) == 0))
			return true;
	}
	return false;
}

/* Was a hop that should have shown the packet not captured when it could have come? */
static bool ended_before(const struct correlate *c, const struct packet *p, uint32_t roles)
{
	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if ((roles & (1u << h->role)) &&
		    carries_family(&c->net->hops[i], p->is_v4) && !was_captured(h, p) &&
		    !another_was_captured(c, p, i))
			return true;
	}
	return false;
}

/*
 * Did any hop show frames whose headers were cut, while the packet could have come? At whichever:
 * what was seen there may be this packet, and what was seen of this one may be another.
 */
static bool was_cut(const struct correlate *c, const struct packet *p)
{
	for (unsigned i = 0; i < c->n_hops; i++)
		if (time_span_meets(&c->hop[i].cut, p->first_ns, p->first_ns + c->cfg.window_ns))
			return true;
	return false;
}

/* Did a hop that should have shown the packet lose frames while it could have come? NULL: no. */
static const char *drops_excuse(const struct correlate *c, const struct packet *p, uint32_t roles)
{
	static const char anytime[] = REASON_DROPS_ANYTIME;	/* one row of losses for both */
	int64_t from = p->first_ns, to = p->first_ns + c->cfg.window_ns;

	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if (!(roles & (1u << h->role)) ||
		    !carries_family(&c->net->hops[i], p->is_v4))
			continue;
		if (h->drops_anytime)
			return anytime;
		for (unsigned k = 0; k < h->n_drops; k++)
			if (h->drops[k].from_ns <= to && from <= h->drops[k].to_ns)
				return h->drops[k].from_ns == INT64_MIN
					       ? anytime
					       : "the capture lost frames there at that time";
	}
	return NULL;
}

/* It was, or is longer than what a usual device sends in one piece. */
static bool may_be_cut(const struct correlate *c, const struct packet *p)
{
	bool cut = p->len > ETHERNET_USUAL || more_of(c, p)->segment != 0;

	for (unsigned i = 0; i < p->n_sightings && !cut; i++)
		cut = !sighting(c, p, i)->whole;
	return cut;
}

/* The frames in which p would have come by a hop, under one of the names that its flow has. */
static struct result_frames frames_at(const struct correlate *c, const struct packet *p,
				      enum model_role role, uint32_t view)
{
	const struct flow *f = &c->flow[p->flow];
	struct result_frames frames = { .in_fragments = p->kind == KIND_FRAGMENT,
					.in_segments = may_be_cut(c, p) };

	frames.vxlan = role == MODEL_ROLE_UNDERLAY && path_is_tunnelled(c, p);
	if (!frames.vxlan) {
		frames.tuple = c->flow[view].tuple;
		return frames;
	}
	frames.tuple = (struct result_tuple){ .protocol = MODEL_PROTO_UDP, .has_ports = true };
	frames.in_fragments = more_of(c, p)->outer_fragmented;
	if (f->tunnel == NO_TUNNEL)
		return frames;
	frames.tuple.src = c->tunnel[f->tunnel].outer_src;
	frames.tuple.dst = c->tunnel[f->tunnel].outer_dst;
	frames.tuple.dport = c->tunnel[f->tunnel].port;
	return frames;
}

/* Would the hop's capture have shown it, whichever of its names it had there? */
static enum result_shown shown_at(const struct correlate *c, const struct packet *p, unsigned hop)
{
	const struct flow *f = flow_root(c, p->flow);
	const uint32_t view[2] = { f->far_view != NONE ? f->pod_view : p->flow,
				   f->far_view != NONE ? f->far_view : p->flow };
	enum result_shown shown[2];

	if (!c->shows)
		return RESULT_SHOWN_UNKNOWN;
	for (unsigned i = 0; i < 2; i++) {
		struct result_frames frames = frames_at(c, p, c->hop[hop].role, view[i]);

		shown[i] = c->shows(c->shows_arg, 0, hop, &frames);
	}
	return shown[0] == shown[1] ? shown[0] : RESULT_SHOWN_UNKNOWN;
}

/* Was a hop that should have shown the packet told to leave such out? NULL: no. */
static const char *filter_excuse(const struct correlate *c, const struct packet *p, uint32_t roles)
{
	const char *excuse = NULL;

	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct model_hop *h = &c->net->hops[i];

		if (!h->filtered || !(roles & (1u << c->hop[i].role)))
			continue;
		switch (shown_at(c, p, i)) {
		case RESULT_SHOWN:
			break;
		case RESULT_SHOWN_UNKNOWN:
			excuse = "its capture there had a filter, which may have left it out";
			break;
		case RESULT_HIDDEN:
			return "its capture there had a filter, which left it out";
		}
	}
	return excuse;
}

/* -------------------------------------------------------------- one packet */

static int by_time(const void *a, const void *b)
{
	const struct result_observation *x = a, *y = b;

	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

/*
 * A fragment's place among those of its packet at its hop, and how many these are where they are
 * all there: fragments are of different sizes, so they are counted.
 */
static void count_fragments(const struct correlate *c, const struct packet *p,
			    const struct seen *part, struct result_observation *o)
{
	uint32_t n = 0, bytes = 0;

	for (uint32_t i = more_of(c, p)->seen; i != NONE; i = c->seen[i].next) {
		const struct seen *s = &c->seen[i];

		if (!s->part || s->hop != part->hop)
			continue;
		o->index += s->start < part->start;
		bytes += s->bytes;
		n++;
	}
	if (bytes == p->size)
		o->of = n;
}

static void list_observations(struct correlate *c, const struct packet *p, struct result_packet *r)
{
	const struct packet_more *m = more_of(c, p);
	unsigned n = 0;
	bool sorted = true;

	for (uint32_t i = m->seen; i != NONE; i = c->seen[i].next) {
		const struct seen *s = &c->seen[i];
		if (n == RESULT_OBSERVATIONS_MAX) {
			r->observations_omitted++;
			continue;
		}
		struct result_observation *o = &c->list[n++];
		*o = (struct result_observation){ .hop = s->hop, .time_ns = s->time_ns,
						  .length = s->length, .is_segment = s->part,
						  .bytes = s->bytes };
		if (s->part && m->segment) {
			o->index = s->start / m->segment;
			o->of = (p->size + m->segment - 1) / m->segment;
		} else if (s->part) {
			count_fragments(c, p, s, o);
		}
		if (n > 1 && c->list[n - 2].time_ns > o->time_ns)
			sorted = false;
	}
	if (!sorted)
		qsort(c->list, n, sizeof(*c->list), by_time);
	r->observations = c->list;
	r->n_observations = n;
	r->observations_omitted += m->seen_omitted;
}

static void emit(struct correlate *c, const struct packet *p, enum result_status status,
		 const struct path_verdict *v, bool lost, const struct outer_count *oc,
		 const struct result_path *path)
{
	const struct flow *f = flow_root(c, p->flow);
	struct result_packet r = {
		.id = p->id,
		.status = status,
		.direction = p->direction,
		.path = *path,
		.time_ns = p->first_ns,
		.length = p->len,
		.payload_len = p->payload_len,
		.retransmission = (p->flags & PACKET_RETRANSMISSION) != 0,
		.refused = p->verdict == CORRELATE_DROP,
		.last_seen = v->last_seen,
		.next_expected = v->next_expected,
		.lost = lost,
		.cut = v->cut,
		.reason = v->reason,
		.fingerprint = p->head,
		.ip_id = p->is_v4 ? p->ip_id : more_of(c, p)->fragment_id,
		.tcp_seq = p->start,
		.has_tcp_seq = p->kind == KIND_TCP_DATA,
		.frame_number = p->number,
	};

	r.has_ip_id = r.ip_id != 0;
	/* As its veth showed it; else as others of its flow were seen there. */
	bool use_view = f->far_view != NONE && p->len_rank != MODEL_ROLE_VETH;
	r.tuple = c->flow[use_view ? f->pod_view : p->flow].tuple;
	if (f->far_view != NONE) {
		r.translated = true;
		r.translation = c->flow[f->far_view].tuple;
	}
	if (p->tunnel != NO_TUNNEL) {
		const struct result_tunnel *t = &c->tunnel[p->tunnel];
		r.encapsulated = true;
		r.outer_src = t->outer_src;
		r.outer_dst = t->outer_dst;
		r.outer_port = t->port;
		r.outer_sport = p->outer_sport;
		r.vni = t->vni;
		r.outer_datagrams = (uint32_t)oc->datagrams;
		r.basis = oc->basis;
		r.inner_bytes = oc->inner_bytes;
		r.overhead_bytes = oc->overhead_bytes;
	}
	if (c->n_seen)
		list_observations(c, p, &r);
	wire_fill(c, p, &r);
	c->cfg.on_packet(c->cfg.on_packet_arg, &r);
}

/* Of a datagram that was seen in fragments: the length it has in one piece. */
static void settle_length(const struct correlate *c, struct packet *p)
{
	const struct packet_more *m = more_of(c, p);

	if (m->l2l3_len)
		p->len = m->l2l3_len + p->size;
	if (p->kind == KIND_FRAGMENT && p->payload_len == p->size)
		p->payload_len = p->size - m->l4_len;
}

static void path_of(const struct correlate *c, const struct packet *p, struct result_path *path)
{
	memset(path, 0, sizeof(*path));
	for (unsigned i = 0; i < p->n_sightings; i++)
		path->role[path->n++] = sighting(c, p, i)->role;
	path->cut = p->flags & PACKET_PATH_CUT;
}

/* ---------------------------------------------------------------- judgement */

/* Why an incomplete packet is, and whether it can be called lost. */
static enum result_status judge_incomplete(struct correlate *c, const struct packet *p,
					   bool tie_incomplete, struct path_verdict *v,
					   bool *ret_lost)
{
	const char *excuse;

	*ret_lost = false;
	v->cut = was_cut(c, p);
	if (is_edge(c, p))
		return RESULT_EDGE;
	if (tie_incomplete || (p->ambiguous && !(p->flags & PACKET_TIED)))
		return RESULT_AMBIGUOUS;
	if (p->flags & PACKET_EARLY)
		v->reason = "closed early: the table was full";
	else if (c->set_back)
		v->reason = "the clock was stepped before its window had passed";
	else if (ended_before(c, p, v->missing_mask))
		v->reason = "not captured there at that time";
	else if (v->cut)
		v->reason = "the snap length cut headers at that time: which packet it was cannot "
			    "be told";
	else if (c->hops_lag)
		v->reason = REASON_LAG;
	else if ((excuse = filter_excuse(c, p, v->missing_mask)) != NULL ||
		 (excuse = drops_excuse(c, p, v->missing_mask)) != NULL)
		v->reason = excuse;
	else
		*ret_lost = v->may_be_lost;
	tally_loss(c, p, v, *ret_lost);
	return RESULT_INCOMPLETE;
}

/* Of a packet that is kept nowhere: whose it was, and where it was seen. */
static void tell_refused(struct correlate *c, struct packet *p)
{
	const struct path_verdict v = { .complete = true, .reason = "" };
	const struct outer_count oc = { 0 };
	struct result_path path;

	settle_length(c, p);
	path_of(c, p, &path);
	emit(c, p, RESULT_COMPLETE, &v, false, &oc, &path);
}

static void judge(struct correlate *c, uint32_t i, bool tie_incomplete)
{
	struct packet *p = &c->packet[i];
	struct flow *f = flow_root(c, p->flow);
	static const struct path_verdict whole = { .complete = true, .may_be_lost = true,
						   .reason = "" };
	struct path_verdict judged;
	const struct path_verdict *v = &whole;
	struct outer_count oc = { 0 };
	struct result_path path_found;
	const struct result_path *path = &path_found;
	/* Equal packets, of which some are missing: which ones, nobody can say. */
	enum result_status status = tie_incomplete ? RESULT_AMBIGUOUS : RESULT_COMPLETE;
	bool lost = false, other = p->direction == MODEL_DIRECTION_OTHER;
	uint16_t row;

	if ((p->flags & PACKET_PENDING) || (other && !c->cfg.keep_other))
		return;
	if (p->verdict == CORRELATE_DROP) {
		if (c->cfg.tell_refused)
			tell_refused(c, p);
		return;
	}
	/* Closed before it was written (a full table): counted and named all the same. */
	if (!p->id && (!c->cfg.max_packets || c->next_id < c->cfg.max_packets))
		p->id = ++c->next_id;
	if (track_was_kept(c, p, f)) {
		row = f->track_row;
		tally_path_row(c, p, row, status == RESULT_COMPLETE);
		path = &c->path_row[row].row.path;
	} else {
		settle_length(c, p);
		judged = whole;
		path_judge(c, p, &judged);
		v = &judged;
		if (!v->complete)
			status = judge_incomplete(c, p, tie_incomplete, &judged, &lost);
		path_of(c, p, &path_found);
		row = tally_path(c, p, path, status == RESULT_COMPLETE);
		if (v->complete)
			track_leave(c, p, f, row);
	}
	if (p->tunnel != NO_TUNNEL) {
		tally_count_outer(c, p, &oc);
		tally_encapsulation(c, p, &oc);
	}
	tally_flow(f, p, row, oc.overhead_bytes);
	if (!other) {
		c->total++;
		c->status[status]++;
		if (status != RESULT_AMBIGUOUS)
			tally_latency(c, p);
		if (p->verdict == CORRELATE_UNSURE ||
		    (c->cfg.filter && p->verdict == CORRELATE_VERDICT_NONE))
			c->filter_unsure++;
	}
	if (c->cfg.on_packet)
		emit(c, p, status, v, lost, &oc, path);
}

void close_tied(struct correlate *c, uint32_t i)
{
	struct tie *t = &c->tie[c->more[i].tie];
	struct path_verdict v;

	t->closed++;
	if (c->packet[i].parent == NONE && !(c->packet[i].flags & PACKET_PENDING)) {
		path_judge(c, &c->packet[i], &v);
		t->any_incomplete |= !v.complete;
	}
	if (t->closed < t->members)
		return;

	uint32_t next;
	for (uint32_t k = t->first; k != NONE; k = next) {
		struct packet *p = &c->packet[k];
		next = c->more[k].tie_next;
		if (p->parent == NONE)
			judge(c, k, t->any_incomplete);
		p->held--;
		c->more[k].tie = NONE;
		if (k != i)
			packet_release(c, k);
	}
	t->next_free = c->tie_free;
	c->tie_free = (uint32_t)(t - c->tie);
}

void close_packet(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];

	packet_unindex(c, i);
	packet_unlist(c, i);
	c->n_open--;
	p->flags |= PACKET_CLOSED;
	if (p->id)
		c->ids_open--;
	if (p->flow != NONE && !(p->flags & PACKET_DONE) &&
	    p->direction != MODEL_DIRECTION_OTHER)
		flow_root(c, p->flow)->nat = FLOW_NAT_UNKNOWN;
	if (p->flags & PACKET_TIED)
		close_tied(c, i);
	else
		judge(c, i, false);
	packet_release(c, i);
}

/* ---------------------------------------------------------------------- time */

void close_queue(struct correlate *c, uint32_t i, int64_t now_ns)
{
	struct packet *p = &c->packet[i];
	uint32_t at = (c->settling_head + c->n_settling) & c->settling_mask;

	if (p->flags & PACKET_QUEUED)
		return;
	p->flags |= PACKET_QUEUED;
	p->held++;
	c->settling[at] = (struct settling){ .time_ns = now_ns, .packet = i };
	c->n_settling++;
	if (now_ns + c->settle_ns < c->wake_ns)
		c->wake_ns = now_ns + c->settle_ns;
}

void close_unqueue(struct correlate *c)
{
	uint32_t i = c->settling[c->settling_head].packet;
	struct packet *p = &c->packet[i];

	c->settling_head = (c->settling_head + 1) & c->settling_mask;
	c->n_settling--;
	p->flags &= (uint16_t)~PACKET_QUEUED;
	p->held--;
	if (p->flags & PACKET_CLOSED) {
		packet_release(c, i); /* closed meanwhile, or became part of another */
	} else if (!(p->flags & PACKET_DONE) && p->direction != MODEL_DIRECTION_OTHER) {
		return; /* it was of a pod after all */
	} else if (!packet_waits(p)) {
		close_packet(c, i);
	} else {
		p->flags |= PACKET_SETTLED;
		packet_unindex(c, i);
	}
}

void close_due(struct correlate *c)
{
	while (c->n_settling &&
	       c->now_ns - c->settling[c->settling_head].time_ns >= c->settle_ns)
		close_unqueue(c);
	while (c->oldest != NONE &&
	       c->now_ns - c->packet[c->oldest].first_ns > c->cfg.window_ns)
		close_packet(c, c->oldest);
	c->wake_ns = INT64_MAX;
	if (c->n_settling)
		c->wake_ns = c->settling[c->settling_head].time_ns + c->settle_ns;
	if (c->oldest != NONE && c->packet[c->oldest].first_ns + c->cfg.window_ns < c->wake_ns)
		c->wake_ns = c->packet[c->oldest].first_ns + c->cfg.window_ns;
}
