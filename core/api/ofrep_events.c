/* OFREP's refetch stream: tells clients that keep the answers of a bulk evaluation when to ask
 * again. An event carries nothing but that, so whoever may ask for flags of a namespace hears of
 * all its changes.
 *
 * A change makes every client ask at once. So what comes within a second is one event, and where
 * many listen on a loop they are told one after the other. */
#include "api/event_stream.h"
#include "api/handlers.h"
#include "api/ofrep_impl.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/errors.h"
#include "selection/flag_routes.h"
#include "selection/flag_set.h"
#include "selection/selector.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CHANGES    "flag.*,segment.*,layer.*,policy.*"
#define PAUSE_MS   1000  /* between two events of one stream */
#define AT_ONCE    64    /* streams of a loop that are told in the same moment */
#define SPREAD_MAX 10000 /* ms over which more than these are told */
#define ETAG       "seq-%" PRIu64

/* False: the stream is gone, or will be. */
static bool tell(struct event_stream *f, int64_t now_ms)
{
    char text[160];
    int len = snprintf(text, sizeof text,
                       "id: %" PRIu64 "\ndata: {\"type\":\"refetchEvaluation\",\"etag\":\"" ETAG
                       "\",\"lastModified\":%" PRId64 "}\n\n",
                       f->last, f->last, now_ms / 1000);
    f->refetch.due_ms = 0;
    f->refetch.told_ms = now_ms;
    return stream_write(f->stream, text, (size_t)len);
}

static int64_t place_in_line(const struct event_stream *f)
{
    size_t n = f->state->n_follows;
    const uint64_t who = (uint64_t)(uintptr_t)f;
    return n <= AT_ONCE
               ? 0
               : (int64_t)(hash64(&who, sizeof who, f->last) % (n < SPREAD_MAX ? n : SPREAD_MAX));
}

static void become_due(struct event_stream *f, int64_t now_ms)
{
    if (!f->refetch.due_ms)
        f->refetch.due_ms = now_ms + place_in_line(f);
}

static bool flags_changed(struct event_stream *f, uint64_t seq, const char *action,
                          const char *json, size_t len)
{
    (void)action;
    (void)json;
    (void)len;
    int64_t now_ms = loop_wall_ms(f->loop);
    f->last = seq > f->last ? seq : f->last;
    become_due(f, now_ms);
    if (f->refetch.due_ms > now_ms || now_ms - f->refetch.told_ms < PAUSE_MS)
        return true;
    bool goes_on = tell(f, now_ms);
    if (!goes_on)
        f->follower = NULL; /* it ends with our false; closed() comes later */
    return goes_on;
}

/* What a tick finds out of a namespace: one look for all its streams. */
struct look {
    uint64_t mark; /* of the models that its flags lead to */
    bool timed, timed_known;
    struct loop_state *state;
    struct selection_question q;
};

static void mark_route(void *ctx, const char *route)
{
    struct look *l = ctx;
    l->q.route = route;
    l->mark += hash64(route, strlen(route), selector_mark(l->state->selector, &l->q));
}

/* It changes with the models that flags of the namespace lead to. */
static uint64_t models_mark(struct look *l, struct loop_state *s, const struct view *v,
                            const char *ns, int64_t now_ms)
{
    *l = (struct look){.state = s, .q = {.view = v, .ns = ns, .at_ms = now_ms}};
    flag_routes_each(s->flag_routes, v, ns, now_ms, mark_route, l);
    return l->mark;
}

static struct look *look_of(const struct event_stream *f, struct event_tick *t)
{
    const size_t len = strlen(f->ns);
    struct look *l = t->looks ? map_get(t->looks, f->ns, len) : NULL;
    if (l)
        return l;
    l = mem_alloc(sizeof *l);
    models_mark(l, f->state, t->view, f->ns, t->now_ms);
    if (!t->looks)
        t->looks = map_new();
    map_set(t->looks, f->ns, len, l);
    return l;
}

static bool look_at(const struct entity *e, void *ctx)
{
    struct look *l = ctx;
    l->timed = flag_set_timed(l->state->flags, document_of(e));
    return !l->timed; /* one is enough */
}

/* Flags that read the clock may change with the minute, as the tag of the bulk answer does. */
static bool minute_matters(const struct event_stream *f, struct event_tick *t)
{
    struct look *l = look_of(f, t);
    if (!l->timed_known)
        view_each_of(t->view, ENTITY_FLAG, f->ns, look_at, l);
    l->timed_known = true;
    return l->timed;
}

/* What is behind the flags changes with the registry, with circuits and with experiments. Who
 * fetches again from another node is answered when that has seen what this one has. */
