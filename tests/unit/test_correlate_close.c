/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_correlate_close.c - what becomes of packets: complete, lost, unknown, edge.
 */
#include "correlate_bench.h"

static struct wire udp(uint16_t id, const char *dst)
{
	return (struct wire){ .src = POD, .dst = dst, .proto = MODEL_PROTO_UDP, .sport = 5000,
			      .dport = 53, .id = id, .len = 100, .data = id };
}

static int setup(void **state)
{
	*state = bench_new();
	return 0;
}

static int teardown(void **state)
{
	bench_free(*state);
	return 0;
}

/* Where a packet stops, and what is said of it. */
static void test_stops(void **state)
{
	static const struct {
		const char *dst;
		uint8_t ttl;
		unsigned hops;		/* shown at so many, from the veth on */
		enum result_status status;
		enum model_role last, next;
		bool lost;
		const char *reason;
	} cases[] = {
		{ REMOTE, 64, 1, RESULT_INCOMPLETE, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, true,
		  "not seen behind this hop" },
		{ REMOTE, 64, 2, RESULT_INCOMPLETE, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, true,
		  "not seen behind this hop" },
		{ REMOTE, 1, 2, RESULT_INCOMPLETE, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, true,
		  "its TTL ended here" },
		{ REMOTE, 64, 3, RESULT_INCOMPLETE, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, true,
		  "the VTEP did not send it: no FDB or ARP entry, or no way to the other node" },
		{ "10.244.9.9", 64, 2, RESULT_INCOMPLETE, MODEL_ROLE_BRIDGE, MODEL_ROLE_UNDERLAY,
		  true, "the route to its destination is a blackhole" },
		{ OUTSIDE, 64, 2, RESULT_INCOMPLETE, MODEL_ROLE_BRIDGE, MODEL_ROLE_UNDERLAY, true,
		  "not seen behind this hop" },
		/* perhaps a Service's pod of this node: nobody can know */
		{ OUTSIDE, 64, 1, RESULT_INCOMPLETE, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, false,
		  "not seen behind this hop: perhaps a Service's pod of this node" },
		{ NODE, 64, 2, RESULT_COMPLETE, MODEL_ROLE_NONE, MODEL_ROLE_NONE, false, "" },
		{ POD2, 64, 1, RESULT_COMPLETE, MODEL_ROLE_NONE, MODEL_ROLE_NONE, false, "" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct wire w = udp(1, cases[i].dst);

		w.ttl = cases[i].ttl;
		bench_route(b, "10.244.9.0/24", MODEL_ROUTE_BLACKHOLE);
		bench_start(b);
		see(b, VETH, MODEL_WAY_IN, 0, w);
		if (cases[i].hops > 1)
			see(b, BRIDGE, MODEL_WAY_IN, US, w);
		if (cases[i].hops > 2)
			see(b, VTEP, MODEL_WAY_OUT, 2 * US, w);
		bench_end(b);
		print_message("case %u: %s\n", i, b->packet[0].reason);
		assert_int_equal(b->packet[0].status, cases[i].status);
		assert_string_equal(b->packet[0].reason, cases[i].reason);
		assert_int_equal(b->packet[0].lost, cases[i].lost);
		assert_int_equal(b->packet[0].last_seen, cases[i].last);
		assert_int_equal(b->packet[0].next_expected, cases[i].next);
		assert_int_equal(b->result.n_losses, cases[i].status == RESULT_INCOMPLETE);
		bench_free(b);
	}
	(void)state;
}

/* Without a default route: what has no route ends like in a blackhole; multicast needs none. */
static void test_no_route(void **state)
{
	static const struct {
		const char *dst;
		bool lost;
	} cases[] = { { OUTSIDE, true },	{ REMOTE, true },
		      { "224.0.0.251", false }, { "255.255.255.255", false },
		      { "169.254.1.1", false }, { NODE, false } };

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct wire w = udp(1, cases[i].dst);
		unsigned n = 0;

		for (unsigned k = 0; k < b->net.n_routes; k++)
			if (b->net.routes[k].dst.len)
				b->net.routes[n++] = b->net.routes[k];
		b->net.n_routes = n;
		bench_start(b);
		see(b, VETH, MODEL_WAY_IN, 0, w);
		see(b, BRIDGE, MODEL_WAY_IN, US, w);
		bench_end(b);
		assert_int_equal(b->packet[0].lost, cases[i].lost);
		if (cases[i].lost) {
			const struct result_loss *l = &b->result.losses[0];

			assert_int_equal(l->last_seen, MODEL_ROLE_BRIDGE);
			/* doctor may know better */
			assert_true(l->vague);
			assert_int_equal(l->n_peers, 1);
			assert_false(l->peers_cut);
		}
		if (strcmp(cases[i].dst, OUTSIDE) == 0)
			assert_string_equal(b->packet[0].reason, "no route to its destination");
		bench_free(b);
	}
}

