#include "selection/flag_routes.h"

#include "base/map.h"
#include "base/mem.h"
#include "registry/route.h"

#include <stdlib.h>
#include <string.h>

struct flag_routes {
    struct map *routes; /* "ns\0flag" to the route's id */
    uint64_t view;      /* number of the one they were read from */
    int64_t read_ms;
};

#define KEY_MAX 1024

struct flag_routes *flag_routes_new(void)
{
    struct flag_routes *f = mem_zero(1, sizeof *f);
    f->routes = map_new();
    return f;
}

static void forget(struct flag_routes *f)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(f->routes, &at, &key, &len, &value))
        free(value);
    map_free(f->routes);
    f->routes = NULL;
}

void flag_routes_free(struct flag_routes *f)
{
    if (f)
        forget(f);
    free(f);
}

/* 0: too long for what there is. */
static size_t key_of(const char *ns, const char *flag, char out[KEY_MAX])
{
    size_t ns_len = strlen(ns) + 1, len = ns_len + strlen(flag);
    if (len > KEY_MAX)
        return 0;
    memcpy(out, ns, ns_len);
    memcpy(out + ns_len, flag, len - ns_len);
    return len;
}

static bool take(const struct entity *e, void *ctx)
{
    struct flag_routes *f = ctx;
    char key[KEY_MAX];
    const char *flag = route_of(document_of(e))->flag;
    size_t len = flag ? key_of(e->ns, flag, key) : 0;
    if (len && !map_get(f->routes, key, len))
        map_set(f->routes, key, len, mem_text(e->id));
    return true;
}

static void read_all(struct flag_routes *f, const struct view *v, int64_t now_ms)
{
    forget(f);
    f->routes = map_new();
    f->view = view_number(v);
    f->read_ms = now_ms;
    view_each(v, ENTITY_ROUTE, take, f);
}

static void keep_up(struct flag_routes *f, const struct view *v, int64_t now_ms)
{
    if (f->view != view_number(v) && (view_count(v, ENTITY_ROUTE) <= FLAG_ROUTES_AT_ONCE ||
                                      now_ms - f->read_ms >= FLAG_ROUTES_REST_MS))
        read_all(f, v, now_ms);
}

const char *flag_route(struct flag_routes *f, const struct view *v, const char *ns,
                       const char *flag, int64_t now_ms)
{
    char key[KEY_MAX];
    size_t len = key_of(ns, flag, key);
    keep_up(f, v, now_ms);
    const char *route = len ? map_get(f->routes, key, len) : NULL;
    const struct document *d = route ? view_document(v, &ROUTE_TYPE, ns, route) : NULL;
    const char *has = d ? route_of(d)->flag : NULL;
    return has && strcmp(has, flag) == 0 ? route : NULL;
}

void flag_routes_each(struct flag_routes *f, const struct view *v, const char *ns, int64_t now_ms,
                      void (*fn)(void *ctx, const char *route), void *ctx)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    keep_up(f, v, now_ms);
    while (map_next(f->routes, &at, &key, &len, &value))
        if (strcmp(key, ns) == 0) /* what follows is the flag */
            fn(ctx, value);
}
