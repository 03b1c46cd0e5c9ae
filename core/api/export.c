#include "api/export.h"

#include "api/loop_state.h"
#include "api/problems.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/errors.h"
#include "registry/journal.h"

#include <stdlib.h>
#include <string.h>

#define PAGE           200        /* entries of one read */
#define ARENA_MAX      (32 << 20) /* of one read, held while the client is slow: giants are fewer */
#define BACKLOG_MAX    (128 * 1024) /* unsent bytes at which writing pauses */
#define LINE_MAX_BYTES (8 << 20)

/* Lives until both the stream and the read under way have ended. */
struct export
{
    struct journal_read read; /* first */
    struct mail answer;
    struct api *api;
    struct loop *loop;
    struct stream *stream; /* NULL: the client has left */
    struct arena *texts;   /* of the filters */
    size_t at;             /* next entry of the page to be written */
    bool reading;
    struct access *access; /* that let it in */
    struct bytes line;
};

static void export_free(struct export *x)
{
    arena_free(x->read.arena);
    arena_free(x->texts);
    bytes_release(&x->line);
    free(x->access);
    free(x);
}

static void page_read(struct journal_read *read)
{
    struct export *x = (struct export *)(void *)read;
    loop_post_answer(x->loop, &x->answer);
}

static void read_page(struct export *x)
{
    arena_reset(x->read.arena);
    x->reading = true;
    x->at = 0;
    x->read.ok = false;
    x->api->store->ops->journal(x->api->store, &x->read);
}

static void finish(struct export *x)
{
    struct stream *s = x->stream;
    x->stream = NULL;
    stream_listen(s, &(struct stream_events){NULL, NULL}, NULL);
    stream_end(s);
    export_free(x);
}

/* The status line has gone out long ago: the last line tells that the export is not complete. */
static void finish_failed(struct export *x, const struct err *why)
{
    char slug[64];
    problem_slug(why->kind->code, slug, sizeof slug);
    bytes_clear(&x->line);
    bytes_char(&x->line, '{');
    json_key(&x->line, "type");
    bytes_printf(&x->line, "\"/problems/%s\"", slug);
    json_kv_string(&x->line, "title", why->kind->title);
    json_kv_int(&x->line, "status", why->kind->status);
    json_kv_string(&x->line, "code", why->kind->code);
    json_kv_string(&x->line, "detail", why->detail);
    bytes_text(&x->line, "}\n");
    if (stream_write(x->stream, x->line.data, x->line.len))
        finish(x);
}

/* An export may take long: a token that is revoked meanwhile gets no further page. */
static bool still_welcome(const struct export *x)
{
    struct loop_state *state = loop_state(x->loop);
    const struct view *v = view_enter(state->reader);
    bool holds = access_holds(x->access, v, loop_wall_ms(x->loop));
    view_leave(state->reader);
    return holds;
}

/* False when the client was cut off: `closed` frees the export, maybe it has already. */
static bool write_entry(struct export *x, const struct journal_entry *entry)
{
    bytes_clear(&x->line);
    journal_entry_json(entry, &x->line);
    bytes_char(&x->line, '\n');
    return stream_write(x->stream, x->line.data, x->line.len);
}

/* Write until the backlog is full, the page ends (then read the next) or everything is out. */
static void pump(struct export *x)
{
    struct journal_query *q = &x->read.query;
    while (x->at < x->read.n) {
        if (stream_backlog(x->stream) > BACKLOG_MAX)
            return; /* drained() goes on */
        const struct journal_entry *entry = &x->read.entries[x->at++];
        *(q->newest_first ? &q->before_seq : &q->after_seq) = entry->seq;
        if (!write_entry(x, entry))
            return;
    }
    if (x->read.more)
        read_page(x);
    else
        finish(x);
}

/* [loop] */
static void page_came(struct mail *mail)
{
    struct export *x = (struct export *)(void *)((char *)mail - offsetof(struct export, answer));
    x->reading = false;
    if (!x->stream)
        export_free(x);
    else if (!x->read.ok)
        finish_failed(x, &(struct err){.kind = &ERR_IO, .detail = "the journal cannot be read on"});
    else if (!still_welcome(x))
        finish_failed(x, &(struct err){.kind = &HTTP_UNAUTHENTICATED,
                                       .detail = "the token was revoked or changed"});
    else
        pump(x);
}

static void drained(struct stream *s, void *ctx)
{
    (void)s;
    struct export *x = ctx;
    if (!x->reading)
        pump(x);
}

static void closed(struct stream *s, void *ctx)
{
    (void)s;
    struct export *x = ctx;
    x->stream = NULL;
    if (!x->reading)
        export_free(x);
}

static void copy_filters(struct export *x, const struct journal_query *q)
{
    struct arena *a = x->texts;
    x->read.query = *q;
    x->read.query.ns = arena_text(a, q->ns);
    x->read.query.grants = grants_copy(a, q->grants);
    x->read.query.entity = arena_text(a, q->entity);
    x->read.query.entity_id = arena_text(a, q->entity_id);
    x->read.query.actor_id = arena_text(a, q->actor_id);
    x->read.query.action = arena_text(a, q->action);
    x->read.query.to_status = arena_text(a, q->to_status);
    x->read.query.count_total = false;
    x->read.query.limit = PAGE;
}

void export_start(struct call *c, const struct journal_query *filters)
{
    struct export *x = mem_zero(1, sizeof *x);
    x->api = c->api;
    x->loop = request_loop(c->rq);
    x->access = access_keep(c->access);
    x->texts = arena_new(1 << 20);
    x->read.arena = arena_new(ARENA_MAX);
    x->read.done = page_read;
    x->answer.run = page_came;
    bytes_init(&x->line, LINE_MAX_BYTES);
    copy_filters(x, filters);
    if (!c->q.sort) /* oldest first, so that each line's prev_hash is the hash of one before */
        x->read.query.newest_first = false;
    uint64_t end = call_seq(c) + 1;
    if (!x->read.query.newest_first || !x->read.query.before_seq)
        x->read.query.before_seq = end; /* what is written meanwhile is not part of it */
    x->stream = request_stream(c->rq, 200, "application/x-ndjson; charset=utf-8");
    stream_listen(x->stream, &(struct stream_events){drained, closed}, x);
    read_page(x);
}
