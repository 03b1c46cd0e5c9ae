/* registered_model_fields: a registered model with all its fields, while a command decides about
 * it. Room: registry. Threads: pure, [any]. The C side of REGISTERED_MODEL_FIELDS. */
#ifndef PADDOCK_REGISTRY_REGISTERED_MODEL_FIELDS_H
#define PADDOCK_REGISTRY_REGISTERED_MODEL_FIELDS_H

#include "base/arena.h"
#include "registry/registered_model.h"

#include <stdbool.h>
#include <stdint.h>

struct rules;

struct gates {
    struct gate_rule canary, stable;
};

struct nightly {
    bool enabled;
    int64_t hour_utc, end_hour_utc; /* end INT64_MIN: none */
};

struct registered_model_fields {
    const char *ns, *name, *description;
    const char *labels;  /* JSON object */
    const char *aliases; /* JSON object: alias to model id */
    int64_t versions, last_version_number;
    const char *stable_model_id, *previous_stable_model_id;
    struct slo slo;
    struct gates gate;
    struct nightly nightly;
    int64_t created_at, updated_at, revision;
};

/* The values of what a client does not give; the gate's and the night's come from the
 * configuration. */
void registered_model_fields_init(struct registered_model_fields *f, const char *ns,
                                  const struct rules *rules);
bool registered_model_fields_read(const struct registered_model *r, struct arena *a,
                                  struct registered_model_fields *out, struct err *e) MUST_CHECK;
struct entity *registered_model_fields_write(const struct registered_model_fields *f, uint64_t uid,
                                             struct intern *names, struct err *e) MUST_CHECK;

#endif
