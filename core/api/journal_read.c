#include "api/journal_read.h"

#include "base/latch.h"

/* [store] */
static void wake(struct journal_read *r)
{
    latch_open(r->owner);
}

bool journal_read_wait(struct api *api, const struct journal_query *q, struct arena *a,
                       struct journal_read *out, struct err *e)
{
    struct latch latch;
    latch_init(&latch);
    *out = (struct journal_read){.query = *q, .arena = a, .done = wake, .owner = &latch};
    api->store->ops->journal(api->store, out);
    latch_wait(&latch);
    if (out->ok)
        return true;
    *e = out->err;
    return fail(e, out->err.kind ? out->err.kind : &ERR_IO, "the journal cannot be read: %.400s",
                out->err.detail);
}
