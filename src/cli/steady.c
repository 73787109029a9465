/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steady.c - a standard output that a signal does not interrupt.
 *
 * SIGINT, SIGTERM and SIGUSR1 end a wait for packets (signals.c), so their handlers do not restart
 * calls. But a write that is interrupted, because the reader of a pipe takes its time, is an
 * error for the C library: it throws away what it had collected, and lines would be missing. So
 * standard output gets a stream whose write goes on.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

/* Nothing is held back longer than by the C library: a line of a terminal, a page of a pipe. */
#define STEADY_BUFFER 4096

static ssize_t write_all(void *cookie, const char *bytes, size_t n)
{
	size_t done = 0;

	(void)cookie;
	while (done < n) {
		ssize_t one = write(STDOUT_FILENO, bytes + done, n - done);
		struct pollfd room = { .fd = STDOUT_FILENO, .events = POLLOUT };

		if (one > 0)
			done += (size_t)one;
		else if (one < 0 && errno == EAGAIN)
			(void)poll(&room, 1, -1); /* somebody else made it so: ssh does */
		else if (one == 0 || errno != EINTR)
			break;
	}
	return (ssize_t)done; /* less than n: errno is the caller's */
}

void steady_stdout(void)
{
	static char buffer[STEADY_BUFFER];
	const cookie_io_functions_t calls = { .write = write_all };
	FILE *f = fopencookie(NULL, "w", calls);

	if (!f)
		return; /* the one there is will do */
	setvbuf(f, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof(buffer));
	stdout = f;
}
