/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storm.c - LD_PRELOAD: a signal every few hundred microseconds, so that whatever waits is
 * interrupted.
 *
 * The handler does nothing and has no SA_RESTART. $STORM_US is the time between two, 500 by
 * default. How many came is written to descriptor $STORM_FD at the end, for a test that wants
 * to know that there was one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tell.h"

#define EVERY_US 500

static volatile unsigned long count;
static int out_fd = -1;

static void on_signal(int sig)
{
	(void)sig;
	count++;
}

__attribute__((constructor)) static void begin(void)
{
	const char *us = getenv("STORM_US"), *fd = getenv("STORM_FD");
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL };
	struct itimerspec every = { .it_interval = { .tv_nsec = EVERY_US * 1000L } };
	struct sigaction sa;
	timer_t timer;

	if (strcmp(program_invocation_short_name, "podhop") != 0)
		return;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	event.sigev_signo = SIGRTMIN + 3;
	if (us)
		every.it_interval.tv_nsec = atol(us) * 1000L;
	every.it_value = every.it_interval;
	out_fd = fd ? atoi(fd) : -1;
	if (sigaction(event.sigev_signo, &sa, NULL) != 0 ||
	    timer_create(CLOCK_MONOTONIC, &event, &timer) != 0 ||
	    timer_settime(timer, 0, &every, NULL) != 0)
		abort();
}

__attribute__((destructor)) static void end(void)
{
	tell(out_fd, count);
}
