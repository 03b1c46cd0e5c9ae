/* The whole API on one screen. Each row feeds dispatch, the checks of body, query and method,
 * authorization, OpenAPI and /problems; see README.md for how to add one. */
#include "api/api.h"
#include "api/documents.h"
#include "api/flag_fields.h"
#include "api/handlers.h"
#include "api/outcome_fields.h"
#include "api/parameters.h"
#include "api/run_fields.h"
#include "api/selection_fields.h"
#include "api/policy_fields.h"
#include "registry/alert.h"
#include "registry/baseline.h"
#include "registry/dataset.h"
#include "registry/flag.h"
#include "registry/layer.h"
#include "registry/model.h"
#include "registry/registered_model.h"
#include "registry/route.h"
#include "registry/segment.h"
#include "registry/stored_policy.h"
#include "registry/test_case.h"
#include "registry/token.h"
#include "registry/webhook.h"

#define BASE      "/api/models/enterprise"
#define MODEL     BASE "/registry/{model_id}"
#define NAME      BASE "/registered-models/{name}"
#define TOKEN     BASE "/tokens/{token_id}"
#define DATASET   BASE "/datasets/{dataset_id}"
#define TEST      BASE "/validation/tests/{test_id}"
#define ALERT     BASE "/alerts/{alert_id}"
#define WEBHOOK   BASE "/webhooks/{webhook_id}"
#define POLICY    BASE "/policies/{kind}/{name}"
#define FLAG      BASE "/flags/{key}"
#define LAYER     BASE "/layers/{layer}"
#define SEGMENT   BASE "/segments/{segment}"
#define ROUTE     BASE "/routes/{route}"
#define RUN       BASE "/validation/runs/{run_id}"
#define PIN       BASE "/validation/baseline/{model_id}"
#define BATCH_MAX (8u << 20) /* bytes of a batch of records */

#define OP(m, path_, name, fn) .method = METHOD_##m, .path = path_, .operation = name, .handle = fn
#define READ                   .action = "read", .flags = ROUTE_NO_BODY
#define READ_SERVER            .action = "read", .flags = ROUTE_NO_BODY | ROUTE_SERVER
#define PUBLIC                 .flags = ROUTE_PUBLIC | ROUTE_NO_BODY
#define WRITE                  .action = "model.write"
#define ADMIN                  .action = "admin"
#define NOTHING                .flags = ROUTE_NO_BODY /* as body */
#define KEYED                  .flags = ROUTE_KEYED
#define KEYED_OPTIONAL         .flags = ROUTE_KEYED | ROUTE_BODY_OPTIONAL
#define RECORDS                                                                  \
    .action = "record", .flags = ROUTE_KEYED | ROUTE_NDJSON | ROUTE_STREAM_BODY, \
    .body_max = BATCH_MAX
#define TELLS(tag_, doc_, responses_) .tag = tag_, .doc = doc_, .responses = responses_

#define DOCUMENTS(type) .data = &(type)

#define NO_TOKEN ";404 TOKEN_NOT_FOUND"
#define NO_MODEL ";404 MODEL_NOT_FOUND,ALIAS_NOT_FOUND"
#define NO_NAME  ";404 REGISTERED_MODEL_NOT_FOUND"
#define STALE    ";412 REVISION_MISMATCH"

/* Read, change and replace a document; `may_refuse_` is what else a change is refused
 * for. */
