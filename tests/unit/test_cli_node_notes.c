/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cli_node_notes.c - where FDB and routes led, as comments tell it, and as they must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/inputs_priv.h"

#include <cmocka.h> /* last: it has a macro called fail() */

static struct model_net *net;

static int setup(void **state)
{
	(void)state;
	net = calloc(1, sizeof(*net));
	return net ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	free(net->routes);
	free(net);
	return 0;
}

/* What is known, as text: "prefix=node ..." in the order in which it came. */
static const char *known(void)
{
	static char text[512];
	char prefix[PREFIX_STR_MAX], addr[ADDR_STR_MAX];
	size_t len = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < net->n_remotes; i++) {
		const struct model_remote *r = &net->remotes[i];

		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s=%s", i ? " " : "",
					prefix_str(&r->pods, prefix),
					addr_is_none(&r->node) ? "?" : addr_str(&r->node, addr));
		assert_true(len < sizeof(text));
	}
	return text;
}

static void test_read(void **state)
{
	static const struct {
		const char *note, *known;
	} cases[] = {
		{ "podhop remotes 10.244.2.0/24=192.168.77.12", "10.244.2.0/24=192.168.77.12" },
		{ "podhop remotes 10.244.2.0/24=192.168.77.12 fd00:10:244:2::/64=fd00:77::12",
		  "10.244.2.0/24=192.168.77.12 fd00:10:244:2::/64=fd00:77::12" },
		/* the inner family need not be the outer one */
		{ "podhop remotes 10.244.2.0/24=fd00:77::12", "10.244.2.0/24=fd00:77::12" },
		{ "podhop remotes  10.244.2.0/24=192.168.77.12  ", "10.244.2.0/24=192.168.77.12" },
		/* one bad entry spoils no other */
		{ "podhop remotes x 10.244.2.0/33=1.2.3.4 =1.2.3.4 10.244.2.0/24= 1.2.3.4 "
		  "10.244.3.0/24=a=b 10.244.4.0/24=1.2.3.4=5 10.244.5.0/24=1.2.3.4",
		  "10.244.5.0/24=1.2.3.4" },
		{ "podhop remotes", "" },
		{ "podhop remotes ", "" },
		{ "podhop remotes10.244.2.0/24=192.168.77.12", "" },
		{ "podhop remote 10.244.2.0/24=192.168.77.12", "" },
		{ "", "" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(net, 0, sizeof(*net));
		note_parse(net, cases[i].note);
		assert_string_equal(known(), cases[i].known);
	}
	(void)state;
}

/* Files of one node that differ: nobody knows, and a third does not make it known again. */
static void test_contradiction(void **state)
{
	(void)state;
	note_parse(net, "podhop remotes 10.244.2.0/24=192.168.77.12");
	note_parse(net, "podhop remotes 10.244.2.0/24=192.168.77.12");
	assert_string_equal(known(), "10.244.2.0/24=192.168.77.12");
	note_parse(net, "podhop remotes 10.244.2.0/24=192.168.77.13");
	assert_string_equal(known(), "10.244.2.0/24=?");
	note_parse(net, "podhop remotes 10.244.2.0/24=192.168.77.13");
	assert_string_equal(known(), "10.244.2.0/24=?");
}

/* Text as long as a note can be, and longer: no byte behind it is read or written. */
static void test_long(void **state)
{
	char *note = malloc(PCAPNG_STRING_MAX + 1);
	const char *start = "podhop remotes 10.244.2.0/24=192.168.77.12 ";

	(void)state;
	assert_non_null(note);
	memset(note, '7', PCAPNG_STRING_MAX);
	memcpy(note, start, strlen(start));
	note[PCAPNG_STRING_MAX] = '\0';
	note_parse(net, note); /* cannot be one of ours: told as a whole, or not at all */
	assert_string_equal(known(), "");
	note[PCAPNG_STRING_MAX - 1] = '\0';
	note_parse(net, note);
	assert_string_equal(known(), "10.244.2.0/24=192.168.77.12");
	free(note);
}

/* More than there is room for; and what is written can be read again. */
static void test_many(void **state)
{
	struct note_lines *lines = calloc(1, sizeof(*lines));
	struct model_net *again = calloc(1, sizeof(*again));
	char note[128];

	(void)state;
	assert_non_null(lines);
	assert_non_null(again);
	for (unsigned i = 0; i < MODEL_REMOTES_MAX + 5; i++) {
		snprintf(note, sizeof(note), "podhop remotes 10.%u.%u.0/24=192.168.%u.%u",
			 i / 256 % 256, i % 256, i / 256 % 256, i % 256);
		note_parse(net, note);
	}
	assert_int_equal(net->n_remotes, MODEL_REMOTES_MAX);
	note_remotes(net, lines);
	assert_true(lines->n > 1);
	for (unsigned i = 0; i < lines->n; i++) {
		assert_true(strlen(lines->line[i]) < PCAPNG_STRING_MAX);
		note_parse(again, lines->line[i]);
	}
	assert_int_equal(again->n_remotes, MODEL_REMOTES_MAX);
	for (unsigned i = 0; i < again->n_remotes; i++) {
		assert_true(addr_eq(&again->remotes[i].node, &net->remotes[i].node));
		assert_true(addr_eq(&again->remotes[i].pods.addr, &net->remotes[i].pods.addr));
	}
	free(again);
	free(lines);
}

/* Routes are known when all of them were told, and none of them in two ways. */
static void test_routes(void **state)
{
	static const struct {
		const char *notes[3];
		unsigned n;
		bool known;
	} cases[] = {
		{ { "podhop routes 10.244.1.0/24=local 0.0.0.0/0=direct", "podhop routes end" },
		  2, true },
		{ { "podhop routes fd00:1::/64=vtep 169.254.20.10/32=node end" }, 2, true },
		{ { "podhop routes 10.0.0.0/8=blackhole 10.1.0.0/16=unknown end" }, 2, true },
		{ { "podhop routes 10.244.1.0/24=local 0.0.0.0/0=direct" }, 2, false },
		{ { "podhop routes end" }, 0, false },
		{ { "podhop routes 10.244.1.0/24=elsewhere 10.0.0.0/33=node x=node =node end" },
		  0, false },
		{ { "podhop routes 10.0.0.0/8=vtep end", "podhop routes 10.0.0.0/8=vtep end" },
		  1, true },
		{ { "podhop routes 10.0.0.0/8=vtep end", "podhop routes 10.0.0.0/8=direct end",
		    "podhop routes 10.0.0.0/8=direct end" }, 1, false },
		{ { "podhop remotes 10.0.0.0/8=vtep end", "podhop route 10.0.0.0/8=vtep end" },
		  0, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		free(net->routes);
		memset(net, 0, sizeof(*net));
		for (unsigned k = 0; k < 3 && cases[i].notes[k]; k++)
			note_parse(net, cases[i].notes[k]);
		assert_int_equal(net->n_routes, cases[i].n);
		assert_int_equal(net->routes_known, cases[i].known);
	}
	(void)state;
}

/* n routes, written and read again. */
static void written_and_read(unsigned n, bool known)
{
	struct note_lines *lines = calloc(1, sizeof(*lines));
	struct model_net *again = calloc(1, sizeof(*again));

	assert_non_null(lines);
	assert_non_null(again);
	net->routes = calloc(n, sizeof(*net->routes));
	assert_non_null(net->routes);
	for (unsigned i = 0; i < n; i++) {
		char text[PREFIX_STR_MAX];

		snprintf(text, sizeof(text), "fd00:10:%x:%x:aaaa:bbbb:cccc:dddd/128", i / 65536,
			 i % 65536);
		assert_int_equal(prefix_parse(text, &net->routes[i].dst), 0);
		net->routes[i].kind = i % (MODEL_ROUTE_BLACKHOLE + 1);
	}
	net->n_routes = n;
	net->routes_known = true;
	note_routes(net, lines);
	for (unsigned i = 0; i < lines->n; i++) {
		assert_true(strlen(lines->line[i]) < PCAPNG_STRING_MAX);
		note_parse(again, lines->line[i]);
	}
	assert_int_equal(again->routes_known, known);
	assert_int_equal(again->n_routes, known ? n : 0);
	for (unsigned i = 0; i < again->n_routes; i++) {
		assert_int_equal(again->routes[i].kind, net->routes[i].kind);
		assert_true(addr_eq(&again->routes[i].dst.addr, &net->routes[i].dst.addr));
		assert_int_equal(again->routes[i].dst.len, net->routes[i].dst.len);
	}
	free(net->routes);
	net->routes = NULL;
	free(again->routes);
	free(again);
	free(lines);
}

/* More than a file tells, or than were read: none of them, rather than a part. */
static void test_many_routes(void **state)
{
	struct note_lines *lines = calloc(1, sizeof(*lines));

	(void)state;
	assert_non_null(lines);
	written_and_read(1, true);
	written_and_read(1000, true);
	written_and_read(MODEL_ROUTES_MAX, false);
	net->n_routes = 0;
	note_routes(net, lines);
	assert_int_equal(lines->n, 0);
	free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contradiction, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_routes, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
