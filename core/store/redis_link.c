/* A connection that comes back.
 *
 * A link is a thread with an event loop, a mailbox and one asynchronous connection. It is away,
 * greeting, or ready. While it is not ready every request fails at once: nobody waits for a Redis
 * that is not there. Attempts to connect are `backoff_ms` apart, which doubles up to a bound.
 *
 * Greeting: let in (AUTH), choose the database, ask whether it is a master, load all scripts and
 * learn their digests, and, on the link that keeps it, renew the lease of the node. Only then do
 * requests go out, so after a restart or a failover none meets a Redis without scripts or with
 * other data.
 *
 * A Redis that hangs (stopped, swapped out, cut off without a word) looks connected. So an answer
 * that takes longer than `reply_ns` ends the connection: all that were sent fail, since nobody can
 * tell what became of them, and what comes after fails at once. A commit whose answer was lost may
 * have been carried out; then the journal's head has moved, the next commit is refused for it, and
 * the engine loads anew. */
#include "store/redis.h"

#include "base/cond.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <hiredis/adapters/libevent.h>
#include <string.h>

#define WAITING_MAX 65536
#define TICK_MS     100
#define CONNECT_MS  3000
#define RENEW_MS    2000
#define LOOK_MS     200 /* when some are missing */
#define BACKOFF_MIN 50
#define BACKOFF_MAX 2000
#define MS          1000000LL

