/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_alike.c - packets that look alike between nodes: neither clocks nor losses of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../lib/verify_nodes.h"

#define NODES_ALL 3u /* a mask */

/* Which node's packets are given first, when it is not the one that is behind. */
enum order { IN_STEP, A_FIRST, B_FIRST };

struct story {
	enum order order;
	int64_t b_from; /* b's capture begins so much later */
	int64_t period; /* of heartbeats that are all alike, both ways */
	unsigned n, lost_from, lost_to; /* of those from a */
	bool others; /* packets with ids among them */
};

static void beat(unsigned nodes, int64_t time, const struct spec *s, const struct story *y)
{
	if (nodes & 1u << A)
		give(A, time, s);
	/* What b's capture did not see since it had not begun. */
	if (nodes & 1u << B && time >= y->b_from)
		give(B, time, s);
}

static void tell(unsigned nodes, const struct story *y)
{
	for (unsigned i = 0; i < y->n; i++) {
		int64_t t = i * y->period;
		bool lost = i >= y->lost_from && i < y->lost_to;

		beat(lost ? nodes & 1u << A : nodes, t, &(struct spec){ .head = 50, .body = 60 },
		     y);
		beat(nodes, t + 30 * MS, &(struct spec){ .head = 51, .body = 61, .back = true }, y);
		for (unsigned k = 0; y->others && k < 2; k++)
			beat(nodes, t + (40 + (int64_t)k) * MS,
			     &(struct spec){ .head = 100 + i,
					     .body = 200 + i,
					     .ip_id = 1 + i,
					     .back = k == 1 },
			     y);
		if (y->order != IN_STEP)
			continue;
		verify_time(v, A, T0, T0 + t, T0 + t);
		verify_time(v, B, T0 + SHIFT + y->b_from, T0 + SHIFT + t, T0 + SHIFT + t);
	}
}

static void over(unsigned nodes, const struct story *y)
{
	int64_t to = (int64_t)y->n * y->period;

	if (nodes & 1u << A)
		verify_time(v, A, T0, T0 + to, INT64_MAX);
	if (nodes & 1u << B)
		verify_time(v, B, T0 + SHIFT + y->b_from, T0 + SHIFT + to, INT64_MAX);
}

static const struct verify_direction *run(const struct story *y)
{
	begin(2, false, 0);
	if (y->order == IN_STEP) {
		tell(NODES_ALL, y);
		over(NODES_ALL, y);
		return end(0);
	}
	unsigned first = y->order == A_FIRST ? A : B;
	tell(1u << first, y);
	over(1u << first, y);
	tell(1u << !first, y);
	over(1u << !first, y);
	return end(0);
}

/* One capture begins between two heartbeats: each is still itself, whichever is read first. */
static void test_late_start(void **unused)
{
	static const int64_t period[] = { 100 * MS, S };

	(void)unused;
	for (unsigned i = 0; i < 2; i++)
		for (enum order order = IN_STEP; order <= B_FIRST; order++) {
			const struct story y = { .order = order,
						 .b_from = 2550 * MS,
						 .period = period[i],
						 .n = 60,
						 .others = true };
			const struct verify_direction *d = run(&y);
			uint64_t before = (uint64_t)(y.b_from / y.period) + 1;

			assert_clock(SHIFT);
			assert_int_equal(result.verdict, VERIFY_DELIVERED);
			assert_int_equal(d->lost + d->altered + d->unknown + d->duplicated, 0);
			assert_int_equal(d->delivered, 2 * (60 - before));
			assert_int_equal(d->out_of_scope, 2 * before);
			assert_int_equal(result.directions[1].delivered, 2 * (60 - before));
			assert_in_range(d->delays.max_ns, 158000, 162000);
			done();
		}
}

/* The heartbeats that are lost are those that were lost, not the last ones. */
static void test_lost_among(void **unused)
{
	(void)unused;
	for (enum order order = IN_STEP; order <= B_FIRST; order++) {
		const struct story y = { .order = order,
					 .period = 100 * MS,
					 .n = 60,
					 .lost_from = 20,
					 .lost_to = 23,
					 .others = true };
		const struct verify_direction *d = run(&y);

		assert_int_equal(d->delivered, 117);
		assert_int_equal(d->lost, 3);
		assert_int_equal(d->duplicated + d->unknown + d->reordered, 0);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(d->lost_packets[i].time_ns - T0, (20 + i) * 100 * MS);
		done();
	}
}

