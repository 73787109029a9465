/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_doctor.c - doctor's findings printed: each status, one and many, hostile names.
 *
 * Golden files: see tests/lib/report_fixture.h.
 */
#include "../lib/report_fixture.h"

#include <errno.h>

#include "../lib/failing_json.h"

static struct doctor_check checks[] = {
	{ "vtep.mtu", DOCTOR_OK, "flannel.1", "1450", "1450", "" },
	{ "remote.fdb", DOCTOR_FAIL, "10.244.2.0/24", "an FDB entry to 192.0.2.2", "none",
	  "bridge fdb add 02:42:0a:f4:02:00 dev flannel.1 dst 192.0.2.2 self permanent" },
	{ "netfilter.policy", DOCTOR_WARN, "ip filter FORWARD",
	  "forward accepts what no rule names",
	  "policy drop: each kind of packet needs a rule (docker sets FORWARD so), and this line "
	  "is "
	  "longer than a terminal is wide",
	  "" },
	{ "an.identifier_longer_than_its_column", DOCTOR_SKIP, HOSTILE, "", HOSTILE, HOSTILE },
};

static void report(struct doctor_report *r, unsigned first, unsigned n)
{
	*r = (struct doctor_report){ .checks = checks + first, .n_checks = n };
	for (unsigned i = first; i < first + n; i++)
		r->n[checks[i].status]++;
}

/* Printed; freed by the caller. style: NULL is JSON. */
static char *print(const struct doctor_report *r, const struct report_style *style)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	assert_int_equal(
		style ? report_doctor_text(out, r, style) : report_doctor_json(out, r, false), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static int print_json(FILE *out, const void *r)
{
	return report_doctor_json(out, r, false);
}

static void test_full(void **state)
{
	struct report_style plain = { .utf8 = true }, verbose = { .verbose = true, .color = true };
	static char node[] = "node1";
	struct doctor_report r;
	char *text;

	(void)state;
	report(&r, 0, COUNT_OF(checks));
	r.node = node;
	text = print(&r, &plain);
	assert_safe(text, false);
	assert_golden("doctor_full.txt", text);
	free(text);
	text = print(&r, &verbose);
	assert_safe(text, true);
	assert_golden("doctor_full_verbose_color.txt", text);
	free(text);
	text = print(&r, NULL);
	assert_golden("doctor_full.json", text);
	failing_json_sweep(print_json, &r, text);
	free(text);
}

static void test_summaries(void **state)
{
	static const struct {
		unsigned first, n;
		const char *last; /* line */
	} rows[] = {
		{ 0, 1, "1 check passed\n" },
		{ 0, 0, "all 0 checks passed\n" },
		{ 1, 1, "1 of 1 check failed\n" },
		{ 2, 1, "none of 1 check failed, 1 warning\n" },
		{ 2, 2, "none of 1 check failed, 1 warning, 1 skipped\n" },
		{ 1, 2, "1 of 2 checks failed, 1 warning\n" },
		{ 0, 4, "1 of 3 checks failed, 1 warning, 1 skipped\n" },
	};
	struct report_style plain = { .utf8 = true };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		static char none[] = "";
		struct doctor_report r;
		size_t n = strlen(rows[i].last);
		char *text;

		report(&r, rows[i].first, rows[i].n);
		r.node = none;
		text = print(&r, &plain);
		assert_true(strlen(text) >= n);
		assert_string_equal(text + strlen(text) - n, rows[i].last);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_summaries),
	};

	return cmocka_run_group_tests_name("report_doctor", tests, NULL, NULL);
}
