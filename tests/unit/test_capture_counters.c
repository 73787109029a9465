/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_capture_counters.c - what the kernel counts in 32 bits, added up in 64.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/capture/capture_priv.h"

static void test_wrap(void **state)
{
	static const struct {
		uint32_t now;
		uint64_t total;
	} reads[] = {
		{ 0, 0 },
		{ 5, 5 },
		{ 5, 5 },
		{ UINT32_MAX, UINT32_MAX },
		{ 0, UINT64_C(1) << 32 },
		{ 7, (UINT64_C(1) << 32) + 7 },
		{ 6, (UINT64_C(2) << 32) + 6 }, /* once around, less one */
	};
	uint64_t total = 0;
	uint32_t last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		capture_count_on(&total, &last, reads[i].now);
		assert_int_equal(total, reads[i].total);
	}
	/* a day of a full wire: three million a second, looked at ten times a second */
	for (uint64_t n = 0; n < UINT64_C(864000); n++)
		capture_count_on(&total, &last, last + 300000u);
	assert_int_equal(total, (UINT64_C(2) << 32) + 6 + UINT64_C(864000) * 300000u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
	};

	return cmocka_run_group_tests_name("capture_counters", tests, NULL, NULL);
}
