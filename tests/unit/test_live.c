/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_live.c - the live screen without a terminal: what the feed sends, what keys do, where it
 * all stands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../src/live/live_priv.h"
#include "podhop/live.h"

#define S 1000000000LL
#define ROWS_MAX 60
#define COLUMNS_MAX 200

static struct model_net net;
static struct result_interface interfaces[4];
static struct result_latency latencies[3];
static struct result_loss losses[1];
static struct result result;

static char grid[ROWS_MAX][COLUMNS_MAX + 1];
static int rows, columns;

static void grid_put(void *arg, int row, int column, enum live_look look, const char *text)
{
	size_t n = strlen(text);

	(void)arg;
	assert_true(look < LIVE_LOOK_COUNT);
	assert_in_range(row, 0, rows - 1);
	assert_in_range(column, 0, columns);
	assert_true(column + (int)n <= columns);
	for (size_t i = 0; i < n; i++)
		assert_in_range(text[i], ' ', '~');
	memcpy(&grid[row][column], text, n);
}

static void grid_rule(void *arg, int row)
{
	(void)arg;
	assert_in_range(row, 0, rows - 1);
	memset(grid[row], '-', (size_t)columns);
}

static void draw(struct live_view *v, int r, int c)
{
	struct live_canvas canvas = { .rows = r, .columns = c, .put = grid_put, .rule = grid_rule };

	rows = r;
	columns = c;
	for (int i = 0; i < ROWS_MAX; i++) {
		memset(grid[i], ' ', (size_t)COLUMNS_MAX);
		grid[i][c] = '\0';
	}
	live_draw(v, &canvas);
}

/* The row that has the text, -1: none. */
static int row_with(const char *text)
{
	for (int i = 0; i < rows; i++)
		if (strstr(grid[i], text))
			return i;
	return -1;
}

static int set_up(void **state)
{
	static const enum model_role roles[4] = { MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE,
						  MODEL_ROLE_VTEP, MODEL_ROLE_UNDERLAY };
	static const char *const names[4] = { "veth33350ed3", "cni0", "flannel.1", "eth0" };

	(void)state;
	memset(&net, 0, sizeof(net));
	memset(&result, 0, sizeof(result));
	strcpy(net.node, "node1");
	net.n_pods = 1;
	strcpy(net.pods[0].namespace_, "default");
	strcpy(net.pods[0].name, "we\033[31mb");
	net.n_hops = 4;
	for (unsigned i = 0; i < 4; i++) {
		net.hops[i].role = roles[i];
		strcpy(net.hops[i].name, names[i]);
		interfaces[i] = (struct result_interface){
			.role = roles[i], .observations = 1000 + i, .bytes = 100000 };
		strcpy(interfaces[i].name, names[i]);
	}
	interfaces[2].dropped_kernel = 7;
	latencies[0] = (struct result_latency){ .from = MODEL_ROLE_VETH, .to = MODEL_ROLE_BRIDGE,
		.direction = MODEL_DIRECTION_EGRESS, .measurable = true, .samples = 10,
		.p50_ns = 8030, .p99_ns = 54000 };
	latencies[1] = (struct result_latency){ .from = MODEL_ROLE_BRIDGE, .to = MODEL_ROLE_VETH,
		.direction = MODEL_DIRECTION_INGRESS, .measurable = false, .samples = 10 };
	losses[0] = (struct result_loss){ .last_seen = MODEL_ROLE_BRIDGE,
		.next_expected = MODEL_ROLE_VTEP, .direction = MODEL_DIRECTION_EGRESS,
		.packets = 40,
		.lost = true };
	losses[0].reason = (char *)(uintptr_t)"not seen behind this hop";
	result.capture.interfaces = interfaces;
	result.capture.n_interfaces = 4;
	result.latency = latencies;
	result.n_latency = 2;
	result.losses = losses;
	result.n_losses = 1;
	result.packets.total = 1234;
	result.packets.complete = 1194;
	result.packets.incomplete = 40;
	return 0;
}

static struct live_feed *feed_new(void)
{
	struct live_feed_config c = { .net = &net };
	struct err err = ERR_INIT;
	struct live_feed *f = live_feed_new(&c, &err);

	assert_non_null(f);
	return f;
}

