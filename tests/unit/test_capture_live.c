// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_capture_live.c - the capture engine on real devices, in a network namespace of its own.
 *
 * The program leaves its network namespace for a new one, which ends with it, and
 * builds there
 *
 *	va ---- vb [ bridge br0 ] vc ---- vd
 *
 * Frames of a private EtherType sent into va pass each of the four taps once.
 * Needs root and ip(8); without them all tests are skipped.
 */
#include "podhop/capture.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define HOPS 4
#define ETHERTYPE 0x88b5 /* IEEE 802: local experiments */
#define OURS "ether proto 0x88b5"
#define FLOOD_STEP 1600 /* frames; one for each hop fills no quarter of a ring of 8 MiB */
#define WAIT_MS 10000 /* for a device to come up; events are waited for, not time */

static const char *const devices[HOPS] = { "va", "vb", "vc", "vd" };

static bool can_run;

static int64_t now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void run(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			print_message("%s: %s\n", path, strerror(errno));
		close(fd);
	}
}

static void make_vd(void)
{
	run("ip link add vc type veth peer name vd && ip link set vc master br0 up && "
	    "ip link set vd up");
}

/* ------------------------------------------------------------------ sending */

struct sender {
	int fd;
	struct sockaddr_ll to;
	uint64_t next; /* number of the next frame */
};

static void sender_open(struct sender *s)
{
	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	assert_true(s->fd >= 0);
	s->to.sll_family = AF_PACKET;
	s->to.sll_ifindex = (int)if_nametoindex("va");
	s->to.sll_halen = 6;
}

/* Frames of size bytes; the number follows the Ethernet header (and the tag). */
static void send_frames(struct sender *s, unsigned n, size_t size, unsigned vlan)
{
	uint8_t frame[2048] = { 2, 0, 0, 0, 0, 0xdd, 2, 0, 0, 0, 0, 0xaa };
	size_t at = 12;

	assert_true(size <= sizeof(frame));
	if (vlan) {
		frame[at++] = 0x81;
		frame[at++] = 0x00;
		frame[at++] = (uint8_t)(vlan >> 8);
		frame[at++] = (uint8_t)vlan;
	}
	frame[at++] = ETHERTYPE >> 8;
	frame[at++] = ETHERTYPE & 0xff;
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < 8; k++)
			frame[at + k] = (uint8_t)(s->next >> (56 - 8 * k));
		if (sendto(s->fd, frame, size, 0, (struct sockaddr *)&s->to, sizeof(s->to)) < 0) {
			if (errno != ENOBUFS)
				fail_msg("sendto: %s", strerror(errno));
			i--;
			continue;
		}
		s->next++;
	}
}

/* ---------------------------------------------------------------- capturing */

struct seen {
	struct capture *capture;
	uint64_t frames[HOPS], first[HOPS], last[HOPS], disorder;
	uint64_t numbers, late, before_start, cut_nanoseconds;
	uint32_t caplen, len;
	uint8_t bytes[32];
	int64_t watermark;
};

static void sink(void *arg, const struct model_frame *frame)
{
	struct seen *seen = arg;
	uint64_t number = 0;

	assert_true(frame->hop < HOPS);
	assert_true(frame->caplen <= frame->len);
	if (frame->number != ++seen->numbers)
		seen->disorder++;
	if (frame->time_ns < seen->watermark)
		seen->late++;
	if (frame->time_ns < capture_start_ns(seen->capture))
		seen->before_start++;
	if (frame->time_ns % 1000)
		seen->cut_nanoseconds++;
	seen->caplen = frame->caplen;
	seen->len = frame->len;
	memcpy(seen->bytes, frame->data, frame->caplen < 32 ? frame->caplen : 32);
	if (frame->caplen >= 22) {
		for (unsigned k = 0; k < 8; k++)
			number = number << 8 | frame->data[14 + k];
	}
	if (!seen->frames[frame->hop])
		seen->first[frame->hop] = number;
	else if (number != seen->last[frame->hop] + 1)
		seen->disorder++;
	seen->last[frame->hop] = number;
	seen->frames[frame->hop]++;
}

