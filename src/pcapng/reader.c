/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reader.c - opens a capture, finds out its format, hands out its events.
 *
 * Theory of operation
 *
 * All inputs go through one window (window.c), also memory, so that what is
 * tested on memory is what reads files. A block (or a record of classic pcap)
 * is looked at only when all of it is in the window; it is then passed over
 * as a whole, and what was found in it is handed out as pointers into the
 * window, which stay good until the window is filled again: in the next call.
 * So a frame costs no copy and no allocation. What has to outlive that call
 * (interfaces, names, podhop's own comment) is copied when its block is read,
 * bounded by the limits below.
 *
 * A pipe may deliver half a block. The half stays in the window and the call
 * says PCAPNG_EVENT_IDLE; the next call starts at the same block again. IDLE
 * therefore implies that the window holds no whole block, and that waiting for
 * the file descriptor is right.
 *
 * The end and errors are final: they are kept and repeated, so a caller with
 * many inputs need not remember which ones are through.
 */
#include "pcapng_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC_LEN 4u
#define REASON_MAX 256		/* bytes of an error's reason; names no strings of the file */

static const struct {
	const char *name;
	uint8_t len;
	uint8_t magic[MAGIC_LEN];
} compressions[] = {
	{ "xz", 4, { 0xfd, '7', 'z', 'X' } },
	{ "bzip2", 3, { 'B', 'Z', 'h' } },
	{ "lz4", 4, { 0x04, 0x22, 0x4d, 0x18 } },
};

int pcapng_reader_bad(const struct pcapng_reader *r, struct err *err, const char *fmt, ...)
{
	char reason[REASON_MAX];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(reason, sizeof(reason), fmt, args);
	va_end(args);
	return err_set(err, -EBADMSG, "%s: bad at offset %llu: %s", r->name,
		       (unsigned long long)r->block_offset, reason);
}

int pcapng_reader_need_slow(struct pcapng_reader *r, size_t need, const char *what,
			    struct err *err)
{
	int rc = pcapng_window_fill(&r->win, need);
	uint64_t end = r->win.offset + pcapng_window_left(&r->win);

	switch (rc) {
	case 0:
		return 0;
	case -EAGAIN:
		return PCAPNG_EVENT_IDLE;
	case -ENODATA:
		return err_set(err, -ENODATA,
			       "%s: cut short at offset %llu: %s needs %zu bytes, %zu left",
			       r->name, (unsigned long long)r->win.offset, what, need,
			       pcapng_window_left(&r->win));
	case -EBADMSG:
		return err_set(err, -EBADMSG, "%s: bad at offset %llu: the %s data is damaged",
			       r->name, (unsigned long long)end,
			       pcapng_packing_name(r->win.packing));
	default:
		return err_sys(err, rc, "%s: read at offset %llu", r->name,
			       (unsigned long long)r->win.offset);
	}
}

int pcapng_reader_add_if(struct pcapng_reader *r, struct pcapng_if **ret_if, struct err *err)
{
	struct pcapng_if *i;

	if (r->n_ifs == PCAPNG_INTERFACES_MAX)
		return pcapng_reader_bad(r, err, "more than %d interfaces",
					 PCAPNG_INTERFACES_MAX);
	if (r->n_ifs == r->size_ifs) {
		unsigned size = r->size_ifs ? 2 * r->size_ifs : 8;
		struct pcapng_if **ifs = realloc(r->ifs, size * sizeof(*ifs));

		if (!ifs)
			return err_sys(err, -ENOMEM, "%s", r->name);
		r->ifs = ifs;
		r->size_ifs = size;
	}
	/* Each on its own: pointers handed out stay good while others are added. */
	i = calloc(1, sizeof(*i));
	if (!i)
		return err_sys(err, -ENOMEM, "%s", r->name);
	i->pub.if_recv = -1;
	i->pub.if_drop = -1;
	i->pub.os_drop = -1;
	i->pub.filter_accept = -1;
	i->pub.section = r->n_sections ? r->n_sections - 1 : 0;
	r->ifs[r->n_ifs++] = i;
	*ret_if = i;
	return 0;
}

static int not_a_capture(const struct pcapng_reader *r, struct err *err)
{
	return err_set(err, -EBADMSG, "%s: not a capture file (neither pcapng nor pcap)", r->name);
}

/* Decides the format by the first bytes: 0, PCAPNG_EVENT_IDLE or -errno. */
static int detect(struct pcapng_reader *r, struct err *err)
{
	int rc = pcapng_reader_need(r, MAGIC_LEN, "file header", err);

	if (rc != 0 && rc != -ENODATA)
		return rc;

	const uint8_t *p = pcapng_window_at(&r->win);
	size_t left = pcapng_window_left(&r->win);

	if (left < MAGIC_LEN && r->win.cut)
		return err_set(err, -ENODATA, "%s: cut short at its beginning", r->name);
	if (left == 0)
		return err_set(err, -ENODATA, "%s: empty", r->name);
	enum pcapng_packing packing = r->win.unpacker ? PCAPNG_PLAIN : pcapng_packing_of(p, left);
	if (packing) {
		rc = pcapng_window_unpack(&r->win, packing);
		return rc < 0 ? err_sys(err, rc, "%s", r->name) : detect(r, err);
	}
	for (size_t i = 0; i < sizeof(compressions) / sizeof(compressions[0]); i++)
		if (left >= compressions[i].len &&
		    !memcmp(p, compressions[i].magic, compressions[i].len))
			return err_set(err, -EBADMSG, "%s: compressed with %s, unpack it first",
				       r->name, compressions[i].name);
	if (left < MAGIC_LEN)
		return not_a_capture(r, err);
	if (pcapng_classic_is_magic(p)) {
		r->format = PCAPNG_FORMAT_CLASSIC;
		return 0;
	}
	if (pcapng_load32(false, p) != NG_SHB)
		return not_a_capture(r, err);
	/* That was a line end or two: only the byte order magic makes sure. */
	rc = pcapng_reader_need(r, NG_BLOCK_MIN, "block", err);
	if (rc != 0)
		return rc;
	p = pcapng_window_at(&r->win);
	if (pcapng_load32(false, p + 8) != NG_BYTE_ORDER_MAGIC &&
	    pcapng_load32(true, p + 8) != NG_BYTE_ORDER_MAGIC)
		return not_a_capture(r, err);
	r->format = PCAPNG_FORMAT_NG;
	return 0;
}

bool pcapng_is_capture(const uint8_t *head, size_t n)
{
	enum pcapng_packing packing = pcapng_packing_of(head, n);
	uint8_t plain[MAGIC_LEN] = { 0 };

	if (packing) {
		struct pcapng_unpacker *u = pcapng_unpacker_new(packing);
		size_t got = 0, len = 0, before;
		int rc = u ? 0 : -ENOMEM;

		while (rc == 0 && got < sizeof(plain)) {
			before = n;
			rc = pcapng_unpack(u, &head, &n, plain + got, sizeof(plain) - got, &len);
			got += len;
			if (!len && n == before)
				break;
		}
		pcapng_unpacker_free(u);
		head = plain;
		n = got;
	}
	return n >= MAGIC_LEN &&
	       (pcapng_load32(false, head) == NG_SHB || pcapng_classic_is_magic(head));
}

static struct pcapng_reader *reader_new(const char *name, struct err *err)
{
	struct pcapng_reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->win.fd = -1;
		r->name = strdup(name);
	}
	if (!r || !r->name) {
		err_sys(err, -ENOMEM, "%s", name);
		free(r);
		return NULL;
	}
	return r;
}

