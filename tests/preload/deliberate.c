/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deliberate.c - LD_PRELOAD: a program that flushes its standard output does what it must not.
 *
 * $DELIBERATE says what: socket, packet, open, write, exec, fork, ptrace. podhop flushes its
 * report, so that is late, behind the door; a program that is let through says so on stderr.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static void do_it(const char *what)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	if (strcmp(what, "socket") == 0)
		(void)socket(AF_INET, SOCK_STREAM, 0);
	else if (strcmp(what, "packet") == 0)
		(void)socket(AF_PACKET, SOCK_RAW, ETH_P_ALL);
	else if (strcmp(what, "open") == 0)
		(void)open("/etc/hostname", O_RDONLY);
	else if (strcmp(what, "write") == 0)
		(void)open("/tmp", O_TMPFILE | O_WRONLY, 0600);
	else if (strcmp(what, "exec") == 0)
		(void)execv("/bin/true", argv);
	else if (strcmp(what, "fork") == 0)
		(void)fork();
	else if (strcmp(what, "ptrace") == 0)
		(void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	else
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
