/* experiment: treatments beside a control on a route whose shares it owns while it runs. Room:
 * registry. Threads: immutable, [any].
 *
 * Several treatments each have the same part of the step's share. One that is worse is taken out:
 * its part is the control's from then on, and the others go on with theirs. The promotion of one
 * ends the experiment.
 *
 * The document says what is wanted and how far it is; what the arms measure is kept by
 * selection/experiments.h, which moves it on by experiment_report(). People move it by
 * experiment_start() and its like. Whoever it is, one command changes all that belongs together:
 * the experiment, its treatment's status and hold, the route's own weights. */
#ifndef PADDOCK_REGISTRY_EXPERIMENT_H
#define PADDOCK_REGISTRY_EXPERIMENT_H

#include "registry/documents.h"

#define EXPERIMENT_METRICS_MAX    8
#define EXPERIMENT_STEPS_MAX      16
#define EXPERIMENT_TREATMENTS_MAX 4
#define EXPERIMENT_DECISIONS_MAX  100 /* kept in the document; the journal has all */

struct experiment {
    struct document_head head; /* id is the key */
    const char *route, *control;
    const char *treatments;    /* JSON array of arms */
    const char *metrics;       /* JSON array of {"name","direction","margin_ratio"|"margin_abs"} */
    const char *steps_percent; /* JSON array of numbers */
    double alpha;
    int64_t step_min_seconds, max_seconds, min_samples, warmup_seconds;
    const char *on_inconclusive, *on_success, *on_regression;
    /* Where it is; the server's. */
    const char *state;
    const char *paused_by; /* as PAUSES in experiment.c; NULL */
    int64_t step, attempt; /* from 0; from 1, 0: never started */
    double share_percent;  /* of all treatments that it began with; NAN: it does not run */
    const char *taken_out; /* JSON array of {"arm","at","step","cause"}, the first one first */
    const char *winner;    /* the arm that was shown not to be worse, or was promoted; or NULL */
    bool ready;            /* the winner waits for the gate, or for a person */
    const char *models;    /* JSON object, arm to model id, as of its start; NULL: never started */
    int64_t started_at, step_started_at, finished_at;
    const char *sentence;  /* of the last decision */
    const char *evidence;  /* JSON object, of the last decision */
    const char *decisions; /* JSON array of {"at","action","cause","step","share_percent",
                              "sentence"}, newest last */
};

extern const struct field EXPERIMENT_FIELDS[];
extern const struct field EXPERIMENT_MOVE_FIELDS[]; /* body of start, pause, stop: a reason */
extern const struct field EXPERIMENT_END_FIELDS[];  /* of promote and rollback: and a treatment */

enum experiment_metric_kind { METRIC_ERRORS, METRIC_LATENCY, METRIC_SCORE };

struct experiment_metric {
    char name[80]; /* "latency_p95", "score:brier" */
    enum experiment_metric_kind kind;
    double quantile;
    bool higher_is_better;
    double margin;
};

struct experiment_treatment {
    char arm[129];
    char model[800];  /* "": never started */
    size_t out_order; /* which one that was taken out, from 1; 0: it is not */
    int64_t out_ms, out_step;
};

/* Its texts read: the document's `derived`. */
struct experiment_spec {
    struct experiment_metric metrics[EXPERIMENT_METRICS_MAX];
    size_t metric_count;
    double steps[EXPERIMENT_STEPS_MAX];
    size_t step_count;
    struct experiment_treatment treatments[EXPERIMENT_TREATMENTS_MAX];
    size_t treatment_count, out_count;
    char control_model[800]; /* "": never started */
};

static inline const struct experiment *experiment_of(const struct document *d)
{
    return d->fields;
}
static inline const struct experiment_spec *experiment_spec_of(const struct document *d)
{
    return d->derived;
}
/* Does it own its route's weights? */
bool experiment_runs(const struct experiment *x);
/* Each that does so, in `ns` (NULL: in all), until `fn` returns false; how many do in all. The cost
 * is theirs: what is written down, or has ended, is not looked at. */
void view_running(const struct view *v, const char *ns,
                  bool (*fn)(const struct entity *e, void *ctx), void *ctx);
size_t view_running_count(const struct view *v);
/* The one that does so on a route, or NULL. */
const struct document *view_experiment_on(const struct view *v, const char *ns, const char *route);
/* Was this model shown not to be worse than a control, by one that has won or only waits for the
 * gate? */
bool view_experiment_won(const struct view *v, const char *ns, const char *model_id);
/* The model that an arm of a stored route leads to now; NULL: none, or no such arm. */
const struct model *route_arm_model(const struct view *v, const struct document *route,
                                    const char *arm);

/* Is this command one that may change the route of a running experiment? */
bool experiment_moves(const struct command *c);

/* --- commands --- */

/* Of people; the body is EXPERIMENT_MOVE_FIELDS. Start also goes on after a pause. */
bool experiment_start(struct command *c, struct head *h, struct changes *out, struct err *e);
bool experiment_pause(struct command *c, struct head *h, struct changes *out, struct err *e);
bool experiment_stop(struct command *c, struct head *h, struct changes *out, struct err *e);
bool experiment_promote(struct command *c, struct head *h, struct changes *out, struct err *e);
bool experiment_roll_back(struct command *c, struct head *h, struct changes *out, struct err *e);

enum experiment_step {
    EXPERIMENT_GOES_ON, /* to the next step */
    EXPERIMENT_PAUSES,
    EXPERIMENT_RESUMES,
    EXPERIMENT_IS_READY,  /* to be promoted, but the gate refuses */
    EXPERIMENT_IS_BETTER, /* promote, propose or nothing, as it says */
    EXPERIMENT_IS_WORSE,  /* roll back, take out while there are others, or hold */
    EXPERIMENT_IS_OVER,   /* its time: inconclusive */
    EXPERIMENT_ENDS,      /* what was compared is gone */
};

/* c->args of experiment_report(), for the server: what was decided and why. c->if_match must be the
 * revision that the decision was about. */
struct experiment_news {
    enum experiment_step step;
    const char *treatment; /* the arm that is ready, better or worse */
    const char *cause, *paused_by, *sentence;
    const char *evidence; /* JSON object */
};
bool experiment_report(struct command *c, struct head *h, struct changes *out, struct err *e);

#endif
