/* Validation runs: start, look at, wait for, cancel. */
#include "api/body.h"
#include "api/handlers.h"
#include "api/keys.h"
#include "api/loop_state.h"
#include "api/run_fields.h"
#include "api/validation_work.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/mem.h"
#include "extend/catalog.h"
#include "registry/errors.h"
#include "registry/test_case.h"
#include "validation/run_store.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_PATH "/api/models/enterprise/validation/runs/"

/* A request that waits for a run to be queued, and then to end. */
struct asked_run {
    struct run_wish wish; /* first: it travels */
    struct run_wait wait;
    struct request *rq;
    struct api *api;
    struct loop *loop;
    struct arena *arena;
    int64_t wait_ms;
    int status; /* of the answer while the run goes on */
};

static void asked_free(struct asked_run *a)
{
    arena_free(a->arena); /* it lies in it */
}

static struct asked_run *asked_new(struct call *c)
{
    struct arena *a = arena_new(8 << 20);
    struct asked_run *made = arena_zero(a, sizeof *made);
    made->rq = c->rq;
    made->api = c->api;
    made->loop = request_loop(c->rq);
    made->arena = a;
    made->wish.ns = arena_text(a, c->ns);
    made->status = 200;
    return made;
}

/* --- the answer --- */

static bool run_render(struct work *w)
{
    return run_put_json(w, w->args);
}

/* [loop] */
static void answer(struct asked_run *a, bool over)
{
    struct bytes out = BYTES_INIT(REPLY_MAX);
    struct call c = {.api = a->api,
                     .rq = a->rq,
                     .arena = request_arena(a->rq),
                     .reader = ((struct loop_state *)loop_state(a->loop))->reader,
                     .access = access_of(a->rq)};
    const char *run_id = arena_text(c.arena, a->wish.run_id);
    c.ns = arena_text(c.arena, a->wish.ns);
    bool live = !over && validation_live(a->api->validation, c.ns, run_id, &out);
    int status = live ? a->status : 200;
    asked_free(a);
    if (live) {
        request_reply_json(c.rq, status, &out);
    } else {
        bytes_release(&out);
        work_answer(&c, true, run_render, (void *)(uintptr_t)run_id);
    }
}

/* [loop] */
static void waited(struct mail *m)
{
    struct asked_run *a = (struct asked_run *)(void *)m;
    answer(a, a->wait.over);
}

/* [supervisor] */
static void wait_done(struct run_wait *w)
{
    struct asked_run *a = w->owner;
    a->wish.mail.run = waited;
    loop_post_answer(a->loop, &a->wish.mail);
}

/* Wait for its end if that was asked for, and answer. [loop] */
static void wait_or_answer(struct asked_run *a)
{
    a->wait.until_ns = clock_mono_ns(a->api->clock) + a->wait_ms * 1000000;
    a->wait.done = wait_done;
    a->wait.owner = a;
    if (a->wait_ms > 0 && validation_wait(a->api->validation, a->wish.ns, a->wish.run_id, &a->wait))
        return;
    answer(a, false);
}

/* --- POST run --- */

/* [loop] */
static void queued(struct mail *m)
{
    struct asked_run *a = (struct asked_run *)(void *)m;
    if (!a->wish.ok) {
        request_fail(a->rq, &a->wish.err);
        asked_free(a);
        return;
    }
    char location[sizeof RUNS_PATH + sizeof a->wish.run_id];
    snprintf(location, sizeof location, RUNS_PATH "%s", a->wish.run_id);
    request_add_header(a->rq, "Location", location);
    wait_or_answer(a);
}

/* [supervisor] */
static void wish_done(struct run_wish *w)
{
    struct asked_run *a = (struct asked_run *)(void *)w;
    w->mail.run = queued;
    loop_post_answer(a->loop, &w->mail);
}

static void check_tests(struct call *c, const struct view *v, const char *test_ids,
                        struct faults *f)
{
    json_t *ids = test_ids ? json_read(test_ids, strlen(test_ids), NULL) : NULL, *id;
    size_t i;
    json_array_foreach(ids, i, id)
        if (!view_document(v, &TEST_CASE_TYPE, c->ns, json_string_value(id)))
            fault_add(f, &BAD_REFERENCE, arena_printf(c->arena, "/test_ids/%zu", i),
                      "no test case has this id");
    json_decref(ids);
}

static bool is_type(const struct plugin_set *set, const char *id)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (p->kind == PLUGIN_TEST && p->id && strcmp(p->id, id) == 0)
            return true;
    }
    return false;
}

static void check_types(struct call *c, const char *types, struct faults *f)
{
    json_t *ids = types ? json_read(types, strlen(types), NULL) : NULL, *id;
    const struct plugin_set *set = catalog_take(c->api->plugins);
    size_t i;
    json_array_foreach(ids, i, id)
        if (!is_type(set, json_string_value(id)))
            fault_add(f, &ERR_INVALID, arena_printf(c->arena, "/types/%zu", i),
                      "no test plugin has the id '%.128s'", json_string_value(id));
    catalog_give(c->api->plugins, set);
    json_decref(ids);
}

