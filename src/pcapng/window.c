/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * window.c - the part of an input that is in memory.
 *
 * Files are read, not mapped: a file that shrinks under a mapping ends the
 * program with SIGBUS, a short read is just the end of the input. Packed inputs
 * pass through a second buffer: raw bytes are read into it and unpacked into the
 * window, so that nothing above notices. Where a regular file is read next is kept here, not in
 * its descriptor, so that several windows may read one file, each at its place.
 */
#include "pcapng_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WINDOW_SIZE (256u << 10)	/* stays in a core's cache; read(2)'s own cost is 1 % */
#define WINDOW_LEAST (128u << 10)	/* of a window that is one of many */
#define RAW_SIZE (256u << 10)
#define WINDOW_READ_MIN 65536u	/* less free room than a pipe holds: move first */

int pcapng_window_open(struct pcapng_window *w, const char *path, const char *name,
		       struct err *err)
{
	struct stat st;
	int fd = STDIN_FILENO;
	bool owns = false;

	if (strcmp(path, "-")) {
		/* A FIFO whose writer is yet to come must not hold up other inputs. */
		fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (fd < 0)
			return err_sys(err, -errno, "open %s", name);
		owns = true;
	}
	if (fstat(fd, &st) < 0) {
		int rc = err_sys(err, -errno, "%s", name);

		if (owns)
			close(fd);
		return rc;
	}
	if (S_ISDIR(st.st_mode)) {
		if (owns)
			close(fd);
		return err_set(err, -EISDIR, "%s: is a directory, not a capture file", name);
	}
	*w = (struct pcapng_window){
		.fd = fd,
		.owns_fd = owns,
		.is_regular = S_ISREG(st.st_mode),
		.is_fifo = S_ISFIFO(st.st_mode),
	};
	if (w->is_regular) {
		/* A standard input may have been read before. */
		w->read_at = lseek(fd, 0, SEEK_CUR);
		if (w->read_at < 0)
			w->read_at = 0;
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	return 0;
}

int pcapng_window_again(struct pcapng_window *w, const struct pcapng_window *of, size_t size)
{
	if (!of->is_regular)
		return -ESPIPE;
	if (of->fd < 0)
		pcapng_window_of_memory(w, of->memory, of->memory_len);
	else
		pcapng_window_of_file(w, of->fd);
	w->first_size = size > WINDOW_LEAST ? size : WINDOW_LEAST;
	return 0;
}

void pcapng_window_of_file(struct pcapng_window *w, int fd)
{
	*w = (struct pcapng_window){ .fd = fd, .is_regular = true };
}

void pcapng_window_of_memory(struct pcapng_window *w, const void *data, size_t len)
{
	*w = (struct pcapng_window){
		.fd = -1,
		.is_regular = true,
		.eof = true,
		.data = data,
		.end = len,
		.memory = data,
		.memory_len = len,
	};
}

void pcapng_window_done(struct pcapng_window *w)
{
	if (w->owns_fd)
		close(w->fd);
	free(w->heap);
	free(w->raw_heap);
	pcapng_unpacker_free(w->unpacker);
	*w = (struct pcapng_window){ .fd = -1, .eof = true };
}

int pcapng_window_rewind(struct pcapng_window *w)
{
	if (!w->is_regular)
		return -ESPIPE;
	if (w->fd < 0) {
		w->data = w->memory;
		w->end = w->memory_len;
		free(w->heap);
		w->heap = NULL;
		w->size = 0;
	} else {
		w->end = 0;
	}
	w->eof = w->fd < 0;
	w->start = 0;
	w->offset = 0;
	w->read_at = 0;
	/* Packed or not is found out anew. */
	pcapng_unpacker_free(w->unpacker);
	w->unpacker = NULL;
	free(w->raw_heap);
	w->raw_heap = NULL;
	w->raw_left = 0;
	w->raw_eof = w->inside = w->cut = false;
	return 0;
}

/* Makes room behind end; grows only when the room is full of one block. */
static int make_room(struct pcapng_window *w)
{
	if (w->start == w->end)
		w->start = w->end = 0;
	if (w->start > 0 && w->size - w->end < WINDOW_READ_MIN) {
		memmove(w->heap, w->heap + w->start, w->end - w->start);
		w->end -= w->start;
		w->start = 0;
	}
	if (w->end < w->size)
		return 0;

	size_t size = w->size ? 2 * w->size : w->first_size ? w->first_size : WINDOW_SIZE;
	uint8_t *heap = realloc(w->heap, size);

	if (!heap)
		return -ENOMEM;
	w->heap = heap;
	w->data = heap;
	w->size = size;
	return 0;
}

/* Waits for input; timeout 0 only asks. Returns poll's revents or -errno. */
static int wait_input(const struct pcapng_window *w, int timeout_ms)
{
	struct pollfd p = { .fd = w->fd, .events = POLLIN };
	int n = poll(&p, 1, timeout_ms);

	return n < 0 ? -errno : n == 0 ? 0 : p.revents;
}

/* One read. 0 with bytes in *ret_n, or none of them: come again, or *eof; else as _fill(). */
static int read_some(struct pcapng_window *w, uint8_t *buf, size_t size, size_t *ret_n,
		     bool *eof)
{
	*ret_n = 0;
	/*
	 * Asking first, rather than O_NONBLOCK, leaves the flags of a standard
	 * input alone that is shared with other processes.
	 */
	if (w->nonblocking && !w->is_regular) {
		int events = wait_input(w, 0);

		if (events == 0 || events == -EINTR)
			return -EAGAIN;
		if (events < 0)
			return events;
	}
	ssize_t n = w->is_regular ? pread(w->fd, buf, size, w->read_at) : read(w->fd, buf, size);

	if (n > 0) {
		w->read_at += n;
		*ret_n = (size_t)n;
		return 0;
	}
	if (n < 0 && errno == EINTR)
		return -EAGAIN;
	if (n < 0 && errno != EAGAIN)
		return -errno;
	/*
	 * No writer at a FIFO: either none has come yet, or all have gone. Only
	 * poll(2) knows which; POLLHUP says gone.
	 */
	if (n == 0 && (!w->is_fifo || (wait_input(w, 0) & POLLHUP))) {
		*eof = true;
		return 0;
	}
	if (w->nonblocking)
		return -EAGAIN;

	int events = wait_input(w, -1);

	return events == -EINTR ? -EAGAIN : events < 0 ? events : 0;
}

int pcapng_window_unpack(struct pcapng_window *w, enum pcapng_packing kind)
{
	size_t n = pcapng_window_left(w);

	w->unpacker = pcapng_unpacker_new(kind);
	if (!w->unpacker)
		return -ENOMEM;
	w->packing = kind;
	if (w->fd < 0) {
		w->raw = pcapng_window_at(w);
	} else {
		w->raw_heap = malloc(n > RAW_SIZE ? n : RAW_SIZE);
		if (!w->raw_heap)
			return -ENOMEM;
		if (n)
			memcpy(w->raw_heap, pcapng_window_at(w), n);
		w->raw = w->raw_heap;
	}
	w->raw_left = n;
	w->raw_eof = w->eof;
	w->eof = false;
	w->start = w->end = 0;
	return 0;
}

/* The same as read_some(), of a packed input, into the window. */
static int unpack_some(struct pcapng_window *w)
{
	for (;;) {
		size_t before = w->raw_left, n = 0;
		int rc = pcapng_unpack(w->unpacker, &w->raw, &w->raw_left, w->heap + w->end,
				       w->size - w->end, &n);

		if (rc < 0)
			return rc;
		w->inside = rc == 0 && (w->inside || before > w->raw_left);
		w->end += n;
		if (n)
			return 0;
		if (w->raw_left && (rc || before > w->raw_left))
			continue;
		if (w->raw_left)
			return -EBADMSG;
		if (w->raw_eof) {
			w->eof = true;
			w->cut = w->inside;
			return 0;
		}
		w->raw = w->raw_heap;
		rc = read_some(w, w->raw_heap, RAW_SIZE, &w->raw_left, &w->raw_eof);
		if (rc < 0)
			return rc;
	}
}

int pcapng_window_fill(struct pcapng_window *w, size_t need)
{
	while (need > pcapng_window_left(w)) {
		if (w->eof)
			return -ENODATA;

		int rc = make_room(w);

		if (rc == 0 && w->unpacker) {
			rc = unpack_some(w);
		} else if (rc == 0) {
			size_t n;

			rc = read_some(w, w->heap + w->end, w->size - w->end, &n, &w->eof);
			w->end += n;
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}
