#include "base/mem.h"
#include "http/route.h"

#include <stdlib.h>
#include <string.h>

/* A tree of path segments. At each node the literal children are tried first, then the one
 * parameter, then the rest of the path; a branch that leads nowhere is left for the next, so that
 * /a/{id}/b is found although /a/x exists. Templates are few and shallow, which bounds this. */

struct entry {
    const struct route *route;
    struct {
        const char *name;
        size_t len;
    } params[ROUTE_PARAMS_MAX];
    size_t n_params;
};

struct node {
    const char *text; /* literal segment, a slice of a template */
    size_t len;
    struct node *children, *sibling; /* literals */
    struct node *param, *rest;
    struct entry *entries[METHOD_COUNT];
    unsigned allowed;
};

struct router {
    struct node root;
    const struct route *table;
    size_t n_routes;
};

static const char *const METHOD_NAMES[METHOD_COUNT] = {
    [METHOD_GET] = "GET",         [METHOD_HEAD] = "HEAD",   [METHOD_POST] = "POST",
    [METHOD_PUT] = "PUT",         [METHOD_PATCH] = "PATCH", [METHOD_DELETE] = "DELETE",
    [METHOD_OPTIONS] = "OPTIONS",
};

const char *method_name(enum http_method m)
{
    return METHOD_NAMES[m];
}

/* --- building --- */

static void free_node(struct node *n)
{
    if (!n)
        return;
    for (size_t m = 0; m < METHOD_COUNT; m++)
        free(n->entries[m]);
    for (struct node *c = n->children; c;) {
        struct node *next = c->sibling;
        free_node(c);
        free(c);
        c = next;
    }
    free_node(n->param);
    free(n->param);
    free_node(n->rest);
    free(n->rest);
}

void router_free(struct router *r)
{
    if (!r)
        return;
    free_node(&r->root);
    free(r);
}

static struct node *literal_child(struct node *n, const char *text, size_t len)
{
    struct node **at = &n->children;
    for (; *at; at = &(*at)->sibling)
        if ((*at)->len == len && memcmp((*at)->text, text, len) == 0)
            return *at;
    *at = mem_zero(1, sizeof **at);
    (*at)->text = text;
    (*at)->len = len;
    return *at;
}

static struct node *only_child(struct node **at)
{
    if (!*at)
        *at = mem_zero(1, sizeof **at);
    return *at;
}

/* The node below `n` for the segment, noting a parameter's name. NULL if the template is wrong. */
static struct node *segment_node(struct node *n, const char *text, size_t len, bool last,
                                 struct entry *entry)
{
    if (len == 0 || text[0] != '{')
        return memchr(text, '{', len) ? NULL : literal_child(n, text, len);
    bool rest = len > 3 && text[len - 2] == '+';
    if (len < 3 || text[len - 1] != '}' || (rest && !last) || entry->n_params == ROUTE_PARAMS_MAX)
        return NULL;
    entry->params[entry->n_params].name = text + 1;
    entry->params[entry->n_params++].len = len - (rest ? 3 : 2);
    return only_child(rest ? &n->rest : &n->param);
}

static struct node *template_node(struct router *r, const char *path, struct entry *entry)
{
    struct node *n = &r->root;
    while (n && *path == '/') {
        const char *text = path + 1;
        path = text + strcspn(text, "/");
        n = segment_node(n, text, (size_t)(path - text), *path == '\0', entry);
    }
    return n == &r->root ? NULL : n;
}

static bool add_route(struct router *r, const struct route *route, struct err *e)
{
    if (!route->operation || !route->handle)
        return fail(e, &ERR_INTERNAL, "route %s has no operation or handler", route->path);
    if (!route->action && !(route->flags & ROUTE_PUBLIC))
        return fail(e, &ERR_INTERNAL, "route %s needs an action or ROUTE_PUBLIC", route->operation);
    if (route->method == METHOD_HEAD || route->method >= METHOD_COUNT)
        return fail(e, &ERR_INTERNAL, "route %s: HEAD is served by GET", route->operation);
    for (const struct route *other = r->table; other < route; other++)
        if (strcmp(other->operation, route->operation) == 0)
            return fail(e, &ERR_INTERNAL, "operation %s is in the table twice", route->operation);
    struct entry entry = {.route = route};
    struct node *n = template_node(r, route->path, &entry);
    if (!n)
        return fail(e, &ERR_INTERNAL, "route %s: bad template %s", route->operation, route->path);
    if (n->entries[route->method])
        return fail(e, &ERR_INTERNAL, "routes %s and %s have the same path", route->operation,
                    n->entries[route->method]->route->operation);
    n->entries[route->method] = mem_alloc(sizeof entry);
    *n->entries[route->method] = entry;
    n->allowed |= 1U << route->method;
    if (route->method == METHOD_GET)
        n->allowed |= 1U << METHOD_HEAD;
    return true;
}

struct router *router_new(const struct route *table, struct err *e)
{
    struct router *r = mem_zero(1, sizeof *r);
    r->table = table;
    for (const struct route *route = table; route->path; route++) {
        if (!add_route(r, route, e)) {
            router_free(r);
            return NULL;
        }
        r->n_routes++;
    }
    return r;
}

/* --- finding --- */

static bool dots(const char *text, size_t len)
{
    return (len == 1 && text[0] == '.') || (len == 2 && text[0] == '.' && text[1] == '.');
}

/* Find the node for the segments from `text` on; `depth` values are in `out` already. */
static const struct node *descend(const struct node *n, const char *text, const char *end,
                                  size_t depth, struct route_match *out)
{
    const char *slash = memchr(text, '/', (size_t)(end - text));
    size_t len = (size_t)((slash ? slash : end) - text);
    const struct node *found = NULL;
    for (const struct node *c = n->children; c; c = c->sibling) {
        if (c->len != len || memcmp(c->text, text, len) != 0)
            continue;
        found = slash ? descend(c, slash + 1, end, depth, out) : c->allowed ? c : NULL;
        break;
    }
    if (!found && n->param && len > 0 && !dots(text, len)) {
        out->params[depth].value = text;
        out->params[depth].len = len;
        found = slash               ? descend(n->param, slash + 1, end, depth + 1, out)
                : n->param->allowed ? n->param
                                    : NULL;
    }
    if (!found && n->rest && text < end) {
        out->params[depth].value = text;
        out->params[depth].len = (size_t)(end - text);
        found = n->rest;
    }
    return found;
}

void router_find(const struct router *r, enum http_method m, const char *path, size_t len,
                 struct route_match *out)
{
    out->route = NULL;
    out->allowed = 0;
    out->n_params = 0;
    if (len == 0 || path[0] != '/')
        return;
    const struct node *n = descend(&r->root, path + 1, path + len, 0, out);
    if (!n)
        return;
    out->allowed = n->allowed;
    const struct entry *entry = n->entries[m == METHOD_HEAD ? METHOD_GET : m];
    if (!entry)
        return;
    out->route = entry->route;
    out->n_params = entry->n_params;
    for (size_t i = 0; i < entry->n_params; i++) {
        out->params[i].name = entry->params[i].name;
        out->params[i].name_len = entry->params[i].len;
    }
}

const struct route *router_table(const struct router *r, size_t *n)
{
    *n = r->n_routes;
    return r->table;
}
