#include "http/fair.h"

#include "base/mailbox.h"
#include "http/connection.h"

#include <event2/bufferevent.h>
#include <event2/event.h>

#define SLICE_NS     150000   /* of a turn; then the loop looks around */
#define WINDOW_SHIFT 26       /* 67 ms */
#define BUSY_NS      4000000  /* used of late: about 4 % of a loop */
#define QUIET_NS     500000   /* of a tenant or address: far from busy */
#define ALSO_BUSY_NS 150000   /* of a connection from a busy address */
#define CHARGE_MAX   1000000  /* for a visit: it may have been the kernel that took the time */
#define STARVED_NS   20000000 /* that the busy may wait while others fill the loop */

static int64_t now_of(const struct loop *l)
{
    return clock_mono_ns(l->config->clock);
}

/* --- usage --- */

static void age(struct usage *u, int64_t now)
{
    int64_t window = now >> WINDOW_SHIFT, passed = window - u->window;
    if (passed <= 0)
        return;
    u->ns = passed < 63 ? u->ns >> passed : 0;
    u->window = window;
}

static int64_t used(struct usage *u, int64_t now)
{
    age(u, now);
    return u->ns;
}

static struct usage *slot_of(struct loop *l, uint64_t key)
{
    return &l->fair.slots[key * 0x9E3779B97F4A7C15u >> 54];
}
_Static_assert(USAGE_SLOTS == 1 << (64 - 54), "slot_of() takes ten bits");

static void charge(struct usage *u, int64_t ns, int64_t now)
{
    age(u, now);
    u->ns += ns;
}

static bool is_busy(struct connection *c, int64_t now)
{
    struct loop *l = c->loop;
    int64_t own = used(&c->used, now);
    if (own > BUSY_NS || now < l->fair.level_until_ns || c->state == CONN_HANDSHAKE)
        return true;
    if (c->tenant)
        return used(slot_of(l, c->tenant), now) > BUSY_NS;
    return own > ALSO_BUSY_NS && used(slot_of(l, c->address), now) > BUSY_NS;
}

/* An event that is about to run keeps its place; the next visit tries again, also to take back what
 * was set of the others. Nothing of the bufferevent's own may be queued: connection_pace() says
 * what would come of that. */
static void set_priority(struct connection *c, enum fair_priority p)
{
    if (c->priority == p)
        return;
    bool all = (!c->readable || event_priority_set(c->readable, p) == 0) &&
               bufferevent_priority_set(c->bev, p) == 0;
    c->priority = all ? p : FAIR_PRIORITIES;
}

/* --- visits --- */

void fair_open(struct connection *c)
{
    struct loop *l = c->loop;
    bool later =
        c->state == CONN_HANDSHAKE || used(slot_of(l, c->address), loop_mono_ns(l)) > BUSY_NS;
    c->priority = FAIR_PRIORITIES; /* not known */
    set_priority(c, later ? FAIR_LATER : FAIR_FIRST);
}

void fair_begin(struct connection *c)
{
    struct fair *f = &c->loop->fair;
    f->visit_ns = f->last_ns = now_of(c->loop);
    if (!f->turn_ns)
        f->turn_ns = f->visit_ns;
    if (c->priority == FAIR_LATER)
        f->later_ns = f->visit_ns;
}

void fair_look(struct loop *l)
{
    struct fair *f = &l->fair;
    f->last_ns = now_of(l);
    if (!f->turn_ns)
        f->turn_ns = f->last_ns;
    else if (f->last_ns - f->turn_ns > SLICE_NS)
        event_base_loopbreak(l->base);
}

bool fair_over(const struct connection *c)
{
    const struct fair *f = &c->loop->fair;
    return f->last_ns - f->visit_ns > SLICE_NS;
}

void fair_end(struct connection *c)
{
    struct loop *l = c->loop;
    struct fair *f = &l->fair;
    fair_look(l);
    int64_t now = f->last_ns, spent = now - f->visit_ns;
    spent = spent < CHARGE_MAX ? spent : CHARGE_MAX;
    charge(&c->used, spent, now);
    struct usage *whose = slot_of(l, c->tenant ? c->tenant : c->address);
    charge(whose, spent, now);
    if (whose->ns <= QUIET_NS)
        f->quiet_ns = now;
    if (c->state != CONN_DEAD)
        set_priority(c, is_busy(c, now) ? FAIR_LATER : FAIR_FIRST);
}

