/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_scope.c - captures with holes, hops that were captured for a part of the time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../lib/verify_nodes.h"

enum hop { VETH, BRIDGE, VTEP, UNDERLAY, HOPS };

static void covered(unsigned node, unsigned hop, int64_t from, int64_t to)
{
	int64_t shift = T0 + (node == B ? SHIFT : 0);

	verify_covered(v, node, hop, shift + from, shift + to);
}

static void all_covered(unsigned node, int64_t from, int64_t to)
{
	for (unsigned hop = 0; hop < HOPS; hop++)
		covered(node, hop, from, to);
}

/* Ten a second from a to b; b sees those of which `seen` says so, and all that goes back. */
static void traffic(int64_t from, int64_t to, bool (*seen)(int64_t time))
{
	for (int64_t t = from; t < to; t += 100 * MS) {
		uint32_t n = (uint32_t)(t / MS) + 1;
		struct spec s = { .head = n, .body = n, .ip_id = 1 + n % 60000 };
		struct spec back = s;

		give(A, t, &s);
		if (seen(t))
			give(B, t, &s);
		back.back = true;
		if (seen(t))
			both(t + 10 * MS, &back);
	}
}

static bool not_in_hole(int64_t t)
{
	return t < 7 * S || t >= 13 * S;
}

static bool not_in_hole_nor_at_five(int64_t t)
{
	return not_in_hole(t) && t != 5 * S;
}

/* Two files of b with six seconds between them: what was due there is told, and is no loss. */
static void test_hole(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	for (unsigned k = 0; k < 2; k++) {
		begin(2, false, 0);
		all_covered(A, 0, 20 * S);
		all_covered(B, 0, 6950 * MS);
		all_covered(B, 13 * S, 20 * S);
		traffic(0, 20 * S, k ? not_in_hole_nor_at_five : not_in_hole);
		ran(0, 20 * S);
		d = end(0);
		assert_int_equal(result.verdict, k ? VERIFY_LOST : VERIFY_DELIVERED);
		assert_int_equal(d->lost, k);
		assert_int_equal(d->delivered, 140 - k);
		assert_int_equal(d->unknown, 0);
		assert_int_equal(d->out_of_scope, 60);
		assert_true(
			has_reason("60 from a to b out of scope: due in a hole of the capture"));
		done();
	}
}

/* Spans are told as they grow, in any order: those that touch have no hole between them. */
static void test_spans_join(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	all_covered(A, 0, 20 * S);
	all_covered(B, 13 * S, 20 * S);
	for (int64_t t = S; t <= 8 * S; t += S)
		all_covered(B, 0, t);
	all_covered(B, 8 * S, 9 * S);
	all_covered(B, 9500 * MS, 12 * S);
	all_covered(B, 9 * S, 13 * S);
	traffic(0, 20 * S, not_in_hole);
	ran(0, 20 * S);
	d = end(0);
	assert_int_equal(d->lost, 60);
	assert_int_equal(d->out_of_scope, 0);
	done();
}

/* More files than there is room for: the newest holes are known. */
static void test_many_spans(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	all_covered(A, 0, 20 * S);
	for (int64_t i = 0; i < 1000; i++)
		all_covered(B, (i - 1000) * S, (i - 1000) * S + S / 2);
	all_covered(B, 0, 6950 * MS);
	all_covered(B, 13 * S, 20 * S);
	traffic(0, 20 * S, not_in_hole);
	ran(0, 20 * S);
	d = end(0);
	assert_int_equal(d->lost, 0);
	assert_int_equal(d->out_of_scope, 60);
	done();
}

/* Packets end at b's bridge, and its veth was captured for the first eight seconds only. */
static void test_one_hop_shorter(void **unused)
{
	static const struct {
		bool open; /* nobody has said yet that the veth's capture is over */
		int64_t again; /* 0: never; else the veth's next frame shows that it was not */
		unsigned lost, unknown;
	} cases[] = {
		{ false, 0, 0, 119 },
		{ true, 0, 0, 119 },
		{ true, 19900 * MS, 119, 0 },
		{ false, 15 * S, 0, 119 }, /* another file of it */
	};

	(void)unused;
	for (unsigned k = 0; k < sizeof(cases) / sizeof(cases[0]); k++) {
		const struct verify_direction *d;

		begin(2, false, 0);
		all_covered(A, 0, 20 * S);
		for (unsigned hop = BRIDGE; hop < HOPS; hop++)
			covered(B, hop, 0, 20 * S);
		covered(B, VETH, 0, 8 * S);
		verify_hop_open(v, B, VETH, cases[k].open);
		frame_of(0, 7 * S);
		for (unsigned i = 0; i < 119; i++) {
			int64_t t = 8050 * MS + i * 50 * MS;
			struct spec s = { .head = 50 + i, .body = 50, .ip_id = 50 + i };

			give(A, t, &s);
			s.hops = 3;
			give(B, t, &s);
		}
		verify_time(v, A, T0, T0 + 20 * S, T0 + 19 * S);
		verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 20 * S, T0 + SHIFT + 19 * S);
		if (cases[k].again)
			covered(B, VETH, cases[k].open ? 0 : cases[k].again, 20 * S);
		verify_hop_open(v, B, VETH, false);
		ran(0, 20 * S);
		d = end(0);
		assert_int_equal(d->lost, cases[k].lost);
		assert_int_equal(d->unknown, cases[k].unknown);
		assert_int_equal(d->out_of_scope, 0);
		assert_int_equal(has_reason("119 of 121 from a to b unknown: the last hop was not "
					    "captured when they were due"),
				 cases[k].unknown != 0);
		done();
	}
}

