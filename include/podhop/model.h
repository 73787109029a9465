/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.h - the vocabulary all modules share: hop, frame, view, node facts.
 *
 * Owns: nothing. Plain structs, no functions but the name tables; whoever
 * fills a struct says who owns what it points to.
 * Never: holds state, knows libpcap, libnl or an output format.
 *
 * Words are those of the contract, section 1. All numbers are in host byte
 * order, all times are nanoseconds since 1970 UTC, all lengths are bytes of an
 * Ethernet frame without FCS, as on the wire unless a name says `cap`.
 */
#ifndef PODHOP_MODEL_H
#define PODHOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/addr.h"

/*
 * Whoever makes a stamp of what others wrote keeps it between these, of 1896 and 2116: differences
 * of two, with any window added, do not overflow. All that a pcap file can say lies between them.
 */
#define MODEL_TIME_MIN_NS (-(1LL << 61))
#define MODEL_TIME_MAX_NS (1LL << 62)

#define MODEL_HOPS_MAX 64	/* hops of one run: 1 bridge + VTEPs + underlays + one veth a pod */
#define MODEL_PODS_MAX 64	/* captured pods of one run */
#define MODEL_POD_ADDRS_MAX 8	/* a dual-stack pod has 2; Multus adds a few */
#define MODEL_HOP_ADDRS_MAX 16
#define MODEL_NAME_MAX 64	/* IFNAMSIZ is 16; a file's if_name may be longer and is cut */
#define MODEL_K8S_NAME_MAX 254	/* DNS subdomain, RFC 1123: 253 */
#define MODEL_REMOTES_MAX 1024	/* remote nodes' pod networks; others are not known */
#define MODEL_ROUTES_MAX 4096	/* one a remote node, each family; flannel's /16 has 256 nodes */

/* What a hop is. The order is the order of a packet that leaves the pod. */
enum model_role {
	MODEL_ROLE_NONE = 0,	/* not known (yet) */
	MODEL_ROLE_VETH,	/* host end of the pod's veth pair */
	MODEL_ROLE_BRIDGE,	/* cni0 */
	MODEL_ROLE_VTEP,	/* flannel.1, flannel-v6.1 */
	MODEL_ROLE_UNDERLAY,	/* eth0, or whichever device carries the VXLAN datagrams */
	MODEL_ROLE_COUNT,
};

/* Which way a frame crossed the device's tap (not the pod's point of view). */
enum model_way {
	MODEL_WAY_UNKNOWN = 0,
	MODEL_WAY_IN,	/* received by the device: on a veth, sent by the pod */
	MODEL_WAY_OUT,	/* sent by the device */
	MODEL_WAY_COUNT,
};

/* A packet's direction as the pod sees it. */
enum model_direction {
	MODEL_DIRECTION_OTHER = 0,	/* of no captured pod */
	MODEL_DIRECTION_EGRESS,
	MODEL_DIRECTION_INGRESS,
	MODEL_DIRECTION_COUNT,
};

const char *model_role_name(enum model_role role);	/* "veth"; "none" for NONE */
enum model_role model_role_parse(const char *name);	/* NONE when it is no role */
const char *model_direction_name(enum model_direction d);	/* "egress" */
/* "tcp", "udp", "icmp", "icmpv6", "sctp"; NULL for others (print the number). */
const char *model_protocol_name(uint8_t ip_protocol);
/* The same for people: "proto-89" for others. Writes to out and returns it. */
#define MODEL_PROTOCOL_TEXT_MAX 16
const char *model_protocol_text(uint8_t ip_protocol, char out[static MODEL_PROTOCOL_TEXT_MAX]);

/* LINKTYPE_ values of pcap files that the dissector understands. */
enum model_linktype {
	MODEL_LINKTYPE_ETHERNET = 1,
	MODEL_LINKTYPE_RAW = 101,
	MODEL_LINKTYPE_LINUX_SLL = 113,
	MODEL_LINKTYPE_IPV4 = 228,
	MODEL_LINKTYPE_IPV6 = 229,
	MODEL_LINKTYPE_LINUX_SLL2 = 276,
};

