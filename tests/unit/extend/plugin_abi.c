/* The layout of everything that a plugin shares with the host, as sdk/ABI.md promises it: a row
 * that no longer holds means a new version of the interface. */
#include <paddock/plugin.h>

#include "support/unit.h"

#include <stdio.h>

_Static_assert(PADDOCK_ABI_MAJOR == 1 && PADDOCK_ABI_MINOR == 0,
               "see sdk/ABI.md, and the rows here");

#define SIZE(type, bytes)                \
    {                                    \
#type, NULL, sizeof(type), bytes \
    }
#define AT(type, field, byte_offset)                      \
    {                                                     \
#type, #field, offsetof(type, field), byte_offset \
    }

static const struct row {
    const char *type, *field;
    size_t is, promised;
} ROWS[] = {
    SIZE(paddock_field, 64),
    AT(paddock_field, name, 0),
    AT(paddock_field, type, 8),
    AT(paddock_field, flags, 12),
    AT(paddock_field, min, 16),
    AT(paddock_field, max, 24),
    AT(paddock_field, preset, 32),
    AT(paddock_field, choices, 40),
    AT(paddock_field, fields, 48),
    AT(paddock_field, doc, 56),
    SIZE(paddock_bytes, 16),
    AT(paddock_bytes, data, 0),
    AT(paddock_bytes, len, 8),
    SIZE(paddock_tensor, 96),
    AT(paddock_tensor, name, 0),
    AT(paddock_tensor, datatype, 8),
    AT(paddock_tensor, rank, 12),
    AT(paddock_tensor, shape, 16),
    AT(paddock_tensor, data, 80),
    AT(paddock_tensor, count, 88),
    SIZE(paddock_model, 48),
    AT(paddock_model, host, 0),
    AT(paddock_model, model_id, 8),
    AT(paddock_model, name, 16),
    AT(paddock_model, version, 24),
    AT(paddock_model, status, 32),
    AT(paddock_model, runtime, 40),
    SIZE(paddock_metadata, 56),
    AT(paddock_metadata, name, 0),
    AT(paddock_metadata, version, 8),
    AT(paddock_metadata, platform, 16),
    AT(paddock_metadata, inputs, 24),
    AT(paddock_metadata, outputs, 32),
    AT(paddock_metadata, n_inputs, 40),
    AT(paddock_metadata, n_outputs, 48),
    SIZE(paddock_request, 40),
    AT(paddock_request, inputs, 0),
    AT(paddock_request, n_inputs, 8),
    AT(paddock_request, outputs, 16),
    AT(paddock_request, n_outputs, 24),
    AT(paddock_request, timeout_ms, 32),
    SIZE(paddock_answer, 32),
    AT(paddock_answer, error, 0),
    AT(paddock_answer, n_outputs, 4),
    AT(paddock_answer, message, 8),
    AT(paddock_answer, outputs, 16),
    AT(paddock_answer, duration_ns, 24),
    SIZE(paddock_dataset, 48),
    AT(paddock_dataset, name, 0),
    AT(paddock_dataset, sha256, 8),
    AT(paddock_dataset, rows, 16),
    AT(paddock_dataset, columns, 24),
    AT(paddock_dataset, n_columns, 32),
    AT(paddock_dataset, label, 40),
    SIZE(paddock_measurement, 88),
    AT(paddock_measurement, name, 0),
    AT(paddock_measurement, value, 8),
    AT(paddock_measurement, unit, 16),
    AT(paddock_measurement, better, 24),
    AT(paddock_measurement, critical, 28),
    AT(paddock_measurement, target, 32),
    AT(paddock_measurement, margin_ratio, 40),
    AT(paddock_measurement, samples, 48),
    AT(paddock_measurement, variance, 56),
    AT(paddock_measurement, values, 64),
    AT(paddock_measurement, baseline_values, 72),
    AT(paddock_measurement, n_values, 80),
    SIZE(paddock_summary, 40),
    AT(paddock_summary, count, 0),
    AT(paddock_summary, mean, 8),
    AT(paddock_summary, variance, 16),
    AT(paddock_summary, min, 24),
    AT(paddock_summary, max, 32),
    SIZE(paddock_test, 80),
    AT(paddock_test, host, 0),
    AT(paddock_test, test_id, 8),
    AT(paddock_test, name, 16),
    AT(paddock_test, config, 24),
    AT(paddock_test, subject, 32),
    AT(paddock_test, baseline, 40),
    AT(paddock_test, datasets, 48),
    AT(paddock_test, n_datasets, 56),
    AT(paddock_test, seed, 64),
    AT(paddock_test, scratch, 72),
    SIZE(paddock_test_ops, 8),
    AT(paddock_test_ops, run, 0),
    SIZE(paddock_score, 32),
    AT(paddock_score, name, 0),
    AT(paddock_score, count, 8),
    AT(paddock_score, mean, 16),
    AT(paddock_score, variance, 24),
    SIZE(paddock_candidate, 144),
    AT(paddock_candidate, model_id, 0),
    AT(paddock_candidate, name, 8),
    AT(paddock_candidate, version, 16),
    AT(paddock_candidate, status, 24),
    AT(paddock_candidate, configured, 32),
    AT(paddock_candidate, published, 40),
    AT(paddock_candidate, performance_score, 48),
    AT(paddock_candidate, health, 56),
    AT(paddock_candidate, n_scores, 60),
    AT(paddock_candidate, window_ms, 64),
    AT(paddock_candidate, requests, 72),
    AT(paddock_candidate, errors, 80),
    AT(paddock_candidate, rate_per_second, 88),
    AT(paddock_candidate, error_rate, 96),
    AT(paddock_candidate, mean_ms, 104),
    AT(paddock_candidate, p50_ms, 112),
    AT(paddock_candidate, p95_ms, 120),
    AT(paddock_candidate, p99_ms, 128),
    AT(paddock_candidate, scores, 136),
    SIZE(paddock_weight, 16),
    AT(paddock_weight, weight, 0),
    AT(paddock_weight, score, 8),
    SIZE(paddock_outcome, 48),
    AT(paddock_outcome, decision_id, 0),
    AT(paddock_outcome, model_id, 8),
    AT(paddock_outcome, name, 16),
    AT(paddock_outcome, value, 24),
    AT(paddock_outcome, propensity, 32),
    AT(paddock_outcome, at_ms, 40),
    SIZE(paddock_strategy, 48),
    AT(paddock_strategy, host, 0),
    AT(paddock_strategy, route, 8),
    AT(paddock_strategy, config, 16),
    AT(paddock_strategy, seed, 24),
    AT(paddock_strategy, now_ms, 32),
    AT(paddock_strategy, state, 40),
    SIZE(paddock_strategy_ops, 56),
    AT(paddock_strategy_ops, weigh, 0),
    AT(paddock_strategy_ops, open, 8),
    AT(paddock_strategy_ops, close, 16),
    AT(paddock_strategy_ops, update, 24),
    AT(paddock_strategy_ops, tick, 32),
    AT(paddock_strategy_ops, save, 40),
    AT(paddock_strategy_ops, load, 48),
    SIZE(paddock_call, 24),
    AT(paddock_call, host, 0),
    AT(paddock_call, deadline_ns, 8),
    AT(paddock_call, scratch, 16),
    SIZE(paddock_runtime_ops, 48),
    AT(paddock_runtime_ops, open, 0),
    AT(paddock_runtime_ops, close, 8),
    AT(paddock_runtime_ops, ready, 16),
    AT(paddock_runtime_ops, metadata, 24),
    AT(paddock_runtime_ops, infer, 32),
    AT(paddock_runtime_ops, parallel, 40),
    SIZE(paddock_host, 272),
    AT(paddock_host, abi_major, 0),
    AT(paddock_host, abi_minor, 4),
    AT(paddock_host, value_type, 8),
    AT(paddock_host, value_count, 16),
    AT(paddock_host, value_get, 24),
    AT(paddock_host, value_at, 32),
    AT(paddock_host, value_key, 40),
    AT(paddock_host, value_number, 48),
    AT(paddock_host, value_integer, 56),
    AT(paddock_host, value_text, 64),
    AT(paddock_host, value_json, 72),
    AT(paddock_host, log, 80),
    AT(paddock_host, now_ns, 88),
    AT(paddock_host, left_ns, 96),
    AT(paddock_host, stop, 104),
    AT(paddock_host, element, 112),
    AT(paddock_host, extension, 120),
    AT(paddock_host, check, 128),
    AT(paddock_host, measure, 136),
    AT(paddock_host, sample, 144),
    AT(paddock_host, quantile, 152),
    AT(paddock_host, summary, 160),
    AT(paddock_host, skip_test, 168),
    AT(paddock_host, error, 176),
    AT(paddock_host, dataset, 184),
    AT(paddock_host, rows, 192),
    AT(paddock_host, ready, 200),
    AT(paddock_host, metadata, 208),
    AT(paddock_host, infer, 216),
    AT(paddock_host, model_message, 224),
    AT(paddock_host, part, 232),
    AT(paddock_host, save, 240),
    AT(paddock_host, add_output, 248),
    AT(paddock_host, set_bytes, 256),
    AT(paddock_host, fail_call, 264),
    SIZE(paddock_plugin, 56),
    AT(paddock_plugin, abi_major, 0),
    AT(paddock_plugin, abi_minor, 4),
    AT(paddock_plugin, kind, 8),
    AT(paddock_plugin, flags, 12),
    AT(paddock_plugin, id, 16),
    AT(paddock_plugin, version, 24),
    AT(paddock_plugin, summary, 32),
    AT(paddock_plugin, config, 40),
    AT(paddock_plugin, ops, 48),
};

