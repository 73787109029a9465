/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * correlate_priv.h - the correlator's tables. See match.c for how they are used.
 *
 * All tables are sized once (correlate_new), refer to each other by 32-bit index
 * (NONE: nothing) and are taken from calloc, so that a page that was never needed
 * is never resident.
 */
#ifndef CORRELATE_PRIV_H
#define CORRELATE_PRIV_H

#include "podhop/correlate.h"
#include "podhop/hist.h"
#include "podhop/span.h"

#define NONE 0xffffffffu

/* 131,072 open packets: 2 s of 65,000 packets a second that all vanish. */
#define PACKETS_MAX_DEFAULT 131072u
#define FLOWS_MAX_DEFAULT 262144u	/* touched only when there are so many */
#define SIGHTINGS_FEW 4		/* in the packet itself: a path through all four roles */
/* with those of packet_more; two hairpins through all four hops do not exist */
#define SIGHTINGS_MAX 6
#define RANGES_OF_PACKET_MAX 512	/* a 512 KiB BIG TCP frame has 380 segments */
#define TIE_MEMBERS_MAX 1024
/* holes in one direction of a TCP stream that are remembered */
#define GAPS_MAX 4
#define PATH_ROWS_MAX 256
#define TUNNELS_MAX 4096
#define LOSS_ROWS_MAX 1024
#define DROP_SPANS_MAX 512		/* a hop; the two nearest are joined when it is full */
#define SUPER_BLOCK_SHIFT 14		/* super-frames are indexed by 16 KiB of sequence space */
/* no hop of a node holds a packet longer, unless it drops it */
#define LOOKALIKE_AGE_NS 20000000LL
/*
 * How long a packet that was whole at its last hop stays open. Observations come in time order,
 * so nothing of it can be late; what may still show it is a device below the last one (a
 * bond's NIC), or a translation of what seemed to be of no pod.
 */
#define SETTLE_NS LOOKALIKE_AGE_NS
#define CURSORS 4			/* super-frames of a flow being cut at once: one a hop */
#define FLOW_USED_NS 10000000LL		/* order of use is kept no finer than this */
#define FLOW_SLEPT_NS 1000000000LL	/* quiet for so long, its translation may have changed */
/* open packets looked through for the one an ICMP error quotes */
#define QUOTE_SEARCH_MAX 1024
/* of a datagram's payload, that its first fragment has too */
#define TOKEN_BYTES 512u
/* remote subnets learned from frames when no route is known */
#define LEARNED_MAX 256
#define CHAIN_MAX 4096			/* candidates of one key compared before giving up */
/* of them, look-alikes of one flow: as many as a queue of the kernel holds */
#define LOOKALIKES_MAX 1024

/* What an observation is, as far as matching goes. */
enum correlate_kind {
	KIND_NOT_IP = 0,
	KIND_MALFORMED,
	KIND_WHOLE,		/* a whole datagram that is no TCP data */
	KIND_TCP_DATA,		/* TCP with payload: a range of the stream */
	KIND_FRAGMENT,		/* an inner IP fragment: a range of its datagram */
	KIND_OUTER_FRAGMENT,	/* a later fragment of a VXLAN datagram */
};

enum obs_flag {
	OBS_HAS_ID = 1,		/* ip_id identifies (IPv4 id not 0, IPv6 fragment) */
	OBS_ENCAP = 2,
	OBS_OUTER_FIRST = 4,	/* first fragment of an outer datagram */
	OBS_LAST_FRAGMENT = 8,
	OBS_MULTICAST = 16,
	OBS_IPV4 = 32,
	OBS_SYN = 64,
	OBS_LARGE = 128,	/* larger than its link carries: before or behind segmentation */
	OBS_MAY_FRAGMENT = 256,	/* large enough to be cut, or to have been, on the way */
	OBS_ERROR = 512,	/* ICMP error that quotes a packet */
	OBS_DF = 1024,
	OBS_CUT = 2048,		/* the snap length took headers that matching needs */
};

/* Of the outer datagram. */
#define OBS_OUTER_DF 0x4000u
#define OBS_OUTER_UNSUMMED 0x8000u	/* UDP checksum 0 */

/* One hop at which a packet was seen, one way, plain or inside VXLAN. */
struct sighting {
	int64_t first_ns;
	uint32_t covered;	/* bytes of the packet's range seen here */
	uint16_t place;		/* PLACE() */
	uint8_t whole;		/* seen as a whole: no ranges are kept */
	uint8_t role;		/* of the hop */
};

#define PLACE(hop, way, encap) \
	((uint16_t)((unsigned)(hop) << 3 | (unsigned)(way) << 1 | ((encap) ? 1u : 0u)))
#define PLACE_HOP(place) ((unsigned)(place) >> 3)
#define PLACE_WAY(place) (((unsigned)(place) >> 1) & 3u)
#define PLACE_ENCAP(place) (((place) & 1u) != 0)

