/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * steady.c - streams that a signal does not interrupt, and that do not wait for ever.
 *
 * SIGINT, SIGTERM and SIGUSR1 end a wait for packets (signals.c), so their handlers do not restart
 * calls. But a write that is interrupted, because the reader of a pipe takes its time, is an
 * error for the C library: it throws away what it had collected, and lines would be missing. So
 * whatever may be a pipe gets a stream whose write goes on; behind a stop only as long as
 * the reader takes something now and then, and a stream that was given up is not tried again.
 */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "podhop/outlet.h"

/* Nothing is held back longer than by the C library: a line of a terminal, a page of a pipe. */
#define STEADY_BUFFER 4096

struct outlet {
	int fd;
	int failed;		/* errno of the write that failed; 0: none */
};

static ssize_t write_all(void *cookie, const char *bytes, size_t n)
{
	struct outlet *o = cookie;
	size_t done;

	if (!o->failed) {
		done = outlet_write(o->fd, bytes, n, signals_wait_on);
		if (done == n)
			return (ssize_t)done;
		o->failed = errno;
	}
	errno = o->failed;
	return 0; /* less than n: errno is the caller's */
}

static int close_outlet(void *cookie)
{
	struct outlet *o = cookie;
	int rc = close(o->fd);

	free(o);
	return rc;
}

FILE *steady_open(int fd)
{
	const cookie_io_functions_t calls = { .write = write_all, .close = close_outlet };
	struct outlet *o = malloc(sizeof(*o));
	FILE *f = NULL;

	if (o) {
		*o = (struct outlet){ .fd = fd };
		f = fopencookie(o, "w", calls);
	}
	if (!f)
		free(o);
	return f;
}

void steady_standard(void)
{
	static struct outlet out = { .fd = STDOUT_FILENO }, says = { .fd = STDERR_FILENO };
	static char buffer[STEADY_BUFFER];
	const cookie_io_functions_t calls = { .write = write_all };
	FILE *f = fopencookie(&out, "w", calls), *e = fopencookie(&says, "w", calls);

	/* Without memory for one, that which is there will do. */
	if (f) {
		setvbuf(f, buffer, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, sizeof(buffer));
		stdout = f;
	}
	if (e) {
		setvbuf(e, NULL, _IONBF, 0);
		stderr = e;
	}
}
