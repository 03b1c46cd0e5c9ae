/* experiment_evidence: what the arms of running experiments measured since it was last taken.
 * Room: selection. Threads: [any]; short locks.
 *
 * A record counts for an arm when its decision was drawn by the experiment, since its start, and
 * the model that the arm was begun with truly served; fallbacks do not. It counts when it arrives:
 * nothing is late then, and what a slow arm sends last is not lost. Both arms are treated alike.
 * What a crash loses is what was not taken yet, of both arms alike (docs/decisions). */
#ifndef PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_H
#define PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_H

#include "selection/experiment_rules.h"
#include "selection/outcomes.h"

enum experiment_arm_number { ARM_CONTROL, ARM_TREATMENT };

/* Whom to listen to. */
struct evidence_watch {
    uint64_t uid;       /* of the experiment's document */
    uint64_t route_uid; /* of the route's */
    uint32_t arms[2];   /* decision_mark() of their names */
    uint64_t models[2];
    int64_t since_ms;
    size_t metric_count;
    char scores[EXPERIMENT_GUARDRAILS][OUTCOME_NAME_MAX + 1]; /* by metric; "": it is no score */
};

struct evidence_slot {
    uint64_t requests[2], errors[2];
    double planned; /* sum over the requests of the treatment's planned share */
    struct sketch latency[2];
    struct moments scores[2][EXPERIMENT_GUARDRAILS];
    uint64_t score_count;
};
void evidence_slot_init(struct evidence_slot *s);
void evidence_slot_release(struct evidence_slot *s);

struct experiment_evidence;
struct experiment_evidence *evidence_new(void) __attribute__((returns_nonnull));
void evidence_free(struct experiment_evidence *e); /* NULL is allowed */

/* Begin to listen (anew), or end it. */
void evidence_watch(struct experiment_evidence *e, const struct evidence_watch *w);
void evidence_drop(struct experiment_evidence *e, uint64_t uid);
/* Swap what came since into `slot`, which is emptied first and goes on to collect. */
void evidence_take(struct experiment_evidence *e, uint64_t uid, struct evidence_slot *slot);

/* Does anybody listen? Without a lock: who would have to verify a signature asks first. */
bool evidence_wanted(const struct experiment_evidence *e);

/* A request that was decided so, as its inference record tells. */
struct evidence_request {
    struct decision_facts decision;
    double latency_ms;
    bool failure;
};
void evidence_request(struct experiment_evidence *e, const struct evidence_request *r);
void evidence_score(struct experiment_evidence *e, const struct decision_facts *decision,
                    const char *name, size_t len, double value);
/* Scores of outcomes. */
struct outcome_follower evidence_follower(struct experiment_evidence *e);

#endif