enum packet_flag {
	PACKET_USED = 1,
	PACKET_CLOSED = 2,
	PACKET_RETRANSMISSION = 4,
	PACKET_TOTAL_KNOWN = 8,		/* fragments: the datagram's length is known */
	PACKET_DONE = 16,		/* whole at its last hop: closes when it has settled */
	PACKET_TIED = 32,		/* look-alikes: see struct tie */
	PACKET_PENDING = 64,		/* only later outer fragments so far: identity not known */
	PACKET_TRACK = 128,		/* whole at each place, as its flow's track says */
	PACKET_QUEUED = 256,		/* in the queue of packets that settle */
	/* closed before its window had passed: the table was full */
	PACKET_EARLY = 512,
	PACKET_INDEXED = 1024,		/* is in its primary bucket */
	PACKET_MORE = 2048,		/* its packet_more is in use */
	PACKET_UDP_SUPER = 4096,	/* UDP_SEGMENT: many datagrams in one frame */
	PACKET_PATH_CUT = 8192,		/* seen at more places than are kept */
	PACKET_TTL_FROM_WIRE = 16384,
	PACKET_SETTLED = 32768,		/* closes with the last of its marks: these need its id */
};

/* What an ICMP error said of a packet. */
enum packet_error {
	ERROR_NONE = 0,
	ERROR_TOO_BIG,
	ERROR_TTL,
	ERROR_UNREACHABLE,
	ERROR_PROHIBITED,
};

/*
 * What every packet has: three cache lines, of which finding it touches the first, seeing
 * it at one more place the second, and opening and closing it the third. All that only
 * some packets have (parts, fragments, secondary keys, look-alikes) is in packet_more.
 */
struct packet {
	uint64_t key;		/* of the primary index */
	uint64_t head, body;
	uint64_t id;		/* 0: none yet */
	uint32_t next, prev;	/* primary bucket; next also of the free list */
	uint32_t parent;	/* the packet that this one turned out to be a part of */
	uint32_t held;		/* observations not marked yet, and children */
	uint32_t flow;		/* as observed first; flow_root() for the group */
	/* bytes of its range: TCP payload, or transport bytes of a datagram */
	uint32_t size;
	uint32_t body_len;
	uint16_t flags;
	uint8_t kind;
	uint8_t n_sightings;

	struct sighting s[SIGHTINGS_FEW];

	int64_t first_ns;
	uint64_t number;	/* frame number of the first observation */
	uint32_t later, earlier;	/* open list, in order of first_ns */
	uint32_t len;		/* frame length at the hop nearest the pod */
	uint32_t payload_len;
	uint32_t small_inner;	/* inner bytes of the outer datagrams counted one by one */
	uint32_t start;		/* TCP: sequence number of the first byte; else 0 */
	uint32_t sig;
	uint16_t ip_id;
	uint16_t small_outer;	/* outer datagrams counted one by one at the underlay */
	uint16_t tunnel;	/* row of the tunnel table, NO_TUNNEL: not encapsulated */
	uint16_t encap_len;
	uint16_t outer_sport;
	uint16_t ambiguous;	/* most candidates that were open at once */
	uint8_t direction;
	uint8_t verdict;	/* enum correlate_verdict */
	uint8_t verdict_rank;	/* role rank of the observation it was decided on */
	uint8_t len_rank;	/* role rank of the observation that len comes from */
	uint8_t ttl_last;
	bool is_v4;
};

#define NO_TUNNEL 0xffffu

/* What only some packets have. Valid with PACKET_MORE: more_of() to look, more_need() to change. */
struct packet_more {
	struct sighting s[SIGHTINGS_MAX - SIGHTINGS_FEW];
	uint32_t aliases;	/* secondary keys */
	uint32_t ranges;	/* what was seen in parts */
	uint32_t n_ranges;
	uint32_t seen;		/* observation list, when asked for */
	uint32_t seen_last;
	uint32_t seen_omitted;
	uint32_t tie, tie_next;
	uint32_t large_outer;	/* super-frames at the encapsulated underlay hop */
	uint32_t segment;	/* payload of its segments as seen at some hop; 0: none seen */
	uint32_t header_len;	/* Ethernet, IP and transport headers of one inner frame */
	uint32_t fragment_bytes;	/* extra headers of outer fragments */
	uint32_t fragment_id;	/* IPv6: of the fragment header */
	/* datagrams that may be cut: hash of what the first fragment shows too */
	uint32_t token;
	uint32_t seq, ack;	/* wire.c: as the transport header has them */
	uint16_t l4_flags;	/* TCP flags; ICMP: type */
	uint16_t outer_fragmented;	/* outer datagrams that were cut */
	/* Ethernet and IP header of a fragment at the hop nearest the pod */
	uint16_t l2l3_len;
	uint16_t l4_len;	/* fragments: transport header in the first one */
	uint16_t outer_flags;	/* wire.c: OBS_OUTER_DF, OBS_OUTER_UNSUMMED */
	uint8_t wire_ttl;	/* at VTEP or underlay, or what it would be there */
	uint8_t outer_ttl;	/* of the VXLAN datagram on the underlay; 0: not seen */
	uint8_t tcp_options_len;
	uint8_t error;		/* enum packet_error */
};

/* A packet that was whole at its last hop at that time, or has to be looked at again. */
struct settling {
	int64_t time_ns;
	uint32_t packet;
};

/* What verify compares besides, as the role nearest the pod shows it. */
struct packet_content {
	struct correlate_content c;
	uint16_t place;		/* that showed it */
	bool seen;		/* else void */
};

