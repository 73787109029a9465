/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cli_options.c - what a command line means, and what is said of one that means nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cli/cli.h"

#include <cmocka.h> /* last: it has a macro called fail() */

#define WORDS_MAX 80
#define S 1000000000LL

/* A command line as a shell would cut it: words between spaces, or between '...'. */
static char line_text[32768];
static char *words[WORDS_MAX];
static struct options o;
static struct err err;
static bool help;

static int cut(const char *line)
{
	char *p = line_text;
	int n = 0;

	assert_true(strlen(line) < sizeof(line_text));
	strcpy(line_text, line);
	for (p += strspn(p, " "); *p; p += strspn(p, " ")) {
		const char *end = *p == '\'' ? "'" : " ";

		assert_true(n < WORDS_MAX - 1);
		p += end[0] == '\'';
		words[n++] = p;
		p += strcspn(p, end);
		if (*p)
			*p++ = '\0';
	}
	words[n] = NULL;
	return n;
}

static int parse(const char *line)
{
	memset(&err, 0, sizeof(err));
	return options_parse(cut(line), words, &o, &help, &err);
}

/* The line is taken; the caller reads o, and then calls options_done(). */
static const struct options *taken(const char *line)
{
	if (parse(line) != 0)
		fail_msg("%s: %s", line, err.text);
	assert_false(help);
	return &o;
}

static void is_refused(const char *line, const char *text)
{
	int rc = parse(line);

	if (rc >= 0 || err.class != ERR_USAGE || strcmp(err.text, text) != 0)
		fail_msg("%s\n  said:   %s\n  wanted: %s", line, rc < 0 ? err.text : "nothing",
			 text);
	options_done(&o);
}

static void is_taken(const char *line)
{
	taken(line);
	options_done(&o);
}

static void test_defaults(void **state)
{
	(void)state;
	taken("podhop report a.pcap b.pcap");
	assert_int_equal(o.command, COMMAND_REPORT);
	assert_int_equal(o.n_args, 2);
	assert_string_equal(o.args[0], "a.pcap");
	assert_string_equal(o.args[1], "b.pcap");
	assert_int_equal(o.snaplen, 262144);
	assert_int_equal(o.buffer_kib, 16384);
	assert_int_equal(o.format, FORMAT_TEXT);
	assert_int_equal(o.direction, MODEL_DIRECTION_OTHER);
	assert_int_equal(o.naming, NAMING_ONE);
	assert_null(o.filter);
	assert_null(o.write);
	assert_false(o.min_free.is_set);
	options_done(&o);
}

/* Every option that has a value, where the value goes. */
static void test_values(void **state)
{
	(void)state;
	taken("podhop capture ns/web -w f.pcapng -c 7 -s 96 -B 64 -Q in -T jsonl --report r.json "
	      "--html r.html --pods p.json --node n1 --host-root /host --window 50 "
	      "--and ns/a --and ns/b --anonymize=key --hops veth=v1 --hops underlay=eth0");
	assert_int_equal(o.command, COMMAND_CAPTURE);
	assert_string_equal(o.args[0], "ns/web");
	assert_string_equal(o.write, "f.pcapng");
	assert_int_equal(o.count, 7);
	assert_int_equal(o.snaplen, 96);
	assert_int_equal(o.buffer_kib, 64);
	assert_int_equal(o.direction, MODEL_DIRECTION_INGRESS);
	assert_int_equal(o.format, FORMAT_JSONL);
	assert_string_equal(o.report, "r.json");
	assert_string_equal(o.html, "r.html");
	assert_string_equal(o.names, "p.json");
	assert_string_equal(o.node, "n1");
	assert_string_equal(o.host_root, "/host");
	assert_int_equal(o.window_ns, 50000000);
	assert_int_equal(o.n_and_pods, 2);
	assert_string_equal(o.and_pods[1], "ns/b");
	assert_true(o.anonymize);
	assert_string_equal(o.key_file, "key");
	assert_int_equal(o.n_hops, 2);
	assert_int_equal(o.hops[0].role, MODEL_ROLE_VETH);
	assert_string_equal(o.hops[0].name, "v1");
	assert_int_equal(o.hops[1].role, MODEL_ROLE_UNDERLAY);
	options_done(&o);

	taken("podhop verify a b --pod 10.1.1.1 --pod n=10.1.1.2 --clock-offset -5");
	assert_int_equal(o.n_pods, 2);
	assert_string_equal(o.pods[1], "n=10.1.1.2");
	assert_true(o.has_clock_offset);
	assert_int_equal(o.clock_offset_ns, -5);
	options_done(&o);

	/* 0: everything, as tcpdump has it; the ring is smaller where headers alone are kept */
	taken("podhop capture web -s 0");
	assert_int_equal(o.snaplen, 262144);
	options_done(&o);
	taken("podhop capture web -s 512");
	assert_int_equal(o.buffer_kib, 8192);
	options_done(&o);
	taken("podhop report a -Q out --anonymize -w f -T json");
	assert_int_equal(o.direction, MODEL_DIRECTION_EGRESS);
	assert_int_equal(o.format, FORMAT_JSON);
	assert_true(o.anonymize);
	assert_null(o.key_file);
	options_done(&o);
	taken("podhop report a -Q inout --json -T text");
	assert_int_equal(o.direction, MODEL_DIRECTION_OTHER);
	assert_int_equal(o.format, FORMAT_TEXT);
	options_done(&o);
}

