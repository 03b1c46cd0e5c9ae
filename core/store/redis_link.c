/* A thread with an event loop, a mailbox, and connections (redis_wire.c): one to where the control
 * plane is, and, on the link that carries series, one to each master of a Cluster. Those are made
 * when the map of the Cluster names a master that there is none for. */
#include "store/redis.h"

#include "base/cond.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX 65536
#define TICK_MS     100
#define READY_MS    15000
#define LEAVE_NS    3000000000LL

static int64_t now_ns(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

/* --- what others see --- */

bool link_up(struct link *l, struct err *e)
{
    return wire_up(&l->main, e);
}

int64_t link_away_since(struct link *l)
{
    int64_t first = 0;
    pthread_mutex_lock(&l->lock);
    for (struct wire *w = l->started ? &l->main : NULL; w; w = w->next) {
        const int64_t since[] = {w->away_since, atomic_load(&w->followers.short_since)};
        for (size_t i = 0; i < 2 && !w->retired; i++)
            if (since[i] && (!first || since[i] < first))
                first = since[i];
    }
    pthread_mutex_unlock(&l->lock);
    return first;
}

/* One that is not ready, or NULL. Under the lock. */
static struct wire *missing(struct link *l)
{
    struct wire *w = &l->main;
    while (w && (w->ready || w->retired))
        w = w->next;
    return w;
}

bool link_wait(struct link *l, struct err *e)
{
    const struct timespec until = cond_until(READY_MS);
    pthread_mutex_lock(&l->lock);
    while (missing(l))
        if (pthread_cond_timedwait(&l->wake, &l->lock, &until) == ETIMEDOUT)
            break;
    struct wire *w = missing(l);
    pthread_mutex_unlock(&l->lock);
    return !w || wire_up(w, e);
}

/* --- a Cluster's masters --- */

static bool same_place(const struct redis_place *a, const struct redis_place *b)
{
    return a->port == b->port && strcmp(a->host, b->host) == 0;
}

static struct wire *wire_to(struct link *l, const struct redis_place *to)
{
    struct wire *w = l->main.next;
    while (w && !same_place(&w->to, to))
        w = w->next;
    return w;
}

/* What was retired stays: its connection may still have something to tell. */
static void spread(struct link *l)
{
    struct redis_place masters[CLUSTER_MASTERS_MAX];
    uint64_t version = cluster_version(l->store);
    if (!l->spreads || version == l->map)
        return;
    l->map = version;
    size_t n = cluster_masters(l->store, masters);
    pthread_mutex_lock(&l->lock);
    for (struct wire *w = l->main.next; w; w = w->next)
        w->retired = true;
    for (size_t i = 0; i < n; i++) {
        struct wire *w = wire_to(l, &masters[i]);
        if (!w) {
            w = mem_zero(1, sizeof *w);
            wire_init(w, l, &masters[i]);
            w->next = l->main.next;
            l->main.next = w;
        }
        w->retired = false;
    }
    pthread_mutex_unlock(&l->lock);
}

struct wire *link_wire(struct link *l, int slot)
{
    struct redis_place to;
    if (slot < 0 || !l->spreads)
        return &l->main;
    spread(l);
    return cluster_owner(l->store, (unsigned)slot, &to) ? wire_to(l, &to) : NULL;
}

/* --- the end --- */

static bool under_way(const struct link *l)
{
    bool any = l->waiters || l->doubted;
    for (const struct wire *w = &l->main; w; w = w->next)
        any |= w->oldest != NULL;
    return any;
}

void link_rest(struct link *l)
{
    if (!l->closing || l->leaving || under_way(l))
        return;
    l->leaving = true;
    l->leaving_ns = now_ns(); /* that may not take for ever either */
    if (!wire_leave(&l->main))
        event_base_loopbreak(l->base);
}

/* --- the thread --- */

static void run(struct link *l, struct job *j)
{
    struct ask *c = ask_new(l, j);
    switch (j->kind) {
    case JOB_COMMIT: redis_commit(c); break;
    case JOB_JOURNAL: redis_journal(c); break;
    case JOB_APPEND: redis_append(c); break;
    case JOB_READ: redis_read(c); break;
    case JOB_LEASE: redis_lease(c); break;
    case JOB_KEY: redis_key(c); break;
    case JOB_QUEUE: redis_queue(c); break;
    case JOB_SHIP: redis_ship(c); break;
    case JOB_DELTAS: redis_deltas(c); break;
    }
}

static void on_mail(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link *l = arg;
    bool closed = mailbox_closed(l->mailbox); /* asked first: what comes before it is in there */
    for (struct mail *m = mailbox_take(l->mailbox), *next; m; m = next) {
        next = m->next;
        if (m == &l->word)
            atomic_store(&l->worded, false);
        else
            run(l, job_of(m));
    }
    asks_told(l);
    l->closing |= closed;
    link_rest(l);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link *l = arg;
    int64_t now = now_ns();
    spread(l);
    wire_tick(&l->main, now);
    for (struct wire *w = l->main.next; w; w = w->next)
        wire_tick(w, now);
    asks_go_on(l);
    asks_told(l);
    if (l->leaving && now - l->leaving_ns > LEAVE_NS)
        event_base_loopbreak(l->base);
    link_rest(l);
}

static void listen_to_word(struct link *l, bool listens)
{
    pthread_mutex_lock(&l->lock);
    l->listens = listens;
    pthread_mutex_unlock(&l->lock);
}

/* If it is closing its tick will see. */
void link_tell(struct link *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->listens && !atomic_exchange(&l->worded, true) && !mailbox_post(l->mailbox, &l->word))
        atomic_store(&l->worded, false);
    pthread_mutex_unlock(&l->lock);
}

