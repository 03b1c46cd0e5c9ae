/* The feed: how followers stay gapless.
 *
 * Each follower has a position `at`: everything up to it was delivered or did not match. The engine
 * appends new entries to a ring and wakes the loops that have followers. On its loop a follower
 * takes from the ring what lies after `at`. If the ring no longer reaches back that far, the
 * follower reads pages of the journal from the store, one at a time, until it meets the ring again.
 * `upto`, the last sequence published before a page was asked for, is what a page without `more`
 * proves to be complete.
 *
 * Entries may have megabytes (a model's text before and after), so the ring is bounded in bytes as
 * well as in entries, and a page of the store in bytes: either only means that it reaches less
 * far. */
#include "feed/feed.h"

#include "base/arena.h"
#include "base/bytes.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define LOOPS_MAX 64
#define PAGE      32        /* entries of one read of the store: a slow client pauses within it */
#define TAKE      64        /* entries taken from the ring under one lock */
#define ENTRY_MAX (8 << 20) /* bytes of one entry's JSON */
#define PAGE_MAX  (4 * (size_t)ENTRY_MAX)

/* An entry as followers get it; shared by the ring and whoever delivers it. */
struct item {
    atomic_uint refs;
    uint64_t seq;
    char *ns, *subject, *action, *json;
    size_t json_len;
};

struct feed_loop {
    struct mail wake; /* posted at most once at a time: `waking` */
    atomic_bool waking;
    struct loop *loop;
    struct feed *feed;
    struct follower *followers; /* [loop] */
    atomic_size_t count;
};

struct feed {
    struct store *store;
    size_t kept, followers_max;
    atomic_size_t followers;
    pthread_mutex_t lock; /* guards what follows */
    struct item **ring;   /* item with seq s is at s % kept */
    uint64_t first, last; /* sequences in the ring: first..last, first > last: none */
    size_t bytes;         /* of their JSON */
    unsigned losses;      /* how often what was told turned out to be void */
    _Atomic(struct feed_loop *) loops[LOOPS_MAX];
};

struct catchup {
    struct journal_read read;
    struct mail answer;  /* to the loop */
    struct follower *fw; /* NULL: it left meanwhile */
    struct loop *loop;
    uint64_t upto;
};

struct follower {
    struct follower *next, **link;
    struct feed *feed;
    struct feed_loop *on;
    struct follow what; /* ns and types are ours */
    uint64_t at;
    unsigned losses;         /* that it knows of */
    struct catchup *catchup; /* a read under way */
    bool delivering, dead;
};

static void item_drop(struct item *it)
{
    if (atomic_fetch_sub_explicit(&it->refs, 1, memory_order_acq_rel) != 1)
        return;
    free(it->ns);
    free(it->subject);
    free(it->action);
    free(it->json);
    free(it);
}

static struct item *item_new(const struct journal_entry *entry)
{
    struct item *it = mem_zero(1, sizeof *it);
    struct bytes json = BYTES_INIT(ENTRY_MAX);
    journal_entry_json(entry, &json);
    atomic_init(&it->refs, 1);
    it->seq = entry->seq;
    it->ns = mem_text(entry->ns);
    it->subject = mem_text(journal_entry_subject(entry));
    it->action = mem_text(entry->action);
    it->json = mem_copy(json.data, json.len); /* no larger than it is */
    it->json_len = json.len;
    bytes_release(&json);
    return it;
}

struct feed *feed_new(struct store *store, size_t kept, size_t followers_max)
{
    struct feed *f = mem_zero(1, sizeof *f);
    f->store = store;
    f->kept = kept ? kept : 4096;
    f->followers_max = followers_max ? followers_max : 10000;
    f->ring = mem_zero(f->kept, sizeof *f->ring);
    f->first = 1;
    pthread_mutex_init(&f->lock, NULL);
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->kept; i++)
        if (f->ring[i])
            item_drop(f->ring[i]);
    for (size_t i = 0; i < LOOPS_MAX; i++)
        free(atomic_load(&f->loops[i]));
    pthread_mutex_destroy(&f->lock);
    free(f->ring);
    free(f);
}

void feed_begin(struct feed *f, uint64_t seq)
{
    f->last = seq;
    f->first = seq + 1;
}

size_t feed_followers(struct feed *f)
{
    return atomic_load_explicit(&f->followers, memory_order_relaxed);
}

void feed_usage(struct feed *f, size_t *entries, size_t *bytes)
{
    pthread_mutex_lock(&f->lock);
    *entries = (size_t)(f->last + 1 - f->first);
    *bytes = f->bytes;
    pthread_mutex_unlock(&f->lock);
}

static void drop_oldest(struct feed *f)
{
    struct item **place = &f->ring[f->first++ % f->kept];
    f->bytes -= (*place)->json_len;
    item_drop(*place);
    *place = NULL;
}

