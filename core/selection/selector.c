#include "selection/selector_impl.h"

#include "base/arena.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "selection/errors.h"
#include "selection/matches.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_MAX 20000      /* routes a thread keeps ready; past it all are made ready anew */
#define PARTS_MAX (4u << 20) /* of all scores of one explanation; past it some have none */
#define UNIT_MAX  1024       /* bytes of a unit that is a number or a text; longer ones are cut */

struct selector {
    const struct selector_shared *shared;
    struct flag_set *flags;
    struct weights_reader *weights;
    struct map *ready;
    uint64_t nonce;
    struct ready_route nowhere; /* of questions too long to be kept */
    char unit[UNIT_MAX + 1];
    struct selection_candidate candidates[ARMS_MAX];
    struct choice_text text;
    struct arena *parts; /* of explained scores, likewise */
};

static const char *const REASONS[SELECTION_REASONS] = {
    [SELECTION_KILLED] = "KILLED",
    [SELECTION_EXPERIMENT] = "EXPERIMENT",
    [SELECTION_FLAG] = "FLAG",
    [SELECTION_STRATEGY] = "STRATEGY",
    [SELECTION_ONLY] = "ONLY_CANDIDATE",
    [SELECTION_FALLBACK] = "FALLBACK",
    [SELECTION_CIRCUIT] = "CIRCUIT_OPEN",
    [SELECTION_DEGRADED] = "DEGRADED",
};

const char *selection_reason_name(enum selection_reason reason)
{
    return reason < SELECTION_REASONS ? REASONS[reason] : "UNKNOWN";
}

struct selector *selector_new(const struct selector_shared *shared, struct flag_set *flags,
                              struct err *e)
{
    struct weights_reader *reader = weights_join(shared->weights);
    if (!reader) {
        fail(e, &ERR_INTERNAL, "too many threads read weights");
        return NULL;
    }
    struct selector *s = mem_zero(1, sizeof *s);
    s->shared = shared;
    s->flags = flags;
    s->weights = reader;
    s->ready = map_new();
    s->parts = arena_new(PARTS_MAX);
    random_bytes(&s->nonce, sizeof s->nonce);
    return s;
}

static void forget_all(struct selector *s)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(s->ready, &at, &key, &len, &value)) {
        ready_route_release(value);
        free(value);
    }
    map_free(s->ready);
    s->ready = NULL;
}

void selector_free(struct selector *s)
{
    if (!s)
        return;
    forget_all(s);
    ready_route_release(&s->nowhere);
    weights_part(s->weights);
    arena_free(s->parts);
    free(s);
}

/* ---- routes kept ready ---- */

static struct ready_route *ready_of(struct selector *s, const struct selection_question *q,
                                    struct err *e)
{
    char key[READY_KEY_MAX];
    size_t len = ready_route_key(q, key);
    if (len == 0)
        return ready_route_make(&s->nowhere, q, e) ? &s->nowhere : NULL;
    struct ready_route *r = map_get(s->ready, key, len);
    if (r && r->view == view_number(q->view))
        return r;
    if (!r && map_count(s->ready) >= READY_MAX) {
        forget_all(s);
        s->ready = map_new();
    }
    if (!r)
        r = mem_zero(1, sizeof *r);
    else
        map_remove(s->ready, key, len);
    const int64_t noted_ms = r->noted_ms; /* views come more often than it must be said */
    if (!ready_route_make(r, q, e)) {
        ready_route_release(r);
        free(r);
        return NULL;
    }
    r->noted_ms = noted_ms;
    map_set(s->ready, key, len, r);
    return r;
}

/* ---- who asks ---- */

