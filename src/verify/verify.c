/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify.c - nodes, clocks between them, and what is told at the end.
 *
 * Theory of operation
 *
 * Nodes' packets come as their pipelines close them; verify_time() says how far each node
 * has come, in its own clock. As soon as one packet is known on both sides the clocks' offset
 * is known to within its delay, and time can be converted; with packets both ways it
 * is bounded (clock.c). From then on both nodes are read at the same pace and everything is
 * decided a window later (deliver.c), so that memory stays bounded however long the captures.
 *
 * Delays are kept as differences of two clocks, a fair sample of them, and corrected
 * at the end with the offset that all the traffic has told by then.
 */
#include "verify_priv.h"

#include "deliver.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/hash.h"

#define LOST_FIRST 64u
#define TIME_MAX_NS 4000000000000000000LL /* the year 2096 */

const char *verify_verdict_name(enum verify_verdict v)
{
	switch (v) {
	case VERIFY_DELIVERED:
		return "delivered";
	case VERIFY_LOST:
		return "lost";
	case VERIFY_INCONCLUSIVE:
		break;
	}
	return "inconclusive";
}

uint64_t verify_tuple_hash(const struct verify *v, const struct result_tuple *t)
{
	const uint64_t key = v->cfg.hash_seed;
	uint64_t rest = (uint64_t)t->protocol << 32 | (uint32_t)t->sport << 16 | t->dport, w[4];

	memcpy(&w[0], t->src.b, 16);
	memcpy(&w[2], t->dst.b, 16);
	return hash_mix(hash_keyed(w[0], w[1], key, 31) ^ rest, hash_keyed(w[2], w[3], key, 32),
			37);
}

/* ------------------------------------------------------------------ life */

static uint32_t power_of_two(uint32_t n)
{
	uint32_t p = 1;

	while (p < n)
		p *= 2;
	return p;
}

static uint32_t *buckets(uint32_t n)
{
	uint32_t *b = malloc(n * sizeof(*b));

	if (b)
		memset(b, 0xff, n * sizeof(*b)); /* NONE */
	return b;
}

static bool make_pairs(struct verify *v, struct err *err)
{
	unsigned n = v->cfg.n_nodes;

	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++) {
			struct pair *p = &v->pair[a * n + b];

			p->line.uncertainty_ns = -1;
			if (v->cfg.has_offset) {
				/* Told for the first node; between two others it is the same. */
				p->line.known = p->line.rough = true;
				p->line.offset_ns = a == 0 ? v->cfg.offset_ns : 0;
			}
			p->clock = verify_clock_new(err);
			if (!p->clock)
				return false;
		}
	return true;
}

static void read_roles(struct node *n)
{
	n->roles = 0;
	n->last = MODEL_ROLE_NONE;
	for (unsigned i = 0; i < n->net->n_hops; i++)
		if (n->net->hops[i].role != MODEL_ROLE_NONE)
			n->roles |= 1u << n->net->hops[i].role;
	for (unsigned role = MODEL_ROLE_COUNT - 1; role > 0; role--)
		if (n->roles & 1u << role)
			n->last = (uint8_t)role;
}

struct verify *verify_new(const struct verify_config *config, struct err *err)
{
	struct verify *v = calloc(1, sizeof(*v));
	size_t pairs = (size_t)config->n_nodes * config->n_nodes;

