/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_oci.c - any bytes as config.json of an OCI bundle, and as netlink messages.
 *
 * The first byte chooses the reader. Asserted: a bundle of Kubernetes has a runtime's
 * name, a sandbox its id; parsed netlink strings are terminated and numbers in range.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "../../src/resolve/resolve_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_bundle(const char *text, size_t size)
{
	struct resolve_said o;

	if (resolve_oci_parse(text, size, "id", &o))
		return;
	demand(o.runtime && o.runtime[0], "has a runtime");
	demand(!o.is_sandbox || o.sandbox_id, "a sandbox has an id");
	resolve_container_done(&o);
}

static void one_message(const uint8_t *data, size_t size)
{
	struct resolve_link l;
	struct resolve_ifaddr a;
	struct resolve_route r;
	struct resolve_neigh n;
	int32_t nsid;

	if (resolve_parse_link(data, size, &l) == 0) {
		demand(l.l.ifindex != 0 && l.l.name[0], "a link has index and name");
		demand(memchr(l.l.name, 0, sizeof(l.l.name)), "name terminated");
		demand(memchr(l.l.kind, 0, sizeof(l.l.kind)), "kind terminated");
		demand(memchr(l.slave_kind, 0, sizeof(l.slave_kind)), "slave kind terminated");
	}
	if (resolve_parse_addr(data, size, &a) == 0)
		demand(a.prefix.len <= 128 && !addr_is_none(&a.prefix.addr), "an address");
	if (resolve_parse_route(data, size, &r) == 0)
		demand(r.dst.len <= (r.v6 ? 128 : 32), "prefix length of its family");
	if (resolve_parse_neigh(data, size, &n) == 0)
		demand(n.ifindex != 0, "a neighbour has a device");
	(void)resolve_parse_nsid(data, size, &nsid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1 || size > 1u << 20)
		return 0;
	if (data[0] & 1)
		one_message(data + 1, size - 1);
	else
		one_bundle((const char *)data + 1, size - 1);
	return 0;
}
