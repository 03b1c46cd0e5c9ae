/* listener: the listening socket of a loop. Room: http. Threads: bind by [main], the rest [loop].
 */
#ifndef PADDOCK_HTTP_LISTENER_H
#define PADDOCK_HTTP_LISTENER_H

#include "http/loop_impl.h"

/* Is "host:port" or "[v6]:port" an address to listen on, of which nobody else has the port, and
 * does it stand for this machine only? */
bool listener_look(const char *listen, bool *loopback, struct err *e) MUST_CHECK;
/* A bound and listening socket for "host:port" or "[v6]:port". `*port` 0: the one in `listen`; else
 * it replaces it. Sets `*port` to the bound one and `address` to its numeric host. -1 on failure.
 */
int listener_bind(const char *listen, unsigned *port, char *address, size_t address_size,
                  struct err *e) MUST_CHECK;
/* Begin to accept. */
bool listener_start(struct loop *l, struct err *e) MUST_CHECK;
/* Accept again after the process ran out of descriptors. */
void listener_resume(struct loop *l);
/* Take what has arrived and stop. May be called twice. */
void listener_close(struct loop *l);

#endif
