/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_packet.c - podhop.packet/1 and the tcpdump-like line, against golden files.
 */
#include "../lib/report_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

#define T0 INT64_C(1785585600123456000) /* 2026-08-01 12:00:00.123456 UTC */

static const struct result_observation four_hops[] = {
	{ .hop = 0, .time_ns = T0, .length = 1514 },
	{ .hop = 1, .time_ns = T0 + 12000, .length = 1514 },
	{ .hop = 2, .time_ns = T0 + 43000, .length = 1514 },
	{ .hop = 3, .time_ns = T0 + 84000, .length = 1564 },
};

/* A super-frame that leaves as two segments. */
static const struct result_observation segments[] = {
	{ .hop = 0, .time_ns = T0, .length = 2850 },
	{ .hop = 2, .time_ns = T0 + 2000, .length = 2850 },
	{ .hop = 3,
	  .time_ns = T0 + 4000,
	  .length = 1514,
	  .is_segment = true,
	  .index = 0,
	  .of = 2,
	  .bytes = 1398 },
	{ .hop = 3,
	  .time_ns = T0 + 9000,
	  .length = 1502,
	  .is_segment = true,
	  .index = 1,
	  .of = 0,
	  .bytes = 1386 },
};

/* What the kernel stamped once. */
static const struct result_observation one_stamp[] = {
	{ .hop = 0, .time_ns = T0, .length = 98 },
	{ .hop = 1, .time_ns = T0, .length = 98 },
};

static const struct result_observation hairpin[] = {
	{ .hop = 0, .time_ns = T0, .length = 98 },
	{ .hop = 0, .time_ns = T0 + 700, .length = 98 },
};

static const struct result_observation extreme_hops[] = {
	{ .hop = UINT16_MAX, .time_ns = INT64_MIN, .length = UINT32_MAX },
	{ .hop = 4,
	  .time_ns = INT64_MAX,
	  .length = UINT32_MAX,
	  .is_segment = true,
	  .index = UINT32_MAX,
	  .of = UINT32_MAX,
	  .bytes = UINT32_MAX },
};

#define N_PACKETS 12
static struct result_packet packets[N_PACKETS];

static struct result_packet tcp(uint64_t id)
{
	return (struct result_packet){
		.id = id,
		.status = RESULT_COMPLETE,
		.direction = MODEL_DIRECTION_EGRESS,
		.path = path("veth>bridge>vtep>underlay"),
		.time_ns = T0,
		.tuple = tuple(MODEL_PROTO_TCP, "10.244.1.5", 37182, "10.244.2.7", 80),
		.length = 1514,
		.payload_len = 1448,
		.encapsulated = true,
		.outer_src = ip("192.168.7.1"),
		.outer_dst = ip("192.168.7.2"),
		.outer_sport = 44705,
		.outer_port = 8472,
		.vni = 1,
		.outer_datagrams = 1,
		.basis = RESULT_BASIS_OBSERVED,
		.inner_bytes = 1514,
		.overhead_bytes = 50,
		.reason = "",
		.observations = four_hops,
		.n_observations = COUNT_OF(four_hops),
	};
}

