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
 *         it, as not every device that merges looks at it.
 *
 * Addresses and ports are kept apart, in the tuple: flows relate them.
 */
#include "correlate_priv.h"
#include "observe_priv.h"

#include <string.h>

#include "podhop/bytes.h"

static uint32_t pod_slot(const struct addr *a)
{
	return (uint32_t)hash_mix(observe_load64(a->b), observe_load64(a->b + 8), 1);
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
			*e = (struct pod_entry){ .addr = *a, .pod = pod };
			if (c->n_pod_addrs < POD_ADDRS_FEW)
				c->few[c->n_pod_addrs] = *e;
			c->n_pod_addrs++;
			return;
		}
		if (addr_eq(&e->addr, a))
			return;
	}
}

void observe_learn_hop(struct correlate *c, unsigned hop)
{
	const struct model_hop *h = &c->net->hops[hop];
	const struct model_pod *pod = h->pod >= 0 ? &c->net->pods[h->pod] : NULL;
	struct hop_state *s = &c->hop[hop];

	s->role = (uint8_t)h->role;
	s->mtu = h->mtu ? h->mtu : MODEL_MTU_USUAL;
	s->mtu_is_guess = !h->mtu;
	s->pod = h->role == MODEL_ROLE_VETH ? h->pod : -1;
	s->own_mac = s->pod_mac = 0;
	if (h->linktype != MODEL_LINKTYPE_ETHERNET)
		return;
	if (h->role == MODEL_ROLE_VETH)
		s->pod_mac = pod ? observe_mac(pod->mac.b) : 0;
	else
		s->own_mac = observe_mac(h->mac.b);
}

uint32_t correlate_depth(const struct model_net *net)
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
static inline enum model_way way_by_mac(const struct correlate *c, const struct model_frame *f)
{
	const struct hop_state *h = &c->hop[f->hop];

	if (f->way != MODEL_WAY_UNKNOWN)
		return f->way;
	if (f->caplen < ETHERNET_MACS)
		return MODEL_WAY_UNKNOWN;
	if (h->pod_mac) {
		if (observe_mac(f->data) == h->pod_mac)
			return MODEL_WAY_OUT;
		return observe_mac(f->data + 6) == h->pod_mac ? MODEL_WAY_IN : MODEL_WAY_OUT;
	}
	if (h->own_mac)
		return observe_mac(f->data + 6) == h->own_mac ? MODEL_WAY_OUT : MODEL_WAY_IN;
	return MODEL_WAY_UNKNOWN;
}

enum model_way correlate_way(const struct correlate *c, const struct model_frame *f)
{
	return way_by_mac(c, f);
}

/* Where the link layer does not tell: cooked headers do, and a pod's addresses at its veth. */
static enum model_way way_of(const struct correlate *c, const struct model_frame *f,
			     const struct model_view *v)
{
	enum model_way way = way_by_mac(c, f);
	const struct model_hop *h = &c->net->hops[f->hop];

	if (way != MODEL_WAY_UNKNOWN)
		return way;
	if (v->sll_way != MODEL_WAY_UNKNOWN)
		return v->sll_way;
	if (h->role != MODEL_ROLE_VETH || h->linktype != MODEL_LINKTYPE_ETHERNET ||
	    !v->ip.version)
		return MODEL_WAY_UNKNOWN;
	if (observe_pod(c, &v->ip.src) >= 0)
		return MODEL_WAY_IN;
	return observe_pod(c, &v->ip.dst) >= 0 ? MODEL_WAY_OUT : MODEL_WAY_UNKNOWN;
}

/*
 * Hops in the order a packet visits them, so that equal stamps sort as they must have
 * happened: out of the pod, onto the wire, in from it, into the pod.
 */
static uint8_t order_of(enum model_role role, enum model_way way)
{
	static const uint8_t order[MODEL_ROLE_COUNT][MODEL_WAY_COUNT] = {
		[MODEL_ROLE_NONE] = { [MODEL_WAY_IN] = 4, [MODEL_WAY_OUT] = 5 },
		[MODEL_ROLE_VETH] = { [MODEL_WAY_IN] = 1, [MODEL_WAY_OUT] = 8 },
		[MODEL_ROLE_BRIDGE] = { [MODEL_WAY_IN] = 2, [MODEL_WAY_OUT] = 7 },
		[MODEL_ROLE_VTEP] = { [MODEL_WAY_OUT] = 3, [MODEL_WAY_IN] = 6 },
		[MODEL_ROLE_UNDERLAY] = { [MODEL_WAY_OUT] = 4, [MODEL_WAY_IN] = 5 },
	};

	return order[role][way];
}

