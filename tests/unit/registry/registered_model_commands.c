#include "registry/validation_summary.h"
#include "world.h"

static int setup(void **state)
{
    *state = world_new();
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void creates(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "registered_model.registered", registered_model_create, NULL, NULL,
             "{\"name\":\"nfl team\",\"description\":\"football\",\"labels\":{\"team\":\"odds\"},"
             "\"slo\":{\"latency_p95_ms\":50,\"error_rate_ratio\":0.01},\"versions\":7,\"aliases\":"
             "{\"x\":\"y\"}}");
    assert_string_equal(w->c.answer.location,
                        "/api/models/enterprise/registered-models/nfl%20team");
    assert_string_equal(answer_member(w, "versions"), "0");
    assert_string_equal(answer_member(w, "aliases"), "{}");
    assert_string_equal(answer_member(w, "slo"),
                        "{\"latency_p95_ms\":50,\"latency_p99_ms\":null,\"error_rate_ratio\":0.01,"
                        "\"min_inferences_per_minute\":null}");
    const struct registered_model *r = world_name(w, "nfl team");
    assert_true(r->slo.latency_p95_ms == 50 && r->slo.error_rate_ratio == 0.01 &&
                isnan(r->slo.latency_p99_ms));
    world_no(w, &REGISTERED_MODEL_EXISTS, registered_model_create, NULL, NULL,
             "{\"name\":\"nfl team\"}");
    world_no(w, &ERR_INVALID, registered_model_create, NULL, NULL, "{}");
    world_no(w, &ERR_INVALID, registered_model_create, NULL, NULL, "{\"name\":\"a/b\"}");
    world_no(w, &ERR_UNKNOWN_FIELD, registered_model_create, NULL, NULL,
             "{\"name\":\"a\",\"x\":1}");
    world_no(w, &ERR_READ_ONLY_FIELD, registered_model_create, NULL, NULL,
             "{\"name\":\"a\",\"namespace\":\"b\"}");
    world_ok(w, 201, "model.registered,registered_model.updated", model_register, NULL, NULL,
             "{\"name\":\"nfl team\",\"type\":\"ranker\"}");
    assert_string_equal(answer_member(w, "model_id"), "nfl team:1");
}

static void patches(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    w->now_ms += 1000;
    world_ok(w, 200, "registered_model.updated", registered_model_patch, "a", NULL,
             "{\"slo\":{\"latency_p99_ms\":200},\"gate\":{\"stable\":{\"require_types\":[\"unit\"],"
             "\"max_age_seconds\":86400,\"max_severity\":\"low\",\"require_experiment\":true}},"
             "\"nightly\":{\"enabled\":false,\"end_hour_utc\":5},\"labels\":{\"a\":\"b\"}}");
    const struct registered_model *r = world_name(w, "a");
    assert_string_equal(r->gate_stable.require_types, "[\"unit\"]");
    assert_int_equal(r->gate_stable.max_age_seconds, 86400);
    assert_string_equal(r->gate_stable.max_severity, "low");
    assert_true(r->gate_stable.require_experiment);
    assert_string_equal(r->gate_canary.require_types, "[]");
    assert_int_equal(r->gate_canary.max_age_seconds, INT64_MIN);
    assert_string_equal(answer_member(w, "nightly"),
                        "{\"enabled\":false,\"hour_utc\":2,\"end_hour_utc\":5}");
    world_ok(w, 200, "", registered_model_patch, "a", NULL,
             "{\"gate\":{\"stable\":{\"max_severity\":\"low\"}}}");
    world_ok(w, 200, "registered_model.updated", registered_model_patch, "a", NULL,
             "{\"slo\":{\"latency_p95_ms\":1.5},\"labels\":{\"a\":null}}");
    r = world_name(w, "a");
    assert_true(r->slo.latency_p99_ms == 200 && r->slo.latency_p95_ms == 1.5);
    char *text = strdup(r->entity.json);
    world_ok(w, 200, "", registered_model_patch, "a", NULL, text); /* what GET gave */
    free(text);
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL,
             "{\"slo\":null,\"gate\":null,\"nightly\":null}");
    r = world_name(w, "a");
    assert_true(isnan(r->slo.latency_p99_ms) && r->gate_stable.max_age_seconds == INT64_MIN);
}

