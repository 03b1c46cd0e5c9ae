#include "http/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* IPv4 numbers stand at 0000:0001::/32, which is reserved: no IPv6 client comes from there. */
uint64_t address_number(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return 1ULL << 32 | ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr);
    if (sa->sa_family != AF_INET6)
        return 0;
    const uint8_t *b = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr;
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    uint64_t n = 0;
    if (memcmp(b, mapped, sizeof mapped) == 0) {
        uint32_t v4;
        memcpy(&v4, b + 12, sizeof v4);
        return 1ULL << 32 | ntohl(v4);
    }
    for (int i = 0; i < 8; i++)
        n = n << 8 | b[i];
    return n ? n : 1; /* ::1 and other addresses below ::/64 */
}
