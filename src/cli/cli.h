/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.h - what the command line's files share. Private to src/cli.
 */
#ifndef PODHOP_CLI_H
#define PODHOP_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <time.h>

#include "podhop/chain.h"
#include "podhop/doctor.h"
#include "podhop/err.h"
#include "podhop/live.h"
#include "podhop/model.h"
#include "podhop/names.h"
#include "podhop/pcapng.h"
#include "podhop/pipeline.h"
#include "podhop/privacy.h"
#include "podhop/report.h"
#include "podhop/sandbox.h"

#ifndef PODHOP_VERSION
#define PODHOP_VERSION "unknown"
#endif

enum exit_status {
	EXIT_DONE = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_LOST = 3,		/* verify: lost or altered; doctor: a check failed */
	EXIT_UNKNOWN = 4,	/* verify cannot tell */
};

/* ---- options.c, and option_table.c: one table for parser, help, manual and completion */
enum command {
	COMMAND_NONE = 0,
	COMMAND_LIST,
	COMMAND_RESOLVE,
	COMMAND_CAPTURE,
	COMMAND_REPORT,
	COMMAND_VERIFY,
	COMMAND_DOCTOR,
	COMMAND_HELP,
	COMMAND_COUNT,
};

enum format {
	FORMAT_TEXT = 0,
	FORMAT_JSON,
	FORMAT_JSONL,
};

/* How the files of a rotation are called. */
enum naming {
	NAMING_ONE = 0,			/* no rotation */
	NAMING_NUMBER_AND_TIME,		/* -b: F_00001_20260131120000.pcapng, as dumpcap */
	NAMING_COUNT,			/* -C: F, F1, F2; with -W in a ring F0, F1, as tcpdump */
	NAMING_TIME,			/* -G: F is a strftime template, as tcpdump */
};

/* --min-free: space that a run leaves on the disk. */
struct min_free {
	bool is_set;		/* else the default of disk.c */
	uint64_t bytes;		/* 0: none */
	unsigned percent;	/* of the file system; 0: bytes */
};

#define LIST_MAX 64u	/* repeatable options: --hops, --pod, --and */
#define RING_FILES_MAX 100000u	/* -b files:N: their names are remembered; dumpcap takes 10,000 */

struct limits {
	int64_t duration_ns;	/* 0: none */
	uint64_t bytes;		/* filesize: in units of 1000 bytes, as dumpcap counts */
	uint64_t frames;
	uint64_t files;
	int64_t interval_ns;
};

/* Which file a path names, whichever way it is spelt. ino 0: none. */
struct file_id {
	dev_t dev;
	ino_t ino;
};
struct file_id file_id_of(const char *path);
bool file_id_is_same(const struct file_id *a, const struct file_id *b);

/* --hops ROLE=NAME: a device, an interface of a file, or a file. */
struct hop_option {
	const char *text;	/* as given, for messages */
	enum model_role role;
	const char *name;	/* never empty */
	struct file_id file;	/* of that name */
};

struct options {
	enum command command;
	const char *write;		/* -w */
	uint64_t count;			/* -c */
	uint32_t snaplen;		/* -s, of the inner frame */
	uint32_t buffer_kib;		/* -B */
	struct limits stop;		/* -a */
	struct min_free min_free;
	struct limits ring;		/* -b; -C, -G and -W in other words */
	enum naming naming;
	char *filter;			/* -f or trailing words, joined; owned */
	enum model_direction direction;	/* -Q; OTHER: both */
	enum format format;		/* -T */
	const char *report;		/* --report */
	bool no_text;			/* extcap: nobody reads a report for people */
	const char *html;		/* --html */
	const char *names;		/* --pods */
	bool numeric;			/* -n */
	struct hop_option hops[LIST_MAX];
	unsigned n_hops;
	const char *pods[LIST_MAX];
	unsigned n_pods;
	const char *and_pods[LIST_MAX];
	unsigned n_and_pods;
	const char *node, *host_root;
	const char *user;		/* -Z, and its numbers */
	uid_t uid;
	gid_t gid;
	int64_t window_ns;
	bool has_clock_offset;		/* --clock-offset */
	int64_t clock_offset_ns;
	bool until_eof;			/* --until-eof */
	bool follow;			/* --follow */
	bool no_payload, anonymize;
	const char *key_file;		/* --anonymize=KEYFILE; NULL: a random key */
	bool live;			/* --live */
	bool table;			/* help --table */
	bool quiet, unbuffered, line_buffered, nano, print, no_nat, terse, split;
	int verbose;
	char **args;			/* what is left: POD, FILEs, a command's name */
	int n_args;
};

