/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify_priv.h - the tables of verify. See deliver.c for how they are used.
 *
 * All are sized once (verify_new) and taken from calloc, so that what was never needed
 * is never resident; they refer to each other by 32-bit index (NONE: nothing).
 */
#ifndef VERIFY_PRIV_H
#define VERIFY_PRIV_H

#include "podhop/hist.h"
#include "podhop/verify.h"

#define NONE 0xffffffffu

/* 524,288 packets each way: window and look-ahead (2.5 s) of 200,000 packets a second. */
#define PACKETS_MAX_DEFAULT (1u << 19)
#define LINKS_A_PACKET 2u
#define BLOCK_SHIFT 14 /* streams are indexed by 16 KiB of sequence space */
#define BLOCKS_MAX 64u /* of one packet: a BIG TCP frame has 33 */
#ifndef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
#define PIECES_MAX (1u << 18) /* of packets that were not seen as a whole */
#define DELAYS_KEPT (1u << 18) /* a direction; beyond that a fair sample is kept */
#define FLOWS (1u << 14) /* whose order is watched, a direction */
#define MISSED (1u << 14) /* remembered a direction, of each kind: step.c */
#else /* made hundreds of times a second, and seen full */
#define PIECES_MAX 512u
#define DELAYS_KEPT 64u
#define FLOWS 16u
#define MISSED 64u
#endif
#define SPORTS (1u << 16)
#define TIMES_MAX 512u
#define CHAIN_MAX 4096u /* look-alikes compared before giving up */
#define WINDOW_NS 2000000000LL
#define SLACK_NS 1000000LL /* between nodes, on top of the offset's uncertainty */

/* A growing array of table indices, the oldest first (a binary heap). */
struct heap {
	uint32_t *at;
	uint32_t n, size;
};

struct piece {
	uint32_t start, end, next;
};

enum sent_flag {
	SENT_USED = 1 << 0,
	SENT_ALTERED = 1 << 1,
	SENT_DUPLICATED = 1 << 2,
	SENT_DOUBT = 1 << 3, /* a capture lost frames of it, or closed it early */
	SENT_LATE = 1 << 4, /* came when its receivers had been gone through */
	SENT_V4 = 1 << 5,
	SENT_STRONG = 1 << 6, /* has an IP id or a place in a stream: one of its kind while held */
	SENT_TIMED = 1 << 7, /* its delay is counted */
	SENT_HAS_ID = 1 << 8,
	SENT_ENCAP = 1 << 9,
	SENT_OUTER_DF = 1 << 10,
	SENT_OUTER_FRAGMENTED = 1 << 11,
	SENT_OUTER_UNSUMMED = 1 << 12, /* UDP checksum 0 */
	SENT_RETRANSMISSION = 1 << 13,
	SENT_ALIKE = 1 << 14, /* another one that looks like it fitted as well: alike.c */
	SENT_UNSUMMED = 1 << 15, /* its bytes cannot be compared but as a whole: group.c */
	SENT_UNSURE = 1 << 16, /* it, or another of its group, was altered */
	SENT_TOLD = 1 << 17, /* what it carried is known */
	SENT_LOST = 1 << 18, /* solo.c: ended on its own node */
	SENT_REPEATED = 1 << 19, /* solo.c: its bytes were sent once more */
};

/* A packet that left a node. */
struct sent {
	int64_t time_ns; /* at its first captured hop */
	int64_t wire_ns; /* at its last: nearest the wire */
	uint64_t key; /* exact: tuple, and first byte or header hash */
	uint64_t tuple_hash, head, body;
	uint64_t id, frame;
	uint32_t next, prev; /* bucket */
	uint32_t link; /* its links; deliver.c */
	uint32_t pieces; /* seen at the receiver's last hop; NONE: all or nothing */
	uint32_t start, size, sig, ip_id, segment, body_len, length;
	uint32_t got; /* bytes seen at the receiver's last hop */
	uint32_t taken; /* bytes that received packets claimed */
	uint32_t covered[MODEL_ROLE_COUNT]; /* bytes seen at the receiver's hops */
	struct result_tuple tuple; /* as the sender's pod knows it */
	/* group.c: of a group's first one, what of it has not arrived yet */
	struct result_sum left;
	uint32_t open; /* bytes */
	uint32_t group, ring, members;
	uint32_t fixed;
	uint32_t flags;
	uint16_t hop;
	uint16_t outer_sport, l4_flags;
	uint32_t ack; /* solo.c */
	uint64_t lead; /* solo.c: the first bytes of a datagram's payload */
	uint32_t newer, older; /* solo.c: pending packets of a flow */
	uint8_t kind, from, to, ttl, tos, outer_ttl;
	uint8_t checksum; /* enum result_checksum */
	int8_t from_pod, to_pod; /* -1: not known */
	uint8_t last_role; /* the furthest hop of the sender that saw all of it */
	uint8_t wire_role;
	uint32_t vni;
	struct addr outer_dst;
};

