/* What an experiment shows by now: its numbers, and the decisions that were made by them. */
#include "selection/experiments.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/work.h"
#include "base/json.h"
#include "registry/errors.h"
#include "registry/experiment.h"

#include <string.h>

/* Not in the view any more when the numbers are asked for, which may take long. */
struct analysis {
    uint64_t uid;
    const char *json, *evidence;
    bool runs;
};

static bool read_document(struct work *w, struct analysis *a)
{
    const struct document *d =
        view_document(view_enter(w->reader), &EXPERIMENT_TYPE, w->ns, w->args);
    if (d) {
        const struct experiment *x = experiment_of(d);
        a->uid = d->entity.uid;
        a->runs = experiment_runs(x);
        a->json = arena_copy(w->arena, d->entity.json, d->entity.json_len);
        a->evidence = x->evidence ? arena_text(w->arena, x->evidence) : NULL;
    }
    view_leave(w->reader);
    return d || fail(&w->err, &EXPERIMENT_NOT_FOUND, "no experiment with id '%.200s'",
                     (const char *)w->args);
}

/* Its last numbers: live ones, else those that decided. */
static bool render(struct work *w)
{
    struct analysis a = {0};
    struct bytes live = BYTES_INIT(1 << 20);
    if (!read_document(w, &a))
        return false;
    const bool is_live = a.runs && experiments_analysis(w->api->experiments, a.uid, &live);
    bytes_char(&w->out, '{');
    json_kv_raw(&w->out, "experiment", a.json);
    json_kv_bool(&w->out, "live", is_live);
    json_kv_raw(&w->out, "evidence", is_live ? live.data : a.evidence);
    bytes_char(&w->out, '}');
    bytes_release(&live);
    return true;
}

void experiment_analysis_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ONE_NAMESPACE, &c))
        work_answer(&c, true, render,
                    (void *)(uintptr_t)arena_text(c.arena, request_param(rq, "key")));
}
