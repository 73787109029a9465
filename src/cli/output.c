/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * output.c - correlated pcapng files: -w, --split.
 *
 * A file is written under the caller's rights with mode 0600, never through a
 * symbolic link that somebody else planted, and never over a file that is no capture.
 *
 * Theory of operation. What is open at one time is a set: files[0] with all hops, or
 * standard output, and with --split a file for each hop behind it, where that hop is
 * interface 0. A frame goes to every file of the set that wants it. Without rotation
 * (-b, -C, -G) the first set is the only one. With it, output_frame() asks in front of
 * each frame whether the set is full; then each file gets its closing statistics, from
 * the counters that output_set_counters() names, and the next set begins with headers
 * and names of its own: every file can be read alone. How long a set lasts is counted in
 * the frames' times, so a report on old captures is cut where a live one would have been. Live,
 * output_time() tells how far time has come, and files follow each other in a quiet network too.
 *
 * All sets but the first are opened inside the sandbox: the kernel's name is read at
 * output_open() for that reason, and outfile_directory() says which directory must stay
 * writable.
 *
 * Frames come a look-ahead after they were captured, the kernel's drop counters at once.
 * Drops wait in drops[] for the hop's first frame behind the time from which they may be;
 * it tells of them in its epb_dropcount.
 *
 * --no-payload and --anonymize act here, on what is written, and nowhere else: matching has seen
 * the frames as they were. What headers tell comes from a copy of the net with pseudonyms.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "podhop/buf.h"
#include "podhop/log.h"

#define COMMENT_MAX 512u
/* An enhanced packet block, its options (comment, flags, id, drops, end) and what pads them. */
#define FRAME_COST_MAX (32u + 4u + COMMENT_MAX + 8u + 12u + 12u + 4u + 3u + 3u)
#define TEXT_MAX 16384u
#define FILTER_MAX 49000u	/* with TEXT_MAX what one option's 65535 bytes hold */
#define OS_MAX 160u
#define PATH_MAX_BYTES 4096u
#define NS_PER_S 1000000000LL
#define FLUSH_INTERVAL_NS 500000000LL	/* kill -9 loses at most 1 s: half is for the disk */

struct file {
	struct pcapng_writer *writer;
	int fd;
	char *path;		/* NULL: stdout */
	int only_hop;		/* --split: the one hop in this file; -1: all */
};

struct output {
	const struct options *opt;
	struct names *names;		/* borrowed */
	/* rotation */
	unsigned number;		/* of the current set of files, from 1 */
	uint64_t set_frames, earlier_bytes;
	uint64_t header_bytes;		/* of its first file, in front of the first frame */
	bool live;			/* sets follow the clock, whether frames come or not */
	int64_t set_ns;			/* when it began; 0: with its first frame */
	/* -G with -C: files of one slot of time are counted */
	int64_t slot_ns;
	time_t slot_time;		/* for its name */
	uint64_t count;			/* of the set in its slot, from 0 */
	/* What the set's statistics tell: of its own time, since the set before ended. */
	int64_t begin_ns;		/* 0: the capture's begin */
	uint64_t written[MODEL_HOPS_MAX];	/* frames of each hop */
	int64_t kernel_before[MODEL_HOPS_MAX], device_before[MODEL_HOPS_MAX];
	char **kept;			/* -b files:N: names still on the disk, a ring */
	bool over;
	output_counters *counters;
	void *counters_arg;
	const struct model_net *net;
	struct file files[MODEL_HOPS_MAX + 1];
	unsigned n_files;
	unsigned first_hops;		/* those behind them came while it was written */
	int reserved_fd;		/* for the first file; -1 */
	const char *const *filters;
	const struct kept *inputs;
	char os[OS_MAX];		/* read before the sandbox closes */
	uint64_t drops[MODEL_HOPS_MAX];	/* for the next frame that is not older than ... */
	int64_t drops_ns[MODEL_HOPS_MAX];	/* ... this */
	struct pipeline_comments comments;
	char comment[COMMENT_MAX];	/* of the frame that is being written */
	uint64_t unwritten;		/* frames for files that are gone again, or never came */
	struct privacy *privacy;	/* NULL: everything is written as it came */
	struct model_net *pseudonyms;	/* net is this then; owned */
	const struct model_net *real;	/* as the caller has it */
	int64_t flushed_ns;
	struct disk disk;
	uint64_t look_at;	/* bytes of output at which the caller looks at its bounds */
	bool flush_each, terse, rotates;
	bool is_pipe;			/* or a terminal, or a device: no regular file */
};

static int open_path(const struct options *o, const char *path, int *ret_fd, struct err *err)
{
	return outfile_open(o, path, pcapng_is_capture, "capture", ret_fd, err);
}

bool output_makes_files(const struct options *o, bool hops_are_known)
{
	return o->naming != NAMING_ONE || (o->split && !hops_are_known);
}

