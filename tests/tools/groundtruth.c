/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * groundtruth.c - checks the packet ids of a podhop file against what the payload says.
 *
 * Theory of operation
 *
 * Traffic made by udpgen, udpecho, tcpstream and ping carries its own identity: a
 * datagram its number, a TCP segment the stream offset of each of its bytes, an echo
 * its type, id and sequence number. This program reads a pcapng with a parser and a
 * decoder of its own (it shares no line with podhop, so it cannot share a mistake),
 * finds that identity in every frame, through VXLAN and in fragments, and compares.
 *
 * Datagrams and echoes: frames are points (identity, packet id). An identity with two
 * ids was split, an id with two identities was merged. Over pairs of frames that gives
 * precision and recall: pairs that share an identity are the truth, pairs that share
 * an id the claim.
 *
 * TCP: frames are byte ranges of a stream. The same bytes sent again are another packet,
 * so bytes alone identify nothing; what must hold is that the bytes a packet id covers
 * are the same at each interface, with none covered twice at one. Precision and recall
 * are counted in bytes, against the first interface (-r: another) at which the id was seen.
 * What a segment covers follows from the pattern in its payload; short segments, whose
 * pattern is ambiguous, from their sequence number and the last long one of the flow.
 *
 * An ICMP error is known by the number of the datagram that it quotes.
 *
 * Where the same datagram is sent more than once (-d) its number says nothing; then the n-th
 * frame with it at one place is the n-th at all others: a path through a node does not overtake.
 *
 * Frames without such an identity (ARP, pure ACKs, other traffic) are counted only; of
 * them just the time order is checked.
 *
 * Input is trusted to come from our own tests, but every length is checked all the same.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define INTERFACES_MAX 8
#define PLACES_PER_INTERFACE 8
#define PLACE_ENCAP 4u
#define PLACES_MAX (INTERFACES_MAX * PLACES_PER_INTERFACE)	/* 64: a bit each */
#define PORTS_MAX 8
#define SHOW_MAX 5		/* how many of each kind of error are described */
#define PATTERN_SURE 24		/* bytes of pattern that leave one possible offset */
#define OFFSET_MASK ((UINT64_C(1) << 48) - 1)
#define ERROR_BIT (UINT64_C(1) << 62)	/* of the key: an error about this number */
#define REPLY_BIT (UINT64_C(1) << 63)	/* of the number: a reply (udpecho.c) */
#define SENDINGS_MAX 65536	/* of one number */
#define EXTENSIONS_MAX 8	/* IPv6 extension headers */
#define FRAGMENT_SLOTS 65536	/* power of 2 */
#define FRAGMENT_AGE_NS 20000000u
#define FLOW_SLOTS 65536	/* power of 2 */

enum kind { KIND_UDP, KIND_ICMP, KIND_TCP, KIND_N };

static const char *const kind_names[] = {
	[KIND_UDP] = "udp",
	[KIND_ICMP] = "icmp",
	[KIND_TCP] = "tcp",
};
_Static_assert(sizeof(kind_names) / sizeof(kind_names[0]) == KIND_N, "a name for each kind");

/* One frame that has an identity. */
struct sighting {
	uint64_t packet_id;
	uint64_t key;		/* datagram: number; TCP: tag */
	uint64_t from, to;	/* TCP: bytes of the stream */
	uint64_t hash;		/* of its bytes, without what is around VXLAN's inner frame */
	uint32_t frame;		/* number in the file, from 1 */
	uint16_t place;		/* interface * 8 + PLACE_ENCAP inside VXLAN + direction of
				 * epb_flags: a packet may pass one interface twice, sent back where
				 * it came from, or plain and then inside VXLAN */
	uint16_t kind;
	bool first_fragment;	/* or a whole datagram */
};

struct iface {
	char name[64];
	unsigned tsresol;
	uint64_t frames, bytes, of_kind[KIND_N], tcp_bytes;
};

/* What one frame is, as far as the decoder came. */
struct view {
	const uint8_t *l4;	/* transport header or a later fragment's bytes */
	size_t l4_len;		/* captured */
	uint64_t l4_wire;	/* on the wire */
	uint8_t proto;
	uint8_t addrs[32];	/* source, destination; IPv4 in the first 8 */
	uint8_t addrs_len;
	bool fragment, later_fragment;
	uint32_t ip_id;
};

/* The identity a first fragment had, for the later ones. */
struct fragment {
	uint64_t hash;		/* 0: free */
	uint64_t key;
	uint64_t ns;
	uint16_t kind;
	bool encap;
};

struct flow {
	uint64_t hash;		/* 0: free */
	uint64_t tag, offset;	/* of a sure segment */
	uint32_t seq;
};

