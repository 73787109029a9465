/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * close.c - what becomes of a packet when it closes: status, overhead, tallies.
 *
 * A packet is judged once, by what was seen of it and by what the hops lost in its
 * time. Everything the report sums up is summed up here, so that nothing has to be kept
 * of a closed packet.
 *
 * Theory of operation. A packet closes by one of two ways into close_packet(): it has gone
 * all its way and then waited a look-ahead in the queue (close_queue, close_unqueue), or
 * its window has passed, or it had to make room. It leaves the tables at once, so nothing
 * matches it any more; judge() then decides.
 *
 * judge() asks path_judge() what the packet's path needs. Complete is complete. What is
 * not, is an edge when a hop's capture began or ended about then; ambiguous when another
 * packet could have been meant; otherwise incomplete with a reason, and lost only if no
 * reason is left: not closed early, each missing hop captured at that time, and none of
 * them dropped a frame in the packet's time. The excuses come before the verdict, because
 * a loss that was none costs more than one that is called unknown.
 *
 * Packets that look alike (a tie) may have been matched crosswise. Which of them is whole
 * cannot be said one by one, so close_tied() keeps them until the last has closed: if
 * none is incomplete the matching made no difference, else all are ambiguous.
 *
 * The second half, close_result(), turns the tallies into a result at any time, also in
 * the middle of a run. Drops whose time is not known (a file's totals come at its end)
 * take "lost" back there.
 */
#include "correlate_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ETHERNET_HEADER 14u
#define IPV4_HEADER 20u
#define IPV6_HEADER 40u

#define FETCH_PACKET 6u	/* closes ahead: some 500 ns */
#define FETCH_BUCKET 2u
#define CACHE_LINE 64u

/* ---------------------------------------------------------------- judgement */

static bool is_near(int64_t a, int64_t b, int64_t distance)
{
	return (a > b ? a - b : b - a) < distance;
}

static bool is_edge(const struct correlate *c, const struct packet *p)
{
	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if (h->start_ns != INT64_MIN && is_near(p->first_ns, h->start_ns, c->cfg.window_ns))
			return true;
		if (h->end_ns != INT64_MAX && is_near(p->first_ns, h->end_ns, c->cfg.window_ns))
			return true;
	}
	return false;
}

/* A VTEP carries one family (flannel.1, flannel-v6.1); so do hops whose addresses say so. */
static bool carries_family(const struct model_hop *h, bool v4)
{
	bool any = false;

	if (h->role != MODEL_ROLE_VTEP)
		return true;
	for (unsigned i = 0; i < h->n_addrs; i++) {
		if (addr_is_link_local(&h->addrs[i].addr))
			continue;
		if (addr_is_v4(&h->addrs[i].addr) == v4)
			return true;
		any = true;
	}
	return !any;
}

/* Was a hop that should have shown the packet not captured when it could have come? */
static bool ended_before(const struct correlate *c, const struct packet *p, uint32_t roles)
{
	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if ((roles & (1u << h->role)) &&
		    carries_family(&c->net->hops[i], p->obs_flags & OBS_IPV4) &&
		    (p->first_ns < h->start_ns || p->first_ns > h->end_ns))
			return true;
	}
	return false;
}

/* Did a hop that should have shown the packet lose frames while it could have come? */
static bool drops_excuse(const struct correlate *c, const struct packet *p, uint32_t roles)
{
	int64_t from = p->first_ns, to = p->first_ns + c->cfg.window_ns;

	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop_state *h = &c->hop[i];
		if (!(roles & (1u << h->role)) ||
		    !carries_family(&c->net->hops[i], p->obs_flags & OBS_IPV4))
			continue;
		for (unsigned k = 0; k < h->n_drops; k++)
			if (h->drops[k].from_ns <= to && from <= h->drops[k].to_ns)
				return true;
	}
	return false;
}

/* ----------------------------------------------------------------- overhead */

struct outer_count {
	uint64_t datagrams, computed, inner_bytes, overhead_bytes;
	enum result_basis basis;
};

static void add_super(const struct packet *p, uint32_t payload, uint32_t segment,
		      struct outer_count *oc)
{
	uint64_t n = (payload + segment - 1) / segment;

