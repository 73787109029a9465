/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outer.c - outer headers of what went through the tunnel: noted, compared, told.
 *
 * Theory of operation. What left says where it was sent, and the sender's FDB, where its capture
 * tells it (model_remote), where it should have been. Without one all packets to pods of one node
 * have one destination in each family: flannel keeps one FDB entry a node; what went elsewhere than
 * most did is told. Neither is a verdict, for the packets may have come all the same.
 *
 * A node's address may be one that is translated on the way (--public-ip), so the source that the
 * receiver sees is compared with nothing. The kernel sends with TTL 64 and each router takes one:
 * there is no right number, but one for all packets that go the same way.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <inttypes.h>
#include <stdlib.h>

#define FLOWS_FOR_SPREAD 16 /* so many flows have two source ports at least, or it is no chance */

bool verify_outer_prepare(struct direction *d)
{
	struct tunnelled *t = &d->tunnelled;

	if (!t->sport)
		t->sport = calloc(1, SPORTS / 8);
	if (!t->flows)
		t->flows = calloc(SPORTS / 64, sizeof(*t->flows));
	return t->sport && t->flows;
}

void verify_outer_free(struct direction *d)
{
	free(d->tunnelled.sport);
	free(d->tunnelled.flows);
}

/* ----------------------------------------------------------------- destination */

/* Where the node's FDB leads for a pod; none: not known. */
static struct addr remote_node(const struct model_net *net, const struct addr *pod)
{
	const struct model_remote *best = NULL;

	for (unsigned i = 0; i < net->n_remotes; i++) {
		const struct model_remote *r = &net->remotes[i];

		if (prefix_has(&r->pods, pod) && (!best || r->pods.len > best->pods.len))
			best = r;
	}
	return best ? best->node : (struct addr){ 0 };
}

static void count_to(struct tunnelled *t, const struct addr *to)
{
	unsigned i = 0;

	while (i < t->n_to && !addr_eq(&t->to[i].to, to))
		i++;
	if (i == OUTER_TO) {
		t->elsewhere++;
		return;
	}
	if (i == t->n_to)
		t->to[t->n_to++] = (struct outer_to){ .to = *to };
	t->to[i].packets++;
}

static void judge_destination(const struct verify *v, struct direction *d, const struct sent *s,
			      const struct addr *pod)
{
	struct tunnelled *t = &d->tunnelled;
	struct verify_outer *o = &d->d.outer;

	if (addr_is_none(&s->outer_dst))
		return;
	if (!t->asked || !addr_eq(&t->pod, pod)) {
		t->asked = true;
		t->pod = *pod;
		t->node = remote_node(v->node[s->from].net, pod);
	}
	if (addr_is_none(&t->node)) {
		count_to(t, &s->outer_dst);
		return;
	}
	o->judged++;
	if (addr_eq(&t->node, &s->outer_dst)) {
		o->to = s->outer_dst;
		return;
	}
	o->unexpected++;
	o->expected = t->node;
	o->unexpected_to = s->outer_dst;
}

static const struct outer_to *most(const struct tunnelled *t, bool v4)
{
	const struct outer_to *best = NULL;

	for (unsigned i = 0; i < t->n_to; i++)
		if (addr_is_v4(&t->to[i].to) == v4 && (!best || t->to[i].packets > best->packets))
			best = &t->to[i];
	return best;
}

void verify_outer_sum(const struct direction *d, struct verify_outer *ret)
{
	const struct tunnelled *t = &d->tunnelled;
	const struct outer_to *v4 = most(t, true), *v6 = most(t, false);
	const struct outer_to *best = v4 && (!v6 || v4->packets >= v6->packets) ? v4 : v6;

	if (best && addr_is_none(&ret->to))
		ret->to = best->to;
	ret->varies = t->elsewhere;
	for (unsigned i = 0; i < t->n_to; i++)
		if (&t->to[i] != v4 && &t->to[i] != v6)
			ret->varies += t->to[i].packets;
}

/* Lost, and sent to what is no address of the other node. Not where no address is known. */
void verify_outer_lost(const struct verify *v, struct direction *d, const struct sent *s)
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

/* --------------------------------------------------------------------- noting */

static void widen(struct verify_range *r, uint8_t value, bool first)
{
	if (first || value < r->min)
		r->min = value;
	if (first || value > r->max)
		r->max = value;
}

void verify_outer_sent(const struct verify *v, struct direction *d, const struct sent *s,
		       const struct result_tuple *wire)
{
	struct verify_outer *o = &d->d.outer;
	struct tunnelled *t = &d->tunnelled;

	if (!(s->flags & SENT_ENCAP))
		return;
	o->packets++;
	o->df += (s->flags & SENT_OUTER_DF) != 0;
	o->fragmented += (s->flags & SENT_OUTER_FRAGMENTED) != 0;
	o->checksum_zero += (s->flags & SENT_OUTER_UNSUMMED) != 0;
	o->checksum_zero6 += (s->flags & SENT_OUTER_UNSUMMED) && !addr_is_v4(&s->outer_dst);
	if (s->outer_ttl)
		widen(&o->ttl_sent, s->outer_ttl, !o->ttl_sent.max);
	judge_destination(v, d, s, &wire->dst);
	if (!(t->sport[s->outer_sport / 8] & 1u << s->outer_sport % 8)) {
		t->sport[s->outer_sport / 8] |= (uint8_t)(1u << s->outer_sport % 8);
		o->source_ports++;
	}
	uint32_t f = (uint32_t)(s->tuple_hash >> 20) % SPORTS;
	if (!(t->flows[f / 64] & UINT64_C(1) << f % 64)) {
		t->flows[f / 64] |= UINT64_C(1) << f % 64;
		o->flows++;
	}
}

