/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ng_read.c - the blocks of a pcapng input.
 *
 * Theory of operation
 *
 * draft-ietf-opsawg-pcapng, 3.1: an input is a row of blocks,
 *
 *   | type u32 | total length u32 | body, padded to 4 | total length u32 |
 *
 * whose length counts everything and says it twice. A section header block
 * (SHB) starts a section and tells its byte order; interface numbers count
 * from 0 again in each section. Outside, interfaces are numbered over all
 * sections: first_if is the number of the current section's first one.
 *
 * What is tolerated and what is refused is what several readers agree on:
 * tolerated are unknown blocks, options and name records, missing and early
 * opt_endofopt, options of a wrong length (ignored), options given twice (the
 * first counts), any section length, caplen above the snap length, len below
 * caplen, any time. Refused, because the rest of the input cannot be trusted:
 * lengths that contradict themselves or each other, anything that runs past its
 * block, frames of an interface that was not described. Custom blocks,
 * decryption secrets and journal entries are passed over.
 *
 * Frames are the hot path: next_usual_frame() reads the usual ones in one go and leaves
 * everything else, errors included, to the long way. Both must say the same of what both
 * read: tests/fuzz/fuzz_pcapng.c holds them against each other.
 */
#include "pcapng_priv.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Names kept of one input. A cluster has some thousands of pods; what a file
 * has beyond that is a repetition or an attempt to use up memory.
 */
#define NAMES_MAX 65536u
#define NAME_TEXT_MAX (8u << 20)
#define NAME_LEN_MAX 255u	/* of a domain name, RFC 1035, 2.3.4 */

#define COMMENT_START "podhop "

#define DEFAULT_TSRESOL 6	/* microseconds, when the file does not say */
#define TSRESOL_BINARY 0x80u	/* powers of 2, else of 10 */

#define FLAG_FCS_SHIFT 5		/* epb_flags, bits 5 to 8: octets of FCS */
#define FLAG_FCS_MASK 15u

/* An option's head as one word of this machine's byte order. */
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define NG_OPTION_HEAD(code, len) ((uint32_t)(len) << 16 | (code))
#define NG_OPTION_CODE(head) ((head) & 0xffffu)
#define NG_OPTION_LEN(head) ((head) >> 16)
#else
#define NG_OPTION_HEAD(code, len) ((uint32_t)(code) << 16 | (len))
#define NG_OPTION_CODE(head) ((head) >> 16)
#define NG_OPTION_LEN(head) ((head) & 0xffffu)
#endif

struct block {
	uint32_t type;
	const uint8_t *body;
	size_t len;		/* of the body */
};

/* --------------------------------------------------------------------- time */

static const uint64_t powers10[] = {
	1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
	10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
	1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u,
	10000000000000000000u,
};
#define POWERS10 (sizeof(powers10) / sizeof(powers10[0]))
#define NS_DIGITS 9u

/* seconds * 10^9 + ns, held at the ends of the range. */
static int64_t join_time(int64_t seconds, uint32_t ns)
{
	if (seconds < MODEL_TIME_MIN_NS / NS_PER_S)
		return MODEL_TIME_MIN_NS;
	if (seconds > MODEL_TIME_MAX_NS / NS_PER_S)
		return MODEL_TIME_MAX_NS;

	const int64_t t = seconds * NS_PER_S + ns;

	return t > MODEL_TIME_MAX_NS ? MODEL_TIME_MAX_NS : t;
}

/*
 * Any if_tsresol and if_tsoffset, exactly (rounded down to a nanosecond):
 * seconds and the rest apart, so that nothing needs more than 64 bits.
 */
