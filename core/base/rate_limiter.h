/* rate_limiter: how often something may happen, for any number of somebodies in a fixed memory.
 * Room: base. Threads: [any], without locks.
 *
 * One table for all threads. A bucket is two atomic words: whose it is, and the time at which it
 * will be full again (the generic cell rate algorithm: a token bucket that needs no refilling), so
 * taking from it is one compare-and-swap, and a limit holds exactly however many loops share it.
 * A bucket that is full again is as good as none, so its place is free for the next key. Where all
 * places of a set of four are taken, the one that is nearest to full makes room, and its key starts
 * anew: with more keys at once than the table has places limits get looser, never stricter.
 * Keys are hashed with a secret seed: a client cannot aim at another's bucket. */
#ifndef PADDOCK_BASE_RATE_LIMITER_H
#define PADDOCK_BASE_RATE_LIMITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_limiter;

/* `places` is rounded up to a power of two, at least 64; each takes 16 bytes. */
struct rate_limiter *rate_limiter_new(size_t places);
void rate_limiter_free(struct rate_limiter *r); /* NULL is allowed */

/* The key of `len` bytes among those of a `kind` (any number: addresses, tokens, ...). Never 0. */
uint64_t rate_limiter_key(const struct rate_limiter *r, unsigned kind, const void *data,
                          size_t len);

/* Take one of a bucket that holds `burst` (at least 1) and gets `per_second` (above 0) back.
 * Returns 0 if it was there, else the nanoseconds until it will be, and takes nothing. */
int64_t rate_limiter_take(struct rate_limiter *r, uint64_t key, double per_second, double burst,
                          int64_t now_ns);
/* The same answer, without taking. */
int64_t rate_limiter_wait(const struct rate_limiter *r, uint64_t key, double per_second,
                          double burst, int64_t now_ns);

/* A mark under a key that stands until `until_ns`, in the same table; a later one lengthens it. */
void rate_limiter_mark(struct rate_limiter *r, uint64_t key, int64_t until_ns, int64_t now_ns);
/* Nanoseconds it still stands; 0: none. */
int64_t rate_limiter_marked(const struct rate_limiter *r, uint64_t key, int64_t now_ns);

#endif
