/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmocka.h - as much of cmocka as the unit tests use, for machines that have no cmocka.
 *
 * Used by tests/lib/check-port alone, which builds for another byte order and word size with
 * nothing but a C library.
 */
#ifndef TEST_PORT_CMOCKA_H
#define TEST_PORT_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state), (*teardown)(void **state);
};

static jmp_buf port_end;

enum { PORT_PASSED = 0, PORT_FAILED, PORT_SKIPPED };

__attribute__((noreturn, format(printf, 3, 4)))
static inline void port_fail(const char *file, int line, const char *format, ...)
{
	va_list ap;

	printf("# %s:%d: ", file, line);
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	printf("\n");
	longjmp(port_end, PORT_FAILED);
}

static inline unsigned port_run(const struct CMUnitTest *tests, size_t n)
{
	static volatile unsigned failed;

	failed = 0;
	printf("1..%zu\n", n);
	for (volatile size_t i = 0; i < n; i++) {
		const struct CMUnitTest *t = &tests[i];
		static void *state;

		state = NULL;
		if (t->setup && t->setup(&state))
			port_fail(__FILE__, __LINE__, "setup of %s", t->name);
		int how = setjmp(port_end);
		if (how == 0)
			t->test(&state);
		failed += how == PORT_FAILED;
		printf("%s %zu - %s%s\n", how == PORT_FAILED ? "not ok" : "ok", i + 1, t->name,
		       how == PORT_SKIPPED ? " # SKIP" : "");
		if (t->teardown)
			t->teardown(&state);
	}
	return failed;
}

#define cmocka_unit_test(f) { #f, f, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, up, down) { #f, f, up, down }
#define cmocka_run_group_tests(tests, up, down)					\
	((up) && ((int (*)(void **))(up))(&(void *){ NULL }) ? 1 :		\
		 (int)port_run(tests, sizeof(tests) / sizeof((tests)[0])))
#define cmocka_run_group_tests_name(name, tests, up, down) cmocka_run_group_tests(tests, up, down)

#define port_must(c) ((c) ? (void)0 : port_fail(__FILE__, __LINE__, "%s", #c))
#define fail_msg(...) port_fail(__FILE__, __LINE__, __VA_ARGS__)
#define skip() longjmp(port_end, PORT_SKIPPED)
#define print_message(...) (void)printf("# " __VA_ARGS__)

#define assert_true(c) port_must(c)
#define assert_false(c) port_must(!(c))
#define assert_null(p) port_must(!(p))
#define assert_non_null(p) port_must(p)
#define assert_ptr_equal(a, b) port_must((a) == (b))
#define assert_ptr_not_equal(a, b) port_must((a) != (b))
#define port_int(a, b, op)							\
	do {									\
		uintmax_t port_a = (uintmax_t)(a), port_b = (uintmax_t)(b);	\
		if (!(port_a op port_b))					\
			port_fail(__FILE__, __LINE__, "%s is %jd, %s is %jd", #a,	\
				  (intmax_t)port_a, #b, (intmax_t)port_b);	\
	} while (0)
#define assert_int_equal(a, b) port_int(a, b, ==)
#define assert_int_not_equal(a, b) port_int(a, b, !=)
#define assert_in_range(v, min, max) port_must((v) >= (min) && (v) <= (max))
#define assert_string_equal(a, b)						\
	do {									\
		const char *port_a = (a), *port_b = (b);			\
		if (strcmp(port_a, port_b))					\
			port_fail(__FILE__, __LINE__, "\"%s\" is not \"%s\"", port_a, port_b);	\
	} while (0)
#define assert_string_not_equal(a, b) port_must(strcmp(a, b))
#define assert_memory_equal(a, b, n) port_must(!memcmp(a, b, n))
#define assert_memory_not_equal(a, b, n) port_must(memcmp(a, b, n))

#endif
