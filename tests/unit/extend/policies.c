/* The catalog: layers, reload, last good ones, stored ones, and the sets that follow it. */
#include "extend/policies.h"

#include "extend/lua_sandbox.h"
#include "extend/policy_set.h"
#include "support/temp_dir.h"
#include "support/unit.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NS "default"

struct fixture {
    char first[TEMP_DIR_SIZE], second[TEMP_DIR_SIZE];
    struct policies *catalog;
    struct policy_set *set;
    int writes;
};

static void make_folder(const char *dir)
{
    char folder[TEMP_DIR_SIZE + 16];
    temp_dir_make((char *)dir);
    snprintf(folder, sizeof folder, "%s/rollout", dir);
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void path_of(const char *dir, const char *name, char *out, size_t size)
{
    snprintf(out, size, "%s/rollout/%s.lua", dir, name);
}

/* Files differ in size from write to write, so that no clock's grain hides a change. */
static void put(struct fixture *x, const char *dir, const char *name, const char *body)
{
    char path[TEMP_DIR_SIZE + 64], fresh[TEMP_DIR_SIZE + 72];
    path_of(dir, name, path, sizeof path);
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    fprintf(file, "return { summary = 's', decide = function(flag, ctx, env) %s end }%*s\n", body,
            ++x->writes, "");
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

static void drop(const char *dir, const char *name)
{
    char path[TEMP_DIR_SIZE + 64];
    path_of(dir, name, path, sizeof path);
    assert_int_equal(unlink(path), 0);
}

static void open_fixture(struct fixture *x)
{
    struct err e = {0};
    x->writes = 0;
    make_folder(x->first);
    make_folder(x->second);
    put(x, x->first, "mine", "return 'a'");
    put(x, x->second, "mine", "return 'b'");
    put(x, x->second, "shipped", "return 'b'");
    const char *const dirs[] = {x->first, x->second, NULL};
    x->catalog = policies_open(dirs, &CLOCK_SYSTEM, &e);
    if (!x->catalog)
        fail_msg("%s", e.detail);
    x->set = policy_set_new(x->catalog);
}

static void close_fixture(struct fixture *x)
{
    policy_set_free(x->set);
    policies_close(x->catalog);
    temp_dir_remove(x->first);
    temp_dir_remove(x->second);
}

/* The variant that a policy gives, or what went wrong. */
static const char *ask_ref(struct fixture *x, const struct policy_ref *ref)
{
    static const char *const VARIANTS[] = {"a", "b", "c"};
    static char answer[512];
    struct err e = {0};
    struct policy_use use;
    if (!policy_set_begin(x->set, ref, &use, &e)) {
        snprintf(answer, sizeof answer, "%s", e.detail);
        return answer;
    }
    const struct flag_facts facts = {
        .key = "f", .salt = "f", .variants = VARIANTS, .variant_count = 3};
    struct policy_flag *flag = policy_flag_add(use.policy, &facts);
    json_t *context = json_object();
    const struct policy_env env = {0};
    struct policy_decision out;
    bool good = policy_decide(use.policy, flag, context, &env, &out, &e);
    policy_set_end(&use, good ? NULL : &e);
    snprintf(answer, sizeof answer, "%s", good ? VARIANTS[out.variant] : e.detail);
    json_decref(context);
    policy_flag_drop(use.policy, flag);
    return answer;
}

static const char *ask(struct fixture *x, const char *name)
{
    return ask_ref(x, &(struct policy_ref){POLICY_ROLLOUT, NS, name, 0});
}

static struct policy_info info_of(struct fixture *x, const char *name, struct arena *a)
{
    struct policy_info info;
    const struct policy_ref ref = {POLICY_ROLLOUT, NS, name, 0};
    assert_true(policies_info(x->catalog, &ref, a, &info));
    return info;
}

static void the_first_directory_wins(void **state)
{
    (void)state;
    struct fixture x;
    open_fixture(&x);
    assert_string_equal(ask(&x, "mine"), "a");
    assert_string_equal(ask(&x, "shipped"), "b");
    assert_non_null(strstr(ask(&x, "none"), "no rollout policy 'none'"));
    drop(x.first, "mine");
    policies_scan(x.catalog);
    assert_string_equal(ask(&x, "mine"), "b");
    drop(x.second, "mine");
    policies_scan(x.catalog);
    assert_non_null(strstr(ask(&x, "mine"), "no rollout policy"));
    put(&x, x.second, "mine", "return 'c'");
    policies_scan(x.catalog);
    assert_string_equal(ask(&x, "mine"), "c");
    close_fixture(&x);
}

static void a_broken_file_leaves_the_last_good_one(void **state)
{
    (void)state;
    struct fixture x;
    struct arena *a = arena_new(1 << 20);
    open_fixture(&x);
    assert_string_equal(ask(&x, "mine"), "a");
    uint64_t before = policies_generation(x.catalog);
    policies_scan(x.catalog);
    assert_int_equal(policies_generation(x.catalog), before); /* nothing changed */
    put(&x, x.first, "mine", "return return");
    policies_scan(x.catalog);
    assert_string_equal(ask(&x, "mine"), "a");
    struct policy_info info = info_of(&x, "mine", a);
    assert_int_equal(info.status, POLICY_STALE);
    assert_non_null(strstr(info.last_error, "rollout/mine.lua:1:"));
    put(&x, x.first, "mine", "return 'c'");
    policies_scan(x.catalog);
    assert_string_equal(ask(&x, "mine"), "c");
    info = info_of(&x, "mine", a);
    assert_int_equal(info.status, POLICY_ACTIVE);
    assert_null(info.last_error);
    put(&x, x.first, "fresh", ")");
    policies_scan(x.catalog);
    assert_non_null(strstr(ask(&x, "fresh"), "rollout/fresh.lua:1:"));
    assert_int_equal(info_of(&x, "fresh", a).status, POLICY_BROKEN);
    arena_free(a);
    close_fixture(&x);
}

#define ANSWERS(variant) \
    "return { summary = 'stored', decide = function() return '" variant "' end }"

static void install(struct fixture *x, const char *ns, const char *name, int64_t version,
                    const char *source)
{
    const struct policy_ref ref = {POLICY_ROLLOUT, ns, name, version};
    const struct policy_text text = {source, "hash", "stored", "[]", 1700000000000};
    policies_install(x->catalog, &ref, &text);
    policies_serve(x->catalog, &ref);
}

static void uncover(struct fixture *x, const char *ns, const char *name)
{
    policies_serve(x->catalog, &(struct policy_ref){POLICY_ROLLOUT, ns, name, 0});
}

static void stored_ones_cover_files(void **state)
{
    (void)state;
    struct fixture x;
    struct arena *a = arena_new(1 << 20);
    open_fixture(&x);
    install(&x, NS, "mine", 4, ANSWERS("c"));
    assert_string_equal(ask(&x, "mine"), "c");
    struct policy_info info = info_of(&x, "mine", a);
    assert_true(info.stored);
    assert_int_equal(info.version, 4);
    assert_int_equal(info.calls, 1);
    assert_string_equal(info.summary, "stored");
    put(&x, x.first, "mine", ") broken");
    policies_scan(x.catalog);
    assert_string_equal(ask(&x, "mine"), "c");
    assert_int_equal(info_of(&x, "mine", a).status, POLICY_ACTIVE);
    put(&x, x.first, "mine", "return 'b'");
    policies_scan(x.catalog);
    uncover(&x, NS, "mine");
    assert_string_equal(ask(&x, "mine"), "b");
    install(&x, NS, "only-stored", 1, ANSWERS("c"));
    assert_string_equal(ask(&x, "only-stored"), "c");
    const char *const *names = policies_files(x.catalog, POLICY_ROLLOUT, a);
    assert_string_equal(names[0], "mine");
    assert_string_equal(names[1], "shipped");
    assert_null(names[2]);
    uncover(&x, NS, "only-stored");
    assert_non_null(strstr(ask(&x, "only-stored"), "no rollout policy"));
    install(&x, "other", "mine", 1, ANSWERS("c")); /* another namespace's is not ours */
    assert_string_equal(ask(&x, "mine"), "b");
    arena_free(a);
    close_fixture(&x);
}

/* A version is asked by its number whatever serves, and is gone when it is forgotten. */
static void versions_are_pinned(void **state)
{
    (void)state;
    struct fixture x;
    struct arena *a = arena_new(1 << 20);
    open_fixture(&x);
    install(&x, NS, "mine", 1, ANSWERS("b"));
    install(&x, NS, "mine", 2, ANSWERS("c"));
    const struct policy_ref first = {POLICY_ROLLOUT, NS, "mine", 1};
    assert_string_equal(ask(&x, "mine"), "c");
    assert_string_equal(ask_ref(&x, &first), "b");
    struct policy_info info;
    assert_true(policies_info(x.catalog, &first, a, &info));
    assert_int_equal(info.calls, 1);
    policies_serve(x.catalog, &first); /* back */
    assert_string_equal(ask(&x, "mine"), "b");
    policies_uninstall(x.catalog, &(struct policy_ref){POLICY_ROLLOUT, NS, "mine", 2});
    assert_string_equal(ask(&x, "mine"), "b");
    const struct policy_ref second = {POLICY_ROLLOUT, NS, "mine", 2};
    assert_non_null(strstr(ask_ref(&x, &second), "no version 2 of the rollout policy 'mine'"));
    assert_non_null(strstr(ask(&x, "mine/default/1"), "no rollout policy"));
    arena_free(a);
    close_fixture(&x);
}

/* What was good when it was stored may not be any more: what went before it goes on, or the file.
 */
static void a_stored_one_that_cannot_be_loaded(void **state)
{
    (void)state;
    struct fixture x;
    struct arena *a = arena_new(1 << 20);
    open_fixture(&x);
    install(&x, NS, "mine", 1, ") broken");
    assert_string_equal(ask(&x, "mine"), "a"); /* the file */
    assert_int_equal(info_of(&x, "mine", a).status, POLICY_BROKEN);
    assert_non_null(strstr(info_of(&x, "mine", a).last_error, "rollout/mine.lua:1:"));
    install(&x, NS, "mine", 2, ANSWERS("c"));
    assert_string_equal(ask(&x, "mine"), "c");
    install(&x, NS, "mine", 3, ") broken");
    assert_string_equal(ask(&x, "mine"), "c"); /* the version before */
    install(&x, NS, "none", 1, ") broken");
    assert_non_null(strstr(ask(&x, "none"), "rollout/none.lua:1:"));
    install(&x, NS, "none", 2, ANSWERS("b"));
    assert_string_equal(ask(&x, "none"), "b");
    arena_free(a);
    close_fixture(&x);
}

static void calls_are_counted(void **state)
{
    (void)state;
    struct fixture x;
    struct arena *a = arena_new(1 << 20);
    open_fixture(&x);
    struct policy_info info = info_of(&x, "mine", a);
    assert_int_equal(info.calls, 0);
    assert_true(isnan(info.p99_us));
    for (int i = 0; i < 100; i++)
        ask(&x, "mine");
    put(&x, x.first, "mine", "error('why')");
    policies_scan(x.catalog);
    ask(&x, "mine");
    info = info_of(&x, "mine", a);
    assert_int_equal(info.calls, 101);
    assert_int_equal(info.errors, 1);
    assert_true(info.p99_us > 0);
    assert_non_null(strstr(info.last_error, "why"));
    arena_free(a);
    close_fixture(&x);
}

/* The watching thread finds a change by itself; how soon is not judged here. */
static void watches(void **state)
{
    (void)state;
    struct fixture x;
    struct err e = {0};
    open_fixture(&x);
    assert_true(policies_watch(x.catalog, 5, &e));
    put(&x, x.first, "mine", "return 'c'");
    for (int i = 0; i < 6000 && strcmp(ask(&x, "mine"), "c") != 0; i++)
        usleep(5000);
    assert_string_equal(ask(&x, "mine"), "c");
    close_fixture(&x);
}

static void a_missing_directory_is_refused(void **state)
{
    (void)state;
    struct err e = {0};
    const char *const dirs[] = {"/nonexistent/policies", NULL};
    assert_null(policies_open(dirs, &CLOCK_SYSTEM, &e));
    assert_ptr_equal(e.kind, &ERR_CONFIG);
    assert_non_null(strstr(e.detail, "/nonexistent/policies"));
}

static void the_shipped_ones_are_found(void **state)
{
    (void)state;
    char dir[4096], file[4200];
    assert_true(policies_shipped_dir(dir, sizeof dir));
    snprintf(file, sizeof file, "%s/severity/default.lua", dir);
    assert_int_equal(access(file, R_OK), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_directory_wins),
        cmocka_unit_test(a_broken_file_leaves_the_last_good_one),
        cmocka_unit_test(stored_ones_cover_files),
        cmocka_unit_test(versions_are_pinned),
        cmocka_unit_test(a_stored_one_that_cannot_be_loaded),
        cmocka_unit_test(calls_are_counted),
        cmocka_unit_test(watches),
        cmocka_unit_test(a_missing_directory_is_refused),
        cmocka_unit_test(the_shipped_ones_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
