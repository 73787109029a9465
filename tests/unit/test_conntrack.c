/* SPDX-License-Identifier: BSD-3-Clause */
/* test_conntrack.c - ctnetlink messages as the kernel sends them, and broken ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>

#include <linux/filter.h>

#include "fake_kernel.h"
#include "podhop/conntrack.h"

/* net/netfilter/nf_conntrack_netlink.c: ctnetlink_fill_info(), as far as it matters. */
struct message {
	_Alignas(struct nlmsghdr) uint8_t b[512];
	size_t len;
};

static size_t put(struct message *m, uint16_t type, const void *data, size_t len)
{
	struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + len), .nla_type = type };
	size_t at = m->len;

	memcpy(m->b + m->len, &a, sizeof(a));
	if (len)
		memcpy(m->b + m->len + sizeof(a), data, len);
	m->len += (sizeof(a) + len + 3) & ~(size_t)3;
	return at;
}

static size_t begin(struct message *m, uint16_t type)
{
	return put(m, (uint16_t)(type | NLA_F_NESTED), NULL, 0);
}

static void end(struct message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->b + at, &len, sizeof(len));
}

static void put_be16(struct message *m, uint16_t type, uint16_t v)
{
	const uint8_t be[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	put(m, type, be, sizeof(be));
}

static void put_tuple(struct message *m, uint16_t type, const struct result_tuple *t)
{
	bool v4 = addr_is_v4(&t->src);
	size_t skip = v4 ? 12 : 0, tuple = begin(m, type), part = begin(m, CTA_TUPLE_IP);

	put(m, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, t->src.b + skip, 16 - skip);
	put(m, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, t->dst.b + skip, 16 - skip);
	end(m, part);
	part = begin(m, CTA_TUPLE_PROTO);
	put(m, CTA_PROTO_NUM, &t->protocol, 1);
	if (t->protocol == MODEL_PROTO_ICMP) {
		put_be16(m, CTA_PROTO_ICMP_ID, t->sport);
	} else if (t->has_ports) {
		put_be16(m, CTA_PROTO_SRC_PORT, t->sport);
		put_be16(m, CTA_PROTO_DST_PORT, t->dport);
	}
	end(m, part);
	end(m, tuple);
}

static struct message message(const struct result_tuple *original,
			      const struct result_tuple *reply, uint32_t status)
{
	struct message m = { .len = sizeof(struct nlmsghdr) };
	const struct nfgenmsg g = { .nfgen_family = addr_is_v4(&original->src) ? 2 : 10 };
	struct nlmsghdr h = { .nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW };
	const uint8_t be[4] = { (uint8_t)(status >> 24), (uint8_t)(status >> 16),
				(uint8_t)(status >> 8), (uint8_t)status };

	memcpy(m.b + m.len, &g, sizeof(g));
	m.len += sizeof(g);
	put_tuple(&m, CTA_TUPLE_ORIG, original);
	put_tuple(&m, CTA_TUPLE_REPLY, reply);
	put(&m, CTA_STATUS, be, sizeof(be));
	h.nlmsg_len = (uint32_t)m.len;
	memcpy(m.b, &h, sizeof(h));
	return m;
}

static struct result_tuple tuple(uint8_t protocol, const char *src, uint16_t sport,
				 const char *dst, uint16_t dport)
{
	struct result_tuple t = { .protocol = protocol, .has_ports = true, .sport = sport,
				  .dport = dport };

	assert_int_equal(addr_parse(src, &t.src), 0);
	assert_int_equal(addr_parse(dst, &t.dst), 0);
	return t;
}

static void assert_tuple(const struct result_tuple *found, const struct result_tuple *wanted)
{
	assert_true(addr_eq(&found->src, &wanted->src));
	assert_true(addr_eq(&found->dst, &wanted->dst));
	assert_int_equal(found->sport, wanted->sport);
	assert_int_equal(found->dport, wanted->dport);
	assert_int_equal(found->protocol, wanted->protocol);
	assert_true(found->has_ports);
}

#define CONFIRMED (IPS_CONFIRMED | IPS_SRC_NAT_DONE | IPS_DST_NAT_DONE)

static void assert_parsed(struct result_tuple original, struct result_tuple reply, uint32_t status)
{
	struct message m = message(&original, &reply, status);
	struct result_tuple o, r;

	assert_true(conntrack_parse(m.b, m.len, &o, &r));
	assert_tuple(&o, &original);
	assert_tuple(&r, &reply);
}

static void test_parsed(void **state)
{
	(void)state;
	assert_parsed(tuple(MODEL_PROTO_TCP, "10.244.1.2", 40000, "10.96.0.10", 80),
		      tuple(MODEL_PROTO_TCP, "10.244.2.2", 8080, "10.244.1.2", 40000),
		      CONFIRMED | IPS_DST_NAT);
	assert_parsed(tuple(MODEL_PROTO_UDP, "fd00::2", 40000, "fd77::1", 53),
		      tuple(MODEL_PROTO_UDP, "fd77::1", 53, "fd77::b", 6543),
		      CONFIRMED | IPS_SRC_NAT);
	assert_parsed(tuple(MODEL_PROTO_ICMP, "10.244.1.2", 7, "192.168.77.100", 0),
		      tuple(MODEL_PROTO_ICMP, "192.168.77.100", 8, "192.168.77.11", 0),
		      CONFIRMED | IPS_SRC_NAT);
}

static void test_refused(void **state)
{
	const struct result_tuple o = tuple(MODEL_PROTO_TCP, "10.244.1.2", 4, "10.96.0.10", 80);
	const struct result_tuple r = tuple(MODEL_PROTO_TCP, "10.244.2.2", 8, "10.244.1.2", 4);
	struct result_tuple gre_o = o, gre_r = r, a, b;
	struct message m;
	struct nlmsghdr h;

	(void)state;
	gre_o.protocol = gre_r.protocol = 47;
	gre_o.has_ports = gre_r.has_ports = false;
	m = message(&o, &r, CONFIRMED);
	assert_false(conntrack_parse(m.b, m.len, &a, &b)); /* not translated */
	m = message(&gre_o, &gre_r, CONFIRMED | IPS_DST_NAT);
	assert_false(conntrack_parse(m.b, m.len, &a, &b)); /* no ports */
	m = message(&o, &r, CONFIRMED | IPS_DST_NAT);
	memcpy(&h, m.b, sizeof(h));
	h.nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE;
	memcpy(m.b, &h, sizeof(h));
	assert_false(conntrack_parse(m.b, m.len, &a, &b)); /* its end */
}

/* Every cut, with the length told and not told; in memory of exactly that size. */
static void test_cut(void **state)
{
	const struct result_tuple o = tuple(MODEL_PROTO_TCP, "10.244.1.2", 4, "10.96.0.10", 80);
	const struct result_tuple r = tuple(MODEL_PROTO_TCP, "10.244.2.2", 8, "10.244.1.2", 4);
	const struct message m = message(&o, &r, CONFIRMED | IPS_DST_NAT);

	(void)state;
	for (size_t len = 0; len < m.len; len++) {
		uint8_t *cut = malloc(len ? len : 1);
		struct result_tuple a, b;
		uint32_t told = (uint32_t)len;

		assert_non_null(cut);
		memcpy(cut, m.b, len);
		assert_false(conntrack_parse(cut, len, &a, &b));
		if (len >= sizeof(told)) {
			memcpy(cut, &told, sizeof(told));
			assert_false(conntrack_parse(cut, len, &a, &b));
		}
		free(cut);
	}
}

/* A tuple without one of its parts is no connection. */
static void test_parts(void **state)
{
	enum { NO_SRC, NO_DST, NO_PORTS, NO_SPORT, NO_ID, WHOLE, PARTS };

	(void)state;
	for (int part = 0; part < PARTS; part++) {
		struct message m = { .len = sizeof(struct nlmsghdr) };
		const struct nfgenmsg g = { .nfgen_family = 2 };
		struct nlmsghdr h = { .nlmsg_type =
					      NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW };
		const uint8_t nat[4] = { 0, 0, 0, IPS_SRC_NAT };
		struct result_tuple a, b;

		memcpy(m.b + m.len, &g, sizeof(g));
		m.len += sizeof(g);
		for (int side = CTA_TUPLE_ORIG; side <= CTA_TUPLE_REPLY; side++) {
			const uint8_t proto = part == NO_ID ? MODEL_PROTO_ICMP : MODEL_PROTO_SCTP;
			size_t tuple_at = begin(&m, (uint16_t)side), at = begin(&m, CTA_TUPLE_IP);

			if (part != NO_SRC)
				put(&m, CTA_IP_V4_SRC, "\x0a\x00\x00\x01", 4);
			if (part != NO_DST)
				put(&m, CTA_IP_V4_DST, "\x0a\x00\x00\x02", 4);
			end(&m, at);
			at = begin(&m, CTA_TUPLE_PROTO);
			put(&m, CTA_PROTO_NUM, &proto, 1);
			if (part != NO_PORTS && part != NO_SPORT)
				put_be16(&m, CTA_PROTO_SRC_PORT, 7);
			if (part != NO_PORTS)
				put_be16(&m, CTA_PROTO_DST_PORT, 8);
			end(&m, at);
			end(&m, tuple_at);
		}
		put(&m, CTA_STATUS, nat, sizeof(nat));
		h.nlmsg_len = (uint32_t)m.len;
		memcpy(m.b, &h, sizeof(h));
		assert_int_equal(conntrack_parse(m.b, m.len, &a, &b), part == WHOLE);
	}
}

/* ------------------------------------------------------------------ sockets */

static int setup(void **state)
{
	(void)state;
	kernel_reset();
	return 0;
}

/* A connection, translated or not, whose original comes from that port. */
static void say(uint16_t sport, uint32_t status, uint16_t flags)
{
	const struct result_tuple o = tuple(MODEL_PROTO_TCP, "10.244.1.2", sport, "10.96.0.10", 80);
	const struct result_tuple r = tuple(MODEL_PROTO_TCP, "10.244.2.2", 8, "10.244.1.2", sport);
	struct message m = message(&o, &r, CONFIRMED | status);
	struct nlmsghdr h;

	memcpy(&h, m.b, sizeof(h));
	h.nlmsg_flags = flags;
	h.nlmsg_seq = kernel.seq;
	h.nlmsg_pid = kernel.port;
	memcpy(m.b, &h, sizeof(h));
	kernel_queue(m.b, m.len, 0);
}

#define COUNTED (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET_STATS)

/* ctnetlink_stat_ct_fill_info(): how many connections there are; the flag is the kernel's. */
static void say_count(uint32_t n, size_t len, uint16_t type)
{
	const struct nfgenmsg g = { .nfgen_family = AF_UNSPEC };
	const uint8_t be[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8),
				(uint8_t)n };

	reply_begin(type, NLM_F_MULTI, &g, sizeof(g));
	reply_attr(CTA_STATS_GLOBAL_ENTRIES, be, len);
	reply_end();
}