#define KEPT(path_, kind_, KIND_, Kind_, a_, tag_, action_, may_refuse_)               \
    {OP(GET, path_, kind_ "_get", document_get), READ, .query = READ_PARAMETERS,       \
     DOCUMENTS(KIND_##_TYPE),                                                          \
     TELLS(tag_, "Read " a_ ".", "200 " Kind_ ";304;404 " #KIND_ "_NOT_FOUND")},       \
        {OP(PATCH, path_, kind_ "_patch", document_change), .action = action_,         \
         .body = KIND_##_FIELDS, DOCUMENTS(KIND_##_TYPE),                              \
         TELLS(tag_, "Change some fields of " a_ " (JSON merge patch).",               \
               "200 " Kind_ ";400 READ_ONLY_FIELD" may_refuse_ ";404 " #KIND_          \
               "_NOT_FOUND" STALE)},                                                   \
    {                                                                                  \
        OP(PUT, path_, kind_ "_replace", document_put_one),                            \
            .action = action_, .body = KIND_##_FIELDS, DOCUMENTS(KIND_##_TYPE),        \
            TELLS(tag_, "Replace all fields of " a_ ", or make it under this id.",     \
                  "200 " Kind_ ";201 " Kind_ ";400 READ_ONLY_FIELD" may_refuse_ STALE) \
    }
#include "api/routes_experiments.h" /* in the words above */

const struct route ROUTES[] = {
    {OP(GET, BASE "/registry", "models_list", models_list), .query = MODELS_PARAMETERS,
     .action = "read", .flags = ROUTE_NO_BODY | ROUTE_LABEL_FILTER,
     TELLS("Registry", "List models.", "200 ModelList")},
    {OP(POST, BASE "/registry", "model_register", model_post), WRITE, KEYED, .body = MODEL_FIELDS,
     TELLS("Registry", "Register a model.",
           "201 Model;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 MODEL_EXISTS")},
    {OP(GET, MODEL, "model_get", model_get), READ, .query = MODEL_PARAMETERS,
     TELLS("Registry", "One model, by id or name@alias.", "200 ModelDetail;304" NO_MODEL)},
    {OP(PATCH, MODEL, "model_patch", model_change), WRITE, .body = MODEL_FIELDS,
     TELLS("Registry", "Change some of a model's fields (JSON merge patch).",
           "200 Model;400 READ_ONLY_FIELD,INVALID_REFERENCE" NO_MODEL
           ";409 FIELD_FROZEN,MODEL_EXISTS" STALE)},
    {OP(PUT, MODEL, "model_replace", model_put), WRITE, .body = MODEL_FIELDS,
     TELLS("Registry", "Replace a model's fields, or register it under this id.",
           "200 Model;201 Model;400 READ_ONLY_FIELD,INVALID_REFERENCE" NO_MODEL
           ";409 FIELD_FROZEN,MODEL_EXISTS" STALE)},
    {OP(DELETE, MODEL, "model_delete", model_remove), WRITE, NOTHING,
     TELLS("Registry", "Delete a model that is in development or retired.",
           "204" NO_MODEL ";409 MODEL_IN_SERVICE" STALE)},
    {OP(POST, MODEL "/status", "model_status", model_status_post),
     .action = "model.promote.canary|model.promote.stable", KEYED, .body = STATUS_FIELDS,
     TELLS("Registry", "Move a model along its lifecycle.",
           "200 ModelTransition" NO_MODEL ";409 "
           "ILLEGAL_TRANSITION,PROMOTION_BLOCKED,VALIDATION_PENDING,"
           "MODEL_HELD,TOO_MANY_CHANGES" STALE)},
    {OP(GET, MODEL "/gate", "model_gate", model_gate_get), READ, .query = GATE_PARAMETERS,
     TELLS("Registry", "Would a promotion pass, and what of it is met?", "200 Gate" NO_MODEL)},
    {OP(POST, MODEL "/hold", "model_hold", model_hold_post), WRITE, KEYED_OPTIONAL,
     .body = HOLD_FIELDS,
     TELLS("Registry", "Hold a model back from any promotion.", "200 Model" NO_MODEL STALE)},
    {OP(DELETE, MODEL "/hold", "model_release", model_hold_delete),
     .action = "model.promote.stable", NOTHING,
     TELLS("Registry", "Lift the hold.",
           "204;404 MODEL_NOT_FOUND,ALIAS_NOT_FOUND,HOLD_NOT_FOUND" STALE)},
    {OP(GET, MODEL "/audit", "model_audit", model_audit_get), READ, .query = MODEL_AUDIT_PARAMETERS,
     TELLS("Audit", "The journal of one model, all its incarnations included.",
           "200 AuditEntryList;404 MODEL_NOT_FOUND")},
    {OP(GET, BASE "/types", "types_get", types_get), READ_SERVER, .query = READ_PARAMETERS,
     TELLS("Registry", "What this server knows: types, statuses, actions, severities.",
           "200 Types")},

    {OP(GET, BASE "/registered-models", "registered_models_list", registered_models_list),
     .query = REGISTERED_MODELS_PARAMETERS, .action = "read",
     .flags = ROUTE_NO_BODY | ROUTE_LABEL_FILTER,
     TELLS("Registered models", "List registered models.", "200 RegisteredModelList")},
    {OP(POST, BASE "/registered-models", "registered_model_create", registered_model_post), WRITE,
     KEYED, .body = REGISTERED_MODEL_FIELDS,
     TELLS("Registered models", "Create a registered model before its first version.",
           "201 RegisteredModel;400 READ_ONLY_FIELD;409 REGISTERED_MODEL_EXISTS")},
    {OP(GET, NAME, "registered_model_get", registered_model_get), READ,
     .query = REGISTERED_MODEL_PARAMETERS,
     TELLS("Registered models", "One registered model, as it is or as it was.",
           "200 RegisteredModelDetail;304" NO_NAME)},
    {OP(PATCH, NAME, "registered_model_patch", registered_model_change), WRITE,
     .body = REGISTERED_MODEL_FIELDS,
     TELLS("Registered models", "Change or rename a registered model (JSON merge patch).",
           "200 RegisteredModel;400 READ_ONLY_FIELD" NO_NAME
           ";409 REGISTERED_MODEL_EXISTS,ROUTE_EXISTS,ROUTE_IN_EXPERIMENT,TOO_MANY_CHANGES" STALE)},
    {OP(DELETE, NAME, "registered_model_delete", registered_model_remove), WRITE, NOTHING,
     TELLS("Registered models",
           "Delete a registered model and its versions, none of which may be in service.",
           "204" NO_NAME
           ";409 REGISTERED_MODEL_IN_SERVICE,ROUTE_IN_EXPERIMENT,TOO_MANY_CHANGES" STALE)},
    {OP(GET, NAME "/aliases", "aliases_list", aliases_list), READ, .query = ALIASES_PARAMETERS,
     TELLS("Registered models", "List the aliases of a name.", "200 AliasList" NO_NAME)},
    {OP(GET, NAME "/aliases/{alias}", "alias_get", alias_get), READ, .query = READ_PARAMETERS,
     TELLS("Registered models", "Where an alias points, the built-in ones included.",
           "200 Alias;304;404 REGISTERED_MODEL_NOT_FOUND,ALIAS_NOT_FOUND,MODEL_NOT_FOUND")},
    {OP(PUT, NAME "/aliases/{alias}", "alias_set", alias_set), WRITE, .body = ALIAS_FIELDS,
     TELLS("Registered models", "Point an alias at a version.",
           "200 Alias;400 READ_ONLY_FIELD,INVALID_REFERENCE" NO_NAME
           ";409 ALIAS_RESERVED,PROMOTION_BLOCKED,MODEL_HELD" STALE)},
    {OP(DELETE, NAME "/aliases/{alias}", "alias_remove", alias_remove), WRITE, NOTHING,
     TELLS("Registered models", "Remove an alias.",
           "204;404 REGISTERED_MODEL_NOT_FOUND,ALIAS_NOT_FOUND;409 ALIAS_RESERVED" STALE)},
    {OP(GET, NAME "/timeline", "timeline_get", timeline_get), READ, .query = TIMELINE_PARAMETERS,
     TELLS("Registered models", "Who was stable, canary and held, when and by whom.",
           "200 IntervalList" NO_NAME)},
    {OP(POST, NAME "/rollback", "rollback", registered_model_rollback), .action = "model.rollback",
     KEYED_OPTIONAL, .body = ROLLBACK_FIELDS,
     TELLS("Registered models", "Back to the previous stable, or to another former one.",
           "200 Rollback;400 INVALID_REFERENCE" NO_NAME
           ";409 NOTHING_TO_ROLL_BACK_TO,ILLEGAL_TRANSITION,MODEL_HELD" STALE)},

    {OP(POST, MODEL "/inference", "inference_of_model", inference_of_model_post), RECORDS,
     .query = INFERENCE_PARAMETERS,
     TELLS("Inference", "Record inferences of one model.",
           "202 Accepted" NO_MODEL
           ";413 BODY_TOO_LARGE,BATCH_TOO_LARGE;503 OVERLOADED,STORE_UNAVAILABLE")},
    {OP(POST, BASE "/inference", "inference", inference_post), RECORDS,
     .query = INFERENCE_PARAMETERS,
     TELLS("Inference", "Record inferences of several models.",
           "202 Accepted;413 BODY_TOO_LARGE,BATCH_TOO_LARGE;503 OVERLOADED,STORE_UNAVAILABLE")},
    {OP(GET, MODEL "/metrics", "metrics_get", metrics_get), READ, .query = METRICS_PARAMETERS,
     TELLS("Inference", "Counts, percentiles and scores over a span of time.",
           "200 Metrics" NO_MODEL)},
    {OP(GET, MODEL "/health", "health_get", health_get), READ, .query = READ_PARAMETERS,
     TELLS("Inference", "How a model does against its thresholds and its baseline.",
           "200 Health" NO_MODEL)},

    {OP(GET, BASE "/datasets", "datasets_list", document_list), .query = DATASETS_PARAMETERS, READ,
     DOCUMENTS(DATASET_TYPE), TELLS("Validation", "List datasets.", "200 DatasetList")},
    {OP(POST, BASE "/datasets", "dataset_create", document_post), .action = "validation.write",
     KEYED, .body = DATASET_FIELDS, DOCUMENTS(DATASET_TYPE),
     TELLS("Validation", "Register a dataset that tests may use.",
           "201 Dataset;400 READ_ONLY_FIELD;409 DATASET_EXISTS")},
    KEPT(DATASET, "dataset", DATASET, "Dataset", "a dataset", "Validation", "validation.write", ""),
    {OP(DELETE, DATASET, "dataset_delete", document_remove), .action = "validation.write", NOTHING,
     DOCUMENTS(DATASET_TYPE),
     TELLS("Validation", "Delete a dataset; its file stays.",
           "204;404 DATASET_NOT_FOUND;409 DATASET_IN_USE" STALE)},
    {OP(GET, BASE "/validation/tests", "test_cases_list", document_list),
     .query = TEST_CASES_PARAMETERS, .action = "read", .flags = ROUTE_NO_BODY | ROUTE_LABEL_FILTER,
     DOCUMENTS(TEST_CASE_TYPE), TELLS("Validation", "List test cases.", "200 TestCaseList")},
    {OP(POST, BASE "/validation/tests", "test_case_create", document_post),
     .action = "validation.write", KEYED, .body = TEST_CASE_FIELDS, DOCUMENTS(TEST_CASE_TYPE),
     TELLS("Validation", "Say what is to be tested of a name's versions, or of one model.",
           "201 TestCase;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 TEST_CASE_EXISTS")},
    KEPT(TEST, "test_case", TEST_CASE, "TestCase", "a test case", "Validation", "validation.write",
         ",INVALID_REFERENCE"),
    {OP(DELETE, TEST, "test_case_delete", document_remove), .action = "validation.write", NOTHING,
     DOCUMENTS(TEST_CASE_TYPE),
     TELLS("Validation", "Delete a test case; what it found stays in the history.",
           "204;404 TEST_CASE_NOT_FOUND" STALE)},

    {OP(GET, BASE "/policies", "policies_list", policies_list), READ, .query = POLICIES_PARAMETERS,
     TELLS("Policies", "List the Lua policies.", "200 PolicyList")},
    {OP(GET, POLICY, "policy_get", policy_get), READ, .query = POLICY_PARAMETERS,
     TELLS("Policies", "One policy with its source, who uses it and how it fares.",
           "200 PolicyDetail;404 POLICY_NOT_FOUND,POLICY_VERSION_NOT_FOUND")},
    {OP(PUT, POLICY, "policy_install", policy_put), .action = "policy.write",
     .consumes = "text/x-lua", .body_max = 65536,
     TELLS("Policies", "Check a Lua text and let it serve as the next version of the name.",
           "200 StoredPolicy;201 StoredPolicy;400 VALIDATION_FAILED;404 POLICY_NOT_FOUND;"
           "409 POLICY_IN_USE" STALE ";422 POLICY_INVALID;503 OVERLOADED")},
    {OP(DELETE, POLICY, "policy_uncover", policy_remove), .action = "policy.write", NOTHING,
     TELLS("Policies", "Let the file of the name serve again; the versions are kept.",
           "204;404 POLICY_NOT_FOUND,STORED_POLICY_NOT_FOUND;409 POLICY_IN_USE" STALE)},
    {OP(GET, POLICY "/versions", "policy_versions", policy_versions), READ,
     .query = POLICY_VERSIONS_PARAMETERS,
     TELLS("Policies", "The stored versions of a policy, oldest first.",
           "200 PolicyVersionList;404 POLICY_NOT_FOUND,STORED_POLICY_NOT_FOUND")},
    {OP(POST, POLICY "/rollback", "policy_rollback", policy_rollback_post),
     .action = "policy.write", KEYED, .body = DOCUMENT_ROLLBACK_FIELDS,
     TELLS("Policies", "Let an earlier version serve.",
           "200 StoredPolicy;404 POLICY_NOT_FOUND,STORED_POLICY_NOT_FOUND,POLICY_VERSION_NOT_FOUND;"
           "409 POLICY_IN_USE" STALE)},
    {OP(POST, BASE "/policies/check", "policy_check", policy_check), .action = "read",
     .flags = ROUTE_UNKEYED, .body = POLICY_DRAFT_FIELDS,
     TELLS("Policies", "Compile a draft, and ask it, without installing it.", "200 PolicyCheck")},
    {OP(GET, BASE "/alerts", "alerts_list", document_list), .query = ALERTS_PARAMETERS, READ,
     DOCUMENTS(ALERT_TYPE), TELLS("Alerts", "List alerts.", "200 AlertList")},
    {OP(GET, ALERT, "alert_get", document_get), READ, .query = READ_PARAMETERS,
     DOCUMENTS(ALERT_TYPE), TELLS("Alerts", "One alert.", "200 Alert;304;404 ALERT_NOT_FOUND")},
    {OP(POST, ALERT "/acknowledge", "alert_acknowledge", alert_acknowledge_post),
     .action = "validation.write", KEYED_OPTIONAL, .body = ACKNOWLEDGE_FIELDS,
     DOCUMENTS(ALERT_TYPE),
     TELLS("Alerts", "Say that somebody is at it.",
           "200 Alert;404 ALERT_NOT_FOUND;409 ALERT_RESOLVED" STALE)},
    {OP(GET, BASE "/webhooks", "webhooks_list", document_list), .query = DOCUMENTS_PARAMETERS, READ,
     DOCUMENTS(WEBHOOK_TYPE), TELLS("Alerts", "List webhooks.", "200 WebhookList")},
    {OP(POST, BASE "/webhooks", "webhook_create", document_post), .action = "webhook.write", KEYED,
     .body = WEBHOOK_FIELDS, DOCUMENTS(WEBHOOK_TYPE),
     TELLS("Alerts", "Have journal entries posted to an address.",
           "201 Webhook;400 READ_ONLY_FIELD;409 WEBHOOK_EXISTS")},
    KEPT(WEBHOOK, "webhook", WEBHOOK, "Webhook", "a webhook", "Alerts", "webhook.write", ""),
    {OP(DELETE, WEBHOOK, "webhook_delete", document_remove), .action = "webhook.write", NOTHING,
     DOCUMENTS(WEBHOOK_TYPE),
     TELLS("Alerts", "Delete a webhook; what it has not got yet is not sent.",
           "204;404 WEBHOOK_NOT_FOUND" STALE)},
    {OP(GET, WEBHOOK "/deliveries", "deliveries_list", deliveries_list), READ,
     .query = DELIVERIES_PARAMETERS,
     TELLS("Alerts", "What became of a webhook's events in the last 7 days, newest first.",
           "200 DeliveryList;404 WEBHOOK_NOT_FOUND")},
    {OP(POST, WEBHOOK "/test", "webhook_test", webhook_test_post), .action = "webhook.write",
     .flags = ROUTE_NO_BODY | ROUTE_UNKEYED,
     TELLS("Alerts", "Send one event of type webhook.test, and tell what the receiver said.",
           "200 WebhookTest;404 WEBHOOK_NOT_FOUND")},
    {OP(GET, BASE "/flags", "flags_list", document_list), .query = FLAGS_PARAMETERS,
     .action = "read", .flags = ROUTE_NO_BODY | ROUTE_LABEL_FILTER, DOCUMENTS(FLAG_TYPE),
     TELLS("Flags", "List flags.", "200 FlagList")},
    {OP(POST, BASE "/flags", "flag_create", document_post), .action = "flag.write", KEYED,
     .body = FLAG_FIELDS, DOCUMENTS(FLAG_TYPE),
     TELLS("Flags", "Create a flag.",
           "201 Flag;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 FLAG_EXISTS")},
    KEPT(FLAG, "flag", FLAG, "Flag", "a flag", "Flags", "flag.write", ",INVALID_REFERENCE"),
    {OP(DELETE, FLAG, "flag_delete", document_remove), .action = "flag.write", NOTHING,
     DOCUMENTS(FLAG_TYPE),
     TELLS("Flags", "Delete a flag.", "204;404 FLAG_NOT_FOUND;409 FLAG_IN_USE" STALE)},
    {OP(POST, FLAG "/evaluate", "flag_evaluate", flag_evaluate), .action = "select",
     .flags = ROUTE_UNKEYED, .body = EVALUATION_FIELDS,
     TELLS("Flags", "Ask a flag, with an explanation if wanted.",
           "200 Evaluation;404 FLAG_NOT_FOUND")},
    {OP(GET, FLAG "/versions", "flag_versions", flag_versions), READ,
     .query = FLAG_VERSIONS_PARAMETERS,
     TELLS("Flags", "What a flag was, newest first.", "200 FlagVersionList;404 FLAG_NOT_FOUND")},
    {OP(POST, FLAG "/rollback", "flag_rollback", flag_rollback_post), .action = "flag.write", KEYED,
     .body = DOCUMENT_ROLLBACK_FIELDS,
     TELLS("Flags", "Make a flag what it was; units fall where they fell then.",
           "200 Flag;400 READ_ONLY_FIELD,INVALID_REFERENCE;404 "
           "FLAG_NOT_FOUND,FLAG_VERSION_NOT_FOUND" STALE ";503 OVERLOADED")},
    {OP(POST, FLAG "/simulate", "flag_simulate", flag_simulate), .action = "read",
     .flags = ROUTE_UNKEYED, .body = SIMULATION_FIELDS,
     TELLS("Flags", "Ask a flag as it would be beside the flag as it is.",
           "200 Simulation;400 READ_ONLY_FIELD,INVALID_REFERENCE;404 FLAG_NOT_FOUND;"
           "422 POLICY_INVALID;503 OVERLOADED")},
    {OP(GET, BASE "/layers", "layers_list", document_list), .query = LAYERS_PARAMETERS, READ,
     DOCUMENTS(LAYER_TYPE), TELLS("Flags", "List layers.", "200 LayerList")},
    {OP(POST, BASE "/layers", "layer_create", document_post), .action = "flag.write", KEYED,
     .body = LAYER_FIELDS, DOCUMENTS(LAYER_TYPE),
     TELLS("Flags", "Create a layer.", "201 Layer;400 READ_ONLY_FIELD;409 LAYER_EXISTS")},
    KEPT(LAYER, "layer", LAYER, "Layer", "a layer", "Flags", "flag.write", ""),
    {OP(DELETE, LAYER, "layer_delete", document_remove), .action = "flag.write", NOTHING,
     DOCUMENTS(LAYER_TYPE),
     TELLS("Flags", "Delete a layer.", "204;404 LAYER_NOT_FOUND;409 LAYER_IN_USE" STALE)},
    {OP(GET, BASE "/segments", "segments_list", document_list), .query = SEGMENTS_PARAMETERS, READ,
     DOCUMENTS(SEGMENT_TYPE), TELLS("Flags", "List segments.", "200 SegmentList")},
    {OP(POST, BASE "/segments", "segment_create", document_post), .action = "flag.write", KEYED,
     .body = SEGMENT_FIELDS, DOCUMENTS(SEGMENT_TYPE),
     TELLS("Flags", "Create a segment.", "201 Segment;400 READ_ONLY_FIELD;409 SEGMENT_EXISTS")},
    KEPT(SEGMENT, "segment", SEGMENT, "Segment", "a segment", "Flags", "flag.write", ""),
    {OP(DELETE, SEGMENT, "segment_delete", document_remove), .action = "flag.write", NOTHING,
     DOCUMENTS(SEGMENT_TYPE),
     TELLS("Flags", "Delete a segment.", "204;404 SEGMENT_NOT_FOUND;409 SEGMENT_IN_USE" STALE)},
    {OP(POST, BASE "/selection", "selection", selection_post), .action = "select",
     .flags = ROUTE_UNKEYED, .body = SELECTION_FIELDS,
     TELLS("Selection", "Which model serves whom?",
           "200 Decision;400 TARGETING_KEY_MISSING;404 ROUTE_NOT_FOUND,NO_CANDIDATE")},
    {OP(POST, BASE "/selection/batch", "selection_batch", selection_batch_post), .action = "select",
     .flags = ROUTE_UNKEYED, .body = SELECTION_BATCH_FIELDS,
     TELLS("Selection", "The same for up to 1,000 contexts, all in one view.",
           "200 DecisionBatch;404 ROUTE_NOT_FOUND,NO_CANDIDATE")},
    {OP(POST, BASE "/selection/outcomes", "outcomes", outcomes_post), .action = "record",
     .flags = ROUTE_UNKEYED | ROUTE_NDJSON | ROUTE_NO_ENTITY, .body = OUTCOME_FIELDS,
     .body_max = BATCH_MAX,
     TELLS("Selection", "What came of decisions: one, a list, or NDJSON. On disk when answered.",
           "202 OutcomesTaken")},
    {OP(GET, BASE "/selection/decisions/{decision_id}", "decision_get", decision_get), READ,
     .query = READ_PARAMETERS,
     TELLS("Selection", "What a decision's id says.", "200 DecisionFacts;404 DECISION_NOT_FOUND")},
    {OP(GET, BASE "/selection/decisions", "decisions_list", decisions_list), READ,
     .query = DECISIONS_PARAMETERS,
     TELLS("Selection", "A unit's logged decisions, newest first.", "200 LoggedDecisionList")},
    {OP(POST, BASE "/selection/explain", "selection_explain", selection_explain_post),
     .action = "read", .flags = ROUTE_UNKEYED, .body = EXPLAIN_FIELDS,
     TELLS("Selection", "Which model served whom at a time, and why, from the journal.",
           "200 Explanation;404 ROUTE_NOT_FOUND,NO_CANDIDATE;503 OVERLOADED;"
           "400 TARGETING_KEY_MISSING")},
    {OP(GET, BASE "/routes", "routes_list", routes_list), READ, .query = ROUTES_PARAMETERS,
     TELLS("Selection", "List routes, those of all registered models included.", "200 RouteList")},
    {OP(POST, BASE "/routes", "route_create", document_post), .action = "route.write", KEYED,
     .body = ROUTE_FIELDS, DOCUMENTS(ROUTE_TYPE),
     TELLS("Selection", "Create a route.",
           "201 Route;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 ROUTE_EXISTS")},
    {OP(GET, ROUTE, "route_get", document_get), READ, .query = READ_PARAMETERS,
     DOCUMENTS(ROUTE_TYPE), TELLS("Selection", "One route.", "200 Route;304;404 ROUTE_NOT_FOUND")},
    {OP(PATCH, ROUTE, "route_patch", route_change), .action = "route.write", .body = ROUTE_FIELDS,
     .query = ROUTE_CHANGE_PARAMETERS, DOCUMENTS(ROUTE_TYPE),
     TELLS("Selection",
           "Change some of a route's fields (JSON merge patch), or only say who moves.",
           "200 RouteChange;400 READ_ONLY_FIELD,INVALID_REFERENCE;404 ROUTE_NOT_FOUND"
           ";409 ROUTE_IN_EXPERIMENT" STALE)},
    {OP(PUT, ROUTE, "route_replace", document_put_one), .action = "route.write",
     .body = ROUTE_FIELDS, DOCUMENTS(ROUTE_TYPE),
     TELLS("Selection", "Replace a route's fields, or create it.",
           "200 Route;201 Route;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 "
           "ROUTE_IN_EXPERIMENT" STALE)},
    {OP(DELETE, ROUTE, "route_delete", document_remove), .action = "route.write", NOTHING,
     DOCUMENTS(ROUTE_TYPE),
     TELLS("Selection", "Delete a route; that of a registered model is as at first again.",
           "204;404 ROUTE_NOT_FOUND;409 ROUTE_IN_EXPERIMENT" STALE)},
    {OP(GET, ROUTE "/outcomes", "route_outcomes", route_outcomes_get), READ,
     .query = READ_PARAMETERS, DOCUMENTS(ROUTE_TYPE),
     TELLS("Selection", "What came of a route's decisions, of its shadows beside those who served.",
           "200 RouteOutcomes;404 ROUTE_NOT_FOUND")},
    EXPERIMENT_ROUTES,
    {OP(POST, "/ofrep/v1/evaluate/flags/{key+}", "ofrep_evaluate", ofrep_evaluate),
     .action = "select", .flags = ROUTE_UNKEYED | ROUTE_BODY_OPTIONAL, .failure = &OFREP_FAILURE,
     TELLS("Flags", "OFREP: one flag.", "200 OfrepEvaluation;400 OfrepFailure;404 OfrepFailure")},
    {OP(POST, "/ofrep/v1/evaluate/flags", "ofrep_bulk", ofrep_bulk), .action = "select",
     .flags = ROUTE_UNKEYED | ROUTE_BODY_OPTIONAL, .query = BULK_PARAMETERS,
     .failure = &OFREP_FAILURE,
     TELLS("Flags", "OFREP: all flags of the namespace, with an ETag.",
           "200 OfrepBulk;304;400 OfrepFailure;503 OfrepFailure")},
    {OP(GET, "/ofrep/v1/events", "ofrep_events", ofrep_events),
     .flags = ROUTE_PUBLIC | ROUTE_NO_BODY | ROUTE_OPEN_ENDED, .query = REFETCH_PARAMETERS,
     .failure = &OFREP_FAILURE,
     TELLS("Flags", "OFREP: server-sent events that tell a client to fetch its flags again.",
           "200 text/event-stream;400 OfrepFailure;401 OfrepFailure;503 OfrepFailure")},
    {OP(POST, BASE "/validation/run", "validation_run", validation_run_post),
     .action = "validation.run", .flags = ROUTE_KEYED | ROUTE_NO_ENTITY, .body = RUN_BODY_FIELDS,
     TELLS("Validation", "Test a model now.",
           "200 Run;202 Run;400 INVALID_REFERENCE;503 OVERLOADED,STORE_UNAVAILABLE")},
    {OP(GET, RUN, "validation_run_get", validation_run_get), READ, .query = RUN_PARAMETERS,
     TELLS("Validation", "One run, with what it has found so far.", "200 Run;404 RUN_NOT_FOUND")},
    {OP(POST, RUN "/cancel", "validation_run_cancel", validation_run_cancel),
     .action = "validation.run", .flags = ROUTE_NO_BODY | ROUTE_UNKEYED,
     TELLS("Validation", "Call a run off.",
           "200 Run;404 RUN_NOT_FOUND;409 RUN_FINISHED;503 OVERLOADED")},
    {OP(GET, BASE "/validation/history/{model_id}", "validation_history", validation_history_get),
     READ, .query = RUNS_PARAMETERS,
     TELLS("Validation", "The runs of a model, newest first.", "200 RunList" NO_MODEL)},
    {OP(GET, BASE "/validation/measurements", "validation_measurements",
        validation_measurements_get),
     READ, .query = MEASUREMENTS_PARAMETERS,
     TELLS("Validation", "One measurement over time, across the versions of a name.",
           "200 MeasurementPointList")},
    {OP(GET, BASE "/validation/regression-report/{model_id}", "validation_report",
        validation_report_get),
     READ, .query = REPORT_PARAMETERS,
     TELLS("Validation", "What got worse, how bad it is, and what to do.",
           "200 RegressionReport" NO_MODEL)},
    {OP(GET, PIN, "validation_baseline_get", validation_baseline_get), READ,
     .query = READ_PARAMETERS,
     TELLS("Validation", "The run that a model's runs are compared with, if one is pinned.",
           "200 Baseline;304;404 MODEL_NOT_FOUND,ALIAS_NOT_FOUND,BASELINE_NOT_FOUND")},
    {OP(PUT, PIN, "validation_baseline_put", validation_baseline_put), .action = "validation.write",
     .body = BASELINE_FIELDS,
     TELLS("Validation", "Pin a run as the baseline of a model.",
           "200 Baseline;400 INVALID_REFERENCE,READ_ONLY_FIELD" NO_MODEL STALE)},
    {OP(DELETE, PIN, "validation_baseline_delete", validation_baseline_delete),
     .action = "validation.write", NOTHING,
     TELLS("Validation", "Take the pin away.",
           "204;404 MODEL_NOT_FOUND,ALIAS_NOT_FOUND,BASELINE_NOT_FOUND" STALE)},
    {OP(POST, BASE "/validation/nightly", "validation_nightly_start", validation_nightly_post),
     .action = "validation.run", .flags = ROUTE_NO_BODY | ROUTE_KEYED | ROUTE_NO_ENTITY,
     TELLS("Validation", "Test all canary and stable models of the namespace now.",
           "202 NightlyStarted;409 NIGHTLY_RUNNING;503 OVERLOADED,STORE_UNAVAILABLE")},
    {OP(GET, BASE "/validation/nightly", "validation_nightly_get", validation_nightly_get), READ,
     .query = READ_PARAMETERS,
     TELLS("Validation", "When the next night is, how far this one is, what the last one found.",
           "200 Nightly")},
    {OP(GET, BASE "/validation/nightly/{batch_id}", "validation_nightly_batch",
        validation_batch_get),
     READ, .query = NIGHT_PARAMETERS,
     TELLS("Validation", "One night with its runs.", "200 NightlyBatch;404 NIGHT_NOT_FOUND")},

    {OP(GET, BASE "/audit", "audit_get", audit_get), READ, .query = AUDIT_PARAMETERS,
     TELLS("Audit", "The journal of all changes; as NDJSON, all of it.",
           "200 AuditEntryList,application/x-ndjson")},
    {OP(GET, BASE "/events", "events_get", events_get), .query = EVENTS_PARAMETERS,
     .action = "read", .flags = ROUTE_NO_BODY | ROUTE_OPEN_ENDED,
     TELLS("Audit", "Server-sent events of the journal; Last-Event-ID resumes without a gap.",
           "200 text/event-stream;503 OVERLOADED")},

    {OP(GET, BASE "/tokens", "tokens_list", document_list), ADMIN, NOTHING,
     .query = TOKENS_PARAMETERS, DOCUMENTS(TOKEN_TYPE),
     TELLS("Tokens", "List tokens; their secrets are not kept.", "200 TokenList")},
    {OP(POST, BASE "/tokens", "token_create", token_post), ADMIN, .flags = ROUTE_UNKEYED,
     .body = TOKEN_FIELDS, DOCUMENTS(TOKEN_TYPE),
     TELLS("Tokens", "Make a token; this answer alone shows its secret.",
           "201 TokenMade;400 READ_ONLY_FIELD;409 TOKEN_EXISTS")},
    {OP(GET, TOKEN, "token_get", document_get), ADMIN, NOTHING, .query = READ_PARAMETERS,
     DOCUMENTS(TOKEN_TYPE), TELLS("Tokens", "One token.", "200 Token;304" NO_TOKEN)},
    {OP(PATCH, TOKEN, "token_patch", document_change), ADMIN, .body = TOKEN_FIELDS,
     DOCUMENTS(TOKEN_TYPE),
     TELLS("Tokens", "Change what a token may do (JSON merge patch); its secret stays.",
           "200 Token;400 READ_ONLY_FIELD" NO_TOKEN STALE)},
    {OP(PUT, TOKEN, "token_replace", token_put), ADMIN, .body = TOKEN_FIELDS, DOCUMENTS(TOKEN_TYPE),
     TELLS("Tokens", "Replace what a token may do, or make it under this id.",
           "200 Token;201 TokenMade;400 READ_ONLY_FIELD" STALE)},
    {OP(DELETE, TOKEN, "token_delete", document_remove), ADMIN, NOTHING, DOCUMENTS(TOKEN_TYPE),
     TELLS("Tokens", "Revoke a token, at once.", "204" NO_TOKEN STALE)},

    {OP(GET, BASE "/plugins", "plugins_list", plugins_list), READ_SERVER,
     .query = PLUGINS_PARAMETERS,
     TELLS("Plugins", "Tests, strategies and runtimes: what is loaded, and what is out and why.",
           "200 PluginList")},
    {OP(POST, BASE "/plugins/reload", "plugins_reload", plugins_reload), ADMIN,
     .flags = ROUTE_NO_BODY | ROUTE_UNKEYED | ROUTE_SERVER, .query = PLUGINS_PARAMETERS,
     TELLS("Plugins", "Look at the directories of plugins anew.", "200 PluginList;503 OVERLOADED")},

    {OP(GET, BASE "/config", "config_get", config_get), ADMIN,
     .flags = ROUTE_NO_BODY | ROUTE_SERVER, .query = READ_PARAMETERS,
     TELLS("Server", "Settings in force and where they came from.", "200 Config")},
    {OP(GET, BASE "/nodes", "nodes_list", nodes_list), READ_SERVER, .query = NODES_PARAMETERS,
     TELLS("Server", "The servers that share this store.", "200 NodeList")},
    {OP(GET, "/healthz", "healthz", healthz_get), PUBLIC, TELLS("Server", "Alive.", "200 State")},
    {OP(GET, "/readyz", "readyz", readyz_get), PUBLIC,
     TELLS("Server", "Ready to take writes.", "200 State;503 STORE_UNAVAILABLE")},
    {OP(GET, "/version", "version", version_get), PUBLIC,
     TELLS("Server", "What runs here.", "200 Version")},
    {OP(GET, "/metrics", "exposition", exposition_get), READ_SERVER,
     TELLS("Server", "Metrics of the server and of each model, for Prometheus.",
           "200 application/openmetrics-text,text/plain;503 OVERLOADED")},
    {OP(GET, "/openapi.json", "openapi", openapi_get), PUBLIC,
     TELLS("Server", "This document.", "200 OpenApi")},
    {OP(GET, "/problems", "problems_list", problems_list), PUBLIC, .query = PROBLEMS_PARAMETERS,
     TELLS("Server", "Every kind of problem there is.", "200 ProblemKindList")},
    {OP(GET, "/problems/{slug}", "problem_get", problem_get), PUBLIC,
     TELLS("Server", "What a problem means and what to do.",
           "200 ProblemKind,text/html;404 NOT_FOUND")},
    {OP(GET, "/", "root", root_get), PUBLIC, TELLS("Server", "Where to go from here.", "200 Root")},
    {.path = NULL},
};
