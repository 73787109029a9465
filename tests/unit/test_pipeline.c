/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pipeline.c - frames in, marked frames and packets out: order, limits, filters, time.
 *
 * Frames come from a story (tests/lib/fuzz_frames.h): a step is a packet seen at some hops.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "correlate_tables.h"
#include "fuzz_frames.h"
#include "podhop/pipeline.h"

#define FRAMES_MAX 150000u
#define MS 1000000LL
#define S 1000000000LL
#define ALL 15
#define OUT 16
#define V6 32

/* Frames, kept to be given in any order. */
struct kept {
	struct model_frame f;
	uint8_t bytes[1400];
};

static struct kept *kept;
static unsigned n_kept;

static struct out {
	int64_t time_ns[FRAMES_MAX];
	uint64_t id[FRAMES_MAX];
	uint16_t hop[FRAMES_MAX];
	unsigned n;
	uint64_t packets, fail_at;
	int rc;
	struct pipeline *stops; /* told to stop from within on_frame, behind the second frame */
} out;

static struct model_net net;

static void keep(void *arg, const struct model_frame *f)
{
	struct kept *k = &kept[n_kept++];

	(void)arg;
	assert_true(f->caplen <= sizeof(k->bytes));
	k->f = *f;
	memcpy(k->bytes, f->data, f->caplen);
	k->f.data = k->bytes;
}

static void tell(const uint8_t *steps, size_t n)
{
	n_kept = 0;
	story_tell(steps, n * STORY_STEP, 0, keep, NULL);
}

/* count UDP packets of that payload (in 5 bytes), alternately out and in, next to each other. */
static void tell_packets(unsigned count, uint8_t length)
{
	uint8_t *steps = calloc(count, STORY_STEP);

	assert_non_null(steps);
	assert_true(count <= STORY_STEPS_MAX);
	for (unsigned i = 0; i < count; i++) {
		uint8_t *s = steps + i * STORY_STEP;

		s[0] = STORY_UDP;
		s[1] = (uint8_t)(ALL | (i & 1 ? 0 : OUT));
		s[2] = (uint8_t)(i % 3);
		s[3] = (uint8_t)i;
		s[4] = length;
		s[5] = 0x3f; /* with the hops' own microseconds less than 0.1 ms */
	}
	tell(steps, count);
	free(steps);
}

static void tell_udp(unsigned count)
{
	tell_packets(count, 20);
}

static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	(void)arg;
	if (out.fail_at && out.n + 1 == out.fail_at)
		return -ENOSPC;
	assert_true(out.n < FRAMES_MAX);
	out.time_ns[out.n] = f->time_ns;
	out.id[out.n] = m->id;
	out.hop[out.n++] = f->hop;
	if (out.stops && out.n == 2)
		pipeline_stop(out.stops);
	return 0;
}

static void on_packet(void *arg, const struct result_packet *p)
{
	(void)arg;
	out.packets += p->id != 0;
}

static struct pipeline_config config(void)
{
	struct pipeline_config pc = {
		.net = &net,
		.nat = true,
		.keep_bytes = true,
		.hash_seed = 7,
		.on_frame = on_frame,
		.on_packet = on_packet,
	};

	memset(&out, 0, sizeof(out));
	story_net(&net, 0);
	return pc;
}

static struct pipeline *start(const struct pipeline_config *pc)
{
	struct err err = ERR_INIT;
	struct pipeline *p = pipeline_new(pc, &err);

	assert_non_null(p);
	return p;
}

static void give_all(struct pipeline *p)
{
	for (unsigned i = 0; i < n_kept; i++)
		assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
}

static void end(struct pipeline *p, struct result *r)
{
	struct err err = ERR_INIT;

	assert_int_equal(pipeline_finish(p), 0);
	assert_int_equal(pipeline_result(p, r, &err), 0);
	assert_true(correlate_is_empty(pipeline_correlator(p)));
	pipeline_free(p);
}

static void assert_in_order(void)
{
	for (unsigned i = 1; i < out.n; i++)
		assert_true(out.time_ns[i] >= out.time_ns[i - 1]);
}

/* --------------------------------------------------------------------- order */

static void test_in_order(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	struct pipeline *p = start(&pc);
	give_all(p);
	assert_int_equal(pipeline_frames(p), 160);
	end(p, &r);
	assert_int_equal(out.n, 160);
	assert_int_equal(out.packets, 40);
	assert_int_equal(r.packets.complete, 40);
	assert_in_order();
	for (unsigned i = 0; i < out.n; i++)
		assert_int_equal(out.id[i], i / 4 + 1);
	result_free(&r);
}

/* Frames that come out of order by less than sort_ns: the same ids and the same order. */
static void test_sorting(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	pc.sort_ns = 5 * MS;
	struct pipeline *p = start(&pc);
	for (unsigned i = 0; i < n_kept; i += 16)
		for (unsigned k = 0; k < 16; k++)
			assert_int_equal(pipeline_frame(p, &kept[i + 15 - k].f), 0);
	assert_false(pipeline_is_disordered(p));
	end(p, &r);
	assert_int_equal(out.n, 160);
	assert_in_order();
	for (unsigned i = 0; i < out.n; i++)
		assert_int_equal(out.id[i], i / 4 + 1);
	assert_int_equal(r.capture.late, 0);
	result_free(&r);
}

/* Two packets, out and in, all of whose stamps are equal: in hop order, however they come. */
static void test_sorting_equal_stamps(void **state)
{
	(void)state;
	for (unsigned reversed = 0; reversed < 2; reversed++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };

		tell_udp(2);
		assert_int_equal(n_kept, 8);
		for (unsigned i = 0; i < n_kept; i++) {
			kept[i].f.time_ns = kept[0].f.time_ns;
			if (kept[i].f.hop == 1) /* the bridge, at which a story takes no care */
				kept[i].f.way = i < 4 ? MODEL_WAY_IN : MODEL_WAY_OUT;
		}
		pc.sort_ns = 5 * MS;
		struct pipeline *p = start(&pc);
		for (unsigned i = 0; i < n_kept; i++)
			assert_int_equal(
				pipeline_frame(p, &kept[reversed ? n_kept - 1 - i : i].f), 0);
		end(p, &r);
		assert_int_equal(out.n, n_kept);
		for (unsigned i = 0; i < out.n; i++) {
			assert_int_equal(out.hop[i], kept[i].f.hop);
			assert_int_equal(out.id[i], i / 4 + 1);
		}
		result_free(&r);
	}
}

