/* A connection that comes back.
 *
 * A wire is one asynchronous connection of a link. It is away, greeting, or ready. While it is not
 * ready every request fails at once: nobody waits for a Redis that is not there. Attempts to
 * connect are `backoff_ms` apart, which doubles up to a bound.
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

#include "base/json.h"
#include "base/log.h"

#include <hiredis/adapters/libevent.h>
#include <string.h>

#define CONNECT_MS  3000
#define RENEW_MS    2000
#define LOOK_MS     200 /* between looks at the replicas */
#define BACKOFF_MIN 50
#define BACKOFF_MAX 2000
#define MS          1000000LL

static int64_t now_ns(void)
{
    return clock_mono_ns(&CLOCK_SYSTEM);
}

/* --- what others see --- */

static void set_ready(struct wire *w, bool ready, const char *reason)
{
    pthread_mutex_lock(&w->link->lock);
    bool changed = w->ready != ready || (!ready && strcmp(w->reason, reason) != 0);
    w->ready = ready;
    if (ready)
        w->away_since = 0;
    else if (!w->away_since)
        w->away_since = clock_wall_ms(w->link->store->clock);
    snprintf(w->reason, sizeof w->reason, "%s", reason);
    pthread_cond_broadcast(&w->link->wake);
    pthread_mutex_unlock(&w->link->lock);
    if (!changed || w->link->closing || (w->retired && !ready))
        return;
    char text[sizeof w->reason + REDIS_PLACE_SIZE + sizeof w->to.host + 96], at[300] = "";
    if (w->spread)
        snprintf(at, sizeof at, " to %s:%d", w->to.host, w->to.port);
    snprintf(text, sizeof text, "%s, %s%s%s%s", w->link->store->place, w->link->name, at,
             *reason ? ": " : "", reason);
    log_text(ready ? LOG_INFO : LOG_WARN, ready ? "redis_connected" : "redis_away", text);
}

bool wire_up(struct wire *w, struct err *e)
{
    pthread_mutex_lock(&w->link->lock);
    /* What the direct connection has found out holds before the next tick says so. */
    bool ready = w->ready && atomic_load(&w->hangs) == atomic_load(&w->link->store->hangs);
    if (!ready)
        fail(e, &ERR_IO, "Redis is away: %s", w->ready ? "it does not answer" : w->reason);
    pthread_mutex_unlock(&w->link->lock);
    return ready;
}

/* --- coming and going --- */

static void go_away(struct wire *w, const char *reason)
{
    w->connection = NULL;
    w->state = WIRE_AWAY;
    w->backoff_ms = w->backoff_ms ? w->backoff_ms * 2 : BACKOFF_MIN;
    if (w->backoff_ms > BACKOFF_MAX)
        w->backoff_ms = BACKOFF_MAX;
    w->retry_ns = now_ns() + w->backoff_ms * MS;
    set_ready(w, false, reason);
}

/* Whoever waits on it hears so at once, or when the callback under way is over. */
void wire_drop(struct wire *w, const char *reason)
{
    redisAsyncContext *connection = w->connection;
    go_away(w, reason);
    if (connection)
        redisAsyncFree(connection);
}

static void disconnected(const redisAsyncContext *connection, int status)
{
    struct wire *w = connection->data;
    if (w->connection == connection)
        go_away(w, status == REDIS_OK ? "the connection was closed" : connection->errstr);
}

/* One reply of the greeting has come. False: it went wrong, or is of a connection given up. */
static bool greeted_well(const redisAsyncContext *connection, const redisReply *r)
{
    struct wire *w = connection->data;
    struct err e = {0};
    if (w->connection != connection || !r)
        return false;
    if (r->type == REDIS_REPLY_ERROR) {
        cluster_redirects(w->link->store, r, &w->to);
        redis_refused(r, &e);
        wire_drop(w, e.detail);
        return false;
    }
    if (--w->greetings > 0)
        return true;
    w->state = WIRE_READY;
    w->backoff_ms = 0;
    w->was_ready = true;
    w->renewing = false;
    w->link->heard = 0; /* other data have other numbers */
    set_ready(w, true, "");
    if (w->link->watches)
        watch_ask(w);
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
    struct wire *w = connection->data;
    const redisReply *r = reply;
    if (w->connection == connection && r && r->type != REDIS_REPLY_ERROR && !redis_is_master(w, r))
        wire_drop(w, "it is a replica");
    else
        greeted_well(connection, r);
}

static void loaded(redisAsyncContext *connection, void *reply, void *digest)
{
    const redisReply *r = reply;
    if (greeted_well(connection, r) && r->type == REDIS_REPLY_STRING)
        snprintf(digest, REDIS_DIGEST_SIZE, "%s", r->str);
}

void wire_lose(struct wire *w, const char *reason)
{
    w->link->lost = true;
    wire_drop(w, reason);
}

/* False: the lease is not ours, or the connection given up. */
static bool lease_answered(const redisAsyncContext *connection, const redisReply *r)
{
    struct wire *w = connection->data;
    struct err e = {0};
    if (w->connection != connection || !r)
        return false;
    if (r->type == REDIS_REPLY_ERROR && strncmp(r->str, "READONLY", 8) == 0) {
        wire_drop(w, "it is a replica");
        return false;
    }
    if (r->type == REDIS_REPLY_ERROR) {
        cluster_redirects(w->link->store, r, &w->to);
        return true; /* the greeting says what is wrong; later ones are asked again */
    }
    if (node_leased(w->link->store, w->renewed_ns, r, &e))
        return true;
    wire_lose(w, e.detail);
    return false;
}

