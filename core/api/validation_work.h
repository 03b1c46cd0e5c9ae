/* validation_work: what answers about validation share. Room: api. Threads: [reader] but where
 * said. */
#ifndef PADDOCK_API_VALIDATION_WORK_H
#define PADDOCK_API_VALIDATION_WORK_H

#include "api/work.h"
#include "validation/result.h"
#include "validation/validation.h"

/* May the caller read what belongs to this model's name? [any] */
bool run_is_seen(const struct grants *grants, struct view_reader *reader, const char *ns,
                 const char *model_id);
/* Read a stored run that the caller may see, into w->arena. False: w->err. */
bool run_read(struct work *w, const char *run_id, struct run *out) MUST_CHECK;
/* The same, as JSON into w->out. */
bool run_put_json(struct work *w, const char *run_id) MUST_CHECK;

#endif
