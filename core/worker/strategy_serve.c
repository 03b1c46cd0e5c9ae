#include "worker/strategy_serve.h"

#include "base/arena.h"
#include "base/base64.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/mem.h"
#include "extend/plugin_fields.h"
#include "extend/strategy_protocol.h"
#include "worker/confine.h"
#include "worker/load.h"
#include "worker/run.h"
#include "worker/strategy.h"
#include "worker/strategy_turn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define CHUNK 65536u /* bytes read at once */

/* One route's instance; `strategy` borrows the rest. */
struct instance {
    struct strategy strategy;
    json_t *config;
    char *route;
};

struct serving {
    int in, out; /* out of the plugin's way */
    struct bytes line;
    size_t taken; /* bytes of `line` that were answered */
    char nonce[NONCE_LEN + 1];
    struct loaded plugin;
    struct instance *instances[STRATEGY_KEYS];
};

/* ---- lines ---- */

/* The next line without its end, valid until the next call; NULL at the end of input. */
static char *next_line(struct serving *s, size_t *len)
{
    if (s->taken)
        memmove(s->line.data, s->line.data + s->taken, s->line.len - s->taken);
    s->line.len -= s->taken;
    s->taken = 0;
    for (size_t from = 0;;) {
        char *end =
            s->line.len > from ? memchr(s->line.data + from, '\n', s->line.len - from) : NULL;
        if (end) {
            *end = '\0';
            *len = (size_t)(end - s->line.data);
            s->taken = *len + 1;
            return s->line.data;
        }
        from = s->line.len;
        char *room = bytes_room(&s->line, CHUNK);
        ssize_t n = room ? read(s->in, room, CHUNK) : 0;
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return NULL;
        s->line.len += (size_t)n;
    }
}

static bool send_answer(const struct serving *s, struct bytes *answer)
{
    struct bytes line = BYTES_INIT(STRATEGY_ANSWER);
    bytes_printf(&line, NONCE_HEAD "%s\",\"answer\":", s->nonce);
    if (answer->full || !bytes_add(&line, answer->data, answer->len) || !bytes_text(&line, "}\n")) {
        bytes_clear(&line);
        bytes_printf(&line, NONCE_HEAD "%s\",\"answer\":{\"ok\":false,\"error\":\"too long\"}}\n",
                     s->nonce);
    }
    size_t done = 0;
    while (done < line.len) {
        ssize_t n = write(s->out, line.data + done, line.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    bool sent = done == line.len;
    bytes_release(&line);
    return sent;
}

/* ---- the operations ---- */

static struct instance **place_of(struct serving *s, const json_t *q, struct err *e)
{
    const json_t *key = json_object_get(q, "key");
    json_int_t k = json_is_integer(key) ? json_integer_value(key) : -1;
    if (k >= 0 && k < STRATEGY_KEYS)
        return &s->instances[k];
    fail(e, &ERR_INVALID, "no such key");
    return NULL;
}

static int64_t now_of(const json_t *q)
{
    return json_integer_value(json_object_get(q, "now_ms"));
}

/* The configuration with its presets, or NULL and why not. */
static json_t *config_of(const struct serving *s, const json_t *q, struct err *e)
{
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    faults_init(f, a);
    json_t *config = plugin_fields_check(s->plugin.plugin->config, json_object_get(q, "config"), "",
                                         CONFIG_FROM_SERVER, f);
    if (!config)
        fail(e, &ERR_INVALID, "params%s: %s", f->listed ? f->list[0].pointer : "",
             f->listed ? f->list[0].detail : "no memory");
    arena_free(a);
    return config;
}

static bool restore(struct instance *i, const json_t *state)
{
    struct strategy *t = &i->strategy;
    size_t len = 0;
    if (!json_is_string(state) || !t->ops->load)
        return false;
    unsigned char *data = mem_alloc(STRATEGY_STATE);
    bool good = base64_decode(json_string_value(state), data, STRATEGY_STATE, &len) &&
                t->ops->load(&t->pub, data, len);
    free(data);
    return good;
}

static void drop(struct instance **place)
{
    struct instance *i = *place;
    if (!i)
        return;
    strategy_end(&i->strategy);
    json_decref(i->config);
    free(i->route);
    free(i);
    *place = NULL;
}

static bool begin(struct serving *s, const json_t *q, struct instance *i, struct err *e)
{
    const char *seed = json_string_value(json_object_get(q, "seed"));
    const char *route = json_string_value(json_object_get(q, "route"));
    if (!seed || !route)
        return fail(e, &ERR_INVALID, "no seed or no route");
    i->route = mem_text(route);
    i->config = config_of(s, q, e);
    return i->config && strategy_begin(&i->strategy, s->plugin.plugin, i->route, i->config,
                                       strtoull(seed, NULL, 10), now_of(q), e);
}

/* A state that load() refuses may have been taken by half: begin anew without it. */
static bool open_instance(struct serving *s, const json_t *q, struct bytes *out, struct err *e)
{
    const json_t *state = json_object_get(q, "state");
    struct instance **place = place_of(s, q, e);
    if (!place || (*place && !fail(e, &ERR_INVALID, "the key is in use")))
        return false;
    struct instance *i = mem_zero(1, sizeof *i);
    bool good = begin(s, q, i, e), restored = good && restore(i, state);
    if (good && !restored && json_is_string(state)) {
        strategy_end(&i->strategy);
        good = strategy_begin(&i->strategy, s->plugin.plugin, i->route, i->config,
                              i->strategy.pub.seed, now_of(q), e);
    }
    if (!good) {
        json_decref(i->config);
        free(i->route);
        free(i);
        return false;
    }
    *place = i;
    json_kv_bool(out, "restored", restored);
    return true;
}

static bool answer(struct serving *s, const json_t *q, struct bytes *out, struct err *e)
{
    const char *op = json_string_value(json_object_get(q, "op"));
    struct instance **place;
    if (op && strcmp(op, "open") == 0)
        return open_instance(s, q, out, e);
    place = place_of(s, q, e);
    if (!place || (!*place && !fail(e, &ERR_INVALID, "no instance has this key")))
        return false;
    if (op && strcmp(op, "turn") == 0) {
        (*place)->strategy.pub.now_ms = now_of(q);
        return strategy_take_turn(&(*place)->strategy, q, out, e);
    }
    drop(place); /* "close" */
    return true;
}

/* Lines until the input ends. */
static int serve(struct serving *s)
{
    size_t len;
    for (char *line; (line = next_line(s, &len));) {
        struct err e = {0};
        struct bytes out = BYTES_INIT(STRATEGY_ANSWER);
        json_t *q = json_read(line, len, &e);
        bytes_text(&out, "{\"ok\":true");
        if (!q || !answer(s, q, &out, &e)) {
            bytes_clear(&out);
            bytes_text(&out, "{\"ok\":false");
            json_kv_string(&out, "error", e.detail);
        }
        bytes_char(&out, '}');
        bool sent = send_answer(s, &out);
        bytes_release(&out);
        json_decref(q);
        if (!sent)
            return 1;
    }
    return 0;
}

/* ---- the beginning ---- */

static bool move_away(struct serving *s, struct err *e)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    s->in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 32);
    s->out = fcntl(REPORT_FD, F_DUPFD_CLOEXEC, 32);
    if (null < 0 || s->in < 0 || s->out < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, REPORT_FD) < 0)
        return fail_errno(e, &ERR_INTERNAL, "no descriptors");
    return true;
}

