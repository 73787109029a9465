/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe.c - reduces a frame and its view to what matching compares.
 *
 * Theory of operation
 *
 * Between two hops of a node the kernel may change MAC addresses, VLAN tag, TTL,
 * the IPv4 header checksum, ECN and DSCP, and (offload) the transport checksum;
 * address translation may change one address and port, or both. Everything else
 * stays. Three hashes hold "everything else":
 *
 *   head  protocol, IP id, flow label, lengths and the transport header without
 *         ports and checksum
 *   body  the payload, over the bytes that every hop captures (depth)
 *   sig   TCP: what all segments cut from one super-frame, or merged into one,
 *         have in common: acknowledgement number, options, flags without
 *         PSH, FIN and CWR (net/ipv4/tcp_offload.c: tcp_gso_segment copies the
 *         header and clears PSH and FIN on all but the last, CWR on all but the first;
 *         tcp_gro_receive merges only what agrees in the rest). The window is not in
 *         it: GRO keeps the first one.
 *
 * Addresses and ports are kept apart, in the tuple: flows relate them.
 */
#include "correlate_priv.h"

#include <string.h>
/* Keys are short: a call into the library would cost more than the hash. */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "podhop/bytes.h"
#include "podhop/hash.h"

#define TCP_HEADER_MIN 20u
#define TCP_HEADER_MAX 60u
#define UDP_HEADER 8u
#define SCTP_HEADER 12u
#define ICMP_HEADER 8u
#define ETHERNET_MACS 12u
#define VXLAN_AND_UDP 16u
#define FRAGMENT_MTU_MIN 576u	/* RFC 791: no link of this century cuts smaller ones */
#define FRAGMENT_MTU_MIN6 1280u	/* RFC 8200, section 5 */

static uint32_t pod_slot(const struct addr *a)
{
	uint64_t lo, hi;

	memcpy(&hi, a->b, sizeof(hi));
	memcpy(&lo, a->b + 8, sizeof(lo));
	return (uint32_t)hash_mix(hi, lo, 1);
}

int observe_pod_of(const struct correlate *c, const struct addr *a)
{
	for (uint32_t i = pod_slot(a);; i++) {
		const struct pod_entry *e = &c->pods[i & (POD_TABLE_SIZE - 1)];
		if (e->pod < 0)
			return -1;
		if (addr_eq(&e->addr, a))
			return e->pod;
	}
}

void observe_add_pod(struct correlate *c, const struct addr *a, int pod)
{
	for (uint32_t i = pod_slot(a);; i++) {
		struct pod_entry *e = &c->pods[i & (POD_TABLE_SIZE - 1)];
		if (e->pod < 0) {
			e->addr = *a;
			e->pod = pod;
			return;
		}
		if (addr_eq(&e->addr, a))
			return;
	}
}

uint32_t observe_depth(const struct model_net *net)
{
	/* Ethernet, two VLAN tags, and VXLAN over IPv6 in front of the inner IP header. */
	const uint32_t plain = 14 + 8, encapsulated = MODEL_VXLAN_OVERHEAD_V6 + 8;
	uint32_t depth = UINT32_MAX;

	for (unsigned i = 0; i < net->n_hops; i++) {
		const struct model_hop *h = &net->hops[i];
		uint32_t cost = plain;

		if (h->role == MODEL_ROLE_UNDERLAY || h->role == MODEL_ROLE_NONE)
			cost += encapsulated;
		if (!h->snaplen || h->snaplen >= 65535)
			continue;
		uint32_t d = h->snaplen > cost ? h->snaplen - cost : 0;
		if (d < depth)
			depth = d;
	}
	return depth;
}

/*
 * libpcap does not say which way a frame crossed an Ethernet device, the MAC
 * addresses do: a device sends with its own (bridge, VTEP, NIC), and a host veth
 * receives what the pod's own MAC sent. The destination is looked at first, because
 * a hairpinned frame keeps the pod's MAC as source (br_netfilter, D 5.4).
 */
