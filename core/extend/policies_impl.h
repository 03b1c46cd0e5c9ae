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

struct policy_entry { /* stays until the catalog closes, so pointers to it do */
    enum policy_kind kind;
    char name[POLICY_NAME_MAX + 1];
    atomic_ullong calls, errors;
    atomic_uint times[TIME_CELLS];
    /* below: under the catalog's lock */
    struct policy_source *file, *stored;
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
    struct map *entries; /* "kind/name" */
    atomic_ullong generation;
    uint64_t scans;
    /* the watching thread */
    pthread_t thread;
    pthread_cond_t wake;
    int64_t period_ms;
    bool watching, stopping;
};

/* The entry of a name, made if it is missing. Takes the lock. */
struct policy_entry *policies_entry(struct policies *p, enum policy_kind kind, const char *name);
struct policy_entry *policies_find(struct policies *p, enum policy_kind kind, const char *name);

/* A checked source with one reference. */
struct policy_source *policy_source_new(const struct policy *checked, const char *text, size_t len,
                                        int64_t version, int64_t now);
void policy_source_release(struct policy_source *s); /* NULL is allowed */
/* What serves now, with a reference, or NULL; then `*error` (if not NULL) is copied to `out`. */
struct policy_source *policies_current(struct policies *p, struct policy_entry *entry, char *error,
                                       size_t size);
/* A call failed. */
void policies_call_failed(struct policies *p, struct policy_entry *entry, const char *detail);

#endif
