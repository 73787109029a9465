/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * choice.c - look-alikes: which of several packets that fit, and what that means for them.
 *
 * Packets of equal bytes without an IP id differ in nothing that a hop shows. They are
 * taken in order, as every queue of the kernel would pass them on. As long as none of
 * them is lost that is right; when one is, nobody can say which: all between which an
 * observation had a choice are tied, and judged together when the last has closed
 * (close.c: close_tied()). Where the capture missed a packet, the order of the places tells some
 * apart all the same: what is further on already does not show where it came from.
 */
#include "correlate_priv.h"

/*
 * How far through the node a place is: in, up to the node, down from it, out again. 0: where no
 * order is certain; a bridge that is promiscuous shows behind the second veth what it forwarded.
 */
enum { STAGE_NONE, STAGE_IN, STAGE_UP, STAGE_DOWN, STAGE_OUT };

static unsigned stage_of(unsigned role, unsigned way)
{
	static const uint8_t in[MODEL_ROLE_COUNT] = {
		[MODEL_ROLE_VETH] = STAGE_IN, [MODEL_ROLE_UNDERLAY] = STAGE_IN,
		[MODEL_ROLE_VTEP] = STAGE_UP,
	};
	static const uint8_t out[MODEL_ROLE_COUNT] = {
		[MODEL_ROLE_BRIDGE] = STAGE_DOWN, [MODEL_ROLE_VTEP] = STAGE_DOWN,
		[MODEL_ROLE_VETH] = STAGE_OUT, [MODEL_ROLE_UNDERLAY] = STAGE_OUT,
	};

	return way == MODEL_WAY_IN ? in[role] : way == MODEL_WAY_OUT ? out[role] : STAGE_NONE;
}

/* The stage that p had reached at least when it was seen last, before o. */
static unsigned stage_before(const struct correlate *c, const struct packet *p,
			     const struct correlate_obs *o)
{
	const struct sighting *last = p->n_sightings ? sighting(c, p, p->n_sightings - 1u) : NULL;

	if (!last || last->first_ns >= o->time_ns)
		return STAGE_NONE;
	/* Wherever else a bridge shows what came in at its ports: it is behind them. */
	if (last->role == MODEL_ROLE_BRIDGE && PLACE_WAY(last->place) == MODEL_WAY_IN)
		return STAGE_UP;
	return stage_of(last->role, PLACE_WAY(last->place));
}

bool choice_was_further_on(const struct correlate *c, const struct packet *p,
			   const struct correlate_obs *o, uint16_t place)
{
	unsigned stage = stage_of(c->hop[o->hop].role, PLACE_WAY(place));

	return stage && stage_before(c, p, o) > stage;
}

/*
 * Segments pass two hops in turn, and what GRO merged bears the time of its first one: but on
 * its way out of the node nothing is that has not come in.
 */
bool choice_was_sent_on(const struct correlate *c, const struct packet *p,
			const struct correlate_obs *o, uint16_t place)
{
	unsigned stage = stage_of(c->hop[o->hop].role, PLACE_WAY(place));

	return stage && stage < STAGE_DOWN && stage_before(c, p, o) >= STAGE_DOWN;
}

/*
 * Chooses among those that can still be on their way between two hops: the one that has come
 * furthest, because a packet that the hop before did not show (it was lost there, and this is
 * what its sender sent again) is not seen behind it; of these the oldest.
 */
void choice_offer(struct correlate *c, struct choice *ch, uint32_t i, int64_t now_ns)
{
	const struct packet *p = &c->packet[i];
	const unsigned n = p->n_sightings;
	int64_t last = n ? sighting(c, p, n - 1u)->first_ns : p->first_ns;
	bool fresh = now_ns - last <= LOOKALIKE_AGE_NS;
	bool better = ch->best == NONE;

	if (!better && fresh != ch->best_fresh)
		better = fresh;
	else if (!better && n != ch->best_progress)
		better = n > ch->best_progress;
	else if (!better)
		/* Of equal stamps the one that was read first. */
		better = p->first_ns < ch->best_ns ||
			 (p->first_ns == ch->best_ns && p->number < c->packet[ch->best].number);
	ch->n++;
	if (better) {
		ch->best = i;
		ch->best_ns = p->first_ns;
		ch->best_progress = n;
		ch->best_fresh = fresh;
	}
}