struct checker {
	struct iface ifaces[INTERFACES_MAX];
	unsigned n_ifaces;
	struct sighting *list;
	size_t n, cap;
	uint64_t now_ns;	/* of the frame that is looked at */
	uint64_t frames, backsteps, no_id, unidentified, bad_tcp;
	uint64_t last_ts;
	unsigned ports[PORTS_MAX], n_ports;		/* VXLAN */
	unsigned only[PORTS_MAX], n_only;		/* L4 ports of interest; none: all */
	const char *reference;
	uint64_t together;				/* numbers that left in one super-frame */
	bool repeated;					/* numbers may be sent more than once */
	uint64_t *twins;				/* ids that cannot be told apart */
	size_t n_twins;
	struct fragment *fragments;
	struct flow *flows;
	uint64_t errors;
};

static void die(const char *fmt, const char *what)
{
	fprintf(stderr, "groundtruth: ");
	fprintf(stderr, fmt[0] ? "%s: %s\n" : "%s%s\n", what, fmt);
	exit(2);
}

static uint16_t be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
	return (uint64_t)be32(p) << 32 | be32(p + 4);
}

static uint64_t hash_bytes(const void *data, size_t len, uint64_t h)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	h ^= h >> 29;
	return h ? h : 1;
}

static bool has_port(const unsigned *list, unsigned n, unsigned port)
{
	for (unsigned i = 0; i < n; i++) {
		if (list[i] == port)
			return true;
	}
	return false;
}

/* ---------------------------------------------------------------- decoding */

/* From the network header on; false: not IP or too short. wire counts from ip on. */
static bool decode_ip(const uint8_t *ip, size_t len, uint64_t wire, unsigned ethertype,
		      struct view *v)
{
	memset(v, 0, sizeof(*v));
	if (ethertype == 0x0800 && len >= 20 && ip[0] >> 4 == 4) {
		size_t head = (size_t)(ip[0] & 15) * 4;
		uint64_t total = be16(ip + 2);
		unsigned frag = be16(ip + 6);

		if (head < 20 || len < head)
			return false;
		if (total == 0 || total > wire)
			total = wire;		/* BIG TCP */
		if (total < head)
			return false;
		v->proto = ip[9];
		memcpy(v->addrs, ip + 12, 8);
		v->addrs_len = 8;
		v->ip_id = be16(ip + 4);
		v->fragment = (frag & 0x3fff) != 0;
		v->later_fragment = (frag & 0x1fff) != 0;
		v->l4 = ip + head;
		v->l4_wire = total - head;
		v->l4_len = len - head;
	} else if (ethertype == 0x86dd && len >= 40 && ip[0] >> 4 == 6) {
		uint64_t total = be16(ip + 4);
		uint8_t next = ip[6];

		total = total == 0 || total > wire - 40 ? wire - 40 : total;
		memcpy(v->addrs, ip + 8, 32);
		v->addrs_len = 32;
		v->l4 = ip + 40;
		v->l4_len = len - 40;
		v->l4_wire = total;
		for (unsigned i = 0; i < EXTENSIONS_MAX; i++) {
			size_t ext;

			if (next != 0 && next != 43 && next != 44 && next != 60)
				break;
			if (v->l4_len < 8)
				return false;
			ext = next == 44 ? 8 : (size_t)(v->l4[1] + 1) * 8;
			if (v->l4_len < ext || v->l4_wire < ext)
				return false;
			if (next == 44) {
				v->fragment = true;
				v->later_fragment = (be16(v->l4 + 2) & 0xfff8) != 0;
				v->ip_id = be32(v->l4 + 4);
			}
			next = v->l4[0];
			v->l4 += ext;
			v->l4_len -= ext;
			v->l4_wire -= ext;
		}
		v->proto = next;
	} else {
		return false;
	}
	if (v->l4_len > v->l4_wire)
		v->l4_len = (size_t)v->l4_wire;		/* Ethernet padding */
	return true;
}

static bool decode_eth(const uint8_t *p, size_t len, uint64_t wire, struct view *v)
{
	size_t at = 12;

	for (unsigned tags = 0; tags < 3; tags++) {
		unsigned type;

		if (len < at + 2)
			return false;
		type = be16(p + at);
		if (type != 0x8100 && type != 0x88a8)
			return decode_ip(p + at + 2, len - at - 2, wire - at - 2, type, v);
		at += 4;
	}
	return false;
}

/*
 * Whether all bytes are the stream's if the payload begins at offset tag:from. The word
 * that holds the first byte begins up to 7 bytes before the payload.
 */
static bool is_pattern(const uint8_t *p, size_t len, uint64_t tag, uint64_t from)
{
	for (size_t i = 0; i < len;) {
		uint64_t at = from + i;
		uint64_t word = htobe64(tag << 48 | ((at & ~UINT64_C(7)) & OFFSET_MASK));
		size_t skip = at % 8, n = 8 - skip;

		if (n > len - i)
			n = len - i;
		if (memcmp(p + i, (const uint8_t *)&word + skip, n) != 0)
			return false;
		i += n;
	}
	return true;
}