static bool greet(struct serving *s, char sha256[65], uint64_t *memory, struct err *e)
{
    size_t len;
    const char *line = next_line(s, &len);
    json_t *hello = line ? json_read(line, len, e) : NULL;
    const char *nonce = json_string_value(json_object_get(hello, "nonce"));
    const char *sha = json_string_value(json_object_get(hello, "sha256"));
    json_int_t bytes = json_integer_value(json_object_get(hello, "memory_bytes"));
    bool good = nonce && strlen(nonce) == NONCE_LEN && (!sha || strlen(sha) == 64);
    if (good) {
        memcpy(s->nonce, nonce, NONCE_LEN + 1);
        snprintf(sha256, 65, "%s", sha ? sha : "");
        *memory = bytes > 0 ? (uint64_t)bytes : STRATEGY_MEMORY;
    }
    json_decref(hello);
    return good || fail(e, &ERR_INVALID, "the first line is not the host's");
}

static bool begin_serving(struct serving *s, const char *file, const char *user, struct err *e)
{
    char sha256[65] = "";
    uint64_t memory = 0;
    pid_t parent = getppid();
    sigset_t none;
    sigemptyset(&none);
    RUN.deadline_ns = UINT64_MAX; /* nobody's run: there is no end of time */
    signal(SIGPIPE, SIG_IGN);
    if (!move_away(s, e) || !greet(s, sha256, &memory, e))
        return false;
    struct confine confine = {.memory_bytes = memory,
                              .scratch_bytes = 1u << 20,
                              .cpu_seconds = RLIM_INFINITY,
                              .processes = 1,
                              .open_files = 64};
    int fd = load_open(file, e);
    if (fd < 0 || !confine_user(user, getpid(), &confine, e) || !confine_self(&confine, e) ||
        !confine_heap(memory, e))
        return false;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0 || getppid() != parent)
        return fail(e, &ERR_INTERNAL, "who started us is gone");
    sigprocmask(SIG_SETMASK, &none, NULL);
    return load_plugin(fd, file, *sha256 ? sha256 : NULL, &s->plugin, e) &&
           (s->plugin.plugin->kind == PADDOCK_KIND_STRATEGY ||
            fail(e, &ERR_INVALID, "it is no strategy"));
}

int strategy_serve(const char *file, const char *user)
{
    struct serving *s = mem_zero(1, sizeof *s);
    struct bytes hello = BYTES_INIT(1024);
    struct err e = {0};
    s->line = BYTES_INIT(STRATEGY_QUESTION + CHUNK);
    bool good = begin_serving(s, file, user, &e);
    bytes_text(&hello, good ? "{\"ok\":true" : "{\"ok\":false");
    if (!good)
        json_kv_string(&hello, "error", e.detail);
    bytes_char(&hello, '}');
    return send_answer(s, &hello) && good ? serve(s) : 1;
}
