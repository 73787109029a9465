/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usual.c - the frames that make up nearly all traffic, read in one go.
 *
 * Ethernet without tags, IPv4 without options or IPv6 without extension headers, not a
 * fragment, TCP or UDP, every header captured; plain, or once inside VXLAN whose outer headers
 * are of the same kind. Their fields stand at fixed places, so one test of the length serves a
 * whole header, where the stepwise way asks before each.
 *
 * This file only reads what it is sure of: whatever is unusual, short or wrong makes it give
 * up, and the frame goes the stepwise way (link.c and on), which alone knows what to say of
 * such frames. Both ways must agree on the frames that are read here: the fuzz target and
 * every sample of the unit tests compare them.
 */
#include "dissect_priv.h"

#include <string.h>

#define IP4_FIRST_BYTE 0x45	/* version 4, no options */
#define IP4_DF 0x4000
#define IP4_FRAGMENT 0x3fff	/* more fragments, or an offset */
#define IP6_FLOW_LABEL 0xfffffu
#define VXLAN_LEN 8
#define VXLAN_FLAG_I 0x08
#define TCP_FLAGS 0x01ff

/*
 * The IP and transport headers of the Ethernet frame that begins at `at` and ends at `end` on
 * the wire. False: they are not of the usual kind, or not all there.
 */
static inline __attribute__((always_inline)) bool
find_headers(const uint8_t *data, uint32_t caplen, uint32_t at, uint32_t end,
	     struct model_parts *u)
{
	const uint32_t ip = at + DISSECT_ETH_LEN;
	const uint8_t *p = data + ip;
	uint32_t header_len, len, l4_len;

	/* Of either family; IPv6 is asked for the rest of its header below. */
	if (caplen < ip + DISSECT_IP4_LEN + DISSECT_UDP_LEN || end < ip)
		return false;
	switch (bytes_load_be16(p - 2)) {
	case DISSECT_ETHERTYPE_IP4:
		if (p[0] != IP4_FIRST_BYTE || (bytes_load_be16(p + 6) & IP4_FRAGMENT))
			return false;
		header_len = DISSECT_IP4_LEN;
		len = bytes_load_be16(p + 2);
		u->protocol = p[9];
		u->is_v4 = true;
		break;
	case DISSECT_ETHERTYPE_IP6:
		if (p[0] >> 4 != 6 || caplen < ip + DISSECT_IP6_LEN + DISSECT_UDP_LEN)
			return false;
		header_len = DISSECT_IP6_LEN;
		len = bytes_load_be16(p + 4);
		if (!len) /* a jumbogram, or BIG TCP */
			return false;
		len += DISSECT_IP6_LEN;
		u->protocol = p[6];
		u->is_v4 = false;
		break;
	default:
		return false;
	}
	if (len > end - ip || len < header_len + DISSECT_UDP_LEN)
		return false;
	u->l4 = DISSECT_ETH_LEN + header_len;
	u->end = DISSECT_ETH_LEN + len;
	p += header_len;
	l4_len = len - header_len;
	if (u->protocol == MODEL_PROTO_UDP) {
		u->payload = u->l4 + DISSECT_UDP_LEN;
		return bytes_load_be16(p + 4) == l4_len;
	}
	if (u->protocol != MODEL_PROTO_TCP || caplen < at + u->l4 + DISSECT_TCP_LEN)
		return false;
	header_len = (uint32_t)(p[12] >> 4) * 4;
	u->payload = u->l4 + header_len;
	return header_len >= DISSECT_TCP_LEN && header_len <= l4_len &&
	       caplen >= at + u->payload;
}

/* What find_headers() found is an outer packet that ends the frame: behind it nothing follows. */
static inline bool enter_vxlan(const struct model_frame *frame, struct model_parts *u)
{
	const uint32_t start = u->payload + VXLAN_LEN;

	if (u->end != frame->len || frame->caplen < start || start + DISSECT_ETH_LEN > u->end ||
	    !(frame->data[u->payload] & VXLAN_FLAG_I))
		return false;
	u->outer_ip = DISSECT_ETH_LEN;
	u->outer_l4 = u->l4;
	u->outer_is_v4 = u->is_v4;
	u->eth = start;
	return true;
}

