/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * find.c - from failed checks and counters that moved to reasons for a loss, each at its place.
 *
 * Theory of operation. A loss is known by the two hops between which packets ended. What
 * the kernel does between them is known too (D 5.1), so each check and each counter is given
 * the places that it can speak of; a rule gets those of its hook:
 *
 *              E1           E2              E3                E4
 *   pod -- veth -- bridge -- routing -- vtep -- encapsulation -- underlay -- wire
 *              I1           I2              I3                I4
 *
 *   E1, I1  the bridge's ports; with br_netfilter also prerouting
 *   E2, I2  routing: rp_filter, forwarding, routes, forward and postrouting, the queue
 *   E3      FDB, route of the outer datagram, output, the underlay's queue
 *   I3      input of the outer datagram, the VXLAN socket: port, VNI, peer
 *   E4, I4  the NIC and what is behind it
 *
 * Taps stand behind the queue on the way out, and behind the driver on the way in. How much a
 * finding says is its weight; explain.c adds whether it counted as much as was lost.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <netinet/in.h> /* before linux/, which then leaves its own out */
#include <linux/netfilter.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"

#define E(gap) (1u << (gap))
#define I(gap) (1u << (8 + (gap)))
#define EVERYWHERE (E(0) | E(1) | E(2) | E(3) | E(4) | I(0) | I(1) | I(2) | I(3) | I(4))
#define ROUTING (E(2) | I(2))

/* A rule that counted as many packets as were lost says more than a failed check; a failed check
 * more than any other counter, since it says what to mend. See explain.c. */
#define WEIGHT_FAIL 60
#define WEIGHT_RULE 50
#define WEIGHT_COUNTER 40
#define WEIGHT_POLICY 25
#define WEIGHT_SILENT_RULE 20
#define WEIGHT_WARN 10
#define WEIGHT_HINT 5

uint32_t doctor_places(enum model_direction direction, enum model_role last, enum model_role next)
{
	uint32_t places = 0;
	unsigned from = last ? last : MODEL_ROLE_COUNT, to = next ? next : MODEL_ROLE_COUNT;

	if (last == MODEL_ROLE_VETH && next == MODEL_ROLE_VETH)
		return E(1) | I(1);
	if (direction == MODEL_DIRECTION_INGRESS) {
		for (unsigned gap = to; gap < from; gap++)
			places |= I(gap);
		return places;
	}
	for (unsigned gap = from; gap < to; gap++)
		places |= E(gap);
	return places;
}

/* ---------------------------------------------------------------------- checks */

static const struct {
	const char *id;
	uint32_t places;
} check_places[] = {
	{ "pod.veth", E(0) | E(1) | I(1) | I(0) },
	{ "pod.interface", E(0) | I(1) | I(0) },
	{ "pod.bridge", E(1) | I(1) },
	{ "pod.port", E(1) | I(1) },
	{ "pod.isolated", E(1) | I(1) },
	{ "pod.hairpin", E(1) | I(1) },
	{ "pod.mtu", E(0) | E(1) | I(2) | I(1) | I(0) },
	{ "pod.address", I(2) | I(1) | I(0) },
	{ "pod.mac", I(1) | I(0) },
	{ "pod.neighbour", I(2) | I(1) | I(0) },
	{ "pod.route", E(0) | E(1) },
	{ "bridge.state", E(1) | E(2) | I(2) | I(1) },
	{ "bridge.address", E(1) | ROUTING },
	{ "bridge.route", I(2) },
	{ "bridge.vlan", E(1) | I(1) },
	{ "mtu.vtep", E(3) | E(4) | I(4) },
	{ "mtu.flannel", E(2) | E(3) },
	{ "mtu.bridge", E(2) },
	{ "vtep.state", E(2) | E(3) | I(3) | I(2) },
	{ "vtep.kind", E(2) | E(3) | I(3) | I(2) },
	{ "vtep.vni", E(3) | E(4) | I(4) | I(3) },
	{ "vtep.port", E(3) | E(4) | I(4) | I(3) },
	{ "vtep.socket", I(3) },
	{ "vtep.address", E(2) | E(3) },
	{ "vtep.local", E(3) | E(4) | I(4) | I(3) },
	{ "vtep.underlay", E(3) | E(4) | I(4) | I(3) },
	{ "remote.route", E(2) | E(3) },
	{ "remote.neighbour", E(2) | E(3) | E(4) },
	{ "remote.fdb", E(2) | E(3) },
	{ "remote.node", E(3) | E(4) },
	{ "remote.mac", E(3) | E(4) },
	{ "route.blackhole", ROUTING },
	{ "sysctl.forwarding", ROUTING },
	{ "sysctl.rp_filter", E(1) | ROUTING | I(3) },
	{ "conntrack.drops", E(1) | ROUTING | I(3) },
	{ "conntrack.table", E(1) | ROUTING | I(3) },
	{ "offload.checksum", E(4) | I(3) },
};

