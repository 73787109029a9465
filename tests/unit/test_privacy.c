/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_privacy.c - pseudonyms, headers without payload, checksums afterwards.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "dissect_samples.h"
#include "privacy_check.h"

#define PINNED_V4 "10.237.254.242"
#define PINNED_V6 "fc3f:72e:1a2:47dd:7d70:3f9e:1fe8:1d"
#define PINNED_VETH "veth94ddd09d"
#define PINNED_BRIDGE "if-36a4400c"
#define PINNED_ENX "if-29d2b234"
#define PINNED_POD "ns-5c66440c/n-4aceb7e9"

static const struct privacy_key key_a = { { 1, 2, 3, 4, 5 } };
static const struct privacy_key key_b = { { 1, 2, 3, 4, 6 } };

static struct privacy *make(bool no_payload, const struct privacy_key *key)
{
	const struct privacy_config pc = { .no_payload = no_payload,
					   .key = key,
					   .frame_max = PRIVACY_FRAME_MAX };
	struct err err = ERR_INIT;
	struct privacy *p = privacy_new(&pc, &err);

	assert_non_null(p);
	return p;
}

static struct addr addr(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void expect_addr(struct privacy *p, const char *from, const char *to)
{
	struct addr a = addr(from);
	char out[ADDR_STR_MAX];

	a = privacy_addr(p, &a);
	assert_string_equal(addr_str(&a, out), to);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 32;
}

static unsigned shared_bits(const struct addr *a, const struct addr *b)
{
	for (unsigned i = 0; i < 128; i++)
		if ((a->b[i / 8] ^ b->b[i / 8]) & (0x80 >> i % 8))
			return i;
	return 128;
}

/* ----------------------------------------------------------------- addresses */

static void test_prefixes_stay_prefixes(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint64_t seed = 7;

	(void)state;
	for (unsigned n = 0; n < 4000; n++) {
		bool v4 = n & 1;
		struct addr a = addr(v4 ? "::ffff:0:0" : "::"), b, ap, bp;

		for (unsigned i = v4 ? 12 : 0; i < 16; i++)
			a.b[i] = (uint8_t)next_random(&seed);
		b = a;
		unsigned from = v4 ? 96 : 0,
			 bit = from + (unsigned)next_random(&seed) % (128 - from);
		b.b[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
		for (unsigned i = bit / 8 + 1; i < 16; i++)
			b.b[i] = (uint8_t)next_random(&seed);
		/* Groups have rules of their own. */
		if (!v4 && (a.b[0] == 0xff || b.b[0] == 0xff))
			continue;
		ap = privacy_addr(p, &a);
		bp = privacy_addr(p, &b);
		assert_int_equal(shared_bits(&ap, &bp), bit);
		assert_int_equal(addr_is_v4(&ap), v4);
		assert_int_equal(addr_is_multicast(&ap), addr_is_multicast(&a));
		assert_int_equal(addr_is_link_local(&ap), addr_is_link_local(&a));
	}
	privacy_free(p);
}

static void test_special_addresses(void **state)
{
	static const char *const kept[] = {
		"0.0.0.0", "127.0.0.1", "224.0.0.251", "255.255.255.255", "::",
		"::1",	   "ff02::1",	"ff02::fb",    "ff05::1:3",
	};
	struct privacy *p = make(false, &key_a);
	struct addr a, b;

	(void)state;
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]) - 1; i++)
		expect_addr(p, kept[i], kept[i]);
	a = addr("169.254.20.10");
	b = privacy_addr(p, &a);
	assert_true(addr_is_link_local(&b) && !addr_eq(&a, &b));
	a = addr("fe80::211:22ff:fe33:4455");
	b = privacy_addr(p, &a);
	assert_memory_equal(a.b, b.b, 8);
	assert_memory_not_equal(a.b + 8, b.b + 8, 8);
	/* A group that carries a prefix (RFC 3306) does not tell it. */
	a = addr("ff3e:30:2001:db8:1:2::42");
	b = privacy_addr(p, &a);
	assert_memory_equal(a.b, b.b, 2);
	assert_memory_not_equal(a.b + 4, b.b + 4, 8);
	privacy_free(p);
}

