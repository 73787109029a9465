/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conntrack.h - the translated connections that the kernel itself knows of.
 *
 * Owns: one netlink socket that hears of new connections.
 * Never: changes a connection, waits, or asks the kernel anything but in conntrack_dump(); knows
 * which connections matter.
 *
 * Order of use, so that no connection is missed: conntrack_open() subscribes, conntrack_dump()
 * tells the connections there are (they send no more events), both before the sandbox is entered;
 * from then on conntrack_read(), which only receives.
 *
 * Of the namespace of the caller. Needs CAP_NET_ADMIN; a capture can do without, because the
 * packets themselves show what was translated, as long as they differ.
 */
#ifndef PODHOP_CONNTRACK_H
#define PODHOP_CONNTRACK_H

#include <stdbool.h>
#include <stddef.h>

#include "podhop/err.h"
#include "podhop/result.h"

struct conntrack;

/*
 * A translated connection: its packets as they were before any translation, and its answers
 * as the other end sends them. Without translation each would be the reverse of the other.
 */
typedef void conntrack_sink(void *arg, const struct result_tuple *original,
			    const struct result_tuple *reply);

/* NULL: not allowed, or the kernel has none; err says which. */
struct conntrack *conntrack_open(struct err *err);
void conntrack_free(struct conntrack *c);	/* NULL is accepted */

/* All connections that exist. Returns 0 or -errno; what was told until then is right. */
int conntrack_dump(struct conntrack *c, conntrack_sink *sink, void *arg, struct err *err);

/*
 * Those that have begun since, at most a few thousand at a time. Returns their number; -ENOBUFS
 * when more began than the socket could hold and some are not known; another -errno.
 */
int conntrack_read(struct conntrack *c, conntrack_sink *sink, void *arg);

/*
 * One netlink message, len bytes of it at hand. False: not a connection that was translated,
 * of a protocol with ports or an echo, or no sound message.
 */
bool conntrack_parse(const void *msg, size_t len, struct result_tuple *ret_original,
		     struct result_tuple *ret_reply);

#endif
