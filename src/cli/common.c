/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * common.c - what every command does alike: errors and the look of output.
 */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "podhop/extcap.h"
#include "podhop/hash.h"
#include "podhop/sandbox.h"

/* Names in a sentence come from files and devices: they must not steer the terminal. */
static void put_safe(FILE *out, const char *s)
{
	for (unsigned n = 0; *s && n < EXTCAP_ERROR_MAX; s++, n++) {
		unsigned char c = (unsigned char)*s;
		fputc((c < ' ' && c != '\t') || c == 0x7f ? '?' : c, out);
	}
}

int fail(const struct err *err)
{
	fputs("podhop: ", stderr);
	put_safe(stderr, err->text);
	fputc('\n', stderr);
	return err->class == ERR_USAGE ? EXIT_USAGE : EXIT_FAILED;
}

int hash_seed(uint64_t *ret_seed, struct err *err)
{
	const void *from_exec = (const void *)(uintptr_t)getauxval(AT_RANDOM);
	uint64_t half[2];

	if (getrandom(ret_seed, sizeof(*ret_seed), GRND_NONBLOCK) == (ssize_t)sizeof(*ret_seed))
		return 0;
	/*
	 * Old kernels have no such call, and some containers' lists lack it. 16 bytes come with
	 * each exec(2) all the same, see getauxval(3); the C library's canary is made of them too,
	 * so they are mixed.
	 */
	if (!from_exec)
		return err_sys(err, ENOSYS, "a random key for the tables");
	memcpy(half, from_exec, sizeof(half));
	*ret_seed = hash_mix(half[0], half[1], 0);
	return 0;
}

int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

/* Does it begin as report_result_json(), its siblings and report_result_html() do? */
static bool is_report(const uint8_t *head, size_t n)
{
	static const char json[] = "{\n  \"schema\": \"podhop.", page[] = "<!DOCTYPE html>",
			  title[] = "<title>podhop report</title>";

	if (n >= sizeof(json) - 1 && memcmp(head, json, sizeof(json) - 1) == 0)
		return true;
	return n >= sizeof(page) - 1 && memcmp(head, page, sizeof(page) - 1) == 0 &&
	       memmem(head, n, title, sizeof(title) - 1);
}

int report_file_open(const struct options *o, const char *path, struct report_file *ret,
		     struct err *err)
{
	struct report_file f = { .stream = NULL };
	int rc = outfile_open(o, path, is_report, "report of podhop", &f.fd, err);

	if (rc < 0)
		return rc;
	f.stream = steady_open(f.fd);
	if (!f.stream) {
		close(f.fd);
		return err_sys(err, ENOMEM, "open %s", path);
	}
	*ret = f;
	return 0;
}

int report_file_cut(const struct report_file *f, const char *path, struct err *err)
{
	return f->stream ? outfile_cut(f->fd, path, err) : 0;
}

void report_file_close(struct report_file *f)
{
	if (f->stream)
		fclose(f->stream);
	f->stream = NULL;
}

struct file_id file_id_of(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return (struct file_id){ .ino = 0 };
	return (struct file_id){ .dev = st.st_dev, .ino = st.st_ino };
}

bool file_id_is_same(const struct file_id *a, const struct file_id *b)
{
	return a->ino && a->ino == b->ino && a->dev == b->dev;
}

int check_not_input(const char *output, const char *input, struct err *err)
{
	const struct file_id in = file_id_of(input);
	struct file_id out;
	struct stat st;

	if (stat(output, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	out = (struct file_id){ .dev = st.st_dev, .ino = st.st_ino };
	if (!file_id_is_same(&in, &out))
		return 0;
	return err_usage(err, EEXIST, "%s is an input as well: name another file", output);
}

struct names *names_load(const struct options *o, struct err *err)
{
	struct names *n = names_new(err);

	if (n && (!o->names || names_read(n, o->names, err) >= 0))
		return n;
	err_prefix(err, "--pods");
	names_free(n);
	return NULL;
}

static const char *name_of(void *arg, const struct addr *a)
{
	return names_get(arg, a);
}

void style_init(struct report_style *style, const struct options *o, struct names *names, FILE *out)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize ws;
	int fd = out == stdout ? STDOUT_FILENO : out == stderr ? STDERR_FILENO : fileno(out);

	memset(style, 0, sizeof(*style));
	style->verbose = o->verbose > 0;
	style->nano = o->nano;
	if (names && o->names && !o->numeric) {
		style->name = name_of;
		style->name_arg = names;
	}
	style->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	if (fd < 0 || !isatty(fd))
		return;
	style->color = !(no_color && *no_color) && !(term && strcmp(term, "dumb") == 0);
	if (ioctl(fd, TIOCGWINSZ, &ws) == 0)
		style->width = ws.ws_col;
}

int limit_to_reading(struct err *err)
{
	struct sandbox_config sc = {
		.needs = SANDBOX_LOOK_UP | SANDBOX_ASK_KERNEL,
		/*
		 * NET_RAW opens nothing here, packet sockets are refused. But without PTRACE, /proc
		 * shows a process's namespaces only to one that has all of its capabilities
		 * (kernel/ptrace.c), and in the DaemonSet that is needed for the agent's own pod.
		 */
		.rights = SANDBOX_RIGHT_PTRACE | SANDBOX_RIGHT_READ_ALL |
			  SANDBOX_RIGHT_NET_ADMIN | SANDBOX_RIGHT_NET_RAW,
	};
	struct sandbox_state state;

	tzset();
	report_prepare();
	return sandbox_enter(&sc, &state, err) < 0 ? err_prefix(err, "giving up rights") : 0;
}
