#include "http.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define IDLE_MAX 64 /* handles kept, each with its connection */

struct http {
    struct http_settings settings;
    char *base; /* without a slash at the end */
    struct curl_slist *headers;
    pthread_mutex_t lock; /* idle, n_idle */
    CURL *idle[IDLE_MAX];
    size_t n_idle;
};

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* http or https, a host, no credentials, query or fragment. */
static bool url_fits(const char *text)
{
    CURLU *url = curl_url();
    char *scheme = NULL, *other = NULL;
    bool fits = url && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
    static const CURLUPart NONE_OF[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                        CURLUPART_FRAGMENT};
    for (size_t i = 0; fits && i < sizeof NONE_OF / sizeof *NONE_OF; i++) {
        fits = curl_url_get(url, NONE_OF[i], &other, 0) != CURLUE_OK;
        curl_free(other);
        other = NULL;
    }
    curl_free(scheme);
    curl_url_cleanup(url);
    return fits;
}

static bool add_header(struct http *h, const char *header)
{
    struct curl_slist *more = curl_slist_append(h->headers, header);
    if (more)
        h->headers = more;
    return more != NULL;
}

struct http *http_new(paddock_call *c, const struct http_settings *settings)
{
    pthread_once(&curl_once, start_curl);
    if (!url_fits(settings->url)) {
        paddock_fail(c, PADDOCK_E_CONFIG,
                     "'url' must be http:// or https:// and a host, without user, query or "
                     "fragment");
        return NULL;
    }
    if (settings->header && strpbrk(settings->header, "\r\n")) {
        paddock_fail(c, PADDOCK_E_CONFIG, "the secret holds a line break");
        return NULL;
    }
    struct http *h = calloc(1, sizeof *h);
    if (!h || !(h->base = strdup(settings->url)) ||
        !add_header(h, "Content-Type: application/json") ||
        !add_header(h, "Accept: application/json") || !add_header(h, "Expect:") ||
        (settings->header && !add_header(h, settings->header))) {
        if (h)
            curl_slist_free_all(h->headers);
        free(h ? h->base : NULL);
        free(h);
        paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
        return NULL;
    }
    for (size_t len = strlen(h->base); len && h->base[len - 1] == '/';)
        h->base[--len] = '\0';
    h->settings = *settings;
    pthread_mutex_init(&h->lock, NULL);
    return h;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    while (h->n_idle)
        curl_easy_cleanup(h->idle[--h->n_idle]);
    curl_slist_free_all(h->headers);
    pthread_mutex_destroy(&h->lock);
    free(h->base);
    free(h);
}

static size_t on_body(char *data, size_t size, size_t n, void *self)
{
    struct text *body = self;
    text_put(body, data, size * n);
    return body->full ? 0 : size * n;
}

static CURL *take_handle(struct http *h)
{
    pthread_mutex_lock(&h->lock);
    CURL *curl = h->n_idle ? h->idle[--h->n_idle] : NULL;
    pthread_mutex_unlock(&h->lock);
    if (curl || !(curl = curl_easy_init()))
        return curl;
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, h->headers);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "paddock");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)h->settings.connect_ms);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    if (h->settings.ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, h->settings.ca_file);
    return curl;
}

static void give_handle(struct http *h, CURL *curl)
{
    pthread_mutex_lock(&h->lock);
    bool kept = h->n_idle < IDLE_MAX;
    if (kept)
        h->idle[h->n_idle++] = curl;
    pthread_mutex_unlock(&h->lock);
    if (!kept)
        curl_easy_cleanup(curl);
}

static bool explain(struct http *h, paddock_call *c, CURLcode code, const char *detail,
                    const struct text *body)
{
    const char *why = detail && *detail ? detail : curl_easy_strerror(code);
    switch (code) {
    case CURLE_OPERATION_TIMEDOUT:
        return paddock_fail(c, PADDOCK_E_TIMEOUT, "no answer in time from %s: %s", h->base, why);
    case CURLE_GOT_NOTHING:
        return paddock_fail(c, PADDOCK_E_UNAVAILABLE, "%s closed the connection without an answer",
                            h->base);
    case CURLE_PARTIAL_FILE:
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "the answer of %s ends in the middle: %s",
                            h->base, why);
    case CURLE_WRITE_ERROR:
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "the answer of %s is larger than %zu bytes",
                            h->base, body->max);
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: whatever it is, it has no status line */
    case CURLE_BAD_CONTENT_ENCODING:
        return paddock_fail(c, PADDOCK_E_PROTOCOL, "%s does not answer with HTTP: %s", h->base,
                            why);
    default: return paddock_fail(c, PADDOCK_E_UNAVAILABLE, "cannot ask %s: %s", h->base, why);
    }
}

static bool perform(struct http *h, paddock_call *c, CURL *curl, const char *url,
                    struct http_reply *reply)
{
    char detail[CURL_ERROR_SIZE] = "";
    uint64_t now = paddock_now_ns(c->host);
    if (now >= c->deadline_ns)
        return paddock_fail(c, PADDOCK_E_TIMEOUT, "no time is left to ask %s", h->base);
    uint64_t left_ms = (c->deadline_ns - now) / 1000000 + 1;
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, detail);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &reply->body);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, left_ms < 86400000 ? (long)left_ms : 86400000L);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &reply->status);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, NULL);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, NULL);
    return code == CURLE_OK || explain(h, c, code, detail, &reply->body);
}

bool http_call(struct http *h, paddock_call *c, const char *path, const struct text *body,
               struct http_reply *reply)
{
    struct text url = {.max = 1 << 14};
    text_puts(&url, h->base);
    text_puts(&url, path);
    if (url.full)
        return paddock_fail(c, PADDOCK_E_CONFIG, "the URL is too long");
    CURL *curl = take_handle(h);
    if (!curl) {
        text_free(&url);
        return paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
    }
    if (body) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body->len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body->data);
    } else {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, NULL);
        curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    reply->body.max = h->settings.max_bytes;
    text_clear(&reply->body);
    bool done = perform(h, c, curl, url.data, reply);
    give_handle(h, curl);
    text_free(&url);
    return done;
}

void http_put_segment(struct text *path, const char *segment)
{
    for (const char *s = segment; *s; s++) {
        unsigned char b = (unsigned char)*s;
        bool plain = (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') ||
                     b == '-' || b == '_' || b == '~' || (b == '.' && s != segment);
        text_printf(path, plain ? "%c" : "%%%02X", b);
    }
}
