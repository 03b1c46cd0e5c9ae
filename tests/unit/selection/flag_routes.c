/* Which route a flag decides for, over a registry in one struct. */
#include "../registry/world.h"

#include "registry/route.h"
#include "selection/flag_routes.h"

static bool put_flag(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_replace(c, h, out, e);
}

static bool put_route(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&ROUTE_TYPE;
    return document_replace(c, h, out, e);
}

static void follows_the_view(void **state)
{
    (void)state;
    struct world *w = world_new();
    struct flag_routes *f = flag_routes_new();
    world_register(w, "m", "1");
    assert_true(
        world_run(w, put_flag, "f", NULL, "{\"variants\":{\"a\":1},\"default_variant\":\"a\"}"));
    assert_null(flag_route(f, world_view(w), "default", "f", 1));
    assert_true(
        world_run(w, put_route, "z", NULL, "{\"match\":{\"model_name\":\"m\"},\"flag\":\"f\"}"));
    assert_string_equal(flag_route(f, world_view(w), "default", "f", 1), "z");
    assert_null(flag_route(f, world_view(w), "other", "f", 1));
    assert_null(flag_route(f, world_view(w), "default", "g", 1));
    assert_true(
        world_run(w, put_route, "b", NULL, "{\"match\":{\"model_name\":\"m\"},\"flag\":\"f\"}"));
    assert_string_equal(flag_route(f, world_view(w), "default", "f", 1), "b"); /* the first */
    assert_true(world_run(w, put_route, "b", NULL, "{\"match\":{\"model_name\":\"m\"}}"));
    assert_string_equal(flag_route(f, world_view(w), "default", "f", 1), "z");
    flag_routes_free(f);
    flag_routes_free(NULL);
    world_free(w);
}

/* As after a loss: another history, as long as the one before. */
static void follows_another_state_of_the_same_length(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"z", "y"};
    struct flag_routes *f = flag_routes_new();
    uint64_t seq = 0;
    for (int i = 0; i < 2; i++) {
        struct world *w = world_new();
        world_register(w, "m", "1");
        assert_true(world_run(w, put_flag, "f", NULL,
                              "{\"variants\":{\"a\":1},\"default_variant\":\"a\"}"));
        assert_true(world_run(w, put_route, NAMES[i], NULL,
                              "{\"match\":{\"model_name\":\"m\"},\"flag\":\"f\"}"));
        assert_true(i == 0 || view_seq(world_view(w)) == seq);
        seq = view_seq(world_view(w));
        assert_string_equal(flag_route(f, world_view(w), "default", "f", 1), NAMES[i]);
        world_free(w);
    }
    flag_routes_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_the_view),
        cmocka_unit_test(follows_another_state_of_the_same_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
