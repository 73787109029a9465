/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result_json.c - podhop.report/1: the report of a run as one JSON object.
 *
 * Names, order and nesting are the contract's, section 3; the schema stands in
 * schema/podhop.report-1.schema.json. Null means: not known, or not there.
 *
 * Theory of operation. One function a kind of object, in the order in which the report
 * shows them; report_result_tree() at the end is the table of contents. Memory may be
 * out at any value, and asking each time would hide the format: set() takes over every
 * value, also one that is NULL, and remembers the failure; done() then drops the whole
 * object and returns NULL, which the object around it takes in the same way. So a report
 * is whole or there is none.
 */
#include "report_priv.h"

/* An object in the making; failures are kept until done(). */
struct object {
	json_t *json;
	bool ok;
};

static struct object begin(void)
{
	return (struct object){ .json = json_object(), .ok = true };
}

/* Takes over the value. */
static void set(struct object *o, const char *key, json_t *value)
{
	if (!report_json_set(o->json, key, value))
		o->ok = false;
}

/* The object, or NULL when memory was out for any part of it. */
static json_t *done(struct object *o)
{
	if (o->ok)
		return o->json;
	json_decref(o->json);
	return NULL;
}

static json_t *path_value(const struct result_path *p)
{
	char text[RESULT_PATH_STR_MAX];

	return report_json_str(result_path_str(p, text));
}

static json_t *protocol_value(uint8_t protocol)
{
	const char *name = model_protocol_name(protocol);

	return name ? json_string(name) : json_integer(protocol);
}

static json_t *basis_value(enum result_basis basis)
{
	return report_json_str(result_basis_name(basis));
}

static void set_tuple(struct object *o, const struct result_tuple *t)
{
	bool dport = t->has_ports && report_protocol_has_dport(t->protocol);

	set(o, "src", report_json_addr(&t->src));
	set(o, "sport", t->has_ports ? json_integer(t->sport) : json_null());
	set(o, "dst", report_json_addr(&t->dst));
	set(o, "dport", dport ? json_integer(t->dport) : json_null());
}

/* One element of a list: an object, or NULL when memory is out. */
typedef json_t *(*element_fn)(const struct result *r, unsigned i);

