/* This node among the others.
 *
 * Each directory has a lease, "node:DIRECTORY", held by one start of it: a second copy of the
 * directory, or a start that was given up for dead and replaced, can write nothing. It is renewed
 * every 2 s by a script that also tells the others of this node, tells it of them, and makes it the
 * decider if nobody is. Redis' own clock ends both leases, so nodes need not agree on the time.
 *
 * A node that comes back after its lease has ended takes it again: what others wrote meanwhile is
 * in the journal. Unless Redis has other data by now, which were never this node's: then it stays
 * away until it is started again.
 *
 * Redis may come back with less than it had, restored from something older or failed over to a
 * replica that was behind; and others may have written since, so that the journal is as long as
 * before. So with each renewal, the first of a connection before all requests, goes the newest
 * entry that this node has seen, by number and hash. If it is not there, the data of a new epoch
 * begin: all nodes hear of it at their next renewal, and load everything anew. Until then none
 * writes on what was lost: a commit names the hash of its head, too.
 *
 * What others write is heard of on a connection of its own, by a read that blocks until the stream
 * "moved" has something newer. That stream holds one entry, whose id is the journal's head. */
#include "store/redis.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEASE_MARGIN_MS 3000
#define MS              1000000LL
#define REPORT_SIZE     (512 + NODE_DOING_SIZE)
#define FIXED           6 /* of the reply, before the nodes */
#define PER_NODE        3

void node_reached(struct redis *s, const struct store_head *head)
{
    pthread_mutex_lock(&s->nodes_lock);
    const struct store_head *is = &s->reached;
    if (head->epoch > is->epoch || (head->epoch == is->epoch && head->seq >= is->seq))
        s->reached = *head;
    pthread_mutex_unlock(&s->nodes_lock);
}

static struct store_head reached(struct redis *s)
{
    pthread_mutex_lock(&s->nodes_lock);
    struct store_head head = s->reached;
    pthread_mutex_unlock(&s->nodes_lock);
    return head;
}

/* --- what a node tells: time, start, sequence, version, address, host, epoch, what it does --- */

static const char *or_dash(const char *text)
{
    return *text ? text : "-";
}

static void make_report(struct redis *s, char out[REPORT_SIZE])
{
    char host[80] = "";
    gethostname(host, sizeof host - 1);
    host[strcspn(host, " ")] = '\0';
    pthread_mutex_lock(&s->nodes_lock);
    snprintf(out, REPORT_SIZE, "%lld %lld %llu %s %s %s %llu %s",
             (long long)clock_wall_ms(s->clock), (long long)s->started_ms,
             (unsigned long long)s->reached.seq, or_dash(s->version), or_dash(s->address),
             or_dash(host), (unsigned long long)s->reached.epoch, s->doing);
    pthread_mutex_unlock(&s->nodes_lock);
}

/* The script has put the journal's head before it; older versions do not tell the epoch. */
static bool read_report(const char *text, struct node_report *out)
{
    long long heartbeat, started;
    unsigned long long head, seq, epoch = 1;
    int end = 0;
    if (sscanf(text, "%llu %lld %lld %llu %63s %79s %79s %n", &head, &heartbeat, &started, &seq,
               out->version, out->address, out->host, &end) != 7)
        return false;
    const char *rest = end ? text + end : "";
    if (sscanf(rest, "%llu %n", &epoch, &end) == 1)
        rest += end;
    snprintf(out->doing, sizeof out->doing, "%s", rest);
    char *const texts[] = {out->version, out->address, out->host};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(texts[i], "-") == 0)
            *texts[i] = '\0';
    out->heartbeat_ms = heartbeat;
    out->started_ms = started;
    out->seq = seq;
    out->epoch = epoch;
    out->lag = head > seq ? head - seq : 0;
    return true;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct node_report *)a)->node_id,
                  ((const struct node_report *)b)->node_id);
}

static bool same_node(const char *name, const char *start)
{
    size_t len = strlen(name);
    return strncmp(name, start, len) == 0 && start[len] == '/';
}

static void take_nodes(struct redis *s, const redisReply *r)
{
    size_t n = 0, most = (r->elements - FIXED) / PER_NODE;
    struct node_report *list = mem_zero(most + 1, sizeof *list);
    for (size_t i = FIXED; i + PER_NODE <= r->elements; i += PER_NODE) {
        struct node_report *one = &list[n];
        *one = (struct node_report){0};
        snprintf(one->node_id, sizeof one->node_id, "%s", r->element[i]->str);
        if (!read_report(r->element[i + 1]->str, one))
            continue;
        one->alive = strcmp(r->element[i + 2]->str, "1") == 0;
        one->works = strncmp(one->node_id, NODE_WORKS, sizeof NODE_WORKS - 1) == 0;
        one->self = same_node(one->node_id, s->me);
        one->decides = same_node(one->node_id, r->element[2]->str);
        n++;
    }
    qsort(list, n, sizeof *list, by_id);
    pthread_mutex_lock(&s->nodes_lock);
    free(s->nodes);
    s->nodes = list;
    s->n_nodes = n;
    pthread_mutex_unlock(&s->nodes_lock);
}

