/* OFREP, OpenFeature's remote evaluation protocol 0.3: one flag, or all of a namespace. Its errors
 * have its own shape. What its published clients do is in the notes of tests/api/ofrep.http. */
#include "api/access.h"
#include "api/call.h"
#include "api/context.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/ofrep_impl.h"
#include "base/hash.h"
#include "base/json.h"
#include "registry/grant.h"
#include "selection/flag_set.h"
#include "selection/selector.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (16 << 20)
#define JSON_TYPE  "application/json"

/* ---- errors ---- */

static void put_refusal(struct bytes *b, const char *key, const char *code, const char *detail)
{
    bytes_char(b, '{');
    if (key && *key)
        json_kv_string(b, "key", key);
    json_kv_string(b, "errorCode", code);
    json_kv_string(b, "errorDetails", detail);
    bytes_char(b, '}');
}

static void refuse(struct request *rq, int status, const char *key, const char *code,
                   const char *detail)
{
    struct bytes b = BYTES_INIT(1 << 16);
    put_refusal(&b, key, code, detail);
    request_reply(rq, status, JSON_TYPE, b.data, b.len);
    bytes_release(&b);
}

static void put_general(struct bytes *b, const struct request *rq, const struct err *e)
{
    put_refusal(b, request_param(rq, "key"), "GENERAL", e->detail[0] ? e->detail : e->kind->title);
}

const struct failure_shape OFREP_FAILURE = {"OfrepFailure", "/ofrep/v1/", put_general};

/* The context of the body, a new reference; NULL: answered. Other members are let pass: later
 * versions of the protocol may have them. */
static json_t *context_of(struct request *rq, const char *key)
{
    size_t len;
    const char *text = request_body(rq, &len);
    struct err e = {0};
    json_t *body = len ? json_read(text, len, &e) : json_object();
    if (!body) {
        refuse(rq, 400, key, "PARSE_ERROR", e.detail);
        return NULL;
    }
    json_t *context = json_is_object(body) ? json_object_get(body, "context") : NULL;
    bool none = json_is_object(body) && (!context || json_is_null(context));
    if (none)
        context = json_object();
    else
        json_incref(context);
    json_decref(body);
    const char *wrong = context_wrong(context);
    if (!wrong && !context_unit_good(context))
        wrong = "targetingKey must be a text or a whole number";
    if (!wrong)
        return context;
    json_decref(context);
    refuse(rq, 400, key, "INVALID_CONTEXT", wrong);
    return NULL;
}

/* ---- one flag's answer ---- */

static const char *reason_of(enum flag_reason reason)
{
    switch (reason) {
    case FLAG_KILLED: return "DISABLED";
    case FLAG_ERROR:
    case FLAG_NO_UNIT: return "DEFAULT";
    default: return flag_reason_name(reason);
    }
}

/* All but the end of the metadata. */
static void put_success(struct bytes *b, const char *key, const struct flag_answer *a)
{
    json_kv_string(b, "key", key);
    json_kv_raw(b, "value", a->value);
    json_kv_string(b, "variant", a->variant);
    json_kv_string(b, "reason", reason_of(a->reason));
    json_key(b, "metadata");
    bytes_char(b, '{');
    json_kv_int(b, "flag_revision", a->revision);
    if (a->policy)
        json_kv_string(b, "policy", a->policy);
    if (a->reason == FLAG_ERROR)
        json_kv_bool(b, "policy_error", true);
    if (a->reason == FLAG_KILLED)
        json_kv_bool(b, "killed", true);
}

static void put_no_unit(struct bytes *b, const char *key, const struct flag_answer *a)
{
    json_kv_string(b, "key", key);
    json_kv_string(b, "errorCode", "TARGETING_KEY_MISSING");
    json_kv_string(b, "errorDetails", a->error);
}

void ofrep_evaluate(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    const char *key = request_param(rq, "key");
    json_t *context = context_of(rq, key);
    if (!context)
        return;
    struct loop_state *s = loop_state(request_loop(rq));
    struct bytes b = BYTES_INIT(ANSWER_MAX);
    struct flag_answer a = {.variant = NULL};
    const struct view *v = view_enter(c.reader);
    const struct document *d = view_document(v, &FLAG_TYPE, c.ns, key);
    if (d) {
        const struct flag_question q = {.view = v,
                                        .ns = c.ns,
                                        .context = context,
                                        .context_id = flag_set_context_id(s->flags),
                                        .at_ms = clock_wall_ms(c.api->clock),
                                        .now_ms = clock_wall_ms(c.api->clock)};
        flag_set_ask(s->flags, d, &q, &a);
        bytes_char(&b, '{');
        if (a.reason == FLAG_NO_UNIT) {
            put_no_unit(&b, key, &a);
        } else {
            struct selection_answer serves;
            put_success(&b, key, &a);
            if (ofrep_model(&c, &q, key, &serves))
                ofrep_put_decision(&b, &c, &serves);
            bytes_char(&b, '}');
        }
        bytes_char(&b, '}');
    }
    view_leave(c.reader);
    if (d)
        request_reply(rq, a.reason == FLAG_NO_UNIT ? 400 : 200, JSON_TYPE, b.data, b.len);
    else
        refuse(rq, 404, key, "FLAG_NOT_FOUND", "there is no flag of this key");
    bytes_release(&b);
    json_decref(context);
}

/* ---- all flags ---- */

