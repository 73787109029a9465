/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disk.c - the floor under which a run leaves no free space (--min-free).
 *
 * A capture that fills a node's disk costs more than the packets it shows: kubelet evicts pods.
 * So a run ends while there is still room, with a whole file and its report. The file system is
 * asked when half of what was free above the floor has been written, so the closer the floor the
 * more often, and now and then because others write too.
 */
#include "cli.h"

#include <errno.h>
#include <sys/statfs.h>

#include "podhop/figure.h"

#define DEFAULT_PERCENT 5u
#define DEFAULT_MOST 1000000000ull	/* of a large disk 5 % is more than anybody misses */
#define STEP_MIN 16384u			/* what is written between two looks, at least */

/* Free and floor in bytes; false where a file system has no such figures. */
static bool look(const struct disk *d, int fd, uint64_t *ret_free, uint64_t *ret_floor)
{
	const struct options *o = d->opt;
	struct statfs s;

	if (fstatfs(fd, &s) < 0 || !s.f_blocks || (s.f_frsize <= 0 && s.f_bsize <= 0))
		return false;
	/* Blocks are of f_frsize, as statvfs(3) has it; f_bsize may be the best size for I/O. */
	uint64_t block = (uint64_t)(s.f_frsize > 0 ? s.f_frsize : s.f_bsize);
	uint64_t size = (uint64_t)s.f_blocks;

	/* f_bavail: what root keeps for itself is no room for a capture. */
	*ret_free = (uint64_t)s.f_bavail * block;
	if (o->min_free.is_set)
		*ret_floor = o->min_free.percent
				     ? size / 100 * block * o->min_free.percent +
					       size % 100 * block * o->min_free.percent / 100
				     : o->min_free.bytes;
	else
		*ret_floor = size * block / 100 * DEFAULT_PERCENT;
	if (!o->min_free.is_set && *ret_floor > DEFAULT_MOST)
		*ret_floor = DEFAULT_MOST;
	return true;
}

void disk_begin(struct disk *d, const struct options *o)
{
	*d = (struct disk){ .opt = o };
}

bool disk_is_low(struct disk *d, int fd, uint64_t written, size_t pending, size_t ahead,
		 bool look_now, struct err *err)
{
	uint64_t room = 0, least = 0;
	char is_free[FIGURE_MAX], floor_text[FIGURE_MAX];

	if (d->low || (!look_now && written < d->next))
		return d->low;
	d->next = written + STEP_MIN;
	if (!look(d, fd, &room, &least))
		return false;
	d->floor = least;
	room += ahead; /* taken, and free for this file */
	room -= pending < room ? pending : room; /* what is on its way takes room, too */
	uint64_t step = room > least ? (room - least) / 2 : 0;

	if (step > STEP_MIN)
		d->next = written + step;
	d->low = room < least;
	if (d->low)
		err_set(err, ENOSPC, "%s free on the disk, %s are to stay free (--min-free)",
			figure_bytes(room, is_free), figure_bytes(least, floor_text));
	return d->low;
}
