/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frame.c - one frame: where it may end, and every address in front of that.
 *
 * Theory of operation. The dissector says where headers are; here only known fields at those
 * places are rewritten, in a copy. packet() takes one packet with its link header: the outer
 * headers and the inner ones of a VXLAN datagram are in one view, and for what is deeper still
 * (VXLAN in VXLAN, the packet that an ICMP error quotes) it is called once more with the
 * bytes there. Two ends come back: behind the innermost header, where a frame without payload
 * ends, and where an anonymous one has to end because nobody knows what follows.
 *
 * What is not understood is not passed: a header that is cut or contradicts itself ends both.
 *
 * Checksums are mended by what the bytes they cover have gained (sums.c): of addresses in the
 * pseudo header always, of the content where it was rewritten.
 */
#include "privacy_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/bytes.h"

#define DEPTH_MAX 4u		/* packets within each other; deeper ones are cut off */
#define HEADERS_MAX 4096u	/* of a frame whose payload is not kept, these are looked at */
#define LATER_FRAGMENT_MIN 128u	/* in front of it headers could still be going on */
#define NO_END UINT32_MAX
#define ARP_LEN 28u
#define TCP_MAX 60u		/* with options */
#define UDP_LEN 8u

enum {
	OPTION4_END = 0, OPTION4_NOP = 1, OPTION4_ROUTER_ALERT = 148,
	OPTION6_PAD1 = 0, OPTION6_PADN = 1, OPTION6_ROUTER_ALERT = 5, OPTION6_JUMBO = 0xc2,
	EXT_HOP_BY_HOP = 0, EXT_ROUTING = 43, EXT_FRAGMENT = 44, EXT_AUTH = 51,
	EXT_DESTINATION = 60,
	ICMP_REDIRECT = 5, ND_SOLICITATION = 135, ND_ADVERTISEMENT = 136,
	MPTCP = 30, MPTCP_ADD_ADDR = 3,
};

struct ends {
	uint32_t header;	/* behind the innermost header */
	uint32_t known;		/* what is behind it may be anything; NO_END: payload */
};

/* What the addresses of one IP header did to the sums over them. */
struct pseudo {
	uint32_t before, after;
};

static struct ends packet(struct privacy *p, uint16_t linktype, uint8_t *b, uint32_t caplen,
			  uint32_t len, unsigned depth);

