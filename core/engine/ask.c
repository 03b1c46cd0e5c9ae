#include "engine/ask.h"

#include "base/latch.h"

/* [engine] */
static void wake(struct command *c)
{
    latch_open(c->owner);
}

bool engine_ask(struct engine *en, struct command *c, struct err *e)
{
    struct latch came;
    latch_init(&came);
    c->done = wake;
    c->owner = &came;
    bool submitted = engine_submit(en, c, e);
    if (!submitted)
        latch_open(&came); /* nobody else will */
    latch_wait(&came);
    if (submitted && !c->ok && e)
        *e = c->err;
    return submitted && c->ok;
}
