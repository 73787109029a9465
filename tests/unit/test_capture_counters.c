/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_capture_counters.c - what the kernel counts in 32 bits, added up in 64, and what it says of
 * each device in /proc/net/dev.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../src/capture/capture_priv.h"
#include "podhop/capture.h"

static void test_wrap(void **state)
{
	static const struct {
		uint32_t now;
		uint64_t total;
	} reads[] = {
		{ 0, 0 },
		{ 5, 5 },
		{ 5, 5 },
		{ UINT32_MAX, UINT32_MAX },
		{ 0, UINT64_C(1) << 32 },
		{ 7, (UINT64_C(1) << 32) + 7 },
		{ 6, (UINT64_C(2) << 32) + 6 }, /* once around, less one */
	};
	uint64_t total = 0;
	uint32_t last = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++) {
		capture_count_on(&total, &last, reads[i].now);
		assert_int_equal(total, reads[i].total);
	}
	/* a day of a full wire: three million a second, looked at ten times a second */
	for (uint64_t n = 0; n < UINT64_C(864000); n++)
		capture_count_on(&total, &last, last + 300000u);
	assert_int_equal(total, (UINT64_C(2) << 32) + 6 + UINT64_C(864000) * 300000u);
}

/* ------------------------------------------------------------ /proc/net/dev */

#define HEADING \
	"Inter-|   Receive                                                |  Transmit\n" \
	" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs " \
	"drop fifo colls carrier compressed\n"

/* A file of no name with that text. */
static int file_of(const char *text, size_t len)
{
	FILE *f = tmpfile();
	int fd;

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fflush(f), 0);
	fd = dup(fileno(f));
	assert_true(fd >= 0);
	fclose(f);
	return fd;
}

/* Of one device, "eth0", in that text: its drops; -1: it is not told. */
static int64_t dropped(const char *text)
{
	static const char *const names[] = { "eth0" };
	struct linkstats s;
	int fd = file_of(text, strlen(text));

	assert_int_equal(capture_linkstats_read(fd, names, 1, &s), 0);
	close(fd);
	return s.valid ? (int64_t)s.dropped : -1;
}

static void test_linkstats(void **state)
{
	static const char *const names[] = { "eth0", "eth0:1", "cni0", "lo" };
	struct linkstats s[4];
	const char *text = HEADING
		"    lo: 1 2 3 0 0 6 7 8 9 10 11 0 13 14 15 16\n"
		"  eth0: 100 2 3 40 500 6 7 8 9 10 11 6000 13 14 15 16\n"
		"eth0:1: 1 2 3 4 0 6 7 8 9 10 11 0 13 14 15 16\n";
	int fd = file_of(text, strlen(text));

	(void)state;
	/* twice: a descriptor that stays open is read from the beginning */
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(capture_linkstats_read(fd, names, 4, s), 0);
		assert_true(s[0].valid && s[1].valid && s[3].valid);
		assert_int_equal(s[0].dropped, 6540); /* drop and fifo, and drop on the way out */
		assert_int_equal(s[1].dropped, 4);
		assert_int_equal(s[3].dropped, 0);
		assert_false(s[2].valid);
	}
	close(fd);
}

static void test_linkstats_broken(void **state)
{
	(void)state;
	assert_int_equal(dropped(""), -1);
	assert_int_equal(dropped("eth0\n"), -1);
	assert_int_equal(dropped("eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n"), -1);
	assert_int_equal(dropped("eth0: 1 2 3 x 5 6 7 8 9 10 11 12 13 14 15 16\n"), -1);
	assert_int_equal(dropped("eth0: 1 2 3 99999999999999999999 5 6 7 8 9 10 11 12 13 14 15 "
				 "16\n"),
			 -1);
	/* a line without an end is not whole; more columns are of a kernel to come */
	assert_int_equal(dropped("eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"), -1);
	assert_int_equal(dropped("eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"), 21);
}

/* Lines that lie across two readings, and one that is longer than a reading. */
static void test_linkstats_long(void **state)
{
	const size_t size = 40000;
	char *text = malloc(size);
	size_t n = 0;

	(void)state;
	assert_non_null(text);
	while (n < 20000)
		n += (size_t)snprintf(text + n, size - n,
				      "veth%zu: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n", n);
	snprintf(text + n, size - n, "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
	assert_int_equal(dropped(text), 21);
	memset(text, 'x', 20000);
	snprintf(text + 20000, size - 20000,
		 "\neth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n");
	assert_int_equal(dropped(text), 21);
	free(text);
}

static void test_linkstats_unreadable(void **state)
{
	static const char *const names[] = { "eth0" };
	struct linkstats s = { .valid = true };
	int pipes[2], dir = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(capture_linkstats_read(pipes[0], names, 1, &s), -ESPIPE);
	assert_false(s.valid);
	assert_true(dir >= 0);
	s.valid = true;
	assert_int_equal(capture_linkstats_read(dir, names, 1, &s), -EISDIR);
	assert_false(s.valid);
	close(dir);
	close(pipes[0]);
	close(pipes[1]);
}

/* This machine's own: it has a loopback. */
static void test_linkstats_here(void **state)
{
	static const char *const names[] = { "lo", "no-such-device" };
	struct linkstats s[2];
	int fd = capture_linkstats_open();
	struct ifaddrs *list;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(capture_linkstats_read(fd, names, 2, s), 0);
	assert_true(s[0].valid);
	assert_false(s[1].valid);
	close(fd);
	assert_false(capture_device_is_up("no-such-device"));
	assert_int_equal(getifaddrs(&list), 0);
	for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
		if (strcmp(i->ifa_name, "lo") == 0)
			assert_int_equal(capture_device_is_up("lo"), (i->ifa_flags & IFF_UP) != 0);
	}
	freeifaddrs(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_linkstats),
		cmocka_unit_test(test_linkstats_broken),
		cmocka_unit_test(test_linkstats_long),
		cmocka_unit_test(test_linkstats_unreadable),
		cmocka_unit_test(test_linkstats_here),
	};

	return cmocka_run_group_tests_name("capture_counters", tests, NULL, NULL);
}
