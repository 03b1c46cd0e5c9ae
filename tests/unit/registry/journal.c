#include "world.h"

struct fixture {
    struct world *w;
    struct arena *a;
    struct journal_entry entries[3];
};

/* Three entries of a chain: a version comes, is patched with a reason, and goes. */
static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct world *w = f->w = world_new();
    const char *prev = JOURNAL_FIRST_HASH;
    *state = f;
    f->a = arena_new(1 << 20);
    world_register(w, "a \\\"q\\\"", "1");
    const struct entity *m = &world_model(w, "a \"q\":1")->entity;
    struct change changes[3] = {
        {.action = "model.registered", .after = (struct entity *)(uintptr_t)m},
        {.action = "model.updated",
         .before = m,
         .after = (struct entity *)(uintptr_t)m,
         .reason = "of its own",
         .evidence = "{\"x\":1}"},
        {.action = "model.deleted", .before = m},
    };
    struct command c = {.actor = {"token", "ci \xc3\xa9", "boss"},
                        .request_id = "r\"1",
                        .reason = "of the command"};
    for (int i = 0; i < 3; i++) {
        journal_entry_make(&c, world_view(w), &changes[i],
                           (struct journal_place){(uint64_t)(41 + i), 1700000000123, prev}, f->a,
                           &f->entries[i]);
        prev = f->entries[i].hash;
    }
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    arena_free(f->a);
    world_free(f->w);
    free(f);
    return 0;
}

static void text_and_columns(void **state)
{
    struct fixture *f = *state;
    const struct journal_entry *e = &f->entries[0];
    const char *model = world_model(f->w, "a \"q\":1")->entity.json;
    struct bytes b = BYTES_INIT(65536);
    bytes_printf(
        &b,
        "{\"seq\":41,\"at\":\"2023-11-14T22:13:20.123Z\",\"namespace\":\"default\",\"actor\":{"
        "\"kind\":"
        "\"token\",\"id\":\"ci "
        "\xc3\xa9\",\"on_behalf_of\":\"boss\"},\"request_id\":\"r\\\"1\",\"action\":"
        "\"model.registered\",\"entity\":\"model\",\"entity_id\":\"a \\\"q\\\":1\",\"before\":null,"
        "\"after\":%s,\"reason\":\"of the command\",\"evidence\":null,\"prev_hash\":\"%s\"}",
        model, JOURNAL_FIRST_HASH);
    assert_string_equal(e->text, b.data);
    bytes_clear(&b);
    journal_entry_json(e, &b);
    json_t *whole = json_read(b.data, b.len, NULL);
    assert_string_equal(json_string_value(json_object_get(whole, "hash")), e->hash);
    json_decref(whole);
    bytes_release(&b);
    assert_string_equal(e->name, "a \"q\"");
    assert_string_equal(e->to_status, "development");
    assert_string_equal(e->actor_id, "ci \xc3\xa9");
    assert_null(f->entries[1].to_status);
    assert_null(f->entries[2].to_status);
    assert_non_null(strstr(f->entries[1].text, "\"reason\":\"of its own\",\"evidence\":{\"x\":1}"));
    assert_non_null(strstr(f->entries[2].text, "\"after\":null"));
}

/* Anybody can check it with any SHA-256 tool: the hash is of exactly the text. */
static void hash_is_of_the_text(void **state)
{
    struct fixture *f = *state;
    char hash[SHA256_HEX_SIZE];
    for (int i = 0; i < 3; i++) {
        sha256_hex(f->entries[i].text, strlen(f->entries[i].text), hash);
        assert_string_equal(hash, f->entries[i].hash);
    }
    assert_non_null(strstr(f->entries[1].text, f->entries[0].hash));
}

static void chain_holds(void **state)
{
    struct fixture *f = *state;
    const char *prev = JOURNAL_FIRST_HASH;
    for (int i = 0; i < 3; i++) {
        assert_true(journal_entry_verify(&f->entries[i], prev, NULL));
        prev = f->entries[i].hash;
    }
}

/* Change any one byte of the text: it is noticed. Make the hash fit again: the next entry notices.
 */
static void tampering_is_seen(void **state)
{
    struct fixture *f = *state;
    struct journal_entry e = f->entries[0];
    struct err err = {0};
    char *text = strdup(e.text);
    e.text = text;
    for (size_t i = 0; i < e.text_len; i++) {
        text[i] ^= 1;
        assert_false(journal_entry_verify(&e, JOURNAL_FIRST_HASH, &err));
        assert_ptr_equal(err.kind, &ERR_CORRUPT);
        text[i] ^= 1;
    }
    char *status = strstr(text, "development");
    memcpy(status, "DEVELOPMENT", 11);
    sha256_hex(text, e.text_len, e.hash);
    assert_true(journal_entry_verify(&e, JOURNAL_FIRST_HASH, &err));
    assert_false(journal_entry_verify(&f->entries[1], e.hash, &err));
    assert_non_null(strstr(err.detail, "does not continue"));
    free(text);
}

static void columns_must_agree(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    const struct journal_entry good = f->entries[0];
    struct journal_entry e = good;
#define SPOIL(change)                                                     \
    do {                                                                  \
        e = good;                                                         \
        change;                                                           \
        assert_false(journal_entry_verify(&e, JOURNAL_FIRST_HASH, &err)); \
        assert_non_null(strstr(err.detail, "columns"));                   \
    } while (0)
    SPOIL(e.seq++);
    SPOIL(e.at++);
    SPOIL(e.ns = "other");
    SPOIL(e.action = "model.deleted");
    SPOIL(e.entity = "health");
    SPOIL(e.entity_id = "a:1");
    SPOIL(e.entity_id = NULL);
    e = good;
    assert_false(journal_entry_verify(&e, f->entries[1].hash, &err));
}

static void actions_are_a_set(void **state)
{
    (void)state;
    for (size_t i = 0; JOURNAL_ACTIONS[i]; i++)
        for (size_t k = i + 1; JOURNAL_ACTIONS[k]; k++)
            assert_string_not_equal(JOURNAL_ACTIONS[i], JOURNAL_ACTIONS[k]);
}

/* Codes are SCREAMING_SNAKE and unique, statuses those that the contract has for refusals. */
static void errors_are_complete(void **state)
{
    (void)state;
    for (size_t i = 0; REGISTRY_ERRORS[i]; i++) {
        const struct err_kind *k = REGISTRY_ERRORS[i];
        assert_int_equal(strspn(k->code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(k->code));
        assert_true(k->status == 400 || k->status == 403 || k->status == 404 || k->status == 409 ||
                    k->status == 412);
        assert_true(strlen(k->title) > 3 && strlen(k->doc) > 20);
        for (size_t j = i + 1; REGISTRY_ERRORS[j]; j++)
            assert_string_not_equal(k->code, REGISTRY_ERRORS[j]->code);
    }
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(text_and_columns),   T(hash_is_of_the_text), T(chain_holds),         T(tampering_is_seen),
        T(columns_must_agree), T(actions_are_a_set),   T(errors_are_complete),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
