/* selector: which model serves whom: one thread's own. Room: selection. Threads: one owner (a
 * loop).
 *
 * The order: a kill switch, a running experiment, the route's flag, its strategy; then, if the
 * choice is none, is not to serve, is unhealthy or has its circuit open, the route's fallbacks.
 * Models asked for by what they are, where no route is about just that, are drawn by
 * performance_score (selection/matches.h).
 * What is decided follows from the view, the published weights and the unit alone, so every loop
 * and node says the same; nothing is written and no lock is taken. A route is made ready when it is
 * first asked, and again for each new view. */
#ifndef PADDOCK_SELECTION_SELECTOR_H
#define PADDOCK_SELECTION_SELECTOR_H

#include "registry/model.h"
#include "registry/route.h"
#include "registry/scan.h"
#include "selection/decision_id.h"
#include "selection/flag_set.h"
#include "selection/weights.h"

struct matches;
struct selector;

enum selection_reason {
    SELECTION_KILLED,
    SELECTION_EXPERIMENT,
    SELECTION_FLAG,
    SELECTION_STRATEGY,
    SELECTION_ONLY, /* ONLY_CANDIDATE */
    SELECTION_FALLBACK,
    SELECTION_CIRCUIT,  /* CIRCUIT_OPEN */
    SELECTION_DEGRADED, /* nobody healthy is left, or without the store it cannot be known */
    SELECTION_REASONS
};
const char *selection_reason_name(enum selection_reason reason);

/* What all selectors of a process share; outlives them. */
struct selector_shared {
    const struct decision_keys *keys;
    struct weights *weights;
    /* Is the circuit of the model open for this unit? NULL: never. [loop] */
    bool (*circuit_open)(void *self, uint64_t model_uid, uint32_t bucket);
    void *circuits;
    int64_t ttl_max_ms;      /* no answer is good for longer */
    struct matches *matches; /* what is asked for without a route; NULL: nobody weighs it */
};

struct selector *selector_new(const struct selector_shared *shared, struct flag_set *flags,
                              struct err *e) MUST_CHECK;
void selector_free(struct selector *s); /* NULL is allowed */

struct selection_question {
    const struct view *view; /* entered */
    const char *ns;
    const char *route, *model_name; /* one of them, or the rest */
    const char *sport, *type, *deployment_target;
    const json_t *labels; /* object of texts, or NULL */
    /* Of models asked for by what they are, those whose names these do not let select are not
     * there. NULL: all are. `asker` and its revision stand for them. */
    const struct grants *grants;
    uint64_t asker;
    int64_t asker_revision;
    const json_t *context; /* object */
    const char *strategy;  /* instead of the route's; NULL: the route's */
    const char *previous;  /* a decision id: keep the unit there if it may stay; or NULL */
    uint64_t context_id;   /* as for flags */
    int64_t at_ms;
    bool store_gone; /* the view may be behind: answers go on from it, and say so */
    bool explain;
};

struct selection_candidate {
    const char *arm, *model_id, *parts, *cause; /* cause: why it cannot serve, or NULL */
    double weight, score;                       /* share of the units; NAN: none */
};

/* Texts are borrowed until the view is left or the next question. */
struct selection_answer {
    struct decision_facts facts;
    char decision_id[DECISION_ID_SIZE];
    enum selection_reason reason;
    const char *route; /* NULL: there is none */
    const char *arm, *variant, *strategy, *cause;
    const struct model *served, *intended; /* intended NULL: nobody was */
    struct slice endpoint;                 /* of who serves: JSON; NULL: none */
    const struct model *fallbacks[ROUTE_FALLBACK_MAX];
    const struct model *shadows[ROUTE_SHADOWS_MAX];
    size_t fallback_count, shadow_count;
    double propensity; /* NAN: it is not known */
    int64_t expires_at;
    enum decision_log log;
    bool degraded;                                /* the store was gone */
    const char *unit;                             /* or NULL */
    uint32_t bucket;                              /* of the unit in the route */
    const struct selection_candidate *candidates; /* with explain */
    size_t candidate_count;
    const char *wrong_unit; /* the member of the context that is none; NULL: it is good */
};

/* False: ROUTE_NOT_FOUND, NO_CANDIDATE, UNIT_MISSING, or ERR_INVALID and `wrong_unit`. */
bool selector_ask(struct selector *s, const struct selection_question *q,
                  struct selection_answer *out, struct err *e) MUST_CHECK;
/* What a route that has a flag answers hangs on the flag, and on this: it changes when a variant
 * may lead to another model than before (its reference leads elsewhere, the model cannot serve any
 * more or its circuit opened, an experiment published shares). Without `context`. */
uint64_t selector_mark(struct selector *s, const struct selection_question *q);
/* Members of a JSON object, reason to fallback_cause: what answers and the log of decisions have.
 */
void selection_put_why(struct bytes *b, const struct selection_answer *a);

#endif