static bool is_count(const struct nlmsghdr *request)
{
	return request->nlmsg_type == COUNTED;
}

static void say_three(const struct nlmsghdr *request)
{
	if (is_count(request)) {
		say_count(1u << 24, 4, COUNTED);
		return;
	}
	say(1, IPS_DST_NAT, NLM_F_MULTI);
	say(2, 0, NLM_F_MULTI);
	say(3, IPS_SRC_NAT, NLM_F_MULTI);
	reply_done(0, 0);
}

static void say_refused(const struct nlmsghdr *request)
{
	if (is_count(request)) {
		reply_error(EPERM);
		return;
	}
	say(1, IPS_DST_NAT, NLM_F_MULTI);
	reply_done(0, EPERM);
}

static unsigned heard;

static void hear(void *arg, const struct result_tuple *original, const struct result_tuple *reply)
{
	assert_int_equal(original->sport, reply->dport);
	heard = heard * 10 + original->sport;
	assert_ptr_equal(arg, &heard);
}

static void test_dump(void **state)
{
	struct err err = ERR_INIT;
	struct conntrack *c = conntrack_open(&err);

	(void)state;
	assert_non_null(c);
	heard = 0;
	kernel.answer = say_three;
	assert_int_equal(conntrack_dump(c, hear, &heard, &err), 0);
	assert_int_equal(heard, 13);
	kernel.answer = say_refused;
	assert_int_equal(conntrack_dump(c, hear, &heard, &err), -EPERM);
	assert_int_equal(heard, 131);
	assert_string_equal(err.text, "conntrack: Operation not permitted");
	err_clear(&err);
	kernel.no_socket = EACCES;
	assert_int_equal(conntrack_dump(c, hear, &heard, &err), -EACCES);
	assert_non_null(strstr(err.text, "conntrack: netlink socket: "));
	conntrack_free(c);
}

