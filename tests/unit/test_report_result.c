/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_result.c - podhop.report/1 and the one-screen report, against golden files.
 */
#include "../lib/report_fixture.h"

#include <errno.h>
#include <jansson.h>
#include <time.h>

#define START_NS INT64_C(1785585600123456000) /* 2026-08-01 12:00:00.123456 UTC */

static struct result_interface interfaces[] = {
	{ .name = "veth5a1b2c3d", .role = MODEL_ROLE_VETH, .observations = 2404, .bytes = 3410200 },
	{ .name = "cni0", .role = MODEL_ROLE_BRIDGE, .observations = 2404, .bytes = 3410200 },
	{ .name = "flannel.1", .role = MODEL_ROLE_VTEP, .observations = 2376, .bytes = 3389004 },
	{ .name = "eth0",
	  .role = MODEL_ROLE_UNDERLAY,
	  .observations = 2602,
	  .bytes = 3519304,
	  .dropped_kernel = 12,
	  .dropped_interface = -1,
	  .dropped_podhop = 3 },
};

static struct result_path_row paths[5];
static struct result_tunnel tunnels[2];
static struct result_flow flows[12];
static char *evidence[] = { "flannel.1: no frame of it in the 2 s after",
			    "veth5a1b2c3d: 0 dropped" };
static struct result_loss losses[2];
static struct result_input inputs[2];
static struct result_bar bars[] = { { 3584, 4096, 4 }, { 12288, 14336, 1196 },
				    { 98304, 114688, 4 } };
static struct result_latency latency[] = {
	{ MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, MODEL_DIRECTION_EGRESS, true, 1204, 4000, 12300,
	  19000, 40700, 112000, bars, COUNT_OF(bars) },
	{ MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, MODEL_DIRECTION_EGRESS, true, 1190, 9000, 31000,
	  40000, 88000, 1240000, NULL, 0 },
	{ MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, MODEL_DIRECTION_EGRESS, true, 1190, 840, 9870,
	  12000, 30000, 2100000000, NULL, 0 },
	{ MODEL_ROLE_UNDERLAY, MODEL_ROLE_VTEP, MODEL_DIRECTION_INGRESS, false, 1190, 0, 0, 0, 0,
	  0, NULL, 0 },
	{ MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE, MODEL_DIRECTION_INGRESS, true, 1190, 5000, 14000,
	  15000, 52000, 90000, NULL, 0 },
	{ MODEL_ROLE_BRIDGE, MODEL_ROLE_VETH, MODEL_DIRECTION_INGRESS, true, 0, 0, 0, 0, 0, 0,
	  NULL, 0 },
};

static struct result_path_row row(const char *roles, enum model_direction d, bool encapsulated,
				  uint64_t packets, uint64_t bytes)
{
	return (struct result_path_row){ path(roles), d, encapsulated, packets, bytes, packets };
}

static void full_flows(void)
{
	for (unsigned i = 0; i < COUNT_OF(flows); i++) {
		flows[i] = (struct result_flow){
			.tuple = tuple(MODEL_PROTO_TCP, "10.244.1.5", (uint16_t)(37182 + i),
				       "10.244.2.7", 80),
			.direction = MODEL_DIRECTION_EGRESS,
			.path = path("veth>bridge>vtep>underlay"),
			.packets = 600 - 50 * i,
			.bytes = 900000 - 60000 * i,
			.payload_bytes = 800000 - 60000 * i,
			.overhead_bytes = 50 * (600 - 50 * i),
		};
	}
	flows[1].retransmissions = 7;
	flows[2].tuple = tuple(MODEL_PROTO_UDP, "10.244.1.5", 40000, "10.96.0.10", 53);
	flows[2].translated = true;
	flows[2].translation = tuple(MODEL_PROTO_UDP, "10.244.1.5", 40000, "10.244.2.9", 5353);
	flows[3].tuple = tuple(MODEL_PROTO_ICMP, "10.244.1.5", 4711, "10.244.2.7", 0);
	flows[4].tuple = tuple(MODEL_PROTO_TCP, "fd00:10:244:1:ffff:ffff:ffff:5", 37190,
			       "fd00:10:244:2:ffff:ffff:ffff:7", 443);
	flows[5].tuple = tuple(47, "10.244.1.5", 0, "192.0.2.9", 0);
	flows[5].tuple.has_ports = false;
	flows[5].overhead_bytes = 0;
}

