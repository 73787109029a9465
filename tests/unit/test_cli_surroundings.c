/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_cli_surroundings.c - what a run looks at around itself: the connection that carries its own
 * output, and the room that is left on the disk it writes to.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "../../src/cli/cli.h"

#include "podhop/buf.h"

#include <cmocka.h> /* last: it has a macro called fail() */

/* ------------------------------------------------------------- own connection */

static void shows_own(int fd, const char *ssh, const char *expected)
{
	struct buf b;

	buf_init(&b, 512);
	own_connection(fd, ssh, &b);
	assert_string_equal(buf_str(&b), expected);
	buf_done(&b);
}

/* No socket: a pipe, a file. */
static void test_ssh(void **state)
{
	static const char *const cases[][2] = {
		{ NULL, "" },
		{ "", "" },
		{ "192.0.2.7 50022 192.0.2.1 22",
		  "tcp and host 192.0.2.7 and port 22 and port 50022" },
		{ "2001:db8::7 50022 2001:db8::1 22",
		  "tcp and host 2001:db8::7 and port 22 and port 50022" },
		/* libpcap knows no scopes, and the wire has none */
		{ "fe80::7%eth0 50022 fe80::1%eth0 22",
		  "tcp and host fe80::7 and port 22 and port 50022" },
		{ "::ffff:192.0.2.7 50022 ::ffff:192.0.2.1 22",
		  "tcp and host 192.0.2.7 and port 22 and port 50022" },
		{ "192.0.2.7 50022 192.0.2.1", "" },
		{ "client 50022 server 22", "" },
		{ "192.0.2.7 65536 192.0.2.1 22", "" },
	};
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		shows_own(ends[1], cases[i][0], cases[i][1]);
	close(ends[0]);
	close(ends[1]);
	/* a socket of another kind says nothing either */
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	shows_own(ends[0], cases[2][0], cases[2][1]);
	close(ends[0]);
	close(ends[1]);
}

/* A listener of that family, and an IPv4 client. -1: this machine has no such family. */
static int accepted(int family, int *ret_client)
{
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in v4 = { .sin_family = AF_INET }, to = { .sin_family = AF_INET };
	struct sockaddr_storage own;
	socklen_t n = sizeof(own);
	const int off = 0;
	int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	to.sin_addr.s_addr = v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (listener < 0)
		return -1;
	if (family == AF_INET6 &&
	    (setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0 ||
	     bind(listener, (struct sockaddr *)&v6, sizeof(v6)) < 0)) {
		close(listener);
		return -1;
	}
	if (family == AF_INET)
		assert_int_equal(bind(listener, (struct sockaddr *)&v4, sizeof(v4)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&own, &n), 0);
	/* of both families it stands at the same place */
	memcpy(&to.sin_port, (const char *)&own + offsetof(struct sockaddr_in, sin_port),
	       sizeof(to.sin_port));
	*ret_client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(*ret_client, (struct sockaddr *)&to, sizeof(to)), 0);
	fd = accept(listener, NULL, NULL);
	assert_true(fd >= 0);
	close(listener);
	return fd;
}

static void test_socket(void **state)
{
	static const int families[] = { AF_INET, AF_INET6 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct sockaddr_in from, to;
		socklen_t n = sizeof(from);
		char expected[128];
		int client, fd = accepted(families[i], &client);

		if (fd < 0) {
			print_message("skipped: this machine has no IPv6\n");
			continue;
		}
		assert_int_equal(getsockname(client, (struct sockaddr *)&from, &n), 0);
		n = sizeof(to);
		assert_int_equal(getpeername(client, (struct sockaddr *)&to, &n), 0);
		snprintf(expected, sizeof(expected),
			 "tcp and host 127.0.0.1 and port %u and port %u", ntohs(to.sin_port),
			 ntohs(from.sin_port));
		/* the socket is nearer than what the environment says */
		shows_own(fd, "192.0.2.7 50022 192.0.2.1 22", expected);
		close(fd);
		close(client);
	}
}

/* ----------------------------------------------------------------------- disk */

static struct statfs disk;

/* The file system that the test has in mind. */
int fstatfs(int fd, struct statfs *s)
{
	(void)fd;
	*s = disk;
	return 0;
}

static bool is_low(uint64_t least)
{
	struct options o = { .min_free = { .is_set = true, .bytes = least } };
	struct err err = ERR_INIT;
	struct disk d;

	disk_begin(&d, &o);
	return disk_is_low(&d, 0, 0, 0, 0, true, &err);
}

/* Blocks are those of f_frsize. Over a network or FUSE f_bsize is what is best read at once. */
static void test_blocks(void **state)
{
	(void)state;
	disk = (struct statfs){ .f_bsize = 1 << 20, .f_frsize = 4096, .f_blocks = 1000,
				.f_bavail = 100 };
	assert_true(is_low(100 * 4096 + 1));
	assert_false(is_low(100 * 4096));
	/* old kernels leave it out */
	disk.f_frsize = 0;
	disk.f_bsize = 512;
	assert_true(is_low(100 * 512 + 1));
	assert_false(is_low(100 * 512));
	/* no figures: nothing is said */
	disk.f_bsize = 0;
	assert_false(is_low(UINT64_MAX));
	disk = (struct statfs){ .f_bsize = 4096, .f_frsize = 4096 };
	assert_false(is_low(UINT64_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ssh),
		cmocka_unit_test(test_socket),
		cmocka_unit_test(test_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