static json_t *list(const struct result *r, unsigned n, element_fn element)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < n; i++) {
		if (json_array_append_new(array, element(r, i))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *input(const struct result *r, unsigned i)
{
	const struct result_input *in = &r->inputs[i];
	struct object o = begin();

	set(&o, "file", report_json_str(in->file));
	set(&o, "frames", report_json_u64(in->frames));
	set(&o, "truncated_at", report_json_known(in->truncated_at));
	set(&o, "reason", report_json_str(in->reason));
	return done(&o);
}

static json_t *interface(const struct result *r, unsigned i)
{
	const struct result_interface *f = &r->capture.interfaces[i];
	struct object o = begin();

	set(&o, "name", report_json_str(f->name));
	set(&o, "role", report_json_role(f->role));
	set(&o, "observations", report_json_u64(f->observations));
	set(&o, "bytes", report_json_u64(f->bytes));
	set(&o, "dropped_kernel", report_json_known(f->dropped_kernel));
	set(&o, "dropped_interface", report_json_known(f->dropped_interface));
	set(&o, "dropped_podhop", report_json_u64(f->dropped_podhop));
	return done(&o);
}

static json_t *capture(const struct result *r)
{
	bool seen = r->capture.start_ns || r->capture.end_ns;
	struct object o = begin();

	set(&o, "start_ns", seen ? json_integer(r->capture.start_ns) : json_null());
	set(&o, "end_ns", seen ? json_integer(r->capture.end_ns) : json_null());
	set(&o, "observations", report_json_u64(r->capture.observations));
	set(&o, "foreign", report_json_u64(r->capture.foreign));
	set(&o, "filter_unsure", report_json_u64(r->capture.filter_unsure));
	set(&o, "late", report_json_u64(r->capture.late));
	set(&o, "clock_steps", report_json_u64(r->capture.clock_steps));
	set(&o, "closed_early", report_json_u64(r->capture.closed_early));
	set(&o, "cpu_ns", report_json_u64(r->capture.cpu_ns));
	set(&o, "max_rss_bytes", report_json_u64(r->capture.max_rss_bytes));
	set(&o, "interfaces", list(r, r->capture.n_interfaces, interface));
	return done(&o);
}

static json_t *packets(const struct result *r)
{
	struct object o = begin();

	set(&o, "total", report_json_u64(r->packets.total));
	set(&o, "complete", report_json_u64(r->packets.complete));
	set(&o, "incomplete", report_json_u64(r->packets.incomplete));
	set(&o, "ambiguous", report_json_u64(r->packets.ambiguous));
	set(&o, "edge", report_json_u64(r->packets.edge));
	set(&o, "not_ip", report_json_u64(r->packets.not_ip));
	set(&o, "malformed", report_json_u64(r->packets.malformed));
	return done(&o);
}

static json_t *path(const struct result *r, unsigned i)
{
	const struct result_path_row *p = &r->paths[i];
	struct object o = begin();

	set(&o, "path", path_value(&p->path));
	set(&o, "direction", json_string(model_direction_name(p->direction)));
	set(&o, "encapsulated", json_boolean(p->encapsulated));
	set(&o, "packets", report_json_u64(p->packets));
	set(&o, "bytes", report_json_u64(p->bytes));
	set(&o, "complete", report_json_u64(p->complete));
	return done(&o);
}

static json_t *tunnel(const struct result *r, unsigned i)
{
	const struct result_tunnel *t = &r->encapsulation.tunnels[i];
	struct object o = begin();

	set(&o, "vni", json_integer(t->vni));
	set(&o, "outer_src", report_json_addr(&t->outer_src));
	set(&o, "outer_dst", report_json_addr(&t->outer_dst));
	set(&o, "port", json_integer(t->port));
	set(&o, "packets", report_json_u64(t->packets));
	set(&o, "outer_datagrams", report_json_u64(t->outer_datagrams));
	set(&o, "inner_bytes", report_json_u64(t->inner_bytes));
	set(&o, "overhead_bytes", report_json_u64(t->overhead_bytes));
	set(&o, "basis", basis_value(t->basis));
	return done(&o);
}

/* Classes of which a packet was seen. */
static json_t *sizes(const struct result *r)
{
	json_t *array = json_array();
	uint32_t from = 0;

	for (unsigned i = 0; i < RESULT_SIZES; i++) {
		const struct result_size *s = &r->encapsulation.sizes[i];
		uint32_t limit = result_size_limit(i);
		struct object o;

		if (s->packets) {
			o = begin();
			set(&o, "min_length", json_integer(from));
			set(&o, "max_length",
			    limit == UINT32_MAX ? json_null() : json_integer(limit));
			set(&o, "packets", report_json_u64(s->packets));
			set(&o, "outer_datagrams", report_json_u64(s->outer_datagrams));
			set(&o, "inner_bytes", report_json_u64(s->inner_bytes));
			set(&o, "overhead_bytes", report_json_u64(s->overhead_bytes));
			if (json_array_append_new(array, done(&o))) {
				json_decref(array);
				return NULL;
			}
		}
		from = limit + 1;
	}
	return array;
}

static json_t *encapsulation(const struct result *r)
{
	uint64_t inner = r->encapsulation.inner_bytes, over = r->encapsulation.overhead_bytes;
	struct object o = begin();

	set(&o, "inner_packets", report_json_u64(r->encapsulation.inner_packets));
	set(&o, "inner_packets_unknown", report_json_u64(r->encapsulation.inner_packets_unknown));
	set(&o, "outer_datagrams", report_json_u64(r->encapsulation.outer_datagrams));
	set(&o, "outer_datagrams_computed",
	    report_json_u64(r->encapsulation.outer_datagrams_computed));
	set(&o, "inner_bytes", report_json_u64(inner));
	set(&o, "outer_bytes", report_json_u64(r->encapsulation.outer_bytes));
	set(&o, "overhead_bytes", report_json_u64(over));
	set(&o, "overhead_pct",
	    inner ? json_real(100.0 * (double)over / (double)inner) : json_null());
	set(&o, "basis", basis_value(r->encapsulation.basis));
	set(&o, "fragmented_outer", report_json_u64(r->encapsulation.fragmented_outer));
	set(&o, "fragment_bytes", report_json_u64(r->encapsulation.fragment_bytes));
	set(&o, "sizes", sizes(r));
	set(&o, "tunnels", list(r, r->encapsulation.n_tunnels, tunnel));
	return done(&o);
}

static json_t *bars(const struct result_latency *l)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < l->n_bars; i++) {
		struct object o = begin();

		set(&o, "from_ns", report_json_u64(l->bars[i].from_ns));
		set(&o, "to_ns", report_json_u64(l->bars[i].to_ns));
		set(&o, "samples", report_json_u64(l->bars[i].samples));
		if (json_array_append_new(array, done(&o))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *latency(const struct result *r, unsigned i)
{
	const struct result_latency *l = &r->latency[i];
	bool known = l->measurable && l->samples;
	struct object o = begin();

	set(&o, "from", report_json_role(l->from));
	set(&o, "to", report_json_role(l->to));
	set(&o, "direction", json_string(model_direction_name(l->direction)));
	set(&o, "measurable", json_boolean(l->measurable));
	set(&o, "samples", report_json_u64(l->samples));
	set(&o, "min_ns", known ? report_json_u64(l->min_ns) : json_null());
	set(&o, "p50_ns", known ? report_json_u64(l->p50_ns) : json_null());
	set(&o, "p90_ns", known ? report_json_u64(l->p90_ns) : json_null());
	set(&o, "p99_ns", known ? report_json_u64(l->p99_ns) : json_null());
	set(&o, "max_ns", known ? report_json_u64(l->max_ns) : json_null());
	set(&o, "bars", bars(l));
	return done(&o);
}

static json_t *translated(const struct result_flow *f)
{
	struct object o;

	if (!f->translated)
		return json_null();
	o = begin();
	set_tuple(&o, &f->translation);
	return done(&o);
}

static json_t *flow(const struct result *r, unsigned i)
{
	const struct result_flow *f = &r->flows[i];
	struct object o = begin();

	set(&o, "protocol", protocol_value(f->tuple.protocol));
	set_tuple(&o, &f->tuple);
	set(&o, "translated", translated(f));
	set(&o, "direction", json_string(model_direction_name(f->direction)));
	set(&o, "path", path_value(&f->path));
	set(&o, "packets", report_json_u64(f->packets));
	set(&o, "bytes", report_json_u64(f->bytes));
	set(&o, "payload_bytes", report_json_u64(f->payload_bytes));
	set(&o, "overhead_bytes", report_json_u64(f->overhead_bytes));
	set(&o, "retransmissions", report_json_u64(f->retransmissions));
	return done(&o);
}

static json_t *evidence(const struct result_loss *l)
{
	json_t *array = json_array();

	for (unsigned i = 0; i < l->n_evidence; i++) {
		if (json_array_append_new(array, report_json_str(l->evidence[i]))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

static json_t *loss(const struct result *r, unsigned i)
{
	const struct result_loss *l = &r->losses[i];
	struct object o = begin();

	set(&o, "last_seen", report_json_role(l->last_seen));
	set(&o, "next_expected", report_json_role(l->next_expected));
	set(&o, "direction", json_string(model_direction_name(l->direction)));
	set(&o, "packets", report_json_u64(l->packets));
	set(&o, "bytes", report_json_u64(l->bytes));
	set(&o, "verdict", json_string(l->lost ? "lost" : "unknown"));
	set(&o, "reason", report_json_str(l->reason));
	set(&o, "evidence", evidence(l));
	return done(&o);
}

json_t *report_result_tree(const struct result *r)
{
	struct object o = begin();

	set(&o, "schema", json_string("podhop.report/1"));
	set(&o, "node", report_json_str(r->node));
	set(&o, "inputs", list(r, r->n_inputs, input));
	set(&o, "capture", capture(r));
	set(&o, "packets", packets(r));
	set(&o, "paths", list(r, r->n_paths, path));
	set(&o, "encapsulation", encapsulation(r));
	set(&o, "latency", list(r, r->n_latency, latency));
	set(&o, "flows", list(r, r->n_flows, flow));
	set(&o, "flows_omitted", report_json_u64(r->flows_omitted));
	set(&o, "losses", list(r, r->n_losses, loss));
	set(&o, "losses_omitted", report_json_u64(r->losses_omitted));
	return done(&o);
}

int report_result_json(FILE *out, const struct result *r, bool one_line)
{
	return report_json_dump(out, report_result_tree(r), one_line);
}
