/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.c - sorts frames into time order, matches them, holds them, hands them on.
 *
 * Theory of operation
 *
 * Frames arrive hop by hop, as rings or files are drained, and not in order even
 * within one hop (several CPUs stamp before one of them queues). They wait in a
 * queue a hop, kept sorted from its tail, and leave through a k-way merge once no
 * older frame can come: when the newest frame is sort_ns ahead, or when the source has
 * said so (pipeline_time). Equal stamps leave in hop order. A source that is in order
 * (sort_ns 0) is not made to wait.
 *
 * In time order they are dissected and matched, and wait once more: a frame is written only
 * one look-ahead later, when the packet it belongs to is known for good (segments that
 * are merged behind it, a translation seen at the next hop, a filter that only the
 * veth can answer). This second queue is a ring: what enters in order leaves in order.
 *
 *            per hop, sorted                      in time order
 *   veth   ──▶ [.....]──┐
 *   cni0   ──▶ [...]────┤ merge ─▶ dissect, match ─▶ [ held ......... ] ─▶ mark ─▶ on_frame
 *   vtep   ──▶ [......]─┤
 *   eth0   ──▶ [....]───┘
 *
 * A frame that waits is copied once, into the arena (arena.c), and stays there
 * through both queues, which hold its place only. When the arena is full the oldest
 * frames leave before their time; nothing is thrown away for want of memory. Where
 * nobody will want the bytes again, what is smaller waits: they, or the observation made of them.
 */
#include "pipeline_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/dissect.h"

#define QUEUE_MAX 65536u	/* frames of one hop being sorted; 1 MiB at most */
#define QUEUE_FIRST 2048u	/* a ring no larger than what waits stays in the cache */
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define HELD_MAX 131072u	/* frames being held; 1 MiB */
#else
#define HELD_MAX 256u		/* made hundreds of times a second, and seen full */
#endif
/*
 * Of the byte budget, what frames that were matched may take. Sorting needs the rest when a hop
 * lags behind; these only wait for what comes later by microseconds as a rule, and cost twice
 * when they have left the cache before they leave.
 */
#define HELD_SHARE 16u
#define LOOK_FRAMES 16u
#define FETCH_SLOT 16u		/* frames ahead: some 500 ns of work */
#define FETCH_PACKET 8u
#define FETCH_SORTED 4u		/* of one hop; the others come in between */
#define FETCH_BYTES 192u	/* headers of a frame, those in front of it included */
#define CACHE_LINE 64u
#define SOURCE_DELAY_NS 40000000LL	/* capture_watermark_ns() trails an idle ring by this */

/* A frame that is being sorted; its key stands here, so that sorting touches no frame. */
struct sorted {
	int64_t time_ns;
	uint32_t slot;
	uint8_t order;
};

struct hop_queue {
	struct sorted *ring;	/* NULL: the hop has shown nothing yet */
	uint32_t size, mask;	/* a power of two, and one less; 0: none */
	uint32_t head, n;
};

/* A frame that waits for its mark. */
struct held {
	uint32_t slot;
	correlate_ref ref;
};

/* A usual frame that was read, while its bytes are there: the next often shows its packet again. */
struct usual {
	struct model_frame frame;
	struct model_parts parts;
	struct correlate_obs obs;
};

struct pipeline {
	struct pipeline_config cfg;
	struct correlate *correlate;
	struct dissect_config dissect_outer, dissect_plain;
	struct arena arena;
	bool wants_bytes;	/* of all frames that are sorted; else of the small ones */
	uint8_t *scratch;	/* for filter_ask() */
	struct usual before;
	bool has_before;
	struct correlate_obs early;	/* of a frame that waits with its bytes: only looked at */

	struct hop_queue queue[MODEL_HOPS_MAX];
	/* Of each queue's oldest frame, apart, because the merge looks at nothing else. */
	int64_t head_ns[MODEL_HOPS_MAX];	/* INT64_MAX: the queue is empty */
	uint8_t head_order[MODEL_HOPS_MAX];
	uint32_t n_sorted;	/* in all queues */
	struct held *held;
	uint32_t held_head, n_held;
	int64_t held_first_ns, held_last_ns;	/* stamps of the ends; of an empty queue nothing */
	int64_t hold_ns;
	size_t held_bytes, held_bytes_max;

	int64_t newest_ns;	/* of all frames taken since order began anew */
	int64_t pushed_ns;	/* of the last one matched */
	uint8_t pushed_order;	/* sort_ns 0: of the same */
	bool disordered;
	int64_t told_ns;	/* how far the source says that time has come */
	int64_t marked_ns;	/* of the last one that left */
	int64_t first_ns, last_ns;
	struct steps steps;
	uint64_t frames, kept, late;
	bool ends;			/* something is asked for that may be reached */
	bool stopped;			/* no further frame is matched ... */
	bool gave_up;			/* ... though some was wanted: they are counted */
	uint64_t untaken[MODEL_HOPS_MAX];
};

