/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_names.c - names for addresses: what kubectl prints, and what nobody should.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "podhop/names.h"

static const char cluster[] =
"{\"apiVersion\":\"v1\",\"kind\":\"List\",\"metadata\":{\"resourceVersion\":\"\"},\"items\":["
"{\"apiVersion\":\"v1\",\"kind\":\"Pod\","
" \"metadata\":{\"name\":\"web-7d4\",\"namespace\":\"shop\"},"
" \"spec\":{\"nodeName\":\"node1\"},\"status\":{\"phase\":\"Running\",\"hostIP\":\"192.168.77.11\","
" \"podIP\":\"10.244.1.2\",\"podIPs\":[{\"ip\":\"10.244.1.2\"},{\"ip\":\"fd00:10:244:1::2\"}]}},"
"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"old-job\",\"namespace\":\"shop\"},\"spec\":{},"
" \"status\":{\"phase\":\"Succeeded\",\"podIP\":\"10.244.1.2\"}},"
"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"old-only\",\"namespace\":\"shop\"},"
" \"status\":{\"phase\":\"Failed\",\"podIP\":\"10.244.1.9\"}},"
"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"kube-flannel-x\",\"namespace\":\"kube-flannel\"},"
" \"spec\":{\"hostNetwork\":true},\"status\":{\"phase\":\"Running\",\"podIP\":\"192.168.77.11\"}},"
"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"pending\",\"namespace\":\"shop\"},"
" \"status\":{\"phase\":\"Pending\"}},"
"{\"kind\":\"Service\",\"metadata\":{\"name\":\"kubernetes\",\"namespace\":\"default\"},"
" \"spec\":{\"clusterIP\":\"10.96.0.1\",\"clusterIPs\":[\"10.96.0.1\"]}},"
"{\"kind\":\"Service\",\"metadata\":{\"name\":\"front\",\"namespace\":\"shop\"},"
" \"spec\":{\"clusterIP\":\"10.96.7.7\",\"clusterIPs\":[\"10.96.7.7\",\"fd00:10:96::7\"],"
" \"externalIPs\":[\"198.51.100.4\"]},"
" \"status\":{\"loadBalancer\":{\"ingress\":[{\"ip\":\"203.0.113.9\"},"
" {\"hostname\":\"lb.example\"}]}}},"
"{\"kind\":\"Service\",\"metadata\":{\"name\":\"headless\",\"namespace\":\"shop\"},"
" \"spec\":{\"clusterIP\":\"None\",\"clusterIPs\":[\"None\"]}},"
"{\"kind\":\"Node\",\"metadata\":{\"name\":\"node1\"},\"spec\":{\"podCIDR\":\"10.244.1.0/24\","
" \"podCIDRs\":[\"10.244.1.0/24\",\"fd00:10:244:1::/64\"]},\"status\":{\"addresses\":["
" {\"type\":\"InternalIP\",\"address\":\"192.168.77.11\"},"
" {\"type\":\"Hostname\",\"address\":\"node1\"}]}},"
"{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"x\"},\"data\":{\"podIP\":\"1.2.3.4\"}}]}\n";

static struct names *parse(const char *text)
{
	struct err err = ERR_INIT;
	struct names *n = names_new(&err);

	assert_non_null(n);
	assert_int_equal(names_parse(n, text, strlen(text), &err), 0);
	assert_string_equal(err.text, "");
	return n;
}

static const char *name_of(struct names *n, const char *address)
{
	struct addr a;

	assert_int_equal(addr_parse(address, &a), 0);
	return names_get(n, &a);
}