/* Nothing but look-alikes: any period of them may be the offset, so none is, and none is lost. */
static void test_nothing_else(void **unused)
{
	(void)unused;
	for (enum order order = IN_STEP; order <= B_FIRST; order++) {
		const struct story y = {
			.order = order, .b_from = 5050 * MS, .period = S, .n = 30
		};
		const struct verify_direction *d = run(&y);

		assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
		assert_false(result.clocks[0].line.known);
		assert_int_equal(d->lost + d->altered + d->delivered, 0);
		assert_int_equal(d->unknown, 30);
		assert_true(has_reason("only look like each other"));
		assert_true(has_reason("30 of 30 from a to b unknown: others look like them"));
		done();
	}
}

/* Without ids, but each of its kind: they tell the clocks, live after a while, else at the end. */
static void test_no_ids(void **unused)
{
	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 400; i++) {
		int64_t t = i * 50 * MS;

		if (i != 5)
			both(t, &(struct spec){ .head = 100 + i, .body = 1 + i, .back = i % 2 });
		else
			give(B, t, &(struct spec){ .head = 100 + i, .body = 1 + i, .back = true });
		verify_time(v, A, T0, T0 + t, T0 + t);
		verify_time(v, B, T0 + SHIFT, T0 + SHIFT + t, T0 + SHIFT + t);
	}
	assert_int_equal(verify_get(v, &result, NULL), 0);
	assert_true(result.directions[0].delivered > 100);
	assert_clock(SHIFT);
	verify_result_free(&result);
	ran(0, 20 * S);
	assert_int_equal(end(0)->delivered, 200);
	assert_int_equal(result.directions[1].delivered, 199);
	assert_int_equal(result.directions[1].lost, 1);
	done();
}

/*
 * One packet of a kind on each side, and not the same one: what has an id puts the clock right
 * when it comes, and until then it is not lost.
 */
static void test_wrong_pair(void **unused)
{
	(void)unused;
	begin(2, false, 0);
	give(A, 0, &(struct spec){ .head = 50, .body = 60 });
	give(B, 3 * S, &(struct spec){ .head = 50, .body = 60 });
	for (unsigned i = 0; i < 100; i++)
		give(A, i * MS, &(struct spec){ .head = 500 + i, .body = 1 });
	verify_time(v, A, T0, T0 + 20 * S, T0 + 20 * S);
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 20 * S, T0 + SHIFT + 20 * S);
	assert_int_equal(verify_get(v, &result, NULL), 0);
	assert_int_equal(result.clocks[0].line.offset_ns, SHIFT + 3 * S + 100000);
	verify_result_free(&result);
	for (unsigned i = 0; i < 20; i++) {
		both((21 + i) * S, &(struct spec){ .head = 700 + i, .body = 1, .ip_id = 1 + i });
		both((21 + i) * S + MS,
		     &(struct spec){ .head = 800 + i, .body = 2, .ip_id = 1 + i, .back = true });
	}
	ran(0, 50 * S);
	(void)end(0);
	assert_clock(SHIFT);
	for (unsigned k = 0; k < 2; k++) {
		const struct verify_direction *d = &result.directions[k];

		assert_true(d->delivered >= 14 && d->unknown <= 6);
		for (unsigned i = 0; i < d->n_lost_packets; i++)
			assert_false(d->lost_packets[i].has_ip_id);
	}
	assert_true(result.directions[1].unknown > 0);
	assert_true(has_reason("the clocks were told by packets without an id"));
	done();
}

/*
 * b is read to its end before a begins. What it shows first of a kind is not what a shows first:
 * that one was lost, and the same id came again.
 */
