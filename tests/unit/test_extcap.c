/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_extcap.c - Wireshark's extcap protocol: calls as tshark 4.0.17 makes them, answers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/extcap.h"

#define WORDS_MAX 24

static int parse(const char *const *words, struct extcap_call *call, struct err *err)
{
	char *argv[WORDS_MAX + 2] = { strdup("podhop") };
	static char text[WORDS_MAX][128];	/* the call points into argv */
	int argc = 1, rc;

	for (; words[argc - 1]; argc++) {
		snprintf(text[argc - 1], sizeof(text[0]), "%s", words[argc - 1]);
		argv[argc] = text[argc - 1];
	}
	rc = extcap_parse(argc, argv, call, err);
	free(argv[0]);
	return rc;
}

static void calls(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		enum extcap_action action;
	} rows[] = {
		{ { "--extcap-interfaces", "--extcap-version=4.0" }, EXTCAP_INTERFACES },
		{ { "--extcap-interfaces", "--extcap-version", "4.6" }, EXTCAP_INTERFACES },
		{ { "--extcap-config", "--extcap-interface", "podhop-a-b" }, EXTCAP_CONFIG },
		{ { "--extcap-dlts", "--extcap-interface", "podhop-a-b" }, EXTCAP_DLTS },
		{ { "--extcap-dlts", "--extcap-interface=podhop-a-b" }, EXTCAP_DLTS },
		{ { "--extcap-config", "--extcap-interface", "x", "--extcap-reload-option",
		    "direction", "--snaplen", "100" }, EXTCAP_RELOAD },
		{ { "--extcap-capture-filter", "tcp", "--extcap-interface", "x" }, EXTCAP_FILTER },
		{ { "--capture", "--extcap-interface", "x", "--extcap-capture-filter", "tcp",
		    "--fifo", "/tmp/f" }, EXTCAP_CAPTURE },
		{ { "--extcap-new-thing", "value", "--extcap-interfaces" }, EXTCAP_INTERFACES },
		{ { "--extcap-new-flag", "--extcap-interfaces" }, EXTCAP_INTERFACES },
		{ { "--extcap-interfaces", "--host-root", "/host" }, EXTCAP_INTERFACES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct extcap_call call;
		struct err err = ERR_INIT;

		if (parse(rows[i].words, &call, &err) < 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_int_equal(call.action, rows[i].action);
	}
}

static void capture_call(void **state)
{
	static const char *const words[] = {
		"--capture", "--extcap-interface", "podhop-default-web", "--fifo", "/tmp/f",
		"--extcap-control-in", "/tmp/i", "--extcap-control-out", "/tmp/o",
		"--snaplen", "128", "--filter", "", "--hops", "underlay=bond0",
		"--terse", "--nano=false", "--names=/x.json", "--direction", "in", NULL,
	};
	struct extcap_call call;
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(parse(words, &call, &err), 0);
	assert_string_equal(call.interface, "podhop-default-web");
	assert_string_equal(call.fifo, "/tmp/f");
	assert_string_equal(call.snaplen, "128");
	assert_null(call.filter);
	assert_string_equal(call.hops, "underlay=bond0");
	assert_string_equal(call.names, "/x.json");
	assert_string_equal(call.direction, "in");
	assert_true(call.terse);
	assert_false(call.nano);
	assert_false(call.no_nat);
}

static void bad_calls(void **state)
{
	static const struct {
		const char *words[WORDS_MAX];
		const char *part;
	} rows[] = {
		{ { NULL }, "without --extcap-interfaces" },
		{ { "--extcap-version=4.0" }, "without --extcap-interfaces" },
		{ { "--extcap-config" }, "--extcap-interface is missing" },
		{ { "--extcap-config", "--extcap-interface" }, "needs a value" },
		{ { "--extcap-config", "--extcap-interface", "" },
		  "--extcap-interface is missing" },
		{ { "--capture", "--extcap-interface", "x" }, "--capture needs --fifo" },
		{ { "--extcap-interfaces", "--what" }, "--what is no option" },
		{ { "--extcap-interfaces", "stray" }, "stray is no option" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct extcap_call call = { .action = EXTCAP_DLTS };
		struct err err = ERR_INIT;

		assert_true(parse(rows[i].words, &call, &err) < 0);
		assert_int_equal(err.class, ERR_USAGE);
		if (!strstr(err.text, rows[i].part))
			fail_msg("row %zu: %s", i, err.text);
		assert_true(strlen(err.text) < EXTCAP_ERROR_MAX);
		assert_int_equal(call.action, EXTCAP_DLTS);
	}
}

static void is_call(void **state)
{
	char *const yes[] = { strdup("podhop"), strdup("--extcap-interfaces") };
	char *const also[] = { strdup("podhop"), strdup("--capture"), strdup("--fifo=/f") };
	char *const no[] = { strdup("podhop"), strdup("capture"), strdup("--fifo") };

	(void)state;
	assert_true(extcap_is_call(2, yes));
	assert_true(extcap_is_call(3, also));
	assert_false(extcap_is_call(2, also));
	assert_false(extcap_is_call(3, no));
	assert_false(extcap_is_call(0, no));
	for (int i = 0; i < 2; i++)
		free(yes[i]);
	for (int i = 0; i < 3; i++) {
		free(also[i]);
		free(no[i]);
	}
}

static struct chain_interface veth = { .host_veth = { .ifindex = 7 } }, none;

static struct chain_pod pod(const char *ns, const char *name)
{
	return (struct chain_pod){ .namespace_ = strdup(ns), .name = strdup(name),
				   .interfaces = &veth, .n_interfaces = 1 };
}

static void interfaces(void **state)
{
	struct addr ip;
	struct chain_pod pods[] = {
		pod("default", "web"), pod("a-b", "c"), pod("a", "b-c"), pod("kube-system", "host"),
		pod("default", "macvlan"), pod("", "lone"), pod("x", "web.1}{value=evil\n"),
		pod("", "b-d"), pod("b", "d"),
	};
	struct chain c = { .pods = pods, .n_pods = sizeof(pods) / sizeof(pods[0]) };
	struct buf out;

	(void)state;
	assert_int_equal(addr_parse("10.244.1.2", &ip), 0);
	pods[0].ips = &ip;
	pods[0].n_ips = 1;
	pods[3].host_network = true;
	pods[4].interfaces = &none;
	buf_init(&out, 65536);
	extcap_answer_interfaces(&c, "1.0", &out);
	assert_string_equal(buf_str(&out),
		"extcap {version=1.0}{display=podhop: pods at every hop}\n"
		"interface {value=podhop-default-web}{display=pod default/web 10.244.1.2}\n"
		"interface {value=podhop-a-b.c}{display=pod a-b/c}\n"
		"interface {value=podhop-a.b-c}{display=pod a/b-c}\n"
		"interface {value=podhop-lone}{display=pod lone}\n"
		"interface {value=podhop-x-web.1__value_evil_}"
		"{display=pod x/web.1__value_evil_}\n"
		"interface {value=podhop-b-d}{display=pod b-d}\n"
		"interface {value=podhop-b.d}{display=pod b/d}\n");
	assert_int_equal(extcap_find(&c, "podhop-b-d"), 7);
	assert_int_equal(extcap_find(&c, "podhop-b.d"), 8);
	assert_int_equal(extcap_find(&c, "podhop-default-web"), 0);
	assert_int_equal(extcap_find(&c, "podhop-a-b.c"), 1);
	assert_int_equal(extcap_find(&c, "podhop-a.b-c"), 2);
	assert_int_equal(extcap_find(&c, "podhop-a-b-c"), -1);
	assert_int_equal(extcap_find(&c, "podhop-kube-system-host"), -1);
	buf_clear(&out);
	extcap_answer_interfaces(NULL, "1.0", &out);
	assert_string_equal(buf_str(&out),
			    "extcap {version=1.0}{display=podhop: pods at every hop}\n");
	buf_done(&out);
	for (unsigned i = 0; i < c.n_pods; i++) {
		free(pods[i].namespace_);
		free(pods[i].name);
	}
}

/* Every answer is lines of sentences whose braces balance: Wireshark takes no other. */
static void sentences(void **state)
{
	struct buf out;
	unsigned args = 0;

	(void)state;
	buf_init(&out, 65536);
	extcap_answer_config(&out);
	extcap_answer_dlts(&out);
	for (char *line = out.data, *end; *line; line = end + 1) {
		int depth = 0;
		end = strchr(line, '\n');
		assert_non_null(end);
		*end = '\0';
		assert_true(strncmp(line, "arg {", 5) == 0 || strncmp(line, "value {", 7) == 0 ||
			    strncmp(line, "dlt {", 5) == 0);
		args += line[0] == 'a';
		for (char *p = line; *p; p++) {
			depth += (*p == '{') - (*p == '}');
			assert_in_range(depth, 0, 1);
		}
		assert_int_equal(depth, 0);
	}
	assert_int_equal(args, 9);
	buf_done(&out);
}

static void capture_args(void **state)
{
	static const struct {
		struct extcap_call call;
		const char *words;
	} rows[] = {
		{ { .fifo = "/f" }, "podhop|capture|-w|-|-q|--report|/dev/null|--|ns/a|" },
		{ { .capture_filter = "tcp" },
		  "podhop|capture|-w|-|-q|--report|/dev/null|-f|tcp|--|ns/a|" },
		{ { .filter = "-w /etc/passwd", .snaplen = "96", .terse = true },
		  "podhop|capture|-w|-|-q|--report|/dev/null|-s|96|--terse|"
		  "-f|-w /etc/passwd|--|ns/a|" },
		{ { .filter = "a or b", .capture_filter = "c or d" },
		  "podhop|capture|-w|-|-q|--report|/dev/null|-f|(a or b) and (c or d)|--|ns/a|" },
		{ { .hops = "veth=x,, vtep=y ,", .names = "/n", .nano = true, .no_nat = true,
		    .direction = "in", .window = "9", .host_root = "/h", .node = "n1" },
		  "podhop|capture|-w|-|-q|--report|/dev/null|--pods|/n|-Q|in|--window|9|"
		  "--host-root|/h|--node|n1|--nano|--no-nat|--hops|veth=x|--hops|vtep=y|--|ns/a|" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct extcap_args a;
		struct err err = ERR_INIT;
		struct buf b;

		buf_init(&b, 4096);
		assert_int_equal(extcap_capture_args(&rows[i].call, "ns/a", &a, &err), 0);
		for (int k = 0; k < a.argc; k++)
			buf_addf(&b, "%s|", a.argv[k]);
		assert_null(a.argv[a.argc]);
		assert_string_equal(buf_str(&b), rows[i].words);
		extcap_args_done(&a);
		buf_done(&b);
	}

	/* More hops than a run has. */
	struct extcap_call many = { .hops = "a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,a=1,"
					    "a=1,a=1,a=1,a=1" };
	struct extcap_args a;
	struct err err = ERR_INIT;
	assert_true(extcap_capture_args(&many, "ns/a", &a, &err) < 0);
	extcap_args_done(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls),	 cmocka_unit_test(capture_call),
		cmocka_unit_test(bad_calls),	 cmocka_unit_test(is_call),
		cmocka_unit_test(interfaces),	 cmocka_unit_test(sentences),
		cmocka_unit_test(capture_args),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
