/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * correlate.h - which observations are the same packet.
 *
 * Owns: its tables, sized once from a memory budget; no allocation per packet.
 * Never: reads packet bytes after correlate_observe(), does I/O, knows files,
 * devices or formats, or depends on the order in which hops were drained:
 * observations are given in time order (the pipeline's merge sees to that).
 *
 * Life of an observation:
 *   correlate_observe()  frame + view -> compact correlate_obs; may run ahead
 *   correlate_push()     in time order -> a handle on the packet it belongs to
 *   correlate_mark()     one look-ahead later, in time order -> id, hop, path so far
 * A packet closes when it was whole at its last hop and has settled (20 ms, at most one
 * look-ahead), or when its window has passed; the config's on_packet then gets it once.
 *
 * The matching rules are described where they are coded: src/correlate/match.c.
 */
#ifndef PODHOP_CORRELATE_H
#define PODHOP_CORRELATE_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"

#define CORRELATE_WINDOW_NS 2000000000LL	/* contract: 2 s */
#define CORRELATE_LOOKAHEAD_NS 200000000LL	/* contract: 200 ms */

/* What the user's FILTER says of a packet, asked with the observation nearest the pod so far. */
enum correlate_verdict {
	CORRELATE_VERDICT_NONE = 0,	/* not asked yet */
	CORRELATE_KEEP,
	CORRELATE_DROP,
	CORRELATE_UNSURE,		/* kept and counted */
};

struct correlate_config {
	const struct model_net *net;	/* borrowed for the correlator's life */
	int64_t window_ns;		/* 0: default */
	int64_t lookahead_ns;		/* 0: default */
	bool nat;			/* follow address translation */
	bool observations;		/* result_packet lists every observation */
	/* packets tell what they carried (result_packet: sum, checksum, ...) */
	bool contents;
	bool ids_only;			/* marks say id, direction and keep, nothing else */
	/* false: packets of no captured pod are foreign (live capture) */
	bool keep_other;
	/* verdicts are asked for (FILTER, direction); filter: who was never asked is unsure */
	bool verdicts, filter;
	uint32_t packets_max;		/* open packets; 0: default */
	uint32_t flows_max;		/* 0: default */
	uint64_t hash_seed;		/* against chosen collisions */
	/* body hashes go no further than this (another capture's correlate_depth()); 0: all */
	uint32_t depth_max;
	uint64_t max_packets;		/* packets that get an id; 0: no limit */
	void (*on_packet)(void *arg, const struct result_packet *p);
	bool tell_refused;		/* on_packet hears of those, too, that FILTER refused */
	void *on_packet_arg;
};

/* What verify compares besides (contents); else nobody sets or reads it. */
struct correlate_content {
	struct result_sum sum;	/* of the payload in this frame */
	uint64_t lead;
	uint32_t fixed;
	uint8_t checksum;	/* enum result_checksum */
	uint8_t tos;
};

/* An observation reduced to what matching needs. Opaque to all but src/correlate. */
struct correlate_obs {
	int64_t time_ns;
	uint64_t number;
	uint64_t head, body;	/* hashes of what no hop may change: headers, payload */
	uint64_t tuple_hash;
	struct result_tuple tuple;
	uint32_t body_len;	/* bytes that body covers */
	uint32_t sig;		/* TCP: hash of what all segments of a super-frame share */
	uint32_t len;		/* wire length of the whole frame */
	uint32_t eth_len;	/* of the packet's own Ethernet frame */
	uint32_t header_len;	/* Ethernet, IP and transport headers of that frame */
	uint32_t l3_len;
	uint32_t size;		/* bytes of the packet's range in this frame */
	uint32_t payload_len;
	uint32_t seq, ack;	/* ICMP errors: the quoted sequence number and IP id */
	uint32_t ip_id;
	/* hash of what a datagram and its first fragment have in common; 0: none */
	uint32_t token;
	uint32_t segment;	/* payload of one segment where the frame itself tells; else 0 */
	uint16_t hop;
	uint16_t tcp_flags;
	uint16_t mss;		/* ICMP errors: type << 8 | code */
	uint16_t flags;
	uint8_t way;
	uint8_t kind;
	uint8_t direction;
	uint8_t ttl;
	uint8_t tcp_options_len;
	uint8_t pod;
	bool again;		/* of the packet whose observation was made before this one */

	struct correlate_content content;

	/* Valid in VXLAN, of fragments and of ICMP errors; most observations never touch these. */
	struct addr outer_src, outer_dst;
	uint64_t quote_hash;	/* ICMP errors: tuple_hash of the packet they quote */
	uint32_t frag_off;
	uint32_t vni, encap_len, outer_id;
	uint32_t outer_first;	/* first outer fragment: bytes of the outer IP payload in it */
	uint32_t outer_base;	/* ... of which these stand in front of the packet's range */
	uint16_t outer_sport, outer_dport;
	uint8_t outer_ttl;	/* or hop limit */
};

/* What of an observation is needed until its mark. */
struct correlate_tag {
	int64_t time_ns;
	uint32_t len;
	uint16_t hop, flags;
	uint8_t way, kind, direction;
};

static inline struct correlate_tag correlate_tag_of(const struct correlate_obs *o)
{
	return (struct correlate_tag){ .time_ns = o->time_ns, .len = o->len, .hop = o->hop,
				       .flags = o->flags, .way = o->way, .kind = o->kind,
				       .direction = o->direction };
}

/* A handle on a packet, or one of the classes below. Valid until its mark was taken. */
typedef uint32_t correlate_ref;
#define CORRELATE_REF_NONE 0xffffffffu		/* carries no id: not IP, malformed */
#define CORRELATE_REF_FOREIGN 0xfffffffeu	/* concerns no captured pod: to be thrown away */

/* What is written with a frame. */
struct correlate_mark {
	bool keep;			/* false: foreign or filtered out */
	uint64_t id;			/* 0: none */
	/* how many hops the packet has been seen at, this one included */
	unsigned hop;
	enum model_direction direction;
	struct result_path path;	/* so far */
	int64_t dt_ns;			/* since the hop before; -1 at the first */
	unsigned ambiguous;		/* candidates that were open; 0: decided */
	bool translated;
	struct result_tuple translation;
};

struct correlate;

struct correlate *correlate_new(const struct correlate_config *config, struct err *err);
void correlate_free(struct correlate *c);	/* NULL is accepted */

/* Bytes of an inner IP packet that all hops of net capture; UINT32_MAX: all. */
uint32_t correlate_depth(const struct model_net *net);
/* Reads config.net again: roles, pods or hops were learned. Before they are used by a push. */
void correlate_learn_net(struct correlate *c);

void correlate_observe(struct correlate *c, const struct model_frame *frame,
		       const struct model_view *view, struct correlate_obs *ret_obs);

/*
 * The same of a usual frame whose way is known, from its bytes. False: it needs its view all
 * the same.
 */
bool correlate_observe_usual(struct correlate *c, const struct model_frame *frame,
			     const struct model_parts *parts, struct correlate_obs *ret_obs);

/*
 * The same of a frame that shows, as dissect_usual_again() says, the packet of the frame `before`
 * once more. obs: of `before`, which is pushed in front of it; then of `frame`. False: not all that
 * obs is made of was captured of both; obs is void.
 */
bool correlate_observe_again(struct correlate *c, const struct model_frame *before,
			     const struct model_frame *frame, const struct model_parts *parts,
			     struct correlate_obs *obs);

/*
 * Which way the frame crossed its hop, as far as its link layer tells: needs its first bytes
 * only. correlate_observe() may know more.
 */
enum model_way correlate_way(const struct correlate *c, const struct model_frame *frame);
/*
 * Among frames of equal stamps, the smaller goes first: hops in the order a packet visits them.
 * Of the direction only where the way is not known.
 */
uint8_t correlate_order(const struct correlate *c, unsigned hop, enum model_way way,
			enum model_direction direction);

/*
 * Takes the next observation in time order. asks_filter is set when the packet's FILTER verdict
 * should be (re)decided with this observation, by correlate_set_verdict(). Which way the frame went
 * may be known only now, from those before it: obs says so then, and so does a tag made of it.
 */
correlate_ref correlate_push(struct correlate *c, struct correlate_obs *obs,
			     bool *ret_asks_filter);
void correlate_set_verdict(struct correlate *c, correlate_ref ref, enum correlate_verdict v);

/* The packet's translation as known now, so that a filter can be asked in the pod's own terms. */
bool correlate_pod_tuple(const struct correlate *c, correlate_ref ref,
			 struct result_tuple *ret_tuple);

/*
 * A translated connection (conntrack's words): its packets as they were before any translation,
 * and its answers as the other end sends them. Its packets and answers are known under both names
 * from here on. Any time, also before the first frame. False: of no captured pod, or not
 * translated; nothing was learned.
 */
bool correlate_learn_connection(struct correlate *c, const struct result_tuple *original,
				const struct result_tuple *reply);

/*
 * True when the next push finds room. False: every packet of the full table still waits for
 * marks; take the oldest mark and ask again (the look-ahead shrinks), nothing is lost by it.
 */
bool correlate_make_room(struct correlate *c);

/* Each pushed observation is marked exactly once, in the order of the pushes. */
void correlate_mark(struct correlate *c, correlate_ref ref, const struct correlate_tag *tag,
		    struct correlate_mark *ret_mark);

/*
 * Nothing that comes later can change what correlate_mark() says of an observation that was
 * pushed as ref: it need not wait any longer.
 */
bool correlate_is_final(const struct correlate *c, correlate_ref ref);

/*
 * observe_again, push, is_final and mark in one, for a frame that shows, as dissect_usual_again()
 * says, the packet of the frame `before` once more, where that packet is on its usual way and all
 * pushed before have been marked. obs: of any frame of that packet, the last that was pushed; what
 * it says of its hop is void afterwards. False: nothing was done, it goes the long way.
 * ret_mark NULL: nobody sees marks or ids, correlate_count() takes mark's place.
 */
bool correlate_follow(struct correlate *c, const struct model_frame *before,
		      const struct model_frame *frame, const struct model_parts *parts,
		      struct correlate_obs *obs, struct correlate_mark *ret_mark);

/* In place of a mark, when nobody sees marks or ids: counts, and is done with. */
void correlate_count(struct correlate *c, correlate_ref ref, unsigned hop, uint32_t len);

/* In place of a mark: the frame is not kept. A packet of which nothing was kept does not count. */
void correlate_discard(struct correlate *c, correlate_ref ref);

/* A mark for ref will be asked soon: a hint to the cache, nothing else. */
void correlate_prefetch(const struct correlate *c, correlate_ref ref);

/* Time has come this far: packets whose window has passed close. */
void correlate_advance(struct correlate *c, int64_t now_ns);

/*
 * The clock was stepped to now_ns: everything that is open closes, and time begins anew. All
 * marks have been taken.
 */
void correlate_restart(struct correlate *c, int64_t now_ns);

/* count frames were lost at hop at some time in (from_ns, to_ns]; count 0 is ignored. */
void correlate_drops(struct correlate *c, unsigned hop, int64_t from_ns, int64_t to_ns,
		     uint64_t count);
/* The hop's capture, a file of others, does not say whether frames were lost. */
void correlate_drops_untold(struct correlate *c, unsigned hop);
/* A hop's frames may come far behind those of others: nothing is called lost, nor was it. */
void correlate_hops_lag(struct correlate *c);
/* Who is asked what hops that are filtered (model_hop) would have shown; else nobody knows. */
void correlate_shows(struct correlate *c, result_shows_fn *fn, void *arg);
/* The hop's capture began or ended (device gone, file over): edges. */
void correlate_hop_span(struct correlate *c, unsigned hop, int64_t start_ns, int64_t end_ns);
/* Nothing behind end_ns was looked at: that is where all hops end that do not end before. */
void correlate_end(struct correlate *c, int64_t end_ns);

/* Closes everything that is open, then fills what the correlator knows of the report. */
void correlate_finish(struct correlate *c);
/* Of the result, only capture: its counts and interfaces. Cheap, at any time. */
int correlate_counters(const struct correlate *c, struct result *ret_result, struct err *err);
/* All but flows and latency bars: costs the same however long the run is (some 50 us). */
int correlate_summary(const struct correlate *c, struct result *ret_result, struct err *err);
int correlate_result(const struct correlate *c, struct result *ret_result, struct err *err);

/* Packets with an id whose record is closed / selected so far (for -c). */
uint64_t correlate_ids(const struct correlate *c);
bool correlate_is_full(const struct correlate *c);	/* max_packets have ids and have closed */
/* The first observation of the oldest packet that is open; INT64_MAX: none is. */
int64_t correlate_oldest_ns(const struct correlate *c);

#endif
