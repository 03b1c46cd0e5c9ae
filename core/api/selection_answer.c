#include "api/selection_answer.h"

#include "base/json.h"

static void put_models(struct bytes *b, const char *key, const struct model *const *list, size_t n)
{
    json_key(b, key);
    bytes_char(b, '[');
    for (size_t i = 0; i < n; i++) {
        if (i)
            bytes_char(b, ',');
        json_put_string(b, list[i]->entity.id);
    }
    bytes_char(b, ']');
}

static void put_endpoint(struct bytes *b, struct slice endpoint)
{
    json_key(b, "endpoint");
    if (endpoint.at)
        bytes_add(b, endpoint.at, endpoint.len);
    else
        bytes_text(b, "null");
}

static void put_candidates(struct bytes *b, const struct selection_answer *a)
{
    json_key(b, "candidates");
    bytes_char(b, '[');
    for (size_t i = 0; i < a->candidate_count; i++) {
        const struct selection_candidate *k = &a->candidates[i];
        bytes_text(b, i ? ",{" : "{");
        json_kv_string(b, "arm", k->arm);
        json_kv_string(b, "model_id", k->model_id);
        json_kv_number(b, "share_ratio", k->weight);
        json_kv_number(b, "score", k->score);
        json_kv_raw(b, "parts", k->parts);
        json_kv_string(b, "cause", k->cause);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
}

void selection_put_choice(struct bytes *b, const struct selection_answer *a)
{
    const struct model *m = a->served;
    json_kv_string(b, "arm", a->arm);
    json_kv_string(b, "model_id", m->entity.id);
    json_kv_string(b, "name", m->name);
    json_kv_string(b, "version", m->version);
    json_kv_string(b, "status", status_name(m->status));
    put_endpoint(b, a->endpoint);
    selection_put_why(b, a);
    put_models(b, "fallbacks", a->fallbacks, a->fallback_count);
    put_models(b, "shadows", a->shadows, a->shadow_count);
    if (a->candidates)
        put_candidates(b, a);
}

void selection_put_answer(struct bytes *b, const struct selection_answer *a, uint64_t seq)
{
    json_kv_string(b, "decision_id", a->decision_id);
    json_kv_string(b, "route", a->route);
    json_kv_int(b, "seq", (int64_t)seq);
    selection_put_choice(b, a);
    json_kv_bool(b, "cached", false);
    json_kv_bool(b, "degraded", a->degraded);
    json_kv_time(b, "expires_at", a->expires_at);
}
