/* What others wrote. The store tells the entries since the last one that is known here, and what
 * the entities are now that they speak of, all of one moment: so the view that is published then is
 * one that the journal had, though it may leave some out. Who is too far behind for one answer
 * loads everything anew; the listeners hear of every entry all the same. */
#include "engine/inner.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct tail {
    struct engine *en;
    struct arena *arena;
    struct journal_entry *list;
    size_t n, cap;
    uint64_t upto;  /* later ones are for another time */
    bool only_told; /* the state has them already */
};

/* Texts of the store live as long as the call. */
static bool take_entry(void *ctx, const struct journal_entry *entry, struct err *e)
{
    struct tail *t = ctx;
    (void)e;
    if (entry->seq > t->upto)
        return true;
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 16;
        t->list = mem_resize(t->list, t->cap, sizeof *t->list);
    }
    struct journal_entry *to = &t->list[t->n++];
    *to = *entry;
    const char **const texts[] = {&to->ns,   &to->action,   &to->entity,     &to->entity_id,
                                  &to->name, &to->actor_id, &to->request_id, &to->to_status};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_text(t->arena, *texts[i]);
    to->text = arena_copy(t->arena, entry->text, entry->text_len);
    return true;
}

static bool take_row(void *ctx, const struct store_row *r, struct err *e)
{
    struct tail *t = ctx;
    struct state *state = t->en->state;
    int kind = entity_kind_of(r->kind);
    if (t->only_told)
        return true;
    const struct entity *before =
        kind < 0 ? NULL : view_get(state_head(state), (enum entity_kind)kind, r->ns, r->id);
    if (!r->value) {
        if (before)
            state_apply(state, before, NULL);
        return true;
    }
    if (before && before->uid == r->uid && before->revision == r->revision)
        return true;
    struct entity *after = load_entity(state, r, e);
    if (after)
        state_apply(state, before, after);
    return after != NULL;
}

static void tail_reset(struct tail *t)
{
    t->n = 0;
    arena_reset(t->arena);
}

static void follow_chains(struct tail *t)
{
    for (size_t i = 0; i < t->n; i++)
        chains_follow(&t->en->chains, t->list[i].ns, t->list[i].hash);
}

/* Everything was loaded; now tell what happened from `seq` on. What cannot be told stays in the
 * journal, where followers find it. */
static void tell_all(struct tail *t, const struct store_tail *from, uint64_t seq)
{
    struct engine *en = t->en;
    struct err e = {0};
    bool whole = false;
    t->upto = en->seq;
    t->only_told = true;
    while (!whole && seq < en->seq) {
        struct store_head head;
        tail_reset(t);
        if (!en->store->ops->tail(en->store, seq, from, &head, &whole, &e)) {
            log_text(LOG_ERROR, "entries_not_told", e.detail);
            return;
        }
        if (t->n == 0)
            return;
        seq = t->list[t->n - 1].seq;
        engine_tell(en, t->list, t->n);
    }
}

static bool catch_up(struct tail *t, struct err *e)
{
    struct engine *en = t->en;
    const struct store_tail from = {take_entry, take_row, t};
    struct store_head head;
    uint64_t seq = en->seq;
    bool whole = false;
    if (!en->store->ops->tail(en->store, seq, &from, &head, &whole, e)) {
        state_revert(en->state);
        return false;
    }
    if (!whole) {
        state_revert(en->state);
        if (!engine_reload(en, e))
            return false;
        tell_all(t, &from, seq);
        return true;
    }
    en->next_uid = head.next_uid > en->next_uid ? head.next_uid : en->next_uid;
    if (head.seq == seq)
        return true;
    follow_chains(t);
    en->seq = head.seq;
    engine_publish(en);
    engine_tell(en, t->list, t->n);
    return true;
}

bool engine_catch_up(struct engine *en, struct err *e)
{
    struct tail t = {.en = en, .arena = arena_new(SIZE_MAX / 2), .upto = UINT64_MAX};
    bool ok = catch_up(&t, e);
    arena_free(t.arena);
    free(t.list);
    return ok;
}

void engine_heard(void *engine, uint64_t seq)
{
    struct engine *en = engine;
    uint64_t is = atomic_load(&en->heard);
    while (is < seq && !atomic_compare_exchange_weak(&en->heard, &is, seq))
        ;
    if (!atomic_exchange(&en->nudged, true))
        mailbox_post_answer(en->commands, &en->nudge);
}