struct pcapng_reader *pcapng_reader_open(const char *path, struct err *err)
{
	const char *name = strcmp(path, "-") ? path : "standard input";
	struct pcapng_reader *r = reader_new(name, err);

	if (!r)
		return NULL;
	/* A pipe's first bytes may be long in coming: they are judged when read. */
	if (pcapng_window_open(&r->win, path, name, err) < 0 ||
	    (r->win.is_regular && detect(r, err) < 0)) {
		pcapng_reader_free(r);
		return NULL;
	}
	return r;
}

struct pcapng_reader *pcapng_reader_from_memory(const void *data, size_t len, const char *name,
						struct err *err)
{
	struct pcapng_reader *r = reader_new(name, err);

	if (!r)
		return NULL;
	pcapng_window_of_memory(&r->win, data, len);
	if (detect(r, err) < 0) {
		pcapng_reader_free(r);
		return NULL;
	}
	return r;
}

/* What the input has said so far. */
static void forget(struct pcapng_reader *r)
{
	for (unsigned i = 0; i < r->n_ifs; i++)
		free(r->ifs[i]);
	free(r->comment);
	r->comment = NULL;
	for (unsigned i = 0; i < r->n_notes; i++)
		free(r->notes[i]);
	r->n_notes = 0;
	r->n_ifs = r->first_if = r->n_sections = 0;
	r->n_names = r->name_text_len = 0;
}

