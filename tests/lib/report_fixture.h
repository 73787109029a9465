/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_fixture.h - hand-built results and a comparison with golden files.
 *
 * Golden files live in tests/data/report; tests run from the project's root.
 * With UPDATE_GOLDEN=1 in the environment they are written instead of compared:
 * read the diff before it is committed.
 */
#ifndef REPORT_FIXTURE_H
#define REPORT_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/report.h"

#define FIXTURE_DIR "tests/data/report/"
#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
/*
 * What a name in a capture file may try: clear the screen, set a title, reverse text,
 * break UTF-8.
 */
#define HOSTILE "e\033[2J\033]0;x\007\"\\\t\n\xe2\x80\xae\xff\xc3(\xed\xa0\x80\xf0\x9f\x90\xb3"

__attribute__((unused)) static struct addr ip(const char *text)
{
	struct addr a = { { 0 } };

	if (addr_parse(text, &a))
		abort();
	return a;
}

__attribute__((unused)) static struct result_tuple
tuple(uint8_t protocol, const char *src, uint16_t sport, const char *dst, uint16_t dport)
{
	return (struct result_tuple){ .src = ip(src),
				      .dst = ip(dst),
				      .sport = sport,
				      .dport = dport,
				      .protocol = protocol,
				      .has_ports = true };
}

__attribute__((unused)) static struct result_path path(const char *roles)
{
	struct result_path p = { .n = 0 };
	char text[RESULT_PATH_STR_MAX], *rest = NULL;

	snprintf(text, sizeof(text), "%s", roles);
	for (char *w = strtok_r(text, ">", &rest); w; w = strtok_r(NULL, ">", &rest))
		p.role[p.n++] = (uint8_t)model_role_parse(w);
	return p;
}

__attribute__((unused)) static void fixture_net(struct model_net *net)
{
	static const char *const names[] = { "veth5a1b2c3d", "cni0", "flannel.1", "eth0" };

	memset(net, 0, sizeof(*net));
	for (unsigned i = 0; i < COUNT_OF(names); i++) {
		snprintf(net->hops[i].name, sizeof(net->hops[i].name), "%s", names[i]);
		net->hops[i].role = (enum model_role)(MODEL_ROLE_VETH + i);
		net->hops[i].pod = i ? -1 : 0;
	}
	net->n_hops = COUNT_OF(names);
	snprintf(net->pods[0].namespace_, sizeof(net->pods[0].namespace_), "shop");
	snprintf(net->pods[0].name, sizeof(net->pods[0].name), "web-7d9c");
	net->pods[0].addrs[0] = ip("10.244.1.5");
	net->pods[0].addrs[1] = ip("fd00:10:244:1::5");
	net->pods[0].n_addrs = 2;
	net->n_pods = 1;
}

/* The returned text is freed by the caller. */
__attribute__((unused)) static char *fixture_read(const char *name)
{
	char file[256], *text = NULL;
	size_t size = 0;
	FILE *f, *mem;
	int c;

	snprintf(file, sizeof(file), FIXTURE_DIR "%s", name);
	f = fopen(file, "re");
	if (!f)
		return NULL;
	mem = open_memstream(&text, &size);
	assert_non_null(mem);
	while ((c = getc(f)) != EOF)
		putc(c, mem);
	fclose(f);
	fclose(mem);
	return text;
}

__attribute__((unused)) static void assert_golden(const char *name, const char *text)
{
	char file[256], *want;

	if (getenv("UPDATE_GOLDEN")) {
		FILE *f;

		snprintf(file, sizeof(file), FIXTURE_DIR "%s", name);
		f = fopen(file, "we");
		assert_non_null(f);
		fputs(text, f);
		assert_int_equal(fclose(f), 0);
	}
	want = fixture_read(name);
	if (!want)
		fail_msg("cannot read %s%s: run from the project's root", FIXTURE_DIR, name);
	if (strcmp(want, text) != 0)
		fail_msg("differs from %s%s:\n%s", FIXTURE_DIR, name, text);
	free(want);
}

/* No byte that a terminal obeys, but newlines and (with color) SGR sequences; no invalid UTF-8. */
__attribute__((unused)) static void assert_safe(const char *text, bool color)
{
	for (const char *p = text; *p; p++) {
		if (*p == '\033' && color) {
			assert_int_equal(p[1], '[');
			p += 2 + strspn(p + 2, "0123456789");
			assert_int_equal(*p, 'm');
			continue;
		}
		assert_true(*p == '\n' || (unsigned char)*p >= 0x20);
		assert_int_not_equal((unsigned char)*p, 0x7f);
		assert_int_not_equal((unsigned char)*p, 0xff);
		assert_false((unsigned char)*p == 0xc2 && (unsigned char)p[1] < 0xa0);
	}
}

#endif
