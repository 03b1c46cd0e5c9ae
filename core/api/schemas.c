#include "api/schemas.h"

#include "api/flag_fields.h"
#include "api/policy_fields.h"
#include "api/outcome_fields.h"
#include "api/selection_fields.h"
#include "registry/alert.h"
#include "api/run_fields.h"
#include "registry/baseline.h"
#include "registry/dataset.h"
#include "registry/experiment.h"
#include "registry/flag.h"
#include "registry/layer.h"
#include "registry/model.h"
#include "registry/registered_model.h"
#include "registry/route.h"
#include "registry/segment.h"
#include "registry/stored_policy.h"
#include "registry/nightly_batch.h"
#include "registry/test_case.h"
#include "registry/validation_summary.h"
#include "validation/result.h"
#include "registry/token.h"
#include "registry/webhook.h"

#include <stddef.h>

#define ACTOR     "{kind:(token|anonymous|scheduler|experiment|server) id:s on_behalf_of:s?}"
#define CONDITION "{name:s status:(pass|fail|missing|stale|running|error) run_id:s? detail:s}"
#define BY        "{kind:(token|anonymous|scheduler|experiment|server) id:s}"
#define RECORD                                                                        \
    "latency_ms:n success~:b? error_type~:s? timestamp~:t? scores~:{*:n}? score~:n? " \
    "decision_id~:s?"

#define POLICY_PARAMS \
    "[{name:s type:s required~:b default~:any min~:n max~:n values~:[any] doc~:s}]"
#define POLICY                                                                             \
    "kind:(rollout|severity) name:s namespace:s? summary:s? origin:(file|stored) path:s? " \
    "version:i? sha256:s? "                                                                \
    "params:" POLICY_PARAMS " status:(active|stale|broken) loaded_at:t? last_error:s? "    \
    "last_error_at:t? calls:i errors:i p99_us:n?"

#define CHOICE                                                                                \
    "arm:s? model_id:s name:s version:s "                                                     \
    "status:(development|canary|stable|deprecated|retired) endpoint:s? "                      \
    "reason:(KILLED|EXPERIMENT|FLAG|STRATEGY|ONLY_CANDIDATE|FALLBACK|CIRCUIT_OPEN|DEGRADED) " \
    "variant:s? strategy:s? propensity:n? intended_model_id:s? fallback:b fallback_cause:s? " \
    "fallbacks:[s] shadows:[s] "                                                              \
    "candidates~:[{arm:s model_id:s? share_ratio:n? score:n? parts:{*:any}? cause:s?}]"
#define DECISION "decision_id:s route:s? seq:i " CHOICE " cached:b degraded:b expires_at:t"
#define OFREP_SUCCESS                                                                       \
    "key:s value:any variant:s reason:s "                                                   \
    "metadata:{flag_revision:i policy~:s policy_error~:b killed~:b model_id~:s version~:s " \
    "decision_id~:s}"
#define RESULT                                                                                \
    "{test_id:s test_revision:i name:s type:s plugin:{id:s? version:s? sha256:s?} "           \
    "config_sha256:s datasets:[{dataset_id:s sha256:s}] seed:i "                              \
    "status:(passed|failed|error|timeout|crashed|skipped) duration_ms:i message:s "           \
    "checks:[{name:s ok:b level:(fail|warn) detail:s}] "                                      \
    "measurements:[{name:s value:n unit:s better:(higher|lower|target)? target:n? samples:i " \
    "variance:n?}] log:s}"
#define REGRESSION                                                                            \
    "{test_id:s measurement:s baseline:n candidate:n delta:n delta_ratio:n? confidence:[n]? " \
    "p_value:n? severity:(none|low|medium|high) policy:s? reason:s?}"

