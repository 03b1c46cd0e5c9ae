#include "api/work.h"

#include "base/mem.h"

#include <stdlib.h>

#define ARENA_MAX (256 << 20) /* a search over 100,000 models keeps some MB of keys */

static void reply(struct work *w, bool ok)
{
    if (!ok)
        request_fail(w->rq, &w->err);
    else if (w->out.full)
        request_problem(w->rq, &ERR_INTERNAL, "the answer is larger than %d bytes", REPLY_MAX);
    else
        request_reply(w->rq, 200, w->type, w->out.data, w->out.len);
    bytes_release(&w->out);
}

/* [loop] */
static void answered(struct mail *mail)
{
    struct work *w = (struct work *)(void *)mail;
    reply(w, w->err.kind == NULL);
    arena_free(w->arena);
    free(w);
}

/* [reader] */
static void run_on_reader(struct mail *mail)
{
    struct work *w = (struct work *)(void *)mail;
    w->reader = engine_join(w->api->engine);
    if (!w->reader) {
        fail(&w->err, &ERR_BUSY, "too many threads read views");
    } else {
        if (!w->run(w) && !w->err.kind)
            fail(&w->err, &ERR_INTERNAL, "the operation failed without a reason");
        engine_part(w->reader);
    }
    w->mail.run = answered;
    loop_post_answer(w->loop, &w->mail);
}

static void start_on_reader(const struct work *made)
{
    struct work *w = mem_zero(1, sizeof *w);
    *w = *made;
    w->arena = arena_new(ARENA_MAX);
    w->ns = arena_text(w->arena, made->ns);
    w->grants = grants_copy(w->arena, made->grants);
    w->mail.run = run_on_reader;
    request_defer(w->rq);
    if (pool_submit(w->api->readers, &w->mail))
        return;
    request_problem(w->rq, &ERR_BUSY, "too many searches wait for a thread; try again");
    arena_free(w->arena);
    free(w);
}

bool work_model(struct work *w, const char *reference, struct model_key *key)
{
    const struct model *m = view_resolve(view_enter(w->reader), w->ns, reference, &w->err);
    if (m)
        *key = (struct model_key){arena_text(w->arena, m->entity.ns),
                                  arena_text(w->arena, m->entity.id), m->entity.uid};
    view_leave(w->reader);
    return m != NULL;
}

void work_answer(struct call *c, bool on_reader, bool (*run)(struct work *w), void *args)
{
    work_answer_typed(c, on_reader, run, args, NULL);
}

void work_answer_typed(struct call *c, bool on_reader, bool (*run)(struct work *w), void *args,
                       const char *type)
{
    struct work w = {
        .api = c->api,
        .reader = c->reader,
        .arena = c->arena,
        .ns = c->ns,
        .grants = c->access->grants,
        .args = args,
        .out = BYTES_INIT(REPLY_MAX),
        .type = type,
        .run = run,
        .rq = c->rq,
        .loop = request_loop(c->rq),
    };
    if (on_reader)
        start_on_reader(&w);
    else
        reply(&w, run(&w));
}
