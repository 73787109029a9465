/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dissect.c - every header, whole, cut and contradictory; details the table has no column for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dissect_check.h"
#include "dissect_samples.h"
#include "podhop/addr.h"
#include "podhop/dissect.h"

static void view_of(const struct dissect_sample *s, struct model_view *ret_view)
{
	uint8_t data[SAMPLE_MAX];
	uint32_t n = sample_bytes(s->hex, data), len = s->len ? s->len : n;
	const char *broken = check_run(s->linktype, data, n, len, ret_view);

	if (!broken)
		broken = check_view(ret_view, n, len);
	if (broken)
		fail_msg("%s: %s", s->name, broken);
}

/* The view of the sample of that name. */
static struct model_view V(const char *name)
{
	struct model_view v;

	for (size_t i = 0; i < N_DISSECT_SAMPLES; i++) {
		if (strcmp(dissect_samples[i].name, name) == 0) {
			view_of(&dissect_samples[i], &v);
			return v;
		}
	}
	fail_msg("no sample '%s'", name);
	abort();
}

static void is_addr(const struct addr *a, const char *text)
{
	char out[ADDR_STR_MAX];

	assert_string_equal(addr_str(a, out), text);
}

static void test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_DISSECT_SAMPLES; i++) {
		const struct dissect_sample *s = &dissect_samples[i];
		char got[200], want[200];
		struct model_view v;

		view_of(s, &v);
		snprintf(got, sizeof(got), "%s: status %u layer %u encap %d ip %u/%u %u>%u %u",
			 s->name, v.status, v.layer, v.encap, v.ip.version,
			 v.ip.protocol, v.sport, v.dport, v.payload_len);
		snprintf(want, sizeof(want), "%s: status %u layer %u encap %d ip %u/%u %u>%u %u",
			 s->name, s->status, s->layer, s->encap, s->version,
			 s->protocol, s->sport, s->dport, s->payload_len);
		assert_string_equal(got, want);
	}
}

/* Every sample at every capture length. */
static void test_sweep(void **state)
{
	unsigned n_views = 0;

	(void)state;
	for (size_t i = 0; i < N_DISSECT_SAMPLES; i++) {
		const struct dissect_sample *s = &dissect_samples[i];
		uint8_t data[SAMPLE_MAX];
		uint32_t n = sample_bytes(s->hex, data), len = s->len ? s->len : n;
		struct model_view full, cut;

		view_of(s, &full);
		for (uint32_t caplen = 0; caplen <= n; caplen++) {
			const char *broken = check_run(s->linktype, data, caplen, len, &cut);

			if (!broken)
				broken = check_view(&cut, caplen, len);
			if (!broken)
				broken = check_cut(&cut, &full);
			if (broken)
				fail_msg("%s at %u of %u: %s", s->name, caplen, n, broken);
			/* As a wire that ended there: only the bounds must hold. */
			broken = check_run(s->linktype, data, caplen, caplen, &cut);
			if (!broken)
				broken = check_view(&cut, caplen, caplen);
			if (broken)
				fail_msg("%s of %u bytes: %s", s->name, caplen, broken);
			n_views++;
		}
	}
	assert_true(n_views > 5000);
}

/* Every sample with every byte set to a few values. */
static void test_flips(void **state)
{
	static const uint8_t values[] = { 0x00, 0x01, 0x0f, 0x45, 0x7f, 0x80, 0xff };

	(void)state;
	for (size_t i = 0; i < N_DISSECT_SAMPLES; i++) {
		const struct dissect_sample *s = &dissect_samples[i];
		uint8_t data[SAMPLE_MAX];
		uint32_t n = sample_bytes(s->hex, data), len = s->len ? s->len : n;
		struct model_view v;

		for (uint32_t at = 0; at < n; at++) {
			uint8_t saved = data[at];

			for (size_t k = 0; k < sizeof(values); k++) {
				const char *broken;

				data[at] = values[k];
				broken = check_run(s->linktype, data, n, len, &v);
				if (!broken)
					broken = check_view(&v, n, len);
				if (broken)
					fail_msg("%s, byte %u = %u: %s", s->name, at, values[k],
						 broken);
			}
			data[at] = saved;
		}
	}
}