/* A place where frames are captured. */
struct model_hop {
	char name[MODEL_NAME_MAX];	/* the device's real name, "?" when the file has none */
	enum model_role role;
	uint32_t ifindex;		/* 0 when not known */
	uint16_t linktype;		/* LINKTYPE_ value of its frames */
	uint32_t snaplen;		/* bytes kept of a frame; 0: no limit known */
	uint32_t mtu;			/* 0 when not known */
	struct mac mac;			/* all zero when not known */
	struct prefix addrs[MODEL_HOP_ADDRS_MAX];
	unsigned n_addrs;
	/* vtep: its own; underlay: of the (first) VTEP that sends through it. */
	uint32_t vni;
	uint16_t vxlan_port;		/* 0 when not known */
	bool has_vni;
	bool filtered;			/* its capture left out frames that other hops may show */
	int pod;			/* veth: index into model_net.pods; else -1 */
};

/* A captured pod. */
struct model_pod {
	char namespace_[MODEL_K8S_NAME_MAX];	/* "" when not known */
	char name[MODEL_K8S_NAME_MAX];		/* "" when not known */
	struct addr addrs[MODEL_POD_ADDRS_MAX];
	unsigned n_addrs;
	struct mac mac;		/* of the pod's own end of the veth pair */
};

/* Where the node sends packets for a prefix; decides which hops a path needs. */
enum model_route_kind {
	MODEL_ROUTE_UNKNOWN = 0,
	MODEL_ROUTE_NODE,	/* an address of the node itself */
	MODEL_ROUTE_LOCAL,	/* pods of this node, behind the bridge */
	MODEL_ROUTE_VTEP,	/* remote pods, inside VXLAN */
	MODEL_ROUTE_DIRECT,	/* plain on the underlay: host-gw, DirectRouting, outside */
	MODEL_ROUTE_BLACKHOLE,	/* blackhole, unreachable, prohibit */
	MODEL_ROUTE_COUNT,
};

const char *model_route_name(enum model_route_kind kind);	/* "vtep" */
/* False when it is no kind: *ret_kind stays as it is. */
bool model_route_parse(const char *name, enum model_route_kind *ret_kind);

struct model_route {
	struct prefix dst;
	enum model_route_kind kind;
	uint32_t mtu;		/* of the route or its device; 0 when not known */
	uint32_t ifindex;	/* 0 when not known */
};

/*
 * Where a remote node's pods are to be reached: the route's gateway, its neighbour's MAC and that
 * MAC's FDB entry, joined.
 */
struct model_remote {
	struct prefix pods;
	struct addr node;	/* the FDB entry's destination */
};

/*
 * What is known about the node before the first frame: read over netlink on a
 * live node, from the file's own header blocks otherwise. Absent facts are
 * empty; the correlator then learns what the frames themselves show.
 */
struct model_net {
	char node[MODEL_K8S_NAME_MAX];	/* "" when not known */
	struct model_hop hops[MODEL_HOPS_MAX];
	unsigned n_hops;
	struct model_pod pods[MODEL_PODS_MAX];
	unsigned n_pods;
	struct model_route *routes;	/* any order; the longest prefix decides */
	unsigned n_routes;
	bool routes_known;		/* routes holds the node's whole table */
	bool filtered;			/* only a part of its packets was kept: nobody says which */
	bool routes_differ;		/* files of it tell different ones: they are not known */
	struct model_remote remotes[MODEL_REMOTES_MAX];	/* as the capture began; any order */
	unsigned n_remotes;
	uint16_t vxlan_ports[8];	/* UDP ports to decode as VXLAN */
	unsigned n_vxlan_ports;
};

/* One captured frame; `data` is borrowed for as long as its giver says. */
struct model_frame {
	int64_t time_ns;	/* MODEL_TIME_MIN_NS to MODEL_TIME_MAX_NS */
	const uint8_t *data;
	uint32_t caplen;
	uint32_t len;		/* on the wire, >= caplen */
	uint16_t hop;		/* index into model_net.hops */
	uint8_t way;		/* enum model_way */
	uint64_t drops;		/* frames known lost at this hop since its frame before */
	uint64_t number;	/* of the frame in its file or stream, from 1 */
};

