/* Directories of plugins with real files, looked at by the real paddock-worker. */
#include "extend/catalog.h"

#include "support/temp_dir.h"
#include "support/unit.h"
#include "support/worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char data[TEMP_DIR_SIZE], dir[TEMP_DIR_SIZE], bundled[TEMP_DIR_SIZE];
    const char *dirs[3];
    struct worker_settings worker;
    struct catalog_config config;
};

static void place_make(struct place *p)
{
    *p = (struct place){.worker = {.program = test_worker_program()}};
    temp_dir_make(p->data);
    temp_dir_make(p->dir);
    temp_dir_make(p->bundled);
    p->dirs[0] = p->dir;
    p->config = (struct catalog_config){
        .data_dir = p->data, .dirs = p->dirs, .worker = &p->worker, .clock = &CLOCK_SYSTEM};
}

static void place_release(struct place *p)
{
    temp_dir_remove(p->data);
    temp_dir_remove(p->dir);
    temp_dir_remove(p->bundled);
}

static void write_file(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), len);
    close(fd);
}

/* Copy a plugin of tests/plugins to dir/name. */
static const char *put(const char *dir, const char *name, const char *plugin)
{
    static char path[4096];
    char from[4096];
    size_t len = 0, size = 16u << 20;
    char *data = malloc(size);
    FILE *f = fopen(test_plugin(plugin, from, sizeof from), "re");
    assert_non_null(f);
    len = fread(data, 1, size, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    write_file(path, data, len);
    free(data);
    return path;
}

static struct catalog *open_catalog(struct place *p)
{
    struct err e;
    struct catalog *c = catalog_open(&p->config, &e);
    if (!c)
        fail_msg("%s", e.detail);
    return c;
}

static const struct plugin *by_file(const struct plugin_set *set, const char *name)
{
    for (size_t i = 0; i < set->n; i++)
        if (strcmp(strrchr(set->plugins[i]->file, '/') + 1, name) == 0)
            return set->plugins[i];
    fail_msg("%s is not in the catalog", name);
    return NULL;
}

static void assert_out(const struct plugin_set *set, const char *name, const char *why)
{
    const struct plugin *p = by_file(set, name);
    assert_null(p->copy);
    if (!p->why || !strstr(p->why, why))
        fail_msg("%s: wanted '%s', got '%s'", name, why, p->why ? p->why : "(loaded)");
}

static void a_plugin_is_copied_and_described(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    put(p.dir, "one.so", "good_everything");
    put(p.dir, "notes.txt", "good_nothing");
    put(p.dir, ".hidden.so", "good_nothing");
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *set = catalog_take(c);
    assert_int_equal(set->n, 1);
    assert_int_equal(set->n_loaded, 1);
    const struct plugin *plugin = plugin_find(set, PLUGIN_TEST, "test.everything");
    assert_non_null(plugin);
    assert_null(plugin_find(set, PLUGIN_RUNTIME, "test.everything"));
    assert_string_equal(plugin->version, "1.2.3");
    assert_string_equal(plugin->summary, "uses all of the host");
    assert_non_null(strstr(plugin->schema, "\"additionalProperties\":false"));
    assert_null(plugin->why);
    assert_int_equal(strlen(plugin->sha256), 64);
    assert_non_null(strstr(plugin->copy, plugin->sha256));
    struct stat st;
    assert_int_equal(stat(plugin->copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    catalog_give(c, set);
    catalog_close(c);
    place_release(&p);
}

static void unsafe_files_are_out(void **state)
{
    (void)state;
    struct place p;
    char path[4096];
    place_make(&p);
    chmod(put(p.dir, "world.so", "good_nothing"), 0646);
    chmod(put(p.dir, "group.so", "good_nothing"), 0664);
    snprintf(path, sizeof path, "%s/link.so", p.dir);
    assert_int_equal(symlink("/lib/x86_64-linux-gnu/libc.so.6", path), 0);
    snprintf(path, sizeof path, "%s/pipe.so", p.dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    snprintf(path, sizeof path, "%s/folder.so", p.dir);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/empty.so", p.dir);
    write_file(path, "", 0);
    bool root = geteuid() == 0;
    if (root)
        assert_int_equal(chown(put(p.dir, "foreign.so", "good_nothing"), 12345, 12345), 0);
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *set = catalog_take(c);
    assert_int_equal(set->n_loaded, 0);
    assert_out(set, "world.so", "others than its owner may write to it");
    assert_out(set, "group.so", "others than its owner may write to it");
    assert_out(set, "link.so", "symbolic link");
    assert_out(set, "pipe.so", "no regular file");
    assert_out(set, "folder.so", "no regular file");
    assert_out(set, "empty.so", "0 bytes");
    if (root)
        assert_out(set, "foreign.so", "belongs to user 12345");
    catalog_give(c, set);
    catalog_close(c);
    place_release(&p);
}

static void unsafe_and_missing_directories_are_out(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    put(p.dir, "one.so", "good_nothing");
    chmod(p.dir, 0777);
    p.dirs[1] = "/nonexistent/plugins";
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *set = catalog_take(c);
    assert_int_equal(set->n, 2);
    assert_int_equal(set->n_loaded, 0);
    assert_out(set, strrchr(p.dir, '/') + 1, "others than its owner may write to it");
    assert_out(set, "plugins", "cannot be opened");
    catalog_give(c, set);
    catalog_close(c);
    place_release(&p);
}

static void broken_plugins_are_out_with_the_reason(void **state)
{
    (void)state;
    struct place p;
    char path[4096];
    place_make(&p);
    put(p.dir, "crash.so", "misbehave_constructor");
    put(p.dir, "good.so", "good_nothing");
    snprintf(path, sizeof path, "%s/text.so", p.dir);
    write_file(path, "no plugin\n", 10);
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *set = catalog_take(c);
    assert_int_equal(set->n_loaded, 1);
    assert_out(set, "crash.so", "SIGSEGV");
    assert_out(set, "text.so", "it cannot be loaded");
    assert_null(strstr(by_file(set, "text.so")->why, p.data)); /* the copy's name tells nothing */
    catalog_give(c, set);
    catalog_close(c);
    place_release(&p);
}

/* The first has the name; the directory of bundled plugins is read first. */
static void of_two_with_one_id_the_second_is_out(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    p.config.bundled_dir = p.bundled;
    put(p.dir, "b.so", "good_nothing");
    put(p.dir, "a.so", "good_nothing");
    put(p.bundled, "z.so", "good_nothing");
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *set = catalog_take(c);
    assert_int_equal(set->n_loaded, 1);
    assert_true(plugin_find(set, PLUGIN_TEST, "test.nothing")->bundled);
    assert_out(set, "a.so", "is taken by");
    assert_out(set, "b.so", "z.so");
    catalog_give(c, set);
    catalog_close(c);
    place_release(&p);
}

static void a_set_outlives_a_reload(void **state)
{
    (void)state;
    struct place p;
    uint64_t calls, failures;
    place_make(&p);
    put(p.dir, "one.so", "good_nothing");
    struct catalog *c = open_catalog(&p);
    const struct plugin_set *before = catalog_take(c);
    const struct plugin *old = plugin_find(before, PLUGIN_TEST, "test.nothing");
    plugin_used(old, false);
    plugin_used(old, true);

    put(p.dir, "two.so", "good_runtime");
    catalog_reload(c);
    const struct plugin_set *after = catalog_take(c);
    assert_int_equal(after->n_loaded, 2);
    assert_non_null(plugin_find(after, PLUGIN_RUNTIME, "test.sum"));
    const struct plugin *now = plugin_find(after, PLUGIN_TEST, "test.nothing");
    plugin_used(now, false);
    plugin_uses(now, &calls, &failures);
    assert_int_equal(calls, 3);
    assert_int_equal(failures, 1);

    char path[4096];
    snprintf(path, sizeof path, "%s/one.so", p.dir);
    unlink(path);
    catalog_reload(c);
    assert_int_equal(before->n, 1); /* still what it was */
    assert_string_equal(old->id, "test.nothing");
    assert_int_equal(access(old->copy, R_OK), 0); /* a run may be using it */
    catalog_give(c, before);
    catalog_give(c, after);
    after = catalog_take(c);
    assert_null(plugin_find(after, PLUGIN_TEST, "test.nothing"));
    catalog_give(c, after);
    catalog_close(c);

    c = open_catalog(&p); /* nobody runs: copies of no use go */
    char copies[128];
    snprintf(copies, sizeof copies, "ls %s/plugins | wc -l", p.data);
    FILE *ls = popen(copies, "re");
    int n = 0;
    assert_int_equal(fscanf(ls, "%d", &n), 1);
    pclose(ls);
    assert_int_equal(n, 1);
    catalog_close(c);
    place_release(&p);
}

static void configurations_are_checked(void **state)
{
    (void)state;
    struct place p;
    place_make(&p);
    put(p.dir, "one.so", "good_runtime");
    struct catalog *c = open_catalog(&p);
    struct arena *a = arena_new(1 << 20);
    struct faults *f = arena_zero(a, sizeof *f);
    json_t *wrong = json_pack("{s:i}", "no_such_field", 1);
    faults_init(f, a);
    assert_true(catalog_check_config(c, PLUGIN_RUNTIME, "test.sum", "/type", NULL, "/config", f));
    assert_int_equal(f->total, 0);
    assert_false(catalog_check_config(c, PLUGIN_RUNTIME, "test.sum", "/type", wrong, "/config", f));
    assert_int_equal(f->total, 1);
    assert_string_equal(f->list[0].pointer, "/config/no_such_field");
    assert_false(catalog_check_config(c, PLUGIN_TEST, "test.sum", "/type", NULL, "/config", f));
    assert_int_equal(f->total, 2);
    assert_string_equal(f->list[1].pointer, "/type");
    json_decref(wrong);
    arena_free(a);
    catalog_close(c);
    place_release(&p);
}

int main(void)
{
    umask(022);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_is_copied_and_described),
        cmocka_unit_test(unsafe_files_are_out),
        cmocka_unit_test(unsafe_and_missing_directories_are_out),
        cmocka_unit_test(broken_plugins_are_out_with_the_reason),
        cmocka_unit_test(of_two_with_one_id_the_second_is_out),
        cmocka_unit_test(a_set_outlives_a_reload),
        cmocka_unit_test(configurations_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
