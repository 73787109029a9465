/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify.c - verdicts over packets that are made up: two nodes, and one alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/verify_nodes.h"

static void test_delivered(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 1000; i++) {
		both(i * MS, &(struct spec){ .head = 100 + i, .body = 7 + i, .ip_id = 1 + i });
		both(i * MS + 1000,
		     &(struct spec){
			     .head = 5100 + i, .body = 7 + i, .ip_id = 1 + i, .back = true });
	}
	ran(0, 2 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	assert_int_equal(d->sent, 1000);
	assert_int_equal(d->delivered, 1000);
	assert_int_equal(d->reordered + d->duplicated + d->altered + d->out_of_scope, 0);
	assert_int_equal(result.directions[1].delivered, 1000);
	assert_int_equal(result.n_clocks, 1);
	assert_true(result.clocks[0].line.known);
	assert_true(llabs(result.clocks[0].line.offset_ns - SHIFT) <=
		    result.clocks[0].line.uncertainty_ns);
	/* Between the nodes 100 us: half of the round trip. */
	assert_true(result.clocks[0].line.uncertainty_ns <= 102000);
	assert_true(d->delays.known);
	assert_in_range(d->delays.min_ns, 158000, 162000);
	done();
}

/* The sender closes its packets a window behind the receiver: they are lost all the same. */
static void test_late_sender(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	both(0, &(struct spec){ .head = 1, .body = 1, .ip_id = 9001, .back = true });
	verify_time(v, A, T0, T0 + 10 * MS, T0 + 10 * MS);
	for (int64_t t = 10 * MS; t < 5 * S; t += 10 * MS)
		verify_time(v, B, T0 + SHIFT, T0 + SHIFT + t, T0 + SHIFT + t);
	for (unsigned i = 1; i <= 10; i++)
		give(A, i * 100 * MS,
		     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i, .hops = 3 });
	both(2 * S, &(struct spec){ .head = 2, .body = 2, .ip_id = 9002, .back = true });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(d->lost, 10);
	assert_int_equal(d->unknown, 0);
	assert_int_equal(d->places[0].last_role, MODEL_ROLE_VTEP);
	done();
}

/* The receiver's packets close in any order behind its frontier; they came in order. */
static void test_closed_out_of_order(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 100; i++)
		give(A, i * MS, &(struct spec){ .head = 50 + i, .body = 50 + i, .ip_id = 50 + i });
	verify_time(v, A, T0, T0 + 3 * S, INT64_MAX);
	for (unsigned i = 50; i < 100; i++)
		give(B, i * MS, &(struct spec){ .head = 50 + i, .body = 50 + i, .ip_id = 50 + i });
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + S, T0 + SHIFT);
	for (unsigned i = 0; i < 50; i++)
		give(B, i * MS, &(struct spec){ .head = 50 + i, .body = 50 + i, .ip_id = 50 + i });
	ran(0, 3 * S);
	d = end(0);
	assert_int_equal(d->delivered, 100);
	assert_int_equal(d->reordered, 0);
	done();
}

/* What the outer headers show: each difference is counted and told. */
static void test_outer(void **unused)
{
	const struct verify_outer *o;
	struct addr node_b, nobody;

	(void)unused;
	assert_int_equal(addr_parse("192.168.77.12", &node_b), 0);
	assert_int_equal(addr_parse("192.168.77.99", &nobody), 0);
	begin(2, false, 0);
	net[B].hops[3].addrs[0] = (struct prefix){ .addr = node_b, .len = 24 };
	net[B].hops[3].n_addrs = 1;
	frame_of(0, S);
	for (unsigned i = 0; i < 8; i++) {
		struct spec s = { .head = 50 + i, .body = 50 + i, .ip_id = 50 + i };
		struct result_packet a = packet(A, (int64_t)(10 + i) * MS, &s);
		struct result_packet b = packet(B, (int64_t)(10 + i) * MS, &s);

		a.outer_dst = b.outer_dst = node_b;
		a.outer_sport = (uint16_t)(40000 + i);
		a.outer_df = i == 1;
		a.outer_fragmented = i == 2;
		b.outer_fragmented = i == 2 || i == 3;
		b.vni = i == 4 ? 7 : 1;
		b.ttl = i == 5 ? 62 : 63;
		if (i == 6)
			b.outer_dst = nobody;
		if (i == 7)
			a.outer_dst = nobody;
		a.outer_unsummed = i == 7;
		verify_packet(v, A, &a);
		if (i != 7)
			verify_packet(v, B, &b);
	}
	ran(0, 5 * S);
	o = &end(0)->outer;
	assert_int_equal(o->packets, 10); /* two of frame_of() */
	assert_int_equal(o->source_ports, 9);
	assert_int_equal(o->flows, 1);
	assert_int_equal(o->df, 1);
	assert_int_equal(o->fragmented, 1);
	assert_int_equal(o->fragmented_between, 1);
	assert_int_equal(o->vni_differs, 1);
	assert_int_equal(o->ttl_differs, 1);
	assert_int_equal(o->destination_differs, 1);
	assert_int_equal(o->foreign, 1);
	assert_int_equal(o->checksum_zero, 1);
	assert_int_equal(o->checksum_zero6, 0);
	assert_true(has_reason("1 of the lost went to 192.168.77.99, which is no address of b"));
	assert_true(has_reason("VNI differs between a and b: 1 packets"));
	assert_true(has_reason("1 packets from a to b were fragmented between the nodes"));
	assert_true(has_reason("outer DF is set on 1 of 10"));
	done();
}

