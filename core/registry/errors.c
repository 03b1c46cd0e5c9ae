#include "registry/errors.h"

#include "registry/grant.h"

#include <stddef.h>

const struct err_kind MODEL_NOT_FOUND = {
    "MODEL_NOT_FOUND",
    404,
    "Model not found",
    "No model of this namespace has this id, or the name of a name@alias reference has no "
    "versions.",
};
const struct err_kind MODEL_EXISTS = {
    "MODEL_EXISTS",
    409,
    "Model exists",
    "A model with this id, or this version of the name, is registered already. Give another "
    "version "
    "or model_id, or leave the version out to get the next number.",
};
const struct err_kind MODEL_IN_SERVICE = {
    "MODEL_IN_SERVICE",
    409,
    "Model in service",
    "A model is deleted only in development or once retired. Move it there first; `legal` lists "
    "the "
    "transitions open to it.",
};
const struct err_kind MODEL_HELD = {
    "MODEL_HELD",
    409,
    "Model held",
    "A held model cannot be promoted by anyone or anything, force included, until somebody with "
    "the "
    "right to promote lifts the hold (DELETE .../hold).",
};
const struct err_kind FIELD_IS_FROZEN = {
    "FIELD_FROZEN",
    409,
    "Field frozen",
    "Once a model has left development, source, source_digest, runtime, signature and version stay "
    "as they are, so that the evidence gathered about it stays true. Register a new version "
    "instead.",
};
const struct err_kind ILLEGAL_TRANSITION = {
    "ILLEGAL_TRANSITION",
    409,
    "Illegal transition",
    "The lifecycle has no step from the model's status to the one asked for; `legal` lists those "
    "it has.",
};
const struct err_kind PROMOTION_BLOCKED = {
    "PROMOTION_BLOCKED",
    409,
    "Promotion blocked",
    "The gate's conditions are not met; `gate` shows each of them. Meet them, or promote with "
    "`force` "
    "and a reason if you may.",
};
const struct err_kind VALIDATION_PENDING = {
    "VALIDATION_PENDING",
    409,
    "Validation pending",
    "The evidence the gate needs is being gathered by the run `run_id`. Ask again when it has "
    "finished.",
};
const struct err_kind REGISTERED_MODEL_NOT_FOUND = {
    "REGISTERED_MODEL_NOT_FOUND",
    404,
    "Registered model not found",
    "No registered model of this namespace has this name.",
};
const struct err_kind REGISTERED_MODEL_EXISTS = {
    "REGISTERED_MODEL_EXISTS",
    409,
    "Registered model exists",
    "A registered model of this name exists already. Choose another name, or PATCH the one that "
    "exists.",
};
const struct err_kind REGISTERED_MODEL_IN_SERVICE = {
    "REGISTERED_MODEL_IN_SERVICE",
    409,
    "Registered model in service",
    "A registered model is deleted only while none of its versions is canary or stable; "
    "`in_service` "
    "lists those that are.",
};
const struct err_kind ALIAS_NOT_FOUND = {
    "ALIAS_NOT_FOUND",
    404,
    "Alias not found",
    "The registered model has no such alias, or no version now answers to the built-in one.",
};
const struct err_kind ALIAS_RESERVED = {
    "ALIAS_RESERVED",
    409,
    "Alias reserved",
    "stable, canary, previous and latest follow the lifecycle by themselves and cannot be set or "
    "removed.",
};
const struct err_kind NOTHING_TO_ROLL_BACK_TO = {
    "NOTHING_TO_ROLL_BACK_TO",
    409,
    "Nothing to roll back to",
    "A rollback needs a former stable of the name that is now deprecated and not held. The detail "
    "says "
    "what stands in the way.",
};
const struct err_kind HOLD_NOT_FOUND = {
    "HOLD_NOT_FOUND",
    404,
    "Hold not found",
    "The model is not held.",
};
const struct err_kind TOKEN_NOT_FOUND = {
    "TOKEN_NOT_FOUND",
    404,
    "Token not found",
    "No token of this namespace has this id.",
};
const struct err_kind TOKEN_EXISTS = {
    "TOKEN_EXISTS",
    409,
    "Token exists",
    "A token of this namespace has this id already. Its secret was shown when it was made and "
    "cannot be shown again: delete it, or choose another id.",
};
const struct err_kind DATASET_NOT_FOUND = {
    "DATASET_NOT_FOUND",
    404,
    "Dataset not found",
    "No dataset of this namespace has this id.",
};
const struct err_kind DATASET_EXISTS = {
    "DATASET_EXISTS",
    409,
    "Dataset exists",
    "A dataset with this id exists already. Choose another id, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind DATASET_IN_USE = {
    "DATASET_IN_USE",
    409,
    "Dataset in use",
    "Test cases use the dataset; `in_use` lists them. Change or delete those first.",
};
const struct err_kind TEST_CASE_NOT_FOUND = {
    "TEST_CASE_NOT_FOUND",
    404,
    "Test case not found",
    "No test case of this namespace has this id.",
};
const struct err_kind TEST_CASE_EXISTS = {
    "TEST_CASE_EXISTS",
    409,
    "Test case exists",
    "A test case with this id exists already. Choose another id, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind ALERT_NOT_FOUND = {
    "ALERT_NOT_FOUND",
    404,
    "Alert not found",
    "No alert of this namespace has this id.",
};
const struct err_kind ALERT_IS_RESOLVED = {
    "ALERT_RESOLVED",
    409,
    "Alert resolved",
    "The alert's cause is gone; there is nothing left to acknowledge.",
};
const struct err_kind WEBHOOK_NOT_FOUND = {
    "WEBHOOK_NOT_FOUND",
    404,
    "Webhook not found",
    "No webhook of this namespace has this id.",
};
const struct err_kind WEBHOOK_EXISTS = {
    "WEBHOOK_EXISTS",
    409,
    "Webhook exists",
    "A webhook with this id exists already. Choose another id, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind FLAG_NOT_FOUND = {
    "FLAG_NOT_FOUND",
    404,
    "Flag not found",
    "No flag of this namespace has this key.",
};
const struct err_kind FLAG_EXISTS = {
    "FLAG_EXISTS",
    409,
    "Flag exists",
    "A flag with this key exists already. Choose another key, or PATCH or PUT the one that exists.",
};
const struct err_kind FLAG_IN_USE = {
    "FLAG_IN_USE",
    409,
    "Flag in use",
    "Other flags have it as a prerequisite, or routes ask it; `in_use` lists them. Change or "
    "delete those first.",
};
const struct err_kind SEGMENT_NOT_FOUND = {
    "SEGMENT_NOT_FOUND",
    404,
    "Segment not found",
    "No segment of this namespace has this name.",
};
const struct err_kind SEGMENT_EXISTS = {
    "SEGMENT_EXISTS",
    409,
    "Segment exists",
    "A segment with this name exists already. Choose another name, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind FLAG_VERSION_NOT_FOUND = {
    "FLAG_VERSION_NOT_FOUND",
    404,
    "Flag version not found",
    "The flag, since it was created, never had this version.",
};
const struct err_kind LAYER_NOT_FOUND = {
    "LAYER_NOT_FOUND",
    404,
    "Layer not found",
    "No layer of this namespace has this name.",
};
const struct err_kind LAYER_EXISTS = {
    "LAYER_EXISTS",
    409,
    "Layer exists",
    "A layer with this name exists already. Choose another name, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind LAYER_IN_USE = {
    "LAYER_IN_USE",
    409,
    "Layer in use",
    "Flags are in it; `in_use` lists them. Take them out first.",
};
const struct err_kind SEGMENT_IN_USE = {
    "SEGMENT_IN_USE",
    409,
    "Segment in use",
    "Parameters of flags name it; `in_use` lists them. Change those first.",
};
const struct err_kind STORED_POLICY_NOT_FOUND = {
    "STORED_POLICY_NOT_FOUND",
    404,
    "No stored policy",
    "No policy of this kind and name is stored in this namespace; a file is no stored policy.",
};
const struct err_kind POLICY_VERSION_NOT_FOUND = {
    "POLICY_VERSION_NOT_FOUND",
    404,
    "Policy version not found",
    "The policy never had this version, or it is not kept any more.",
};
const struct err_kind POLICY_IN_USE = {
    "POLICY_IN_USE",
    409,
    "Policy in use",
    "Flags of the namespace have parameters that the policy would not take; `flags` says which and "
    "why. Change them first, or let them pin a version.",
};
const struct err_kind ROUTE_NOT_FOUND = {
    "ROUTE_NOT_FOUND",
    404,
    "Route not found",
    "No route of this namespace has this name, and no registered model is called so.",
};
const struct err_kind ROUTE_EXISTS = {
    "ROUTE_EXISTS",
    409,
    "Route exists",
    "A route with this name exists already; each registered model has one. Choose another name, or "
    "PATCH or PUT the one that exists.",
};
const struct err_kind ROUTE_IN_EXPERIMENT = {
    "ROUTE_IN_EXPERIMENT",
    409,
    "Route in experiment",
    "A running experiment owns what decides the route's shares: its arms, weights, strategy, flag "
    "and salt. Stop the experiment first. One route has one running experiment.",
};
const struct err_kind EXPERIMENT_NOT_FOUND = {
    "EXPERIMENT_NOT_FOUND",
    404,
    "Experiment not found",
    "No experiment of this namespace has this key.",
};
const struct err_kind EXPERIMENT_EXISTS = {
    "EXPERIMENT_EXISTS",
    409,
    "Experiment exists",
    "An experiment with this key exists already. Choose another key, or PATCH or PUT the one that "
    "exists.",
};
const struct err_kind EXPERIMENT_IS_RUNNING = {
    "EXPERIMENT_RUNNING",
    409,
    "Experiment running",
    "While an experiment runs or is paused it is neither changed nor deleted: what was measured "
    "belongs to how it was begun. Stop it first.",
};
const struct err_kind EXPERIMENT_STATE = {
    "EXPERIMENT_STATE",
    409,
    "Experiment in another state",
    "Only an experiment that runs or is paused can be paused, stopped, promoted or rolled back.",
};
const struct err_kind EXPERIMENT_ARMS = {
    "EXPERIMENT_ARMS",
    409,
    "Arms do not serve",
    "To begin, the route must be stored, and control and treatment must be arms of it that lead to "
    "two models in service.",
};
const struct err_kind RUN_NOT_FOUND = {
    "RUN_NOT_FOUND",
    404,
    "Run not found",
    "No validation run of this namespace has this id.",
};
const struct err_kind RUN_FINISHED = {
    "RUN_FINISHED",
    409,
    "Run finished",
    "The run is over, so there is nothing to cancel.",
};
const struct err_kind BASELINE_NOT_FOUND = {
    "BASELINE_NOT_FOUND",
    404,
    "Baseline not found",
    "No baseline is pinned for the model. Without one its runs are compared with those of "
    "baseline_model_id, else of the name's stable.",
};
const struct err_kind NIGHT_NOT_FOUND = {
    "NIGHT_NOT_FOUND",
    404,
    "Night not found",
    "No night of this namespace has this id.",
};
const struct err_kind NIGHTLY_RUNNING = {
    "NIGHTLY_RUNNING",
    409,
    "Nightly running",
    "A night is under way in the namespace, `batch_id`. Wait until it has ended.",
};
const struct err_kind REVISION_MISMATCH = {
    "REVISION_MISMATCH",
    412,
    "Revision mismatch",
    "The object is at another revision than If-Match (or `revision` in the body) demands: somebody "
    "changed it. Read it again and repeat the change on what you find.",
};
const struct err_kind BAD_REFERENCE = {
    "INVALID_REFERENCE",
    400,
    "Invalid reference",
    "The body names a model, by id or as name@alias, that does not exist in this namespace or is "
    "not "
    "a version of the name it is meant for.",
};
const struct err_kind TOO_MANY_CHANGES = {
    "TOO_MANY_CHANGES",
    409,
    "Too many changes",
    "The operation would change more objects at once than one atomic change may hold. Delete or "
    "retire "
    "versions in smaller steps first.",
};

