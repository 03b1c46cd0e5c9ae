/* ofrep_impl: what OFREP's operations share. Room: api, private. Threads: [loop]. */
#ifndef PADDOCK_API_OFREP_IMPL_H
#define PADDOCK_API_OFREP_IMPL_H

#include "api/call.h"
#include "api/ofrep_ticket.h"
#include "base/bytes.h"
#include "selection/flag_set.h"

struct selection_answer;

#define OFREP_TIME_GRAIN 60000 /* ms: a tag of flags that read the clock lasts as long */

#define OFREP_ANSWER_MAX (16 << 20)
#define OFREP_TYPE       "application/json"

/* Answer with an error of the protocol's own shape; `key` NULL: it is about no one flag. */
void ofrep_refuse(struct request *rq, int status, const char *key, const char *code,
                  const char *detail);
/* The context of the body, a new reference; NULL: answered. */
json_t *ofrep_context(struct request *rq, const char *key);
/* Append what a flag gave: all but the end of the metadata, or that it needs a unit. */
void ofrep_put_success(struct bytes *b, const char *key, const struct flag_answer *a);
void ofrep_put_no_unit(struct bytes *b, const char *key, const struct flag_answer *a);

/* Append the member eventStreams: where to listen for what comes after `seq`. */
void ofrep_put_streams(struct bytes *b, const struct call *c, uint64_t seq);
/* Read what an event of such a stream gave as its etag. */
bool ofrep_told_seq(const char *etag, uint64_t *seq);

/* Who serves as this flag decides; it is not yet a decision that was made. False: no route has the
 * flag, or who asks may not select there, or nobody serves. What the flag set gave is stale then.
 */
bool ofrep_model(const struct call *c, const struct flag_question *q, const char *flag,
                 struct selection_answer *out);
/* Append members model_id and version; with the decision, which is made by that and counted. */
void ofrep_put_model(struct bytes *b, const struct selection_answer *a);
void ofrep_put_decision(struct bytes *b, const struct call *c, const struct selection_answer *a);

#endif
