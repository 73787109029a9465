/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_rules.c - verify's rules one by one: what excuses a loss, is a copy, is altered.
 *
 * Each case is what two nodes' captures show of one or a few packets, amid delivered ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../lib/verify_nodes.h"

enum hop { VETH, BRIDGE, VTEP, UNDERLAY, HOPS };

#define N_FRAME 2u /* packets of frame_of() that go from a to b */

static const struct spec plain = { .head = 50, .body = 50, .ip_id = 50 };

static struct spec seen_at(unsigned hops)
{
	struct spec s = plain;

	s.hops = hops;
	return s;
}

static void covered(unsigned node, unsigned hop, int64_t from, int64_t to)
{
	const int64_t shift = T0 + (node == B ? SHIFT : 0);

	verify_covered(v, node, hop, shift + from, shift + to);
}

static void all_covered(unsigned node, int64_t from, int64_t to)
{
	for (unsigned hop = VETH; hop < HOPS; hop++)
		covered(node, hop, from, to);
}

static void dropped(unsigned node, unsigned hop, int64_t from, int64_t to)
{
	const int64_t shift = T0 + (node == B ? SHIFT : 0);

	verify_drops(v, node, hop, shift + from, shift + to, 3);
}

/* Beside those of frame_of(). */
static void are(const struct verify_direction *d, unsigned delivered, unsigned lost,
		unsigned altered, unsigned unknown)
{
	assert_int_equal(d->delivered, N_FRAME + delivered);
	assert_int_equal(d->lost, lost);
	assert_int_equal(d->altered, altered);
	assert_int_equal(d->unknown, unknown);
}

/* Drops excuse a loss at the hop that misses it and behind, inside the sender as well. */
static void test_drops_excuse(void **unused)
{
	static const struct {
		unsigned a_hops, b_hops; /* 0: not seen there */
		unsigned node, hop; /* that dropped */
		bool excused;
	} cases[] = {
		{ 2, 0, A, VETH, false },     { 2, 0, A, BRIDGE, false },
		{ 2, 0, A, VTEP, true },      { 2, 0, A, UNDERLAY, true },
		{ 2, 0, B, VETH, true },      { 4, 1, A, UNDERLAY, false },
		{ 4, 1, B, UNDERLAY, false }, { 4, 1, B, VTEP, true },
		{ 4, 1, B, VETH, true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct spec s = seen_at(cases[i].a_hops);

		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &s);
		s.hops = cases[i].b_hops;
		if (cases[i].b_hops)
			give(B, S / 2, &s);
		dropped(cases[i].node, cases[i].hop, 400 * MS, 600 * MS);
		ran(0, 10 * S);
		are(end(0), 0, !cases[i].excused, 0, cases[i].excused);
		done();
	}
}

/* What the receiver's capture itself calls unknown is so; what it calls lost is lost. */
static void test_receiver_in_doubt(void **unused)
{
	(void)unused;
	for (unsigned lost = 0; lost < 2; lost++) {
		const struct spec s = seen_at(3);
		struct result_packet p;

		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &plain);
		p = packet(B, S / 2, &s);
		p.status = RESULT_INCOMPLETE;
		p.lost = lost;
		verify_packet(v, B, &p);
		ran(0, 10 * S);
		are(end(0), 0, lost, 0, !lost);
		done();
	}
}

/* It comes when what it could be was gone through, and forgotten, long ago. */
static void test_given_late(void **unused)
{
	(void)unused;
	begin(2, true, SHIFT);
	frame_of(0, S);
	verify_time(v, A, T0, T0 + 20 * S, T0 + 20 * S);
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 20 * S, T0 + SHIFT + 20 * S);
	give(A, S / 2, &plain);
	ran(0, 30 * S);
	are(end(0), 0, 0, 0, 1);
	done();
}