/* Everything that a report can show. Strings are not owned: never given to result_free(). */
static void full(struct result *r)
{
	paths[0] = row("veth>bridge>vtep>underlay", MODEL_DIRECTION_EGRESS, true, 1190, 1720000);
	paths[1] = row("underlay>vtep>bridge>veth", MODEL_DIRECTION_INGRESS, true, 1186, 1669004);
	paths[2] = row("veth>bridge", MODEL_DIRECTION_EGRESS, false, 14, 21196);
	paths[3] = row("veth>bridge>underlay", MODEL_DIRECTION_EGRESS, false, 9, 900);
	paths[4] = row("vtep>underlay", MODEL_DIRECTION_OTHER, true, 200, 30000);
	tunnels[0] = (struct result_tunnel){
		1,     ip("192.168.7.1"),    ip("192.168.7.2"), 8472, 1190, 1204, 1720000,
		60200, RESULT_BASIS_OBSERVED
	};
	tunnels[1] =
		(struct result_tunnel){ 1,     ip("fd00::1"), ip("fd00::2"),	    8472, 200, 200,
					30000, 14000,	      RESULT_BASIS_COMPUTED };
	losses[0] = (struct result_loss){
		.last_seen = MODEL_ROLE_BRIDGE,
		.next_expected = MODEL_ROLE_VTEP,
		.direction = MODEL_DIRECTION_EGRESS,
		.packets = 14,
		.bytes = 21196,
		.lost = true,
		.reason = (char *)(uintptr_t) "seen at cni0, then nowhere; no hop dropped in its "
					      "window",
		.evidence = evidence,
		.n_evidence = COUNT_OF(evidence),
	};
	losses[1] = (struct result_loss){
		.last_seen = MODEL_ROLE_VTEP,
		.next_expected = MODEL_ROLE_BRIDGE,
		.direction = MODEL_DIRECTION_INGRESS,
		.packets = 4,
		.bytes = 6000,
		.lost = false,
		.reason = (char *)(uintptr_t) "cni0 dropped 12 frames in the window",
		.evidence = NULL,
		.n_evidence = 0,
	};
	inputs[0] = (struct result_input){ (char *)(uintptr_t) "a.pcapng", 9786, -1,
					   (char *)(uintptr_t) "" };
	inputs[1] =
		(struct result_input){ (char *)(uintptr_t) "b.pcap", 12, 34567,
				       (char *)(uintptr_t) "cut short in the middle of a packet" };
	full_flows();
	*r = (struct result){
		.node = (char *)(uintptr_t) "node-1",
		.inputs = inputs,
		.n_inputs = COUNT_OF(inputs),
		.capture = { .start_ns = START_NS,
			     .end_ns = START_NS + 10000000000,
			     .observations = 9786,
			     .foreign = 321,
			     .filter_unsure = 2,
			     .late = 1,
			     .clock_steps = 2,
			     .closed_early = 5,
			     .cpu_ns = 123456789,
			     .max_rss_bytes = 14200000,
			     .interfaces = interfaces,
			     .n_interfaces = COUNT_OF(interfaces) },
		.packets = { 2407, 2376, 18, 3, 10, 11, 1 },
		.paths = paths,
		.n_paths = COUNT_OF(paths),
		.encapsulation = { .inner_packets = 2576,
				   .outer_datagrams = 2590,
				   .outer_datagrams_computed = 200,
				   .inner_bytes = 3419004,
				   .outer_bytes = 3552504,
				   .overhead_bytes = 133500,
				   .basis = RESULT_BASIS_MIXED,
				   .fragmented_outer = 3,
				   .fragment_bytes = 102,
				   .sizes = { [0] = { 1400, 1400, 120000, 70000 },
					      [6] = { 1176, 1190, 3299004, 63500 } },
				   .tunnels = tunnels,
				   .n_tunnels = COUNT_OF(tunnels) },
		.latency = latency,
		.n_latency = COUNT_OF(latency),
		.flows = flows,
		.n_flows = COUNT_OF(flows),
		.flows_omitted = 7988,
		.losses = losses,
		.n_losses = COUNT_OF(losses),
		.losses_omitted = 1,
	};
}