struct bulk {
    const struct call *call;
    struct flag_set *flags;
    struct flag_question q;
    struct bytes *out;
    uint64_t tag;
    bool timed, first;
    const struct grants *grants; /* of who asks; NULL: everything is allowed */
};

/* May who asks ask this flag? What he may not is left out, as if it were not there. */
static bool may_ask(const struct bulk *b, const struct entity *e)
{
    return !b->grants || grants_allow(b->grants, e->ns, e->id, ACTION_BIT(ACTION_SELECT));
}

static bool tag_entity(const struct entity *e, void *ctx)
{
    struct bulk *b = ctx;
    if (e->kind == ENTITY_FLAG && !may_ask(b, e))
        return true;
    const uint64_t what[2] = {e->uid, (uint64_t)e->revision};
    struct selection_answer serves;
    b->tag = hash64(what, sizeof what, b->tag);
    if (e->kind != ENTITY_FLAG)
        return true;
    b->timed = b->timed || flag_set_timed(b->flags, document_of(e));
    if (ofrep_model(b->call, &b->q, e->id, &serves))
        b->tag = hash64(&serves.served->entity.uid, sizeof(uint64_t), b->tag);
    return true;
}

/* What the answer depends on: the flags, segments and policies there are, the context, the models
 * behind flags that decide for routes, and for flags that read the clock the minute. And the hour:
 * a 304 must not outlive the ticket that its client has from the last answer in full. */
static void make_tag(struct bulk *b, uint64_t policies, const char *body, size_t len, char out[20])
{
    b->tag = hash64(b->q.ns, strlen(b->q.ns), policies);
    view_each_of(b->q.view, ENTITY_FLAG, b->q.ns, tag_entity, b);
    view_each_of(b->q.view, ENTITY_SEGMENT, b->q.ns, tag_entity, b);
    view_each_of(b->q.view, ENTITY_LAYER, b->q.ns, tag_entity, b);
    b->tag = hash64(body, len, b->tag);
    const int64_t hour = ofrep_ticket_hour(b->q.at_ms);
    b->tag = hash64(&hour, sizeof hour, b->tag);
    if (b->timed) {
        const int64_t minute = b->q.at_ms / OFREP_TIME_GRAIN;
        b->tag = hash64(&minute, sizeof minute, b->tag);
    }
    snprintf(out, 20, "\"%016" PRIx64 "\"", b->tag);
}

static bool evaluate_one(const struct entity *e, void *ctx)
{
    struct bulk *b = ctx;
    struct flag_answer a;
    if (!may_ask(b, e))
        return true;
    flag_set_ask(b->flags, document_of(e), &b->q, &a);
    bytes_text(b->out, b->first ? "{" : ",{");
    b->first = false;
    if (a.reason == FLAG_NO_UNIT) {
        put_no_unit(b->out, e->id, &a);
    } else {
        struct selection_answer serves;
        put_success(b->out, e->id, &a);
        if (ofrep_model(b->call, &b->q, e->id, &serves))
            ofrep_put_model(b->out, &serves);
        bytes_char(b->out, '}');
    }
    bytes_char(b->out, '}');
    return !b->out->full;
}

/* Weak or strong, alone or in a list, or `*`. */
static bool tag_matches(const char *header, const char *tag)
{
    return header && (strcmp(header, "*") == 0 || strstr(header, tag));
}

/* A client that was told of a change by another node is answered when this one has it. */
static bool is_behind(struct call *c)
{
    uint64_t seq;
    if (!ofrep_told_seq(c->q.flag_config_etag, &seq) || call_seq(c) >= seq)
        return false;
    waiting_add(loop_state(request_loop(c->rq)), c->rq, seq);
    return true;
}

void ofrep_bulk(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ONE_NAMESPACE, &c) || is_behind(&c))
        return;
    json_t *context = context_of(rq, NULL);
    if (!context)
        return;
    size_t len;
    char tag[20];
    const char *body = request_body(rq, &len), *known = request_header(rq, "If-None-Match");
    struct loop_state *s = loop_state(request_loop(rq));
    struct bytes out = BYTES_INIT(ANSWER_MAX);
    struct bulk b = {
        .call = &c, .flags = s->flags, .out = &out, .first = true, .grants = c.access->grants};
    b.q = (struct flag_question){.view = view_enter(c.reader),
                                 .ns = c.ns,
                                 .context = context,
                                 .context_id = flag_set_context_id(s->flags),
                                 .at_ms = clock_wall_ms(c.api->clock)};
    b.q.now_ms = b.q.at_ms;
    make_tag(&b, policies_generation(c.api->policies), body, len, tag);
    bool same = tag_matches(known, tag);
    if (!same) {
        bytes_text(&out, "{\"flags\":[");
        view_each_of(b.q.view, ENTITY_FLAG, c.ns, evaluate_one, &b);
        bytes_char(&out, ']');
        ofrep_put_streams(&out, &c, view_seq(b.q.view));
        bytes_char(&out, '}');
    }
    view_leave(c.reader);
    if (same || !out.full)
        request_add_header(rq, "ETag", tag);
    if (same)
        request_reply(rq, 304, NULL, "", 0);
    else if (out.full)
        refuse(rq, 413, NULL, "GENERAL",
               "the flags of this namespace are more than 16 MiB: ask for single ones");
    else
        request_reply(rq, 200, JSON_TYPE, out.data, out.len);
    bytes_release(&out);
    json_decref(context);
}