/* What is wrong of the outer UDP header: no checksum over IPv6, one source port for all flows. */
static void test_outer_udp(void **unused)
{
	static const struct {
		const char *to;
		unsigned flows, ports, unsummed;
		const char *reason; /* NULL: none about it */
	} cases[] = {
		{ "fd77::12", 4, 4, 3, "outer UDP checksum is 0 over IPv6: 3 packets from a to b" },
		{ "192.168.77.12", 4, 4, 3, NULL },
		{ "192.168.77.12", 40, 1, 0, "all 40 flows from a to b have one outer source" },
		{ "192.168.77.12", 40, 2, 0, NULL },
		{ "192.168.77.12", 8, 1, 0, NULL }, /* by chance */
	};

	(void)unused;
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		begin(2, false, 0);
		for (unsigned i = 0; i < cases[k].flows; i++) {
			struct spec s = { .head = 50 + i, .body = 50 + i, .ip_id = 50 + i };
			struct result_packet a = packet(A, (int64_t)(10 + i) * MS, &s);
			struct result_packet b = packet(B, (int64_t)(10 + i) * MS, &s);

			a.tuple.sport = b.tuple.sport = (uint16_t)(4000 + i);
			a.outer_sport = (uint16_t)(40000 + i % cases[k].ports);
			a.outer_unsummed = i < cases[k].unsummed;
			assert_int_equal(addr_parse(cases[k].to, &a.outer_dst), 0);
			b.outer_dst = a.outer_dst;
			verify_packet(v, A, &a);
			verify_packet(v, B, &b);
		}
		ran(0, 5 * S);
		const struct verify_outer *o = &end(0)->outer;

		assert_int_equal(o->flows, cases[k].flows);
		assert_int_equal(o->source_ports, cases[k].ports);
		assert_int_equal(o->checksum_zero, cases[k].unsummed);
		assert_int_equal(o->checksum_zero6, k ? 0 : 3);
		assert_int_equal(has_reason("outer UDP checksum") || has_reason("source port"),
				 cases[k].reason != NULL);
		assert_true(!cases[k].reason || has_reason(cases[k].reason));
		done();
	}
}

/* Where the sender's FDB leads, as its file tells it; else where most packets go. */
static void test_outer_destination(void **unused)
{
	static const struct {
		const char *pods[2], *node[2]; /* that are known of a; NULL: none */
		unsigned judged, unexpected, varies;
		const char *reason;
	} cases[] = {
		{ { "10.244.2.0/24" },
		  { "192.168.77.12" },
		  12,
		  2,
		  0,
		  "2 packets from a to b went to 192.168.77.99, not to 192.168.77.12, where the "
		  "FDB of a led as its capture began" },
		/* the longest prefix counts, not the first */
		{ { "10.244.0.0/16", "10.244.2.0/24" },
		  { "192.168.77.13", "192.168.77.12" },
		  12,
		  2,
		  0,
		  "2 packets from a to b went to 192.168.77.99, not to 192.168.77.12" },
		/* all went elsewhere than it says */
		{ { "10.244.2.0/24" }, { "192.168.77.77" }, 12, 12, 0, "not to 192.168.77.77" },
		/* of another node's pods it says nothing of these; told differently, neither */
		{ { "10.244.3.0/24" },
		  { "192.168.77.77" },
		  0,
		  0,
		  2,
		  "2 packets from a to b had another outer destination than most, which went to "
		  "192.168.77.12" },
		{ { "10.244.2.0/24" }, { "::" }, 0, 0, 2, "another outer destination than most" },
		{ { NULL }, { NULL }, 0, 0, 2, "another outer destination than most" },
	};
	struct addr node_b, nobody;

	(void)unused;
	assert_int_equal(addr_parse("192.168.77.12", &node_b), 0);
	assert_int_equal(addr_parse("192.168.77.99", &nobody), 0);
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		const struct verify_outer *o;

		begin(2, false, 0);
		for (unsigned i = 0; i < 2 && cases[k].pods[i]; i++) {
			struct model_remote *r = &net[A].remotes[net[A].n_remotes++];

			assert_int_equal(prefix_parse(cases[k].pods[i], &r->pods), 0);
			assert_int_equal(addr_parse(cases[k].node[i], &r->node), 0);
		}
		for (unsigned i = 0; i < 12; i++) {
			struct spec s = { .head = 50 + i, .body = 50 + i, .ip_id = 50 + i };
			struct result_packet a = packet(A, (int64_t)(10 + i) * MS, &s);
			struct result_packet b = packet(B, (int64_t)(10 + i) * MS, &s);

			a.outer_dst = i == 3 || i == 7 ? nobody : node_b;
			verify_packet(v, A, &a);
			verify_packet(v, B, &b);
		}
		ran(0, 5 * S);
		o = &end(0)->outer;
		assert_int_equal(o->judged, cases[k].judged);
		assert_int_equal(o->unexpected, cases[k].unexpected);
		assert_int_equal(o->varies, cases[k].varies);
		assert_true(has_reason(cases[k].reason));
		if (cases[k].unexpected != 12)
			assert_true(addr_eq(&o->to, &node_b));
		done();
	}
}

