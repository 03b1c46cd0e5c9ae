/* loop_state: what each event loop keeps for the handlers. Room: api. Threads: [loop], its own. */
#ifndef PADDOCK_API_LOOP_STATE_H
#define PADDOCK_API_LOOP_STATE_H

#include "api/token_memo.h"
#include "api/token_usage.h"
#include "engine/engine.h"
#include "http/request.h"

#include <stdbool.h>
#include <stdint.h>

struct event_stream;
struct ingest;
struct resolved;
struct policy_set;
struct flag_set;
struct flag_routes;
struct selector;
struct decision_lane;
struct selection_tally;
struct slices;

/* A read that waits for a change to arrive (?min_seq=). */
struct waiting {
    struct waiting *next;
    struct request *rq;
    uint64_t seq;
    int64_t until_ms;
};

struct loop_state {
    struct view_reader *reader;
    struct ingest *ingests; /* recycled, see inference.c */
    size_t n_ingests;
    struct resolved *resolved; /* models that batches have named */
    struct waiting *waiting;
    struct event_stream *follows; /* streams of events */
    size_t n_follows;
    struct usage_places usage; /* of tokens */
    struct token_memo tokens;
    struct policy_set *policies; /* this loop's Lua states */
    struct flag_set *flags;
    struct flag_routes *flag_routes;
    struct selector *selector;
    struct selection_tally *selections;
    struct decision_lane *decisions;
    struct slices *slices; /* of work that would hold the loop */
};

/* Put a read off; its handler is called again when a change has come, or by the loop's tick.
 * Returns false, for call_begin().
 */
bool waiting_add(struct loop_state *s, struct request *rq, uint64_t seq);

#endif
