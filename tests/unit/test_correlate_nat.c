/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_correlate_nat.c - packets whose addresses change between two hops.
 */
#include "correlate_bench.h"

static struct wire tcp(const char *src, uint16_t sport, const char *dst, uint16_t dport,
		       uint32_t seq, uint32_t len)
{
	return (struct wire){ .src = src, .dst = dst, .sport = sport, .dport = dport, .df = true,
			      .id = (uint16_t)(seq / 1400 + 1), .seq = seq, .ack = 1, .len = len,
			      .data = seq };
}

static struct wire with(struct wire w, const char *src, uint16_t sport, const char *dst,
			uint16_t dport)
{
	w.src = src;
	w.sport = sport;
	w.dst = dst;
	w.dport = dport;
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

/* Service: pod > VIP at the veth, pod > remote from `turn` on; and the answer. */
static void service(struct bench *b, bool br_netfilter, bool syn)
{
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100), f, r, rv;
	unsigned a, k;

	v.flags = syn ? MODEL_TCP_SYN : 0;
	v.len = syn ? 0 : 100;
	f = with(v, POD, 40000, REMOTE, 8080);
	r = tcp(REMOTE, 8080, POD, 40000, 5000, 200);
	rv = with(r, VIP, 80, POD, 40000);
	bench_start(b);
	a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, br_netfilter ? f : v);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, f);
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, f, (struct outer){ .id = 1 });
	k = see_vxlan(b, MODEL_WAY_IN, MS, r, (struct outer){ .id = 2, .in = true });
	see(b, VTEP, MODEL_WAY_IN, MS + US, r);
	see(b, BRIDGE, MODEL_WAY_OUT, MS + 2 * US, rv);
	see(b, VETH, MODEL_WAY_OUT, MS + 3 * US, rv);
	bench_end(b);
	assert_packet(b, a, 4);
	assert_packet(b, k, 4);
	assert_int_equal(b->result.packets.complete, 2);
	assert_true(packet_of(b, a)->translated);
	assert_int_equal(packet_of(b, a)->tuple.dport, 80);
	assert_int_equal(packet_of(b, a)->translation.dport, 8080);
	assert_true(packet_of(b, k)->translated);
	assert_int_equal(packet_of(b, k)->tuple.sport, 80);
	assert_int_equal(packet_of(b, k)->translation.sport, 8080);
	assert_int_equal(b->result.n_flows, 2);
}

static void test_service(void **state) { service(*state, true, true); }
static void test_service_nf0(void **state) { service(*state, false, true); }
static void test_service_data(void **state) { service(*state, true, false); }

/* The first packet seen of the flow is a super-frame, cut behind the translation. */
static void test_service_segments(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1400, 2800), f = with(v, POD, 40000, REMOTE, 8080);

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	f.len = 1400;
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, f);
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, f, (struct outer){ .id = 1 });
	f.seq += 1400;
	f.id++;
	f.data_off = 1400;
	see(b, VTEP, MODEL_WAY_OUT, 4 * US, f);
	see_vxlan(b, MODEL_WAY_OUT, 5 * US, f, (struct outer){ .id = 2 });
	bench_end(b);
	assert_packet(b, a, 6);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
}

/* Segments from the wire, merged and translated back on their way to the pod. */
static void test_service_merge(void **state)
{
	struct bench *b = *state;
	struct wire r = tcp(REMOTE, 8080, POD, 40000, 1400, 1400), rv, s = r;

	bench_start(b);
	unsigned a = see_vxlan(b, MODEL_WAY_IN, 0, s, (struct outer){ .id = 1, .in = true });
	s.seq += 1400;
	s.id++;
	s.data_off = 1400;
	see_vxlan(b, MODEL_WAY_IN, US, s, (struct outer){ .id = 2, .in = true });
	rv = with(r, VIP, 80, POD, 40000);
	rv.len = 2800;
	see(b, BRIDGE, MODEL_WAY_OUT, 2 * US, rv);
	see(b, VETH, MODEL_WAY_OUT, 3 * US, rv);
	bench_end(b);
	assert_packet(b, a, 4);
	assert_int_equal(b->result.packets.total, 1);
}

static void test_masquerade(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, OUTSIDE, 443, 1000, 100), r, rv;

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	see(b, UNDERLAY, MODEL_WAY_OUT, 2 * US, with(v, NODE, 1234, OUTSIDE, 443));
	r = tcp(OUTSIDE, 443, NODE, 1234, 5000, 10);
	rv = with(r, OUTSIDE, 443, POD, 40000);
	unsigned k = see(b, UNDERLAY, MODEL_WAY_IN, MS, r);
	see(b, BRIDGE, MODEL_WAY_OUT, MS + US, rv);
	see(b, VETH, MODEL_WAY_OUT, MS + 2 * US, rv);
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 3);
	assert_path(b, a, "veth>bridge>underlay");
	assert_path(b, k, "underlay>bridge>veth");
	assert_int_equal(packet_of(b, k)->direction, MODEL_DIRECTION_INGRESS);
	assert_int_equal(packet_of(b, a)->translation.sport, 1234);
	assert_int_equal(b->result.packets.complete, 2);
}