/* The furthest hop is one that saw all of it: it did not leave by one that saw a part. */
static void test_left_in_part(void **unused)
{
	struct result_packet p;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	p = packet(A, S / 2, &plain);
	p.sightings[UNDERLAY].whole = false;
	p.sightings[UNDERLAY].covered = p.size / 2;
	verify_packet(v, A, &p);
	ran(0, 10 * S);
	are(end(0), 0, 1, 0, 0);
	assert_int_equal(result.directions[0].lost_packets[0].last_role, MODEL_ROLE_VTEP);
	assert_int_equal(result.directions[0].lost_packets[0].next_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(result.directions[0].lost_packets[0].next_node, A);
	done();
}

/* DirectRouting: it passes no VTEP, and is not missing there. */
static void test_direct_routing(void **unused)
{
	const struct verify_lost *l;
	struct result_packet p;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	for (unsigned node = A; node <= B; node++) {
		p = packet(node, S / 2, &plain);
		p.encapsulated = false;
		if (node == A) {
			p.sightings[VTEP] = p.sightings[UNDERLAY];
			p.n_sightings = 3;
		} else {
			p.n_sightings = 1; /* its underlay */
		}
		verify_packet(v, node, &p);
	}
	ran(0, 10 * S);
	are(end(0), 0, 1, 0, 0);
	l = &result.directions[0].lost_packets[0];
	assert_int_equal(l->last_node, B);
	assert_int_equal(l->last_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(l->next_role, MODEL_ROLE_BRIDGE);
	done();
}

/* Once a packet, however many copies of it come, and only those that reach the pod. */
static void test_copies(void **unused)
{
	const struct spec wire_only = seen_at(1);

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	both(S / 2, &plain);
	give(B, S / 2 + MS, &wire_only);
	ran(0, 10 * S);
	assert_int_equal(end(0)->duplicated, 0);
	done();
	begin(2, false, 0);
	frame_of(0, S);
	both(S / 2, &plain);
	for (unsigned i = 1; i <= 3; i++)
		give(B, S / 2 + i * MS, &plain);
	ran(0, 10 * S);
	assert_int_equal(end(0)->duplicated, 1);
	are(&result.directions[0], 1, 0, 0, 0);
	done();
}

/* -------------------------------------------------------------------- filters */

static enum result_shown shown; /* what b's veth shows of any packet */

static enum result_shown shows(void *arg, unsigned node, unsigned hop,
			       const struct result_frames *frames)
{
	(void)arg;
	(void)frames;
	return node == B && hop == VETH ? shown : RESULT_SHOWN;
}

/* What the last hop was told to leave out is out of scope, what it may have left out unknown. */
static void test_filters(void **unused)
{
	static const enum result_shown cases[] = { RESULT_SHOWN, RESULT_SHOWN_UNKNOWN,
						   RESULT_HIDDEN };
	const struct verify_config c = { .n_nodes = 2,
					 .net = { &net[A], &net[B] },
					 .name = { "a", "b" },
					 .packets_max = 4096,
					 .shows = shows };

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shown = cases[i];
		begin(2, false, 0);
		verify_free(v);
		net[B].hops[VETH].filtered = true;
		v = verify_new(&c, NULL);
		assert_non_null(v);
		frame_of(0, S);
		give(A, S / 2, &plain);
		ran(0, 10 * S);
		are(end(0), 0, shown == RESULT_SHOWN, 0, shown == RESULT_SHOWN_UNKNOWN);
		assert_int_equal(result.directions[0].out_of_scope, shown == RESULT_HIDDEN);
		assert_int_equal(has_reason("captured with a filter that may have left them out"),
				 shown == RESULT_SHOWN_UNKNOWN);
		assert_int_equal(has_reason("left out by the filter that b was captured with"),
				 shown == RESULT_HIDDEN);
		done();
	}
}

/* ---------------------------------------------------------------------- scope */

/* What was sent in front of a capture was due in no hole of it. */
static void test_before_the_capture(void **unused)
{
	(void)unused;
	begin(2, false, 0);
	all_covered(A, 0, 20 * S);
	all_covered(B, 5 * S, 20 * S);
	give(A, S, &plain);
	frame_of(6 * S, 8 * S);
	ran(0, 20 * S);
	are(end(0), 0, 0, 0, 0);
	assert_int_equal(result.directions[0].out_of_scope, 1);
	assert_false(has_reason("hole"));
	done();
}

/* Another pod's veth would not have shown it. */
static void test_veth_of_another_pod(void **unused)
{
	(void)unused;
	begin(2, false, 0);
	net[B].hops[net[B].n_hops++] = (struct model_hop){ .role = MODEL_ROLE_VETH, .pod = 1 };
	net[B].n_pods = 2;
	net[B].pods[1].n_addrs = 1;
	assert_int_equal(addr_parse("10.244.2.3", &net[B].pods[1].addrs[0]), 0);
	all_covered(A, 0, 20 * S);
	for (unsigned hop = BRIDGE; hop < HOPS; hop++)
		covered(B, hop, 0, 20 * S);
	covered(B, VETH, 0, 3 * S);
	covered(B, HOPS, 0, 20 * S);
	frame_of(0, S);
	give(A, 10 * S, &plain);
	const struct spec to_bridge = seen_at(3);
	give(B, 10 * S, &to_bridge);
	ran(0, 20 * S);
	are(end(0), 0, 0, 0, 1);
	assert_true(has_reason("the last hop was not captured when they were due"));
	done();
}

/* A span that was told to its end later is as proved as it was. */
static void test_span_grows(void **unused)
{
	(void)unused;
	begin(2, true, SHIFT);
	all_covered(A, 0, S);
	all_covered(B, 0, S);
	frame_of(0, 600 * MS);
	give(A, S / 2, &plain);
	verify_time(v, A, T0, T0 + S, T0 + 1500 * MS);
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + S, T0 + SHIFT + 1500 * MS);
	all_covered(B, S, 1100 * MS);
	ran(0, 1100 * MS);
	are(end(0), 0, 1, 0, 0);
	done();
}

