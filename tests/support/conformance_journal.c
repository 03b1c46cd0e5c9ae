#include "support/conformance.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

/* Twelve entries of two namespaces; the clock was set back before the seventh. */
static const struct {
    const char *ns, *entity, *id, *name, *actor, *action, *to_status;
    int64_t at;
} ENTRIES[] = {
    {"a", "model", "m:1", "m", "ann", "model.registered", NULL, 100},
    {"a", "model", "m:2", "m", "bob", "model.registered", NULL, 200},
    {"b", "model", "m:1", "m", "ann", "model.registered", NULL, 300},
    {"a", "model", "m:1", "m", "ann", "model.promoted", "canary", 400},
    {"a", "model", "m:1", "m", "ann", "model.promoted", "stable", 500},
    {"a", "registered_model", "m", "m", "ann", "registered_model.updated", NULL, 600},
    {"a", "model", "m:2", "m", "bob", "model.promoted", "canary", 350},
    {"b", "flag", "f", NULL, "bob", "flag.created", NULL, 700},
    {"a", "flag", "m:1", NULL, "bob", "flag.created", NULL, 800},
    {"a", "model", "m:1", "m", "eve", "model.deprecated", "deprecated", 900},
    {"b", "model", "m:1", "m", "eve", "model.promoted", "canary", 900},
    {"a", "model", "m:2", "m", "eve", "model.promoted", "stable", 1000},
};

static void fill(struct fixture *f)
{
    struct journal_entry entries[LEN(ENTRIES)];
    for (size_t i = 0; i < LEN(ENTRIES); i++) {
        entries[i] = entry_number(i + 1, ENTRIES[i].ns, ENTRIES[i].id);
        entries[i].entity = ENTRIES[i].entity;
        entries[i].name = ENTRIES[i].name;
        entries[i].actor_id = ENTRIES[i].actor;
        entries[i].action = ENTRIES[i].action;
        entries[i].to_status = ENTRIES[i].to_status;
        entries[i].at = ENTRIES[i].at;
    }
    struct store_group group = {.entries = entries, .n_entries = LEN(entries)};
    struct store_commit commit = {.groups = &group, .n_groups = 1};
    assert_true(wait_commit(f->store, &commit));
    reopen(f);
}

/* "1 4 5 | 9+": the entries of the page, the total (if asked for), and whether there is more. */
static void assert_read(struct fixture *f, const struct journal_query *query, const char *expected)
{
    char text[256] = "";
    size_t len = 0;
    struct journal_read r = {.query = *query, .arena = f->arena};
    if (!wait_journal(f->store, &r))
        fail_msg("cannot read: %s", r.err.detail);
    for (size_t i = 0; i < r.n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%llu ",
                                (unsigned long long)r.entries[i].seq);
    if (query->count_total)
        len +=
            (size_t)snprintf(text + len, sizeof text - len, "| %llu", (unsigned long long)r.total);
    snprintf(text + len, sizeof text - len, "%s", r.more ? "+" : "");
    assert_string_equal(text, expected);
}

static void filters_find_what_they_say(void **state)
{
    struct fixture *f = *state;
    const struct {
        struct journal_query q;
        const char *expected;
    } CASES[] = {
        {{.limit = 100}, "1 2 3 4 5 6 7 8 9 10 11 12 | 12"},
        {{.ns = "*"}, "1 2 3 4 5 6 7 8 9 10 11 12 | 12"},
        {{.ns = "b"}, "3 8 11 | 3"},
        {{.ns = "none"}, "| 0"},
        {{.ns = "a", .entity = "model", .entity_id = "m:1"}, "1 4 5 10 | 4"},
        {{.ns = "a", .entity_id = "m:1"}, "1 4 5 9 10 | 5"},
        {{.entity = "model", .entity_id = "m:1"}, "1 3 4 5 10 11 | 6"},
        {{.entity = "flag"}, "8 9 | 2"},
        {{.ns = "a", .name = "m"}, "1 2 4 5 6 7 10 12 | 8"},
        {{.name = "m", .to_status = "canary"}, "4 7 11 | 3"},
        {{.ns = "a", .name = "m", .to_status = "stable"}, "5 12 | 2"},
        {{.actor_id = "bob"}, "2 7 8 9 | 4"},
        {{.ns = "a", .actor_id = "bob"}, "2 7 9 | 3"},
        {{.action = "model.promoted"}, "4 5 7 11 12 | 5"},
        {{.ns = "a",
          .entity_id = "m:1",
          .name = "m",
          .actor_id = "ann",
          .action = "model.promoted",
          .to_status = "stable"},
         "5 | 1"},
        {{.from = 300, .to = 500}, "3 4 7 | 3"},
        {{.from = 400}, "4 5 6 8 9 10 11 12 | 8"},
        {{.to = 300}, "1 2 | 2"},
        {{.from = 900, .to = 901}, "10 11 | 2"},
        {{.from = 5000}, "| 0"},
        {{.ns = "a", .from = 300, .to = 500}, "4 7 | 2"},
        {{.ns = "a", .entity_id = "m:2", .from = 300, .to = 500}, "7 | 1"},
        {{.ns = "*", .action = "model.promoted", .from = 350, .to = 901}, "4 5 7 11 | 4"},
    };
    fill(f);
    for (size_t i = 0; i < LEN(CASES); i++) {
        struct journal_query q = CASES[i].q;
        q.count_total = true;
        assert_read(f, &q, CASES[i].expected);
    }
}