	if (!v)
		goto fail;
	v->cfg = *config;
	if (!v->cfg.window_ns)
		v->cfg.window_ns = WINDOW_NS;
	v->n_packets =
		power_of_two(config->packets_max ? config->packets_max : PACKETS_MAX_DEFAULT);
	v->mask = v->n_packets - 1;
	v->link_mask = LINKS_A_PACKET * v->n_packets - 1;
	v->sent_free = v->received_free = v->link_free = v->piece_free = NONE;
	v->random = 0x9e3779b97f4a7c15u;
	v->node = calloc(config->n_nodes, sizeof(*v->node));
	v->direction = calloc(pairs + 1, sizeof(*v->direction)); /* alone: two ways */
	v->pair = calloc(pairs, sizeof(*v->pair));
	v->sent = calloc(v->n_packets, sizeof(*v->sent));
	v->received = calloc(v->n_packets, sizeof(*v->received));
	v->link = calloc((size_t)LINKS_A_PACKET * v->n_packets, sizeof(*v->link));
	v->piece = calloc(PIECES_MAX, sizeof(*v->piece));
	v->sent_bucket = buckets(v->n_packets);
	v->received_bucket = buckets(v->n_packets);
	v->same_bucket = buckets(v->n_packets);
	v->twin_bucket = buckets(v->n_packets);
	v->link_bucket = buckets(LINKS_A_PACKET * v->n_packets);
	if (!v->node || !v->direction || !v->pair || !v->sent || !v->received || !v->link ||
	    !v->piece || !v->sent_bucket || !v->received_bucket || !v->same_bucket ||
	    !v->twin_bucket || !v->link_bucket)
		goto fail;
	for (unsigned k = 0; k < config->n_nodes; k++) {
		struct node *n = &v->node[k];

		n->net = config->net[k];
		n->name = config->name[k];
		n->first_ns = INT64_MAX;
		n->last_ns = n->frontier_ns = INT64_MIN;
		read_roles(n);
	}
	for (unsigned a = 0; a < config->n_nodes; a++)
		for (unsigned b = 0; b < config->n_nodes; b++) {
			struct direction *d = &v->direction[a * config->n_nodes + b];

			d->d.from = (int)a;
			d->d.to = (int)b;
			d->unclaimed_first = d->unclaimed_last = NONE;
			d->done_ns = d->seen_ns = d->unsure_ns = INT64_MIN;
		}
	if (!make_pairs(v, err) || (config->n_nodes == 1 && verify_solo_new(v, err) < 0)) {
		verify_free(v);
		return NULL;
	}
	return v;
fail:
	verify_free(v);
	err_sys(err, ENOMEM, "verify");
	return NULL;
}

void verify_free(struct verify *v)
{
	size_t pairs;

	if (!v)
		return;
	pairs = (size_t)v->cfg.n_nodes * v->cfg.n_nodes;
	verify_solo_free(v);
	for (size_t k = 0; v->direction && k < pairs + 1; k++) {
		struct direction *d = &v->direction[k];

		free(d->sent.at);
		free(d->received.at);
		free(d->delay);
		free(d->order);
		free(d->gone.at);
		free(d->came.at);
		verify_outer_free(d);
		free(d->d.lost_packets);
	}
	for (size_t k = 0; v->pair && k < pairs; k++)
		verify_clock_free(v->pair[k].clock);
	free(v->node);
	free(v->direction);
	free(v->pair);
	free(v->sent);
	free(v->received);
	free(v->link);
	free(v->piece);
	free(v->sent_bucket);
	free(v->received_bucket);
	free(v->same_bucket);
	free(v->twin_bucket);
	free(v->link_bucket);
	free(v);
}

/* ------------------------------------------------------------------ clocks */

struct pair *verify_pair_of(const struct verify *v, unsigned a, unsigned b)
{
	return &v->pair[a < b ? a * v->cfg.n_nodes + b : b * v->cfg.n_nodes + a];
}

bool verify_has_offset(const struct verify *v, unsigned a, unsigned b)
{
	return verify_pair_of(v, a, b)->line.rough;
}

int64_t verify_convert(const struct verify *v, unsigned a, unsigned b, int64_t t)
{
	const struct verify_clock_line *l;

	if (a == b)
		return t;
	l = &verify_pair_of(v, a, b)->line;
	if (a < b)
		return t + verify_clock_offset(l, t);
	/* The line is over the reference's time: first guess, then look. */
	return t - verify_clock_offset(l, t - l->offset_ns);
}

void verify_estimate(struct verify *v, unsigned a, unsigned b, int64_t time_ns)
{
	struct pair *p = verify_pair_of(v, a, b);
	bool rough = p->line.rough;
	int64_t before = rough ? verify_convert(v, b, a, time_ns) : 0, later;

	verify_clock_line(p->clock, &p->line);
	if (!rough || !p->line.rough)
		return;
	later = verify_convert(v, b, a, time_ns) - before;
	v->direction[a * v->cfg.n_nodes + b].usual.mean_ns += later;
	v->direction[b * v->cfg.n_nodes + a].usual.mean_ns -= later;
}

/* ------------------------------------------------------------------ input */

