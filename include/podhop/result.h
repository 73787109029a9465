/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result.h - what a run found out: closed packets and the report.
 *
 * Owns: the heap behind `struct result` (result_free()); a result_packet is
 * borrowed for the length of the callback that hands it over.
 * Never: formats anything. Mirrors podhop.packet/1 and podhop.report/1.
 */
#ifndef PODHOP_RESULT_H
#define PODHOP_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "podhop/addr.h"
#include "podhop/model.h"

#define RESULT_PATH_MAX 12	/* sightings of one packet; longer paths end in "loop" */
#define RESULT_LIST_MAX 10000	/* flows and lost packets listed; the contract's limit */
/* listed with one packet; a BIG TCP frame has 380 segments a hop */
#define RESULT_OBSERVATIONS_MAX 4096

enum result_status {
	RESULT_COMPLETE = 1,
	RESULT_INCOMPLETE,
	RESULT_AMBIGUOUS,
	RESULT_EDGE,
	RESULT_STATUS_COUNT,
};
const char *result_status_name(enum result_status s);

enum result_basis {
	RESULT_BASIS_NONE = 0,	/* nothing to judge: no datagram at all */
	RESULT_BASIS_OBSERVED,
	RESULT_BASIS_COMPUTED,
	RESULT_BASIS_MIXED,
	RESULT_BASIS_UNKNOWN,
};
const char *result_basis_name(enum result_basis b);	/* NULL for NONE */
enum result_basis result_basis_join(enum result_basis a, enum result_basis b);

struct result_tuple {
	struct addr src, dst;
	uint16_t sport, dport;
	uint8_t protocol;	/* IP protocol number */
	bool has_ports;		/* ICMP echo: sport = id, no dport */
};

/* The frames in which a packet would have come by a hop, as far as that is known. */
struct result_frames {
	/* Their own headers': inside VXLAN the outer ones; addresses may be none, not known. */
	struct result_tuple tuple;
	bool vxlan;
	bool in_fragments;	/* some of them may be; later ones have no ports */
	bool in_segments;	/* it may have come in several frames, each with a header */
};

/* Did a hop's capture, which was told by a filter to leave frames out (model_hop), take these? */
enum result_shown {
	RESULT_SHOWN = 0,
	RESULT_SHOWN_UNKNOWN,
	RESULT_HIDDEN,
};

/* Asked of a hop that is filtered. node: verify's index of it, else 0. */
typedef enum result_shown result_shows_fn(void *arg, unsigned node, unsigned hop,
					  const struct result_frames *frames);

/* The roles of a path, in time order. */
struct result_path {
	uint8_t n;
	bool cut;			/* more sightings than fit */
	uint8_t role[RESULT_PATH_MAX];	/* enum model_role */
};
#define RESULT_PATH_STR_MAX 160
/* "veth>bridge>vtep>underlay"; "" for an empty path. Returns out. */
const char *result_path_str(const struct result_path *p, char out[static RESULT_PATH_STR_MAX]);

struct result_observation {
	uint16_t hop;		/* index into model_net.hops */
	int64_t time_ns;
	uint32_t length;
	bool is_segment;
	uint32_t index, of;	/* from 0; of 0: not known */
	uint32_t bytes;		/* payload bytes of this segment */
};

/* How a packet's bytes are counted. */
enum result_kind {
	RESULT_KIND_WHOLE = 0,	/* a datagram: bytes of its transport header and payload */
	RESULT_KIND_STREAM,	/* TCP data: bytes of the stream from tcp_seq on */
	RESULT_KIND_FRAGMENTS,	/* a datagram seen in IP fragments first */
};

/*
 * Of payload bytes, in a form that adds up: the sums of segments, or of fragments, are together
 * that of the whole, however it was cut. The little-endian 32-bit words in which the bytes lie,
 * those of other packets taken as 0, where the word's number follows from a byte's place in its
 * stream (sequence number) or datagram: their sum, and the sum of word times number (Fletcher's
 * checksum). One word that was changed is found again: see src/verify/group.c.
 */
struct result_sum {
	uint64_t words, placed;	/* modulo 2^64 */
	uint32_t bytes;		/* that went in */
	bool cut;		/* some were not captured */
};

