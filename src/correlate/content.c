/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * content.c - what a packet carried, in a form that another capture's can be held against.
 *
 * Theory of operation
 *
 * Hops of one node are told apart by hashes of equal pieces (observe.c). The far node may have cut
 * or merged a packet elsewhere, so its payload is summed up besides, in a way that adds up over
 * any cut (struct result_sum): words lie where the stream's sequence numbers, or the datagram's
 * offsets, put them.
 *
 *      bytes        |a b c d|e f g h|i ...           word n of the stream: sequence number 4 n
 *      segment 1    |a b c d|e f 0 0|                words, placed:  W0, W1'    0 W0 + 1 W1'
 *      segment 2            |0 0 g h|i ...                           W1''               1 W1''
 *
 * The same sum, folded to 16 bits, is that of the transport checksum (RFC 1071), so whether that
 * is right costs no second reading of the bytes.
 *
 * Only verify asks for any of it (correlate_config.contents).
 */
#include "correlate_priv.h"

#include <string.h>

#include "podhop/bytes.h"
#include "podhop/hash.h"

#define WORD 4u
#define WORD_NUMBERS ((uint64_t)UINT32_MAX / WORD + 1) /* of a stream; then they begin anew */
#define BLOCK 32u /* words that are summed at once */
#define TCP_WINDOW 14
#define TCP_CHECKSUM 16
#define TCP_URGENT 18
#define TCP_HEADER 20u
#define UDP_CHECKSUM 6
#define UDP_HEADER 8u
#define ICMP_CHECKSUM 2
#define ICMP_HEADER 8u
#define IP4_HEADER 20u
#define IP6_HEADER 40u
#define IP4_DF 0x40 /* in the first byte of the fragment word */
#define L4_LEN_MAX 65535u /* what is larger goes on in segments: their checksums count */
#define ONES 0xffffu

/* ---------------------------------------------------------------------- sums */

static uint64_t load_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* n < WORD bytes that begin at byte `skip` of a word. */
static uint64_t load_part(const uint8_t *p, uint32_t n, uint32_t skip)
{
	uint64_t w = 0;

	for (uint32_t i = 0; i < n; i++)
		w |= (uint64_t)p[i] << 8 * (skip + i);
	return w;
}

/*
 * BLOCK words at p; ret_numbered: each times its number, from 0. Two words a step, from the last
 * to the first, so that each is added once for itself and once for each in front of it: no
 * multiplication, and a third of the time.
 */
static uint64_t sum_block(const uint8_t *p, uint64_t *ret_numbered)
{
	uint64_t even = 0, odd = 0, evens = 0, odds = 0;

	for (uint32_t k = BLOCK / 2; k-- > 0;) {
		even += load_le32(p + 2 * WORD * k);
		odd += load_le32(p + 2 * WORD * k + WORD);
		evens += even;
		odds += odd;
	}
	*ret_numbered = 2 * (evens - even) + 2 * (odds - odd) + odd;
	return even + odd;
}

/* n bytes at p, the first of which is byte `at` of its stream or datagram. */
static void sum_bytes(const uint8_t *p, uint32_t n, uint32_t at, struct result_sum *s)
{
	const uint32_t skip = at % WORD;
	uint64_t place = at / WORD, words = 0, placed = 0;

	s->bytes = n;
	if (skip) {
		uint32_t k = n < WORD - skip ? n : WORD - skip;

		words = load_part(p, k, skip);
		placed = words * place;
		place = (place + 1) % WORD_NUMBERS;
		p += k;
		n -= k;
	}
	while (n >= WORD) {
		uint64_t w = load_le32(p), numbered = 0;
		uint32_t k = 1;

		if (n >= BLOCK * WORD && place <= WORD_NUMBERS - BLOCK) {
			w = sum_block(p, &numbered);
			k = BLOCK;
		}
		words += w;
		placed += w * place + numbered;
		place = (place + k) % WORD_NUMBERS;
		p += k * WORD;
		n -= k * WORD;
	}
	if (n) {
		uint64_t w = load_part(p, n, 0);

		words += w;
		placed += w * place;
	}
	s->words = words;
	s->placed = placed;
}

