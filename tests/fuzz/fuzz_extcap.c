/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_extcap.c - any words as an extcap call (split at NUL), its pieces as names of pods.
 *
 * Asserted: a parsed call has what its action needs; the capture's words end in "--" and
 * the pod; every sentence is one line with balanced braces; a listed interface finds its pod.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz_demand.h"
#include "podhop/extcap.h"

#define WORDS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one_call(int argc, char **argv)
{
	struct extcap_call call;
	struct extcap_args a;
	struct err err = ERR_INIT;
	char pod[] = "ns/pod";

	(void)extcap_is_call(argc, argv);
	if (extcap_parse(argc, argv, &call, &err) < 0) {
		demand(err.text[0] && err.class == ERR_USAGE, "an error has a text");
		return;
	}
	demand(call.action == EXTCAP_INTERFACES || call.interface, "has an interface");
	demand(call.action != EXTCAP_CAPTURE || call.fifo, "has a FIFO");
	if (extcap_capture_args(&call, pod, &a, &err) == 0) {
		demand(a.argc >= 9 && strcmp(a.argv[a.argc - 2], "--") == 0, "-- before the pod");
		demand(strcmp(a.argv[a.argc - 1], pod) == 0, "the pod is last");
	}
	extcap_args_done(&a);
}

static void pods_of(int argc, char **argv)
{
	static char nothing[] = "";
	struct chain_interface veth = { .host_veth = { .ifindex = 7 } };
	struct chain_pod pods[WORDS_MAX] = { 0 };
	struct chain c = { .pods = pods };
	struct buf out, value;
	int depth = 0;

	for (int i = 1; i + 1 < argc; i += 2)
		pods[c.n_pods++] = (struct chain_pod){
			.namespace_ = argv[i], .name = argv[i + 1], .interfaces = &veth,
			.n_interfaces = 1, .problem = nothing };
	buf_init(&out, 1u << 20);
	extcap_answer_interfaces(&c, "1", &out);
	for (size_t i = 0; i < out.len; i++) {
		depth += (out.data[i] == '{') - (out.data[i] == '}');
		demand(depth >= 0 && depth <= 1, "braces");
		demand(out.data[i] != '\n' || depth == 0, "one line a sentence");
		demand((out.data[i] >= ' ' && out.data[i] < 0x7f) || out.data[i] == '\n', "plain");
	}
	buf_done(&out);
	for (unsigned i = 0; i < c.n_pods; i++) {
		buf_init(&value, 1u << 20);
		if (extcap_interface(&c, i, &value))
			demand(extcap_find(&c, buf_str(&value)) >= 0, "found again");
		buf_done(&value);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text, *argv[WORDS_MAX + 1], name[] = "podhop";
	int argc = 1;

	if (size > 1u << 17)
		return 0;
	text = calloc(1, size + 1);
	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	argv[0] = name;
	for (size_t at = 0; at < size && argc < WORDS_MAX; at += strlen(text + at) + 1)
		argv[argc++] = text + at;
	argv[argc] = NULL;
	one_call(argc, argv);
	pods_of(argc, argv);
	free(text);
	return 0;
}