/* The outer TTL falls by one a router: for all packets by the same, unless their ways differ. */
static void test_outer_ttl(void **unused)
{
	static const struct {
		uint8_t sent[2], received[2]; /* of even packets, and of odd ones; 0: not seen */
		bool known;
		uint8_t routers_min, routers_max;
		unsigned rose;
		const char *reason; /* NULL: none about it */
	} cases[] = {
		{ { 64, 64 }, { 64, 64 }, true, 0, 0, 0, NULL },
		{ { 64, 64 }, { 62, 62 }, true, 2, 2, 0, NULL },
		{ { 64, 255 }, { 63, 254 }, true, 1, 1, 0, NULL },
		{ { 64, 64 },
		  { 63, 61 },
		  true,
		  1,
		  3,
		  0,
		  "outer TTL fell by 1 to 3 between a and b" },
		{ { 64, 64 },
		  { 64, 65 },
		  true,
		  0,
		  0,
		  5,
		  "outer TTL rose between a and b: 5 packets" },
		{ { 0, 0 }, { 63, 61 }, false, 0, 0, 0, NULL },
		{ { 64, 64 }, { 0, 0 }, false, 0, 0, 0, NULL },
	};

	(void)unused;
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		const struct verify_outer *o;

		begin(2, false, 0);
		for (unsigned i = 0; i < 10; i++) {
			struct spec s = { .head = 50 + i, .body = 50 + i, .ip_id = 50 + i };
			struct result_packet a = packet(A, (int64_t)(10 + i) * MS, &s);
			struct result_packet b = packet(B, (int64_t)(10 + i) * MS, &s);

			a.outer_ttl = cases[k].sent[i % 2];
			b.outer_ttl = cases[k].received[i % 2];
			verify_packet(v, A, &a);
			verify_packet(v, B, &b);
		}
		ran(0, 5 * S);
		o = &end(0)->outer;
		assert_int_equal(o->routers_known, cases[k].known);
		assert_int_equal(o->routers.min, cases[k].routers_min);
		assert_int_equal(o->routers.max, cases[k].routers_max);
		assert_int_equal(o->ttl_rose, cases[k].rose);
		assert_int_equal(has_reason("outer TTL"), cases[k].reason != NULL);
		if (cases[k].reason)
			assert_true(has_reason(cases[k].reason));
		done();
	}
}

/* Nothing matched: nobody can say what is lost, but where packets were seen last. */
static void test_seen_last(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 1; i <= 10; i++)
		give(A, i * 100 * MS,
		     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i, .hops = 4 });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
	assert_int_equal(d->sent, 0);
	assert_int_equal(d->out_of_scope, 10);
	assert_int_equal(d->n_places, 1);
	assert_int_equal(d->places[0].packets, 10);
	assert_int_equal(d->places[0].last_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(d->places[0].next_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(d->places[0].next_node, B);
	assert_int_equal(verify_place_cause(&result.directions[0].places[0], "why",
					    (const char *const[]){ "this", "that" }, 2),
			 0);
	assert_string_equal(d->places[0].reason, "why");
	assert_int_equal(d->places[0].n_evidence, 2);
	done();
}

/* What never left its own node is lost there, whatever the other's clock and capture. */
static void test_outage_inside(void **unused)
{
	static const struct {
		int64_t a_ends, dropped_at; /* 0: nowhere; by a's clock */
		unsigned dropped_hop; /* of a; 4: of b */
		unsigned lost;
	} cases[] = {
		{ 5 * S, 0, 0, 10 },
		{ 2 * S, 0, 0, 0 }, /* might have come to the VTEP later */
		{ 5 * S, 500 * MS, 0, 10 }, /* at the veth, which saw it */
		{ 5 * S, 500 * MS, 3, 0 }, /* at a's underlay, around all of them */
		{ 5 * S, 500 * MS, 4, 0 }, /* who knows when by b's clock */
	};

	(void)unused;
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		const struct verify_direction *d;

		begin(2, false, 0);
		for (unsigned i = 1; i <= 10; i++)
			give(A, i * 100 * MS,
			     &(struct spec){
				     .head = 50 + i, .body = 50, .ip_id = 50 + i, .hops = 2 });
		if (cases[k].dropped_at)
			verify_drops(v, cases[k].dropped_hop == 4, cases[k].dropped_hop % 4,
				     T0 + cases[k].dropped_at, T0 + cases[k].dropped_at + 1, 3);
		verify_time(v, A, T0, T0 + cases[k].a_ends, INT64_MAX);
		verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 5 * S, INT64_MAX);
		d = end(0);
		assert_int_equal(result.verdict, cases[k].lost ? VERIFY_LOST : VERIFY_INCONCLUSIVE);
		assert_int_equal(d->lost, cases[k].lost);
		assert_int_equal(d->out_of_scope, 10 - cases[k].lost);
		assert_int_equal(d->n_lost_packets, cases[k].lost);
		assert_int_equal(d->places[0].packets, 10);
		assert_int_equal(d->places[0].last_role, MODEL_ROLE_BRIDGE);
		assert_int_equal(d->places[0].next_role, MODEL_ROLE_VTEP);
		assert_int_equal(d->places[0].next_node, A);
		done();
	}
}

