/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_near.c - "did you mean": what is near, what is a guess.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/near.h"

static const char *nearest(const char *word, bool beginnings, const char *const *candidates)
{
	struct near n;

	near_begin(&n, word, beginnings);
	for (; *candidates; candidates++)
		near_try(&n, *candidates);
	return n.best;
}

static void test_slips(void **state)
{
	static const char *const words[] = { "list", "capture", "report", "resolve", NULL };

	(void)state;
	assert_string_equal(nearest("captrue", false, words), "capture");
	assert_string_equal(nearest("capt", false, words) ? "" : "none", "none");
	assert_string_equal(nearest("reprot", false, words), "report");
	assert_string_equal(nearest("resolv", false, words), "resolve");
	assert_string_equal(nearest("lits", false, words), "list");
	assert_null(nearest("x", false, words));
	assert_null(nearest("", false, words));
	assert_null(nearest("completely-else", false, words));
}

static void test_the_nearest_wins(void **state)
{
	static const char *const words[] = { "no-nat", "node", "nano", NULL };

	(void)state;
	assert_string_equal(nearest("nanno", false, words), "nano");
	assert_string_equal(nearest("no-natt", false, words), "no-nat");
}

static void test_beginnings(void **state)
{
	static const char *const pods[] = { "webapp", "web-7d9c5b-x2lqm", "api-0", NULL };

	(void)state;
	assert_string_equal(nearest("web", true, pods), "web-7d9c5b-x2lqm");
	assert_null(nearest("web", false, pods));
	assert_string_equal(nearest("ap-0", true, pods), "api-0");
}

static void test_long_words(void **state)
{
	char a[300], b[300];
	const char *const words[] = { b, NULL };

	(void)state;
	memset(a, 'a', sizeof(a));
	memset(b, 'a', sizeof(b));
	a[299] = b[298] = '\0';
	assert_null(nearest(a, false, words));
	a[64] = b[63] = '\0';
	assert_ptr_equal(nearest(a, false, words), b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slips),
		cmocka_unit_test(test_the_nearest_wins),
		cmocka_unit_test(test_beginnings),
		cmocka_unit_test(test_long_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
