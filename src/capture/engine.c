// SPDX-License-Identifier: BSD-3-Clause
/*
 * engine.c - the pcap handles of all hops, opened, drained and ended together.
 *
 * Theory of operation
 *
 * Opening. All handles are created, then activated, then filtered; only then
 * the start time is read. What a ring holds from before (frames of a hop that
 * was ready earlier, frames from between activation and filter) carries an
 * older stamp and is thrown away, so that all hops begin at one moment. The
 * comparison ends once every ring has been found empty well after the start:
 * later a stamp below the start means that the clock was set back, and such
 * frames are handed out. A hop without expression gets the empty filter all
 * the same: the kernel cuts frames to the snap length only by a filter's
 * return value, and would copy whole super-frames without one.
 *
 * libpcap never hands out what the filter refuses, also not from before
 * pcap_setfilter(): it attaches a filter that refuses everything, empties the
 * socket, attaches the real one, and runs it in user space over the blocks
 * that the ring held at that moment (pcap-linux.c, set_kernel_filter and
 * blocks_to_filter_in_userland).
 *
 * Rings. libpcap uses TPACKET_V3: the kernel fills blocks of 256 KiB and gives
 * each to us when it is full, or after CAPTURE_BLOCK_TIMEOUT_MS. Immediate
 * mode would mean TPACKET_V2 (a fixed slot a frame, a wake-up a frame), which
 * loses frames at full rate.
 *
 * Draining. One thread, one poll() over all rings. libpcap's pcap_dispatch(-1)
 * goes on for as long as the kernel closes blocks, and at full rate would
 * starve the other hops; so the hop that lags behind is asked for BATCH_FRAMES until
 * all are empty or CALL_BYTES were taken. poll() signals a ring as
 * long as any closed block is left (af_packet.c, packet_poll), also one that
 * was read in part, so nothing is forgotten between two calls.
 *
 * Way. Which way a frame crossed the device is in the ring's sockaddr_ll
 * (sll_pkttype) and nowhere in libpcap's interface for Ethernet handles.
 * Considered and left:
 *  - two handles a device with pcap_setdirection(): twice the rings and the
 *    copies, and the order of the two directions is lost;
 *  - `inbound`/`outbound` in the kernel filter (SKF_AD_PKTTYPE) can drop a
 *    direction but not mark it: a filter returns only a length, and only
 *    frames longer than the snap length could carry a mark in it;
 *  - reading the sockaddr_ll in front of the bytes that libpcap hands out:
 *    no interface promises it is there.
 * So way stays MODEL_WAY_UNKNOWN; the Ethernet addresses tell it further up
 * (source is the device's own address: out; on a veth, source is the pod's:
 * in), for all but frames that a bridge floods back to their sender.
 *
 * Devices that go. When a device is set down the socket reports ENETDOWN once
 * and the kernel hooks the tap again when it comes up: libpcap clears the
 * error, remembers it, and asks each time it is called whether the device is
 * up or has been removed. Such a hop is dispatched on every call, also when
 * poll() says nothing, and the wait is kept short. Only "the interface
 * disappeared" ends the hop; its ring was emptied before that is said.
 *
 * Watermark: see capture_watermark_ns().
 */
#include "capture_priv.h"
#include "podhop/capture.h"

#include <errno.h>
#include <linux/filter.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000LL
#define NS_PER_MS 1000000LL

/* Frames taken from one hop before the next has its turn: about one block of 64-byte frames. */
#define BATCH_FRAMES 128
#define CALL_BYTES (1u << 20) /* 4 blocks of a ring: a millisecond at 1 GB/s */
#define BATCH_BYTES (256u << 10) /* super-frames: fewer at a time, so that hops stay side by side */

/* What a frame takes in a block beside its bytes: tpacket3_hdr, sockaddr_ll, reserve, padding. */
#define FRAME_OVERHEAD_BYTES 96

/*
 * After this long a stamped frame is in a block that was given to us. The block
 * timer closes a block when it finds it open twice (prb_retire_rx_blk_timer_expired),
 * so after at most 2 timeouts; the timer counts jiffies, which at HZ=100 turns
 * 10 ms into up to 20.
 */
