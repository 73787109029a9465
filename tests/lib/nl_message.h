/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_message.h - netlink messages, built attribute by attribute, well or wrongly.
 *
 * Own code rather than libnl's, which cannot make what it would not read.
 */
#ifndef TESTS_NL_MESSAGE_H
#define TESTS_NL_MESSAGE_H

#include <linux/netlink.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NL_MESSAGE_MAX 4096

struct nl_message {
	_Alignas(struct nlmsghdr) uint8_t b[NL_MESSAGE_MAX];
	size_t len;
};

static inline void nl_message_set_len(struct nl_message *m)
{
	uint32_t len = (uint32_t)m->len;

	memcpy(m->b, &len, sizeof(len));
}

static inline void nl_message_bytes(struct nl_message *m, const void *data, size_t len)
{
	if (NLMSG_ALIGN(len) > sizeof(m->b) - m->len)
		abort();
	if (len)
		memcpy(m->b + m->len, data, len);
	m->len += NLMSG_ALIGN(len);
	nl_message_set_len(m);
}

static inline void nl_message_begin(struct nl_message *m, unsigned type, const void *header,
				    size_t len)
{
	struct nlmsghdr h = { .nlmsg_type = (uint16_t)type };

	memset(m, 0, sizeof(*m));
	nl_message_bytes(m, &h, sizeof(h));
	nl_message_bytes(m, header, len);
}

/* An attribute that says it is `told` bytes long, and has `len` of them. */
static inline void nl_message_lie(struct nl_message *m, unsigned type, size_t told,
				  const void *data, size_t len)
{
	struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + told), .nla_type = (uint16_t)type };

	nl_message_bytes(m, &a, sizeof(a));
	nl_message_bytes(m, data, len);
}

static inline void nl_message_put(struct nl_message *m, unsigned type, const void *data, size_t len)
{
	nl_message_lie(m, type, len, data, len);
}

static inline void nl_message_str(struct nl_message *m, unsigned type, const char *s)
{
	nl_message_put(m, type, s, strlen(s) + 1);
}

static inline void nl_message_u8(struct nl_message *m, unsigned type, uint8_t v)
{
	nl_message_put(m, type, &v, sizeof(v));
}

static inline void nl_message_u32(struct nl_message *m, unsigned type, uint32_t v)
{
	nl_message_put(m, type, &v, sizeof(v));
}

/* What is put until nl_message_up() is inside; returns where it began. */
static inline size_t nl_message_down(struct nl_message *m, unsigned type)
{
	size_t at = m->len;

	nl_message_put(m, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void nl_message_up(struct nl_message *m, size_t at)
{
	uint16_t len = (uint16_t)(m->len - at);

	memcpy(m->b + at, &len, sizeof(len));
}

static inline struct nlmsghdr *nl_message_hdr(struct nl_message *m)
{
	return (struct nlmsghdr *)(void *)m->b;
}

#endif
