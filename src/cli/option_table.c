/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * option_table.c - the one table of commands and options: parser, help, manual, completion.
 *
 * Theory of operation. Each row says of an option its letter or number, its long name, its
 * argument, the words that this is or begins with where not anything will do, the commands that
 * take it and its line of help. getopt's two tables are made of the rows of the command at hand,
 * so that an option of another command is refused by name; the help is printed from the same
 * rows, the shells' completions and the OPTIONS of each command's manual are made of them
 * (`podhop help --table`), and podhop(8) is compared with them.
 */
#include "cli.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "option_table.h"
#include "podhop/near.h"

#define HELP_COLUMNS 80
#define HELP_INDENT 31
#define HELP_INDENT_COMMANDS 41

#define FOR(c) (1u << COMMAND_##c)
#define FOR_RUN (FOR(CAPTURE) | FOR(REPORT))
#define FOR_NODE (FOR(LIST) | FOR(RESOLVE) | FOR(CAPTURE) | FOR(DOCTOR))
#define FOR_ALL (FOR_NODE | FOR(REPORT) | FOR(VERIFY))

struct command_row {
	const char *name, *args, *summary;
};

static const struct command_row commands[COMMAND_COUNT] = {
	[COMMAND_LIST] = { "list", "", "pods on this node, each with its whole chain" },
	[COMMAND_RESOLVE] = { "resolve", "POD",
			      "one pod's chain, step by step, with the evidence for each step" },
	[COMMAND_CAPTURE] = { "capture", "POD [FILTER]",
			      "capture at all hops at once, correlate, write, report" },
	[COMMAND_REPORT] = { "report", "FILE...",
			     "the same on captures of one node already taken" },
	[COMMAND_VERIFY] = { "verify", "[NAME=]FILE...",
			     "captures of two or more nodes: what was delivered, lost, late" },
	[COMMAND_DOCTOR] = { "doctor", "[POD]",
			     "is the node's flannel datapath configured so that packets can "
			     "pass?" },
	[COMMAND_HELP] = { "help", "[COMMAND]", "this text, or a command's options" },
};

/* With what follows it, as usage says it; the word itself ends behind its ':' or '='. */
static const char *const words[WORD_COUNT] = {
	[WORD_DURATION] = "duration:S",
	[WORD_INTERVAL] = "interval:S",
	[WORD_FILESIZE] = "filesize:KB",
	[WORD_PACKETS] = "packets:N",
	[WORD_FILES] = "files:N",
	[WORD_IN] = "in",
	[WORD_OUT] = "out",
	[WORD_INOUT] = "inout",
	[WORD_TEXT] = "text",
	[WORD_JSON] = "json",
	[WORD_JSONL] = "jsonl",
	[WORD_VETH] = "veth=NAME",
	[WORD_BRIDGE] = "bridge=NAME",
	[WORD_VTEP] = "vtep=NAME",
	[WORD_UNDERLAY] = "underlay=NAME",
};
static_assert(WORD_COUNT <= 32, "a bit a word");

#define WORD(w) (1u << WORD_##w)
#define ENDS (WORD(DURATION) | WORD(FILESIZE) | WORD(PACKETS) | WORD(FILES))
#define ROLES (WORD(VETH) | WORD(BRIDGE) | WORD(VTEP) | WORD(UNDERLAY))

struct option_row {
	int id;
	const char *name; /* long form; NULL: none */
	const char *arg; /* NULL: takes none; "": its words; "[=...]": may have one */
	uint32_t words; /* WORD()s, of which it is or begins with one; 0: anything */
	unsigned commands;
	const char *help;
};

/* Its words joined; their own beginnings only, as they are typed, or in full. */
static void put_words(char *to, size_t room, uint32_t set, const char *between,
		      const char *before_last, bool in_full)
{
	size_t at = 0;

	to[0] = '\0';
	for (unsigned w = 0; w < WORD_COUNT && at < room; w++) {
		size_t n = in_full ? strlen(words[w]) : strcspn(words[w], ":=");

		if (!(set & (1u << w)))
			continue;
		if (!in_full && words[w][n])
			n++;
		const char *comma = set >> w >> 1 ? between : before_last;
		at += (size_t)snprintf(to + at, room - at, "%s%.*s", at ? comma : "", (int)n,
				       words[w]);
	}
}