/* Fills o; on failure prints nothing, err has the sentence. ret_help: the text was asked for. */
int options_parse(int argc, char **argv, struct options *o, bool *ret_help, struct err *err);
void options_done(struct options *o);
/* The table for programs: what completion and the manual are made of. */
void options_table(FILE *out);
void options_help(FILE *out, enum command command);
enum command options_command(const char *name);
const char *options_nearest_command(const char *name);

/* ---- commands: return an exit status */
int command_list(const struct options *o);
int command_resolve(const struct options *o);
int command_capture(const struct options *o);
int command_report(const struct options *o);
int command_extcap(int argc, char **argv);	/* called by Wireshark */
int command_verify(const struct options *o);
int command_doctor(const struct options *o);

/*
 * list, resolve, doctor: reading the node is what they do, so what is given up is everything else:
 * writing files, packet sockets, the network, programs, other capabilities. They look at no packet.
 */
int limit_to_reading(struct err *err);

/* Prints "podhop: ..." and gives the exit status of the error's class. */
int fail(const struct err *err);
/* A report's own file. What an earlier run left in it goes only when this one has come so far. */
struct report_file {
	FILE *stream;			/* NULL: none */
	int fd;				/* the stream's */
};
int report_file_open(const struct options *o, const char *path, struct report_file *ret,
		     struct err *err);
int report_file_cut(const struct report_file *f, const char *path, struct err *err);
void report_file_close(struct report_file *f);	/* one that was not opened is accepted */
/* Writing over a file that is still to be read would lose what it holds: -EEXIST. */
int check_not_input(const char *output, const char *input, struct err *err);
/* Another one each run, so that nobody can choose packets that all fall into one bucket. */
int hash_seed(uint64_t *ret_seed, struct err *err);
int64_t clock_ns(clockid_t clock);	/* of clocks that cannot fail: CLOCK_MONOTONIC, _REALTIME */
/* Names are printed when they were asked for (--pods): a line is then wider than its addresses. */
void style_init(struct report_style *style, const struct options *o, struct names *names,
		FILE *out);
/* Names, those of --pods among them: while files can still be opened. Caller frees; NULL: err. */
struct names *names_load(const struct options *o, struct err *err);

/* ---- signals.c */
void signals_init(void);
int signals_stop(void);			/* the signal that asked for the end, 0: none yet */
/* --until-eof: standard input has ended; what came in before that is thrown away */
bool signals_stdin_ended(void);
void signals_watch_stdin(void);		/* its end asks for the run's, as a signal does */
/*
 * An outlet_patience: once the end was asked for, a reader that takes nothing for
 * SIGNALS_PATIENCE_S is given up. Containers are killed 10 s behind their SIGTERM.
 */
bool signals_wait_on(bool took);
#define SIGNALS_PATIENCE_S 4
bool signals_take_status(void);		/* SIGUSR1 came since the last call */

/* ---- steady.c: streams that signals do not interrupt */
void steady_standard(void);	/* stdout and stderr become such; before anything is written */
FILE *steady_open(int fd);	/* fclose() closes fd; NULL: no memory, fd stays open */

/* ---- outfile.c: the files that are written */
/* Whether the n bytes at head, the file's first, begin what may be written over. */
typedef bool outfile_is_ours(const uint8_t *head, size_t n);
/*
 * Opens path, made if need be, as it is, not cut: for reading too, but for a FIFO, whose reader
 * is waited for. Mode 0600, the owner is the user of -Z if it is ours to give. Refused with a
 * sentence, -errno: a symbolic link; what has bytes and is not ours (kind: "capture"); where
 * everybody may make files, another user's. A descriptor's name (outfile_descriptor()) is that
 * descriptor, with its owner and mode. Caller closes.
 */
int outfile_open(const struct options *o, const char *path, outfile_is_ours *is_ours,
		 const char *kind, int *ret_fd, struct err *err);
/* Which one a name like /dev/fd/63, a shell's >(COMMAND), or /dev/stdout is; -1: it is none. */
int outfile_descriptor(const char *path);
int outfile_cut(int fd, const char *path, struct err *err);	/* to nothing, if it is a file */
/* Where the file of that name is, or would be; caller frees. NULL: no memory. */
char *outfile_directory(const char *path);

