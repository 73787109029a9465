/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * observe_usual.c - the observation of a usual frame, straight from its bytes.
 *
 * What correlate_observe() makes of such a frame's view, to the bit, at half the cost: a view
 * is filled for whoever may ask, this takes what matching compares. model_parts says
 * where the headers are, and that they are all there.
 */
#include "correlate_priv.h"
#include "observe_priv.h"

#include "podhop/bytes.h"

#define IP4_DF 0x40		/* in the first byte of the fragment word */
#define IP6_FLOW_LABEL 0xfffffu
#define TCP_FLAGS 0x01ffu
#define UDP_CHECKSUM 6
#define VXLAN_VNI 4		/* in front of the inner frame: vni(24), reserved(8) */

static inline void observe_ip(const uint8_t *p, bool is_v4, struct addr *src, struct addr *dst)
{
	*src = is_v4 ? addr_from_v4(p + 12) : addr_from_v6(p + 8);
	*dst = is_v4 ? addr_from_v4(p + 16) : addr_from_v6(p + 24);
}

void observe_tunnel(const struct model_frame *f, const struct model_parts *u,
			   struct correlate_obs *o)
{
	const uint8_t *ip = f->data + u->outer_ip, *udp = f->data + u->outer_l4;

	memset(&o->outer_src, 0, sizeof(*o) - offsetof(struct correlate_obs, outer_src));
	observe_ip(ip, u->outer_is_v4, &o->outer_src, &o->outer_dst);
	o->outer_id = u->outer_is_v4 ? bytes_load_be16(ip + 4) : 0;
	o->outer_ttl = ip[u->outer_is_v4 ? IP4_TTL : IP6_HOP_LIMIT];
	o->outer_sport = bytes_load_be16(udp);
	o->outer_dport = bytes_load_be16(udp + 2);
	o->encap_len = u->eth;
	o->vni = bytes_load_be32(f->data + u->eth - VXLAN_VNI) >> 8;
	o->flags |= OBS_ENCAP;
	if (u->outer_is_v4 && (ip[6] & IP4_DF))
		o->flags |= OBS_OUTER_DF;
	if (!observe_load16(udp + UDP_CHECKSUM))
		o->flags |= OBS_OUTER_UNSUMMED;
}

/* As in observe.c: the veth belongs to the pod whatever addresses its packets bear. */
static inline void observe_whose(const struct correlate *c, const struct hop_state *hop,
				 unsigned way, struct correlate_obs *o)
{
	int src_pod = hop->pod >= 0 && way == MODEL_WAY_IN ? hop->pod
							   : observe_pod(c, &o->tuple.src);
	int dst_pod = hop->pod >= 0 && way == MODEL_WAY_OUT ? hop->pod
							    : observe_pod(c, &o->tuple.dst);

	o->direction = src_pod >= 0 ? MODEL_DIRECTION_EGRESS
		     : dst_pod >= 0 ? MODEL_DIRECTION_INGRESS
				    : MODEL_DIRECTION_OTHER;
	o->pod = src_pod >= 0 ? (uint8_t)src_pod : dst_pod >= 0 ? (uint8_t)dst_pod : UINT8_MAX;
}

static void observe_content(const struct model_frame *f, const struct model_parts *u,
			    struct correlate_obs *o)
{
	const uint32_t at = u->eth, end = at + u->end;

	content_clear(o);
	content_observe(&(struct content_frame){
			.data = f->data, .caplen = f->caplen < end ? f->caplen : end,
			.ip = at + MODEL_ETHERNET_LEN,
			.ip_header_len = u->l4 - MODEL_ETHERNET_LEN, .l4 = at + u->l4,
			.payload = at + u->payload, .payload_len = u->end - u->payload,
			.is_v4 = u->is_v4, .protocol = u->protocol }, o);
}

/* What the IP header says, but for the addresses. Returns flags. */
static inline uint32_t usual_ip(const uint8_t *ip, bool is_v4, struct correlate_obs *o,
				uint32_t *ret_flow_label)
{
	uint32_t flags = addr_is_multicast(&o->tuple.dst) ? OBS_MULTICAST : 0;

	if (!is_v4) {
		*ret_flow_label = bytes_load_be32(ip) & IP6_FLOW_LABEL;
		o->ttl = ip[IP6_HOP_LIMIT];
		return flags;
	}
	o->ip_id = bytes_load_be16(ip + 4);
	o->ttl = ip[IP4_TTL];
	if (ip[6] & IP4_DF)
		flags |= OBS_DF;
	if (o->ip_id)
		flags |= OBS_HAS_ID;
	return flags | OBS_IPV4;
}