/* A model that the body names, in the view; adds a fault if there is none to be seen. */
static const struct model *named(struct call *c, const struct view *v, const char *reference,
                                 const char *pointer, struct faults *f)
{
    const struct model *m = view_resolve(v, c->ns, reference, NULL);
    if (m && grants_allow(c->access->grants, c->ns, m->name, ACTIONS_ALL))
        return m;
    fault_add(f, &BAD_REFERENCE, pointer, "no model '%.200s' in this namespace", reference);
    return NULL;
}

static bool wish_fill(struct call *c, struct asked_run *a, const struct run_body *body,
                      struct err *e)
{
    struct faults faults;
    struct run_wish *w = &a->wish;
    faults_init(&faults, c->arena);
    const struct view *v = view_enter(c->reader);
    const struct model *m = named(c, v, body->model_id, "/model_id", &faults);
    const struct model *base = body->baseline_model_id ? named(c, v, body->baseline_model_id,
                                                               "/baseline_model_id", &faults)
                                                       : NULL;
    const char *name = m ? arena_text(c->arena, m->name) : NULL;
    check_tests(c, v, body->test_ids, &faults);
    check_types(c, body->types, &faults);
    w->model_id = m ? arena_text(a->arena, m->entity.id) : NULL;
    w->baseline_model_id = base ? arena_text(a->arena, base->entity.id) : NULL;
    view_leave(c->reader);
    if (faults.total)
        return faults_fail(&faults, e);
    w->types = arena_text(a->arena, body->types);
    w->test_ids = arena_text(a->arena, body->test_ids);
    w->labels = arena_text(a->arena, body->labels);
    w->trial = body->trial;
    w->done = wish_done;
    a->wait_ms = body->wait_ms;
    a->status = 202;
    return grants_allow(c->access->grants, c->ns, name, c->access->actions) ||
           forbidden(c->arena, c->ns, name, c->access->actions, e);
}

void validation_run_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct run_body body = {0};
    struct asked_key key;
    size_t len;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *text = request_body(rq, &len);
    if (!keys_begin(&c, keys_asked(rq) ? hash64(text, len, 0) : 0, KEEP_COMMAND_MS, &key))
        return;
    struct asked_run *a = asked_new(&c);
    if (call_body(&c, RUN_BODY_FIELDS, &body, &e) && wish_fill(&c, a, &body, &e)) {
        request_defer(rq);
        validation_run(c.api->validation, &a->wish);
        return;
    }
    request_fail(rq, &e);
    asked_free(a);
}

/* --- GET and cancel --- */

/* Is the run one that the caller may see? What is live is looked at here; the rest on a reader. */
static bool live_is_seen(struct call *c, const char *run_id, bool *live)
{
    struct bytes text = BYTES_INIT(REPLY_MAX);
    *live = validation_live(c->api->validation, c->ns, run_id, &text);
    bool seen = true;
    if (*live && c->access->grants) {
        json_t *run = json_read(text.data, text.len, NULL);
        seen = run_is_seen(c->access->grants, c->reader, c->ns,
                           json_string_value(json_object_get(run, "model_id")));
        json_decref(run);
    }
    bytes_release(&text);
    return seen;
}

static void no_run(struct call *c, const char *run_id)
{
    request_problem(c->rq, &RUN_NOT_FOUND, "no validation run '%.128s' in namespace '%.128s'",
                    run_id, c->ns);
}

void validation_run_get(struct request *rq)
{
    struct call c;
    bool live;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *run_id = request_param(rq, "run_id");
    if (strlen(run_id) > 128 || !live_is_seen(&c, run_id, &live)) {
        no_run(&c, run_id);
        return;
    }
    if (!live) {
        work_answer(&c, true, run_render, (void *)(uintptr_t)run_id);
        return;
    }
    struct asked_run *a = asked_new(&c);
    memcpy(a->wish.run_id, run_id, strlen(run_id) + 1);
    a->wait_ms = c.q.wait_ms;
    request_defer(rq);
    wait_or_answer(a);
}

/* [reader] It is not live: over, or not known to this node. */
static bool cancel_stored(struct work *w)
{
    struct run r;
    if (!run_read(w, w->args, &r))
        return false;
    if (strcmp(r.status, "cancelled") == 0)
        run_encode(&r, w->ns, &w->out);
    else if (r.finished_at)
        return fail(&w->err, &RUN_FINISHED, "the run '%.128s' has %s", r.run_id, r.status);
    else
        return fail(&w->err, &ERR_BUSY,
                    "the run '%.128s' has not been taken up since the server "
                    "was restarted; try again in some seconds",
                    r.run_id);
    return true;
}

void validation_run_cancel(struct request *rq)
{
    struct call c;
    bool live;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *run_id = request_param(rq, "run_id");
    if (strlen(run_id) > 128 || !live_is_seen(&c, run_id, &live)) {
        no_run(&c, run_id);
    } else if (live && validation_cancel(c.api->validation, c.ns, run_id) == CANCEL_TAKEN) {
        struct asked_run *a = asked_new(&c);
        memcpy(a->wish.run_id, run_id, strlen(run_id) + 1);
        request_defer(rq);
        answer(a, false);
    } else {
        work_answer(&c, true, cancel_stored, (void *)(uintptr_t)run_id);
    }
}
