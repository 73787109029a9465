/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * resolve_json.h - strings out of the JSON that runtimes and plugins leave on a node.
 *
 * Whatever has another type than the one asked for counts as absent. Want of memory never does.
 */
#ifndef RESOLVE_JSON_H
#define RESOLVE_JSON_H

#include <errno.h>
#include <jansson.h>

#include "resolve_priv.h"

/* The document, when it is an object; NULL otherwise. The caller frees it with json_decref(). */
static inline json_t *resolve_json_object(const char *text, size_t len, bool *oom)
{
	json_t *root;

	/* jansson calls a string for which there is no memory an invalid token */
	errno = 0;
	root = json_loadb(text, len, 0, NULL);
	if (!root && errno == ENOMEM) /* malloc() said so */
		*oom = true;
	if (json_is_object(root))
		return root;
	json_decref(root);
	return NULL;
}

/* The string of that key; NULL when there is none. Borrowed from the object. */
static inline const char *resolve_json_text(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

/* Copies the string of that key where *dst says nothing yet. */
static inline void resolve_json_fill(char **dst, const json_t *object, const char *key, bool *oom)
{
	const char *s = resolve_json_text(object, key);

	if (s)
		resolve_copy(dst, s, strlen(s), oom);
}

#endif
