/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inputs_hops.c - the interfaces of inputs as hops of a node, and what podhop's own files say of
 * them.
 */
#include "cli.h"
#include "inputs.h"
#include "inputs_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/dissect.h"
#include "podhop/log.h"

#define INTERFACES_MAX 65536u	/* of one input that are mapped to hops */

bool input_told(const char *text, const char *key, char *out, size_t size)
{
	size_t klen = strlen(key);

	if (strncmp(text, "podhop ", strlen("podhop ")) != 0)
		return false;
	for (const char *p = text; (p = strchr(p, ' ')) != NULL;) {
		p++;
		if (strncmp(p, key, klen) != 0 || p[klen] != '=')
			continue;
		p += klen + 1;
		size_t n = strcspn(p, " ");
		if (n >= size)
			n = size - 1;
		memcpy(out, p, n);
		out[n] = 0;
		return true;
	}
	return false;
}

static int find_pod(struct model_net *net, const char *ns, const char *name)
{
	for (unsigned i = 0; i < net->n_pods; i++)
		if (strcmp(net->pods[i].namespace_, ns) == 0 &&
		    strcmp(net->pods[i].name, name) == 0)
			return (int)i;
	return -1;
}

bool inputs_add_pod(struct model_net *net, const char *ns, const char *name, const struct addr *a)
{
	int i = name[0] ? find_pod(net, ns, name) : -1;
	struct model_pod *p;

	if (i < 0) {
		if (net->n_pods == MODEL_PODS_MAX)
			return false;
		p = &net->pods[net->n_pods++];
		memset(p, 0, sizeof(*p));
		snprintf(p->namespace_, sizeof(p->namespace_), "%s", ns);
		snprintf(p->name, sizeof(p->name), "%s", name);
	} else {
		p = &net->pods[i];
	}
	for (unsigned k = 0; k < p->n_addrs; k++)
		if (addr_eq(&p->addrs[k], a))
			return true;
	if (p->n_addrs == MODEL_POD_ADDRS_MAX)
		return false;
	p->addrs[p->n_addrs++] = *a;
	return true;
}

/* A pod's address that a file tells. Said once, for it is told again with each look at the file. */
static void add_told(struct inputs *in, const char *ns, const char *name, const struct addr *a)
{
	if (inputs_add_pod(in->net, ns, name, a) || in->pods_left_out)
		return;
	in->pods_left_out = true;
	log_warn("input",
		 "there are more than %u pods, or than %u addresses of one: traffic of %s%s%s and "
		 "what comes behind it in the files counts as that of no pod",
		 MODEL_PODS_MAX, MODEL_POD_ADDRS_MAX, ns, ns[0] ? "/" : "", name);
}