static unsigned dumps;

static void say_none(const struct nlmsghdr *request)
{
	if (is_count(request)) {
		say_count(0, 4, COUNTED);
		return;
	}
	dumps++;
	reply_done(0, 0);
}

/* Not as the kernel says it: of another length, of another kind. */
static void say_short(const struct nlmsghdr *request)
{
	if (is_count(request))
		say_count(0, 3, COUNTED);
	else
		say_none(request);
}

static void say_other(const struct nlmsghdr *request)
{
	if (is_count(request))
		say_count(0, 4, COUNTED + 1);
	else
		say_none(request);
}

/* The table of all namespaces is not walked for one that has no connection. */
static void test_no_dump(void **state)
{
	void (*const doubtful[])(const struct nlmsghdr *) = { say_short, say_other };
	struct err err = ERR_INIT;
	struct conntrack *c = conntrack_open(&err);

	(void)state;
	assert_non_null(c);
	dumps = heard = 0;
	kernel.answer = say_none;
	assert_int_equal(conntrack_dump(c, hear, &heard, &err), 0);
	assert_int_equal(dumps, 0);
	for (unsigned i = 0; i < 2; i++) {
		kernel.answer = doubtful[i];
		assert_int_equal(conntrack_dump(c, hear, &heard, &err), 0);
		assert_int_equal(dumps, i + 1);
	}
	assert_int_equal(heard, 0);
	conntrack_free(c);
}

