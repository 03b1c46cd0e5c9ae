#include "http/guard.h"

#include "http/address.h"
#include "http/connection.h"
#include "http/errors.h"
#include "http/server_impl.h"

#include <stdio.h>
#include <string.h>

#define SECOND_NS     1000000000
#define GOOD_STANDS   (3600LL * SECOND_NS)
#define WRONG_STANDS  (600LL * SECOND_NS)
#define WRONG_AT_ONCE 10 /* at least: people mistype */

enum limit_kind {
    LIMIT_ADDRESS = 1,
    LIMIT_TENANT,
    LIMIT_WRONG,
    LIMIT_TOKEN_GOOD,
    LIMIT_TOKEN_WRONG
};

static struct rate_limiter *limits(const struct request *rq)
{
    return rq->loop->server->limits;
}

static bool limited(struct request *rq, int64_t wait_ns, struct err *e, const char *what)
{
    char seconds[24];
    snprintf(seconds, sizeof seconds, "%lld", (long long)((wait_ns + SECOND_NS - 1) / SECOND_NS));
    request_add_header(rq, "Retry-After", seconds);
    return fail(e, &HTTP_RATE_LIMITED, "%s; try again in %s s", what, seconds);
}

static uint64_t address_key(const struct request *rq, unsigned kind)
{
    return rate_limiter_key(limits(rq), kind, &rq->address, sizeof rq->address);
}

bool guard_address(struct request *rq, struct err *e)
{
    const struct http_config *config = rq->loop->config;
    if (config->address_rate <= 0)
        return true;
    int64_t wait =
        rate_limiter_take(limits(rq), address_key(rq, LIMIT_ADDRESS), config->address_rate,
                          config->address_burst, loop_mono_ns(rq->loop));
    return wait == 0 || limited(rq, wait, e, "this address sends more requests than it may");
}

bool request_rate(struct request *rq, const char *tenant, double per_second, double burst,
                  struct err *e)
{
    uint64_t key = rate_limiter_key(limits(rq), LIMIT_TENANT, tenant, strlen(tenant));
    rq->tenant = key;
    if (per_second <= 0)
        return true;
    int64_t wait = rate_limiter_take(limits(rq), key, per_second, burst, loop_mono_ns(rq->loop));
    return wait == 0 || limited(rq, wait, e, "this token has used up its rate");
}

/* Of a token tried from an address: what is wrong from here says nothing about there. */
static uint64_t token_key(const struct request *rq, enum limit_kind kind, const char *token,
                          size_t len)
{
    return rate_limiter_key(limits(rq), (unsigned)kind, token, len) ^ rq->address;
}

static double wrong_at_once(const struct http_config *config)
{
    return config->wrong_tokens_per_minute > WRONG_AT_ONCE ? config->wrong_tokens_per_minute
                                                           : WRONG_AT_ONCE;
}

bool request_may_present(struct request *rq, const char *token, size_t len, struct err *e)
{
    const struct http_config *config = rq->loop->config;
    int64_t now = loop_mono_ns(rq->loop);
    if (config->wrong_tokens_per_minute <= 0)
        return true;
    int64_t wait =
        rate_limiter_wait(limits(rq), address_key(rq, LIMIT_WRONG),
                          config->wrong_tokens_per_minute / 60, wrong_at_once(config), now);
    if (wait == 0 ||
        rate_limiter_marked(limits(rq), token_key(rq, LIMIT_TOKEN_GOOD, token, len), now) > 0 ||
        rate_limiter_marked(limits(rq), token_key(rq, LIMIT_TOKEN_WRONG, token, len), now) > 0)
        return true;
    return limited(rq, wait, e, "too many wrong tokens came from this address");
}

/* Set a mark, but not on each request: half of its time may pass before it is renewed. */
static bool mark(const struct request *rq, uint64_t key, int64_t stands, int64_t now)
{
    int64_t left = rate_limiter_marked(limits(rq), key, now);
    if (left < stands / 2)
        rate_limiter_mark(limits(rq), key, now + stands, now);
    return left > 0;
}

void request_presented(struct request *rq, const char *token, size_t len, bool good)
{
    const struct http_config *config = rq->loop->config;
    int64_t now = loop_mono_ns(rq->loop);
    if (config->wrong_tokens_per_minute <= 0)
        return;
    if (good)
        mark(rq, token_key(rq, LIMIT_TOKEN_GOOD, token, len), GOOD_STANDS, now);
    else if (!mark(rq, token_key(rq, LIMIT_TOKEN_WRONG, token, len), WRONG_STANDS, now))
        (void)rate_limiter_take(limits(rq), address_key(rq, LIMIT_WRONG),
                                config->wrong_tokens_per_minute / 60, wrong_at_once(config), now);
}

const struct client_certificate *request_client_certificate(const struct request *rq)
{
    const struct client_certificate *c = rq->conn ? rq->conn->certificate : NULL;
    return c && loop_wall_ms(rq->loop) < c->expires_ms ? c : NULL;
}
