/* SPDX-License-Identifier: BSD-3-Clause */
/* pause.c - a container's program for the runtime tests: waits until it is told to end. */
#include <signal.h>
#include <unistd.h>

static void end(int sig)
{
	(void)sig;
	_exit(0);
}

int main(void)
{
	/* As the first process of a pid namespace it gets only signals that it handles. */
	signal(SIGTERM, end);
	signal(SIGINT, end);
	for (;;)
		pause();
}
