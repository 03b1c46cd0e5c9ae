#include "store/memory.h"

#include "base/bytes.h"
#include "base/grow.h"
#include "base/mem.h"
#include "store/entries.h"

#include <stdlib.h>
#include <string.h>

/* --- entities --- */

/* kind NUL ns NUL id: sorts as (kind, namespace, id). */
static void row_key(struct bytes *b, const char *kind, const char *ns, const char *id)
{
    bytes_init(b, SIZE_MAX);
    bytes_add(b, kind, strlen(kind) + 1);
    bytes_add(b, ns, strlen(ns) + 1);
    bytes_add(b, id, strlen(id) + 1);
}

static const struct memory_row *row_get(const struct memory *m, const char *kind, const char *ns,
                                        const char *id)
{
    struct bytes key;
    row_key(&key, kind, ns, id);
    const struct memory_row *row = map_get(m->rows, key.data, key.len);
    bytes_release(&key);
    return row;
}

static struct memory_row *row_copy(const struct store_row *r)
{
    size_t kind = strlen(r->kind) + 1, ns = strlen(r->ns) + 1, id = strlen(r->id) + 1;
    struct memory_row *to = mem_alloc(sizeof *to + kind + ns + id + r->value_len + 1);
    char *at = (char *)(to + 1);
    to->row = *r;
    to->row.kind = memcpy(at, r->kind, kind);
    to->row.ns = memcpy(at + kind, r->ns, ns);
    to->row.id = memcpy(at + kind + ns, r->id, id);
    char *value = memcpy(at + kind + ns + id, r->value, r->value_len);
    value[r->value_len] = '\0';
    to->row.value = value;
    return to;
}

static void row_put(struct memory *m, const struct store_row *r)
{
    struct bytes key;
    row_key(&key, r->kind, r->ns, r->id);
    if (r->value)
        free(map_set(m->rows, key.data, key.len, row_copy(r)));
    else
        free(map_remove(m->rows, key.data, key.len));
    bytes_release(&key);
}

/* --- commit --- */

static uint64_t last_seq(const struct memory *m)
{
    return m->n_journal ? m->journal[m->n_journal - 1]->seq : 0;
}

static void journal_put(struct memory *m, const struct journal_entry *entry)
{
    GROW(m->journal, m->n_journal, m->cap_journal);
    m->journal[m->n_journal++] = entry_copy(entry);
}

static bool expected(const struct memory *m, const struct store_group *g)
{
    for (size_t i = 0; i < g->n_expects; i++) {
        const struct store_expect *x = &g->expects[i];
        const struct memory_row *row = row_get(m, x->kind, x->ns, x->id);
        if ((row ? row->row.revision : 0) != x->revision)
            return false;
    }
    return true;
}

static void group_write(struct memory *m, const struct store_group *g)
{
    for (size_t i = 0; i < g->n_rows; i++)
        row_put(m, &g->rows[i]);
    for (size_t i = 0; i < g->n_entries; i++)
        journal_put(m, &g->entries[i]);
    for (size_t i = 0; i < g->n_keys; i++)
        memory_key_put(m, &g->keys[i]);
}

bool memory_commit(struct memory *m, struct store_commit *c, struct err *e)
{
    c->moved = c->head_seq != last_seq(m);
    if (c->moved)
        return fail(e, &ERR_IO, "the journal has moved on");
    for (size_t i = 0; i < c->n_groups; i++) {
        struct store_group *g = &c->groups[i];
        g->refused = !expected(m, g);
        m->stats.refused_groups += g->refused;
        if (!g->refused)
            group_write(m, g);
    }
    if (c->next_uid > m->next_uid)
        m->next_uid = c->next_uid;
    m->stats.commits++;
    m->stats.commit_groups += c->n_groups;
    return true;
}

/* --- reading --- */

bool memory_journal(struct memory *m, struct journal_read *r, struct err *e)
{
    const struct journal_query *q = &r->query;
    if (!page_begin(r, e))
        return false;
    bool full = false;
    for (size_t i = 0; i < m->n_journal && (!full || q->count_total); i++) {
        const struct journal_entry *entry = m->journal[q->newest_first ? m->n_journal - 1 - i : i];
        if (!entry_matches(q, entry))
            continue;
        r->total += q->count_total;
        bool in_page = entry->seq > q->after_seq && (!q->before_seq || entry->seq < q->before_seq);
        if (in_page && !full)
            full = !page_add(r, entry);
    }
    return page_end(r, e);
}

static int row_compare(const void *a, const void *b)
{
    const struct memory_row *const *x = a, *const *y = b;
    int order = strcmp((*x)->row.kind, (*y)->row.kind);
    if (!order)
        order = strcmp((*x)->row.ns, (*y)->row.ns);
    return order ? order : strcmp((*x)->row.id, (*y)->row.id);
}

bool memory_load(struct store *s, bool (*row)(void *ctx, const struct store_row *r, struct err *e),
                 void *ctx, struct store_head *head, struct err *e)
{
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    size_t n = 0, at = 0;
    struct memory_row **rows = mem_alloc(map_count(m->rows) * sizeof(void *));
    void *value;
    while (map_next(m->rows, &at, NULL, NULL, &value))
        rows[n++] = value;
    qsort(rows, n, sizeof(void *), row_compare);
    bool ok = true;
    for (size_t i = 0; ok && i < n; i++)
        ok = row(ctx, &rows[i]->row, e);
    *head = (struct store_head){.seq = last_seq(m), .next_uid = m->next_uid, .epoch = 1};
    pthread_mutex_unlock(&m->lock);
    free(rows);
    return ok;
}

bool memory_chain(struct store *s, const char *ns, char hash[SHA256_HEX_SIZE], struct err *e)
{
    (void)e;
    struct memory *m = memory_of(s);
    memcpy(hash, JOURNAL_FIRST_HASH, SHA256_HEX_SIZE);
    pthread_mutex_lock(&m->lock);
    for (size_t i = m->n_journal; i-- > 0;) {
        if (strcmp(m->journal[i]->ns, ns) == 0) {
            memcpy(hash, m->journal[i]->hash, SHA256_HEX_SIZE);
            break;
        }
    }
    pthread_mutex_unlock(&m->lock);
    return true;
}

void memory_entities_free(struct memory *m)
{
    size_t at = 0;
    void *value;
    while (map_next(m->rows, &at, NULL, NULL, &value))
        free(value);
    map_free(m->rows);
    for (size_t i = 0; i < m->n_journal; i++)
        free(m->journal[i]);
    free(m->journal);
}
