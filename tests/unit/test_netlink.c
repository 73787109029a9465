/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_netlink.c - questions to a kernel that answers, fails, changes its mind or says nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <linux/rtnetlink.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <stdio.h>

#include "fake_kernel.h"
#include "podhop/log.h"
#include "podhop/netlink.h"

#define ROW RTM_NEWNSID /* a message that counts; others do not */
#define TRIES 8 /* how often a question is put */

static struct nl_sock *sk;
static unsigned warnings;
static char warned[256];

static void on_line(void *arg, const char *line)
{
	(void)arg;
	warnings++;
	snprintf(warned, sizeof(warned), "%s", line);
}

static int setup(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	kernel_reset();
	warnings = 0;
	log_set_sink(on_line, NULL);
	return netlink_open(NETLINK_ROUTE, &sk, &err);
}

static int teardown(void **state)
{
	(void)state;
	nl_socket_free(sk);
	kernel_reset();
	log_set_sink(NULL, NULL);
	return 0;
}

static void row(uint32_t v, int type, int flags)
{
	reply_begin(type, flags, &v, sizeof(v));
	reply_end();
}

static int parse(struct nlmsghdr *h, void *to)
{
	if (h->nlmsg_type != ROW)
		return -EBADMSG;
	memcpy(to, nlmsg_data(h), sizeof(uint32_t));
	return 0;
}

static struct netlink_rows rows_of(unsigned max)
{
	return (struct netlink_rows){ .parse = parse, .size = sizeof(uint32_t), .max = max };
}

static uint32_t at(const struct netlink_rows *rows, unsigned i)
{
	assert_true(i < rows->n);
	return ((const uint32_t *)rows->array)[i];
}

static int ask(struct netlink_rows *rows)
{
	return netlink_ask(sk, nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST), rows);
}

static int dump(struct netlink_rows *rows)
{
	return netlink_dump(sk, nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST | NLM_F_DUMP), rows);
}

static void assert_nothing(const struct netlink_rows *rows)
{
	assert_null(rows->array);
	assert_int_equal(rows->n, 0);
	assert_false(rows->full);
}

/* ------------------------------------------------------------------ answers */

static void say_one(const struct nlmsghdr *request)
{
	(void)request;
	row(7, ROW, 0);
}

static void say_other(const struct nlmsghdr *request)
{
	(void)request;
	row(7, ROW + 1, 0);
}

static void say_three(const struct nlmsghdr *request)
{
	(void)request;
	row(1, ROW, NLM_F_MULTI);
	row(2, ROW + 1, NLM_F_MULTI);
	row(3, ROW, NLM_F_MULTI);
	reply_done(0, 0);
}

static void say_refused(const struct nlmsghdr *request)
{
	(void)request;
	reply_error(EPERM);
}

/* A dump that begins well: libnl does not read what its end says. */
static void say_failed_end(const struct nlmsghdr *request)
{
	(void)request;
	row(1, ROW, NLM_F_MULTI);
	reply_done(0, EBUSY);
}

/* An end without the code that newer kernels send. */
static void say_bare_end(const struct nlmsghdr *request)
{
	(void)request;
	row(1, ROW, NLM_F_MULTI);
	reply_begin(NLMSG_DONE, NLM_F_MULTI, NULL, 0);
	reply_end();
}

/* Changed under way at the first two times. */
static void say_changed(const struct nlmsghdr *request)
{
	(void)request;
	row(kernel.asked, ROW, NLM_F_MULTI | (kernel.asked < 3 ? NLM_F_DUMP_INTR : 0));
	row(9, ROW, NLM_F_MULTI);
	reply_done(0, 0);
}

static void say_changing(const struct nlmsghdr *request)
{
	(void)request;
	row(kernel.asked, ROW, NLM_F_MULTI | NLM_F_DUMP_INTR);
	reply_done(0, 0);
}

/* No memory for the next part, once: the rest comes, and the question is put again. */
static void say_starved_once(const struct nlmsghdr *request)
{
	row(1, ROW, NLM_F_MULTI);
	if (kernel.asked == 1)
		reply_fault(ENOBUFS);
	(void)request;
	row(2, ROW, NLM_F_MULTI);
	reply_done(0, 0);
}

static void say_starved(const struct nlmsghdr *request)
{
	(void)request;
	for (unsigned i = 0; i <= TRIES; i++)
		reply_fault(ENOBUFS);
}

static void say_late(const struct nlmsghdr *request)
{
	(void)request;
	reply_fault(ENOBUFS);
	row(7, ROW, 0);
}

/* A message that says it is longer than what came: libnl sees none. */
static void say_cut(const struct nlmsghdr *request)
{
	const struct nlmsghdr h = { .nlmsg_type = ROW,
				    .nlmsg_len = 200,
				    .nlmsg_seq = kernel.seq,
				    .nlmsg_pid = kernel.port };

	(void)request;
	kernel_queue(&h, sizeof(h), 0);
}

/* -------------------------------------------------------------------- tests */

