#include "engine/idempotency.h"

#include "support/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static const struct kept_answer ANSWER = {
    .status = 201,
    .headers = "ETag: \"1\"\r\nLocation: /x\r\n",
    .type = "application/json; charset=utf-8",
    .body = "{\"a\":1}",
    .body_len = 7,
};

struct fixture {
    struct idempotency *table;
    struct arena *arena;
    struct kept_answer answer;
    struct err e;
};
static struct fixture world;

static int set_up(void **state)
{
    world = (struct fixture){.table = idempotency_new(4, 10000), .arena = arena_new(1 << 20)};
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    idempotency_free(f->table);
    arena_free(f->arena);
    return 0;
}

static enum key_state begin(struct fixture *f, const char *key, uint64_t hash, int64_t now)
{
    f->e = (struct err){0};
    return idempotency_begin(f->table, key, hash, now, f->arena, &f->answer, &f->e);
}

static void assert_fails(struct fixture *f, const char *key, uint64_t hash, int64_t now,
                         const struct err_kind *kind)
{
    assert_int_equal(begin(f, key, hash, now), KEY_FAIL);
    assert_ptr_equal(f->e.kind, kind);
}

static void assert_replays(struct fixture *f, const char *key, uint64_t hash, int64_t now)
{
    assert_int_equal(begin(f, key, hash, now), KEY_REPLAY);
    assert_int_equal(f->answer.status, ANSWER.status);
    assert_string_equal(f->answer.headers, ANSWER.headers);
    assert_string_equal(f->answer.type, ANSWER.type);
    assert_int_equal(f->answer.body_len, ANSWER.body_len);
    assert_string_equal(f->answer.body, ANSWER.body);
}

static void the_first_answer_is_given_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, "k", 7, 0), KEY_NEW);
    assert_fails(f, "k", 7, 0, &KEY_IN_USE);
    assert_fails(f, "k", 8, 0, &KEY_REUSED);
    idempotency_finish(f->table, "k", &ANSWER, 100);
    assert_replays(f, "k", 7, 99);
    assert_fails(f, "k", 8, 99, &KEY_REUSED);
    assert_int_equal(begin(f, "k", 8, 100), KEY_NEW); /* expired: the key is free again */
}

static void an_abandoned_key_is_free_again(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, "k", 7, 0), KEY_NEW);
    idempotency_abandon(f->table, "k");
    idempotency_abandon(f->table, "k");
    assert_int_equal(begin(f, "k", 8, 0), KEY_NEW);
    idempotency_finish(f->table, "k", &ANSWER, 100);
    idempotency_abandon(f->table, "k"); /* an answer once given stays */
    idempotency_finish(f->table, "unknown", &ANSWER, 100);
    assert_replays(f, "k", 8, 1);
    assert_int_equal(begin(f, "unknown", 1, 0), KEY_NEW);
}

static void entries_have_a_bound_that_expiry_makes_room_in(void **state)
{
    struct fixture *f = *state;
    const char *keys[] = {"a", "b", "c", "d"};
    const int64_t expires[] = {40, 10, 30, 20};
    for (size_t i = 0; i < LEN(keys); i++) {
        assert_int_equal(begin(f, keys[i], i, 0), KEY_NEW);
        idempotency_finish(f->table, keys[i], &ANSWER, expires[i]);
    }
    assert_fails(f, "e", 1, 9, &KEYS_FULL);
    assert_replays(f, "b", 1, 9); /* full for new ones only */
    assert_int_equal(begin(f, "e", 1, 10), KEY_NEW);
    assert_fails(f, "g", 1, 19, &KEYS_FULL);
    assert_replays(f, "d", 3, 19);
    assert_int_equal(begin(f, "g", 1, 30), KEY_NEW); /* two went */
    assert_int_equal(begin(f, "h", 1, 30), KEY_NEW);
    assert_replays(f, "a", 0, 39);
    size_t entries, bytes;
    idempotency_usage(f->table, &entries, &bytes);
    assert_int_equal(entries, 4);
}

static void bytes_have_a_bound_too(void **state)
{
    struct fixture *f = *state;
    static char body[12000];
    struct kept_answer large = ANSWER;
    size_t entries, bytes;
    memset(body, 'x', sizeof body);
    large.body = body;
    large.body_len = sizeof body;
    assert_int_equal(begin(f, "a", 1, 0), KEY_NEW);
    idempotency_finish(f->table, "a", &large, 100);
    assert_fails(f, "b", 1, 0, &KEYS_FULL);
    assert_int_equal(begin(f, "b", 1, 100), KEY_NEW);
    idempotency_abandon(f->table, "b");
    idempotency_usage(f->table, &entries, &bytes);
    assert_int_equal(entries, 0);
    assert_int_equal(bytes, 0); /* all that was counted in was counted out */
}

static void the_stored_form_comes_back_unless_damaged(void **state)
{
    struct fixture *f = *state;
    struct bytes form = BYTES_INIT(1 << 20);
    kept_answer_encode(&ANSWER, 77, &form);
    for (size_t i = 0; i < form.len; i++) {
        form.data[i] ^= 0x10;
        assert_false(idempotency_restore(f->table, "k", form.data, form.len, 100, 0));
        form.data[i] ^= 0x10;
        assert_false(idempotency_restore(f->table, "k", form.data, i, 100, 0));
    }
    assert_false(idempotency_restore(f->table, "k", form.data, form.len, 100, 100));
    assert_int_equal(begin(f, "k", 1, 0), KEY_NEW);
    idempotency_abandon(f->table, "k");
    assert_true(idempotency_restore(f->table, "k", form.data, form.len, 100, 0));
    assert_true(
        idempotency_restore(f->table, "k", form.data, form.len, 200, 0)); /* the first stays */
    assert_fails(f, "k", 78, 0, &KEY_REUSED);
    assert_replays(f, "k", 77, 99);
    assert_int_equal(begin(f, "k", 77, 100), KEY_NEW);
    bytes_release(&form);
}

#define ROUNDS 2000

/* Of all threads that ask for a key at once, one carries the request out. */
struct race {
    struct idempotency *table;
    atomic_int carried_out[ROUNDS];
};

static void *race(void *arg)
{
    struct race *r = arg;
    for (int i = 0; i < ROUNDS; i++) {
        char key[16];
        struct kept_answer answer;
        struct err e;
        struct arena *a = arena_new(4096);
        snprintf(key, sizeof key, "k%d", i);
        if (idempotency_begin(r->table, key, 1, 0, a, &answer, &e) == KEY_NEW) {
            atomic_fetch_add(&r->carried_out[i], 1);
            idempotency_finish(r->table, key, &ANSWER, 100 + i % 7);
        }
        arena_free(a);
    }
    return NULL;
}

static void one_of_many_carries_a_request_out(void **state)
{
    (void)state;
    static struct race r;
    pthread_t threads[3];
    r.table = idempotency_new(ROUNDS, 100 << 20);
    for (size_t i = 0; i < LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race, &r), 0);
    for (size_t i = 0; i < LEN(threads); i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < ROUNDS; i++)
        assert_int_equal(r.carried_out[i], 1);
    idempotency_free(r.table);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_answer_is_given_again),
        TEST(an_abandoned_key_is_free_again),
        TEST(entries_have_a_bound_that_expiry_makes_room_in),
        TEST(bytes_have_a_bound_too),
        TEST(the_stored_form_comes_back_unless_damaged),
        cmocka_unit_test(one_of_many_carries_a_request_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
