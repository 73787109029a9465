/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - picks the command and ends with its exit status.
 */
#include "cli.h"

#include <errno.h>
#include <jansson.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/extcap.h"
#include "podhop/log.h"
#include "podhop/outlet.h"

#define TABLE_BYTES (128 << 10)

/*
 * jansson says of a text that it is no JSON when it only lacks the memory for a piece of it, and a
 * runtime's or flannel's file would count as absent. Noted here, said at the end.
 */
static bool json_lacked_memory;

static void *json_memory(size_t n)
{
	void *p = malloc(n);

	json_lacked_memory |= !p;
	return p;
}

/* What is said is only said once it is written; a reader who has gone has had enough. */
static int end_stdout(int status)
{
	struct err err = ERR_INIT;

	if (fflush(stdout) == 0 || status == EXIT_FAILED || status == EXIT_USAGE || errno == EPIPE)
		return status;
	outlet_failed(&err, errno, "write to standard output");
	return fail(&err);
}

/* Whatever was asked of the node's files. */
static int end_of_looking(int status)
{
	if (!json_lacked_memory)
		return status;
	log_error("json", "memory was short: what was said may be wrong or incomplete");
	return EXIT_FAILED;
}

static int run_command(const struct options *o)
{
	static int (*const run[COMMAND_COUNT])(const struct options *) = {
		[COMMAND_LIST] = command_list,	     [COMMAND_RESOLVE] = command_resolve,
		[COMMAND_CAPTURE] = command_capture, [COMMAND_REPORT] = command_report,
		[COMMAND_VERIFY] = command_verify,   [COMMAND_DOCTOR] = command_doctor,
	};

	return end_of_looking(end_stdout(run[o->command](o)));
}

/* asked: with --help, which stands for the command's own; else `podhop help [COMMAND]`. */
static int run_help(const struct options *o, bool asked)
{
	enum command c = asked ? o->command : COMMAND_NONE;
	struct err err = ERR_INIT;

	if (!asked && o->n_args) {
		c = options_command(o->args[0]);
		if (!c) {
			const char *near = options_nearest_command(o->args[0]);
			err_usage(&err, 0,
				  near ? "%s is no command; did you mean %s?"
				       : "%s is no command; `podhop help` lists them%s",
				  o->args[0], near ? near : "");
			return fail(&err);
		}
	}
	if (o->table)
		options_table(stdout);
	else
		options_help(stdout, c);
	return end_stdout(EXIT_DONE);
}

int main(int argc, char **argv)
{
	struct options o;
	struct err err = ERR_INIT;
	bool help = false;
	int status;

	setlocale(LC_CTYPE, "");
	steady_standard();
	/*
	 * Tables are sized for the worst case, and cost memory only where they are touched. glibc
	 * would stop mapping large ones once the first was freed, and clear the next as a whole.
	 */
	mallopt(M_MMAP_THRESHOLD, TABLE_BYTES);
	json_set_alloc_funcs(json_memory, free);
	if (extcap_is_call(argc, argv))
		return end_of_looking(command_extcap(argc, argv));
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("podhop %s\n", PODHOP_VERSION);
		return end_stdout(EXIT_DONE);
	}
	if (options_parse(argc, argv, &o, &help, &err) < 0) {
		status = fail(&err);
		options_done(&o);
		return status;
	}
	log_set_level(o.quiet	      ? LOG_LEVEL_ERROR
		      : o.verbose > 1 ? LOG_LEVEL_DEBUG
		      : o.verbose     ? LOG_LEVEL_INFO
				      : LOG_LEVEL_WARN);
	if (help || o.command == COMMAND_HELP) {
		status = run_help(&o, help);
		options_done(&o);
		return status;
	}

	status = run_command(&o);
	options_done(&o);
	return status;
}