static struct capture *open_hops(unsigned n, uint32_t snaplen, uint32_t kib, const char *filter,
				 bool nano, struct seen *seen)
{
	struct capture_hop hops[HOPS];
	const struct capture_config config = { .hops = hops, .n_hops = n, .nanoseconds = nano };
	struct err err = ERR_INIT;

	memset(hops, 0, sizeof(hops));
	memset(seen, 0, sizeof(*seen));
	seen->watermark = INT64_MIN;
	for (unsigned i = 0; i < n; i++) {
		/* fewer hops: the outer ends */
		snprintf(hops[i].device, sizeof(hops[i].device), "%s",
			 devices[n == HOPS || !i ? i : HOPS - 1]);
		hops[i].snaplen = snaplen;
		hops[i].buffer_kib = kib;
		hops[i].filter = filter;
	}
	seen->capture = capture_open(&config, &err);
	if (!seen->capture)
		fail_msg("%s", err.text);
	return seen->capture;
}

static void dispatch(struct seen *seen, int timeout_ms)
{
	struct err err = ERR_INIT;

	if (capture_dispatch(seen->capture, timeout_ms, -1, sink, seen, &err) < 0)
		fail_msg("%s", err.text);
	seen->watermark = capture_watermark_ns(seen->capture);
}

/*
 * Dispatches until every hop has n frames, or nothing came for half a second in which it looked
 * again and again: others may have had the CPU, and a look may end at once.
 */
static void dispatch_until(struct seen *seen, unsigned hops, uint64_t n)
{
	enum { LOOKS = 25, LOOK_MS = 20 };
	int64_t last = now_ns(CLOCK_MONOTONIC);
	unsigned looks = 0;
	bool done = false;

	while (!done && (looks < LOOKS ||
			 now_ns(CLOCK_MONOTONIC) - last < LOOKS * LOOK_MS * 1000000LL)) {
		const uint64_t numbers = seen->numbers;

		dispatch(seen, LOOK_MS);
		looks++;
		done = true;
		for (unsigned i = 0; i < hops; i++)
			done &= seen->frames[i] >= n;
		if (seen->numbers != numbers) {
			looks = 0;
			last = now_ns(CLOCK_MONOTONIC);
		}
	}
}

/* Sends single frames until one arrives at vd: carrier and bridge port are up then. */
static void wait_path(void)
{
	struct seen seen;
	struct capture *c = open_hops(2, 64, 512, OURS, false, &seen);
	int64_t end = now_ns(CLOCK_MONOTONIC) + WAIT_MS * 1000000LL;
	struct sender s;

	sender_open(&s);
	while (!seen.frames[1]) {
		if (now_ns(CLOCK_MONOTONIC) > end)
			fail_msg("no frame came through in %d ms", WAIT_MS);
		send_frames(&s, 1, 60, 0);
		dispatch(&seen, 50);
	}
	close(s.fd);
	capture_free(c);
}

static int setup(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNET) < 0 || system("ip link show >/dev/null 2>&1")) {
		print_message("skipped: needs root and ip(8)\n");
		return 0;
	}
	/* neighbour discovery and the like would come in between */
	write_file("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1");
	write_file("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1");
	run("ip link add br0 type bridge mcast_snooping 0 && ip link set br0 up && "
	    "ip link add va type veth peer name vb && ip link set vb master br0 up && "
	    "ip link set va up");
	make_vd();
	can_run = true;
	wait_path();
	return 0;
}

#define NEEDS_NETNS()           \
	do {                    \
		(void)state;    \
		if (!can_run)   \
			skip(); \
	} while (0)

/* -------------------------------------------------------------------- tests */

static void test_counts(void **state)
{
	enum { N = 20000, BURST = 50 };
	struct capture_counters k;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(HOPS, 128, 4096, OURS, false, &seen);
	assert_int_equal(capture_n_alive(c), HOPS);
	assert_int_equal(capture_linktype(c, 3), MODEL_LINKTYPE_ETHERNET);
	sender_open(&s);
	for (unsigned i = 0; i < N / BURST; i++) {
		send_frames(&s, BURST, 60, 0);
		dispatch(&seen, 0);
		/* without traffic still in the rings the mark would be younger */
		assert_true(seen.watermark < now_ns(CLOCK_REALTIME));
	}
	dispatch_until(&seen, HOPS, N);
	for (unsigned i = 0; i < HOPS; i++) {
		capture_get_counters(c, i, &k);
		assert_int_equal(seen.frames[i], N);
		assert_int_equal(k.frames, N);
		assert_int_equal(k.bytes, N * 60);
		assert_int_equal(k.dropped_kernel, 0);
		assert_int_equal(k.dropped_interface, 0);
	}
	assert_int_equal(seen.disorder, 0);
	assert_int_equal(seen.late, 0);
	assert_int_equal(seen.before_start, 0);
	assert_int_equal(seen.cut_nanoseconds, 0);
	/* idle rings: the mark follows the clock */
	dispatch(&seen, 50);
	assert_true(now_ns(CLOCK_REALTIME) - seen.watermark < 1000000000);
	close(s.fd);
	capture_free(c);
}

