#include "store/memory.h"

#include "base/grow.h"
#include "base/mem.h"
#include "store/lease.h"

#include <stdlib.h>
#include <string.h>

/* --- expiring keys --- */

/* Drop what has expired; called when the number of keys has doubled, so that it costs each put
 * little. */
static void sweep(struct memory *m, int64_t now)
{
    struct map *live = map_new();
    size_t at = 0, len;
    const void *key;
    void *value;
    while (map_next(m->keys, &at, &key, &len, &value)) {
        struct memory_key *k = value;
        if (k->expires_ms > now)
            map_set(live, key, len, k);
        else
            free(k);
    }
    map_free(m->keys);
    m->keys = live;
    m->keys_swept = map_count(live);
}

static struct memory_key *key_get(struct memory *m, const char *key)
{
    struct memory_key *k = map_get(m->keys, key, strlen(key));
    return k && k->expires_ms > clock_wall_ms(m->clock) ? k : NULL;
}

static struct memory_key *key_set(struct memory *m, const struct store_key *key)
{
    if (map_count(m->keys) > 2 * m->keys_swept + 1000)
        sweep(m, clock_wall_ms(m->clock));
    struct memory_key *k = mem_alloc(sizeof *k + key->value_len + 1);
    *k = (struct memory_key){.expires_ms = key->expires_ms, .len = key->value_len};
    if (key->value_len)
        memcpy(k->value, key->value, key->value_len);
    k->value[key->value_len] = '\0';
    free(map_set(m->keys, key->key, strlen(key->key), k));
    return k;
}

void memory_key_put(struct memory *m, const struct store_key *key)
{
    key_set(m, key);
}

/* Hand the stored value out. */
static bool key_answer(struct key_request *k, const struct memory_key *is, struct err *e)
{
    k->found = is != NULL;
    if (!is)
        return true;
    char *value = arena_alloc(k->arena, is->len + 1);
    if (!value)
        return fail(e, &ERR_MEMORY, "the value of a key is larger than the arena");
    memcpy(value, is->value, is->len + 1);
    k->value = value;
    k->value_len = is->len;
    k->number = is->number;
    return true;
}

bool memory_key(struct memory *m, struct key_request *k, struct err *e)
{
    struct memory_key *is = key_get(m, k->key.key);
    k->found = is != NULL;
    switch (k->op) {
    case KEY_GET: return key_answer(k, is, e);
    case KEY_PUT: key_set(m, &k->key); return true;
    case KEY_PUT_NEW:
        if (!is)
            key_set(m, &k->key);
        return key_answer(k, is, e);
    case KEY_ADD:
        if (!is)
            is = key_set(m, &(struct store_key){k->key.key, NULL, 0, k->key.expires_ms});
        if (__builtin_add_overflow(is->number, k->amount, &k->number))
            return fail(e, &ERR_INVALID, "the counter '%s' would overflow", k->key.key);
        is->number = k->number;
        return true;
    case KEY_DELETE: free(map_remove(m->keys, k->key.key, strlen(k->key.key))); return true;
    }
    return fail(e, &ERR_INTERNAL, "unknown key operation %d", (int)k->op);
}

bool memory_keys(struct store *s, const char *prefix,
                 bool (*each)(void *ctx, const struct store_key *k), void *ctx, struct err *e)
{
    (void)e;
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    size_t at = 0, len;
    const void *key;
    void *value;
    bool goes_on = true;
    while (goes_on && map_next(m->keys, &at, &key, &len, &value)) {
        const struct memory_key *k = value;
        char *text = mem_copy(key, len);
        if (strncmp(text, prefix, strlen(prefix)) == 0 && k->expires_ms > clock_wall_ms(m->clock))
            goes_on = each(ctx, &(struct store_key){text, k->value, k->len, k->expires_ms});
        free(text);
    }
    pthread_mutex_unlock(&m->lock);
    return true;
}

/* --- leases --- */

bool memory_lease(struct memory *m, struct lease_request *l, struct err *e)
{
    (void)e;
    size_t len = strlen(l->name);
    struct memory_lease *is = map_get(m->leases, l->name, len);
    struct lease_row stored, next;
    if (is)
        stored = (struct lease_row){is->holder, is->token, is->until};
    if (!lease_decide(is ? &stored : NULL, l, clock_wall_ms(m->clock), &next))
        return true;
    if (!is) {
        is = mem_zero(1, sizeof *is);
        map_set(m->leases, l->name, len, is);
    }
    char *holder = mem_text(next.holder);
    free(is->holder);
    *is = (struct memory_lease){holder, next.token, next.until};
    return true;
}

/* --- queues --- */

#define BOUND 100000

static struct memory_job *job_find(struct memory *m, const char *queue, const char *id)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (strcmp(m->jobs[i].queue, queue) == 0 && strcmp(m->jobs[i].id, id) == 0)
            return &m->jobs[i];
    return NULL;
}