static struct result_packet packet_of(uint64_t id, enum result_status status, uint16_t dport)
{
	static const uint8_t src[4] = { 10, 244, 1, 2 }, dst[4] = { 10, 244, 2, 2 };
	struct result_packet p = { .id = id, .status = status, .time_ns = (int64_t)id * S,
				   .direction = MODEL_DIRECTION_EGRESS, .length = 98,
				   .reason = "" };

	p.tuple = (struct result_tuple){ .src = addr_from_v4(src), .dst = addr_from_v4(dst),
					 .sport = 40000, .dport = dport,
					 .protocol = MODEL_PROTO_UDP,
					 .has_ports = true };
	p.n_sightings = 3;
	for (uint16_t i = 0; i < 3; i++)
		p.sightings[i] = (struct result_sighting){ .first_ns = p.time_ns + i * 10000LL,
							   .hop = i };
	return p;
}

static void put_packet(struct live_feed *f, uint64_t id, enum result_status status, uint16_t dport)
{
	struct result_packet p = packet_of(id, status, dport);

	live_feed_packet(f, &p);
}

static const struct live_frame *frame(struct live_feed *f, int64_t now_ns, size_t *size)
{
	return live_feed_frame(f, &result, S, now_ns, size);
}

/* ---------------------------------------------------------------------- feed */

static void test_feed_is_bounded(void **state)
{
	struct live_feed *f = feed_new();
	size_t size;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		put_packet(f, i, RESULT_COMPLETE, 53);
	/* Lost ones that come last still find room. */
	for (uint64_t i = 1001; i <= 1003; i++)
		put_packet(f, i, RESULT_INCOMPLETE, 53);
	const struct live_frame *o = frame(f, 2 * S, &size);
	assert_int_equal(o->n_packets, LIVE_PACKETS_USUAL + 3);
	assert_int_equal(o->closed, 1003);
	assert_int_equal(o->passed_over, 1000 - LIVE_PACKETS_USUAL);
	assert_int_equal(o->packets[o->n_packets - 1].id, 1003);
	assert_int_equal(size, live_frame_size(o->n_packets));
	/* Not sent: nothing of it is lost; sent: the next begins. */
	assert_int_equal(frame(f, 2 * S, &size)->n_packets, LIVE_PACKETS_USUAL + 3);
	live_feed_sent(f);
	assert_int_equal(frame(f, 3 * S, &size)->n_packets, 0);
	assert_int_equal(o->closed, 0);
	for (uint64_t i = 1; i <= 500; i++)
		put_packet(f, i, RESULT_INCOMPLETE, 53);
	assert_int_equal(frame(f, 3 * S, &size)->n_packets, LIVE_PACKETS_MAX);
	live_feed_free(f);
}

static void test_feed_filters(void **state)
{
	struct live_feed *f = feed_new();
	size_t size;

	(void)state;
	assert_false(live_feed_order(f, "f.8080 LEN", 10));
	for (uint64_t i = 1; i <= LIVE_MATCHES_MAX; i++)
		put_packet(f, i, RESULT_COMPLETE, i % 100 ? 53 : 8080);
	put_packet(f, 9999, RESULT_COMPLETE, 8080);
	const struct live_frame *o = frame(f, 2 * S, &size);
	assert_int_equal(o->n_packets, LIVE_MATCHES_MAX / 100);
	for (unsigned i = 0; i < o->n_packets; i++)
		assert_string_equal(o->packets[i].dst, "10.244.2.2.8080");
	/* Behind the budget a packet is passed over, and that is said. */
	assert_int_equal(o->passed_over, 1);
	live_feed_sent(f);
	assert_false(live_feed_order(f, "f", 1));
	put_packet(f, 1, RESULT_COMPLETE, 53);
	assert_int_equal(frame(f, 2 * S, &size)->n_packets, 1);
	assert_true(live_feed_order(f, "q", 1));
	assert_false(live_feed_order(f, "", 0));
	live_feed_free(f);
}

static void test_foreign_names_are_disarmed(void **state)
{
	struct live_feed *f = feed_new();
	size_t size;

	(void)state;
	assert_string_equal(frame(f, 2 * S, &size)->title, "default/we?[31mb on node1");
	live_feed_free(f);
}

