/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * extcap.c - Wireshark's extcap protocol.
 *
 * Sentences are lines of {key=value}; Wireshark's parser (4.0) ends a value at '}' and
 * knows '\' as escape, so what a stranger named is reduced to plain characters first.
 *
 * Theory of operation. Wireshark starts the program anew for each question: which
 * interfaces, which options has this one, which link types; and at last, capture into
 * this FIFO. Here is text alone: extcap_parse() turns the arguments into a call, the
 * extcap_answer_ functions write the answers, and extcap_capture_args() writes the
 * command line of `podhop capture` that does the work. Who looks at the node, opens the
 * FIFO and runs it is the command line tool.
 *
 * An interface is a pod. Its name must survive in Wireshark's preferences, so it is made
 * of namespace and name, not of an address or an id that the next pod of that name would
 * not have. "-" between both can be ambiguous (a-b/c and a/b-c); pods that clash get ".",
 * which no namespace holds. Back from name to pod goes only by making all names again.
 */
#include "podhop/extcap.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_MAX (128u << 10)
#define VALUE_MAX 65536u	/* of one argument; a filter is the longest */
#define HOPS_MAX 16u		/* ROLE=DEVICE in one --hops */

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool extcap_is_call(int argc, char *const *argv)
{
	bool capture = false, fifo = false;

	for (int i = 1; i < argc; i++) {
		if (has_prefix(argv[i], "--extcap-"))
			return true;
		capture = capture || strcmp(argv[i], "--capture") == 0;
		fifo = fifo || strcmp(argv[i], "--fifo") == 0 || has_prefix(argv[i], "--fifo=");
	}
	return capture && fifo;
}

/* ------------------------------------------------------------------- the call */

enum takes {
	TAKES_NOTHING = 0,
	TAKES_TEXT,	/* into a const char * */
	TAKES_SWITCH,	/* into a bool; a value is optional */
	TAKES_UNUSED,	/* a value that podhop has no use for */
};

struct word {
	const char *name;
	enum takes takes;
	enum extcap_action action;	/* EXTCAP_NONE: it asks for none */
	size_t at;	/* of what is set, in struct extcap_call */
};

#define AT(member) offsetof(struct extcap_call, member)

static const struct word words[] = {
	{ "--extcap-interfaces", TAKES_NOTHING, EXTCAP_INTERFACES, 0 },
	{ "--extcap-config", TAKES_NOTHING, EXTCAP_CONFIG, 0 },
	{ "--extcap-dlts", TAKES_NOTHING, EXTCAP_DLTS, 0 },
	{ "--extcap-interface", TAKES_TEXT, EXTCAP_NONE, AT(interface) },
	{ "--extcap-capture-filter", TAKES_TEXT, EXTCAP_FILTER, AT(capture_filter) },
	{ "--extcap-reload-option", TAKES_UNUSED, EXTCAP_RELOAD, 0 },
	{ "--extcap-version", TAKES_UNUSED, EXTCAP_NONE, 0 },
	{ "--extcap-control-in", TAKES_UNUSED, EXTCAP_NONE, 0 },
	{ "--extcap-control-out", TAKES_UNUSED, EXTCAP_NONE, 0 },
	{ "--capture", TAKES_NOTHING, EXTCAP_CAPTURE, 0 },
	{ "--fifo", TAKES_TEXT, EXTCAP_NONE, AT(fifo) },
	{ "--filter", TAKES_TEXT, EXTCAP_NONE, AT(filter) },
	{ "--hops", TAKES_TEXT, EXTCAP_NONE, AT(hops) },
	{ "--snaplen", TAKES_TEXT, EXTCAP_NONE, AT(snaplen) },
	{ "--names", TAKES_TEXT, EXTCAP_NONE, AT(names) },
	{ "--direction", TAKES_TEXT, EXTCAP_NONE, AT(direction) },
	{ "--window", TAKES_TEXT, EXTCAP_NONE, AT(window) },
	{ "--terse", TAKES_SWITCH, EXTCAP_NONE, AT(terse) },
	{ "--nano", TAKES_SWITCH, EXTCAP_NONE, AT(nano) },
	{ "--no-nat", TAKES_SWITCH, EXTCAP_NONE, AT(no_nat) },
	{ "--host-root", TAKES_TEXT, EXTCAP_NONE, AT(host_root) },
	{ "--node", TAKES_TEXT, EXTCAP_NONE, AT(node) },
};

