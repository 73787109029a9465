/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_doctor_find.c - which finding explains which loss; findings as text; dumps asked ahead.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/doctor/counters.h"
#include "../../src/doctor/doctor_priv.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ------------------------------------------------------------------------ places */

static void test_places(void **state)
{
	const enum model_direction out = MODEL_DIRECTION_EGRESS, in = MODEL_DIRECTION_INGRESS;

	(void)state;
	assert_int_equal(doctor_places(out, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE), 1u << 1);
	assert_int_equal(doctor_places(out, MODEL_ROLE_BRIDGE, MODEL_ROLE_UNDERLAY),
			 1u << 2 | 1u << 3);
	assert_int_equal(doctor_places(out, MODEL_ROLE_UNDERLAY, MODEL_ROLE_NONE), 1u << 4);
	assert_int_equal(doctor_places(in, MODEL_ROLE_NONE, MODEL_ROLE_UNDERLAY), 1u << 12);
	assert_int_equal(doctor_places(in, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE), 1u << 10);
	assert_int_equal(doctor_places(in, MODEL_ROLE_NONE, MODEL_ROLE_VETH),
			 1u << 12 | 1u << 11 | 1u << 10 | 1u << 9);
	/* to another pod of the node: out of one port of the bridge and into another */
	assert_int_equal(doctor_places(out, MODEL_ROLE_VETH, MODEL_ROLE_VETH), 1u << 1 | 1u << 9);
	/* no way at all */
	assert_int_equal(doctor_places(out, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE), 0);
}

/* --------------------------------------------------------------------- a small node */

struct node {
	struct doctor_view v;
	struct doctor_link links[4];
	struct doctor_base_chain chains[3];
	struct doctor_rule rules[3];
	struct chain chain;
	struct chain_pod pod;
	struct chain_interface ifc;
	struct doctor_check checks[4];
	struct doctor_report report;
	struct doctor_counter before[4], after[8];
	struct doctor_counters b, a;
};

static void node_init(struct node *n)
{
	static const char *const names[] = { "eth0", "flannel.1", "cni0", "vethweb" };

	memset(n, 0, sizeof(*n));
	n->v = (struct doctor_view){ .root = -1,
				     .proc = -1,
				     .links = n->links,
				     .n_links = COUNT(n->links),
				     .chains = n->chains,
				     .rules = n->rules,
				     .chain = &n->chain };
	for (unsigned i = 0; i < COUNT(names); i++) {
		n->links[i].ifindex = i + 2;
		snprintf(n->links[i].name, sizeof(n->links[i].name), "%s", names[i]);
	}
	snprintf(n->links[1].kind, sizeof(n->links[1].kind), "vxlan");
	n->links[1].vxlan_link = 2;
	snprintf(n->links[2].kind, sizeof(n->links[2].kind), "bridge");
	n->links[3].master = 4;
	n->ifc.bridge_ifindex = 4;
	snprintf(n->ifc.host_veth.name, sizeof(n->ifc.host_veth.name), "vethweb");
	n->pod.interfaces = &n->ifc;
	n->pod.n_interfaces = 1;
	n->chain.pods = &n->pod;
	n->chain.n_pods = 1;
	n->report.checks = n->checks;
	n->b.c = n->before;
	n->a.c = n->after;
}

static void check(struct node *n, const char *id, enum doctor_status s, const char *object)
{
	n->checks[n->report.n_checks++] = (struct doctor_check){
		.id = id, .status = s, .object = object, .expected = "x", .found = "y", .advice = ""
	};
}

static void moved(struct node *n, const char *group, const char *object, const char *name,
		  enum doctor_counter_kind kind, uint64_t value)
{
	struct doctor_counter *c = &n->after[n->a.n++];

	snprintf(c->group, sizeof(c->group), "%s", group);
	snprintf(c->object, sizeof(c->object), "%s", object);
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->kind = kind;
	c->value = value;
}

static void rule(struct node *n, const char *chain, uint32_t hook, uint64_t handle, bool counts)
{
	struct doctor_base_chain *c = &n->chains[n->v.n_chains++];
	struct doctor_rule *r = &n->rules[n->v.n_rules++];

	c->family = r->family = NFPROTO_IPV4;
	c->hook = hook;
	snprintf(c->table, sizeof(c->table), "t");
	snprintf(r->table, sizeof(r->table), "t");
	snprintf(c->chain, sizeof(c->chain), "%s", chain);
	snprintf(r->chain, sizeof(r->chain), "%s", chain);
	r->handle = handle;
	r->has_counter = counts;
}