static void whole_cluster(void **state)
{
	static const struct {
		const char *address, *name;
	} rows[] = {
		{ "10.244.1.2", "shop/web-7d4" },	/* not the job that had it before */
		{ "fd00:10:244:1::2", "shop/web-7d4" },
		{ "10.244.1.9", "shop/old-only" },
		{ "192.168.77.11", "node1" },		/* not its hostNetwork pod */
		{ "10.244.1.0", "node1" },		/* VTEP */
		{ "10.244.1.1", "node1" },		/* bridge */
		{ "fd00:10:244:1::", "node1" },
		{ "fd00:10:244:1::1", "node1" },
		{ "10.96.0.1", "default/kubernetes" },
		{ "10.96.7.7", "shop/front" },
		{ "fd00:10:96::7", "shop/front" },
		{ "198.51.100.4", "shop/front" },
		{ "203.0.113.9", "shop/front" },
		{ "10.244.1.3", NULL },
		{ "1.2.3.4", NULL },
	};
	struct names *n = parse(cluster);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = name_of(n, rows[i].address);
		if (rows[i].name)
			assert_string_equal(name ? name : "(none)", rows[i].name);
		else
			assert_null(name);
	}
	assert_int_equal(names_count(n), 13);
	names_free(n);
}

static void other_shapes(void **state)
{
	struct names *n;

	(void)state;
	/* A typed list, as the API itself answers; its items have no kind. */
	n = parse("{\"kind\":\"PodList\",\"items\":["
		  "{\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}]}");
	assert_string_equal(name_of(n, "10.0.0.1"), "b/a");
	names_free(n);
	/* One object, and several runs of kubectl appended to one file. */
	n = parse("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}\n \n"
		  "{\"kind\":\"List\",\"items\":[{\"kind\":\"Node\",\"metadata\":{\"name\":\"n1\"},"
		  "\"status\":{\"addresses\":[{\"address\":\"10.0.0.2\"}]}}]}\n");
	assert_string_equal(name_of(n, "10.0.0.1"), "b/a");
	assert_string_equal(name_of(n, "10.0.0.2"), "n1");
	names_free(n);
	n = parse("{\"kind\":\"List\",\"items\":[]}");
	assert_int_equal(names_count(n), 0);
	assert_null(name_of(n, "10.0.0.1"));
	names_free(n);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *part;
	} rows[] = {
		{ "", "holds no Kubernetes object" },
		{ "  \n", "holds no Kubernetes object" },
		{ "[]", "holds no Kubernetes object" },
		{ "{}", "holds no Kubernetes object" },
		{ "\"kind\"", "no JSON" },
		{ "NAME READY STATUS", "no JSON near byte 4" },
		{ "{\"kind\":\"List\",\"items\":[", "no JSON" },
		{ "{\"kind\":\"List\",\"items\":[]} x", "no JSON" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct err err = ERR_INIT;
		struct names *n = names_new(&err);

		assert_true(names_parse(n, rows[i].text, strlen(rows[i].text), &err) < 0);
		if (!strstr(err.text, rows[i].part))
			fail_msg("\"%s\": %s", rows[i].text, err.text);
		names_free(n);
	}
}