void verify_packet(struct verify *v, unsigned node, const struct result_packet *p)
{
	/* Times beyond a century are a damaged file's; sums of them would overflow. */
	if (p->time_ns < 0 || p->time_ns > TIME_MAX_NS)
		return;
	/* What lies between two of them is within a window of one (judge.c). */
	if (p->cut)
		verify_times_add(&v->node[node].cut, p->time_ns, p->time_ns, 2 * v->cfg.window_ns);
	if (v->solo)
		verify_solo_packet(v, p);
	else
		verify_deliver_packet(v, node, p);
}

void verify_drops_untold(struct verify *v, unsigned node)
{
	v->node[node].drops_untold = true;
}

void verify_drops(struct verify *v, unsigned node, unsigned hop, int64_t from_ns, int64_t to_ns,
		  uint64_t count)
{
	struct node *n = &v->node[node];
	unsigned role = n->net->hops[hop].role;

	if (!count)
		return;
	n->dropped[role] += count;
	/*
	 * A capture counts drops when it looks, with frames still in its ring that are older than
	 * those it could not take: these may lie as far behind the mark as the ring is deep.
	 */
	if (from_ns == INT64_MIN)
		n->dropped_any_time[role] = true;
	else
		verify_times_add(&n->drops[role], from_ns, to_ns + v->cfg.window_ns, 0);
}

void verify_time(struct verify *v, unsigned node, int64_t first_ns, int64_t last_ns,
		 int64_t frontier_ns)
{
	struct node *n = &v->node[node];

	if (first_ns != INT64_MAX && last_ns != INT64_MIN) {
		n->told = true;
		n->first_ns = first_ns;
		n->last_ns = last_ns;
		verify_cover_all(v, node, first_ns, last_ns);
	}
	if (frontier_ns > n->frontier_ns)
		n->frontier_ns = frontier_ns;
	if (v->solo)
		verify_solo_pump(v, n->frontier_ns);
	else
		verify_deliver_pump(v);
}

#define SAME_CLOCK_NS 3600000000000LL /* NTP or not: clocks of a cluster are not an hour apart */

static int64_t apart_ns(const struct verify *v, unsigned node)
{
	const struct node *first = &v->node[0], *n = &v->node[node];
	int64_t apart;

	if (!node || !first->told || !n->told)
		return 0;
	apart = n->first_ns - first->first_ns;
	return apart > SAME_CLOCK_NS || apart < -SAME_CLOCK_NS ? apart : 0;
}

int64_t verify_in_step(const struct verify *v, unsigned node, int64_t time_ns)
{
	return time_ns - apart_ns(v, node);
}

int64_t verify_out_of_step(const struct verify *v, unsigned node, int64_t time_ns)
{
	return time_ns + apart_ns(v, node);
}

int verify_next(const struct verify *v, const bool ready[], const int64_t next_ns[])
{
	int best = -1;
	int64_t best_ns = 0;

	for (unsigned k = 0; k < v->cfg.n_nodes; k++) {
		int64_t t = next_ns[k];

		if (!ready[k])
			continue;
		t = k && verify_has_offset(v, 0, k) ? verify_convert(v, k, 0, t)
						    : verify_in_step(v, k, t);
		if (best < 0 || t < best_ns) {
			best = (int)k;
			best_ns = t;
		}
	}
	return best;
}

/* ------------------------------------------------------------------- losses */

void verify_count_place(struct verify_place *places, unsigned *n, const struct verify_lost *l)
{
	unsigned i = 0;

	while (i < *n &&
	       (places[i].last_node != l->last_node || places[i].last_role != l->last_role ||
		places[i].next_node != l->next_node || places[i].next_role != l->next_role))
		i++;
	if (i == VERIFY_PLACES_MAX)
		return;
	if (i == *n)
		places[(*n)++] = (struct verify_place){ .last_node = l->last_node,
							.last_role = l->last_role,
							.next_node = l->next_node,
							.next_role = l->next_role };
	places[i].packets++;
}

