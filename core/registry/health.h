/* health: the last judged status of a model, an entity of its own so that the model's revision
 * stays. Room: registry. Threads: immutable, [any]. */
#ifndef PADDOCK_REGISTRY_HEALTH_H
#define PADDOCK_REGISTRY_HEALTH_H

#include "base/field.h"
#include "registry/entity.h"

#include <stdint.h>

enum circuit { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF };

struct health {
    struct entity entity; /* id is the model_id, uid the model's */
    const char *status;   /* "healthy" | "degraded" | "unhealthy" | "unknown" */
    enum circuit circuit; /* of the breaker of selections */
    int64_t changed_at;   /* ms */
};

static inline const struct health *health_of(const struct entity *e)
{
    return (const struct health *)(const void *)e;
}

extern const char *const HEALTH_STATUSES[]; /* NULL-terminated */
/* {"namespace","model_id","status","previous_status","summary","changed_at","circuit",
 * "circuit_at","revision"} */
extern const struct field HEALTH_FIELDS[];

struct entity *health_parse(const char *ns, const char *id, uint64_t uid, const char *json,
                            size_t len, struct intern *names, struct err *e);

#endif
