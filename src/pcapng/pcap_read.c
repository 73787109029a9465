/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pcap_read.c - classic pcap files (draft-ietf-opsawg-pcap).
 *
 *   file header, 24 bytes                   record, 16 (24) bytes and data
 *   | magic                    u32 |        | seconds since 1970 u32      |
 *   | major u16 | minor        u16 |        | us or ns           u32      |
 *   | reserved                 u32 |        | caplen             u32      |
 *   | reserved                 u32 |        | len                u32      |
 *   | snaplen                  u32 |        [ ifindex u32, protocol u16,  ]
 *   | FCS 4 bits, f 1, linktype 16 |        [ packet type u8, padding u8  ]
 *
 * The byte order is the writer's and shows in the magic number. The fields in
 * brackets exist in files of the old "modified" kernel patch (0xa1b2cd34) only.
 *
 * Tolerated, as libpcap and Wireshark do: caplen above snaplen (up to
 * PCAPNG_FRAME_MAX), a time fraction of a second or more (it is added), len
 * below caplen (caplen counts), anything in the reserved fields.
 */
#include "pcapng_priv.h"

#include <errno.h>

#define MAGIC_US 0xa1b2c3d4u
#define MAGIC_NS 0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u
#define HEADER_LEN 24u
#define RECORD_LEN 16u
#define RECORD_LEN_MODIFIED 24u
#define VERSION_MAJOR 2u
#define FCS_PRESENT 0x04000000u	/* the f bit: the four bits above count 16-bit words of FCS */
#define FCS_SHIFT 28

static bool known_magic(uint32_t magic)
{
	return magic == MAGIC_US || magic == MAGIC_NS || magic == MAGIC_MODIFIED;
}

bool pcapng_classic_is_magic(const uint8_t magic[static 4])
{
	return known_magic(pcapng_load32(false, magic)) || known_magic(pcapng_load32(true, magic));
}

static int read_header(struct pcapng_reader *r, struct err *err)
{
	int rc = pcapng_reader_need(r, HEADER_LEN, "file header", err);

	if (rc != 0)
		return rc;

	const uint8_t *p = pcapng_window_at(&r->win);

	r->swapped = !known_magic(pcapng_load32(false, p));

	uint32_t magic = pcapng_load32(r->swapped, p);
	uint16_t major = pcapng_load16(r->swapped, p + 4);
	uint16_t minor = pcapng_load16(r->swapped, p + 6);
	uint32_t link = pcapng_load32(r->swapped, p + 20);

	if (major != VERSION_MAJOR)
		return pcapng_reader_bad(r, err, "pcap version %u.%u is not known", major, minor);

	struct pcapng_if *i;

	rc = pcapng_reader_add_if(r, &i, err);
	if (rc < 0)
		return rc;
	i->pub.snaplen = pcapng_load32(r->swapped, p + 16);
	i->pub.linktype = (uint16_t)link;
	if (link & FCS_PRESENT)
		i->fcs_len = (uint8_t)(2 * (link >> FCS_SHIFT));
	r->n_sections = 1;
	r->classic.record_len = magic == MAGIC_MODIFIED ? RECORD_LEN_MODIFIED : RECORD_LEN;
	r->classic.frac_ns = magic == MAGIC_NS ? 1 : 1000;
	r->classic.swap_lens = minor < 3;
	r->classic.maybe_swap_lens = minor == 3;
	pcapng_window_pass(&r->win, HEADER_LEN);
	return 0;
}

int pcapng_classic_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err)
{
	int rc;

	if (r->n_sections == 0) {
		rc = read_header(r, err);
		if (r->n_sections == 0)
			return rc;
	}
	r->block_offset = r->win.offset;

	size_t head = r->classic.record_len;

	rc = pcapng_reader_need(r, head, "record", err);
	/* Between two records, and only there, the input may end. */
	if (rc == -ENODATA && pcapng_window_left(&r->win) == 0)
		return PCAPNG_EVENT_END;
	if (rc != 0)
		return rc;

	const uint8_t *p = pcapng_window_at(&r->win);
	uint32_t sec = pcapng_load32(r->swapped, p);
	uint32_t frac = pcapng_load32(r->swapped, p + 4);
	uint32_t caplen = pcapng_load32(r->swapped, p + 8);
	uint32_t len = pcapng_load32(r->swapped, p + 12);

	if (r->classic.swap_lens || (r->classic.maybe_swap_lens && caplen > len)) {
		uint32_t swap = caplen;

		caplen = len;
		len = swap;
	}
	if (caplen > PCAPNG_FRAME_MAX)
		return pcapng_reader_bad(r, err, "a frame of %u bytes, at most %u are possible",
					 caplen, PCAPNG_FRAME_MAX);
	rc = pcapng_reader_need(r, head + caplen, "record", err);
	if (rc != 0)
		return rc;
	p = pcapng_window_at(&r->win);
	*ret_frame = (struct pcapng_frame){
		.frame = {
			.time_ns = (int64_t)sec * NS_PER_S + (int64_t)frac * r->classic.frac_ns,
			.data = p + head,
			.caplen = caplen,
			.len = len,
		},
	};
	pcapng_window_pass(&r->win, head + caplen);
	return pcapng_reader_give(r, r->ifs[0]->fcs_len, &ret_frame->frame);
}
