/* How an experiment is moved on, by people and by the server. */
#include "registry/experiment.h"

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "registry/decide.h"
#include "registry/errors.h"
#include "registry/experiment_ends.h"
#include "registry/route.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct move_body {
    const char *reason, *treatment;
};

const struct field EXPERIMENT_MOVE_FIELDS[] = {
    FIELD_REASON(offsetof(struct move_body, reason)),
    {0},
};

const struct field EXPERIMENT_END_FIELDS[] = {
    FIELD_REASON(offsetof(struct move_body, reason)),
    {.name = "treatment",
     .type = FIELD_STRING,
     .flags = FIELD_NULLABLE,
     .offset = offsetof(struct move_body, treatment),
     .max = 128,
     .doc = "Which one, where there are several."},
    {0},
};

static bool is(const char *state, const char *what)
{
    return strcmp(state, what) == 0;
}

/* ---- one move ---- */

static const char *with_decision(struct experiment_move *m, const char *action, const char *cause)
{
    const struct experiment *x = &m->want;
    json_t *list = json_read(x->decisions, strlen(x->decisions), NULL), *one = json_object();
    char at[TIME_TEXT_SIZE];
    time_format(m->d.h->now_ms, at);
    json_object_set_new(one, "at", json_string(at));
    json_object_set_new(one, "action", json_string(strchr(action, '.') + 1));
    json_object_set_new(one, "cause", cause ? json_string(cause) : json_null());
    json_object_set_new(one, "step", json_integer(x->step));
    json_object_set_new(one, "share_percent",
                        isnan(x->share_percent) ? json_null() : json_real(x->share_percent));
    json_object_set_new(one, "sentence", x->sentence ? json_string(x->sentence) : json_null());
    json_array_append_new(list, one);
    while (json_array_size(list) > EXPERIMENT_DECISIONS_MAX)
        json_array_remove(list, 0);
    struct bytes b = BYTES_INIT(262144);
    json_put_value(&b, list);
    const char *text = b.full ? x->decisions : arena_copy(m->d.c->arena, b.data, b.len);
    bytes_release(&b);
    json_decref(list);
    return text;
}

bool experiment_move_put(struct experiment_move *m, const char *action, const char *cause,
                         struct err *e)
{
    struct document_write w = {.type = &EXPERIMENT_TYPE,
                               .c = m->d.c,
                               .h = m->d.h,
                               .out = m->d.out,
                               .before = m->there,
                               .want = &m->want};
    m->want.decisions = with_decision(m, action, cause);
    const struct entity *after = document_put(&w, action, m->evidence, e);
    return after && answer_entity(m->d.c, 200, after, NULL, e);
}

static bool open_move(struct experiment_move *m, struct command *c, struct head *h,
                      struct changes *out, struct err *e)
{
    *m = (struct experiment_move){.d = {c, h, out}};
    m->there = addressed_document(&EXPERIMENT_TYPE, c, h, e);
    if (!m->there)
        return false;
    m->want = *experiment_of(m->there);
    m->spec = experiment_spec_of(m->there);
    return true;
}

static bool open_by_person(struct experiment_move *m, struct command *c, struct head *h,
                           struct changes *out, struct err *e)
{
    struct move_body body = {0};
    if (!open_move(m, c, h, out, e) || !body_decode(c, EXPERIMENT_MOVE_FIELDS, &body, e))
        return false;
    take_reason(c, body.reason);
    return true;
}

/* `*t`: the treatment that is named; NULL: none is. */
static bool open_end(struct experiment_move *m, const struct experiment_treatment **t,
                     struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct faults f;
    struct move_body body = {0};
    if (!open_move(m, c, h, out, e) || !body_decode(c, EXPERIMENT_END_FIELDS, &body, e))
        return false;
    take_reason(c, body.reason);
    *t = body.treatment ? experiment_move_treatment(m, body.treatment) : NULL;
    if (!body.treatment || *t)
        return true;
    faults_init(&f, c->arena);
    fault_add(&f, &ERR_INVALID, "/treatment", "is no treatment that is still compared");
    return faults_fail(&f, e);
}

static bool wrong_state(const struct experiment_move *m, const char *wish, struct err *e)
{
    return fail(e, &EXPERIMENT_STATE, "'%.200s' is %s and cannot be %s", m->want.head.id,
                m->want.state, wish);
}

static const char *by_person(const struct experiment_move *m, const char *what)
{
    const struct command *c = m->d.c;
    return arena_printf(c->arena, "%s by %.200s%s%.1024s.", what, c->actor.id ? c->actor.id : "",
                        c->reason ? ": " : "", c->reason ? c->reason : "");
}

/* ---- start ---- */

struct tries {
    const struct model *models[EXPERIMENT_TREATMENTS_MAX];
    size_t n;
    int64_t most;
};

static bool count_tries(const struct entity *e, void *ctx)
{
    struct tries *t = ctx;
    const struct experiment *x = experiment_of(document_of(e));
    const struct experiment_spec *s = experiment_spec_of(document_of(e));
    for (size_t i = 0; i < s->treatment_count && x->attempt > t->most; i++)
        for (size_t k = 0; k < t->n; k++)
            if (is(s->treatments[i].model, t->models[k]->entity.id))
                t->most = x->attempt;
    return true;
}