void verify_count_lost(struct direction *d, const struct sent *s, const struct verify_lost *l)
{
	struct verify_direction *r = &d->d;

	struct loss *loss =
		l->next_node == s->to ? &d->lost_at[l->next_role] : &d->lost_inside[l->next_role];

	r->lost++;
	r->bytes_missing += l->bytes_missing;
	loss->packets++;
	loss->bytes += l->bytes_missing;
	verify_count_place(r->places, &r->n_places, l);
	if (r->n_lost_packets == RESULT_LIST_MAX) {
		r->lost_omitted++;
		loss->omitted++;
		return;
	}
	/* Room for 64, 128, ... up to the list's limit. */
	uint32_t n = r->n_lost_packets;
	if (!(n & (n - 1)) && (n >= LOST_FIRST || !n)) {
		struct verify_lost *grown =
			realloc(r->lost_packets, (n ? 2 * n : LOST_FIRST) * sizeof(*grown));
		if (!grown) {
			r->lost_omitted++;
			loss->omitted++;
			return;
		}
		r->lost_packets = grown;
	}
	r->lost_packets[r->n_lost_packets++] = *l;
}

/* Drops whose time nobody knows, told at the end of a file: what was lost there is unknown. */
static bool is_excused_late(const struct verify *v, const struct verify_direction *d, int next_node,
			    enum model_role next_role)
{
	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (d->to >= 0 && v->node[d->to].dropped_any_time[role] &&
		    (next_node == d->from || role <= next_role))
			return true;
		if (d->from >= 0 && next_node == d->from && role >= next_role &&
		    v->node[d->from].dropped_any_time[role])
			return true;
	}
	return false;
}

static void excuse_loss(struct verify_direction *r, struct loss *l)
{
	r->lost -= l->packets;
	r->unknown += l->packets;
	r->bytes_missing -= l->bytes;
	r->lost_omitted -= l->omitted;
	*l = (struct loss){ 0 };
}

static void excuse(struct verify *v, struct direction *d)
{
	struct verify_direction *r = &d->d;
	uint32_t kept = 0;
	unsigned places = 0;

	for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++) {
		if (is_excused_late(v, r, r->to, role))
			excuse_loss(r, &d->lost_at[role]);
		if (is_excused_late(v, r, r->from, role))
			excuse_loss(r, &d->lost_inside[role]);
	}
	for (uint32_t i = 0; i < r->n_lost_packets; i++) {
		const struct verify_lost *l = &r->lost_packets[i];

		if (!is_excused_late(v, r, l->next_node, l->next_role))
			r->lost_packets[kept++] = *l;
	}
	r->n_lost_packets = kept;
	for (unsigned i = 0; i < r->n_places; i++)
		if (!is_excused_late(v, r, r->places[i].next_node, r->places[i].next_role))
			r->places[places++] = r->places[i];
	r->n_places = places;
}

static void estimate_all(struct verify *v)
{
	unsigned n = v->cfg.n_nodes;

	for (unsigned k = 0; k < n * n; k++)
		if (v->pair[k].samples && !v->cfg.has_offset && v->node[k % n].told)
			verify_estimate(v, k / n, k % n, v->node[k % n].last_ns);
}

void verify_finish(struct verify *v)
{
	unsigned n = v->cfg.n_nodes;

	if (v->solo) {
		verify_solo_finish(v);
		for (unsigned k = 0; k < 2; k++)
			if (v->direction[k].d.lost)
				excuse(v, &v->direction[k]);
		return;
	}
	verify_deliver_finish(v);
	verify_step_finish(v);
	estimate_all(v);
	for (unsigned k = 0; k < n * n; k++)
		if (v->direction[k].d.lost)
			excuse(v, &v->direction[k]);
}

/* -------------------------------------------------------------------- result */

