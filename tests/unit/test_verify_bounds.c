/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_bounds.c - full tables, captures that know no pods, and one capture alone: all
 * that is given is counted once, and nothing is called delivered or lost that was not shown to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "failing_malloc.h"
#include "podhop/correlate.h"
#include "../lib/verify_nodes.h"

#define TABLE 4096u /* packets that verify_nodes.h makes room for */
#define MANY (3 * TABLE)
#define ICMP6 MODEL_PROTO_ICMPV6
#define ECHO6 128
#define REPLY6 129
#define ADVERTISEMENT6 136
#define SCTP 132

/* A capture that says nothing of pods. */
static void begin_without_pods(unsigned nodes)
{
	begin(nodes, false, 0);
	net[A].n_pods = net[B].n_pods = 0;
}

static uint64_t counted(const struct verify_direction *d)
{
	assert_int_equal(d->sent, d->delivered + d->lost + d->altered + d->unknown);
	return d->sent + d->unprovable + d->out_of_scope;
}

/* seq is an echo's number, too. */
struct alone {
	uint8_t protocol;
	uint32_t seq, size, ack;
	uint16_t flags;
	bool back;
};

static struct result_packet alone(int64_t time, const struct alone *s)
{
	struct result_packet p = packet(
		A, time,
		&(struct spec){
			.protocol = s->protocol, .seq = s->seq, .size = s->size, .back = s->back });

	p.ack = s->ack;
	p.seq = s->seq;
	p.l4_flags = s->flags;
	if (s->protocol == TCP && !s->size)
		p.kind = RESULT_KIND_WHOLE;
	if (s->protocol == ICMP6)
		p.tuple.sport = 7, p.tuple.dport = 0;
	return p;
}

static void give_alone(int64_t time, const struct alone *s)
{
	struct result_packet p = alone(time, s);

	verify_packet(v, A, &p);
}

static const struct verify_direction *end_alone(int64_t last, unsigned direction)
{
	verify_time(v, A, T0, T0 + last, INT64_MAX);
	return end(direction);
}

/* Nothing is acknowledged, and there are more than the table holds. */
static void test_alone_full(void **unused)
{
	(void)unused;
	for (unsigned told = 0; told < 2; told++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		for (uint32_t i = 0; i < MANY; i++) {
			int64_t t = (int64_t)i * 100000;

			give_alone(t, &(struct alone){ TCP, 1000 + i * 100, 100, 0, MODEL_TCP_ACK,
						       0 });
			/* Where nobody says how far time has come, they wait to be gone through. */
			if (told)
				verify_time(v, A, T0, T0 + t, T0 + t);
		}
		/* The last one's acknowledgement proves what the table still holds. */
		give_alone(2 * S,
			   &(struct alone){ TCP, 1, 0, 1000 + MANY * 100, MODEL_TCP_ACK, 1 });
		d = end_alone(30 * S, 0);
		assert_int_equal(counted(d), MANY);
		assert_int_equal(d->lost, 0);
		assert_true(d->unknown >= MANY - TABLE);
		assert_true(d->delivered > 0 && d->delivered <= TABLE);
		assert_true(has_reason("tables were full"));
		assert_int_equal(result.verdict, VERIFY_INCONCLUSIVE);
		done();
	}
}

/* What comes when eight windows have passed proves nothing. */
static void test_alone_late_answer(void **unused)
{
	static const int64_t after[] = { 10 * S, 20 * S };

	(void)unused;
	for (unsigned i = 0; i < 2; i++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		give_alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
		give_alone(after[i], &(struct alone){ TCP, 1, 0, 1100, MODEL_TCP_ACK, 1 });
		d = end_alone(60 * S, 0);
		assert_int_equal(d->delivered, !i);
		assert_int_equal(d->unknown, i);
		assert_int_equal(d->lost, 0);
		done();
	}
}

/* A part that is acknowledged proves nothing of the rest, and a SYN counts one byte. */
static void test_alone_in_part(void **unused)
{
	static const struct {
		uint32_t size, ack;
		uint16_t flags;
		bool proved;
	} cases[] = {
		{ 100, 1000, MODEL_TCP_ACK, false }, { 100, 1050, MODEL_TCP_ACK, false },
		{ 100, 1100, MODEL_TCP_ACK, true },  { 0, 1000, MODEL_TCP_SYN, false },
		{ 0, 1001, MODEL_TCP_SYN, true },
	};

	(void)unused;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		give_alone(0, &(struct alone){ TCP, 1000, cases[i].size, 0, cases[i].flags, 0 });
		give_alone(MS, &(struct alone){ TCP, 1, 0, cases[i].ack, MODEL_TCP_ACK, 1 });
		d = end_alone(60 * S, 0);
		assert_int_equal(d->delivered, cases[i].proved);
		assert_int_equal(d->unknown, !cases[i].proved);
		done();
	}
}