/* Seen behind the gap: the capture missed it, the network did not. */
static void test_gap_is_not_lost(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(1, REMOTE);

	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, w);
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, w, (struct outer){ .id = 1 });
	bench_end(b);
	assert_int_equal(b->packet[0].status, RESULT_INCOMPLETE);
	assert_int_equal(b->packet[0].next_expected, MODEL_ROLE_BRIDGE);
	assert_false(b->packet[0].lost);
}

/* Drops at or behind the missing hop excuse it, in its time only; drops before it do not. */
static void test_drops(void **state)
{
	static const struct {
		enum bench_hop hop;
		int64_t from, to;
		bool lost;
	} cases[] = {
		{ VTEP, -MS, MS, false },
		{ UNDERLAY, MS, 2 * MS, false },
		{ BRIDGE, -MS, MS, true },
		{ VTEP, -20 * MS, -10 * MS, true },
		{ VTEP, 2100 * MS, 2200 * MS, true },
		{ VTEP, 1900 * MS, 1950 * MS, false },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();

		bench_start(b);
		correlate_drops(b->c, cases[i].hop, BENCH_START_NS + cases[i].from,
				BENCH_START_NS + cases[i].to, 3);
		see(b, VETH, MODEL_WAY_IN, 0, udp(1, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, US, udp(1, REMOTE));
		bench_end(b);
		assert_int_equal(b->packet[0].lost, cases[i].lost);
		assert_int_equal(b->result.paths[0].packets, 1);
		assert_int_equal(b->result.paths[0].complete, 0);
		bench_free(b);
	}
	(void)state;
}

struct asked {
	enum result_shown answer;
	unsigned n, hop;
	struct result_frames frames;
};

static enum result_shown on_asked(void *arg, unsigned node, unsigned hop,
				  const struct result_frames *frames)
{
	struct asked *a = arg;

	(void)node;
	a->n++;
	a->hop = hop;
	a->frames = *frames;
	return a->answer;
}

/* What a hop's capture was told to leave out is not lost there; who may know is asked. */
static void test_filtered(void **state)
{
	static const struct {
		enum bench_hop hop;
		bool answers;
		enum result_shown answer;
		bool lost;
		const char *reason;
	} cases[] = {
		{ BRIDGE, true, RESULT_HIDDEN, true, NULL },
		{ VTEP, true, RESULT_SHOWN, true, NULL },
		{ VTEP, true, RESULT_HIDDEN, false,
		  "its capture there had a filter, which left it out" },
		{ VTEP, true, RESULT_SHOWN_UNKNOWN, false,
		  "its capture there had a filter, which may have left it out" },
		{ VTEP, false, RESULT_SHOWN, false,
		  "its capture there had a filter, which may have left it out" },
		{ UNDERLAY, true, RESULT_HIDDEN, false,
		  "its capture there had a filter, which left it out" },
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();
		struct asked asked = { .answer = cases[i].answer };

		b->net.hops[cases[i].hop].filtered = true;
		bench_start(b);
		if (cases[i].answers)
			correlate_shows(b->c, on_asked, &asked);
		see(b, VETH, MODEL_WAY_IN, 0, udp(1, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, US, udp(1, REMOTE));
		bench_end(b);
		assert_int_equal(b->packet[0].lost, cases[i].lost);
		if (cases[i].reason)
			assert_string_equal(b->packet[0].reason, cases[i].reason);
		assert_int_equal(asked.n != 0, cases[i].answers && cases[i].hop != BRIDGE);
		if (asked.n) {
			assert_int_equal(asked.hop, cases[i].hop);
			assert_int_equal(asked.frames.vxlan, cases[i].hop == UNDERLAY);
			assert_int_equal(addr_is_none(&asked.frames.tuple.dst),
					 cases[i].hop == UNDERLAY);
		}
		bench_free(b);
	}
	(void)state;
}

/* At the underlay it would have had the outer headers of the flow's others. */
static void test_filtered_underlay(void **state)
{
	struct bench *b = *state;
	struct asked asked = { .answer = RESULT_SHOWN };
	char text[ADDR_STR_MAX];

	b->net.hops[UNDERLAY].filtered = true;
	bench_start(b);
	correlate_shows(b->c, on_asked, &asked);
	for (uint16_t id = 1; id <= 2; id++) {
		see(b, VETH, MODEL_WAY_IN, id * MS, udp(id, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, id * MS + US, udp(id, REMOTE));
		see(b, VTEP, MODEL_WAY_OUT, id * MS + 2 * US, udp(id, REMOTE));
		if (id == 1)
			see_vxlan(b, MODEL_WAY_OUT, MS + 3 * US, udp(id, REMOTE),
				  (struct outer){ .id = 1 });
	}
	bench_end(b);
	assert_true(b->packet[1].lost);
	assert_true(asked.n);
	assert_string_equal(addr_str(&asked.frames.tuple.src, text), NODE);
	assert_string_equal(addr_str(&asked.frames.tuple.dst, text), NODE_FAR);
	assert_int_equal(asked.frames.tuple.protocol, MODEL_PROTO_UDP);
	assert_int_equal(asked.frames.tuple.dport, 8472);
}

/* A VTEP of the other family cannot excuse. */
static void test_drops_of_other_family(void **state)
{
	struct bench *b = *state;

	b->net.hops[VETH2] = b->net.hops[VTEP];
	b->net.n_hops = BENCH_HOPS;
	prefix_parse("10.244.1.0/32", &b->net.hops[VTEP].addrs[0]);
	prefix_parse("fd00:1::/128", &b->net.hops[VETH2].addrs[0]);
	b->net.hops[VTEP].n_addrs = b->net.hops[VETH2].n_addrs = 1;
	bench_start(b);
	correlate_drops(b->c, VETH2, BENCH_START_NS - MS, BENCH_START_NS + MS, 3);
	see(b, VETH, MODEL_WAY_IN, 0, udp(1, REMOTE));
	see(b, BRIDGE, MODEL_WAY_IN, US, udp(1, REMOTE));
	bench_end(b);
	assert_true(b->packet[0].lost);
}

/* Within one window of a hop's start or end: edge. After a hop went away: unknown there. */
static void test_edges(void **state)
{
	static const struct {
		int64_t at;
		enum result_status status;
		bool lost;
	} cases[] = {
		{ 500 * MS, RESULT_EDGE, false },
		{ 5000 * MS, RESULT_INCOMPLETE, true },
		{ 9000 * MS, RESULT_EDGE, false },
		{ 11000 * MS, RESULT_EDGE, false },
		{ 15000 * MS, RESULT_INCOMPLETE, false }, /* the VTEP ended at 10 s */
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench *b = bench_new();

		bench_start(b);
		correlate_hop_span(b->c, VETH, BENCH_START_NS, BENCH_START_NS + 20000 * MS);
		correlate_hop_span(b->c, VTEP, BENCH_START_NS, BENCH_START_NS + 10000 * MS);
		see(b, VETH, MODEL_WAY_IN, cases[i].at, udp(1, REMOTE));
		see(b, BRIDGE, MODEL_WAY_IN, cases[i].at + US, udp(1, REMOTE));
		bench_end(b);
		assert_int_equal(b->packet[0].status, cases[i].status);
		assert_int_equal(b->packet[0].lost, cases[i].lost);
		assert_int_equal(b->result.paths[0].packets, 1);
		assert_int_equal(b->result.paths[0].complete, 0);
		bench_free(b);
	}
	(void)state;
}

/* A full table closes its oldest, says so, and calls nothing lost on that account. */
static void test_table_full(void **state)
{
	struct bench *b = *state;

	b->cfg.packets_max = 8;
	bench_start(b);
	for (unsigned i = 0; i < 40; i++)
		see(b, VETH, MODEL_WAY_IN, (int)i * MS, udp((uint16_t)(i + 1), REMOTE));
	bench_end(b);
	assert_int_equal(b->result.packets.total, 40);
	assert_int_equal(b->result.capture.closed_early, 32);
	uint64_t lost = 0, unknown = 0;
	for (unsigned i = 0; i < b->result.n_losses; i++)
		*(b->result.losses[i].lost ? &lost : &unknown) += b->result.losses[i].packets;
	assert_int_equal(unknown, 32);
	assert_int_equal(lost, 8);
}

/* Look-alikes hold each other until all have closed: a full table of them makes room as well. */
static void test_table_full_of_look_alikes(void **state)
{
	struct bench *b = *state;

	b->cfg.packets_max = 8;
	bench_start(b);
	for (unsigned i = 0; i < 60; i++) {
		struct wire w = udp(0, REMOTE);

		w.df = true;
		see(b, VETH, MODEL_WAY_IN, (int)i * 250 * US, w);
		if (i % 3 == 2)
			see(b, BRIDGE, MODEL_WAY_IN, (int)i * 250 * US + 5 * US, w);
	}
	bench_end(b);
	for (unsigned i = 0; i < b->n; i++)
		assert_int_not_equal(id_of(b, i), 0);
	assert_int_equal(b->result.packets.total, b->n_packets);
	assert_true(b->result.capture.closed_early > 0);
}

/* Whole packets give way first: a full table of them closes nothing early. */
static void test_table_full_of_whole(void **state)
{
	struct bench *b = *state;

	b->cfg.packets_max = 8;
	bench_start(b);
	for (unsigned i = 0; i < 40; i++)
		out(b, (int)i * MS, udp((uint16_t)(i + 1), REMOTE));
	bench_end(b);
	assert_int_equal(b->result.packets.complete, 40);
	assert_int_equal(b->result.capture.closed_early, 0);
}

/* -c: the first packets, then until they close; later ones get no id. */
static void test_count(void **state)
{
	struct bench *b = *state;

	b->cfg.max_packets = 2;
	bench_start(b);
	for (unsigned i = 0; i < 5; i++)
		out(b, (int)i * 100 * MS, udp((uint16_t)(i + 1), REMOTE));
	see(b, VETH, MODEL_WAY_IN, 3000 * MS, udp(99, REMOTE));
	assert_true(correlate_is_full(b->c));
	bench_end(b);
	assert_int_equal(b->result.packets.total, 2);
	assert_int_equal(b->result.capture.foreign, 13);
	assert_true(b->mark[0].keep);
	assert_true(b->mark[7].keep);
	assert_false(b->mark[8].keep);
}

/* What is of no captured pod is foreign live, and does not fill the table for a whole window. */
static void test_foreign(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(1, OUTSIDE);

	w.src = NODE;
	b->cfg.packets_max = 16;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, udp(7, REMOTE));
	for (unsigned i = 0; i < 100; i++) {
		w.id = (uint16_t)(i + 1);
		see(b, UNDERLAY, MODEL_WAY_OUT, (int)(i + 1) * 15 * MS, w);
	}
	bench_end(b);
	assert_int_equal(b->result.capture.foreign, 100);
	assert_int_equal(b->result.packets.total, 1);
	assert_int_equal(b->result.capture.closed_early, 0);
	assert_int_not_equal(id_of(b, a), 0);
}

/* A path-MTU error names the packet that it is about. */
static void test_too_big(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(77, REMOTE), e = { .src = "10.244.1.1", .dst = POD,
					       .proto = MODEL_PROTO_ICMP, .id = 3, .icmp_type = 3,
					       .icmp_code = 4, .quote = &w };

	w.len = 1400;
	w.df = true;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, BRIDGE, MODEL_WAY_IN, US, w);
	unsigned k = see(b, BRIDGE, MODEL_WAY_OUT, 2 * US, e);
	see(b, VETH, MODEL_WAY_OUT, 3 * US, e);
	bench_end(b);
	assert_true(packet_of(b, a)->lost);
	assert_string_equal(packet_of(b, a)->reason,
			    "larger than the path allows: an ICMP error about it was sent");
	assert_packet(b, k, 2);
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
}

/* NodeLocal DNS: link-local, but the node's own, so the bridge has to show it. */
static void test_node_local_dns(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = "169.254.20.10", .proto = MODEL_PROTO_UDP,
			  .sport = 9, .dport = 53, .id = 4, .len = 50 }, w = v;

	w.id = 5;
	bench_route(b, "169.254.20.10/32", MODEL_ROUTE_NODE);
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	unsigned k = see(b, VETH, MODEL_WAY_IN, MS, w);
	bench_end(b);
	assert_packet(b, a, 2);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, k)->status, RESULT_INCOMPLETE);
}