static void patch_faults(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_no(w, &ERR_INVALID, registered_model_patch, "a", NULL,
             "{\"slo\":{\"error_rate_ratio\":2}}");
    assert_true(problem_says(w, "/slo/error_rate_ratio"));
    world_no(w, &ERR_INVALID, registered_model_patch, "a", NULL,
             "{\"gate\":{\"stable\":{\"max_severity\":\"bad\"}}}");
    assert_true(problem_says(w, "/gate/stable/max_severity"));
    world_no(w, &ERR_UNKNOWN_FIELD, registered_model_patch, "a", NULL, "{\"gate\":{\"stble\":{}}}");
    world_no(w, &ERR_UNKNOWN_FIELD, registered_model_patch, "a", NULL, "{\"nope\":null}");
    world_no(w, &ERR_INVALID, registered_model_patch, "a", NULL, "{\"name\":null}");
    world_no(w, &ERR_INVALID, registered_model_patch, "a", NULL, "{\"nightly\":{\"hour_utc\":24}}");
    world_no(w, &ERR_READ_ONLY_FIELD, registered_model_patch, "a", NULL, "{\"namespace\":\"b\"}");
    world_no(w, &REVISION_MISMATCH, registered_model_patch, "a", NULL, "{\"revision\":9}");
    w->if_match = 9;
    world_no(w, &REVISION_MISMATCH, registered_model_patch, "a", NULL, "{}");
    world_no(w, &REGISTERED_MODEL_NOT_FOUND, registered_model_patch, "b", NULL, "{}");
}

static void renames(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    world_register(w, "taken", "1");
    world_ok(w, 200, NULL, alias_put, "a", "best", "{\"model_id\":\"a:2\"}");
    world_ok(w, 200, NULL, model_patch, "a:2", NULL, "{\"baseline_model_id\":\"a:1\"}");
    world_move(w, "a:1", "canary");
    world_move(w, "a:1", "stable");
    uint64_t uid = world_name(w, "a")->entity.uid, model_uid = world_model(w, "a:1")->entity.uid;
    world_no(w, &REGISTERED_MODEL_EXISTS, registered_model_patch, "a", NULL,
             "{\"name\":\"taken\"}");
    world_no(w, &ERR_INVALID, registered_model_patch, "a", NULL, "{\"name\":\"a:b\"}");
    int64_t revision = world_name(w, "a")->entity.revision;
    world_ok(w, 200,
             "registered_model.renamed,registered_model.renamed,model.renamed,model.renamed",
             registered_model_patch, "a", NULL, "{\"name\":\"new name\",\"description\":\"d\"}");
    assert_string_equal(w->evidence, "{\"from\":\"a\",\"to\":\"new name\"}");
    assert_string_equal(answer_member(w, "name"), "new name");
    assert_string_equal(answer_member(w, "description"), "d");
    assert_string_equal(answer_member(w, "stable_model_id"), "a:1");
    assert_int_equal(w->c.answer.revision, revision + 1);
    assert_null(view_registered_model(world_view(w), "default", "a"));
    assert_int_equal(world_name(w, "new name")->entity.uid, uid);
    assert_int_equal(world_model(w, "a:1")->entity.uid, model_uid);
    assert_string_equal(world_model(w, "a:1")->name, "new name");
    assert_string_equal(world_model(w, "a:2")->baseline_model_id, "a:1");
    struct err e = {0};
    assert_ptr_equal(view_resolve(world_view(w), "default", "new name@best", &e),
                     world_model(w, "a:2"));
    assert_null(view_resolve(world_view(w), "default", "a@best", &e));
    world_register(w, "new name", "3");
    assert_string_equal(answer_member(w, "model_id"), "new name:3");
    world_register(w, "a", "9"); /* the old name is free */
}

static void deletes(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    world_register(w, "a", "3");
    world_move(w, "a:1", "canary");
    world_move(w, "a:2", "canary");
    world_move(w, "a:2", "stable");
    world_no(w, &REGISTERED_MODEL_IN_SERVICE, registered_model_delete, "a", NULL, NULL);
    assert_string_equal(w->c.err.members, "\"in_service\":[\"a:1\",\"a:2\"]");
    world_move(w, "a:1", "development");
    world_move(w, "a:2", "deprecated");
    w->if_match = 99;
    world_no(w, &REVISION_MISMATCH, registered_model_delete, "a", NULL, NULL);
    world_ok(w, 204, "model.deleted,model.deleted,model.deleted,registered_model.deleted",
             registered_model_delete, "a", NULL, NULL);
    assert_int_equal(view_count(world_view(w), ENTITY_MODEL), 0);
    assert_int_equal(view_count(world_view(w), ENTITY_REGISTERED_MODEL), 0);
    world_no(w, &REGISTERED_MODEL_NOT_FOUND, registered_model_delete, "a", NULL, NULL);
}

/* One atomic change has a bound; past it the answer says so and nothing is touched. */
static void too_many_versions(void **state)
{
    struct world *w = *state;
    char version[16];
    w->unchecked = true;
    for (int i = 0; i <= (CHANGES_MAX - 8) / 2; i++) {
        snprintf(version, sizeof version, "%d", i);
        world_register(w, "a", version);
    }
    world_no(w, &TOO_MANY_CHANGES, registered_model_patch, "a", NULL, "{\"name\":\"b\"}");
    world_no(w, &TOO_MANY_CHANGES, registered_model_delete, "a", NULL, NULL);
    world_ok(w, 204, NULL, model_delete, "a:0", NULL, NULL);
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL, "{\"name\":\"b\"}");
    world_ok(w, 204, NULL, registered_model_delete, "b", NULL, NULL);
    world_check(w);
}