bool dissect_usual(const struct dissect_config *config, const struct model_frame *frame,
		   struct model_parts *ret_parts)
{
	const uint8_t *data = frame->data;
	const uint32_t caplen = frame->caplen, len = frame->len;
	struct model_parts *u = ret_parts;

	u->outer_ip = u->eth = 0;
	/* A length that contradicts itself is not usual. */
	if (len < caplen || !find_headers(data, caplen, 0, len, u))
		return false;
	if (u->protocol != MODEL_PROTO_UDP ||
	    !dissect_is_vxlan_port(config, bytes_load_be16(data + u->l4 + 2)))
		return true;

	return enter_vxlan(frame, u) && find_headers(data, caplen, u->eth, len, u);
}

/* Two words at a time, at any address. */
typedef uint64_t words __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint8_t word_bytes __attribute__((vector_size(16)));

#define WORDS ((uint32_t)sizeof(words))
#define WORDS_MAX 10u	/* of them; beyond, the library's memcmp() is faster */

/* What of the first WORDS bytes of an IP header no router changes: all but TTL and checksum. */
static const word_bytes kept_of_ip4 = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					0, 0xff, 0, 0, 0xff, 0xff, 0xff, 0xff };
static const word_bytes kept_of_ip6 = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0,
					0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/*
 * Two packets, of each of which n bytes were captured, the headers among them: equal but for what
 * routing changes. Most are short, so all bytes are looked at.
 */
static inline bool is_equal(const uint8_t *a, const uint8_t *b, uint32_t n, bool is_v4)
{
	const words kept = (words)(is_v4 ? kept_of_ip4 : kept_of_ip6);
	words differ = (*(const words *)a ^ *(const words *)b) & kept;

	if (n > WORDS_MAX * WORDS)
		return !(differ[0] | differ[1]) && memcmp(a + WORDS, b + WORDS, n - WORDS) == 0;
	/* The last ones begin behind IPv4's checksum: with UDP's header n is at least 28. */
	const uint32_t last = n - WORDS;

	for (uint32_t i = WORDS; i < last; i += WORDS)
		differ |= *(const words *)(a + i) ^ *(const words *)(b + i);
	differ |= *(const words *)(a + last) ^ *(const words *)(b + last);
	return !(differ[0] | differ[1]);
}

bool dissect_usual_again(const struct dissect_config *config, const struct model_frame *before,
			 const struct model_frame *frame, struct model_parts *parts)
{
	struct model_parts *u = parts;
	const uint32_t was = u->eth, at = frame->len - before->len + was;
	const uint8_t *p, *q = before->data + was;
	const uint32_t captured = frame->caplen - at, had = before->caplen - was;
	uint32_t n = captured < had ? captured : had;

	if (at > frame->caplen || captured < u->payload || frame->len < frame->caplen)
		return false;
	p = frame->data + at;
	if (n > u->end)
		n = u->end;
	if (memcmp(p + DISSECT_ETH_LEN - 2, q + DISSECT_ETH_LEN - 2, 2) != 0 ||
	    !is_equal(p + DISSECT_ETH_LEN, q + DISSECT_ETH_LEN, n - DISSECT_ETH_LEN, u->is_v4))
		return false;
	if (at) {
		struct model_parts outer;

		if (!find_headers(frame->data, frame->caplen, 0, frame->len, &outer) ||
		    outer.protocol != MODEL_PROTO_UDP ||
		    !dissect_is_vxlan_port(config,
					   bytes_load_be16(frame->data + outer.l4 + 2)) ||
		    !enter_vxlan(frame, &outer) || outer.eth != at)
			return false;
		u->outer_ip = outer.outer_ip;
		u->outer_l4 = outer.outer_l4;
		u->outer_is_v4 = outer.outer_is_v4;
	} else if (u->protocol == MODEL_PROTO_UDP &&
		   dissect_is_vxlan_port(config, bytes_load_be16(p + u->l4 + 2))) {
		return false; /* there it was the pod's own VXLAN, here it would be the node's */
	} else {
		u->outer_ip = 0;
	}
	u->eth = at;
	return true;
}

