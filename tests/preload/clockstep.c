/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * clockstep.c - LD_PRELOAD: the system clock is stepped under a capture.
 *
 * The machine's clock belongs to others, and no namespace has one of its own. So what comes of it
 * is stepped: CLOCK_REALTIME as the program reads it, and the stamps of frames as libpcap hands
 * them out. Each SIGUSR2 adds $CLOCKSTEP_MS (may be negative) from that moment on; a frame that
 * the kernel stamped before keeps its stamp, as it would with a real step. Stamps are
 * microseconds: not for --nano.
 */
#include <dlfcn.h>
#include <errno.h>
#include <pcap/pcap.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS_MAX 16
#define NS_PER_S 1000000000LL
#define US_PER_S 1000000LL

/* When the steps were made, in real time, the first one first. */
static volatile int64_t at_ns[STEPS_MAX];
static volatile sig_atomic_t steps;
static int64_t step_ns;
static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_dispatch)(pcap_t *, int, pcap_handler, u_char *);

static int64_t real_ns(void)
{
	struct timespec ts;

	real_clock(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static void on_signal(int sig)
{
	(void)sig;
	if (steps == STEPS_MAX)
		return;
	at_ns[steps] = real_ns();
	steps = steps + 1;
}

__attribute__((constructor)) static void begin(void)
{
	const char *ms = getenv("CLOCKSTEP_MS");
	struct sigaction sa;

	*(void **)&real_clock = dlsym(RTLD_NEXT, "clock_gettime");
	*(void **)&real_dispatch = dlsym(RTLD_NEXT, "pcap_dispatch");
	if (strcmp(program_invocation_short_name, "podhop") != 0)
		return;
	step_ns = ms ? strtoll(ms, NULL, 10) * 1000000 : 0;
	memset(&sa, 0, sizeof(sa));
	sa.sa_handler = on_signal;
	sa.sa_flags = SA_RESTART;
	if (sigaction(SIGUSR2, &sa, NULL) != 0)
		abort();
}

/* What the stepped clock showed at a moment of the real one. */
static int64_t stepped(int64_t ns)
{
	int64_t shown = ns;

	for (int i = 0; i < steps && at_ns[i] <= ns; i++)
		shown += step_ns;
	return shown;
}

int clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = real_clock(clock, ts);

	if (rc == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
		int64_t ns = stepped((int64_t)ts->tv_sec * NS_PER_S + ts->tv_nsec);

		ts->tv_sec = (time_t)(ns / NS_PER_S);
		ts->tv_nsec = (long)(ns % NS_PER_S);
	}
	return rc;
}

struct caller {
	pcap_handler handler;
	u_char *arg;
};

static void on_frame(u_char *arg, const struct pcap_pkthdr *h, const u_char *bytes)
{
	const struct caller *c = (const struct caller *)(const void *)arg;
	struct pcap_pkthdr moved = *h;
	int64_t us = stepped((h->ts.tv_sec * US_PER_S + h->ts.tv_usec) * 1000) / 1000;

	moved.ts.tv_sec = (time_t)(us / US_PER_S);
	moved.ts.tv_usec = (suseconds_t)(us % US_PER_S);
	c->handler(c->arg, &moved, bytes);
}

int pcap_dispatch(pcap_t *p, int count, pcap_handler handler, u_char *arg)
{
	struct caller c = { .handler = handler, .arg = arg };

	return real_dispatch(p, count, on_frame, (u_char *)&c);
}