static void test_no_two_addresses_become_one(void **state)
{
	struct privacy *p = make(false, &key_a);
	bool seen[65536] = { false };

	(void)state;
	for (unsigned i = 0; i < 65536; i++) {
		const uint8_t bytes[4] = { 10, 244, (uint8_t)(i >> 8), (uint8_t)i };
		struct addr a = addr_from_v4(bytes), b = privacy_addr(p, &a);
		unsigned low = (unsigned)(b.b[14] << 8 | b.b[15]);

		assert_false(seen[low]);
		seen[low] = true;
	}
	privacy_free(p);
}

/* Files of years have to go together: these must never change. */
static void test_pseudonyms_are_for_ever(void **state)
{
	struct privacy *a = make(false, &key_a), *again = make(true, &key_a);
	struct privacy *b = make(false, &key_b), *none = make(true, NULL);
	struct addr pod = addr("10.244.1.2"), from_a, from_b;
	char text[ADDR_STR_MAX];

	(void)state;
	expect_addr(a, "10.244.1.2", PINNED_V4);
	expect_addr(a, "fd00:10:244::2", PINNED_V6);
	expect_addr(none, "10.244.1.2", "10.244.1.2");
	from_a = privacy_addr(a, &pod);
	from_b = privacy_addr(again, &pod);
	assert_true(addr_eq(&from_a, &from_b));
	from_b = privacy_addr(b, &pod);
	assert_string_not_equal(addr_str(&from_b, text), PINNED_V4);
	privacy_free(a);
	privacy_free(again);
	privacy_free(b);
	privacy_free(none);
	privacy_free(NULL);
}

static void test_macs(void **state)
{
	static const char *const kept[] = {
		"00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb",
		"33:33:00:00:00:01", "01:80:c2:00:00:0e",
	};
	struct privacy *p = make(false, &key_a);
	struct mac m, n;
	struct addr group = addr("ff02::1:ff12:3456");

	(void)state;
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
		assert_int_equal(mac_parse(kept[i], &m), 0);
		n = privacy_mac(p, &m);
		assert_true(mac_eq(&m, &n));
	}
	assert_int_equal(mac_parse("00:1b:21:aa:bb:cc", &m), 0);
	n = privacy_mac(p, &m);
	assert_int_equal(n.b[0] & 3, 2);
	assert_false(mac_eq(&m, &n));
	/* A solicited node's group and its MAC address still belong together. */
	assert_int_equal(mac_parse("33:33:ff:12:34:56", &m), 0);
	n = privacy_mac(p, &m);
	group = privacy_addr(p, &group);
	assert_memory_equal(n.b, "\x33\x33\xff", 3);
	assert_memory_equal(n.b + 3, group.b + 13, 3);
	assert_memory_not_equal(n.b + 3, m.b + 3, 3);
	privacy_free(p);
}

/* --------------------------------------------------------------------- texts */

static void expect_text(struct privacy *p,
			void (*how)(struct privacy *, const char *, struct buf *), const char *from,
			const char *to)
{
	struct buf b;

	buf_init(&b, 1024);
	how(p, from, &b);
	assert_string_equal(buf_str(&b), to);
	buf_done(&b);
}

