/* Asking a flag. Their documents are served by documents.c. */
#include "api/body.h"
#include "extend/context.h"
#include "api/flag_fields.h"
#include "api/handlers.h"
#include "api/loop_state.h"
#include "base/json.h"
#include "http/loop.h"
#include "registry/errors.h"
#include "selection/flag_set.h"

#include <string.h>

#define TRACE_MAX  (64 * 1024)
#define ANSWER_MAX (2 << 20)

static void put_metadata(struct bytes *b, const struct flag_answer *a)
{
    json_key(b, "metadata");
    bytes_char(b, '{');
    json_kv_int(b, "flag_revision", a->revision);
    if (a->policy)
        json_kv_string(b, "policy", a->policy);
    if (a->note)
        json_kv_string(b, "note", a->note);
    if (a->reason == FLAG_ERROR)
        json_kv_bool(b, "policy_error", true);
    bytes_char(b, '}');
}

static void put_answer(struct bytes *b, const char *key, const struct flag_answer *a)
{
    json_kv_string(b, "key", key);
    json_kv_raw(b, "value", a->value);
    json_kv_string(b, "variant", a->variant);
    json_kv_string(b, "reason", flag_reason_name(a->reason));
    json_kv_string(b, "error_code",
                   a->reason == FLAG_NO_UNIT ? "TARGETING_KEY_MISSING"
                   : a->reason == FLAG_ERROR ? "POLICY_FAILED"
                                             : NULL);
    json_kv_string(b, "error", a->error);
    put_metadata(b, a);
}

static void evaluate(struct call *c, const struct evaluation *ev, const json_t *context)
{
    struct loop_state *s = loop_state(request_loop(c->rq));
    const char *key = request_param(c->rq, "key");
    struct bytes trace = BYTES_INIT(TRACE_MAX), out = BYTES_INIT(ANSWER_MAX);
    const struct view *v = view_enter(c->reader);
    const struct document *d = view_document(v, &FLAG_TYPE, c->ns, key);
    if (d) {
        const struct flag_question q = {.view = v,
                                        .ns = c->ns,
                                        .context = context,
                                        .at_ms = ev->at ? ev->at : clock_wall_ms(c->api->clock),
                                        .now_ms = clock_wall_ms(c->api->clock),
                                        .trace = ev->explain ? &trace : NULL};
        struct flag_answer a;
        flag_set_ask(s->flags, d, &q, &a);
        bytes_char(&out, '{');
        put_answer(&out, key, &a);
    }
    view_leave(c->reader);
    if (!d) {
        request_problem(c->rq, &FLAG_NOT_FOUND, "no flag '%.200s' in namespace '%s'", key, c->ns);
    } else {
        if (ev->explain) {
            bytes_text(&out, ",\"trace\":[");
            bytes_add(&out, trace.data ? trace.data : "", trace.len);
            bytes_char(&out, ']');
        }
        bytes_char(&out, '}');
        request_reply_json(c->rq, 200, &out);
    }
    bytes_release(&trace);
    bytes_release(&out);
}

/* The context that was sent, none being an empty one: a new reference; NULL and `e`. */
static json_t *context_of(struct call *c, const char *text, struct err *e)
{
    struct faults faults;
    json_t *context = text ? json_read(text, strlen(text), e) : json_object();
    faults_init(&faults, c->arena);
    if (!context || context_check(context, "/context", &faults))
        return context;
    (void)faults_fail(&faults, e);
    json_decref(context);
    return NULL;
}

void flag_evaluate(struct request *rq)
{
    struct call c;
    struct err e = {0};
    struct evaluation ev = {.context = NULL};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    json_t *context = NULL;
    if (call_body(&c, EVALUATION_FIELDS, &ev, &e))
        context = context_of(&c, ev.context, &e);
    if (context)
        evaluate(&c, &ev, context);
    else
        request_fail(rq, &e);
    json_decref(context);
}
