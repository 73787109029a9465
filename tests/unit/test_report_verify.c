/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_verify.c - verify's result printed: everything it can hold, and next to nothing.
 *
 * Golden files: see tests/lib/report_fixture.h.
 */
#include "../lib/report_fixture.h"

#include <errno.h>
#include <time.h>

#include "../lib/failing_json.h"

#define MS INT64_C(1000000)

static const char *const nodes[] = { "node1", "node2", HOSTILE };

static char dropped_by[] = "dropped by rule 2";
static char *evidence[] = { (char[]){ "rule 2 dropped 3 packets" }, (char[]){ "it counts\n" } };

static const char *file_of(void *arg, unsigned node, const struct verify_lost *l)
{
	(void)arg;
	return node == 0 && l->frame ? "a.pcapng" : NULL;
}

struct fixture {
	struct verify_result r;
	struct report_verify v;
	struct verify_direction d[3];
	struct verify_pair clocks[4];
	struct verify_lost lost[25];
	char reasons[2][VERIFY_REASON_MAX];
};

static void full_outer(struct verify_outer *u)
{
	*u = (struct verify_outer){
		.packets = 1204,
		.vni_differs = 1,
		.destination_differs = 2,
		.ttl_differs = 3,
		.to = ip("192.0.2.2"),
		.expected = ip("192.0.2.2"),
		.unexpected_to = ip("192.0.2.9"),
		.judged = 1204,
		.unexpected = 4,
		.ttl_sent = { 64, 64 },
		.ttl_received = { 60, 62 },
		.routers = { 2, 4 },
		.routers_known = true,
		.ttl_rose = 5,
		.df = 6,
		.fragmented = 7,
		.fragmented_between = 8,
		.checksum_zero = 9,
		.foreign = 10,
		.flows = 3,
		.source_ports = 2,
	};
}

static void full_lost(struct fixture *f)
{
	for (unsigned i = 0; i < COUNT_OF(f->lost); i++)
		f->lost[i] = (struct verify_lost){
			.packet_id = i + 1,
			.frame = i,
			.time_ns = INT64_C(1732320565000000000) + i * MS,
			.tuple = tuple(MODEL_PROTO_TCP, "10.244.1.2", 40000, "10.244.2.9", 80),
			.ip_id = 65535,
			.has_ip_id = true,
			.length = 1500,
			.bytes_missing = 1448,
			.last_role = MODEL_ROLE_BRIDGE,
			.next_role = MODEL_ROLE_VTEP,
		};
	f->lost[1].tuple = tuple(MODEL_PROTO_ICMP, "10.244.1.2", 7, "10.244.2.9", 0);
	f->lost[1].bytes_missing = f->lost[1].length = 98;
	f->lost[2].tuple = (struct result_tuple){ .src = ip("fd00::1"),
						  .dst = ip("fd00::2"),
						  .protocol = 253 };
	f->lost[2].has_ip_id = false;
	f->lost[2].next_node = 1;
	f->lost[3].last_node = VERIFY_NONE;
	f->lost[3].last_role = MODEL_ROLE_NONE;
	f->lost[4].last_node = 2; /* whose name is hostile */
}

