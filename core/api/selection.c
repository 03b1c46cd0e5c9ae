/* Which model serves whom: one, or many at once. */
#include "api/body.h"
#include "api/call.h"
#include "extend/context.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/selection_answer.h"
#include "api/selection_fields.h"
#include "api/slices.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/loop.h"
#include "registry/errors.h"
#include "selection/decisions.h"
#include "selection/errors.h"
#include "selection/selection_counts.h"
#include "selection/selector.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (4 << 20)

/* ---- what is asked ---- */

/* The body, with what is no text of a field taken out of it as it is. */
struct asked {
    struct selection_body fields;
    json_t *context, *labels, *contexts; /* new references, or NULL */
};

static void asked_release(struct asked *a)
{
    json_decref(a->context);
    json_decref(a->labels);
    json_decref(a->contexts);
}

/* Take a member out of the body unless it is null; what is left decodes cheaply. */
static json_t *take(json_t *body, const char *name)
{
    json_t *value = json_object_get(body, name);
    if (!value || json_is_null(value))
        return NULL;
    json_incref(value);
    json_object_del(body, name);
    return value;
}

static void check_labels(const json_t *labels, struct faults *f)
{
    const char *key;
    json_t *value;
    char pointer[300];
    if (labels && !json_is_object(labels))
        fault_add(f, &ERR_INVALID, "/labels", "must be an object");
    json_object_foreach((json_t *)labels, key, value) {
        pointer_join(pointer, sizeof pointer, "/labels", key);
        if (!json_is_string(value))
            fault_add(f, &ERR_INVALID, pointer, "must be a text");
    }
}

static void check_contexts(const json_t *contexts, struct arena *a, struct faults *f)
{
    const json_t *context;
    size_t i;
    if (!json_is_array(contexts) || json_array_size(contexts) == 0 ||
        json_array_size(contexts) > SELECTION_BATCH_MAX) {
        fault_add(f, &ERR_INVALID, "/contexts", "must be a list of 1 to %d", SELECTION_BATCH_MAX);
        return;
    }
    json_array_foreach((json_t *)contexts, i, context)
        (void)context_check(context, arena_printf(a, "/contexts/%zu", i), f);
}

/* One way to say what is asked, and no other. */
static void check_question(const struct asked *a, struct faults *f)
{
    const struct selection_body *b = &a->fields;
    bool match = b->sport || b->type || b->deployment_target || json_object_size(a->labels) > 0;
    if ((b->route != NULL) + (b->model_name != NULL) + match != 1)
        fault_add(f, &ERR_INVALID, "",
                  "must have route, or model_name, or some of sport, type, labels, "
                  "deployment_target");
}

static bool read_body(struct call *c, const struct field *table, struct asked *a, struct err *e)
{
    struct faults faults;
    json_t *body = call_object(c, e);
    if (!body)
        return false;
    faults_init(&faults, c->arena);
    if (table == SELECTION_FIELDS && (a->context = take(body, "context")))
        (void)context_check(a->context, "/context", &faults);
    else if (table != SELECTION_FIELDS && (a->contexts = take(body, "contexts")))
        check_contexts(a->contexts, c->arena, &faults);
    check_labels(a->labels = take(body, "labels"), &faults);
    if (a->contexts) /* it is required: let its place be seen */
        json_object_set_new(body, "contexts", json_array());
    bool good = fields_decode(table, body, "", DECODE_CREATE, &a->fields, c->arena, NULL, &faults);
    json_decref(body);
    if (good)
        check_question(a, &faults);
    return faults.total == 0 || faults_fail(&faults, e);
}

/* ---- who may ask ---- */

/* Of what is asked for by name that decides; else the model that a route found must be one he may
 * select. */
static bool may(struct call *c, const struct asked *a, const char *found, struct err *e)
{
    const struct selection_body *b = &a->fields;
    const char *name = b->route ? b->route : b->model_name ? b->model_name : found;
    const struct grants *g = c->access->grants;
    if (!name || grants_allow(g, c->ns, name, ACTION_BIT(ACTION_SELECT)))
        return true;
    if (b->route || b->model_name)
        return grants_allow(g, c->ns, name, ACTIONS_ALL)
                   ? forbidden(c->arena, c->ns, name, ACTION_BIT(ACTION_SELECT), e)
                   : fail(e, &ROUTE_NOT_FOUND,
                          b->route ? "no route '%.200s'" : "no registered model with name '%.200s'",
                          name);
    return fail(e, &NO_CANDIDATE, "no model in service matches, and no fallback is left");
}

/* ---- the answer ---- */

static void question_of(struct call *c, const struct asked *a, const struct view *v,
                        struct selection_question *q)
{
    const struct selection_body *b = &a->fields;
    *q = (struct selection_question){.view = v,
                                     .ns = c->ns,
                                     .route = b->route,
                                     .model_name = b->model_name,
                                     .sport = b->sport,
                                     .type = b->type,
                                     .deployment_target = b->deployment_target,
                                     .labels = a->labels,
                                     .grants = c->access->grants,
                                     .asker = c->access->token_uid,
                                     .asker_revision = c->access->token_revision,
                                     .strategy = b->strategy,
                                     .previous = b->previous_decision_id,
                                     .at_ms = loop_wall_ms(request_loop(c->rq)),
                                     .store_gone = !engine_available(c->api->engine),
                                     .explain = b->explain};
}

/* It was decided: count it, and keep it where the route says so. */
static void note(struct loop_state *s, const struct call *c, const struct selection_answer *a)
{
    selection_tally_add(s->selections, a, c->ns);
    decision_lane_add(s->decisions, a, c->ns);
}

