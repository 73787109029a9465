/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hops.c - how a live capture opens a hop: kernel filter, lengths, buffer.
 */
#include "cli.h"

#include "podhop/buf.h"
#include "podhop/capture.h"
#include "podhop/log.h"

#define LONG_FILTER_MAX (256u << 10)

uint32_t hops_snaplen(const struct options *o, enum model_role role)
{
	uint32_t snaplen = o->snaplen;

	if (role == MODEL_ROLE_UNDERLAY)
		snaplen += MODEL_VXLAN_OVERHEAD_V6;
	return snaplen < PCAPNG_SNAPLEN_MAX ? snaplen : PCAPNG_SNAPLEN_MAX;
}

int hops_config(const struct options *o, struct model_net *net, unsigned i, const char *exclude,
		struct buf *filter, struct capture_hop *ret, struct err *err)
{
	struct model_hop *h = &net->hops[i];
	int rc;

	buf_done(filter);
	buf_init(filter, LONG_FILTER_MAX);
	rc = capture_kernel_filter(net, i, o->filter, !o->no_nat, exclude, filter, err);
	if (rc < 0)
		return rc;
	h->snaplen = hops_snaplen(o, h->role);
	*ret = (struct capture_hop){ .filter = buf_str(filter), .snaplen = h->snaplen,
				     .buffer_kib = o->buffer_kib };
	snprintf(ret->device, sizeof(ret->device), "%s", h->name);
	log_debug("capture", "%s (%s): %s", h->name, model_role_name(h->role), buf_str(filter));
	return 0;
}
