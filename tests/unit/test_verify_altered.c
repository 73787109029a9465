/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_verify_altered.c - from two nodes' frames to the verdict: what arrived as it was sent,
 * however it was cut, and what did not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/pipeline.h"
#include "podhop/verify.h"

#define T0 1700000000000000000LL
#define MS 1000000LL
#define S 1000000000LL
#define A 0u
#define B 1u
#define ETH 14u
#define IP 20u
#define FRAME_MAX 9100u
#define PAYLOAD_MAX 9000u
#define PARTIAL 0x10000u /* a checksum of the pseudo-header alone */

/* A frame between the two pods; what is 0 is as usual. */
struct frame {
	uint32_t seq, len; /* TCP: of the payload's first byte; UDP: seq is its offset in bytes[] */
	uint32_t checksum; /* 0: the right one */
	uint16_t id, sport, dport, window, urgent, flags;
	uint16_t frag_off, frag_len; /* bytes of the UDP datagram in this fragment; 0: all */
	bool udp, back, no_df;
	bool zero_sum; /* UDP: no checksum at all */
	uint8_t dscp;
	uint32_t flip; /* number of the byte whose bits are turned over, counted from 1 */
	uint32_t flip2;
	uint32_t moved; /* TCP: added to the sequence number */
};

static struct model_net net[2];
static struct pipeline *pipeline[2];
static struct verify *v;
static struct verify_result result;
static int64_t last_ns[2];

static void on_packet(void *arg, const struct result_packet *p)
{
	verify_packet(v, arg == &net[B] ? B : A, p);
}

static void begin(uint32_t snaplen_b, bool with_underlay)
{
	struct verify_config vc = {
		.n_nodes = 2, .net = { &net[A], &net[B] }, .name = { "a", "b" }, .packets_max = 4096
	};
	uint32_t depth;

	for (unsigned k = 0; k < 2; k++) {
		struct model_net *n = &net[k];

		memset(n, 0, sizeof(*n));
		n->hops[0] = (struct model_hop){ .name = "veth0",
						 .role = MODEL_ROLE_VETH,
						 .linktype = MODEL_LINKTYPE_ETHERNET };
		n->hops[1] = (struct model_hop){ .name = "eth0",
						 .role = MODEL_ROLE_UNDERLAY,
						 .linktype = MODEL_LINKTYPE_ETHERNET,
						 .pod = -1 };
		n->n_hops = with_underlay ? 2 : 1;
		n->n_pods = 1;
		n->pods[0].n_addrs = 1;
		assert_int_equal(addr_parse(k ? "10.244.2.2" : "10.244.1.2", &n->pods[0].addrs[0]),
				 0);
	}
	net[B].hops[0].snaplen = snaplen_b;
	depth = correlate_depth(&net[B]);
	v = verify_new(&vc, NULL);
	assert_non_null(v);
	for (unsigned k = 0; k < 2; k++) {
		struct pipeline_config pc = { .net = &net[k],
					      .contents = true,
					      .nat = true,
					      .hash_seed = 42,
					      .depth_max = depth,
					      .on_packet = on_packet,
					      .arg = &net[k] };

		pipeline[k] = pipeline_new(&pc, NULL);
		assert_non_null(pipeline[k]);
		last_ns[k] = T0;
	}
}

static void put16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void put32(uint8_t *p, uint32_t value)
{
	put16(p, value >> 16);
	put16(p + 2, value);
}

