/* Entities and the journal: one hash of entities, one of entries, the end of each namespace's
 * chain, and sets that find entries. All lie in one slot, so that one script decides and writes:
 * a head that has moved refuses all of it, an expectation that does not hold refuses its group,
 * and nobody ever sees half of it. A script that has begun to write cannot fail for memory (Redis
 * asks before the first write), so the script needs no way back. */
#include "store/redis.h"

#include <stdlib.h>
#include <string.h>

/* kind NUL ns NUL id */
static void add_id(struct ask *c, const char *kind, const char *ns, const char *id)
{
    size_t k = strlen(kind) + 1, n = strlen(ns) + 1, i = strlen(id);
    char *to = arena_alloc(c->arena, k + n + i + 1);
    if (to) {
        memcpy(to, kind, k);
        memcpy(to + k, ns, n);
        memcpy(to + k + n, id, i + 1);
    }
    ask_add(c, to, to ? k + n + i : 0);
}

/* "revision uid value"; "": delete */
static void add_value(struct ask *c, const struct store_row *r)
{
    char head[64];
    if (!r->value) {
        ask_text(c, "");
        return;
    }
    size_t len = (size_t)snprintf(head, sizeof head, "%lld %llu ", (long long)r->revision,
                                  (unsigned long long)r->uid);
    char *to = arena_alloc(c->arena, len + r->value_len);
    if (to) {
        memcpy(to, head, len);
        memcpy(to + len, r->value, r->value_len);
    }
    ask_add(c, to, to ? len + r->value_len : 0);
}

static void add_entry(struct ask *c, const struct journal_entry *entry)
{
    struct bytes packed = BYTES_INIT(SIZE_MAX);
    size_t len, n = 0;
    redis_entry_pack(entry, &packed);
    ask_uint(c, entry->seq);
    ask_text(c, entry->ns);
    ask_text(c, entry->hash);
    ask_add(c, arena_copy(c->arena, packed.data, packed.len), packed.len);
    bytes_release(&packed);
    for (size_t i = 0; i < REDIS_INDEXES; i++)
        n += redis_index_of(i, entry, c->arena, &len) != NULL;
    ask_uint(c, n);
    for (size_t i = 0; i < REDIS_INDEXES; i++) {
        const char *index = redis_index_of(i, entry, c->arena, &len);
        if (index)
            ask_add(c, index, len);
    }
}

static void add_group(struct ask *c, const struct store_group *g)
{
    const size_t counts[] = {g->n_expects, g->n_rows, g->n_entries, g->n_keys};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        ask_uint(c, counts[i]);
    for (size_t i = 0; i < g->n_expects; i++) {
        add_id(c, g->expects[i].kind, g->expects[i].ns, g->expects[i].id);
        ask_int(c, g->expects[i].revision);
    }
    for (size_t i = 0; i < g->n_rows; i++) {
        add_id(c, g->rows[i].kind, g->rows[i].ns, g->rows[i].id);
        add_value(c, &g->rows[i]);
    }
    for (size_t i = 0; i < g->n_entries; i++)
        add_entry(c, &g->entries[i]);
    for (size_t i = 0; i < g->n_keys; i++) {
        ask_text(c, g->keys[i].key);
        ask_add(c, g->keys[i].value, g->keys[i].value_len);
        ask_int(c, g->keys[i].expires_ms);
    }
}

/* The journal reaches as far as this now. */
static void note_reached(struct ask *c)
{
    struct redis *s = c->link->store;
    const struct store_commit *commit = c->job->commit;
    const struct journal_entry *last = NULL;
    for (size_t i = 0; i < commit->n_groups; i++) {
        const struct store_group *g = &commit->groups[i];
        if (!g->refused && g->n_entries)
            last = &g->entries[g->n_entries - 1];
    }
    if (!last)
        return;
    struct store_head head = {.seq = last->seq, .epoch = atomic_load(&s->epoch)};
    memcpy(head.hash, last->hash, sizeof head.hash);
    node_reached(s, &head);
    atomic_store(&s->own, last->seq);
}

static enum ask_result committed(struct ask *c, const redisReply *r, struct err *e)
{
    struct store_commit *commit = c->job->commit;
    if (r->type != REDIS_REPLY_STRING)
        return redis_strange(e), ASK_FAILED;
    commit->moved = strcmp(r->str, "moved") == 0;
    commit->deposed = strcmp(r->str, "deposed") == 0;
    commit->kept = strncmp(r->str, "kept", 4) == 0;
    if (commit->moved)
        return fail(e, &ERR_IO, "the journal has moved on"), ASK_FAILED;
    if (commit->deposed) {
        atomic_store(&c->link->store->decides_ns, 0);
        return fail(e, &ERR_BUSY, "another node decides this"), ASK_FAILED;
    }
    if (commit->kept) {
        commit->kept_at = strtoul(r->str + 4, NULL, 10);
        if (commit->kept_at >= commit->n_new_keys)
            return redis_strange(e), ASK_FAILED;
        return fail(e, &ERR_BUSY, "a command was carried out before"), ASK_FAILED;
    }
    if ((size_t)r->len != commit->n_groups)
        return redis_strange(e), ASK_FAILED;
    for (size_t i = 0; i < commit->n_groups; i++)
        commit->groups[i].refused = r->str[i] == '1';
    return ASK_DONE;
}

void redis_commit(struct ask *c)
{
    struct store_commit *commit = c->job->commit;
    commit->moved = commit->deposed = commit->kept = false;
    ask_begin(c, SCRIPT_COMMIT);
    ask_uint(c, commit->head_seq);
    ask_text(c, commit->head_hash ? commit->head_hash : "");
    ask_uint(c, commit->next_uid);
    ask_int(c, clock_wall_ms(c->link->store->clock));
    const char *check = c->link->store->url.wait ? "confirm" : "check";
    ask_text(c, commit->check_only ? check : commit->duty ? "duty" : "");
    ask_uint(c, commit->n_new_keys);
    for (size_t i = 0; i < commit->n_new_keys; i++)
        ask_text(c, commit->new_keys[i]);
    for (size_t i = 0; i < commit->n_groups; i++)
        add_group(c, &commit->groups[i]);
    c->reply = committed;
    c->settled = note_reached;
    ask_send(c);
}
