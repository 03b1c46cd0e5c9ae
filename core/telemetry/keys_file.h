/* keys_file: idempotency keys of ingestion that outlive their part of the log. Room: telemetry,
 * private.
 *
 * A key and its answer are in the block of the records they belong to. But the log goes when it is
 * rolled up, within a minute or two, and a key is promised for ten. So before that all keys that
 * have not expired are written to DIR/keys, which is replaced whole. */
#ifndef PADDOCK_TELEMETRY_KEYS_FILE_H
#define PADDOCK_TELEMETRY_KEYS_FILE_H

#include "base/err.h"
#include "telemetry/block.h"

#include <stdbool.h>
#include <stdint.h>

struct telemetry;

/* Keys since they came, oldest first. `lock` of the telemetry guards the list; only a round of the
 * roll-up takes any out. */
struct kept_keys {
    struct kept_key {
        char *part; /* block_key_encode() */
        uint32_t len;
        int64_t expires_ms;
    } * list;
    size_t n, cap;
    uint64_t saved_position; /* keys of blocks up to here were in the file that was loaded */
    bool file_exists;
};

/* [writer], or [main] while it opens: keep a key; takes over `part`. */
void keys_keep(struct telemetry *t, char *part, uint32_t len, int64_t expires_ms);
/* Put a key of the log or the file into the table of answers, and keep it. */
void keys_restore(struct telemetry *t, const struct block_key *key, int64_t now_ms);
/* [round] Forget what has expired and write the rest. */
bool keys_save(struct telemetry *t, struct err *e) MUST_CHECK;
/* [main] Read the file. A damaged one is used as far as it is good. */
void keys_load(struct telemetry *t);
void keys_release(struct kept_keys *k);

#endif
