/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_correlate_rules.c - each matching rule, and what it must not match.
 */
#include "correlate_bench.h"

static struct wire tcp_out(uint32_t seq, uint32_t len)
{
	return (struct wire){ .src = POD, .dst = REMOTE, .sport = 40000, .dport = 80, .df = true,
			      .id = (uint16_t)(seq / 1000 + 1), .seq = seq, .ack = 1, .len = len,
			      .data = seq };
}

static struct wire udp_out(uint16_t id, uint32_t len, uint32_t data)
{
	return (struct wire){ .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_UDP, .sport = 5000,
			      .dport = 53, .id = id, .len = len, .data = data };
}

/* The same towards the pod: addresses alone, which is all that a hop goes by. */
static struct wire to_pod(struct wire w)
{
	w.src = REMOTE;
	w.dst = POD;
	return w;
}

static struct wire to_pod6(struct wire w)
{
	w.src = REMOTE6;
	w.dst = POD6;
	return w;
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

/* ------------------------------------------------------------------ same */

static void test_same_out(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	unsigned a = out(b, 0, tcp_out(1000, 100)), k = out(b, MS, tcp_out(1100, 100));
	bench_end(b);
	assert_packet(b, a, 4);
	assert_packet(b, k, 4);
	assert_apart(b, a, k);
	assert_path(b, a, "veth>bridge>vtep>underlay");
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, a)->direction, MODEL_DIRECTION_EGRESS);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 1);
	assert_int_equal(packet_of(b, a)->overhead_bytes, 50);
	assert_int_equal(b->result.packets.complete, 2);
	/* ids count from 1 in order of first observation; hops are counted */
	assert_int_equal(id_of(b, a), 1);
	assert_int_equal(id_of(b, k), 2);
	assert_int_equal(b->mark[a + 3].hop, 4);
	assert_int_equal(b->mark[a + 3].dt_ns, 10 * US);
	assert_int_equal(b->mark[a].dt_ns, -1);
}

static void test_same_in(void **state)
{
	struct bench *b = *state;
	struct wire w = to_pod(tcp_out(1000, 100));

	bench_start(b);
	unsigned a = in(b, 0, w);
	bench_end(b);
	assert_packet(b, a, 4);
	assert_path(b, a, "underlay>vtep>bridge>veth");
	assert_int_equal(packet_of(b, a)->direction, MODEL_DIRECTION_INGRESS);
	assert_int_equal(b->result.packets.complete, 1);
}

/* Anything that no hop may change keeps two packets apart. */
static void test_same_not(void **state)
{
	struct bench *b = *state;
	struct wire base = tcp_out(1000, 100), w[8];
	unsigned first, seen[8];

	for (unsigned i = 0; i < 8; i++)
		w[i] = base;
	w[0].seq++;
	w[1].ack++;
	w[2].id++;
	w[3].len++;
	w[3].id += 7; /* with the id of the other it could be merged from it */
	w[4].data++;
	w[5].sport++;
	w[6].flags = MODEL_TCP_ACK | MODEL_TCP_PSH;
	w[7].tsval = 5;
	b->cfg.nat = false;
	bench_start(b);
	first = see(b, VETH, MODEL_WAY_IN, 0, base);
	for (unsigned i = 0; i < 8; i++)
		seen[i] = see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w[i]);
	unsigned match = see(b, BRIDGE, MODEL_WAY_IN, 20 * US, base);
	bench_end(b);
	for (unsigned i = 0; i < 8; i++)
		assert_apart(b, first, seen[i]);
	assert_same(b, first, match);
}

/* ------------------------------------------------- segment, merge, numbers */

static void segments(struct bench *b, uint32_t base)
{
	struct wire super = tcp_out(base, 4000), part;
	unsigned a, k, seg[3];

	super.id = 100;
	super.flags = MODEL_TCP_ACK | MODEL_TCP_PSH;
	bench_start(b);
	a = see(b, VETH, MODEL_WAY_IN, 0, super);
	k = see(b, VTEP, MODEL_WAY_OUT, 10 * US, super);
	for (unsigned i = 0; i < 3; i++) {
		part = super;
		part.seq = base + i * 1400;
		part.data_off = i * 1400;
		part.len = i < 2 ? 1400 : 1200;
		part.id = (uint16_t)(100 + i);
		part.flags = i < 2 ? MODEL_TCP_ACK : super.flags;
		seg[i] = see_vxlan(b, MODEL_WAY_OUT, (20 + i) * US, part,
				   (struct outer){ .id = (uint16_t)(7 + i) });
	}
	bench_end(b);
	assert_same(b, a, k);
	for (unsigned i = 0; i < 3; i++)
		assert_same(b, a, seg[i]);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 3);
	assert_int_equal(packet_of(b, a)->basis, RESULT_BASIS_OBSERVED);
	assert_int_equal(packet_of(b, a)->overhead_bytes, 150);
	assert_int_equal(packet_of(b, a)->inner_bytes, 4000 + 3 * 54);
	assert_int_equal(packet_of(b, a)->outer_ttl, 64);
	assert_false(packet_of(b, a)->outer_df);
}

static void test_segment(void **state)
{
	((struct bench *)*state)->net.hops[BRIDGE].role = MODEL_ROLE_BRIDGE;
	segments(*state, 1000);
}

static void test_segment_seq_wrap(void **state)
{
	segments(*state, UINT32_MAX - 2000);
}

static void test_segment_id_wrap(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 2800), part = super;

	bench_start(b);
	super.id = 0xffff;
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, super), k;
	part.len = 1400;
	part.id = 0xffff;
	k = see_vxlan(b, MODEL_WAY_OUT, 10 * US, part, (struct outer){ .id = 1 });
	part.seq += 1400;
	part.data_off = 1400;
	part.id = 0;
	unsigned l = see_vxlan(b, MODEL_WAY_OUT, 11 * US, part, (struct outer){ .id = 2 });
	bench_end(b);
	assert_same(b, a, k);
	assert_same(b, a, l);
}

/* A segment sent again is no segment of the first super-frame. */
static void test_segment_retransmitted(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 2800), again = super;

	again.len = 1400;
	again.id = 500;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, super);
	unsigned k = out(b, 300 * MS, again);
	bench_end(b);
	assert_packet(b, k, 4);
	assert_apart(b, a, k);
	assert_true(packet_of(b, k)->retransmission);
	assert_false(packet_of(b, a)->retransmission);
}

/*
 * A super-frame is lost behind the bridge, and its first half is sent again: IPv6 has no id that
 * tells the segments' ancestors apart, but only the second was seen at the hop before.
 */
static void test_segment_of_the_resent(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 5600), again, part;

	super.src = POD6;
	super.dst = REMOTE6;
	again = super;
	again.len = 2800;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, super);
	see(b, BRIDGE, MODEL_WAY_IN, US, super);
	unsigned k = see(b, VETH, MODEL_WAY_IN, 300 * US, again);
	see(b, BRIDGE, MODEL_WAY_IN, 301 * US, again);
	see(b, VTEP, MODEL_WAY_OUT, 302 * US, again);
	part = again;
	part.len = 1400;
	see_vxlan(b, MODEL_WAY_OUT, 303 * US, part, (struct outer){ .id = 1 });
	part.seq += 1400;
	part.data_off = 1400;
	see_vxlan(b, MODEL_WAY_OUT, 304 * US, part, (struct outer){ .id = 2 });
	bench_end(b);
	assert_packet(b, k, 5);
	assert_apart(b, a, k);
	assert_path(b, k, "veth>bridge>vtep>underlay");
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
	assert_path(b, a, "veth>bridge");
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
}

/* len bytes of w from off on, as its own frame. */
static struct wire piece(struct wire w, uint32_t off, uint32_t len)
{
	w.seq += off;
	w.data_off += off;
	w.len = len;
	return w;
}

/* What the wire shows of w in segments of 1,300 bytes; those of skip are not seen. */
static void on_the_wire(struct bench *b, enum model_way way, int64_t at, struct wire w,
			unsigned skip)
{
	for (uint32_t k = 0; k * 1300 < w.len; k++) {
		struct wire part = piece(w, k * 1300, w.len < 1300 ? w.len : 1300);

		part.id = (uint16_t)(w.id ? w.id + k : 0);
		if (!(skip & 1u << k))
			see_vxlan(b, way, at + k * US, part,
				  (struct outer){ .in = way == MODEL_WAY_IN,
						  .id = (uint16_t)(b->n + 1) });
	}
}

