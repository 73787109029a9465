/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.h - what one node sent, matched with what another received.
 *
 * Owns: its tables, sized once from the config; the heap behind a verify_result.
 * Never: reads files, prints, or asks the time: nodes' closed packets go in, and word of
 * how far each node's time has come.
 *
 *   node a: pipeline ─▶ closed packets ─┐
 *                                        ├─▶ verify ─▶ delivered, lost, ..., delays, clocks
 *   node b: pipeline ─▶ closed packets ─┘
 *
 * With one node, what its replies prove. All pipelines must have the same hash_seed.
 * Rules: src/verify/deliver.c (nodes), alike.c (look-alikes), scope.c (when what was captured),
 * solo.c (one capture), clock.c (offset and drift).
 */
#ifndef PODHOP_VERIFY_H
#define PODHOP_VERIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/err.h"
#include "podhop/model.h"
#include "podhop/result.h"

#define VERIFY_NODES_MAX 64
#define VERIFY_NONE (-1) /* no node: the peers of a capture that is alone */

/* ------------------------------------------------------------------ clock.c */

/*
 * offset(t) = node's clock less the reference's when the reference shows t. Bounded by what
 * packets took: none arrives before it was sent, whichever way it went.
 */
struct verify_clock_line {
	bool known; /* both directions were seen, or it was given */
	bool rough; /* at least one direction was: offset to within the delay */
	int64_t at_ns; /* reference's time at which offset_ns holds best */
	int64_t offset_ns;
	double drift; /* change of the offset a nanosecond */
	double drift_doubt; /* how far drift may be from the truth, as far as clocks are usual */
	int64_t uncertainty_ns; /* of offset_ns, half a width; -1: not known */
};

struct verify_clock;
struct verify_clock *verify_clock_new(struct err *err);
void verify_clock_free(struct verify_clock *c); /* NULL is accepted */
void verify_clock_clear(struct verify_clock *c); /* as new */
/* A packet left the reference at ref_ns, by its clock, and came to the node at node_ns, by its. */
void verify_clock_forward(struct verify_clock *c, int64_t ref_ns, int64_t node_ns);
/* A packet left the node at node_ns and came to the reference at ref_ns. */
void verify_clock_backward(struct verify_clock *c, int64_t ref_ns, int64_t node_ns);
void verify_clock_line(struct verify_clock *c, struct verify_clock_line *ret);
int64_t verify_clock_offset(const struct verify_clock_line *l, int64_t ref_ns);

/* ------------------------------------------------------------------- result */

struct verify_delays {
	uint64_t samples;
	bool known; /* there were samples, and the clocks' offset is known */
	int64_t min_ns, p50_ns, p90_ns, p99_ns, max_ns;
};

struct verify_lost {
	uint64_t packet_id, frame; /* of the sender; frame: number in its file */
	uint16_t hop; /* of the sender's first observation: index into its net */
	int64_t time_ns;
	struct result_tuple tuple; /* as the sender's pod knows it */
	uint32_t ip_id;
	bool has_ip_id;
	uint32_t length, bytes_missing;
	int last_node, next_node; /* next: the hop that should have shown it */
	enum model_role last_role, next_role;
};

/*
 * Between which two points: the verdict sentence. Of lost packets; where nothing matched, so that
 * nobody can say what is lost, of those that were not seen at the other node.
 */
struct verify_place {
	int last_node, next_node;
	enum model_role last_role, next_role;
	uint64_t packets;
	/* Why, where the captures tell: verify_place_cause(). */
	char *reason; /* NULL: not known */
	char **evidence;
	unsigned n_evidence;
};
#define VERIFY_PLACES_MAX 16

struct verify_range {
	uint8_t min, max;
};

/* Outer headers of what left inside VXLAN, and what the other node saw of them. */
struct verify_outer {
	uint64_t packets;
	/* Differ between the nodes, where both saw them; ttl: the inner packet's. */
	uint64_t vni_differs, destination_differs, ttl_differs;
	/*
	 * Where they went: to; most of them, where no FDB is known. judged: those for which the
	 * sender's FDB is known; unexpected: of these, not where it leads (expected), but to
	 * unexpected_to. varies: of the others, those that went not where most went.
	 */
	struct addr to, expected, unexpected_to;
	uint64_t judged, unexpected, varies;
	/* The outer TTL: as it left, as it came, and the routers between; 0 to 0: not known. */
	struct verify_range ttl_sent, ttl_received;
	struct verify_range routers; /* of packets that both saw */
	bool routers_known;
	uint64_t ttl_rose; /* came with more than they had left with */
	uint64_t df; /* DF is set: flannel leaves it clear */
	uint64_t fragmented; /* left in fragments */
	uint64_t fragmented_between; /* came in fragments, and had left whole */
	uint64_t checksum_zero, checksum_zero6; /* UDP's; over IPv6 that is an error */
	uint64_t foreign; /* lost, and sent to what is no address of the other node's underlay */
	struct addr foreign_to; /* the last of these */
	uint32_t flows, source_ports; /* that were seen, at most 65536 each */
};

