/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * figure.h - numbers with their units as people read them.
 *
 * Owns: nothing.
 * Never: rounds (a figure is cut, so that it never claims more than there is), asks the locale.
 *
 * All write a NUL-terminated ASCII string and return out.
 */
#ifndef PODHOP_FIGURE_H
#define PODHOP_FIGURE_H

#include <stdint.h>

#define FIGURE_MAX 40

const char *figure_count(uint64_t v, char out[static FIGURE_MAX]);	/* 1,204 */
const char *figure_bytes(uint64_t v, char out[static FIGURE_MAX]);	/* 1.72 MB (10^6) */
const char *figure_ns(uint64_t ns, char out[static FIGURE_MAX]);	/* 84 us, 1.2 ms */
const char *figure_duration(uint64_t ns, char out[static FIGURE_MAX]);	/* 3 h 05 min */
/* 100 x part / whole with one decimal, "3.5 %"; "" when whole is 0. */
const char *figure_pct(uint64_t part, uint64_t whole, char out[static FIGURE_MAX]);

#endif
