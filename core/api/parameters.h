/* parameters: the query parameters of all operations, as one struct and a table for each operation.
 * Room: api. Threads: [loop].
 *
 * A table feeds three readers: the HTTP layer (which names are known), parameters_read() and
 * OpenAPI. */
#ifndef PADDOCK_API_PARAMETERS_H
#define PADDOCK_API_PARAMETERS_H

#include "base/err.h"
#include "base/field.h"
#include "http/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Texts are NULL and times 0 when they were not given. */
struct parameters {
    int64_t min_seq;
    int64_t limit;
    const char *cursor, *sort;
    const char *status, *type, *sport, *deployment_target, *name, *alias, *source_digest,
        *training_run_id;
    const char *q;
    int64_t created_from, created_to;
    const char *include;
    const char *gate_to;
    int64_t from, to, at;
    const char *window, *quantiles, *resolution, *method;
    const char *entity, *entity_id, *actor, *action, *to_status;
    const char *types;
    const char *trigger, *model_name, *test_id; /* of validation runs */
    int64_t wait_ms;
    int64_t last_event_id; /* -1: not given */
    const char *on_invalid;
    const char *policy_kind;
    const char *stale;
    int64_t policy_version;
    const char *flag_config_etag, *ticket; /* of OFREP */
    const char *delivery_status;
    const char *dry_run;
    const char *unit, *route; /* of logged decisions */
    const char
        *filter; /* where filters of documents are decoded to; documents.c reads the request */
};

extern const struct field READ_PARAMETERS[]; /* of reads that have no others */
/* of lists that have no filters */
extern const struct field ALIASES_PARAMETERS[];
extern const struct field FLAG_VERSIONS_PARAMETERS[];
extern const struct field POLICY_VERSIONS_PARAMETERS[];
extern const struct field NIGHT_PARAMETERS[];
extern const struct field PLUGINS_PARAMETERS[];
extern const struct field NODES_PARAMETERS[];
extern const struct field PROBLEMS_PARAMETERS[];
extern const struct field MODELS_PARAMETERS[];
extern const struct field MODEL_PARAMETERS[];
extern const struct field GATE_PARAMETERS[];
extern const struct field REGISTERED_MODELS_PARAMETERS[];
extern const struct field REGISTERED_MODEL_PARAMETERS[];
extern const struct field TIMELINE_PARAMETERS[];
extern const struct field INFERENCE_PARAMETERS[];
extern const struct field METRICS_PARAMETERS[];
extern const struct field TOKENS_PARAMETERS[];
extern const struct field MODEL_AUDIT_PARAMETERS[];
extern const struct field AUDIT_PARAMETERS[];
extern const struct field EVENTS_PARAMETERS[];
extern const struct field POLICIES_PARAMETERS[];
extern const struct field POLICY_PARAMETERS[];
extern const struct field FLAGS_PARAMETERS[];
extern const struct field LAYERS_PARAMETERS[];
extern const struct field SEGMENTS_PARAMETERS[];
extern const struct field BULK_PARAMETERS[];
extern const struct field REFETCH_PARAMETERS[];
extern const struct field ROUTES_PARAMETERS[];
extern const struct field EXPERIMENTS_PARAMETERS[];
extern const struct field ROUTE_CHANGE_PARAMETERS[];
extern const struct field DATASETS_PARAMETERS[];
extern const struct field TEST_CASES_PARAMETERS[];
extern const struct field ALERTS_PARAMETERS[];
extern const struct field DELIVERIES_PARAMETERS[];
extern const struct field DECISIONS_PARAMETERS[];
extern const struct field DOCUMENTS_PARAMETERS[]; /* of kinds without filters */
extern const struct field RUN_PARAMETERS[];
extern const struct field RUNS_PARAMETERS[];
extern const struct field MEASUREMENTS_PARAMETERS[];
extern const struct field REPORT_PARAMETERS[];

/* Decode the request's parameters by its route's table. False and the faults in `e`. */
bool parameters_read(const struct request *rq, struct parameters *out, struct err *e) MUST_CHECK;

#endif
