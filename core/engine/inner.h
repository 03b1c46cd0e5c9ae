/* inner: what the engine's own files share. Room: engine. Threads: [engine] but where a field says
 * otherwise. */
#ifndef PADDOCK_ENGINE_INNER_H
#define PADDOCK_ENGINE_INNER_H

#include "base/arena.h"
#include "base/map.h"
#include "engine/engine.h"
#include "registry/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LISTENERS_MAX 8

/* A namespace's chain: `hash` as far as decided, `committed` as far as on disk. */
struct chain {
    char hash[SHA256_HEX_SIZE], committed[SHA256_HEX_SIZE];
    struct chain *next; /* of those that this batch has moved */
    bool moved;
};
struct chains {
    struct map *map; /* namespace -> struct chain, filled as namespaces are first written */
    struct chain *moved;
};
void chains_init(struct chains *ch);
void chains_release(struct chains *ch);
/* The chain of `ns`, read from the store the first time. NULL when that fails. */
struct chain *chains_get(struct chains *ch, struct store *s, const char *ns, struct err *e)
    MUST_CHECK;
void chains_move(struct chains *ch, struct chain *c, const char hash[SHA256_HEX_SIZE]);
/* What moved is on disk now (`committed`), or never was. */
void chains_settle(struct chains *ch, bool committed);
/* Another node has moved it on. */
void chains_follow(struct chains *ch, const char *ns, const char hash[SHA256_HEX_SIZE]);
/* Forget all, to read them anew. */
void chains_clear(struct chains *ch);

/* Growing arrays that a batch fills and the next one uses again. */
struct batch {
    struct slot *slots; /* the commands, in the order they came */
    size_t n;
    struct store_group *groups;
    size_t n_groups, cap_groups;
    struct store_row *rows;
    size_t n_rows, cap_rows;
    struct journal_entry *entries;
    size_t n_entries, cap_entries;
    struct arena *arena; /* texts of entries, kept answers */
    int64_t now_ms;
    uint64_t seq, next_uid; /* as decided; the engine's own are as committed */
    bool duty;              /* some of it is the decider's */
    const char **new_keys;  /* of commands that are to be carried out for the first time */
    struct slot **keyed;    /* these */
    size_t n_new_keys;
    int n_over; /* commands that have their answer before the commit has gone well */
    struct store_commit commit;
};
void batch_init(struct batch *b, size_t limit);
void batch_release(struct batch *b);
/* Take commands from the list, carry them through, answer them; returns those that did not fit. */
struct mail *batch_run(struct engine *en, struct mail *list);
/* Commit nothing, to learn whether the store is back. */
void batch_probe(struct engine *en);

struct engine {
    struct store *store;
    bool shared; /* other nodes write to it, too */
    bool lags;   /* and it could not be read what */
    const struct clock *clock;
    const struct rules *rules;
    const struct gate_source *gate;
    size_t batch_limit;

    struct mailbox *commands; /* [any] posts */
    struct mailbox *replies;  /* the store posts */
    struct epoch *epoch;
    _Atomic(const struct view *) view; /* [any] reads */
    struct state *state;
    struct chains chains;
    uint64_t seq, next_uid;
    char hash[SHA256_HEX_SIZE]; /* of the entry `seq`, where others write, too; "": not known */
    uint64_t data_epoch;        /* of the store's data that were loaded */
    uint64_t told;              /* the listeners have heard of the entries so far */
    struct batch batch;
    struct publish_listener listeners[LISTENERS_MAX];
    size_t n_listeners;
    pthread_t thread;

    /* [any] reads */
    atomic_uint_fast64_t commands_done, refused, batches, failed_batches, batch_max, last_seq;
    atomic_int_fast64_t unavailable_since;

    /* [store] writes: how far others have written, and the mail that says so. */
    atomic_uint_fast64_t heard;
    atomic_bool nudged;
    struct mail nudge;
};

/* Build a state with all that is stored. NULL and `e` if the store or an entity is damaged. */
/* The entity of a row, for the state that is loaded or brought up to date. NULL and `e` if it is
 * damaged. */
struct entity *load_entity(struct state *state, const struct store_row *r, struct err *e)
    MUST_CHECK;
struct state *load_state(struct engine *en, struct store_head *head, struct err *e) MUST_CHECK;
/* What was loaded last: head and epoch. */
void engine_loaded(struct engine *en, const struct store_head *head);
/* Load everything anew and publish it: somebody else wrote, or the store lost what it had; of the
 * latter the listeners are told. */
bool engine_reload(struct engine *en, struct err *e) MUST_CHECK;
/* Take in what others wrote, publish it and tell it to the listeners. On failure all is as before.
 */
bool engine_catch_up(struct engine *en, struct err *e) MUST_CHECK;
/* [store] Others have written. */
void engine_heard(void *engine, uint64_t seq);
/* Tell the listeners. */
void engine_tell(struct engine *en, const struct journal_entry *entries, size_t n);
/* The answer that was kept under the command's key becomes its answer. `c->kept` NULL: it has just
 * expired. */
bool engine_fetch_kept(struct engine *en, struct command *c, struct err *e) MUST_CHECK;
/* Make what the state holds now visible to readers, as of the engine's `seq`. */
void engine_publish(struct engine *en);

#define KEPT_PREFIX "idem/"

#endif
