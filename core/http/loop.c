#include "http/loop_impl.h"

#include "base/mailbox.h"
#include "base/mem.h"
#include "http/connection.h"
#include "http/listener.h"
#include "http/server_impl.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAIL_MAX    65536
#define MAIL_BATCH  32        /* then the connections get their turn */
#define OUT_MAX     (1 << 20) /* gathered replies: 32 KiB, and one more head with its headers */
#define PROBLEM_MAX (1 << 20)
#define LARGE       65536 /* of a reply or a piece of one: what counts against the budget */

/* --- time --- */

void loop_read_time(struct loop *l)
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    l->wall_ms = clock_wall_ms(l->config->clock);
    l->mono_ns = clock_mono_ns(l->config->clock);
    l->time_read = true;
    if (l->wall_ms / 1000 == l->date_second && l->date[0])
        return;
    struct tm tm;
    time_t second = (time_t)(l->date_second = l->wall_ms / 1000);
    gmtime_r(&second, &tm);
    snprintf(l->date, sizeof l->date, "Date: %.3s, %02u %.3s %04u %02u:%02u:%02u GMT\r\n",
             days + 3 * tm.tm_wday, (unsigned)tm.tm_mday % 100, months + 3 * tm.tm_mon,
             (unsigned)(tm.tm_year + 1900) % 10000, (unsigned)tm.tm_hour % 100,
             (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
}

int64_t loop_wall_ms(const struct loop *l)
{
    if (!l->time_read)
        loop_read_time((struct loop *)l); /* a cache */
    return l->wall_ms;
}

const char *loop_time_text(struct loop *l)
{
    int64_t now = loop_wall_ms(l);
    if (now != l->text_ms || !l->time_text[0]) {
        time_format(now, l->time_text);
        l->text_ms = now;
    }
    return l->time_text;
}

/* --- events --- */

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *l = arg;
    if (!l->mails)
        l->mails = mailbox_take(l->mailbox);
    for (int i = 0; i < MAIL_BATCH && l->mails; i++) {
        struct mail *m = l->mails;
        l->mails = m->next;
        m->run(m);
    }
    fair_look(l);
    if (l->mails)
        event_active(l->mail_event, EV_READ, 0);
    else if (mailbox_closed(l->mailbox))
        l->stopping = true;
}

static void on_sweep(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *l = arg;
    loop_send(l);         /* who is idle has his reply */
    l->time_read = false; /* a turn may be long when there is much to do */
    listener_resume(l);
    for (struct connection *c = l->connections; c; c = c->next)
        connection_sweep(c);
}

/* Two busy loops on one processor would wait for each other. Where all clients are busy that costs
 * none of them its patience, and clients on this machine have more of its processors. */
static void place(struct loop *l, int64_t now)
{
    if (thread_place_due(&l->place, now))
        thread_place(&l->place, now, thread_used_ns(), l->fair.quiet_ns > l->place.now_ns);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct loop *l = arg;
    int64_t now = clock_mono_ns(l->config->clock);
    stats_lag(&l->stats, now - l->tick_due_ns);
    l->tick_due_ns += 1000000000;
    if (l->tick_due_ns < now)
        l->tick_due_ns = now + 1000000000;
    place(l, now);
    if (l->config->tick)
        l->config->tick(l, l->config->app);
}

/* --- turns --- */

/* Streams whose client is not there to see the end. */
static void close_orphans(struct loop *l)
{
    while (l->orphans) {
        struct request *rq = l->orphans;
        stream_adopt(rq);
        stream_finish(&rq->stream);
    }
}

void loop_turn_end(struct loop *l)
{
    loop_send(l);
    while (l->doomed || l->orphans) {
        close_orphans(l);
        struct connection *c = l->doomed;
        if (c) {
            l->doomed = c->next_doomed;
            connection_free(c);
        }
    }
    /* Lines wait for a turn in which nothing happened: a write(2) for each is 2 % of a busy loop.
     */
    if (l->log.bytes.len && !l->fair.turn_ns)
        log_buffer_flush(&l->log);
    if (l->draining && !l->drained && l->n_connections == 0) {
        l->drained = true;
        server_loop_drained(l->server);
    }
    place(l, l->fair.last_ns);
    fair_turn_end(l);
    l->time_read = false;
}

void loop_run(struct loop *l)
{
    l->tick_due_ns = clock_mono_ns(l->config->clock) + 1000000000;
    /* While lines wait a turn does not: it ends at once if there is nothing to do. */
    while (!l->stopping &&
           event_base_loop(l->base, l->log.bytes.len ? EVLOOP_NONBLOCK : EVLOOP_ONCE) >= 0)
        loop_turn_end(l);
    do /* answers that came with the end */
        on_mail(-1, 0, l);
    while (l->mails);
    listener_close(l);
    loop_kill_all(l);
    loop_turn_end(l);
    while (l->live) /* answers that never came; nobody may give them any more */
        request_release(l->live);
}