uint8_t correlate_order(const struct correlate *c, unsigned hop, enum model_way way,
			enum model_direction direction)
{
	enum model_role role = c->hop[hop].role;

	if (way == MODEL_WAY_UNKNOWN) {
		bool inner = role == MODEL_ROLE_VETH || role == MODEL_ROLE_BRIDGE;
		bool leaves = direction != MODEL_DIRECTION_INGRESS;

		way = inner == leaves ? MODEL_WAY_IN : MODEL_WAY_OUT;
	}
	return order_of(role, way);
}

static uint64_t head_hash(const struct correlate *c, const struct model_frame *f,
			  const struct model_view *v, struct correlate_obs *o)
{
	const uint8_t *l4 = f->data + v->l4_offset;
	uint32_t have = v->l4_offset && v->l4_offset < f->caplen ? f->caplen - v->l4_offset : 0;
	uint64_t l4_hash = 0;

	switch (v->ip.protocol) {
	case MODEL_PROTO_TCP:
		if (v->has_ports)
			l4_hash = observe_tcp(c, l4, have, v->l4_offset - v->ip.offset,
					      v->tcp_options_len, v->tcp_ack, v->tcp_flags,
					      &o->sig);
		break;
	case MODEL_PROTO_UDP:
		if (v->has_ports)
			l4_hash = v->udp_len;
		break;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		l4_hash = (uint64_t)v->icmp_type << 24 | (uint64_t)v->icmp_code << 16 | v->icmp_seq;
		/* An error's quote is translated with it, but its id and sequence stay. */
		if (v->quote.version)
			l4_hash = hash_keyed(l4_hash, (uint64_t)v->quote.id << 32 | v->quote.seq,
					     c->seed, 1);
		break;
	case MODEL_PROTO_SCTP:
		if (have >= 8)
			l4_hash = observe_load32(l4 + 4); /* verification tag */
		break;
	default:
		break;
	}
	return observe_head(c, v->l4_len, v->ip.has_id ? v->ip.id : 0, v->ip.flow_label,
			    v->ip.protocol, v->ip.version, l4_hash);
}

static uint64_t body_hash(const struct correlate *c, const struct model_frame *f,
			  const struct model_view *v, uint32_t *ret_len)
{
	/* A quote is translated with its error; what stays of it tells which packet is meant. */
	uint32_t offset = v->quote.version ? v->quote.rest_offset : v->payload_offset;
	uint32_t captured = v->quote.version ? v->quote.rest_len : v->payload_cap;

	if (v->payload_len && captured)
		return observe_body(c, f->data + offset, captured, offset - v->ip.offset, ret_len);
	*ret_len = 0;
	return 0;
}

static uint32_t token_of(const struct correlate *c, const struct model_frame *f,
			 const struct model_view *v)
{
	uint32_t what = v->ip.protocol == MODEL_PROTO_UDP
				? v->udp_len : (uint32_t)v->icmp_type << 16 | v->icmp_seq;

	return observe_token(c, f->data + v->payload_offset,
			     v->payload_offset ? v->payload_cap : 0,
			     v->payload_offset - v->ip.offset, v->ip.version,
			     (uint64_t)v->ip.protocol << 32 | what);
}

uint64_t flow_hash(const struct correlate *c, const struct result_tuple *t)
{
	return observe_tuple_hash(c, t);
}

/* Of no packet: ARP and the like, or bytes that make no sense. */
static void observe_other(const struct correlate *c, const struct model_view *v,
			  struct correlate_obs *o)
{
	int sender = -1, target = -1;

	o->kind = v->status == MODEL_VIEW_NOT_IP ? KIND_NOT_IP : KIND_MALFORMED;
	if (v->arp_op) {
		sender = observe_pod(c, &v->arp_sender);
		target = observe_pod(c, &v->arp_target);
	}
	if (c->hop[o->hop].role == MODEL_ROLE_VETH || sender >= 0 || target >= 0)
		o->direction = MODEL_DIRECTION_EGRESS; /* concerns a pod: kept */
}