static void test_line(void **state)
{
	struct live_feed *f = feed_new();
	struct result_packet p = packet_of(31, RESULT_INCOMPLETE, 53);
	char line[LIVE_LINE_MAX];
	size_t size;

	(void)state;
	p.lost = true;
	p.last_seen = MODEL_ROLE_VTEP;
	p.next_expected = MODEL_ROLE_UNDERLAY;
	p.reason = "not seen behind this hop";
	live_feed_packet(f, &p);
	const struct live_frame *o = frame(f, 2 * S, &size);
	assert_string_equal(live_line(&o->packets[0], o->hops, o->n_hops, line),
			    "udp 10.244.1.2.40000 > 10.244.2.2.53 len 98 [out] veth>bridge>vtep "
			    "20us #31 lost after vtep, not seen at underlay: "
			    "not seen behind this hop");
	assert_true(live_line_has(line, "LOST after"));
	/* Equal stamps: not nothing, but not known. */
	p.sightings[1].first_ns = p.sightings[2].first_ns = p.time_ns;
	live_feed_packet(f, &p);
	live_line(&o->packets[1], o->hops, o->n_hops, line);
	assert_non_null(strstr(line, " veth>bridge>vtep one-stamp #31 lost after vtep"));
	assert_true(live_line_has(line, "one-stamp"));
	assert_false(live_line_has(line, "lost before"));
	live_feed_free(f);
}

/* What a user who filters reads of each kind of packet. */
static void test_lines(void **state)
{
	static const struct live_hop hops[] = { { .role = MODEL_ROLE_VETH },
						{ .role = MODEL_ROLE_BRIDGE },
						{ .role = MODEL_ROLE_VTEP } };
	static const struct live_packet usual = {
		.id = 7, .protocol = MODEL_PROTO_UDP, .src = "a.1", .dst = "b.2", .length = 98,
		.status = RESULT_COMPLETE, .direction = MODEL_DIRECTION_INGRESS, .delay_ns = -1,
		.n_sightings = 2, .sightings = { { .hop = 1 }, { .hop = 0 } },
	};
	struct live_packet p = usual;
	char line[LIVE_LINE_MAX], path[LIVE_PATH_MAX];

	(void)state;
	assert_string_equal(live_line(&p, hops, 3, line),
			    "udp a.1 > b.2 len 98 [in] bridge>veth #7");
	assert_string_equal(live_state(&p), "ok");
	assert_string_equal(live_path(&p, hops, 3, true, path), "2>1");
	/* of a hop that nobody described nothing is said */
	p.sightings[1].hop = 3;
	assert_string_equal(live_path(&p, hops, 3, false, path), "bridge");

	p = usual;
	p.direction = MODEL_DIRECTION_OTHER;
	p.delay_ns = 1500000;
	p.encapsulated = p.retransmission = 1;
	p.overhead_bytes = 100;
	strcpy(p.far_src, "n.9");
	assert_string_equal(live_line(&p, hops, 3, line),
			    "udp a.1 > b.2 len 98 [other] bridge>veth 1.50ms ovh 100 #7 "
			    "retransmission (nat n.9 > )");
	assert_string_equal(live_state(&p), "retr");

	p = usual;
	p.status = RESULT_INCOMPLETE;
	strcpy(p.reason, "why");
	assert_string_equal(live_line(&p, hops, 3, line),
			    "udp a.1 > b.2 len 98 [in] bridge>veth #7 missing: why");
	assert_string_equal(live_state(&p), "miss");
	p.lost = 1;
	assert_string_equal(live_state(&p), "lost");
	p.status = RESULT_AMBIGUOUS;
	assert_string_equal(live_line(&p, hops, 3, line),
			    "udp a.1 > b.2 len 98 [in] bridge>veth #7 ambiguous: why");
	assert_string_equal(live_state(&p), "ambg");
	p.status = RESULT_EDGE;
	p.reason[0] = '\0';
	assert_string_equal(live_line(&p, hops, 3, line),
			    "udp a.1 > b.2 len 98 [in] bridge>veth #7 edge");
	assert_string_equal(live_state(&p), "edge");
	assert_string_equal(live_way(MODEL_DIRECTION_EGRESS), "out");
}

