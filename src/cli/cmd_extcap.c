/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_extcap.c - podhop as a capture source of Wireshark.
 *
 * Wireshark's start waits for every answer here: the list is one look at the node, the
 * rest is text. Capturing is `podhop capture -w -` with the FIFO as stdout.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/capture.h"
#include "podhop/extcap.h"
#include "podhop/log.h"
#include "podhop/resolve.h"

#define ANSWER_MAX (4u << 20)
#define ANSWER_SECONDS 5	/* a file system that hangs must not hang Wireshark */

static int list_pods(const struct extcap_call *call, struct chain **ret_chain, struct err *err)
{
	struct resolve_config rc = { .host_root = call->host_root, .node = call->node };
	struct resolve *r = resolve_open(&rc, err);
	int status;

	if (!r)
		return -EIO;
	status = resolve_list(r, ret_chain, err);
	resolve_free(r);
	return status;
}

static int answer(const struct extcap_call *call)
{
	struct chain *chain = NULL;
	struct capture_filter *f;
	struct err err = ERR_INIT;
	struct buf out;
	int status;

	alarm(ANSWER_SECONDS);
	buf_init(&out, ANSWER_MAX);
	switch (call->action) {
	case EXTCAP_INTERFACES:
		/* A machine without pods is no error: Wireshark asks on every one. */
		if (list_pods(call, &chain, &err) < 0 && err.code != -ENOMEM)
			err_clear(&err);
		extcap_answer_interfaces(chain, PODHOP_VERSION, &out);
		chain_free(chain);
		break;
	case EXTCAP_CONFIG:
		extcap_answer_config(&out);
		break;
	case EXTCAP_DLTS:
		extcap_answer_dlts(&out);
		break;
	case EXTCAP_FILTER:
		/* Nothing: it is valid. */
		f = call->capture_filter ? capture_filter_new(call->capture_filter, &err) : NULL;
		if (call->capture_filter && !f)
			buf_addf(&out, "%s\n", err.text);
		capture_filter_free(f);
		break;
	case EXTCAP_RELOAD:
	case EXTCAP_CAPTURE:
	case EXTCAP_NONE:
		break;
	}
	if (out.failed || err.code == -ENOMEM) {
		err_sys(&err, ENOMEM, "an answer for Wireshark");
		status = fail(&err);
	} else {
		fwrite(out.data, 1, out.len, stdout);
		status = fflush(stdout) == 0 ? EXIT_DONE : EXIT_FAILED;
	}
	buf_done(&out);
	return status;
}

/* The interface's pod as a POD for the capture: the name that the list showed. */
static int find_pod(const struct extcap_call *call, struct buf *ret_pod, struct err *err)
{
	struct chain *chain = NULL;
	int i, rc = list_pods(call, &chain, err);

	if (rc < 0)
		return rc;
	i = extcap_find(chain, call->interface);
	if (i < 0)
		rc = err_usage(err, ENOENT, "%.300s: no such pod on this node any more; refresh "
			       "the interfaces (F5 in Wireshark, tshark -D)", call->interface);
	else
		buf_addf(ret_pod, "%s%s%s", chain->pods[i].namespace_,
			 chain->pods[i].namespace_[0] ? "/" : "", chain->pods[i].name);
	chain_free(chain);
	return rc;
}

static int capture(const struct extcap_call *call)
{
	struct extcap_args args = { .argc = 0 };
	struct options o = { 0 };
	struct err err = ERR_INIT;
	struct buf pod;
	bool help;
	int fd, status = EXIT_DONE;

	buf_init(&pod, 2 * MODEL_K8S_NAME_MAX);
	if (find_pod(call, &pod, &err) < 0 ||
	    extcap_capture_args(call, buf_str(&pod), &args, &err) < 0 ||
	    options_parse(args.argc, args.argv, &o, &help, &err) < 0)
		goto out;
	o.no_text = true;
	/* What is wrong with the command line is said before anybody waits. */
	if (o.filter) {
		struct capture_filter *f = capture_filter_new(o.filter, &err);
		if (!f)
			goto out;
		capture_filter_free(f);
	}
	/* Waits until Wireshark has opened its end; it ends us if it gives up. */
	fd = open(call->fifo, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0) {
		err_sys(&err, errno, "open %s", call->fifo);
		goto out;
	}
	close(fd);
	status = command_capture(&o);
out:
	if (err.code)
		status = fail(&err);
	options_done(&o);
	extcap_args_done(&args);
	buf_done(&pod);
	return status;
}

int command_extcap(int argc, char **argv)
{
	struct extcap_call call = { 0 };
	struct err err = ERR_INIT;

	log_set_level(LOG_LEVEL_ERROR);
	if (extcap_parse(argc, argv, &call, &err) < 0)
		return fail(&err);
	return call.action == EXTCAP_CAPTURE ? capture(&call) : answer(&call);
}
