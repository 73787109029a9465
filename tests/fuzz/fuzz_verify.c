/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_verify.c - one story as two nodes saw it, and what verify makes of both.
 *
 * Input: what is asked for (1 byte), then a story (tests/lib/fuzz_frames.h); bits 4 to 7 of a
 * step's last byte are the hops of the other node that did not see it. Asserted: what was sent is
 * delivered, lost, altered or unknown; lists are as long as they say; delays come in order;
 * and verdict and counts are the same with another hash seed, and with one node read to its end
 * before the other begins, unless tables were full or look-alikes closed late.
 */
#include <stdio.h>

#include "fuzz_frames.h"
#include "podhop/pipeline.h"
#include "podhop/verify.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NODES 2u
#define SHIFT_NS 12345678LL

#define FRAMES_MAX (STORY_STEPS_MAX * STORY_HOPS * 4)
#define BYTES_MAX (8u << 20)

struct node {
	struct model_net net;
	struct pipeline *pipeline;
	struct verify *verify;
	unsigned index;
	int64_t shift_ns, first_ns, last_ns;
	int64_t frontier_ns; /* as verify was told */
	bool late; /* a packet came from behind it: look-alikes may (pipeline.h) */
	/* What it saw, until it is taken. */
	struct model_frame *frame;
	uint8_t *bytes;
	size_t used;
	unsigned n_frames, at;
};

static void on_packet(void *arg, const struct result_packet *p)
{
	struct node *n = arg;

	n->late |= p->time_ns < n->frontier_ns;
	verify_packet(n->verify, n->index, p);
}

static void on_frame(void *arg, const struct model_frame *f)
{
	struct node *n = arg;
	struct model_frame *kept = &n->frame[n->n_frames];

	if (n->n_frames == FRAMES_MAX || n->used + f->caplen > BYTES_MAX)
		return;
	*kept = *f;
	kept->time_ns += n->shift_ns;
	kept->data = n->bytes + n->used;
	memcpy(n->bytes + n->used, f->data, f->caplen);
	n->used += f->caplen;
	n->n_frames++;
}

/* The other node's story: without the hops that did not see a step. */
static size_t other_side(const uint8_t *data, size_t size, uint8_t *out)
{
	memcpy(out, data, size);
	for (size_t at = 0; size - at >= STORY_STEP; at += STORY_STEP)
		out[at + 1] &= (uint8_t) ~(out[at + 7] >> 4);
	return size;
}

enum order {
	IN_STEP, /* the node that is behind, as the command reads files */
	A_FIRST,
	B_FIRST,
};

static int next_node(const struct verify *v, enum order order, const bool ready[],
		     const int64_t next_ns[])
{
	unsigned first = order == B_FIRST;

	if (order == IN_STEP)
		return verify_next(v, ready, next_ns);
	return ready[first] ? (int)first : (int)!first;
}

/* The next frame. False: all is read. */
static bool step(struct verify *v, struct node *nodes, enum order order)
{
	int64_t next_ns[NODES] = { 0 };
	bool ready[NODES], any = false;

	for (unsigned i = 0; i < NODES; i++) {
		ready[i] = nodes[i].at < nodes[i].n_frames;
		if (ready[i])
			next_ns[i] = nodes[i].frame[nodes[i].at].time_ns;
		any |= ready[i];
	}
	if (!any)
		return false;
	int k = next_node(v, order, ready, next_ns);

	STORY_DEMAND(k >= 0 && (unsigned)k < NODES && ready[k]);
	struct node *n = &nodes[k];
	const struct model_frame *f = &n->frame[n->at++];

	if (f->time_ns < n->first_ns)
		n->first_ns = f->time_ns;
	if (f->time_ns > n->last_ns)
		n->last_ns = f->time_ns;
	STORY_DEMAND(pipeline_frame(n->pipeline, f) == 0);
	n->frontier_ns = pipeline_frontier_ns(n->pipeline);
	verify_time(v, n->index, n->first_ns, n->last_ns, n->frontier_ns);
	if (n->at == n->n_frames) {
		STORY_DEMAND(pipeline_finish(n->pipeline) == 0);
		verify_time(v, n->index, n->first_ns, n->last_ns, INT64_MAX);
	}
	return true;
}

/* False: not all was told in time, so that it counts which node was read first. */
static bool run(const uint8_t *data, size_t size, uint8_t ask, uint64_t seed, enum order order,
		struct verify_result *ret)
{
	static struct node nodes[NODES];
	static uint8_t other[STORY_STEP * STORY_STEPS_MAX];
	struct err err = ERR_INIT;
	struct verify_config vc = { .n_nodes = NODES, .name = { "a", "b" }, .packets_max = 512 };
	struct verify *v;