static unsigned to_the_vtep(struct bench *b, int64_t at, struct wire w)
{
	unsigned first = see(b, VETH, MODEL_WAY_IN, at, w);

	see(b, BRIDGE, MODEL_WAY_IN, at + US, w);
	see(b, VTEP, MODEL_WAY_OUT, at + 2 * US, w);
	return first;
}

/*
 * Of a super-frame the wire's hop missed a segment, and its bytes are sent again at once, by
 * themselves or with others: over IPv6 which of the two the capture missed cannot be told, by
 * the ids of IPv4 it can. Where nothing was missed both are whole.
 */
static void test_segment_missed_and_resent(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 8; way++) {
		const bool v4 = way & 1, resent_alone = way & 2, missed = way & 4;
		struct bench *b = bench_new();
		struct wire super = tcp_out(1000, 5200), again;

		super.id = v4 ? 100 : 0;
		if (!v4) {
			super.src = POD6;
			super.dst = REMOTE6;
		}
		again = piece(super, 1300, resent_alone ? 1300 : 2600);
		again.id = v4 ? 500 : 0;
		bench_start(b);
		for (int i = 2; i > 0; i--) { /* the way of the flow's packets is known */
			struct wire before = super;

			before.seq -= (uint32_t)i * 100;
			before.len = 100;
			to_the_vtep(b, (2 - i) * 300 * MS, before);
			on_the_wire(b, MODEL_WAY_OUT, (2 - i) * 300 * MS + 3 * US, before, 0);
		}
		unsigned a = to_the_vtep(b, 600 * MS, super);
		on_the_wire(b, MODEL_WAY_OUT, 600 * MS + 3 * US, super, missed ? 1u << 1 : 0);
		unsigned k = to_the_vtep(b, 601 * MS, again);
		on_the_wire(b, MODEL_WAY_OUT, 601 * MS + 3 * US, again, 0);
		bench_end(b);
		assert_int_equal(b->result.packets.total, 4);
		assert_true(packet_of(b, k)->retransmission);
		if (!missed) {
			assert_int_equal(b->result.packets.complete, 4);
		} else if (v4) {
			assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_UNDERLAY);
			assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
		} else {
			assert_int_equal(b->result.packets.ambiguous, 2);
		}
		bench_free(b);
	}
}

/*
 * The same where it was lost behind the bridge: the wire, which showed others in segments, cannot
 * have missed its own.
 */
static void test_segment_of_what_never_came_so_far(void **state)
{
	struct bench *b = *state;
	struct wire before = tcp_out(1000, 2600), super, again;

	before.src = POD6;
	before.dst = REMOTE6;
	super = piece(before, 2600, 5200);
	again = piece(super, 1300, 1300);
	bench_start(b);
	to_the_vtep(b, 0, before);
	on_the_wire(b, MODEL_WAY_OUT, 3 * US, before, 0);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 10 * US, super);
	see(b, BRIDGE, MODEL_WAY_IN, 11 * US, super);
	unsigned k = to_the_vtep(b, 100 * US, again);
	on_the_wire(b, MODEL_WAY_OUT, 103 * US, again, 0);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VTEP);
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
}

/*
 * Of a super-frame that its devices could carry the wire shows the second segment first: the MSS of
 * its sender's SYN, or the segments before it, tell that it is cut.
 */
static void test_segment_of_a_small_super_frame(void **state)
{
	(void)state;
	for (unsigned by_syn = 0; by_syn < 2; by_syn++) {
		struct bench *b = bench_new();
		struct wire super = tcp_out(10000, 1400), tail = piece(super, 1300, 100);

		tail.id++;
		bench_start(b);
		if (by_syn) {
			struct wire syn = tcp_out(9999, 0);

			syn.flags = MODEL_TCP_SYN;
			syn.mss = 1300;
			out(b, 0, syn);
		} else {
			struct wire before = tcp_out(10000 - 2600, 2600);

			to_the_vtep(b, 0, before);
			on_the_wire(b, MODEL_WAY_OUT, 3 * US, before, 0);
		}
		unsigned a = to_the_vtep(b, MS, super);
		unsigned k = see_vxlan(b, MODEL_WAY_OUT, MS + 3 * US, tail,
				       (struct outer){ .id = 1001 });
		unsigned l = see_vxlan(b, MODEL_WAY_OUT, MS + 3 * US, piece(super, 0, 1300),
				       (struct outer){ .id = 1000 });
		bench_end(b);
		assert_same(b, a, k);
		assert_same(b, a, l);
		assert_int_equal(b->result.packets.complete, 2);
		bench_free(b);
	}
}

/* A file does not tell what its devices carry. */
static void forget_mtu(struct bench *b)
{
	for (unsigned i = 0; i < BENCH_HOPS; i++)
		b->net.hops[i].mtu = 0;
}

/*
 * Jumbo frames, and nobody says so: IPv4's ids tell that each frame is one segment, and how long
 * those are. The last one, which alone is no longer than usual frames, does not.
 */
static void test_segment_of_jumbo_frames(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 3 * 8000 + 400), single = piece(super, 24400, 8000);

	single.id = (uint16_t)(super.id + 4);
	forget_mtu(b);
	bench_start(b);
	unsigned a = to_the_vtep(b, 0, super);
	for (unsigned i = 0; i < 4; i++) {
		struct wire part = piece(super, i * 8000, i < 3 ? 8000 : 400);

		part.id = (uint16_t)(super.id + i);
		see_vxlan(b, MODEL_WAY_OUT, (3 + i) * US, part, (struct outer){ .id = 1 });
	}
	unsigned k = out(b, MS, single);
	bench_end(b);
	assert_packet(b, a, 7);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 4);
	assert_int_equal(packet_of(b, a)->overhead_bytes, 4 * 50);
	assert_int_equal(packet_of(b, a)->inner_bytes, 24400 + 4 * 54);
	assert_int_equal(packet_of(b, a)->basis, RESULT_BASIS_OBSERVED);
	assert_int_equal(packet_of(b, a)->segment, 8000);
	assert_int_equal(packet_of(b, k)->outer_datagrams, 1);
	assert_int_equal(packet_of(b, k)->basis, RESULT_BASIS_OBSERVED);
}

/* IPv6 has no ids: then their number is not known, and the last segment does not tell it. */
static void test_last_segment_of_jumbo_frames(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 3 * 8000 + 400);

	super.src = POD6;
	super.dst = REMOTE6;
	forget_mtu(b);
	bench_start(b);
	unsigned a = to_the_vtep(b, 0, super);
	for (unsigned i = 0; i < 4; i++)
		see_vxlan(b, MODEL_WAY_OUT, (3 + i) * US,
			  piece(super, i * 8000, i < 3 ? 8000 : 400), (struct outer){ .id = 1 });
	bench_end(b);
	assert_packet(b, a, 7);
	assert_int_equal(packet_of(b, a)->basis, RESULT_BASIS_MIXED);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 1); /* is known of */
	assert_int_equal(packet_of(b, a)->segment, 0);
}

/* What merging puts together tells the same. */
static void test_merge_of_jumbo_frames(void **state)
{
	struct bench *b = *state;
	struct wire whole = to_pod(tcp_out(1000, 16400));

	forget_mtu(b);
	bench_start(b);
	unsigned a = b->n;
	for (unsigned i = 0; i < 3; i++) {
		struct wire part = piece(whole, i * 8000, i < 2 ? 8000 : 400);

		part.id = (uint16_t)(whole.id + i);
		see_vxlan(b, MODEL_WAY_IN, i * US, part, (struct outer){ .id = 1, .in = true });
	}
	see(b, VTEP, MODEL_WAY_IN, 10 * US, whole);
	see(b, BRIDGE, MODEL_WAY_OUT, 11 * US, whole);
	see(b, VETH, MODEL_WAY_OUT, 12 * US, whole);
	bench_end(b);
	assert_packet(b, a, 6);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 3);
	assert_int_equal(packet_of(b, a)->basis, RESULT_BASIS_OBSERVED);
	assert_int_equal(packet_of(b, a)->segment, 8000);
}

