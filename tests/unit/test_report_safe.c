/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_safe.c - foreign strings, figures, word wrap.
 */
#include "../lib/report_fixture.h"

#include "../../src/report/report_priv.h"

struct safe_case {
	const char *in, *utf8, *ascii;
	unsigned columns; /* of the utf8 form */
};

static const struct safe_case safe_cases[] = {
	{ "", "", "", 0 },
	{ "eth0", "eth0", "eth0", 4 },
	{ "\033[31m", "\\x1b[31m", "\\x1b[31m", 8 },
	{ "a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f", "a\\x0ab\\x09c\\x7f", 15 },
	{ "\x1f", "\\x1f", "\\x1f", 4 }, /* REPORT_GLUE */
	{ "\xc2\x9b"
	  "2J",
	  "\\x9b2J", "\\x9b2J", 6 }, /* C1 CSI */
	{ "\xe2\x80\xae", "\\u{202e}", "\\u{202e}", 8 }, /* right-to-left override */
	{ "\xef\xbb\xbf", "\\u{feff}", "\\u{feff}", 8 },
	{ "gr\xc3\xbcn", "gr\xc3\xbcn", "gr?n", 4 },
	{ "\xf0\x9f\x90\xb3", "\xf0\x9f\x90\xb3", "?", 1 },
	{ "\xff", "\xef\xbf\xbd", "?", 1 },
	{ "\xc3", "\xef\xbf\xbd", "?", 1 }, /* cut at the end */
	{ "\xc3(", "\xef\xbf\xbd(", "?(", 2 },
	{ "\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", "??", 2 }, /* overlong '/' */
	{ "\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "???", 3 }, /* surrogate */
	{ "\xf4\x90\x80\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "????", 4 },
	{ "\xf0\x9f\x90", "\xef\xbf\xbd", "?", 1 },
};

static void test_safe(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(safe_cases); i++) {
		const struct safe_case *c = &safe_cases[i];
		char out[64];

		assert_int_equal(report_safe(c->in, true, out, sizeof(out)), c->columns);
		assert_string_equal(out, c->utf8);
		report_safe(c->in, false, out, sizeof(out));
		assert_string_equal(out, c->ascii);
	}
}

/* Whatever the room, the result is whole characters and a NUL inside it. */
static void test_safe_room(void **state)
{
	const char *in = "a\xc3\xbc\033\xf0\x9f\x90\xb3";
	char full[32];

	(void)state;
	report_safe(in, true, full, sizeof(full));
	for (size_t size = 1; size < 20; size++) {
		char *out = malloc(size);

		assert_non_null(out);
		report_safe(in, true, out, size);
		assert_true(strlen(out) < size);
		assert_memory_equal(out, full, strlen(out));
		assert_int_equal(report_utf8_repair(out, NULL, 0), strlen(out));
		free(out);
	}
	assert_int_equal(report_safe(in, true, NULL, 0), 0);
}

/* Every string of up to three bytes repairs to what jansson takes for UTF-8. */
static void test_repair(void **state)
{
	(void)state;
	for (unsigned v = 1; v < 1u << 24; v += v < 0x10000 ? 1 : 251) {
		const char in[] = { (char)(v & 0xff), (char)(v >> 8 & 0xff), (char)(v >> 16), 0 };
		char out[16];
		size_t n = report_utf8_repair(in, out, sizeof(out));
		json_t *value = json_stringn(out, n);

		assert_non_null(value);
		assert_int_equal(strlen(out), n);
		json_decref(value);
		value = json_string(in);
		if (value) {
			assert_string_equal(in, out);
			json_decref(value);
		}
	}
}

static void test_figures(void **state)
{
	static const struct {
		uint64_t v;
		const char *count, *bytes, *ns, *duration;
	} cases[] = {
		{ 0, "0", "0 B", "0 ns", "0 ns" },
		{ 999, "999", "999 B", "999 ns", "999 ns" },
		{ 1000, "1,000", "1.00 kB", "1 us", "1 us" },
		{ 9999, "9,999", "9.99 kB", "9.99 us", "9.99 us" },
		{ 10000, "10,000", "10.0 kB", "10 us", "10 us" },
		{ 999999, "999,999", "999 kB", "999 us", "999 us" },
		{ 1000000, "1,000,000", "1.00 MB", "1.00 ms", "1.00 ms" },
		{ 119999999999, "119,999,999,999", "119 GB", "119 s", "119 s" },
		{ 150000000000, "150,000,000,000", "150 GB", "150 s", "2 min 30 s" },
		{ 7265000000000, "7,265,000,000,000", "7.26 TB", "7,265 s", "2 h 01 min" },
		{ 180000000000000, "180,000,000,000,000", "180 TB", "180,000 s", "2 d 02 h" },
		{ UINT64_MAX, "18,446,744,073,709,551,615", "18.4 EB", "18,446,744,073 s",
		  "213503 d 23 h" },
	};
	char out[FIGURE_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		assert_string_equal(figure_count(cases[i].v, out), cases[i].count);
		assert_string_equal(figure_bytes(cases[i].v, out), cases[i].bytes);
		assert_string_equal(figure_ns(cases[i].v, out), cases[i].ns);
		assert_string_equal(figure_duration(cases[i].v, out), cases[i].duration);
	}
	assert_string_equal(figure_pct(1, 0, out), "");
	assert_string_equal(figure_pct(50, 1448, out), "3.4 %");
	assert_string_equal(figure_pct(1, 1, out), "100.0 %");
	assert_string_equal(figure_pct(UINT64_MAX - 1, UINT64_MAX, out), "99.9 %");
	assert_string_equal(figure_pct(UINT64_MAX / 2, UINT64_MAX, out), "50.0 %");
	assert_string_equal(figure_pct(3, 2, out), "150.0 %");
	assert_string_equal(figure_pct(2, 3, out), "66.6 %");
	assert_string_equal(figure_pct(UINT64_MAX, 1, out), "18,446,744,073,709,551,600.0 %");
}

static char *written(unsigned wrap, const char *a, const char *b)
{
	struct report_out o;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	report_out_init(&o, f, NULL);
	if (wrap)
		report_out_wrap(&o, wrap, 2);
	report_out_str(&o, a);
	report_out_str(&o, b);
	assert_int_equal(report_out_done(&o), 0);
	fclose(f);
	return text;
}

static void test_wrap(void **state)
{
	static const struct {
		unsigned wrap;
		const char *a, *b, *want;
	} cases[] = {
		{ 0, "one two three  ", "four\n", "one two three  four\n" },
		{ 10, "one two th", "ree four\n", "one two\n  three\n  four\n" },
		{ 10, "one  \n", "  two\n", "one\n  two\n" },
		{ 10, "one two", " 1\x1fkB\n", "one two\n  1 kB\n" },
		{ 10, "one", " two 12\n", "one two 12\n" },
		{ 10, "\033[1mone\033[0m", " two 12\n", "\033[1mone\033[0m two 12\n" },
		{ 10, "─────", "─── ─\n", "──────── ─\n" },
		{ 10, "aaa ", "bcdefghijklm n\n", "aaa\n  bcdefghijklm\n  n\n" },
		{ 10, "\n", "\nend", "\n\nend" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = written(cases[i].wrap, cases[i].a, cases[i].b);

		assert_string_equal(text, cases[i].want);
		free(text);
	}
}

/* Longer than every buffer on the way. */
static void test_long(void **state)
{
	char *big = malloc(20001), *text;

	(void)state;
	assert_non_null(big);
	memset(big, 'x', 20000);
	big[20000] = '\0';
	for (unsigned wrap = 0; wrap < 2; wrap++) {
		text = written(wrap * 80, big, "\n");
		assert_int_equal(strlen(text), 20001);
		assert_memory_equal(text, big, 20000);
		free(text);
	}
	free(big);
}

static void test_numbers(void **state)
{
	struct report_out o;
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	(void)state;
	assert_non_null(f);
	report_out_init(&o, f, NULL);
	report_out_u64(&o, 0);
	report_out_chr(&o, ' ');
	report_out_u64(&o, UINT64_MAX);
	report_out_chr(&o, ' ');
	report_out_i64(&o, INT64_MIN);
	assert_int_equal(report_out_done(&o), 0);
	fclose(f);
	assert_string_equal(text, "0 18446744073709551615 -9223372036854775808");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),	cmocka_unit_test(test_safe_room),
		cmocka_unit_test(test_repair),	cmocka_unit_test(test_figures),
		cmocka_unit_test(test_wrap),	cmocka_unit_test(test_long),
		cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
