#include "world.h"

#include "base/mem.h"
#include "registry/model_fields.h"
#include "registry/route.h"

/* Versions 1, 2, 3 have been stable in turn; 3 is now. */
static int setup(void **state)
{
    struct world *w = *state = world_new();
    static const char *const ids[] = {"a:1", "a:2", "a:3"}, *const versions[] = {"1", "2", "3"};
    for (int i = 0; i < 3; i++) {
        world_register(w, "a", versions[i]);
        world_move(w, ids[i], "canary");
        world_move(w, ids[i], "stable");
    }
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void to_the_previous(void **state)
{
    struct world *w = *state;
    w->now_ms += 1000;
    world_ok(w, 200, "model.rolled_back,model.rolled_back_from,registered_model.updated",
             name_rollback, "a", NULL, "{\"reason\":\"INC-4711\"}");
    assert_string_equal(
        w->c.answer.body,
        "{\"from\":\"a:3\",\"to\":\"a:2\",\"experiments_stopped\":[],\"warnings\":[]}");
    assert_string_equal(w->reason, "INC-4711");
    assert_string_equal(w->evidence, "{\"rollback\":{\"from\":\"a:3\",\"to\":\"a:2\"}}");
    assert_string_equal(world_status(w, "a:2"), "stable");
    assert_string_equal(world_status(w, "a:3"), "deprecated");
    assert_true(world_model(w, "a:3")->held);
    assert_non_null(
        strstr(world_model(w, "a:3")->entity.json, "\"hold\":{\"reason\":\"INC-4711\""));
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:2");
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:1");
}

/* Each rollback goes one further back: the losers are held and so no way back. */
static void again_and_again(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, name_rollback, "a", NULL, NULL);
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{}");
    assert_string_equal(
        w->c.answer.body,
        "{\"from\":\"a:2\",\"to\":\"a:1\",\"experiments_stopped\":[],\"warnings\":[]}");
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "a", NULL, "{}");
    assert_true(problem_says(w, "2 held, 0 retired"));
    assert_string_equal(world_status(w, "a:1"), "stable");
    world_ok(w, 204, NULL, model_release, "a:3", NULL, NULL);
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{\"to\":null}");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:3");
    assert_null(world_name(w, "a")->previous_stable_model_id);
}

static void to_a_given_one(void **state)
{
    struct world *w = *state;
    world_register(w, "a", "4");
    world_register(w, "b", "1");
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "a", NULL, "{\"to\":\"a:3\"}");
    assert_true(problem_says(w, "it is stable now"));
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "a", NULL, "{\"to\":\"a:4\"}");
    assert_true(problem_says(w, "it has never been stable"));
    world_no(w, &BAD_REFERENCE, name_rollback, "a", NULL, "{\"to\":\"b:1\"}");
    world_no(w, &BAD_REFERENCE, name_rollback, "a", NULL, "{\"to\":\"a:9\"}");
    assert_true(problem_says(w, "\"field\":\"/to\""));
    world_ok(w, 200, NULL, model_hold, "a:1", NULL, "{\"reason\":\"x\"}");
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "a", NULL, "{\"to\":\"a:1\"}");
    assert_true(problem_says(w, "it is held"));
    world_ok(w, 204, NULL, model_release, "a:1", NULL, NULL);
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{\"to\":\"a:1\"}");
    assert_string_equal(world_name(w, "a")->stable_model_id, "a:1");
    assert_string_equal(world_name(w, "a")->previous_stable_model_id, "a:2");
    world_move(w, "a:2", "retired");
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "a", NULL, "{\"to\":\"a:2\"}");
    assert_true(problem_says(w, "it is not deprecated"));
}

static void dry_run_changes_nothing(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, alias_put, "a", "best", "{\"model_id\":\"a:3\"}");
    world_register(w, "a", "4");
    world_move(w, "a:4", "canary");
    world_ok(w, 200, NULL, model_transition, "a:4", NULL,
             "{\"status\":\"stable\",\"supersede\":false}");
    world_ok(w, 200, NULL, alias_put, "a", "next", "{\"model_id\":\"a:4\"}");
    world_ok(w, 200, "", name_rollback, "a", NULL, "{\"dry_run\":true}");
    char *dry = strdup(w->c.answer.body);
    assert_string_equal(
        dry, "{\"from\":\"a:4\",\"to\":\"a:2\",\"experiments_stopped\":[],\"warnings\":["
             "\"another version, 'a:3' stays stable beside it\",\"the alias 'next' still points "
             "at the version that is taken out of service\"]}");
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{\"dry_run\":false}");
    assert_string_equal(w->c.answer.body, dry);
    assert_string_equal(world_status(w, "a:3"), "stable");
    free(dry);
}

static bool create_route(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&ROUTE_TYPE;
    return document_create(c, h, out, e);
}