/* The wire's device has merged two of three segments, the VTEP all: each datagram counts once. */
static void test_merge_of_the_merged(void **state)
{
	struct bench *b = *state;
	struct wire whole = to_pod(tcp_out(1000, 4200)), part = piece(whole, 2800, 1400);

	part.id = (uint16_t)(whole.id + 2);
	bench_start(b);
	unsigned a = see_vxlan(b, MODEL_WAY_IN, 0, piece(whole, 0, 2800),
			       (struct outer){ .id = 1, .in = true });
	see_vxlan(b, MODEL_WAY_IN, US, part, (struct outer){ .id = 3, .in = true });
	see(b, VTEP, MODEL_WAY_IN, 10 * US, whole);
	see(b, BRIDGE, MODEL_WAY_OUT, 11 * US, whole);
	see(b, VETH, MODEL_WAY_OUT, 12 * US, whole);
	bench_end(b);
	assert_packet(b, a, 5);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 3);
	assert_int_equal(packet_of(b, a)->inner_bytes, 4200 + 3 * 54);
}

/* A datagram of 8,000 bytes is one where SYNs, ICMP or a fragment show that the wire carries it. */
static void test_mtu_is_learned(void **state)
{
	enum { NOTHING, SYNS, ONE_SYN, ECHO, FRAGMENT, CASES };

	(void)state;
	for (unsigned i = 0; i < CASES; i++) {
		struct bench *b = bench_new();
		struct wire syn = tcp_out(999, 0), back = syn;
		struct wire echo = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_ICMP,
				     .icmp_type = 8, .icmp_id = 3, .len = 8000, .id = 5 };
		struct wire first = udp_out(8, 8000, 7);

		syn.flags = MODEL_TCP_SYN;
		syn.mss = 8910;
		back = (struct wire){ .src = REMOTE, .dst = POD, .sport = 80, .dport = 40000,
				      .id = 1, .seq = 5, .ack = 1000, .mss = 8910,
				      .flags = MODEL_TCP_SYN | MODEL_TCP_ACK };
		first.more = true;
		first.udp_len = 9000;
		forget_mtu(b);
		bench_start(b);
		if (i == SYNS || i == ONE_SYN)
			out(b, 0, syn);
		if (i == SYNS)
			in(b, MS, back);
		if (i == ECHO)
			out(b, 0, echo);
		if (i == FRAGMENT)
			out(b, 0, first);
		unsigned a = out(b, 10 * MS, udp_out(9, 8000, 1));
		bench_end(b);
		assert_packet(b, a, 4);
		bool known = i != NOTHING && i != ONE_SYN;
		assert_int_equal(packet_of(b, a)->outer_datagrams, known);
		assert_int_equal(packet_of(b, a)->basis,
				 known ? RESULT_BASIS_OBSERVED : RESULT_BASIS_UNKNOWN);
		bench_free(b);
	}
}

/* Of a packet that the bridge has shown the VTEP shows nothing any more. */
static void test_segment_not_of_what_was_sent_on(void **state)
{
	struct bench *b = *state;
	struct wire super = to_pod6(tcp_out(1000, 5200)), again;

	again = piece(super, 1300, 2600);
	bench_start(b);
	unsigned a = b->n;
	on_the_wire(b, MODEL_WAY_IN, 0, super, 0);
	see(b, BRIDGE, MODEL_WAY_OUT, 10 * US, super);
	see(b, VETH, MODEL_WAY_OUT, 11 * US, super);
	unsigned k = b->n;
	on_the_wire(b, MODEL_WAY_IN, 100 * US, again, 0);
	see(b, VTEP, MODEL_WAY_IN, 110 * US, again);
	see(b, BRIDGE, MODEL_WAY_OUT, 111 * US, again);
	see(b, VETH, MODEL_WAY_OUT, 112 * US, again);
	bench_end(b);
	assert_apart(b, a, k);
	assert_path(b, a, "underlay>bridge>veth");
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VTEP);
	assert_path(b, k, "underlay>vtep>bridge>veth");
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
}

static void merged(struct bench *b, bool whole_first)
{
	struct wire super = to_pod(tcp_out(1000, 4200)), part;
	unsigned seg[3], w = 0;

	super.id = 100;
	bench_start(b);
	for (unsigned i = 0; i < 3; i++) {
		part = super;
		part.seq = 1000 + i * 1400;
		part.data_off = i * 1400;
		part.len = 1400;
		part.id = (uint16_t)(100 + i);
		seg[i] = see_vxlan(b, MODEL_WAY_IN, (int)(10 * i) * US, part,
				   (struct outer){ .in = true, .id = (uint16_t)(7 + i),
						   .ttl = 62, .df = true });
		if (whole_first && !i)
			w = see(b, VTEP, MODEL_WAY_IN, 5 * US, super);
	}
	if (!whole_first)
		w = see(b, VTEP, MODEL_WAY_IN, 25 * US, super);
	see(b, BRIDGE, MODEL_WAY_OUT, 30 * US, super);
	see(b, VETH, MODEL_WAY_OUT, 31 * US, super);
	bench_end(b);
	for (unsigned i = 0; i < 3; i++)
		assert_same(b, w, seg[i]);
	assert_packet(b, w, 1);
	assert_path(b, w, "underlay>vtep>bridge>veth");
	assert_int_equal(b->result.packets.complete, 1);
	assert_int_equal(b->result.packets.total, 1);
	assert_int_equal(packet_of(b, w)->outer_datagrams, 3);
	/* Outer headers are on the segments alone. */
	assert_int_equal(packet_of(b, w)->outer_ttl, 62);
	assert_true(packet_of(b, w)->outer_df);
}

static void test_merge(void **state)
{
	merged(*state, false);
}

/* GRO stamps the merged frame with the time of its first segment. */
static void test_merge_before_parts(void **state)
{
	merged(*state, true);
}

/*
 * The VTEP has shown one of two equal segments, and then the bridge one of them together with the
 * next: what they became is the look-alike, and is judged with the other.
 */
static void test_merge_of_a_look_alike(void **state)
{
	struct bench *b = *state;
	struct wire two = to_pod6(tcp_out(1000, 2600));

	bench_start(b);
	unsigned a = b->n;
	on_the_wire(b, MODEL_WAY_IN, 0, piece(two, 0, 1300), 0);
	unsigned k = b->n;
	on_the_wire(b, MODEL_WAY_IN, 10 * US, two, 0);
	see(b, VTEP, MODEL_WAY_IN, 20 * US, piece(two, 0, 1300));
	see(b, VTEP, MODEL_WAY_IN, 21 * US, piece(two, 1300, 1300));
	see(b, BRIDGE, MODEL_WAY_OUT, 22 * US, piece(two, 0, 1300));
	see(b, VETH, MODEL_WAY_OUT, 23 * US, piece(two, 0, 1300));
	unsigned m = see(b, BRIDGE, MODEL_WAY_OUT, 24 * US, two);
	see(b, VETH, MODEL_WAY_OUT, 25 * US, two);
	bench_end(b);
	assert_same(b, k, m);
	assert_apart(b, a, k);
	assert_int_equal(b->result.packets.total, 2);
	assert_int_equal(b->result.packets.ambiguous, 2);
}

/*
 * What is merged has parts among more look-alikes than one tie holds, so it waits for those that
 * are still open, and is itself the oldest: a full table closes one that is younger.
 */
static void test_merge_of_too_many_look_alikes(void **state)
{
	enum { COPIES = 600, OTHERS = 20 };
	struct bench *b = *state;
	struct wire two = to_pod6(tcp_out(1000, 200)), other = tcp_out(1000, 100);
	int64_t at = 0;

	b->cfg.packets_max = 2 * COPIES + OTHERS / 2;
	bench_start(b);
	for (unsigned i = 0; i < COPIES; i++)
		for (unsigned k = 0; k < 2; k++)
			see(b, VTEP, MODEL_WAY_IN, at += US, piece(two, 100 * k, 100));
	for (unsigned k = 0; k < 2; k++)
		see(b, BRIDGE, MODEL_WAY_OUT, at += US, piece(two, 100 * k, 100));
	unsigned merged = see(b, VETH, MODEL_WAY_OUT, at += US, two), first_other = b->n;
	for (unsigned i = 0; i < OTHERS; i++) {
		other.sport = (uint16_t)(1024 + i);
		see(b, VETH, MODEL_WAY_IN, at += US, other);
	}
	bench_end(b);
	assert_int_not_equal(id_of(b, merged), 0);
	for (unsigned i = first_other; i < b->n; i++)
		assert_int_not_equal(id_of(b, i), 0);
	assert_true(b->result.capture.closed_early > 0);
}