#define SETTLE_NS (4 * CAPTURE_BLOCK_TIMEOUT_MS * NS_PER_MS)

/*
 * Frames of one ring are not in time order where several CPUs fill it: they are
 * stamped before the ring's lock is taken. 147 us was measured; a CPU that is
 * taken away in between (virtual machines) makes it longer.
 */
#define BACKSTEP_NS (5 * NS_PER_MS)

/* A stamp this far ahead of the clock: the clock was set back. */
#define CLOCK_STEP_NS NS_PER_S

#define DEFAULT_BUFFER_KIB 2048 /* what libpcap takes when it is not told */
/*
 * Under load a closed block wakes us each millisecond; a pause after a busy call
 * lets several gather. Measured at 4 x 65,000 frames/s: 0.16 s of CPU for 1.6 million
 * frames without, 0.10 s with 5 ms, 3 to 5 % less with 10. It must not fill a ring: no pause is
 * made where the call before took more than 1/GATHER_SHARE of any, it is shorter where a ring is
 * small, and short where frames are kept long: super-frames of one TCP stream fill 2 MiB in a
 * millisecond.
 */
#define GATHER_MS 10
#define GATHER_LONG_MS 1
#define GATHER_SNAPLEN 512 /* headers only: a millisecond at 1 million frames/s is 0.6 MiB */
#define GATHER_KIB 1600	   /* ... and so much of a ring is wanted for it */
#define GATHER_SHARE 8

#define CLOCK_TRIES 3

#define DOWN_POLL_MS 20 /* wait while a device is down: how late its end is noticed */
#define LINKSTATS_AGE_NS (50 * NS_PER_MS)

struct hop {
	struct capture *capture;
	pcap_t *pcap;
	unsigned index;
	int fd;
	bool alive;
	bool exchangeable; /* its filter is the kernel's alone */
	int batch; /* frames asked for at a time; 0: not known yet */
	bool starting; /* frames from before the start may still come */
	int64_t start_ns, start_mono_ns; /* its own: devices may be added later */
	bool ready; /* this call: closed blocks may be left */
	bool emptied; /* since capture_stop(): found empty after the ring had settled */
	uint32_t buffer_kib;
	uint64_t taken; /* this call: ring bytes */
	int64_t empty_at_ns; /* CLOCK_REALTIME at which the ring was last found empty; 0: never */
	int64_t last_frame_ns; /* stamp of the newest frame handed out; 0: none */
	struct capture_counters counters;
	uint32_t last_ps_drop;
	uint64_t interface_before;
	bool interface_known;
	const char *name; /* into capture.names */
};

/* What the clock that stamps frames showed, beside one that nobody sets. */
struct clock_look {
	int64_t real_ns;
	int64_t boot_ns; /* CLOCK_BOOTTIME goes on while the node is suspended */
};

struct capture {
	struct hop hops[MODEL_HOPS_MAX];
	unsigned n_hops;
	bool nanoseconds, may_change;
	int64_t tick_ns; /* of its stamps: 1 or 1,000 */
	int64_t start_ns, start_mono_ns;
	int64_t now_ns; /* CLOCK_REALTIME at the last look at the rings */
	struct clock_look clock;
	int64_t looked_mono_ns; /* CLOCK_MONOTONIC of the same */
	bool gather; /* the call before took something, and not much */
	int gather_ms; /* how long to pause then */
	bool stopped;
	int64_t stop_mono_ns;
	uint64_t number;
	capture_sink *sink; /* during capture_dispatch() */
	void *sink_arg;
	int linkstats_fd;
	int64_t linkstats_mono_ns;
	char names[MODEL_HOPS_MAX][MODEL_NAME_MAX];
};

static int64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

/* ------------------------------------------------------------------ opening */

static int activate_failed(pcap_t *pcap, const char *device, int status, struct err *err)
{
	const char *text = pcap_geterr(pcap);

	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return err_set(err, -EPERM, "open %s: Operation not permitted (needs CAP_NET_RAW: "
			       "run podhop as root)", device);
	case PCAP_ERROR_NO_SUCH_DEVICE:
		return err_set(err, -ENODEV, "open %s: no such device %s", device, device);
	case PCAP_ERROR_IFACE_NOT_UP:
		return err_set(err, -ENETDOWN, "open %s: the device is down", device);
	default:
		return err_set(err, -EIO, "open %s: %s", device,
			       text[0] ? text : pcap_statustostr(status));
	}
}