/* One that comes later than that: known, and nothing is lost. */
static void test_disorder(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	pc.sort_ns = MS / 2;
	struct pipeline *p = start(&pc);
	struct kept first = kept[0];
	first.f.data = first.bytes;
	for (unsigned i = 1; i < n_kept; i++)
		assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
	assert_int_equal(pipeline_frame(p, &first.f), 0);
	assert_true(pipeline_is_disordered(p));
	end(p, &r);
	assert_int_equal(out.n, 160);
	assert_int_equal(out.packets, 40);
	assert_in_order(); /* it was still held back for long enough */
	result_free(&r);

	/* Without sorting the report tells as well. */
	pc = config();
	p = start(&pc);
	for (unsigned i = 1; i < n_kept; i++)
		assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
	assert_int_equal(pipeline_time(p, kept[n_kept - 1].f.time_ns + S), 0);
	assert_int_equal(pipeline_frame(p, &first.f), 0);
	end(p, &r);
	assert_int_equal(out.n, 160);
	assert_int_equal(r.capture.late, 1);
	result_free(&r);
}

/* The clock went back an hour: what is held leaves, and all goes on from there. */
static void test_clock_steps_back(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		pc = config();
		pc.sort_ns = sorted ? MS : 0;
		tell_udp(40);
		struct pipeline *p = start(&pc);
		give_all(p);
		for (unsigned i = 0; i < n_kept; i++)
			kept[i].f.time_ns -= 3600 * S;
		give_all(p);
		end(p, &r);
		assert_int_equal(out.n, 320);
		for (unsigned i = 1; i < out.n; i++)
			assert_true(out.time_ns[i] >= out.time_ns[i - 1] || i == 160);
		assert_int_equal(r.packets.total, 80);
		assert_int_equal(r.packets.complete, 80);
		assert_int_equal(r.capture.clock_steps, 1);
		result_free(&r);
	}
}

#define RING_BATCH 28u

/* As rings are drained, one after the other: hop h is read up to a time before hop h - 1 was. */
static void give_as_rings(struct pipeline *p)
{
	for (unsigned end = RING_BATCH; end < n_kept + STORY_HOPS * RING_BATCH; end += RING_BATCH)
		for (unsigned h = 0; h < STORY_HOPS && end >= (h + 1) * RING_BATCH; h++)
			for (unsigned i = end - (h + 1) * RING_BATCH;
			     i < end - h * RING_BATCH && i < n_kept; i++)
				if (kept[i].f.hop == h)
					assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
}

/* From the i-th frame on the clock is so much ahead of what it was. */
static void step_clock(unsigned i, int64_t step_ns)
{
	for (; i < n_kept; i++)
		kept[i].f.time_ns += step_ns;
}

/* Hop 1 shows nothing from one frame to another. */
static uint64_t steps_of_rings(unsigned silent_from, unsigned silent_to)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };
	struct pipeline *p;
	unsigned n = 0;
	uint64_t steps;

	for (unsigned i = 0; i < n_kept; i++)
		if (kept[i].f.hop != 1 || i < silent_from || i >= silent_to)
			kept[n++].f = kept[i].f;
	n_kept = n;
	pc.sort_ns = MS;
	p = start(&pc);
	give_as_rings(p);
	end(p, &r);
	assert_int_equal(out.n, n_kept);
	assert_int_equal(r.capture.observations, n_kept);
	steps = r.capture.clock_steps;
	result_free(&r);
	return steps;
}

/* One step is in each ring, and the rings are read one after the other: it is one step. */
static void test_clock_step_counts_once(void **state)
{
	static const struct {
		int64_t step_ns;
		unsigned times, silent_from, silent_to;
		uint64_t counted;
	} row[] = {
		{ -3600 * S, 1, 0, 0, 1 },
		{ 3600 * S, 1, 0, 0, 1 },
		{ -5 * S, 1, 0, 0, 1 },
		{ -5 * S, 3, 0, 0, 3 },
		{ 5 * S, 3, 0, 0, 3 },
		{ -1 * S, 1, 0, 0, 0 },
		/* A hop that shows nothing at first, and one that sleeps over two of the steps. */
		{ -3600 * S, 1, 0, 400, 1 },
		{ -5 * S, 3, 200, 1100, 3 },
		{ 5 * S, 3, 200, 1100, 3 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
		tell_udp(400);
		for (unsigned k = 1; k <= row[i].times; k++)
			step_clock(n_kept * k / 4, row[i].step_ns);
		assert_int_equal(steps_of_rings(row[i].silent_from, row[i].silent_to),
				 row[i].counted);
	}
	/* All are silent for an hour, and nothing goes back: no step. */
	tell_udp(400);
	for (unsigned i = n_kept / 2; i < n_kept; i++)
		kept[i].f.time_ns += 3600 * S;
	struct pipeline_config pc = config();
	struct pipeline *p = start(&pc);
	struct result r = { 0 };

	give_all(p);
	end(p, &r);
	assert_int_equal(r.capture.clock_steps, 0);
	result_free(&r);
}

/* Three steps come close together: some rings cross one while others are behind. */
static void test_clock_steps_close_together(void **state)
{
	static const int64_t by[] = { -5 * S, -2 * S, -3600 * S };

	(void)state;
	for (unsigned way = 0; way < 6; way++) {
		for (unsigned apart = 1; apart < 7 * RING_BATCH; apart++) {
			struct pipeline_config pc = config();
			struct result r = { 0 };

			pc.sort_ns = way & 1 ? PIPELINE_TOLD : MS;
			tell_udp(400);
			for (unsigned k = 0; k < 3; k++)
				step_clock(n_kept / 2 + k * apart, by[way / 2]);
			struct pipeline *p = start(&pc);

			give_as_rings(p);
			end(p, &r);
			assert_int_equal(out.n, n_kept);
			/* Those that no two frames of any hop lie between are one. */
			if (apart >= 2 * STORY_HOPS)
				assert_int_equal(r.capture.clock_steps, 3);
			else
				assert_in_range(r.capture.clock_steps, 1, 3);
			result_free(&r);
		}
	}
}

/* The hops' frames, each hop's all at once, as after seconds in which nobody read the rings. */
static void give_hop_by_hop(struct pipeline *p)
{
	for (unsigned h = 0; h < STORY_HOPS; h++)
		for (unsigned i = 0; i < n_kept; i++)
			if (kept[i].f.hop == h)
				assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
}

/* podhop was stopped, or its pipe's reader slow: what waits in the rings is no stepped clock. */
static void test_rings_not_read_for_long(void **state)
{
	/* A packet every so often, for at least a minute: silences, too, are no steps. */
	static const int64_t every[] = { S / 2, 2 * S, 30 * S };

	(void)state;
	for (unsigned i = 0; i < sizeof(every) / sizeof(every[0]); i++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };
		unsigned seen = 0;

		pc.sort_ns = PIPELINE_TOLD;
		tell_udp(120);
		/* The first ten were read as they came. */
		for (unsigned k = 0; k < n_kept; k++)
			kept[k].f.time_ns += k / 4 < 10 ? 0 : (k / 4 - 9) * every[i];
		struct pipeline *p = start(&pc);

		for (; seen < 40; seen++)
			assert_int_equal(pipeline_frame(p, &kept[seen].f), 0);
		assert_int_equal(pipeline_time(p, kept[seen - 1].f.time_ns), 0);
		for (unsigned h = 0; h < STORY_HOPS; h++)
			for (unsigned k = seen; k < n_kept; k++)
				if (kept[k].f.hop == h)
					assert_int_equal(pipeline_frame(p, &kept[k].f), 0);
		assert_int_equal(pipeline_time(p, kept[n_kept - 1].f.time_ns), 0);
		end(p, &r);
		assert_int_equal(out.n, n_kept);
		assert_in_order();
		assert_int_equal(r.packets.total, 120);
		assert_int_equal(r.packets.complete, 120);
		assert_int_equal(r.capture.clock_steps, 0);
		assert_int_equal(r.capture.late, 0);
		result_free(&r);
	}
}

