#include "support/conformance.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static struct key_request ask(struct fixture *f, enum key_op op, const char *key, const char *value,
                              int64_t expires_in, int64_t amount)
{
    struct key_request k = {
        .op = op,
        .key = {key, value, value ? strlen(value) : 0, f->clock.wall_ms + expires_in},
        .amount = amount,
        .arena = f->arena,
    };
    if (!wait_key(f->store, &k))
        fail_msg("key '%s': %s", key, k.err.detail);
    return k;
}

static void assert_value(struct fixture *f, const char *key, const char *value)
{
    struct key_request k = ask(f, KEY_GET, key, NULL, 0, 0);
    assert_int_equal(k.found, value != NULL);
    if (!value)
        return;
    assert_int_equal(k.value_len, strlen(value));
    assert_memory_equal(k.value, value, k.value_len);
}

static void keys_are_set_replaced_and_deleted(void **state)
{
    struct fixture *f = *state;
    assert_value(f, "k", NULL);
    ask(f, KEY_PUT, "k", "one", 1000, 0);
    ask(f, KEY_PUT, "empty", "", 1000, 0);
    assert_value(f, "k", "one");
    ask(f, KEY_PUT, "k", "another", 1000, 0);
    reopen(f);
    assert_value(f, "k", "another");
    assert_value(f, "empty", "");
    assert_true(ask(f, KEY_DELETE, "k", NULL, 0, 0).found);
    assert_false(ask(f, KEY_DELETE, "k", NULL, 0, 0).found);
    assert_value(f, "k", NULL);
}

static void the_first_of_two_that_set_a_new_key_wins(void **state)
{
    struct fixture *f = *state;
    assert_false(ask(f, KEY_PUT_NEW, "k", "first", 1000, 0).found);
    struct key_request second = ask(f, KEY_PUT_NEW, "k", "second", 5000, 0);
    assert_true(second.found);
    assert_string_equal(second.value, "first");
    f->clock.wall_ms += 1000; /* the first has expired */
    assert_false(ask(f, KEY_PUT_NEW, "k", "third", 1000, 0).found);
    assert_value(f, "k", "third");
}

static void keys_expire(void **state)
{
    struct fixture *f = *state;
    ask(f, KEY_PUT, "k", "value", 1000, 0);
    ask(f, KEY_ADD, "n", NULL, 2000, 5);
    f->clock.wall_ms += 999;
    assert_value(f, "k", "value");
    f->clock.wall_ms += 1;
    assert_value(f, "k", NULL);
    assert_false(ask(f, KEY_DELETE, "k", NULL, 0, 0).found);
    assert_int_equal(ask(f, KEY_ADD, "n", NULL, 9000, 1).number, 6);
    f->clock.wall_ms += 1000; /* an addition does not prolong */
    assert_int_equal(ask(f, KEY_ADD, "n", NULL, 9000, 1).number, 1);
}

static void counters_add_and_refuse_to_overflow(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(ask(f, KEY_ADD, "n", NULL, 1000, 5).number, 5);
    assert_int_equal(ask(f, KEY_ADD, "n", NULL, 1000, -7).number, -2);
    reopen(f);
    assert_int_equal(ask(f, KEY_GET, "n", NULL, 0, 0).number, -2);
    ask(f, KEY_ADD, "n", NULL, 1000, INT64_MAX);
    struct key_request k = {.op = KEY_ADD, .key.key = "n", .amount = 3, .arena = f->arena};
    assert_false(wait_key(f->store, &k));
    assert_ptr_equal(k.err.kind, &ERR_INVALID);
    assert_int_equal(ask(f, KEY_GET, "n", NULL, 0, 0).number, INT64_MAX - 2);
}

struct listed {
    char text[256];
    size_t left;
};

static bool list(void *ctx, const struct store_key *k)
{
    struct listed *l = ctx;
    size_t used = strlen(l->text);
    snprintf(l->text + used, sizeof l->text - used, "%s=%.*s@%lld ", k->key, (int)k->value_len,
             k->value, (long long)(k->expires_ms - NOW));
    return l->left == 0 || --l->left > 0;
}

