/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * doctor_files.c - where the files of flannel, CNI and /proc are; what they say is told by
 * doctor_files_parse.c.
 *
 * Theory of operation. Files are opened below the host root, symlinks kept inside
 * it. /proc is the root's own when it has one, else the real one; /proc/sys/net and
 * /proc/net speak of the caller's network namespace in both.
 *  - /run/flannel/subnet.env;
 *  - net-conf.json: flanneld mounts it from a ConfigMap, so that a copy lies below the kubelet's
 *    directory of its pod; k3s writes a file;
 *  - the CNI configuration list: the one with a plugin of type "flannel";
 *  - host-local's address files: "<container id>\r\n<interface>", named after the address.
 * What cannot be read stays unknown, and the checks say so.
 */
#include "doctor_priv.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "podhop/inroot.h"
#include "podhop/log.h"

#define FILES_CHUNK 16384
#define FILES_PATH_MAX 4096
#define SYSCTL_TEXT_MAX 32 /* a number, and what follows it in a list */

/* ------------------------------------------------------------------ opening */

int doctor_files_open(struct doctor_view *v, const char *host_root, struct err *err)
{
	v->root = v->proc = -1;
	if (host_root && *host_root && strcmp(host_root, "/") != 0) {
		v->root = open(host_root, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (v->root < 0)
			return err_sys(err, errno, "open host root %s", host_root);
		v->proc = openat(v->root, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
		/* an empty mount point is no /proc */
		if (v->proc >= 0 && faccessat(v->proc, "sys", F_OK, 0) != 0) {
			close(v->proc);
			v->proc = -1;
		}
	}
	if (v->proc < 0)
		v->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (v->proc < 0)
		return err_sys(err, errno, "open /proc");
	return 0;
}

static int files_open(const struct doctor_view *v, const char *path, int flags)
{
	int fd;

	if (v->sealed)
		return -EACCES;
	if (v->root >= 0)
		return inroot_open(v->root, path, flags | O_NONBLOCK);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

/* From its beginning, which has /proc make it anew. */
static int files_read_fd(int fd, struct buf *b)
{
	char chunk[FILES_CHUNK];
	struct stat st;
	off_t at = 0;
	int rc = 0;

	buf_clear(b);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	for (;;) {
		ssize_t n = pread(fd, chunk, sizeof(chunk), at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			rc = n < 0 ? -errno : 0;
			break;
		}
		at += n;
		if ((size_t)n > b->max - b->len) {
			log_error("doctor", "a file of the node is too long: "
					    "what it would show is not checked");
			rc = -EFBIG;
			break;
		}
		buf_add(b, chunk, (size_t)n);
		if (b->failed) {
			rc = -ENOMEM;
			break;
		}
	}
	return rc;
}

int doctor_file_read(const struct doctor_view *v, const char *path, struct buf *b)
{
	int fd = files_open(v, path, O_RDONLY), rc;

	if (fd < 0)
		return fd;
	rc = files_read_fd(fd, b);
	close(fd);
	return rc;
}

/* Takes fd over when true. Without memory it is not kept, and is not known later. */
static bool keep(struct doctor_kept *k, const char *path, int fd)
{
	char *copy = k && k->n < DOCTOR_KEPT_MAX ? strdup(path) : NULL;

	if (!copy)
		return false;
	k->f[k->n].path = copy;
	k->f[k->n++].fd = fd;
	return true;
}

/* A descriptor or -errno; *ret_own: the caller closes it. */
static int proc_open(const struct doctor_view *v, const char *path, bool *ret_own)
{
	int fd;

	*ret_own = false;
	for (unsigned i = 0; v->kept && i < v->kept->n; i++)
		if (strcmp(v->kept->f[i].path, path) == 0)
			return v->kept->f[i].fd;
	if (v->sealed)
		return -EACCES;
	fd = openat(v->proc, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	*ret_own = !keep(v->kept, path, fd);
	return fd;
}

int doctor_proc_read(const struct doctor_view *v, const char *path, struct buf *b)
{
	bool own;
	int fd = proc_open(v, path, &own), rc;

	if (fd < 0)
		return fd;
	rc = files_read_fd(fd, b);
	if (own)
		close(fd);
	return rc;
}

/* NULL in *ret where there is none that can be read. Only -ENOMEM fails. */
static int files_opendir(const struct doctor_view *v, const char *path, DIR **ret)
{
	int fd = files_open(v, path, O_RDONLY | O_DIRECTORY);
	int rc = fd == -ENOMEM ? fd : 0;

	*ret = NULL;
	if (fd < 0)
		return rc;
	*ret = fdopendir(fd);
	if (!*ret) {
		rc = errno == ENOMEM ? -ENOMEM : 0;
		close(fd);
	}
	return rc;
}

/* ------------------------------------------------------------------ sysctls */

int doctor_sysctl(const struct doctor_view *v, const char *key, long *ret)
{
	char path[FILES_PATH_MAX], text[SYSCTL_TEXT_MAX + 1], *end;
	ssize_t n;
	long value;
	bool own;
	int fd;

	snprintf(path, sizeof(path), "sys/net/%s", key);
	fd = proc_open(v, path, &own);
	if (fd < 0)
		return fd;
	do
		n = pread(fd, text, sizeof(text) - 1, 0);
	while (n < 0 && errno == EINTR);
	n = n < 0 ? -errno : n;
	if (own)
		close(fd);
	if (n < 0)
		return (int)n;
	text[n] = '\0';
	value = strtol(text, &end, 10);
	if (end == text)
		return -EBADMSG;
	*ret = value;
	return 0;
}

int doctor_sysctl_dev(const struct doctor_view *v, const char *kind, const char *dev,
		      const char *name, long *ret)
{
	char key[128];

	snprintf(key, sizeof(key), "%s/conf/%s/%s", kind, dev, name);
	return doctor_sysctl(v, key, ret);
}

/* ------------------------------------------------------ flannel's own config */

/* 1: that is it; 0: it is not; -ENOMEM. */
static int conf_try(struct doctor_view *v, const char *path, struct buf *b)
{
	int rc = doctor_file_read(v, path, b);

	if (!rc)
		rc = doctor_parse_conf(buf_str(b), b->len, &v->conf);
	if (rc)
		return rc == -ENOMEM ? rc : 0;
	v->conf.path = strdup(path);
	return v->conf.path ? 1 : -ENOMEM;
}

/* One pod's directory of ConfigMaps below the kubelet's. As conf_try(). */
static int conf_try_volumes(struct doctor_view *v, const char *volumes, struct buf *b)
{
	char path[2 * FILES_PATH_MAX];
	struct dirent *e;
	DIR *d;
	int rc = files_opendir(v, volumes, &d);

	for (unsigned n = 0; d && !rc && n < DOCTOR_NETWORKS_MAX * 8 && (e = readdir(d)); n++) {
		/* flannel-cfg in flannel's own manifests and chart */
		if (!strstr(e->d_name, "flannel"))
			continue;
		snprintf(path, sizeof(path), "%s/%s/net-conf.json", volumes, e->d_name);
		rc = conf_try(v, path, b);
	}
	if (d)
		closedir(d);
	return rc;
}

/*
 * May the pod of that uid speak for flannel? Anybody who may make a pod can give it a ConfigMap of
 * flannel's name, and what it says would come back as advice to root. flanneld's own pods use the
 * node's network, which takes more than that (Pod Security Standards: not at the baseline level).
 */
static bool is_of_the_node(const struct doctor_view *v, const char *uid)
{
	for (unsigned i = 0; v->chain && i < v->chain->n_pods; i++) {
		const struct chain_pod *p = &v->chain->pods[i];

		if (p->host_network && strcmp(p->uid, uid) == 0)
			return true;
	}
	return false;
}

static int conf_read(struct doctor_view *v, struct buf *b)
{
	static const char *const fixed[] = {
		"/etc/kube-flannel/net-conf.json",
		"/var/lib/rancher/k3s/agent/etc/flannel/net-conf.json",
	};
	static const char kubelet[] = "/var/lib/kubelet/pods";
	static const char volumes[] = "volumes/kubernetes.io~configmap";
	char path[FILES_PATH_MAX];
	struct dirent *e;
	DIR *d = NULL;
	int rc = 0;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]) && !rc; i++)
		rc = conf_try(v, fixed[i], b);
	if (!rc)
		rc = files_opendir(v, kubelet, &d);
	for (unsigned n = 0; d && !rc && n < DOCTOR_ENTRIES_MAX && (e = readdir(d)); n++) {
		if (!is_of_the_node(v, e->d_name))
			continue;
		snprintf(path, sizeof(path), "%s/%s/%s", kubelet, e->d_name, volumes);
		rc = conf_try_volumes(v, path, b);
	}
	if (d)
		closedir(d);
	return rc < 0 ? rc : 0;
}

/* ---------------------------------------------------------------------- CNI */

static int cni_read(struct doctor_view *v, struct buf *b)
{
	static const char *const dirs[] = {
		"/etc/cni/net.d",
		"/var/lib/rancher/k3s/agent/etc/cni/net.d",
	};
	char path[FILES_PATH_MAX], best[FILES_PATH_MAX] = "";
	struct dirent *e;
	bool hairpin = false;
	int rc = 0;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !best[0] && rc != -ENOMEM; i++) {
		DIR *d;

		rc = files_opendir(v, dirs[i], &d);
		for (unsigned n = 0;
		     d && rc != -ENOMEM && n < DOCTOR_ENTRIES_MAX && (e = readdir(d)); n++) {
			const char *dot = strrchr(e->d_name, '.');

			if (!dot || (strcmp(dot, ".conflist") != 0 && strcmp(dot, ".conf") != 0 &&
				     strcmp(dot, ".json") != 0))
				continue;
			snprintf(path, sizeof(path), "%s/%s", dirs[i], e->d_name);
			/* the runtime takes the first by name */
			if (best[0] && strcmp(path, best) >= 0)
				continue;
			rc = doctor_file_read(v, path, b);
			if (!rc)
				rc = doctor_parse_cni(buf_str(b), b->len, &hairpin);
			if (!rc) {
				memcpy(best, path, sizeof(best));
				v->cni_hairpin = hairpin;
			}
		}
		if (d)
			closedir(d);
	}
	if (rc == -ENOMEM)
		return rc;
	if (best[0]) {
		v->cni_conf = strdup(best);
		if (!v->cni_conf)
			return -ENOMEM;
	}
	return 0;
}

