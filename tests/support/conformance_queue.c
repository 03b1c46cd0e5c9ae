#include "support/conformance.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static struct queue_request ask(struct fixture *f, enum queue_op op, const char *queue,
                                const char *id, const char *worker)
{
    struct queue_request q = {
        .op = op,
        .queue = queue,
        .id = id,
        .worker = worker,
        .data = id,
        .len = id ? strlen(id) : 0,
        .claim_ms = 100,
        .arena = f->arena,
    };
    if (!wait_queue(f->store, &q))
        fail_msg("queue '%s': %s", queue, q.err.detail);
    return q;
}

static void assert_claim(struct fixture *f, const char *queue, const char *worker, const char *id,
                         unsigned attempts)
{
    struct queue_request q = ask(f, QUEUE_CLAIM, queue, NULL, worker);
    assert_int_equal(q.found, id != NULL);
    if (!id)
        return;
    assert_string_equal(q.id, id);
    assert_int_equal(q.len, strlen(id));
    assert_memory_equal(q.data, id, q.len);
    assert_int_equal(q.attempts, attempts);
}

static void jobs_are_claimed_oldest_first_once(void **state)
{
    struct fixture *f = *state;
    assert_claim(f, "runs", "w", NULL, 0);
    assert_false(ask(f, QUEUE_PUSH, "runs", "z", NULL).found);
    assert_false(ask(f, QUEUE_PUSH, "runs", "a", NULL).found);
    assert_false(ask(f, QUEUE_PUSH, "other", "a", NULL).found);
    assert_true(ask(f, QUEUE_PUSH, "runs", "z", NULL).found); /* there already */
    reopen(f);
    assert_claim(f, "runs", "w1", "z", 1);
    assert_true(ask(f, QUEUE_PUSH, "runs", "z", NULL).found); /* claimed, but still there */
    assert_claim(f, "runs", "w2", "a", 1);
    assert_claim(f, "runs", "w3", NULL, 0);
    assert_true(ask(f, QUEUE_FINISH, "runs", "z", "w1").found);
    assert_false(ask(f, QUEUE_FINISH, "runs", "z", "w1").found);
    assert_false(ask(f, QUEUE_PUSH, "runs", "z", NULL).found); /* finished: may come again */
    assert_claim(f, "runs", "w1", "z", 1);
    assert_claim(f, "other", "w1", "a", 1);
}

static void a_claim_that_runs_out_is_taken_over(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    assert_claim(f, "runs", "w1", "a", 1);
    f->clock.wall_ms += 99;
    assert_claim(f, "runs", "w2", NULL, 0);
    assert_true(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w1").found); /* until 199 */
    assert_false(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w2").found);
    f->clock.wall_ms += 99;
    assert_claim(f, "runs", "w2", NULL, 0);
    reopen(f);
    f->clock.wall_ms += 1;
    assert_claim(f, "runs", "w2", "a", 2);
    assert_false(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w1").found);
    assert_false(ask(f, QUEUE_FINISH, "runs", "a", "w1").found);
    assert_true(ask(f, QUEUE_FINISH, "runs", "a", "w2").found);
    assert_claim(f, "runs", "w3", NULL, 0);
}

static void a_late_worker_keeps_a_job_that_nobody_took(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    assert_claim(f, "runs", "w1", "a", 1);
    f->clock.wall_ms += 1000;
    assert_true(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w1").found);
    assert_claim(f, "runs", "w2", NULL, 0);
    f->clock.wall_ms += 1000;
    assert_true(ask(f, QUEUE_FINISH, "runs", "a", "w1").found);
}

static void a_queue_has_a_bound(void **state)
{
    struct fixture *f = *state;
    const char *ids[] = {"a", "b", "c"};
    for (size_t i = 0; i < LEN(ids); i++) {
        struct queue_request q = {
            .op = QUEUE_PUSH, .queue = "runs", .id = ids[i], .data = ids[i], .len = 1, .bound = 2};
        assert_int_equal(wait_queue(f->store, &q), i < 2);
        if (i == 2)
            assert_ptr_equal(q.err.kind, &ERR_BUSY);
    }
    assert_claim(f, "runs", "w", "a", 1);
    assert_true(ask(f, QUEUE_FINISH, "runs", "a", "w").found);
    struct queue_request q = {.op = QUEUE_PUSH, .queue = "runs", .id = "c", .bound = 2};
    assert_true(wait_queue(f->store, &q));
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(jobs_are_claimed_oldest_first_once),
    CONFORM(a_claim_that_runs_out_is_taken_over),
    CONFORM(a_late_worker_keeps_a_job_that_nobody_took),
    CONFORM(a_queue_has_a_bound),
};
const struct part CONFORM_QUEUE = {TESTS, LEN(TESTS)};
