/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.c - SIGINT and SIGTERM end a run cleanly, SIGUSR1 asks for counters.
 *
 * The handlers set a flag each; the loops look at them between frames. SIGPIPE is
 * ignored: a reader that is gone shows as EPIPE on the write.
 *
 * A program at the far end of ssh or kubectl exec gets no signal when its user leaves, but
 * its standard input ends. That need not mean that its standard output is closed: container
 * runtimes leave the pipe open and read no more, and the write that fills it hangs for good.
 *
 * So does the write to any reader that has stopped and not gone. From the signal that asks for the
 * end, or the end of standard input, a timer therefore interrupts whatever waits once a second, and
 * signals_wait_on() says when a reader that has taken nothing meanwhile is given up. What was
 * slow, and reads on, is waited for.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t stop_signal, status_wanted, watches_stdin, idle_seconds;

/* Not a moment later each time that somebody asks again. */
static void tick(void)
{
	static const struct itimerval second = { .it_interval = { .tv_sec = 1 },
						 .it_value = { .tv_sec = 1 } };
	static volatile sig_atomic_t ticks;

	if (!ticks)
		setitimer(ITIMER_REAL, &second, NULL);
	ticks = 1;
}

static void on_stop(int sig)
{
	int saved = errno;

	stop_signal = sig;
	tick();
	errno = saved;
}

static void on_status(int sig)
{
	(void)sig;
	status_wanted = 1;
}

bool signals_stdin_ended(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	char scrap[512];

	if (poll(&p, 1, 0) != 1)
		return false;
	ssize_t n = read(STDIN_FILENO, scrap, sizeof(scrap));
	return n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN);
}

static void on_second(int sig)
{
	int saved = errno;

	(void)sig;
	if (stop_signal || (watches_stdin && signals_stdin_ended()))
		idle_seconds++;
	errno = saved;
}

void signals_watch_stdin(void)
{
	watches_stdin = 1;
	tick();
}

bool signals_wait_on(bool took)
{
	if (took)
		idle_seconds = 0;
	return idle_seconds <= SIGNALS_PATIENCE_S;
}

void signals_init(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	/* No SA_RESTART: a wait must end. */
	sa.sa_handler = on_second;
	sigaction(SIGALRM, &sa, NULL);
	sa.sa_handler = on_stop;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	struct sigaction old;
	/* nohup has it ignored; then it stays so, as with tcpdump. */
	if (sigaction(SIGHUP, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		sigaction(SIGHUP, &sa, NULL);
	sa.sa_handler = on_status;
	sigaction(SIGUSR1, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
}

int signals_stop(void)
{
	return stop_signal;
}

bool signals_take_status(void)
{
	if (!status_wanted)
		return false;
	status_wanted = 0;
	return true;
}