/* Names as long as they can be, a path of every hop: cut, whole words of the path alone. */
static void test_long_line(void **state)
{
	static struct live_hop hops[1] = { { .role = MODEL_ROLE_UNDERLAY } };
	static struct live_packet p = { .n_sightings = RESULT_SIGHTINGS_MAX, .encapsulated = 1,
					.overhead_bytes = UINT64_MAX, .id = UINT64_MAX,
					.status = RESULT_INCOMPLETE, .lost = 1, .retransmission = 1,
					.last_seen = MODEL_ROLE_UNDERLAY,
					.next_expected = MODEL_ROLE_UNDERLAY,
					.length = UINT32_MAX, .delay_ns = INT64_MAX };
	char *const ends[] = { p.src, p.dst, p.far_src, p.far_dst };
	char line[LIVE_LINE_MAX], path[LIVE_PATH_MAX];
	size_t n;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		memset(ends[i], 'x', LIVE_END_MAX - 1);
	memset(p.reason, 'y', LIVE_REASON_MAX - 1);
	live_path(&p, hops, 1, false, path);
	n = strlen(path);
	assert_true(n < LIVE_PATH_MAX);
	assert_string_equal(path + n - strlen(">underlay"), ">underlay");
	live_line(&p, hops, 1, line);
	assert_true(strlen(line) < LIVE_LINE_MAX);
	assert_non_null(strstr(line, "#18446744073709551615 retransmission (nat xxx"));
	assert_int_equal(line[strlen(line) - 1], 'y');
}

static const char *no_name(void *arg, const struct addr *a)
{
	return addr_is_v4(a) ? arg : NULL;
}

/* Ends as the user knows them: by name where there is one, ports where there are ports. */
static void test_feed_ends(void **state)
{
	struct live_feed_config c = { .net = &net, .name = no_name };
	struct result_packet p = packet_of(1, RESULT_COMPLETE, 53);
	struct live_packet *o;
	struct live_feed *f;
	size_t size;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		c.name_arg = i ? (char[]){ "" } : (char[]){ "default/web" };
		f = live_feed_new(&c, NULL);
		assert_non_null(f);
		p.translated = p.encapsulated = true;
		p.translation = p.tuple;
		p.translation.dport = 5353;
		p.outer_sport = 50000;
		p.outer_port = 8472;
		p.outer_dst = p.tuple.dst;
		live_feed_packet(f, &p);
		p.tuple.protocol = MODEL_PROTO_ICMP;
		p.tuple.dst = (struct addr){ 0 };
		p.reason = NULL;
		p.sightings[2].first_ns = p.time_ns - 1; /* a clock that went back: no delay */
		live_feed_packet(f, &p);
		o = (struct live_packet *)(uintptr_t)frame(f, 2 * S, &size)->packets;
		assert_string_equal(o[0].src, i ? "10.244.1.2.40000" : "default/web.40000");
		assert_string_equal(o[0].far_dst, i ? "10.244.2.2.5353" : "default/web.5353");
		assert_string_equal(o[0].outer_src, "?.50000");
		assert_string_equal(o[0].outer_dst, i ? "10.244.2.2.8472" : "default/web.8472");
		assert_int_equal(o[0].delay_ns, 20000);
		assert_string_equal(o[1].src, i ? "10.244.1.2" : "default/web");
		assert_string_equal(o[1].dst, "?");
		assert_int_equal(o[1].delay_ns, -1);
		assert_string_equal(o[1].reason, "");
		live_feed_message(f, "a\nwarning\x1b[2J");
		assert_string_equal(frame(f, 2 * S, &size)->message, "a?warning?[2J");
		live_feed_free(f);
		p = packet_of(1, RESULT_COMPLETE, 53);
	}
}

static void test_title(void **state)
{
	struct live_feed *f;
	size_t size;

	(void)state;
	strcpy(net.pods[0].namespace_, "");
	strcpy(net.pods[0].name, "10.244.1.2");
	net.pods[1] = net.pods[0];
	strcpy(net.pods[1].namespace_, "ns");
	strcpy(net.pods[1].name, "web");
	net.pods[1].addrs[0] = packet_of(1, RESULT_COMPLETE, 1).tuple.src;
	net.pods[1].n_addrs = 1;
	net.n_pods = 2;
	net.node[0] = '\0';
	f = feed_new();
	assert_string_equal(frame(f, 2 * S, &size)->title, "10.244.1.2, ns/web 10.244.1.2");
	live_feed_free(f);
}

/* ---------------------------------------------------------------------- view */

static struct live_view *view_of(unsigned n_packets)
{
	struct live_feed *f = feed_new();
	struct live_view *v = calloc(1, sizeof(*v));
	size_t size;

