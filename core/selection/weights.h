/* weights: who of a route's arms gets how much just now, as a strategy or an experiment says.
 * Room: selection. Threads: publishing and withdrawing [any], one at a time inside; reading [loop]
 * and others with a reader of their own: no lock, no wait.
 *
 * A strategy publishes weights, an experiment its shares; an experiment's go before a strategy's,
 * and both before what the route's document says. What is published becomes ranges of BUCKETS
 * (base/bucket.h) in the order of its predecessor's, so that as few units as can be move: an arm
 * that grows takes from those that shrink and gives nobody away. Any unit then falls into the same
 * arm on every loop, and an arm's propensity is exactly its buckets / BUCKETS.
 *
 * Nothing here is stored. Who publishes keeps what he needs to publish the same again after a
 * restart: weights_copy() gives the ranges in force, and a wish may name those it starts from.
 * A set is for one route document or none: it goes when `route_uid` is another. */
#ifndef PADDOCK_SELECTION_WEIGHTS_H
#define PADDOCK_SELECTION_WEIGHTS_H

#include "base/arena.h"
#include "base/bucket.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct weights;
struct weights_reader;

#define WEIGHTS_ROUTES_MAX 100000 /* routes that may have a set; past it publishing is refused */

struct weights *weights_new(void) __attribute__((returns_nonnull));
void weights_free(struct weights *w); /* all readers have parted; NULL is allowed */

enum weights_source { WEIGHTS_STRATEGY, WEIGHTS_EXPERIMENT, WEIGHTS_SOURCES };

/* One arm: the name the route gives it, or the model's id on a route without `arms`. */
struct weights_arm {
    const char *arm;
    double weight;     /* 0 or more, finite; the sum is more than 0. Only the ratio counts */
    double score;      /* what `explain` shows; NAN: none */
    const char *parts; /* of the score: JSON object text, or NULL */
};

/* What is in force. Immutable; texts are its own. */
struct weights_set {
    uint64_t version; /* of this table, grows with each publishing */
    int64_t at_ms;
    uint64_t route_uid;
    const char *by; /* the strategy's name, or the experiment's key */
    size_t arm_count, share_count;
    const struct weights_arm *arms;
    const struct share *shares; /* sorted, whole: 0 to BUCKETS; arms index `arms` */
};

struct weights_wish {
    const char *ns, *route;
    uint64_t route_uid; /* of the route's document, 0 when it is a name's own, never changed */
    const char *by;
    const struct weights_arm *arms; /* at most ARMS_MAX, names differ */
    size_t arm_count;
    /* The ranges to start from, by names; NULL: those in force of this source, else of the other
     * source, else none. */
    const struct weights_set *from;
    int64_t at_ms;
};

/* [any] The arms that are not in the wish lose everything. The same weights again change nothing
 * but score, parts and time. False (ERR_INVALID with a sentence, or ERR_BUSY when there are too
 * many routes): nothing changed. */
bool weights_publish(struct weights *w, enum weights_source source, const struct weights_wish *wish,
                     struct err *e) MUST_CHECK;
/* [any] Take it back: the experiment has ended, the route is gone. */
void weights_withdraw(struct weights *w, enum weights_source source, const char *ns,
                      const char *route);
/* [any] A copy of what is in force, in the arena; NULL: nothing. */
const struct weights_set *weights_copy(struct weights *w, enum weights_source source,
                                       const char *ns, const char *route, struct arena *a);
/* [any] Grows with each change: who prepared something from the table looks whether it is still so.
 */
uint64_t weights_version(const struct weights *w);

/* --- reading --- */

/* Register the calling thread; NULL when 256 are. */
struct weights_reader *weights_join(struct weights *w) MUST_CHECK;
void weights_part(struct weights_reader *r);
void weights_enter(struct weights_reader *r); /* no nesting */
void weights_leave(struct weights_reader *r);
/* Between enter and leave: what is in force for a route, or NULL. Valid until leave. */
const struct weights_set *weights_of(struct weights_reader *r, enum weights_source source,
                                     const char *ns, const char *route);

/* The arm of a bucket, or NULL where no range is; its propensity. */
const struct weights_arm *weights_draw(const struct weights_set *set, uint32_t bucket);
double weights_propensity(const struct weights_set *set, const struct weights_arm *arm);

#endif
