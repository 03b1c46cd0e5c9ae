#include "api/health.h"

#include "api/handlers.h"
#include "base/json.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static void put_interval(struct bytes *b, const struct health_check *c)
{
    json_key(b, "interval");
    if (isnan(c->lo) || isnan(c->hi)) {
        bytes_text(b, "null");
        return;
    }
    bytes_char(b, '[');
    json_put_number(b, c->lo);
    bytes_char(b, ',');
    json_put_number(b, c->hi);
    bytes_char(b, ']');
}

static void put_check(struct bytes *b, const struct health_check *c)
{
    bytes_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
    json_kv_string(b, "name", c->name);
    json_kv_string(b, "status", check_status_name(c->status));
    json_kv_number(b, "value", c->value);
    json_kv_number(b, "threshold", c->threshold);
    json_kv_number(b, "baseline", c->baseline);
    put_interval(b, c);
    json_kv_string(b, "window", c->window);
    json_kv_string(b, "detail", c->detail);
    bytes_char(b, '}');
}

static void put_health(struct bytes *b, const char *model_id, const struct health_report *h)
{
    bytes_char(b, '{');
    json_kv_string(b, "model_id", model_id);
    json_kv_string(b, "status", health_status_name(h->status));
    json_kv_time(b, "checked_at", h->checked_at);
    json_kv_string(b, "trend", health_trend_name(h->trend));
    json_kv_string(b, "baseline_model_id", *h->baseline_model_id ? h->baseline_model_id : NULL);
    json_key(b, "checks");
    bytes_char(b, '[');
    for (size_t i = 0; i < HEALTH_CHECKS; i++)
        put_check(b, &h->checks[i]);
    bytes_text(b, "]}");
}

bool health_put(struct work *w, const char *reference)
{
    struct health_report *h = mem_zero(1, sizeof *h);
    const struct view *v = view_enter(w->reader);
    const struct model *m = view_resolve(v, w->ns, reference, &w->err);
    const char *model_id = m ? arena_text(w->arena, m->entity.id) : NULL;
    if (m)
        health_read(w->api->judge, v, m, h);
    view_leave(w->reader);
    if (model_id)
        put_health(&w->out, model_id, h);
    free(h);
    return model_id != NULL;
}

static bool health_render(struct work *w)
{
    return health_put(w, w->args);
}

void health_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ONE_NAMESPACE, &c))
        work_answer(&c, true, health_render, (void *)request_param(rq, "model_id"));
}