/* Nothing wrong: what most runs look like. */
static void clean(struct result *r)
{
	full(r);
	paths[0].packets = paths[1].packets = 1204;
	r->capture.foreign = r->capture.filter_unsure = r->capture.late = 0;
	r->capture.clock_steps = r->capture.closed_early = 0;
	r->capture.n_interfaces = 3;
	r->packets.total = r->packets.complete = 2408;
	r->packets.incomplete = r->packets.ambiguous = r->packets.edge = 0;
	r->packets.not_ip = r->packets.malformed = 0;
	r->n_inputs = 0;
	r->n_paths = 2;
	r->encapsulation.inner_packets_unknown = 0;
	r->encapsulation.outer_datagrams = 2408;
	r->encapsulation.outer_datagrams_computed = 0;
	r->encapsulation.overhead_bytes = 2408 * 50;
	r->encapsulation.outer_bytes = r->encapsulation.inner_bytes + 2408 * 50;
	r->encapsulation.basis = RESULT_BASIS_OBSERVED;
	r->encapsulation.fragmented_outer = r->encapsulation.fragment_bytes = 0;
	r->encapsulation.n_tunnels = 1;
	r->n_flows = 2;
	r->flows_omitted = 0;
	r->n_losses = 0;
	r->losses_omitted = 0;
}