	assert_non_null(v);
	for (unsigned i = 1; i <= n_packets; i++) {
		struct result_packet p = packet_of(i, i == 3 ? RESULT_INCOMPLETE : RESULT_COMPLETE,
						   i % 2 ? 53 : 8080);
		p.length = 60 + (i * 7) % 50;
		p.lost = i == 3;
		p.last_seen = MODEL_ROLE_VTEP;
		p.next_expected = MODEL_ROLE_UNDERLAY;
		p.sightings[2].first_ns += (i * 13) % 40 * 1000;
		live_feed_packet(f, &p);
	}
	const struct live_frame *o = frame(f, 2 * S, &size);
	assert_true(live_view_take(v, o, size));
	live_feed_free(f);
	return v;
}

static void test_messages_are_checked(void **state)
{
	static struct live_frame bad;
	struct live_view *v = calloc(1, sizeof(*v));

	(void)state;
	assert_non_null(v);
	assert_false(live_view_take(v, "", 1));
	memset(&bad, 0xff, sizeof(bad));
	assert_true(live_view_take(v, &bad, sizeof(bad)));
	draw(v, 24, 80);
	bad.n_packets = LIVE_PACKETS_MAX;
	assert_true(live_view_take(v, &bad, sizeof(bad)));
	live_view_key(v, LIVE_KEY_DOWN);
	live_view_key(v, LIVE_KEY_ENTER);
	draw(v, 24, 80);
	draw(v, 50, 150);
	free(v);
}

static void test_rates(void **state)
{
	struct live_feed *f = feed_new();
	struct live_view *v = calloc(1, sizeof(*v));
	size_t size;

	(void)state;
	assert_non_null(v);
	for (int i = 0; i < 20; i++) {
		const struct live_frame *o = frame(f, 2 * S + i * (S / 4), &size);
		assert_true(live_view_take(v, o, size));
		result.packets.total += 25;
		interfaces[1].observations += 50;
		interfaces[1].bytes += 5000;
	}
	assert_int_equal(live_view_rate(v, -1, false), 100);
	assert_int_equal(live_view_rate(v, 1, false), 200);
	assert_int_equal(live_view_rate(v, 1, true), 20000);
	assert_int_equal(live_view_rate(v, 0, false), 0);
	free(v);
	live_feed_free(f);
}

static void test_sorting_and_filter(void **state)
{
	struct live_view *v = view_of(20);

	(void)state;
	live_view_list(v, 5);
	assert_int_equal(v->n_list, 20);
	assert_int_equal(v->kept[v->list[0]].id, 20);
	live_view_key(v, 's');
	live_view_list(v, 5);
	for (unsigned i = 1; i < v->n_list; i++)
		assert_true(v->kept[v->list[i]].delay_ns <= v->kept[v->list[i - 1]].delay_ns);
	live_view_key(v, 's');
	live_view_list(v, 5);
	for (unsigned i = 1; i < v->n_list; i++)
		assert_true(v->kept[v->list[i]].length <= v->kept[v->list[i - 1]].length);
	live_view_key(v, 's');
	live_view_list(v, 5);
	assert_int_equal(v->kept[v->list[0]].id, 3);
	live_view_key(v, 's');

	live_view_key(v, '/');
	for (const char *k = ".80q"; *k; k++)
		assert_int_equal(live_view_key(v, *k), LIVE_ORDER_NONE);
	live_view_key(v, LIVE_KEY_BACKSPACE);
	assert_int_equal(live_view_key(v, LIVE_KEY_ENTER), LIVE_ORDER_FILTER);
	assert_string_equal(v->filter, ".80");
	live_view_list(v, 5);
	assert_int_equal(v->n_list, 10);
	assert_int_equal(live_view_key(v, LIVE_KEY_ESCAPE), LIVE_ORDER_FILTER);
	live_view_list(v, 5);
	assert_int_equal(v->n_list, 20);
	free(v);
}

static void test_choice_follows_its_packet(void **state)
{
	struct live_view *v = view_of(20);
	struct live_frame *more = calloc(1, sizeof(*more));

	(void)state;
	assert_non_null(more);
	live_view_list(v, 5);
	live_view_key(v, LIVE_KEY_DOWN);
	live_view_key(v, LIVE_KEY_DOWN);
	assert_int_equal(v->chosen, 19);
	*more = v->frame;
	more->n_packets = 10;
	for (unsigned i = 0; i < 10; i++)
		more->packets[i].id = 100 + i;
	assert_true(live_view_take(v, more, live_frame_size(10)));
	live_view_list(v, 5);
	assert_int_equal(v->chosen, 19);
	assert_true(v->top <= 11 && v->top + 5 > 11);
	/* Frozen, it stays although newer ones push it out. */
	live_view_key(v, LIVE_KEY_ENTER);
	for (int i = 0; i < 60; i++)
		assert_true(live_view_take(v, more, live_frame_size(10)));
	live_view_list(v, 5);
	assert_int_equal(v->chosen, 0);
	assert_true(v->frozen);
	draw(v, 24, 80);
	assert_true(row_with(" packet 19, out, complete ") > 0);
	live_view_key(v, LIVE_KEY_ESCAPE);
	assert_false(v->frozen);
	free(more);
	free(v);
}