/* ------------------------------------------------------------------ checksum */

/*
 * One's complement sums, of whole little-endian words as RFC 1071 allows: folding makes of any
 * of them what the sum of its 16-bit words is.
 */
static uint32_t fold(uint64_t sum)
{
	while (sum > ONES)
		sum = (sum & ONES) + (sum >> 16);
	return (uint32_t)sum;
}

/* n: a multiple of WORD, as all headers are. */
static uint64_t sum_header(const uint8_t *p, uint32_t n)
{
	uint64_t sum = 0;

	for (uint32_t i = 0; i + WORD <= n; i += WORD)
		sum += load_le32(p + i);
	return sum;
}

static uint32_t swap16(uint32_t v)
{
	return (v << 8 & 0xff00) | (v >> 8 & 0xff);
}

/* RFC 9293 and RFC 768 over IPv4, RFC 8200 section 8.1 over IPv6. */
static uint64_t sum_pseudo_header(const struct content_frame *w, uint32_t l4_len)
{
	const uint8_t *addresses = w->data + w->ip + (w->is_v4 ? 12 : 8);

	return sum_header(addresses, w->is_v4 ? 8 : 32) + swap16(l4_len & ONES) +
	       swap16(l4_len >> 16) + swap16(w->protocol);
}

/* Offset of the checksum in its header, and that header's length; 0: none that is looked at. */
static uint32_t checksum_place(uint8_t protocol, uint32_t *ret_header)
{
	switch (protocol) {
	case MODEL_PROTO_TCP:
		*ret_header = TCP_HEADER;
		return TCP_CHECKSUM;
	case MODEL_PROTO_UDP:
		*ret_header = UDP_HEADER;
		return UDP_CHECKSUM;
	case MODEL_PROTO_ICMP:
	case MODEL_PROTO_ICMPV6:
		*ret_header = ICMP_HEADER;
		return ICMP_CHECKSUM;
	default:
		return 0;
	}
}

/* o->content.sum is that of the payload, whose first byte is byte `at` of the words in it. */
static enum result_checksum checksum_of(const struct content_frame *w, uint32_t at,
					const struct correlate_obs *o)
{
	const uint8_t *l4 = w->data + w->l4;
	uint32_t header = 0, place = checksum_place(w->protocol, &header), bears, payload;
	const uint32_t l4_len = w->payload - w->l4 + w->payload_len;
	uint64_t pseudo = 0;

	/* Routing headers and the like change what the pseudo-header is made of. */
	if (!place || w->is_frag || o->content.sum.cut || l4_len > L4_LEN_MAX ||
	    w->payload - w->l4 < header || (!w->is_v4 && w->ip_header_len != IP6_HEADER))
		return RESULT_CHECKSUM_UNKNOWN;
	bears = (uint32_t)l4[place] | (uint32_t)l4[place + 1] << 8;
	if (w->protocol == MODEL_PROTO_UDP && !bears)
		return RESULT_CHECKSUM_NONE;
	if (w->protocol != MODEL_PROTO_ICMP)
		pseudo = sum_pseudo_header(w, l4_len);
	if (bears == fold(pseudo) && w->protocol != MODEL_PROTO_ICMP)
		return RESULT_CHECKSUM_PARTIAL;
	payload = fold(o->content.sum.words);
	if (at % 2)
		payload = swap16(payload);
	if (fold(pseudo + sum_header(l4, w->payload - w->l4) + payload) == ONES)
		return RESULT_CHECKSUM_RIGHT;
	/* Before it is cut, or behind the merging: the segments' own checksums count. */
	return (o->flags & OBS_LARGE) || o->segment ? RESULT_CHECKSUM_UNKNOWN
						    : RESULT_CHECKSUM_WRONG;
}

/* --------------------------------------------------------------- observation */

void content_clear(struct correlate_obs *o)
{
	o->content = (struct correlate_content){ .sum.cut = true };
}

