/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_cover.c - what inputs can tell of: from when to when each hop was captured, how many
 * frames its capture lost, and when.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A writer looks at its counters a few times a second: the gap is no better known. */
#define DROPS_AROUND_NS 200000000LL

void input_unsee(struct input *one)
{
	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++)
		one->seen[i] = (struct seen){ INT64_MAX, INT64_MIN };
}

/*
 * When hop's capture began, as far as this input tells: where another input of the hop goes over
 * into it without a gap (the files of a ring do), that one's beginning counts.
 */
static int64_t hop_begin(const struct inputs *in, const struct input *one, int hop)
{
	int64_t begin = one->began_ns ? one->began_ns : one->first_ns;

	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *other = in->input[i];

		if (other == one || !other->began_ns || other->began_ns >= begin ||
		    other->ended_ns < begin)
			continue;
		for (unsigned k = 0; k < other->n_hop; k++)
			if (other->hop[k] == hop)
				return hop_begin(in, other, hop);
	}
	return begin;
}

/*
 * podhop counts in if_drop also what the device refused: that may be the loss that is looked for,
 * and its taps saw those frames. -1: not said.
 */
static int64_t drops_of(bool own, int64_t if_drop, int64_t os_drop)
{
	if (own && os_drop >= 0)
		return os_drop;
	return if_drop >= 0 ? if_drop : os_drop;
}

static void tell_drops(struct inputs *in, unsigned hop, int64_t from_ns, int64_t to_ns,
		       uint64_t count)
{
	correlate_drops(pipeline_correlator(in->pipeline), hop, from_ns, to_ns, count);
	if (in->on_drops)
		in->on_drops(in->arg, hop, from_ns, to_ns, count);
	in->drops_told[hop] += count;
}

/*
 * What a file of others dropped in all stands at its end: without knowing it packets would be
 * called lost that the capture may have missed. What podhop wrote says it frame by frame, at
 * its time.
 */
static void tell_totals_ahead(struct inputs *in, const struct input *one)
{
	for (unsigned i = 0; i < one->tail.n_drops; i++) {
		const struct pcapng_drops *d = &one->tail.drops[i];
		int hop = d->interface < one->n_hop ? one->hop[d->interface] : -1;
		int64_t count = drops_of(false, d->if_drop, d->os_drop);

		if (hop >= 0 && !in->own[hop] && count > 0)
			tell_drops(in, (unsigned)hop, INT64_MIN, INT64_MAX, (uint64_t)count);
	}
}

/* podhop's files tell at their end also when the capture began and ended. */
void input_read_tail(struct input *one)
{
	if (one->is_pipe || pcapng_read_tail(pcapng_reader_fd(one->reader), &one->tail) < 0)
		return;
	if (one->tail.has_span && one->by_podhop) {
		one->began_ns = one->tail.start_ns;
		one->ended_ns = one->tail.end_ns;
	}
}

bool inputs_are_ordered(const struct inputs *in)
{
	return in->all_own && in->n_input == 1 && in->input[0]->began_ns && !in->disorder_ns;
}

void inputs_start(struct inputs *in, struct pipeline *p)
{
	in->pipeline = p;
	correlate_shows(pipeline_correlator(p), inputs_shows, in);
	for (unsigned i = 0; i < in->n_input; i++)
		if (!in->input[i]->times_drops)
			tell_totals_ahead(in, in->input[i]);
}

void input_note_start(struct inputs *in, struct input *one, int64_t time_ns)
{
	struct correlate *c = pipeline_correlator(in->pipeline);

	one->first_ns = time_ns;
	for (unsigned k = 0; k < one->n_hop; k++)
		if (one->hop[k] >= 0)
			correlate_hop_span(c, (unsigned)one->hop[k],
					   hop_begin(in, one, one->hop[k]), INT64_MAX);
}

void input_note_drops(struct inputs *in, const struct input *one, const struct model_frame *f)
{
	unsigned hop = f->hop;
	int64_t from = in->hop_last_ns[hop] == INT64_MIN ? one->first_ns : in->hop_last_ns[hop];
	int64_t to = f->time_ns + DROPS_AROUND_NS;

	from -= DROPS_AROUND_NS;
	tell_drops(in, hop, from, to, f->drops);
}

/*
 * Up to when the capture of an input is known. A run may end before its inputs do: what was not
 * read is not missing.
 */
static int64_t known_until(const struct input *one)
{
	bool is_read = one->over && !one->has_head;

	return is_read && one->began_ns ? one->ended_ns : one->last_ns;
}