/* At b's end some are still on their way, as long as they usually are. */
static void test_on_the_way(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < 200; i++) {
		const struct spec s = { .head = 100 + i, .body = 100, .ip_id = 100 + i };

		give(A, i * 10 * MS, &s);
		/* b's capture ends 400 ms before it gets the last of them */
		if (i < 160)
			give(B, i * 10 * MS + 500 * MS, &s);
	}
	verify_time(v, A, T0, T0 + 2 * S, INT64_MAX);
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 2100 * MS, INT64_MAX);
	d = end(0);
	assert_int_equal(d->delivered, 160);
	assert_int_equal(d->lost + d->unknown, 0);
	assert_int_equal(d->out_of_scope, 40);
	done();
}

/* -------------------------------------------------------------------- streams */

static const struct spec super = {
	.protocol = TCP, .seq = 1000, .size = 3000, .ip_id = 100, .sig = 5, .segment = 1000
};

static void give_part(int64_t time, uint32_t seq, uint32_t size, uint32_t ip_id)
{
	struct spec s = super;

	s.seq = seq;
	s.size = size;
	s.ip_id = ip_id;
	s.segment = 0;
	give(B, time, &s);
}

/* IP ids count up by segments: what brings the bytes under another one is not as it was sent. */
static void test_ids_of_segments(void **unused)
{
	(void)unused;
	for (unsigned other = 0; other < 2; other++) {
		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &super);
		give_part(S / 2, 1000, 1000, 100);
		give_part(S / 2 + 1000, 2000, 1000, other ? 105 : 101);
		give_part(S / 2 + 2000, 3000, 1000, 102);
		ran(0, 10 * S);
		are(end(0), !other, 0, other, 0);
		done();
	}
}

/* A retransmission that came is not what was sent before, though nobody can tell by the time. */
static void test_id_of_retransmission(void **unused)
{
	struct spec s = super, again;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, S);
	s.segment = 0;
	again = s;
	again.ip_id = 200;
	again.retransmission = true;
	give(A, S / 2, &s);
	give(A, S / 2 + 20000, &again);
	give(B, S / 2 + 20000, &again);
	ran(0, 10 * S);
	are(end(0), 1, 1, 0, 0);
	assert_int_equal(result.directions[0].lost_packets[0].ip_id, 100);
	done();
}

