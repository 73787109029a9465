/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names.h - names for addresses: pods, Services and nodes of a cluster.
 *
 * Owns: a table of addresses and copies of their names.
 * Never: asks DNS or an API server, opens more than the one file it is told of,
 * takes a name that Kubernetes would not (control characters, spaces).
 *
 * The table is filled first and asked afterwards; names_get() between two additions
 * is allowed but sorts anew.
 */
#ifndef PODHOP_NAMES_H
#define PODHOP_NAMES_H

#include <stdbool.h>
#include <stddef.h>

#include "podhop/addr.h"
#include "podhop/err.h"

#define NAMES_FILE_MAX (512u << 20)	/* kubectl prints some 8 KiB a pod: 60,000 pods */
#define NAMES_MAX 1000000u		/* addresses; beyond that the rest stays without a name */

/*
 * Which name an address gets when several claim it. A pod that has ended keeps its
 * address in the API while a new pod already uses it.
 */
enum names_rank {
	NAMES_RANK_FORMER = 1,	/* a pod that has ended */
	NAMES_RANK_SUBNET,	/* a node's own addresses in its pod network, from podCIDRs */
	NAMES_RANK_NODE,
	NAMES_RANK_SERVICE,
	NAMES_RANK_POD,
	NAMES_RANK_LOCAL,	/* what this node itself knows */
};

struct names;

struct names *names_new(struct err *err);
void names_free(struct names *n);	/* NULL is accepted */

/*
 * Copies name; equal rank: the first stays. Bad names, and what comes above NAMES_MAX, are left out
 * silently. 0 or -ENOMEM.
 */
int names_add(struct names *n, const struct addr *a, const char *name, enum names_rank rank,
	      struct err *err);

/*
 * Takes what `kubectl get pods,services,nodes -A -o json` prints: a List, a single object,
 * or several documents one after the other. Items of other kinds and items that make
 * no sense are skipped; text that is no JSON or no Kubernetes object is refused with its place.
 * 0, -EBADMSG or -ENOMEM; what was taken until then stays.
 */
int names_parse(struct names *n, const char *text, size_t len, struct err *err);

/*
 * The same from a file or FIFO; "-" is stdin, up to its end or a NUL. Errors carry the path:
 * also what open(2) and read(2) say, and -EFBIG above NAMES_FILE_MAX.
 */
int names_read(struct names *n, const char *path, struct err *err);

/* "default/web", "node1"; NULL when a has no name. Valid as long as n. */
const char *names_get(struct names *n, const struct addr *a);

size_t names_count(const struct names *n);	/* addresses with a name */
/* Each address once, in address order. */
void names_each(struct names *n,
		void (*fn)(void *arg, const struct addr *a, const char *name), void *arg);

#endif