static int64_t time_long_way(const struct pcapng_if *i, uint64_t ticks)
{
	unsigned n = i->ts_resol & (TSRESOL_BINARY - 1);
	uint64_t sec = 0, rest = ticks;
	uint32_t ns;

	if (i->ts_resol & TSRESOL_BINARY) {
		if (n < 64) {
			sec = ticks >> n;
			rest = ticks & ((UINT64_C(1) << n) - 1);
		}
		/* rest * 10^9 / 2^n: rest in two halves, the product would need 94 bits */
		uint64_t high = (rest >> 32) * NS_PER_S;
		uint64_t low = (rest & UINT32_MAX) * NS_PER_S;

		if (n <= 32)
			ns = (uint32_t)(low >> n);	/* then high is 0 */
		else
			ns = n - 32 < 64 ? (uint32_t)((high + (low >> 32)) >> (n - 32)) : 0;
	} else {
		if (n < POWERS10) {
			sec = ticks / powers10[n];
			rest = ticks % powers10[n];
		}
		if (n <= NS_DIGITS)
			ns = (uint32_t)(rest * powers10[NS_DIGITS - n]);
		else
			ns = n - NS_DIGITS < POWERS10 ?
				(uint32_t)(rest / powers10[n - NS_DIGITS]) : 0;
	}

	int64_t s = sec > INT64_MAX ? INT64_MAX : (int64_t)sec;

	if (__builtin_add_overflow(s, i->ts_offset, &s))
		s = i->ts_offset < 0 ? INT64_MIN : INT64_MAX;
	return join_time(s, ns);
}

static inline int64_t time_of(const struct pcapng_if *i, uint64_t ticks)
{
	if (i->ts_mult && ticks <= i->ts_limit)
		return (int64_t)(ticks * i->ts_mult);
	return time_long_way(i, ticks);
}

static void prepare_time(struct pcapng_if *i)
{
	if (i->ts_resol > NS_DIGITS || i->ts_offset)
		return;
	i->ts_mult = powers10[NS_DIGITS - i->ts_resol];
	i->ts_limit = MODEL_TIME_MAX_NS / i->ts_mult;
}

/* ------------------------------------------------------------------- blocks */

static int bad_option(const struct pcapng_reader *r, struct err *err)
{
	return pcapng_reader_bad(r, err, "an option runs past the end of its block");
}

/* Keeps the first comment that podhop wrote: it says what was captured. */
static int keep_comment(struct pcapng_reader *r, const struct pcapng_option *o, struct err *err)
{
	const char *text = (const char *)o->value;
	size_t len = strnlen(text, o->len);

	if (r->comment || len < strlen(COMMENT_START) ||
	    memcmp(text, COMMENT_START, strlen(COMMENT_START)) != 0)
		return 0;
	len = pcapng_utf8_copy(NULL, SIZE_MAX, text, len);
	r->comment = malloc(len + 1);
	if (!r->comment)
		return err_sys(err, -ENOMEM, "%s", r->name);
	pcapng_option_string(r->comment, len + 1, o->value, o->len);
	return 0;
}

/* A comment of podhop's on an interface or its statistics; beyond the limits it is left out. */
static int keep_note(struct pcapng_reader *r, const struct pcapng_option *o, struct err *err)
{
	size_t len = strnlen((const char *)o->value, o->len);
	char *text;

	if (r->frames_only || r->n_notes == PCAPNG_NOTES_MAX || len < strlen(COMMENT_START) ||
	    len >= PCAPNG_STRING_MAX || memcmp(o->value, COMMENT_START, strlen(COMMENT_START)) != 0)
		return 0;
	text = malloc(PCAPNG_STRING_MAX);
	if (!text)
		return err_sys(err, -ENOMEM, "%s", r->name);
	pcapng_option_string(text, PCAPNG_STRING_MAX, o->value, o->len);
	r->notes[r->n_notes++] = text;
	return 0;
}