/* Frames are cut in the kernel also where no filter was asked for. */
static void test_snaplen(void **state)
{
	static const char *const filters[] = { OURS, NULL };
	struct seen seen;
	struct sender s;

	NEEDS_NETNS();
	sender_open(&s);
	for (unsigned i = 0; i < 2; i++) {
		struct capture *c = open_hops(2, 40, 1024, filters[i], false, &seen);

		send_frames(&s, 10, 1500, 0);
		dispatch_until(&seen, 2, 10);
		assert_int_equal(seen.frames[1], 10);
		assert_int_equal(seen.caplen, 40);
		assert_int_equal(seen.len, 1500);
		capture_free(c);
	}
	close(s.fd);
}

static void test_nanoseconds(void **state)
{
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	sender_open(&s);
	c = open_hops(2, 64, 1024, OURS, true, &seen);
	send_frames(&s, 100, 60, 0);
	dispatch_until(&seen, 2, 100);
	assert_int_equal(seen.frames[1], 100);
	assert_true(seen.cut_nanoseconds > 0);
	assert_int_equal(seen.before_start, 0);
	capture_free(c);
	close(s.fd);
}

/* A consumer that stalls loses frames; what was lost and what came make up what was sent. */
static void test_drops(void **state)
{
	enum { N = 30000 };
	struct capture_counters k;
	uint64_t dropped = 0;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(2, 128, 1024, OURS, false, &seen);
	sender_open(&s);
	for (unsigned i = 0; i < N / 100; i++) {
		send_frames(&s, 100, 60, 0);
		if (i % 50 == 0) /* libpcap's count goes on between two readings */
			capture_get_counters(c, 0, &k);
	}
	dispatch_until(&seen, 2, N);
	for (unsigned i = 0; i < 2; i++) {
		capture_get_counters(c, i, &k);
		assert_true(k.dropped_kernel > 0);
		assert_int_equal(k.frames + k.dropped_kernel, N);
		dropped = k.dropped_kernel;
	}
	print_message("a ring of 1024 KiB held %u frames of 60 bytes\n", (unsigned)(N - dropped));
	/* it goes on afterwards */
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 2, N - dropped + 10);
	capture_get_counters(c, 1, &k);
	assert_int_equal(k.frames + k.dropped_kernel, N + 10);
	close(s.fd);
	capture_free(c);
}

struct flood {
	struct sender sender;
	pthread_t thread;
	atomic_bool stop;
	_Atomic uint64_t sent;
	_Atomic uint64_t limit; /* it waits when it has sent that many */
};

static void *flood_run(void *arg)
{
	struct flood *f = arg;

	while (!atomic_load(&f->stop)) {
		if (f->sender.next >= atomic_load(&f->limit)) {
			sched_yield();
			continue;
		}
		send_frames(&f->sender, 16, 60, 0);
		atomic_store(&f->sent, f->sender.next);
	}
	return NULL;
}

static void flood_begin(struct flood *f, uint64_t limit)
{
	sender_open(&f->sender);
	atomic_init(&f->stop, false);
	atomic_init(&f->sent, 0);
	atomic_init(&f->limit, limit);
	assert_int_equal(pthread_create(&f->thread, NULL, flood_run, f), 0);
}

static void flood_end(struct flood *f)
{
	atomic_store(&f->stop, true);
	pthread_join(f->thread, NULL);
}

/*
 * The flood may send FLOOD_STEP more from now on. Returns when it has sent some of them, whenever
 * it gets a CPU.
 */
