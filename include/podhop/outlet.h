/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * outlet.h - bytes to a descriptor, all of them, whatever interrupts the write.
 *
 * Owns: nothing; the descriptor is the caller's, blocking or not.
 * Never: gives up by itself. A reader may stop and keep its end open; how long it is waited for
 * is the caller's to say.
 */
#ifndef PODHOP_OUTLET_H
#define PODHOP_OUTLET_H

#include <stdbool.h>
#include <stddef.h>

#include "podhop/err.h"

/*
 * Called with true when a write begins and each time the reader took something, with false behind
 * each signal: false then ends the wait. The write calls it, not the signal's handler.
 */
typedef bool outlet_patience(bool took);

/*
 * Returns how many bytes were written; less than n: errno says why, ETIMEDOUT when patience
 * ended. patience may be NULL: for ever.
 */
size_t outlet_write(int fd, const void *bytes, size_t n, outlet_patience *patience);

/* err_sys() for a failed write; of ETIMEDOUT it says what that means here. */
__attribute__((format(printf, 3, 4)))
int outlet_failed(struct err *err, int code, const char *fmt, ...);

#endif