bool node_others(struct redis *s)
{
    bool others = false;
    pthread_mutex_lock(&s->nodes_lock);
    for (size_t i = 0; i < s->n_nodes; i++)
        others |= s->nodes[i].alive && !s->nodes[i].self;
    pthread_mutex_unlock(&s->nodes_lock);
    return others;
}

/* --- the lease --- */

void node_renew(struct wire *w, redisCallbackFn *fn)
{
    char report[REPORT_SIZE];
    struct redis *s = w->link->store;
    const struct store_head has = reached(s);
    make_report(s, report);
    redisAsyncCommand(w->connection, fn, NULL, "EVAL %s 1 %s %s %d 0 %s %s %lld %llu %llu %s %u",
                      REDIS_SCRIPTS[SCRIPT_NODE], REDIS_GATE, s->me, REDIS_LEASE_MS, s->life,
                      report, (long long)clock_wall_ms(s->clock), (unsigned long long)has.epoch,
                      (unsigned long long)has.seq, has.hash, s->space);
}

void node_leave(struct wire *w, redisCallbackFn *fn)
{
    redisAsyncCommand(w->connection, fn, NULL, "EVAL %s 1 %s %s", REDIS_SCRIPTS[SCRIPT_LEAVE],
                      REDIS_GATE, w->link->store->me);
}

/* Why there is no lease. */
static bool refused(const struct redis *s, const redisReply *r, struct err *e)
{
    const char *what = r->element[0]->str, *who = r->element[1]->str;
    if (strcmp(what, "old") == 0)
        return fail(e, &ERR_CONFIG,
                    "a node of an older version (%.64s) works on Redis at %s; after its end it "
                    "takes at most 15 seconds until this one may start",
                    who, s->place);
    if (strcmp(what, "displaced") == 0)
        return fail(e, &ERR_CONFIG,
                    "another directory (%.64s) has gone on with the records of this one on Redis "
                    "at %s: start it with a new directory",
                    who, s->place);
    return fail(e, &ERR_IO,
                "another start of this directory (%.64s) has taken over, or Redis has other data: "
                "start this server again",
                who);
}

/* All but the head are texts of the script's own. */
static bool well_formed(const redisReply *r)
{
    bool good = r->type == REDIS_REPLY_ARRAY && r->elements >= 2;
    for (size_t i = 0; good && i < r->elements; i++)
        good = r->element[i]->type == REDIS_REPLY_STRING;
    return good && (strcmp(r->element[0]->str, "ok") != 0 ||
                    (r->elements >= FIXED && (r->elements - FIXED) % PER_NODE == 0));
}

/* Data of another epoch than those that were loaded: void is what was, whatever is told next. */
static void note_epoch(struct redis *s, uint64_t epoch, uint64_t head)
{
    uint64_t before = atomic_exchange(&s->epoch, epoch);
    if (epoch == before || !*s->life)
        return;
    atomic_store(&s->own, 0);
    pthread_mutex_lock(&s->nodes_lock);
    uint64_t had = s->reached.seq;
    s->losses++;
    if (s->moved)
        s->moved(s->moved_ctx, head);
    pthread_mutex_unlock(&s->nodes_lock);
    log_event(LOG_ERROR, "redis_lost_data", "\"epoch\":%llu,\"had_seq\":%llu,\"has_seq\":%llu",
              (unsigned long long)epoch, (unsigned long long)had, (unsigned long long)head);
}

bool node_leased(struct redis *s, int64_t asked_ns, const redisReply *r, struct err *e)
{
    int64_t head, epoch;
    if (!well_formed(r))
        return redis_strange(e);
    if (strcmp(r->element[0]->str, "ok") != 0)
        return refused(s, r, e);
    if (!redis_number(r->element[1], &head) || !redis_number(r->element[5], &epoch))
        return redis_strange(e);
    atomic_store(&s->leased_ns, asked_ns);
    note_epoch(s, (uint64_t)epoch, (uint64_t)head);
    bool decides = strcmp(r->element[2]->str, s->me) == 0;
    int64_t until = asked_ns + (REDIS_LEASE_MS - LEASE_MARGIN_MS) * MS;
    bool before = atomic_exchange(&s->decides_ns, decides ? until : 0) != 0;
    if (decides != before)
        log_event(LOG_INFO, decides ? "decides" : "decides_no_more", NULL);
    if (!*s->life) { /* at the start, before others look */
        snprintf(s->life, sizeof s->life, "%s", r->element[3]->str);
        s->space = (unsigned)strtoul(r->element[4]->str, NULL, 10);
    }
    take_nodes(s, r);
    return true;
}

/* --- what others see of it --- */