static struct flow *find_flow(struct checker *c, uint64_t hash)
{
	for (size_t i = 0; i < FLOW_SLOTS; i++) {
		struct flow *f = &c->flows[(hash + i) & (FLOW_SLOTS - 1)];

		if (f->hash == hash || f->hash == 0)
			return f;
	}
	die("", "too many flows");
	return NULL;
}

/* The stream range of a TCP payload; false when it cannot be known. */
static bool tcp_range(struct checker *c, const struct view *v, struct sighting *s)
{
	size_t head, len;
	const uint8_t *p;
	uint64_t wire, tag = 0, from = 0, hash;
	unsigned candidates = 0;
	struct flow *f;

	if (v->l4_len < 20)
		return false;
	head = (size_t)(v->l4[12] >> 4) * 4;
	if (head < 20 || v->l4_len < head)
		return false;
	p = v->l4 + head;
	len = v->l4_len - head;
	wire = v->l4_wire - head;
	if (wire == 0)
		return false;
	hash = hash_bytes(v->l4, 4, hash_bytes(v->addrs, v->addrs_len, 99));
	f = find_flow(c, hash);
	for (size_t a = 0; a < 8 && a + 8 <= len; a++) {
		uint64_t word = be64(p + a);

		if ((word & 7) != 0 || (word & OFFSET_MASK) < a)
			continue;
		if (is_pattern(p, len, word >> 48, (word & OFFSET_MASK) - a)) {
			tag = word >> 48;
			from = (word & OFFSET_MASK) - a;
			candidates++;
		}
	}
	if (candidates != 1 || len < PATTERN_SURE) {
		if (f->hash == 0)
			return false;
		tag = f->tag;
		from = f->offset + (uint64_t)(int64_t)(int32_t)(be32(v->l4 + 4) - f->seq);
		if (!is_pattern(p, len, tag, from)) {
			c->bad_tcp++;
			return false;
		}
	} else {
		f->hash = hash;
		f->tag = tag;
		f->offset = from;
		f->seq = be32(v->l4 + 4);
	}
	s->kind = KIND_TCP;
	s->key = tag;
	s->from = from;
	s->to = from + wire;
	return true;
}

static bool of_interest(const struct checker *c, const struct view *v)
{
	return c->n_only == 0 || (v->l4_len >= 4 && (has_port(c->only, c->n_only, be16(v->l4)) ||
						    has_port(c->only, c->n_only, be16(v->l4 + 2))));
}

static struct fragment *fragment_slot(struct checker *c, const struct view *v, unsigned iface)
{
	uint64_t h = hash_bytes(v->addrs, v->addrs_len, 7);

	h = hash_bytes(&v->ip_id, sizeof(v->ip_id), h);
	h = hash_bytes(&v->proto, 1, h);
	h = hash_bytes(&iface, sizeof(iface), h);
	/*
	 * A slot is overwritten by the next datagram that falls there: fragments follow closely.
	 * Where a first fragment is missing, an older datagram of that id is not meant.
	 */
	struct fragment *f = &c->fragments[h & (FRAGMENT_SLOTS - 1)];

	if (!v->later_fragment) {
		f->hash = h;
		f->ns = c->now_ns;
	}
	return f->hash == h && c->now_ns - f->ns < FRAGMENT_AGE_NS ? f : NULL;
}

/* Of an ICMP error: the number of the datagram that it quotes from q on. */
static bool quoted_number(const struct checker *c, const uint8_t *q, size_t len, unsigned proto,
			  uint64_t *ret_key)
{
	struct view v;

	if (!decode_ip(q, len, UINT32_MAX, proto == 1 ? 0x0800 : 0x86dd, &v) || v.proto != 17 ||
	    v.later_fragment || v.l4_len < 16 || has_port(c->ports, c->n_ports, be16(v.l4 + 2)))
		return false;
	*ret_key = ERROR_BIT | be64(v.l4 + 8);
	return true;
}

