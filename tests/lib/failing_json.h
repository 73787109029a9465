/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failing_json.h - memory that ends at the n-th piece that jansson asks for.
 *
 * jansson takes other functions for its memory than the C library's (json_set_alloc_funcs()), so
 * what is written with it can be tried with each piece missing, without a library to preload.
 */
#ifndef FAILING_JSON_H
#define FAILING_JSON_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAILING_JSON_MAX 100000

static struct {
	long left; /* pieces that are given still */
	long open; /* given and not taken back */
	bool for_good; /* after the first one that is missing all are; else that one alone */
} failing_json;

static void *failing_json_malloc(size_t n)
{
	void *p;

	if (failing_json.left-- == 0 || (failing_json.left < 0 && failing_json.for_good))
		return NULL;
	p = malloc(n);
	failing_json.open += p != NULL;
	return p;
}

static void failing_json_free(void *p)
{
	failing_json.open -= p != NULL;
	free(p);
}

/*
 * print(out, arg) with the first, the second, ... piece missing, once and for good, until it needs
 * no more: each time it prints `want` (what is only missing once may be had in another way), or
 * says that memory is missing, and gives back all it took.
 */
static void failing_json_sweep(int (*print)(FILE *out, const void *arg), const void *arg,
			       const char *want)
{
	for (unsigned i = 0; i < 2; i++) {
		unsigned refused = 0;
		bool enough = false;

		for (long n = 0; !enough && n < FAILING_JSON_MAX; n++) {
			char *text = NULL;
			size_t len = 0;
			FILE *f = open_memstream(&text, &len);
			int rc;

			assert_non_null(f);
			failing_json.left = n;
			failing_json.open = 0;
			failing_json.for_good = i;
			json_set_alloc_funcs(failing_json_malloc, failing_json_free);
			rc = print(f, arg);
			json_set_alloc_funcs(malloc, free);
			assert_int_equal(fclose(f), 0);
			assert_int_equal(failing_json.open, 0);
			enough = failing_json.left >= 0;
			if (rc) {
				assert_int_equal(rc, -ENOMEM);
				assert_false(enough);
				refused++;
			} else {
				assert_string_equal(text, want);
			}
			free(text);
		}
		assert_true(enough && refused > 0);
	}
}

#endif
