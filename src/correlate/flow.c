/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow.c - flows, the groups that address translation makes of them, and what a
 * TCP direction has sent so far.
 *
 * Theory of operation
 *
 * A flow is one direction of one conversation as one hop shows it. Translation
 * shows the same packets under several tuples; their flows form a group. All flows
 * of a group share `key`, from which the keys of their packets are made, so that a
 * packet is found whichever tuple a hop shows. Figures are kept in the group's root;
 * pod_view and far_view say how the pod's veth and the far side name it.
 *
 *      A:40000 > VIP:80      ring      A:40000 > B:8080
 *      pod_view, root    ----------->  far_view
 *                        <-----------
 *
 * Tuples are used again (a port of the node that served one pod serves another): a
 * flow then leaves its group for another. A flow without packets may be forgotten when
 * the table is full, a group only as a whole.
 */
#include "correlate_priv.h"

#include <string.h>

static void use_order_drop(struct correlate *c, uint32_t i)
{
	struct flow *f = &c->flow[i];

	if (f->newer == NONE)
		c->flow_newest = f->older;
	else
		c->flow[f->newer].older = f->older;
	if (f->older == NONE)
		c->flow_oldest = f->newer;
	else
		c->flow[f->older].newer = f->newer;
}

static void use_order_front(struct correlate *c, uint32_t i)
{
	struct flow *f = &c->flow[i];

	f->newer = NONE;
	f->older = c->flow_newest;
	if (c->flow_newest != NONE)
		c->flow[c->flow_newest].newer = i;
	else
		c->flow_oldest = i;
	c->flow_newest = i;
}

uint32_t flow_by_hash(const struct correlate *c, uint64_t hash)
{
	uint32_t i = c->flow_bucket[hash & c->flow_mask];

	while (i != NONE && c->flow[i].hash != hash)
		i = c->flow[i].next;
	return i;
}

static bool group_is_unused(const struct correlate *c, uint32_t i)
{
	uint32_t k = i;

	do {
		if (c->flow[k].open)
			return false;
		k = c->flow[k].ring;
	} while (k != i);
	return true;
}

/* The longest unused flow without open packets leaves; its packets were counted already. */
static void evict(struct correlate *c)
{
	uint32_t tries = 0, i = c->flow_oldest;

	while (i != NONE && tries++ < CHAIN_MAX && !group_is_unused(c, i))
		i = c->flow[i].newer;
	if (i == NONE || tries > CHAIN_MAX)
		return;

	uint32_t k = i, ring;
	do {
		struct flow *f = &c->flow[k];
		uint32_t *link = &c->flow_bucket[f->hash & c->flow_mask];

		while (*link != k)
			link = &c->flow[*link].next;
		*link = f->next;
		use_order_drop(c, k);
		if (f->counted)
			c->flows_evicted++;
		f->counted = false;
		f->hash = 0;
		ring = f->ring;
		f->next = c->flows_free;
		c->flows_free = k;
		k = ring;
	} while (k != i);
}

uint32_t flow_get(struct correlate *c, const struct result_tuple *t, uint64_t hash,
		  enum model_direction direction, int64_t now_ns)
{
	uint32_t i = flow_find(c, t, hash);

	if (i != NONE) {
		struct flow *known = &c->flow[i];

		/* Moving touches three flows: not with each of many flows' packets. */
		if (now_ns - known->used_ns > FLOW_USED_NS && c->flow_newest != i) {
			use_order_drop(c, i);
			use_order_front(c, i);
			known->used_ns = now_ns;
		}
		return i;
	}
	if (c->flows_free == NONE && c->flows_top == c->n_flows)
		evict(c);
	if (c->flows_free != NONE) {
		i = c->flows_free;
		c->flows_free = c->flow[i].next;
	} else if (c->flows_top < c->n_flows) {
		i = c->flows_top++;
	} else {
		return c->flow_oldest; /* more busy flows than fit: their figures blur */
	}

	struct flow *f = &c->flow[i];
	uint32_t *head = &c->flow_bucket[hash & c->flow_mask];

