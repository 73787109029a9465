/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arp.c - ARP for IPv4 over Ethernet, RFC 826.
 *
 *   htype(2) ptype(2) hlen(1) plen(1) op(2) | sender MAC(6) IP(4) target MAC(6) IP(4)
 */
#include "dissect_priv.h"

#define ARP_FIXED_LEN 8
#define ARP_ADDRS_LEN 20

void dissect_arp(struct dissect *d)
{
	struct model_view *v = d->view;
	uint32_t start = dissect_pos(d);
	const uint8_t *p = dissect_take(d, ARP_FIXED_LEN, MODEL_LAYER_ARP);
	const uint8_t *addrs;

	if (!p)
		return;
	if (bytes_load_be16(p) == 1 && bytes_load_be16(p + 2) == DISSECT_ETHERTYPE_IP4 &&
	    p[4] == 6 && p[5] == 4) {
		addrs = dissect_take(d, ARP_ADDRS_LEN, MODEL_LAYER_ARP);
		if (!addrs)
			return;
		v->arp_op = bytes_load_be16(p + 6);
		v->arp_sender = addr_from_v4(addrs + 6);
		v->arp_target = addr_from_v4(addrs + 16);
	}
	dissect_stop(d, MODEL_VIEW_NOT_IP, MODEL_LAYER_ARP, start);
}
