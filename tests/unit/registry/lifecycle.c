#include "world.h"

/* The contract's table, written down once more as it reads there. */
static const char *const LEGAL[][2] = {
    {"development", "canary"}, {"development", "retired"}, {"canary", "stable"},
    {"canary", "development"}, {"canary", "retired"},      {"stable", "deprecated"},
    {"deprecated", "stable"},  {"deprecated", "retired"},
};

static bool legal(const char *from, const char *to)
{
    for (size_t i = 0; i < sizeof LEGAL / sizeof *LEGAL; i++)
        if (strcmp(LEGAL[i][0], from) == 0 && strcmp(LEGAL[i][1], to) == 0)
            return true;
    return false;
}

static void names_and_back(void **state)
{
    (void)state;
    for (int s = 0; s < STATUS_COUNT; s++)
        assert_int_equal(status_parse(status_name((enum model_status)s)), s);
    assert_int_equal(status_parse("production"), -1);
    assert_int_equal(status_parse(NULL), -1);
}

static void table(void **state)
{
    (void)state;
    for (int from = 0; from < STATUS_COUNT; from++)
        for (int to = 0; to < STATUS_COUNT; to++)
            assert_int_equal(
                status_may((enum model_status)from, (enum model_status)to),
                legal(status_name((enum model_status)from), status_name((enum model_status)to)));
}

/* Steps that bring a fresh model to each status. */
static const char *const WAY[STATUS_COUNT][4] = {
    [STATUS_DEVELOPMENT] = {NULL},
    [STATUS_CANARY] = {"canary", NULL},
    [STATUS_STABLE] = {"canary", "stable", NULL},
    [STATUS_DEPRECATED] = {"canary", "stable", "deprecated", NULL},
    [STATUS_RETIRED] = {"retired", NULL},
};

static void step(enum model_status from, enum model_status to)
{
    struct world *w = world_new();
    char body[64], expect[64];
    world_register(w, "a", "1");
    for (size_t i = 0; WAY[from][i]; i++)
        world_move(w, "a:1", WAY[from][i]);
    int64_t revision = world_model(w, "a:1")->entity.revision;
    snprintf(body, sizeof body, "{\"status\":\"%s\"}", status_name(to));
    w->now_ms += 1000;
    if (from == to) {
        world_ok(w, 200, "", model_transition, "a:1", NULL, body);
        assert_int_equal(world_model(w, "a:1")->entity.revision, revision);
    } else if (legal(status_name(from), status_name(to))) {
        world_ok(w, 200, NULL, model_transition, "a:1", NULL, body);
        assert_string_equal(answer_member(w, "status"), status_name(to));
        assert_string_equal(answer_member(w, "superseded"), "[]");
        assert_int_equal(world_model(w, "a:1")->status_changed_at, w->now_ms);
        assert_int_equal(world_model(w, "a:1")->entity.revision, revision + 1);
    } else {
        world_no(w, &ILLEGAL_TRANSITION, model_transition, "a:1", NULL, body);
        snprintf(expect, sizeof expect, "\"from\":\"%s\",\"to\":\"%s\",\"legal\":[",
                 status_name(from), status_name(to));
        assert_non_null(strstr(w->c.err.members, expect));
        for (int s = 0; s < STATUS_COUNT; s++) {
            const char *list = strstr(w->c.err.members, "\"legal\"");
            snprintf(expect, sizeof expect, "\"%s\"", status_name((enum model_status)s));
            assert_int_equal(strstr(list, expect) != NULL,
                             legal(status_name(from), status_name((enum model_status)s)));
        }
    }
    world_free(w);
}

static void every_step(void **state)
{
    (void)state;
    for (int from = 0; from < STATUS_COUNT; from++)
        for (int to = 0; to < STATUS_COUNT; to++)
            step((enum model_status)from, (enum model_status)to);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_back),
        cmocka_unit_test(table),
        cmocka_unit_test(every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
