/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_resolve.c - `podhop list` and `podhop resolve POD`.
 */
#include "cli.h"

#include "podhop/resolve.h"

static struct resolve *open_node(const struct options *o, struct err *err)
{
	struct resolve_config rc = { .host_root = o->host_root, .node = o->node };

	return limit_to_reading(err) < 0 ? NULL : resolve_open(&rc, err);
}

int command_list(const struct options *o)
{
	struct err err = ERR_INIT;
	struct chain *chain = NULL;
	struct report_style style;
	struct resolve *r = open_node(o, &err);
	int rc;

	if (!r)
		return fail(&err);
	rc = resolve_list(r, &chain, &err);
	resolve_free(r);
	if (rc < 0)
		return fail(&err);
	style_init(&style, o, NULL, stdout);
	rc = o->format == FORMAT_TEXT
		     ? report_list_text(stdout, chain, &style)
		     : report_list_json(stdout, chain, o->format == FORMAT_JSONL);
	chain_free(chain);
	return rc < 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_resolve(const struct options *o)
{
	struct err err = ERR_INIT;
	struct chain *chain = NULL;
	struct report_style style;
	struct resolve *r = open_node(o, &err);
	int rc, status = EXIT_DONE;

	if (!r)
		return fail(&err);
	rc = resolve_pod(r, o->args[0], &chain, &err);
	resolve_free(r);
	/* A pod that was found but cannot be used is shown as far as it is known. */
	if (chain) {
		style_init(&style, o, NULL, stdout);
		if ((o->format == FORMAT_TEXT
		     ? report_resolve_text(stdout, chain, &style)
		     : report_resolve_json(stdout, chain, o->format == FORMAT_JSONL)) < 0)
			status = EXIT_FAILED;
	}
	if (rc < 0)
		status = fail(&err);
	chain_free(chain);
	return status;
}
