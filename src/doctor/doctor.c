/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor.c - reads the node, runs the checks, keeps what they say.
 */
#include "doctor_priv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *doctor_status_name(enum doctor_status s)
{
	static const char *const names[] = {
		[DOCTOR_NONE] = "none", [DOCTOR_OK] = "ok",	[DOCTOR_WARN] = "warn",
		[DOCTOR_FAIL] = "fail", [DOCTOR_SKIP] = "skip",
	};
	_Static_assert(sizeof(names) / sizeof(names[0]) == DOCTOR_STATUS_COUNT, "a name each");

	return names[s < DOCTOR_STATUS_COUNT ? s : DOCTOR_NONE];
}

/* -------------------------------------------------------------------- texts */

/* Takes s. */
static const char *text_keep(struct doctor *d, char *s)
{
	char **slot =
		s ? grow(&d->r->strings, &d->r->n_strings, sizeof(*slot), 24 * DOCTOR_CHECKS_MAX)
		  : NULL;

	if (!slot) {
		free(s);
		d->oom = true;
		return "";
	}
	*slot = s;
	return s;
}

const char *doctor_text(struct doctor *d, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = NULL;
	va_end(ap);
	return text_keep(d, s);
}

const char *doctor_word(struct doctor *d, const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789._-/:@%+,";
	struct buf b;
	const char *ret;

	if (*s && strspn(s, plain) == strlen(s))
		return doctor_text(d, "%s", s);
	buf_init(&b, DOCTOR_FILE_MAX);
	buf_addc(&b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			buf_adds(&b, "'\\''");
		else
			buf_addc(&b, *s);
	}
	buf_addc(&b, '\'');
	ret = doctor_text(d, "%s", buf_str(&b));
	d->oom |= b.failed;
	buf_done(&b);
	return ret;
}

const char *doctor_addr(struct doctor *d, const struct addr *a)
{
	char s[ADDR_STR_MAX];

	return doctor_text(d, "%s", addr_str(a, s));
}

const char *doctor_prefix(struct doctor *d, const struct prefix *p)
{
	char s[PREFIX_STR_MAX];

	return doctor_text(d, "%s", prefix_str(p, s));
}

const char *doctor_mac(struct doctor *d, const struct mac *m)
{
	char s[MAC_STR_MAX];

	return doctor_text(d, "%s", mac_str(m, s));
}

/* A copy that lives as long as the report; NULL is "". */
static const char *copy(struct doctor *d, const char *s)
{
	return s && *s ? text_keep(d, strdup(s)) : "";
}

int doctor_check_read(struct doctor *d, const char *path, struct buf *b)
{
	int rc = doctor_proc_read(d->v, path, b);

	d->oom |= rc == -ENOMEM;
	return rc;
}

void doctor_add(struct doctor *d, enum doctor_status status, const char *id, const char *object,
		const char *expected, const char *found, const char *advice)
{
	struct doctor_check *c =
		grow(&d->r->checks, &d->r->n_checks, sizeof(*c), DOCTOR_CHECKS_MAX);

	if (!c) {
		d->oom |= d->r->n_checks < DOCTOR_CHECKS_MAX;
		return;
	}
	c->id = id;
	c->status = status;
	c->object = copy(d, object);
	c->expected = copy(d, expected);
	c->found = copy(d, found);
	c->advice = status == DOCTOR_OK ? "" : copy(d, advice);
	d->r->n[status]++;
}

void doctor_judge(struct doctor *d, bool good, enum doctor_status otherwise, const char *id,
		  const char *object, const char *expected, const char *found, const char *advice)
{
	doctor_add(d, good ? DOCTOR_OK : otherwise, id, object, expected, found, advice);
}

/* ---------------------------------------------------------------------- run */

void doctor_report_free(struct doctor_report *r)
{
	if (!r)
		return;
	for (unsigned i = 0; i < r->n_strings; i++)
		free(r->strings[i]);
	free(r->strings);
	free(r->checks);
	free(r->node);
	free(r);
}

void doctor_view_done(struct doctor_view *v)
{
	for (unsigned i = 0; i < v->n_leases; i++) {
		free(v->leases[i].path);
		free(v->leases[i].id);
	}
	free(v->leases);
	free(v->links);
	free(v->addrs);
	free(v->routes);
	free(v->neighs);
	free(v->fdb);
	free(v->chains);
	free(v->rules);
	free(v->conf.path);
	free(v->cni_conf);
	for (unsigned i = 0; v->kept && i < v->kept->n; i++) {
		close(v->kept->f[i].fd);
		free(v->kept->f[i].path);
	}
	free(v->kept);
	if (v->root >= 0)
		close(v->root);
	if (v->proc >= 0)
		close(v->proc);
}

int doctor_view_read(struct doctor_view *v, const struct doctor_config *config, struct err *err)
{
	int rc;

	*v = (struct doctor_view){
		.root = -1,
		.proc = -1,
		.chain = config->chain,
		.only = config->pod,
		.host_root = config->host_root && strcmp(config->host_root, "/") != 0
				     ? config->host_root
				     : "",
	};
	rc = doctor_files_open(v, config->host_root, err);
	if (!rc)
		rc = doctor_nl_read(v, err);
	if (rc)
		return rc;
	rc = doctor_files_read(v);
	return rc ? err_sys(err, rc, "read the node's files") : 0;
}

typedef void check_fn(struct doctor *);

/* checks: closed by NULL. */
static int run_checks(const struct doctor_view *v, check_fn *const checks[],
		      struct doctor_report **ret)
{
	struct doctor d = { .v = v, .r = calloc(1, sizeof(*d.r)) };

	if (d.r)
		d.r->node = strdup(v->chain->host.node ? v->chain->host.node : "");
	d.oom = !d.r || !d.r->node;
	for (unsigned i = 0; checks[i] && !d.oom; i++)
		checks[i](&d);
	if (d.oom) {
		doctor_report_free(d.r);
		return -ENOMEM;
	}
	*ret = d.r;
	return 0;
}

int doctor_view_check(const struct doctor_view *v, struct doctor_report **ret, struct err *err)
{
	/* in the order a packet from a pod meets them */
	static check_fn *const checks[] = {
		doctor_check_flannel,	doctor_check_pods,
		doctor_check_bridge,	doctor_check_vteps,
		doctor_check_remotes,	doctor_check_mtu,
		doctor_check_sysctls,	doctor_check_kernel,
		doctor_check_leftovers, NULL,
	};

	return run_checks(v, checks, ret) ? err_sys(err, ENOMEM, "checks") : 0;
}

int doctor_view_check_again(const struct doctor_view *v, struct doctor_report **ret)
{
	static check_fn *const checks[] = { doctor_check_bridge,  doctor_check_vteps,
					    doctor_check_remotes, doctor_check_mtu,
					    doctor_check_sysctls, NULL };
	/* Of all pods some come and go; of the one that is captured it matters. */
	static check_fn *const with_pod[] = { doctor_check_pods,
					      doctor_check_bridge,
					      doctor_check_vteps,
					      doctor_check_remotes,
					      doctor_check_mtu,
					      doctor_check_sysctls,
					      NULL };

	return run_checks(v, v->only ? with_pod : checks, ret);
}

int doctor_run(const struct doctor_config *config, struct doctor_report **ret, struct err *err)
{
	struct doctor_view v;
	int rc = doctor_view_read(&v, config, err);

	if (!rc)
		rc = doctor_view_check(&v, ret, err);
	doctor_view_done(&v);
	return rc;
}
