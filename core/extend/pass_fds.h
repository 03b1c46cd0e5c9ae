/* pass_fds: one message with descriptors over a local socket that keeps messages apart.
 * Room: extend. Threads: [any]. */
#ifndef PADDOCK_EXTEND_PASS_FDS_H
#define PADDOCK_EXTEND_PASS_FDS_H

#include <stdbool.h>
#include <stddef.h>

#define PASS_FDS_MAX 3

/* Send `len` bytes and `n` descriptors, which stay the caller's. Never waits, raises no signal. */
bool pass_fds(int socket, const void *data, size_t len, const int *fds, size_t n)
    __attribute__((warn_unused_result));
/* Wait for such a message: exactly `len` bytes and `n` descriptors, which are closed on exec. False
 * at the end, or if another came. */
bool take_fds(int socket, void *data, size_t len, int *fds, size_t n)
    __attribute__((warn_unused_result));

#endif
