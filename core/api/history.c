#include "api/history.h"

#include "api/journal_read.h"
#include "base/grow.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

#define PAGE           500
#define PAGE_ARENA_MAX (32 << 20)         /* cuts a page of giants short */
#define ROOM_LEFT      ((size_t)16 << 20) /* of the arena, for what comes after the events */

/* What each action means for a model's timeline; other actions mean nothing. */
static const struct meaning {
    const char *action;
    bool status, hold, gone;
} MEANINGS[] = {
    {"model.registered", .status = true},
    {"model.promoted", .status = true},
    {"gate.forced", .status = true},
    {"model.demoted", .status = true},
    {"model.deprecated", .status = true},
    {"model.superseded", .status = true},
    {"model.retired", .status = true},
    {"model.rolled_back", .status = true},
    {"model.rolled_back_from", .status = true, .hold = true},
    {"model.held", .hold = true},
    {"model.released", .hold = true},
    {"model.deleted", .gone = true},
};

static const struct meaning *meaning_of(const char *action)
{
    for (size_t i = 0; i < sizeof MEANINGS / sizeof *MEANINGS; i++)
        if (strcmp(MEANINGS[i].action, action) == 0)
            return &MEANINGS[i];
    return NULL;
}

/* --- collecting --- */

/* Is there room for another event and its texts? */
static bool has_room(struct work *w, const struct history *h)
{
    return (h->n < HISTORY_MAX && arena_left(w->arena) >= ROOM_LEFT) ||
           fail(&w->err, &ERR_BUSY,
                "this name has more than %zu changes of status: ask for its audit instead", h->n);
}

static bool add(struct work *w, struct history *h, const struct event *e)
{
    if (!has_room(w, h))
        return false;
    GROW(h->events, h->n, h->cap);
    h->events[h->n++] = *e;
    return true;
}

static const char *text_of(struct arena *a, const json_t *object, const char *key)
{
    return arena_text(a, json_string_value(json_object_get(object, key)));
}

static const char *value_of(struct arena *a, const json_t *value)
{
    struct bytes b = BYTES_INIT(4096);
    json_put_value(&b, value);
    const char *text = b.full || !b.len ? "null" : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

static bool add_meaning(struct work *w, struct history *h, const struct journal_entry *entry,
                        const struct meaning *m, const json_t *text)
{
    const json_t *after = json_object_get(text, "after");
    if (!has_room(w, h))
        return false;
    struct event e = {
        .seq = entry->seq,
        .at = entry->at,
        .model_id = arena_text(w->arena, entry->entity_id),
        .actor = value_of(w->arena, json_object_get(text, "actor")),
        .reason = text_of(w->arena, text, "reason"),
    };
    e.kind = m->gone ? EVENT_GONE : EVENT_STATUS;
    e.status = text_of(w->arena, after, "status");
    if ((m->status || m->gone) && !add(w, h, &e))
        return false;
    e.kind = json_is_object(json_object_get(after, "hold")) ? EVENT_HELD : EVENT_RELEASED;
    return !m->hold || add(w, h, &e);
}

/* The name was deleted or given up: whatever had it is not part of it any more. */
static bool name_ends(const struct journal_entry *entry, const json_t *text)
{
    return strcmp(entry->entity, ENTITY_TYPES[ENTITY_REGISTERED_MODEL].name) == 0 &&
           json_is_null(json_object_get(text, "after"));
}

static bool add_entry(struct work *w, struct history *h, const struct journal_entry *entry)
{
    const struct meaning *m = meaning_of(entry->action);
    if (!m && strncmp(entry->action, "registered_model.", 17) != 0)
        return true;
    json_t *text = json_read(entry->text, entry->text_len, &w->err);
    if (!text)
        return false;
    bool ok = true;
    if (m)
        ok = add_meaning(w, h, entry, m, text);
    else if (name_ends(entry, text))
        ok = add(w, h, &(struct event){.kind = EVENT_GONE, .seq = entry->seq, .at = entry->at});
    json_decref(text);
    return ok;
}

/* All entries of one name, page by page. */
static bool read_name(struct work *w, const struct former_name *name, int64_t to, struct history *h)
{
    struct arena *a = arena_new(PAGE_ARENA_MAX);
    struct journal_query q = {
        .ns = w->ns, .name = name->name, .to = to, .before_seq = name->before_seq, .limit = PAGE};
    struct journal_read page = {.more = true};
    bool ok = true;
    while (ok && page.more) {
        arena_reset(a);
        ok = journal_read_wait(w->api, &q, a, &page, &w->err);
        for (size_t i = 0; ok && i < page.n; i++) {
            ok = add_entry(w, h, &page.entries[i]);
            q.after_seq = page.entries[i].seq;
        }
    }
    arena_free(a);
    return ok;
}

/* --- former names --- */

/* A rename is two entries, one after the other: the old name goes, the new one comes; their
 * evidence names both. */
static bool note_former(struct work *w, struct history *h, const struct journal_entry *entry)
{
    json_t *text = json_read(entry->text, entry->text_len, &w->err);
    if (!text)
        return false;
    bool came = json_is_object(json_object_get(text, "after"));
    const char *from = text_of(w->arena, json_object_get(text, "evidence"), "from");
    json_decref(text);
    if (came && from && h->n_names < FORMER_NAMES_MAX)
        h->names[h->n_names++] = (struct former_name){from, entry->seq - 1};
    return true;
}

/* Add the names that were renamed to `name`. */
static bool find_former(struct work *w, const struct former_name *name, struct history *h)
{
    const struct journal_query q = {
        .ns = w->ns,
        .entity = ENTITY_TYPES[ENTITY_REGISTERED_MODEL].name,
        .entity_id = name->name,
        .action = "registered_model.renamed",
        .before_seq = name->before_seq,
        .newest_first = true,
        .limit = FORMER_NAMES_MAX,
    };
    struct arena *a = arena_new(PAGE_ARENA_MAX);
    struct journal_read page;
    bool ok = journal_read_wait(w->api, &q, a, &page, &w->err);
    for (size_t i = 0; ok && i < page.n; i++)
        ok = note_former(w, h, &page.entries[i]);
    arena_free(a);
    return ok;
}

static int by_seq(const void *a, const void *b)
{
    const struct event *x = a, *y = b;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    return (int)x->kind - (int)y->kind;
}

bool history_read(struct work *w, const char *name, int64_t to, struct history *h)
{
    *h = (struct history){.names = {{name, 0}}, .n_names = 1};
    for (size_t i = 0; i < h->n_names; i++)
        if (!find_former(w, &h->names[i], h) || !read_name(w, &h->names[i], to, h))
            return false;
    if (h->n)
        qsort(h->events, h->n, sizeof *h->events, by_seq);
    return true;
}

void history_release(struct history *h)
{
    free(h->events);
    h->events = NULL;
}
