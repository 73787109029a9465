/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage.c - what a run cost this process: CPU time and memory.
 *
 * getrusage()'s largest size survives execve(): it counts what the parent had in memory when it
 * started us (fs/exec.c: exec_mmap()). The kernel's mark of this program's own memory is in
 * /proc/self/status, which cannot be opened any more when the end has come; so it is opened
 * before rights are given up, and read then. Where that tells nothing, getrusage()
 * has to do.
 */
#include "cli.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define STATUS_MAX \
	8192 /* up to VmHWM some 500 bytes; more only where there are hundreds of groups */

int usage_open(void)
{
	return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
}

/* 0: not known. */
static uint64_t largest_size(int fd)
{
	static const char label[] = "\nVmHWM:";
	char status[STATUS_MAX], *line;
	unsigned long long kib;
	ssize_t n = fd < 0 ? 0 : pread(fd, status, sizeof(status) - 1, 0);

	if (n <= 0)
		return 0;
	status[n] = '\0';
	line = strstr(status, label);
	if (!line || sscanf(line + sizeof(label) - 1, "%llu kB", &kib) != 1)
		return 0;
	return (uint64_t)kib * 1024;
}

void usage_note(int fd, struct result *r)
{
	struct rusage u;

	if (getrusage(RUSAGE_SELF, &u) < 0)
		return;
	r->capture.cpu_ns =
		((uint64_t)u.ru_utime.tv_sec + (uint64_t)u.ru_stime.tv_sec) * 1000000000ull +
		((uint64_t)u.ru_utime.tv_usec + (uint64_t)u.ru_stime.tv_usec) * 1000ull;
	r->capture.max_rss_bytes = largest_size(fd);
	if (!r->capture.max_rss_bytes)
		r->capture.max_rss_bytes = (uint64_t)u.ru_maxrss * 1024;
}
