/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * api.c - the table of routes and the functions that answer them.
 */
#include "api.h"

#include <string.h>

#include "destquery.h"
#include "detail.h"
#include "explore.h"
#include "geolink.h"
#include "graphapi.h"
#include "intake.h"
#include "knockquery.h"
#include "lib/loop.h"
#include "login.h"
#include "map.h"
#include "metrics.h"
#include "pathquery.h"
#include "projection.h"
#include "query.h"
#include "store.h"

#define HTTP_BAD_REQUEST 400

/* ---- the functions ---- */

static int
get_conns(struct api *a, const struct api_request *q, struct api_answer *r)
{
	return query_conns(a->store, &r->json, q->params.limit, q->params.before);
}

static struct ask
ask_of(const struct api_request *q)
{
	return (struct ask){ .window_s = q->params.window_s, .until_us = q->params.until_us, .limit = q->params.limit,
			     .sensor = q->params.sensor, .port = q->params.port, .asn = q->params.asn,
			     .cc = q->params.given & PARAM_CC ? q->params.cc : NULL };
}

static int
get_destinations(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);

	return destquery_list(a->store, &r->json, &ask,
			      !strcmp(q->params.by, "host") ? DESTQUERY_HOST :
			      !strcmp(q->params.by, "as") ? DESTQUERY_AS :
			      !strcmp(q->params.by, "cc") ? DESTQUERY_CC : DESTQUERY_PORT);
}

static int
get_failures(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);

	return query_failures(a->store, &r->json, &ask);
}

static int
get_attempts(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);

	return knockquery_sources(a->store, &r->json, &ask);
}

static int
get_inbound(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);

	return knockquery_inbound(a->store, &r->json, &ask);
}

static int
get_sensors(struct api *a, const struct api_request *q, struct api_answer *r)
{
	int e;

	(void)q;
	json_map(&r->json, NULL);
	e = query_sensors(a->store, &r->json, clock_wall_us());
	if (!e)
		e = login_enrolled(a->gate, &r->json);
	json_close(&r->json);
	return e;
}

static int
get_summary(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);

	return query_summary(a->store, &r->json, &ask);
}

static int
get_storage(struct api *a, const struct api_request *q, struct api_answer *r)
{
	int e;

	(void)q;
	json_map(&r->json, NULL);
	e = query_storage(a->store, &r->json);
	json_map(&r->json, "geo");
	geolink_put(a->geo, &r->json);
	json_close(&r->json);
	projection_put(a->graph, store_db(a->store), &r->json);
	json_close(&r->json);
	return e;
}

static int
get_paths(struct api *a, const struct api_request *q, struct api_answer *r)
{
	return q->params.dst[0] ? pathquery_one(a->store, &r->json, q->params.dst)
				: pathquery_list(a->store, &r->json, q->params.limit);
}

#define GRAPH_WINDOW_S (7 * 86400) /* unless another is asked for */

static struct pathquery
ask_paths(const struct api_request *q)
{
	return (struct pathquery){ .limit = q->params.limit, .sensor = q->params.sensor, .until_us = q->params.until_us,
				   .at_us = q->params.given & PARAM_AT ? q->params.at_us : -1,
				   .window_s = q->params.given & PARAM_WINDOW ? q->params.window_s : GRAPH_WINDOW_S };
}

static int
get_graph(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct pathquery ask = ask_paths(q);

	return pathquery_graph(a->store, &r->json, &ask);
}

static int
get_hop(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct pathquery ask = ask_paths(q);

	return q->params.ip[0] ? pathquery_hop(a->store, &r->json, q->params.ip, &ask)
			       : answer_refuse(r, HTTP_BAD_REQUEST, "ip is missing: the hop's address");
}

static int
get_geo(struct api *a, const struct api_request *q, struct api_answer *r)
{
	(void)q;
	json_map(&r->json, NULL);
	geolink_status(a->geo, &r->json);
	json_close(&r->json);
	return 0;
}

static int
get_map(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct ask ask = ask_of(q);
	int e;

	json_map(&r->json, NULL);
	e = map_write(a->store, &r->json, &ask);
	geolink_attribution(a->geo, &r->json, "attribution");
	json_close(&r->json);
	return e;
}

static int
get_health(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct store_sizes sizes = store_sizes(a->store);
	struct intake_counts counts = intake_counts(a->intake);
	struct json *j = &r->json;

	(void)q;
	json_map(j, NULL);
	if (counts.failing_us) {
		json_raw_str(j, "status", "degraded", 8);
		json_time(j, "since_ts", counts.failing_us);
	} else {
		json_raw_str(j, "status", "ok", 2);
	}
	json_raw_str(j, "version", VERSION, strlen(VERSION));
	json_int(j, "up_s", (clock_mono_us() - a->started_us) / 1000000);
	json_uint(j, "accepted", counts.accepted);
	json_uint(j, "duplicate", counts.duplicate);
	json_uint(j, "rejected", counts.rejected);
	json_uint(j, "not_stored", counts.not_stored);
	json_int(j, "rows", sizes.rows);
	json_int(j, "bytes", sizes.bytes);
	query_removed(&sizes, j);
	json_int(j, "last_id", sizes.last_id);
	json_uint(j, "connections", a->connections);
	json_uint(j, "streams", a->streams);
	projection_put(a->graph, store_db(a->store), j);
	json_close(j);
	return 0;
}

