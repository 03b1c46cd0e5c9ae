/* payload: the compact form of a batch, in memory and in the log. Room: telemetry.
 * Threads: immutable once made, [any].
 *
 *   struct payload_head
 *   struct payload_record  x records   16 bytes each, those of one model together
 *   struct payload_group   x groups    which model, how many records; one per model
 *   struct payload_score   x scores    in the order of their records
 *   uint32_t               x (errors + names)   ends of the words in the text
 *   char                   x text      error types, then score names, end to end
 *   zeros up to a multiple of 8
 *
 * All numbers little-endian, as the machines we run on. A checksum over the whole is kept by the
 * log. */
#ifndef PADDOCK_TELEMETRY_PAYLOAD_H
#define PADDOCK_TELEMETRY_PAYLOAD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the log's form is little-endian");

struct payload_head {
    uint32_t records, groups, scores;
    uint32_t errors, names; /* words of the dictionary */
    uint32_t text;          /* its bytes */
    int64_t received_at;    /* ms */
};

/* 64 bits beside the latency: a flag, the time (43), two flags, the error type (18). */
#define RECORD_MISMATCHED (UINT64_C(1) << 63)
#define RECORD_TIME_SHIFT 20
#define RECORD_SKEWED     (UINT64_C(1) << 19)
#define RECORD_FAILURE    (UINT64_C(1) << 18)
#define RECORD_ERROR_MASK (RECORD_FAILURE - 1) /* error type + 1; 0: none */
#define RECORD_RARE_MASK                       /* not 0: there is more to count */ \
    (RECORD_MISMATCHED | ((UINT64_C(1) << RECORD_TIME_SHIFT) - 1))

struct payload_record {
    double latency_ms;
    uint64_t bits;
};

struct payload_group {
    uint64_t uid;
    uint64_t records;
};

struct payload_score {
    double value;
    uint32_t record; /* index */
    uint32_t name;
};

static inline int64_t record_time(const struct payload_record *r)
{
    return (int64_t)((r->bits & ~RECORD_MISMATCHED) >> RECORD_TIME_SHIFT);
}

/* A payload that lies somewhere else, with its parts found. */
struct payload {
    struct payload_head head;
    const struct payload_record *records;
    const struct payload_group *groups;
    const struct payload_score *scores;
    const uint32_t *ends;
    const char *text;
};

/* Bytes that a payload of these counts takes. */
uint64_t payload_size(const struct payload_head *head);
/* Find the parts of a payload (8-byte aligned) that we made ourselves. */
void payload_view(struct payload *p, const void *data);
/* The same for bytes from elsewhere: everything is checked. False: ERR_CORRUPT. */
bool payload_open(struct payload *p, const void *data, size_t len, struct err *e) MUST_CHECK;
/* Word `i` of the dictionary: error types 0 .., score names `head.errors` .. */
const char *payload_word(const struct payload *p, uint32_t i, size_t *len);

#endif
