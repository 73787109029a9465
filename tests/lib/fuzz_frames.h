/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_frames.h - sound traffic from any bytes: eight of them make one packet, seen at some hops.
 *
 * Random bytes are hardly ever a packet that two hops saw. Here they choose among things that
 * happen: protocol, direction, flow, length, which hops saw it, translation, fragments, time, and
 * one byte to be wrong. The more bytes, the longer the story; equal bytes, equal frames.
 *
 *   pod 10.244.1.2 (fd00:1::2), remote pod 10.244.2.2, nodes 192.168.77.11 and .12
 *   hops 0 veth, 1 bridge, 2 vtep, 3 underlay
 */
#ifndef TEST_FUZZ_FRAMES_H
#define TEST_FUZZ_FRAMES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/model.h"

#define STORY_STEP 8u
#define STORY_HOPS 4u
#define STORY_FRAME_MAX 2400u
#define STORY_STEPS_MAX 400u
#define STORY_BEGIN_NS 1700000000000000000LL

#define STORY_DEMAND(c)                                                                       \
	do {                                                                                  \
		if (!(c)) {                                                                   \
			(void)fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #c); \
			abort();                                                              \
		}                                                                             \
	} while (0)

enum story_kind {
	STORY_TCP,
	STORY_SYN,
	STORY_UDP,
	STORY_ECHO,
	STORY_ERROR,
	STORY_ARP,
	STORY_FRAGMENTS,
	STORY_SERVICE,
	STORY_RAW,
	STORY_KINDS,
};

/* What one step says, whichever frame is made of it. */
struct story_step {
	uint8_t kind, hops, flow, number, length, gap, where, value;
	bool egress, v6, twice;
};

struct story {
	int64_t now_ns;
	uint8_t bytes[STORY_FRAME_MAX];
	void (*sink)(void *arg, const struct model_frame *f);
	void *arg;
	unsigned mirrored; /* 1: seen from the other node */
	uint64_t frames;
};

static inline void story_be16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void story_be32(uint8_t *p, uint32_t v)
{
	story_be16(p, v >> 16);
	story_be16(p + 2, v & 0xffff);
}

static inline void story_ip4(uint8_t *p, const uint8_t src[4], const uint8_t dst[4], uint32_t len,
			     uint16_t id, uint32_t frag, uint8_t ttl, uint8_t protocol)
{
	uint32_t sum = 0;

	memset(p, 0, 20);
	p[0] = 0x45;
	story_be16(p + 2, len);
	story_be16(p + 4, id);
	story_be16(p + 6, frag);
	p[8] = ttl;
	p[9] = protocol;
	memcpy(p + 12, src, 4);
	memcpy(p + 16, dst, 4);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)(p[i] << 8 | p[i + 1]);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	story_be16(p + 10, ~sum & 0xffff);
}

/* The transport header and payload of a step; returns its length. */
static inline uint32_t story_l4(const struct story_step *s, uint8_t *p, bool translated,
				uint8_t *ret_protocol)
{
	uint32_t n = s->length * 5u, head;
	uint16_t client = (uint16_t)(40000 + s->flow % 8), server = translated ? 8080 : 80;
	uint16_t sport = s->egress ? client : server, dport = s->egress ? server : client;

	switch (s->kind) {
	case STORY_TCP:
	case STORY_SYN:
	case STORY_SERVICE:
		head = s->kind == STORY_SYN ? 24 : 20;
		memset(p, 0, head);
		if (s->kind == STORY_SYN) {
			n = 0;
			memcpy(p + 20, "\x02\x04\x05\xb4", 4);
		}
		story_be16(p, sport);
		story_be16(p + 2, dport);
		story_be32(p + 4, 1000u + s->number * 512u);
		story_be32(p + 8, 7000);
		p[12] = (uint8_t)(head / 4 << 4);
		p[13] = s->kind == STORY_SYN ? 2 : 0x18;
		p[15] = 64;
		*ret_protocol = MODEL_PROTO_TCP;
		break;
	case STORY_ECHO:
		head = 8;
		memset(p, 0, head);
		p[0] = (uint8_t)(s->v6 ? (s->egress ? 128 : 129) : (s->egress ? 8 : 0));
		story_be16(p + 4, s->flow % 8);
		story_be16(p + 6, s->number);
		*ret_protocol = s->v6 ? MODEL_PROTO_ICMPV6 : MODEL_PROTO_ICMP;
		break;
	default:
		head = 8;
		story_be16(p, sport);
		story_be16(p + 2, dport);
		story_be16(p + 4, 8 + n);
		story_be16(p + 6, 0);
		*ret_protocol = MODEL_PROTO_UDP;
		break;
	}
	for (uint32_t i = 0; i < n; i++)
		p[head + i] = (uint8_t)(i * 7 + s->number * 31 + s->flow);
	return head + n;
}

