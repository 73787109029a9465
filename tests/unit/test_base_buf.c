/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_buf.c - buffers stop at their maximum; files are read whole or refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/buf.h"

static void test_grows(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 100; i++)
		buf_addf(&b, "%02d,", i);
	buf_addc(&b, '!');
	buf_adds(&b, "end");
	buf_add(&b, "", 0);
	assert_false(b.failed);
	assert_int_equal(b.len, 304);
	assert_int_equal(strlen(buf_str(&b)), 304);
	assert_string_equal(buf_str(&b) + 294, "98,99,!end");
	buf_clear(&b);
	assert_string_equal(buf_str(&b), "");
	buf_done(&b);
	buf_done(&b);
}

static void test_limit(void **state)
{
	static const struct {
		size_t max, len;	/* of "abc" + "%s" of "defg" */
		bool failed;
	} rows[] = {
		{ 7, 7, false }, { 6, 3, true }, { 3, 3, true }, { 2, 0, true }, { 0, 0, true }
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf b;

		buf_init(&b, rows[i].max);
		buf_adds(&b, "abc");
		buf_addf(&b, "%s", "defg");
		assert_int_equal(b.failed, rows[i].failed);
		assert_int_equal(b.len, rows[i].len);
		assert_true(b.size <= rows[i].max + 1);
		assert_memory_equal(buf_str(&b), "abcdefg", rows[i].len);
		assert_int_equal(strlen(buf_str(&b)), rows[i].len);
		/* Failed stays failed: no later addition that would fit gets in. */
		buf_addc(&b, 'x');
		if (rows[i].failed)
			assert_int_equal(b.len, rows[i].len);
		buf_clear(&b);
		assert_false(b.failed);
		buf_done(&b);
	}
}

static void test_binary(void **state)
{
	static const uint8_t bytes[] = { 0, 1, 0, 255 };
	struct buf b;

	(void)state;
	buf_init(&b, SIZE_MAX);
	buf_add(&b, bytes, sizeof(bytes));
	assert_int_equal(b.len, sizeof(bytes));
	assert_memory_equal(b.data, bytes, sizeof(bytes));
	buf_add(&b, bytes, SIZE_MAX - 2);	/* must not be read */
	assert_true(b.failed);
	buf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_binary),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