const struct err_kind *const REGISTRY_ERRORS[] = {
    &MODEL_NOT_FOUND,
    &MODEL_EXISTS,
    &MODEL_IN_SERVICE,
    &MODEL_HELD,
    &FIELD_IS_FROZEN,
    &ILLEGAL_TRANSITION,
    &PROMOTION_BLOCKED,
    &VALIDATION_PENDING,
    &REGISTERED_MODEL_NOT_FOUND,
    &REGISTERED_MODEL_EXISTS,
    &REGISTERED_MODEL_IN_SERVICE,
    &ALIAS_NOT_FOUND,
    &ALIAS_RESERVED,
    &NOTHING_TO_ROLL_BACK_TO,
    &HOLD_NOT_FOUND,
    &TOKEN_NOT_FOUND,
    &TOKEN_EXISTS,
    &DATASET_NOT_FOUND,
    &DATASET_EXISTS,
    &DATASET_IN_USE,
    &TEST_CASE_NOT_FOUND,
    &TEST_CASE_EXISTS,
    &ALERT_NOT_FOUND,
    &ALERT_IS_RESOLVED,
    &WEBHOOK_NOT_FOUND,
    &WEBHOOK_EXISTS,
    &FLAG_NOT_FOUND,
    &FLAG_EXISTS,
    &FLAG_IN_USE,
    &SEGMENT_NOT_FOUND,
    &SEGMENT_EXISTS,
    &SEGMENT_IN_USE,
    &FLAG_VERSION_NOT_FOUND,
    &LAYER_NOT_FOUND,
    &LAYER_EXISTS,
    &LAYER_IN_USE,
    &STORED_POLICY_NOT_FOUND,
    &POLICY_VERSION_NOT_FOUND,
    &POLICY_IN_USE,
    &ROUTE_NOT_FOUND,
    &ROUTE_EXISTS,
    &ROUTE_IN_EXPERIMENT,
    &EXPERIMENT_NOT_FOUND,
    &EXPERIMENT_EXISTS,
    &EXPERIMENT_IS_RUNNING,
    &EXPERIMENT_STATE,
    &EXPERIMENT_ARMS,
    &RUN_NOT_FOUND,
    &RUN_FINISHED,
    &BASELINE_NOT_FOUND,
    &NIGHT_NOT_FOUND,
    &NIGHTLY_RUNNING,
    &REVISION_MISMATCH,
    &BAD_REFERENCE,
    &TOO_MANY_CHANGES,
    &FORBIDDEN,
    NULL,
};
