/* Thousands of random commands. After each, world_check() holds the whole state against the rules
 * that must always be true: the aggregate's counters, who is @stable and @previous, the aliases on
 * both sides, the texts, the journal's chain. */
#include "world.h"

#include "dice.h"

static const char *const NAMES[] = {"a", "b", "c d", "renamed"};
static const char *const STATUSES[] = {"development", "canary", "stable", "deprecated", "retired"};
static const char *const ALIASES[] = {"champion", "best", "x", "stable"};

static const char *some_id(uint64_t *r)
{
    static char id[40];
    static const char *const builtin[] = {"stable", "canary", "previous", "latest", "best"};
    if (dice(r, 5) == 0)
        snprintf(id, sizeof id, "%s@%s", NAMES[dice(r, 4)], builtin[dice(r, 5)]);
    else
        snprintf(id, sizeof id, "%s:%u", NAMES[dice(r, 4)], 1 + dice(r, 8));
    return id;
}

static void random_edit(uint64_t *r, char *body, size_t size)
{
    static const char *const edits[] = {
        "\"sport\":\"nba\"",
        "\"sport\":null",
        "\"description\":\"d\\n\\\"\"",
        "\"labels\":{\"a\":\"b\"}",
        "\"labels\":{\"a\":null}",
        "\"source\":\"s3://x\"",
        "\"version\":\"9\"",
        "\"version\":\"v1\"",
        "\"runtime\":{\"kind\":\"exec\",\"command\":[\"/bin/x\"]}",
        "\"runtime\":null",
        "\"signature\":[1,{}]",
        "\"training_metrics\":{\"auc\":0.5}",
        "\"type\":\"ranker\"",
        "\"baseline_model_id\":\"a:1\"",
    };
    snprintf(body, size, "{%s}", edits[dice(r, sizeof edits / sizeof *edits)]);
}

/* One random command; returns whether it was granted. */
static bool one(struct world *w, uint64_t *r)
{
    char body[400], id[40], name[16];
    snprintf(id, sizeof id, "%s", some_id(r));
    snprintf(name, sizeof name, "%s", NAMES[dice(r, 4)]);
    w->now_ms += dice(r, 3) * 1000;
    if (dice(r, 12) == 0)
        w->if_match = 1 + dice(r, 6);
    switch (dice(r, 14)) {
    case 0:
    case 1:
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"type\":\"classifier\"}", name);
        return world_run(w, model_register, NULL, NULL, body);
    case 2: random_edit(r, body, sizeof body); return world_run(w, model_patch, id, NULL, body);
    case 3:
        snprintf(body, sizeof body, "{\"name\":\"%s\",\"type\":\"ranker\",\"sport\":\"nfl\"}",
                 name);
        return world_run(w, model_replace, id, NULL, body);
    case 4: return world_run(w, model_delete, id, NULL, NULL);
    case 5:
    case 6:
    case 7:
    case 8:
        snprintf(body, sizeof body, "{\"status\":\"%s\",\"supersede\":%s%s}", STATUSES[dice(r, 5)],
                 dice(r, 3) ? "true" : "false",
                 dice(r, 6) ? "" : ",\"force\":true,\"reason\":\"r\"");
        return world_run(w, model_transition, id, NULL, body);
    case 9: return world_run(w, model_hold, id, NULL, "{\"reason\":\"why\"}");
    case 10: return world_run(w, model_release, id, NULL, NULL);
    case 11:
        snprintf(body, sizeof body, "{\"model_id\":\"%s\"}", id);
        return dice(r, 4) ? world_run(w, alias_put, name, ALIASES[dice(r, 4)], body)
                          : world_run(w, alias_delete, name, ALIASES[dice(r, 4)], NULL);
    case 12:
        return world_run(w, name_rollback, name, NULL, dice(r, 2) ? "{}" : "{\"dry_run\":true}");
    default:
        if (dice(r, 12) == 0)
            return world_run(w, registered_model_delete, name, NULL, NULL);
        if (dice(r, 2))
            snprintf(body, sizeof body, "{\"name\":\"%s\"}", NAMES[dice(r, 4)]);
        else
            snprintf(body, sizeof body, "{\"gate\":{\"stable\":{\"require_types\":[%s]}}}",
                     dice(r, 3) ? "" : "\"unit\"");
        return world_run(w, registered_model_patch, name, NULL, body);
    }
}

struct texts {
    char *list[400];
    const char *ids[400];
    size_t n;
};

static bool note(const struct entity *e, void *ctx)
{
    struct texts *t = ctx;
    t->ids[t->n] = e->id;
    t->list[t->n++] = strdup(e->json);
    return t->n < 400;
}

/* Whatever state a model is in: what GET gives may be PUT or PATCHed back, and nothing changes. */
static void put_all_back(struct world *w)
{
    struct texts models = {.n = 0}, names = {.n = 0};
    view_each(world_view(w), ENTITY_MODEL, note, &models);
    view_each(world_view(w), ENTITY_REGISTERED_MODEL, note, &names);
    for (size_t i = 0; i < models.n; i++) {
        world_ok(w, 200, "", model_replace, models.ids[i], NULL, models.list[i]);
        world_ok(w, 200, "", model_patch, models.ids[i], NULL, models.list[i]);
        assert_string_equal(w->c.answer.body, models.list[i]);
        free(models.list[i]);
    }
    for (size_t i = 0; i < names.n; i++) {
        world_ok(w, 200, "", registered_model_patch, names.ids[i], NULL, names.list[i]);
        free(names.list[i]);
    }
}

static void random_commands(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct world *w = world_new();
        uint64_t r = seed;
        int granted = 0, changed = 0;
        for (int i = 0; i < 1200; i++) {
            bool ok = one(w, &r);
            granted += ok;
            changed += w->changes.n > 0;
            if (i % 400 == 399)
                put_all_back(w);
        }
        assert_true(granted > 300); /* the dice do reach the rules behind the refusals */
        assert_true(changed > 200);
        world_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_commands)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