const struct schema SCHEMAS[] = {
    {"Model", "One deployable version.", MODEL_FIELDS, NULL, NULL},
    {"ModelDetail", "A model, with what ?include= asked for.", MODEL_FIELDS,
     "{metrics~:@Metrics health~:@Health validation~:@ValidationSummary?}", NULL},
    {"ModelTransition", "A model after a change of status.", MODEL_FIELDS, "{superseded:[s]}",
     NULL},
    {"ModelList", NULL, NULL, NULL, "Model"},
    {"Gate", "What a promotion demands, and whether it is met.", NULL,
     "{allowed:b evidence:(complete|incomplete|none|forced) conditions:[" CONDITION "]}", NULL},
    {"RegisteredModel", "What the versions of a name share.", REGISTERED_MODEL_FIELDS, NULL, NULL},
    {"RegisteredModelDetail", "A registered model; with ?at= as it was then, and who served.",
     REGISTERED_MODEL_FIELDS, "{at~:t stables~:[s] canaries~:[s] held~:[s]}", NULL},
    {"RegisteredModelList", NULL, NULL, NULL, "RegisteredModel"},
    {"Alias", "A name for one version of a registered model.", NULL, "{alias:s model_id:s}", NULL},
    {"AliasList", NULL, NULL, NULL, "Alias"},
    {"Interval", "How long a version was stable, canary or held, and by whom. `to` null: still so.",
     NULL,
     "{model_id:s status:(canary|stable|held) from:t to:t? actor:" ACTOR
     " reason:s? ended_by:" ACTOR "?}",
     NULL},
    {"IntervalList", NULL, NULL, NULL, "Interval"},
    {"Rollback", "What a rollback did, or would do.", NULL,
     "{from:s? to:s experiments_stopped:[s] warnings:[s]}", NULL},
    {"Types", "What this server knows.", NULL,
     "{model_types:[s] statuses:[{status:s transitions:[s]}] actions:[s] "
     "grant_actions:[s] roles:[s] severities:[s] "
     "runtimes:[s] "
     "test_types:[{type:s summary:s version:s config_schema:{*:any}}] strategies:[s] policies:[s]}",
     NULL},

    {"InferenceRecord", "One inference of the model in the path.", NULL, "{model_id~:s " RECORD "}",
     NULL},
    {"NamedInferenceRecord", "One inference, with the model that made it.", NULL,
     "{model_id:s " RECORD "}", NULL},
    {"Accepted", "How many records are on disk now. `rejected` and `errors` with on_invalid=skip.",
     NULL, "{accepted:i rejected~:i errors~:[{field:s detail:s}] errors_total~:i}", NULL},
    {"Metrics", "Statistics are null where there is nothing to tell of.", NULL,
     "{model_id:s window:s? from:t to:t "
     "inferences:{total:i success:i failure:i success_rate_ratio:n?} errors:{*:i} clock_skewed:i "
     "mismatched:i "
     "latency_ms:{count:i min:n? max:n? mean:n? p50:n? p95:n? p99:n? quantiles:{*:n?} exact:b "
     "error_bound_ratio:n low_sample:b} "
     "scores:{*:{count:i mean:n min:n max:n variance:n?}} "
     "recent:{count:i capacity:i min:n? max:n? p50:n? p95:n? p99:n? scope:(node)} "
     "lifetime:{total:i success:i failure:i} resolution_ms~:i "
     "series~:[{start:t count:i failure:i p50:n? p95:n? p99:n?}]}",
     NULL},
    {"Health", "A model against its thresholds and its baseline.", NULL,
     "{model_id:s status:(healthy|degraded|unhealthy|unknown) checked_at:t? "
     "trend:(improving|steady|worsening|unknown) baseline_model_id:s? "
     "checks:[{name:(error_rate|latency_p95|latency_p99|traffic|validation) "
     "status:(pass|warn|fail|unknown) "
     "value:n? threshold:n? baseline:n? interval:[n]? window:s? detail:s}]}",
     NULL},

    {"Dataset", "Rows that tests run models on, by reference.", DATASET_FIELDS, NULL, NULL},
    {"DatasetList", NULL, NULL, NULL, "Dataset"},
    {"TestCase", "What is tested of the versions of a name, or of one model.", TEST_CASE_FIELDS,
     NULL, NULL},
    {"TestCaseList", NULL, NULL, NULL, "TestCase"},
    {"Alert", "Something that a person should look at.", ALERT_FIELDS, NULL, NULL},
    {"AlertList", NULL, NULL, NULL, "Alert"},
    {"Webhook", "Where journal entries are posted to.", WEBHOOK_FIELDS, NULL, NULL},
    {"WebhookList", NULL, NULL, NULL, "Webhook"},
    {"Delivery", "One event on its way to a webhook, or what became of it.", NULL,
     "{namespace:s delivery_id:s status:(pending|delivered|failed|dropped) seq:i type:s? subject:s "
     "attempts:i last_status:i? last_error:s? created_at:t last_attempt_at:t? next_attempt_at:t? "
     "finished_at:t?}",
     NULL},
    {"DeliveryList", NULL, NULL, NULL, "Delivery"},
    {"WebhookTest", "What came of a test. `status` null: there was no answer, see `error`.", NULL,
     "{event_id:s delivered:b status:i? error:s? duration_ms:i}", NULL},

    {"Policy", "A Lua policy. `stale`: the last good source serves, the present one is broken.",
     NULL, "{" POLICY "}", NULL},
    {"PolicyDetail", "A policy with its source. `used_by` names up to 100 of `used_by_total`.",
     NULL,
     "{" POLICY " revision:i? used_by:[{kind:(flag|registered_model) id:s}] used_by_total:i "
     "source:s?}",
     NULL},
    {"PolicyList", NULL, NULL, NULL, "Policy"},
    {"StoredPolicy", "Which stored version of a policy serves.", STORED_POLICY_FIELDS, NULL, NULL},
    {"PolicyVersion", "A stored version, and how it fares.", NULL,
     "{version:i serving:b sha256:s summary:s created_at:t created_by:" BY " reason:s? "
     "status:(active|stale|broken) last_error:s? calls:i errors:i p99_us:n?}",
     NULL},
    {"PolicyVersionList", NULL, NULL, NULL, "PolicyVersion"},
    {"PolicyCheck", "What became of a draft. `result` null: not asked, or it failed.", NULL,
     "{valid:b summary:s? params:" POLICY_PARAMS
     " result:{variant~:s reason~:s note~:s? steps~:i trace~:[any] level~:s}? error:s? line~:i?}",
     NULL},

    {"Token", "Who may ask, and for what.", TOKEN_FIELDS, NULL, NULL},
    {"TokenList", NULL, NULL, NULL, "Token"},
    {"TokenMade", "A fresh token. `token` is its secret: shown here and never again.", TOKEN_FIELDS,
     "{token:s}", NULL},
    {"Flag", "A question with a few answers, and who gets which.", FLAG_FIELDS, NULL, NULL},
    {"FlagList", NULL, NULL, NULL, "Flag"},
    {"FlagVersion", "What a flag was, and how it became so.", NULL,
     "{version:i at:t action:s actor:" ACTOR " reason:s? flag:{*:any}}", NULL},
    {"FlagVersionList", NULL, NULL, NULL, "FlagVersion"},
    {"Simulation", "A flag as it would be beside the flag as it is. `complete` false: time was up.",
     NULL,
     "{asked:i complete:b moved:i moved_ratio:n variants:[{variant:s today_ratio:n draft_ratio:n "
     "today:i draft:i}] errors:i unit_missing:i first_error:s? us_per_call:n?}",
     NULL},
    {"Layer", "Flags that share units without overlapping.", LAYER_FIELDS, NULL, NULL},
    {"LayerList", NULL, NULL, NULL, "Layer"},
    {"Segment", "A named set of units.", SEGMENT_FIELDS, NULL, NULL},
    {"SegmentList", NULL, NULL, NULL, "Segment"},
    {"Decision", "Which model serves, why, and who would in its place.", NULL, "{" DECISION "}",
     NULL},
    {"DecisionBatch", "In the order of the contexts; what concerns one alone stands in its place.",
     NULL, "{decisions:[{*:any}]}", NULL},
    {"DecisionFacts", "What a decision's id carries. Null: it is not there any more.", NULL,
     "{decision_id:s at:t route:s? arm:s? model_id:s intended_model_id:s? reason:s propensity:n? "
     "fallback:b shadows:[s]}",
     NULL},
    {"LoggedDecision", "A decision as its route logged it when it was made.", NULL,
     "{decision_id:s at:t unit:s route:s? arm:s? model_id:s name:s version:s reason:s variant:s? "
     "strategy:s? propensity:n? intended_model_id:s? fallback:b fallback_cause:s? degraded:b}",
     NULL},
    {"LoggedDecisionList", NULL, NULL, NULL, "LoggedDecision"},
    {"Explanation",
     "A selection made again from what the journal says of a time: who served, by which changes, "
     "and "
     "what no journal tells. `logged`: the last decision on the unit in the day before that the "
     "route "
     "logged.",
     NULL,
     "{route:s at:t seq:i unit:s? bucket~:i sentence:s decision:{" CHOICE "} "
     "because:[{seq:i at:t action:s entity:s entity_id:s actor:" ACTOR " reason:s?}] unknown:[s] "
     "logged:@LoggedDecision? flag:{key:s revision:i variant:s reason:s note:s? policy:s? error:s? "
     "trace:[{*:any}]}?}",
     NULL},
    {"OutcomesTaken",
     "What became of the scores: counted, known already, too late to be known, of "
     "no decision, of one that was made up.",
     NULL, "{accepted:i duplicate:i late:i unknown:i forged:i}", NULL},
    {"RouteOutcomes",
     "What came of a route's decisions, by arm, model and score (scope `all`: whichever node was "
     "told; else this one), and how the shadows do that this node named. `weighted_mean` weighs "
     "each outcome by one over its propensity, so that arms compare "
     "whatever their shares were. `silent`: there is an alert about it.",
     NULL,
     "{route:s scope:(node|all) outcomes:[{arm:s? model_id:s? shadow:b score:s count:i mean:n "
     "variance:n? weighted_mean:n? first_at:t last_at:t}] shadows:[{reference:s model_id:s? "
     "share_ratio:n named:i reported:i silent:b}]}",
     NULL},
    {"Route", "The traffic of one question, and which arms share it.", ROUTE_FIELDS, NULL, NULL},
    {"RouteList", NULL, NULL, NULL, "Route"},
    {"Experiment", "A treatment beside a control, and how far it is.", EXPERIMENT_FIELDS, NULL,
     NULL},
    {"ExperimentList", NULL, NULL, NULL, "Experiment"},
    {"ExperimentAnalysis",
     "What the arms of an experiment measured. `live` false: it does not run, the numbers are "
     "those "
     "of its last decision.",
     NULL, "{experiment:@Experiment live:b evidence:{*:any}?}", NULL},
    {"RouteChange",
     "The route. With ?dry_run=true only `route`, `allocation`, and who would move: `moved_ratio` "
     "of all units, null where `unforeseen` says why it cannot be told.",
     NULL,
     "{route:s allocation:[{from:i to:i arm:s}] moved_ratio~:n? unforeseen~:s? "
     "models~:[{model_id:s? before_ratio:n after_ratio:n}] namespace~:s match~:{*:any} "
     "arms~:{*:s}? flag~:s? strategy~:s? params~:{*:any} unit~:s on_missing_unit~:(stable|error) "
     "fallback~:[s] shadows~:[{model_id:s share_ratio:n}] ttl_ms~:i "
     "decision_log~:(off|exposures|all) killed~:b salt~:s? hash_version~:i created_at~:t "
     "updated_at~:t revision~:i}",
     NULL},
    {"Evaluation", "What a flag gives, and why.", NULL,
     "{key:s value:any variant:s "
     "reason:(STATIC|TARGETING_MATCH|SPLIT|DEFAULT|DISABLED|KILLED|ERROR) "
     "error_code:s? error:s? metadata:{flag_revision:i policy~:s note~:s policy_error~:b} "
     "trace~:[{call:s args:[any] result:any place~:i line:i}]}",
     NULL},
    {"OfrepRequest", "As OFREP 0.3 has it. Other members are let pass.", NULL,
     "{context~:{*:any}?}", NULL},
    {"OfrepEvaluation", "As OFREP 0.3 has it.", NULL, "{" OFREP_SUCCESS "}", NULL},
    {"OfrepFailure", "As OFREP 0.3 has it.", NULL, "{key~:s errorCode:s errorDetails:s}", NULL},
    {"OfrepBulk", "As OFREP 0.3 has it.", NULL,
     "{flags:[{key:s value~:any variant~:s reason~:s metadata~:{*:any} errorCode~:s "
     "errorDetails~:s}] eventStreams:[{type:(sse) endpoint:{requestUri:s}}]}",
     NULL},

    {"Run", "One validation run of a model. `baseline`: what it was compared with.", RUN_FIELDS,
     "{namespace:s baseline:{run_id:s model_id:s}? "
     "attempts:[{node:s started_at:t ended_at:t? end:(done|node_lost)?}] "
     "results:[" RESULT "] regressions:[" REGRESSION "]}",
     NULL},
    {"RunList", NULL, NULL, NULL, "Run"},
    {"ValidationSummary", "What the runs of a model say of it.", VALIDATION_SUMMARY_FIELDS, NULL,
     NULL},
    {"MeasurementPoint", "One measurement of one run.", NULL,
     "{at:t run_id:s model_id:s version:s trigger:(manual|nightly|promotion) "
     "status:(passed|failed|error|timeout|crashed|skipped) value:n unit:s "
     "better:(higher|lower|target)? samples:i variance:n?}",
     NULL},
    {"MeasurementPointList", NULL, NULL, NULL, "MeasurementPoint"},
    {"RegressionReport", "What the owner of a model should know and do.", NULL,
     "{model_id:s run_id:s? baseline:{run_id:s model_id:s}? severity:(none|low|medium|high) "
     "summary:s regressions:[" REGRESSION "] "
     "trends:[{test_id:s measurement:s slope_per_day:n p_value:n points:i}] "
     "change_points:[{test_id:s measurement:s at:t before:n after:n}] "
     "alarm:{alert_id:s severity:(none|low|medium|high) first_at:t last_at:t summary:s}?}",
     NULL},
    {"Baseline", "A pinned baseline.", BASELINE_FIELDS, NULL, NULL},
    {"NightlyStarted", "A night has begun.", NULL, "{batch_id:s queued:i}", NULL},
    {"Night", "One night; its runs are counted when it is done.", NIGHTLY_BATCH_FIELDS, NULL, NULL},
    {"NightlyBatch", "One night with a page of its runs.", NIGHTLY_BATCH_FIELDS,
     "{items:[@Run] total:i next_cursor:s?}", NULL},
    {"Nightly", "The nights of a namespace.", NULL,
     "{hour_utc:i next_at:t? "
     "running:{batch_id:s total:i done:i under_way:i left:i passed:i failed:i error:i cancelled:i "
     "started_at:t estimated_end_at:t?}? last:@Night?}",
     NULL},

    {"AuditEntry", "One change. `hash` is the SHA-256 of the entry's text without it.", NULL,
     "{seq:i at:t namespace:s actor:" ACTOR
     " request_id:s? action:s entity:s entity_id:s before:{*:any}? "
     "after:{*:any}? reason:s? evidence:any prev_hash:s hash:s}",
     NULL},
    {"AuditEntryList", NULL, NULL, NULL, "AuditEntry"},

    {"Plugin",
     "A file found in a directory of plugins. What is not known of one that is out is null.", NULL,
     "{kind:(test|strategy|runtime)? id:s? version:s? summary:s? config_schema:{*:any}? file:s "
     "sha256:s? bundled:b state:(loaded|out) why:s? calls:i failures:i "
     "routes:{waiting:i fresh:i stale:i silent:i error:s? outcomes_lost:i}?}",
     NULL},
    {"PluginList", NULL, NULL, NULL, "Plugin"},

    {"Config", "Each setting with its value and where it came from.", NULL,
     "{settings:{*:{value:any source:(default|file|environment|flag)}}}", NULL},
    {"Node",
     "One server, or a worker, which only carries out validation runs. lag: changes that it did "
     "not have yet when its heart beat; decides: begins nights, judges, delivers; running: the "
     "runs "
     "that it carries out; declined: runs that it has left to others lately, and what it lacks.",
     NULL,
     "{node_id:s version:s address:s? started_at:t heartbeat_at:t seq:i lag:i epoch:i host:s "
     "alive:b self:b decides:b role:(node|worker) running:[s] "
     "declined:[{run_id:s reason:s at:t}]}",
     NULL},
    {"NodeList", NULL, NULL, NULL, "Node"},
    {"State", NULL, NULL, "{status:s}", NULL},
    {"Version", NULL, NULL, "{name:s version:s started_at:t}", NULL},
    {"OpenApi", NULL, NULL, "{*:any}", NULL},
    {"Root", NULL, NULL, "{*:s}", NULL},
    {"ProblemKind", "A kind of problem.", NULL, "{type:s title:s status:i code:s doc:s}", NULL},
    {"ProblemKindList", NULL, NULL, NULL, "ProblemKind"},
    {"Problem", "RFC 9457. What stands in the way of a change is told in further members.", NULL,
     "{type:s title:s status:i code:s detail:s instance~:s request_id:s "
     "errors~:[{field:s detail:s}] errors_total~:i from~:s to~:s legal~:[s] gate~:@Gate "
     "fields~:[s] in_service~:[s] in_use~:[s] model_status~:s held~:b run_id~:s batch_id~:s}",
     NULL},
    {.name = NULL},
};

