#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "base/json.h"
#include "store/nodes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SMALL (64 << 10)

void config_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ANY_NAMESPACE, &c))
        request_reply(rq, 200, NULL, c.api->config_json, strlen(c.api->config_json));
}

/* This node, where it shares its store with nobody. */
static void report_this(struct call *c, struct node_report *out)
{
    *out = (struct node_report){.started_ms = c->api->started_ms,
                                .heartbeat_ms = clock_wall_ms(c->api->clock),
                                .seq = call_seq(c),
                                .epoch = store_epoch(c->api->store),
                                .alive = true,
                                .self = true,
                                .decides = true};
    gethostname(out->host, sizeof out->host - 1);
    snprintf(out->node_id, sizeof out->node_id, "%.63s", out->host);
    snprintf(out->version, sizeof out->version, "%s", c->api->version);
    const struct http_server *http = atomic_load(&c->api->http);
    if (http)
        http_place(http, out->address, sizeof out->address);
}

/* What it told: the runs that it carries out, and those that it left to others. */
static void put_doing(struct bytes *b, const char *told)
{
    static const char *const LISTS[] = {"running", "declined"};
    json_t *doing = *told ? json_read(told, strlen(told), NULL) : NULL;
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        const json_t *list = json_object_get(doing, LISTS[i]);
        json_key(b, LISTS[i]);
        if (json_is_array(list))
            json_put_value(b, list);
        else
            bytes_text(b, "[]");
    }
    json_decref(doing);
}

static void put_node(struct bytes *b, const void *of, void *ctx)
{
    const struct node_report *r = of;
    struct bytes text = BYTES_INIT(SMALL);
    (void)ctx;
    bytes_char(&text, '{');
    json_kv_string(&text, "node_id", r->node_id);
    json_kv_string(&text, "version", r->version);
    json_kv_string(&text, "address", *r->address ? r->address : NULL);
    json_kv_string(&text, "host", r->host);
    json_kv_time(&text, "started_at", r->started_ms);
    json_kv_time(&text, "heartbeat_at", r->heartbeat_ms);
    json_kv_int(&text, "seq", (int64_t)r->seq);
    json_kv_int(&text, "lag", (int64_t)r->lag);
    json_kv_int(&text, "epoch", (int64_t)r->epoch);
    json_kv_bool(&text, "alive", r->alive);
    json_kv_bool(&text, "self", r->self);
    json_kv_bool(&text, "decides", r->decides);
    json_kv_string(&text, "role", r->works ? "worker" : "node");
    put_doing(&text, r->doing);
    bytes_char(&text, '}');
    items_add(b, text.data, text.len);
    bytes_release(&text);
}

struct listing {
    struct items_heap heap;
    struct arena *arena;
    const struct node_report *this;
};

static bool note_node(void *ctx, const struct node_report *r)
{
    struct listing *l = ctx;
    struct node_report *copy = arena_zero(l->arena, sizeof *copy);
    *copy = *r;
    if (r->self && l->this != r) { /* of itself it knows better than what it told the others */
        uint64_t head = r->seq + r->lag;
        memcpy(copy->address, l->this->address, sizeof copy->address);
        copy->heartbeat_ms = l->this->heartbeat_ms;
        copy->seq = l->this->seq;
        copy->lag = head > copy->seq ? head - copy->seq : 0;
    }
    items_note(&l->heap, l->arena, copy->node_id, copy);
    return true;
}

void nodes_list(struct request *rq)
{
    struct call c;
    struct err e;
    struct items_page page;
    struct node_report this;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!items_page_open(&page, &c.q, "nodes", "node_id", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct bytes b = BYTES_INIT(1 << 20);
    struct listing list = {.arena = c.arena, .this = &this};
    report_this(&c, &this);
    if (store_shared(c.api->store))
        store_nodes(c.api->store, note_node, &list);
    else
        note_node(&list, &this);
    items_begin(&b);
    items_give(&list.heap, &page, &b, put_node, NULL);
    items_page_end(&b, &page, c.arena);
    request_reply_json(rq, 200, &b);
}

void healthz_get(struct request *rq)
{
    static const char ALIVE[] = "{\"status\":\"ok\"}";
    request_reply(rq, 200, NULL, ALIVE, sizeof ALIVE - 1);
}

/* Why the node cannot take writes, or NULL. */
static const char *unready(struct call *c)
{
    struct engine_stats engine;
    struct telemetry_stats records;
    engine_stats(c->api->engine, &engine);
    telemetry_stats(c->api->telemetry, &records);
    char since[TIME_TEXT_SIZE];
    int64_t away = store_away_since(c->api->store);
    if (!away || (!engine.available && engine.unavailable_since < away))
        away = engine.unavailable_since;
    time_format(away, since);
    if (away)
        return arena_printf(c->arena, "the store has refused changes since %s; reads are served",
                            since);
    if (!records.available)
        return "the log of inference records cannot be written; everything else is served";
    return NULL;
}

void readyz_get(struct request *rq)
{
    static const char READY[] = "{\"status\":\"ready\"}";
    struct call c;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    const char *why = unready(&c);
    if (why)
        request_problem(rq, &ERR_IO, "%s", why);
    else
        request_reply(rq, 200, NULL, READY, sizeof READY - 1);
}

void version_get(struct request *rq)
{
    const struct api *api = request_app(rq);
    struct bytes b = BYTES_INIT(SMALL);
    bytes_char(&b, '{');
    json_kv_string(&b, "name", "paddock");
    json_kv_string(&b, "version", api->version);
    json_kv_time(&b, "started_at", api->started_ms);
    bytes_char(&b, '}');
    request_reply_json(rq, 200, &b);
}

void root_get(struct request *rq)
{
    static const char WHERE[] =
        "{\"name\":\"paddock\",\"api\":\"/api/models/enterprise\",\"openapi\":\"/openapi.json\","
        "\"health\":\"/readyz\",\"metrics\":\"/metrics\",\"problems\":\"/problems\"}";
    request_reply(rq, 200, NULL, WHERE, sizeof WHERE - 1);
}
