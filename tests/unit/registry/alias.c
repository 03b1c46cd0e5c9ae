#include "world.h"

static int setup(void **state)
{
    struct world *w = *state = world_new();
    world_register(w, "a", "1");
    world_register(w, "a", "2");
    world_register(w, "b", "1");
    return 0;
}

static int teardown(void **state)
{
    world_free(*state);
    return 0;
}

static void sets_moves_and_removes(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, "model.aliases_changed,alias.set", alias_put, "a", "best",
             "{\"model_id\":\"a:1\"}");
    assert_string_equal(w->c.answer.body, "{\"alias\":\"best\",\"model_id\":\"a:1\"}");
    assert_int_equal(w->c.answer.revision, world_name(w, "a")->entity.revision);
    world_ok(w, 200, "", alias_put, "a", "best", "{\"model_id\":\"a:1\"}");
    world_ok(w, 200, NULL, alias_put, "a", "alt", "{\"model_id\":\"a@best\"}");
    assert_non_null(strstr(world_model(w, "a:1")->entity.json, "\"aliases\":[\"alt\",\"best\"]"));
    world_ok(w, 200, "model.aliases_changed,model.aliases_changed,alias.moved", alias_put, "a",
             "best", "{\"model_id\":\"a@latest\"}");
    assert_non_null(strstr(world_model(w, "a:1")->entity.json, "\"aliases\":[\"alt\"]"));
    assert_non_null(strstr(world_model(w, "a:2")->entity.json, "\"aliases\":[\"best\"]"));
    assert_non_null(
        strstr(world_name(w, "a")->entity.json, "\"aliases\":{\"alt\":\"a:1\",\"best\":\"a:2\"}"));
    world_ok(w, 204, "model.aliases_changed,alias.removed", alias_delete, "a", "best", NULL);
    world_no(w, &ALIAS_NOT_FOUND, alias_delete, "a", "best", NULL);
    assert_non_null(strstr(world_model(w, "a:2")->entity.json, "\"aliases\":[]"));
}

static void refusals(void **state)
{
    struct world *w = *state;
    static const char *const reserved[] = {"stable", "canary", "previous", "latest"};
    for (size_t i = 0; i < 4; i++) {
        world_no(w, &ALIAS_RESERVED, alias_put, "a", reserved[i], "{\"model_id\":\"a:1\"}");
        world_no(w, &ALIAS_RESERVED, alias_delete, "a", reserved[i], NULL);
    }
    world_no(w, &ERR_INVALID, alias_put, "a", "no spaces", "{\"model_id\":\"a:1\"}");
    world_no(w, &BAD_REFERENCE, alias_put, "a", "x", "{\"model_id\":\"a:9\"}");
    world_no(w, &BAD_REFERENCE, alias_put, "a", "x", "{\"model_id\":\"b:1\"}");
    assert_true(problem_says(w, "\"field\":\"/model_id\""));
    world_no(w, &ERR_INVALID, alias_put, "a", "x", "{}");
    world_no(w, &ERR_UNKNOWN_FIELD, alias_put, "a", "x", "{\"model_id\":\"a:1\",\"force\":true}");
    world_no(w, &REGISTERED_MODEL_NOT_FOUND, alias_put, "c", "x", "{\"model_id\":\"a:1\"}");
    w->if_match = 17;
    world_no(w, &REVISION_MISMATCH, alias_put, "a", "x", "{\"model_id\":\"a:1\"}");
}

static void protected_ones_follow_the_gate(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL,
             "{\"gate\":{\"stable\":{\"require_types\":[\"unit\"]}}}");
    world_no(w, &PROMOTION_BLOCKED, alias_put, "a", "champion", "{\"model_id\":\"a:1\"}");
    assert_non_null(strstr(w->c.err.members, "test:unit"));
    world_ok(w, 200, NULL, alias_put, "a", "other", "{\"model_id\":\"a:1\"}");
    world_ok(w, 200, NULL, registered_model_patch, "a", NULL, "{\"gate\":null}");
    world_ok(w, 200, NULL, model_hold, "a:1", NULL, "{\"reason\":\"x\"}");
    world_no(w, &MODEL_HELD, alias_put, "a", "champion", "{\"model_id\":\"a:1\"}");
    world_ok(w, 200, "model.aliases_changed,alias.set", alias_put, "a", "champion",
             "{\"model_id\":\"a:2\"}");
    assert_non_null(strstr(w->changes.list[1].evidence, "{\"to\":\"champion\",\"allowed\":true"));
}

static void at_most_256(void **state)
{
    struct world *w = *state;
    char alias[16];
    w->unchecked = true;
    for (int i = 0; i < 256; i++) {
        snprintf(alias, sizeof alias, "x%d", i);
        world_ok(w, 200, NULL, alias_put, "a", alias, "{\"model_id\":\"a:1\"}");
    }
    world_no(w, &ERR_INVALID, alias_put, "a", "one-more", "{\"model_id\":\"a:1\"}");
    world_ok(w, 200, NULL, alias_put, "a", "x7", "{\"model_id\":\"a:2\"}");
    world_check(w);
}

/* --- references --- */

static const char *leads_to(struct world *w, const char *reference, const struct err_kind *kind)
{
    struct err e = {0};
    const struct model *m = view_resolve(world_view(w), "default", reference, &e);
    if (!m)
        assert_ptr_equal(e.kind, kind);
    return m ? m->entity.id : "";
}

static void references(void **state)
{
    struct world *w = *state;
    world_ok(w, 200, NULL, alias_put, "a", "best", "{\"model_id\":\"a:1\"}");
    assert_string_equal(leads_to(w, "a:1", NULL), "a:1");
    assert_string_equal(leads_to(w, "a@best", NULL), "a:1");
    assert_string_equal(leads_to(w, "a@latest", NULL), "a:2");
    assert_string_equal(leads_to(w, "a@canary", &ALIAS_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "a@stable", &ALIAS_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "a@previous", &ALIAS_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "a@none", &ALIAS_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "a@", &ALIAS_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "c@stable", &MODEL_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "@stable", &MODEL_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "a:3", &MODEL_NOT_FOUND), "");
    assert_string_equal(leads_to(w, "", &MODEL_NOT_FOUND), "");
    world_move(w, "a:2", "canary");
    world_move(w, "a:1", "canary");
    assert_string_equal(leads_to(w, "a@canary", NULL),
                        "a:2"); /* the newest, not the one promoted last */
    world_move(w, "a:1", "stable");
    world_move(w, "a:2", "stable");
    assert_string_equal(leads_to(w, "a@stable", NULL), "a:2");
    assert_string_equal(leads_to(w, "a@previous", NULL), "a:1");
    assert_string_equal(leads_to(w, "a@canary", &ALIAS_NOT_FOUND), "");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(sets_moves_and_removes),
        T(refusals),
        T(protected_ones_follow_the_gate),
        T(at_most_256),
        T(references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