static void job_add(struct memory *m, const char *queue, const char *id, const void *data,
                    size_t len)
{
    GROW(m->jobs, m->n_jobs, m->cap_jobs);
    m->jobs[m->n_jobs++] = (struct memory_job){
        .queue = mem_text(queue),
        .id = mem_text(id),
        .data = mem_copy(data ? data : "", len),
        .len = len,
        .number = ++m->pushed,
    };
}

static bool push(struct memory *m, struct queue_request *q, struct err *e)
{
    size_t waiting = 0, bound = q->bound ? q->bound : BOUND;
    q->found = job_find(m, q->queue, q->id) != NULL;
    if (q->found)
        return true;
    for (size_t i = 0; i < m->n_jobs; i++)
        waiting += strcmp(m->jobs[i].queue, q->queue) == 0;
    if (waiting >= bound)
        return fail(e, &ERR_BUSY, "%zu jobs wait in the queue '%s' already", waiting, q->queue);
    job_add(m, q->queue, q->id, q->data, q->len);
    return true;
}

static struct memory_job *job_free_for(struct memory *m, const struct queue_request *q, int64_t now)
{
    for (size_t i = 0; i < m->n_jobs; i++)
        if (strcmp(m->jobs[i].queue, q->queue) == 0 && m->jobs[i].claimed_until <= now &&
            m->jobs[i].number > q->after)
            return &m->jobs[i];
    return NULL;
}

static bool claim(struct memory *m, struct queue_request *q, int64_t now, struct err *e)
{
    struct memory_job *job = q->id ? job_find(m, q->queue, q->id) : job_free_for(m, q, now);
    q->found = job != NULL;
    if (!job)
        return true;
    char *data = arena_alloc(q->arena, job->len + 1),
         *id = arena_alloc(q->arena, strlen(job->id) + 1);
    if (!data || !id)
        return fail(e, &ERR_MEMORY, "a job is larger than the arena");
    memcpy(data, job->data, job->len);
    data[job->len] = '\0';
    q->id = memcpy(id, job->id, strlen(job->id) + 1);
    q->data = data;
    q->len = job->len;
    q->number = job->number;
    q->attempts = ++job->attempts;
    free(job->worker);
    job->worker = mem_text(q->worker);
    job->claimed_until = now + q->claim_ms;
    return true;
}

static void job_free(struct memory_job *job)
{
    free(job->queue);
    free(job->id);
    free(job->worker);
    free(job->data);
}

static void job_remove(struct memory *m, struct memory_job *job)
{
    job_free(job);
    memmove(job, job + 1, (size_t)(&m->jobs[m->n_jobs] - (job + 1)) * sizeof *job);
    m->n_jobs--;
}

/* Whoever claimed last has the job, also past the end of its claim as long as nobody else took it.
 */
static struct memory_job *job_mine(struct memory *m, struct queue_request *q)
{
    struct memory_job *job = job_find(m, q->queue, q->id);
    q->found = job && job->worker && strcmp(job->worker, q->worker) == 0;
    return q->found ? job : NULL;
}

static void move(struct memory *m, const struct queue_request *q, struct memory_job *job,
                 int64_t now)
{
    if (strcmp(q->to, q->queue) != 0) {
        job_remove(m, job);
        struct memory_job *there = job_find(m, q->to, q->id);
        if (there)
            job_remove(m, there);
        job_add(m, q->to, q->id, q->data, q->len);
        return;
    }
    free(job->data);
    job->data = mem_copy(q->data, q->len);
    job->len = q->len;
    job->claimed_until = q->claim_ms ? now + q->claim_ms : 0;
    if (!q->claim_ms) {
        free(job->worker);
        job->worker = NULL;
    }
}

bool memory_queue(struct memory *m, struct queue_request *q, struct err *e)
{
    int64_t now = clock_wall_ms(m->clock);
    struct memory_job *job;
    switch (q->op) {
    case QUEUE_PUSH: return push(m, q, e);
    case QUEUE_CLAIM: return claim(m, q, now, e);
    case QUEUE_HEARTBEAT:
        job = job_mine(m, q);
        if (job)
            job->claimed_until = now + q->claim_ms;
        return true;
    case QUEUE_FINISH:
        job = job_mine(m, q);
        if (job)
            job_remove(m, job);
        return true;
    case QUEUE_MOVE:
        job = job_mine(m, q);
        if (job)
            move(m, q, job, now);
        return true;
    }
    return fail(e, &ERR_INTERNAL, "unknown queue operation %d", (int)q->op);
}

void memory_keys_free(struct memory *m)
{
    size_t at = 0;
    void *value;
    while (map_next(m->keys, &at, NULL, NULL, &value))
        free(value);
    map_free(m->keys);
    at = 0;
    while (map_next(m->leases, &at, NULL, NULL, &value)) {
        free(((struct memory_lease *)value)->holder);
        free(value);
    }
    map_free(m->leases);
    for (size_t i = 0; i < m->n_jobs; i++)
        job_free(&m->jobs[i]);
    free(m->jobs);
}
