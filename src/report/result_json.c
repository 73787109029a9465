/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * result_json.c - podhop.report/1: the report of a run as one JSON object.
 *
 * Names, order and nesting are the contract's, section 3; the schema stands in
 * schema/podhop.report-1.schema.json. Null means: not known, or not there.
 */
#include "report_priv.h"

static json_t *string(const char *s)
{
	return json_string(s);
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

static bool set_tuple(json_t *o, const struct result_tuple *t)
{
	bool dport = t->has_ports && report_protocol_has_dport(t->protocol);

	return report_json_set(o, "src", report_json_addr(&t->src)) &&
	       report_json_set(o, "sport", t->has_ports ? json_integer(t->sport) : json_null()) &&
	       report_json_set(o, "dst", report_json_addr(&t->dst)) &&
	       report_json_set(o, "dport", dport ? json_integer(t->dport) : json_null());
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

/* Hands over the object when all of its keys could be set. */
static json_t *whole(json_t *o, bool ok)
{
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *input(const struct result *r, unsigned i)
{
	const struct result_input *in = &r->inputs[i];
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "file", report_json_str(in->file)) &&
		     report_json_set(o, "frames", report_json_u64(in->frames)) &&
		     report_json_set(o, "truncated_at", report_json_known(in->truncated_at)) &&
		     report_json_set(o, "reason", report_json_str(in->reason)));
}

static json_t *interface(const struct result *r, unsigned i)
{
	const struct result_interface *f = &r->capture.interfaces[i];
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "name", report_json_str(f->name)) &&
		     report_json_set(o, "role", report_json_role(f->role)) &&
		     report_json_set(o, "observations", report_json_u64(f->observations)) &&
		     report_json_set(o, "bytes", report_json_u64(f->bytes)) &&
		     report_json_set(o, "dropped_kernel", report_json_known(f->dropped_kernel)) &&
		     report_json_set(o, "dropped_interface",
				     report_json_known(f->dropped_interface)) &&
		     report_json_set(o, "dropped_podhop", report_json_u64(f->dropped_podhop)));
}

static json_t *capture(const struct result *r)
{
	bool seen = r->capture.start_ns || r->capture.end_ns;
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "start_ns", seen ? json_integer(r->capture.start_ns)
							 : json_null()) &&
		     report_json_set(o, "end_ns", seen ? json_integer(r->capture.end_ns)
						       : json_null()) &&
		     report_json_set(o, "observations", report_json_u64(r->capture.observations)) &&
		     report_json_set(o, "foreign", report_json_u64(r->capture.foreign)) &&
		     report_json_set(o, "filter_unsure", report_json_u64(r->capture.filter_unsure)) &&
		     report_json_set(o, "late", report_json_u64(r->capture.late)) &&
		     report_json_set(o, "closed_early", report_json_u64(r->capture.closed_early)) &&
		     report_json_set(o, "cpu_ns", report_json_u64(r->capture.cpu_ns)) &&
		     report_json_set(o, "max_rss_bytes", report_json_u64(r->capture.max_rss_bytes)) &&
		     report_json_set(o, "interfaces", list(r, r->capture.n_interfaces, interface)));
}

static json_t *packets(const struct result *r)
{
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "total", report_json_u64(r->packets.total)) &&
		     report_json_set(o, "complete", report_json_u64(r->packets.complete)) &&
		     report_json_set(o, "incomplete", report_json_u64(r->packets.incomplete)) &&
		     report_json_set(o, "ambiguous", report_json_u64(r->packets.ambiguous)) &&
		     report_json_set(o, "edge", report_json_u64(r->packets.edge)) &&
		     report_json_set(o, "not_ip", report_json_u64(r->packets.not_ip)) &&
		     report_json_set(o, "malformed", report_json_u64(r->packets.malformed)));
}

static json_t *path(const struct result *r, unsigned i)
{
	const struct result_path_row *p = &r->paths[i];
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "path", path_value(&p->path)) &&
		     report_json_set(o, "direction", string(model_direction_name(p->direction))) &&
		     report_json_set(o, "encapsulated", json_boolean(p->encapsulated)) &&
		     report_json_set(o, "packets", report_json_u64(p->packets)) &&
		     report_json_set(o, "bytes", report_json_u64(p->bytes)));
}

static json_t *tunnel(const struct result *r, unsigned i)
{
	const struct result_tunnel *t = &r->encapsulation.tunnels[i];
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "vni", json_integer(t->vni)) &&
		     report_json_set(o, "outer_src", report_json_addr(&t->outer_src)) &&
		     report_json_set(o, "outer_dst", report_json_addr(&t->outer_dst)) &&
		     report_json_set(o, "port", json_integer(t->port)) &&
		     report_json_set(o, "packets", report_json_u64(t->packets)) &&
		     report_json_set(o, "outer_datagrams", report_json_u64(t->outer_datagrams)) &&
		     report_json_set(o, "inner_bytes", report_json_u64(t->inner_bytes)) &&
		     report_json_set(o, "overhead_bytes", report_json_u64(t->overhead_bytes)) &&
		     report_json_set(o, "basis", basis_value(t->basis)));
}

