/* conformance: what every backend of the store must do. A backend's test is a table row and a call;
 * each test gets a fresh store with a clock that stands still. */
#ifndef PADDOCK_TESTS_CONFORMANCE_H
#define PADDOCK_TESTS_CONFORMANCE_H

#include "support/unit.h"

#include "base/arena.h"
#include "base/clock.h"
#include "store/store.h"
#include "support/store_wait.h"
#include "support/temp_dir.h"

#include <stdbool.h>

struct backend {
    const char *name;
    struct store *(*open)(const char *dir, const struct clock *clock, struct err *e);
    bool lasts; /* what was written is there after closing and opening again */
};

/* Run all of it; the exit status. */
int conformance_run(const struct backend *backend);

/* --- for the parts --- */

struct fixture {
    const struct backend *backend;
    struct store *store;
    struct manual_clock clock; /* begins at NOW */
    struct arena *arena;
    uint64_t seq; /* the journal's head, as the fixture's commits moved it */
    char dir[TEMP_DIR_SIZE];
};
#define NOW 1700000000000

/* Close and open again; a store that does not last is left as it is. */
void reopen(struct fixture *f);
/* One group with one entity and one entry. */
void write_model(struct fixture *f, const char *ns, const char *id, int64_t revision);
struct journal_entry entry_number(uint64_t seq, const char *ns, const char *id);
/* The revision that load() gives for an entity; 0: none. */
int64_t stored_revision(struct fixture *f, const char *kind, const char *ns, const char *id);

struct part {
    const struct CMUnitTest *tests;
    size_t n;
};
extern const struct part CONFORM_COMMIT, CONFORM_JOURNAL, CONFORM_SERIES, CONFORM_KEYS,
    CONFORM_QUEUE, CONFORM_THREADS;
int fixture_open(void **state);
int fixture_close(void **state);
#define CONFORM(fn)                                \
    {                                              \
#fn, fn, fixture_open, fixture_close, NULL \
    }

#endif
