#include "store/redis_url.h"

#include "support/unit.h"

#include <string.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

static void urls_say_where_and_who(void **state)
{
    (void)state;
    static const struct {
        const char *url, *user, *password, *host, *path, *place;
        int port, db;
    } CASES[] = {
        {"redis://host", "", "", "host", "", "host:6379/0", 6379, 0},
        {"redis://host/", "", "", "host", "", "host:6379/0", 6379, 0},
        {"redis://10.0.0.1:7000/12", "", "", "10.0.0.1", "", "10.0.0.1:7000/12", 7000, 12},
        {"redis://ann:geheim@host:1", "ann", "geheim", "host", "", "host:1/0", 1, 0},
        {"redis://:p%40%2f%3A@host/3", "", "p@/:", "host", "", "host:6379/3", 6379, 3},
        {"redis://u:a:b@c@host", "u", "a:b@c", "host", "", "host:6379/0", 6379, 0},
        {"redis://[::1]:7000", "", "", "::1", "", "::1:7000/0", 7000, 0},
        {"redis://[::1]/4", "", "", "::1", "", "::1:6379/4", 6379, 4},
        {"redis+unix:///run/redis.sock", "", "", "", "/run/redis.sock", "/run/redis.sock?db=0", 0,
         0},
        {"unix://:pw@/a%20b?db=5", "", "pw", "", "/a b", "/a b?db=5", 0, 5},
    };
    for (size_t i = 0; i < LEN(CASES); i++) {
        struct redis_url u;
        struct err e = {0};
        char place[REDIS_PLACE_SIZE];
        if (!redis_url_parse(CASES[i].url, &u, &e))
            fail_msg("%s: %s", CASES[i].url, e.detail);
        assert_string_equal(u.user, CASES[i].user);
        assert_string_equal(u.password, CASES[i].password);
        assert_string_equal(u.host, CASES[i].host);
        assert_string_equal(u.path, CASES[i].path);
        assert_int_equal(u.port, CASES[i].port);
        assert_int_equal(u.db, CASES[i].db);
        redis_url_place(&u, place);
        assert_string_equal(place, CASES[i].place);
    }
}

static void wrong_urls_are_refused_without_showing_them(void **state)
{
    (void)state;
    static const struct {
        const char *url, *says;
    } CASES[] = {
        {"", "begins with"},
        {"http://geheim", "begins with"},
        {"redis:/geheim", "begins with"},
        {"redis://", "no host"},
        {"redis://:geheim@", "no host"},
        {"redis://geheim@host", "user:password"},
        {"redis://:geheim%2@host", "percent-encoded"},
        {"redis://:geheim%@host", "percent-encoded"},
        {"redis://:geheim%zz@host", "percent-encoded"},
        {"redis://:geheim%00@host", "percent-encoded"},
        {"redis://:geheim@host:0", "port"},
        {"redis://:geheim@host:65536", "port"},
        {"redis://:geheim@host:", "port"},
        {"redis://:geheim@host:1x", "port"},
        {"redis://:geheim@host/x", "database"},
        {"redis://:geheim@host/1/2", "database"},
        {"redis://:geheim@[::1", "]"},
        {"redis://:geheim@[::1]x", "port"},
        {"redis+unix://:geheim@run", "absolute path"},
        {"redis+unix://", "absolute path"},
        {"redis+unix:///run?x=geheim", "?db="},
        {"redis+unix:///run?db=", "?db="},
        {"rediss://:geheim@host", "has no TLS"},
        {"rediss+sentinel://:geheim@host/m", "has no TLS"},
        {"rediss+cluster://:geheim@host", "has no TLS"},
        {"redis+sentinel://:geheim@host", "name of the service"},
        {"redis+sentinel://:geheim@host/", "name of the service"},
        {"redis+sentinel:///m", "no host"},
        {"redis+sentinel://geheim,,b/m", "no host"},
        {"redis+sentinel://geheim:x/m", "port"},
        {"redis+sentinel://a,b,c,d,e,f,g,h,geheim/m", "more than 8"},
        {"redis+sentinel://geheim/m/x", "database"},
        {"redis+sentinel://geheim/m?wait=17", "?wait="},
        {"redis+sentinel://geheim/m?x=1", "?wait="},
        {"redis+cluster://:geheim@host/0", "one database"},
        {"redis+cluster://:geheim@host/?wait=x", "?wait="},
        {"redis+cluster://:geheim@host?db=1", "?wait="},
        {"redis+cluster://:geheim@", "no host"},
        {"redis+cluster://:geheim@a,,b", "no host"},
        {"redis+cluster://geheim@a", "user:password"},
    };
    for (size_t i = 0; i < LEN(CASES); i++) {
        struct redis_url u;
        struct err e = {0};
        if (redis_url_parse(CASES[i].url, &u, &e))
            fail_msg("%s was taken", CASES[i].url);
        assert_ptr_equal(e.kind, &ERR_CONFIG);
        if (!strstr(e.detail, CASES[i].says) || !strstr(e.detail, "MODEL_REGISTRY_REDIS_URL"))
            fail_msg("%s: %s", CASES[i].url, e.detail);
        assert_null(strstr(e.detail, "geheim"));
    }
    struct redis_url u;
    struct err e = {0};
    char longest[2000] = "redis://:";
    memset(longest + 9, 'x', sizeof longest - 10);
    assert_false(redis_url_parse(longest, &u, &e));
}