/* Lost and altered, with each kind of line that there is. */
static void full(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	full_lost(f);
	f->d[0] = (struct verify_direction){
		.from = 0,
		.to = 1,
		.sent = 12040,
		.delivered = 12000,
		.lost = 30,
		.altered = 7,
		.unknown = 3,
		.duplicated = 1,
		.reordered = 2,
		.unprovable = 3,
		.out_of_scope = 4,
		.bytes_missing = 36200,
		.delays = { 12000, true, -1500, 250, 1000, 2500 * MS, 3600000 * MS },
		.lost_packets = f->lost,
		.n_lost_packets = COUNT_OF(f->lost),
		.lost_omitted = 5,
		.n_places = 3,
	};
	full_outer(&f->d[0].outer);
	f->d[0].places[0] = (struct verify_place){ .last_node = 0,
						   .next_node = 0,
						   .last_role = MODEL_ROLE_BRIDGE,
						   .next_role = MODEL_ROLE_VTEP,
						   .packets = 20,
						   .reason = dropped_by,
						   .evidence = evidence,
						   .n_evidence = 2 };
	f->d[0].places[1] = (struct verify_place){ .last_node = 0,
						   .next_node = 1,
						   .last_role = MODEL_ROLE_UNDERLAY,
						   .next_role = MODEL_ROLE_UNDERLAY,
						   .packets = 9,
						   .evidence = evidence + 1,
						   .n_evidence = 1 };
	f->d[0].places[2] = (struct verify_place){
		.last_node = 1, .next_node = VERIFY_NONE, .last_role = MODEL_ROLE_VETH, .packets = 1
	};
	f->d[1] = (struct verify_direction){ .from = 1, .to = 0, .sent = 1, .lost = 1 };
	f->d[1].outer = (struct verify_outer){
		.packets = 1, .to = ip("fd05::1"), .flows = 1, .source_ports = 1
	};
	f->d[1].n_places = 1;
	f->d[1].places[0] = f->d[0].places[2];
	f->d[2] = (struct verify_direction){ .from = 2, .to = VERIFY_NONE };
	f->clocks[0] = (struct verify_pair){
		.node = 1,
		.reference = 0,
		.line = { .known = true,
			  .at_ns = 1732320565 * INT64_C(1000000000),
			  .offset_ns = 3 * MS + 7,
			  .drift = -12.3456e-6,
			  .uncertainty_ns = 1500 },
		.method = "both directions",
	};
	f->clocks[1] = (struct verify_pair){
		.node = 1,
		.reference = 0,
		.line = { .known = true, .offset_ns = -1, .uncertainty_ns = -1 },
		.method = "--clock-offset",
		.steps = 2,
	};
	f->clocks[2] = (struct verify_pair){
		.node = 2, .reference = 0, .line = { .uncertainty_ns = -1 }, .method = "no traffic"
	};
	snprintf(f->reasons[0], sizeof(f->reasons[0]), "node2's bridge dropped 3 frames");
	snprintf(f->reasons[1], sizeof(f->reasons[1]), "hostile %s", HOSTILE);
	f->r = (struct verify_result){ .verdict = VERIFY_LOST,
				       .directions = f->d,
				       .n_directions = 3,
				       .clocks = f->clocks,
				       .n_clocks = 3,
				       .reasons = f->reasons,
				       .n_reasons = 2 };
	f->v = (struct report_verify){
		.result = &f->r, .nodes = nodes, .n_nodes = 3, .file = file_of
	};
}