static int
get_metrics(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct store_sizes sizes = store_sizes(a->store);
	struct intake_counts counts = intake_counts(a->intake);
	struct metrics m = { .up_s = (clock_mono_us() - a->started_us) / 1000000,
			     .accepted = counts.accepted, .duplicate = counts.duplicate, .rejected = counts.rejected,
			     .not_stored = counts.not_stored, .removed = sizes.removed,
			     .rollups_removed = sizes.rollups_removed, .rollups_merged = sizes.rollups_merged,
			     .rows = sizes.rows, .bytes = sizes.bytes, .last_id = sizes.last_id,
			     .connections = a->connections, .streams = a->streams,
			     .geo = geolink_counts(a->geo) };

	(void)q;
	m.has_graph = projection_counts(a->graph, store_db(a->store), &m.graph);
	r->type = METRICS_TYPE;
	r->json.len = metrics_write(&m, r->json.buf);
	return 0;
}

static int
get_destination(struct api *a, const struct api_request *q, struct api_answer *r)
{
	if (!q->params.dst[0])
		return answer_refuse(r, HTTP_BAD_REQUEST, "dst is missing: the destination's IP address");
	return detail_write(a->store, &r->json, &q->params);
}

static int
get_explore(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct explore_sent sent;
	int e = explore_write(a->store, &r->json, &q->params, &sent);

	r->type = sent.type;
	r->download = sent.download;
	r->next = sent.next;
	if (sent.wrong)
		r->status = HTTP_BAD_REQUEST;
	return e;
}

static int
get_explore_fields(struct api *a, const struct api_request *q, struct api_answer *r)
{
	(void)a;
	(void)q;
	explore_fields(&r->json);
	return 0;
}

/* ---- the table ---- */

#define OF_A_WINDOW (PARAM_WINDOW | PARAM_UNTIL | PARAM_SENSOR)

static const struct api_route routes[] = {
	{ "/v1/reports", API_REPORTS, 0, 0, NULL, 0 },
	{ "/events", API_EVENTS, 0, 0, NULL, 0 },
	{ "/api/conns", API_GET, PARAM_LIMIT | PARAM_BEFORE, 200, get_conns, API_KEEP },
	{ "/api/destinations", API_GET, OF_A_WINDOW | PARAM_LIMIT | PARAM_BY | PARAM_ASN | PARAM_CC, 100, get_destinations, API_KEEP },
	{ "/api/failures", API_GET, OF_A_WINDOW | PARAM_LIMIT, 100, get_failures, API_KEEP },
	{ "/api/attempts", API_GET, OF_A_WINDOW | PARAM_LIMIT | PARAM_PORT, 100, get_attempts, API_KEEP },
	{ "/api/inbound", API_GET, OF_A_WINDOW, 0, get_inbound, API_KEEP },
	{ "/api/sensors", API_GET, 0, 0, get_sensors, 0 },
	{ "/api/summary", API_GET, OF_A_WINDOW, 0, get_summary, API_KEEP },
	{ "/api/storage", API_GET, 0, 0, get_storage, 0 },
	{ "/api/paths", API_GET, PARAM_LIMIT | PARAM_DST, 100, get_paths, API_KEEP },
	{ "/api/graph", API_GET, OF_A_WINDOW | PARAM_LIMIT | PARAM_AT, 100, get_graph, API_KEEP | API_BIG },
	{ "/api/cypher", API_POST, 0, 0, graphapi_cypher, 0 },
	{ "/api/hop", API_GET, OF_A_WINDOW | PARAM_IP, 0, get_hop, API_KEEP },
	{ "/api/destination", API_GET, PARAM_DST | PARAM_PORT | PARAM_WINDOW | PARAM_UNTIL | PARAM_SENSOR, 0, get_destination, API_KEEP },
	{ "/api/explore", API_GET,
	  PARAM_Q | PARAM_COLS | PARAM_WINDOW | PARAM_UNTIL | PARAM_LIMIT | PARAM_BEFORE | PARAM_FORMAT | PARAM_SENSOR, 100,
	  get_explore, 0 },
	{ "/api/explore/fields", API_GET, 0, 0, get_explore_fields, 0 },
	{ "/api/geo", API_GET, 0, 0, get_geo, 0 },
	{ "/api/session", API_GET, 0, 0, login_session, API_OPEN },
	{ "/api/login", API_POST, 0, 0, login_in, API_OPEN },
	{ "/api/logout", API_POST, 0, 0, login_out, API_CSRF },
	{ "/api/enroll", API_POST, 0, 0, login_enroll, API_CSRF },
	{ "/api/revoke", API_POST, 0, 0, login_revoke, API_CSRF },
	{ "/v1/enroll", API_POST, 0, 0, login_redeem, API_OPEN },
	{ "/api/map", API_GET, PARAM_WINDOW | PARAM_UNTIL | PARAM_SENSOR, 0, get_map, API_KEEP },
	{ "/health", API_GET, 0, 0, get_health, 0 },
	{ "/metrics", API_GET, 0, 0, get_metrics, 0 },
};

const struct api_route *
api_find(const char *path)
{
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (!strcmp(routes[i].path, path))
			return &routes[i];
	}
	return NULL;
}
