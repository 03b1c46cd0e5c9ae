#include "store/redis_url.h"

#include <stdio.h>
#include <string.h>

#define WRONG(...) fail(e, &ERR_CONFIG, "MODEL_REGISTRY_REDIS_URL: " __VA_ARGS__)

struct piece {
    const char *at;
    size_t len;
};

static int hex(char c)
{
    static const char DIGITS[] = "0123456789abcdef";
    char low = c >= 'A' && c <= 'F' ? (char)(c + ('a' - 'A')) : c;
    const char *at = low ? strchr(DIGITS, low) : NULL;
    return at ? (int)(at - DIGITS) : -1;
}

/* Decode into `out`; no NUL may come of it. */
static bool decode(struct piece p, char *out, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < p.len; i++) {
        int c = (unsigned char)p.at[i];
        if (c == '%') {
            int high = i + 2 < p.len ? hex(p.at[i + 1]) : -1;
            int low = i + 2 < p.len ? hex(p.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = high * 16 + low;
            i += 2;
        }
        if (c == 0 || n + 1 >= size)
            return false;
        out[n++] = (char)c;
    }
    out[n] = '\0';
    return true;
}

static bool number(struct piece p, int max, int *out)
{
    int n = 0;
    if (p.len == 0 || p.len > 6)
        return false;
    for (size_t i = 0; i < p.len; i++) {
        if (p.at[i] < '0' || p.at[i] > '9')
            return false;
        n = n * 10 + (p.at[i] - '0');
    }
    *out = n;
    return n <= max;
}

/* [[USER]:PASSWORD@]: what it takes away from `rest`. */
static bool take_login(struct piece *rest, struct redis_url *out, struct err *e)
{
    size_t end = 0;
    while (end < rest->len && rest->at[end] != '/' && rest->at[end] != '?')
        end++;
    const char *at = memrchr(rest->at, '@', end);
    if (!at)
        return true;
    size_t len = (size_t)(at - rest->at);
    const char *colon = memchr(rest->at, ':', len);
    if (!colon)
        return WRONG("before the @ stands user:password, or :password");
    struct piece user = {rest->at, (size_t)(colon - rest->at)};
    struct piece password = {colon + 1, (size_t)(at - colon - 1)};
    if (!decode(user, out->user, sizeof out->user) ||
        !decode(password, out->password, sizeof out->password))
        return WRONG("the user or the password is not percent-encoded, or too long");
    rest->len -= len + 1;
    rest->at = at + 1;
    return true;
}

/* HOST[:PORT] */
static bool take_host(struct piece place, char host_out[256], int *port, struct err *e)
{
    struct piece host = place;
    const char *colon = memrchr(place.at, ':', place.len);
    const char *bracket = memchr(place.at, ']', place.len);
    if (place.len && place.at[0] == '[') {
        if (!bracket)
            return WRONG("the address begins with [ and has no ]");
        host = (struct piece){place.at + 1, (size_t)(bracket - place.at - 1)};
        colon = bracket + 1 < place.at + place.len ? bracket + 1 : NULL;
    } else if (colon) {
        host.len = (size_t)(colon - place.at);
    }
    if (colon && (*colon != ':' ||
                  !number((struct piece){colon + 1, (size_t)(place.at + place.len - colon - 1)},
                          65535, port) ||
                  *port == 0))
        return WRONG("after the host stands : and a port of 1 to 65535");
    return (host.len > 0 && decode(host, host_out, 256)) ||
           WRONG("there is no host, or it is too long");
}

static bool take_db(const char *at, const char *end, struct redis_url *out, struct err *e)
{
    return at == end || number((struct piece){at, (size_t)(end - at)}, 65535, &out->db) ||
           WRONG("after the / stands the number of a database");
}

/* HOST[:PORT][/DB] */
static bool take_place(struct piece rest, struct redis_url *out, struct err *e)
{
    const char *end = rest.at + rest.len, *slash = memchr(rest.at, '/', rest.len);
    struct piece place = {rest.at, slash ? (size_t)(slash - rest.at) : rest.len};
    out->port = 6379;
    return take_host(place, out->host, &out->port, e) &&
           (!slash || take_db(slash + 1, end, out, e));
}

/* ?wait=N, or nothing, which stands after `what`. */
static bool take_wait(const char *query, const char *end, const char *what, struct redis_url *out,
                      struct err *e)
{
    static const char WAIT[] = "?wait=";
    const size_t n = sizeof WAIT - 1;
    out->wait = 1;
    return query == end ||
           ((size_t)(end - query) >= n && memcmp(query, WAIT, n) == 0 &&
            number((struct piece){query + n, (size_t)(end - query) - n}, REDIS_WAIT_MAX,
                   &out->wait)) ||
           WRONG("after %s stands nothing but ?wait= and a number of replicas up to %d", what,
                 REDIS_WAIT_MAX);
}

static const char *find(const char *at, const char *end, char c)
{
    const char *found = memchr(at, c, (size_t)(end - at));
    return found ? found : end;
}

