#include "worker/strategy_turn.h"

#include "base/base64.h"
#include "base/json.h"
#include "base/mem.h"
#include "extend/strategy_protocol.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything of a turn that was read; texts are the question's. */
struct turn {
    size_t n, n_outcomes;
    paddock_candidate *candidates;
    const paddock_candidate **list;
    paddock_score **scores; /* of each candidate */
    paddock_outcome *outcomes;
    const paddock_outcome **outcome_list;
    paddock_weight *weights;
};

/* ---- reading ---- */

static double number(const json_t *v)
{
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static double number_at(const json_t *object, const char *key)
{
    return number(json_object_get(object, key));
}

static const char *text(const json_t *v)
{
    const char *s = json_string_value(v);
    return s ? s : "";
}

static const char *text_at(const json_t *object, const char *key)
{
    return text(json_object_get(object, key));
}

static uint64_t count(const json_t *v)
{
    json_int_t n = json_integer_value(v);
    return n > 0 ? (uint64_t)n : 0;
}

static uint64_t count_at(const json_t *object, const char *key)
{
    return count(json_object_get(object, key));
}

static paddock_score *read_scores(const json_t *list, uint32_t *n)
{
    *n = (uint32_t)json_array_size(list);
    paddock_score *all = mem_zero(*n, sizeof *all);
    for (uint32_t i = 0; i < *n; i++) {
        const json_t *one = json_array_get(list, i);
        all[i] = (paddock_score){.name = text(json_array_get(one, 0)),
                                 .count = count(json_array_get(one, 1)),
                                 .mean = number(json_array_get(one, 2)),
                                 .variance = number(json_array_get(one, 3))};
    }
    return all;
}

static void read_candidate(const json_t *from, paddock_candidate *c, paddock_score **scores)
{
    *c = (paddock_candidate){
        .model_id = text_at(from, "id"),
        .name = text_at(from, "name"),
        .version = text_at(from, "version"),
        .status = text_at(from, "status"),
        .configured = number_at(from, "configured"),
        .published = number_at(from, "published"),
        .performance_score = number_at(from, "performance_score"),
        .health = (uint32_t)count_at(from, "health"),
        .window_ms = count_at(from, "window_ms"),
        .requests = count_at(from, "requests"),
        .errors = count_at(from, "errors"),
        .rate_per_second = number_at(from, "rate"),
        .error_rate = number_at(from, "error_rate"),
        .mean_ms = number_at(from, "mean"),
        .p50_ms = number_at(from, "p50"),
        .p95_ms = number_at(from, "p95"),
        .p99_ms = number_at(from, "p99"),
    };
    *scores = read_scores(json_object_get(from, "scores"), &c->n_scores);
    c->scores = *scores;
}

static void read_outcome(const json_t *from, paddock_outcome *o)
{
    *o = (paddock_outcome){.decision_id = text(json_array_get(from, 0)),
                           .model_id = text(json_array_get(from, 1)),
                           .name = text(json_array_get(from, 2)),
                           .value = number(json_array_get(from, 3)),
                           .propensity = number(json_array_get(from, 4)),
                           .at_ms = json_integer_value(json_array_get(from, 5))};
}

static void read_turn(const json_t *q, struct turn *t)
{
    const json_t *candidates = json_object_get(q, "candidates");
    const json_t *outcomes = json_object_get(q, "outcomes");
    t->n = json_array_size(candidates);
    t->n_outcomes = json_array_size(outcomes);
    t->candidates = mem_zero(t->n, sizeof *t->candidates);
    t->list = mem_zero(t->n, sizeof *t->list);
    t->scores = mem_zero(t->n, sizeof *t->scores);
    t->weights = mem_zero(t->n + 1, sizeof *t->weights);
    t->outcomes = mem_zero(t->n_outcomes, sizeof *t->outcomes);
    t->outcome_list = mem_zero(t->n_outcomes, sizeof *t->outcome_list);
    for (size_t i = 0; i < t->n; i++) {
        read_candidate(json_array_get(candidates, i), &t->candidates[i], &t->scores[i]);
        t->list[i] = &t->candidates[i];
    }
    for (size_t i = 0; i < t->n_outcomes; i++) {
        read_outcome(json_array_get(outcomes, i), &t->outcomes[i]);
        t->outcome_list[i] = &t->outcomes[i];
    }
}

static void release_turn(struct turn *t)
{
    for (size_t i = 0; i < t->n; i++)
        free(t->scores[i]);
    free(t->candidates);
    free(t->list);
    free(t->scores);
    free(t->weights);
    free(t->outcomes);
    free(t->outcome_list);
}

/* ---- answering ---- */

static void put_weights(const struct strategy *s, const struct turn *t, struct bytes *out)
{
    json_key(out, "weights");
    bytes_char(out, '[');
    for (size_t i = 0; i < t->n; i++) {
        bytes_text(out, i ? ",[" : "[");
        json_put_number(out, t->weights[i].weight);
        bytes_char(out, ',');
        json_put_number(out, t->weights[i].score);
        bytes_text(out, ",{");
        for (size_t k = 0; k < s->parts[i].n; k++)
            json_kv_number(out, s->parts[i].list[k].name, s->parts[i].list[k].value);
        bytes_text(out, "}]");
    }
    bytes_char(out, ']');
}

static bool put_state(struct strategy *s, bool wanted, struct bytes *out, struct err *e)
{
    if (!wanted || !s->ops->save) {
        json_kv_raw(out, "state", NULL);
        return true;
    }
    if (!strategy_save(s, e))
        return false;
    char *encoded = mem_alloc(BASE64_SIZE(s->saved.len));
    base64_encode(s->saved.data ? s->saved.data : "", s->saved.len, encoded);
    json_kv_string(out, "state", encoded);
    free(encoded);
    return true;
}

static bool weigh(struct strategy *s, struct turn *t, struct err *e)
{
    if (t->n)
        return strategy_turn(s, t->list, t->n, t->weights, e);
    if (s->ops->tick) /* nobody to weigh, but time goes on */
        s->ops->tick(&s->pub);
    return true;
}

bool strategy_take_turn(struct strategy *s, const json_t *q, struct bytes *out, struct err *e)
{
    struct turn t;
    read_turn(q, &t);
    s->wrong.kind = NULL;
    if (s->ops->update && t.n_outcomes)
        s->ops->update(&s->pub, t.outcome_list, t.n_outcomes);
    bool good = weigh(s, &t, e);
    if (good) {
        put_weights(s, &t, out);
        good = put_state(s, json_is_true(json_object_get(q, "save")), out, e);
    }
    release_turn(&t);
    return good;
}
