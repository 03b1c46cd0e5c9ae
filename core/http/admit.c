#include "http/admit.h"

#include "http/errors.h"
#include "http/loop_impl.h"
#include "http/origin.h"

#include <string.h>
#include <strings.h>

static bool check_expect(const struct request *rq, struct err *e)
{
    const char *expect = rq->head.known[KNOWN_EXPECT];
    if (!expect || rq->head.minor == 0 || strcasecmp(expect, "100-continue") == 0)
        return true;
    return fail(e, &HTTP_EXPECTATION, "the expectation '%.64s' is not known here", expect);
}

static bool decode_params(struct request *rq, const struct route_match *match, struct err *e)
{
    rq->n_params = match->n_params;
    for (size_t i = 0; i < match->n_params; i++) {
        char *value = arena_alloc(rq->arena, match->params[i].len + 1);
        if (!value ||
            percent_decode(match->params[i].value, match->params[i].len, false, value) < 0)
            return fail(e, &HTTP_MALFORMED, "the path is not UTF-8");
        if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0)
            return fail(e, &HTTP_NOT_FOUND, "no such path");
        rq->params[i].name = match->params[i].name;
        rq->params[i].name_len = match->params[i].name_len;
        rq->params[i].value = value;
    }
    return true;
}

/* Path and method. */
static bool find_route(struct request *rq, struct err *e)
{
    struct route_match match;
    router_find(rq->loop->router, rq->head.method, rq->head.path, rq->head.path_len, &match);
    rq->allowed = match.allowed;
    if (!match.allowed)
        return fail(e, &HTTP_NOT_FOUND, "no such path");
    if (!match.route)
        return rq->head.method == METHOD_OPTIONS ||
               fail(e, &HTTP_METHOD, "%s is not among this path's methods",
                    method_name(rq->head.method));
    rq->route = match.route;
    rq->body_max = match.route->body_max ? match.route->body_max : rq->loop->config->body_max;
    return decode_params(rq, &match, e);
}

/* Parameters of a media type: the only charset is UTF-8. */
static bool charset_good(const char *type)
{
    for (const char *p = strchr(type, ';'); p; p = strchr(p, ';')) {
        p += 1 + strspn(p + 1, " \t");
        if (strncasecmp(p, "charset=", 8) != 0)
            continue;
        p += 8 + (p[8] == '"');
        if (strncasecmp(p, "utf-8", 5) != 0 || !strchr("\"; \t", p[5]))
            return false;
    }
    return true;
}

static bool type_taken(const struct request *rq, const char *type)
{
    const struct route *route = rq->route;
    if (route->flags & ROUTE_NDJSON && strcmp(type, "application/x-ndjson") == 0)
        return true;
    if (route->consumes)
        return strcmp(type, route->consumes) == 0;
    return strcmp(type, "application/json") == 0 ||
           (route->method == METHOD_PATCH && strcmp(type, "application/merge-patch+json") == 0);
}

static bool check_body(const struct request *rq, struct err *e)
{
    const struct head *h = &rq->head;
    const struct route *route = rq->route;
    if (h->framing == FRAMING_NONE)
        return true;
    if (route->flags & ROUTE_NO_BODY)
        return fail(e, &ERR_INVALID, "this operation takes no body");
    const char *type = request_media_type(rq);
    if (!type_taken(rq, type) || !charset_good(h->known[KNOWN_CONTENT_TYPE]))
        return fail(e, &HTTP_MEDIA_TYPE, "the body must be %s%s%s, encoded in UTF-8; got '%.64s'",
                    route->consumes ? route->consumes : "application/json",
                    route->method == METHOD_PATCH ? " or application/merge-patch+json" : "",
                    route->flags & ROUTE_NDJSON ? " or application/x-ndjson" : "", type);
    const char *coding = request_header(rq, "Content-Encoding");
    if (coding && strcasecmp(coding, "identity") != 0)
        return fail(e, &HTTP_MEDIA_TYPE, "the body must come as it is, not encoded as '%.64s'",
                    coding);
    if (h->framing == FRAMING_LENGTH && h->content_length > rq->body_max)
        return fail(e, &HTTP_BODY_TOO_LARGE, "the body may have at most %zu bytes", rq->body_max);
    return true;
}

