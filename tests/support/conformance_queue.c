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

static struct queue_request move(struct fixture *f, const char *from, const char *to,
                                 const char *id, const char *worker, const char *data,
                                 int64_t claim_ms)
{
    struct queue_request q = {.op = QUEUE_MOVE,
                              .queue = from,
                              .to = to,
                              .id = id,
                              .worker = worker,
                              .data = data,
                              .len = strlen(data),
                              .claim_ms = claim_ms,
                              .arena = f->arena};
    if (!wait_queue(f->store, &q))
        fail_msg("queue '%s': %s", from, q.err.detail);
    return q;
}

static void assert_data(const struct queue_request *q, const char *id, const char *data,
                        unsigned attempts)
{
    assert_true(q->found);
    assert_string_equal(q->id, id);
    assert_int_equal(q->len, strlen(data));
    assert_memory_equal(q->data, data, q->len);
    assert_int_equal(q->attempts, attempts);
}

/* What a result is handed over by: of two who believe to have the job, one does it, once. */
static void whoever_has_a_job_moves_it_once(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    assert_false(move(f, "runs", "done", "a", "w1", "early", 0).found); /* nobody's */
    assert_claim(f, "runs", "w1", "a", 1);
    f->clock.wall_ms += 100;
    assert_claim(f, "runs", "w2", "a", 2);
    assert_false(move(f, "runs", "done", "a", "w1", "late", 0).found);
    assert_false(move(f, "runs", "runs", "a", "w1", "late", 100).found);
    assert_claim(f, "done", "n", NULL, 0);
    assert_true(move(f, "runs", "done", "a", "w2", "result", 0).found);
    assert_false(move(f, "runs", "done", "a", "w2", "again", 0).found);
    assert_false(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w2").found);
    assert_false(ask(f, QUEUE_HEARTBEAT, "done", "a", "w2").found); /* not claimed there */
    reopen(f);
    assert_claim(f, "runs", "w1", NULL, 0);
    struct queue_request q = ask(f, QUEUE_CLAIM, "done", NULL, "n");
    assert_data(&q, "a", "result", 1);
    assert_true(ask(f, QUEUE_FINISH, "done", "a", "n").found);
    assert_false(ask(f, QUEUE_PUSH, "runs", "a", NULL).found);
}

static void a_moved_job_comes_last_and_one_of_its_name_gives_way(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    ask(f, QUEUE_PUSH, "done", "b", NULL);
    ask(f, QUEUE_PUSH, "done", "a", NULL);
    assert_claim(f, "runs", "w", "a", 1);
    assert_true(move(f, "runs", "done", "a", "w", "new", 0).found);
    assert_claim(f, "done", "n", "b", 1);
    struct queue_request q = ask(f, QUEUE_CLAIM, "done", NULL, "n");
    assert_data(&q, "a", "new", 1);
    assert_claim(f, "done", "n", NULL, 0);
    /* Its size is that of what is in it. */
    assert_true(ask(f, QUEUE_FINISH, "done", "a", "n").found);
    struct queue_request push = {
        .op = QUEUE_PUSH, .queue = "done", .id = "c", .data = "c", .len = 1, .bound = 2};
    assert_true(wait_queue(f->store, &push));
    push.id = "d";
    assert_false(wait_queue(f->store, &push));
    push = (struct queue_request){.op = QUEUE_PUSH, .queue = "runs", .id = "d", .bound = 1};
    assert_true(wait_queue(f->store, &push));
}

static void a_job_that_stays_keeps_its_place(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    ask(f, QUEUE_PUSH, "runs", "b", NULL);
    assert_claim(f, "runs", "w1", "a", 1);
    assert_true(move(f, "runs", "runs", "a", "w1", "begun", 100).found); /* still claimed */
    assert_claim(f, "runs", "w2", "b", 1);
    assert_claim(f, "runs", "w2", NULL, 0);
    reopen(f);
    assert_true(move(f, "runs", "runs", "a", "w1", "back", 0).found);
    assert_false(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w1").found); /* given back is given back */
    assert_true(move(f, "runs", "runs", "b", "w2", "back too", 0).found);
    struct queue_request q = ask(f, QUEUE_CLAIM, "runs", NULL, "w2");
    assert_data(&q, "a", "back", 2);
    q = ask(f, QUEUE_CLAIM, "runs", NULL, "w2");
    assert_data(&q, "b", "back too", 2);
}

/* Whoever cannot do a job looks at those behind it. */
static void jobs_are_claimed_after_a_number(void **state)
{
    struct fixture *f = *state;
    const char *const ids[] = {"a", "b", "c"};
    uint64_t numbers[LEN(ids)] = {0};
    for (size_t i = 0; i < LEN(ids); i++)
        ask(f, QUEUE_PUSH, "runs", ids[i], NULL);
    for (size_t i = 0; i < LEN(ids); i++) {
        struct queue_request q = ask(f, QUEUE_CLAIM, "runs", NULL, "w");
        assert_data(&q, ids[i], ids[i], 1);
        numbers[i] = q.number;
        assert_true(i == 0 || numbers[i] > numbers[i - 1]);
    }
    for (size_t i = 0; i < LEN(ids); i++)
        assert_true(ask(f, QUEUE_HEARTBEAT, "runs", ids[i], "w").found);
    f->clock.wall_ms += 100;
    for (size_t i = 0; i < LEN(ids); i++) {
        struct queue_request q = {.op = QUEUE_CLAIM,
                                  .queue = "runs",
                                  .worker = "w",
                                  .after = numbers[i],
                                  .arena = f->arena};
        assert_true(wait_queue(f->store, &q));
        assert_int_equal(q.found, i < 2);
        if (q.found)
            assert_string_equal(q.id, ids[i + 1]);
    }
    struct queue_request q = ask(f, QUEUE_CLAIM, "runs", NULL, "w");
    assert_string_equal(q.id, "a");
    assert_int_equal(q.number, numbers[0]);
}

static void a_job_is_taken_from_whoever_has_it(void **state)
{
    struct fixture *f = *state;
    ask(f, QUEUE_PUSH, "runs", "a", NULL);
    ask(f, QUEUE_PUSH, "runs", "b", NULL);
    assert_false(ask(f, QUEUE_CLAIM, "runs", "c", "n").found);
    assert_claim(f, "runs", "w", "a", 1);
    struct queue_request q = ask(f, QUEUE_CLAIM, "runs", "a", "n");
    assert_data(&q, "a", "a", 2);
    assert_false(ask(f, QUEUE_HEARTBEAT, "runs", "a", "w").found);
    q = ask(f, QUEUE_CLAIM, "runs", "b", "n"); /* nobody had it */
    assert_data(&q, "b", "b", 1);
    assert_true(ask(f, QUEUE_FINISH, "runs", "a", "n").found);
    assert_claim(f, "runs", "w", NULL, 0);
}

static const struct CMUnitTest TESTS[] = {
    CONFORM(jobs_are_claimed_oldest_first_once),
    CONFORM(a_claim_that_runs_out_is_taken_over),
    CONFORM(a_late_worker_keeps_a_job_that_nobody_took),
    CONFORM(a_queue_has_a_bound),
    CONFORM(whoever_has_a_job_moves_it_once),
    CONFORM(a_moved_job_comes_last_and_one_of_its_name_gives_way),
    CONFORM(a_job_that_stays_keeps_its_place),
    CONFORM(jobs_are_claimed_after_a_number),
    CONFORM(a_job_is_taken_from_whoever_has_it),
};
const struct part CONFORM_QUEUE = {TESTS, LEN(TESTS)};