static int hop_create(struct hop *hop, const struct capture_hop *config, bool nanoseconds,
		      struct err *err)
{
	char errbuf[PCAP_ERRBUF_SIZE] = "";

	hop->pcap = pcap_create(config->device, errbuf);
	if (!hop->pcap)
		return err_set(err, -EIO, "open %s: %s", config->device, errbuf);
	/* INT_MAX bytes is libpcap's own limit; it takes an int */
	uint32_t kib = config->buffer_kib < 2097151 ? config->buffer_kib : 2097151;

	hop->buffer_kib = kib ? kib : DEFAULT_BUFFER_KIB;
	if (pcap_set_promisc(hop->pcap, 0) ||
	    pcap_set_snaplen(hop->pcap, config->snaplen > 262144 ? 262144 : (int)config->snaplen) ||
	    pcap_set_timeout(hop->pcap, CAPTURE_BLOCK_TIMEOUT_MS) ||
	    (kib && pcap_set_buffer_size(hop->pcap, (int)(kib * 1024))) ||
	    pcap_set_tstamp_precision(hop->pcap, nanoseconds ? PCAP_TSTAMP_PRECISION_NANO
							     : PCAP_TSTAMP_PRECISION_MICRO))
		return err_set(err, -EIO, "open %s: %s", config->device, pcap_geterr(hop->pcap));
	return 0;
}

/* On the socket itself: the new filter takes the old one's place between two frames. */
static int attach(const struct hop *hop, const struct bpf_program *program)
{
	const struct sock_fprog kernel = {
		.len = (unsigned short)program->bf_len,
		.filter = (struct sock_filter *)(void *)program->bf_insns,
	};

	return setsockopt(hop->fd, SOL_SOCKET, SO_ATTACH_FILTER, &kernel, sizeof(kernel));
}

/*
 * How a filter is set that may be exchanged later. pcap_setfilter() refuses all frames for a
 * moment, and applies its filter in user space too, to as many blocks as the ring held; it must
 * not know the one that will change. So it is given one that passes all, and the kernel the real
 * one. Frames from in between are older than the start, and thrown away.
 */
static int set_exchangeable(struct hop *hop, struct bpf_program *program)
{
	struct bpf_program all;

	if (pcap_compile(hop->pcap, &all, "", 1, PCAP_NETMASK_UNKNOWN) < 0)
		return -1;
	int status = pcap_setfilter(hop->pcap, &all);

	pcap_freecode(&all);
	hop->exchangeable = status == 0 && attach(hop, program) == 0;
	/* A kernel that takes no filter so long: libpcap filters in user space. */
	return hop->exchangeable ? 0 : pcap_setfilter(hop->pcap, program);
}

static int hop_filter(struct hop *hop, const struct capture_hop *config, bool may_change,
		      struct err *err)
{
	struct bpf_program program;
	char errbuf[PCAP_ERRBUF_SIZE] = "";
	int r = 0;

	if (pcap_compile(hop->pcap, &program, config->filter ? config->filter : "", 1,
			 PCAP_NETMASK_UNKNOWN) < 0)
		return err_usage(err, -EINVAL, "filter for %s: %s", config->device,
				 pcap_geterr(hop->pcap));
	hop->fd = pcap_get_selectable_fd(hop->pcap);
	if (hop->fd < 0)
		r = err_set(err, -EIO, "open %s: libpcap cannot poll it", config->device);
	else if ((may_change ? set_exchangeable(hop, &program)
			     : pcap_setfilter(hop->pcap, &program)) < 0)
		r = err_set(err, -EIO, "set the filter on %s: %s", config->device,
			    pcap_geterr(hop->pcap));
	pcap_freecode(&program);
	if (r)
		return r;
	if (pcap_setnonblock(hop->pcap, 1, errbuf) < 0)
		return err_set(err, -EIO, "open %s: %s", config->device, errbuf);
	return 0;
}

