// SPDX-License-Identifier: BSD-3-Clause
/*
 * filter_words.c - looks at the words of a libpcap expression before it is compiled.
 *
 * Two questions cannot be put to libpcap's compiler:
 *
 * Would it ask DNS? pcap_compile() resolves host names by itself and has no
 * switch for that; podhop never asks DNS. A word that is neither keyword,
 * number nor address is a host name unless a port or a protocol is asked for
 * (those come from /etc/services and /etc/protocols).
 *
 * Does it speak of flows only? Whether a filter may run inside the kernel at
 * the veth depends on it, see kernel_filter.c. The words allowed are listed;
 * everything else (brackets, `greater`, `ether`, `vlan`, ...) is taken to
 * look deeper.
 *
 * The grammar is pcap-filter(7); the words are those of libpcap 1.10.
 */
#include "capture_priv.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "podhop/near.h"

#define WORD_MAX 64

/* Words of flow filters. */
static const char *const flow_keywords[] = {
	"and",	 "or",	 "not",	 "host",  "net",  "mask", "port", "portrange",
	"proto", "src",	 "dst",	 "ip",	  "ip6",  "arp",  "rarp", "tcp",
	"udp",	 "sctp", "icmp", "icmp6", "igmp", "ah",	  "esp",  "pim",
};

/* The other keywords: no names, but they look deeper than a flow. */
static const char *const other_keywords[] = {
	"link",	       "ether",	    "ppp",	  "slip",     "fddi",	    "tr",
	"wlan",	       "igrp",	    "vrrp",	  "carp",     "radio",	    "atalk",
	"aarp",	       "decnet",    "lat",	  "sca",      "moprc",	    "mopdl",
	"iso",	       "esis",	    "es-is",	  "isis",     "is-is",	    "l1",
	"l2",	       "iih",	    "lsp",	  "snp",      "csnp",	    "psnp",
	"clnp",	       "stp",	    "ipx",	  "netbeui",  "protochain", "type",
	"subtype",     "direction", "dir",	  "address1", "addr1",	    "address2",
	"addr2",       "address3",  "addr3",	  "address4", "addr4",	    "ra",
	"ta",	       "less",	    "greater",	  "byte",     "broadcast",  "multicast",
	"len",	       "length",    "inbound",	  "outbound", "ifindex",    "vlan",
	"mpls",	       "pppoed",    "pppoes",	  "geneve",   "vxlan",	    "lane",
	"llc",	       "metac",	    "bcc",	  "oam",      "oamf4",	    "oamf4ec",
	"oamf4sc",     "sc",	    "ilmic",	  "vpi",      "vci",	    "connectmsg",
	"metaconnect", "on",	    "ifname",	  "rset",     "ruleset",    "rnr",
	"rulenum",     "srnr",	    "subrulenum", "reason",   "action",	    "fisu",
	"lssu",	       "lsu",	    "msu",	  "hfisu",    "hlssu",	    "hmsu",
	"sio",	       "opc",	    "dpc",	  "sls",      "hsio",	    "hopc",
	"hdpc",	       "hsls",	    "icmptype",	  "icmpcode", "icmp6type",  "icmp6code",
	"tcpflags",
};

/* Of these, those that ask for bytes behind the IP header, or are names of bytes there. */
static const char *const transport_keywords[] = {
	"icmptype", "icmpcode", "icmp6type", "icmp6code", "tcpflags",
};
static const char *const transports[] = { "tcp", "udp", "sctp", "icmp", "icmp6" };

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(word, list[i]))
			return true;
	}
	return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof((list)[0]))

/* A number, an IPv4 or IPv6 address, a prefix, a MAC address. */
static const char *nearest_keyword(const char *word)
{
	struct near near;

	near_begin(&near, word, false);
	for (size_t i = 0; i < sizeof(flow_keywords) / sizeof(flow_keywords[0]); i++)
		near_try(&near, flow_keywords[i]);
	return near.best;
}

static bool is_literal(const char *word)
{
	if (word[0] == '0' && (word[1] == 'x' || word[1] == 'X'))
		return word[2 + strspn(word + 2, "0123456789abcdefABCDEF")] == '\0';
	if (strchr(word, ':'))
		return word[strspn(word, "0123456789abcdefABCDEF:./")] == '\0';
	return word[strspn(word, "0123456789./-")] == '\0';
}