static uint32_t sum_of(const uint8_t *p, uint32_t n, uint32_t sum)
{
	for (uint32_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* The bytes of streams and datagrams: equal places, equal bytes. */
static uint8_t byte_at(uint32_t at)
{
	return (uint8_t)((at * 2654435761u) >> 13);
}

/* l4 has room for header and payload; returns how long it is. */
static uint32_t put_l4(uint8_t *l4, const struct frame *f, const uint8_t *addresses)
{
	const uint32_t header = f->udp ? 8 : 20, place = f->udp ? 6 : 16, n = header + f->len;
	uint8_t pseudo[12];
	uint32_t sum;

	memset(l4, 0, header);
	put16(l4, f->sport ? f->sport : f->back ? 80 : 4000);
	put16(l4 + 2, f->dport ? f->dport : f->back ? 4000 : 80);
	if (f->udp) {
		put16(l4 + 4, n);
	} else {
		put32(l4 + 4, f->seq + f->moved);
		put32(l4 + 8, 1);
		put16(l4 + 12, 5u << 12 | (f->flags ? f->flags : MODEL_TCP_ACK));
		put16(l4 + 14, f->window ? f->window : 1000);
		put16(l4 + 18, f->urgent);
	}
	for (uint32_t i = 0; i < f->len; i++)
		l4[header + i] = byte_at(f->seq + i);
	memcpy(pseudo, addresses, 8);
	put16(pseudo + 8, f->udp ? MODEL_PROTO_UDP : MODEL_PROTO_TCP);
	put16(pseudo + 10, n);
	sum = sum_of(pseudo, sizeof(pseudo), 0);
	if (f->checksum == PARTIAL)
		put16(l4 + place, sum);
	else if (!f->checksum)
		put16(l4 + place, ~sum_of(l4, n, sum) & 0xffff);
	else
		put16(l4 + place, f->checksum);
	if (f->zero_sum)
		put16(l4 + place, 0);
	/* Behind the checksum, as on the way. */
	if (f->flip)
		l4[header + f->flip - 1] ^= 0xff;
	if (f->flip2)
		l4[header + f->flip2 - 1] ^= 0x5a;
	return n;
}

static uint32_t put_ip(uint8_t *ip, const struct frame *f, uint8_t ttl)
{
	static const uint8_t pod[2][4] = { { 10, 244, 1, 2 }, { 10, 244, 2, 2 } };
	uint8_t l4[PAYLOAD_MAX];
	uint32_t n, more = 0;

	memcpy(ip + 12, pod[f->back ? B : A], 4);
	memcpy(ip + 16, pod[f->back ? A : B], 4);
	n = put_l4(l4, f, ip + 12);
	if (f->frag_len) {
		more = f->frag_off + (uint32_t)f->frag_len < n ? 0x2000 : 0;
		n = more ? f->frag_len : n - f->frag_off;
	}
	memcpy(ip + IP, l4 + f->frag_off, n);
	put16(ip, 0x4500u | (uint32_t)f->dscp << 2);
	put16(ip + 2, IP + n);
	put16(ip + 4, f->id);
	put16(ip + 6, f->frag_len ? more | f->frag_off / 8 : f->no_df ? 0 : 0x4000);
	put16(ip + 8, (uint32_t)ttl << 8 | (f->udp ? MODEL_PROTO_UDP : MODEL_PROTO_TCP));
	put16(ip + 10, 0);
	put16(ip + 10, ~sum_of(ip, IP, 0) & 0xffff);
	return IP + n;
}

static void give_at(unsigned node, int64_t time, const struct frame *f, uint16_t hop)
{
	uint8_t data[FRAME_MAX] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	bool leaves = (node == A) != f->back;
	uint32_t n = ETH + put_ip(data + ETH, f, leaves ? 64 : 62),
		 snap = net[node].hops[0].snaplen;
	struct model_frame m = { .time_ns = T0 + time + (leaves ? 0 : MS / 10),
				 .data = data,
				 .caplen = snap && snap < n ? snap : n,
				 .len = n,
				 .hop = hop,
				 .way = leaves != (hop != 0) ? MODEL_WAY_IN : MODEL_WAY_OUT,
				 .number = 1 };

	assert_int_equal(pipeline_frame(pipeline[node], &m), 0);
	if (m.time_ns > last_ns[node])
		last_ns[node] = m.time_ns;
}

static void give(unsigned node, int64_t time, const struct frame *f)
{
	give_at(node, time, f, 0);
}

/* Packets both ways that arrive as they were sent: clocks and scope are known by them. */
static void give_frame(int64_t time)
{
	const struct frame there = { .udp = true, .id = 9000, .len = 50, .seq = (uint32_t)time },
			   back = { .udp = true, .id = 9001, .len = 50, .back = true };

	give(A, time, &there);
	give(B, time, &there);
	give(B, time + MS, &back);
	give(A, time + MS, &back);
}

static const struct verify_direction *end(void)
{
	for (unsigned k = 0; k < 2; k++) {
		assert_int_equal(pipeline_finish(pipeline[k]), 0);
		verify_time(v, k, T0, last_ns[k] + 5 * S, INT64_MAX);
	}
	verify_finish(v);
	assert_int_equal(verify_get(v, &result, NULL), 0);
	return &result.directions[0];
}

static void done(void)
{
	verify_result_free(&result);
	verify_free(v);
	pipeline_free(pipeline[A]);
	pipeline_free(pipeline[B]);
}

#define FEW 6

/* What was sent and what came, and what is to be said of it; without the two of give_frame(). */
struct scene {
	const char *what;
	struct frame sent[FEW], came[FEW];
	unsigned delivered, altered, lost, unknown;
	uint32_t snaplen;
};

static void play(const struct scene *scenes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct scene *s = &scenes[i];
		const struct verify_direction *d;

		begin(s->snaplen, false);
		give_frame(0);
		for (unsigned k = 0; k < FEW && s->sent[k].len; k++)
			give(A, S + k * 10000, &s->sent[k]);
		for (unsigned k = 0; k < FEW && s->came[k].len; k++)
			give(B, S + k * 10000, &s->came[k]);
		give_frame(3 * S);
		d = end();
		if (d->delivered != s->delivered + 2 || d->altered != s->altered ||
		    d->lost != s->lost || d->unknown != s->unknown)
			fail_msg("%s: %u delivered, %u altered, %u lost, %u unknown", s->what,
				 (unsigned)d->delivered - 2, (unsigned)d->altered,
				 (unsigned)d->lost, (unsigned)d->unknown);
		assert_int_equal(result.directions[1].delivered, 2);
		done();
	}
}

#define DATA(s, n, i) .seq = (s), .len = (n), .id = (i)
#define WRAP 0xfffffe00u /* the stream's numbers begin anew within it */

/* Sizes differ between the nodes: bytes are compared all the same, to the odd byte. */
static void test_bytes_cut_differently(void **unused)
{
	static const struct scene scenes[] = {
		{ .what = "segments of a super-frame",
		  .sent = { { DATA(1000, 4000, 5) } },
		  .came = { { DATA(1000, 1000, 5) },
			    { DATA(2000, 1000, 6) },
			    { DATA(3000, 1000, 7) },
			    { DATA(4000, 1000, 8) } },
		  .delivered = 1 },
		{ .what = "one byte in one of them",
		  .sent = { { DATA(1000, 4000, 5) } },
		  .came = { { DATA(1000, 1000, 5) },
			    { DATA(2000, 1000, 6), .flip = 501 },
			    { DATA(3000, 1000, 7) },
			    { DATA(4000, 1000, 8) } },
		  .altered = 1 },
		{ .what = "of odd sizes, over the stream's end",
		  .sent = { { DATA(WRAP + 1, 999, 5) } },
		  .came = { { DATA(WRAP + 1, 333, 5) },
			    { DATA(WRAP + 334, 333, 6) },
			    { DATA(WRAP + 667, 333, 7) } },
		  .delivered = 1 },
		{ .what = "the same, and two bytes",
		  .sent = { { DATA(WRAP + 1, 999, 5) } },
		  .came = { { DATA(WRAP + 1, 333, 5) },
			    { DATA(WRAP + 334, 333, 6), .flip = 1, .flip2 = 333 },
			    { DATA(WRAP + 667, 333, 7) } },
		  .altered = 1 },
		{ .what = "segments merged",
		  .sent = { { DATA(1001, 1001, 5) },
			    { DATA(2002, 1001, 6) },
			    { DATA(3003, 1001, 7) } },
		  .came = { { DATA(1001, 3003, 5) } },
		  .delivered = 3 },
		{ .what = "segments merged, a byte of the second",
		  .sent = { { DATA(1001, 1001, 5) },
			    { DATA(2002, 1001, 6) },
			    { DATA(3003, 1001, 7) } },
		  .came = { { DATA(1001, 3003, 5), .flip = 1002 } },
		  .delivered = 2,
		  .altered = 1 },
		{ .what = "bytes of the first and the last: of which ones cannot be told",
		  .sent = { { DATA(1001, 1001, 5) },
			    { DATA(2002, 1001, 6) },
			    { DATA(3003, 1001, 7) } },
		  .came = { { DATA(1001, 3003, 5), .flip = 1, .flip2 = 3003 } },
		  .altered = 1,
		  .unknown = 2 },
		{ .what = "cut elsewhere",
		  .sent = { { DATA(1000, 3000, 5) }, { DATA(4000, 3000, 8) } },
		  .came = { { DATA(1000, 1000, 5) },
			    { DATA(2000, 3000, 6) },
			    { DATA(5000, 2000, 9) } },
		  .delivered = 2 },
		{ .what = "cut elsewhere, a byte of the second",
		  .sent = { { DATA(1000, 3000, 5) }, { DATA(4000, 3000, 8) } },
		  .came = { { DATA(1000, 1000, 5) },
			    { DATA(2000, 3000, 6), .flip = 2001 },
			    { DATA(5000, 2000, 9) } },
		  .delivered = 1,
		  .altered = 1 },
		{ .what = "a part is lost: of the rest nothing is said",
		  .sent = { { DATA(1000, 3000, 5) } },
		  .came = { { DATA(1000, 1000, 5) }, { DATA(3000, 1000, 7), .flip = 1 } },
		  .lost = 1 },
		{ .what = "a copy of a segment",
		  .sent = { { DATA(1000, 3000, 5) } },
		  .came = { { DATA(1000, 1000, 5) },
			    { DATA(2000, 1000, 6) },
			    { DATA(2000, 1000, 6) },
			    { DATA(3000, 1000, 7) } },
		  .delivered = 1 },
	};

	(void)unused;
	play(scenes, sizeof(scenes) / sizeof(scenes[0]));
}

#define PART(i, off, n) .udp = true, .id = (i), .len = 3000, .frag_off = (off), .frag_len = (n)

static void test_fragments(void **unused)
{
	static const struct scene scenes[] = {
		{ .what = "the same fragments",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .came = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .delivered = 1 },
		{ .what = "a byte in the second",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .came = { { PART(7, 0, 1480) },
			    { PART(7, 1480, 1480), .flip = 1600 },
			    { PART(7, 2960, 48) } },
		  .altered = 1 },
		{ .what = "other fragments",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1528) } },
		  .came = { { PART(7, 0, 1200) }, { PART(7, 1200, 1200) }, { PART(7, 2400, 608) } },
		  .delivered = 1 },
		{ .what = "a whole in fragments",
		  .sent = { { .udp = true, .id = 7, .len = 3000, .no_df = true } },
		  .came = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .delivered = 1 },
		{ .what = "a whole in fragments, a byte in the last",
		  .sent = { { .udp = true, .id = 7, .len = 3000, .no_df = true } },
		  .came = { { PART(7, 0, 1480) },
			    { PART(7, 1480, 1480) },
			    { PART(7, 2960, 48), .flip = 3000 } },
		  .altered = 1 },
		{ .what = "fragments put together, a byte in the first",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1528) } },
		  .came = { { .udp = true, .id = 7, .len = 3000, .no_df = true, .flip = 1 } },
		  .altered = 1 },
		{ .what = "one lost",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .came = { { PART(7, 0, 1480) }, { PART(7, 2960, 48) } },
		  .lost = 1 },
		{ .what = "the last one lost",
		  .sent = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) }, { PART(7, 2960, 48) } },
		  .came = { { PART(7, 0, 1480) }, { PART(7, 1480, 1480) } },
		  .lost = 1 },
	};

	(void)unused;
	play(scenes, sizeof(scenes) / sizeof(scenes[0]));
}