/* Fills s's identity; false: the frame has none. depth: VXLAN headers passed. */
static bool identify(struct checker *c, const uint8_t *p, size_t len, uint64_t wire,
		     unsigned depth, struct sighting *s)
{
	struct fragment *f = NULL;
	struct view v;
	bool found = false;

	s->hash = hash_bytes(p, len, 5);
	if (depth)
		s->place |= PLACE_ENCAP;
	if (!decode_eth(p, len, wire, &v))
		return false;
	if (v.fragment)
		f = fragment_slot(c, &v, s->place / PLACES_PER_INTERFACE * 2 + depth);
	if (v.later_fragment) {
		if (!f || f->kind == KIND_N)
			return false;
		s->kind = f->kind;
		s->key = f->key;
		if (f->encap)
			s->place |= PLACE_ENCAP;
		s->from = s->to = 0;
		s->first_fragment = false;
		return f->kind != KIND_TCP; /* its bytes were counted with the first */
	}
	s->first_fragment = true;
	s->from = s->to = 0;
	if (v.proto == 17 && v.l4_len >= 8) {
		unsigned dport = be16(v.l4 + 2);

		if (depth == 0 && has_port(c->ports, c->n_ports, dport) && v.l4_len >= 16 + 14 &&
		    (v.l4[8] & 0x08)) {
			/* A first outer fragment: UDP's length says how long the inner frame is. */
			uint64_t all = v.fragment ? be16(v.l4 + 4) : v.l4_wire;

			found = all > 16 && identify(c, v.l4 + 16, v.l4_len - 16, all - 16, 1, s);
		} else if (v.l4_len >= 16 && of_interest(c, &v)) {
			s->kind = KIND_UDP;
			s->key = be64(v.l4 + 8);
			/* Replies bear the highest bit and are never sent together. */
			if (c->together > 1 && !(s->key >> 63))
				s->key /= c->together;
			found = true;
		}
	} else if ((v.proto == 1 || v.proto == 58) && v.l4_len >= 8) {
		unsigned type = v.l4[0];

		if (v.proto == 1 ? type == 8 || type == 0 : type == 128 || type == 129) {
			s->kind = KIND_ICMP;
			s->key = (uint64_t)v.proto << 40 | (uint64_t)type << 32 | be32(v.l4 + 4);
			found = true;
		} else if (v.proto == 1 ? type == 3 || type == 11 : type >= 1 && type <= 4) {
			found = quoted_number(c, v.l4 + 8, v.l4_len - 8, v.proto, &s->key);
			s->kind = KIND_ICMP;
		}
	} else if (v.proto == 6 && of_interest(c, &v)) {
		found = tcp_range(c, &v, s);
	}
	if (f) {
		f->kind = found ? s->kind : KIND_N;
		f->key = s->key;
		f->encap = s->place & PLACE_ENCAP;
	}
	return found;
}

/* ----------------------------------------------------------------- reading */

static uint32_t le32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

static uint16_t le16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return le16toh(v);
}

static void add_iface(struct checker *c, const uint8_t *body, size_t len)
{
	struct iface *i = &c->ifaces[c->n_ifaces];
	size_t at = 8;

	if (c->n_ifaces == INTERFACES_MAX)
		die("", "too many interfaces");
	snprintf(i->name, sizeof(i->name), "%u", c->n_ifaces);
	i->tsresol = 6;
	c->n_ifaces++;
	while (len - at >= 4 && len > at) {
		unsigned code = le16(body + at), olen = le16(body + at + 2);

		at += 4;
		if (code == 0 || olen > len - at)
			break;
		if (code == 2)
			snprintf(i->name, sizeof(i->name), "%.*s", (int)olen,
				 (const char *)body + at);
		if (code == 9 && olen >= 1)
			i->tsresol = body[at];
		at += (olen + 3u) & ~3u;
		if (at > len)
			break;
	}
}

static uint64_t to_ns(uint64_t ts, unsigned tsresol)
{
	for (; tsresol < 9; tsresol++)
		ts *= 10;
	return ts;
}

static struct sighting *new_sighting(struct checker *c)
{
	if (c->n == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 1u << 16;
		c->list = realloc(c->list, c->cap * sizeof(*c->list));
		if (!c->list)
			die("", "out of memory");
	}
	memset(&c->list[c->n], 0, sizeof(c->list[0]));
	return &c->list[c->n];
}

static void add_frame(struct checker *c, const uint8_t *body, size_t len, bool learn)
{
	uint32_t iface = le32(body), caplen = le32(body + 12), wire = le32(body + 16);
	uint64_t ts = (uint64_t)le32(body + 4) << 32 | le32(body + 8), id = 0;
	size_t at = 20 + (((size_t)caplen + 3) & ~(size_t)3);
	struct sighting *s;
	unsigned direction = 0;

	if (iface >= c->n_ifaces || caplen > len - 20 || at > len)
		die("", "a packet block contradicts itself");
	while (len - at >= 4) {
		unsigned code = le16(body + at), olen = le16(body + at + 2);

		at += 4;
		if (code == 0 || olen > len - at)
			break;
		if (code == 2 && olen == 4)
			direction = le32(body + at) & 3;
		if (code == 5 && olen == 8) {
			memcpy(&id, body + at, 8);
			id = le64toh(id);
		}
		at += (olen + 3u) & ~3u;
		if (at > len)
			break;
	}
	ts = to_ns(ts, c->ifaces[iface].tsresol);
	c->now_ns = ts;
	s = new_sighting(c);
	s->place = (uint16_t)(iface * PLACES_PER_INTERFACE + direction);
	s->kind = KIND_N;
	s->packet_id = id;
	if (learn) {
		identify(c, body + 20, caplen, wire, 0, s);
		return;
	}
	if (ts < c->last_ts && c->backsteps++ < SHOW_MAX)
		printf("frame %" PRIu64 " (%s): %" PRIu64 " ns before the frame ahead of it\n",
		       c->frames + 1, c->ifaces[iface].name, c->last_ts - ts);
	c->last_ts = ts;
	s->frame = (uint32_t)++c->frames;
	c->ifaces[iface].frames++;
	c->ifaces[iface].bytes += wire;
	if (!identify(c, body + 20, caplen, wire, 0, s)) {
		c->unidentified++;
		return;
	}
	c->ifaces[iface].of_kind[s->kind]++;
	if (s->kind == KIND_TCP)
		c->ifaces[iface].tcp_bytes += s->to - s->from;
	if (id == 0 && c->no_id++ < SHOW_MAX)
		printf("frame %" PRIu32 ": no packet id\n", s->frame);
	c->n++;
}