/* Empty is what Wireshark sends for a field that was cleared. */
static const char *or_null(const char *v)
{
	return v && *v ? v : NULL;
}

/* A boolflag that is on comes bare; "--terse=true" is what a user may write. */
static bool is_on(const char *v)
{
	return !v || (strcmp(v, "false") != 0 && strcmp(v, "0") != 0);
}

static void take(struct extcap_call *c, const struct word *w, const char *v)
{
	const char *text = or_null(v);
	bool on = is_on(v);

	/* --extcap-reload-option comes together with --extcap-config, --capture with a filter. */
	if (w->action > c->action)
		c->action = w->action;
	if (w->takes == TAKES_TEXT)
		memcpy((char *)c + w->at, &text, sizeof(text));
	else if (w->takes == TAKES_SWITCH)
		memcpy((char *)c + w->at, &on, sizeof(on));
}

static const struct word *find_word(const char *arg, const char **ret_value)
{
	const char *eq = strchr(arg, '=');
	size_t n = eq ? (size_t)(eq - arg) : strlen(arg);

	*ret_value = eq ? eq + 1 : NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == n && strncmp(arg, words[i].name, n) == 0)
			return &words[i];
	return NULL;
}

int extcap_parse(int argc, char *const *argv, struct extcap_call *ret_call, struct err *err)
{
	struct extcap_call c = { 0 };

	for (int i = 1; i < argc; i++) {
		const char *value;
		const struct word *w = find_word(argv[i], &value);

		if (!w && has_prefix(argv[i], "--extcap-")) {
			/* Of a newer Wireshark; its value, if it has one, is no option. */
			if (!value && i + 1 < argc && argv[i + 1][0] != '-')
				i++;
			continue;
		}
		if (!w)
			return err_usage(err, EINVAL, "%.200s is no option of podhop's extcap",
					 argv[i]);
		if ((w->takes == TAKES_TEXT || w->takes == TAKES_UNUSED) && !value) {
			if (i + 1 == argc)
				return err_usage(err, EINVAL, "%s needs a value", w->name);
			value = argv[++i];
		}
		if (value && strlen(value) > VALUE_MAX)
			return err_usage(err, E2BIG, "%s: more than %u bytes", w->name, VALUE_MAX);
		take(&c, w, value);
	}
	if (!c.action)
		return err_usage(err, EINVAL, "an extcap call without --extcap-interfaces, "
				 "--extcap-config, --extcap-dlts or --capture");
	if (c.action != EXTCAP_INTERFACES && !c.interface)
		return err_usage(err, EINVAL, "--extcap-interface is missing");
	if (c.action == EXTCAP_CAPTURE && !c.fifo)
		return err_usage(err, EINVAL, "--capture needs --fifo");
	*ret_call = c;
	return 0;
}

/* ----------------------------------------------------------------- the answers */

#define NAMESPACE_CHARS "-_"
#define NAME_CHARS "-_."

static char plain(char c, const char *also)
{
	bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		  strchr(also, c);

	return ok ? c : '_';
}

static void add_plain(struct buf *out, const char *s, const char *also)
{
	for (; *s; s++)
		buf_addc(out, plain(*s, also));
}

/* A hostNetwork pod has no hops of its own, another may have no veth at all. */
static bool is_usable(const struct chain_pod *p)
{
	return !p->host_network && p->n_interfaces && p->interfaces[0].host_veth.ifindex &&
	       p->name[0];
}

static void add_interface(struct buf *out, const struct chain_pod *p, const char *between)
{
	buf_adds(out, "podhop-");
	add_plain(out, p->namespace_, NAMESPACE_CHARS);
	buf_adds(out, p->namespace_[0] ? between : "");
	add_plain(out, p->name, NAME_CHARS);
}

/* A pod's namespace + '-' + name, a character at a time: 500 pods are 250,000 pairs. */
struct spelling {
	const char *namespace_, *name;
	size_t split;	/* length of the namespace */
	size_t len;
};

static struct spelling spell(const struct chain_pod *p)
{
	struct spelling s = { .namespace_ = p->namespace_, .name = p->name,
			      .split = strlen(p->namespace_) };

	s.len = s.split + (s.split ? 1 : 0) + strlen(p->name);
	return s;
}

