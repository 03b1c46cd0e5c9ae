/* files: the few file operations of the log, injected, so that tests can crash between any two of
 * them. Room: telemetry. Threads: as the caller's. */
#ifndef PADDOCK_TELEMETRY_FILES_H
#define PADDOCK_TELEMETRY_FILES_H

#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

/* Each as the system call it is named after: -1 and errno on failure. */
struct files {
    /* A new file of `bytes` preallocated bytes of zeros; fails with EEXIST if it is there. */
    int (*create)(void *self, const char *path, size_t bytes);
    ssize_t (*pwritev)(void *self, int fd, const struct iovec *parts, int n, off_t at);
    int (*fdatasync)(void *self, int fd);
    int (*sync_dir)(void *self, const char *path);
    int (*truncate)(void *self, const char *path, off_t len);
    int (*unlink)(void *self, const char *path);
    int (*rename)(void *self, const char *from, const char *to);
    /* A hint: these bytes, which are durable, need not be kept in memory. */
    void (*forget)(void *self, int fd, off_t at, off_t len);
    void *self;
};

extern const struct files FILES_SYSTEM;

#endif
