#include "world.h"

#include "registry/field_diff.h"
#include "registry/model_fields.h"

#define TYPED ",\"type\":\"classifier\"}"

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

static void registers_with_defaults(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "model.registered,registered_model.registered", model_register, NULL, NULL,
             "{\"name\":\"nba-props\"" TYPED);
    assert_string_equal(
        w->c.answer.body,
        "{\"namespace\":\"default\",\"model_id\":\"nba-props:1\",\"name\":\"nba-props\","
        "\"version\":\"1\","
        "\"type\":\"classifier\",\"sport\":null,\"status\":\"development\",\"deployment_target\":"
        "null,"
        "\"endpoint\":null,\"description\":\"\",\"labels\":{},\"source\":null,\"source_digest\":"
        "null,"
        "\"training_run_id\":null,\"training_metrics\":{},\"signature\":null,\"runtime\":null,"
        "\"aliases\":[],\"baseline_model_id\":null,\"hold\":null,"
        "\"created_by\":{\"kind\":\"token\",\"id\":\"tester\"},"
        "\"created_at\":\"2023-11-14T22:13:20.000Z\",\"updated_at\":\"2023-11-14T22:13:20.000Z\","
        "\"status_changed_at\":\"2023-11-14T22:13:20.000Z\",\"promoted_at\":null,\"promotion\":"
        "null,"
        "\"experiment_attempts\":0,\"revision\":1}");
    assert_string_equal(w->c.answer.location, "/api/models/enterprise/registry/nba-props:1");
    assert_int_equal(w->c.answer.revision, 1);
    const struct registered_model *r = world_name(w, "nba-props");
    assert_string_equal(
        r->entity.json,
        "{\"namespace\":\"default\",\"name\":\"nba-props\",\"description\":\"\",\"labels\":{},"
        "\"aliases\":{},"
        "\"versions\":1,\"last_version_number\":1,\"stable_model_id\":null,"
        "\"previous_stable_model_id\":null,\"slo\":{\"latency_p95_ms\":null,\"latency_p99_ms\":"
        "null,"
        "\"error_rate_ratio\":null,\"min_inferences_per_minute\":null},\"gate\":{\"canary\":"
        "{\"require_types\":[],\"max_age_seconds\":null,\"max_severity\":\"medium\","
        "\"require_experiment\":false},\"stable\":{\"require_types\":[],\"max_age_seconds\":null,"
        "\"max_severity\":\"medium\",\"require_experiment\":false}},\"nightly\":{\"enabled\":true,"
        "\"hour_utc\":2,\"end_hour_utc\":null},\"created_at\":\"2023-11-14T22:13:20.000Z\","
        "\"updated_at\":\"2023-11-14T22:13:20.000Z\",\"revision\":1}");
}

static void numbers_are_never_assigned_twice(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, "{\"name\":\"a\"" TYPED);
    world_register(w, "a", "7");
    world_register(w, "a", "1.5");
    world_register(w, "a", "003");
    world_ok(w, 201, "model.registered,registered_model.updated", model_register, NULL, NULL,
             "{\"name\":\"a\"" TYPED);
    assert_string_equal(answer_member(w, "version"), "8");
    world_ok(w, 204, NULL, model_delete, "a:8", NULL, NULL);
    world_ok(w, 201, NULL, model_register, NULL, NULL, "{\"name\":\"a\",\"version\":null" TYPED);
    assert_string_equal(answer_member(w, "version"), "9");
    assert_int_equal(world_name(w, "a")->versions, 5);
    assert_int_equal(world_name(w, "a")->last_version_number, 9);
}

/* After a rename the ids stay, so a new name of the old spelling finds some of its default ids
 * taken. */
static void default_ids_pass_over_what_is_taken(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, "{\"name\":\"a\"" TYPED);
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL, "{\"name\":\"b\"}");
    world_ok(w, 201, NULL, model_register, NULL, NULL, "{\"name\":\"a\"" TYPED);
    assert_string_equal(answer_member(w, "model_id"), "a:2");
}

