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

#define STABLE "{\"status\":\"stable\"}"
#define CANARY "{\"status\":\"canary\"}"

static void require(struct world *w, const char *name, const char *stable_rule)
{
    char body[300];
    snprintf(body, sizeof body, "{\"gate\":{\"stable\":%s}}", stable_rule);
    world_ok(w, 200, NULL, registered_model_patch, name, NULL, body);
}

static void supersede_is_one_change(void **state)
{
    struct world *w = *state;
    for (int i = 1; i <= 3; i++) {
        char version[16], id[16];
        snprintf(version, sizeof version, "%d", i);
        snprintf(id, sizeof id, "a:%d", i);
        world_register(w, "a", version);
        world_move(w, id, "canary");
    }
    world_ok(w, 200, "model.promoted,registered_model.updated", model_transition, "a:1", NULL,
             STABLE);
    world_ok(w, 200, "model.promoted,registered_model.updated", model_transition, "a:2", NULL,
             "{\"status\":\"stable\",\"supersede\":false}");
    assert_string_equal(world_status(w, "a:1"), "stable");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:2"); /* the one promoted last */
    assert_null(world_name(w, "a")->previous_stable_model_id);
    world_ok(w, 200, "model.promoted,model.superseded,model.superseded,registered_model.updated",
             model_transition, "a:3", NULL, "{\"status\":\"stable\",\"reason\":\"better\"}");
    assert_string_equal(answer_member(w, "superseded"), "[\"a:1\",\"a:2\"]");
    assert_string_equal(answer_member(w, "status"), "stable");
    assert_string_equal(w->reason, "better");
    assert_string_equal(world_status(w, "a:1"), "deprecated");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:3");
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:2");
}

/* All promotions fall into one millisecond: "promoted last" is still never a draw. */
static void promotions_are_never_a_draw(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    world_ok(w, 200, NULL, model_transition, "a:1", NULL, CANARY);
    world_ok(w, 200, NULL, model_transition, "a:2", NULL, CANARY);
    world_ok(w, 200, NULL, model_transition, "a:2", NULL, STABLE);
    world_ok(w, 200, NULL, model_transition, "a:1", NULL,
             "{\"status\":\"stable\",\"supersede\":false}");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:1");
    w->now_ms -= 60000; /* and the clock may even go back */
    world_ok(w, 200, NULL, model_transition, "a:2", NULL, "{\"status\":\"deprecated\"}");
    world_ok(w, 200, NULL, model_transition, "a:2", NULL,
             "{\"status\":\"stable\",\"supersede\":false}");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:2");
}

static void actions(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_ok(w, 200, "model.promoted", model_transition, "a:1", NULL, CANARY);
    world_ok(w, 200, "model.demoted", model_transition, "a:1", NULL,
             "{\"status\":\"development\"}");
    world_ok(w, 200, "model.promoted", model_transition, "a@latest", NULL, CANARY);
    world_ok(w, 200, "model.promoted,registered_model.updated", model_transition, "a@canary", NULL,
             STABLE);
    assert_string_equal(
        w->evidence,
        "{\"to\":\"stable\",\"allowed\":true,\"evidence\":\"none\",\"conditions\":[],"
        "\"rule\":{\"require_types\":[],\"max_age_seconds\":null,\"max_severity\":\"medium\","
        "\"require_experiment\":false},\"run_id\":null,\"experiment\":null,"
        "\"source_digest\":null}");
    world_ok(w, 200, "model.deprecated,registered_model.updated", model_transition, "a@stable",
             NULL, "{\"status\":\"deprecated\"}");
    assert_null(w->evidence);
    world_ok(w, 200, "model.retired,registered_model.updated", model_transition, "a@previous", NULL,
             "{\"status\":\"retired\"}");
}

