/* Whether a running experiment keeps a route as it is. */
#include "registry/errors.h"
#include "registry/experiment.h"
#include "registry/field_diff.h"
#include "registry/route.h"

#include <string.h>

bool route_owned(const struct document_write *w, const char *id, struct err *e)
{
    const struct document *x = view_experiment_on(w->h->view, w->c->ns, id);
    if (!x || experiment_moves(w->c))
        return false;
    return !fail(e, &ROUTE_IN_EXPERIMENT, "the experiment '%.200s' owns the shares of '%.200s'",
                 x->entity.id, id);
}

bool route_moves_shares(const struct document_write *w)
{
    static const char *const NAMES[] = {"match", "arms", "flag", "strategy", "params", "salt"};
    if (!w->before)
        return false;
    uint64_t diff = fields_diff(ROUTE_FIELDS, w->before->fields, w->want);
    for (size_t i = 0; ROUTE_FIELDS[i].name; i++)
        for (size_t k = 0; diff & UINT64_C(1) << i && k < sizeof NAMES / sizeof *NAMES; k++)
            if (strcmp(ROUTE_FIELDS[i].name, NAMES[k]) == 0)
                return true;
    return false;
}
