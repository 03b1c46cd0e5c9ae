/* ofrep_ticket: what lets a browser listen for changes of flags: its EventSource sends no headers,
 * so the address says who it is. Room: api. Threads: pure, [any].
 *
 * A ticket names a namespace and a token, and is signed with the key of decision ids, so each node
 * of a fleet knows it. All that it opens is to be told that some flag has changed. It is good for
 * one to two hours, and the same within an hour, so that the address stays as it is. */
#ifndef PADDOCK_API_OFREP_TICKET_H
#define PADDOCK_API_OFREP_TICKET_H

#include "selection/decision_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OFREP_TICKET_SIZE 720 /* with its NUL */
#define OFREP_TICKET_ID   257 /* bytes of an actor's id, at most */
#define OFREP_TICKET_NS   128 /* bytes of a namespace, at most */

struct ofrep_ticket {
    uint64_t token_uid; /* 0: anonymous */
    int64_t token_revision;
    char actor_id[OFREP_TICKET_ID + 1], ns[OFREP_TICKET_NS + 1];
};

/* Tickets of one hour are alike: its number. */
int64_t ofrep_ticket_hour(int64_t now_ms);
/* False: a text is too long. */
bool ofrep_ticket_make(const struct decision_keys *keys, const struct ofrep_ticket *t,
                       int64_t now_ms, char out[OFREP_TICKET_SIZE]) MUST_CHECK;
/* False: none of ours, altered, or too old. */
bool ofrep_ticket_read(const struct decision_keys *keys, const char *text, int64_t now_ms,
                       struct ofrep_ticket *out) MUST_CHECK;

#endif