/* NodePort: both sides of the tuple change at once; three forms in the answer. */
static void test_nodeport(void **state)
{
	struct bench *b = *state;
	struct wire q = tcp(OUTSIDE, 5555, NODE, 30080, 1000, 100), r;

	bench_start(b);
	unsigned a = see(b, UNDERLAY, MODEL_WAY_IN, 0, q);
	see(b, BRIDGE, MODEL_WAY_OUT, US, with(q, "10.244.1.1", 7777, POD, 8080));
	see(b, VETH, MODEL_WAY_OUT, 2 * US, with(q, "10.244.1.1", 7777, POD, 8080));
	r = tcp(POD, 8080, "10.244.1.1", 7777, 5000, 10);
	unsigned k = see(b, VETH, MODEL_WAY_IN, MS, r);
	see(b, BRIDGE, MODEL_WAY_IN, MS + US, with(r, POD, 8080, OUTSIDE, 5555));
	see(b, UNDERLAY, MODEL_WAY_OUT, MS + 2 * US, with(r, NODE, 30080, OUTSIDE, 5555));
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 3);
	assert_int_equal(b->result.packets.complete, 2);
	assert_int_equal(packet_of(b, a)->tuple.sport, 7777);
	assert_int_equal(packet_of(b, a)->translation.dport, 30080);
	assert_int_equal(packet_of(b, k)->translation.sport, 30080);
}

/*
 * What a client sends to the node's port is not known to be the pod's before the bridge shows it:
 * until then nothing final is said of it, though all before it went that way.
 */
static void test_nodeport_is_not_final_at_the_wire(void **state)
{
	(void)state;
	for (unsigned others = 0; others < 2; others++) {
		struct bench *b = bench_new();

		b->cfg.keep_other = others;
		bench_start(b);
		for (int i = 0; i < 4; i++) {
			int64_t at = i * 300 * MS;
			struct wire q = tcp(OUTSIDE, 5555, NODE, 30080, 1000 + (uint32_t)i, 0);
			struct wire p = with(q, "10.244.1.1", 7777, POD, 8080);

			unsigned a = see(b, UNDERLAY, MODEL_WAY_IN, at, q);
			assert_false(correlate_is_final(b->c, b->ref[a]));
			see(b, BRIDGE, MODEL_WAY_OUT, at + US, p);
			assert_int_equal(correlate_is_final(b->c, b->ref[a]), i > 0);
			see(b, VETH, MODEL_WAY_OUT, at + 2 * US, p);
		}
		bench_end(b);
		assert_int_equal(b->result.packets.complete, 4);
		assert_int_equal(b->result.capture.foreign, 0);
		bench_free(b);
	}
}

static void test_hairpin(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100), r;

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, VETH, MODEL_WAY_OUT, US, with(v, "10.244.1.1", 999, POD, 8080));
	r = tcp(POD, 8080, "10.244.1.1", 999, 5000, 10);
	unsigned k = see(b, VETH, MODEL_WAY_IN, MS, r);
	see(b, VETH, MODEL_WAY_OUT, MS + US, with(r, VIP, 80, POD, 40000));
	bench_end(b);
	assert_packet(b, a, 2);
	assert_packet(b, k, 2);
	assert_path(b, a, "veth>veth");
	assert_int_equal(packet_of(b, a)->direction, MODEL_DIRECTION_EGRESS);
	assert_int_equal(packet_of(b, k)->direction, MODEL_DIRECTION_EGRESS);
	assert_int_equal(b->result.packets.complete, 2);
	assert_int_equal(packet_of(b, k)->tuple.dport, 999);
}

/*
 * The bridge shows a third form, from the pod to itself: its packets are translated into what the
 * pod gets, not into that.
 */
static void test_hairpin_past_the_bridge(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100), r;
	unsigned at[4];

	bench_start(b);
	for (unsigned i = 0; i < 4; i += 2) {
		v.seq = v.data = 1000 + 100 * i;
		v.id = (uint16_t)(10 + i);
		r = tcp(POD, 8080, "10.244.1.1", 999, 5000 + 10 * i, 10);
		at[i] = see(b, VETH, MODEL_WAY_IN, i * MS, v);
		see(b, BRIDGE, MODEL_WAY_OUT, i * MS + US, with(v, POD, 40000, POD, 8080));
		see(b, VETH, MODEL_WAY_OUT, i * MS + 2 * US, with(v, "10.244.1.1", 999, POD, 8080));
		at[i + 1] = see(b, VETH, MODEL_WAY_IN, (i + 1) * MS, r);
		see(b, BRIDGE, MODEL_WAY_OUT, (i + 1) * MS + US, with(r, POD, 8080, POD, 999));
		see(b, VETH, MODEL_WAY_OUT, (i + 1) * MS + 2 * US, with(r, VIP, 80, POD, 40000));
	}
	bench_end(b);
	for (unsigned k = 0; k < 4; k++) {
		const struct result_packet *p = packet_of(b, at[k]);
		struct addr src;

		assert_packet(b, at[k], 3);
		assert_int_equal(p->status, RESULT_COMPLETE);
		assert_int_equal(addr_parse(k & 1 ? VIP : "10.244.1.1", &src), 0);
		assert_true(addr_eq(&p->translation.src, &src));
		assert_int_equal(p->translation.sport, k & 1 ? 80 : 999);
		assert_int_equal(p->translation.dport, k & 1 ? 40000 : 8080);
	}
}

