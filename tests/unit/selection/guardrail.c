/* Error rates over whole experiments: tests/bench/experiments.c. */
#include "selection/guardrail.h"

#include "support/random.h"
#include "support/unit.h"

#include <math.h>
#include <string.h>

static const double WORSE_LIMIT = 4.382026634673881, FINE_LIMIT = 2.995732273553991; /* ln 80, 20 */

static struct guardrail made(enum guardrail_kind kind, double margin)
{
    const struct guardrail_plan plan = {
        .name = "metric", .kind = kind, .quantile = 0.95, .margin = margin, .error_floor = 0.001};
    struct guardrail g;
    guardrail_init(&g, &plan, 0.05, 1000);
    return g;
}

static struct guardrail_report after(struct guardrail *g, int looks, struct pair_counts counts)
{
    const struct guardrail_look look = {.counts = counts};
    for (int i = 0; i < looks; i++)
        guardrail_add(g, &look);
    return guardrail_judge(g, WORSE_LIMIT, FINE_LIMIT);
}

static void without_data_it_is_silent(void **state)
{
    (void)state;
    for (int kind = GUARDRAIL_ERRORS; kind <= GUARDRAIL_SCORE; kind++) {
        struct guardrail g = made((enum guardrail_kind)kind, 0.1);
        struct guardrail_report r = guardrail_judge(&g, WORSE_LIMIT, FINE_LIMIT);
        assert_int_equal(r.state, GUARDRAIL_SILENT);
        assert_true(isnan(r.effect) && isnan(r.treatment_value) && r.samples_needed == 0);
        if (kind != GUARDRAIL_SCORE) /* one arm alone is no data either */
            assert_int_equal(after(&g, 50, (struct pair_counts){100, 50, 0, 0}).state,
                             GUARDRAIL_SILENT);
        const struct interval all = guardrail_interval(&g, 0.95);
        assert_true(all.hi == INFINITY && all.lo <= 0);
        guardrail_release(&g);
    }
}

static void errors_are_worse_undecided_or_fine(void **state)
{
    (void)state;
    struct guardrail worse = made(GUARDRAIL_ERRORS, 0.5);
    struct guardrail_report r = after(&worse, 40, (struct pair_counts){100, 4, 900, 9});
    assert_int_equal(r.state, GUARDRAIL_WORSE);
    assert_true(fabs(r.effect - 4) < 1e-9 && r.dispersion == 1);
    assert_true(fabs(r.treatment_value - 0.04) < 1e-12 && fabs(r.control_value - 0.01) < 1e-12);
    const struct interval i = guardrail_interval(&worse, 0.95);
    assert_true(i.lo > 1.5 && i.lo < 4 && i.hi > 4);
    guardrail_release(&worse);

    struct guardrail equal = made(GUARDRAIL_ERRORS, 0.5);
    r = after(&equal, 40, (struct pair_counts){100, 1, 900, 9});
    assert_int_equal(r.state, GUARDRAIL_UNDECIDED);
    assert_true(r.samples_needed > 0);
    r = after(&equal, (int)(r.samples_needed / 100) + 40, (struct pair_counts){100, 1, 900, 9});
    assert_int_equal(r.state, GUARDRAIL_FINE);
    assert_int_equal(r.samples_needed, 0);
    guardrail_release(&equal);
}

/* Shown to be worse, but by less than what matters: no reason to act. */
static void less_than_the_margin_is_no_harm(void **state)
{
    (void)state;
    struct guardrail g = made(GUARDRAIL_ERRORS, 0.5);
    const struct guardrail_report r = after(&g, 1000, (struct pair_counts){1000, 13, 9000, 90});
    assert_true(r.log_worse >= WORSE_LIMIT && r.effect > 1.29 && r.effect < 1.31);
    assert_int_equal(r.state, GUARDRAIL_FINE);
    guardrail_release(&g);
}

static void before_dispersion_is_known_only_the_floor_speaks(void **state)
{
    (void)state;
    struct guardrail g = made(GUARDRAIL_ERRORS, 0.5);
    struct guardrail_report r = after(&g, 9, (struct pair_counts){100, 30, 900, 9});
    assert_true(isnan(r.dispersion) && r.log_worse == 0 && r.log_worse_plain > 100);
    assert_int_equal(r.state, GUARDRAIL_UNDECIDED);
    guardrail_release(&g);
    /* Nothing that never errs could be shown by ratios. */
    struct guardrail never = made(GUARDRAIL_ERRORS, 0.5);
    r = after(&never, 50, (struct pair_counts){100, 0, 900, 0});
    assert_true(fabs(r.log_fine - 3.361023902690151) < 1e-10); /* the formula, in Python */
    assert_int_equal(r.state, GUARDRAIL_FINE);
    guardrail_release(&never);
    struct guardrail rare = made(GUARDRAIL_ERRORS, 0.5);
    r = after(&rare, 1, (struct pair_counts){8000, 2, 8000, 0});
    assert_true(fabs(r.log_fine - 1.833397470822016) < 1e-10);
    assert_true(r.effect == INFINITY);
    guardrail_release(&rare);
}

static void two_hits_never_act(void **state)
{
    (void)state;
    struct guardrail g = made(GUARDRAIL_ERRORS, 0.5);
    after(&g, 10, (struct pair_counts){1, 0, 100000, 1});
    after(&g, 2, (struct pair_counts){1, 1, 100000, 0});
    const struct guardrail_report r = guardrail_judge(&g, 1, FINE_LIMIT);
    assert_true(r.log_worse >= 1 && r.treatment_hits == 2);
    assert_int_equal(r.state, GUARDRAIL_SUSPECT);
    guardrail_release(&g);
}