/* The byte order was set by whoever found the block's length. */
static int read_shb(struct pcapng_reader *r, const struct block *k, struct err *err)
{
	struct bytes b = bytes_of(k->body, k->len);
	const uint8_t *head = bytes_take(&b, NG_SHB_MIN - NG_BLOCK_MIN);
	struct pcapng_option o;
	int more;

	if (!head)
		return pcapng_reader_bad(r, err, "section header block of %zu bytes, %u are needed",
					 k->len + NG_BLOCK_MIN, NG_SHB_MIN);

	uint16_t major = pcapng_load16(r->swapped, head + 4);
	uint16_t minor = pcapng_load16(r->swapped, head + 6);

	/* 1.2 was written by some and means 1.0 (draft, 4.1). */
	if (major != 1 || (minor != 0 && minor != 2))
		return pcapng_reader_bad(r, err, "pcapng version %u.%u is not known", major, minor);
	while ((more = pcapng_option_next(&b, r->swapped, &o)) > 0) {
		if (o.code != NG_OPT_COMMENT)
			continue;

		int rc = keep_comment(r, &o, err);

		if (rc < 0)
			return rc;
	}
	if (more < 0)
		return bad_option(r, err);
	r->n_sections++;
	r->first_if = r->n_ifs;
	return 0;
}

/* An address and its mask; the mask's leading ones count. */
static struct prefix prefix_of_v4(const uint8_t *p)
{
	uint32_t mask = bytes_load_be32(p + 4);

	return (struct prefix){
		.addr = addr_from_v4(p),
		.len = (uint8_t)(~mask ? __builtin_clz(~mask) : 32),
	};
}

/*
 * False when there is no such prefix. A mapped IPv4 address is one of IPv4 to
 * all of podhop, so its 96 bits in front do not count.
 */
static bool prefix_of_v6(const uint8_t *p, struct prefix *ret_prefix)
{
	struct addr addr = addr_from_v6(p);
	uint8_t front = addr_is_v4(&addr) ? 96 : 0;

	if (p[16] > 128 || p[16] < front)
		return false;
	*ret_prefix = (struct prefix){ .addr = addr, .len = (uint8_t)(p[16] - front) };
	return true;
}

/*
 * Octets of FCS. The draft counts bits, the example in older drafts and some
 * writers count octets: 4 and 32 both mean what every Ethernet has.
 */
static uint8_t fcs_octets(uint8_t value)
{
	switch (value) {
	case 2: case 16: return 2;
	case 4: case 32: return 4;
	default: return 0;
	}
}

static void read_if_option(struct pcapng_if *i, bool swapped, const struct pcapng_option *o)
{
	struct pcapng_interface *pub = &i->pub;

	switch (o->code) {
	case NG_IF_NAME:
		pcapng_option_string(pub->name, sizeof(pub->name), o->value, o->len);
		break;
	case NG_IF_DESCRIPTION:
		pcapng_option_string(pub->description, sizeof(pub->description), o->value, o->len);
		break;
	case NG_IF_FILTER:
		pub->has_filter = o->len > 1;
		/* The first byte tells the kind; 0, the only one with text, is libpcap's. */
		if (o->len > 1 && o->value[0] == 0)
			pcapng_option_string(pub->filter, sizeof(pub->filter), o->value + 1,
					     o->len - 1u);
		break;
	case NG_IF_IPV4:
		if (o->len == 8 && pub->n_addrs < MODEL_HOP_ADDRS_MAX)
			pub->addrs[pub->n_addrs++] = prefix_of_v4(o->value);
		break;
	case NG_IF_IPV6:
		if (o->len == 17 && pub->n_addrs < MODEL_HOP_ADDRS_MAX &&
		    prefix_of_v6(o->value, &pub->addrs[pub->n_addrs]))
			pub->n_addrs++;
		break;
	case NG_IF_MAC:
		if (o->len == sizeof(pub->mac.b))
			memcpy(pub->mac.b, o->value, sizeof(pub->mac.b));
		break;
	case NG_IF_TSRESOL:
		if (o->len == 1)
			i->ts_resol = o->value[0];
		break;
	case NG_IF_TSOFFSET:
		if (o->len == 8)
			i->ts_offset = (int64_t)pcapng_load64(swapped, o->value);
		break;
	case NG_IF_FCSLEN:
		if (o->len == 1)
			i->fcs_len = fcs_octets(o->value[0]);
		break;
	default:
		break;
	}
}