/* The reason of a loss of n packets, "" when there is none. The findings stay in *f. */
static const char *reason(struct node *n, struct doctor_findings *f, enum model_direction d,
			  enum model_role last, enum model_role next, uint64_t packets,
			  const char *peer)
{
	struct doctor_loss loss = { .places = doctor_places(d, last, next), .packets = packets };
	struct doctor_cause cause;
	struct addr a;

	if (peer) {
		assert_int_equal(addr_parse(peer, &a), 0);
		loss.peers = &a;
		loss.n_peers = 1;
	}
	doctor_findings_free(f);
	assert_int_equal(doctor_find(&n->v, &n->report, &n->b, &n->a, f), 0);
	doctor_explain(f, &loss, &cause);
	return cause.reason ? cause.reason : "";
}

#define OUT MODEL_DIRECTION_EGRESS
#define IN MODEL_DIRECTION_INGRESS

/* A check speaks of its place, and of its subnet. */
static void test_checks(void **state)
{
	struct doctor_findings f = { 0 };
	struct node n;

	(void)state;
	node_init(&n);
	check(&n, "remote.fdb", DOCTOR_FAIL, "10.244.2.0/24 dev flannel.1");
	check(&n, "pod.hairpin", DOCTOR_WARN, "default/web");
	assert_string_equal(
		reason(&n, &f, OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, 9, "10.244.2.7"),
		"remote.fdb 10.244.2.0/24 dev flannel.1: y");
	assert_string_equal(
		reason(&n, &f, OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, 9, "10.244.3.7"), "");
	assert_string_equal(reason(&n, &f, IN, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE, 9, "10.244.2.7"),
			    "");
	/* a warning is evidence, no reason */
	assert_string_equal(reason(&n, &f, OUT, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, 9, NULL), "");
	assert_int_equal(f.n, 2);
	doctor_findings_free(&f);
}

/* A rule that counted what was lost beats a failed check; one that did not, does not. */
static void test_rules(void **state)
{
	struct doctor_findings f = { 0 };
	struct node n;

	(void)state;
	node_init(&n);
	check(&n, "sysctl.rp_filter", DOCTOR_FAIL, "flannel.1");
	rule(&n, "f", NF_INET_FORWARD, 4, true);
	moved(&n, "nft", "ip t f #4", "drop", DOCTOR_COUNTER_DROP, 40);
	assert_string_equal(reason(&n, &f, OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 40, NULL),
			    "dropped by rule 4 of nft chain ip t f (forward)");
	assert_string_equal(reason(&n, &f, OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 100, NULL),
			    "sysctl.rp_filter flannel.1: y");
	/* a forward rule takes nothing between veth and bridge */
	assert_string_equal(reason(&n, &f, OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, 40, NULL),
			    "");
	doctor_findings_free(&f);

	/* without a counter it is a guess, and said as one */
	node_init(&n);
	rule(&n, "p", NF_INET_PRE_ROUTING, 7, false);
	assert_string_equal(
		reason(&n, &f, OUT, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, 40, NULL),
		"perhaps rule 7 of nft chain ip t p (prerouting), which drops and does not count");
	n.v.n_rules = 0;
	n.chains[0].drop = true;
	assert_string_equal(reason(&n, &f, OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 40, NULL),
			    "perhaps the policy of nft chain ip t p (prerouting), which is drop");
	doctor_findings_free(&f);
}