static enum result_shown keeps(void *arg, unsigned node, unsigned hop,
			       const struct result_frames *frames)
{
	(void)arg;
	(void)node;
	(void)hop;
	return addr_eq(&frames->tuple.src, &net[A].pods[0].addrs[0]) ? RESULT_SHOWN : RESULT_HIDDEN;
}

/* A capture of what the pod sends only: no answer is due in it. */
static void test_alone_filtered(void **unused)
{
	const struct verify_config c = { .n_nodes = 1,
					 .net = { &net[A] },
					 .name = { "a" },
					 .packets_max = 4096,
					 .keeps = keeps };
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	verify_free(v);
	v = verify_new(&c, NULL);
	assert_non_null(v);
	give_alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	d = end_alone(60 * S, 0);
	assert_int_equal(d->unprovable, 1);
	assert_int_equal(d->unknown, 0);
	assert_true(has_reason("unprovable: a filter left their answers out of the capture"));
	done();
}

/* The same told by each hop's own filter: one hop without would have shown the answer. */
static enum result_shown shows(void *arg, unsigned node, unsigned hop,
			       const struct result_frames *frames)
{
	return keeps(arg, node, hop, frames);
}

static void test_alone_filtered_at_hops(void **unused)
{
	const struct verify_config c = { .n_nodes = 1,
					 .net = { &net[A] },
					 .name = { "a" },
					 .packets_max = 4096,
					 .shows = shows };

	(void)unused;
	for (unsigned filtered = 0; filtered <= 4; filtered++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		verify_free(v);
		for (unsigned i = 0; i < net[A].n_hops; i++)
			net[A].hops[i].filtered = i < filtered;
		v = verify_new(&c, NULL);
		assert_non_null(v);
		give_alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
		d = end_alone(60 * S, 0);
		assert_int_equal(d->unprovable, filtered == 4);
		assert_int_equal(d->unknown, filtered != 4);
		done();
	}
}

/* A FIN has a place in the stream, and is proved by its acknowledgement; nobody owes one. */
static void test_alone_fin(void **unused)
{
	(void)unused;
	for (uint32_t acked = 1000; acked <= 1001; acked++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		give_alone(0, &(struct alone){ TCP, 1000, 0, 5, MODEL_TCP_FIN | MODEL_TCP_ACK, 0 });
		give_alone(MS, &(struct alone){ TCP, 5, 0, acked, MODEL_TCP_ACK, 1 });
		d = end_alone(60 * S, 0);
		assert_int_equal(d->delivered, acked == 1001);
		assert_int_equal(d->unprovable, acked == 1000);
		assert_int_equal(d->unknown, 0);
		done();
	}
}

/* Without its flag, what stands in the field of an acknowledgement is none. */
static void test_alone_no_ack(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	give_alone(MS, &(struct alone){ TCP, 5, 0, 1100, MODEL_TCP_RST, 1 });
	d = end_alone(60 * S, 0);
	assert_int_equal(d->delivered, 0);
	assert_int_equal(d->unknown, 1);
	done();
}

/* Bytes next to those that are sent again were sent once. */
static void test_alone_next_to_resent(void **unused)
{
	(void)unused;
	for (unsigned behind = 0; behind < 2; behind++) {
		const struct verify_direction *d;
		struct result_packet p;

		begin(1, false, 0);
		give_alone(0,
			   &(struct alone){ TCP, behind ? 1000 : 1100, 100, 0, MODEL_TCP_ACK, 0 });
		p = alone(MS,
			  &(struct alone){ TCP, behind ? 1100 : 1000, 100, 0, MODEL_TCP_ACK, 0 });
		p.retransmission = true;
		verify_packet(v, A, &p);
		give_alone(2 * MS, &(struct alone){ TCP, 5, 0, 1200, MODEL_TCP_ACK, 1 });
		d = end_alone(60 * S, 0);
		assert_int_equal(d->delivered, 2);
		assert_int_equal(d->unprovable, 0);
		done();
	}
}

