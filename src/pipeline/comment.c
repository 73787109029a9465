/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comment.c - the comment that goes with each frame (contract, section 4).
 *
 * One is written a frame, a million times a second. Its middle, which says hop, direction and
 * path, is one of a handful of texts, so the last ones are kept; digits are put down by
 * hand, which costs a tenth of what printf would.
 */
#include "podhop/pipeline.h"

#include <string.h>

/* Where the next byte goes; what does not fit is left out, whole. */
struct text {
	char *at, *end;
};

static inline void put(struct text *t, const char *s, size_t n)
{
	if (n > (size_t)(t->end - t->at))
		return;
	memcpy(t->at, s, n);
	t->at += n;
}

#define PUT(t, literal) put(t, literal, sizeof(literal) - 1)

static void put_word(struct text *t, const char *s)
{
	put(t, s, strlen(s));
}

static inline void put_u64(struct text *t, uint64_t v)
{
	static const char two[201] =
		"00010203040506070809101112131415161718192021222324252627282930313233343536373839"
		"40414243444546474849505152535455565758596061626364656667686970717273747576777879"
		"8081828384858687888990919293949596979899";
	char digits[20], *d = digits + sizeof(digits);

	for (; v >= 100; v /= 100) {
		d -= 2;
		memcpy(d, two + v % 100 * 2, 2);
	}
	if (v >= 10) {
		d -= 2;
		memcpy(d, two + v * 2, 2);
	} else {
		*--d = (char)('0' + v);
	}
	put(t, d, (size_t)(digits + sizeof(digits) - d));
}

static void put_end(struct text *t, const struct addr *a, uint16_t port, bool has_port)
{
	char s[ADDR_STR_MAX];
	bool bracket = has_port && !addr_is_v4(a);

	if (bracket)
		PUT(t, "[");
	put_word(t, addr_str(a, s));
	if (bracket)
		PUT(t, "]");
	if (has_port) {
		PUT(t, ":");
		put_u64(t, port);
	}
}

static void put_path(struct text *t, const struct correlate_mark *m)
{
	PUT(t, " hop=");
	put_u64(t, m->hop);
	PUT(t, " dir=");
	put_word(t, model_direction_name(m->direction));
	PUT(t, " path=");
	for (unsigned i = 0; i < m->path.n; i++) {
		if (i)
			PUT(t, ">");
		put_word(t, model_role_name(m->path.role[i]));
	}
	if (m->path.cut)
		PUT(t, ">loop");
}

/* All that put_path() looks at, as a number; never 0. Roles take 4 bits, 12 of them at most. */
static inline uint64_t path_key(const struct correlate_mark *m)
{
	uint64_t key = (uint64_t)m->path.n << 4 | (uint64_t)m->direction << 2 |
		       (uint64_t)m->path.cut << 1 | 1;

	_Static_assert(RESULT_PATH_MAX <= 12 && MODEL_ROLE_COUNT <= 8, "the key has room for them");
	for (unsigned i = 0; i < m->path.n; i++)
		key = key << 3 | m->path.role[i];
	return key << 4 | m->hop;
}

size_t pipeline_comment(struct pipeline_comments *kept, const struct correlate_mark *m, char *out,
			size_t size)
{
	struct text t = { out, out + size };
	const uint64_t key = path_key(m);
	/* Neighbouring hops of one path differ in the lowest bits. */
	struct pipeline_comment_middle *k = &kept->middle[(key ^ key >> 17) % PIPELINE_COMMENTS];

	if (k->key != key) {
		struct text middle = { k->text, k->text + sizeof(k->text) };

		put_path(&middle, m);
		k->key = key;
		k->len = (uint32_t)(middle.at - k->text);
	}
	PUT(&t, "podhop id=");
	put_u64(&t, m->id);
	put(&t, k->text, k->len);
	if (m->dt_ns >= 0) {
		PUT(&t, " dt_ns=");
		put_u64(&t, (uint64_t)m->dt_ns);
	}
	if (m->ambiguous) {
		PUT(&t, " amb=");
		put_u64(&t, m->ambiguous);
	}
	if (m->translated) {
		const struct result_tuple *n = &m->translation;

		PUT(&t, " nat=");
		put_end(&t, &n->src, n->sport, n->has_ports);
		PUT(&t, ">");
		put_end(&t, &n->dst, n->dport, n->has_ports);
	}
	return (size_t)(t.at - out);
}
