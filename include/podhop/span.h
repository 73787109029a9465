/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * span.h - from the first to the last of several moments, which come in any order.
 *
 * Never: keeps the moments between, knows whose clock they are of.
 */
#ifndef PODHOP_SPAN_H
#define PODHOP_SPAN_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: no moment yet. Times are nanoseconds. */
struct time_span {
	bool any;
	int64_t first_ns, last_ns;
};

static inline void time_span_add(struct time_span *s, int64_t time_ns)
{
	if (!s->any || time_ns < s->first_ns)
		s->first_ns = time_ns;
	if (!s->any || time_ns > s->last_ns)
		s->last_ns = time_ns;
	s->any = true;
}

/* Has it a part of [from_ns, to_ns]? */
static inline bool time_span_meets(const struct time_span *s, int64_t from_ns, int64_t to_ns)
{
	return s->any && s->first_ns <= to_ns && from_ns <= s->last_ns;
}

#endif