/* Printed; freed by the caller. style: NULL is JSON. */
static char *print(const struct fixture *f, const struct report_style *style)
{
	char *text = NULL;
	size_t n = 0;
	FILE *out = open_memstream(&text, &n);

	assert_non_null(out);
	assert_int_equal(style ? report_verify_text(out, &f->v, style)
			       : report_verify_json(out, &f->v, false),
			 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void assert_text(const struct fixture *f, const struct report_style *style,
			const char *golden)
{
	char *text = print(f, style);

	assert_safe(text, style->color);
	assert_golden(golden, text);
	free(text);
}

static int print_json(FILE *out, const void *v)
{
	return report_verify_json(out, v, false);
}

static void test_full(void **state)
{
	struct report_style plain = { .utf8 = true }, verbose = { .verbose = true, .color = true };
	struct fixture f;
	char *text;

	(void)state;
	full(&f);
	assert_text(&f, &plain, "verify_full.txt");
	assert_text(&f, &verbose, "verify_full_verbose_color.txt");
	text = print(&f, NULL);
	assert_golden("verify_full.json", text);
	failing_json_sweep(print_json, &f.v, text);
	free(text);
}

static void test_empty(void **state)
{
	struct report_style plain = { .utf8 = false };
	struct fixture f;
	char *text;

	(void)state;
	memset(&f, 0, sizeof(f));
	f.r.verdict = VERIFY_INCONCLUSIVE;
	f.v.result = &f.r;
	assert_text(&f, &plain, "verify_empty.txt");
	text = print(&f, NULL);
	assert_golden("verify_empty.json", text);
	free(text);
}

/* A name that fills the column, one capture alone, a file that is not told. */
static void test_one_node(void **state)
{
	static const char *const one[] = { "a-node-with-a-long-name" };
	struct report_style plain = { .utf8 = false };
	struct fixture f;

	(void)state;
	full(&f);
	f.v.nodes = one;
	f.v.n_nodes = 1;
	f.v.file = NULL;
	f.r.n_directions = 1;
	f.r.n_clocks = 0;
	f.r.n_reasons = 0;
	f.d[0].from = VERIFY_NONE;
	f.d[0].to = 0;
	f.d[0].n_lost_packets = 1;
	f.d[0].lost_omitted = 0;
	f.d[0].n_places = 1;
	f.d[0].places[0].reason = NULL;
	f.d[0].places[0].n_evidence = 0;
	f.d[0].outer = (struct verify_outer){ .packets = 2 };
	assert_text(&f, &plain, "verify_one_node.txt");
}

/* The sentence that each verdict gets. */
static void test_sentences(void **state)
{
	static const struct {
		enum verify_verdict verdict;
		unsigned n_nodes, n_reasons;
		uint64_t sent, lost, altered, unknown, unprovable;
		unsigned n_places;
		const char *want;
	} rows[] = {
		{ VERIFY_DELIVERED, 2, 0, 1, 0, 0, 0, 0, 0, "delivered: 1 packet, none lost" },
		{ VERIFY_DELIVERED, 2, 0, 1204, 0, 0, 0, 0, 0,
		  "delivered: 1,204 packets, none lost" },
		{ VERIFY_DELIVERED, 1, 0, 1, 0, 0, 0, 4, 0,
		  "delivered: 1 packet, as replies prove; of 4 nothing is known" },
		{ VERIFY_DELIVERED, 1, 0, 2, 0, 0, 0, 0, 0,
		  "delivered: 2 packets, as replies prove; of 0 nothing is known" },
		{ VERIFY_LOST, 2, 0, 10, 0, 3, 0, 0, 0, "altered on the way: 3 of 10" },
		{ VERIFY_LOST, 2, 0, 10, 2, 0, 0, 0, 1,
		  "lost 2 of 10 between node1:bridge and node1:vtep" },
		{ VERIFY_LOST, 2, 0, 10, 5, 0, 0, 0, 1,
		  "lost 2 of 10 between node1:bridge and node1:vtep, 3 elsewhere" },
		{ VERIFY_LOST, 2, 0, 10, 5, 1, 0, 0, 1,
		  "lost 2 of 10 between node1:bridge and node1:vtep, 3 elsewhere, 1 altered" },
		{ VERIFY_INCONCLUSIVE, 2, 0, 10, 0, 0, 1, 0, 0, "inconclusive: nothing matched" },
		{ VERIFY_INCONCLUSIVE, 2, 2, 10, 0, 0, 1, 0, 0, "inconclusive: the first" },
		{ VERIFY_INCONCLUSIVE, 2, 2, 0, 0, 0, 0, 0, 0, "inconclusive: the first" },
		{ VERIFY_INCONCLUSIVE, 2, 2, 10, 0, 0, 0, 0, 0, "inconclusive: the last" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++) {
		char text[REPORT_SENTENCE_MAX];
		struct fixture f;

		full(&f);
		f.r.verdict = rows[i].verdict;
		f.r.n_directions = 1;
		f.r.n_reasons = rows[i].n_reasons;
		strcpy(f.reasons[0], "the first");
		strcpy(f.reasons[1], "the last");
		f.v.n_nodes = rows[i].n_nodes;
		f.d[0].sent = rows[i].sent;
		f.d[0].lost = rows[i].lost;
		f.d[0].altered = rows[i].altered;
		f.d[0].unknown = rows[i].unknown;
		f.d[0].unprovable = rows[i].unprovable;
		f.d[0].n_places = rows[i].n_places;
		f.d[0].places[0].packets = 2;
		assert_string_equal(report_verify_sentence(&f.v, NULL, text), rows[i].want);
	}
}

/* A stream that takes nothing: it is said, not lost. */
static void test_full_disk(void **state)
{
	struct report_style plain = { .utf8 = true };
	struct fixture f;
	FILE *out = fopen("/dev/full", "we");

	(void)state;
	if (!out)
		skip();
	setvbuf(out, NULL, _IONBF, 0);
	full(&f);
	assert_int_equal(report_verify_text(out, &f.v, &plain), -ENOSPC);
	clearerr(out);
	assert_int_equal(report_verify_json(out, &f.v, true), -ENOSPC);
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),	  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_one_node),  cmocka_unit_test(test_sentences),
		cmocka_unit_test(test_full_disk),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests_name("report_verify", tests, NULL, NULL);
}