	memset(f, 0, sizeof(*f));
	f->tuple = *t;
	f->hash = f->key = hash;
	f->last_ns = f->used_ns = now_ns;
	f->behind_until_ns = INT64_MIN;
	f->root = f->pod_view = f->ring = i;
	f->far_view = NONE;
	f->pod_role = UINT8_MAX;
	f->direction = (uint8_t)direction;
	f->tunnel = NO_TUNNEL;
	for (unsigned k = 0; k < CURSORS; k++)
		f->cursor[k] = NONE;
	f->next = *head;
	*head = i;
	use_order_front(c, i);
	return i;
}

bool flow_same_group(const struct correlate *c, uint32_t a, uint32_t b)
{
	return c->flow[a].root == c->flow[b].root;
}

void flow_unlink(struct correlate *c, uint32_t i)
{
	struct flow *f = &c->flow[i];
	uint32_t before = i;

	if (f->ring == i)
		return;
	while (c->flow[before].ring != i)
		before = c->flow[before].ring;
	c->flow[before].ring = f->ring;
	if (f->root == i) {
		/* The next one takes over what the root keeps for all. */
		struct flow *heir = &c->flow[f->ring];
		struct flow old = *heir;

		*heir = *f;
		heir->tuple = old.tuple;
		heir->hash = old.hash;
		heir->last_ns = old.last_ns;
		heir->used_ns = old.used_ns;
		heir->next = old.next;
		heir->ring = old.ring;
		heir->newer = old.newer;
		heir->older = old.older;
		heir->open = old.open;
		heir->origin = old.origin;
		uint32_t root = f->ring, k = root;
		do {
			c->flow[k].root = root;
			k = c->flow[k].ring;
		} while (k != root);
	}
	struct flow *root = flow_root(c, f->root == i ? f->ring : f->root);
	if (root->pod_view == i) {
		root->pod_view = (uint32_t)(root - c->flow);
		root->pod_role = UINT8_MAX;
	}
	if (root->far_view == i || root->far_view == root->pod_view) {
		root->far_view = NONE;
		root->far_role = 0;
	}
	flow_forget_track(root);
	flow_forget_track(f);
	f->root = f->ring = f->pod_view = i;
	f->far_view = NONE;
	f->pod_role = UINT8_MAX;
	f->far_role = 0;
	f->key = f->hash;
	f->nat = FLOW_NAT_UNKNOWN;
	f->counted = false;
	f->packets = f->bytes = f->payload_bytes = f->overhead_bytes = f->retransmissions = 0;
}

void flow_link(struct correlate *c, uint32_t a, uint32_t b)
{
	struct flow *ra = flow_root(c, a), *rb = flow_root(c, b);

	if (ra == rb)
		return;
	/*
	 * The group that has more to lose stays; packets of the other that are open keep
	 * their key and are matched, if at all, by the keys without addresses.
	 */
	struct flow *keep = ra, *join = rb;
	if (rb->packets > ra->packets || (rb->packets == ra->packets && rb->open > ra->open)) {
		keep = rb;
		join = ra;
	}
	uint32_t root = (uint32_t)(keep - c->flow), first = (uint32_t)(join - c->flow), i = first;

	do {
		c->flow[i].key = keep->key;
		c->flow[i].root = root;
		i = c->flow[i].ring;
	} while (i != first);
	/* Two circles become one when two successors are swapped. */
	i = keep->ring;
	keep->ring = join->ring;
	join->ring = i;
	keep->nat = FLOW_NAT_UNKNOWN;
	flow_forget_track(keep);
	if (join->pod_role < keep->pod_role) {
		keep->pod_role = join->pod_role;
		keep->pod_view = join->pod_view;
	}
	if (join->far_view != NONE && join->far_role > keep->far_role) {
		keep->far_role = join->far_role;
		keep->far_view = join->far_view;
	}
	keep->packets += join->packets;
	keep->bytes += join->bytes;
	keep->payload_bytes += join->payload_bytes;
	keep->overhead_bytes += join->overhead_bytes;
	keep->retransmissions += join->retransmissions;
	keep->counted |= join->counted;
	keep->sent_again |= join->sent_again;
	if (keep->again_ns < join->again_ns)
		keep->again_ns = join->again_ns;
	if (keep->behind_until_ns < join->behind_until_ns)
		keep->behind_until_ns = join->behind_until_ns;
	if (!keep->mss)
		keep->mss = join->mss;
	if (keep->segment < join->segment)
		keep->segment = join->segment;
	join->packets = join->bytes = join->payload_bytes = join->overhead_bytes = 0;
	join->retransmissions = 0;
	join->counted = false;
}

