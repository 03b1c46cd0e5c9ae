/* The router and percent-decoding with any path: no crash, and what is found fits its template. */
#include "base/mem.h"
#include "http/route.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void handle(struct request *rq)
{
    (void)rq;
}

#define ROW(m, path, operation)                           \
    {                                                     \
        m, path, operation, handle, .flags = ROUTE_PUBLIC \
    }
static const struct route TABLE[] = {
    ROW(METHOD_GET, "/", "root"),
    ROW(METHOD_GET, "/a", "a"),
    ROW(METHOD_POST, "/a/{x}", "a_x"),
    ROW(METHOD_GET, "/a/b", "a_b"),
    ROW(METHOD_GET, "/a/b/c", "a_b_c"),
    ROW(METHOD_GET, "/a/{x}/{y}", "a_x_y"),
    ROW(METHOD_GET, "/{x}/b/{y}/c", "x_b_y_c"),
    ROW(METHOD_GET, "/a/b/{rest+}", "a_b_rest"),
    {.path = NULL},
};

static void require(bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "broken: %s\n", what);
    abort();
}

/* Put the values back into the template: that must be the path. */
static void check_found(const struct route_match *m, const char *path, size_t len)
{
    char again[4096];
    size_t n = 0, param = 0;
    for (const char *t = m->route->path; *t;) {
        if (*t == '{') {
            require(m->params[param].len > 0 && m->params[param].len <= len, "an empty parameter");
            memcpy(again + n, m->params[param].value, m->params[param].len);
            n += m->params[param++].len;
            t = strchr(t, '}') + 1;
        } else {
            again[n++] = *t++;
        }
    }
    require(param == m->n_params, "number of parameters");
    require(n == len && memcmp(again, path, len) == 0, "the path of the match");
}

static void check_decode(const char *text, size_t len, bool form)
{
    char *out = mem_alloc(len + 1);
    long n = percent_decode(text, len, form, out);
    require(n <= (long)len, "decoding grew the text");
    if (n >= 0) {
        require(out[n] == '\0' && strlen(out) == (size_t)n, "a NUL within");
        require(percent_good(text, len), "decoded what is not good");
    }
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct router *router;
    struct err e;
    if (!router)
        router = router_new(TABLE, &e);
    if (!router || size < 1 || size > 2000)
        return 0;
    /* A copy without a byte to spare, so that the sanitizer sees every read past the end. */
    char *path = malloc(size - 1 ? size - 1 : 1);
    memcpy(path, data + 1, size - 1);
    struct route_match m;
    router_find(router, (enum http_method)(data[0] % METHOD_COUNT), path, size - 1, &m);
    if (m.route)
        check_found(&m, path, size - 1);
    require(m.route == NULL || m.allowed != 0, "a route without methods");
    check_decode(path, size - 1, false);
    check_decode(path, size - 1, true);
    free(path);
    return 0;
}
