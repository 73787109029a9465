/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c - the one table of commands and options: parser, help, manual, completion.
 *
 * Letters are those that users of tcpdump, tshark and dumpcap know.
 *
 * Theory of operation. The table options[] says of each option its letter or number, its
 * long name, its argument, the commands that take it and its line of help. getopt's two
 * tables are made of the rows of the command at hand, so that an option of another
 * command is refused by name; the help is printed from the same rows, and tests compare
 * manual and completion with them. A new option is a row, a case of take_option(), and a
 * line in both of those.
 *
 * Parsing has three steps: getopt, which takes options anywhere and leaves the words;
 * take_option(), which reads one value and knows its limits; and check(), which sees all
 * of them and refuses what does not go together. Nothing is opened here, so every
 * mistake of the command line is found before anything happens.
 */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "podhop/near.h"

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define SNAPLEN_MIN 64u			/* less does not hold the headers that matching needs */
#define SNAPLEN_DEFAULT 262144u
/* Per hop. 8 MiB hold 180 ms of 290,000 small frames a second; super-frames need more. */
#define BUFFER_KIB_HEADERS 8192u
#define BUFFER_KIB_FRAMES 16384u
#define SNAPLEN_HEADERS 512u
#define FILTER_MAX 16384u

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

struct option_row {
	int id;
	const char *name;	/* long form; NULL: none */
	const char *arg;	/* NULL: takes none; "[=...]": may have one */
	unsigned commands;
	const char *help;
};

