#include "api/exposition.h"

#include "base/mem.h"
#include "store/nodes.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

/* --- HTTP --- */

static void put_codes(struct text_format *t, const struct http_route_stats *r,
                      const char *operation, const char *method)
{
    for (size_t i = 0; i < HTTP_STATUS_COUNT; i++) {
        char code[8];
        if (!r->by_status[i])
            continue;
        snprintf(code, sizeof code, "%d", HTTP_STATUSES[i]);
        sample_begin(t, "paddock_http_requests", "_total");
        sample_label(t, "operation", operation);
        sample_label(t, "method", method);
        sample_label(t, "code", code);
        sample_uint(t, r->by_status[i]);
    }
}

static void put_durations(struct text_format *t, const struct http_route_stats *r,
                          const char *operation)
{
    static const char NAME[] = "paddock_http_request_duration_seconds";
    for (size_t i = 0; i <= HTTP_BUCKET_COUNT; i++) {
        sample_begin(t, NAME, "_bucket");
        sample_label(t, "operation", operation);
        sample_le(t, i < HTTP_BUCKET_COUNT ? HTTP_BUCKETS[i] : INFINITY);
        sample_uint(t, i < HTTP_BUCKET_COUNT ? r->seconds_le[i] : r->count);
    }
    sample_begin(t, NAME, "_count");
    sample_label(t, "operation", operation);
    sample_uint(t, r->count);
    sample_begin(t, NAME, "_sum");
    sample_label(t, "operation", operation);
    sample_number(t, r->seconds_sum);
}

static size_t count_routes(void)
{
    size_t n = 0;
    while (ROUTES[n].path)
        n++;
    return n + 1; /* and those without a route */
}

static void put_routes(struct text_format *t, struct http_server *http)
{
    size_t room = count_routes();
    struct http_route_stats *stats = mem_zero(room, sizeof *stats);
    size_t n = http_route_stats(http, stats, room);
    n = n < room ? n : room;
    metric_family(t, "paddock_http_requests", METRIC_COUNTER,
                  "Replies by operation, method and status.");
    for (size_t i = 0; i < n; i++) {
        const struct route *r = stats[i].route;
        put_codes(t, &stats[i], r ? r->operation : "none", r ? method_name(r->method) : "none");
    }
    metric_family(t, "paddock_http_request_duration_seconds", METRIC_HISTOGRAM,
                  "From the end of the headers to the reply.");
    for (size_t i = 0; i < n; i++)
        if (stats[i].count)
            put_durations(t, &stats[i], stats[i].route ? stats[i].route->operation : "none");
    free(stats);
}

static void put_tls(struct text_format *t, const struct http_stats *s)
{
    if (!s->certificate_expires_ms)
        return;
    metric_counter(t, "paddock_tls_handshakes", "TLS handshakes done.", (double)s->handshakes);
    metric_counter(t, "paddock_tls_handshakes_failed",
                   "TLS handshakes that broke, took too long or gave way.",
                   (double)s->handshakes_failed);
    metric_gauge(t, "paddock_tls_certificate_expires_seconds",
                 "When the certificate in force expires, seconds since 1970.",
                 (double)s->certificate_expires_ms / 1000);
}

static void put_http(struct text_format *t, struct http_server *http)
{
    struct http_stats s = {0};
    http_stats(http, &s);
    put_routes(t, http);
    put_tls(t, &s);
    metric_counter(t, "paddock_http_connections_accepted", "Connections accepted.",
                   (double)s.accepted);
    metric_counter(t, "paddock_http_connections_refused",
                   "Connections refused, for there were too many.", (double)s.refused_connections);
    metric_gauge(t, "paddock_http_connections_open", "Connections open now.",
                 (double)s.open_connections);
    metric_gauge(t, "paddock_http_body_bytes_in_flight", "Bytes of request bodies held now.",
                 (double)s.body_bytes_in_flight);
    metric_counter(t, "paddock_http_received_bytes", "Bytes received.", (double)s.bytes_in);
    metric_counter(t, "paddock_http_sent_bytes", "Bytes sent.", (double)s.bytes_out);
    metric_gauge(t, "paddock_http_loop_lag_seconds",
                 "Worst lateness of a loop since the last scrape.", s.loop_lag_seconds_max);
}

