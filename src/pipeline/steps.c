/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.c - how often the clock was stepped, from the stamps of several hops.
 *
 * Theory of operation
 *
 * A step of the system clock is in every hop's ring, but rings are read one after the other: when
 * the first hop has crossed the step, the others still show stamps from before it. So time goes
 * back and forth between the two sides until the last hop has crossed; order begins anew each
 * time that it goes back, but it was one step.
 *
 *   veth    100.0 100.1 | 40.2 40.3              100.1 > 40.2   back: a step, counted
 *   cni0    100.0 100.1                          100.1          the same hop's time goes on
 *   veth                        40.4             40.4           back: the same step
 *   cni0                | 40.2                   near           crosses it, too
 *
 * Therefore each hop has its era. It changes only with a jump in the hop's own stamps: to the
 * newest frame's era when the jump ends near it, else to the one behind that; a hop's first frame
 * belongs to the era of whichever hop shows the same time. When time goes back,
 * the boundary that is crossed is the later one of the two eras, and each boundary is counted
 * once. A long silence of all hops is a boundary that nothing goes back over: not counted. A step
 * forward is counted where it breaks the order, which it does as long as some hop lags.
 */
#include "pipeline_priv.h"

#define CLOCK_STEP_NS 1000000000LL	/* stamps this far back are a stepped clock, not disorder */

void steps_init(struct steps *s, int64_t lookahead_ns)
{
	*s = (struct steps){ .limit_ns = lookahead_ns + CLOCK_STEP_NS };
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		s->hop[i].last_ns = -TIME_MAX_NS; /* its first frame is a jump from there */
}

/* Of a hop's first frame, far from the newest: another hop's era whose time it is, or a new one. */
static uint64_t first_era(const struct steps *s, int64_t time_ns)
{
	uint64_t era = 0;

	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		if (s->hop[i].era > era && !steps_is_far(s, time_ns, s->hop[i].last_ns))
			era = s->hop[i].era;
	return era ? era : s->newest_era + 1;
}

bool steps_note_far(struct steps *s, uint16_t hop, int64_t time_ns, int64_t newest_ns)
{
	struct steps_hop *h = &s->hop[hop];
	const bool far = steps_is_far(s, time_ns, newest_ns);
	const bool back = far && time_ns < newest_ns;
	const uint64_t before = s->newest_era;

	if (steps_is_far(s, time_ns, h->last_ns)) {
		if (far)
			h->era = h->era ? before + 1 : first_era(s, time_ns);
		else if (h->era < before)
			h->era = before;
	} else if (back && h->era == before) {
		h->era++; /* silent since its time was last what it is again */
	}
	h->last_ns = time_ns;
	if (back || time_ns > newest_ns)
		s->newest_era = h->era;
	if (!back)
		return false;

	const uint64_t boundary = h->era > before ? h->era : before;

	if (boundary > s->last_counted) {
		s->last_counted = boundary;
		s->counted++;
	}
	return true;
}