static json_t *encapsulation(const struct result *r)
{
	uint64_t inner = r->encapsulation.inner_bytes, over = r->encapsulation.overhead_bytes;
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "inner_packets",
				     report_json_u64(r->encapsulation.inner_packets)) &&
		     report_json_set(o, "outer_datagrams",
				     report_json_u64(r->encapsulation.outer_datagrams)) &&
		     report_json_set(o, "outer_datagrams_computed",
				     report_json_u64(r->encapsulation.outer_datagrams_computed)) &&
		     report_json_set(o, "inner_bytes", report_json_u64(inner)) &&
		     report_json_set(o, "outer_bytes",
				     report_json_u64(r->encapsulation.outer_bytes)) &&
		     report_json_set(o, "overhead_bytes", report_json_u64(over)) &&
		     report_json_set(o, "overhead_pct",
				     inner ? json_real(100.0 * (double)over / (double)inner)
					   : json_null()) &&
		     report_json_set(o, "basis", basis_value(r->encapsulation.basis)) &&
		     report_json_set(o, "fragmented_outer",
				     report_json_u64(r->encapsulation.fragmented_outer)) &&
		     report_json_set(o, "fragment_bytes",
				     report_json_u64(r->encapsulation.fragment_bytes)) &&
		     report_json_set(o, "tunnels", list(r, r->encapsulation.n_tunnels, tunnel)));
}

static json_t *latency(const struct result *r, unsigned i)
{
	const struct result_latency *l = &r->latency[i];
	bool known = l->measurable && l->samples;
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "from", report_json_role(l->from)) &&
		     report_json_set(o, "to", report_json_role(l->to)) &&
		     report_json_set(o, "direction", string(model_direction_name(l->direction))) &&
		     report_json_set(o, "measurable", json_boolean(l->measurable)) &&
		     report_json_set(o, "samples", report_json_u64(l->samples)) &&
		     report_json_set(o, "min_ns", known ? report_json_u64(l->min_ns) : json_null()) &&
		     report_json_set(o, "p50_ns", known ? report_json_u64(l->p50_ns) : json_null()) &&
		     report_json_set(o, "p90_ns", known ? report_json_u64(l->p90_ns) : json_null()) &&
		     report_json_set(o, "p99_ns", known ? report_json_u64(l->p99_ns) : json_null()) &&
		     report_json_set(o, "max_ns", known ? report_json_u64(l->max_ns) : json_null()));
}

static json_t *translated(const struct result_flow *f)
{
	json_t *o;

	if (!f->translated)
		return json_null();
	o = json_object();
	return whole(o, set_tuple(o, &f->translation));
}

static json_t *flow(const struct result *r, unsigned i)
{
	const struct result_flow *f = &r->flows[i];
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "protocol", protocol_value(f->tuple.protocol)) &&
		     set_tuple(o, &f->tuple) &&
		     report_json_set(o, "translated", translated(f)) &&
		     report_json_set(o, "direction", string(model_direction_name(f->direction))) &&
		     report_json_set(o, "path", path_value(&f->path)) &&
		     report_json_set(o, "packets", report_json_u64(f->packets)) &&
		     report_json_set(o, "bytes", report_json_u64(f->bytes)) &&
		     report_json_set(o, "payload_bytes", report_json_u64(f->payload_bytes)) &&
		     report_json_set(o, "overhead_bytes", report_json_u64(f->overhead_bytes)) &&
		     report_json_set(o, "retransmissions", report_json_u64(f->retransmissions)));
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
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "last_seen", report_json_role(l->last_seen)) &&
		     report_json_set(o, "next_expected", report_json_role(l->next_expected)) &&
		     report_json_set(o, "direction", string(model_direction_name(l->direction))) &&
		     report_json_set(o, "packets", report_json_u64(l->packets)) &&
		     report_json_set(o, "bytes", report_json_u64(l->bytes)) &&
		     report_json_set(o, "verdict", string(l->lost ? "lost" : "unknown")) &&
		     report_json_set(o, "reason", report_json_str(l->reason)) &&
		     report_json_set(o, "evidence", evidence(l)));
}

static json_t *report(const struct result *r)
{
	json_t *o = json_object();

	return whole(o,
		     report_json_set(o, "schema", string("podhop.report/1")) &&
		     report_json_set(o, "node", report_json_str(r->node)) &&
		     report_json_set(o, "inputs", list(r, r->n_inputs, input)) &&
		     report_json_set(o, "capture", capture(r)) &&
		     report_json_set(o, "packets", packets(r)) &&
		     report_json_set(o, "paths", list(r, r->n_paths, path)) &&
		     report_json_set(o, "encapsulation", encapsulation(r)) &&
		     report_json_set(o, "latency", list(r, r->n_latency, latency)) &&
		     report_json_set(o, "flows", list(r, r->n_flows, flow)) &&
		     report_json_set(o, "flows_omitted", report_json_u64(r->flows_omitted)) &&
		     report_json_set(o, "losses", list(r, r->n_losses, loss)) &&
		     report_json_set(o, "losses_omitted", report_json_u64(r->losses_omitted)));
}

int report_result_json(FILE *out, const struct result *r, bool one_line)
{
	return report_json_dump(out, report(r), one_line);
}