static bool is_label(const struct route *route, const char *name)
{
    return route->flags & ROUTE_LABEL_FILTER && strncmp(name, "label.", 6) == 0 && name[6];
}

static const struct field *query_field(const struct route *route, const char *name)
{
    for (const struct field *f = route->query; f && f->name; f++)
        if (strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

/* Is the parameter at `i` there before? Which of both is meant nobody knows. */
static bool given_before(const struct request *rq, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(rq->query[k].name, rq->query[i].name) == 0)
            return true;
    return false;
}

static bool check_given(struct request *rq, struct faults *faults)
{
    union {
        const char *text;
        int64_t integer;
        double number;
        bool truth;
    } value;
    bool good = true;
    for (size_t i = 0; i < rq->n_query; i++) {
        const char *name = rq->query[i].name;
        const struct field *f = query_field(rq->route, name);
        if (f && !(f->flags & FIELD_REPEATED) && given_before(rq, i)) {
            good &= fault_add(faults, &ERR_INVALID, name, "must be given only once");
        } else if (f) {
            struct field alone = *f;
            alone.offset = 0; /* the handlers' tables point into a struct of their own */
            good &= field_decode_text(&alone, rq->query[i].value, &value, rq->arena, faults);
        } else if (!(rq->route->flags & ROUTE_ANY_PARAMETER) && !is_label(rq->route, name))
            good &= fault_add(faults, &ERR_UNKNOWN_PARAMETER, name,
                              "this operation has no such query parameter");
    }
    return good;
}

static bool check_required(const struct request *rq, struct faults *faults)
{
    bool good = true;
    for (const struct field *f = rq->route->query; f && f->name; f++)
        if (f->flags & FIELD_REQUIRED && !request_query(rq, f->name))
            good &= fault_add(faults, &ERR_INVALID, f->name, "is required");
    return good;
}

static bool check_query(struct request *rq, struct err *e)
{
    if (!rq->head.query && !rq->route->query)
        return true;
    if (rq->head.query && !request_parse_query(rq, e))
        return false;
    struct faults faults;
    faults_init(&faults, rq->arena);
    bool good = check_given(rq, &faults);
    good &= check_required(rq, &faults);
    return good || faults_fail(&faults, e);
}

static bool check_key(const struct request *rq, struct err *e)
{
    const char *key = rq->head.known[KNOWN_IDEMPOTENCY_KEY];
    if (!key)
        return true;
    if (rq->route->flags & ROUTE_UNKEYED)
        return fail(e, &ERR_INVALID,
                    "this operation takes no Idempotency-Key: its answers are not kept");
    return !(rq->route->flags & ROUTE_KEYED) || token_printable(key, 128) ||
           fail(e, &ERR_INVALID, "Idempotency-Key must be 1 to 128 printable characters");
}

enum admission admit(struct request *rq, struct err *e)
{
    origin_note(rq);
    if (!guard_address(rq, e) || !origin_admit(rq, e) || !check_expect(rq, e))
        return ADMIT_REFUSE;
    if (rq->head.asterisk) {
        rq->allowed = (1U << METHOD_COUNT) - 1;
        return ADMIT_OPTIONS;
    }
    if (!find_route(rq, e))
        return ADMIT_REFUSE;
    if (!rq->route)
        return ADMIT_OPTIONS;
    bool (*authorize)(struct request *, struct err *) = rq->loop->config->authorize;
    if (!check_body(rq, e) || !check_query(rq, e) || !check_key(rq, e) ||
        (authorize && !authorize(rq, e)))
        return ADMIT_REFUSE;
    return ADMIT_HANDLE;
}
