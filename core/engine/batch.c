/* The group commit.
 *
 * A disk that has to confirm each write confirms a few thousand a second, so commands share: while
 * one commit is under way others gather in the mailbox, and the next batch takes them all. Nothing
 * waits for a batch to fill; an idle engine commits a lone command at once, a busy one finds its
 * batches grown by itself.
 *
 * Within a batch the commands are decided one after the other, each against the head: what is
 * committed plus what the batch has decided so far. So two commands that want the same thing meet
 * here and nowhere else, and the second is refused with its reason, before anything touches the
 * disk. A refusal leaves no trace in the batch. What is decided becomes one group: rows, journal
 * entries (numbered and chained here) and the kept answer of its idempotency key, all or nothing.
 *
 * Nobody sees the head. Readers see the view, which moves on only after the store has said that the
 * batch is on disk; then the listeners hear of the entries, then the commands are answered, in the
 * order they came. Also those that changed nothing or were refused: they may have seen a neighbour
 * that was not on disk yet, and an answer must not rest on what a crash could undo. For the same
 * reason a failed commit refuses them too, unless they were decided while the batch was still
 * empty.
 *
 * When the commit fails the head goes back to the last view, numbers and chains with it, as if the
 * batch had never been. The engine goes on trying with each batch that comes, and once a second
 * with an empty one.
 *
 * The store refuses a batch that was numbered after another entry than its last one: where several
 * nodes share a store, another was faster. Then what it wrote is taken in (catch_up.c), and the
 * whole batch is decided again. This one check covers all that the decisions read, so the groups
 * need not list their expectations. It also has to be made for a batch that writes nothing: that
 * something is not there, or has another revision, may be said only of what is the journal's end at
 * this moment. Likewise the store refuses a batch one of whose commands was carried out before with
 * the same key, which then gets the answer of that time; and the duties of a node that is not the
 * decider any more. */
#include "engine/inner.h"

#include "base/grow.h"
#include "base/log.h"
#include "base/mem.h"
#include "store/nodes.h"

#include <stdlib.h>
#include <string.h>

#define NO_GROUP  SIZE_MAX
#define TEXTS_MAX ((size_t)32 << 20) /* a batch whose texts pass this takes no further command */
#define TRIES     200                /* each means that another node got through */
#define ROOM      ((size_t)128 << 10)

struct slot {
    struct command *command;
    size_t group; /* or NO_GROUP */
    bool clean;   /* decided on committed state only */
    bool over;    /* it has its answer: one of an earlier time, or it was decided too often */
    size_t cost;  /* what a decision took of its arena at most */
};

void batch_init(struct batch *b, size_t limit)
{
    *b = (struct batch){.slots = mem_zero(limit, sizeof *b->slots),
                        .new_keys = mem_zero(limit, sizeof *b->new_keys),
                        .keyed = mem_zero(limit, sizeof *b->keyed),
                        .arena = arena_new(SIZE_MAX / 2)};
}

void batch_release(struct batch *b)
{
    free(b->slots);
    free(b->new_keys);
    free(b->keyed);
    free(b->groups);
    free(b->rows);
    free(b->entries);
    arena_free(b->arena);
}

/* --- decide --- */

static void put_row(struct batch *b, const struct change *ch)
{
    const struct entity *is = ch->after ? ch->after : ch->before;
    GROW(b->rows, b->n_rows, b->cap_rows);
    struct store_row *row = &b->rows[b->n_rows++];
    *row = (struct store_row){
        .kind = ENTITY_TYPES[is->kind].name,
        .ns = is->ns,
        .id = is->id,
        .uid = is->uid,
        .revision = is->revision,
        .value = ch->after ? is->json : NULL,
        .value_len = ch->after ? is->json_len : 0,
    };
    if (ch->after && is->hidden) {
        row->value = arena_printf(b->arena, "%s\n%s", is->json, is->hidden);
        row->value_len = strlen(row->value);
    }
}

static const char *ns_of(const struct change *ch)
{
    return ch->after ? ch->after->ns : ch->before->ns;
}

