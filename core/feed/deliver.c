/* The deliverer's thread: it holds the lease, and takes turns between what the store answered, the
 * journal, the lanes, and the transfers under way. It waits for nothing but all of these at once.
 */
#include "feed/deliver_impl.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/thread.h"
#include "store/nodes.h"

#include <stdlib.h>

#define LEASE         "webhooks"
#define LEASE_MS      15000
#define LEASE_STEP_MS 5000
#define TRIM_STEP_MS  3600000
#define TURN_MS       1000 /* it looks around at least so often */
#define MAILS         256

int64_t deliver_now(const struct deliveries *d)
{
    return clock_mono_ns(d->config.clock) / 1000000;
}

void deliver_answer(struct deliveries *d, struct mail *mail)
{
    mailbox_post_answer(d->box, mail);
}

/* --- lease --- */

struct lease {
    struct lease_request request; /* first */
    struct deliveries *d;
};

static void held_now(struct deliveries *d, bool held)
{
    if (!held)
        d->loaded = false; /* somebody else goes on; what is known here gets old */
    if (held != d->held)
        log_event(LOG_INFO, held ? "webhooks_held" : "webhooks_lost", NULL);
    d->held = held;
}

static void lease_answered(struct mail *mail)
{
    struct lease *l = (struct lease *)(void *)mail;
    struct deliveries *d = l->d;
    bool held = l->request.ok ? l->request.held : d->held && deliver_now(d) < d->lease_ends_ms;
    d->asked--;
    d->leasing = false;
    if (l->request.ok && held)
        d->lease_ends_ms = l->request.ttl_ms + d->lease_ms - LEASE_STEP_MS;
    held_now(d, held);
    free(l);
}

/* [store] */
static void lease_done(struct lease_request *r)
{
    deliver_answer(((struct lease *)(void *)r)->d, &r->mail);
}

static void lease_ask(struct deliveries *d, int64_t ttl_ms)
{
    struct lease *l = mem_zero(1, sizeof *l);
    l->d = d;
    l->request = (struct lease_request){.mail.run = lease_answered,
                                        .name = LEASE,
                                        .holder = d->config.holder,
                                        .ttl_ms = ttl_ms,
                                        .done = lease_done};
    d->leasing = true;
    d->lease_ms = deliver_now(d) + LEASE_STEP_MS;
    d->asked++;
    d->config.store->ops->lease(d->config.store, &l->request);
}

/* --- turns --- */

static void run_mail(struct mail *mail)
{
    for (struct mail *next; mail; mail = next) {
        next = mail->next;
        mail->run(mail);
    }
}

static void poked(struct mail *mail)
{
    struct deliveries *d =
        (struct deliveries *)(void *)((char *)mail - offsetof(struct deliveries, poke));
    atomic_store(&d->poked, false);
}

static void look_around(struct deliveries *d)
{
    int64_t now = deliver_now(d);
    if (store_shared(d->config.store))
        held_now(d, store_decides(d->config.store));
    else if (!d->leasing && now >= d->lease_ms)
        lease_ask(d, LEASE_MS);
    deliver_write_again(d);
    if (!d->held)
        return;
    if (!d->loaded) {
        deliver_load(d);
        return;
    }
    deliver_scan(d);
    deliver_send(d);
    if (now >= d->trim_ms) {
        d->trim_ms = now + TRIM_STEP_MS;
        deliver_trim(d, 0);
    }
}

static int time_left(struct deliveries *d)
{
    if (!d->held || !d->loaded) /* until then the store's thread fills the lanes */
        return TURN_MS;
    int64_t now = deliver_now(d), due = lanes_due(d->lanes);
    if (due > now + TURN_MS)
        return TURN_MS;
    /* A lane that is due now waits for a place, which an answer gives. */
    return due > now ? (int)(due - now) : d->busy ? TURN_MS : 10;
}

