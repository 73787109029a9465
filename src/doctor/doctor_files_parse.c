/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_files_parse.c - what flannel's and CNI's files say, as text.
 *
 * Sources of the formats:
 *  - subnet.env: flannel pkg/subnet/subnet.go, WriteSubnetFile;
 *  - net-conf.json: flannel pkg/subnet/config.go;
 *  - CNI configuration: the CNI specification, and delegate of flannel's cni-plugin.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --------------------------------------------------------------- subnet.env */

static bool env_value(const char *line, size_t n, const char *key, char *out, size_t size)
{
	size_t k = strlen(key);

	if (n <= k || memcmp(line, key, k) != 0 || line[k] != '=')
		return false;
	n -= k + 1;
	if (n > size - 1)
		n = size - 1;
	memcpy(out, line + k + 1, n);
	out[n] = 0;
	return true;
}

static int env_networks(char *list, struct doctor_env *e)
{
	char *save = NULL;

	for (char *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (e->n_networks == DOCTOR_NETWORKS_MAX)
			return 0;
		if (prefix_parse(p, &e->networks[e->n_networks]) != 0)
			return -EBADMSG;
		e->n_networks++;
	}
	return 0;
}

static int env_subnet(const char *text, bool v6, struct prefix *ret)
{
	if (prefix_parse(text, ret) != 0 || !ret->len || addr_is_v4(&ret->addr) == v6)
		return -EBADMSG;
	return 0;
}

int doctor_parse_env(const char *text, struct doctor_env *ret)
{
	struct doctor_env e = { .n_networks = 0 };
	char value[512], *end;
	int rc = 0;

	while (*text && !rc) {
		size_t n = strcspn(text, "\n");

		if (env_value(text, n, "FLANNEL_NETWORK", value, sizeof(value)) ||
		    env_value(text, n, "FLANNEL_IPV6_NETWORK", value, sizeof(value))) {
			rc = env_networks(value, &e);
		} else if (env_value(text, n, "FLANNEL_SUBNET", value, sizeof(value))) {
			rc = env_subnet(value, false, &e.subnet4);
		} else if (env_value(text, n, "FLANNEL_IPV6_SUBNET", value, sizeof(value))) {
			rc = env_subnet(value, true, &e.subnet6);
		} else if (env_value(text, n, "FLANNEL_MTU", value, sizeof(value))) {
			unsigned long mtu = strtoul(value, &end, 10);

			if (*end || end == value || mtu > UINT16_MAX + 1ul)
				rc = -EBADMSG;
			e.mtu = (uint32_t)mtu;
		} else if (env_value(text, n, "FLANNEL_IPMASQ", value, sizeof(value))) {
			snprintf(e.ipmasq, sizeof(e.ipmasq), "%.7s", value);
		}
		text += n + (text[n] == '\n');
	}
	if (!rc && !e.subnet4.len && !e.subnet6.len)
		rc = -EBADMSG;
	if (!rc)
		*ret = e;
	return rc;
}

/* ------------------------------------------------------ flannel's own config */

int doctor_parse_conf(const char *text, size_t len, struct doctor_conf *ret)
{
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	json_t *backend = json_object_get(root, "Backend");
	const char *type = json_string_value(json_object_get(backend, "Type"));
	json_int_t vni = json_integer_value(json_object_get(backend, "VNI"));
	json_int_t port = json_integer_value(json_object_get(backend, "Port"));

	if (!json_is_object(backend) || !type || vni < 0 || vni > 0xffffff || port < 0 ||
	    port > UINT16_MAX) {
		json_decref(root);
		return -EBADMSG;
	}
	snprintf(ret->backend, sizeof(ret->backend), "%s", type);
	/* flannel's defaultVNI; port 0 is the kernel's default */
	ret->vni = json_object_get(backend, "VNI") ? (uint32_t)vni : 1;
	ret->port = (uint16_t)port;
	ret->direct_routing = json_is_true(json_object_get(backend, "DirectRouting"));
	json_decref(root);
	return 0;
}

/* ---------------------------------------------------------------------- CNI */

int doctor_parse_cni(const char *text, size_t len, bool *ret_hairpin)
{
	json_t *root = json_loadb(text, len, 0, NULL);
	json_t *plugins = json_object_get(root, "plugins"), *p;
	int rc = root ? -ENOENT : -EBADMSG;
	size_t i;

	/* a .conf file is one plugin without a list */
	if (!plugins && root) {
		plugins = json_array();
		if (!plugins || json_array_append(plugins, root) != 0)
			rc = -ENOMEM;
	} else {
		json_incref(plugins);
	}
	json_array_foreach(plugins, i, p)
	{
		const char *type = json_string_value(json_object_get(p, "type"));
		json_t *delegate = json_object_get(p, "delegate");

		if (!type || strcmp(type, "flannel") != 0)
			continue;
		*ret_hairpin = json_is_true(json_object_get(delegate, "hairpinMode"));
		rc = 0;
	}
	json_decref(plugins);
	json_decref(root);
	return rc;
}
