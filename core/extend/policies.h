/* policies: the catalog of Lua policies: files that reload when they change, and stored ones, which
 * go before the file of their name. Room: extend. Threads: [any] but where said.
 *
 * A file lies at DIR/rollout/NAME.lua or DIR/severity/NAME.lua. Several directories are layers: the
 * first that has a name has it. A source is checked (compiled, and its table read) before it
 * serves; one that fails leaves the last good one serving and says so. */
#ifndef PADDOCK_EXTEND_POLICIES_H
#define PADDOCK_EXTEND_POLICIES_H

#include "base/arena.h"
#include "base/clock.h"
#include "extend/policy.h"

struct policies;
struct policy_source; /* an immutable, counted text; policy_set.c */

/* Read all directories of `dirs` (NULL-terminated, the first goes before the second; texts are
 * copied). A directory that cannot be read is an error; a broken policy is not. */
struct policies *policies_open(const char *const *dirs, const struct clock *clock, struct err *e)
    MUST_CHECK;
/* After every policy_set of it is gone. NULL is allowed. */
void policies_close(struct policies *p);

/* Look at the files once more. One thread at a time. */
void policies_scan(struct policies *p);
/* Start a thread that does so every `period_ms`; policies_close() ends it. */
bool policies_watch(struct policies *p, int64_t period_ms, struct err *e) MUST_CHECK;

/* Where the shipped policies lie: beside an installed program (PREFIX/share/paddock/lua), else in
 * the source tree that it was built in (scripts/lua). False if at neither place. */
bool policies_shipped_dir(char *out, size_t size) MUST_CHECK;

/* Put a stored policy before the file of its name; `source` has been checked by policy_load().
 * `version` is its number. Called by whoever applies what is stored. */
void policies_install(struct policies *p, enum policy_kind kind, const char *name,
                      const char *source, size_t len, int64_t version);
/* Uncover the file again. */
void policies_uninstall(struct policies *p, enum policy_kind kind, const char *name);

enum policy_status {
    POLICY_ACTIVE, /* serves what is there */
    POLICY_STALE,  /* serves the last good source; the present one is broken */
    POLICY_BROKEN, /* there never was a good one */
};
const char *policy_status_name(enum policy_status status);

struct policy_info { /* texts in the caller's arena */
    enum policy_kind kind;
    const char *name, *source, *hash, *path; /* source, hash: NULL if broken; path: of its file */
    size_t source_len;
    bool stored; /* else a file */
    int64_t version;
    const char *summary;
    const char *params_json; /* JSON array, as policy_params() */
    enum policy_status status;
    const char *last_error; /* of loading or of a call; NULL: none since it was loaded */
    int64_t loaded_at, last_error_at;
    uint64_t calls, errors; /* since the server started */
    double p99_us;          /* NAN: no calls */
};

/* False: there is no such policy. */
bool policies_info(struct policies *p, enum policy_kind kind, const char *name, struct arena *a,
                   struct policy_info *out) MUST_CHECK;
/* Names of a kind in order, NULL-terminated, in the arena. */
const char *const *policies_names(struct policies *p, enum policy_kind kind, struct arena *a);
/* Grows whenever any source changed: the sets compare it before each use. */
uint64_t policies_generation(const struct policies *p);

#endif
