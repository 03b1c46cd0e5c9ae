/* loop: one event loop on its own thread, with its own listener, connections, clock and log buffer.
 * Room: http. Threads: as marked. Loops share nothing but mailboxes and immutable data. */
#ifndef PADDOCK_HTTP_LOOP_H
#define PADDOCK_HTTP_LOOP_H

#include "base/mailbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct loop;

/* Have mail->run(mail) called on the loop's thread. [any] False when the loop is stopping or full.
 */
bool loop_post(struct loop *l, struct mail *mail) MUST_CHECK;
/* The same past the bound: for answers to work the loop itself submitted. [any] */
void loop_post_answer(struct loop *l, struct mail *mail);
/* Have it called in a turn among those of the busy, after whoever uses little: for work that is
 * done in pieces, each of some 100 us, which posts itself again until it is done. What still waits
 * when the loop ends is not called. [loop] */
void loop_post_later(struct loop *l, struct mail *mail);
unsigned loop_index(const struct loop *l);    /* 0..threads-1 [any] */
struct event_base *loop_base(struct loop *l); /* [loop] */
int64_t loop_wall_ms(const struct loop *l);   /* read once per loop turn [loop] */
/* The application's own state of this loop (set in the start hook). [loop] */
void loop_set_state(struct loop *l, void *state);
void *loop_state(const struct loop *l);

#endif
