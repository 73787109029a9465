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
 * happens. A new option is a row of the table, a case of flag_of(), text_of() or read_value(), and
 * a line of the manual.
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

/* -- of one option each: the value into o */

static int take_snaplen(struct options *o, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_u64("-s", v, 0, SNAPLEN_DEFAULT, &n, err);

	if (!rc && n && n < SNAPLEN_MIN)
		return err_usage(err, EINVAL, "-s %s: at least %u are needed for the headers", v,
				 SNAPLEN_MIN);
	o->snaplen = n ? (uint32_t)n : SNAPLEN_DEFAULT;
	return rc;
}

static int take_buffer(struct options *o, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_u64("-B", v, 64, 4u << 20, &n, err);

	o->buffer_kib = (uint32_t)n;
	return rc;
}

static int take_ring(struct options *o, const char *v, struct err *err)
{
	o->naming = NAMING_NUMBER_AND_TIME;
	return parse_condition(o->command, OPT_RING, v, &o->ring, err);
}

static int take_size(struct options *o, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_u64("-C", v, 1, 1u << 30, &n, err);

	o->ring.bytes = n * 1000000;
	if (o->naming != NAMING_TIME)
		o->naming = NAMING_COUNT;
	return rc;
}

static int take_seconds(struct options *o, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_u64("-G", v, 1, 1u << 30, &n, err);

	o->ring.duration_ns = (int64_t)n * NS_PER_S;
	o->naming = NAMING_TIME;
	return rc;
}

/* -Q and -T: one word is the whole value. */
static int take_word(struct options *o, int id, const char *v, struct err *err)
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
	int rc = options_word(o->command, id, v, &word, &rest, err);

	if (rc < 0)
		return rc;
	if (id == OPT_DIRECTION)
		o->direction = directions[word];
	else
		o->format = formats[word];
	return 0;
}

static int take_window(struct options *o, const char *v, struct err *err)
{
	uint64_t n = 0;
	int rc = parse_u64("--window", v, 1, 3600000, &n, err);

	o->window_ns = (int64_t)n * NS_PER_MS;
	return rc;
}

static int take_clock_offset(struct options *o, const char *v, struct err *err)
{
	o->has_clock_offset = true;
	return parse_i64("--clock-offset", v, &o->clock_offset_ns, err);
}

/* -- of all options */

/* What an option without a value sets; NULL: nothing so simple. */
static bool *flag_of(struct options *o, int id)
{
	switch (id) {
	case OPT_NUMERIC:
		return &o->numeric;
	case OPT_SPLIT:
		return &o->split;
	case OPT_NANO:
		return &o->nano;
	case OPT_PRINT:
		return &o->print;
	case OPT_NO_NAT:
		return &o->no_nat;
	case OPT_TERSE:
		return &o->terse;
	case OPT_NO_PAYLOAD:
		return &o->no_payload;
	case OPT_ANONYMIZE:
		return &o->anonymize;
	case OPT_UNBUFFERED:
		return &o->unbuffered;
	case OPT_LINE:
		return &o->line_buffered;
	case OPT_FOLLOW:
		return &o->follow;
	case OPT_UNTIL_EOF:
		return &o->until_eof;
	case OPT_TABLE:
		return &o->table;
	case OPT_LIVE:
		return &o->live;
	case OPT_QUIET:
		return &o->quiet;
	default:
		return NULL;
	}
}

/* Where a value stays as it was typed; NULL: it has to be read. */
static const char **text_of(struct options *o, int id)
{
	switch (id) {
	case OPT_WRITE:
		return &o->write;
	case OPT_REPORT:
		return &o->report;
	case OPT_HTML:
		return &o->html;
	case OPT_PODS:
		return &o->names;
	case OPT_NODE:
		return &o->node;
	case OPT_HOST_ROOT:
		return &o->host_root;
	case OPT_ANONYMIZE:
		return &o->key_file; /* none: NULL */
	default:
		return NULL;
	}
}

