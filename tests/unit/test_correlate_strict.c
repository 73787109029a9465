/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_correlate_strict.c - what is nearly the same and must not be, what hardly is and must be.
 *
 * Each test is one condition of a rule; tests/lib/mutations.txt leaves them out in turn.
 */
#include "correlate_bench.h"

#define SEGMENT 1400u

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

static struct wire udp(uint16_t id, const char *dst)
{
	return (struct wire){ .src = POD,
			      .dst = dst,
			      .sport = 1000,
			      .dport = 2000,
			      .proto = MODEL_PROTO_UDP,
			      .id = id,
			      .len = 100,
			      .data = id };
}

/* Bytes [off, off + len) of a stream, the k-th frame by its IP id. */
static struct wire tcp(uint32_t off, uint32_t len, unsigned k)
{
	return (struct wire){ .src = POD,
			      .dst = REMOTE,
			      .sport = 4000,
			      .dport = 80,
			      .df = true,
			      .id = (uint16_t)(700 + k),
			      .seq = 1 + off,
			      .ack = 9,
			      .len = len,
			      .data_off = off };
}

static void mirror(struct wire *w)
{
	const char *src = w->src;
	uint16_t sport = w->sport;

	w->src = w->dst;
	w->dst = src;
	w->sport = w->dport;
	w->dport = sport;
}

static void all_captured(struct bench *b)
{
	for (unsigned h = 0; h < b->net.n_hops; h++)
		correlate_hop_span(b->c, h, BENCH_START_NS - 9000 * MS, BENCH_START_NS + 9000 * MS);
}

/* --------------------------------------------------------------- look-alikes */

static void test_how_many_could_be_meant(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, udp(0, REMOTE));
	see(b, VETH, MODEL_WAY_IN, US, udp(0, REMOTE));
	unsigned i = see(b, BRIDGE, MODEL_WAY_IN, 10 * US, udp(0, REMOTE));
	bench_end(b);
	assert_int_equal(b->mark[i].ambiguous, 2);
	assert_int_equal(id_of(b, i), id_of(b, 0)); /* in order */
}

static void test_echoes_by_their_number(void **state)
{
	struct bench *b = *state;
	struct wire w[2];

	for (unsigned i = 0; i < 2; i++)
		w[i] = (struct wire){ .src = POD,
				      .dst = REMOTE,
				      .proto = MODEL_PROTO_ICMP,
				      .icmp_type = 8,
				      .icmp_id = 5,
				      .icmp_seq = (uint16_t)(10 + i) };
	bench_start(b);
	unsigned first = see(b, VETH, MODEL_WAY_IN, 0, w[0]);
	unsigned second = see(b, VETH, MODEL_WAY_IN, US, w[1]);
	unsigned late = see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w[1]);
	unsigned early = see(b, BRIDGE, MODEL_WAY_IN, 11 * US, w[0]);
	bench_end(b);
	assert_int_equal(id_of(b, first), id_of(b, early));
	assert_int_equal(id_of(b, second), id_of(b, late));
	assert_int_equal(b->mark[late].ambiguous, 0);
}

/* cni0 sends a pod its own multicast back, with the pod's MAC address as source. */
static void test_own_multicast(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	unsigned i = see(b, VETH, MODEL_WAY_IN, 0, udp(3, "224.0.0.251"));
	see(b, BRIDGE, MODEL_WAY_IN, 5 * US, udp(3, "224.0.0.251"));
	unsigned back = see(b, VETH, MODEL_WAY_IN, 10 * US, udp(3, "224.0.0.251"));
	bench_end(b);
	assert_int_equal(id_of(b, i), id_of(b, back));
	assert_int_equal(b->n_packets, 1);
	/* What is said of it is that it came back, not that it was sent once more. */
	assert_int_equal(b->tag[back].way, MODEL_WAY_OUT);
	assert_int_equal(b->mark[back].hop, 3);
	assert_int_equal(b->mark[back].path.n, 3);
	assert_int_equal(b->mark[back].dt_ns, 5 * US);
}