/*
 * One walk over the blocks. The first (learn) only finds out where flows are in their
 * stream, because a flow may begin with segments too short to tell.
 */
static void read_blocks(struct checker *c, const uint8_t *p, size_t size, bool learn)
{
	c->n_ifaces = 0;
	for (size_t at = 0; at < size;) {
		uint32_t type, len;

		if (size - at < 12)
			die("", "the file ends inside a block");
		type = le32(p + at);
		len = le32(p + at + 4);
		if (len < 12 || len % 4 || len > size - at)
			die("", "a block length is wrong");
		if (at == 0 && (type != 0x0a0d0d0a || le32(p + 8) != 0x1a2b3c4d))
			die("", "not a little-endian pcapng file");
		if (type == 1 && len >= 20)
			add_iface(c, p + at + 8, len - 12);
		else if (type == 6 && len >= 32)
			add_frame(c, p + at + 8, len - 12, learn);
		at += len;
	}
}

/* --------------------------------------------------------------- comparing */

static int by_key(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->packet_id != y->packet_id)
		return x->packet_id < y->packet_id ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static int by_id(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->packet_id != y->packet_id)
		return x->packet_id < y->packet_id ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->from != y->from)
		return x->from < y->from ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static const char *place_name(const struct checker *c, const struct sighting *s)
{
	return c->ifaces[s->place / PLACES_PER_INTERFACE].name;
}

static double pairs(uint64_t n)
{
	return (double)n * (double)(n - (n > 0)) / 2;
}

static void error_line(struct checker *c, uint64_t nth, const struct sighting *a,
		       const struct sighting *b, const char *what)
{
	c->errors++;
	if (nth >= SHOW_MAX)
		return;
	printf("%s: %s frame %" PRIu32 " (%s, id %" PRIu64 ", %s %" PRIu64 ") and frame %" PRIu32
	       " (%s, id %" PRIu64 ", %" PRIu64 ")\n", what, kind_names[a->kind], a->frame,
	       place_name(c, a), a->packet_id, a->kind == KIND_TCP ? "byte" : "number",
	       a->kind == KIND_TCP ? a->from : a->key, b->frame, place_name(c, b),
	       b->packet_id, b->kind == KIND_TCP ? b->from : b->key);
}