static const struct option_row options[] = {
	{ OPT_WRITE, "write", "FILE", FOR_RUN,
	  "write a correlated pcapng file; - is stdout, .gz and .zst are packed" },
	{ OPT_COUNT, "count", "N", FOR_RUN, "the first N packets, then until they close" },
	{ OPT_SNAPLEN, "snapshot-length", "N", FOR(CAPTURE),
	  "bytes kept of the inner frame (262144); the underlay gets 70 more" },
	{ OPT_BUFFER, "buffer-size", "KiB", FOR(CAPTURE),
	  "kernel ring of each hop (16384; 8192 with -s 512 or less)" },
	{ OPT_STOP, "autostop", "COND", FOR_RUN,
	  "stop after duration:S, filesize:KB, packets:N frames or files:N" },
	{ OPT_RING, "ring-buffer", "COND", FOR_RUN,
	  "next file after duration:S, interval:S, filesize:KB, packets:N; keep files:N" },
	{ OPT_SIZE, "rotate-size", "MB", FOR_RUN, "next file after so many million bytes" },
	{ OPT_SECONDS, "rotate-seconds", "S", FOR_RUN,
	  "next file after so many seconds; FILE is a strftime template" },
	{ OPT_FILES, "rotate-files", "N", FOR_RUN,
	  "with -C keep N files in a ring, with -G end after N" },
	{ OPT_MIN_FREE, "min-free", "MB|N%", FOR_RUN,
	  "end when less of the disk is free (5%, at most 1000; 0: never)" },
	{ OPT_FILTER, "filter", "FILTER", FOR_RUN | FOR(VERIFY),
	  "libpcap filter on the pod's own packets as its veth shows them" },
	{ OPT_DIRECTION, "direction", "in|out|inout", FOR_RUN,
	  "packets to the pod, from it, both" },
	{ OPT_FORMAT, "format", "text|json|jsonl", FOR_RUN, "what goes to stdout" },
	{ OPT_FORMAT, "format", "text|json", FOR_ALL & ~FOR_RUN, "what goes to stdout" },
	{ OPT_JSON, "json", NULL, FOR_ALL, "the same as -T json" },
	{ OPT_REPORT, "report", "FILE", FOR_RUN,
	  "the report as JSON, besides what goes to stdout" },
	{ OPT_HTML, "html", "FILE", FOR_RUN, "the report also as one page for a browser" },
	{ OPT_HOPS, "hops", "ROLE=NAME", FOR_RUN | FOR(VERIFY),
	  "NAME (device, interface or file) is the veth, bridge, vtep or underlay" },
	{ OPT_POD, "pod", "ADDR", FOR(REPORT) | FOR(VERIFY),
	  "a pod's address, for files that do not say; verify: also NAME=ADDR" },
	{ OPT_AND, "and", "POD", FOR(CAPTURE), "one more pod of this node" },
	{ OPT_FOLLOW, "follow", NULL, FOR(CAPTURE),
	  "go on with a pod re-created under its name; keeps rights that are else given up" },
	{ OPT_PODS, "pods", "FILE", FOR_RUN,
	  "names: what `kubectl get pods,services,nodes -A -o json` prints" },
	{ OPT_SPLIT, "split", NULL, FOR_RUN, "with -w f.pcapng also one file a hop" },
	{ OPT_NODE, "node", "NAME", FOR_NODE | FOR(REPORT), "the node's name" },
	{ OPT_HOST_ROOT, "host-root", "DIR", FOR_NODE,
	  "where the node's /proc, /run, /var and /etc are" },
	{ OPT_WINDOW, "window", "MS", FOR_RUN | FOR(VERIFY),
	  "how long a packet stays open (2000)" },
	{ OPT_NANO, "nano", NULL, FOR(CAPTURE),
	  "nanosecond stamps; the kernel then stamps received frames once for all hops" },
	{ OPT_LIVE, "live", NULL, FOR(CAPTURE),
	  "a screen that shows hops and packets as they come; q ends it" },
	{ OPT_PRINT, "print", NULL, FOR_RUN, "a line a packet also with -w" },
	{ OPT_NO_NAT, "no-nat", NULL, FOR_RUN | FOR(VERIFY), "do not follow address translation" },
	{ OPT_CLOCK_OFFSET, "clock-offset", "NS", FOR(VERIFY),
	  "the other nodes' clocks less the first one's, where traffic cannot tell" },
	{ OPT_TERSE, "terse", NULL, FOR_RUN, "no comment a frame: smaller, faster" },
	{ OPT_NO_PAYLOAD, "no-payload", NULL, FOR_RUN,
	  "write headers only; lengths stay those on the wire" },
	{ OPT_ANONYMIZE, "anonymize", "[=KEYFILE]", FOR_RUN,
	  "write pseudonyms for addresses and names, the same for the same key" },
	{ OPT_UNBUFFERED, "packet-buffered", NULL, FOR_RUN, "flush the file after each frame" },
	{ OPT_LINE, "line-buffered", NULL, FOR_RUN, "flush stdout after each line" },
	{ OPT_UNTIL_EOF, "until-eof", NULL, FOR(CAPTURE),
	  "end when standard input ends, as it does behind ssh and kubectl exec -i" },
	{ OPT_NUMERIC, NULL, NULL, FOR_ALL, "no names for addresses (podhop never asks DNS)" },
	{ OPT_NO_PROMISC, "no-promiscuous-mode", NULL, FOR(CAPTURE),
	  "accepted: capture is never promiscuous" },
	{ OPT_USER, "relinquish-privileges", "USER", FOR(CAPTURE),
	  "become USER once everything is open" },
	{ OPT_QUIET, "quiet", NULL, FOR_ALL, "no progress, no notices" },
	{ OPT_VERBOSE, "verbose", NULL, FOR_ALL, "say more; twice: debug" },
	{ OPT_HELP, "help", NULL, FOR_ALL, "this text" },
	{ OPT_TABLE, "table", NULL, FOR(HELP),
	  "all commands and options, a line each, tabs between its fields: for programs" },
	{ OPT_VERSION, "version", NULL, FOR_ALL, "podhop's version" },
};

#define N_OPTIONS (sizeof(options) / sizeof(options[0]))