/* Events have no question: their numbers are of no account. */
static void test_read(void **state)
{
	struct err err = ERR_INIT;
	struct conntrack *c = conntrack_open(&err);

	(void)state;
	assert_non_null(c);
	heard = 0;
	assert_int_equal(conntrack_read(c, hear, &heard), 0);
	kernel.seq = 99;
	say(4, IPS_DST_NAT, 0);
	say(5, 0, 0);
	say(6, IPS_SRC_NAT, 0);
	assert_int_equal(conntrack_read(c, hear, &heard), 2);
	assert_int_equal(heard, 46);
	/* more than the socket could hold: what came is told, and that some is missing */
	say(7, IPS_DST_NAT, 0);
	reply_fault(ENOBUFS);
	say(8, IPS_DST_NAT, 0);
	assert_int_equal(conntrack_read(c, hear, &heard), -ENOBUFS);
	assert_int_equal(heard, 467);
	assert_int_equal(conntrack_read(c, hear, &heard), 1);
	assert_int_equal(heard, 4678);
	reply_fault(ENOMEM);
	assert_int_equal(conntrack_read(c, hear, &heard), -ENOMEM);
	reply_fault(EACCES);
	assert_int_equal(conntrack_read(c, hear, &heard), -EACCES);
	conntrack_free(c);
}

static void test_open(void **state)
{
	static const struct {
		int option;
		const char *says;
	} rows[] = {
		{ SO_ATTACH_FILTER, "conntrack: filter: Operation not permitted" },
		{ NETLINK_ADD_MEMBERSHIP, "conntrack: events: " },
	};
	struct err err = ERR_INIT;
	struct conntrack *c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kernel.no_option = rows[i].option;
		err_clear(&err);
		assert_null(conntrack_open(&err));
		assert_int_equal(err.code, -EPERM);
		assert_non_null(strstr(err.text, rows[i].says));
	}
	kernel.no_option = 0;
	kernel.no_socket = EPERM;
	err_clear(&err);
	assert_null(conntrack_open(&err));
	assert_non_null(strstr(err.text, "conntrack: netlink socket: "));
	/* a smaller buffer does */
	kernel.no_socket = 0;
	kernel.no_option = SO_RCVBUFFORCE;
	c = conntrack_open(&err);
	assert_non_null(c);
	conntrack_free(c);
	conntrack_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parsed), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_cut), cmocka_unit_test(test_parts),
		cmocka_unit_test_setup(test_dump, setup),
		cmocka_unit_test_setup(test_no_dump, setup),
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_open, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
