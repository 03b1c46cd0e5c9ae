/* policies: the catalog of Lua policies: files that reload when they change, and stored ones, which
 * belong to a namespace and go there before the file of their name. Room: extend. Threads: [any]
 * but where said.
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

/* Which policy is meant. */
struct policy_ref {
    enum policy_kind kind;
    const char *ns; /* NULL: the file, whatever is stored */
    const char *name;
    int64_t version; /* of a stored one; 0: whatever serves under the name */
};

/* A version of a stored policy, checked by policy_load() when it was stored: no Lua runs here. */
struct policy_text {
    const char *source, *sha256, *summary;
    const char *params_json; /* JSON array, as policy_params() */
    int64_t stored_at;
};
/* Make a version known; it can be asked by its number from now on, and serves once
 * policies_serve() says so. Called by whoever applies what is stored, in the journal's order. */
void policies_install(struct policies *p, const struct policy_ref *ref,
                      const struct policy_text *text);
/* Let this version serve under its name, or the file again if it is 0. One step: whoever begins a
 * call sees the one or the other. */
void policies_serve(struct policies *p, const struct policy_ref *ref);
/* Forget a version. */
void policies_uninstall(struct policies *p, const struct policy_ref *ref);

enum policy_status {
    POLICY_ACTIVE, /* serves what is there */
    POLICY_STALE,  /* serves the last good source; the present one is broken */
    POLICY_BROKEN, /* there never was a good one; or a stored one that was good when it was stored
                      cannot be loaded, and what went before it serves, or the file */
};
const char *policy_status_name(enum policy_status status);

struct policy_info { /* texts in the caller's arena */
    enum policy_kind kind;
    const char *name, *source, *hash;
    const char *path; /* of a file */
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
bool policies_info(struct policies *p, const struct policy_ref *ref, struct arena *a,
                   struct policy_info *out) MUST_CHECK;
/* Names of the files of a kind in order, NULL-terminated, in the arena. */
const char *const *policies_files(struct policies *p, enum policy_kind kind, struct arena *a);
/* Grows whenever any source changed: the sets compare it before each use. */
uint64_t policies_generation(const struct policies *p);

#endif