/* --- changes --- */

static void put_engine(struct text_format *t, struct engine *engine)
{
    struct engine_stats s = {0};
    engine_stats(engine, &s);
    metric_counter(t, "paddock_commands", "Changes asked for.", (double)s.commands);
    metric_counter(t, "paddock_commands_refused", "Changes refused by a rule.", (double)s.refused);
    metric_counter(t, "paddock_command_batches", "Group commits decided.", (double)s.batches);
    metric_gauge(t, "paddock_command_batch_largest",
                 "Most changes in one group since the last scrape.", (double)s.batch_commands_max);
    metric_gauge(t, "paddock_commands_waiting", "Changes that wait for the engine.",
                 (double)s.waiting);
    metric_gauge(t, "paddock_journal_seq", "Sequence of the newest journal entry.", (double)s.seq);
}

static void put_store(struct text_format *t, struct store *store)
{
    struct store_stats s = {0};
    store->ops->stats(store, &s);
    metric_gauge(t, "paddock_store_up", "1 while the store takes writes.", s.available);
    metric_gauge(t, "paddock_store_down_since_seconds",
                 "When the store stopped taking writes, 0 while it takes them.",
                 (double)s.unavailable_since / 1000.0);
    metric_gauge(t, "paddock_store_epoch", "Grows when the store lost acknowledged changes.",
                 (double)store_epoch(store));
    metric_counter(t, "paddock_store_losses", "Losses of those that this process saw.",
                   (double)s.losses);
    metric_counter(t, "paddock_store_commits", "Commits.", (double)s.commits);
    metric_counter(t, "paddock_store_commit_failures", "Commits that failed.",
                   (double)s.commit_failures);
    metric_counter(t, "paddock_store_commit_seconds", "Time spent in commits.",
                   s.commit_seconds_sum);
    metric_gauge(t, "paddock_store_commit_slowest_seconds", "Slowest commit since the last scrape.",
                 s.commit_seconds_max);
    metric_gauge(t, "paddock_store_waiting", "Requests that wait for the store.",
                 (double)s.waiting);
    metric_gauge(t, "paddock_store_size_bytes", "Size of the store's files.", (double)s.size_bytes);
    metric_gauge(t, "paddock_store_log_bytes", "Size of the store's write-ahead logs.",
                 (double)s.log_bytes);
}

/* --- records --- */

