/* decision_id: a decision as text that carries its facts and a signature. Room: selection.
 * Threads: pure, [any].
 *
 * Whoever has the keys reads it, on any node and after any restart, without looking anything up; a
 * made-up or altered one is found out. It names things by incarnation (uid), so that an id
 * registered again is not mistaken for what was decided. 96 characters of base64url:
 *
 *   version 1, key, flags, reason, time (6), propensity (4), route (8), served (8), intended (8),
 *   arm (4), unit (4), nonce (8), shadows (1), spare (2), HMAC-SHA256 cut to 16 */
#ifndef PADDOCK_SELECTION_DECISION_ID_H
#define PADDOCK_SELECTION_DECISION_ID_H

#include "selection/decision_keys.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DECISION_ID_SIZE 97 /* with its NUL */
#define DECISION_FACTS   56 /* bytes that are signed */

#define DECISION_FALLBACK 1u /* not the intended one serves */
#define DECISION_DRAWN    2u /* a draw decided: propensity is that of the arm */

struct decision_facts {
    uint8_t flags, reason; /* enum selection_reason */
    uint8_t shadows;       /* bit i: the route's i-th shadow was named */
    int64_t at_ms;
    double propensity;  /* of the intended arm, to 1e-9; NAN: not known */
    uint64_t route_uid; /* of the route's document, or of the registered model; 0: no route */
    uint64_t served_uid, intended_uid; /* models */
    uint32_t arm, unit; /* decision_mark() of the arm's name and of the unit; 0: none */
    uint64_t nonce;
};

/* 32 bits of a text, never 0; 0 for NULL. */
uint32_t decision_mark(const char *text, size_t len);
void decision_id_make(const struct decision_keys *keys, const struct decision_facts *f,
                      char out[DECISION_ID_SIZE]);

enum decision_verdict { DECISION_GOOD, DECISION_FORGED, DECISION_UNKNOWN };
/* UNKNOWN: no decision of ours, or signed with a key that is gone. */
enum decision_verdict decision_id_read(const struct decision_keys *keys, const char *text,
                                       size_t len, struct decision_facts *out);

/* The facts alone, of an id that was verified before. False: it has not the form of one. */
bool decision_id_facts(const char *text, size_t len, struct decision_facts *out);

#endif