/*
 * The VTEP missed a merged packet, which was then lost, and shows the one that its sender sent
 * again: over IPv6 its segments may be those of either.
 */
static void test_merge_of_the_resent(void **state)
{
	struct bench *b = *state;
	struct wire two = to_pod6(tcp_out(1000, 2600));

	bench_start(b);
	on_the_wire(b, MODEL_WAY_IN, 0, two, 0);
	on_the_wire(b, MODEL_WAY_IN, 100 * US, two, 0);
	see(b, VTEP, MODEL_WAY_IN, 110 * US, two);
	see(b, BRIDGE, MODEL_WAY_OUT, 111 * US, two);
	see(b, VETH, MODEL_WAY_OUT, 112 * US, two);
	bench_end(b);
	assert_int_equal(b->result.packets.complete, 0);
	assert_int_equal(b->result.packets.ambiguous, b->result.packets.total);
}

/* What the VTEP, and all behind it, show of w. */
static unsigned from_the_vtep(struct bench *b, int64_t at, struct wire w)
{
	unsigned first = see(b, VTEP, MODEL_WAY_IN, at, w);

	see(b, BRIDGE, MODEL_WAY_OUT, at + US, w);
	see(b, VETH, MODEL_WAY_OUT, at + 2 * US, w);
	return first;
}

/*
 * A segment comes once more, behind later ones, before the VTEP shows the first, by itself or
 * behind another; then the second, merged with the later ones. Over IPv6 which of the two the
 * wire's hop missed cannot be told, by the ids of IPv4 it can.
 */
static void test_merge_of_what_was_taken_for_its_equal(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < 8; kind++) {
		const bool v4 = kind & 1, missed = kind & 2, alone = kind & 4;
		struct bench *b = bench_new();
		struct wire two = tcp_out(10000, 2600), again;

		two.src = v4 ? REMOTE : REMOTE6;
		two.dst = v4 ? POD : POD6;
		two.id = v4 ? 100 : 0;
		again = piece(two, 1300, 3900);
		again.id = v4 ? 500 : 0;
		bench_start(b);
		for (int i = 0; i < 3; i++) { /* the way of the flow's packets is known */
			struct wire before = piece(two, (uint32_t)(i - 3) * 100, 100);

			on_the_wire(b, MODEL_WAY_IN, i * 300 * MS, before, 0);
			from_the_vtep(b, i * 300 * MS + 5 * US, before);
		}
		on_the_wire(b, MODEL_WAY_IN, 900 * MS, two, missed ? 1u << 1 : 0);
		on_the_wire(b, MODEL_WAY_IN, 900 * MS + 2 * US, again, 1u << 0);
		on_the_wire(b, MODEL_WAY_IN, 900 * MS + 9 * US, again, 1u << 1 | 1u << 2);
		if (alone)
			from_the_vtep(b, 900 * MS + 10 * US, piece(two, 0, 1300));
		struct wire first = alone ? piece(two, 1300, 1300) : two;

		first.id = (uint16_t)(two.id + (v4 && alone));
		unsigned a = from_the_vtep(b, 900 * MS + 20 * US, first);
		unsigned k = from_the_vtep(b, 900 * MS + 30 * US, again);
		bench_end(b);
		assert_apart(b, a, k);
		if (!missed) {
			assert_int_equal(b->result.packets.complete, b->result.packets.total);
		} else if (v4) {
			assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_UNDERLAY);
			assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
		} else {
			assert_int_equal(packet_of(b, a)->status, RESULT_AMBIGUOUS);
			assert_int_equal(packet_of(b, k)->status, RESULT_AMBIGUOUS);
			assert_int_equal(b->result.packets.ambiguous, 2);
		}
		bench_free(b);
	}
}

/* The same where the second is merged with those before it, which came late. */
static void test_merge_of_what_was_taken_for_its_equal_behind(void **state)
{
	struct bench *b = *state;
	struct wire all = to_pod6(tcp_out(10000, 3900)), before;

	before = piece(all, -2600u, 2600);
	bench_start(b);
	on_the_wire(b, MODEL_WAY_IN, 0, before, 0);
	from_the_vtep(b, 5 * US, before);
	on_the_wire(b, MODEL_WAY_IN, 10 * US, all, 1u << 0 | 1u << 1);
	on_the_wire(b, MODEL_WAY_IN, 20 * US, all, 1u << 2);
	unsigned a = from_the_vtep(b, 30 * US, piece(all, 1300, 1300));
	unsigned k = from_the_vtep(b, 40 * US, all);
	bench_end(b);
	assert_apart(b, a, k);
	assert_int_equal(packet_of(b, a)->status, RESULT_AMBIGUOUS);
	assert_int_equal(packet_of(b, k)->status, RESULT_AMBIGUOUS);
	assert_int_equal(b->result.packets.total, 3);
}

/* Where the wire's hop missed neither, the second is not in doubt when another hop misses it. */
static void test_merge_of_what_was_seen_twice(void **state)
{
	struct bench *b = *state;
	struct wire two = to_pod6(tcp_out(10000, 2600)), again;

	again = piece(two, 1300, 3900);
	bench_start(b);
	on_the_wire(b, MODEL_WAY_IN, 0, two, 0);
	unsigned a = from_the_vtep(b, 5 * US, two);
	on_the_wire(b, MODEL_WAY_IN, 10 * US, again, 1u << 0);
	on_the_wire(b, MODEL_WAY_IN, 20 * US, again, 1u << 1 | 1u << 2);
	unsigned k = see(b, VTEP, MODEL_WAY_IN, 30 * US, again);
	see(b, VETH, MODEL_WAY_OUT, 32 * US, again);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, k)->next_expected, MODEL_ROLE_BRIDGE);
	assert_int_equal(b->result.packets.ambiguous, 0);
}

/* A super-frame has passed; a part of it is sent again, and the first hop misses that. */
static void test_segment_resent_with_entrance_missing(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(10000, 5200), later, again;

	super.src = POD6;
	super.dst = REMOTE6;
	later = piece(super, 5200, 100);
	again = piece(super, 1300, 2600);
	bench_start(b);
	unsigned a = to_the_vtep(b, 0, super);
	on_the_wire(b, MODEL_WAY_OUT, 3 * US, super, 0);
	to_the_vtep(b, 10 * US, later);
	on_the_wire(b, MODEL_WAY_OUT, 13 * US, later, 0);
	unsigned k = see(b, BRIDGE, MODEL_WAY_IN, 20 * US, again);
	see(b, VTEP, MODEL_WAY_OUT, 21 * US, again);
	on_the_wire(b, MODEL_WAY_OUT, 22 * US, again, 0);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, k)->next_expected, MODEL_ROLE_VETH);
	assert_int_equal(b->result.packets.ambiguous, 0);
}

static void test_udp_super(void **state)
{
	struct bench *b = *state;
	struct wire super = udp_out(9, 3000, 1), part;
	unsigned seg[3];

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, super);
	see(b, BRIDGE, MODEL_WAY_IN, US, super);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, super);
	for (unsigned i = 0; i < 3; i++) {
		part = super;
		part.len = 1000;
		part.data_off = i * 1000;
		part.id = (uint16_t)(9 + i);
		seg[i] = see_vxlan(b, MODEL_WAY_OUT, (3 + i) * US, part,
				   (struct outer){ .id = (uint16_t)(7 + i) });
	}
	bench_end(b);
	for (unsigned i = 0; i < 3; i++)
		assert_same(b, a, seg[i]);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 3);
}

/* Two super-frames, of three datagrams each; those of skip are not seen. */
static void two_supers(struct bench *b, bool v4, bool at_once, unsigned skip, unsigned a[2])
{
	for (unsigned i = 0; i < 6; i++) {
		for (unsigned k = 0; k < 2; k++) {
			struct wire w = udp_out((uint16_t)(v4 ? 9 : 0), 3000, k + 1);

			if (!v4) {
				w.src = POD6;
				w.dst = REMOTE6;
			}
			if (i == (at_once ? 0 : 3 * k)) {
				a[k] = see(b, VETH, MODEL_WAY_IN, (20 * i + k) * US, w);
				see(b, BRIDGE, MODEL_WAY_IN, (20 * i + 2 + k) * US, w);
				see(b, VTEP, MODEL_WAY_OUT, (20 * i + 4 + k) * US, w);
			}
			if (i / 3 != k || (skip & 1u << i))
				continue;
			w.len = 1000;
			w.data_off = i % 3 * 1000;
			w.id = (uint16_t)(v4 ? 9 + i % 3 : 0);
			see_vxlan(b, MODEL_WAY_OUT, (20 * i + 9) * US, w,
				  (struct outer){ .id = (uint16_t)(7 + i) });
		}
	}
}