static void promotion_is_recorded(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_ok(w, 200, NULL, model_transition, "a:1", NULL, CANARY);
    assert_string_equal(
        answer_member(w, "promotion"),
        "{\"to\":\"canary\",\"at\":\"2023-11-14T22:13:20.010Z\",\"evidence\":\"none\","
        "\"forced\":false,\"actor\":{\"kind\":\"token\",\"id\":\"tester\"}}");
    assert_string_equal(answer_member(w, "promoted_at"), "null");
    world_ok(w, 200, NULL, model_transition, "a:1", NULL, STABLE);
    assert_string_equal(answer_member(w, "promoted_at"), "2023-11-14T22:13:20.010Z");
}

static void gate_blocks(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_move(w, "a:1", "canary"); /* canary's own rule asks for nothing */
    require(w, "a", "{\"require_types\":[\"unit\",\"regression\"],\"require_experiment\":true}");
    world_no(w, &PROMOTION_BLOCKED, model_transition, "a:1", NULL, STABLE);
    assert_string_equal(
        w->c.err.members,
        "\"gate\":{\"allowed\":false,\"evidence\":\"none\",\"conditions\":["
        "{\"name\":\"test:unit\",\"status\":\"missing\",\"run_id\":null,\"detail\":\"no run has "
        "tested the model\"},{\"name\":\"test:regression\",\"status\":\"missing\",\"run_id\":null,"
        "\"detail\":\"no run has tested the model\"},{\"name\":\"experiment\",\"status\":"
        "\"missing\",\"run_id\":null,\"detail\":\"no experiment has compared the model\"}]}");
    assert_string_equal(world_status(w, "a:1"), "canary");
    world_move(w, "a:1", "development"); /* out of service: never blocked */
    world_move(w, "a:1", "retired");
}

static void configuration_requires(void **state)
{
    static const char *const types[] = {"smoke", "unit", NULL};
    struct world *w = *state;
    w->rules.required_stable = types;
    world_register(w, "a", "1");
    world_move(w, "a:1", "canary");
    require(w, "a", "{\"require_types\":[\"unit\"]}");
    world_no(w, &PROMOTION_BLOCKED, model_transition, "a:1", NULL, STABLE);
    const char *unit = strstr(w->c.err.members, "test:unit");
    assert_non_null(unit);
    assert_null(strstr(unit + 1, "test:unit")); /* once, though both ask for it */
    assert_non_null(strstr(w->c.err.members, "test:smoke"));
}

static void force_passes_and_stays_marked(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_move(w, "a:1", "canary");
    require(w, "a", "{\"require_types\":[\"unit\"]}");
    world_no(w, &ERR_INVALID, model_transition, "a:1", NULL,
             "{\"status\":\"stable\",\"force\":true}");
    assert_true(problem_says(w, "\"field\":\"/reason\""));
    world_no(w, &ERR_INVALID, model_transition, "a:1", NULL,
             "{\"status\":\"stable\",\"force\":true,\"reason\":\"\"}");
    world_ok(w, 200, "gate.forced,registered_model.updated", model_transition, "a:1", NULL,
             "{\"status\":\"stable\",\"force\":true,\"reason\":\"fire\"}");
    assert_non_null(strstr(
        w->evidence,
        "\"allowed\":false,\"evidence\":\"forced\",\"conditions\":[{\"name\":\"test:unit\""));
    assert_non_null(
        strstr(answer_member(w, "promotion"), "\"evidence\":\"forced\",\"forced\":true"));
    /* It was stable: it returns without a gate, and is still marked. */
    world_move(w, "a:1", "deprecated");
    world_ok(w, 200, "model.promoted,registered_model.updated", model_transition, "a:1", NULL,
             STABLE);
    assert_non_null(strstr(answer_member(w, "promotion"), "\"evidence\":\"none\",\"forced\":true"));
    assert_null(w->evidence);
}

