/* handlers: every operation of routes.c, by the file that implements it. Room: api. Threads:
 * [loop]. Each replies, defers, or opens a stream, as http/request.h demands. */
#ifndef PADDOCK_API_HANDLERS_H
#define PADDOCK_API_HANDLERS_H

struct request;

/* models.c */
void models_list(struct request *rq);
void model_get(struct request *rq);
void model_post(struct request *rq);
void model_put(struct request *rq);
void model_change(struct request *rq);
void model_remove(struct request *rq);
void model_status_post(struct request *rq);
void model_gate_get(struct request *rq);
void model_hold_post(struct request *rq);
void model_hold_delete(struct request *rq);

/* registered_models.c */
void registered_models_list(struct request *rq);
void registered_model_get(struct request *rq);
void registered_model_post(struct request *rq);
void registered_model_change(struct request *rq);
void registered_model_remove(struct request *rq);
void registered_model_rollback(struct request *rq);
void aliases_list(struct request *rq);
void alias_get(struct request *rq);
void alias_set(struct request *rq);
void alias_remove(struct request *rq);

/* timeline.c */
void timeline_get(struct request *rq);

/* inference.c */
void inference_of_model_post(struct request *rq);
void inference_post(struct request *rq);

/* metrics.c, health.c */
void metrics_get(struct request *rq);
void health_get(struct request *rq);

/* audit.c, events.c */
void model_audit_get(struct request *rq);
void audit_get(struct request *rq);
void events_get(struct request *rq);

/* tokens.c; the rest of them is documents.c */
void token_post(struct request *rq);
void token_put(struct request *rq);

/* validation_runs.c, validation_reports.c, validation_nights.c, validation_baselines.c */
void validation_run_post(struct request *rq);
void validation_run_get(struct request *rq);
void validation_run_cancel(struct request *rq);
void validation_history_get(struct request *rq);
void validation_measurements_get(struct request *rq);
void validation_report_get(struct request *rq);
void validation_nightly_post(struct request *rq);
void validation_nightly_get(struct request *rq);
void validation_batch_get(struct request *rq);
void validation_baseline_get(struct request *rq);
void validation_baseline_put(struct request *rq);
void validation_baseline_delete(struct request *rq);

/* types.c */
void types_get(struct request *rq);

/* deliveries.c; the rest of webhooks is documents.c */
void deliveries_list(struct request *rq);
void webhook_test_post(struct request *rq);

/* flag_versions.c, flag_simulate.c */
void flag_versions(struct request *rq);
void flag_rollback_post(struct request *rq);
void flag_simulate(struct request *rq);
/* policies.c, policy_drafts.c, policy_changes.c */
void policies_list(struct request *rq);
void policy_get(struct request *rq);
void policy_versions(struct request *rq);
void policy_check(struct request *rq);
void policy_put(struct request *rq);
void policy_remove(struct request *rq);
void policy_rollback_post(struct request *rq);

/* plugins.c */
void plugins_list(struct request *rq);
void plugins_reload(struct request *rq);

/* route_outcomes.c */
void route_outcomes_get(struct request *rq);
/* outcomes.c */
void outcomes_post(struct request *rq);
void experiment_analysis_get(struct request *rq);
/* selection.c */
void selection_post(struct request *rq);
void selection_batch_post(struct request *rq);
/* decisions.c */
void decision_get(struct request *rq);
void decisions_list(struct request *rq);
/* decision_explain.c */
void selection_explain_post(struct request *rq);
/* routes_list.c */
void routes_list(struct request *rq);
void route_change(struct request *rq);
/* flags.c, ofrep.c, ofrep_events.c */
void flag_evaluate(struct request *rq);
void ofrep_evaluate(struct request *rq);
void ofrep_bulk(struct request *rq);
void ofrep_events(struct request *rq);
extern const struct failure_shape OFREP_FAILURE; /* of all that fails on their paths */

/* service.c */
void config_get(struct request *rq);
void nodes_list(struct request *rq);
void healthz_get(struct request *rq);
void readyz_get(struct request *rq);
void version_get(struct request *rq);
void root_get(struct request *rq);

/* exposition.c, openapi.c, problems.c */
void exposition_get(struct request *rq);
void openapi_get(struct request *rq);
void problems_list(struct request *rq);
void problem_get(struct request *rq);

#endif
