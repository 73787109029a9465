/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * times.c - stretches of a node's time in which something was so.
 *
 * They are told of mostly in order; the newest come first in every search. When their room is used
 * up the two oldest become one with what lies between: their packets were decided long ago.
 */
#include "verify_priv.h"

#include <string.h>

void verify_times_add(struct times *t, int64_t from_ns, int64_t to_ns, int64_t apart_ns)
{
	unsigned first = t->n, end;

	while (first && t->at[first - 1].to_ns >= from_ns - apart_ns)
		first--;
	for (end = first; end < t->n && t->at[end].from_ns <= to_ns + apart_ns; end++) {
		from_ns = t->at[end].from_ns < from_ns ? t->at[end].from_ns : from_ns;
		to_ns = t->at[end].to_ns > to_ns ? t->at[end].to_ns : to_ns;
	}
	if (first == end && t->n == TIMES_MAX) {
		t->at[1].from_ns = t->at[0].from_ns;
		memmove(&t->at[0], &t->at[1], (TIMES_MAX - 1) * sizeof(t->at[0]));
		t->n--;
		if (first <= 1) {
			/* Before them or between: of the one that they are now. */
			t->at[0].from_ns = from_ns < t->at[0].from_ns ? from_ns : t->at[0].from_ns;
			return;
		}
		first--;
		end--;
	}
	memmove(&t->at[first + 1], &t->at[end], (t->n - end) * sizeof(t->at[0]));
	t->at[first] = (struct time_stretch){ from_ns, to_ns };
	t->n += 1 - (end - first);
}

bool verify_times_meet(const struct times *t, int64_t from_ns, int64_t to_ns)
{
	for (unsigned i = t->n; i && t->at[i - 1].to_ns >= from_ns; i--)
		if (t->at[i - 1].from_ns <= to_ns)
			return true;
	return false;
}
