/* What a flag was, from the journal, and the way back. */
#include "api/handlers.h"
#include "api/items.h"
#include "api/journal_read.h"
#include "api/page_cursor.h"
#include "api/submit.h"
#include "api/work.h"
#include "base/json.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "registry/flag.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE           100 /* entries looked at at once for a version */
#define PAGE_ARENA_MAX (64 << 20)

struct listing {
    const char *key;
    uint64_t seq; /* behind this entry; 0: from the start */
    bool oldest_first;
    const char *tag; /* of its cursors */
    size_t limit;
};

static void put_value(struct bytes *b, const char *name, const json_t *value)
{
    json_key(b, name);
    if (value)
        json_put_value(b, value);
    else
        bytes_text(b, "null");
}

/* `text` is the entry's. False: the flag did not exist after it. */
static bool put_version(struct bytes *b, const json_t *text)
{
    const json_t *flag = json_object_get(text, "after");
    if (!json_is_object(flag))
        return false;
    bytes_char(b, '{');
    put_value(b, "version", json_object_get(flag, "revision"));
    put_value(b, "at", json_object_get(text, "at"));
    put_value(b, "action", json_object_get(text, "action"));
    put_value(b, "actor", json_object_get(text, "actor"));
    put_value(b, "reason", json_object_get(text, "reason"));
    put_value(b, "flag", flag);
    bytes_char(b, '}');
    return true;
}

/* The flag's revision now, 0 if it is not there. */
static int64_t revision_of(struct view_reader *reader, const char *ns, const char *key)
{
    const struct document *d = view_document(view_enter(reader), &FLAG_TYPE, ns, key);
    int64_t revision = d ? d->entity.revision : 0;
    view_leave(reader);
    return revision;
}

/* The flag's entries, newest first. */
static struct journal_query newest(const char *ns, const char *key, uint64_t before, size_t limit)
{
    return (struct journal_query){.ns = ns,
                                  .entity = "flag",
                                  .entity_id = key,
                                  .newest_first = true,
                                  .before_seq = before,
                                  .limit = limit};
}

/* The entries from that of its creation on, oldest first. */
static bool read_oldest(struct work *w, const struct listing *l, struct journal_read *page)
{
    struct journal_query q = newest(w->ns, l->key, 0, 1);
    q.action = "flag.created";
    uint64_t after = l->seq;
    if (!after) {
        if (!journal_read_wait(w->api, &q, w->arena, page, &w->err))
            return false;
        after = page->n ? page->entries[0].seq - 1 : 0;
    }
    q = (struct journal_query){
        .ns = w->ns, .entity = "flag", .entity_id = l->key, .after_seq = after, .limit = l->limit};
    return journal_read_wait(w->api, &q, w->arena, page, &w->err);
}

static bool read_entries(struct work *w, const struct listing *l, struct journal_read *page)
{
    const struct journal_query q = newest(w->ns, l->key, l->seq, l->limit);
    return l->oldest_first ? read_oldest(w, l, page)
                           : journal_read_wait(w->api, &q, w->arena, page, &w->err);
}

/* [reader] The entries of this flag are those since it was created last. */
static bool render_versions(struct work *w)
{
    const struct listing *l = w->args;
    struct journal_read page;
    char seq[24];
    int64_t now = revision_of(w->reader, w->ns, l->key);
    size_t n = 0;
    bool more = true;
    const char *next = NULL;
    if (!now)
        return fail(&w->err, &FLAG_NOT_FOUND, "no flag with id '%.200s'", l->key);
    if (!read_entries(w, l, &page))
        return false;
    items_begin(&w->out);
    for (size_t i = 0; i < page.n && more && !next; i++) {
        struct bytes item = BYTES_INIT(8 << 20);
        json_t *text = json_read(page.entries[i].text, page.entries[i].text_len, &w->err);
        more = text && put_version(&item, text) &&
               (l->oldest_first || strcmp(page.entries[i].action, "flag.created") != 0);
        if (item.len)
            items_add(&w->out, item.data, item.len);
        json_decref(text);
        bytes_release(&item);
        n++;
        bool last = i + 1 == page.n && !page.more;
        if (more && !last && (n == l->limit || i + 1 == page.n || w->out.len > PAGE_BYTES)) {
            snprintf(seq, sizeof seq, "%" PRIu64, page.entries[i].seq);
            next = page_cursor_make(w->arena, l->tag, seq);
        }
    }
    items_end(&w->out, (uint64_t)now, next);
    return w->err.kind == NULL;
}

