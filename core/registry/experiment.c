#include "registry/experiment.h"

#include "base/clock.h"
#include "base/ids.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/model_fields.h"
#include "registry/route.h"
#include "registry/view.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define METRICS_PRESET "[{\"name\":\"error_rate\"},{\"name\":\"latency_p95\"}]"
#define STEPS_PRESET   "[1,5,25,50,100]"
#define SCORE          "score:"

static const char *const STATES[] = {"draft",       "running",      "paused",  "succeeded",
                                     "rolled_back", "inconclusive", "stopped", NULL};
static const char *const PAUSES[] = {"person",     "traffic",  "cut_off", "sample_ratio",
                                     "regression", "proposal", NULL};
static const char *const ON_INCONCLUSIVE[] = {"hold", "rollback", NULL};
static const char *const ON_SUCCESS[] = {"promote", "propose", "nothing", NULL};
static const char *const ON_REGRESSION[] = {"rollback", "hold", NULL};

/* ---- metrics ---- */

static bool metric_kind(const char *name, struct experiment_metric *out)
{
    static const struct {
        const char *name;
        double quantile;
    } LATENCIES[] = {{"latency_p50", 0.5}, {"latency_p95", 0.95}, {"latency_p99", 0.99}};
    if (strcmp(name, "error_rate") == 0) {
        out->kind = METRIC_ERRORS;
        return true;
    }
    for (size_t i = 0; i < sizeof LATENCIES / sizeof *LATENCIES; i++)
        if (strcmp(name, LATENCIES[i].name) == 0) {
            out->kind = METRIC_LATENCY;
            out->quantile = LATENCIES[i].quantile;
            return true;
        }
    out->kind = METRIC_SCORE;
    return strncmp(name, SCORE, sizeof SCORE - 1) == 0 &&
           token_printable(name + sizeof SCORE - 1, 64);
}

static double preset_margin(enum experiment_metric_kind kind)
{
    return kind == METRIC_ERRORS ? 0.5 : kind == METRIC_LATENCY ? 0.1 : 0.02;
}

/* What is wrong with a metric, or NULL and `out` is filled. */
static const char *read_metric(const json_t *item, struct experiment_metric *out)
{
    const char *name = json_string_value(json_object_get(item, "name"));
    const json_t *direction = json_object_get(item, "direction");
    *out = (struct experiment_metric){.name = ""};
    if (!name || strlen(name) >= sizeof out->name || !metric_kind(name, out))
        return "must have a name: error_rate, latency_p50, latency_p95, latency_p99 or score:NAME";
    const bool score = out->kind == METRIC_SCORE;
    const char *unit = score ? "margin_abs" : "margin_ratio";
    const json_t *margin = json_object_get(item, unit);
    const char *way = direction ? json_string_value(direction) : score ? "higher" : "lower";
    snprintf(out->name, sizeof out->name, "%s", name);
    out->higher_is_better = way && strcmp(way, "higher") == 0;
    out->margin = margin ? json_number_value(margin) : preset_margin(out->kind);
    if (!way || (!out->higher_is_better && strcmp(way, "lower") != 0) ||
        (!score && out->higher_is_better))
        return "its direction must be lower, or higher for a score";
    if ((margin && !json_is_number(margin)) || !(out->margin > 0 && out->margin <= 1e9))
        return "its margin must be a number above 0";
    const size_t members = 1u + (direction ? 1u : 0u) + (margin ? 1u : 0u);
    if (json_object_size(item) != members)
        return score ? "has name, direction and margin_abs, nothing else"
                     : "has name, direction and margin_ratio, nothing else";
    return NULL;
}

static void check_metrics(const json_t *value, const char *pointer, struct faults *f)
{
    struct experiment_metric seen[EXPERIMENT_METRICS_MAX];
    const json_t *item;
    size_t i;
    char below[300];
    if (json_array_size(value) < 1 || json_array_size(value) > EXPERIMENT_METRICS_MAX) {
        fault_add(f, &ERR_INVALID, pointer, "must be a list of 1 to %d metrics",
                  EXPERIMENT_METRICS_MAX);
        return;
    }
    json_array_foreach((json_t *)value, i, item) {
        const char *wrong = read_metric(item, &seen[i]);
        snprintf(below, sizeof below, "%s/%zu", pointer, i);
        for (size_t k = 0; !wrong && k < i; k++)
            if (strcmp(seen[k].name, seen[i].name) == 0)
                wrong = "is named twice";
        if (wrong)
            fault_add(f, &ERR_INVALID, below, "%s", wrong);
    }
}

