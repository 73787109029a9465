/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_step.c - a clock that is stepped in the middle of two captures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "../lib/verify_nodes.h"

#define N 3000u
#define PERIOD (20 * MS)
#define STEP_AT (N / 2)

/* ALL_A: nothing is told before all of a's packets, then all of b's have been given. */
enum reading { LIVE, FILES, ALL_A };

struct story {
	unsigned node; /* whose clock is stepped */
	int64_t by;
	enum reading reading;
	uint64_t told; /* steps that the capture noticed */
	unsigned lost; /* every so many of those from a's pod, before and behind the step */
	bool told_offset; /* --clock-offset */
	bool one_way; /* b's pod says nothing from the step on */
	unsigned first, only; /* from and up to the packets of these numbers; only 0: all */
};

static int64_t time_of(const struct story *y, unsigned node, unsigned i)
{
	return i * PERIOD + (node == y->node && i >= STEP_AT ? y->by : 0);
}

static bool is_lost(const struct story *y, unsigned i)
{
	return y->lost && i % y->lost == 1 && (i < STEP_AT - 400 || i > STEP_AT + 400);
}

static void say(unsigned node, unsigned i, const struct story *y)
{
	int64_t t = time_of(y, node, i);

	if (node == A || !is_lost(y, i))
		give(node, t, &(struct spec){ .head = 100 + i, .body = 7, .ip_id = 1 + i });
	if (!y->one_way || i < STEP_AT)
		give(node, t + 5 * MS,
		     &(struct spec){ .head = 9000 + i, .body = 8, .ip_id = 1 + i, .back = true });
}

/* The node has come to its packet i; its frontier never goes back. */
static void come(unsigned node, unsigned i, const struct story *y)
{
	int64_t now = T0 + time_of(y, node, i) + (node == B ? SHIFT : 0);
	int64_t first = T0 + time_of(y, node, y->first) + (node == B ? SHIFT : 0);

	verify_time(v, node, first, now > first ? now : first, now);
}

static const struct verify_direction *run(const struct story *y)
{
	const unsigned n = y->only ? y->only : N;
	unsigned at[2] = { y->first, y->first };

	begin(2, y->told_offset, SHIFT);
	verify_clock_steps(v, y->node, y->told);
	while (at[A] < n || at[B] < n) {
		bool ready[2];
		int64_t next_ns[2];

		for (unsigned k = 0; k < 2; k++) {
			ready[k] = at[k] < n;
			next_ns[k] = T0 + time_of(y, k, at[k]) + (k == B ? SHIFT : 0);
		}
		unsigned k = y->reading == FILES   ? (unsigned)verify_next(v, ready, next_ns)
			     : y->reading == ALL_A ? !ready[A]
						   : at[A] > at[B];
		say(k, at[k], y);
		if (y->reading != ALL_A)
			come(k, at[k], y);
		at[k]++;
	}
	for (unsigned k = 0; k < 2; k++) {
		int64_t shift = k == B ? SHIFT : 0;

		verify_time(v, k, T0 + shift + time_of(y, k, y->first),
			    T0 + shift + time_of(y, k, n), INT64_MAX);
	}
	return end(0);
}

static unsigned lost_of(const struct story *y, unsigned from, unsigned to)
{
	unsigned n = 0;

	for (unsigned i = from; i < to; i++)
		n += is_lost(y, i);
	return n;
}

static void assert_no_false_loss(const struct story *y, const struct verify_direction *d)
{
	assert_int_equal(result.directions[1].lost, 0);
	assert_in_range(d->lost, lost_of(y, 0, STEP_AT - 401), lost_of(y, 0, N));
	for (unsigned k = 0; k < d->n_lost_packets; k++)
		assert_true(is_lost(y, (unsigned)(d->lost_packets[k].packet_id - 1) / 2));
	assert_int_equal(d->sent + d->out_of_scope, y->only ? y->only : N);
}

/* Whichever clock, by a little or by hours, both ways. */
static void test_stepped(void **unused)
{
	static const int64_t by[] = { 3 * S, -3 * S, 30 * S, -30 * S, 7200 * S, -7200 * S };

	(void)unused;
	for (unsigned i = 0; i < 4 * sizeof(by) / sizeof(by[0]); i++) {
		const struct story y = {
			.node = i & 1, .by = by[i / 4], .reading = i & 2 ? FILES : LIVE, .lost = 50
		};
		const struct verify_direction *d = run(&y);

		assert_no_false_loss(&y, d);
		assert_int_equal(result.clocks[0].steps, 1);
		assert_true(has_reason("a clock of a or b was stepped"));
		/* Of those behind a small one most are still found, with the new offset. */
		if (llabs(y.by) == 3 * S) {
			assert_int_equal(d->lost, lost_of(&y, 0, N));
			assert_true(d->unknown < 100 && result.directions[1].unknown < 100);
			assert_clock(SHIFT + (y.node == B ? y.by : -y.by));
			assert_in_range(d->delays.max_ns, 1, MS);
		} else {
			assert_true(d->unknown + result.directions[1].unknown > 1000);
		}
		done();
	}
}