void inputs_span(const struct inputs *in, bool end, int64_t *ret_first, int64_t *ret_last)
{
	int64_t first = in->all_own ? INT64_MAX : INT64_MIN, last = INT64_MIN, least = INT64_MAX;
	bool any = false;

	for (unsigned i = 0; i < in->net->n_hops; i++) {
		if (in->hop_first_ns[i] == INT64_MAX)
			continue;
		any = true;
		if (in->all_own ? in->hop_first_ns[i] < first : in->hop_first_ns[i] > first)
			first = in->hop_first_ns[i];
		if (in->hop_last_ns[i] > last)
			last = in->hop_last_ns[i];
		if (in->hop_last_ns[i] < least)
			least = in->hop_last_ns[i];
	}
	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		/* podhop's captures ran at all hops together, also where nothing came by. */
		if (in->all_own && one->began_ns && one->began_ns < first)
			first = one->began_ns;
		if (known_until(one) > last)
			last = known_until(one);
	}
	*ret_first = any ? first : INT64_MAX;
	*ret_last = end && !in->all_own && any ? least : last;
}

/*
 * When one input shows the hop. What podhop wrote was captured at all its hops together, also where
 * nothing came by; of another file's interface nobody knows more than its frames.
 */
static struct seen seen_at(const struct inputs *in, struct input *one, unsigned hop)
{
	if (!in->own[hop])
		return one->seen[hop];
	if (one->began_ns)
		return (struct seen){ one->began_ns, known_until(one) };
	return (struct seen){ one->first_ns, known_until(one) };
}

bool inputs_coverage(struct inputs *in, unsigned hop, inputs_span_fn fn, void *arg)
{
	bool open = false;

	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];

		for (unsigned k = 0; k < one->n_hop; k++) {
			if (one->hop[k] != (int)hop)
				continue;
			struct seen s = seen_at(in, one, hop);

			if (s.from_ns <= s.to_ns)
				fn(arg, hop, s.from_ns, s.to_ns);
			open |= !one->over || one->has_head;
			break;
		}
	}
	return open;
}

const char *inputs_file_of(const struct inputs *in, unsigned hop, int64_t time_ns)
{
	const char *path = NULL;

	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		for (unsigned k = 0; k < one->n_hop; k++) {
			if (one->hop[k] != (int)hop)
				continue;
			if (time_ns >= one->first_ns && time_ns <= one->last_ns)
				return one->path;
			path = path ? path : one->path;
		}
	}
	return path;
}

void inputs_totals(struct inputs *in)
{
	struct correlate *c = pipeline_correlator(in->pipeline);
	int64_t began[MODEL_HOPS_MAX], ended[MODEL_HOPS_MAX];

	for (unsigned i = 0; i < MODEL_HOPS_MAX; i++) {
		began[i] = INT64_MAX;
		ended[i] = INT64_MIN;
	}
	for (unsigned i = 0; i < in->n_input; i++) {
		struct input *one = in->input[i];
		for (unsigned k = 0; k < one->n_hop; k++) {
			const struct pcapng_interface *pi;
			int hop = one->hop[k];

			if (hop < 0 || k >= pcapng_reader_n_interfaces(one->reader))
				continue;
			pi = pcapng_reader_interface(one->reader, k);
			int64_t drop = drops_of(in->own[hop], pi->if_drop, pi->os_drop);
			if (drop >= 0) {
				if (in->drops_total[hop] < 0)
					in->drops_total[hop] = 0;
				in->drops_total[hop] += drop;
			}
			int64_t first = one->began_ns ? one->began_ns : one->first_ns;
			int64_t last = known_until(one);
			began[hop] = first < began[hop] ? first : began[hop];
			ended[hop] = last > ended[hop] ? last : ended[hop];
		}
	}
	for (unsigned i = 0; i < in->net->n_hops; i++) {
		if (ended[i] != INT64_MIN)
			correlate_hop_span(c, i, began[i], ended[i]);
		if (in->drops_total[i] < 0)
			correlate_drops_untold(c, i);
		if (in->drops_total[i] > (int64_t)in->drops_told[i])
			tell_drops(in, i, INT64_MIN, INT64_MAX,
				   (uint64_t)in->drops_total[i] - in->drops_told[i]);
	}
}

void inputs_findings(const struct inputs *in, struct doctor_findings *f)
{
	for (unsigned i = 0; i < in->n_input; i++)
		if (in->input[i]->reader)
			causes_take(f, in->input[i]->reader);
}

int inputs_fill(const struct inputs *in, struct result *r)
{
	r->inputs = calloc(in->n_input ? in->n_input : 1, sizeof(*r->inputs));
	if (!r->inputs)
		return -ENOMEM;
	for (unsigned i = 0; i < in->n_input; i++) {
		const struct input *one = in->input[i];
		struct result_input *ri = &r->inputs[r->n_inputs++];

		ri->file = strdup(one->path);
		ri->frames = one->frames;
		ri->truncated_at = one->error ? (int64_t)one->error_offset : -1;
		ri->reason = strdup(one->reason ? one->reason : "");
		if (!ri->file || !ri->reason)
			return -ENOMEM;
	}
	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		r->capture.interfaces[i].dropped_kernel = in->drops_total[i];
		r->capture.interfaces[i].dropped_interface = -1;
	}
	return 0;
}
