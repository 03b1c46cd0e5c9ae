/* A flag as it would be, beside the flag as it is. */
#include "api/body.h"
#include "extend/context.h"
#include "api/flag_fields.h"
#include "api/handlers.h"
#include "api/work.h"
#include "base/json.h"
#include "selection/flag_trial.h"

#include <stdio.h>
#include <string.h>

struct asked {
    const char *key;
    struct simulation body;
};

static void put_count(struct bytes *b, const struct flag_trial_count *n)
{
    double asked = n->asked ? (double)n->asked : 1;
    bytes_char(b, '{');
    json_kv_int(b, "asked", (int64_t)n->asked);
    json_kv_bool(b, "complete", n->complete);
    json_kv_int(b, "moved", (int64_t)n->moved);
    json_kv_number(b, "moved_ratio", (double)n->moved / asked);
    json_key(b, "variants");
    bytes_char(b, '[');
    for (size_t i = 0; i < n->variants; i++) {
        bytes_text(b, i ? ",{" : "{");
        json_kv_string(b, "variant", n->list[i].name);
        json_kv_number(b, "today_ratio", (double)n->list[i].today / asked);
        json_kv_number(b, "draft_ratio", (double)n->list[i].draft / asked);
        json_kv_int(b, "today", (int64_t)n->list[i].today);
        json_kv_int(b, "draft", (int64_t)n->list[i].draft);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
    json_kv_int(b, "errors", (int64_t)n->errors);
    json_kv_int(b, "unit_missing", (int64_t)n->unit_missing);
    json_kv_string(b, "first_error", *n->first_error ? n->first_error : NULL);
    json_kv_number(b, "us_per_call", n->us_per_call);
    bytes_char(b, '}');
}

static bool contexts_good(const json_t *contexts, struct work *w)
{
    const json_t *item;
    size_t i;
    char pointer[40];
    struct faults f;
    faults_init(&f, w->arena);
    if (!json_is_array(contexts) || json_array_size(contexts) > TRIAL_CONTEXTS_MAX)
        fault_add(&f, &ERR_INVALID, "/contexts", "must be a list of at most %d objects",
                  TRIAL_CONTEXTS_MAX);
    json_array_foreach((json_t *)contexts, i, item) {
        snprintf(pointer, sizeof pointer, "/contexts/%zu", i);
        (void)context_check(item, pointer, &f);
    }
    return f.total == 0 || faults_fail(&f, &w->err);
}

/* [reader] */
static bool simulate(struct work *w)
{
    const struct asked *asked = w->args;
    const struct simulation *s = &asked->body;
    struct flag_trial_count *count = arena_zero(w->arena, sizeof *count);
    json_t *contexts = json_read(s->contexts, strlen(s->contexts), &w->err);
    json_t *draft = s->draft ? json_read(s->draft, strlen(s->draft), &w->err) : NULL;
    const struct flag_trial_plan plan = {.reader = w->reader,
                                         .catalog = w->api->policies,
                                         .rules = w->api->rules,
                                         .clock = w->api->clock,
                                         .ns = w->ns,
                                         .key = asked->key,
                                         .draft = draft,
                                         .source = s->draft_policy_source,
                                         .contexts = contexts,
                                         .population = (uint64_t)s->population,
                                         .at_ms = s->at ? s->at : clock_wall_ms(w->api->clock)};
    bool good = !w->err.kind && contexts_good(contexts, w) &&
                flag_trial_run(&plan, w->arena, count, &w->err);
    if (good)
        put_count(&w->out, count);
    json_decref(contexts);
    json_decref(draft);
    return good;
}

void flag_simulate(struct request *rq)
{
    struct call c;
    struct err e = {0};
    if (!call_begin(rq, ONE_NAMESPACE, &c))
        return;
    struct asked *asked = arena_zero(c.arena, sizeof *asked);
    asked->key = request_param(rq, "key");
    asked->body = (struct simulation){.contexts = "[]", .population = -1};
    if (!call_body(&c, SIMULATION_FIELDS, &asked->body, &e)) {
        request_fail(rq, &e);
        return;
    }
    if (asked->body.population < 0)
        asked->body.population = strcmp(asked->body.contexts, "[]") == 0 ? 100000 : 0;
    work_answer(&c, true, simulate, asked);
}
