/* matches: what was asked for by what it is (sport, type, labels, deployment target) where no route
 * is about just that. Room: selection. Threads: [any].
 *
 * Such a question is served by the strategy "performance_score" (api/selection), which needs
 * somebody who asks it about the models that match: loops note here what they were asked, the
 * thread of the strategies takes it from here. What nobody asks for any more is forgotten. */
#ifndef PADDOCK_SELECTION_MATCHES_H
#define PADDOCK_SELECTION_MATCHES_H

#include "base/arena.h"
#include "selection/selector.h"

#define MATCHES_MAX      1000    /* kept at a time; past it the stable promoted last serves */
#define MATCHES_KEEP_MS  3600000 /* without being asked for */
#define MATCHES_NOTE_MS  60000   /* who goes on asking says so this often */
#define MATCHES_ID_MAX   1024    /* bytes */
#define MATCHES_STRATEGY "performance_score"

struct matches;
struct matches *matches_new(void) __attribute__((returns_nonnull));
void matches_free(struct matches *m); /* NULL is allowed */

/* What a question without a route asks for, as one text: what weights are published under. No
 * route can be called so. In the arena; NULL: it is too long. */
const char *match_id(const struct selection_question *q, struct arena *a);
/* The question again, but for its view and its context: texts in the arena, `q->labels` a new
 * reference (or NULL) that is the caller's. False: the text is none of match_id()'s. */
bool match_question(const char *ns, const char *id, struct arena *a, struct selection_question *q)
    MUST_CHECK;

/* It is asked for now. False: there is no room for it. */
bool matches_note(struct matches *m, const char *ns, const char *id, int64_t now_ms);

struct match {
    const char *ns, *id;
};
/* Forget what was last asked for too long ago; what is left, in the arena. */
size_t matches_take(struct matches *m, int64_t now_ms, struct arena *a, const struct match **list);

#endif