/* Experiments that were deleted since count as well: the models know. */
static bool count_known(struct experiment_move *m, struct tries *t, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        struct model_fields f;
        if (!model_fields_read(t->models[i], m->d.c->arena, &f, e))
            return false;
        if (f.experiment_attempts > t->most)
            t->most = f.experiment_attempts;
    }
    return true;
}

static void edit_attempts(struct model_fields *f, const void *ctx)
{
    f->experiment_attempts = *(const int64_t *)ctx;
}

static bool remember(struct experiment_move *m, const struct tries *t, struct err *e)
{
    for (size_t i = 0; i < t->n; i++)
        if (!change_model(&m->d, t->models[i], edit_attempts, &m->want.attempt, "model.updated",
                          NULL, e))
            return false;
    return true;
}

static const struct model *arm_model(struct experiment_move *m, const struct document *route,
                                     const char *arm, struct err *e)
{
    const struct model *model = route_arm_model(m->d.h->view, route, arm);
    if (!model || !route_serves(model)) {
        fail(e, &EXPERIMENT_ARMS,
             "the arm '%.128s' of the route '%.200s' leads to no model that "
             "serves",
             arm, m->want.route);
        return NULL;
    }
    return command_may(m->d.c, model->name, m->d.c->actions, e) ? model : NULL;
}

static bool pin_treatments(struct experiment_move *m, const struct document *route,
                           const struct model *control, struct tries *t, struct err *e)
{
    for (size_t i = 0; i < m->spec->treatment_count; i++) {
        const struct model *one = arm_model(m, route, m->spec->treatments[i].arm, e);
        bool again = one == control;
        for (size_t k = 0; k < t->n; k++)
            again = again || one == t->models[k];
        if (!one || again)
            return one && fail(e, &EXPERIMENT_ARMS, "two arms lead to '%.200s'", one->entity.id);
        t->models[t->n++] = one;
    }
    return true;
}

