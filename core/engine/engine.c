#include "engine/engine.h"

#include "base/log.h"
#include "base/mem.h"
#include "engine/inner.h"
#include "base/thread.h"
#include "store/nodes.h"

#include <stdlib.h>

#define MAILBOX_LIMIT 8192
#define BATCH_LIMIT   512
#define PROBE_MS      1000 /* how often a store that failed is asked, when no command does */

struct view_reader {
    struct epoch_reader *epoch;
    struct engine *engine;
};

void engine_publish(struct engine *en)
{
    atomic_store(&en->view, state_publish(en->state, en->seq));
    atomic_store(&en->last_seq, en->seq);
    epoch_advance(en->epoch);
}

/* --- the thread --- */

/* Take the nudge out, which is no command. */
static struct mail *commands_of(struct engine *en, struct mail *list)
{
    for (struct mail **at = &list; *at; at = &(*at)->next)
        if (*at == &en->nudge) {
            *at = en->nudge.next;
            atomic_store(&en->nudged, false);
            break;
        }
    return list;
}

static bool is_behind(const struct engine *en)
{
    return en->shared && (atomic_load(&en->heard) > en->seq || en->told < en->seq ||
                          store_epoch(en->store) > en->data_epoch);
}

static void follow(struct engine *en)
{
    struct err e = {0};
    if (!is_behind(en))
        return;
    bool ok = engine_catch_up(en, &e); /* else it is tried again */
    if (!ok && !en->lags)
        log_text(LOG_WARN, "journal_not_followed", e.detail);
    else if (ok && en->lags)
        log_event(LOG_INFO, "journal_followed", NULL);
    en->lags = !ok;
}

static void *thread(void *arg)
{
    struct engine *en = arg;
    struct mail *waiting = NULL;
    for (;;) {
        bool available = atomic_load(&en->unavailable_since) == 0;
        bool timed = !available || is_behind(en), idle = false;
        if (!waiting) {
            waiting = mailbox_wait(en->commands, timed ? PROBE_MS : -1);
            idle = !waiting;
            waiting = commands_of(en, waiting);
        }
        follow(en);
        if (waiting)
            waiting = batch_run(en, waiting);
        else if (mailbox_closed(en->commands))
            return NULL;
        else if (idle && !available)
            batch_probe(en);
    }
}

/* --- start and stop --- */

static void engine_free(struct engine *en)
{
    epoch_free(en->epoch);
    if (en->state)
        state_free(en->state);
    chains_release(&en->chains);
    batch_release(&en->batch);
    mailbox_free(en->commands);
    mailbox_free(en->replies);
    free(en);
}

static bool begin(struct engine *en, const struct engine_config *config, struct err *e)
{
    size_t limit = config->mailbox_limit ? config->mailbox_limit : MAILBOX_LIMIT;
    struct store_head head;
    if (!(en->commands = mailbox_new(limit, e)) || !(en->replies = mailbox_new(1, e)) ||
        !(en->state = load_state(en, &head, e)))
        return false;
    engine_loaded(en, &head);
    en->told = head.seq;
    engine_publish(en);
    return thread_start(&en->thread, "engine", THREAD_SOON, thread, en, e);
}

struct engine *engine_start(const struct engine_config *config, struct err *e)
{
    struct engine *en = mem_zero(1, sizeof *en);
    en->store = config->store;
    en->shared = store_shared(config->store);
    en->clock = config->clock;
    en->rules = config->rules;
    en->gate = config->gate;
    en->batch_limit = config->batch_limit ? config->batch_limit : BATCH_LIMIT;
    en->epoch = epoch_new();
    chains_init(&en->chains);
    batch_init(&en->batch, en->batch_limit);
    if (begin(en, config, e))
        return en;
    engine_free(en);
    return NULL;
}

void engine_follow(struct engine *en)
{
    if (en->shared)
        en->store->ops->watch(en->store, engine_heard, en);
}

void engine_stop(struct engine *en)
{
    if (!en)
        return;
    if (en->shared)
        en->store->ops->watch(en->store, NULL, NULL);
    mailbox_close(en->commands);
    pthread_join(en->thread, NULL);
    engine_free(en);
}

bool engine_submit(struct engine *en, struct command *c, struct err *e)
{
    if (mailbox_post(en->commands, &c->mail))
        return true;
    if (mailbox_closed(en->commands))
        return fail(e, &ERR_IO, "the server is stopping");
    return fail(e, &ERR_BUSY, "too many changes wait to be written; try again");
}

/* --- views --- */

struct view_reader *engine_join(struct engine *en)
{
    struct epoch_reader *epoch = epoch_join(en->epoch);
    if (!epoch)
        return NULL;
    struct view_reader *r = mem_alloc(sizeof *r);
    *r = (struct view_reader){epoch, en};
    return r;
}

void engine_part(struct view_reader *r)
{
    if (!r)
        return;
    epoch_part(r->epoch);
    free(r);
}

const struct view *view_enter(struct view_reader *r)
{
    epoch_enter(r->epoch);
    return atomic_load(&r->engine->view);
}

void view_leave(struct view_reader *r)
{
    epoch_leave(r->epoch);
}

/* --- listeners, figures --- */

bool engine_listen(struct engine *en, const struct publish_listener *l)
{
    if (en->n_listeners == LISTENERS_MAX)
        return false;
    en->listeners[en->n_listeners++] = *l;
    return true;
}

bool engine_available(const struct engine *en)
{
    return atomic_load_explicit(&en->unavailable_since, memory_order_relaxed) == 0;
}

void engine_stats(struct engine *en, struct engine_stats *out)
{
    *out = (struct engine_stats){
        .commands = atomic_load(&en->commands_done),
        .refused = atomic_load(&en->refused),
        .batches = atomic_load(&en->batches),
        .batch_commands_max = atomic_exchange(&en->batch_max, 0),
        .failed_batches = atomic_load(&en->failed_batches),
        .waiting = mailbox_count(en->commands),
        .seq = atomic_load(&en->last_seq),
        .unavailable_since = atomic_load(&en->unavailable_since),
    };
    out->available = out->unavailable_since == 0;
}
