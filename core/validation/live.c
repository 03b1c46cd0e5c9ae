/* The table of runs that wait or are under way on this node. */
#include "validation/inner.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct live_run *live_find(struct validation *v, const char *ns, const char *run_id)
{
    struct live_run *l = map_get(v->runs, run_id, strlen(run_id));
    return l && strcmp(l->ns, ns) == 0 ? l : NULL;
}

struct live_run *live_add(struct validation *v, const struct run *r, const char *ns, uint64_t uid,
                          bool whole)
{
    struct live_run *l = mem_zero(1, sizeof *l);
    struct bytes text = BYTES_INIT(RUN_TEXT_MAX);
    l->run_id = mem_text(r->run_id);
    l->ns = mem_text(ns);
    l->model_id = mem_text(r->model_id);
    l->batch_id = mem_text(r->batch_id);
    l->uid = uid;
    l->trial = r->trial;
    l->whole = whole && !r->trial;
    memcpy(l->fingerprint, r->subject_fingerprint,
           strnlen(r->subject_fingerprint, sizeof l->fingerprint - 1));
    run_encode(r, ns, &text);
    l->json = bytes_take(&text, &l->json_len);
    map_set(v->runs, l->run_id, strlen(l->run_id), l);
    if (l->whole)
        map_set(v->pending, &l->uid, sizeof l->uid, l);
    if (!l->batch_id)
        v->waiting++;
    return l;
}

void live_free(struct live_run *l)
{
    free(l->run_id);
    free(l->ns);
    free(l->model_id);
    free(l->batch_id);
    free(l->json);
    free(l);
}

void live_end(struct validation *v, struct live_run *l)
{
    pthread_mutex_lock(&v->lock);
    map_remove(v->runs, l->run_id, strlen(l->run_id));
    if (map_get(v->pending, &l->uid, sizeof l->uid) == l)
        map_remove(v->pending, &l->uid, sizeof l->uid);
    if (!l->batch_id && !l->execution)
        v->waiting--;
    struct run_wait *next, *w = l->waits;
    pthread_mutex_unlock(&v->lock);
    for (; w; w = next) {
        next = w->next;
        w->over = true;
        w->done(w);
    }
    live_free(l);
}

static struct live_run *any_of_night(struct validation *v, const char *ns, const char *batch_id)
{
    const void *key;
    size_t at = 0, len;
    void *value;
    while (map_next(v->runs, &at, &key, &len, &value)) {
        struct live_run *l = value;
        if (l->batch_id && strcmp(l->batch_id, batch_id) == 0 && strcmp(l->ns, ns) == 0)
            return l;
    }
    return NULL;
}

void live_end_night(struct validation *v, const char *ns, const char *batch_id)
{
    for (;;) {
        pthread_mutex_lock(&v->lock);
        struct live_run *l = any_of_night(v, ns, batch_id);
        if (l && l->execution)
            l->execution->live = NULL;
        pthread_mutex_unlock(&v->lock);
        if (!l)
            return;
        live_end(v, l);
    }
}

/* Take off `l` those whose time has passed. */
static void overdue(struct live_run *l, int64_t now_ns, struct run_wait **late)
{
    for (struct run_wait **at = &l->waits; *at;) {
        struct run_wait *w = *at;
        if (w->until_ns > now_ns) {
            at = &w->next;
            continue;
        }
        *at = w->next;
        w->next = *late;
        *late = w;
    }
}

void live_tick(struct validation *v, int64_t now_ns)
{
    struct run_wait *late = NULL, *next;
    const void *key;
    size_t at = 0, len;
    void *value;
    pthread_mutex_lock(&v->lock);
    while (map_next(v->runs, &at, &key, &len, &value))
        overdue(value, now_ns, &late);
    pthread_mutex_unlock(&v->lock);
    for (; late; late = next) {
        next = late->next;
        late->done(late);
    }
}

/* --- for those who ask --- */

bool validation_live(struct validation *v, const char *ns, const char *run_id, struct bytes *out)
{
    pthread_mutex_lock(&v->lock);
    const struct live_run *l = live_find(v, ns, run_id);
    if (l && l->execution)
        run_encode(&l->execution->run, ns, out);
    else if (l)
        bytes_add(out, l->json, l->json_len);
    pthread_mutex_unlock(&v->lock);
    return l != NULL;
}

bool validation_wait(struct validation *v, const char *ns, const char *run_id, struct run_wait *w)
{
    pthread_mutex_lock(&v->lock);
    struct live_run *l = v->stopped ? NULL : live_find(v, ns, run_id);
    w->over = false;
    if (l) {
        w->next = l->waits;
        l->waits = w;
    }
    pthread_mutex_unlock(&v->lock);
    return l != NULL;
}

struct calling_off {
    struct mail mail;
    struct validation *v;
    char run_id[RUN_ID_SIZE];
};

/* [supervisor] What is under way here is ended by who looks at it next; what may be under way
 * elsewhere is taken back. */
static void call_off(struct mail *m)
{
    struct calling_off *c = (struct calling_off *)(void *)m;
    struct validation *v = c->v;
    pthread_mutex_lock(&v->lock);
    const struct live_run *l = map_get(v->runs, c->run_id, strlen(c->run_id));
    bool elsewhere = l && !l->execution, of_night = l && l->batch_id;
    pthread_mutex_unlock(&v->lock);
    if (v->shared && elsewhere && !v->stopping)
        supervisor_seize(v, c->run_id, of_night);
    free(c);
}

enum cancel_answer validation_cancel(struct validation *v, const char *ns, const char *run_id)
{
    pthread_mutex_lock(&v->lock);
    struct live_run *l = live_find(v, ns, run_id);
    if (l)
        l->cancelled = true;
    pthread_mutex_unlock(&v->lock);
    if (!l)
        return CANCEL_UNKNOWN;
    struct calling_off *c = mem_zero(1, sizeof *c);
    c->mail.run = call_off;
    c->v = v;
    snprintf(c->run_id, sizeof c->run_id, "%s", run_id);
    supervisor_post(v, &c->mail);
    return CANCEL_TAKEN;
}

void validation_stats(struct validation *v, struct validation_stats *out)
{
    pthread_mutex_lock(&v->lock);
    const void *key;
    size_t at = 0, len, queued = 0;
    void *value;
    while (map_next(v->runs, &at, &key, &len, &value))
        queued += !((const struct live_run *)value)->execution;
    *out = (struct validation_stats){.queued = queued,
                                     .running = v->n_active,
                                     .workers = v->workers_running,
                                     .runs = v->runs_total,
                                     .tests = v->tests_total};
    pthread_mutex_unlock(&v->lock);
}