const char *options_command_name(enum command c)
{
	return c > COMMAND_NONE && c < COMMAND_COUNT ? commands[c].name : "";
}

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

/* An option that the command does not have: whose is it, or what was meant? */
static int no_option(enum command command, const char *word, struct err *err)
{
	char name[64], whose[128] = "", several[256] = "";
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
		if (is_long && ours && r->name && strncmp(r->name, name + 2, strlen(name + 2)) == 0)
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

			if (r->commands & (1u << c))
				fprintf(out, "option\t%s\t%s\t%s%s\t%s\t%s\n", commands[c].name,
					letter, r->name ? "--" : "", r->name ? r->name : "",
					r->arg ? r->arg : "", r->help);
		}
}

void options_help(FILE *out, enum command command)
{
	if (command == COMMAND_NONE || command == COMMAND_HELP) {
		fputs("podhop - see at which hop a Kubernetes pod's packets go, "
		      "and where they vanish\n\n"
		      "usage:\n", out);
		for (enum command c = COMMAND_NONE + 1; c < COMMAND_COUNT; c++) {
			char line[80];
			snprintf(line, sizeof(line), "podhop %s %s%s", commands[c].name,
				 commands[c].args, c == COMMAND_HELP ? "" : " [options]");
			fprintf(out, "  %-38s %s\n", line, commands[c].summary);
		}
		fputs("\nPOD is [namespace/]name, an IP address, container:ID, pid:N, "
		      "netns:PATH or veth:NAME.\n"
		      "`podhop help COMMAND` lists a command's options; podhop(8) explains them.\n",
		      out);
		return;
	}
	fprintf(out, "podhop %s %s [options]\n  %s\n\n", commands[command].name,
		commands[command].args, commands[command].summary);
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *r = &options[i];
		char left[64];
		int n = 0;

		if (!(r->commands & (1u << command)))
			continue;
		if (r->id < OPT_LONG)
			n = snprintf(left, sizeof(left), "-%c%s", r->id, r->name ? ", " : "");
		else
			n = snprintf(left, sizeof(left), "    ");
		snprintf(left + n, sizeof(left) - (size_t)n, "%s%s%s%s", r->name ? "--" : "",
			 r->name ? r->name : "", r->arg && *r->arg != '[' ? " " : "",
			 r->arg ? r->arg : "");
		fprintf(out, "  %-28s %s\n", left, r->help);
	}
}

/* --------------------------------------------------------------------- values */

static int parse_u64(const char *what, const char *text, uint64_t min, uint64_t max,
		     uint64_t *ret, struct err *err)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || v < min || v > max)
		return err_usage(err, EINVAL, "%s %s: a number from %" PRIu64 " to %" PRIu64
				 " is needed", what, text, min, max);
	*ret = v;
	return 0;
}

static int parse_i64(const char *what, const char *text, int64_t *ret, struct err *err)
{
	char *end;

	errno = 0;
	long long v = strtoll(text, &end, 10);
	if (end == text || *end || errno)
		return err_usage(err, EINVAL, "%s %s: a whole number is needed", what, text);
	*ret = v;
	return 0;
}

/* dumpcap's words: duration:S, filesize:KB, packets:N, files:N, interval:S. */
static int parse_condition(const char *what, const char *text, struct limits *l, struct err *err)
{
	const char *colon = strchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;
	uint64_t v = 0;
	int rc;

	if (!colon)
		return err_usage(err, EINVAL,
				 "%s %s: duration:S, filesize:KB, packets:N or files:N is needed",
				 what, text);
	if (n == strlen("duration") && strncmp(text, "duration", n) == 0) {
		char *end;
		double s = strtod(colon + 1, &end);
		if (*end || end == colon + 1 || !(s > 0) || s > 1e9)
			return err_usage(err, EINVAL, "%s %s: seconds are needed", what, text);
		l->duration_ns = (int64_t)(s * (double)NS_PER_S);
		return 0;
	}
	rc = parse_u64(what, colon + 1, 1, INT64_MAX / 1000, &v, err);
	if (rc < 0)
		return rc;
	if (n == strlen("filesize") && strncmp(text, "filesize", n) == 0)
		l->bytes = v * 1000;
	else if (n == strlen("packets") && strncmp(text, "packets", n) == 0)
		l->frames = v;
	else if (n == strlen("files") && strncmp(text, "files", n) == 0)
		l->files = v;
	else if (n == strlen("interval") && strncmp(text, "interval", n) == 0)
		l->interval_ns = (int64_t)v * NS_PER_S;
	else
		return err_usage(err, EINVAL,
				 "%s %s: not one of duration, filesize, packets, files, interval",
				 what, text);
	return 0;
}