static void test_read_ahead(void **unused)
{
	(void)unused;
	begin(2, false, 0);
	give(B, 3 * S, &(struct spec){ .head = 50, .body = 60, .ip_id = 7 });
	for (unsigned i = 0; i < 40; i++)
		give(B, i * 100 * MS + 50 * MS,
		     &(struct spec){ .head = 500 + i, .body = 1, .ip_id = 100 + i });
	verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 4 * S, INT64_MAX);
	give(A, 20 * MS, &(struct spec){ .head = 50, .body = 60, .ip_id = 7 });
	verify_time(v, A, T0, T0 + MS, T0 + MS);
	for (unsigned i = 0; i < 40; i++) {
		int64_t t = i * 100 * MS + 50 * MS;

		give(A, t, &(struct spec){ .head = 500 + i, .body = 1, .ip_id = 100 + i });
		if (i == 30)
			give(A, 3 * S, &(struct spec){ .head = 50, .body = 60, .ip_id = 7 });
		verify_time(v, A, T0, T0 + t, T0 + t);
	}
	ran(0, 4 * S);
	assert_int_equal(end(0)->delivered, 41);
	assert_int_equal(result.directions[0].lost + result.directions[0].unknown, 1);
	assert_int_equal(result.directions[0].duplicated, 0);
	done();
}

/* Nearer to each other than delays vary: how many arrived is known, but not which did not. */
static void test_flood(void **unused)
{
	(void)unused;
	for (unsigned with_loss = 0; with_loss < 2; with_loss++) {
		const struct verify_direction *d;

		begin(2, false, 0);
		frame_of(0, S);
		for (unsigned i = 0; i < 1000; i++) {
			const struct spec s = { .head = 50, .body = 60 };

			give(A, 10 * MS + i * 10000, &s);
			/* in bursts of four */
			if (!with_loss || i % 100 != 50)
				give(B, 10 * MS + i / 4 * 40000 + 40000, &s);
		}
		ran(0, 5 * S);
		d = end(0);
		assert_int_equal(d->lost + d->altered + d->duplicated + d->reordered, 0);
		assert_int_equal(d->delivered, with_loss ? 992 : 1002);
		assert_int_equal(d->unknown, with_loss ? 10 : 0);
		assert_int_equal(result.verdict,
				 with_loss ? VERIFY_INCONCLUSIVE : VERIFY_DELIVERED);
		done();
	}
}

/* Two that look alike, one of them seen at b's underlay only: neither arrived, whichever it was. */
static void test_neither_arrived(void **unused)
{
	const struct verify_direction *d;
	const struct spec s = { .head = 50, .body = 60 };
	const struct spec outside = { .head = 50, .body = 60, .hops = 1 };

	(void)unused;
	begin(2, false, 0);
	frame_of(0, 5 * S);
	give(A, S, &s);
	give(A, S + 1000, &s);
	give(B, S + 1000, &outside);
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->lost, 2);
	assert_int_equal(d->unknown, 0);
	done();
}

/* Told the offset, a heartbeat that is late by half a period is late, not another one. */
static void test_told(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < 50; i++) {
		give(A, i * S, &(struct spec){ .head = 50, .body = 60 });
		if (i != 20)
			give(B, i * S + (i == 30 ? S / 2 : 0),
			     &(struct spec){ .head = 50, .body = 60 });
	}
	ran(0, 50 * S);
	d = end(0);
	assert_int_equal(d->delivered, 49);
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->lost_packets[0].time_ns - T0, 20 * S);
	assert_in_range(d->delays.max_ns, S / 2, S / 2 + MS);
	done();
}

/* The same bytes at another time are another packet, not an altered one. */
static void test_equal_is_not_altered(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	frame_of(0, 5 * S);
	give(B, S, &(struct spec){ .head = 50, .body = 60 }); /* a's capture missed it */
	give(A, 2 * S, &(struct spec){ .head = 50, .body = 60 });
	give(A, 3 * S, &(struct spec){ .head = 70, .body = 80 });
	give(B, 2 * S + 500 * MS, &(struct spec){ .head = 70, .body = 80 });
	ran(0, 10 * S);
	d = end(0);
	assert_int_equal(d->altered, 0);
	assert_int_equal(d->lost, 2);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_late_start),   cmocka_unit_test(test_lost_among),
		cmocka_unit_test(test_nothing_else), cmocka_unit_test(test_no_ids),
		cmocka_unit_test(test_wrong_pair),   cmocka_unit_test(test_read_ahead),
		cmocka_unit_test(test_flood),	     cmocka_unit_test(test_neither_arrived),
		cmocka_unit_test(test_told),	     cmocka_unit_test(test_equal_is_not_altered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
