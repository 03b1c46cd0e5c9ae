/* scanner: one inference record read from JSON. Room: telemetry. Threads: one owner.
 *
 * The rules of a record (api.md section 2):
 *   latency_ms   required, 0..86400000
 *   success      default true
 *   error_type   with success false only, at most 64 characters
 *   timestamp    RFC 3339 or epoch milliseconds, default now; not older than the retention; more
 * than 5 minutes ahead it counts as now, and as skewed scores       object of at most 16 finite
 * numbers, names of 1..128 characters; `score` is short for one named "score", but not beside it
 *   decision_id  string of at most 512 characters; not kept, see batch.h
 *   model_id     string
 * null in place of an optional field is the same as leaving it out. */
#ifndef PADDOCK_TELEMETRY_SCANNER_H
#define PADDOCK_TELEMETRY_SCANNER_H

#include "base/fault.h"
#include "telemetry/token.h"

#include <stdbool.h>
#include <stdint.h>

#define LATENCY_MAX_MS  86400000
#define ERROR_TYPE_MAX  64  /* characters */
#define SCORES_MAX      16  /* of one record */
#define SCORE_NAME_MAX  128 /* characters */
#define DECISION_ID_MAX 512 /* characters */
#define CLOCK_AHEAD_MS  (5 * 60 * 1000)

struct score {
    struct span name;
    double value;
};

/* One record as read; spans are valid until the next record. */
struct record {
    double latency_ms;
    int64_t timestamp;
    bool failure, skewed;
    struct span error_type; /* text NULL: none */
    struct span model_id;   /* text NULL: none */
    struct span decision;   /* text NULL: none */
    size_t n_scores;
    struct score scores[SCORES_MAX];
};

struct scanner {
    struct faults *faults;
    int64_t now_ms, oldest_ms;
    uint64_t index; /* of the record: item or line */
    bool indexed;   /* pointers begin with the index */
    struct bytes scratch;
    /* Why and where the last malformed text is so. */
    const char *why, *where;
    /* The current record. */
    bool refused;
    unsigned given;
    /* The last RFC 3339 minute that was read, "2026-11-23T02:00:", and its time. */
    char minute[17];
    int64_t minute_ms;
};

void scanner_init(struct scanner *s);
void scanner_release(struct scanner *s);

/* Read the object at `p`. Returns where it ends, or NULL (with `why` and `where`) if the JSON is
 * malformed. A record that breaks a rule is read to its end, has all its faults listed and sets
 * `refused`. */
const char *scanner_record(struct scanner *s, const char *p, const char *end, struct record *r);

/* Add a fault of the current record at `field` ("" is the record itself) and refuse it. */
void scanner_refuse(struct scanner *s, const struct err_kind *kind, const char *field,
                    const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif
