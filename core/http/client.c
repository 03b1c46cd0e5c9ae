#include "http/client.h"

#include "http/client_impl.h"

#include <curl/curl.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 30000
#define ANSWER_MAX ((size_t)8 << 20)

static size_t take(char *data, size_t size, size_t n, void *ctx)
{
    struct bytes *body = ctx;
    return bytes_add(body, data, size * n) ? size * n : 0;
}

static bool add_header(struct curl_slist **list, const char *line)
{
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

bool client_headers(const struct http_call *call, struct curl_slist **list)
{
    bool ok = add_header(list, "Expect:"); /* no waiting for 100 Continue */
    for (const char *const *h = call->headers; ok && h && *h; h++)
        ok = add_header(list, *h);
    return ok;
}

/* The first that fails ends it. */
CURLcode client_prepare(CURL *curl, const struct http_call *call, const struct curl_slist *headers,
                        struct bytes *body, char *why)
{
    CURLcode code = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
#define SET(option, value)                                \
    do {                                                  \
        if (code == CURLE_OK)                             \
            code = curl_easy_setopt(curl, option, value); \
    } while (0)
    SET(CURLOPT_URL, call->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_CUSTOMREQUEST, call->method);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEFUNCTION, take);
    SET(CURLOPT_WRITEDATA, body);
    SET(CURLOPT_TIMEOUT_MS, (long)(call->timeout_ms ? call->timeout_ms : TIMEOUT_MS));
    if (call->token) {
        SET(CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        SET(CURLOPT_XOAUTH2_BEARER, call->token);
    }
    if (call->body) {
        SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_len);
        SET(CURLOPT_POSTFIELDS, call->body);
    }
    if (call->ca_file)
        SET(CURLOPT_CAINFO, call->ca_file);
#undef SET
    return code;
}

bool http_call(const struct http_call *call, struct http_answer *out, struct err *e)
{
    char why[CURL_ERROR_SIZE] = "";
    struct curl_slist *headers = NULL;
    long status = 0;
    CURLcode code = CURLE_OUT_OF_MEMORY;
    *out =
        (struct http_answer){.body = BYTES_INIT(call->answer_max ? call->answer_max : ANSWER_MAX)};
    CURL *curl = curl_easy_init();
    if (curl && client_headers(call, &headers))
        code = client_prepare(curl, call, headers, &out->body, why);
    if (code == CURLE_OK)
        code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        code = curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    out->status = (int)status;
    if (code == CURLE_OK)
        return true;
    bytes_release(&out->body);
    return fail(e, &ERR_IO, "%.200s: %.250s", call->url, *why ? why : curl_easy_strerror(code));
}

bool http_url_private(const char *url)
{
    static const char *const LOCAL[] = {"127.0.0.1", "localhost", "[::1]"};
    if (strncasecmp(url, "https://", 8) == 0)
        return true;
    if (strncasecmp(url, "http://", 7) != 0)
        return false;
    for (size_t i = 0; i < sizeof LOCAL / sizeof *LOCAL; i++) {
        size_t len = strlen(LOCAL[i]);
        if (strncasecmp(url + 7, LOCAL[i], len) == 0 && strchr(":/", url[7 + len]))
            return true; /* strchr finds the NUL as well */
    }
    return false;
}
