#include "selection/selector_impl.h"

#include "base/arena.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "selection/errors.h"

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
    char text[256]; /* of the answer: names that a published set owns */
    char text2[256];
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
    if (r && r->seq == view_seq(q->view))
        return r;
    if (!r && map_count(s->ready) >= READY_MAX) {
        forget_all(s);
        s->ready = map_new();
    }
    if (!r)
        r = mem_zero(1, sizeof *r);
    else
        map_remove(s->ready, key, len);
    if (!ready_route_make(r, q, e)) {
        ready_route_release(r);
        free(r);
        return NULL;
    }
    map_set(s->ready, key, len, r);
    return r;
}

/* ---- the choice ---- */

/* One question on its way. */
struct deciding {
    struct selector *s;
    const struct selection_question *q;
    const struct ready_route *r;
    struct selection_answer *out;
    size_t unit_len;
    uint32_t bucket; /* of the unit, for draws */
    bool drawn;
};

static const struct ready_arm *arm_called(const struct ready_route *r, const char *name)
{
    for (size_t i = 0; name && i < r->arm_count; i++)
        if (strcmp(r->arms[i].name, name) == 0)
            return &r->arms[i];
    return NULL;
}

static void read_unit(struct deciding *d)
{
    const json_t *value = json_object_get(d->q->context, d->r->unit);
    char *text = d->s->unit;
    int len = -1;
    if (json_is_string(value))
        len = snprintf(text, UNIT_MAX + 1, "%s", json_string_value(value));
    else if (json_is_integer(value))
        len = snprintf(text, UNIT_MAX + 1, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
    if (len <= 0)
        return;
    d->unit_len = strlen(text);
    d->out->unit = text;
    d->out->facts.unit = decision_mark(text, d->unit_len);
    d->bucket = bucket_of(d->r->salt, BUCKET_SPLIT, text, d->unit_len);
}

/* Choose an arm. NULL `arm`: what was named is none of the route's. */
static void choose(struct deciding *d, enum selection_reason reason, const struct ready_arm *arm,
                   double propensity)
{
    struct selection_answer *out = d->out;
    out->reason = reason;
    out->propensity = propensity;
    out->arm = arm ? arm->name : NULL;
    out->intended = arm ? arm->model : NULL;
    out->cause = arm ? arm->cause : "NO_ARM";
}

/* Nobody was chosen, and why: the fallbacks serve. */
static void choose_none(struct deciding *d, enum selection_reason reason, const char *cause)
{
    choose(d, reason, NULL, 1);
    d->out->cause = cause;
}

static double share_of(const struct share *shares, size_t n, uint32_t arm)
{
    uint32_t own = 0;
    for (size_t i = 0; i < n; i++)
        own += shares[i].arm == arm ? shares[i].to - shares[i].from : 0;
    return (double)own / BUCKETS;
}

/* Where a previous decision put the unit, if it may stay there. */
static const struct ready_arm *kept(const struct deciding *d)
{
    struct decision_facts was;
    const char *id = d->q->previous;
    if (!id || decision_id_read(d->s->shared->keys, id, strlen(id), &was) != DECISION_GOOD ||
        was.route_uid != d->r->uid || was.unit != d->out->facts.unit ||
        !(was.flags & DECISION_DRAWN))
        return NULL;
    for (size_t i = 0; i < d->r->arm_count; i++) {
        const struct ready_arm *arm = &d->r->arms[i];
        if (!arm->cause && decision_mark(arm->name, strlen(arm->name)) == was.arm)
            return arm;
    }
    return NULL;
}

static bool unit_here(struct deciding *d)
{
    if (d->out->unit)
        return true;
    choose_none(d, SELECTION_FALLBACK, "NO_UNIT");
    return false;
}

static void draw_published(struct deciding *d, enum selection_reason reason,
                           const struct weights_set *set)
{
    if (!unit_here(d))
        return;
    const struct ready_arm *stays = reason == SELECTION_STRATEGY ? kept(d) : NULL;
    const struct weights_arm *drawn = weights_draw(set, d->bucket);
    const struct ready_arm *arm = stays ? stays : drawn ? arm_called(d->r, drawn->arm) : NULL;
    double propensity = 0;
    for (size_t i = 0; arm && i < set->arm_count; i++)
        if (strcmp(set->arms[i].arm, arm->name) == 0)
            propensity = weights_propensity(set, &set->arms[i]);
    choose(d, reason, arm, arm ? propensity : 1);
    d->drawn = true;
}

static void draw_own(struct deciding *d)
{
    const struct route_plan *p = d->r->plan;
    if (!unit_here(d))
        return;
    const struct ready_arm *stays = kept(d);
    int drawn = share_at(p->shares, p->share_count, d->bucket);
    size_t arm = stays ? (size_t)(stays - d->r->arms) : (size_t)drawn;
    if (arm >= d->r->arm_count) {
        choose_none(d, SELECTION_STRATEGY, "NO_ARM");
        return;
    }
    choose(d, SELECTION_STRATEGY, &d->r->arms[arm],
           share_of(p->shares, p->share_count, (uint32_t)arm));
    d->drawn = true;
}

static const struct weights_set *published(const struct deciding *d, enum weights_source source)
{
    const struct weights_set *set =
        d->r->id ? weights_of(d->s->weights, source, d->q->ns, d->r->id) : NULL;
    return set && (set->route_uid == d->r->uid || (set->route_uid == 0 && !d->r->stored)) ? set
                                                                                          : NULL;
}

/* A name of the published set, kept for after it has been left. */
static const char *keep_text(char *at, size_t size, const char *text)
{
    snprintf(at, size, "%s", text);
    return at;
}

static void ask_flag(struct deciding *d)
{
    struct flag_answer a;
    const struct selection_question *q = d->q;
    const struct flag_question f = {.view = q->view,
                                    .ns = q->ns,
                                    .context = q->context,
                                    .context_id = q->context_id,
                                    .at_ms = q->at_ms};
    const struct document *flag = view_document(q->view, &FLAG_TYPE, q->ns, d->r->flag);
    if (!flag) {
        choose_none(d, SELECTION_FALLBACK, "NO_FLAG");
        return;
    }
    flag_set_ask(d->s->flags, flag, &f, &a);
    if (a.reason == FLAG_ERROR) {
        choose_none(d, SELECTION_FALLBACK, "POLICY_FAILED");
    } else if (a.reason == FLAG_NO_UNIT) {
        choose_none(d, SELECTION_FALLBACK, "NO_UNIT");
    } else {
        choose(d, a.reason == FLAG_KILLED ? SELECTION_KILLED : SELECTION_FLAG,
               arm_called(d->r, a.variant), 1);
        d->drawn = a.reason == FLAG_SPLIT;
    }
    d->out->variant = keep_text(d->s->text2, sizeof d->s->text2, a.variant ? a.variant : "");
}

static const char *strategy_of(const struct deciding *d)
{
    return d->q->strategy ? d->q->strategy : d->r->strategy;
}

/* What this strategy has published; NULL: nothing, or the route's own weights are asked for. */
static const struct weights_set *published_by(const struct deciding *d, const char *strategy)
{
    const struct weights_set *set = strategy && strcmp(strategy, STRATEGY_WEIGHTED) != 0
                                        ? published(d, WEIGHTS_STRATEGY)
                                        : NULL;
    return set && strcmp(set->by, strategy) == 0 ? set : NULL;
}

static void ask_strategy(struct deciding *d, const char *strategy)
{
    const struct weights_set *set = published_by(d, strategy);
    d->out->strategy = strategy;
    if (set)
        draw_published(d, SELECTION_STRATEGY, set);
    else if (d->r->plan && d->r->plan->share_count > 0)
        draw_own(d);
    else
        choose_none(d, SELECTION_FALLBACK, "NO_WEIGHTS");
}

/* Nobody shares the traffic: the first of those who serve in whose place ever. */
static void choose_stable(struct deciding *d)
{
    const struct ready_route *r = d->r;
    const struct ready_arm arm = {
        .model = r->fallback_count ? r->fallbacks[0] : NULL,
        .cause = r->fallback_count ? r->fallback_causes[0] : "NO_MODEL",
    };
    choose(d, SELECTION_ONLY, &arm, 1);
    for (size_t i = 0; i < r->arm_count; i++)
        if (r->arms[i].model == arm.model)
            d->out->arm = r->arms[i].name;
}

static void decide(struct deciding *d)
{
    const struct ready_route *r = d->r;
    const char *strategy = strategy_of(d);
    if (d->q->store_gone) {
        choose_none(d, SELECTION_DEGRADED, "STORE_UNAVAILABLE");
        return;
    }
    if (r->killed) {
        choose_none(d, SELECTION_KILLED, "KILLED");
        return;
    }
    const struct weights_set *shares = published(d, WEIGHTS_EXPERIMENT);
    if (shares) {
        d->out->strategy = keep_text(d->s->text, sizeof d->s->text, shares->by);
        draw_published(d, SELECTION_EXPERIMENT, shares);
    } else if (r->flag && !d->q->strategy) {
        ask_flag(d);
    } else if (strategy) {
        ask_strategy(d, strategy);
    } else {
        choose_stable(d);
    }
}

/* ---- who serves ---- */

static bool circuit_open(const struct deciding *d, const struct model *m)
{
    const struct selector_shared *shared = d->s->shared;
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

static void explain(struct deciding *d)
{
    const struct ready_route *r = d->r;
    arena_reset(d->s->parts);
    const struct weights_set *set = published(d, WEIGHTS_EXPERIMENT);
    if (!set)
        set = published_by(d, strategy_of(d));
    for (size_t i = 0; i < r->arm_count; i++) {
        struct selection_candidate *c = &d->s->candidates[i];
        *c = (struct selection_candidate){
            .arm = r->arms[i].name,
            .model_id = r->arms[i].model ? r->arms[i].model->entity.id : NULL,
            .cause = r->arms[i].cause,
            .weight = r->plan && r->plan->share_count
                          ? share_of(r->plan->shares, r->plan->share_count, (uint32_t)i)
                          : NAN,
            .score = NAN};
        for (size_t k = 0; set && k < set->arm_count; k++)
            if (strcmp(set->arms[k].arm, c->arm) == 0) {
                c->weight = weights_propensity(set, &set->arms[k]);
                c->score = set->arms[k].score;
                c->parts = keep_parts(d->s, set->arms[k].parts);
            }
    }
    d->out->candidates = d->s->candidates;
    d->out->candidate_count = r->arm_count;
}

/* ---- asking ---- */

static void finish(struct deciding *d)
{
    struct selection_answer *out = d->out;
    struct decision_facts *f = &out->facts;
    int64_t ttl = d->r->ttl_ms < d->s->shared->ttl_max_ms ? d->r->ttl_ms : d->s->shared->ttl_max_ms;
    out->route = d->r->id;
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
    f->nonce = d->s->nonce++;
    decision_id_make(d->s->shared->keys, f, out->decision_id);
}

bool selector_ask(struct selector *s, const struct selection_question *q,
                  struct selection_answer *out, struct err *e)
{
    memset(out, 0, sizeof *out);
    const struct ready_route *r = ready_of(s, q, e);
    if (!r)
        return false;
    struct deciding d = {.s = s, .q = q, .r = r, .out = out};
    read_unit(&d);
    weights_enter(s->weights);
    decide(&d);
    if (q->explain)
        explain(&d);
    weights_leave(s->weights);
    if (out->cause && strcmp(out->cause, "NO_UNIT") == 0 && r->plan && r->plan->fail_without_unit)
        return fail(e, &UNIT_MISSING, "the context has no member '%.128s'", r->unit);
    if (!serve(&d, e))
        return false;
    out->endpoint = ready_route_endpoint(r, out->served);
    out->fallback_count = ready_route_fallbacks(r, out->served, out->fallbacks);
    name_shadows(&d);
    finish(&d);
    return true;
}