/* The device's role and its side of the tap say where its counter belongs. */
static void test_counters(void **state)
{
	static const struct {
		const char *group, *object, *name;
		enum model_direction d;
		enum model_role last, next;
		bool here;
	} cases[] = {
		{ "link", "flannel.1", "tx_dropped", OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, 1 },
		{ "link", "flannel.1", "tx_dropped", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 0 },
		{ "link", "flannel.1", "rx_dropped", IN, MODEL_ROLE_UNDERLAY, MODEL_ROLE_VTEP, 1 },
		{ "link", "cni0", "tx_dropped", IN, MODEL_ROLE_BRIDGE, MODEL_ROLE_VETH, 1 },
		{ "link", "cni0", "tx_dropped", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 0 },
		{ "link", "vethweb", "rx_dropped", OUT, MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE, 1 },
		{ "link", "eth0", "rx_missed_errors", IN, MODEL_ROLE_NONE, MODEL_ROLE_UNDERLAY, 1 },
		{ "link", "other", "rx_dropped", IN, MODEL_ROLE_NONE, MODEL_ROLE_VETH, 0 },
		/* queues are before their device's tap */
		{ "qdisc", "eth0 fq_codel 0:", "drops", OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY,
		  1 },
		{ "qdisc", "eth0 fq_codel 0:", "drops", OUT, MODEL_ROLE_UNDERLAY, MODEL_ROLE_NONE,
		  0 },
		{ "qdisc", "vethweb tbf 1:", "drops", IN, MODEL_ROLE_BRIDGE, MODEL_ROLE_VETH, 1 },
		{ "ip", "", "FragFails", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 1 },
		{ "ip", "", "InNoRoutes", IN, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE, 1 },
		{ "udp", "", "NoPorts", IN, MODEL_ROLE_UNDERLAY, MODEL_ROLE_VTEP, 1 },
		{ "udp", "", "NoPorts", IN, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE, 0 },
		{ "tcpext", "", "IPReversePathFilter", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 1 },
		{ "softnet", "cpu0", "dropped", IN, MODEL_ROLE_UNDERLAY, MODEL_ROLE_VTEP, 1 },
		{ "softnet", "cpu0", "dropped", IN, MODEL_ROLE_NONE, MODEL_ROLE_UNDERLAY, 1 },
		{ "softnet", "cpu0", "dropped", OUT, MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY, 0 },
		{ "conntrack", "", "drop", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 1 },
		{ "conntrack", "", "early_drop", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 1 },
		{ "conntrack", "", "insert_failed", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 1 },
		{ "tcp", "", "InErrs", OUT, MODEL_ROLE_BRIDGE, MODEL_ROLE_VTEP, 0 },
	};
	struct doctor_findings f = { 0 };
	struct node n;

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *found;

		node_init(&n);
		moved(&n, cases[i].group, cases[i].object, cases[i].name, DOCTOR_COUNTER_DROP, 12);
		found = reason(&n, &f, cases[i].d, cases[i].last, cases[i].next, 12, NULL);
		if ((found[0] != 0) != cases[i].here)
			fail_msg("%s %s %s: '%s'", cases[i].group, cases[i].object, cases[i].name,
				 found);
	}
	/* three of a thousand are another story */
	node_init(&n);
	moved(&n, "ip", "", "InNoRoutes", DOCTOR_COUNTER_DROP, 3);
	moved(&n, "ip", "", "ForwDatagrams", DOCTOR_COUNTER_TRAFFIC, 1000);
	assert_string_equal(reason(&n, &f, IN, MODEL_ROLE_VTEP, MODEL_ROLE_BRIDGE, 1000, NULL), "");
	assert_int_equal(f.n, 1);
	doctor_findings_free(&f);
}

/* -------------------------------------------------------------------------- text */

static void test_text(void **state)
{
	static const char *const bad[] = {
		"",
		"podhop node=a",
		"podhop finding",
		"podhop finding places=0 weight=60 packets=0 about=any reason=a evidence=b",
		"podhop finding places=c weight=0 packets=0 about=any reason=a evidence=b",
		"podhop finding places=c weight=101 packets=0 about=any reason=a evidence=b",
		"podhop finding places=10000 weight=60 packets=0 about=any reason=a evidence=b",
		"podhop finding places=c weight=60 packets=0 about=nonsense reason=a evidence=b",
		"podhop finding places=c weight=60 packets=0 about=any reason=a",
		"podhop finding places=c weight=60 packets=0 about=any reason= evidence=b",
		"podhop finding places=c weight=60 about=any reason=a evidence=b",
	};
	char line[DOCTOR_FINDING_TEXT_MAX], longer[2 * DOCTOR_FINDING_TEXT_MAX];
	struct doctor_findings f = { 0 }, g = { 0 };
	struct doctor_finding one = { .places = 0x1f1f,
				      .weight = 100,
				      .packets = INT64_MAX,
				      .reason = line,
				      .evidence = longer };

	(void)state;
	assert_int_equal(prefix_parse("fd00:10:244:2::/64", &one.about), 0);
	snprintf(line, sizeof(line), "a reason=with such words");
	snprintf(longer, sizeof(longer), "and its evidence=too");
	assert_int_equal(doctor_findings_add(&f, &one), 0);
	assert_int_equal(doctor_finding_text(&f.f[0], line), 0);
	assert_int_equal(doctor_finding_parse(&g, line, strlen(line)), 0);
	/* twice is once */
	assert_int_equal(doctor_finding_parse(&g, line, strlen(line)), 0);
	assert_int_equal(g.n, 1);
	assert_int_equal(g.f[0].places, 0x1f1f);
	assert_int_equal(g.f[0].weight, 100);
	assert_true(g.f[0].packets == INT64_MAX);
	assert_int_equal(g.f[0].about.len, 64);
	assert_string_equal(g.f[0].reason, "a reason=with such words");
	assert_string_equal(g.f[0].evidence, "and its evidence=too");
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(doctor_finding_parse(&g, bad[i], strlen(bad[i])), -EBADMSG);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = 0;
	memcpy(longer, line, strlen(line));
	assert_int_equal(doctor_finding_parse(&g, longer, strlen(longer)), -EBADMSG);
	assert_int_equal(doctor_finding_parse(&g, line, strlen(line) + 1), -EBADMSG);
	assert_int_equal(g.n, 1);
	one.reason = longer;
	assert_int_equal(doctor_finding_text(&one, line), -EMSGSIZE);
	doctor_findings_free(&f);
	doctor_findings_free(&g);
}

