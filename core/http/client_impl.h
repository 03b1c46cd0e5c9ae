/* client_impl: what the two clients share. Room: http, private. Threads: one owner. */
#ifndef PADDOCK_HTTP_CLIENT_IMPL_H
#define PADDOCK_HTTP_CLIENT_IMPL_H

#include "http/client.h"

#include <curl/curl.h>

/* The header lines of a call; the caller frees the list, also after false. */
bool client_headers(const struct http_call *call, struct curl_slist **list) MUST_CHECK;
/* What every call has. What comes back goes to `body`, why it failed to `why`
 * (CURL_ERROR_SIZE). */
CURLcode client_prepare(CURL *curl, const struct http_call *call, const struct curl_slist *headers,
                        struct bytes *body, char *why) MUST_CHECK;

#endif