int output_reserve(const struct options *o, int *ret_fd, struct err *err)
{
	*ret_fd = -1;
	if (o->naming != NAMING_ONE || strcmp(o->write, "-") == 0)
		return 0;
	return open_path(o, o->write, ret_fd, err);
}

struct name_list {
	struct pcapng_name *name;
	size_t n;
	struct privacy *privacy;
	struct buf *text;	/* of pseudonyms, one for each name */
};

static void collect_name(void *arg, const struct addr *a, const char *name)
{
	struct name_list *l = arg;
	struct pcapng_name *n = &l->name[l->n];

	*n = (struct pcapng_name){ .addr = *a, .name = name };
	if (l->text) {
		buf_init(&l->text[l->n], TEXT_MAX);
		privacy_name(l->privacy, name, &l->text[l->n]);
		n->addr = privacy_addr(l->privacy, a);
		n->name = buf_str(&l->text[l->n]);
	}
	l->n++;
}

static int write_names(struct output *o, struct file *f, struct err *err)
{
	struct name_list l = { .privacy = o->privacy };
	size_t n = names_count(o->names);
	int rc = 0;

	if (!n)
		return 0;
	l.name = calloc(n, sizeof(*l.name));
	if (o->pseudonyms)
		l.text = calloc(n, sizeof(*l.text));
	if (!l.name || (o->pseudonyms && !l.text))
		rc = err_sys(err, ENOMEM, "names");
	if (!rc) {
		names_each(o->names, collect_name, &l);
		rc = pcapng_writer_names(f->writer, l.name, l.n, err);
	}
	for (size_t i = 0; l.text && i < l.n; i++)
		buf_done(&l.text[i]);
	free(l.text);
	free(l.name);
	return rc;
}

/*
 * What is kept of the pods' packets. False: a pseudonymous file cannot tell it, and says that it
 * cannot, for what it does not show may have been left out.
 */
static bool add_filter(const struct output *o, struct buf *text)
{
	struct kept kept = *o->inputs;
	struct buf direction, filter, hidden;
	bool told;

	buf_init(&direction, FILTER_MAX);
	buf_init(&filter, FILTER_MAX);
	buf_init(&hidden, FILTER_MAX);
	kept_direction(o->opt->direction, o->real, &direction);
	kept_add(&kept, o->opt->filter);
	kept_add(&kept, buf_str(&direction));
	kept_text(&kept, &filter);
	told = !o->privacy || privacy_filter(o->privacy, buf_str(&filter), &hidden);
	buf_addf(text, "%s filter=%s", told && !o->net->filtered ? "" : " filtered=yes",
		 o->privacy ? buf_str(&hidden) : buf_str(&filter));
	buf_done(&hidden);
	buf_done(&filter);
	buf_done(&direction);
	return told;
}

/* Of a pod that came again: the section's comment knows its first addresses alone. */
static void add_pod_addresses(const struct model_pod *p, struct buf *d)
{
	char a[ADDR_STR_MAX];

	buf_adds(d, " ip=");
	for (unsigned k = 0; k < p->n_addrs; k++)
		buf_addf(d, "%s%s", k ? "," : "", addr_str(&p->addrs[k], a));
}

/*
 * The filter that the hop was captured with. The kernel's own speaks of nothing that the packets do
 * not show, so under pseudonyms it is left out; another's that cannot be told leaves `filtered`.
 */
static const char *interface_filter(const struct output *o, unsigned i, struct buf *text)
{
	const char *filter = o->filters && o->filters[i] ? o->filters[i] : "";

	if (o->pseudonyms) {
		if (o->net->hops[i].filtered)
			(void)privacy_filter(o->privacy, filter, text);
		filter = buf_str(text);
	}
	return filter[0] ? filter : NULL;
}

