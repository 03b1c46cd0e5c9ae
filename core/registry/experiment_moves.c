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
    const char *reason;
};

const struct field EXPERIMENT_MOVE_FIELDS[] = {
    FIELD_REASON(offsetof(struct move_body, reason)),
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
    const char *model_id;
    int64_t most;
};

static bool count_tries(const struct entity *e, void *ctx)
{
    struct tries *t = ctx;
    const struct experiment *x = experiment_of(document_of(e));
    if (x->attempt > t->most &&
        is(experiment_spec_of(document_of(e))->treatment_model, t->model_id))
        t->most = x->attempt;
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
    const struct model *treatment = control ? arm_model(m, route, m->spec->treatment, e) : NULL;
    if (!treatment)
        return false;
    if (treatment == control)
        return fail(e, &EXPERIMENT_ARMS, "both arms lead to '%.200s'", control->entity.id);
    struct tries t = {treatment->entity.id, 0};
    view_each_of(m->d.h->view, ENTITY_EXPERIMENT, m->d.c->ns, count_tries, &t);
    x->attempt = t.most + 1;
    struct bytes b = BYTES_INIT(8192);
    bytes_char(&b, '{');
    json_kv_string(&b, x->control, control->entity.id);
    json_kv_string(&b, m->spec->treatment, treatment->entity.id);
    bytes_char(&b, '}');
    x->models = arena_copy(m->d.c->arena, b.data, b.len);
    bytes_release(&b);
    return true;
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

bool experiment_promote(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    if (!open_by_person(&m, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "promoted", e) || refused(out);
    m.want.sentence = by_person(&m, "Promoted");
    return experiment_end_promoted(&m, "person", e) || refused(out);
}

bool experiment_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    struct experiment_move m;
    if (!open_by_person(&m, c, h, out, e))
        return refused(out);
    if (!experiment_runs(&m.want))
        return wrong_state(&m, "rolled back", e) || refused(out);
    m.want.sentence = by_person(&m, "Rolled back");
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

static bool better(struct experiment_move *m, const struct experiment_news *n, struct err *e)
{
    struct experiment *x = &m->want;
    x->ready = true;
    if (is(x->on_success, "promote"))
        return experiment_end_promoted(m, n->cause, e);
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
    case EXPERIMENT_IS_READY:
        x->ready = true;
        return experiment_move_put(m, "experiment.waits_for_gate", n->cause, e);
    case EXPERIMENT_IS_BETTER: return better(m, n, e);
    case EXPERIMENT_IS_WORSE:
        return is(x->on_regression, "hold")
                   ? pause_for(m, n, "regression", e)
                   : experiment_end_rolled_back(m, "rolled_back", "experiment.rolled_back",
                                                n->cause, e);
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