static int read_value(struct options *o, int id, const char *v, struct err *err)
{
	switch (id) {
	case OPT_COUNT:
		return parse_u64("-c", v, 1, INT64_MAX, &o->count, err);
	case OPT_SNAPLEN:
		return take_snaplen(o, v, err);
	case OPT_BUFFER:
		return take_buffer(o, v, err);
	case OPT_STOP:
		return parse_condition(o->command, id, v, &o->stop, err);
	case OPT_RING:
		return take_ring(o, v, err);
	case OPT_SIZE:
		return take_size(o, v, err);
	case OPT_SECONDS:
		return take_seconds(o, v, err);
	case OPT_FILES:
		return parse_u64("-W", v, 1, 1000000, &o->ring.files, err);
	case OPT_FILTER:
		return set_filter(o, v, err);
	case OPT_DIRECTION:
	case OPT_FORMAT:
		return take_word(o, id, v, err);
	case OPT_HOPS:
		return add_hop(o, v, err);
	case OPT_POD:
		return add_to_list("--pod", o->pods, &o->n_pods, v, err);
	case OPT_AND:
		return add_to_list("--and", o->and_pods, &o->n_and_pods, v, err);
	case OPT_WINDOW:
		return take_window(o, v, err);
	case OPT_CLOCK_OFFSET:
		return take_clock_offset(o, v, err);
	case OPT_MIN_FREE:
		return parse_min_free(v, &o->min_free, err);
	case OPT_USER:
		return parse_user(v, o, err);
	default:
		return 0;
	}
}

static int take_option(struct options *o, int id, const char *v, struct err *err)
{
	bool *flag = flag_of(o, id);
	const char **text = text_of(o, id);

	if (flag)
		*flag = true;
	if (text)
		*text = v;
	if (id == OPT_WRITE && outfile_descriptor(v) == STDOUT_FILENO)
		o->write = "-";
	if (id == OPT_JSON)
		o->format = FORMAT_JSON;
	if (id == OPT_VERBOSE)
		o->verbose++;
	/* OPT_NO_PROMISC is what podhop does anyway. */
	return flag || text ? 0 : read_value(o, id, v, err);
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

static int find_command(const char *name, enum command *ret, struct err *err)
{
	const char *near;

	*ret = options_command(name);
	if (*ret)
		return 0;
	near = options_nearest_command(name);
	if (near)
		return err_usage(err, EINVAL, "%s is no command; did you mean %s?", name, near);
	return err_usage(err, EINVAL, "%s is no command; `podhop help` lists them", name);
}

/* What getopt_long() did not take: `word` is as it was typed, optopt a letter's name. */
static int refuse_option(const struct options *o, bool value_missing, const char *word,
			 struct err *err)
{
	const char letter[] = { '-', (char)optopt, '\0' };
	const char *name = word[1] == '-' ? word : letter;

	if (value_missing)
		return err_usage(err, EINVAL, "%s needs a value", name);
	return options_refuse(o->command, name, err);
}

/* The next word of no option; behind -- all are, and then it says false: nothing follows. */
static bool take_words(struct options *o, int argc, char **argv)
{
	bool all = strcmp(argv[optind - 1], "--") == 0;

	do
		o->args[o->n_args++] = argv[optind++];
	while (all && optind < argc);
	return !all;
}

/*
 * Options stand anywhere, also between and behind a FILTER's words, as tcpdump takes them. So:
 * options, one word, options, ...; behind -- all are words. argv[0] is the command.
 */
static int take_all(struct options *o, int argc, char **argv, bool *ret_help, struct err *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[3 * OPTIONS_MAX];
	int rc = 0;

	options_getopt(o->command, shorts, longs);
	optind = 0; /* glibc: forgets what an earlier call left, and goes on with 1 */
	while (rc >= 0) {
		/* Behind the call optind may be this word's or the next one's. */
		const char *word = argv[optind ? optind : 1];
		int id = getopt_long(argc, argv, shorts, longs, NULL);

		if (id == -1) {
			if (optind >= argc || !take_words(o, argc, argv))
				return 0;
		} else if (id == '?' || id == ':') {
			return refuse_option(o, id == ':', word, err);
		} else if (id == OPT_HELP) {
			*ret_help = true;
			return 0;
		} else if (id == OPT_VERSION) {
			printf("podhop %s\n", PODHOP_VERSION);
			exit(EXIT_DONE);
		} else {
			rc = take_option(o, id, optarg, err);
		}
	}
	return rc;
}

int options_parse(int argc, char **argv, struct options *o, bool *ret_help, struct err *err)
{
	int rc;

	*o = (struct options){ .snaplen = SNAPLEN_DEFAULT };
	*ret_help = false;
	if (argc < 2)
		return err_usage(err, EINVAL, "a command is needed; `podhop help` lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		*ret_help = true;
		return 0;
	}
	rc = find_command(argv[1], &o->command, err);
	if (rc < 0)
		return rc;
	o->args = calloc((size_t)argc, sizeof(*o->args));
	if (!o->args)
		return err_sys(err, ENOMEM, "arguments");
	rc = take_all(o, argc - 1, argv + 1, ret_help, err);
	if (rc < 0 || *ret_help)
		return rc;
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