/* A hop that was not captured at that time misses nothing: the next one does. */
static void test_place_of_covered(void **unused)
{
	const struct verify_lost *l;

	(void)unused;
	begin(2, false, 0);
	all_covered(A, 0, 20 * S);
	for (unsigned hop = VETH; hop < UNDERLAY; hop++)
		covered(B, hop, 0, 20 * S);
	covered(B, UNDERLAY, 0, 5 * S);
	frame_of(0, 12 * S);
	give(A, 8 * S, &(struct spec){ .head = 50, .body = 50, .ip_id = 50 });
	ran(0, 20 * S);
	assert_int_equal(end(0)->lost, 1);
	l = &result.directions[0].lost_packets[0];
	assert_int_equal(l->last_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(l->last_node, A);
	assert_int_equal(l->next_role, MODEL_ROLE_VTEP);
	assert_int_equal(l->next_node, B);
	done();
	/* The same of its own node's hops. */
	begin(2, false, 0);
	all_covered(B, 0, 20 * S);
	for (unsigned hop = VETH; hop < HOPS; hop++)
		covered(A, hop, 0, hop == VTEP ? 5 * S : 20 * S);
	frame_of(0, 12 * S);
	give(A, 8 * S, &(struct spec){ .head = 50, .body = 50, .ip_id = 50, .hops = 2 });
	ran(0, 20 * S);
	assert_int_equal(end(0)->lost, 1);
	l = &result.directions[0].lost_packets[0];
	assert_int_equal(l->last_role, MODEL_ROLE_BRIDGE);
	assert_int_equal(l->next_role, MODEL_ROLE_UNDERLAY);
	assert_int_equal(l->next_node, A);
	done();
}

static bool first_half(int64_t t)
{
	return t < 5 * S;
}

/* One way nothing comes any more; what goes the other way shows that the captures ran. */
static void test_other_way_proves(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 2; i++)
		all_covered(i, 0, 10 * S);
	traffic(0, 10 * S, first_half);
	for (int64_t t = 5 * S; t < 10 * S; t += 100 * MS)
		both(t + 50 * MS,
		     &(struct spec){ .head = (uint64_t)t, .body = 7, .ip_id = 7, .back = true });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->delivered, 50);
	assert_int_equal(d->lost, 50);
	assert_int_equal(d->out_of_scope, 0);
	done();
}

/* Totals that excuse what a part of the hops missed leave counts that add up. */
static void test_excused_in_part(void **unused)
{
	const struct verify_direction *d;
	const unsigned n = RESULT_LIST_MAX;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, 22 * S);
	for (unsigned i = 0; i < 2 * n; i++) {
		int64_t t = (100 + i) * MS;

		/* By turns inside a, and at b's bridge. */
		give(A, t,
		     &(struct spec){
			     .head = 50 + i, .body = 50, .ip_id = 50 + i, .hops = i % 2 ? 2 : 4 });
		if (i % 100 == 0) {
			verify_time(v, A, T0, T0 + t, T0 + t);
			verify_time(v, B, T0 + SHIFT, T0 + SHIFT + t, T0 + SHIFT + t);
		}
	}
	ran(0, 30 * S);
	/* Of a's VTEP and underlay only the total is known. */
	verify_drops(v, A, UNDERLAY, INT64_MIN, INT64_MAX, 3);
	d = end(0);
	assert_int_equal(d->lost, n);
	assert_int_equal(d->unknown, n);
	assert_int_equal(d->n_lost_packets + d->lost_omitted, d->lost);
	assert_int_equal(d->bytes_missing, 100 * (uint64_t)n);
	assert_int_equal(d->n_places, 1);
	assert_int_equal(d->places[0].packets, n);
	assert_int_equal(d->sent, d->delivered + d->lost + d->unknown);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hole),
		cmocka_unit_test(test_spans_join),
		cmocka_unit_test(test_many_spans),
		cmocka_unit_test(test_one_hop_shorter),
		cmocka_unit_test(test_place_of_covered),
		cmocka_unit_test(test_other_way_proves),
		cmocka_unit_test(test_excused_in_part),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
