/* policy_set: one thread's loaded policies, made on demand from the catalog and made anew when it
 * changed. Room: extend. Threads: one owner (an event loop, a reader). */
#ifndef PADDOCK_EXTEND_POLICY_SET_H
#define PADDOCK_EXTEND_POLICY_SET_H

#include "extend/policies.h"

struct policy_set;

struct policy_set *policy_set_new(struct policies *catalog) __attribute__((returns_nonnull));
void policy_set_free(struct policy_set *set); /* NULL is allowed */
/* For trials: what it is asked counts for nobody. */
void policy_set_uncounted(struct policy_set *set);
/* For questions about the past: who names no version means the file, whatever is stored now. */
void policy_set_files(struct policy_set *set);
/* For trials, before the first use: `draft` (taken over) is asked wherever a policy of its kind and
 * name is meant. */
void policy_set_draft(struct policy_set *set, struct policy *draft);

/* One use of a policy: begin, call, end. */
struct policy_use {
    struct policy *policy; /* stays until the next begin for the same policy_ref */
    uint64_t load_id;      /* differs for every policy object of the set: flags made known to it
                              are gone when this changed */
    struct policy_slot *slot;
    struct policy_set *set;
    int64_t started_ns; /* 0: this call is not timed */
};

/* The policy that is meant, loaded if need be. False, with ERR_POLICY_NOT_FOUND, or ERR_POLICY if
 * it is broken: `use` must not be ended then. Only what is ended counts as a call, of the file or
 * the version that was asked. A stored source that was good when it was stored and cannot be loaded
 * any more leaves what served before, or the file. */
bool policy_set_begin(struct policy_set *set, const struct policy_ref *ref, struct policy_use *use,
                      struct err *e) MUST_CHECK;
/* The same in two steps, for who asks often: the place of a policy in this set, which stays as long
 * as the set (NULL: there are too many), and its use. */
struct policy_slot *policy_set_place(struct policy_set *set, const struct policy_ref *ref);
bool policy_set_begin_at(struct policy_set *set, struct policy_slot *place, struct policy_use *use,
                         struct err *e) MUST_CHECK;
/* Count the call; `failure` is NULL if it went well. */
void policy_set_end(const struct policy_use *use, const struct err *failure);

/* The policy of this load_id, or NULL: it is gone, and with it all flags it knew. */
struct policy *policy_set_loaded(struct policy_set *set, uint64_t load_id);

int64_t policy_set_now(const struct policy_set *set); /* wall clock, ms */

extern const struct err_kind ERR_POLICY_NOT_FOUND; /* 404 POLICY_NOT_FOUND */

#endif