/* What nothing may change, and no hash of a stream's segments has. */
static uint32_t fixed_of(const struct content_frame *w)
{
	const uint8_t *l4 = w->data + w->l4;
	uint64_t df = w->is_v4 && (w->data[w->ip + 6] & IP4_DF), tcp = 0;

	if (w->protocol == MODEL_PROTO_TCP && w->payload - w->l4 >= TCP_HEADER &&
	    w->caplen - w->l4 >= TCP_HEADER)
		tcp = (uint64_t)bytes_load_be16(l4 + TCP_WINDOW) << 16 |
		      bytes_load_be16(l4 + TCP_URGENT);
	return (uint32_t)hash_mix(tcp, df, 7);
}

#define LEAD_BYTES ((uint32_t)sizeof(uint64_t))

/* 0 unless all of it was captured; of a datagram in fragments the first one has it. */
static uint64_t lead_of(const struct content_frame *w, uint32_t have)
{
	const uint8_t *p = w->data + w->payload;
	uint64_t lead = 0;
	uint32_t n = w->payload_len < LEAD_BYTES ? w->payload_len : LEAD_BYTES;

	if (w->protocol != MODEL_PROTO_UDP || w->frag_off || have < n)
		return 0;
	for (uint32_t i = 0; i < n; i++)
		lead |= (uint64_t)p[i] << 8 * i;
	return lead;
}

void content_observe(const struct content_frame *w, struct correlate_obs *o)
{
	struct correlate_content *k = &o->content;
	const uint32_t have = w->payload < w->caplen ? w->caplen - w->payload : 0;
	uint32_t at = w->is_frag && w->frag_off ? w->frag_off : w->payload - w->l4;

	if (!w->payload || !w->l4 || w->l4 > w->caplen || w->is_quote)
		return;
	if (o->kind == KIND_TCP_DATA)
		at = o->seq;
	k->sum.cut = w->payload > w->caplen || have < w->payload_len;
	sum_bytes(w->data + w->payload, have < w->payload_len ? have : w->payload_len, at, &k->sum);
	k->checksum = (uint8_t)checksum_of(w, at, o);
	k->fixed = fixed_of(w);
	k->tos = w->is_v4 ? w->data[w->ip + 1] : (uint8_t)(bytes_load_be16(w->data + w->ip) >> 4);
	k->lead = lead_of(w, have);
}

/* -------------------------------------------------------------------- packet */

static void add(struct result_sum *to, const struct result_sum *s)
{
	to->words += s->words;
	to->placed += s->placed;
	to->bytes += s->bytes;
	to->cut |= s->cut;
}

/* TCP: of segments the worst checksum counts. */
static void join(struct correlate_content *to, const struct correlate_content *k)
{
	add(&to->sum, &k->sum);
	if (!to->lead)
		to->lead = k->lead;
	if (k->checksum > to->checksum)
		to->checksum = k->checksum;
}

void content_note(struct correlate *c, uint32_t i, const struct correlate_obs *o, uint16_t place)
{
	struct packet_content *k = &c->content[i];

	if (!k->seen) {
		*k = (struct packet_content){ .c = o->content, .place = place, .seen = true };
	} else if (k->place == place) {
		join(&k->c, &o->content);
	} else {
		k->c.sum.cut = true; /* between two pods of this node: no other node sees it */
	}
}

void content_move(struct correlate *c, uint32_t parent, uint32_t child)
{
	struct packet_content *p = &c->content[parent];
	const struct packet_content *q = &c->content[child];

	if (!q->seen)
		return;
	if (!p->seen)
		*p = *q;
	else
		join(&p->c, &q->c);
}

void content_fill(const struct correlate *c, uint32_t i, struct result_packet *r)
{
	const struct packet_content *k = &c->content[i];

	r->sum.cut = true;
	r->has_contents = k->seen;
	if (!k->seen)
		return;
	r->sum = k->c.sum;
	r->fixed = k->c.fixed;
	r->lead = k->c.lead;
	r->checksum = k->c.checksum;
	r->tos = k->c.tos;
}
