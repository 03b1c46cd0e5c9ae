/* What a flag may ask first: not itself, not too deep, not too much in all. */
#include "world.h"

#include "base/bytes.h"
#include "registry/flag.h"
#include "registry/flag_prerequisites.h"

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_create(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_patch(c, h, out, e);
}

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

/* The flag `KIND-LEVEL-i` with all `width` of the level below as prerequisites. */
static void put(struct world *w, const char *kind, int level, int i, int width, bool good)
{
    struct bytes b = BYTES_INIT(8192);
    bytes_printf(&b,
                 "{\"key\":\"%s-%d-%d\",\"variants\":{\"off\":0,\"on\":1},\"default_variant\":"
                 "\"on\",\"prerequisites\":[",
                 kind, level, i);
    for (int k = 0; level && k < width; k++)
        bytes_printf(&b, "%s{\"flag\":\"%s-%d-%d\",\"variants\":[\"on\"]}", k ? "," : "", kind,
                     level - 1, k);
    bytes_text(&b, "]}");
    if (good) {
        world_ok(w, 201, "flag.created", create, NULL, NULL, b.data);
    } else {
        world_no(w, &ERR_INVALID, create, NULL, NULL, b.data);
        assert_true(problem_says(w, "/prerequisites/0"));
    }
    bytes_release(&b);
}

static void up_to_sixteen_deep(void **state)
{
    struct world *w = *state;
    for (int level = 0; level <= FLAG_DEPTH_MAX; level++)
        put(w, "deep", level, 0, 1, true);
    put(w, "deep", FLAG_DEPTH_MAX + 1, 0, 1, false);
}

/* However many ways lead to them, each of those behind is looked at once. */
static void up_to_sixty_four_in_all(void **state)
{
    struct world *w = *state;
    for (int level = 0; level < FLAG_BEHIND_MAX / 16; level++)
        for (int i = 0; i < 16; i++)
            put(w, "wide", level, i, 16, true);
    put(w, "wide", FLAG_BEHIND_MAX / 16, 0, 16, true);
    put(w, "wide", FLAG_BEHIND_MAX / 16 + 1, 0, 1, false);
}

static void none_leads_back(void **state)
{
    struct world *w = *state;
    for (int level = 0; level < 3; level++)
        put(w, "a", level, 0, 1, true);
    for (int level = 0; level < 3; level++) {
        char body[128];
        snprintf(body, sizeof body,
                 "{\"prerequisites\":[{\"flag\":\"a-%d-0\",\"variants\":[\"on\"]}]}", level);
        world_no(w, &ERR_INVALID, patch, "a-0-0", NULL, body);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(up_to_sixteen_deep, setup, teardown),
        cmocka_unit_test_setup_teardown(up_to_sixty_four_in_all, setup, teardown),
        cmocka_unit_test_setup_teardown(none_leads_back, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