/* Objects of checks on a remote subnet or node begin with its prefix or address. */
static struct prefix about_of(const struct doctor_check *c)
{
	char word[PREFIX_STR_MAX];
	size_t n = strcspn(c->object, " ");
	struct prefix p = { 0 };

	if ((strncmp(c->id, "remote.", 7) != 0 && strcmp(c->id, "route.blackhole") != 0) ||
	    n >= sizeof(word))
		return p;
	memcpy(word, c->object, n);
	word[n] = 0;
	/* an address alone is the subnet's own, of a node whose length nobody knows */
	if (!strchr(word, '/') || prefix_parse(word, &p) != 0)
		p = (struct prefix){ 0 };
	return p;
}

/* since: behind the reason. */
static int add_check(struct doctor_findings *to, const struct doctor_check *c, const char *since)
{
	struct doctor_finding f = { .weight =
					    c->status == DOCTOR_FAIL ? WEIGHT_FAIL : WEIGHT_WARN };
	char reason[320], evidence[640];

	if (c->status != DOCTOR_FAIL && c->status != DOCTOR_WARN)
		return 0;
	for (size_t i = 0; i < sizeof(check_places) / sizeof(check_places[0]); i++)
		if (strcmp(check_places[i].id, c->id) == 0)
			f.places = check_places[i].places;
	if (!f.places)
		return 0;
	f.about = about_of(c);
	snprintf(evidence, sizeof(evidence), "doctor %s %s: expected %s; found %s%s%s", c->id,
		 c->object, c->expected, c->found, c->advice[0] ? "; mend: " : "", c->advice);
	snprintf(reason, sizeof(reason), "%s %s: %s%s", c->id, c->object, c->found, since);
	f.reason = reason;
	f.evidence = evidence;
	return doctor_findings_add(to, &f);
}

static bool was_there(const struct doctor_report *before, const struct doctor_check *c)
{
	for (unsigned i = 0; i < before->n_checks; i++) {
		const struct doctor_check *b = &before->checks[i];

		if (b->status == DOCTOR_FAIL && strcmp(b->id, c->id) == 0 &&
		    strcmp(b->object, c->object) == 0)
			return true;
	}
	return false;
}

int doctor_find_new(const struct doctor_report *before, const struct doctor_report *after,
		    struct doctor_findings *ret)
{
	int rc = 0;

	for (unsigned i = 0; i < after->n_checks && !rc; i++)
		if (after->checks[i].status == DOCTOR_FAIL && !was_there(before, &after->checks[i]))
			rc = add_check(ret, &after->checks[i], " (not so as the capture began)");
	return rc;
}

/* ----------------------------------------------------------------------- rules */

/* br_netfilter has rules see what the bridge forwards: prerouting runs before its tap. */
static uint32_t hook_places(uint8_t family, uint32_t hook)
{
	if (family == NFPROTO_BRIDGE)
		return E(1) | I(1);
	if (family == NFPROTO_ARP)
		return E(2) | E(3) | I(2) | I(1);
	if (family == NFPROTO_NETDEV)
		return EVERYWHERE;
	switch (hook) {
	case NF_INET_PRE_ROUTING:
		return E(1) | ROUTING | I(3);
	case NF_INET_LOCAL_IN:
		return I(3) | I(2) | E(2);
	case NF_INET_FORWARD:
		return ROUTING;
	case NF_INET_LOCAL_OUT:
		return E(3) | I(2);
	case NF_INET_POST_ROUTING:
		return ROUTING | E(3);
	default:
		return EVERYWHERE;
	}
}

static const struct doctor_base_chain *base_chain_of(const struct doctor_view *v,
						     const struct doctor_rule *r)
{
	for (unsigned i = 0; i < v->n_chains; i++) {
		const struct doctor_base_chain *c = &v->chains[i];

		if (c->family == r->family && strcmp(c->table, r->table) == 0 &&
		    strcmp(c->chain, r->chain) == 0)
			return c;
	}
	return NULL;
}

/* A chain that others jump to may be reached from any hook. */
static uint32_t rule_places(const struct doctor_view *v, const struct doctor_rule *r)
{
	const struct doctor_base_chain *c = base_chain_of(v, r);

	return c ? hook_places(r->family, c->hook) : EVERYWHERE;
}