/* False: the options of a SYN tell something, which is looked for elsewhere. */
static inline bool usual_tcp(const struct correlate *c, const uint8_t *l4,
			     const struct model_parts *u, struct correlate_obs *o,
			     uint64_t *ret_hash)
{
	o->tcp_flags = bytes_load_be16(l4 + 12) & TCP_FLAGS;
	if (o->tcp_flags & MODEL_TCP_SYN)
		return false;
	o->seq = bytes_load_be32(l4 + 4);
	o->ack = bytes_load_be32(l4 + 8);
	o->tcp_options_len = (uint8_t)(u->payload - u->l4 - TCP_HEADER_MIN);
	*ret_hash = observe_tcp(c, l4, u->payload - u->l4, u->l4 - MODEL_ETHERNET_LEN,
				o->tcp_options_len, o->ack, o->tcp_flags, &o->sig);
	if (o->payload_len) {
		o->kind = KIND_TCP_DATA;
		o->size = o->payload_len;
	}
	return true;
}

/* May the network cut a datagram of that length? */
static inline bool may_be_cut(uint32_t flags, uint32_t l3_len)
{
	return flags & OBS_IPV4 ? !(flags & OBS_DF) && l3_len > FRAGMENT_MTU_MIN
				: l3_len > FRAGMENT_MTU_MIN6;
}

bool correlate_observe_usual(struct correlate *c, const struct model_frame *f,
			     const struct model_parts *u, struct correlate_obs *o)
{
	const struct hop_state *hop = &c->hop[f->hop];
	const uint8_t *eth = f->data + u->eth;
	const uint8_t *ip = eth + MODEL_ETHERNET_LEN, *l4 = eth + u->l4;
	const uint32_t l3_len = u->end - MODEL_ETHERNET_LEN, l4_len = u->end - u->l4;
	/* As all below from eth on. */
	const uint32_t captured = f->caplen - u->eth < u->end ? f->caplen - u->eth : u->end;
	/* What of the IP packet is in front of the payload. */
	const uint32_t headers = u->payload - MODEL_ETHERNET_LEN;
	uint32_t flags, flow_label = 0;
	uint64_t l4_hash = l4_len; /* UDP's header says the same */

	if (f->way == MODEL_WAY_UNKNOWN)
		return false;
	observe_clear(o);
	o->time_ns = f->time_ns;
	o->number = f->number;
	o->hop = f->hop;
	o->len = f->len;
	o->eth_len = f->len - u->eth;
	o->way = f->way;
	o->l3_len = l3_len;
	o->payload_len = u->end - u->payload;
	o->header_len = u->payload;
	o->size = l4_len;

	observe_ip(ip, u->is_v4, &o->tuple.src, &o->tuple.dst);
	o->tuple.sport = bytes_load_be16(l4);
	o->tuple.dport = bytes_load_be16(l4 + 2);
	o->tuple.protocol = u->protocol;
	o->tuple.has_ports = true;
	o->tuple_hash = observe_tuple_hash(c, &o->tuple);

	flags = usual_ip(ip, u->is_v4, o, &flow_label);
	/* Without VXLAN eth is 0, else what the outer headers add. */
	if (l3_len + u->eth > hop->mtu)
		flags |= OBS_LARGE;
	if (u->protocol == MODEL_PROTO_TCP) {
		if (!usual_tcp(c, l4, u, o, &l4_hash))
			return false;
	} else if (may_be_cut(flags, l3_len)) {
		flags |= OBS_MAY_FRAGMENT;
		o->token = observe_token(c, eth + u->payload, captured - u->payload, headers,
					 u->is_v4 ? 4 : 6, (uint64_t)u->protocol << 32 | l4_len);
	}
	o->flags = (uint16_t)flags;
	o->head = observe_head(c, l4_len, o->ip_id, flow_label, u->protocol, u->is_v4 ? 4 : 6,
			       l4_hash);
	if (o->payload_len)
		o->body = observe_body(c, eth + u->payload, captured - u->payload, headers,
				       &o->body_len);

	if (hop->role == c->content_role)
		observe_content(f, u, o);
	observe_whose(c, hop, f->way, o);
	if (u->outer_ip)
		observe_tunnel(f, u, o);
	return true;
}

bool correlate_observe_again(struct correlate *c, const struct model_frame *before,
			     const struct model_frame *f, const struct model_parts *u,
			     struct correlate_obs *o)
{
	const struct hop_state *hop = &c->hop[f->hop];
	const uint32_t l3_len = u->end - MODEL_ETHERNET_LEN;
	uint32_t flags = o->flags & ~(unsigned)(OBS_ENCAP | OBS_LARGE | OBS_OUTER_DF |
						OBS_OUTER_UNSUMMED);

	if (f->way == MODEL_WAY_UNKNOWN || !observe_as_deep(c, before, f, u, flags))
		return false;
	o->again = true;
	o->time_ns = f->time_ns;
	o->number = f->number;
	o->hop = f->hop;
	o->len = f->len;
	o->way = f->way;
	o->ttl = observe_ttl(f, u);
	if (l3_len + u->eth > hop->mtu)
		flags |= OBS_LARGE;
	o->flags = (uint16_t)flags;
	if (hop->role == c->content_role)
		observe_content(f, u, o);
	observe_whose(c, hop, f->way, o);
	if (u->outer_ip)
		observe_tunnel(f, u, o);
	return true;
}
