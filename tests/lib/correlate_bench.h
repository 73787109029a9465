/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * correlate_bench.h - a node on paper: frames built from a few words, seen at its hops.
 *
 * Every observation goes through real bytes, the real dissector and the whole life of an
 * observation (observe, push, mark one look-ahead later), so that a test says what was seen
 * where and asks which observations got the same packet id.
 *
 *   pod 10.244.1.2 (fd00:1::2), pod 10.244.1.3, node 192.168.77.11, remote pods 10.244.2.0/24
 *   hops: VETH, BRIDGE, VTEP, UNDERLAY, VETH2
 */
#ifndef TEST_CORRELATE_BENCH_H
#define TEST_CORRELATE_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "correlate_tables.h"
#include "podhop/correlate.h"
#include "podhop/dissect.h"
#include "podhop/model.h"

enum bench_hop { VETH, BRIDGE, VTEP, UNDERLAY, VETH2, BENCH_HOPS };

#define BENCH_FRAME_MAX 70000u
#define BENCH_OBS_MAX 20000u
#define BENCH_START_NS 1000000000000LL
#define US 1000LL
#define MS 1000000LL

#define POD "10.244.1.2"
#define POD2 "10.244.1.3"
#define REMOTE "10.244.2.2"
#define NODE "192.168.77.11"
#define NODE_FAR "192.168.77.12"
#define OUTSIDE "192.168.77.100"
#define VIP "10.96.0.10"
#define POD6 "fd00:1::2"
#define REMOTE6 "fd00:2::2"

/* An IP packet in few words. Payload bytes follow from `data` and their offset. */
struct wire {
	const char *src, *dst;
	uint16_t sport, dport;
	uint8_t proto;		/* 0: TCP */
	uint8_t ttl;		/* 0: 64 */
	uint16_t id;
	bool df;
	uint32_t frag_off;	/* bytes; later fragments carry no header */
	bool more;
	uint32_t seq, ack;
	uint16_t flags;		/* TCP; 0: ACK */
	uint32_t tsval;		/* TCP: 0: no timestamps */
	uint16_t mss;		/* TCP, instead: the MSS option of a SYN */
	uint32_t len;		/* payload, or bytes of a later fragment */
	uint32_t udp_len;	/* first fragment: of the whole datagram */
	uint32_t data;		/* what the payload is: equal numbers, equal bytes */
	uint32_t data_off;	/* where in it this payload begins */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id, icmp_seq;
	const struct wire *quote;
	uint32_t frag_id;	/* IPv6 */
};

/* Outer headers of one VXLAN datagram; cut: bytes of IP payload in its first fragment, 0: whole. */
struct outer {
	uint16_t id, sport;
	uint32_t cut;
	uint8_t ttl;		/* 0: 64 */
	bool df;
	bool in;		/* addresses of the other direction */
};

struct bench {
	struct model_net net;
	struct model_route routes[16];
	struct correlate *c;
	struct correlate_config cfg;
	uint8_t frame[BENCH_FRAME_MAX];
	uint32_t frame_len;
	correlate_ref ref[BENCH_OBS_MAX];
	struct correlate_tag tag[BENCH_OBS_MAX];
	struct correlate_mark mark[BENCH_OBS_MAX];
	unsigned n, marked;
	struct result_packet packet[BENCH_OBS_MAX];
	unsigned n_packets;
	struct result result;
	uint64_t asked;
};

static inline void bench_on_packet(void *arg, const struct result_packet *p)
{
	struct bench *b = arg;

	assert_true(b->n_packets < BENCH_OBS_MAX);
	b->packet[b->n_packets] = *p;
	b->packet[b->n_packets++].observations = NULL;
}

static inline void bench_route(struct bench *b, const char *dst, enum model_route_kind kind)
{
	struct model_route *r = &b->routes[b->net.n_routes++];

	assert_int_equal(prefix_parse(dst, &r->dst), 0);
	r->kind = kind;
}