/* A transport checksum, as the frame bears it. */
enum result_checksum {
	RESULT_CHECKSUM_UNKNOWN = 0,	/* not all bytes captured, or none that podhop knows */
	RESULT_CHECKSUM_RIGHT,
	RESULT_CHECKSUM_PARTIAL,	/* of the pseudo-header: offload fills in the rest */
	RESULT_CHECKSUM_NONE,		/* UDP: 0 */
	RESULT_CHECKSUM_WRONG,
};

/* Where a packet was seen: one hop, one way, plain or inside VXLAN. In time order. */
#define RESULT_SIGHTINGS_MAX 6
struct result_sighting {
	int64_t first_ns;	/* of its first segment there */
	uint32_t covered;	/* bytes of the packet seen there */
	uint16_t hop;
	uint8_t role, way;
	bool encap;
	bool whole;		/* all of them: no parts are listed */
};

/* Bytes [start, end) of a packet, seen at sighting `at`. */
struct result_part {
	uint32_t start, end;
	uint8_t at;
};

struct result_packet {
	uint64_t id;
	enum result_status status;
	enum model_direction direction;
	struct result_path path;
	int64_t time_ns;		/* first observation */
	struct result_tuple tuple;	/* as the pod's veth sees it */
	bool translated;
	struct result_tuple translation;	/* as the far side sees it */
	uint32_t length;		/* at the hop nearest the pod */
	uint32_t payload_len;
	bool retransmission;
	bool refused;			/* by FILTER: nothing else is judged */
	/* encapsulation */
	bool encapsulated;
	struct addr outer_src, outer_dst;
	uint16_t outer_sport, outer_port;
	uint32_t vni;
	uint32_t outer_datagrams;	/* 0 and basis unknown: cannot be told */
	enum result_basis basis;
	uint64_t inner_bytes, overhead_bytes;
	/* incomplete */
	enum model_role last_seen, next_expected;	/* NONE when complete */
	bool lost;				/* the verdict: else unknown */
	bool cut;		/* headers were cut at a hop at that time: it may have been there */
	const char *reason;			/* "" when complete */
	/* identity, for verify: equal on both nodes for the same packet */
	uint64_t fingerprint;
	uint32_t ip_id, tcp_seq;
	bool has_ip_id, has_tcp_seq;
	uint64_t frame_number;			/* of the first observation */
	enum result_kind kind;
	uint64_t body;				/* hash of the payload's first body_len bytes */
	uint32_t body_len;
	uint32_t size;				/* bytes, see enum result_kind */
	uint32_t segment;			/* payload of its segments; 0: not known */
	uint32_t sig;				/* TCP: equal for all segments of a super-frame */
	uint32_t seq, ack;			/* TCP; ICMP echo: seq */
	uint16_t l4_flags;			/* TCP flags; ICMP: type */
	uint8_t ttl;				/* on the wire: at VTEP or underlay */
	uint8_t outer_ttl;			/* of the VXLAN datagram; 0: not seen */
	bool outer_df, outer_fragmented, outer_unsummed;	/* unsummed: UDP checksum 0 */
	struct result_sighting sightings[RESULT_SIGHTINGS_MAX];
	unsigned n_sightings;
	/* contents (correlate_config): as the captured role nearest the pod shows it */
	bool has_contents;			/* else it was not seen there: all are void */
	struct result_sum sum;			/* of the payload */
	uint32_t fixed;				/* hash of TCP window and urgent pointer, DF */
	uint64_t lead;				/* UDP: first eight bytes of the payload, or 0 */
	uint8_t checksum;			/* enum result_checksum */
	uint8_t tos;
	const struct result_part *parts;	/* of sightings that are not whole; any order */
	unsigned n_parts;
	/* every observation in time order, when asked for */
	const struct result_observation *observations;
	unsigned n_observations;
	uint32_t observations_omitted;
};

struct result_input {
	char *file;
	uint64_t frames;
	int64_t truncated_at;	/* offset; -1: read to the end */
	char *reason;		/* "" */
};

