/* rewards: what outcomes have said of each candidate of a route. Plugin code, shared by compiling
 * it in. Threads: [main].
 *
 * A score that clients report is turned into a reward from 0 (bad) to 1 (good): cut to low..high,
 * turned round where lower is better. Each candidate keeps a weighted count and sum of its rewards.
 * With a half-life every outcome ages all that came before it, whoever it is of, so that a
 * candidate that is not asked any more is forgotten too and gets another chance. Nothing here
 * depends on a clock: the same outcomes in the same order give the same numbers. */
#ifndef PADDOCK_PLUGINS_REWARDS_H
#define PADDOCK_PLUGINS_REWARDS_H

#include <paddock/plugin.h>

#define REWARDS_ARMS   1024      /* candidates that are remembered; past it the least known goes */
#define REWARDS_MEMORY 1000000.0 /* outcomes of a candidate that count; more are scaled down */
#define REWARDS_ID     200       /* bytes of an id, its end included */

struct reward_arm {
    char id[REWARDS_ID];
    double count, sum; /* 0 <= sum <= count <= REWARDS_MEMORY */
};

struct rewards {
    const char *score;      /* its name; the host's, valid until close */
    double low, high, keep; /* keep: what an outcome leaves of those before it, 0..1 */
    bool lower;             /* is better */
    size_t n, room;
    struct reward_arm *arms; /* by id */
};

/* Rows for the table of fields. */
#define REWARD_FIELDS                                                                            \
    {"score",                                                                                    \
     PADDOCK_FIELD_TEXT,                                                                         \
     0,                                                                                          \
     1,                                                                                          \
     64,                                                                                         \
     "\"reward\"",                                                                               \
     NULL,                                                                                       \
     NULL,                                                                                       \
     "The score of outcomes that is learned from."},                                             \
        {"better",                                                                               \
         PADDOCK_FIELD_TEXT,                                                                     \
         0,                                                                                      \
         0,                                                                                      \
         0,                                                                                      \
         "\"higher\"",                                                                           \
         REWARD_BETTER,                                                                          \
         NULL,                                                                                   \
         "Which values of the score are better."},                                               \
        {"low",                                                                                  \
         PADDOCK_FIELD_NUMBER,                                                                   \
         0,                                                                                      \
         -1e12,                                                                                  \
         1e12,                                                                                   \
         "0",                                                                                    \
         NULL,                                                                                   \
         NULL,                                                                                   \
         "The score's lower end; what is below counts as this."},                                \
        {"high",                                                                                 \
         PADDOCK_FIELD_NUMBER,                                                                   \
         0,                                                                                      \
         -1e12,                                                                                  \
         1e12,                                                                                   \
         "1",                                                                                    \
         NULL,                                                                                   \
         NULL,                                                                                   \
         "The score's upper end; what is above counts as this."},                                \
    {                                                                                            \
        "half_life_outcomes", PADDOCK_FIELD_NUMBER, 0, 0, 1e9, "0", NULL, NULL,                  \
            "After this many outcomes of the route an outcome counts half. 0: nothing is "       \
            "forgotten; then a candidate that turns bad after a long good life is noticed late." \
    }
extern const char *const REWARD_BETTER[];

/* A strategy's own state, as its configuration says; NULL if low is not below high, or without
 * memory: the log says so. `size` bytes in all, of which the struct is the first member. */
void *rewards_open(paddock_strategy *s, size_t size);
void rewards_close(paddock_strategy *s);

void rewards_update(paddock_strategy *s, const paddock_outcome *const *outcomes, size_t n);
bool rewards_save(paddock_strategy *s);
bool rewards_load(paddock_strategy *s, const void *data, size_t len);

/* What is known of a candidate; zeros if nothing is. */
struct reward_arm rewards_of(const struct rewards *r, const char *model_id);
/* The mean reward; NAN without outcomes. */
double rewards_mean(const struct reward_arm *arm);

/* Every candidate at least `floor` (cut to half an equal share): w = f + (1 - n f) p. `p` sums to
 * 1. */
void weights_with_floor(paddock_weight *weights, const double *p, size_t n, double floor_ratio);

#endif