struct result_tuple flow_reverse_tuple(const struct result_tuple *t)
{
	struct result_tuple r = *t;

	r.src = t->dst;
	r.dst = t->src;
	/* An ICMP echo's id stands in sport in both directions. */
	if (t->protocol != MODEL_PROTO_ICMP && t->protocol != MODEL_PROTO_ICMPV6) {
		r.sport = t->dport;
		r.dport = t->sport;
	}
	return r;
}

uint32_t flow_back(const struct correlate *c, const struct result_tuple *t)
{
	const struct result_tuple back = flow_reverse_tuple(t);

	return flow_find(c, &back, flow_hash(c, &back));
}

/* a < b in sequence space (RFC 9293, 3.4). */
static bool seq_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

bool flow_is_behind(const struct flow *f, uint32_t start)
{
	return f->has_seq && seq_before(start, f->max_end);
}

bool flow_note_range(struct flow *f, uint32_t start, uint32_t len)
{
	uint32_t end = start + len;

	if (!f->has_seq) {
		f->has_seq = true;
		f->max_end = end;
		memset(f->gap, 0, sizeof(f->gap));
		return false;
	}
	if (!seq_before(start, f->max_end)) {
		if (start != f->max_end) {
			/* A hole: what fills it later is out of order, not sent again. */
			memmove(&f->gap[1], &f->gap[0], sizeof(f->gap) - sizeof(f->gap[0]));
			f->gap[0].start = f->max_end;
			f->gap[0].end = start;
		}
		f->max_end = end;
		return false;
	}
	if (seq_before(f->max_end, end)) {
		f->max_end = end; /* brings new bytes too */
		return false;
	}
	for (unsigned i = 0; i < GAPS_MAX; i++) {
		uint32_t gs = f->gap[i].start, ge = f->gap[i].end;

		if (gs == ge || seq_before(start, gs) || seq_before(ge, end))
			continue;
		if (start == gs) {
			f->gap[i].start = end;
		} else {
			if (end != ge) {
				/* In the middle: the later part goes into the oldest slot. */
				f->gap[GAPS_MAX - 1].start = end;
				f->gap[GAPS_MAX - 1].end = ge;
			}
			f->gap[i].end = start;
		}
		return false;
	}
	return true;
}

uint32_t flow_mss(const struct correlate *c, const struct flow *f)
{
	uint32_t back = NONE, views[2] = { f->pod_view, f->far_view };

	for (unsigned i = 0; i < 2 && back == NONE; i++) {
		if (views[i] != NONE)
			back = flow_back(c, &c->flow[views[i]].tuple);
	}
	if (back == NONE)
		return 0;
	uint32_t mss = flow_root(c, back)->mss;

	return mss < f->mss ? mss : f->mss;
}

uint32_t flow_segment_size(const struct correlate *c, const struct flow *f, uint32_t options_len,
			   uint32_t ip_header_len)
{
	if (f->segment)
		return f->segment;

	/* min(MSS of both SYNs, MTU of route and VTEP) less options: contract, section 1. */
	const uint32_t tcp_header = 20;
	uint32_t mss = flow_mss(c, f);

	for (unsigned i = 0; i < c->net->n_hops; i++) {
		const struct model_hop *h = &c->net->hops[i];
		if (h->role == MODEL_ROLE_VTEP && h->mtu > ip_header_len + tcp_header &&
		    h->mtu - ip_header_len - tcp_header < mss &&
		    (!h->n_addrs ||
		     addr_is_v4(&h->addrs[0].addr) == addr_is_v4(&f->tuple.src)))
			mss = h->mtu - ip_header_len - tcp_header;
	}
	return mss > options_len ? mss - options_len : 0;
}