static void test_pause(void **state)
{
	struct live_view *v = view_of(5);
	struct live_frame *later = calloc(1, sizeof(*later));

	(void)state;
	assert_non_null(later);
	*later = v->frame;
	later->total = 99999;
	live_view_key(v, 'p');
	assert_true(live_view_take(v, later, live_frame_size(later->n_packets)));
	assert_int_equal(v->frame.total, 1234);
	draw(v, 24, 80);
	assert_non_null(strstr(grid[0], "PAUSED"));
	live_view_key(v, 'p');
	assert_true(live_view_take(v, later, live_frame_size(later->n_packets)));
	assert_int_equal(v->frame.total, 99999);
	assert_int_equal(live_view_key(v, 'q'), LIVE_ORDER_END);
	free(later);
	free(v);
}

/* ---------------------------------------------------------------------- draw */

static void test_80x24(void **state)
{
	struct live_view *v = view_of(20);

	(void)state;
	draw(v, 24, 80);
	assert_non_null(strstr(grid[0], "podhop default/we?[31mb on node1"));
	assert_int_equal(row_with("1,234: 1,194 complete, 40 incomplete"), 1);
	assert_int_equal(row_with("1 veth        2 bridge          3 vtep      4 underlay"), 3);
	assert_int_equal(row_with("cni0       flannel.1            eth0"), 4);
	assert_int_equal(row_with("1,000           1,001           1,002           1,003"), 5);
	assert_int_equal(row_with("dropped                    0               0            "
				  "   7"), 8);
	assert_int_equal(row_with("8.03 us/54 us"), 9);
	assert_int_equal(row_with("one stamp"), 10);
	assert_int_equal(row_with("lost         40 out: seen last at bridge, not at vtep: not "),
			 11);
	int row = row_with("     20 out 1>2>3   ok");
	assert_true(row > 11);
	assert_non_null(strstr(grid[row], "10.244.1.2.40000 > 10.244.2.2.8080"));
	assert_non_null(strstr(grid[23], "q: end and report"));
	/* What does not fit beside the clock is not cut off as if it were all. */
	strcpy(v->frame.title, "default/web 10.244.1.2, default/client 10.244.1.3 on node1.exam");
	draw(v, 24, 80);
	assert_non_null(strstr(grid[0], "default/client 10.244.1.3 on...  0:00:01  live"));
	/* Wider: times and words. */
	draw(v, 30, 140);
	row = row_with("     20 ");
	assert_non_null(strstr(grid[row], "00:00:20.000000"));
	assert_non_null(strstr(grid[row], "veth>bridge>vtep"));
	free(v);
}