static void *thread(void *arg)
{
    struct link *l = arg;
    event_active(l->tick, EV_TIMEOUT, 0); /* at once, for the first time */
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    for (struct wire *w = &l->main; w; w = w->next)
        wire_drop(w, "the store is closed");
    return NULL;
}

bool link_start(struct link *l, struct redis *s, const char *name, struct err *e)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    l->store = s;
    l->name = name;
    l->spreads &= s->cluster != NULL;
    spread(l);
    l->mailbox = mailbox_new(WAITING_MAX, e);
    if (!l->mailbox)
        return false;
    l->base = event_base_new();
    if (l->base) {
        l->mail_event =
            event_new(l->base, mailbox_fd(l->mailbox), EV_READ | EV_PERSIST, on_mail, l);
        l->tick = event_new(l->base, -1, EV_PERSIST, on_tick, l);
    }
    if (!l->mail_event || !l->tick || event_add(l->mail_event, NULL) != 0 ||
        event_add(l->tick, &tick) != 0)
        return fail(e, &ERR_INTERNAL, "cannot make an event loop of the store");
    l->started = thread_start(&l->thread, name, THREAD_SOON, thread, l, e);
    listen_to_word(l, l->started);
    return l->started;
}

void link_stop(struct link *l)
{
    if (l->started) {
        mailbox_close(l->mailbox);
        pthread_join(l->thread, NULL);
        listen_to_word(l, false);
        l->started = false;
    }
    if (l->mail_event)
        event_free(l->mail_event);
    if (l->tick)
        event_free(l->tick);
    if (l->base)
        event_base_free(l->base);
    mailbox_free(l->mailbox);
    for (struct wire *w = l->main.next, *next; w; w = next) {
        next = w->next;
        free(w);
    }
    l->main.next = NULL;
}

void link_post(struct link *l, enum job_kind kind, void *request)
{
    struct err why = {0};
    if (atomic_fetch_add(&l->waiting, 1) < WAITING_MAX) {
        struct job *j = job_new(kind, request);
        if (mailbox_post(l->mailbox, &j->mail))
            return;
        fail(&why, &ERR_IO, "the store is closed");
        atomic_fetch_sub(&l->waiting, 1);
        job_end(j, &why);
        return;
    }
    atomic_fetch_sub(&l->waiting, 1);
    fail(&why, &ERR_BUSY, "too many requests wait for the store");
    job_end(job_new(kind, request), &why);
}