/* Of a result's losses those that are called lost. */
static uint64_t count_lost(const struct result *r)
{
	uint64_t lost = 0;

	for (size_t i = 0; i < r->n_losses; i++)
		lost += r->losses[i].lost ? r->losses[i].packets : 0;
	return lost;
}

/*
 * A file of which the same cannot be told: frames that come so late belong to nothing any more, but
 * none of them is called lost. `first` packets come in order before.
 */
static void test_hops_that_lag(void **state)
{
	static const unsigned first[] = { 0, 1, 10, 60 };

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(first) / sizeof(first[0]); i++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };

		pc.sort_ns = i & 1 ? 0 : MS;
		tell_udp(120);
		for (unsigned k = 0; k < n_kept; k++)
			kept[k].f.time_ns += k / 4 * (S / 2);
		struct pipeline *p = start(&pc);
		const unsigned seen = 4 * first[i / 2];

		for (unsigned k = 0; k < seen; k++)
			assert_int_equal(pipeline_frame(p, &kept[k].f), 0);
		for (unsigned h = 0; h < STORY_HOPS; h++)
			for (unsigned k = seen; k < n_kept; k++)
				if (kept[k].f.hop == h)
					assert_int_equal(pipeline_frame(p, &kept[k].f), 0);
		end(p, &r);
		assert_int_equal(out.n, n_kept);
		assert_true(r.n_losses);
		assert_int_equal(count_lost(&r), 0);
		result_free(&r);
	}
}

/* A step that all hops show takes nothing from what is known of the time before and behind it. */
static void test_losses_around_a_step(void **state)
{
	static const int64_t by[] = { 0, -3600 * S, -5 * S, 5 * S, 3600 * S };

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(by) / sizeof(by[0]); i++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };
		unsigned n = 0;

		pc.sort_ns = i & 1 ? PIPELINE_TOLD : MS;
		tell_udp(400);
		for (unsigned k = 0; k < n_kept; k++)
			kept[k].f.time_ns += k / 4 * (20 * MS);
		step_clock(n_kept / 2, by[i / 2]);
		for (unsigned k = 0; k < n_kept; k++) /* two are lost behind their bridge */
			if ((k / 4 != 50 && k / 4 != 250) || kept[k].f.hop < 2)
				kept[n++] = kept[k];
		n_kept = n;
		for (unsigned k = 0; k < n_kept; k++)
			kept[k].f.data = kept[k].bytes;
		struct pipeline *p = start(&pc);

		give_all(p);
		end(p, &r);
		assert_int_equal(count_lost(&r), 2);
		result_free(&r);
	}
}

/* Set forward while a packet was between its hops: the source tells, and nothing is called lost. */
static void test_clock_set_forward(void **state)
{
	const unsigned at = 402; /* two of a packet's four frames bear stamps of before */

	(void)state;
	for (unsigned told = 0; told < 2; told++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };

		pc.sort_ns = PIPELINE_TOLD;
		tell_udp(200);
		step_clock(40, 3 * S); /* far from where the capture began */
		const struct capture_clock_set set = {
			.by_ns = 3600 * S,
			.after_ns = kept[at - 10].f.time_ns,
			.before_ns = kept[at + 10].f.time_ns + 3600 * S,
		};
		step_clock(at, 3600 * S);
		struct pipeline *p = start(&pc);

		give_hop_by_hop(p);
		if (told)
			pipeline_clock_set(p, &set);
		assert_int_equal(pipeline_time(p, kept[n_kept - 1].f.time_ns), 0);
		end(p, &r);
		assert_int_equal(out.n, n_kept);
		assert_in_order();
		assert_int_equal(r.capture.clock_steps, told);
		assert_int_equal(r.packets.complete, 199);
		assert_int_equal(count_lost(&r), told ? 0 : 1);
		result_free(&r);
	}
}

/* ... and nothing comes behind it: what was on its way is not called lost when time has passed. */
static void test_clock_set_forward_and_silence(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	pc.sort_ns = PIPELINE_TOLD;
	tell_udp(2);
	step_clock(4, 3 * S);
	struct pipeline *p = start(&pc);
	const int64_t now = kept[6].f.time_ns + 3600 * S;
	const struct capture_clock_set set = { 3600 * S, kept[4].f.time_ns, now };

	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
	pipeline_clock_set(p, &set);
	assert_int_equal(pipeline_time(p, now - MS), 0);
	assert_int_equal(pipeline_time(p, now + S), 0);
	end(p, &r);
	assert_int_equal(r.capture.clock_steps, 1);
	assert_int_equal(r.n_losses, 1);
	assert_false(r.losses[0].lost);
	result_free(&r);
}

/*
 * A step that is within what is sorted: the packet that it meets between two hops is two, each with
 * a part of the path; all others are whole.
 */
static void test_small_step_cuts_one_packet(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	pc.sort_ns = PIPELINE_TOLD;
	tell_udp(200);
	step_clock(402, -300 * MS);
	struct pipeline *p = start(&pc);

	give_as_rings(p);
	assert_int_equal(pipeline_time(p, kept[401].f.time_ns), 0);
	end(p, &r);
	assert_int_equal(out.n, n_kept);
	assert_int_equal(r.capture.clock_steps, 0);
	assert_int_equal(r.packets.complete, 199);
	assert_int_equal(r.packets.total, 201);
	result_free(&r);
}

