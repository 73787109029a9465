/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * judge.c - what came of a sent packet, when nothing more of it can come.
 */
#include "verify_priv.h"

#include "deliver.h"

static bool dropped_at(const struct verify *v, unsigned node, uint32_t roles, int64_t from,
		       int64_t to)
{
	const struct node *n = &v->node[node];

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (!(roles & ROLE_BIT(role)))
			continue;
		if (n->dropped_any_time[role])
			return true;
		for (unsigned k = 0; k < n->n_drops[role]; k++)
			if (n->drops[role][k].from_ns <= to && from <= n->drops[role][k].to_ns)
				return true;
	}
	return false;
}

/* evicted: before anybody could see what came of it. */
static bool in_scope(const struct verify *v, const struct sent *s, bool evicted)
{
	const struct pair *p = verify_pair_of(v, s->from, s->to);
	const struct node *to = &v->node[s->to];
	unsigned ref = s->from < s->to ? s->from : s->to;
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	int64_t t = ref == s->from ? s->time_ns : there;

	if (p->proof && t >= p->proof_from && t <= p->proof_to)
		return true;
	if (evicted)
		return to->told && there >= to->first_ns && there <= to->last_ns;
	return to->told && there - to->first_ns >= v->cfg.window_ns &&
	       to->last_ns - there >= v->cfg.window_ns;
}

/* Where the packet was seen last, and which hop should have been next. */
static void locate(const struct verify *v, const struct sent *s, struct verify_lost *l)
{
	const struct node *from = &v->node[s->from], *to = &v->node[s->to];
	unsigned missing = MODEL_ROLE_NONE;

	l->last_node = l->next_node = s->from;
	l->last_role = s->last_role;
	for (unsigned role = MODEL_ROLE_UNDERLAY; role >= MODEL_ROLE_VETH; role--) {
		if (!(to->roles & ROLE_BIT(role)))
			continue;
		/* DirectRouting passes no VTEP. */
		if (role == MODEL_ROLE_VTEP && !(s->flags & SENT_ENCAP) && !s->covered[role] &&
		    s->last_role == MODEL_ROLE_UNDERLAY)
			continue;
		if (s->covered[role] < s->size) {
			missing = role;
			break;
		}
		l->last_node = s->to;
		l->last_role = role;
	}
	l->next_node = s->to;
	l->next_role = missing;
	if (l->last_node != s->from)
		return;
	/* It did not leave its own node: the next hop there is the one that misses it. */
	for (unsigned role = s->last_role + 1; role < MODEL_ROLE_COUNT && !s->taken; role++)
		if (from->roles & ROLE_BIT(role)) {
			l->next_node = s->from;
			l->next_role = role;
			return;
		}
}

static bool is_excused(const struct verify *v, const struct sent *s, const struct verify_lost *l)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t inwards = v->node[s->to].roles;

	if (s->flags & (SENT_DOUBT | SENT_LATE))
		return true;
	if (l->next_node == s->to)
		inwards &= ROLE_BIT(l->next_role + 1) - 1;
	else if (dropped_at(v, s->from, ~(ROLE_BIT(l->next_role) - 1), s->time_ns,
			    s->time_ns + v->cfg.window_ns))
		return true;
	return dropped_at(v, s->to, inwards, there, there + v->cfg.window_ns);
}

/*
 * Looks for s among what nobody is known to have sent: the same place in the stream, the
 * same IP id, or the same payload, but something else changed.
 */