static void test_repeated_syn(void **state)
{
	struct bench *b = *state;
	struct wire w = tcp(0, 0, 0);

	w.flags = MODEL_TCP_SYN;
	w.mss = 1460;
	bench_start(b);
	unsigned first = see(b, VETH, MODEL_WAY_IN, 0, w);
	w.id++;
	unsigned again = see(b, VETH, MODEL_WAY_IN, 1000 * MS, w);
	bench_end(b);
	assert_int_not_equal(id_of(b, first), id_of(b, again));
	assert_false(packet_of(b, first)->retransmission);
	assert_true(packet_of(b, again)->retransmission);
}

/* ------------------------------------------------------------------ segments */

/* A super-frame at the veth and something at the bridge: the same packet? */
static bool is_segment_of(uint32_t big, struct wire part, unsigned times)
{
	struct bench *b = bench_new();
	unsigned i, k = 0;
	bool same;

	bench_start(b);
	i = see(b, VETH, MODEL_WAY_IN, 0, tcp(0, big, 0));
	for (unsigned n = 0; n < times; n++)
		k = see(b, BRIDGE, MODEL_WAY_IN, (10 + n) * US, part);
	bench_end(b);
	same = id_of(b, i) == id_of(b, k);
	bench_free(b);
	return same;
}

static void test_segments(void **state)
{
	struct wire w = tcp(0, SEGMENT, 0);

	(void)state;
	assert_true(is_segment_of(60000, w, 1));
	assert_false(is_segment_of(60000, w, 2)); /* a true duplicate */
	/* one in the middle, though none before it was seen */
	assert_true(is_segment_of(60000, tcp(40 * SEGMENT, SEGMENT, 40), 1));
	/* the last one, and one that would go on behind it */
	assert_true(is_segment_of(3 * SEGMENT + 600, tcp(3 * SEGMENT, 600, 3), 1));
	assert_false(is_segment_of(3 * SEGMENT + 600, tcp(3 * SEGMENT, SEGMENT, 3), 1));
	/* sent again later: with another acknowledgement, or another IP id */
	w.ack = 10;
	assert_false(is_segment_of(60000, w, 1));
	assert_false(is_segment_of(60000, tcp(2 * SEGMENT, SEGMENT, 9), 1));
	/* ids that a device left equal */
	assert_true(is_segment_of(60000, tcp(2 * SEGMENT, SEGMENT, 0), 1));
}

/* Segments on the wire, merged for the pod. */
static void test_merging(void **state)
{
	struct bench *b = *state;
	struct wire w[3], all = tcp(0, 3 * SEGMENT, 0);

	mirror(&all);
	for (unsigned i = 0; i < 3; i++) {
		w[i] = tcp(i * SEGMENT, SEGMENT, i);
		mirror(&w[i]);
	}
	bench_start(b);
	unsigned first = see(b, VTEP, MODEL_WAY_IN, 0, w[0]);
	/* the second was dropped by the capture */
	unsigned third = see(b, VTEP, MODEL_WAY_IN, 2 * US, w[2]);
	unsigned merged = see(b, VETH, MODEL_WAY_OUT, 9 * US, all);
	bench_end(b);
	assert_int_equal(id_of(b, first), id_of(b, merged));
	assert_int_equal(id_of(b, third), id_of(b, merged));
	assert_int_equal(b->n_packets, 1);
}

static void test_merging_what_does_not_belong(void **state)
{
	struct bench *b = *state;
	struct wire a = tcp(0, SEGMENT, 0), k = tcp(SEGMENT, SEGMENT, 1),
		    all = tcp(0, 2 * SEGMENT, 0);

	k.ack = 77; /* GRO would not merge it: it was sent at another time */
	mirror(&a);
	mirror(&k);
	mirror(&all);
	bench_start(b);
	unsigned first = see(b, VTEP, MODEL_WAY_IN, 0, a);
	unsigned other = see(b, VTEP, MODEL_WAY_IN, US, k);
	unsigned merged = see(b, VETH, MODEL_WAY_OUT, 9 * US, all);
	bench_end(b);
	assert_int_equal(id_of(b, first), id_of(b, merged));
	assert_int_not_equal(id_of(b, other), id_of(b, merged));
}