/* A secondary key of a packet. */
struct alias {
	uint64_t key;
	uint32_t packet;
	uint32_t next, prev;	/* bucket */
	uint32_t sibling;	/* next alias of the same packet, or of the free list */
	/* outer fragments: where the packet's range begins in the outer datagram */
	uint32_t base;
};

/* Bytes [start, end) of a packet's range, seen at one place. */
struct range {
	uint32_t start, end;
	uint32_t next;
	uint16_t place;
	/* one super-frame at the encapsulated underlay: not joined with others */
	bool large;
};

/* One observation of an open packet, for the outputs that list them. */
struct seen {
	int64_t time_ns;
	uint32_t length, start, bytes;
	uint32_t next;
	uint16_t hop;
	bool part;
};

/*
 * Look-alikes: packets between which at least one observation could not choose. The
 * members are judged together, when the last of them closes: all whole, then order was
 * enough; else nobody can say which of them lost what.
 */
struct tie {
	uint32_t first, last;
	uint32_t members, closed;
	bool any_incomplete;
	uint32_t next_free;
};

enum flow_nat {
	FLOW_NAT_UNKNOWN = 0,	/* its packets also get a key without addresses */
	FLOW_NAT_NONE,		/* a packet went all its way without translation */
	FLOW_NAT_TRANSLATED,	/* a packet went all its way, all its tuples are known */
};

/*
 * Ordered by use, as struct packet is: the first two lines find the flow, the next say what
 * its packets did so far, the rest is summed up when they close.
 */
struct flow {
	uint64_t hash;
	uint64_t key;		/* equal for all flows of one group */
	int64_t last_ns;	/* of its newest observation */
	uint32_t next;		/* bucket */
	uint32_t root;		/* the flow that keeps the group's figures; itself when alone */
	uint32_t open;		/* packets that refer to it */
	uint8_t nat;
	bool origin;		/* seen where packets begin: no translation made this tuple */
	bool from_bridge;	/* a packet of it was first seen at the bridge, on its way in */
	bool to_node;		/* the bridge gave a packet of it to the node */
	bool by_node;		/* ... and got it back: the node itself routes between its pods */
	uint8_t route;		/* enum model_route_kind that its packets took */
	/*
	 * root: the places at which a packet of it was seen that went all its way, whole at
	 * each. What follows from them (the path is complete, its row in the report) was
	 * worked out for that one, and holds for those that do the same. 0: none yet.
	 */
	uint8_t n_track;
	bool track_ends;	/* no hop is left behind its last place */
	uint16_t track[SIGHTINGS_FEW];
	uint16_t track_row;
	bool sent_again;	/* root: bytes of it were, at again_ns; see stream_tie_again() */
	uint32_t tracks;	/* correlate.tracks when that was worked out */
	uint16_t tunnel;	/* the row its packets used last; NO_TUNNEL: none yet */
	int64_t used_ns;	/* when it was put at the front of the use order */
	int64_t again_ns;
	/* root: as long after bytes of it came behind later ones as they may be taken for others */
	int64_t behind_until_ns;

	struct result_tuple tuple;
	uint32_t ring;		/* next flow of the group, a circle */
	uint32_t pod_view;	/* root: the flow as the veth sees it */
	uint32_t far_view;	/* root: as the far side sees it; NONE: not translated */
	uint32_t newer, older;	/* use order */

	uint64_t packets, bytes, payload_bytes, overhead_bytes, retransmissions;
	uint32_t path_votes;
	uint16_t path_row;
	uint8_t direction;
	bool counted;		/* a packet of it has closed */
	bool has_seq;
	uint8_t pod_role, far_role;	/* root: of the hops that showed the two views */
	/* of this direction's SYN (what the other side may send); 0 unknown */
	uint16_t mss;
	uint32_t segment;	/* largest segment seen of its super-frames */
	uint32_t max_end;	/* TCP: highest sequence number seen, as end */
	uint32_t cursor[CURSORS];	/* the super-frame being cut, by place */
	uint16_t cursor_place[CURSORS];
	struct {
		uint32_t start, end;
	} gap[GAPS_MAX];
};

#define REASON_DROPS_ANYTIME "the capture lost frames there, it does not say when"
#define REASON_LAG "some hops' frames come far behind those of others, or the clock was stepped"

struct drop_span {
	int64_t from_ns, to_ns;		/* INT64_MIN: nobody knows when */
	uint64_t count;
};

struct hop_state {
	uint64_t observations, bytes;	/* that were kept */
	uint8_t role;
	int pod;		/* a veth's; else -1 */
	uint32_t mtu;
	bool mtu_is_guess;	/* not told: usual, or more where something showed it */
	/* Ethernet, and known: the device's own; a veth: its pod's; else 0 */
	uint64_t own_mac, pod_mac;
	int64_t start_ns, end_ns;	/* INT64_MIN / INT64_MAX: open */
	uint64_t dropped;
	unsigned n_drops;
	bool drops_anytime;	/* some could not be noted */
	bool drops_untold;	/* the capture does not say whether there were any */
	/* From the first to the last of the frames here that were OBS_CUT. */
	struct time_span cut;
	struct drop_span *drops;	/* DROP_SPANS_MAX of them, made with the first */
};

struct path_row {
	struct result_path_row row;
};