/* Numbers as large as they get, strings as bad as they get. */
static void extreme(struct result *r)
{
	static char *bad[] = { (char *)(uintptr_t)HOSTILE, (char *)(uintptr_t) "" };
	static struct result_interface i;
	static struct result_path_row p;
	static struct result_tunnel t;
	static struct result_latency l;
	static struct result_bar b = { UINT64_MAX, UINT64_MAX, UINT64_MAX };
	static struct result_flow f;
	static struct result_loss s;
	static struct result_input in;
	uint64_t *counters = (uint64_t *)&r->packets;

	memset(r, 0, sizeof(*r));
	for (size_t k = 0; k < sizeof(r->packets) / sizeof(uint64_t); k++)
		counters[k] = UINT64_MAX;
	i = (struct result_interface){ .name = HOSTILE,
				       .role = MODEL_ROLE_NONE,
				       .observations = UINT64_MAX,
				       .bytes = UINT64_MAX,
				       .dropped_kernel = INT64_MAX,
				       .dropped_interface = INT64_MAX,
				       .dropped_podhop = UINT64_MAX };
	p = row("veth>bridge>veth>bridge>veth>bridge>veth>bridge>veth>bridge>underlay>underlay",
		MODEL_DIRECTION_EGRESS, true, UINT64_MAX, UINT64_MAX);
	p.path.cut = true;
	t = (struct result_tunnel){ UINT32_MAX, ip("ffff::"), ip("::ffff:255.255.255.255"),
				    UINT16_MAX, UINT64_MAX,   UINT64_MAX,
				    UINT64_MAX, UINT64_MAX,   RESULT_BASIS_UNKNOWN };
	l = (struct result_latency){ MODEL_ROLE_VETH,
				     MODEL_ROLE_BRIDGE,
				     MODEL_DIRECTION_EGRESS,
				     true,
				     UINT64_MAX,
				     UINT64_MAX,
				     UINT64_MAX,
				     UINT64_MAX,
				     UINT64_MAX,
				     UINT64_MAX,
				     &b,
				     1 };
	f = (struct result_flow){ .tuple = { .protocol = 255 },
				  .packets = UINT64_MAX,
				  .bytes = UINT64_MAX,
				  .payload_bytes = UINT64_MAX,
				  .overhead_bytes = UINT64_MAX,
				  .retransmissions = UINT64_MAX };
	s = (struct result_loss){
		.last_seen = MODEL_ROLE_VETH,
		.next_expected = MODEL_ROLE_BRIDGE,
		.direction = MODEL_DIRECTION_EGRESS,
		.packets = UINT64_MAX,
		.bytes = UINT64_MAX,
		.lost = true,
		.reason = bad[0],
		.evidence = bad,
		.n_evidence = COUNT_OF(bad),
	};
	in = (struct result_input){ bad[0], UINT64_MAX, INT64_MAX, bad[0] };
	r->node = bad[0];
	r->inputs = &in;
	r->n_inputs = 1;
	r->capture.start_ns = INT64_MIN;
	r->capture.end_ns = INT64_MAX;
	r->capture.observations = r->capture.foreign = r->capture.filter_unsure = UINT64_MAX;
	r->capture.late = r->capture.clock_steps = r->capture.closed_early = UINT64_MAX;
	r->capture.cpu_ns = r->capture.max_rss_bytes = UINT64_MAX;
	r->capture.interfaces = &i;
	r->capture.n_interfaces = 1;
	r->paths = &p;
	r->n_paths = 1;
	r->encapsulation.inner_packets = r->encapsulation.outer_datagrams = UINT64_MAX;
	r->encapsulation.outer_datagrams_computed = UINT64_MAX;
	r->encapsulation.inner_bytes = 1;
	r->encapsulation.outer_bytes = r->encapsulation.overhead_bytes = UINT64_MAX;
	r->encapsulation.basis = RESULT_BASIS_UNKNOWN;
	r->encapsulation.fragmented_outer = r->encapsulation.fragment_bytes = UINT64_MAX;
	r->encapsulation.tunnels = &t;
	r->encapsulation.n_tunnels = 1;
	r->latency = &l;
	r->n_latency = 1;
	r->flows = &f;
	r->n_flows = 1;
	r->flows_omitted = r->losses_omitted = INT64_MAX;
	r->losses = &s;
	r->n_losses = 1;
}

static void empty(struct result *r)
{
	memset(r, 0, sizeof(*r));
}

/* Losses where no packet came through: the drawing ends where they ended. */
static void black_hole(struct result *r)
{
	full(r);
	paths[0] = row("veth>bridge", MODEL_DIRECTION_EGRESS, false, 14, 21196);
	paths[1] = row("veth", MODEL_DIRECTION_EGRESS, false, 20, 2000);
	paths[2] = row("veth>veth", MODEL_DIRECTION_EGRESS, false, 5, 500);
	r->n_paths = 3;
	losses[1] = losses[0];
	losses[1].last_seen = MODEL_ROLE_VETH;
	losses[1].next_expected = MODEL_ROLE_BRIDGE;
	losses[1].packets = 7;
	losses[1].lost = false;
	r->losses_omitted = 0;
	r->n_latency = r->n_flows = 0;
	r->flows_omitted = 0;
	r->n_inputs = 0;
	r->encapsulation.inner_packets = r->encapsulation.outer_datagrams = 0;
	r->capture.interfaces[3].dropped_kernel = -1;
	r->capture.interfaces[3].dropped_podhop = 0;
}

static const char *name_of(void *arg, const struct addr *a)
{
	struct addr web = ip("10.244.1.5");

	(void)arg;
	return addr_eq(a, &web) ? "shop/web-7d9c" : NULL;
}

static const char *bad_name(void *arg, const struct addr *a)
{
	(void)arg;
	(void)a;
	return HOSTILE;
}

static char *as_text(const struct result *r, const struct model_net *net,
		     const struct report_style *style)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(report_result_text(f, r, net, style), 0);
	fclose(f);
	return text;
}

