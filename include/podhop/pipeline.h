/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pipeline.h - from frames to packets: sort, dissect, correlate, hold, hand on.
 *
 * Owns: the correlator, the frames' bytes while they are held (a bounded arena),
 * the order of everything that leaves.
 * Never: opens devices or files, formats anything.
 *
 *   frame ─▶ dissect ─▶ sort (a short while) ─▶ match ─▶ hold (the look-ahead) ─▶ on_frame
 *                                                  └──────▶ close ─▶ on_packet
 *
 * Sorting and holding together last one look-ahead; less when the byte budget is full.
 */
#ifndef PODHOP_PIPELINE_H
#define PODHOP_PIPELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/capture.h"
#include "podhop/correlate.h"
#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"

/* of held frames: 70 ms of 1.2 million a second at snap length 128 */
#define PIPELINE_BYTES_DEFAULT (16u << 20)

#define PIPELINE_TOLD (INT64_MAX / 4)

struct pipeline_config {
	struct model_net *net;		/* borrowed; roles may be learned before the first frame */
	int64_t window_ns, lookahead_ns;	/* 0: defaults */
	/*
	 * How much out of order frames may arrive; part of the look-ahead. 0: not at all, see
	 * pipeline_is_disordered(). PIPELINE_TOLD: not
	 * guessed from the frames, the source tells by pipeline_time() up to when it is complete.
	 */
	int64_t sort_ns;
	bool nat;
	bool observations;		/* packets list their observations */
	bool keep_other;
	bool ids_only;			/* of marks, nothing but the id is looked at */
	bool unseen;			/* nobody sees marks or ids: none is waited for */
	/* keep the frames' bytes; without them on_frame is not called */
	bool keep_bytes;
	bool contents;			/* packets tell what they carried */
	uint64_t hash_seed;
	uint32_t depth_max;		/* see correlate_config */
	uint64_t max_packets;		/* -c: later packets are not taken; 0: no limit */
	uint64_t max_frames;		/* -a packets: frames kept; 0: no limit */
	/*
	 * Is a frame of that time still wanted if so many others, of so many bytes, that wait are
	 * kept before it? False, and none waits: the run is over. NULL: always.
	 */
	bool (*has_room)(void *arg, int64_t time_ns, uint32_t waiting, size_t waiting_bytes);
	size_t bytes_max;		/* 0: default */
	/* open packets and flows remembered; 0: defaults. Less in tests: tables that are full */
	uint32_t packets_max, flows_max;
	enum model_direction direction;	/* only packets of this direction; OTHER: all */
	const struct capture_filter *filter;	/* the user's FILTER; NULL: none */
	/* A kept frame with its mark, in time order. Returns 0 or -errno, which ends the run. */
	int (*on_frame)(void *arg, const struct model_frame *frame,
			const struct correlate_mark *mark);
	void (*on_packet)(void *arg, const struct result_packet *p);
	bool tell_refused;		/* on_packet hears of those, too, that filter refused */
	void *arg;
};

struct pipeline;

struct pipeline *pipeline_new(const struct pipeline_config *config, struct err *err);
void pipeline_free(struct pipeline *p);

/* Takes a frame; its bytes are copied when they are needed later. Returns 0 or on_frame's error. */
int pipeline_frame(struct pipeline *p, const struct model_frame *frame);
/* No frame older than time_ns will come any more: what may leave, leaves. */
int pipeline_time(struct pipeline *p, int64_t time_ns);
/*
 * PIPELINE_TOLD: the clock was set forward (capture_clock_set()). Told before the time that lies
 * behind it is. What is on its way then is not judged: its other frames are later by the step.
 */
void pipeline_clock_set(struct pipeline *p, const struct capture_clock_set *set);
/* Everything leaves and closes. */
int pipeline_finish(struct pipeline *p);
/* The capture's figures so far, without what takes sorting: for statistics while it runs. */
int pipeline_counters(const struct pipeline *p, struct result *ret_result, struct err *err);
/* With packets, paths, latencies and losses; without flows: for a screen while it runs. */
int pipeline_summary(const struct pipeline *p, struct result *ret_result, struct err *err);
int pipeline_result(const struct pipeline *p, struct result *ret_result, struct err *err);

struct correlate *pipeline_correlator(struct pipeline *p);
/* max_packets have been seen and have closed */
bool pipeline_is_full(const struct pipeline *p);
/* No further frame is matched; those that were leave as ever. Also from within on_frame. */
void pipeline_stop(struct pipeline *p);
/*
 * The same where not enough was seen, and what is seen cannot be kept: a hop's frames that come
 * nevertheless are counted. One that was stopped has all that was asked for.
 */
void pipeline_give_up(struct pipeline *p);
uint64_t pipeline_untaken(const struct pipeline *p, unsigned hop);
bool pipeline_is_stopped(const struct pipeline *p);	/* by that, max_frames or has_room */
/* A frame came further behind than sort_ns: what was found may be wrong (late frames: the same). */
bool pipeline_is_disordered(const struct pipeline *p);
uint64_t pipeline_frames(const struct pipeline *p);	/* taken so far */
uint64_t pipeline_kept(const struct pipeline *p);	/* handed to on_frame */
uint64_t pipeline_clock_steps(const struct pipeline *p);	/* as in result_capture */
/* on_packet has had every packet whose first frame is older (look-alikes may still come). */
int64_t pipeline_frontier_ns(const struct pipeline *p);
/* earliest and latest kept frame; 0: none */
int64_t pipeline_first_ns(const struct pipeline *p);
int64_t pipeline_last_ns(const struct pipeline *p);

/* Texts that comments have in common (id; hop, direction, path), as they were written last. */
#define PIPELINE_COMMENTS 32	/* a dual-stack pod's paths, each with its prefixes */
struct pipeline_comments {
	uint64_t id;
	uint32_t id_len;	/* 0: none yet */
	char id_text[32];	/* "podhop id=", at most 20 digits */
	struct pipeline_comment_middle {
		uint64_t key;	/* 0: empty */
		uint32_t len;
		/* " hop=12 dir=ingress path=", 12 times the longest role, ">loop" */
		char text[172];
	} middle[PIPELINE_COMMENTS];
};
/*
 * A frame's comment (contract, section 4) into out; returns its length. It is printable ASCII.
 * kept: zero at first. What stands behind the comment in out is undefined.
 */
size_t pipeline_comment(struct pipeline_comments *kept, const struct correlate_mark *mark,
			char *out, size_t size);

/* ---------------------------------------------------------------- roles.c */

/*
 * Learns what foreign files do not say: the interfaces' roles, the pods' addresses,
 * the devices' MAC addresses. Feed it frames of every hop (a sample is enough), then
 * decide. Frames' hop is an index into net->hops; roles already set there are kept.
 */
struct pipeline_learner;
struct pipeline_learner *pipeline_learner_new(struct model_net *net, struct err *err);
void pipeline_learner_free(struct pipeline_learner *l);
void pipeline_learner_frame(struct pipeline_learner *l, const struct model_frame *frame);
/* Fills net; ERR_USAGE naming the interfaces whose role cannot be decided. */
int pipeline_learner_decide(struct pipeline_learner *l, struct err *err);
/* The same frames once more, now that pods and roles are known: the devices' MAC addresses. */
void pipeline_learner_mac_frame(struct pipeline_learner *l, const struct model_frame *frame);
void pipeline_learner_decide_macs(struct pipeline_learner *l);

#endif
