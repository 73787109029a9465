/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * kubectl.c - Kubernetes objects in JSON: which addresses are whose.
 *
 * Fields are those of the core/v1 API: Pod status.podIPs, Service spec.clusterIPs and
 * what may stand for it outside, Node status.addresses and spec.podCIDRs. The older
 * singular fields are read too; who has both has the same address twice.
 */
#include "names_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

/* A List in a List is no output of kubectl; more levels than this are somebody's joke. */
#define LIST_DEPTH_MAX 4

static const char *text_of(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static int add(struct names *n, const json_t *item, bool with_ns, const char *address,
	       enum names_rank rank, struct err *err)
{
	const json_t *meta = json_object_get(item, "metadata");
	struct addr a;

	/* "None" and "" are what a headless Service has. */
	if (!address || addr_parse(address, &a) < 0)
		return 0;
	return names_add_object(n, &a, with_ns ? text_of(meta, "namespace") : NULL,
				text_of(meta, "name"), rank, err);
}

/* The same with each element of an array: its member of that key, or, with NULL, itself. */
static int add_all(struct names *n, const json_t *item, bool with_ns, const json_t *array,
		   const char *key, enum names_rank rank, struct err *err)
{
	int rc = 0;

	for (size_t i = 0; i < json_array_size(array) && !rc; i++) {
		const json_t *v = json_array_get(array, i);

		rc = add(n, item, with_ns, key ? text_of(v, key) : json_string_value(v), rank, err);
	}
	return rc;
}

static int take_pod(struct names *n, const json_t *pod, struct err *err)
{
	const json_t *status = json_object_get(pod, "status");
	const json_t *spec = json_object_get(pod, "spec");
	const char *phase = text_of(status, "phase");
	enum names_rank rank = NAMES_RANK_POD;
	int rc;

	/* Its addresses are the node's. */
	if (json_is_true(json_object_get(spec, "hostNetwork")))
		return 0;
	if (strcmp(phase, "Succeeded") == 0 || strcmp(phase, "Failed") == 0)
		rank = NAMES_RANK_FORMER;
	rc = add(n, pod, true, text_of(status, "podIP"), rank, err);
	return rc ? rc : add_all(n, pod, true, json_object_get(status, "podIPs"), "ip", rank, err);
}

static int take_service(struct names *n, const json_t *service, struct err *err)
{
	const json_t *spec = json_object_get(service, "spec");
	const json_t *balancer =
		json_object_get(json_object_get(service, "status"), "loadBalancer");
	const struct {
		const json_t *array;
		const char *key;
	} lists[] = {
		{ json_object_get(spec, "clusterIPs"), NULL },
		{ json_object_get(spec, "externalIPs"), NULL },
		{ json_object_get(balancer, "ingress"), "ip" },
	};
	int rc = add(n, service, true, text_of(spec, "clusterIP"), NAMES_RANK_SERVICE, err);

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]) && !rc; i++)
		rc = add_all(n, service, true, lists[i].array, lists[i].key, NAMES_RANK_SERVICE,
			     err);
	return rc;
}

/* flannel gives the VTEP a subnet's first address (.0) and the bridge the one behind it. */
static int take_subnet(struct names *n, const json_t *node, const char *cidr, struct err *err)
{
	struct prefix p;
	char text[ADDR_STR_MAX];
	int rc;

	if (!cidr || prefix_parse(cidr, &p) < 0 || !strchr(cidr, '/') ||
	    p.len > (addr_is_v4(&p.addr) ? 30 : 126))
		return 0;
	rc = add(n, node, false, addr_str(&p.addr, text), NAMES_RANK_SUBNET, err);
	if (rc < 0 || p.addr.b[15] == UINT8_MAX)
		return rc;
	p.addr.b[15]++;
	return add(n, node, false, addr_str(&p.addr, text), NAMES_RANK_SUBNET, err);
}

static int take_node(struct names *n, const json_t *node, struct err *err)
{
	const json_t *spec = json_object_get(node, "spec");
	const json_t *subnets = json_object_get(spec, "podCIDRs");
	int rc = take_subnet(n, node, text_of(spec, "podCIDR"), err);

	for (size_t i = 0; i < json_array_size(subnets) && !rc; i++)
		rc = take_subnet(n, node, json_string_value(json_array_get(subnets, i)), err);
	return rc ? rc
		  : add_all(n, node, false,
			    json_object_get(json_object_get(node, "status"), "addresses"),
			    "address", NAMES_RANK_NODE, err);
}

/*
 * kind: of a typed list (PodList), whose items do not say it themselves. Returns 1 when the
 * value is a Kubernetes object at all.
 */
static int take(struct names *n, const json_t *v, const char *kind, unsigned depth,
		struct err *err)
{
	const char *own = text_of(v, "kind");
	const json_t *items = json_object_get(v, "items");
	char item_kind[32] = "";
	size_t len;
	int rc = 0;

	if (*own)
		kind = own;
	len = strlen(kind);
	if (json_is_array(items) && depth < LIST_DEPTH_MAX && len >= strlen("List") &&
	    strcmp(kind + len - strlen("List"), "List") == 0) {
		len -= strlen("List");
		if (len < sizeof(item_kind))
			memcpy(item_kind, kind, len);
		for (size_t i = 0; i < json_array_size(items) && rc >= 0; i++)
			rc = take(n, json_array_get(items, i), item_kind, depth + 1, err);
		return rc < 0 ? rc : 1;
	}
	if (strcmp(kind, "Pod") == 0)
		rc = take_pod(n, v, err);
	else if (strcmp(kind, "Service") == 0)
		rc = take_service(n, v, err);
	else if (strcmp(kind, "Node") == 0)
		rc = take_node(n, v, err);
	return rc < 0 ? rc : *kind != 0;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

int names_parse(struct names *n, const char *text, size_t len, struct err *err)
{
	size_t at = 0;
	bool any = false;
	int rc = 0;

	for (;;) {
		json_error_t je;
		json_t *v;

		while (at < len && is_space(text[at]))
			at++;
		if (at == len)
			break;
		v = json_loadb(text + at, len - at, JSON_DISABLE_EOF_CHECK, &je);
		if (!v)
			return err_set(err, EBADMSG, "no JSON near byte %zu: %s; what `kubectl get "
				       "pods,services,nodes -A -o json` prints is needed",
				       at + (je.position > 0 ? (size_t)je.position : 0), je.text);
		rc = take(n, v, "", 0, err);
		json_decref(v);
		if (rc < 0)
			return rc;
		any = any || rc > 0;
		/* Position: bytes read, so far as a whole document needed; two at least. */
		at += (size_t)je.position;
	}
	if (!any)
		return err_set(err, EBADMSG, "holds no Kubernetes object; what `kubectl get "
			       "pods,services,nodes -A -o json` prints is needed");
	return 0;
}