static void look_at_models(struct event_stream *f, struct event_tick *t)
{
    const uint64_t mark = look_of(f, t)->mark;
    if (mark == f->refetch.models)
        return;
    f->refetch.models = mark;
    f->last = view_seq(t->view) > f->last ? view_seq(t->view) : f->last;
    become_due(f, t->now_ms);
}

static void tick(struct event_stream *f, struct event_tick *t)
{
    int64_t minute = t->now_ms / OFREP_TIME_GRAIN;
    uint64_t policies = policies_generation(f->api->policies);
    if (policies != f->refetch.policies) { /* files change without an entry of the journal */
        f->refetch.policies = policies;
        become_due(f, t->now_ms);
    }
    if (minute != f->refetch.minute) {
        f->refetch.minute = minute;
        if (minute_matters(f, t))
            become_due(f, t->now_ms);
    }
    look_at_models(f, t);
    if (f->refetch.due_ms && f->refetch.due_ms <= t->now_ms && !tell(f, t->now_ms))
        return; /* closed() has been or will be called */
}

/* ---- who may listen ---- */

void ofrep_put_streams(struct bytes *b, const struct call *c, uint64_t seq)
{
    struct ofrep_ticket t = {.token_uid = c->access->token_uid,
                             .token_revision = c->access->token_revision};
    char ticket[OFREP_TICKET_SIZE];
    int id = snprintf(t.actor_id, sizeof t.actor_id, "%s", c->access->actor_id);
    int ns = snprintf(t.ns, sizeof t.ns, "%s", c->ns);
    bytes_text(b, ",\"eventStreams\":[");
    if (id > 0 && id < (int)sizeof t.actor_id && ns > 0 && ns < (int)sizeof t.ns &&
        ofrep_ticket_make(c->api->selection->keys, &t, clock_wall_ms(c->api->clock), ticket))
        bytes_printf(b,
                     "{\"type\":\"sse\",\"endpoint\":{\"requestUri\":\"/ofrep/v1/"
                     "events?ticket=%s&last_event_id=%" PRIu64 "\"}}",
                     ticket, seq);
    bytes_char(b, ']');
}

bool ofrep_told_seq(const char *etag, uint64_t *seq)
{
    char end;
    return etag && sscanf(etag, "seq-%" SCNu64 "%c", seq, &end) == 1;
}

/* What a ticket lets in is who it was made for, if that one is still as he was. */
static bool let_in(struct call *c, struct ofrep_ticket *t, struct access *a, struct err *e)
{
    int64_t now_ms = clock_wall_ms(c->api->clock);
    if (!c->q.ticket)
        return call_fault(c->arena, "ticket", e, "is required");
    bool good = ofrep_ticket_read(c->api->selection->keys, c->q.ticket, now_ms, t);
    *a = (struct access){.ns = t->ns,
                         .token_uid = t->token_uid,
                         .token_revision = t->token_revision,
                         .actor_id = t->actor_id};
    if (good) {
        good = access_holds(a, view_enter(c->reader), now_ms);
        view_leave(c->reader);
    }
    return good ||
           fail(e, &HTTP_UNAUTHENTICATED,
                "the ticket is not valid: fetch the flags again, eventStreams has a fresh one");
}

void ofrep_events(struct request *rq)
{
    static const struct event_stream_kind REFETCH = {
        .greeting = ": tells when to fetch flags again\n\n", .entry = flags_changed, .tick = tick};
    struct call c;
    struct err e;
    struct ofrep_ticket t;
    struct access a;
    uint64_t after;
    if (!call_begin(rq, ANY_NAMESPACE, &c))
        return;
    if (!let_in(&c, &t, &a, &e) || !event_stream_after(&c, &after, &e)) {
        request_fail(rq, &e);
        return;
    }
    const int64_t now_ms = clock_wall_ms(c.api->clock);
    const struct view *v = view_enter(c.reader);
    const uint64_t now = view_seq(v);
    struct look look;
    const uint64_t models = models_mark(&look, loop_state(request_loop(rq)), v, t.ns, now_ms);
    view_leave(c.reader);
    const struct event_wish wish = {
        .kind = &REFETCH, .access = &a, .ns = t.ns, .types = CHANGES, .after_seq = now};
    struct event_stream *f = event_stream_open(&c, &wish);
    if (!f)
        return;
    f->refetch.models = models;
    f->refetch.policies = policies_generation(c.api->policies);
    f->refetch.minute = loop_wall_ms(f->loop) / OFREP_TIME_GRAIN;
    /* Something happened meanwhile: asking again is cheap (304 if it was nothing), reading the
     * journal for it is not. */
    if (after < now && !tell(f, loop_wall_ms(f->loop)))
        return; /* closed() has been or will be called */
}
