#include "store/entries.h"

#include "base/mem.h"

#include <stddef.h>
#include <string.h>

/* The texts of an entry, for whoever copies them. */
static const size_t TEXTS[] = {
    offsetof(struct journal_entry, ns),         offsetof(struct journal_entry, action),
    offsetof(struct journal_entry, entity),     offsetof(struct journal_entry, entity_id),
    offsetof(struct journal_entry, name),       offsetof(struct journal_entry, actor_id),
    offsetof(struct journal_entry, request_id), offsetof(struct journal_entry, to_status),
};
#define N_TEXTS (sizeof TEXTS / sizeof *TEXTS)

static const char **text_at(struct journal_entry *entry, size_t i)
{
    return (const char **)(void *)((char *)entry + TEXTS[i]);
}

static const char *text_of(const struct journal_entry *entry, size_t i)
{
    const char *const *at = (const void *)((const char *)entry + TEXTS[i]);
    return *at;
}

static size_t entry_size(const struct journal_entry *entry)
{
    size_t size = sizeof *entry + entry->text_len + 1;
    for (size_t i = 0; i < N_TEXTS; i++)
        size += text_of(entry, i) ? strlen(text_of(entry, i)) + 1 : 0;
    return size;
}

/* `to` gets the fields, `room` (entry_size() - sizeof *to) the texts. */
static void entry_fill(struct journal_entry *to, char *room, const struct journal_entry *from)
{
    *to = *from;
    for (size_t i = 0; i < N_TEXTS; i++) {
        const char *text = text_of(from, i);
        if (!text)
            continue;
        size_t size = strlen(text) + 1;
        memcpy(room, text, size);
        *text_at(to, i) = room;
        room += size;
    }
    memcpy(room, from->text, from->text_len);
    room[from->text_len] = '\0';
    to->text = room;
}

struct journal_entry *entry_copy(const struct journal_entry *from)
{
    struct journal_entry *to = mem_alloc(entry_size(from));
    entry_fill(to, (char *)(to + 1), from);
    return to;
}

bool page_begin(struct journal_read *r, struct err *e)
{
    if (r->query.limit == 0 || r->query.limit > JOURNAL_PAGE_MAX)
        r->query.limit = JOURNAL_PAGE_MAX;
    r->n = 0;
    r->total = 0;
    r->more = false;
    r->entries = arena_alloc(r->arena, r->query.limit * sizeof *r->entries);
    if (!r->entries)
        return fail(e, &ERR_MEMORY, "the arena of a journal page holds not even %zu empty entries",
                    r->query.limit);
    return true;
}

bool page_add(struct journal_read *r, const struct journal_entry *from)
{
    char *room = NULL;
    if (r->n < r->query.limit)
        room = arena_alloc(r->arena, entry_size(from) - sizeof *from);
    if (!room) {
        r->more = true;
        return false;
    }
    entry_fill(&r->entries[r->n++], room, from);
    return true;
}

bool page_end(const struct journal_read *r, struct err *e)
{
    if (r->n == 0 && r->more)
        return fail(e, &ERR_MEMORY, "a journal entry is larger than the arena of its page");
    return true;
}

static bool same(const char *wanted, const char *is)
{
    return !wanted || (is && strcmp(wanted, is) == 0);
}

bool entry_matches(const struct journal_query *q, const struct journal_entry *entry)
{
    bool any_ns = !q->ns || strcmp(q->ns, "*") == 0;
    return (any_ns || same(q->ns, entry->ns)) && same(q->entity, entry->entity) &&
           same(q->entity_id, entry->entity_id) && same(q->name, entry->name) &&
           same(q->actor_id, entry->actor_id) && same(q->action, entry->action) &&
           same(q->to_status, entry->to_status) && entry->at >= q->from &&
           (q->to == 0 || entry->at < q->to) &&
           grants_allow(q->grants, entry->ns, journal_entry_subject(entry),
                        ACTION_BIT(ACTION_READ));
}