static void test_lost_where(void **unused)
{
	const struct verify_direction *d;
	static const struct {
		unsigned a_hops, b_hops; /* b_hops 0: b saw nothing */
		unsigned last_node, last_role, next_node, next_role;
	} cases[] = {
		{ 4, 0, A, MODEL_ROLE_UNDERLAY, B, MODEL_ROLE_UNDERLAY },
		{ 4, 1, B, MODEL_ROLE_UNDERLAY, B, MODEL_ROLE_VTEP },
		{ 4, 3, B, MODEL_ROLE_BRIDGE, B, MODEL_ROLE_VETH },
		{ 2, 0, A, MODEL_ROLE_BRIDGE, A, MODEL_ROLE_VTEP },
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2,
		     &(struct spec){
			     .head = 50, .body = 50, .ip_id = 50, .hops = cases[i].a_hops });
		if (cases[i].b_hops)
			give(B, S / 2,
			     &(struct spec){ .head = 50,
					     .body = 50,
					     .ip_id = 50,
					     .hops = cases[i].b_hops });
		ran(0, 5 * S);
		d = end(0);
		assert_int_equal(result.verdict, VERIFY_LOST);
		assert_int_equal(d->sent, 3);
		assert_int_equal(d->lost, 1);
		assert_int_equal(d->n_lost_packets, 1);
		assert_int_equal(d->lost_packets[0].last_node, cases[i].last_node);
		assert_int_equal(d->lost_packets[0].last_role, cases[i].last_role);
		assert_int_equal(d->lost_packets[0].next_node, cases[i].next_node);
		assert_int_equal(d->lost_packets[0].next_role, cases[i].next_role);
		assert_int_equal(d->lost_packets[0].ip_id, 50);
		assert_int_equal(d->places[0].packets, 1);
		done();
	}
}

static void test_segments(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	/* Two super-frames; the receiver cuts the first and merges its tail with the second. */
	give(A, 10 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 0xfffffff0u,
			     .size = 4000,
			     .ip_id = 100,
			     .sig = 5,
			     .segment = 1000 });
	give(A, 11 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 0xfffffff0u + 4000,
			     .size = 4000,
			     .ip_id = 104,
			     .sig = 5,
			     .segment = 1000 });
	give(B, 10 * MS,
	     &(struct spec){
		     .protocol = TCP, .seq = 0xfffffff0u, .size = 1000, .ip_id = 100, .sig = 5 });
	give(B, 10 * MS + 1,
	     &(struct spec){ .protocol = TCP,
			     .seq = 0xfffffff0u + 1000,
			     .size = 2000,
			     .ip_id = 101,
			     .sig = 5 });
	give(B, 10 * MS + 2,
	     &(struct spec){ .protocol = TCP,
			     .seq = 0xfffffff0u + 3000,
			     .size = 5000,
			     .ip_id = 103,
			     .sig = 5 });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	assert_int_equal(d->delivered, 4);
	assert_int_equal(d->duplicated, 0);
	done();
}

/* A segment is lost, and sent again in a packet of its own that arrives. */
static void test_retransmission_fills_no_gap(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	give(A, 10 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 1000,
			     .size = 4000,
			     .ip_id = 100,
			     .sig = 5,
			     .segment = 1000 });
	give(A, 20 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 2000,
			     .size = 1000,
			     .ip_id = 150,
			     .sig = 5,
			     .retransmission = true });
	give(B, 10 * MS,
	     &(struct spec){ .protocol = TCP, .seq = 1000, .size = 1000, .ip_id = 100, .sig = 5 });
	give(B, 10 * MS + 1,
	     &(struct spec){ .protocol = TCP, .seq = 3000, .size = 2000, .ip_id = 102, .sig = 5 });
	give(B, 20 * MS,
	     &(struct spec){ .protocol = TCP, .seq = 2000, .size = 1000, .ip_id = 150, .sig = 5 });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(d->delivered, 3);
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->lost_packets[0].bytes_missing, 1000);
	assert_int_equal(d->lost_packets[0].last_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(d->lost_packets[0].last_node, A);
	done();
}

static void test_duplicated_reordered(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	for (unsigned i = 0; i < 5; i++)
		give(A, (10 + i) * MS,
		     &(struct spec){ .head = 50 + i, .body = 9, .ip_id = 50 + i });
	static const unsigned order[] = { 0, 2, 1, 3, 3, 4 };
	for (unsigned i = 0; i < 6; i++)
		give(B, (20 + i) * MS,
		     &(struct spec){ .head = 50 + order[i], .body = 9, .ip_id = 50 + order[i] });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	assert_int_equal(d->delivered, 7);
	assert_int_equal(d->reordered, 1);
	assert_int_equal(d->duplicated, 1);
	done();
}

