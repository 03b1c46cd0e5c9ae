/* errors: the kinds of failure the registry's rules make. Room: registry. Threads: constants. */
#ifndef PADDOCK_REGISTRY_ERRORS_H
#define PADDOCK_REGISTRY_ERRORS_H

#include "base/err.h"

extern const struct err_kind MODEL_NOT_FOUND;    /* 404 */
extern const struct err_kind MODEL_EXISTS;       /* 409 */
extern const struct err_kind MODEL_IN_SERVICE;   /* 409: deleted only in development or retired */
extern const struct err_kind MODEL_HELD;         /* 409 */
extern const struct err_kind FIELD_IS_FROZEN;    /* 409 FIELD_FROZEN */
extern const struct err_kind ILLEGAL_TRANSITION; /* 409, members: "from","to","legal":[...] */
extern const struct err_kind PROMOTION_BLOCKED;  /* 409, members: "gate":{...} */
extern const struct err_kind VALIDATION_PENDING; /* 409, members: "run_id" */
extern const struct err_kind REGISTERED_MODEL_NOT_FOUND;  /* 404 */
extern const struct err_kind REGISTERED_MODEL_EXISTS;     /* 409 */
extern const struct err_kind REGISTERED_MODEL_IN_SERVICE; /* 409, members: "in_service":[ids] */
extern const struct err_kind ALIAS_NOT_FOUND;             /* 404 */
extern const struct err_kind ALIAS_RESERVED;              /* 409 */
extern const struct err_kind NOTHING_TO_ROLL_BACK_TO;     /* 409 */
extern const struct err_kind HOLD_NOT_FOUND;              /* 404 */
extern const struct err_kind TOKEN_NOT_FOUND;             /* 404 */
extern const struct err_kind TOKEN_EXISTS;                /* 409 */
extern const struct err_kind DATASET_NOT_FOUND;           /* 404 */
extern const struct err_kind DATASET_EXISTS;              /* 409 */
extern const struct err_kind DATASET_IN_USE;              /* 409, members: "in_use":[test ids] */
extern const struct err_kind TEST_CASE_NOT_FOUND;         /* 404 */
extern const struct err_kind TEST_CASE_EXISTS;            /* 409 */
extern const struct err_kind ALERT_NOT_FOUND;             /* 404 */
extern const struct err_kind ALERT_IS_RESOLVED;           /* 409 ALERT_RESOLVED */
extern const struct err_kind WEBHOOK_NOT_FOUND;           /* 404 */
extern const struct err_kind WEBHOOK_EXISTS;              /* 409 */
extern const struct err_kind ROUTE_NOT_FOUND;             /* 404 */
extern const struct err_kind ROUTE_EXISTS;                /* 409 */
extern const struct err_kind ROUTE_IN_EXPERIMENT;         /* 409 */
extern const struct err_kind EXPERIMENT_NOT_FOUND;        /* 404 */
extern const struct err_kind EXPERIMENT_EXISTS;           /* 409 */
extern const struct err_kind EXPERIMENT_IS_RUNNING;       /* 409 */
extern const struct err_kind EXPERIMENT_STATE;            /* 409 */
extern const struct err_kind EXPERIMENT_ARMS;             /* 409 */
extern const struct err_kind FLAG_NOT_FOUND;              /* 404 */
extern const struct err_kind FLAG_EXISTS;                 /* 409 */
extern const struct err_kind FLAG_IN_USE;                 /* 409, members: "in_use":[keys] */
extern const struct err_kind SEGMENT_NOT_FOUND;           /* 404 */
extern const struct err_kind SEGMENT_EXISTS;              /* 409 */
extern const struct err_kind SEGMENT_IN_USE;              /* 409 */
extern const struct err_kind FLAG_VERSION_NOT_FOUND;      /* 404 */
extern const struct err_kind LAYER_NOT_FOUND;             /* 404 */
extern const struct err_kind LAYER_EXISTS;                /* 409 */
extern const struct err_kind LAYER_IN_USE;                /* 409, members: "in_use":[keys] */
extern const struct err_kind STORED_POLICY_NOT_FOUND;     /* 404 */
extern const struct err_kind POLICY_VERSION_NOT_FOUND;    /* 404 */
extern const struct err_kind POLICY_IN_USE;      /* 409, members: "flags":[{flag,detail}] */
extern const struct err_kind RUN_NOT_FOUND;      /* 404 */
extern const struct err_kind RUN_FINISHED;       /* 409 */
extern const struct err_kind BASELINE_NOT_FOUND; /* 404 */
extern const struct err_kind NIGHT_NOT_FOUND;    /* 404 */
extern const struct err_kind NIGHTLY_RUNNING;    /* 409, members: "batch_id" */
extern const struct err_kind REVISION_MISMATCH;  /* 412 */
extern const struct err_kind
    BAD_REFERENCE; /* 400 INVALID_REFERENCE: a name@alias that leads nowhere in a body */
extern const struct err_kind
    TOO_MANY_CHANGES; /* 409: past CHANGES_MAX or CHANGES_TEXT_MAX at once */

/* All of the above, NULL-terminated (for /problems and the tests). */
extern const struct err_kind *const REGISTRY_ERRORS[];

#endif