/* A packet that a node received. */
struct received {
	int64_t time_ns; /* at the last hop, else where it was seen last */
	int64_t first_ns; /* at its first hop: nearest the wire */
	uint64_t key, tuple_hash, head, body, id;
	uint64_t fragments; /* key of a datagram that was cut on one side */
	uint32_t next, prev; /* bucket */
	uint32_t same_next, same_prev; /* unclaimed ones of the same tuple */
	uint32_t twin_next, twin_prev; /* and of those with the same content */
	uint32_t older; /* unclaimed ones, in order of time */
	uint32_t pieces; /* seen at the last hop, when that was not all */
	uint32_t start, size, sig, ip_id, body_len;
	uint32_t covered[MODEL_ROLE_COUNT];
	struct result_sum sum; /* at the last hop; cut: not all of it there */
	uint32_t fixed;
	uint32_t vni;
	struct addr outer_dst;
	uint16_t l4_flags;
	uint16_t whole; /* mask of roles that saw all of it */
	uint8_t kind, from, to, ttl, tos, outer_ttl;
	uint8_t checksum;
	uint8_t wire_role, last_role;
	uint16_t hop; /* it was seen at last */
	bool told; /* what it carried is known: it came to the last hop */
	bool stranger; /* of no known pod, unless its source was altered */
	bool v4, has_id, doubt, unclaimed, queued, outer_fragmented;
	bool alike; /* others look like it: no witness of the clocks */
	bool unsure; /* another sent packet fitted as well: nobody knows its delay */
};

/* A sent packet under one more key. */
struct link {
	uint64_t key;
	uint32_t sent, next, prev, sibling;
};

/* When something was so, in order of time; none touches another. */
struct times {
	struct time_stretch {
		int64_t from_ns, to_ns;
	} at[TIMES_MAX];
	unsigned n;
};

#define SPANS_MAX 256u /* of a hop: files of a node */

/* A hop was captured. */
struct span {
	int64_t from_ns, to_ns;
	int64_t proof_ns; /* of a packet that was found at both nodes; INT64_MIN: none */
};

struct cover {
	struct span span[SPANS_MAX]; /* in order of time, none touches another */
	unsigned n;
	bool open; /* its capture goes on, as far as is known */
};

struct node {
	const struct model_net *net;
	const char *name;
	uint32_t roles; /* captured: mask of 1 << role */
	uint8_t last; /* the captured role nearest the pod */
	int64_t first_ns, last_ns, frontier_ns;
	bool told;
	bool by_hop; /* the spans of its hops were told, not only its own */
	struct cover cover[MODEL_HOPS_MAX];
	struct times drops[MODEL_ROLE_COUNT];
	uint64_t dropped[MODEL_ROLE_COUNT];
	bool dropped_any_time[MODEL_ROLE_COUNT];
	bool drops_untold; /* of some hop its capture does not say */
	uint64_t clock_steps; /* times that its clock was set back, as its capture noticed */
	struct times cut; /* packets whose headers may have been cut (result_packet) */
};

struct delay_sample {
	int64_t sent_ns; /* sender's clock */
	int64_t delta_ns; /* receiver's stamp less the sender's */
};

/* Delays that surprise nobody, of packets that could be no other: alike.c. */
struct usual {
	bool known;
	int64_t mean_ns, spread_ns;
};

struct flow_order {
	uint64_t tuple_hash;
	int64_t newest_ns, came_ns; /* when it left, when it came: each by its node's clock */
};

struct loss {
	uint64_t packets, bytes, omitted; /* omitted: from the list */
};

/* Of a packet that was called lost, or that came and was nobody's: step.c. */
struct missed {
	uint64_t is; /* 0: none */
	int64_t time_ns; /* nearest the wire */
	uint64_t fits; /* of the pair, then */
};