/*
 * One of the first super-frame's datagrams was missed. By their ids those of the second are
 * known; where it waited meanwhile, and without ids, any could be of either: neither is called
 * whole, nor lost.
 */
static void test_udp_super_datagram_missed(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		const bool v4 = way & 1, at_once = way & 2;

		for (unsigned missed = 0; missed < 4; missed++) {
			struct bench *b = bench_new();
			unsigned a[2];

			bench_start(b);
			two_supers(b, v4, at_once, missed < 3 ? 1u << missed : 0, a);
			bench_end(b);
			assert_int_equal(b->result.packets.total, 2);
			if (missed == 3) {
				assert_int_equal(b->result.packets.complete, 2);
			} else if (v4 && !at_once && missed < 2) {
				assert_int_equal(packet_of(b, a[0])->next_expected,
						 MODEL_ROLE_UNDERLAY);
				assert_int_equal(packet_of(b, a[1])->status, RESULT_COMPLETE);
			} else if (packet_of(b, a[1])->status == RESULT_COMPLETE) {
				assert_int_equal(packet_of(b, a[0])->status, RESULT_INCOMPLETE);
			} else {
				assert_int_equal(b->result.packets.ambiguous, 2);
			}
			bench_free(b);
		}
	}
}

/* ---------------------------------------------------------------- fragments */

/* Fragment i of three of a datagram of 3008 transport bytes. */
static struct wire fragment_of(struct wire w, unsigned i)
{
	const uint32_t l4 = 8 + w.len, step = 1424;

	w.frag_off = i * step;
	w.more = i < 2;
	w.len = i == 0 ? step - 8 : i == 1 ? step : l4 - 2 * step;
	w.data_off = i ? i * step - 8 : 0;
	w.udp_len = l4;
	return w;
}

/* Sees all three of them. */
static unsigned fragments(struct bench *b, enum bench_hop hop, enum model_way way, int64_t at,
			  struct wire w, const unsigned order[3])
{
	unsigned first = b->n;

	for (unsigned k = 0; k < 3; k++) {
		struct wire f = fragment_of(w, order[k]);

		if (hop == UNDERLAY)
			see_vxlan(b, way, at + (int)k * US, f,
				  (struct outer){ .id = (uint16_t)(b->n + 1) });
		else
			see(b, hop, way, at + (int)k * US, f);
	}
	return first;
}

static const unsigned in_order[3] = { 0, 1, 2 }, reversed[3] = { 2, 1, 0 };

static void test_fragments(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1);

	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	fragments(b, BRIDGE, MODEL_WAY_IN, 10 * US, w, reversed);
	fragments(b, VTEP, MODEL_WAY_OUT, 20 * US, w, in_order);
	fragments(b, UNDERLAY, MODEL_WAY_OUT, 30 * US, w, in_order);
	bench_end(b);
	assert_packet(b, a, 12);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, a)->length, 14 + 20 + 8 + 3000);
	assert_int_equal(packet_of(b, a)->payload_len, 3000);
	assert_int_equal(packet_of(b, a)->outer_datagrams, 3);
	assert_int_equal(b->result.paths[0].complete, 1);
}

/* What an echo is told by stands in the first fragment, whichever comes first or last. */
static void test_fragments_of_echo(void **state)
{
	struct bench *b = *state;
	struct wire v4 = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_ICMP, .id = 77,
			   .len = 3000, .icmp_type = 8, .icmp_id = 5, .icmp_seq = 9 };
	struct wire v6 = { .src = POD6, .dst = REMOTE6, .proto = MODEL_PROTO_ICMPV6, .frag_id = 1,
			   .len = 3000, .icmp_type = 128, .icmp_id = 6, .icmp_seq = 10 };

	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, v4, in_order);
	fragments(b, BRIDGE, MODEL_WAY_IN, 10 * US, v4, reversed);
	unsigned d = fragments(b, VETH, MODEL_WAY_IN, 20 * US, v6, reversed);
	fragments(b, BRIDGE, MODEL_WAY_IN, 30 * US, v6, in_order);
	bench_end(b);
	assert_packet(b, a, 6);
	assert_int_equal(packet_of(b, a)->l4_flags, 8);
	assert_int_equal(packet_of(b, a)->seq, 9);
	assert_packet(b, d, 6);
	assert_int_equal(packet_of(b, d)->l4_flags, 128);
	assert_int_equal(packet_of(b, d)->seq, 10);
}

/* And what a datagram's payload begins with, by which verify finds the answer to a request. */
static void test_fragments_lead(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1), whole = udp_out(78, 3000, 1);

	b->cfg.contents = true;
	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	w.id = 79;
	unsigned d = fragments(b, VETH, MODEL_WAY_IN, MS, w, reversed);
	unsigned e = see(b, VETH, MODEL_WAY_IN, 2 * MS, whole);
	bench_end(b);
	assert_true(packet_of(b, e)->lead);
	assert_int_equal(packet_of(b, a)->lead, packet_of(b, e)->lead);
	assert_int_equal(packet_of(b, d)->lead, packet_of(b, e)->lead);
}

/* Connected sockets count ids of their own: two datagrams on the way can have the same one. */
static void test_fragments_of_equal_id(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1), other = udp_out(77, 3000, 2);

	bench_start(b);
	unsigned lost = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 10 * US, other, in_order);
	unsigned at_bridge = fragments(b, BRIDGE, MODEL_WAY_IN, 20 * US, other, in_order);
	unsigned at_vtep = fragments(b, VTEP, MODEL_WAY_OUT, 30 * US, other, in_order);
	bench_end(b);
	for (unsigned i = 0; i < 3; i++) {
		assert_same(b, a, at_bridge + i);
		assert_same(b, a, at_vtep + i);
	}
	assert_true(packet_of(b, lost)->id != packet_of(b, a)->id);
}

/* br_netfilter puts it together at the bridge, and the VTEP cuts it again. */
static void test_defragment(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1);

	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, reversed);
	see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	fragments(b, VTEP, MODEL_WAY_OUT, 20 * US, w, in_order);
	fragments(b, UNDERLAY, MODEL_WAY_OUT, 30 * US, w, in_order);
	bench_end(b);
	assert_packet(b, a, 10);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
}

/* IPv6: the datagram that was put together is cut under another identification. */
static void test_defragment_v6(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 3000, 1), again;

	w.src = POD6;
	w.dst = REMOTE6;
	w.frag_id = 1;
	again = w;
	again.frag_id = 2;
	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	fragments(b, VTEP, MODEL_WAY_OUT, 20 * US, again, in_order);
	fragments(b, UNDERLAY, MODEL_WAY_OUT, 30 * US, again, in_order);
	bench_end(b);
	assert_packet(b, a, 10);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
}

/*
 * Fragments that the veth did not show (seen: a bit for each that it did): the whole datagram
 * behind it is the same all the same, by its content if the first one was seen, else by its id.
 */
static void defragment_some(struct bench *b, const char *src, const char *dst, unsigned seen)
{
	struct wire w = udp_out(is_v6(src) ? 0 : 77, 3000, 1);
	unsigned first = b->n, n = 0;

	w.src = src;
	w.dst = dst;
	w.frag_id = 1;
	bench_start(b);
	for (unsigned k = 0; k < 3; k++)
		if (seen >> k & 1) {
			see(b, VETH, MODEL_WAY_IN, k * US, fragment_of(w, k));
			n++;
		}
	see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	w.frag_id = 2;
	fragments(b, VTEP, MODEL_WAY_OUT, 20 * US, w, in_order);
	fragments(b, UNDERLAY, MODEL_WAY_OUT, 30 * US, w, in_order);
	bench_end(b);
	assert_packet(b, first, n + 7);
	assert_int_equal(packet_of(b, first)->next_expected, MODEL_ROLE_VETH);
	assert_int_equal(packet_of(b, first)->status, RESULT_INCOMPLETE);
	assert_int_equal(b->result.packets.total, 1);
}