static bool put_change(struct engine *en, const struct command *c, const struct change *ch,
                       struct err *e)
{
    struct batch *b = &en->batch;
    struct chain *chain = chains_get(&en->chains, en->store, ns_of(ch), e);
    if (!chain)
        return false;
    GROW(b->entries, b->n_entries, b->cap_entries);
    struct journal_entry *entry = &b->entries[b->n_entries++];
    journal_entry_make(c, state_head(en->state), ch,
                       (struct journal_place){++b->seq, b->now_ms, chain->hash}, b->arena, entry);
    chains_move(&en->chains, chain, entry->hash);
    put_row(b, ch);
    state_apply(en->state, ch->before, ch->after);
    return true;
}

static void put_key(struct engine *en, const struct command *c, struct store_group *g)
{
    struct batch *b = &en->batch;
    struct kept_answer kept;
    struct bytes form = BYTES_INIT(SIZE_MAX);
    kept_answer_of(&c->answer, b->seq, en->data_epoch, b->arena, &kept);
    kept_answer_encode(&kept, c->key_body_hash, &form);
    struct store_key *key = arena_zero(b->arena, sizeof *key);
    key->key = arena_printf(b->arena, KEPT_PREFIX "%s", c->key);
    key->value = arena_copy(b->arena, form.data, form.len);
    key->value_len = form.len;
    key->expires_ms = c->key_expires_ms;
    bytes_release(&form);
    g->keys = key;
    g->n_keys = 1;
}

/* Are the chains at hand that the changes go on? Only the first time a namespace is written can
 * this fail, and it must before anything is applied. */
static bool chains_ready(struct engine *en, const struct changes *changes, struct err *e)
{
    for (size_t i = 0; i < changes->n; i++)
        if (!chains_get(&en->chains, en->store, ns_of(&changes->list[i]), e))
            return false;
    return true;
}

/* What the command wants done becomes its group. */
static bool put_group(struct engine *en, struct slot *slot, const struct changes *changes,
                      struct err *e)
{
    struct batch *b = &en->batch;
    struct command *c = slot->command;
    size_t rows = b->n_rows, entries = b->n_entries;
    bool ok = chains_ready(en, changes, e);
    for (size_t i = 0; ok && i < changes->n; i++)
        ok = put_change(en, c, &changes->list[i], e);
    if (!ok)
        return false;
    slot->group = b->n_groups;
    b->duty |= c->duty;
    GROW(b->groups, b->n_groups, b->cap_groups);
    struct store_group *g = &b->groups[b->n_groups++];
    *g = (struct store_group){.n_rows = b->n_rows - rows, .n_entries = b->n_entries - entries};
    if (c->key)
        put_key(en, c, g);
    if (changes->n)
        c->seq = b->seq;
    return true;
}

static bool may_decide(const struct engine *en, const struct command *c, struct err *e)
{
    return !c->duty || store_decides(en->store) || fail(e, &ERR_BUSY, "another node decides this");
}

static void decide(struct engine *en, struct slot *slot)
{
    struct batch *b = &en->batch;
    struct command *c = slot->command;
    struct changes changes = {0};
    size_t used = arena_used(c->arena);
    struct head head = {
        .view = state_head(en->state),
        .names = state_names(en->state),
        .rules = en->rules,
        .gate = en->gate,
        .now_ms = b->now_ms,
        .next_uid = b->next_uid,
    };
    slot->group = NO_GROUP;
    slot->clean = b->n_groups == 0;
    if (c->key && en->shared) {
        b->new_keys[b->n_new_keys] = arena_printf(b->arena, KEPT_PREFIX "%s", c->key);
        b->keyed[b->n_new_keys++] = slot;
    }
    c->seq = 0;
    c->err = (struct err){0};
    c->answer = (struct answer){0};
    c->ok = may_decide(en, c, &c->err) && c->decide(c, &head, &changes, &c->err);
    if (c->ok && (changes.n || c->key))
        c->ok = put_group(en, slot, &changes, &c->err);
    if (c->ok)
        b->next_uid = head.next_uid;
    else
        changes_discard(&changes);
    used = arena_used(c->arena) - used;
    slot->cost = used > slot->cost ? used : slot->cost;
}