static void flood_goes_on(struct flood *f)
{
	const uint64_t sent = atomic_load(&f->sent);

	atomic_store(&f->limit, sent + FLOOD_STEP);
	while (atomic_load(&f->sent) == sent)
		sched_yield();
}

/*
 * libpcap's pcap_setfilter(), the last step of setting up a ring. While opening is set it waits
 * for frames behind each: those of before the start are then in every ring, most in the first,
 * and no ring is full.
 */
static struct flood *opening;
static unsigned rings_set;

int pcap_setfilter(pcap_t *pcap, struct bpf_program *program)
{
	static int (*real)(pcap_t *, struct bpf_program *);

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "pcap_setfilter");
	int status = real(pcap, program);
	if (opening) {
		rings_set++;
		flood_goes_on(opening);
	}
	return status;
}

/* Under traffic all hops begin at one moment, though the rings are set up one after another. */
static void test_start(void **state)
{
	struct flood flood;
	struct seen seen;
	struct capture *c;
	uint64_t before;

	NEEDS_NETNS();
	flood_begin(&flood, 0);
	flood_goes_on(&flood);
	before = atomic_load(&flood.sent);
	opening = &flood;
	rings_set = 0;
	c = open_hops(HOPS, 64, 8192, OURS, false, &seen);
	opening = NULL;
	assert_int_equal(rings_set, HOPS);
	atomic_store(&flood.limit, UINT64_MAX);
	for (unsigned i = 0; i < HOPS; i++) {
		while (!seen.frames[i])
			dispatch(&seen, 20);
	}
	flood_end(&flood);
	dispatch_until(&seen, HOPS, UINT64_MAX);
	assert_int_equal(seen.before_start, 0);
	/* what came while the rings were set up is of before the start, at every hop */
	for (unsigned i = 0; i < HOPS; i++) {
		/* frames on their way at the start: at most a backlog (netdev_max_backlog) */
		uint64_t gap = seen.first[i] > seen.first[0] ? seen.first[i] - seen.first[0]
							     : seen.first[0] - seen.first[i];

		if (gap > 1100)
			fail_msg("%s begins %u frames apart", devices[i], (unsigned)gap);
		assert_true(seen.first[i] >= before);
	}
	close(flood.sender.fd);
	capture_free(c);
}

/* Continuous load from another CPU: the mark advances and no frame comes behind it. */
static void test_watermark_under_load(void **state)
{
	int64_t end, first_mark = 0;
	struct flood flood;
	struct seen seen;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(HOPS, 64, 8192, OURS, false, &seen);
	flood_begin(&flood, UINT64_MAX);
	end = now_ns(CLOCK_MONOTONIC) + 700000000;
	while (now_ns(CLOCK_MONOTONIC) < end) {
		dispatch(&seen, 20);
		if (!first_mark && seen.watermark > INT64_MIN)
			first_mark = seen.watermark;
	}
	assert_true(seen.watermark - first_mark > 300000000);
	assert_true(now_ns(CLOCK_REALTIME) - seen.watermark < 400000000);
	flood_end(&flood);
	dispatch_until(&seen, HOPS, UINT64_MAX);
	assert_int_equal(seen.late, 0);
	assert_true(seen.numbers > 1000);
	close(flood.sender.fd);
	capture_free(c);
}

static void test_stop(void **state)
{
	int64_t end;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(HOPS, 64, 1024, OURS, false, &seen);
	sender_open(&s);
	send_frames(&s, 100, 60, 0);
	/* vb to vd are reached from a softirq, which may run a moment later */
	usleep(5000);
	capture_stop(c);
	capture_stop(c);
	send_frames(&s, 100, 60, 0);
	end = now_ns(CLOCK_MONOTONIC) + 2000000000;
	while (seen.watermark != INT64_MAX && now_ns(CLOCK_MONOTONIC) < end)
		dispatch(&seen, 10);
	assert_true(seen.watermark == INT64_MAX);
	for (unsigned i = 0; i < HOPS; i++)
		assert_int_equal(seen.frames[i], 100);
	close(s.fd);
	capture_free(c);
}