/* Of two SYNs that one side sent, the smaller MSS binds. */
static void test_mss_of_a_repeated_syn(void **state)
{
	struct bench *b = *state;
	struct wire w = tcp(0, 0, 0), back;

	w.flags = MODEL_TCP_SYN;
	w.mss = 1000;
	back = w;
	mirror(&back);
	back.flags |= MODEL_TCP_ACK;
	back.mss = 1460;
	bench_start(b);
	out(b, 0, w);
	w.mss = 1460;
	w.id++;
	out(b, MS, w);
	in(b, 2 * MS, back);
	unsigned big = out(b, 3 * MS, tcp(1, 5000, 9));
	bench_end(b);
	assert_int_equal(packet_of(b, big)->outer_datagrams, 5);
}

/* ----------------------------------------------------------------- fragments */

static struct wire part_of(struct wire whole, uint32_t off, uint32_t len)
{
	whole.frag_off = off;
	whole.more = off + len < whole.len + 8;
	whole.udp_len = whole.len + 8;
	whole.data_off = off ? off - 8 : 0;
	whole.len = off ? len : len - 8;
	return whole;
}

static void test_a_fragment_twice(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(5, REMOTE);

	w.len = 2000;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, part_of(w, 0, 1400));
	unsigned k = see(b, VETH, MODEL_WAY_IN, US, part_of(w, 1400, 608));
	unsigned again = see(b, VETH, MODEL_WAY_IN, 2 * US, part_of(w, 1400, 608));
	bench_end(b);
	assert_int_equal(id_of(b, a), id_of(b, k));
	assert_int_not_equal(id_of(b, a), id_of(b, again));
}

/* An echo request of the same number and IP id, but another length. */
static void test_fragments_of_another_length(void **state)
{
	struct bench *b = *state;
	struct wire w = { .src = POD,
			  .dst = REMOTE,
			  .proto = MODEL_PROTO_ICMP,
			  .icmp_type = 8,
			  .icmp_id = 5,
			  .icmp_seq = 7,
			  .id = 9,
			  .len = 2000 };

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, part_of(w, 0, 1400));
	see(b, VETH, MODEL_WAY_IN, US, part_of(w, 1400, 608));
	w.len = 1992;
	unsigned k = see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	bench_end(b);
	assert_int_not_equal(id_of(b, a), id_of(b, k));
}

/* --------------------------------------------------------------- translation */

/* One end has changed for one candidate, both for an older one: the first is meant. */
static void test_two_ends_changed(void **state)
{
	struct bench *b = *state;
	struct wire far = udp(0, VIP), near = udp(0, REMOTE), w = udp(0, REMOTE);

	near.dport = 5353;
	w.src = NODE;
	w.sport = 777;
	w.dport = 5353;
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, far);
	unsigned k = see(b, VETH, MODEL_WAY_IN, US, near);
	unsigned i = see(b, VTEP, MODEL_WAY_OUT, 10 * US, w);
	bench_end(b);
	assert_int_equal(id_of(b, i), id_of(b, k));
	assert_int_equal(b->mark[i].ambiguous, 0);
}

/* What was learned of a request holds for its answer, though that is seen only on the wire. */
static void test_the_answer_is_known(void **state)
{
	struct bench *b = *state;
	struct wire v = udp(21, VIP), r = udp(21, REMOTE), answer = udp(22, REMOTE);

	r.dport = 5353;
	answer.dport = 5353;
	mirror(&answer);
	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, 5 * US, v);
	see(b, VTEP, MODEL_WAY_OUT, 10 * US, r);
	see_vxlan(b, MODEL_WAY_OUT, 15 * US, r, (struct outer){ .id = 1 });
	unsigned i = see_vxlan(b, MODEL_WAY_IN, MS, answer, (struct outer){ .id = 2, .in = true });
	bench_end(b);
	struct addr vip;
	addr_parse(VIP, &vip);
	assert_true(addr_eq(&packet_of(b, i)->tuple.src, &vip));
	assert_int_equal(packet_of(b, i)->tuple.sport, 2000);
	assert_true(packet_of(b, i)->translated);
}

/* ----------------------------------------------------------------- direction */

/* The veth belongs to the pod, whatever address stands in the packet. */
static void test_foreign_addresses_at_the_veth(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(1, REMOTE), back = udp(2, "9.9.9.9");

	w.src = "1.2.3.4";
	back.src = REMOTE;
	bench_start(b);
	unsigned i = see(b, VETH, MODEL_WAY_IN, 0, w);
	unsigned k = see(b, VETH, MODEL_WAY_OUT, MS, back);
	bench_end(b);
	assert_int_equal(packet_of(b, i)->direction, MODEL_DIRECTION_EGRESS);
	assert_int_equal(packet_of(b, k)->direction, MODEL_DIRECTION_INGRESS);
}