/* One packet, frozen: everything that is known of it. */
static void test_frozen(void **state)
{
	struct live_view *v = view_of(1);
	struct live_packet *p = &v->kept[0];

	(void)state;
	p->encapsulated = 1;
	p->vni = 1;
	p->outer_datagrams = 1;
	p->overhead_bytes = 50;
	strcpy(p->outer_src, "192.168.7.1.50000");
	strcpy(p->outer_dst, "192.168.7.2.8472");
	strcpy(p->far_dst, "10.96.0.10.53");
	p->retransmission = 1;
	p->sightings[1].encap = 1;
	p->sightings[2].hop = 99;
	live_view_list(v, 5);
	live_view_key(v, LIVE_KEY_DOWN);
	live_view_key(v, LIVE_KEY_ENTER);
	draw(v, 40, 120);
	assert_true(row_with("udp 10.244.1.2.40000 > 10.244.2.2.53, 67 bytes") > 0);
	assert_true(row_with("bridge    cni0             00:00:01.000010  + 10 us  in VXLAN") > 0);
	assert_true(row_with("100 ?         ?") > 0);
	assert_true(row_with("VXLAN 192.168.7.1.50000 > 192.168.7.2.8472") > 0);
	assert_true(row_with("vni 1, 1 datagram, overhead 50 B") > 0);
	assert_true(row_with("beyond the node:  > 10.96.0.10.53") > 0);
	assert_true(row_with("a retransmission") > 0);

	p = &v->frozen_packet;
	p->outer_datagrams = 2;
	p->retransmission = 0;
	p->status = RESULT_INCOMPLETE;
	p->last_seen = MODEL_ROLE_VTEP;
	p->next_expected = MODEL_ROLE_UNDERLAY;
	strcpy(p->reason, "why");
	draw(v, 40, 120);
	assert_true(row_with("vni 1, 2 datagrams, overhead 50 B") > 0);
	assert_true(row_with("missing after vtep, not seen at underlay: why") > 0);
	assert_int_equal(row_with("a retransmission"), -1);
	p->lost = 1;
	draw(v, 40, 120);
	assert_true(row_with("lost after vtep, not seen at underlay: why") > 0);
	p->status = RESULT_AMBIGUOUS;
	draw(v, 40, 120);
	assert_true(row_with("ambiguous: why") > 0);
	free(v);
}

/* What is typed behind / is seen, and mended, before it counts. */
static void test_typing(void **state)
{
	struct live_view *v = view_of(20);

	(void)state;
	live_view_key(v, '/');
	for (const char *k = "nobox"; *k; k++)
		assert_int_equal(live_view_key(v, *k), LIVE_ORDER_NONE);
	live_view_key(v, LIVE_KEY_BACKSPACE);
	live_view_key(v, '\b');
	live_view_key(v, 0x7f);
	live_view_key(v, 0x1b5b); /* no character */
	live_view_key(v, '\t');
	assert_string_equal(v->edit, "no");
	draw(v, 24, 80);
	assert_int_equal(row_with(" only packets with: no_"), 23);
	live_view_key(v, 'U' - '@');
	assert_string_equal(v->edit, "");
	live_view_key(v, LIVE_KEY_BACKSPACE);
	for (unsigned i = 0; i < 2 * LIVE_FILTER_MAX; i++)
		live_view_key(v, 'x');
	assert_int_equal(strlen(v->edit), LIVE_FILTER_MAX - 1);
	live_view_key(v, LIVE_KEY_ESCAPE);
	assert_false(v->typing);
	assert_string_equal(v->filter, "");
	live_view_key(v, '/');
	live_view_key(v, '#');
	live_view_key(v, '?');
	assert_int_equal(live_view_key(v, LIVE_KEY_ENTER), LIVE_ORDER_FILTER);
	assert_string_equal(v->filter, "#?");
	draw(v, 24, 80);
	assert_true(row_with("none of the last packets has this in its line") > 0);
	assert_true(row_with(" with \"#?\" ") > 0);
	/* Escape goes back by one step: from the help, then from the filter */
	live_view_key(v, '?');
	draw(v, 24, 80);
	assert_true(row_with("freeze the chosen packet's path") > 0);
	assert_int_equal(live_view_key(v, LIVE_KEY_ESCAPE), LIVE_ORDER_NONE);
	assert_false(v->help);
	assert_string_equal(v->filter, "#?");
	assert_int_equal(live_view_key(v, LIVE_KEY_ESCAPE), LIVE_ORDER_FILTER);
	assert_string_equal(v->filter, "");
	free(v);
}

/* Not known is not none; what is ambiguous stands out, and does not look lost. */
static void test_unknown_drops(void **state)
{
	struct live_view *v = view_of(4);

	(void)state;
	v->frame.hops[3].dropped_kernel = -1;
	v->frame.hops[3].dropped_podhop = 0;
	v->kept[0].status = RESULT_AMBIGUOUS;
	v->kept[1].status = RESULT_EDGE;
	v->kept[2].lost = 0;
	live_view_key(v, 's');
	live_view_key(v, 's');
	live_view_key(v, 's');
	assert_int_equal(v->sort, LIVE_SORT_TROUBLE);
	draw(v, 24, 80);
	assert_true(row_with("dropped                    0               0               7"
			     "               ?") > 0);
	int row = row_with("3 out 1>2>3   miss");
	assert_true(row > 0);
	assert_non_null(strstr(grid[row + 1], "1 out 1>2>3   ambg"));
	free(v);
}

