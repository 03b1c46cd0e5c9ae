/* If-Match and If-None-Match: which revision a header demands, or does not want. */
#include "support/unit.h"

#include "api/precondition.h"

static const struct {
    const char *header;
    int64_t current, demanded;
} GOOD[] = {
    {NULL, 3, MATCH_NOTHING_ASKED},
    {"*", 3, MATCH_ANY},
    {" * ", 3, MATCH_ANY},
    {"\"3\"", 3, 3},
    {"\"3\"", 4, 3},
    {"  \"12\"\t", 0, 12},
    {"\"1\", \"2\",\"3\"", 2, 2},
    {"\"1\", \"2\",\"3\"", 9, 1},
    {"\"x\", \"2\"", 9, 2},
    {",, \"2\" ,", 2, 2},
    {"\"\"", 1, MATCH_NEVER},
    {"\"abc\"", 1, MATCH_NEVER},
    {"\"1 \"", 1, -9}, /* -9: malformed, a tag has no space */
    {"\"01\"", 1, MATCH_NEVER},
    {"\"-1\"", -1, MATCH_NEVER},
    {"W/\"3\"", 3, MATCH_NEVER},
    {"W/\"3\", \"4\"", 3, 4},
    {"\"999999999999999999999\"", 1, MATCH_NEVER},
    {"\"\xff\"", 1, MATCH_NEVER},
};

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof GOOD / sizeof *GOOD; i++) {
        int64_t demanded = -7;
        bool ok = if_match_parse(GOOD[i].header, GOOD[i].current, &demanded, NULL);
        assert_int_equal(ok, GOOD[i].demanded != -9);
        if (ok)
            assert_int_equal(demanded, GOOD[i].demanded);
    }
}

static void refuses(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",        "3",       "\"3", "3\"", "\"1\" \"2\"",
                                      "* \"1\"", "w/\"3\"", "W/3", ",",   "\"1\", *",
                                      "\"1\"x",  "W",       "W/"};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        int64_t demanded;
        struct err e = {0};
        assert_false(if_match_parse(BAD[i], 1, &demanded, &e));
        assert_ptr_equal(e.kind, &ERR_INVALID);
    }
}

/* If-None-Match compares weakly. */
static void rules_out(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int64_t current, unwanted;
    } NONE[] = {
        {NULL, 3, MATCH_NOTHING_ASKED}, {"*", 3, MATCH_ANY},       {"W/\"3\"", 0, 3},
        {"W/\"3\", \"4\"", 4, 4},       {"\"x\"", 1, MATCH_NEVER},
    };
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++) {
        int64_t unwanted = -7;
        assert_true(if_none_match_parse(NONE[i].header, NONE[i].current, &unwanted, NULL));
        assert_int_equal(unwanted, NONE[i].unwanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses),
                                       cmocka_unit_test(rules_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