static const struct option_row options[] = {
	{ OPT_WRITE, "write", "FILE", 0, FOR_RUN,
	  "write a correlated pcapng file; - is stdout, .gz and .zst are packed" },
	{ OPT_COUNT, "count", "N", 0, FOR_RUN, "the first N packets, then until they close" },
	{ OPT_SNAPLEN, "snapshot-length", "N", 0, FOR_RUN,
	  "bytes kept of the inner frame, 64 or more (262144); the underlay gets 70 more" },
	{ OPT_BUFFER, "buffer-size", "KiB", 0, FOR(CAPTURE),
	  "kernel ring of each hop (16384; 8192 with -s 512 or less)" },
	{ OPT_STOP, "autostop", "COND", ENDS, FOR_RUN,
	  "stop after duration:S, filesize:KB, packets:N frames or files:N" },
	{ OPT_RING, "ring-buffer", "COND", ENDS | WORD(INTERVAL), FOR_RUN,
	  "next file after duration:S, interval:S, filesize:KB, packets:N; keep files:N" },
	{ OPT_SIZE, "rotate-size", "MB", 0, FOR_RUN, "next file after so many million bytes" },
	{ OPT_SECONDS, "rotate-seconds", "S", 0, FOR_RUN,
	  "next file after so many seconds; FILE is a strftime template" },
	{ OPT_FILES, "rotate-files", "N", 0, FOR_RUN,
	  "with -C keep N files in a ring, with -G end after N" },
	{ OPT_MIN_FREE, "min-free", "MB|N%", 0, FOR_RUN,
	  "end when less of the disk is free (5%, at most 1000; 0: never)" },
	{ OPT_FILTER, "filter", "FILTER", 0, FOR_RUN | FOR(VERIFY),
	  "libpcap filter on the pod's own packets as its veth shows them" },
	{ OPT_DIRECTION, "direction", "", WORD(IN) | WORD(OUT) | WORD(INOUT), FOR_RUN,
	  "packets to the pod, from it, both" },
	{ OPT_FORMAT, "format", "", WORD(TEXT) | WORD(JSON) | WORD(JSONL), FOR_ALL,
	  "what goes to stdout" },
	{ OPT_JSON, "json", NULL, 0, FOR_ALL, "the same as -T json" },
	{ OPT_REPORT, "report", "FILE", 0, FOR_RUN | FOR(VERIFY),
	  "the report as JSON, besides what goes to stdout" },
	{ OPT_HTML, "html", "FILE", 0, FOR_RUN, "the report also as one page for a browser" },
	{ OPT_HOPS, "hops", "ROLE=NAME", ROLES, FOR_RUN | FOR(VERIFY),
	  "NAME (device, interface or file) is the veth, bridge, vtep or underlay" },
	{ OPT_POD, "pod", "ADDR", 0, FOR(REPORT), "a pod's address, for files that do not say" },
	{ OPT_POD, "pod", "ADDR", 0, FOR(VERIFY),
	  "a pod's address, for files that do not say; NODE=ADDR: of that node" },
	{ OPT_AND, "and", "POD", 0, FOR(CAPTURE), "one more pod of this node" },
	{ OPT_FOLLOW, "follow", NULL, 0, FOR(CAPTURE),
	  "go on with a pod re-created under its name; keeps rights that are else given up" },
	{ OPT_PODS, "pods", "FILE", 0, FOR_RUN | FOR(VERIFY),
	  "names: what `kubectl get pods,services,nodes -A -o json` prints" },
	{ OPT_SPLIT, "split", NULL, 0, FOR_RUN, "with -w f.pcapng also one file a hop" },
	{ OPT_NODE, "node", "NAME", 0, FOR_NODE | FOR(REPORT), "the node's name" },
	{ OPT_HOST_ROOT, "host-root", "DIR", 0, FOR_NODE,
	  "where the node's /proc, /run, /var and /etc are" },
	{ OPT_WINDOW, "window", "MS", 0, FOR_RUN | FOR(VERIFY),
	  "how long a packet stays open (2000)" },
	{ OPT_NANO, "nano", NULL, 0, FOR(CAPTURE),
	  "nanosecond stamps; the kernel then stamps received frames once for all hops" },
	{ OPT_LIVE, "live", NULL, 0, FOR(CAPTURE),
	  "a screen that shows hops and packets as they come; q ends it" },
	{ OPT_PRINT, "print", NULL, 0, FOR_RUN, "a line a packet also with -w" },
	{ OPT_NO_NAT, "no-nat", NULL, 0, FOR_RUN | FOR(VERIFY),
	  "do not follow address translation" },
	{ OPT_CLOCK_OFFSET, "clock-offset", "NS", 0, FOR(VERIFY),
	  "the other nodes' clocks less the first one's, where traffic cannot tell" },
	{ OPT_TERSE, "terse", NULL, 0, FOR_RUN, "no comment a frame: smaller, faster" },
	{ OPT_NO_PAYLOAD, "no-payload", NULL, 0, FOR_RUN,
	  "write headers only; lengths stay those on the wire" },
	{ OPT_ANONYMIZE, "anonymize", "[=KEYFILE]", 0, FOR_RUN,
	  "write pseudonyms for addresses and names, the same for the same key" },
	{ OPT_UNBUFFERED, "packet-buffered", NULL, 0, FOR_RUN, "flush the file after each frame" },
	{ OPT_LINE, "line-buffered", NULL, 0, FOR_RUN, "flush stdout after each line" },
	{ OPT_UNTIL_EOF, "until-eof", NULL, 0, FOR(CAPTURE),
	  "end when standard input ends, as it does behind ssh and kubectl exec -i" },
	{ OPT_NUMERIC, NULL, NULL, 0, FOR_ALL, "no names for addresses (podhop never asks DNS)" },
	{ OPT_NO_PROMISC, "no-promiscuous-mode", NULL, 0, FOR(CAPTURE),
	  "accepted: capture is never promiscuous" },
	{ OPT_USER, "relinquish-privileges", "USER", 0, FOR(CAPTURE),
	  "become USER once everything is open; the files are USER's" },
	{ OPT_QUIET, "quiet", NULL, 0, FOR_ALL, "no progress, no notices" },
	{ OPT_VERBOSE, "verbose", NULL, 0, FOR_ALL & ~(FOR(VERIFY) | FOR(DOCTOR)),
	  "say more; twice: debug" },
	{ OPT_VERBOSE, "verbose", NULL, 0, FOR(VERIFY), "list all lost packets, not the first 20" },
	{ OPT_VERBOSE, "verbose", NULL, 0, FOR(DOCTOR), "passed and skipped checks too" },
	{ OPT_HELP, "help", NULL, 0, FOR_ALL, "the options, in short" },
	{ OPT_TABLE, "table", NULL, 0, FOR(HELP),
	  "all commands and options, a line each, tabs between its fields: for programs" },
	{ OPT_VERSION, "version", NULL, 0, FOR_ALL, "podhop's version" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))
