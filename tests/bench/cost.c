// SPDX-License-Identifier: BSD-3-Clause
/*
 * cost.c - runs a command and says what it cost.
 *
 * usage: cost FD COMMAND [ARGUMENT...]
 * When the command has ended, one line of JSON goes to descriptor FD: CPU seconds (user and
 * system, its waited-for children with it), its largest resident set in MiB, seconds, and its
 * status as a shell says it. The largest resident set of a process counts what it was before it
 * called exec: a benchmark written in Python that starts `true` itself measures its own 14 MiB.
 * This program is small. SIGINT and SIGTERM to its process group are the command's alone.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double seconds(struct timeval tv)
{
	return (double)tv.tv_sec + (double)tv.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage u;
	double begin;
	int fd, status;
	pid_t pid;

	if (argc < 3) {
		fprintf(stderr, "usage: cost FD COMMAND [ARGUMENT...]\n");
		return 2;
	}
	fd = atoi(argv[1]);
	if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
		perror("cost: FD");
		return 2;
	}
	begin = now_s();
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	if (pid < 0 || wait4(pid, &status, 0, &u) < 0) {
		perror("cost");
		return 1;
	}
	dprintf(fd,
		"{\"cpu_s\":%.6f,\"user_s\":%.6f,\"rss_mib\":%.3f,\"wall_s\":%.6f,\"status\":%d}\n",
		seconds(u.ru_utime) + seconds(u.ru_stime), seconds(u.ru_utime),
		(double)u.ru_maxrss / 1024, now_s() - begin,
		WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	return 0;
}
