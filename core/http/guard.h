/* guard: rates, wrong tokens, client certificates: what the authorize hook asks about a client and
 * says of it. Room: http. Threads: [loop], the request's; meant for http_config.authorize.
 *
 * A hook does, in this order:
 *   1. take the token from the request (or the certificate) and ask request_may_present();
 *   2. look the token up, and tell how that went by request_presented();
 *   3. name the tenant and have the request counted by request_rate();
 *   4. decide whether the tenant may do this.
 * Each question that is answered with false has filled `e` with 429 RATE_LIMITED and added
 * Retry-After: the hook returns false. All of it costs a few dozen nanoseconds, takes no lock and
 * counts over all loops of the server (base/rate_limiter.h). */
#ifndef PADDOCK_HTTP_GUARD_H
#define PADDOCK_HTTP_GUARD_H

#include "base/err.h"
#include "http/request.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The request is of the tenant `tenant` (a token's id; any text): count it against a bucket of that
 * name which holds `burst` requests and gets `per_second` of them back. `per_second` 0: no limit;
 * the tenant is noted all the same, for loops share their time between tenants. */
bool request_rate(struct request *rq, const char *tenant, double per_second, double burst,
                  struct err *e) MUST_CHECK;

/* May this token be tried? An address (of IPv6 the first 64 bits) from which more than
 * http_config.wrong_tokens_per_minute wrong ones came may not try more for a while, or guessing
 * would cost nothing. Tokens that were good from there within the last hour stay welcome, so
 * that the neighbours behind one address are not shut out by one of them, and repeating
 * the same wrong token counts once in ten minutes: a forgotten client in a loop guesses nothing. */
bool request_may_present(struct request *rq, const char *token, size_t len, struct err *e)
    MUST_CHECK;
/* It was tried, and was good or not. */
void request_presented(struct request *rq, const char *token, size_t len, bool good);

/* The certificate by which the client proved who it is, verified against --tls-client-ca. */
struct client_certificate {
    const char *subject;      /* RFC 2253: "CN=ci,O=Odds" */
    const char *common_name;  /* the last CN of the subject, or "" */
    const char *fingerprint;  /* SHA-256 of the certificate, 64 lower-case hexadecimal digits */
    const char *const *names; /* subjectAltName: "DNS:ci.odds", "URI:spiffe://odds/ci",
                                 "email:ci@odds"; ends with NULL */
    int64_t expires_ms;       /* UTC */
};
/* NULL: plain HTTP, or the client showed none, or it has expired since: a connection, or what is
 * resumed by a ticket, may live longer than that. Valid until the hook returns. */
const struct client_certificate *request_client_certificate(const struct request *rq);

#endif
