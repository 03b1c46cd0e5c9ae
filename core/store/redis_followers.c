/* Which replicas a master has, and which of them are waited for.
 *
 * Every 200 ms INFO replication says who follows, and what it has. Who follows is waited for from
 * then on. Who lets a write wait for too long is left behind until it has what there was at the
 * look before; who just goes away is missed only after it was waited for. On a new connection all
 * begins anew. What is written while not all are there is confirmed by redis_confirm.c. */
#include "store/redis.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* What INFO replication says. */
struct look {
    bool master;
    int follow;  /* replicas that are online and answer */
    int keep_up; /* those of them that have what there was at the floor */
    int64_t now; /* offset of the master; 0: not told */
};

static bool begins(const char *line, const char *with)
{
    return strncmp(line, with, strlen(with)) == 0;
}

/* "slave0:ip=...,state=online,offset=1,lag=0": one that hangs looks online, but lags. */
static void look_at_replica(struct look *l, const char *line, size_t len, int64_t floor)
{
    const char *offset = memmem(line, len, ",offset=", 8);
    const char *lag = memmem(line, len, ",lag=", 5);
    if (!offset || !lag || !memmem(line, len, ",state=online,", 14) ||
        strtol(lag + 5, NULL, 10) > 2)
        return;
    l->follow++;
    l->keep_up += strtoll(offset + 8, NULL, 10) >= floor;
}

static struct look look_at(const char *text, int64_t floor)
{
    static const char NOW[] = "master_repl_offset:";
    struct look l = {0};
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (begins(line, "slave"))
            look_at_replica(&l, line, strcspn(line, "\r\n"), floor);
        else if (begins(line, NOW))
            l.now = strtoll(line + sizeof NOW - 1, NULL, 10);
        else
            l.master |= begins(line, "role:master");
    }
    return l;
}

bool wire_looks(const struct wire *w)
{
    return w->link->keeps_lease || w->spread;
}

struct followers *wire_followers(struct wire *w)
{
    return w->spread ? &w->followers : &w->link->store->control.main.followers;
}

void wire_leave_behind(struct wire *w, int n)
{
    struct followers *f = wire_followers(w);
    log_event(LOG_WARN, "redis_replica_behind", "\"waited_for\":%d,\"had_it\":%d",
              atomic_load(&f->keep_up), n);
    atomic_store(&f->keep_up, n);
    atomic_store(&f->floor, INT64_MAX);
}

void wire_note_replicas(struct wire *w, int n)
{
    const struct redis *s = w->link->store;
    atomic_int_fast64_t *is = &wire_followers(w)->short_since;
    int64_t since = atomic_load(is);
    if ((n < s->url.wait) == (since != 0))
        return;
    atomic_store(is, since ? 0 : clock_wall_ms(s->clock));
    log_event(since ? LOG_INFO : LOG_WARN, since ? "redis_replicas_back" : "redis_replicas_away",
              "\"needed\":%d,\"there\":%d", s->url.wait, n);
}

bool redis_is_master(struct wire *w, const redisReply *r)
{
    struct followers *f = wire_followers(w);
    const bool fresh = w->state != WIRE_READY;
    int_fast64_t floor = atomic_load(&f->floor);
    const struct look l =
        r->type == REDIS_REPLY_STRING ? look_at(r->str, fresh ? 0 : floor) : (struct look){0};
    if (!l.master)
        return false;
    wire_note_replicas(w, l.follow);
    if (!wire_looks(w))
        return true;
    /* if it has changed meanwhile, somebody is left behind now */
    atomic_compare_exchange_strong(&f->floor, &floor, l.keep_up == l.follow ? 0 : l.now);
    if (fresh || l.keep_up > atomic_load(&f->keep_up))
        atomic_store(&f->keep_up, l.keep_up);
    return true;
}
