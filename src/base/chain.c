/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * chain.c - words for what a chain says, and its end, also of a half-built one.
 */
#include "podhop/chain.h"

#include <stdlib.h>

const char *chain_port_state_name(int port_state)
{
	static const char *const names[] = {
		"disabled", "listening", "learning", "forwarding", "blocking",
	};

	if (port_state < 0 || port_state >= (int)(sizeof(names) / sizeof(names[0])))
		return NULL;
	return names[port_state];
}

static void chain_free_links(struct chain_link *links, unsigned n)
{
	for (unsigned i = 0; links && i < n; i++)
		free(links[i].addrs);
	free(links);
}

static void chain_free_host(struct chain_host *h)
{
	free(h->node);
	chain_free_links(h->bridges, h->n_bridges);
	chain_free_links(h->underlays, h->n_underlays);
	for (unsigned i = 0; h->vteps && i < h->n_vteps; i++)
		free(h->vteps[i].link.addrs);
	free(h->vteps);
	free(h->routes);
}

static void chain_free_pod(struct chain_pod *p)
{
	free(p->namespace_);
	free(p->name);
	free(p->uid);
	free(p->runtime);
	free(p->netns_path);
	free(p->ips);
	for (unsigned i = 0; p->containers && i < p->n_containers; i++) {
		free(p->containers[i].id);
		free(p->containers[i].name);
	}
	free(p->containers);
	for (unsigned i = 0; p->interfaces && i < p->n_interfaces; i++) {
		free(p->interfaces[i].link.addrs);
		free(p->interfaces[i].host_veth.addrs);
	}
	free(p->interfaces);
	free(p->problem);
}

void chain_free(struct chain *c)
{
	if (!c)
		return;
	chain_free_host(&c->host);
	for (unsigned i = 0; c->pods && i < c->n_pods; i++)
		chain_free_pod(&c->pods[i]);
	free(c->pods);
	for (unsigned i = 0; c->evidence && i < c->n_evidence; i++) {
		free(c->evidence[i].step);
		free(c->evidence[i].source);
		free(c->evidence[i].value);
	}
	free(c->evidence);
	free(c);
}
