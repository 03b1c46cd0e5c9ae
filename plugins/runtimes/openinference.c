/* The runtime "openinference": a model behind HTTP or HTTPS that speaks the Open Inference
 * Protocol, version 2, in JSON (KServe, Triton, MLServer, TorchServe, OpenVINO and others do).
 *
 *   GET  <url>/v2/models/<name>[/versions/<version>][/ready]
 *   POST <url>/v2/models/<name>[/versions/<version>]/infer */
#include "../shared/http.h"
#include "../shared/tensor_json.h"

#include <paddock/plugin.h>
#include <pthread.h>
#include <stdlib.h>

#define WHO "the server"

struct server {
    struct http *http;
    struct text path; /* "/v2/models/..." */
    struct text header;
    const char *version;
    uint64_t max_bytes;
    struct metadata metadata;
    pthread_mutex_t lock; /* metadata, which stays once it is there */
};

static const paddock_field CONFIG[] = {
    {"url", PADDOCK_FIELD_TEXT, PADDOCK_REQUIRED, 1, 2048, NULL, NULL, NULL,
     "Address of the server without the protocol's path: \"http://models:8000\"."},
    {"model_name", PADDOCK_FIELD_TEXT, PADDOCK_REQUIRED, 1, 256, NULL, NULL, NULL,
     "The model's name on that server."},
    {"model_version", PADDOCK_FIELD_TEXT, 0, 1, 256, NULL, NULL, NULL,
     "The version there; left out, the server chooses."},
    {"secret", PADDOCK_FIELD_TEXT, PADDOCK_SECRET, 0, 0, NULL, NULL, NULL,
     "Name of the secret that is sent with each request."},
    {"secret_header", PADDOCK_FIELD_TEXT, 0, 1, 128, "\"Authorization\"", NULL, NULL,
     "The request header that carries the secret."},
    {"secret_prefix", PADDOCK_FIELD_TEXT, 0, 0, 64, "\"Bearer \"", NULL, NULL,
     "What stands before the secret in that header."},
    {"connect_timeout_ms", PADDOCK_FIELD_INTEGER, 0, 1, 600000, "5000", NULL, NULL,
     "Longest wait for a connection, in milliseconds."},
    {"max_answer_bytes", PADDOCK_FIELD_INTEGER, 0, 1024, 1 << 30, "67108864", NULL, NULL,
     "An answer larger than this is refused, in bytes."},
    {"ca_file", PADDOCK_FIELD_TEXT, PADDOCK_SERVER, 0, 0, NULL, NULL, NULL,
     "File with the certificates to trust instead of the system's."},
    {NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL},
};

