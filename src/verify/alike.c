/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alike.c - which of several sent packets that look alike a received one is.
 *
 * Theory of operation
 *
 * An IP id or a place in a TCP stream makes a packet one of its kind for as long as it is held
 * here. Without one, equal packets (a heartbeat, a retransmission over IPv6) are told apart by
 * time alone, and only where the clocks are known:
 *
 *     sent      s1          s2          s3
 *     received     .          [r   ]        r is s2, that left a usual delay ago; s1 was lost
 *                         usual delays
 *
 * What would have come before it was sent is not it. Of those that left a usual delay ago the
 * oldest is taken, as queues do; of others the youngest. Where more than one fits equally well
 * it is still counted which number arrived, but nobody can say which are missing: these
 * are unknown, and nothing is told of their delay. What is usual is learned from packets
 * of which only one could be meant, as TCP learns its timeout (RFC 6298).
 *
 * Two clocks are brought together by packets that are one of their kind. Other ones tell it only
 * when nothing like them is held on either side, and not before a while has shown that nothing
 * like them follows: else a capture that began a heartbeat later gives an offset of a period.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <math.h>

#define SETTLED_WINDOWS 4 /* for look-alikes to show: 8 s, longer than most heartbeats' period */
#define USUAL_LEAST_NS 50000 /* delays vary by so much at least */
#define TRY_FIRST_NS 10000000LL /* after both have begun */
#define POOR_FACTOR 4 /* delays beyond the usual that differ by less are alike */

bool verify_is_same(const struct sent *s, const struct received *r)
{
	if (s->key != r->key || s->from != r->from || s->to != r->to || s->kind != r->kind ||
	    s->size != r->size)
		return false;
	if (r->kind == RESULT_KIND_STREAM
		    ? s->start != r->start || s->sig != r->sig || !verify_ids_fit(s, r, 0)
		    : s->head != r->head)
		return false;
	return !verify_is_altered(s, r);
}