static int by_number(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

/* Numbers that are sent more than once: the how manieth this is becomes a part of the key. */
static void count_sendings(struct checker *c)
{
	uint64_t nth = 0, key = 0;

	qsort(c->list, c->n, sizeof(c->list[0]), by_number);
	for (size_t i = 0; i < c->n; i++) {
		struct sighting *s = &c->list[i];

		nth = i && s->kind == s[-1].kind && s->key == key && s->place == s[-1].place
			      ? nth + 1 : 0;
		key = s->key;
		if (s->kind == KIND_TCP)
			continue;
		if (nth >= SENDINGS_MAX || (key & ~(REPLY_BIT | ERROR_BIT)) >= UINT64_C(1) << 40)
			die("", "numbers too large, or sent too often, for -d");
		s->key = (key & (REPLY_BIT | ERROR_BIT)) |
			 (key & ~(REPLY_BIT | ERROR_BIT)) * SENDINGS_MAX | nth;
	}
}

/* What the bytes of packet id are at the first place that showed it; false: it is not there. */
static bool bytes_of(const struct checker *c, uint64_t id, uint64_t *ret_hash)
{
	const struct sighting *first = NULL;

	for (size_t i = 0; i < c->n; i++)
		if (c->list[i].packet_id == id && (!first || c->list[i].frame < first->frame))
			first = &c->list[i];
	*ret_hash = 0;
	for (size_t i = 0; first && i < c->n; i++)
		if (c->list[i].packet_id == id && c->list[i].place == first->place)
			*ret_hash += c->list[i].hash;
	return first != NULL;
}

/* Nobody could tell these packets apart: each is in all its bytes equal to another of them. */
static void check_twins(struct checker *c)
{
	uint64_t equal = 0, a, b;

	for (size_t i = 0; i < c->n_twins; i++) {
		bool found = false;

		for (size_t k = 0; k < c->n_twins && !found; k++)
			found = k != i && c->twins[k] != c->twins[i] &&
				bytes_of(c, c->twins[i], &a) && bytes_of(c, c->twins[k], &b) &&
				a == b;
		equal += found;
		if (!found) {
			c->errors++;
			printf("id %" PRIu64 " differs from all others that are said to be like "
			       "it\n", c->twins[i]);
		}
	}
	if (c->n_twins)
		printf("twins=%zu equal=%" PRIu64 "\n", c->n_twins, equal);
}

static void parse_twins(struct checker *c, const char *list)
{
	char *end;

	c->twins = calloc(strlen(list) + 1, sizeof(*c->twins));
	if (!c->twins)
		die("", "out of memory");
	for (; *list; list = *end ? end + 1 : end) {
		c->twins[c->n_twins++] = strtoull(list, &end, 10);
		if (end == list)
			die("", "-e takes ids, separated by commas");
	}
}

/* Datagrams: list sorted by key. Sets *ret_distinct. */
static void check_numbers(struct checker *c, enum kind kind, unsigned want_hops,
			  uint64_t want_count)
{
	uint64_t distinct = 0, split = 0, short_of = 0, n_kind = 0, merged = 0;
	double truth = 0, claim = 0, both = 0;
	size_t i, j, k;

	qsort(c->list, c->n, sizeof(c->list[0]), by_key);
	for (i = 0; i < c->n; i = j) {
		uint64_t hops = 0;

		for (j = i; j < c->n && c->list[j].kind == c->list[i].kind &&
		     c->list[j].key == c->list[i].key; j++)
			;
		if (c->list[i].kind != kind)
			continue;
		distinct++;
		n_kind += j - i;
		truth += pairs(j - i);
		for (k = i; k < j;) {
			size_t first = k;

			for (; k < j && c->list[k].packet_id == c->list[first].packet_id; k++)
				hops |= UINT64_C(1) << c->list[k].place;
			both += pairs(k - first);
			if (first > i)
				error_line(c, split++, &c->list[i], &c->list[first], "split");
		}
		if (want_hops > 0 && (unsigned)__builtin_popcountll(hops) != want_hops) {
			c->errors++;
			if (short_of++ < SHOW_MAX)
				printf("%s number %" PRIu64 " seen at %d interfaces, %u expected\n",
				       kind_names[kind], c->list[i].key,
				       __builtin_popcountll(hops), want_hops);
		}
	}
	if (n_kind == 0 && want_count == 0)
		return;
	qsort(c->list, c->n, sizeof(c->list[0]), by_id);
	for (i = 0; i < c->n; i = j) {
		uint64_t of_kind = 0;
		bool counted = false;

		for (j = i; j < c->n && c->list[j].packet_id == c->list[i].packet_id; j++) {
			of_kind += c->list[j].kind == kind;
			if (c->list[j].kind == c->list[i].kind && c->list[j].key == c->list[i].key)
				continue;
			if (!counted && (c->list[j].kind == kind || c->list[i].kind == kind))
				error_line(c, merged++, &c->list[i], &c->list[j], "merged");
			counted = true;
		}
		claim += pairs(of_kind);
	}
	if (want_count > 0 && distinct != want_count) {
		c->errors++;
		printf("%s: %" PRIu64 " numbers, %" PRIu64 " expected\n", kind_names[kind],
		       distinct, want_count);
	}
	printf("%s frames=%" PRIu64 " numbers=%" PRIu64 " split=%" PRIu64 " merged=%" PRIu64
	       " wrong_hops=%" PRIu64 " precision=%.6f recall=%.6f\n", kind_names[kind], n_kind,
	       distinct, split, merged, short_of, claim > 0 ? both / claim : 1,
	       truth > 0 ? both / truth : 1);
}

/* Bytes that the sorted ranges a[0..n) and b[0..m) have in common. */
static uint64_t common_bytes(const struct sighting *a, size_t n, const struct sighting *b,
			     size_t m)
{
	uint64_t sum = 0;

	for (size_t i = 0, j = 0; i < n && j < m;) {
		uint64_t lo = a[i].from > b[j].from ? a[i].from : b[j].from;
		uint64_t hi = a[i].to < b[j].to ? a[i].to : b[j].to;

		if (lo < hi)
			sum += hi - lo;
		if (a[i].to < b[j].to)
			i++;
		else
			j++;
	}
	return sum;
}

static int by_stream(const void *a, const void *b)
{
	const struct sighting *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return x->from < y->from ? -1 : x->from > y->from;
}

/* Distinct stream bytes at each interface; they must agree wherever the stream was seen. */
static void check_coverage(struct checker *c, uint64_t want_bytes)
{
	uint64_t most = 0;

	qsort(c->list, c->n, sizeof(c->list[0]), by_stream);
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0, j; i < c->n; i = j) {
			uint64_t bytes = 0, end = 0;

			for (j = i; j < c->n && c->list[j].place == c->list[i].place &&
			     c->list[j].key == c->list[i].key; j++) {
				if (c->list[j].kind != KIND_TCP)
					continue;
				if (c->list[j].to <= end)
					continue;
				bytes += c->list[j].to -
					 (c->list[j].from > end ? c->list[j].from : end);
				end = c->list[j].to;
			}
			if (bytes == 0)
				continue;
			if (pass == 0) {
				most = bytes > most ? bytes : most;
				printf("tcp stream 0x%" PRIx64 " at %s: %" PRIu64 " bytes\n",
				       c->list[i].key, place_name(c, &c->list[i]), bytes);
			} else if (want_bytes > 0 && bytes != want_bytes) {
				c->errors++;
				printf("tcp stream 0x%" PRIx64 " at %s: %" PRIu64
				       " bytes expected\n", c->list[i].key,
				       place_name(c, &c->list[i]), want_bytes);
			}
		}
	}
}

