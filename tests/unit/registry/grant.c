/* Grants: every action, role, pattern and question, against plain rules written anew here. */
#include "registry/grant.h"

#include "base/arena.h"
#include "base/json.h"
#include "support/unit.h"

#include <stdlib.h>
#include <string.h>

static struct grants *compiled(const char *role, const char *json)
{
    size_t size = grants_compile(role, json, NULL);
    struct grants *g = calloc(1, size + 16), *copy = calloc(1, size);
    memset((char *)g + size, 0x5a, 16);
    size_t used = grants_compile(role, json, g);
    assert_true(used <= size && g->size == used);
    for (int i = 0; i < 16; i++)
        assert_int_equal(((unsigned char *)g)[size + (size_t)i], 0x5a);
    memcpy(copy, g, g->size); /* a block without pointers: the copy is as good */
    memset(g, 0xee, size);
    free(g);
    return copy;
}

/* --- names of actions and roles --- */

static void actions_have_names(void **state)
{
    (void)state;
    for (int i = 0; i < ACTION_COUNT; i++)
        assert_int_equal(grant_actions(GRANT_ACTIONS[i]), ACTION_BIT(i));
    assert_null(GRANT_ACTIONS[ACTION_COUNT]);
    assert_int_equal(grant_actions("model.promote.canary|model.promote.stable"),
                     ACTION_BIT(ACTION_PROMOTE_CANARY) | ACTION_BIT(ACTION_PROMOTE_STABLE));
    assert_int_equal(grant_actions(NULL), 0);
    assert_int_equal(grant_actions(""), 0);
    assert_int_equal(grant_actions("rea"), 0);
    assert_int_equal(grant_actions("readx"), 0);
    assert_int_equal(grant_actions("read|"), 0);
    assert_int_equal(grant_actions("read|nothing"), 0);
}

static void roles_are_bundles(void **state)
{
    (void)state;
    size_t n = 0;
    for (; GRANT_ROLES[n].name; n++) {
        assert_string_equal(GRANT_ROLE_NAMES[n], GRANT_ROLES[n].name);
        struct grants *g = compiled(GRANT_ROLES[n].name, NULL);
        for (int a = 0; a < ACTION_COUNT; a++) {
            bool has = GRANT_ROLES[n].actions & ACTION_BIT(a);
            assert_int_equal(grants_allow(g, "odds", "nba", ACTION_BIT(a)), has);
            assert_int_equal(grants_allow(g, "odds", NULL, ACTION_BIT(a)), has);
            assert_int_equal(grants_everywhere(g, ACTION_BIT(a)), has);
            assert_int_equal(grants_anywhere(g, ACTION_BIT(a)), has);
        }
        free(g);
    }
    assert_null(GRANT_ROLE_NAMES[n]);
    assert_int_equal(GRANT_ROLES[n - 1].actions, ACTIONS_ALL);
    assert_int_equal(GRANT_ROLES[n - 2].actions, ACTIONS_ALL & ~ACTION_BIT(ACTION_ADMIN));
    struct grants *g = compiled("nobody", NULL);
    assert_int_equal(g->n, 0);
    free(g);
}

/* --- patterns --- */

/* The obvious way, exponential. */
static bool plain_glob(const char *p, const char *t)
{
    if (*p == '*')
        return plain_glob(p + 1, t) || (*t && plain_glob(p, t + 1));
    if (!*t || !*p)
        return *t == *p;
    return (*p == '?' || *p == *t) && plain_glob(p + 1, t + 1);
}

static void globs(void **state)
{
    (void)state;
    static const char LETTERS[] = "ab*?";
    char pattern[6], text[6];
    for (int p = 0; p < 5 * 5 * 5 * 5 * 5; p++) { /* all patterns of up to 5 of these */
        int rest = p, len = 0;
        for (; rest; rest /= 5)
            if (rest % 5)
                pattern[len++] = LETTERS[rest % 5 - 1];
        pattern[len] = '\0';
        for (int t = 0; t < 3 * 3 * 3 * 3 * 3; t++) {
            int left = t, n = 0;
            for (; left; left /= 3)
                if (left % 3)
                    text[n++] = LETTERS[left % 3 - 1];
            text[n] = '\0';
            if (glob_match(pattern, text) != plain_glob(pattern, text))
                fail_msg("glob_match(\"%s\", \"%s\")", pattern, text);
        }
    }
    assert_true(glob_match("?", "\xc3\xa4")); /* one character of two bytes */
    assert_true(glob_match("b?r-*", "b\xc3\xa4r-1"));
    assert_false(glob_match("??", "\xc3\xa4"));
    assert_true(glob_match("*\xc3\xa4", "\xc3\xb6\xc3\xa4"));
    assert_false(glob_match("NBA-*", "nba-props"));
}