/* The only hop there is: set back just when its time, before a silence, was the same. */
static void test_clock_step_behind_silence(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };
	struct pipeline *p;

	(void)state;
	pc.sort_ns = MS;
	tell_udp(8);
	for (unsigned i = 0; i < n_kept; i++)
		kept[i].f.hop = i >= 8 && i < 24;
	for (unsigned i = 8; i < 24; i++)
		kept[i].f.time_ns += (i - 7) * S / 2;
	p = start(&pc);
	give_all(p);
	end(p, &r);
	assert_int_equal(r.capture.clock_steps, 1);
	result_free(&r);
}

/* Times of a damaged file. */
static void test_impossible_times(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(4);
	kept[3].f.time_ns = INT64_MAX;
	kept[7].f.time_ns = INT64_MIN;
	kept[11].f.time_ns = INT64_MAX;
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		pc = config();
		pc.sort_ns = sorted ? MS : 0;
		struct pipeline *p = start(&pc);
		give_all(p);
		end(p, &r);
		assert_int_equal(out.n, 16);
		assert_int_equal(r.capture.observations, 16);
		result_free(&r);
	}
}

/* A source that tells how far it is: frames leave by its word, and by nothing else. */
static void test_told(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	pc.sort_ns = PIPELINE_TOLD;
	struct pipeline *p = start(&pc);
	for (unsigned i = n_kept; i-- > 0;)
		assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
	assert_int_equal(out.n, 0);
	assert_int_equal(pipeline_time(p, kept[79].f.time_ns), 0);
	assert_true(out.n <= 80);
	assert_int_equal(pipeline_time(p, kept[79].f.time_ns + 10 * S), 0);
	assert_int_equal(out.n, 160);
	assert_in_order();
	assert_true(pipeline_frontier_ns(p) > kept[159].f.time_ns);
	assert_true(pipeline_first_ns(p) == kept[0].f.time_ns);
	assert_true(pipeline_last_ns(p) == kept[159].f.time_ns);
	end(p, &r);
	assert_int_equal(r.packets.complete, 40);
	result_free(&r);
}

/* -------------------------------------------------------------------- memory */

/* What is held is bounded: frames leave early, in order, and none is lost. */
static void test_little_memory(void **state)
{
	struct result r = { 0 };

	(void)state;
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		struct pipeline_config pc = config();

		pc.bytes_max = 1u << 16;
		pc.sort_ns = sorted ? 200 * MS : 0;
		tell_packets(STORY_STEPS_MAX, 250);
		struct pipeline *p = start(&pc);
		give_all(p);
		assert_true(out.n > 0);
		end(p, &r);
		assert_int_equal(out.n, 4 * STORY_STEPS_MAX);
		assert_int_equal(out.packets, STORY_STEPS_MAX);
		assert_in_order();
		result_free(&r);
	}
}

/* More frames of one moment than there are places. */
static void test_many_frames(void **state)
{
	struct result r = { 0 };

	(void)state;
	tell_udp(1);
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		struct pipeline_config pc = config();
		struct kept k = kept[0];

		pc.sort_ns = sorted ? MS : 0;
		pc.bytes_max = 64u << 20;
		struct pipeline *p = start(&pc);
		k.f.data = k.bytes;
		for (unsigned i = 0; i < 140000; i++) {
			k.bytes[18] = (uint8_t)(i >> 8); /* the IP id */
			k.bytes[19] = (uint8_t)i;
			k.bytes[50] = (uint8_t)(i >> 16); /* payload */
			assert_int_equal(pipeline_frame(p, &k.f), 0);
		}
		end(p, &r);
		assert_int_equal(out.n, 140000);
		assert_int_equal(r.packets.total, 140000);
		result_free(&r);
	}
}

/* -------------------------------------------------------------------- limits */

static void test_limits(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	pc.max_packets = 5;
	struct pipeline *p = start(&pc);
	assert_false(pipeline_is_full(p));
	give_all(p);
	assert_int_equal(pipeline_time(p, kept[159].f.time_ns + 10 * S), 0);
	assert_true(pipeline_is_full(p));
	end(p, &r);
	assert_int_equal(out.n, 20);
	assert_int_equal(out.packets, 5);
	assert_int_equal(r.capture.foreign, 140);
	result_free(&r);

	pc = config();
	pc.max_frames = 7;
	p = start(&pc);
	assert_false(pipeline_is_stopped(p));
	give_all(p);
	end(p, &r);
	assert_int_equal(out.n, 7);
	assert_int_equal(r.capture.observations, 7);
	assert_int_equal(r.packets.total, 2);
	result_free(&r);

	pc = config();
	p = start(&pc);
	out.stops = p;
	give_all(p);
	assert_int_equal(pipeline_finish(p), 0);
	assert_true(pipeline_is_stopped(p));
	assert_int_equal(pipeline_frame(p, &kept[159].f), 0);
	assert_int_equal(pipeline_kept(p), 160); /* all had been matched */
	assert_int_equal(out.n, 160);
	pipeline_free(p);
	pipeline_free(NULL);
}

/* All times that a pcap file can say, to 2106, are times like others. */
static void test_late_years(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };
	int64_t shift;

	(void)state;
	tell_udp(40);
	pc.sort_ns = S;
	shift = UINT32_MAX * S - kept[n_kept - 1].f.time_ns;
	for (unsigned i = 0; i < n_kept; i++)
		kept[i].f.time_ns += shift;
	struct pipeline *p = start(&pc);
	give_all(p);
	end(p, &r);
	assert_int_equal(out.n, n_kept);
	for (unsigned i = 0; i < n_kept; i++)
		assert_int_equal(out.time_ns[i], kept[i].f.time_ns);
	assert_int_equal(r.packets.complete, 40);
	result_free(&r);
}

/* Frames that come although nothing can be kept any more, in queues or behind: each is counted. */
static void test_given_up(void **state)
{
	const int64_t sorts[] = { 0, S, PIPELINE_TOLD };

	(void)state;
	tell_udp(40);
	for (size_t k = 0; k < 2 * sizeof(sorts) / sizeof(sorts[0]); k++) {
		struct pipeline_config pc = config();
		uint64_t untaken = 0, wanted[MODEL_HOPS_MAX] = { 0 };
		bool had_enough = k % 2;

		pc.sort_ns = sorts[k / 2];
		struct pipeline *p = start(&pc);
		for (unsigned i = 0; i < 60; i++)
			assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
		if (had_enough)
			pipeline_stop(p);
		pipeline_give_up(p);
		for (unsigned i = 60; i < n_kept; i++) {
			assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
			wanted[kept[i].f.hop]++;
		}
		assert_int_equal(pipeline_finish(p), 0);
		assert_true(pipeline_is_stopped(p));
		for (unsigned hop = 0; hop < net.n_hops; hop++) {
			assert_true(pipeline_untaken(p, hop) >= (had_enough ? 0 : wanted[hop]));
			untaken += pipeline_untaken(p, hop);
		}
		assert_int_equal(untaken, had_enough ? 0 : n_kept - pipeline_kept(p));
		assert_int_equal(out.n, pipeline_kept(p));
		pipeline_free(p);
	}
}

