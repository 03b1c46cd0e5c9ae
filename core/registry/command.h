/* command: a wish to change entities, decided by a pure function. Room: registry.
 * Threads: built on [any], decided on [engine].
 *
 * decide() looks at the head (all that is committed plus what is committing), and either refuses
 * with an error or fills `changes` and the answer. It does no I/O and reads no clock. */
#ifndef PADDOCK_REGISTRY_COMMAND_H
#define PADDOCK_REGISTRY_COMMAND_H

#include "base/arena.h"
#include "base/err.h"
#include "base/fault.h"
#include "base/mailbox.h"
#include "registry/grant.h"
#include "registry/state.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rollout_policies;

struct actor {
    const char *kind; /* "token" | "anonymous" | "scheduler" | "experiment" | "server" */
    const char *id;
    const char *on_behalf_of; /* may be NULL */
};

/* What the test types that the server knows demand of a test case's configuration. */
struct test_types {
    /* Add faults: at /type if nobody knows the type, below /config for what does not fit its
     * schema. Called on the engine's thread: must not block. */
    void (*check)(void *self, const char *type, const json_t *config, struct faults *f);
    /* Add a fault at `pointer` if nobody knows the type: it says which there are. Likewise. */
    void (*check_name)(void *self, const char *type, const char *pointer, struct faults *f);
    void *self;
};

/* What the strategies that the server knows demand of a route's parameters; as test_types. */
struct strategy_types {
    /* Add faults: at /strategy if nobody knows it, below /params for what does not fit. */
    void (*check)(void *self, const char *strategy, const json_t *params, struct faults *f);
    void *self;
};

/* Who may be what: the configuration that decisions need. */
struct rules {
    const char *const *types;             /* model types, NULL-terminated */
    const char *const *protected_aliases; /* aliases that follow the gate, NULL-terminated */
    const char *const
        *required_stable;          /* test types every promotion to stable needs; default none */
    int64_t gate_max_age_seconds;  /* INT64_MIN: none */
    const char *gate_max_severity; /* default "medium" */
    int64_t nightly_hour_utc;      /* 0..23: what a new registered model gets */
    const struct test_types *test_types;             /* NULL: any type, any configuration */
    const struct strategy_types *strategies;         /* NULL: any strategy, any parameters */
    const struct rollout_policies *rollout_policies; /* flag.h; NULL: any policy, any params */
    const char *const *dataset_dirs; /* where file: URIs of datasets may lie, NULL-terminated */
    /* Where programs of runtimes may lie, with what these directories really are where they are
     * links; NULL or none: a runtime is stored and refused when it is to run. */
    const char *const *exec_dirs;
};

/* May this model go there? */
struct gate_question {
    const struct view *view;
    const struct rules *rules;
    const struct gate_source *source; /* NULL: GATE_NO_EVIDENCE */
    const struct model *model;
    enum model_status to;
    bool wants; /* it is asked in order to pass: a run that is needed may be started */
};

/* What is known about it. Texts are in the arena of whoever asked. */
struct gate_verdict {
    const char *conditions; /* JSON array text of {"name","status","run_id","detail"} */
    const char *evidence;   /* "complete", "incomplete", "none" */
    const char *run_id;     /* of the run that is under way, or NULL */
};

/* Evidence for a gate: validation/gate.h. */
struct gate_source {
    /* Does what is known satisfy `rule`? Fills `out`. Hold and lifecycle are not its business.
     * Reads q->view and memory; it may ask for a run (q->wants), but waits for nothing. */
    bool (*judge)(void *self, const struct gate_question *q, const struct gate_rule *rule,
                  struct arena *a, struct gate_verdict *out);
    void *self;
};
/* The source while there is nothing that validates: whatever a rule requires is missing. */
extern const struct gate_source GATE_NO_EVIDENCE;

/* What a decision may look at. */
struct head {
    const struct view *view;
    struct intern *names;
    const struct rules *rules;
    const struct gate_source *gate; /* NULL: GATE_NO_EVIDENCE */
    int64_t now_ms;
    uint64_t next_uid; /* free incarnation numbers start here; decide() raises it as it uses them */
};

/* One entity changed: one journal entry. */
struct change {
    const char *action;          /* "model.promoted" */
    const struct entity *before; /* NULL: created */
    struct entity *after;        /* NULL: deleted */
    const char *reason;          /* NULL: the command's */
    const char *evidence;        /* JSON text or NULL */
};

#define CHANGES_MAX 4096
#define CHANGES_TEXT_MAX                                                    \
    ((size_t)64 << 20) /* bytes of entity text that a bulk change may touch \
                        */

struct changes {
    struct change *list; /* in the command's arena */
    size_t n, cap;
};

