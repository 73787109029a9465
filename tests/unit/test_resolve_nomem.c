/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_resolve_nomem.c - the n-th allocation fails while pods are resolved and listed.
 *
 * Whatever n: the answer is the whole one, or there is none and the sentence does not blame
 * POD. "No such pod" for want of memory would be a lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "../../src/resolve/resolve_priv.h"
#include "failing_malloc.h"
#include "fake_node.h"

#define ID1 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ID2 "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#define ID3 "0123456789ab0000000000000000000000000000000000000000000000000000"
#define ID4 "77770000777700007777000077770000777700007777000077770000777700aa"
#define UID1 "8f013a97-516b-4477-aa9d-018d88bb8b88"
#define UID2 "494211a3-f155-4c52-97ee-acb0c488573c"
#define OFTEN 3 /* every so many-th, where all behind it fail, too */
#define TEXT_MAX (1u << 20)

enum { LO = 1, ETH0, FLANNEL, CNI0 };

static void has_pod(int32_t ns, const char *name, uint32_t index, const char *veth, const char *ip)
{
	has_nsid(name, ns);
	has_link((struct node_link){ .ns = HOST, .index = index, .name = veth, .kind = "veth",
				     .iflink = 2, .peer_ns = ns, .master = CNI0, .flags = IFF_UP });
	has_link((struct node_link){ .ns = ns, .index = 2, .name = "eth0", .kind = "veth",
				     .iflink = index, .peer_ns = SELF_NSID, .flags = IFF_UP });
	has_addr(ns, 2, ip);
}

/* Pods of three runtimes, one that is gone, one of the host's network. */
static int setup(void **state)
{
	struct root *t = root_make();

	node_reset(t);
	has_link((struct node_link){ .ns = HOST, .index = ETH0, .name = "eth0", .peer_ns = HOST,
				     .flags = IFF_UP });
	has_link((struct node_link){ .ns = HOST, .index = FLANNEL, .name = "flannel.1",
				     .kind = "vxlan", .peer_ns = HOST, .vni = 1, .over = ETH0,
				     .local = "192.168.77.1" });
	has_link((struct node_link){ .ns = HOST, .index = CNI0, .name = "cni0", .kind = "bridge",
				     .peer_ns = HOST, .flags = IFF_UP });
	has_addr(HOST, ETH0, "192.168.77.1/24");
	has_addr(HOST, CNI0, "10.244.1.1/24");
	has_route((struct node_route){ .dst = "10.244.1.0/24", .oif = CNI0 });
	has_pod(5, "web", 10, "veth01", "10.244.1.2/24");
	has_pod(6, "cart", 11, "veth02", "10.244.1.3/24");
	has_pod(7, "till", 12, "veth03", "10.244.1.4/24");

	put_cni(t, ID1, "default", "web", UID1, "10.244.1.2", "veth01", "/run/netns/web");
	put_netns(t, "run/netns/web", "web");
	put_bundle(t, ID1, ID1, NULL, 100);
	put_bundle(t, "aa" ID1, ID1, "app", 101);
	put_proc(t, 100, "web", "/");
	put_proc(t, 101, "web", "/");
	put(t, "proc/100/net/igmp", "2\teth0 : 1 V3\n");
	put(t, "run/containers/storage/overlay-containers/" ID2 "/userdata/config.json",
	    "{\"annotations\":{\"io.kubernetes.cri-o.ContainerType\":\"sandbox\","
	    "\"io.kubernetes.cri-o.Metadata\":\"{\\\"name\\\":\\\"cart\\\",\\\"namespace\\\":"
	    "\\\"shop\\\"}\",\"io.kubernetes.cri-o.Labels\":\"{\\\"io.kubernetes.pod.uid\\\":"
	    "\\\"" UID2 "\\\"}\"},\"linux\":{\"namespaces\":[{\"type\":\"network\"}]}}");
	put(t, "run/containers/storage/overlay-containers/" ID2 "/userdata/pidfile", "200");
	put_proc(t, 200, "cart", "/");
	put(t, "var/lib/docker/containers/" ID3 "/config.v2.json",
	    "{\"ID\":\"" ID3 "\",\"Name\":\"/k8s_POD_till_shop_33_0\",\"State\":{\"Running\":true,"
	    "\"Pid\":300},\"NetworkSettings\":{\"SandboxKey\":\"/run/docker/netns/x\"}}");
	put(t, "var/lib/docker/containers/" ID3 "/hostconfig.json", "{\"NetworkMode\":\"none\"}");
	put_proc(t, 300, "till", "/");
	put_cni(t, ID4, "default", "gone", "", "10.244.1.9", "veth99", "/gone");
	put(t, "var/lib/cni/networks/cbr0/10.244.1.3", "%s", ID2 "\r\neth0");
	put(t, "var/log/pods/shop_cart_" UID2 "/x", "x");
	put(t, "run/flannel/subnet.env", "FLANNEL_NETWORK=10.244.0.0/16\n");
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	root_remove(*state);
	kernel_reset();
	return 0;
}

