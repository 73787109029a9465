/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.c - reads a command line into struct options.
 *
 * Letters are those that users of tcpdump, tshark and dumpcap know.
 *
 * Theory of operation. Parsing has three steps: getopt, with the tables that option_table.c makes
 * of the command's options, takes these anywhere and leaves the words; take_option() reads one
 * value and knows its limits; check() sees all of them and refuses what does not go together.
 * Nothing is opened here, so every mistake of the command line is found before anything
 * happens. A new option is a row of the table, a case of take_option(), and a line of the manual.
 */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "option_table.h"

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL
#define SNAPLEN_MIN 64u			/* less does not hold the headers that matching needs */
#define SNAPLEN_DEFAULT 262144u
/* Per hop. 8 MiB hold 180 ms of 290,000 small frames a second; super-frames need more. */
#define BUFFER_KIB_HEADERS 8192u
#define BUFFER_KIB_FRAMES 16384u
#define SNAPLEN_HEADERS 512u
#define FILTER_MAX 16384u
/* As seconds it fits in nanoseconds. */
#define CONDITION_MAX ((uint64_t)(INT64_MAX / NS_PER_S))

/* --------------------------------------------------------------------- values */

static bool is_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || v < min || v > max)
		return false;
	*ret = v;
	return true;
}

static int parse_u64(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *ret,
		     struct err *err)
{
	if (!is_number(text, min, max, ret))
		return err_usage(err, EINVAL,
				 "%s %s: a number from %" PRIu64 " to %" PRIu64 " is needed", what,
				 text, min, max);
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

/* dumpcap's conditions, -a and -b: which of them the option takes, the table says. */
static int parse_condition(enum command command, int id, const char *text, struct limits *l,
			   struct err *err)
{
	const char *rest = NULL;
	enum option_word word = WORD_COUNT;
	uint64_t v = 0;
	int rc = options_word(command, id, text, &word, &rest, err);

