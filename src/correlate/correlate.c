/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * correlate.c - the correlator's life: set-up, observations in, time. Rules: match.c.
 */
#include "correlate_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct correlate *correlate_new(const struct correlate_config *config, struct err *err)
{
	struct correlate *c = calloc(1, sizeof(*c));

	if (!c) {
		err_sys(err, ENOMEM, "correlator");
		return NULL;
	}
	c->cfg = *config;
	c->net = config->net;
	if (!c->cfg.window_ns)
		c->cfg.window_ns = CORRELATE_WINDOW_NS;
	if (!c->cfg.lookahead_ns)
		c->cfg.lookahead_ns = CORRELATE_LOOKAHEAD_NS;
	c->settle_ns = c->cfg.lookahead_ns < SETTLE_NS ? c->cfg.lookahead_ns : SETTLE_NS;
	c->refuses = c->cfg.verdicts || c->cfg.max_packets || !c->cfg.keep_other;
	c->seed = config->hash_seed;
	c->last.packet = NONE;
	for (unsigned i = 0; i < POD_TABLE_SIZE; i++)
		c->pods[i].pod = -1;
	correlate_learn_net(c);
	if (pool_init(c, err) < 0) {
		correlate_free(c);
		return NULL;
	}
	return c;
}

void correlate_learn_net(struct correlate *c)
{
	c->captured_roles = 0;
	c->last.root = NULL;
	c->n_underlays = 0;
	c->tracks++;
	for (unsigned i = 0; i < c->net->n_hops; i++) {
		if (i >= c->n_hops) {
			c->hop[i].start_ns = INT64_MIN;
			c->hop[i].end_ns = INT64_MAX;
		}
		observe_learn_hop(c, i);
		c->captured_roles |= 1u << c->hop[i].role;
		c->n_underlays += c->hop[i].role == MODEL_ROLE_UNDERLAY;
	}
	c->content_role = MODEL_ROLE_COUNT;
	for (uint8_t role = MODEL_ROLE_COUNT - 1; c->cfg.contents && role; role--)
		if (c->captured_roles & 1u << role)
			c->content_role = role;
	c->n_hops = c->net->n_hops;
	for (unsigned i = 0; i < c->net->n_pods; i++)
		for (unsigned k = 0; k < c->net->pods[i].n_addrs; k++)
			observe_add_pod(c, &c->net->pods[i].addrs[k], (int)i);
	c->depth = correlate_depth(c->net);
	if (c->cfg.depth_max && c->cfg.depth_max < c->depth)
		c->depth = c->cfg.depth_max;
}

void correlate_free(struct correlate *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < N_ROLES * N_ROLES * N_DIRECTIONS; i++)
		if ((&c->latency[0][0][0])[i] != &c->no_cell)
			free((&c->latency[0][0][0])[i]);
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		free(c->hop[i].drops);
	pool_done(c);
	free(c);
}

static bool wants_verdict(struct packet *p, const struct correlate *c,
			  const struct correlate_obs *o)
{
	uint8_t role = c->hop[o->hop].role;

	if (o->kind == KIND_OUTER_FRAGMENT || (o->kind == KIND_FRAGMENT && o->frag_off))
		return false;
	/* Between two captured pods both veths show it: it is chosen by either. */
	if (role == MODEL_ROLE_VETH && p->verdict_rank == role && p->verdict == CORRELATE_DROP &&
	    p->direction == MODEL_DIRECTION_EGRESS && PLACE_HOP(p->s[0].place) != o->hop)
		return true;
	if (role >= p->verdict_rank)
		return false;
	p->verdict_rank = role;
	return true;
}

correlate_ref correlate_push(struct correlate *c, struct correlate_obs *o,
			     bool *ret_asks_filter)
{
	*ret_asks_filter = false;
	close_as_of(c, o->time_ns);
	if (o->flags & OBS_CUT)
		time_span_add(&c->hop[o->hop].cut, o->time_ns);
	if (o->kind == KIND_NOT_IP || o->kind == KIND_MALFORMED) {
		c->last.packet = NONE;
		c->last.root = NULL;
		if (o->direction == MODEL_DIRECTION_OTHER && !c->cfg.keep_other)
			return CORRELATE_REF_FOREIGN;
		if (o->kind == KIND_NOT_IP)
			c->not_ip++;
		else
			c->malformed++;
		attach_count_bare(c, o);
		return CORRELATE_REF_NONE;
	}

	if (!o->again || c->last.packet == NONE)
		c->last.flow = flow_get(c, &o->tuple, o->tuple_hash, o->direction, o->time_ns);

	const uint32_t flow = c->last.flow, i = match_observation(c, o, flow);

	c->flow[flow].last_ns = o->time_ns;
	track_expect(c, i, o);
	if (i == NONE)
		return CORRELATE_REF_NONE;
	c->packet[i].held++;
	if (c->cfg.verdicts)
		*ret_asks_filter = wants_verdict(&c->packet[i], c, o);
	return i;
}