/* "podhop node=n1 pods=ns/web:10.244.1.5,ns/web:fd00::5 filter=tcp port 80" */
static void read_section_comment(struct inputs *in, const char *comment)
{
	struct model_net *net = in->net;
	char pods[PCAPNG_STRING_MAX * 4], *save = NULL;

	if (!net->node[0])
		input_told(comment, "node", net->node, sizeof(net->node));
	net->filtered |= input_told(comment, "filtered", pods, sizeof(pods));
	if (in->opt->n_pods || !input_told(comment, "pods", pods, sizeof(pods)))
		return;
	for (char *p = strtok_r(pods, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		char *colon = strchr(p, ':'), *slash;
		struct addr a;

		if (!colon || addr_parse(colon + 1, &a) < 0)
			continue;
		*colon = 0;
		slash = strchr(p, '/');
		if (slash)
			*slash = 0;
		add_told(in, slash ? p : "", slash ? slash + 1 : p, &a);
	}
}

const char *inputs_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

void inputs_add_port(struct model_net *net, uint16_t port)
{
	for (unsigned i = 0; i < net->n_vxlan_ports; i++)
		if (net->vxlan_ports[i] == port)
			return;
	if (net->n_vxlan_ports < sizeof(net->vxlan_ports) / sizeof(net->vxlan_ports[0]))
		net->vxlan_ports[net->n_vxlan_ports++] = port;
}

/* Of a pod that came again while it was captured (--follow). */
static void read_new_addresses(struct inputs *in, const char *description, const char *ns,
			       const char *name)
{
	char text[PCAPNG_STRING_MAX], *save = NULL;

	if (in->opt->n_pods || !input_told(description, "ip", text, sizeof(text)))
		return;
	for (char *p = strtok_r(text, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		struct addr a;

		if (addr_parse(p, &a) == 0)
			add_told(in, ns, name, &a);
	}
}

static void describe_hop(struct inputs *in, struct model_hop *h, const struct pcapng_interface *pi,
			 unsigned index)
{
	struct model_net *net = in->net;
	char v[MODEL_K8S_NAME_MAX * 2];

	if (!input_told(pi->description, "role", v, sizeof(v)))
		return;
	h->role = model_role_parse(v);
	in->own[index] = h->role != MODEL_ROLE_NONE;
	if (!net->node[0] && input_told(pi->description, "node", v, sizeof(v)))
		snprintf(net->node, sizeof(net->node), "%.*s", (int)sizeof(net->node) - 1, v);
	if (input_told(pi->description, "vni", v, sizeof(v))) {
		h->vni = (uint32_t)strtoul(v, NULL, 10);
		h->has_vni = true;
	}
	if (input_told(pi->description, "port", v, sizeof(v))) {
		unsigned long port = strtoul(v, NULL, 10);
		if (port && port <= UINT16_MAX) {
			h->vxlan_port = (uint16_t)port;
			inputs_add_port(net, h->vxlan_port);
		}
	}
	if (input_told(pi->description, "mtu", v, sizeof(v)))
		h->mtu = (uint32_t)strtoul(v, NULL, 10);
	if (input_told(pi->description, "pod", v, sizeof(v))) {
		char *slash = strchr(v, '/');
		if (slash) {
			*slash = 0;
			read_new_addresses(in, pi->description, v, slash + 1);
			h->pod = find_pod(net, v, slash + 1);
		}
	} else if (h->role == MODEL_ROLE_VETH && net->n_pods == 1) {
		h->pod = 0;
	}
}

/* What it is called, to users and in reports. */
static const char *interface_name(const struct input *one, const struct pcapng_interface *pi)
{
	return pi->name[0] ? pi->name : inputs_base_name(one->path);
}

/*
 * --hops ROLE=NAME: NAME is an interface's name, a file, in whichever spelling, or a file's base
 * name. The role that was said last; MODEL_ROLE_NONE: nothing was said of this one.
 */
static enum model_role given_role(struct inputs *in, const struct input *one, const char *name)
{
	enum model_role role = MODEL_ROLE_NONE;

	for (unsigned i = 0; i < in->opt->n_hops; i++) {
		const struct hop_option *given = &in->opt->hops[i];

		if (strcmp(given->name, name) == 0 || strcmp(given->name, one->path) == 0 ||
		    strcmp(given->name, inputs_base_name(one->path)) == 0 ||
		    file_id_is_same(&given->file, &one->file)) {
			role = given->role;
			in->hops_used[i] = true;
		}
	}
	return role;
}

int input_hop_new(struct inputs *in, struct input *one, unsigned i, struct err *err)
{
	struct model_net *net = in->net;
	const struct pcapng_interface *pi = pcapng_reader_interface(one->reader, i);
	const char *name = interface_name(one, pi);
	enum model_role given;

	if (!dissect_knows_linktype(pi->linktype))
		return err_set(err, EPROTONOSUPPORT,
			       "%s: interface %u, %s, has link type %u: podhop reads Ethernet, "
			       "IP and Linux cooked frames", one->path, i, name, pi->linktype);
	if (i >= one->n_hop) {
		int *grown = realloc(one->hop, (i + 1) * sizeof(*grown));
		if (!grown)
			return err_sys(err, ENOMEM, "%s", one->path);
		for (unsigned k = one->n_hop; k <= i; k++)
			grown[k] = -1;
		one->hop = grown;
		one->n_hop = i + 1;
	}
	note_take(net, one);
	for (unsigned k = 0; pi->name[0] && k < net->n_hops; k++)
		if (strcmp(net->hops[k].name, name) == 0 && net->hops[k].linktype == pi->linktype) {
			input_note_filter(in, one, k, pi, false);
			return one->hop[i] = (int)k;
		}
	if (net->n_hops == MODEL_HOPS_MAX)
		return err_usage(err, E2BIG, "%s: more than %u interfaces", one->path,
				 MODEL_HOPS_MAX);

	unsigned index = net->n_hops;
	struct model_hop *h = &net->hops[index];

	memset(h, 0, sizeof(*h));
	snprintf(h->name, sizeof(h->name), "%.*s", (int)sizeof(h->name) - 1, name);
	h->linktype = pi->linktype;
	h->snaplen = pi->snaplen;
	h->mac = pi->mac;
	h->pod = -1;
	memcpy(h->addrs, pi->addrs, sizeof(h->addrs));
	h->n_addrs = pi->n_addrs;
	read_section_comment(in, pcapng_reader_section_comment(one->reader));
	describe_hop(in, h, pi, index);
	input_note_filter(in, one, index, pi, true);
	given = given_role(in, one, name);
	if (given != MODEL_ROLE_NONE)
		h->role = given;
	in->drops_total[index] = -1;
	in->hop_first_ns[index] = INT64_MAX;
	in->hop_last_ns[index] = INT64_MIN;
	in->all_own &= in->own[index];
	net->n_hops++;
	/* A section that began while frames are read already. */
	if (in->pipeline)
		correlate_learn_net(pipeline_correlator(in->pipeline));
	return one->hop[i] = (int)index;
}

int input_map_new(struct inputs *in, struct input *one, unsigned n, struct err *err)
{
	char role[16];

	for (; one->looked_at < n && one->looked_at < INTERFACES_MAX; one->looked_at++) {
		const struct pcapng_interface *pi =
			pcapng_reader_interface(one->reader, one->looked_at);
		if (!input_told(pi->description, "role", role, sizeof(role)) &&
		    given_role(in, one, interface_name(one, pi)) == MODEL_ROLE_NONE)
			continue;
		int rc = input_hop(in, one, one->looked_at, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
