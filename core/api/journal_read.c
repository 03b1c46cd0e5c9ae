#include "api/journal_read.h"

#include "store/wait.h"

bool journal_read_wait(struct api *api, const struct journal_query *q, struct arena *a,
                       struct journal_read *out, struct err *e)
{
    *out = (struct journal_read){.query = *q, .arena = a};
    return store_journal_wait(api->store, out, e) ||
           fail(e, out->err.kind ? out->err.kind : &ERR_IO, "the journal cannot be read: %.400s",
                out->err.detail);
}