static char spelled(const struct spelling *s, size_t i)
{
	if (i < s->split)
		return plain(s->namespace_[i], NAMESPACE_CHARS);
	if (!s->split)
		return plain(s->name[i], NAME_CHARS);
	return i == s->split ? '-' : plain(s->name[i - s->split - 1], NAME_CHARS);
}

/* namespace + '-' + name of a and b give the same text (a namespace holds no dot). */
static bool clash(const struct chain_pod *a, const struct chain_pod *b)
{
	const struct spelling x = spell(a), y = spell(b);

	if (x.len != y.len || strcmp(a->namespace_, b->namespace_) == 0)
		return false;
	for (size_t i = 0; i < x.len; i++)
		if (spelled(&x, i) != spelled(&y, i))
			return false;
	return true;
}

bool extcap_interface(const struct chain *c, unsigned pod, struct buf *ret_value)
{
	const struct chain_pod *p = &c->pods[pod];
	const char *between = "-";

	if (!is_usable(p))
		return false;
	for (unsigned i = 0; i < c->n_pods && *between == '-'; i++)
		if (i != pod && is_usable(&c->pods[i]) && clash(p, &c->pods[i]))
			between = ".";
	add_interface(ret_value, p, between);
	return !ret_value->failed;
}

int extcap_find(const struct chain *c, const char *interface)
{
	int found = -1;

	for (unsigned i = 0; i < c->n_pods && found < 0; i++) {
		struct buf b;
		buf_init(&b, WORDS_MAX);
		if (extcap_interface(c, i, &b) && strcmp(buf_str(&b), interface) == 0)
			found = (int)i;
		buf_done(&b);
	}
	return found;
}

void extcap_answer_interfaces(const struct chain *c, const char *version, struct buf *out)
{
	buf_adds(out, "extcap {version=");
	add_plain(out, version, "-_.+~");
	buf_adds(out, "}{display=podhop: pods at every hop}\n");
	for (unsigned i = 0; c && i < c->n_pods; i++) {
		const struct chain_pod *p = &c->pods[i];
		char text[ADDR_STR_MAX];
		struct buf value;

		buf_init(&value, WORDS_MAX);
		if (extcap_interface(c, i, &value)) {
			buf_addf(out, "interface {value=%s}{display=pod ", buf_str(&value));
			add_plain(out, p->namespace_, NAMESPACE_CHARS);
			buf_adds(out, p->namespace_[0] ? "/" : "");
			add_plain(out, p->name, NAME_CHARS);
			for (unsigned k = 0; k < p->n_ips; k++)
				buf_addf(out, "%s%s", k ? ", " : " ", addr_str(&p->ips[k], text));
			buf_adds(out, "}\n");
		}
		out->failed |= value.failed; /* no name is that long: it is memory that lacks */
		buf_done(&value);
	}
}

/* The same for every pod, without a look at the node: asked once for each of them. */
void extcap_answer_config(struct buf *out)
{
	buf_adds(out,
		"arg {number=0}{call=--filter}{display=Filter}{type=string}"
		"{tooltip=libpcap filter on the pod's own packets as its veth shows them; a packet "
		"that passes is shown at every hop}{placeholder=tcp port 80}{group=Capture}\n"
		"arg {number=1}{call=--snaplen}{display=Snapshot length}{type=unsigned}"
		"{range=64,262144}{default=262144}"
		"{tooltip=bytes kept of the inner frame; the underlay gets 70 more}"
		"{group=Capture}\n"
		"arg {number=2}{call=--hops}{display=Hops}{type=string}"
		"{tooltip=other devices than those found: ROLE=DEVICE, separated by commas; "
		"ROLE is veth, bridge, vtep or underlay}{placeholder=underlay=bond0}"
		"{group=Capture}\n"
		"arg {number=3}{call=--names}{display=Names}{type=fileselect}{mustexist=true}"
		"{tooltip=what `kubectl get pods,services,nodes -A -o json` prints: a name for "
		"every address}{group=Capture}\n"
		"arg {number=4}{call=--direction}{display=Direction}{type=selector}"
		"{tooltip=as the pod sees it}{group=Capture}\n"
		"value {arg=4}{value=inout}{display=both}{default=true}\n"
		"value {arg=4}{value=in}{display=to the pod}{default=false}\n"
		"value {arg=4}{value=out}{display=sent by the pod}{default=false}\n"
		"arg {number=5}{call=--window}{display=Window}{type=unsigned}{range=1,3600000}"
		"{default=2000}{tooltip=milliseconds a packet stays open for further hops}"
		"{group=Matching}\n"
		"arg {number=6}{call=--no-nat}{display=Ignore address translation}{type=boolflag}"
		"{default=false}{tooltip=do not follow packets through Services and masquerading}"
		"{group=Matching}\n"
		"arg {number=7}{call=--terse}{display=No comments}{type=boolflag}{default=false}"
		"{tooltip=packet ids alone: smaller and faster}{group=Matching}\n"
		"arg {number=8}{call=--nano}{display=Nanosecond stamps}{type=boolflag}"
		"{default=false}"
		"{tooltip=the kernel then stamps received frames once for all hops}"
		"{group=Matching}\n");
}