static int by_value(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static int fill_delays(const struct verify *v, const struct direction *d, struct verify_delays *ret,
		       struct err *err)
{
	uint64_t n = d->n_delays < DELAYS_KEPT ? d->n_delays : DELAYS_KEPT;
	const struct pair *p = verify_pair_of(v, (unsigned)d->d.from, (unsigned)d->d.to);
	int64_t *value;

	ret->samples = d->n_delays;
	if (!n || !p->line.known)
		return 0;
	value = malloc(n * sizeof(*value));
	if (!value)
		return err_sys(err, ENOMEM, "delays");
	for (uint64_t i = 0; i < n; i++) {
		int64_t there = verify_convert(v, (unsigned)d->d.from, (unsigned)d->d.to,
					       d->delay[i].sent_ns);
		value[i] = d->delay[i].sent_ns + d->delay[i].delta_ns - there;
	}
	qsort(value, n, sizeof(*value), by_value);
	ret->known = true;
	ret->min_ns = value[0];
	ret->max_ns = value[n - 1];
	ret->p50_ns = value[(n - 1) * 50 / 100];
	ret->p90_ns = value[(n - 1) * 90 / 100];
	ret->p99_ns = value[(n - 1) * 99 / 100];
	free(value);
	return 0;
}

void verify_reason(struct verify_result *r, const char *fmt, ...)
{
	va_list ap;

	if (r->n_reasons == VERIFY_REASONS_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(r->reasons[r->n_reasons++], VERIFY_REASON_MAX, fmt, ap);
	va_end(ap);
}

const char *verify_node_name(const struct verify *v, int node)
{
	return node < 0 ? "peers" : v->node[node].name;
}

/* f: the direction as it is told. */
static void reasons_of_unknown(const struct verify *v, const struct direction *d,
			       const struct verify_direction *f, struct verify_result *r)
{
	uint64_t hidden = f->unknown - d->d.unknown; /* hide_losses() */
	const struct {
		uint64_t packets;
		const char *why;
	} part[] = {
		{ d->evicted, "the table was full" },
		{ d->alike, "others look like them, and which of these arrived cannot be told" },
		{ d->unseen, "the last hop was not captured when they were due" },
		{ d->filtered,
		  "the last hop was captured with a filter that may have left them out" },
		{ d->unsure, "merged with others, and among these some were altered" },
		{ d->unmet,
		  "the clocks were told by packets without an id, and none with one fits" },
		{ d->cut, "the snap length cut the headers that would tell" },
		{ hidden, "a clock was set back, and packets do not show when" },
		{ d->stepped, "a clock was stepped, and nothing fits between then and now" },
		{ f->unknown - d->evicted - d->alike - d->unseen - d->unsure - d->unmet - d->cut -
			  d->stepped - d->filtered - hidden,
		  v->solo ? "an answer was due and is not in the capture"
			  : "a capture lost frames that would tell" },
	};

	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++)
		if (part[i].packets)
			verify_reason(r, "%" PRIu64 " of %" PRIu64 " from %s to %s unknown: %s",
				      part[i].packets, f->sent, verify_node_name(v, f->from),
				      verify_node_name(v, f->to), part[i].why);
}

static void reasons_of_places(const struct verify *v, const struct verify_direction *f,
			      struct verify_result *r)
{
	for (unsigned i = 0; i < f->n_places; i++) {
		const struct verify_place *p = &f->places[i];
		if (f->lost)
			verify_reason(r, "%" PRIu64 " of %" PRIu64 " lost between %s:%s and %s:%s",
				      p->packets, f->sent, verify_node_name(v, p->last_node),
				      model_role_name(p->last_role),
				      verify_node_name(v, p->next_node),
				      model_role_name(p->next_role));
		else
			verify_reason(
				r,
				"%" PRIu64 " from %s to %s were seen last at %s:%s, not at %s:%s",
				p->packets, verify_node_name(v, f->from),
				verify_node_name(v, f->to), verify_node_name(v, p->last_node),
				model_role_name(p->last_role), verify_node_name(v, p->next_node),
				model_role_name(p->next_role));
	}
}

/* f: the direction as it is told. */
static void reason_of_direction(const struct verify *v, const struct direction *d,
				const struct verify_direction *f, struct verify_result *r)
{
	const char *from = verify_node_name(v, f->from), *to = verify_node_name(v, f->to);

	reasons_of_places(v, f, r);
	if (f->altered)
		verify_reason(r, "%" PRIu64 " of %" PRIu64 " from %s to %s arrived altered",
			      f->altered, f->sent, from, to);
	reasons_of_unknown(v, d, f, r);
	if (d->hole)
		verify_reason(r,
			      "%" PRIu64
			      " from %s to %s out of scope: due in a hole of the capture, "
			      "between two files of %s",
			      d->hole, from, to, to);
	if (d->left_out && v->solo)
		verify_reason(r,
			      "%" PRIu64
			      " from %s to %s unprovable: a filter left their answers out of the "
			      "capture",
			      d->left_out, from, to);
	else if (d->left_out)
		verify_reason(r,
			      "%" PRIu64
			      " from %s to %s out of scope: left out by the filter that %s was "
			      "captured with",
			      d->left_out, from, to, to);
	verify_outer_reasons(v, f, r);
}

static void reason_of_pair(const struct verify *v, unsigned a, unsigned b, struct verify_result *r)
{
	const struct pair *p = verify_pair_of(v, a, b);

	if (v->cfg.has_offset || p->line.known)
		return;
	if (!p->line.rough && p->alike)
		verify_reason(
			r,
			"packets between %s and %s only look like each other: the clocks' offset "
			"cannot be known (--clock-offset tells it)",
			v->node[a].name, v->node[b].name);
	else if (!p->line.rough)
		verify_reason(r, "no packet of %s was found at %s, nor the other way",
			      v->node[a].name, v->node[b].name);
	else
		verify_reason(
			r,
			"packets between %s and %s went one way only: the clocks' offset cannot be "
			"known (--clock-offset tells it)",
			v->node[a].name, v->node[b].name);
}

/* Is anything lost that a capture of the node might have shown? */
static bool has_lost(const struct verify_result *r, int node)
{
	for (unsigned i = 0; i < r->n_directions; i++)
		if (r->directions[i].lost &&
		    (r->directions[i].from == node || r->directions[i].to == node))
			return true;
	return false;
}

static void step_reasons(const struct verify *v, struct verify_result *r)
{
	unsigned n = v->cfg.n_nodes;

	for (unsigned k = 0; k < n; k++)
		if (v->node[k].clock_steps)
			verify_reason(r,
				      "the clock of %s was set back while it was captured, %" PRIu64
				      " times",
				      v->node[k].name, v->node[k].clock_steps);
	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++) {
			const struct pair *p = verify_pair_of(v, a, b);

			if (p->steps)
				verify_reason(r,
					      "a clock of %s or %s was stepped while they were "
					      "captured, %" PRIu64
					      " times, the last time by %+.3f s between them: "
					      "offset and delays are those since",
					      v->node[a].name, v->node[b].name, p->steps,
					      (double)p->stepped_ns / 1e9);
		}
}