	for (unsigned i = 0; i < NODES; i++) {
		struct node *n = &nodes[i];

		if (!n->bytes) {
			n->bytes = malloc(BYTES_MAX);
			n->frame = calloc(FRAMES_MAX, sizeof(*n->frame));
			STORY_DEMAND(n->bytes && n->frame);
		}
		n->index = i;
		n->shift_ns = i ? SHIFT_NS : 0;
		n->first_ns = INT64_MAX;
		n->last_ns = 0;
		n->frontier_ns = INT64_MIN;
		n->late = false;
		n->n_frames = n->at = 0;
		n->used = 0;
		story_net(&n->net, i);
		vc.net[i] = &n->net;
	}
	v = verify_new(&vc, &err);
	STORY_DEMAND(v);
	for (unsigned i = 0; i < NODES; i++) {
		struct node *n = &nodes[i];
		struct pipeline_config pc = {
			.net = &n->net,
			.nat = ask & 2,
			.contents = true,
			.hash_seed = seed,
			.sort_ns = 1000000,
			.packets_max = 512,
			.flows_max = 64,
			.bytes_max = 1u << 20,
			.on_packet = on_packet,
			.arg = n,
		};

		n->verify = v;
		n->pipeline = pipeline_new(&pc, &err);
		STORY_DEMAND(n->pipeline);
	}
	story_tell(data, size, 0, on_frame, &nodes[0]);
	story_tell(other, other_side(data, size, other), 1, on_frame, &nodes[1]);
	while (step(v, nodes, order))
		;
	for (unsigned i = 0; i < NODES; i++)
		pipeline_free(nodes[i].pipeline);
	verify_finish(v);
	STORY_DEMAND(verify_get(v, ret, &err) == 0);
	verify_free(v);
	return !nodes[0].late && !nodes[1].late;
}

static void check(const struct verify_result *r)
{
	uint64_t lost = 0, altered = 0;

	for (unsigned i = 0; i < r->n_directions; i++) {
		const struct verify_direction *d = &r->directions[i];

		STORY_DEMAND(d->sent == d->delivered + d->lost + d->altered + d->unknown);
		STORY_DEMAND(d->n_lost_packets + d->lost_omitted == d->lost);
		STORY_DEMAND(!d->delays.known || (d->delays.min_ns <= d->delays.p50_ns &&
						  d->delays.p50_ns <= d->delays.p99_ns &&
						  d->delays.p99_ns <= d->delays.max_ns));
		lost += d->lost;
		altered += d->altered;
	}
	STORY_DEMAND(r->verdict >= VERIFY_DELIVERED && r->verdict <= VERIFY_INCONCLUSIVE);
	STORY_DEMAND(!(lost + altered) == (r->verdict != VERIFY_LOST));
}

static void same(const struct verify_result *a, const struct verify_result *b)
{
	STORY_DEMAND(a->verdict == b->verdict && a->n_directions == b->n_directions);
	for (unsigned i = 0; i < a->n_directions; i++) {
		const struct verify_direction *x = &a->directions[i], *y = &b->directions[i];

		STORY_DEMAND(x->from == y->from && x->to == y->to);
		STORY_DEMAND(x->sent == y->sent && x->delivered == y->delivered);
		STORY_DEMAND(x->lost == y->lost && x->altered == y->altered);
		STORY_DEMAND(x->unknown == y->unknown && x->unprovable == y->unprovable);
		STORY_DEMAND(x->out_of_scope == y->out_of_scope);
	}
}

static bool was_full(const struct verify_result *r)
{
	for (unsigned i = 0; i < r->n_reasons; i++)
		if (strstr(r->reasons[i], "tables were full"))
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_result first = { 0 }, again = { 0 };

	if (size < 1 + STORY_STEP || size > 1 + STORY_STEP * STORY_STEPS_MAX)
		return 0;
	bool in_time = run(data + 1, size - 1, data[0], 7, IN_STEP, &first);

	check(&first);
	in_time &=
		run(data + 1, size - 1, data[0], 424242, data[0] & 1 ? A_FIRST : B_FIRST, &again);
	check(&again);
	if (in_time && !was_full(&first) && !was_full(&again))
		same(&first, &again);
	verify_result_free(&first);
	verify_result_free(&again);
	return 0;
}