static bool pin(struct experiment_move *m, struct err *e)
{
    struct experiment *x = &m->want;
    const struct document *route = view_document(m->d.h->view, &ROUTE_TYPE, m->d.c->ns, x->route);
    const struct document *other = view_experiment_on(m->d.h->view, m->d.c->ns, x->route);
    if (!route)
        return fail(e, &EXPERIMENT_ARMS, "no route '%.200s' is stored any more", x->route);
    if (other)
        return fail(e, &ROUTE_IN_EXPERIMENT, "the experiment '%.200s' owns the route '%.200s'",
                    other->entity.id, x->route);
    const struct model *control = arm_model(m, route, x->control, e);
    struct tries t = {.n = 0};
    if (!control || !pin_treatments(m, route, control, &t, e))
        return false;
    /* With several, the most often tried one says how much of alpha there is for all. */
    view_each_of(m->d.h->view, ENTITY_EXPERIMENT, m->d.c->ns, count_tries, &t);
    if (!count_known(m, &t, e))
        return false;
    x->attempt = t.most + 1;
    struct bytes b = BYTES_INIT(8192);
    bytes_char(&b, '{');
    json_kv_string(&b, x->control, control->entity.id);
    for (size_t i = 0; i < t.n; i++)
        json_kv_string(&b, m->spec->treatments[i].arm, t.models[i]->entity.id);
    bytes_char(&b, '}');
    x->models = arena_copy(m->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return remember(m, &t, e);
}

static bool begin(struct experiment_move *m, struct err *e)
{
    struct experiment *x = &m->want;
    if (!pin(m, e))
        return false;
    x->state = "running";
    x->paused_by = NULL;
    x->step = 0;
    x->share_percent = m->spec->steps[0];
    x->ready = false;
    x->winner = NULL;
    x->taken_out = "[]";
    x->started_at = x->step_started_at = m->d.h->now_ms;
    x->finished_at = 0;
    x->evidence = NULL;
    x->decisions = "[]";
    x->sentence = by_person(m, "Started");
    return experiment_move_put(m, "experiment.started", "person", e);
}

bool experiment_start(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    if (!open_by_person(&m, c, h, out, e))
        return refused(out);
    if (is(m.want.state, "running"))
        return answer_entity(c, 200, &m.there->entity, NULL, e);
    if (!is(m.want.state, "paused"))
        return begin(&m, e) || refused(out);
    m.want.state = "running";
    m.want.paused_by = NULL;
    m.want.sentence = by_person(&m, "Resumed");
    return experiment_move_put(&m, "experiment.resumed", "person", e) || refused(out);
}

/* ---- the others ---- */

bool experiment_pause(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    if (!open_by_person(&m, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "paused", e) || refused(out);
    if (m.want.paused_by && is(m.want.paused_by, "person"))
        return answer_entity(c, 200, &m.there->entity, NULL, e);
    m.want.state = "paused";
    m.want.paused_by = "person";
    m.want.sentence = by_person(&m, "Paused");
    return experiment_move_put(&m, "experiment.paused", "person", e) || refused(out);
}

bool experiment_stop(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    if (!open_by_person(&m, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "stopped", e) || refused(out);
    m.want.sentence = by_person(&m, "Stopped");
    return experiment_end(&m, "stopped", "experiment.stopped", "person", e) || refused(out);
}

/* The one that is named, else the winner, else the only one. */
static bool promote(struct experiment_move *m, const struct experiment_treatment *t, struct err *e)
{
    struct faults f;
    t = t ? t : experiment_move_treatment(m, m->want.winner);
    if (!t) {
        faults_init(&f, m->d.c->arena);
        fault_add(&f, &ERR_INVALID, "/treatment", "there are several: which one?");
        return faults_fail(&f, e);
    }
    m->want.sentence = by_person(m, "Promoted");
    return experiment_end_promoted(m, t, "person", e);
}

bool experiment_promote(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    const struct experiment_treatment *t;
    if (!open_end(&m, &t, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "promoted", e) || refused(out);
    return promote(&m, t, e) || refused(out);
}

bool experiment_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    const struct experiment_treatment *t;
    if (!open_end(&m, &t, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "rolled back", e) || refused(out);
    m.want.sentence = by_person(&m, "Rolled back");
    if (t && experiment_move_left(&m) > 1)
        return experiment_take_out(&m, t, "person", e) || refused(out);
    return experiment_end_rolled_back(&m, "rolled_back", "experiment.rolled_back", "person", e) ||
           refused(out);
}

/* ---- of the server ---- */

static bool pause_for(struct experiment_move *m, const struct experiment_news *n, const char *by,
                      struct err *e)
{
    m->want.state = "paused";
    m->want.paused_by = by;
    return experiment_move_put(m, "experiment.paused", n->cause, e);
}

static bool go_on(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    struct experiment *x = &m->want;
    if ((size_t)x->step + 1 >= m->spec->step_count)
        return fail(e, &EXPERIMENT_STATE, "'%.200s' has no further step", x->head.id);
    x->step++;
    x->share_percent = m->spec->steps[x->step];
    x->step_started_at = m->d.h->now_ms;
    return experiment_move_put(m, "experiment.advanced", n->cause, e);
}

static bool gone(const struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    return fail(e, &EXPERIMENT_STATE, "'%.200s' compares no treatment '%.128s'", m->want.head.id,
                n->treatment ? n->treatment : "");
}

static bool is_ready(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    const struct experiment_treatment *t = experiment_move_treatment(m, n->treatment);
    if (!t)
        return gone(m, n, e);
    m->want.ready = true;
    m->want.winner = t->arm;
    return experiment_move_put(m, "experiment.waits_for_gate", n->cause, e);
}

static bool worse(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    const struct experiment_treatment *t = experiment_move_treatment(m, n->treatment);
    if (is(m->want.on_regression, "hold"))
        return pause_for(m, n, "regression", e);
    if (!t)
        return gone(m, n, e);
    if (experiment_move_left(m) > 1)
        return experiment_take_out(m, t, n->cause, e);
    return experiment_end_rolled_back(m, "rolled_back", "experiment.rolled_back", n->cause, e);
}

static bool better(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    struct experiment *x = &m->want;
    const struct experiment_treatment *t = experiment_move_treatment(m, n->treatment);
    if (!t)
        return gone(m, n, e);
    x->ready = true;
    x->winner = t->arm;
    if (is(x->on_success, "promote"))
        return experiment_end_promoted(m, t, n->cause, e);
    if (is(x->on_success, "propose"))
        return pause_for(m, n, "proposal", e);
    return experiment_end(m, "succeeded", "experiment.succeeded", n->cause, e);
}

static bool act(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    struct experiment *x = &m->want;
    switch (n->step) {
    case EXPERIMENT_GOES_ON: return go_on(m, n, e);
    case EXPERIMENT_PAUSES: return pause_for(m, n, n->paused_by, e);
    case EXPERIMENT_RESUMES:
        x->state = "running";
        x->paused_by = NULL;
        return experiment_move_put(m, "experiment.resumed", n->cause, e);
    case EXPERIMENT_IS_READY: return is_ready(m, n, e);
    case EXPERIMENT_IS_BETTER: return better(m, n, e);
    case EXPERIMENT_IS_WORSE: return worse(m, n, e);
    case EXPERIMENT_IS_OVER:
        return is(x->on_inconclusive, "hold")
                   ? experiment_end(m, "inconclusive", "experiment.inconclusive", n->cause, e)
                   : experiment_end_rolled_back(m, "inconclusive", "experiment.inconclusive",
                                                n->cause, e);
    default: return experiment_end(m, "stopped", "experiment.stopped", n->cause, e);
    }
}

bool experiment_report(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    const struct experiment_news *n = c->args;
    struct experiment_move m;
    if (!open_move(&m, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "moved on", e) || refused(out);
    c->reason = n->sentence;
    m.evidence = n->evidence;
    m.want.sentence = n->sentence;
    m.want.evidence = n->evidence ? n->evidence : m.want.evidence;
    return act(&m, n, e) || refused(out);
}
