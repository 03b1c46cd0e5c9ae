/* Followers get every entry once, in order, whether the memory still reaches back or the store has
 * to be read; and that memory is bounded. */
#include "feed/feed.h"

#include "support/store_wait.h"
#include "support/unit.h"

#include "base/mem.h"
#include "http/route.h"
#include "http/server.h"

#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct test {
    struct store *store;
    struct feed *feed;
    struct publish_listener listener;
    struct http_server *http; /* for its loop only */
    uint64_t written;         /* entries of the journal */
    /* [loop] */
    struct follower *follower;
    uint64_t next; /* the entry that must come */
    bool wrong;
    uint64_t await; /* post `came` at this one */
    sem_t came;
};

static bool take(void *ctx, uint64_t seq, const char *action, const char *json, size_t len)
{
    struct test *t = ctx;
    t->wrong |= seq != t->next++ || strcmp(action, "model.updated") != 0 || json[len - 1] != '}';
    if (seq == t->await)
        sem_post(&t->came);
    return true;
}

static bool begin(struct loop *l, void *app, struct err *e)
{
    struct test *t = app;
    const struct follow what = {.ns = "*", .after_seq = 0, .entry = take, .ctx = t};
    t->follower = feed_follow(t->feed, l, &what, e);
    return t->follower != NULL;
}

static void end(struct loop *l, void *app)
{
    struct test *t = app;
    (void)l;
    feed_unfollow(t->follower);
}

static const struct route NO_ROUTES[] = {{.path = NULL}};

static void follow(struct test *t, uint64_t await)
{
    const struct http_config config = {.listen = "127.0.0.1:0",
                                       .threads = 1,
                                       .routes = NO_ROUTES,
                                       .clock = &CLOCK_SYSTEM,
                                       .app = t,
                                       .loop_start = begin,
                                       .loop_stop = end};
    struct err e = {0};
    t->await = await;
    t->http = http_start(&config, &e);
    if (!t->http)
        fail_msg("%s", e.detail);
}

/* Write `n` entries of about `size` bytes to the journal, then publish those after `unseen`. */
static void write_entries(struct test *t, size_t n, size_t size, size_t unseen)
{
    struct journal_entry *entries = mem_zero(n, sizeof *entries);
    char *text = mem_zero(size + 1, 1);
    memset(text, ' ', size);
    text[0] = '{';
    text[size - 1] = '}';
    for (size_t i = 0; i < n; i++)
        entries[i] = (struct journal_entry){.seq = t->written + 1 + i,
                                            .at = 1,
                                            .ns = "default",
                                            .action = "model.updated",
                                            .entity = "model",
                                            .entity_id = "a:1",
                                            .actor_id = "x",
                                            .text = text,
                                            .text_len = size};
    struct store_group group = {.entries = entries, .n_entries = n};
    struct store_commit commit = {
        .groups = &group, .n_groups = 1, .head_seq = t->written, .next_uid = 1};
    assert_true(wait_commit(t->store, &commit));
    t->listener.published(t->listener.self, entries + unseen, n - unseen, NULL);
    t->written += n;
    free(text);
    free(entries);
}

static int set_up(void **state)
{
    struct test *t = mem_zero(1, sizeof *t);
    t->store = store_memory_open(&CLOCK_SYSTEM);
    t->feed = feed_new(t->store, 64, 0);
    t->listener = feed_listener(t->feed);
    t->next = 1;
    sem_init(&t->came, 0, 0);
    feed_begin(t->feed, 0);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    struct test *t = *state;
    if (t->http) {
        http_drain(t->http, 1000);
        http_join(t->http);
    }
    http_free(t->http);
    feed_free(t->feed);
    t->store->ops->close(t->store);
    sem_destroy(&t->came);
    free(t);
    return 0;
}

static void assert_all_came(struct test *t)
{
    while (sem_wait(&t->came) != 0)
        ;
    assert_false(t->wrong);
}

static void test_live(void **state)
{
    struct test *t = *state;
    follow(t, 200);
    for (int i = 0; i < 20; i++)
        write_entries(t, 10, 300, 0);
    assert_all_came(t);
}

/* More than is kept: what is not in memory any more comes from the store. */
static void test_behind(void **state)
{
    struct test *t = *state;
    size_t entries, bytes;
    write_entries(t, 1000, 300, 0);
    feed_usage(t->feed, &entries, &bytes);
    assert_int_equal(entries, 64);
    assert_in_range(bytes, 64 * 300, 64 * 400);
    follow(t, 1001);
    write_entries(t, 1, 300, 0);
    assert_all_came(t);
}

/* Entries of megabytes: memory is bounded by bytes as well. */
static void test_giants(void **state)
{
    struct test *t = *state;
    size_t entries, bytes;
    for (int i = 0; i < 20; i++)
        write_entries(t, 1, 4 << 20, 0);
    feed_usage(t->feed, &entries, &bytes);
    assert_int_equal(entries, 7);
    assert_true(bytes <= FEED_BYTES_MAX);
    follow(t, 21);
    write_entries(t, 1, 300, 0);
    assert_all_came(t);
    feed_usage(t->feed, &entries, &bytes);
    assert_int_equal(entries, 8);
}

/* Entries that somebody else wrote were never published here. */
static void test_gap(void **state)
{
    struct test *t = *state;
    size_t entries, bytes;
    write_entries(t, 10, 300, 0);
    write_entries(t, 10, 300, 7);
    feed_usage(t->feed, &entries, &bytes);
    assert_int_equal(entries, 3);
    follow(t, 21);
    write_entries(t, 1, 300, 0);
    assert_all_came(t);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_live),
        TEST(test_behind),
        TEST(test_giants),
        TEST(test_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
