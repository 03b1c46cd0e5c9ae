/* `paddock token`: tokens at the data directory of a server that is stopped, through the same
 * engine and journal, or over HTTP at one that runs. */
#include "base/json.h"
#include "base/log.h"
#include "cli/cli.h"
#include "cli/token_args.h"
#include "engine/engine.h"
#include "http/client.h"
#include "registry/document.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH "/api/models/enterprise/tokens"

/* --- showing --- */

static const char *text_of(const json_t *token, const char *member)
{
    const char *text = json_string_value(json_object_get(token, member));
    return text ? text : "-";
}

static void show_token(const json_t *token, bool whole)
{
    struct bytes b = BYTES_INIT(1 << 20);
    json_put_value(&b, whole ? token : json_object_get(token, "grants"));
    if (whole)
        printf("%s\n", b.data);
    else
        printf("%-24s %-12s %-10s %-14s %-24s %s\n", text_of(token, "token_id"),
               text_of(token, "namespace"), text_of(token, "role"), text_of(token, "key"),
               text_of(token, "expires_at"), b.data);
    bytes_release(&b);
}

static void show_head(bool whole)
{
    if (!whole)
        printf("%-24s %-12s %-10s %-14s %-24s %s\n", "TOKEN", "NAMESPACE", "ROLE", "KEY", "EXPIRES",
               "GRANTS");
}

/* --- at the data directory --- */

struct place {
    int lock;
    struct store *store;
    struct engine *engine;
    struct rules rules;
};

/* Only `create` makes a store where there is none: a token may come before the first start. */
static bool place_ready(const struct token_args *args, struct err *e)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/control.db", args->data_dir);
    if (len < 0 || (size_t)len >= sizeof path)
        return fail(e, &ERR_CONFIG, "the path of the data directory is too long");
    if (strcmp(args->verb, "create") == 0)
        return mkdir(args->data_dir, 0700) == 0 || errno == EEXIST ||
               fail_errno(e, &ERR_CONFIG, "--data-dir %s", args->data_dir);
    return access(path, R_OK) == 0 ||
           fail(e, &ERR_CONFIG, "there is no store in '%s'", args->data_dir);
}

static bool place_open(struct place *p, const struct token_args *args, struct err *e)
{
    *p = (struct place){.lock = -1};
    if (!place_ready(args, e))
        return false;
    p->lock = data_dir_lock(args->data_dir, e);
    if (p->lock < 0 || !data_dir_embedded(args->data_dir, e))
        return false;
    p->store = store_sqlite_open(args->data_dir, &CLOCK_SYSTEM, e);
    if (!p->store)
        return false;
    const struct engine_config config = {
        .store = p->store, .clock = &CLOCK_SYSTEM, .rules = &p->rules};
    p->engine = engine_start(&config, e);
    return p->engine != NULL;
}

static void place_close(struct place *p)
{
    engine_stop(p->engine);
    if (p->store)
        p->store->ops->close(p->store);
    if (p->lock >= 0)
        close(p->lock);
}

struct listing {
    const char *ns; /* NULL: all */
    bool whole;
};

static bool show_entity(const struct entity *entity, void *ctx)
{
    const struct listing *l = ctx;
    json_t *token = NULL;
    if (!l->ns || strcmp(l->ns, entity->ns) == 0)
        token = json_read(entity->json, entity->json_len, NULL);
    if (token)
        show_token(token, l->whole);
    json_decref(token);
    return true;
}

static bool list_here(struct place *p, const struct token_args *args, struct err *e)
{
    struct listing l = {args->wish.ns, args->json};
    struct view_reader *reader = engine_join(p->engine);
    if (!reader)
        return fail(e, &ERR_INTERNAL, "too many threads read views");
    show_head(l.whole);
    view_each(view_enter(reader), ENTITY_TOKEN, show_entity, &l);
    view_leave(reader);
    engine_part(reader);
    return true;
}

static bool create_here(struct place *p, const struct token_args *args, struct err *e)
{
    struct token_secret secret;
    struct token_wish wish = args->wish;
    bool made = false;
    wish.actor_id = "paddock token create";
    if (!token_make(p->engine, &wish, &secret, &made, e))
        return false;
    puts(secret.text);
    explicit_bzero(&secret, sizeof secret);
    return true;
}

static bool run_here(const struct token_args *args, struct err *e)
{
    struct place p;
    bool ok = place_open(&p, args, e);
    if (ok && strcmp(args->verb, "create") == 0)
        ok = create_here(&p, args, e);
    else if (ok && strcmp(args->verb, "list") == 0)
        ok = list_here(&p, args, e);
    else if (ok)
        ok = token_revoke(p.engine, args->wish.ns, args->wish.token_id, e);
    place_close(&p);
    return ok;
}

/* --- over HTTP --- */

