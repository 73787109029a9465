/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dissect_samples.h - frames as hex text with what the dissector must make of them.
 *
 * Shared by the table test, the sweep over all capture lengths and the fuzz seeds.
 * Blanks in the hex text mean nothing. `len` is the length on the wire, 0: all of it
 * was captured.
 */
#ifndef TEST_DISSECT_SAMPLES_H
#define TEST_DISSECT_SAMPLES_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "podhop/model.h"

#define SAMPLE_MAX 512

struct dissect_sample {
	const char *name;
	const char *hex;
	uint16_t linktype;
	uint32_t len;
	uint8_t status, layer;
	bool encap;
	uint8_t version, protocol;	/* of view.ip */
	uint16_t sport, dport;
	uint32_t payload_len;
};

/* Pieces. Ethernet ends before its type. */
#define S_ETH "020000000002 020000000001 "
#define S_POD1 "0af40102 "
#define S_POD2 "0af40202 "
#define S_NODE1 "c0a80001 "
#define S_NODE2 "c0a80002 "
#define S_IP4(vihl, tot, frag, proto) vihl "02" tot "1234" frag "40" proto "0000" S_POD1 S_POD2
#define S_POD1_6 "fd000000000000010000000000000002 "
#define S_POD2_6 "fd000000000000020000000000000002 "
#define S_IP6(plen, next) "60112345" plen next "40" S_POD1_6 S_POD2_6
#define S_UDP(sport, dport, len) sport dport len "beef "
#define S_DATA "61626364 "
#define S_TCP(offset_flags) "9c40 0050 00000001 00000002" offset_flags "0100 0000 0000 "
#define S_ZERO6 "000000000000 "

/* IPv4 UDP with 4 bytes: 32 bytes; as a frame 46. */
#define S_UDP4 S_IP4("45", "0020", "4000", "11") S_UDP("1389", "1388", "000c") S_DATA
#define S_FRAME4 S_ETH "0800" S_UDP4

/* Outer of a VXLAN datagram up to its UDP header's length. */
#define S_OUTER(vihl, tot, frag) \
	S_ETH "0800" vihl "00" tot "0007" frag "4011 0000" S_NODE1 S_NODE2
#define S_VXLAN(flags) flags "000000 000001 00 "
#define S_VXLAN_UDP(len) "d431 2118" len "0000 "

#define S_L1 MODEL_LINKTYPE_ETHERNET
#define S_OK MODEL_VIEW_OK, MODEL_LAYER_NONE
#define S_NOT_IP MODEL_VIEW_NOT_IP
#define S_CUT MODEL_VIEW_TRUNCATED
#define S_BAD MODEL_VIEW_MALFORMED
#define S_NO_IP false, 0, 0, 0, 0, 0
#define S_4UDP false, 4, 17, 5001, 5000, 4
#define S_6UDP false, 6, 17, 5001, 5000, 4