static void rule_words(const struct doctor_view *v, const struct doctor_rule *r, char *out,
		       size_t size)
{
	const struct doctor_base_chain *c = base_chain_of(v, r);

	snprintf(out, size, "rule %llu of nft chain %s %s %s%s%s%s", (unsigned long long)r->handle,
		 doctor_family_name(r->family), r->table, r->chain, c ? " (" : "",
		 c ? doctor_hook_name(c->family, c->hook) : "", c ? ")" : "");
}

static int add_silent_rules(struct doctor_findings *to, const struct doctor_view *v)
{
	char reason[320], evidence[640], words[256];
	int rc = 0;

	for (unsigned i = 0; i < v->n_rules && !rc; i++) {
		const struct doctor_rule *r = &v->rules[i];
		struct doctor_finding f = { .places = rule_places(v, r),
					    .weight = WEIGHT_SILENT_RULE,
					    .reason = reason,
					    .evidence = evidence };

		if (r->has_counter)
			continue;
		/* kube-proxy's own: many, right, and for Services without endpoints only */
		if (strcmp(r->table, "kube-proxy") == 0 || strncmp(r->chain, "KUBE-", 5) == 0)
			f.weight = WEIGHT_HINT;
		rule_words(v, r, words, sizeof(words));
		snprintf(reason, sizeof(reason), "perhaps %s, which %s and does not count", words,
			 r->reject ? "rejects" : "drops");
		snprintf(evidence, sizeof(evidence), "%s %s packets and has no counter", words,
			 r->reject ? "rejects" : "drops");
		rc = doctor_findings_add(to, &f);
	}
	for (unsigned i = 0; i < v->n_chains && !rc; i++) {
		const struct doctor_base_chain *c = &v->chains[i];
		struct doctor_finding f = { .places = hook_places(c->family, c->hook),
					    .weight = WEIGHT_POLICY,
					    .reason = reason,
					    .evidence = evidence };

		if (!c->drop)
			continue;
		snprintf(words, sizeof(words), "the policy of nft chain %s %s %s (%s)",
			 doctor_family_name(c->family), c->table, c->chain,
			 doctor_hook_name(c->family, c->hook));
		snprintf(reason, sizeof(reason), "perhaps %s, which is drop", words);
		snprintf(evidence, sizeof(evidence), "%s is drop: what no rule accepts ends there",
			 words);
		rc = doctor_findings_add(to, &f);
	}
	return rc;
}

/* -------------------------------------------------------------------- counters */

static enum model_role role_of(const struct doctor_view *v, const char *name)
{
	const struct doctor_link *l = doctor_link_by_name(v, name);

	for (unsigned i = 0; i < v->chain->n_pods; i++) {
		const struct chain_pod *p = &v->chain->pods[i];

		if (v->only && !doctor_pod_same(p, v->only))
			continue;
		for (unsigned k = 0; k < p->n_interfaces; k++)
			if (strcmp(p->interfaces[k].host_veth.name, name) == 0)
				return MODEL_ROLE_VETH;
	}
	if (!l)
		return MODEL_ROLE_NONE;
	if (l == doctor_bridge(v))
		return MODEL_ROLE_BRIDGE;
	if (doctor_is_vtep(v, l))
		return MODEL_ROLE_VTEP;
	for (unsigned i = 0; i < v->n_links; i++)
		if (doctor_is_vtep(v, &v->links[i]) && doctor_underlay(v, &v->links[i]) == l)
			return MODEL_ROLE_UNDERLAY;
	return MODEL_ROLE_NONE;
}

/*
 * A device sends outwards when it is VTEP or underlay, inwards when it is bridge or veth.
 * Its driver is behind the tap when it sends, before it when it receives; what the stack
 * then does not want is counted as received and dropped too.
 */
static uint32_t device_places(enum model_role role, const char *name)
{
	bool outer = role >= MODEL_ROLE_VTEP, tx = strncmp(name, "tx_", 3) == 0;

	if (role == MODEL_ROLE_NONE)
		return 0;
	if (strcmp(name, "collisions") == 0)
		return E(3);
	if (tx)
		return outer ? E(role) : I(role - 1);
	return outer ? I(role) | I(role - 1) : E(role - 1) | E(role);
}

static uint32_t queue_places(enum model_role role)
{
	if (role == MODEL_ROLE_NONE)
		return 0;
	return role >= MODEL_ROLE_VTEP ? E(role - 1) : I(role);
}

