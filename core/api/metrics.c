#include "api/metrics.h"

#include "api/handlers.h"
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WINDOW   "1h"
#define DEFAULT_QUANTILE 0.999

/* What was asked, beside the query itself. */
struct asked {
    const char *reference;
    const char *window; /* as given; NULL with from or to */
    struct metrics_query query;
};

/* --- asking --- */

static bool span_read(struct call *c, const char *where, const char *text, int64_t *ms,
                      struct err *e)
{
    int64_t most = telemetry_retention_ms(c->api->telemetry);
    if (!span_parse(text, ms))
        return call_fault(c->arena, where, e,
                          "must be a whole number and s, m, h or d, such as 15m");
    return *ms <= most ||
           call_fault(c->arena, where, e, "must not be longer than what is kept: %" PRId64 "s",
                      most / 1000);
}

static bool window_read(struct call *c, struct asked *asked, struct err *e)
{
    const struct parameters *p = &c->q;
    struct metrics_query *q = &asked->query;
    if (p->window && p->from)
        return call_fault(c->arena, "window", e, "is given, and so is from: give one of them");
    if (p->from && p->to && p->from >= p->to)
        return call_fault(c->arena, "from", e, "must lie before to");
    if (p->from && !p->to && p->from >= clock_wall_ms(c->api->clock))
        return call_fault(c->arena, "from", e, "must lie in the past");
    q->from = p->from;
    q->to = p->to;
    asked->window = p->window ? p->window : p->from || p->to ? NULL : DEFAULT_WINDOW;
    return span_read(c, "window", p->window ? p->window : DEFAULT_WINDOW, &q->window_ms, e);
}

static bool quantiles_read(struct call *c, struct metrics_query *q, struct err *e)
{
    const char *p = c->q.quantiles;
    if (!p) {
        q->quantiles[q->n_quantiles++] = DEFAULT_QUANTILE;
        q->quantiles_unasked = true;
        return true;
    }
    for (;;) {
        char *end;
        double value = strtod(p, &end);
        if (end == p || (*end && *end != ',') || !(value >= 0 && value <= 1) ||
            strpbrk(p, "xXnNpP"))
            return call_fault(c->arena, "quantiles", e,
                              "must be numbers from 0 to 1, parted by commas");
        if (q->n_quantiles == METRICS_QUANTILES_MAX)
            return call_fault(c->arena, "quantiles", e, "must be at most %d",
                              METRICS_QUANTILES_MAX);
        q->quantiles[q->n_quantiles++] = value;
        if (!*end)
            return true;
        p = end + 1;
    }
}

static bool asked_read(struct call *c, struct asked *asked, struct err *e)
{
    asked->reference = request_param(c->rq, "model_id");
    asked->query.method =
        c->q.method && strcmp(c->q.method, "promql") == 0 ? METHOD_PROMQL : METHOD_RANK;
    return window_read(c, asked, e) && quantiles_read(c, &asked->query, e) &&
           (!c->q.resolution ||
            span_read(c, "resolution", c->q.resolution, &asked->query.resolution_ms, e));
}

/* --- answering --- */

static void put_object(struct bytes *b, const char *key)
{
    json_key(b, key);
    bytes_char(b, '{');
}

static void put_inferences(struct bytes *b, const struct metrics *m)
{
    put_object(b, "inferences");
    json_kv_int(b, "total", (int64_t)m->total);
    json_kv_int(b, "success", (int64_t)m->success);
    json_kv_int(b, "failure", (int64_t)m->failure);
    json_kv_number(b, "success_rate_ratio", m->total ? (double)m->success / (double)m->total : NAN);
    bytes_char(b, '}');
}

static void put_errors(struct bytes *b, const struct metrics *m)
{
    put_object(b, "errors");
    for (size_t i = 0; i < m->n_errors; i++)
        json_kv_int(b, m->errors[i].type, (int64_t)m->errors[i].count);
    bytes_char(b, '}');
    json_kv_int(b, "clock_skewed", (int64_t)m->clock_skewed);
    json_kv_int(b, "mismatched", (int64_t)m->mismatched);
}

static void put_quantiles(struct bytes *b, const struct metrics_query *q,
                          const struct latency_summary *l)
{
    put_object(b, "quantiles");
    for (size_t i = 0; i < q->n_quantiles; i++) {
        bool repeated = false;
        for (size_t k = 0; k < i; k++)
            repeated = repeated || q->quantiles[k] == q->quantiles[i];
        if (repeated) /* an object must not have a key twice */
            continue;
        struct bytes name = BYTES_INIT(64);
        json_put_number(&name, q->quantiles[i] + 0.0); /* -0 is 0 */
        json_kv_number(b, name.data, l->quantiles[i]);
        bytes_release(&name);
    }
    bytes_char(b, '}');
}

