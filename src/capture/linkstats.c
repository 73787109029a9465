// SPDX-License-Identifier: BSD-3-Clause
/*
 * linkstats.c - how many frames the interfaces themselves dropped.
 *
 * pcap_stats() cannot tell: libpcap reads ps_ifdrop from /sys/class/net and
 * only for promiscuous handles, and podhop's are never promiscuous. Three
 * sources remain:
 *  - /sys/class/net/<dev>/statistics shows the namespace in which /sys was
 *    mounted, which under nsenter or in a container is not the namespace of
 *    the capture: the wrong device's counters, with no error;
 *  - RTM_GETLINK over netlink is right, but a second netlink client (the
 *    resolver has one) for two counters, and the socket would have to pass
 *    the sandbox;
 *  - /proc/net/dev is a link to /proc/self/net/dev and so always the reader's
 *    own namespace, wherever /proc was mounted; it keeps the namespace of its
 *    open(), so one descriptor opened early still serves behind a sandbox.
 * So it is /proc/net/dev (Linux net/core/net-procfs.c, dev_seq_printf_stats).
 *
 * Counted are the receive columns `drop` (rx_dropped + rx_missed_errors) and
 * `fifo` and the transmit column `drop`. A part of them are frames that the
 * tap did see (dropped behind it); the kernel keeps no finer books.
 */
#include "capture_priv.h"
#include "podhop/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK_BYTES 8192 /* two pages; a line has about 130 bytes */
#define COLUMN_RX_DROP 3
#define COLUMN_RX_FIFO 4
#define COLUMN_TX_DROP 11
#define COLUMNS 16

bool capture_device_is_up(const char *device)
{
	struct ifreq ifr = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool up;

	if (fd < 0)
		return false;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
	up = ioctl(fd, SIOCGIFFLAGS, &ifr) == 0 && (ifr.ifr_flags & IFF_UP);
	close(fd);
	return up;
}

int capture_linkstats_open(void)
{
	int fd = open("/proc/net/dev", O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* One line "  name: c0 c1 ... c15"; the two heading lines have no such name. */
static void read_line(char *line, const char *const *names, unsigned n, struct linkstats *ret_stats)
{
	uint64_t column[COLUMNS];
	char *colon = strrchr(line, ':'); /* alias names contain ':' themselves */
	char *p;

	if (!colon)
		return;
	*colon = '\0';
	line += strspn(line, " ");
	p = colon + 1;
	for (unsigned i = 0; i < COLUMNS; i++) {
		char *end;

		errno = 0;
		column[i] = strtoull(p, &end, 10);
		if (end == p || errno)
			return;
		p = end;
	}
	for (unsigned i = 0; i < n; i++) {
		if (strcmp(names[i], line))
			continue;
		ret_stats[i].valid = true;
		ret_stats[i].dropped =
			column[COLUMN_RX_DROP] + column[COLUMN_RX_FIFO] + column[COLUMN_TX_DROP];
	}
}

int capture_linkstats_read(int fd, const char *const *names, unsigned n,
			   struct linkstats *ret_stats)
{
	char chunk[CHUNK_BYTES + 1];
	size_t have = 0;

	memset(ret_stats, 0, n * sizeof(*ret_stats));
	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	for (;;) {
		ssize_t got = read(fd, chunk + have, CHUNK_BYTES - have);
		char *line = chunk, *newline;

		if (got < 0) {
			if (errno == EINTR)
				continue;
			memset(ret_stats, 0, n * sizeof(*ret_stats));
			return -errno;
		}
		if (got == 0)
			return 0;
		have += (size_t)got;
		chunk[have] = '\0';
		while ((newline = strchr(line, '\n')) != NULL) {
			*newline = '\0';
			read_line(line, names, n, ret_stats);
			line = newline + 1;
		}
		have -= (size_t)(line - chunk);
		if (have == CHUNK_BYTES)
			have = 0; /* no line is that long; do not spin on one */
		memmove(chunk, line, have);
	}
}
