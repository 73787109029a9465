/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip4.c - the IPv4 header, RFC 791.
 *
 *   0 version(4b) ihl(4b) tos(8) | 2 total length | 4 identification
 *   6 0 DF MF offset(13b) | 8 ttl(8) protocol(8) | 10 checksum | 12 source | 16 destination
 *
 * The reserved flag bit and the checksum are not looked at: a tap may show a
 * checksum that the device has yet to fill in. Total length 0 is what a BIG TCP
 * super-frame has (Linux net/ipv4/ip_output.c): the packet then takes the rest
 * of the frame.
 */
#include "dissect_priv.h"

#define IP4_DF 0x4000
#define IP4_MF 0x2000
#define IP4_OFFSET 0x1fff	/* in units of 8 bytes */

void dissect_ip4(struct dissect *d)
{
	struct model_ip *ip = &d->view->ip;
	uint32_t start = dissect_pos(d), rest = d->end - start, header_len, len, frag;
	const uint8_t *p = dissect_take(d, DISSECT_IP4_LEN, MODEL_LAYER_IPV4);

	if (!p)
		return;
	header_len = (p[0] & 0x0fu) * 4;
	len = bytes_load_be16(p + 2);
	if (len == 0)
		len = rest;
	if (p[0] >> 4 != 4 || header_len < DISSECT_IP4_LEN || len < header_len || len > rest) {
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_IPV4, start);
		return;
	}
	frag = bytes_load_be16(p + 6);
	ip->src = addr_from_v4(p + 12);
	ip->dst = addr_from_v4(p + 16);
	ip->id = bytes_load_be16(p + 4);
	ip->offset = start;
	ip->header_len = header_len;
	ip->len = len;
	ip->frag_off = (frag & IP4_OFFSET) * 8;
	ip->version = 4;
	ip->ttl = p[8];
	ip->tos = p[1];
	ip->protocol = p[9];
	ip->dont_fragment = frag & IP4_DF;
	ip->frag_more = frag & IP4_MF;
	ip->frag = frag & (IP4_MF | IP4_OFFSET);
	ip->has_id = true;

	dissect_limit(d, start + len);
	if (!dissect_take(d, header_len - DISSECT_IP4_LEN, MODEL_LAYER_IPV4))
		return;
	dissect_l4(d);
}
