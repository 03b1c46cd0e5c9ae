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

static bool public_v4(uint32_t a)
{
    static const struct {
        uint32_t net;
        unsigned bits;
    } OTHERS[] = {
        {0x00000000, 8},  {0x0a000000, 8},  {0x64400000, 10}, {0x7f000000, 8},  {0xa9fe0000, 16},
        {0xac100000, 12}, {0xc0000000, 24}, {0xc0000200, 24}, {0xc0586300, 24}, {0xc0a80000, 16},
        {0xc6120000, 15}, {0xc6336400, 24}, {0xcb007100, 24}, {0xe0000000, 3},
    };
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++)
        if ((a ^ OTHERS[i].net) >> (32 - OTHERS[i].bits) == 0)
            return false;
    return true;
}

static uint32_t v4_at(const uint8_t *b)
{
    uint32_t v4;
    memcpy(&v4, b, sizeof v4);
    return ntohl(v4);
}

/* Of IPv6 only 2000::/3 is in use, and not all of it. */
static bool public_v6(const uint8_t *b)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    if (memcmp(b, mapped, sizeof mapped) == 0 || memcmp(b, nat64, sizeof nat64) == 0)
        return public_v4(v4_at(b + 12));
    if (b[0] == 0x20 && b[1] == 0x02) /* 6to4 */
        return public_v4(v4_at(b + 2));
    bool special = b[0] == 0x20 && b[1] == 0x01 && /* 2001::/23 with Teredo; documentation */
                   (b[2] < 2 || (b[2] == 0x0d && b[3] == 0xb8));
    return b[0] >> 5 == 1 && !special && !(b[0] == 0x3f && b[1] == 0xff);
}

bool address_public(const struct sockaddr *sa)
{
    if (sa->sa_family == AF_INET)
        return public_v4(ntohl(((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr));
    return sa->sa_family == AF_INET6 &&
           public_v6(((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr.s6_addr);
}