static uint64_t seen_on_paths(const struct result *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < r->n_paths; i++)
		n += r->paths[i].packets * r->paths[i].path.n;
	return n;
}

/* *arg: how many frames are wanted. */
static bool room_for(void *arg, int64_t time_ns, uint32_t waiting, size_t waiting_bytes)
{
	const unsigned *wanted = arg;

	assert_true(time_ns >= kept[0].f.time_ns);
	assert_true(waiting ? waiting_bytes >= waiting : !waiting_bytes);
	return out.n + waiting < *wanted;
}

/* A run that ends behind its nth frame reports what a capture that ended there would have. */
static void test_nothing_behind_the_last_frame_counts(void **state)
{
	(void)state;
	tell_udp(12);
	for (unsigned n = 1; n <= n_kept; n++) {
		for (unsigned how = 0; how < 4; how++) {
			struct pipeline_config pc = config();
			struct result cut = { 0 }, ended = { 0 };
			unsigned wanted = n;

			pc.sort_ns = how & 1 ? MS : 0;
			struct pipeline *p = start(&pc);
			for (unsigned i = 0; i < n; i++)
				assert_int_equal(pipeline_frame(p, &kept[i].f), 0);
			correlate_end(pipeline_correlator(p), kept[n - 1].f.time_ns);
			end(p, &ended);
			assert_int_equal(ended.capture.observations, n);

			pc = config();
			pc.sort_ns = how & 1 ? MS : 0;
			pc.max_frames = how & 2 ? 0 : n;
			pc.has_room = how & 2 ? room_for : NULL;
			pc.arg = &wanted;
			p = start(&pc);
			give_all(p);
			end(p, &cut);
			assert_int_equal(out.n, n);
			assert_int_equal(cut.capture.observations, n);
			assert_memory_equal(&cut.packets, &ended.packets, sizeof(cut.packets));
			assert_int_equal(cut.packets.incomplete, 0);
			assert_int_equal(seen_on_paths(&cut), n);
			assert_int_equal(cut.encapsulation.outer_bytes,
					 ended.encapsulation.outer_bytes);
			assert_int_equal(cut.n_flows, ended.n_flows);
			result_free(&cut);
			result_free(&ended);
		}
	}
}

static void test_direction(void **state)
{
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	pc.direction = MODEL_DIRECTION_INGRESS;
	struct pipeline *p = start(&pc);
	give_all(p);
	end(p, &r);
	assert_int_equal(out.n, 80);
	assert_int_equal(r.packets.total, 20);
	assert_int_equal(r.capture.foreign, 80);
	for (unsigned i = 0; i < r.n_flows; i++)
		assert_int_equal(r.flows[i].direction, MODEL_DIRECTION_INGRESS);
	result_free(&r);
}

/* Nobody looks at frames or ids: the report is the same. */
static void test_unseen(void **state)
{
	struct result seen = { 0 }, unseen = { 0 };

	(void)state;
	tell_udp(100);
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		struct pipeline_config pc = config();

		pc.sort_ns = sorted ? MS : 0;
		struct pipeline *p = start(&pc);
		give_all(p);
		end(p, &seen);
		pc = config();
		pc.sort_ns = sorted ? MS : 0;
		pc.unseen = true;
		pc.keep_bytes = false;
		pc.on_frame = NULL;
		p = start(&pc);
		give_all(p);
		assert_true(pipeline_first_ns(p) == kept[0].f.time_ns);
		assert_true(sorted || pipeline_last_ns(p) == kept[399].f.time_ns);
		end(p, &unseen);
		assert_int_equal(out.n, 0);
		assert_memory_equal(&seen.packets, &unseen.packets, sizeof(seen.packets));
		assert_int_equal(seen.capture.observations, unseen.capture.observations);
		assert_int_equal(seen.encapsulation.overhead_bytes,
				 unseen.encapsulation.overhead_bytes);
		assert_int_equal(seen.n_flows, unseen.n_flows);
		result_free(&seen);
		result_free(&unseen);
	}
}

static void test_counters_while_it_runs(void **state)
{
	struct pipeline_config pc = config();
	struct err err = ERR_INIT;
	struct result r = { 0 };

	(void)state;
	tell_udp(40);
	struct pipeline *p = start(&pc);
	give_all(p);
	assert_int_equal(pipeline_time(p, kept[79].f.time_ns + S), 0);
	assert_int_equal(pipeline_counters(p, &r, &err), 0);
	assert_int_equal(r.capture.n_interfaces, 4);
	assert_int_equal(r.capture.observations, out.n);
	result_free(&r);
	end(p, &r);
	result_free(&r);
}

/* A disk that is full ends the run, wherever the frame is handed on. */
static void test_errors_come_back(void **state)
{
	(void)state;
	tell_udp(40);
	for (unsigned way = 0; way < 4; way++) {
		struct pipeline_config pc = config();
		int rc = 0;

		pc.sort_ns = way & 1 ? PIPELINE_TOLD : way == 2 ? MS : 0;
		pc.lookahead_ns = way == 0 ? 1 : 0;
		struct pipeline *p = start(&pc);
		out.fail_at = 3;
		for (unsigned i = 0; i < n_kept && !rc; i++)
			rc = pipeline_frame(p, &kept[i].f);
		if (!rc && way == 1)
			rc = pipeline_time(p, kept[n_kept - 1].f.time_ns + 10 * S);
		if (!rc)
			rc = pipeline_finish(p);
		assert_int_equal(rc, -ENOSPC);
		assert_int_equal(out.n, 2);
		pipeline_free(p);
	}
}

/* -------------------------------------------------------------------- filter */

/* How many of n_kept frames a FILTER keeps. */
static unsigned kept_by(const char *text, struct result *r)
{
	struct pipeline_config pc = config();
	struct err err = ERR_INIT;
	struct capture_filter *f = capture_filter_new(text, &err);

	assert_non_null(f);
	pc.filter = f;
	pc.sort_ns = MS;
	struct pipeline *p = start(&pc);
	give_all(p);
	end(p, r);
	capture_filter_free(f);
	return out.n;
}