static void no_pattern_is_slow(void **state)
{
    (void)state;
    char pattern[513], text[513];
    for (int i = 0; i < 512; i++) {
        pattern[i] = i % 2 ? '*' : 'a';
        text[i] = i == 511 ? 'b' : 'a';
    }
    pattern[511] = 'a';
    pattern[512] = text[512] = '\0';
    for (int i = 0; i < 100; i++)
        assert_false(glob_match(pattern, text)); /* the naive way would not end */
}

/* --- questions --- */

static void what_a_grant_gives(void **state)
{
    (void)state;
    const uint32_t read = ACTION_BIT(ACTION_READ), write = ACTION_BIT(ACTION_MODEL_WRITE);
    struct grants *g = compiled(
        NULL, "[{\"namespace\":\"odds\",\"names\":[\"nba-*\",\"nfl\"],\"actions\":[\"model.write\"]"
              "},{\"namespace\":\"odds\",\"actions\":[\"read\"]},"
              "{\"namespace\":\"o*s\",\"names\":[\"x\"],\"actions\":[\"record\"]}]");
    assert_true(grants_allow(g, "odds", "nba-props", write));
    assert_true(grants_allow(g, "odds", "nfl", write));
    assert_false(grants_allow(g, "odds", "nfl2", write));
    assert_false(grants_allow(g, "odds", NULL, write));
    assert_true(grants_touch(g, "odds", write));
    assert_false(grants_touch(g, "odd", write));
    assert_true(grants_allow(g, "odds", "anything", read));
    assert_true(grants_allow(g, "odds", NULL, read));
    assert_false(grants_allow(g, "other", "nba-props", read | write));
    assert_true(grants_allow(g, "ods", "x", ACTION_BIT(ACTION_RECORD)));
    assert_false(grants_allow(g, "ods", "y", ACTION_BIT(ACTION_RECORD)));
    assert_true(grants_allow(g, "odds", "nfl", read | ACTION_BIT(ACTION_ADMIN))); /* any of them */
    assert_true(grants_anywhere(g, ACTION_BIT(ACTION_RECORD)));
    assert_false(grants_anywhere(g, ACTION_BIT(ACTION_ADMIN)));
    assert_false(grants_everywhere(g, read));
    free(g);
}

static void nothing_is_allowed_without_a_grant(void **state)
{
    (void)state;
    static const char *const EMPTY[] = {NULL,
                                        "[]",
                                        "{}",
                                        "",
                                        "null",
                                        "[{}]",
                                        "[1]",
                                        "[{\"namespace\":1,\"actions\":[\"read\"]}]",
                                        "[{\"namespace\":\"a\"}]",
                                        "[{\"namespace\":\"a\",\"actions\":[\"nothing\"]}]",
                                        "[{\"namespace\":\"a\",\"actions\":\"read\"}]",
                                        "[{\"namespace\":\"a\",\"actions\":[1]}"};
    for (size_t i = 0; i < sizeof EMPTY / sizeof *EMPTY; i++) {
        struct grants *g = compiled(NULL, EMPTY[i]);
        assert_false(grants_anywhere(g, ACTIONS_ALL));
        assert_false(grants_allow(g, "a", "b", ACTIONS_ALL));
        assert_false(grants_touch(g, "a", ACTIONS_ALL));
        free(g);
    }
}

static void a_role_fills_its_grants(void **state)
{
    (void)state;
    struct grants *g = compiled(
        "developer", "[{\"namespace\":\"odds\"},{\"namespace\":\"news\",\"names\":[\"a*\",\"*\"],"
                     "\"actions\":[\"model.promote.canary\"]}]");
    assert_true(grants_allow(g, "odds", NULL, ACTION_BIT(ACTION_MODEL_WRITE)));
    assert_false(grants_allow(g, "odds", "x", ACTION_BIT(ACTION_PROMOTE_CANARY)));
    assert_true(grants_allow(g, "news", "x", ACTION_BIT(ACTION_PROMOTE_CANARY)));
    assert_true(grants_allow(g, "news", "x", ACTION_BIT(ACTION_READ)));
    assert_false(grants_allow(g, "other", "x", ACTION_BIT(ACTION_READ)));
    free(g);
}