static enum model_way way_of(const struct correlate *c, const struct model_frame *f,
			     const struct model_view *v)
{
	const struct model_hop *h = &c->net->hops[f->hop];
	const struct mac *own = &h->mac;
	struct mac dst, src;

	if (f->way != MODEL_WAY_UNKNOWN)
		return f->way;
	if (v->sll_way != MODEL_WAY_UNKNOWN)
		return v->sll_way;
	if (h->linktype != MODEL_LINKTYPE_ETHERNET || f->caplen < ETHERNET_MACS)
		return MODEL_WAY_UNKNOWN;
	memcpy(dst.b, f->data, sizeof(dst.b));
	memcpy(src.b, f->data + sizeof(dst.b), sizeof(src.b));

	if (h->role == MODEL_ROLE_VETH) {
		const struct model_pod *pod = h->pod >= 0 ? &c->net->pods[h->pod] : NULL;

		if (pod && !mac_is_none(&pod->mac)) {
			if (mac_eq(&dst, &pod->mac))
				return MODEL_WAY_OUT;
			return mac_eq(&src, &pod->mac) ? MODEL_WAY_IN : MODEL_WAY_OUT;
		}
		if (v->ip.version && observe_pod_of(c, &v->ip.src) >= 0)
			return MODEL_WAY_IN;
		if (v->ip.version && observe_pod_of(c, &v->ip.dst) >= 0)
			return MODEL_WAY_OUT;
		return MODEL_WAY_UNKNOWN;
	}
	if (mac_is_none(own))
		return MODEL_WAY_UNKNOWN;
	return mac_eq(&src, own) ? MODEL_WAY_OUT : MODEL_WAY_IN;
}

static uint64_t head_hash(const struct correlate *c, const struct model_frame *f,
			  const struct model_view *v, struct correlate_obs *o)
{
	struct {
		uint32_t ip_id, flow_label, l4_len, first;
		uint8_t protocol, version, pad[2];
		uint8_t header[TCP_HEADER_MAX];
	} h;
	size_t n = 0;
	const uint8_t *l4 = NULL;
	uint32_t have = 0;

	memset(&h, 0, offsetof(__typeof__(h), header));
	h.ip_id = v->ip.has_id ? v->ip.id : 0;
	h.flow_label = v->ip.flow_label;
	h.l4_len = v->l4_len;
	h.protocol = v->ip.protocol;
	h.version = v->ip.version;
	if (v->l4_offset && v->l4_offset < f->caplen) {
		l4 = f->data + v->l4_offset;
		have = f->caplen - v->l4_offset;
	}
	switch (v->ip.protocol) {
	case MODEL_PROTO_TCP:
		if (!v->has_ports || !l4)
			break;
		n = TCP_HEADER_MIN + v->tcp_options_len;
		if (n > have)
			n = have;
		if (n > TCP_HEADER_MAX)
			n = TCP_HEADER_MAX;
		if (n < TCP_HEADER_MIN)
			break;
		n -= 4; /* ports are in the tuple */
		memcpy(h.header, l4 + 4, n);
		h.header[12] = h.header[13] = 0; /* checksum */
		uint64_t shared_flags = v->tcp_flags & ~(unsigned)(MODEL_TCP_PSH | MODEL_TCP_FIN |
								   MODEL_TCP_CWR);
		o->sig =
			(uint32_t)XXH3_64bits_withSeed(l4 + TCP_HEADER_MIN, n + 4 - TCP_HEADER_MIN,
						       hash_mix(v->tcp_ack, shared_flags, c->seed));
		break;
	case MODEL_PROTO_UDP:
		if (v->has_ports)
			h.first = v->udp_len;
		break;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		h.first = (uint32_t)v->icmp_type << 24 | (uint32_t)v->icmp_code << 16 | v->icmp_seq;
		/* An error's quote is translated with it, but its id and sequence stay. */
		if (v->quote.version) {
			memcpy(h.header, &v->quote.id, sizeof(v->quote.id));
			memcpy(h.header + 4, &v->quote.seq, sizeof(v->quote.seq));
			n = 8;
		}
		break;
	case MODEL_PROTO_SCTP:
		if (have >= 8)
			memcpy(&h.first, l4 + 4, sizeof(h.first)); /* verification tag */
		break;
	default:
		break;
	}
	return XXH3_64bits_withSeed(&h, offsetof(__typeof__(h), header) + n, c->seed);
}