/* Interface counters of all hops, at most every LINKSTATS_AGE_NS. */
static void read_linkstats(struct capture *c, bool first)
{
	struct linkstats stats[MODEL_HOPS_MAX];
	const char *names[MODEL_HOPS_MAX];
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	if (c->linkstats_fd < 0)
		return;
	if (!first && !c->stopped && now - c->linkstats_mono_ns < LINKSTATS_AGE_NS)
		return;
	c->linkstats_mono_ns = now;
	for (unsigned i = 0; i < c->n_hops; i++)
		names[i] = c->names[i];
	if (capture_linkstats_read(c->linkstats_fd, names, c->n_hops, stats) < 0)
		return;
	for (unsigned i = 0; i < c->n_hops; i++) {
		struct hop *hop = &c->hops[i];

		if (first) {
			hop->interface_known = stats[i].valid;
			hop->interface_before = stats[i].dropped;
			hop->counters.dropped_interface = stats[i].valid ? 0 : -1;
		} else if (hop->interface_known && hop->alive && stats[i].valid &&
			   stats[i].dropped >= hop->interface_before) {
			/*
			 * The last value stays when the device is gone; one of the same
			 * name that counts from 0 again is another device.
			 */
			hop->counters.dropped_interface =
				(int64_t)(stats[i].dropped - hop->interface_before);
		}
	}
}

/* Both clocks at one moment. False: this thread lost its CPU in between, each time. */
static bool look_at_clocks(struct clock_look *ret_look)
{
	for (unsigned tries = 0; tries < CLOCK_TRIES; tries++) {
		const int64_t before = clock_ns(CLOCK_BOOTTIME);

		ret_look->real_ns = clock_ns(CLOCK_REALTIME);
		ret_look->boot_ns = clock_ns(CLOCK_BOOTTIME);
		if (ret_look->boot_ns - before < NS_PER_MS)
			return true;
	}
	return false;
}

static void begin(const struct capture *c, int64_t *ret_ns, int64_t *ret_mono_ns)
{
	*ret_mono_ns = clock_ns(CLOCK_MONOTONIC);
	*ret_ns = clock_ns(CLOCK_REALTIME);
	if (!c->nanoseconds) /* stamps are cut to microseconds: compare like with like */
		*ret_ns -= *ret_ns % 1000;
}

static void hop_begin(struct capture *c, unsigned i, const struct capture_hop *config)
{
	struct hop *hop = &c->hops[i];

	memcpy(c->names[i], config->device, sizeof(c->names[i]));
	c->names[i][sizeof(c->names[i]) - 1] = '\0';
	hop->capture = c;
	hop->index = i;
	hop->fd = -1;
	hop->name = c->names[i];

	const uint32_t kib = config->buffer_kib ? config->buffer_kib : DEFAULT_BUFFER_KIB;

	if (config->snaplen > GATHER_SNAPLEN || kib < 2 * GATHER_KIB)
		c->gather_ms = GATHER_LONG_MS;
	else if (kib / GATHER_KIB < (uint32_t)c->gather_ms)
		c->gather_ms = (int)(kib / GATHER_KIB);
}

struct capture *capture_open(const struct capture_config *config, struct err *err)
{
	struct capture *c;