static void test_defragment_last_missing(void **state)
{
	defragment_some(*state, POD, REMOTE, 3);
}

static void test_defragment_last_missing_v6(void **state)
{
	defragment_some(*state, POD6, REMOTE6, 3);
}

static void test_defragment_middle_missing(void **state)
{
	defragment_some(*state, POD, REMOTE, 5);
}

static void test_defragment_middle_alone(void **state)
{
	defragment_some(*state, POD, REMOTE, 2);
}

/* An IP id that has come round to 0 is an id; the next datagram is no part of this one. */
static void test_defragment_id_zero(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 3000, 1), next = udp_out(1, 900, 2);

	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	unsigned k = see(b, BRIDGE, MODEL_WAY_IN, 10 * US, w);
	unsigned n = see(b, VETH, MODEL_WAY_IN, 20 * US, next);
	bench_end(b);
	assert_same(b, a, k);
	assert_apart(b, a, n);
}

/* A large datagram that only the bridge showed is not cut into the next ones. */
static void test_bridge_is_no_super(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	unsigned a = see(b, BRIDGE, MODEL_WAY_IN, 0, udp_out(5, 3000, 1));
	unsigned k = see(b, VETH, MODEL_WAY_IN, US, udp_out(6, 900, 2));
	unsigned l = see(b, VTEP, MODEL_WAY_OUT, 2 * US, udp_out(6, 900, 2));
	bench_end(b);
	assert_same(b, k, l);
	assert_apart(b, a, k);
}

static void test_fragments_translated(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1), far = w;

	w.dst = VIP;
	far.dport = 5353;
	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	see(b, BRIDGE, MODEL_WAY_IN, 10 * US, far);
	fragments(b, VTEP, MODEL_WAY_OUT, 20 * US, far, in_order);
	fragments(b, UNDERLAY, MODEL_WAY_OUT, 30 * US, far, in_order);
	bench_end(b);
	assert_packet(b, a, 10);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_true(packet_of(b, a)->translated);
	assert_int_equal(packet_of(b, a)->tuple.dport, 53);
	assert_int_equal(packet_of(b, a)->translation.dport, 5353);
}

/* Behind the translation the first fragment was not seen: the later ones are found all the same. */
static void test_fragments_translated_without_first(void **state)
{
	struct bench *b = *state;
	struct wire w = to_pod(udp_out(77, 3000, 1)), f;

	w.sport = 5353;
	w.dport = 9;
	bench_start(b);
	unsigned a = fragments(b, UNDERLAY, MODEL_WAY_IN, 0, w, in_order);
	fragments(b, VTEP, MODEL_WAY_IN, 10 * US, w, in_order);
	f = w;
	f.src = VIP;
	f.sport = 53;
	struct wire later = f;
	later.frag_off = 1424;
	later.len = 1424;
	later.more = true;
	later.data_off = 1416;
	unsigned k = see(b, BRIDGE, MODEL_WAY_OUT, 20 * US, later);
	unsigned l = fragments(b, VETH, MODEL_WAY_OUT, 30 * US, f, in_order);
	bench_end(b);
	assert_same(b, a, k);
	assert_packet(b, l, 3);
	assert_same(b, a, l);
	assert_int_equal(b->result.packets.total, 1);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_BRIDGE);
}

/* A datagram with one fragment missing at a hop is incomplete there, whatever the rest. */
static void test_fragment_missing(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1), f = w;

	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	fragments(b, BRIDGE, MODEL_WAY_IN, 10 * US, w, in_order);
	f.len = 1416;
	f.more = true;
	f.udp_len = 3008;
	see(b, VTEP, MODEL_WAY_OUT, 20 * US, f);
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VTEP);
	assert_string_equal(packet_of(b, a)->reason, "not all of its fragments were seen");
}

/* Outer fragments: 1000 payload bytes, inner frame 1042, outer IP payload 1058, cut at 800. */
static void outer_fragments(struct bench *b, bool later_first)
{
	struct wire w = udp_out(77, 1000, 1);
	struct outer o = { .id = 99, .cut = 800 };
	unsigned a, k, l = 0;

	bench_start(b);
	a = see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, BRIDGE, MODEL_WAY_IN, US, w);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, w);
	if (later_first)
		l = see_outer_fragment(b, MODEL_WAY_OUT, 3 * US, o, 800, 258, false);
	k = see_vxlan(b, MODEL_WAY_OUT, 4 * US, w, o);
	if (!later_first)
		l = see_outer_fragment(b, MODEL_WAY_OUT, 5 * US, o, 800, 258, false);
	bench_end(b);
	assert_same(b, a, k);
	assert_same(b, a, l);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(b->result.encapsulation.fragmented_outer, 1);
	assert_int_equal(b->result.encapsulation.fragment_bytes, 34);
	assert_int_equal(b->result.encapsulation.outer_datagrams, 1);
	assert_int_equal(b->result.packets.total, 1);
}

static void test_outer_fragments(void **state)
{
	outer_fragments(*state, false);
}

static void test_outer_fragments_later_first(void **state)
{
	outer_fragments(*state, true);
}

static void test_outer_fragment_missing(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 1000, 1);

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, BRIDGE, MODEL_WAY_IN, US, w);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, w);
	see_vxlan(b, MODEL_WAY_OUT, 4 * US, w, (struct outer){ .id = 99, .cut = 800 });
	bench_end(b);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_UNDERLAY);
}

/* Each segment of a super-frame in an outer datagram of its own, each of them cut. */
static void test_outer_fragments_of_segments(void **state)
{
	struct bench *b = *state;
	struct wire super = tcp_out(1000, 2800), part;

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, super);
	see(b, BRIDGE, MODEL_WAY_IN, US, super);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, super);
	for (unsigned i = 0; i < 2; i++) {
		struct outer o = { .id = (uint16_t)(50 + i), .cut = 1400 };

		part = super;
		part.len = 1400;
		part.seq += i * 1400;
		part.data_off = i * 1400;
		part.id = (uint16_t)(super.id + i);
		see_vxlan(b, MODEL_WAY_OUT, (3 + 2 * i) * US, part, o);
		see_outer_fragment(b, MODEL_WAY_OUT, (4 + 2 * i) * US, o, 1400, 70, false);
	}
	bench_end(b);
	assert_packet(b, a, 7);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(b->result.encapsulation.fragmented_outer, 2);
	assert_int_equal(b->result.encapsulation.outer_datagrams, 2);
}

/* Plain UDP fragments on the underlay look like outer ones, and are not. */
static void test_plain_fragments(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(77, 3000, 1);
	unsigned n;

	w.dst = OUTSIDE;
	bench_start(b);
	unsigned a = fragments(b, VETH, MODEL_WAY_IN, 0, w, in_order);
	fragments(b, BRIDGE, MODEL_WAY_IN, 10 * US, w, in_order);
	for (unsigned i = 0; i < 3; i++) {
		struct wire f = w;

		n = reversed[i];
		f.src = NODE; /* masqueraded */
		f.sport = 6000;
		if (i == 0)
			n = 0;
		else
			n = i;
		f.frag_off = n * 1424;
		f.more = n < 2;
		f.len = n == 0 ? 1416 : n == 1 ? 1424 : 160;
		f.data_off = n ? n * 1424 - 8 : 0;
		f.udp_len = 3008;
		see(b, UNDERLAY, MODEL_WAY_OUT, (20 + i) * US, f);
	}
	bench_end(b);
	assert_packet(b, a, 9);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_path(b, a, "veth>bridge>underlay");
	assert_int_equal(b->result.encapsulation.fragment_bytes, 0);
}

