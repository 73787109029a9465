/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * counters_read.c - one reading of the kernel's counters, made at once.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <netlink/socket.h>
#include <stdlib.h>
#include <string.h>

#include "counters.h"
#include "podhop/netlink.h"

static int read_netlink(struct reading *r, struct err *err)
{
	struct counter_answer a[COUNTER_QUESTIONS] = { 0 };
	int rc = 0;

	for (unsigned i = 0; i < COUNTER_QUESTIONS && !rc; i++) {
		const struct doctor_question *q = &doctor_counter_questions[i];
		struct nl_sock *sk;

		rc = netlink_open(q->protocol, &sk, err);
		if (!rc)
			rc = doctor_dump(sk, q->type, q->header, q->len, q->parse, q->size,
					 &a[i].array, &a[i].n);
		nl_socket_free(sk);
		/* queues and rules may be refused, and are then not among the counters */
		if (rc && rc != -ENOMEM && i != COUNTER_LINKS) {
			err_clear(err);
			rc = 0;
		}
	}
	if (rc)
		rc = err_sys(err, rc, "read counters over netlink");
	else
		doctor_count_answers(r, a);
	for (unsigned i = 0; i < COUNTER_QUESTIONS; i++)
		free(a[i].array);
	return rc;
}

static int read_file(struct reading *r, const struct doctor_view *v, const struct counter_file *f)
{
	struct buf b;
	int rc;

	buf_init(&b, COUNTER_FILE_MAX);
	rc = doctor_proc_read(v, f->path, &b);
	if (!rc)
		f->parse(r, buf_str(&b));
	buf_done(&b);
	r->oom |= rc == -ENOMEM;
	return r->oom ? -ENOMEM : rc;
}

int doctor_counters_of_file(const struct doctor_view *v, const char *path,
			    struct doctor_counters **ret)
{
	struct reading r = { .to = calloc(1, sizeof(*r.to)) };
	int rc = r.to ? -ENOENT : -ENOMEM;

	for (unsigned i = 0; i < COUNTER_FILES && r.to; i++)
		if (strcmp(doctor_counter_files[i].path, path) == 0)
			rc = read_file(&r, v, &doctor_counter_files[i]);
	if (rc) {
		doctor_counters_free(r.to);
		return rc;
	}
	*ret = r.to;
	return 0;
}

int doctor_counters_read(const char *host_root, struct doctor_counters **ret, struct err *err)
{
	struct reading r = { .to = calloc(1, sizeof(*r.to)) };
	struct doctor_view v = { .root = -1, .proc = -1 };
	int rc;

	if (!r.to)
		return err_sys(err, ENOMEM, "counters");
	rc = doctor_files_open(&v, host_root, err);
	if (!rc)
		rc = read_netlink(&r, err);
	if (!rc) {
		/* what cannot be read has no counters */
		for (unsigned i = 0; i < COUNTER_FILES; i++)
			(void)read_file(&r, &v, &doctor_counter_files[i]);
		if (r.oom)
			rc = err_sys(err, ENOMEM, "counters");
	}
	doctor_view_done(&v);
	if (rc) {
		doctor_counters_free(r.to);
		return rc;
	}
	doctor_counters_merge(r.to);
	*ret = r.to;
	return 0;
}