static void check_steps(const json_t *value, const char *pointer, struct faults *f)
{
    size_t n = json_array_size(value);
    double before = 0;
    bool good = n >= 1 && n <= EXPERIMENT_STEPS_MAX;
    for (size_t i = 0; good && i < n; i++) {
        const json_t *step = json_array_get(value, i);
        double percent = json_number_value(step);
        good = json_is_number(step) && percent > before && percent <= 100;
        good = good && (i > 0 || percent < 100);
        before = percent;
    }
    if (!good)
        fault_add(f, &ERR_INVALID, pointer,
                  "must be 1 to %d ascending numbers above 0, up to 100, the first below 100",
                  EXPERIMENT_STEPS_MAX);
}

/* ---- fields ---- */

#define REF(member) offsetof(struct experiment, member)
#define SECONDS(name_, min_, doc_)                                                             \
    {                                                                                          \
        .name = #name_, .type = FIELD_INT, .offset = REF(name_), .min = min_, .max = 31536000, \
        .doc = doc_                                                                            \
    }
#define CHOICE(name_, choices_, doc_)                                                              \
    {                                                                                              \
        .name = #name_, .type = FIELD_ENUM, .offset = REF(name_), .choices = choices_, .doc = doc_ \
    }
#define SERVER(name_, type_, flags_, doc_)                                                 \
    .name = #name_, .type = type_, .flags = FIELD_SERVER | (flags_), .offset = REF(name_), \
    .doc = doc_

const struct field EXPERIMENT_FIELDS[] = {
    DOCUMENT_NAMESPACE,
    DOCUMENT_ID("key", identifier_fault, "Unique in the namespace."),
    {.name = "route",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(route),
     .min = 1,
     .max = 128,
     .check = model_name_fault,
     .doc = "Whose shares it owns while it runs."},
    {.name = "control",
     .type = FIELD_STRING,
     .flags = FIELD_REQUIRED,
     .offset = REF(control),
     .min = 1,
     .max = 128,
     .check = identifier_fault,
     .doc = "The arm that is there already."},
    {.name = "treatments",
     .type = FIELD_STRINGS,
     .flags = FIELD_REQUIRED,
     .offset = REF(treatments),
     .min = 1,
     .max = EXPERIMENT_TREATMENTS_MAX,
     .check = identifier_fault,
     .doc = "The arms that are compared with it, each by itself; they share alpha."},
    {.name = "metrics",
     .type = FIELD_ANY,
     .offset = REF(metrics),
     .max = 8192,
     .check_json = check_metrics,
     .doc = "By what: error_rate, latency_p50, latency_p95, latency_p99, score:NAME, each with the "
            "margin that does not matter."},
    {.name = "alpha",
     .type = FIELD_NUMBER,
     .offset = REF(alpha),
     .min = 0.000001,
     .max = 0.499999,
     .doc = "Chance of ever being wrong."},
    {.name = "steps_percent",
     .type = FIELD_ANY,
     .offset = REF(steps_percent),
     .max = 1024,
     .check_json = check_steps,
     .doc = "Shares of the treatments together, one after the other, each of them the same part; "
            "100 is reached by a promotion only."},
    SECONDS(step_min_seconds, 1, "A step takes as long at least."),
    SECONDS(max_seconds, 1, "Then it is inconclusive."),
    {.name = "min_samples",
     .type = FIELD_INT,
     .offset = REF(min_samples),
     .min = 1,
     .max = 1e9,
     .doc = "Requests of a treatment before it may be promoted."},
    SECONDS(warmup_seconds, 0, "At its start, which are no evidence."),
    CHOICE(on_inconclusive, ON_INCONCLUSIVE, "What becomes of the treatments when time is over."),
    CHOICE(on_success, ON_SUCCESS, "What becomes of a treatment that is not worse."),
    CHOICE(on_regression, ON_REGRESSION, "What becomes of a treatment that is worse."),
    {SERVER(state, FIELD_ENUM, 0, "How far it is."), .choices = STATES},
    {SERVER(paused_by, FIELD_ENUM, FIELD_NULLABLE, "Why it is paused."), .choices = PAUSES},
    {SERVER(step, FIELD_INT, 0, "Where it is in steps_percent, from 0."), .max = 1e9},
    {SERVER(attempt, FIELD_INT, 0, "How often it was tried with this treatment."), .max = 1e9},
    {SERVER(share_percent, FIELD_NUMBER, FIELD_NULLABLE,
            "Of all treatments now; the part of one that was taken out is the control's."),
     .max = 100},
    {SERVER(taken_out, FIELD_ANY, 0, "Treatments that were worse, while others go on."),
     .max = 4096},
    {SERVER(winner, FIELD_STRING, FIELD_NULLABLE, "The arm that was shown not to be worse."),
     .max = 128},
    {SERVER(ready, FIELD_BOOL, 0, "The winner waits for the gate, or for a person.")},
    {SERVER(models, FIELD_OBJECT, FIELD_NULLABLE, "Arm to model, as of its start."), .max = 8192},
    {SERVER(started_at, FIELD_TIME, FIELD_NULLABLE, "When it began.")},
    {SERVER(step_started_at, FIELD_TIME, FIELD_NULLABLE, "When its step began.")},
    {SERVER(finished_at, FIELD_TIME, FIELD_NULLABLE, "When it ended.")},
    {SERVER(sentence, FIELD_STRING, FIELD_NULLABLE, "What was decided last, and why."),
     .max = 4096},
    {SERVER(evidence, FIELD_OBJECT, FIELD_NULLABLE, "The numbers behind it."), .max = 65536},
    {SERVER(decisions, FIELD_ANY, 0, "All decisions, the newest last; the journal has more."),
     .max = 262144},
    DOCUMENT_STAMPS,
    {0},
};