static inline struct bench *bench_new(void)
{
	static const struct {
		const char *name;
		enum model_role role;
		uint32_t mtu;
		int pod;
	} hops[] = {
		[VETH] = { "veth0", MODEL_ROLE_VETH, 1450, 0 },
		[BRIDGE] = { "cni0", MODEL_ROLE_BRIDGE, 1450, -1 },
		[VTEP] = { "flannel.1", MODEL_ROLE_VTEP, 1450, -1 },
		[UNDERLAY] = { "eth0", MODEL_ROLE_UNDERLAY, 1500, -1 },
		[VETH2] = { "veth1", MODEL_ROLE_VETH, 1450, 1 },
	};
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	for (unsigned i = 0; i < BENCH_HOPS; i++) {
		struct model_hop *h = &b->net.hops[i];

		snprintf(h->name, sizeof(h->name), "%s", hops[i].name);
		h->role = hops[i].role;
		h->mtu = hops[i].mtu;
		h->pod = hops[i].pod;
		h->linktype = MODEL_LINKTYPE_ETHERNET;
		h->mac.b[5] = (uint8_t)(i + 1);
	}
	b->net.n_hops = BENCH_HOPS - 1; /* the second veth only where a test captures it */
	b->net.n_pods = 1;
	addr_parse(POD, &b->net.pods[0].addrs[0]);
	addr_parse(POD6, &b->net.pods[0].addrs[1]);
	b->net.pods[0].n_addrs = 2;
	addr_parse(POD2, &b->net.pods[1].addrs[0]);
	b->net.pods[1].n_addrs = 1;
	b->net.routes = b->routes;
	b->net.routes_known = true;
	bench_route(b, "10.244.1.0/24", MODEL_ROUTE_LOCAL);
	bench_route(b, "10.244.1.1/32", MODEL_ROUTE_NODE);
	bench_route(b, "10.244.2.0/24", MODEL_ROUTE_VTEP);
	bench_route(b, "192.168.77.11/32", MODEL_ROUTE_NODE);
	bench_route(b, "0.0.0.0/0", MODEL_ROUTE_DIRECT);
	bench_route(b, "fd00:1::/64", MODEL_ROUTE_LOCAL);
	bench_route(b, "fd00:2::/64", MODEL_ROUTE_VTEP);
	b->cfg = (struct correlate_config){ .net = &b->net, .nat = true,
					    .on_packet = bench_on_packet, .on_packet_arg = b,
					    .hash_seed = 42 };
	return b;
}

static inline void bench_second_pod(struct bench *b)
{
	b->net.n_hops = BENCH_HOPS;
	b->net.n_pods = 2;
}

static inline void bench_start(struct bench *b)
{
	struct err err = ERR_INIT;

	b->c = correlate_new(&b->cfg, &err);
	assert_non_null(b->c);
}

/* ------------------------------------------------------------------ bytes */

static inline void put8(struct bench *b, unsigned v) { b->frame[b->frame_len++] = (uint8_t)v; }
static inline void put16(struct bench *b, unsigned v) { put8(b, v >> 8 & 255); put8(b, v & 255); }
static inline void put32(struct bench *b, uint32_t v) { put16(b, v >> 16); put16(b, v & 0xffff); }

static inline void put_ip_addr(struct bench *b, const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	for (unsigned i = addr_is_v4(&a) ? 12 : 0; i < 16; i++)
		put8(b, a.b[i]);
}

static inline void put_payload(struct bench *b, const struct wire *w)
{
	for (uint32_t i = 0; i < w->len; i++) {
		uint32_t at = w->data_off + i;

		put8(b, (w->data * 2654435761u + at * 40503u) >> 8 & 255);
	}
}

static inline bool is_v6(const char *text) { return strchr(text, ':') != NULL; }

static inline void put_ip(struct bench *b, const struct wire *w)
{
	uint8_t proto = w->proto ? w->proto : MODEL_PROTO_TCP;
	uint32_t header = 0, options = 0;
	bool v6 = is_v6(w->src), frag = w->frag_off || w->more;

	if (!w->frag_off) {
		if (proto == MODEL_PROTO_TCP)
			options = w->mss ? 4 : w->tsval ? 12 : 0;
		header = proto == MODEL_PROTO_TCP ? 20 + options : 8;
	}
	uint32_t total = header + w->len;
	if (w->quote) {
		uint32_t start = b->frame_len;
		put_ip(b, w->quote); /* measured, written again below */
		total = header + (b->frame_len - start < 60 ? b->frame_len - start : 60);
		b->frame_len = start;
	}
	if (v6) {
		put32(b, 0x60000000);
		put16(b, total + (frag ? 8 : 0));
		put8(b, frag ? 44 : proto);
		put8(b, w->ttl ? w->ttl : 64);
		put_ip_addr(b, w->src);
		put_ip_addr(b, w->dst);
		if (frag) {
			put8(b, proto);
			put8(b, 0);
			put16(b, (unsigned)(w->frag_off | w->more));
			put32(b, w->frag_id);
		}
	} else {
		put16(b, 0x4500);
		put16(b, 20 + total);
		put16(b, w->id);
		put16(b, (w->df ? 0x4000u : 0) | (w->more ? 0x2000u : 0) | w->frag_off / 8);
		put8(b, w->ttl ? w->ttl : 64);
		put8(b, proto);
		put16(b, 0);
		put_ip_addr(b, w->src);
		put_ip_addr(b, w->dst);
	}
	if (w->frag_off) {
		put_payload(b, w);
		return;
	}
	switch (proto) {
	case MODEL_PROTO_TCP:
		put16(b, w->sport);
		put16(b, w->dport);
		put32(b, w->seq);
		put32(b, w->ack);
		put16(b, (20 + options) / 4 << 12 | (w->flags ? w->flags : MODEL_TCP_ACK));
		put16(b, 500);
		put32(b, 0);
		if (options == 4)
			put32(b, 0x02040000u | w->mss);
		if (options == 12) {
			put32(b, 0x0101080a);
			put32(b, w->tsval);
			put32(b, 7);
		}
		break;
	case MODEL_PROTO_UDP:
		put16(b, w->sport);
		put16(b, w->dport);
		put16(b, w->udp_len ? w->udp_len : 8 + w->len);
		put16(b, 0);
		break;
	default:
		put8(b, w->icmp_type);
		put8(b, w->icmp_code);
		put16(b, 0);
		put16(b, w->icmp_id);
		put16(b, w->icmp_seq);
		break;
	}
	if (w->quote) {
		uint32_t start = b->frame_len;
		put_ip(b, w->quote);
		if (b->frame_len - start > 60)
			b->frame_len = start + 60;
		return;
	}
	put_payload(b, w);
}

