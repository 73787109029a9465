/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts.c - the facts about a node that a capture's header tells, under pseudonyms.
 */
#include "privacy_priv.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX 1024u

/* A fixed field's text becomes its pseudonym, which is never longer than there is room for. */
static void hide(struct privacy *p, char *text, size_t size,
		 void (*how)(struct privacy *, const char *, struct buf *))
{
	struct buf b;

	buf_init(&b, size - 1);
	how(p, text, &b);
	snprintf(text, size, "%s", buf_str(&b));
	buf_done(&b);
}

/* The pod's parts as privacy_name() makes them of "namespace/name", so that both agree. */
static void hide_pod(struct privacy *p, struct model_pod *pod)
{
	struct buf whole, b;
	const char *slash;

	buf_init(&whole, TEXT_MAX);
	buf_init(&b, TEXT_MAX);
	buf_addf(&whole, "%s%s%s", pod->namespace_, pod->namespace_[0] ? "/" : "", pod->name);
	privacy_name(p, buf_str(&whole), &b);
	slash = strchr(buf_str(&b), '/');
	snprintf(pod->namespace_, sizeof(pod->namespace_), "%.*s",
		 slash ? (int)(slash - b.data) : 0, buf_str(&b));
	snprintf(pod->name, sizeof(pod->name), "%s", slash ? slash + 1 : buf_str(&b));
	buf_done(&whole);
	buf_done(&b);
	pod->mac = privacy_mac(p, &pod->mac);
	for (unsigned k = 0; k < pod->n_addrs; k++)
		pod->addrs[k] = privacy_addr(p, &pod->addrs[k]);
}

/* Everything of the net that a header tells. */
void privacy_net(struct privacy *p, struct model_net *net)
{
	hide(p, net->node, sizeof(net->node), privacy_name);
	for (unsigned i = 0; i < net->n_pods; i++)
		hide_pod(p, &net->pods[i]);
	for (unsigned i = 0; i < net->n_hops; i++) {
		struct model_hop *h = &net->hops[i];

		hide(p, h->name, sizeof(h->name), privacy_device);
		h->mac = privacy_mac(p, &h->mac);
		for (unsigned k = 0; k < h->n_addrs; k++)
			h->addrs[k].addr = privacy_addr(p, &h->addrs[k].addr);
	}
	net->routes = NULL; /* another's, and told by no header */
	net->n_routes = 0;
	net->n_remotes = 0; /* a map of the cluster */
}