/* An acknowledgement that was overtaken by a newer one takes nothing back. */
static void test_alone_older_ack(void **unused)
{
	const struct verify_direction *d;
	struct result_packet p;

	(void)unused;
	begin(1, false, 0);
	give_alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	give_alone(MS, &(struct alone){ TCP, 5, 0, 1100, MODEL_TCP_ACK, 1 });
	give_alone(2 * MS, &(struct alone){ TCP, 5, 0, 1050, MODEL_TCP_ACK, 1 });
	p = alone(3 * MS, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	p.retransmission = true;
	verify_packet(v, A, &p);
	d = end_alone(60 * S, 0);
	assert_int_equal(d->delivered, 1);
	assert_int_equal(d->unprovable, 1);
	assert_int_equal(d->unknown, 0);
	done();
}

/* What closes first need not have been first: the times tell. */
static void test_alone_given_late(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_alone(2 * MS, &(struct alone){ TCP, 5, 0, 1100, MODEL_TCP_ACK, 1 });
	give_alone(MS, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	d = end_alone(60 * S, 0);
	assert_int_equal(d->delivered, 1);
	assert_int_equal(d->unknown, 0);
	done();
}

/* What the user's filter refused is of no concern. */
static void test_alone_refused(void **unused)
{
	const struct verify_direction *d;
	struct result_packet p;

	(void)unused;
	begin(1, false, 0);
	p = alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	p.refused = true;
	verify_packet(v, A, &p);
	d = end_alone(60 * S, 0);
	assert_int_equal(d->out_of_scope, 1);
	assert_int_equal(d->unknown, 0);
	done();
}

/* Sent within the last window: what would prove it may come behind the capture's end. */
static void test_alone_at_the_end(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	give_alone(8 * S, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
	give_alone(9900 * MS, &(struct alone){ TCP, 1100, 100, 0, MODEL_TCP_ACK, 0 });
	d = end_alone(10 * S, 0);
	assert_int_equal(d->unknown, 1);
	assert_int_equal(d->out_of_scope, 1);
	done();
}

/* Nobody answers a reset, SCTP is not read, a neighbour's advertisement is no echo. */
static void test_alone_unprovable(void **unused)
{
	static const struct alone rows[] = {
		{ TCP, 1000, 0, 5, MODEL_TCP_RST | MODEL_TCP_ACK, 0 },
		{ TCP, 1000, 50, 5, MODEL_TCP_RST, 0 }, /* with words why */
		{ SCTP, 1, 100, 0, 0, 0 },
		{ ICMP6, 1, 64, 0, ADVERTISEMENT6, 0 },
		{ ICMP6, 1, 64, 0, REPLY6, 0 },
	};

	(void)unused;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct verify_direction *d;

		begin(1, false, 0);
		give_alone(0, &rows[i]);
		d = end_alone(60 * S, 0);
		assert_int_equal(d->unprovable, 1);
		assert_int_equal(d->sent, 0);
		done();
	}
}

/* Echoes over IPv6: a reply proves the request of its number, of its id, once. */
static void test_alone_echo6(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(1, false, 0);
	for (uint32_t i = 1; i <= 5; i++)
		give_alone(i * MS, &(struct alone){ ICMP6, i, 64, 0, ECHO6, 0 });
	for (uint32_t i = 2; i <= 4; i += 2)
		give_alone((10 + i) * MS, &(struct alone){ ICMP6, i, 64, 0, REPLY6, 1 });
	give_alone(20 * MS, &(struct alone){ ICMP6, 4, 64, 0, REPLY6, 1 });
	give_alone(21 * MS, &(struct alone){ ICMP6, 3, 64, 0, ADVERTISEMENT6, 1 });
	d = end_alone(60 * S, 0);
	assert_int_equal(d->delivered, 2);
	assert_int_equal(d->unknown, 3);
	assert_int_equal(result.directions[1].unprovable, 4);
	done();
}

/* Of nobody's pod: of no concern where pods are known, else proved by what comes back. */
static void test_alone_other(void **unused)
{
	(void)unused;
	for (unsigned pods = 0; pods < 2; pods++) {
		struct result_packet p;
		unsigned delivered = 0;

		begin(1, false, 0);
		net[A].n_pods = pods;
		p = alone(0, &(struct alone){ TCP, 1000, 100, 0, MODEL_TCP_ACK, 0 });
		p.direction = MODEL_DIRECTION_OTHER;
		verify_packet(v, A, &p);
		p = alone(MS, &(struct alone){ TCP, 5000, 50, 1100, MODEL_TCP_ACK, 1 });
		p.direction = MODEL_DIRECTION_OTHER;
		verify_packet(v, A, &p);
		p = alone(2 * MS, &(struct alone){ TCP, 1100, 0, 5050, MODEL_TCP_ACK, 0 });
		p.direction = MODEL_DIRECTION_OTHER;
		verify_packet(v, A, &p);
		(void)end_alone(60 * S, 0);
		for (unsigned i = 0; i < result.n_directions; i++)
			delivered += (unsigned)result.directions[i].delivered;
		assert_int_equal(delivered, pods ? 0 : 2);
		done();
	}
}

/* To a group, and seen nowhere: nobody in particular is to get it. */
static void test_multicast(void **unused)
{
	(void)unused;
	for (unsigned nodes = 1; nodes <= 2; nodes++) {
		struct result_packet p;
		const struct verify_direction *d;

		begin(nodes, false, 0);
		p = packet(A, 0, &(struct spec){ .head = 1, .body = 1 });
		assert_int_equal(addr_parse("239.1.2.3", &p.tuple.dst), 0);
		verify_packet(v, A, &p);
		p = packet(A, MS, &(struct spec){ .head = 2, .body = 2 });
		p.n_sightings = 0;
		verify_packet(v, A, &p);
		verify_time(v, A, T0, T0 + 10 * S, INT64_MAX);
		if (nodes == 2)
			verify_time(v, B, T0 + SHIFT, T0 + SHIFT + 10 * S, INT64_MAX);
		d = end(0);
		assert_int_equal(counted(d), 0);
		done();
	}
}

/* Where no pods are known, the way on the wire says who sent, and addresses do not matter. */
static void test_no_pods(void **unused)
{
	const struct verify_direction *d;
	unsigned delivered = 0;

	(void)unused;
	begin_without_pods(2);
	for (unsigned i = 0; i < 20; i++) {
		const struct spec s = {
			.head = 10 + i, .body = 10 + i, .ip_id = 100 + i, .back = i & 1
		};

		for (unsigned node = A; node <= B; node++) {
			struct result_packet p = packet(node, i * 10 * MS, &s);
			bool leaves = (node == A) != s.back;
			uint8_t way = leaves ? MODEL_WAY_OUT : MODEL_WAY_IN;
			uint8_t other = leaves ? MODEL_WAY_IN : MODEL_WAY_OUT;

			p.direction = MODEL_DIRECTION_OTHER;
			for (unsigned k = 0; k < p.n_sightings; k++)
				p.sightings[k].way = way;
			/* At a bridge and a veth ways mean something else. */
			p.sightings[leaves ? 0 : 3].way = other;
			/* Nothing tells which way the last two went. */
			for (unsigned k = 0; i >= 18 && k < p.n_sightings; k++)
				p.sightings[k].way = MODEL_WAY_UNKNOWN;
			verify_packet(v, node, &p);
		}
	}
	ran(0, 10 * S);
	d = end(0);
	for (unsigned i = 0; i < result.n_directions; i++) {
		delivered += (unsigned)result.directions[i].delivered;
		assert_int_equal(counted(&result.directions[i]), result.directions[i].sent);
	}
	assert_int_equal(d->delivered, 9);
	assert_int_equal(delivered, 18);
	assert_int_equal(result.verdict, VERIFY_DELIVERED);
	done();
}

/* More arrives than was ever sent: what is given up is told, and no loss comes of it. */
static void test_received_full(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < MANY; i++)
		give(B, 100 * MS + i * 1000,
		     &(struct spec){ .head = 50 + i, .body = 50 + i, .ip_id = i + 1 });
	for (unsigned i = 0; i < 100; i++)
		both(S + i * MS,
		     &(struct spec){ .head = 9000000 + i, .body = 1, .ip_id = 60001 + i });
	ran(0, 20 * S);
	d = end(0);
	assert_int_equal(d->lost, 0);
	assert_int_equal(d->sent, 100);
	assert_int_equal(d->delivered + d->unknown, 100);
	assert_true(has_reason("tables were full"));
	done();
}

/* Delays of more packets than are kept: a sample of all of them, not of the first. */
static void test_many_delays(void **unused)
{
	const struct verify_direction *d;

	(void)unused;
	begin(2, true, SHIFT);
	for (unsigned i = 0; i < 400000; i++) {
		struct spec s = { .head = 50 + i, .body = 50 + i, .ip_id = 1 + i % 60000 };
		int64_t t = (int64_t)i * 25000;
		struct result_packet p = packet(B, t, &s);

		give(A, t, &s);
		/* The second half takes a millisecond longer. */
		for (unsigned k = 0; i >= 200000 && k < p.n_sightings; k++)
			p.sightings[k].first_ns += MS;
		p.time_ns = p.sightings[0].first_ns;
		verify_packet(v, B, &p);
		verify_time(v, A, T0, T0 + t, T0 + t);
		verify_time(v, B, T0 + SHIFT, T0 + t + SHIFT, T0 + t + SHIFT);
	}
	ran(0, 20 * S);
	d = end(0);
	assert_int_equal(d->delivered, 400000);
	assert_int_equal(d->delays.samples, 400000);
	assert_true(d->delays.p50_ns > d->delays.min_ns - MS && d->delays.p90_ns > MS);
	assert_true(d->delays.p90_ns < 2 * MS && d->delays.min_ns < MS);
	done();
}

/* A packet that could not be noted might be the one that was lost: there is no verdict then. */
static void test_no_memory(void **unused)
{
	const struct spec specs[] = {
		{ .head = 1, .ip_id = 1 },
		{ .head = 2, .ip_id = 2, .back = true },
	};
	unsigned long n = 1, counted = 0;
	bool failed = true;

	(void)unused;
	for (; failed; n++) {
		begin(2, false, 0);
		allocations_begin(n, false);
		both(0, &specs[0]);
		both(MS, &specs[1]);
		counted = allocations_end();
		failed = counted >= n;
		ran(-S, S);
		verify_finish(v);
		if (failed) {
			assert_int_equal(verify_get(v, &result, NULL), -ENOMEM);
		} else {
			assert_int_equal(verify_get(v, &result, NULL), 0);
			assert_int_equal(result.verdict, VERIFY_DELIVERED);
		}
		done();
	}
	if (!counted) /* another allocator than the C library's (a sanitizer's, valgrind's) */
		skip();
	/* Delays, order and outer headers of two directions, at least. */
	assert_true(n > 6);
}

/* A node's correlator that lacks one of its tables is none. */
static void test_correlator_no_memory(void **unused)
{
	struct correlate *c = NULL;

	(void)unused;
	setup_net(A);
	for (unsigned long n = 1; !c; n++) {
		const struct correlate_config config = {
			.net = &net[A], .packets_max = 64, .contents = true, .observations = true
		};
		struct err err = ERR_INIT;

		allocations_begin(n, false);
		c = correlate_new(&config, &err);
		const unsigned long counted = allocations_end();
		if (c && counted >= n)
			fail_msg("allocation %lu of %lu is missing", n, counted);
		if (!c)
			assert_int_equal(err.code, -ENOMEM);
	}
	correlate_free(c);
}

static void test_verdict_names(void **unused)
{
	(void)unused;
	assert_string_equal(verify_verdict_name(VERIFY_DELIVERED), "delivered");
	assert_string_equal(verify_verdict_name(VERIFY_LOST), "lost");
	assert_string_equal(verify_verdict_name(VERIFY_INCONCLUSIVE), "inconclusive");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone_filtered_at_hops),
		cmocka_unit_test(test_alone_fin),
		cmocka_unit_test(test_alone_no_ack),
		cmocka_unit_test(test_alone_next_to_resent),
		cmocka_unit_test(test_alone_older_ack),
		cmocka_unit_test(test_alone_given_late),
		cmocka_unit_test(test_alone_refused),
		cmocka_unit_test(test_alone_full),
		cmocka_unit_test(test_alone_late_answer),
		cmocka_unit_test(test_alone_in_part),
		cmocka_unit_test(test_alone_filtered),
		cmocka_unit_test(test_alone_at_the_end),
		cmocka_unit_test(test_alone_unprovable),
		cmocka_unit_test(test_alone_echo6),
		cmocka_unit_test(test_alone_other),
		cmocka_unit_test(test_multicast),
		cmocka_unit_test(test_no_pods),
		cmocka_unit_test(test_received_full),
		cmocka_unit_test(test_many_delays),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_correlator_no_memory),
		cmocka_unit_test(test_verdict_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
