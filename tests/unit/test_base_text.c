/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_text.c - failure texts, log lines, name tables, histogram, ends of results.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/chain.h"
#include "podhop/err.h"
#include "podhop/hist.h"
#include "podhop/log.h"
#include "podhop/model.h"
#include "podhop/result.h"

static void test_err(void **state)
{
	struct err e = ERR_INIT;
	char longer[2 * ERR_TEXT_MAX];

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "no %s", "pod"), -ENOENT);
	assert_int_equal(e.class, ERR_FAILED);
	assert_string_equal(e.text, "no pod");
	assert_int_equal(err_prefix(&e, "open %s", "x"), -ENOENT);
	assert_string_equal(e.text, "open x: no pod");
	assert_int_equal(err_sys(&e, -EPERM, "open"), -EPERM);
	assert_string_equal(e.text, "open: Operation not permitted");
	assert_int_equal(err_usage(&e, 0, "again: %s", e.text), -EIO);
	assert_int_equal(e.class, ERR_USAGE);
	assert_string_equal(e.text, "again: open: Operation not permitted");
	assert_int_equal(err_prefix(&e, "p"), -EIO);
	assert_int_equal(e.class, ERR_USAGE);

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	err_sys(&e, EPERM, "%s", longer);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);
	err_prefix(&e, "%s", longer);
	assert_int_equal(strlen(e.text), ERR_TEXT_MAX - 1);

	err_clear(&e);
	assert_int_equal(e.class, ERR_NONE);
	assert_string_equal(e.text, "");
	err_clear(NULL);
	assert_int_equal(err_set(NULL, EINVAL, "x"), -EINVAL);
	assert_int_equal(err_sys(NULL, -EINVAL, "x"), -EINVAL);
	assert_true(err_prefix(NULL, "x") < 0);
}

/* What log_write() puts on stderr while f runs. */
static void logged(void (*f)(void), char *out, size_t size)
{
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
	f();
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	close(fds[1]);
	n = read(fds[0], out, size - 1);
	close(fds[0]);
	out[n > 0 ? n : 0] = '\0';
}

static void log_some(void)
{
	char longer[4096];

	memset(longer, 'a', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	log_set_level(LOG_LEVEL_WARN);
	log_info("base", "not shown");
	log_error("base", "open %s", "a\033[2Jb\nc");
	log_warn("base", "careful");
	log_set_level(LOG_LEVEL_ERROR);
	log_warn("base", "not shown");
	log_error("base", "%s", longer);
	log_set_level(LOG_LEVEL_WARN);
}

static void test_log(void **state)
{
	static const char want[] = "podhop: base: open a?[2Jb?c\npodhop: base: warning: careful\n";
	char out[8192];

	(void)state;
	logged(log_some, out, sizeof(out));
	assert_memory_equal(out, want, sizeof(want) - 1);
	assert_int_equal(out[strlen(out) - 1], '\n');
	assert_null(strstr(out, "not shown"));
	assert_true(log_enabled(LOG_LEVEL_WARN));
	assert_false(log_enabled(LOG_LEVEL_INFO));
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = MODEL_ROLE_VETH; i < MODEL_ROLE_COUNT; i++)
		assert_int_equal(model_role_parse(model_role_name((enum model_role)i)), i);
	assert_int_equal(model_role_parse("none"), MODEL_ROLE_NONE);
	assert_int_equal(model_role_parse("Veth"), MODEL_ROLE_NONE);
	assert_int_equal(model_role_parse(""), MODEL_ROLE_NONE);
	for (unsigned i = 0; i < MODEL_ROUTE_COUNT; i++) {
		enum model_route_kind kind = MODEL_ROUTE_COUNT;

		assert_true(model_route_parse(model_route_name((enum model_route_kind)i), &kind));
		assert_int_equal(kind, i);
		assert_false(model_route_parse("VTEP", &kind));
		assert_int_equal(kind, i);
	}
	assert_string_equal(model_route_name(MODEL_ROUTE_VTEP), "vtep");
	assert_string_equal(model_role_name(MODEL_ROLE_NONE), "none");
	assert_string_equal(model_role_name(MODEL_ROLE_UNDERLAY), "underlay");
	assert_string_equal(model_direction_name(MODEL_DIRECTION_INGRESS), "ingress");
	assert_string_equal(model_protocol_name(MODEL_PROTO_ICMPV6), "icmpv6");
	assert_null(model_protocol_name(2));
	assert_string_equal(result_status_name(RESULT_EDGE), "edge");
	assert_string_equal(result_status_name((enum result_status)0), "?");
	assert_string_equal(result_basis_name(RESULT_BASIS_UNKNOWN), "unknown");
	assert_null(result_basis_name(RESULT_BASIS_NONE));
}

static void test_basis(void **state)
{
	enum { N = RESULT_BASIS_NONE, O = RESULT_BASIS_OBSERVED, C = RESULT_BASIS_COMPUTED,
	       M = RESULT_BASIS_MIXED, U = RESULT_BASIS_UNKNOWN };
	static const uint8_t want[5][5] = {
		[N] = { N, O, C, M, U }, [O] = { O, O, M, M, M }, [C] = { C, M, C, M, M },
		[M] = { M, M, M, M, M }, [U] = { U, M, M, M, U },
	};

	(void)state;
	for (unsigned a = 0; a < 5; a++)
		for (unsigned b = 0; b < 5; b++)
			assert_int_equal(result_basis_join((enum result_basis)a,
							   (enum result_basis)b), want[a][b]);
}