static void ring_add(struct feed *f, struct item *it)
{
    pthread_mutex_lock(&f->lock);
    bool gap = it->seq != f->last + 1; /* others wrote between: followers read that in the store */
    while (f->first <= f->last &&
           (gap || f->last + 1 - f->first == f->kept || f->bytes + it->json_len > FEED_BYTES_MAX))
        drop_oldest(f);
    if (gap)
        f->first = it->seq;
    f->ring[it->seq % f->kept] = it;
    f->bytes += it->json_len;
    f->last = it->seq;
    pthread_mutex_unlock(&f->lock);
}

static void wake_all(struct feed *f)
{
    for (size_t i = 0; i < LOOPS_MAX; i++) {
        struct feed_loop *on = atomic_load_explicit(&f->loops[i], memory_order_acquire);
        if (on && atomic_load(&on->count) && !atomic_exchange(&on->waking, true))
            loop_post_answer(on->loop, &on->wake);
    }
}

static void published(void *self, const struct journal_entry *entries, size_t n,
                      const struct view *v)
{
    (void)v;
    struct feed *f = self;
    for (size_t i = 0; i < n; i++)
        ring_add(f, item_new(&entries[i]));
    wake_all(f);
}

static void anew(void *self, uint64_t seq, const struct view *v)
{
    (void)v;
    struct feed *f = self;
    pthread_mutex_lock(&f->lock);
    while (f->first <= f->last)
        drop_oldest(f);
    f->last = seq;
    f->first = seq + 1;
    f->losses++;
    pthread_mutex_unlock(&f->lock);
    wake_all(f);
}

struct publish_listener feed_listener(struct feed *f)
{
    return (struct publish_listener){.published = published, .anew = anew, .self = f};
}

/* Does `action` match the comma list, whose names may end in '*'? */
static bool wants(const struct follower *fw, const char *ns, const char *subject,
                  const char *action)
{
    if ((strcmp(fw->what.ns, "*") != 0 && strcmp(fw->what.ns, ns) != 0) ||
        !grants_allow(fw->what.grants, ns, subject, ACTION_BIT(ACTION_READ)))
        return false;
    if (!fw->what.types)
        return true;
    for (const char *p = fw->what.types; *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        bool prefix = len && p[len - 1] == '*';
        size_t cmp = prefix ? len - 1 : len;
        if (strncmp(p, action, cmp) == 0 && (prefix || action[cmp] == '\0'))
            return true;
        p += len;
    }
    return false;
}

static void follower_free(struct follower *fw)
{
    *fw->link = fw->next;
    if (fw->next)
        fw->next->link = fw->link;
    if (fw->catchup)
        fw->catchup->fw = NULL;
    atomic_fetch_sub(&fw->on->count, 1);
    atomic_fetch_sub(&fw->feed->followers, 1);
    free((char *)fw->what.ns);
    free((char *)fw->what.types);
    free((void *)(uintptr_t)fw->what.grants);
    free(fw);
}

void feed_unfollow(struct follower *fw)
{
    fw->dead = true;
    if (!fw->delivering)
        follower_free(fw);
}

/* False when the follower is no more. */
static bool deliver(struct follower *fw, uint64_t seq, const char *ns, const char *subject,
                    const char *action, const char *json, size_t len)
{
    fw->at = seq;
    if (!wants(fw, ns, subject, action))
        return true;
    fw->delivering = true;
    bool goes_on = fw->what.entry(fw->what.ctx, seq, action, json, len);
    fw->delivering = false;
    if (goes_on && !fw->dead)
        return true;
    follower_free(fw);
    return false;
}

static void end_with(struct follower *fw, const struct err *why)
{
    void (*ended)(void *, const struct err *) = fw->what.ended;
    void *ctx = fw->what.ctx;
    follower_free(fw);
    if (ended)
        ended(ctx, why);
}

static void catch_up(struct follower *fw, uint64_t upto);