static int write_interface(struct output *o, struct file *f, unsigned i, struct err *err)
{
	const struct model_net *net = o->net;
	const struct model_hop *h = &net->hops[i];
	bool came_later = i >= o->first_hops;
	struct note_lines *notes = NULL;
	struct buf d, filter;
	int rc;

	if (h->role == MODEL_ROLE_VTEP || h->role == MODEL_ROLE_BRIDGE) {
		notes = malloc(sizeof(*notes));
		if (!notes)
			return err_sys(err, ENOMEM, "routes");
		if (h->role == MODEL_ROLE_VTEP)
			note_remotes(net, notes);
		else
			note_routes(net, notes);
	}
	buf_init(&d, TEXT_MAX);
	buf_addf(&d, "podhop role=%s", model_role_name(h->role));
	if (net->node[0])
		buf_addf(&d, " node=%s", net->node);
	if (h->has_vni && (h->role == MODEL_ROLE_VTEP || h->role == MODEL_ROLE_UNDERLAY))
		buf_addf(&d, " vni=%u port=%u", h->vni, h->vxlan_port);
	if (h->mtu && h->mtu != MODEL_MTU_USUAL) /* else a reader takes that for granted */
		buf_addf(&d, " mtu=%u", h->mtu);
	if (h->role == MODEL_ROLE_VETH && (net->n_pods > 1 || came_later) && h->pod >= 0)
		buf_addf(&d, " pod=%s/%s", net->pods[h->pod].namespace_, net->pods[h->pod].name);
	if (h->role == MODEL_ROLE_VETH && came_later && h->pod >= 0)
		add_pod_addresses(&net->pods[h->pod], &d);
	if (h->filtered)
		buf_adds(&d, " filtered=yes");
	buf_init(&filter, FILTER_MAX);
	struct pcapng_writer_interface wi = {
		.name = h->name,
		.description = buf_str(&d),
		.filter = interface_filter(o, i, &filter),
		.linktype = h->linktype,
		.mac = h->mac,
		.addrs = h->addrs,
		.n_addrs = h->n_addrs,
		.comments = notes ? notes->line : NULL,
		.n_comments = notes ? notes->n : 0,
	};
	rc = pcapng_writer_interface(f->writer, &wi, err);
	free(notes);
	buf_done(&filter);
	buf_done(&d);
	return rc;
}

static int write_header(struct output *o, struct file *f, struct err *err)
{
	const struct model_net *net = o->net;
	struct buf comment;
	int rc;

	buf_init(&comment, TEXT_MAX + FILTER_MAX);
	buf_addf(&comment, "podhop node=%s pods=", net->node);
	for (unsigned i = 0, n = 0; i < net->n_pods; i++) {
		const struct model_pod *p = &net->pods[i];
		for (unsigned k = 0; k < p->n_addrs; k++) {
			char a[ADDR_STR_MAX];
			buf_addf(&comment, "%s%s%s%s:%s", n++ ? "," : "", p->namespace_,
				 p->namespace_[0] ? "/" : "", p->name, addr_str(&p->addrs[k], a));
		}
	}
	(void)add_filter(o, &comment);
	struct pcapng_writer_config wc = {
		.os = o->os,
		.application = "podhop " PODHOP_VERSION,
		.comment = buf_str(&comment),
	};
	rc = pcapng_writer_header(f->writer, &wc, err);
	for (unsigned i = 0; i < net->n_hops && !rc; i++)
		if (f->only_hop < 0 || (unsigned)f->only_hop == i)
			rc = write_interface(o, f, i, err);
	if (!rc)
		rc = write_names(o, f, err);
	/* A reader of a pipe waits for the header; a file shows at once that it is one. */
	if (!rc)
		rc = pcapng_writer_flush(f->writer, err);
	buf_done(&comment);
	return rc;
}

static int add_file(struct output *o, const char *path, int only_hop, struct err *err)
{
	struct file *f = &o->files[o->n_files];
	int rc;

	*f = (struct file){ .fd = -1, .only_hop = only_hop };
	o->n_files++;
	if (strcmp(path, "-") == 0) {
		f->fd = STDOUT_FILENO;
	} else {
		f->path = strdup(path);
		if (!f->path)
			return err_sys(err, ENOMEM, "%s", path);
		f->fd = o->reserved_fd;
		o->reserved_fd = -1;
		rc = f->fd < 0 ? open_path(o->opt, path, &f->fd, err) : 0;
		if (!rc)
			rc = outfile_cut(f->fd, path, err);
		if (rc < 0)
			return rc;
	}
	enum pcapng_packing packing;
	pcapng_packing_suffix(path, &packing);
	f->writer = pcapng_writer_new(f->fd, 0, err);
	if (!f->writer || pcapng_writer_pack(f->writer, packing, err) < 0)
		return -ENOMEM;
	pcapng_writer_patience(f->writer, signals_wait_on);
	if (f->path)
		pcapng_writer_set_aside(f->writer);
	rc = write_header(o, f, err);
	if (rc < 0)
		err_prefix(err, "%s", path);
	return rc;
}

/* ----------------------------------------------------------------- rotation */

/* How much of the name stands in front of its suffix: ".pcapng", ".pcapng.gz", ... */
static size_t stem_len(const char *path)
{
	enum pcapng_packing packing;
	size_t len = strlen(path) - pcapng_packing_suffix(path, &packing), dot = len;

	while (dot && path[dot - 1] != '.' && path[dot - 1] != '/')
		dot--;
	/* A name that begins with its only dot has no suffix, and neither has one without a dot. */
	return dot > 1 && path[dot - 1] == '.' && path[dot - 2] != '/' ? dot - 1 : len;
}

/*
 * The number that tcpdump -C puts behind a name: none, 1, 2, ...; with -W from 0 on, with as many
 * digits as the last one has, in a ring. It stands in front of what says how the file is packed.
 */