static void test_names(void **state)
{
	static const char *const kept[] = { "cni0",	"flannel.1", "flannel-v6.1", "eth0",
					    "enp3s0f1", "ens5",	     "lo",	     "?",
					    "",		"bond0.100", "enp3s0f0np0" };
	struct privacy *p = make(false, &key_a), *none = make(true, NULL);

	(void)state;
	for (unsigned i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		expect_text(p, privacy_device, kept[i], kept[i]);
	expect_text(p, privacy_device, "veth0a0eb08d", PINNED_VETH);
	expect_text(p, privacy_device, "br-customer", PINNED_BRIDGE);
	expect_text(p, privacy_device, "enx001122334455", PINNED_ENX);
	expect_text(p, privacy_name, "default/web", PINNED_POD);
	expect_text(p, privacy_name, "", "");
	expect_text(none, privacy_name, "default/web", "default/web");
	expect_text(none, privacy_device, "br-customer", "br-customer");
	privacy_free(p);
	privacy_free(none);
}

static void test_filters(void **state)
{
	static const char *const good[][2] = {
		{ "", "" },
		{ "tcp port 80 or udp portrange 5000-5100",
		  "tcp port 80 or udp portrange 5000-5100" },
		{ "port http and not (icmp6 || vlan 7)", "port http and not (icmp6 || vlan 7)" },
		{ "host 10.244.1.2 and port 80", "host " PINNED_V4 " and port 80" },
		{ "host ::1 or net 127.0.0.0/8", "host ::1 or net 127.0.0.0/8" },
		{ "net 127.0.0.0/8 and port (80 or 443) and vlan 7",
		  "net 127.0.0.0/8 and port (80 or 443) and vlan 7" },
	};
	static const char *const bad[] = {
		"host web.example",	 "host web",	      "net 10.244",
		"ip[12:4] = 0x0af40102", "tcp[13] = 2",	      "net 10",
		"host 180617474",	 "greater 184549377", "10.0.0.1:80",
		/* libpcap takes these for "net 11" */
		"net 127.0.0.0/8 or 11", "net (127.0.0.0/8 or not 11)",
		"net 127.0.0.0/8 and (port 80) or 11",
	};
	struct privacy *p = make(false, &key_a), *none = make(true, NULL);
	struct buf b;

	(void)state;
	buf_init(&b, 4096);
	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		buf_clear(&b);
		assert_true(privacy_filter(p, good[i][0], &b));
		assert_string_equal(buf_str(&b), good[i][1]);
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		buf_clear(&b);
		assert_false(privacy_filter(p, bad[i], &b));
		assert_int_equal(b.len, 0);
		assert_true(privacy_filter(none, bad[i], &b));
		assert_string_equal(buf_str(&b), bad[i]);
	}
	/* The bits behind a prefix stay 0, and the prefix still has its addresses. */
	buf_clear(&b);
	assert_true(privacy_filter(p, "10.244.0.0/16", &b));
	struct prefix net;
	struct addr pod = addr(PINNED_V4);
	assert_int_equal(prefix_parse(buf_str(&b), &net), 0);
	assert_true(prefix_has(&net, &pod) && net.len == 16 && !net.addr.b[14] && !net.addr.b[15]);
	buf_done(&b);
	privacy_free(p);
	privacy_free(none);
}

static void test_a_node_s_facts(void **state)
{
	struct privacy *p = make(false, &key_a);
	struct model_net *net = calloc(1, sizeof(*net));
	struct model_route route;

	(void)state;
	assert_non_null(net);
	snprintf(net->node, sizeof(net->node), "node1");
	net->n_pods = net->n_hops = 1;
	snprintf(net->pods[0].namespace_, sizeof(net->pods[0].namespace_), "default");
	snprintf(net->pods[0].name, sizeof(net->pods[0].name), "web");
	net->pods[0].addrs[0] = addr("10.244.1.2");
	net->pods[0].n_addrs = 1;
	snprintf(net->hops[0].name, sizeof(net->hops[0].name), "eth0");
	assert_int_equal(prefix_parse("10.244.1.2/24", &net->hops[0].addrs[0]), 0);
	net->hops[0].n_addrs = 1;
	net->routes = &route;
	net->n_routes = 1;
	privacy_net(p, net);
	char text[ADDR_STR_MAX], whole[3 * MODEL_K8S_NAME_MAX];
	snprintf(whole, sizeof(whole), "%s/%s", net->pods[0].namespace_, net->pods[0].name);
	assert_string_equal(whole, PINNED_POD);
	assert_string_not_equal(net->node, "node1");
	assert_string_equal(addr_str(&net->pods[0].addrs[0], text), PINNED_V4);
	assert_string_equal(addr_str(&net->hops[0].addrs[0].addr, text), PINNED_V4);
	assert_int_equal(net->hops[0].addrs[0].len, 24);
	assert_string_equal(net->hops[0].name, "eth0");
	assert_null(net->routes);
	free(net);
	privacy_free(p);
}

/* -------------------------------------------------------------------- frames */

static bool holds(const uint8_t *hay, uint32_t n, const char *hex)
{
	uint8_t needle[SAMPLE_MAX];
	uint32_t k = sample_bytes(hex, needle);

	for (uint32_t i = 0; i + k <= n; i++)
		if (memcmp(hay + i, needle, k) == 0)
			return true;
	return false;
}