	oc->datagrams += n;
	oc->inner_bytes += payload + n * p->header_len;
	if (n > 1) {
		oc->computed += n;
		oc->basis = result_basis_join(oc->basis, RESULT_BASIS_COMPUTED);
	} else {
		oc->basis = result_basis_join(oc->basis, RESULT_BASIS_OBSERVED);
	}
}

static void count_outer(const struct correlate *c, const struct packet *p, struct outer_count *oc)
{
	uint32_t segment = p->segment, found = 0;
	uint32_t ip_header = p->obs_flags & OBS_IPV4 ? IPV4_HEADER : IPV6_HEADER;

	memset(oc, 0, sizeof(*oc));
	if (p->small_outer) {
		oc->datagrams = p->small_outer;
		oc->inner_bytes = p->small_inner;
		oc->basis = RESULT_BASIS_OBSERVED;
	}
	if (p->large_outer) {
		if (!segment)
			segment = flow_segment_size(c, flow_root(c, p->flow), p->tcp_options_len,
						    ip_header);
		if (!segment) {
			oc->basis = result_basis_join(oc->basis, RESULT_BASIS_UNKNOWN);
		} else {
			for (uint32_t r = p->ranges; r != NONE; r = c->range[r].next) {
				if (!c->range[r].large)
					continue;
				add_super(p, c->range[r].end - c->range[r].start, segment, oc);
				found++;
			}
			if (!found)
				add_super(p, p->payload_len - p->small_payload, segment, oc);
		}
	}
	oc->overhead_bytes = oc->datagrams * p->encap_len;
}

static void tally_encapsulation(struct correlate *c, const struct packet *p,
				const struct outer_count *oc)
{
	struct result_tunnel *t = &c->tunnel[p->tunnel];
	struct result_size *s = &c->encap.size[result_size_class(p->len)];

	c->encap.inner_packets++;
	c->encap.outer_datagrams += oc->datagrams;
	c->encap.computed += oc->computed;
	c->encap.inner_bytes += oc->inner_bytes;
	c->encap.overhead_bytes += oc->overhead_bytes;
	c->encap.basis = result_basis_join(c->encap.basis, oc->basis);
	c->encap.fragmented_outer += p->outer_fragmented;
	c->encap.fragment_bytes += p->fragment_bytes;
	t->packets++;
	t->outer_datagrams += oc->datagrams;
	t->inner_bytes += oc->inner_bytes;
	t->overhead_bytes += oc->overhead_bytes;
	t->basis = result_basis_join(t->basis, oc->basis);
	s->packets++;
	s->outer_datagrams += oc->datagrams;
	s->inner_bytes += oc->inner_bytes;
	s->overhead_bytes += oc->overhead_bytes;
}

/* ------------------------------------------------------------------ tallies */

static void path_of(const struct packet *p, struct result_path *path)
{
	memset(path, 0, sizeof(*path));
	for (unsigned i = 0; i < p->n_sightings; i++)
		path->role[path->n++] = p->s[i].role;
	path->cut = p->path_cut;
}

static uint16_t tally_path(struct correlate *c, const struct packet *p,
			   const struct result_path *path)
{
	bool encap = p->tunnel != NONE;
	unsigned i;

	for (unsigned k = 0; k < p->n_sightings && !encap; k++)
		encap = p->s[k].role == MODEL_ROLE_VTEP;
	for (i = 0; i < c->n_path_rows; i++) {
		struct result_path_row *r = &c->path_row[i].row;
		if (r->direction == p->direction && r->encapsulated == encap &&
		    memcmp(&r->path, path, sizeof(*path)) == 0)
			break;
	}
	if (i == c->n_path_rows) {
		if (c->n_path_rows < PATH_ROWS_MAX)
			c->n_path_rows++;
		else
			i--; /* so many different paths mean nothing to anybody */
		if (i == c->n_path_rows - 1 && !c->path_row[i].row.packets) {
			c->path_row[i].row.path = *path;
			c->path_row[i].row.direction = p->direction;
			c->path_row[i].row.encapsulated = encap;
		}
	}
	c->path_row[i].row.packets++;
	c->path_row[i].row.bytes += p->len;
	return (uint16_t)i;
}

