/* What came of decisions: scores of one, a list of them, or NDJSON. The decision's id says whose
 * they are; looked up are whether that is the sender's business, and a shadow that is named.
 * Reading one takes about 4 us, and a body may have thousands: those that are more than a few are
 * read on a reader's thread, for whoever asks this loop for a model would wait for them. */
#include "selection/outcomes.h"

#include "api/call.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/named.h"
#include "api/outcome_fields.h"
#include "base/grow.h"
#include "base/json.h"
#include "base/mem.h"
#include "http/loop.h"
#include "registry/route.h"
#include "selection/selector.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_MAX   10000
#define ON_LOOP_MAX 4096               /* bytes of a body that is read on its loop */
#define ARENA_MAX   ((size_t)64 << 20) /* of one that is not */

struct taking {
    struct outcomes_write write; /* first: readers, the writer and the loop know it by its mail */
    struct request *rq;          /* [loop] only */
    struct loop *loop;
    struct api *api;
    const struct access *access; /* the request's, or `kept` */
    struct access *kept;
    struct arena *arena; /* the request's, or `own` */
    struct arena *own;   /* NULL: it is read on its loop */
    const char *text;    /* the body */
    size_t len;
    bool lines; /* it is NDJSON */
    int64_t now_ms;
    const struct view *view; /* while it is read */
    struct outcome *list;
    size_t n, room;
    size_t *shadows; /* where in `list` the scores of a shadow begin, for each record */
    size_t n_shadows, shadows_room;
    size_t items;
    uint64_t unknown, forged;
    uint64_t mismatched; /* of the unknown: a model that the decision did not name */
    struct faults faults;
};

static void taking_free(struct taking *t)
{
    arena_free(t->own);
    free(t->kept);
    free(t->shadows);
    free(t->list);
    free(t);
}

/* ---- answering ---- */

/* That something came back of these shadows; the loop counts that. */
static void report_shadows(const struct taking *t)
{
    const struct loop_state *s = loop_state(t->loop);
    if (t->n_shadows == 0)
        return;
    struct named n = {.view = view_enter(s->reader), .ns = t->access->ns};
    for (size_t i = 0; i < t->n_shadows; i++) {
        const struct outcome *o = &t->list[t->shadows[i]];
        if (named_shadow(&n, &o->decision, o->model_uid))
            named_report(&n, s->selections);
    }
    view_leave(s->reader);
}

static void put_counts(const struct taking *t, struct bytes *b)
{
    bytes_char(b, '{');
    json_kv_int(b, "accepted", (int64_t)t->write.accepted);
    json_kv_int(b, "duplicate", (int64_t)t->write.duplicate);
    json_kv_int(b, "late", (int64_t)t->write.late);
    json_kv_int(b, "unknown", (int64_t)t->unknown);
    json_kv_int(b, "forged", (int64_t)t->forged);
    bytes_char(b, '}');
}

/* [loop] */
static void answer(struct taking *t)
{
    struct bytes b = BYTES_INIT(4096);
    if (t->write.ok) {
        report_shadows(t);
        put_counts(t, &b);
        request_reply_json(t->rq, 202, &b);
    } else {
        request_fail(t->rq, &t->write.err);
    }
    taking_free(t);
}

/* [loop] */
static void answered(struct mail *mail)
{
    answer((struct taking *)(void *)mail);
}

static void send_answer(struct taking *t)
{
    t->write.mail.run = answered;
    loop_post_answer(t->loop, &t->write.mail);
}

/* [writer] */
static void done(struct outcomes_write *w)
{
    send_answer((struct taking *)(void *)w);
}

/* ---- reading ---- */

/* The shadow of this name that the decision had named: its uid, or 0. */
static uint64_t shadow_uid(const struct taking *t, const struct decision_facts *f,
                           const char *model_id)
{
    struct named n = {.view = t->view, .ns = t->access->ns};
    const struct model *m = view_resolve(t->view, t->access->ns, model_id, NULL);
    return m && named_shadow(&n, f, m->entity.uid) ? m->entity.uid : 0;
}

static struct outcome *next_place(struct taking *t)
{
    GROW(t->list, t->n, t->room);
    struct outcome *o = &t->list[t->n++];
    memset(o, 0, sizeof *o);
    return o;
}

/* Is this model one of another namespace, or one that the sender may not do it to? A model that is
 * gone, or not here yet, is not. */
static bool is_foreign(const struct taking *t, uint64_t uid)
{
    const struct access *a = t->access;
    const struct entity *e = view_by_uid(t->view, ENTITY_MODEL, uid);
    return e && (strcmp(e->ns, a->ns) != 0 ||
                 !grants_allow(a->grants, a->ns, model_of(e)->name, a->actions));
}

