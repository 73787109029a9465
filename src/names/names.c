/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * names.c - the table of addresses and their names.
 */
#include "names_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/model.h"

#define READ_CHUNK 65536u
#define NAME_MAX_BYTES (2 * MODEL_K8S_NAME_MAX)

struct entry {
	struct addr addr;
	char *name;
	uint32_t order;	/* of arrival: equal rank, the first stays */
	uint8_t rank;
};

struct names {
	struct entry *entry;
	size_t count, size;
	bool sorted;	/* in address order, each address once */
};

struct names *names_new(struct err *err)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		err_sys(err, ENOMEM, "names");
	return n;
}

void names_free(struct names *n)
{
	if (!n)
		return;
	for (size_t i = 0; i < n->count; i++)
		free(n->entry[i].name);
	free(n->entry);
	free(n);
}

/* What a DNS subdomain (RFC 1123) may hold, '_' and ':' of older objects, and our '/'. */
static bool is_name(const char *name)
{
	size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/");

	return len > 0 && len < NAME_MAX_BYTES && !name[len];
}

int names_add(struct names *n, const struct addr *a, const char *name, enum names_rank rank,
	      struct err *err)
{
	char *copy;

	if (addr_is_none(a) || !is_name(name) || n->count >= NAMES_MAX)
		return 0;
	if (n->count == n->size) {
		size_t size = n->size ? 2 * n->size : 64;
		struct entry *grown = reallocarray(n->entry, size, sizeof(*grown));
		if (!grown)
			return err_sys(err, ENOMEM, "names");
		n->entry = grown;
		n->size = size;
	}
	copy = strdup(name);
	if (!copy)
		return err_sys(err, ENOMEM, "names");
	n->entry[n->count] = (struct entry){ .addr = *a, .name = copy,
					     .order = (uint32_t)n->count, .rank = (uint8_t)rank };
	n->count++;
	n->sorted = false;
	return 0;
}

int names_add_object(struct names *n, const struct addr *a, const char *ns, const char *name,
		     enum names_rank rank, struct err *err)
{
	char text[NAME_MAX_BYTES + 1];
	int len = snprintf(text, sizeof(text), "%s%s%s", ns ? ns : "", ns && *ns ? "/" : "", name);

	/* A '/' inside a part would make another name of it. */
	if (!*name || len < 0 || (size_t)len >= sizeof(text) || strchr(name, '/') ||
	    (ns && strchr(ns, '/')))
		return 0;
	return names_add(n, a, text, rank, err);
}

static int by_address(const void *pa, const void *pb)
{
	const struct entry *a = pa, *b = pb;
	int c = memcmp(a->addr.b, b->addr.b, sizeof(a->addr.b));

	if (c)
		return c;
	if (a->rank != b->rank)
		return a->rank > b->rank ? -1 : 1;
	return a->order < b->order ? -1 : a->order > b->order;
}

/* Puts the table in order; of several names of an address the best stays. */
static void sort(struct names *n)
{
	size_t kept = 0;

	if (n->sorted || !n->count)
		return;
	qsort(n->entry, n->count, sizeof(*n->entry), by_address);
	for (size_t i = 0; i < n->count; i++) {
		if (kept && addr_eq(&n->entry[kept - 1].addr, &n->entry[i].addr))
			free(n->entry[i].name);
		else
			n->entry[kept++] = n->entry[i];
	}
	n->count = kept;
	/* Later additions come behind what is there. */
	for (size_t i = 0; i < kept; i++)
		n->entry[i].order = (uint32_t)i;
	n->sorted = true;
}

static int find(const void *key, const void *item)
{
	const struct addr *a = key;
	const struct entry *e = item;

	return memcmp(a->b, e->addr.b, sizeof(a->b));
}

const char *names_get(struct names *n, const struct addr *a)
{
	const struct entry *e;

	if (!n || !n->count)
		return NULL;
	sort(n);
	e = bsearch(a, n->entry, n->count, sizeof(*n->entry), find);
	return e ? e->name : NULL;
}

size_t names_count(const struct names *n)
{
	return n ? n->count : 0;
}

void names_each(struct names *n,
		void (*fn)(void *arg, const struct addr *a, const char *name), void *arg)
{
	if (!n)
		return;
	sort(n);
	for (size_t i = 0; i < n->count; i++)
		fn(arg, &n->entry[i].addr, n->entry[i].name);
}

/*
 * A FIFO is as good as a file: --pods <(kubectl get ...). Standard input may go on behind the
 * names (it tells podhop --until-eof when to end): there a NUL byte closes them.
 */
static int read_all(int fd, struct buf *b)
{
	char *chunk = malloc(READ_CHUNK), *nul = NULL;
	int rc = 0;

	if (!chunk)
		return -ENOMEM;
	while (!nul) {
		ssize_t got = read(fd, chunk, READ_CHUNK);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			rc = -errno;
		if (got <= 0)
			break;
		if (fd == STDIN_FILENO)
			nul = memchr(chunk, 0, (size_t)got);
		if (nul)
			got = nul - chunk;
		if ((size_t)got > b->max - b->len) {
			rc = -EFBIG;
			break;
		}
		buf_add(b, chunk, (size_t)got);
		if (b->failed) {
			rc = -ENOMEM;
			break;
		}
	}
	free(chunk);
	return rc;
}

int names_read(struct names *n, const char *path, struct err *err)
{
	struct buf b;
	int fd = STDIN_FILENO, rc;

	buf_init(&b, NAMES_FILE_MAX);
	if (strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (fd < 0) {
			rc = err_sys(err, errno, "open %s", path);
			goto out;
		}
	}
	rc = read_all(fd, &b);
	if (rc < 0)
		rc = err_sys(err, rc, "read %s", path);
	else if ((rc = names_parse(n, buf_str(&b), b.len, err)) < 0)
		err_prefix(err, "%s", path);
	if (fd != STDIN_FILENO)
		close(fd);
out:
	buf_done(&b);
	return rc;
}
