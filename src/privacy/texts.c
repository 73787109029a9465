/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * texts.c - names of pods, nodes and devices, and filters that speak of addresses.
 *
 * A name becomes eight hex digits of an HMAC of it: the same everywhere under one key.
 */
#include "privacy_priv.h"

#include <stdio.h>
#include <string.h>

#include <nettle/hmac.h>

#define DIGEST_BYTES 4u
#define WORD_MAX 64u

static void add_digest(struct privacy *p, const char *what, const char *name, size_t n,
		       struct buf *out)
{
	uint8_t digest[DIGEST_BYTES];
	struct hmac_sha256_ctx h;

	hmac_sha256_set_key(&h, sizeof(p->name_key), p->name_key);
	hmac_sha256_update(&h, n, (const uint8_t *)name);
	hmac_sha256_digest(&h, sizeof(digest), digest);
	buf_addf(out, "%s%02x%02x%02x%02x", what, digest[0], digest[1], digest[2], digest[3]);
}

void privacy_name(struct privacy *p, const char *name, struct buf *out)
{
	const char *slash = strchr(name, '/');

	if (!p->anonymous || !*name) {
		buf_adds(out, name);
		return;
	}
	if (slash) {
		add_digest(p, "ns-", name, (size_t)(slash - name), out);
		buf_addc(out, '/');
		name = slash + 1;
	}
	add_digest(p, "n-", name, strlen(name), out);
}

/* "cni0", "flannel-v6.1", "enp3s0f1": such a word, then digits, dots and few letters. */
static bool is_everybodys(const char *name)
{
	static const char *const words[] = {
		"bond", "br", "cbr", "cni", "docker", "enp", "eno", "ens", "eth", "flannel",
		"kube-bridge", "lo", "team", "wlan", "any",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i]);

		if (strncmp(name, words[i], n) != 0)
			continue;
		const char *rest = name + n;
		if (strcmp(words[i], "flannel") == 0 && strncmp(rest, "-v6", 3) == 0)
			rest += 3;
		/* Of these letters, two in a row at the most ("np"): a word could be anybody's. */
		unsigned letters = 0;
		for (; *rest; rest++) {
			bool digit = *rest >= '0' && *rest <= '9';

			if (!digit && *rest != '.' && !strchr("sfpnd", *rest))
				break;
			letters = digit || *rest == '.' ? 0 : letters + 1;
			if (letters > 2)
				break;
		}
		if (!*rest)
			return true;
	}
	return false;
}

void privacy_device(struct privacy *p, const char *name, struct buf *out)
{
	if (!p->anonymous || !*name || strcmp(name, "?") == 0 || is_everybodys(name))
		buf_adds(out, name);
	else
		add_digest(p, strncmp(name, "veth", 4) == 0 ? "veth" : "if-", name, strlen(name),
			   out);
}

/* ------------------------------------------------------------------ filters */

/* A word of libpcap's language that tells nothing about anybody. */
static bool is_keyword(const char *word)
{
	static const char *const words[] = {
		"src", "dst", "and", "or", "not", "host", "net", "port", "portrange", "proto",
		"mask", "ip", "ip6", "arp", "tcp", "udp", "sctp", "icmp", "icmp6", "ether", "vlan",
		"broadcast", "multicast", "less", "greater", "inbound", "outbound", "gateway",
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* A decimal number that could be a port, a length or a protocol, but no whole address. */
static bool is_small_number(const char *word)
{
	return strspn(word, "0123456789") == strlen(word) && strlen(word) <= 5;
}

static bool is_port_range(const char *word)
{
	size_t n = strspn(word, "0123456789");

	return n && word[n] == '-' && is_small_number(word + n + 1) && n <= 5;
}

/*
 * libpcap reads "net 10.1.0.0/16 or 11" as "... or net 11": a number without a word of its own is
 * what the last one was.
 */
struct last_word {
	bool net_anywhere;
	bool is_net; /* a number that stands alone may be a network's first byte */
};

static void last_word_is(struct last_word *l, const char *word)
{
	static const char *const others[] = { "host", "port", "portrange", "proto",
					      "vlan", "less", "greater" };

	if (strcmp(word, "net") == 0)
		l->net_anywhere = l->is_net = true;
	for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strcmp(word, others[i]) == 0)
			l->is_net = false;
}

/* Behind one the word in front of its "(" counts again; which that was is not remembered. */
static void last_word_of_bracket(struct last_word *l)
{
	l->is_net = l->net_anywhere;
}

static bool add_word(struct privacy *p, const char *word, const char *before, bool of_net,
		     struct buf *out)
{
	char text[PREFIX_STR_MAX];
	struct prefix prefix;
	struct mac mac;
	bool of_port = strcmp(before, "port") == 0 || strcmp(before, "portrange") == 0;

	if (is_keyword(word) || (!of_net && (is_small_number(word) || is_port_range(word))) ||
	    (of_port && strspn(word, "abcdefghijklmnopqrstuvwxyz") == strlen(word))) {
		buf_adds(out, word);
		return true;
	}
	if (mac_parse(word, &mac) == 0) {
		mac = privacy_mac(p, &mac);
		buf_adds(out, mac_str(&mac, text));
		return true;
	}
	/* Not of the last address alone: the bits behind the prefix have to stay 0. */
	if (prefix_parse(word, &prefix) < 0)
		return false;
	unsigned first = addr_is_v4(&prefix.addr) ? 96u + prefix.len : prefix.len;
	prefix.addr = privacy_addr(p, &prefix.addr);
	for (unsigned i = first; i < 128; i++)
		prefix.addr.b[i / 8] &= (uint8_t)~(0x80u >> i % 8);
	if (strchr(word, '/'))
		buf_adds(out, prefix_str(&prefix, text));
	else
		buf_adds(out, addr_str(&prefix.addr, text));
	return true;
}

bool privacy_filter(struct privacy *p, const char *filter, struct buf *out)
{
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789"
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZ.:/-_";
	char word[WORD_MAX], before[WORD_MAX] = "";
	struct last_word last = { 0 };
	struct buf text;

	if (!p->anonymous) {
		buf_adds(out, filter);
		return true;
	}
	buf_init(&text, 1u << 16);
	while (*filter) {
		size_t n = strspn(filter, inside);

		if (!n) {
			/* Bytes by their place, and numbers behind them, could be an address. */
			if (!strchr(" ()!&|\t", *filter))
				break;
			if (*filter == ')')
				last_word_of_bracket(&last);
			buf_addc(&text, *filter++);
			continue;
		}
		if (n >= sizeof(word))
			break;
		memcpy(word, filter, n);
		word[n] = '\0';
		last_word_is(&last, word);
		if (!add_word(p, word, before, last.is_net, &text))
			break;
		memcpy(before, word, n + 1);
		filter += n;
	}
	bool whole = !*filter && !text.failed;
	if (whole)
		buf_adds(out, buf_str(&text));
	buf_done(&text);
	return whole;
}