static void admin_includes_all(void **state)
{
    (void)state;
    struct grants *g = compiled(NULL, "[{\"namespace\":\"odds\",\"actions\":[\"admin\"]}]");
    for (int a = 0; a < ACTION_COUNT; a++) {
        assert_true(grants_allow(g, "odds", NULL, ACTION_BIT(a)));
        assert_false(grants_everywhere(g, ACTION_BIT(a)));
    }
    free(g);
    for (int a = 0; a < ACTION_COUNT; a++)
        assert_true(grants_allow(NULL, "x", "y", ACTION_BIT(a)) &&
                    grants_everywhere(NULL, ACTION_BIT(a)) &&
                    grants_anywhere(NULL, ACTION_BIT(a)) && grants_touch(NULL, "x", ACTION_BIT(a)));
}

/* Every subset of a few grants, every question: what is allowed is what some grant of it allows. */
static void grants_only_add(void **state)
{
    (void)state;
    static const char *const LIST[] = {
        "{\"namespace\":\"a\",\"actions\":[\"read\"]}",
        "{\"namespace\":\"a\",\"names\":[\"x*\"],\"actions\":[\"read\",\"model.write\"]}",
        "{\"namespace\":\"b\",\"names\":[\"y\"],\"actions\":[\"record\"]}",
        "{\"namespace\":\"*\",\"names\":[\"x?\"],\"actions\":[\"select\"]}",
        "{\"namespace\":\"?\",\"names\":[],\"actions\":[\"admin\"]}",
    };
    static const char *const SPACES[] = {"a", "b", "ab"}, *const NAMES[] = {"x", "xy", "y", NULL};
    enum { N = sizeof LIST / sizeof *LIST };
    struct grants *one[N];
    for (int i = 0; i < N; i++) {
        char text[256];
        snprintf(text, sizeof text, "[%s]", LIST[i]);
        one[i] = compiled(NULL, text);
    }
    for (unsigned set = 0; set < 1u << N; set++) {
        char text[2048] = "[";
        for (int i = 0; i < N; i++)
            if (set >> i & 1)
                snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s",
                         text[1] ? "," : "", LIST[i]);
        snprintf(text + strlen(text), sizeof text - strlen(text), "]");
        struct grants *all = compiled(NULL, text);
        for (int s = 0; s < 3; s++)
            for (int n = 0; n < 4; n++)
                for (int a = 0; a < ACTION_COUNT; a++) {
                    bool some = false, touches = false;
                    for (int i = 0; i < N; i++) {
                        bool in = set >> i & 1;
                        some |= in && grants_allow(one[i], SPACES[s], NAMES[n], ACTION_BIT(a));
                        touches |= in && grants_touch(one[i], SPACES[s], ACTION_BIT(a));
                    }
                    assert_int_equal(grants_allow(all, SPACES[s], NAMES[n], ACTION_BIT(a)), some);
                    assert_int_equal(grants_touch(all, SPACES[s], ACTION_BIT(a)), touches);
                    assert_true(!some || touches);
                }
        free(all);
    }
    for (int i = 0; i < N; i++)
        free(one[i]);
}

static bool covers(const char *mine, const char *given)
{
    struct grants *g = compiled(NULL, mine), *other = compiled(NULL, given);
    bool yes = grants_cover(g, other);
    assert_true(grants_cover(NULL, other));
    free(g);
    free(other);
    return yes;
}

static void nobody_gives_what_he_has_not(void **state)
{
    (void)state;
#define G(ns, names, action) \
    "{\"namespace\":\"" ns "\",\"names\":[" names "],\"actions\":[\"" action "\"]}"
    assert_true(covers("[" G("odds", "", "admin") "]", "[" G("odds", "\"x*\"", "read") "]"));
    assert_true(covers("[" G("odds", "", "admin") "]", "[" G("odds", "", "admin") "]"));
    assert_true(covers("[" G("odds", "", "admin") "]", "[]"));
    assert_false(covers("[" G("odds", "", "admin") "]", "[" G("other", "", "read") "]"));
    assert_false(covers("[" G("odds", "", "admin") "]", "[" G("*", "", "read") "]"));
    assert_false(covers("[" G("odds", "", "admin") "]", "[" G("odd?", "", "read") "]"));
    assert_true(covers("[" G("odd*", "", "admin") "]", "[" G("odds", "", "read") "]"));
    assert_true(covers("[" G("odd*", "", "admin") "]", "[" G("odd*", "", "read") "]"));
    assert_false(covers("[" G("?", "", "admin") "]", "[" G("*", "", "read") "]"));
    assert_true(covers("[" G("*", "", "admin") "]", "[" G("o*", "", "read") "]"));
    assert_false(covers("[" G("odds", "\"x*\"", "admin") "]", "[" G("odds", "\"x1\"", "read") "]"));
    assert_false(covers("[" G("*", "", "read") "]", "[" G("a", "", "record") "]"));
    assert_true(covers("[" G("*", "", "read") "," G("a", "", "record") "]",
                       "[{\"namespace\":\"a\",\"actions\":[\"read\",\"record\"]}]"));
    assert_false(covers("[" G("*", "", "read") "," G("a", "", "record") "]",
                        "[{\"namespace\":\"b\",\"actions\":[\"read\",\"record\"]}]"));
#undef G
}