static void same_again_is_refused(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_no(w, &MODEL_EXISTS, model_register, NULL, NULL,
             "{\"name\":\"a\",\"version\":\"1\"" TYPED);
    world_no(w, &MODEL_EXISTS, model_register, NULL, NULL,
             "{\"name\":\"a\",\"version\":\"1\",\"model_id\":\"x\"" TYPED);
    world_no(w, &MODEL_EXISTS, model_register, NULL, NULL,
             "{\"name\":\"b\",\"model_id\":\"a:1\"" TYPED);
    w->ns = "other";
    world_register(w, "a", "1"); /* names and ids are each namespace's own */
}

static const char FULL[] =
    "{\"name\":\"nba\",\"version\":\"2.1.0\",\"type\":\"classifier\",\"sport\":\"nba\","
    "\"deployment_target\":\"prod\",\"endpoint\":\"https://nba:1\",\"description\":\"d \\\"q\\\" "
    "\\n\\u00e9\","
    "\"labels\":{\"team\":\"odds\",\"a\":\"b\"},\"source\":\"s3://"
    "m\",\"source_digest\":\"sha256:1\","
    "\"training_run_id\":\"run\",\"training_metrics\":{\"auc\":0.93,\"n\":3,\"whole\":1.0},"
    "\"signature\":{\"in\":[1,null,{\"x\":true}]},"
    "\"runtime\":{\"kind\":\"openinference\",\"url\":\"http://"
    "10.0.0.7:8080\",\"model_name\":\"nba\"}}";

/* What GET gave may be PUT back, PATCHed back or, one by one, sent again: no change. */
static void what_get_gave_may_be_put_back(void **state)
{
    struct world *w = *state;
    world_register(w, "base", "1");
    world_ok(w, 201, NULL, model_register, NULL, NULL, FULL);
    world_ok(w, 200, NULL, model_patch, "nba:2.1.0", NULL,
             "{\"baseline_model_id\":\"base@latest\"}");
    assert_string_equal(answer_member(w, "baseline_model_id"), "base:1");
    world_ok(w, 200, NULL, alias_put, "nba", "best", "{\"model_id\":\"nba:2.1.0\"}");
    world_move(w, "nba:2.1.0", "canary");
    world_ok(w, 200, NULL, model_hold, "nba:2.1.0", NULL, "{\"reason\":\"smells\"}");
    world_ok(w, 204, NULL, model_delete, "base:1", NULL,
             NULL); /* the baseline is gone: still no change */
    w->now_ms += 5000;
    const struct model *m = world_model(w, "nba:2.1.0");
    int64_t revision = m->entity.revision;
    char *text = strdup(m->entity.json);
    world_ok(w, 200, "", model_replace, "nba:2.1.0", NULL, text);
    world_ok(w, 200, "", model_patch, "nba:2.1.0", NULL, text);
    assert_string_equal(w->c.answer.body, text);
    assert_int_equal(w->c.answer.revision, revision);
    world_ok(w, 200, "", model_patch, "nba:2.1.0", NULL,
             "{\"labels\":{\"a\":\"b\",\"team\":\"odds\"}}");
    world_ok(w, 200, "", model_patch, "nba:2.1.0", NULL, "{\"training_metrics\":{\"whole\":1}}");
    world_ok(w, 200, "", model_patch, "nba:2.1.0", NULL, "{}");
    world_ok(w, 200, "", model_patch, "nba:2.1.0", NULL, NULL);
    assert_ptr_equal(world_model(w, "nba:2.1.0"), m);
    free(text);
}