/* Whose the packet is, and which way it goes as the pod sees it. */
static void observe_direction(const struct correlate *c, const struct model_view *v,
			      struct correlate_obs *o)
{
	const struct hop_state *hop = &c->hop[o->hop];
	int src_pod = observe_pod(c, &v->ip.src), dst_pod = observe_pod(c, &v->ip.dst);

	/* The veth belongs to the pod whatever addresses its packets bear. */
	if (hop->pod >= 0 && o->way == MODEL_WAY_IN)
		src_pod = hop->pod;
	else if (hop->pod >= 0 && o->way == MODEL_WAY_OUT)
		dst_pod = hop->pod;
	o->direction = src_pod >= 0 ? MODEL_DIRECTION_EGRESS
		     : dst_pod >= 0 ? MODEL_DIRECTION_INGRESS
				    : MODEL_DIRECTION_OTHER;
	/* An ICMP error belongs to the pod whose packet it quotes, even between others. */
	if (o->direction == MODEL_DIRECTION_OTHER && v->quote.version &&
	    (observe_pod(c, &v->quote.src) >= 0 || observe_pod(c, &v->quote.dst) >= 0))
		o->direction = MODEL_DIRECTION_INGRESS;
	if (src_pod >= 0 || dst_pod >= 0)
		o->pod = (uint8_t)(src_pod >= 0 ? src_pod : dst_pod);
}

static void observe_outer(const struct model_view *v, struct correlate_obs *o)
{
	o->flags |= OBS_ENCAP;
	o->vni = v->vni;
	o->encap_len = v->encap_len;
	o->outer_src = v->outer.src;
	o->outer_dst = v->outer.dst;
	o->outer_sport = v->outer_sport;
	o->outer_dport = v->outer_dport;
	o->outer_id = v->outer.id;
	o->outer_ttl = v->outer.ttl;
	if (v->outer.dont_fragment)
		o->flags |= OBS_OUTER_DF;
	if (!v->outer_udp_csum)
		o->flags |= OBS_OUTER_UNSUMMED;
	if (v->outer.frag && v->outer.frag_more) {
		o->flags |= OBS_OUTER_FIRST;
		/* How much of the inner frame is in this outer fragment, and where it starts. */
		o->outer_first = v->outer.len - v->outer.header_len;
		o->outer_base = VXLAN_AND_UDP + v->eth_header_len + v->ip.header_len;
	}
}

static void observe_fragment(const struct model_view *v, struct correlate_obs *o)
{
	o->kind = KIND_FRAGMENT;
	o->frag_off = v->ip.frag_off;
	if (!v->ip.frag_more)
		o->flags |= OBS_LAST_FRAGMENT;
	if (!v->encap) { /* as a later fragment on the underlay will look */
		o->outer_src = v->ip.src;
		o->outer_dst = v->ip.dst;
		o->outer_id = v->ip.id;
	}
}