/* What goes with the versions counts as well: it may not end the process. */
static void too_much_goes_with_versions(void **state)
{
    struct world *w = *state;
    char version[16], id[32];
    w->unchecked = true;
    for (int i = 0; i < CHANGES_MAX / 3; i++) {
        snprintf(version, sizeof version, "%d", i);
        snprintf(id, sizeof id, "a:%d", i);
        world_register(w, "a", version);
        struct validation_outcome o = {.model_id = id,
                                       .uid = world_model(w, id)->entity.uid,
                                       .run = {.run_id = "r1",
                                               .trigger = "manual",
                                               .status = "failed",
                                               .severity = "high",
                                               .types = "[]",
                                               .queued_at = 1,
                                               .finished_at = 2},
                                       .complete = true,
                                       .regressions = 1,
                                       .summary = "Do not promote."};
        w->c.args = &o;
        world_ok(w, 204, NULL, validation_finished, NULL, NULL, NULL);
    }
    world_no(w, &TOO_MANY_CHANGES, registered_model_delete, "a", NULL, NULL);
    assert_non_null(world_model(w, "a:0"));
    world_ok(w, 204, "model.deleted,validation.removed,validation.removed,registered_model.updated",
             model_delete, "a:0", NULL, NULL);
}

static void health_is_an_entity_of_its_own(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    const struct model *m = world_model(w, "a:1");
    struct health_change change = {"a:1", m->entity.uid, "degraded", "p95 is high"};
    w->c.args = &change;
    world_ok(w, 204, "health.changed", health_changed, NULL, NULL, NULL);
    const struct entity *h = view_get(world_view(w), ENTITY_HEALTH, "default", "a:1");
    assert_string_equal(h->json,
                        "{\"namespace\":\"default\",\"model_id\":\"a:1\",\"status\":\"degraded\","
                        "\"previous_status\":null,\"summary\":\"p95 is high\","
                        "\"changed_at\":\"2023-11-14T22:13:20.010Z\",\"circuit\":null,"
                        "\"circuit_at\":null,\"revision\":1}");
    assert_int_equal(h->uid, m->entity.uid);
    assert_ptr_equal(world_model(w, "a:1"), m); /* the model's revision stays */
    w->c.args = &change;
    world_ok(w, 204, "", health_changed, NULL, NULL, NULL);
    change.status = "healthy";
    w->c.args = &change;
    world_ok(w, 204, "health.changed", health_changed, NULL, NULL, NULL);
    h = view_get(world_view(w), ENTITY_HEALTH, "default", "a:1");
    assert_non_null(strstr(h->json, "\"status\":\"healthy\",\"previous_status\":\"degraded\""));
    struct circuit_change cut = {"a:1", m->entity.uid, CIRCUIT_OPEN, 60, 58};
    w->c.args = &cut;
    world_ok(w, 204, "circuit.opened", circuit_changed, NULL, NULL, NULL);
    assert_string_equal(w->evidence, "{\"records\":60,\"failed\":58}");
    h = view_get(world_view(w), ENTITY_HEALTH, "default", "a:1");
    assert_int_equal(health_of(h)->circuit, CIRCUIT_OPEN);
    assert_non_null(strstr(h->json, "\"status\":\"healthy\",\"previous_status\":\"degraded\""));
    w->c.args = &cut; /* the same again */
    world_ok(w, 204, "", circuit_changed, NULL, NULL, NULL);
    change.status = "degraded"; /* a judgement leaves the circuit as it is */
    w->c.args = &change;
    world_ok(w, 204, "health.changed", health_changed, NULL, NULL, NULL);
    h = view_get(world_view(w), ENTITY_HEALTH, "default", "a:1");
    assert_int_equal(health_of(h)->circuit, CIRCUIT_OPEN);
    cut.circuit = CIRCUIT_CLOSED;
    w->c.args = &cut;
    world_ok(w, 204, "circuit.closed", circuit_changed, NULL, NULL, NULL);
    change.uid++; /* another incarnation was judged */
    change.status = "unhealthy";
    w->c.args = &change;
    world_ok(w, 204, "", health_changed, NULL, NULL, NULL);
    change.uid--;
    change.status = "splendid";
    w->c.args = &change;
    world_no(w, &ERR_INVALID, health_changed, NULL, NULL, NULL);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(creates),
        T(patches),
        T(patch_faults),
        T(renames),
        T(deletes),
        T(too_many_versions),
        T(too_much_goes_with_versions),
        T(health_is_an_entity_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
