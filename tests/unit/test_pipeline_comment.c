/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_pipeline_comment.c - a frame's comment, to the letter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/pipeline.h"

static void expect(const struct correlate_mark *m, const char *text)
{
	static struct pipeline_comments kept;
	char out[512];

	/* As it is written first, and from what was kept. */
	for (unsigned i = 0; i < 2; i++) {
		size_t n = pipeline_comment(&kept, m, out, sizeof(out));

		assert_int_equal(n, strlen(text));
		assert_memory_equal(out, text, n);
		for (size_t k = 0; k < n; k++)
			assert_in_range(out[k], 0x20, 0x7e);
	}
}

static void test_first_hop_has_no_time(void **state)
{
	struct correlate_mark m = { .id = 31, .hop = 1, .direction = MODEL_DIRECTION_EGRESS,
				    .path = { .n = 1, .role = { MODEL_ROLE_VETH } }, .dt_ns = -1 };

	(void)state;
	expect(&m, "podhop id=31 hop=1 dir=egress path=veth");
}

static void test_the_contract_s_example(void **state)
{
	struct correlate_mark m = { .id = 31, .hop = 3, .direction = MODEL_DIRECTION_EGRESS,
				    .path = { .n = 3, .role = { MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE,
								MODEL_ROLE_VTEP } },
				    .dt_ns = 24000 };

	(void)state;
	expect(&m, "podhop id=31 hop=3 dir=egress path=veth>bridge>vtep dt_ns=24000");
}

static void test_everything_at_its_largest(void **state)
{
	struct correlate_mark m = { .id = UINT64_MAX, .hop = 2,
				    .direction = MODEL_DIRECTION_INGRESS,
				    .path = { .n = 2, .role = { MODEL_ROLE_UNDERLAY,
								MODEL_ROLE_VTEP } },
				    .dt_ns = 0, .ambiguous = 4294967295u, .translated = true };

	(void)state;
	m.translation.has_ports = true;
	m.translation.sport = 65535;
	m.translation.dport = 80;
	assert_int_equal(addr_parse("fd00::1", &m.translation.src), 0);
	assert_int_equal(addr_parse("fd00::2", &m.translation.dst), 0);
	expect(&m, "podhop id=18446744073709551615 hop=2 dir=ingress path=underlay>vtep dt_ns=0 "
		   "amb=4294967295 nat=[fd00::1]:65535>[fd00::2]:80");
}

/* Texts that are kept in one place give way to each other. */
static void test_every_path_is_told_apart(void **state)
{
	char text[512], path[RESULT_PATH_STR_MAX];

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		struct correlate_mark m = { .id = n, .dt_ns = -1, .direction = n % 3 };

		for (unsigned k = n, i = 0; k && i < RESULT_PATH_MAX; k /= 4, i++)
			m.path.role[m.path.n++] = (uint8_t)(1 + k % 4);
		m.hop = m.path.n;
		snprintf(text, sizeof(text), "podhop id=%u hop=%u dir=%s path=%s", n, m.hop,
			 model_direction_name(m.direction), result_path_str(&m.path, path));
		expect(&m, text);
	}
}

static void test_a_small_buffer_is_not_overrun(void **state)
{
	struct correlate_mark m = { .id = 12345, .hop = 1, .dt_ns = -1 };
	struct pipeline_comments kept = { 0 };
	char out[64];

	(void)state;
	for (size_t size = 0; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		assert_true(pipeline_comment(&kept, &m, out, size) <= size);
		for (size_t i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_hop_has_no_time),
		cmocka_unit_test(test_the_contract_s_example),
		cmocka_unit_test(test_everything_at_its_largest),
		cmocka_unit_test(test_every_path_is_told_apart),
		cmocka_unit_test(test_a_small_buffer_is_not_overrun),
	};

	return cmocka_run_group_tests_name("pipeline comment", tests, NULL, NULL);
}