static void expect_kept(const char *text, unsigned n)
{
	struct result r = { 0 };
	unsigned found = kept_by(text, &r);

	if (found != n)
		fail_msg("%s: %u frames", text, found);
	assert_int_equal(r.capture.observations + r.capture.foreign, n_kept);
	result_free(&r);
}

/* A packet is chosen by what its veth shows, and then kept at every hop. */
static void test_filter(void **state)
{
	static const uint8_t steps[] = {
		STORY_UDP,
		ALL | OUT,
		1,
		1,
		20,
		10,
		0,
		0,
		STORY_UDP,
		ALL,
		1,
		2,
		20,
		10,
		0,
		0,
		STORY_TCP,
		ALL | OUT,
		2,
		3,
		20,
		10,
		0,
		0,
		STORY_TCP,
		ALL | V6,
		2,
		4,
		20,
		10,
		0,
		0,
		STORY_ECHO,
		ALL | OUT | V6,
		3,
		5,
		20,
		10,
		0,
		0,
		/* the veth did not see this one */
		STORY_UDP,
		14 | OUT,
		4,
		6,
		20,
		10,
		0,
		0,
		STORY_UDP,
		8,
		4,
		7,
		20,
		10,
		0,
		0,
		STORY_ARP,
		3,
		0,
		0,
		0,
		10,
		0,
		0,
	};

	(void)state;
	tell(steps, sizeof(steps) / STORY_STEP);
	expect_kept("udp", 12);
	expect_kept("tcp", 8);
	expect_kept("ip6", 8);
	expect_kept("icmp6", 4);
	expect_kept("src host 10.244.1.2", 4 + 4 + 3 + 2); /* libpcap means ARP's sender as well */
	expect_kept("dst host fd00:1::2", 4);
	expect_kept("ip[8] = 64 and src host 10.244.1.2", 8 + 3);
	expect_kept("port 40004", 4);
	expect_kept("arp", 2);
	expect_kept("not ip and not ip6", 2);
	expect_kept("host 192.168.77.11", 0);
	expect_kept("udp port 8472", 0);
}

/* MAC addresses are asked for as the veth has them, whichever hop saw the packet. */
static void test_filter_of_macs(void **state)
{
	static const uint8_t steps[] = {
		STORY_UDP, 8 | OUT, 1, 1, 20, 10, 0, 0, STORY_UDP, 8, 1, 2, 20, 10, 0, 0,
	};
	struct err err = ERR_INIT;

	(void)state;
	tell(steps, 2);
	for (unsigned i = 0; i < 2; i++) {
		struct pipeline_config pc = config();
		struct capture_filter *f = capture_filter_new(
			i ? "ether dst 02:00:00:00:00:0a" : "ether src 02:00:00:00:00:0a", &err);

		net.pods[0].mac = (struct mac){ { 2, 0, 0, 0, 0, 10 } };
		net.hops[1].mac = (struct mac){ { 2, 0, 0, 0, 0, 11 } };
		assert_non_null(f);
		pc.filter = f;
		struct pipeline *p = start(&pc);
		struct result r = { 0 };
		give_all(p);
		end(p, &r);
		assert_int_equal(out.n, 1);
		assert_int_equal(r.flows[0].direction,
				 i ? MODEL_DIRECTION_INGRESS : MODEL_DIRECTION_EGRESS);
		result_free(&r);
		capture_filter_free(f);
	}
}

/* Behind a Service's translation too: the pod's own words count. */
static void test_filter_of_a_service(void **state)
{
	uint8_t steps[12 * STORY_STEP];

	(void)state;
	for (unsigned i = 0; i < 12; i++) {
		uint8_t *s = steps + i * STORY_STEP;

		memset(s, 0, STORY_STEP);
		s[0] = STORY_SERVICE;
		s[1] = (uint8_t)(i < 10 ? ALL | OUT : 8 | OUT);
		s[2] = 1;
		s[3] = (uint8_t)i;
		s[4] = 20;
		s[5] = 20;
	}
	tell(steps, 12);
	expect_kept("dst host 10.96.0.10 and dst port 80", 42);
	expect_kept("dst host 10.244.2.2", 0);
	expect_kept("port 8080", 0);
}

/* Where the capture does not reach far enough, a packet is kept and counted. */
static void test_filter_unsure(void **state)
{
	static const uint8_t steps[] = { STORY_UDP, ALL | OUT, 1, 1, 100, 0x41, 0, 0 };
	struct result r = { 0 };

	(void)state;
	tell(steps, 1);
	for (unsigned i = 0; i < n_kept; i++)
		assert_int_equal(kept[i].f.caplen, 96);
	assert_int_equal(kept_by("udp[200] = 7", &r), 4);
	assert_int_equal(r.capture.filter_unsure, 1);
	result_free(&r);
	assert_int_equal(kept_by("udp", &r), 4);
	assert_int_equal(r.capture.filter_unsure, 0);
	result_free(&r);
}

/* The first kept frame as another hop would show it, with another source; returns its number. */
static unsigned also_seen(uint16_t hop, enum model_way way, const char *src)
{
	struct kept *k = &kept[n_kept];
	struct addr a;

	*k = kept[0];
	k->f.data = k->bytes;
	k->f.hop = hop;
	k->f.way = (uint8_t)way;
	k->f.time_ns += 20000;
	assert_int_equal(addr_parse(src, &a), 0);
	if (addr_is_v4(&a))
		memcpy(k->bytes + 26, a.b + 12, 4);
	else
		memcpy(k->bytes + 22, a.b, 16);
	return n_kept++;
}

/*
 * Masqueraded, and seen at the underlay alone: no address in the frame is the pod's, but conntrack
 * has told whose flow it is.
 */