static void put_records(struct text_format *t, struct telemetry *telemetry)
{
    struct telemetry_stats s = {0};
    telemetry_stats(telemetry, &s);
    metric_gauge(t, "paddock_records_up", "1 while the log of records takes writes.", s.available);
    metric_counter(t, "paddock_records", "Inference records on disk.", (double)s.records);
    metric_counter(t, "paddock_record_batches", "Batches of records written.", (double)s.batches);
    metric_counter(t, "paddock_record_batches_refused", "Batches refused, for a bound was reached.",
                   (double)s.refused_batches);
    metric_counter(t, "paddock_record_write_failures", "Writes of records that failed.",
                   (double)s.failures);
    metric_counter(t, "paddock_record_syncs", "Times the log of records was synced.",
                   (double)s.syncs);
    metric_counter(t, "paddock_record_sync_seconds", "Time spent in those.", s.sync_seconds_sum);
    metric_gauge(t, "paddock_record_sync_slowest_seconds", "Slowest of them since the last scrape.",
                 s.sync_seconds_max);
    metric_gauge(t, "paddock_record_sync_largest",
                 "Most records in one sync since the last scrape.", (double)s.records_per_sync_max);
    metric_gauge(t, "paddock_record_batches_waiting", "Batches that wait for the log.",
                 (double)s.queued_batches);
    metric_gauge(t, "paddock_record_waiting_bytes", "Their size.", (double)s.queued_bytes);
    metric_gauge(t, "paddock_record_log_bytes", "Records on disk that are not rolled up.",
                 (double)s.log_bytes);
    metric_gauge(t, "paddock_record_log_max_bytes", "Where new records are refused.",
                 (double)s.log_max_bytes);
    metric_gauge(t, "paddock_record_segments", "Files of the log of records.", (double)s.segments);
    metric_gauge(t, "paddock_windows_models", "Models with windows in memory.",
                 (double)s.models_live);
    metric_gauge(t, "paddock_windows_bytes", "Memory of windows.", (double)s.window_bytes);
    metric_gauge(t, "paddock_recent_bytes", "Memory of recent records.", (double)s.ring_bytes);
    metric_gauge(t, "paddock_rolled_up_to_seconds",
                 "Time up to which records are rolled up, since 1970.",
                 (double)s.rolled_up_to / 1000);
    if (!s.fleet)
        return;
    metric_counter(t, "paddock_fleet_told", "Times this node told the others what it had counted.",
                   (double)s.deltas_told);
    metric_counter(t, "paddock_fleet_told_bytes", "What that took.", (double)s.delta_bytes_told);
    metric_counter(t, "paddock_fleet_heard_bytes", "What others told.",
                   (double)s.delta_bytes_heard);
    metric_counter(t, "paddock_fleet_missed",
                   "Deltas that were damaged, or gone when they were wanted: the log says more.",
                   (double)s.deltas_missed);
}

/* --- webhooks --- */

struct waiting {
    struct text_format *t;
    const char *family;
    bool failures;
};

static void put_waiting(void *ctx, const char *ns, const char *id, uint64_t pending,
                        uint64_t failures)
{
    const struct waiting *w = ctx;
    sample_begin(w->t, w->family, "");
    sample_label(w->t, "namespace", ns);
    sample_label(w->t, "webhook_id", id);
    sample_uint(w->t, w->failures ? failures : pending);
}

static void put_webhooks(struct text_format *t, struct deliveries *d)
{
    struct deliver_stats s;
    struct waiting w = {t, "paddock_webhook_pending", false};
    deliver_stats(d, &s);
    metric_counter(t, "paddock_webhook_deliveries", "Events that receivers took.",
                   (double)s.delivered);
    metric_counter(t, "paddock_webhook_deliveries_failed", "Events given up.", (double)s.failed);
    metric_counter(t, "paddock_webhook_deliveries_dropped",
                   "Events not sent: their webhook was deleted or disabled.", (double)s.dropped);
    metric_counter(t, "paddock_webhook_attempts_failed", "Attempts that failed.",
                   (double)s.failed_attempts);
    metric_gauge(t, "paddock_webhook_journal_behind",
                 "Journal entries not looked at for webhooks yet.", (double)s.behind);
    metric_family(t, w.family, METRIC_GAUGE, "Events that wait, by webhook.");
    deliver_waiting(d, put_waiting, &w);
    w = (struct waiting){t, "paddock_webhook_failures", true};
    metric_family(t, w.family, METRIC_GAUGE,
                  "Attempts since the last that went well, by webhook for which events wait.");
    deliver_waiting(d, put_waiting, &w);
}

void exposition_put_server(struct text_format *t, struct api *api)
{
    struct http_server *http = atomic_load(&api->http);
    metric_family(t, "paddock_build_info", METRIC_GAUGE, "The version that runs.");
    sample_begin(t, "paddock_build_info", "");
    sample_label(t, "version", api->version);
    sample_uint(t, 1);
    if (http)
        put_http(t, http);
    put_engine(t, api->engine);
    put_store(t, api->store);
    put_records(t, api->telemetry);
    put_webhooks(t, api->deliveries);
    metric_gauge(t, "paddock_events_followers", "Clients that follow the events.",
                 (double)feed_followers(api->feed));
    metric_gauge(t, "paddock_searches_waiting", "Answers that wait for a reader thread.",
                 (double)pool_waiting(api->readers));
}