const struct member_shape MEMBER_SHAPES[] = {
    {MODEL_FIELDS, "labels", "{*:s}"},
    {MODEL_FIELDS, "training_metrics", "{*:n}"},
    {MODEL_FIELDS, "runtime",
     "{kind:(openinference|exec|xgboost) url~:s model_name~:s model_version~:s? command~:[s] "
     "path~:s secret~:s?}"},
    {MODEL_FIELDS, "hold", "{reason:s at:t by:" BY "}"},
    {MODEL_FIELDS, "created_by", BY},
    {MODEL_FIELDS, "promotion",
     "{to:(canary|stable) at:t evidence:(complete|incomplete|none|forced) forced:b actor:" BY "}"},
    {TOKEN_FIELDS, "grants", "[{namespace:s names~:[s]? actions~:[s]?}]"},
    {REGISTERED_MODEL_FIELDS, "labels", "{*:s}"},
    {TEST_CASE_FIELDS, "labels", "{*:s}"},
    {FLAG_FIELDS, "labels", "{*:s}"},
    {FLAG_FIELDS, "variants", "{*:any}"},
    {FLAG_FIELDS, "allocation", "[{from:i to:i variant:s}]"},
    {FLAG_FIELDS, "prerequisites", "[{flag:s variants:[s]}]"},
    {SEGMENT_FIELDS, "units", "[s]"},
    {LAYER_FIELDS, "ranges", "[{flag:s from:i to:i}]"},
    {LAYER_FIELDS, "holdout", "{from:i to:i}?"},
    {SIMULATION_FIELDS, "contexts", "[{*:any}]"},
    {SIMULATION_FIELDS, "draft", "{*:any}?"},
    {OUTCOME_FIELDS, "scores", "{*:n}"},
    {SELECTION_FIELDS, "labels", "{*:s}"},
    {SELECTION_FIELDS, "context", "{*:any}"},
    {SELECTION_BATCH_FIELDS, "labels", "{*:s}"},
    {SELECTION_BATCH_FIELDS, "contexts", "[{*:any}]"},
    {ROUTE_FIELDS, "match", "{model_name~:s sport~:s type~:s labels~:{*:s}}"},
    {ROUTE_FIELDS, "arms", "{*:s}"},
    {ROUTE_FIELDS, "shadows", "[{model_id:s share_ratio:n}]"},
    {ROUTE_FIELDS, "allocation", "[{from:i to:i arm:s}]"},
    {EXPERIMENT_FIELDS, "metrics",
     "[{name:s direction~:(lower|higher) margin_ratio~:n margin_abs~:n}]"},
    {EXPERIMENT_FIELDS, "steps_percent", "[n]"},
    {EXPERIMENT_FIELDS, "models", "{*:s}"},
    {EXPERIMENT_FIELDS, "taken_out", "[{arm:s at:t step:i cause:s}]"},
    {EXPERIMENT_FIELDS, "evidence", "{*:any}"},
    {EXPERIMENT_FIELDS, "decisions",
     "[{at:t action:s cause:s? step:i share_percent:n? sentence:s?}]"},
    {RUN_FIELDS, "labels", "{*:s}"},
    {RUN_BODY_FIELDS, "labels", "{*:s}"},
    {REGISTERED_MODEL_FIELDS, "aliases", "{*:s}"},
    {.table = NULL},
};

