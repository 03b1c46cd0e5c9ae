/* experiment_evidence: what the arms of running experiments measured since it was last taken.
 * Room: selection. Threads: [any]; short locks.
 *
 * A record counts for an arm when its decision was drawn by the experiment, since its start, and
 * the model that the arm was begun with truly served; fallbacks do not. It counts when it arrives:
 * nothing is late then, and what a slow arm sends last is not lost. Both arms are treated alike.
 * What a crash loses is what was not taken yet, of both arms alike (docs/decisions).
 *
 * Where several nodes share the store, what comes in here is told to all (facts.h), and what counts
 * is what comes from all. It stays until a look that has it is kept, at every node; so any of them
 * may take the next look, which goes on where that one ended. */
#ifndef PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_H
#define PADDOCK_SELECTION_EXPERIMENT_EVIDENCE_H

#include "selection/experiment_rules.h"
#include "selection/facts.h"
#include "selection/outcomes.h"

/* The control, and the treatments from ARM_TREATMENT on. */
enum experiment_arm_number { ARM_CONTROL, ARM_TREATMENT };
#define EVIDENCE_TREATMENTS 4
#define EVIDENCE_ARMS       (ARM_TREATMENT + EVIDENCE_TREATMENTS)

/* Whom to listen to. */
struct evidence_watch {
    uint64_t uid;       /* of the experiment's document */
    uint64_t route_uid; /* of the route's */
    size_t treatment_count;
    uint32_t arms[EVIDENCE_ARMS]; /* decision_mark() of their names */
    uint64_t models[EVIDENCE_ARMS];
    int64_t out_ms[EVIDENCE_ARMS]; /* since when one has no share any more; 0: it has */
    int64_t since_ms;
    size_t metric_count;
    char scores[EXPERIMENT_GUARDRAILS][OUTCOME_NAME_MAX + 1]; /* by metric; "": it is no score */
    uint64_t upto; /* facts up to this one have been looked at; 0: none, or nobody shares */
};

struct evidence_slot {
    uint64_t requests[EVIDENCE_ARMS], errors[EVIDENCE_ARMS];
    /* Over its requests and the control's, sum of its planned share in both together. */
    double planned[EVIDENCE_ARMS];
    struct sketch latency[EVIDENCE_ARMS];
    struct moments scores[EVIDENCE_ARMS][EXPERIMENT_GUARDRAILS];
    uint64_t score_count;
};
void evidence_slot_init(struct evidence_slot *s);
void evidence_slot_release(struct evidence_slot *s);

struct experiment_evidence;
/* Tell it to `facts` and hear it from there; NULL: this node is alone. */
struct experiment_evidence *evidence_new(struct facts *facts) __attribute__((returns_nonnull));
void evidence_free(struct experiment_evidence *e); /* NULL is allowed */

/* Begin to listen (anew), or end it. */
void evidence_watch(struct experiment_evidence *e, const struct evidence_watch *w);
void evidence_drop(struct experiment_evidence *e, uint64_t uid);
/* An arm has no share from `at_ms` on; what was collected stays. */
void evidence_take_out(struct experiment_evidence *e, uint64_t uid, size_t arm, int64_t at_ms);
/* What came since goes into `slot`, which is emptied first. Where facts are shared it also stays,
 * until evidence_looked(): the answer says up to which of them it is. */
uint64_t evidence_take(struct experiment_evidence *e, uint64_t uid, struct evidence_slot *slot);
/* Facts up to this one are in a look that is kept, or hold nothing of this experiment. */
void evidence_looked(struct experiment_evidence *e, uint64_t uid, uint64_t upto);

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
/* Scores of outcomes, where facts are not shared. */
struct outcome_follower evidence_follower(struct experiment_evidence *e);

#endif
