#include "moving/import_put.h"

#include "store/wait.h"

void putting_init(struct putting *p, struct store *s)
{
    *p = (struct putting){.store = s, .arena = arena_new(SIZE_MAX)};
}

void putting_release(struct putting *p)
{
    arena_free(p->arena);
}

static bool commit(struct putting *p, uint64_t next_uid, struct err *e)
{
    struct store_group g = {.rows = p->rows,
                            .n_rows = p->n_rows,
                            .entries = p->entries,
                            .n_entries = p->n_entries,
                            .keys = p->keys,
                            .n_keys = p->n_keys};
    struct store_commit c = {.groups = &g,
                             .n_groups = p->n_rows + p->n_entries + p->n_keys > 0,
                             .head_seq = p->seq,
                             .next_uid = next_uid};
    bool ok = store_commit_wait(p->store, &c, e);
    if (p->n_entries && ok)
        p->seq = p->entries[p->n_entries - 1].seq;
    p->n_rows = p->n_entries = p->n_keys = 0;
    return ok;
}

static bool append(struct putting *p, struct err *e)
{
    struct series_append a = {
        .records = p->records, .n = p->n_records, .marks = p->marks, .n_marks = p->n_marks};
    p->n_records = p->n_marks = 0;
    return store_append_wait(p->store, &a, e);
}

static bool flush(struct putting *p, struct err *e)
{
    bool ok = (p->n_rows + p->n_entries + p->n_keys == 0 || commit(p, 0, e)) &&
              (p->n_records + p->n_marks == 0 || append(p, e));
    arena_reset(p->arena);
    return ok;
}

/* Before one is added: is there room for it beside those that wait? */
static bool make_room(struct putting *p, struct err *e)
{
    size_t n = p->n_rows + p->n_entries + p->n_keys + p->n_records + p->n_marks;
    return (n < PUT_ITEMS && arena_used(p->arena) < PUT_BYTES) || flush(p, e);
}

bool put_entry(struct putting *p, const struct journal_entry *entry, struct err *e)
{
    struct arena *a = p->arena;
    if (!make_room(p, e))
        return false;
    struct journal_entry *to = &p->entries[p->n_entries++];
    const char **const texts[] = {&to->ns,   &to->action,   &to->entity,     &to->entity_id,
                                  &to->name, &to->actor_id, &to->request_id, &to->to_status};
    *to = *entry;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        *texts[i] = arena_text(a, *texts[i]);
    to->text = arena_copy(a, entry->text, entry->text_len);
    return true;
}

bool put_row(struct putting *p, const struct store_row *row, struct err *e)
{
    if (!make_room(p, e))
        return false;
    struct store_row *to = &p->rows[p->n_rows++];
    *to = *row;
    to->kind = arena_text(p->arena, row->kind);
    to->ns = arena_text(p->arena, row->ns);
    to->id = arena_text(p->arena, row->id);
    to->value = arena_copy(p->arena, row->value, row->value_len);
    return true;
}

/* A counter is made by adding to one. */
static bool put_number(struct putting *p, const struct store_key *key, int64_t number,
                       struct err *e)
{
    struct key_request k = {.op = KEY_ADD, .key = *key, .amount = number, .arena = p->arena};
    return flush(p, e) && store_key_wait(p->store, &k, e);
}

bool put_key(struct putting *p, const struct store_key *key, int64_t number, struct err *e)
{
    if (!make_room(p, e))
        return false;
    p->keys[p->n_keys++] = (struct store_key){arena_text(p->arena, key->key),
                                              arena_copy(p->arena, key->value, key->value_len),
                                              key->value_len, key->expires_ms};
    return number == 0 || put_number(p, key, number, e);
}

bool put_job(struct putting *p, const struct store_rest *job, struct err *e)
{
    struct queue_request q = {.op = QUEUE_PUSH,
                              .queue = job->name,
                              .id = job->id,
                              .data = job->data,
                              .len = job->len,
                              .bound = SIZE_MAX / 2,
                              .arena = p->arena};
    return store_queue_wait(p->store, &q, e);
}

bool put_record(struct putting *p, const struct series_record *record, struct err *e)
{
    if (!make_room(p, e))
        return false;
    p->records[p->n_records++] = (struct series_record){
        arena_text(p->arena, record->key), record->at, arena_text(p->arena, record->id),
        arena_copy(p->arena, record->data, record->len), record->len};
    return true;
}

bool put_mark(struct putting *p, const struct series_mark *mark, struct err *e)
{
    if (!make_room(p, e))
        return false;
    p->marks[p->n_marks++] = (struct series_mark){arena_text(p->arena, mark->name), mark->value};
    return true;
}

bool put_end(struct putting *p, uint64_t next_uid, struct err *e)
{
    return flush(p, e) && commit(p, next_uid, e);
}