static uint64_t body_hash(const struct correlate *c, const struct model_frame *f,
			  const struct model_view *v, uint32_t *ret_len)
{
	uint32_t skip, n = v->payload_cap;

	*ret_len = 0;
	if (!v->payload_len || v->quote.version)
		return 0;
	skip = v->payload_offset - v->ip.offset;
	if (skip >= c->depth)
		return 0;
	if (n > c->depth - skip)
		n = c->depth - skip;
	if (!n)
		return 0;
	*ret_len = n;
	return XXH3_64bits_withSeed(f->data + v->payload_offset, n, c->seed);
}

/*
 * What a datagram and its first fragment both show: UDP's length or ICMP's number, and
 * the first bytes of the payload, of which the smallest first fragment has enough. An IPv6
 * datagram that was put together and cut again bears another id; this it keeps.
 */
static uint32_t token_of(const struct correlate *c, const struct model_frame *f,
			 const struct model_view *v)
{
	uint32_t n = v->payload_cap < TOKEN_BYTES ? 0 : TOKEN_BYTES, skip;
	uint64_t what = v->ip.protocol;

	if (v->payload_offset) {
		skip = v->payload_offset - v->ip.offset;
		if (skip >= c->depth)
			n = 0;
		else if (n > c->depth - skip)
			n = c->depth - skip;
	}
	what = what << 32 | (v->ip.protocol == MODEL_PROTO_UDP ? v->udp_len :
			     (uint32_t)v->icmp_type << 16 | v->icmp_seq);
	return (uint32_t)XXH3_64bits_withSeed(f->data + (n ? v->payload_offset : 0), n,
					      hash_mix(what, v->ip.version, c->seed)) | 1;
}

uint64_t flow_hash(const struct correlate *c, const struct result_tuple *t)
{
	struct {
		struct addr src, dst;
		uint16_t sport, dport;
		uint32_t protocol;
	} k = { t->src, t->dst, t->sport, t->dport, t->protocol };

	return XXH3_64bits_withSeed(&k, sizeof(k), c->seed);
}

/* Hops in the order a packet visits them, so that equal stamps sort as they must have happened. */
static uint8_t order_of(const struct correlate *c, const struct correlate_obs *o)
{
	unsigned role = c->net->hops[o->hop].role;
	bool inwards = o->direction == MODEL_DIRECTION_INGRESS;

	if (o->direction == MODEL_DIRECTION_OTHER)
		inwards = (role == MODEL_ROLE_UNDERLAY || role == MODEL_ROLE_VTEP)
				  ? o->way == MODEL_WAY_IN
				  : o->way == MODEL_WAY_OUT;
	/* The second sighting at a veth of a packet from pod to pod comes last. */
	if (role == MODEL_ROLE_VETH && o->way == MODEL_WAY_OUT)
		return 2 * MODEL_ROLE_COUNT;
	return (uint8_t)(inwards ? 2 * MODEL_ROLE_COUNT - 1 - role : role);
}

