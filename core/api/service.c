#include "api/call.h"
#include "api/handlers.h"
#include "api/items.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SMALL (64 << 10)

void config_get(struct request *rq)
{
    struct call c;
    if (call_begin(rq, ANY_NAMESPACE, &c))
        request_reply(rq, 200, NULL, c.api->config_json, strlen(c.api->config_json));
}

/* The one node there is, until several share a store. */
static void put_node(struct call *c, struct bytes *b)
{
    char host[256] = "";
    struct http_server *http = atomic_load(&c->api->http);
    gethostname(host, sizeof host - 1);
    bytes_char(b, '{');
    json_kv_string(b, "node_id", host);
    json_kv_string(b, "version", c->api->version);
    if (http) {
        const char *address = http_address(http);
        bool v6 = strchr(address, ':') && *address != '[';
        json_kv_string(b, "address",
                       arena_printf(c->arena, v6 ? "[%s]:%u" : "%s:%u", address, http_port(http)));
    } else {
        json_kv_string(b, "address", NULL);
    }
    json_kv_time(b, "started_at", c->api->started_ms);
    json_kv_time(b, "heartbeat_at", clock_wall_ms(c->api->clock));
    json_kv_int(b, "seq", (int64_t)call_seq(c));
    json_kv_int(b, "lag", 0);
    bytes_char(b, '}');
}

void nodes_list(struct request *rq)
{
    struct call c;
    struct err e;
    struct items_page page;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!items_page_open(&page, &c.q, "nodes", "node_id", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    struct bytes b = BYTES_INIT(SMALL);
    items_begin(&b);
    if (items_page_takes(&page, &b, "this"))
        put_node(&c, &b);
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
    time_format(engine.unavailable_since, since);
    if (!engine.available)
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
