/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_clock.c - offset and drift from synthetic delays: right, honest, tight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <stdlib.h>

#include "podhop/verify.h"

#define T0 1700000000000000000LL
#define OFFSET 37123456.0 /* ns */
#define DRIFT 50e-6
#define REPETITIONS 100

static uint64_t state = 1;

static double uniform(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (double)((state * 0x2545f4914f6cdd1dull) >> 11) / 9007199254740992.0;
}

static double exponential(double mean)
{
	return -mean * log(1 - uniform());
}

struct world {
	double span_s;
	unsigned packets; /* each way */
	double least_f, least_b; /* ns */
	double queue; /* mean of the queueing, ns */
	double stamp; /* resolution: stamps are cut off */
	double lost; /* share of packets that never came */
	unsigned burst; /* packets come in bursts of so many */
};

static double cut(double t, double stamp)
{
	return stamp > 0 ? floor(t / stamp) * stamp : t;
}

/* The node's clock when the reference's shows T0 + x. */
static double node_at(double x)
{
	return x + OFFSET + DRIFT * x;
}

static void play(struct verify_clock *c, const struct world *w, double *ret_trip)
{
	double least_f = INFINITY, least_b = INFINITY;

	for (unsigned i = 0; i < w->packets; i++) {
		unsigned at = w->burst ? i / w->burst * w->burst : i;
		for (unsigned back = 0; back < 2; back++) {
			double x = ((double)at + uniform()) * w->span_s * 1e9 / w->packets;
			double d = (back ? w->least_b : w->least_f) + exponential(w->queue);
			/* Now and then a queue stands for long. */
			if (uniform() < 0.1)
				d += exponential(20 * w->queue);
			if (uniform() < w->lost)
				continue;
			if (back) {
				double sent = cut(node_at(x), w->stamp),
				       came = cut(x + d, w->stamp);
				verify_clock_backward(c, T0 + (int64_t)came, T0 + (int64_t)sent);
				least_b = fmin(least_b, d);
			} else {
				double sent = cut(x, w->stamp),
				       came = cut(node_at(x + d), w->stamp);
				verify_clock_forward(c, T0 + (int64_t)sent, T0 + (int64_t)came);
				least_f = fmin(least_f, d);
			}
		}
	}
	*ret_trip = least_f + least_b;
}

static void check_world(const struct world *w, double drift_error_ppm)
{
	unsigned inside = 0, tight = 0, drift_good = 0, ends = 0;

	for (unsigned k = 0; k < REPETITIONS; k++) {
		struct verify_clock *c = verify_clock_new(NULL);
		struct verify_clock_line l;
		double trip, x, truth;

		state = 1000 + k;
		play(c, w, &trip);
		verify_clock_line(c, &l);
		assert_true(l.known);
		x = (double)(l.at_ns - T0);
		truth = OFFSET + DRIFT * x;
		double residual = fabs(l.drift - DRIFT) * w->span_s * 1e9 / 2;
		inside += fabs((double)l.offset_ns - truth) <= (double)l.uncertainty_ns;
		tight += (double)l.uncertainty_ns <= trip / 2 + 2000 + residual;
		drift_good += fabs(l.drift - DRIFT) * 1e6 <= drift_error_ppm;
		/* The line holds at both ends as well, with what the drift leaves. */
		double e0 = fabs((double)verify_clock_offset(&l, T0) - OFFSET);
		double e1 = fabs((double)verify_clock_offset(&l, T0 + (int64_t)(w->span_s * 1e9)) -
				 OFFSET - DRIFT * w->span_s * 1e9);
		ends += fmax(e0, e1) <= (double)l.uncertainty_ns + residual * 2;
		verify_clock_free(c);
	}
	print_message("inside %u tight %u drift %u ends %u\n", inside, tight, drift_good, ends);
	assert_true(inside >= 95);
	assert_true(tight == REPETITIONS);
	assert_true(drift_good >= 95);
	assert_true(ends >= 95);
}

static void test_worlds(void **unused)
{
	(void)unused;
	/* a minute of ordinary traffic */
	check_world(&(struct world){ 60, 20000, 60e3, 60e3, 30e3, 1000, 0, 0 }, 1);
	/* asymmetric paths, heavy queueing, a tenth lost, bursts */
	check_world(&(struct world){ 60, 5000, 30e3, 300e3, 500e3, 1000, 0.1, 50 }, 10);
	/* a hundred pings, nanosecond stamps */
	check_world(&(struct world){ 100, 100, 100e3, 90e3, 50e3, 0, 0, 0 }, 5);
	/* ten seconds, few packets */
	check_world(&(struct world){ 10, 40, 50e3, 50e3, 20e3, 1000, 0.05, 0 }, 50);
	/* two hours: stretches of time become longer */
	check_world(&(struct world){ 7200, 100000, 60e3, 40e3, 100e3, 1000, 0, 0 }, 0.1);
}