static int read_idb(struct pcapng_reader *r, const struct block *k, struct err *err)
{
	struct bytes b = bytes_of(k->body, k->len);
	const uint8_t *head = bytes_take(&b, NG_IDB_BODY);
	struct pcapng_option o;
	struct pcapng_if *i;
	uint32_t seen = 0;	/* a bit for each code below 32 */
	int more;

	if (!head)
		return pcapng_reader_bad(r, err, "interface description block is too short");

	int rc = pcapng_reader_add_if(r, &i, err);

	if (rc < 0)
		return rc;
	i->pub.linktype = pcapng_load16(r->swapped, head);
	i->pub.snaplen = pcapng_load32(r->swapped, head + 4);
	i->ts_resol = DEFAULT_TSRESOL;
	while ((more = pcapng_option_next(&b, r->swapped, &o)) > 0) {
		bool many = o.code == NG_IF_IPV4 || o.code == NG_IF_IPV6;

		if (o.code == NG_OPT_COMMENT && keep_note(r, &o, err) < 0)
			return -ENOMEM;
		if (o.code >= 32 || (!many && (seen & (1u << o.code))))
			continue;
		seen |= 1u << o.code;
		read_if_option(i, r->swapped, &o);
	}
	if (more < 0)
		return bad_option(r, err);
	prepare_time(i);
	return 0;
}

/* Finds an interface by its number in the section; NULL and err when there is none. */
static struct pcapng_if *find_if(const struct pcapng_reader *r, uint32_t id, const char *what,
				 struct err *err)
{
	if (id < r->n_ifs - r->first_if)
		return r->ifs[r->first_if + id];
	pcapng_reader_bad(r, err, "%s of interface %u, which is not described before it", what, id);
	return NULL;
}

/*
 * What the options of a packet block say, into f, which is zero so far. The obsolete block has
 * comments and flags in common with the enhanced one.
 */
static int read_frame_options(const struct pcapng_reader *r, struct bytes *b, bool enhanced,
			      struct pcapng_frame *f, struct err *err)
{
	bool has_flags = false, has_drops = false, has_id = false;
	struct pcapng_option o;
	int more;

	while ((more = pcapng_option_next(b, r->swapped, &o)) > 0) {
		if (o.code == NG_OPT_COMMENT) {
			if (f->comment)
				continue;
			f->comment = (const char *)o.value;
			f->comment_len = (uint32_t)strnlen(f->comment, o.len);
		} else if (o.code == NG_EPB_FLAGS && o.len == 4 && !has_flags) {
			f->flags = pcapng_load32(r->swapped, o.value);
			has_flags = true;
		} else if (!enhanced) {
			continue;
		} else if (o.code == NG_EPB_PACKETID && o.len == 8 && !has_id) {
			f->packet_id = pcapng_load64(r->swapped, o.value);
			has_id = true;
		} else if (o.code == NG_EPB_DROPCOUNT && o.len == 8 && !has_drops) {
			f->frame.drops = pcapng_load64(r->swapped, o.value);
			has_drops = true;
		}
	}
	return more < 0 ? bad_option(r, err) : 0;
}

static uint8_t way_of(uint32_t flags)
{
	switch (flags & (PCAPNG_FLAG_IN | PCAPNG_FLAG_OUT)) {
	case PCAPNG_FLAG_IN: return MODEL_WAY_IN;
	case PCAPNG_FLAG_OUT: return MODEL_WAY_OUT;
	default: return MODEL_WAY_UNKNOWN;
	}
}

