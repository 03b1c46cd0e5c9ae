/* severity: how bad a regression is, by the team's own Lua policy. Room: extend.
 * Threads: one at a time per policy_set; never the engine, never a loop. */
#ifndef PADDOCK_EXTEND_SEVERITY_H
#define PADDOCK_EXTEND_SEVERITY_H

#include "base/err.h"
#include "extend/policy_set.h"
#include "registry/severity.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One measurement of a run beside its baseline: the table `r` of a policy, member by member.
 * Texts may be NULL and numbers NAN: the policy sees nil. */
struct severity_input {
    const char *model_id, *name, *version, *status, *baseline_model_id;
    const json_t *labels; /* of the model; object of texts, or NULL */
    const char *metric;   /* the measurement's name */
    const char *kind;     /* latency|error_rate|score|throughput|other */
    const char *unit;
    const char *better; /* higher|lower|target */
    const char *test;   /* test_id */
    bool critical;      /* the test case says that this measurement may not get worse */
    bool low_sample;    /* too few samples for a test of significance */
    bool incomparable;  /* the baseline was measured in another way */
    double baseline, candidate;
    double delta;         /* candidate - baseline; for `target` how much farther off it is */
    double delta_ratio;   /* delta / |baseline| */
    double margin;        /* how much worse is still accepted, in the measurement's unit */
    double confidence[2]; /* interval of delta; NAN: none */
    double p_value;       /* of "not worse" */
    uint64_t samples;
    const double *history; /* earlier values, oldest first */
    size_t history_len;
};

#define SEVERITY_REASON_MAX 256

struct severity_grade {
    enum severity level;
    bool failed;                      /* the policy failed: level is medium, reason says why */
    char reason[SEVERITY_REASON_MAX]; /* a sentence */
};

/* Grade `in` by the severity policy `name` as it serves in namespace `ns`. Never fails: a policy
 * that is missing, broken or returns nonsense means medium, and the reason says so. */
void severity_grade(struct policy_set *set, const char *ns, const char *name,
                    const struct severity_input *in, struct severity_grade *out);

/* For trying a policy: `input` is a JSON object with the members of `r`. False: it failed. */
bool severity_grade_json(struct policy *p, const json_t *input, int64_t now_ms,
                         struct severity_grade *out, struct err *e) MUST_CHECK;

#endif