#define TO .seq = 1000, .len = 100, .id = 5
#define UDP .udp = true, .seq = 1000, .len = 100, .id = 5

static void test_headers(void **unused)
{
	static const struct scene scenes[] = {
		{ .what = "window",
		  .sent = { { TO } },
		  .came = { { TO, .window = 999 } },
		  .altered = 1 },
		{ .what = "urgent pointer",
		  .sent = { { TO } },
		  .came = { { TO, .urgent = 9 } },
		  .altered = 1 },
		{ .what = "PSH cleared",
		  .sent = { { TO, .flags = MODEL_TCP_ACK | MODEL_TCP_PSH } },
		  .came = { { TO } },
		  .altered = 1 },
		{ .what = "sequence number",
		  .sent = { { TO } },
		  .came = { { TO, .moved = 1 } },
		  .altered = 1 },
		{ .what = "sequence number, far away",
		  .sent = { { TO } },
		  .came = { { TO, .moved = 500000 } },
		  .altered = 1 },
		{ .what = "window of a segment",
		  .sent = { { DATA(1000, 2000, 5) } },
		  .came = { { DATA(1000, 1000, 5) }, { DATA(2000, 1000, 6), .window = 3 } },
		  .altered = 1 },
		{ .what = "DF cleared",
		  .sent = { { UDP } },
		  .came = { { UDP, .no_df = true } },
		  .altered = 1 },
		{ .what = "DF of TCP cleared",
		  .sent = { { TO } },
		  .came = { { TO, .no_df = true } },
		  .altered = 1 },
		{ .what = "DSCP, which a hop may change",
		  .sent = { { UDP } },
		  .came = { { UDP, .dscp = 46 } },
		  .delivered = 1 },
		{ .what = "destination port",
		  .sent = { { UDP } },
		  .came = { { UDP, .dport = 81 } },
		  .altered = 1 },
		{ .what = "source port",
		  .sent = { { TO } },
		  .came = { { TO, .sport = 4001 } },
		  .altered = 1 },
		{ .what = "IP id",
		  .sent = { { UDP } },
		  .came = { { .udp = true, .seq = 1000, .len = 100, .id = 6 } },
		  .altered = 1 },
		{ .what = "a byte less",
		  .sent = { { UDP } },
		  .came = { { .udp = true, .seq = 1000, .len = 99, .id = 5 } },
		  .altered = 1 },
		{ .what = "another packet: id and payload differ",
		  .sent = { { UDP } },
		  .came = { { .udp = true, .seq = 7, .len = 100, .id = 8, .dport = 81 } },
		  .lost = 1 },
	};

	(void)unused;
	play(scenes, sizeof(scenes) / sizeof(scenes[0]));
}