static void compare_ttl(struct verify_outer *o, uint8_t sent, uint8_t received)
{
	if (!received)
		return;
	widen(&o->ttl_received, received, !o->ttl_received.max);
	if (!sent)
		return;
	if (received > sent) {
		o->ttl_rose++;
		return;
	}
	widen(&o->routers, sent - received, !o->routers_known);
	o->routers_known = true;
}

void verify_outer_compare(struct direction *d, const struct sent *s, const struct received *r)
{
	struct verify_outer *o = &d->d.outer;

	if (!(s->flags & SENT_ENCAP))
		return;
	if (r->vni && s->vni != r->vni)
		o->vni_differs++;
	if (!addr_is_none(&r->outer_dst) && !addr_eq(&s->outer_dst, &r->outer_dst))
		o->destination_differs++;
	if (s->ttl != r->ttl)
		o->ttl_differs++;
	if (r->outer_fragmented && !(s->flags & SENT_OUTER_FRAGMENTED))
		o->fragmented_between++;
	compare_ttl(o, s->outer_ttl, r->outer_ttl);
}

/* -------------------------------------------------------------------- telling */

static void reasons_of_destination(const struct verify *v, const struct verify_direction *f,
				   struct verify_result *r)
{
	const struct verify_outer *o = &f->outer;
	const char *from = verify_node_name(v, f->from), *to = verify_node_name(v, f->to);
	char one[ADDR_STR_MAX], other[ADDR_STR_MAX];

	if (o->foreign)
		verify_reason(r, "%" PRIu64 " of the lost went to %s, which is no address of %s",
			      o->foreign, addr_str(&o->foreign_to, one), to);
	if (o->unexpected)
		verify_reason(r,
			      "%" PRIu64 " packets from %s to %s went to %s, not to %s, where the "
			      "FDB of %s led as its capture began",
			      o->unexpected, from, to, addr_str(&o->unexpected_to, one),
			      addr_str(&o->expected, other), from);
	if (o->varies)
		verify_reason(r,
			      "%" PRIu64 " packets from %s to %s had another outer destination "
			      "than most, which went to %s",
			      o->varies, from, to, addr_str(&o->to, one));
	if (o->destination_differs)
		verify_reason(r, "outer destination differs between %s and %s: %" PRIu64 " packets",
			      from, to, o->destination_differs);
}

static void reasons_of_ttl(const struct verify *v, const struct verify_direction *f,
			   struct verify_result *r)
{
	const struct verify_outer *o = &f->outer;
	const char *from = verify_node_name(v, f->from), *to = verify_node_name(v, f->to);

	if (o->ttl_differs)
		verify_reason(r, "inner TTL changed between %s and %s: %" PRIu64 " packets", from,
			      to, o->ttl_differs);
	if (o->ttl_rose)
		verify_reason(r, "outer TTL rose between %s and %s: %" PRIu64 " packets", from, to,
			      o->ttl_rose);
	if (o->routers_known && o->routers.min != o->routers.max)
		verify_reason(r,
			      "outer TTL fell by %u to %u between %s and %s: not all packets went "
			      "the same way",
			      o->routers.min, o->routers.max, from, to);
}

void verify_outer_reasons(const struct verify *v, const struct verify_direction *f,
			  struct verify_result *r)
{
	const struct verify_outer *o = &f->outer;
	const char *from = verify_node_name(v, f->from), *to = verify_node_name(v, f->to);

	reasons_of_destination(v, f, r);
	if (o->vni_differs)
		verify_reason(r, "VNI differs between %s and %s: %" PRIu64 " packets", from, to,
			      o->vni_differs);
	reasons_of_ttl(v, f, r);
	if (o->df)
		verify_reason(r,
			      "outer DF is set on %" PRIu64 " of %" PRIu64 " packets from %s to %s",
			      o->df, o->packets, from, to);
	if (o->fragmented)
		verify_reason(r,
			      "%" PRIu64 " packets from %s to %s left in outer fragments: the "
			      "underlay's MTU is below what VTEP and encapsulation need",
			      o->fragmented, from, to);
	if (o->fragmented_between)
		verify_reason(r,
			      "%" PRIu64 " packets from %s to %s were fragmented between the nodes",
			      o->fragmented_between, from, to);
	if (o->checksum_zero6)
		verify_reason(
			r, "outer UDP checksum is 0 over IPv6: %" PRIu64 " packets from %s to %s",
			o->checksum_zero6, from, to);
	if (o->flows >= FLOWS_FOR_SPREAD && o->source_ports == 1)
		verify_reason(r,
			      "all %u flows from %s to %s have one outer source port: links and "
			      "queues cannot share the load",
			      o->flows, from, to);
}