/* Those whose lowest `shift` bits of a hash are 0: the fewer the more there were. */
struct missed_table {
	struct missed *at; /* MISSED; NULL: not needed so far */
	uint32_t n;
	unsigned shift;
};

/* A direction's losses, as they were when a packet fitted last. */
struct tally {
	bool taken;
	uint64_t id; /* the sender's, of the first one that was lost since */
	uint64_t lost, bytes_missing, lost_omitted, foreign;
	uint32_t n_lost_packets;
	unsigned n_places;
	struct verify_place places[VERIFY_PLACES_MAX];
	struct loss lost_at[MODEL_ROLE_COUNT], lost_inside[MODEL_ROLE_COUNT];
};

/* Packets that came apart by the same time, since one fitted last. */
struct step {
	unsigned n;
	unsigned node; /* that had the first of them, under this id */
	uint64_t id;
	int64_t least_ns, most_ns; /* by how much: node's clock less the reference's */
	int64_t from_ns, to_ns; /* when they left */
};

#define OUTER_TO 8u

struct outer_to {
	struct addr to;
	uint64_t packets;
};

/* Where packets went inside VXLAN: outer.c. */
struct tunnelled {
	struct addr pod, node; /* asked last: the FDB's destination for it, or none */
	bool asked;
	struct outer_to to[OUTER_TO]; /* of those for which no FDB is known */
	unsigned n_to;
	uint64_t elsewhere; /* beyond these */
	uint8_t *sport; /* bit set of outer source ports */
	uint64_t *flows; /* bit set over hashes of flows */
};

struct direction {
	struct verify_direction d; /* counts; lists are filled here too */
	struct heap sent, received; /* received: not gone through yet */
	uint32_t unclaimed_first, unclaimed_last;
	int64_t done_ns; /* receiver's clock: gone through up to here */
	struct delay_sample *delay;
	uint64_t n_delays;
	struct usual usual;
	struct flow_order *order;
	struct tunnelled tunnelled;
	/* Of what left inside VXLAN, the last, by the inner family: v6, v4; none: not known. */
	struct outer_addrs {
		struct addr src, dst;
	} outer[2];
	struct loss
		lost_at[MODEL_ROLE_COUNT]; /* by the receiver's role that was first to miss it */
	struct loss lost_inside[MODEL_ROLE_COUNT]; /* the same, of the sender */
	/* why packets are unknown */
	uint64_t evicted, alike, unseen, unsure, unmet, cut, stepped, filtered;
	/* Of those out of scope: by the receiver's filter; solo.c, unprovable: their answers. */
	uint64_t left_out;
	uint64_t hole; /* of those out of scope: between two files */
	struct verify_place ends[VERIFY_PLACES_MAX]; /* of those out of scope: where they ended */
	unsigned n_ends;
	struct missed_table gone, came; /* sent and not arrived; arrived and not sent */
	struct tally tally;
	int64_t seen_ns; /* receiver's clock: the latest that was gone through */
	int64_t unsure_ns; /* what was due until then may have been gone through by other clocks */
};

struct pair {
	struct verify_clock *clock;
	struct verify_clock_line line;
	uint64_t samples, next_estimate;
	bool forward, backward;
	bool weak; /* only packets without an id have told the clocks so far */
	bool alike; /* packets of both sides look alike, so that they tell nothing */
	bool begun; /* both nodes have */
	int64_t begin_ns, try_ns; /* of verify_acquaint(), as verify_in_step() has it */
	struct step step;
	uint64_t fits; /* packets that are one of their kind and came when they should have */
	uint64_t steps; /* of one of the clocks, that packets showed */
	int64_t stepped_ns; /* by how much, the last time */
};

struct solo;

struct verify {
	struct verify_config cfg;
	bool finishing; /* nothing more comes */
	bool no_memory; /* a packet could not be noted: no verdict is right any more */
	struct node *node;
	struct direction *direction; /* [from * n + to] */
	struct pair *pair; /* [reference * n + node], reference < node */
	struct solo *solo; /* one node alone */

