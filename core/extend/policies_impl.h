/* policies_impl: the inside of the catalog, for policy_set.c and policies_scan.c. Room: extend,
 * private. */
#ifndef PADDOCK_EXTEND_POLICIES_IMPL_H
#define PADDOCK_EXTEND_POLICIES_IMPL_H

#include "base/hash.h"
#include "base/map.h"
#include "extend/policies.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define DIRS_MAX   8
#define TIME_CELLS 64 /* of a histogram: half powers of two, from 1 ns to 4 s */

struct policy_source {
    atomic_uint refs;
    char *text;
    size_t len;
    char hash[SHA256_HEX_SIZE];
    char *summary, *params_json;
    int64_t version, loaded_at;
};

/* The file of a name, or one version of a stored policy. Stays until the catalog closes, so
 * pointers to it do. */
struct policy_entry {
    enum policy_kind kind;
    char name[POLICY_NAME_MAX + 1];
    atomic_ullong calls, errors;
    atomic_uint times[TIME_CELLS];
    /* below: under the catalog's lock */
    struct policy_source *source; /* NULL: there is none, or no good one */
    bool stored, broken;          /* broken: a stored one that could not be loaded */
    char *path;
    char *file_error, *call_error;
    int64_t file_error_at, call_error_at;
    /* the scanner's */
    uint64_t seen;
    struct stat stamp;
};

struct policies {
    const struct clock *clock;
    char *dirs[DIRS_MAX + 1];
    pthread_mutex_t lock;
    struct map *entries; /* "kind/name" of files, "kind/name/namespace/version" of stored ones */
    struct map *serving; /* "kind/name/namespace" to the entry of the version that serves */
    atomic_ullong generation;
    uint64_t scans;
    /* the watching thread */
    pthread_t thread;
    pthread_cond_t wake;
    int64_t period_ms;
    bool watching, stopping;
};

/* The entry of a file's name, made if it is missing. Takes the lock. */
struct policy_entry *policies_file(struct policies *p, enum policy_kind kind, const char *name);

/* A checked source with one reference. */
struct policy_source *policy_source_new(const struct policy *checked, const char *text, size_t len,
                                        int64_t now);
void policy_source_release(struct policy_source *s); /* NULL is allowed */
/* What serves now, with a reference, and its entry; NULL with what is wrong with the file in
 * `error`, "" if there is none. */
struct policy_source *policies_current(struct policies *p, const struct policy_ref *ref,
                                       struct policy_entry **entry, char *error, size_t size);
/* A call failed; or, `broken`, the stored source could not be loaded. */
void policies_call_failed(struct policies *p, struct policy_entry *entry, const char *detail,
                          bool broken);

#endif
