/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h - messages for the person at the terminal, on stderr only.
 *
 * Owns: the level and the stream, set once by the command line.
 * Never: writes to stdout (stdout carries data only), allocates, or ends the
 * program. Library modules log nothing louder than debug.
 *
 * A message names the module first: log_debug("resolve", "...").
 */
#ifndef PODHOP_LOG_H
#define PODHOP_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR = 0,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_TRACE,
	LOG_LEVEL_COUNT,
};

void log_set_level(enum log_level level);
enum log_level log_get_level(void);
bool log_enabled(enum log_level level);

/* Where whole lines go instead of stderr, while something owns the terminal; NULL: stderr again. */
void log_set_sink(void (*sink)(void *arg, const char *line), void *arg);

__attribute__((format(printf, 3, 4)))
void log_write(enum log_level level, const char *module, const char *fmt, ...);

#define log_error(module, ...) log_write(LOG_LEVEL_ERROR, module, __VA_ARGS__)
#define log_warn(module, ...) log_write(LOG_LEVEL_WARN, module, __VA_ARGS__)
#define log_info(module, ...) log_write(LOG_LEVEL_INFO, module, __VA_ARGS__)
#define log_debug(module, ...) log_write(LOG_LEVEL_DEBUG, module, __VA_ARGS__)

#endif