/* Both legs of a hairpin are known. Then one leg is missed: which one, and never called lost. */
static void test_hairpin_leg_missed(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100), r;
	unsigned at[4];

	bench_start(b);
	for (unsigned i = 0; i < 3; i++) {
		v.seq = v.data = 1000 + 100 * i;
		v.id = (uint16_t)(10 + i);
		r = tcp(POD, 8080, "10.244.1.1", 999, 5000 + 10 * i, 10);
		r.id = (uint16_t)(20 + i);
		if (i != 1)
			at[0] = see(b, VETH, MODEL_WAY_IN, i * MS, v);
		if (i != 2)
			at[1] = see(b, VETH, MODEL_WAY_OUT, i * MS + US,
				    with(v, "10.244.1.1", 999, POD, 8080));
		if (i != 1)
			at[2] = see(b, VETH, MODEL_WAY_IN, i * MS + 500 * US, r);
		if (i != 2)
			at[3] = see(b, VETH, MODEL_WAY_OUT, i * MS + 501 * US,
				    with(r, VIP, 80, POD, 40000));
	}
	bench_end(b);
	assert_int_equal(b->result.packets.complete, 2);
	assert_int_equal(b->result.packets.incomplete, 4);
	for (unsigned k = 0; k < 4; k++) {
		const struct result_packet *p = packet_of(b, at[k]);
		/* 0, 2: seen on its way in alone; 1, 3: on its way out alone. */
		assert_int_equal(p->next_expected, MODEL_ROLE_VETH);
		assert_int_equal(p->last_seen, k & 1 ? MODEL_ROLE_NONE : MODEL_ROLE_VETH);
		assert_int_equal(p->lost, !(k & 1));
	}
}

/* The bridge shows it between the two translations, from the pod to the pod; then it is gone. */
static void test_hairpin_ends_at_the_bridge(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100);

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_OUT, US, with(v, POD, 40000, POD, 8080));
	bench_end(b);
	assert_packet(b, a, 2);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VETH);
}

/* Without br_netfilter the node routes it back: the bridge shows each packet twice. */
static void test_hairpin_by_the_node(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100), far;
	unsigned at[3];

	bench_start(b);
	for (unsigned i = 0; i < 3; i++) {
		v.seq = v.data = 1000 + 100 * i;
		v.id = (uint16_t)(10 + i);
		far = with(v, "10.244.1.1", 999, POD, 8080);
		at[i] = see(b, VETH, MODEL_WAY_IN, i * MS, v);
		if (i != 1)
			see(b, BRIDGE, MODEL_WAY_IN, i * MS + US, v);
		if (i != 2)
			see(b, BRIDGE, MODEL_WAY_OUT, i * MS + 2 * US, far);
		see(b, VETH, MODEL_WAY_OUT, i * MS + 3 * US, far);
	}
	bench_end(b);
	assert_packet(b, at[0], 4);
	assert_int_equal(packet_of(b, at[0])->status, RESULT_COMPLETE);
	for (unsigned i = 1; i < 3; i++) {
		assert_packet(b, at[i], 3);
		assert_int_equal(packet_of(b, at[i])->next_expected, MODEL_ROLE_BRIDGE);
		assert_false(packet_of(b, at[i])->lost);
	}
}

/* A hairpin's datagram in fragments, of which the way out shows one only. */
static void test_hairpin_fragment_missed(void **state)
{
	struct bench *b = *state;
	struct wire w = { .src = POD, .dst = VIP, .proto = MODEL_PROTO_UDP, .sport = 9, .dport = 80,
			  .id = 7, .len = 1000, .udp_len = 1508, .more = true, .data = 1 };
	struct wire later = w;

	later.frag_off = 1008;
	later.more = false;
	later.len = 500;
	later.data_off = 1000;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, w);
	see(b, VETH, MODEL_WAY_IN, US, later);
	see(b, VETH, MODEL_WAY_OUT, 2 * US, with(w, "10.244.1.1", 9, POD, 8080));
	bench_end(b);
	assert_packet(b, a, 3);
	assert_int_equal(packet_of(b, a)->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, a)->next_expected, MODEL_ROLE_VETH);
}

/*
 * The first packets of a NodePort's connection were missed on the wire: they look like the
 * node's own. What comes then is its translation all the same, from the first one on whole.
 */
static void test_nodeport_seen_late(void **state)
{
	struct bench *b = *state;
	unsigned at[3];

	b->net.routes_known = false;
	b->net.n_routes = 0;
	prefix_parse("10.244.1.1/24", &b->net.hops[BRIDGE].addrs[0]);
	b->net.hops[BRIDGE].n_addrs = 1;
	bench_start(b);
	for (unsigned i = 0; i < 3; i++) {
		struct wire c = tcp(OUTSIDE, 5555, NODE, 30080, 1000 + 100 * i, 100);
		struct wire n = with(c, "10.244.1.1", 7777, POD, 8080);

		c.id = n.id = (uint16_t)(10 + i);
		at[i] = b->n;
		/* 30 ms: the one before has closed. */
		if (i)
			see(b, UNDERLAY, MODEL_WAY_IN, i * 30 * MS, c);
		see(b, BRIDGE, MODEL_WAY_OUT, i * 30 * MS + US, n);
		see(b, VETH, MODEL_WAY_OUT, i * 30 * MS + 2 * US, n);
	}
	bench_end(b);
	for (unsigned i = 1; i < 3; i++) {
		assert_packet(b, at[i], 3);
		assert_int_equal(packet_of(b, at[i])->status, RESULT_COMPLETE);
		assert_path(b, at[i], "underlay>bridge>veth");
	}
}

