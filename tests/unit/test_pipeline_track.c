/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pipeline_track.c - the short ways of common packets (track.c) against the long one.
 *
 * Stories of a few flows, most of whose packets do what the ones before them did: some are missed
 * at a hop, sent again behind later ones, altered, cut by a snap length, translated, larger than
 * a device's MTU, or seen at equal times. Each is told twice. The second time the node's facts are
 * learned anew before each frame, which makes all tracks doubtful: whatever is found out then is
 * found out the long way. Marks, packets and report have to be the same.
 */
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
#include "podhop/report.h"

#define STORIES 200u
#define STEPS 120u
#define FLOWS 3u
#define FRAMES_MAX 4000u

struct kept {
	struct model_frame f;
	uint8_t bytes[1400];
};

static struct kept kept[FRAMES_MAX];
static unsigned n_kept, order[FRAMES_MAX];
static uint64_t random_state;

static unsigned below(unsigned n)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (unsigned)(random_state >> 20) % n;
}

static bool once_in(unsigned n)
{
	return below(n) == 0;
}

static void keep(void *arg, const struct model_frame *f)
{
	struct kept *k = &kept[n_kept];
	const unsigned *jitter_us = arg;

	assert_true(n_kept < FRAMES_MAX && f->caplen <= sizeof(k->bytes));
	k->f = *f;
	k->f.time_ns += below(*jitter_us + 1) * 1000LL;
	memcpy(k->bytes, f->data, f->caplen);
	k->f.data = k->bytes;
	order[n_kept] = n_kept;
	n_kept++;
}

static int by_time(const void *a, const void *b)
{
	const struct model_frame *x = &kept[*(const unsigned *)a].f;
	const struct model_frame *y = &kept[*(const unsigned *)b].f;

	return x->time_ns != y->time_ns ? (x->time_ns < y->time_ns ? -1 : 1)
	       : x->number < y->number	? -1
					: 1;
}

/* What happens between a pod and a remote one; seed: the story's number. Its usual kind. */
static enum story_kind make_up(unsigned seed)
{
	static const uint8_t kinds[] = { STORY_TCP, STORY_UDP, STORY_TCP, STORY_ECHO,
					 STORY_SERVICE };
	uint8_t steps[STEPS * STORY_STEP];
	uint8_t newest[FLOWS] = { 0 }, older[FLOWS] = { 0 };
	unsigned jitter_us, flows, faults, number = 1;

	random_state = 0x9e3779b97f4a7c15u * (seed + 1);
	flows = 1 + below(FLOWS);
	faults = once_in(4) ? 150 : 6 + below(30);
	jitter_us = below(2); /* equal stamps */
	const bool v6 = once_in(3), small = once_in(3), cut = once_in(5),
		   pauses = faults > 100 || once_in(2);
	const uint8_t kind = kinds[below(sizeof(kinds))];

	for (unsigned i = 0; i < STEPS; i++) {
		uint8_t *s = steps + i * STORY_STEP;
		const unsigned flow = below(flows);

		s[0] = kind;
		s[1] = (uint8_t)(15 | (flow & 1 ? 0 : 16) | (v6 ? 32 : 0));
		s[2] = (uint8_t)flow;
		s[3] = (uint8_t)number++;
		s[4] = (uint8_t)(small ? below(3) : 40 + below(60));
		s[5] = (uint8_t)(below(40) | (cut ? 0x40 : 0));
		s[6] = s[7] = 0;
		if (pauses && once_in(faults > 100 ? 4 : 20))
			s[5] = (uint8_t)(0x80 | (1 + below(30)));
		if (once_in(faults)) /* missed at some hops */
			s[1] = (uint8_t)((s[1] & ~15u) | below(16));
		/* Sent again behind later bytes; what is equal otherwise is never looked for. */
		if (v6 && kind == STORY_TCP && older[flow] && once_in(faults)) {
			s[3] = older[flow];
		} else {
			older[flow] = newest[flow];
			newest[flow] = s[3];
		}
		if (once_in(2 * faults)) { /* altered at a hop */
			s[6] = (uint8_t)(14 + below(60));
			s[7] = (uint8_t)(1 + below(255));
		}
		if (once_in(2 * faults))
			s[0] = (uint8_t)below(STORY_RAW);
		if (once_in(2 * faults))
			s[4] = (uint8_t)below(250);
	}
	n_kept = 0;
	story_tell(steps, sizeof(steps), 0, keep, &jitter_us);
	qsort(order, n_kept, sizeof(order[0]), by_time);
	return kind;
}

/* ---------------------------------------------------------------------- telling */

struct told {
	FILE *marks, *packets;
	const struct model_net *net;
	bool unseen;
	char *mark_text, *packet_text, *report_text;
	size_t mark_len, packet_len, report_len;
};

/* What is on track is marked at once, so that what later hops tell of it does not count. */
static int on_frame(void *arg, const struct model_frame *f, const struct correlate_mark *m)
{
	struct told *t = arg;
	char path[RESULT_PATH_STR_MAX];

	fprintf(t->marks, "frame %u hop %u: id %u at %u of %s, %lld ns, dir %u\n",
		(unsigned)f->number, f->hop, (unsigned)m->id, (unsigned)m->hop,
		result_path_str(&m->path, path), (long long)m->dt_ns, m->direction);
	return 0;
}