void correlate_observe(struct correlate *c, const struct model_frame *f,
		       const struct model_view *v, struct correlate_obs *o)
{
	const struct model_hop *hop = &c->net->hops[f->hop];
	int src_pod = -1, dst_pod = -1;

	memset(o, 0, offsetof(struct correlate_obs, outer_src));
	if (v->encap || v->outer_frag || v->ip.frag || v->quote.version)
		memset(&o->outer_src, 0, sizeof(*o) - offsetof(struct correlate_obs, outer_src));
	o->time_ns = f->time_ns;
	o->number = f->number;
	o->hop = f->hop;
	o->len = f->len;
	o->eth_len = v->eth_len;
	o->pod = UINT8_MAX;
	o->way = (uint8_t)way_of(c, f, v);
	if (v->encap) {
		o->flags |= OBS_ENCAP;
		o->vni = v->vni;
		o->encap_len = v->encap_len;
		o->outer_src = v->outer.src;
		o->outer_dst = v->outer.dst;
		o->outer_sport = v->outer_sport;
		o->outer_dport = v->outer_dport;
		o->outer_id = v->outer.id;
		o->flags |= v->outer.dont_fragment ? OBS_OUTER_DF : 0;
		o->flags |= v->outer_udp_csum ? 0 : OBS_OUTER_UNSUMMED;
		if (v->outer.frag && v->outer.frag_more)
			o->flags |= OBS_OUTER_FIRST;
	}

	if (v->status == MODEL_VIEW_MALFORMED || !v->ip.version) {
		o->kind = v->status == MODEL_VIEW_NOT_IP ? KIND_NOT_IP : KIND_MALFORMED;
		if (v->arp_op) {
			src_pod = observe_pod_of(c, &v->arp_sender);
			dst_pod = observe_pod_of(c, &v->arp_target);
		}
		if (hop->role == MODEL_ROLE_VETH || src_pod >= 0 || dst_pod >= 0)
			o->direction = MODEL_DIRECTION_EGRESS; /* concerns a pod: kept */
		o->order = order_of(c, o);
		return;
	}

	o->tuple.src = v->ip.src;
	o->tuple.dst = v->ip.dst;
	o->tuple.protocol = v->ip.protocol;
	o->tuple.has_ports = v->has_ports;
	if (v->has_ports) {
		o->tuple.sport = v->sport;
		o->tuple.dport = v->dport;
	}
	o->tuple_hash = flow_hash(c, &o->tuple);
	o->ip_id = v->ip.has_id ? v->ip.id : 0;
	o->l3_len = v->ip.len;
	o->ttl = v->ip.ttl;
	o->payload_len = v->payload_len;
	o->header_len = v->eth_header_len + v->ip.len - v->payload_len;
	if (v->ip.version == 4)
		o->flags |= OBS_IPV4;
	if (o->ip_id)
		o->flags |= OBS_HAS_ID;
	if (addr_is_multicast(&v->ip.dst))
		o->flags |= OBS_MULTICAST;

	src_pod = observe_pod_of(c, &v->ip.src);
	dst_pod = observe_pod_of(c, &v->ip.dst);
	if (hop->role == MODEL_ROLE_VETH && hop->pod >= 0) {
		/* The veth belongs to the pod whatever addresses its packets bear. */
		if (o->way == MODEL_WAY_IN)
			src_pod = hop->pod;
		else if (o->way == MODEL_WAY_OUT)
			dst_pod = hop->pod;
	}
	o->direction = src_pod >= 0 ? MODEL_DIRECTION_EGRESS
		     : dst_pod >= 0 ? MODEL_DIRECTION_INGRESS
				    : MODEL_DIRECTION_OTHER;
	/* An ICMP error belongs to the pod whose packet it quotes, even between others. */
	if (o->direction == MODEL_DIRECTION_OTHER && v->quote.version &&
	    (observe_pod_of(c, &v->quote.src) >= 0 || observe_pod_of(c, &v->quote.dst) >= 0))
		o->direction = MODEL_DIRECTION_INGRESS;
	if (src_pod >= 0 || dst_pod >= 0)
		o->pod = (uint8_t)(src_pod >= 0 ? src_pod : dst_pod);

	for (unsigned i = 0; i < c->n_bridges; i++) {
		const struct model_hop *b = &c->net->hops[c->bridge[i]];
		if (mac_eq(&b->mac, &v->eth_dst) && !mac_is_none(&b->mac))
			o->flags |= OBS_ROUTED;
	}
	o->order = order_of(c, o);

	if (v->ip.dont_fragment)
		o->flags |= OBS_DF;
	/* TCP is never cut by IP: it asks for path MTU discovery (and IPv6 routers do not cut). */
	if (v->ip.protocol != MODEL_PROTO_TCP &&
	    ((o->flags & OBS_IPV4) ? !v->ip.dont_fragment && v->ip.len > FRAGMENT_MTU_MIN
				   : v->ip.len > FRAGMENT_MTU_MIN6))
		o->flags |= OBS_MAY_FRAGMENT;

	if (v->ip.frag) {
		o->frag_off = v->ip.frag_off;
		o->size = v->ip.len - v->ip.header_len;
		if (!v->ip.frag_more)
			o->flags |= OBS_LAST_FRAGMENT;
		if (!v->encap) { /* as a later fragment on the underlay will look */
			o->outer_src = v->ip.src;
			o->outer_dst = v->ip.dst;
			o->outer_id = v->ip.id;
		}
	}
	if (v->outer_frag && hop->role != MODEL_ROLE_VETH && hop->role != MODEL_ROLE_BRIDGE &&
	    hop->role != MODEL_ROLE_VTEP) {
		o->kind = KIND_OUTER_FRAGMENT;
		return;
	}
	if (o->flags & OBS_OUTER_FIRST) {
		/* How much of the inner frame is in this outer fragment, and where it starts. */
		o->outer_first = v->outer.len - v->outer.header_len;
		o->outer_base = VXLAN_AND_UDP + v->eth_header_len + v->ip.header_len;
	}
	o->head = head_hash(c, f, v, o);
	o->body = body_hash(c, f, v, &o->body_len);
	o->segment = v->gso_segment;
	if (v->quote.version) {
		struct result_tuple quoted = {
			.src = v->quote.src, .dst = v->quote.dst, .protocol = v->quote.protocol,
			.sport = v->quote.has_ports ? v->quote.sport : 0,
			.dport = v->quote.has_ports ? v->quote.dport : 0,
		};
		o->flags |= OBS_ERROR;
		o->quote_hash = flow_hash(c, &quoted);
		o->seq = v->quote.has_seq ? v->quote.seq : 0;
		o->ack = v->quote.has_id ? v->quote.id : 0;
		o->mss = (uint16_t)(v->icmp_type << 8 | v->icmp_code);
	}
	if (v->ip.frag ? o->frag_off == 0 : (o->flags & OBS_MAY_FRAGMENT) != 0)
		o->token = token_of(c, f, v);
	if (v->ip.frag) {
		o->kind = KIND_FRAGMENT;
		return;
	}
	if (v->ip.protocol == MODEL_PROTO_TCP && v->has_ports) {
		o->seq = v->tcp_seq;
		o->ack = v->tcp_ack;
		o->tcp_flags = v->tcp_flags;
		o->tcp_options_len = v->tcp_options_len;
		if (v->tcp_flags & MODEL_TCP_SYN) {
			o->mss = v->tcp_mss;
			o->flags |= OBS_SYN;
		} else if (v->payload_len) {
			o->kind = KIND_TCP_DATA;
			if (o->flags & OBS_OUTER_FIRST)
				o->outer_base +=
					o->header_len - v->eth_header_len - v->ip.header_len;
			o->size = v->payload_len;
			return;
		}
	}
	if ((v->ip.protocol == MODEL_PROTO_ICMP || v->ip.protocol == MODEL_PROTO_ICMPV6) &&
	    v->has_ports) {
		o->seq = v->icmp_seq;
		o->tcp_flags = v->icmp_type;
	}
	o->kind = KIND_WHOLE;
	o->size = v->ip.len - v->ip.header_len;
}
