/* deliver_impl: what the files of the deliverer share. Room: feed, private. Threads: its own, but
 * for what `lock` guards. */
#ifndef PADDOCK_FEED_DELIVER_IMPL_H
#define PADDOCK_FEED_DELIVER_IMPL_H

#include "base/mailbox.h"
#include "feed/deliver.h"
#include "feed/event.h"
#include "feed/lanes.h"
#include "feed/outbox.h"
#include "registry/webhook.h"

#include <pthread.h>
#include <stdatomic.h>

#define DELIVER_RETRY_MS   1000 /* after the store failed */
#define DELIVER_TIMEOUT_MS 15000

struct deliveries {
    struct deliver_config config;
    struct mailbox *box;
    struct http_multi *multi;
    struct view_reader *reader;
    pthread_t thread;
    bool started;
    atomic_bool stopping;
    atomic_uint_least64_t published; /* sequence of the newest entry */
    atomic_uint_least64_t back_to; /* the journal was cut: one more than its last; 0: it was not */
    struct mail poke;              /* posted at most once at a time: `poked` */
    atomic_bool poked;
    atomic_uint tests; /* under way */

    unsigned asked;            /* requests that the store has not answered */
    unsigned busy;             /* lanes handed out */
    struct sending *unwritten; /* what the store did not take, to be written again */
    bool held, loaded, loading, scanning, leasing;
    int64_t since_ms;                                           /* when it was loaded */
    int64_t lease_ms, lease_ends_ms, load_ms, scan_ms, trim_ms; /* when next, monotonic */

    pthread_mutex_t lock; /* guards what follows, which others read */
    struct lanes *lanes;
    uint64_t cursor; /* the journal was looked through up to here */
    struct deliver_stats stats;
};

/* A lane under way. */
struct sending {
    struct journal_read read; /* first */
    struct series_append append;
    struct series_read more;
    struct deliveries *d;
    struct lane *lane;
    struct bytes body;
    struct outbox_row row;
    struct outbox_report report;
    const struct journal_entry *entry; /* NULL: the journal has none */
    struct series_record records[2];
    struct series_trim trim;
    struct event_headers headers;
    int64_t due_ms;
    size_t n_more;
    struct sending *next; /* among the unwritten ones */
    int64_t again_ms;     /* when it is written again; 0: it did not fail yet */
};

/* Monotonic milliseconds. */
int64_t deliver_now(const struct deliveries *d);
/* [store] Hand an answer over; the mail's `run` is called on the deliverer's thread. */
void deliver_answer(struct deliveries *d, struct mail *mail);

/* deliver_scan.c: look at the next page of the journal, if there is one and none is looked at. */
void deliver_scan(struct deliveries *d);
/* deliver_load.c: read cursor and queues; `loaded` when it went well. */
void deliver_load(struct deliveries *d);
/* Delete series that nobody needs: of one webhook, or (uid 0) what is too old of all. */
void deliver_trim(struct deliveries *d, uint64_t uid);
/* deliver_alert.c: a webhook keeps failing ("why" goes on after its name); something arrived. */
#define DELIVER_ALERT_AFTER 10 /* attempts of one delivery, some six minutes */
void deliver_alert_raise(struct deliveries *d, const char *ns, const char *id, const char *why);
void deliver_alert_resolve(struct deliveries *d, const char *ns, const char *id);
/* Its receiver has answered 410 Gone. */
void deliver_disable(struct deliveries *d, const char *ns, const char *id);
/* deliver_send.c: hand out lanes that are due. */
void deliver_send(struct deliveries *d);
/* deliver_sent.c: write again what is due; if this one stops or holds the lease no more, leave it
 * to whoever is next, who finds it in the queue. */
void deliver_write_again(struct deliveries *d);
/* deliver_test.c */
void deliver_run_test(struct mail *mail);
/* The webhook, inside the view; NULL if it is no more. */
const struct webhook *deliver_webhook(const struct view *v, const char *ns, const char *id,
                                      uint64_t uid);

/* deliver_sent.c: each gives the lane back, at once or when the store has answered, and frees `s`.
 */
void sending_put_off(struct sending *s, int64_t ms); /* not now */
/* The webhook is gone, and with it all that waits for it. */
void sending_webhook_gone(struct sending *s);
/* The lane's memory ran empty: read on in the store. */
void sending_read_more(struct sending *s);
/* Write the report down, again and again until the store has it; its status is pending: `due_ms`
 * says when to try again. */
void sending_note(struct sending *s);
/* Nothing more is tried. */
void sending_finish(struct sending *s, enum delivery_status status);

#endif
