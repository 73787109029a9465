/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_report_html.c - the page of --html: what is inside stays inside.
 *
 * That the page draws what its data says is tested in a browser, by tests/cli/html.sh.
 */
#include "../lib/report_fixture.h"

#include <errno.h>
#include <jansson.h>

#define PAGE_MAX_BYTES 80000 /* without data */
/* What would end the script element, or open another state of the HTML parser, or break JSON. */
#define EVIL                                                                                       \
	"</script><script>alert(1)</script><!--<script>]]>&lt;&amp;'\"\\\x7f\xe2\x80\xa8\xe2\x80"  \
	"\xa9" HOSTILE

static char *evil = (char *)(uintptr_t)EVIL;
static struct result_interface interfaces[1];
static struct result_input inputs[1];
static struct result_loss losses[1];
static struct result_flow flows[3];
static struct result_path_row paths[1];
static struct result_tunnel tunnels[1];
static struct result_latency latency[1];
static struct result_bar bars[1] = { { 3584, 4096, 2 } };

static void fill(struct result *r, struct model_net *net)
{
	fixture_net(net);
	snprintf(net->pods[0].name, sizeof(net->pods[0].name), "%s", EVIL);
	snprintf(net->pods[0].namespace_, sizeof(net->pods[0].namespace_), "%s", EVIL);
	snprintf(net->hops[1].name, sizeof(net->hops[1].name), "%.63s", EVIL);
	interfaces[0] = (struct result_interface){ .role = MODEL_ROLE_VETH, .observations = 2 };
	snprintf(interfaces[0].name, sizeof(interfaces[0].name), "%.63s", EVIL);
	inputs[0] = (struct result_input){ evil, 2, 17, evil };
	losses[0] = (struct result_loss){ .last_seen = MODEL_ROLE_VETH,
					  .next_expected = MODEL_ROLE_BRIDGE,
					  .direction = MODEL_DIRECTION_EGRESS,
					  .packets = 1,
					  .bytes = 60,
					  .lost = true,
					  .reason = evil,
					  .evidence = &evil,
					  .n_evidence = 1 };
	paths[0] = (struct result_path_row){ path("veth>bridge"), MODEL_DIRECTION_EGRESS, false, 2,
					     120, 2 };
	for (unsigned i = 0; i < COUNT_OF(flows); i++)
		flows[i] = (struct result_flow){
			.tuple = tuple(MODEL_PROTO_TCP, "10.244.1.5", 40000, "10.96.0.10", 80),
			.translated = true,
			.translation = tuple(MODEL_PROTO_TCP, "10.244.1.5", 40000, "10.244.2.9",
					     8080),
			.direction = MODEL_DIRECTION_EGRESS,
			.path = path("veth>bridge"),
			.packets = 1 + i,
		};
	tunnels[0] = (struct result_tunnel){ .outer_src = ip("192.0.2.1"),
					     .outer_dst = ip("2001:db8::2"), .packets = 2 };
	latency[0] = (struct result_latency){ MODEL_ROLE_VETH, MODEL_ROLE_BRIDGE,
					      MODEL_DIRECTION_EGRESS, true, 2, 3600, 3700, 3800,
					      3800, 3800, bars, 1 };
	*r = (struct result){
		.node = evil,
		.inputs = inputs,
		.n_inputs = 1,
		.capture = { .start_ns = 1, .end_ns = 2, .interfaces = interfaces,
			     .n_interfaces = 1 },
		.packets = { .total = 2, .complete = 1, .incomplete = 1 },
		.paths = paths,
		.n_paths = 1,
		.encapsulation = { .sizes = { { 1, 1, 60, 50 } }, .tunnels = tunnels,
				   .n_tunnels = 1 },
		.latency = latency,
		.n_latency = 1,
		.flows = flows,
		.n_flows = COUNT_OF(flows),
		.losses = losses,
		.n_losses = 1,
	};
}

/* The first NAT address has no name, the second an evil one. */
static const char *name_of(void *arg, const struct addr *a)
{
	struct addr none = ip("10.96.0.10");

	++*(unsigned *)arg;
	return addr_eq(a, &none) ? NULL : EVIL;
}

static char *page(const struct result *r, const struct model_net *net,
		  const struct report_style *style)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(report_result_html(f, r, net, style), 0);
	fclose(f);
	assert_int_equal(strlen(text), size);
	return text;
}

static unsigned occurrences(const char *text, const char *word)
{
	unsigned n = 0;

	while ((text = strcasestr(text, word))) {
		n++;
		text += strlen(word);
	}
	return n;
}

