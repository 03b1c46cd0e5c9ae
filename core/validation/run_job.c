/* A run as it lies in a queue: what is to be done, and for whom; once it has been carried out, what
 * came of it. Members that a later version adds are ignored. */
#include "validation/inner.h"
#include "validation/plan_parts.h"

#include "base/json.h"
#include "base/log.h"

#include <string.h>

/* --- writing --- */

static void put_plugins(const struct plugin_set *set, enum plugin_kind kind, struct bytes *b)
{
    json_key(b, plugin_kind_name(kind));
    bytes_char(b, '{');
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (p->kind == kind && !p->why)
            json_kv_string(b, p->id, p->sha256);
    }
    bytes_char(b, '}');
}

const char *run_job_plugins(struct catalog *c, struct arena *a)
{
    struct bytes b = BYTES_INIT(1 << 20);
    const struct plugin_set *set = catalog_take(c);
    bytes_char(&b, '{');
    put_plugins(set, PLUGIN_TEST, &b);
    put_plugins(set, PLUGIN_RUNTIME, &b);
    bytes_char(&b, '}');
    catalog_give(c, set);
    const char *text = b.full ? NULL : arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

static void put_gates(const struct execution *x, struct bytes *b)
{
    bool first = true;
    json_key(b, "gates");
    bytes_char(b, '[');
    for (size_t i = 0; i < x->n; i++) {
        if (!x->tests[i].gate)
            continue;
        if (!first)
            bytes_char(b, ',');
        json_put_string(b, x->tests[i].result.test_id);
        first = false;
    }
    bytes_char(b, ']');
}

/* What the verdict needs beside the results, as it was when the tests were planned. */
static void put_outcome(const struct execution *x, struct bytes *b)
{
    json_key(b, "outcome");
    bytes_char(b, '{');
    json_kv_bool(b, "cancelled", x->cancelled);
    json_kv_bool(b, "gone", x->gone);
    json_kv_bool(b, "lost", x->lost);
    json_kv_bool(b, "covers_gate", x->covers_gate);
    json_kv_string(b, "tests_digest", x->tests_digest);
    json_kv_string(b, "name", x->name);
    json_kv_string(b, "version", x->version);
    json_kv_string(b, "status", x->status);
    json_kv_string(b, "labels", x->labels);
    json_kv_string(b, "policy", x->policy);
    json_kv_string(b, "base_model_id", x->base_model_id);
    json_kv_string(b, "base_run_id", x->base_run_id);
    json_kv_string(b, "base_name", x->base_name);
    json_kv_string(b, "base_version", x->base_version);
    json_kv_string(b, "base_status", x->base_status);
    json_kv_int(b, "base_uid", (int64_t)x->base_uid);
    put_gates(x, b);
    bytes_char(b, '}');
}

void run_job_write(const struct execution *x, enum job_state state, struct bytes *b)
{
    bytes_char(b, '{');
    json_kv_string(b, "namespace", x->ns);
    json_kv_int(b, "uid", (int64_t)x->uid);
    json_kv_int(b, "until", x->until);
    json_kv_raw(b, "types", x->types ? x->types : "[]");
    json_kv_raw(b, "test_ids", x->test_ids ? x->test_ids : "[]");
    json_kv_string(b, "baseline_model_id", x->baseline_model_id);
    if (x->owner) {
        json_kv_string(b, "owner", x->owner);
        json_kv_int(b, "seq", (int64_t)x->seq);
        json_kv_raw(b, "plugins", x->plugins_wanted);
    }
    if (state == JOB_BEGUN)
        json_kv_bool(b, "begun", true);
    if (state == JOB_CARRIED_OUT)
        put_outcome(x, b);
    json_key(b, "run");
    run_encode(&x->run, NULL, b);
    bytes_char(b, '}');
}

/* --- reading --- */

static const char *text_of(struct execution *x, const json_t *object, const char *key)
{
    return arena_text(x->arena, json_string_value(json_object_get(object, key)));
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_gate(const json_t *gates, const char *test_id)
{
    size_t i;
    const json_t *item;
    json_array_foreach((json_t *)(uintptr_t)gates, i, item)
        if (json_is_string(item) && strcmp(json_string_value(item), test_id) == 0)
            return true;
    return false;
}

static void take_tests(struct execution *x, const json_t *gates)
{
    x->n = x->done = x->run.results_len;
    x->tests = arena_zero(x->arena, (x->n + 1) * sizeof *x->tests);
    for (size_t i = 0; i < x->n; i++)
        x->tests[i] = (struct planned_test){.execution = x,
                                            .result = x->run.results[i],
                                            .gate = is_gate(gates, x->run.results[i].test_id),
                                            .over = true,
                                            .started = true};
}

static void read_outcome(struct execution *x, const json_t *o)
{
    x->returned = true;
    x->cancelled = json_is_true(json_object_get(o, "cancelled"));
    x->gone = json_is_true(json_object_get(o, "gone"));
    x->lost = json_is_true(json_object_get(o, "lost"));
    x->covers_gate = json_is_true(json_object_get(o, "covers_gate"));
    const char *digest = json_string_value(json_object_get(o, "tests_digest"));
    memcpy(x->tests_digest, or_empty(digest),
           strnlen(or_empty(digest), sizeof x->tests_digest - 1));
    x->name = or_empty(text_of(x, o, "name"));
    x->version = or_empty(text_of(x, o, "version"));
    x->status = or_empty(text_of(x, o, "status"));
    x->labels = text_of(x, o, "labels");
    x->labels = x->labels ? x->labels : "{}";
    x->policy = text_of(x, o, "policy");
    x->policy = x->policy ? x->policy : x->v->config.severity_policy;
    x->base_model_id = text_of(x, o, "base_model_id");
    x->base_run_id = text_of(x, o, "base_run_id");
    x->base_name = text_of(x, o, "base_name");
    x->base_version = text_of(x, o, "base_version");
    x->base_status = text_of(x, o, "base_status");
    x->base_uid = (uint64_t)json_integer_value(json_object_get(o, "base_uid"));
    take_tests(x, json_object_get(o, "gates"));
}

/* Compared by address elsewhere. */
static const char *status_known(const char *status)
{
    for (size_t i = 0; RUN_STATUSES[i]; i++)
        if (strcmp(RUN_STATUSES[i], status) == 0)
            return RUN_STATUSES[i];
    return status;
}

static bool read_run(struct execution *x, const json_t *job, struct err *e)
{
    const char *run = plan_json(x->arena, json_object_get(job, "run"));
    return run && run_decode(run, strlen(run), x->arena, &x->run, e);
}

static const char *list_of(struct execution *x, const json_t *job, const char *key)
{
    const json_t *list = json_object_get(job, key);
    const char *text = json_is_array(list) ? plan_json(x->arena, list) : NULL;
    return text ? text : "[]";
}

static void read_owner(struct execution *x, const json_t *job)
{
    const json_t *plugins = json_object_get(job, "plugins");
    x->owner = or_empty(text_of(x, job, "owner")); /* of a node alone it was the first's */
    x->seq = (uint64_t)json_integer_value(json_object_get(job, "seq"));
    if (json_is_object(plugins))
        x->plugins_wanted = plan_json(x->arena, plugins);
}

bool run_job_read(struct execution *x, const char *text, size_t len)
{
    struct err e = {0};
    json_t *job = json_read(text, len, &e);
    const char *ns = json_string_value(json_object_get(job, "namespace"));
    bool ok = ns && read_run(x, job, &e);
    if (ok) {
        const json_t *outcome = json_object_get(job, "outcome");
        x->ns = arena_text(x->arena, ns);
        x->uid = (uint64_t)json_integer_value(json_object_get(job, "uid"));
        x->until = json_integer_value(json_object_get(job, "until"));
        x->types = list_of(x, job, "types");
        x->test_ids = list_of(x, job, "test_ids");
        x->baseline_model_id = text_of(x, job, "baseline_model_id");
        x->run.status = status_known(x->run.status);
        x->begun = json_is_true(json_object_get(job, "begun"));
        if (x->v->shared)
            read_owner(x, job);
        if (json_is_object(outcome))
            read_outcome(x, outcome);
    } else {
        log_text(LOG_ERROR, "run_job_damaged", e.detail);
    }
    json_decref(job);
    return ok;
}