static void tally_latency(struct correlate *c, const struct packet *p)
{
	for (unsigned i = 1; i < p->n_sightings; i++) {
		unsigned from = p->s[i - 1].role, to = p->s[i].role;
		struct latency_cell **cell = &c->latency[from][to][p->direction];
		int64_t dt = p->s[i].first_ns - p->s[i - 1].first_ns;

		if (!*cell) {
			*cell = calloc(1, sizeof(**cell));
			if (!*cell)
				return; /* one row of the report is missing, nothing else */
		}
		hist_add(&(*cell)->hist, dt > 0 ? (uint64_t)dt : 0);
		(*cell)->equal += dt <= 0;
	}
}

static void tally_loss(struct correlate *c, const struct packet *p, const struct path_verdict *v,
		       bool lost)
{
	struct loss_row *r = NULL;

	for (unsigned i = 0; i < c->n_loss_rows && !r; i++) {
		struct loss_row *k = &c->loss_row[i];
		if (k->row.last_seen == v->last_seen && k->row.next_expected == v->next_expected &&
		    k->row.direction == p->direction && k->row.lost == lost &&
		    k->reason == v->reason)
			r = k;
	}
	if (!r && c->n_loss_rows < LOSS_ROWS_MAX) {
		r = &c->loss_row[c->n_loss_rows++];
		r->row.last_seen = v->last_seen;
		r->row.next_expected = v->next_expected;
		r->row.direction = p->direction;
		r->row.lost = lost;
		r->reason = v->reason;
		r->missing_mask = v->missing_mask;
	}
	if (!r) {
		c->losses_omitted++;
		return;
	}
	r->row.packets++;
	r->row.bytes += p->len;
}

static void tally_flow(struct correlate *c, const struct packet *p, uint16_t path_row,
		       uint64_t overhead)
{
	struct flow *f = flow_root(c, p->flow);

	f->counted = true;
	f->packets++;
	f->bytes += p->len;
	f->payload_bytes += p->payload_len;
	f->overhead_bytes += overhead;
	f->retransmissions += (p->flags & PACKET_RETRANSMISSION) != 0;
	if (f->direction == MODEL_DIRECTION_OTHER || p->direction == MODEL_DIRECTION_EGRESS)
		f->direction = p->direction;
	/* The majority path (Boyer and Moore's vote: one counter is enough). */
	if (f->path_votes == 0) {
		f->path_row = path_row;
		f->path_votes = 1;
	} else if (f->path_row == path_row) {
		f->path_votes++;
	} else {
		f->path_votes--;
	}
}

/* -------------------------------------------------------------- one packet */

static int by_time(const void *a, const void *b)
{
	const struct result_observation *x = a, *y = b;

	return (x->time_ns > y->time_ns) - (x->time_ns < y->time_ns);
}

static void list_observations(struct correlate *c, const struct packet *p, struct result_packet *r)
{
	unsigned n = 0;
	bool sorted = true;

	for (uint32_t i = p->seen; i != NONE; i = c->seen[i].next) {
		const struct seen *s = &c->seen[i];
		if (n == RESULT_OBSERVATIONS_MAX) {
			r->observations_omitted++;
			continue;
		}
		struct result_observation *o = &c->list[n++];
		*o = (struct result_observation){ .hop = s->hop, .time_ns = s->time_ns,
						  .length = s->length, .is_segment = s->part,
						  .bytes = s->bytes };
		if (s->part && p->segment) {
			o->index = s->start / p->segment;
			o->of = (p->size + p->segment - 1) / p->segment;
		}
		if (n > 1 && c->list[n - 2].time_ns > o->time_ns)
			sorted = false;
	}
	if (!sorted)
		qsort(c->list, n, sizeof(*c->list), by_time);
	r->observations = c->list;
	r->n_observations = n;
	r->observations_omitted += p->seen_omitted;
}

