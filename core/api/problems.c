#include "api/problems.h"

#include "api/call.h"
#include "api/errors.h"
#include "api/handlers.h"
#include "api/items.h"
#include "base/json.h"
#include "engine/idempotency.h"
#include "extend/lua_sandbox.h"
#include "extend/policy_set.h"
#include "http/errors.h"
#include "registry/errors.h"
#include "selection/errors.h"

#include <string.h>

/* ERR_CONFIG is missing: it ends a start, no request meets it. */
static const struct err_kind *const BASE[] = {
    &ERR_INVALID,
    &ERR_UNKNOWN_FIELD,
    &ERR_UNKNOWN_PARAMETER,
    &ERR_READ_ONLY_FIELD,
    &ERR_MALFORMED_JSON,
    &KEY_REUSED,
    &KEY_IN_USE,
    &KEYS_FULL,
    &BATCH_TOO_LONG,
    &ERR_POLICY_NOT_FOUND,
    &ERR_POLICY,
    &ERR_BUSY,
    &ERR_IO,
    &ERR_MEMORY,
    &ERR_CORRUPT,
    &ERR_INTERNAL,
    NULL,
};
static const struct err_kind *const *const TABLES[] = {BASE, API_ERRORS, HTTP_ERRORS,
                                                       SELECTION_ERRORS, REGISTRY_ERRORS};

/* A kind may stand in more than one table: rooms list what they can answer with. */
static bool listed_before(const struct err_kind *kind, size_t table)
{
    for (size_t t = 0; t < table; t++)
        for (const struct err_kind *const *k = TABLES[t]; *k; k++)
            if (strcmp((*k)->code, kind->code) == 0)
                return true;
    return false;
}

const struct err_kind *problem_at(size_t i)
{
    for (size_t t = 0; t < sizeof TABLES / sizeof *TABLES; t++)
        for (const struct err_kind *const *k = TABLES[t]; *k; k++)
            if (!listed_before(*k, t) && i-- == 0)
                return *k;
    return NULL;
}

void problem_slug(const char *code, char *out, size_t size)
{
    size_t n = 0;
    for (; *code && n + 1 < size; code++)
        out[n++] = *code == '_' ? '-' : *code >= 'A' && *code <= 'Z' ? (char)(*code + 32) : *code;
    out[n] = '\0';
}

const struct err_kind *problem_find(const char *text)
{
    const struct err_kind *kind;
    for (size_t i = 0; (kind = problem_at(i)); i++) {
        char slug[64];
        problem_slug(kind->code, slug, sizeof slug);
        if (strcmp(text, slug) == 0 || strcmp(text, kind->code) == 0)
            return kind;
    }
    return NULL;
}

static void put_problem(struct bytes *b, const struct err_kind *kind)
{
    char slug[64];
    problem_slug(kind->code, slug, sizeof slug);
    bytes_text(b, b->len && b->data[b->len - 1] == '}' ? ",{" : "{");
    json_key(b, "type");
    bytes_printf(b, "\"/problems/%s\"", slug);
    json_kv_string(b, "title", kind->title);
    json_kv_int(b, "status", kind->status);
    json_kv_string(b, "code", kind->code);
    json_kv_string(b, "doc", kind->doc);
    bytes_char(b, '}');
}

static void put_item(struct bytes *out, const void *kind, void *ctx)
{
    (void)ctx;
    put_problem(out, kind);
}

void problems_list(struct request *rq)
{
    struct call c;
    struct err e;
    struct items_page page;
    struct items_heap heap = {0};
    const struct err_kind *kind;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!items_page_open(&page, &c.q, "problems", "code", c.arena, &e)) {
        request_fail(rq, &e);
        return;
    }
    for (size_t i = 0; (kind = problem_at(i)); i++)
        items_note(&heap, c.arena, kind->code, kind);
    struct bytes b = BYTES_INIT(1 << 20);
    items_begin(&b);
    items_give(&heap, &page, &b, put_item, NULL);
    items_page_end(&b, &page, c.arena);
    request_reply_json(rq, 200, &b);
}

/* For people who follow the link of a problem in a browser. The texts are our own and need no
 * escaping. */
static void put_page(struct bytes *b, const struct err_kind *kind)
{
    bytes_printf(b,
                 "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
                 "<h1>%s</h1><p>Code <code>%s</code>, status %d.</p><p>%s</p></html>\n",
                 kind->title, kind->title, kind->code, kind->status, kind->doc);
}

void problem_get(struct request *rq)
{
    const char *slug = request_param(rq, "slug");
    const struct err_kind *kind = problem_find(slug);
    struct bytes b = BYTES_INIT(1 << 16);
    if (!kind) {
        request_problem(rq, &HTTP_NOT_FOUND, "no problem is called '%.64s'; /problems lists them",
                        slug);
    } else if (call_accepts(rq, "text/html")) {
        put_page(&b, kind);
        request_reply(rq, 200, "text/html; charset=utf-8", b.data, b.len);
    } else {
        put_problem(&b, kind);
        request_reply(rq, 200, NULL, b.data, b.len);
    }
    bytes_release(&b);
}