static void *deliver_main(void *arg)
{
    struct deliveries *d = arg;
    while (!atomic_load(&d->stopping)) {
        run_mail(mailbox_take(d->box));
        look_around(d);
        if (!mailbox_count(d->box))
            http_multi_wait(d->multi, mailbox_fd(d->box), time_left(d));
    }
    mailbox_close(d->box);
    http_multi_close(d->multi);
    d->multi = NULL;
    if (d->held && !store_shared(d->config.store))
        lease_ask(d, 0);
    run_mail(mailbox_take(d->box));
    while (d->asked || atomic_load(&d->tests))
        run_mail(mailbox_wait(d->box, TURN_MS));
    deliver_write_again(d);
    return NULL;
}

/* --- outside --- */

/* [engine] */
static void poke(struct deliveries *d, uint64_t seq)
{
    atomic_store(&d->published, seq);
    if (!atomic_exchange(&d->poked, true))
        mailbox_post_answer(d->box, &d->poke);
}

static void published(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v)
{
    (void)v;
    if (n)
        poke(self, entries[n - 1].seq);
}

static void anew(void *self, uint64_t seq, const struct view *v)
{
    struct deliveries *d = self;
    (void)v;
    atomic_store(&d->back_to, seq + 1);
    poke(d, seq);
}

struct deliveries *deliver_open(const struct deliver_config *config, struct err *e)
{
    struct deliveries *d = mem_zero(1, sizeof *d);
    d->config = *config;
    d->lanes = lanes_new();
    d->poke.run = poked;
    pthread_mutex_init(&d->lock, NULL);
    d->box = mailbox_new(MAILS, e);
    d->multi = d->box ? http_multi_open(config->allow_private, e) : NULL;
    const struct publish_listener listener = {.published = published, .anew = anew, .self = d};
    if (d->multi && engine_listen(config->engine, &listener))
        return d;
    if (d->multi)
        fail(e, &ERR_INTERNAL, "the engine takes no more listeners");
    deliver_free(d);
    return NULL;
}

bool deliver_start(struct deliveries *d, struct err *e)
{
    struct engine_stats stats;
    engine_stats(d->config.engine, &stats);
    if (stats.seq > atomic_load(&d->published))
        atomic_store(&d->published, stats.seq);
    d->reader = engine_join(d->config.engine);
    if (!d->reader)
        return fail(e, &ERR_INTERNAL, "too many threads read views");
    d->started = thread_start(&d->thread, "deliver", THREAD_LATER, deliver_main, d, e);
    return d->started;
}

void deliver_stop(struct deliveries *d)
{
    if (!d)
        return;
    if (d->started) {
        atomic_store(&d->stopping, true);
        if (!atomic_exchange(&d->poked, true))
            mailbox_post_answer(d->box, &d->poke);
        pthread_join(d->thread, NULL);
        d->started = false;
    }
    if (d->reader)
        engine_part(d->reader);
    d->reader = NULL;
}

void deliver_free(struct deliveries *d)
{
    if (!d)
        return;
    http_multi_close(d->multi);
    mailbox_free(d->box);
    lanes_free(d->lanes);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

static void add_pending(void *ctx, const struct target *t)
{
    *(uint64_t *)ctx += t->pending;
}

void deliver_stats(struct deliveries *d, struct deliver_stats *out)
{
    pthread_mutex_lock(&d->lock);
    *out = d->stats;
    uint64_t newest = atomic_load(&d->published);
    out->pending = 0;
    lanes_targets(d->lanes, add_pending, &out->pending);
    out->lanes = lanes_count(d->lanes);
    out->behind = newest > d->cursor ? newest - d->cursor : 0;
    pthread_mutex_unlock(&d->lock);
}

struct asking {
    void (*each)(void *ctx, const char *ns, const char *id, uint64_t pending, uint64_t failures);
    void *ctx;
};

static void tell(void *ctx, const struct target *t)
{
    const struct asking *a = ctx;
    a->each(a->ctx, t->ns, t->id, t->pending, t->failures);
}

void deliver_waiting(struct deliveries *d,
                     void (*each)(void *ctx, const char *ns, const char *id, uint64_t pending,
                                  uint64_t failures),
                     void *ctx)
{
    struct asking a = {each, ctx};
    pthread_mutex_lock(&d->lock);
    lanes_targets(d->lanes, tell, &a);
    pthread_mutex_unlock(&d->lock);
}
