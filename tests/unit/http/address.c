#include "http/address.h"

#include "support/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

static bool is_public(const char *text)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1)
        return address_public((const struct sockaddr *)&v4);
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    return address_public((const struct sockaddr *)&v6);
}

static void public_addresses(void **state)
{
    static const char *const LIST[] = {
        "1.1.1.1",          "8.8.8.8",         "9.255.255.255",   "11.0.0.0",
        "100.63.255.255",   "100.128.0.0",     "126.255.255.255", "128.0.0.1",
        "169.253.255.255",  "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
        "192.167.255.255",  "192.169.0.0",     "198.17.255.255",  "198.20.0.0",
        "223.255.255.255",  "2606:4700::1111", "2a00:1450::1",    "::ffff:8.8.8.8",
        "64:ff9b::808:808", "2002:808:808::1", "2001:4860::8888", NULL};
    (void)state;
    for (const char *const *a = LIST; *a; a++)
        if (!is_public(*a))
            fail_msg("%s is not public", *a);
}

static void other_addresses(void **state)
{
    static const char *const LIST[] = {"0.0.0.0",
                                       "0.255.255.255",
                                       "10.0.0.0",
                                       "10.255.255.255",
                                       "100.64.0.0",
                                       "100.127.255.255",
                                       "127.0.0.1",
                                       "127.255.255.255",
                                       "169.254.0.0",
                                       "169.254.169.254",
                                       "172.16.0.1",
                                       "172.31.255.255",
                                       "192.0.0.1",
                                       "192.0.2.1",
                                       "192.88.99.1",
                                       "192.168.0.1",
                                       "192.168.255.255",
                                       "198.18.0.1",
                                       "198.19.255.255",
                                       "198.51.100.7",
                                       "203.0.113.255",
                                       "224.0.0.1",
                                       "240.0.0.1",
                                       "255.255.255.255",
                                       "::",
                                       "::1",
                                       "::127.0.0.1",
                                       "::ffff:127.0.0.1",
                                       "::ffff:10.1.2.3",
                                       "64:ff9b::a9fe:a9fe",
                                       "64:ff9b:1::1",
                                       "100::1",
                                       "2001::1",
                                       "2001:1ff::1",
                                       "2001:db8::1",
                                       "2002:7f00:1::1",
                                       "2002:a00:1::",
                                       "3fff::1",
                                       "fc00::1",
                                       "fdff::1",
                                       "fe80::1",
                                       "fec0::1",
                                       "ff02::1",
                                       NULL};
    (void)state;
    for (const char *const *a = LIST; *a; a++)
        if (is_public(*a))
            fail_msg("%s is public", *a);
    const struct sockaddr local = {.sa_family = AF_UNIX};
    assert_false(address_public(&local));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_addresses),
        cmocka_unit_test(other_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