static void init(void *fields, const struct rules *rules)
{
    struct experiment *x = fields;
    (void)rules;
    x->metrics = METRICS_PRESET;
    x->steps_percent = STEPS_PRESET;
    x->alpha = 0.05;
    x->step_min_seconds = 600;
    x->max_seconds = 86400;
    x->min_samples = 1000;
    x->warmup_seconds = 60;
    x->on_inconclusive = ON_INCONCLUSIVE[0];
    x->on_success = ON_SUCCESS[0];
    x->on_regression = ON_REGRESSION[0];
    x->state = STATES[0];
    x->share_percent = NAN;
    x->taken_out = "[]";
    x->decisions = "[]";
}

/* ---- its texts read ---- */

static void copy_text(char *out, size_t room, const json_t *value)
{
    const char *text = json_string_value(value);
    snprintf(out, room, "%s", text ? text : "");
}

static json_t *read_text(const char *text)
{
    return text ? json_read(text, strlen(text), NULL) : NULL;
}

static struct experiment_treatment *treatment_called(struct experiment_spec *s, const char *arm)
{
    for (size_t i = 0; i < s->treatment_count; i++)
        if (strcmp(s->treatments[i].arm, arm) == 0)
            return &s->treatments[i];
    return NULL;
}

static void note_out(struct experiment_spec *s, const json_t *item)
{
    const char *arm = json_string_value(json_object_get(item, "arm"));
    const char *at = json_string_value(json_object_get(item, "at"));
    struct experiment_treatment *t = arm ? treatment_called(s, arm) : NULL;
    if (!t || t->out_order || !at || !time_parse(at, strlen(at), &t->out_ms))
        return;
    t->out_order = ++s->out_count;
    t->out_step = json_integer_value(json_object_get(item, "step"));
}

static void read_treatments(struct experiment_spec *s, const struct experiment *x,
                            const json_t *models)
{
    json_t *list = read_text(x->treatments), *out = read_text(x->taken_out);
    for (size_t i = 0; i < json_array_size(list) && i < EXPERIMENT_TREATMENTS_MAX; i++) {
        struct experiment_treatment *t = &s->treatments[s->treatment_count++];
        copy_text(t->arm, sizeof t->arm, json_array_get(list, i));
        copy_text(t->model, sizeof t->model, json_object_get(models, t->arm));
    }
    for (size_t i = 0; i < json_array_size(out); i++)
        note_out(s, json_array_get(out, i));
    json_decref(list);
    json_decref(out);
}

static size_t derive(const void *fields, void *out)
{
    const struct experiment *x = fields;
    struct experiment_spec *s = out;
    if (!s)
        return sizeof *s;
    json_t *metrics = read_text(x->metrics), *steps = read_text(x->steps_percent);
    json_t *models = read_text(x->models);
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < json_array_size(metrics) && i < EXPERIMENT_METRICS_MAX; i++)
        if (!read_metric(json_array_get(metrics, i), &s->metrics[s->metric_count]))
            s->metric_count++;
    for (size_t i = 0; i < json_array_size(steps) && i < EXPERIMENT_STEPS_MAX; i++)
        s->steps[s->step_count++] = json_number_value(json_array_get(steps, i));
    read_treatments(s, x, models);
    copy_text(s->control_model, sizeof s->control_model,
              x->control ? json_object_get(models, x->control) : NULL);
    json_decref(metrics);
    json_decref(steps);
    json_decref(models);
    return sizeof *s;
}

/* ---- looking ---- */

bool experiment_runs(const struct experiment *x)
{
    return strcmp(x->state, "running") == 0 || strcmp(x->state, "paused") == 0;
}

struct search {
    const char *text;
    const struct document *found;
};

