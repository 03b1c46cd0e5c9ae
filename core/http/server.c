#include "http/server_impl.h"

#include "base/cond.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "http/listener.h"
#include "http/tls.h"
#include "base/thread.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS_MAX 64

/* --- shared by the loops --- */

enum server_admission server_admit(struct http_server *s, uint64_t address)
{
    enum server_admission result = FULL;
    if (atomic_fetch_add(&s->connections, 1) < s->config.connections_max) {
        if (crowd_enter(s->crowd, address, s->config.connections_per_address))
            return ADMITTED;
        result = CROWDED;
    }
    atomic_fetch_sub(&s->connections, 1);
    return result;
}

void server_leave(struct http_server *s, uint64_t address)
{
    atomic_fetch_sub(&s->connections, 1);
    crowd_leave(s->crowd, address);
}

bool server_reserve(struct http_server *s, size_t bytes)
{
    if (atomic_fetch_add(&s->body_reserved, bytes) + bytes <= s->config.body_budget)
        return true;
    atomic_fetch_sub(&s->body_reserved, bytes);
    return false;
}

void server_unreserve(struct http_server *s, size_t bytes)
{
    atomic_fetch_sub(&s->body_reserved, bytes);
}

void server_loop_drained(struct http_server *s)
{
    pthread_mutex_lock(&s->mutex);
    s->drained++;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

/* --- threads --- */

static void report_start(struct http_server *s, bool good, const struct err *e)
{
    pthread_mutex_lock(&s->mutex);
    if (good) {
        s->started++;
    } else if (s->failed++ == 0) {
        s->start_error = *e;
        s->start_error.members = NULL;
    }
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
}

static void *loop_thread(void *arg)
{
    struct loop *l = arg;
    const struct http_config *config = l->config;
    struct err e = {.kind = NULL};
    bool begun = !config->loop_start || config->loop_start(l, config->app, &e);
    bool good = begun && listener_start(l, &e);
    report_start(l->server, good, &e);
    if (good)
        loop_run(l);
    if (begun && config->loop_stop)
        config->loop_stop(l, config->app);
    return NULL;
}

static bool start_threads(struct http_server *s, struct err *e)
{
    bool good = true;
    while (good && s->n_threads < s->n_loops) {
        struct loop *l = s->loops[s->n_threads];
        char name[16];
        snprintf(name, sizeof name, "http-%u", s->n_threads % 1000);
        good = thread_start(&l->thread, name, THREAD_LOOP, loop_thread, l, e);
        s->n_threads += good;
    }
    pthread_mutex_lock(&s->mutex);
    while (s->started + s->failed < s->n_threads)
        pthread_cond_wait(&s->cond, &s->mutex);
    if (good && s->failed) {
        if (e)
            *e = s->start_error;
        good = false;
    }
    pthread_mutex_unlock(&s->mutex);
    return good;
}

/* --- start --- */

static void fill_defaults(struct http_config *c)
{
#define DEFAULT(field, value) c->field = c->field ? c->field : (value)
    DEFAULT(header_max, 16 << 10);
    DEFAULT(body_max, 1 << 20);
    DEFAULT(body_budget, (size_t)256 << 20);
    DEFAULT(reply_budget, (size_t)256 << 20);
    DEFAULT(connections_max, 20000);
    DEFAULT(connections_per_address, (c->connections_max + 1) / 2);
    DEFAULT(header_timeout_ms, 10000);
    DEFAULT(body_timeout_ms, 60000);
    DEFAULT(idle_timeout_ms, 75000);
    DEFAULT(write_timeout_ms, 30000);
    DEFAULT(heartbeat_ms, 15000);
    DEFAULT(threads, 1);
    DEFAULT(handshake_timeout_ms, 10000);
    DEFAULT(handshakes_max, 4096);
    DEFAULT(limits_places, 65536);
    DEFAULT(address_burst, c->address_rate);
#undef DEFAULT
}

static bool make_loops(struct http_server *s, struct err *e)
{
    s->loops = mem_zero(s->config.threads, sizeof(struct loop *));
    while (s->n_loops < s->config.threads) {
        int fd = listener_bind(s->config.listen, &s->port, s->address, sizeof s->address, e);
        if (fd < 0)
            return false;
        struct loop *l = loop_new(s, &s->config, s->router, s->n_loops, fd, e);
        if (!l)
            return false;
        s->loops[s->n_loops++] = l;
    }
    return true;
}

bool http_look(const char *listen, bool *loopback, struct err *e)
{
    return listener_look(listen, loopback, e);
}

struct http_server *http_start(const struct http_config *config, struct err *e)
{
    void *memory = NULL;
    if (posix_memalign(&memory, _Alignof(struct http_server), sizeof(struct http_server)) != 0) {
        fail(e, &ERR_MEMORY, "no memory for the server");
        return NULL;
    }
    struct http_server *s = memset(memory, 0, sizeof *s);
    s->config = *config;
    fill_defaults(&s->config);
    if (s->config.threads > THREADS_MAX)
        s->config.threads = THREADS_MAX;
    pthread_mutex_init(&s->mutex, NULL);
    cond_init(&s->cond);
    s->limits = rate_limiter_new(s->config.limits_places);
    s->crowd = crowd_new();
    s->router = router_new(config->routes, e);
    if (s->router && make_loops(s, e) && start_threads(s, e))
        return s;
    http_free(s);
    return NULL;
}

const char *http_address(const struct http_server *s)
{
    return s->address;
}

void http_place(const struct http_server *s, char *out, size_t size)
{
    const char *address = http_address(s);
    bool v6 = strchr(address, ':') && *address != '[';
    snprintf(out, size, v6 ? "[%s]:%u" : "%s:%u", address, http_port(s));
}

unsigned http_port(const struct http_server *s)
{
    return s->port;
}

unsigned http_loops(const struct http_server *s)
{
    return s->n_loops;
}

struct loop *http_loop(const struct http_server *s, unsigned index)
{
    return s->loops[index];
}

/* --- stop --- */

static void run_drain(struct mail *m)
{
    loop_drain((struct loop *)((char *)m - offsetof(struct loop, drain_mail)));
}

static void run_kill(struct mail *m)
{
    loop_kill_all((struct loop *)((char *)m - offsetof(struct loop, kill_mail)));
}

/* Wait until every loop is without connections; false when the time is up. */
static bool wait_drained(struct http_server *s, unsigned ms)
{
    const struct timespec until = cond_until(ms);
    pthread_mutex_lock(&s->mutex);
    int bad = 0;
    while (s->drained < s->n_loops && bad != ETIMEDOUT)
        bad = pthread_cond_timedwait(&s->cond, &s->mutex, &until);
    bool done = s->drained == s->n_loops;
    pthread_mutex_unlock(&s->mutex);
    return done;
}

void http_drain(struct http_server *s, unsigned grace_ms)
{
    if (s->draining)
        return;
    s->draining = true;
    for (unsigned i = 0; i < s->n_loops; i++) {
        s->loops[i]->drain_mail.run = run_drain;
        loop_post_answer(s->loops[i], &s->loops[i]->drain_mail);
    }
    if (wait_drained(s, grace_ms))
        return;
    for (unsigned i = 0; i < s->n_loops; i++) {
        s->loops[i]->kill_mail.run = run_kill;
        loop_post_answer(s->loops[i], &s->loops[i]->kill_mail);
    }
    wait_drained(s, 1000);
}

void http_join(struct http_server *s)
{
    for (unsigned i = 0; i < s->n_threads; i++)
        mailbox_close(s->loops[i]->mailbox);
    for (unsigned i = 0; i < s->n_threads; i++)
        pthread_join(s->loops[i]->thread, NULL);
    s->n_threads = 0;
}

void http_free(struct http_server *s)
{
    if (!s)
        return;
    http_join(s);
    for (unsigned i = 0; i < s->n_loops; i++)
        loop_free(s->loops[i]);
    free(s->loops);
    router_free(s->router);
    rate_limiter_free(s->limits);
    crowd_free(s->crowd);
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
    free(s);
}

/* --- counters --- */

void http_stats(struct http_server *s, struct http_stats *out)
{
    *out = (struct http_stats){.accepted = 0};
    out->certificate_expires_ms = s->config.tls ? tls_expires_ms(s->config.tls) : 0;
    for (unsigned i = 0; i < s->n_loops; i++)
        stats_collect(&s->loops[i]->stats, out);
}

size_t http_route_stats(struct http_server *s, struct http_route_stats *out, size_t max)
{
    size_t rows;
    const struct route *table = router_table(s->router, &rows);
    size_t n = max < rows + 1 ? max : rows + 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (struct http_route_stats){.route = i < rows ? &table[i] : NULL};
    for (unsigned i = 0; i < s->n_loops; i++)
        stats_collect_routes(&s->loops[i]->stats, out, n);
    return rows + 1;
}