static const struct {
	const char *group, *name; /* name "": all of the group */
	uint32_t places;
} counter_places[] = {
	{ "ip", "FragFails", ROUTING | E(3) },
	{ "ip", "FragCreates", ROUTING | E(3) },
	{ "ip", "OutDiscards", ROUTING | E(3) },
	{ "ip", "OutNoRoutes", ROUTING | E(3) },
	{ "ip", "ReasmFails", E(1) | ROUTING | I(3) },
	{ "ip", "ReasmTimeout", E(1) | ROUTING | I(3) },
	{ "ip", "", ROUTING | I(3) },
	{ "ip6", "", ROUTING | I(3) | E(3) },
	{ "udp", "", I(3) },
	{ "udp6", "", I(3) },
	{ "icmp", "", ROUTING | E(3) },
	{ "icmp6", "", ROUTING | E(3) },
	{ "tcpext", "IPReversePathFilter", ROUTING | I(3) },
	{ "softnet", "", E(0) | E(1) | I(4) | I(3) | I(2) },
	{ "conntrack", "", E(1) | ROUTING | I(3) },
};

static uint32_t counter_place(const struct doctor_view *v, const struct doctor_counter *c)
{
	char device[sizeof(c->object)];

	snprintf(device, sizeof(device), "%.*s", (int)strcspn(c->object, " "), c->object);
	if (strcmp(c->group, "link") == 0)
		return device_places(role_of(v, device), c->name);
	if (strcmp(c->group, "qdisc") == 0)
		return queue_places(role_of(v, device));
	for (size_t i = 0; i < sizeof(counter_places) / sizeof(counter_places[0]); i++)
		if (strcmp(counter_places[i].group, c->group) == 0 &&
		    (!counter_places[i].name[0] || strcmp(counter_places[i].name, c->name) == 0))
			return counter_places[i].places;
	return 0;
}

struct moving {
	const struct doctor_view *v;
	struct doctor_findings *to;
};

static int add_rule(struct moving *m, const struct doctor_counter *c, uint64_t moved)
{
	char reason[320], evidence[640], words[256], name[64];
	struct doctor_finding f = { .weight = WEIGHT_RULE,
				    .places = EVERYWHERE,
				    .packets = moved,
				    .reason = reason,
				    .evidence = evidence };

	/* of a rule that came while packets were captured only the name is known */
	snprintf(words, sizeof(words), "nft rule %s", c->object);
	for (unsigned i = 0; i < m->v->n_rules; i++) {
		doctor_rule_name(&m->v->rules[i], name);
		if (strcmp(name, c->object) != 0)
			continue;
		f.places = rule_places(m->v, &m->v->rules[i]);
		rule_words(m->v, &m->v->rules[i], words, sizeof(words));
	}
	snprintf(reason, sizeof(reason), "%s by %s",
		 strcmp(c->name, "reject") == 0 ? "rejected" : "dropped", words);
	snprintf(evidence, sizeof(evidence), "%s %s %llu packets during the capture", words,
		 strcmp(c->name, "reject") == 0 ? "rejected" : "dropped",
		 (unsigned long long)moved);
	return doctor_findings_add(m->to, &f);
}

static int add_counter(void *arg, const struct doctor_counter *c, uint64_t moved)
{
	struct moving *m = arg;
	const char *meaning = doctor_counter_meaning(c);
	char reason[320], evidence[640];
	struct doctor_finding f = {
		.weight = c->kind == DOCTOR_COUNTER_DROP ? WEIGHT_COUNTER : WEIGHT_HINT,
		.packets = c->kind == DOCTOR_COUNTER_DROP ? moved : 0,
		.reason = reason,
		.evidence = evidence,
	};

	if (c->kind != DOCTOR_COUNTER_DROP && c->kind != DOCTOR_COUNTER_HINT)
		return 0;
	if (strcmp(c->group, "nft") == 0)
		return add_rule(m, c, moved);
	f.places = counter_place(m->v, c);
	if (!f.places)
		return 0;
	snprintf(reason, sizeof(reason), "%s (%s%s%s %s)", meaning, c->group,
		 c->object[0] ? " " : "", c->object, c->name);
	snprintf(evidence, sizeof(evidence), "%s%s%s %s went up by %llu during the capture: %s",
		 c->group, c->object[0] ? " " : "", c->object, c->name, (unsigned long long)moved,
		 meaning);
	return doctor_findings_add(m->to, &f);
}

int doctor_find(const struct doctor_view *v, const struct doctor_report *r,
		const struct doctor_counters *before, const struct doctor_counters *after,
		struct doctor_findings *ret)
{
	struct moving m = { .v = v, .to = ret };
	int rc = 0;

	for (unsigned i = 0; i < r->n_checks && !rc; i++)
		rc = add_check(ret, &r->checks[i], "");
	if (!rc)
		rc = add_silent_rules(ret, v);
	if (!rc)
		rc = doctor_counters_diff(before, after, add_counter, &m);
	return rc;
}
