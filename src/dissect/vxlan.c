/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vxlan.c - the VXLAN header, RFC 7348, and the step into the frame it carries.
 *
 *   0 flags(8: I = 0x08) | 1 reserved(24) | 4 vni(24) | 7 reserved(8)
 *
 * "Reserved bits ... MUST be ignored on receipt" (section 5), so that group
 * policy bits and the like change nothing. Without the I flag there is no VNI:
 * the datagram is something else that uses the port.
 */
#include "dissect_priv.h"

#define VXLAN_LEN 8
#define VXLAN_FLAG_I 0x08
#define VXLAN_GSO_SEGMENT_MIN 64	/* shorter ones could be trailers; an MSS is 88 or more */

/* What the view said of the frame so far becomes the outer; the rest is clean again. */
static void vxlan_descend(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d);

	v->encap = true;
	v->outer = v->ip;
	v->outer_sport = v->sport;
	v->outer_dport = v->dport;
	v->outer_udp_len = v->udp_len;
	v->encap_len = start;

	/*
	 * In the first fragment of an outer datagram the UDP header knows how long the
	 * inner frame is: what is not here is then missing, not wrong.
	 */
	if (d->open)
		d->end = v->l4_offset + v->udp_len;

	v->eth_offset = start;
	v->eth_len = d->end - start;
	v->eth_header_len = 0;
	v->ethertype = 0;
	v->vlan = MODEL_NO_VLAN;
	memset(&v->ip, 0, sizeof(v->ip));
	v->has_ports = false;
	v->sport = 0;
	v->dport = 0;
	v->l4_offset = 0;
	v->l4_len = 0;
	v->udp_len = 0;
	d->open = false;
	d->inner = true;
}

/*
 * Partial segmentation offload: a device that can repeat headers but not rewrite their
 * lengths (Linux SKB_GSO_PARTIAL: most real NICs for tunnels with UDP checksum) is handed a
 * super-frame in which every length, outer and inner, is that of one segment
 * (__skb_udp_tunnel_segment(), inet_gso_segment()). The tap sees that frame: what looks like
 * a trailer is whole segments' payload. Only then is the rest a multiple of the payload.
 */
static void vxlan_partial_gso(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t end = v->outer.offset + v->outer.len, more = d->frame_len - end, left;

	if (more == 0 || v->payload_len < VXLAN_GSO_SEGMENT_MIN || more % v->payload_len != 0)
		return;
	if (v->outer.frag || v->ip.frag || v->ip.protocol != MODEL_PROTO_TCP ||
	    v->ip.offset + v->ip.len != end || v->eth_offset + v->eth_len != end)
		return;
	v->gso_segment = v->payload_len;
	v->outer.len += more;
	v->eth_len += more;
	v->ip.len += more;
	v->l4_len += more;
	v->payload_len += more;
	left = d->frame_caplen > v->payload_offset ? d->frame_caplen - v->payload_offset : 0;
	v->payload_cap = left < v->payload_len ? left : v->payload_len;
}

bool dissect_vxlan(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d);
	uint32_t wire = d->open ? v->udp_len - (uint32_t)DISSECT_UDP_LEN : d->end - start;
	const uint8_t *p;

	if (wire < VXLAN_LEN)
		return false;
	if (bytes_has(&d->in, 1) && !(d->in.data[start] & VXLAN_FLAG_I))
		return false;
	p = bytes_take(&d->in, VXLAN_LEN);
	if (!p) {
		/* Cut before it could be told: the view shows the outer packet as its own. */
		dissect_payload(d, start);
		dissect_stop(d, MODEL_VIEW_TRUNCATED, MODEL_LAYER_VXLAN, start);
		return true;
	}
	v->vxlan_flags = p[0];
	v->vni = bytes_load_be32(p + 4) >> 8;
	v->outer_udp_csum = bytes_load_be16(p - 2);
	vxlan_descend(d);
	if (v->eth_len < DISSECT_ETH_LEN) {
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_VXLAN, v->eth_offset);
		return true;
	}
	dissect_ethernet(d);
	vxlan_partial_gso(d);
	return true;
}