/* A datagram and its echo have equal payload, and no id: two packets all the same. */
static void test_echo(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_UDP, .sport = 40000,
			  .dport = 7, .len = 40 };

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	unsigned k = see(b, VETH, MODEL_WAY_OUT, MS, with(v, REMOTE, 7, POD, 40000));
	bench_end(b);
	assert_apart(b, a, k);
	assert_path(b, a, "veth");
	assert_path(b, k, "veth");
}

/* Two pods send each other the same words, each to a port of its own. */
static void test_same_words(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_UDP, .sport = 9000,
			  .dport = 9000, .len = 40 };

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	unsigned k = see(b, VETH, MODEL_WAY_OUT, 5 * MS, with(v, REMOTE, 9001, POD, 9001));
	bench_end(b);
	assert_apart(b, a, k);
	assert_path(b, a, "veth");
	assert_path(b, k, "veth");
}

/* A Service's pod of this node, seen by nobody but the veth: never called lost. */
static void test_service_local_unseen(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 100);
	struct wire r = tcp(VIP, 80, POD, 40000, 5000, 10);

	bench_start(b);
	see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, VETH, MODEL_WAY_OUT, MS, r);
	see(b, VETH, MODEL_WAY_IN, 5000 * MS, with(v, POD, 40001, "10.96.0.77", 80));
	see(b, VETH, MODEL_WAY_IN, 9000 * MS, with(v, POD, 40002, "10.96.0.77", 80));
	bench_end(b);
	assert_int_equal(b->result.packets.complete, 2);
	for (unsigned i = 0; i < b->result.n_losses; i++)
		assert_false(b->result.losses[i].lost);
}

/* The same with the node itself, under an address that no device of the file has: NodeLocal DNS. */
static void test_node_unnamed(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = "192.0.2.53", .proto = MODEL_PROTO_UDP,
			  .sport = 40000, .dport = 53, .len = 40 };
	struct wire w = with(v, POD, 40001, "192.0.2.99", 53);

	b->net.routes_known = false;
	addr_parse("10.244.1.1", &b->net.hops[BRIDGE].addrs[0].addr);
	b->net.hops[BRIDGE].addrs[0].len = 24;
	b->net.hops[BRIDGE].n_addrs = 1;
	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	see(b, BRIDGE, MODEL_WAY_OUT, 2 * US, with(v, "192.0.2.53", 53, POD, 40000));
	see(b, VETH, MODEL_WAY_OUT, 3 * US, with(v, "192.0.2.53", 53, POD, 40000));
	unsigned k = see(b, VETH, MODEL_WAY_IN, 4 * US, w); /* who never answers may be anywhere */
	see(b, BRIDGE, MODEL_WAY_IN, 5 * US, w);
	for (unsigned i = 0; i < 4; i++) /* the capture goes on */
		see(b, i, i < 2 ? MODEL_WAY_IN : MODEL_WAY_OUT, 9000 * MS,
		    tcp(POD, 1, REMOTE, 2, 1, 10));
	bench_end(b);
	assert_false(packet_of(b, a)->lost);
	assert_true(packet_of(b, k)->lost);
}

/* A port of the node serves one pod's flow, then another's: the two are not one flow. */
static void test_port_reuse(void **state)
{
	struct bench *b = *state;
	unsigned a[2], k[2];

	bench_second_pod(b);
	bench_start(b);
	for (unsigned i = 0; i < 2; i++) {
		int64_t at = (int64_t)i * 10 * MS;
		struct wire v = tcp(i ? POD2 : POD, (uint16_t)(40000 + i), OUTSIDE, 443,
				    1000 + 7000 * i, 0), r;

		v.flags = MODEL_TCP_SYN;
		a[i] = see(b, i ? VETH2 : VETH, MODEL_WAY_IN, at, v);
		see(b, BRIDGE, MODEL_WAY_IN, at + US, v);
		see(b, UNDERLAY, MODEL_WAY_OUT, at + 2 * US, with(v, NODE, 1234, OUTSIDE, 443));
		r = tcp(OUTSIDE, 443, NODE, 1234, 50000 + i * 7000, 0);
		r.flags = MODEL_TCP_SYN | MODEL_TCP_ACK;
		k[i] = see(b, UNDERLAY, MODEL_WAY_IN, at + MS, r);
		r = with(r, OUTSIDE, 443, v.src, v.sport);
		see(b, BRIDGE, MODEL_WAY_OUT, at + MS + US, r);
		see(b, i ? VETH2 : VETH, MODEL_WAY_OUT, at + MS + 2 * US, r);
	}
	bench_end(b);
	for (unsigned i = 0; i < 2; i++) {
		assert_packet(b, a[i], 3);
		assert_packet(b, k[i], 3);
		assert_int_equal(packet_of(b, a[i])->tuple.sport, 40000 + i);
		assert_int_equal(packet_of(b, k[i])->tuple.dport, 40000 + i);
	}
	assert_int_equal(b->result.packets.complete, 4);
	assert_int_equal(b->result.n_flows, 4);
}

