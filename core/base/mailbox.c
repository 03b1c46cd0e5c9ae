#include "base/mailbox.h"

#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* A stack that senders push onto and the owner takes as a whole and turns around. Its lowest bit
 * says that it is closed, so that no post can slip in after a close. Only the sender that finds it
 * empty writes the eventfd: a busy owner costs its senders no system call. */

#define CLOSED ((uintptr_t)1)
/* A mail can be taken, and answered, and the mailbox be of no more use, before its sender has woken
 * the owner: senders are counted, in the upper half of `count`, and a mailbox outlives them. */
#define SENDER ((size_t)1 << 40)
#define MAILS  (SENDER - 1)

struct mailbox {
    _Alignas(64) atomic_uintptr_t top; /* struct mail *, and the bit CLOSED */
    atomic_size_t count; /* mails inside, and SENDER for each call that is under way */
    _Alignas(64) atomic_uint_fast64_t unread; /* writes to `fd` begun and not yet read */
    size_t limit;
    int fd;
};

struct mailbox *mailbox_new(size_t limit, struct err *e)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0) {
        fail_errno(e, &ERR_INTERNAL, "cannot make an eventfd");
        return NULL;
    }
    struct mailbox *m = NULL;
    if (posix_memalign((void **)&m, _Alignof(struct mailbox), sizeof *m) != 0) {
        close(fd);
        fail(e, &ERR_MEMORY, "no memory for a mailbox");
        return NULL;
    }
    atomic_init(&m->top, 0);
    atomic_init(&m->count, 0);
    atomic_init(&m->unread, 0);
    m->limit = limit;
    m->fd = fd;
    return m;
}

void mailbox_free(struct mailbox *m)
{
    if (!m)
        return;
    while (atomic_load(&m->count) >= SENDER)
        sched_yield();
    close(m->fd);
    free(m);
}

static void wake(struct mailbox *m)
{
    uint64_t one = 1;
    atomic_fetch_add(&m->unread, 1);
    /* It cannot fail: the counter would have to reach 2^64 - 1. */
    ssize_t n = write(m->fd, &one, sizeof one);
    (void)n;
}

/* False only if it is closed and `answer` is not set. */
static bool push(struct mailbox *m, struct mail *mail, bool answer)
{
    uintptr_t top = atomic_load(&m->top);
    do {
        if ((top & CLOSED) && !answer)
            return false;
        mail->next = (struct mail *)(top & ~CLOSED);
    } while (!atomic_compare_exchange_weak(&m->top, &top, (uintptr_t)mail | (top & CLOSED)));
    /* From here on the mail belongs to the owner. */
    if ((top & ~CLOSED) == 0)
        wake(m);
    return true;
}

bool mailbox_post(struct mailbox *m, struct mail *mail)
{
    bool fits = (atomic_fetch_add(&m->count, SENDER + 1) & MAILS) < m->limit;
    bool done = fits && push(m, mail, false);
    atomic_fetch_sub(&m->count, done ? SENDER : SENDER + 1);
    return done;
}

void mailbox_post_answer(struct mailbox *m, struct mail *mail)
{
    atomic_fetch_add(&m->count, SENDER + 1);
    push(m, mail, true);
    atomic_fetch_sub(&m->count, SENDER);
}

struct mail *mailbox_take(struct mailbox *m)
{
    /* First the signal, then the mail: the other way round could lose the signal of a later mail.
     * A signal whose write is still under way wakes us once more for nothing. */
    uint64_t signals;
    if (atomic_load(&m->unread) > 0 && read(m->fd, &signals, sizeof signals) == sizeof signals)
        atomic_fetch_sub(&m->unread, signals);

    struct mail *mail = (struct mail *)(atomic_fetch_and(&m->top, CLOSED) & ~CLOSED);
    struct mail *oldest = NULL;
    size_t n = 0;
    while (mail) {
        struct mail *next = mail->next;
        mail->next = oldest;
        oldest = mail;
        mail = next;
        n++;
    }
    if (n)
        atomic_fetch_sub(&m->count, n);
    return oldest;
}

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

struct mail *mailbox_wait(struct mailbox *m, int timeout_ms)
{
    int64_t until = timeout_ms > 0 ? now_ms() + timeout_ms : 0;
    for (;;) {
        struct mail *mail = mailbox_take(m);
        if (mail || mailbox_closed(m))
            return mail ? mail : mailbox_take(m); /* what was posted just before the close */
        struct pollfd p = {.fd = m->fd, .events = POLLIN};
        int n = poll(&p, 1, timeout_ms);
        if (n == 0)
            return NULL;
        if (timeout_ms > 0) {
            int64_t left = until - now_ms();
            timeout_ms = left > 0 ? (int)left : 0;
        }
    }
}

void mailbox_close(struct mailbox *m)
{
    atomic_fetch_add(&m->count, SENDER);
    atomic_fetch_or(&m->top, CLOSED);
    wake(m);
    atomic_fetch_sub(&m->count, SENDER);
}

bool mailbox_closed(const struct mailbox *m)
{
    return atomic_load(&m->top) & CLOSED;
}

int mailbox_fd(const struct mailbox *m)
{
    return m->fd;
}

size_t mailbox_count(const struct mailbox *m)
{
    return atomic_load(&m->count) & MAILS;
}