static void pages_go_both_ways_and_say_when_there_is_more(void **state)
{
    struct fixture *f = *state;
    fill(f);
    assert_read(f, &(struct journal_query){.ns = "a", .limit = 4}, "1 2 4 5 +");
    assert_read(f, &(struct journal_query){.ns = "a", .limit = 4, .after_seq = 5}, "6 7 9 10 +");
    assert_read(f, &(struct journal_query){.ns = "a", .limit = 4, .after_seq = 10}, "12 ");
    assert_read(f, &(struct journal_query){.ns = "a", .limit = 4, .after_seq = 12}, "");
    assert_read(f, &(struct journal_query){.limit = 5, .newest_first = true}, "12 11 10 9 8 +");
    assert_read(f, &(struct journal_query){.limit = 5, .newest_first = true, .before_seq = 8},
                "7 6 5 4 3 +");
    assert_read(f, &(struct journal_query){.limit = 5, .newest_first = true, .before_seq = 3},
                "2 1 ");
    assert_read(f, &(struct journal_query){.limit = 2, .after_seq = 4, .before_seq = 7}, "5 6 ");
    assert_read(
        f,
        &(struct journal_query){
            .limit = 2, .newest_first = true, .after_seq = 4, .before_seq = 7, .count_total = true},
        "6 5 | 12");
    assert_read(f,
                &(struct journal_query){
                    .name = "m", .ns = "a", .limit = 3, .newest_first = true, .count_total = true},
                "12 10 7 | 8+");
    /* A page that is exactly full has nothing after it. */
    assert_read(f, &(struct journal_query){.ns = "b", .limit = 3, .count_total = true},
                "3 8 11 | 3");
}

static void an_entry_comes_back_as_it_went(void **state)
{
    struct fixture *f = *state;
    struct journal_entry full = entry_number(1, "ns", "id \xe2\x82\xac");
    full.name = "name";
    full.request_id = "request";
    full.to_status = "stable";
    full.at = -5;
    struct journal_entry bare = entry_number(2, "", "");
    bare.text = "";
    bare.text_len = 0;
    const struct journal_entry entries[] = {full, bare};
    struct store_group group = {.entries = entries, .n_entries = 2};
    struct store_commit commit = {.groups = &group, .n_groups = 1};
    assert_true(wait_commit(f->store, &commit));
    reopen(f);
    struct journal_read r = {.query.from = INT64_MIN, .arena = f->arena};
    assert_true(wait_journal(f->store, &r));
    assert_int_equal(r.n, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct journal_entry *is = &r.entries[i], *was = &entries[i];
        assert_int_equal(is->seq, was->seq);
        assert_int_equal(is->at, was->at);
        assert_string_equal(is->ns, was->ns);
        assert_string_equal(is->action, was->action);
        assert_string_equal(is->entity, was->entity);
        assert_string_equal(is->entity_id, was->entity_id);
        assert_string_equal(is->actor_id, was->actor_id);
        assert_string_equal(is->hash, was->hash);
        assert_int_equal(is->text_len, was->text_len);
        assert_string_equal(is->text, was->text);
    }
    assert_string_equal(r.entries[0].name, "name");
    assert_string_equal(r.entries[0].request_id, "request");
    assert_string_equal(r.entries[0].to_status, "stable");
    assert_null(r.entries[1].name);
    assert_null(r.entries[1].request_id);
    assert_null(r.entries[1].to_status);
}

static void a_full_arena_cuts_the_page_short(void **state)
{
    struct fixture *f = *state;
    static char large[100000];
    memset(large, 'x', sizeof large - 1);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        struct journal_entry entry = entry_number(seq, "a", "m");
        entry.text = large;
        entry.text_len = sizeof large - 1;
        struct store_group group = {.entries = &entry, .n_entries = 1};
        struct store_commit commit = {.groups = &group, .n_groups = 1, .head_seq = seq - 1};
        assert_true(wait_commit(f->store, &commit));
    }
    struct arena *small = arena_new(350000);
    struct journal_read r = {.query.limit = 5, .arena = small};
    assert_true(wait_journal(f->store, &r));
    assert_true(r.n >= 1 && r.n < 5);
    assert_true(r.more);
    arena_free(small);

    struct arena *tiny = arena_new(50000);
    r = (struct journal_read){.query.limit = 5, .arena = tiny};
    assert_false(wait_journal(f->store, &r));
    assert_ptr_equal(r.err.kind, &ERR_MEMORY);
    arena_free(tiny);
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(filters_find_what_they_say),
    CONFORM(pages_go_both_ways_and_say_when_there_is_more),
    CONFORM(an_entry_comes_back_as_it_went),
    CONFORM(a_full_arena_cuts_the_page_short),
};
const struct part CONFORM_JOURNAL = {TESTS, LEN(TESTS)};
