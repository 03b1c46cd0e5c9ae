/* Flags made ready when they are first asked, and again when their document is another. */
#include "selection/flag_set_impl.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READY_MAX 100000 /* flags a thread keeps ready; past it all are made ready anew */

struct flag_set *flag_set_new(struct policy_set *policies)
{
    struct flag_set *set = mem_zero(1, sizeof *set);
    set->policies = policies;
    set->ready = map_new();
    return set;
}

/* The policy that knows it may be gone, and what it knew with it. */
static void ready_free(struct flag_set *set, struct flag_ready *r)
{
    struct policy *p = r->flag ? policy_set_loaded(set->policies, r->load_id) : NULL;
    if (p)
        policy_flag_drop(p, r->flag);
    for (size_t i = 0; i < r->count; i++)
        free(r->texts[i]);
    json_decref(r->values);
    json_decref(r->prerequisites);
    free(r->fault);
    free(r);
}

/* Not listed any more; it may lie anywhere in the list, but that happens only when a flag changed.
 */
static void unlist(struct flag_set *set, struct flag_ready *r)
{
    struct flag_ready **link = &set->seen;
    while (*link && *link != r)
        link = &(*link)->next_seen;
    if (*link)
        *link = r->next_seen;
}

void flag_ready_seen(struct flag_set *set, struct flag_ready *r, int64_t now_ms)
{
    if (!now_ms)
        return;
    r->seen_ms = now_ms;
    if (r->listed)
        return;
    r->listed = true;
    r->next_seen = set->seen;
    set->seen = r;
}

void flag_set_seen(struct flag_set *set, void (*fn)(void *ctx, uint64_t uid, int64_t at_ms),
                   void *ctx)
{
    while (set->seen) {
        struct flag_ready *r = set->seen;
        set->seen = r->next_seen;
        r->listed = false;
        fn(ctx, r->uid, r->seen_ms);
    }
}

static void forget_all(struct flag_set *set)
{
    set->seen = NULL; /* the last second of them */
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(set->ready, &at, &key, &len, &value))
        ready_free(set, value);
    map_free(set->ready);
    set->ready = NULL;
    memset(set->near, 0, sizeof set->near);
}

void flag_set_free(struct flag_set *set)
{
    if (!set)
        return;
    forget_all(set);
    free(set);
}

/* ---- making ready ---- */

size_t flag_ready_variant(const struct flag_ready *r, const char *name, size_t otherwise)
{
    for (size_t i = 0; name && i < r->count; i++)
        if (strcmp(r->variants[i], name) == 0)
            return i;
    return otherwise;
}

static struct flag_ready *make_ready(const struct document *d)
{
    const struct flag *f = flag_of(d);
    struct flag_ready *r = mem_zero(1, sizeof *r);
    r->uid = d->entity.uid;
    r->revision = d->entity.revision;
    r->updated_at = f->head.updated_at;
    r->values = json_read(f->variants, strlen(f->variants), NULL);
    r->prerequisites = json_read(f->prerequisites, strlen(f->prerequisites), NULL);
    r->depends = json_array_size(r->prerequisites) > 0;
    r->count = flag_variant_names(r->values, r->variants);
    for (size_t i = 0; i < r->count; i++) {
        struct bytes b = BYTES_INIT(1 << 20);
        json_put_value(&b, json_object_get(r->values, r->variants[i]));
        r->texts[i] = bytes_take(&b, NULL);
    }
    r->default_variant = flag_ready_variant(r, f->default_variant, 0);
    r->fallback_variant = flag_ready_variant(r, f->fallback_variant, r->default_variant);
    return r;
}

static struct flag_ready *make_anew(struct flag_set *set, const struct document *d)
{
    uint64_t uid = d->entity.uid;
    if (map_count(set->ready) >= READY_MAX) {
        forget_all(set);
        set->ready = map_new();
    }
    struct flag_ready *fresh = make_ready(d);
    struct flag_ready *old = map_set(set->ready, &uid, sizeof uid, fresh);
    if (old) {
        int64_t seen_ms = old->listed ? old->seen_ms : 0;
        if (old->listed)
            unlist(set, old);
        ready_free(set, old);
        flag_ready_seen(set, fresh, seen_ms);
    }
    return fresh;
}

static bool is_of(const struct flag_ready *r, const struct document *d)
{
    return r && r->uid == d->entity.uid && r->revision == d->entity.revision &&
           r->updated_at == flag_of(d)->head.updated_at;
}

struct flag_ready *flag_ready_of(struct flag_set *set, const struct document *d)
{
    uint64_t uid = d->entity.uid;
    struct flag_ready **near = &set->near[uid % FLAGS_NEAR];
    if (is_of(*near, d))
        return *near;
    struct flag_ready *r = map_get(set->ready, &uid, sizeof uid);
    *near = is_of(r, d) ? r : make_anew(set, d);
    return *near;
}

static char *first_fault(const struct faults *f)
{
    char text[512];
    snprintf(text, sizeof text, "%s %s", f->listed ? f->list[0].pointer : "/params",
             f->listed ? f->list[0].detail : "do not fit the policy");
    return mem_text(text);
}

void flag_ready_introduce(struct flag_ready *r, const struct flag *f, struct policy *p,
                          uint64_t load_id)
{
    struct share shares[SHARES_MAX];
    struct arena *a = arena_new(1 << 20);
    struct faults faults;
    faults_init(&faults, a);
    r->flag = NULL; /* one that an earlier load knew went with it */
    free(r->fault);
    r->fault = NULL;
    json_t *given = json_read(f->params, strlen(f->params), NULL);
    json_t *params = policy_params_fill(p, given, "/params", &faults);
    const struct flag_facts facts = {.key = f->head.id,
                                     .salt = flag_salt(f),
                                     .variants = r->variants,
                                     .variant_count = r->count,
                                     .default_variant = r->default_variant,
                                     .params = params,
                                     .shares = shares,
                                     .share_count =
                                         flag_shares(f->allocation, r->variants, r->count, shares)};
    if (params)
        r->flag = policy_flag_add(p, &facts);
    else
        r->fault = first_fault(&faults);
    json_decref(given);
    json_decref(params);
    arena_free(a);
    r->load_id = load_id;
}
