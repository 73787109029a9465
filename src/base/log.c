/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - one line a message on stderr.
 */
#include "podhop/log.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOG_LINE_MAX 2048	/* an err text with its prefix fits */

/* The one mutable state outside the command line: set before anything is logged. */
static enum log_level log_level = LOG_LEVEL_WARN;
static void (*log_sink)(void *arg, const char *line);
static void *log_sink_arg;

static const char *const log_words[] = {
	[LOG_LEVEL_ERROR] = "",
	[LOG_LEVEL_WARN] = "warning: ",
	[LOG_LEVEL_INFO] = "",
	[LOG_LEVEL_DEBUG] = "debug: ",
	[LOG_LEVEL_TRACE] = "trace: ",
};
static_assert(sizeof(log_words) / sizeof(log_words[0]) == LOG_LEVEL_COUNT, "a word a level");

void log_set_level(enum log_level level)
{
	log_level = level;
}

void log_set_sink(void (*sink)(void *arg, const char *line), void *arg)
{
	log_sink = sink;
	log_sink_arg = arg;
}

enum log_level log_get_level(void)
{
	return log_level;
}

bool log_enabled(enum log_level level)
{
	return level <= log_level;
}

/* Names come from files and devices: they must not steer the terminal. */
static void log_disarm(char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c < ' ' && c != '\t') || c == 0x7f)
			*s = '?';
	}
}

void log_write(enum log_level level, const char *module, const char *fmt, ...)
{
	char line[LOG_LINE_MAX];
	struct timespec now;
	va_list ap;
	int n;
	size_t len;

	if (!log_enabled(level) || level >= LOG_LEVEL_COUNT)
		return;
	if (level >= LOG_LEVEL_DEBUG && clock_gettime(CLOCK_MONOTONIC, &now) == 0)
		n = snprintf(line, sizeof(line), "podhop: %lld.%06ld %s: %s",
			     (long long)now.tv_sec, now.tv_nsec / 1000, module, log_words[level]);
	else
		n = snprintf(line, sizeof(line), "podhop: %s: %s", module, log_words[level]);
	if (n < 0)
		return;
	len = strlen(line);
	va_start(ap, fmt);
	vsnprintf(line + len, sizeof(line) - len, fmt, ap);
	va_end(ap);
	log_disarm(line);

	/* One write, so that lines of several processes on one terminal stay whole. */
	len = strlen(line);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len] = '\n';
	line[len + 1] = '\0';
	if (log_sink)
		log_sink(log_sink_arg, line);
	else
		(void)fputs(line, stderr);
}