/*
 * A word that was just stored by itself, loaded by itself. Compilers copy two neighbours with one
 * load of both, which a processor cannot serve from two stores that are under way: it waits until
 * both have reached the cache, some 15 cycles, for every frame.
 */
static inline uint32_t model_word(uint32_t v)
{
	__asm__("" : "+r"(v));
	return v;
}

/* How far the dissector came. */
enum model_view_status {
	MODEL_VIEW_OK = 0,	/* every header that podhop knows was read */
	MODEL_VIEW_NOT_IP,	/* a sound frame that carries no IP: ARP, LLDP, ... */
	MODEL_VIEW_TRUNCATED,	/* the snap length cut a header; what came before is valid */
	MODEL_VIEW_MALFORMED,	/* a header contradicts itself or the frame */
	MODEL_VIEW_COUNT,
};

enum model_layer {
	MODEL_LAYER_NONE = 0,
	MODEL_LAYER_LINK,
	MODEL_LAYER_VLAN,
	MODEL_LAYER_ARP,
	MODEL_LAYER_IPV4,
	MODEL_LAYER_IPV6,
	MODEL_LAYER_UDP,
	MODEL_LAYER_TCP,
	MODEL_LAYER_SCTP,
	MODEL_LAYER_ICMP,
	MODEL_LAYER_VXLAN,
	MODEL_LAYER_COUNT,
};

/* One IP header with what IPv4 and IPv6 have in common. */
struct model_ip {
	struct addr src, dst;
	uint32_t id;		/* IPv4 identification; IPv6: of the fragment header */
	uint32_t offset;	/* of the header in the captured data */
	uint32_t header_len;	/* IPv4 with options; IPv6 with all extension headers */
	uint32_t len;		/* header and payload on the wire, BIG TCP resolved */
	uint32_t frag_off;	/* bytes; 0 when not a later fragment */
	uint32_t flow_label;	/* IPv6 */
	uint8_t version;	/* 4, 6; 0: no IP header */
	uint8_t ttl;		/* or hop limit */
	uint8_t tos;		/* DSCP and ECN */
	uint8_t protocol;	/* of the transport header, behind IPv6 extensions */
	bool dont_fragment;
	bool frag;		/* is a fragment (of any offset) */
	bool frag_more;		/* not the last one */
	bool has_id;		/* IPv4, or IPv6 with a fragment header */
};

/* The packet that an ICMP error quotes. */
struct model_quote {
	struct addr src, dst;
	uint32_t id;
	uint32_t seq;		/* TCP */
	uint32_t len;		/* total length field of the quoted header */
	/* in the frame: captured bytes behind all that a translation of the quote changes */
	uint32_t rest_offset, rest_len;
	uint16_t sport, dport;	/* ICMP echo: sport = id */
	uint8_t version;	/* 0: nothing (usable) quoted */
	uint8_t protocol;
	bool has_id, has_ports, has_seq;
	bool frag;		/* quoted a later fragment: no ports */
};

#define MODEL_NO_VLAN 0xffff

/*
 * What one frame says, read once. `ip` and all below it describe the pod's
 * packet: the inner one of a VXLAN datagram, else the frame's own.
 */
struct model_view {
	uint8_t status;		/* enum model_view_status */
	uint8_t layer;		/* enum model_layer: where reading stopped, when not OK */
	uint32_t stop_offset;	/* byte in the captured data at which it stopped */

	/* ---- outer, valid when encap or outer_frag is set */
	bool encap;		/* a VXLAN header was read */
	bool outer_frag;	/* a later fragment of a UDP datagram to a VXLAN port cannot be told
				 * from others: any later UDP fragment whose inner cannot be read */
	struct model_ip outer;
	uint16_t outer_sport, outer_dport, outer_udp_len, outer_udp_csum;
	uint32_t vni;
	uint8_t vxlan_flags;
	/* Ethernet with VLAN, IP with options, UDP, VXLAN: where the inner frame starts */
	uint32_t encap_len;

