// SPDX-License-Identifier: BSD-3-Clause
/*
 * usual.c - the frames that make up nearly all traffic, read in one go.
 *
 * Ethernet without tags, IPv4 without options or IPv6 without extension headers, not a
 * fragment, TCP or UDP, every header captured; plain, or once inside VXLAN whose outer headers
 * are of the same kind. Their fields stand at fixed places, so one test of the length serves a
 * whole header, where the stepwise way asks before each.
 *
 * This file only reads what it is sure of: whatever is unusual, short or wrong makes it
 * give up before it has written anything that counts, and the frame goes the stepwise way
 * (link.c and on), which alone knows what to say of such frames. Both ways must agree on the
 * frames that are read here: tests/fuzz/fuzz_dissect.c and every sample of the unit tests compare them.
 */
#include "dissect_priv.h"

#define IP4_FIRST_BYTE 0x45	/* version 4, no options */
#define IP4_DF 0x4000
#define IP4_FRAGMENT 0x3fff	/* more fragments, or an offset */
#define IP6_FLOW_LABEL 0xfffffu
#define VXLAN_LEN 8
#define VXLAN_FLAG_I 0x08
#define TCP_FLAGS 0x01ff

/*
 * Ethernet, IP, and the ports, of the frame that begins at `at` and ends at `end` on the
 * wire. False: not one of the usual kind.
 */
static inline __attribute__((always_inline)) bool
read_headers(const uint8_t *data, uint32_t caplen, uint32_t at, uint32_t end, struct model_view *v)
{
	const uint32_t ip_at = at + DISSECT_ETH_LEN;
	const uint8_t *p = data + ip_at;
	struct model_ip *ip = &v->ip;
	uint32_t ip_len, header_len, l4_min;

	/* Both headers that may follow IPv4 have this much; IPv6 is asked for below. */
	if (caplen < ip_at + DISSECT_IP4_LEN + DISSECT_UDP_LEN || end < ip_at)
		return false;
	switch (bytes_load_be16(data + ip_at - 2)) {
	case DISSECT_ETHERTYPE_IP4: {
		const uint32_t frag = bytes_load_be16(p + 6);

		header_len = DISSECT_IP4_LEN;
		ip_len = bytes_load_be16(p + 2);
		if (p[0] != IP4_FIRST_BYTE || (frag & IP4_FRAGMENT))
			return false;
		ip->protocol = p[9];
		ip->src = addr_from_v4(p + 12);
		ip->dst = addr_from_v4(p + 16);
		ip->id = bytes_load_be16(p + 4);
		ip->flow_label = 0;
		ip->version = 4;
		ip->ttl = p[8];
		ip->tos = p[1];
		ip->dont_fragment = (frag & IP4_DF) != 0;
		ip->has_id = true;
		break;
	}
	case DISSECT_ETHERTYPE_IP6: {
		const uint32_t word = bytes_load_be32(p);

		header_len = DISSECT_IP6_LEN;
		if (caplen < ip_at + DISSECT_IP6_LEN + DISSECT_UDP_LEN)
			return false;
		ip_len = bytes_load_be16(p + 4);
		if (word >> 28 != 6 || ip_len == 0) /* a jumbogram, or BIG TCP */
			return false;
		ip_len += DISSECT_IP6_LEN;
		ip->protocol = p[6];
		ip->src = addr_from_v6(p + 8);
		ip->dst = addr_from_v6(p + 24);
		ip->id = 0;
		ip->flow_label = word & IP6_FLOW_LABEL;
		ip->version = 6;
		ip->ttl = p[7];
		ip->tos = (uint8_t)(word >> 20);
		ip->dont_fragment = false;
		ip->has_id = false;
		break;
	}
	default:
		return false;
	}
	l4_min = ip->protocol == MODEL_PROTO_TCP ? DISSECT_TCP_LEN : DISSECT_UDP_LEN;
	if ((ip->protocol != MODEL_PROTO_TCP && ip->protocol != MODEL_PROTO_UDP) ||
	    ip_len > end - ip_at || ip_len < header_len + l4_min ||
	    caplen < ip_at + header_len + l4_min)
		return false;
	v->ethertype = bytes_load_be16(data + ip_at - 2);
	v->eth_offset = at;
	v->eth_len = end - at;
	v->eth_header_len = DISSECT_ETH_LEN;
	ip->offset = ip_at;
	ip->header_len = header_len;
	ip->len = ip_len;
	v->l4_offset = ip_at + header_len;
	v->l4_len = ip_len - header_len;
	p = data + v->l4_offset;
	v->has_ports = true;
	v->sport = bytes_load_be16(p);
	v->dport = bytes_load_be16(p + 2);
	return true;
}