/* Million bytes as -C takes them, or a share of the file system. */
static int parse_min_free(const char *text, struct min_free *m, struct err *err)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	bool percent = strcmp(end, "%") == 0;
	if (text[0] < '0' || text[0] > '9' || errno || (*end && !percent) ||
	    v > (percent ? 99u : 1000000000u))
		return err_usage(err, EINVAL, "--min-free %s: million bytes or N%% are needed",
				 text);
	*m = (struct min_free){ .is_set = true, .bytes = percent ? 0 : v * 1000000,
				.percent = percent ? (unsigned)v : 0 };
	return 0;
}

static int add_to_list(const char *what, const char *list[LIST_MAX], unsigned *n, const char *v,
		       struct err *err)
{
	if (*n == LIST_MAX)
		return err_usage(err, E2BIG, "%s: more than %u", what, LIST_MAX);
	list[(*n)++] = v;
	return 0;
}

static int set_filter(struct options *o, const char *text, struct err *err)
{
	if (o->filter)
		return err_usage(err, EINVAL, "-f given twice, or together with trailing words");
	if (strlen(text) > FILTER_MAX)
		return err_usage(err, E2BIG, "the filter is longer than %u bytes", FILTER_MAX);
	if (!text[strspn(text, " \t\r\n")])
		return 0; /* as libpcap has it: everything */
	o->filter = strdup(text);
	return o->filter ? 0 : err_sys(err, ENOMEM, "filter");
}