static void force_by_header_reason(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    w->header_reason = "from the header";
    world_ok(w, 200, "gate.forced", model_transition, "a:1", NULL,
             "{\"status\":\"canary\",\"force\":true}");
    assert_string_equal(w->reason, "from the header");
    w->header_reason = "from the header";
    world_ok(w, 200, NULL, model_transition, "a:1", NULL,
             "{\"status\":\"development\",\"reason\":\"body\"}");
    assert_string_equal(w->reason, "body");
}

static void held_is_promoted_by_nothing(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_ok(w, 200, "model.held", model_hold, "a:1", NULL, "{\"reason\":\"smells\"}");
    assert_string_equal(
        answer_member(w, "hold"),
        "{\"reason\":\"smells\",\"at\":\"2023-11-14T22:13:20.010Z\",\"by\":{\"kind\":\"token\","
        "\"id\":\"tester\"}}");
    world_no(w, &MODEL_HELD, model_transition, "a:1", NULL, CANARY);
    world_no(w, &MODEL_HELD, model_transition, "a:1", NULL,
             "{\"status\":\"canary\",\"force\":true,\"reason\":\"me\"}");
    world_no(w, &ILLEGAL_TRANSITION, model_transition, "a:1", NULL, STABLE);
    world_ok(w, 200, "", model_hold, "a:1", NULL, "{\"reason\":\"smells\"}");
    world_ok(w, 200, "model.held", model_hold, "a:1", NULL, "{\"reason\":\"stinks\"}");
    world_ok(w, 204, "model.released", model_release, "a:1", NULL, NULL);
    world_no(w, &HOLD_NOT_FOUND, model_release, "a:1", NULL, NULL);
    world_no(w, &ERR_INVALID, model_hold, "a:1", NULL, "{}");
    world_move(w, "a:1", "canary");
    world_ok(w, 200, NULL, model_hold, "a:1", NULL, "{\"reason\":\"x\"}");
    world_move(w, "a:1", "development"); /* out of service goes */
}

static void a_hold_decides_who_is_previous(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_move(w, "a:1", "canary");
    world_move(w, "a:1", "stable");
    world_move(w, "a:1", "deprecated");
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:1");
    world_ok(w, 200, "model.held,registered_model.updated", model_hold, "a:1", NULL,
             "{\"reason\":\"x\"}");
    assert_null(world_name(w, "a")->previous_stable_model_id);
    world_no(w, &MODEL_HELD, model_transition, "a:1", NULL, STABLE);
    world_ok(w, 204, "model.released,registered_model.updated", model_release, "a:1", NULL, NULL);
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:1");
}

static void bodies(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    world_no(w, &ERR_INVALID, model_transition, "a:1", NULL, "{}");
    world_no(w, &ERR_INVALID, model_transition, "a:1", NULL, NULL);
    world_no(w, &ERR_INVALID, model_transition, "a:1", NULL, "{\"status\":\"production\"}");
    world_no(w, &ERR_UNKNOWN_FIELD, model_transition, "a:1", NULL,
             "{\"status\":\"canary\",\"forse\":true}");
    world_no(w, &MODEL_NOT_FOUND, model_transition, "b:1", NULL, CANARY);
    world_no(w, &ALIAS_NOT_FOUND, model_transition, "a@stable", NULL, CANARY);
}

/* --- a source of evidence --- */

struct verdict {
    struct gate_source source;
    bool pass;
    const char *run_id;
    enum model_status asked;
    char required[100];
};

static bool judge(void *self, const struct gate_question *q, const struct gate_rule *rule,
                  struct arena *a, struct gate_verdict *out)
{
    struct verdict *verdict = self;
    (void)a;
    verdict->asked = q->to;
    snprintf(verdict->required, sizeof verdict->required, "%s %s", rule->require_types,
             rule->max_severity);
    out->conditions = verdict->pass ? "[{\"name\":\"unit\",\"status\":\"pass\"}]"
                                    : "[{\"name\":\"unit\",\"status\":\"running\"}]";
    out->evidence = verdict->pass ? "complete" : "incomplete";
    out->run_id = verdict->run_id;
    return verdict->pass;
}

