#include "support/conformance.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static void an_empty_store_is_empty(void **state)
{
    struct fixture *f = *state;
    struct store_head head = {.seq = 9, .next_uid = 9};
    struct err e;
    char hash[SHA256_HEX_SIZE];
    assert_int_equal(stored_revision(f, "model", "a", "m"), 0);
    assert_true(f->store->ops->load(f->store, NULL, NULL, &head, &e));
    assert_int_equal(head.seq, 0);
    assert_int_equal(head.next_uid, 1);
    assert_true(f->store->ops->chain(f->store, "default", hash, &e));
    assert_string_equal(hash, JOURNAL_FIRST_HASH);
}

struct seen {
    char text[1024];
};

static bool write_down(void *ctx, const struct store_row *r, struct err *e)
{
    (void)e;
    struct seen *seen = ctx;
    size_t len = strlen(seen->text);
    snprintf(seen->text + len, sizeof seen->text - len, "%s/%s/%s uid %llu rev %lld %.*s; ",
             r->kind, r->ns, r->id, (unsigned long long)r->uid, (long long)r->revision,
             (int)r->value_len, r->value);
    assert_int_equal(strlen(r->value), r->value_len);
    return true;
}

static void assert_stored(struct fixture *f, const char *text)
{
    struct seen seen = {""};
    struct store_head head;
    struct err e;
    assert_true(f->store->ops->load(f->store, write_down, &seen, &head, &e));
    assert_string_equal(seen.text, text);
}

static bool commit_rows(struct fixture *f, const struct store_row *rows, size_t n)
{
    struct store_group group = {.rows = rows, .n_rows = n};
    struct store_commit commit = {.groups = &group, .n_groups = 1, .head_seq = f->seq};
    return wait_commit(f->store, &commit);
}

static void rows_are_put_replaced_deleted_and_sorted(void **state)
{
    struct fixture *f = *state;
    const struct store_row first[] = {
        {"name", "b", "x", 1, 1, "{1}", 3},  {"model", "b", "x", 2, 1, "{2}", 3},
        {"model", "a", "y", 3, 1, "{3}", 3}, {"model", "a", "x2", 4, 1, "{4}", 3},
        {"model", "a", "x", 5, 1, "{5}", 3}, {"model", "a!", "\xc3\xa9", 6, 1, "{6}", 3},
    };
    assert_true(commit_rows(f, first, LEN(first)));
    const struct store_row second[] = {
        {"model", "a", "y", 3, 2, "{longer}", 8},
        {"model", "a", "x2", 4, 1, NULL, 0},
        {"model", "never", "was", 4, 1, NULL, 0},
        {"model", "b", "x", 9, 1, "{}", 2},
    };
    assert_true(commit_rows(f, second, LEN(second)));
    reopen(f);
    assert_stored(f, "model/a/x uid 5 rev 1 {5}; model/a/y uid 3 rev 2 {longer}; "
                     "model/a!/\xc3\xa9 uid 6 rev 1 {6}; model/b/x uid 9 rev 1 {}; "
                     "name/b/x uid 1 rev 1 {1}; ");
}

static void a_refused_group_harms_nobody(void **state)
{
    struct fixture *f = *state;
    write_model(f, "a", "m", 4);
    const struct store_row rows[] = {{"model", "a", "first", 1, 1, "{}", 2},
                                     {"model", "a", "second", 1, 1, "{}", 2},
                                     {"model", "a", "third", 1, 1, "{}", 2},
                                     {"model", "a", "fourth", 1, 1, "{}", 2}};
    const struct journal_entry entries[] = {entry_number(2, "a", "first"),
                                            entry_number(3, "a", "second"),
                                            entry_number(4, "a", "third")};
    const struct store_key keys[] = {{"k1", "v", 1, NOW + 1000}, {"k2", "v", 1, NOW + 1000}};
    const struct store_expect holds[] = {{"model", "a", "m", 4}, {"model", "a", "none", 0}};
    const struct store_expect fails[] = {{"model", "a", "m", 4}, {"model", "a", "m", 3}};
    /* What an earlier group of the same commit wrote counts. */
    const struct store_expect now_there = {"model", "a", "first", 1};
    const struct store_expect not_there = {"model", "a", "first", 0};
    struct store_group groups[] = {
        {&rows[0], 1, holds, 2, &entries[0], 1, &keys[0], 1, true},
        {&rows[1], 1, fails, 2, &entries[1], 1, &keys[1], 1, false},
        {&rows[2], 1, &now_there, 1, &entries[2], 1, NULL, 0, true},
        {&rows[3], 1, &not_there, 1, NULL, 0, NULL, 0, false},
    };
    struct store_commit commit = {.groups = groups, .n_groups = 4, .head_seq = 1};
    assert_true(wait_commit(f->store, &commit));
    assert_false(groups[0].refused);
    assert_true(groups[1].refused);
    assert_false(groups[2].refused);
    assert_true(groups[3].refused);
    reopen(f);
    assert_int_equal(stored_revision(f, "model", "a", "first"), 1);
    assert_int_equal(stored_revision(f, "model", "a", "second"), 0);
    assert_int_equal(stored_revision(f, "model", "a", "third"), 1);
    assert_int_equal(stored_revision(f, "model", "a", "fourth"), 0);

    struct journal_read read = {.arena = f->arena};
    assert_true(wait_journal(f->store, &read));
    assert_int_equal(read.n, 3);
    assert_int_equal(read.entries[2].seq, 4);
    struct key_request key = {.op = KEY_GET, .key.key = "k1", .arena = f->arena};
    assert_true(wait_key(f->store, &key) && key.found);
    key.key.key = "k2";
    assert_true(wait_key(f->store, &key) && !key.found);
}

