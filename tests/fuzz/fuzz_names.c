/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_names.c - any bytes as what kubectl prints.
 *
 * Asserted: every name is short and printable without a space, every address has one
 * name and is found under it, and the addresses come in order.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "podhop/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct walk {
	struct names *names;
	struct addr last;
	size_t count;
};

static void on_name(void *arg, const struct addr *a, const char *name)
{
	struct walk *w = arg;

	demand(*name && strlen(name) < 512, "length of a name");
	for (const char *p = name; *p; p++)
		demand(*p > ' ' && *p < 0x7f, "character of a name");
	demand(!addr_is_none(a), "an address");
	demand(!w->count || memcmp(w->last.b, a->b, sizeof(a->b)) < 0, "order");
	demand(names_get(w->names, a) == name, "found again");
	w->last = *a;
	w->count++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct err err = ERR_INIT;
	struct walk w = { .names = names_new(&err) };

	if (!w.names || size > 1u << 20) {
		names_free(w.names);
		return 0;
	}
	if (names_parse(w.names, (const char *)data, size, &err) < 0)
		demand(err.text[0] != '\0', "an error has a text");
	names_each(w.names, on_name, &w);
	demand(w.count == names_count(w.names), "count");
	names_free(w.names);
	return 0;
}