/* A full list keeps the weightiest. */
static void test_full(void **state)
{
	struct doctor_findings f = { 0 };
	char reason_text[32];

	(void)state;
	for (unsigned i = 0; i < 3 * DOCTOR_FINDINGS_MAX; i++) {
		struct doctor_finding one = { .places = 2,
					      .weight = (uint8_t)(1 + i % 90),
					      .reason = reason_text,
					      .evidence = reason_text };

		snprintf(reason_text, sizeof(reason_text), "number %u", i);
		assert_int_equal(doctor_findings_add(&f, &one), 0);
	}
	assert_int_equal(f.n, DOCTOR_FINDINGS_MAX);
	for (unsigned i = 0; i < f.n; i++)
		assert_true(f.f[i].weight > 40);
	doctor_findings_free(&f);
}

/* --------------------------------------------------------------------- asked ahead */

/* This machine's links, read only: what is sent after the question is in the answer. */
static void test_ask_ahead(void **state)
{
	const struct doctor_question *q = &doctor_counter_questions[COUNTER_LINKS];
	struct counter_answer early = { 0 }, late = { 0 };
	int fd = doctor_ask_ahead(q), other = doctor_ask_ahead(q);
	bool whole = false;

	(void)state;
	if (fd < 0 || other < 0) {
		print_message("skipped: %s\n", strerror(fd < 0 ? -fd : -other));
		skip();
	}
	assert_int_equal(doctor_answer(fd, q, &early.array, &early.n, &whole), 0);
	assert_true(whole);
	assert_true(early.n >= 1);
	assert_int_equal(doctor_answer(other, q, &late.array, &late.n, &whole), 0);
	assert_int_equal(late.n, early.n);
	/* once only */
	free(early.array);
	assert_int_equal(doctor_answer(fd, q, &early.array, &early.n, &whole), -ENODATA);
	free(late.array);
	close(fd);
	close(other);
}

static int take_number(struct nlmsghdr *h, void *to)
{
	memcpy(to, NLMSG_DATA(h), sizeof(uint32_t));
	return 0;
}

/* One message of a dump, as the kernel would put it into the socket. */
static void put_message(int fd, uint16_t type, uint16_t flags, int32_t value)
{
	struct {
		struct nlmsghdr h;
		int32_t value;
	} m = { .h = { .nlmsg_len = sizeof(m),
		       .nlmsg_type = type,
		       .nlmsg_flags = (uint16_t)(NLM_F_MULTI | flags),
		       .nlmsg_seq = 2 /* the question's, behind those that fill the buffer */ },
		.value = value };

	assert_int_equal(send(fd, &m, sizeof(m), 0), sizeof(m));
}

/* A table of which a part is missing would tell of faults that are none. */
static void test_answer_is_whole(void **state)
{
	static const struct {
		uint16_t flags; /* of the second message */
		bool is_closed; /* by NLMSG_DONE, with that code */
		int32_t code;
		bool whole;
	} cases[] = {
		{ 0, true, 0, true },
		{ 0, false, 0, false },
		{ 0, true, -EMSGSIZE, false },
		{ NLM_F_DUMP_INTR, true, 0, false },
	};
	const struct doctor_question q = { .parse = take_number, .size = sizeof(uint32_t) };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		bool whole = !cases[i].whole;
		uint32_t *numbers = NULL;
		unsigned n = 0;
		int ends[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
		put_message(ends[1], NLMSG_MIN_TYPE, 0, 7);
		put_message(ends[1], NLMSG_MIN_TYPE, cases[i].flags, 8);
		if (cases[i].is_closed)
			put_message(ends[1], NLMSG_DONE, 0, cases[i].code);
		assert_int_equal(doctor_answer(ends[0], &q, &numbers, &n, &whole), 0);
		assert_int_equal(whole, cases[i].whole);
		assert_int_equal(n, 2);
		assert_int_equal(numbers[0], 7);
		assert_int_equal(numbers[1], 8);
		free(numbers);
		close(ends[0]);
		close(ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_checks),
		cmocka_unit_test(test_rules),	  cmocka_unit_test(test_counters),
		cmocka_unit_test(test_text),	  cmocka_unit_test(test_full),
		cmocka_unit_test(test_ask_ahead), cmocka_unit_test(test_answer_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
