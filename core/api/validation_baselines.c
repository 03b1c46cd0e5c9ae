/* Pinned baselines. What is pinned is looked up on a reader before the engine is asked. */
#include "api/body.h"
#include "api/handlers.h"
#include "api/submit.h"
#include "api/validation_work.h"
#include "base/mem.h"
#include "registry/baseline.h"
#include "registry/errors.h"
#include "validation/run_store.h"

#include <stdlib.h>
#include <string.h>

/* The id of the model in the path, or NULL: the request has been answered. */
static const char *addressed(struct call *c)
{
    struct err e = {0};
    const struct view *v = view_enter(c->reader);
    const struct model *m = view_resolve(v, c->ns, request_param(c->rq, "model_id"), &e);
    const char *id = m ? arena_text(c->arena, m->entity.id) : NULL;
    view_leave(c->reader);
    if (!id)
        request_fail(c->rq, &e);
    return id;
}

void validation_baseline_get(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *id = addressed(&c);
    if (!id)
        return;
    const struct document *d = view_document(view_enter(c.reader), &BASELINE_TYPE, c.ns, id);
    if (d)
        call_reply_entity(&c, request_param(rq, "model_id"), &d->entity);
    view_leave(c.reader);
    if (!d)
        request_problem(rq, &BASELINE_NOT_FOUND, "no baseline is pinned for '%.200s'", id);
}

void validation_baseline_delete(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *id = addressed(&c);
    if (id)
        submit(rq, &(struct wish){.decide = baseline_unpin, .id = id, .kind = ENTITY_BASELINE});
}

/* --- pinning --- */

struct pinning {
    struct mail mail; /* first */
    struct api *api;
    struct request *rq;
    struct loop *loop;
    struct arena *arena;
    const char *ns, *model_id, *run_id;
    struct baseline_run found; /* in the request's arena at last */
    struct err err;
};

/* [loop] */
static void looked_up(struct mail *m)
{
    struct pinning *p = (struct pinning *)(void *)m;
    struct request *rq = p->rq;
    struct arena *a = request_arena(rq);
    if (p->err.kind) {
        request_fail(rq, &p->err);
    } else {
        struct baseline_run *run = arena_zero(a, sizeof *run);
        *run =
            (struct baseline_run){arena_text(a, p->found.run_id), arena_text(a, p->found.model_id)};
        submit(rq, &(struct wish){.decide = baseline_pin,
                                  .id = arena_text(a, p->model_id),
                                  .kind = ENTITY_BASELINE,
                                  .args = run});
    }
    arena_free(p->arena);
}

/* [reader] */
static void look_up(struct mail *m)
{
    struct pinning *p = (struct pinning *)(void *)m;
    struct run r;
    struct err e = {0};
    bool found = run_get(p->api->store, p->ns, p->run_id, p->arena, &r, &e);
    if (!found && e.kind == &RUN_NOT_FOUND)
        fail(&p->err, &BAD_REFERENCE, "no validation run '%.128s'", p->run_id);
    else if (!found)
        p->err = e;
    else if (r.trial || !r.finished_at || strcmp(r.status, "cancelled") == 0)
        fail(&p->err, &BAD_REFERENCE, "the run '%.128s' %s", p->run_id,
             r.trial ? "is a trial" : "has not ended by itself");
    else
        p->found = (struct baseline_run){r.run_id, r.model_id};
    if (p->err.kind == &BAD_REFERENCE)
        p->err.members = arena_printf(
            p->arena, "\"errors\":[{\"field\":\"/run_id\",\"detail\":\"must be a finished run that "
                      "is no trial\"}]");
    m->run = looked_up;
    loop_post_answer(p->loop, m);
}

void validation_baseline_put(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct baseline body = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *id = addressed(&c);
    if (!id)
        return;
    if (!call_body(&c, BASELINE_FIELDS, &body, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct arena *a = arena_new((size_t)256 << 20);
    struct pinning *p = arena_zero(a, sizeof *p);
    *p = (struct pinning){.mail.run = look_up,
                          .api = c.api,
                          .rq = rq,
                          .loop = request_loop(rq),
                          .arena = a,
                          .ns = arena_text(a, c.ns),
                          .model_id = arena_text(a, id),
                          .run_id = arena_text(a, body.run_id)};
    request_defer(rq);
    if (pool_submit(c.api->readers, &p->mail))
        return;
    request_problem(rq, &ERR_BUSY, "too many searches wait for a thread; try again");
    arena_free(a);
}