/* Two captured pods talk: what the sender's veth shows is refused, the receiver's is chosen. */
static void test_asked_at_both_veths(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = VIP, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 80, .id = 4, .len = 50 }, w = v;

	w.dst = POD2;
	w.dport = 8080;
	bench_second_pod(b);
	b->cfg.verdicts = b->cfg.filter = true;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	assert_int_equal(b->asked, 1);
	correlate_set_verdict(b->c, b->ref[a], CORRELATE_DROP);
	unsigned k = see(b, VETH2, MODEL_WAY_OUT, 20 * US, w);
	assert_int_equal(b->asked, 2);
	correlate_set_verdict(b->c, b->ref[k], CORRELATE_KEEP);
	bench_end(b);
	assert_same(b, a, k);
	assert_int_equal(b->result.capture.foreign, 0);
}

/* Late delivery within the look-ahead changes neither ids nor path. */
static void test_late_frame(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(1, REMOTE);

	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, VTEP, MODEL_WAY_OUT, 20 * US, w);
	see_vxlan(b, MODEL_WAY_OUT, 30 * US, w, (struct outer){ .id = 1 });
	see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	bench_end(b);
	assert_packet(b, 0, 4);
	assert_path(b, 0, "veth>bridge>vtep>underlay");
	assert_int_equal(b->result.packets.complete, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_stops), T(test_no_route), T(test_gap_is_not_lost), T(test_drops),
		T(test_filtered), T(test_filtered_underlay), T(test_drops_of_other_family),
		T(test_edges), T(test_table_full), T(test_table_full_of_look_alikes),
		T(test_table_full_of_whole), T(test_count), T(test_foreign), T(test_too_big),
		T(test_node_local_dns), T(test_asked_at_both_veths), T(test_late_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
