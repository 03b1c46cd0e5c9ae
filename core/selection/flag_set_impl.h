/* flag_set_impl: the inside of a flag_set: flags made ready. Room: selection. Threads: one owner.
 */
#ifndef PADDOCK_SELECTION_FLAG_SET_IMPL_H
#define PADDOCK_SELECTION_FLAG_SET_IMPL_H

#include "base/map.h"
#include "extend/policy_trial.h"
#include "selection/flag_set.h"

#define FLAGS_NEAR 1024 /* flags found without a look into the map */

/* A flag, made ready to be asked. */
struct flag_ready {
    uint64_t uid;
    int64_t revision;
    int64_t updated_at; /* after a loss a revision may be written once more, differently */
    const char *variants[ARMS_MAX + 1]; /* borrowed from `values` */
    char *texts[ARMS_MAX];              /* JSON of each value */
    size_t count, default_variant, fallback_variant;
    json_t *values, *prerequisites;
    bool depends; /* it has prerequisites */
    /* of the policy */
    struct policy_slot *policy; /* its place in the set; NULL: not looked for yet */
    uint64_t load_id;           /* 0: not made known to it yet */
    struct policy_flag *flag;
    char *fault;       /* its parameters do not fit the policy as it is now */
    uint64_t asked_id; /* the context in which it was asked for another's sake, and what it gave */
    size_t asked_variant;
    double asked_share;
    int64_t seen_ms;
    struct flag_ready *next_seen; /* of those that were asked since flag_set_seen() */
    bool listed;
};

struct flag_set {
    struct policy_set *policies;
    struct map *ready;                   /* by uid: a key registered again is another flag */
    struct flag_ready *near[FLAGS_NEAR]; /* the last one of each uid's remainder */
    struct flag_ready *seen;
    uint64_t contexts;
    unsigned behind; /* flags asked for the sake of the one that is asked */
    char note[256];
    char error[512];
};

/* The flag made ready, as its document is; borrowed until the next call. */
struct flag_ready *flag_ready_of(struct flag_set *set, const struct document *d);
/* The place of the variant of this name; `otherwise` if there is none. */
size_t flag_ready_variant(const struct flag_ready *r, const char *name, size_t otherwise);
/* Tell this load of the policy of the flag. */
void flag_ready_introduce(struct flag_ready *r, const struct flag *f, struct policy *p,
                          uint64_t load_id);
/* It was asked, for flag_set_seen(). 0: it was not. */
void flag_ready_seen(struct flag_set *set, struct flag_ready *r, int64_t now_ms);

#endif
