/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * step.c - a clock that is stepped while both nodes are captured.
 *
 * Theory of operation
 *
 * Behind a step of more than a window nothing fits any more: what was sent seems lost, what comes
 * seems to be nobody's. So both are remembered for a while by what makes them one of their kind,
 * and when one finds the other all the same, it says by how much the clocks differ from what they
 * were:
 *
 *     sent       s1  s2  s3 | s4  s5  s6  s7
 *     received   r1  r2  r3 |                        r4  r5  r6  r7
 *                           step    <------- by so much ------->
 *
 * One alone was late. Several whose difference is the same while time goes on, and nothing that
 * fits between them, are a step: the clocks are learned anew from there on, and what was called
 * lost since something fitted last is unknown. At the end even one is enough for that.
 *
 * A capture itself may say that its clock was set back (verify_clock_steps()). Where
 * the packets do not show that step, nothing that is missing is called lost.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <stdlib.h>
#include <string.h>

#include "podhop/hash.h"

#define STEP_PACKETS 8u /* that agree */
#define WAYS 8u

/* The same of a super-frame and its first segment. Never 0. */
static uint64_t who(uint64_t key, uint8_t kind, uint64_t body, uint32_t sig, uint32_t ip_id)
{
	return hash_mix(key ^ (kind == RESULT_KIND_STREAM ? 0 : body), (uint64_t)sig << 32 | ip_id,
			KEY_MISSED) |
	       1;
}

static bool is_sampled(uint64_t is, unsigned shift)
{
	return !(is >> 32 & ((1ull << shift) - 1));
}

/* Makes room: what is no use any more goes, since something fitted after it; else every second. */
static void thin(struct missed_table *t, uint64_t fits)
{
	struct missed *old = t->at;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < MISSED; i++)
		kept += old[i].is && old[i].fits == fits;
	bool all = kept <= MISSED / 2;
	if (!kept)
		t->shift = 0;
	else if (!all && t->shift < 31)
		t->shift++;
	for (uint32_t i = 0; i < MISSED; i++)
		if (old[i].is &&
		    (old[i].fits != fits || (!all && !is_sampled(old[i].is, t->shift)))) {
			old[i].is = 0;
			t->n--;
		}
}

/* The place of it, or a free one in its set; NULL: the set is full. */
static struct missed *place(const struct missed_table *t, uint64_t is)
{
	struct missed *set = &t->at[(is >> 1) % (MISSED / WAYS) * WAYS], *empty = NULL;

	for (unsigned k = 0; k < WAYS; k++) {
		if (set[k].is == is)
			return &set[k];
		if (!set[k].is && !empty)
			empty = &set[k];
	}
	return empty;
}

/* Not, where there is no memory for it. */
static void remember(struct missed_table *t, uint64_t is, int64_t time_ns, uint64_t fits)
{
	struct missed *m;

	if (!is_sampled(is, t->shift))
		return;
	if (!t->at)
		t->at = calloc(MISSED, sizeof(*t->at));
	if (!t->at)
		return;
	if (t->n > MISSED - MISSED / 4)
		thin(t, fits);
	m = place(t, is);
	if (!m)
		return;
	t->n += !m->is;
	*m = (struct missed){ is, time_ns, fits };
}

static struct missed *find(const struct missed_table *t, uint64_t is)
{
	struct missed *m = t->at ? place(t, is) : NULL;

	return m && m->is == is ? m : NULL;
}

/* What was called lost since the last packet that fitted was not, or nobody knows. */
static void take_back(struct direction *d)
{
	const struct tally *t = &d->tally;
	struct verify_direction *r = &d->d;

	if (!t->taken)
		return;
	d->stepped += r->lost - t->lost;
	r->unknown += r->lost - t->lost;
	r->lost = t->lost;
	r->bytes_missing = t->bytes_missing;
	r->lost_omitted = t->lost_omitted;
	r->n_lost_packets = t->n_lost_packets;
	r->n_places = t->n_places;
	memcpy(r->places, t->places, sizeof(r->places));
	memcpy(d->lost_at, t->lost_at, sizeof(d->lost_at));
	memcpy(d->lost_inside, t->lost_inside, sizeof(d->lost_inside));
	r->outer.foreign = t->foreign;
	d->tally.taken = false;
}

void verify_step_tally(struct direction *d, uint64_t id)
{
	const struct verify_direction *r = &d->d;
	struct tally *t = &d->tally;

	if (t->taken)
		return;
	*t = (struct tally){ .taken = true,
			     .id = id,
			     .lost = r->lost,
			     .bytes_missing = r->bytes_missing,
			     .lost_omitted = r->lost_omitted,
			     .n_lost_packets = r->n_lost_packets,
			     .n_places = r->n_places,
			     .foreign = r->outer.foreign };
	memcpy(t->places, r->places, sizeof(t->places));
	memcpy(t->lost_at, d->lost_at, sizeof(t->lost_at));
	memcpy(t->lost_inside, d->lost_inside, sizeof(t->lost_inside));
}

static void take_back_both(struct verify *v, unsigned a, unsigned b)
{
	take_back(verify_direction_of(v, a, b));
	take_back(verify_direction_of(v, b, a));
}

/*
 * Stamps do not tell whether it was before the step or behind it: the order does in which its node
 * saw the packets, and that is their ids'.
 */
void verify_step_fits(struct verify *v, const struct sent *s, const struct received *r)
{
	struct pair *p = verify_pair_of(v, s->from, s->to);
	struct tally *there = &verify_direction_of(v, s->from, s->to)->tally;
	struct tally *back = &verify_direction_of(v, s->to, s->from)->tally;

	if (!(s->flags & SENT_STRONG))
		return;
	p->fits++;
	if ((p->step.node == s->from ? s->id : r->id) > p->step.id)
		p->step.n = 0;
	there->taken = there->taken && s->id < there->id;
	back->taken = back->taken && r->id < back->id;
}