/* Objects that make no sense give no name, and harm nothing. */
static void hostile_objects(void **state)
{
	static const char *const rows[] = {
		"{\"kind\":\"Pod\"}",
		"{\"kind\":\"Pod\",\"metadata\":7,\"status\":[],\"spec\":\"x\"}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"\\u001b[31m\",\"namespace\":\"n\"},"
		"\"status\":{\"podIP\":\"10.0.0.1\"}}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a/b\",\"namespace\":\"n\"},"
		"\"status\":{\"podIP\":\"10.0.0.1\"}}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a b\"},"
		"\"status\":{\"podIP\":\"10.0.0.1\"}}",
		"{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\"},"
		"\"status\":{\"podIP\":\"10.0.0.1\"}}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		"\"status\":{\"podIP\":\"10.0.0.1.\"}}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		"\"status\":{\"podIPs\":[1,null,[],{}]}}",
		"{\"kind\":\"Service\",\"metadata\":{\"name\":\"a\"},"
		"\"spec\":{\"clusterIPs\":{\"0\":1}}}",
		"{\"kind\":\"Node\",\"metadata\":{\"name\":\"a\"},"
		"\"spec\":{\"podCIDRs\":[\"10.0.0.0\",\"10.0.0.0/99\",\"x/24\",\"10.0.0.0/31\"]}}",
		"{\"kind\":\"List\",\"items\":[{\"kind\":\"List\",\"items\":["
		"{\"kind\":\"List\",\"items\":[{\"kind\":\"List\",\"items\":["
		"{\"kind\":\"List\",\"items\":[{\"kind\":\"Pod\","
		"\"metadata\":{\"name\":\"deep\"},\"status\":{\"podIP\":\"10.0.0.1\"}}]}]}]}]}]}",
		"{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"status\":{\"podIP\":\"::\"}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct names *n = parse(rows[i]);
		if (names_count(n))
			fail_msg("%s gave a name", rows[i]);
		names_free(n);
	}
}

static void long_names(void **state)
{
	char name[600], text[1024];

	(void)state;
	for (size_t len = 250; len < sizeof(name); len += 50) {
		memset(name, 'a', len);
		name[len] = '\0';
		snprintf(text, sizeof(text), "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\","
			 "\"namespace\":\"n\"},\"status\":{\"podIP\":\"10.0.0.1\"}}", name);
		struct names *n = parse(text);
		assert_int_equal(names_count(n), len < 506 ? 1 : 0);
		names_free(n);
	}
}

/* Lists that are none, subnets too small for a node, and addresses at a subnet's edge. */
static void odd_shapes(void **state)
{
	static const struct {
		const char *text, *address, *name;
		size_t count;
	} rows[] = {
		{ "{\"kind\":\"List\",\"items\":{}}", "10.0.0.1", NULL, 0 },
		{ "{\"kind\":\"Lis\",\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}]}", "10.0.0.1", NULL, 0 },
		{ "{\"kind\":\"Listed\",\"items\":[{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}]}", "10.0.0.1", NULL, 0 },
		/* a kind longer than any: its items say theirs themselves, or have none */
		{ "{\"kind\":\"ThisIsAKindThatIsMuchLongerThanAnyOfThemList\",\"items\":["
		  "{\"metadata\":{\"name\":\"b\"},\"status\":{\"podIP\":\"10.0.0.2\"}},"
		  "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}]}", "10.0.0.1", "a", 1 },
		{ "{\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\",\"namespace\":\"b/c\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}", "10.0.0.1", NULL, 0 },
		{ "\r\n\t {\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
		  "\"status\":{\"podIP\":\"10.0.0.1\"}}\r\t", "10.0.0.1", "a", 1 },
		/* no address behind .255 belongs to the same subnet */
		{ "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"podCIDR\":"
		  "\"10.0.0.255/24\",\"podCIDRs\":[7]}}", "10.0.1.0", NULL, 1 },
		{ "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n\"},\"spec\":{\"podCIDR\":"
		  "\"fd00::/127\"}}", "fd00::", NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct names *n = parse(rows[i].text);
		const char *name = name_of(n, rows[i].address);

		if (names_count(n) != rows[i].count || !name != !rows[i].name ||
		    (name && strcmp(name, rows[i].name) != 0))
			fail_msg("%s: %zu, %s", rows[i].text, names_count(n), name ? name : "none");
		names_free(n);
	}
}

static void tell(void *arg, const struct addr *a, const char *name)
{
	char text[ADDR_STR_MAX], *list = arg;

	snprintf(list + strlen(list), 128 - strlen(list), "%s=%s ", addr_str(a, text), name);
}

/* In address order, each address once, however many there were. */
static void each(void **state)
{
	struct err err = ERR_INIT;
	struct names *n = names_new(&err);
	struct addr a;
	char list[128] = "", text[32];

	(void)state;
	names_each(NULL, tell, list);
	assert_int_equal(names_count(NULL), 0);
	names_each(n, tell, list);
	assert_string_equal(list, "");
	for (int i = 200; i > 0; i--) {
		snprintf(text, sizeof(text), "10.0.0.%d", i % 2 + 1);
		assert_int_equal(addr_parse(text, &a), 0);
		assert_int_equal(names_add(n, &a, i % 2 ? "odd" : "even", NAMES_RANK_POD, &err), 0);
	}
	assert_int_equal(names_add(n, &a, "", NAMES_RANK_POD, &err), 0);
	assert_int_equal(names_add(n, &a, "a b", NAMES_RANK_LOCAL, &err), 0);
	names_each(n, tell, list);
	assert_string_equal(list, "10.0.0.1=even 10.0.0.2=odd ");
	assert_int_equal(names_count(n), 2);
	names_free(n);
}

static void from_file(void **state)
{
	char path[] = "/tmp/podhop-names-XXXXXX";
	struct err err = ERR_INIT;
	struct names *n = names_new(&err);
	int fd = mkstemp(path), ends[2];

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, cluster, strlen(cluster)), strlen(cluster));
	assert_int_equal(names_read(n, path, &err), 0);
	assert_string_equal(name_of(n, "10.96.7.7"), "shop/front");
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_true(names_read(n, path, &err) < 0);
	assert_non_null(strstr(err.text, path));
	/* nothing at all, as of a kubectl that failed */
	assert_int_equal(ftruncate(fd, 0), 0);
	err_clear(&err);
	assert_int_equal(names_read(n, path, &err), -EBADMSG);
	assert_ptr_equal(strstr(err.text, path), err.text);
	unlink(path);
	close(fd);
	err_clear(&err);
	assert_true(names_read(n, path, &err) < 0);
	assert_non_null(strstr(err.text, "No such file"));
	err_clear(&err);
	assert_int_equal(names_read(n, "/tmp", &err), -EISDIR);
	assert_string_equal(err.text, "read /tmp: Is a directory");
	names_free(n);

	/* A pipe, as <(kubectl ...) gives it. */
	err_clear(&err);
	n = names_new(&err);
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], cluster, strlen(cluster)), strlen(cluster));
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_int_equal(names_read(n, path, &err), 0);
	assert_string_equal(name_of(n, "10.244.1.1"), "node1");
	close(ends[0]);
	names_free(n);
}