/* Those that are sent to a pod and overtake each other: also where the last one comes first. */
static void test_plain_fragments_in_any_order(void **state)
{
	static const unsigned order[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct bench *b = *state;
	unsigned a[6];

	bench_start(b);
	for (unsigned k = 0; k < 6; k++) {
		struct wire w = { .src = OUTSIDE, .dst = POD, .sport = 53, .dport = 4000,
				  .proto = 17, .id = (uint16_t)(77 + k), .len = 3000, .data = k };

		for (unsigned i = 0; i < 3; i++) {
			unsigned n = see(b, UNDERLAY, MODEL_WAY_IN, k * MS + i * US,
					 fragment_of(w, order[k][i]));
			if (!i)
				a[k] = n;
		}
		fragments(b, BRIDGE, MODEL_WAY_OUT, k * MS + 10 * US, w, in_order);
		fragments(b, VETH, MODEL_WAY_OUT, k * MS + 20 * US, w, in_order);
	}
	bench_end(b);
	for (unsigned k = 0; k < 6; k++) {
		assert_packet(b, a[k], 9);
		assert_int_equal(packet_of(b, a[k])->status, RESULT_COMPLETE);
		assert_int_equal(packet_of(b, a[k])->payload_len, 3000);
		assert_path(b, a[k], "underlay>bridge>veth");
	}
	assert_int_equal(b->result.encapsulation.fragment_bytes, 0);
}

/* -------------------------------------------------------------- look-alikes */

/* Equal datagrams without id, all delivered: order is enough. */
static void test_equal_in_order(void **state)
{
	struct bench *b = *state;
	unsigned v[5], u[5];

	bench_start(b);
	for (unsigned i = 0; i < 5; i++)
		v[i] = see(b, VETH, MODEL_WAY_IN, i * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 5; i++)
		see(b, BRIDGE, MODEL_WAY_IN, (10 + i) * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 5; i++)
		see(b, VTEP, MODEL_WAY_OUT, (20 + i) * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 5; i++)
		u[i] = see_vxlan(b, MODEL_WAY_OUT, (30 + i) * US, udp_out(0, 100, 1),
				 (struct outer){ .id = (uint16_t)(i + 1) });
	bench_end(b);
	for (unsigned i = 0; i < 5; i++)
		assert_same(b, v[i], u[i]);
	assert_int_equal(b->result.packets.complete, 5);
	assert_int_equal(b->result.packets.ambiguous, 0);
}

/* One of them lost: nobody can say which; none is called complete or lost. */
static void test_equal_with_loss(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	for (unsigned i = 0; i < 5; i++)
		see(b, VETH, MODEL_WAY_IN, i * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 5; i++)
		see(b, BRIDGE, MODEL_WAY_IN, (10 + i) * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 4; i++)
		see(b, VTEP, MODEL_WAY_OUT, (20 + i) * US, udp_out(0, 100, 1));
	for (unsigned i = 0; i < 4; i++)
		see_vxlan(b, MODEL_WAY_OUT, (30 + i) * US, udp_out(0, 100, 1),
			  (struct outer){ .id = (uint16_t)(i + 1) });
	bench_end(b);
	assert_int_equal(b->result.packets.ambiguous, 5);
	assert_int_equal(b->result.packets.complete, 0);
	assert_int_equal(b->result.n_losses, 0);
}

/* The same without interleaving: each is gone before the next one comes. */
static void test_equal_one_by_one(void **state)
{
	struct bench *b = *state;
	unsigned first[3];

	bench_start(b);
	for (unsigned i = 0; i < 3; i++)
		first[i] = out(b, i * MS, udp_out(0, 100, 1));
	bench_end(b);
	for (unsigned i = 0; i < 3; i++)
		assert_packet(b, first[i], 4);
	assert_int_equal(b->result.packets.complete, 3);
}

/* Two groups of look-alikes that meet are judged as one. */
static void test_ties_meet(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 100, 1);

	bench_start(b);
	for (unsigned i = 0; i < 2; i++)
		see(b, VETH, MODEL_WAY_IN, i * US, w);
	see(b, BRIDGE, MODEL_WAY_IN, 3 * US, w);	/* ties 0 and 1 */
	see(b, BRIDGE, MODEL_WAY_IN, 4 * US, w);
	for (unsigned i = 0; i < 2; i++)
		see(b, VETH, MODEL_WAY_IN, (5 + i) * US, w);
	see(b, BRIDGE, MODEL_WAY_IN, 7 * US, w);	/* ties 2 and 3 */
	see(b, BRIDGE, MODEL_WAY_IN, 8 * US, w);
	for (unsigned i = 0; i < 3; i++) {		/* one of four is lost */
		see(b, VTEP, MODEL_WAY_OUT, (10 + i) * US, w);
		see_vxlan(b, MODEL_WAY_OUT, (10 + i) * US, w, (struct outer){ .id = (uint16_t)i });
	}
	bench_end(b);
	assert_int_equal(b->result.packets.ambiguous, 4);
}

/* The first hop missed one of two: the next one's entrance is not the missing piece of it. */
static void test_equal_with_entrance_missing(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 100, 1), r = w;

	r.src = w.dst;
	r.dst = w.src;
	bench_start(b);
	unsigned a = see(b, BRIDGE, MODEL_WAY_IN, US, w);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, w);
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, w, (struct outer){ .id = 1 });
	unsigned k = out(b, 50 * US, w);
	unsigned x = see(b, VTEP, MODEL_WAY_IN, MS, r);
	see(b, BRIDGE, MODEL_WAY_OUT, MS + US, r);
	see(b, VETH, MODEL_WAY_OUT, MS + 2 * US, r);
	unsigned y = in(b, MS + 50 * US, r);
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 4);
	assert_apart(b, a, k);
	assert_path(b, a, "bridge>vtep>underlay");
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VETH);
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
	assert_packet(b, x, 3);
	assert_packet(b, y, 4);
	assert_apart(b, x, y);
	assert_int_equal(packet_of(b, x)->next_expected, MODEL_ROLE_UNDERLAY);
	assert_int_equal(packet_of(b, y)->status, RESULT_COMPLETE);
}

/* The same where the second one enters before the first one is at its next hop but one. */
static void test_equal_with_entrance_missing_close_by(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 100, 1);

	bench_start(b);
	unsigned a = see(b, BRIDGE, MODEL_WAY_IN, US, w);
	unsigned k = see(b, VETH, MODEL_WAY_IN, 2 * US, w);
	see(b, BRIDGE, MODEL_WAY_IN, 3 * US, w);
	for (unsigned i = 0; i < 2; i++)
		see(b, VTEP, MODEL_WAY_OUT, (4 + i) * US, w);
	for (unsigned i = 0; i < 2; i++)
		see_vxlan(b, MODEL_WAY_OUT, (6 + i) * US, w,
			  (struct outer){ .id = (uint16_t)(i + 1) });
	bench_end(b);
	assert_apart(b, a, k);
	assert_int_equal(b->result.packets.total, 2);
	assert_int_equal(b->result.packets.ambiguous, 2);
}

/* So are hops in between. */
static void test_equal_with_middle_missing(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(0, 100, 1), r = w;

	r.src = w.dst;
	r.dst = w.src;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, BRIDGE, MODEL_WAY_IN, US, w);
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, w, (struct outer){ .id = 1 });
	unsigned k = out(b, 50 * US, w);
	unsigned x = see_vxlan(b, MODEL_WAY_IN, MS, r, (struct outer){ .in = true, .id = 2 });
	see(b, BRIDGE, MODEL_WAY_OUT, MS + 2 * US, r);
	see(b, VETH, MODEL_WAY_OUT, MS + 3 * US, r);
	unsigned y = in(b, MS + 50 * US, r);
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 4);
	assert_apart(b, a, k);
	assert_packet(b, x, 3);
	assert_packet(b, y, 4);
	assert_apart(b, x, y);
}

/*
 * The first hop missed one of two resets, and shows the second before the next hop shows the
 * first: which one was missed cannot be told. Where it missed none they are taken in order.
 */
static void test_equal_with_entrance_missing_in_turn(void **state)
{
	(void)state;
	for (unsigned missed = 0; missed < 2; missed++) {
		struct bench *b = bench_new();
		struct wire w = to_pod(tcp_out(1000, 0));

		w.id = 0;
		w.flags = MODEL_TCP_RST;
		bench_start(b);
		for (int i = 0; i < 2; i++) /* the way of the flow's packets is known */
			in(b, i * 300 * MS, w);
		if (!missed)
			see_vxlan(b, MODEL_WAY_IN, 600 * MS, w,
				  (struct outer){ .in = true, .id = 1 });
		see_vxlan(b, MODEL_WAY_IN, 600 * MS + US, w, (struct outer){ .in = true, .id = 2 });
		for (unsigned i = 0; i < 2; i++) {
			int64_t at = 600 * MS + (2 + (int)i * 10) * US;

			see(b, VTEP, MODEL_WAY_IN, at, w);
			see(b, BRIDGE, MODEL_WAY_OUT, at + US, w);
			see(b, VETH, MODEL_WAY_OUT, at + 2 * US, w);
		}
		bench_end(b);
		assert_int_equal(b->result.packets.total, 4);
		assert_int_equal(b->result.packets.ambiguous, missed ? 2 : 0);
		assert_int_equal(b->result.packets.complete, missed ? 2 : 4);
		bench_free(b);
	}
}