/* The tag is metadata in the kernel, where `vlan` finds it, and back in the bytes here. */
static void test_vlan(void **state)
{
	struct model_net net = { .n_hops = 1, .n_pods = 1 };
	struct err err = ERR_INIT;
	struct buf text;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	net.hops[0].role = MODEL_ROLE_VETH;
	buf_init(&text, 65536);
	assert_int_equal(capture_kernel_filter(&net, 0, "udp port 53", false, NULL, &text, &err),
			 0);
	c = open_hops(2, 128, 1024, buf_str(&text), false, &seen);
	sender_open(&s);
	send_frames(&s, 5, 60, 0);
	send_frames(&s, 5, 64, 42);
	dispatch_until(&seen, 2, 5);
	assert_int_equal(seen.frames[0], 5);
	assert_int_equal(seen.frames[1], 5);
	assert_memory_equal(seen.bytes + 12, "\x81\x00\x00\x2a\x88\xb5", 6);
	assert_int_equal(seen.len, 64);
	buf_done(&text);
	close(s.fd);
	capture_free(c);
}

static void test_extra_fd(void **state)
{
	struct err err = ERR_INIT;
	int64_t before;
	struct seen seen;
	struct capture *c;
	int fds[2];

	NEEDS_NETNS();
	c = open_hops(2, 64, 512, OURS, false, &seen);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	before = now_ns(CLOCK_MONOTONIC);
	assert_int_equal(capture_dispatch(c, 5000, fds[0], sink, &seen, &err), 0);
	assert_true(now_ns(CLOCK_MONOTONIC) - before < 1000000000);
	assert_int_equal(capture_dispatch(c, 1, -1, sink, &seen, &err), 0);
	close(fds[0]);
	close(fds[1]);
	capture_free(c);
}

static void test_down_and_up(void **state)
{
	int64_t end;
	uint64_t before;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(2, 64, 1024, OURS, false, &seen);
	sender_open(&s);
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 2, 10);
	run("ip link set vd down");
	for (unsigned i = 0; i < 10; i++)
		dispatch(&seen, 100);
	assert_false(capture_hop_is_gone(c, 1));
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 1, 20);
	assert_int_equal(seen.frames[0], 20);
	run("ip link set vd up");
	before = seen.frames[1];
	end = now_ns(CLOCK_MONOTONIC) + WAIT_MS * 1000000LL;
	while (seen.frames[1] == before && now_ns(CLOCK_MONOTONIC) < end) {
		send_frames(&s, 1, 60, 0);
		dispatch(&seen, 50);
	}
	assert_true(seen.frames[1] > before);
	assert_int_equal(capture_n_alive(c), 2);
	close(s.fd);
	capture_free(c);
}

static void test_deleted(void **state)
{
	struct capture_counters k;
	int64_t end;
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(2, 64, 1024, OURS, false, &seen);
	sender_open(&s);
	/* still in the ring when the device goes: they must come all the same */
	send_frames(&s, 10, 60, 0);
	usleep(5000);
	run("ip link del vd");
	end = now_ns(CLOCK_MONOTONIC) + 2000000000;
	while (!capture_hop_is_gone(c, 1) && now_ns(CLOCK_MONOTONIC) < end)
		dispatch(&seen, 100);
	assert_true(capture_hop_is_gone(c, 1));
	assert_false(capture_hop_is_gone(c, 0));
	assert_int_equal(capture_n_alive(c), 1);
	assert_int_equal(seen.frames[1], 10);
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 1, 20);
	assert_int_equal(seen.frames[0], 20);
	capture_get_counters(c, 1, &k);
	assert_int_equal(k.frames, 10);
	assert_int_equal(k.dropped_kernel, 0);
	/* a new device of the same name is not the hop */
	make_vd();
	wait_path();
	dispatch(&seen, 20);
	assert_true(capture_hop_is_gone(c, 1));
	close(s.fd);
	capture_free(c);
}

static void open_fails(const char *device, const char *filter, int code, enum err_class class,
		       const char *text)
{
	struct capture_hop hop = { .snaplen = 64, .buffer_kib = 512, .filter = filter };
	const struct capture_config config = { .hops = &hop, .n_hops = 1 };
	struct err err = ERR_INIT;

	snprintf(hop.device, sizeof(hop.device), "%s", device);
	assert_null(capture_open(&config, &err));
	if (!strstr(err.text, text))
		fail_msg("\"%s\" is not in \"%s\"", text, err.text);
	assert_int_equal(err.code, code);
	assert_int_equal(err.class, class);
}

