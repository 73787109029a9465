/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify_nodes.h - two nodes a and b with a pod each, and packets between them that are made up.
 *
 * For unit tests of verify: begin(), give() or both(), ran(), end(), done(). To be included
 * behind cmocka's headers.
 */
#ifndef TESTS_VERIFY_NODES_H
#define TESTS_VERIFY_NODES_H

#include <stdlib.h>
#include <string.h>

#include "podhop/verify.h"

#define T0 1700000000000000000LL
#define S 1000000000LL
#define MS 1000000LL
#define SHIFT (5 * S + 37123456) /* node b's clock is ahead */
#define TCP MODEL_PROTO_TCP
#define A 0u
#define B 1u

static struct model_net net[2];
static struct verify *v;
static struct verify_result result;
static uint64_t next_id[2];

static inline void setup_net(unsigned k)
{
	struct model_net *n = &net[k];

	memset(n, 0, sizeof(*n));
	for (unsigned role = MODEL_ROLE_VETH; role <= MODEL_ROLE_UNDERLAY; role++) {
		n->hops[n->n_hops].role = role;
		n->hops[n->n_hops++].pod = role == MODEL_ROLE_VETH ? 0 : -1;
	}
	n->n_pods = 1;
	n->pods[0].n_addrs = 1;
	assert_int_equal(addr_parse(k ? "10.244.2.2" : "10.244.1.2", &n->pods[0].addrs[0]), 0);
}

static inline void begin(unsigned nodes, bool has_offset, int64_t offset_ns)
{
	struct verify_config c = { .n_nodes = nodes,
				   .net = { &net[A], &net[B] },
				   .name = { "a", "b" },
				   .packets_max = 4096,
				   .has_offset = has_offset,
				   .offset_ns = offset_ns };

	setup_net(A);
	setup_net(B);
	next_id[A] = next_id[B] = 0;
	v = verify_new(&c, NULL);
	assert_non_null(v);
}

static inline const struct verify_direction *end(unsigned direction)
{
	verify_finish(v);
	assert_int_equal(verify_get(v, &result, NULL), 0);
	assert_true(direction < result.n_directions);
	return &result.directions[direction];
}

static inline void done(void)
{
	verify_result_free(&result);
	verify_free(v);
}

/* The captures' spans and that all was given, as the last thing before end(). */
static inline void ran(int64_t from, int64_t to)
{
	verify_time(v, A, T0 + from, T0 + to, INT64_MAX);
	verify_time(v, B, T0 + from + SHIFT, T0 + to + SHIFT, INT64_MAX);
}

struct spec {
	uint8_t protocol; /* 0: UDP */
	uint32_t seq, size; /* TCP: bytes of the stream */
	uint32_t ip_id, sig;
	uint64_t head, body;
	bool back; /* from b's pod */
	unsigned hops; /* at how many hops it was seen, in its direction; 0: all */
	uint32_t segment;
	bool retransmission;
	bool cut;
};

/* time: by the clock that a has; a packet takes 10 us a hop, 100 us between the nodes. */
static inline struct result_packet packet(unsigned node, int64_t time, const struct spec *s)
{
	bool leaves = (node == A) != s->back;
	unsigned hops = s->hops ? s->hops : 4;
	struct result_packet p = {
		.id = ++next_id[node],
		.status = RESULT_COMPLETE,
		.frame_number = next_id[node],
		.direction = leaves ? MODEL_DIRECTION_EGRESS : MODEL_DIRECTION_INGRESS,
		.fingerprint = s->head,
		.body = s->body,
		.body_len = s->body ? 32 : 0,
		.ip_id = s->ip_id,
		.has_ip_id = s->ip_id != 0,
		.sig = s->sig,
		.size = s->size ? s->size : 100,
		.length = 142,
		.encapsulated = true,
		.vni = 1,
		.ttl = 63,
		.outer_sport = 50000,
		.segment = s->segment,
		.cut = s->cut,
		.retransmission = s->retransmission,
	};

	p.tuple.src = net[s->back ? B : A].pods[0].addrs[0];
	p.tuple.dst = net[s->back ? A : B].pods[0].addrs[0];
	p.tuple.protocol = s->protocol ? s->protocol : MODEL_PROTO_UDP;
	p.tuple.has_ports = true;
	p.tuple.sport = s->back ? 80 : 4000;
	p.tuple.dport = s->back ? 4000 : 80;
	if (p.tuple.protocol == MODEL_PROTO_TCP) {
		p.kind = RESULT_KIND_STREAM;
		p.has_tcp_seq = true;
		p.tcp_seq = p.seq = s->seq;
		p.l4_flags = MODEL_TCP_ACK;
	}
	int64_t t = T0 + time + (node == B ? SHIFT : 0);
	for (unsigned i = 0; i < hops; i++) {
		struct result_sighting *g = &p.sightings[p.n_sightings++];
		g->role = (uint8_t)(leaves ? MODEL_ROLE_VETH + i : MODEL_ROLE_UNDERLAY - i);
		g->hop = (uint16_t)(g->role - MODEL_ROLE_VETH);
		g->first_ns = t + i * 10000 + (leaves ? 0 : 130000);
		g->whole = true;
		g->covered = p.size;
		g->encap = g->role == MODEL_ROLE_UNDERLAY;
	}
	p.time_ns = p.sightings[0].first_ns;
	return p;
}

static inline void give(unsigned node, int64_t time, const struct spec *s)
{
	struct result_packet p = packet(node, time, s);

	verify_packet(v, node, &p);
}

static inline void both(int64_t time, const struct spec *s)
{
	give(A, time, s);
	give(B, time, s);
}

/* Delivered packets both ways around what a case is about: clocks and scope are known then. */
static inline void frame_of(int64_t from, int64_t to)
{
	both(from, &(struct spec){ .head = 1, .body = 1, .ip_id = 9001 });
	both(from + MS, &(struct spec){ .head = 2, .body = 2, .ip_id = 9002, .back = true });
	both(to, &(struct spec){ .head = 3, .body = 3, .ip_id = 9003 });
	both(to + MS, &(struct spec){ .head = 4, .body = 4, .ip_id = 9004, .back = true });
}

/* The first pair's clocks differ by so much, and that is known to less than a millisecond. */
static inline void assert_clock(int64_t offset_ns)
{
	const struct verify_clock_line *l = &result.clocks[0].line;

	assert_true(l->known);
	assert_true(llabs(l->offset_ns - offset_ns) <= l->uncertainty_ns);
	assert_true(l->uncertainty_ns < MS);
}

static inline bool has_reason(const char *part)
{
	for (unsigned i = 0; i < result.n_reasons; i++)
		if (strstr(result.reasons[i], part))
			return true;
	return false;
}

#endif
