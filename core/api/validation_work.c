#include "api/validation_work.h"

#include "registry/errors.h"
#include "validation/run_store.h"

bool run_is_seen(const struct grants *grants, struct view_reader *reader, const char *ns,
                 const char *model_id)
{
    if (!grants)
        return true;
    const struct model *m = view_model(view_enter(reader), ns, model_id ? model_id : "");
    bool seen = grants_allow(grants, ns, m ? m->name : model_id, ACTION_BIT(ACTION_READ));
    view_leave(reader);
    return seen;
}

bool run_read(struct work *w, const char *run_id, struct run *out)
{
    if (!run_get(w->api->store, w->ns, run_id, w->arena, out, &w->err))
        return false;
    return run_is_seen(w->grants, w->reader, w->ns, out->model_id) ||
           fail(&w->err, &RUN_NOT_FOUND, "no validation run '%.128s' in namespace '%.128s'", run_id,
                w->ns);
}

bool run_put_json(struct work *w, const char *run_id)
{
    struct run r;
    if (!run_read(w, run_id, &r))
        return false;
    run_encode(&r, w->ns, &w->out);
    return true;
}