/* All frames of the dissector's table, at all capture lengths. */
static void test_every_sample(void **state)
{
	struct privacy *ways[] = { make(false, &key_a), make(true, &key_a), make(true, NULL) };
	uint8_t data[SAMPLE_MAX], out[PRIVACY_FRAME_MAX];
	uint32_t n_out;

	(void)state;
	for (unsigned i = 0; i < N_DISSECT_SAMPLES; i++) {
		const struct dissect_sample *s = &dissect_samples[i];
		uint32_t n = sample_bytes(s->hex, data), len = s->len ? s->len : n;

		for (unsigned k = 0; k < 3; k++) {
			for (uint32_t cap = 0; cap <= n; cap++) {
				const char *broken = privacy_check_frame(
					ways[k], k < 2, s->linktype, data, cap, len, out, &n_out);

				if (broken)
					fail_msg("%s, %u bytes, way %u: %s", s->name, cap, k,
						 broken);
				/* Nobody could know what that is. */
				if (k == 2 || strcmp(s->name, "vxlan on another port") == 0)
					continue;
				if (holds(out, n_out, S_POD1) || holds(out, n_out, S_NODE1) ||
				    holds(out, n_out, S_POD2) || holds(out, n_out, S_NODE2) ||
				    holds(out, n_out, S_POD1_6) || holds(out, n_out, S_POD2_6) ||
				    holds(out, n_out, S_ETH))
					fail_msg("%s, %u bytes: an address is left", s->name, cap);
			}
		}
	}
	for (unsigned k = 0; k < 3; k++)
		privacy_free(ways[k]);
}

