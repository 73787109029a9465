/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_outlet.c - writes that go on behind signals, and end when the reader has stopped.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/outlet.h"

#define PIPE_BYTES 65536	/* what a pipe takes, pipe(7) */
#define TICK_US 2000
#define ASKED_MAX 3

static int fds[2];
static unsigned asked, begun, taken;
static bool reads;		/* behind the second interruption the reader reads on */

static void on_tick(int sig)
{
	(void)sig;
}

static bool patience(bool took)
{
	char scrap[PIPE_BYTES];

	if (took) {
		begun++;
		asked = 0;
		return true;
	}
	if (++asked == 2 && reads) {
		ssize_t n = read(fds[0], scrap, sizeof(scrap));

		assert_true(n > 0);
		taken += (unsigned)n;
	}
	return asked < ASKED_MAX;
}

static int set_up(void **state)
{
	const struct itimerval every = { .it_interval = { .tv_usec = TICK_US },
					 .it_value = { .tv_usec = TICK_US } };
	struct sigaction sa = { .sa_handler = on_tick };

	(void)state;
	asked = begun = taken = 0;
	reads = false;
	return pipe(fds) || sigaction(SIGALRM, &sa, NULL) || setitimer(ITIMER_REAL, &every, NULL);
}

static int tear_down(void **state)
{
	const struct itimerval never = { .it_value = { 0 } };

	(void)state;
	setitimer(ITIMER_REAL, &never, NULL);
	close(fds[0]);
	close(fds[1]);
	return 0;
}

static void stops(void)
{
	static const uint8_t bytes[3 * PIPE_BYTES];

	assert_int_equal(outlet_write(fds[1], bytes, sizeof(bytes), patience), PIPE_BYTES);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(asked, ASKED_MAX);
	/* Nothing at all is taken: it is asked anew. */
	asked = 0;
	assert_int_equal(outlet_write(fds[1], bytes, 1, patience), 0);
	assert_int_equal(errno, ETIMEDOUT);
	assert_int_equal(asked, ASKED_MAX);
}

static void test_reader_that_stopped(void **state)
{
	(void)state;
	stops();
}

static void test_reader_that_stopped_not_blocking(void **state)
{
	(void)state;
	assert_int_equal(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	stops();
}

static void test_slow_reader(void **state)
{
	static uint8_t bytes[6 * PIPE_BYTES];

	(void)state;
	reads = true;
	assert_int_equal(outlet_write(fds[1], bytes, sizeof(bytes), patience), sizeof(bytes));
	assert_true(taken >= sizeof(bytes) - PIPE_BYTES);
	assert_true(begun > 2);
}

static void test_errors(void **state)
{
	static const uint8_t bytes[2];
	struct err err = ERR_INIT;
	int null = open("/dev/full", O_WRONLY);

	(void)state;
	assert_true(null >= 0);
	assert_int_equal(outlet_write(null, bytes, sizeof(bytes), NULL), 0);
	assert_int_equal(errno, ENOSPC);
	close(null);
	assert_int_equal(outlet_write(-1, bytes, sizeof(bytes), patience), 0);
	assert_int_equal(errno, EBADF);
	assert_int_equal(outlet_write(fds[1], bytes, 0, patience), 0);
	assert_int_equal(outlet_failed(&err, ETIMEDOUT, "%s", "x"), -ETIMEDOUT);
	assert_string_equal(err.text, "x: its reader takes nothing any more");
	assert_int_equal(outlet_failed(&err, -ENOSPC, "write"), -ENOSPC);
	assert_string_equal(err.text, "write: No space left on device");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reader_that_stopped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reader_that_stopped_not_blocking, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("base_outlet", tests, NULL, NULL);
}