static int64_t hold_ns(const struct pipeline_config *cfg)
{
	/* A source that tells needs some of the look-ahead to be sure. */
	int64_t hold = cfg->lookahead_ns -
		       (cfg->sort_ns == PIPELINE_TOLD ? SOURCE_DELAY_NS : cfg->sort_ns);

	return hold < 0 ? 0 : hold;
}

/* Sorting a file takes longer than sorting rings; closing is the same for both. */
static struct correlate *correlator_new(const struct pipeline_config *config,
					int64_t lookahead_ns, struct err *err)
{
	const struct correlate_config cc = {
		.net = config->net,
		.window_ns = config->window_ns,
		.lookahead_ns = lookahead_ns < CORRELATE_LOOKAHEAD_NS ? lookahead_ns
								      : CORRELATE_LOOKAHEAD_NS,
		.nat = config->nat,
		.observations = config->observations,
		.keep_other = config->keep_other,
		.ids_only = config->ids_only,
		.packets_max = config->packets_max,
		.flows_max = config->flows_max,
		.hash_seed = config->hash_seed,
		.contents = config->contents,
		.depth_max = config->depth_max,
		.max_packets = config->max_packets,
		.verdicts = config->filter || config->direction,
		.filter = config->filter != NULL,
		.on_packet = config->on_packet,
		.tell_refused = config->tell_refused,
		.on_packet_arg = config->arg,
	};

	return correlate_new(&cc, err);
}

struct pipeline *pipeline_new(const struct pipeline_config *config, struct err *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	if (!p)
		goto fail;
	p->cfg = *config;
	if (!p->cfg.lookahead_ns)
		p->cfg.lookahead_ns = CORRELATE_LOOKAHEAD_NS;
	if (!p->cfg.bytes_max)
		p->cfg.bytes_max = PIPELINE_BYTES_DEFAULT;
	p->hold_ns = hold_ns(&p->cfg);
	p->wants_bytes = config->keep_bytes || config->filter;
	p->ends = config->max_frames || config->has_room;
	p->newest_ns = p->pushed_ns = p->marked_ns = p->told_ns = MODEL_TIME_MIN_NS;
	p->held_bytes_max = p->cfg.bytes_max / HELD_SHARE;
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		p->head_ns[i] = INT64_MAX;
	steps_init(&p->steps, p->cfg.lookahead_ns, p->cfg.sort_ns == PIPELINE_TOLD);
	pipeline_dissect_ports(&p->dissect_outer, config->net);
	p->correlate = correlator_new(config, p->cfg.lookahead_ns, err);
	if (!p->correlate) {
		pipeline_free(p);
		return NULL;
	}
	p->held = calloc(HELD_MAX, sizeof(*p->held));
	p->scratch = config->filter ? malloc(filter_scratch_size()) : NULL;
	if (!p->held || (config->filter && !p->scratch) ||
	    arena_init(&p->arena, p->cfg.bytes_max) < 0)
		goto fail;
	return p;
fail:
	pipeline_free(p);
	err_sys(err, ENOMEM, "pipeline");
	return NULL;
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	correlate_free(p->correlate);
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		free(p->queue[i].ring);
	arena_done(&p->arena);
	free(p->held);
	free(p->scratch);
	free(p);
}

struct correlate *pipeline_correlator(struct pipeline *p)
{
	return p->correlate;
}

/* --------------------------------------------------------------- second half */

/* A frame stamped t is kept. */
static inline void keep(struct pipeline *p, int64_t t)
{
	if (!p->kept++)
		p->first_ns = p->last_ns = t;
	else if (t > p->last_ns)
		p->last_ns = t;
	else if (t < p->first_ns)
		p->first_ns = t;
	if (p->cfg.max_frames && p->kept >= p->cfg.max_frames)
		p->stopped = true;
}

/* Long out of the cache by now: fetch what the next few need while this one is written. */
static void fetch_held(const struct pipeline *p)
{
	if (p->n_held <= FETCH_SLOT)
		return;
	const struct held *far = &p->held[(p->held_head + FETCH_SLOT) & (HELD_MAX - 1)];
	const char *at = (const char *)arena_slot(&p->arena, far->slot);

	for (unsigned i = 0; i <= FETCH_BYTES; i += CACHE_LINE)
		__builtin_prefetch(at + i);
	correlate_prefetch(p->correlate,
			   p->held[(p->held_head + FETCH_PACKET) & (HELD_MAX - 1)].ref);
}

/* A frame that has its mark is handed on. */
static inline int hand_on(struct pipeline *p, const struct model_frame *f,
			  const struct correlate_mark *mark)
{
	if (f->time_ns > p->marked_ns)
		p->marked_ns = f->time_ns;
	if (!mark->keep || !p->cfg.keep_bytes || !p->cfg.on_frame)
		return 0;
	return p->cfg.on_frame(p->cfg.arg, f, mark);
}