static void emit(struct correlate *c, const struct packet *p, enum result_status status,
		 const struct path_verdict *v, bool lost, const struct outer_count *oc,
		 const struct result_path *path)
{
	const struct flow *f = flow_root(c, p->flow);
	struct result_packet r = {
		.id = p->id,
		.status = status,
		.direction = p->direction,
		.path = *path,
		.time_ns = p->first_ns,
		.length = p->len,
		.payload_len = p->payload_len,
		.retransmission = (p->flags & PACKET_RETRANSMISSION) != 0,
		.last_seen = v->last_seen,
		.next_expected = v->next_expected,
		.lost = lost,
		.reason = v->reason,
		.fingerprint = p->head,
		.ip_id = p->ip_id,
		.has_ip_id = p->obs_flags & OBS_HAS_ID,
		.tcp_seq = p->start,
		.has_tcp_seq = p->kind == KIND_TCP_DATA,
		.frame_number = p->number,
	};

	/* As its veth showed it; else as others of its flow were seen there. */
	bool use_view = f->far_view != NONE && p->len_rank != MODEL_ROLE_VETH;
	r.tuple = c->flow[use_view ? f->pod_view : p->flow].tuple;
	if (f->far_view != NONE) {
		r.translated = true;
		r.translation = c->flow[f->far_view].tuple;
	}
	if (p->tunnel != NONE) {
		const struct result_tunnel *t = &c->tunnel[p->tunnel];
		r.encapsulated = true;
		r.outer_src = t->outer_src;
		r.outer_dst = t->outer_dst;
		r.outer_port = t->port;
		r.outer_sport = p->outer_sport;
		r.vni = t->vni;
		r.outer_datagrams = (uint32_t)oc->datagrams;
		r.basis = oc->basis;
		r.inner_bytes = oc->inner_bytes;
		r.overhead_bytes = oc->overhead_bytes;
	}
	if (c->n_seen)
		list_observations(c, p, &r);
	wire_fill(c, p, &r);
	c->cfg.on_packet(c->cfg.on_packet_arg, &r);
}

/* Of a datagram that was seen in fragments: the length it has in one piece. */
static void settle_length(struct packet *p)
{
	if (p->l2l3_len)
		p->len = p->l2l3_len + p->size;
	if (p->kind == KIND_FRAGMENT && p->payload_len == p->size)
		p->payload_len = p->size - p->l4_len;
}

static void judge(struct correlate *c, uint32_t i, bool tie_incomplete)
{
	struct packet *p = &c->packet[i];
	struct path_verdict v;
	struct outer_count oc = { 0 };
	struct result_path path;
	enum result_status status = RESULT_COMPLETE;
	bool lost = false, other = p->direction == MODEL_DIRECTION_OTHER;

	if ((p->flags & PACKET_PENDING) || p->verdict == CORRELATE_DROP ||
	    (other && !c->cfg.keep_other))
		return;
	/* Closed before it was written (a full table): counted and named all the same. */
	if (!p->id && (!c->cfg.max_packets || c->next_id < c->cfg.max_packets))
		p->id = ++c->next_id;
	settle_length(p);
	path_judge(c, p, &v);
	if (!v.complete) {
		status = RESULT_INCOMPLETE;
		if (is_edge(c, p)) {
			status = RESULT_EDGE;
		} else if (tie_incomplete || (p->ambiguous && !(p->flags & PACKET_TIED))) {
			status = RESULT_AMBIGUOUS;
		} else {
			if (p->flags & PACKET_EARLY)
				v.reason = "closed early: the table was full";
			else if (ended_before(c, p, v.missing_mask))
				v.reason = "not captured there at that time";
			else if (drops_excuse(c, p, v.missing_mask))
				v.reason = "the capture lost frames there at that time";
			else
				lost = v.may_be_lost;
			tally_loss(c, p, &v, lost);
		}
	} else if (tie_incomplete) {
		/* Equal packets, of which some are missing: which ones, nobody can say. */
		status = RESULT_AMBIGUOUS;
	}
	if (p->tunnel != NONE) {
		count_outer(c, p, &oc);
		tally_encapsulation(c, p, &oc);
	}
	path_of(p, &path);
	uint16_t row = tally_path(c, p, &path);
	tally_flow(c, p, row, oc.overhead_bytes);
	if (!other) {
		c->total++;
		c->status[status]++;
		if (status != RESULT_AMBIGUOUS)
			tally_latency(c, p);
		if (p->verdict == CORRELATE_UNSURE ||
		    (c->cfg.filter && p->verdict == CORRELATE_VERDICT_NONE))
			c->filter_unsure++;
	}
	if (c->cfg.on_packet)
		emit(c, p, status, &v, lost, &oc, &path);
}