/*
 * What came before it was sent, as the clocks were, is kept for a while; when it goes depends on
 * its time, not on how far both captures had been read when the step showed.
 */
static void test_any_reading(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < 4; i++) {
		struct story y = { .node = i & 1,
				   .by = i & 2 ? 3 * S : -3 * S,
				   .one_way = true,
				   .first = STEP_AT - 300,
				   .only = STEP_AT + 300 };
		struct verify_direction way[2];

		run(&y);
		assert_int_equal(result.clocks[0].steps, 1);
		for (unsigned k = 0; k < 2; k++)
			way[k] = result.directions[k];
		done();
		y.reading = ALL_A;
		run(&y);
		assert_int_equal(result.clocks[0].steps, 1);
		for (unsigned k = 0; k < 2; k++) {
			const struct verify_direction *d = &result.directions[k];

			assert_int_equal(d->sent, way[k].sent);
			assert_int_equal(d->delivered, way[k].delivered);
			assert_int_equal(d->unknown, way[k].unknown);
			assert_int_equal(d->lost, 0);
		}
		done();
	}
}

/* Told the offset, podhop does not learn another one; nor does it call packets lost. */
static void test_told_offset(void **unused)
{
	const struct story y = { .node = B, .by = 30 * S, .lost = 50, .told_offset = true };
	const struct verify_direction *d;

	(void)unused;
	d = run(&y);
	assert_no_false_loss(&y, d);
	assert_string_equal(result.clocks[0].method, "given");
	assert_int_equal(result.clocks[0].line.offset_ns, SHIFT);
	assert_true(result.clocks[0].steps > 0);
	done();
}

/* A few packets behind the step, before the captures end, are enough not to call them lost. */
static void test_few(void **unused)
{
	(void)unused;
	for (unsigned k = 0; k < 2; k++) {
		const struct story y = {
			.node = B, .by = k ? 30 * S : -30 * S, .lost = 50, .only = STEP_AT + 3
		};
		const struct verify_direction *d = run(&y);

		assert_no_false_loss(&y, d);
		assert_int_equal(result.clocks[0].steps, 0);
		assert_true(d->delivered > STEP_AT / 2);
		done();
	}
}

/* The capture noticed a step that no packet shows: what is missing may be behind it. */
static void test_noticed(void **unused)
{
	const struct story y = { .node = B, .lost = 50, .told = 1 };
	const struct verify_direction *d;

	(void)unused;
	d = run(&y);
	assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
	assert_int_equal(d->lost + d->n_lost_packets + d->n_places, 0);
	assert_int_equal(d->unknown, lost_of(&y, 0, N));
	assert_true(has_reason("the clock of b was set back while it was captured"));
	assert_true(has_reason("unknown: a clock was set back, and packets do not show when"));
	done();
}

/* Packets that waited in a queue for longer than the window, and came at once, are no step. */
static void test_burst(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, false, 0);
	for (unsigned i = 0; i < 600; i++) {
		bool late = i >= 100 && i < 120;
		const struct spec s = { .head = 100 + i, .body = 7, .ip_id = 1 + i };
		const struct spec back = {
			.head = 9000 + i, .body = 7, .ip_id = 1 + i, .back = true
		};
		int64_t t = i * PERIOD;

		give(A, t, &s);
		if (!late)
			give(B, t, &s);
		both(t + MS, &back);
		for (unsigned k = 100; i == 260 && k < 120; k++)
			give(B, t + k,
			     &(struct spec){ .head = 100 + k, .body = 7, .ip_id = 1 + k });
		verify_time(v, A, T0, T0 + t, T0 + t);
		verify_time(v, B, T0 + SHIFT, T0 + SHIFT + t, T0 + SHIFT + t);
	}
	ran(0, 600 * PERIOD);
	d = end(0);
	assert_int_equal(result.clocks[0].steps, 0);
	assert_int_equal(d->lost, 20);
	assert_int_equal(d->delivered, 580);
	done();
}

/*
 * By clocks that are a little wrong a packet came before it was sent, and was nobody's for a while.
 * That it came says nothing of its retransmission, soon after or later, that did not.
 */
static void test_found_late(void **unused)
{
	static const int64_t again[] = { 300 * MS, 5 * S };

	(void)unused;
	for (unsigned i = 0; i < sizeof(again) / sizeof(again[0]); i++) {
		struct spec s = { .protocol = TCP, .seq = 1000, .body = 9, .sig = 5 };
		const struct verify_direction *d;

		begin(2, true, SHIFT + 5 * MS);
		frame_of(0, 10 * S);
		both(2 * S, &s);
		s.retransmission = true;
		give(A, 2 * S + again[i], &s);
		ran(0, 15 * S);
		d = end(0);
		assert_int_equal(d->sent, 4);
		assert_int_equal(d->delivered, 3);
		assert_int_equal(d->lost, 1);
		assert_int_equal(d->lost_packets[0].time_ns, T0 + 2 * S + again[i]);
		done();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stepped),	    cmocka_unit_test(test_any_reading),
		cmocka_unit_test(test_told_offset), cmocka_unit_test(test_few),
		cmocka_unit_test(test_noticed),	    cmocka_unit_test(test_burst),
		cmocka_unit_test(test_found_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
