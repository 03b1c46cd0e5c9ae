/* admit: what is checked between the head of a request and its handler. Room: http. Threads:
 * [loop].
 *
 * In this order: rate of the address, Host and Origin, expectation, path, method, parameters, body
 * and its type and size, query, Idempotency-Key, authorization. The first that fails is the answer.
 */
#ifndef PADDOCK_HTTP_ADMIT_H
#define PADDOCK_HTTP_ADMIT_H

#include "http/request_impl.h"

enum admission { ADMIT_HANDLE, ADMIT_OPTIONS, ADMIT_REFUSE };

/* Find the route and check the request. ADMIT_OPTIONS: answer 204 with Allow. REFUSE fills `e`. */
enum admission admit(struct request *rq, struct err *e) MUST_CHECK;

#endif
