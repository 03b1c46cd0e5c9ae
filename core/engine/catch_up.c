/* What others wrote. The store tells the entries since the last one that is known here, and what
 * the entities are now that they speak of, all of one moment: so the view that is published then is
 * one that the journal had, though it may leave some out. Who is too far behind for one answer
 * loads everything anew; the listeners hear of every entry all the same, in order: what could not
 * be read then is told before anything later is.
 *
 * A store that has lost what it had begins a new epoch. Then nothing that was taken in counts any
 * more: everything is loaded anew, and the listeners hear that, not what happened between. */
#include "engine/inner.h"

#include "base/grow.h"
#include "base/log.h"
#include "store/nodes.h"

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
    GROW(t->list, t->n, t->cap);
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

/* The state has what the listeners have not heard of yet. */
static bool tell_rest(struct tail *t, struct err *e)
{
    struct engine *en = t->en;
    const struct store_tail from = {take_entry, take_row, t};
    bool ok = true;
    t->upto = en->seq;
    t->only_told = true;
    while (ok && en->told < en->seq) {
        struct store_head head;
        bool whole;
        tail_reset(t);
        ok = en->store->ops->tail(en->store, &(struct store_head){.seq = en->told}, &from, &head,
                                  &whole, e);
        if (ok && t->n)
            engine_tell(en, t->list, t->n);
        else if (ok)
            en->told = en->seq; /* numbers that nothing has */
    }
    t->upto = UINT64_MAX;
    t->only_told = false;
    tail_reset(t);
    return ok;
}

static bool load_all(struct tail *t, struct err *e)
{
    struct err why;
    atomic_store(&t->en->heard, 0); /* before loading: what is heard from now on may be later */
    if (!engine_reload(t->en, e))
        return false;
    if (!tell_rest(t, &why))
        log_text(LOG_WARN, "entries_not_told", why.detail); /* it will be tried again */
    return true;
}

static bool catch_up(struct tail *t, struct err *e)
{
    struct engine *en = t->en;
    const struct store_tail from = {take_entry, take_row, t};
    struct store_head known = {.seq = en->seq}, head;
    bool whole = false;
    if (store_epoch(en->store) > en->data_epoch)
        return load_all(t, e);
    if (!tell_rest(t, e))
        return false;
    memcpy(known.hash, en->hash, sizeof known.hash);
    if (!en->store->ops->tail(en->store, &known, &from, &head, &whole, e)) {
        state_revert(en->state);
        return false;
    }
    if (!whole || head.epoch != en->data_epoch) {
        state_revert(en->state);
        return load_all(t, e);
    }
    head.next_uid = head.next_uid > en->next_uid ? head.next_uid : en->next_uid;
    if (head.seq == known.seq) {
        en->next_uid = head.next_uid;
        return true;
    }
    follow_chains(t);
    engine_loaded(en, &head);
    engine_publish(en);
    engine_tell(en, t->list, t->n);
    en->told = en->seq;
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
