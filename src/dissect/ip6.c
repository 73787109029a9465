/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip6.c - the IPv6 header and its extension headers, RFC 8200.
 *
 *   0 version(4b) class(8b) flow label(20b) | 4 payload length | 6 next(8) hop limit(8)
 *   8 source(16) | 24 destination(16)
 *
 * Payload length 0 is what a BIG TCP super-frame has, with a jumbogram option
 * (RFC 2675) or, where the kernel or the driver left that out, without one: the
 * packet then takes the rest of the frame. Only "no next header" is really empty.
 */
#include "dissect_priv.h"

#define IP6_FRAGMENT_LEN 8
#define IP6_EXT_MIN 8		/* every extension header is a multiple of 8 bytes long */
#define IP6_FLOW_LABEL 0xfffffu

enum {	/* IANA protocol numbers */
	IP6_HOP_BY_HOP = 0,
	IP6_ROUTING = 43,
	IP6_FRAGMENT = 44,
	IP6_AUTHENTICATION = 51,
	IP6_NO_NEXT = 59,
	IP6_DESTINATION = 60,
	IP6_MOBILITY = 135,
	IP6_HIP = 139,
	IP6_SHIM6 = 140,
};

/* ESP is none: behind it nothing can be read. */
static bool ip6_is_ext(uint8_t protocol)
{
	switch (protocol) {
	case IP6_HOP_BY_HOP:
	case IP6_ROUTING:
	case IP6_FRAGMENT:
	case IP6_AUTHENTICATION:
	case IP6_DESTINATION:
	case IP6_MOBILITY:
	case IP6_HIP:
	case IP6_SHIM6:
		return true;
	default:
		return false;
	}
}

/*
 * Fragment header:  next(8) 0(8) offset(13b, units of 8) 0(2b) more(1b) id(32)
 * An atomic fragment (RFC 6946) is a whole packet that happens to have an id.
 */
static void ip6_fragment(const uint8_t *p, struct model_ip *ip)
{
	uint16_t word = bytes_load_be16(p + 2);

	ip->frag_off = word & 0xfff8u;
	ip->frag_more = word & 1;
	ip->frag = ip->frag_off != 0 || ip->frag_more;
	ip->id = bytes_load_be32(p + 4);
	ip->has_id = true;
}

enum dissect_walk dissect_ip6_walk(struct bytes *in, struct model_ip *ip, size_t *ret_need)
{
	bool fragment = false;

	for (unsigned n = 0; ip6_is_ext(ip->protocol); n++) {
		const uint8_t *p;
		size_t len;

		if (n == DISSECT_EXT_MAX)
			return DISSECT_WALK_BAD;
		len = IP6_EXT_MIN;
		if (!bytes_has(in, len)) {
			*ret_need = len;
			return DISSECT_WALK_CUT;
		}
		p = in->data + in->pos;
		if (ip->protocol == IP6_AUTHENTICATION)
			len = (p[1] + 2u) * 4;	/* RFC 4302: in 4-byte units, less 2 */
		else if (ip->protocol != IP6_FRAGMENT)
			len = (p[1] + 1u) * 8;
		if (!bytes_has(in, len)) {
			*ret_need = len;
			return DISSECT_WALK_CUT;
		}
		if (ip->protocol == IP6_FRAGMENT) {
			if (fragment)
				return DISSECT_WALK_BAD;
			fragment = true;
			ip6_fragment(p, ip);
		}
		ip->protocol = p[0];
		bytes_skip(in, len);
		if (ip->frag_off != 0)
			break;
	}
	return DISSECT_WALK_DONE;
}

void dissect_ip6(struct dissect *d)
{
	struct model_ip *ip = &d->view->ip;
	uint32_t start = dissect_pos(d), word, len;
	const uint8_t *p = dissect_take(d, DISSECT_IP6_LEN, MODEL_LAYER_IPV6);
	size_t need;

	if (!p)
		return;
	word = bytes_load_be32(p);
	len = bytes_load_be16(p + 4);
	if (len == 0 && p[6] != IP6_NO_NEXT)
		len = d->end - dissect_pos(d);
	if (word >> 28 != 6 || len > d->end - dissect_pos(d)) {
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_IPV6, start);
		return;
	}
	ip->src = addr_from_v6(p + 8);
	ip->dst = addr_from_v6(p + 24);
	ip->offset = start;
	ip->header_len = DISSECT_IP6_LEN;
	ip->len = DISSECT_IP6_LEN + len;
	ip->flow_label = word & IP6_FLOW_LABEL;
	ip->version = 6;
	ip->ttl = p[7];
	ip->tos = (uint8_t)(word >> 20);
	ip->protocol = p[6];

	dissect_limit(d, start + ip->len);
	switch (dissect_ip6_walk(&d->in, ip, &need)) {
	case DISSECT_WALK_CUT:
		/* RFC 7112 wants all of them in the first fragment; older senders differ. */
		d->open = ip->frag;
		dissect_cut(d, need, MODEL_LAYER_IPV6);
		return;
	case DISSECT_WALK_BAD:
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_IPV6, dissect_pos(d));
		return;
	case DISSECT_WALK_DONE:
		break;
	}
	ip->header_len = dissect_pos(d) - start;
	dissect_l4(d);
}