	if (!config->n_hops || config->n_hops > MODEL_HOPS_MAX) {
		err_set(err, -EINVAL, "capture: %u hops, 1 to %d are possible", config->n_hops,
			MODEL_HOPS_MAX);
		return NULL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		err_sys(err, ENOMEM, "capture");
		return NULL;
	}
	c->n_hops = config->n_hops;
	c->nanoseconds = config->nanoseconds;
	c->tick_ns = config->nanoseconds ? 1 : 1000;
	c->may_change = config->may_change;
	c->linkstats_fd = -1;
	c->gather_ms = GATHER_MS;
	for (unsigned i = 0; i < c->n_hops; i++) {
		hop_begin(c, i, &config->hops[i]);
		if (hop_create(&c->hops[i], &config->hops[i], c->nanoseconds, err) < 0)
			goto fail;
	}
	for (unsigned i = 0; i < c->n_hops; i++) {
		int status = pcap_activate(c->hops[i].pcap);

		if (status < 0) { /* above 0: a warning, the handle works */
			activate_failed(c->hops[i].pcap, c->names[i], status, err);
			goto fail;
		}
	}
	for (unsigned i = 0; i < c->n_hops; i++) {
		if (hop_filter(&c->hops[i], &config->hops[i], c->may_change, err) < 0)
			goto fail;
		c->hops[i].alive = true;
		c->hops[i].starting = true;
	}
	c->linkstats_fd = capture_linkstats_open();
	for (unsigned i = 0; i < c->n_hops; i++)
		c->hops[i].counters.dropped_interface = -1;
	read_linkstats(c, true);
	begin(c, &c->start_ns, &c->start_mono_ns);
	(void)look_at_clocks(&c->clock);
	for (unsigned i = 0; i < c->n_hops; i++) {
		c->hops[i].start_ns = c->start_ns;
		c->hops[i].start_mono_ns = c->start_mono_ns;
	}
	c->now_ns = c->start_ns;
	return c;
fail:
	capture_free(c);
	return NULL;
}

void capture_free(struct capture *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < c->n_hops; i++) {
		if (c->hops[i].pcap)
			pcap_close(c->hops[i].pcap);
	}
	if (c->linkstats_fd >= 0)
		close(c->linkstats_fd);
	free(c);
}

int64_t capture_start_ns(const struct capture *c)
{
	return c->start_ns;
}

int64_t capture_hop_start_ns(const struct capture *c, unsigned hop)
{
	return hop < c->n_hops ? c->hops[hop].start_ns : c->start_ns;
}

/* ------------------------------------------------- devices that come and change */

int capture_add(struct capture *c, const struct capture_hop *config, int64_t *ret_start_ns,
		struct err *err)
{
	struct linkstats stats = { 0 };
	const char *name;
	struct hop *hop;
	int rc, status;

	if (c->n_hops == MODEL_HOPS_MAX)
		return err_set(err, -E2BIG, "more than %d devices", MODEL_HOPS_MAX);
	hop = &c->hops[c->n_hops];
	hop_begin(c, c->n_hops, config);
	rc = hop_create(hop, config, c->nanoseconds, err);
	if (!rc) {
		status = pcap_activate(hop->pcap);
		if (status < 0)
			rc = activate_failed(hop->pcap, hop->name, status, err);
	}
	if (!rc)
		rc = hop_filter(hop, config, c->may_change, err);
	if (rc) {
		if (hop->pcap)
			pcap_close(hop->pcap);
		*hop = (struct hop){ .fd = -1 };
		return rc;
	}
	name = hop->name;
	hop->counters.dropped_interface = -1;
	if (c->linkstats_fd >= 0 &&
	    capture_linkstats_read(c->linkstats_fd, &name, 1, &stats) == 0 && stats.valid) {
		hop->interface_known = true;
		hop->interface_before = stats.dropped;
		hop->counters.dropped_interface = 0;
	}
	begin(c, &hop->start_ns, &hop->start_mono_ns);
	hop->alive = hop->starting = true;
	*ret_start_ns = hop->start_ns;
	return (int)c->n_hops++;
}

int capture_refilter(struct capture *c, unsigned hop_index, const char *expr, struct err *err)
{
	struct hop *hop = &c->hops[hop_index];
	struct bpf_program program;
	int rc = 0;

	if (hop_index >= c->n_hops || !hop->alive)
		return 0;
	if (pcap_compile(hop->pcap, &program, expr, 1, PCAP_NETMASK_UNKNOWN) < 0)
		return err_set(err, -EINVAL, "filter for %s: %s", hop->name,
			       pcap_geterr(hop->pcap));
	if ((!hop->exchangeable || attach(hop, &program) < 0) &&
	    pcap_setfilter(hop->pcap, &program) < 0)
		rc = err_set(err, -EIO, "set the filter on %s: %s", hop->name,
			     pcap_geterr(hop->pcap));
	pcap_freecode(&program);
	return rc;
}

/* ----------------------------------------------------------------- draining */