static void observe_error(const struct correlate *c, const struct model_view *v,
			  struct correlate_obs *o)
{
	const struct result_tuple quoted = {
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

static void obs_clear_rest(struct correlate_obs *o)
{
	memset(&o->outer_src, 0, sizeof(*o) - offsetof(struct correlate_obs, outer_src));
}

static void observe_tuple(const struct correlate *c, const struct model_view *v,
			  struct correlate_obs *o)
{
	o->tuple.src = v->ip.src;
	o->tuple.dst = v->ip.dst;
	o->tuple.sport = v->sport; /* 0 without ports */
	o->tuple.dport = v->dport;
	o->tuple.protocol = v->ip.protocol;
	o->tuple.has_ports = v->has_ports;
	o->tuple_hash = observe_tuple_hash(c, &o->tuple);
}

/*
 * Too little was kept to tell which packet it is: so it cannot be said of any that it was not seen.
 * (Of TCP's options as much is compared as there is.)
 */
static bool is_cut(const struct model_view *v)
{
	return v->status == MODEL_VIEW_TRUNCATED &&
	       (!v->ip.version || !v->payload_offset || v->layer == MODEL_LAYER_VXLAN);
}

/* What the flags say of the packet's own headers. */
static uint32_t observe_flags(const struct hop_state *hop, const struct model_view *v)
{
	uint32_t flags = v->ip.version == 4 ? OBS_IPV4 : 0;

	if (v->ip.has_id && v->ip.id)
		flags |= OBS_HAS_ID;
	if (addr_is_multicast(&v->ip.dst))
		flags |= OBS_MULTICAST;
	if (v->ip.len + v->encap_len > hop->mtu)
		flags |= OBS_LARGE;
	if (v->ip.dont_fragment)
		flags |= OBS_DF;
	/* TCP is never cut by IP: it asks for path MTU discovery (and IPv6 routers do not cut). */
	if (v->ip.protocol != MODEL_PROTO_TCP &&
	    ((flags & OBS_IPV4) ? !v->ip.dont_fragment && v->ip.len > FRAGMENT_MTU_MIN
				: v->ip.len > FRAGMENT_MTU_MIN6))
		flags |= OBS_MAY_FRAGMENT;
	return flags;
}

/* What only some transport headers have; of a datagram in fragments the first one shows it. */
static void observe_transport(const struct model_view *v, struct correlate_obs *o)
{
	switch (v->ip.protocol) {
	case MODEL_PROTO_TCP:
		if (!v->has_ports || v->ip.frag)
			return;
		o->seq = v->tcp_seq;
		o->ack = v->tcp_ack;
		o->tcp_flags = v->tcp_flags;
		o->tcp_options_len = v->tcp_options_len;
		if (v->tcp_flags & MODEL_TCP_SYN) {
			o->mss = v->tcp_mss;
			o->flags |= OBS_SYN;
		} else if (v->payload_len) {
			o->kind = KIND_TCP_DATA;
			o->size = v->payload_len;
			if (o->flags & OBS_OUTER_FIRST)
				o->outer_base +=
					o->header_len - v->eth_header_len - v->ip.header_len;
		}
		return;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		if (v->has_ports) {
			o->seq = v->icmp_seq;
			o->tcp_flags = v->icmp_type;
		}
		return;
	default:
		return;
	}
}

static void observe_content(const struct model_frame *f, const struct model_view *v,
			    struct correlate_obs *o)
{
	content_observe(&(struct content_frame){
			.data = f->data, .caplen = f->caplen, .ip = v->ip.offset,
			.ip_header_len = v->ip.header_len, .l4 = v->l4_offset,
			.payload = v->payload_offset, .payload_len = v->payload_len,
			.frag_off = v->ip.frag_off, .is_v4 = v->ip.version == 4,
			.is_frag = v->ip.frag, .is_quote = v->quote.version != 0,
			.protocol = v->ip.protocol }, o);
}

void correlate_observe(struct correlate *c, const struct model_frame *f,
		       const struct model_view *v, struct correlate_obs *o)
{
	const struct hop_state *hop = &c->hop[f->hop];

	observe_clear(o);
	if (hop->role == c->content_role)
		content_clear(o);
	if (v->encap || v->outer_frag || v->ip.frag || v->quote.version)
		obs_clear_rest(o);
	o->time_ns = f->time_ns;
	o->number = f->number;
	o->hop = f->hop;
	o->len = f->len;
	o->eth_len = v->eth_len;
	o->way = (uint8_t)way_of(c, f, v);
	if (v->encap)
		observe_outer(v, o);
	if (is_cut(v))
		o->flags |= OBS_CUT;
	if (v->status == MODEL_VIEW_MALFORMED || !v->ip.version) {
		o->tuple = (struct result_tuple){ .protocol = 0 };
		observe_other(c, v, o);
		return;
	}
	observe_tuple(c, v, o);
	o->ip_id = v->ip.has_id ? v->ip.id : 0;
	o->l3_len = v->ip.len;
	o->ttl = v->ip.ttl;
	o->payload_len = v->payload_len;
	o->header_len = v->eth_header_len + v->ip.len - v->payload_len;
	o->size = v->ip.len - v->ip.header_len;
	o->flags |= (uint16_t)observe_flags(hop, v);
	observe_direction(c, v, o);
	if (v->ip.frag)
		observe_fragment(v, o);
	if (v->outer_frag && hop->role != MODEL_ROLE_VETH && hop->role != MODEL_ROLE_BRIDGE &&
	    hop->role != MODEL_ROLE_VTEP) {
		o->kind = KIND_OUTER_FRAGMENT;
		return;
	}
	o->head = head_hash(c, f, v, o);
	o->body = body_hash(c, f, v, &o->body_len);
	o->segment = v->gso_segment;
	if (v->quote.version)
		observe_error(c, v, o);
	if (v->ip.frag ? o->frag_off == 0 : (o->flags & OBS_MAY_FRAGMENT) != 0)
		o->token = token_of(c, f, v);
	observe_transport(v, o);
	if (hop->role == c->content_role)
		observe_content(f, v, o);
}