void correlate_set_verdict(struct correlate *c, correlate_ref ref, enum correlate_verdict v)
{
	if (ref < c->n_packets)
		c->packet[packet_root(c, ref)].verdict = (uint8_t)v;
}

void correlate_prefetch(const struct correlate *c, correlate_ref ref)
{
	const uint32_t cache_line = 64;

	if (ref >= c->n_packets)
		return;
	const char *at = (const char *)&c->packet[ref];
	__builtin_prefetch(at, 1);
	__builtin_prefetch(at + cache_line, 1);
}

void correlate_advance(struct correlate *c, int64_t now_ns)
{
	close_as_of(c, now_ns);
}

void correlate_shows(struct correlate *c, result_shows_fn *fn, void *arg)
{
	c->shows = fn;
	c->shows_arg = arg;
}

void correlate_drops_untold(struct correlate *c, unsigned hop)
{
	c->hop[hop].drops_untold = true;
}

void correlate_drops(struct correlate *c, unsigned hop, int64_t from_ns, int64_t to_ns,
		     uint64_t count)
{
	struct hop_state *h = &c->hop[hop];

	if (!count)
		return;
	h->dropped += count;
	if (!h->drops)
		h->drops = calloc(DROP_SPANS_MAX, sizeof(*h->drops));
	if (!h->drops) {
		/* Without a place to note when, no loss at this hop is certain any more. */
		h->drops_anytime = true;
		return;
	}
	if (h->n_drops && h->drops[h->n_drops - 1].to_ns >= from_ns) {
		struct drop_span *last = &h->drops[h->n_drops - 1];
		if (to_ns > last->to_ns)
			last->to_ns = to_ns;
		if (from_ns < last->from_ns)
			last->from_ns = from_ns;
		last->count += count;
		return;
	}
	if (h->n_drops == DROP_SPANS_MAX) {
		/* Join the two oldest: their packets have closed long ago. */
		h->drops[1].from_ns = h->drops[0].from_ns;
		h->drops[1].count += h->drops[0].count;
		memmove(&h->drops[0], &h->drops[1], (DROP_SPANS_MAX - 1) * sizeof(h->drops[0]));
		h->n_drops--;
	}
	h->drops[h->n_drops++] = (struct drop_span){ from_ns, to_ns, count };
}

void correlate_hops_lag(struct correlate *c)
{
	c->hops_lag = true;
}

void correlate_hop_span(struct correlate *c, unsigned hop, int64_t start_ns, int64_t end_ns)
{
	c->hop[hop].start_ns = start_ns;
	c->hop[hop].end_ns = end_ns;
}

void correlate_end(struct correlate *c, int64_t end_ns)
{
	for (unsigned i = 0; i < c->n_hops; i++)
		if (c->hop[i].end_ns > end_ns)
			c->hop[i].end_ns = end_ns;
}

void correlate_restart(struct correlate *c, int64_t now_ns)
{
	c->set_back = true;
	correlate_finish(c);
	c->set_back = false;
	c->now_ns = now_ns;
	c->wake_ns = INT64_MAX;
}

void correlate_finish(struct correlate *c)
{
	while (c->n_settling)
		close_unqueue(c);
	while (c->oldest != NONE)
		close_packet(c, c->oldest);
}

int correlate_counters(const struct correlate *c, struct result *ret_result, struct err *err)
{
	return tally_counters(c, ret_result, err);
}

int correlate_summary(const struct correlate *c, struct result *ret_result, struct err *err)
{
	return tally_summary(c, ret_result, err);
}

int correlate_result(const struct correlate *c, struct result *ret_result, struct err *err)
{
	return tally_result(c, ret_result, err);
}

uint64_t correlate_ids(const struct correlate *c)
{
	return c->next_id;
}

bool correlate_is_full(const struct correlate *c)
{
	return c->cfg.max_packets && c->next_id >= c->cfg.max_packets && !c->ids_open;
}