static inline void put_eth(struct bench *b, bool v6)
{
	for (unsigned i = 0; i < 12; i++)
		put8(b, i == 5 ? 0xee : i == 11 ? 0xdd : 2);
	put16(b, v6 ? 0x86dd : 0x0800);
}

/* ------------------------------------------------------------ observations */

/* The frame in b->frame was seen; returns the number of the observation. */
static inline unsigned bench_see(struct bench *b, enum bench_hop hop, enum model_way way,
				 int64_t at, uint32_t wire_len)
{
	static const struct dissect_config outer = { .vxlan_ports = { 8472 }, .n_vxlan_ports = 1 };
	static const struct dissect_config plain = { .n_vxlan_ports = 0 };
	struct model_frame f = { .time_ns = BENCH_START_NS + at, .data = b->frame,
				 .caplen = b->frame_len, .len = wire_len ? wire_len : b->frame_len,
				 .hop = (uint16_t)hop, .way = (uint8_t)way, .number = b->n + 1 };
	struct model_view v;
	struct correlate_obs o;
	bool asks;

	while (b->marked < b->n &&
	       f.time_ns - b->tag[b->marked].time_ns >= CORRELATE_LOOKAHEAD_NS) {
		correlate_mark(b->c, b->ref[b->marked], &b->tag[b->marked], &b->mark[b->marked]);
		b->marked++;
	}
	dissect_frame(b->net.hops[hop].role == MODEL_ROLE_UNDERLAY ? &outer : &plain,
		      MODEL_LINKTYPE_ETHERNET, &f, &v);
	correlate_observe(b->c, &f, &v, &o);
	while (!correlate_make_room(b->c) && b->marked < b->n) {
		correlate_mark(b->c, b->ref[b->marked], &b->tag[b->marked], &b->mark[b->marked]);
		b->marked++;
	}
	assert_true(b->n < BENCH_OBS_MAX);
	b->ref[b->n] = correlate_push(b->c, &o, &asks);
	b->tag[b->n] = correlate_tag_of(&o);
	b->asked += asks;
	return b->n++;
}

static inline unsigned see(struct bench *b, enum bench_hop hop, enum model_way way, int64_t at,
			   struct wire w)
{
	b->frame_len = 0;
	put_eth(b, is_v6(w.src));
	put_ip(b, &w);
	return bench_see(b, hop, way, at, 0);
}

/* Outer Ethernet, IP, UDP and VXLAN in front of an inner frame of so many bytes. */
static inline void put_outer(struct bench *b, struct outer o, uint32_t inner)
{
	uint32_t total = 8 + 8 + inner;

	put_eth(b, false);
	put16(b, 0x4500);
	put16(b, 20 + (o.cut ? o.cut : total));
	put16(b, o.id);
	put16(b, (o.cut ? 0x2000u : 0) | (o.df ? 0x4000u : 0));
	put16(b, (o.ttl ? o.ttl : 64u) << 8 | 17);
	put16(b, 0);
	put_ip_addr(b, o.in ? NODE_FAR : NODE);
	put_ip_addr(b, o.in ? NODE : NODE_FAR);
	put16(b, o.sport ? o.sport : 40000);
	put16(b, 8472);
	put16(b, total);
	put16(b, 0);
	put32(b, 0x08000000);
	put32(b, 1 << 8);
}

/* Inside VXLAN on the underlay. Returns the first observation; the later fragments follow it. */
static inline unsigned see_vxlan(struct bench *b, enum model_way way, int64_t at, struct wire w,
				 struct outer o)
{
	uint32_t inner, start;