/* A frame gets its mark, and is handed on. f: its bytes, with the way that was found. */
static inline int leave(struct pipeline *p, const struct correlate_tag *tag,
			const struct model_frame *f, correlate_ref ref)
{
	struct correlate_mark mark;

	correlate_mark(p->correlate, ref, tag, &mark);
	if (mark.keep)
		keep(p, tag->time_ns);
	return hand_on(p, f, &mark);
}

static inline struct correlate_tag tag_of(const struct slot *s)
{
	return (struct correlate_tag){ .time_ns = s->frame.time_ns, .len = s->frame.len,
				       .hop = s->frame.hop, .flags = s->flags,
				       .way = s->frame.way, .kind = s->kind,
				       .direction = s->direction };
}

/* The frame was matched. Which way it went may be known only now. */
static inline void note_matched(struct slot *s, const struct correlate_obs *o)
{
	s->frame.way = o->way;
	s->flags = o->flags;
	s->kind = o->kind;
	s->direction = o->direction;
}

/* A frame that was matched, with its place. */
static inline int leave_slot(struct pipeline *p, uint32_t at, correlate_ref ref)
{
	const struct slot *s = arena_slot(&p->arena, at);
	const struct correlate_tag tag = tag_of(s);
	int rc = leave(p, &tag, &s->frame, ref);

	arena_free(&p->arena, at);
	return rc;
}

/* The oldest held frame leaves. */
static int release_oldest(struct pipeline *p)
{
	const struct held h = p->held[p->held_head];

	fetch_held(p);
	p->held_head = (p->held_head + 1) & (HELD_MAX - 1);
	p->n_held--;
	p->held_bytes -= arena_slot(&p->arena, h.slot)->frame.caplen;
	if (p->n_held)
		p->held_first_ns =
			arena_slot(&p->arena, p->held[p->held_head].slot)->frame.time_ns;
	return leave_slot(p, h.slot, h.ref);
}

