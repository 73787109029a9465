/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * model.c - the names of the vocabulary, as the contract spells them.
 */
#include "podhop/model.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

static const char *const model_roles[] = {
	[MODEL_ROLE_NONE] = "none",
	[MODEL_ROLE_VETH] = "veth",
	[MODEL_ROLE_BRIDGE] = "bridge",
	[MODEL_ROLE_VTEP] = "vtep",
	[MODEL_ROLE_UNDERLAY] = "underlay",
};
static_assert(COUNT_OF(model_roles) == MODEL_ROLE_COUNT, "a name a role");

static const char *const model_directions[] = {
	[MODEL_DIRECTION_OTHER] = "other",
	[MODEL_DIRECTION_EGRESS] = "egress",
	[MODEL_DIRECTION_INGRESS] = "ingress",
};
static_assert(COUNT_OF(model_directions) == MODEL_DIRECTION_COUNT, "a name a direction");

static const char *const model_routes[] = {
	[MODEL_ROUTE_UNKNOWN] = "unknown",
	[MODEL_ROUTE_NODE] = "node",
	[MODEL_ROUTE_LOCAL] = "local",
	[MODEL_ROUTE_VTEP] = "vtep",
	[MODEL_ROUTE_DIRECT] = "direct",
	[MODEL_ROUTE_BLACKHOLE] = "blackhole",
};
static_assert(COUNT_OF(model_routes) == MODEL_ROUTE_COUNT, "a name a kind of route");

/* "?" is for a value that is none of ours: a bug, but no reason to crash in a report. */
static const char *model_pick(const char *const *names, size_t n, unsigned i)
{
	return i < n ? names[i] : "?";
}

const char *model_role_name(enum model_role role)
{
	return model_pick(model_roles, COUNT_OF(model_roles), role);
}

/* Which of n names it is; n: none of them. */
static unsigned model_find(const char *const *names, unsigned n, const char *name)
{
	unsigned i = 0;

	while (i < n && strcmp(name, names[i]) != 0)
		i++;
	return i;
}

enum model_role model_role_parse(const char *name)
{
	unsigned i = model_find(model_roles, COUNT_OF(model_roles), name);

	return i < MODEL_ROLE_COUNT ? (enum model_role)i : MODEL_ROLE_NONE;
}

const char *model_direction_name(enum model_direction d)
{
	return model_pick(model_directions, COUNT_OF(model_directions), d);
}

const char *model_route_name(enum model_route_kind kind)
{
	return model_pick(model_routes, COUNT_OF(model_routes), kind);
}

bool model_route_parse(const char *name, enum model_route_kind *ret_kind)
{
	unsigned i = model_find(model_routes, COUNT_OF(model_routes), name);

	if (i == MODEL_ROUTE_COUNT)
		return false;
	*ret_kind = (enum model_route_kind)i;
	return true;
}

const char *model_protocol_name(uint8_t ip_protocol)
{
	switch (ip_protocol) {
	case MODEL_PROTO_ICMP:
		return "icmp";
	case MODEL_PROTO_TCP:
		return "tcp";
	case MODEL_PROTO_UDP:
		return "udp";
	case MODEL_PROTO_ICMPV6:
		return "icmpv6";
	case MODEL_PROTO_SCTP:
		return "sctp";
	default:
		return NULL;
	}
}

const char *model_protocol_text(uint8_t ip_protocol, char out[static MODEL_PROTOCOL_TEXT_MAX])
{
	const char *name = model_protocol_name(ip_protocol);

	if (name)
		snprintf(out, MODEL_PROTOCOL_TEXT_MAX, "%s", name);
	else
		snprintf(out, MODEL_PROTOCOL_TEXT_MAX, "proto-%u", ip_protocol);
	return out;
}