static void on_frame(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
	struct hop *hop = (struct hop *)(void *)user;
	struct capture *c = hop->capture;
	/* the field is named for microseconds and holds what was asked for */
	int64_t time_ns = (int64_t)header->ts.tv_sec * NS_PER_S +
			  (int64_t)header->ts.tv_usec * c->tick_ns;

	if (hop->starting && time_ns < hop->start_ns) {
		hop->taken += header->caplen + FRAME_OVERHEAD_BYTES;
		return;
	}
	const struct model_frame frame = {
		.time_ns = time_ns,
		.data = bytes,
		.caplen = model_word(header->caplen),
		.len = model_word(header->len),
		.hop = (uint16_t)hop->index,
		.way = MODEL_WAY_UNKNOWN,
		.number = ++c->number,
	};
	hop->last_frame_ns = time_ns;
	hop->counters.frames++;
	hop->counters.bytes += header->caplen;
	c->sink(c->sink_arg, &frame);
}

static void found_empty(struct hop *hop, int64_t at_ns, int64_t at_mono_ns)
{
	struct capture *c = hop->capture;

	hop->ready = false;
	hop->empty_at_ns = at_ns;
	if (hop->starting && at_mono_ns - hop->start_mono_ns > SETTLE_NS)
		hop->starting = false;
	if (c->stopped && at_mono_ns - c->stop_mono_ns > SETTLE_NS)
		hop->emptied = true;
}

/* One batch of one hop. Returns frames taken (0 also for a hop that just went) or -errno. */
static int drain(struct hop *hop, struct err *err)
{
	int64_t now = clock_ns(CLOCK_REALTIME), mono = clock_ns(CLOCK_MONOTONIC);
	uint64_t before = hop->counters.frames;
	uint64_t bytes = hop->counters.bytes;
	int want = hop->batch ? hop->batch : BATCH_FRAMES;
	int got = pcap_dispatch(hop->pcap, want, on_frame, (u_char *)hop);

	if (got < 0) {
		const char *text = pcap_geterr(hop->pcap);

		hop->ready = false;
		hop->alive = false;
		/* libpcap gives no code for it; pcap-linux.c, pcap_wait_for_frames_mmap() */
		if (strstr(text, "disappeared") || strstr(text, "went down"))
			return 0;
		return err_set(err, -EIO, "capture on %s: %s", hop->name, text);
	}
	hop->capture->now_ns = now;
	hop->taken += hop->counters.bytes - bytes +
		      (hop->counters.frames - before) * FRAME_OVERHEAD_BYTES;
	if (got > 0) {
		uint64_t fits = BATCH_BYTES * (uint64_t)got / (hop->counters.bytes - bytes + 1);

		hop->batch = fits < 1 ? 1 : fits > BATCH_FRAMES ? BATCH_FRAMES : (int)fits;
	}
	if (got < want)
		found_empty(hop, now, mono);
	return (int)(hop->counters.frames - before);
}

/* The device is or was down: libpcap wants to be called to find out more. */
static bool is_down(const struct hop *hop)
{
	return pcap_get_required_select_timeout(hop->pcap) != NULL;
}

/*
 * Waits, then marks hops that have something. Returns poll()'s result.
 * Rings that poll() passes by are empty, at the time at which it looked last.
 */