static void test_altered(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	/* payload changed; header changed; TCP payload changed; and one that is simply lost */
	give(A, 10 * MS, &(struct spec){ .head = 50, .body = 60, .ip_id = 50 });
	give(B, 10 * MS, &(struct spec){ .head = 50, .body = 61, .ip_id = 50 });
	give(A, 11 * MS, &(struct spec){ .head = 51, .body = 70, .ip_id = 51 });
	give(B, 11 * MS, &(struct spec){ .head = 52, .body = 70, .ip_id = 51 });
	give(A, 12 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 1000,
			     .size = 500,
			     .ip_id = 100,
			     .sig = 5,
			     .body = 80 });
	give(B, 12 * MS,
	     &(struct spec){ .protocol = TCP,
			     .seq = 1000,
			     .size = 500,
			     .ip_id = 100,
			     .sig = 5,
			     .body = 81 });
	give(A, 13 * MS, &(struct spec){ .head = 54, .body = 90, .ip_id = 54 });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_LOST);
	assert_int_equal(d->sent, 6);
	assert_int_equal(d->altered, 3);
	/* others came after it, and were judged before */
	assert_int_equal(d->reordered, 0);
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->delivered, 2);
	done();
}

/* Equal in all that is seen: taken in order, and counted right. */
static void test_lookalikes(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	for (unsigned i = 0; i < 100; i++)
		give(A, (10 + i) * MS, &(struct spec){ .head = 50, .body = 60 });
	for (unsigned i = 0; i < 100; i++)
		if (i % 10 != 9)
			give(B, (10 + i) * MS, &(struct spec){ .head = 50, .body = 60 });
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(d->delivered, 92);
	assert_int_equal(d->lost, 10);
	assert_int_equal(d->duplicated, 0);
	done();
}

static void test_scope(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	/* b's capture is shorter at both ends than a's */
	frame_of(5 * S, 10 * S);
	for (unsigned i = 0; i < 160; i++)
		if (i <= 50 || i > 100)
			give(A, i * 100 * MS + MS,
			     &(struct spec){ .head = 500 + i, .body = 9, .ip_id = 500 + i });
	verify_time(v, A, T0, T0 + 16 * S, INT64_MAX);
	verify_time(v, B, T0 + 5 * S + SHIFT, T0 + 10 * S + SHIFT, INT64_MAX);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_LOST); /* the one in the middle, at 5 s */
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->out_of_scope, 50 + 59);
	assert_int_equal(d->sent, 3);
	done();
	/* b's capture ends when the packet has passed one of its hops */
	begin(2, false, 0);
	frame_of(0, S);
	give(A, S + 5 * MS, &(struct spec){ .head = 50, .body = 50, .ip_id = 50 });
	give(B, S + 5 * MS, &(struct spec){ .head = 50, .body = 50, .ip_id = 50, .hops = 1 });
	ran(0, S + 5 * MS);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	assert_int_equal(d->out_of_scope, 1);
	done();
	/* not of the other's pods */
	begin(2, false, 0);
	frame_of(0, S);
	struct result_packet p = packet(A, S / 2, &(struct spec){ .head = 77 });
	assert_int_equal(addr_parse("192.0.2.1", &p.tuple.dst), 0);
	verify_packet(v, A, &p);
	ran(0, 5 * S);
	d = end(0);
	assert_int_equal(d->out_of_scope, 1);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	done();
}

static void test_unknown(void **unused)
{
	const struct verify_direction *d;
	static const struct {
		unsigned hop; /* of b: veth, bridge, vtep, underlay */
		int64_t from, to; /* 0, 0: any time */
		bool unknown;
	} cases[] = {
		{ 3, 400 * MS, 600 * MS, true },
		{ 0, 400 * MS, 600 * MS, true },
		{ 3, 0, 0, true },
		{ 3, 9 * S, 10 * S, false },
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool any = !cases[i].to;

		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &(struct spec){ .head = 50, .body = 50, .ip_id = 50 });
		/* Drops whose time is known are told as they come, totals at the end. */
		if (any)
			ran(0, 10 * S);
		verify_drops(v, B, cases[i].hop, any ? INT64_MIN : T0 + SHIFT + cases[i].from,
			     any ? INT64_MAX : T0 + SHIFT + cases[i].to, 3);
		ran(0, 10 * S);
		d = end(0);
		assert_int_equal(d->unknown, cases[i].unknown);
		assert_int_equal(d->lost, !cases[i].unknown);
		assert_int_equal(d->n_lost_packets, !cases[i].unknown);
		assert_int_equal(d->n_places, !cases[i].unknown);
		assert_int_equal(result.verdict,
				 cases[i].unknown ? VERIFY_INCONCLUSIVE : VERIFY_LOST);
		done();
	}
}

/* What a capture cut too short to read may have been the packet that is missing. */
static void test_headers_cut(void **unused)
{
	const struct verify_direction *d;
	static const struct {
		unsigned node;
		int64_t at; /* 0: nowhere */
		bool unknown;
	} cases[] = {
		{ B, 0, false }, { B, 500 * MS, true }, { B, 9 * S, false }, { A, 500 * MS, true },
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &(struct spec){ .head = 50, .body = 50, .ip_id = 50 });
		if (cases[i].at)
			give(cases[i].node, cases[i].at,
			     &(struct spec){ .head = 60, .body = 60, .back = cases[i].node == A,
					     .hops = 1, .cut = true });
		ran(0, 10 * S);
		d = end(0);
		assert_int_equal(d->unknown, cases[i].unknown);
		assert_int_equal(d->lost, !cases[i].unknown);
		assert_int_equal(has_reason("unknown: the snap length cut the headers"),
				 cases[i].unknown);
		assert_false(has_reason("lost frames"));
		done();
	}
}