/* Enhanced and obsolete packet blocks differ in their first word only. */
static int read_frame(struct pcapng_reader *r, const struct block *k, struct pcapng_frame *f,
		      struct err *err)
{
	bool enhanced = k->type == NG_EPB;
	struct bytes b = bytes_of(k->body, k->len);
	const uint8_t *head = bytes_take(&b, NG_EPB_BODY), *data;
	uint32_t id, caplen;

	_Static_assert(NG_PB_BODY == NG_EPB_BODY, "one reader for both");
	if (!head)
		return pcapng_reader_bad(r, err, "packet block is too short");
	id = enhanced ? pcapng_load32(r->swapped, head) : pcapng_load16(r->swapped, head);

	const struct pcapng_if *i = find_if(r, id, "a frame", err);

	if (!i)
		return -EBADMSG;
	caplen = pcapng_load32(r->swapped, head + 12);
	if (caplen > PCAPNG_FRAME_MAX)
		return pcapng_reader_bad(r, err, "a frame of %u bytes, at most %u are possible",
					 caplen, PCAPNG_FRAME_MAX);
	data = bytes_take(&b, PCAPNG_PADDED(caplen));
	if (!data)
		return pcapng_reader_bad(r, err, "a frame of %u bytes in a block of %zu", caplen,
					 k->len + NG_BLOCK_MIN);
	*f = (struct pcapng_frame){
		.frame = {
			.time_ns = time_of(i, pcapng_load_time(r->swapped, head + 4)),
			.data = data,
			.caplen = caplen,
			.len = pcapng_load32(r->swapped, head + 16),
			.hop = (uint16_t)(r->first_if + id),
		},
	};
	if (!enhanced) {
		f->frame.drops = pcapng_load16(r->swapped, head + 2);
		if (f->frame.drops == UINT16_MAX)	/* not known */
			f->frame.drops = 0;
	}
	if (bytes_left(&b)) {
		int rc = read_frame_options(r, &b, enhanced, f, err);

		if (rc < 0)
			return rc;
		f->frame.way = way_of(f->flags);
	}

	uint32_t fcs_len = f->flags >> FLAG_FCS_SHIFT & FLAG_FCS_MASK;

	return pcapng_reader_give(r, fcs_len ? fcs_len : i->fcs_len, &f->frame);
}

/*
 * Simple packet blocks belong to interface 0 and have neither time nor
 * captured length: time_ns is 0, the length follows from the snap length.
 */
static int read_spb(struct pcapng_reader *r, const struct block *k, struct pcapng_frame *f,
		    struct err *err)
{
	struct bytes b = bytes_of(k->body, k->len);
	const struct pcapng_if *i = find_if(r, 0, "a frame", err);
	const uint8_t *head = bytes_take(&b, 4);

	if (!i)
		return -EBADMSG;
	if (!head)
		return pcapng_reader_bad(r, err, "packet block is too short");

	uint32_t len = pcapng_load32(r->swapped, head);
	uint32_t caplen = i->pub.snaplen && i->pub.snaplen < len ? i->pub.snaplen : len;

	if (caplen > PCAPNG_FRAME_MAX || !bytes_has(&b, caplen))
		return pcapng_reader_bad(r, err, "a frame of %u bytes in a block of %zu", caplen,
					 k->len + NG_BLOCK_MIN);
	*f = (struct pcapng_frame){
		.frame = {
			.data = bytes_take(&b, caplen),
			.caplen = caplen,
			.len = len,
			.hop = (uint16_t)r->first_if,
		},
	};
	return pcapng_reader_give(r, i->fcs_len, &f->frame);
}

static int read_isb(struct pcapng_reader *r, const struct block *k, struct pcapng_frame *f,
		    struct err *err)
{
	struct bytes b = bytes_of(k->body, k->len);
	const uint8_t *head = bytes_take(&b, NG_ISB_BODY);
	struct pcapng_option o;
	uint32_t seen = 0;
	int more;

	if (!head)
		return pcapng_reader_bad(r, err, "interface statistics block is too short");