static void put_latency(struct bytes *b, const struct metrics_query *q,
                        const struct latency_summary *l)
{
    put_object(b, "latency_ms");
    json_kv_int(b, "count", (int64_t)l->count);
    json_kv_number(b, "min", l->min);
    json_kv_number(b, "max", l->max);
    json_kv_number(b, "mean", l->mean);
    json_kv_number(b, "p50", l->p50);
    json_kv_number(b, "p95", l->p95);
    json_kv_number(b, "p99", l->p99);
    put_quantiles(b, q, l);
    json_kv_bool(b, "exact", l->exact);
    json_kv_number(b, "error_bound_ratio", l->error_bound_ratio);
    json_kv_bool(b, "low_sample", l->low_sample);
    bytes_char(b, '}');
}

static void put_scores(struct bytes *b, const struct metrics *m)
{
    put_object(b, "scores");
    for (size_t i = 0; i < m->n_scores; i++) {
        const struct score_summary *s = &m->scores[i];
        put_object(b, s->name);
        json_kv_int(b, "count", (int64_t)s->count);
        json_kv_number(b, "mean", s->mean);
        json_kv_number(b, "min", s->min);
        json_kv_number(b, "max", s->max);
        json_kv_number(b, "variance", s->variance);
        bytes_char(b, '}');
    }
    bytes_char(b, '}');
}

static void put_recent(struct bytes *b, const struct metrics *m)
{
    put_object(b, "recent");
    json_kv_int(b, "count", (int64_t)m->recent.count);
    json_kv_int(b, "capacity", (int64_t)m->recent.capacity);
    json_kv_number(b, "min", m->recent.min);
    json_kv_number(b, "max", m->recent.max);
    json_kv_number(b, "p50", m->recent.p50);
    json_kv_number(b, "p95", m->recent.p95);
    json_kv_number(b, "p99", m->recent.p99);
    json_kv_string(b, "scope", "node");
    bytes_char(b, '}');
}

static void put_lifetime(struct bytes *b, const struct metrics *m)
{
    put_object(b, "lifetime");
    json_kv_int(b, "total", (int64_t)m->lifetime.total);
    json_kv_int(b, "success", (int64_t)m->lifetime.success);
    json_kv_int(b, "failure", (int64_t)m->lifetime.failure);
    bytes_char(b, '}');
}

static void put_series(struct bytes *b, const struct metrics *m)
{
    json_kv_int(b, "resolution_ms", m->resolution_ms);
    json_key(b, "series");
    bytes_char(b, '[');
    for (size_t i = 0; i < m->n_series; i++) {
        const struct metrics_point *p = &m->series[i];
        bytes_text(b, i ? ",{" : "{");
        json_kv_time(b, "start", p->start);
        json_kv_int(b, "count", (int64_t)p->count);
        json_kv_int(b, "failure", (int64_t)p->failure);
        json_kv_number(b, "p50", p->p50);
        json_kv_number(b, "p95", p->p95);
        json_kv_number(b, "p99", p->p99);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
}

static bool metrics_put(struct work *w, const struct model_key *key, const struct asked *asked)
{
    struct metrics m = {0};
    const struct metrics_query *q = &asked->query;
    if (!telemetry_metrics(w->api->telemetry, key->uid, q, w->arena, &m, &w->err))
        return false;
    struct bytes *b = &w->out;
    bytes_char(b, '{');
    json_kv_string(b, "model_id", key->model_id);
    json_kv_string(b, "window", asked->window);
    json_kv_time(b, "from", m.from);
    json_kv_time(b, "to", m.to);
    put_inferences(b, &m);
    put_errors(b, &m);
    put_latency(b, q, &m.latency);
    put_scores(b, &m);
    put_recent(b, &m);
    put_lifetime(b, &m);
    if (q->resolution_ms)
        put_series(b, &m);
    bytes_char(b, '}');
    return true;
}

bool metrics_put_default(struct work *w, const struct model_key *key)
{
    struct asked asked = {
        .window = DEFAULT_WINDOW,
        .query = {.quantiles = {DEFAULT_QUANTILE}, .n_quantiles = 1, .quantiles_unasked = true}};
    return span_parse(DEFAULT_WINDOW, &asked.query.window_ms) && metrics_put(w, key, &asked);
}

static bool metrics_render(struct work *w)
{
    const struct asked *asked = w->args;
    struct model_key key;
    return work_model(w, asked->reference, &key) && metrics_put(w, &key, asked);
}

void metrics_get(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked *asked = arena_zero(c.arena, sizeof *asked);
    if (asked_read(&c, asked, &e))
        work_answer(&c, telemetry_reads_disk(c.api->telemetry, &asked->query), metrics_render,
                    asked);
    else
        request_fail(rq, &e);
}
