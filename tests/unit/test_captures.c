/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_captures.c - reader and dissector on real captures of other projects, against their truth.
 *
 * The captures are not part of the source: $PODHOP_CAPTURES names their folder, else
 * ../shared/captures is tried, else the tests are skipped. MANIFEST.tsv has a row a file,
 * VXLAN_FRAMES.tsv one a VXLAN frame (made with tshark and tcpdump).
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dissect_check.h"
#include "podhop/addr.h"
#include "podhop/pcapng.h"
#include "read_file.h"

#define CAPTURES_TSV_MAX (4u << 20)
#define CAPTURES_COLUMNS 32
#define CAPTURES_PATH_MAX 1024
#define CAPTURES_CUTS 64	/* capture lengths tried on each frame */

static const char *captures_dir(void)
{
	const char *dir = getenv("PODHOP_CAPTURES");

	return dir && *dir ? dir : "../shared/captures";
}

/* A table with named columns; the text is cut up in place. */
struct tsv {
	struct buf text;
	char *next;
	char *head[CAPTURES_COLUMNS], *row[CAPTURES_COLUMNS];
	unsigned n_columns;
};

static unsigned tsv_split(struct tsv *t, char *cells[CAPTURES_COLUMNS])
{
	char *line = strsep(&t->next, "\n");
	unsigned n = 0;

	if (!line || *line == '\0')
		return 0;
	for (char *cell; n < CAPTURES_COLUMNS && (cell = strsep(&line, "\t")); n++)
		cells[n] = cell;
	return n;
}

static bool tsv_open(struct tsv *t, const char *name)
{
	char path[CAPTURES_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", captures_dir(), name);
	buf_init(&t->text, CAPTURES_TSV_MAX);
	if (read_file(&t->text, path) < 0)
		return false;
	t->next = t->text.data;
	t->n_columns = tsv_split(t, t->head);
	return t->n_columns != 0;
}

static bool tsv_row(struct tsv *t)
{
	unsigned n = tsv_split(t, t->row);

	for (unsigned i = n; i < CAPTURES_COLUMNS; i++)
		t->row[i] = NULL;
	return n != 0;
}

static const char *tsv_get(const struct tsv *t, const char *column)
{
	for (unsigned i = 0; i < t->n_columns; i++)
		if (strcmp(t->head[i], column) == 0)
			return t->row[i] ? t->row[i] : "";
	fail_msg("no column %s", column);
	return "";
}

static bool tsv_find_frame(struct tsv *t, const char *file, uint64_t number)
{
	/* Small table, few frames: cut it up again for each. */
	buf_done(&t->text);
	if (!tsv_open(t, "VXLAN_FRAMES.tsv"))
		fail_msg("VXLAN_FRAMES.tsv is gone");
	while (tsv_row(t))
		if (strcmp(tsv_get(t, "file"), file) == 0 &&
		    strtoull(tsv_get(t, "frame"), NULL, 10) == number)
			return true;
	return false;
}

#define IS(file, frame, what, got, want) do { \
	if ((uint64_t)(got) != (uint64_t)(want)) \
		fail_msg("%s frame %llu: %s is %llu, not %llu", file, (unsigned long long)(frame), \
			 what, (unsigned long long)(got), (unsigned long long)(want)); \
} while (0)

static void is_addr(const char *file, uint64_t number, const struct addr *got, const char *want)
{
	char out[ADDR_STR_MAX];

	if (strcmp(addr_str(got, out), want) != 0)
		fail_msg("%s frame %llu: %s, not %s", file, (unsigned long long)number, out, want);
}

