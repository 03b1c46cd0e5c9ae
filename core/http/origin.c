#include "http/origin.h"

#include "http/errors.h"
#include "http/loop_impl.h"
#include "http/request_impl.h"

#include <string.h>
#include <strings.h>

#define ALLOW_HEADERS                                                                        \
    "Authorization, Content-Type, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, " \
    "Paddock-Namespace, Paddock-Reason, X-API-Key, X-Request-Id, traceparent"
#define EXPOSE_HEADERS \
    "ETag, Location, Retry-After, X-Request-Id, Allow, Paddock-Seq, Paddock-Epoch"

static const char SHOWN[] = "X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n";
static const char PAGE[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'\r\nX-Frame-Options: DENY\r\n";
static const char ALLOW[] = "Access-Control-Allow-Origin: ";
static const char EXPOSE[] = "Access-Control-Expose-Headers: " EXPOSE_HEADERS "\r\n";
static const char VARY[] = "Vary: Origin\r\n";

/* --- Host --- */

/* Without the port: "[::1]:80" is "[::1]". */
static size_t name_len(const char *host)
{
    size_t len = *host == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
    return len && host[len - 1] == '.' ? len - 1 : len; /* "localhost." is localhost */
}

/* An address, or a name that only this network knows: nobody outside can make it point here. */
static bool is_near(const char *host, size_t len)
{
    return *host == '[' || !memchr(host, '.', len) || strspn(host, "0123456789.") >= len;
}

static bool is_same(const char *name, const char *host, size_t len)
{
    return strcmp(name, "*") == 0 || (strncasecmp(name, host, len) == 0 && name[len] == '\0');
}

static bool host_good(const struct request *rq, struct err *e)
{
    const struct http_config *config = rq->loop->config;
    const char *host = rq->head.known[KNOWN_HOST];
    if (!config->check_host || !host)
        return true; /* HTTP/1.0 needs none, and no browser speaks it */
    size_t len = name_len(host);
    if (is_near(host, len))
        return true;
    for (const char *const *name = config->host_names; name && *name; name++)
        if (is_same(*name, host, len))
            return true;
    static const char local[] = ".localhost"; /* never leaves the machine */
    if (len > sizeof local - 1 &&
        strncasecmp(host + len - (sizeof local - 1), local, sizeof local - 1) == 0)
        return true;
    return fail(e, &HTTP_MISDIRECTED,
                "this server is not called '%.*s'; --host-names says what it is called beside "
                "localhost",
                (int)(len < 253 ? len : 253), host);
}

/* --- Origin --- */

static bool in_list(const char *const *list, const char *origin)
{
    for (; list && *list; list++)
        if (strcmp(*list, "*") == 0 || strcasecmp(*list, origin) == 0)
            return true;
    return false;
}

/* The page came from this server: the origin is scheme://Host. */
static bool is_own(const struct request *rq, const char *origin)
{
    const char *host = rq->head.known[KNOWN_HOST], *at = strstr(origin, "://");
    return host && at && strcasecmp(at + 3, host) == 0;
}

static bool changes(const struct request *rq)
{
    enum http_method m = rq->head.method;
    return m != METHOD_GET && m != METHOD_HEAD && m != METHOD_OPTIONS;
}

void origin_note(struct request *rq)
{
    const char *origin = rq->head.known[KNOWN_ORIGIN];
    if (origin && in_list(rq->loop->config->cors_origins, origin))
        rq->origin = origin;
}

bool origin_admit(struct request *rq, struct err *e)
{
    const char *origin = rq->head.known[KNOWN_ORIGIN];
    if (!host_good(rq, e))
        return false;
    if (!origin || rq->origin || !rq->loop->config->check_origin || !changes(rq) ||
        is_own(rq, origin))
        return true;
    return fail(e, &HTTP_FORBIDDEN,
                "pages of '%.200s' may not change anything here; --cors-origins says whose may",
                origin);
}

/* --- settings --- */

bool origin_valid(const char *text)
{
    size_t scheme =
        strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    const char *host = text + scheme + 3;
    if (strcmp(text, "*") == 0 || strcmp(text, "null") == 0)
        return true;
    return scheme && strncmp(text + scheme, "://", 3) == 0 && *host && !strpbrk(host, "/?#@*");
}

bool origin_host_valid(const char *text)
{
    return strcmp(text, "*") == 0 || !strpbrk(text, ":/@*[]");
}

void origin_preflight(struct request *rq)
{
    if (!rq->origin || !request_header(rq, "Access-Control-Request-Method"))
        return;
    char methods[64];
    request_methods(rq, methods, sizeof methods);
    request_add_header(rq, "Access-Control-Allow-Methods", methods);
    request_add_header(rq, "Access-Control-Allow-Headers", ALLOW_HEADERS);
    request_add_header(rq, "Access-Control-Max-Age", "600");
}

/* --- replies --- */

size_t origin_room(const struct request *rq)
{
    return sizeof SHOWN + sizeof PAGE + sizeof ALLOW + sizeof EXPOSE + sizeof VARY + 2 +
           (rq->origin ? strlen(rq->origin) : 0);
}

static char *put(char *p, const char *text, size_t len)
{
    memcpy(p, text, len);
    return p + len;
}

char *origin_put(const struct request *rq, const char *type, char *p)
{
    if (type && strncmp(type, "text/", 5) == 0) {
        p = put(p, SHOWN, sizeof SHOWN - 1);
        if (strncmp(type + 5, "html", 4) == 0)
            p = put(p, PAGE, sizeof PAGE - 1);
    }
    if (rq->origin) {
        p = put(p, ALLOW, sizeof ALLOW - 1);
        p = put(p, rq->origin, strlen(rq->origin));
        p = put(p, "\r\n", 2);
        p = put(p, EXPOSE, sizeof EXPOSE - 1);
    }
    if (rq->loop->config->cors_origins)
        p = put(p, VARY, sizeof VARY - 1); /* also where there was none: caches must know */
    return p;
}