static void is_over(struct batch *b, struct slot *slot)
{
    slot->over = true;
    slot->group = NO_GROUP;
    b->n_over++;
}

/* Each decision leaves its texts in the command's arena, and one that is full ends the process. */
static void decide_again(struct engine *en, struct slot *slot)
{
    struct command *c = slot->command;
    if (slot->over)
        return;
    if (arena_left(c->arena) >= 2 * slot->cost + ROOM) {
        decide(en, slot);
        return;
    }
    c->seq = 0;
    c->err = (struct err){0};
    c->ok = fail(&c->err, &ERR_BUSY, "other nodes were faster too often; try again");
    is_over(&en->batch, slot);
}

/* --- commit --- */

static void committed(struct store_commit *c)
{
    struct engine *en = c->owner;
    mailbox_post_answer(en->replies, &c->mail);
}

/* The groups were filled while their arrays still moved: now they can point. */
static void point_groups(struct batch *b)
{
    const struct store_row *row = b->rows;
    const struct journal_entry *entry = b->entries;
    for (size_t i = 0; i < b->n_groups; i++) {
        struct store_group *g = &b->groups[i];
        g->rows = row;
        g->entries = entry;
        row = g->n_rows ? row + g->n_rows : row; /* there may be none, and nothing to point to */
        entry = g->n_entries ? entry + g->n_entries : entry;
    }
}

static void note_availability(struct engine *en, const struct err *why)
{
    int64_t since = atomic_load(&en->unavailable_since);
    if (why && !since) {
        atomic_store(&en->unavailable_since, clock_wall_ms(en->clock));
        log_text(LOG_ERROR, "store_unavailable", why->detail);
    } else if (!why && since) {
        atomic_store(&en->unavailable_since, 0);
        log_event(LOG_INFO, "store_available", "\"after_ms\":%lld",
                  (long long)(clock_wall_ms(en->clock) - since));
    }
}

/* `check`: write nothing, only see whether what was decided on is still the journal's end. */
static bool commit(struct engine *en, bool check)
{
    struct batch *b = &en->batch;
    point_groups(b);
    b->commit = (struct store_commit){
        .groups = b->groups,
        .n_groups = b->n_groups,
        .head_seq = en->seq,
        .head_hash = en->hash,
        .next_uid = b->next_uid,
        .check_only = check,
        .duty = b->duty,
        .new_keys = b->new_keys,
        .n_new_keys = b->n_new_keys,
        .done = committed,
        .owner = en,
    };
    en->store->ops->commit(en->store, &b->commit);
    while (!mailbox_wait(en->replies, -1))
        ;
    bool looked = check && b->commit.ok; /* which says nothing of writing */
    if (!looked && !b->commit.moved && !b->commit.deposed && !b->commit.kept)
        note_availability(en, b->commit.ok ? NULL : &b->commit.err);
    return b->commit.ok;
}

/* --- publish and answer --- */

void engine_tell(struct engine *en, const struct journal_entry *entries, size_t n)
{
    for (size_t i = 0; i < en->n_listeners; i++)
        en->listeners[i].published(en->listeners[i].self, entries, n, atomic_load(&en->view));
    if (n)
        en->told = entries[n - 1].seq;
}

static void publish(struct engine *en)
{
    struct batch *b = &en->batch;
    bool all_told = en->told == en->seq; /* else these come later, with those before them */
    chains_settle(&en->chains, true);
    en->seq = b->seq;
    en->next_uid = b->next_uid;
    if (b->n_entries == 0)
        return;
    memcpy(en->hash, b->entries[b->n_entries - 1].hash, sizeof en->hash);
    engine_publish(en);
    if (all_told || !en->shared)
        engine_tell(en, b->entries, b->n_entries);
}

static void take_back(struct engine *en)
{
    chains_settle(&en->chains, false);
    state_revert(en->state);
}