/* HOST[:PORT],... */
static bool take_guides(const char *at, const char *end, int port, struct redis_url *out,
                        struct err *e)
{
    for (const char *comma = at; comma < end; at = comma + 1) {
        comma = find(at, end, ',');
        if (out->n_guides == REDIS_GUIDES_MAX)
            return WRONG("it names more than %d that know where Redis is", REDIS_GUIDES_MAX);
        struct redis_guide *one = &out->guides[out->n_guides++];
        one->port = port;
        if (!take_host((struct piece){at, (size_t)(comma - at)}, one->host, &one->port, e))
            return false;
    }
    return out->n_guides > 0 || WRONG("there is no host, or it is too long");
}

/* HOST[:PORT],.../SERVICE[/DB][?wait=N] */
static bool take_sentinels(struct piece rest, struct redis_url *out, struct err *e)
{
    const char *end = rest.at + rest.len, *hosts_end = find(rest.at, end, '/');
    if (hosts_end == end)
        return WRONG("after the Sentinels stands / and the name of the service");
    const char *name = hosts_end + 1, *query = find(name, end, '?');
    const char *slash = find(name, query, '/');
    if (!take_guides(rest.at, hosts_end, 26379, out, e) ||
        !take_wait(query, end, "the service", out, e))
        return false;
    struct piece service = {name, (size_t)(slash - name)};
    if (service.len == 0 || !decode(service, out->service, sizeof out->service))
        return WRONG("after the Sentinels stands / and the name of the service");
    return slash == query || take_db(slash + 1, query, out, e);
}

/* HOST[:PORT],...[/][?wait=N] */
static bool take_cluster(struct piece rest, struct redis_url *out, struct err *e)
{
    const char *end = rest.at + rest.len, *query = find(rest.at, end, '?');
    const char *slash = find(rest.at, query, '/');
    if (query - slash > 1)
        return WRONG("a Cluster has one database, so nothing stands after the /");
    return take_guides(rest.at, slash, 6379, out, e) &&
           take_wait(query, end, "the nodes of a Cluster", out, e);
}

/* /PATH[?db=DB] */
static bool take_path(struct piece rest, struct redis_url *out, struct err *e)
{
    const char *end = rest.at + rest.len, *query = memchr(rest.at, '?', rest.len);
    struct piece path = {rest.at, query ? (size_t)(query - rest.at) : rest.len};
    if (path.len == 0 || path.at[0] != '/' || !decode(path, out->path, sizeof out->path))
        return WRONG("a socket is named by its absolute path of at most 107 bytes");
    if (query && (end - query < 5 || memcmp(query, "?db=", 4) != 0 ||
                  !number((struct piece){query + 4, (size_t)(end - query - 4)}, 65535, &out->db)))
        return WRONG("after the path of a socket stands nothing but ?db= and a number");
    return true;
}

static const char NO_TLS[] =
    "the client library that this was built with (hiredis 0.14) has no TLS; "
    "a tunnel on this machine has";

typedef bool take_fn(struct piece rest, struct redis_url *out, struct err *e);

static bool take_scheme(struct piece *rest, take_fn **take, struct err *e)
{
    static const struct {
        const char *name;
        take_fn *take;
        const char *refused;
    } SCHEMES[] = {
        {"redis://", take_place, NULL},      {"redis+unix://", take_path, NULL},
        {"unix://", take_path, NULL},        {"redis+sentinel://", take_sentinels, NULL},
        {"rediss://", NULL, NO_TLS},         {"rediss+sentinel://", NULL, NO_TLS},
        {"rediss+cluster://", NULL, NO_TLS}, {"redis+cluster://", take_cluster, NULL},
    };
    for (size_t i = 0; i < sizeof SCHEMES / sizeof *SCHEMES; i++) {
        size_t len = strlen(SCHEMES[i].name);
        if (rest->len < len || memcmp(rest->at, SCHEMES[i].name, len) != 0)
            continue;
        if (SCHEMES[i].refused)
            return WRONG("%s: %s", SCHEMES[i].name, SCHEMES[i].refused);
        rest->at += len;
        rest->len -= len;
        *take = SCHEMES[i].take;
        return true;
    }
    return WRONG("it begins with redis://, redis+unix://, redis+sentinel:// or redis+cluster://");
}

bool redis_url_parse(const char *text, struct redis_url *out, struct err *e)
{
    struct piece rest = {text, strlen(text)};
    take_fn *take = NULL;
    memset(out, 0, sizeof *out);
    if (rest.len >= REDIS_URL_MAX)
        return WRONG("it is longer than %d bytes", REDIS_URL_MAX - 1);
    if (!take_scheme(&rest, &take, e) || !take_login(&rest, out, e))
        return false;
    return take(rest, out, e);
}

bool redis_url_is_cluster(const struct redis_url *u)
{
    return u->n_guides && !*u->service;
}

void redis_url_place(const struct redis_url *u, char out[REDIS_PLACE_SIZE])
{
    const char *more = u->n_guides > 1 ? ",..." : "";
    if (redis_url_is_cluster(u))
        snprintf(out, REDIS_PLACE_SIZE, "cluster of %s:%d%s", u->guides[0].host, u->guides[0].port,
                 more);
    else if (u->n_guides)
        snprintf(out, REDIS_PLACE_SIZE, "%s/%d of %s:%d%s", u->service, u->db, u->guides[0].host,
                 u->guides[0].port, more);
    else if (*u->host)
        snprintf(out, REDIS_PLACE_SIZE, "%s:%d/%d", u->host, u->port, u->db);
    else
        snprintf(out, REDIS_PLACE_SIZE, "%s?db=%d", u->path, u->db);
}