	if (rc < 0)
		return rc;
	if (word == WORD_DURATION) {
		char *end;
		double s = strtod(rest, &end);
		if (*end || end == rest || !(s >= 1 / (double)NS_PER_S) || s > 1e9)
			return err_usage(err, EINVAL, "-%c %s: seconds are needed", id, text);
		l->duration_ns = (int64_t)(s * (double)NS_PER_S);
		return 0;
	}
	if (!is_number(rest, 1, CONDITION_MAX, &v))
		return err_usage(err, EINVAL, "-%c %s: a number from 1 to %" PRIu64 " is needed",
				 id, text, CONDITION_MAX);
	if (word == WORD_FILESIZE)
		l->bytes = v * 1000;
	else if (word == WORD_PACKETS)
		l->frames = v;
	else if (word == WORD_FILES)
		l->files = v;
	else
		l->interval_ns = (int64_t)v * NS_PER_S;
	return 0;
}

static int add_hop(struct options *o, const char *text, struct err *err)
{
	static const enum model_role roles[WORD_COUNT] = {
		[WORD_VETH] = MODEL_ROLE_VETH,
		[WORD_BRIDGE] = MODEL_ROLE_BRIDGE,
		[WORD_VTEP] = MODEL_ROLE_VTEP,
		[WORD_UNDERLAY] = MODEL_ROLE_UNDERLAY,
	};
	enum option_word word = WORD_COUNT;
	const char *name = NULL;
	int rc = options_word(o->command, OPT_HOPS, text, &word, &name, err);

	if (rc < 0)
		return rc;
	if (!name[0])
		return err_usage(err, EINVAL, "--hops %s: a name is needed", text);
	if (o->n_hops == LIST_MAX)
		return err_usage(err, E2BIG, "--hops: more than %u", LIST_MAX);
	o->hops[o->n_hops++] = (struct hop_option){
		.text = text, .role = roles[word], .name = name, .file = file_id_of(name)
	};
	return 0;
}

/* Looked up at once: files of the run are to be that user's. */
static int parse_user(const char *name, struct options *o, struct err *err)
{
	errno = 0;
	const struct passwd *pw = getpwnam(name);

	if (!pw)
		return errno ? err_sys(err, errno, "-Z %s", name)
			     : err_usage(err, ENOENT, "-Z %s: there is no such user", name);
	o->user = name;
	o->uid = pw->pw_uid;
	o->gid = pw->pw_gid;
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
	static const enum model_direction directions[WORD_COUNT] = {
		[WORD_IN] = MODEL_DIRECTION_INGRESS,
		[WORD_OUT] = MODEL_DIRECTION_EGRESS,
		[WORD_INOUT] = MODEL_DIRECTION_OTHER,
	};
	static const enum format formats[WORD_COUNT] = {
		[WORD_TEXT] = FORMAT_TEXT,
		[WORD_JSON] = FORMAT_JSON,
		[WORD_JSONL] = FORMAT_JSONL,
	};
	enum option_word word = WORD_COUNT;
	const char *rest;
	uint64_t n = 0;
	int rc = 0;

	switch (id) {
	case OPT_WRITE:
		o->write = outfile_descriptor(v) == STDOUT_FILENO ? "-" : v;
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
		rc = parse_condition(o->command, id, v, &o->stop, err);
		break;
	case OPT_RING:
		rc = parse_condition(o->command, id, v, &o->ring, err);
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
		rc = options_word(o->command, id, v, &word, &rest, err);
		o->direction = rc < 0 ? MODEL_DIRECTION_OTHER : directions[word];
		break;
	case OPT_FORMAT:
		rc = options_word(o->command, id, v, &word, &rest, err);
		o->format = rc < 0 ? FORMAT_TEXT : formats[word];
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
		rc = add_hop(o, v, err);
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
		rc = parse_user(v, o, err);
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

/* "-", or to verify "NAME=-". */
static bool is_stdin(const char *input, enum command command)
{
	const char *eq = command == COMMAND_VERIFY ? strchr(input, '=') : NULL;

	return strcmp(eq ? eq + 1 : input, "-") == 0;
}

/* The words that belong to no option. */
static int check_arguments(struct options *o, struct err *err)
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
		break;
	default:
		break;
	}
	return 0;
}

/* Who reads standard input, and who writes standard output or the terminal. */
static int check_streams(const struct options *o, struct err *err)
{
	if (o->command == COMMAND_REPORT || o->command == COMMAND_VERIFY) {
		bool pods = o->names && strcmp(o->names, "-") == 0;
		int n = 0;

		for (int i = 0; i < o->n_args; i++)
			n += is_stdin(o->args[i], o->command);
		if (n + pods > 1)
			return err_usage(err, EINVAL, pods ? "--pods - and a capture from standard "
					 "input: one of them" : "- given twice: standard input "
					 "is one capture");
	}
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
	return 0;
}

/* Files that follow each other. */
static int check_rotation(struct options *o, struct err *err)
{
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
		return err_usage(err, EINVAL, "-b files:%" PRIu64 ": say when the next file "
				 "begins: duration, interval, filesize or packets",
				 o->ring.files);
	if (o->naming == NAMING_NUMBER_AND_TIME && o->ring.files > RING_FILES_MAX)
		return err_usage(err, E2BIG, "-b files:%" PRIu64 ": at most %u files are kept",
				 o->ring.files, RING_FILES_MAX);
	if (o->ring.files && !o->naming)
		return err_usage(err, EINVAL, "-W needs -C or -G");
	return 0;
}

/* What is written, and what goes with it. */
static int check_outputs(const struct options *o, struct err *err)
{
	if ((o->report && strcmp(o->report, "-") == 0) || (o->html && strcmp(o->html, "-") == 0))
		return err_usage(err, EINVAL, "--report and --html need a file's name: on standard "
				 "output the report is asked for with -T json");
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
	if (o->write && pcapng_packing_is_unknown(o->write))
		return err_usage(err, EINVAL,
				 "-w %s: podhop packs with gzip (.gz) and zstd (.zst) "
				 "only; send -w - through another packer",
				 o->write);
	return 0;
}

static int check(struct options *o, struct err *err)
{
	int rc = check_arguments(o, err);

	if (!rc)
		rc = check_streams(o, err);
	if (!rc)
		rc = check_rotation(o, err);
	return rc ? rc : check_outputs(o, err);
}

int options_parse(int argc, char **argv, struct options *o, bool *ret_help, struct err *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[3 * OPTIONS_MAX];
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
	options_getopt(o->command, shorts, longs);

	/*
	 * Options stand anywhere, also between and behind a FILTER's words, as tcpdump takes
	 * them. So: options, one word, options, ...; behind -- all are words.
	 */
	char **words = calloc((size_t)argc, sizeof(*words));
	if (!words)
		return err_sys(err, ENOMEM, "arguments");
	o->args = words;
	o->n_args = 0;
	argv++;
	argc--;
	optind = 0; /* glibc: forgets what an earlier call left, and goes on with 1 */
	for (;;) {
		/* Behind the call optind may be this word's or the next one's. */
		const char *word = argv[optind ? optind : 1];

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
			bool is_long = word[1] == '-';
			const char letter[] = { '-', (char)optopt, '\0' };

			if (id == ':')
				return err_usage(err, EINVAL, "%s needs a value",
						 is_long ? word : letter);
			return options_refuse(o->command, is_long ? word : letter, err);
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
