/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox_priv.h - what the files of src/sandbox share.
 *
 * Owns: nothing by itself.
 * Never: is seen outside this folder.
 */
#ifndef SANDBOX_PRIV_H
#define SANDBOX_PRIV_H

#include <stdbool.h>

#include "podhop/err.h"

/*
 * calls.c: from here on the calls that needs (enum sandbox_need) stand for, and those of new
 * files when they may be written, are all there is. Returns 0 or -errno.
 */
int sandbox_limit_calls(unsigned needs, bool new_files, struct err *err);

/* calls.c: from here on writing to one of these n descriptors kills. Returns 0 or -errno. */
int sandbox_only_read(const int *fds, unsigned n, struct err *err);

#endif