struct loss_row {
	struct result_loss row;		/* reason and evidence filled at the end */
	const char *reason;
	uint32_t missing_mask;		/* roles whose drops would excuse the loss */
};

struct latency_cell {
	struct hist hist;
	uint64_t equal;		/* samples with equal stamps */
};

#define N_ROLES MODEL_ROLE_COUNT
#define N_DIRECTIONS MODEL_DIRECTION_COUNT
#define POD_TABLE_SIZE 2048	/* addresses of 64 pods x 8, a quarter full */
#define POD_ADDRS_FEW 4		/* compared one by one */

struct pod_entry {
	struct addr addr;
	int pod;	/* -1: empty */
};

/*
 * The observation pushed last, for the one that shows the same packet again (correlate_obs.again):
 * what it was matched by, and with. Not set when it was matched otherwise than as a whole.
 */
struct last_push {
	uint32_t flow;
	uint32_t packet;	/* NONE: not set */
	bool alone;		/* no other had its key then; one that comes is a push of its own */
	struct flow *root;	/* it may be followed on this track (track_expect()); NULL: not */
	uint64_t flow_key;	/* of which key was made */
	uint64_t key;
};

struct correlate {
	struct correlate_config cfg;
	const struct model_net *net;
	result_shows_fn *shows;	/* NULL: nobody knows */
	void *shows_arg;
	uint64_t seed;
	bool refuses;		/* some observations are not kept */
	uint32_t depth;		/* bytes of an inner IP packet that every hop captures */
	struct hop_state hop[MODEL_HOPS_MAX];
	unsigned n_hops;
	uint32_t captured_roles;	/* mask of 1 << role */
	uint8_t content_role;	/* the one nearest the pod, with contents; else COUNT */
	unsigned n_underlays;	/* hops with that role */
	/* destinations seen leaving inside VXLAN, or plain where VXLAN was to be expected */
	struct prefix learned[LEARNED_MAX];
	uint8_t learned_kind[LEARNED_MAX];	/* enum model_route_kind */
	unsigned n_learned;
	uint32_t tracks;	/* counts up when all flows' tracks have become doubtful */
	struct last_push last;
	struct pod_entry pods[POD_TABLE_SIZE];
	struct pod_entry few[POD_ADDRS_FEW];	/* the first of them */
	unsigned n_pod_addrs;

	/* packets */
	struct packet *packet;	/* in packet_memory, from the start of a cache line */
	struct packet_more *more;	/* the same index */
	struct packet_content *content;	/* the same; NULL: not asked for */
	void *packet_memory;
	uint32_t n_packets;	/* capacity */
	uint32_t packets_top;	/* never used beyond */
	uint32_t packets_free;
	uint32_t *bucket;
	uint32_t n_buckets, bucket_mask;	/* most, and of those in use */
	uint32_t n_indexed;
	uint32_t oldest, newest;	/* open list */
	/* ring of packets that settle, in order of time; a packet is in it once */
	struct settling *settling;
	uint32_t settling_mask, settling_head, n_settling;
	int64_t settle_ns;
	int64_t wake_ns;	/* no packet closes for its age before */
	uint64_t n_open;

	struct alias *alias;
	uint32_t n_alias, alias_top, alias_free;
	uint32_t *alias_bucket;
	uint32_t alias_mask;

	struct range *range;
	uint32_t n_range, range_top, range_free;

	struct seen *seen;
	uint32_t n_seen, seen_top, seen_free;
	struct result_observation *list;	/* scratch for on_packet */
	struct result_part parts[RANGES_OF_PACKET_MAX];	/* the same */

	struct tie *tie;
	uint32_t n_tie, tie_top, tie_free;

	struct flow *flow;
	uint32_t n_flows, flows_top, flows_free;
	uint32_t *flow_bucket;
	uint32_t flow_mask;
	uint32_t flow_newest, flow_oldest;
	uint64_t flows_evicted;

	/* tallies */
	bool hops_lag;		/* correlate_hops_lag() */
	bool set_back;		/* the clock was: what closes now had not all its window */
	uint64_t next_id;
	uint64_t ids_open;	/* packets with an id that have not closed */
	int64_t now_ns;
	uint64_t foreign, filter_unsure, closed_early;
	uint64_t not_ip, malformed;
	uint64_t total, status[RESULT_STATUS_COUNT];
	struct path_row path_row[PATH_ROWS_MAX];
	unsigned n_path_rows;
	struct result_tunnel tunnel[TUNNELS_MAX];
	unsigned n_tunnels;
	unsigned bare_hop;	/* 1 + the hop at which attach_count_bare() counts; 0: none yet */
	struct {
		uint64_t inner_packets, inner_packets_unknown, outer_datagrams, computed;
		uint64_t inner_bytes, overhead_bytes;
		uint64_t fragmented_outer, fragment_bytes;
		enum result_basis basis;
		struct result_size size[RESULT_SIZES];
	} encap;
	struct latency_cell *latency[N_ROLES][N_ROLES][N_DIRECTIONS];
	struct latency_cell no_cell;	/* where memory for one was missing */
	struct loss_row loss_row[LOSS_ROWS_MAX];
	unsigned n_loss_rows;
	uint64_t losses_omitted;
};

