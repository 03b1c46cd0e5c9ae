/* try: one scenario with a strategy or a runtime, for `paddock plugin check`. Room: worker.
 * Threads: [main] of a process of its own for each scenario. */
#ifndef PADDOCK_WORKER_TRY_H
#define PADDOCK_WORKER_TRY_H

#include "base/bytes.h"
#include "base/err.h"

#include <paddock/plugin.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* What a scenario is given. */
struct trial {
    const paddock_plugin *plugin;
    const char *file;
    const json_t *given; /* the configuration as the author gave it */
    json_t *config;      /* the same, checked and filled in */
    uint64_t seed;
    bool skipped; /* set by a scenario that does not apply; the reason is in `e` */
};

/* True: the plugin did right. False: `e` says what it did wrong, or why it does not apply. */
struct scenario {
    const char *name;
    bool (*run)(struct trial *t, struct err *e);
};

/* Both end with a row without a name. */
extern const struct scenario STRATEGY_SCENARIOS[];
extern const struct scenario RUNTIME_SCENARIOS[];

/* Does not apply: returns false. */
bool trial_skip(struct trial *t, struct err *e, const char *why);

/* Load `file`, run the scenario `name`, and append {"ok":bool,"skipped":bool,"detail":...}. False
 * if it could not begin. */
bool try_plugin(const char *file, const char *name, uint64_t seed, const char *config,
                struct bytes *out, struct err *e) MUST_CHECK;

#endif
