#include "api/call.h"
#include "api/page_cursor.h"
#include "api/export.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/work.h"
#include "base/mem.h"
#include "registry/errors.h"
#include "registry/journal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX (32 << 20) /* cuts a page of giants short, as PAGE_BYTES would */
#define ENTRY_MAX (8 << 20)

/* One page of the journal on its way from the store to the client. */
struct audit {
    struct journal_read read; /* first: the store knows it by it */
    struct mail answer;
    struct request *rq;
    struct loop *loop;
    const char *model; /* of a model's own audit, whose unknown models are 404; else NULL */
    bool model_exists;
};

static void audit_free(struct audit *r)
{
    arena_free(r->read.arena);
    free(r);
}

static const char *order_of(const struct audit *r)
{
    return r->read.query.newest_first ? "-seq" : "seq";
}

/* Items until the page is full, then the rest of the list object. */
static void put_page(const struct audit *r, struct bytes *out)
{
    const struct journal_read *read = &r->read;
    struct bytes entry = BYTES_INIT(ENTRY_MAX);
    size_t i = 0;
    items_begin(out);
    for (; i < read->n && (i == 0 || out->len < PAGE_BYTES); i++) {
        bytes_clear(&entry);
        journal_entry_json(&read->entries[i], &entry);
        items_add(out, entry.data, entry.len);
    }
    const char *next = NULL;
    if (read->more || i < read->n) {
        char seq[24];
        snprintf(seq, sizeof seq, "%" PRIu64, read->entries[i - 1].seq);
        next = page_cursor_make(read->arena, order_of(r), seq);
    }
    items_end(out, read->total, next);
    bytes_release(&entry);
}

/* [loop] */
static void page_came(struct mail *mail)
{
    struct audit *r = (struct audit *)(void *)((char *)mail - offsetof(struct audit, answer));
    struct bytes out = BYTES_INIT(REPLY_MAX);
    if (!r->read.ok)
        request_fail(r->rq, &r->read.err);
    else if (r->model && !r->model_exists && r->read.total == 0)
        request_problem(r->rq, &MODEL_NOT_FOUND, "no model with id '%s', now or ever", r->model);
    else {
        put_page(r, &out);
        request_reply_json(r->rq, 200, &out);
    }
    audit_free(r);
}

/* [store] */
static void page_read(struct journal_read *read)
{
    struct audit *r = (struct audit *)(void *)read;
    loop_post_answer(r->loop, &r->answer);
}

static bool action_known(const char *action)
{
    for (const char *const *a = JOURNAL_ACTIONS; *a; a++)
        if (strcmp(*a, action) == 0)
            return true;
    return false;
}

/* The filters of the request. Texts are in `a`. */
static bool query_read(struct call *c, struct arena *a, struct journal_query *q, struct err *e)
{
    const struct parameters *p = &c->q;
    const char *after;
    *q = (struct journal_query){
        .ns = arena_text(a, c->ns),
        .grants = grants_copy(a, c->access->grants),
        .entity = arena_text(a, p->entity),
        .entity_id = arena_text(a, p->entity_id),
        .actor_id = arena_text(a, p->actor),
        .action = arena_text(a, p->action),
        .to_status = arena_text(a, p->to_status),
        .from = p->from,
        .to = p->to,
        .newest_first = !p->sort || *p->sort == '-',
        .count_total = true,
        .limit = (size_t)p->limit,
    };
    if (p->from && p->to && p->from >= p->to)
        return call_fault(c->arena, "from", e, "must lie before to");
    if (p->to_status && status_parse(p->to_status) < 0)
        return call_fault(c->arena, "to_status", e,
                          "must be one of development, canary, stable, deprecated, retired");
    if (p->entity && entity_kind_of(p->entity) < 0)
        return call_fault(c->arena, "entity", e, "must be one of model, registered_model, health");
    if (p->action && !action_known(p->action))
        return call_fault(c->arena, "action", e, "must be one of the actions that /types lists");
    if (!page_cursor_read(c->arena, p->cursor, q->newest_first ? "-seq" : "seq", &after, e))
        return false;
    if (after)
        *(q->newest_first ? &q->before_seq : &q->after_seq) = strtoull(after, NULL, 10);
    return true;
}

static struct audit *audit_new(struct call *c)
{
    struct audit *r = mem_zero(1, sizeof *r);
    r->read.arena = arena_new(ARENA_MAX);
    r->read.done = page_read;
    r->answer.run = page_came;
    r->rq = c->rq;
    r->loop = request_loop(c->rq);
    return r;
}

static void audit_start(struct call *c, struct audit *r)
{
    request_defer(c->rq);
    c->api->store->ops->journal(c->api->store, &r->read);
}

void audit_get(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct audit *r = audit_new(&c);
    if (!query_read(&c, r->read.arena, &r->read.query, &e)) {
        request_fail(rq, &e);
        audit_free(r);
    } else if (call_accepts(rq, "application/x-ndjson")) {
        export_start(&c, &r->read.query);
        audit_free(r);
    } else {
        audit_start(&c, r);
    }
}

/* A model's entries tell of all its incarnations: a deleted model's audit is still there. */
void model_audit_get(struct request *rq)
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct audit *r = audit_new(&c);
    const char *id = request_param(rq, "model_id");
    const struct model *m = view_resolve(view_enter(c.reader), c.ns, id, NULL);
    r->model_exists = m != NULL;
    r->model = arena_text(r->read.arena, m ? m->entity.id : id);
    view_leave(c.reader);
    if (!query_read(&c, r->read.arena, &r->read.query, &e)) {
        request_fail(rq, &e);
        audit_free(r);
        return;
    }
    r->read.query.entity = ENTITY_TYPES[ENTITY_MODEL].name;
    r->read.query.entity_id = r->model;
    audit_start(&c, r);
}