static void a_moved_journal_refuses_the_whole_commit(void **state)
{
    struct fixture *f = *state;
    write_model(f, "a", "m", 1);
    const struct store_row row = {"model", "a", "late", 1, 1, "{}", 2};
    struct store_group group = {.rows = &row, .n_rows = 1};
    const uint64_t wrong[] = {0, 2};
    for (size_t i = 0; i < LEN(wrong); i++) {
        struct store_commit commit = {.groups = &group, .n_groups = 1, .head_seq = wrong[i]};
        assert_false(wait_commit(f->store, &commit));
        assert_true(commit.moved);
        assert_non_null(commit.err.kind);
    }
    assert_int_equal(stored_revision(f, "model", "a", "late"), 0);
    struct store_commit commit = {.groups = &group, .n_groups = 1, .head_seq = 1, .moved = true};
    assert_true(wait_commit(f->store, &commit));
    assert_false(commit.moved);
}

static uint64_t stored_next_uid(struct fixture *f)
{
    struct seen seen = {""};
    struct store_head head;
    struct err e;
    assert_true(f->store->ops->load(f->store, write_down, &seen, &head, &e));
    return head.next_uid;
}

static void incarnations_are_never_given_twice(void **state)
{
    struct fixture *f = *state;
    struct store_commit commit = {.next_uid = 40};
    assert_true(wait_commit(f->store, &commit));
    commit = (struct store_commit){.next_uid = 12};
    assert_true(wait_commit(f->store, &commit));
    reopen(f);
    assert_int_equal(stored_next_uid(f), 40);
}

static void a_chain_ends_in_its_namespaces_last_hash(void **state)
{
    struct fixture *f = *state;
    write_model(f, "a", "m", 1);
    write_model(f, "b", "m", 1);
    write_model(f, "a", "m", 2);
    write_model(f, "b", "m", 2);
    reopen(f);
    const struct {
        const char *ns;
        uint64_t seq;
    } chains[] = {{"a", 3}, {"b", 4}};
    for (size_t i = 0; i < LEN(chains); i++) {
        char hash[SHA256_HEX_SIZE];
        struct err e;
        assert_true(f->store->ops->chain(f->store, chains[i].ns, hash, &e));
        assert_string_equal(hash, entry_number(chains[i].seq, "", "").hash);
    }
}

static bool refuse_row(void *ctx, const struct store_row *r, struct err *e)
{
    (void)r;
    ++*(int *)ctx;
    return fail(e, &ERR_CORRUPT, "the reader refuses");
}

static void a_reader_that_refuses_ends_the_load(void **state)
{
    struct fixture *f = *state;
    write_model(f, "a", "m", 1);
    write_model(f, "a", "n", 1);
    int rows = 0;
    struct store_head head;
    struct err e = {0};
    assert_false(f->store->ops->load(f->store, refuse_row, &rows, &head, &e));
    assert_int_equal(rows, 1);
    assert_string_equal(e.detail, "the reader refuses");
    assert_int_equal(stored_revision(f, "model", "a", "n"), 1); /* and the next works */
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(an_empty_store_is_empty),
    CONFORM(rows_are_put_replaced_deleted_and_sorted),
    CONFORM(a_refused_group_harms_nobody),
    CONFORM(a_moved_journal_refuses_the_whole_commit),
    CONFORM(incarnations_are_never_given_twice),
    CONFORM(a_chain_ends_in_its_namespaces_last_hash),
    CONFORM(a_reader_that_refuses_ends_the_load),
};
const struct part CONFORM_COMMIT = {TESTS, LEN(TESTS)};
