/* crowd: how many connections each client address has. Room: http. Threads: any; a lock for a
 * few instructions, once a connection.
 *
 * Counted in a fixed memory (two rows of counters, of which an address has one each, by a secret
 * hash; the smaller is its number), so it may be too high for one address in many thousands that
 * shares both with others, never too low. */
#ifndef PADDOCK_HTTP_CROWD_H
#define PADDOCK_HTTP_CROWD_H

#include <stdbool.h>
#include <stdint.h>

struct crowd;

struct crowd *crowd_new(void);
void crowd_free(struct crowd *c); /* NULL is allowed */
/* One more of this address_number(); false, and not counted, when it has `max` already. */
bool crowd_enter(struct crowd *c, uint64_t address, unsigned max);
void crowd_leave(struct crowd *c, uint64_t address);

#endif
