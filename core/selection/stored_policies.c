#include "selection/stored_policies.h"

#include "registry/stored_policy.h"

#include <stdlib.h>
#include <string.h>

static void install(struct policies *catalog, const char *ns, const struct policy_version *p)
{
    struct policy_ref ref = {.ns = ns, .name = p->name, .version = p->version};
    const struct policy_text text = {p->source, p->sha256, p->summary, p->params,
                                     p->head.created_at};
    if (policy_kind_parse(p->kind, &ref.kind))
        policies_install(catalog, &ref, &text);
}

static void serve(struct policies *catalog, const char *ns, const struct stored_policy *p)
{
    struct policy_ref ref = {.ns = ns, .name = p->name, .version = p->version};
    if (policy_kind_parse(p->kind, &ref.kind))
        policies_serve(catalog, &ref);
}

static bool load_version(const struct entity *e, void *ctx)
{
    install(ctx, e->ns, policy_version_of(document_of(e)));
    return true;
}

static bool load_policy(const struct entity *e, void *ctx)
{
    serve(ctx, e->ns, stored_policy_of(document_of(e)));
    return true;
}

void stored_policies_load(struct policies *catalog, const struct view *v)
{
    view_each(v, ENTITY_POLICY_VERSION, load_version, catalog);
    view_each(v, ENTITY_POLICY, load_policy, catalog);
}

/* "kind:name:version" that is no more. */
static void forget(struct policies *catalog, const char *ns, const char *id)
{
    char text[256], *kind_end, *name_end, *end;
    struct policy_ref ref = {.ns = ns};
    if (strlen(id) >= sizeof text)
        return;
    memcpy(text, id, strlen(id) + 1);
    kind_end = strchr(text, ':');
    name_end = strrchr(text, ':');
    if (!kind_end || name_end == kind_end)
        return;
    *kind_end = *name_end = '\0';
    ref.name = kind_end + 1;
    ref.version = strtoll(name_end + 1, &end, 10);
    if (*end == '\0' && policy_kind_parse(text, &ref.kind))
        policies_uninstall(catalog, &ref);
}

/* [engine] A version's entry comes before that of the policy which lets it serve. */
static void published(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v)
{
    for (size_t i = 0; i < n; i++) {
        const struct journal_entry *e = &entries[i];
        int kind = entity_kind_of(e->entity);
        if (kind != ENTITY_POLICY && kind != ENTITY_POLICY_VERSION)
            continue;
        const struct entity *now = view_get(v, (enum entity_kind)kind, e->ns, e->entity_id);
        if (kind == ENTITY_POLICY && now)
            load_policy(now, self);
        else if (kind == ENTITY_POLICY_VERSION && now)
            load_version(now, self);
        else if (kind == ENTITY_POLICY_VERSION)
            forget(self, e->ns, e->entity_id);
    }
}

static void anew(void *self, uint64_t seq, const struct view *v)
{
    (void)seq;
    stored_policies_load(self, v);
}

struct publish_listener stored_policies_listener(struct policies *catalog)
{
    return (struct publish_listener){.published = published, .anew = anew, .self = catalog};
}
