/* template: text with placeholders, filled in for the n-th request or line of a load test.
 *
 * <n>, <n/K>, <n%K>, <n/K%M> are the number itself, divided, its remainder; <latency> is a draw
 * from a log-normal distribution with median 12 (sigma 0.6); <now> is the time in epoch
 * milliseconds. */
#ifndef TEST_SUPPORT_TEMPLATE_H
#define TEST_SUPPORT_TEMPLATE_H

#include "base/bytes.h"

#include <stdint.h>

/* Append `template` for number `n`. `random` is the state of the draws, not zero. False: a
 * placeholder that is none. */
bool template_render(struct bytes *out, const char *template, uint64_t n, uint64_t *random);

#endif