/* ---- pool.c: packets, their keys and ranges */
int pool_init(struct correlate *c, struct err *err);
void pool_done(struct correlate *c);
/* NONE only when all packets of a full table wait for their marks: correlate_make_room(). */
uint32_t packet_new(struct correlate *c, int64_t now_ns);
struct packet_more *packet_more_new(struct correlate *c, struct packet *p);
void packet_index(struct correlate *c, uint32_t p, uint64_t key);
/* The same packet under another primary key; its aliases stay. */
void packet_rekey(struct correlate *c, uint32_t i, uint64_t key);
void packet_unindex(struct correlate *c, uint32_t p);	/* primary and secondary keys */
void packet_unlist(struct correlate *c, uint32_t p);	/* out of the open list */
void packet_release(struct correlate *c, uint32_t p);	/* held went down, or it closed */
void packet_set_flow(struct correlate *c, uint32_t p, uint32_t flow);
uint32_t packet_root(const struct correlate *c, uint32_t p);
void alias_add(struct correlate *c, uint32_t p, uint64_t key, uint32_t base);
uint32_t alias_first(const struct correlate *c, uint64_t key);
uint32_t alias_next(const struct correlate *c, uint32_t a);	/* with the same key */
bool range_overlaps(const struct correlate *c, const struct packet *p, uint16_t place,
		    uint32_t start, uint32_t end);
/* Notes [start, end) at place; returns false when no range was free (then counted as seen). */
bool range_add(struct correlate *c, struct packet *p, uint16_t place, uint32_t start,
	       uint32_t end, bool large);
void range_drop_all(struct correlate *c, struct packet *p);
void seen_add(struct correlate *c, struct packet *p, const struct correlate_obs *o,
	      uint32_t start, uint32_t bytes, bool part);

/* ---- observe.c */
void observe_add_pod(struct correlate *c, const struct addr *a, int pod);
int observe_pod_of(const struct correlate *c, const struct addr *a);	/* -1: of no captured pod */
void observe_learn_hop(struct correlate *c, unsigned hop);	/* role, pod, address known */

/* ---- flow.c */
/* The flow of a tuple, made when it is new; it was used at now_ns. */
uint32_t flow_get(struct correlate *c, const struct result_tuple *t, uint64_t hash,
		  enum model_direction direction, int64_t now_ns);
uint32_t flow_by_hash(const struct correlate *c, uint64_t hash);
uint64_t flow_hash(const struct correlate *c, const struct result_tuple *t);
void flow_link(struct correlate *c, uint32_t a, uint32_t b);
void flow_unlink(struct correlate *c, uint32_t flow);	/* alone again, without its figures */
bool flow_same_group(const struct correlate *c, uint32_t a, uint32_t b);
/* Notes a TCP range; true when all of it was seen before (a retransmission). */
bool flow_note_range(struct flow *f, uint32_t start, uint32_t len);
/* Bytes from start on come behind later ones: sent again or overtaken, which gaps may hide. */
bool flow_is_behind(const struct flow *f, uint32_t start);
/* The smaller MSS of its two SYNs; 0 when one was not seen, whose limit is then not known. */
uint32_t flow_mss(const struct correlate *c, const struct flow *f);
/* Payload bytes of one wire segment of this flow, 0 when not known. */
uint32_t flow_segment_size(const struct correlate *c, const struct flow *f, uint32_t options_len,
			   uint32_t ip_header_len);

struct result_tuple flow_reverse_tuple(const struct result_tuple *t);
/* The flow of the packets that answer those of t; NONE: none was seen. */
uint32_t flow_back(const struct correlate *c, const struct result_tuple *t);

/* ---- match.c: the rules in their order; `same` and `new` */
/* Sets the way of o where only the frames before it tell. */
uint32_t match_observation(struct correlate *c, struct correlate_obs *o, uint32_t flow);
/* A packet of its own for o; NONE only where packet_new() says so. */
uint32_t match_new(struct correlate *c, const struct correlate_obs *o, uint32_t flow);
uint64_t match_key(const struct correlate_obs *o, uint64_t flow_key);

/* ---- choice.c: look-alikes */
struct choice {
	uint32_t best;		/* NONE: nobody was offered */
	unsigned n;
	int64_t best_ns;
	unsigned best_progress;	/* places that have shown it */
	bool best_fresh;
};
void choice_offer(struct correlate *c, struct choice *ch, uint32_t p, int64_t now_ns);
void choice_note(struct correlate *c, const struct choice *ch);
/*
 * What place shows with o was not further on before, as packet p was: it is another packet, equal
 * to it, of which the capture missed this hop. (sent on: the same of a part of it.)
 */
bool choice_was_further_on(const struct correlate *c, const struct packet *p,
			   const struct correlate_obs *o, uint16_t place);
bool choice_was_sent_on(const struct correlate *c, const struct packet *p,
			const struct correlate_obs *o, uint16_t place);
/* An observation could have been of either: they are judged together. */
void choice_tie(struct correlate *c, uint32_t a, uint32_t b);
/* Tied packet `part` became a part of `whole`: this is the look-alike from here on. */
void choice_replace(struct correlate *c, uint32_t whole, uint32_t part);
/* No look-alike of packet i is of another flow: whichever it was, its flow is certain. */
bool choice_is_of_one_flow(const struct correlate *c, uint32_t i);

