/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge.c - what came of a sent packet, when nothing more of it can come.
 *
 * Theory of operation. What arrived is delivered or altered. What did not is out of scope where the
 * receiver's last hop was not captured or was told to leave such packets out, unknown where
 * anything may have hidden it, and else lost; then it is located: where it was seen last, and at
 * which of the hops that could have shown it, it is missing.
 */
#include "verify_priv.h"

#include "deliver.h"

#define ETHERNET_USUAL 1514u /* bytes of a frame without FCS, IEEE 802.3 */

static bool dropped_at(const struct verify *v, unsigned node, uint32_t roles, int64_t from,
		       int64_t to)
{
	const struct node *n = &v->node[node];

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (!(roles & ROLE_BIT(role)))
			continue;
		if (n->dropped_any_time[role] || verify_times_meet(&n->drops[role], from, to))
			return true;
	}
	return false;
}

/* Was a packet of that time beyond telling at some hop of the node? */
static bool cut_at(const struct verify *v, unsigned node, int64_t time_ns)
{
	return verify_times_meet(&v->node[node].cut, time_ns - v->cfg.window_ns,
				 time_ns + v->cfg.window_ns);
}

/* Is the packet one of those that both captures could show? */
static enum verify_scope scope_of(struct verify *v, const struct sent *s, bool evicted)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	enum verify_scope scope = verify_role_scope(v, s->to, v->node[s->to].last, s->to_pod, there,
						    verify_doubt_ns(v, s->from, s->to, s->time_ns),
						    verify_on_way_ns(v, s->from, s->to));

	return evicted && scope == VERIFY_SCOPE_EDGE ? VERIFY_SCOPE_IN : scope;
}

bool verify_must_wait(const struct verify *v, const struct sent *s)
{
	return s->got < s->size &&
	       verify_is_undecided(v, s->to, v->node[s->to].last, s->to_pod,
				   verify_convert(v, s->from, s->to, s->time_ns));
}

/* The roles of its own node and of the receiver's that could have shown it. */
struct captured {
	uint32_t from, to;
};

/*
 * As it would have come by an underlay: inside VXLAN, unless the sender's showed it plain, and
 * between the nodes between which others went. Ports and the rest are not known.
 */
static struct result_frames frames_at_underlay(struct verify *v, const struct sent *s)
{
	const struct direction *d = verify_direction_of(v, s->from, s->to);
	struct result_frames frames = { .tuple = s->tuple };

	if (!(s->flags & SENT_ENCAP) && s->wire_role == MODEL_ROLE_UNDERLAY)
		return frames;
	frames.vxlan = true;
	frames.in_fragments = s->flags & SENT_OUTER_FRAGMENTED;
	frames.tuple = (struct result_tuple){ .src = d->outer[(s->flags & SENT_V4) != 0].src,
					      .dst = d->outer[(s->flags & SENT_V4) != 0].dst,
					      .sport = s->outer_sport,
					      .protocol = MODEL_PROTO_UDP,
					      .has_ports = true };
	return frames;
}

/* Did the node's capture at that role take it, or was it told to leave such out? */
static enum result_shown shown_at(struct verify *v, const struct sent *s, unsigned node,
				  unsigned role)
{
	const bool at_sender = node == s->from && role == MODEL_ROLE_VETH;
	struct result_frames frames = { .tuple = s->tuple };

	if (role == MODEL_ROLE_UNDERLAY)
		frames = frames_at_underlay(v, s);
	frames.in_segments = s->segment || s->length > ETHERNET_USUAL;
	if (!frames.vxlan) {
		frames.in_fragments = s->kind != RESULT_KIND_STREAM && s->size > MAY_FRAGMENT;
		/* To none of the receiver's pods: it was translated, nobody knows to which. */
		if (!at_sender && verify_pod_of(&v->node[s->to], &s->tuple.dst) < 0)
			frames.tuple.src = frames.tuple.dst = (struct addr){ 0 };
	}
	return verify_role_shows(v, node, role, node == s->from ? s->from_pod : s->to_pod, &frames);
}