/* Frames whose look-ahead has passed leave, and those that need not wait any longer. */
static int release_due(struct pipeline *p, int64_t now_ns)
{
	while (p->n_held &&
	       (now_ns - p->held_first_ns >= p->hold_ns ||
		correlate_is_final(p->correlate, p->held[p->held_head].ref))) {
		int rc = release_oldest(p);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * In order, but for a frame whose hop lagged behind further than the queues could
 * wait: it goes where it belongs as long as nothing newer has left.
 */
static void hold(struct pipeline *p, uint32_t slot, correlate_ref ref)
{
	int64_t time_ns = arena_slot(&p->arena, slot)->frame.time_ns;
	uint32_t at = p->n_held++;

	p->held_bytes += arena_slot(&p->arena, slot)->frame.caplen;
	if (at && time_ns < p->held_last_ns) {
		while (at) {
			const struct held *before =
				&p->held[(p->held_head + at - 1) & (HELD_MAX - 1)];
			if (arena_slot(&p->arena, before->slot)->frame.time_ns <= time_ns)
				break;
			p->held[(p->held_head + at) & (HELD_MAX - 1)] = *before;
			at--;
		}
	} else {
		p->held_last_ns = time_ns;
	}
	if (!at)
		p->held_first_ns = time_ns;
	p->held[(p->held_head + at) & (HELD_MAX - 1)] = (struct held){ .slot = slot, .ref = ref };
}

/* ----------------------------------------------------------------- matching */

/* Only the underlay carries the node's VXLAN; elsewhere it would be the pod's own. */
static inline const struct dissect_config *dissect_at(const struct pipeline *p,
						      const struct model_hop *hop)
{
	return hop->role == MODEL_ROLE_UNDERLAY || hop->role == MODEL_ROLE_NONE
		       ? &p->dissect_outer : &p->dissect_plain;
}

/* The way of nearly all frames; false: it needs its view. */
static inline bool observe_usual(struct pipeline *p, const struct model_frame *f,
				 struct model_parts *parts, struct correlate_obs *obs)
{
	const struct model_hop *hop = &p->cfg.net->hops[f->hop];

	return !p->cfg.filter && hop->linktype == MODEL_LINKTYPE_ETHERNET &&
	       dissect_usual(dissect_at(p, hop), f, parts) &&
	       correlate_observe_usual(p->correlate, f, parts, obs);
}

static void observe_view(struct pipeline *p, const struct model_frame *f, struct model_view *view,
			 struct correlate_obs *obs)
{
	const struct model_hop *hop = &p->cfg.net->hops[f->hop];

	dissect_frame(dissect_at(p, hop), hop->linktype, f, view);
	correlate_observe(p->correlate, f, view, obs);
}

/* The next frame in time order shows the packet of the one before it once more. */
static inline bool shows_again(struct pipeline *p, const struct model_frame *f)
{
	struct usual *u = &p->before;

	if (!p->has_before || f->hop == u->frame.hop)
		return false;

	const struct model_hop *hop = &p->cfg.net->hops[f->hop];

	return hop->linktype == MODEL_LINKTYPE_ETHERNET &&
	       dissect_usual_again(dissect_at(p, hop), &u->frame, f, &u->parts);
}

/* What shows_again() does, and is not followed: observed. */
static __attribute__((noinline)) bool observe_again(struct pipeline *p,
						    const struct model_frame *f)
{
	struct usual *u = &p->before;

	if (!correlate_observe_again(p->correlate, &u->frame, f, &u->parts, &u->obs))
		return false;
	u->frame = *f;
	return true;
}

/* The next frame in time order; where it needed its view, *ret_view names it. */
static inline struct correlate_obs *observe_next(struct pipeline *p, const struct model_frame *f,
						 struct model_view *view,
						 const struct model_view **ret_view)
{
	struct usual *u = &p->before;

	*ret_view = NULL;
	p->has_before = observe_usual(p, f, &u->parts, &u->obs);
	if (p->has_before) {
		u->frame = *f;
	} else {
		observe_view(p, f, view, &u->obs);
		*ret_view = view;
	}
	return &u->obs;
}

/* A frame without IP is no packet that could be asked about later: FILTER decides at once. */
static bool rejects(const struct pipeline *p, const struct model_frame *f,
		    const struct model_view *view, const struct correlate_obs *obs)
{
	uint32_t at = view->encap ? view->encap_len : 0;

	return !obs->l3_len && at <= f->caplen &&
	       capture_filter_match(p->cfg.filter, f->data + at, f->caplen - at, f->len - at) == 0;
}

/* A verdict on the packet that was asked for. view: NULL when the frame's bytes are not there. */
static enum correlate_verdict verdict(struct pipeline *p, const struct correlate_obs *obs,
				      const struct model_frame *f, const struct model_view *view,
				      correlate_ref ref)
{
	if (p->cfg.direction && obs->direction != p->cfg.direction)
		return CORRELATE_DROP;
	if (!p->cfg.filter)
		return CORRELATE_KEEP;
	return view ? filter_ask(&p->cfg, p->correlate, f, view, obs, ref, p->scratch)
		    : CORRELATE_UNSURE;
}

/* The next frame in time order is matched. Returns its packet. */
static inline correlate_ref match(struct pipeline *p, struct correlate_obs *obs,
				  const struct model_frame *f, const struct model_view *view)
{
	correlate_ref ref;
	bool asks;

	if (p->cfg.filter && view && rejects(p, f, view, obs))
		return CORRELATE_REF_FOREIGN;
	ref = correlate_push(p->correlate, obs, &asks);
	if (asks)
		correlate_set_verdict(p->correlate, ref, verdict(p, obs, f, view, ref));
	return ref;
}

/* Can all that waits be kept, and a frame of that time besides? */
static inline bool has_room(const struct pipeline *p, int64_t time_ns)
{
	return (!p->cfg.max_frames || p->kept + p->n_held < p->cfg.max_frames) &&
	       (!p->cfg.has_room ||
		p->cfg.has_room(p->cfg.arg, time_ns, p->n_held, p->held_bytes));
}

/*
 * The frame behind the last one that is kept is not matched: the report speaks of what was kept.
 * Which of those that wait will be is known when they leave, so near the end they do so
 * before their time. Afterwards either there is room for a frame of that time, or all is over.
 */
static int make_room(struct pipeline *p, int64_t time_ns)
{
	int rc = 0;

	while (rc >= 0 && !p->stopped && !has_room(p, time_ns)) {
		if (p->n_held)
			rc = release_oldest(p);
		else
			p->stopped = true;
	}
	return rc;
}

static int prepare_held(struct pipeline *p, int64_t time_ns)
{
	int rc = 0;

	if (p->n_held == HELD_MAX)
		rc = release_oldest(p);
	while (rc >= 0 && p->n_held && p->held_bytes > p->held_bytes_max)
		rc = release_oldest(p);
	/* Marks come before closes: time must not pass a packet whose frames still wait. */
	if (rc >= 0)
		rc = release_due(p, time_ns);
	/* A full table shrinks the look-ahead: what waits for its mark leaves. */
	while (rc >= 0 && !correlate_make_room(p->correlate) && p->n_held)
		rc = release_oldest(p);
	return rc;
}

/* Before a frame of that time is matched, unless all is over: room is made, what is due leaves. */
static inline int prepare(struct pipeline *p, int64_t time_ns)
{
	if (p->ends) {
		int rc = make_room(p, time_ns);
		if (rc < 0)
			return rc;
	}
	if (p->n_held)
		return prepare_held(p, time_ns);
	(void)correlate_make_room(p->correlate);
	return 0;
}

/* A frame that nobody sees leaves. What is late does not depend on who looks. */
static inline void pass(struct pipeline *p, int64_t time_ns)
{
	if (time_ns - p->hold_ns > p->marked_ns)
		p->marked_ns = time_ns - p->hold_ns;
}

/* Nobody looks at marks: the frame is counted and done with. */
static inline void count(struct pipeline *p, correlate_ref ref, const struct correlate_obs *obs)
{
	correlate_count(p->correlate, ref, obs->hop, obs->len);
	keep(p, obs->time_ns);
	pass(p, obs->time_ns);
}

/* ------------------------------------------------------------------ sorting */

/* The hop whose oldest frame is the next in time order. */
static inline uint32_t oldest_hop(const struct pipeline *p)
{
	const uint32_t n = p->cfg.net->n_hops;
	int64_t best_ns = p->head_ns[0];
	uint32_t best = 0;

	for (uint32_t i = 1; i < n; i++) {
		const int64_t ns = p->head_ns[i];

		if (ns > best_ns || (ns == best_ns && p->head_order[i] >= p->head_order[best]))
			continue;
		best_ns = ns;
		best = i;
	}
	return best;
}

/* A queue that is full doubles, as far as QUEUE_MAX. */
static int queue_grow(struct hop_queue *q)
{
	const uint32_t larger = q->size ? q->size * 2 : QUEUE_FIRST;
	struct sorted *ring;

	if (q->size == QUEUE_MAX)
		return 0;
	ring = malloc(larger * sizeof(*ring));
	if (!ring)
		return -ENOMEM;
	for (uint32_t i = 0; i < q->n; i++)
		ring[i] = q->ring[(q->head + i) & q->mask];
	free(q->ring);
	q->ring = ring;
	q->head = 0;
	q->size = larger;
	q->mask = larger - 1;
	return 0;
}

/*
 * Puts a frame into its hop's queue; nearly in order, so from the tail. Of equal stamps, the way
 * that a packet goes first stands first: else another hop's frame could overtake it here.
 */
static inline void queue_put(struct pipeline *p, unsigned hop, int64_t time_ns, uint8_t order,
			     uint32_t slot)
{
	struct hop_queue *q = &p->queue[hop];
	uint32_t at = q->n++;

	while (at) {
		const struct sorted *before = &q->ring[(q->head + at - 1) & q->mask];
		if (before->time_ns < time_ns ||
		    (before->time_ns == time_ns && before->order <= order))
			break;
		q->ring[(q->head + at) & q->mask] = *before;
		at--;
	}
	q->ring[(q->head + at) & q->mask] =
		(struct sorted){ .time_ns = time_ns, .slot = slot, .order = order };
	if (!at) {
		p->head_ns[hop] = time_ns;
		p->head_order[hop] = order;
	}
	p->n_sorted++;
}

/* Takes the oldest frame of a hop out of its queue. */
static inline uint32_t queue_take(struct pipeline *p, unsigned hop)
{
	struct hop_queue *q = &p->queue[hop];
	uint32_t slot = q->ring[q->head].slot;
	const struct sorted *next;

	q->head = (q->head + 1) & q->mask;
	q->n--;
	next = &q->ring[q->head];
	p->head_ns[hop] = q->n ? next->time_ns : INT64_MAX;
	p->head_order[hop] = q->n ? next->order : 0;
	p->n_sorted--;
	return slot;
}

static void fetch_sorted(const struct pipeline *p, const struct hop_queue *q)
{
	if (q->n <= FETCH_SORTED)
		return;
	const char *at = (const char *)arena_slot(
		&p->arena, q->ring[(q->head + FETCH_SORTED) & q->mask].slot);

	for (unsigned i = 0; i <= FETCH_BYTES; i += CACHE_LINE)
		__builtin_prefetch(at + i);
}

/* Who nobody sees is counted; what cannot change any more leaves; the rest is held. */
static int matched(struct pipeline *p, uint32_t at, const struct correlate_obs *o,
		   correlate_ref ref)
{
	note_matched(arena_slot(&p->arena, at), o);
	if (p->n_held || !correlate_is_final(p->correlate, ref)) {
		hold(p, at, ref);
		return 0;
	}
	return leave_slot(p, at, ref);
}

static inline void note_pushed(struct pipeline *p, int64_t time_ns)
{
	if (time_ns > p->pushed_ns)
		p->pushed_ns = time_ns;
}

/* It shows the packet of the one before it once more, where that packet goes as a rule. */
static inline bool follow(struct pipeline *p, const struct model_frame *f,
			  struct correlate_mark *mark)
{
	struct usual *u = &p->before;

	if (!correlate_follow(p->correlate, &u->frame, f, &u->parts, &u->obs,
			      p->cfg.unseen ? NULL : mark))
		return false;
	u->frame = *f;
	return true;
}

/* A frame that went where its flow's track leads: what is said of it is known at once. */
static inline int followed(struct pipeline *p, const struct model_frame *f,
			   const struct correlate_mark *mark)
{
	note_pushed(p, f->time_ns);
	keep(p, f->time_ns);
	if (!p->cfg.unseen)
		return hand_on(p, f, mark);
	pass(p, f->time_ns);
	return 0;
}

/* A frame whose turn has come, and that is not followed. again: before.obs is its observation. */
static __attribute__((noinline)) int take_slot(struct pipeline *p, uint32_t at, bool again)
{
	struct slot *s = arena_slot(&p->arena, at);
	const struct model_frame *f = &s->frame;
	const struct model_view *v = NULL;
	struct correlate_obs *o = &p->before.obs;
	struct model_view view;
	correlate_ref ref;

	if (s->has_obs) {
		o = (struct correlate_obs *)(void *)s->data;
		p->has_before = false; /* the next frame follows this one, not the one before */
		ref = match(p, o, NULL, NULL);
	} else {
		if (!again)
			o = observe_next(p, f, &view, &v);
		ref = match(p, o, f, v);
	}
	note_pushed(p, o->time_ns);
	if (!p->cfg.unseen)
		return matched(p, at, o, ref);
	count(p, ref, o);
	arena_free(&p->arena, at);
	return 0;
}

/* The clock was set forward between the frame matched last and time_ns: see steps.c. */
static __attribute__((noinline)) int cross_step(struct pipeline *p, int64_t time_ns)
{
	int rc = 0;

	while (p->n_held && rc >= 0)
		rc = release_oldest(p);
	p->has_before = false;
	correlate_restart(p->correlate, time_ns);
	return rc;
}

static inline int cross(struct pipeline *p, int64_t time_ns)
{
	if (p->steps.set_by_ns && steps_crosses(&p->steps, p->pushed_ns, time_ns))
		return cross_step(p, time_ns);
	return 0;
}

static void turn_away(struct pipeline *p, uint32_t hop)
{
	p->untaken[hop] += p->gave_up;
}

/* The oldest frame of a hop is matched. */
static int take_from(struct pipeline *p, uint32_t hop)
{
	const struct hop_queue *q = &p->queue[hop];
	const uint32_t at = q->ring[q->head].slot;
	const struct slot *s = arena_slot(&p->arena, at);
	struct correlate_mark mark;
	bool again = false;

	fetch_sorted(p, q);
	int rc = cross(p, s->frame.time_ns);
	if (rc >= 0)
		rc = prepare(p, s->frame.time_ns);
	if (rc < 0)
		return rc;
	queue_take(p, hop);
	if (p->stopped) {
		turn_away(p, hop);
		arena_free(&p->arena, at);
		return 0;
	}
	if (!s->has_obs && shows_again(p, &s->frame)) {
		if (!p->n_held && follow(p, &s->frame, &mark)) {
			rc = followed(p, &s->frame, &mark);
			arena_free(&p->arena, at);
			return rc;
		}
		again = observe_again(p, &s->frame);
	}
	return take_slot(p, at, again);
}

static int advance(struct pipeline *p, int64_t sorted_ns, int64_t now_ns)
{
	while (p->n_sorted) {
		uint32_t hop = oldest_hop(p);
		if (p->head_ns[hop] > sorted_ns)
			break;
		int rc = take_from(p, hop);
		if (rc < 0)
			return rc;
	}
	return release_due(p, now_ns);
}

static int flush(struct pipeline *p)
{
	int rc = 0;

	while (p->n_sorted && rc >= 0)
		rc = take_from(p, oldest_hop(p));
	while (p->n_held && rc >= 0)
		rc = release_oldest(p);
	return rc;
}

/* A place of `size` data bytes; when there is none, the oldest frames leave before their time. */
static int slot_wait(struct pipeline *p, uint32_t size, uint32_t *ret_slot)
{
	int rc;

	while ((rc = arena_alloc(&p->arena, size, ret_slot)) == 0) {
		rc = p->n_held ? release_oldest(p)
			       : p->n_sorted ? take_from(p, oldest_hop(p)) : -ENOMEM;
		if (rc < 0)
			break;
	}
	return rc < 0 ? rc : 0;
}

static inline int slot_new(struct pipeline *p, uint32_t size, uint32_t *ret_slot)
{
	return arena_alloc_here(&p->arena, size, ret_slot) ? 0 : slot_wait(p, size, ret_slot);
}

static inline void slot_fill(struct slot *s, const struct model_frame *f, uint32_t caplen)
{
	s->frame.time_ns = f->time_ns;
	s->frame.data = s->data;
	s->frame.caplen = caplen;
	s->frame.len = model_word(f->len);
	s->frame.hop = f->hop;
	s->frame.way = f->way;
	s->frame.drops = f->drops;
	s->frame.number = f->number;
	s->has_obs = false;
}

/* Room in a queue that has none: it grows, or its oldest frames leave before their time. */
static __attribute__((noinline)) int queue_room(struct pipeline *p, struct hop_queue *q)
{
	int rc = queue_grow(q);

	while (rc >= 0 && q->n == QUEUE_MAX)
		rc = take_from(p, oldest_hop(p));
	return rc;
}

/*
 * A frame is observed before its turn: to wait as its observation, or because its addresses do
 * not tell which way it went. Returns its place among frames of its time.
 */
static __attribute__((noinline)) uint8_t observe_early(struct pipeline *p,
						       const struct model_frame *f,
						       struct slot *s)
{
	struct correlate_obs *o = s->has_obs ? (struct correlate_obs *)(void *)s->data : &p->early;
	struct model_frame known = *f;
	struct model_parts parts;
	struct model_view view;

	known.way = s->frame.way;
	if (!observe_usual(p, &known, &parts, o))
		observe_view(p, &known, &view, o);
	return correlate_order(p->correlate, f->hop, o->way,
			       o->way == MODEL_WAY_UNKNOWN ? o->direction
							   : MODEL_DIRECTION_OTHER);
}

/* Waits until it is its turn. */
static inline int enqueue(struct pipeline *p, const struct model_frame *f)
{
	struct hop_queue *q = &p->queue[f->hop];
	const bool bytes = p->wants_bytes || f->caplen <= sizeof(struct correlate_obs);
	const uint32_t size = bytes ? f->caplen : (uint32_t)sizeof(struct correlate_obs);
	struct slot *s;
	uint8_t order;
	uint32_t at;
	int rc = 0;

	if (q->n == q->size)
		rc = queue_room(p, q);
	if (rc >= 0)
		rc = slot_new(p, size, &at);
	if (rc < 0)
		return rc;
	/* Its bytes may be overwritten now; making room may have read frames, so not earlier. */
	p->has_before = false;

	s = arena_slot(&p->arena, at);
	slot_fill(s, f, f->caplen);
	s->frame.way = (uint8_t)correlate_way(p->correlate, f);
	s->has_obs = !bytes;
	if (bytes)
		memcpy(s->data, f->data, f->caplen);
	if (!bytes || s->frame.way == MODEL_WAY_UNKNOWN)
		order = observe_early(p, f, s);
	else
		order = correlate_order(p->correlate, f->hop, s->frame.way,
					MODEL_DIRECTION_OTHER);
	queue_put(p, f->hop, f->time_ns, order, at);
	return 0;
}

static inline void note_order(struct pipeline *p, const struct correlate_obs *obs)
{
	uint8_t order = correlate_order(p->correlate, obs->hop, obs->way, obs->direction);

	if (obs->time_ns < p->pushed_ns ||
	    (obs->time_ns == p->pushed_ns && order < p->pushed_order))
		p->disordered = true;
	else
		p->pushed_ns = obs->time_ns;
	p->pushed_order = order;
}

/* It is its turn already. */
static int take_now(struct pipeline *p, const struct model_frame *f)
{
	struct correlate_obs *o;
	const struct model_view *v;
	struct model_view view;
	correlate_ref ref;
	uint32_t at;
	int rc = prepare(p, f->time_ns);

	if (p->stopped)
		turn_away(p, f->hop);
	if (rc < 0 || p->stopped)
		return rc;
	p->has_before = false; /* its bytes are no longer there */
	o = observe_next(p, f, &view, &v);
	note_order(p, o);
	ref = match(p, o, f, v);
	if (p->cfg.unseen) {
		count(p, ref, o);
		return 0;
	}
	if (!p->n_held && correlate_is_final(p->correlate, ref)) {
		const struct correlate_tag tag = correlate_tag_of(o);
		struct model_frame known = *f;

		known.way = tag.way;
		return leave(p, &tag, &known, ref);
	}
	rc = slot_new(p, p->cfg.keep_bytes ? f->caplen : 0, &at);
	if (rc < 0) {
		correlate_discard(p->correlate, ref);
		return rc;
	}
	struct slot *s = arena_slot(&p->arena, at);

	slot_fill(s, f, p->cfg.keep_bytes ? f->caplen : 0);
	if (p->cfg.keep_bytes)
		memcpy(s->data, f->data, f->caplen);
	note_matched(s, o);
	hold(p, at, ref);
	return 0;
}

/* The clock was stepped: what came before is over, order starts anew. */
static int restart(struct pipeline *p, int64_t time_ns)
{
	int rc;

	if (p->steps.lag)
		correlate_hops_lag(p->correlate);
	rc = flush(p);
	p->has_before = false;
	correlate_restart(p->correlate, time_ns);
	p->newest_ns = p->pushed_ns = p->marked_ns = p->told_ns = time_ns;
	return rc;
}

/* Stamps beyond the range are that: live, the clock may show anything. */
static int frame_clamped(struct pipeline *p, const struct model_frame *f)
{
	struct model_frame clamped = *f;

	p->frames--; /* it is counted once */
	clamped.time_ns = f->time_ns > 0 ? MODEL_TIME_MAX_NS : MODEL_TIME_MIN_NS;
	return pipeline_frame(p, &clamped);
}

int pipeline_frame(struct pipeline *p, const struct model_frame *f)
{
	int rc = 0;

	p->frames++;
	if (p->stopped) {
		turn_away(p, f->hop);
		return 0;
	}
	if ((uint64_t)f->time_ns - (uint64_t)MODEL_TIME_MIN_NS >
	    (uint64_t)MODEL_TIME_MAX_NS - (uint64_t)MODEL_TIME_MIN_NS)
		return frame_clamped(p, f);
	if (steps_note(&p->steps, f->hop, f->time_ns, p->newest_ns))
		rc = restart(p, f->time_ns);
	else if (f->time_ns > p->newest_ns)
		p->newest_ns = f->time_ns;
	if (rc < 0)
		return rc;
	if (f->time_ns < p->marked_ns)
		p->late++;
	if (!p->cfg.sort_ns)
		return take_now(p, f);
	if (f->time_ns < p->pushed_ns)
		p->disordered = true;
	rc = enqueue(p, f);
	/*
	 * A source that tells does so between its frames; the queues are looked at then. Else now
	 * and then: it costs as much as a frame does.
	 */
	return rc < 0 || p->cfg.sort_ns == PIPELINE_TOLD || p->frames % LOOK_FRAMES
		       ? rc : advance(p, p->newest_ns - p->cfg.sort_ns, p->pushed_ns);
}

int pipeline_time(struct pipeline *p, int64_t time_ns)
{
	int rc = advance(p, time_ns, time_ns);

	if (rc >= 0 && !p->n_sorted)
		rc = cross(p, time_ns);
	if (time_ns > p->told_ns)
		p->told_ns = time_ns;
	if (rc < 0)
		return rc;
	if (!p->n_sorted && time_ns > p->pushed_ns && !p->stopped)
		correlate_advance(p->correlate, time_ns);
	return 0;
}

void pipeline_clock_set(struct pipeline *p, const struct capture_clock_set *set)
{
	steps_set_forward(&p->steps, set);
}

int pipeline_finish(struct pipeline *p)
{
	int rc = flush(p);

	if (p->stopped && p->kept)
		correlate_end(p->correlate, p->last_ns);
	correlate_finish(p->correlate);
	return rc;
}

int pipeline_counters(const struct pipeline *p, struct result *r, struct err *err)
{
	return correlate_counters(p->correlate, r, err);
}

static void tell_order(const struct pipeline *p, struct result *r)
{
	r->capture.late = p->late;
	r->capture.clock_steps = p->steps.counted;
}

int pipeline_summary(const struct pipeline *p, struct result *r, struct err *err)
{
	int rc = correlate_summary(p->correlate, r, err);

	if (!rc)
		tell_order(p, r);
	return rc;
}

int pipeline_result(const struct pipeline *p, struct result *r, struct err *err)
{
	int rc = correlate_result(p->correlate, r, err);

	if (rc < 0)
		return rc;
	tell_order(p, r);
	return 0;
}

void pipeline_stop(struct pipeline *p)
{
	p->stopped = true;
}

void pipeline_give_up(struct pipeline *p)
{
	p->gave_up |= !p->stopped;
	p->stopped = true;
}

uint64_t pipeline_untaken(const struct pipeline *p, unsigned hop)
{
	return p->untaken[hop];
}

bool pipeline_is_stopped(const struct pipeline *p)
{
	return p->stopped;
}

bool pipeline_is_disordered(const struct pipeline *p)
{
	return p->disordered;
}

uint64_t pipeline_frames(const struct pipeline *p)
{
	return p->frames;
}

uint64_t pipeline_kept(const struct pipeline *p)
{
	return p->kept;
}

int64_t pipeline_frontier_ns(const struct pipeline *p)
{
	int64_t open = correlate_oldest_ns(p->correlate), now = p->pushed_ns;

	if (!p->n_sorted && p->told_ns > now)
		now = p->told_ns;
	return open < now ? open : now;
}

uint64_t pipeline_clock_steps(const struct pipeline *p)
{
	return p->steps.counted;
}

int64_t pipeline_first_ns(const struct pipeline *p)
{
	return p->first_ns;
}

int64_t pipeline_last_ns(const struct pipeline *p)
{
	return p->last_ns;
}

bool pipeline_is_full(const struct pipeline *p)
{
	return p->cfg.max_packets && correlate_is_full(p->correlate);
}