static void view_ip(struct model_ip *ip, const uint8_t *data, uint32_t at, uint32_t l4,
		    uint32_t end, bool is_v4)
{
	const uint8_t *p = data + at;

	ip->offset = at;
	ip->header_len = l4 - at;
	ip->len = end - at;
	if (is_v4) {
		ip->version = 4;
		ip->src = addr_from_v4(p + 12);
		ip->dst = addr_from_v4(p + 16);
		ip->id = bytes_load_be16(p + 4);
		ip->has_id = true;
		ip->dont_fragment = (bytes_load_be16(p + 6) & IP4_DF) != 0;
		ip->tos = p[1];
		ip->ttl = p[8];
		ip->protocol = p[9];
	} else {
		const uint32_t word = bytes_load_be32(p);

		ip->version = 6;
		ip->src = addr_from_v6(p + 8);
		ip->dst = addr_from_v6(p + 24);
		ip->flow_label = word & IP6_FLOW_LABEL;
		ip->tos = (uint8_t)(word >> 20);
		ip->ttl = p[7];
		ip->protocol = p[6];
	}
}

void dissect_view_parts(const struct model_parts *u, const struct model_frame *frame,
			struct model_view *v)
{
	const uint8_t *data = frame->data, *p = data + u->eth + u->l4;
	const uint32_t at = u->eth, end = at + u->end;
	const uint32_t captured = frame->caplen < end ? frame->caplen : end;

	if (u->outer_ip) {
		view_ip(&v->outer, data, u->outer_ip, u->outer_l4, frame->len, u->outer_is_v4);
		v->encap = true;
		v->encap_len = u->eth;
		v->outer_sport = bytes_load_be16(data + u->outer_l4);
		v->outer_dport = bytes_load_be16(data + u->outer_l4 + 2);
		v->outer_udp_len = bytes_load_be16(data + u->outer_l4 + 4);
		v->outer_udp_csum = bytes_load_be16(data + u->outer_l4 + 6);
		v->vxlan_flags = data[u->eth - VXLAN_LEN];
		v->vni = bytes_load_be32(data + u->eth - 4) >> 8;
	}
	v->eth_offset = u->eth;
	v->eth_len = frame->len - u->eth;
	v->eth_header_len = DISSECT_ETH_LEN;
	v->ethertype = u->is_v4 ? DISSECT_ETHERTYPE_IP4 : DISSECT_ETHERTYPE_IP6;
	view_ip(&v->ip, data, at + DISSECT_ETH_LEN, at + u->l4, end, u->is_v4);
	v->l4_offset = at + u->l4;
	v->l4_len = u->end - u->l4;
	v->has_ports = true;
	v->sport = bytes_load_be16(p);
	v->dport = bytes_load_be16(p + 2);
	v->payload_offset = at + u->payload;
	v->payload_len = u->end - u->payload;
	v->payload_cap = captured > at + u->payload ? captured - at - u->payload : 0;
	if (u->protocol == MODEL_PROTO_UDP) {
		v->udp_len = bytes_load_be16(p + 4);
		return;
	}
	v->tcp_seq = bytes_load_be32(p + 4);
	v->tcp_ack = bytes_load_be32(p + 8);
	v->tcp_flags = bytes_load_be16(p + 12) & TCP_FLAGS;
	v->tcp_window = bytes_load_be16(p + 14);
	v->tcp_options_len = (uint8_t)(u->payload - u->l4 - DISSECT_TCP_LEN);
	if (v->tcp_flags & MODEL_TCP_SYN)
		dissect_tcp_options(v, p + DISSECT_TCP_LEN, v->tcp_options_len);
}