/* --- what clients write --- */

static size_t faults_of(const char *json, char pointer[200])
{
    struct arena *a = arena_new(1 << 20);
    struct faults f;
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert_non_null(value);
    faults_init(&f, a);
    grants_check(value, "/grants", &f);
    snprintf(pointer, 200, "%s", f.total ? f.list[0].pointer : "");
    size_t n = f.total;
    json_decref(value);
    arena_free(a);
    return n;
}

static void what_is_no_grant_is_pointed_at(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pointer;
    } CASES[] = {
        {"[]", ""},
        {"[{\"namespace\":\"odds\",\"names\":[\"nba-*\"],\"actions\":[\"read\",\"admin\"]}]", ""},
        {"[{\"namespace\":\"*\"}]", ""},
        {"[{\"namespace\":\"*\",\"names\":null,\"actions\":null}]", ""},
        {"{}", "/grants"},
        {"[1]", "/grants/0"},
        {"[{\"namespace\":\"a\"},[]]", "/grants/1"},
        {"[{}]", "/grants/0/namespace"},
        {"[{\"namespace\":\"a b\"}]", "/grants/0/namespace"},
        {"[{\"namespace\":\"\"}]", "/grants/0/namespace"},
        {"[{\"namespace\":\"a\",\"names\":\"x\"}]", "/grants/0/names"},
        {"[{\"namespace\":\"a\",\"names\":[]}]", "/grants/0/names"},
        {"[{\"namespace\":\"a\",\"names\":[\"x\",\"\"]}]", "/grants/0/names/1"},
        {"[{\"namespace\":\"a\",\"names\":[\"x\\u0000y\"]}]", "/grants/0/names/0"},
        {"[{\"namespace\":\"a\",\"names\":[\"x\\ny\"]}]", "/grants/0/names/0"},
        {"[{\"namespace\":\"a\",\"actions\":[\"read\",\"reed\"]}]", "/grants/0/actions/1"},
        {"[{\"namespace\":\"a\",\"actions\":[null]}]", "/grants/0/actions/0"},
        {"[{\"namespace\":\"a\",\"action\":[\"read\"]}]", "/grants/0/action"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char pointer[200];
        size_t n = faults_of(CASES[i].json, pointer);
        assert_string_equal(pointer, CASES[i].pointer);
        assert_int_equal(n, *CASES[i].pointer ? 1 : 0);
    }
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct err e = {0};
    assert_false(forbidden(a, "odds", "nba", ACTION_BIT(ACTION_READ), &e));
    assert_ptr_equal(e.kind, &FORBIDDEN);
    assert_string_equal(
        e.members, "\"missing\":{\"namespace\":\"odds\",\"name\":\"nba\",\"action\":\"read\"}");
    assert_non_null(strstr(e.detail, "'read' for 'nba' in namespace 'odds'"));
    forbidden(a, "odds", NULL, grant_actions("model.promote.canary|model.promote.stable"), &e);
    assert_non_null(strstr(e.members, "\"model.promote.canary|model.promote.stable\""));
    forbidden(a, NULL, NULL, ACTION_BIT(ACTION_ADMIN), &e);
    assert_non_null(strstr(e.members, "\"namespace\":\"*\""));
    forbidden(a, "odds", NULL, ACTION_BIT(ACTION_ADMIN), NULL);
    arena_free(a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(actions_have_names),
        cmocka_unit_test(roles_are_bundles),
        cmocka_unit_test(globs),
        cmocka_unit_test(no_pattern_is_slow),
        cmocka_unit_test(what_a_grant_gives),
        cmocka_unit_test(nothing_is_allowed_without_a_grant),
        cmocka_unit_test(a_role_fills_its_grants),
        cmocka_unit_test(admin_includes_all),
        cmocka_unit_test(grants_only_add),
        cmocka_unit_test(nobody_gives_what_he_has_not),
        cmocka_unit_test(what_is_no_grant_is_pointed_at),
        cmocka_unit_test(what_is_missing_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
