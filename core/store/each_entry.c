#include "store/store.h"

#include <pthread.h>

#define PAGE_BYTES ((size_t)1 << 30) /* a page of large entries; few pages come near */
#define PAGE       500

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool done;
};

static void page_read(struct journal_read *r)
{
    struct waiting *w = r->owner;
    pthread_mutex_lock(&w->lock);
    w->done = true;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static bool read_page(struct store *s, struct journal_read *r, uint64_t after, struct err *e)
{
    struct waiting w = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    r->query = (struct journal_query){.after_seq = after, .limit = PAGE};
    r->done = page_read;
    r->owner = &w;
    s->ops->journal(s, r);
    pthread_mutex_lock(&w.lock);
    while (!w.done)
        pthread_cond_wait(&w.wake, &w.lock);
    pthread_mutex_unlock(&w.lock);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.wake);
    if (!r->ok && e)
        *e = r->err;
    return r->ok;
}

bool store_each_entry(struct store *s,
                      bool (*each)(void *ctx, const struct journal_entry *entry, struct err *e),
                      void *ctx, struct err *e)
{
    struct journal_read r = {.arena = arena_new(PAGE_BYTES), .more = true};
    uint64_t seq = 0;
    bool ok = true;
    while (ok && r.more) {
        arena_reset(r.arena);
        ok = read_page(s, &r, seq, e);
        for (size_t i = 0; ok && i < r.n; i++) {
            seq = r.entries[i].seq;
            ok = each(ctx, &r.entries[i], e);
        }
    }
    arena_free(r.arena);
    return ok;
}