static void test_filter_behind_masquerade(void **state)
{
	static const struct {
		const char *pod, *masked, *filter;
		uint8_t v6;
		bool keeps;
	} cases[] = {
		{ "10.244.1.2", "192.168.77.11", "src host 10.244.1.2 and udp", 0, true },
		{ "10.244.1.2", "192.168.77.11", "src host 192.168.77.11", 0, false },
		{ "fd00:1::2", "fd00:aa::1", "src host fd00:1::2 and udp", V6, true },
		{ "fd00:1::2", "fd00:aa::1", "ether src 02:00:00:00:00:0a", V6, true },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint8_t step[] = { STORY_UDP, 1 | OUT, 1, 1, 20, 10, 0, 0 };
		struct pipeline_config pc = config();
		struct err err = ERR_INIT;
		struct capture_filter *f = capture_filter_new(cases[i].filter, &err);
		struct result_tuple pod = {
			.sport = 40001, .dport = 80, .has_ports = true, .protocol = MODEL_PROTO_UDP
		};
		struct result_tuple reply = {
			.sport = 80, .dport = 40001, .has_ports = true, .protocol = MODEL_PROTO_UDP
		};
		struct result r = { 0 };

		step[1] |= cases[i].v6;
		tell(step, 1);
		unsigned n = also_seen(3, MODEL_WAY_OUT, cases[i].masked);
		assert_non_null(f);
		addr_parse(cases[i].pod, &pod.src);
		addr_parse(cases[i].v6 ? "fd00:2::2" : "10.244.2.2", &pod.dst);
		reply.src = pod.dst;
		addr_parse(cases[i].masked, &reply.dst);
		net.pods[0].mac = (struct mac){ { 2, 0, 0, 0, 0, 10 } };
		pc.filter = f;
		pc.keep_other = true;
		struct pipeline *p = start(&pc);
		assert_true(correlate_learn_connection(pipeline_correlator(p), &pod, &reply));
		assert_int_equal(pipeline_frame(p, &kept[n].f), 0);
		end(p, &r);
		if (out.n != cases[i].keeps)
			fail_msg("%s: %u frames", cases[i].filter, out.n);
		result_free(&r);
		capture_filter_free(f);
	}
}

/* A header of 8 bytes goes in behind the IPv6 header of kept frame k. */
static void insert_header(struct kept *k, uint8_t number, const uint8_t header[static 8])
{
	const uint32_t next = 14 + 6, behind = 14 + 40;

	memmove(k->bytes + behind + 8, k->bytes + behind, k->f.caplen - behind);
	memcpy(k->bytes + behind, header, 8);
	k->bytes[behind] = k->bytes[next];
	k->bytes[next] = number;
	k->bytes[14 + 5] = (uint8_t)(k->bytes[14 + 5] + 8);
	k->f.caplen += 8;
	k->f.len += 8;
}

/*
 * FILTER speaks of packets: an IPv6 datagram in fragments, a super-frame with the jumbo option.
 * libpcap looks behind neither header.
 */
static void test_filter_behind_ip6_headers(void **state)
{
	static const uint8_t step[] = { STORY_UDP, 1 | OUT | V6, 1, 1, 20, 10, 0, 0 };
	static const uint8_t fragment[8] = { 0, 0, 0, 1, 0, 0, 0, 9 };	/* the first of more */
	static const uint8_t jumbo[8] = { 0, 0, 0xc2, 4, 0, 1, 0, 8 };
	static const struct {
		const char *filter;
		bool keeps;
	} cases[] = {
		{ "udp dst port 80", true },		 { "udp dst port 81", false },
		{ "not udp", false },			 { "ip6[6] = 44 or ip6[6] = 0", true },
		{ "udp dst port 80 and ip6[7] > 1", true },
	};

	(void)state;
	for (unsigned i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		const char *text = cases[i / 2].filter;
		struct result r = { 0 };

		tell(step, 1);
		insert_header(&kept[0], i & 1 ? 0 : 44, i & 1 ? jumbo : fragment);
		if (i & 1) /* a jumbo payload has no length in the IPv6 header */
			kept[0].bytes[14 + 4] = kept[0].bytes[14 + 5] = 0;
		if (kept_by(text, &r) != cases[i / 2].keeps)
			fail_msg("%s behind %s", text, i & 1 ? "jumbo" : "fragment");
		result_free(&r);
	}
}

/* Traffic of no pod, in files: asked in its own words; what was cut in front of it is unsure. */
static void test_filter_of_nobody_s(void **state)
{
	static const uint8_t step[] = { STORY_UDP, 8 | OUT, 1, 1, 20, 10, 0, 0 };
	struct err err = ERR_INIT;

	(void)state;
	for (unsigned way = MODEL_WAY_IN; way <= MODEL_WAY_OUT; way++) {
		struct pipeline_config pc = config();
		struct capture_filter *f = capture_filter_new("udp and ip[8] > 1", &err);
		struct result r = { 0 };

		tell(step, 1);
		kept[0].f.way = (uint8_t)way;
		net.n_pods = 0;
		net.hops[1].role = MODEL_ROLE_UNDERLAY; /* no bridge */
		pc.filter = f;
		pc.keep_other = true;
		struct pipeline *p = start(&pc);
		give_all(p);
		kept[0].f.caplen = 50;
		give_all(p);
		end(p, &r);
		assert_int_equal(out.n, 2);
		result_free(&r);
		capture_filter_free(f);
	}
}

/* Neighbours exchanged, and nobody sorts: what is held is handed on in order all the same. */
static void test_exchanged_neighbours(void **state)
{
	(void)state;
	for (unsigned unseen = 0; unseen < 2; unseen++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };

		tell_udp(40);
		pc.unseen = unseen;
		pc.keep_bytes = !unseen;
		struct pipeline *p = start(&pc);
		for (unsigned i = 0; i < n_kept; i += 4) {
			static const unsigned order[] = { 1, 0, 3, 2 };

			for (unsigned k = 0; k < 4; k++)
				assert_int_equal(pipeline_frame(p, &kept[i + order[k]].f), 0);
		}
		assert_true(unseen || pipeline_frames(p) == 160);
		if (unseen)
			assert_true(pipeline_first_ns(p) == kept[0].f.time_ns);
		end(p, &r);
		assert_int_equal(out.n, unseen ? 0 : 160);
		assert_in_order();
		assert_int_equal(r.packets.complete, 40);
		result_free(&r);
	}
}

/*
 * Of two packets that look alike one is lost behind the veth. The frame behind the second's first
 * shows the same bytes once more; whose it is, nobody can say.
 */
static void test_look_alikes_next_to_each_other(void **state)
{
	static const unsigned shown[] = { 0, 0, 1, 2, 3 }; /* hops of the last packet */
	struct pipeline_config pc = config();
	struct result r = { 0 };

	(void)state;
	tell_udp(39); /* the last one leaves the pod */
	assert_int_equal(n_kept, 39 * 4);
	pc.sort_ns = MS;
	struct pipeline *p = start(&pc);
	give_all(p);
	for (unsigned i = 0; i < 5; i++) {
		struct model_frame f = kept[38 * 4 + shown[i]].f;

		f.time_ns += 400 * MS + i * 1000;
		assert_int_equal(pipeline_frame(p, &f), 0);
	}
	end(p, &r);
	assert_int_equal(r.packets.complete, 39);
	assert_int_equal(r.packets.ambiguous, 2);
	assert_int_equal(r.packets.incomplete, 0);
	result_free(&r);
}