static void test_link(void **state)
{
	struct model_view v = V("qinq");

	(void)state;
	assert_int_equal(v.vlan, 100);
	assert_int_equal(v.ethertype, 0x0800);
	assert_int_equal(v.eth_header_len, 22);
	v = V("ip4 udp");
	assert_int_equal(v.vlan, MODEL_NO_VLAN);
	assert_int_equal(v.eth_len, 46);
	v = V("sll in");
	assert_int_equal(v.sll_way, MODEL_WAY_IN);
	assert_int_equal(v.sll2_ifindex, 0);
	assert_int_equal(v.eth_header_len, 16);
	v = V("sll out vlan");
	assert_int_equal(v.sll_way, MODEL_WAY_OUT);
	assert_int_equal(v.vlan, 42);
	v = V("sll2 out");
	assert_int_equal(v.sll_way, MODEL_WAY_OUT);
	assert_int_equal(v.sll2_ifindex, 7);
	assert_int_equal(v.ip.offset, 20);
	v = V("raw ip6");
	assert_int_equal(v.eth_header_len, 0);
	assert_int_equal(v.ethertype, 0x86dd);
	assert_true(dissect_knows_linktype(MODEL_LINKTYPE_LINUX_SLL2));
	assert_false(dissect_knows_linktype(0));
}

static void test_arp(void **state)
{
	struct model_view v = V("arp padded");

	(void)state;
	assert_int_equal(v.arp_op, 2);
	is_addr(&v.arp_sender, "10.244.1.2");
	is_addr(&v.arp_target, "10.244.2.2");
	v = V("arp other hardware");
	assert_int_equal(v.arp_op, 0);
	v = V("vxlan arp");
	assert_int_equal(v.arp_op, 1);
	assert_int_equal(v.vni, 1);
	is_addr(&v.outer.dst, "192.168.0.2");
}

static void test_ip(void **state)
{
	struct model_view v = V("ip4 udp");

	(void)state;
	is_addr(&v.ip.src, "10.244.1.2");
	is_addr(&v.ip.dst, "10.244.2.2");
	assert_int_equal(v.ip.id, 0x1234);
	assert_true(v.ip.has_id);
	assert_int_equal(v.ip.len, 32);
	assert_int_equal(v.ip.ttl, 64);
	assert_int_equal(v.ip.tos, 2);
	assert_true(v.ip.dont_fragment);
	assert_false(v.ip.frag);
	assert_int_equal(v.udp_len, 12);
	assert_int_equal(v.l4_len, 12);
	assert_int_equal(v.payload_offset, 42);
	assert_int_equal(v.payload_cap, 4);
	v = V("ip4 padded");
	assert_int_equal(v.eth_len, 60);
	assert_int_equal(v.payload_cap, 4);
	v = V("ip4 options");
	assert_int_equal(v.ip.header_len, 24);
	v = V("ip4 total 0");
	assert_int_equal(v.ip.len, 70040);
	assert_int_equal(v.payload_cap, 4);
	v = V("ip4 first fragment");
	assert_true(v.ip.frag && v.ip.frag_more);
	assert_int_equal(v.ip.frag_off, 0);
	assert_int_equal(v.udp_len, 3000);
	assert_false(v.outer_frag);
	v = V("ip4 later fragment");
	assert_int_equal(v.ip.frag_off, 16);
	assert_false(v.has_ports || v.outer_frag);
	v = V("ip6 udp");
	is_addr(&v.ip.src, "fd00:0:0:1::2");
	assert_int_equal(v.ip.flow_label, 0x12345);
	assert_int_equal(v.ip.tos, 1);
	assert_false(v.ip.has_id);
	v = V("ip6 extensions");
	assert_int_equal(v.ip.header_len, 40 + 40);
	v = V("ip6 big tcp jumbogram");
	assert_int_equal(v.ip.len, 80068);
	assert_int_equal(v.ip.header_len, 48);
	v = V("ip6 first fragment");
	assert_true(v.ip.frag && v.ip.frag_more);
	assert_int_equal(v.ip.id, 0xabcd);
	assert_int_equal(v.ip.header_len, 48);
	v = V("ip6 later fragment");
	assert_int_equal(v.ip.frag_off, 1448);
	assert_true(v.ip.frag_more);
	v = V("ip6 atomic fragment");
	assert_true(v.ip.has_id);
	assert_false(v.ip.frag);
}

