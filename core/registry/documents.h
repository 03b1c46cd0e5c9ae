/* documents: every kind of document there is. Room: registry. Threads: constants. */
#ifndef PADDOCK_REGISTRY_DOCUMENTS_H
#define PADDOCK_REGISTRY_DOCUMENTS_H

#include "registry/document.h"

extern const struct document_type DATASET_TYPE;   /* dataset.h */
extern const struct document_type TEST_CASE_TYPE; /* test_case.h */
extern const struct document_type TOKEN_TYPE;     /* token.h */
extern const struct document_type DENIAL_TYPE;    /* denial.h */
extern const struct document_type ALERT_TYPE;     /* alert.h; made by the server alone */
extern const struct document_type WEBHOOK_TYPE;   /* webhook.h */
extern const struct document_type FLAG_TYPE;      /* flag.h */
extern const struct document_type SEGMENT_TYPE;   /* segment.h */
extern const struct document_type LAYER_TYPE;     /* layer.h */
extern const struct document_type STORED_POLICY_TYPE, POLICY_VERSION_TYPE; /* stored_policy.h */
extern const struct document_type ROUTE_TYPE;                              /* route.h */
extern const struct document_type EXPERIMENT_TYPE;                         /* experiment.h */
extern const struct document_type VALIDATION_SUMMARY_TYPE, REGRESSION_NOTICE_TYPE;
extern const struct document_type BASELINE_TYPE;      /* baseline.h */
extern const struct document_type NIGHTLY_BATCH_TYPE; /* nightly_batch.h */

#endif