/* --- the queue --- */

void fair_queue(struct connection *c)
{
    struct fair *f = &c->loop->fair;
    if (c->queued_up)
        return;
    c->queued_up = true;
    c->next_ready = NULL;
    c->prev_ready = f->ready_last;
    if (f->ready_last)
        f->ready_last->next_ready = c;
    else
        f->ready = c;
    f->ready_last = c;
    if (f->ready == c)
        event_active(f->ready_event, EV_TIMEOUT, 0);
}

void fair_unqueue(struct connection *c)
{
    struct fair *f = &c->loop->fair;
    if (!c->queued_up)
        return;
    c->queued_up = false;
    if (c->prev_ready)
        c->prev_ready->next_ready = c->next_ready;
    else
        f->ready = c->next_ready;
    if (c->next_ready)
        c->next_ready->prev_ready = c->prev_ready;
    else
        f->ready_last = c->prev_ready;
}

/* One of them; then it is the turn of whose event came meanwhile. */
static void on_ready(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct fair *f = &((struct loop *)arg)->fair;
    struct connection *c = f->ready;
    if (!c)
        return;
    fair_unqueue(c);
    fair_begin(c);
    connection_process(c);
    fair_end(c);
    if (f->ready)
        event_active(f->ready_event, EV_TIMEOUT, 0);
}

/* --- work in pieces --- */

void loop_post_later(struct loop *l, struct mail *mail)
{
    struct fair *f = &l->fair;
    mail->next = NULL;
    if (f->later_last)
        f->later_last->next = mail;
    else
        f->later = mail;
    f->later_last = mail;
    event_active(f->later_event, EV_TIMEOUT, 0);
}

/* One of them; those that it posts have their turn after it. */
static void on_later(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct loop *l = arg;
    struct fair *f = &l->fair;
    struct mail *mail = f->later;
    if (!mail)
        return;
    f->later = mail->next;
    if (!f->later)
        f->later_last = NULL;
    mail->run(mail);
    fair_look(l);
    f->later_ns = f->last_ns;
    if (f->later)
        event_active(f->later_event, EV_TIMEOUT, 0);
}

/* --- nobody waits for ever --- */

static void on_canary(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct fair *f = &((struct loop *)arg)->fair;
    f->canary_ns = 0;
    f->later_ns = f->last_ns;
    if (f->level_until_ns == INT64_MAX)
        f->level_until_ns = f->last_ns + STARVED_NS;
}

void fair_turn_end(struct loop *l)
{
    struct fair *f = &l->fair;
    if (f->canary_ns && f->last_ns - f->canary_ns > STARVED_NS)
        f->level_until_ns = INT64_MAX; /* until it sings: a single visit may outlast any while */
    if (f->turn_ns && !f->canary_ns && f->last_ns - f->later_ns > STARVED_NS) {
        f->canary_ns = f->last_ns;
        event_active(f->canary, EV_TIMEOUT, 0);
    }
    f->turn_ns = 0;
}

bool fair_start(struct loop *l, struct err *e)
{
    struct fair *f = &l->fair;
    f->ready_event = event_new(l->base, -1, 0, on_ready, l);
    f->canary = event_new(l->base, -1, 0, on_canary, l);
    f->later_event = event_new(l->base, -1, 0, on_later, l);
    if (!f->ready_event || !f->canary || !f->later_event ||
        event_priority_set(f->ready_event, FAIR_LATER) != 0 ||
        event_priority_set(f->canary, FAIR_LATER) != 0 ||
        event_priority_set(f->later_event, FAIR_LATER) != 0)
        return fail(e, &ERR_INTERNAL, "cannot make the queues of a loop");
    return true;
}

void fair_stop(struct loop *l)
{
    if (l->fair.ready_event)
        event_free(l->fair.ready_event);
    if (l->fair.canary)
        event_free(l->fair.canary);
    if (l->fair.later_event)
        event_free(l->fair.later_event);
}