/* Of both directions, what belongs to the clocks as they were. */
static void forget(struct verify *v, unsigned a, unsigned b)
{
	struct direction *d[] = { verify_direction_of(v, a, b), verify_direction_of(v, b, a) };
	struct pair *p = verify_pair_of(v, a, b);

	for (unsigned k = 0; k < 2; k++) {
		d[k]->usual = (struct usual){ 0 };
		d[k]->n_delays = 0;
		d[k]->unsure_ns =
			d[k]->seen_ns == INT64_MIN ? INT64_MIN : d[k]->seen_ns + v->cfg.window_ns;
	}
	verify_clock_clear(p->clock);
	p->samples = p->next_estimate = 0;
	p->forward = p->backward = p->weak = false;
}

/*
 * A packet of from's that was missing at wire_ns came at first_ns, each by its node's clock. It has
 * that id at the node.
 */
static void came_apart(struct verify *v, unsigned from, unsigned to, int64_t wire_ns,
		       int64_t first_ns, unsigned node, uint64_t id)
{
	struct pair *p = verify_pair_of(v, from, to);
	struct step *e = &p->step;
	int64_t by = first_ns - verify_convert(v, from, to, wire_ns), sent = wire_ns;

	if (by > -v->cfg.window_ns && by < v->cfg.window_ns)
		return;
	if (from > to) { /* as the reference has it */
		by = -by;
		sent = verify_convert(v, from, to, wire_ns);
	}
	if (!e->n || by > e->least_ns + v->cfg.window_ns / 2 ||
	    by < e->most_ns - v->cfg.window_ns / 2)
		*e = (struct step){ .node = node,
				    .id = id,
				    .least_ns = by,
				    .most_ns = by,
				    .from_ns = sent,
				    .to_ns = sent };
	e->n++;
	e->least_ns = by < e->least_ns ? by : e->least_ns;
	e->most_ns = by > e->most_ns ? by : e->most_ns;
	e->from_ns = sent < e->from_ns ? sent : e->from_ns;
	e->to_ns = sent > e->to_ns ? sent : e->to_ns;
	/* As many could have waited in a queue, and come at once: their differences vary. */
	if (e->n < STEP_PACKETS ||
	    e->to_ns - e->from_ns < 2 * (e->most_ns - e->least_ns) + SLACK_NS)
		return;
	take_back_both(v, from, to);
	p->steps++;
	p->stepped_ns = by;
	e->n = 0;
	if (v->cfg.has_offset)
		return;
	forget(v, from, to);
	if (from < to)
		verify_clock_forward(p->clock, wire_ns, first_ns);
	else
		verify_clock_backward(p->clock, first_ns, wire_ns);
	p->samples++;
	*(from < to ? &p->forward : &p->backward) = true;
	verify_estimate(v, from, to, first_ns);
}

static uint64_t who_sent(const struct sent *s)
{
	return who(s->key, s->kind, s->body, s->sig, s->ip_id);
}

static uint64_t who_came(const struct received *r)
{
	return who(r->key, r->kind, r->body, r->sig, r->ip_id);
}

bool verify_step_hid(struct verify *v, const struct sent *s)
{
	struct direction *d = verify_direction_of(v, s->from, s->to);
	uint64_t is = who_sent(s);
	const struct missed *came;

	if (verify_convert(v, s->from, s->to, s->time_ns) <= d->unsure_ns)
		return true;
	if (!(s->flags & SENT_STRONG) || s->taken || !s->wire_ns)
		return false;
	came = find(&d->came, is);
	if (came)
		came_apart(v, s->from, s->to, s->wire_ns, came->time_ns, s->from, s->id);
	else
		remember(&d->gone, is, s->wire_ns, verify_pair_of(v, s->from, s->to)->fits);
	return came != NULL;
}

void verify_step_unclaimed(struct verify *v, const struct received *r)
{
	struct direction *d = verify_direction_of(v, r->from, r->to);
	uint64_t is = who_came(r);
	const struct missed *gone;

	if ((r->kind != RESULT_KIND_STREAM && !r->has_id) || !r->first_ns)
		return;
	gone = find(&d->gone, is);
	if (gone)
		came_apart(v, r->from, r->to, gone->time_ns, r->first_ns, r->to, r->id);
	else
		remember(&d->came, is, r->first_ns, verify_pair_of(v, r->from, r->to)->fits);
}

/* Else a retransmission that is lost would find it, and be unknown. */
void verify_step_claimed(struct verify *v, const struct received *r)
{
	struct missed_table *t = &verify_direction_of(v, r->from, r->to)->came;
	struct missed *m = find(t, who_came(r));

	if (!m || m->time_ns != r->first_ns)
		return;
	m->is = 0;
	t->n--;
}

void verify_step_finish(struct verify *v)
{
	for (unsigned a = 0; a < v->cfg.n_nodes; a++)
		for (unsigned b = a + 1; b < v->cfg.n_nodes; b++) {
			struct pair *p = verify_pair_of(v, a, b);

			if (p->step.n)
				take_back_both(v, a, b);
		}
}

bool verify_step_hides(const struct verify *v, unsigned a, unsigned b)
{
	uint64_t told = v->node[a].clock_steps + v->node[b].clock_steps;

	return a != b && told > verify_pair_of(v, a, b)->steps;
}

void verify_clock_steps(struct verify *v, unsigned node, uint64_t n)
{
	v->node[node].clock_steps = n;
}