/* Between two that are far away it does not; but of very many the oldest are taken together. */
static void test_headers_cut_around(void **unused)
{
	const unsigned n = 1200; /* more stretches than are kept */

	(void)unused;
	for (unsigned newest_first = 0; newest_first < 2; newest_first++) {
		begin(2, false, 0);
		frame_of(S, 2 * S);
		for (unsigned k = 0; k < 2; k++)
			for (unsigned i = 0; i < n; i++) {
				unsigned at = newest_first ? n - 1 - i : i;

				give(k, at * 10 * S,
				     &(struct spec){ .head = 60, .body = 60, .back = k == A,
						     .hops = 1, .cut = true });
			}
		give(A, 15 * S, &(struct spec){ .head = 49, .body = 49, .ip_id = 49 });
		give(A, 11985 * S, &(struct spec){ .head = 50, .body = 50, .ip_id = 50 });
		frame_of((int64_t)n * 10 * S, (int64_t)n * 10 * S + S);
		ran(0, (int64_t)(n + 1) * 10 * S);
		const struct verify_direction *d = end(0);

		assert_int_equal(d->unknown, 1);
		assert_int_equal(d->lost, 1);
		assert_int_equal(d->lost_packets[0].time_ns, T0 + 11985 * S);
		done();
	}
}

static void test_nothing_matched(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 100; i++)
		give(A, i * 100 * MS,
		     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
	assert_int_equal(d->sent, 0);
	assert_int_equal(d->out_of_scope, 100);
	assert_false(result.clocks[0].line.known);
	done();
	/* Told the offset, the same is a loss. */
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < 100; i++)
		give(A, i * 100 * MS,
		     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(result.verdict, VERIFY_LOST);
	assert_int_equal(d->lost, 80); /* the last two seconds are an edge; the first is in doubt */
	assert_string_equal(result.clocks[0].method, "given");
	done();
}

static void test_one_way(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 100; i++)
		if (i != 50)
			both(i * MS, &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i });
		else
			give(A, i * MS,
			     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 50 + i });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->delivered, 99);
	assert_int_equal(d->lost, 1);
	assert_false(result.clocks[0].line.known);
	assert_false(d->delays.known);
	done();
}

/* Much more than the tables hold, as it streams by: the counts stay exact. */
static void test_streaming(void **unused)
{
	const struct verify_direction *d;
	uint64_t lost = 0;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 100000; i++) {
		int64_t t = i * MS;
		struct spec s = {
			.head = 50 + i, .body = 50, .ip_id = 1 + i % 60000, .back = i % 2
		};
		give(i % 2 ? B : A, t, &s);
		if (i % 1000 == 500)
			lost++;
		else
			give(i % 2 ? A : B, t, &s);
		if (i % 100 == 0) {
			verify_time(v, A, T0, T0 + t, T0 + t);
			verify_time(v, B, T0 + SHIFT, T0 + t + SHIFT, T0 + t + SHIFT);
		}
	}
	ran(0, 110 * S);
	d = end(0);
	assert_int_equal(d->sent, 50000);
	assert_int_equal(d->lost, lost);
	assert_int_equal(d->delivered, 50000 - lost);
	assert_int_equal(result.directions[1].delivered, 50000);
	assert_int_equal(d->unknown + d->out_of_scope, 0);
	done();
}

/* A table that is full decides early, and says so; a delivered packet stays delivered. */
static void test_full(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	verify_time(v, A, T0, T0 + S, T0);
	verify_time(v, B, T0 + SHIFT, T0 + S + SHIFT, T0 + SHIFT);
	for (unsigned i = 0; i < 10000; i++)
		give(A, MS + i * 1000,
		     &(struct spec){ .head = 50 + i, .body = 50, .ip_id = 10000 + i });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->sent, 10002 - d->out_of_scope);
	assert_true(d->unknown > 5000);
	assert_int_equal(d->lost + d->unknown + d->delivered, d->sent);
	done();
}

/* A full table gives up what has arrived before what has not: losses stay losses. */
static void test_full_of_delivered(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 10000; i++) {
		struct spec s = { .head = 50 + i, .body = 50, .ip_id = 10000 + i };
		int64_t t = (int64_t)i * 100000;

		give(A, t, &s);
		if (i % 1000 != 500)
			give(B, t, &s);
		/* far enough for all before to be gone through, not for a window to be over */
		verify_time(v, A, T0, T0 + t, T0 + t);
		verify_time(v, B, T0 + SHIFT, T0 + t + SHIFT, T0 + t + SHIFT);
	}
	both(S, &(struct spec){ .head = 2, .body = 2, .ip_id = 9002, .back = true });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->sent, 10000);
	assert_int_equal(d->lost, 10);
	assert_int_equal(d->unknown, 0);
	done();
}