static void nothing_has_moved(void **state)
{
    (void)state;
    if (sizeof(void *) != 8 || sizeof(size_t) != 8)
        skip();
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        const struct row *r = &ROWS[i];
        if (r->is != r->promised)
            fail_msg("%s%s%s is at %zu, %zu was promised", r->type, r->field ? "." : "",
                     r->field ? r->field : "", r->is, r->promised);
    }
}

/* Values travel in files and in plugins already built. */
static void no_number_has_changed(void **state)
{
    (void)state;
    static const struct {
        uint32_t is, promised;
    } NUMBERS[] = {
        {PADDOCK_OBJECT, 7},        {PADDOCK_FIELD_ANY, 8},      {PADDOCK_SERVER, 4},
        {PADDOCK_BYTES, 13},        {PADDOCK_E_INTERNAL, 9},     {PADDOCK_WARN, 2},
        {PADDOCK_TARGET, 3},        {PADDOCK_UNHEALTHY, 3},      {PADDOCK_KIND_RUNTIME, 3},
        {PADDOCK_NEEDS_DATASET, 4}, {PADDOCK_MAX_VALUES, 10000}, {PADDOCK_MAX_RANK, 8},
    };
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        assert_int_equal(NUMBERS[i].is, NUMBERS[i].promised);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_has_moved),
        cmocka_unit_test(no_number_has_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
