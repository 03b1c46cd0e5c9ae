#include "base/bytes.h"
#include "base/json.h"
#include "registry/decide.h"

#include <stdio.h>
#include <string.h>

bool gate_applies(enum model_status from, enum model_status to)
{
    return to == STATUS_CANARY || (to == STATUS_STABLE && from != STATUS_DEPRECATED);
}

/* --- no evidence --- */

static void put_condition(struct bytes *b, const char *prefix, const char *name, const char *status,
                          const char *detail)
{
    char full[300];
    snprintf(full, sizeof full, "%s%.250s", prefix, name);
    bytes_text(b, b->len > 1 ? ",{" : "{");
    json_kv_string(b, "name", full);
    json_kv_string(b, "status", status);
    json_kv_string(b, "run_id", NULL);
    json_kv_string(b, "detail", detail);
    bytes_char(b, '}');
}

static bool nothing_known(void *self, const struct gate_question *q, const struct gate_rule *rule,
                          struct arena *a, struct gate_verdict *out)
{
    (void)self, (void)q;
    struct bytes b = BYTES_INIT(65536);
    size_t i;
    json_t *type, *types = json_read(rule->require_types, strlen(rule->require_types), NULL);
    bytes_char(&b, '[');
    json_array_foreach(types, i, type)
        put_condition(&b, "test:", json_string_value(type), "missing",
                      "no run has tested the model");
    if (rule->require_experiment)
        put_condition(&b, "", "experiment", "missing", "no experiment has compared the model");
    bytes_char(&b, ']');
    bool pass = b.len == 2;
    json_decref(types);
    *out = (struct gate_verdict){arena_copy(a, b.data, b.len), "none", NULL};
    bytes_release(&b);
    return pass;
}

const struct gate_source GATE_NO_EVIDENCE = {nothing_known, NULL};

/* --- the rule that applies --- */

/* The name's types, and for stable those that configuration requires of everybody. */
static const char *required_types(const struct gate_rule *own, enum model_status to,
                                  const struct rules *rules, struct arena *a)
{
    static const char *const nothing[] = {NULL};
    const char *const *more =
        to == STATUS_STABLE && rules && rules->required_stable ? rules->required_stable : nothing;
    if (!*more)
        return own->require_types;
    json_t *types = json_read(own->require_types, strlen(own->require_types), NULL);
    struct bytes b = BYTES_INIT(65536);
    for (; *more; more++) {
        size_t i;
        json_t *type;
        bool there = false;
        json_array_foreach(types, i, type)
            there |= strcmp(json_string_value(type), *more) == 0;
        if (!there)
            json_array_append_new(types, json_string(*more));
    }
    json_put_value(&b, types);
    const char *text = arena_copy(a, b.data, b.len);
    json_decref(types);
    bytes_release(&b);
    return text;
}

