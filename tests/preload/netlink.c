/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * netlink.c - LD_PRELOAD: what the kernel tells over netlink does not come as it should.
 *
 * $NETLINK_FAULT is what happens at receive call $NETLINK_AT (from 1), and with $NETLINK_ON at
 * all behind it:
 *   enobufs   the call fails with ENOBUFS; nothing is lost. So it is with a dump whose next part
 *             the kernel has no memory for (netlink_dump() in net/netlink/af_netlink.c), and with
 *             a subscriber whose buffer is full.
 *   intr      the dump's messages are marked NLM_F_DUMP_INTR: what is listed changed under way.
 *   lost      as enobufs, and what the call would have given is gone.
 * How many calls there were is written to descriptor $NETLINK_FD at the end. Calls that only peek
 * are not counted, and pass.
 */
/* The C library's checked recv() is inline, and would make the one below inline as well. */
#undef _FORTIFY_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tell.h"

#define FDS 1024
#define SCRAP 65536

static unsigned char is_netlink[FDS];
static unsigned long count, fault_at;
static int go_on, out_fd = -1;
static const char *fault = "";

__attribute__((constructor)) static void begin(void)
{
	const char *at = getenv("NETLINK_AT"), *fd = getenv("NETLINK_FD");

	if (strcmp(program_invocation_short_name, "podhop") != 0)
		return;
	fault = getenv("NETLINK_FAULT") ? getenv("NETLINK_FAULT") : "";
	fault_at = at ? strtoul(at, NULL, 10) : 0;
	go_on = getenv("NETLINK_ON") != NULL;
	out_fd = fd ? atoi(fd) : -1;
}

int socket(int domain, int type, int protocol)
{
	static int (*real)(int, int, int);
	int fd;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "socket");
	fd = real(domain, type, protocol);
	if (fd >= 0 && fd < FDS)
		is_netlink[fd] = domain == AF_NETLINK;
	return fd;
}

int close(int fd)
{
	static int (*real)(int);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "close");
	if (fd >= 0 && fd < FDS)
		is_netlink[fd] = 0;
	return real(fd);
}

/* Is it this call's turn? */
static int is_due(int fd, int flags)
{
	if (fd < 0 || fd >= FDS || !is_netlink[fd] || (flags & MSG_PEEK))
		return 0;
	count++;
	return fault_at && (count == fault_at || (go_on && count > fault_at));
}

static void mark(void *bytes, ssize_t n)
{
	struct nlmsghdr *h;

	for (char *p = bytes; n >= (ssize_t)sizeof(*h); p += NLMSG_ALIGN(h->nlmsg_len)) {
		h = (struct nlmsghdr *)(void *)p;
		if (h->nlmsg_len < sizeof(*h) || h->nlmsg_len > (size_t)n)
			return;
		if (h->nlmsg_flags & NLM_F_MULTI)
			h->nlmsg_flags |= NLM_F_DUMP_INTR;
		n -= (ssize_t)NLMSG_ALIGN(h->nlmsg_len);
	}
}

static int fails(int fd)
{
	static ssize_t (*real)(int, void *, size_t, int);
	static char scrap[SCRAP];

	if (strcmp(fault, "lost") == 0) {
		if (!real)
			*(void **)&real = dlsym(RTLD_NEXT, "recv");
		if (real(fd, scrap, sizeof(scrap), MSG_DONTWAIT) < 0)
			return 0; /* nothing was there to be lost */
	} else if (strcmp(fault, "enobufs") != 0) {
		return 0;
	}
	errno = ENOBUFS;
	return 1;
}

ssize_t recvmsg(int fd, struct msghdr *m, int flags)
{
	static ssize_t (*real)(int, struct msghdr *, int);
	int due = is_due(fd, flags);
	ssize_t n;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "recvmsg");
	if (due && fails(fd))
		return -1;
	n = real(fd, m, flags);
	if (due && n > 0 && strcmp(fault, "intr") == 0)
		mark(m->msg_iov[0].iov_base, n);
	return n;
}

ssize_t recv(int fd, void *bytes, size_t size, int flags)
{
	static ssize_t (*real)(int, void *, size_t, int);
	int due = is_due(fd, flags);
	ssize_t n;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "recv");
	if (due && fails(fd))
		return -1;
	n = real(fd, bytes, size, flags);
	if (due && n > 0 && strcmp(fault, "intr") == 0)
		mark(bytes, n);
	return n;
}

__attribute__((destructor)) static void end(void)
{
	tell(out_fd, count);
}