/* kubectl podhop sends names in front, and keeps standard input open behind them. */
static void from_open_stdin(void **state)
{
	struct err err = ERR_INIT;
	struct names *n = names_new(&err);
	int ends[2], before = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], cluster, strlen(cluster) + 1), strlen(cluster) + 1);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	assert_int_equal(names_read(n, "-", &err), 0);
	assert_string_equal(name_of(n, "10.244.1.1"), "node1");
	if (before >= 0) {
		dup2(before, STDIN_FILENO);
		close(before);
	}
	close(ends[0]);
	close(ends[1]);
	names_free(n);
}

static void ranks_and_order(void **state)
{
	struct err err = ERR_INIT;
	struct names *n = names_new(&err);
	struct addr a;

	(void)state;
	assert_int_equal(addr_parse("10.0.0.1", &a), 0);
	assert_int_equal(names_add(n, &a, "former", NAMES_RANK_FORMER, &err), 0);
	assert_string_equal(names_get(n, &a), "former");
	assert_int_equal(names_add(n, &a, "first", NAMES_RANK_POD, &err), 0);
	assert_int_equal(names_add(n, &a, "second", NAMES_RANK_POD, &err), 0);
	assert_int_equal(names_add(n, &a, "node", NAMES_RANK_NODE, &err), 0);
	assert_string_equal(names_get(n, &a), "first");
	assert_int_equal(names_add(n, &a, "third", NAMES_RANK_POD, &err), 0);
	assert_string_equal(names_get(n, &a), "first");
	assert_int_equal(names_add(n, &a, "local", NAMES_RANK_LOCAL, &err), 0);
	assert_string_equal(names_get(n, &a), "local");
	assert_int_equal(names_count(n), 1);
	names_free(n);
	names_free(NULL);
	assert_null(names_get(NULL, &a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_cluster),
		cmocka_unit_test(other_shapes),
		cmocka_unit_test(refused),
		cmocka_unit_test(hostile_objects),
		cmocka_unit_test(long_names),
		cmocka_unit_test(odd_shapes),
		cmocka_unit_test(each),
		cmocka_unit_test(from_file),
		cmocka_unit_test(from_open_stdin),
		cmocka_unit_test(ranks_and_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
