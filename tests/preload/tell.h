/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tell.h - how often a preloaded library did its work, for a test that wants to know that it did.
 */
#ifndef PODHOP_TESTS_PRELOAD_TELL_H
#define PODHOP_TESTS_PRELOAD_TELL_H

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* A line with n to the descriptor; below 0: to none. */
static void tell(int fd, unsigned long n)
{
	char text[32];
	int len;

	if (fd < 0)
		return;
	len = snprintf(text, sizeof(text), "%lu\n", n);
	while (write(fd, text, (size_t)len) < 0 && errno == EINTR)
		;
}

#endif