static const char *rule_json(const struct gate_rule *rule, struct arena *a)
{
    struct bytes b = BYTES_INIT(70000);
    bytes_char(&b, '{');
    json_kv_raw(&b, "require_types", rule->require_types);
    if (rule->max_age_seconds == INT64_MIN)
        json_kv_raw(&b, "max_age_seconds", NULL);
    else
        json_kv_int(&b, "max_age_seconds", rule->max_age_seconds);
    json_kv_string(&b, "max_severity", rule->max_severity);
    json_kv_bool(&b, "require_experiment", rule->require_experiment);
    bytes_char(&b, '}');
    const char *text = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

struct gate_question question_of(const struct head *h, const struct model *m, enum model_status to)
{
    return (struct gate_question){h->view, h->rules, h->gate, m, to, false};
}

bool gate_judge(const struct gate_question *q, struct arena *a, struct gate_outcome *out,
                struct err *e)
{
    const struct model *m = q->model;
    const struct registered_model *r = view_registered_model(q->view, m->entity.ns, m->name);
    const struct gate_source *source =
        q->source && q->source->judge ? q->source : &GATE_NO_EVIDENCE;
    if (!r)
        return fail(e, &ERR_CORRUPT, "model '%.200s' has no registered model", m->entity.id);
    struct gate_rule rule = q->to == STATUS_CANARY ? r->gate_canary : r->gate_stable;
    rule.require_types = required_types(&rule, q->to, q->rules, a);
    *out = (struct gate_outcome){.rule = rule_json(&rule, a)};
    out->allowed = source->judge(source->self, q, &rule, a, &out->verdict);
    return true;
}

/* --- what it says --- */

const char *gate_json(struct arena *a, bool allowed, const char *evidence, const char *conditions)
{
    return arena_printf(a, "{\"allowed\":%s,\"evidence\":\"%s\",\"conditions\":%s}",
                        allowed ? "true" : "false", evidence, conditions);
}

const char *gate_evidence(struct arena *a, const struct model *m, const char *to,
                          const struct gate_outcome *g, bool forced)
{
    struct bytes b = BYTES_INIT(1 << 20);
    bytes_char(&b, '{');
    json_kv_string(&b, "to", to);
    json_kv_bool(&b, "allowed", g->allowed);
    json_kv_string(&b, "evidence", forced ? "forced" : g->verdict.evidence);
    json_kv_raw(&b, "conditions", g->verdict.conditions);
    json_kv_raw(&b, "rule", g->rule);
    json_kv_string(&b, "run_id", g->verdict.run_id);
    json_kv_raw(&b, "experiment", NULL);
    json_kv_string(&b, "source_digest", m->source_digest);
    bytes_char(&b, '}');
    const char *text = arena_copy(a, b.data, b.len);
    bytes_release(&b);
    return text;
}

bool gate_refuses(struct arena *a, const struct model *m, const char *to,
                  const struct gate_outcome *g, struct err *e)
{
    const char *gate = gate_json(a, false, g->verdict.evidence, g->verdict.conditions);
    if (g->verdict.run_id) {
        fail(e, &VALIDATION_PENDING, "run '%.128s' gathers the evidence that '%.200s' needs",
             g->verdict.run_id, m->entity.id);
        if (e)
            e->members = arena_printf(a, "\"run_id\":\"%s\",\"gate\":%s", g->verdict.run_id, gate);
        return false;
    }
    fail(e, &PROMOTION_BLOCKED, "the gate of '%.128s' does not let '%.200s' become %s", m->name,
         m->entity.id, to);
    if (e)
        e->members = arena_printf(a, "\"gate\":%s", gate);
    return false;
}

bool held_refuses(const struct model *m, struct err *e)
{
    return fail(e, &MODEL_HELD, "'%.200s' is held; lift the hold first", m->entity.id);
}

/* The source's conditions after those that the registry itself makes. */
static const char *joined(struct arena *a, struct bytes *own, const char *conditions)
{
    size_t len = strlen(conditions); /* "[...]" */
    if (len > 2) {
        if (own->len > 1)
            bytes_char(own, ',');
        bytes_add(own, conditions + 1, len - 2);
    }
    bytes_char(own, ']');
    return arena_copy(a, own->data, own->len);
}

bool gate_resource(const struct gate_question *q, bool force, struct arena *a, const char **json,
                   bool *allowed, struct err *e)
{
    const struct model *m = q->model;
    struct gate_outcome g = GATE_OPEN;
    bool moves = m->status != q->to;
    bool gated = moves && gate_applies(m->status, q->to);
    bool legal = !moves || status_may(m->status, q->to);
    bool held = moves && m->held && (q->to == STATUS_CANARY || q->to == STATUS_STABLE);
    struct bytes own = BYTES_INIT(1 << 20);
    if (gated && !gate_judge(q, a, &g, e))
        return false;
    bytes_char(&own, '[');
    if (!legal)
        put_condition(&own, "", "lifecycle", "fail",
                      "no transition leads there from the model's status");
    if (held)
        put_condition(&own, "", "hold", "fail", "the model is held; force does not pass a hold");
    *allowed = legal && !held && (g.allowed || force);
    *json = gate_json(a, *allowed, gated && force ? "forced" : g.verdict.evidence,
                      joined(a, &own, g.verdict.conditions));
    bytes_release(&own);
    return true;
}