static void test_path(void **state)
{
	struct result_path p = { .n = 0 };
	char out[RESULT_PATH_STR_MAX];

	(void)state;
	assert_string_equal(result_path_str(&p, out), "");
	for (p.n = 0; p.n < 4; p.n++)
		p.role[p.n] = (uint8_t)(MODEL_ROLE_VETH + p.n);
	assert_string_equal(result_path_str(&p, out), "veth>bridge>vtep>underlay");
	for (p.n = 0; p.n < RESULT_PATH_MAX; p.n++)
		p.role[p.n] = MODEL_ROLE_UNDERLAY;
	p.cut = true;
	result_path_str(&p, out);
	assert_int_equal(strlen(out), RESULT_PATH_MAX * 9 + 4);
	assert_string_equal(out + RESULT_PATH_MAX * 9 - 1, ">loop");
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void test_hist(void **state)
{
	static struct hist h;
	static uint64_t v[20000];
	const size_t n = sizeof(v) / sizeof(v[0]);
	uint64_t x = 88172645463325252ULL;

	(void)state;
	assert_int_equal(hist_percentile(&h, 50), 0);
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		v[i] = x >> (21 + x % 40);
		hist_add(&h, v[i]);
	}
	qsort(v, n, sizeof(v[0]), compare);
	assert_int_equal(h.n, n);
	assert_int_equal(h.min, v[0]);
	assert_int_equal(h.max, v[n - 1]);
	/* Bars hold each sample once and leave no gap. */
	uint64_t end = 0;
	size_t k = 0;
	for (unsigned i = 0; i < HIST_BARS; i++) {
		uint64_t from, to, in = hist_bar(&h, i, &from, &to);
		size_t want = k;

		assert_true(from == end && to > from);
		end = to;
		while (k < n && v[k] < to)
			k++;
		assert_int_equal(in, k - want);
	}
	assert_int_equal(k, n);
	assert_int_equal(hist_percentile(&h, 0), v[0]);
	assert_int_equal(hist_percentile(&h, 100), v[n - 1]);
	for (unsigned pct = 1; pct < 100; pct++) {
		uint64_t exact = v[n * pct / 100 - 1], got = hist_percentile(&h, pct);
		uint64_t off = got > exact ? got - exact : exact - got;

		assert_true(off * 100 <= exact);
	}
}

/* The kernel's stamps: what was measured as 23 us is said to be 23 us. */
static void test_hist_of_microseconds(void **state)
{
	(void)state;
	for (uint64_t us = 1; us <= 64; us++) {
		struct hist h = { .n = 0 };

		hist_add(&h, (us - 1) * 1000);
		hist_add(&h, us * 1000);
		hist_add(&h, 1000000);
		assert_int_equal(hist_percentile(&h, 50), us * 1000);
		hist_add(&h, 1000001); /* nanoseconds: nobody knows */
		assert_true(hist_percentile(&h, 50) * 100 > us * 1000 * 99);
		assert_true(us < 3 || hist_percentile(&h, 50) % 1000);
	}
}

static void test_hist_edges(void **state)
{
	static struct hist h;

	(void)state;
	hist_add(&h, 1000);
	assert_int_equal(hist_percentile(&h, 50), 1000);
	hist_add(&h, UINT64_MAX);
	hist_add(&h, UINT64_MAX);
	assert_int_equal(hist_percentile(&h, 60), UINT64_MAX);
	assert_int_equal(hist_percentile(&h, 1), 1000);

	uint64_t from, to;
	assert_int_equal(hist_bar(&h, HIST_BARS - 1, &from, &to), 2);
	assert_true(to == UINT64_MAX);
	assert_int_equal(hist_bar(&h, HIST_BARS, &from, &to), 0);
}

static void test_sizes(void **state)
{
	(void)state;
	for (unsigned i = 0; i + 1 < RESULT_SIZES; i++) {
		assert_int_equal(result_size_class(result_size_limit(i)), i);
		assert_int_equal(result_size_class(result_size_limit(i) + 1), i + 1);
	}
	assert_int_equal(result_size_class(0), 0);
	assert_int_equal(result_size_class(UINT32_MAX), RESULT_SIZES - 1);
	assert_true(result_size_limit(RESULT_SIZES) == UINT32_MAX);
}

static void test_end(void **state)
{
	struct result r = { .node = strdup("n"), .n_inputs = 1, .n_losses = 2 };
	struct chain *c = calloc(1, sizeof(*c));

	(void)state;
	/* Half built: a count without its array, arrays with holes. */
	r.losses = calloc(2, sizeof(*r.losses));
	r.losses[0].reason = strdup("why");
	r.losses[0].n_evidence = 2;
	r.losses[0].evidence = calloc(2, sizeof(char *));
	r.losses[0].evidence[1] = strdup("e");
	result_free(&r);
	assert_null(r.node);
	assert_int_equal(r.n_losses, 0);
	result_free(&r);
	result_free(NULL);

	c->n_pods = 2;
	c->pods = calloc(2, sizeof(*c->pods));
	c->pods[0].name = strdup("p");
	c->pods[0].n_interfaces = 1;
	c->pods[0].interfaces = calloc(1, sizeof(*c->pods[0].interfaces));
	c->pods[0].interfaces[0].link.addrs = calloc(1, sizeof(struct prefix));
	c->pods[1].n_containers = 3;
	c->host.n_vteps = 1;
	c->host.vteps = calloc(1, sizeof(*c->host.vteps));
	c->host.vteps[0].link.addrs = calloc(1, sizeof(struct prefix));
	c->host.n_bridges = 1;
	chain_free(c);
	chain_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err),   cmocka_unit_test(test_log),
		cmocka_unit_test(test_names), cmocka_unit_test(test_basis),
		cmocka_unit_test(test_path),  cmocka_unit_test(test_hist),
		cmocka_unit_test(test_hist_of_microseconds),
		cmocka_unit_test(test_hist_edges), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