static void evidence_decides(void **state)
{
    struct world *w = *state;
    struct verdict v = {.source = {judge, &v}, .run_id = "run-9"};
    w->gate = &v.source;
    world_register(w, "a", "1");
    world_no(w, &VALIDATION_PENDING, model_transition, "a:1", NULL, CANARY);
    assert_non_null(strstr(w->c.err.members, "\"run_id\":\"run-9\""));
    assert_int_equal(v.asked, STATUS_CANARY);
    v.run_id = NULL;
    world_no(w, &PROMOTION_BLOCKED, model_transition, "a:1", NULL, CANARY);
    v.pass = true;
    world_ok(w, 200, "model.promoted", model_transition, "a:1", NULL, CANARY);
    assert_non_null(
        strstr(answer_member(w, "promotion"), "\"evidence\":\"complete\",\"forced\":false"));
    require(w, "a", "{\"require_types\":[\"perf\"],\"max_severity\":\"low\"}");
    world_ok(w, 200, NULL, model_transition, "a:1", NULL, STABLE);
    assert_string_equal(v.required, "[\"perf\"] low");
}

/* --- the gate as a resource --- */

static const char *ask(struct world *w, const char *id, enum model_status to, bool force)
{
    static char text[2048];
    struct arena *a = arena_new(1 << 20);
    struct err e = {0};
    const char *json;
    bool allowed;
    const struct gate_question q = {.view = world_view(w),
                                    .rules = &w->rules,
                                    .source = w->gate,
                                    .model = world_model(w, id),
                                    .to = to};
    assert_true(gate_resource(&q, force, a, &json, &allowed, &e));
    assert_int_equal(allowed, strncmp(json, "{\"allowed\":true,", 16) == 0);
    snprintf(text, sizeof text, "%s", json);
    arena_free(a);
    return text;
}

static void gate_as_resource(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "1");
    const char *free_pass = "{\"allowed\":true,\"evidence\":\"none\",\"conditions\":[]}";
    assert_string_equal(ask(w, "a:1", STATUS_CANARY, false), free_pass);
    assert_string_equal(ask(w, "a:1", STATUS_RETIRED, false), free_pass);
    assert_string_equal(ask(w, "a:1", STATUS_DEVELOPMENT, false), free_pass);
    assert_non_null(
        strstr(ask(w, "a:1", STATUS_STABLE, false), "{\"name\":\"lifecycle\",\"status\":\"fail\""));
    world_move(w, "a:1", "canary");
    require(w, "a", "{\"require_types\":[\"unit\"]}");
    assert_non_null(strstr(ask(w, "a:1", STATUS_STABLE, false),
                           "{\"allowed\":false,\"evidence\":\"none\",\"conditions\":[{\"name\":"
                           "\"test:unit\",\"status\":\"missing\""));
    assert_non_null(
        strstr(ask(w, "a:1", STATUS_STABLE, true), "{\"allowed\":true,\"evidence\":\"forced\""));
    world_ok(w, 200, NULL, model_hold, "a:1", NULL, "{\"reason\":\"x\"}");
    assert_non_null(strstr(ask(w, "a:1", STATUS_STABLE, true), "{\"allowed\":false,"));
    assert_non_null(
        strstr(ask(w, "a:1", STATUS_STABLE, false), "[{\"name\":\"hold\",\"status\":\"fail\""));
    assert_string_equal(ask(w, "a:1", STATUS_DEVELOPMENT, false), free_pass);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(supersede_is_one_change),
        T(promotions_are_never_a_draw),
        T(actions),
        T(promotion_is_recorded),
        T(gate_blocks),
        T(configuration_requires),
        T(force_passes_and_stays_marked),
        T(force_by_header_reason),
        T(held_is_promoted_by_nothing),
        T(a_hold_decides_who_is_previous),
        T(bodies),
        T(evidence_decides),
        T(gate_as_resource),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
