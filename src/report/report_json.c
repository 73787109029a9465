/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * report_json.c - JSON scalars by the contract's rules, and the way out.
 */
#include "report_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

json_t *report_json_str(const char *s)
{
	json_t *value;
	char *fixed;
	size_t n;

	if (!s || !*s)
		return json_null();
	value = json_string(s); /* refuses what is no UTF-8 */
	if (value)
		return value;
	n = report_utf8_repair(s, NULL, 0);
	fixed = malloc(n + 1);
	if (!fixed)
		return NULL;
	report_utf8_repair(s, fixed, n + 1);
	value = json_stringn(fixed, n);
	free(fixed);
	return value;
}

json_t *report_json_addr(const struct addr *a)
{
	char text[ADDR_STR_MAX];

	return addr_is_none(a) ? json_null() : json_string(addr_str(a, text));
}

json_t *report_json_mac(const struct mac *m)
{
	char text[MAC_STR_MAX];

	return mac_is_none(m) ? json_null() : json_string(mac_str(m, text));
}

json_t *report_json_u64(uint64_t v)
{
	return json_integer(v > INT64_MAX ? INT64_MAX : (json_int_t)v);
}

json_t *report_json_nonzero(uint64_t v)
{
	return v ? report_json_u64(v) : json_null();
}

json_t *report_json_known(int64_t v)
{
	return v < 0 ? json_null() : json_integer(v);
}

json_t *report_json_role(enum model_role role)
{
	return role == MODEL_ROLE_NONE ? json_null() : json_string(model_role_name(role));
}

bool report_json_set(json_t *object, const char *key, json_t *value)
{
	return json_object_set_new_nocheck(object, key, value) == 0;
}

int report_json_dump(FILE *f, json_t *root, bool one_line)
{
	size_t flags = JSON_ENSURE_ASCII | REPORT_JSON_REAL |
		       (one_line ? JSON_COMPACT : JSON_INDENT(2));
	int rc = 0;

	if (!root)
		return -ENOMEM;
	errno = 0;
	if (json_dumpf(root, f, flags) || putc('\n', f) == EOF) {
		if (ferror(f))
			rc = errno ? -errno : -EIO;
		else
			rc = -ENOMEM;
	}
	json_decref(root);
	return rc;
}

void report_prepare(void)
{
	/* Its tables are seeded, from /dev/urandom, when the first object is made. */
	json_object_seed(0);
}
