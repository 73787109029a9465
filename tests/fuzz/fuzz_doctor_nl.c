/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_doctor_nl.c - any bytes as what the kernel answered over netlink, and as its counter files.
 *
 * Asserted: what is accepted is in its bounds (strings end, a prefix is no longer than its
 * family's addresses, a link has index and name, a route is of the family it says), the same bytes
 * give the same row, and counters are sorted with one of each name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <netlink/msg.h>

#include "fuzz_demand.h"
#include "../../src/doctor/counters.h"
#include "../../src/doctor/doctor_priv.h"

#define MESSAGES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_link(const void *row)
{
	const struct doctor_link *l = row;

	ENDS(l->name);
	ENDS(l->kind);
	demand(l->ifindex && l->ifindex <= INT32_MAX && l->name[0], "index and name");
	demand(l->vni == 0 || strcmp(l->kind, "vxlan") == 0, "a VNI of a VXLAN device");
}

static void check_addr(const void *row)
{
	const struct doctor_ifaddr *a = row;

	demand(prefix_fits(&a->prefix), "an address' prefix");
}

static void check_route(const void *row)
{
	const struct doctor_route *r = row;

	demand(prefix_fits(&r->dst) && addr_is_v4(&r->dst.addr) != r->v6, "a route's destination");
}

static void check_chain(const void *row)
{
	const struct doctor_base_chain *c = row;

	ENDS(c->table);
	ENDS(c->chain);
	demand(doctor_hook_name(c->family, c->hook)[0], "a hook's name");
}

static void check_rule(const void *row)
{
	const struct doctor_rule *r = row;
	char name[64];

	ENDS(r->table);
	ENDS(r->chain);
	doctor_rule_name(r, name);
	ENDS(name);
}

static void check_nothing(const void *row)
{
	(void)row;
}

static void try_message(struct nlmsghdr *h, int (*parse)(struct nlmsghdr *h, void *to), size_t size,
			void (*check)(const void *row))
{
	void *a = calloc(1, size), *b = calloc(1, size);

	if (a && b && parse(h, a) == 0) {
		check(a);
		demand(parse(h, b) == 0 && memcmp(a, b, size) == 0, "the same row twice");
	}
	free(a);
	free(b);
}

static void try_counters(struct counter_answer a[COUNTER_QUESTIONS], struct nlmsghdr *h)
{
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++) {
		const struct doctor_question *q = &doctor_counter_questions[i];
		char *to = grow(&a[i].array, &a[i].n, q->size, MESSAGES_MAX);

		if (to && q->parse(h, to) != 0)
			a[i].n--;
	}
}

static void check_counters(struct doctor_counters *c)
{
	doctor_counters_merge(c);
	for (unsigned i = 0; i < c->n; i++) {
		const struct doctor_counter *x = &c->c[i], *y = x + 1;
		int order = -1;

		ENDS(x->group);
		ENDS(x->object);
		ENDS(x->name);
		if (i + 1 == c->n)
			break;
		order = strcmp(x->group, y->group);
		order = order ? order : strcmp(x->object, y->object);
		order = order ? order : strcmp(x->name, y->name);
		demand(order < 0, "sorted, one of each name");
	}
}

static void try_messages(void *data, size_t size)
{
	static const struct {
		int (*parse)(struct nlmsghdr *h, void *to);
		size_t size;
		void (*check)(const void *row);
	} rows[] = {
		{ doctor_nl_parse_link, sizeof(struct doctor_link), check_link },
		{ doctor_nl_parse_addr, sizeof(struct doctor_ifaddr), check_addr },
		{ doctor_nl_parse_route, sizeof(struct doctor_route), check_route },
		{ doctor_nl_parse_neigh, sizeof(struct doctor_neigh), check_nothing },
		{ doctor_nl_parse_chain, sizeof(struct doctor_base_chain), check_chain },
		{ doctor_nl_parse_rule, sizeof(struct doctor_rule), check_rule },
	};
	struct counter_answer a[COUNTER_QUESTIONS] = { { 0 } };
	struct doctor_counters c = { 0 };
	struct reading r = { .to = &c };
	struct nlmsghdr *h = data;
	int left = (int)size;

	for (unsigned n = 0; n < MESSAGES_MAX && nlmsg_ok(h, left); n++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			try_message(h, rows[i].parse, rows[i].size, rows[i].check);
		try_counters(a, h);
		h = nlmsg_next(h, &left);
	}
	doctor_count_answers(&r, a);
	check_counters(&c);
	free(c.c);
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		free(a[i].array);
}

static void try_files(const uint8_t *data, size_t size)
{
	struct doctor_counters c = { 0 };
	struct reading r = { .to = &c };
	char *text = malloc(size + 1);

	if (!text)
		return;
	memcpy(text, data, size);
	text[size] = 0;
	for (unsigned i = 0; i < COUNTER_FILES; i++)
		doctor_counter_files[i].parse(&r, text);
	check_counters(&c);
	free(c.c);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	void *copy; /* as large as the input, and aligned as a message has to be */

	if (size > 1u << 14)
		return 0;
	copy = malloc(size ? size : 1);
	if (!copy)
		return 0;
	if (size)
		memcpy(copy, data, size);
	try_messages(copy, size);
	free(copy);
	try_files(data, size);
	return 0;
}