static void patch_merges(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, FULL);
    w->now_ms += 1000;
    world_ok(w, 200, "model.updated", model_patch, "nba:2.1.0", NULL,
             "{\"description\":\"new\",\"labels\":{\"team\":null,\"c\":\"d\"},\"sport\":null,"
             "\"runtime\":{\"model_version\":\"3\"},\"status\":\"stable\",\"created_at\":5,"
             "\"aliases\":7}");
    assert_string_equal(answer_member(w, "labels"), "{\"a\":\"b\",\"c\":\"d\"}");
    assert_string_equal(answer_member(w, "sport"), "null");
    assert_string_equal(answer_member(w, "status"), "development");
    assert_string_equal(
        answer_member(w, "runtime"),
        "{\"kind\":\"openinference\",\"url\":\"http://10.0.0.7:8080\",\"model_name\":\"nba\","
        "\"model_version\":\"3\"}");
    assert_string_equal(answer_member(w, "updated_at"), "2023-11-14T22:13:21.000Z");
    assert_string_equal(answer_member(w, "created_at"), "2023-11-14T22:13:20.000Z");
    assert_int_equal(w->c.answer.revision, 2);
    world_no(w, &ERR_UNKNOWN_FIELD, model_patch, "nba:2.1.0", NULL, "{\"nope\":null}");
    world_no(w, &ERR_UNKNOWN_FIELD, model_patch, "nba:2.1.0", NULL, "{\"nope\":1}");
    world_no(w, &ERR_INVALID, model_patch, "nba:2.1.0", NULL, "{\"type\":null}");
    world_no(w, &ERR_INVALID, model_patch, "nba:2.1.0", NULL, "[]");
    world_no(w, &MODEL_NOT_FOUND, model_patch, "nba:9", NULL, "{}");
}

static void fixed_fields(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_no(w, &ERR_READ_ONLY_FIELD, model_patch, "a:1", NULL, "{\"name\":\"b\"}");
    assert_true(problem_says(w, "\"field\":\"/name\""));
    world_no(w, &ERR_READ_ONLY_FIELD, model_patch, "a:1", NULL, "{\"model_id\":\"b\"}");
    world_no(w, &ERR_READ_ONLY_FIELD, model_patch, "a:1", NULL, "{\"namespace\":\"b\"}");
    world_no(w, &ERR_READ_ONLY_FIELD, model_replace, "a:1", NULL,
             "{\"name\":\"a\",\"model_id\":\"z\"" TYPED);
    world_no(w, &ERR_READ_ONLY_FIELD, model_replace, "z", NULL,
             "{\"name\":\"a\",\"model_id\":\"y\"" TYPED);
}

static void revisions(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_ok(w, 200, NULL, model_patch, "a:1", NULL, "{\"sport\":\"x\"}");
    world_no(w, &REVISION_MISMATCH, model_patch, "a:1", NULL, "{\"sport\":\"y\",\"revision\":1}");
    world_no(w, &ERR_INVALID, model_patch, "a:1", NULL, "{\"sport\":\"y\",\"revision\":\"2\"}");
    world_ok(w, 200, NULL, model_patch, "a:1", NULL, "{\"sport\":\"y\",\"revision\":2}");
    w->if_match = 2;
    world_no(w, &REVISION_MISMATCH, model_patch, "a:1", NULL,
             "{\"nonsense\":1}"); /* before the body */
    w->if_match = 3;
    world_ok(w, 200, NULL, model_patch, "a:1", NULL, "{\"sport\":\"z\"}");
    w->if_match = -2;
    world_ok(w, 200, NULL, model_patch, "a:1", NULL, "{\"sport\":\"q\"}");
    w->if_match = 1;
    world_no(w, &MODEL_NOT_FOUND, model_patch, "a:2", NULL, "{}");
    w->if_match = 4;
    world_no(w, &REVISION_MISMATCH, model_delete, "a:1", NULL, NULL);
    w->if_match = 4;
    world_no(w, &REVISION_MISMATCH, model_transition, "a:1", NULL, "{\"status\":\"canary\"}");
    w->if_match = 4;
    world_no(w, &REVISION_MISMATCH, model_hold, "a:1", NULL, "{\"reason\":\"r\"}");
}