	uint32_t id = pcapng_load32(r->swapped, head);
	struct pcapng_if *i = find_if(r, id, "statistics", err);

	if (!i)
		return -EBADMSG;
	while ((more = pcapng_option_next(&b, r->swapped, &o)) > 0) {
		if (o.code == NG_OPT_COMMENT && keep_note(r, &o, err) < 0)
			return -ENOMEM;
		if (o.len != 8 || o.code > NG_ISB_OSDROP || (seen & (1u << o.code)))
			continue;
		seen |= 1u << o.code;

		int64_t v = pcapng_counter(pcapng_load64(r->swapped, o.value));

		switch (o.code) {
		case NG_ISB_IFRECV: i->pub.if_recv = v; break;
		case NG_ISB_IFDROP: i->pub.if_drop = v; break;
		case NG_ISB_FILTERACCEPT: i->pub.filter_accept = v; break;
		case NG_ISB_OSDROP: i->pub.os_drop = v; break;
		default: break;
		}
	}
	if (more < 0)
		return bad_option(r, err);
	*f = (struct pcapng_frame){
		.frame = {
			.time_ns = time_of(i, pcapng_load_time(r->swapped, head + 4)),
			.hop = (uint16_t)(r->first_if + id),
		},
	};
	return PCAPNG_EVENT_TIME;
}

/* -------------------------------------------------------------------- names */

/* Keeps one name; beyond the limits it is left out, names are a convenience. */
static int keep_name(struct pcapng_reader *r, const struct addr *addr, const char *text,
		     size_t len, struct err *err)
{
	char name[NAME_LEN_MAX + 1];

	pcapng_option_string(name, sizeof(name), (const uint8_t *)text, len);
	len = strlen(name) + 1;
	if (r->frames_only || len == 1 || r->n_names == NAMES_MAX ||
	    len > NAME_TEXT_MAX - r->name_text_len)
		return 0;
	if (r->n_names == r->size_names) {
		size_t size = r->size_names ? 2 * r->size_names : 64;
		struct pcapng_name_ref *names = realloc(r->names, size * sizeof(*names));

		if (!names)
			return err_sys(err, -ENOMEM, "%s", r->name);
		r->names = names;
		r->size_names = size;
	}
	if (len > r->name_text_size - r->name_text_len) {
		size_t size = 2 * r->name_text_size + sizeof(name);
		char *all = realloc(r->name_text, size);

		if (!all)
			return err_sys(err, -ENOMEM, "%s", r->name);
		r->name_text = all;
		r->name_text_size = size;
	}
	memcpy(r->name_text + r->name_text_len, name, len);
	r->names[r->n_names++] = (struct pcapng_name_ref){
		.addr = *addr, .text = r->name_text_len,
	};
	r->name_text_len += len;
	return 0;
}

/* The names of one record: one or more, each ended by a NUL. */
static int read_names(struct pcapng_reader *r, const struct addr *addr, struct bytes *b,
		      struct err *err)
{
	while (bytes_left(b)) {
		const char *text = (const char *)b->data + b->pos;
		size_t len = strnlen(text, bytes_left(b));

		if (len == bytes_left(b))
			return pcapng_reader_bad(r, err, "a name without an end");
		bytes_skip(b, len + 1);

		int rc = keep_name(r, addr, text, len, err);

		if (rc < 0)
			return rc;
	}
	return 0;
}

static int read_nrb(struct pcapng_reader *r, const struct block *k, struct err *err)
{
	struct bytes b = bytes_of(k->body, k->len);
	struct pcapng_option o;
	int more;

	/* Records are shaped like options; 0 ends them, then the options follow. */
	while ((more = pcapng_option_next(&b, r->swapped, &o)) > 0) {
		struct bytes value = bytes_of(o.value, o.len);
		const uint8_t *p;
		struct addr addr;
		int rc;

		if (o.code != NG_NRB_IPV4 && o.code != NG_NRB_IPV6)
			continue;
		p = bytes_take(&value, o.code == NG_NRB_IPV4 ? 4 : 16);
		if (!p)
			return pcapng_reader_bad(r, err, "a name record is too short");
		addr = o.code == NG_NRB_IPV4 ? addr_from_v4(p) : addr_from_v6(p);
		rc = read_names(r, &addr, &value, err);
		if (rc < 0)
			return rc;
	}
	if (more < 0)
		return pcapng_reader_bad(r, err, "a name record runs past the end of its block");
	while ((more = pcapng_option_next(&b, r->swapped, &o)) > 0)
		;
	return more < 0 ? bad_option(r, err) : 0;
}