void extcap_answer_dlts(struct buf *out)
{
	buf_adds(out, "dlt {number=1}{name=EN10MB}{display=Ethernet}\n");
}

/* ----------------------------------------------------------------- the capture */

void extcap_args_done(struct extcap_args *a)
{
	for (int i = 0; i < a->argc; i++)
		free(a->argv[i]);
	a->argc = 0;
}

static void add_word(struct extcap_args *a, const char *s, size_t n, int *rc)
{
	char *copy = a->argc < EXTCAP_ARGS_MAX ? strndup(s, n) : NULL;

	if (!copy) {
		*rc = -ENOMEM;
		return;
	}
	a->argv[a->argc++] = copy;
	a->argv[a->argc] = NULL;
}

static void add_option(struct extcap_args *a, const char *name, const char *value, int *rc)
{
	if (!value)
		return;
	add_word(a, name, strlen(name), rc);
	add_word(a, value, strlen(value), rc);
}

static void add_flag(struct extcap_args *a, const char *name, bool on, int *rc)
{
	if (on)
		add_word(a, name, strlen(name), rc);
}

int extcap_capture_args(const struct extcap_call *call, const char *pod,
			struct extcap_args *ret_args, struct err *err)
{
	struct extcap_args *a = ret_args;
	struct buf both;
	unsigned n = 0;
	int rc = 0;

	memset(a, 0, sizeof(*a));
	buf_init(&both, 2 * VALUE_MAX + 64);
	add_flag(a, "podhop", true, &rc);
	add_flag(a, "capture", true, &rc);
	add_option(a, "-w", "-", &rc);
	/* Wireshark shows stderr as an error: neither report nor progress may go there. */
	add_flag(a, "-q", true, &rc);
	add_option(a, "--report", "/dev/null", &rc);
	add_option(a, "-s", call->snaplen, &rc);
	add_option(a, "--pods", call->names, &rc);
	add_option(a, "-Q", call->direction, &rc);
	add_option(a, "--window", call->window, &rc);
	add_option(a, "--host-root", call->host_root, &rc);
	add_option(a, "--node", call->node, &rc);
	add_flag(a, "--terse", call->terse, &rc);
	add_flag(a, "--nano", call->nano, &rc);
	add_flag(a, "--no-nat", call->no_nat, &rc);
	for (const char *h = call->hops; h && *h;) {
		size_t len = strcspn(h, ", ");
		if (len && ++n > HOPS_MAX) {
			rc = err_usage(err, E2BIG, "--hops: more than %u", HOPS_MAX);
			goto out;
		}
		if (len) {
			add_flag(a, "--hops", true, &rc);
			add_word(a, h, len, &rc);
		}
		h += len + (h[len] != '\0');
	}
	/* Two filters: Wireshark's field for all interfaces, and this one's own. */
	if (call->filter && call->capture_filter)
		buf_addf(&both, "(%s) and (%s)", call->filter, call->capture_filter);
	else if (call->filter || call->capture_filter)
		buf_adds(&both, call->filter ? call->filter : call->capture_filter);
	if (both.len)
		add_option(a, "-f", buf_str(&both), &rc);
	/* Behind "--": a pod's name is never taken for an option. */
	add_flag(a, "--", true, &rc);
	add_word(a, pod, strlen(pod), &rc);
	if (rc < 0 || both.failed)
		rc = err_sys(err, ENOMEM, "extcap");
out:
	buf_done(&both);
	return rc;
}