/* The pod's port again, another backend behind the Service. */
static void test_backend_changes(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	for (unsigned i = 0; i < 2; i++) {
		struct wire v = { .src = POD, .dst = VIP, .proto = MODEL_PROTO_UDP, .sport = 9,
				  .dport = 53, .id = (uint16_t)(i + 1), .len = 50, .data = i };
		struct wire f = with(v, POD, 9, i ? "10.244.2.3" : REMOTE, 5353);
		int64_t at = (int64_t)i * 3000 * MS;
		unsigned a = see(b, VETH, MODEL_WAY_IN, at, v);

		see(b, BRIDGE, MODEL_WAY_IN, at + US, v);
		see(b, VTEP, MODEL_WAY_OUT, at + 2 * US, f);
		see_vxlan(b, MODEL_WAY_OUT, at + 3 * US, f, (struct outer){ .id = 1 });
		(void)a;
	}
	bench_end(b);
	assert_packet(b, 0, 4);
	assert_packet(b, 4, 4);
	assert_int_equal(b->result.packets.complete, 2);
}

static struct result_tuple udp_tuple(const char *src, uint16_t sport, const char *dst,
				     uint16_t dport)
{
	struct result_tuple t = { .sport = sport, .dport = dport, .protocol = MODEL_PROTO_UDP,
				  .has_ports = true };

	assert_int_equal(addr_parse(src, &t.src), 0);
	assert_int_equal(addr_parse(dst, &t.dst), 0);
	return t;
}

static bool learn(struct bench *b, struct result_tuple original, struct result_tuple reply)
{
	return correlate_learn_connection(b->c, &original, &reply);
}

/* Conntrack said it before the first frame. */
static void test_learned(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = VIP, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 53, .len = 0 };

	bench_start(b);
	assert_true(learn(b, udp_tuple(POD, 9, VIP, 53), udp_tuple(REMOTE, 5353, NODE, 77)));
	/* An empty datagram without id: nothing in it could tell. */
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, with(v, NODE, 77, REMOTE, 5353));
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, with(v, NODE, 77, REMOTE, 5353),
		  (struct outer){ .id = 1 });
	unsigned k = see_vxlan(b, MODEL_WAY_IN, MS, with(v, REMOTE, 5353, NODE, 77),
			       (struct outer){ .id = 2, .in = true });
	see(b, VTEP, MODEL_WAY_IN, MS + US, with(v, REMOTE, 5353, NODE, 77));
	see(b, BRIDGE, MODEL_WAY_OUT, MS + 2 * US, with(v, VIP, 53, POD, 9));
	see(b, VETH, MODEL_WAY_OUT, MS + 3 * US, with(v, VIP, 53, POD, 9));
	bench_end(b);
	assert_packet(b, a, 4);
	assert_packet(b, k, 4);
	assert_int_equal(packet_of(b, a)->translation.sport, 77);
	assert_int_equal(packet_of(b, k)->tuple.sport, 53);
}

/* A client outside reaches the pod by a port of the node: the pod's name of it is the answer's. */
static void test_learned_ingress(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = OUTSIDE, .dst = NODE, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 30080, .len = 0 };
	struct wire p = with(v, "10.244.1.1", 77, POD, 8080);

	bench_start(b);
	assert_true(learn(b, udp_tuple(OUTSIDE, 9, NODE, 30080),
			  udp_tuple(POD, 8080, "10.244.1.1", 77)));
	unsigned a = see(b, UNDERLAY, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_OUT, US, p);
	see(b, VETH, MODEL_WAY_OUT, 2 * US, p);
	unsigned k = see(b, VETH, MODEL_WAY_IN, MS, with(v, POD, 8080, "10.244.1.1", 77));
	see(b, BRIDGE, MODEL_WAY_IN, MS + US, with(v, POD, 8080, "10.244.1.1", 77));
	see(b, UNDERLAY, MODEL_WAY_OUT, MS + 2 * US, with(v, NODE, 30080, OUTSIDE, 9));
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 3);
	assert_int_equal(packet_of(b, a)->tuple.dport, 8080);
	assert_int_equal(packet_of(b, a)->translation.dport, 30080);
	assert_int_equal(packet_of(b, k)->translation.sport, 30080);
}

/*
 * A pod meets itself through a Service. What it sends is its name for both directions, and the
 * answers end at the pod too: no hop is missed.
 */
static void test_learned_hairpin(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = VIP, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 80, .len = 0 };

	bench_start(b);
	assert_true(learn(b, udp_tuple(POD, 9, VIP, 80), udp_tuple(POD, 8080, "10.244.1.1", 9)));
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, VETH, MODEL_WAY_OUT, US, with(v, "10.244.1.1", 9, POD, 8080));
	unsigned k = see(b, VETH, MODEL_WAY_IN, MS, with(v, POD, 8080, "10.244.1.1", 9));
	see(b, VETH, MODEL_WAY_OUT, MS + US, with(v, VIP, 80, POD, 9));
	bench_end(b);
	assert_packet(b, a, 2);
	assert_packet(b, k, 2);
	assert_int_equal(packet_of(b, a)->tuple.dport, 80);
	assert_int_equal(packet_of(b, k)->tuple.sport, 8080);
	assert_int_equal(packet_of(b, a)->status, RESULT_COMPLETE);
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
}

/*
 * IPVS: the Service's address is the node's own (kube-ipvs0), so that the packet is delivered to
 * the node and translated on its way out. The bridge still shows the Service, whatever
 * br_netfilter says; a NodePort's client is masqueraded as well, plain on the underlay first and
 * then inside VXLAN on the same device.
 */