static_assert(N_OPTIONS <= OPTIONS_MAX, "getopt's tables have room");

enum command options_command(const char *name)
{
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		if (strcmp(commands[c].name, name) == 0)
			return c;
	return COMMAND_NONE;
}

const char *options_nearest_command(const char *name)
{
	struct near near;

	near_begin(&near, name, false);
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		near_try(&near, commands[c].name);
	return near.best;
}

static const char *value_of(const struct option_row *r, char *buf, size_t room)
{
	if (!r->arg || r->arg[0])
		return r->arg ? r->arg : "";
	put_words(buf, room, r->words, "|", "|", true);
	return buf;
}

/* "-a", or "--hops" where there is no letter. */
static const char *spelt(const struct option_row *r, char *buf, size_t room)
{
	if (r->id < OPT_LONG)
		snprintf(buf, room, "-%c", r->id);
	else
		snprintf(buf, room, "--%s", r->name);
	return buf;
}

static const struct option_row *row_of(enum command command, int id)
{
	for (unsigned i = 0; i < N_OPTIONS; i++)
		if (options[i].id == id && options[i].commands & (1u << command))
			return &options[i];
	return NULL;
}

/* The word of set that value is, or begins with; WORD_COUNT: none. */
static enum option_word find_word(uint32_t set, const char *value, size_t *ret_len)
{
	for (enum option_word w = 0; w < WORD_COUNT; w++) {
		size_t n = strcspn(words[w], ":=");
		bool goes_on = words[w][n];

		if (!(set & (1u << w)) || strncmp(value, words[w], n + goes_on) != 0 ||
		    (!goes_on && value[n]))
			continue;
		*ret_len = n + goes_on;
		return w;
	}
	return WORD_COUNT;
}