/* A record that has the right form: whose it is, and its scores. */
static void take_record(struct taking *t, const struct outcome_body *b, json_t *scores)
{
    struct decision_facts f = {0};
    json_t *value;
    const char *name;
    size_t len = strlen(b->decision_id), n = json_object_size(scores);
    enum decision_verdict v = decision_id_read(t->api->selection->keys, b->decision_id, len, &f);
    uint64_t uid = f.served_uid;
    if (v == DECISION_GOOD && is_foreign(t, uid))
        v = DECISION_UNKNOWN;
    if (v == DECISION_GOOD && b->model_id)
        uid = shadow_uid(t, &f, b->model_id);
    if (v == DECISION_FORGED) {
        t->forged += n;
    } else if (v == DECISION_UNKNOWN || uid == 0) {
        t->unknown += n;
        t->mismatched += v == DECISION_GOOD ? n : 0;
    } else {
        if (b->model_id) {
            GROW(t->shadows, t->n_shadows, t->shadows_room);
            t->shadows[t->n_shadows++] = t->n;
        }
        json_object_foreach(scores, name, value) {
            struct outcome *o = next_place(t);
            memcpy(o->decision_id, b->decision_id, len + 1);
            memcpy(o->name, name, strlen(name) + 1);
            o->decision = f;
            o->model_uid = uid;
            o->shadow = b->model_id != NULL;
            o->value = json_number_value(value);
            o->at_ms = b->at ? b->at : t->now_ms;
        }
    }
}

static bool record(struct taking *t, const json_t *item, const char *pointer)
{
    struct outcome_body b = {.decision_id = NULL};
    if (++t->items > ITEMS_MAX)
        return fault_add(&t->faults, &ERR_INVALID, "", "must have at most %d outcomes", ITEMS_MAX);
    if (!json_is_object(item))
        return fault_add(&t->faults, &ERR_INVALID, pointer, "must be an object");
    if (fields_decode(OUTCOME_FIELDS, item, pointer, DECODE_CREATE, &b, t->arena, NULL, &t->faults))
        take_record(t, &b, json_object_get(item, "scores"));
    return true;
}

static void read_lines(struct taking *t)
{
    const char *text = t->text, *end = text + t->len;
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
            more = record(t, item, arena_printf(t->arena, "/%zu", i));
}

static bool read_body(struct taking *t, struct view_reader *reader, struct err *e)
{
    json_t *body = t->lines ? NULL : json_read(t->text, t->len, e);
    if (!t->lines && !body)
        return false;
    faults_init(&t->faults, t->arena);
    t->view = view_enter(reader);
    if (t->lines)
        read_lines(t);
    else
        read_json(t, body);
    view_leave(reader);
    json_decref(body);
    return t->faults.total == 0 || faults_fail(&t->faults, e);
}

/* Read it and pass it on to the writer. False: there is nothing to write, it can be answered. */
static bool take(struct taking *t, struct view_reader *reader)
{
    struct outcomes_write *w = &t->write;
    w->ok = read_body(t, reader, &w->err);
    if (!w->ok)
        return false;
    outcomes_refused(t->api->outcomes, t->unknown - t->mismatched, t->forged, t->mismatched);
    if (t->n == 0)
        return false;
    w->list = t->list;
    w->n = t->n;
    w->done = done;
    if (outcomes_append(t->api->outcomes, w, &w->err))
        return true; /* and is the writer's */
    w->ok = false;
    return false;
}

/* [reader] */
static void take_on_reader(struct mail *mail)
{
    struct taking *t = (struct taking *)(void *)mail;
    struct view_reader *reader = engine_join(t->api->engine);
    bool passed = false;
    if (reader) {
        passed = take(t, reader);
        engine_part(reader);
    } else {
        fail(&t->write.err, &ERR_BUSY, "too many threads read views");
    }
    if (!passed)
        send_answer(t);
}

/* A long body, unless too much waits for the readers: then whoever asks this loop has to. */
static bool leave_to_reader(struct taking *t)
{
    if (t->len <= ON_LOOP_MAX)
        return false;
    struct arena *arena = t->arena;
    const struct access *access = t->access;
    t->arena = t->own = arena_new(ARENA_MAX);
    t->access = t->kept = access_keep(access);
    t->write.mail.run = take_on_reader;
    if (pool_submit(t->api->readers, &t->write.mail))
        return true;
    arena_free(t->own);
    free(t->kept);
    t->own = NULL;
    t->kept = NULL;
    t->arena = arena;
    t->access = access;
    return false;
}

void outcomes_post(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct taking *t = mem_zero(1, sizeof *t);
    t->rq = rq;
    t->loop = request_loop(rq);
    t->api = c.api;
    t->access = c.access;
    t->arena = c.arena;
    t->text = request_body(rq, &t->len);
    t->lines = strcmp(request_media_type(rq), "application/x-ndjson") == 0;
    t->now_ms = loop_wall_ms(t->loop);
    request_defer(rq);
    if (!leave_to_reader(t) && !take(t, c.reader))
        answer(t);
}
