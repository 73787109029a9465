/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_base_inroot.c - paths inside a directory that stands for /: links of every kind, and
 * somebody who swaps directories for links while they are walked over.
 *
 * The swap happens where it would hurt, between a look and an open: readlinkat() is this file's
 * own, does the real one's work, and then what the test has in mind for that name.
 */
#undef _FORTIFY_SOURCE /* which makes readlinkat() an inline function of the header's */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "podhop/inroot.h"

#include <cmocka.h> /* last: it has a macro called fail() */

struct resolve;
#include "host_root.h"

static struct root *node;
static int root_fd;

/* Behind the look at what ends in that name, once. NULL: nothing. */
static const char *swap_behind;
static void (*swap)(void);

ssize_t readlinkat(int dir, const char *restrict path, char *restrict buf, size_t size)
{
	ssize_t n = syscall(SYS_readlinkat, dir, path, buf, size);
	int error = errno;
	const char *slash = strrchr(path, '/');

	if (swap_behind && strcmp(slash ? slash + 1 : path, swap_behind) == 0) {
		swap_behind = NULL;
		swap();
	}
	errno = error;
	return n;
}

static void full(char out[static PATH_MAX], const char *name)
{
	assert_true(snprintf(out, PATH_MAX, "%s/%s", node->dir, name) < PATH_MAX);
}

/* root/dir is put away, and a link to what is beside the root comes in its place. */
static void dir_becomes_link(void)
{
	char from[PATH_MAX], to[PATH_MAX], outside[PATH_MAX];

	full(from, "root/dir");
	full(to, "root/was");
	full(outside, "outside");
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(symlink(outside, from), 0);
}

/* root/dir/sub is moved to where ".." is no longer inside the root. */
static void sub_is_moved_out(void)
{
	char from[PATH_MAX], to[PATH_MAX];

	full(from, "root/dir/sub");
	full(to, "outside/sub");
	assert_int_equal(rename(from, to), 0);
}

static int begin(void **state)
{
	char path[PATH_MAX];

	(void)state;
	node = root_make();
	put(node, "root/file", "root's");
	put(node, "root/dir/file", "inside");
	put(node, "root/dir/sub/deep", "deep");
	put(node, "outside/file", "outside");
	put(node, "file", "above");
	full(path, "root");
	root_fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	swap_behind = NULL;
	return 0;
}

static int end(void **state)
{
	(void)state;
	close(root_fd);
	root_remove(node);
	return 0;
}

/* What is read there; NULL: it is not opened, by that -errno. */
static void shows(const char *path, const char *content, int error)
{
	char text[64] = "";
	int fd = inroot_open(root_fd, path, O_RDONLY);
	ssize_t n;

	if (!content) {
		assert_int_equal(fd, error);
		return;
	}
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	assert_int_equal(n, strlen(content));
	assert_string_equal(text, content);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
}

static unsigned count_open(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void test_paths(void **state)
{
	unsigned before = count_open();

	(void)state;
	put_link(node, "root/absolute", "/dir/file");
	put_link(node, "root/dir/relative", "sub/../../file");
	put_link(node, "root/above", "../../../file");
	put_link(node, "root/dir/dots", "./././file");
	put_link(node, "root/to-dir", "//dir//");
	put_link(node, "root/again", "/again");
	put_link(node, "root/a", "b");
	put_link(node, "root/b", "/a");
	shows("/dir/file", "inside", 0);
	shows("dir//./file", "inside", 0);
	shows("/absolute", "inside", 0);
	shows("/dir/relative", "root's", 0);
	shows("/above", "root's", 0);
	shows("/dir/dots", "inside", 0);
	shows("/to-dir/sub/deep", "deep", 0);
	shows("/to-dir/../file", "root's", 0);
	shows("/../../../dir/sub/../file", "inside", 0);
	shows("/again", NULL, -ELOOP);
	shows("/a", NULL, -ELOOP);
	shows("/none/file", NULL, -ENOENT);
	shows("/dir/none", NULL, -ENOENT);
	shows("/file/file", NULL, -ENOTDIR);
	shows("/file/..", NULL, -ENOTDIR);
	assert_int_equal(count_open(), before);
}

/* The root itself, and directories. */
static void test_directories(void **state)
{
	static const char *const paths[] = { "/", "", ".", "..", "dir/..", "/dir/sub/../.." };
	struct stat root, st;

	(void)state;
	assert_int_equal(fstat(root_fd, &root), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = inroot_open(root_fd, paths[i], O_RDONLY | O_DIRECTORY);

		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(st.st_ino, root.st_ino);
		close(fd);
	}
	assert_int_equal(inroot_open(root_fd, "/dir/file", O_RDONLY | O_DIRECTORY), -ENOTDIR);
}

static void test_long(void **state)
{
	char path[2 * PATH_MAX], name[NAME_MAX + 2];

	(void)state;
	memset(path, '/', sizeof(path));
	path[PATH_MAX] = 0;
	assert_int_equal(inroot_open(root_fd, path, O_RDONLY), -ENAMETOOLONG);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	assert_int_equal(inroot_open(root_fd, name, O_RDONLY), -ENAMETOOLONG);
	/* a link whose target and the rest together are too long */
	memset(path, '/', sizeof(path));
	memcpy(path, "dir", 3);
	path[3000] = 0;
	put_link(node, "root/long", path);
	memset(path, '/', sizeof(path));
	memcpy(path, "long", 4);
	strcpy(path + 3000, "file");
	assert_int_equal(inroot_open(root_fd, path, O_RDONLY), -ENAMETOOLONG);
}

/* It was a directory as its file was looked at: that file is opened, and no other's. */
static void test_swapped_behind_the_file(void **state)
{
	(void)state;
	swap_behind = "file";
	swap = dir_becomes_link;
	shows("/dir/file", "inside", 0);
}

/* It was a directory as it was looked at, and is a link when it is gone into. */
static void test_swapped_before_it_is_opened(void **state)
{
	(void)state;
	swap_behind = "dir";
	swap = dir_becomes_link;
	shows("/dir/file", NULL, -ENOTDIR);
	/* and from then on, an absolute link: it begins at the root */
	shows("/dir/file", NULL, -ENOENT);
}

/* ".." of a directory that was moved out is outside: here what was walked over, or nothing. */
static void test_moved_out(void **state)
{
	(void)state;
	put(node, "root/dir/sub/below/file", "below");
	swap_behind = "below";
	swap = sub_is_moved_out;
	shows("/dir/sub/below/../../file", NULL, -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_paths, begin, end),
		cmocka_unit_test_setup_teardown(test_directories, begin, end),
		cmocka_unit_test_setup_teardown(test_long, begin, end),
		cmocka_unit_test_setup_teardown(test_swapped_behind_the_file, begin, end),
		cmocka_unit_test_setup_teardown(test_swapped_before_it_is_opened, begin, end),
		cmocka_unit_test_setup_teardown(test_moved_out, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