static void test_ipvs(void **state)
{
	struct bench *b = *state;
	struct wire v = tcp(POD, 40000, VIP, 80, 1000, 2800), f = with(v, POD, 40000, REMOTE, 8080);
	struct wire part = f, c = tcp(OUTSIDE, 5000, NODE, 30080, 77, 100), m;

	bench_start(b);
	f.ttl = part.ttl = 63;
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	see(b, VTEP, MODEL_WAY_OUT, 2 * US, f);
	part.len = 1400;
	see_vxlan(b, MODEL_WAY_OUT, 3 * US, part, (struct outer){ .id = 1 });
	part.seq += 1400;
	part.data_off = 1400;
	part.id++;
	see_vxlan(b, MODEL_WAY_OUT, 4 * US, part, (struct outer){ .id = 2 });
	bench_end(b);
	assert_packet(b, a, 5);
	assert_int_equal(packet_of(b, a)->translation.dport, 8080);
	assert_int_equal(b->result.packets.complete, 1);

	/* Of no captured pod, so of a file: every packet is kept. */
	bench_free(b);
	*state = b = bench_new();
	b->cfg.keep_other = true;
	bench_start(b);
	m = with(c, "10.244.1.0", 61000, REMOTE, 8080);
	a = see(b, UNDERLAY, MODEL_WAY_IN, 0, c);
	see(b, VTEP, MODEL_WAY_OUT, US, m);
	see_vxlan(b, MODEL_WAY_OUT, 2 * US, m, (struct outer){ .id = 9 });
	m = with(tcp(REMOTE, 8080, OUTSIDE, 5000, 900, 50), REMOTE, 8080, "10.244.1.0", 61000);
	unsigned k = see_vxlan(b, MODEL_WAY_IN, MS, m, (struct outer){ .id = 7, .in = true });
	see(b, VTEP, MODEL_WAY_IN, MS + US, m);
	see(b, UNDERLAY, MODEL_WAY_OUT, MS + 2 * US, with(m, NODE, 30080, OUTSIDE, 5000));
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 3);
	assert_path(b, a, "underlay>vtep>underlay");
	assert_path(b, k, "underlay>vtep>underlay");
}

/*
 * Thousands of flows through one Service at once, all with the same bytes and no IP id: only the
 * port tells, and it stays.
 */
static void test_thousands_of_flows(void **state)
{
	enum { FLOWS = 4000, HOPS = 4 };
	struct bench *b = *state;
	static unsigned first[HOPS];

	bench_start(b);
	for (unsigned hop = 0; hop < HOPS; hop++) {
		first[hop] = b->n;
		for (unsigned i = 0; i < FLOWS; i++) {
			struct wire v = { .src = POD, .dst = hop < 2 ? VIP : REMOTE, .df = true,
					  .proto = MODEL_PROTO_UDP, .sport = (uint16_t)(1024 + i),
					  .dport = hop < 2 ? 53 : 5353, .len = 20 };
			int64_t at = hop * 4 * MS + i * US;

			if (hop == HOPS - 1)
				see_vxlan(b, MODEL_WAY_OUT, at, v,
					  (struct outer){ .id = (uint16_t)(i + 1) });
			else
				see(b, (enum bench_hop)hop,
				    hop < 2 ? MODEL_WAY_IN : MODEL_WAY_OUT, at, v);
		}
	}
	bench_end(b);
	for (unsigned i = 0; i < FLOWS; i++)
		for (unsigned hop = 1; hop < HOPS; hop++)
			assert_same(b, first[0] + i, first[hop] + i);
	assert_int_equal(b->result.packets.complete, FLOWS);
}

/* What is not translated, or of another pod, is not learned. */
static void test_not_learned(void **state)
{
	struct bench *b = *state;

	bench_start(b);
	assert_false(learn(b, udp_tuple(POD, 9, REMOTE, 53), udp_tuple(REMOTE, 53, POD, 9)));
	assert_false(learn(b, udp_tuple("10.244.1.9", 9, VIP, 53),
			   udp_tuple(REMOTE, 53, "10.244.1.9", 9)));
	bench_end(b);
}

/*
 * Two sockets send the same bytes at once, and the masquerade gives each a port at random: the
 * packets alone cannot tell whose is whose, the connections can.
 */
static void look_alikes(struct bench *b, bool is_known)
{
	struct wire one = { .src = POD, .dst = OUTSIDE, .proto = MODEL_PROTO_UDP, .sport = 9,
			    .dport = 53, .df = true, .len = 40 }, two = one;
	unsigned a, k, m, n;

	two.sport = 10;
	bench_start(b);
	if (is_known) {
		assert_true(learn(b, udp_tuple(POD, 9, OUTSIDE, 53),
				  udp_tuple(OUTSIDE, 53, NODE, 700)));
		assert_true(learn(b, udp_tuple(POD, 10, OUTSIDE, 53),
				  udp_tuple(OUTSIDE, 53, NODE, 600)));
	}
	a = see(b, VETH, MODEL_WAY_IN, 0, one);
	k = see(b, VETH, MODEL_WAY_IN, US, two);
	see(b, BRIDGE, MODEL_WAY_IN, 2 * US, one);
	see(b, BRIDGE, MODEL_WAY_IN, 3 * US, two);
	/* the second one overtakes */
	m = see(b, UNDERLAY, MODEL_WAY_OUT, 4 * US, with(one, NODE, 600, OUTSIDE, 53));
	n = see(b, UNDERLAY, MODEL_WAY_OUT, 5 * US, with(one, NODE, 700, OUTSIDE, 53));
	bench_end(b);
	if (is_known) {
		assert_same(b, a, n);
		assert_same(b, k, m);
		assert_int_equal(b->mark[m].ambiguous, 0);
	} else {
		assert_true(b->mark[m].ambiguous > 1);
	}
}