static void server_close(void *self)
{
    struct server *s = self;
    http_free(s->http);
    metadata_release(&s->metadata);
    text_free(&s->path);
    text_free(&s->header);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* "Authorization: Bearer x", or NULL without a secret. */
static const char *make_header(struct server *s, const paddock_host *h, const paddock_value *config)
{
    const char *secret = paddock_text(h, config, "secret");
    if (!secret)
        return NULL;
    text_puts(&s->header, paddock_text(h, config, "secret_header"));
    text_puts(&s->header, ": ");
    text_puts(&s->header, paddock_text(h, config, "secret_prefix"));
    text_puts(&s->header, secret);
    return s->header.data;
}

static void *server_open(paddock_call *c, const paddock_value *config)
{
    const paddock_host *h = c->host;
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        paddock_fail(c, PADDOCK_E_INTERNAL, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&s->lock, NULL);
    s->path.max = 1 << 13;
    s->header.max = 1 << 16;
    s->version = paddock_text(h, config, "model_version");
    s->max_bytes = (uint64_t)paddock_integer(h, config, "max_answer_bytes");
    text_puts(&s->path, "/v2/models/");
    http_put_segment(&s->path, paddock_text(h, config, "model_name"));
    if (s->version) {
        text_puts(&s->path, "/versions/");
        http_put_segment(&s->path, s->version);
    }
    struct http_settings settings = {
        .url = paddock_text(h, config, "url"),
        .header = make_header(s, h, config),
        .ca_file = paddock_text(h, config, "ca_file"),
        .connect_ms = (uint64_t)paddock_integer(h, config, "connect_timeout_ms"),
        .max_bytes = s->max_bytes,
    };
    if (s->path.full || s->header.full)
        paddock_fail(c, PADDOCK_E_CONFIG, "the model's name or the secret is too long");
    else
        s->http = http_new(c, &settings);
    if (s->http)
        return s;
    server_close(s);
    return NULL;
}

/* What a status other than 200 means. */
static uint32_t error_of_status(long status)
{
    switch (status) {
    case 401:
    case 403:
    case 407: return PADDOCK_E_CONFIG;
    case 404: return PADDOCK_E_NOT_FOUND;
    case 408:
    case 504: return PADDOCK_E_TIMEOUT;
    case 429:
    case 502:
    case 503: return PADDOCK_E_UNAVAILABLE;
    default:
        return status >= 500   ? PADDOCK_E_MODEL
               : status >= 400 ? PADDOCK_E_INPUT
                               : PADDOCK_E_PROTOCOL;
    }
}

/* The protocol's {"error": text}, or how the body begins. */
static bool fail_by_status(paddock_call *c, const struct http_reply *r)
{
    char excerpt[240];
    const char *data = r->body.len ? r->body.data : "";
    json_t *root = json_loadb(data, r->body.len, 0, NULL);
    const char *error = json_string_value(json_object_get(root, "error"));
    text_excerpt(error ? error : data, error ? strlen(error) : r->body.len, excerpt,
                 sizeof excerpt);
    json_decref(root);
    return paddock_fail(c, error_of_status(r->status), WHO " answered %ld%s%s", r->status,
                        *excerpt ? ": " : "", excerpt);
}

/* Call <path><suffix>; a status other than 200 is a failure. The body is the caller's to free. */
static bool call(struct server *s, paddock_call *c, const char *suffix, const struct text *body,
                 struct http_reply *reply)
{
    struct text path = {.max = 1 << 14};
    text_puts(&path, s->path.data);
    text_puts(&path, suffix);
    bool done = http_call(s->http, c, path.data, body, reply) &&
                (reply->status == 200 || fail_by_status(c, reply));
    text_free(&path);
    return done;
}

static bool server_ready(void *self, paddock_call *c)
{
    struct http_reply reply = {0};
    bool ready = call(self, c, "/ready", NULL, &reply);
    if (ready) { /* some say no in the body; most say nothing */
        json_t *root = json_loadb(reply.body.len ? reply.body.data : "", reply.body.len, 0, NULL);
        ready = !json_is_false(json_object_get(root, "ready")) ||
                paddock_fail(c, PADDOCK_E_UNAVAILABLE, WHO " says that the model is not ready");
        json_decref(root);
    }
    text_free(&reply.body);
    return ready;
}

static const paddock_metadata *server_metadata(void *self, paddock_call *c)
{
    struct server *s = self;
    pthread_mutex_lock(&s->lock);
    bool known = s->metadata.root != NULL;
    struct http_reply reply = {0};
    if (!known && call(s, c, "", NULL, &reply)) {
        json_t *root = answer_parse(c, WHO, reply.body.data, reply.body.len);
        known = root && metadata_read(&s->metadata, c, WHO, root, s->version);
    }
    text_free(&reply.body);
    pthread_mutex_unlock(&s->lock);
    return known ? &s->metadata.said : NULL;
}

static bool server_infer(void *self, paddock_call *c, const paddock_request *rq)
{
    struct server *s = self;
    struct text body = {.max = 1 << 30};
    struct http_reply reply = {0};
    bool done = false;
    text_puts(&body, "{");
    if (!request_write(&body, c, rq))
        goto out;
    text_puts(&body, "}");
    if (!call(s, c, "/infer", &body, &reply))
        goto out;
    json_t *root = answer_parse(c, WHO, reply.body.data, reply.body.len);
    done = root && answer_take(c, WHO, root, rq);
    json_decref(root);
out:
    text_free(&body);
    text_free(&reply.body);
    return done;
}

static const paddock_runtime_ops OPS = {
    .open = server_open,
    .close = server_close,
    .ready = server_ready,
    .metadata = server_metadata,
    .infer = server_infer,
    .parallel = 1,
};

PADDOCK_PLUGIN(.kind = PADDOCK_KIND_RUNTIME, .flags = 0, .id = "openinference", .version = "1.0.0",
               .summary = "A model behind HTTP that speaks the Open Inference Protocol, version 2",
               .config = CONFIG, .ops = &OPS);