static void sentinels_are_named(void **state)
{
    (void)state;
    struct redis_url u;
    struct err e = {0};
    char place[REDIS_PLACE_SIZE];
    assert_true(
        redis_url_parse("redis+sentinel://ann:p%40@a,10.0.0.2:5000,[::1]/main/3?wait=2", &u, &e));
    assert_int_equal(u.n_guides, 3);
    assert_string_equal(u.guides[0].host, "a");
    assert_int_equal(u.guides[0].port, 26379);
    assert_string_equal(u.guides[1].host, "10.0.0.2");
    assert_int_equal(u.guides[1].port, 5000);
    assert_string_equal(u.guides[2].host, "::1");
    assert_string_equal(u.service, "main");
    assert_string_equal(u.user, "ann");
    assert_string_equal(u.password, "p@");
    assert_int_equal(u.db, 3);
    assert_int_equal(u.wait, 2);
    assert_string_equal(u.host, "");
    redis_url_place(&u, place);
    assert_string_equal(place, "main/3 of a:26379,...");
    assert_true(redis_url_parse("redis+sentinel://a/main", &u, &e));
    assert_int_equal(u.wait, 1);
    assert_int_equal(u.db, 0);
    assert_true(redis_url_parse("redis+sentinel://a/main?wait=0", &u, &e));
    assert_int_equal(u.wait, 0);
}

static void nodes_of_a_cluster_are_named(void **state)
{
    (void)state;
    struct redis_url u;
    struct err e = {0};
    char place[REDIS_PLACE_SIZE];
    assert_true(redis_url_parse("redis+cluster://ann:p%40@a,[::1]:7001/?wait=2", &u, &e));
    assert_true(redis_url_is_cluster(&u));
    assert_int_equal(u.n_guides, 2);
    assert_string_equal(u.guides[0].host, "a");
    assert_int_equal(u.guides[0].port, 6379);
    assert_string_equal(u.guides[1].host, "::1");
    assert_int_equal(u.guides[1].port, 7001);
    assert_string_equal(u.user, "ann");
    assert_string_equal(u.password, "p@");
    assert_int_equal(u.wait, 2);
    redis_url_place(&u, place);
    assert_string_equal(place, "cluster of a:6379,...");
    assert_true(redis_url_parse("redis+cluster://a", &u, &e));
    assert_int_equal(u.wait, 1);
    assert_true(redis_url_parse("redis+cluster://a:7000?wait=0", &u, &e));
    assert_int_equal(u.wait, 0);
    assert_true(redis_url_parse("redis+sentinel://a/main", &u, &e));
    assert_false(redis_url_is_cluster(&u));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(urls_say_where_and_who),
        cmocka_unit_test(nodes_of_a_cluster_are_named),
        cmocka_unit_test(sentinels_are_named),
        cmocka_unit_test(wrong_urls_are_refused_without_showing_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
