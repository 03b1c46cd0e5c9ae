/* strategies_impl: what the files of strategies share. Room: selection, private.
 * Threads: [strategies], but `lock` guards what others read. */
#ifndef PADDOCK_SELECTION_STRATEGIES_IMPL_H
#define PADDOCK_SELECTION_STRATEGIES_IMPL_H

#include "base/map.h"
#include "extend/strategy_process.h"
#include "selection/strategies.h"
#include "store/nodes.h"

#include <pthread.h>

/* The process of one plugin file. */
struct shop {
    char *sha256;                     /* of the file: another file is another shop */
    struct strategy_process *process; /* NULL: none runs */
    uint64_t generation;              /* grows with each start: instances of others are gone */
    bool used;                        /* by a route of this round */
    int64_t retry_ns;                 /* it does not start before */
    unsigned failures;                /* to start, in a row */
    bool taken[STRATEGY_KEYS];        /* keys of instances */
};

/* What is known of one route. */
struct asked {
    char *ns, *route, *strategy, *params;
    uint64_t uid, seen; /* seen: the round */
    struct shop *shop;
    uint64_t generation; /* of the shop, when the instance was opened; 0: there is none */
    int key;
    /* What is kept: the state (base64, NULL: none yet) as of state_offset. */
    char *state;
    uint64_t state_offset, offset;
    int64_t kept_ns;
    uint64_t kept;      /* hash of what was kept last */
    bool fetched, more; /* looked for in the store; outcomes wait that did not fit into the turn */
    int64_t retry_ns;
    unsigned ended;                /* turns in a row that ended the process */
    struct strategy_status status; /* under the lock */
};

struct strategies {
    struct strategies_config config;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t call;
    bool stopping, woken;
    struct map *routes;   /* "ns\0route" to struct asked, under the lock where it changes */
    struct map *shops;    /* sha256 to struct shop */
    struct arena *arena;  /* of one round */
    uint64_t round, life; /* life: of the source */
    char space[STORE_SPACE_SIZE];
};

/* strategies_turn.c: open the instance if need be, and ask. False: `e` says why; whether the
 * process still lives is to be looked at. `*answered`: there were weights. */
bool strategies_turn(struct strategies *s, struct asked *a, const struct strategy_route *route,
                     bool keep, bool *answered, struct err *e) MUST_CHECK;
/* Let its instance go, if the process has it. */
void strategies_close(struct strategies *s, struct asked *a);

/* strategies_keep.c: what survives. Fetching publishes what was in force; again, what another node
 * has kept meanwhile. */
void strategies_fetch(struct strategies *s, struct asked *a, const struct strategy_route *route);
bool strategies_keep(struct strategies *s, struct asked *a, struct err *e) MUST_CHECK;
void strategies_forget(struct strategies *s, const struct asked *a);

#endif
