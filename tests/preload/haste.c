/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haste.c - LD_PRELOAD: CLOCK_MONOTONIC goes on by a second whenever it is asked.
 *
 * What podhop shows of a long run is seen of a short one then.
 */
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	static int64_t asked;
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (rc == 0 && clock == CLOCK_MONOTONIC)
		ts->tv_sec += ++asked;
	return rc;
}