/* ----------------------------------------------------------------- the walk */

/*
 * Gets the next block as a whole into the window. 0, PCAPNG_EVENT_IDLE, or
 * -errno; -ENODATA with an empty window is the sound end.
 */
static inline int next_block(struct pcapng_reader *r, struct block *ret_block, struct err *err)
{
	/* The shortest block has 12 bytes, and a section tells its byte order there. */
	int rc = pcapng_reader_need(r, NG_BLOCK_MIN, "block", err);

	if (rc != 0)
		return rc;

	const uint8_t *p = pcapng_window_at(&r->win);
	uint32_t type = pcapng_load32(r->swapped, p);

	if (type == NG_SHB) {
		if (pcapng_load32(false, p + 8) == NG_BYTE_ORDER_MAGIC)
			r->swapped = false;
		else if (pcapng_load32(true, p + 8) == NG_BYTE_ORDER_MAGIC)
			r->swapped = true;
		else
			return pcapng_reader_bad(r, err, "byte order magic 0x%08x is not known",
						 pcapng_load32(false, p + 8));
	}

	uint32_t total = pcapng_load32(r->swapped, p + 4);

	if (total < NG_BLOCK_MIN || total % 4)
		return pcapng_reader_bad(r, err, "block length %u", total);
	if (total > PCAPNG_BLOCK_MAX)
		return pcapng_reader_bad(r, err, "block length %u is more than %u", total,
					 PCAPNG_BLOCK_MAX);
	rc = pcapng_reader_need(r, total, "block", err);
	if (rc != 0)
		return rc;
	p = pcapng_window_at(&r->win);

	uint32_t again = pcapng_load32(r->swapped, p + total - 4);

	if (again != total)
		return pcapng_reader_bad(r, err, "block length is %u at its start, %u at its end",
					 total, again);
	*ret_block = (struct block){
		.type = type, .body = p + 8, .len = total - NG_BLOCK_MIN,
	};
	return 0;
}

/* A block's options, of `rest` bytes, if they are usual ones, each given once. */
static inline bool usual_options(const uint8_t *o, uint32_t rest, struct pcapng_frame *f)
{
	bool has_flags = false, has_id = false;

	while (rest >= 4) {
		uint32_t head = pcapng_load32(false, o); /* code, length << 16 */
		uint32_t padded = (uint32_t)PCAPNG_PADDED(NG_OPTION_LEN(head));

		if (!NG_OPTION_CODE(head))
			return true;
		if (padded > rest - 4)
			return false;
		if (head == NG_OPTION_HEAD(NG_EPB_FLAGS, 4) && !has_flags) {
			f->flags = pcapng_load32(false, o + 4);
			has_flags = true;
		} else if (head == NG_OPTION_HEAD(NG_EPB_PACKETID, 8) && !has_id) {
			f->packet_id = pcapng_load64(false, o + 4);
			has_id = true;
		} else if (NG_OPTION_CODE(head) == NG_OPT_COMMENT && !f->comment) {
			f->comment = (const char *)(o + 4);
			f->comment_len = (uint32_t)strnlen(f->comment, NG_OPTION_LEN(head));
		} else {
			return false;
		}
		o += 4 + padded;
		rest -= 4 + padded;
	}
	return !rest;
}