/* By its id the loser cannot be had either, but somebody should look there. */
static void routes_that_name_the_loser_are_told(void **state)
{
    struct world *w = *state;
    world_ok(
        w, 201, NULL, create_route, NULL, NULL,
        "{\"route\":\"by-id\",\"match\":{\"model_name\":\"a\"},\"arms\":{\"new\":\"a:3\",\"old\":"
        "\"a:2\"},\"strategy\":\"weighted\",\"params\":{\"weights\":{\"new\":5,\"old\":95}}}");
    world_ok(
        w, 201, NULL, create_route, NULL, NULL,
        "{\"route\":\"by-alias\",\"match\":{\"model_name\":\"a\"},\"arms\":{\"new\":\"a@stable\","
        "\"old\":\"a:2\"},\"strategy\":\"weighted\",\"params\":{\"weights\":{\"new\":5}}}");
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{}");
    assert_string_equal(w->c.answer.body,
                        "{\"from\":\"a:3\",\"to\":\"a:2\",\"experiments_stopped\":[],\"warnings\":["
                        "\"the route 'by-id' has an arm that names the version that is taken out: "
                        "its fallbacks serve that share\"]}");
}

/* The stable was taken away by hand: a rollback brings it back, and there is no loser. */
static void without_a_stable(void **state)
{
    struct world *w = *state;
    world_move(w, "a:3", "deprecated");
    world_ok(w, 200, "model.rolled_back,registered_model.updated", name_rollback, "a", NULL, "{}");
    assert_string_equal(answer_member(w, "from"), "null");
    assert_string_equal(answer_member(w, "to"), "a:3");
}

/* Without a gate, whatever the name demands of promotions. */
static void needs_no_gate(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL,
             "{\"gate\":{\"stable\":{\"require_types\":[\"unit\"]}}}");
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{}");
}

static void refusals(void **state)
{
    struct world *w = *state;
    world_register(w, "b", "1");
    world_no(w, &NOTHING_TO_ROLL_BACK_TO, name_rollback, "b", NULL, "{}");
    world_no(w, &REGISTERED_MODEL_NOT_FOUND, name_rollback, "c", NULL, "{}");
    world_no(w, &ERR_UNKNOWN_FIELD, name_rollback, "a", NULL, "{\"too\":\"a:1\"}");
    w->if_match = 1;
    world_no(w, &REVISION_MISMATCH, name_rollback, "a", NULL, "{}");
}

/* A model or name with the longest text that a client may give it can be rolled back all the same:
 * what that adds is the server's. */
static void of_the_longest_texts(void **state)
{
    struct world *w = *state;
    struct bytes body = BYTES_INIT(4 << 20);
    char value[8192], *text;
    memset(value, 'v', sizeof value);
    bytes_text(&body, "{\"description\":\"\",\"labels\":{");
    for (int i = 0; i < 254; i++)
        bytes_printf(&body, "%s\"%d\":\"%.*s\"", i ? "," : "", i, (int)sizeof value, value);
    bytes_text(&body, "}}");
    world_ok(w, 200, NULL, model_patch, "a:3", NULL, body.data);
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL, body.data);
    const struct entity *full[] = {&world_model(w, "a:3")->entity, &world_name(w, "a")->entity};
    bool (*const patch[])(struct command *, struct head *, struct changes *,
                          struct err *) = {model_patch, registered_model_patch};
    static const char *const ids[] = {"a:3", "a"};
    for (int i = 0; i < 2; i++) {
        size_t left = ENTITY_TEXT_MAX - full[i]->json_len;
        text = mem_zero(left + 64, 1);
        memset(text, 'x', left + 40);
        memcpy(text, "{\"description\":\"", 16);
        memcpy(text + 16 + left + 1, "\"}", 3);
        world_no(w, &ERR_INVALID, patch[i], ids[i], NULL, text);
        memcpy(text + 16 + left, "\"}", 3);
        world_ok(w, 200, NULL, patch[i], ids[i], NULL, text);
        free(text);
    }
    assert_int_equal(world_model(w, "a:3")->entity.json_len, ENTITY_TEXT_MAX);
    assert_int_equal(world_name(w, "a")->entity.json_len, ENTITY_TEXT_MAX);
    world_ok(w, 200, NULL, name_rollback, "a", NULL, "{\"reason\":\"INC-4711\"}");
    assert_string_equal(world_status(w, "a:2"), "stable");
    assert_true(world_model(w, "a:3")->entity.json_len > ENTITY_TEXT_MAX);
    world_no(w, &ERR_INVALID, model_patch, "a:3", NULL, "{\"endpoint\":\"https://a\"}");
    world_ok(w, 200, NULL, model_patch, "a:3", NULL, "{\"description\":\"\"}");
    bytes_release(&body);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(to_the_previous),
        T(again_and_again),
        T(to_a_given_one),
        T(dry_run_changes_nothing),
        T(without_a_stable),
        T(needs_no_gate),
        T(refusals),
        T(of_the_longest_texts),
        T(routes_that_name_the_loser_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