/* An Ethernet frame with the packet; hop: where. Returns its length. */
static inline uint32_t story_packet(const struct story_step *s, unsigned hop, uint8_t *p)
{
	static const uint8_t pod[4] = { 10, 244, 1, 2 }, far[4] = { 10, 244, 2, 2 },
			     vip[4] = { 10, 96, 0, 10 }, router[4] = { 10, 244, 2, 1 };
	static const uint8_t pod6[16] = { 0xfd, 0, 0, 1, [15] = 2 };
	static const uint8_t far6[16] = { 0xfd, 0, 0, 2, [15] = 2 };
	bool routed = hop >= 2,
	     translated = s->kind == STORY_SERVICE && (s->egress ? routed : true);
	const uint8_t *peer = s->kind == STORY_SERVICE && !translated ? vip : far;
	uint8_t protocol = 0, ttl = routed == s->egress ? 63 : 64;
	uint16_t id = (uint16_t)(s->number + 256 * s->flow);
	uint32_t n;

	memset(p, 2, 12);
	p[5] = (uint8_t)(hop < 2);
	p[11] = (uint8_t)(1 + s->egress);
	if (s->kind == STORY_ARP) {
		static const uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, 1 };

		story_be16(p + 12, 0x0806);
		memcpy(p + 14, head, 8);
		memcpy(p + 22, p + 6, 6);
		memcpy(p + 28, pod, 4);
		memset(p + 32, 0, 6);
		memcpy(p + 38, router, 4);
		return 42;
	}
	if (s->kind == STORY_ERROR) { /* time exceeded, quoting what the pod sent */
		struct story_step quoted = *s;

		quoted.kind = STORY_UDP;
		quoted.egress = true;
		story_be16(p + 12, 0x0800);
		n = story_l4(&quoted, p + 14 + 20 + 8 + 20, false, &protocol);
		story_ip4(p + 42, pod, far, 20 + n, id, 0x4000, 1, protocol);
		memset(p + 34, 0, 8);
		p[34] = 11;
		story_ip4(p + 14, router, pod, 56, id, 0, ttl, MODEL_PROTO_ICMP);
		return 14 + 56;
	}
	if (s->v6) {
		story_be16(p + 12, 0x86dd);
		n = story_l4(s, p + 54, false, &protocol);
		memset(p + 14, 0, 40);
		p[14] = 0x60;
		story_be16(p + 18, n);
		p[20] = protocol;
		p[21] = ttl;
		memcpy(p + 22, s->egress ? pod6 : far6, 16);
		memcpy(p + 38, s->egress ? far6 : pod6, 16);
		return 54 + n;
	}
	story_be16(p + 12, 0x0800);
	n = story_l4(s, p + 34, translated, &protocol);
	story_ip4(p + 14, s->egress ? pod : peer, s->egress ? peer : pod, 20 + n, id,
		  s->kind == STORY_TCP ? 0x4000 : 0, ttl, protocol);
	return 34 + n;
}

static inline void story_emit(struct story *st, const struct story_step *s, unsigned hop,
			      const uint8_t *data, uint32_t n)
{
	struct model_frame f = { .time_ns = st->now_ns,
				 .data = data,
				 .caplen = n,
				 .len = n,
				 .hop = (uint16_t)hop,
				 .number = ++st->frames };

	f.way = s->egress == (hop < 1) ? MODEL_WAY_IN : MODEL_WAY_OUT;
	/* Cut by a snap length, sometimes. */
	if (s->gap & 0x40)
		f.caplen = n < 96 ? n : 96;
	st->sink(st->arg, &f);
	st->now_ns += 1000;
}