static void test_codes(void **state)
{
	static const struct {
		int nle, error;
	} map[] = {
		{ NLE_NOMEM, ENOMEM },	     { NLE_PERM, EPERM },
		{ NLE_NOACCESS, EACCES },    { NLE_OPNOTSUPP, EOPNOTSUPP },
		{ NLE_PROTO_MISMATCH, EOPNOTSUPP }, { NLE_OBJ_NOTFOUND, ENOENT },
		{ NLE_NODEV, ENODEV },	     { NLE_INVAL, EINVAL },
		{ NLE_AGAIN, EAGAIN },	     { NLE_AF_NOSUPPORT, EAFNOSUPPORT },
		{ NLE_DUMP_INTR, EIO },	     { NLE_MSG_TRUNC, EIO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		assert_int_equal(netlink_errno(map[i].nle), -map[i].error);
		assert_int_equal(netlink_errno(-map[i].nle), -map[i].error);
	}
}

static void test_open(void **state)
{
	struct err err = ERR_INIT;
	struct nl_sock *other = sk;

	(void)state;
	kernel.no_socket = EACCES;
	assert_int_equal(netlink_open(NETLINK_ROUTE, &other, &err), -EACCES);
	assert_null(other);
	assert_non_null(strstr(err.text, "netlink socket: "));
	err_clear(&err);
	kernel.no_socket = 0;
	kernel.no_bind = ENOMEM;
	assert_int_equal(netlink_open(NETLINK_ROUTE, &other, &err), -ENOMEM);
	assert_null(other);
	assert_non_null(strstr(err.text, "netlink socket: "));
}

static void test_ask(void **state)
{
	struct netlink_rows rows = rows_of(1);

	(void)state;
	kernel.answer = say_one;
	assert_int_equal(ask(&rows), 0);
	assert_int_equal(at(&rows, 0), 7);
	/* a second answer finds no room, and that is told */
	assert_int_equal(ask(&rows), 0);
	assert_true(rows.full);
	assert_int_equal(rows.n, 1);
	free(rows.array);
	/* what the caller's parser refuses does not count */
	rows = rows_of(1);
	kernel.answer = say_other;
	assert_int_equal(ask(&rows), 0);
	assert_int_equal(rows.n, 0);
	free(rows.array);
	rows = rows_of(1);
	kernel.answer = say_late;
	assert_int_equal(ask(&rows), 0);
	assert_int_equal(at(&rows, 0), 7);
	free(rows.array);
}

static void test_no_answer(void **state)
{
	static const struct {
		void (*answer)(const struct nlmsghdr *request);
		int error;
	} cases[] = {
		{ say_refused, EPERM }, { NULL, EAGAIN }, { say_starved, ENOBUFS },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (int dumped = 0; dumped < 2; dumped++) {
			struct netlink_rows rows = rows_of(4);
			unsigned before = kernel.asked;

			kernel.answer = cases[i].answer;
			assert_int_equal(dumped ? dump(&rows) : ask(&rows), -cases[i].error);
			assert_nothing(&rows);
			assert_int_equal(kernel.asked, before + 1);
		}
	}
	struct netlink_rows rows = rows_of(4);

	kernel.answer = say_cut;
	assert_int_equal(ask(&rows), 0);
	assert_nothing(&rows);
	assert_int_equal(dump(&rows), -EAGAIN);
	assert_nothing(&rows);
	kernel.no_send = EACCES;
	assert_int_equal(dump(&rows), -EACCES);
	assert_nothing(&rows);
	assert_int_equal(warnings, 0);
}

static void test_dump(void **state)
{
	struct netlink_rows rows = rows_of(4);

	(void)state;
	kernel.answer = say_three;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(rows.n, 2);
	assert_int_equal(at(&rows, 0), 1);
	assert_int_equal(at(&rows, 1), 3);
	assert_false(rows.full);
	/* a new dump forgets the old one; three messages for two places */
	rows.max = 1;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(rows.n, 1);
	assert_true(rows.full);
	rows.max = 4;
	kernel.answer = say_bare_end;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(rows.n, 1);
	kernel.answer = say_failed_end;
	assert_int_equal(dump(&rows), -EBUSY);
	assert_nothing(&rows);
}

static void test_dump_changes(void **state)
{
	struct netlink_rows rows = rows_of(4);

	(void)state;
	kernel.answer = say_changed;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(kernel.asked, 3);
	assert_int_equal(rows.n, 2);
	assert_int_equal(at(&rows, 0), 3);
	assert_int_equal(warnings, 0);
	kernel.asked = 0;
	kernel.answer = say_starved_once;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(kernel.asked, 2);
	assert_int_equal(rows.n, 2);
	/* a node that never rests: the last answer, and a word about it */
	kernel.asked = 0;
	kernel.answer = say_changing;
	assert_int_equal(dump(&rows), 0);
	assert_int_equal(kernel.asked, TRIES);
	assert_int_equal(at(&rows, 0), TRIES);
	assert_int_equal(warnings, 1);
	assert_non_null(strstr(warned, "some of it may be missing"));
	free(rows.array);
}

static void count(void *arg, struct nlmsghdr *h)
{
	unsigned *n = arg;

	assert_true(h->nlmsg_len > sizeof(*h));
	++*n;
}

static int walk(unsigned *n)
{
	*n = 0;
	return netlink_walk(sk, nlmsg_alloc_simple(RTM_GETNSID, NLM_F_REQUEST | NLM_F_DUMP), count,
			    n);
}

static void test_walk(void **state)
{
	unsigned n;

	(void)state;
	kernel.answer = say_three;
	assert_int_equal(walk(&n), 0);
	assert_int_equal(n, 3);
	/* what comes and goes is not asked for twice */
	kernel.answer = say_changing;
	assert_int_equal(walk(&n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(kernel.asked, 2);
	kernel.answer = say_refused;
	assert_int_equal(walk(&n), -EPERM);
	assert_int_equal(n, 0);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_codes), CASE(test_open),	    CASE(test_ask),  CASE(test_no_answer),
		CASE(test_dump),  CASE(test_dump_changes), CASE(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