static void test_open_errors(void **state)
{
	const struct capture_config none = { .n_hops = 0 };
	struct err err = ERR_INIT;
	pid_t child;
	int status;

	NEEDS_NETNS();
	open_fails("eth9", NULL, -ENODEV, ERR_FAILED, "no such device eth9");
	run("ip link add vx type dummy 2>/dev/null || ip link add vx type bridge");
	open_fails("vx", NULL, -ENETDOWN, ERR_FAILED, "open vx: the device is down");
	open_fails("va", "tcp port", -EINVAL, ERR_USAGE, "syntax error");
	assert_null(capture_open(&none, &err));
	assert_int_equal(err.code, -EINVAL);
	capture_free(NULL);
	child = fork();
	if (!child) {
		struct capture_hop hop = { .device = "va", .snaplen = 64, .buffer_kib = 512 };
		const struct capture_config config = { .hops = &hop, .n_hops = 1 };

		if (setresuid(65534, 65534, 65534) < 0)
			_exit(10);
		if (capture_open(&config, &err))
			_exit(11);
		_exit(strcmp(err.text, "open va: Operation not permitted (needs CAP_NET_RAW: run "
				 "podhop as root)") ||
		      err.code != -EPERM);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

/* As with --follow: hops may come, and filters change. */
static struct capture *open_changing(struct seen *seen, uint32_t kib)
{
	struct capture_hop hop = { .device = "va", .snaplen = 64, .buffer_kib = kib,
				   .filter = OURS };
	const struct capture_config config = { .hops = &hop, .n_hops = 1, .may_change = true };
	struct err err = ERR_INIT;

	memset(seen, 0, sizeof(*seen));
	seen->watermark = INT64_MIN;
	seen->capture = capture_open(&config, &err);
	if (!seen->capture)
		fail_msg("%s", err.text);
	return seen->capture;
}

static int add(struct capture *c, const char *device, const char *filter, int64_t *start_ns,
	       struct err *err)
{
	struct capture_hop hop = { .snaplen = 64, .buffer_kib = 512, .filter = filter };

	snprintf(hop.device, sizeof(hop.device), "%s", device);
	return capture_add(c, &hop, start_ns, err);
}

/* A device that comes while others are captured; one that cannot be had changes nothing. */
static void test_added_hop(void **state)
{
	struct capture_counters k;
	struct err err = ERR_INIT;
	int64_t start_ns = 7;
	int fds[MODEL_HOPS_MAX];
	struct seen seen;
	struct sender s;
	struct capture *c;

	NEEDS_NETNS();
	c = open_changing(&seen, 512);
	sender_open(&s);
	send_frames(&s, 10, 60, 0);
	assert_int_equal(add(c, "eth9", OURS, &start_ns, &err), -ENODEV);
	assert_string_equal(err.text, "open eth9: no such device eth9");
	assert_int_equal(add(c, "vd", "tcp port", &start_ns, &err), -EINVAL);
	assert_int_equal(start_ns, 7);
	assert_int_equal(capture_n_alive(c), 1);
	assert_int_equal(capture_sockets(c, fds), 1);

	assert_int_equal(add(c, "vd", OURS, &start_ns, &err), 1);
	assert_int_equal(capture_n_alive(c), 2);
	assert_int_equal(capture_sockets(c, fds), 2);
	assert_int_not_equal(fds[0], fds[1]);
	assert_true(start_ns > capture_start_ns(c));
	assert_true(capture_hop_start_ns(c, 1) == start_ns);
	assert_true(capture_hop_start_ns(c, 0) == capture_start_ns(c));
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 2, 10);
	dispatch_until(&seen, 1, 20);
	/* its frames count from then on, and those of the first are not disturbed */
	assert_int_equal(seen.frames[0], 20);
	assert_int_equal(seen.frames[1], 10);
	assert_int_equal(seen.first[1], 10);
	assert_int_equal(seen.disorder, 0);
	capture_get_counters(c, 1, &k);
	assert_int_equal(k.frames, 10);
	assert_int_equal(k.dropped_kernel, 0);
	assert_int_equal(k.dropped_interface, 0);
	close(s.fd);
	capture_free(c);
}

static void test_other_filter(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	struct sender s;
	struct capture *c;
	char *text = NULL;
	size_t size;
	int64_t start_ns;

	NEEDS_NETNS();
	c = open_changing(&seen, 512);
	assert_int_equal(add(c, "vd", OURS, &start_ns, &err), 1);
	sender_open(&s);
	assert_int_equal(capture_refilter(c, 0, "ether proto 0x88b6", &err), 0);
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 2, 10);
	assert_int_equal(seen.frames[0], 0);
	assert_int_equal(seen.frames[1], 10);
	/* one that makes no sense: the filter before stays */
	assert_int_equal(capture_refilter(c, 0, "tcp port", &err), -EINVAL);
	assert_non_null(strstr(err.text, "filter for va: "));
	/* more than the kernel takes: libpcap filters then */
	FILE *f = open_memstream(&text, &size);
	assert_non_null(f);
	fputs(OURS, f);
	for (unsigned i = 0; i < 2000; i++)
		fprintf(f, " or ether host 02:00:00:01:%02x:%02x", i >> 8, i & 0xff);
	fclose(f);
	assert_int_equal(capture_refilter(c, 0, text, &err), 0);
	free(text);
	send_frames(&s, 10, 60, 0);
	dispatch_until(&seen, 2, 10);
	assert_int_equal(seen.frames[0], 10);
	assert_int_equal(seen.first[0], 10);
	/* of a hop that is not there nothing is changed */
	assert_int_equal(capture_refilter(c, 9, OURS, &err), 0);
	close(s.fd);
	capture_free(c);
}