static void give_alone(int64_t time, bool back, uint8_t protocol, uint32_t seq, uint32_t size,
		       uint32_t ack, uint16_t flags)
{
	struct result_packet p = packet(
		A, time,
		&(struct spec){ .protocol = protocol, .seq = seq, .size = size, .back = back });

	p.ack = ack;
	p.l4_flags = flags;
	p.seq = seq;
	if (protocol == TCP && !size) {
		p.kind = RESULT_KIND_WHOLE;
		p.has_tcp_seq = false;
	}
	if (protocol == MODEL_PROTO_ICMP)
		p.tuple.sport = 7, p.tuple.dport = 0;
	verify_packet(v, A, &p);
}

static void test_alone(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_alone(0, false, TCP, 1000, 0, 0, MODEL_TCP_SYN);
	give_alone(1 * MS, true, TCP, 9000, 0, 1001, MODEL_TCP_SYN | MODEL_TCP_ACK);
	give_alone(2 * MS, false, TCP, 1001, 0, 9001, MODEL_TCP_ACK);
	give_alone(3 * MS, false, TCP, 1001, 500, 9001, MODEL_TCP_ACK);
	give_alone(4 * MS, false, TCP, 1501, 500, 9001, MODEL_TCP_ACK);
	give_alone(5 * MS, true, TCP, 9001, 0, 1501, MODEL_TCP_ACK); /* the first 500 only */
	give_alone(6 * MS, false, MODEL_PROTO_ICMP, 1, 64, 0, 8);
	give_alone(7 * MS, true, MODEL_PROTO_ICMP, 1, 64, 0, 0);
	give_alone(8 * MS, false, MODEL_PROTO_ICMP, 2, 64, 0, 8);
	give_alone(9 * MS, false, 0, 0, 40, 0, 0);
	give_alone(10 * MS, true, 0, 0, 90, 0, 0);
	give_alone(11 * MS, false, 0, 0, 40, 0, 0);
	verify_time(v, A, T0, T0 + 10 * S, INT64_MAX);
	d = end(0);
	assert_int_equal(result.n_directions, 2);
	assert_int_equal(d->from, A);
	assert_int_equal(d->to, VERIFY_NONE);
	assert_int_equal(d->delivered, 4); /* SYN, 500 bytes, echo, request */
	assert_int_equal(d->unknown, 2); /* 500 bytes, echo */
	assert_int_equal(d->unprovable, 2); /* pure ACK, one-way UDP */
	assert_int_equal(result.directions[1].delivered, 1); /* the SYN-ACK */
	assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
	done();
}

/* Datagrams between two ends of their own; lead: the first bytes of the payload. */
static void give_datagram(int64_t time, bool back, uint64_t body, uint16_t lead)
{
	struct result_packet p =
		packet(A, time, &(struct spec){ .size = 60, .body = body, .back = back });

	p.lead = lead;
	verify_packet(v, A, &p);
}

static const struct verify_direction *end_alone(void)
{
	verify_time(v, A, T0, T0 + 30 * S, INT64_MAX);
	return end(0);
}

/* An answer proves one request, and only where it tells which, or is the first. */
static void test_alone_answers(void **unused)
{
	static const struct {
		const char *what;
		struct {
			bool back;
			uint8_t body, lead;
		} packets[8];
		unsigned n, delivered, unprovable;
	} cases[] = {
		{ "two datagrams of one answer",
		  { { 0, 1, 9 }, { 0, 2, 9 }, { 1, 3, 8 }, { 1, 4, 8 } },
		  4,
		  1,
		  1 },
		{ "each speaks of its own accord",
		  { { 0, 1, 9 }, { 1, 2, 9 }, { 0, 3, 9 }, { 1, 4, 9 }, { 0, 5, 9 }, { 1, 6, 9 } },
		  6,
		  1,
		  2 },
		{ "the same, and always the same",
		  { { 0, 1, 9 }, { 1, 1, 9 }, { 0, 1, 9 }, { 1, 1, 9 } },
		  4,
		  1,
		  1 },
		{ "ids in front",
		  { { 0, 1, 11 },
		    { 0, 2, 12 },
		    { 1, 3, 12 },
		    { 1, 4, 11 },
		    { 0, 5, 13 },
		    { 1, 6, 13 } },
		  6,
		  3,
		  0 },
		{ "ids, one answered twice, one not",
		  { { 0, 1, 11 }, { 0, 2, 12 }, { 1, 3, 12 }, { 1, 4, 12 } },
		  4,
		  1,
		  1 },
		{ "a request sent again",
		  { { 0, 1, 11 }, { 0, 1, 11 }, { 1, 3, 11 }, { 1, 3, 11 } },
		  4,
		  1,
		  1 },
		{ "a request sent again, and another one",
		  { { 0, 1, 11 }, { 0, 1, 11 }, { 0, 2, 12 }, { 1, 3, 12 }, { 1, 4, 11 } },
		  5,
		  2,
		  1 },
		{ "ids that repeat with other payloads",
		  { { 0, 1, 11 }, { 0, 2, 11 }, { 0, 3, 12 }, { 1, 8, 11 }, { 1, 9, 11 } },
		  5,
		  1,
		  2 },
		{ "echoes of what was said twice",
		  { { 0, 1, 9 }, { 0, 1, 9 }, { 0, 2, 9 }, { 1, 1, 9 }, { 1, 1, 9 } },
		  5,
		  1,
		  2 },
		{ "echoes",
		  { { 0, 1, 9 }, { 0, 2, 9 }, { 0, 3, 9 }, { 1, 2, 9 }, { 1, 3, 9 } },
		  5,
		  2,
		  1 },
		{ "nobody answers", { { 0, 1, 9 }, { 0, 2, 9 } }, 2, 0, 2 },
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		for (unsigned k = 0; k < cases[i].n; k++)
			give_datagram(k * MS, cases[i].packets[k].back, cases[i].packets[k].body,
				      cases[i].packets[k].lead);
		d = end_alone();
		if (d->delivered != cases[i].delivered || d->unprovable != cases[i].unprovable ||
		    d->sent != d->delivered)
			fail_msg("%s: %u delivered, %u unprovable", cases[i].what,
				 (unsigned)d->delivered, (unsigned)d->unprovable);
		done();
	}
}

