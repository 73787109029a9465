/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tally.c - what the report sums up of closed packets, and the result made of it.
 *
 * Theory of operation
 *
 * Nothing is kept of a packet that has closed: whatever the report says of many is added up here
 * when each is judged (close.c), in tables of fixed size. The second half turns these
 * into a result at any time, also in the middle of a run. Drops whose time is not known (a
 * file's totals come at its end) take "lost" back there.
 */
#include "correlate_priv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/log.h"

#define IPV4_HEADER 20u
#define IPV6_HEADER 40u

/* ----------------------------------------------------------------- overhead */

static void add_super(uint32_t header_len, uint32_t payload, uint32_t segment,
		      struct outer_count *oc)
{
	uint64_t n = (payload + segment - 1) / segment;

	oc->datagrams += n;
	oc->inner_bytes += payload + n * header_len;
	if (n > 1) {
		oc->computed += n;
		oc->basis = result_basis_join(oc->basis, RESULT_BASIS_COMPUTED);
	} else {
		oc->basis = result_basis_join(oc->basis, RESULT_BASIS_OBSERVED);
	}
}

void tally_count_outer(const struct correlate *c, const struct packet *p, struct outer_count *oc)
{
	const struct packet_more *m = more_of(c, p);
	uint32_t segment = m->segment, found = 0;

	*oc = (struct outer_count){ 0 };
	if (p->small_outer) {
		oc->datagrams = p->small_outer;
		oc->inner_bytes = p->small_inner;
		oc->basis = RESULT_BASIS_OBSERVED;
	}
	if (m->large_outer) {
		if (!segment)
			segment = flow_segment_size(c, flow_root(c, p->flow), m->tcp_options_len,
						    p->is_v4 ? IPV4_HEADER : IPV6_HEADER);
		if (!segment) {
			oc->basis = result_basis_join(oc->basis, RESULT_BASIS_UNKNOWN);
			oc->unknown = true;
		} else {
			for (uint32_t r = m->ranges; r != NONE; r = c->range[r].next) {
				if (!c->range[r].large)
					continue;
				add_super(m->header_len, c->range[r].end - c->range[r].start,
					  segment, oc);
				found++;
			}
			if (!found)
				add_super(m->header_len, p->payload_len, segment, oc);
		}
	}
	oc->overhead_bytes = oc->datagrams * p->encap_len;
}

void tally_encapsulation(struct correlate *c, const struct packet *p,
			 const struct outer_count *oc)
{
	struct result_tunnel *t = &c->tunnel[p->tunnel];
	struct result_size *s = &c->encap.size[result_size_class(p->len)];

	c->encap.inner_packets++;
	c->encap.inner_packets_unknown += oc->unknown;
	c->encap.outer_datagrams += oc->datagrams;
	c->encap.computed += oc->computed;
	c->encap.inner_bytes += oc->inner_bytes;
	c->encap.overhead_bytes += oc->overhead_bytes;
	c->encap.basis = result_basis_join(c->encap.basis, oc->basis);
	if (p->flags & PACKET_MORE) {
		c->encap.fragmented_outer += more_of(c, p)->outer_fragmented;
		c->encap.fragment_bytes += more_of(c, p)->fragment_bytes;
	}
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

/* A datagram on the wire all the same; but sizes and packets are those of packets. */
void tally_bare_datagram(struct correlate *c, uint16_t tunnel, const struct correlate_obs *o)
{
	struct result_tunnel *t = &c->tunnel[tunnel];

	c->encap.outer_datagrams++;
	c->encap.inner_bytes += o->eth_len;
	c->encap.overhead_bytes += o->encap_len;
	c->encap.fragmented_outer += (o->flags & OBS_OUTER_FIRST) != 0;
	c->encap.basis = result_basis_join(c->encap.basis, RESULT_BASIS_OBSERVED);
	t->outer_datagrams++;
	t->inner_bytes += o->eth_len;
	t->overhead_bytes += o->encap_len;
	t->basis = result_basis_join(t->basis, RESULT_BASIS_OBSERVED);
}

/* ------------------------------------------------------------------ tallies */

uint16_t tally_path(struct correlate *c, const struct packet *p, const struct result_path *path,
		    bool complete)
{
	bool encap = p->tunnel != NO_TUNNEL;
	unsigned i;

	for (unsigned k = 0; k < p->n_sightings && !encap; k++)
		encap = sighting(c, p, k)->role == MODEL_ROLE_VTEP;
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
	tally_path_row(c, p, (uint16_t)i, complete);
	return (uint16_t)i;
}

void tally_path_row(struct correlate *c, const struct packet *p, uint16_t row, bool complete)
{
	c->path_row[row].row.packets++;
	c->path_row[row].row.complete += complete;
	c->path_row[row].row.bytes += p->len;
}

static struct latency_cell *new_cell(struct correlate *c)
{
	struct latency_cell *cell = calloc(1, sizeof(*cell));

	if (cell)
		return cell;
	log_error("correlate", "latency: out of memory, a row of the report is missing");
	return &c->no_cell;
}

void tally_latency(struct correlate *c, const struct packet *p)
{
	const struct sighting *b = sighting(c, p, 0);

	for (unsigned i = 1; i < p->n_sightings; i++) {
		const struct sighting *a = b;

		b = sighting(c, p, i);
		struct latency_cell **cell = &c->latency[a->role][b->role][p->direction];
		int64_t dt = b->first_ns - a->first_ns;

		if (!*cell)
			*cell = new_cell(c);
		/* One row of the report is missing, nothing else: no row counts a part. */
		if (*cell == &c->no_cell)
			continue;
		hist_add(&(*cell)->hist, dt > 0 ? (uint64_t)dt : 0);
		(*cell)->equal += dt <= 0;
	}
}

/* Few, so that a person can read them: losses of one reason go to one node or to many. */
static void note_peer(struct result_loss *l, const struct addr *a)
{
	for (unsigned i = 0; i < l->n_peers; i++)
		if (addr_eq(&l->peers[i], a))
			return;
	if (l->n_peers == RESULT_LOSS_PEERS)
		l->peers_cut = true;
	else
		l->peers[l->n_peers++] = *a;
}

void tally_loss(struct correlate *c, const struct packet *p, const struct path_verdict *v,
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
		r->row.vague = v->vague;
		r->reason = v->reason;
		r->missing_mask = v->missing_mask;
	}
	if (!r) {
		c->losses_omitted++;
		return;
	}
	r->row.packets++;
	r->row.bytes += p->len;
	note_peer(&r->row, path_far_end(c, p));
}

void tally_flow(struct flow *f, const struct packet *p, uint16_t path_row, uint64_t overhead)
{
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

/* A server's port is the lower one as a rule: what is asked stands in front of its answer. */
static int by_tuple(const struct result_tuple *x, const struct result_tuple *y)
{
	int cmp = x->protocol - y->protocol;

	if (!cmp)
		cmp = x->dport - y->dport;
	if (!cmp)
		cmp = memcmp(&x->dst, &y->dst, sizeof(x->dst));
	if (!cmp)
		cmp = memcmp(&x->src, &y->src, sizeof(x->src));
	return cmp ? cmp : x->sport - y->sport;
}

static unsigned direction_rank(enum model_direction d)
{
	return d == MODEL_DIRECTION_OTHER ? MODEL_DIRECTION_COUNT : d;
}

/*
 * Equal ones by what they are called, what the pod sends first: conntrack tells a capture of flows
 * in another order than a file.
 */
static int by_bytes_flow(const void *a, const void *b)
{
	const struct result_flow *x = a, *y = b;

	if (x->bytes != y->bytes)
		return x->bytes < y->bytes ? 1 : -1;
	if (x->packets != y->packets)
		return x->packets < y->packets ? 1 : -1;
	if (x->direction != y->direction)
		return direction_rank(x->direction) < direction_rank(y->direction) ? -1 : 1;
	return by_tuple(&x->tuple, &y->tuple);
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

static int fill_latency(const struct correlate *c, bool bars, struct result *r)
{
	unsigned n = 0;

	for (unsigned i = 0; i < N_ROLES * N_ROLES * N_DIRECTIONS; i++)
		n += (&c->latency[0][0][0])[i] && (&c->latency[0][0][0])[i] != &c->no_cell;
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
				if (!cell || cell == &c->no_cell)
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
				if (bars && fill_bars(h, l) < 0)
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

/* What was learned only after these packets had been called lost. NULL: nothing. */
static const char *late_excuse(const struct correlate *c, const struct loss_row *k)
{
	if (c->hops_lag)
		return REASON_LAG;
	for (unsigned h = 0; h < c->n_hops; h++)
		if ((k->missing_mask & (1u << c->hop[h].role)) && drops_at_unknown_time(&c->hop[h]))
			return REASON_DROPS_ANYTIME;
	return NULL;
}

/* What the capture itself dropped where packets were missing. NULL: no memory. */
static char *drops_evidence(const struct correlate *c, const struct loss_row *k, bool lost)
{
	const char *role = model_role_name(k->row.next_expected);
	uint64_t dropped = 0;
	bool untold = false;
	char *text = NULL;
	int n;

	for (unsigned h = 0; h < c->n_hops; h++) {
		if (!(k->missing_mask & (1u << c->hop[h].role)))
			continue;
		dropped += c->hop[h].dropped;
		untold |= c->hop[h].drops_untold;
	}
	if (untold && !dropped)
		n = asprintf(&text,
			     "the capture does not say whether it dropped frames at %s and the "
			     "hops behind it",
			     role);
	else
		n = asprintf(&text,
			     "the capture dropped %s%llu frames at %s and the hops behind it%s",
			     untold ? "at least " : "", (unsigned long long)dropped, role,
			     lost && dropped ? ", none in these packets' time" : "");
	return n < 0 ? NULL : text;
}

static int fill_losses(const struct correlate *c, struct result *r)
{
	r->losses = calloc(c->n_loss_rows ? c->n_loss_rows : 1, sizeof(*r->losses));
	if (!r->losses)
		return -ENOMEM;
	for (unsigned i = 0; i < c->n_loss_rows; i++) {
		const struct loss_row *k = &c->loss_row[i];
		struct result_loss *o = &r->losses[r->n_losses++];
		const char *excuse = k->row.lost ? late_excuse(c, k) : NULL;

		*o = k->row;
		o->lost &= !excuse;
		o->reason = strdup(excuse ? excuse : k->reason);
		o->evidence = calloc(1, sizeof(*o->evidence));
		if (!o->reason || !o->evidence)
			return -ENOMEM;
		o->evidence[0] = drops_evidence(c, k, o->lost);
		if (!o->evidence[0])
			return -ENOMEM;
		o->n_evidence = 1;
	}
	qsort(r->losses, r->n_losses, sizeof(*r->losses), by_packets_loss);
	r->losses_omitted = c->losses_omitted;
	return 0;
}

int tally_counters(const struct correlate *c, struct result *r, struct err *err)
{
	r->capture.observations = 0;
	r->capture.foreign = c->foreign;
	r->capture.filter_unsure = c->filter_unsure;
	r->capture.closed_early = c->closed_early;
	r->capture.interfaces = calloc(c->n_hops ? c->n_hops : 1, sizeof(*r->capture.interfaces));
	if (!r->capture.interfaces)
		return err_sys(err, ENOMEM, "report");
	for (unsigned i = 0; i < c->n_hops; i++) {
		struct result_interface *to = &r->capture.interfaces[i];

		*to = (struct result_interface){ .role = c->hop[i].role,
						 .observations = c->hop[i].observations,
						 .bytes = c->hop[i].bytes,
						 .dropped_interface = -1 };
		memcpy(to->name, c->net->hops[i].name, sizeof(to->name));
		r->capture.observations += to->observations;
	}
	r->capture.n_interfaces = c->n_hops;
	return 0;
}

/* All but what grows with the traffic: flows, and the bars of the latencies. */
static int fill_summary(const struct correlate *c, bool bars, struct result *r, struct err *err)
{
	int rc = tally_counters(c, r, err);

	if (rc < 0)
		return rc;
	r->paths = calloc(c->n_path_rows ? c->n_path_rows : 1, sizeof(*r->paths));
	r->encapsulation.tunnels = calloc(c->n_tunnels ? c->n_tunnels : 1,
					  sizeof(*r->encapsulation.tunnels));
	if (!r->paths || !r->encapsulation.tunnels ||
	    fill_latency(c, bars, r) < 0 || fill_losses(c, r) < 0)
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
	r->encapsulation.inner_packets_unknown = c->encap.inner_packets_unknown;
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
		if (c->tunnel[i].packets || c->tunnel[i].outer_datagrams)
			r->encapsulation.tunnels[r->encapsulation.n_tunnels++] = c->tunnel[i];
	qsort(r->encapsulation.tunnels, r->encapsulation.n_tunnels,
	      sizeof(*r->encapsulation.tunnels), by_packets_tunnel);
	return 0;
}

int tally_summary(const struct correlate *c, struct result *r, struct err *err)
{
	return fill_summary(c, false, r, err);
}

int tally_result(const struct correlate *c, struct result *r, struct err *err)
{
	int rc = fill_summary(c, true, r, err);

	if (!rc && fill_flows(c, r) < 0)
		rc = err_sys(err, ENOMEM, "report");
	return rc;
}
