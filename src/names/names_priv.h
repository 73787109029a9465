/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names_priv.h - shared by the files of src/names only.
 */
#ifndef NAMES_PRIV_H
#define NAMES_PRIV_H

#include "podhop/names.h"

/* "ns/name", or name alone when ns is NULL or "". Bad ones are left out. */
int names_add_object(struct names *n, const struct addr *a, const char *ns, const char *name,
		     enum names_rank rank, struct err *err);

#endif