static char *as_json(const struct result *r, bool one_line)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(report_result_json(f, r, one_line), 0);
	fclose(f);
	return text;
}

struct text_case {
	const char *golden;
	void (*build)(struct result *r);
	struct report_style style;
};

static const struct text_case text_cases[] = {
	{ "full.txt", full, { .utf8 = true } },
	{ "full_ascii_color.txt", full, { .color = true, .width = 100 } },
	{ "full_narrow_verbose.txt",
	  full,
	  { .verbose = true, .utf8 = true, .width = 60, .name = name_of } },
	{ "clean.txt", clean, { .utf8 = true, .name = name_of } },
	{ "black_hole.txt", black_hole, { .utf8 = true } },
	{ "empty.txt", empty, { .utf8 = true } },
	{ "extreme.txt", extreme, { .utf8 = true, .name = bad_name } },
	{ "extreme_ascii.txt", extreme, { .width = 1, .color = true } },
};

static void test_text(void **state)
{
	static struct model_net net;
	struct result r;

	(void)state;
	fixture_net(&net);
	for (size_t i = 0; i < COUNT_OF(text_cases); i++) {
		const struct text_case *c = &text_cases[i];
		char *text;

		interfaces[3].dropped_kernel = 12;
		interfaces[3].dropped_podhop = 3;
		c->build(&r);
		text = as_text(&r, c->build == empty ? NULL : &net, &c->style);
		assert_safe(text, c->style.color);
		assert_golden(c->golden, text);
		free(text);
	}
}

/*
 * Of 23 packets that were seen last at the bridge 14 should have gone on: only these stand in the
 * drawing of the tunnel, the other 9 (answers to the kubelet, say) went to the host. Where a second
 * path ends there as well, nobody knows whose the 14 are, and they stay.
 */
static void test_text_part_of_a_path(void **state)
{
	static struct model_net net;
	struct report_style style = { 0 };
	struct result r;
	char *text;

	(void)state;
	fixture_net(&net);
	full(&r);
	paths[2] = row("veth>bridge", MODEL_DIRECTION_EGRESS, false, 23, 30000);
	text = as_text(&r, &net, &style);
	assert_non_null(strstr(text, "veth>bridge>vtep>underlay  1,204 packets"));
	assert_non_null(strstr(text, "  1,204           1,204  14 lost    1,190 "));
	assert_non_null(strstr(text, "veth>bridge  9 packets, 8.80 kB\n"
				     "  pod - veth - 12 us -> bridge -> host\n"
				     "        9               9\n"));
	free(text);
	/* The capture ended before what lies behind the bridge could show them: who knows? */
	paths[2].complete = 0;
	text = as_text(&r, &net, &style);
	assert_non_null(strstr(text, "  pod - veth - 12 us -> bridge\n"));
	free(text);
	paths[3] = row("bridge", MODEL_DIRECTION_EGRESS, false, 9, 900);
	text = as_text(&r, &net, &style);
	assert_non_null(strstr(text, "veth>bridge>vtep>underlay  1,190 packets"));
	assert_non_null(strstr(text, "veth>bridge  23 packets"));
	assert_non_null(strstr(text, "23     14 lost"));
	free(text);
}

/* Counts lines and the widest one; nobody's line ends in a blank. */
static void measure(const char *text, unsigned *ret_lines, unsigned *ret_columns)
{
	unsigned columns = 0;

	*ret_lines = *ret_columns = 0;
	for (const char *p = text; *p; p++) {
		if (*p == '\n') {
			assert_true(p == text || p[-1] != ' ');
			if (columns > *ret_columns)
				*ret_columns = columns;
			columns = 0;
			++*ret_lines;
		} else if (((unsigned char)*p & 0xc0) != 0x80) {
			columns++;
		}
	}
}