/* The document in the script element of this id, after a look at each byte of it. */
static json_t *document(const char *html, const char *id)
{
	char opening[64];
	const char *p, *end;
	json_error_t error;
	json_t *root;

	snprintf(opening, sizeof(opening), "<script type=\"application/json\" id=\"%s\">\n", id);
	p = strstr(html, opening);
	assert_non_null(p);
	p += strlen(opening);
	end = strstr(p, "</script>");
	assert_non_null(end);
	for (const char *c = p; c + 1 < end; c++) {
		assert_in_range((unsigned char)*c, 0x20, 0x7e);
		assert_null(strchr("<>&", *c));
	}
	root = json_loadb(p, (size_t)(end - p), JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("%s: %s at %d", id, error.text, error.position);
	return root;
}

static void test_inside(void **state)
{
	unsigned asked = 0;
	struct report_style style = { .name = name_of, .name_arg = &asked };
	static struct model_net net;
	struct result r;
	char *text = NULL, *html;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	json_t *want, *have, *names;
	json_error_t error;

	(void)state;
	fill(&r, &net);
	html = page(&r, &net, &style);
	assert_int_equal(occurrences(html, "<script"), 3);
	assert_int_equal(occurrences(html, "</script"), 3);
	assert_int_equal(occurrences(html, "<!--"), 0);
	assert_int_equal(occurrences(html, "alert(1)<"), 0);

	/* It is the report, no more and no less. */
	assert_non_null(f);
	assert_int_equal(report_result_json(f, &r, true), 0);
	fclose(f);
	want = json_loads(text, 0, &error);
	have = document(html, "report");
	assert_true(json_equal(want, have));
	json_decref(want);
	json_decref(have);
	free(text);

	have = document(html, "context");
	names = json_object_get(have, "names");
	assert_int_equal(json_object_size(names), 4);
	assert_null(json_object_get(names, "10.96.0.10"));
	assert_true(json_is_string(json_object_get(names, "2001:db8::2")));
	assert_int_equal(json_array_size(json_object_get(have, "hops")), net.n_hops);
	assert_int_equal(json_array_size(json_object_get(have, "pods")), 1);
	assert_true(asked >= 5);
	json_decref(have);
	free(html);
}

/* Nothing is loaded, and without data the page is small. */
static void test_alone(void **state)
{
	static const char *const outside[] = {
		"src=",	   "@import", "url(",  "fetch(", "XMLHttp",
		"import(", "https:",  "//cdn", "eval(",	 "innerHTML"
	};
	static const char *const places[] = { "@css@", "@js@", "@report@", "@context@" };
	static struct model_net net;
	struct result r = { .node = NULL };
	char *html;

	(void)state;
	html = page(&r, &net, NULL);
	assert_in_range(strlen(html), 1000, PAGE_MAX_BYTES);
	for (size_t i = 0; i < COUNT_OF(outside); i++)
		if (strstr(html, outside[i]))
			fail_msg("the page says %s", outside[i]);
	/* The one address in it is SVG's name. */
	assert_int_equal(occurrences(html, "http:"), 1);
	assert_non_null(strstr(html, "http://www.w3.org/2000/svg"));
	assert_non_null(strstr(html, "default-src 'none'"));
	for (size_t i = 0; i < COUNT_OF(places); i++)
		assert_null(strstr(html, places[i]));
	free(html);
}

static void test_broken_stream(void **state)
{
	static struct model_net net;
	FILE *f = fopen("/dev/full", "we");
	struct result r;

	(void)state;
	if (!f)
		skip();
	setvbuf(f, NULL, _IONBF, 0);
	fill(&r, &net);
	assert_int_equal(report_result_html(f, &r, &net, NULL), -ENOSPC);
	fclose(f);
}

static long allocations_left;

static void *failing_malloc(size_t n)
{
	return allocations_left-- > 0 ? malloc(n) : NULL;
}

static void test_no_memory(void **state)
{
	unsigned asked = 0;
	struct report_style style = { .name = name_of, .name_arg = &asked };
	static struct model_net net;
	json_malloc_t old_malloc;
	json_free_t old_free;
	struct result r;
	int rc = -ENOMEM;

	(void)state;
	fill(&r, &net);
	json_get_alloc_funcs(&old_malloc, &old_free);
	json_set_alloc_funcs(failing_malloc, free);
	for (long n = 0; rc == -ENOMEM; n++) {
		FILE *f = fopen("/dev/null", "we");

		assert_non_null(f);
		assert_in_range(n, 0, 100000);
		allocations_left = n;
		rc = report_result_html(f, &r, &net, &style);
		fclose(f);
	}
	json_set_alloc_funcs(old_malloc, old_free);
	assert_int_equal(rc, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_broken_stream),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
