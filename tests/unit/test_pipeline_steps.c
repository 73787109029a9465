/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pipeline_steps.c - steps of the clock, from stamps of hops whose rings are read in turn.
 *
 * "a100000 b40000" are frames of the first and the second hop by their times in milliseconds; what
 * is told of them marks those with which order begins anew by a star.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/pipeline/pipeline_priv.h"

#include <cmocka.h>

#define T0 1700000000000000000LL
#define MS 1000000LL
#define LOOKAHEAD_NS (200 * MS) /* so that 1.2 s are far */

struct story {
	const char *what, *frames, *told_of;
	bool told; /* by a source that says how far its rings are read */
	uint64_t counted;
	bool lag;
};

static void is_told(const struct story *y)
{
	struct steps s;
	char told_of[512] = "";
	size_t len = 0;
	int64_t newest_ns = MODEL_TIME_MIN_NS;
	const char *at = y->frames;

	steps_init(&s, LOOKAHEAD_NS, y->told);
	while (*at) {
		const char hop = *at;
		char *rest;
		const int64_t ms = strtoll(at + 1, &rest, 10), time_ns = T0 + ms * MS;
		const bool anew = steps_note(&s, (uint16_t)(hop - 'a'), time_ns, newest_ns);

		newest_ns = anew || time_ns > newest_ns ? time_ns : newest_ns;
		len += (size_t)snprintf(told_of + len, sizeof(told_of) - len, "%s%c%lld%s",
					len ? " " : "", hop, (long long)ms, anew ? "*" : "");
		assert_true(len < sizeof(told_of));
		at = rest + strspn(rest, " ");
	}
	if (strcmp(told_of, y->told_of) != 0 || s.counted != y->counted || s.lag != y->lag)
		fail_msg("%s: %s, %d steps, lag %d", y->what, told_of, (int)s.counted, s.lag);
}

static void test_files(void **state)
{
	static const struct story stories[] = {
		{ "in order", "a100000 b100001 a100300 b100301", "a100000 b100001 a100300 b100301",
		  false, 0, false },
		{ "one step, each ring in turn",
		  "a100000 b100000 c100000 a40200 b100100 b40400 c100050 c40500",
		  "a100000 b100000 c100000 a40200* b100100 b40400* c100050 c40500*", false, 1,
		  false },
		{ "a hop that joined the era of the others lags behind it",
		  "a100000 a40000 b40100 a41000 a42000 b40200",
		  "a100000 a40000* b40100 a41000 a42000 b40200*", false, 2, true },
		{ "two steps, and a hop that crosses both at once",
		  "a100000 b100000 c100000 a40000 a10000 c100100 b10100 c40200 b10200",
		  "a100000 b100000 c100000 a40000* a10000* c100100 b10100* c40200 b10200*", false,
		  2, false },
		{ "a time that comes in two eras is of the first of them",
		  "a100000 b100000 d100000 a40000 d100100 d40100 d20000 d40200 b100100 b40300",
		  "a100000 b100000 d100000 a40000* d100100 d40100* d20000* d40200 b100100 b40300*",
		  false, 2, false },
		{ "a hop that was silent, or lags, and goes on",
		  "a100000 b100000 a101000 a102000 b100100",
		  "a100000 b100000 a101000 a102000 b100100*", false, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		is_told(&stories[i]);
}

/* Where the rings are known to be read that far only, nothing lags. */
static void test_live(void **state)
{
	static const struct story stories[] = {
		{ "one step, each ring in turn",
		  "a100000 a100100 a40200 b100100 b40400 c100050 c40500",
		  "a100000 a100100 a40200* b100100 b40400* c100050 c40500*", true, 1, false },
		{ "a ring that has not been read so far", "a100000 b100000 a104000 b100100",
		  "a100000 b100000 a104000 b100100", true, 0, false },
		{ "a pause in each ring is no step", "a100000 b100000 a110000 b110000 a120000",
		  "a100000 b100000 a110000 b110000 a120000", true, 0, false },
		{ "the first frame of a ring is of before the step",
		  "a100000 a40000 c100050 a40100 c40200", "a100000 a40000* c100050 a40100* c40200",
		  true, 1, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++)
		is_told(&stories[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_live),
	};

	return cmocka_run_group_tests_name("pipeline_steps", tests, NULL, NULL);
}