static void test_look_alikes(void **state)
{
	look_alikes(*state, false);
}

/*
 * A choice between flows teaches nothing: what is guessed of one packet would be taken for
 * certain of all that follow. What only one flow has sent, does.
 */
static void test_look_alikes_not_learned(void **state)
{
	struct bench *b = *state;
	struct wire one = { .src = POD, .dst = OUTSIDE, .proto = MODEL_PROTO_UDP, .sport = 9,
			    .dport = 53, .df = true, .len = 40 }, two = one, last = one;
	unsigned seen[3], lost, own;

	two.sport = 10;
	last.data = 7;
	bench_start(b);
	for (unsigned i = 0; i < 3; i++) {
		int64_t at = i * 10 * MS;

		see(b, VETH, MODEL_WAY_IN, at, one);
		see(b, VETH, MODEL_WAY_IN, at + US, two);
		see(b, BRIDGE, MODEL_WAY_IN, at + 2 * US, one);
		lost = see(b, BRIDGE, MODEL_WAY_IN, at + 3 * US, two);
		seen[i] = see(b, UNDERLAY, MODEL_WAY_OUT, at + 4 * US,
			      with(one, NODE, 600, OUTSIDE, 53));
		if (i < 2) /* at last one of the two is lost */
			see(b, UNDERLAY, MODEL_WAY_OUT, at + 5 * US,
			    with(one, NODE, 700, OUTSIDE, 53));
	}
	own = see(b, VETH, MODEL_WAY_IN, 100 * MS, last);
	see(b, BRIDGE, MODEL_WAY_IN, 100 * MS + US, last);
	see(b, UNDERLAY, MODEL_WAY_OUT, 100 * MS + 2 * US, with(last, NODE, 700, OUTSIDE, 53));
	bench_end(b);
	for (unsigned i = 0; i < 3; i++)
		assert_true(b->mark[seen[i]].ambiguous > 1);
	assert_int_equal(packet_of(b, lost)->status, RESULT_AMBIGUOUS);
	assert_int_equal(packet_of(b, seen[2])->status, RESULT_AMBIGUOUS);
	assert_packet(b, own, 3);
	assert_int_equal(packet_of(b, own)->translation.sport, 700);
	assert_int_equal(b->mark[own + 2].ambiguous, 0);
}

/* Equal packets of one flow: which is which is open, whose they are is not. */
static void test_look_alikes_of_one_flow(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = OUTSIDE, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 53, .df = true, .len = 40 };
	unsigned a, k;

	bench_start(b);
	a = see(b, VETH, MODEL_WAY_IN, 0, v);
	k = see(b, VETH, MODEL_WAY_IN, US, v);
	see(b, BRIDGE, MODEL_WAY_IN, 2 * US, v);
	see(b, BRIDGE, MODEL_WAY_IN, 3 * US, v);
	see(b, UNDERLAY, MODEL_WAY_OUT, 4 * US, with(v, NODE, 600, OUTSIDE, 53));
	see(b, UNDERLAY, MODEL_WAY_OUT, 5 * US, with(v, NODE, 600, OUTSIDE, 53));
	bench_end(b);
	assert_same(b, a, 4);
	assert_same(b, k, 5);
	assert_int_equal(packet_of(b, a)->translation.sport, 600);
	assert_int_equal(b->result.packets.complete, 2);
}

static void test_look_alikes_learned(void **state)
{
	look_alikes(*state, true);
}

/* ICMP errors: the quote is translated with them; two pods' errors do not become one flow. */
static void test_icmp_error(void **state)
{
	struct bench *b = *state;
	struct wire quote = tcp(NODE, 1234, OUTSIDE, 443, 1000, 100), inner;
	struct wire e = { .src = "192.168.77.1", .dst = NODE, .proto = MODEL_PROTO_ICMP,
			  .id = 5, .icmp_type = 3, .icmp_code = 4, .quote = &quote }, ev = e;
	struct wire v = tcp(POD, 40000, OUTSIDE, 443, 1000, 100);

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	see(b, BRIDGE, MODEL_WAY_IN, US, v);
	see(b, UNDERLAY, MODEL_WAY_OUT, 2 * US, quote);
	unsigned k = see(b, UNDERLAY, MODEL_WAY_IN, MS, e);
	inner = v;
	ev.dst = POD;
	ev.quote = &inner;
	see(b, BRIDGE, MODEL_WAY_OUT, MS + US, ev);
	see(b, VETH, MODEL_WAY_OUT, MS + 2 * US, ev);
	bench_end(b);
	assert_packet(b, a, 3);
	assert_packet(b, k, 3);
	assert_int_equal(packet_of(b, k)->status, RESULT_COMPLETE);
}

/*
 * Errors from behind a Service bear its address at the bridge, to which no route leads: their way
 * is that of the errors before them.
 */
