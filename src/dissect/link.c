/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * link.c - Ethernet with VLAN tags, Linux cooked headers, raw IP.
 */
#include "dissect_priv.h"

#define LINK_VLAN_LEN 4		/* TCI and the next type, IEEE 802.1Q */
#define LINK_VLAN_ID 0x0fff
#define LINK_SLL_LEN 16
#define LINK_SLL2_LEN 20
#define LINK_ARPHRD_FRAD 770		/* the cooked protocol field is no EtherType on these */
#define LINK_ARPHRD_RADIOTAP 803
#define LINK_ARPHRD_NETLINK 824

static bool link_is_vlan(uint16_t type)
{
	return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

/* What a type field announces at the reading position. */
static void link_type(struct dissect *d, uint16_t type)
{
	struct model_view *v = d->view;

	for (unsigned tags = 0; link_is_vlan(type); tags++) {
		uint32_t start = dissect_pos(d);
		const uint8_t *p;

		v->ethertype = type;
		if (tags == DISSECT_VLAN_MAX) {
			dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_VLAN, start);
			return;
		}
		p = dissect_take(d, LINK_VLAN_LEN, MODEL_LAYER_VLAN);
		if (!p)
			return;
		if (tags == 0)
			v->vlan = bytes_load_be16(p) & LINK_VLAN_ID;
		type = bytes_load_be16(p + 2);
	}
	v->ethertype = type;
	v->eth_header_len = dissect_pos(d) - v->eth_offset;

	switch (type) {
	case DISSECT_ETHERTYPE_IP4:
		dissect_ip4(d);
		break;
	case DISSECT_ETHERTYPE_IP6:
		dissect_ip6(d);
		break;
	case DISSECT_ETHERTYPE_ARP:
		dissect_arp(d);
		break;
	default:
		/* Also 802.3 with LLC: the field is then a length below 0x600. */
		dissect_stop(d, MODEL_VIEW_NOT_IP, MODEL_LAYER_LINK, dissect_pos(d));
		break;
	}
}

/*
 * IEEE 802.3, 3.2:  dst(6) src(6) type(2)
 */
void dissect_ethernet(struct dissect *d)
{
	const uint8_t *p = dissect_take(d, DISSECT_ETH_LEN, MODEL_LAYER_LINK);

	if (!p)
		return;
	link_type(d, bytes_load_be16(p + 12));
}

/* sll_pkttype: 0 to us, 1 broadcast, 2 multicast, 3 to another host, 4 sent by us. */
static uint8_t link_sll_way(unsigned pkttype)
{
	if (pkttype == 4)
		return MODEL_WAY_OUT;
	return pkttype < 4 ? MODEL_WAY_IN : MODEL_WAY_UNKNOWN;
}

static void link_cooked(struct dissect *d, unsigned pkttype, unsigned arphrd, uint16_t protocol)
{
	struct model_view *v = d->view;

	v->sll_way = link_sll_way(pkttype);
	if (arphrd == LINK_ARPHRD_FRAD || arphrd == LINK_ARPHRD_RADIOTAP ||
	    arphrd == LINK_ARPHRD_NETLINK) {
		v->eth_header_len = dissect_pos(d);
		dissect_stop(d, MODEL_VIEW_NOT_IP, MODEL_LAYER_LINK, dissect_pos(d));
		return;
	}
	link_type(d, protocol);
}

/*
 * LINKTYPE_LINUX_SLL:  pkttype(2) arphrd(2) addrlen(2) addr(8) protocol(2)
 * The address is the sender's; there is no destination.
 */
void dissect_sll(struct dissect *d)
{
	const uint8_t *p = dissect_take(d, LINK_SLL_LEN, MODEL_LAYER_LINK);

	if (!p)
		return;
	link_cooked(d, bytes_load_be16(p), bytes_load_be16(p + 2), bytes_load_be16(p + 14));
}

/*
 * LINKTYPE_LINUX_SLL2:  protocol(2) 0(2) ifindex(4) arphrd(2) pkttype(1) addrlen(1) addr(8)
 */
void dissect_sll2(struct dissect *d)
{
	const uint8_t *p = dissect_take(d, LINK_SLL2_LEN, MODEL_LAYER_LINK);

	if (!p)
		return;
	d->view->sll2_ifindex = bytes_load_be32(p + 4);
	link_cooked(d, p[10], bytes_load_be16(p + 8), bytes_load_be16(p));
}

/* LINKTYPE_RAW: an IP packet, its first nibble tells which. */
void dissect_raw(struct dissect *d)
{
	if (!bytes_has(&d->in, 1)) {
		dissect_cut(d, 1, MODEL_LAYER_LINK);
		return;
	}
	switch (d->in.data[d->in.pos] >> 4) {
	case 4:
		d->view->ethertype = DISSECT_ETHERTYPE_IP4;
		dissect_ip4(d);
		break;
	case 6:
		d->view->ethertype = DISSECT_ETHERTYPE_IP6;
		dissect_ip6(d);
		break;
	default:
		dissect_stop(d, MODEL_VIEW_MALFORMED, MODEL_LAYER_LINK, dissect_pos(d));
		break;
	}
}