void choice_note(struct correlate *c, const struct choice *ch)
{
	struct packet *p = &c->packet[ch->best];

	if (ch->n > 1 && ch->n > p->ambiguous)
		p->ambiguous = (uint16_t)(ch->n > UINT16_MAX ? UINT16_MAX : ch->n);
}

static void tie_join(struct correlate *c, uint32_t tie, uint32_t i)
{
	struct tie *t = &c->tie[tie];
	struct packet_more *m;

	if (t->members >= TIE_MEMBERS_MAX)
		return;
	m = more_need(c, &c->packet[i]);
	m->tie = tie;
	m->tie_next = NONE;
	c->packet[i].flags |= PACKET_TIED;
	c->packet[i].held++; /* a closed member waits for the others */
	if (t->first == NONE)
		t->first = i;
	else
		c->more[t->last].tie_next = i;
	t->last = i;
	t->members++;
}

/* Two groups of look-alikes have met: they are judged as one. */
static void tie_merge(struct correlate *c, uint32_t keep, uint32_t gone)
{
	struct tie *a = &c->tie[keep], *b = &c->tie[gone];

	if (a->members + b->members > TIE_MEMBERS_MAX)
		return;
	for (uint32_t i = b->first; i != NONE; i = c->more[i].tie_next)
		c->more[i].tie = keep;
	c->more[a->last].tie_next = b->first;
	a->last = b->last;
	a->members += b->members;
	a->closed += b->closed;
	a->any_incomplete |= b->any_incomplete;
	b->next_free = c->tie_free;
	c->tie_free = gone;
}

static uint32_t tie_new(struct correlate *c)
{
	uint32_t t;

	if (c->tie_free != NONE) {
		t = c->tie_free;
		c->tie_free = c->tie[t].next_free;
	} else if (c->tie_top < c->n_tie) {
		t = c->tie_top++;
	} else {
		return NONE;
	}
	c->tie[t] = (struct tie){ .first = NONE, .last = NONE, .next_free = NONE };
	return t;
}

void choice_tie(struct correlate *c, uint32_t a, uint32_t b)
{
	uint32_t ta = more_of(c, &c->packet[a])->tie, tb = more_of(c, &c->packet[b])->tie;

	if (ta != NONE && tb != NONE) {
		if (ta != tb)
			tie_merge(c, ta, tb);
	} else if (ta != NONE) {
		tie_join(c, ta, b);
	} else if (tb != NONE) {
		tie_join(c, tb, a);
	} else if ((ta = tie_new(c)) != NONE) {
		tie_join(c, ta, a);
		tie_join(c, ta, b);
	}
}

/* The member of the tie before i; NONE: i is the first. */
static uint32_t tie_before(const struct correlate *c, const struct tie *t, uint32_t i)
{
	uint32_t before = NONE;

	for (uint32_t k = t->first; k != i; k = c->more[k].tie_next)
		before = k;
	return before;
}

static void tie_leave(struct correlate *c, uint32_t i)
{
	struct tie *t = &c->tie[c->more[i].tie];
	const uint32_t before = tie_before(c, t, i), next = c->more[i].tie_next;

	if (before == NONE)
		t->first = next;
	else
		c->more[before].tie_next = next;
	if (t->last == i)
		t->last = before;
	t->members--;
	c->more[i].tie = NONE;
	c->packet[i].flags &= (uint16_t)~PACKET_TIED;
	c->packet[i].held--;
}

void choice_replace(struct correlate *c, uint32_t whole, uint32_t part)
{
	const uint32_t tie = c->more[part].tie, other = more_of(c, &c->packet[whole])->tie;
	struct tie *t = &c->tie[tie];

	if (other == NONE) {
		t->members--; /* the place of part, should the tie be full */
		tie_join(c, tie, whole);
		t->members++;
	} else if (other != tie) {
		tie_merge(c, other, tie);
	}
	if (c->more[whole].tie == c->more[part].tie)
		tie_leave(c, part);
	else
		close_tied(c, part); /* too many for one tie: those of its own are judged without */
}

bool choice_is_of_one_flow(const struct correlate *c, uint32_t i)
{
	const uint32_t flow = c->packet[i].flow;

	if (!(c->packet[i].flags & PACKET_TIED))
		return true;
	for (uint32_t k = c->tie[c->more[i].tie].first; k != NONE; k = c->more[k].tie_next)
		if (!flow_same_group(c, c->packet[k].flow, flow))
			return false;
	return true;
}
