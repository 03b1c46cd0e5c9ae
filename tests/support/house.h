/* house: validation with all it lives on, in one process: a store in memory, a real engine, the
 * real paddock-worker with plugins of tests/plugins, and a clock that can be set ahead. For tests.
 */
#ifndef PADDOCK_TESTS_HOUSE_H
#define PADDOCK_TESTS_HOUSE_H

#include "support/calls.h"
#include "support/temp_dir.h"

#include "validation/result.h"
#include "validation/validation.h"

#include <stdatomic.h>

/* Wait until the condition holds; a minute at most, however slow the machine is. */
#define HOUSE_AWAIT(condition)                                     \
    do {                                                           \
        int left_ = 12000;                                         \
        for (; !(condition) && left_; left_--)                     \
            usleep(5000);                                          \
        if (!left_)                                                \
            fail_msg("%d: waited in vain: " #condition, __LINE__); \
    } while (0)

struct house {
    struct clock clock;
    atomic_llong ahead_ms; /* of the wall clock */
    struct store *store;
    char data[TEMP_DIR_SIZE], plugins[TEMP_DIR_SIZE], shipped[4096];
    const char *dirs[2], *policy_dirs[2];
    struct worker_settings worker;
    struct catalog *catalog;
    struct policies *policies;
    struct rules rules;
    unsigned workers;
    size_t queue_max;
    int64_t keep_runs_ms;
    struct engine *engine;
    struct calls calls;
    struct validation *validation;
};

/* Everything, running: `plugins` are names of tests/plugins, ended by NULL. The clock begins at
 * `wall_ms`. Fails the test where it fails. */
void house_open(struct house *h, const char *const *plugins, int64_t wall_ms);
/* Set workers, queue_max and keep_runs_ms before. */
void house_start(struct house *h);
/* Engine and validation only; store, catalog and clock stay, so that house_start() is a restart. */
void house_stop(struct house *h);
void house_close(struct house *h);
/* A fixture of cmocka: a house of its own in *state, and its end, a teardown. Returns 0. */
int house_set_up(void **state, const char *const *plugins, int64_t wall_ms);
int house_tear_down(void **state);

int64_t house_now(const struct house *h);
void house_set_clock(struct house *h, int64_t wall_ms); /* forward only */

/* Have a command decided; fails the test if it is refused. */
void house_do(struct house *h, decide_fn *decide, const struct document_type *type, const char *id,
              const char *body);
/* The same, expected to be refused: the problem's members (JSON; NULL: none) into the arena. */
const char *house_refused(struct house *h, decide_fn *decide, const char *id, const char *body,
                          const struct err_kind *kind, struct arena *a);
/* "NAME:1", registered, then made `status` ("canary", "stable" or NULL). */
void house_model(struct house *h, const char *name, const char *status);
/* A test case of the name, of a type that a plugin brings; `more`: further members, or "". */
void house_test(struct house *h, const char *test_id, const char *name, const char *type,
                const char *more);

/* Ask for a run; the wish's `ok`, `err` and `run_id` say what became of it. */
void house_run(struct house *h, const char *model_id, struct run_wish *w);
/* Wait until the run is over, then read it from the store. */
void house_read(struct house *h, const char *run_id, struct arena *a, struct run *out);
/* Both: the run of a whole model. */
void house_run_whole(struct house *h, const char *model_id, struct arena *a, struct run *out);

#endif
