/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * track.c - packets that do what the packets of their flow did before: nearly all.
 *
 * Theory of operation
 *
 * The first packet of a flow that went all its way, whole at each place, leaves its places in
 * the flow's group as the track. A packet that takes the same steps in the same order is on
 * track (PACKET_TRACK). What follows from such a path was worked out once, for the first
 * one (path.c): where it ends, that it is complete, its row in the report. For the others
 * counting their steps is enough.
 *
 *      flow:    track[]  veth-in   bridge-in   vtep-out   underlay-out     row 3 of the report
 *      packet:  s[]         x          x                                   on track, 2 of 4
 *
 * The short way (track_observation) serves the next step of a packet that is on track and has
 * no look-alike; track_begin() is its beginning, of a new packet. It keeps all that attach.c
 * keeps, so anything else may go on from where it stands: the first step that differs takes the
 * flag away, nothing more. Nothing is learned of the flow's route: the packet that left the
 * track has shown it, and what contradicts it forgets the track.
 *
 * The shortest (track_follow) serves it where the frame shows the packet pushed just before,
 * byte for byte: it is not even observed. All that would be compared is equal, and what
 * else the short way asks was asked when that packet was pushed (track_expect).
 *
 * A track is forgotten when the flow's route or its group changes (flow_forget_track), and all
 * tracks become doubtful when the node's facts do (correlate.tracks).
 */
#include "correlate_priv.h"
#include "observe_priv.h"

static inline bool has_track(const struct correlate *c, const struct flow *f)
{
	return f->n_track && f->tracks == c->tracks;
}

/* p took the last step of its track. */
static inline void is_through(struct correlate *c, uint32_t i, struct flow *f, int64_t now_ns)
{
	/*
	 * What has neither an id nor payload, as an RST, is often followed by its equal, and so are
	 * bytes that come behind later ones: that one's entrance may be missed, and its like has to
	 * be found then (match.c, stream.c).
	 */
	const bool is_alike = !c->packet[i].ip_id &&
			      (!c->packet[i].payload_len || now_ns <= f->behind_until_ns);

	if (f->track_ends && !is_alike) {
		/* Behind the wire, or in the pod, no hop is left that could show it once more. */
		c->packet[i].flags |= PACKET_DONE | PACKET_SETTLED;
		if (f->nat == FLOW_NAT_UNKNOWN) /* again: another of it did not go all its way */
			attach_note_nat(c, i, f);
		packet_unindex(c, i);
	} else {
		attach_is_done(c, i, f, now_ns);
	}
}

/* The one packet of that key; NONE: there is none, or several: look-alikes, or sent again. */
static inline uint32_t find_alone(const struct correlate *c, uint64_t key)
{
	uint32_t found = NONE;

	for (uint32_t i = c->bucket[key & c->bucket_mask]; i != NONE; i = c->packet[i].next) {
		if (c->packet[i].key != key)
			continue;
		if (found != NONE)
			return NONE;
		found = i;
	}
	return found;
}

/* Is this the next step of p on the track of f, the root of its flow? */
static inline bool is_next_step(const struct correlate *c, const struct packet *p,
				const struct flow *f, uint16_t place, int64_t time_ns)
{
	const unsigned kept = PACKET_TRACK | PACKET_INDEXED | PACKET_CLOSED;
	const unsigned n = p->n_sightings;

	return (p->flags & kept) == (PACKET_TRACK | PACKET_INDEXED) && n < f->n_track &&
	       place == f->track[n] && has_track(c, f) && p->parent == NONE &&
	       time_ns >= p->s[n - 1].first_ns && !f->sent_again;
}

static inline void note_step(struct packet *p, uint16_t place, unsigned role, uint32_t size,
			     int64_t time_ns)
{
	p->s[p->n_sightings++] = (struct sighting){ .first_ns = time_ns, .covered = size,
						    .place = place, .whole = 1,
						    .role = (uint8_t)role };
}