static int take_option(struct options *o, int id, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = 0;

	switch (id) {
	case OPT_WRITE:
		o->write = v;
		break;
	case OPT_COUNT:
		rc = parse_u64("-c", v, 1, INT64_MAX, &o->count, err);
		break;
	case OPT_SNAPLEN:
		rc = parse_u64("-s", v, 0, SNAPLEN_DEFAULT, &n, err);
		if (!rc && n && n < SNAPLEN_MIN)
			rc = err_usage(err, EINVAL, "-s %s: at least %u are needed for the headers",
				       v, SNAPLEN_MIN);
		o->snaplen = n ? (uint32_t)n : SNAPLEN_DEFAULT;
		break;
	case OPT_BUFFER:
		rc = parse_u64("-B", v, 64, 4u << 20, &n, err);
		o->buffer_kib = (uint32_t)n;
		break;
	case OPT_STOP:
		rc = parse_condition("-a", v, &o->stop, err);
		break;
	case OPT_RING:
		rc = parse_condition("-b", v, &o->ring, err);
		o->naming = NAMING_NUMBER_AND_TIME;
		break;
	case OPT_SIZE:
		rc = parse_u64("-C", v, 1, 1u << 30, &n, err);
		o->ring.bytes = n * 1000000;
		if (o->naming != NAMING_TIME)
			o->naming = NAMING_COUNT;
		break;
	case OPT_SECONDS:
		rc = parse_u64("-G", v, 1, 1u << 30, &n, err);
		o->ring.duration_ns = (int64_t)n * NS_PER_S;
		o->naming = NAMING_TIME;
		break;
	case OPT_FILES:
		rc = parse_u64("-W", v, 1, 1000000, &o->ring.files, err);
		break;
	case OPT_FILTER:
		rc = set_filter(o, v, err);
		break;
	case OPT_DIRECTION:
		if (strcmp(v, "in") == 0)
			o->direction = MODEL_DIRECTION_INGRESS;
		else if (strcmp(v, "out") == 0)
			o->direction = MODEL_DIRECTION_EGRESS;
		else if (strcmp(v, "inout") == 0)
			o->direction = MODEL_DIRECTION_OTHER;
		else
			rc = err_usage(err, EINVAL, "-Q %s: in, out or inout is needed", v);
		break;
	case OPT_FORMAT:
		if (strcmp(v, "text") == 0)
			o->format = FORMAT_TEXT;
		else if (strcmp(v, "json") == 0)
			o->format = FORMAT_JSON;
		else if (strcmp(v, "jsonl") == 0)
			o->format = FORMAT_JSONL;
		else
			rc = err_usage(err, EINVAL, "-T %s: text, json or jsonl is needed", v);
		break;
	case OPT_JSON:
		o->format = FORMAT_JSON;
		break;
	case OPT_REPORT:
		o->report = v;
		break;
	case OPT_HTML:
		o->html = v;
		break;
	case OPT_PODS:
		o->names = v;
		break;
	case OPT_NUMERIC:
		o->numeric = true;
		break;
	case OPT_HOPS:
		rc = add_to_list("--hops", o->hops, &o->n_hops, v, err);
		break;
	case OPT_POD:
		rc = add_to_list("--pod", o->pods, &o->n_pods, v, err);
		break;
	case OPT_AND:
		rc = add_to_list("--and", o->and_pods, &o->n_and_pods, v, err);
		break;
	case OPT_SPLIT:
		o->split = true;
		break;
	case OPT_NODE:
		o->node = v;
		break;
	case OPT_HOST_ROOT:
		o->host_root = v;
		break;
	case OPT_WINDOW:
		rc = parse_u64("--window", v, 1, 3600000, &n, err);
		o->window_ns = (int64_t)n * NS_PER_MS;
		break;
	case OPT_CLOCK_OFFSET:
		rc = parse_i64("--clock-offset", v, &o->clock_offset_ns, err);
		o->has_clock_offset = true;
		break;
	case OPT_NANO:
		o->nano = true;
		break;
	case OPT_PRINT:
		o->print = true;
		break;
	case OPT_NO_NAT:
		o->no_nat = true;
		break;
	case OPT_TERSE:
		o->terse = true;
		break;
	case OPT_NO_PAYLOAD:
		o->no_payload = true;
		break;
	case OPT_ANONYMIZE:
		o->anonymize = true;
		o->key_file = v;
		break;
	case OPT_UNBUFFERED:
		o->unbuffered = true;
		break;
	case OPT_LINE:
		o->line_buffered = true;
		break;
	case OPT_FOLLOW:
		o->follow = true;
		break;
	case OPT_MIN_FREE:
		rc = parse_min_free(v, &o->min_free, err);
		break;
	case OPT_UNTIL_EOF:
		o->until_eof = true;
		break;
	case OPT_USER:
		o->user = v;
		break;
	case OPT_TABLE:
		o->table = true;
		break;
	case OPT_LIVE:
		o->live = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_VERBOSE:
		o->verbose++;
		break;
	default: /* OPT_NO_PROMISC: what podhop does anyway */
		break;
	}
	return rc;
}

/* Trailing words behind POD are the filter, as tcpdump takes them. */
static int join_filter(struct options *o, int from, struct err *err)
{
	size_t len = 1;
	char *text;
	int rc;

	for (int i = from; i < o->n_args; i++)
		len += strlen(o->args[i]) + 1;
	text = calloc(1, len);
	if (!text)
		return err_sys(err, ENOMEM, "filter");
	for (int i = from; i < o->n_args; i++) {
		strcat(text, o->args[i]);
		if (i + 1 < o->n_args)
			strcat(text, " ");
	}
	rc = set_filter(o, text, err);
	free(text);
	o->n_args = from;
	return rc;
}