	/* ---- the packet's own Ethernet frame */
	uint32_t eth_offset;	/* 0, or encap_len */
	uint32_t eth_len;	/* wire length of that frame: frame length less eth_offset */
	uint32_t eth_header_len;	/* with VLAN tags; 0 for raw IP link types */
	uint16_t ethertype;	/* behind VLAN tags */
	uint16_t vlan;		/* outermost VLAN id, MODEL_NO_VLAN without a tag */
	uint8_t sll_way;	/* enum model_way as a cooked header says it; UNKNOWN otherwise */
	uint32_t sll2_ifindex;	/* LINUX_SLL2: the interface; 0 otherwise */

	struct model_ip ip;
	/* ---- transport; only of a whole packet or a first fragment */
	bool has_ports;		/* TCP, UDP, SCTP; ICMP echo (sport = id, dport = 0) */
	uint16_t sport, dport;
	uint32_t l4_offset;	/* in the captured data */
	uint32_t l4_len;	/* header and payload on the wire, of this frame */
	uint32_t payload_offset;	/* behind the transport header */
	uint32_t payload_len;	/* on the wire */
	uint32_t payload_cap;	/* of it captured */
	uint32_t gso_segment;	/* payload of one segment, where a super-frame's own lengths tell
				 * (partial offload, see src/dissect/vxlan.c); else 0 */

	uint32_t tcp_seq, tcp_ack;
	/* FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128, AE 256 */
	uint16_t tcp_flags;
	uint16_t tcp_window;
	uint16_t tcp_mss;	/* MSS option of a SYN; 0 when absent */
	uint8_t tcp_options_len;

	uint16_t udp_len;	/* the header's field */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id, icmp_seq;
	uint32_t icmp_mtu;	/* fragmentation needed / packet too big */
	struct model_quote quote;

	/* ---- ARP (status NOT_IP) */
	uint16_t arp_op;	/* 0 when the frame is no Ethernet/IPv4 ARP */
	struct addr arp_sender, arp_target;
};

#define MODEL_ETHERNET_LEN 14u	/* a header without tags */

/*
 * Where the headers of a usual frame are (dissect_usual()). Who needs a few fields a million times
 * a second reads them there, and no bound has to be asked again: [eth, eth + payload) is captured.
 * From eth on all hops show the same, so the offsets behind it begin there; its IP header
 * is at MODEL_ETHERNET_LEN.
 */
struct model_parts {
	uint32_t outer_ip, outer_l4;	/* in the captured data; outer_ip 0: plain, else in VXLAN */
	uint32_t eth;			/* of the packet's own Ethernet frame, in the same */
	uint32_t l4, payload;
	uint32_t end;			/* of the packet, on the wire */
	uint8_t protocol;		/* MODEL_PROTO_TCP or _UDP */
	bool is_v4, outer_is_v4;
};

#define MODEL_TCP_FIN 0x001
#define MODEL_TCP_SYN 0x002
#define MODEL_TCP_RST 0x004
#define MODEL_TCP_PSH 0x008
#define MODEL_TCP_ACK 0x010
#define MODEL_TCP_URG 0x020
#define MODEL_TCP_ECE 0x040
#define MODEL_TCP_CWR 0x080

#define MODEL_PROTO_ICMP 1
#define MODEL_PROTO_TCP 6
#define MODEL_PROTO_UDP 17
#define MODEL_PROTO_ICMPV6 58
#define MODEL_PROTO_SCTP 132

#define MODEL_VXLAN_PORT 8472	/* UDP, Linux drivers/net/vxlan; flannel leaves it as it is */
#define MODEL_VXLAN_PORT_IANA 4789	/* RFC 7348; flannel's where there are Windows nodes */

#define MODEL_MTU_USUAL 1500u	/* Ethernet; of a device whose MTU is not known */
/*
 * On the wire: the outer Ethernet header 14, IPv4 20 or IPv6 40, UDP 8, VXLAN 8. Within an MTU, to
 * which the outer Ethernet header does not count, the inner one does: as much.
 */
#define MODEL_VXLAN_OVERHEAD_V4 50
#define MODEL_VXLAN_OVERHEAD_V6 70

#endif
