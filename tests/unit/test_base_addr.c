/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_addr.c - addresses, prefixes and MACs: text both ways, classes, matching.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "podhop/addr.h"

static struct addr A(const char *text)
{
	struct addr a;

	assert_int_equal(addr_parse(text, &a), 0);
	return a;
}

static void test_round_trip(void **state)
{
	static const struct {
		const char *in, *out;
		bool v4;
	} rows[] = {
		{ "10.244.1.2", "10.244.1.2", true },
		{ "0.0.0.0", "0.0.0.0", true },
		{ "255.255.255.255", "255.255.255.255", true },
		{ "::ffff:10.0.0.1", "10.0.0.1", true },
		{ "FD00:0:0:1::2", "fd00:0:0:1::2", false },
		{ "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", false },
		{ "::1", "::1", false },
		{ "::", "::", false },
	};
	char out[ADDR_STR_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a = A(rows[i].in);

		assert_string_equal(addr_str(&a, out), rows[i].out);
		assert_int_equal(addr_is_v4(&a), rows[i].v4);
	}
}

static void test_rejects(void **state)
{
	static const char *const bad[] = {
		"", " 10.0.0.1", "10.0.0.1 ", "10.0.0", "10.0.0.256", "10.0.0.1/24", "localhost",
		":::", "fe80::1%eth0", "1.2.3.4.5", "0x7f.1",
	};
	struct addr a = A("192.0.2.1"), before = a;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(addr_parse(bad[i], &a), -EINVAL);
		assert_memory_equal(&a, &before, sizeof(a));
	}
}

static void test_layout(void **state)
{
	static const uint8_t v4[4] = { 10, 244, 1, 2 };
	static const uint8_t mapped[16] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff,
					    10, 244, 1, 2 };
	struct addr a = addr_from_v4(v4), b = A("::ffff:10.244.1.2"), none = { .b = { 0 } };

	(void)state;
	assert_memory_equal(a.b, mapped, sizeof(mapped));
	assert_true(addr_eq(&a, &b));
	assert_false(addr_is_none(&a));
	assert_true(addr_is_none(&none));
}

static void test_classes(void **state)
{
	static const struct {
		const char *text;
		bool multicast, link_local;
	} rows[] = {
		{ "224.0.0.251", true, false },	   { "239.255.255.255", true, false },
		{ "255.255.255.255", true, false }, { "240.0.0.1", false, false },
		{ "223.255.255.255", false, false }, { "ff02::1", true, false },
		{ "169.254.1.1", false, true },	   { "169.253.1.1", false, false },
		{ "fe80::1", false, true },	   { "febf::1", false, true },
		{ "fec0::1", false, false },	   { "fd00::1", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a = A(rows[i].text);

		assert_int_equal(addr_is_multicast(&a), rows[i].multicast);
		assert_int_equal(addr_is_link_local(&a), rows[i].link_local);
	}
}

static void test_prefix(void **state)
{
	static const struct {
		const char *prefix, *addr;
		bool has;
	} rows[] = {
		{ "10.244.1.0/24", "10.244.1.255", true }, { "10.244.1.0/24", "10.244.2.0", false },
		{ "10.244.1.7/24", "10.244.1.9", true },   { "0.0.0.0/0", "8.8.8.8", true },
		{ "0.0.0.0/0", "fd00::1", false },	   { "::/0", "fd00::1", true },
		{ "::/0", "8.8.8.8", false },		   { "10.0.0.0/9", "10.127.0.1", true },
		{ "10.0.0.0/9", "10.128.0.1", false },	   { "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1/32", "10.0.0.0", false },	   { "fd00:1::/33", "fd00:1:7fff::", true },
		{ "fd00:1::/33", "fd00:1:8000::", false }, { "fd00::1", "fd00::1", true },
		{ "fd00::1/128", "fd00::2", false },
		{ "::ffff:10.0.0.0/104", "10.9.9.9", true },
	};
	struct prefix p;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr a = A(rows[i].addr);

		assert_int_equal(prefix_parse(rows[i].prefix, &p), 0);
		assert_int_equal(prefix_has(&p, &a), rows[i].has);
	}
}

static void test_prefix_text(void **state)
{
	static const char *const bad[] = {
		"", "/", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+1", "10.0.0.0/1x",
		"fd00::/129", "fd00::/4294967300", "10.0.0.0/ 8", "::ffff:10.0.0.0/95",
	};
	char out[PREFIX_STR_MAX];
	struct prefix p, before;

	(void)state;
	assert_int_equal(prefix_parse("10.244.1.7/24", &p), 0);
	assert_string_equal(prefix_str(&p, out), "10.244.1.7/24");
	assert_int_equal(prefix_parse("fd00::", &p), 0);
	assert_string_equal(prefix_str(&p, out), "fd00::/128");
	before = p;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(prefix_parse(bad[i], &p), -EINVAL);
		assert_memory_equal(&p.addr, &before.addr, sizeof(p.addr));
		assert_int_equal(p.len, before.len);
	}
}

static void test_mac(void **state)
{
	static const char *const bad[] = {
		"", "02:00:00:00:00", "02:00:00:00:00:0", "02:00:00:00:00:0g",
		"02-00-00-00-00-01", "02:00:00:00:00:01:", "020000000001......",
	};
	struct mac m, none = { .b = { 0 } };
	char out[MAC_STR_MAX];

	(void)state;
	assert_int_equal(mac_parse("02:00:aB:cD:00:Ff", &m), 0);
	assert_string_equal(mac_str(&m, out), "02:00:ab:cd:00:ff");
	assert_false(mac_is_none(&m));
	assert_true(mac_is_none(&none));
	assert_false(mac_eq(&m, &none));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(mac_parse(bad[i], &m), -EINVAL);
		assert_string_equal(mac_str(&m, out), "02:00:ab:cd:00:ff");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_rejects),
		cmocka_unit_test(test_layout),	   cmocka_unit_test(test_classes),
		cmocka_unit_test(test_prefix),	   cmocka_unit_test(test_prefix_text),
		cmocka_unit_test(test_mac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