const struct body_name BODY_NAMES[] = {
    {MODEL_FIELDS, "Model"},
    {EXPLAIN_FIELDS, "Explain"},
    {STATUS_FIELDS, "Status"},
    {HOLD_FIELDS, "Hold"},
    {REGISTERED_MODEL_FIELDS, "RegisteredModel"},
    {ALIAS_FIELDS, "Alias"},
    {ROLLBACK_FIELDS, "Rollback"},
    {DATASET_FIELDS, "Dataset"},
    {TEST_CASE_FIELDS, "TestCase"},
    {RUN_BODY_FIELDS, "Run"},
    {BASELINE_FIELDS, "Baseline"},
    {POLICY_DRAFT_FIELDS, "PolicyDraft"},
    {DOCUMENT_ROLLBACK_FIELDS, "VersionRollback"},
    {TOKEN_FIELDS, "Token"},
    {ACKNOWLEDGE_FIELDS, "Acknowledge"},
    {WEBHOOK_FIELDS, "Webhook"},
    {FLAG_FIELDS, "Flag"},
    {SEGMENT_FIELDS, "Segment"},
    {LAYER_FIELDS, "Layer"},
    {SIMULATION_FIELDS, "SimulationRequest"},
    {ROUTE_FIELDS, "Route"},
    {EXPERIMENT_FIELDS, "Experiment"},
    {EXPERIMENT_MOVE_FIELDS, "ExperimentMove"},
    {EXPERIMENT_END_FIELDS, "ExperimentEnd"},
    {OUTCOME_FIELDS, "Outcome"},
    {SELECTION_FIELDS, "Selection"},
    {SELECTION_BATCH_FIELDS, "SelectionBatch"},
    {EVALUATION_FIELDS, "EvaluationRequest"},
    {.table = NULL},
};

const struct tag_doc TAG_DOCS[] = {
    {"Registry", "Models, each one deployable version, and where they stand in their lifecycle."},
    {"Registered models",
     "What the versions of a name share: aliases, objectives, gate, rollback, history."},
    {"Inference", "What models did: records in, counts, percentiles, scores and health out."},
    {"Validation", "What models are tested with."},
    {"Flags", "Who gets which variant, for services and for OpenFeature."},
    {"Selection", "Which model serves whom, and what came of it."},
    {"Experiments", "A treatment beside a control: promoted or rolled back by evidence."},
    {"Policies", "Lua: who gets what, how bad a regression is."},
    {"Alerts", "What a person should look at, and who is told."},
    {"Audit", "Every change, who made it and why, in a chain of hashes; to read or to follow."},
    {"Tokens", "Who may do what, and where."},
    {"Plugins", "Tests, strategies and runtimes that people wrote in C."},
    {"Server", "The server itself."},
    {.tag = NULL},
};