struct result_interface {
	char name[MODEL_NAME_MAX];
	enum model_role role;
	uint64_t observations, bytes;	/* kept; bytes as on the wire */
	int64_t dropped_kernel, dropped_interface;	/* -1: not known */
	uint64_t dropped_podhop;	/* taken by the kernel, and not looked at */
};

struct result_path_row {
	struct result_path path;
	enum model_direction direction;
	bool encapsulated;
	uint64_t packets, bytes;
	uint64_t complete;		/* of the packets: their path rightly begins and ends so */
};

/* Encapsulated packets by their length; a super-frame has its own, not its segments'. */
#define RESULT_SIZES 7
struct result_size {
	uint64_t packets, outer_datagrams, inner_bytes, overhead_bytes;
};
/* The class of a length, below RESULT_SIZES, and a class's largest length (UINT32_MAX: none). */
unsigned result_size_class(uint32_t length);
uint32_t result_size_limit(unsigned size_class);

struct result_tunnel {
	uint32_t vni;
	struct addr outer_src, outer_dst;
	uint16_t port;
	uint64_t packets, outer_datagrams, inner_bytes, overhead_bytes;
	enum result_basis basis;
};

/* Samples from from_ns up to below to_ns; empty bars are left out. */
struct result_bar {
	uint64_t from_ns, to_ns, samples;
};

struct result_latency {
	enum model_role from, to;
	enum model_direction direction;
	bool measurable;
	uint64_t samples;
	uint64_t min_ns, p50_ns, p90_ns, p99_ns, max_ns;	/* 0 when not measurable */
	struct result_bar *bars;	/* ascending; none when not measurable */
	unsigned n_bars;
};

struct result_flow {
	struct result_tuple tuple;
	bool translated;
	struct result_tuple translation;
	enum model_direction direction;
	struct result_path path;	/* the one most of its packets took */
	uint64_t packets, bytes, payload_bytes, overhead_bytes, retransmissions;
};

#define RESULT_LOSS_PEERS 8
struct result_loss {
	enum model_role last_seen, next_expected;
	enum model_direction direction;
	uint64_t packets, bytes;
	bool lost;		/* verdict "lost", else "unknown" */
	char *reason;
	char **evidence;
	unsigned n_evidence;
	bool vague;		/* reason tells where, not why: the taps alone do not show it */
	struct addr peers[RESULT_LOSS_PEERS];	/* far ends, as on the wire; each once */
	unsigned n_peers;
	bool peers_cut;		/* there are more */
};

struct result {
	char *node;
	struct result_input *inputs;
	unsigned n_inputs;
	struct {
		int64_t start_ns, end_ns;	/* 0 when nothing was seen */
		uint64_t observations, foreign, filter_unsure, late, closed_early;
		uint64_t clock_steps;		/* of the system clock, each once */
		uint64_t cpu_ns, max_rss_bytes;
		struct result_interface *interfaces;
		unsigned n_interfaces;
	} capture;
	struct {
		uint64_t total, complete, incomplete, ambiguous, edge, not_ip, malformed;
	} packets;
	struct result_path_row *paths;	/* most packets first */
	unsigned n_paths;
	struct result_encapsulation {
		uint64_t inner_packets;
		/* of these: segment size not known, their super-frames are in no figure below */
		uint64_t inner_packets_unknown;
		uint64_t outer_datagrams, outer_datagrams_computed;
		uint64_t inner_bytes, outer_bytes, overhead_bytes;
		enum result_basis basis;
		uint64_t fragmented_outer, fragment_bytes;
		struct result_size sizes[RESULT_SIZES];
		struct result_tunnel *tunnels;	/* most packets first */
		unsigned n_tunnels;
	} encapsulation;
	struct result_latency *latency;	/* in hop order, egress first */
	unsigned n_latency;
	struct result_flow *flows;	/* most bytes first */
	unsigned n_flows;
	uint64_t flows_omitted;
	struct result_loss *losses;	/* most packets first */
	unsigned n_losses;
	uint64_t losses_omitted;
};

/* Frees what r points to and empties it; r itself is the caller's. NULL is accepted. */
void result_free(struct result *r);

#endif
