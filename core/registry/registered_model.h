/* registered_model: what the versions of a name share; the aggregate that every change of one of
 * them also touches. Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_REGISTERED_MODEL_H
#define PADDOCK_REGISTRY_REGISTERED_MODEL_H

#include "base/field.h"
#include "registry/entity.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Service level objectives; NAN: not set, configuration's applies. */
struct slo {
    double latency_p95_ms, latency_p99_ms, error_rate_ratio, min_inferences_per_minute;
};

/* What a promotion to one status demands. */
struct gate_rule {
    const char *require_types; /* JSON array text */
    int64_t max_age_seconds;   /* INT64_MIN: no maximum */
    const char *max_severity;  /* "none" | "low" | "medium" (the default: below high) | "high" */
    bool require_experiment;
};

struct alias {
    const char *alias, *model_id;
};

struct registered_model {
    struct entity entity; /* id is the name */
    struct slo slo;
    struct gate_rule gate_canary, gate_stable;
    const struct alias *aliases; /* sorted by alias */
    size_t n_aliases;
    int64_t versions;            /* how many models of this name exist */
    int64_t last_version_number; /* greatest whole number ever assigned or given as a version */
    const char *stable_model_id, *previous_stable_model_id; /* may be NULL */
    int64_t created_at, updated_at;
};

static inline const struct registered_model *registered_model_of(const struct entity *e)
{
    return (const struct registered_model *)(const void *)e;
}

struct entity *registered_model_parse(const char *ns, const char *id, uint64_t uid,
                                      const char *json, size_t len, struct intern *names,
                                      struct err *e);

extern const struct field REGISTERED_MODEL_FIELDS[];
extern const struct field ALIAS_FIELDS[];    /* {"model_id"} */
extern const struct field ROLLBACK_FIELDS[]; /* {"to","reason","dry_run"} */

#endif