static inline void set_payload(struct model_view *v, uint32_t caplen, uint32_t offset)
{
	const uint32_t end = v->l4_offset + v->l4_len;
	const uint32_t captured = caplen < end ? caplen : end;

	v->payload_offset = offset;
	v->payload_len = end - offset;
	v->payload_cap = captured > offset ? captured - offset : 0;
}

/* The transport header in v->l4_*; its first 8 bytes (TCP: 20) are captured. */
static inline __attribute__((always_inline)) bool
read_transport(const uint8_t *data, uint32_t caplen, struct model_view *v)
{
	const uint8_t *p = data + v->l4_offset;

	if (v->ip.protocol == MODEL_PROTO_UDP) {
		v->udp_len = bytes_load_be16(p + 4);
		if (v->udp_len != v->l4_len)
			return false;
		set_payload(v, caplen, v->l4_offset + DISSECT_UDP_LEN);
		return true;
	}

	const uint32_t header_len = (uint32_t)(p[12] >> 4) * 4;

	if (header_len < DISSECT_TCP_LEN || header_len > v->l4_len ||
	    caplen < v->l4_offset + header_len)
		return false;
	v->tcp_seq = bytes_load_be32(p + 4);
	v->tcp_ack = bytes_load_be32(p + 8);
	v->tcp_flags = bytes_load_be16(p + 12) & TCP_FLAGS;
	v->tcp_window = bytes_load_be16(p + 14);
	v->tcp_options_len = (uint8_t)(header_len - DISSECT_TCP_LEN);
	if (v->tcp_flags & MODEL_TCP_SYN)
		dissect_tcp_options(v, p + DISSECT_TCP_LEN, v->tcp_options_len);
	set_payload(v, caplen, v->l4_offset + header_len);
	return true;
}

bool dissect_usual(const struct dissect_config *config, const struct model_frame *frame,
		    uint32_t len, struct model_view *v)
{
	const uint8_t *data = frame->data, *p;
	const uint32_t caplen = frame->caplen;
	uint32_t start;

	if (!read_headers(data, caplen, 0, len, v))
		return false;
	if (v->ip.protocol != MODEL_PROTO_UDP || !dissect_is_vxlan_port(config, v->dport))
		return read_transport(data, caplen, v);

	/* VXLAN: what was read is the outer packet (vxlan.c: vxlan_descend()). */
	v->udp_len = bytes_load_be16(data + v->l4_offset + 4);
	start = v->l4_offset + DISSECT_UDP_LEN + VXLAN_LEN;
	/* Behind the datagram nothing may follow: it could be partial segmentation's. */
	if (v->udp_len != v->l4_len || v->l4_offset + v->l4_len != len || caplen < start ||
	    v->l4_len < DISSECT_UDP_LEN + VXLAN_LEN + DISSECT_ETH_LEN)
		return false;
	p = data + v->l4_offset + DISSECT_UDP_LEN;
	if (!(p[0] & VXLAN_FLAG_I))
		return false;
	v->outer = v->ip;
	v->outer_sport = v->sport;
	v->outer_dport = v->dport;
	v->outer_udp_len = v->udp_len;
	v->outer_udp_csum = bytes_load_be16(p - 2);
	v->vxlan_flags = p[0];
	v->vni = bytes_load_be32(p + 4) >> 8;
	v->encap_len = start;
	v->encap = true;
	v->udp_len = 0;
	return read_headers(data, caplen, start, len, v) && read_transport(data, caplen, v);
}
