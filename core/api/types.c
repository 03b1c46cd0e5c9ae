#include "api/call.h"
#include "api/handlers.h"
#include "api/work.h"
#include "base/json.h"
#include "extend/catalog.h"
#include "registry/command.h"
#include "registry/model.h"

static const char *const SEVERITIES[] = {"none", "low", "medium", "high", NULL};

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
            policies_files(c->api->policies, (enum policy_kind)kind, c->arena);
        for (size_t i = 0; names[i]; i++, first = false) {
            if (!first)
                bytes_char(b, ',');
            json_put_string(b, arena_printf(c->arena, "%s/%s",
                                            policy_kind_name((enum policy_kind)kind), names[i]));
        }
    }
    bytes_char(b, ']');
}

/* The ids of the loaded plugins of a kind. */
static void put_ids(struct bytes *b, const char *key, const struct plugin_set *set,
                    enum plugin_kind kind)
{
    json_key(b, key);
    bytes_char(b, '[');
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (p->why || p->kind != kind)
            continue;
        if (b->data[b->len - 1] != '[')
            bytes_char(b, ',');
        json_put_string(b, p->id);
    }
    bytes_char(b, ']');
}

static void put_test_types(struct bytes *b, const struct plugin_set *set)
{
    json_key(b, "test_types");
    bytes_char(b, '[');
    for (size_t i = 0; i < set->n; i++) {
        const struct plugin *p = set->plugins[i];
        if (p->why || p->kind != PLUGIN_TEST)
            continue;
        bytes_text(b, b->data[b->len - 1] == '[' ? "{" : ",{");
        json_kv_string(b, "type", p->id);
        json_kv_string(b, "summary", p->summary);
        json_kv_string(b, "version", p->version);
        json_kv_raw(b, "config_schema", p->schema);
        bytes_char(b, '}');
    }
    bytes_char(b, ']');
}

static void put_plugins(struct bytes *b, struct catalog *plugins)
{
    const struct plugin_set *set = catalog_take(plugins);
    put_ids(b, "runtimes", set, PLUGIN_RUNTIME);
    put_test_types(b, set);
    put_ids(b, "strategies", set, PLUGIN_STRATEGY);
    catalog_give(plugins, set);
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
    put_plugins(&b, c.api->plugins);
    put_policies(&c, &b);
    bytes_char(&b, '}');
    request_reply_json(rq, 200, &b);
}
