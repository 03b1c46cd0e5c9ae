#include "api/loop_state.h"

#include "api/api.h"
#include "api/errors.h"
#include "api/event_stream.h"
#include "api/inference.h"
#include "api/resolved.h"
#include "api/slices.h"
#include "api/waiters.h"
#include "base/mem.h"
#include "extend/policy_set.h"
#include "selection/decisions.h"
#include "selection/flag_routes.h"
#include "selection/flag_set.h"
#include "selection/selection_counts.h"
#include "selection/selector.h"

#include <inttypes.h>
#include <stdlib.h>

/* Whoever is not woken by a change is looked at by the tick, about once a second: the first one
 * after this lies within the 2 s that api.md allows. */
#define WAIT_MS 1000

#define FLAG_USE_COARSE_MS 3600000 /* of 30 days that count */

static void flag_seen(void *ctx, uint64_t uid, int64_t at_ms)
{
    token_usage_tell(ctx, uid, at_ms, FLAG_USE_COARSE_MS);
}

bool api_loop_start(struct loop *l, void *app, struct err *e)
{
    struct api *api = app;
    struct view_reader *reader = engine_join(api->engine);
    if (!reader)
        return fail(e, &ERR_INTERNAL, "too many threads read views");
    struct loop_state *s = mem_zero(1, sizeof *s);
    s->reader = reader;
    s->resolved = resolved_new();
    s->policies = policy_set_new(api->policies);
    s->flags = flag_set_new(s->policies);
    s->flag_routes = flag_routes_new();
    s->selections = selection_tally_new();
    s->decisions = decision_lane_new(api->decisions);
    s->slices = slices_new(l, api->clock);
    loop_set_state(l, s); /* api_loop_stop() frees it, also after a failure */
    s->selector = selector_new(api->selection, s->flags, e);
    return s->selector != NULL;
}

void api_loop_stop(struct loop *l, void *app)
{
    struct loop_state *s = loop_state(l);
    if (!s)
        return;
    slices_free(s->slices);
    ingests_free(s);
    resolved_free(s->resolved);
    flag_set_seen(s->flags, flag_seen, ((struct api *)app)->usage);
    selector_free(s->selector);
    selection_tally_flush(s->selections, ((struct api *)app)->selections);
    selection_tally_free(s->selections);
    decision_lane_free(s->decisions);
    flag_routes_free(s->flag_routes);
    flag_set_free(s->flags);
    policy_set_free(s->policies);
    engine_part(s->reader);
    token_memo_wipe(&s->tokens);
    loop_set_state(l, NULL);
    free(s);
}

static void change_came(struct loop *l);

/* Hear of the next change; and of one that makes it `seq`, should it have come since somebody
 * looked. */
static void hear(struct loop_state *s, struct loop *l, struct waiters *w, uint64_t seq)
{
    waiters_wait(w, l, change_came);
    if (view_seq(view_enter(s->reader)) >= seq)
        waiters_wake(w, l);
    view_leave(s->reader);
}

bool waiting_add(struct loop_state *s, struct request *rq, uint64_t seq)
{
    struct waiting *w = request_data(rq);
    if (!w) {
        w = arena_zero(request_arena(rq), sizeof *w);
        w->until_ms = loop_wall_ms(request_loop(rq)) + WAIT_MS;
        request_set_data(rq, w);
        request_defer(rq);
    }
    *w = (struct waiting){.next = s->waiting, .rq = rq, .seq = seq, .until_ms = w->until_ms};
    s->waiting = w;
    hear(s, request_loop(rq), ((const struct api *)request_app(rq))->waiters, seq);
    return false;
}

static void waiting_tick(struct loop *l, struct loop_state *s)
{
    uint64_t seq = view_seq(view_enter(s->reader));
    view_leave(s->reader);
    struct waiting *list = s->waiting, *next;
    s->waiting = NULL;
    for (struct waiting *w = list; w; w = next) {
        next = w->next;
        if (seq >= w->seq) {
            request_route(w->rq)->handle(w->rq);
        } else if (loop_wall_ms(l) >= w->until_ms) {
            request_problem(w->rq, &NODE_BEHIND, "this node is at %" PRIu64 ", not yet at %" PRIu64,
                            seq, w->seq);
        } else {
            w->next = s->waiting;
            s->waiting = w;
        }
    }
    if (s->waiting)
        hear(s, l, ((const struct api *)request_app(s->waiting->rq))->waiters, seq + 1);
}

static void change_came(struct loop *l)
{
    struct loop_state *s = loop_state(l);
    if (s && s->waiting)
        waiting_tick(l, s);
}

void api_loop_tick(struct loop *l, void *app)
{
    struct loop_state *s = loop_state(l);
    const struct api *api = app;
    if (!s)
        return;
    token_usage_tick(api->usage, &s->usage, loop_wall_ms(l));
    flag_set_seen(s->flags, flag_seen, api->usage);
    denials_tick(api->denials, loop_wall_ms(l));
    event_streams_tick(s, loop_wall_ms(l));
    selection_tally_flush(s->selections, api->selections);
    decision_lane_flush(s->decisions);
    if (s->waiting)
        waiting_tick(l, s);
}
