#include "store/store.h"

#include "base/latch.h"

#define PAGE_BYTES ((size_t)1 << 30) /* a page of large entries; few pages come near */
#define PAGE       500

static void was_read(struct journal_read *r)
{
    latch_open(r->owner);
}

bool store_journal_wait(struct store *s, struct journal_read *r)
{
    struct latch came;
    latch_init(&came);
    r->done = was_read;
    r->owner = &came;
    s->ops->journal(s, r);
    latch_wait(&came);
    return r->ok;
}

static bool read_page(struct store *s, struct journal_read *r, uint64_t after, struct err *e)
{
    r->query = (struct journal_query){.after_seq = after, .limit = PAGE};
    if (!store_journal_wait(s, r) && e)
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
