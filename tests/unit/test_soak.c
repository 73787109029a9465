/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_soak.c - a day and more of traffic, as fast as it can be told.
 *
 * Stories of tests/lib/fuzz_frames.h one after the other, with silences between, through one
 * pipeline. All counters begin close to 2^32, ids included, so that they pass it as they would
 * after billions of frames. Asserted: nothing is lost on the way (each frame is kept or foreign,
 * each kept one has an id or is no packet, each packet is counted once), nothing stays open, and
 * from the first fifth on the process takes no more memory. $PODHOP_LONG: ten days, else an hour.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include "correlate_tables.h"
#include "fuzz_frames.h"
#include "podhop/pipeline.h"

#define NS 1000000000LL
#define HOUR_NS (3600 * NS)
#define BEFORE 4294966296u /* 1000 short of 2^32 */
#define GROWTH_MAX (4L << 20) /* pages of tables that are touched late */

struct soak {
	struct pipeline *pipeline;
	int64_t shift_ns, last_ns;
	uint64_t random, fed, handed_on, with_id, packets, newest_id;
};

static uint64_t next_random(struct soak *s)
{
	s->random ^= s->random << 13;
	s->random ^= s->random >> 7;
	s->random ^= s->random << 17;
	return s->random;
}

static void feed(void *arg, const struct model_frame *f)
{
	struct soak *s = arg;
	struct model_frame later = *f;

	later.time_ns += s->shift_ns;
	s->last_ns = later.time_ns;
	s->fed++;
	assert_int_equal(pipeline_frame(s->pipeline, &later), 0);
}

static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	struct soak *s = arg;

	(void)f;
	s->handed_on++;
	s->with_id += m->id != 0;
	if (m->id > s->newest_id)
		s->newest_id = m->id;
	return 0;
}

static void on_packet(void *arg, const struct result_packet *p)
{
	struct soak *s = arg;

	s->packets += p->direction != MODEL_DIRECTION_OTHER;
}

/* A story's bytes: any, but with few long silences, or a day would be only those. */
static void tell(struct soak *s)
{
	static uint8_t story[STORY_STEPS_MAX * STORY_STEP];

	for (size_t i = 0; i < sizeof(story); i++)
		story[i] = (uint8_t)(next_random(s) >> 32);
	for (size_t at = 0; at < sizeof(story); at += STORY_STEP) {
		if (at % (64 * STORY_STEP))
			story[at + 5] &= 0x7f;
		story[at + 6] = story[at + 6] < 250 ? 0 : story[at + 6]; /* seldom damaged */
	}
	story_tell(story, sizeof(story), 0, feed, s);
	s->shift_ns = s->last_ns - STORY_BEGIN_NS + 1000;
}

static long resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*s %ld", &pages), 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* As after billions of frames. */
static void begin_late(struct correlate *c)
{
	c->next_id = c->foreign = c->not_ip = c->malformed = BEFORE;
	c->total = c->status[RESULT_COMPLETE] = BEFORE;
	c->encap.inner_packets = c->encap.inner_bytes = BEFORE;
	for (unsigned i = 0; i < STORY_HOPS; i++)
		c->hop[i].observations = c->hop[i].bytes = BEFORE;
}

static void check_result(const struct soak *s, const struct result *r)
{
	uint64_t observations = 0;

	for (unsigned i = 0; i < r->capture.n_interfaces; i++) {
		const struct result_interface *one = &r->capture.interfaces[i];

		assert_true(one->observations > UINT32_MAX && one->bytes > UINT32_MAX);
		observations += one->observations - BEFORE;
	}
	assert_int_equal(observations, s->handed_on);
	assert_int_equal(observations + (r->capture.foreign - BEFORE), s->fed);
	assert_int_equal(r->packets.total, r->packets.complete + r->packets.incomplete +
						   r->packets.ambiguous + r->packets.edge);
	assert_int_equal(r->packets.total - BEFORE, s->packets);
	assert_int_equal(s->with_id + (r->packets.not_ip - BEFORE) +
				 (r->packets.malformed - BEFORE),
			 s->handed_on);
	assert_true(s->newest_id > UINT32_MAX && r->packets.total > UINT32_MAX);
	assert_int_equal(r->capture.late, 0);
}

static void test_soak(void **state)
{
	static struct model_net net;
	struct soak s = { .random = 88172645463325252u };
	const int64_t span_ns = (getenv("PODHOP_LONG") ? 240 : 1) * HOUR_NS;
	struct pipeline_config pc = {
		.net = &net,
		.sort_ns = 1000000,
		.nat = true,
		.keep_other = true,
		.keep_bytes = true,
		.hash_seed = 7,
		.packets_max = 1u << 14,
		.flows_max = 1u << 10,
		.bytes_max = 1u << 22,
		.on_frame = on_frame,
		.on_packet = on_packet,
		.arg = &s,
	};
	struct err err = ERR_INIT;
	struct result r = { 0 };
	long before = 0, after;

	(void)state;
	story_net(&net, 0);
	s.pipeline = pipeline_new(&pc, &err);
	assert_non_null(s.pipeline);
	begin_late(pipeline_correlator(s.pipeline));
	while (s.shift_ns < span_ns) {
		tell(&s);
		if (!before && s.shift_ns > span_ns / 5)
			before = resident_bytes();
	}
	after = resident_bytes();
	assert_true(before > 0);
	if (after - before > GROWTH_MAX)
		fail_msg("%ld bytes at a fifth of the time, %ld at its end", before, after);
	assert_int_equal(pipeline_finish(s.pipeline), 0);
	assert_int_equal(pipeline_result(s.pipeline, &r, &err), 0);
	assert_true(correlate_is_empty(pipeline_correlator(s.pipeline)));
	check_result(&s, &r);
	print_message("%lld h, %llu frames, %llu packets, %ld KiB more\n",
		      (long long)(s.shift_ns / HOUR_NS), (unsigned long long)s.fed,
		      (unsigned long long)s.packets, (after - before) / 1024);
	result_free(&r);
	pipeline_free(s.pipeline);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_soak),
	};

	return cmocka_run_group_tests_name("soak", tests, NULL, NULL);
}
