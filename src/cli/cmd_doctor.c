/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_doctor.c - `podhop doctor [POD]`.
 */
#include "cli.h"

#include "podhop/doctor.h"
#include "podhop/resolve.h"

int command_doctor(const struct options *o)
{
	struct resolve_config rc = { .host_root = o->host_root, .node = o->node };
	struct doctor_config dc = { .host_root = o->host_root };
	struct doctor_report *report = NULL;
	struct chain *node = NULL, *pod = NULL;
	struct err err = ERR_INIT;
	struct report_style style;
	struct resolve *r = limit_to_reading(&err) < 0 ? NULL : resolve_open(&rc, &err);
	int status = EXIT_DONE;

	if (!r)
		return fail(&err);
	/* all pods even for one: whose address another has too is seen only so */
	if (resolve_list(r, &node, &err) < 0 ||
	    (o->n_args && resolve_pod(r, o->args[0], &pod, &err) < 0)) {
		status = fail(&err);
		goto out;
	}
	dc.chain = node;
	dc.pod = pod && pod->n_pods ? &pod->pods[0] : NULL;
	if (doctor_run(&dc, &report, &err) < 0) {
		status = fail(&err);
		goto out;
	}
	style_init(&style, o, NULL, stdout);
	if ((o->format == FORMAT_TEXT
	     ? report_doctor_text(stdout, report, &style)
	     : report_doctor_json(stdout, report, o->format == FORMAT_JSONL)) < 0)
		status = EXIT_FAILED;
	else if (report->n[DOCTOR_FAIL])
		status = EXIT_LOST;
out:
	doctor_report_free(report);
	chain_free(pod);
	chain_free(node);
	resolve_free(r);
	return status;
}