/* Where the kernel stamped a frame once, no time is told. */
static void test_one_stamp(void **state)
{
	struct live_feed *f = feed_new();
	struct live_view *v = calloc(1, sizeof(*v));
	struct result_packet p = packet_of(7, RESULT_COMPLETE, 53);
	size_t size;

	(void)state;
	assert_non_null(v);
	p.sightings[1].first_ns = p.sightings[2].first_ns = p.time_ns;
	live_feed_packet(f, &p);
	const struct live_frame *o = frame(f, 2 * S, &size);
	assert_true(live_view_take(v, o, size));
	draw(v, 24, 80);
	assert_true(row_with("      7 out 1>2>3   ok    1-stamp    98 udp  10.244.1.2.") > 0);
	live_view_key(v, LIVE_KEY_DOWN);
	live_view_key(v, LIVE_KEY_ENTER);
	draw(v, 24, 80);
	assert_int_equal(row_with("+ 0"), -1);
	assert_true(row_with("one stamp for both hops") > 0);
	free(v);
	live_feed_free(f);
}

static void test_every_size_is_drawn(void **state)
{
	struct live_view *v = view_of(20);

	(void)state;
	strcpy(v->frame.message, "podhop: capture: warning: eth0 went away");
	for (int keys = 0; keys < 4; keys++) {
		for (int r = 1; r <= ROWS_MAX; r += r < 26 ? 1 : 7)
			for (int c = 1; c <= COLUMNS_MAX; c += c < 130 ? 1 : 23)
				draw(v, r, c);
		draw(v, 24, 80);
		if (keys != 1)
			assert_int_equal(row_with("eth0 went away"), 22);
		live_view_key(v, keys == 0 ? '?' : keys == 1 ? '?' : LIVE_KEY_ENTER);
	}
	draw(v, 20, 60);
	assert_int_equal(row_with("podhop needs 80x24,"), 0);
	assert_int_equal(row_with("this is 60x20."), 1);
	free(v);
}

static void test_many_hops_scroll(void **state)
{
	struct live_view *v = view_of(1);

	(void)state;
	v->frame.n_hops = 9;
	for (unsigned i = 4; i < 9; i++) {
		v->frame.hops[i] = v->frame.hops[0];
		snprintf(v->frame.hops[i].name, sizeof(v->frame.hops[i].name), "veth%u", i);
	}
	v->frame.hops[1].frames = 0;
	draw(v, 24, 80);
	/* Known by role, but nothing came this way. */
	assert_int_equal(row_with("8.03 us/54 us"), -1);
	assert_true(row_with("4 underlay >") == 3);
	for (int i = 0; i < 20; i++)
		live_view_key(v, LIVE_KEY_RIGHT);
	draw(v, 24, 80);
	assert_true(row_with("< 6 veth") == 3);
	assert_true(row_with("veth8") == 4);
	for (int i = 0; i < 20; i++)
		live_view_key(v, LIVE_KEY_LEFT);
	draw(v, 24, 80);
	assert_true(row_with("1 veth        2 bridge") == 3);
	free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_feed_is_bounded, set_up),
		cmocka_unit_test_setup(test_feed_filters, set_up),
		cmocka_unit_test_setup(test_foreign_names_are_disarmed, set_up),
		cmocka_unit_test_setup(test_line, set_up),
		cmocka_unit_test_setup(test_lines, set_up),
		cmocka_unit_test_setup(test_long_line, set_up),
		cmocka_unit_test_setup(test_feed_ends, set_up),
		cmocka_unit_test_setup(test_title, set_up),
		cmocka_unit_test_setup(test_frozen, set_up),
		cmocka_unit_test_setup(test_typing, set_up),
		cmocka_unit_test_setup(test_unknown_drops, set_up),
		cmocka_unit_test_setup(test_messages_are_checked, set_up),
		cmocka_unit_test_setup(test_rates, set_up),
		cmocka_unit_test_setup(test_sorting_and_filter, set_up),
		cmocka_unit_test_setup(test_choice_follows_its_packet, set_up),
		cmocka_unit_test_setup(test_pause, set_up),
		cmocka_unit_test_setup(test_80x24, set_up),
		cmocka_unit_test_setup(test_one_stamp, set_up),
		cmocka_unit_test_setup(test_every_size_is_drawn, set_up),
		cmocka_unit_test_setup(test_many_hops_scroll, set_up),
	};

	setenv("TZ", "UTC", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
