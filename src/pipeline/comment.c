/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comment.c - the comment that goes with each frame (contract, section 4).
 *
 * One is written a frame, a million times a second: digits and words are put down by
 * hand, which costs a tenth of what printf would.
 */
#include "podhop/pipeline.h"

#include <string.h>

/* Where the next byte goes; what does not fit is left out, whole. */
struct text {
	char *at, *end;
};

static void put(struct text *t, const char *s, size_t n)
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

static void put_u64(struct text *t, uint64_t v)
{
	char digits[20], *d = digits + sizeof(digits);

	do {
		*--d = (char)('0' + v % 10);
		v /= 10;
	} while (v);
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

size_t pipeline_comment(const struct correlate_mark *m, char *out, size_t size)
{
	static const struct {
		const char *name;
		size_t len;
	} roles[] = {
		[MODEL_ROLE_NONE] = { "none", 4 },     [MODEL_ROLE_VETH] = { "veth", 4 },
		[MODEL_ROLE_BRIDGE] = { "bridge", 6 }, [MODEL_ROLE_VTEP] = { "vtep", 4 },
		[MODEL_ROLE_UNDERLAY] = { "underlay", 8 },
	};
	struct text t = { out, out + size };

	PUT(&t, "podhop id=");
	put_u64(&t, m->id);
	PUT(&t, " hop=");
	put_u64(&t, m->hop);
	PUT(&t, " dir=");
	put_word(&t, model_direction_name(m->direction));
	PUT(&t, " path=");
	for (unsigned i = 0; i < m->path.n; i++) {
		unsigned role = m->path.role[i];

		if (i)
			PUT(&t, ">");
		if (role < sizeof(roles) / sizeof(roles[0]))
			put(&t, roles[role].name, roles[role].len);
	}
	if (m->path.cut)
		PUT(&t, ">loop");
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