static void give_data(int64_t time, uint32_t seq, uint32_t size, bool again, bool lost)
{
	struct result_packet p = packet(A, time,
					&(struct spec){ .protocol = TCP,
							.seq = seq,
							.size = size,
							.hops = lost ? 2 : 4,
							.retransmission = again });

	p.lost = lost;
	if (lost) {
		p.status = RESULT_INCOMPLETE;
		p.last_seen = MODEL_ROLE_BRIDGE;
		p.next_expected = MODEL_ROLE_VTEP;
	}
	verify_packet(v, A, &p);
}

/* Bytes that were sent twice were acknowledged once. */
static void test_alone_sent_twice(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_data(0, 1000, 100, false, false);
	give_data(200 * MS, 1000, 100, true, false);
	give_alone(201 * MS, true, TCP, 1, 0, 1100, MODEL_TCP_ACK);
	/* Sent again although it had arrived. */
	give_data(202 * MS, 1100, 100, false, false);
	give_alone(203 * MS, true, TCP, 1, 0, 1200, MODEL_TCP_ACK);
	give_data(204 * MS, 1100, 100, true, false);
	give_alone(205 * MS, true, TCP, 1, 0, 1200, MODEL_TCP_ACK);
	d = end_alone();
	assert_int_equal(d->sent, 2);
	assert_int_equal(d->delivered, 2);
	assert_int_equal(d->unprovable, 2);
	done();
}

/* What ended on its own node is lost; its bytes that arrived later are another packet's. */
static void test_alone_lost(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_data(0, 1000, 100, false, true);
	give_data(200 * MS, 1000, 100, true, false);
	give_alone(201 * MS, true, TCP, 1, 0, 1100, MODEL_TCP_ACK);
	d = end_alone();
	assert_int_equal(result.verdict, VERIFY_LOST);
	assert_int_equal(d->sent, 2);
	assert_int_equal(d->delivered, 1);
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->n_lost_packets, 1);
	assert_int_equal(d->lost_packets[0].packet_id, 1);
	assert_int_equal(d->lost_packets[0].last_node, A);
	assert_int_equal(d->lost_packets[0].last_role, MODEL_ROLE_BRIDGE);
	assert_int_equal(d->lost_packets[0].next_role, MODEL_ROLE_VTEP);
	assert_true(has_reason("1 of 2 lost between a:bridge and a:vtep"));
	done();

	/* Drops of which only the number is known excuse it, at the hops from there on. */
	begin(1, false, 0);
	give_data(0, 1000, 100, false, true);
	verify_drops(v, A, MODEL_ROLE_UNDERLAY - MODEL_ROLE_VETH, INT64_MIN, INT64_MIN, 1);
	d = end_alone();
	assert_int_equal(d->lost, 0);
	assert_int_equal(d->unknown, 1);
	done();
	begin(1, false, 0);
	give_data(0, 1000, 100, false, true);
	verify_drops(v, A, 0, INT64_MIN, INT64_MIN, 1);
	d = end_alone();
	assert_int_equal(d->lost, 1);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_delivered),
		cmocka_unit_test(test_alone_answers),
		cmocka_unit_test(test_alone_sent_twice),
		cmocka_unit_test(test_alone_lost),
		cmocka_unit_test(test_lost_where),
		cmocka_unit_test(test_late_sender),
		cmocka_unit_test(test_seen_last),
		cmocka_unit_test(test_outage_inside),
		cmocka_unit_test(test_full_of_delivered),
		cmocka_unit_test(test_outer),
		cmocka_unit_test(test_outer_udp),
		cmocka_unit_test(test_outer_destination),
		cmocka_unit_test(test_outer_ttl),
		cmocka_unit_test(test_closed_out_of_order),
		cmocka_unit_test(test_segments),
		cmocka_unit_test(test_retransmission_fills_no_gap),
		cmocka_unit_test(test_duplicated_reordered),
		cmocka_unit_test(test_altered),
		cmocka_unit_test(test_lookalikes),
		cmocka_unit_test(test_scope),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_headers_cut),
		cmocka_unit_test(test_headers_cut_around),
		cmocka_unit_test(test_nothing_matched),
		cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
