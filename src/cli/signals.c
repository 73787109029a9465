/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signals.c - SIGINT and SIGTERM end a run cleanly, SIGUSR1 asks for counters.
 *
 * The handlers set a flag each; the loops look at them between frames. SIGPIPE is
 * ignored: a reader that is gone shows as EPIPE on the write.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_signal, status_wanted;

static void on_stop(int sig)
{
	stop_signal = sig;
}

static void on_status(int sig)
{
	(void)sig;
	status_wanted = 1;
}

void signals_init(void)
{
	struct sigaction sa;

	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_stop; /* no SA_RESTART: a wait must end */
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