static void leased(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    if (lease_answered(connection, reply))
        greeted_well(connection, reply);
}

static void greet(struct wire *w)
{
    redisAsyncContext *ac = w->connection;
    const struct redis *s = w->link->store;
    const struct redis_url *u = &s->url;
    const unsigned scripts = w->link->watches ? 0 : SCRIPTS;
    w->greetings = scripts + 2U + (*u->password != 0) + w->link->keeps_lease;
    if (*u->password && *u->user)
        redisAsyncCommand(ac, greeted, NULL, "AUTH %s %s", u->user, u->password);
    else if (*u->password)
        redisAsyncCommand(ac, greeted, NULL, "AUTH %s", u->password);
    redisAsyncCommand(ac, greeted, NULL, "SELECT %d", u->db);
    redisAsyncCommand(ac, role_told, NULL, "INFO replication");
    for (unsigned i = 0; i < scripts; i++)
        redisAsyncCommand(ac, loaded, w->link->digests[i], "SCRIPT LOAD %s", REDIS_SCRIPTS[i]);
    w->renewed_ns = now_ns();
    if (w->link->keeps_lease)
        node_renew(w, leased);
}

static void connected(const redisAsyncContext *connection, int status)
{
    struct wire *w = connection->data;
    if (w->connection != connection)
        return;
    if (status == REDIS_OK)
        greet(w);
    else
        go_away(w, connection->errstr);
}

static void begin_to_connect(struct wire *w)
{
    if (!w->spread)
        redis_master(w->link->store, &w->to);
    atomic_store(&w->hangs, atomic_load(&w->link->store->hangs));
    redisAsyncContext *ac = *w->to.host ? redisAsyncConnect(w->to.host, w->to.port)
                                        : redisAsyncConnectUnix(w->link->store->url.path);
    if (!ac || ac->err) {
        char reason[128];
        snprintf(reason, sizeof reason, "%s", ac ? ac->errstr : "no memory");
        if (ac)
            redisAsyncFree(ac);
        go_away(w, reason);
        return;
    }
    ac->data = w;
    w->connection = ac;
    w->asks_all = false;
    w->state = WIRE_GREETING;
    w->greeting_ns = now_ns();
    redisLibeventAttach(ac, w->link->base);
    redisAsyncSetConnectCallback(ac, connected);
    redisAsyncSetDisconnectCallback(ac, disconnected);
}

/* --- the lease --- */

static void renewed(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    struct wire *w = connection->data;
    if (lease_answered(connection, reply))
        w->renewing = false;
}

static void renew(struct wire *w)
{
    w->renewed_ns = now_ns();
    w->renewing = true;
    node_renew(w, renewed);
}

/* --- replicas that have to confirm (redis_followers.c) --- */

static void looked(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)arg;
    struct wire *w = connection->data;
    const redisReply *r = reply;
    if (w->connection == connection && r && r->type == REDIS_REPLY_STRING && !redis_is_master(w, r))
        wire_drop(w, "it is a replica");
}

static void look_after_replicas(struct wire *w, int64_t now)
{
    if (!w->link->store->url.wait || !wire_looks(w) || w->state != WIRE_READY ||
        now - w->looked_ns < LOOK_MS * MS)
        return;
    w->looked_ns = now;
    redisAsyncCommand(w->connection, looked, NULL, "INFO replication");
}

/* --- coming, going, being there --- */

void wire_init(struct wire *w, struct link *l, const struct redis_place *spread)
{
    w->link = l;
    w->spread = spread != NULL;
    if (spread)
        w->to = *spread;
    snprintf(w->reason, sizeof w->reason, "not connected yet");
}

/* Why it does not answer any more, or NULL. */
static const char *given_up(const struct wire *w, int64_t now)
{
    const struct redis *s = w->link->store;
    bool silent = (w->state == WIRE_READY && atomic_load(&w->hangs) != atomic_load(&s->hangs)) ||
                  (w->oldest && now - w->oldest->sent_ns > s->reply_ns) ||
                  (w->state == WIRE_READY && w->renewing && now - w->renewed_ns > s->reply_ns) ||
                  (w->state == WIRE_GREETING && now - w->greeting_ns > CONNECT_MS * MS);
    return silent ? "it does not answer" : NULL;
}

void wire_tick(struct wire *w, int64_t now)
{
    struct link *l = w->link;
    uint64_t turn = redis_turn(l->store);
    if (!w->spread && w->to.turn != turn) {
        w->to.turn = turn;
        if (w->state != WIRE_AWAY)
            wire_drop(w, "another Redis is the master");
        w->retry_ns = now;
    }
    if (w->retired && !w->oldest && w->state != WIRE_AWAY)
        wire_drop(w, "no slot is there any more");
    const char *reason = given_up(w, now);
    if (reason)
        wire_drop(w, reason);
    if (w->state == WIRE_AWAY && now >= w->retry_ns && !l->closing && !l->lost && !w->retired)
        begin_to_connect(w);
    if (w->state == WIRE_READY && l->keeps_lease && !w->renewing &&
        now - w->renewed_ns > RENEW_MS * MS)
        renew(w);
    look_after_replicas(w, now);
}

static void left(redisAsyncContext *connection, void *reply, void *arg)
{
    (void)reply;
    (void)arg;
    struct wire *w = connection->data;
    event_base_loopbreak(w->link->base);
}

bool wire_leave(struct wire *w)
{
    bool waits = w->state == WIRE_READY && w->link->keeps_lease;
    if (waits)
        node_leave(w, left);
    return waits;
}
