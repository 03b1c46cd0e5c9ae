/* crash ROUNDS [SHIM ROLLBACK [lie]]: kill -9 under load, and what was acknowledged is all there,
 * once.
 *
 * Eight writers post batches of records, each to a model of its own; two change models (patch one,
 * register others). At a random moment the server is killed; with SHIM the writes not yet synced
 * are undone by ROLLBACK. After the restart every writer's count must be what was acknowledged, or
 * that plus the one batch that was under way: never a part of it. Changes likewise. */
#include "support/client.h"
#include "support/server.h"

#include <inttypes.h>
#include <jansson.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BASE    "/api/models/enterprise"
#define WRITERS 8

static const int BATCH_SIZES[WRITERS] = {1, 1, 3, 10, 100, 100, 1000, 1000};

struct world {
    struct test_server server;
    atomic_bool stop;
    /* What each worker knows was acknowledged, and what may have been done without an answer. */
    uint64_t acked[WRITERS], pending[WRITERS];
    uint64_t patch_acked, patch_pending;     /* number in the description */
    uint64_t registered, registered_pending; /* versions 1..n of `made` */
    unsigned long rounds, kills, faults;
    unsigned seed;
};

struct worker {
    struct world *world;
    int index;
    pthread_t thread;
};

static void fault(struct world *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void fault(struct world *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "FAULT in round %lu: ", w->rounds);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    w->faults++;
}

