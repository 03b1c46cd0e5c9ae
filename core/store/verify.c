#include "base/bytes.h"
#include "base/map.h"
#include "base/mem.h"
#include "registry/scan.h"
#include "store/entries.h"
#include "store/store.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Goes over the journal page by page, so that its size does not matter: what is kept is the last
 * hash of each namespace and, for each entity, a hash of the last text the journal gave it. */

/* What the journal says last of one entity. */
struct last {
    uint64_t hash; /* of its text */
    uint64_t seq;
    bool gone;   /* deleted */
    bool stored; /* found among the entities */
};

struct verify {
    struct store *store;
    void (*each)(void *ctx, const char *fault);
    void *ctx;
    struct verify_report *report;
    struct map *chains;   /* namespace -> its last hash */
    struct map *entities; /* kind NUL namespace NUL id -> struct last */
    struct map *uids;     /* kind and uid of those that are there */
    uint64_t greatest;    /* of these */
    uint64_t seq;
};

static void fault(struct verify *v, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void fault(struct verify *v, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    v->report->faults++;
    if (v->each)
        v->each(v->ctx, text);
}

static struct last *last_of(struct verify *v, const char *kind, const char *ns, const char *id)
{
    struct bytes key = BYTES_INIT(SIZE_MAX);
    bytes_add(&key, kind, strlen(kind) + 1);
    bytes_add(&key, ns, strlen(ns) + 1);
    bytes_add(&key, id, strlen(id) + 1);
    struct last *last = map_get(v->entities, key.data, key.len);
    if (!last) {
        last = mem_zero(1, sizeof *last);
        map_set(v->entities, key.data, key.len, last);
    }
    bytes_release(&key);
    return last;
}

/* --- one entry --- */

enum { REQUEST_ID, ACTOR, BEFORE, AFTER, MEMBERS };
static const char *const NAMES[MEMBERS] = {"request_id", "actor", "before", "after"};

/* Is the literal (absent or null: NULL) what the column holds? */
static bool says(struct slice literal, const char *column)
{
    if (!slice_is_string(literal))
        return column == NULL;
    char *text = mem_alloc(literal.len);
    slice_unescape(literal, text);
    bool same = column && strcmp(text, column) == 0;
    free(text);
    return same;
}

static struct slice member(struct slice object, const char *name)
{
    struct slice value = {NULL, 0};
    if (!object.at || object.at[0] != '{' || !scan_pick(object, &name, 1, &value))
        return (struct slice){NULL, 0};
    return value;
}

/* The columns for timelines follow from what the entity became. */
static bool timeline_agrees(const struct journal_entry *entry, struct slice before,
                            struct slice after)
{
    const struct slice none = {NULL, 0};
    if (strcmp(entry->entity, "registered_model") == 0)
        return entry->name && strcmp(entry->name, entry->entity_id) == 0 && !entry->to_status;
    if (strcmp(entry->entity, "model") != 0)
        return !entry->to_status;
    bool exists = after.at[0] == '{';
    struct slice was = member(before, "status"), is = member(after, "status");
    bool same = was.at && is.at && was.len == is.len && memcmp(was.at, is.at, is.len) == 0;
    return says(member(exists ? after : before, "name"), entry->name) &&
           says(exists && !same ? is : none, entry->to_status);
}

static void check_entry(struct verify *v, const struct journal_entry *entry)
{
    struct slice text = {entry->text, entry->text_len}, s[MEMBERS];
    if (!scan_pick(text, NAMES, MEMBERS, s) || !s[AFTER].at) {
        fault(v, "journal entry %" PRIu64 ": its text is no entry", entry->seq);
        return;
    }
    if (!says(member(s[ACTOR], "id"), entry->actor_id) || !says(s[REQUEST_ID], entry->request_id) ||
        !timeline_agrees(entry, s[BEFORE], s[AFTER]))
        fault(v, "journal entry %" PRIu64 ": its columns contradict its text", entry->seq);
    struct last *last = last_of(v, entry->entity, entry->ns, entry->entity_id);
    last->gone = s[AFTER].at[0] != '{';
    last->hash = hash64(s[AFTER].at, s[AFTER].len, 0);
    last->seq = entry->seq;
}

static void check_chain(struct verify *v, const struct journal_entry *entry)
{
    struct err e = {0};
    size_t len = strlen(entry->ns);
    char *hash = map_get(v->chains, entry->ns, len);
    if (!journal_entry_verify(entry, hash ? hash : JOURNAL_FIRST_HASH, &e))
        fault(v, "%s", e.detail);
    if (!hash) {
        hash = mem_alloc(SHA256_HEX_SIZE);
        map_set(v->chains, entry->ns, len, hash);
        v->report->namespaces++;
    }
    memcpy(hash, entry->hash, SHA256_HEX_SIZE);
}

static void verify_entry(struct verify *v, const struct journal_entry *entry)
{
    if (entry->seq != v->seq + 1)
        fault(v, "journal entries %" PRIu64 " to %" PRIu64 " are missing", v->seq + 1,
              entry->seq - 1);
    v->seq = entry->seq;
    v->report->entries++;
    check_chain(v, entry);
    check_entry(v, entry);
}

static bool verify_next(void *ctx, const struct journal_entry *entry, struct err *e)
{
    (void)e;
    verify_entry(ctx, entry);
    return true;
}

/* --- the entities --- */

/* Is the revision that which the text says, and the incarnation nobody else's? */
static void check_numbers(struct verify *v, const struct store_row *row, size_t len)
{
    char text[24];
    const struct slice is = member((struct slice){row->value, len}, "revision");
    int n = snprintf(text, sizeof text, "%" PRId64, row->revision);
    if (is.at && (is.len != (size_t)n || memcmp(is.at, text, is.len) != 0))
        fault(v, "%s '%s' of namespace '%s' is stored as revision %s but says otherwise", row->kind,
              row->id, row->ns, text);
    struct bytes key = BYTES_INIT(SIZE_MAX); /* health has the number of its model */
    bytes_add(&key, &row->uid, sizeof row->uid);
    bytes_text(&key, row->kind);
    bool taken = map_set(v->uids, key.data, key.len, v) != NULL;
    bytes_release(&key);
    if (taken || row->uid == 0)
        fault(v, "%s '%s' of namespace '%s' has the incarnation of another: %" PRIu64, row->kind,
              row->id, row->ns, row->uid);
    v->greatest = row->uid > v->greatest ? row->uid : v->greatest;
}

static bool verify_row(void *ctx, const struct store_row *row, struct err *e)
{
    (void)e;
    struct verify *v = ctx;
    struct last *last = last_of(v, row->kind, row->ns, row->id);
    /* What is hidden follows the text after a line feed; the journal does not have it. */
    const char *line = memchr(row->value, '\n', row->value_len);
    size_t len = line ? (size_t)(line - row->value) : row->value_len;
    v->report->entities++;
    last->stored = true;
    check_numbers(v, row, len);
    if (last->seq == 0)
        fault(v, "%s '%s' of namespace '%s' has no journal entry", row->kind, row->id, row->ns);
    else if (last->gone)
        fault(v, "%s '%s' of namespace '%s' exists, but journal entry %" PRIu64 " deleted it",
              row->kind, row->id, row->ns, last->seq);
    else if (hash64(row->value, len, 0) != last->hash)
        fault(v, "%s '%s' of namespace '%s' is not what journal entry %" PRIu64 " made it",
              row->kind, row->id, row->ns, last->seq);
    return true;
}

static void verify_present(struct verify *v)
{
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(v->entities, &at, &key, &len, &value)) {
        const struct last *last = value;
        const char *kind = key, *ns = kind + strlen(kind) + 1, *id = ns + strlen(ns) + 1;
        if (!last->gone && !last->stored)
            fault(v,
                  "%s '%s' of namespace '%s' is missing, though journal entry %" PRIu64
                  " leaves it there",
                  kind, id, ns, last->seq);
    }
}

static void free_values(struct map *m)
{
    size_t at = 0;
    void *value;
    while (map_next(m, &at, NULL, NULL, &value))
        free(value);
    map_free(m);
}

bool store_verify(struct store *s, void (*each)(void *ctx, const char *fault), void *ctx,
                  struct verify_report *out, struct err *e)
{
    struct verify v = {.store = s, .each = each, .ctx = ctx, .report = out};
    struct store_head head;
    *out = (struct verify_report){0};
    v.chains = map_new();
    v.entities = map_new();
    v.uids = map_new();
    bool ok = store_each_entry(s, verify_next, &v, e) && s->ops->load(s, verify_row, &v, &head, e);
    if (ok)
        verify_present(&v);
    if (ok && v.greatest >= head.next_uid)
        fault(&v, "incarnation %" PRIu64 " is in use, though the next one is to be %" PRIu64,
              v.greatest, head.next_uid);
    free_values(v.chains);
    free_values(v.entities);
    map_free(v.uids);
    return ok;
}
