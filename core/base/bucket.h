/* bucket: where a unit (a user, a session) falls, the same on every node and for ever.
 * Room: base. Threads: pure, [any].
 *
 * A unit falls into one of BUCKETS places by a hash of a salt, a purpose and the unit. Two purposes
 * of one salt are independent, so that who takes part (gate) says nothing about which arm he gets
 * (split). This is version 1 of the function: it may never change, for a change would move every
 * unit; tests hold golden values. */
#ifndef PADDOCK_BASE_BUCKET_H
#define PADDOCK_BASE_BUCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUCKETS      100000u /* steps of 0.001 % */
#define SALT_MAX     256     /* bytes; longer ones are cut */
#define HASH_VERSION 1

enum bucket_purpose { BUCKET_GATE = 'g', BUCKET_SPLIT = 's', BUCKET_LAYER = 'l' };

/* 0 .. BUCKETS-1. `salt` holds no NUL. */
uint32_t bucket_of(const char *salt, enum bucket_purpose purpose, const char *unit, size_t len);

/* A range of buckets, `from` included, `to` not, that belongs to one arm. */
struct share {
    uint32_t from, to;
    uint32_t arm;
};

#define SHARES_MAX 256 /* ranges of one allocation: arms and the splinters of re-weighting */
#define ARMS_MAX   64

/* The arm at `bucket`, or -1 where nobody's range is. Ranges are sorted and do not overlap. */
int share_at(const struct share *shares, size_t n, uint32_t bucket);
/* What part of all buckets is the arm's, 0..1. */
double share_of_arm(const struct share *shares, size_t n, uint32_t arm);

/* Turn the allocation `old` (old_n ranges; 0: none yet) into one where arm i owns want[i] buckets
 * (their sum at most BUCKETS), moving as few units as can be: an arm that shrinks gives up the end
 * of its last ranges, an arm that grows takes free ranges from the lowest on. Arms of `old` beyond
 * `arms` lose all. Neighbours of one arm are joined. Returns the number of ranges in `out`
 * (room for SHARES_MAX). Should they be more than fit, all is laid out anew, arm after arm. */
size_t shares_reweigh(const struct share *old, size_t old_n, const uint32_t *want, size_t arms,
                      struct share *out);

/* Buckets whose arm differs between the two. */
uint32_t shares_moved(const struct share *a, size_t a_n, const struct share *b, size_t b_n);

/* Turn weights (any non-negative numbers, not all 0) into buckets that sum to BUCKETS exactly, by
 * largest remainder; a positive weight gets at least one. False if a weight is negative, not
 * finite, or their sum is 0. */
bool shares_of_weights(const double *weights, size_t arms, uint32_t *want);

#endif
