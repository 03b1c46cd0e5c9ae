/* Denials: gathered by who was refused, and bounded. */
#include "world.h"

#include "registry/decide.h"
#include "registry/denial.h"

static const char *who;
static struct denial_note note;

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

static bool add(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->actor.id = who;
    c->args = &note;
    return denial_add(c, h, out, e);
}

static void refuse(struct world *w, const char *id, int64_t count, int64_t at)
{
    who = id;
    note = (struct denial_note){count, at, "[{\"operation\":\"model_get\"}]"};
    world_ok(w, 204, "auth.denied", add, NULL, NULL, NULL);
}

static const struct denial *of(struct world *w, const char *ns, const char *id)
{
    const struct document *d = view_document(world_view(w), &DENIAL_TYPE, ns, id);
    return d ? d->fields : NULL;
}

static void gathered_by_actor(void **state)
{
    struct world *w = *state;
    refuse(w, "ci", 3, 1000);
    refuse(w, "ci", 4, 2000);
    refuse(w, "other", 1, 3000);
    assert_int_equal(of(w, "default", "ci")->count, 7);
    assert_int_equal(of(w, "default", "ci")->last_at, 2000);
    assert_string_equal(of(w, "default", "ci")->actor_kind, "token");
    assert_string_equal(of(w, "default", "ci")->cases, "[{\"operation\":\"model_get\"}]");
    assert_int_equal(of(w, "default", "ci")->head.revision, 2);
    assert_int_equal(of(w, "default", "other")->count, 1);
    w->ns = "team";
    refuse(w, "ci", 1, 4000);
    assert_int_equal(of(w, "team", "ci")->count, 1);
    assert_int_equal(of(w, "default", "ci")->count, 7);
}

/* Past the bound new ones are counted together; those that are known go on by themselves. */
static void bounded(void **state)
{
    struct world *w = *state;
    char id[32];
    w->unchecked = true;
    w->ns = "team";
    for (int i = 0; i < DENIALS_MAX; i++) {
        snprintf(id, sizeof id, "t-%d", i);
        refuse(w, id, 1, 1000 + i);
    }
    assert_null(of(w, "default", "others"));
    refuse(w, "one-more", 5, 9000);
    refuse(w, "another", 6, 9001);
    refuse(w, "t-17", 2, 9002);
    assert_null(of(w, "team", "one-more"));
    assert_int_equal(of(w, "default", "others")->count, 11);
    assert_int_equal(of(w, "team", "t-17")->count, 3);
    assert_int_equal(view_count(world_view(w), ENTITY_DENIAL), DENIALS_MAX + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gathered_by_actor, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