struct verify_direction {
	int from, to; /* VERIFY_NONE: the peers */
	/* sent = delivered + lost + altered + unknown */
	uint64_t sent, delivered, lost, altered, unknown;
	uint64_t duplicated, reordered; /* of those that arrived */
	uint64_t unprovable, out_of_scope;
	uint64_t bytes_missing;
	struct verify_delays delays;
	struct verify_outer outer;
	struct verify_lost *lost_packets; /* by time; RESULT_LIST_MAX at most */
	uint32_t n_lost_packets;
	uint64_t lost_omitted;
	struct verify_place places[VERIFY_PLACES_MAX]; /* most packets first */
	unsigned n_places;
};

struct verify_pair {
	int node, reference;
	struct verify_clock_line line; /* since the last step */
	const char *method;
	uint64_t steps; /* of one of the two clocks, that packets showed */
};

enum verify_verdict {
	VERIFY_DELIVERED = 1,
	VERIFY_LOST,
	VERIFY_INCONCLUSIVE,
};
const char *verify_verdict_name(enum verify_verdict v);

#define VERIFY_REASON_MAX 256
#define VERIFY_REASONS_MAX 64

struct verify_result {
	enum verify_verdict verdict;
	struct verify_direction *directions;
	unsigned n_directions;
	struct verify_pair *clocks;
	unsigned n_clocks;
	char (*reasons)[VERIFY_REASON_MAX];
	unsigned n_reasons;
};
void verify_result_free(struct verify_result *r); /* what r points to; NULL is accepted */
/* Gives a place of a result its reason and evidence, copied. 0 or -ENOMEM. */
int verify_place_cause(struct verify_place *p, const char *reason, const char *const *evidence,
		       unsigned n_evidence);

/* ---------------------------------------------------------------------- run */

struct verify_config {
	unsigned n_nodes;
	const struct model_net *net[VERIFY_NODES_MAX]; /* borrowed; roles are known */
	const char *name[VERIFY_NODES_MAX]; /* for reasons; borrowed */
	int64_t window_ns; /* 0: default */
	uint32_t packets_max; /* sent and received, each; 0: default */
	bool has_offset; /* of the other nodes' clocks, less the first one's */
	int64_t offset_ns;
	/* Asked what hops that are filtered (model_hop) would have shown; NULL: nobody knows. */
	result_shows_fn *shows;
	/*
	 * The same of a packet as its pod knows it, at all hops together: FILTER, and what podhop's
	 * captures were told to keep (hop is not looked at). NULL: they kept all.
	 */
	result_shows_fn *keeps;
	void *shows_arg;
	uint64_t hash_seed; /* secret: strangers must not know what falls into one bucket */
};

struct verify;
struct verify *verify_new(const struct verify_config *config, struct err *err);
void verify_free(struct verify *v); /* NULL is accepted */

/* A closed packet of a node, in any order. */
void verify_packet(struct verify *v, unsigned node, const struct result_packet *p);
/* count frames were lost at a hop of the node in (from_ns, to_ns]; INT64_MIN: nobody knows when. */
void verify_drops(struct verify *v, unsigned node, unsigned hop, int64_t from_ns, int64_t to_ns,
		  uint64_t count);
/* Of some hop the capture does not say whether it lost frames: a reason beside what is lost. */
void verify_drops_untold(struct verify *v, unsigned node);
/*
 * A hop of the node was captured from from_ns to to_ns, by the node's clock; spans that touch are
 * one. Hops that are told of in this way were captured at no other time; where none is, each was
 * as long as its node (verify_time()). To be told before verify_time() goes beyond it.
 */
void verify_covered(struct verify *v, unsigned node, unsigned hop, int64_t from_ns, int64_t to_ns);
/* The capture of the node noticed so far that its clock was set back n times. */
void verify_clock_steps(struct verify *v, unsigned node, uint64_t n);
/* Is it possible that more spans of the hop follow? At first it is not. */
void verify_hop_open(struct verify *v, unsigned node, unsigned hop, bool open);
/*
 * The node's capture ran from first_ns to at least last_ns, and all its packets whose first
 * observation is older than frontier_ns have been given. What can be decided, is.
 */
void verify_time(struct verify *v, unsigned node, int64_t first_ns, int64_t last_ns,
		 int64_t frontier_ns);
/* The node whose input should be read next: the one that is behind. ready: a mask. */
int verify_next(const struct verify *v, const bool ready[], const int64_t next_ns[]);
/* All is given: everything is decided. */
void verify_finish(struct verify *v);
/* Any time: what is decided so far. */
int verify_get(struct verify *v, struct verify_result *ret, struct err *err);

#endif