/*
 * The frame at the start of the window when it is what nearly all blocks are: an enhanced packet
 * block of this machine's byte order, all there, sound, with no more than the usual options.
 * 0: it is something else, or something is wrong with it, and the long way tells what.
 */
static inline int next_usual_frame(struct pcapng_reader *r, struct pcapng_frame *f)
{
	const uint8_t *p = pcapng_window_at(&r->win);
	const size_t left = pcapng_window_left(&r->win);
	uint32_t total, id, caplen;

	if (r->swapped || r->stepwise || left < NG_BLOCK_MIN + NG_EPB_BODY ||
	    pcapng_load32(false, p) != NG_EPB)
		return 0;
	total = pcapng_load32(false, p + 4);
	id = pcapng_load32(false, p + 8);
	caplen = pcapng_load32(false, p + 20);
	if (total % 4 || total < NG_BLOCK_MIN + NG_EPB_BODY || total > left ||
	    pcapng_load32(false, p + total - 4) != total || id >= r->n_ifs - r->first_if ||
	    caplen > PCAPNG_FRAME_MAX ||
	    PCAPNG_PADDED(caplen) > total - NG_BLOCK_MIN - NG_EPB_BODY)
		return 0;

	const struct pcapng_if *i = r->ifs[r->first_if + id];

	f->frame.time_ns = time_of(i, pcapng_load_time(false, p + 12));
	f->frame.data = p + 8 + NG_EPB_BODY;
	f->frame.caplen = caplen;
	f->frame.len = pcapng_load32(false, p + 24);
	f->frame.hop = (uint16_t)(r->first_if + id);
	f->frame.way = MODEL_WAY_UNKNOWN;
	f->frame.drops = 0;
	f->packet_id = 0;
	f->flags = 0;
	f->comment = NULL;
	f->comment_len = 0;

	if (!usual_options(f->frame.data + PCAPNG_PADDED(caplen),
			   total - NG_BLOCK_MIN - NG_EPB_BODY - (uint32_t)PCAPNG_PADDED(caplen), f))
		return 0;
	f->frame.way = way_of(f->flags);
	pcapng_window_pass(&r->win, total);

	uint32_t fcs_len = f->flags >> FLAG_FCS_SHIFT & FLAG_FCS_MASK;

	return pcapng_reader_give(r, fcs_len ? fcs_len : i->fcs_len, &f->frame);
}

/* Apart, so that who reads usual frames need not make room for all that this does. */
static __attribute__((noinline)) int next_event(struct pcapng_reader *r,
						struct pcapng_frame *ret_frame, struct err *err)
{
	/* Ends because each turn passes at least 12 bytes of a finite window, or waits. */
	for (;;) {
		struct block k = { .type = 0 };
		int rc;

		r->block_offset = r->win.offset;
		rc = next_block(r, &k, err);
		if (rc == -ENODATA && pcapng_window_left(&r->win) == 0)
			return PCAPNG_EVENT_END;
		if (rc != 0)
			return rc;
		switch (k.type) {
		case NG_EPB:
		case NG_PB:
			rc = read_frame(r, &k, ret_frame, err);
			break;
		case NG_SPB:
			rc = read_spb(r, &k, ret_frame, err);
			break;
		case NG_ISB:
			rc = read_isb(r, &k, ret_frame, err);
			break;
		case NG_SHB:
			rc = read_shb(r, &k, err);
			break;
		case NG_IDB:
			rc = read_idb(r, &k, err);
			break;
		case NG_NRB:
			rc = read_nrb(r, &k, err);
			break;
		default:
			break;
		}
		if (rc < 0)
			return rc;
		pcapng_window_pass(&r->win, k.len + NG_BLOCK_MIN);
		if (rc > 0)
			return rc;
	}
}

int pcapng_ng_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err)
{
	r->block_offset = r->win.offset;
	return next_usual_frame(r, ret_frame) ? PCAPNG_EVENT_FRAME
					      : next_event(r, ret_frame, err);
}
