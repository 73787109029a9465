/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_json.c - podhop.doctor/1 (contract, section 3).
 */
#include "report_priv.h"

#include <errno.h>

#include "podhop/doctor.h"

static json_t *doctor_check_object(const struct doctor_check *c)
{
	json_t *o = json_object();

	if (o && report_json_set(o, "id", report_json_str(c->id)) &&
	    report_json_set(o, "status", json_string(doctor_status_name(c->status))) &&
	    report_json_set(o, "object", report_json_str(c->object)) &&
	    report_json_set(o, "expected", report_json_str(c->expected)) &&
	    report_json_set(o, "found", report_json_str(c->found)) &&
	    report_json_set(o, "advice", report_json_str(c->advice)))
		return o;
	json_decref(o);
	return NULL;
}

int report_doctor_json(FILE *out, const struct doctor_report *r, bool one_line)
{
	json_t *root = json_object(), *checks = json_array();
	bool ok = root && checks;

	for (unsigned i = 0; i < r->n_checks && ok; i++)
		ok = json_array_append_new(checks, doctor_check_object(&r->checks[i])) == 0;
	ok = ok && report_json_set(root, "schema", json_string("podhop.doctor/1")) &&
	     report_json_set(root, "node", report_json_str(r->node)) &&
	     report_json_set(root, "checks", json_incref(checks));
	json_decref(checks);
	if (!ok) {
		json_decref(root);
		return -ENOMEM;
	}
	return report_json_dump(out, root, one_line);
}
