/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.h - a latency histogram of fixed size whose percentiles are within 1 %.
 *
 * Owns: its counters, in place; no heap.
 * Never: loses a sample, grows, or averages: min and max are exact, every
 * other percentile is the middle of a bucket that is at most 1/64 of its value wide. Where all
 * samples are whole microseconds, as the kernel's stamps are, it is the nearest one to that middle:
 * up to 64 us a bucket holds but one, so that these are exact as well.
 *
 * Log-linear buckets: values below 64 have a bucket each, above that every
 * power of two is cut into 64 (as HdrHistogram does).
 */
#ifndef PODHOP_HIST_H
#define PODHOP_HIST_H

#include <stdbool.h>
#include <stdint.h>

#define HIST_SUB_BITS 6		/* 64 buckets an octave: width <= 1.6 %, middle <= 0.8 % off */
#define HIST_OCTAVES 38		/* up to 2^43 ns = 2.4 hours; larger values land in the last */
#define HIST_BUCKETS ((HIST_OCTAVES + 1) << HIST_SUB_BITS)

struct hist {
	uint64_t n;
	uint64_t min, max;	/* meaningless while n is 0 */
	bool fine;		/* some sample is no whole microsecond */
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t value);
/*
 * For drawing: bar i of HIST_BARS, four an octave. Returns its samples, which lie from
 * *ret_from up to below *ret_to; the last bar ends behind the largest sample.
 */
#define HIST_BAR_BITS 4		/* 16 buckets a bar */
#define HIST_BARS (HIST_BUCKETS >> HIST_BAR_BITS)
uint64_t hist_bar(const struct hist *h, unsigned i, uint64_t *ret_from, uint64_t *ret_to);
/* The value below which pct percent of the samples lie; 0 while n is 0. */
uint64_t hist_percentile(const struct hist *h, double pct);

#endif