/* ---- disk.c: the floor of free space */
struct disk {
	const struct options *opt;
	uint64_t next;		/* bytes written when the file system is asked again */
	uint64_t floor;		/* bytes, as last computed; 0: none known yet */
	bool low;
};
void disk_begin(struct disk *d, const struct options *o);
/*
 * Is less free than the floor where fd's file lies? written: bytes so far, pending of them not
 * yet in the file; ahead: bytes that the file has on the disk for what is to come; look_now: asks
 * the file system, else when enough has been written. Once low it stays so; err has the sentence.
 */
bool disk_is_low(struct disk *d, int fd, uint64_t written, size_t pending, size_t ahead,
		 bool look_now, struct err *err);

/* ---- kept.c: which of its pods' packets a capture kept, as one libpcap filter */
struct buf;
#define KEPT_PARTS_MAX 258u	/* of each input one; --filter, -Q */
struct kept {
	const char *part[KEPT_PARTS_MAX];	/* borrowed; all of them hold */
	unsigned n;
};
void kept_add(struct kept *kept, const char *filter);	/* NULL, "", what it has: nothing changes */
void kept_text(const struct kept *kept, struct buf *to);	/* joined; one alone as it is */
/* -Q of a capture of net's pods; to stays as it is for both directions, and without addresses. */
void kept_direction(enum model_direction direction, const struct model_net *net, struct buf *to);

/* ---- output.c: correlated pcapng files */
struct output;
/*
 * -w FILE for a run that has yet to learn what goes in: opened while files can be, cut and written
 * by output_open(). *ret_fd is -1 where nothing can be opened yet: standard output, and files
 * whose names are not known (output_makes_files()).
 */
int output_reserve(const struct options *o, int *ret_fd, struct err *err);
/* Files are opened while frames are read: -b, -C, -G; --split where hops are not known before. */
bool output_makes_files(const struct options *o, bool hops_are_known);
/*
 * filters: the kernel's, of each hop; may be NULL. inputs: what these kept; borrowed.
 * begin_ns: of a live capture, whose files then follow each other by the clock; 0: not live.
 * reserved_fd: of output_reserve(), taken over; -1: none.
 */
struct output *output_open(const struct options *o, const struct model_net *net,
			   struct names *names, const char *const *filters,
			   const struct kept *inputs, int64_t begin_ns, int reserved_fd,
			   const struct privacy_key *key, struct err *err);
/* Counters for the statistics blocks of files that end while others follow. */
typedef int output_counters(void *arg, struct result *ret_result, struct err *err);
void output_set_counters(struct output *out, output_counters *fn, void *arg);
/* Live: every frame older than time_ns has been written. */
int output_time(struct output *out, int64_t time_ns, struct err *err);
/* Some limit of -a, or -G with -W, may be reached. */
bool output_may_end(const struct output *out);
/* A frame of that time still has its place behind so many others, of so many bytes. */
bool output_has_room(const struct output *out, int64_t time_ns, uint32_t waiting,
		     size_t waiting_bytes);
bool output_is_over(const struct output *out);	/* -a files:N, -G with -W: no further file begins */
/*
 * 1: so much was written that the caller has to look at its bounds, -a filesize and
 * output_is_low(); these are not asked for each frame. Else 0 or -errno.
 */
int output_frame(struct output *out, const struct model_frame *f, const struct correlate_mark *m,
		 struct err *err);
/* Counters of the hops so far, for statistics blocks; r has net's hops in order. */
int output_statistics(struct output *out, const struct result *r, int64_t now_ns, struct err *err);
/* The net has one hop more than before: described before its first frame. Not with --split. */
int output_add_hop(struct output *out, struct err *err);
/* True once less than --min-free is free under a regular file; err says so. */
bool output_is_low(struct output *out, bool look_now, struct err *err);
/* bytes that are to stay free; 0: none */
uint64_t output_floor(const struct output *out);
int output_idle(struct output *out, struct err *err);	/* flushes what has waited long enough */
/* For the epb_dropcount of the hop's next frame that is not older than from_ns. */
void output_drops(struct output *out, unsigned hop, int64_t from_ns, uint64_t count);
/* Last statistics, with what was found on the node (NULL: nothing); flush, close. */
int output_close(struct output *out, const struct result *r, const struct doctor_findings *found,
		 struct err *err);
void output_free(struct output *out);
uint64_t output_bytes(const struct output *out);	/* of all files so far */
uint64_t output_unwritten(const struct output *out);	/* frames that are in none, for a failure */
bool output_is_pipe(const struct output *out);

/* ---- causes.c: why packets were lost */
/* Watches the node; NULL when it cannot, which is said and no error. chain is borrowed. */
struct doctor_watch *causes_watch(const struct options *o, const struct chain *node,
				  const struct chain_pod *pod);
