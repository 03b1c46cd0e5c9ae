#include "base/mailbox.h"

#include "support/unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct letter {
    struct mail mail;
    int sender, number;
};

static bool readable(const struct mailbox *m)
{
    struct pollfd p = {.fd = mailbox_fd(m), .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void first_in_first_out(void **state)
{
    (void)state;
    struct err e;
    struct mailbox *m = mailbox_new(3, &e);
    struct letter letters[5];
    assert_null(mailbox_take(m));
    assert_false(readable(m));
    for (int i = 0; i < 3; i++) {
        assert_true(mailbox_post(m, &letters[i].mail));
        assert_true(readable(m));
    }
    assert_int_equal(mailbox_count(m), 3);
    assert_false(mailbox_post(m, &letters[3].mail));
    mailbox_post_answer(m, &letters[4].mail);
    assert_int_equal(mailbox_count(m), 4);

    struct mail *mail = mailbox_take(m);
    static const int order[] = {0, 1, 2, 4};
    for (int i = 0; i < 4; i++, mail = mail->next)
        assert_ptr_equal(mail, &letters[order[i]].mail);
    assert_null(mail);
    assert_int_equal(mailbox_count(m), 0);
    assert_false(readable(m));
    assert_true(mailbox_post(m, &letters[3].mail));
    assert_true(readable(m));
    assert_ptr_equal(mailbox_take(m), &letters[3].mail);
    mailbox_free(m);
    mailbox_free(NULL);
}

static void close_refuses_and_wakes(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(10, NULL);
    struct letter letters[3];
    assert_true(mailbox_post(m, &letters[0].mail));
    assert_false(mailbox_closed(m));
    mailbox_close(m);
    assert_true(mailbox_closed(m));
    assert_true(readable(m));
    assert_false(mailbox_post(m, &letters[1].mail));
    mailbox_post_answer(m, &letters[2].mail);
    struct mail *mail = mailbox_wait(m, -1);
    assert_ptr_equal(mail, &letters[0].mail);
    assert_ptr_equal(mail->next, &letters[2].mail);
    assert_null(mail->next->next);
    assert_null(mailbox_wait(m, -1)); /* closed and empty: does not wait */
    assert_int_equal(mailbox_count(m), 0);
    mailbox_free(m);
}

static void wait_gives_up(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(10, NULL);
    assert_null(mailbox_wait(m, 0));
    assert_null(mailbox_wait(m, 10));
    mailbox_free(m);
}

enum { SENDERS = 4, EACH = 20000 };

struct sender {
    struct mailbox *to;
    int name;
    size_t sent;
};

static void *send_many(void *arg)
{
    struct sender *s = arg;
    for (int i = 0; i < EACH; i++) {
        struct letter *letter = malloc(sizeof *letter);
        letter->sender = s->name;
        letter->number = i;
        while (!mailbox_post(s->to, &letter->mail))
            sched_yield();
        s->sent++;
    }
    return NULL;
}

/* All arrive, each sender's in order, however senders and owner interleave. */
static void many_senders(void **state)
{
    (void)state;
    struct mailbox *m = mailbox_new(100, NULL);
    pthread_t threads[SENDERS];
    struct sender senders[SENDERS];
    int next[SENDERS] = {0};
    for (int i = 0; i < SENDERS; i++) {
        senders[i] = (struct sender){m, i, 0};
        pthread_create(&threads[i], NULL, send_many, &senders[i]);
    }
    for (int got = 0; got < SENDERS * EACH;) {
        struct mail *mail = mailbox_wait(m, 10000);
        assert_non_null(mail);
        while (mail) {
            struct letter *letter = (struct letter *)mail;
            mail = mail->next;
            assert_int_equal(letter->number, next[letter->sender]++);
            free(letter);
            got++;
        }
    }
    for (int i = 0; i < SENDERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(mailbox_count(m), 0);
    assert_null(mailbox_take(m));
    mailbox_free(m);
}

static void *send_one(void *arg)
{
    struct sender *s = arg;
    struct letter *letter = malloc(sizeof *letter);
    mailbox_post_answer(s->to, &letter->mail);
    return NULL;
}

/* The owner frees the mailbox once it has what it waited for: the sender may not be done with it.
 */
static void outlives_its_senders(void **state)
{
    (void)state;
    for (int round = 0; round < 500; round++) {
        struct sender s = {mailbox_new(1, NULL), 0, 0};
        pthread_t thread;
        pthread_create(&thread, NULL, send_one, &s);
        struct mail *mail;
        while (!(mail = mailbox_take(s.to)))
            ;
        mailbox_free(s.to);
        free(mail);
        pthread_join(thread, NULL);
    }
}

static void *send_until_closed(void *arg)
{
    struct sender *s = arg;
    for (;;) {
        struct letter *letter = malloc(sizeof *letter);
        if (mailbox_post(s->to, &letter->mail)) {
            s->sent++;
            continue;
        }
        free(letter);
        if (mailbox_closed(s->to))
            return NULL;
    }
}

static size_t free_all(struct mail *mail)
{
    size_t n = 0;
    while (mail) {
        struct mail *next = mail->next;
        free(mail);
        mail = next;
        n++;
    }
    return n;
}

/* What a close does not refuse, the owner gets: nothing slips in behind its last look. */
static void close_loses_nothing(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        struct mailbox *m = mailbox_new(1000, NULL);
        pthread_t threads[2];
        struct sender senders[2] = {{.to = m}, {.to = m}};
        for (int i = 0; i < 2; i++)
            pthread_create(&threads[i], NULL, send_until_closed, &senders[i]);
        size_t got = 0;
        for (int i = 0; i < round; i++)
            got += free_all(mailbox_wait(m, 1));
        mailbox_close(m);
        got += free_all(mailbox_take(m));
        for (int i = 0; i < 2; i++)
            pthread_join(threads[i], NULL);
        assert_null(mailbox_take(m));
        assert_int_equal(got, senders[0].sent + senders[1].sent);
        mailbox_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_in_first_out),   cmocka_unit_test(close_refuses_and_wakes),
        cmocka_unit_test(wait_gives_up),        cmocka_unit_test(many_senders),
        cmocka_unit_test(outlives_its_senders), cmocka_unit_test(close_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