static void fill(struct sketch *s, uint64_t *seed, int n, double factor)
{
    sketch_clear(s);
    for (int i = 0; i < n; i++)
        sketch_add(s, factor * random_latency(seed));
}

static void latency_is_counted_once_the_control_is_known(void **state)
{
    (void)state;
    struct guardrail g = made(GUARDRAIL_LATENCY, 0.1);
    struct sketch control, treatment;
    struct pair_counts counts;
    uint64_t seed = 5;
    sketch_init(&control, 7);
    sketch_init(&treatment, 7);
    fill(&control, &seed, 999, 1);
    fill(&treatment, &seed, 100, 1);
    guardrail_count(&g, &treatment, &control, &counts);
    assert_true(!g.frozen && counts.candidate == 0 && counts.baseline == 0);
    fill(&control, &seed, 2, 1);
    guardrail_count(&g, &treatment, &control, &counts);
    assert_true(g.frozen && counts.candidate == 0); /* what set the threshold is no evidence */
    const double edge = grid_upper_edge(g.threshold, 7);
    assert_true(edge > 47 && edge < 61); /* p95 is 53.7 ms */

    fill(&control, &seed, 900, 1);
    guardrail_count(&g, &treatment, &control, &counts);
    assert_int_equal(counts.candidate, 100);
    assert_int_equal(counts.baseline, 900);
    guardrail_count(&g, NULL, &control, &counts);
    assert_true(counts.candidate == 0 && counts.baseline == 0);
    guardrail_count(&g, &treatment, NULL, &counts);
    assert_true(counts.candidate == 0 && counts.baseline == 0);

    for (int i = 0; i < 60; i++) {
        fill(&control, &seed, 900, 1);
        fill(&treatment, &seed, 100, 1.5);
        guardrail_count(&g, &treatment, &control, &counts);
        guardrail_add(&g, &(struct guardrail_look){.counts = counts});
    }
    const struct guardrail_report r = guardrail_judge(&g, WORSE_LIMIT, FINE_LIMIT);
    assert_int_equal(r.state, GUARDRAIL_WORSE);
    assert_true(r.threshold_ms == edge);
    sketch_release(&control);
    sketch_release(&treatment);
    guardrail_release(&g);
}

static struct guardrail_report scores(bool higher_is_better, double treatment, double control)
{
    const struct guardrail_plan plan = {.name = "score:x",
                                        .kind = GUARDRAIL_SCORE,
                                        .higher_is_better = higher_is_better,
                                        .margin = 0.02};
    struct guardrail g;
    guardrail_init(&g, &plan, 0.05, 1000);
    for (int i = 0; i < 200; i++)
        guardrail_add(&g, &(struct guardrail_look){.treatment = {100, treatment, 0, 1, 99 * 0.09},
                                                   .control = {900, control, 0, 1, 899 * 0.09}});
    const struct guardrail_report r = guardrail_judge(&g, WORSE_LIMIT, FINE_LIMIT);
    const struct interval i = guardrail_interval(&g, 0.95);
    assert_true(i.lo < treatment - control && treatment - control < i.hi);
    guardrail_release(&g);
    return r;
}

static void scores_know_which_way_is_worse(void **state)
{
    (void)state;
    assert_int_equal(scores(true, 0.86, 0.9).state, GUARDRAIL_WORSE);
    assert_int_equal(scores(true, 0.94, 0.9).state, GUARDRAIL_FINE);
    assert_int_equal(scores(false, 0.94, 0.9).state, GUARDRAIL_WORSE);
    assert_int_equal(scores(false, 0.86, 0.9).state, GUARDRAIL_FINE);
    assert_int_equal(scores(false, 0.9, 0.9).state, GUARDRAIL_FINE);
    /* At the margin: neither fine nor beyond it. */
    assert_int_equal(scores(false, 0.9199, 0.9).state, GUARDRAIL_SUSPECT);
    const struct guardrail_report r = scores(true, 0.86, 0.9);
    assert_true(fabs(r.effect + 0.04) < 1e-9 && fabs(r.treatment_value - 0.86) < 1e-9);
    assert_int_equal(r.treatment, 20000);
}

/* A month of looks: neighbours are joined, nothing is lost. */
static void many_looks_are_joined(void **state)
{
    (void)state;
    struct guardrail g = made(GUARDRAIL_ERRORS, 0.5);
    const int looks = 2 * GUARDRAIL_BATCHES + 100;
    after(&g, looks, (struct pair_counts){10, 1, 90, 3});
    assert_true(g.batch_count <= GUARDRAIL_BATCHES);
    struct pair_counts sum = {0};
    for (size_t i = 0; i < g.batch_count; i++) {
        sum.candidate += g.batches[i].candidate;
        sum.baseline_hits += g.batches[i].baseline_hits;
    }
    assert_int_equal(sum.candidate, 10 * looks);
    assert_int_equal(sum.baseline_hits, 3 * looks);
    guardrail_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_data_it_is_silent),
        cmocka_unit_test(errors_are_worse_undecided_or_fine),
        cmocka_unit_test(less_than_the_margin_is_no_harm),
        cmocka_unit_test(before_dispersion_is_known_only_the_floor_speaks),
        cmocka_unit_test(two_hits_never_act),
        cmocka_unit_test(latency_is_counted_once_the_control_is_known),
        cmocka_unit_test(scores_know_which_way_is_worse),
        cmocka_unit_test(many_looks_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