/* ---- attach.c: what an observation adds to its packet */
/* Bytes [start, start + size) of packet p, seen by o at place. */
void attach_observation(struct correlate *c, uint32_t p, const struct correlate_obs *o,
			uint16_t place, uint32_t start, uint32_t size);
/* Encapsulated on the underlay: what the outer headers cost. */
void attach_count_outer(struct correlate *c, struct packet *p, struct flow *f,
			const struct correlate_obs *o, bool large);
/* The same of one whose inner frame is no packet: not IP, or malformed. Ignored elsewhere. */
void attach_count_bare(struct correlate *c, const struct correlate_obs *o);
bool attach_is_super(const struct correlate *c, const struct correlate_obs *o);
/* Makes packet `child` a part of `parent`: its observations, places and figures move over. */
void attach_part(struct correlate *c, uint32_t parent, uint32_t child);

/* ---- track.c: packets that go the way of those before them */
/* The packet of which o is the next step on its track, with o noted. NONE: the rules decide. */
uint32_t track_observation(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   uint64_t key);
/*
 * Packet i is new, and o shows it where packets enter: it begins on its flow's track, o noted.
 * False: it does not, or is unusual; nothing was noted.
 */
bool track_begin(struct correlate *c, uint32_t i, const struct correlate_obs *o);
/* Packet i was pushed with o: may the next frame, if it shows the same packet, follow its track? */
void track_expect(struct correlate *c, uint32_t i, const struct correlate_obs *o);
/*
 * A frame that shows the packet pushed last once more: the next step of its track, noted. u: where
 * its headers are; o: of that packet, at whichever hop. False: it is not, nothing was noted.
 */
bool track_follow(struct correlate *c, const struct model_frame *before,
		  const struct model_frame *f, const struct model_parts *u,
		  struct correlate_obs *o);
/*
 * p goes the way of those before it: all it is known by is known. But a verdict may
 * still come from a hop nearer the pod, and what the wire brought in segments may be
 * merged by the next hop, to be one packet; whose it is, the next hop may have to tell.
 */
bool track_is_final(const struct correlate *c, const struct packet *p);
/* Packet p has sighting s now (NULL: not kept). True: it is on track, and nothing is left to do. */
bool track_note(struct correlate *c, uint32_t p, struct flow *f, const struct sighting *s,
		int64_t now_ns);
/* p did all that its flow's track says, and nothing else. */
bool track_was_kept(const struct correlate *c, const struct packet *p, const struct flow *f);
/* p was complete, in that row of the report: those that follow it may take the same way. */
void track_leave(const struct correlate *c, const struct packet *p, struct flow *f, uint16_t row);

/* ---- stream.c: segments and merges of TCP bytes */
/* o, TCP data of flow group f, is a super-frame: to be indexed as such when it is a new packet. */
bool stream_is_super(const struct flow *f, const struct correlate_obs *o);
void stream_index(struct correlate *c, uint32_t p, uint64_t flow_key);
uint32_t stream_segment(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			struct flow *f, uint16_t place);
uint32_t stream_merge(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		      struct flow *f, uint16_t place);
/*
 * Bytes of the flow were sent again: o, of packet i as it seems, may as well be a segment of
 * another one that has the same bytes. These are tied.
 */
void stream_tie_again(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		      uint16_t place, uint32_t i);
/*
 * Packet i begins at place with o, which has no IP id. Which of its bytes nobody saw before may be
 * those that were taken for an equal segment's, which place has shown already. These are tied.
 */
void stream_tie_passed(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		       uint16_t place, uint32_t i);
/* IP ids of a part and its whole agree; offset: of the part in the whole. */
bool stream_id_fits(uint32_t part_id, uint32_t whole_id, uint32_t offset, uint32_t part_size,
		    bool is_v4);
/*
 * Bytes of a segment, when a part at offset has the id that so many segments in front of it
 * leave to it; 0: ids do not tell. Holds also where nobody knows what the device carries.
 */
uint32_t stream_segment_by_id(uint32_t part_id, uint32_t whole_id, uint32_t offset, bool is_v4);

/* ---- datagram.c: UDP super-frames, fragments of datagrams, fragments of the tunnel's */
void datagram_index(struct correlate *c, uint32_t p, const struct correlate_obs *o,
		    uint32_t flow);
void datagram_index_super(struct correlate *c, uint32_t p, uint64_t flow_key);
void datagram_index_id(struct correlate *c, uint32_t p, const struct correlate_obs *o);
void datagram_index_outer(struct correlate *c, uint32_t p, const struct correlate_obs *o,
			  uint32_t base);
uint32_t datagram_of_super(struct correlate *c, const struct correlate_obs *o, uint64_t flow_key,
			   uint16_t place, uint32_t *ret_start, uint32_t *ret_size);
uint32_t datagram_fragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			   uint16_t place);
uint32_t datagram_defragment(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			     uint16_t place);
uint32_t datagram_outer_fragment(struct correlate *c, const struct correlate_obs *o,
				 uint32_t flow);
/* The first outer fragment of packet p was seen at place: takes in what came before it. */
void datagram_outer_first(struct correlate *c, uint32_t p, const struct correlate_obs *o,
			  uint16_t place, uint32_t base);