static const struct dissect_sample dissect_samples[] = {
	/* ---- link layer */
	{ "empty frame", "", S_L1, 0, S_BAD, MODEL_LAYER_LINK, S_NO_IP },
	{ "runt", S_ETH "08", S_L1, 0, S_BAD, MODEL_LAYER_LINK, S_NO_IP },
	{ "ethernet cut", S_ETH "08", S_L1, 60, S_CUT, MODEL_LAYER_LINK, S_NO_IP },
	{ "lldp", S_ETH "88cc 0207", S_L1, 0, S_NOT_IP, MODEL_LAYER_LINK, S_NO_IP },
	{ "802.3 llc", S_ETH "0003 424203", S_L1, 0, S_NOT_IP, MODEL_LAYER_LINK, S_NO_IP },
	{ "vlan", S_ETH "8100 602a 0800" S_UDP4, S_L1, 0, S_OK, S_4UDP },
	{ "qinq", S_ETH "88a8 0064 8100 002a 0800" S_UDP4, S_L1, 0, S_OK, S_4UDP },
	{ "four tags", S_ETH "9100 0001 8100 0002 8100 0003 8100 0004 0800" S_UDP4, S_L1, 0, S_OK,
	  S_4UDP },
	{ "five tags", S_ETH "8100 0001 8100 0002 8100 0003 8100 0004 8100 0005 0800" S_UDP4, S_L1,
	  0, S_BAD, MODEL_LAYER_VLAN, S_NO_IP },
	{ "vlan runt", S_ETH "8100 0001 08", S_L1, 0, S_BAD, MODEL_LAYER_VLAN, S_NO_IP },
	{ "vlan cut", S_ETH "8100 0001 08", S_L1, 60, S_CUT, MODEL_LAYER_VLAN, S_NO_IP },
	{ "sll in", "0000 0001 0006 020000000001 0000 0800" S_UDP4, MODEL_LINKTYPE_LINUX_SLL, 0,
	  S_OK, S_4UDP },
	{ "sll out vlan", "0004 0001 0006 020000000001 0000 8100 002a 0800" S_UDP4,
	  MODEL_LINKTYPE_LINUX_SLL, 0, S_OK, S_4UDP },
	{ "sll netlink", "0004 0338 0000 0000000000000000 0800" S_UDP4, MODEL_LINKTYPE_LINUX_SLL, 0,
	  S_NOT_IP, MODEL_LAYER_LINK, S_NO_IP },
	{ "sll runt", "0000 0001", MODEL_LINKTYPE_LINUX_SLL, 0, S_BAD, MODEL_LAYER_LINK, S_NO_IP },
	{ "sll2 out", "0800 0000 00000007 0001 04 06 020000000001 0000" S_UDP4,
	  MODEL_LINKTYPE_LINUX_SLL2, 0, S_OK, S_4UDP },
	{ "sll2 cut", "0800 0000 00000007", MODEL_LINKTYPE_LINUX_SLL2, 52, S_CUT, MODEL_LAYER_LINK,
	  S_NO_IP },
	{ "raw ip4", S_UDP4, MODEL_LINKTYPE_RAW, 0, S_OK, S_4UDP },
	{ "raw ip6", S_IP6("000c", "11") S_UDP("1389", "1388", "000c") S_DATA,
	  MODEL_LINKTYPE_RAW, 0, S_OK, S_6UDP },
	{ "raw neither", "50000000", MODEL_LINKTYPE_RAW, 0, S_BAD, MODEL_LAYER_LINK, S_NO_IP },
	{ "raw empty", "", MODEL_LINKTYPE_RAW, 0, S_BAD, MODEL_LAYER_LINK, S_NO_IP },
	{ "linktype ip4", S_UDP4, MODEL_LINKTYPE_IPV4, 0, S_OK, S_4UDP },
	{ "linktype ip4, is ip6", S_IP6("0000", "3b"), MODEL_LINKTYPE_IPV4, 0, S_BAD,
	  MODEL_LAYER_IPV4, S_NO_IP },
	{ "linktype ip6", S_IP6("000c", "11") S_UDP("1389", "1388", "000c") S_DATA,
	  MODEL_LINKTYPE_IPV6, 0, S_OK, S_6UDP },
	{ "linktype unknown", S_UDP4, 105, 0, S_NOT_IP, MODEL_LAYER_LINK, S_NO_IP },

	/* ---- ARP */
	{ "arp", S_ETH "0806 0001 0800 06 04 0001 020000000001" S_POD1 S_ZERO6 S_POD2, S_L1, 0,
	  S_NOT_IP, MODEL_LAYER_ARP, S_NO_IP },
	{ "arp padded", S_ETH "0806 0001 0800 06 04 0002 020000000001" S_POD1 S_ZERO6 S_POD2
	  S_ZERO6 S_ZERO6 S_ZERO6, S_L1, 0, S_NOT_IP, MODEL_LAYER_ARP, S_NO_IP },
	{ "arp other hardware", S_ETH "0806 0006 0800 06 04 0001", S_L1, 0, S_NOT_IP,
	  MODEL_LAYER_ARP, S_NO_IP },
	{ "arp runt", S_ETH "0806 0001 0800 06 04 0001 020000000001", S_L1, 0, S_BAD,
	  MODEL_LAYER_ARP, S_NO_IP },
	{ "arp cut", S_ETH "0806 0001 0800 06 04 0001 020000000001", S_L1, 42, S_CUT,
	  MODEL_LAYER_ARP, S_NO_IP },

	/* ---- IPv4 */
	{ "ip4 udp", S_FRAME4, S_L1, 0, S_OK, S_4UDP },
	{ "ip4 padded", S_FRAME4 S_ZERO6 S_ZERO6 "0000", S_L1, 0, S_OK, S_4UDP },
	{ "ip4 options", S_ETH "0800" S_IP4("46", "0024", "4000", "11") "01010100"
	  S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_OK, S_4UDP },
	{ "ip4 options cut", S_ETH "0800" S_IP4("46", "0024", "4000", "11") "0101", S_L1, 50, S_CUT,
	  MODEL_LAYER_IPV4, false, 4, 17, 0, 0, 0 },
	{ "ip4 cut", S_ETH "0800 45000020", S_L1, 46, S_CUT, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 runt", S_ETH "0800 45000020", S_L1, 0, S_BAD, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 ihl 4", S_ETH "0800" S_IP4("44", "0020", "4000", "11") S_DATA S_DATA S_DATA, S_L1, 0,
	  S_BAD, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 version 6", S_ETH "0800" S_IP4("65", "0020", "4000", "11") S_DATA S_DATA S_DATA,
	  S_L1, 0, S_BAD, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 total < header", S_ETH "0800" S_IP4("46", "0017", "4000", "11") S_DATA S_DATA S_DATA,
	  S_L1, 0, S_BAD, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 total > frame", S_ETH "0800" S_IP4("45", "0021", "4000", "11")
	  S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_IPV4, S_NO_IP },
	{ "ip4 total 0", S_ETH "0800" S_IP4("45", "0000", "4000", "06") S_TCP("5018") S_DATA, S_L1,
	  70054, S_OK, false, 4, 6, 40000, 80, 70000 },
	{ "ip4 first fragment", S_ETH "0800" S_IP4("45", "0024", "2000", "11")
	  S_UDP("1389", "1388", "0bb8") S_DATA S_DATA, S_L1, 0, S_OK, false, 4, 17, 5001, 5000, 8 },
	{ "ip4 later fragment", S_ETH "0800" S_IP4("45", "0024", "2002", "06") S_DATA S_DATA S_DATA
	  S_DATA, S_L1, 0, S_OK, false, 4, 6, 0, 0, 16 },
	{ "ip4 last udp fragment", S_ETH "0800" S_IP4("45", "0018", "00b9", "11") S_DATA, S_L1, 0,
	  S_OK, false, 4, 17, 0, 0, 4 },
	{ "ip4 unknown protocol", S_ETH "0800" S_IP4("45", "0018", "0000", "2f") S_DATA, S_L1, 0,
	  S_OK, false, 4, 47, 0, 0, 4 },
	{ "ip4 icmpv6", S_ETH "0800" S_IP4("45", "0018", "0000", "3a") S_DATA, S_L1, 0, S_OK, false,
	  4, 58, 0, 0, 4 },

	/* ---- IPv6 */
	{ "ip6 udp", S_ETH "86dd" S_IP6("000c", "11") S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0,
	  S_OK, S_6UDP },
	{ "ip6 padded", S_ETH "86dd" S_IP6("000c", "11") S_UDP("1389", "1388", "000c") S_DATA
	  S_ZERO6, S_L1, 0, S_OK, S_6UDP },
	{ "ip6 extensions", S_ETH "86dd" S_IP6("0034", "00") "3c00 010400000000"
	  "2b00 010400000000" "3301 000000000000 0000000000000000"
	  "1100 0000 00000001 " S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_OK, S_6UDP },
	{ "ip6 eight extensions", S_ETH "86dd" S_IP6("004c", "00") "3c00010400000000"
	  "3c00010400000000" "3c00010400000000" "3c00010400000000" "3c00010400000000"
	  "3c00010400000000" "3c00010400000000" "1100010400000000"
	  S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_OK, S_6UDP },
	{ "ip6 nine extensions", S_ETH "86dd" S_IP6("0054", "00") "3c00010400000000"
	  "3c00010400000000" "3c00010400000000" "3c00010400000000" "3c00010400000000"
	  "3c00010400000000" "3c00010400000000" "3c00010400000000" "1100010400000000"
	  S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_IPV6, false, 6, 60,
	  0, 0, 0 },
	{ "ip6 extension > packet", S_ETH "86dd" S_IP6("0008", "00") "1103 010400000000" S_DATA,
	  S_L1, 0, S_BAD, MODEL_LAYER_IPV6, false, 6, 0, 0, 0, 0 },
	{ "ip6 extension cut", S_ETH "86dd" S_IP6("0014", "00") "1100 0104", S_L1, 74, S_CUT,
	  MODEL_LAYER_IPV6, false, 6, 0, 0, 0, 0 },
	{ "ip6 cut", S_ETH "86dd 60000000", S_L1, 66, S_CUT, MODEL_LAYER_IPV6, S_NO_IP },
	{ "ip6 runt", S_ETH "86dd 60000000", S_L1, 0, S_BAD, MODEL_LAYER_IPV6, S_NO_IP },
	{ "ip6 version 4", S_ETH "86dd 40112345 0000 3b 40" S_POD1_6 S_POD2_6, S_L1, 0, S_BAD,
	  MODEL_LAYER_IPV6, S_NO_IP },
	{ "ip6 payload > frame", S_ETH "86dd" S_IP6("000d", "11") S_UDP("1389", "1388", "000c")
	  S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_IPV6, S_NO_IP },
	{ "ip6 big tcp", S_ETH "86dd" S_IP6("0000", "06") S_TCP("5010") S_DATA, S_L1, 80074, S_OK,
	  false, 6, 6, 40000, 80, 80000 },
	{ "ip6 big tcp jumbogram", S_ETH "86dd" S_IP6("0000", "00") "0600 c204 0001389c"
	  S_TCP("5010") S_DATA, S_L1, 80082, S_OK, false, 6, 6, 40000, 80, 80000 },
	{ "ip6 no next header", S_ETH "86dd" S_IP6("0000", "3b") S_ZERO6, S_L1, 0, S_OK, false, 6,
	  59, 0, 0, 0 },
	{ "ip6 esp", S_ETH "86dd" S_IP6("0008", "32") S_DATA S_DATA, S_L1, 0, S_OK, false, 6, 50, 0,
	  0, 8 },
	{ "ip6 first fragment", S_ETH "86dd" S_IP6("0018", "2c") "1100 0001 0000abcd"
	  S_UDP("1389", "1388", "0bb8") S_DATA S_DATA, S_L1, 0, S_OK, false, 6, 17, 5001, 5000, 8 },
	{ "ip6 later fragment", S_ETH "86dd" S_IP6("0010", "2c") "0600 05a9 0000abcd" S_DATA S_DATA,
	  S_L1, 0, S_OK, false, 6, 6, 0, 0, 8 },
	{ "ip6 atomic fragment", S_ETH "86dd" S_IP6("0014", "2c") "1100 0000 0000abcd"
	  S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_OK, S_6UDP },
	{ "ip6 fragment twice", S_ETH "86dd" S_IP6("001c", "2c") "2c00 0000 0000abcd"
	  "1100 0000 0000abcd" S_UDP("1389", "1388", "000c") S_DATA, S_L1, 0, S_BAD,
	  MODEL_LAYER_IPV6, false, 6, 44, 0, 0, 0 },
	{ "ip6 extensions in next fragment", S_ETH "86dd" S_IP6("0010", "2c") "3c00 0001 0000abcd"
	  "1103 010400000000", S_L1, 0, S_CUT, MODEL_LAYER_IPV6, false, 6, 60, 0, 0, 0 },
	{ "ip6 icmp of ip4", S_ETH "86dd" S_IP6("0004", "01") S_DATA, S_L1, 0, S_OK, false, 6, 1, 0,
	  0, 4 },

	/* ---- TCP */
	{ "tcp", S_ETH "0800" S_IP4("45", "002c", "4000", "06") S_TCP("5018") S_DATA, S_L1, 0, S_OK,
	  false, 4, 6, 40000, 80, 4 },
	{ "tcp syn options", S_ETH "0800" S_IP4("45", "003c", "4000", "06") S_TCP("a002")
	  "020405aa 0402 080a 11223344 00000000 01 030307", S_L1, 0, S_OK, false, 4, 6, 40000, 80,
	  0 },
	{ "tcp option length 0", S_ETH "0800" S_IP4("45", "0030", "4000", "06") S_TCP("7012")
	  "0200 0000 0204 05aa", S_L1, 0, S_OK, false, 4, 6, 40000, 80, 0 },
	{ "tcp option too long", S_ETH "0800" S_IP4("45", "0030", "4000", "06") S_TCP("7012")
	  "020405aa 080a 1122", S_L1, 0, S_OK, false, 4, 6, 40000, 80, 0 },
	{ "tcp option end", S_ETH "0800" S_IP4("45", "0030", "4000", "06") S_TCP("7012")
	  "01010100 020405aa", S_L1, 0, S_OK, false, 4, 6, 40000, 80, 0 },
	{ "tcp offset 4", S_ETH "0800" S_IP4("45", "002c", "4000", "06") S_TCP("4018") S_DATA, S_L1,
	  0, S_BAD, MODEL_LAYER_TCP, false, 4, 6, 40000, 80, 0 },
	{ "tcp offset > segment", S_ETH "0800" S_IP4("45", "002c", "4000", "06") S_TCP("7018")
	  S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_TCP, false, 4, 6, 40000, 80, 0 },
	{ "tcp runt", S_ETH "0800" S_IP4("45", "0020", "4000", "06") S_DATA S_DATA S_DATA, S_L1, 0,
	  S_BAD, MODEL_LAYER_TCP, false, 4, 6, 0, 0, 0 },
	{ "tcp cut", S_ETH "0800" S_IP4("45", "002c", "4000", "06") "9c40 0050 00000001", S_L1, 58,
	  S_CUT, MODEL_LAYER_TCP, false, 4, 6, 40000, 80, 0 },
	{ "tcp options cut", S_ETH "0800" S_IP4("45", "0038", "4000", "06") S_TCP("8018") "0101",
	  S_L1, 70, S_CUT, MODEL_LAYER_TCP, false, 4, 6, 40000, 80, 4 },
	{ "tcp tiny fragment", S_ETH "0800" S_IP4("45", "001c", "2000", "06") "9c40 0050 00000001",
	  S_L1, 0, S_CUT, MODEL_LAYER_TCP, false, 4, 6, 40000, 80, 0 },

	/* ---- UDP, SCTP */
	{ "udp length 7", S_ETH "0800" S_IP4("45", "0020", "4000", "11")
	  S_UDP("1389", "1388", "0007") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_UDP, false, 4, 17, 5001,
	  5000, 0 },
	{ "udp length > packet", S_ETH "0800" S_IP4("45", "0020", "4000", "11")
	  S_UDP("1389", "1388", "000d") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_UDP, false, 4, 17, 5001,
	  5000, 0 },
	{ "udp length < packet", S_ETH "0800" S_IP4("45", "0024", "4000", "11")
	  S_UDP("1389", "1388", "000c") S_DATA S_DATA, S_L1, 0, S_OK, S_4UDP },
	{ "udp length 0", S_ETH "0800" S_IP4("45", "0020", "4000", "11")
	  S_UDP("1389", "1388", "0000") S_DATA, S_L1, 0, S_OK, S_4UDP },
	{ "udp length 0 in a fragment", S_ETH "0800" S_IP4("45", "0020", "2000", "11")
	  S_UDP("1389", "1388", "0000") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_UDP, false, 4, 17, 5001,
	  5000, 0 },
	{ "udp runt", S_ETH "0800" S_IP4("45", "0018", "4000", "11") S_DATA, S_L1, 0, S_BAD,
	  MODEL_LAYER_UDP, false, 4, 17, 0, 0, 0 },
	{ "udp cut", S_ETH "0800" S_IP4("45", "0020", "4000", "11") "1389 1388", S_L1, 46, S_CUT,
	  MODEL_LAYER_UDP, false, 4, 17, 5001, 5000, 0 },
	{ "sctp", S_ETH "0800" S_IP4("45", "0024", "4000", "84") "1389 1388 01020304 00000000"
	  S_DATA, S_L1, 0, S_OK, false, 4, 132, 5001, 5000, 4 },
	{ "sctp runt", S_ETH "0800" S_IP4("45", "001c", "4000", "84") "1389 1388 01020304", S_L1, 0,
	  S_BAD, MODEL_LAYER_SCTP, false, 4, 132, 0, 0, 0 },
	{ "sctp cut", S_ETH "0800" S_IP4("45", "0024", "4000", "84") "1389 1388 01020304", S_L1, 50,
	  S_CUT, MODEL_LAYER_SCTP, false, 4, 132, 5001, 5000, 0 },

	/* ---- ICMP */
	{ "icmp echo", S_ETH "0800" S_IP4("45", "0020", "0000", "01") "0800 0000 0bad 0005" S_DATA,
	  S_L1, 0, S_OK, false, 4, 1, 0x0bad, 0, 4 },
	{ "icmp runt", S_ETH "0800" S_IP4("45", "0018", "0000", "01") "0800 0000", S_L1, 0, S_BAD,
	  MODEL_LAYER_ICMP, false, 4, 1, 0, 0, 0 },
	{ "icmp cut", S_ETH "0800" S_IP4("45", "0020", "0000", "01") "0800 0000", S_L1, 46, S_CUT,
	  MODEL_LAYER_ICMP, false, 4, 1, 0, 0, 0 },
	{ "icmp frag needed, tcp", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0304 0000 0000 0578 45000578 00994000 3f060000" S_POD2 S_POD1 "0050 9c40 00000bad", S_L1,
	  0, S_OK, false, 4, 1, 0, 0, 28 },
	{ "icmp unreachable, echo", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0301 0000 0000 0000 45000054 00990000 3f010000" S_POD2 S_POD1 "0800 0000 0bad 0005",
	  S_L1, 0, S_OK, false, 4, 1, 0, 0, 28 },
	{ "icmp time exceeded, later fragment", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0b00 0000 0000 0000 45000054 009920b9 00110000" S_POD2 S_POD1 S_DATA S_DATA, S_L1, 0,
	  S_OK, false, 4, 1, 0, 0, 28 },
	{ "icmp quote limited", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0300 0000 0006 0000 45000054 00990000 3f110000" S_POD2 S_POD1 "1388 1389 00400000", S_L1,
	  0, S_OK, false, 4, 1, 0, 0, 28 },
	{ "icmp quote of nothing", S_ETH "0800" S_IP4("45", "001c", "0000", "01")
	  "0300 0000 00000000", S_L1, 0, S_OK, false, 4, 1, 0, 0, 0 },
	{ "icmp quote is nonsense", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0300 0000 00000000 ff000054 00990000 3f110000" S_POD2 S_POD1 "1388 1389 00400000", S_L1,
	  0, S_OK, false, 4, 1, 0, 0, 28 },
	{ "icmp quote cut", S_ETH "0800" S_IP4("45", "0038", "0000", "01")
	  "0300 0000 00000000 45000054 00990000 3f110000" S_POD2 S_POD1 "1388 1389", S_L1, 70,
	  S_CUT, MODEL_LAYER_ICMP, false, 4, 1, 0, 0, 28 },
	{ "icmpv6 echo", S_ETH "86dd" S_IP6("000c", "3a") "8000 0000 0bad 0005" S_DATA, S_L1, 0,
	  S_OK, false, 6, 58, 0x0bad, 0, 4 },
	{ "icmpv6 too big, udp", S_ETH "86dd" S_IP6("0040", "3a")
	  "0200 0000 00000596 60000000 0578 2c 3f" S_POD2_6 S_POD1_6
	  "1100 0001 00005678 1388 1389 0bb80000", S_L1, 0, S_OK, false, 6, 58, 0, 0, 56 },
	{ "icmpv6 neighbour", S_ETH "86dd" S_IP6("0018", "3a") "8700 0000 00000000" S_POD2_6, S_L1,
	  0, S_OK, false, 6, 58, 0, 0, 16 },
	{ "icmpv6 quote too short", S_ETH "86dd" S_IP6("000c", "3a") "0100 0000 00000000" S_DATA,
	  S_L1, 0, S_OK, false, 6, 58, 0, 0, 4 },

	/* ---- VXLAN. Around a 46 byte frame: UDP 62, IPv4 82, frame 96 */
	{ "vxlan", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4, S_L1,
	  0, S_OK, true, 4, 17, 5001, 5000, 4 },
	{ "vxlan group policy", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("88")
	  S_FRAME4, S_L1, 0, S_OK, true, 4, 17, 5001, 5000, 4 },
	{ "vxlan, vlan outside, options", S_ETH "8100 0007 0800 4600 0056 0007 0000 4011 0000"
	  S_NODE1 S_NODE2 "01010100" S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4, S_L1, 0, S_OK,
	  true, 4, 17, 5001, 5000, 4 },
	{ "vxlan over ip6", S_ETH "86dd 60000000 003e 11 40" S_POD1_6 S_POD2_6 S_VXLAN_UDP("003e")
	  S_VXLAN("08") S_FRAME4, S_L1, 0, S_OK, true, 4, 17, 5001, 5000, 4 },
	{ "vxlan over sll", "0004 0001 0006 020000000001 0000 0800 4500 0052 0007 0000 4011 0000"
	  S_NODE1 S_NODE2 S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4, MODEL_LINKTYPE_LINUX_SLL, 0,
	  S_OK, true, 4, 17, 5001, 5000, 4 },
	{ "vxlan without I", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("f7")
	  S_FRAME4, S_L1, 0, S_OK, false, 4, 17, 54321, 8472, 54 },
	{ "vxlan on another port", S_OUTER("45", "0052", "0000") S_UDP("2118", "12b6", "003e")
	  S_VXLAN("08") S_FRAME4, S_L1, 0, S_OK, false, 4, 17, 8472, 4790, 54 },
	{ "vxlan port, 4 bytes", S_OUTER("45", "0020", "0000") S_VXLAN_UDP("000c") "08000000", S_L1,
	  0, S_OK, false, 4, 17, 54321, 8472, 4 },
	{ "vxlan header cut", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") "08000000", S_L1,
	  96, S_CUT, MODEL_LAYER_VXLAN, false, 4, 17, 54321, 8472, 54 },
	{ "vxlan flags cut", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e"), S_L1, 96, S_CUT,
	  MODEL_LAYER_VXLAN, false, 4, 17, 54321, 8472, 54 },
	{ "vxlan of 13 bytes", S_OUTER("45", "0031", "0000") S_VXLAN_UDP("001d") S_VXLAN("08") S_ETH
	  "08", S_L1, 0, S_BAD, MODEL_LAYER_VXLAN, true, 0, 0, 0, 0, 0 },
	{ "vxlan inner ethernet cut", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e")
	  S_VXLAN("08") S_ETH "08", S_L1, 96, S_CUT, MODEL_LAYER_LINK, true, 0, 0, 0, 0, 0 },
	{ "vxlan inner ip > outer", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0021", "4000", "11") S_UDP("1389", "1388", "000c") S_DATA, S_L1,
	  0, S_BAD, MODEL_LAYER_IPV4, true, 0, 0, 0, 0, 0 },
	{ "vxlan arp", S_OUTER("45", "004e", "0000") S_VXLAN_UDP("003a") S_VXLAN("08")
	  S_ETH "0806 0001 0800 06 04 0001 020000000001" S_POD1 S_ZERO6 S_POD2, S_L1, 0, S_NOT_IP,
	  MODEL_LAYER_ARP, true, 0, 0, 0, 0, 0 },
	{ "vxlan in vxlan", S_OUTER("45", "0084", "0000") S_VXLAN_UDP("0070") S_VXLAN("08")
	  S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4, S_L1, 0, S_OK,
	  true, 4, 17, 54321, 8472, 54 },
	{ "vxlan big tcp", S_OUTER("45", "0000", "0000") S_VXLAN_UDP("0000") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0000", "4000", "06") S_TCP("5018") S_DATA, S_L1, 80104, S_OK,
	  true, 4, 6, 40000, 80, 80000 },
	{ "vxlan first outer fragment", S_OUTER("45", "0064", "2000") S_VXLAN_UDP("05de")
	  S_VXLAN("08") S_ETH "0800" S_IP4("45", "05c0", "4000", "06") S_TCP("5018") S_DATA S_DATA
	  "6162", S_L1, 0, S_OK, true, 4, 6, 40000, 80, 1432 },
	{ "vxlan first outer fragment, tiny", S_OUTER("45", "0034", "2000") S_VXLAN_UDP("05de")
	  S_VXLAN("08") S_ETH "0800 4500", S_L1, 0, S_CUT, MODEL_LAYER_IPV4, true, 0, 0, 0, 0, 0 },
	{ "vxlan first outer fragment, udp 12", S_OUTER("45", "0034", "2000") S_VXLAN_UDP("000c")
	  S_VXLAN("08") S_ETH "0800 4500", S_L1, 0, S_OK, false, 4, 17, 54321, 8472, 4 },
	{ "vxlan later outer fragment", S_OUTER("45", "0024", "00b8") S_DATA S_DATA S_DATA S_DATA,
	  S_L1, 0, S_OK, false, 4, 17, 0, 0, 16 },
	{ "vxlan inner fragment", S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0020", "20b9", "11") S_DATA S_DATA S_DATA, S_L1, 0, S_OK, true,
	  4, 17, 0, 0, 12 },
	{ "vxlan partial offload", S_OUTER("45", "009a", "0000") S_VXLAN_UDP("0086") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0068", "4000", "06") S_TCP("5018") S_DATA, S_L1, 168 + 2 * 64,
	  S_OK, true, 4, 6, 40000, 80, 3 * 64 },
	{ "vxlan with a trailer", S_OUTER("45", "009a", "0000") S_VXLAN_UDP("0086") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0068", "4000", "06") S_TCP("5018") S_DATA, S_L1, 168 + 63, S_OK,
	  true, 4, 6, 40000, 80, 64 },
	{ "vxlan inner udp runt", S_OUTER("45", "004a", "0000") S_VXLAN_UDP("0036") S_VXLAN("08")
	  S_ETH "0800" S_IP4("45", "0018", "4000", "11") S_DATA, S_L1, 0, S_BAD, MODEL_LAYER_UDP,
	  true, 4, 17, 0, 0, 0 },
};

#define N_DISSECT_SAMPLES (sizeof(dissect_samples) / sizeof(dissect_samples[0]))

static inline unsigned sample_nibble(char c)
{
	return c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'a') + 10;
}

/* Hex text to bytes; returns how many. */
static inline uint32_t sample_bytes(const char *hex, uint8_t out[SAMPLE_MAX])
{
	uint32_t n = 0;

	for (unsigned half = 0; *hex != '\0'; hex++) {
		if (*hex == ' ')
			continue;
		assert(n < SAMPLE_MAX);
		out[n] = (uint8_t)(half ? out[n] | sample_nibble(*hex) : sample_nibble(*hex) << 4);
		n += half;
		half ^= 1;
	}
	return n;
}

#endif