	b->frame_len = 14 + 20 + 16; /* the inner frame first: its length is needed */
	start = b->frame_len;
	put_eth(b, is_v6(w.src));
	put_ip(b, &w);
	inner = b->frame_len - start;
	b->frame_len = 0;
	put_outer(b, o, inner);
	b->frame_len = o.cut ? 34 + o.cut : start + inner;
	return bench_see(b, UNDERLAY, way, at, 0);
}

/* A later fragment of an outer datagram: bytes [off, off + len) of its IP payload. */
static inline unsigned see_outer_fragment(struct bench *b, enum model_way way, int64_t at,
					  struct outer o, uint32_t off, uint32_t len, bool more)
{
	b->frame_len = 0;
	put_eth(b, false);
	put16(b, 0x4500);
	put16(b, 20 + len);
	put16(b, o.id);
	put16(b, (more ? 0x2000u : 0) | off / 8);
	put16(b, 64 << 8 | 17);
	put16(b, 0);
	put_ip_addr(b, o.in ? NODE_FAR : NODE);
	put_ip_addr(b, o.in ? NODE : NODE_FAR);
	for (uint32_t i = 0; i < len; i++)
		put8(b, i & 255);
	return bench_see(b, UNDERLAY, way, at, 0);
}

/* All four hops, 10 us apart, as a packet to a remote pod passes them. Returns the first. */
static inline unsigned out(struct bench *b, int64_t at, struct wire w)
{
	unsigned first = see(b, VETH, MODEL_WAY_IN, at, w);

	see(b, BRIDGE, MODEL_WAY_IN, at + 10 * US, w);
	w.ttl = 63;
	see(b, VTEP, MODEL_WAY_OUT, at + 20 * US, w);
	see_vxlan(b, MODEL_WAY_OUT, at + 30 * US, w, (struct outer){ .id = (uint16_t)(b->n + 1) });
	return first;
}

static inline unsigned in(struct bench *b, int64_t at, struct wire w)
{
	unsigned first = see_vxlan(b, MODEL_WAY_IN, at, w,
				   (struct outer){ .in = true, .id = (uint16_t)(b->n + 1) });

	see(b, VTEP, MODEL_WAY_IN, at + 10 * US, w);
	w.ttl = 62;
	see(b, BRIDGE, MODEL_WAY_OUT, at + 20 * US, w);
	see(b, VETH, MODEL_WAY_OUT, at + 30 * US, w);
	return first;
}

/* Everything is marked and closed; nothing may be left in any table. */
static inline void bench_end(struct bench *b)
{
	struct err err = ERR_INIT;

	while (b->marked < b->n) {
		correlate_mark(b->c, b->ref[b->marked], &b->tag[b->marked], &b->mark[b->marked]);
		b->marked++;
	}
	correlate_finish(b->c);
	assert_true(correlate_is_empty(b->c));
	assert_int_equal(correlate_result(b->c, &b->result, &err), 0);
	assert_int_equal(b->result.capture.observations + b->result.capture.foreign, b->n);
	assert_int_equal(b->result.packets.total, b->result.packets.complete +
			 b->result.packets.incomplete + b->result.packets.ambiguous +
			 b->result.packets.edge);
}

static inline void bench_free(struct bench *b)
{
	if (!b)
		return;
	result_free(&b->result);
	correlate_free(b->c);
	free(b);
}

/* ---------------------------------------------------------------- questions */

static inline uint64_t id_of(const struct bench *b, unsigned i) { return b->mark[i].id; }

#define assert_same(b, i, j) do { \
	assert_int_not_equal(id_of(b, i), 0); \
	assert_int_equal(id_of(b, i), id_of(b, j)); } while (0)
#define assert_apart(b, i, j) assert_int_not_equal(id_of(b, i), id_of(b, j))

/* Observations [first, first + n) are one packet. */
#define assert_packet(b, first, n) do { \
	for (unsigned k_ = 1; k_ < (n); k_++) assert_same(b, first, (first) + k_); } while (0)

static inline const struct result_packet *packet_of(const struct bench *b, unsigned i)
{
	for (unsigned k = 0; k < b->n_packets; k++)
		if (b->packet[k].id == id_of(b, i))
			return &b->packet[k];
	fail_msg("observation %u has no packet", i);
	return NULL;
}

static inline const char *path_of(const struct bench *b, unsigned i, char buf[RESULT_PATH_STR_MAX])
{
	return result_path_str(&packet_of(b, i)->path, buf);
}

#define assert_path(b, i, text) do { char buf_[RESULT_PATH_STR_MAX]; \
	assert_string_equal(path_of(b, i, buf_), text); } while (0)

#endif