/* ---- translate.c */
uint64_t translate_key(const struct correlate_obs *o);
uint32_t translate_packet(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
			  uint16_t place);
bool translate_stream(struct correlate *c, const struct correlate_obs *o, uint32_t flow,
		      uint16_t place);
/* A translation may show packet p under o's tuple: neither is where its packets begin. */
bool translate_may(const struct correlate *c, const struct packet *p,
		   const struct correlate_obs *o, uint32_t flow, bool is_unique);
/* o shows packet p under the tuple of flow: the two flows are one. */
void translate_learn(struct correlate *c, uint32_t p, const struct correlate_obs *o,
		     uint32_t flow);

/* ---- path.c */
enum model_route_kind path_route(const struct correlate *c, const struct addr *dst);
bool path_is_done(const struct correlate *c, const struct packet *p, const struct sighting *last);
struct path_verdict {
	bool complete;
	enum model_role last_seen, next_expected;
	uint32_t missing_mask;
	const char *reason;
	bool may_be_lost;	/* false: the capture missed it, or nobody can know */
	bool vague;		/* reason says no more than where */
	bool cut;		/* see struct result_packet */
};
void path_judge(const struct correlate *c, const struct packet *p, struct path_verdict *ret);
/*
 * Seen neither on a wire nor at two veths: a hop behind a translation (the node's own address may
 * stand for somebody outside, a Service's for a pod of this node) may have been missed.
 */
bool path_may_go_on(const struct correlate *c, const struct packet *p);
/* Where the packet goes, or where it came from, as on the wire. */
/* Does it go, or come, inside VXLAN, as far as its flow and the routes tell? */
bool path_is_tunnelled(const struct correlate *c, const struct packet *p);
const struct addr *path_far_end(const struct correlate *c, const struct packet *p);

/* ---- wire.c */
/* What both ends of the wire see alike, kept of an observation and told of a packet. */
void wire_note(struct correlate *c, struct packet *p, const struct correlate_obs *o, bool part);
void wire_fill(struct correlate *c, const struct packet *p, struct result_packet *r);

/* ---- content.c */
/* Where in a frame the packet's own headers and payload are; lengths as on the wire. */
struct content_frame {
	const uint8_t *data;
	uint32_t caplen;
	/* offsets in data; l4, payload 0: there is none */
	uint32_t ip, ip_header_len, l4, payload, payload_len;
	uint32_t frag_off;
	bool is_v4, is_frag;
	bool is_quote;		/* an ICMP error: what it quotes is translated with it */
	uint8_t protocol;
};
void content_clear(struct correlate_obs *o);
void content_observe(const struct content_frame *w, struct correlate_obs *o);
/* o, at a hop whose content is wanted, shows packet i. */
void content_note(struct correlate *c, uint32_t i, const struct correlate_obs *o, uint16_t place);
void content_move(struct correlate *c, uint32_t parent, uint32_t child);
void content_fill(const struct correlate *c, uint32_t i, struct result_packet *r);

/* ---- close.c */
void close_packet(struct correlate *c, uint32_t p);
/* A member of a tie has closed (or became part of another packet). */
void close_tied(struct correlate *c, uint32_t p);
/* The queue of packets that close, or are looked at again, when they have settled. */
void close_queue(struct correlate *c, uint32_t p, int64_t now_ns);
void close_unqueue(struct correlate *c);	/* the first of it */
void close_due(struct correlate *c);		/* all whose time has come at now_ns */

/* ---- tally.c: what the report sums up */
struct outer_count {
	uint64_t datagrams, computed, inner_bytes, overhead_bytes;
	enum result_basis basis;
	bool unknown;		/* of its super-frames nothing is counted: segment size not known */
};
void tally_count_outer(const struct correlate *c, const struct packet *p, struct outer_count *ret);
void tally_encapsulation(struct correlate *c, const struct packet *p,
			 const struct outer_count *oc);
void tally_bare_datagram(struct correlate *c, uint16_t tunnel, const struct correlate_obs *o);
uint16_t tally_path(struct correlate *c, const struct packet *p, const struct result_path *path,
		    bool complete);
void tally_path_row(struct correlate *c, const struct packet *p, uint16_t row, bool complete);
/* f: the root of its flow. */
void tally_flow(struct flow *f, const struct packet *p, uint16_t path_row, uint64_t overhead);
void tally_latency(struct correlate *c, const struct packet *p);
void tally_loss(struct correlate *c, const struct packet *p, const struct path_verdict *v,
		bool lost);
int tally_summary(const struct correlate *c, struct result *ret_result, struct err *err);
int tally_counters(const struct correlate *c, struct result *r, struct err *err);
int tally_result(const struct correlate *c, struct result *r, struct err *err);

/* ------------------------------------------------------------------- inline */

/* Time has come this far: what is due closes. */
static inline void close_as_of(struct correlate *c, int64_t now_ns)
{
	if (now_ns > c->now_ns)
		c->now_ns = now_ns;
	if (c->now_ns >= c->wake_ns)
		close_due(c);
}

static inline struct flow *flow_root(const struct correlate *c, uint32_t i)
{
	return &c->flow[c->flow[i].root];
}

