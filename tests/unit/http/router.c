#include "support/unit.h"

#include "http/route.h"

#include <string.h>

static void handle(struct request *rq)
{
    (void)rq;
}

#define ROW(m, path, operation)                           \
    {                                                     \
        m, path, operation, handle, .flags = ROUTE_PUBLIC \
    }
static const struct route TABLE[] = {
    ROW(METHOD_GET, "/", "root"),
    ROW(METHOD_GET, "/a", "a"),
    ROW(METHOD_POST, "/a", "a_post"),
    ROW(METHOD_GET, "/a/{x}", "a_x"),
    ROW(METHOD_DELETE, "/a/{x}", "a_x_delete"),
    ROW(METHOD_GET, "/a/lit", "a_lit"),
    ROW(METHOD_GET, "/a/lit/end", "a_lit_end"),
    ROW(METHOD_GET, "/a/{x}/b/{y}", "a_x_b_y"),
    ROW(METHOD_GET, "/flags/{key+}", "flags"),
    ROW(METHOD_OPTIONS, "/flags/{key+}", "flags_options"),
    ROW(METHOD_POST, "/flags", "flags_bulk"),
    {.path = NULL},
};

static struct router *router;

static int set_up(void **state)
{
    (void)state;
    struct err e;
    router = router_new(TABLE, &e);
    return router ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    return 0;
}

/* "operation name=value ..." of what a path finds; "-" for none. */
static const char *find(enum http_method m, const char *path)
{
    static char text[256];
    struct route_match match;
    router_find(router, m, path, strlen(path), &match);
    int n = snprintf(text, sizeof text, "%s", match.route ? match.route->operation : "-");
    for (size_t i = 0; i < match.n_params; i++)
        n +=
            snprintf(text + n, sizeof text - (size_t)n, " %.*s=%.*s", (int)match.params[i].name_len,
                     match.params[i].name, (int)match.params[i].len, match.params[i].value);
    return text;
}

static unsigned allowed(const char *path)
{
    struct route_match match;
    router_find(router, METHOD_PUT, path, strlen(path), &match);
    assert_null(match.route);
    return match.allowed;
}

static void test_find(void **state)
{
    (void)state;
    assert_string_equal(find(METHOD_GET, "/"), "root");
    assert_string_equal(find(METHOD_GET, "/a"), "a");
    assert_string_equal(find(METHOD_HEAD, "/a"), "a");
    assert_string_equal(find(METHOD_POST, "/a"), "a_post");
    assert_string_equal(find(METHOD_GET, "/a/1"), "a_x x=1");
    assert_string_equal(find(METHOD_GET, "/a/%2e%2F"), "a_x x=%2e%2F");
    assert_string_equal(find(METHOD_GET, "/a/1/b/2"), "a_x_b_y x=1 y=2");
}

static void test_literals_win(void **state)
{
    (void)state;
    assert_string_equal(find(METHOD_GET, "/a/lit"), "a_lit");
    assert_string_equal(find(METHOD_GET, "/a/lit/end"), "a_lit_end");
    assert_string_equal(find(METHOD_GET, "/a/lit/b/2"),
                        "a_x_b_y x=lit y=2"); /* and are left again */
    assert_string_equal(find(METHOD_DELETE, "/a/lit"), "-");
    assert_string_equal(find(METHOD_GET, "/a/lit2"), "a_x x=lit2");
}

static void test_rest(void **state)
{
    (void)state;
    assert_string_equal(find(METHOD_GET, "/flags/k"), "flags key=k");
    assert_string_equal(find(METHOD_GET, "/flags/a/b/../c"), "flags key=a/b/../c");
    assert_string_equal(find(METHOD_OPTIONS, "/flags/a/"), "flags_options key=a/");
    assert_string_equal(find(METHOD_GET, "/flags/"), "-");
    assert_string_equal(find(METHOD_POST, "/flags"), "flags_bulk");
}

static void test_nothing(void **state)
{
    (void)state;
    const char *const paths[] = {"",        "a",      "/b",      "/a/",      "//a",
                                 "/A",      "/a/1/b", "/a/..",   "/a/./b/1", "/a/1/b/",
                                 "/a//b/1", "/aa",    "/a/1/c/2"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct route_match match;
        router_find(router, METHOD_GET, paths[i], strlen(paths[i]), &match);
        assert_null(match.route);
        assert_int_equal(match.allowed, 0);
    }
}

static void test_allowed(void **state)
{
    (void)state;
    assert_int_equal(allowed("/a"), 1 << METHOD_GET | 1 << METHOD_HEAD | 1 << METHOD_POST);
    assert_int_equal(allowed("/a/1"), 1 << METHOD_GET | 1 << METHOD_HEAD | 1 << METHOD_DELETE);
    assert_int_equal(allowed("/flags"), 1 << METHOD_POST);
}

static void refused(const struct route *table, const char *part)
{
    struct err e;
    assert_null(router_new(table, &e));
    assert_non_null(strstr(e.detail, part));
}

static void test_bad_tables(void **state)
{
    (void)state;
    refused(
        (struct route[]){ROW(METHOD_GET, "/a", "x"), ROW(METHOD_PUT, "/a", "x"), {.path = NULL}},
        "twice");
    refused((struct route[]){ROW(METHOD_GET, "/a/{x}", "x"),
                             ROW(METHOD_GET, "/a/{y}", "y"),
                             {.path = NULL}},
            "same path");
    refused((struct route[]){{METHOD_GET, "/a", "x", handle, .flags = 0}, {.path = NULL}},
            "action");
    refused((struct route[]){{METHOD_GET, "/a", "x", NULL, .flags = ROUTE_PUBLIC}, {.path = NULL}},
            "handler");
    refused((struct route[]){ROW(METHOD_HEAD, "/a", "x"), {.path = NULL}}, "HEAD");
    refused((struct route[]){ROW(METHOD_GET, "a", "x"), {.path = NULL}}, "template");
    refused((struct route[]){ROW(METHOD_GET, "/{x+}/b", "x"), {.path = NULL}}, "template");
    refused((struct route[]){ROW(METHOD_GET, "/{}", "x"), {.path = NULL}}, "template");
    refused((struct route[]){ROW(METHOD_GET, "/a{x}", "x"), {.path = NULL}}, "template");
    refused((struct route[]){ROW(METHOD_GET, "/{x", "x"), {.path = NULL}}, "template");
    refused((struct route[]){ROW(METHOD_GET, "/{a}/{b}/{c}/{d}/{e}/{f}/{g}", "x"), {.path = NULL}},
            "template");
}

static void test_table(void **state)
{
    (void)state;
    size_t n;
    assert_ptr_equal(router_table(router, &n), TABLE);
    assert_int_equal(n, sizeof TABLE / sizeof *TABLE - 1);
    assert_string_equal(method_name(METHOD_PATCH), "PATCH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),    cmocka_unit_test(test_literals_win),
        cmocka_unit_test(test_rest),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_allowed), cmocka_unit_test(test_bad_tables),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests_name("router", tests, set_up, tear_down);
}