static void check_tcp(struct checker *c, unsigned want_hops, uint64_t want_bytes)
{
	uint64_t ids = 0, segments = 0, overlaps = 0, mixed = 0, gaps = 0, wrong_hops = 0;
	uint64_t stream_hops[PLACES_MAX] = { 0 };
	double truth = 0, claim = 0, both = 0;
	size_t i, j;

	qsort(c->list, c->n, sizeof(c->list[0]), by_id);
	for (i = 0; i < c->n; i = j) {
		size_t start[PLACES_MAX], count[PLACES_MAX];
		unsigned n = 0, ref = 0;

		for (j = i; j < c->n && c->list[j].packet_id == c->list[i].packet_id; j++) {
			const struct sighting *s = &c->list[j];

			if (s->kind != c->list[i].kind || s->key != c->list[i].key) {
				if (s->kind == KIND_TCP)
					error_line(c, mixed++, &c->list[i], s, "mixed");
				continue;
			}
			if (s->kind != KIND_TCP)
				continue;
			segments++;
			if (n == 0 || c->list[start[n - 1]].place != s->place) {
				if (c->reference &&
				    strcmp(place_name(c, s), c->reference) == 0)
					ref = n;
				start[n] = j;
				count[n++] = 0;
			} else if (c->list[j - 1].to > s->from) {
				error_line(c, overlaps++, &c->list[j - 1], s,
					   "bytes twice in one packet");
			}
			count[n - 1]++;
		}
		if (n == 0)
			continue;
		ids++;
		stream_hops[n < PLACES_MAX ? n : 0]++;
		if (want_hops > 0 && n != want_hops) {
			c->errors++;
			if (wrong_hops++ < SHOW_MAX)
				printf("tcp id %" PRIu64 " (frame %" PRIu32 ", %s) seen at %u "
				       "interfaces, %u expected\n", c->list[i].packet_id,
				       c->list[i].frame, place_name(c, &c->list[i]), n,
				       want_hops);
		}
		for (unsigned h = 0; h < n; h++) {
			uint64_t want = 0, have = 0, same;

			if (h == ref)
				continue;
			for (size_t k = 0; k < count[ref]; k++)
				want += c->list[start[ref] + k].to - c->list[start[ref] + k].from;
			for (size_t k = 0; k < count[h]; k++)
				have += c->list[start[h] + k].to - c->list[start[h] + k].from;
			same = common_bytes(&c->list[start[ref]], count[ref], &c->list[start[h]],
					    count[h]);
			truth += (double)want;
			claim += (double)have;
			both += (double)same;
			if (same != want || same != have)
				error_line(c, gaps++, &c->list[start[ref]], &c->list[start[h]],
					   "other bytes at the next interface");
		}
	}
	if (ids == 0 && want_bytes == 0)
		return;
	printf("tcp segments=%" PRIu64 " ids=%" PRIu64 " mixed=%" PRIu64 " overlaps=%" PRIu64
	       " gaps=%" PRIu64 " wrong_hops=%" PRIu64 " precision=%.6f recall=%.6f\n", segments,
	       ids, mixed, overlaps, gaps, wrong_hops, claim > 0 ? both / claim : 1,
	       truth > 0 ? both / truth : 1);
	printf("tcp ids by number of interfaces:");
	for (unsigned h = 1; h < PLACES_MAX; h++) {
		if (stream_hops[h])
			printf(" %u:%" PRIu64, h, stream_hops[h]);
	}
	printf("\n");
	check_coverage(c, want_bytes);
}