static inline bool tuple_eq(const struct result_tuple *a, const struct result_tuple *b)
{
	return a->sport == b->sport && a->dport == b->dport && a->protocol == b->protocol &&
	       addr_eq(&a->src, &b->src) && addr_eq(&a->dst, &b->dst);
}

static inline uint32_t flow_find(const struct correlate *c, const struct result_tuple *t,
				 uint64_t hash)
{
	uint32_t i = c->flow_bucket[hash & c->flow_mask];

	while (i != NONE && (c->flow[i].hash != hash || !tuple_eq(&c->flow[i].tuple, t)))
		i = c->flow[i].next;
	return i;
}

/* The same packets take other ways from here on: what was worked out is asked for again. */
static inline void flow_forget_track(struct flow *root)
{
	root->n_track = 0;
}

/* Observations of it wait for their mark, or parts of it do. */
static inline bool packet_waits(const struct packet *p)
{
	return p->held > ((p->flags & PACKET_TIED) ? 1u : 0u);
}

static inline bool packet_is_open(const struct packet *p)
{
	return (p->flags & (PACKET_USED | PACKET_CLOSED)) == PACKET_USED && p->parent == NONE;
}

/* Of a packet that has none: an empty one. Not to be changed. */
static inline const struct packet_more *more_of(const struct correlate *c, const struct packet *p)
{
	extern const struct packet_more packet_more_none;

	return (p->flags & PACKET_MORE) ? &c->more[p - c->packet] : &packet_more_none;
}

static inline struct packet_more *more_need(struct correlate *c, struct packet *p)
{
	return (p->flags & PACKET_MORE) ? &c->more[p - c->packet] : packet_more_new(c, p);
}

/* i < p->n_sightings */
static inline const struct sighting *sighting(const struct correlate *c, const struct packet *p,
					      unsigned i)
{
	return i < SIGHTINGS_FEW ? &p->s[i] : &c->more[p - c->packet].s[i - SIGHTINGS_FEW];
}

static inline struct sighting *sighting_change(struct correlate *c, struct packet *p, unsigned i)
{
	return i < SIGHTINGS_FEW ? &p->s[i] : &more_need(c, p)->s[i - SIGHTINGS_FEW];
}

static inline struct sighting *sighting_at(struct correlate *c, struct packet *p, uint16_t place)
{
	for (unsigned i = 0; i < p->n_sightings; i++) {
		struct sighting *s = sighting_change(c, p, i);
		if (s->place == place)
			return s;
	}
	return NULL;
}

static inline bool packet_has_place(const struct correlate *c, const struct packet *p,
				    uint16_t place)
{
	for (unsigned i = 0; i < p->n_sightings; i++)
		if (sighting(c, p, i)->place == place)
			return true;
	return false;
}

/*
 * p is open, was seen elsewhere and then at place, not long before o came there: what o shows first
 * may be p's, and the other way.
 */
static inline bool packet_has_come_by(const struct correlate *c, const struct packet *p,
				      const struct correlate_obs *o, uint16_t place)
{
	return packet_is_open(p) && packet_has_place(c, p, place) && p->s[0].place != place &&
	       o->time_ns - p->s[0].first_ns <= LOOKALIKE_AGE_NS;
}

/* Payloads agree as far as both hops captured them. */
static inline bool packet_same_content(const struct packet *p, const struct correlate_obs *o)
{
	return p->kind == o->kind && p->head == o->head && p->size == o->size &&
	       (p->body_len != o->body_len || p->body == o->body);
}

/* The length of its Ethernet frame, of which the hop nearest the pod has the last word. */
static inline void attach_note_length(struct correlate *c, struct packet *p, uint32_t eth_len,
				      unsigned role)
{
	if (role < p->len_rank || (role == p->len_rank && eth_len > p->len)) {
		p->len_rank = (uint8_t)role;
		p->len = eth_len;
		if (p->flags & PACKET_MORE)
			more_need(c, p)->l2l3_len = 0;
	}
}

/* Direction, TTL and length. */
static inline void attach_note_nearest(struct correlate *c, struct packet *p,
				       const struct correlate_obs *o, unsigned role)
{
	if (o->direction == MODEL_DIRECTION_EGRESS || p->direction == MODEL_DIRECTION_OTHER)
		p->direction = o->direction;
	p->ttl_last = o->ttl;
	attach_note_length(c, p, o->eth_len, role);
}

/*
 * Packet i went all its way: its flow's packets need no second key any more. But of
 * look-alikes nobody can say which way was whose. f: its flow's root.
 */
static inline void attach_note_nat(const struct correlate *c, uint32_t i, struct flow *f)
{
	if (!(c->packet[i].flags & PACKET_TIED) && !path_may_go_on(c, &c->packet[i]))
		f->nat = f->far_view == NONE ? FLOW_NAT_NONE : FLOW_NAT_TRANSLATED;
}

/* All of it was seen at its last hop: it closes when it has settled. */
static inline void attach_is_done(struct correlate *c, uint32_t i, struct flow *f, int64_t now_ns)
{
	c->packet[i].flags |= PACKET_DONE;
	if (f)
		attach_note_nat(c, i, f);
	close_queue(c, i, now_ns);
}

static inline uint16_t place_of(const struct correlate_obs *o)
{
	return PLACE(o->hop, o->way, o->flags & OBS_ENCAP);
}

#endif