/* Segments and what stands for several, fragments, observations that are asked for one by one. */
static inline bool is_unusual(const struct correlate *c, const struct correlate_obs *o)
{
	return o->segment || c->n_seen || (o->flags & (OBS_LARGE | OBS_OUTER_FIRST));
}

/* The next step of packet i, whose flow's root is f: all that attach.c would keep of it. */
static inline void take_step(struct correlate *c, uint32_t i, struct flow *f,
			     const struct correlate_obs *o, uint16_t place)
{
	struct packet *p = &c->packet[i];
	const unsigned role = c->hop[o->hop].role;

	note_step(p, place, role, o->size, o->time_ns);
	if (c->cfg.on_packet)
		wire_note(c, p, o, false);
	if (role == c->content_role)
		content_note(c, i, o, place);
	attach_note_nearest(c, p, o, role);
	if (role == MODEL_ROLE_UNDERLAY && (o->flags & OBS_ENCAP) && p->tunnel == NO_TUNNEL)
		attach_count_outer(c, p, f, o, false);
	if (p->n_sightings == f->n_track)
		is_through(c, i, f, o->time_ns);
}

uint32_t track_observation(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   uint64_t key)
{
	const struct last_push *last = &c->last;
	const bool again = o->again && last->packet != NONE && last->alone;
	const uint32_t found = again ? last->packet : find_alone(c, key);
	const uint16_t place = place_of(o);

	if (found == NONE)
		return NONE;

	struct packet *p = &c->packet[found];
	struct flow *f = flow_root(c, flow);
	const unsigned role = c->hop[o->hop].role;

	if (!is_next_step(c, p, f, place, o->time_ns) ||
	    /* What shows the same again needs not be compared again. */
	    !(again || (o->again && found == last->packet) || packet_same_content(p, o)) ||
	    is_unusual(c, o))
		return NONE;
	if (p->flow != flow && role < p->len_rank)
		packet_set_flow(c, found, flow);
	take_step(c, found, f, o, place);
	return found;
}

bool track_begin(struct correlate *c, uint32_t i, const struct correlate_obs *o)
{
	struct packet *p = &c->packet[i];
	struct flow *f = flow_root(c, p->flow);
	const uint16_t place = place_of(o);

	if (!has_track(c, f) || place != f->track[0] || is_unusual(c, o))
		return false;
	p->flags |= PACKET_TRACK;
	take_step(c, i, f, o, place);
	return true;
}

/* Before a translation the wire shows a pod's packet under nobody's address. */
static bool is_of_nobody(const struct correlate *c, const struct packet *p)
{
	return c->path_row[flow_root(c, p->flow)->track_row].row.direction ==
	       MODEL_DIRECTION_OTHER;
}

bool track_is_final(const struct correlate *c, const struct packet *p)
{
	return (p->flags & PACKET_TRACK) &&
	       (p->kind != KIND_TCP_DATA || p->s[0].role == MODEL_ROLE_VETH) &&
	       (p->direction != MODEL_DIRECTION_OTHER || is_of_nobody(c, p));
}

void track_expect(struct correlate *c, uint32_t i, const struct correlate_obs *o)
{
	struct last_push *last = &c->last;
	const struct packet *p;

	last->root = NULL;
	if (i == NONE || i != last->packet || !last->alone || c->cfg.verdicts || c->n_seen ||
	    o->segment)
		return;
	p = &c->packet[i];
	if (p->flow == last->flow && track_is_final(c, p))
		last->root = flow_root(c, p->flow);
}

/*
 * What the hop adds to the direction that the packet's addresses told at the first: a veth's
 * frames are its pod's whatever addresses they bear (observe.c).
 */
static inline void note_whose(struct packet *p, const struct hop_state *hop, unsigned way)
{
	if (hop->pod < 0)
		return;
	if (way == MODEL_WAY_IN)
		p->direction = MODEL_DIRECTION_EGRESS;
	else if (p->direction == MODEL_DIRECTION_OTHER)
		p->direction = MODEL_DIRECTION_INGRESS;
}