/* One exchange on a kept connection. The status, or 0 when the server is gone. */
static int exchange(int fd, const char *method, const char *path, const char *type,
                    const char *body, size_t len, struct client_reply *reply)
{
    char head[1024];
    int n = snprintf(head, sizeof head,
                     "%s " BASE
                     "%s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                     method, path, type, len);
    if (!client_send(fd, head, (size_t)n) || !client_send(fd, body, len) ||
        !client_read(fd, false, reply))
        return 0;
    return reply->status;
}

static char *make_batch(int size, size_t *len)
{
    char *text = malloc((size_t)size * 64);
    *len = 0;
    for (int i = 0; i < size; i++)
        *len += (size_t)snprintf(text + *len, 64, "{\"latency_ms\":%d.5,\"success\":%s}\n",
                                 i % 90 + 1, i % 10 ? "true" : "false");
    return text;
}

static void *write_records(void *arg)
{
    struct worker *me = arg;
    struct world *w = me->world;
    int i = me->index, fd = client_connect(w->server.port);
    char path[64];
    size_t len;
    char *body = make_batch(BATCH_SIZES[i], &len);
    snprintf(path, sizeof path, "/registry/writer-%d:1/inference", i);
    while (fd >= 0 && !atomic_load(&w->stop)) {
        struct client_reply reply;
        w->pending[i] = (uint64_t)BATCH_SIZES[i];
        int status = exchange(fd, "POST", path, "application/x-ndjson", body, len, &reply);
        client_reply_release(&reply);
        if (status != 202)
            break;
        w->acked[i] += (uint64_t)BATCH_SIZES[i];
        w->pending[i] = 0;
    }
    close(fd);
    free(body);
    return NULL;
}

static void *patch_model(void *arg)
{
    struct worker *me = arg;
    struct world *w = me->world;
    int fd = client_connect(w->server.port);
    while (fd >= 0 && !atomic_load(&w->stop)) {
        struct client_reply reply;
        char body[64];
        int n =
            snprintf(body, sizeof body, "{\"description\":\"%" PRIu64 "\"}", w->patch_acked + 1);
        w->patch_pending = w->patch_acked + 1;
        int status = exchange(fd, "PATCH", "/registry/writer-0:1", "application/json", body,
                              (size_t)n, &reply);
        client_reply_release(&reply);
        if (status != 200)
            break;
        w->patch_acked = w->patch_pending;
        w->patch_pending = 0;
    }
    close(fd);
    return NULL;
}

static void *register_models(void *arg)
{
    struct worker *me = arg;
    struct world *w = me->world;
    int fd = client_connect(w->server.port);
    while (fd >= 0 && !atomic_load(&w->stop)) {
        struct client_reply reply;
        static const char BODY[] = "{\"name\":\"made\",\"type\":\"other\"}";
        w->registered_pending = 1;
        int status =
            exchange(fd, "POST", "/registry", "application/json", BODY, sizeof BODY - 1, &reply);
        client_reply_release(&reply);
        if (status != 201)
            break;
        w->registered++;
        w->registered_pending = 0;
    }
    close(fd);
    return NULL;
}

static json_t *get(struct world *w, const char *path)
{
    char target[256];
    struct client_reply reply;
    snprintf(target, sizeof target, BASE "%s", path);
    json_t *json = NULL;
    if (client_call(w->server.port, "GET", target, "", "", 0, &reply) && reply.status == 200)
        json = json_loads(reply.body, 0, NULL);
    else
        fault(w, "GET %s: %d %.300s", path, reply.status, reply.body ? reply.body : "");
    client_reply_release(&reply);
    return json;
}

static void check_writer(struct world *w, int i)
{
    char path[128];
    snprintf(path, sizeof path, "/registry/writer-%d:1/metrics?window=1d", i);
    json_t *json = get(w, path);
    const json_t *lifetime = json_object_get(json, "lifetime"),
                 *window = json_object_get(json, "inferences");
    uint64_t total = (uint64_t)json_integer_value(json_object_get(lifetime, "total"));
    uint64_t counted = (uint64_t)json_integer_value(json_object_get(window, "total"));
    uint64_t sketch =
        (uint64_t)json_integer_value(json_object_get(json_object_get(json, "latency_ms"), "count"));
    if (total != w->acked[i] && total != w->acked[i] + w->pending[i])
        fault(w, "writer %d: %" PRIu64 " acknowledged, %" PRIu64 " under way, %" PRIu64 " there", i,
              w->acked[i], w->pending[i], total);
    if (counted != total || sketch != total)
        fault(w, "writer %d: lifetime %" PRIu64 ", window %" PRIu64 ", sketch %" PRIu64, i, total,
              counted, sketch);
    w->acked[i] = total;
    w->pending[i] = 0;
    json_decref(json);
}

static void check_changes(struct world *w)
{
    json_t *json = get(w, "/registry/writer-0:1");
    const char *text = json_string_value(json_object_get(json, "description"));
    uint64_t got = text ? strtoull(text, NULL, 10) : 0;
    if (got != w->patch_acked && (!w->patch_pending || got != w->patch_pending))
        fault(w, "description: %" PRIu64 " acknowledged, %" PRIu64 " there", w->patch_acked, got);
    if ((uint64_t)json_integer_value(json_object_get(json, "revision")) != got + 1)
        fault(w, "description %" PRIu64 " at revision %lld", got,
              (long long)json_integer_value(json_object_get(json, "revision")));
    w->patch_acked = got;
    w->patch_pending = 0;
    json_decref(json);

    json = get(w, "/registry?name=made&limit=1");
    got = (uint64_t)json_integer_value(json_object_get(json, "total"));
    if (got != w->registered && got != w->registered + w->registered_pending)
        fault(w, "%" PRIu64 " registrations acknowledged, %" PRIu64 " there", w->registered, got);
    w->registered = got;
    w->registered_pending = 0;
    json_decref(json);
}

static void sleep_ms(unsigned ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static void run_load(struct world *w, unsigned ms)
{
    struct worker workers[WRITERS + 2];
    void *(*const WORK[])(void *) = {patch_model, register_models};
    atomic_store(&w->stop, false);
    for (int i = 0; i < WRITERS + 2; i++) {
        workers[i].world = w;
        workers[i].index = i;
        pthread_create(&workers[i].thread, NULL, i < WRITERS ? write_records : WORK[i - WRITERS],
                       &workers[i]);
    }
    sleep_ms(ms);
    test_server_end(&w->server, SIGKILL);
    atomic_store(&w->stop, true);
    for (int i = 0; i < WRITERS + 2; i++)
        pthread_join(workers[i].thread, NULL);
    w->kills++;
}

static void set_up(struct world *w)
{
    for (int i = 0; i < WRITERS; i++) {
        struct client_reply reply;
        char body[128];
        int n = snprintf(body, sizeof body,
                         "{\"name\":\"writer-%d\",\"type\":\"other\",\"description\":\"0\"}", i);
        if (!client_call(w->server.port, "POST", BASE "/registry",
                         "Content-Type: application/json\r\n", body, (size_t)n, &reply) ||
            reply.status != 201)
            fault(w, "cannot register writer %d", i);
        client_reply_release(&reply);
    }
}

static bool start(struct world *w, const char *shim, const char *undo)
{
    unlink(undo);
    setenv("SHIM_DIR", w->server.dir, 1);
    setenv("SHIM_UNDO", undo, 1);
    w->server.preload = shim;
    bool started = test_server_start(&w->server);
    if (!started)
        fault(w, "the server does not start again");
    return started;
}

static void lose_unsynced(struct world *w, const char *rollback, const char *undo)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s' '%s' %u && rm -f '%s'.*", rollback, undo,
             (unsigned)rand_r(&w->seed), undo);
    FILE *p = popen(command, "re");
    char line[256] = "";
    if (!p || !fgets(line, sizeof line, p))
        fault(w, "the roll-back did not run");
    if (p && pclose(p) != 0)
        fault(w, "the roll-back failed");
    if (w->rounds < 3)
        fprintf(stderr, "round %lu: %s", w->rounds, line);
}