/* The same bytes twice at the same hop: two packets, each followed to the end. */
static void test_duplicate(void **state)
{
	struct bench *b = *state;
	struct wire w = tcp_out(1000, 100);

	bench_start(b);
	unsigned a = out(b, 0, w), k = out(b, 5 * MS, w);
	bench_end(b);
	assert_packet(b, a, 4);
	assert_packet(b, k, 4);
	assert_apart(b, a, k);
	assert_false(packet_of(b, a)->retransmission);
	assert_true(packet_of(b, k)->retransmission);
}

/* Two of equal bytes and stamps: the first one at each hop is the first one. */
static void test_duplicate_of_equal_stamp(void **state)
{
	struct bench *b = *state;
	struct wire w = udp_out(7, 100, 1);
	unsigned at[2][2];

	bench_start(b);
	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 2; k++)
			at[i][k] = see(b, i ? BRIDGE : VETH, MODEL_WAY_IN, 0, w);
	bench_end(b);
	assert_same(b, at[0][0], at[1][0]);
	assert_same(b, at[0][1], at[1][1]);
	assert_apart(b, at[0][0], at[0][1]);
}

/* Sent again is marked, out of order is not; also where the numbers wrap. */
static void test_retransmission(void **state)
{
	struct bench *b = *state;
	static const uint32_t starts[] = { 1000, UINT32_MAX - 150 };
	unsigned n[8];

	bench_start(b);
	for (unsigned k = 0; k < 2; k++) {
		struct wire w = tcp_out(starts[k], 100);

		w.sport = (uint16_t)(40000 + k);
		n[0] = out(b, (int)(10 * k) * MS, w);
		w.seq += 200; /* a hole */
		n[1] = out(b, (int)(10 * k) * MS + MS, w);
		w.seq -= 100; /* fills it */
		n[2] = out(b, (int)(10 * k) * MS + 2 * MS, w);
		w.id = 999; /* the same again */
		n[3] = out(b, (int)(10 * k) * MS + 3 * MS, w);
		n[4 * k] = n[0];
		if (k == 0)
			for (unsigned i = 0; i < 4; i++)
				n[4 + i] = n[i];
	}
	bench_end(b);
	for (unsigned k = 0; k < 8; k++) {
		/* n[0..3] are the second run's, n[4..7] the first's */
		if (k == 4)
			continue;
		assert_int_equal(packet_of(b, n[k])->retransmission, k % 4 == 3);
	}
}

/* Keepalives and pure ACKs with equal numbers are packets of their own. */
static void test_keepalive(void **state)
{
	struct bench *b = *state;
	struct wire ack = tcp_out(1000, 0), data = tcp_out(1000, 10);
	unsigned n[3];

	bench_start(b);
	unsigned d = out(b, 0, data);
	ack.seq = 1009;
	for (unsigned i = 0; i < 3; i++) {
		ack.id = (uint16_t)(i + 20);
		n[i] = out(b, (int)(i + 1) * 300 * MS, ack);
	}
	bench_end(b);
	assert_packet(b, d, 4);
	for (unsigned i = 0; i < 3; i++)
		assert_packet(b, n[i], 4);
	assert_int_equal(b->result.packets.complete, 4);
}

/* The IP id runs out and begins again while packets are open: payloads tell them apart. */
static void test_ip_id_wrap(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, udp_out(7, 100, 1));
	unsigned k = see(b, VETH, MODEL_WAY_IN, US, udp_out(7, 100, 2));
	unsigned l = see(b, BRIDGE, MODEL_WAY_IN, 2 * US, udp_out(7, 100, 2));
	unsigned m = see(b, BRIDGE, MODEL_WAY_IN, 3 * US, udp_out(7, 100, 1));
	bench_end(b);
	assert_same(b, a, m);
	assert_same(b, k, l);
}

/* Many packets with whatever removed: nothing leaks, every observation is marked once. */
static void test_conservation(void **state)
{
	struct bench *b = *state;
	uint32_t r = 12345;

	b->cfg.packets_max = 64; /* the table is always full */
	b->cfg.flows_max = 16;
	b->cfg.observations = true;
	bench_start(b);
	for (unsigned i = 0; i < 3000; i++) {
		struct wire w = i % 3 ? udp_out((uint16_t)(i % 5), 200 + i % 7 * 300, i % 4)
				      : tcp_out(i * 500, 3000 + i % 4000);
		static const enum model_way ways[] = { MODEL_WAY_IN, MODEL_WAY_IN, MODEL_WAY_OUT,
						       MODEL_WAY_OUT };

		w.sport = (uint16_t)(w.sport + i % 40);
		if (w.proto == MODEL_PROTO_UDP && w.len > 1500)
			w.len = 3000;
		for (unsigned h = 0; h < 4; h++) {
			r = r * 1103515245u + 12345;
			if (r >> 16 & 3)
				continue;
			if (h == 3)
				see_vxlan(b, ways[h], (int64_t)i * 20 * US + h, w,
					  (struct outer){ .id = (uint16_t)i,
							  .cut = r >> 20 & 1 ? 160 : 0 });
			else if (w.proto == MODEL_PROTO_UDP && w.len > 1500)
				fragments(b, h, ways[h], (int64_t)i * 20 * US + h, w,
					  r >> 20 & 1 ? in_order : reversed);
			else
				see(b, h, ways[h], (int64_t)i * 20 * US + h, w);
		}
	}
	bench_end(b);
	assert_true(b->result.capture.closed_early > 0);
	assert_int_equal(b->result.capture.foreign, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_same_out), T(test_same_in), T(test_same_not),
		T(test_segment), T(test_segment_seq_wrap), T(test_segment_id_wrap),
		T(test_segment_retransmitted), T(test_segment_of_the_resent),
		T(test_segment_missed_and_resent), T(test_segment_of_what_never_came_so_far),
		T(test_segment_not_of_what_was_sent_on),
		T(test_segment_of_a_small_super_frame),
		T(test_merge), T(test_merge_of_a_look_alike), T(test_merge_of_the_resent),
		T(test_merge_of_too_many_look_alikes),
		T(test_merge_of_what_was_taken_for_its_equal),
		T(test_merge_of_what_was_taken_for_its_equal_behind),
		T(test_merge_of_what_was_seen_twice), T(test_segment_resent_with_entrance_missing),
		T(test_merge_before_parts),
		T(test_udp_super), T(test_udp_super_datagram_missed),
		T(test_fragments), T(test_fragments_of_equal_id), T(test_fragments_of_echo),
		T(test_fragments_lead), T(test_defragment),
		T(test_defragment_v6),
		T(test_defragment_last_missing),
		T(test_defragment_last_missing_v6),
		T(test_defragment_middle_missing),
		T(test_defragment_middle_alone),
		T(test_defragment_id_zero), T(test_bridge_is_no_super),
		T(test_fragments_translated), T(test_fragments_translated_without_first),
		T(test_fragment_missing), T(test_segment_of_jumbo_frames),
		T(test_last_segment_of_jumbo_frames), T(test_merge_of_jumbo_frames),
		T(test_merge_of_the_merged), T(test_mtu_is_learned),
		T(test_outer_fragments), T(test_outer_fragments_later_first),
		T(test_outer_fragment_missing), T(test_outer_fragments_of_segments),
		T(test_plain_fragments), T(test_plain_fragments_in_any_order),
		T(test_equal_with_entrance_missing), T(test_equal_with_middle_missing),
		T(test_equal_with_entrance_missing_in_turn),
		T(test_equal_with_entrance_missing_close_by),
		T(test_equal_in_order), T(test_equal_with_loss), T(test_equal_one_by_one),
		T(test_ties_meet), T(test_duplicate), T(test_duplicate_of_equal_stamp),
		T(test_retransmission), T(test_keepalive),
		T(test_ip_id_wrap), T(test_conservation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