/* False: it is neither a text nor a whole number. */
static bool read_unit(struct selector *s, struct deciding *d)
{
    const json_t *value = json_object_get(d->q->context, d->r->unit);
    char *text = s->unit;
    int len = -1;
    if (json_is_string(value))
        len = snprintf(text, UNIT_MAX + 1, "%s", json_string_value(value));
    else if (json_is_integer(value))
        len = snprintf(text, UNIT_MAX + 1, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    else
        return !value || json_is_null(value);
    if (len <= 0)
        return true;
    d->unit_len = strlen(text);
    d->out->unit = text;
    d->out->facts.unit = decision_mark(text, d->unit_len);
    d->out->bucket = d->bucket = bucket_of(d->r->salt, BUCKET_SPLIT, text, d->unit_len);
    return true;
}

/* ---- who serves ---- */

static bool circuit_open(const struct deciding *d, const struct model *m)
{
    const struct selector_shared *shared = d->shared;
    return shared->circuit_open && shared->circuit_open(shared->circuits, m->entity.uid, d->bucket);
}

static void fall_back(struct deciding *d)
{
    const struct ready_route *r = d->r;
    struct selection_answer *out = d->out;
    for (size_t i = 0; i < r->fallback_count && !out->served; i++)
        if (r->fallbacks[i] != out->intended && !r->fallback_causes[i] &&
            !circuit_open(d, r->fallbacks[i]))
            out->served = r->fallbacks[i];
    if (out->served)
        return;
    /* Nobody is well. Rather an ailing model than none. */
    out->served = route_serves(out->intended) ? out->intended
                  : r->fallback_count         ? r->fallbacks[0]
                                              : NULL;
    for (size_t i = 0; i < r->arm_count && !out->served; i++)
        if (route_serves(r->arms[i].model) && r->arms[i].model->status == STATUS_STABLE)
            out->served = r->arms[i].model;
    out->reason = SELECTION_DEGRADED;
}

static bool serve(struct deciding *d, struct err *e)
{
    struct selection_answer *out = d->out;
    bool planned = out->reason == SELECTION_KILLED || out->reason == SELECTION_DEGRADED;
    if (out->intended && !out->cause && circuit_open(d, out->intended)) {
        out->cause = "CIRCUIT_OPEN";
        out->reason = SELECTION_CIRCUIT;
    } else if (out->cause && !planned) {
        out->reason = SELECTION_FALLBACK;
    }
    if (!out->cause)
        out->served = out->intended;
    else
        fall_back(d);
    if (!out->served)
        return fail(e, &NO_CANDIDATE, "no model in service matches, and no fallback is left");
    return true;
}

static void name_shadows(struct deciding *d)
{
    const struct ready_route *r = d->r;
    struct selection_answer *out = d->out;
    for (size_t i = 0; r->plan && out->unit && i < r->plan->shadow_count; i++) {
        const struct model *m = r->shadows[i];
        if (!m || m == out->served ||
            bucket_of(r->shadow_salts[i], BUCKET_GATE, out->unit, d->unit_len) >=
                r->plan->shadows[i].buckets)
            continue;
        out->facts.shadows |= (uint8_t)(1u << i);
        out->shadows[out->shadow_count++] = m;
    }
}

/* ---- explaining ---- */

/* NULL gives NULL, and so does a lack of room. */
static const char *keep_parts(struct selector *s, const char *parts)
{
    size_t size = parts ? strlen(parts) + 1 : 0;
    char *copy = size ? arena_alloc(s->parts, size) : NULL;
    return copy ? memcpy(copy, parts, size) : NULL;
}

static void explain(struct selector *s, struct deciding *d)
{
    const struct ready_route *r = d->r;
    arena_reset(s->parts);
    const struct weights_set *set = selector_shares(d);
    for (size_t i = 0; i < r->arm_count; i++) {
        struct selection_candidate *c = &s->candidates[i];
        *c = (struct selection_candidate){
            .arm = r->arms[i].name,
            .model_id = r->arms[i].model ? r->arms[i].model->entity.id : NULL,
            .cause = r->arms[i].cause,
            .weight = r->plan && r->plan->share_count
                          ? share_of_arm(r->plan->shares, r->plan->share_count, (uint32_t)i)
                          : NAN,
            .score = NAN};
        for (size_t k = 0; set && k < set->arm_count; k++)
            if (strcmp(set->arms[k].arm, c->arm) == 0) {
                c->weight = weights_propensity(set, &set->arms[k]);
                c->score = set->arms[k].score;
                c->parts = keep_parts(s, set->arms[k].parts);
            }
    }
    d->out->candidates = s->candidates;
    d->out->candidate_count = r->arm_count;
}

/* ---- asking ---- */

/* Who asks for what no route is about wants it weighed. */
static void note_match(struct selector *s, const struct selection_question *q,
                       struct ready_route *r)
{
    struct matches *m = s->shared->matches;
    if (!m || r->id || !r->shares_id || r->arm_count < 2 || /* nothing to weigh */
        (q->at_ms >= r->noted_ms && q->at_ms - r->noted_ms < MATCHES_NOTE_MS))
        return;
    r->noted_ms = q->at_ms;
    if (!matches_note(m, q->ns, r->shares_id, q->at_ms))
        r->shares_id = NULL; /* too many others are: until the next view */
}

static void finish(struct selector *s, struct deciding *d)
{
    struct selection_answer *out = d->out;
    struct decision_facts *f = &out->facts;
    int64_t ttl = d->r->ttl_ms < d->shared->ttl_max_ms ? d->r->ttl_ms : d->shared->ttl_max_ms;
    out->route = d->r->id;
    out->degraded = d->q->store_gone;
    out->log = d->r->plan ? d->r->plan->log : LOG_OFF;
    out->expires_at = d->q->at_ms + ttl;
    f->flags = (uint8_t)((out->served != out->intended ? DECISION_FALLBACK : 0) |
                         (d->drawn ? DECISION_DRAWN : 0));
    f->reason = (uint8_t)out->reason;
    f->at_ms = d->q->at_ms;
    f->propensity = out->propensity;
    f->route_uid = d->r->uid;
    f->served_uid = out->served->entity.uid;
    f->intended_uid = out->intended ? out->intended->entity.uid : 0;
    f->arm = decision_mark(out->arm, out->arm ? strlen(out->arm) : 0);
    f->nonce = s->nonce++;
    decision_id_make(d->shared->keys, f, out->decision_id);
}

/* ---- what it hangs on ---- */

static uint64_t mark_text(uint64_t mark, const char *text)
{
    return text ? hash64(text, strlen(text) + 1, mark) : hash64("", 0, mark);
}

/* The circuit as units see it that never probe, and those that do. */
static uint64_t mark_model(struct deciding *d, uint64_t mark, const struct model *m,
                           const char *cause)
{
    uint64_t what[3] = {m ? m->entity.uid : 0, 0, 0};
    for (int i = 0; m && i < 2; i++) {
        d->bucket = i ? BUCKETS - 1 : 0;
        what[i + 1] = circuit_open(d, m);
    }
    return mark_text(hash64(what, sizeof what, mark), cause);
}

static uint64_t mark_shares(uint64_t mark, const struct weights_set *set)
{
    for (size_t i = 0; set && i < set->share_count; i++) {
        const struct share *s = &set->shares[i];
        const uint32_t range[2] = {s->from, s->to};
        mark = mark_text(hash64(range, sizeof range, mark), set->arms[s->arm].arm);
    }
    return mark;
}

uint64_t selector_mark(struct selector *s, const struct selection_question *q)
{
    struct err e;
    struct ready_route *r = ready_of(s, q, &e);
    if (!r)
        return 0;
    struct deciding d = {.shared = s->shared, .weights = s->weights, .q = q, .r = r};
    uint64_t mark = hash64(&r->uid, sizeof r->uid, r->killed);
    mark = mark_text(mark_text(mark, r->unit), r->salt);
    weights_enter(s->weights);
    if (r->stable_count > 1)
        ready_route_rank(r, q, selector_scores(&d));
    mark = mark_shares(mark, selector_experiment(&d));
    weights_leave(s->weights);
    for (size_t i = 0; i < r->arm_count; i++) {
        const struct ready_arm *arm = &r->arms[i];
        mark = mark_text(mark_model(&d, mark, arm->model, arm->cause), arm->name);
        mark = hash64(&arm->out, sizeof arm->out, mark);
    }
    for (size_t i = 0; i < r->fallback_count; i++)
        mark = mark_model(&d, mark, r->fallbacks[i], r->fallback_causes[i]);
    return mark;
}

/* ---- asking, as a whole ---- */

bool selector_ask(struct selector *s, const struct selection_question *q,
                  struct selection_answer *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    struct ready_route *r = ready_of(s, q, e);
    if (!r)
        return false;
    note_match(s, q, r);
    struct deciding d = {.shared = s->shared,
                         .flags = s->flags,
                         .weights = s->weights,
                         .text = &s->text,
                         .q = q,
                         .r = r,
                         .out = out};
    if (!read_unit(s, &d)) {
        out->wrong_unit = r->unit;
        return fail(e, &ERR_INVALID,
                    "the context's member '%.128s' must be a text or a whole number", r->unit);
    }
    weights_enter(s->weights);
    if (r->stable_count > 1)
        ready_route_rank(r, q, selector_scores(&d));
    selector_choose(&d);
    if (q->explain)
        explain(s, &d);
    weights_leave(s->weights);
    if (out->cause && strcmp(out->cause, "NO_UNIT") == 0 && r->plan && r->plan->fail_without_unit)
        return fail(e, &UNIT_MISSING, "the context has no member '%.128s'", r->unit);
    if (!serve(&d, e))
        return false;
    out->endpoint = ready_route_endpoint(r, out->served);
    out->fallback_count = ready_route_fallbacks(r, out->served, out->fallbacks);
    name_shadows(&d);
    finish(s, &d);
    return true;
}