/* Every option that has none: it sets its own flag, and no other. */
static void test_flags(void **state)
{
	static const struct {
		const char *line;
		size_t at;
	} cases[] = {
		{ "podhop capture web -n", offsetof(struct options, numeric) },
		{ "podhop capture web -q", offsetof(struct options, quiet) },
		{ "podhop capture web -U", offsetof(struct options, unbuffered) },
		{ "podhop capture web -l", offsetof(struct options, line_buffered) },
		{ "podhop capture web --nano", offsetof(struct options, nano) },
		{ "podhop capture web --live", offsetof(struct options, live) },
		{ "podhop capture web --print", offsetof(struct options, print) },
		{ "podhop capture web --no-nat", offsetof(struct options, no_nat) },
		{ "podhop capture web --terse", offsetof(struct options, terse) },
		{ "podhop capture web --follow", offsetof(struct options, follow) },
		{ "podhop capture web --until-eof", offsetof(struct options, until_eof) },
		{ "podhop capture web -w f --split", offsetof(struct options, split) },
		{ "podhop capture web -w f --no-payload", offsetof(struct options, no_payload) },
		{ "podhop help --table", offsetof(struct options, table) },
		/* accepted: it is so anyway */
		{ "podhop capture web -p", SIZE_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		taken(cases[i].line);
		for (size_t k = 0; k < sizeof(cases) / sizeof(cases[0]); k++)
			if (cases[k].at != SIZE_MAX &&
			    *(const bool *)((const char *)&o + cases[k].at) !=
				    (cases[k].at == cases[i].at))
				fail_msg("%s: flag of %s", cases[i].line, cases[k].line);
		options_done(&o);
	}
	taken("podhop list -vv");
	assert_int_equal(o.verbose, 2);
	options_done(&o);
}

static void test_help_is_asked_for(void **state)
{
	(void)state;
	assert_int_equal(parse("podhop --help"), 0);
	assert_true(help);
	assert_int_equal(o.command, COMMAND_NONE);
	options_done(&o);
	assert_int_equal(parse("podhop -h"), 0);
	assert_true(help);
	options_done(&o);
	/* of a command, also where what else it needs is missing */
	assert_int_equal(parse("podhop capture -w f -h"), 0);
	assert_true(help);
	assert_int_equal(o.command, COMMAND_CAPTURE);
	options_done(&o);
	taken("podhop help capture");
	assert_int_equal(o.command, COMMAND_HELP);
	options_done(&o);
}

/* dumpcap's -a and -b, tcpdump's -C, -G and -W. */
static void test_limits(void **state)
{
	(void)state;
	taken("podhop report a -a duration:1.5 -a filesize:10 -a packets:20");
	assert_int_equal(o.stop.duration_ns, 3 * S / 2);
	assert_int_equal(o.stop.bytes, 10000);
	assert_int_equal(o.stop.frames, 20);
	assert_int_equal(o.naming, NAMING_ONE);
	options_done(&o);

	taken("podhop report a -w f -b duration:2 -b interval:60 -b packets:5 -b filesize:9 "
	      "-b files:100000 -a files:3");
	assert_int_equal(o.naming, NAMING_NUMBER_AND_TIME);
	assert_int_equal(o.ring.duration_ns, 2 * S);
	assert_int_equal(o.ring.interval_ns, 60 * S);
	assert_int_equal(o.ring.frames, 5);
	assert_int_equal(o.ring.bytes, 9000);
	assert_int_equal(o.ring.files, 100000);
	assert_int_equal(o.stop.files, 3);
	options_done(&o);

	/* -a filesize is that of each file where -b says that there are several, and -b's wins */
	taken("podhop report a -w f -a filesize:10 -b files:2");
	assert_int_equal(o.ring.bytes, 10000);
	assert_int_equal(o.stop.bytes, 0);
	options_done(&o);
	taken("podhop report a -w f -a filesize:10 -b filesize:3");
	assert_int_equal(o.ring.bytes, 3000);
	assert_int_equal(o.stop.bytes, 0);
	options_done(&o);

	taken("podhop report a -w f -C 2 -W 10");
	assert_int_equal(o.naming, NAMING_COUNT);
	assert_int_equal(o.ring.bytes, 2000000);
	assert_int_equal(o.ring.files, 10);
	options_done(&o);
	/* together a time's files are counted, whichever comes first */
	for (unsigned i = 0; i < 2; i++) {
		taken(i ? "podhop report a -w f -G 60 -C 2" : "podhop report a -w f -C 2 -G 60");
		assert_int_equal(o.naming, NAMING_TIME);
		assert_int_equal(o.ring.duration_ns, 60 * S);
		assert_int_equal(o.ring.bytes, 2000000);
		options_done(&o);
	}
}

static void test_min_free(void **state)
{
	(void)state;
	taken("podhop report a --min-free 15%");
	assert_true(o.min_free.is_set);
	assert_int_equal(o.min_free.percent, 15);
	assert_int_equal(o.min_free.bytes, 0);
	options_done(&o);
	taken("podhop report a --min-free 2000");
	assert_int_equal(o.min_free.bytes, 2000000000);
	assert_int_equal(o.min_free.percent, 0);
	options_done(&o);
	/* never: neither a share nor a size, but said */
	taken("podhop report a --min-free 0");
	assert_true(o.min_free.is_set);
	assert_int_equal(o.min_free.bytes, 0);
	options_done(&o);
#define IS_NEEDED ": million bytes or N% are needed"
	is_refused("podhop report a --min-free 100%", "--min-free 100%" IS_NEEDED);
	is_refused("podhop report a --min-free 5k", "--min-free 5k" IS_NEEDED);
	is_refused("podhop report a --min-free=-1", "--min-free -1" IS_NEEDED);
	is_refused("podhop report a --min-free %", "--min-free %" IS_NEEDED);
	is_refused("podhop report a --min-free x", "--min-free x" IS_NEEDED);
	is_refused("podhop report a --min-free 1000000001", "--min-free 1000000001" IS_NEEDED);
	is_refused("podhop report a --min-free 99999999999999999999",
		   "--min-free 99999999999999999999" IS_NEEDED);
#undef IS_NEEDED
}

static void test_user(void **state)
{
	(void)state;
	taken("podhop capture web -Z root");
	assert_string_equal(o.user, "root");
	assert_int_equal(o.uid, 0);
	assert_int_equal(o.gid, 0);
	options_done(&o);
	is_refused("podhop capture web -Z no-such-user", "-Z no-such-user: there is no such user");
}

/* tcpdump takes a FILTER in pieces, options between them. */
static void test_filter(void **state)
{
	static char text[17000];

	(void)state;
	taken("podhop capture web tcp -n port 80 -q");
	assert_string_equal(o.filter, "tcp port 80");
	assert_int_equal(o.n_args, 1);
	assert_true(o.numeric && o.quiet);
	options_done(&o);
	taken("podhop capture -q web -- tcp[13] & -n != 0");
	assert_string_equal(o.filter, "tcp[13] & -n != 0");
	assert_false(o.numeric);
	options_done(&o);
	taken("podhop report a b -f 'udp port 53'");
	assert_string_equal(o.filter, "udp port 53");
	assert_int_equal(o.n_args, 2);
	options_done(&o);
	/* as libpcap has it: everything */
	taken("podhop capture web -f ' ' ''");
	assert_null(o.filter);
	options_done(&o);

	is_refused("podhop report a -f tcp -f udp",
		   "-f given twice, or together with trailing words");
	is_refused("podhop capture web -f tcp udp",
		   "-f given twice, or together with trailing words");
	strcpy(text, "podhop report a -f ");
	memset(text + strlen(text), 'x', 16384);
	is_taken(text);
	text[strlen(text)] = 'x';
	is_refused(text, "the filter is longer than 16384 bytes");
}

static void test_lists_are_full(void **state)
{
	static const struct {
		const char *begin, *one, *text;
	} cases[] = {
		{ "podhop report a", " --hops veth=v", "--hops: more than 64" },
		{ "podhop report a", " --pod 10.1.1.1", "--pod: more than 64" },
		{ "podhop capture web", " --and x", "--and: more than 64" },
	};
	char text[2048], *argv[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (unsigned n = 64; n <= 65; n++) {
			int argc = 0;

			strcpy(text, cases[i].begin);
			for (unsigned k = 0; k < n; k++)
				strcat(text, cases[i].one);
			for (char *p = strtok(text, " "); p; p = strtok(NULL, " "))
				argv[argc++] = p;
			argv[argc] = NULL;
			int rc = options_parse(argc, argv, &o, &help, &err);
			assert_int_equal(rc, n == 64 ? 0 : -E2BIG);
			if (rc)
				assert_string_equal(err.text, cases[i].text);
			options_done(&o);
		}
	}
}

static void test_wrong_values(void **state)
{
	(void)state;
	is_refused("podhop report a -c 0",
		   "-c 0: a number from 1 to 9223372036854775807 is needed");
	is_refused("podhop report a -c 99999999999999999999",
		   "-c 99999999999999999999: a number from 1 to 9223372036854775807 is needed");
	is_refused("podhop report a -c +5",
		   "-c +5: a number from 1 to 9223372036854775807 is needed");
	is_refused("podhop report a -s 63", "-s 63: at least 64 are needed for the headers");
	is_refused("podhop report a -s 262145", "-s 262145: a number from 0 to 262144 is needed");
	is_refused("podhop capture web -B 63", "-B 63: a number from 64 to 4194304 is needed");
	is_refused("podhop report a -w f -C x", "-C x: a number from 1 to 1073741824 is needed");
	is_refused("podhop report a -w f -G 0", "-G 0: a number from 1 to 1073741824 is needed");
	is_refused("podhop report a -w f -C 1 -W 0", "-W 0: a number from 1 to 1000000 is needed");
	is_refused("podhop report a --window 0",
		   "--window 0: a number from 1 to 3600000 is needed");
	is_refused("podhop report a -Q up", "-Q up: in, out or inout is needed");
	is_refused("podhop report a -T xml", "-T xml: text, json or jsonl is needed");
	is_refused("podhop report a -a packets:0",
		   "-a packets:0: a number from 1 to 9223372036 is needed");
	is_refused("podhop report a -a packets:5k",
		   "-a packets:5k: a number from 1 to 9223372036 is needed");
	is_refused("podhop verify a --clock-offset 1.5",
		   "--clock-offset 1.5: a whole number is needed");
	is_refused("podhop verify a --clock-offset ''",
		   "--clock-offset : a whole number is needed");
	is_refused("podhop verify a --clock-offset 9223372036854775808",
		   "--clock-offset 9223372036854775808: a whole number is needed");
	is_refused("podhop report a --hops veth=", "--hops veth=: a name is needed");
	for (unsigned i = 0; i < 7; i++) {
		/* none, not one, with a unit, none of time, less than a nanosecond, centuries */
		static const char *const wrong[] = { "", "x", "5s", "0", "-1", "1e-10", "1e10" };
		char line[64], text[64];

		snprintf(line, sizeof(line), "podhop report a -a duration:%s", wrong[i]);
		snprintf(text, sizeof(text), "-a duration:%s: seconds are needed", wrong[i]);
		is_refused(line, text);
	}
}

/* Which word was wrong, wherever in its word it stands. */
static void test_no_option(void **state)
{
	(void)state;
	is_refused("podhop report a -k",
		   "-k is no option of report; `podhop help report` lists them");
	is_refused("podhop report --json -kq a",
		   "-k is no option of report; `podhop help report` lists them");
	is_refused("podhop report a -qkn",
		   "-k is no option of report; `podhop help report` lists them");
	is_refused("podhop list --quiet -wq x", "-w is no option of list, but of capture, report");
	is_refused("podhop report a --quiet=x", "--quiet takes no value");
	is_refused("podhop report a --split=x", "--split takes no value");
	is_refused("podhop report a --no", "--no could be one of --node, --no-nat, --no-payload");
	is_refused("podhop report -q --windo 5 --frobnicate=3",
		   "--frobnicate is no option of report; `podhop help report` lists them");
	is_refused("podhop report a --nope", "--nope is no option of report; did you mean --node?");
	is_refused("podhop report a -w", "-w needs a value");
	is_refused("podhop report a --json -qw", "-w needs a value");
	is_refused("podhop report a -q --write", "--write needs a value");
	is_refused("podhop", "a command is needed; `podhop help` lists them");
	is_refused("podhop reprot", "reprot is no command; did you mean report?");
	is_refused("podhop xyzzy", "xyzzy is no command; `podhop help` lists them");
}

static void test_words(void **state)
{
	(void)state;
	is_refused("podhop list web", "list takes no argument; of one pod: podhop resolve web");
	is_refused("podhop resolve", "resolve needs a POD; `podhop list` shows them");
	is_refused("podhop resolve a b", "resolve takes one POD; `podhop list` shows all");
	is_refused("podhop capture", "capture needs a POD; `podhop list` shows them");
	is_refused("podhop verify", "verify needs captures: podhop verify [NAME=]FILE...");
	is_refused("podhop report", "report needs capture files: podhop report FILE...");
	is_refused("podhop doctor a b", "doctor takes one POD, or none");
	is_taken("podhop doctor");
	is_taken("podhop doctor web");
	is_taken("podhop list");
	is_refused("podhop report - -", "- given twice: standard input is one capture");
	is_refused("podhop verify a=- b=-", "- given twice: standard input is one capture");
	is_refused("podhop report - --pods -",
		   "--pods - and a capture from standard input: one of them");
	/* A file may have a name with = in it, to report. */
	is_taken("podhop report a=- -");
	is_taken("podhop verify a=- b");
	is_taken("podhop report a --pods -");
}

/* What does not go together. */
static void test_together(void **state)
{
	static const char *const several = "several files (-a files, -b, -C, -G) need -w FILE";
	static const char *const named = "--report and --html need a file's name: on standard "
					 "output the report is asked for with -T json";

	(void)state;
	is_refused("podhop report a -w - -T json",
		   "-w - takes stdout: with -T json say where the report goes (--report)");
	is_taken("podhop report a -w - -T json --report r.json");
	is_refused("podhop capture web --live --print",
		   "--live shows the packets itself: leave out --print");
	is_refused("podhop capture web --live -T jsonl",
		   "--live shows the packets itself: leave out -T jsonl");
	is_taken("podhop capture web --live -T json");
	is_refused("podhop capture web --live --until-eof",
		   "--live takes its keys from the terminal: leave out --until-eof");
	is_refused("podhop report a -b packets:5", several);
	is_refused("podhop report a -a files:5", several);
	is_refused("podhop report a -C 5", several);
	is_refused("podhop report a -w - -G 5", several);
	is_taken("podhop report a -w f -a files:5");
	is_refused("podhop report a -w f -b files:5",
		   "-b files:5: say when the next file begins: duration, interval, filesize or "
		   "packets");
	is_taken("podhop report a -w f -b files:5 -b duration:1");
	is_taken("podhop report a -w f -b files:5 -b interval:1");
	is_taken("podhop report a -w f -b files:5 -b packets:1");
	is_refused("podhop report a -w f -b packets:5 -b files:100001",
		   "-b files:100001: at most 100000 files are kept");
	is_refused("podhop report a -w f -W 5", "-W needs -C or -G");
	is_refused("podhop report a --report -", named);
	is_refused("podhop report a --html -", named);
	is_refused("podhop report a --no-payload",
		   "--no-payload and --anonymize need -w FILE: they are about what is written");
	is_refused("podhop report a --anonymize",
		   "--no-payload and --anonymize need -w FILE: they are about what is written");
	is_refused("podhop capture web -w f --follow --split",
		   "--follow writes all hops, those that come too, to one file: not with --split");
	is_refused("podhop capture web --follow -Z root",
		   "--follow reads the runtimes' files again, which root may not: not with -Z");
	is_refused("podhop report a --split", "--split needs -w FILE");
	is_refused("podhop report a -w - --split", "--split needs -w FILE");
	is_refused("podhop report a -w f.xz",
		   "-w f.xz: podhop packs with gzip (.gz) and zstd (.zst) only; send -w - "
		   "through another packer");
	is_taken("podhop report a -w f.zst");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),       cmocka_unit_test(test_values),
		cmocka_unit_test(test_flags),	       cmocka_unit_test(test_help_is_asked_for),
		cmocka_unit_test(test_limits),	       cmocka_unit_test(test_min_free),
		cmocka_unit_test(test_user),	       cmocka_unit_test(test_filter),
		cmocka_unit_test(test_lists_are_full), cmocka_unit_test(test_wrong_values),
		cmocka_unit_test(test_no_option),      cmocka_unit_test(test_words),
		cmocka_unit_test(test_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
