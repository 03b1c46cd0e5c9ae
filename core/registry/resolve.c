#include "registry/errors.h"
#include "registry/state.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 600 /* more than the longest name, in bytes */

static bool take_canary(const struct model *m, void *ctx)
{
    if (m->status != STATUS_CANARY)
        return true;
    *(const struct model **)ctx = m;
    return false;
}

static bool take_any(const struct model *m, void *ctx)
{
    *(const struct model **)ctx = m;
    return false;
}

static const struct model *newest(const struct view *v, const struct registered_model *r,
                                  bool (*take)(const struct model *m, void *ctx))
{
    const struct model *found = NULL;
    view_versions_back(v, r->entity.ns, r->entity.id, take, &found);
    return found;
}

static const char *set_alias(const struct registered_model *r, const char *alias)
{
    size_t low = 0, high = r->n_aliases;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = strcmp(alias, r->aliases[mid].alias);
        if (order == 0)
            return r->aliases[mid].model_id;
        if (order > 0)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

static const struct model *follow(const struct view *v, const struct registered_model *r,
                                  const char *alias)
{
    const char *id;
    if (strcmp(alias, "canary") == 0)
        return newest(v, r, take_canary);
    if (strcmp(alias, "latest") == 0)
        return newest(v, r, take_any);
    if (strcmp(alias, "stable") == 0)
        id = r->stable_model_id;
    else if (strcmp(alias, "previous") == 0)
        id = r->previous_stable_model_id;
    else
        id = set_alias(r, alias);
    return id ? view_model(v, r->entity.ns, id) : NULL;
}

const struct model *view_resolve(const struct view *v, const char *ns, const char *reference,
                                 struct err *e)
{
    char name[NAME_BYTES];
    const char *at = strrchr(reference, '@');
    const struct model *m = at ? NULL : view_model(v, ns, reference);
    if (!at) {
        if (!m)
            fail(e, &MODEL_NOT_FOUND, "no model with id '%.200s'", reference);
        return m;
    }
    int n = snprintf(name, sizeof name, "%.*s", (int)(at - reference), reference);
    const struct registered_model *r =
        n >= 0 && (size_t)n < sizeof name ? view_registered_model(v, ns, name) : NULL;
    if (!r) {
        fail(e, &MODEL_NOT_FOUND, "no registered model with name '%.200s'", name);
        return NULL;
    }
    m = follow(v, r, at + 1);
    if (!m)
        fail(e, &ALIAS_NOT_FOUND, "'%.200s' now leads to no version of '%.128s'", reference, name);
    return m;
}