/* One directory of host-local; the network's name is its own. */
static int leases_read_dir(struct doctor_view *v, const char *dir, struct buf *b)
{
	char path[2 * FILES_PATH_MAX];
	struct dirent *e;
	DIR *d;
	int rc = files_opendir(v, dir, &d);

	for (unsigned n = 0; d && !rc && n < DOCTOR_ENTRIES_MAX && (e = readdir(d)); n++) {
		struct doctor_lease *l;
		struct addr ip;
		size_t id;

		if (addr_parse(e->d_name, &ip) != 0)
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		rc = doctor_file_read(v, path, b);
		if (rc) {
			rc = rc == -ENOMEM ? rc : 0;
			continue;
		}
		id = strcspn(buf_str(b), " \r\n");
		l = grow(&v->leases, &v->n_leases, sizeof(*l), DOCTOR_ENTRIES_MAX);
		if (!l) {
			rc = v->n_leases < DOCTOR_ENTRIES_MAX ? -ENOMEM : 0;
			break;
		}
		l->ip = ip;
		l->path = strdup(path);
		l->id = strndup(buf_str(b), id);
		if (!l->path || !l->id)
			rc = -ENOMEM;
	}
	if (d)
		closedir(d);
	return rc;
}

static int leases_read(struct doctor_view *v, struct buf *b)
{
	static const char base[] = "/var/lib/cni/networks";
	char path[FILES_PATH_MAX];
	struct dirent *e;
	DIR *d;
	int rc = files_opendir(v, base, &d);

	for (unsigned n = 0; d && !rc && n < DOCTOR_ENTRIES_MAX && (e = readdir(d)); n++) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
		rc = leases_read_dir(v, path, b);
	}
	if (d)
		closedir(d);
	return rc;
}

static void kernel_read(struct doctor_view *v, struct buf *b)
{
	struct utsname u;
	unsigned major, minor;

	if ((doctor_proc_read(v, "sys/kernel/osrelease", b) == 0 &&
	     sscanf(buf_str(b), "%u.%u", &major, &minor) == 2) ||
	    (uname(&u) == 0 && sscanf(u.release, "%u.%u", &major, &minor) == 2)) {
		v->kernel_major = major;
		v->kernel_minor = minor;
	}
}

int doctor_files_read(struct doctor_view *v)
{
	struct buf b;
	int rc;

	buf_init(&b, DOCTOR_FILE_MAX);
	v->env_rc = doctor_file_read(v, "/run/flannel/subnet.env", &b);
	if (!v->env_rc)
		v->env_rc = doctor_parse_env(buf_str(&b), &v->env);
	rc = v->env_rc == -ENOMEM ? v->env_rc : conf_read(v, &b);
	if (!rc)
		rc = cni_read(v, &b);
	if (!rc) {
		kernel_read(v, &b);
		rc = leases_read(v, &b);
	}
	buf_done(&b);
	return rc;
}
