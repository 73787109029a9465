/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * follow.c - --follow: a pod re-created under its name, a device made anew, captured again.
 *
 * Theory of operation. A StatefulSet's pod comes again with the name it had, behind another veth
 * and mostly with another address; flannel deletes and makes flannel.1 when its configuration
 * changes. The kernel tells of devices on a netlink socket; then, and every moment while something
 * is gone, the node is read again. A device counts as come when one of that name is there, a pod
 * when its name leads to a veth that is not captured.
 *
 * What came is one more hop: it has its own interface in the file, its own span of time, and
 * the pod's new address. The filters of the other hops are exchanged first, so that from the new
 * hop's first frame on all hops show the pod. What the pod sent before was not captured, and how
 * long that was is said: nothing is lost silently.
 *
 * All of it happens behind the door, which for this run leaves CAP_NET_RAW, CAP_NET_ADMIN, packet
 * and netlink sockets, and reading files.
 */
#include "cli.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/capture.h"
#include "podhop/log.h"
#include "podhop/resolve.h"

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define SOON_NS (200 * NS_PER_MS)	/* CNI's files are written behind the last event */
#define LATER_NS (2 * NS_PER_S)		/* what has been gone for long */
#define LONG_NS (30 * NS_PER_S)

struct follow {
	struct follow_config cfg;
	int fd;				/* RTNLGRP_LINK */
	int64_t gone_ns[MODEL_HOPS_MAX];	/* CLOCK_MONOTONIC; 0: there, or taken up */
	bool settled[MODEL_HOPS_MAX];	/* gone, and another hop took its place */
	int64_t next_ns;
	bool gone_for_long;		/* what is looked for */
	bool full;			/* said so */
};

struct follow *follow_new(const struct follow_config *config, struct err *err)
{
	struct follow *f = calloc(1, sizeof(*f));
	struct sockaddr_nl group = { .nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK };

	if (!f) {
		resolve_free(config->resolve);
		err_sys(err, ENOMEM, "--follow");
		return NULL;
	}
	f->cfg = *config;
	f->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (f->fd < 0 || bind(f->fd, (struct sockaddr *)&group, sizeof(group)) < 0) {
		err_sys(err, errno, "--follow: hearing of devices");
		follow_free(f);
		return NULL;
	}
	return f;
}

void follow_free(struct follow *f)
{
	if (!f)
		return;
	if (f->fd >= 0)
		close(f->fd);
	resolve_free(f->cfg.resolve);
	free(f);
}

/* Did the kernel tell of a device? What exactly is seen when the node is read. */
static bool heard(const struct follow *f)
{
	char scrap[8192];
	bool any = false;
	ssize_t n;

	/* ENOBUFS: more was told than fits. That something changed is all that counts. */
	while ((n = recv(f->fd, scrap, sizeof(scrap), MSG_DONTWAIT)) > 0 ||
	       (n < 0 && (errno == ENOBUFS || errno == EINTR)))
		any = true;
	return any;
}

static bool is_captured(const struct follow *f, uint32_t ifindex)
{
	const struct model_net *net = f->cfg.session->net;

	for (unsigned i = 0; i < net->n_hops; i++)
		if (!f->cfg.gone[i] && net->hops[i].ifindex == ifindex)
			return true;
	return false;
}

/* ------------------------------------------------------------ what has come */

/* A device of the name that is gone. */
static bool find_device(const struct follow *f, const struct model_hop *gone, struct model_hop *ret)
{
	struct chain_link link;

	if (resolve_device(f->cfg.resolve, gone->name, &link, NULL) < 0)
		return false;
	bool found = link.ifindex && !is_captured(f, link.ifindex);

	*ret = *gone;
	ret->ifindex = link.ifindex;
	ret->mtu = link.mtu;
	ret->mac = link.mac;
	ret->n_addrs = 0;
	for (unsigned k = 0; k < link.n_addrs && k < MODEL_HOP_ADDRS_MAX; k++)
		ret->addrs[ret->n_addrs++] = link.addrs[k];
	free(link.addrs);
	return found;
}

/* The veth to which the pod's name leads now, and the pod as it is now. */
static bool find_pod(const struct follow *f, const struct model_hop *gone, struct model_hop *ret,
		     struct model_pod *ret_pod)
{
	const struct model_pod *pod = &f->cfg.session->net->pods[gone->pod];
	char name[2 * MODEL_K8S_NAME_MAX];
	struct model_net *now = calloc(1, sizeof(*now));
	struct chain *chain = NULL;
	bool found = false;

	/* A pod that is being made gets its addresses one by one; filters are made of them. */
	unsigned addrs = f->gone_for_long ? 1 : pod->n_addrs ? pod->n_addrs : 1;

	snprintf(name, sizeof(name), "%s/%s", pod->namespace_, pod->name);
	if (now && resolve_pod(f->cfg.resolve, name, &chain, NULL) == 0 &&
	    resolve_net(chain, now, NULL) == 0)
		for (unsigned i = 0; i < now->n_hops && !found; i++) {
			found = now->hops[i].role == MODEL_ROLE_VETH && now->n_pods == 1 &&
				now->pods[0].n_addrs >= addrs && now->hops[i].ifindex &&
				!is_captured(f, now->hops[i].ifindex);
			if (!found)
				continue;
			*ret = now->hops[i];
			ret->pod = gone->pod;
			*ret_pod = now->pods[0];
		}
	if (now)
		free(now->routes);
	free(now);
	chain_free(chain);
	return found;
}