int options_word(enum command command, int id, const char *value, enum option_word *ret_word,
		 const char **ret_rest, struct err *err)
{
	const struct option_row *r = row_of(command, id);
	char name[32], other[32], taken[128];
	size_t len = 0;

	assert(r && r->words);
	enum option_word w = find_word(r->words, value, &len);
	if (w < WORD_COUNT) {
		*ret_word = w;
		*ret_rest = value + len;
		return 0;
	}
	put_words(taken, sizeof(taken), r->words, ", ", " or ", true);
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *o = &options[i];

		w = o->commands & (1u << command) ? find_word(o->words, value, &len) : WORD_COUNT;
		if (w < WORD_COUNT)
			return err_usage(err, EINVAL, "%s %s: %s is needed; %s is said with %s",
					 spelt(r, name, sizeof(name)), value, taken, words[w],
					 spelt(o, other, sizeof(other)));
	}
	return err_usage(err, EINVAL, "%s %s: %s is needed", spelt(r, name, sizeof(name)), value,
			 taken);
}

/* What users of tcpdump, tshark and kubectl type out of habit, and what to type here. */
static const struct {
	unsigned commands;
	const char *letters, *name;
	const char *instead;
} habits[] = {
	{ FOR(CAPTURE), "i", "interface",
	  "the devices are found from POD (`podhop list` shows them); --hops ROLE=DEVICE names "
	  "another" },
	{ FOR(CAPTURE) | FOR(REPORT) | FOR(VERIFY), "D", "list-interfaces",
	  "`podhop list` shows pods and their devices" },
	{ FOR(CAPTURE), "r", "read-file", "`podhop report FILE` reads captures" },
	{ FOR(REPORT) | FOR(VERIFY), "r", "read-file", "files are named without an option" },
	{ FOR_RUN, "F", NULL, "-f \"$(cat FILE)\" takes a filter from a file" },
	{ FOR_RUN, "AVXYdeotxz", "display-filter",
	  "that is tshark's: `tshark -r FILE`, live `podhop capture POD -w - | tshark -r -`" },
	{ FOR_ALL, "o", "output", "--json is the machine's form" },
	{ FOR(LIST) | FOR(DOCTOR), "A", "all-namespaces", "all namespaces are shown" },
	{ FOR_ALL, "n", "namespace", "a pod is said as NAMESPACE/NAME" },
};

/* A habit's advice for -X or --name, which the command does not have; NULL: none. */
static const char *habit_of(enum command command, const char *name)
{
	for (size_t i = 0; i < sizeof(habits) / sizeof(habits[0]); i++) {
		bool same = name[1] == '-'
				    ? habits[i].name && strcmp(habits[i].name, name + 2) == 0
				    : name[1] && strchr(habits[i].letters, name[1]);

		if (same && habits[i].commands & (1u << command))
			return habits[i].instead;
	}
	return NULL;
}

int options_refuse(enum command command, const char *word, struct err *err)
{
	char name[64], whose[128] = "", several[256] = "";
	const char *instead;
	unsigned n_several = 0;
	struct near near;

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	near_begin(&near, name[1] == '-' ? name + 2 : "", false);
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *r = &options[i];
		bool is_long = name[1] == '-';
		bool same = is_long ? r->name && strcmp(r->name, name + 2) == 0 : r->id == name[1];
		bool ours = r->commands & (1u << command);

		/* The parser knows it: so it was given what it does not take. */
		if (same && ours && strchr(word, '='))
			return err_usage(err, EINVAL, "%s takes no value", name);
		if (is_long && ours && r->name && strstr(r->name, name + 2) == r->name)
			snprintf(several + strlen(several), sizeof(several) - strlen(several),
				 "%s--%s", n_several++ ? ", " : "", r->name);
		for (enum command c = COMMAND_NONE + 1; same && c < COMMAND_COUNT; c++)
			if (r->commands & (1u << c))
				snprintf(whose + strlen(whose), sizeof(whose) - strlen(whose),
					 "%s%s", whose[0] ? ", " : "", commands[c].name);
		if (r->name && is_long && ours)
			near_try(&near, r->name);
	}
	if (n_several > 1)
		return err_usage(err, EINVAL, "%s could be one of %s", name, several);
	instead = habit_of(command, name);
	if (instead)
		return err_usage(err, EINVAL, "%s is no option of %s: %s", name,
				 commands[command].name, instead);
	if (whose[0])
		return err_usage(err, EINVAL, "%s is no option of %s, but of %s", name,
				 commands[command].name, whose);
	if (name[1] == '-' && near.best)
		return err_usage(err, EINVAL, "%s is no option of %s; did you mean --%s?", name,
				 commands[command].name, near.best);
	return err_usage(err, EINVAL, "%s is no option of %s; `podhop help %s` lists them", name,
			 commands[command].name, commands[command].name);
}