void close_tied(struct correlate *c, uint32_t i)
{
	struct tie *t = &c->tie[c->packet[i].tie];
	struct path_verdict v;

	t->closed++;
	if (c->packet[i].parent == NONE && !(c->packet[i].flags & PACKET_PENDING)) {
		path_judge(c, &c->packet[i], &v);
		t->any_incomplete |= !v.complete;
	}
	if (t->closed < t->members)
		return;

	uint32_t next;
	for (uint32_t k = t->first; k != NONE; k = next) {
		struct packet *p = &c->packet[k];
		next = p->tie_next;
		if (p->parent == NONE)
			judge(c, k, t->any_incomplete);
		p->held--;
		p->tie = NONE;
		if (k != i)
			packet_release(c, k);
	}
	t->next_free = c->tie_free;
	c->tie_free = (uint32_t)(t - c->tie);
}

void close_packet(struct correlate *c, uint32_t i)
{
	struct packet *p = &c->packet[i];

	packet_unindex(c, i);
	packet_unlist(c, i);
	c->n_open--;
	p->flags |= PACKET_CLOSED;
	if (p->id)
		c->ids_open--;
	if (p->flow != NONE) {
		struct flow *f = flow_root(c, p->flow);
		/* It went all its way: its flow's packets need no second key any more. */
		if (p->flags & PACKET_DONE)
			f->nat = f->far_view == NONE ? FLOW_NAT_NONE : FLOW_NAT_TRANSLATED;
		else if (p->direction != MODEL_DIRECTION_OTHER)
			f->nat = FLOW_NAT_UNKNOWN;
	}
	if (p->flags & PACKET_TIED)
		close_tied(c, i);
	else
		judge(c, i, false);
	packet_release(c, i);
}

void close_queue(struct correlate *c, uint32_t i, int64_t now_ns)
{
	struct packet *p = &c->packet[i];

	if (p->flags & PACKET_QUEUED)
		return;
	p->flags |= PACKET_QUEUED;
	p->held++;
	c->done[(c->done_head + c->n_done++) & c->done_mask] =
		(struct done){ .time_ns = now_ns, .packet = i };
}

static void fetch_packet(const struct packet *p)
{
	const char *at = (const char *)p;

	for (uint32_t i = 0; i < sizeof(*p); i += CACHE_LINE)
		__builtin_prefetch(at + i, 1);
}

/* Packets that were not touched for a look-ahead are far away: fetched in two steps. */
static void fetch_ahead(const struct correlate *c)
{
	if (c->n_done > FETCH_PACKET)
		fetch_packet(&c->packet[c->done[(c->done_head + FETCH_PACKET) & c->done_mask]
					.packet]);
	if (c->n_done > FETCH_BUCKET) {
		uint32_t i = c->done[(c->done_head + FETCH_BUCKET) & c->done_mask].packet;
		__builtin_prefetch(&c->bucket[c->packet[i].key & c->bucket_mask], 1);
	}
}

void close_unqueue(struct correlate *c)
{
	uint32_t i = c->done[c->done_head].packet;
	struct packet *p = &c->packet[i];

	fetch_ahead(c);
	c->done_head = (c->done_head + 1) & c->done_mask;
	c->n_done--;
	p->flags &= (uint16_t)~PACKET_QUEUED;
	p->held--;
	if (p->flags & PACKET_CLOSED)
		packet_release(c, i); /* closed meanwhile, or became part of another */
	else if ((p->flags & PACKET_DONE) || p->direction == MODEL_DIRECTION_OTHER)
		close_packet(c, i);
}

/* ------------------------------------------------------------------- result */

static int by_packets_path(const void *a, const void *b)
{
	const struct result_path_row *x = a, *y = b;

	return (x->packets < y->packets) - (x->packets > y->packets);
}

static int by_packets_tunnel(const void *a, const void *b)
{
	const struct result_tunnel *x = a, *y = b;

	return (x->packets < y->packets) - (x->packets > y->packets);
}

static int by_packets_loss(const void *a, const void *b)
{
	const struct result_loss *x = a, *y = b;

	return (x->packets < y->packets) - (x->packets > y->packets);
}

static int by_bytes_flow(const void *a, const void *b)
{
	const struct result_flow *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	return (x->packets < y->packets) - (x->packets > y->packets);
}

static int fill_bars(const struct hist *h, struct result_latency *l)
{
	struct result_bar b;

	l->bars = calloc(HIST_BARS, sizeof(*l->bars));
	if (!l->bars)
		return -ENOMEM;
	for (unsigned i = 0; i < HIST_BARS; i++) {
		b.samples = hist_bar(h, i, &b.from_ns, &b.to_ns);
		if (b.samples)
			l->bars[l->n_bars++] = b;
	}
	return 0;
}