static struct captured captured_at(struct verify *v, const struct sent *s)
{
	struct captured c = {
		.from = verify_roles_at(v, s->from, s->from_pod, s->time_ns),
		.to = v->node[s->to].roles,
	};

	if (verify_has_offset(v, s->from, s->to))
		c.to = verify_roles_at(v, s->to, s->to_pod,
				       verify_convert(v, s->from, s->to, s->time_ns));
	/* What a hop was told to leave out is not missing there. */
	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (c.from & ROLE_BIT(role) && shown_at(v, s, s->from, role) != RESULT_SHOWN)
			c.from &= ~ROLE_BIT(role);
		if (c.to & ROLE_BIT(role) && shown_at(v, s, s->to, role) != RESULT_SHOWN)
			c.to &= ~ROLE_BIT(role);
	}
	return c;
}

/* Where the packet was seen last, and which hop should have been next. */
static void locate(const struct sent *s, struct captured c, struct verify_lost *l)
{
	unsigned missing = MODEL_ROLE_NONE;

	l->last_node = l->next_node = s->from;
	l->last_role = s->last_role;
	for (unsigned role = MODEL_ROLE_UNDERLAY; role >= MODEL_ROLE_VETH; role--) {
		if (!(c.to & ROLE_BIT(role)) && !s->covered[role])
			continue;
		/* DirectRouting passes no VTEP. */
		if (role == MODEL_ROLE_VTEP && !(s->flags & SENT_ENCAP) && !s->covered[role] &&
		    s->last_role == MODEL_ROLE_UNDERLAY)
			continue;
		if (s->covered[role] < s->size) {
			missing = role;
			break;
		}
		l->last_node = s->to;
		l->last_role = role;
	}
	l->next_node = s->to;
	l->next_role = missing;
	if (l->last_node != s->from)
		return;
	/* It did not leave its own node: the next hop there is the one that misses it. */
	for (unsigned role = s->last_role + 1; role < MODEL_ROLE_COUNT && !s->taken; role++)
		if (c.from & ROLE_BIT(role)) {
			l->next_node = s->from;
			l->next_role = role;
			return;
		}
}

static bool dropped_inside(const struct verify *v, const struct sent *s,
			   const struct verify_lost *l)
{
	return dropped_at(v, s->from, ~(ROLE_BIT(l->next_role) - 1), s->time_ns,
			  s->time_ns + v->cfg.window_ns);
}

static bool is_excused(const struct verify *v, const struct sent *s, const struct verify_lost *l)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t inwards = v->node[s->to].roles;

	if (s->flags & (SENT_DOUBT | SENT_LATE))
		return true;
	if (l->next_node == s->to)
		inwards &= ROLE_BIT(l->next_role + 1) - 1;
	else if (dropped_inside(v, s, l))
		return true;
	return dropped_at(v, s->to, inwards, there, there + v->cfg.window_ns);
}

/* Where headers were cut, it may have come by unseen. */
static bool is_cut(const struct verify *v, const struct sent *s)
{
	return cut_at(v, s->from, s->time_ns) ||
	       cut_at(v, s->to, verify_convert(v, s->from, s->to, s->time_ns));
}

static void count_unknown(struct direction *d, uint64_t *why)
{
	d->d.sent++;
	d->d.unknown++;
	if (why)
		(*why)++;
}

/*
 * Nothing matched, so nobody knows when both captures ran. What a further hop of its own node
 * did not show is lost there all the same; of others only the place is known.
 */