/* Bytes that two sightings of a part have in common came once. */
static void test_parts_overlap(void **unused)
{
	const struct result_part parts[] = { { .at = 3, .start = 0, .end = 1000 },
					     { .at = 3, .start = 500, .end = 1500 },
					     { .at = 3, .start = 2000, .end = 3000 } };
	struct spec s = super;
	struct result_packet p;

	(void)unused;
	s.segment = 0;
	begin(2, false, 0);
	frame_of(0, S);
	give(A, S / 2, &s);
	p = packet(B, S / 2, &s);
	p.sightings[3].whole = false;
	p.sightings[3].covered = 2500;
	p.parts = parts;
	p.n_parts = 3;
	verify_packet(v, B, &p);
	ran(0, 10 * S);
	are(end(0), 0, 1, 0, 0);
	assert_int_equal(result.directions[0].lost_packets[0].bytes_missing, 500);
	done();
}

/* ----------------------------------------------------------------------- sums */

static void give_sum(unsigned node, const struct spec *s, uint64_t words, uint64_t placed, bool cut)
{
	struct result_packet p = packet(node, S / 2 + s->seq, s);

	p.sum = (struct result_sum){ words, placed, s->size, cut };
	verify_packet(v, node, &p);
}

/* Cut elsewhere: sums of bytes and of their places tell what was altered, where both are whole. */
static void test_sums(void **unused)
{
	static const struct {
		uint64_t words, placed; /* of all that arrived; 30 and 300 were sent */
		bool cut; /* the second half of what was sent was not captured as a whole */
		bool altered;
	} cases[] = {
		{ 30, 300, false, false },
		{ 31, 300, false, true },
		{ 30, 301, false, true }, /* two words changed their places */
		{ 31, 300, true, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spec first = {
			.protocol = TCP, .seq = 1000, .size = 1000, .ip_id = 100, .sig = 5
		};
		const struct spec second = {
			.protocol = TCP, .seq = 2000, .size = 1000, .ip_id = 101, .sig = 5
		};
		const struct spec merged = {
			.protocol = TCP, .seq = 1000, .size = 2000, .ip_id = 100, .sig = 5
		};
		const struct verify_direction *d;

		begin(2, false, 0);
		frame_of(0, S);
		give_sum(A, &first, 10, 100, false);
		give_sum(A, &second, 20, 200, cases[i].cut);
		give_sum(B, &merged, cases[i].words, cases[i].placed, false);
		ran(0, 10 * S);
		d = end(0);
		assert_int_equal(d->altered, cases[i].altered);
		assert_int_equal(d->delivered + d->unknown, N_FRAME + 2 - cases[i].altered);
		done();
	}
}

/* The hop nearest the pod saw a part: the sum of that is none of the packet. */
static void test_sum_of_a_part(void **unused)
{
	(void)unused;
	for (unsigned whole = 0; whole < 2; whole++) {
		struct spec s = plain;
		struct result_packet p;

		begin(2, false, 0);
		frame_of(0, S);
		s.size = 100;
		p = packet(A, S / 2, &s);
		p.sightings[VETH].whole = whole;
		p.sightings[VETH].covered = whole ? 100 : 60;
		p.sum = (struct result_sum){ 10, 100, 100, false };
		verify_packet(v, A, &p);
		p = packet(B, S / 2, &s);
		p.sum = (struct result_sum){ 11, 110, 100, false };
		verify_packet(v, B, &p);
		ran(0, 10 * S);
		are(end(0), !whole, 0, whole, 0);
		done();
	}
}

/* -------------------------------------------------------------------- altered */

/* What came is the one that was sent, altered, only where something tells so, and in time. */
static void test_altered_or_another(void **unused)
{
	static const struct {
		const char *what;
		struct spec sent, came;
		int64_t after; /* nanoseconds later than usual */
		bool altered;
	} cases[] = {
		{ "payload",
		  { .head = 50, .body = 50, .ip_id = 50 },
		  { .head = 50, .body = 51, .ip_id = 50 },
		  0,
		  true },
		{ "payload, long before",
		  { .head = 50, .body = 50, .ip_id = 50 },
		  { .head = 50, .body = 51, .ip_id = 50 },
		  -200 * MS,
		  false },
		{ "payload, no id",
		  { .head = 50, .body = 50 },
		  { .head = 50, .body = 51 },
		  0,
		  true },
		{ "payload, no id, at an unusual time",
		  { .head = 50, .body = 50 },
		  { .head = 50, .body = 51 },
		  700 * MS,
		  false },
		{ "an equal, before",
		  { .head = 50, .body = 50 },
		  { .head = 50, .body = 50 },
		  -5 * MS,
		  false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &cases[i].sent);
		give(B, S / 2 + cases[i].after, &cases[i].came);
		ran(0, 10 * S);
		if (end(0)->altered != cases[i].altered)
			fail_msg("%s", cases[i].what);
		are(&result.directions[0], 0, !cases[i].altered, cases[i].altered, 0);
		done();
	}
}

/*
 * Under other addresses or ports it is the same where headers, payload and IP id are. A source that
 * is no pod's may be a translation, unless both captures show it on the wire.
 */
static void test_altered_address(void **unused)
{
	static const struct {
		bool other_port, other_source, other_id;
		unsigned a_hops;
		bool altered;
	} cases[] = {
		{ true, false, false, 4, true },
		{ true, false, true, 4, false },
		{ false, true, false, 4, true },
		{ false, true, false, 2, false },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct spec s = seen_at(cases[i].a_hops);
		struct result_packet p;

		begin(2, false, 0);
		frame_of(0, S);
		give(A, S / 2, &s);
		p = packet(B, S / 2, &plain);
		p.tuple.sport += cases[i].other_port;
		p.ip_id += cases[i].other_id;
		if (cases[i].other_source)
			assert_int_equal(addr_parse("10.244.1.99", &p.tuple.src), 0);
		verify_packet(v, B, &p);
		ran(0, 10 * S);
		if (end(0)->altered != cases[i].altered)
			fail_msg("case %zu", i);
		are(&result.directions[0], 0, !cases[i].altered, cases[i].altered, 0);
		done();
	}
}

/* --------------------------------------------------------------------- tables */

/* What a full table of received packets pushes out is looked for among the sent ones first. */
static void test_pushed_out(void **unused)
{
	enum { SENT = 3000, CAME = 3 * 4096 };
	const struct verify_direction *d;

	(void)unused;
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < CAME; i++) {
		const struct spec s = { .head = 100 + i, .body = 100 + i, .ip_id = 1 + i };

		if (i < SENT)
			give(A, i * 10000LL, &s);
	}
	for (unsigned i = 0; i < CAME; i++) {
		const struct spec s = { .head = 100 + i, .body = 100 + i, .ip_id = 1 + i };

		give(B, i * 10000LL, &s);
	}
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->delivered, SENT);
	assert_int_equal(d->lost + d->unknown, 0);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drops_excuse),
		cmocka_unit_test(test_receiver_in_doubt),
		cmocka_unit_test(test_given_late),
		cmocka_unit_test(test_left_in_part),
		cmocka_unit_test(test_direct_routing),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_before_the_capture),
		cmocka_unit_test(test_veth_of_another_pod),
		cmocka_unit_test(test_span_grows),
		cmocka_unit_test(test_on_the_way),
		cmocka_unit_test(test_ids_of_segments),
		cmocka_unit_test(test_id_of_retransmission),
		cmocka_unit_test(test_parts_overlap),
		cmocka_unit_test(test_sums),
		cmocka_unit_test(test_sum_of_a_part),
		cmocka_unit_test(test_altered_or_another),
		cmocka_unit_test(test_altered_address),
		cmocka_unit_test(test_pushed_out),
	};

	return cmocka_run_group_tests_name("verify_rules", tests, NULL, NULL);
}
