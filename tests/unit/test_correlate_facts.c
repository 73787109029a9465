/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_correlate_facts.c - what the correlator takes from around the packets: which way a frame
 * went, where a route leads, what an ICMP error says, how large segments are, what was dropped.
 */
#include "correlate_bench.h"

static int setup(void **state)
{
	*state = bench_new();
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

static struct wire udp(uint16_t id, const char *dst)
{
	return (struct wire){ .src = is_v6(dst) ? POD6 : POD,
			      .dst = dst,
			      .sport = 1000,
			      .dport = 2000,
			      .proto = MODEL_PROTO_UDP,
			      .id = id,
			      .len = 100,
			      .data = id };
}

/* ----------------------------------------------------------------------- way */

static enum model_way way_at(struct bench *b, enum bench_hop hop, uint8_t dst, uint8_t src,
			     uint32_t caplen, enum model_way told)
{
	uint8_t bytes[60] = { [5] = dst, [11] = src };
	struct model_frame f = { .data = bytes,
				 .caplen = caplen,
				 .len = 60,
				 .hop = (uint16_t)hop,
				 .way = (uint8_t)told };

	return correlate_way(b->c, &f);
}

static void test_macs_tell_the_way(void **state)
{
	struct bench *b = *state;

	b->net.pods[0].mac = (struct mac){ { [5] = 9 } };
	b->net.hops[VETH2].pod = -1;
	b->net.n_hops = BENCH_HOPS;
	memset(&b->net.hops[VETH2].mac, 0, sizeof(struct mac));
	bench_start(b);
	/* a veth: what its pod sent comes in; what goes to the pod, hairpinned as well, goes out */
	assert_int_equal(way_at(b, VETH, 1, 9, 60, 0), MODEL_WAY_IN);
	assert_int_equal(way_at(b, VETH, 9, 1, 60, 0), MODEL_WAY_OUT);
	assert_int_equal(way_at(b, VETH, 9, 9, 60, 0), MODEL_WAY_OUT);
	assert_int_equal(way_at(b, VETH, 7, 7, 60, 0), MODEL_WAY_OUT);
	/* others send with their own */
	assert_int_equal(way_at(b, BRIDGE, 9, 2, 60, 0), MODEL_WAY_OUT);
	assert_int_equal(way_at(b, BRIDGE, 2, 9, 60, 0), MODEL_WAY_IN);
	/* nothing to go by */
	assert_int_equal(way_at(b, VETH2, 2, 9, 60, 0), MODEL_WAY_UNKNOWN);
	assert_int_equal(way_at(b, BRIDGE, 9, 2, 11, 0), MODEL_WAY_UNKNOWN);
	/* what the file says counts more */
	assert_int_equal(way_at(b, BRIDGE, 9, 2, 60, MODEL_WAY_IN), MODEL_WAY_IN);
}

/* Frames of equal stamps go in the order in which a packet visits the hops. */
static void test_order_of_equal_stamps(void **state)
{
	static const enum bench_hop way_out[] = { VETH, BRIDGE, VTEP, UNDERLAY };
	struct bench *b = *state;
	uint8_t last = 0;

	bench_start(b);
	for (unsigned i = 0; i < 4; i++) {
		uint8_t o = correlate_order(b->c, way_out[i], MODEL_WAY_UNKNOWN,
					    MODEL_DIRECTION_EGRESS);

		assert_true(o > last);
		assert_int_equal(o, correlate_order(b->c, way_out[i],
						    i < 2 ? MODEL_WAY_IN : MODEL_WAY_OUT, 0));
		last = o;
	}
	for (unsigned i = 4; i-- > 0;) {
		uint8_t o = correlate_order(b->c, way_out[i], MODEL_WAY_UNKNOWN,
					    MODEL_DIRECTION_INGRESS);

		assert_true(o > last);
		last = o;
	}
}

/* Without MAC addresses a pod's own addresses tell, at its veth. */
static void test_addresses_tell_the_way(void **state)
{
	struct bench *b = *state;
	struct wire back = udp(2, POD);

	back.src = REMOTE;
	for (unsigned i = 0; i < BENCH_HOPS; i++)
		memset(&b->net.hops[i].mac, 0, sizeof(struct mac));
	bench_start(b);
	see(b, VETH, MODEL_WAY_UNKNOWN, 0, udp(1, REMOTE));
	see(b, VETH, MODEL_WAY_UNKNOWN, MS, back);
	bench_end(b);
	assert_int_equal(packet_of(b, 0)->sightings[0].way, MODEL_WAY_IN);
	assert_int_equal(packet_of(b, 1)->sightings[0].way, MODEL_WAY_OUT);
}

/* -------------------------------------------------------------------- routes */

/* A file has no routing table: the bridge's own network and what VXLAN has carried stand for it. */
static void test_routes_from_addresses(void **state)
{
	static const struct {
		const char *dst;
		enum model_role next; /* NONE: complete with the veth and the bridge */
	} cases[] = {
		{ "10.244.1.9", MODEL_ROLE_NONE }, /* behind the bridge */
		{ "192.168.77.11", MODEL_ROLE_NONE }, /* the node itself */
		{ "10.244.7.7", MODEL_ROLE_VTEP }, /* in flannel's network */
		{ "8.8.8.8", MODEL_ROLE_UNDERLAY }, /* out of it */
		{ "fd00:1::9", MODEL_ROLE_NONE },     { "fd00:1:0:7::7", MODEL_ROLE_VTEP },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct wire w = udp(1, cases[i].dst);

		b->net.routes_known = false;
		b->net.n_routes = 0;
		prefix_parse("10.244.1.1/24", &b->net.hops[BRIDGE].addrs[0]);
		prefix_parse("fd00:1::1/64", &b->net.hops[BRIDGE].addrs[1]);
		b->net.hops[BRIDGE].n_addrs = 2;
		prefix_parse("192.168.77.11/24", &b->net.hops[UNDERLAY].addrs[0]);
		b->net.hops[UNDERLAY].n_addrs = 1;
		bench_start(b);
		see(b, VETH, MODEL_WAY_IN, 4000 * MS, w);
		see(b, BRIDGE, MODEL_WAY_IN, 4000 * MS + 5 * US, w);
		/* so that it is no edge */
		see(b, VETH, MODEL_WAY_IN, 0, udp(9, REMOTE));
		see(b, VETH, MODEL_WAY_IN, 9000 * MS, udp(10, REMOTE));
		for (unsigned h = 0; h < 4; h++)
			correlate_hop_span(b->c, h, BENCH_START_NS - 9000 * MS,
					   BENCH_START_NS + 18000 * MS);
		bench_end(b);
		const struct result_packet *p = packet_of(b, 0);
		if (p->next_expected != cases[i].next)
			fail_msg("%s: %d", cases[i].dst, (int)p->next_expected);
		bench_free(b);
	}
}

/* A file: the routes are not known, only what the bridge's own address is, where it has one. */
static struct bench *file_bench(const char *bridge)
{
	struct bench *b = bench_new();

	b->net.routes_known = false;
	b->net.n_routes = 0;
	if (bridge) {
		prefix_parse(bridge, &b->net.hops[BRIDGE].addrs[0]);
		b->net.hops[BRIDGE].n_addrs = 1;
	}
	return b;
}

/*
 * What goes to the node, or comes from it, passes the bridge. One frame that the capture missed
 * there does not make it traffic between two pods.
 */
static void test_node_behind_the_bridge(void **state)
{
	(void)state;
	for (unsigned known = 0; known < 2; known++) {
		struct bench *b = file_bench(known ? "169.254.20.10/32" : NULL);
		unsigned at[4];

		bench_start(b);
		for (unsigned i = 0; i < 4; i++) {
			struct wire w = udp((uint16_t)(i + 1), "169.254.20.10");
			struct wire r = { .src = w.dst, .dst = POD, .sport = w.dport,
					  .dport = w.sport, .proto = MODEL_PROTO_UDP, .len = 90,
					  .id = (uint16_t)(i + 1), .data = i + 100 };

			at[i] = see(b, VETH, MODEL_WAY_IN, i * MS, w);
			if (i != 2)
				see(b, BRIDGE, MODEL_WAY_IN, i * MS + US, w);
			if (i != 0)
				see(b, BRIDGE, MODEL_WAY_OUT, i * MS + 500 * US, r);
			see(b, VETH, MODEL_WAY_OUT, i * MS + 501 * US, r);
		}
		bench_end(b);
		assert_int_equal(b->result.packets.total, 8);
		assert_int_equal(b->result.packets.complete, 6);
		assert_int_equal(b->result.packets.incomplete, 2);
		assert_int_equal(packet_of(b, at[2])->next_expected, MODEL_ROLE_BRIDGE);
		bench_free(b);
	}
}

/* An ICMP error of the node itself, by its address, was missed at the bridge. */
static void test_error_of_the_node(void **state)
{
	struct bench *b = file_bench("10.244.1.1/24");
	struct wire q = udp(1, "10.244.7.7");
	struct wire e = { .src = "10.244.1.1", .dst = POD, .proto = MODEL_PROTO_ICMP,
			  .icmp_type = 11, .quote = &q, .id = 5 };

	(void)state;
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, q);
	unsigned a = see(b, VETH, MODEL_WAY_OUT, MS, e);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_BRIDGE);
	assert_false(packet_of(b, a)->lost);
	bench_free(b);
}