/* Offload fills in what was partial; nothing else may change a checksum. */
static void test_checksums(void **unused)
{
	static const struct scene scenes[] = {
		{ .what = "filled in",
		  .sent = { { TO, .checksum = PARTIAL } },
		  .came = { { TO } },
		  .delivered = 1 },
		{ .what = "never filled in",
		  .sent = { { TO, .checksum = PARTIAL } },
		  .came = { { TO, .checksum = PARTIAL } },
		  .delivered = 1 },
		{ .what = "merged again: partial",
		  .sent = { { TO } },
		  .came = { { TO, .checksum = PARTIAL } },
		  .delivered = 1 },
		{ .what = "segments filled in",
		  .sent = { { DATA(1000, 2001, 5), .checksum = PARTIAL } },
		  .came = { { DATA(1000, 1001, 5) }, { DATA(2001, 1000, 6) } },
		  .delivered = 1 },
		{ .what = "a segment's is wrong",
		  .sent = { { DATA(1000, 2000, 5), .checksum = PARTIAL } },
		  .came = { { DATA(1000, 1000, 5) }, { DATA(2000, 1000, 6), .checksum = 7 } },
		  .altered = 1 },
		{ .what = "wrong, TCP",
		  .sent = { { TO, .checksum = PARTIAL } },
		  .came = { { TO, .checksum = 0x1234 } },
		  .altered = 1 },
		{ .what = "wrong, UDP",
		  .sent = { { UDP } },
		  .came = { { UDP, .checksum = 0x1234 } },
		  .altered = 1 },
		{ .what = "wrong from the beginning",
		  .sent = { { UDP, .checksum = 0x1234 } },
		  .came = { { UDP, .checksum = 0x1234 } },
		  .delivered = 1 },
		{ .what = "taken out",
		  .sent = { { UDP } },
		  .came = { { UDP, .zero_sum = true } },
		  .altered = 1 },
		{ .what = "none at all",
		  .sent = { { UDP, .zero_sum = true } },
		  .came = { { UDP, .zero_sum = true } },
		  .delivered = 1 },
	};

	(void)unused;
	play(scenes, sizeof(scenes) / sizeof(scenes[0]));
}