/* Of what is in the overhead's figure, and of what is not. */
static void test_text_of_a_mixed_basis(void **state)
{
	static const struct {
		uint64_t computed, unknown;
		const char *told;
	} cases[] = {
		{ 5, 0, "; in part observed, in part computed\n" },
		{ 0, 6, "; in part observed, without 6 packets of unknown segment size\n" },
		{ 2408, 1, "; in part computed, without 1 packet of unknown segment size\n" },
		{ 5, 6, "; in part observed, in part computed, without 6 packets of unknown "
			"segment size\n" },
	};
	struct report_style wide = { .width = 200 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct result r;

		clean(&r);
		r.encapsulation.basis = RESULT_BASIS_MIXED;
		r.encapsulation.outer_datagrams_computed = cases[i].computed;
		r.encapsulation.inner_packets_unknown = cases[i].unknown;
		char *text = as_text(&r, NULL, &wide);
		assert_non_null(strstr(text, cases[i].told));
		free(text);
	}
}

/* The screen of a person: 80 columns, and 40 lines when nothing is wrong. */
static void test_text_fits(void **state)
{
	static const struct {
		void (*build)(struct result *r);
		unsigned width, lines_max;
	} cases[] = {
		{ clean, 0, 40 }, { clean, 120, 40 },	  { full, 0, 82 },
		{ full, 72, 83 }, { black_hole, 80, 40 }, { empty, 80, 10 },
	};
	static struct model_net net;

	(void)state;
	fixture_net(&net);
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct report_style style = { .utf8 = true, .width = cases[i].width };
		unsigned lines, columns;
		struct result r;
		char *text;

		cases[i].build(&r);
		text = as_text(&r, &net, &style);
		measure(text, &lines, &columns);
		assert_in_range(lines, 3, cases[i].lines_max);
		assert_in_range(columns, 1, style.width ? style.width : 80);
		free(text);
	}
}

static void test_text_null_style(void **state)
{
	struct result r;
	char *text;

	(void)state;
	full(&r);
	text = as_text(&r, NULL, NULL);
	assert_safe(text, false);
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p < 0x80);
	free(text);
}

struct json_case {
	const char *golden;
	void (*build)(struct result *r);
	bool one_line;
};

static const struct json_case json_cases[] = {
	{ "full.json", full, false },
	{ "full.jsonl", full, true },
	{ "empty.json", empty, false },
	{ "extreme.json", extreme, false },
};

static void test_json(void **state)
{
	struct result r;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(json_cases); i++) {
		const struct json_case *c = &json_cases[i];
		char *text;

		interfaces[3].dropped_kernel = 12;
		interfaces[3].dropped_podhop = 3;
		c->build(&r);
		text = as_json(&r, c->one_line);
		assert_safe(text, false);
		if (c->one_line)
			assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_golden(c->golden, text);
		free(text);
	}
}

/* The contract's section 3, word for word: names and order at every level. */
static const struct {
	const char *where, *keys;
} orders[] = {
	{ "", "schema node inputs capture packets paths encapsulation latency flows flows_omitted "
	      "losses losses_omitted" },
	{ "inputs", "file frames truncated_at reason" },
	{ "capture", "start_ns end_ns observations foreign filter_unsure late clock_steps "
		     "closed_early cpu_ns max_rss_bytes interfaces" },
	{ "capture.interfaces", "name role observations bytes dropped_kernel dropped_interface "
				"dropped_podhop" },
	{ "packets", "total complete incomplete ambiguous edge not_ip malformed" },
	{ "paths", "path direction encapsulated packets bytes complete" },
	{ "encapsulation", "inner_packets inner_packets_unknown outer_datagrams "
			   "outer_datagrams_computed inner_bytes outer_bytes overhead_bytes "
			   "overhead_pct basis fragmented_outer fragment_bytes sizes tunnels" },
	{ "encapsulation.tunnels", "vni outer_src outer_dst port packets outer_datagrams "
				   "inner_bytes overhead_bytes basis" },
	{ "encapsulation.sizes", "min_length max_length packets outer_datagrams inner_bytes "
				 "overhead_bytes" },
	{ "latency.bars", "from_ns to_ns samples" },
	{ "latency", "from to direction measurable samples min_ns p50_ns p90_ns p99_ns max_ns "
		     "bars" },
	{ "flows", "protocol src sport dst dport translated direction path packets bytes "
		   "payload_bytes overhead_bytes retransmissions" },
	{ "losses", "last_seen next_expected direction packets bytes verdict reason evidence" },
};

