/* batch: inference records scanned from a request body into their compact form. Room: telemetry.
 * Threads: one owner; made by a loop, handed to the log writer and back.
 *
 * The scanner is our own (the hot path is what we exist for); jansson is the oracle of its fuzz
 * test. It accepts exactly the JSON that jansson accepts for one record of the known shape
 * (scanner.h has the rules). NDJSON is scanned as it comes, line by line; other JSON is collected
 * and scanned at the end. Blank lines are no records, but they are counted in the pointers of
 * faults. */
#ifndef PADDOCK_TELEMETRY_BATCH_H
#define PADDOCK_TELEMETRY_BATCH_H

#include "base/arena.h"
#include "base/err.h"
#include "base/fault.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BATCH_ITEMS_MAX 10000
#define BATCH_LINES_MAX 200000

extern const struct err_kind
    BATCH_TOO_LONG; /* 413 BATCH_TOO_LARGE: more than 10,000 items or 200,000 lines */

struct batch;

/* What the decision_id of a record says. */
struct batch_decision {
    bool named;                    /* the record's model, as the one that serves or as a shadow */
    bool concerns;                 /* somebody, who is told of the record */
    uint64_t route_uid, model_uid; /* model: who was to serve */
    uint32_t arm;
    double propensity;
    int64_t at_ms;
};

enum batch_format { BATCH_JSON /* one object or an array */, BATCH_NDJSON };

struct batch_config {
    enum batch_format format;
    uint64_t uid;         /* the model of the path; 0: each record names its model_id */
    const char *model_id; /* of the path: a record's own model_id, if given, must equal it */
    /* The uid of a model id or reference of the batch's namespace, 0 if unknown; with uid 0 only.
     */
    uint64_t (*resolve)(void *ctx, const char *model_id, size_t len);
    /* Read the decision_id of a record of model `uid` into `out`, which is zeros: so it stays for
     * what is none. NULL: they are not looked at. */
    void (*decision)(void *ctx, const char *id, size_t len, uint64_t uid,
                     struct batch_decision *out);
    void *ctx; /* of both */
    int64_t now_ms;
    int64_t oldest_ms; /* retention: older timestamps are a fault */
    bool skip_invalid; /* on_invalid=skip */
};

/* A recycled batch may be reset with a new configuration. */
struct batch *batch_new(void) __attribute__((returns_nonnull));
void batch_free(struct batch *b);
void batch_start(struct batch *b, const struct batch_config *config, struct faults *f);
/* The next piece of the body (any cut). Faults go to the list; false when scanning is pointless
 * (malformed JSON, too many records). */
bool batch_feed(struct batch *b, const char *data, size_t len);
/* The body is complete. True if the batch may be appended (no fault, or skip_invalid); else the
 * faults say why. */
bool batch_end(struct batch *b, struct err *e) MUST_CHECK;
size_t batch_accepted(const struct batch *b);
size_t batch_rejected(const struct batch *b);
size_t batch_bytes(const struct batch *b); /* its memory, for budgets */

/* The records whose decision concerned somebody. */
struct batch_decided {
    struct batch_decision decision;
    double latency_ms;
    bool failure;
    size_t scores;
};
size_t batch_decided_count(const struct batch *b);
struct batch_decided batch_decided_at(const struct batch *b, size_t i);
/* Score `k` of it; the name is not terminated. */
double batch_decided_score(const struct batch *b, size_t i, size_t k, const char **name,
                           size_t *len);

/* The compact form (telemetry/payload.h), once batch_end() said yes: its length, and itself with
 * its checksum32(). A large one is made by the first who asks for it, so not on an event loop. */
size_t batch_payload_len(const struct batch *b);
const void *batch_payload(struct batch *b, uint32_t *checksum);

#endif