void view_running(const struct view *v, const char *ns,
                  bool (*fn)(const struct entity *e, void *ctx), void *ctx)
{
    const struct directory *d = v->index[INDEX_RUNNING];
    const struct index_key key = {.ns = ns, .first = "", .second = ""};
    struct position p = {0};
    if (ns)
        p = directory_seek(d, view_order(INDEX_RUNNING), &key);
    for (; position_valid(d, p); position_next(d, &p)) {
        const struct entity *e = directory_at(d, p);
        if ((ns && strcmp(ns, e->ns) != 0) || !fn(e, ctx))
            return;
    }
}

size_t view_running_count(const struct view *v)
{
    return v->index[INDEX_RUNNING]->total;
}

const struct document *view_experiment_on(const struct view *v, const char *ns, const char *route)
{
    const struct directory *d = v->index[INDEX_RUNNING];
    const struct index_key key = {.ns = ns, .first = route, .second = ""};
    const struct position p = directory_seek(d, view_order(INDEX_RUNNING), &key);
    const struct entity *e = position_valid(d, p) ? directory_at(d, p) : NULL;
    return e && strcmp(e->ns, ns) == 0 && strcmp(experiment_of(document_of(e))->route, route) == 0
               ? document_of(e)
               : NULL;
}

static bool has_won(const struct entity *e, void *ctx)
{
    struct search *s = ctx;
    const struct document *d = document_of(e);
    const struct experiment *x = experiment_of(d);
    const struct experiment_spec *spec = experiment_spec_of(d);
    if (!(experiment_runs(x) && x->ready) && strcmp(x->state, "succeeded") != 0)
        return true;
    for (size_t i = 0; i < spec->treatment_count && x->winner; i++)
        if (strcmp(spec->treatments[i].arm, x->winner) == 0 &&
            strcmp(spec->treatments[i].model, s->text) == 0)
            s->found = d;
    return !s->found;
}

bool view_experiment_won(const struct view *v, const char *ns, const char *model_id)
{
    struct search s = {model_id, NULL};
    view_each_of(v, ENTITY_EXPERIMENT, ns, has_won, &s);
    return s.found != NULL;
}

const struct model *route_arm_model(const struct view *v, const struct document *route,
                                    const char *arm)
{
    const struct route_plan *p = route_plan_of(route);
    uint32_t i = route_arm_called(p, arm);
    if (i != ARMS_MAX)
        return route_model(v, route->entity.ns, p, p->arms[i].reference);
    return p->arm_count ? NULL : view_model(v, route->entity.ns, arm);
}

/* ---- decisions on the document ---- */

static bool check(struct document_write *w, struct err *e)
{
    const struct experiment *x = w->want;
    struct experiment_spec spec;
    derive(x, &spec);
    if (w->before && experiment_runs(experiment_of(w->before)))
        return fail(e, &EXPERIMENT_IS_RUNNING,
                    "'%.200s' is %s: stop it first, what was measured belongs to how it was begun",
                    x->head.id, experiment_of(w->before)->state);
    for (size_t i = 0; i < spec.treatment_count; i++) {
        char pointer[32];
        const char *arm = spec.treatments[i].arm;
        snprintf(pointer, sizeof pointer, "/treatments/%zu", i);
        if (strcmp(arm, x->control) == 0)
            fault_add(&w->faults, &ERR_INVALID, pointer, "must not be the control");
        else if (treatment_called(&spec, arm) != &spec.treatments[i])
            fault_add(&w->faults, &ERR_INVALID, pointer, "is named twice");
    }
    if (!view_document(w->h->view, &ROUTE_TYPE, w->c->ns, x->route))
        fault_add(&w->faults, &BAD_REFERENCE, "/route", "no route '%.200s' is stored", x->route);
    return true;
}

static bool remove_idle(struct document_write *w, struct err *e)
{
    const struct experiment *x = experiment_of(w->before);
    return !experiment_runs(x) ||
           fail(e, &EXPERIMENT_IS_RUNNING, "'%.200s' is %s: stop it first", x->head.id, x->state);
}

/* Grants go by what its route is called, as those of the route do. */
static const char *owner(const void *fields)
{
    return ((const struct experiment *)fields)->route;
}

const struct document_type EXPERIMENT_TYPE = {
    .kind = ENTITY_EXPERIMENT,
    .noun = "experiment",
    .id_name = "key",
    .path = "/api/models/enterprise/experiments/",
    .fields = EXPERIMENT_FIELDS,
    .size = sizeof(struct experiment),
    .not_found = &EXPERIMENT_NOT_FOUND,
    .exists = &EXPERIMENT_EXISTS,
    .created = "experiment.created",
    .updated = "experiment.updated",
    .deleted = "experiment.deleted",
    .init = init,
    .check = check,
    .remove = remove_idle,
    .derive = derive,
    .owner = owner,
};