static void tell_link(struct buf *b, const struct chain_link *l)
{
	char text[PREFIX_STR_MAX];

	buf_addf(b, " %s %u %u %d", l->name, l->ifindex, l->iflink, l->link_netnsid);
	for (unsigned i = 0; i < l->n_addrs; i++)
		buf_addf(b, " %s", prefix_str(&l->addrs[i], text));
}

/* All that a chain says. */
static void tell(struct buf *b, const struct chain *c)
{
	char text[ADDR_STR_MAX];

	for (unsigned i = 0; i < c->n_pods; i++) {
		const struct chain_pod *p = &c->pods[i];

		buf_addf(b, "pod %s/%s %s %s %d %s \"%s\"\n", p->namespace_, p->name, p->uid,
			 p->runtime, (int)p->pid, p->netns_path, p->problem);
		for (unsigned j = 0; j < p->n_ips; j++)
			buf_addf(b, "ip %s\n", addr_str(&p->ips[j], text));
		for (unsigned j = 0; j < p->n_containers; j++)
			buf_addf(b, "container %s %s %d\n", p->containers[j].id,
				 p->containers[j].name, (int)p->containers[j].pid);
		for (unsigned j = 0; j < p->n_interfaces; j++) {
			buf_addf(b, "interface %s", p->interfaces[j].bridge);
			tell_link(b, &p->interfaces[j].link);
			tell_link(b, &p->interfaces[j].host_veth);
			buf_adds(b, "\n");
		}
	}
	for (unsigned i = 0; i < c->host.n_bridges; i++)
		tell_link(b, &c->host.bridges[i]);
	for (unsigned i = 0; i < c->host.n_vteps; i++)
		tell_link(b, &c->host.vteps[i].link);
	for (unsigned i = 0; i < c->host.n_underlays; i++)
		tell_link(b, &c->host.underlays[i]);
	buf_addf(b, "\n%s, routes %u\n", c->host.node, c->host.n_routes);
	for (unsigned i = 0; i < c->n_evidence; i++)
		buf_addf(b, "%s %s %s\n", c->evidence[i].step, c->evidence[i].source,
			 c->evidence[i].value);
}

/* Two pods by name, one by address that no file knows, then all; each told in b. */
static int ask(const struct root *t, struct buf *b, struct err *err)
{
	static const char *const names[] = { "default/web", "container:" ID2 };
	const struct resolve_config config = { .host_root = t->dir, .node = "n1" };
	struct resolve *r = resolve_open(&config, err);
	struct chain *c[3] = { NULL, NULL, NULL };
	struct chain_link l = { .addrs = NULL };
	struct model_net *net = NULL;
	int rc = r ? resolve_pods(r, names, 2, &c[0], err) : err->code;

	if (!rc)
		rc = resolve_pod(r, "10.244.1.4", &c[1], err);
	if (!rc)
		rc = resolve_list(r, &c[2], err);
	if (!rc)
		rc = resolve_device(r, "cni0", &l, err);
	if (!rc) {
		net = calloc(1, sizeof(*net));
		rc = net ? resolve_net(c[0], net, err) : err_sys(err, ENOMEM, "test");
	}
	allocations.counting = false;
	for (int i = 0; !rc && i < 3; i++)
		tell(b, c[i]);
	if (!rc)
		buf_addf(b, "hops %u, routes %u, cni0 %u\n", net->n_hops, net->n_routes, l.n_addrs);
	for (int i = 0; i < 3; i++)
		chain_free(c[i]);
	free(l.addrs);
	if (net)
		free(net->routes);
	free(net);
	resolve_free(r);
	return rc;
}

static void test_sweep(void **state)
{
	const struct root *t = *state;
	unsigned long total, refused = 0;
	struct buf wanted, got;
	struct err err = ERR_INIT;

	buf_init(&wanted, TEXT_MAX);
	buf_init(&got, TEXT_MAX);
	allocations_begin(0, false);
	if (ask(t, &wanted, &err))
		fail_msg("%s", err.text);
	total = allocations_end();
	if (!total) {
		print_message("# another allocator than the C library's: nothing fails\n");
		buf_done(&wanted);
		skip();
	}
	assert_non_null(strstr(buf_str(&wanted), "pod shop/till 33 docker 300 "));
	assert_non_null(strstr(buf_str(&wanted), "hops 5, routes 1, cni0 1\n"));
	for (int on = 0; on < 2; on++) {
		for (unsigned long at = 1; at <= total; at += on ? OFTEN : 1) {
			int rc;

			buf_clear(&got);
			err_clear(&err);
			allocations_begin(at, on);
			rc = ask(t, &got, &err);
			(void)allocations_end();
			if (!rc && strcmp(buf_str(&got), buf_str(&wanted)) != 0)
				fail_msg("%lu of %lu: other answer: %s", at, total, buf_str(&got));
			if (rc && (err.class != ERR_FAILED || !err.text[0]))
				fail_msg("%lu of %lu: %s", at, total, err.text);
			refused += rc != 0;
			kernel.head = kernel.tail;
		}
	}
	assert_true(refused > total / 2);
	buf_done(&wanted);
	buf_done(&got);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sweep, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