static void judge_apart(struct verify *v, const struct sent *s, struct verify_lost *l)
{
	struct direction *d = verify_direction_of(v, s->from, s->to);
	struct captured c = captured_at(v, s);
	bool dropped = cut_at(v, s->from, s->time_ns);

	locate(s, c, l);
	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++)
		dropped |= v->node[s->to].dropped[role] != 0;
	if (l->next_node == s->to || !l->next_role || s->flags & (SENT_DOUBT | SENT_LATE) ||
	    dropped || dropped_inside(v, s, l) ||
	    verify_role_scope(v, s->from, l->next_role, s->from_pod, s->time_ns, 0, 0) !=
		    VERIFY_SCOPE_IN) {
		d->d.out_of_scope++;
		verify_count_place(d->ends, &d->n_ends, l);
		return;
	}
	d->d.sent++;
	l->bytes_missing = s->size - s->got;
	verify_count_lost(d, s, l);
}

/* Nothing that has an id, as it has, was found at both nodes: the clocks may be wrong by much. */
static bool is_unmet(const struct verify *v, const struct sent *s)
{
	return s->flags & SENT_STRONG && verify_pair_of(v, s->from, s->to)->weak;
}

static void judge_missing(struct verify *v, const struct sent *s, struct verify_lost *l,
			  bool evicted)
{
	struct direction *d = verify_direction_of(v, s->from, s->to);
	enum verify_scope scope = scope_of(v, s, evicted);
	enum result_shown shown;

	if (!evicted && verify_step_hid(v, s)) {
		count_unknown(d, &d->stepped);
		return;
	}
	shown = shown_at(v, s, s->to, v->node[s->to].last);
	if (scope < VERIFY_SCOPE_UNSEEN || shown == RESULT_HIDDEN) {
		d->d.out_of_scope++;
		d->hole += scope == VERIFY_SCOPE_HOLE;
		d->left_out += scope >= VERIFY_SCOPE_UNSEEN;
		return;
	}
	locate(s, captured_at(v, s), l);
	if (evicted) {
		count_unknown(d, &d->evicted);
	} else if (s->flags & SENT_ALIKE) {
		count_unknown(d, &d->alike);
	} else if (is_unmet(v, s)) {
		count_unknown(d, &d->unmet);
	} else if (scope == VERIFY_SCOPE_UNSEEN) {
		count_unknown(d, &d->unseen);
	} else if (shown != RESULT_SHOWN) {
		count_unknown(d, &d->filtered);
	} else if (is_excused(v, s, l)) {
		count_unknown(d, NULL);
	} else if (is_cut(v, s)) {
		count_unknown(d, &d->cut);
	} else {
		verify_step_tally(d, s->id);
		d->d.sent++;
		l->bytes_missing = s->size - s->got;
		verify_count_lost(d, s, l);
		verify_outer_lost(v, d, s);
	}
}

struct verify_lost verify_lost_of(const struct sent *s)
{
	return (struct verify_lost){
		.packet_id = s->id,
		.frame = s->frame,
		.hop = s->hop,
		.time_ns = s->time_ns,
		.tuple = s->tuple,
		.ip_id = s->ip_id,
		.has_ip_id = s->flags & SENT_HAS_ID,
		.length = s->length,
	};
}

void verify_judge(struct verify *v, uint32_t i, bool evicted)
{
	struct sent *s = &v->sent[i];
	struct direction *d = verify_direction_of(v, s->from, s->to);
	struct verify_lost l = verify_lost_of(s);

	if (s->got < s->size && verify_has_offset(v, s->from, s->to)) {
		verify_meet(v, s);
		verify_find_unclaimed(v, s);
		if (!is_unmet(v, s))
			verify_find_altered(v, s);
	}
	if (s->got >= s->size) {
		d->d.sent++;
		if (s->flags & SENT_ALTERED) {
			d->d.altered++;
		} else if (s->flags & SENT_UNSURE) {
			d->d.unknown++;
			d->unsure++;
		} else {
			d->d.delivered++;
		}
	} else if (!verify_has_offset(v, s->from, s->to) && verify_alike_came(v, s)) {
		count_unknown(d, &d->alike);
	} else if (!verify_has_offset(v, s->from, s->to)) {
		judge_apart(v, s, &l);
	} else {
		judge_missing(v, s, &l, evicted);
	}
	verify_sent_free(v, i);
}
