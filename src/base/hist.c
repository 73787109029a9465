/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hist.c - the latency histogram.
 */
#include "podhop/hist.h"

#define HIST_SUB (1u << HIST_SUB_BITS)
#define HIST_US 1000u

/* Bucket of a value: octave o > 0 holds [2^(o+5), 2^(o+6)) in 64 equal parts. */
static unsigned hist_index(uint64_t value)
{
	unsigned shift, i;

	if (value < HIST_SUB)
		return (unsigned)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - HIST_SUB_BITS;
	i = ((shift + 1) << HIST_SUB_BITS) + ((unsigned)(value >> shift) & (HIST_SUB - 1));
	return i < HIST_BUCKETS ? i : HIST_BUCKETS - 1;
}

static uint64_t hist_middle(unsigned i)
{
	unsigned octave = i >> HIST_SUB_BITS, shift;

	if (octave == 0)
		return i;
	shift = octave - 1;
	return ((uint64_t)(HIST_SUB + (i & (HIST_SUB - 1))) << shift) + ((1ULL << shift) >> 1);
}

static uint64_t hist_low(unsigned i)
{
	unsigned octave = i >> HIST_SUB_BITS;

	if (octave == 0)
		return i;
	return (uint64_t)(HIST_SUB + (i & (HIST_SUB - 1))) << (octave - 1);
}

void hist_add(struct hist *h, uint64_t value)
{
	if (h->n == 0 || value < h->min)
		h->min = value;
	if (h->n == 0 || value > h->max)
		h->max = value;
	h->n++;
	h->fine |= value % HIST_US != 0;
	h->bucket[hist_index(value)]++;
}

uint64_t hist_percentile(const struct hist *h, double pct)
{
	uint64_t rank, seen = 0, value;
	double want;

	if (h->n == 0)
		return 0;
	/* Nearest rank: the smallest sample with pct percent at or below it. */
	want = pct / 100.0 * (double)h->n;
	if (want <= 1.0)
		return h->min;
	if (want >= (double)h->n)
		return h->max;
	rank = (uint64_t)want;
	if ((double)rank < want)
		rank++;
	if (rank >= h->n)
		return h->max;
	for (unsigned i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen < rank)
			continue;
		/* The last bucket has no upper end. */
		if (i == HIST_BUCKETS - 1)
			return h->max;
		value = hist_middle(i);
		if (!h->fine)
			value = (value + HIST_US / 2) / HIST_US * HIST_US;
		if (value < h->min)
			return h->min;
		return value > h->max ? h->max : value;
	}
	return h->max;
}

uint64_t hist_bar(const struct hist *h, unsigned i, uint64_t *ret_from, uint64_t *ret_to)
{
	unsigned first = i << HIST_BAR_BITS;
	uint64_t n = 0;

	if (i >= HIST_BARS) {
		*ret_from = *ret_to = 0;
		return 0;
	}
	for (unsigned k = first; k < first + (1u << HIST_BAR_BITS); k++)
		n += h->bucket[k];
	*ret_from = hist_low(first);
	*ret_to = hist_low(first + (1u << HIST_BAR_BITS));
	if (i == HIST_BARS - 1 && h->n && h->max >= *ret_to)
		*ret_to = h->max == UINT64_MAX ? h->max : h->max + 1;
	return n;
}