void loop_drain(struct loop *l)
{
    l->draining = true;
    loop_send(l);
    listener_close(l);
    for (struct connection *c = l->connections; c; c = c->next)
        connection_drain(c);
}

void loop_kill_all(struct loop *l)
{
    loop_send(l);
    for (struct connection *c = l->connections; c; c = c->next)
        connection_kill(c);
}

bool loop_overloaded(const struct loop *l, size_t len)
{
    return len > LARGE && l->unsent > 0 &&
           l->unsent + len > l->config->reply_budget / l->config->threads;
}

/* --- life --- */

/* Deadlines are looked at often enough to be kept within a quarter of the shortest. */
static struct timeval sweep_interval(const struct http_config *config)
{
    const unsigned spans[] = {config->header_timeout_ms, config->body_timeout_ms,
                              config->idle_timeout_ms,   config->write_timeout_ms,
                              config->heartbeat_ms,      config->handshake_timeout_ms};
    unsigned ms = 4000;
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        ms = spans[i] < ms ? spans[i] : ms;
    ms = ms / 4 < 10 ? 10 : ms / 4;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000};
}

static bool add_events(struct loop *l, struct err *e)
{
    const struct timeval second = {.tv_sec = 1}, sweep = sweep_interval(l->config);
    l->mail_event = event_new(l->base, mailbox_fd(l->mailbox), EV_READ | EV_PERSIST, on_mail, l);
    l->sweep_event = event_new(l->base, -1, EV_PERSIST, on_sweep, l);
    l->tick_event = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    if (!l->mail_event || !l->sweep_event || !l->tick_event ||
        event_priority_set(l->mail_event, FAIR_FIRST) != 0 ||
        event_priority_set(l->sweep_event, FAIR_FIRST) != 0 ||
        event_priority_set(l->tick_event, FAIR_FIRST) != 0 || event_add(l->mail_event, NULL) != 0 ||
        event_add(l->sweep_event, &sweep) != 0 || event_add(l->tick_event, &second) != 0)
        return fail(e, &ERR_INTERNAL, "cannot add the events of a loop");
    return fair_start(l, e);
}

static struct event_base *new_base(struct err *e)
{
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) == 0 &&
        event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0)
        base = event_base_new_with_config(config);
    if (config)
        event_config_free(config);
    if (base && event_base_priority_init(base, FAIR_PRIORITIES) != 0) {
        event_base_free(base);
        base = NULL;
    }
    if (!base)
        fail(e, &ERR_INTERNAL, "cannot make an event base");
    return base;
}

struct loop *loop_new(struct http_server *s, const struct http_config *config,
                      const struct router *router, unsigned index, int listen_fd, struct err *e)
{
    struct loop *l = mem_zero(1, sizeof *l);
    size_t n_routes;
    l->server = s;
    l->config = config;
    l->router = router;
    l->index = index;
    l->place = (struct thread_place){.index = index, .count = config->threads};
    l->listen_fd = listen_fd;
    l->scratch = mem_alloc(SCRATCH_BYTES);
    router_table(router, &n_routes);
    stats_init(&l->stats, n_routes);
    log_buffer_init(&l->log);
    bytes_init(&l->problem, PROBLEM_MAX);
    bytes_init(&l->out, OUT_MAX);
    bytes_init(&l->cipher, OUT_MAX);
    l->base = new_base(e);
    l->mailbox = l->base ? mailbox_new(MAIL_MAX, e) : NULL;
    if (!l->mailbox || !add_events(l, e)) {
        loop_free(l);
        return NULL;
    }
    return l;
}

static void free_event(struct event *ev)
{
    if (ev)
        event_free(ev);
}

static void free_requests(struct loop *l)
{
    while (l->spare) {
        struct request *rq = l->spare;
        l->spare = rq->next;
        request_free(rq);
    }
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    free_requests(l);
    listener_close(l);
    free_event(l->mail_event);
    free_event(l->sweep_event);
    free_event(l->tick_event);
    fair_stop(l);
    mailbox_free(l->mailbox);
    if (l->base)
        event_base_free(l->base);
    log_buffer_release(&l->log);
    bytes_release(&l->problem);
    bytes_release(&l->out);
    bytes_release(&l->cipher);
    stats_release(&l->stats);
    free(l->scratch);
    free(l);
}

/* --- for everybody --- */

bool loop_post(struct loop *l, struct mail *mail)
{
    return mailbox_post(l->mailbox, mail);
}

void loop_post_answer(struct loop *l, struct mail *mail)
{
    mailbox_post_answer(l->mailbox, mail);
}

unsigned loop_index(const struct loop *l)
{
    return l->index;
}

struct event_base *loop_base(struct loop *l)
{
    return l->base;
}

void loop_set_state(struct loop *l, void *state)
{
    l->state = state;
}

void *loop_state(const struct loop *l)
{
    return l->state;
}