static void build(void)
{
	struct result_packet *p = packets;

	p[0] = tcp(31);
	p[1] = tcp(32); /* a super-frame, its segments seen; sent again */
	p[1].length = 2850;
	p[1].retransmission = true;
	p[1].outer_datagrams = 2;
	p[1].overhead_bytes = 100;
	p[1].observations = segments;
	p[1].n_observations = COUNT_OF(segments);
	p[2] = tcp(33); /* never left the bridge */
	p[2].path = path("veth>bridge");
	p[2].status = RESULT_INCOMPLETE;
	p[2].lost = true;
	p[2].last_seen = MODEL_ROLE_BRIDGE;
	p[2].next_expected = MODEL_ROLE_VTEP;
	p[2].reason = "no hop dropped in its window";
	p[2].encapsulated = false;
	p[2].overhead_bytes = 0;
	p[2].n_observations = 2;
	p[3] = p[2]; /* the same, but the hop dropped frames */
	p[3].id = 34;
	p[3].lost = false;
	p[3].reason = "flannel.1 dropped 3 frames";
	p[4] = tcp(35);
	p[4].status = RESULT_AMBIGUOUS;
	p[4].reason = "2 candidates with IP id 0";
	p[4].basis = RESULT_BASIS_COMPUTED;
	p[4].outer_datagrams = 46;
	p[4].overhead_bytes = 2300;
	p[4].observations = NULL;
	p[4].n_observations = 0;
	p[5] = tcp(36); /* a Service */
	p[5].tuple = tuple(MODEL_PROTO_UDP, "10.244.1.5", 40000, "10.96.0.10", 53);
	p[5].translated = true;
	p[5].translation = tuple(MODEL_PROTO_UDP, "10.244.1.5", 40000, "10.244.2.9", 5353);
	p[6] = tcp(37); /* masquerade and Service at once */
	p[6].direction = MODEL_DIRECTION_INGRESS;
	p[6].path = path("underlay>bridge>veth");
	p[6].translated = true;
	p[6].translation = tuple(MODEL_PROTO_TCP, "192.168.7.1", 1025, "192.0.2.9", 443);
	p[6].encapsulated = false;
	p[6].status = RESULT_EDGE;
	p[6].reason = NULL;
	p[6].overhead_bytes = 0;
	p[7] = tcp(38); /* ping to itself */
	p[7].tuple = tuple(MODEL_PROTO_ICMP, "10.244.1.5", 4711, "10.244.1.5", 0);
	p[7].path = path("veth>veth");
	p[7].encapsulated = false;
	p[7].overhead_bytes = 0;
	p[7].length = 98;
	p[7].observations = hairpin;
	p[7].n_observations = COUNT_OF(hairpin);
	p[8] = tcp(39); /* GRE of nobody */
	p[8].tuple =
		(struct result_tuple){ .src = ip("fd00::1"), .dst = ip("fd00::2"), .protocol = 47 };
	p[8].direction = MODEL_DIRECTION_OTHER;
	p[8].outer_datagrams = 0;
	p[8].overhead_bytes = 0;
	p[8].basis = RESULT_BASIS_UNKNOWN;
	p[9] = tcp(UINT64_MAX);
	p[9].time_ns = INT64_MIN;
	p[9].length = UINT32_MAX;
	p[9].path = path("");
	p[9].tuple = tuple(MODEL_PROTO_SCTP, "::1", UINT16_MAX, "ffff::", UINT16_MAX);
	p[9].vni = UINT32_MAX;
	p[9].outer_datagrams = UINT32_MAX;
	p[9].overhead_bytes = UINT64_MAX;
	p[9].status = RESULT_INCOMPLETE;
	p[9].last_seen = p[9].next_expected = MODEL_ROLE_NONE;
	p[9].reason = HOSTILE;
	p[9].observations = extreme_hops;
	p[9].n_observations = COUNT_OF(extreme_hops);
	p[9].observations_omitted = UINT32_MAX;
	p[10] = (struct result_packet){ .status = RESULT_COMPLETE };
	p[11] = p[2];
	p[11].id = 40;
	p[11].observations = one_stamp;
	p[11].n_observations = COUNT_OF(one_stamp);
}

static void build_net(struct model_net *net)
{
	fixture_net(net);
	snprintf(net->hops[4].name, sizeof(net->hops[4].name), "%s", HOSTILE);
	net->n_hops = 5;
}

static const char *name_of(void *arg, const struct addr *a)
{
	struct addr web = ip("10.244.1.5");

	return addr_eq(a, &web) ? arg : NULL;
}

static char *all(const struct model_net *net, const struct report_style *style, bool json)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	for (size_t i = 0; i < N_PACKETS; i++)
		assert_int_equal(json ? report_packet_json(f, &packets[i], net)
				      : report_packet_text(f, &packets[i], net, style),
				 0);
	fclose(f);
	return text;
}