static void put_replaces(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, FULL);
    world_ok(w, 200, "model.updated", model_replace, "nba@latest", NULL,
             "{\"name\":\"nba\",\"type\":\"ranker\",\"labels\":{\"z\":\"1\"}}");
    assert_string_equal(answer_member(w, "model_id"), "nba:2.1.0");
    assert_string_equal(answer_member(w, "version"), "2.1.0");
    assert_string_equal(answer_member(w, "type"), "ranker");
    assert_string_equal(answer_member(w, "sport"), "null");
    assert_string_equal(answer_member(w, "description"), "");
    assert_string_equal(answer_member(w, "labels"), "{\"z\":\"1\"}");
    assert_string_equal(answer_member(w, "source"), "null");
    assert_string_equal(answer_member(w, "runtime"), "null");
    world_no(w, &ERR_INVALID, model_replace, "nba:2.1.0", NULL, "{\"type\":\"ranker\"}");
    world_no(w, &ERR_INVALID, model_replace, "nba:2.1.0", NULL, "{\"name\":\"nba\"}");
}

static void put_creates(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, "model.registered,registered_model.registered", model_replace, "my id:1", NULL,
             "{\"name\":\"a\",\"version\":\"4\"" TYPED);
    assert_string_equal(answer_member(w, "model_id"), "my id:1");
    assert_string_equal(w->c.answer.location, "/api/models/enterprise/registry/my%20id:1");
    world_no(w, &ERR_INVALID, model_replace, "..", NULL, "{\"name\":\"a\"" TYPED);
    world_no(w, &ERR_INVALID, model_replace, "x/y", NULL, "{\"name\":\"a\"" TYPED);
    world_no(w, &MODEL_EXISTS, model_replace, "z", NULL, "{\"name\":\"a\",\"version\":\"4\"" TYPED);
    world_no(w, &MODEL_NOT_FOUND, model_replace, "b@stable", NULL, "{\"name\":\"b\"" TYPED);
    world_no(w, &ALIAS_NOT_FOUND, model_replace, "a@stable", NULL, "{\"name\":\"a\"" TYPED);
    w->if_match = -2;
    world_no(w, &REVISION_MISMATCH, model_replace, "z", NULL, "{\"name\":\"a\"" TYPED);
}

static void frozen_after_development(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, FULL);
    world_move(w, "nba:2.1.0", "canary");
    world_no(w, &FIELD_IS_FROZEN, model_patch, "nba:2.1.0", NULL,
             "{\"source\":\"s3://other\",\"version\":\"3\",\"sport\":\"x\"}");
    assert_string_equal(w->c.err.members, "\"fields\":[\"version\",\"source\"]");
    world_no(w, &FIELD_IS_FROZEN, model_patch, "nba:2.1.0", NULL, "{\"runtime\":null}");
    world_no(w, &FIELD_IS_FROZEN, model_patch, "nba:2.1.0", NULL, "{\"signature\":null}");
    world_no(w, &FIELD_IS_FROZEN, model_patch, "nba:2.1.0", NULL,
             "{\"source_digest\":\"sha256:2\"}");
    world_no(w, &FIELD_IS_FROZEN, model_replace, "nba:2.1.0", NULL,
             "{\"name\":\"nba\",\"type\":\"classifier\",\"source\":null}");
    world_ok(w, 200, NULL, model_patch, "nba:2.1.0", NULL,
             "{\"endpoint\":\"e\",\"labels\":{\"n\":\"m\"},\"description\":\"d\",\"source\":\"s3://"
             "m\"}");
    /* A PUT without them leaves what is frozen and resets the rest. */
    world_ok(w, 200, NULL, model_replace, "nba:2.1.0", NULL,
             "{\"name\":\"nba\",\"type\":\"classifier\"}");
    assert_string_equal(answer_member(w, "source"), "s3://m");
    assert_string_equal(answer_member(w, "version"), "2.1.0");
    assert_string_equal(answer_member(w, "endpoint"), "null");
    /* Once a model has left development, also when it is back there. */
    world_move(w, "nba:2.1.0", "development");
    world_no(w, &FIELD_IS_FROZEN, model_patch, "nba:2.1.0", NULL, "{\"source\":\"s3://other\"}");
}