static int wait_ready(struct capture *c, int timeout_ms, int extra_fd)
{
	struct pollfd fds[MODEL_HOPS_MAX + 1];
	struct hop *hop_of[MODEL_HOPS_MAX];
	int64_t now, mono, waited;
	nfds_t n = 0;
	int r;

	for (unsigned i = 0; i < c->n_hops; i++) {
		struct hop *hop = &c->hops[i];

		hop->ready = false;
		hop->taken = 0;
		if (!hop->alive)
			continue;
		if (is_down(hop) && (timeout_ms < 0 || timeout_ms > DOWN_POLL_MS))
			timeout_ms = DOWN_POLL_MS;
		hop_of[n] = hop;
		fds[n++] = (struct pollfd){ .fd = hop->fd, .events = POLLIN };
	}
	fds[n] = (struct pollfd){ .fd = extra_fd, .events = POLLIN }; /* -1 is skipped */

	now = clock_ns(CLOCK_REALTIME);
	mono = clock_ns(CLOCK_MONOTONIC);
	r = poll(fds, n + 1, timeout_ms);
	if (r < 0 && errno != EINTR)
		return -errno;
	waited = clock_ns(CLOCK_MONOTONIC) - mono;
	if (r < 0 || waited > CAPTURE_BLOCK_TIMEOUT_MS * NS_PER_MS) {
		/*
		 * `now` is old: look once more, so that the watermark is as new as can be. So
		 * after a signal: where they come faster than a wait ends, no ring would ever be
		 * found empty.
		 */
		now = clock_ns(CLOCK_REALTIME);
		mono += waited;
		r = poll(fds, n + 1, 0);
		if (r < 0)
			return -errno;
	}
	c->now_ns = now;
	c->looked_mono_ns = mono;
	for (nfds_t i = 0; i < n; i++) {
		if (fds[i].revents || is_down(hop_of[i]))
			hop_of[i]->ready = true;
		else
			found_empty(hop_of[i], now, mono);
	}
	return r;
}

/*
 * The pause after a busy call. What is left to wait goes back into timeout_ms: 0 when
 * extra_fd woke us. Returns 0 or -errno.
 */
static int gather(struct capture *c, int *timeout_ms, int extra_fd)
{
	struct pollfd fd = { .fd = extra_fd, .events = POLLIN };
	int64_t since_ns = clock_ns(CLOCK_MONOTONIC) - c->looked_mono_ns;
	int pause_ms, r;

	if (!c->gather || since_ns < 0 || since_ns >= c->gather_ms * NS_PER_MS)
		return 0;
	pause_ms = c->gather_ms - (int)(since_ns / NS_PER_MS);
	if (*timeout_ms >= 0 && pause_ms > *timeout_ms)
		pause_ms = *timeout_ms;
	r = poll(&fd, 1, pause_ms);
	if (r < 0)
		return -errno;
	if (r > 0)
		*timeout_ms = 0;
	else if (*timeout_ms >= 0)
		*timeout_ms -= pause_ms;
	return 0;
}

int capture_dispatch(struct capture *c, int timeout_ms, int extra_fd, capture_sink *sink, void *arg,
		     struct err *err)
{
	int frames = 0, failed = 0, r;
	bool calm = true;

	r = gather(c, &timeout_ms, extra_fd);
	if (r >= 0)
		r = wait_ready(c, timeout_ms, extra_fd);
	if (r == -EINTR)
		return 0;
	if (r < 0)
		return err_sys(err, r, "capture: poll");
	c->sink = sink;
	c->sink_arg = arg;
	/*
	 * Ends: all hops that poll() named are emptied, or the one that lags behind has had
	 * CALL_BYTES. That one is always next, so that all advance together and whoever
	 * merges need not hold a whole ring; and the call is short, because a hop whose
	 * block was still open when poll() looked gets nothing until the next look.
	 */
	for (;;) {
		struct hop *hop = NULL;

		for (unsigned i = 0; i < c->n_hops; i++)
			if (c->hops[i].ready &&
			    (!hop || c->hops[i].last_frame_ns < hop->last_frame_ns))
				hop = &c->hops[i];
		if (!hop || hop->taken >= CALL_BYTES)
			break;
		r = drain(hop, err);
		if (r < 0)
			failed = r;
		else
			frames += r;
	}
	for (unsigned i = 0; i < c->n_hops; i++)
		calm &= !c->hops[i].ready &&
			c->hops[i].taken <= (uint64_t)c->hops[i].buffer_kib * 1024 / GATHER_SHARE;
	c->gather = calm && frames > 0 && !c->stopped;
	return failed ? failed : frames;
}

bool capture_hop_is_gone(const struct capture *c, unsigned hop)
{
	return hop >= c->n_hops || !c->hops[hop].alive;
}

unsigned capture_n_alive(const struct capture *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_hops; i++)
		n += c->hops[i].alive;
	return n;
}