	struct sent *sent;
	uint32_t sent_top, sent_free, n_sent;
	uint32_t *sent_bucket, mask;
	struct link *link;
	uint32_t link_top, link_free;
	uint32_t *link_bucket, link_mask;
	struct received *received;
	uint32_t received_top, received_free, n_received;
	uint32_t *received_bucket, *same_bucket, *twin_bucket;
	struct piece *piece;
	uint32_t piece_top, piece_free;
	uint32_t n_packets; /* capacity of sent, and of received */
	uint64_t random, n_taken;
	uint64_t next_full; /* of verify_acquaint() while tables are nearly full: n_taken */
	uint64_t matched, evicted_sent, evicted_received;
	/* What left, or came, later is not looked at: by the clocks of the direction at hand. */
	int64_t sent_until_ns, received_until_ns;
};

static inline bool verify_same_family(const struct addr *a, const struct addr *b)
{
	return addr_is_v4(a) == addr_is_v4(b);
}

/* ---- verify.c */
struct pair *verify_pair_of(const struct verify *v, unsigned a, unsigned b);
/* Is the pair's offset known, to within a packet's delay at least? */
bool verify_has_offset(const struct verify *v, unsigned a, unsigned b);
/* A time of node a's clock, as node b's shows it then. */
int64_t verify_convert(const struct verify *v, unsigned a, unsigned b, int64_t time_ns);
/*
 * As long as nothing matched: a time of the node beside those of the others. As its clock has
 * it, or from its first frame on where clocks are too far apart.
 */
int64_t verify_in_step(const struct verify *v, unsigned node, int64_t time_ns);
/* The other way: from what all share to the node's clock. */
int64_t verify_out_of_step(const struct verify *v, unsigned node, int64_t time_ns);
/* The clocks' line anew; usual delays follow what it says about time_ns of node b's clock. */
void verify_estimate(struct verify *v, unsigned a, unsigned b, int64_t time_ns);
void verify_count_place(struct verify_place *places, unsigned *n, const struct verify_lost *l);
void verify_count_lost(struct direction *d, const struct sent *s, const struct verify_lost *l);
/* s as it is listed; what is missing of it, and where, is the caller's to say. */
struct verify_lost verify_lost_of(const struct sent *s);
uint64_t verify_tuple_hash(const struct verify *v, const struct result_tuple *t);

/* ---- times.c */
/* [from_ns, to_ns], as one with what lies less than apart_ns from it. */
void verify_times_add(struct times *t, int64_t from_ns, int64_t to_ns, int64_t apart_ns);
/* Has it a part of [from_ns, to_ns]? */
bool verify_times_meet(const struct times *t, int64_t from_ns, int64_t to_ns);

/* ---- heap.c: time_ns and id of a heap's elements come from `before` */
typedef bool (*heap_before)(const struct verify *v, uint32_t a, uint32_t b);
bool verify_heap_push(struct verify *v, struct heap *h, uint32_t i, heap_before before);
uint32_t verify_heap_pop(struct verify *v, struct heap *h, heap_before before);

/* ---- deliver.c */
void verify_deliver_packet(struct verify *v, unsigned node, const struct result_packet *p);
void verify_deliver_pump(struct verify *v);
void verify_deliver_finish(struct verify *v);

/* ---- outer.c: outer headers */
bool verify_outer_prepare(struct direction *d); /* false: no memory */
void verify_outer_free(struct direction *d);
/* s left; wire: as the far node's pod knows it. */
void verify_outer_sent(const struct verify *v, struct direction *d, const struct sent *s,
		       const struct result_tuple *wire);
/* r is s, or its first part. */
void verify_outer_compare(struct direction *d, const struct sent *s, const struct received *r);
void verify_outer_lost(const struct verify *v, struct direction *d, const struct sent *s);
/* Of the direction's result what follows from all packets together. */
void verify_outer_sum(const struct direction *d, struct verify_outer *ret);
/* What is not as it should be, a sentence each. */
void verify_outer_reasons(const struct verify *v, const struct verify_direction *f,
			  struct verify_result *r);
/* A sentence more, as long as there is room. */
__attribute__((format(printf, 2, 3))) void verify_reason(struct verify_result *r, const char *fmt,
							 ...);
const char *verify_node_name(const struct verify *v, int node);

/* ---- solo.c */
int verify_solo_new(struct verify *v, struct err *err);
void verify_solo_free(struct verify *v);
void verify_solo_packet(struct verify *v, const struct result_packet *p);
void verify_solo_pump(struct verify *v, int64_t frontier_ns);
void verify_solo_finish(struct verify *v);

#endif
