/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scope.c - when each hop of each node was captured, and so what could have been seen there.
 *
 * Theory of operation
 *
 * A node's captures are files, or parts of files, that begin and end where they like: one hop
 * earlier than another, a file of a ring missing. So each hop has its spans:
 *
 *     underlay   |------------------------------------|
 *     veth       |-----------|          |-------------|
 *                      ^           ^                 ^
 *                    in scope    unseen             edge
 *
 * A packet that should have come to the receiver's last hop and did not is lost when
 * that hop was captured at that time. It is unseen, thus unknown, where only other hops were;
 * out of scope where none was, be that before, behind or in a hole between two spans, and
 * where the clocks are too little known to tell whether a span had begun. Near a
 * span's end it could have come later: it is in scope when what came later was seen in the same
 * span, or when the span goes on for a window.
 *
 * As long as a hop's capture goes on, but has shown nothing since the packet was due,
 * nobody knows yet.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <string.h>

void verify_covered(struct verify *v, unsigned node, unsigned hop, int64_t from_ns, int64_t to_ns)
{
	struct cover *c = &v->node[node].cover[hop];
	unsigned i = c->n, n;

	v->node[node].by_hop = true;
	if (from_ns > to_ns)
		return;
	/* In order of time; what it touches becomes one with it. */
	while (i && c->span[i - 1].from_ns > from_ns)
		i--;
	if (i && c->span[i - 1].to_ns >= from_ns)
		i--;
	for (n = 0; i + n < c->n && c->span[i + n].from_ns <= to_ns; n++) {
		const struct span *s = &c->span[i + n];

		from_ns = s->from_ns < from_ns ? s->from_ns : from_ns;
		to_ns = s->to_ns > to_ns ? s->to_ns : to_ns;
	}
	struct span joined = { from_ns, to_ns, INT64_MIN };
	for (unsigned k = i; k < i + n; k++)
		if (c->span[k].proof_ns > joined.proof_ns)
			joined.proof_ns = c->span[k].proof_ns;
	if (!n && c->n == SPANS_MAX) {
		/* The oldest one's packets were decided long ago. */
		memmove(&c->span[0], &c->span[1], (SPANS_MAX - 1) * sizeof(c->span[0]));
		c->n--;
		i -= i > 0;
	}
	memmove(&c->span[i + 1], &c->span[i + n], (c->n - i - n) * sizeof(c->span[0]));
	c->span[i] = joined;
	c->n += 1 - n;
}

void verify_hop_open(struct verify *v, unsigned node, unsigned hop, bool open)
{
	v->node[node].cover[hop].open = open;
}

/* Nobody tells hop by hop: all were captured together. */
void verify_cover_all(struct verify *v, unsigned node, int64_t from_ns, int64_t to_ns)
{
	struct node *n = &v->node[node];

	for (unsigned i = 0; i < n->net->n_hops && !n->by_hop; i++) {
		struct cover *c = &n->cover[i];

		c->span[0].from_ns = from_ns;
		c->span[0].to_ns = to_ns;
		if (!c->n)
			c->span[0].proof_ns = INT64_MIN;
		c->n = 1;
	}
}

static struct span *span_at(struct cover *c, int64_t time_ns)
{
	unsigned i = c->n;

	while (i && c->span[i - 1].from_ns > time_ns)
		i--;
	return i && c->span[i - 1].to_ns >= time_ns ? &c->span[i - 1] : NULL;
}

void verify_prove(struct verify *v, unsigned node, unsigned hop, int64_t time_ns)
{
	struct cover *c = &v->node[node].cover[hop];
	unsigned i = c->n;

	/* Its span may not have been told to its end yet. */
	while (i && c->span[i - 1].from_ns > time_ns)
		i--;
	if (i && c->span[i - 1].proof_ns < time_ns)
		c->span[i - 1].proof_ns = time_ns;
}

int8_t verify_pod_of(const struct node *n, const struct addr *a)
{
	for (unsigned i = 0; i < n->net->n_pods; i++)
		for (unsigned k = 0; k < n->net->pods[i].n_addrs; k++)
			if (addr_eq(&n->net->pods[i].addrs[k], a))
				return (int8_t)i;
	return -1;
}

/* May a packet of that pod pass the hop? pod < 0: not known. */
static bool concerns(const struct node *n, unsigned hop, unsigned role, int pod)
{
	const struct model_hop *h = &n->net->hops[hop];

	return h->role == role && (h->pod < 0 || pod < 0 || h->pod == pod);
}

enum result_shown verify_role_shows(const struct verify *v, unsigned node, unsigned role, int pod,
				    const struct result_frames *frames)
{
	const struct node *n = &v->node[node];
	enum result_shown worst = n->net->filtered ? RESULT_SHOWN_UNKNOWN : RESULT_SHOWN;

	for (unsigned i = 0; i < n->net->n_hops; i++) {
		enum result_shown shown = RESULT_SHOWN_UNKNOWN;

		if (!n->net->hops[i].filtered || !concerns(n, i, role, pod))
			continue;
		if (v->cfg.shows)
			shown = v->cfg.shows(v->cfg.shows_arg, node, i, frames);
		worst = shown > worst ? shown : worst;
	}
	return worst;
}

static struct span *role_span(struct node *n, unsigned role, int pod, int64_t time_ns)
{
	struct span *s = NULL;

	for (unsigned i = 0; i < n->net->n_hops && !s; i++)
		if (concerns(n, i, role, pod))
			s = span_at(&n->cover[i], time_ns);
	return s;
}

uint32_t verify_roles_at(struct verify *v, unsigned node, int pod, int64_t time_ns)
{
	struct node *n = &v->node[node];
	uint32_t roles = 0;

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++)
		if (role_span(n, role, pod, time_ns))
			roles |= ROLE_BIT(role);
	return roles;
}

bool verify_is_undecided(const struct verify *v, unsigned node, unsigned role, int pod,
			 int64_t time_ns)
{
	const struct node *n = &v->node[node];
	bool open = false;

	for (unsigned i = 0; i < n->net->n_hops; i++) {
		const struct cover *c = &n->cover[i];

		if (!concerns(n, i, role, pod))
			continue;
		if (c->n && c->span[c->n - 1].to_ns >= time_ns)
			return false;
		open |= c->open;
	}
	return open;
}

enum verify_scope verify_role_scope(struct verify *v, unsigned node, unsigned role, int pod,
				    int64_t time_ns, int64_t doubt_ns, int64_t on_way_ns)
{
	struct node *n = &v->node[node];
	const struct span *s = role_span(n, role, pod, time_ns);
	bool before = false, after = false;

	if (s && time_ns - s->from_ns < doubt_ns)
		return VERIFY_SCOPE_OUT;
	if (s)
		return time_ns + on_way_ns <= s->proof_ns || s->to_ns - time_ns >= v->cfg.window_ns
			       ? VERIFY_SCOPE_IN
			       : VERIFY_SCOPE_EDGE;
	if (verify_roles_at(v, node, pod, time_ns))
		return VERIFY_SCOPE_UNSEEN;
	for (unsigned i = 0; i < n->net->n_hops; i++) {
		const struct cover *c = &n->cover[i];

		before |= c->n && c->span[0].from_ns <= time_ns;
		after |= c->n && c->span[c->n - 1].to_ns >= time_ns;
	}
	return before && after ? VERIFY_SCOPE_HOLE : VERIFY_SCOPE_OUT;
}