static void check_inner(const struct tsv *t, const char *file, uint64_t n,
			const struct model_view *v)
{
	static const struct {
		const char *name;
		uint8_t version, protocol;
	} rows[] = {
		{ "eth:ip:icmp", 4, 1 },   { "eth:ip:igmp", 4, 2 },	{ "eth:ip:tcp", 4, 6 },
		{ "eth:ip:udp", 4, 17 },   { "eth:ipv6:tcp", 6, 6 },
	};
	const char *inner = tsv_get(t, "inner_protocols"), *cell;
	bool known = false;

	if (strcmp(inner, "eth:arp") == 0) {
		IS(file, n, "status", v->status, MODEL_VIEW_NOT_IP);
		IS(file, n, "layer", v->layer, MODEL_LAYER_ARP);
		assert_int_not_equal(v->arp_op, 0);
		return;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strncmp(inner, rows[i].name, strlen(rows[i].name)) != 0)
			continue;
		known = true;
		IS(file, n, "inner version", v->ip.version, rows[i].version);
		IS(file, n, "inner protocol", v->ip.protocol, rows[i].protocol);
	}
	if (!known)
		fail_msg("%s: no row for %s", file, inner);
	IS(file, n, "status", v->status, MODEL_VIEW_OK);
	is_addr(file, n, &v->ip.src, tsv_get(t, "inner_src"));
	is_addr(file, n, &v->ip.dst, tsv_get(t, "inner_dst"));
	cell = tsv_get(t, "inner_ip_id");
	if (*cell)
		IS(file, n, "inner id", v->ip.id, strtoul(cell, NULL, 16));
	cell = tsv_get(t, "inner_l4_sport");
	if (*cell) {
		IS(file, n, "inner sport", v->sport, strtoul(cell, NULL, 10));
		IS(file, n, "inner dport", v->dport,
		   strtoul(tsv_get(t, "inner_l4_dport"), NULL, 10));
	}
}

/* What podhop does not call VXLAN, though it is there: inside Geneve, and VXLAN-GPE's own port. */
static bool is_elsewhere(const char *file)
{
	return strstr(file, "geneve-vxlan") || strstr(file, "vxlan-gpe");
}

static void check_vxlan_frame(struct tsv *t, const char *file, uint64_t n,
			      const struct model_frame *f, const struct model_view *v,
			      unsigned *n_vxlan)
{
	bool want = tsv_find_frame(t, file, n) && !is_elsewhere(file);

	IS(file, n, "encap", v->encap, want);
	if (!want)
		return;
	++*n_vxlan;
	IS(file, n, "len", f->len, strtoul(tsv_get(t, "len"), NULL, 10));
	IS(file, n, "caplen", f->caplen, strtoul(tsv_get(t, "caplen"), NULL, 10));
	IS(file, n, "vni", v->vni, strtoul(tsv_get(t, "vnis"), NULL, 10));
	IS(file, n, "outer version", v->outer.version,
	   strtoul(tsv_get(t, "outer_ipver"), NULL, 10));
	is_addr(file, n, &v->outer.src, tsv_get(t, "outer_src"));
	is_addr(file, n, &v->outer.dst, tsv_get(t, "outer_dst"));
	IS(file, n, "outer sport", v->outer_sport, strtoul(tsv_get(t, "outer_sport"), NULL, 10));
	IS(file, n, "outer dport", v->outer_dport, strtoul(tsv_get(t, "outer_dport"), NULL, 10));
	IS(file, n, "outer length", v->outer.len, f->len - v->outer.offset);
	IS(file, n, "inner frame", v->eth_len, f->len - v->encap_len);
	/* The table shows the innermost frame, podhop unwraps one level. */
	if (strtoul(tsv_get(t, "n_vxlan"), NULL, 10) == 1)
		check_inner(t, file, n, v);
}

/* Dissects a frame whole and cut; returns what broke. */
static const char *check_frame(uint16_t linktype, const struct model_frame *f,
			       struct model_view *ret_view)
{
	const char *broken = check_run(linktype, f->data, f->caplen, f->len, ret_view);
	uint32_t len = f->len > f->caplen ? f->len : f->caplen;
	struct model_view cut;

	if (!broken)
		broken = check_view(ret_view, f->caplen, len);
	for (uint32_t n = 0; !broken && n < f->caplen && n < CAPTURES_CUTS * 3; n += 3) {
		broken = check_run(linktype, f->data, n, len, &cut);
		if (!broken)
			broken = check_view(&cut, n, len);
		if (!broken)
			broken = check_cut(&cut, ret_view);
	}
	return broken;
}