static int64_t now_ns(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

/* --- what others see --- */

static void set_ready(struct link *l, bool ready, const char *reason)
{
    pthread_mutex_lock(&l->lock);
    bool changed = l->ready != ready || (!ready && strcmp(l->reason, reason) != 0);
    l->ready = ready;
    if (ready)
        l->away_since = 0;
    else if (!l->away_since)
        l->away_since = clock_wall_ms(l->store->clock);
    snprintf(l->reason, sizeof l->reason, "%s", reason);
    pthread_cond_broadcast(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (!changed || l->closing)
        return;
    char text[sizeof l->reason + REDIS_PLACE_SIZE + 64];
    snprintf(text, sizeof text, "%s, %s%s%s", l->store->place, l->name, *reason ? ": " : "",
             reason);
    log_text(ready ? LOG_INFO : LOG_WARN, ready ? "redis_connected" : "redis_away", text);
}

bool link_up(struct link *l, struct err *e)
{
    pthread_mutex_lock(&l->lock);
    /* What the direct connection has found out holds before the next tick says so. */
    bool ready = l->ready && l->hangs == atomic_load(&l->store->hangs);
    if (!ready)
        fail(e, &ERR_IO, "Redis is away: %s", l->ready ? "it does not answer" : l->reason);
    pthread_mutex_unlock(&l->lock);
    return ready;
}

bool link_wait(struct link *l, struct err *e)
{
    const struct timespec until = cond_until(5 * CONNECT_MS);
    pthread_mutex_lock(&l->lock);
    while (!l->ready)
        if (pthread_cond_timedwait(&l->wake, &l->lock, &until) == ETIMEDOUT)
            break;
    pthread_mutex_unlock(&l->lock);
    return link_up(l, e);
}

/* --- coming and going --- */

static void go_away(struct link *l, const char *reason)
{
    l->connection = NULL;
    l->state = LINK_AWAY;
    l->backoff_ms = l->backoff_ms ? l->backoff_ms * 2 : BACKOFF_MIN;
    if (l->backoff_ms > BACKOFF_MAX)
        l->backoff_ms = BACKOFF_MAX;
    l->retry_ns = now_ns() + l->backoff_ms * MS;
    set_ready(l, false, reason);
}

/* Whoever waits on it hears so at once, or when the callback under way is over. */
void link_drop(struct link *l, const char *reason)
{
    redisAsyncContext *connection = l->connection;
    go_away(l, reason);
    if (connection)
        redisAsyncFree(connection);
}

static void disconnected(const redisAsyncContext *connection, int status)
{
    struct link *l = connection->data;
    if (l->connection == connection)
        go_away(l, status == REDIS_OK ? "the connection was closed" : connection->errstr);
}

/* One reply of the greeting has come. False: it went wrong, or is of a connection given up. */
static bool greeted_well(const redisAsyncContext *connection, const redisReply *r)
{
    struct link *l = connection->data;
    struct err e = {0};
    if (l->connection != connection || !r)
        return false;
    if (r->type == REDIS_REPLY_ERROR) {
        redis_refused(r, &e);
        link_drop(l, e.detail);
        return false;
    }
    if (--l->greetings > 0)
        return true;
    l->state = LINK_READY;
    l->backoff_ms = 0;
    l->renewing = false;
    l->heard = 0; /* other data have other numbers */
    set_ready(l, true, "");
    if (l->watches)
        watch_ask(l);
    return true;
}

static void greeted(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    greeted_well(connection, reply);
}

static void role_told(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    struct link *l = connection->data;
    const redisReply *r = reply;
    if (l->connection == connection && r && r->type != REDIS_REPLY_ERROR &&
        !redis_is_master(l->store, r))
        link_drop(l, "it is a replica");
    else
        greeted_well(connection, r);
}

static void loaded(redisAsyncContext *connection, void *reply, void *digest)
{
    const redisReply *r = reply;
    if (greeted_well(connection, r) && r->type == REDIS_REPLY_STRING)
        snprintf(digest, REDIS_DIGEST_SIZE, "%s", r->str);
}

void link_lose(struct link *l, const char *reason)
{
    l->lost = true;
    link_drop(l, reason);
}

/* False: the lease is not ours, or the connection given up. */
static bool lease_answered(const redisAsyncContext *connection, const redisReply *r)
{
    struct link *l = connection->data;
    struct err e = {0};
    if (l->connection != connection || !r)
        return false;
    if (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "READONLY", 8) == 0) {
        link_drop(l, "it is a replica");
        return false;
    }
    if (r->type == REDIS_REPLY_ERROR)
        return true; /* the greeting says what is wrong; later ones are asked again */
    if (node_leased(l->store, l->renewed_ns, r, &e))
        return true;
    link_lose(l, e.detail);
    return false;
}

static void leased(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    if (lease_answered(connection, reply))
        greeted_well(connection, reply);
}

static void greet(struct link *l)
{
    redisAsyncContext *ac = l->connection;
    const struct redis *s = l->store;
    const struct redis_url *u = &s->url;
    const unsigned scripts = l->watches ? 0 : SCRIPTS;
    l->greetings = scripts + 2U + (*u->password != 0) + l->keeps_lease;
    if (*u->password && *u->user)
        redisAsyncCommand(ac, greeted, NULL, "AUTH %s %s", u->user, u->password);
    else if (*u->password)
        redisAsyncCommand(ac, greeted, NULL, "AUTH %s", u->password);
    redisAsyncCommand(ac, greeted, NULL, "SELECT %d", u->db);
    redisAsyncCommand(ac, role_told, NULL, "INFO replication");
    for (unsigned i = 0; i < scripts; i++)
        redisAsyncCommand(ac, loaded, l->digests[i], "SCRIPT LOAD %s", REDIS_SCRIPTS[i]);
    l->renewed_ns = now_ns();
    if (l->keeps_lease)
        node_renew(l, leased);
}

static void connected(const redisAsyncContext *connection, int status)
{
    struct link *l = connection->data;
    if (l->connection != connection)
        return;
    if (status == REDIS_OK)
        greet(l);
    else
        go_away(l, connection->errstr);
}

static void begin_to_connect(struct link *l)
{
    struct redis_place to;
    redis_master(l->store, &to);
    l->turn = to.turn;
    l->hangs = atomic_load(&l->store->hangs);
    redisAsyncContext *ac =
        *to.host ? redisAsyncConnect(to.host, to.port) : redisAsyncConnectUnix(l->store->url.path);
    if (!ac || ac->err) {
        char reason[128];
        snprintf(reason, sizeof reason, "%s", ac ? ac->errstr : "no memory");
        if (ac)
            redisAsyncFree(ac);
        go_away(l, reason);
        return;
    }
    ac->data = l;
    l->connection = ac;
    l->state = LINK_GREETING;
    l->greeting_ns = now_ns();
    redisLibeventAttach(ac, l->base);
    redisAsyncSetConnectCallback(ac, connected);
    redisAsyncSetDisconnectCallback(ac, disconnected);
}

/* --- the lease --- */

static void renewed(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    struct link *l = connection->data;
    if (lease_answered(connection, reply))
        l->renewing = false;
}

static void renew(struct link *l)
{
    l->renewed_ns = now_ns();
    l->renewing = true;
    node_renew(l, renewed);
}

/* --- replicas that have to confirm --- */

static void looked(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    struct link *l = connection->data;
    const redisReply *r = reply;
    if (l->connection == connection && r && r->type == REDIS_REPLY_STRING &&
        !redis_is_master(l->store, r))
        link_drop(l, "it is a replica");
}

static void look_after_replicas(struct link *l, int64_t now)
{
    struct redis *s = l->store;
    int64_t pause = (atomic_load(&s->short_since) ? LOOK_MS : RENEW_MS) * MS;
    if (!s->url.wait || !l->keeps_lease || l->state != LINK_READY || now - l->looked_ns < pause)
        return;
    l->looked_ns = now;
    redisAsyncCommand(l->connection, looked, NULL, "INFO replication");
}

/* --- the end --- */

static void left(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)reply;
    (void)arg;
    struct link *l = connection->data;
    event_base_loopbreak(l->base);
}

