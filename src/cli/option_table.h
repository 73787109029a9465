/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_table.h - what the parser takes from the table of commands and options.
 */
#ifndef PODHOP_OPTION_TABLE_H
#define PODHOP_OPTION_TABLE_H

#include <getopt.h>

#include "cli.h"

/* Its letter, or a number from OPT_LONG on where it has none. */
enum option_id {
	OPT_HELP = 'h', OPT_WRITE = 'w', OPT_COUNT = 'c', OPT_SNAPLEN = 's', OPT_BUFFER = 'B',
	OPT_STOP = 'a', OPT_RING = 'b', OPT_SIZE = 'C', OPT_SECONDS = 'G', OPT_FILES = 'W',
	OPT_FILTER = 'f', OPT_DIRECTION = 'Q', OPT_NUMERIC = 'n', OPT_QUIET = 'q',
	OPT_VERBOSE = 'v', OPT_UNBUFFERED = 'U', OPT_LINE = 'l', OPT_NO_PROMISC = 'p',
	OPT_FORMAT = 'T', OPT_USER = 'Z',
	OPT_LONG = 256, OPT_VERSION, OPT_JSON, OPT_REPORT, OPT_HTML, OPT_PODS,
	OPT_HOPS, OPT_POD, OPT_AND, OPT_SPLIT,
	OPT_NODE, OPT_HOST_ROOT, OPT_WINDOW, OPT_NANO, OPT_PRINT, OPT_NO_NAT, OPT_TERSE,
	OPT_CLOCK_OFFSET, OPT_UNTIL_EOF, OPT_NO_PAYLOAD, OPT_ANONYMIZE, OPT_MIN_FREE, OPT_LIVE,
	OPT_FOLLOW, OPT_TABLE,
};

#define OPTIONS_MAX 64u

/* What an option's value is, or begins with; those of one option stand together, in its order. */
enum option_word {
	WORD_DURATION, WORD_INTERVAL, WORD_FILESIZE, WORD_PACKETS, WORD_FILES,
	WORD_IN, WORD_OUT, WORD_INOUT,
	WORD_TEXT, WORD_JSON, WORD_JSONL,
	WORD_VETH, WORD_BRIDGE, WORD_VTEP, WORD_UNDERLAY,
	WORD_COUNT,
};

/* getopt_long()'s two tables of a command's options; `help` takes those of all. */
void options_getopt(enum command command, char shorts[static 3 * OPTIONS_MAX],
		    struct option longs[static OPTIONS_MAX + 1]);
/*
 * The word that the value of a command's option is or begins with; ret_rest points behind it, into
 * value. ERR_USAGE names the words that are taken, and whose the given one is.
 */
int options_word(enum command command, int id, const char *value, enum option_word *ret_word,
		 const char **ret_rest, struct err *err);
/* ERR_USAGE for a word that is no option of the command: whose is it, or what was meant? */
int options_refuse(enum command command, const char *word, struct err *err);

#endif
