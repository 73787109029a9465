/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * watch.c - the checks and counters of a node while it is captured.
 *
 * Two readings of the tables (links, addresses, routes, neighbours, FDB) and of the counters, one
 * before the first packet and one behind the last. By then every right is gone and nothing can be
 * opened: files of /proc were opened before and are read once more from their beginning (each read
 * makes them anew), dumps over netlink were asked for ahead of time (ask_ahead.c). So checks that
 * need tables and /proc alone are made again; those of flannel's and CNI's files are not.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counters.h"

#define WATCH_CHUNK 16384

struct doctor_watch {
	struct doctor_view v;
	struct doctor_report *report;
	struct doctor_counters *before;
	int question[COUNTER_QUESTIONS], file[COUNTER_FILES]; /* -1: there is none */
	int table[DOCTOR_TABLES]; /* the same: the view once more */
};

int doctor_watch_start(const struct doctor_config *config, struct doctor_watch **ret,
		       struct err *err)
{
	struct doctor_watch *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return err_sys(err, ENOMEM, "watching the node");
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		w->question[i] = -1;
	for (unsigned i = 0; i < COUNTER_FILES; i++)
		w->file[i] = -1;
	for (unsigned i = 0; i < DOCTOR_TABLES; i++)
		w->table[i] = -1;
	rc = doctor_view_read(&w->v, config, err);
	if (!rc) {
		w->v.kept = calloc(1, sizeof(*w->v.kept));
		rc = w->v.kept ? 0 : err_sys(err, ENOMEM, "watching the node");
	}
	if (!rc)
		rc = doctor_view_check(&w->v, &w->report, err);
	if (!rc)
		rc = doctor_counters_read(config->host_root, &w->before, err);
	if (rc) {
		doctor_watch_free(w);
		return rc;
	}
	/* What cannot be had is not told of at the end. */
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		w->question[i] = doctor_ask_ahead(&doctor_counter_questions[i]);
	for (unsigned i = 0; i < DOCTOR_TABLES; i++)
		w->table[i] = doctor_ask_ahead(&doctor_tables[i]);
	for (unsigned i = 0; i < COUNTER_FILES; i++)
		w->file[i] = openat(w->v.proc, doctor_counter_files[i].path,
				    O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	*ret = w;
	return 0;
}

/* From its beginning, which has the kernel write it anew. */
static bool read_again(int fd, struct buf *b)
{
	char chunk[WATCH_CHUNK];
	off_t at = 0;

	buf_clear(b);
	while (fd >= 0) {
		ssize_t n = pread(fd, chunk, sizeof(chunk), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		buf_add(b, chunk, (size_t)n);
		at += n;
	}
	return at > 0 && !b->failed;
}

/*
 * The tables as they are now. False: not all of them can be had, and half a view would tell of
 * faults that are none. What was not asked for again is as it was.
 */
static bool read_tables(struct doctor_watch *w, struct doctor_view *now)
{
	bool all = true;

	*now = w->v;
	now->sealed = true;
	for (unsigned i = 0; i < DOCTOR_TABLES; i++) {
		struct doctor_slot s = doctor_table_slot(now, i);
		bool whole = false;

		memset(s.array, 0, sizeof(void *));
		*s.n = 0;
		all = all && w->table[i] >= 0 &&
		      doctor_answer(w->table[i], &doctor_tables[i], s.array, s.n, &whole) == 0 &&
		      whole;
	}
	return all;
}

static int find_new(struct doctor_watch *w, struct doctor_findings *ret)
{
	struct doctor_report *report = NULL;
	struct doctor_view now;
	int rc = 0;

	if (read_tables(w, &now))
		rc = doctor_view_check_again(&now, &report);
	if (report)
		rc = doctor_find_new(w->report, report, ret);
	doctor_report_free(report);
	free(now.links);
	free(now.addrs);
	free(now.routes);
	free(now.neighs);
	free(now.fdb);
	return rc;
}

int doctor_watch_end(struct doctor_watch *w, struct doctor_findings *ret, struct err *err)
{
	struct counter_answer answer[COUNTER_QUESTIONS] = { 0 };
	struct doctor_counters after = { 0 };
	struct reading r = { .to = &after };
	bool whole; /* what moved has moved, whatever is missing beside it */
	struct buf b;
	int rc;

	buf_init(&b, COUNTER_FILE_MAX);
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++) {
		if (w->question[i] < 0)
			continue;
		if (doctor_answer(w->question[i], &doctor_counter_questions[i], &answer[i].array,
				  &answer[i].n, &whole) < 0)
			answer[i] = (struct counter_answer){ 0 };
		close(w->question[i]);
		w->question[i] = -1;
	}
	doctor_count_answers(&r, answer);
	for (unsigned i = 0; i < COUNTER_FILES; i++)
		if (read_again(w->file[i], &b))
			doctor_counter_files[i].parse(&r, buf_str(&b));
	buf_done(&b);
	doctor_counters_merge(&after);
	rc = r.oom ? -ENOMEM : doctor_find(&w->v, w->report, w->before, &after, ret);
	if (!rc)
		rc = find_new(w, ret);
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		free(answer[i].array);
	free(after.c);
	return rc ? err_sys(err, rc, "looking for reasons") : 0;
}

void doctor_watch_remotes(const struct doctor_watch *w, struct model_net *net)
{
	doctor_remotes(&w->v, net);
}

void doctor_watch_free(struct doctor_watch *w)
{
	if (!w)
		return;
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		if (w->question[i] >= 0)
			close(w->question[i]);
	for (unsigned i = 0; i < DOCTOR_TABLES; i++)
		if (w->table[i] >= 0)
			close(w->table[i]);
	for (unsigned i = 0; i < COUNTER_FILES; i++)
		if (w->file[i] >= 0)
			close(w->file[i]);
	doctor_counters_free(w->before);
	doctor_report_free(w->report);
	doctor_view_done(&w->v);
	free(w);
}