struct answer {
    int status;           /* 200, 201, 204 */
    const char *location; /* or NULL */
    int64_t revision;     /* for the ETag; 0: none */
    const char *body;     /* JSON, or NULL */
    size_t body_len;
};

struct command {
    struct mail mail;    /* first: travels through the engine's mailbox */
    struct arena *arena; /* owns all the command points to, and its answer */
    const char *ns;
    struct actor actor;
    const struct grants *grants; /* the actor's; NULL: everything is allowed */
    uint32_t actions;            /* one of these lets the command in (ACTION_BIT) */
    const char *request_id;
    const char *reason;    /* or NULL */
    int64_t if_match;      /* revision demanded; -1: none; -2: `*` (must exist) */
    int64_t if_none_match; /* revision that must not be; 0: none; -2: `*` (must not exist) */
    const char *id;        /* what it is about: model id or reference, or name */
    const char *id2;       /* alias, where there is one */
    const json_t *body;    /* parsed body, or NULL; borrowed, alive until done */
    void *args;            /* more, for commands of other rooms */

    bool (*decide)(struct command *c, struct head *h, struct changes *out, struct err *e);
    bool duty; /* what one node at a time decides: refused (ERR_BUSY) where another does */

    /* Idempotency: kept with the commit. NULL: none. */
    const char *key; /* already scoped by token, namespace and path */
    uint64_t key_body_hash;
    int64_t key_expires_ms;

    /* Filled before done(). */
    bool ok;
    struct err err;
    struct answer answer;
    uint64_t seq; /* of its last journal entry; 0: changed nothing */
    /* It was carried out before, on another node perhaps: the answer that was kept then, as
     * engine/idempotency.h has it; in the arena. NULL: it was not. */
    const char *kept;
    size_t kept_len;
    void (*done)(struct command *c); /* [engine] hands over and returns at once */
    void *owner;
};

/* Append a change (ends the process past CHANGES_MAX only by a bug; callers bound their sets). */
void changes_put(struct changes *ch, struct arena *a, const char *action,
                 const struct entity *before, struct entity *after, const char *evidence);

/* Free the entities that were made for changes which will not be applied, and empty the set. A
 * decision that fails has done so itself. */
void changes_discard(struct changes *ch);

/* The closed list of journal actions, NULL-terminated; served by /types, checked by a test. */
extern const char *const JOURNAL_ACTIONS[];

/* --- the registry's decisions (decide functions) --- */
/* The arena of a command must have room for some copies of what it touches: 16 MiB is enough for
 * all. */
bool model_register(struct command *c, struct head *h, struct changes *out,
                    struct err *e); /* POST registry */
bool model_replace(struct command *c, struct head *h, struct changes *out, struct err *e); /* PUT */
bool model_patch(struct command *c, struct head *h, struct changes *out, struct err *e); /* PATCH */
bool model_delete(struct command *c, struct head *h, struct changes *out, struct err *e);
bool model_transition(struct command *c, struct head *h, struct changes *out,
                      struct err *e); /* POST status */
bool model_hold(struct command *c, struct head *h, struct changes *out, struct err *e);
bool model_release(struct command *c, struct head *h, struct changes *out,
                   struct err *e); /* DELETE hold */
bool registered_model_create(struct command *c, struct head *h, struct changes *out, struct err *e);
bool registered_model_patch(struct command *c, struct head *h, struct changes *out,
                            struct err *e); /* also renames */
bool registered_model_delete(struct command *c, struct head *h, struct changes *out, struct err *e);
bool alias_put(struct command *c, struct head *h, struct changes *out,
               struct err *e); /* id name, id2 alias */
bool alias_delete(struct command *c, struct head *h, struct changes *out, struct err *e);
bool name_rollback(struct command *c, struct head *h, struct changes *out,
                   struct err *e); /* id name */
/* args: struct health_change. Writes the health entity when a model's judged status changed. */
struct health_change {
    const char *model_id;
    uint64_t uid;       /* ignored if the model is another incarnation by now */
    const char *status; /* "healthy" ... */
    const char *summary;
};
bool health_changed(struct command *c, struct head *h, struct changes *out, struct err *e);

/* args: struct circuit_change. Writes the health entity when a model was cut off from selections,
 * is probed, or came back. */
struct circuit_change {
    const char *model_id;
    uint64_t uid;
    int circuit;              /* enum circuit */
    uint64_t records, failed; /* that decided */
};
bool circuit_changed(struct command *c, struct head *h, struct changes *out, struct err *e);

/* GET .../gate: the resource's JSON into the arena. `force`: as it would be with force. */
bool gate_resource(const struct gate_question *q, bool force, struct arena *a, const char **json,
                   bool *allowed, struct err *e) MUST_CHECK;

#endif