/* Where a frame ends without payload; the same with pseudonyms. */
static void expect_end(const char *what, const char *hex, uint32_t end)
{
	struct privacy *p = make(true, NULL), *q = make(true, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(hex, data);
	uint32_t found = privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);

	if (found != end)
		fail_msg("%s ends at %u", what, found);
	assert_memory_equal(out, data, found);
	found = privacy_frame(q, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	if (found != end)
		fail_msg("%s, anonymous, ends at %u", what, found);
	privacy_free(p);
	privacy_free(q);
}

#define QUOTED S_IP4("45", "0020", "4000", "11") S_UDP("1389", "1388", "000c")

static void test_where_headers_end(void **state)
{
	(void)state;
	expect_end("UDP", S_FRAME4, 14 + 20 + 8);
	expect_end("TCP with options",
		   S_ETH "0800" S_IP4("45", "0030", "4000", "06") S_TCP("6012") "020405b4" S_DATA,
		   14 + 20 + 24);
	expect_end("UDP over IPv6",
		   S_ETH "86dd" S_IP6("000c", "11") S_UDP("1389", "1388", "000c") S_DATA,
		   14 + 40 + 8);
	expect_end("VXLAN",
		   S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4,
		   50 + 14 + 20 + 8);
	expect_end("VXLAN in VXLAN",
		   S_OUTER("45", "0084", "0000") S_VXLAN_UDP("0070") S_VXLAN("08")
			   S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08") S_FRAME4,
		   100 + 14 + 20 + 8);
	expect_end("ARP",
		   S_ETH "0806 0001 0800 06 04 0001 020000000001" S_POD1 S_ZERO6 S_POD2 "0000",
		   14 + 28);
	expect_end("LLDP", S_ETH "88cc 0207 04 020000000001", 14);
	expect_end("an ICMP echo",
		   S_ETH "0800" S_IP4("45", "0020", "4000", "01") "0800 0000 0001 0002" S_DATA,
		   14 + 20 + 8);
	expect_end("an ICMP error",
		   S_ETH
		   "0800" S_IP4("45", "003c", "4000", "01") "0303 0000 0000 0000" QUOTED S_DATA,
		   14 + 20 + 8 + 28);
	expect_end("a later fragment", S_ETH "0800" S_IP4("45", "001c", "00b8", "11") S_DATA S_DATA,
		   14 + 20);
	expect_end("a protocol that nobody knows",
		   S_ETH "0800" S_IP4("45", "001c", "4000", "fd") S_DATA S_DATA, 14 + 20);
	expect_end("SCTP",
		   S_ETH "0800" S_IP4("45", "0024", "4000", "84") "138913880000000100000000" S_DATA,
		   14 + 20 + 12);
}

/* ----------------------------------------------------------------- checksums */

static uint32_t add_up(const uint8_t *b, size_t n, uint32_t sum)
{
	for (size_t i = 0; i < n; i++)
		sum += (uint32_t)b[i] << (i & 1 ? 0 : 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Sum of pseudo header and n bytes of transport; 0xffff when the checksum is right. */
static uint16_t l4_sum(const uint8_t *ip, bool v4, uint8_t protocol, const uint8_t *l4, size_t n,
		       size_t of_it)
{
	uint32_t sum = add_up(v4 ? ip + 12 : ip + 8, v4 ? 8 : 32, 0) + protocol + (uint32_t)n;

	return fold(add_up(l4, of_it, sum));
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void finish_ip4(uint8_t *ip, size_t header_len)
{
	put16(ip + 10, 0);
	put16(ip + 10, (uint16_t)~fold(add_up(ip, header_len, 0)));
}

struct sum_case {
	const char *what, *hex; /* checksums 0 */
	unsigned ip, l4, field; /* offsets; field from l4 */
	bool v4;
	uint8_t protocol;
};

#define N_WITH_PAYLOAD 3

static const struct sum_case sum_cases[] = {
	{ "TCP", S_ETH "0800" S_IP4("45", "002d", "4000", "06") S_TCP("5018") "0102030405", 14, 34,
	  16, true, 6 },
	{ "UDP", S_ETH "0800" S_IP4("45", "0020", "4000", "11") "1389 1388 000c 0000" S_DATA, 14,
	  34, 6, true, 17 },
	{ "UDP over IPv6", S_ETH "86dd" S_IP6("000c", "11") "1389 1388 000c 0000" S_DATA, 14, 54, 6,
	  false, 17 },
	{ "MPTCP's further address",
	  S_ETH "0800" S_IP4("45", "0034", "4000", "06")
		  S_TCP("8018") "1e0a 3001 c0a80001 0050 0101",
	  14, 34, 16, true, 6 },
	{ "ICMPv6 too big, quoting",
	  S_ETH
	  "86dd" S_IP6("0038", "3a") "0200 0000 000005aa" S_IP6("000c", "11") "1389 1388 000c 1234",
	  14, 54, 2, false, 58 },
	{ "neighbour solicitation",
	  S_ETH "86dd" S_IP6("0020", "3a") "8700 0000 00000000" S_POD2_6 "0101 020000000001", 14,
	  54, 2, false, 58 },
};

static void test_checksums_stay_as_good_as_they_were(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;

	(void)state;
	for (unsigned i = 0; i < sizeof(sum_cases) / sizeof(sum_cases[0]); i++) {
		const struct sum_case *c = &sum_cases[i];
		uint32_t n = sample_bytes(c->hex, data), kept;
		uint8_t *field = data + c->l4 + c->field;
		size_t l4_len = n - c->l4;
		uint16_t sum;

		if (c->v4)
			finish_ip4(data + c->ip, 20);
		/* Good. */
		sum = (uint16_t)~l4_sum(data + c->ip, c->v4, c->protocol, data + c->l4, l4_len,
					l4_len);
		put16(field, sum);
		kept = privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
		if (kept != n ||
		    l4_sum(out + c->ip, c->v4, c->protocol, out + c->l4, l4_len, l4_len) != 0xffff)
			fail_msg("%s: not good any more", c->what);
		if (c->v4)
			assert_int_equal(fold(add_up(out + c->ip, 20, 0)), 0xffff);
		/* Good, where its end was not captured. */
		uint8_t whole[SAMPLE_MAX];
		memcpy(whole, out, n);
		if (i < N_WITH_PAYLOAD) {
			kept = privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n - 3, n, &out);
			assert_int_equal(kept, n - 3);
			assert_memory_equal(out, whole, kept);
		}
		/* To be finished by the device. */
		if (c->protocol != 58) {
			put16(field, l4_sum(data + c->ip, c->v4, c->protocol, NULL, l4_len, 0));
			privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
			sum = l4_sum(out + c->ip, c->v4, c->protocol, NULL, l4_len, 0);
			if (out[c->l4 + c->field] != sum >> 8 ||
			    out[c->l4 + c->field + 1] != (sum & 0xff))
				fail_msg("%s: cannot be finished any more", c->what);
		}
		/* Wrong by as much as before. */
		put16(field, 0x1234);
		uint16_t wrong =
			l4_sum(data + c->ip, c->v4, c->protocol, data + c->l4, l4_len, l4_len);
		privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
		assert_int_equal(
			l4_sum(out + c->ip, c->v4, c->protocol, out + c->l4, l4_len, l4_len),
			wrong);
	}
	privacy_free(p);
}

/* None over IPv4 stays none; and where the sum comes to 0, 0xffff is written. */
static void test_udp_without_checksum(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(
		S_ETH "0800" S_IP4("45", "0020", "4000", "11") "1389 1388 000c 0000 0000 0000",
		data);

	(void)state;
	privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	assert_int_equal(out[40] | out[41], 0);
	for (unsigned v = 0; v < 65536; v++) {
		put16(data + 40, 0);
		put16(data + 42, (uint16_t)v);
		uint16_t sum = (uint16_t)~l4_sum(data + 14, true, 17, data + 34, 12, 12);
		put16(data + 40, sum ? sum : 0xffff);
		privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
		if (!(out[40] | out[41]) || l4_sum(out + 14, true, 17, out + 34, 12, 12) != 0xffff)
			fail_msg("payload %04x", v);
	}
	privacy_free(p);
}

static void test_an_outer_checksum_covers_the_inner_frame(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(
		S_ETH "86dd" S_IP6("003e", "11") "d431 2118 003e 0000" S_VXLAN("08") S_FRAME4,
		data);

	(void)state;
	put16(data + 60, (uint16_t)~l4_sum(data + 14, false, 17, data + 54, n - 54, n - 54));
	assert_int_equal(privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out), n);
	assert_int_equal(l4_sum(out + 14, false, 17, out + 54, n - 54, n - 54), 0xffff);
	assert_memory_not_equal(out + 70, data + 70, 12);
	privacy_free(p);
}

/* With a routing header the checksum is made with the last destination. */
static void test_a_routing_header(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX], as_final[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(S_ETH "86dd" S_IP6("0024", "2b") "11 02 04 01 00000000" S_POD1_6
								   "1389 1388 000c 0000" S_DATA,
				  data);

	(void)state;
	memcpy(as_final, data + 14, 40);
	memcpy(as_final + 24, data + 62, 16);
	put16(data + 84, (uint16_t)~l4_sum(as_final, false, 17, data + 78, 12, 12));
	assert_int_equal(privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out), n);
	assert_memory_equal(out + 22, out + 62, 16); /* the source once more */
	memcpy(as_final, out + 14, 40);
	memcpy(as_final + 24, out + 62, 16);
	assert_int_equal(l4_sum(as_final, false, 17, out + 78, 12, 12), 0xffff);
	privacy_free(p);
}

static void test_options_that_tell_addresses(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	/* record route: one address noted; router alert behind it */
	uint32_t n =
		sample_bytes(S_ETH "0800" S_IP4("48", "0028", "4000", "11") "07 07 08 c0a80001"
									    "94 04 0000 01"
									    "1389 1388 000c 0000",
			     data);

	(void)state;
	finish_ip4(data + 14, 32);
	privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	assert_memory_equal(out + 34, "\1\1\1\1\1\1\1\x94\4\0\0\1", 12);
	assert_int_equal(fold(add_up(out + 14, 32, 0)), 0xffff);
	/* an option of a destination header: a home address */
	n = sample_bytes(S_ETH "86dd" S_IP6("0024", "3c") "11 02 0102 0000 c910" S_POD1_6
							  "1389 1388 000c 0000" S_DATA,
			 data);
	privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	assert_false(holds(out, n, S_POD1_6));
	assert_memory_equal(out + 60, "\xc9\x10", 2);
	privacy_free(p);
}

/* What is not understood does not leave the house. */
static void expect_cut(const char *hex, uint32_t end)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(hex, data);

	assert_int_equal(privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out), end);
	privacy_free(p);
}

