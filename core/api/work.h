/* work: an answer that is made either on the loop or, when it may take long, on a reader thread.
 * Room: api. Threads: started on [loop]; run() on the loop or on a reader; the reply always on the
 * loop. */
#ifndef PADDOCK_API_WORK_H
#define PADDOCK_API_WORK_H

#include "api/call.h"
#include "base/bytes.h"

#include <stdbool.h>

#define REPLY_MAX (128 << 20) /* bytes of a reply that is rendered whole */

struct work {
    struct mail mail; /* first */
    struct api *api;
    struct view_reader *reader; /* of the thread that runs it; not inside a view */
    struct arena *arena;        /* for what it needs on the way, and the texts of `err` */
    const char *ns;
    const struct grants *grants; /* of the one who asks; NULL: everything is allowed */
    void *args;       /* in the request's arena; run() must only read it when on a reader */
    struct bytes out; /* the reply */
    const char *type; /* its media type; NULL: JSON */
    struct err err;
    /* Fill `out`, or fail with `err`. */
    bool (*run)(struct work *w);
    struct request *rq; /* [loop] only */
    struct loop *loop;
};

/* A model that was looked up in a view which has been left since. */
struct model_key {
    const char *ns, *model_id;
    uint64_t uid;
};
/* Look up the model that `reference` leads to; texts in w->arena. */
bool work_model(struct work *w, const char *reference, struct model_key *key) MUST_CHECK;

/* Run and reply, at once or by way of a reader. */
void work_answer(struct call *c, bool on_reader, bool (*run)(struct work *w), void *args);
/* The same with a media type other than JSON. */
void work_answer_typed(struct call *c, bool on_reader, bool (*run)(struct work *w), void *args,
                       const char *type);

#endif
