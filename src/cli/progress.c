/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * progress.c - the one line on a terminal's stderr that is redrawn while a run goes on.
 *
 * It never takes more than the terminal's width: what wraps cannot be redrawn. A message that
 * comes meanwhile takes the line's place, and the line is drawn again below it.
 */
#include "cli.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "podhop/log.h"

#define INTERVAL_NS 500000000LL
#define WIDTH_DEFAULT 80
#define TEXT_MAX 512

static bool on, shown, dumb;
static int64_t next_ns;

static unsigned width(void)
{
	struct winsize ws;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 1 ? ws.ws_col
									   : WIDTH_DEFAULT;
}

static void clear(void)
{
	if (!shown)
		return;
	if (dumb)
		fprintf(stderr, "\r%*s\r", (int)width() - 1, "");
	else
		fputs("\r\033[K", stderr);
	shown = false;
}

static void on_message(void *arg, const char *line)
{
	(void)arg;
	clear();
	fputs(line, stderr);
}

void progress_begin(const struct options *o)
{
	const char *term = getenv("TERM");

	on = !o->quiet && isatty(STDERR_FILENO);
	dumb = !term || strcmp(term, "dumb") == 0;
	next_ns = 0;
	if (on)
		log_set_sink(on_message, NULL);
}

bool progress_is_due(void)
{
	int64_t now;

	if (!on)
		return false;
	now = clock_ns(CLOCK_MONOTONIC);
	if (now < next_ns)
		return false;
	/* The first one comes an interval late: what is done by then needs no line. */
	bool first = next_ns == 0;
	next_ns = now + INTERVAL_NS;
	return !first;
}

void progress_line(const char *fmt, ...)
{
	char text[TEXT_MAX];
	unsigned most = width() - 1;
	va_list ap;

	if (!on)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strlen(text) > most)
		text[most] = '\0';
	clear();
	fputs(text, stderr);
	fflush(stderr);
	shown = true;
}

void progress_message(const char *line)
{
	on_message(NULL, line);
}

void progress_end(void)
{
	clear();
	if (on)
		log_set_sink(NULL, NULL);
	on = false;
}