/* DLT_ values are per platform, LINKTYPE_ ones are not; libpcap keeps its table to itself. */
uint16_t capture_linktype(const struct capture *c, unsigned hop)
{
	int dlt;

	if (hop >= c->n_hops)
		return 0;
	dlt = pcap_datalink(c->hops[hop].pcap);
	return dlt == DLT_RAW ? MODEL_LINKTYPE_RAW : (uint16_t)dlt;
}

void capture_get_counters(struct capture *c, unsigned hop_index,
			  struct capture_counters *ret_counters)
{
	struct hop *hop;
	struct pcap_stat stat;

	if (hop_index >= c->n_hops) {
		*ret_counters = (struct capture_counters){ .dropped_interface = -1 };
		return;
	}
	hop = &c->hops[hop_index];
	if (pcap_stats(hop->pcap, &stat) == 0)
		capture_count_on(&hop->counters.dropped_kernel, &hop->last_ps_drop, stat.ps_drop);
	read_linkstats(c, false);
	*ret_counters = hop->counters;
}

/*
 * Two statements bound what a hop may still hand out, and the later one counts:
 *
 *  - The ring was found empty at time T: what was stamped before T - SETTLE_NS
 *    was in a closed block by then, so it has been handed out.
 *  - Under continuous load rings are never found empty. But a ring is filled in
 *    the order of stamps up to small back-steps: what was stamped BACKSTEP_NS
 *    before the last frame handed out came before it.
 *
 * The minimum over all hops is what the merge may release. Both assume that a
 * frame reaches the ring soon after its stamp. That is so for microseconds,
 * when the tap itself stamps; with nanoseconds (or another program's
 * SO_TIMESTAMP) a frame keeps the stamp of its first reception through the
 * per-CPU backlog, and a starved ksoftirqd can make it late. Whoever merges
 * counts late frames; none is lost.
 *
 * The result goes back when the clock does.
 */
int64_t capture_watermark_ns(const struct capture *c)
{
	int64_t min = INT64_MAX;

	for (unsigned i = 0; i < c->n_hops; i++) {
		const struct hop *hop = &c->hops[i];
		int64_t mark = INT64_MIN;

		if (!hop->alive || hop->emptied)
			continue;
		if (hop->empty_at_ns)
			mark = hop->empty_at_ns - SETTLE_NS;
		if (hop->last_frame_ns && hop->last_frame_ns <= c->now_ns + CLOCK_STEP_NS &&
		    hop->last_frame_ns - BACKSTEP_NS > mark)
			mark = hop->last_frame_ns - BACKSTEP_NS;
		if (mark < min)
			min = mark;
	}
	return min;
}

bool capture_take_clock_set(struct capture *c, struct capture_clock_set *ret_set)
{
	const struct clock_look last = c->clock;
	struct clock_look now;

	if (!look_at_clocks(&now))
		return false;
	*ret_set = (struct capture_clock_set){
		.by_ns = now.real_ns - last.real_ns - (now.boot_ns - last.boot_ns),
		.after_ns = last.real_ns,
		.before_ns = now.real_ns,
	};
	c->clock = now;
	return ret_set->by_ns >= CAPTURE_CLOCK_SET_NS;
}

unsigned capture_sockets(const struct capture *c, int *ret_fds)
{
	for (unsigned i = 0; i < c->n_hops; i++)
		ret_fds[i] = c->hops[i].fd;
	return c->n_hops;
}

void capture_stop(struct capture *c)
{
	/*
	 * A filter that refuses everything, put on the sockets themselves:
	 * pcap_setfilter() would also apply it to what the rings already hold.
	 */
	struct sock_filter refuse = BPF_STMT(BPF_RET | BPF_K, 0);
	const struct sock_fprog program = { .len = 1, .filter = &refuse };

	if (c->stopped)
		return;
	for (unsigned i = 0; i < c->n_hops; i++) {
		/* a failure leaves the ring running: the caller then merely gets more frames */
		if (c->hops[i].alive)
			(void)setsockopt(c->hops[i].fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
					 sizeof(program));
	}
	read_linkstats(c, false);
	c->stopped = true;
	c->stop_mono_ns = clock_ns(CLOCK_MONOTONIC);
}