static void find_altered(struct verify *v, struct sent *s)
{
	int64_t there = verify_convert(v, s->from, s->to, s->time_ns);
	uint32_t next;
	unsigned n = 0;

	for (uint32_t i = v->same_bucket[s->tuple_hash & v->mask];
	     i != NONE && n < CHAIN_MAX && s->got < s->size; i = next, n++) {
		struct received *r = &v->received[i];
		uint32_t lo = 0;
		bool same;

		next = r->same_next;
		if (r->tuple_hash != s->tuple_hash || r->from != s->from || r->to != s->to ||
		    r->kind != s->kind || r->size > s->size ||
		    r->time_ns - there > v->cfg.window_ns || there - r->time_ns > SLACK_NS * 10)
			continue;
		if (s->kind == RESULT_KIND_STREAM) {
			lo = r->start - s->start;
			same = lo <= s->size - r->size && verify_is_free(v, s, lo, r->size);
		} else {
			same = r->size == s->size && !s->taken &&
			       ((r->head == s->head &&
				 (s->flags & SENT_HAS_ID ||
				  verify_fit_of(v, s, r) == VERIFY_FIT_WELL)) ||
				(s->flags & SENT_HAS_ID && r->has_id && r->ip_id == s->ip_id) ||
				(s->body_len && s->body_len == r->body_len && s->body == r->body));
		}
		/* What is equal came at another time, so it is another one. */
		if (!same || verify_is_same(s, r))
			continue;
		s->flags |= SENT_ALTERED;
		verify_claim(v, s, r, lo, r->size, 0);
		/* Stays in the list of unclaimed ones by age, but nobody finds it any more. */
		verify_unclaim_end(v, r);
	}
}

/* Sent to somebody else: an FDB entry that is wrong. Not where no address is known. */
static void note_foreign(const struct verify *v, struct direction *d, const struct sent *s)
{
	const struct model_net *to = v->node[s->to].net;
	bool any = false;

	if (!(s->flags & SENT_ENCAP) || addr_is_none(&s->outer_dst))
		return;
	for (unsigned i = 0; i < to->n_hops; i++)
		for (unsigned k = 0; k < to->hops[i].n_addrs; k++) {
			const struct addr *a = &to->hops[i].addrs[k].addr;

			if (to->hops[i].role != MODEL_ROLE_UNDERLAY ||
			    !verify_same_family(a, &s->outer_dst))
				continue;
			any = true;
			if (addr_eq(a, &s->outer_dst))
				return;
		}
	d->d.outer.foreign += any;
	if (any)
		d->d.outer.foreign_to = s->outer_dst;
}

void verify_judge(struct verify *v, uint32_t i, bool evicted)
{
	struct sent *s = &v->sent[i];
	struct direction *d = verify_direction_of(v, s->from, s->to);
	struct verify_lost l = {
		.packet_id = s->id,
		.frame = s->frame,
		.hop = s->hop,
		.time_ns = s->time_ns,
		.tuple = s->tuple,
		.ip_id = s->ip_id,
		.has_ip_id = s->flags & SENT_HAS_ID,
		.length = s->length,
	};

	if (s->got < s->size && verify_has_offset(v, s->from, s->to))
		find_altered(v, s);
	if (s->got >= s->size) {
		d->d.sent++;
		if (s->flags & SENT_ALTERED)
			d->d.altered++;
		else
			d->d.delivered++;
	} else if (!verify_has_offset(v, s->from, s->to) && verify_alike_came(v, s)) {
		d->d.sent++;
		d->d.unknown++;
		d->alike++;
	} else if (!verify_has_offset(v, s->from, s->to)) {
		/* Nothing matched, so nobody knows when both captures ran: only where it was. */
		d->d.out_of_scope++;
		locate(v, s, &l);
		verify_count_place(&d->d, &l);
	} else if (!in_scope(v, s, evicted)) {
		d->d.out_of_scope++;
	} else {
		d->d.sent++;
		locate(v, s, &l);
		if (evicted || s->flags & SENT_ALIKE || is_excused(v, s, &l)) {
			d->d.unknown++;
			d->evicted += evicted;
			d->alike += !evicted && s->flags & SENT_ALIKE;
		} else {
			l.bytes_missing = s->size - s->got;
			verify_count_lost(v, d, s, &l);
			note_foreign(v, d, s);
		}
	}
	verify_sent_free(v, i);
}