static void test_one_way(void **unused)
{
	struct verify_clock *c = verify_clock_new(NULL);
	struct verify_clock_line l;

	(void)unused;
	verify_clock_line(c, &l);
	assert_false(l.known);
	assert_false(l.rough);
	for (int i = 0; i < 100; i++)
		verify_clock_forward(c, T0 + i * 1000000LL, T0 + i * 1000000LL + 5000000 + i);
	verify_clock_line(c, &l);
	assert_false(l.known);
	assert_true(l.rough);
	assert_int_equal(l.offset_ns, 5000000);
	assert_int_equal(l.uncertainty_ns, -1);
	verify_clock_backward(c, T0 + 1000000, T0 + 1000000 + 4999000);
	verify_clock_line(c, &l);
	assert_true(l.known);
	assert_in_range(l.offset_ns, 4999000, 5000001);
	assert_true(l.uncertainty_ns <= 501 + 1000 + 2);
	verify_clock_free(c);
}

/* First all went one way, then all the other: no slope can be told, the bound is wide enough. */
static void test_apart(void **unused)
{
	struct verify_clock *c = verify_clock_new(NULL);
	struct verify_clock_line l;
	const double drift = 80e-6;

	(void)unused;
	for (int64_t i = 0; i < 100; i++) {
		int64_t x = i * 10000000;
		verify_clock_forward(c, T0 + x, T0 + x + (int64_t)(drift * (double)x) + 20000);
	}
	for (int64_t i = 200; i < 300; i++) {
		int64_t x = i * 10000000;
		verify_clock_backward(c, T0 + x, T0 + x + (int64_t)(drift * (double)x) - 20000);
	}
	verify_clock_line(c, &l);
	assert_true(l.known);
	double truth = drift * (double)(l.at_ns - T0);
	assert_true(fabs((double)l.offset_ns - truth) <= (double)l.uncertainty_ns);
	verify_clock_free(c);
}

/*
 * One way for a minute, then a second the other, and the other way round: what the clocks drift
 * over the longer stretch is no error of the offset between the two.
 */
static void test_apart_long(void **unused)
{
	static const double drifts[] = {
		-80e-6, -50e-6, -10e-6, -1e-6, 0, 1e-6, 10e-6, 50e-6, 80e-6
	};
	const double delay = 600e3;

	(void)unused;
	for (unsigned k = 0; k < 2 * sizeof(drifts) / sizeof(drifts[0]); k++) {
		struct verify_clock *c = verify_clock_new(NULL);
		double drift = drifts[k / 2], turn = k % 2 ? 60e9 : 1e9;
		struct verify_clock_line l;

		for (double x = 0; x < 62e9; x += 10e6) {
			double there = x + drift * x;

			if (x <= turn)
				verify_clock_forward(c, T0 + (int64_t)x,
						     T0 + (int64_t)(there + delay));
			else if (x >= turn + 1e9)
				verify_clock_backward(c, T0 + (int64_t)x,
						      T0 + (int64_t)(there - delay));
		}
		verify_clock_line(c, &l);
		assert_true(l.known);
		double truth = drift * (double)(l.at_ns - T0);
		assert_true(fabs((double)l.offset_ns - truth) <= (double)l.uncertainty_ns);
		/* half a round trip, and a second's usual drift, shared out between both ends */
		assert_true((double)l.uncertainty_ns <= delay + 2000 + 100e-6 * 1e9);
		assert_true(fabs(l.drift - drift) <= l.drift_doubt + 1e-9);
		verify_clock_free(c);
	}
}

/* A clock that is stepped back by 5 ms half way: no line fits, and the width says so. */
static void test_step(void **unused)
{
	struct verify_clock *c = verify_clock_new(NULL);
	struct verify_clock_line l;

	(void)unused;
	for (int64_t i = 0; i < 1000; i++) {
		int64_t x = i * 1000000, step = i < 500 ? 0 : -5000000;
		verify_clock_forward(c, T0 + x, T0 + x + step + 20000);
		verify_clock_backward(c, T0 + x, T0 + x + step - 20000);
	}
	verify_clock_line(c, &l);
	assert_true(l.known);
	assert_true(l.uncertainty_ns > 1000000);
	verify_clock_free(c);
}

/* Out of order, before the first, far apart: nothing breaks. */
static void test_odd_times(void **unused)
{
	static const int64_t at[] = { 5, -1000000000000, 900000000000000000, 0, INT32_MIN, 7 };
	struct verify_clock *c = verify_clock_new(NULL);
	struct verify_clock_line l;

	(void)unused;
	for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		verify_clock_forward(c, T0 + at[i], T0 + at[i] + 100);
		verify_clock_backward(c, T0 + at[i], T0 + at[i] - 100);
		verify_clock_line(c, &l);
		assert_true(l.known);
		assert_true(labs((long)l.offset_ns) <= 101);
	}
	verify_clock_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_worlds), cmocka_unit_test(test_one_way),
		cmocka_unit_test(test_apart),  cmocka_unit_test(test_apart_long),
		cmocka_unit_test(test_step),   cmocka_unit_test(test_odd_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
