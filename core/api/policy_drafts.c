/* Drafts of Lua policies, tried without being installed. */
#include "api/body.h"
#include "extend/context.h"
#include "api/handlers.h"
#include "api/policy_fields.h"
#include "api/work.h"
#include "base/json.h"
#include "extend/lua_sandbox.h"
#include "extend/policy_trial.h"
#include "extend/severity.h"

#include <stdlib.h>
#include <string.h>

#define TRACE_MAX (64 * 1024)

/* "rollout/draft.lua:7: ..." names line 7. */
static int line_of(const char *detail)
{
    const char *at = strstr(detail, ".lua:");
    return at ? (int)strtol(at + 5, NULL, 10) : 0;
}

static void put_failure(struct bytes *b, const char *key, const char *detail)
{
    json_kv_string(b, key, detail);
    json_key(b, "line");
    int line = line_of(detail);
    if (line > 0)
        bytes_int(b, line);
    else
        bytes_text(b, "null");
}

/* The members of `input` for a rollout: context, params, variants, at. */
struct rollout_input {
    const json_t *context, *params;
    const char *variants[ARMS_MAX + 1];
    int64_t at;
};

static bool read_variants(const json_t *list, struct rollout_input *in, struct faults *f)
{
    const json_t *item;
    size_t i;
    if (!json_is_array(list) || json_array_size(list) == 0 || json_array_size(list) > ARMS_MAX)
        return fault_add(f, &ERR_INVALID, "/input/variants", "must be a list of 1 to %d names",
                         ARMS_MAX);
    json_array_foreach((json_t *)list, i, item) {
        if (!json_is_string(item))
            return fault_add(f, &ERR_INVALID, "/input/variants", "must be a list of names");
        in->variants[i] = json_string_value(item);
    }
    return true;
}

static bool read_at(const json_t *value, struct rollout_input *in, struct faults *f)
{
    if (json_is_integer(value)) {
        in->at = json_integer_value(value);
        return true;
    }
    const char *text = json_string_value(value);
    return (text && time_parse(text, strlen(text), &in->at)) ||
           fault_add(f, &ERR_INVALID, "/input/at", "must be a time");
}

static void read_input(const json_t *input, struct rollout_input *in, struct faults *f)
{
    const char *key;
    json_t *value;
    char pointer[300];
    json_object_foreach((json_t *)input, key, value) {
        pointer_join(pointer, sizeof pointer, "/input", key);
        if (strcmp(key, "context") == 0)
            in->context = context_check(value, pointer, f) ? value : NULL;
        else if (strcmp(key, "params") == 0 && !json_is_object(value))
            fault_add(f, &ERR_INVALID, pointer, "must be an object");
        else if (strcmp(key, "params") == 0)
            in->params = value;
        else if (strcmp(key, "variants") == 0)
            (void)read_variants(value, in, f);
        else if (strcmp(key, "at") == 0)
            (void)read_at(value, in, f);
        else
            fault_add(f, &ERR_UNKNOWN_FIELD, pointer, "is none of context, params, variants, at");
    }
}

static void put_decision(struct bytes *b, struct policy_trial *t, const json_t *context,
                         const struct policy_env *env)
{
    struct policy_decision d;
    struct err e = {0};
    if (!policy_decide(t->policy, t->flag, context, env, &d, &e)) {
        json_kv_raw(b, "result", NULL);
        put_failure(b, "error", e.detail);
        return;
    }
    json_key(b, "result");
    bytes_char(b, '{');
    json_kv_string(b, "variant", t->variants[d.variant]);
    json_kv_string(b, "reason", policy_reason_name(d.reason));
    json_kv_string(b, "note", *d.note ? d.note : NULL);
    json_kv_int(b, "steps", policy_steps(t->policy));
    bytes_text(b, ",\"trace\":[");
    bytes_add(b, env->trace->data ? env->trace->data : "", env->trace->len);
    bytes_text(b, "]}");
    json_kv_raw(b, "error", NULL);
}

static bool try_rollout(struct work *w, struct policy *p, const json_t *input)
{
    struct faults faults;
    struct rollout_input in = {.at = clock_wall_ms(w->api->clock)};
    struct policy_trial *t = arena_zero(w->arena, sizeof *t);
    struct bytes trace = BYTES_INIT(TRACE_MAX);
    faults_init(&faults, w->arena);
    read_input(input, &in, &faults);
    if (faults.total)
        return faults_fail(&faults, &w->err);
    const struct trial_setup setup = {.params = in.params,
                                      .variants = in.variants[0] ? in.variants : NULL};
    if (!policy_trial_open(t, p, &setup, w->arena, &w->err))
        return false;
    json_t *none = in.context ? NULL : json_object();
    const struct policy_env env = {.now_ms = in.at, .trace = &trace};
    put_decision(&w->out, t, in.context ? in.context : none, &env);
    json_decref(none);
    bytes_release(&trace);
    return true;
}

static bool try_severity(struct work *w, struct policy *p, const json_t *input)
{
    struct severity_grade grade;
    struct err e = {0};
    if (!severity_grade_json(p, input, clock_wall_ms(w->api->clock), &grade, &e)) {
        json_kv_raw(&w->out, "result", NULL);
        put_failure(&w->out, "error", e.detail);
        return true;
    }
    json_key(&w->out, "result");
    bytes_char(&w->out, '{');
    json_kv_string(&w->out, "level", severity_name(grade.level));
    json_kv_string(&w->out, "reason", grade.reason);
    bytes_char(&w->out, '}');
    json_kv_raw(&w->out, "error", NULL);
    return true;
}

static bool try_draft(struct work *w, struct policy *p, const struct policy_draft *draft)
{
    if (!draft->input) {
        json_kv_raw(&w->out, "result", NULL);
        json_kv_raw(&w->out, "error", NULL);
        return true;
    }
    json_t *input = json_read(draft->input, strlen(draft->input), &w->err);
    bool good = input && (policy_kind(p) == POLICY_ROLLOUT ? try_rollout(w, p, input)
                                                           : try_severity(w, p, input));
    json_decref(input);
    return good;
}

/* [reader]: compiling and running may take some milliseconds */
static bool check_draft(struct work *w)
{
    const struct policy_draft *draft = w->args;
    struct err e = {0};
    enum policy_kind kind = POLICY_ROLLOUT;
    bool known = policy_kind_parse(draft->kind, &kind);
    struct policy *p =
        known ? policy_load(kind, "draft", draft->source, strlen(draft->source), &e) : NULL;
    bytes_char(&w->out, '{');
    json_kv_bool(&w->out, "valid", p != NULL);
    json_kv_string(&w->out, "summary", p ? policy_summary(p) : NULL);
    json_key(&w->out, "params");
    if (p)
        json_put_value(&w->out, policy_params(p));
    else
        bytes_text(&w->out, "[]");
    bool good = true;
    if (p) {
        good = try_draft(w, p, draft);
    } else {
        json_kv_raw(&w->out, "result", NULL);
        put_failure(&w->out, "error", e.detail);
    }
    bytes_char(&w->out, '}');
    policy_free(p);
    return good;
}

void policy_check(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct policy_draft *draft = arena_zero(c.arena, sizeof *draft);
    if (call_body(&c, POLICY_DRAFT_FIELDS, draft, &e))
        work_answer(&c, true, check_draft, draft);
    else
        request_fail(rq, &e);
}
