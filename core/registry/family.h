/* family: a name with its registered model and all its versions, while a command decides. Room:
 * registry. Threads: [engine].
 *
 * The registered model is the aggregate that every change of a version also touches: its counters,
 * its aliases, who is @stable and @previous. A decision opens the family, puts the changes of
 * models, and closes the family, which works out the aggregate and puts its change if there is one.
 */
#ifndef PADDOCK_REGISTRY_FAMILY_H
#define PADDOCK_REGISTRY_FAMILY_H

#include "registry/decide.h"
#include "registry/registered_model_fields.h"

struct family {
    struct decision d;
    const struct registered_model *before; /* NULL: does not exist yet */
    struct registered_model_fields fields;
    struct alias *aliases; /* sorted; a copy that may change */
    size_t n_aliases;
};

bool family_open(struct family *f, const struct decision *d, const char *name, struct err *e)
    MUST_CHECK;
/* Put the registered model's change with `action`, if anything differs: counters and aliases as the
 * caller left them, stable and previous as the versions stand after the changes put so far. Gives
 * the registered model as it will be in `*now`, if `now` is not NULL. */
bool family_close(struct family *f, const char *action, const char *evidence,
                  const struct entity **now, struct err *e) MUST_CHECK;

/* Position of an alias, or where it would be inserted (`*found` false). */
size_t family_alias(const struct family *f, const char *alias, bool *found);
void family_alias_set(struct family *f, const char *alias, const char *model_id);
void family_alias_remove(struct family *f, size_t at);
/* JSON array of the aliases that point at a model. */
const char *family_aliases_of(const struct family *f, const char *model_id);
/* A time of promotion after all others of the name, so that "promoted last" is never a draw. */
int64_t family_promotion_time(const struct family *f);

/* Bulk changes: the name's versions in an array in the arena, oldest first. TOO_MANY_CHANGES if one
 * atomic change cannot hold them. `*list` may be NULL when there are none. */
bool family_versions(const struct decision *d, const char *name, const struct model ***list,
                     size_t *n, struct err *e) MUST_CHECK;

#endif