bool track_follow(struct correlate *c, const struct model_frame *before,
		  const struct model_frame *f, const struct model_parts *u,
		  struct correlate_obs *o)
{
	const uint16_t place = PLACE(f->hop, f->way, u->outer_ip);
	const struct hop_state *hop = &c->hop[f->hop];
	const uint32_t i = c->last.packet;
	struct packet *p = &c->packet[i];
	struct flow *root = c->last.root;

	if (f->way == MODEL_WAY_UNKNOWN || !is_next_step(c, p, root, place, f->time_ns) ||
	    !observe_as_deep(c, before, f, u, o->flags) ||
	    u->eth + u->end - MODEL_ETHERNET_LEN > hop->mtu)
		return false;
	if (c->cfg.on_packet || hop->role == c->content_role) {
		if (!correlate_observe_again(c, before, f, u, o))
			return false;
		if (c->cfg.on_packet)
			wire_note(c, p, o, false);
		if (hop->role == c->content_role)
			content_note(c, i, o, place);
	} else if (u->outer_ip) {
		observe_tunnel(f, u, o);
	}
	note_step(p, place, hop->role, p->size, f->time_ns);
	note_whose(p, hop, f->way);
	p->ttl_last = observe_ttl(f, u);
	attach_note_length(c, p, f->len - u->eth, hop->role);
	if (hop->role == MODEL_ROLE_UNDERLAY && u->outer_ip && p->tunnel == NO_TUNNEL)
		attach_count_outer(c, p, root, o, false);
	if (p->n_sightings == root->n_track)
		is_through(c, i, root, f->time_ns);
	return true;
}

bool track_note(struct correlate *c, uint32_t i, struct flow *f, const struct sighting *s,
		int64_t now_ns)
{
	struct packet *p = &c->packet[i];
	unsigned n = p->n_sightings;

	if (!f || !s || !s->whole || !has_track(c, f) || n > f->n_track ||
	    s->place != f->track[n - 1] || s != &p->s[n - 1] ||
	    (n > 1 && !(p->flags & PACKET_TRACK))) {
		p->flags &= (uint16_t)~PACKET_TRACK;
		return false;
	}
	p->flags |= PACKET_TRACK;
	if (n == f->n_track && !(p->flags & PACKET_DONE))
		is_through(c, i, f, now_ns);
	return true;
}

bool track_was_kept(const struct correlate *c, const struct packet *p, const struct flow *f)
{
	if ((p->flags & (PACKET_TRACK | PACKET_DONE)) != (PACKET_TRACK | PACKET_DONE) ||
	    p->n_sightings != f->n_track || f->tracks != c->tracks ||
	    /* A row of the report is of one direction; packets of a track need not be. */
	    c->path_row[f->track_row].row.direction != p->direction)
		return false;
	for (unsigned i = 0; i < f->n_track; i++)
		if (p->s[i].place != f->track[i])
			return false;
	return true;
}

/* The packet is on the wire, or in a pod. Below a bond, its NIC would still show it. */
static bool is_end(const struct correlate *c, const struct sighting *s)
{
	return PLACE_WAY(s->place) == MODEL_WAY_OUT &&
	       (s->role == MODEL_ROLE_VETH ||
		(s->role == MODEL_ROLE_UNDERLAY && c->n_underlays == 1));
}

void track_leave(const struct correlate *c, const struct packet *p, struct flow *f, uint16_t row)
{
	if (!(p->flags & PACKET_DONE) || p->n_sightings > SIGHTINGS_FEW)
		return;
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (!p->s[i].whole)
			return;
	for (unsigned i = 0; i < p->n_sightings; i++)
		f->track[i] = p->s[i].place;
	f->n_track = p->n_sightings;
	f->track_ends = is_end(c, &p->s[p->n_sightings - 1u]);
	f->track_row = row;
	f->tracks = c->tracks;
}
