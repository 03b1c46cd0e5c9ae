/* log: one JSON object a line on stderr or a file. Room: base.
 *
 * Each thread that logs a lot (an event loop) has its own buffer and writes it once per loop turn
 * or when it is full; other threads write through the shared one. Lines are written whole with one
 * write(2). Threads: log_* from [any]; a `struct log_buffer` belongs to one thread. */
#ifndef PADDOCK_BASE_LOG_H
#define PADDOCK_BASE_LOG_H

#include "base/bytes.h"
#include "base/err.h"

#include <stdbool.h>
#include <sys/types.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Set the destination once at start (NULL: stderr) and the least level that is written. */
bool log_open(const char *path, enum log_level least, struct err *e) MUST_CHECK;
/* Open the file anew (SIGHUP after a rotation); stderr stays. */
bool log_reopen(struct err *e) MUST_CHECK;
/* The file is another user's from now on, who will have to open it again, unless it was there
 * before. */
bool log_give(uid_t user, gid_t group, struct err *e) MUST_CHECK;
void log_close(void);
bool log_wants(enum log_level level);

/* One event: `event` is a short constant ("store_opened"), then `members` as
 * printf of JSON members, or NULL. Example:
 *   log_event(LOG_INFO, "listening", "\"address\":\"%s\",\"port\":%d", addr, port);
 * Text from outside goes through log_text(). */
void log_event(enum log_level level, const char *event, const char *members, ...) PRINTF_LIKE(3, 4);
/* One event whose only member is `detail`, escaped. */
void log_text(enum log_level level, const char *event, const char *detail);

/* A thread's own buffer: the caller appends whole lines (ending in '\n') and flushes. */
struct log_buffer {
    struct bytes bytes;
};
void log_buffer_init(struct log_buffer *b);
/* Write out and empty. Lines that cannot be written (full disk) are dropped and counted. */
void log_buffer_flush(struct log_buffer *b);
void log_buffer_release(struct log_buffer *b);
unsigned long log_dropped(void);

#endif
