/* address: whom limits by address count together; which addresses are everybody's. Room: http.
 * Threads: [any], pure. */
#ifndef PADDOCK_HTTP_ADDRESS_H
#define PADDOCK_HTTP_ADDRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 address (also one mapped into IPv6), or the first 64 bits of an IPv6 one, which is what a
 * single customer is given. No two of them share a number. 0: neither. */
uint64_t address_number(const struct sockaddr *sa);
/* Is it on the public internet? Not: loopback, private, shared, link-local (cloud metadata), test
 * and benchmark networks, multicast, reserved; nor an IPv6 address that carries such an IPv4 one
 * (mapped, NAT64, 6to4), nor any other family. */
bool address_public(const struct sockaddr *sa);

#endif
