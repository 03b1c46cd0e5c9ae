#include "store/wait.h"

#define PAGE_BYTES ((size_t)1 << 30) /* a page of large entries; few pages come near */
#define PAGE       500

static bool read_page(struct store *s, struct journal_read *r, uint64_t after, struct err *e)
{
    r->query = (struct journal_query){.after_seq = after, .limit = PAGE};
    return store_journal_wait(s, r, e);
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
