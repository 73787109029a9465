/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * verify_json.c - podhop.verify/1.
 */
#include "report_priv.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

static json_t *node_name(const struct report_verify *v, int node)
{
	return node >= 0 && (unsigned)node < v->n_nodes ? report_json_str(v->nodes[node])
							: json_null();
}

static json_t *place(const struct report_verify *v, int node, enum model_role role)
{
	char text[MODEL_K8S_NAME_MAX + 16];

	if (node < 0 || (unsigned)node >= v->n_nodes || role == MODEL_ROLE_NONE)
		return json_null();
	snprintf(text, sizeof(text), "%s:%s", v->nodes[node], model_role_name(role));
	return report_json_str(text);
}

static json_t *protocol(uint8_t p)
{
	const char *name = model_protocol_name(p);

	return name ? json_string(name) : json_integer(p);
}

static json_t *lost_packet(const struct report_verify *v, const struct verify_direction *d,
			   const struct verify_lost *l)
{
	json_t *o = json_object();
	/* Of one capture alone: its own, whichever way. */
	int node = d->from >= 0 ? d->from : d->to;
	const char *file = v->file && node >= 0 ? v->file(v->arg, (unsigned)node, l) : NULL;
	bool dport = l->tuple.has_ports && report_protocol_has_dport(l->tuple.protocol);

	if (o && report_json_set(o, "packet_id", report_json_u64(l->packet_id)) &&
	    report_json_set(o, "file", report_json_str(file)) &&
	    report_json_set(o, "frame", report_json_nonzero(l->frame)) &&
	    report_json_set(o, "time_ns", json_integer(l->time_ns)) &&
	    report_json_set(o, "src", report_json_addr(&l->tuple.src)) &&
	    report_json_set(o, "sport",
			    l->tuple.has_ports ? json_integer(l->tuple.sport) : json_null()) &&
	    report_json_set(o, "dst", report_json_addr(&l->tuple.dst)) &&
	    report_json_set(o, "dport", dport ? json_integer(l->tuple.dport) : json_null()) &&
	    report_json_set(o, "protocol", protocol(l->tuple.protocol)) &&
	    report_json_set(o, "ip_id", l->has_ip_id ? json_integer(l->ip_id) : json_null()) &&
	    report_json_set(o, "length", json_integer(l->length)) &&
	    report_json_set(o, "bytes_missing", json_integer(l->bytes_missing)) &&
	    report_json_set(o, "last_seen", place(v, l->last_node, l->last_role)) &&
	    report_json_set(o, "next_expected", place(v, l->next_node, l->next_role)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *delays(const struct verify_delays *d)
{
	json_t *o;

	if (!d->known)
		return json_null();
	o = json_object();
	if (o && report_json_set(o, "min", json_integer(d->min_ns)) &&
	    report_json_set(o, "p50", json_integer(d->p50_ns)) &&
	    report_json_set(o, "p90", json_integer(d->p90_ns)) &&
	    report_json_set(o, "p99", json_integer(d->p99_ns)) &&
	    report_json_set(o, "max", json_integer(d->max_ns)) &&
	    report_json_set(o, "samples", report_json_u64(d->samples)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *range(const struct verify_range *r, bool known)
{
	json_t *o;

	if (!known)
		return json_null();
	o = json_object();
	if (o && report_json_set(o, "min", json_integer(r->min)) &&
	    report_json_set(o, "max", json_integer(r->max)))
		return o;
	json_decref(o);
	return NULL;
}

/* null where nothing left inside VXLAN. */
static json_t *outer(const struct verify_outer *u)
{
	json_t *o;

	if (!u->packets)
		return json_null();
	o = json_object();
	if (o && report_json_set(o, "packets", report_json_u64(u->packets)) &&
	    report_json_set(o, "flows", json_integer(u->flows)) &&
	    report_json_set(o, "source_ports", json_integer(u->source_ports)) &&
	    report_json_set(o, "vni_differs", report_json_u64(u->vni_differs)) &&
	    report_json_set(o, "destination_differs", report_json_u64(u->destination_differs)) &&
	    report_json_set(o, "destination_foreign", report_json_u64(u->foreign)) &&
	    report_json_set(o, "destination", report_json_addr(&u->to)) &&
	    report_json_set(o, "destination_judged", report_json_u64(u->judged)) &&
	    report_json_set(o, "destination_unexpected", report_json_u64(u->unexpected)) &&
	    report_json_set(o, "destination_expected", report_json_addr(&u->expected)) &&
	    report_json_set(o, "destination_found", report_json_addr(&u->unexpected_to)) &&
	    report_json_set(o, "destination_varies", report_json_u64(u->varies)) &&
	    report_json_set(o, "ttl_differs", report_json_u64(u->ttl_differs)) &&
	    report_json_set(o, "ttl_sent", range(&u->ttl_sent, u->ttl_sent.max)) &&
	    report_json_set(o, "ttl_received", range(&u->ttl_received, u->ttl_received.max)) &&
	    report_json_set(o, "routers", range(&u->routers, u->routers_known)) &&
	    report_json_set(o, "ttl_rose", report_json_u64(u->ttl_rose)) &&
	    report_json_set(o, "df_set", report_json_u64(u->df)) &&
	    report_json_set(o, "fragmented", report_json_u64(u->fragmented)) &&
	    report_json_set(o, "fragmented_between", report_json_u64(u->fragmented_between)) &&
	    report_json_set(o, "checksum_zero", report_json_u64(u->checksum_zero)))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *lost_between(const struct report_verify *v, const struct verify_place *p)
{
	json_t *o = json_object(), *evidence = json_array();

	for (unsigned i = 0; evidence && i < p->n_evidence; i++)
		if (json_array_append_new(evidence, report_json_str(p->evidence[i])) < 0) {
			json_decref(evidence);
			evidence = NULL;
		}
	if (o && report_json_set(o, "last_seen", place(v, p->last_node, p->last_role)) &&
	    report_json_set(o, "next_expected", place(v, p->next_node, p->next_role)) &&
	    report_json_set(o, "packets", report_json_u64(p->packets)) &&
	    report_json_set(o, "reason", report_json_str(p->reason))) {
		if (report_json_set(o, "evidence", evidence))
			return o;
		evidence = NULL;
	}
	json_decref(evidence);
	json_decref(o);
	return NULL;
}

static json_t *direction(const struct report_verify *v, const struct verify_direction *d)
{
	json_t *o = json_object(), *lost = json_array(), *places = json_array();

	for (unsigned i = 0; places && i < d->n_places; i++)
		if (json_array_append_new(places, lost_between(v, &d->places[i])) < 0) {
			json_decref(places);
			places = NULL;
		}
	for (uint32_t i = 0; lost && i < d->n_lost_packets; i++)
		if (json_array_append_new(lost, lost_packet(v, d, &d->lost_packets[i])) < 0) {
			json_decref(lost);
			lost = NULL;
		}
	if (o && report_json_set(o, "from", node_name(v, d->from)) &&
	    report_json_set(o, "to", node_name(v, d->to)) &&
	    report_json_set(o, "sent", report_json_u64(d->sent)) &&
	    report_json_set(o, "delivered", report_json_u64(d->delivered)) &&
	    report_json_set(o, "lost", report_json_u64(d->lost)) &&
	    report_json_set(o, "altered", report_json_u64(d->altered)) &&
	    report_json_set(o, "duplicated", report_json_u64(d->duplicated)) &&
	    report_json_set(o, "reordered", report_json_u64(d->reordered)) &&
	    report_json_set(o, "unknown", report_json_u64(d->unknown)) &&
	    report_json_set(o, "unprovable", report_json_u64(d->unprovable)) &&
	    report_json_set(o, "out_of_scope", report_json_u64(d->out_of_scope)) &&
	    report_json_set(o, "bytes_missing", report_json_u64(d->bytes_missing)) &&
	    report_json_set(o, "one_way_delay_ns", delays(&d->delays)) &&
	    report_json_set(o, "outer", outer(&d->outer)) &&
	    report_json_set(o, "lost_packets_omitted", report_json_u64(d->lost_omitted))) {
		if (report_json_set(o, "lost_packets", lost)) {
			if (report_json_set(o, "places", places))
				return o;
			places = NULL;
		}
		lost = NULL;
	}
	json_decref(places);
	json_decref(lost);
	json_decref(o);
	return NULL;
}

static json_t *clock_line(const struct report_verify *v, const struct verify_pair *p)
{
	const struct verify_clock_line *l = &p->line;
	json_t *o = json_object();
	/* A thousandth of a ppm is beyond what any traffic tells; and no zero is negative. */
	double ppm = round(l->drift * 1e9) / 1e3 + 0.0;

	if (o && report_json_set(o, "node", node_name(v, p->node)) &&
	    report_json_set(o, "reference", node_name(v, p->reference)) &&
	    report_json_set(o, "at_ns",
			    l->known && l->at_ns ? json_integer(l->at_ns) : json_null()) &&
	    report_json_set(o, "offset_ns", l->known ? json_integer(l->offset_ns) : json_null()) &&
	    report_json_set(o, "drift_ppm", l->known ? json_real(ppm) : json_null()) &&
	    report_json_set(o, "uncertainty_ns", report_json_known(l->uncertainty_ns)) &&
	    report_json_set(o, "method", report_json_str(p->method)) &&
	    report_json_set(o, "steps", report_json_u64(p->steps)))
		return o;
	json_decref(o);
	return NULL;
}

/* A list of n values made by `one`; NULL when out of memory. */
#define LIST(array, n, one)                                    \
	for (unsigned i = 0; (array) && i < (n); i++)          \
		if (json_array_append_new(array, (one)) < 0) { \
			json_decref(array);                    \
			(array) = NULL;                        \
		}

int report_verify_json(FILE *out, const struct report_verify *v, bool one_line)
{
	const struct verify_result *r = v->result;
	json_t *o = json_object(), *nodes = json_array(), *directions = json_array();
	json_t *clocks = json_array(), *reasons = json_array();
	bool good;

	LIST(nodes, v->n_nodes, report_json_str(v->nodes[i]))
	LIST(directions, r->n_directions, direction(v, &r->directions[i]))
	LIST(clocks, r->n_clocks, clock_line(v, &r->clocks[i]))
	LIST(reasons, r->n_reasons, report_json_str(r->reasons[i]))
	/* Each takes its value over, also when it fails. */
	good = o && report_json_set(o, "schema", json_string("podhop.verify/1"));
	good = report_json_set(o, "verdict", json_string(verify_verdict_name(r->verdict))) && good;
	good = report_json_set(o, "nodes", nodes) && good;
	good = report_json_set(o, "directions", directions) && good;
	good = report_json_set(o, "clocks", clocks) && good;
	good = report_json_set(o, "reasons", reasons) && good;
	if (!good) {
		json_decref(o);
		o = NULL;
	}
	return report_json_dump(out, o, one_line);
}
