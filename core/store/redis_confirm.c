/* Behind Sentinels, and on a Cluster, what was written is told as done when replicas have it, for
 * one of them may be the master next. So many as the URL says must have it. But Sentinels may
 * promote one that was left out: so all that keep up are waited for, after which whoever let us
 * wait is left behind until it has caught up.
 *
 * One on a connection waits for all, those that are done meanwhile for as many as must: Redis
 * answers in order and carries out nothing behind a WAIT, so whatever was answered before it has an
 * answer came before it, and is waited for with it. A replica that hangs costs that
 * time once.
 *
 * If fewer have it than Sentinels know, one that has not may be the master already, and this one
 * deposed without knowing it: Sentinels put out masters that live, and one that comes back from the
 * dead just then follows the deposed one and confirms what it writes. So Sentinels are asked, in a
 * round that begins after the replicas have answered. Nobody is promoted but by one of them, which
 * says so from before that on; so if none does, whoever has confirmed was not yet following a
 * master that is none. */
#include "store/redis.h"

static unsigned confirm_ms(const struct redis *s)
{
    return (unsigned)(s->reply_ns / 5000000);
}

bool ask_wants_all(const struct ask *c)
{
    return c->confirming && c->wanted > c->link->store->url.wait;
}

static enum ask_result confirmed(struct ask *c, const redisReply *r, struct err *e);

static void want(struct ask *c, int replicas)
{
    const struct redis *s = c->link->store;
    c->confirming = true;
    c->wanted = replicas;
    ask_begin_in(c, PLAIN, NULL, c->slot);
    ask_text(c, "WAIT");
    ask_int(c, replicas);
    ask_uint(c, confirm_ms(s) * (ask_wants_all(c) ? 2 : 1));
    c->reply = confirmed;
}

static enum ask_result confirmed(struct ask *c, const redisReply *r, struct err *e)
{
    struct redis *s = c->link->store;
    const bool all = ask_wants_all(c);
    int64_t n;
    if (!redis_number(r, &n))
        return redis_strange(e), ASK_FAILED;
    if (all && n < c->wanted)
        wire_leave_behind(c->wire, (int)n);
    if (n >= s->url.wait)
        return n < guides_replicas(s) ? ASK_DOUBTED : ASK_DONE;
    if (all) {
        want(c, s->url.wait);
        return ASK_AGAIN;
    }
    fail(e, &ERR_IO, "%d of %d replicas had it after %u ms; whether it lasts is not known", (int)n,
         s->url.wait, confirm_ms(s));
    wire_note_replicas(c->wire, (int)n);
    return ASK_FAILED;
}

void ask_replicas(struct ask *c)
{
    const int must = c->link->store->url.wait;
    const int all = atomic_load(&wire_followers(c->wire)->keep_up);
    want(c, all > must && !c->wire->asks_all ? all : must);
    c->wire->asks_all |= ask_wants_all(c);
    ask_send(c);
}

/* --- is it the master still? --- */

void ask_sentinels(struct ask *c)
{
    struct link *l = c->link;
    c->turn = c->wire->to.turn;
    c->round = guides_ask(l->store);
    c->after = l->doubted;
    l->doubted = c;
}

void asks_told(struct link *l)
{
    struct ask *c = l->doubted;
    l->doubted = NULL;
    for (struct ask *next; c; c = next) {
        struct err e = {0};
        uint64_t turn;
        next = c->after;
        c->after = NULL;
        if (!guides_told(l->store, c->round, &turn)) {
            c->after = l->doubted;
            l->doubted = c;
        } else if (turn == c->turn) {
            ask_settle(c, NULL);
        } else {
            fail(&e, &ERR_IO,
                 "not all replicas have it, and Sentinels do not stand by the master; "
                 "whether it lasts is not known");
            ask_settle(c, &e);
        }
    }
}
