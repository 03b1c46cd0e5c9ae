/* What things belong to, where all they tell is a model. */
#include "world.h"

#include "registry/decide.h"
#include "registry/documents.h"
#include "registry/grant.h"

static struct grants *mine; /* NULL: everything is allowed */

static int setup(void **state)
{
    struct world *w = *state = world_new();
    mine = NULL;
    world_register(w, "props", "1");
    return 0;
}

static int teardown(void **state)
{
    free(mine);
    world_free(*state);
    return 0;
}

static void i_have(const char *grants)
{
    free(mine);
    mine = calloc(1, grants_compile(NULL, grants, NULL));
    grants_compile(NULL, grants, mine);
}

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->grants = mine;
    c->actions = ACTION_BIT(ACTION_VALIDATION_WRITE);
    c->args = (void *)(uintptr_t)&TEST_CASE_TYPE;
    return document_create(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->grants = mine;
    c->actions = ACTION_BIT(ACTION_VALIDATION_WRITE);
    c->args = (void *)(uintptr_t)&TEST_CASE_TYPE;
    return document_patch(c, h, out, e);
}

static void judge(struct world *w, const char *status)
{
    const struct model *m = world_model(w, "props:1");
    struct health_change change = {m->entity.id, m->entity.uid, status, "because"};
    w->c.args = &change;
    world_ok(w, 204, NULL, health_changed, NULL, NULL, NULL);
}

/* The subject of the first journal entry of the last command. */
static const char *subject(struct world *w)
{
    struct journal_entry entry;
    journal_entry_make(&w->c, world_view(w), &w->changes.list[0],
                       (struct journal_place){1, 1, JOURNAL_FIRST_HASH}, w->arena, &entry);
    return journal_entry_subject(&entry);
}

static const char *owner(struct world *w, enum entity_kind kind, const char *id)
{
    const struct entity *e = view_get(world_view(w), kind, "default", id);
    assert_non_null(e);
    return view_owner(world_view(w), e);
}

/* The journal tells the health of a model under the model's name. */
static void health(void **state)
{
    struct world *w = *state;
    judge(w, "healthy");
    assert_string_equal(subject(w), "props");
    assert_string_equal(owner(w, ENTITY_HEALTH, "props:1"), "props");
    assert_string_equal(owner(w, ENTITY_MODEL, "props:1"), "props");
    assert_string_equal(owner(w, ENTITY_REGISTERED_MODEL, "props"), "props");
    world_ok(w, 201, NULL, model_replace, "other:1", NULL,
             "{\"name\":\"other\",\"version\":\"1\",\"type\":\"classifier\"}");
    assert_string_equal(subject(w), "other");
}

/* A test case of one model is its name's, by whatever reference it came. */
static void test_cases(void **state)
{
    struct world *w = *state;
    i_have("[{\"namespace\":\"default\",\"names\":[\"props\"],"
           "\"actions\":[\"validation.write\"]}]");
    world_ok(w, 201, "test_case.created", create, NULL, NULL,
             "{\"test_id\":\"a\",\"model_id\":\"props:1\",\"type\":\"unit\"}");
    assert_string_equal(subject(w), "props");
    world_ok(w, 201, "test_case.created", create, NULL, NULL,
             "{\"test_id\":\"b\",\"model_id\":\"props@latest\",\"type\":\"unit\"}");
    world_ok(w, 201, "test_case.created", create, NULL, NULL,
             "{\"test_id\":\"c\",\"model_name\":\"props\",\"type\":\"unit\"}");
    assert_string_equal(owner(w, ENTITY_TEST_CASE, "a"), "props");
    assert_string_equal(owner(w, ENTITY_TEST_CASE, "b"), "props");
    assert_string_equal(owner(w, ENTITY_TEST_CASE, "c"), "props");
    world_ok(w, 200, "test_case.updated", patch, "a", NULL, "{\"timeout_ms\":5}");
    /* Others' are neither made nor seen. */
    world_register(w, "other", "1");
    world_no(w, &FORBIDDEN, create, NULL, NULL,
             "{\"test_id\":\"d\",\"model_id\":\"other:1\",\"type\":\"unit\"}");
    world_no(w, &FORBIDDEN, patch, "a", NULL, "{\"model_id\":\"other:1\"}");
    i_have("[{\"namespace\":\"default\",\"names\":[\"props:1\",\"a\"],"
           "\"actions\":[\"validation.write\"]}]");
    world_no(w, &TEST_CASE_NOT_FOUND, patch, "a", NULL, "{\"timeout_ms\":6}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(health, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cases, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