/* After a failed commit only what rests on committed state alone may be said; and not that, where
 * others may have changed it. Nor what another node was told of before, which the store may have
 * failed to confirm. */
static void refuse_all(struct engine *en, const struct err *why)
{
    struct batch *b = &en->batch;
    for (size_t i = 0; i < b->n; i++) {
        struct command *c = b->slots[i].command;
        if ((b->slots[i].over && !c->kept) ||
            (b->slots[i].clean && b->slots[i].group == NO_GROUP && !en->shared))
            continue;
        c->ok = false;
        c->kept = NULL;
        c->seq = 0;
        c->err = *why;
    }
    atomic_fetch_add(&en->failed_batches, 1);
}

static void answer(struct engine *en)
{
    struct batch *b = &en->batch;
    atomic_fetch_add(&en->commands_done, b->n);
    atomic_fetch_add(&en->batches, 1);
    if (b->n > atomic_load(&en->batch_max))
        atomic_store(&en->batch_max, b->n);
    for (size_t i = 0; i < b->n; i++) {
        struct command *c = b->slots[i].command;
        if (!c->ok)
            atomic_fetch_add(&en->refused, 1);
        c->done(c);
    }
}

/* --- the batch --- */

static void begin(struct engine *en)
{
    struct batch *b = &en->batch;
    b->n_groups = b->n_rows = b->n_entries = b->n_new_keys = 0;
    b->duty = false;
    b->seq = en->seq;
    b->next_uid = en->next_uid;
    b->now_ms = clock_wall_ms(en->clock);
    arena_reset(b->arena);
}

/* Somebody else has written. Who cannot read what can change nothing. */
static bool take_in(struct engine *en, struct err *e)
{
    bool ok = en->shared ? engine_catch_up(en, e) : engine_reload(en, e);
    if (!ok)
        note_availability(en, e);
    return ok;
}

/* A command that was carried out before gets the answer of that time. */
static bool answer_kept(struct engine *en, struct err *e)
{
    struct slot *slot = en->batch.keyed[en->batch.commit.kept_at];
    if (!engine_fetch_kept(en, slot->command, e))
        return false;
    if (slot->command->kept)
        is_over(&en->batch, slot);
    return true;
}

/* The commit was refused. Has the reason been dealt with, so that it may be tried again? */
static bool dealt_with(struct engine *en, struct err *why)
{
    const struct store_commit *c = &en->batch.commit;
    return (c->moved && take_in(en, why)) || (c->kept && answer_kept(en, why)) || c->deposed;
}

/* Commit what is decided. True when the batch is over, well or not; false when it has to be decided
 * again. */
static bool finish(struct engine *en, bool last_try)
{
    struct batch *b = &en->batch;
    bool check = b->n_groups == 0;
    if ((check && !en->shared) || commit(en, check)) {
        publish(en);
        return true;
    }
    struct err why = b->commit.err;
    take_back(en);
    if (dealt_with(en, &why) && !last_try)
        return false;
    refuse_all(en, &why);
    return true;
}

struct mail *batch_run(struct engine *en, struct mail *list)
{
    struct batch *b = &en->batch;
    begin(en);
    b->n = 0;
    b->n_over = 0;
    while (list && b->n < en->batch_limit && arena_used(b->arena) < TEXTS_MAX) {
        struct slot *slot = &b->slots[b->n++];
        *slot = (struct slot){.command = (struct command *)(void *)list};
        list = list->next;
        decide(en, slot);
    }
    for (int tries = 1; !finish(en, tries >= TRIES + b->n_over); tries++) {
        begin(en);
        for (size_t i = 0; i < b->n; i++)
            decide_again(en, &b->slots[i]);
    }
    answer(en);
    return list;
}

void batch_probe(struct engine *en)
{
    begin(en);
    if (commit(en, false) || !en->batch.commit.moved)
        return;
    struct err why;
    if (!take_in(en, &why))
        log_text(LOG_ERROR, "reload_failed", why.detail);
}