int pcapng_reader_rewind(struct pcapng_reader *r, struct err *err)
{
	int rc = pcapng_window_rewind(&r->win);

	if (rc < 0)
		return err_sys(err, rc, "%s: read again", r->name);
	forget(r);
	r->format = PCAPNG_FORMAT_UNKNOWN;
	r->swapped = false;
	r->block_offset = r->frames = 0;
	r->is_final = false;
	return detect(r, err);
}

struct pcapng_reader *pcapng_reader_again(const struct pcapng_reader *of, size_t window_bytes,
					  struct err *err)
{
	struct pcapng_reader *r = reader_new(of->name, err);
	int rc;

	if (!r)
		return NULL;
	r->frames_only = true;
	rc = pcapng_window_again(&r->win, &of->win, window_bytes);
	if (rc < 0)
		err_sys(err, rc, "%s: read again", r->name);
	if (rc < 0 || detect(r, err) < 0) {
		pcapng_reader_free(r);
		return NULL;
	}
	return r;
}

void pcapng_reader_free(struct pcapng_reader *r)
{
	if (!r)
		return;
	forget(r);
	pcapng_window_done(&r->win);
	free(r->ifs);
	free(r->names);
	free(r->name_text);
	free(r->name);
	free(r);
}

int pcapng_reader_set_nonblocking(struct pcapng_reader *r, struct err *err)
{
	(void)err;
	r->win.nonblocking = true;
	return 0;
}

void pcapng_reader_set_stepwise(struct pcapng_reader *r)
{
	r->stepwise = true;
}

int pcapng_reader_fd(const struct pcapng_reader *r)
{
	return r->win.fd;
}

static int next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err)
{
	int rc = 0;

	if (!r->is_final) {
		if (r->format == PCAPNG_FORMAT_UNKNOWN)
			rc = detect(r, &r->final_err);
		if (r->format == PCAPNG_FORMAT_NG)
			rc = pcapng_ng_next(r, ret_frame, &r->final_err);
		else if (r->format == PCAPNG_FORMAT_CLASSIC)
			rc = pcapng_classic_next(r, ret_frame, &r->final_err);
		if (rc > 0)
			return rc;
		/* All blocks are whole, but there were more of them. */
		if (rc == 0 && r->win.cut)
			rc = err_set(&r->final_err, -ENODATA,
				     "%s: cut short at offset %llu: the %s data has no end",
				     r->name, (unsigned long long)r->win.offset,
				     pcapng_packing_name(r->win.packing));
		r->is_final = true;
		r->final = rc;
	}
	if (r->final < 0 && err)
		*err = r->final_err;
	return r->final;
}

int pcapng_reader_next(struct pcapng_reader *r, struct pcapng_frame *ret_frame, struct err *err)
{
	int rc = next(r, ret_frame, err);

	ret_frame->n_interfaces = r->n_ifs;
	return rc;
}

unsigned pcapng_reader_n_interfaces(const struct pcapng_reader *r)
{
	return r->n_ifs;
}

const struct pcapng_interface *pcapng_reader_interface(const struct pcapng_reader *r, unsigned i)
{
	return i < r->n_ifs ? &r->ifs[i]->pub : NULL;
}

uint64_t pcapng_reader_offset(const struct pcapng_reader *r)
{
	return r->block_offset;
}

unsigned pcapng_reader_n_notes(const struct pcapng_reader *r)
{
	return r->n_notes;
}

const char *pcapng_reader_note(const struct pcapng_reader *r, unsigned i)
{
	return r->notes[i];
}

const char *pcapng_reader_section_comment(const struct pcapng_reader *r)
{
	return r->comment ? r->comment : "";
}

bool pcapng_reader_is_regular(const struct pcapng_reader *r)
{
	return r->win.is_regular;
}

void pcapng_reader_names(const struct pcapng_reader *r,
			 void (*fn)(void *arg, const struct addr *addr, const char *name),
			 void *arg)
{
	for (size_t i = 0; i < r->n_names; i++)
		fn(arg, &r->names[i].addr, r->name_text + r->names[i].text);
}