/* One side captured less: what both have is compared, and nothing else. */
static void test_snap_length(void **unused)
{
	static const struct scene scenes[] = {
		{ .what = "equal",
		  .sent = { { TO } },
		  .came = { { TO } },
		  .delivered = 1,
		  .snaplen = 120 },
		{ .what = "a byte that both have",
		  .sent = { { TO } },
		  .came = { { TO, .flip = 10 } },
		  .altered = 1,
		  .snaplen = 120 },
		{ .what = "a byte that one has",
		  .sent = { { TO } },
		  .came = { { TO, .flip = 100 } },
		  .delivered = 1,
		  .snaplen = 120 },
		{ .what = "segments",
		  .sent = { { DATA(1000, 2000, 5) } },
		  .came = { { DATA(1000, 1000, 5) }, { DATA(2000, 1000, 6) } },
		  .delivered = 1,
		  .snaplen = 120 },
		{ .what = "a byte of the first segment",
		  .sent = { { DATA(1000, 2000, 5) } },
		  .came = { { DATA(1000, 1000, 5), .flip = 10 }, { DATA(2000, 1000, 6) } },
		  .altered = 1,
		  .snaplen = 120 },
	};

	(void)unused;
	play(scenes, sizeof(scenes) / sizeof(scenes[0]));
}

/* What came to the wire's end only carried what it carried: it is lost behind that, not altered. */
static void test_lost_behind_the_underlay(void **unused)
{
	const struct frame f = { .udp = true, .id = 77, .len = 60 };
	const struct verify_direction *d;

	(void)unused;
	begin(0, true);
	give_frame(0);
	give(A, S, &f);
	give_at(B, S, &f, 1);
	give_frame(3 * S);
	d = end();
	assert_int_equal(d->delivered, 2);
	assert_int_equal(d->lost, 1);
	assert_int_equal(d->lost_packets[0].last_node, B);
	assert_int_equal(d->lost_packets[0].last_role, MODEL_ROLE_UNDERLAY);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_cut_differently),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_snap_length),
		cmocka_unit_test(test_lost_behind_the_underlay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