static int fill_latency(const struct correlate *c, struct result *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_ROLES * N_ROLES * N_DIRECTIONS; i++)
		n += (&c->latency[0][0][0])[i] != NULL;
	r->latency = calloc(n ? n : 1, sizeof(*r->latency));
	if (!r->latency)
		return -ENOMEM;
	for (unsigned d = MODEL_DIRECTION_EGRESS; d <= MODEL_DIRECTION_INGRESS; d++)
		for (unsigned a = 1; a < N_ROLES; a++)
			for (unsigned b = 1; b < N_ROLES; b++) {
				/* In the order of the path: inwards from the underlay. */
				bool in = d == MODEL_DIRECTION_INGRESS;
				unsigned from = in ? N_ROLES - a : a, to = in ? N_ROLES - b : b;
				const struct latency_cell *cell = c->latency[from][to][d];
				if (!cell)
					continue;
				struct result_latency *l = &r->latency[r->n_latency++];
				const struct hist *h = &cell->hist;

				*l = (struct result_latency){ .from = from, .to = to,
							      .direction = d, .samples = h->n };
				/* A stamp taken once for both hops: the kernel's receive stamp. */
				l->measurable = cell->equal * 2 < h->n;
				if (!l->measurable)
					continue;
				l->min_ns = h->min;
				l->p50_ns = hist_percentile(h, 50);
				l->p90_ns = hist_percentile(h, 90);
				l->p99_ns = hist_percentile(h, 99);
				l->max_ns = h->max;
				if (fill_bars(h, l) < 0)
					return -ENOMEM;
			}
	return 0;
}

static int fill_flows(const struct correlate *c, struct result *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->flows_top; i++)
		n += c->flow[i].counted && c->flow[i].root == i;
	r->flows = calloc(n ? n : 1, sizeof(*r->flows));
	if (!r->flows)
		return -ENOMEM;
	for (uint32_t i = 0; i < c->flows_top; i++) {
		const struct flow *f = &c->flow[i];
		if (!f->counted || f->root != i)
			continue;
		struct result_flow *o = &r->flows[r->n_flows++];
		o->tuple = c->flow[f->far_view != NONE ? f->pod_view : i].tuple;
		if (f->far_view != NONE) {
			o->translated = true;
			o->translation = c->flow[f->far_view].tuple;
		}
		o->direction = f->direction;
		o->path = c->path_row[f->path_row].row.path;
		o->packets = f->packets;
		o->bytes = f->bytes;
		o->payload_bytes = f->payload_bytes;
		o->overhead_bytes = f->overhead_bytes;
		o->retransmissions = f->retransmissions;
	}
	qsort(r->flows, r->n_flows, sizeof(*r->flows), by_bytes_flow);
	if (r->n_flows > RESULT_LIST_MAX) {
		r->flows_omitted = r->n_flows - RESULT_LIST_MAX;
		r->n_flows = RESULT_LIST_MAX;
	}
	r->flows_omitted += c->flows_evicted;
	return 0;
}

/*
 * A foreign file gives only totals, at its end, when most packets have been judged:
 * then nothing that was missing there can be called lost (contract, section 6).
 */
static bool drops_at_unknown_time(const struct hop_state *h)
{
	for (unsigned i = 0; i < h->n_drops; i++)
		if (h->drops[i].from_ns == INT64_MIN && h->drops[i].to_ns == INT64_MAX)
			return true;
	return false;
}

