/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * l4.c - what follows the IP header: TCP, UDP, SCTP, fragments, anything else.
 */
#include "dissect_priv.h"

#define L4_PORTS_LEN 4
#define L4_PORTS_SEQ_LEN 8
#define L4_SCTP_LEN 12
#define L4_TCP_FLAGS 0x01ff

enum {	/* RFC 9293 and 7323 */
	L4_TCP_OPTION_END = 0,
	L4_TCP_OPTION_NOP = 1,
	L4_TCP_OPTION_MSS = 2,
};

static void l4_ports(struct model_view *v, const uint8_t *p)
{
	v->has_ports = true;
	v->sport = bytes_load_be16(p);
	v->dport = bytes_load_be16(p + 2);
}

/*
 * Takes a transport header; of one that was cut, the ports (and TCP's sequence number) are
 * still read where they are there: they are in the first 8 bytes for that purpose (RFC 792).
 */
static const uint8_t *l4_take(struct dissect *d, size_t n, enum model_layer layer)
{
	const uint8_t *p;

	if (bytes_has(&d->in, n))
		return bytes_take(&d->in, n);
	dissect_cut(d, n, layer);
	if (d->view->status != MODEL_VIEW_TRUNCATED)
		return NULL;
	p = d->in.data + d->in.pos;
	if (bytes_has(&d->in, L4_PORTS_LEN))
		l4_ports(d->view, p);
	if (layer == MODEL_LAYER_TCP && bytes_has(&d->in, L4_PORTS_SEQ_LEN))
		d->view->tcp_seq = bytes_load_be32(p + 4);
	return NULL;
}

/* Options of any kind may come; a wrong length ends the list and spoils nothing else. */
void dissect_tcp_options(struct model_view *v, const uint8_t *p, size_t len)
{
	struct bytes in = bytes_of(p, len);

	/* At most 40 bytes and each turn takes one or more. */
	while (bytes_has(&in, 2)) {
		uint8_t kind = bytes_u8(&in), size;
		const uint8_t *value;

		if (kind == L4_TCP_OPTION_END)
			return;
		if (kind == L4_TCP_OPTION_NOP)
			continue;
		size = bytes_u8(&in);
		if (size < 2 || !bytes_has(&in, size - 2u))
			return;
		value = bytes_take(&in, size - 2u);
		if (kind == L4_TCP_OPTION_MSS && size == 4)
			v->tcp_mss = bytes_load_be16(value);
	}
}

/*
 * RFC 9293, 3.1:  0 sport | 2 dport | 4 sequence | 8 acknowledgement
 *   12 offset(4b) 0(3b) flags(9b) | 14 window | 16 checksum | 18 urgent | 20 options
 */
static void l4_tcp(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d), header_len;
	const uint8_t *p = l4_take(d, DISSECT_TCP_LEN, MODEL_LAYER_TCP);

	if (!p)
		return;
	l4_ports(v, p);
	v->tcp_seq = bytes_load_be32(p + 4);
	header_len = (uint32_t)(p[12] >> 4) * 4;
	if (header_len < DISSECT_TCP_LEN || (header_len > d->end - start && !d->open)) {
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_TCP, start);
		return;
	}
	v->tcp_ack = bytes_load_be32(p + 8);
	v->tcp_flags = bytes_load_be16(p + 12) & L4_TCP_FLAGS;
	v->tcp_window = bytes_load_be16(p + 14);
	v->tcp_options_len = (uint8_t)(header_len - DISSECT_TCP_LEN);
	dissect_payload(d, start + header_len);
	if (v->tcp_options_len == 0)
		return;
	p = dissect_take(d, v->tcp_options_len, MODEL_LAYER_TCP);
	/* Of the options only the MSS tells about other packets, and SYNs alone have it. */
	if (p && (v->tcp_flags & MODEL_TCP_SYN))
		dissect_tcp_options(v, p, v->tcp_options_len);
}

/*
 * RFC 768:  0 sport | 2 dport | 4 length | 6 checksum
 * Length 0 stands for "too long for the field": jumbograms (RFC 2675) and BIG TCP in a tunnel.
 */
static void l4_udp(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d);
	const uint8_t *p = l4_take(d, DISSECT_UDP_LEN, MODEL_LAYER_UDP);
	uint16_t len;

	if (!p)
		return;
	l4_ports(v, p);
	len = bytes_load_be16(p + 4);
	/* The length is the datagram's; in its first fragment only a part of that is here. */
	if (d->open ? len < DISSECT_UDP_LEN :
		      (len != 0 && (len < DISSECT_UDP_LEN || len > d->end - start))) {
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_UDP, start);
		return;
	}
	v->udp_len = len;
	if (len != 0 && len <= d->end - start)
		dissect_limit(d, start + len);
	if (!d->inner && dissect_is_vxlan_port(d->config, v->dport) && dissect_vxlan(d))
		return;
	dissect_payload(d, dissect_pos(d));
}

/* RFC 9260, 3.1:  0 sport | 2 dport | 4 verification tag | 8 checksum */
static void l4_sctp(struct dissect *d)
{
	const uint8_t *p = l4_take(d, L4_SCTP_LEN, MODEL_LAYER_SCTP);

	if (!p)
		return;
	l4_ports(d->view, p);
	dissect_payload(d, dissect_pos(d));
}

void dissect_l4(struct dissect *d)
{
	struct model_view *v = d->view;
	const struct model_ip *ip = &v->ip;

	v->l4_offset = dissect_pos(d);
	v->l4_len = d->end - v->l4_offset;
	if (ip->frag_off != 0) {
		dissect_payload(d, v->l4_offset);
		if (!d->inner && ip->protocol == MODEL_PROTO_UDP) {
			v->outer_frag = true;
			v->outer = *ip;
		}
		return;
	}
	d->open = ip->frag;

	switch (ip->protocol) {
	case MODEL_PROTO_TCP:
		l4_tcp(d);
		return;
	case MODEL_PROTO_UDP:
		l4_udp(d);
		return;
	case MODEL_PROTO_SCTP:
		l4_sctp(d);
		return;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		if ((ip->protocol == MODEL_PROTO_ICMP) == (ip->version == 4)) {
			dissect_icmp(d);
			return;
		}
		break;	/* the other family's: nobody would answer it */
	default:
		break;
	}
	dissect_payload(d, v->l4_offset);
}
