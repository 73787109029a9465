/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steps.c - when the clock was stepped, from the stamps of several hops.
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
 * Therefore each hop has its era, the number of the step that it has crossed last. It changes only
 * with a jump in the hop's own stamps: to the newest frame's era when the jump ends near it, else
 * to that of a hop that shows the same time, else to one behind all. A hop that lags may cross one
 * step while others are past the next; it counts on from its own era, and finds the others' when it
 * reaches their time. When time goes back, the boundary that is crossed is the later one of the
 * two eras, and each boundary is counted once.
 *
 * A hop that goes on from where it was, and yet is far behind the newest, was silent through a
 * step; or there was none, and whoever wrote the file drained it late: it lags. Then what has been
 * missing at this hop may have come just now, and what it shows may have been seen before. Stamps
 * alone do not say which, so it is counted as a step, and nothing is called lost any more
 * (correlate_hops_lag()).
 *
 * Whether a jump forward is a step or a silence, stamps alone do not say. In files it is counted
 * where it breaks the order, which it does as long as some hop lags; nothing goes back over a
 * long silence of all hops. A source that tells how far its rings are read (PIPELINE_TOLD) knows
 * more: it tells of the clock that was set forward (pipeline_clock_set()), and a hop whose stamps
 * are far behind the others' has not been read yet. A program that was stopped for ten seconds, or
 * that waited for the reader of its pipe, finds ten seconds in each of its rings; that is no step.
 */
#include "pipeline_priv.h"

#define CLOCK_STEP_NS 1000000000LL	/* stamps this far back are a stepped clock, not disorder */

void steps_init(struct steps *s, int64_t lookahead_ns, bool told)
{
	*s = (struct steps){ .limit_ns = lookahead_ns + CLOCK_STEP_NS, .told = told };
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		s->hop[i].last_ns = MODEL_TIME_MIN_NS; /* its first frame is a jump from there */
}

/* The first era behind `own` of which a hop shows this time; 0: none. */
static uint64_t era_of_time(const struct steps *s, uint64_t own, int64_t time_ns)
{
	uint64_t era = 0;

	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		if (s->hop[i].era > own && (!era || s->hop[i].era < era) &&
		    !steps_is_far(s, time_ns, s->hop[i].last_ns))
			era = s->hop[i].era;
	return era;
}

/* Of a frame far from the newest, whose hop's own stamps jump. */
static uint64_t era_behind_jump(const struct steps *s, const struct steps_hop *h, int64_t time_ns,
				int64_t newest_ns)
{
	const uint64_t later = h->era > s->newest_era ? h->era : s->newest_era;
	const bool first = h->last_ns == MODEL_TIME_MIN_NS;
	const uint64_t found = era_of_time(s, h->era, time_ns);

	if (found)
		return found;
	if (s->told && first) /* ahead of all others: from before they crossed a step */
		return time_ns > newest_ns && later ? later - 1 : later;
	if (s->told && time_ns > h->last_ns)
		return h->era;
	return time_ns < h->last_ns && time_ns > newest_ns ? h->era + 1 : later + 1;
}

/*
 * A frame far behind the newest: is its hop behind, rather than on the other side of a step that
 * another has crossed? before: the newest frame's era, which may have begun with such a frame.
 */
static bool may_lag(const struct steps *s, const struct steps_hop *h, int64_t time_ns,
		    uint64_t before)
{
	const bool first = h->last_ns == MODEL_TIME_MIN_NS;
	const bool goes_on = time_ns > h->last_ns || !steps_is_far(s, time_ns, h->last_ns);

	return !s->told && goes_on && (first || h->era == before || before == s->doubtful_era);
}

bool steps_note_far(struct steps *s, uint16_t hop, int64_t time_ns, int64_t newest_ns)
{
	struct steps_hop *h = &s->hop[hop];
	const bool far = steps_is_far(s, time_ns, newest_ns);
	const bool back = far && time_ns < newest_ns;
	const uint64_t before = s->newest_era;
	const bool lags = back && may_lag(s, h, time_ns, before);

	if (!far)
		h->era = h->era > before ? h->era : before;
	else if (steps_is_far(s, time_ns, h->last_ns))
		h->era = era_behind_jump(s, h, time_ns, newest_ns);
	if (back && h->era == before && !s->told)
		h->era++; /* silent since its time was last what it is again */
	h->last_ns = time_ns;
	if (lags) {
		s->lag = true;
		s->doubtful_era = h->era > before ? h->era : before;
	}
	if (back && h->era == before)
		return false; /* told: not read as far as the others */
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

void steps_set_forward(struct steps *s, const struct capture_clock_set *set)
{
	s->set_by_ns = set->by_ns;
	s->set_after_ns = set->after_ns;
	s->set_before_ns = set->before_ns;
}

bool steps_crosses(struct steps *s, int64_t from_ns, int64_t to_ns)
{
	/* Most of the step in one go: frames of both sides may have come between the two looks. */
	if (!s->set_by_ns || to_ns <= s->set_after_ns ||
	    (to_ns < s->set_before_ns && to_ns - from_ns < s->set_by_ns / 4 * 3))
		return false;
	s->set_by_ns = 0;
	s->counted++;
	return true;
}
