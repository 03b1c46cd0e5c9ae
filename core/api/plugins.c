#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "api/work.h"
#include "base/json.h"
#include "extend/catalog.h"
#include "selection/strategies.h"
#include "selection/strategy_log.h"

/* How the routes of a strategy do; null for others. */
static void put_routes(struct api *api, const struct plugin *p, struct bytes *out)
{
    struct strategy_summary sum;
    if (p->kind != PLUGIN_STRATEGY || p->why) {
        json_kv_raw(out, "routes", NULL);
        return;
    }
    strategies_summary(api->strategies, p->id, &sum);
    json_key(out, "routes");
    bytes_char(out, '{');
    for (int i = 0; i <= STRATEGY_SILENT; i++)
        json_kv_int(out, STRATEGY_FRESHNESS_NAMES[i], (int64_t)sum.routes[i]);
    json_kv_string(out, "error", *sum.error ? sum.error : NULL);
    json_kv_int(out, "outcomes_lost", (int64_t)strategy_log_lost(api->strategy_log));
    bytes_char(out, '}');
}

static void put_plugin(struct api *api, const struct plugin *p, struct bytes *out)
{
    uint64_t calls, failures;
    plugin_uses(p, &calls, &failures);
    bytes_char(out, '{');
    json_kv_string(out, "kind", plugin_kind_name(p->kind));
    json_kv_string(out, "id", p->id);
    json_kv_string(out, "version", p->version);
    json_kv_string(out, "summary", p->summary);
    json_kv_raw(out, "config_schema", p->schema);
    json_kv_string(out, "file", p->file);
    json_kv_string(out, "sha256", p->sha256);
    json_kv_bool(out, "bundled", p->bundled);
    json_kv_string(out, "state", p->why ? "out" : "loaded");
    json_kv_string(out, "why", p->why);
    json_kv_int(out, "calls", (int64_t)calls);
    json_kv_int(out, "failures", (int64_t)failures);
    put_routes(api, p, out);
    bytes_char(out, '}');
}

/* By kind, id and file, or id first; what is out has perhaps no id. */
static const char *key_of(struct arena *a, const struct plugin *p, bool by_id)
{
    const char *kind = plugin_kind_name(p->kind), *id = p->id ? p->id : "";
    kind = kind ? kind : "";
    return arena_printf(a, "%s\t%s\t%s", by_id ? id : kind, by_id ? kind : id, p->file);
}

static void put_item(struct bytes *out, const void *plugin, void *ctx)
{
    struct bytes item = BYTES_INIT(4 * CATALOG_DESCRIPTION);
    put_plugin(ctx, plugin, &item);
    items_add(out, item.data, item.len);
    bytes_release(&item);
}

static bool list_all(struct work *w)
{
    const struct plugin_set *set = catalog_take(w->api->plugins);
    struct items_page page = *(const struct items_page *)w->args;
    struct items_heap heap = {0};
    bool by_id = items_page_by(&page, "id");
    for (size_t i = 0; i < set->n; i++)
        items_note(&heap, w->arena, key_of(w->arena, set->plugins[i], by_id), set->plugins[i]);
    items_begin(&w->out);
    items_give(&heap, &page, &w->out, put_item, w->api);
    items_page_end(&w->out, &page, w->arena);
    catalog_give(w->api->plugins, set);
    return true;
}

/* [reader] It starts a process for each file that is new. */
static bool reload(struct work *w)
{
    catalog_reload(w->api->plugins);
    return list_all(w);
}

static void answer(struct request *rq, bool (*run)(struct work *w))
{
    struct call c;
    struct err e;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    struct items_page *page = arena_zero(c.arena, sizeof *page);
    if (items_page_open(page, &c.q, "plugins", "kind", c.arena, &e))
        work_answer(&c, true, run, page);
    else
        request_fail(rq, &e);
}

void plugins_list(struct request *rq)
{
    answer(rq, list_all);
}

void plugins_reload(struct request *rq)
{
    answer(rq, reload);
}