static void verify_journal(struct world *w)
{
    char command[1024];
    snprintf(command, sizeof command, "'%s' audit verify --data-dir '%s'", getenv("PADDOCK_BIN"),
             w->server.dir);
    FILE *p = popen(command, "re");
    char line[1024];
    while (p && fgets(line, sizeof line, p))
        fputs(line, stderr);
    if (!p || pclose(p) != 0)
        fault(w, "the journal does not verify");
}

int main(int argc, char **argv)
{
    static struct world w;
    char undo[160];
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 4;
    const char *shim = argc > 3 ? argv[2] : NULL, *rollback = argc > 3 ? argv[3] : NULL;
    setenv("SHIM_LIE", argc > 4 ? "1" : "0", 1);
    test_server_init(&w.server);
    snprintf(undo, sizeof undo, "%s.undo", w.server.dir);
    w.seed = (unsigned)time(NULL);
    fprintf(stderr, "seed %u\n", w.seed);
    if (!start(&w, NULL, undo))
        return 1;
    set_up(&w);
    test_server_end(&w.server, SIGTERM);
    for (w.rounds = 0; w.rounds < rounds; w.rounds++) {
        /* With a shim, every other round goes without, so that both kinds of crash are seen. */
        bool shimmed = shim && (w.rounds % 2 == 0 || argc > 4);
        if (!start(&w, shimmed ? shim : NULL, undo))
            break;
        run_load(&w, 50 + (unsigned)rand_r(&w.seed) % 900);
        if (shimmed)
            lose_unsynced(&w, rollback, undo);
        if (!start(&w, NULL, undo))
            break;
        for (int i = 0; i < WRITERS; i++)
            check_writer(&w, i);
        check_changes(&w);
        test_server_end(&w.server, w.rounds % 3 ? SIGKILL : SIGTERM);
        if (w.faults && argc > 4)
            break;
    }
    verify_journal(&w);
    uint64_t records = 0;
    for (int i = 0; i < WRITERS; i++)
        records += w.acked[i];
    printf("%lu rounds, %lu kills, %" PRIu64 " records, %" PRIu64 " patches, %" PRIu64
           " registrations, %lu faults\n",
           w.rounds, w.kills, records, w.patch_acked, w.registered, w.faults);
    test_server_release(&w.server);
    unlink(undo);
    return w.faults || w.rounds < rounds ? 1 : 0;
}
