/* address: whom limits by address count together. Room: http. Threads: [any], pure. */
#ifndef PADDOCK_HTTP_ADDRESS_H
#define PADDOCK_HTTP_ADDRESS_H

#include "base/err.h"

#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 address (also one mapped into IPv6), or the first 64 bits of an IPv6 one, which is what a
 * single customer is given. No two of them share a number. 0: neither. */
uint64_t address_number(const struct sockaddr *sa);

#endif