void link_rest(struct link *l)
{
    if (!l->closing || l->leaving || l->oldest)
        return;
    l->leaving = true;
    if (l->state == LINK_READY && l->keeps_lease)
        node_leave(l, left);
    else
        event_base_loopbreak(l->base);
    l->greeting_ns = now_ns(); /* that may not take for ever either */
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
        run(l, job_of(m));
    }
    l->closing |= closed;
    link_rest(l);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct link *l = arg;
    int64_t now = now_ns();
    if (l->turn != redis_turn(l->store)) {
        l->turn = redis_turn(l->store);
        if (l->state != LINK_AWAY)
            link_drop(l, "another Redis is the master");
        l->retry_ns = now;
    }
    if (l->state == LINK_READY && l->hangs != atomic_load(&l->store->hangs))
        link_drop(l, "it does not answer");
    if (l->oldest && now - l->oldest->sent_ns > l->store->reply_ns)
        link_drop(l, "it does not answer");
    if (l->state == LINK_READY && l->renewing && now - l->renewed_ns > l->store->reply_ns)
        link_drop(l, "it does not answer");
    if (l->state == LINK_GREETING && now - l->greeting_ns > CONNECT_MS * MS)
        link_drop(l, "it does not answer");
    if (l->state == LINK_AWAY && now >= l->retry_ns && !l->closing && !l->lost)
        begin_to_connect(l);
    if (l->state == LINK_READY && l->keeps_lease && !l->renewing &&
        now - l->renewed_ns > RENEW_MS * MS)
        renew(l);
    look_after_replicas(l, now);
    if (l->leaving && now - l->greeting_ns > CONNECT_MS * MS)
        event_base_loopbreak(l->base);
    link_rest(l);
}

static void *thread(void *arg)
{
    struct link *l = arg;
    begin_to_connect(l);
    event_base_loop(l->base, EVLOOP_NO_EXIT_ON_EMPTY);
    link_drop(l, "the store is closed");
    return NULL;
}

bool link_start(struct link *l, struct redis *s, const char *name, struct err *e)
{
    const struct timeval tick = {.tv_usec = TICK_MS * 1000};
    l->store = s;
    l->name = name;
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
    return l->started;
}

void link_stop(struct link *l)
{
    if (l->started) {
        mailbox_close(l->mailbox);
        pthread_join(l->thread, NULL);
        l->started = false;
    }
    if (l->mail_event)
        event_free(l->mail_event);
    if (l->tick)
        event_free(l->tick);
    if (l->base)
        event_base_free(l->base);
    mailbox_free(l->mailbox);
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