static void test_icmp_error_missed_at_the_wire(void **state)
{
	struct bench *b = *state;
	unsigned seen[2];

	b->net.n_routes = 0; /* and routes_known: the node has none */
	bench_start(b);
	for (int i = 0; i < 2; i++) {
		int64_t at = i * 300 * MS;
		struct wire far = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_UDP,
				    .sport = 40000, .dport = 8080, .id = 7, .len = 100 };
		struct wire near = with(far, POD, 40000, VIP, 80);
		struct wire e = { .src = REMOTE, .dst = POD, .proto = MODEL_PROTO_ICMP,
				  .id = (uint16_t)(i + 1), .icmp_type = 3, .icmp_code = 3,
				  .quote = &far };
		struct wire ev = e;

		ev.src = VIP;
		ev.quote = &near;
		if (!i)
			see(b, UNDERLAY, MODEL_WAY_IN, at, e);
		seen[i] = see(b, BRIDGE, MODEL_WAY_OUT, at + US, ev);
		see(b, VETH, MODEL_WAY_OUT, at + 2 * US, ev);
	}
	bench_end(b);
	assert_path(b, seen[0], "underlay>bridge>veth");
	assert_int_equal(packet_of(b, seen[0])->status, RESULT_COMPLETE);
	assert_path(b, seen[1], "bridge>veth");
	assert_int_equal(packet_of(b, seen[1])->status, RESULT_INCOMPLETE);
	assert_int_equal(packet_of(b, seen[1])->next_expected, MODEL_ROLE_UNDERLAY);
}

/*
 * Errors about two datagrams of one flow and one length, which have no id: what is quoted of the
 * payload tells them apart, also where a hop did not show the first, and behind a translation.
 */
static void test_icmp_errors_alike(void **state)
{
	struct bench *b = *state;
	struct wire q[2], qv[2];
	unsigned far[2], near[2];

	bench_start(b);
	for (unsigned i = 0; i < 2; i++) {
		qv[i] = (struct wire){ .src = POD6, .dst = "fd00:96::10", .proto = MODEL_PROTO_UDP,
				       .sport = 40000, .dport = 80, .len = 200, .data = 7 + i };
		q[i] = with(qv[i], POD6, 40000, REMOTE6, 8080);
		struct wire e = { .src = REMOTE6, .dst = POD6, .proto = MODEL_PROTO_ICMPV6,
				  .icmp_type = 1, .icmp_code = 4, .quote = &q[i] }, ev = e;

		ev.src = "fd00:96::10";
		ev.quote = &qv[i];
		far[i] = see_vxlan(b, MODEL_WAY_IN, i * MS, e,
				   (struct outer){ .id = (uint16_t)(i + 1), .in = true });
		see(b, VTEP, MODEL_WAY_IN, i * MS + US, e);
		if (i)
			near[i] = see(b, BRIDGE, MODEL_WAY_OUT, i * MS + 2 * US, ev);
		else
			near[i] = see(b, VETH, MODEL_WAY_OUT, i * MS + 3 * US, ev);
	}
	see(b, VETH, MODEL_WAY_OUT, MS + 3 * US, (struct wire){ .src = "fd00:96::10", .dst = POD6,
	    .proto = MODEL_PROTO_ICMPV6, .icmp_type = 1, .icmp_code = 4, .quote = &qv[1] });
	bench_end(b);
	for (unsigned i = 0; i < 2; i++)
		assert_same(b, far[i], near[i]);
	assert_apart(b, far[0], far[1]);
	assert_int_equal(b->result.packets.total, 2);
	assert_int_equal(b->result.packets.complete, 1);
}

/* Equal packets of two flows are not taken for a translation of one another. */
static void test_no_translation(void **state)
{
	struct bench *b = *state;
	struct wire v = { .src = POD, .dst = REMOTE, .proto = MODEL_PROTO_UDP, .sport = 9,
			  .dport = 53, .len = 40 };
	struct wire o = with(v, POD, 9, "10.244.2.3", 53);

	bench_start(b);
	unsigned a = see(b, VETH, MODEL_WAY_IN, 0, v);
	unsigned k = see(b, VETH, MODEL_WAY_IN, US, o);
	unsigned l = see(b, BRIDGE, MODEL_WAY_IN, 2 * US, o);
	unsigned m = see(b, BRIDGE, MODEL_WAY_IN, 3 * US, v);
	unsigned n = see(b, VTEP, MODEL_WAY_OUT, 4 * US, o); /* v's was lost */
	bench_end(b);
	assert_same(b, a, m);
	assert_same(b, k, l);
	assert_same(b, k, n);
	assert_apart(b, a, k);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_service), T(test_service_nf0), T(test_service_data),
		T(test_service_segments), T(test_service_merge), T(test_masquerade),
		T(test_nodeport), T(test_nodeport_is_not_final_at_the_wire),
		T(test_hairpin), T(test_hairpin_leg_missed), T(test_hairpin_past_the_bridge),
		T(test_hairpin_by_the_node), T(test_hairpin_ends_at_the_bridge),
		T(test_hairpin_fragment_missed),
		T(test_nodeport_seen_late),
		T(test_service_local_unseen),
		T(test_node_unnamed),
		T(test_port_reuse), T(test_backend_changes), T(test_learned),
		T(test_learned_ingress),
		T(test_icmp_errors_alike),
		T(test_ipvs), T(test_thousands_of_flows), T(test_learned_hairpin),
		T(test_not_learned), T(test_look_alikes),
		T(test_look_alikes_learned), T(test_look_alikes_not_learned),
		T(test_look_alikes_of_one_flow),
		T(test_icmp_error), T(test_icmp_error_missed_at_the_wire),
		T(test_no_translation), T(test_echo), T(test_same_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