static void test_the_unknown_is_cut_off(void **state)
{
	(void)state;
	expect_cut(S_ETH "88cc 0207 04 020000000001", 14); /* LLDP */
	expect_cut(S_ETH "0800" S_IP4("45", "0028", "4000", "04") S_UDP4, 34); /* IP in IP */
	expect_cut(S_ETH "0800" S_IP4("45", "ff28", "4000", "11") S_DATA, 14); /* malformed */
	expect_cut(S_ETH "86dd" S_IP6("0018", "3a") "8600 0000 00000000" S_POD2_6, 62); /* RA */
	expect_cut(S_ETH "86dd" S_IP6("0020", "87") "3b02 0000 00000000" S_POD2_6 S_DATA S_DATA,
		   54); /* mobility */
	expect_cut(S_ETH
		   "0800" S_IP4("45", "0030", "4000", "84") "1389138800000001 00000000"
							    "01000010 00000001 00050008 c0a80001",
		   46); /* SCTP INIT */
	expect_cut(S_ETH "0800" S_IP4("45", "0024", "0008", "11") S_UDP4, 34); /* tiny fragment */
	/* but data is data */
	expect_cut(S_ETH
		   "0800" S_IP4("45", "0030", "4000", "84") "1389138800000001 00000000"
							    "00030010 00000001 00050008 61626364",
		   62);
	expect_cut(S_FRAME4, 46);
}