/* One observation, or its two fragments. */
static inline void story_seen(struct story *st, const struct story_step *s, unsigned hop)
{
	static const uint8_t node[2][4] = { { 192, 168, 77, 11 }, { 192, 168, 77, 12 } };
	uint8_t *p = st->bytes, *eth = p + (hop == 3 ? 50 : 0);
	uint32_t n = story_packet(s, hop, eth);

	if (s->where && s->where < n && (s->value & 3) == hop)
		eth[s->where] ^= s->value;
	if (hop == 3) {
		bool leaves = s->egress != st->mirrored;

		memset(p, 4, 12);
		p[5] = (uint8_t)leaves;
		story_be16(p + 12, 0x0800);
		story_ip4(p + 14, node[!s->egress], node[s->egress], 36 + n, s->number, 0, 64, 17);
		story_be16(p + 34, 50000u + s->flow);
		story_be16(p + 36, 8472);
		story_be16(p + 38, 16 + n);
		story_be16(p + 40, 0);
		story_be32(p + 42, 0x08000000);
		story_be32(p + 46, 1u << 8);
		n += 50;
	}
	if (s->kind == STORY_FRAGMENTS && !s->v6 && hop < 3 && n > 34 + 48) {
		uint8_t later[STORY_FRAME_MAX];
		uint32_t first = 24; /* of the IP payload, a multiple of 8 */

		memcpy(later, p, 34);
		memcpy(later + 34, p + 34 + first, n - 34 - first);
		story_ip4(later + 14, p + 26, p + 30, n - 14 - first,
			  (uint16_t)(p[18] << 8 | p[19]), first / 8, p[22], p[23]);
		story_ip4(p + 14, later + 26, later + 30, 20 + first,
			  (uint16_t)(later[18] << 8 | later[19]), 0x2000, later[22], later[23]);
		story_emit(st, s, hop, p, 34 + first);
		story_emit(st, s, hop, later, n - first);
		return;
	}
	story_emit(st, s, hop, p, n);
}

static inline struct story_step story_step_of(const uint8_t b[static STORY_STEP])
{
	struct story_step s = { .kind = b[0] % STORY_KINDS,
				.hops = b[1] & 15,
				.flow = b[2],
				.number = b[3],
				.length = b[4],
				.gap = b[5],
				.where = b[6],
				.value = b[7] };

	s.egress = b[1] & 16;
	s.v6 = b[1] & 32;
	s.twice = b[1] & 64;
	return s;
}

/* Tells the whole story to sink. mirrored: hops and ways as the other node has them. */
static inline uint64_t story_tell(const uint8_t *data, size_t size, unsigned mirrored,
				  void (*sink)(void *, const struct model_frame *), void *arg)
{
	struct story st = {
		.now_ns = STORY_BEGIN_NS, .sink = sink, .arg = arg, .mirrored = mirrored
	};

	for (size_t at = 0; size - at >= STORY_STEP && at < STORY_STEPS_MAX * STORY_STEP;
	     at += STORY_STEP) {
		struct story_step s = story_step_of(data + at);

		/* Mostly microseconds apart, now and then longer than any window. */
		st.now_ns += s.gap < 0x80 ? s.gap * 1000LL : (s.gap & 0x3f) * 100000000LL;
		if (s.kind == STORY_RAW) {
			/* The rest of the step is the frame's beginning. */
			memset(st.bytes, 0, 64);
			memcpy(st.bytes, data + at + 2, STORY_STEP - 2);
			memcpy(st.bytes + 12, data + at + 2, STORY_STEP - 2);
			story_emit(&st, &s, s.hops % STORY_HOPS, st.bytes, 14 + s.length % 50u);
			continue;
		}
		for (unsigned again = 0; again <= s.twice; again++)
			for (unsigned i = 0; i < STORY_HOPS; i++) {
				unsigned hop = s.egress != (bool)mirrored ? i : STORY_HOPS - 1 - i;

				if (s.hops & 1 << hop)
					story_seen(&st, &s, hop);
			}
	}
	return st.frames;
}

static inline void story_net(struct model_net *net, unsigned mirrored)
{
	static const uint32_t mtu[] = { 1450, 1450, 1450, 1500 };

	memset(net, 0, sizeof(*net));
	snprintf(net->node, sizeof(net->node), "node%u", mirrored + 1);
	net->vxlan_ports[net->n_vxlan_ports++] = 8472;
	net->n_hops = STORY_HOPS;
	for (unsigned i = 0; i < STORY_HOPS; i++) {
		struct model_hop *h = &net->hops[i];

		snprintf(h->name, sizeof(h->name), "hop%u", i);
		h->role = MODEL_ROLE_VETH + i;
		h->linktype = MODEL_LINKTYPE_ETHERNET;
		h->mtu = mtu[i];
		h->pod = i ? -1 : 0;
		h->vni = 1;
		h->vxlan_port = 8472;
		h->has_vni = i >= 2;
	}
	net->n_pods = 1;
	net->pods[0].n_addrs = 2;
	addr_parse(mirrored ? "10.244.2.2" : "10.244.1.2", &net->pods[0].addrs[0]);
	addr_parse(mirrored ? "fd00:2::2" : "fd00:1::2", &net->pods[0].addrs[1]);
}

#endif