/* Take up to TAKE items after `at`. -1: the ring does not reach back to it (`*upto` is set). */
static int ring_take(struct feed *f, uint64_t at, struct item **out, uint64_t *upto)
{
    int n = 0;
    pthread_mutex_lock(&f->lock);
    *upto = f->last;
    if (at < f->last && at + 1 < f->first)
        n = -1;
    for (uint64_t seq = at + 1; n >= 0 && n < TAKE && seq <= f->last; seq++) {
        out[n] = f->ring[seq % f->kept];
        atomic_fetch_add_explicit(&out[n++]->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&f->lock);
    return n;
}

/* After a loss the journal may end before what the follower has had. */
static void note_losses(struct follower *fw)
{
    struct feed *f = fw->feed;
    pthread_mutex_lock(&f->lock);
    if (fw->losses != f->losses && fw->at > f->last)
        fw->at = f->last;
    fw->losses = f->losses;
    pthread_mutex_unlock(&f->lock);
}

static void follow_on(struct follower *fw)
{
    struct feed *f = fw->feed;
    for (;;) {
        struct item *items[TAKE];
        uint64_t upto;
        if (fw->catchup)
            return;
        note_losses(fw);
        int n = ring_take(f, fw->at, items, &upto);
        if (n < 0) {
            catch_up(fw, upto);
            return;
        }
        bool alive = true;
        for (int i = 0; i < n; i++) {
            if (alive)
                alive = deliver(fw, items[i]->seq, items[i]->ns, items[i]->subject,
                                items[i]->action, items[i]->json, items[i]->json_len);
            item_drop(items[i]);
        }
        if (!alive || n < TAKE)
            return;
    }
}

static void woken(struct mail *mail)
{
    struct feed_loop *on = (struct feed_loop *)(void *)mail;
    atomic_store(&on->waking, false);
    for (struct follower *fw = on->followers, *next; fw; fw = next) {
        next = fw->next;
        follow_on(fw);
    }
}

static void catchup_free(struct catchup *c)
{
    arena_free(c->read.arena);
    free(c);
}

/* [loop] A page of the journal has come. */
static void page_arrived(struct mail *mail)
{
    struct catchup *c = (struct catchup *)(void *)((char *)mail - offsetof(struct catchup, answer));
    struct follower *fw = c->fw;
    if (!fw) {
        catchup_free(c);
        return;
    }
    fw->catchup = NULL;
    if (!c->read.ok) {
        struct err why = c->read.err;
        why.members = NULL;
        catchup_free(c);
        end_with(fw, &why);
        return;
    }
    bool alive = true;
    for (size_t i = 0; alive && i < c->read.n; i++) {
        struct bytes json = BYTES_INIT(ENTRY_MAX);
        const struct journal_entry *entry = &c->read.entries[i];
        journal_entry_json(entry, &json);
        alive = deliver(fw, entry->seq, entry->ns, journal_entry_subject(entry), entry->action,
                        json.data, json.len);
        bytes_release(&json);
    }
    if (alive && !c->read.more && fw->at < c->upto)
        fw->at = c->upto;
    catchup_free(c);
    if (alive)
        follow_on(fw);
}

/* [store's thread] */
static void page_read(struct journal_read *r)
{
    struct catchup *c = (struct catchup *)(void *)r;
    loop_post_answer(c->loop, &c->answer);
}

static void catch_up(struct follower *fw, uint64_t upto)
{
    struct catchup *c = mem_zero(1, sizeof *c);
    c->fw = fw;
    c->loop = fw->on->loop;
    c->upto = upto;
    c->answer.run = page_arrived;
    c->read.arena = arena_new(PAGE_MAX);
    c->read.query = (struct journal_query){.ns = fw->what.ns, .after_seq = fw->at, .limit = PAGE};
    if (strcmp(fw->what.ns, "*") != 0)
        c->read.query.ns = arena_text(c->read.arena, fw->what.ns);
    c->read.query.grants = grants_copy(c->read.arena, fw->what.grants);
    c->read.done = page_read;
    fw->catchup = c;
    fw->feed->store->ops->journal(fw->feed->store, &c->read);
}

static struct feed_loop *loop_entry(struct feed *f, struct loop *l)
{
    unsigned index = loop_index(l) % LOOPS_MAX;
    struct feed_loop *on = atomic_load_explicit(&f->loops[index], memory_order_acquire);
    if (on)
        return on;
    on = mem_zero(1, sizeof *on);
    on->loop = l;
    on->feed = f;
    on->wake.run = woken;
    atomic_store_explicit(&f->loops[index], on, memory_order_release);
    return on;
}

struct follower *feed_follow(struct feed *f, struct loop *l, const struct follow *what,
                             struct err *e)
{
    if (atomic_fetch_add(&f->followers, 1) >= f->followers_max) {
        atomic_fetch_sub(&f->followers, 1);
        fail(e, &ERR_BUSY, "%zu clients follow the events already; try again later",
             f->followers_max);
        return NULL;
    }
    struct follower *fw = mem_zero(1, sizeof *fw);
    fw->feed = f;
    fw->on = loop_entry(f, l);
    fw->what = *what;
    fw->what.ns = mem_text(what->ns);
    fw->what.types = mem_text(what->types);
    if (what->grants)
        fw->what.grants = (const void *)mem_copy(what->grants, what->grants->size);
    pthread_mutex_lock(&f->lock);
    fw->at = what->after_seq < f->last ? what->after_seq : f->last;
    fw->losses = f->losses;
    pthread_mutex_unlock(&f->lock);
    fw->next = fw->on->followers;
    fw->link = &fw->on->followers;
    if (fw->next)
        fw->next->link = &fw->next;
    fw->on->followers = fw;
    atomic_fetch_add(&fw->on->count, 1);
    /* What came before is delivered from the next turn of the loop on, so that the caller has its
     * follower before the first entry. */
    if (!atomic_exchange(&fw->on->waking, true))
        loop_post_answer(l, &fw->on->wake);
    return fw;
}
