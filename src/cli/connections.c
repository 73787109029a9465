/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connections.c - what conntrack knows, handed to the correlator while a capture runs.
 *
 * A capture goes on without it: the packets show their translations themselves, as long as
 * no two of them are alike. So nothing here is an error; a right that is missing is named, and
 * -v says what else is.
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "podhop/conntrack.h"
#include "podhop/log.h"

static void on_connection(void *arg, const struct result_tuple *original,
			  const struct result_tuple *reply)
{
	struct connections *n = arg;

	if (correlate_learn_connection(n->correlate, original, reply))
		n->learned++;
}

void connections_begin(struct connections *n, struct correlate *correlate)
{
	struct err err = ERR_INIT;

	n->correlate = correlate;
	n->conntrack = conntrack_open(&err);
	if (n->conntrack && conntrack_dump(n->conntrack, on_connection, n, &err) == 0) {
		log_info("conntrack", "%" PRIu64 " translated connections of the pod exist",
			 n->learned);
		return;
	}
	if (err.code == -EPERM)
		log_warn("conntrack", "translated connections are not shown, that needs "
			 "CAP_NET_ADMIN: they are learned from the packets alone");
	else
		log_info("conntrack", "%s: translations are learned from the packets alone",
			 err.text);
}

void connections_read(struct connections *n)
{
	int rc;

	if (!n->conntrack)
		return;
	rc = conntrack_read(n->conntrack, on_connection, n);
	if (rc >= 0 || n->failed)
		return;
	n->failed = true;
	log_info("conntrack", "%s: some translations are learned from the packets alone",
		 rc == -ENOBUFS ? "more connections began than could be read" : strerror(-rc));
}

void connections_end(struct connections *n)
{
	if (n->conntrack)
		log_info("conntrack", "%" PRIu64 " translated connections of the pod were told",
			 n->learned);
	conntrack_free(n->conntrack);
	n->conntrack = NULL;
}