bool verify_alike_came(const struct verify *v, const struct sent *s)
{
	unsigned n = 0;

	for (uint32_t i = v->received_bucket[s->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->received[i].next, n++)
		if (verify_is_same(s, &v->received[i]))
			return true;
	return false;
}

/* How many sent packets look like r; *ret_one: one of them. */
static unsigned count_same(const struct verify *v, const struct received *r, uint32_t *ret_one)
{
	unsigned n = 0, same = 0;

	for (uint32_t i = v->sent_bucket[r->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->sent[i].next, n++)
		if (v->sent[i].time_ns <= v->sent_until_ns && verify_is_same(&v->sent[i], r)) {
			*ret_one = i;
			same++;
		}
	return same;
}

/* What was received and waits: does another one look like r? */
static bool another_received(const struct verify *v, const struct received *r)
{
	/* Those before are held or not, as memory goes. */
	int64_t from = r->time_ns - 2 * v->cfg.window_ns;
	unsigned n = 0;

	if (r->prev == NONE && r->next == NONE)
		return false;
	for (uint32_t i = v->received_bucket[r->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->received[i].next, n++) {
		const struct received *o = &v->received[i];

		if (o != r && o->time_ns >= from && o->first_ns <= v->received_until_ns &&
		    o->key == r->key && o->from == r->from && o->to == r->to &&
		    o->size == r->size && o->head == r->head && o->body == r->body &&
		    o->sig == r->sig && o->ip_id == r->ip_id)
			return true;
	}
	return false;
}

/* ------------------------------------------------------------------- delays */

int64_t verify_doubt_ns(const struct verify *v, unsigned from, unsigned to, int64_t time_ns)
{
	const struct verify_clock_line *l = &verify_pair_of(v, from, to)->line;
	double since = from < to ? (double)(time_ns - l->at_ns)
				 : (double)(time_ns - l->offset_ns - l->at_ns);

	if (!l->known || l->uncertainty_ns < 0)
		return SLACK_NS;
	return l->uncertainty_ns + (int64_t)(l->drift_doubt * fabs(since));
}

static int64_t delay_of(const struct verify *v, const struct sent *s, const struct received *r)
{
	return r->first_ns - verify_convert(v, s->from, s->to, s->wire_ns);
}

void verify_usual_note(struct verify *v, const struct sent *s, const struct received *r)
{
	struct usual *u = &verify_direction_of(v, s->from, s->to)->usual;
	int64_t delay, off;

	if (!verify_has_offset(v, s->from, s->to))
		return;
	delay = delay_of(v, s, r);
	if (!u->known) {
		*u = (struct usual){ .known = true, .mean_ns = delay };
		u->spread_ns = delay < 0 ? 0 : delay / 2;
		return;
	}
	off = delay - u->mean_ns;
	u->spread_ns += ((off < 0 ? -off : off) - u->spread_ns) / 4;
	u->mean_ns += off / 8;
}

int64_t verify_on_way_ns(const struct verify *v, unsigned from, unsigned to)
{
	const struct usual *u = &v->direction[from * v->cfg.n_nodes + to].usual;
	int64_t ns = u->mean_ns + 4 * u->spread_ns;

	return u->known && ns > 0 ? ns : 0;
}

enum verify_fit verify_fit_of(const struct verify *v, const struct sent *s,
			      const struct received *r)
{
	const struct usual *u = &v->direction[s->from * v->cfg.n_nodes + s->to].usual;
	int64_t delay = delay_of(v, s, r), off = delay - u->mean_ns;

	/* Both are wrong by what the clocks are: no doubt about these. */
	if (u->known && (off < 0 ? -off : off) <= 4 * u->spread_ns + USUAL_LEAST_NS)
		return VERIFY_FIT_WELL;
	if (delay < -verify_doubt_ns(v, s->from, s->to, s->wire_ns) ||
	    delay > v->cfg.window_ns + SLACK_NS)
		return VERIFY_FIT_NOT;
	return !u->known && delay <= SLACK_NS ? VERIFY_FIT_WELL : VERIFY_FIT_POOR;
}

bool verify_fits_better(const struct verify *v, const struct received *r, uint32_t i, uint32_t than)
{
	enum verify_fit a = verify_fit_of(v, &v->sent[i], r), b;

	if (than == NONE)
		return true;
	b = verify_fit_of(v, &v->sent[than], r);
	if (a != b)
		return a > b;
	return (a == VERIFY_FIT_POOR) != verify_sent_before(v, i, than);
}

/* ------------------------------------------------------------------ choosing */

static bool is_near(const struct verify *v, const struct sent *s, const struct received *r)
{
	int64_t delay = delay_of(v, s, r);

	return delay >= -v->cfg.window_ns && delay <= v->cfg.window_ns;
}

/* The only one of its kind. */
static bool is_it(const struct verify *v, const struct sent *s, const struct received *r)
{
	if (verify_fit_of(v, s, r) != VERIFY_FIT_NOT)
		return true;
	/*
	 * As long as all went one way, the clocks may be apart by whatever the first was late.
	 * An id is believed rather than the clocks.
	 */
	return (s->flags & SENT_STRONG || !verify_pair_of(v, s->from, s->to)->line.known) &&
	       is_near(v, s, r);
}

struct candidates {
	uint32_t well, poor; /* the oldest that fits well, the youngest of the others */
	uint32_t copy; /* fits well, and has arrived */
	unsigned n_well, n_poor;
};

static struct candidates find_candidates(const struct verify *v, const struct received *r)
{
	struct candidates c = { .well = NONE, .poor = NONE, .copy = NONE };
	unsigned n = 0;

	for (uint32_t i = v->sent_bucket[r->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->sent[i].next, n++) {
		const struct sent *s = &v->sent[i];
		enum verify_fit fit;

		if (s->time_ns > v->sent_until_ns || !verify_is_same(s, r))
			continue;
		fit = verify_fit_of(v, s, r);
		if (fit == VERIFY_FIT_NOT)
			continue;
		if (!verify_is_free(v, s, 0, r->size)) {
			if (fit == VERIFY_FIT_WELL)
				c.copy = i;
		} else if (fit == VERIFY_FIT_WELL) {
			c.n_well++;
			if (c.well == NONE || verify_sent_before(v, i, c.well))
				c.well = i;
		} else {
			c.n_poor++;
			if (c.poor == NONE || verify_sent_before(v, c.poor, i))
				c.poor = i;
		}
	}
	return c;
}

/* Others that fit as well as the one that is taken: no longer known which is which. */
static bool leave_open(struct verify *v, const struct received *r, uint32_t taken,
		       enum verify_fit fit)
{
	const struct direction *d = verify_direction_of(v, r->from, r->to);
	int64_t most = POOR_FACTOR * delay_of(v, &v->sent[taken], r) + d->usual.mean_ns + SLACK_NS;
	/* What did not reach the last hop leaves all of them missing, whichever it was. */
	bool arrived = r->whole & ROLE_BIT(v->node[r->to].last) || r->pieces != NONE, any = false;
	unsigned n = 0;

	for (uint32_t i = v->sent_bucket[r->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->sent[i].next, n++) {
		struct sent *s = &v->sent[i];

		if (i == taken || s->time_ns > v->sent_until_ns || !verify_is_same(s, r) ||
		    !verify_is_free(v, s, 0, r->size) || verify_fit_of(v, s, r) != fit)
			continue;
		if (fit == VERIFY_FIT_POOR && delay_of(v, s, r) > most)
			continue;
		s->flags |= arrived ? SENT_ALIKE : 0;
		any = true;
	}
	if (any && arrived)
		v->sent[taken].flags |= SENT_ALIKE;
	return any;
}

struct verify_choice verify_choose(struct verify *v, struct received *r)
{
	struct verify_choice ret = { NONE, NONE };
	uint32_t only = NONE;
	unsigned same = count_same(v, r, &only);

	if (!same)
		return ret;
	r->alike = same > 1 || another_received(v, r);
	if (same == 1) {
		const struct sent *s = &v->sent[only];

		if (!is_it(v, s, r))
			return ret;
		if (verify_is_free(v, s, 0, r->size))
			ret.best = only;
		else if (s->flags & SENT_STRONG || verify_fit_of(v, s, r) == VERIFY_FIT_WELL)
			ret.copy = only;
		return ret;
	}
	struct candidates c = find_candidates(v, r);
	if (c.n_well) {
		ret.best = c.well;
		r->unsure = c.n_well > 1 && leave_open(v, r, c.well, VERIFY_FIT_WELL);
	} else if (c.copy != NONE) {
		ret.copy = c.copy;
	} else if (c.n_poor) {
		ret.best = c.poor;
		r->unsure = c.n_poor > 1 && leave_open(v, r, c.poor, VERIFY_FIT_POOR);
	}
	return ret;
}

/* ------------------------------------------------------- clocks not known yet */

/* Same snap length or not: bodies must have been compared. */
static bool tells_time(const struct sent *s, const struct received *r)
{
	return s->body == r->body && s->body_len == r->body_len && s->wire_ns && r->first_ns &&
	       !(s->flags & SENT_RETRANSMISSION);
}

void verify_meet(struct verify *v, const struct sent *s)
{
	const struct received *only = NULL;
	unsigned n = 0, same = 0;
	uint32_t one;

	if (!(s->flags & SENT_STRONG) || !verify_pair_of(v, s->from, s->to)->weak)
		return;
	v->sent_until_ns = s->time_ns + v->cfg.window_ns;
	v->received_until_ns = verify_convert(v, s->from, s->to, s->time_ns) + v->cfg.window_ns;
	for (uint32_t i = v->received_bucket[s->key & v->mask]; i != NONE && n < CHAIN_MAX;
	     i = v->received[i].next, n++)
		if (v->received[i].first_ns <= v->received_until_ns &&
		    verify_is_same(s, &v->received[i])) {
			only = &v->received[i];
			same++;
		}
	if (same == 1 && count_same(v, only, &one) == 1 && tells_time(s, only))
		verify_clock_sample(v, s, only);
}

/* Long ago at until_ns, by the node's clock. */
static bool is_settled(const struct verify *v, int64_t time_ns, int64_t until_ns)
{
	return until_ns == INT64_MAX || until_ns - time_ns >= SETTLED_WINDOWS * v->cfg.window_ns;
}

/* strong: only by packets that are one of their kind by themselves. */
static void acquaint_way(struct verify *v, unsigned from, unsigned to, bool strong)
{
	struct direction *d = verify_direction_of(v, from, to);
	struct pair *p = verify_pair_of(v, from, to);

	for (uint32_t k = 0; k < d->received.n; k++) {
		struct received *r = &v->received[d->received.at[k]];
		uint32_t i = NONE;
		unsigned same = r->first_ns <= v->received_until_ns ? count_same(v, r, &i) : 0;

		if (!same)
			continue;
		if (same > 1 || another_received(v, r)) {
			p->alike = true;
			continue;
		}
		const struct sent *s = &v->sent[i];
		if (!tells_time(s, r) || strong != ((s->flags & SENT_STRONG) != 0))
			continue;
		if (strong || (is_settled(v, s->wire_ns, v->sent_until_ns) &&
			       is_settled(v, r->first_ns, v->received_until_ns)))
			verify_clock_sample(v, s, r);
	}
}

/* until_ns: what was seen later, as verify_in_step() has it, is not looked at. */
static void look_both_ways(struct verify *v, unsigned a, unsigned b, int64_t until_ns)
{
	const unsigned node[] = { a, b };

	for (unsigned strong = 2; strong-- && !verify_has_offset(v, a, b);)
		for (unsigned k = 0; k < 2; k++) {
			bool all = until_ns == INT64_MAX;

			v->sent_until_ns =
				all ? until_ns : verify_out_of_step(v, node[k], until_ns);
			v->received_until_ns =
				all ? until_ns : verify_out_of_step(v, node[!k], until_ns);
			acquaint_way(v, node[k], node[!k], strong);
		}
}

static int64_t frontier_in_step(const struct verify *v, unsigned node)
{
	int64_t t = v->node[node].frontier_ns;

	return t == INT64_MIN || t == INT64_MAX ? t : verify_in_step(v, node, t);
}

/*
 * At moments that the captures' times set, not how they are read; seldom, and ever more seldom,
 * because each time all that is held is gone through.
 */
static void acquaint_pair(struct verify *v, unsigned a, unsigned b)
{
	struct pair *p = verify_pair_of(v, a, b);
	const struct node *na = &v->node[a], *nb = &v->node[b];
	int64_t known = frontier_in_step(v, a), end;

	if (verify_has_offset(v, a, b) || !na->told || !nb->told)
		return;
	if (!p->begun) {
		int64_t x = verify_in_step(v, a, na->first_ns);
		int64_t y = verify_in_step(v, b, nb->first_ns);

		p->begin_ns = x > y ? x : y;
		p->try_ns = p->begin_ns + TRY_FIRST_NS;
		p->begun = true;
	}
	if (frontier_in_step(v, b) < known)
		known = frontier_in_step(v, b);
	end = verify_in_step(v, a, na->last_ns);
	if (verify_in_step(v, b, nb->last_ns) > end)
		end = verify_in_step(v, b, nb->last_ns);
	while (!verify_has_offset(v, a, b) && p->try_ns <= known && p->try_ns <= end) {
		look_both_ways(v, a, b, p->try_ns);
		p->try_ns += TRY_FIRST_NS + (p->try_ns - p->begin_ns) / 4;
	}
}

void verify_acquaint(struct verify *v)
{
	unsigned n = v->cfg.n_nodes;
	uint32_t crowd = v->n_packets - v->n_packets / 4;
	bool at_once = v->finishing;

	/* Tables that are nearly full cannot wait for what may still show. */
	if ((v->n_sent >= crowd || v->n_received >= crowd) && v->n_taken >= v->next_full) {
		v->next_full = v->n_taken + v->n_packets / 8;
		at_once = true;
	}
	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++) {
			acquaint_pair(v, a, b);
			if (at_once)
				look_both_ways(v, a, b, INT64_MAX);
		}
}