static void usage(FILE *to)
{
	fputs("usage: groundtruth [options] FILE.pcapng\n"
	      "  -p PORT   UDP port of VXLAN (8472), repeatable\n"
	      "  -o PORT   only TCP and UDP with this source or destination port, repeatable\n"
	      "  -H N      every datagram and every TCP packet is seen at N interfaces\n"
	      "  -n COUNT  so many different UDP numbers\n"
	      "  -i COUNT  so many different echoes (requests and replies)\n"
	      "  -b BYTES  so many different bytes of each TCP stream, at each interface\n"
	      "  -g N      N datagrams in a row were given to the kernel at once: one packet\n"
	      "  -d        numbers may be sent more than once (below 2^40)\n"
	      "  -e IDS    these packets are ambiguous: each is equal to another one of them\n"
	      "  -r NAME   interface whose bytes the others are compared with\n"
	      "Exit status: 0 all agrees, 1 something does not, 2 not to be checked.\n", to);
}

int main(int argc, char **argv)
{
	struct checker c = { 0 };
	uint64_t want_numbers = 0, want_echoes = 0, want_bytes = 0;
	unsigned want_hops = 0;
	struct stat st;
	uint8_t *map;
	int opt, fd;

	while ((opt = getopt(argc, argv, "b:de:g:hH:i:n:o:p:r:")) != -1) {
		switch (opt) {
		case 'b':
			want_bytes = strtoull(optarg, NULL, 0);
			break;
		case 'd':
			c.repeated = true;
			break;
		case 'e':
			parse_twins(&c, optarg);
			break;
		case 'h':
			usage(stdout);
			return 0;
		case 'H':
			want_hops = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'i':
			want_echoes = strtoull(optarg, NULL, 0);
			break;
		case 'n':
			want_numbers = strtoull(optarg, NULL, 0);
			break;
		case 'o':
			if (c.n_only < PORTS_MAX)
				c.only[c.n_only++] = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'p':
			if (c.n_ports < PORTS_MAX)
				c.ports[c.n_ports++] = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'g':
			c.together = strtoull(optarg, NULL, 0);
			break;
		case 'r':
			c.reference = optarg;
			break;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (argc - optind != 1) {
		usage(stderr);
		return 2;
	}
	if (c.n_ports == 0)
		c.ports[c.n_ports++] = 8472;
	fd = open(argv[optind], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die(strerror(errno), argv[optind]);
	if (!S_ISREG(st.st_mode) || st.st_size == 0)
		die("not a capture file", argv[optind]);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		die(strerror(errno), argv[optind]);
	c.fragments = calloc(FRAGMENT_SLOTS, sizeof(*c.fragments));
	c.flows = calloc(FLOW_SLOTS, sizeof(*c.flows));
	if (!c.fragments || !c.flows)
		die("", "out of memory");

	read_blocks(&c, map, (size_t)st.st_size, true);
	memset(c.fragments, 0, FRAGMENT_SLOTS * sizeof(*c.fragments));
	memset(c.ifaces, 0, sizeof(c.ifaces));
	c.bad_tcp = 0;
	read_blocks(&c, map, (size_t)st.st_size, false);

	printf("frames=%" PRIu64 " interfaces=%u backsteps=%" PRIu64 " no_id=%" PRIu64
	       " unidentified=%" PRIu64 " bad_tcp=%" PRIu64 "\n", c.frames, c.n_ifaces,
	       c.backsteps, c.no_id, c.unidentified, c.bad_tcp);
	for (unsigned i = 0; i < c.n_ifaces; i++) {
		printf("interface %s frames=%" PRIu64 " bytes=%" PRIu64 " udp=%" PRIu64 " icmp=%"
		       PRIu64 " tcp=%" PRIu64 " tcp_bytes=%" PRIu64 "\n", c.ifaces[i].name,
		       c.ifaces[i].frames, c.ifaces[i].bytes, c.ifaces[i].of_kind[KIND_UDP],
		       c.ifaces[i].of_kind[KIND_ICMP], c.ifaces[i].of_kind[KIND_TCP],
		       c.ifaces[i].tcp_bytes);
	}
	if (c.repeated)
		count_sendings(&c);
	check_twins(&c);
	check_numbers(&c, KIND_UDP, want_hops, want_numbers);
	check_numbers(&c, KIND_ICMP, want_hops, want_echoes);
	check_tcp(&c, want_hops, want_bytes);
	if (c.backsteps || c.no_id || c.bad_tcp)
		c.errors++;
	printf("%s\n", c.errors ? "DISAGREES" : "agrees");
	munmap(map, (size_t)st.st_size);
	free(c.fragments);
	free(c.flows);
	free(c.list);
	free(c.twins);
	close(fd);
	return c.errors ? 1 : 0;
}
