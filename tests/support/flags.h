/* flags: a registry's view with flags and segments in it, made from their stored texts, and a
 * thread's flag_set over the shipped policies. For tests and benches of selection. */
#ifndef PADDOCK_TESTS_FLAGS_H
#define PADDOCK_TESTS_FLAGS_H

#include "selection/flag_set.h"

struct flags_fixture {
    struct state *state;
    const struct view *view;
    struct policies *catalog;
    struct policy_set *policies;
    struct flag_set *set;
    uint64_t uid, seq;
};

/* `policy_dir` goes before the shipped policies; NULL: only those. Ends the program on failure. */
void flags_open(struct flags_fixture *x, const char *policy_dir);
void flags_close(struct flags_fixture *x);
/* Put a flag or a segment: `members` are JSON members beside its id. `uid` 0: a new one. */
void flags_put(struct flags_fixture *x, enum entity_kind kind, const char *id, int64_t revision,
               uint64_t uid, const char *members);
/* Ask a flag; `context` is JSON. The answer's texts last until the next call. */
struct flag_answer flags_ask(struct flags_fixture *x, const char *key, const char *context);

#endif