static int check(struct options *o, struct err *err)
{
	switch (o->command) {
	case COMMAND_LIST:
		if (o->n_args)
			return err_usage(err, EINVAL, "list takes no argument; of one pod: "
					 "podhop resolve %s", o->args[0]);
		break;
	case COMMAND_RESOLVE:
		if (o->n_args != 1)
			return err_usage(err, EINVAL, o->n_args ? "resolve takes one POD; `podhop "
					 "list` shows all" :
					 "resolve needs a POD; `podhop list` shows them");
		break;
	case COMMAND_CAPTURE:
		if (!o->n_args)
			return err_usage(err, EINVAL,
					 "capture needs a POD; `podhop list` shows them");
		if (o->n_args > 1)
			return join_filter(o, 1, err);
		break;
	case COMMAND_VERIFY:
		if (!o->n_args)
			return err_usage(err, EINVAL, "verify needs captures: podhop verify "
					 "[NAME=]FILE...");
		break;
	case COMMAND_DOCTOR:
		if (o->n_args > 1)
			return err_usage(err, EINVAL, "doctor takes one POD, or none");
		break;
	case COMMAND_REPORT:
		if (!o->n_args)
			return err_usage(err, EINVAL, "report needs capture files: podhop report "
					 "FILE...");
		for (int i = 0; o->names && strcmp(o->names, "-") == 0 && i < o->n_args; i++)
			if (strcmp(o->args[i], "-") == 0)
				return err_usage(err, EINVAL, "--pods - and a capture from "
						 "standard input: one of them");
		break;
	default:
		break;
	}
	if ((o->command == COMMAND_LIST || o->command == COMMAND_RESOLVE ||
	     o->command == COMMAND_DOCTOR || o->command == COMMAND_VERIFY) &&
	    o->format == FORMAT_JSONL)
		return err_usage(err, EINVAL, "-T jsonl: %s prints text or json",
				 options_command_name(o->command));
	if (o->write && strcmp(o->write, "-") == 0 && o->format != FORMAT_TEXT && !o->report)
		return err_usage(err, EINVAL,
				 "-w - takes stdout: with -T json say where the report goes "
				 "(--report)");
	if (o->live && (o->print || o->format == FORMAT_JSONL))
		return err_usage(err, EINVAL, "--live shows the packets itself: leave out %s",
				 o->print ? "--print" : "-T jsonl");
	if (o->live && o->until_eof)
		return err_usage(err, EINVAL, "--live takes its keys from the terminal: leave out "
				 "--until-eof");
	if ((o->naming || o->stop.files) && (!o->write || strcmp(o->write, "-") == 0))
		return err_usage(err, EINVAL, "several files (-a files, -b, -C, -G) need -w FILE");
	/* To dumpcap -a filesize and -b filesize are the same thing: with -b, of each file. */
	if (o->naming == NAMING_NUMBER_AND_TIME && o->stop.bytes) {
		if (!o->ring.bytes)
			o->ring.bytes = o->stop.bytes;
		o->stop.bytes = 0;
	}
	if (o->naming == NAMING_NUMBER_AND_TIME && !o->ring.duration_ns && !o->ring.bytes &&
	    !o->ring.frames && !o->ring.interval_ns)
		return err_usage(err, EINVAL, "-b files:%llu: say when the next file begins: "
				 "duration, interval, filesize or packets",
				 (unsigned long long)o->ring.files);
	if (o->ring.files && !o->naming)
		return err_usage(err, EINVAL, "-W needs -C or -G");
	if ((o->no_payload || o->anonymize) && !o->write)
		return err_usage(err, EINVAL, "--no-payload and --anonymize need -w FILE: they are "
				 "about what is written");
	if (o->follow && o->split)
		return err_usage(err, EINVAL, "--follow writes all hops, those that come too, "
				 "to one file: not with --split");
	if (o->follow && o->user)
		return err_usage(err, EINVAL, "--follow reads the runtimes' files again, which "
				 "%s may not: not with -Z", o->user);
	if (o->split && (!o->write || strcmp(o->write, "-") == 0))
		return err_usage(err, EINVAL, "--split needs -w FILE");
	return 0;
}

