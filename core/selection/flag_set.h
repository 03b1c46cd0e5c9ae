/* flag_set: one thread's flags, ready to be asked. Room: selection. Threads: one owner (a loop).
 *
 * A flag is made ready when it is first asked, and again when its document or its policy changed.
 * An evaluation reads the view and the thread's own Lua states: no lock, no write. It never fails:
 * a flag whose policy is broken gives its default variant and says so, and harms no other. */
#ifndef PADDOCK_SELECTION_FLAG_SET_H
#define PADDOCK_SELECTION_FLAG_SET_H

#include "extend/policy_set.h"
#include "registry/flag.h"

struct flag_set;

struct flag_set *flag_set_new(struct policy_set *policies) __attribute__((returns_nonnull));
void flag_set_free(struct flag_set *set); /* NULL is allowed */

enum flag_reason {
    FLAG_STATIC,   /* no policy, or it said so */
    FLAG_MATCH,    /* the policy chose by the context */
    FLAG_SPLIT,    /* the policy drew by the unit */
    FLAG_DEFAULT,  /* the policy had nothing to say, a prerequisite is not met, or the unit is not
                      in the flag's part of its layer */
    FLAG_DISABLED, /* not enabled */
    FLAG_KILLED,   /* the kill switch */
    FLAG_ERROR,    /* the policy failed: the default */
    FLAG_NO_UNIT,  /* the policy needs a targetingKey and the context has none: the default */
    FLAG_REASON_COUNT
};
const char *flag_reason_name(enum flag_reason reason); /* "STATIC", "TARGETING_MATCH", ... */

struct flag_question {
    const struct view *view; /* entered */
    const char *ns;
    const json_t *context; /* object */
    uint64_t context_id;   /* the same for all flags asked with one context in a row; 0: just one */
    int64_t at_ms;         /* what the policy takes for now */
    int64_t now_ms;        /* when it is asked, for flag_set_seen(); 0: that is not noted */
    struct bytes *trace;   /* explain; NULL: not asked */
};

/* Texts are borrowed until the next call on the set. */
struct flag_answer {
    const char *variant, *value; /* value: JSON text */
    enum flag_reason reason;
    const char *note;   /* the policy's own reason, or the prerequisite that is not met; or NULL */
    const char *policy; /* or NULL */
    const char *error;  /* FLAG_ERROR, FLAG_NO_UNIT: what went wrong */
    double share; /* of all units, in this context, who get the variant, 0..1; NAN: not known */
    int64_t revision;
};

/* Does its answer depend on the time? So it may, if its policy's text names `now`. */
bool flag_set_timed(struct flag_set *set, const struct document *d);

/* A context_id that no question had before. */
uint64_t flag_set_context_id(struct flag_set *set);

/* Tell of each flag that was asked since the last time, and when that was (ms), so that loops can
 * be put together without a lock where flags are asked. */
void flag_set_seen(struct flag_set *set, void (*fn)(void *ctx, uint64_t uid, int64_t at_ms),
                   void *ctx);

/* Ask one flag. `d` is of the question's view. */
void flag_set_ask(struct flag_set *set, const struct document *d, const struct flag_question *q,
                  struct flag_answer *out);

#endif