static void test_tcp(void **state)
{
	struct model_view v = V("tcp");

	(void)state;
	assert_int_equal(v.tcp_seq, 1);
	assert_int_equal(v.tcp_ack, 2);
	assert_int_equal(v.tcp_flags, MODEL_TCP_ACK | MODEL_TCP_PSH);
	assert_int_equal(v.tcp_window, 256);
	assert_int_equal(v.payload_offset, 54);
	v = V("tcp syn options");
	assert_int_equal(v.tcp_flags, MODEL_TCP_SYN);
	assert_int_equal(v.tcp_mss, 1450);
	assert_int_equal(v.tcp_options_len, 20);
	v = V("tcp option length 0");
	assert_int_equal(v.tcp_mss, 0);
	v = V("tcp option too long");
	assert_int_equal(v.tcp_mss, 1450);
	v = V("tcp option end");
	assert_int_equal(v.tcp_mss, 0);
	v = V("tcp cut");
	assert_int_equal(v.tcp_seq, 1);
	assert_int_equal(v.stop_offset, 34);
	v = V("tcp options cut");
	assert_int_equal(v.tcp_options_len, 12);
	assert_int_equal(v.payload_cap, 0);
}

static void test_icmp(void **state)
{
	struct model_view v = V("icmp echo");

	(void)state;
	assert_true(v.has_ports);
	assert_int_equal(v.icmp_id, 0x0bad);
	assert_int_equal(v.icmp_seq, 5);
	v = V("icmp frag needed, tcp");
	assert_false(v.has_ports);
	assert_int_equal(v.icmp_mtu, 1400);
	assert_int_equal(v.quote.version, 4);
	is_addr(&v.quote.src, "10.244.2.2");
	assert_int_equal(v.quote.sport, 80);
	assert_int_equal(v.quote.dport, 40000);
	assert_int_equal(v.quote.seq, 0x0bad);
	assert_int_equal(v.quote.id, 0x99);
	assert_int_equal(v.quote.len, 1400);
	assert_true(v.quote.has_ports && v.quote.has_seq && v.quote.has_id);
	v = V("icmp unreachable, echo");
	assert_true(v.quote.has_ports);
	assert_int_equal(v.quote.sport, 0x0bad);
	assert_int_equal(v.quote.dport, 0);
	assert_int_equal(v.icmp_mtu, 0);
	v = V("icmp time exceeded, later fragment");
	assert_true(v.quote.frag);
	assert_false(v.quote.has_ports);
	v = V("icmp quote limited");
	assert_int_equal(v.quote.version, 4);
	assert_false(v.quote.has_ports);
	v = V("icmp quote of nothing");
	assert_int_equal(v.quote.version, 0);
	v = V("icmp quote is nonsense");
	assert_int_equal(v.quote.version, 0);
	v = V("icmpv6 too big, udp");
	assert_int_equal(v.icmp_mtu, 1430);
	assert_int_equal(v.quote.version, 6);
	assert_int_equal(v.quote.protocol, MODEL_PROTO_UDP);
	assert_int_equal(v.quote.sport, 5000);
	assert_int_equal(v.quote.id, 0x5678);
	assert_int_equal(v.quote.len, 1440);
	is_addr(&v.quote.dst, "fd00:0:0:1::2");
	v = V("icmpv6 neighbour");
	assert_int_equal(v.quote.version, 0);
}

