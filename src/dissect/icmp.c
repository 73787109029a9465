/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.c - ICMP (RFC 792, 4884) and ICMPv6 (RFC 4443), with the packet that an error quotes.
 *
 *   0 type(8) code(8) | 2 checksum | 4 rest of the header(32) | 8 data
 *
 * rest:  echo: id(16) sequence(16)
 *        fragmentation needed: 0(16) mtu(16), packet too big: mtu(32)
 *        other errors with extensions behind the quote (RFC 4884): the quote's length,
 *        ICMP 0(8) length(8, in 4 bytes) 0(16), ICMPv6 length(8, in 8 bytes) 0(24)
 *
 * A quote is as good as the router that made it: one that makes no sense is left
 * out and the ICMP message itself stays sound.
 */
#include "dissect_priv.h"

#define ICMP_QUOTED_L4 8	/* what RFC 792 promises of the quoted packet's payload */
#define ICMP_QUOTED_TCP_REST 12 /* of TCP's header behind it; the checksum is in there */
#define ICMP_IP4_OFFSET 0x1fff

enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_SOURCE_QUENCH = 4,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER_PROBLEM = 12,
	ICMP_CODE_FRAG_NEEDED = 4,

	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
};

static bool icmp_is_echo(uint8_t version, uint8_t type)
{
	return version == 4 ? type == ICMP_ECHO || type == ICMP_ECHO_REPLY :
			      type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY;
}

static bool icmp_is_error(uint8_t version, uint8_t type)
{
	if (version == 6)
		return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER_PROBLEM;
	return type == ICMP_UNREACHABLE || type == ICMP_SOURCE_QUENCH || type == ICMP_REDIRECT ||
	       type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER_PROBLEM;
}

/* Bytes that RFC 4884 says the quote has; 0: all that is left. */
static uint32_t icmp_quote_len(uint8_t version, const uint8_t *p)
{
	if (version == 6)
		return p[0] == ICMP6_UNREACHABLE || p[0] == ICMP6_TIME_EXCEEDED ? p[4] * 8u : 0;
	return p[0] == ICMP_UNREACHABLE || p[0] == ICMP_TIME_EXCEEDED ||
	       p[0] == ICMP_PARAMETER_PROBLEM ? p[5] * 4u : 0;
}

/* The first 8 bytes of the quoted transport. False: they are not there. */
static bool icmp_quote_l4(struct model_quote *q, struct bytes *in)
{
	const uint8_t *p;

	switch (q->protocol) {
	case MODEL_PROTO_TCP:
	case MODEL_PROTO_UDP:
	case MODEL_PROTO_SCTP:
		p = bytes_take(in, ICMP_QUOTED_L4);
		if (!p)
			return false;
		q->sport = bytes_load_be16(p);
		q->dport = bytes_load_be16(p + 2);
		q->has_ports = true;
		if (q->protocol == MODEL_PROTO_TCP) {
			q->seq = bytes_load_be32(p + 4);
			q->has_seq = true;
		}
		return true;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		if ((q->protocol == MODEL_PROTO_ICMP) != (q->version == 4))
			return true;
		p = bytes_take(in, ICMP_QUOTED_L4);
		if (!p)
			return false;
		if (icmp_is_echo(q->version, p[0])) {
			q->sport = bytes_load_be16(p + 4);
			q->has_ports = true;
		}
		return true;
	default:
		return true;
	}
}

static bool icmp_quote_ip4(struct model_quote *q, struct bytes *in)
{
	const uint8_t *p = bytes_take(in, DISSECT_IP4_LEN);
	uint32_t header_len;

	if (!p)
		return false;
	header_len = (p[0] & 0x0fu) * 4;
	if (p[0] >> 4 != 4 || header_len < DISSECT_IP4_LEN)
		return true;
	q->version = 4;
	q->src = addr_from_v4(p + 12);
	q->dst = addr_from_v4(p + 16);
	q->len = bytes_load_be16(p + 2);
	q->id = bytes_load_be16(p + 4);
	q->has_id = true;
	q->protocol = p[9];
	q->frag = bytes_load_be16(p + 6) & ICMP_IP4_OFFSET;
	if (q->frag)
		return true;
	if (!bytes_take(in, header_len - DISSECT_IP4_LEN))
		return false;
	return icmp_quote_l4(q, in);
}

static bool icmp_quote_ip6(struct model_quote *q, struct bytes *in)
{
	const uint8_t *p = bytes_take(in, DISSECT_IP6_LEN);
	struct model_ip ip = { .protocol = p ? p[6] : 0 };
	enum dissect_walk walk;
	size_t need;

	if (!p)
		return false;
	if (p[0] >> 4 != 6)
		return true;
	q->version = 6;
	q->src = addr_from_v6(p + 8);
	q->dst = addr_from_v6(p + 24);
	q->len = DISSECT_IP6_LEN + bytes_load_be16(p + 4);
	walk = dissect_ip6_walk(in, &ip, &need);
	q->protocol = ip.protocol;
	q->id = ip.id;
	q->has_id = ip.has_id;
	q->frag = ip.frag_off != 0;
	if (walk == DISSECT_WALK_CUT)
		return false;
	if (walk == DISSECT_WALK_BAD || q->frag)
		return true;
	return icmp_quote_l4(q, in);
}

/*
 * What is left of the quote behind addresses, ports and checksums is the same wherever the error
 * is seen, and differs between errors about packets of one flow.
 */
static void icmp_quote_rest(struct model_quote *q, struct bytes *in, uint32_t start)
{
	if (q->protocol == MODEL_PROTO_TCP && !bytes_take(in, ICMP_QUOTED_TCP_REST))
		return;
	q->rest_offset = start + (uint32_t)in->pos;
	q->rest_len = (uint32_t)bytes_left(in);
}

static void icmp_quote(struct dissect *d, uint32_t len)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d), wire = d->end - start;
	size_t there = bytes_left(&d->in);
	struct bytes in;
	bool whole;

	if (len == 0 || len > wire)
		len = wire;
	in = bytes_of(d->in.data + start, there < len ? there : len);
	whole = v->ip.version == 4 ? icmp_quote_ip4(&v->quote, &in) :
				     icmp_quote_ip6(&v->quote, &in);
	/* Less than was quoted on the wire: cut by us. Otherwise the sender's choice. */
	if (whole && v->quote.has_ports)
		icmp_quote_rest(&v->quote, &in, start);
	if (!whole && there < len)
		dissect_stop(d, MODEL_VIEW_TRUNCATED, MODEL_LAYER_ICMP, start);
}

void dissect_icmp(struct dissect *d)
{
	struct model_view *v = d->view;
	const uint8_t *p = dissect_take(d, DISSECT_ICMP_LEN, MODEL_LAYER_ICMP);
	uint8_t version = v->ip.version;

	if (!p)
		return;
	v->icmp_type = p[0];
	v->icmp_code = p[1];
	dissect_payload(d, dissect_pos(d));
	if (icmp_is_echo(version, p[0])) {
		v->icmp_id = bytes_load_be16(p + 4);
		v->icmp_seq = bytes_load_be16(p + 6);
		v->has_ports = true;
		v->sport = v->icmp_id;
		return;
	}
	if (!icmp_is_error(version, p[0]))
		return;
	if (version == 6 && p[0] == ICMP6_TOO_BIG)
		v->icmp_mtu = bytes_load_be32(p + 4);
	else if (version == 4 && p[0] == ICMP_UNREACHABLE && p[1] == ICMP_CODE_FRAG_NEEDED)
		v->icmp_mtu = bytes_load_be16(p + 6);
	icmp_quote(d, icmp_quote_len(version, p));
}
