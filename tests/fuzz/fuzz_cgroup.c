/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_cgroup.c - any bytes as /proc/<pid>/cgroup.
 *
 * Asserted: an id is 64 lower-case hex digits that stand in the input, an uid has one
 * of the two shapes, and the answer does not depend on bytes behind the end.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "../../src/resolve/resolve_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct resolve_cgroup cg = { .runtime = "" };
	size_t n;

	if (size > 1u << 16 || !resolve_cgroup_parse((const char *)data, size, &cg))
		return 0;
	n = strlen(cg.id);
	demand(n == 0 || (n == RESOLVE_HEX_ID && strspn(cg.id, "0123456789abcdef") == n),
	       "id is 64 hex digits");
	if (n) {
		bool found = false;

		for (size_t i = 0; i + n <= size && !found; i++) {
			size_t j = 0;

			while (j < n && tolower(data[i + j]) == cg.id[j])
				j++;
			found = j == n;
		}
		demand(found, "id stands in the input");
	}
	n = strlen(cg.uid);
	demand(n == 0 || n == 32 || n == 36, "length of the uid");
	demand(strspn(cg.uid, "0123456789abcdef-") == n, "digits of the uid");
	demand(n != 36 || (cg.uid[8] == '-' && cg.uid[13] == '-' && cg.uid[18] == '-' &&
			   cg.uid[23] == '-'),
	       "dashes of the uid");
	demand(cg.id[0] || cg.uid[0], "says something");
	demand(cg.runtime != NULL, "runtime is a string");
	return 0;
}
