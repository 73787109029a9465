/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outlet.c - bytes to a descriptor, all of them, whatever interrupts the write.
 */
#include "podhop/outlet.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

size_t outlet_write(int fd, const void *bytes, size_t n, outlet_patience *patience)
{
	const uint8_t *at = bytes;
	size_t done = 0;

	if (patience)
		(void)patience(true);
	while (done < n) {
		ssize_t one = write(fd, at + done, n - done);

		/* Not blocking: somebody else made it so, as ssh does; or a signal came. */
		if (one < 0 && errno == EAGAIN) {
			struct pollfd room = { .fd = fd, .events = POLLOUT };

			one = poll(&room, 1, -1) < 0 ? -1 : 0;
			if (one == 0)
				continue;
		}
		if (one > 0) {
			done += (size_t)one;
			if (patience)
				(void)patience(true);
		} else if (one == 0) {
			errno = EIO;
			break;
		} else if (errno != EINTR) {
			break;
		} else if (patience && !patience(false)) {
			errno = ETIMEDOUT;
			break;
		}
	}
	return done;
}

int outlet_failed(struct err *err, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (code == -ETIMEDOUT || code == ETIMEDOUT)
		return err_set(err, code, "%s: its reader takes nothing any more", text);
	return err_sys(err, code, "%s", text);
}