static void drop_reasons(const struct verify *v, struct verify_result *r)
{
	for (unsigned k = 0; k < v->cfg.n_nodes; k++)
		for (unsigned role = 1; role < MODEL_ROLE_COUNT; role++)
			if (v->node[k].dropped[role])
				verify_reason(r,
					      "the capture of %s dropped %" PRIu64 " frames at %s",
					      v->node[k].name, v->node[k].dropped[role],
					      model_role_name(role));
	for (unsigned k = 0; k < v->cfg.n_nodes; k++)
		if (v->node[k].drops_untold && has_lost(r, (int)k))
			verify_reason(r,
				      "the capture of %s does not say whether it dropped frames: "
				      "what is lost may have been among them",
				      v->node[k].name);
	for (unsigned k = 0; k < v->cfg.n_nodes; k++)
		if (v->node[k].cut.n)
			verify_reason(r,
				      "the snap length cut headers in the capture of %s: what it "
				      "did not show may have been there",
				      v->node[k].name);
	if (v->evicted_sent || v->evicted_received)
		verify_reason(r, "tables were full: %" PRIu64 " packets decided early",
			      v->evicted_sent + v->evicted_received);
}

static int by_place(const void *a, const void *b)
{
	const struct verify_place *x = a, *y = b;

	return (x->packets < y->packets) - (x->packets > y->packets);
}

/* When its clock was set back is known to nobody, so neither what was lost then. */
static void hide_losses(struct verify_direction *out)
{
	out->unknown += out->lost;
	out->lost = out->bytes_missing = out->lost_omitted = 0;
	out->n_lost_packets = out->n_places = 0;
}

static bool add_direction(const struct verify *v, const struct direction *d,
			  struct verify_result *r, struct err *err)
{
	struct verify_direction *out = &r->directions[r->n_directions++];

	*out = d->d;
	out->lost_packets = NULL;
	verify_outer_sum(d, &out->outer);
	if (out->lost && !v->solo && verify_step_hides(v, (unsigned)out->from, (unsigned)out->to)) {
		hide_losses(out);
	} else if (!out->lost) {
		memcpy(out->places, d->ends, sizeof(out->places));
		out->n_places = d->n_ends;
	}
	if (out->n_lost_packets) {
		size_t bytes = out->n_lost_packets * sizeof(*out->lost_packets);
		out->lost_packets = malloc(bytes);
		if (!out->lost_packets) {
			out->n_lost_packets = 0;
			err_sys(err, ENOMEM, "lost packets");
			return false;
		}
		memcpy(out->lost_packets, d->d.lost_packets, bytes);
	}
	qsort(out->places, out->n_places, sizeof(out->places[0]), by_place);
	return v->solo || fill_delays(v, d, &out->delays, err) == 0;
}