/*
 * Its addresses of before go: another pod may get them, and they are in no filter any more. The
 * correlator still knows them, for what is on its way.
 */
static void change_addresses(struct model_pod *pod, const struct model_pod *now)
{
	memcpy(pod->addrs, now->addrs, sizeof(pod->addrs));
	pod->n_addrs = now->n_addrs;
	pod->mac = now->mac;
}

/* ---------------------------------------------------------------- taking up */

static int exchange_filters(struct follow *f, struct err *err)
{
	struct session *s = f->cfg.session;

	for (unsigned i = 0; i + 1 < s->net->n_hops; i++) {
		struct capture_hop h;

		if (f->cfg.gone[i])
			continue;
		int rc = hops_config(s->opt, s->net, i, f->cfg.exclude, &f->cfg.filter[i], &h, err);
		f->cfg.filters[i] = buf_str(&f->cfg.filter[i]);
		if (!rc)
			rc = capture_refilter(f->cfg.capture, i, h.filter, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Opens the hop that was added to the net last. 0, or -errno: it may come up yet. */
static int open_hop(struct follow *f, int64_t *ret_start_ns, struct err *err)
{
	struct session *s = f->cfg.session;
	unsigned i = s->net->n_hops - 1;
	struct capture_hop h;
	int rc = exchange_filters(f, err);

	if (!rc)
		rc = hops_config(s->opt, s->net, i, f->cfg.exclude, &f->cfg.filter[i], &h, err);
	f->cfg.filters[i] = buf_str(&f->cfg.filter[i]);
	if (!rc)
		rc = capture_add(f->cfg.capture, &h, ret_start_ns, err);
	if (rc >= 0)
		s->net->hops[i].linktype = capture_linktype(f->cfg.capture, i);
	return rc < 0 ? rc : 0;
}

/* Returns 0, also when it has to be tried again, or -errno of the output. */
static int take_up(struct follow *f, unsigned gone, const struct model_hop *hop,
		   const struct model_pod *pod, struct err *err)
{
	struct session *s = f->cfg.session;
	struct correlate *c = pipeline_correlator(s->pipeline);
	unsigned i = s->net->n_hops;
	struct err open_err = ERR_INIT;
	int64_t start_ns = 0;

	if (i == MODEL_HOPS_MAX) {
		if (!f->full)
			log_warn("follow", "%s came again and is not captured: %u devices are "
				 "the most that one run can have", hop->name, MODEL_HOPS_MAX);
		f->full = true;
		return 0;
	}
	if (pod) {
		change_addresses(&s->net->pods[hop->pod], pod);
		session_add_pod_names(s, (unsigned)hop->pod);
	}
	s->net->hops[i] = *hop;
	s->net->n_hops++;
	if (open_hop(f, &start_ns, &open_err) < 0) {
		s->net->n_hops--;
		log_debug("follow", "%s", open_err.text);
		return 0;
	}
	correlate_learn_net(c);
	correlate_hop_span(c, i, start_ns, INT64_MAX);
	f->cfg.seen_ns[i] = start_ns;
	f->settled[gone] = true;
	log_warn("follow", "%s is captured in place of %s, which went %.1f s ago; what passed in "
		 "between was not", hop->name, s->net->hops[gone].name,
		 (double)(clock_ns(CLOCK_MONOTONIC) - f->gone_ns[gone]) / (double)NS_PER_S);
	return s->output ? output_add_hop(s->output, err) : 0;
}

int follow_look(struct follow *f, struct err *err)
{
	const struct model_net *net = f->cfg.session->net;
	int64_t now = clock_ns(CLOCK_MONOTONIC), longest = 0;
	bool missing = false, told = heard(f);
	struct err read_err = ERR_INIT;

	for (unsigned i = 0; i < net->n_hops; i++) {
		if (!f->cfg.gone[i] || f->settled[i])
			continue;
		if (!f->gone_ns[i]) {
			f->gone_ns[i] = now;
			told = true;
		}
		missing = true;
		longest = now - f->gone_ns[i] > longest ? now - f->gone_ns[i] : longest;
	}
	if (!missing || (!told && now < f->next_ns))
		return 0;
	f->gone_for_long = longest > LONG_NS;
	f->next_ns = now + (f->gone_for_long ? LATER_NS : SOON_NS);
	if (resolve_refresh(f->cfg.resolve, &read_err) < 0) {
		log_debug("follow", "%s", read_err.text);
		return 0;
	}
	for (unsigned i = 0, n = net->n_hops; i < n; i++) {
		const struct model_hop *h = &net->hops[i];
		struct model_hop hop;
		struct model_pod pod;
		bool of_pod = h->role == MODEL_ROLE_VETH && h->pod >= 0 &&
			      net->pods[h->pod].name[0];

		if (!f->cfg.gone[i] || f->settled[i])
			continue;
		if (!(of_pod ? find_pod(f, h, &hop, &pod) : find_device(f, h, &hop)))
			continue;
		int rc = take_up(f, i, &hop, of_pod ? &pod : NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}