static void test_vxlan(void **state)
{
	struct model_view v = V("vxlan");

	(void)state;
	assert_int_equal(v.vni, 1);
	assert_int_equal(v.vxlan_flags, 0x08);
	assert_int_equal(v.encap_len, MODEL_VXLAN_OVERHEAD_V4);
	assert_int_equal(v.eth_offset, 50);
	assert_int_equal(v.eth_len, 46);
	assert_int_equal(v.outer_sport, 54321);
	assert_int_equal(v.outer_dport, 8472);
	assert_int_equal(v.outer_udp_len, 62);
	assert_int_equal(v.outer_udp_csum, 0);
	is_addr(&v.outer.src, "192.168.0.1");
	is_addr(&v.ip.src, "10.244.1.2");
	assert_int_equal(v.outer.id, 7);
	assert_int_equal(v.ip.offset, 64);
	v = V("vxlan, vlan outside, options");
	assert_int_equal(v.encap_len, 58);
	assert_int_equal(v.vlan, MODEL_NO_VLAN);
	v = V("vxlan over ip6");
	assert_int_equal(v.encap_len, MODEL_VXLAN_OVERHEAD_V6);
	v = V("vxlan of 13 bytes");
	assert_int_equal(v.vni, 1);
	is_addr(&v.outer.dst, "192.168.0.2");
	v = V("vxlan in vxlan");
	is_addr(&v.ip.src, "192.168.0.1");
	assert_int_equal(v.encap_len, 50);
	v = V("vxlan big tcp");
	assert_int_equal(v.eth_len, 80054);
	assert_int_equal(v.ip.len, 80040);
	assert_int_equal(v.outer.len, 80090);
	v = V("vxlan first outer fragment");
	assert_true(v.outer.frag && v.outer.frag_more);
	assert_false(v.outer_frag);
	assert_int_equal(v.ip.len, 1472);
	assert_int_equal(v.eth_len, 1486);
	assert_int_equal(v.payload_cap, 10);
	v = V("vxlan partial offload");
	assert_int_equal(v.gso_segment, 64);
	assert_int_equal(v.outer.len, 154 + 128);
	assert_int_equal(v.outer_udp_len, 134);
	assert_int_equal(v.ip.len, 104 + 128);
	assert_int_equal(v.eth_len, 118 + 128);
	v = V("vxlan with a trailer");
	assert_int_equal(v.gso_segment, 0);
	assert_int_equal(v.eth_len, 118);
	v = V("vxlan later outer fragment");
	assert_true(v.outer_frag);
	assert_int_equal(v.outer.frag_off, 1472);
	assert_int_equal(v.ip.frag_off, 1472);
	v = V("vxlan inner fragment");
	assert_false(v.outer_frag);
	assert_int_equal(v.ip.frag_off, 1480);
}

static void test_short_len(void **state)
{
	const struct dissect_sample *s = NULL;
	uint8_t data[SAMPLE_MAX];
	struct model_view v;

	(void)state;
	for (size_t i = 0; i < N_DISSECT_SAMPLES; i++)
		if (strcmp(dissect_samples[i].name, "vxlan") == 0)
			s = &dissect_samples[i];
	assert_non_null(s);
	/* Files exist that claim less on the wire than they show. */
	assert_null(check_run(s->linktype, data, sample_bytes(s->hex, data), 10, &v));
	assert_int_equal(v.status, MODEL_VIEW_OK);
	assert_int_equal(v.eth_len, 46);
}

static void test_no_ports(void **state)
{
	static const struct dissect_config none = { .n_vxlan_ports = 0 };
	uint8_t data[SAMPLE_MAX];
	uint32_t n = sample_bytes(S_OUTER("45", "0052", "0000") S_VXLAN_UDP("003e") S_VXLAN("08")
				  S_FRAME4, data);
	struct model_frame f = { .data = data, .caplen = n, .len = n };
	struct model_view v;

	(void)state;
	dissect_frame(&none, MODEL_LINKTYPE_ETHERNET, &f, &v);
	assert_int_equal(v.status, MODEL_VIEW_OK);
	assert_false(v.encap);
	assert_int_equal(v.dport, 8472);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),	  cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_flips),	  cmocka_unit_test(test_link),
		cmocka_unit_test(test_arp),	  cmocka_unit_test(test_ip),
		cmocka_unit_test(test_tcp),	  cmocka_unit_test(test_icmp),
		cmocka_unit_test(test_vxlan),	  cmocka_unit_test(test_short_len),
		cmocka_unit_test(test_no_ports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