/* Where nobody sees ids, they are given as packets close. */
static void on_packet(void *arg, const struct result_packet *told)
{
	struct told *t = arg;
	struct result_packet p = *told;

	if (t->unseen)
		p.id = 0;
	assert_int_equal(report_packet_json(t->packets, &p, t->net), 0);
	fprintf(t->packets, "%lld ttl %u %u sum %llx %u tos %u lead %llx fixed %llx\n",
		(long long)p.time_ns, p.ttl, p.outer_ttl, (unsigned long long)p.sum.words,
		(unsigned)p.sum.bytes, p.tos, (unsigned long long)p.lead,
		(unsigned long long)p.fixed);
	for (unsigned i = 0; i < p.n_sightings; i++)
		fprintf(t->packets, "%lld sighting %u %lld %u %u\n", (long long)p.time_ns,
			p.sightings[i].hop, (long long)p.sightings[i].first_ns,
			p.sightings[i].covered, p.sightings[i].whole);
}

/* Packets may close in another order; what is said of each may not differ. */
static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_lines(char *text, size_t len)
{
	static char *line[16 * FRAMES_MAX];
	unsigned n = 0;
	char *copy = malloc(len + 1), *at = text;

	assert_non_null(copy);
	memcpy(copy, text, len + 1);
	for (char *next, *s = copy; *s; s = next + 1) {
		next = strchr(s, '\n');
		*next = '\0';
		assert_true(n < sizeof(line) / sizeof(line[0]));
		line[n++] = s;
	}
	qsort(line, n, sizeof(line[0]), by_text);
	for (unsigned i = 0; i < n; i++)
		at += sprintf(at, "%s\n", line[i]);
	free(copy);
}

struct manner {
	bool nat, contents, small_mtu, listed, little;
	bool unseen; /* nobody sees marks: nothing is held for them */
	bool the_long_way;
};

static void tell(const struct manner *how, struct told *t)
{
	static struct model_net net;
	struct pipeline_config pc = {
		.net = &net,
		.nat = how->nat,
		.contents = how->contents,
		.observations = how->listed,
		.unseen = how->unseen,
		.keep_bytes = !how->unseen,
		.hash_seed = 7,
		.on_frame = on_frame,
		.on_packet = on_packet,
		.arg = t,
		.packets_max = how->little ? 64 : 0,
		.window_ns = how->little ? 50000000 : 0,
	};
	struct result r = { 0 };
	struct err err = ERR_INIT;
	struct pipeline *p;
	FILE *report;

	*t = (struct told){ .net = &net, .unseen = how->unseen };
	t->marks = open_memstream(&t->mark_text, &t->mark_len);
	t->packets = open_memstream(&t->packet_text, &t->packet_len);
	report = open_memstream(&t->report_text, &t->report_len);
	assert_true(t->marks && t->packets && report);
	story_net(&net, 0);
	for (unsigned i = 0; how->small_mtu && i < net.n_hops; i++)
		net.hops[i].mtu = 460;
	p = pipeline_new(&pc, &err);
	assert_non_null(p);
	for (unsigned i = 0; i < n_kept; i++) {
		if (how->the_long_way)
			correlate_learn_net(pipeline_correlator(p));
		assert_int_equal(pipeline_frame(p, &kept[order[i]].f), 0);
	}
	assert_int_equal(pipeline_finish(p), 0);
	assert_int_equal(pipeline_result(p, &r, &err), 0);
	assert_true(correlate_is_empty(pipeline_correlator(p)));
	pipeline_free(p);
	assert_int_equal(report_result_json(report, &r, false), 0);
	result_free(&r);
	fclose(t->marks);
	fclose(t->packets);
	fclose(report);
	sort_lines(t->packet_text, t->packet_len);
}

static void forget(struct told *t)
{
	free(t->mark_text);
	free(t->packet_text);
	free(t->report_text);
}

/* Fails with the first line that differs. */
static void assert_alike(unsigned story, const char *what, const char *a, const char *b)
{
	const char *line_a = a, *line_b = b;

	for (; *a && *a == *b; a++, b++)
		if (*a == '\n')
			line_a = a + 1, line_b = b + 1;
	if (*a != *b)
		fail_msg("story %u, %s: %.*s, the long way %.*s", story, what,
			 (int)strcspn(line_a, "\n"), line_a, (int)strcspn(line_b, "\n"), line_b);
}

static void test_the_long_way_finds_the_same(void **state)
{
	(void)state;
	for (unsigned seed = 0; seed < STORIES; seed++) {
		const enum story_kind kind = make_up(seed);
		/* How long the datagrams of a super-frame are, later ones may tell. */
		struct manner how = { .nat = seed & 1,
				      .contents = seed & 2,
				      .small_mtu = kind == STORY_TCP && seed % 5 == 4,
				      .listed = seed % 3 == 2,
				      .unseen = seed % 4 < 2 && seed % 3 != 2,
				      .little = seed % 7 == 6 };
		struct told quick, slow;

		tell(&how, &quick);
		how.the_long_way = true;
		tell(&how, &slow);
		assert_alike(seed, "marks", quick.mark_text, slow.mark_text);
		assert_alike(seed, "packets", quick.packet_text, slow.packet_text);
		assert_alike(seed, "report", quick.report_text, slow.report_text);
		forget(&quick);
		forget(&slow);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_long_way_finds_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