static void add_count(const struct output *o, const char *path, struct buf *name)
{
	enum pcapng_packing packing;
	size_t len = strlen(path) - pcapng_packing_suffix(path, &packing);
	uint64_t files = o->opt->ring.files, k = files ? o->count % files : o->count;
	int width = files > 1 ? snprintf(NULL, 0, "%" PRIu64, files - 1) : 0;

	buf_addf(name, "%.*s", (int)len, path);
	if (k || width)
		buf_addf(name, "%0*" PRIu64, width, k);
	buf_adds(name, path + len);
}

/* The name of the current set of files. */
static int set_name(const struct output *o, struct buf *name, struct err *err)
{
	const struct options *opt = o->opt;
	const char *path = opt->write;
	size_t stem = stem_len(path);
	/* Live a file is named by when it begins, which may be a moment ago. */
	time_t now = opt->naming == NAMING_TIME ? o->slot_time
		     : o->live			? (time_t)(o->set_ns / NS_PER_S)
						: time(NULL);
	char stamp[PATH_MAX_BYTES];
	struct tm tm;
	size_t n;

	localtime_r(&now, &tm);
	switch (opt->naming) {
	case NAMING_ONE:
		buf_adds(name, path);
		break;
	case NAMING_NUMBER_AND_TIME:
		strftime(stamp, sizeof(stamp), "%Y%m%d%H%M%S", &tm);
		buf_addf(name, "%.*s_%05u_%s%s", (int)stem, path, o->number, stamp, path + stem);
		break;
	case NAMING_COUNT:
		add_count(o, path, name);
		break;
	case NAMING_TIME:
/* The template is the user's own, as with tcpdump -G. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		n = strftime(stamp, sizeof(stamp), path, &tm);
#pragma GCC diagnostic pop
		if (!n)
			return err_usage(err, EINVAL, "no name comes of the template -w %s", path);
		if (opt->ring.bytes)
			add_count(o, stamp, name);
		else
			buf_adds(name, stamp);
		break;
	}
	return name->failed ? err_set(err, ENAMETOOLONG, "too long a name: -w %s", path) : 0;
}

/* --split: the name of hop i's own file beside that of all hops. */
static void split_name(const struct output *o, const char *whole, unsigned i, struct buf *path)
{
	size_t stem = stem_len(whole);

	buf_addf(path, "%.*s-%s-%s%s", (int)stem, whole, model_role_name(o->net->hops[i].role),
		 o->net->hops[i].name, whole + stem);
	/* A device's name may hold a slash nowhere but in a hostile file. */
	for (size_t k = stem; k < path->len; k++)
		if (path->data[k] == '/')
			path->data[k] = '_';
}

/* -b files:N keeps the newest N sets. */
static void forget_oldest(struct output *o, const char *name)
{
	uint64_t keep = o->opt->ring.files;

	if (o->opt->naming != NAMING_NUMBER_AND_TIME || !keep || !o->kept)
		return;
	char **slot = &o->kept[(o->number - 1) % keep];
	for (unsigned i = 0; *slot && o->opt->split && i < o->net->n_hops; i++) {
		struct buf path;

		buf_init(&path, PATH_MAX_BYTES);
		split_name(o, *slot, i, &path);
		if (!path.failed)
			unlink(buf_str(&path));
		buf_done(&path);
	}
	if (*slot)
		unlink(*slot);
	free(*slot);
	*slot = strdup(name);
}

static void forget_files(struct output *o)
{
	o->unwritten = output_unwritten(o);
	for (unsigned i = 0; i < o->n_files; i++) {
		pcapng_writer_free(o->files[i].writer);
		if (o->files[i].path && o->files[i].fd >= 0)
			close(o->files[i].fd);
		free(o->files[i].path);
		o->files[i] = (struct file){ .fd = -1 };
	}
	o->n_files = 0;
}

/* All of the next set, or none: then there is no file, and every further frame fails. */
static int open_set(struct output *o, struct err *err)
{
	const struct model_net *net = o->net;
	struct buf name;
	int rc;

	buf_init(&name, PATH_MAX_BYTES);
	o->number++;
	o->set_frames = 0;
	rc = set_name(o, &name, err);
	if (!rc)
		rc = add_file(o, buf_str(&name), -1, err);
	if (!rc)
		forget_oldest(o, buf_str(&name));
	for (unsigned i = 0; o->opt->split && i < net->n_hops && !rc; i++) {
		struct buf path;

		buf_init(&path, PATH_MAX_BYTES);
		split_name(o, buf_str(&name), i, &path);
		rc = path.failed ? err_set(err, ENAMETOOLONG, "too long a name: -w %s",
					   o->opt->write) : 0;
		if (!rc)
			rc = add_file(o, buf_str(&path), (int)i, err);
		buf_done(&path);
	}
	buf_done(&name);
	if (rc)
		forget_files(o);
	else
		o->header_bytes = pcapng_writer_bytes(o->files[0].writer);
	return rc;
}

/* -b duration counts from each file's beginning, -G from that of its slot of time. 0: none yet. */
static int64_t counts_from(const struct output *o)
{
	return o->opt->naming == NAMING_TIME ? o->slot_ns : o->set_ns;
}

static bool time_is_over(const struct output *o, int64_t time_ns)
{
	const struct limits *l = &o->opt->ring;
	int64_t begin = counts_from(o);

	if (!begin)
		return false;
	return (l->interval_ns && time_ns / l->interval_ns > begin / l->interval_ns) ||
	       (l->duration_ns && time_ns - begin >= l->duration_ns);
}

static bool set_is_full(const struct output *o)
{
	const struct limits *l = &o->opt->ring;

	return o->set_frames && ((l->frames && o->set_frames >= l->frames) ||
				 (l->bytes && pcapng_writer_bytes(o->files[0].writer) >= l->bytes));
}

/* The number of the last set of files; 0: there is none. */
static uint64_t last_set(const struct output *o)
{
	const struct limits *l = &o->opt->ring;

	return o->opt->naming == NAMING_TIME && l->files && !l->bytes ? l->files
								      : o->opt->stop.files;
}

bool output_may_end(const struct output *o)
{
	return o->opt->stop.bytes || last_set(o);
}

/* What the files that are to come, and the current one, take until they are full. */
static bool sets_hold(const struct output *o, uint64_t to_come, uint64_t frames, uint64_t bytes)
{
	const struct limits *l = &o->opt->ring;
	uint64_t written = pcapng_writer_bytes(o->files[0].writer);
	uint64_t each = l->bytes > o->header_bytes ? l->bytes - o->header_bytes : 0;

	return (!l->frames || o->set_frames + frames < (to_come + 1) * l->frames) &&
	       (!l->bytes || written + bytes < l->bytes + to_come * each);
}

/*
 * What a frame takes in a file is known when it is written; before that, what it takes at most.
 * Near a boundary of time what waits has to leave first: it may be what begins the last file.
 */
bool output_has_room(const struct output *o, int64_t time_ns, uint32_t waiting,
		     size_t waiting_bytes)
{
	uint64_t last = last_set(o), total = o->opt->stop.bytes;
	uint64_t bytes = waiting_bytes + (uint64_t)waiting * FRAME_COST_MAX;
	uint64_t to_come = last > o->number ? last - o->number : 0;

	if (o->over || !o->n_files || (total && output_bytes(o) + bytes >= total))
		return false;
	if (!last)
		return true;
	if (!waiting)
		return to_come || !(time_is_over(o, time_ns) || set_is_full(o));
	return !time_is_over(o, time_ns) && sets_hold(o, to_come, waiting, bytes);
}

/* Ends the current files soundly, each complete by itself, and begins the next. */
static int next_set(struct output *o, bool time_is_up, int64_t time_ns, struct err *err)
{
	const struct limits *l = &o->opt->ring;
	uint64_t last = last_set(o);
	struct result r = { 0 };
	int rc = 0;

	if (last && o->number >= last) {
		o->over = true;
		return 0;
	}
	if (o->counters)
		rc = o->counters(o->counters_arg, &r, err);
	o->earlier_bytes += pcapng_writer_bytes(o->files[0].writer);
	r.capture.end_ns = time_ns;
	if (!rc)
		rc = output_close(o, &r, NULL, err);
	for (unsigned i = 0; i < r.capture.n_interfaces && i < o->net->n_hops; i++) {
		o->kernel_before[i] = r.capture.interfaces[i].dropped_kernel;
		o->device_before[i] = r.capture.interfaces[i].dropped_interface;
	}
	memset(o->written, 0, sizeof(o->written));
	o->begin_ns = time_ns;
	result_free(&r);
	forget_files(o);
	if (rc)
		return rc;
	o->count++;
	/* The clock goes on evenly; frames of old captures say when something begins. */
	int64_t begin = !o->live ? 0 : l->duration_ns && time_is_up
		? time_ns - (time_ns - counts_from(o)) % l->duration_ns : time_ns;
	if (time_is_up) {
		o->slot_ns = begin;
		o->slot_time = o->live ? (time_t)(begin / NS_PER_S) : time(NULL);
		o->count = 0;
	}
	o->set_ns = begin;
	return open_set(o, err);
}

/* ------------------------------------------------------------------ privacy */

static int privacy_begin(struct output *o, const struct privacy_key *key, struct err *err)
{
	const struct options *opt = o->opt;
	struct privacy_config pc = {
		.no_payload = opt->no_payload,
		.key = opt->anonymize ? key : NULL,
		.frame_max = PCAPNG_CAPLEN_MAX,
		.vxlan_ports = o->net->vxlan_ports,
		.n_vxlan_ports = o->net->n_vxlan_ports,
	};

	if (!opt->no_payload && !opt->anonymize)
		return 0;
	o->privacy = privacy_new(&pc, err);
	if (!o->privacy)
		return -ENOMEM;
	if (!opt->anonymize)
		return 0;
	o->pseudonyms = malloc(sizeof(*o->pseudonyms));
	if (!o->pseudonyms)
		return err_sys(err, ENOMEM, "output");
	*o->pseudonyms = *o->net;
	privacy_net(o->privacy, o->pseudonyms);
	o->net = o->pseudonyms;
	snprintf(o->os, sizeof(o->os), "Linux"); /* which kernel is the house's matter */
	if (!opt->key_file)
		log_warn("privacy", "anonymized with a random key: captures that are to be "
			 "compared with this one need the same (--anonymize=KEYFILE)");
	if (!opt->no_payload)
		log_warn("privacy", "payload is kept as it is, with names and addresses in it; "
			 "--no-payload leaves it out");
	struct buf b;
	buf_init(&b, FILTER_MAX);
	if (!add_filter(o, &b))
		log_warn("privacy", "the file does not tell the filter, which could "
			 "give addresses away, only that there was one");
	buf_done(&b);
	return 0;
}

static bool is_no_file(const struct output *o)
{
	struct stat st;

	return o->n_files && fstat(o->files[0].fd, &st) == 0 && !S_ISREG(st.st_mode);
}

struct output *output_open(const struct options *opt, const struct model_net *net,
			   struct names *names, const char *const *filters,
			   const struct kept *inputs, int64_t begin_ns, int reserved_fd,
			   const struct privacy_key *key, struct err *err)
{
	struct output *o = calloc(1, sizeof(*o));
	struct utsname u;

	if (!o) {
		if (reserved_fd >= 0)
			close(reserved_fd);
		goto memory;
	}
	o->reserved_fd = reserved_fd;
	if (uname(&u) == 0)
		snprintf(o->os, sizeof(o->os), "%s %s", u.sysname, u.release);
	o->opt = opt;
	disk_begin(&o->disk, opt);
	o->net = o->real = net;
	o->first_hops = net->n_hops;
	o->names = names;
	o->filters = filters;
	o->inputs = inputs;
	o->flushed_ns = clock_ns(CLOCK_MONOTONIC_COARSE);
	o->flush_each = opt->unbuffered;
	o->terse = opt->terse;
	o->rotates = opt->naming != NAMING_ONE;
	o->live = begin_ns != 0;
	o->set_ns = o->slot_ns = begin_ns;
	o->slot_time = o->live ? (time_t)(begin_ns / NS_PER_S) : time(NULL);
	if (opt->naming == NAMING_NUMBER_AND_TIME && opt->ring.files) {
		o->kept = calloc(opt->ring.files, sizeof(*o->kept));
		if (!o->kept)
			goto memory;
	}
	if (privacy_begin(o, key, err) < 0 || open_set(o, err) < 0) {
		output_free(o);
		return NULL;
	}
	o->is_pipe = is_no_file(o);
	return o;
memory:
	output_free(o);
	err_sys(err, ENOMEM, "output");
	return NULL;
}

int output_time(struct output *o, int64_t time_ns, struct err *err)
{
	if (o->over || !o->n_files || !o->live || !o->opt->naming || !time_is_over(o, time_ns))
		return 0;
	return next_set(o, true, time_ns, err);
}

void output_set_counters(struct output *o, output_counters *fn, void *arg)
{
	o->counters = fn;
	o->counters_arg = arg;
}

bool output_is_over(const struct output *o)
{
	return o->over;
}

/* Frames leave a look-ahead late: those in front of the gap must not bear it. */
static uint64_t take_drops(struct output *o, const struct model_frame *f)
{
	uint64_t n = o->drops[f->hop];

	if (f->time_ns < o->drops_ns[f->hop])
		return 0;
	o->drops[f->hop] = 0;
	return n;
}

uint64_t output_bytes(const struct output *o)
{
	return o->earlier_bytes + (o->n_files ? pcapng_writer_bytes(o->files[0].writer) : 0);
}

/* Of the first file: with --split the others have each frame once more. */
uint64_t output_unwritten(const struct output *o)
{
	return o->unwritten +
	       (o->n_files && o->files[0].writer ? pcapng_writer_unwritten(o->files[0].writer) : 0);
}

/* Sets follow each other as they are full or their time is over. The frame of time_ns is next. */
static int turn(struct output *o, int64_t time_ns, struct err *err)
{
	if (o->over)
		return 0;
	if (!o->n_files)
		return -EBADF; /* why was said when the set could not be opened */

	bool time_is_up = time_is_over(o, time_ns);

	return time_is_up || set_is_full(o) ? next_set(o, time_is_up, time_ns, err) : 0;
}

/* Into o->comment. Returns its length. */
static size_t make_comment(struct output *o, const struct correlate_mark *m)
{
	struct correlate_mark mark;

	if (o->pseudonyms && m->translated) {
		mark = *m;
		mark.translation.src = privacy_addr(o->privacy, &m->translation.src);
		mark.translation.dst = privacy_addr(o->privacy, &m->translation.dst);
		m = &mark;
	}
	return pipeline_comment(&o->comments, m, o->comment, sizeof(o->comment));
}

static int flush(struct output *o, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; i < o->n_files && !rc; i++) {
		rc = pcapng_writer_flush(o->files[i].writer, err);
		if (rc < 0)
			err_prefix(err, "%s",
				   o->files[i].path ? o->files[i].path : "stdout");
	}
	o->flushed_ns = clock_ns(CLOCK_MONOTONIC_COARSE);
	return rc;
}

struct frame_bytes {
	const uint8_t *data;
	uint32_t n;
};

/* What of the first n bytes of a frame may leave the house. */
static struct frame_bytes hide(struct output *o, const struct model_frame *f, uint32_t n)
{
	struct frame_bytes bytes = { f->data, n };

	bytes.n = privacy_frame(o->privacy, o->net->hops[f->hop].linktype, f->data, n, f->len,
				&bytes.data);
	return bytes;
}

/* In front of a frame, where files follow each other. */
static int begin_frame(struct output *o, int64_t time_ns, struct err *err)
{
	int rc = turn(o, time_ns, err);

	if (rc < 0)
		o->unwritten++;
	if (rc < 0 || o->over)
		return rc;
	if (!o->set_ns)
		o->set_ns = time_ns;
	if (!o->slot_ns)
		o->slot_ns = time_ns;
	return 0;
}

int output_frame(struct output *o, const struct model_frame *f, const struct correlate_mark *m,
		 struct err *err)
{
	static const uint8_t flags[MODEL_WAY_COUNT] = { [MODEL_WAY_IN] = PCAPNG_FLAG_IN,
							[MODEL_WAY_OUT] = PCAPNG_FLAG_OUT };
	const uint32_t most = f->caplen < PCAPNG_CAPLEN_MAX ? f->caplen : PCAPNG_CAPLEN_MAX;
	struct frame_bytes bytes = { f->data, most };
	uint64_t drops = f->drops;
	size_t comment_len = 0;
	int rc = 0;

	if (o->rotates || !o->n_files) {
		rc = begin_frame(o, f->time_ns, err);
		if (rc < 0 || o->over)
			return rc;
	}
	if (o->privacy)
		bytes = hide(o, f, most);
	if (o->drops[f->hop])
		drops += take_drops(o, f);
	if (!o->terse && m->id)
		comment_len = make_comment(o, m);
	/*
	 * Into the file with all hops, and with --split into that of its hop. One place that
	 * writes: it is compiled into the loop, which turns once as a rule.
	 */
	for (unsigned i = 0; i < o->n_files && !rc; i++) {
		const struct file *out = &o->files[i];

		if (i && (unsigned)out->only_hop != f->hop)
			continue;
		rc = pcapng_writer_packet(out->writer, &(struct pcapng_writer_packet){
				.interface = i ? 0 : f->hop,
				.time_ns = f->time_ns,
				.caplen = bytes.n,
				.len = f->len,
				.data = bytes.data,
				.flags = flags[f->way],
				.packet_id = m->id,
				.drops = drops,
				.comment = comment_len ? o->comment : NULL,
				.comment_len = comment_len,
				.comment_is_ascii = true }, err);
		if (rc < 0)
			err_prefix(err, "%s", out->path ? out->path : "stdout");
	}
	o->set_frames++;
	o->written[f->hop]++;
	if (o->flush_each && !rc)
		rc = flush(o, err);
	return rc ? rc : output_bytes(o) >= o->look_at;
}

int output_idle(struct output *o, struct err *err)
{
	if (!output_is_pipe(o) &&
	    clock_ns(CLOCK_MONOTONIC_COARSE) - o->flushed_ns < FLUSH_INTERVAL_NS)
		return 0;
	return flush(o, err);
}

/* A counter's growth since the set before; -1 where it is not known. */
static int64_t since(int64_t now, int64_t before)
{
	return now < 0 || before < 0 ? now : now - before;
}

static int write_statistics(struct output *o, const struct result *r, int64_t now_ns,
			    const struct causes_lines *found, struct err *err)
{
	const char *line[CAUSES_LINES_MAX + 1];
	char steps[64];
	unsigned n = 0;
	int rc = 0;

	for (; found && n < found->n; n++)
		line[n] = found->line[n];
	if (r->capture.clock_steps) {
		(void)snprintf(steps, sizeof(steps), "podhop clock_steps=%" PRIu64,
			       r->capture.clock_steps);
		line[n++] = steps;
	}
	for (unsigned k = 0; k < o->n_files; k++) {
		for (unsigned i = 0; i < r->capture.n_interfaces && i < o->net->n_hops && !rc;
		     i++) {
			const struct result_interface *ri = &r->capture.interfaces[i];
			if (o->files[k].only_hop >= 0 && (unsigned)o->files[k].only_hop != i)
				continue;
			int64_t kernel = since(ri->dropped_kernel, o->kernel_before[i]);
			int64_t device = since(ri->dropped_interface, o->device_before[i]);
			int64_t written = (int64_t)o->written[i];
			struct pcapng_statistics s = {
				.interface = o->files[k].only_hop >= 0 ? 0 : i,
				.time_ns = now_ns,
				.start_ns = o->begin_ns ? o->begin_ns : r->capture.start_ns,
				.end_ns = r->capture.end_ns,
				.if_recv = kernel >= 0 ? written + kernel : -1,
				/* Wireshark shows this one alone: all that is missing. */
				.if_drop = kernel >= 0 ? kernel + (device > 0 ? device : 0) : -1,
				.filter_accept = -1,
				.os_drop = kernel,
				.user_deliv = written,
			};
			/* Of the node, not of a hop: told once a file. */
			if (!s.interface) {
				s.comments = line;
				s.n_comments = n;
			}
			rc = pcapng_writer_statistics(o->files[k].writer, &s, err);
			if (rc < 0)
				err_prefix(err, "%s",
					   o->files[k].path ? o->files[k].path : "stdout");
		}
	}
	return rc;
}

int output_statistics(struct output *o, const struct result *r, int64_t now_ns, struct err *err)
{
	return write_statistics(o, r, now_ns, NULL, err);
}

static int close_file(struct file *f, struct err *err)
{
	int rc = pcapng_writer_finish(f->writer, err);

	if (rc < 0)
		err_prefix(err, "%s", f->path ? f->path : "stdout");
	if (f->path && f->fd >= 0 && close(f->fd) < 0 && !rc)
		rc = err_sys(err, errno, "close %s", f->path);
	f->fd = -1;
	return rc;
}

int output_close(struct output *o, const struct result *r, const struct doctor_findings *found,
		 struct err *err)
{
	/* They name pods, nodes and addresses: not in a file that is to name none. */
	bool keep = found && found->n && !o->opt->anonymize;
	struct causes_lines *lines = keep ? calloc(1, sizeof(*lines)) : NULL;
	int rc;

	if (lines)
		causes_lines(found, lines);
	else if (keep)
		log_error("output", "no memory for what the checks found: it is not in the file");
	rc = write_statistics(o, r, r->capture.end_ns, lines, err);
	free(lines);
	/* One that fails does not keep the others from being whole; the first is told. */
	for (unsigned i = 0; i < o->n_files; i++) {
		struct err file_err = ERR_INIT;
		int one = close_file(&o->files[i], &file_err);

		if (one < 0 && !rc) {
			rc = one;
			*err = file_err;
		}
	}
	return rc;
}

void output_free(struct output *o)
{
	if (!o)
		return;
	forget_files(o);
	if (o->reserved_fd >= 0)
		close(o->reserved_fd);
	for (uint64_t i = 0; o->kept && i < o->opt->ring.files; i++)
		free(o->kept[i]);
	free(o->kept);
	privacy_free(o->privacy);
	free(o->pseudonyms);
	free(o);
}

bool output_is_pipe(const struct output *o)
{
	return o->is_pipe;
}

int output_add_hop(struct output *o, struct err *err)
{
	int rc = 0;

	if (o->over)
		return 0;
	if (o->pseudonyms) {
		*o->pseudonyms = *o->real;
		privacy_net(o->privacy, o->pseudonyms);
	}
	for (unsigned k = 0; k < o->n_files && !rc; k++) {
		rc = write_interface(o, &o->files[k], o->net->n_hops - 1, err);
		if (rc < 0)
			err_prefix(err, "%s", o->files[k].path ? o->files[k].path : "stdout");
	}
	return rc;
}

bool output_is_low(struct output *o, bool look_now, struct err *err)
{
	const uint64_t written = output_bytes(o), most = o->opt->stop.bytes;
	size_t pending = 0, ahead = 0;
	bool low = false;

	o->look_at = most ? most : UINT64_MAX;
	if (!o->n_files || o->is_pipe || o->over)
		return false;
	for (unsigned i = 0; i < o->n_files; i++) {
		pending += pcapng_writer_pending(o->files[i].writer);
		ahead += pcapng_writer_ahead(o->files[i].writer);
	}
	low = disk_is_low(&o->disk, o->files[0].fd, written, pending, ahead, look_now, err);
	if (o->disk.next < o->look_at)
		o->look_at = o->disk.next;
	return low;
}

uint64_t output_floor(const struct output *o)
{
	return o->is_pipe ? 0 : o->disk.floor;
}

void output_drops(struct output *o, unsigned hop, int64_t from_ns, uint64_t count)
{
	if (!o->drops[hop])
		o->drops_ns[hop] = from_ns;
	o->drops[hop] += count;
}
