/* 100,000 models must fit into memory beside everything else, so the size of one is a promise. */
#include "world.h"

#include "registry/index.h"

#include <malloc.h>

static const char TYPICAL[] = "{\"name\":\"nba-props\",\"version\":\"2.1.0\",\"type\":"
                              "\"classifier\",\"sport\":\"nba\",\"deployment_target\":"
                              "\"prod-us-east\",\"endpoint\":\"https://"
                              "nba.prod:8443\",\"labels\":{\"team\":\"odds\"},\"source\":"
                              "\"s3://models/nba/2.1.0\",\"source_digest\":\"sha256:"
                              "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\","
                              "\"training_metrics\":{\"auc\":0.93},"
                              "\"runtime\":{\"kind\":\"openinference\",\"url\":\"http://"
                              "10.0.0.7:8080\",\"model_name\":\"nba-props\"}}";

static void one_typical_model(void **state)
{
    struct world *w = world_new();
    (void)state;
    world_ok(w, 201, NULL, model_register, NULL, NULL, TYPICAL);
    world_ok(w, 200, NULL, alias_put, "nba-props", "best", "{\"model_id\":\"nba-props:2.1.0\"}");
    world_move(w, "nba-props:2.1.0", "canary");
    const struct model *m = world_model(w, "nba-props:2.1.0");
    size_t block = malloc_usable_size((void *)(uintptr_t)m) + sizeof(size_t);
    /* Three places in indexes whose chunks are at least half full, and what describes the chunks.
     */
    size_t places =
        3 * (2 * sizeof(void *) + (sizeof(struct chunk) - CHUNK_MAX * sizeof(void *)) / 128 + 1);
    print_message("a typical model: %zu bytes, of which %zu JSON, %zu struct; %zu in indexes\n",
                  block, m->entity.json_len, sizeof *m, places);
    assert_true(block + places < 1400);
    assert_true(block < m->entity.json_len + sizeof *m + 200);
    world_free(w);
}

/* Registering and changing for ever leaves nothing behind. */
static void nothing_is_left_behind(void **state)
{
    struct world *w = world_new();
    (void)state;
    for (int i = 0; i < 300; i++) {
        world_ok(w, 201, NULL, model_register, NULL, NULL, TYPICAL);
        world_ok(w, 200, NULL, model_patch, "nba-props@latest", NULL, "{\"sport\":\"nfl\"}");
        world_ok(w, 204, NULL, registered_model_delete, "nba-props", NULL, NULL);
    }
    assert_int_equal(view_count(world_view(w), ENTITY_MODEL), 0);
    world_free(w); /* the leak checker has the last word */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_typical_model),
                                       cmocka_unit_test(nothing_is_left_behind)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