static void add_clock(const struct verify *v, unsigned a, unsigned b, struct verify_result *r)
{
	const struct pair *p = verify_pair_of(v, a, b);
	struct verify_pair *out = &r->clocks[r->n_clocks++];

	*out = (struct verify_pair){
		.node = (int)b, .reference = (int)a, .line = p->line, .steps = p->steps
	};
	if (v->cfg.has_offset) {
		out->method = "given";
		out->line.uncertainty_ns = -1;
	} else if (p->line.known) {
		out->method = "least delays of both directions";
	} else if (p->line.rough) {
		out->method = "one direction only";
	} else {
		out->method = "nothing matched";
	}
}

int verify_get(struct verify *v, struct verify_result *r, struct err *err)
{
	unsigned n = v->cfg.n_nodes;
	uint64_t lost = 0, unknown = 0, delivered = 0;

	memset(r, 0, sizeof(*r));
	if (v->no_memory)
		return err_sys(err, ENOMEM, "verify");
	r->directions = calloc((size_t)n * n + 1, sizeof(*r->directions));
	r->clocks = calloc((size_t)n * n, sizeof(*r->clocks));
	r->reasons = calloc(VERIFY_REASONS_MAX, sizeof(*r->reasons));
	if (!r->directions || !r->clocks || !r->reasons)
		goto no_memory;
	for (unsigned k = 0; k < (v->solo ? 2 : n * n); k++) {
		struct direction *d = &v->direction[k];

		if (!v->solo && d->d.from == d->d.to)
			continue;
		/* Of many nodes, those that talked to each other. */
		if (n > 2 && !d->d.sent && !d->d.out_of_scope && !d->n_delays)
			continue;
		if (!add_direction(v, d, r, err))
			goto failed;
		const struct verify_direction *told = &r->directions[r->n_directions - 1];

		lost += told->lost + told->altered;
		unknown += told->unknown;
		delivered += told->delivered;
		reason_of_direction(v, d, told, r);
	}
	for (unsigned a = 0; a < n; a++)
		for (unsigned b = a + 1; b < n; b++) {
			if (n > 2 && !v->pair[a * n + b].samples)
				continue;
			add_clock(v, a, b, r);
			reason_of_pair(v, a, b, r);
		}
	step_reasons(v, r);
	drop_reasons(v, r);
	if (!lost && !unknown && !delivered)
		verify_reason(
			r,
			v->solo ? "nothing in this capture proves a delivery"
				: "nothing matched: were both captures made at the same time, of "
				  "pods that talk to each other?");
	r->verdict = lost		     ? VERIFY_LOST
		     : unknown || !delivered ? VERIFY_INCONCLUSIVE
					     : VERIFY_DELIVERED;
	return 0;
no_memory:
	err_sys(err, ENOMEM, "verify");
failed:
	verify_result_free(r);
	return -ENOMEM;
}

void verify_result_free(struct verify_result *r)
{
	if (!r)
		return;
	for (unsigned i = 0; r->directions && i < r->n_directions; i++) {
		struct verify_direction *d = &r->directions[i];

		for (unsigned k = 0; k < d->n_places; k++) {
			for (unsigned n = 0; n < d->places[k].n_evidence; n++)
				free(d->places[k].evidence[n]);
			free(d->places[k].evidence);
			free(d->places[k].reason);
		}
		free(d->lost_packets);
	}
	free(r->directions);
	free(r->clocks);
	free(r->reasons);
	memset(r, 0, sizeof(*r));
}

int verify_place_cause(struct verify_place *p, const char *reason, const char *const *evidence,
		       unsigned n_evidence)
{
	if (reason && !p->reason) {
		p->reason = strdup(reason);
		if (!p->reason)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < n_evidence; i++) {
		char *copy = strdup(evidence[i]);
		char **grown =
			copy ? reallocarray(p->evidence, p->n_evidence + 1, sizeof(*grown)) : NULL;

		if (!grown) {
			free(copy);
			return -ENOMEM;
		}
		p->evidence = grown;
		p->evidence[p->n_evidence++] = copy;
	}
	return 0;
}