static json_t *at(json_t *root, const char *where)
{
	char text[64], *rest = NULL;

	snprintf(text, sizeof(text), "%s", where);
	for (char *w = strtok_r(text, ".", &rest); w; w = strtok_r(NULL, ".", &rest)) {
		root = json_object_get(root, w);
		if (json_is_array(root))
			root = json_array_get(root, 0);
	}
	return root;
}

static void test_json_order(void **state)
{
	json_error_t error;
	struct result r;
	json_t *root;
	char *text;

	(void)state;
	full(&r);
	text = as_json(&r, true);
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	assert_non_null(root);
	for (size_t i = 0; i < COUNT_OF(orders); i++) {
		json_t *o = at(root, orders[i].where), *value;
		char keys[512] = "";
		const char *key;

		assert_true(json_is_object(o));
		json_object_foreach(o, key, value)
		{
			snprintf(keys + strlen(keys), sizeof(keys) - strlen(keys), "%s%s",
				 *keys ? " " : "", key);
		}
		assert_string_equal(keys, orders[i].keys);
	}
	json_decref(root);
	free(text);
}

static void test_json_absent(void **state)
{
	static const char *const nulls[] = { "node", "capture.start_ns", "capture.end_ns",
					     "encapsulation.overhead_pct", "encapsulation.basis" };
	json_error_t error;
	struct result r;
	json_t *root;
	char *text;

	(void)state;
	empty(&r);
	text = as_json(&r, true);
	root = json_loads(text, 0, &error);
	assert_non_null(root);
	for (size_t i = 0; i < COUNT_OF(nulls); i++)
		assert_true(json_is_null(at(root, nulls[i])));
	json_decref(root);
	free(text);
}

static long allocations_left;

static void *failing_malloc(size_t n)
{
	return allocations_left-- > 0 ? malloc(n) : NULL;
}

/* Every allocation fails in turn: an error, no crash, and (by the sanitizer) no leak. */
static void test_json_no_memory(void **state)
{
	json_malloc_t old_malloc;
	json_free_t old_free;
	struct result r;
	int rc = -ENOMEM;

	(void)state;
	full(&r);
	json_get_alloc_funcs(&old_malloc, &old_free);
	json_set_alloc_funcs(failing_malloc, free);
	for (long n = 0; rc == -ENOMEM; n++) {
		FILE *f = fopen("/dev/null", "we");

		assert_non_null(f);
		assert_in_range(n, 0, 100000);
		allocations_left = n;
		rc = report_result_json(f, &r, true);
		fclose(f);
	}
	json_set_alloc_funcs(old_malloc, old_free);
	assert_int_equal(rc, 0);
}

static void test_broken_stream(void **state)
{
	FILE *f = fopen("/dev/full", "we");
	struct result r;

	(void)state;
	if (!f)
		skip();
	setvbuf(f, NULL, _IONBF, 0);
	full(&r);
	assert_int_equal(report_result_text(f, &r, NULL, NULL), -ENOSPC);
	assert_int_equal(report_result_json(f, &r, false), -ENOSPC);
	fclose(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_part_of_a_path),
		cmocka_unit_test(test_text_of_a_mixed_basis),
		cmocka_unit_test(test_text_fits),
		cmocka_unit_test(test_text_null_style),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_order),
		cmocka_unit_test(test_json_absent),
		cmocka_unit_test(test_json_no_memory),
		cmocka_unit_test(test_broken_stream),
	};

	setenv("TZ", "UTC", 1);
	tzset();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