static bool ask(struct selector *s, const struct selection_question *q, struct arena *arena,
                struct selection_answer *out, struct err *e)
{
    char pointer[300];
    struct faults f;
    if (selector_ask(s, q, out, e) || !out->wrong_unit)
        return e->kind == NULL;
    faults_init(&f, arena);
    pointer_join(pointer, sizeof pointer, "/context", out->wrong_unit);
    fault_add(&f, &ERR_INVALID, pointer, "must be a text or a whole number");
    return faults_fail(&f, e);
}

static bool answer_one(struct call *c, const struct asked *a, struct bytes *out, struct err *e)
{
    struct loop_state *s = loop_state(request_loop(c->rq));
    struct selection_question q;
    struct selection_answer answer;
    json_t *none = a->context ? NULL : json_object();
    const struct view *v = view_enter(c->reader);
    question_of(c, a, v, &q);
    q.context = a->context ? a->context : none;
    bool ok = may(c, a, NULL, e) && ask(s->selector, &q, c->arena, &answer, e) &&
              may(c, a, answer.served->name, e);
    if (ok) {
        note(s, c, &answer);
        bytes_char(out, '{');
        selection_put_answer(out, &answer, view_seq(v));
        bytes_char(out, '}');
    }
    view_leave(c->reader);
    json_decref(none);
    return ok;
}

static void refuse(struct request *rq, const struct err *e)
{
    if (e->kind == &FORBIDDEN)
        access_denied(rq, e);
    request_fail(rq, e);
}

/* ---- many ---- */

static void put_refusal(struct bytes *b, const struct err *e)
{
    json_key(b, "error");
    bytes_char(b, '{');
    json_kv_string(b, "code", e->kind->code);
    json_kv_string(b, "detail", e->detail);
    bytes_char(b, '}');
}

/* Many are asked in slices (api/slices.h), each in the view of its moment: policies may take
 * milliseconds. */
struct many {
    struct slice_job job; /* first */
    struct call call;
    struct asked asked;
    struct bytes out;
    struct err err;
    size_t at;
    int64_t at_ms;
};

static void many_free(struct many *b)
{
    bytes_release(&b->out);
    asked_release(&b->asked);
    free(b);
}

/* What concerns one alone stands in its place; false: as it would be for all. */
static bool answer_next(struct many *b, const struct view *v)
{
    struct call *c = &b->call;
    struct loop_state *s = loop_state(request_loop(c->rq));
    struct selection_question q;
    struct selection_answer answer;
    struct err one = {0};
    question_of(c, &b->asked, v, &q);
    q.at_ms = b->at_ms;
    q.context = json_array_get(b->asked.contexts, b->at);
    bytes_text(&b->out, b->at++ ? ",{" : "{");
    if (selector_ask(s->selector, &q, &answer, &one) &&
        may(c, &b->asked, answer.served->name, &one)) {
        note(s, c, &answer);
        selection_put_answer(&b->out, &answer, view_seq(v));
    } else if (one.kind == &UNIT_MISSING || answer.wrong_unit) {
        put_refusal(&b->out, &one);
    } else {
        b->err = one;
        return false;
    }
    bytes_char(&b->out, '}');
    return true;
}

static bool many_go_on(struct slice_job *job)
{
    struct many *b = (struct many *)(void *)job;
    struct slices *slices = ((struct loop_state *)loop_state(request_loop(b->call.rq)))->slices;
    const struct view *v = view_enter(b->call.reader);
    bool good = true, time = true;
    while (good && time && b->at < json_array_size(b->asked.contexts)) {
        good = answer_next(b, v);
        time = !slices_over(slices);
    }
    view_leave(b->call.reader);
    if (good && b->at < json_array_size(b->asked.contexts)) {
        request_defer(b->call.rq);
        return false;
    }
    bytes_text(&b->out, "]}");
    if (good)
        request_reply_json(b->call.rq, 200, &b->out);
    else
        refuse(b->call.rq, &b->err);
    many_free(b);
    return true;
}

static void many_give_up(struct slice_job *job)
{
    struct many *b = (struct many *)(void *)job;
    request_problem(b->call.rq, &ERR_BUSY,
                    "the policy takes too long for so many contexts now: send fewer at once");
    many_free(b);
}

static void many_drop(struct slice_job *job)
{
    many_free((struct many *)(void *)job);
}

/* ---- operations ---- */

void selection_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct asked a = {.context = NULL};
    struct bytes out = BYTES_INIT(ANSWER_MAX);
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (read_body(&c, SELECTION_FIELDS, &a, &e) && answer_one(&c, &a, &out, &e))
        request_reply_json(rq, 200, &out);
    else
        refuse(rq, &e);
    bytes_release(&out);
    asked_release(&a);
}

void selection_batch_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct asked a = {.context = NULL};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (!read_body(&c, SELECTION_BATCH_FIELDS, &a, &e) || !may(&c, &a, NULL, &e)) {
        refuse(rq, &e);
        asked_release(&a);
        return;
    }
    struct many *b = mem_zero(1, sizeof *b);
    b->job = (struct slice_job){.go_on = many_go_on, .give_up = many_give_up, .drop = many_drop};
    b->call = c;
    b->asked = a;
    b->at_ms = loop_wall_ms(request_loop(rq));
    bytes_init(&b->out, ANSWER_MAX);
    bytes_text(&b->out, "{\"decisions\":[");
    slices_begin(((struct loop_state *)loop_state(request_loop(rq)))->slices, &b->job);
}