/* icmp-echo, tcp-syn, ...: constants for byte offsets */
static bool is_constant(const char *word)
{
	return !strncmp(word, "icmp-", 5) || !strncmp(word, "icmp6-", 6) ||
	       !strncmp(word, "tcp-", 4);
}

/* Bytes of the word at p. ':' belongs to addresses only: `tcp[len:2]` has three words. */
static size_t word_len(const char *p)
{
	bool hex = true;
	size_t n = 0;

	if (*p == '-' || *p == '_' || *p == '.') /* `-tcp[4]` */
		return 0;
	for (;; n++) {
		if (p[n] == ':' && hex)
			continue;
		if (!isalnum((unsigned char)p[n]) && (!p[n] || !strchr("_-.", p[n])))
			return n;
		if (!isxdigit((unsigned char)p[n]) && p[n] != '.')
			hex = false;
	}
}

/* What the words so far mean for the next one. */
struct reading {
	struct filter_words *words;
	bool name_is_host;	/* a bare name: unless they said otherwise */
	bool after_host;	/* behind `host` and the like a name is meant */
	bool after_transport;	/* `tcp[...]` reads behind the IP header */
};

static bool is_side(const char *word)
{
	return !strcmp(word, "src") || !strcmp(word, "dst");
}

/* A character of no word. */
static void take_sign(struct reading *r, char c)
{
	if (!strchr("()!&|/", c))
		r->words->flow_only = false;
	if (c == '[' && !r->after_transport)
		r->words->packet_only = false;
	/* in `host a or (port b)` a parenthesis ends what was asked before */
	if (c == '(' || c == ')')
		r->name_is_host = true;
}

static void take_flow_keyword(struct reading *r, const char *word)
{
	if (is_side(word))
		r->words->one_way = true;
	if (!strcmp(word, "port") || !strcmp(word, "portrange") || !strcmp(word, "proto"))
		r->name_is_host = false;
	else if (strcmp(word, "and") && strcmp(word, "or") && strcmp(word, "not"))
		r->name_is_host = true; /* `port http or ssh` goes on */
}

static void take_other_keyword(struct reading *r, const char *word)
{
	r->words->flow_only = false;
	if (!IS_ONE_OF(word, transport_keywords))
		r->words->packet_only = false;
	r->name_is_host = false; /* ether host NAME: /etc/ethers, no DNS */
	if (!strcmp(word, "inbound") || !strcmp(word, "outbound") || !strcmp(word, "ifindex"))
		snprintf(r->words->device_word, sizeof(r->words->device_word), "%s", word);
}

static void take_name(struct reading *r, const char *word, bool wanted)
{
	snprintf(r->words->name, sizeof(r->words->name), "%s", word);
	r->words->keyword = wanted ? NULL : nearest_keyword(word);
}

/* escaped: `proto \tcp`, a keyword used as a name. */
static void take_word(struct reading *r, const char *word, bool escaped)
{
	const bool wanted = r->after_host;

	r->after_transport = IS_ONE_OF(word, transports);
	r->after_host = !strcmp(word, "host") || !strcmp(word, "net") || is_side(word);
	if (!escaped && IS_ONE_OF(word, flow_keywords))
		take_flow_keyword(r, word);
	else if (!escaped && IS_ONE_OF(word, other_keywords))
		take_other_keyword(r, word);
	else if (is_literal(word))
		return;
	else if (is_constant(word))
		r->words->flow_only = false;
	else if (r->name_is_host && !escaped && !r->words->name[0])
		take_name(r, word, wanted);
}

void capture_filter_words(const char *expr, struct filter_words *ret_words)
{
	struct reading r = { .words = ret_words, .name_is_host = true };
	const char *p = expr;

	*ret_words = (struct filter_words){ .flow_only = true, .packet_only = true };
	while (*p) {
		char word[WORD_MAX];
		bool escaped = *p == '\\';

		if (isspace((unsigned char)*p)) {
			p++;
			continue;
		}
		p += escaped;
		size_t len = word_len(p);
		if (len) {
			snprintf(word, sizeof(word), "%.*s", (int)len, p);
			take_word(&r, word, escaped);
			p += len;
		} else if (*p) {
			take_sign(&r, *p++);
		}
	}
}