static void test_vxlan_files(void **state)
{
	struct tsv manifest, frames = { .n_columns = 0 };
	unsigned n_files = 0, n_vxlan = 0, n_rows = 0;

	(void)state;
	buf_init(&frames.text, CAPTURES_TSV_MAX);
	if (!tsv_open(&manifest, "MANIFEST.tsv")) {
		print_message("captures: no MANIFEST.tsv in %s, set PODHOP_CAPTURES\n",
			      captures_dir());
		buf_done(&manifest.text);
		skip();
	}
	while (tsv_row(&manifest)) {
		const char *file = tsv_get(&manifest, "file");
		char path[CAPTURES_PATH_MAX];
		struct pcapng_reader *r;
		struct pcapng_frame f;
		struct err err = ERR_INIT;
		uint64_t n = 0;
		int event;

		if (strncmp(file, "vxlan/", 6) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", captures_dir(), file);
		r = pcapng_reader_open(path, &err);
		if (!r)
			fail_msg("%s", err.text);
		while ((event = pcapng_reader_next(r, &f, &err)) == PCAPNG_EVENT_FRAME) {
			const struct pcapng_interface *i = pcapng_reader_interface(r, f.frame.hop);
			struct model_view v;
			const char *broken = check_frame(i->linktype, &f.frame, &v);

			n++;
			if (broken)
				fail_msg("%s frame %llu: %s", file, (unsigned long long)n, broken);
			check_vxlan_frame(&frames, file, n, &f.frame, &v, &n_vxlan);
		}
		if (event < 0)
			fail_msg("%s", err.text);
		IS(file, n, "frames", n, strtoul(tsv_get(&manifest, "packets"), NULL, 10));
		pcapng_reader_free(r);
		n_files++;
	}
	assert_true(n_files >= 20);
	/* Every VXLAN frame of the table was met. */
	buf_done(&frames.text);
	assert_true(tsv_open(&frames, "VXLAN_FRAMES.tsv"));
	while (tsv_row(&frames))
		n_rows += !is_elsewhere(tsv_get(&frames, "file"));
	assert_int_equal(n_vxlan, n_rows);
	print_message("captures: %u files, %u VXLAN frames\n", n_files, n_vxlan);
	buf_done(&frames.text);
	buf_done(&manifest.text);
}

/* Every file of a folder to its end or its first error: no frame may break a rule. */
static unsigned hostile_folder(const char *folder)
{
	char dir[CAPTURES_PATH_MAX / 2], path[CAPTURES_PATH_MAX];
	struct dirent **entries;
	unsigned n_frames = 0;
	int n;

	snprintf(dir, sizeof(dir), "%s/%s", captures_dir(), folder);
	n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0)
		return 0;
	for (int k = 0; k < n; k++) {
		struct pcapng_reader *r;
		struct pcapng_frame f;
		int event;

		snprintf(path, sizeof(path), "%s/%s", dir, entries[k]->d_name);
		r = entries[k]->d_name[0] == '.' ? NULL : pcapng_reader_open(path, NULL);
		while (r && (event = pcapng_reader_next(r, &f, NULL)) > 0) {
			const struct pcapng_interface *i;
			const char *broken;
			struct model_view v;

			if (event != PCAPNG_EVENT_FRAME)
				continue;
			i = pcapng_reader_interface(r, f.frame.hop);
			broken = check_frame(i->linktype, &f.frame, &v);
			if (broken)
				fail_msg("%s: %s", path, broken);
			/* What the link type hides, read as the types podhop knows. */
			broken = check_frame(MODEL_LINKTYPE_ETHERNET, &f.frame, &v);
			if (!broken)
				broken = check_frame(MODEL_LINKTYPE_RAW, &f.frame, &v);
			if (broken)
				fail_msg("%s: %s", path, broken);
			n_frames++;
		}
		pcapng_reader_free(r);
		free(entries[k]);
	}
	free(entries);
	return n_frames;
}

static void test_hostile_files(void **state)
{
	unsigned n_malformed = hostile_folder("malformed"),
		 n_suite = hostile_folder("pcapng-suite");

	(void)state;
	if (n_malformed + n_suite == 0) {
		print_message("captures: no capture in %s, set PODHOP_CAPTURES\n", captures_dir());
		skip();
	}
	print_message("captures: %u hostile frames, %u of the reader suite\n", n_malformed,
		      n_suite);
	assert_true(n_malformed > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vxlan_files),
		cmocka_unit_test(test_hostile_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