/* Ids and packets without bytes: for reports that write no file. */
static void test_without_bytes(void **state)
{
	(void)state;
	for (unsigned sorted = 0; sorted < 2; sorted++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };

		tell_udp(40);
		for (unsigned i = 0; i < n_kept; i++)
			kept[i].f.way = MODEL_WAY_UNKNOWN;
		pc.keep_bytes = false;
		pc.on_frame = NULL;
		pc.sort_ns = sorted ? MS : 0;
		struct pipeline *p = start(&pc);
		give_all(p);
		end(p, &r);
		assert_int_equal(out.n, 0);
		assert_int_equal(out.packets, 40);
		assert_int_equal(r.packets.complete, 40);
		result_free(&r);
	}
}

/*
 * Of small frames the bytes wait to be sorted, of large ones what was read of them. Between two
 * frames of a small packet one of a large packet comes: neither is taken for the other.
 */
static void test_small_among_large(void **state)
{
	const unsigned pairs = 20, hops = 4;

	(void)state;
	for (unsigned unseen = 0; unseen < 2; unseen++) {
		struct pipeline_config pc = config();
		struct result r = { 0 };
		uint8_t steps[40 * STORY_STEP] = { 0 };

		for (unsigned i = 0; i < 2 * pairs; i++) {
			uint8_t *s = steps + i * STORY_STEP;

			s[0] = STORY_UDP;
			s[1] = ALL | OUT;
			s[2] = (uint8_t)(i % 3);
			s[3] = (uint8_t)i;
			s[4] = i % 2 ? 200 : 4;
		}
		tell(steps, 2 * pairs);
		assert_int_equal(n_kept, 2 * pairs * hops);
		pc.keep_bytes = false;
		pc.on_frame = NULL;
		pc.unseen = unseen;
		pc.sort_ns = MS;
		struct pipeline *p = start(&pc);
		for (unsigned i = 0; i < pairs; i++)
			for (unsigned k = 0; k < 2 * hops; k++) {
				struct kept *f = &kept[i * 2 * hops + k % 2 * hops + k / 2];

				f->f.time_ns = kept[0].f.time_ns + i * MS + k * 10000;
				assert_int_equal(pipeline_frame(p, &f->f), 0);
			}
		end(p, &r);
		assert_int_equal(out.packets, 2 * pairs);
		assert_int_equal(r.packets.complete, 2 * pairs);
		result_free(&r);
	}
}

static int setup(void **state)
{
	(void)state;
	kept = calloc(4 * STORY_STEPS_MAX, sizeof(*kept));
	return kept ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(kept);
	return 0;
}

/*
 * The place of a frame that left is taken by another, which then is compared with itself: a chunk
 * of the arena that holds one large frame only, because the next did not fit.
 */
static void test_place_taken(void **state)
{
	enum { LARGE = 60000, GIANT = 220000, HEADERS = 14 + 20 + 8 };
	const uint8_t step[STORY_STEP] = { STORY_UDP, ALL | OUT, 0, 1, 20, 0x3f };
	struct pipeline_config pc = config();
	uint8_t *x = calloc(3, GIANT), *y = x + GIANT, *giant = y + GIANT;
	struct pipeline *p;

	(void)state;
	assert_non_null(x);
	tell(step, 1);
	assert_true(n_kept >= 2 && kept[1].f.hop != kept[0].f.hop);
	struct model_frame first = kept[0].f, other = kept[1].f, last = kept[0].f;

	memcpy(x, first.data, HEADERS);
	memcpy(y, other.data, HEADERS);
	for (unsigned i = 0; i < 2; i++) {
		uint8_t *f = i ? y : x;

		f[16] = (LARGE - 14) >> 8;
		f[17] = (LARGE - 14) & 0xff;
		f[38] = (LARGE - 34) >> 8;
		f[39] = (LARGE - 34) & 0xff;
		memset(f + HEADERS, 'x' + (int)i, LARGE - HEADERS);
	}
	first.data = x;
	other.data = y;
	last.data = giant; /* not IP */
	first.caplen = first.len = other.caplen = other.len = LARGE;
	last.caplen = last.len = GIANT;
	other.time_ns = first.time_ns + MS;
	last.time_ns = first.time_ns + 2 * MS;

	pc.bytes_max = 1;
	pc.sort_ns = 100 * MS;
	p = start(&pc);
	assert_int_equal(pipeline_frame(p, &first), 0);
	assert_int_equal(pipeline_frame(p, &last), 0);
	assert_int_equal(pipeline_frame(p, &other), 0);
	assert_int_equal(pipeline_finish(p), 0);
	assert_int_equal(out.n, 3);
	assert_int_not_equal(out.id[0], out.id[1]);
	pipeline_free(p);
	free(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_sorting),
		cmocka_unit_test(test_sorting_equal_stamps),
		cmocka_unit_test(test_disorder),
		cmocka_unit_test(test_clock_steps_back),
		cmocka_unit_test(test_clock_step_counts_once),
		cmocka_unit_test(test_clock_steps_close_together),
		cmocka_unit_test(test_rings_not_read_for_long),
		cmocka_unit_test(test_hops_that_lag),
		cmocka_unit_test(test_losses_around_a_step),
		cmocka_unit_test(test_clock_set_forward),
		cmocka_unit_test(test_clock_set_forward_and_silence),
		cmocka_unit_test(test_small_step_cuts_one_packet),
		cmocka_unit_test(test_clock_step_behind_silence),
		cmocka_unit_test(test_impossible_times),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_little_memory),
		cmocka_unit_test(test_many_frames),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_given_up),
		cmocka_unit_test(test_late_years),
		cmocka_unit_test(test_nothing_behind_the_last_frame_counts),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_unseen),
		cmocka_unit_test(test_counters_while_it_runs),
		cmocka_unit_test(test_errors_come_back),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_filter_of_macs),
		cmocka_unit_test(test_filter_of_a_service),
		cmocka_unit_test(test_filter_unsure),
		cmocka_unit_test(test_filter_behind_masquerade),
		cmocka_unit_test(test_filter_behind_ip6_headers),
		cmocka_unit_test(test_filter_of_nobody_s),
		cmocka_unit_test(test_exchanged_neighbours),
		cmocka_unit_test(test_look_alikes_next_to_each_other),
		cmocka_unit_test(test_without_bytes),
		cmocka_unit_test(test_small_among_large),
		cmocka_unit_test(test_place_taken),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
