#include "selection/past.h"

#include "base/grow.h"
#include "base/json.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/flag.h"
#include "registry/health.h"
#include "registry/route.h"
#include "registry/stored_policy.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE       1000
#define PAGE_ARENA (64u << 20)
#define NOTES_SIZE (64u << 20)
#define NAMES_MAX  64 /* that a route's references may lead to */

struct past {
    const struct past_wish *wish; /* while it is read */
    struct state *state;
    struct arena *arena; /* of notes and names */
    struct map *notes;   /* of kind and id */
    uint64_t next_uid, seq;
    size_t entries;
    const char *names[NAMES_MAX];
    size_t name_count;
};

static void retire(void *ctx, void *object, void (*destroy)(void *))
{
    (void)ctx;
    destroy(object);
}

/* ---- one entry ---- */

static size_t note_key(enum entity_kind kind, const char *id, char out[1024])
{
    int len = snprintf(out, 1024, "%d %s", (int)kind, id);
    return len < 1024 ? (size_t)len : 1023;
}

static const char *copy(struct past *p, struct slice s)
{
    return arena_copy(p->arena, s.at ? s.at : "null", s.at ? s.len : 4);
}

static bool note(struct past *p, enum entity_kind kind, const struct journal_entry *entry,
                 struct slice actor, struct slice reason, struct err *e)
{
    char key[1024];
    size_t len = note_key(kind, entry->entity_id, key);
    struct past_note *n = map_get(p->notes, key, len);
    if (arena_left(p->arena) < NOTES_SIZE / 4)
        return fail(e, &ERR_BUSY, "too much happened until then to be told in one answer");
    if (!n) {
        n = arena_zero(p->arena, sizeof *n);
        n->entity_id = arena_text(p->arena, entry->entity_id);
        n->entity = ENTITY_TYPES[kind].name;
        map_set(p->notes, key, len, n);
    }
    n->seq = entry->seq;
    n->at_ms = entry->at;
    n->action = arena_text(p->arena, entry->action);
    n->actor = copy(p, actor);
    n->reason = copy(p, reason);
    p->seq = entry->seq > p->seq ? entry->seq : p->seq;
    return true;
}

/* A model's health has the model's incarnation, anything else one of its own. */
static uint64_t uid_for(struct past *p, enum entity_kind kind, const struct entity *before,
                        const struct journal_entry *entry)
{
    const struct model *m = kind == ENTITY_HEALTH
                                ? view_model(state_head(p->state), entry->ns, entry->entity_id)
                                : NULL;
    return m ? m->entity.uid : before ? before->uid : p->next_uid++;
}

enum { ACTOR, AFTER, REASON, MEMBERS };
static const char *const NAMES[MEMBERS] = {"actor", "after", "reason"};

static bool apply(struct past *p, const struct journal_entry *entry, struct err *e)
{
    struct slice s[MEMBERS];
    int kind = entity_kind_of(entry->entity);
    if (kind < 0)
        return true;
    if (!scan_pick((struct slice){entry->text, entry->text_len}, NAMES, MEMBERS, s))
        return fail(e, &ERR_CORRUPT, "journal entry %llu is no entry",
                    (unsigned long long)entry->seq);
    enum entity_kind k = (enum entity_kind)kind;
    const struct entity *before = view_get(state_head(p->state), k, entry->ns, entry->entity_id);
    struct entity *after = NULL;
    if (s[AFTER].at && *s[AFTER].at == '{') {
        const struct entity_source source = {
            entry->ns, entry->entity_id, uid_for(p, k, before, entry), s[AFTER].at, s[AFTER].len};
        after = entity_parse(k, &source, state_names(p->state), e);
        if (!after)
            return false;
    }
    if (before || after)
        state_apply(p->state, before, after);
    return note(p, k, entry, s[ACTOR], s[REASON], e);
}

/* ---- many ---- */

/* All that fit the query, oldest first; of the kinds of `wanted` only. */
static bool replay(struct past *p, struct journal_query q, uint64_t wanted, struct err *e)
{
    const struct past_wish *w = p->wish;
    struct arena *a = arena_new(PAGE_ARENA);
    struct journal_read page = {.more = true};
    bool ok = true;
    q.ns = w->ns;
    q.to = w->at_ms + 1;
    q.limit = PAGE;
    while (ok && page.more) {
        arena_reset(a);
        ok = w->journal(w->ctx, &q, a, &page, e);
        for (size_t i = 0; ok && i < page.n; i++) {
            int kind = entity_kind_of(page.entries[i].entity);
            if (kind >= 0 && wanted >> kind & 1)
                ok = apply(p, &page.entries[i], e);
            q.after_seq = page.entries[i].seq;
        }
        p->entries += page.n;
        if (ok && p->entries > PAST_ENTRIES_MAX)
            ok = fail(e, &ERR_BUSY, "more than %d changes until then: too many to be read at once",
                      PAST_ENTRIES_MAX);
    }
    arena_free(a);
    return ok;
}

static bool replay_kind(struct past *p, enum entity_kind kind, struct err *e)
{
    return replay(p, (struct journal_query){.entity = ENTITY_TYPES[kind].name}, UINT64_C(1) << kind,
                  e);
}

#define OF_NAMES                                                            \
    (UINT64_C(1) << ENTITY_MODEL | UINT64_C(1) << ENTITY_REGISTERED_MODEL | \
     UINT64_C(1) << ENTITY_HEALTH)

