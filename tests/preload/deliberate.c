/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliberate.c - LD_PRELOAD: a program that flushes its standard output does what it must not.
 *
 * $DELIBERATE says what: socket, packet, open, openat2, write, exec, fork, ptrace, signal (to
 * init), send (by a packet socket that it has). podhop flushes its report,
 * so that is late, behind the door; a program that is let through says so on stderr.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FDS_MAX 64
#define INIT_PID 1
#define FRAME_BYTES 60

/* A frame of a protocol that nobody knows, to nobody, on each device that is captured. */
static int send_frames(void)
{
	char frame[FRAME_BYTES] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, (char)0x88, (char)0xb5 };
	int found = 0;

	for (int fd = 3; fd < FDS_MAX; fd++) {
		int family = 0;
		socklen_t size = sizeof(family);

		if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 &&
		    family == AF_PACKET && write(fd, frame, sizeof(frame)) == FRAME_BYTES)
			found++;
	}
	return found;
}

static void do_it(const char *what)
{
	struct open_how how = { .flags = O_RDONLY };
	char *argv[] = { (char[]){ "true" }, NULL };

	if (strcmp(what, "socket") == 0)
		(void)socket(AF_INET, SOCK_STREAM, 0);
	else if (strcmp(what, "packet") == 0)
		(void)socket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
	else if (strcmp(what, "open") == 0)
		(void)open("/etc/hostname", O_RDONLY);
	else if (strcmp(what, "openat2") == 0)
		(void)syscall(SYS_openat2, AT_FDCWD, "/etc/hostname", &how, sizeof(how));
	else if (strcmp(what, "write") == 0)
		(void)open("/tmp", O_TMPFILE | O_WRONLY, 0600);
	else if (strcmp(what, "exec") == 0)
		(void)execv("/bin/true", argv);
	else if (strcmp(what, "fork") == 0)
		(void)fork();
	else if (strcmp(what, "ptrace") == 0)
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	else if (strcmp(what, "signal") == 0)
		(void)syscall(SYS_tgkill, INIT_PID, INIT_PID, 0);
	else if (strcmp(what, "send") != 0 || !send_frames())
		return;
	(void)!write(STDERR_FILENO, "let through\n", strlen("let through\n"));
}

int fflush(FILE *f)
{
	static int (*real)(FILE *);
	const char *what = getenv("DELIBERATE");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "fflush");
	if (f == stdout && what)
		do_it(what);
	return real(f);
}