static bool refused(const struct http_answer *answer, struct err *e)
{
    json_t *problem =
        answer->body.len ? json_read(answer->body.data, answer->body.len, NULL) : NULL;
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    fail(e, &ERR_IO, "%d %s", answer->status, detail ? detail : "");
    json_decref(problem);
    return false;
}

static bool call(const struct token_args *args, const char *method, const char *path,
                 const char *body, struct http_answer *out, struct err *e)
{
    char url[2048], ns[256];
    const char *const headers[] = {"Content-Type: application/json", ns, NULL};
    int len = snprintf(url, sizeof url, "%.*s%s", (int)strcspn(args->url, " "), args->url, path);
    if (len < 0 || (size_t)len >= sizeof url)
        return fail(e, &ERR_CONFIG, "the URL is too long");
    snprintf(ns, sizeof ns, "Paddock-Namespace: %s", args->wish.ns ? args->wish.ns : "default");
    if (args->secret && !args->insecure && !http_url_private(url))
        return fail(e, &ERR_CONFIG,
                    "%.200s: a token is not sent over plain HTTP to another machine without "
                    "--insecure",
                    args->url);
    const struct http_call c = {.method = method,
                                .url = url,
                                .headers = headers,
                                .token = args->secret,
                                .body = body,
                                .body_len = body ? strlen(body) : 0,
                                .ca_file = args->ca_file};
    if (!http_call(&c, out, e))
        return false;
    bool good = out->status >= 200 && out->status < 300;
    if (!good) {
        refused(out, e);
        bytes_release(&out->body);
    }
    return good;
}

static bool create_there(const struct token_args *args, struct err *e)
{
    struct http_answer answer;
    json_t *body = token_wish_body(&args->wish, e);
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    bool ok = text && call(args, "POST", PATH, text, &answer, e);
    free(text);
    json_decref(body);
    if (!ok)
        return false;
    json_t *made = answer.body.len ? json_read(answer.body.data, answer.body.len, e) : NULL;
    const char *secret = json_string_value(json_object_get(made, "token"));
    ok = secret != NULL;
    if (ok)
        puts(secret);
    else
        fail(e, &ERR_IO, "the answer holds no secret");
    explicit_bzero(answer.body.data, answer.body.len);
    bytes_release(&answer.body);
    json_decref(made);
    return ok;
}

/* One page; `next` is its cursor, to be freed, or NULL at the end. */
static bool list_page(const struct token_args *args, char **next, struct err *e)
{
    char path[1024];
    struct http_answer answer;
    json_t *token;
    size_t i;
    const bool first = !*next;
    snprintf(path, sizeof path, PATH "?limit=1000%s%s", *next ? "&cursor=" : "",
             *next ? *next : "");
    free(*next);
    *next = NULL;
    if (!call(args, "GET", path, NULL, &answer, e))
        return false;
    if (first)
        show_head(args->json);
    json_t *page = answer.body.len ? json_read(answer.body.data, answer.body.len, e) : NULL;
    json_array_foreach(json_object_get(page, "items"), i, token)
        show_token(token, args->json);
    const char *cursor = json_string_value(json_object_get(page, "next_cursor"));
    *next = cursor ? strdup(cursor) : NULL;
    bytes_release(&answer.body);
    json_decref(page);
    return true;
}

static bool list_there(const struct token_args *args, struct err *e)
{
    char *next = NULL;
    bool ok;
    do
        ok = list_page(args, &next, e);
    while (ok && next);
    free(next);
    return ok;
}

static bool run_there(const struct token_args *args, struct err *e)
{
    char path[512];
    struct http_answer answer;
    if (strcmp(args->verb, "create") == 0)
        return create_there(args, e);
    if (strcmp(args->verb, "list") == 0)
        return list_there(args, e);
    if (strspn(args->wish.token_id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                    "0123456789._:-") != strlen(args->wish.token_id))
        return fail(e, &ERR_CONFIG, "'%.128s' is no token's id", args->wish.token_id);
    snprintf(path, sizeof path, PATH "/%.200s", args->wish.token_id);
    if (!call(args, "DELETE", path, NULL, &answer, e))
        return false;
    bytes_release(&answer.body);
    return true;
}

int cli_token(int argc, char **argv)
{
    struct err e = {0};
    struct token_args args;
    struct arena *a = arena_new(1 << 20);
    int status = 0;
    umask(0077); /* `create` may make a data directory */
    if (!token_args_read(argc, argv, a, &args, &e)) {
        fprintf(stderr, "paddock token: %s\n%s", e.detail, TOKEN_USAGE);
        status = 2;
    } else if (!(args.url ? run_there(&args, &e) : run_here(&args, &e))) {
        fprintf(stderr, "paddock token %s: %s\n", args.verb, e.detail);
        status = 1;
    }
    arena_free(a);
    return status;
}
