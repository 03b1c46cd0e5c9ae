#include "http/errors.h"
#include "http/request_impl.h"

#include <string.h>

#define QUERY_PAIRS_MAX 100

static size_t count_pairs(const char *text, size_t len)
{
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        n += text[i] == '&';
    return n;
}

/* Decode one half of a pair into the arena. */
static const char *decode(struct request *rq, const char *text, size_t len)
{
    char *out = arena_alloc(rq->arena, len + 1);
    return out && percent_decode(text, len, true, out) >= 0 ? out : NULL;
}

static bool add_pair(struct request *rq, const char *text, size_t len, struct err *e)
{
    const char *equals = memchr(text, '=', len);
    size_t name_len = equals ? (size_t)(equals - text) : len;
    struct request_pair *pair = &rq->query[rq->n_query];
    pair->name = decode(rq, text, name_len);
    pair->value = equals ? decode(rq, equals + 1, len - name_len - 1) : "";
    if (!pair->name || !pair->value)
        return fail(e, &HTTP_MALFORMED,
                    "the query has a broken percent escape, %%00 or is not UTF-8");
    rq->n_query++;
    return true;
}

bool request_parse_query(struct request *rq, struct err *e)
{
    const char *text = rq->head.query, *end = text + rq->head.query_len;
    size_t n = count_pairs(text, rq->head.query_len);
    if (n > QUERY_PAIRS_MAX)
        return fail(e, &ERR_INVALID, "more than %d query parameters", QUERY_PAIRS_MAX);
    rq->query = arena_alloc(rq->arena, n * sizeof *rq->query);
    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        size_t len = (size_t)((stop ? stop : end) - text);
        if (len && !add_pair(rq, text, len, e))
            return false;
        text += len + 1;
    }
    return true;
}
