/* What came of decisions: scores of one, a list of them, or NDJSON. The decision's id says whose
 * they are; looked up are whether that is the sender's business, and a shadow that is named. */
#include "selection/outcomes.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/named.h"
#include "api/outcome_fields.h"
#include "api/resolved.h"
#include "base/grow.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/loop.h"
#include "registry/route.h"
#include "selection/selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX 10000

struct taking {
    struct outcomes_write write; /* first: the writer and the loop know it by its mail */
    struct request *rq;
    struct loop *loop;
    struct call *call;
    const struct view *view;
    struct outcome *list;
    size_t n, room;
    size_t items;
    uint64_t unknown, forged;
    uint64_t mismatched; /* of the unknown: a model that the decision did not name */
    struct faults faults;
};

static void taking_free(struct taking *t)
{
    free(t->list);
    free(t);
}

/* ---- answering ---- */

static void answer(struct taking *t)
{
    struct bytes b = BYTES_INIT(4096);
    bytes_char(&b, '{');
    json_kv_int(&b, "accepted", (int64_t)t->write.accepted);
    json_kv_int(&b, "duplicate", (int64_t)t->write.duplicate);
    json_kv_int(&b, "late", (int64_t)t->write.late);
    json_kv_int(&b, "unknown", (int64_t)t->unknown);
    json_kv_int(&b, "forged", (int64_t)t->forged);
    bytes_char(&b, '}');
    request_reply_json(t->rq, 202, &b);
    taking_free(t);
}

/* [loop] */
static void answered(struct mail *mail)
{
    struct taking *t = (struct taking *)(void *)mail;
    if (t->write.ok) {
        answer(t);
    } else {
        request_fail(t->rq, &t->write.err);
        taking_free(t);
    }
}

/* [writer] */
static void done(struct outcomes_write *w)
{
    struct taking *t = (struct taking *)(void *)w;
    w->mail.run = answered;
    loop_post_answer(t->loop, &w->mail);
}

/* ---- reading ---- */

/* The shadow of this name that the decision had named: its uid, or 0. */
static uint64_t shadow_uid(const struct taking *t, const struct decision_facts *f,
                           const char *model_id)
{
    struct named n = {.view = t->view, .ns = t->call->ns};
    const struct model *m = view_resolve(t->view, t->call->ns, model_id, NULL);
    if (!m || !named_shadow(&n, f, m->entity.uid))
        return 0;
    const struct loop_state *s = loop_state(t->loop);
    named_report(&n, s->selections);
    return m->entity.uid;
}

static struct outcome *next_place(struct taking *t)
{
    GROW(t->list, t->n, t->room);
    struct outcome *o = &t->list[t->n++];
    memset(o, 0, sizeof *o);
    return o;
}

/* A record that has the right form: whose it is, and its scores. */
static void take_record(struct taking *t, const struct outcome_body *b)
{
    struct decision_facts f = {0};
    json_t *scores = json_read(b->scores, strlen(b->scores), NULL), *value;
    const char *name;
    size_t len = strlen(b->decision_id), n = json_object_size(scores);
    enum decision_verdict v =
        decision_id_read(t->call->api->selection->keys, b->decision_id, len, &f);
    const struct loop_state *state = loop_state(t->loop);
    uint64_t uid = f.served_uid;
    if (v == DECISION_GOOD && resolved_foreign(state->resolved, t->view, t->call->access, uid))
        v = DECISION_UNKNOWN;
    if (v == DECISION_GOOD && b->model_id)
        uid = shadow_uid(t, &f, b->model_id);
    if (v == DECISION_FORGED) {
        t->forged += n;
    } else if (v == DECISION_UNKNOWN || uid == 0) {
        t->unknown += n;
        t->mismatched += v == DECISION_GOOD ? n : 0;
    } else {
        json_object_foreach(scores, name, value) {
            struct outcome *o = next_place(t);
            memcpy(o->decision_id, b->decision_id, len + 1);
            memcpy(o->name, name, strlen(name) + 1);
            o->decision = f;
            o->model_uid = uid;
            o->shadow = b->model_id != NULL;
            o->value = json_number_value(value);
            o->at_ms = b->at ? b->at : loop_wall_ms(t->loop);
        }
    }
    json_decref(scores);
}

static bool record(struct taking *t, const json_t *item, const char *pointer)
{
    struct outcome_body b = {.decision_id = NULL};
    if (++t->items > ITEMS_MAX)
        return fault_add(&t->faults, &ERR_INVALID, "", "must have at most %d outcomes", ITEMS_MAX);
    if (!json_is_object(item))
        return fault_add(&t->faults, &ERR_INVALID, pointer, "must be an object");
    if (fields_decode(OUTCOME_FIELDS, item, pointer, DECODE_CREATE, &b, t->call->arena, NULL,
                      &t->faults))
        take_record(t, &b);
    return true;
}

static void read_lines(struct taking *t, const char *text, size_t len)
{
    const char *end = text + len;
    bool more = true;
    for (size_t line = 0; more && text < end; line++) {
        char pointer[32];
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t size = (size_t)((stop ? stop : end) - text);
        struct err e = {0};
        snprintf(pointer, sizeof pointer, "/%zu", line);
        json_t *item = size > strspn(text, " \t\r") ? json_read(text, size, &e) : NULL;
        if (item)
            more = record(t, item, pointer);
        else if (e.kind)
            fault_add(&t->faults, e.kind, pointer, "%s", e.detail);
        json_decref(item);
        text += size + 1;
    }
}

static void read_json(struct taking *t, const json_t *body)
{
    const json_t *item;
    size_t i;
    bool more = true;
    if (!json_is_array(body)) {
        record(t, body, "");
        return;
    }
    json_array_foreach(body, i, item)
        if (more)
            more = record(t, item, arena_printf(t->call->arena, "/%zu", i));
}

static bool read_body(struct taking *t, struct err *e)
{
    size_t len;
    const char *text = request_body(t->rq, &len);
    bool lines = strcmp(request_media_type(t->rq), "application/x-ndjson") == 0;
    json_t *body = lines ? NULL : json_read(text, len, e);
    if (!lines && !body)
        return false;
    faults_init(&t->faults, t->call->arena);
    t->view = view_enter(t->call->reader);
    if (lines)
        read_lines(t, text, len);
    else
        read_json(t, body);
    view_leave(t->call->reader);
    json_decref(body);
    return t->faults.total == 0 || faults_fail(&t->faults, e);
}

void outcomes_post(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct taking *t = mem_zero(1, sizeof *t);
    t->rq = rq;
    t->loop = request_loop(rq);
    t->call = &c;
    bool ok = read_body(t, &e);
    if (ok)
        outcomes_refused(c.api->outcomes, t->unknown - t->mismatched, t->forged, t->mismatched);
    if (ok && t->n == 0) {
        answer(t);
        return;
    }
    t->write.list = t->list;
    t->write.n = t->n;
    t->write.done = done;
    if (ok) {
        request_defer(rq);
        if (outcomes_append(c.api->outcomes, &t->write, &e))
            return;
    }
    request_fail(rq, &e);
    taking_free(t);
}
