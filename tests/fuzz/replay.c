/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c - a plain main for the fuzz targets: runs every file it is given.
 *
 * Arguments are files or directories (read to any depth up to REPLAY_DEPTH_MAX). Prints how
 * many files were run. Exit status 1 when there was none or one could not be read, because a
 * check that ran nothing must not look like one that passed.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "read_file.h"

#define REPLAY_FILE_MAX (64u << 20)
#define REPLAY_PATH_MAX 4096
#define REPLAY_DEPTH_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct replay {
	unsigned n_files, n_failed;
};

static void replay_file(struct replay *r, const char *path)
{
	struct buf b;
	uint8_t *copy;
	int code;

	buf_init(&b, REPLAY_FILE_MAX);
	code = read_file(&b, path);
	/* Exactly as large as the input, so that a sanitizer sees the first byte too far. */
	copy = malloc(b.len ? b.len : 1);
	if (code < 0 || !copy) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(code < 0 ? -code : ENOMEM));
		r->n_failed++;
	} else {
		if (b.len)
			memcpy(copy, b.data, b.len);
		LLVMFuzzerTestOneInput(copy, b.len);
		r->n_files++;
	}
	free(copy);
	buf_done(&b);
}

static void replay_path(struct replay *r, const char *path, unsigned depth)
{
	char child[REPLAY_PATH_MAX];
	struct dirent **entries;
	struct stat st;
	int n;

	if (stat(path, &st) < 0) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		r->n_failed++;
		return;
	}
	if (!S_ISDIR(st.st_mode)) {
		replay_file(r, path);
		return;
	}
	if (depth == REPLAY_DEPTH_MAX)
		return;
	n = scandir(path, &entries, NULL, alphasort);
	if (n < 0) {
		fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
		r->n_failed++;
		return;
	}
	for (int i = 0; i < n; i++) {
		int len = snprintf(child, sizeof(child), "%s/%s", path, entries[i]->d_name);

		if (entries[i]->d_name[0] != '.' && len > 0 && (size_t)len < sizeof(child))
			replay_path(r, child, depth + 1);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	struct replay r = { 0 };

	for (int i = 1; i < argc; i++)
		replay_path(&r, argv[i], 0);
	printf("%s: %u files\n", argv[0], r.n_files);
	if (r.n_files == 0)
		fprintf(stderr, "replay: no file was found\n");
	return r.n_files == 0 || r.n_failed != 0;
}
