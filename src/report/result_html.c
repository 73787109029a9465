/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result_html.c - the report of a run as one page that needs nothing else.
 *
 * page.html, page.css and page.js are compiled in (report_page.h, made from them by
 * the Makefile). The page holds two JSON documents: podhop.report/1 as it is, and what
 * the report does not say: pods, devices, names of addresses. Everything shown is drawn
 * from them by page.js, which sets text as text and never as markup.
 *
 * The documents stand inside <script type="application/json">. There the HTML parser
 * looks for "</script" and "<!--" only (HTML standard, 13.2.5.4), so that without a '<'
 * nothing can leave the element; '<', '>' and '&' occur in JSON inside strings alone and
 * are written as escapes there. What is not ASCII is escaped by the JSON writer.
 */
#include "report_priv.h"

#include <errno.h>
#include <string.h>

#include "report_page.h" /* page_html, page_css, page_js: lines, NULL at the end */

#define CSS_HERE "@css@\n"
#define JS_HERE "@js@\n"
#define REPORT_HERE "@report@\n"
#define CONTEXT_HERE "@context@\n"

static int script_bytes(const char *bytes, size_t n, void *arg)
{
	FILE *out = arg;
	size_t done = 0;

	for (size_t i = 0; i < n; i++) {
		char c = bytes[i];

		if (c != '<' && c != '>' && c != '&' && c != '\x7f')
			continue;
		if (fwrite(bytes + done, 1, i - done, out) != i - done ||
		    fprintf(out, "\\u%04x", (unsigned)c) < 0)
			return -1;
		done = i + 1;
	}
	return fwrite(bytes + done, 1, n - done, out) == n - done ? 0 : -1;
}

/*
 * Like report_json_dump() on one line without a newline, for the inside of an HTML
 * script element: no string in it can end the element.
 */
static int json_script(FILE *out, json_t *root)
{
	int rc = 0;

	if (!root)
		return -ENOMEM;
	errno = 0;
	if (json_dump_callback(root, script_bytes, out,
			       JSON_ENSURE_ASCII | JSON_COMPACT | REPORT_JSON_REAL) != 0)
		rc = !ferror(out) ? -ENOMEM : errno ? -errno : -EIO;
	json_decref(root);
	return rc;
}

/* Takes over the value; false when it is NULL or memory is out. */
static bool add(json_t *array, json_t *value)
{
	return json_array_append_new(array, value) == 0;
}

static json_t *context_pods(const struct model_net *net)
{
	json_t *array = json_array();
	bool ok = array;

	for (unsigned i = 0; ok && i < net->n_pods; i++) {
		const struct model_pod *p = &net->pods[i];
		json_t *o = json_object(), *ips = NULL;

		ok = add(array, o) &&
		     report_json_set(o, "namespace", report_json_str(p->namespace_)) &&
		     report_json_set(o, "name", report_json_str(p->name)) &&
		     report_json_set(o, "ips", ips = json_array());
		for (unsigned k = 0; ok && k < p->n_addrs; k++)
			ok = add(ips, report_json_addr(&p->addrs[k]));
	}
	if (ok)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *context_hops(const struct model_net *net)
{
	json_t *array = json_array();
	bool ok = array;

	for (unsigned i = 0; ok && i < net->n_hops; i++) {
		const struct model_hop *h = &net->hops[i];
		json_t *o = json_object();

		ok = add(array, o) && report_json_set(o, "name", report_json_str(h->name)) &&
		     report_json_set(o, "role", report_json_role(h->role)) &&
		     report_json_set(o, "mtu", report_json_nonzero(h->mtu)) &&
		     report_json_set(o, "mac", report_json_mac(&h->mac)) &&
		     report_json_set(o, "vni", h->has_vni ? json_integer(h->vni) : json_null());
	}
	if (ok)
		return array;
	json_decref(array);
	return NULL;
}

static bool add_name(json_t *names, const struct report_style *style, const struct addr *a)
{
	char text[ADDR_STR_MAX];
	const char *name;

	if (!style || !style->name || addr_is_none(a))
		return true;
	addr_str(a, text);
	if (json_object_get(names, text))
		return true;
	name = style->name(style->name_arg, a);
	return !name || !*name || report_json_set(names, text, report_json_str(name));
}

/* Of every address that the report speaks of. */
static json_t *context_names(const struct result *r, const struct report_style *style)
{
	json_t *names = json_object();
	bool ok = names;

	for (unsigned i = 0; ok && i < r->n_flows; i++) {
		const struct result_flow *f = &r->flows[i];

		ok = add_name(names, style, &f->tuple.src) && add_name(names, style, &f->tuple.dst);
		if (ok && f->translated)
			ok = add_name(names, style, &f->translation.src) &&
			     add_name(names, style, &f->translation.dst);
	}
	for (unsigned i = 0; ok && i < r->encapsulation.n_tunnels; i++)
		ok = add_name(names, style, &r->encapsulation.tunnels[i].outer_src) &&
		     add_name(names, style, &r->encapsulation.tunnels[i].outer_dst);
	if (ok)
		return names;
	json_decref(names);
	return NULL;
}

static json_t *context(const struct result *r, const struct model_net *net,
		       const struct report_style *style)
{
	json_t *o = json_object();

	if (o && report_json_set(o, "pods", context_pods(net)) &&
	    report_json_set(o, "hops", context_hops(net)) &&
	    report_json_set(o, "names", context_names(r, style)))
		return o;
	json_decref(o);
	return NULL;
}

static int lines(FILE *out, const char *const *line)
{
	errno = 0;
	for (; *line; line++)
		if (fputs(*line, out) == EOF)
			return errno ? -errno : -EIO;
	return 0;
}

int report_result_html(FILE *out, const struct result *r, const struct model_net *net,
		       const struct report_style *style)
{
	int rc = 0;

	for (const char *const *line = page_html; *line && !rc; line++) {
		if (strcmp(*line, CSS_HERE) == 0)
			rc = lines(out, page_css);
		else if (strcmp(*line, JS_HERE) == 0)
			rc = lines(out, page_js);
		else if (strcmp(*line, REPORT_HERE) == 0)
			rc = json_script(out, report_result_tree(r));
		else if (strcmp(*line, CONTEXT_HERE) == 0)
			rc = json_script(out, context(r, net, style));
		else
			rc = lines(out, (const char *const[]){ *line, NULL });
	}
	if (!rc && ferror(out))
		rc = -EIO;
	return rc;
}