/* Once, at the end; w may be NULL. */
void causes_end(struct doctor_watch *w, struct doctor_findings *ret);
/* Findings as comments of a file, the weightiest first. */
#define CAUSES_LINES_MAX 24
struct causes_lines {
	char text[CAUSES_LINES_MAX][DOCTOR_FINDING_TEXT_MAX];
	const char *line[CAUSES_LINES_MAX];
	unsigned n;
};
void causes_lines(const struct doctor_findings *f, struct causes_lines *ret);
/* Those that a file tells, as far as it has been read. */
void causes_take(struct doctor_findings *f, const struct pcapng_reader *r);
/* Gives losses their reason and evidence. 0 or -ENOMEM. */
int causes_of_losses(const struct doctor_findings *f, struct result *r);

/* ---- node_notes.c: where the node's tables led, as comments of an interface */
#define NOTE_LINES_MAX 128 /* 8 entries at least in each: MODEL_REMOTES_MAX */
struct note_lines {
	char text[NOTE_LINES_MAX][PCAPNG_STRING_MAX];
	const char *line[NOTE_LINES_MAX];
	unsigned n;
};
void note_remotes(const struct model_net *net, struct note_lines *ret);	/* the VTEP's */
/* The bridge's. No line when they are not known, or are more than a file tells. */
void note_routes(const struct model_net *net, struct note_lines *ret);

/* ---- progress.c: one line on a terminal's stderr; nothing elsewhere, or with -q */
void progress_begin(const struct options *o);
bool progress_is_due(void);		/* at most twice a second */
__attribute__((format(printf, 1, 2))) void progress_line(const char *fmt, ...);
void progress_message(const char *line);	/* a whole line to stderr, in its place */
void progress_end(void);

/* ---- screen.c: --live */
struct screen;
struct session;
/*
 * Checks the terminal and starts the screen's process, which waits; before any device is open.
 * ERR_USAGE where there is no terminal that can be used.
 */
struct screen *screen_open(const struct options *o, struct err *err);
/* When the session has started. From here on screen_close() gives the terminal back. */
int screen_begin(struct screen *s, struct session *session, struct err *err);
/* Sends a frame when one is due, never waits. now_ns: CLOCK_MONOTONIC, real_ns: CLOCK_REALTIME */
int screen_tick(struct screen *s, struct session *session, int64_t now_ns, int64_t real_ns,
		struct err *err);
void screen_message(struct screen *s, const char *line);
bool screen_is_over(const struct screen *s);	/* the user asked for the end, or it is gone */
void screen_close(struct screen *s);		/* NULL is accepted */

/* ---- follow.c: pods and devices that come again (--follow) */
struct follow;
struct buf;
struct capture;
struct resolve;
struct follow_config {
	struct session *session;	/* all borrowed, but resolve: taken over */
	struct capture *capture;
	struct resolve *resolve;
	const char *exclude;		/* podhop's own connection; NULL: none */
	/* of each hop, filled for those that come: [MODEL_HOPS_MAX] */
	struct buf *filter;
	const char **filters;
	const bool *gone;
	int64_t *seen_ns;		/* when a hop's counters were read last */
};
/* Hears of the node's devices from now on; before the door. NULL with err set. */
struct follow *follow_new(const struct follow_config *config, struct err *err);
void follow_free(struct follow *f);	/* NULL is accepted */
/*
 * Looks for what is gone and takes up what came for it, when the kernel told of a device or a
 * moment has passed. Returns 0, or -errno when the output cannot be written.
 */
int follow_look(struct follow *f, struct err *err);
/* ---- hops.c: how a hop is opened */
struct capture_hop;
struct buf;
/* -s speaks of the inner frame: the underlay needs room for the outer headers. */
uint32_t hops_snaplen(const struct options *o, enum model_role role);
/* Its kernel filter into filter, which *ret then points into. Fills the model's snaplen too. */
int hops_config(const struct options *o, struct model_net *net, unsigned hop, const char *exclude,
		struct buf *filter, struct capture_hop *ret, struct err *err);

/* ---- own.c: podhop's own output */
/*
 * Into expr the libpcap filter of the connection that fd (stdout) is, else of the ssh session that
 * SSH_CONNECTION names (NULL: there is none). Nothing is added where neither is one.
 */
void own_connection(int fd, const char *ssh, struct buf *expr);