static void test_no_such_hop(void **state)
{
	struct capture_counters k;
	struct seen seen;
	struct capture *c;

	NEEDS_NETNS();
	c = open_hops(2, 400000, 0, OURS, false, &seen);
	assert_int_equal(capture_linktype(c, 9), 0);
	assert_true(capture_hop_is_gone(c, 9));
	assert_true(capture_hop_start_ns(c, 9) == capture_start_ns(c));
	capture_get_counters(c, 9, &k);
	assert_int_equal(k.frames, 0);
	assert_int_equal(k.dropped_interface, -1);
	capture_free(c);
}

/* Behind a call that had frames there is a pause; who else has something to say ends it. */
static void test_pause_ends(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	struct sender s;
	struct capture *c;
	int fds[2];

	NEEDS_NETNS();
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	c = open_hops(2, 128, 8192, OURS, false, &seen);
	sender_open(&s);
	for (unsigned i = 1; i <= 20; i++) {
		send_frames(&s, 1, 60, 0);
		dispatch_until(&seen, 2, i);
		assert_int_equal(seen.frames[0], i);
		/* without a time limit: it would wait for a frame that does not come */
		assert_int_equal(capture_dispatch(c, -1, fds[0], sink, &seen, &err), 0);
	}
	close(fds[0]);
	close(fds[1]);
	close(s.fd);
	capture_free(c);
}

/* The right that is missing is named, by the same process that may have it again. */
static void test_no_right(void **state)
{
	struct err err = ERR_INIT;
	struct seen seen;
	struct capture *c;
	int64_t start_ns;

	NEEDS_NETNS();
	c = open_changing(&seen, 512);
	assert_int_equal(seteuid(65534), 0);
	int rc = add(c, "vd", OURS, &start_ns, &err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -EPERM);
	assert_string_equal(err.text, "open vd: Operation not permitted (needs CAP_NET_RAW: run "
				      "podhop as root)");
	assert_int_equal(capture_n_alive(c), 1);
	capture_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_added_hop),   cmocka_unit_test(test_other_filter),
		cmocka_unit_test(test_no_such_hop), cmocka_unit_test(test_pause_ends),
		cmocka_unit_test(test_no_right),
		cmocka_unit_test(test_counts),	    cmocka_unit_test(test_snaplen),
		cmocka_unit_test(test_nanoseconds), cmocka_unit_test(test_drops),
		cmocka_unit_test(test_start),	    cmocka_unit_test(test_watermark_under_load),
		cmocka_unit_test(test_stop),	    cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_extra_fd),    cmocka_unit_test(test_down_and_up),
		cmocka_unit_test(test_deleted),	    cmocka_unit_test(test_open_errors),
	};

	return cmocka_run_group_tests_name("capture_live", tests, setup, NULL);
}