static void test_text(void **state)
{
	static char web[] = "shop/web-7d9c", hostile[] = HOSTILE;
	const struct {
		const char *golden;
		struct report_style style;
	} cases[] = {
		{ "packets.txt", { .utf8 = true } },
		{ "packets_verbose_nano.txt",
		  { .verbose = true,
		    .nano = true,
		    .utf8 = true,
		    .name = name_of,
		    .name_arg = web } },
		{ "packets_color.txt", { .color = true, .name = name_of, .name_arg = hostile } },
	};
	static struct model_net net;

	(void)state;
	build_net(&net);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		char *text = all(&net, &cases[i].style, false);

		assert_safe(text, cases[i].style.color);
		assert_golden(cases[i].golden, text);
		free(text);
	}
}

/* One line a packet, whatever is in it. */
static void test_one_line(void **state)
{
	char *text = all(NULL, NULL, false);
	unsigned lines = 0;

	(void)state;
	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, N_PACKETS);
	free(text);
}

static void test_json(void **state)
{
	static struct model_net net;
	char *text;

	(void)state;
	build_net(&net);
	text = all(&net, NULL, true);
	assert_safe(text, false);
	assert_golden("packets.jsonl", text);
	free(text);
}

static const char keys_packet[] =
	"schema packet_id status time_ns direction path protocol src sport "
	"dst dport translated length retransmission overhead_bytes "
	"observations outer loss observations_omitted";
static const char keys_observation[] = "hop role time_ns length segment";
static const char keys_segment[] = "index of bytes";
static const char keys_outer[] = "src dst sport vni datagrams";
static const char keys_loss[] = "last_seen next_expected verdict reason";
static const char keys_tuple[] = "src sport dst dport";

static void assert_keys(json_t *o, const char *want)
{
	char keys[512] = "";
	const char *key;
	json_t *value;

	if (json_is_null(o))
		return;
	assert_true(json_is_object(o));
	json_object_foreach(o, key, value)
	{
		snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s", *keys ? " " : "",
			 key);
	}
	assert_string_equal(keys, want);
}

/*
 * The lines are written by hand, so jansson reads each of them back: it must be one
 * document with the contract's keys in order, and to dump it again gives the same bytes.
 */
static void test_json_reads_back(void **state)
{
	static struct model_net net;
	char *text, *rest = NULL;

	(void)state;
	build_net(&net);
	text = all(&net, NULL, true);
	for (char *l = strtok_r(text, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
		json_error_t error;
		json_t *o, *value;
		size_t i;
		char *again;

		/* The only number in the fixture that is no int64_t. */
		if (strstr(l, "18446744073709551615"))
			continue;
		o = json_loads(l, JSON_REJECT_DUPLICATES, &error);
		if (!o)
			fail_msg("%s: %s", error.text, l);
		assert_keys(o, keys_packet);
		assert_keys(json_object_get(o, "outer"), keys_outer);
		assert_keys(json_object_get(o, "loss"), keys_loss);
		assert_keys(json_object_get(o, "translated"), keys_tuple);
		json_array_foreach(json_object_get(o, "observations"), i, value)
		{
			assert_keys(value, keys_observation);
			assert_keys(json_object_get(value, "segment"), keys_segment);
		}
		again = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
		assert_non_null(again);
		assert_string_equal(again, l);
		free(again);
		json_decref(o);
	}
	free(text);
}

static void test_broken_stream(void **state)
{
	FILE *f = fopen("/dev/full", "we");

	(void)state;
	if (!f)
		skip();
	setvbuf(f, NULL, _IONBF, 0);
	assert_int_equal(report_packet_text(f, &packets[0], NULL, NULL), -ENOSPC);
	assert_int_equal(report_packet_json(f, &packets[0], NULL), -ENOSPC);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	      cmocka_unit_test(test_one_line),
		cmocka_unit_test(test_json),	      cmocka_unit_test(test_json_reads_back),
		cmocka_unit_test(test_broken_stream),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	build();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
