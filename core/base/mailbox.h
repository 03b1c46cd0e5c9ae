/* mailbox: a bounded queue from many threads to one, with an eventfd to wait on. Room: base.
 * Threads: post from [any]; take by the one owner. FIFO per sender. */
#ifndef PADDOCK_BASE_MAILBOX_H
#define PADDOCK_BASE_MAILBOX_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embed as first member (or anywhere) in what is posted. */
struct mail {
    struct mail *next;
    void (*run)(struct mail *self); /* called by an owner that runs its mail (loops); may be NULL */
};

struct mailbox;

/* A mailbox that holds at most `limit` mails; more are refused. */
struct mailbox *mailbox_new(size_t limit, struct err *e) MUST_CHECK;
/* The owner frees it; what is still inside is the caller's to drain first. Waits for posts that are
 * under way (a sender is done with its mail before it is done here), and none may begin any more.
 * NULL is allowed. */
void mailbox_free(struct mailbox *m);
/* Put one in. False when full or closed: the caller still owns `mail`. */
bool mailbox_post(struct mailbox *m, struct mail *mail) MUST_CHECK;
/* Put one in past the limit: for answers to work that was admitted (they are bounded by it). */
void mailbox_post_answer(struct mailbox *m, struct mail *mail);
/* All that is inside, oldest first, or NULL. Does not wait. */
struct mail *mailbox_take(struct mailbox *m);
/* As take, waiting up to `timeout_ms` (-1: for ever) for something or a close. */
struct mail *mailbox_wait(struct mailbox *m, int timeout_ms);
/* Refuse posts from now on and wake the owner. */
void mailbox_close(struct mailbox *m);
bool mailbox_closed(const struct mailbox *m);
/* Readable when something is inside; for event loops. Owned by the mailbox; take() drains it. */
int mailbox_fd(const struct mailbox *m);
size_t mailbox_count(const struct mailbox *m);

#endif