void options_table(FILE *out)
{
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		fprintf(out, "command\t%s\t%s\t%s\n", commands[c].name, commands[c].args,
			commands[c].summary);
	for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++)
		for (unsigned i = 0; i < N_OPTIONS; i++) {
			const struct option_row *r = &options[i];
			char letter[3] = { r->id < OPT_LONG ? '-' : '\0', (char)r->id, '\0' };
			char value[64], typed[128];

			if (!(r->commands & (1u << c)))
				continue;
			put_words(typed, sizeof(typed), r->words, " ", " ", false);
			fprintf(out, "option\t%s\t%s\t%s%s\t%s\t%s\t%s\n", commands[c].name, letter,
				r->name ? "--" : "", r->name ? r->name : "",
				value_of(r, value, sizeof(value)), r->help, typed);
		}
}

/*
 * "  left   text", the text in a column of its own, broken between words within 80 columns; below
 * a left side that is too wide.
 */
static void help_row(FILE *out, const char *left, int indent, const char *text)
{
	int at = fprintf(out, "  %s", left);

	if (at >= indent) {
		fputc('\n', out);
		at = 0;
	}
	fprintf(out, "%*s", indent - at, "");
	at = indent;
	while (*text) {
		int word = (int)strcspn(text, " ");

		if (at > indent && at + 1 + word > HELP_COLUMNS) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		}
		if (at > indent)
			at += fprintf(out, " ");
		at += fprintf(out, "%.*s", word, text);
		text += word;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

void options_help(FILE *out, enum command command)
{
	if (command == COMMAND_NONE || command == COMMAND_HELP) {
		fputs("podhop - see at which hop a Kubernetes pod's packets go, "
		      "and where they vanish\n\n"
		      "usage:\n", out);
		for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
			char line[80];
			snprintf(line, sizeof(line), "podhop %s%s%s%s", commands[c].name,
				 commands[c].args[0] ? " " : "", commands[c].args,
				 c == COMMAND_HELP ? "" : " [options]");
			help_row(out, line, HELP_INDENT_COMMANDS, commands[c].summary);
		}
		fputs("\nPOD is [namespace/]name, an IP address, container:ID, pid:N, "
		      "netns:PATH or\nveth:NAME.\n"
		      "`podhop help COMMAND` lists a command's options; podhop(8) explains them.\n",
		      out);
		return;
	}
	fprintf(out, "podhop %s%s%s [options]\n  %s\n\n", commands[command].name,
		commands[command].args[0] ? " " : "", commands[command].args,
		commands[command].summary);
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *r = &options[i];
		char left[96], value[64];
		int n = 0;

		if (!(r->commands & (1u << command)))
			continue;
		if (r->id < OPT_LONG)
			n = snprintf(left, sizeof(left), "-%c%s", r->id, r->name ? ", " : "");
		else
			n = snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "%s%s%s%s", r->name ? "--" : "",
			 r->name ? r->name : "", r->arg && *r->arg != '[' ? " " : "",
			 value_of(r, value, sizeof(value)));
		help_row(out, left, HELP_INDENT, r->help);
	}
}

void options_getopt(enum command command, char shorts[static 3 * OPTIONS_MAX],
		    struct option longs[static OPTIONS_MAX + 1])
{
	char *s = shorts;
	unsigned n = 0;

	/* Words come one by one, and a missing value is told apart. */
	*s++ = '+';
	*s++ = ':';
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *r = &options[i];
		int arg = !r->arg ? no_argument : *r->arg == '[' ? optional_argument
								 : required_argument;

		if (!(r->commands & (1u << command)) && command != COMMAND_HELP)
			continue;
		if (r->id < OPT_LONG) {
			*s++ = (char)r->id;
			if (r->arg)
				*s++ = ':';
		}
		if (r->name)
			longs[n++] = (struct option){ r->name, arg, NULL, r->id };
	}
	longs[n] = (struct option){ 0 };
	*s = '\0';
}