/* In flannel's network, and yet plain: what goes to the same node then goes without VXLAN too. */
static void test_direct_route_learned(void **state)
{
	struct bench *b = file_bench("10.244.1.1/24");
	struct wire w = udp(1, "10.244.7.7");

	(void)state;
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, BRIDGE, MODEL_WAY_IN, US, w);
	see(b, UNDERLAY, MODEL_WAY_OUT, 2 * US, w);
	w.dst = "10.244.7.8";
	unsigned a = see(b, VETH, MODEL_WAY_IN, MS, w);
	see(b, BRIDGE, MODEL_WAY_IN, MS + US, w);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_UNDERLAY);
	bench_free(b);
}

/* A capture without an underlay: the packet is done at the last hop that there is. */
static void test_hops_that_were_not_captured(void **state)
{
	struct bench *b = *state;

	b->net.n_hops = BRIDGE + 1;
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, udp(1, REMOTE));
	see(b, BRIDGE, MODEL_WAY_IN, 5 * US, udp(1, REMOTE));
	bench_end(b);
	assert_int_equal(packet_of(b, 0)->status, RESULT_COMPLETE);
	assert_int_equal(b->result.packets.complete, 1);
}

/* -------------------------------------------------------------------- errors */

static void test_what_an_icmp_error_says(void **state)
{
	static const char too_big[] =
		"larger than the path allows: an ICMP error about it was sent",
			  ttl[] = "its TTL ended: an ICMP error about it was sent",
			  refused[] = "refused by a filter: an ICMP error about it was sent",
			  unreachable[] = "unreachable: an ICMP error about it was sent";
	static const struct {
		uint8_t type, code;
		bool v6;
		const char *reason;
	} cases[] = {
		{ 3, 4, false, too_big },    { 3, 9, false, refused },
		{ 3, 10, false, refused },   { 3, 13, false, refused },
		{ 11, 0, false, ttl },	     { 3, 1, false, unreachable },
		{ 2, 0, true, too_big },     { 1, 1, true, refused },
		{ 1, 5, true, refused },     { 3, 0, true, ttl },
		{ 1, 0, true, unreachable },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct wire w = udp(7, cases[i].v6 ? REMOTE6 : REMOTE);
		struct wire e = { .src = cases[i].v6 ? "fd00:1::1" : "10.244.1.1",
				  .dst = cases[i].v6 ? POD6 : POD,
				  .proto = cases[i].v6 ? MODEL_PROTO_ICMPV6 : MODEL_PROTO_ICMP,
				  .id = 3,
				  .icmp_type = cases[i].type,
				  .icmp_code = cases[i].code,
				  .quote = &w };

		bench_start(b);
		see(b, VETH, MODEL_WAY_IN, 5000 * MS, w);
		see(b, BRIDGE, MODEL_WAY_IN, 5000 * MS + 5 * US, w);
		see(b, BRIDGE, MODEL_WAY_OUT, 5000 * MS + 50 * US, e);
		see(b, VETH, MODEL_WAY_OUT, 5000 * MS + 55 * US, e);
		for (unsigned h = 0; h < 4; h++)
			correlate_hop_span(b->c, h, BENCH_START_NS, BENCH_START_NS + 10000 * MS);
		bench_end(b);
		assert_string_equal(packet_of(b, 0)->reason, cases[i].reason);
		bench_free(b);
	}
}