static bool is_redis(const struct store *s)
{
    return s->ops->tail == redis_tail;
}

uint64_t store_epoch(struct store *store)
{
    return is_redis(store) ? atomic_load(&redis_of(store)->epoch) : 1;
}

bool store_decides(struct store *store)
{
    return !is_redis(store) ||
           clock_mono_ns(&CLOCK_SYSTEM) < atomic_load(&redis_of(store)->decides_ns);
}

void store_space(struct store *store, char out[STORE_SPACE_SIZE])
{
    place_space(store_place(store), out);
}

void place_space(size_t place, char out[STORE_SPACE_SIZE])
{
    *out = '\0';
    if (place)
        snprintf(out, STORE_SPACE_SIZE, ".%u", (unsigned)place);
}

unsigned store_place(struct store *store)
{
    return is_redis(store) ? redis_of(store)->space : 0;
}

void delta_mark_name(const char *space, size_t place, char out[DELTA_MARK_SIZE])
{
    snprintf(out, DELTA_MARK_SIZE, "telemetry%s/taken.%zu", space, place);
}

void store_nodes(struct store *store, bool (*each)(void *ctx, const struct node_report *r),
                 void *ctx)
{
    if (!is_redis(store))
        return;
    struct redis *s = redis_of(store);
    pthread_mutex_lock(&s->nodes_lock);
    for (size_t i = 0; i < s->n_nodes && each(ctx, &s->nodes[i]); i++)
        ;
    pthread_mutex_unlock(&s->nodes_lock);
}

void store_tell_address(struct store *store, const char *address)
{
    if (!is_redis(store))
        return;
    struct redis *s = redis_of(store);
    pthread_mutex_lock(&s->nodes_lock);
    snprintf(s->address, sizeof s->address, "%.79s", address);
    pthread_mutex_unlock(&s->nodes_lock);
}

void store_tell_doing(struct store *store, const char *json)
{
    if (!is_redis(store))
        return;
    struct redis *s = redis_of(store);
    pthread_mutex_lock(&s->nodes_lock);
    snprintf(s->doing, sizeof s->doing, "%s", strlen(json) < sizeof s->doing ? json : "");
    pthread_mutex_unlock(&s->nodes_lock);
}

void store_node_name(struct store *store, char out[64])
{
    const char *me = is_redis(store) ? redis_of(store)->me : "";
    snprintf(out, 64, "%.*s", (int)strcspn(me, "/"), me);
}

/* --- what others write --- */

static void tell(struct redis *s, uint64_t seq)
{
    if (seq <= atomic_load(&s->own))
        return; /* this node's own commit */
    pthread_mutex_lock(&s->nodes_lock);
    s->told = seq;
    if (s->moved)
        s->moved(s->moved_ctx, seq);
    pthread_mutex_unlock(&s->nodes_lock);
}

/* The id of the only entry of the only stream; 0: nothing new. */
static uint64_t newest(const redisReply *r)
{
    for (int depth = 0; depth < 4; depth++) {
        static const size_t PLACE[] = {0, 1, 0, 0};
        if (r->type != REDIS_REPLY_ARRAY || r->elements <= PLACE[depth])
            return 0;
        r = r->element[PLACE[depth]];
    }
    return r->type == REDIS_REPLY_STRING ? strtoull(r->str, NULL, 10) : 0;
}

static void heard(redisAsyncContext *connection, void *reply, void *arg)
{
    struct wire *w = connection->data;
    struct link *l = w->link;
    const redisReply *r = reply;
    (void)arg;
    if (w->connection != connection || !r)
        return;
    if (r->type == REDIS_REPLY_ERROR) {
        struct err e = {0};
        cluster_redirects(l->store, r, &w->to);
        redis_refused(r, &e);
        wire_drop(w, e.detail);
        return;
    }
    w->renewing = false;
    uint64_t seq = newest(r);
    if (seq > l->heard) {
        l->heard = seq;
        tell(l->store, seq);
    }
    watch_ask(w);
}

void watch_ask(struct wire *w)
{
    const struct link *l = w->link;
    int64_t most = l->store->reply_ns / (2 * MS);
    w->renewed_ns = clock_mono_ns(&CLOCK_SYSTEM);
    w->renewing = true;
    redisAsyncCommand(w->connection, heard, NULL, "XREAD BLOCK %lld STREAMS %s %llu-0",
                      (long long)(most < 1000 ? most : 1000), REDIS_CONTROL "moved",
                      (unsigned long long)l->heard);
}

void redis_watch(struct store *store, void (*moved)(void *ctx, uint64_t seq), void *ctx)
{
    struct redis *s = redis_of(store);
    pthread_mutex_lock(&s->nodes_lock);
    s->moved = moved;
    s->moved_ctx = ctx;
    if (moved && s->told)
        moved(ctx, s->told); /* it was heard of before anybody listened */
    pthread_mutex_unlock(&s->nodes_lock);
}