void flag_versions(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct items_page page;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    if (!items_page_open(&page, &c.q, "flag versions", "-version", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct listing *l = arena_zero(c.arena, sizeof *l);
    *l = (struct listing){.key = request_param(rq, "key"),
                          .seq = page.after ? strtoull(page.after, NULL, 10) : 0,
                          .oldest_first = !page.descending,
                          .tag = page.tag,
                          .limit = (size_t)c.q.limit};
    work_answer(&c, true, render_versions, l);
}

/* ---- back ---- */

struct lookup {
    struct mail mail; /* first */
    struct api *api;
    struct request *rq;
    struct loop *loop;
    struct arena *arena;
    const char *ns, *key;
    int64_t version;
    const char *text; /* of the flag then */
    struct err err;
};

/* [loop] */
static void looked_up(struct mail *m)
{
    struct lookup *l = (struct lookup *)(void *)m;
    struct arena *a = request_arena(l->rq);
    if (l->text) {
        struct flag_former *former = arena_zero(a, sizeof *former);
        former->text = arena_text(a, l->text);
        former->len = strlen(former->text);
        submit(l->rq, &(struct wish){.decide = flag_roll_back,
                                     .id = request_param(l->rq, "key"),
                                     .kind = ENTITY_FLAG,
                                     .args = former});
    } else {
        request_fail(l->rq, &l->err);
    }
    arena_free(l->arena);
}

/* Is the flag of this entry the one that is looked for? `*end`: no older one can be. */
static bool is_it(struct lookup *l, const struct journal_entry *entry, bool *end)
{
    json_t *text = json_read(entry->text, entry->text_len, &l->err);
    const json_t *flag = json_object_get(text, "after");
    bool found =
        json_is_object(flag) && json_integer_value(json_object_get(flag, "revision")) == l->version;
    if (found) {
        struct bytes b = BYTES_INIT(8 << 20);
        json_put_value(&b, flag);
        l->text = b.full ? NULL : arena_copy(l->arena, b.data, b.len);
        bytes_release(&b);
    }
    *end = !json_is_object(flag) || strcmp(entry->action, "flag.created") == 0;
    json_decref(text);
    return found;
}

/* [reader] */
static void look_up(struct mail *m)
{
    struct lookup *l = (struct lookup *)(void *)m;
    struct arena *a = arena_new(PAGE_ARENA_MAX);
    struct journal_read page = {.more = true};
    uint64_t before = 0;
    bool end = false;
    while (!l->text && !end && page.more) {
        arena_reset(a);
        const struct journal_query q = newest(l->ns, l->key, before, PAGE);
        if (!journal_read_wait(l->api, &q, a, &page, &l->err))
            break;
        for (size_t i = 0; i < page.n && !end && !is_it(l, &page.entries[i], &end); i++)
            before = page.entries[i].seq;
    }
    if (!l->text && !l->err.kind)
        fail(&l->err, &FLAG_VERSION_NOT_FOUND, "the flag '%.200s' never had version %lld", l->key,
             (long long)l->version);
    arena_free(a);
    m->run = looked_up;
    loop_post_answer(l->loop, m);
}

/* The body's version; the engine looks at the body as a whole. */
static int64_t wanted(const struct request *rq)
{
    size_t len;
    const char *text = request_body(rq, &len);
    json_t *body = json_read(text, len, NULL);
    int64_t version = json_integer_value(json_object_get(body, "version"));
    json_decref(body);
    return version;
}

void flag_rollback_post(struct request *rq)
{
    static const struct flag_former NOTHING = {"{}", 2};
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *key = request_param(rq, "key");
    int64_t version = wanted(rq);
    if (version < 1 || !revision_of(c.reader, c.ns, key)) { /* the engine says what is wrong */
        submit(rq, &(struct wish){
                       .decide = flag_roll_back, .id = key, .kind = ENTITY_FLAG, .args = &NOTHING});
        return;
    }
    struct arena *a = arena_new(16 << 20);
    struct lookup *l = arena_zero(a, sizeof *l);
    *l = (struct lookup){.mail = {.run = look_up},
                         .api = c.api,
                         .rq = rq,
                         .loop = request_loop(rq),
                         .arena = a,
                         .ns = arena_text(a, c.ns),
                         .key = arena_text(a, key),
                         .version = version};
    request_defer(rq);
    if (pool_submit(c.api->readers, &l->mail))
        return;
    request_problem(rq, &ERR_BUSY, "too many wait for a thread; try again");
    arena_free(a);
}
