/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resolve_inside.h - the view of a namespace through /proc/<pid>, see inside.c.
 */
#ifndef RESOLVE_INSIDE_H
#define RESOLVE_INSIDE_H

#include "resolve_priv.h"

#define RESOLVE_INSIDE_DEVS 16

struct resolve_inside {
	struct {
		char name[16];
		uint32_t ifindex;
	} dev[RESOLVE_INSIDE_DEVS];
	unsigned n_dev;
	struct addr ips[RESOLVE_CNI_IPS]; /* global ones, IPv4 first; of all devices */
	unsigned n_ips;
};

void resolve_inside_read(const struct resolve *r, pid_t pid, struct resolve_inside *in);
/* DEVTYPE ("macvlan", "ipvlan", ...; a veth has none) and iflink as the pod's own sysfs says. */
void resolve_inside_kind(const struct resolve *r, pid_t pid, const char *ifname,
			 char kind[static 16], uint32_t *ret_iflink);

#endif
