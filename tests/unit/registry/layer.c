/* Flags that share units without overlapping: what a layer must be, and where units fall. */
#include "world.h"

#include "base/bucket.h"
#include "registry/flag.h"
#include "registry/layer.h"

static bool create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&LAYER_TYPE;
    return document_create(c, h, out, e);
}

static bool patch(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&LAYER_TYPE;
    return document_patch(c, h, out, e);
}

static bool erase(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&LAYER_TYPE;
    return document_delete(c, h, out, e);
}

static bool flag_create(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_create(c, h, out, e);
}

static bool flag_erase(struct command *c, struct head *h, struct changes *out, struct err *e)
{
    c->args = (void *)(uintptr_t)&FLAG_TYPE;
    return document_delete(c, h, out, e);
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

static void ranges_do_not_overlap(void **state)
{
    static const char *const WRONG[] = {
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":10},{\"flag\":\"b\",\"from\":9,\"to\":20}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":10},{\"flag\":\"a\",\"from\":5,\"to\":6}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":10}],\"holdout\":{\"from\":9,\"to\":11}",
        "\"ranges\":[{\"flag\":\"a\",\"from\":10,\"to\":10}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":-1,\"to\":10}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":100001}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":1.5}]",
        "\"ranges\":[{\"flag\":\"no good\",\"from\":0,\"to\":1}]",
        "\"ranges\":[{\"from\":0,\"to\":1}]",
        "\"ranges\":[{\"flag\":\"a\",\"from\":0,\"to\":1,\"more\":1}]",
        "\"ranges\":{}",
        "\"holdout\":{\"from\":5,\"to\":5}",
        "\"holdout\":[0,5]",
    };
    struct world *w = *state;
    char body[400];
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        snprintf(body, sizeof body, "{\"layer\":\"l\",%s}", WRONG[i]);
        if (world_run(w, create, NULL, NULL, body))
            fail_msg("granted: %s", WRONG[i]);
        assert_ptr_equal(w->c.err.kind, &ERR_INVALID);
    }
    /* Those that touch do not overlap, in whatever order they are written. */
    world_ok(w, 201, "layer.created", create, NULL, NULL,
             "{\"layer\":\"l\",\"ranges\":[{\"flag\":\"b\",\"from\":10,\"to\":20},{\"flag\":\"a\","
             "\"from\":0,\"to\":10}],\"holdout\":{\"from\":20,\"to\":100000}}");
    world_no(w, &ERR_INVALID, patch, "l", NULL, "{\"holdout\":{\"from\":19,\"to\":100000}}");
    assert_true(problem_says(w, "b and the holdout overlap at 19"));
}

/* Around the very place of a unit: `from` is in a range, `to` is not. */
static void a_unit_is_in_one_place(void **state)
{
    struct world *w = *state;
    static const char UNIT[] = "u1";
    const struct document *d;
    const uint32_t at = bucket_of("l", BUCKET_LAYER, UNIT, sizeof UNIT - 1);
    uint32_t bucket;
    char body[400];
    assert_true(at > 1 && at + 2 < BUCKETS);
    const struct {
        uint32_t a_from, a_to, b_from, b_to, out_from, out_to;
        enum layer_place a, b;
    } CASES[] = {
        {at, at + 1, 0, at, at + 1, BUCKETS, LAYER_IN, LAYER_OUT},
        {0, at, at, at + 1, at + 1, BUCKETS, LAYER_OUT, LAYER_IN},
        {0, at, at + 1, BUCKETS, at, at + 1, LAYER_HOLDOUT, LAYER_HOLDOUT},
        {0, at, at + 1, at + 2, at + 2, BUCKETS, LAYER_OUT, LAYER_OUT}, /* nobody's */
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        snprintf(body, sizeof body,
                 "{\"layer\":\"l\",\"ranges\":[{\"flag\":\"a\",\"from\":%u,\"to\":%u},{\"flag\":"
                 "\"b\",\"from\":%u,\"to\":%u}],\"holdout\":{\"from\":%u,\"to\":%u}}",
                 CASES[i].a_from, CASES[i].a_to, CASES[i].b_from, CASES[i].b_to, CASES[i].out_from,
                 CASES[i].out_to);
        world_ok(w, 201, NULL, create, NULL, NULL, body);
        d = view_document(world_view(w), &LAYER_TYPE, w->ns, "l");
        assert_int_equal(layer_place(d, "a", UNIT, 2, &bucket), CASES[i].a);
        assert_int_equal(bucket, at);
        assert_int_equal(layer_place(d, "b", UNIT, 2, &bucket), CASES[i].b);
        world_ok(w, 204, NULL, erase, "l", NULL, NULL);
    }
    /* Another salt is another place. */
    world_ok(w, 201, NULL, create, NULL, NULL, "{\"layer\":\"l\",\"salt\":\"s\"}");
    d = view_document(world_view(w), &LAYER_TYPE, w->ns, "l");
    assert_int_equal(layer_place(d, "a", UNIT, 2, &bucket), LAYER_OUT);
    assert_int_equal(bucket, bucket_of("s", BUCKET_LAYER, UNIT, 2));
    assert_int_not_equal(bucket, at);
}

static void one_that_flags_are_in_stays(void **state)
{
    struct world *w = *state;
    world_ok(w, 201, NULL, create, NULL, NULL, "{\"layer\":\"l\"}");
    world_ok(w, 201, NULL, flag_create, NULL, NULL,
             "{\"key\":\"f\",\"variants\":{\"off\":0,\"on\":1},\"default_variant\":\"off\","
             "\"layer\":\"l\"}");
    world_no(w, &LAYER_IN_USE, erase, "l", NULL, NULL);
    assert_true(problem_says(w, "\"f\""));
    world_ok(w, 204, NULL, flag_erase, "f", NULL, NULL);
    world_ok(w, 204, "layer.deleted", erase, "l", NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranges_do_not_overlap, setup, teardown),
        cmocka_unit_test_setup_teardown(a_unit_is_in_one_place, setup, teardown),
        cmocka_unit_test_setup_teardown(one_that_flags_are_in_stays, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