static bool replay_name(struct past *p, const char *name, struct err *e)
{
    for (size_t i = 0; i < p->name_count; i++)
        if (strcmp(p->names[i], name) == 0)
            return true;
    if (p->name_count == NAMES_MAX)
        return fail(e, &ERR_BUSY, "the route led to more than %d names", NAMES_MAX);
    p->names[p->name_count++] = arena_text(p->arena, name);
    return replay(p, (struct journal_query){.name = name}, OF_NAMES, e);
}

/* A reference of a route: `name@alias`, `@alias` of its own name, or an id, whose entries say the
 * name. */
static bool replay_reference(struct past *p, const char *reference, struct err *e)
{
    const char *at = strchr(reference, '@');
    if (at == reference)
        return true;
    if (at)
        return replay_name(p, arena_copy(p->arena, reference, (size_t)(at - reference)), e);
    struct arena *a = arena_new(PAGE_ARENA);
    struct journal_read page;
    const struct journal_query q = {.ns = p->wish->ns,
                                    .entity = ENTITY_TYPES[ENTITY_MODEL].name,
                                    .entity_id = reference,
                                    .to = p->wish->at_ms + 1,
                                    .newest_first = true,
                                    .limit = 1};
    bool ok = p->wish->journal(p->wish->ctx, &q, a, &page, e);
    if (ok && page.n && page.entries[0].name)
        ok = replay_name(p, page.entries[0].name, e);
    arena_free(a);
    return ok;
}

static bool replay_all_names(struct past *p, struct err *e)
{
    return replay_kind(p, ENTITY_REGISTERED_MODEL, e) && replay_kind(p, ENTITY_MODEL, e) &&
           replay_kind(p, ENTITY_HEALTH, e);
}

/* The names that the route led to; without a stored route, the name it is called by. */
static bool replay_names(struct past *p, struct err *e)
{
    const struct document *d =
        view_document(state_head(p->state), &ROUTE_TYPE, p->wish->ns, p->wish->route);
    const struct route_plan *plan = d ? route_plan_of(d) : NULL;
    if (!plan)
        return replay_name(p, p->wish->route, e);
    if (!plan->model_name)
        return replay_all_names(p, e);
    /* The document stays: nothing of its kind is applied now. */
    bool ok = replay_name(p, plan->model_name, e);
    for (size_t i = 0; ok && i < plan->arm_count; i++)
        ok = replay_reference(p, plan->arms[i].reference, e);
    for (size_t i = 0; ok && i < plan->fallback_count; i++)
        ok = replay_reference(p, plan->fallback[i], e);
    for (size_t i = 0; ok && i < plan->shadow_count; i++)
        ok = replay_reference(p, plan->shadows[i].reference, e);
    return ok;
}

/* ---- policies as they served ---- */

struct pinning {
    struct past *past;
    struct entity **list;
    size_t n, room;
    struct err *e;
};

static bool pin(const struct entity *flag, void *ctx)
{
    struct pinning *all = ctx;
    const struct flag *f = flag_of(document_of(flag));
    const struct stored_policy *serves =
        f->policy && f->policy_version == INT64_MIN
            ? view_stored_policy(state_head(all->past->state), flag->ns, "rollout", f->policy)
            : NULL;
    if (!serves || serves->version == 0)
        return true;
    json_t *text = json_read(flag->json, flag->json_len, all->e);
    struct bytes b = BYTES_INIT(8 << 20);
    if (!text)
        return false;
    json_object_set_new(text, "policy_version", json_integer(serves->version));
    json_put_value(&b, text);
    json_decref(text);
    const struct entity_source source = {flag->ns, flag->id, flag->uid, b.data, b.len};
    struct entity *pinned =
        entity_parse(ENTITY_FLAG, &source, state_names(all->past->state), all->e);
    bytes_release(&b);
    GROW(all->list, all->n, all->room);
    if (pinned)
        all->list[all->n++] = pinned;
    return pinned != NULL;
}

static bool pin_policies(struct past *p, struct err *e)
{
    struct pinning all = {.past = p, .e = e};
    view_each_of(state_head(p->state), ENTITY_FLAG, p->wish->ns, pin, &all);
    for (size_t i = 0; i < all.n; i++) {
        struct entity *flag = all.list[i];
        state_apply(p->state, view_get(state_head(p->state), ENTITY_FLAG, flag->ns, flag->id),
                    flag);
    }
    free(all.list);
    return e->kind == NULL;
}

/* ---- the whole ---- */

struct past *past_read(const struct past_wish *wish, struct err *e)
{
    struct past *p = mem_zero(1, sizeof *p);
    *e = (struct err){0};
    p->wish = wish;
    p->state = state_new(retire, NULL);
    p->arena = arena_new(NOTES_SIZE);
    p->notes = map_new();
    p->next_uid = 1;
    bool ok = replay_kind(p, ENTITY_ROUTE, e) && replay_kind(p, ENTITY_POLICY, e) &&
              replay_kind(p, ENTITY_FLAG, e) && replay_kind(p, ENTITY_LAYER, e) &&
              replay_kind(p, ENTITY_SEGMENT, e) && pin_policies(p, e) && replay_names(p, e);
    p->wish = NULL;
    if (ok) {
        state_publish(p->state, p->seq);
        return p;
    }
    past_free(p);
    return NULL;
}

void past_free(struct past *p)
{
    if (!p)
        return;
    state_free(p->state);
    map_free(p->notes);
    arena_free(p->arena);
    free(p);
}

const struct view *past_view(const struct past *p)
{
    return state_head(p->state);
}

const struct past_note *past_note(const struct past *p, enum entity_kind kind, const char *id)
{
    char key[1024];
    size_t len = note_key(kind, id, key);
    return map_get(p->notes, key, len);
}