static int fill_losses(const struct correlate *c, struct result *r)
{
	r->losses = calloc(c->n_loss_rows ? c->n_loss_rows : 1, sizeof(*r->losses));
	if (!r->losses)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_loss_rows; i++) {
		const struct loss_row *k = &c->loss_row[i];
		struct result_loss *o = &r->losses[r->n_losses++];
		uint64_t dropped = 0;
		bool anywhere = false;
		char *text = NULL;

		*o = k->row;
		for (unsigned h = 0; h < c->n_hops; h++)
			if (k->missing_mask & (1u << c->hop[h].role))
				anywhere |= drops_at_unknown_time(&c->hop[h]);
		if (anywhere)
			o->lost = false;
		o->reason = strdup(anywhere && k->row.lost
					   ? "the capture lost frames there, it does not say when"
					   : k->reason);
		o->evidence = calloc(1, sizeof(*o->evidence));
		for (unsigned h = 0; h < c->n_hops; h++)
			if (k->missing_mask & (1u << c->hop[h].role))
				dropped += c->hop[h].dropped;
		if (!o->reason || !o->evidence ||
		    asprintf(&text, "the capture dropped %llu frames at %s and the hops "
				    "behind it%s",
			     (unsigned long long)dropped,
			     model_role_name(k->row.next_expected),
			     o->lost && dropped ? ", none in these packets' time" : "") < 0)
			return -ENOMEM;
		o->evidence[o->n_evidence++] = text;
	}
	qsort(r->losses, r->n_losses, sizeof(*r->losses), by_packets_loss);
	r->losses_omitted = c->losses_omitted;
	return 0;
}

int close_counters(const struct correlate *c, struct result *r, struct err *err)
{
	r->capture.observations = c->observations;
	r->capture.foreign = c->foreign;
	r->capture.filter_unsure = c->filter_unsure;
	r->capture.closed_early = c->closed_early;
	r->capture.interfaces = calloc(c->n_hops ? c->n_hops : 1, sizeof(*r->capture.interfaces));
	if (!r->capture.interfaces)
		return err_sys(err, ENOMEM, "report");
	for (unsigned i = 0; i < c->n_hops; i++) {
		r->capture.interfaces[i] = c->interface[i];
		memcpy(r->capture.interfaces[i].name, c->net->hops[i].name,
		       sizeof(r->capture.interfaces[i].name));
		r->capture.interfaces[i].role = c->hop[i].role;
	}
	r->capture.n_interfaces = c->n_hops;
	return 0;
}

int close_result(const struct correlate *c, struct result *r, struct err *err)
{
	int rc = close_counters(c, r, err);

	if (rc < 0)
		return rc;
	r->paths = calloc(c->n_path_rows ? c->n_path_rows : 1, sizeof(*r->paths));
	r->encapsulation.tunnels = calloc(c->n_tunnels ? c->n_tunnels : 1,
					  sizeof(*r->encapsulation.tunnels));
	if (!r->paths || !r->encapsulation.tunnels ||
	    fill_latency(c, r) < 0 || fill_flows(c, r) < 0 || fill_losses(c, r) < 0)
		return err_sys(err, ENOMEM, "report");

	r->packets.total = c->total;
	r->packets.complete = c->status[RESULT_COMPLETE];
	r->packets.incomplete = c->status[RESULT_INCOMPLETE];
	r->packets.ambiguous = c->status[RESULT_AMBIGUOUS];
	r->packets.edge = c->status[RESULT_EDGE];
	r->packets.not_ip = c->not_ip;
	r->packets.malformed = c->malformed;

	for (unsigned i = 0; i < c->n_path_rows; i++)
		r->paths[r->n_paths++] = c->path_row[i].row;
	qsort(r->paths, r->n_paths, sizeof(*r->paths), by_packets_path);

	r->encapsulation.inner_packets = c->encap.inner_packets;
	r->encapsulation.outer_datagrams = c->encap.outer_datagrams;
	r->encapsulation.outer_datagrams_computed = c->encap.computed;
	r->encapsulation.inner_bytes = c->encap.inner_bytes;
	r->encapsulation.overhead_bytes = c->encap.overhead_bytes;
	r->encapsulation.outer_bytes = c->encap.inner_bytes + c->encap.overhead_bytes;
	r->encapsulation.basis = c->encap.basis;
	r->encapsulation.fragmented_outer = c->encap.fragmented_outer;
	r->encapsulation.fragment_bytes = c->encap.fragment_bytes;
	memcpy(r->encapsulation.sizes, c->encap.size, sizeof(r->encapsulation.sizes));
	for (unsigned i = 0; i < c->n_tunnels; i++)
		if (c->tunnel[i].packets)
			r->encapsulation.tunnels[r->encapsulation.n_tunnels++] = c->tunnel[i];
	qsort(r->encapsulation.tunnels, r->encapsulation.n_tunnels,
	      sizeof(*r->encapsulation.tunnels), by_packets_tunnel);
	return 0;
}
