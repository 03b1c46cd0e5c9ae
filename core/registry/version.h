/* version: the order of version texts, in which numbers compare as numbers. Room: registry.
 * Threads: pure, [any]. */
#ifndef PADDOCK_REGISTRY_VERSION_H
#define PADDOCK_REGISTRY_VERSION_H

#include <stdint.h>

/* Less than, equal to or greater than 0. Runs of digits compare by value ("1.9" < "1.10"), all else
 * byte by byte. Texts that differ only in leading zeros are equal. */
int version_compare(const char *a, const char *b);
/* A number that never contradicts that order: a smaller prefix means a smaller version, equal ones
 * leave it to version_compare(). Spares most comparisons when 100,000 models are sorted. */
uint64_t version_prefix(const char *text);
/* The value of a version that is a whole number of up to 18 digits, else -1. */
int64_t version_number(const char *text);

#endif