static void live_keys_are_listed_by_prefix(void **state)
{
    struct fixture *f = *state;
    ask(f, KEY_PUT, "idem/a", "1", 1000, 0);
    ask(f, KEY_PUT, "idem", "2", 1000, 0);
    ask(f, KEY_PUT, "idem0", "3", 1000, 0);
    ask(f, KEY_PUT, "idem/old", "4", 10, 0);
    f->clock.wall_ms += 10;
    reopen(f);
    struct listed l = {"", 0};
    struct err e;
    assert_true(f->store->ops->keys(f->store, "idem/", list, &l, &e));
    assert_string_equal(l.text, "idem/a=1@1000 ");
    l = (struct listed){"", 1};
    assert_true(f->store->ops->keys(f->store, "", list, &l, &e));
    assert_int_equal(strchr(l.text, ' ') - l.text, strlen(l.text) - 1); /* one, then enough */
}

static void a_small_arena_fails_the_request_alone(void **state)
{
    struct fixture *f = *state;
    static char large[100000];
    memset(large, 'x', sizeof large - 1);
    ask(f, KEY_PUT, "k", large, 1000, 0);
    struct arena *small = arena_new(1000);
    struct key_request k = {.op = KEY_GET, .key.key = "k", .arena = small};
    assert_false(wait_key(f->store, &k));
    assert_ptr_equal(k.err.kind, &ERR_MEMORY);
    arena_free(small);
    assert_value(f, "k", large);
}

/* --- leases --- */

static void assert_lease(struct fixture *f, const char *holder, int64_t ttl, bool held,
                         uint64_t token, int64_t until)
{
    struct lease_request l = {.name = "nightly", .holder = holder, .ttl_ms = ttl};
    assert_true(wait_lease(f->store, &l));
    assert_int_equal(l.held, held);
    assert_int_equal(l.token, token);
    assert_int_equal(l.until, until ? NOW + until : 0);
}

static void a_lease_has_one_holder_and_growing_tokens(void **state)
{
    struct fixture *f = *state;
    assert_lease(f, "a", 0, false, 0, 0);     /* giving up what nobody holds */
    assert_lease(f, "a", 100, true, 1, 100);  /* taken */
    assert_lease(f, "b", 100, false, 1, 100); /* refused, and told until when */
    f->clock.wall_ms += 50;
    assert_lease(f, "a", 100, true, 1, 150); /* extended: the same token */
    reopen(f);
    f->clock.wall_ms += 99;
    assert_lease(f, "b", 100, false, 1, 150);
    f->clock.wall_ms += 1;                   /* 150: it ran out */
    assert_lease(f, "b", 100, true, 2, 250); /* changed hands */
    assert_lease(f, "a", 0, false, 2, 250);  /* not a's to give up */
    assert_lease(f, "b", 0, false, 2, 0);    /* given up */
    assert_lease(f, "a", 100, true, 3, 250);
    f->clock.wall_ms += 100;
    assert_lease(f, "a", 100, true, 4, 350); /* lapsed and taken again: others may have acted */
    struct lease_request other = {.name = "other", .holder = "b", .ttl_ms = 5};
    assert_true(wait_lease(f->store, &other));
    assert_true(other.held);
    assert_int_equal(other.token, 1);
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(keys_are_set_replaced_and_deleted),
    CONFORM(the_first_of_two_that_set_a_new_key_wins),
    CONFORM(keys_expire),
    CONFORM(counters_add_and_refuse_to_overflow),
    CONFORM(live_keys_are_listed_by_prefix),
    CONFORM(a_small_arena_fails_the_request_alone),
    CONFORM(a_lease_has_one_holder_and_growing_tokens),
};
const struct part CONFORM_KEYS = {TESTS, LEN(TESTS)};
