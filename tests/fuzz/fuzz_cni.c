/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_cni.c - any bytes as a CNI result cache file, a host-local lease or docker's state.
 *
 * Input: the first line is the file's name, the rest its content. Asserted:
 * counts stay within their arrays, device names are terminated, a refused file leaves
 * nothing to free, and equal input gives equal output.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "../../src/resolve/resolve_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static void one_cni(const char *json, size_t len, const char *name)
{
	struct resolve_cni a = { .file = NULL }, b = { .file = NULL };
	int ra = resolve_cni_parse(json, len, name, &a),
	    rb = resolve_cni_parse(json, len, name, &b);

	demand(ra == rb, "same answer twice");
	if (ra) {
		demand(!a.container_id && !a.name && !a.ifname, "output untouched on failure");
		return;
	}
	demand(a.n_hosts <= RESOLVE_CNI_HOSTS && a.n_ips <= RESOLVE_CNI_IPS, "counts in bounds");
	demand(a.n_hosts == b.n_hosts && a.n_ips == b.n_ips, "same counts twice");
	for (unsigned i = 0; i < a.n_hosts; i++)
		demand(memchr(a.hosts[i].name, 0, sizeof(a.hosts[i].name)), "name terminated");
	for (unsigned i = 0; i < a.n_ips; i++)
		demand(addr_eq(&a.ips[i], &b.ips[i]), "same addresses twice");
	demand(same(a.container_id, b.container_id) && same(a.name, b.name) &&
		       same(a.ifname, b.ifname) && same(a.netns, b.netns),
	       "same strings twice");
	resolve_cni_done(&a);
	resolve_cni_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data, *nl;
	struct resolve_said d;
	struct resolve_lease l;
	struct resolve_log log;
	char name[256];
	size_t n;

	if (size == 0 || size > 1u << 20)
		return 0;
	nl = memchr(text, '\n', size);
	n = nl ? (size_t)(nl - text) : 0;
	if (n >= sizeof(name))
		n = sizeof(name) - 1;
	memcpy(name, text, n);
	name[n] = 0;
	if (nl) {
		size -= (size_t)(nl + 1 - text);
		text = nl + 1;
	}
	one_cni(text, size, name);
	if (resolve_lease_parse(text, size, &l) == 0) {
		demand(l.id[0] != 0, "a lease has an id");
		resolve_lease_done(&l);
	}
	if (resolve_docker_parse(text, size, &d) == 0) {
		demand(d.id != NULL && d.pid >= 0, "a container has an id");
		resolve_container_done(&d);
	}
	if (resolve_podlog_parse(name, &log) == 0) {
		demand(log.namespace_[0] && log.name[0] && log.uid[0], "three parts");
		resolve_log_done(&log);
	}
	return 0;
}