static void version_changes_in_development(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    world_no(w, &MODEL_EXISTS, model_patch, "a:1", NULL, "{\"version\":\"2\"}");
    world_ok(w, 200, "model.updated,registered_model.updated", model_patch, "a:1", NULL,
             "{\"version\":\"9\"}");
    assert_string_equal(answer_member(w, "model_id"), "a:1");
    world_ok(w, 200, "model.updated", model_patch, "a:1", NULL, "{\"version\":\"4\"}");
    world_register(w, "a", "1x");
    world_ok(w, 201, NULL, model_register, NULL, NULL, "{\"name\":\"a\"" TYPED);
    assert_string_equal(answer_member(w, "version"), "10");
}

static void a_model_is_not_its_own_baseline(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_no(w, &ERR_INVALID, model_patch, "a:1", NULL, "{\"baseline_model_id\":\"a@latest\"}");
}

/* A type that configuration has dropped stays with the models that have it. */
static void dropped_type(void **state)
{
    static const char *const fewer[] = {"ranker", NULL};
    struct world *w = *state;
    world_register(w, "a", "1");
    w->rules.types = fewer;
    world_ok(w, 200, "model.updated", model_patch, "a:1", NULL, "{\"sport\":\"x\"}");
    world_no(w, &ERR_INVALID, model_patch, "a:1", NULL, "{\"type\":\"regressor\"}");
}

static void deletes(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    uint64_t uid = world_model(w, "a:1")->entity.uid;
    world_ok(w, 200, NULL, alias_put, "a", "best", "{\"model_id\":\"a:1\"}");
    world_move(w, "a:1", "canary");
    world_no(w, &MODEL_IN_SERVICE, model_delete, "a:1", NULL, NULL);
    assert_string_equal(
        w->c.err.members,
        "\"model_status\":\"canary\",\"legal\":[\"development\",\"stable\",\"retired\"]");
    world_move(w, "a:1", "stable");
    world_no(w, &MODEL_IN_SERVICE, model_delete, "a:1", NULL, NULL);
    world_move(w, "a:1", "deprecated");
    world_no(w, &MODEL_IN_SERVICE, model_delete, "a:1", NULL, NULL);
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:1");
    world_move(w, "a:1", "retired");
    struct health_change hc = {"a:1", uid, "healthy", "fine"};
    w->c.args = &hc;
    world_ok(w, 204, "health.changed", health_changed, NULL, NULL, NULL);
    w->header_reason = "spring cleaning";
    world_ok(w, 204, "model.deleted,health.removed,registered_model.updated", model_delete, "a:1",
             NULL, NULL);
    assert_string_equal(w->reason, "spring cleaning");
    assert_null(view_model(world_view(w), "default", "a:1"));
    assert_int_equal(world_name(w, "a")->versions, 1);
    assert_int_equal(world_name(w, "a")->n_aliases, 0);
    world_no(w, &MODEL_NOT_FOUND, model_delete, "a:1", NULL, NULL);
    world_register(w, "a", "1");
    assert_true(world_model(w, "a:1")->entity.uid > uid); /* another incarnation */
}

/* The table, its struct and the contract's example have the same fields. */
static void field_table(void **state)
{
    (void)state;
    uint64_t frozen = 0;
    static const char *const contract[] = {"source", "source_digest", "runtime", "signature",
                                           "version"};
    for (size_t i = 0; i < 5; i++)
        frozen |= field_bit(MODEL_FIELDS, contract[i]);
    assert_true(fields_flagged(MODEL_FIELDS, FIELD_FROZEN) == frozen);
    assert_true(field_bit(MODEL_FIELDS, "no such") == 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(registers_with_defaults),
        T(numbers_are_never_assigned_twice),
        T(default_ids_pass_over_what_is_taken),
        T(same_again_is_refused),
        T(what_get_gave_may_be_put_back),
        T(patch_merges),
        T(fixed_fields),
        T(revisions),
        T(put_replaces),
        T(put_creates),
        T(frozen_after_development),
        T(version_changes_in_development),
        T(a_model_is_not_its_own_baseline),
        T(dropped_type),
        T(deletes),
        T(field_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
