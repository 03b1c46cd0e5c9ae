#include "api/call.h"
#include "api/handlers.h"
#include "api/work.h"
#include "base/json.h"
#include "registry/command.h"
#include "registry/model.h"

/* What the server knows by itself; plugins and policies will add to the lists that are empty. */
static const char *const RUNTIMES[] = {"openinference", "exec", "xgboost", NULL};
static const char *const SEVERITIES[] = {"none", "low", "medium", "high", NULL};
static const char *const NONE[] = {NULL};

static void put_texts(struct bytes *b, const char *key, const char *const *texts)
{
    json_key(b, key);
    bytes_char(b, '[');
    for (size_t i = 0; texts[i]; i++) {
        if (i)
            bytes_char(b, ',');
        json_put_string(b, texts[i]);
    }
    bytes_char(b, ']');
}

static void put_statuses(struct bytes *b)
{
    json_key(b, "statuses");
    bytes_char(b, '[');
    for (int from = 0; from < STATUS_COUNT; from++) {
        const char *to[STATUS_COUNT + 1] = {NULL};
        size_t n = 0;
        for (int s = 0; s < STATUS_COUNT; s++)
            if (status_may((enum model_status)from, (enum model_status)s))
                to[n++] = status_name((enum model_status)s);
        bytes_text(b, from ? ",{" : "{");
        json_kv_string(b, "status", status_name((enum model_status)from));
        put_texts(b, "transitions", to);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
}

/* "rollout/percentage" */
static void put_policies(struct call *c, struct bytes *b)
{
    bool first = true;
    json_key(b, "policies");
    bytes_char(b, '[');
    for (int kind = 0; kind < POLICY_KIND_COUNT; kind++) {
        const char *const *names =
            policies_names(c->api->policies, (enum policy_kind)kind, c->arena);
        for (size_t i = 0; names[i]; i++, first = false) {
            if (!first)
                bytes_char(b, ',');
            json_put_string(b, arena_printf(c->arena, "%s/%s",
                                            policy_kind_name((enum policy_kind)kind), names[i]));
        }
    }
    bytes_char(b, ']');
}

void types_get(struct request *rq)
{
    struct call c;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct bytes b = BYTES_INIT(REPLY_MAX);
    bytes_char(&b, '{');
    put_texts(&b, "model_types", c.api->rules->types);
    put_statuses(&b);
    put_texts(&b, "actions", JOURNAL_ACTIONS);
    put_texts(&b, "grant_actions", GRANT_ACTIONS);
    put_texts(&b, "roles", GRANT_ROLE_NAMES);
    put_texts(&b, "severities", SEVERITIES);
    put_texts(&b, "runtimes", RUNTIMES);
    put_texts(&b, "test_types", NONE);
    put_texts(&b, "strategies", NONE);
    put_policies(&c, &b);
    bytes_char(&b, '}');
    request_reply_json(rq, 200, &b);
}
