/* OFREP, OpenFeature's remote evaluation protocol 0.3: one flag. Its errors have its own shape.
 * What its published clients do is in the notes of tests/api/ofrep.http. */
#include "api/access.h"
#include "api/call.h"
#include "extend/context.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "api/ofrep_impl.h"
#include "base/json.h"
#include "selection/flag_set.h"
#include "selection/selector.h"

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

void ofrep_refuse(struct request *rq, int status, const char *key, const char *code,
                  const char *detail)
{
    struct bytes b = BYTES_INIT(1 << 16);
    put_refusal(&b, key, code, detail);
    request_reply(rq, status, OFREP_TYPE, b.data, b.len);
    bytes_release(&b);
}

static void put_general(struct bytes *b, const struct request *rq, const struct err *e)
{
    put_refusal(b, request_param(rq, "key"), "GENERAL", e->detail[0] ? e->detail : e->kind->title);
}

const struct failure_shape OFREP_FAILURE = {"OfrepFailure", "/ofrep/v1/", put_general};

/* Other members are let pass: later versions of the protocol may have them. */
json_t *ofrep_context(struct request *rq, const char *key)
{
    size_t len;
    const char *text = request_body(rq, &len);
    struct err e = {0};
    json_t *body = len ? json_read(text, len, &e) : json_object();
    if (!body) {
        ofrep_refuse(rq, 400, key, "PARSE_ERROR", e.detail);
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
    ofrep_refuse(rq, 400, key, "INVALID_CONTEXT", wrong);
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

void ofrep_put_success(struct bytes *b, const char *key, const struct flag_answer *a)
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

void ofrep_put_no_unit(struct bytes *b, const char *key, const struct flag_answer *a)
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
    json_t *context = ofrep_context(rq, key);
    if (!context)
        return;
    struct loop_state *s = loop_state(request_loop(rq));
    struct bytes b = BYTES_INIT(OFREP_ANSWER_MAX);
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
            ofrep_put_no_unit(&b, key, &a);
        } else {
            struct selection_answer serves;
            ofrep_put_success(&b, key, &a);
            if (ofrep_model(&c, &q, key, &serves))
                ofrep_put_decision(&b, &c, &serves);
            bytes_char(&b, '}');
        }
        bytes_char(&b, '}');
    }
    view_leave(c.reader);
    if (d)
        request_reply(rq, a.reason == FLAG_NO_UNIT ? 400 : 200, OFREP_TYPE, b.data, b.len);
    else
        ofrep_refuse(rq, 404, key, "FLAG_NOT_FOUND", "there is no flag of this key");
    bytes_release(&b);
    json_decref(context);
}