static uint32_t at_most(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* ----------------------------------------------------------------- IP headers */

static void hide_option4(uint8_t *o, uint32_t n)
{
	for (uint32_t i = 0; i < n && o[i] != OPTION4_END;) {
		uint32_t size = o[i] == OPTION4_NOP ? 1 : n - i > 1 ? o[i + 1] : 0;

		if (!size || size > n - i)
			size = n - i;
		if (o[i] != OPTION4_ROUTER_ALERT)
			memset(o + i, OPTION4_NOP, size);
		i += size;
	}
}

static struct pseudo rewrite_ip4(struct privacy *p, uint8_t *h, uint32_t header_len)
{
	struct pseudo ps = { .before = privacy_sum(h + 12, 8) };
	uint32_t before = privacy_sum(h, header_len);

	privacy_v4_bytes(p, h + 12);
	privacy_v4_bytes(p, h + 16);
	if (header_len > 20)
		hide_option4(h + 20, header_len - 20);
	ps.after = privacy_sum(h + 12, 8);
	privacy_sum_mend(h + 10, privacy_sum_less(privacy_sum(h, header_len), before));
	return ps;
}

static void hide_option6(uint8_t *o, uint32_t n)
{
	for (uint32_t i = 0; i < n;) {
		uint32_t size = o[i] == OPTION6_PAD1 ? 1 : n - i > 1 ? o[i + 1] + 2u : n - i;

		if (size > n - i)
			size = n - i;
		if (size > 2 && o[i] != OPTION6_ROUTER_ALERT && o[i] != OPTION6_JUMBO)
			memset(o + i + 2, 0, size - 2);
		i += size;
	}
}

/* An IPv6 extension header, and where it is in the packet. */
struct extension {
	uint8_t *at;
	uint32_t offset, size;
	uint8_t type;
};

/* The next one; the first when e is all zero. h: the packet's, of which header_len are there. */
static bool next_extension(uint8_t *h, uint32_t header_len, struct extension *e)
{
	uint8_t type = e->at ? e->at[0] : h[6];
	uint32_t offset = e->at ? e->offset + e->size : 40;

	if (offset > header_len || header_len - offset < 8)
		return false;
	*e = (struct extension){ .at = h + offset, .offset = offset, .type = type };
	e->size = type == EXT_FRAGMENT ? 8
		  : type == EXT_AUTH   ? (e->at[1] + 2u) * 4
				       : (e->at[1] + 1u) * 8;
	e->size = at_most(e->size, header_len - offset);
	return true;
}

/* Where the last destination stands, which checksums are made with. */
static uint32_t final_destination(uint8_t *h, uint32_t header_len)
{
	for (struct extension e = { 0 }; next_extension(h, header_len, &e);)
		/* RFC 8754: the first in the list; RFC 6275 and the old type 0: the last. */
		if (e.type == EXT_ROUTING && e.at[3] && e.size >= 24)
			return e.offset + (e.at[2] == 4 ? 8 : 8 + ((e.size - 8) / 16 - 1) * 16);
	return 24;
}

/* Returns how far all was understood, NO_END: to the end. */
static uint32_t rewrite_extensions(struct privacy *p, uint8_t *h, uint32_t header_len)
{
	for (struct extension e = { 0 }; next_extension(h, header_len, &e);) {
		switch (e.type) {
		case EXT_HOP_BY_HOP:
		case EXT_DESTINATION:
			hide_option6(e.at + 2, e.size - 2);
			break;
		case EXT_ROUTING:
			for (uint32_t i = 8; e.size - i >= 16; i += 16)
				privacy_v6_bytes(p, e.at + i);
			break;
		case EXT_FRAGMENT:
		case EXT_AUTH:
			break;
		default: /* mobility, HIP, Shim6: full of addresses */
			return e.offset;
		}
	}
	return NO_END;
}

static struct pseudo rewrite_ip6(struct privacy *p, uint8_t *h, uint32_t header_len,
				 uint32_t *ret_known)
{
	uint32_t final = final_destination(h, header_len);
	struct pseudo ps;

	ps.before = privacy_sum_add(privacy_sum(h + 8, 16), privacy_sum(h + final, 16));
	privacy_v6_bytes(p, h + 8);
	privacy_v6_bytes(p, h + 24);
	*ret_known = rewrite_extensions(p, h, header_len);
	ps.after = privacy_sum_add(privacy_sum(h + 8, 16), privacy_sum(h + final, 16));
	return ps;
}

/* known: absolute offset behind which nothing is understood; kept when all is. */
static struct pseudo rewrite_ip(struct privacy *p, uint8_t *b, uint32_t caplen,
				const struct model_ip *ip, uint32_t *ret_known)
{
	uint32_t header_len = at_most(ip->header_len, caplen - ip->offset), known = NO_END;
	struct pseudo ps = { 0 };

	if (!p->anonymous)
		return ps;
	if (ip->version == 4) {
		ps = rewrite_ip4(p, b + ip->offset, header_len);
	} else if (ip->version == 6) {
		ps = rewrite_ip6(p, b + ip->offset, header_len, &known);
		if (known != NO_END)
			*ret_known = at_most(*ret_known, ip->offset + known);
	}
	return ps;
}

/* ------------------------------------------------------------------ checksums */

static uint32_t l4_sum_at(uint8_t protocol)
{
	switch (protocol) {
	case MODEL_PROTO_TCP:
		return 16;
	case MODEL_PROTO_UDP:
		return 6;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		return 2;
	default:	/* SCTP's does not cover addresses */
		return 0;
	}
}

/*
 * Does the field hold the pseudo header's sum, for a device to go on from (CHECKSUM_PARTIAL)?
 * A good checksum can look so by chance; where all bytes are there, they tell.
 */
static bool is_unfinished(const uint8_t *l4, uint32_t field, uint32_t there, uint32_t l4_len,
			  uint8_t protocol, uint32_t addrs)
{
	uint32_t found = bytes_load_be16(l4 + field) % 0xffff;
	uint32_t base = privacy_sum_add(addrs, protocol);
	uint32_t with_len = privacy_sum_add(base, (l4_len >> 16) + (l4_len & 0xffff));

	if (found != with_len && found != base)
		return false;
	return there < l4_len || privacy_sum_add(with_len, privacy_sum(l4, l4_len)) != 0;
}

/* A transport header before its content is rewritten. */
struct l4 {
	uint8_t *at;
	uint32_t span;		/* bytes that may be rewritten */
	uint32_t field, content;
	uint8_t protocol;
	bool unfinished, has_sum;
};

static struct l4 l4_begin(const struct privacy *p, uint8_t *b, uint32_t caplen, uint32_t offset,
			  uint32_t len, uint32_t span, const struct model_ip *ip,
			  const struct pseudo *ps)
{
	struct l4 l = { .at = b + offset, .field = l4_sum_at(ip->protocol),
			.protocol = ip->protocol };

	if (!p->anonymous || !offset || offset >= caplen || ip->frag_off || !l.field)
		return l;
	uint32_t there = at_most(caplen - offset, len);
	l.has_sum = there >= l.field + 2 &&
		    !(l.protocol == MODEL_PROTO_UDP && !bytes_load_be16(l.at + l.field));
	if (!l.has_sum)
		return l;
	l.span = at_most(there, span);
	l.content = privacy_sum(l.at, l.span);
	l.unfinished = l.protocol != MODEL_PROTO_ICMP && !ip->frag &&
		       is_unfinished(l.at, l.field, there, len, l.protocol, ps->before);
	return l;
}

static void l4_end(const struct l4 *l, const struct pseudo *ps)
{
	uint32_t addrs = privacy_sum_less(ps->after, ps->before), v;

	if (!l->has_sum)
		return;
	if (l->unfinished) {
		v = privacy_sum_add(bytes_load_be16(l->at + l->field) % 0xffff, addrs);
		if (!v)
			v = 0xffff;
		l->at[l->field] = (uint8_t)(v >> 8);
		l->at[l->field + 1] = (uint8_t)v;
		return;
	}
	uint32_t grown = privacy_sum_less(privacy_sum(l->at, l->span), l->content);
	if (l->protocol != MODEL_PROTO_ICMP)
		grown = privacy_sum_add(grown, addrs);
	privacy_sum_mend(l->at + l->field, grown);
	/* RFC 768: 0 would say that there is none. */
	if (l->protocol == MODEL_PROTO_UDP && !(l->at[l->field] | l->at[l->field + 1]))
		l->at[l->field] = l->at[l->field + 1] = 0xff;
}

/* ------------------------------------------------------------------- the rest */

static void rewrite_link(struct privacy *p, uint16_t linktype, uint8_t *b, uint32_t caplen)
{
	if (linktype == MODEL_LINKTYPE_ETHERNET && caplen >= 12) {
		privacy_mac_bytes(p, b);
		privacy_mac_bytes(p, b + 6);
	} else if (linktype == MODEL_LINKTYPE_LINUX_SLL && caplen >= 14) {
		privacy_mac_bytes(p, b + 6);
	} else if (linktype == MODEL_LINKTYPE_LINUX_SLL2 && caplen >= 18) {
		privacy_mac_bytes(p, b + 12);
	}
}

static void rewrite_arp(struct privacy *p, uint8_t *a)
{
	privacy_mac_bytes(p, a + 8);
	privacy_v4_bytes(p, a + 14);
	privacy_mac_bytes(p, a + 18);
	privacy_v4_bytes(p, a + 24);
}

/* Neighbour solicitation and advertisement, RFC 4861. Returns how far it was understood. */
static uint32_t rewrite_neighbour(struct privacy *p, uint8_t *m, uint32_t n)
{
	uint32_t at = 24;

	if (n < at)
		return at_most(n, 8);
	privacy_v6_bytes(p, m + 8);
	while (n - at >= 8 && (m[at] == 1 || m[at] == 2) && m[at + 1] == 1) {
		privacy_mac_bytes(p, m + at + 2);
		at += 8;
	}
	return at;
}

/* MPTCP tells a peer of further addresses (RFC 8684, 3.4.1); other options have none. */
static void hide_tcp_options(uint8_t *o, uint32_t n)
{
	for (uint32_t i = 0; i < n && o[i] != 0;) {
		uint32_t size = o[i] == 1 ? 1 : n - i > 1 ? o[i + 1] : 0;

		if (!size || size > n - i)
			return;
		if (o[i] == MPTCP && size > 2 && o[i + 2] >> 4 == MPTCP_ADD_ADDR)
			memset(o + i, 1, size);
		i += size;
	}
}

/* Nothing but chunks that tell of no address (RFC 9260, 3.3): INIT, HEARTBEAT and others may. */
static bool sctp_is_plain(const uint8_t *c, uint32_t n)
{
	enum { DATA = 0, SACK = 3, SHUTDOWN = 7, SHUTDOWN_ACK = 8, COOKIE_ACK = 11, DONE = 14 };

	while (n >= 4) {
		uint32_t size = bytes_load_be16(c + 2);

		if (c[0] != DATA && c[0] != SACK && c[0] != SHUTDOWN && c[0] != SHUTDOWN_ACK &&
		    c[0] != COOKIE_ACK && c[0] != DONE)
			return false;
		if (size < 4)
			return false;
		size = at_most((size + 3) & ~3u, n);
		c += size;
		n -= size;
	}
	return true;
}

/*
 * The packet that an ICMP error quotes; n bytes of it are there. Of its transport header 8 bytes
 * are promised (RFC 792), and they are not a whole TCP header: not a fault here.
 */
static uint32_t quote(struct privacy *p, const struct model_view *v, uint8_t *q, uint32_t n,
		      unsigned depth)
{
	uint16_t linktype = v->quote.version == 4 ? MODEL_LINKTYPE_IPV4 : MODEL_LINKTYPE_IPV6;
	uint32_t len = v->quote.len, l4 = 0;
	struct ends e;

	if (!v->quote.version || !depth)
		return 0;
	/* What the quoted length says may be wrong, or 0 as in BIG TCP. */
	if (len < n)
		len = n;
	if (v->quote.has_ports) {
		struct model_view quoted;
		const struct model_frame f = { .data = q, .caplen = n, .len = len };

		dissect_frame(&p->dissect, linktype, &f, &quoted);
		if (quoted.l4_offset && quoted.l4_offset <= n && n - quoted.l4_offset >= 8)
			l4 = quoted.l4_offset;
	}
	e = packet(p, linktype, q, n, len, depth - 1);
	e.header = at_most(e.header, e.known);
	return l4 && e.known >= l4 && e.header < l4 + 8 ? l4 + 8 : e.header;
}

static struct ends icmp(struct privacy *p, const struct model_view *v, uint8_t *b, uint32_t caplen,
			unsigned depth)
{
	struct ends e = { v->payload_offset, v->payload_offset };
	uint8_t *m = b + v->l4_offset;
	uint32_t n = at_most(caplen - v->l4_offset, v->l4_len);

	if (v->has_ports) {
		e.known = NO_END;	/* an echo's payload */
		return e;
	}
	if (v->ip.version == 6 &&
	    (v->icmp_type == ND_SOLICITATION || v->icmp_type == ND_ADVERTISEMENT)) {
		e.header = e.known = v->l4_offset + rewrite_neighbour(p, m, n);
		return e;
	}
	if (v->ip.version == 4 && v->icmp_type == ICMP_REDIRECT && n >= 8)
		privacy_v4_bytes(p, m + 4);
	/* Behind the quoted headers are payload and RFC 4884's extensions. */
	if (v->quote.version && v->payload_offset <= caplen)
		e.header = e.known = v->payload_offset +
				     quote(p, v, b + v->payload_offset,
					   at_most(caplen - v->payload_offset, v->payload_cap),
					   depth);
	return e;
}

static bool is_vxlan_port(const struct privacy *p, uint16_t port)
{
	for (unsigned i = 0; i < p->dissect.n_vxlan_ports; i++)
		if (port == p->dissect.vxlan_ports[i])
			return true;
	return false;
}

/* A pod's own VXLAN datagram inside that of the node. */
static bool is_nested(const struct privacy *p, const struct model_view *v, const uint8_t *b)
{
	return v->ip.protocol == MODEL_PROTO_UDP && v->encap && v->payload_cap >= 8 &&
	       b[v->payload_offset] & 0x08 && is_vxlan_port(p, v->dport);
}

/* Some other tunnel: what is in there has addresses, and nobody looks. */
static bool is_other_tunnel(const struct privacy *p, uint16_t port)
{
	enum { VXLAN_GPE = 4790, GENEVE = 6081, GTP_U = 2152 };

	return is_vxlan_port(p, port) || port == VXLAN_GPE || port == GENEVE || port == GTP_U;
}

/* The innermost transport header and what is behind it. */
static struct ends transport(struct privacy *p, const struct model_view *v, uint8_t *b,
			     uint32_t caplen, unsigned depth)
{
	struct ends e = { v->payload_offset, NO_END };

	if (v->ip.frag_off) {
		e.header = v->l4_offset;
		if (v->ip.frag_off < LATER_FRAGMENT_MIN)
			e.known = v->l4_offset;
		return e;
	}
	switch (v->ip.protocol) {
	case MODEL_PROTO_TCP:
		if (v->tcp_options_len && p->anonymous)
			hide_tcp_options(b + v->l4_offset + 20, v->tcp_options_len);
		return e;
	case MODEL_PROTO_UDP:
		if (is_nested(p, v, b)) {
			uint32_t at = v->payload_offset + 8;
			struct ends deeper = { 0, 0 };

			if (depth)
				deeper = packet(p, MODEL_LINKTYPE_ETHERNET, b + at,
						v->payload_cap - 8, v->payload_len - 8, depth - 1);
			e.header = at + deeper.header;
			e.known = deeper.known == NO_END ? NO_END : at + deeper.known;
		} else if (is_other_tunnel(p, v->dport)) {
			e.known = v->payload_offset;
		}
		return e;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		if ((v->ip.protocol == MODEL_PROTO_ICMP) == (v->ip.version == 4))
			return icmp(p, v, b, caplen, depth);
		break;
	case MODEL_PROTO_SCTP:
		if (!sctp_is_plain(b + v->payload_offset, v->payload_cap))
			e.known = v->payload_offset;
		return e;
	default:
		break;
	}
	e.header = e.known = v->l4_offset ? v->l4_offset : v->ip.offset + v->ip.header_len;
	return e;
}

static struct ends inner(struct privacy *p, const struct model_view *v, uint8_t *b,
			 uint32_t caplen, unsigned depth)
{
	struct ends e = { v->stop_offset, v->stop_offset };
	uint32_t known = NO_END;

	if (v->status == MODEL_VIEW_NOT_IP && v->arp_op) {
		rewrite_arp(p, b + v->stop_offset);
		e.header = e.known = v->stop_offset + ARP_LEN;
		return e;
	}
	if (!v->ip.version)
		return e;
	struct pseudo ps = rewrite_ip(p, b, caplen, &v->ip, &known);
	/* Payload that is not looked into stays, and need not be summed. */
	uint32_t span = v->ip.protocol == MODEL_PROTO_TCP		     ? TCP_MAX
			: v->ip.protocol == MODEL_PROTO_UDP && !is_nested(p, v, b) ? UDP_LEN
										    : UINT32_MAX;
	struct l4 l = l4_begin(p, b, caplen, v->l4_offset, v->l4_len, span, &v->ip, &ps);
	if (v->status == MODEL_VIEW_OK)
		e = transport(p, v, b, caplen, depth);
	l4_end(&l, &ps);
	e.known = at_most(e.known, known);
	return e;
}

static struct ends packet(struct privacy *p, uint16_t linktype, uint8_t *b, uint32_t caplen,
			  uint32_t len, unsigned depth)
{
	const struct model_frame f = { .data = b, .caplen = caplen, .len = len };
	struct model_view v;
	struct ends e;

	dissect_frame(&p->dissect, linktype, &f, &v);
	if (p->anonymous)
		rewrite_link(p, linktype, b, caplen);
	if (v.encap) {
		uint32_t udp = v.encap_len - 16, known = NO_END;
		uint32_t udp_len = v.outer.offset + v.outer.len - udp;
		struct pseudo ps = rewrite_ip(p, b, caplen, &v.outer, &known);
		struct l4 l = l4_begin(p, b, caplen, udp, udp_len, UINT32_MAX, &v.outer,
				       &ps);

		if (p->anonymous && caplen > v.eth_offset)
			rewrite_link(p, MODEL_LINKTYPE_ETHERNET, b + v.eth_offset,
				     caplen - v.eth_offset);
		e = inner(p, &v, b, caplen, depth);
		l4_end(&l, &ps);
		e.known = at_most(e.known, known);
	} else {
		e = inner(p, &v, b, caplen, depth);
	}
	e.header = at_most(e.header, caplen);
	return e;
}

uint32_t privacy_frame(struct privacy *p, uint16_t linktype, const uint8_t *data, uint32_t caplen,
		       uint32_t len, const uint8_t **ret_data)
{
	struct ends e;

	caplen = at_most(caplen, p->frame_max);
	if (p->no_payload)
		caplen = at_most(caplen, HEADERS_MAX);
	memcpy(p->frame, data, caplen);
	*ret_data = p->frame;
	e = packet(p, linktype, p->frame, caplen, len, DEPTH_MAX);
	if (p->anonymous)
		caplen = at_most(caplen, e.known);
	return p->no_payload ? at_most(caplen, e.header) : caplen;
}

struct privacy *privacy_new(const struct privacy_config *config, struct err *err)
{
	static const uint16_t usual[] = { MODEL_VXLAN_PORT, MODEL_VXLAN_PORT_IANA };
	struct privacy *p = calloc(1, sizeof(*p) + config->frame_max);

	if (!p) {
		err_sys(err, ENOMEM, "privacy");
		return NULL;
	}
	p->no_payload = config->no_payload;
	p->anonymous = config->key != NULL;
	p->frame_max = config->frame_max;
	for (unsigned i = 0; i < config->n_vxlan_ports && i < 6; i++)
		p->dissect.vxlan_ports[p->dissect.n_vxlan_ports++] = config->vxlan_ports[i];
	for (unsigned i = 0; i < sizeof(usual) / sizeof(usual[0]); i++)
		p->dissect.vxlan_ports[p->dissect.n_vxlan_ports++] = usual[i];
	if (config->key)
		privacy_setup_key(p, config->key);
	return p;
}

void privacy_free(struct privacy *p)
{
	if (!p)
		return;
	explicit_bzero(p, sizeof(*p));
	free(p);
}
