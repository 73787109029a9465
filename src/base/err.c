/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * err.c - fills and extends the text of a failure.
 */
#include "podhop/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int err_code(int code)
{
	if (code == 0)
		return -EIO;
	return code > 0 ? -code : code;
}

/* Appends what fits: the outermost words, in front, name the object. */
static void err_append(char text[static ERR_TEXT_MAX], const char *more)
{
	size_t len = strlen(text), n = strlen(more);

	if (n > ERR_TEXT_MAX - 1 - len)
		n = ERR_TEXT_MAX - 1 - len;
	memcpy(text + len, more, n);
	text[len + n] = '\0';
}

/* The text goes through a copy: an argument may be err->text itself. */
__attribute__((format(printf, 4, 0)))
static int err_fill(struct err *err, enum err_class class, int code, const char *fmt, va_list ap)
{
	char text[ERR_TEXT_MAX];

	code = err_code(code);
	if (!err)
		return code;
	vsnprintf(text, sizeof(text), fmt, ap);
	memcpy(err->text, text, sizeof(text));
	err->class = class;
	err->code = code;
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = err_fill(err, ERR_FAILED, code, fmt, ap);
	va_end(ap);
	return code;
}

int err_usage(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = err_fill(err, ERR_USAGE, code, fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	code = err_fill(err, ERR_FAILED, code, fmt, ap);
	va_end(ap);
	if (err) {
		err_append(err->text, ": ");
		err_append(err->text, strerror(-code));
	}
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;

	if (!err)
		return -EIO;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (err->text[0] != '\0') {
		err_append(text, ": ");
		err_append(text, err->text);
	}
	memcpy(err->text, text, sizeof(text));
	return err->code;
}

void err_clear(struct err *err)
{
	if (!err)
		return;
	err->class = ERR_NONE;
	err->code = 0;
	err->text[0] = '\0';
}
