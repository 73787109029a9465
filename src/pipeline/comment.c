/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comment.c - the comment that goes with each frame (contract, section 4).
 *
 * One is written a frame, a million times a second. Its middle, which says hop, direction and
 * path, is one of a handful of texts, so the last ones are kept, and so is the id, which the
 * packet's other hops share; digits are put down by hand, which costs a tenth of what printf
 * would. Where there is room a text is copied with what stands behind it: a length that the
 * compiler knows needs no call.
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

/* The same of n bytes out of `room`, a constant. */
static inline __attribute__((always_inline)) void put_of(struct text *t, const char *s, size_t n,
							 size_t room)
{
	if (n > room || room > (size_t)(t->end - t->at)) {
		put(t, s, n);
		return;
	}
	memcpy(t->at, s, room);
	t->at += n;
}

#define PUT(t, literal) put(t, literal, sizeof(literal) - 1)
#define DIGITS_MAX 20u	/* of 64 bits */
#define MIDDLE_USUAL 64u

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
	char digits[2 * DIGITS_MAX] = { 0 }, *d = digits + DIGITS_MAX;

	/* Byte by byte: of a memcpy() _FORTIFY_SOURCE makes a call here. */
	for (; v >= 100; v /= 100) {
		const char *pair = two + v % 100 * 2;

		*--d = pair[1];
		*--d = pair[0];
	}
	*--d = two[v * 2 + 1];
	if (v >= 10)
		*--d = two[v * 2];
	put_of(t, d, (size_t)(digits + DIGITS_MAX - d), DIGITS_MAX);
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

static void keep_id(struct pipeline_comments *kept, uint64_t id)
{
	struct text t = { kept->id_text, kept->id_text + sizeof(kept->id_text) };

	PUT(&t, "podhop id=");
	put_u64(&t, id);
	kept->id = id;
	kept->id_len = (uint32_t)(t.at - kept->id_text);
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
	if (kept->id != m->id || !kept->id_len)
		keep_id(kept, m->id);
	put_of(&t, kept->id_text, kept->id_len, sizeof(kept->id_text));
	put_of(&t, k->text, k->len, MIDDLE_USUAL);
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
