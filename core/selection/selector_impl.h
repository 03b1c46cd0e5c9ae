/* selector_impl: what the files of a selector share. Room: selection, private. Threads: one owner.
 */
#ifndef PADDOCK_SELECTION_SELECTOR_IMPL_H
#define PADDOCK_SELECTION_SELECTOR_IMPL_H

#include "base/arena.h"
#include "selection/selector.h"

struct ready_arm {
    const char *name;
    const struct model *model; /* NULL: the reference leads nowhere */
    const char *cause;         /* why it cannot serve; NULL: it can */
    struct slice endpoint;     /* of the model: JSON */
    bool out;                  /* its experiment goes on without it: the control serves */
};

/* A route as it stands in one view. Everything it points to is the view's or the arena's. */
struct ready_route {
    uint64_t view; /* its number */
    struct arena *arena;
    const char *id, *salt, *unit, *flag, *strategy; /* id NULL: there is no route */
    const char *shares_id;  /* under which shares are published: the id, or the match's; or NULL */
    const char *experiment; /* the key of the one that owns its shares, or NULL */
    int64_t noted_ms;       /* of a match: when it was said last that it is asked for */
    const struct route_plan *plan; /* NULL: there is no route */
    uint64_t uid;
    bool killed, stored;
    int64_t ttl_ms;
    struct ready_arm *arms;
    size_t arm_count;
    const struct ready_arm *control; /* of the experiment; NULL: none, or no arm is it */
    const struct model *fallbacks[ROUTE_FALLBACK_MAX];
    const char *fallback_causes[ROUTE_FALLBACK_MAX];
    struct slice fallback_endpoints[ROUTE_FALLBACK_MAX];
    size_t fallback_count;
    const struct model **stables; /* of all that match; NULL: @stable is one */
    size_t stable_count;
    uint64_t ranked; /* the version of the scores that `stables` are sorted by */
    const struct model *shadows[ROUTE_SHADOWS_MAX]; /* NULL: leads nowhere */
    const char *shadow_salts[ROUTE_SHADOWS_MAX];
};

#define READY_KEY_MAX 8192
/* Which route and models a question is about, as one text. 0: it is too long. */
size_t ready_route_key(const struct selection_question *q, char out[READY_KEY_MAX]);

/* Make `r` (zeroed, or of an earlier view) ready for the question's view. ROUTE_NOT_FOUND. */
bool ready_route_make(struct ready_route *r, const struct selection_question *q, struct err *e)
    MUST_CHECK;
void ready_route_release(struct ready_route *r);
/* Where @stable is many, the best scored goes first: put the fallbacks in the order of these
 * scores.
 */
void ready_route_rank(struct ready_route *r, const struct selection_question *q,
                      const struct weights_set *scores);
/* Where a model of the route is reached. */
struct slice ready_route_endpoint(const struct ready_route *r, const struct model *served);
/* Who would serve next, in order; how many. */
size_t ready_route_fallbacks(const struct ready_route *r, const struct model *served,
                             const struct model *out[ROUTE_FALLBACK_MAX]);

/* Names in an answer that a published set owns, kept for after it has been left. */
#define CHOICE_TEXT_MAX 256
struct choice_text {
    char strategy[CHOICE_TEXT_MAX], variant[CHOICE_TEXT_MAX];
};

/* One question on its way through a selector's files. */
struct deciding {
    const struct selector_shared *shared;
    struct flag_set *flags;
    struct weights_reader *weights; /* entered */
    struct choice_text *text;
    const struct selection_question *q;
    const struct ready_route *r;
    struct selection_answer *out;
    size_t unit_len;
    uint32_t bucket; /* of the unit, for draws */
    bool drawn;
};

/* Who is intended, and why: kill switch, experiment, flag, strategy, else the stable. What is still
 * wanting is said as a cause; who serves then is the selector's to find. */
void selector_choose(struct deciding *d);
/* What a running experiment publishes for the route; NULL: none runs. */
const struct weights_set *selector_experiment(const struct deciding *d);
/* What an experiment publishes for the route, else the strategy that is asked; NULL: neither. */
const struct weights_set *selector_shares(const struct deciding *d);
/* What strategies published for it, whichever; NULL: nothing. */
const struct weights_set *selector_scores(const struct deciding *d);

#endif
