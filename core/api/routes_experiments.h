/* routes_experiments: the rows of experiments in the table of routes.c, whose macros they use.
 * Room: api, for routes.c alone. */
#ifndef PADDOCK_API_ROUTES_EXPERIMENTS_H
#define PADDOCK_API_ROUTES_EXPERIMENTS_H

#include "registry/experiment.h"

#define TRIAL    BASE "/experiments/{key}"
#define NO_TRIAL ";404 EXPERIMENT_NOT_FOUND"
#define TRIAL_MOVE                                                                \
    .action = "experiment.write", KEYED_OPTIONAL, .body = EXPERIMENT_MOVE_FIELDS, \
    DOCUMENTS(EXPERIMENT_TYPE)

#define TRIAL_END                                                                \
    .action = "experiment.write", KEYED_OPTIONAL, .body = EXPERIMENT_END_FIELDS, \
    DOCUMENTS(EXPERIMENT_TYPE)

#define EXPERIMENT_ROUTES                                                                          \
    {OP(GET, BASE "/experiments", "experiments_list", document_list), READ,                        \
     .query = EXPERIMENTS_PARAMETERS, DOCUMENTS(EXPERIMENT_TYPE),                                  \
     TELLS("Experiments", "List experiments.", "200 ExperimentList")},                             \
        {OP(POST, BASE "/experiments", "experiment_create", document_post),                        \
         .action = "experiment.write",                                                             \
         KEYED,                                                                                    \
         .body = EXPERIMENT_FIELDS,                                                                \
         DOCUMENTS(EXPERIMENT_TYPE),                                                               \
         TELLS("Experiments", "Write down an experiment, which does not begin by that.",           \
               "201 Experiment;400 READ_ONLY_FIELD,INVALID_REFERENCE;409 EXPERIMENT_EXISTS")},     \
        KEPT(TRIAL, "experiment", EXPERIMENT, "Experiment", "an experiment", "Experiments",        \
             "experiment.write", ",INVALID_REFERENCE;409 EXPERIMENT_RUNNING"),                     \
        {OP(DELETE, TRIAL, "experiment_delete", document_remove), .action = "experiment.write",    \
         NOTHING, DOCUMENTS(EXPERIMENT_TYPE),                                                      \
         TELLS("Experiments", "Delete an experiment that does not run.",                           \
               "204" NO_TRIAL ";409 EXPERIMENT_RUNNING" STALE)},                                   \
        {OP(GET, TRIAL "/analysis", "experiment_analysis", experiment_analysis_get), READ,         \
         .query = READ_PARAMETERS, DOCUMENTS(EXPERIMENT_TYPE),                                     \
         TELLS("Experiments",                                                                      \
               "The numbers of each metric, as of the last look, and the decisions.",              \
               "200 ExperimentAnalysis;404 EXPERIMENT_NOT_FOUND")},                                \
        {OP(POST, TRIAL "/start", "experiment_start", experiment_start_post), TRIAL_MOVE,          \
         TELLS("Experiments", "Begin, or go on after a pause.",                                    \
               "200 Experiment" NO_TRIAL ";409 ROUTE_IN_EXPERIMENT,EXPERIMENT_ARMS" STALE)},       \
        {OP(POST, TRIAL "/pause", "experiment_pause", experiment_pause_post), TRIAL_MOVE,          \
         TELLS("Experiments", "Stay where it is; guardrails stay active.",                         \
               "200 Experiment" NO_TRIAL ";409 EXPERIMENT_STATE" STALE)},                          \
        {OP(POST, TRIAL "/stop", "experiment_stop", experiment_stop_post), TRIAL_MOVE,             \
         TELLS("Experiments", "End it and give the weights back to the route.",                    \
               "200 Experiment" NO_TRIAL ";409 EXPERIMENT_STATE" STALE)},                          \
        {OP(POST, TRIAL "/rollback", "experiment_rollback", experiment_rollback_post), TRIAL_END,  \
         TELLS("Experiments",                                                                      \
               "Give the control everything, or what one treatment has; put it back and hold it.", \
               "200 Experiment" NO_TRIAL ";409 EXPERIMENT_STATE" STALE)},                          \
    {                                                                                              \
        OP(POST, TRIAL "/promote", "experiment_promote", experiment_promote_post), TRIAL_END,      \
            TELLS("Experiments", "Make a treatment stable, by the gate.",                          \
                  "200 Experiment" NO_TRIAL                                                        \
                  ";409 EXPERIMENT_STATE,ILLEGAL_TRANSITION,PROMOTION_BLOCKED,"                    \
                  "VALIDATION_PENDING,MODEL_HELD,TOO_MANY_CHANGES" STALE)                          \
    }

#endif