/* ---- session.c: what capture and report have in common */
struct session {
	const struct options *opt;
	struct model_net *net;		/* owned, with its routes */
	struct pipeline *pipeline;
	struct capture_filter *filter;
	struct output *output;		/* NULL without -w */
	int write_fd;			/* of -w, until output takes it; -1 */
	int status_fd;			/* see usage_open() */
	struct privacy_key key;		/* --anonymize */
	FILE *data;			/* where packets and the report go */
	FILE *report;			/* stdout, or stderr with -w - */
	struct report_file json, html;	/* --report, --html */
	struct names *names;		/* owned: --pods, the inputs' own, this node's */
	struct kept inputs;		/* what these kept of their pods' packets */
	struct report_style style;
	struct live_feed *live;		/* --live: the screen's, borrowed; else NULL */
	struct err err;			/* of a callback */
	struct err later;		/* of the frames behind it; nobody reads it */
	struct err low;			/* the disk is nearly full: nothing more is kept */
	bool packets;			/* a line a packet */
	bool broken_pipe;		/* the reader of -w - or of stdout is gone: a normal end */
	uint64_t packets_seen;
	int64_t begin_ns;		/* when a live capture began; before session_start() */
	struct doctor_findings findings;	/* for losses; before session_finish() */
	/* Completes the result with what the source knows (drops, times, inputs). */
	int (*fill)(void *arg, struct result *r); /* 0 or -errno */
	void *fill_arg;
};

struct session *session_new(const struct options *o, struct err *err);	/* net is empty then */
/* A name that an input file tells; for pcapng_reader_names(). Before session_start(). */
void session_add_name(void *session, const struct addr *a, const char *name);
/* A pod came with other addresses. */
void session_add_pod_names(struct session *s, unsigned pod);
/* Opens what the run writes to, as far as that is known: before the door is closed. */
int session_open(struct session *s, struct err *err);
/*
 * The door: every right but what door names (needs, rights and only_read; mostly nothing) is given
 * up. Everything is open by now, and no byte of a packet was looked at. live: hops, and so
 * --split's files, are known.
 */
int session_close_door(const struct options *o, bool live, struct sandbox_config door,
		       struct err *err);
/*
 * When net is known: filter, output, pipeline. kernel_filters, one a hop, may be NULL.
 * sort_ns: how far behind a newer one frames may come (live: the rings tell). More than
 * SESSION_SORT_NS is not sorted: files whose interfaces lag further are read otherwise
 * (inputs_scan()). Where session_is_unseen(), what comes out can be taken back:
 * pipeline_is_disordered().
 */
#define SESSION_SORT_NS (CORRELATE_LOOKAHEAD_NS + CORRELATE_LOOKAHEAD_NS / 4)
int session_start(struct session *s, bool live, int64_t sort_ns, const char *const *kernel_filters,
		  struct err *err);
/* Another pipeline in place of the one that session_start() made. */
int session_pipeline(struct session *s, bool live, int64_t sort_ns, struct err *err);
/* The report is all that will be seen: no file, no line a packet, nothing that ends it early. */
bool session_is_unseen(const struct session *s);
int session_counters(struct session *s, struct result *ret_result, struct err *err);	/* so far */
/* With packets, latencies and losses: for the screen. */
int session_summary(struct session *s, struct result *ret_result, struct err *err);
int session_failed(struct session *s, int rc);
/* Looks at the disk now and then; a run that has no room left keeps no more frames and ends. */
void session_watch_disk(struct session *s, bool look_now);
/* What pipeline_frame() returned, and what its callbacks found: 0 or -errno, kept in s->err. */
static inline int session_took(struct session *s, int rc)
{
	return rc < 0 || s->err.code ? session_failed(s, rc) : 0;
}
/*
 * Ends the pipeline, writes statistics and report into an empty r. err: what ended the run before
 * (code 0: nothing); then the first failure of all. A reader that left is none.
 */
void session_finish(struct session *s, struct result *r, struct err *err);
void session_free(struct session *s);

/* ---- usage.c: what the run cost this process */
/* What its memory is read from at the end: before the door is closed. -1: there is no /proc. */
int usage_open(void);
/* CPU time and largest memory so far into r; fd: of usage_open(), or -1. */
void usage_note(int fd, struct result *r);

/* ---- connections.c: live, what conntrack knows of translations */
struct connections {
	struct conntrack *conntrack;	/* NULL: not allowed, or --no-nat */
	struct correlate *correlate;
	uint64_t learned;		/* of the captured pods */
	bool failed;			/* some were missed; said once */
};

/* Those that exist, and from now on those that begin. Before the sandbox is entered. */
void connections_begin(struct connections *n, struct correlate *correlate);
/* Behind the rings, before frames are matched: the kernel tells of a connection before its taps. */
void connections_read(struct connections *n);
void connections_end(struct connections *n);

#endif