int options_parse(int argc, char **argv, struct options *o, bool *ret_help, struct err *err)
{
	struct option longs[N_OPTIONS + 1] = { { 0 } };
	char shorts[3 * N_OPTIONS + 3] = "+:", *s = shorts + 2;
	unsigned n = 0;
	int id, rc, index = 0;

	*o = (struct options){ .snaplen = SNAPLEN_DEFAULT };
	*ret_help = false;
	if (argc < 2)
		return err_usage(err, EINVAL, "a command is needed; `podhop help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		*ret_help = true;
		return 0;
	}
	o->command = options_command(argv[1]);
	if (!o->command) {
		const char *near = options_nearest_command(argv[1]);
		return err_usage(err, EINVAL, near ? "%s is no command; did you mean %s?"
						   : "%s is no command; `podhop help` lists them%s",
				 argv[1], near ? near : "");
	}
	for (unsigned i = 0; i < N_OPTIONS; i++) {
		const struct option_row *r = &options[i];
		if (!(r->commands & (1u << o->command)) && o->command != COMMAND_HELP)
			continue;
		if (r->id < OPT_LONG) {
			*s++ = (char)r->id;
			if (r->arg)
				*s++ = ':';
		}
		if (r->name)
			longs[n++] = (struct option){ r->name,
						      !r->arg	       ? no_argument
						      : *r->arg == '[' ? optional_argument
								       : required_argument,
						      NULL, r->id };
	}
	*s = 0;

	/*
	 * Options stand anywhere, also between and behind a FILTER's words, as tcpdump takes
	 * them. So: options, one word, options, ...; behind -- all are words.
	 */
	char **words = calloc((size_t)argc, sizeof(*words));
	if (!words)
		return err_sys(err, ENOMEM, "arguments");
	o->args = words;
	argv++;
	argc--;
	optind = 1;
	for (;;) {
		id = getopt_long(argc, argv, shorts, longs, &index);
		if (id == -1) {
			if (optind >= argc)
				break;
			bool after_dashes = strcmp(argv[optind - 1], "--") == 0;
			words[o->n_args++] = argv[optind++];
			while (after_dashes && optind < argc)
				words[o->n_args++] = argv[optind++];
			/* getopt_long() would go back to the first word behind -- . */
			if (after_dashes)
				break;
			continue;
		}
		if (id == '?' || id == ':') {
			const char *bad = argv[optind - 1];
			if (id == ':')
				return err_usage(err, EINVAL, "%s needs a value", bad);
			if (optopt && optopt < OPT_LONG && strncmp(bad, "--", 2) != 0)
				return no_option(o->command, (char[]){ '-', (char)optopt, 0 }, err);
			return no_option(o->command, bad, err);
		}
		if (id == OPT_HELP) {
			*ret_help = true;
			return 0;
		}
		if (id == OPT_VERSION) {
			printf("podhop %s\n", PODHOP_VERSION);
			exit(EXIT_DONE);
		}
		rc = take_option(o, id, optarg, err);
		if (rc < 0)
			return rc;
	}
	if (!o->buffer_kib)
		o->buffer_kib = o->snaplen <= SNAPLEN_HEADERS ? BUFFER_KIB_HEADERS
							      : BUFFER_KIB_FRAMES;
	return check(o, err);
}

void options_done(struct options *o)
{
	free(o->filter);
	free(o->args);
}