/* A redirect's gateway, and the inner packet that a node's ICMP error quotes of VXLAN. */
static void test_icmp(void **state)
{
	struct privacy *p = make(false, &key_a);
	uint8_t data[SAMPLE_MAX];
	const uint8_t *out;
	uint32_t n = sample_bytes(
			 S_ETH "0800" S_IP4("45", "0038", "4000", "01") "0501 0000" S_NODE1 QUOTED,
			 data),
		 kept;

	(void)state;
	put16(data + 36, (uint16_t)~fold(add_up(data + 34, n - 34, 0)));
	kept = privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	assert_int_equal(kept, n);
	assert_false(holds(out, n, S_NODE1) || holds(out, n, S_POD1));
	assert_int_equal(fold(add_up(out + 34, n - 34, 0)), 0xffff);
	n = sample_bytes(S_ETH "0800" S_IP4(
				 "45", "006e", "4000",
				 "01") "0304 0000 0000 05aa"
				       "4500 0052 0007 0000 4011 0000" S_NODE1 S_NODE2 S_VXLAN_UDP(
					       "003e") S_VXLAN("08") S_FRAME4,
			 data);
	kept = privacy_frame(p, MODEL_LINKTYPE_ETHERNET, data, n, n, &out);
	assert_int_equal(kept, n - 4);
	assert_false(holds(out, kept, S_NODE1) || holds(out, kept, S_POD1) ||
		     holds(out, kept, S_ETH));
	privacy_free(p);
}

/* --------------------------------------------------------------------- keys */

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void test_key_files(void **state)
{
	char path[] = "/tmp/podhop-key-XXXXXX", large[PRIVACY_KEY_MAX + 1];
	struct privacy_key a, b;
	struct err err = ERR_INIT;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	write_file(path, "sixteen bytes ok", 16);
	assert_int_equal(privacy_key_read(path, &a, &err), 0);
	assert_int_equal(privacy_key_read(path, &b, &err), 0);
	assert_memory_equal(&a, &b, sizeof(a));
	write_file(path, "sixteen bytes Ok", 16);
	assert_int_equal(privacy_key_read(path, &b, &err), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
	write_file(path, "fifteen bytes..", 15);
	assert_int_equal(privacy_key_read(path, &b, &err), -EINVAL);
	assert_int_equal(err.class, ERR_USAGE);
	memset(large, 'x', sizeof(large));
	write_file(path, large, sizeof(large));
	assert_int_equal(privacy_key_read(path, &b, &err), -EINVAL);
	unlink(path);
	assert_int_equal(privacy_key_read(path, &b, &err), -ENOENT);
	assert_int_equal(privacy_key_random(&a, &err), 0);
	assert_int_equal(privacy_key_random(&b, &err), 0);
	assert_memory_not_equal(&a, &b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes_stay_prefixes),
		cmocka_unit_test(test_special_addresses),
		cmocka_unit_test(test_no_two_addresses_become_one),
		cmocka_unit_test(test_pseudonyms_are_for_ever),
		cmocka_unit_test(test_macs),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_filters),
		cmocka_unit_test(test_a_node_s_facts),
		cmocka_unit_test(test_every_sample),
		cmocka_unit_test(test_where_headers_end),
		cmocka_unit_test(test_checksums_stay_as_good_as_they_were),
		cmocka_unit_test(test_udp_without_checksum),
		cmocka_unit_test(test_an_outer_checksum_covers_the_inner_frame),
		cmocka_unit_test(test_a_routing_header),
		cmocka_unit_test(test_options_that_tell_addresses),
		cmocka_unit_test(test_the_unknown_is_cut_off),
		cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_key_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
