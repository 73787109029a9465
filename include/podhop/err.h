/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * err.h - how a failure travels upwards.
 *
 * Owns: one bounded text and one code per failure; no memory.
 * Never: prints, exits, allocates, or looks at errno by itself.
 *
 * Functions that can fail return 0 or a negative errno value (constructors
 * return NULL) and fill the `struct err *err` that is their last parameter,
 * where the failure is known best. Callers further up put what they were
 * doing in front: "open vethab12: Operation not permitted". err may be NULL
 * when the caller does not want the text. Outputs (`ret_` parameters) are
 * untouched on failure.
 *
 * The class of a failure decides the exit status of the program (contract,
 * section 2): ERR_USAGE is 2, all others are 1.
 */
#ifndef PODHOP_ERR_H
#define PODHOP_ERR_H

#include <stddef.h>

#define ERR_TEXT_MAX 1024 /* a sentence with two paths of NAME_MAX in it */

enum err_class {
	ERR_NONE = 0,
	ERR_FAILED,	/* permission, device, input, disk: exit status 1 */
	ERR_USAGE,	/* command line, FILTER, POD not usable: exit status 2 */
};

struct err {
	enum err_class class;
	int code;	/* negative errno value */
	char text[ERR_TEXT_MAX];
};

#define ERR_INIT { .class = ERR_NONE, .code = 0, .text = "" }

/*
 * Sets the text and returns code (made negative when it is positive, -EIO
 * when it is 0), so that a failing function can end in `return err_set(...)`.
 */
__attribute__((format(printf, 3, 4)))
int err_set(struct err *err, int code, const char *fmt, ...);

/* The same for a failure the user must mend on the command line. */
__attribute__((format(printf, 3, 4)))
int err_usage(struct err *err, int code, const char *fmt, ...);

/* err_set() with ": " and strerror(code) behind the text. */
__attribute__((format(printf, 3, 4)))
int err_sys(struct err *err, int code, const char *fmt, ...);

/* Puts "fmt: " in front of the text; code and class stay. Returns the code. */
__attribute__((format(printf, 2, 3)))
int err_prefix(struct err *err, const char *fmt, ...);

void err_clear(struct err *err);

#endif