/* A router tells the node about a pod's packet: that concerns the pod. */
static void test_an_error_between_others(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(1, REMOTE), other = udp(2, REMOTE);
	struct wire e = { .src = OUTSIDE,
			  .dst = NODE,
			  .proto = MODEL_PROTO_ICMP,
			  .id = 3,
			  .icmp_type = 3,
			  .icmp_code = 1,
			  .quote = &w };

	other.src = "10.244.9.9";
	bench_start(b);
	unsigned i = see(b, UNDERLAY, MODEL_WAY_IN, 0, e);
	e.id = 4;
	e.quote = &other;
	unsigned k = see(b, UNDERLAY, MODEL_WAY_IN, MS, e);
	bench_end(b);
	assert_true(b->mark[i].keep);
	assert_int_equal(b->mark[i].direction, MODEL_DIRECTION_INGRESS);
	assert_false(b->mark[k].keep);
}

/* ---------------------------------------------------------------------- path */

static void test_what_a_path_needs(void **state)
{
	struct bench *b = *state;
	struct wire w = udp(3, POD);

	w.src = REMOTE;
	bench_second_pod(b);
	bench_start(b);
	unsigned node = see(b, VETH, MODEL_WAY_IN, 0, udp(1, NODE));
	unsigned neighbour = see(b, VETH, MODEL_WAY_IN, MS, udp(2, POD2));
	unsigned inwards =
		see_vxlan(b, MODEL_WAY_IN, 2 * MS, w, (struct outer){ .id = 1, .in = true });
	see(b, VTEP, MODEL_WAY_IN, 2 * MS + 5 * US, w);
	all_captured(b);
	bench_end(b);
	assert_int_equal(packet_of(b, node)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, node)->next_expected, MODEL_ROLE_BRIDGE);
	assert_int_equal(packet_of(b, neighbour)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, neighbour)->next_expected, MODEL_ROLE_VETH);
	assert_int_equal(packet_of(b, inwards)->last_seen, MODEL_ROLE_VTEP);
	assert_int_equal(packet_of(b, inwards)->next_expected, MODEL_ROLE_BRIDGE);
	assert_string_equal(packet_of(b, inwards)->reason, "not seen behind this hop");
	assert_true(packet_of(b, inwards)->lost);
}

/* A bond and its NIC show the same datagram: it is paid for once. */
static void test_two_underlay_hops(void **state)
{
	struct bench *b = *state;

	b->net.n_hops = BENCH_HOPS;
	b->net.hops[VETH2].role = MODEL_ROLE_UNDERLAY;
	b->net.hops[VETH2].pod = -1;
	bench_start(b);
	unsigned i = out(b, 0, udp(1, REMOTE));
	bench_see(b, VETH2, MODEL_WAY_OUT, 40 * US, 0); /* the same frame */
	bench_end(b);
	assert_int_equal(id_of(b, i), id_of(b, b->n - 1));
	assert_int_equal(packet_of(b, i)->outer_datagrams, 1);
	assert_int_equal(b->result.encapsulation.outer_datagrams, 1);
}

static void test_a_tunnel_is_its_vni_too(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	out(b, 0, udp(1, REMOTE));
	b->frame[14 + 20 + 8 + 6] = 2; /* the VNI's last byte */
	bench_see(b, UNDERLAY, MODEL_WAY_OUT, MS, 0);
	bench_end(b);
	assert_int_equal(b->result.encapsulation.n_tunnels, 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_how_many_could_be_meant),
		T(test_echoes_by_their_number),
		T(test_own_multicast),
		T(test_repeated_syn),
		T(test_segments),
		T(test_merging),
		T(test_merging_what_does_not_belong),
		T(test_mss_of_a_repeated_syn),
		T(test_a_fragment_twice),
		T(test_fragments_of_another_length),
		T(test_two_ends_changed),
		T(test_the_answer_is_known),
		T(test_foreign_addresses_at_the_veth),
		T(test_an_error_between_others),
		T(test_what_a_path_needs),
		T(test_two_underlay_hops),
		T(test_a_tunnel_is_its_vni_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