/* ------------------------------------------------------------------ segments */

/*
 * Of a super-frame whose segments nobody saw the number of datagrams follows from both SYNs and
 * the VTEP's MTU; where one SYN is missing it is not known.
 */
static void test_segment_size_from_the_syns(void **state)
{
	static const struct {
		uint16_t ours, theirs;
		uint32_t mtu, datagrams;
	} cases[] = {
		{ 1460, 1000, 1450, 5 }, /* 5000 bytes in 1000 */
		{ 900, 1460, 1450, 6 },
		{ 1460, 1460, 1290, 4 }, /* 1290 - 40: 1250 */
		{ 1460, 0, 1450, 0 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct wire w = { .src = POD,
				  .dst = REMOTE,
				  .sport = 4000,
				  .dport = 80,
				  .id = 1,
				  .df = true,
				  .seq = 100,
				  .flags = MODEL_TCP_SYN,
				  .mss = cases[i].ours };
		struct wire back = { .src = REMOTE,
				     .dst = POD,
				     .sport = 80,
				     .dport = 4000,
				     .id = 2,
				     .seq = 700,
				     .ack = 101,
				     .flags = MODEL_TCP_SYN | MODEL_TCP_ACK,
				     .mss = cases[i].theirs };

		b->net.hops[VTEP].mtu = cases[i].mtu;
		bench_start(b);
		out(b, 0, w);
		in(b, MS, back);
		w.flags = 0;
		w.mss = 0;
		w.id = 3;
		w.seq = 101;
		w.ack = 701;
		w.len = 5000;
		unsigned big = out(b, 2 * MS, w);
		bench_end(b);
		assert_int_equal(packet_of(b, big)->outer_datagrams, cases[i].datagrams);
		assert_int_equal(packet_of(b, big)->basis,
				 cases[i].datagrams ? RESULT_BASIS_COMPUTED : RESULT_BASIS_UNKNOWN);
		assert_int_equal(b->result.encapsulation.inner_packets_unknown,
				 !cases[i].datagrams);
		bench_free(b);
	}
}

/* --------------------------------------------------------------------- drops */

static bool lost_with_drops(int64_t from, int64_t to, unsigned spans)
{
	struct bench *b = bench_new();
	bool lost;

	bench_start(b);
	for (unsigned i = 0; i < spans; i++)
		correlate_drops(b->c, VTEP, BENCH_START_NS + from + (int64_t)i * 10 * US,
				BENCH_START_NS + to + (int64_t)i * 10 * US, i % 3);
	see(b, VETH, MODEL_WAY_IN, 5000 * MS, udp(1, REMOTE));
	see(b, BRIDGE, MODEL_WAY_IN, 5000 * MS + 5 * US, udp(1, REMOTE));
	for (unsigned h = 0; h < 4; h++)
		correlate_hop_span(b->c, h, BENCH_START_NS, BENCH_START_NS + 10000 * MS);
	bench_end(b);
	lost = packet_of(b, 0)->lost;
	bench_free(b);
	return lost;
}

/* Lost is said only when nothing was dropped from then on; many spans of drops join. */
static void test_drops_near_a_loss(void **state)
{
	(void)state;
	assert_true(lost_with_drops(0, MS, 0));
	assert_false(lost_with_drops(5000 * MS, 5001 * MS, 2));
	assert_true(lost_with_drops(1000 * MS, 1001 * MS, 2));
	assert_false(lost_with_drops(4990 * MS, 4991 * MS, 3000));
	assert_true(lost_with_drops(0, US, 3000));
	assert_false(lost_with_drops(0, 5 * US, 600000));
}

/* --------------------------------------------------------------------- time */

static void mark_all(struct bench *b)
{
	for (; b->marked < b->n; b->marked++)
		correlate_mark(b->c, b->ref[b->marked], &b->tag[b->marked],
			       &b->mark[b->marked]);
}

/*
 * The clock is set back between bridge and VTEP. What was open closes, and is not called lost: the
 * rest of it may have come with another hour's stamps. Equal bytes behind the step are another
 * packet, windows end as ever, ids go on.
 */
static void test_clock_set_back(void **state)
{
	static const int64_t steps[] = { 3600000 * MS, 10 * MS, 400000000 * MS };

	(void)state;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct bench *b = bench_new();
		const int64_t at = 500000000 * MS, later = at - steps[i];
		unsigned whole, cut, again, lost;

		bench_start(b);
		whole = see(b, VETH, MODEL_WAY_IN, at - 9000 * MS, udp(1, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, at - 9000 * MS + US, udp(1, REMOTE));
		see(b, VTEP, MODEL_WAY_OUT, at - 9000 * MS + 2 * US, udp(1, REMOTE));
		see_vxlan(b, MODEL_WAY_OUT, at - 9000 * MS + 3 * US, udp(1, REMOTE),
			  (struct outer){ 0 });
		cut = see(b, VETH, MODEL_WAY_IN, at, udp(2, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, at + US, udp(2, REMOTE));
		mark_all(b);
		correlate_restart(b->c, BENCH_START_NS + later);
		assert_true(correlate_is_empty(b->c));
		again = see(b, VTEP, MODEL_WAY_OUT, later, udp(2, REMOTE));
		lost = see(b, VETH, MODEL_WAY_IN, later + MS, udp(3, REMOTE));
		see(b, VETH, MODEL_WAY_IN, later + 5000 * MS, udp(4, REMOTE));
		bench_end(b);
		assert_apart(b, cut, again);
		assert_true(id_of(b, whole) < id_of(b, cut) && id_of(b, cut) < id_of(b, again));
		assert_int_equal(packet_of(b, whole)->status, RESULT_COMPLETE);
		assert_false(packet_of(b, cut)->lost);
		assert_true(packet_of(b, lost)->lost);
		bench_free(b);
	}
}

/* -------------------------------------------------------------------- bounds */

/* Lists stop, counts do not. */
static void test_more_flows_than_are_listed(void **state)
{
	struct bench *b = *state;
	struct err err = ERR_INIT;
	const unsigned n = RESULT_LIST_MAX + 500;

	b->cfg.on_packet = NULL;
	bench_start(b);
	for (unsigned i = 0; i < n; i++) {
		struct wire w = udp((uint16_t)(i + 1), REMOTE);
		struct correlate_mark m;

		w.sport = (uint16_t)i;
		w.dport = (uint16_t)(2000 + i / 60000);
		see(b, VETH, MODEL_WAY_IN, (int64_t)i * US, w);
		correlate_mark(b->c, b->ref[0], &b->tag[0], &m);
		b->n = b->marked = 0;
	}
	assert_int_equal(correlate_ids(b->c), n);
	assert_true(b->c->n_open > 0);
	assert_true(correlate_oldest_ns(b->c) >= BENCH_START_NS);
	correlate_finish(b->c);
	assert_int_equal(correlate_result(b->c, &b->result, &err), 0);
	assert_int_equal(b->result.n_flows, RESULT_LIST_MAX);
	assert_int_equal(b->result.flows_omitted, 500);
	assert_int_equal(b->result.packets.total, n);
	result_free(&b->result);
	assert_int_equal(correlate_summary(b->c, &b->result, &err), 0);
	assert_int_equal(b->result.packets.total, n);
	result_free(&b->result);
	assert_int_equal(correlate_counters(b->c, &b->result, &err), 0);
	assert_int_equal(b->result.capture.observations, n);
}

/* Flows of equal size stand in an order of their own, not in that in which they were learned. */
static void test_equal_flows(void **state)
{
	for (unsigned first = 1; first <= 2; first++) {
		struct bench *b = bench_new();

		(void)state;
		bench_start(b);
		for (unsigned i = 0; i < 2; i++) {
			struct wire w = udp((uint16_t)(1 + i), REMOTE);

			w.sport = (uint16_t)(i ? 4003 - first : 4000 + first);
			out(b, i * MS, w);
		}
		bench_end(b);
		assert_int_equal(b->result.n_flows, 2);
		assert_int_equal(b->result.flows[0].tuple.sport, 4001);
		assert_int_equal(b->result.flows[1].tuple.sport, 4002);
		bench_free(b);
	}
}

/* One packet of more observations than are listed: the rest is counted. */
static void test_more_observations_than_are_listed(void **state)
{
	struct bench *b = *state;
	struct wire w = { .src = POD,
			  .dst = REMOTE,
			  .sport = 4000,
			  .dport = 80,
			  .id = 1,
			  .seq = 1,
			  .len = 60000,
			  .flags = MODEL_TCP_ACK };
	const unsigned n = RESULT_OBSERVATIONS_MAX + 100;

	b->cfg.observations = true;
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, w);
	for (unsigned i = 0; i < n; i++) {
		struct wire part = w;

		part.len = 10;
		part.data_off = i * 10;
		part.seq = 1 + i * 10;
		see(b, BRIDGE, MODEL_WAY_IN, 10 * US + i * 10, part);
	}
	bench_end(b);
	assert_int_equal(b->n_packets, 1);
	assert_int_equal(b->packet[0].n_observations + b->packet[0].observations_omitted, n + 1);
	assert_true(b->packet[0].observations_omitted >= 100);
}

/* What a table cannot find is made room for: packets by the ten thousand are open at once. */
static void test_many_open_packets(void **state)
{
	struct bench *b = *state;
	const unsigned n = BENCH_OBS_MAX / 2;

	bench_start(b);
	for (unsigned i = 0; i < n; i++) {
		struct wire w = udp((uint16_t)i, REMOTE);

		w.len = 8;
		w.data = i;
		see(b, VETH, MODEL_WAY_IN, i, w);
	}
	for (unsigned i = 0; i < n; i++) {
		struct wire w = udp((uint16_t)i, REMOTE);

		w.len = 8;
		w.data = i;
		see(b, BRIDGE, MODEL_WAY_IN, 20 * US + i, w);
	}
	bench_end(b);
	assert_int_equal(b->n_packets, n);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(id_of(b, i), id_of(b, n + i));
}

/* Nothing but ids is asked for. */
static void test_ids_only(void **state)
{
	struct bench *b = *state;

	b->cfg.ids_only = true;
	bench_start(b);
	unsigned i = out(b, 0, udp(1, REMOTE));
	bench_end(b);
	for (unsigned k = 0; k < 4; k++) {
		assert_int_equal(id_of(b, i + k), 1);
		assert_int_equal(b->mark[i + k].path.n, 0);
	}
	assert_int_equal(packet_of(b, i)->status, RESULT_COMPLETE);
}

/* ARP inside VXLAN: no packet, but a datagram on the wire, and overhead. */
static void test_datagrams_without_ip(void **state)
{
	enum { ARP = 14 + 28, OUTER = 50 };
	struct bench *b = *state;
	const struct result_tunnel *t;

	b->cfg.keep_other = true;
	bench_start(b);
	out(b, 0, udp(1, REMOTE));
	for (unsigned i = 0; i < 3; i++) {
		b->frame_len = 0;
		put_outer(b, (struct outer){ .id = (uint16_t)(77 + i) }, ARP);
		put_eth(b, false);
		b->frame[b->frame_len - 1] = 6; /* 0x0806 */
		for (unsigned k = 0; k < 28; k++)
			put8(b, 0);
		/* The VTEP shows the first without the outer headers: no datagram of its own. */
		if (i == 0)
			memmove(b->frame, b->frame + OUTER, b->frame_len -= OUTER);
		bench_see(b, i == 0 ? VTEP : UNDERLAY, MODEL_WAY_OUT, MS + i, 0);
	}
	bench_end(b);
	assert_int_equal(b->result.packets.not_ip, 3);
	assert_int_equal(b->result.packets.total, 1);
	assert_int_equal(b->result.encapsulation.inner_packets, 1);
	assert_int_equal(b->result.encapsulation.outer_datagrams, 3);
	assert_int_equal(b->result.encapsulation.overhead_bytes, 3 * OUTER);
	assert_int_equal(b->result.encapsulation.n_tunnels, 1);
	t = &b->result.encapsulation.tunnels[0];
	assert_int_equal(t->outer_datagrams, 3);
	assert_int_equal(t->inner_bytes, b->result.encapsulation.inner_bytes);
	assert_int_equal(t->inner_bytes, packet_of(b, 0)->length + 2 * ARP);
	assert_int_equal(t->basis, RESULT_BASIS_OBSERVED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_macs_tell_the_way),	     T(test_order_of_equal_stamps),
		T(test_addresses_tell_the_way),	     T(test_routes_from_addresses),
		T(test_node_behind_the_bridge),	     T(test_error_of_the_node),
		T(test_direct_route_learned),
		T(test_hops_that_were_not_captured), T(test_what_an_icmp_error_says),
		T(test_segment_size_from_the_syns),  T(test_drops_near_a_loss),
		T(test_equal_flows),
		T(test_more_flows_than_are_listed),  T(test_more_observations_than_are_listed),
		T(test_many_open_packets),	     T(test_ids_only),
		T(test_datagrams_without_ip),	     T(test_clock_set_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
