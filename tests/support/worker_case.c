#include "support/worker_case.h"

#include "support/unit.h"
#include "support/worker.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char worker_case_dir[256];
struct worker_settings worker_case;

/* ---- is anything left? ---- */

static bool has(struct nursery *n, pid_t pid)
{
    return n && nursery_has(n, pid);
}

/* This process is a subreaper: whoever escaped from a worker would be our child by now. Whoever
 * needs a wait is none of ours, and those that are kept are the only ones that live. */
static size_t count_children(bool kept)
{
    pid_t child;
    size_t found = 0;
    FILE *children = fopen("/proc/thread-self/children", "r");
    while (children && fscanf(children, "%d", &child) == 1)
        found += kept == (has(worker_case.nursery, child) || has(worker_case.nursery_http, child));
    if (children)
        fclose(children);
    return found;
}

size_t worker_case_children(void)
{
    return count_children(false);
}

static void assert_no_children(void)
{
    pid_t any = waitpid(-1, NULL, WNOHANG);
    assert_true(any == 0 || (any == -1 && errno == ECHILD));
    assert_int_equal(worker_case_children(), 0);
}

static size_t count_entries(const char *path)
{
    size_t found = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        found += entry->d_name[0] != '.';
    closedir(dir);
    return found;
}

/* Each that is kept may have one, which is empty. */
static void assert_no_directories(void)
{
    char path[1024];
    DIR *dir = opendir(worker_case_dir);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir));) {
        snprintf(path, sizeof path, "%s/%s", worker_case_dir, entry->d_name);
        assert_true(entry->d_name[0] == '.' || count_entries(path) == 0);
    }
    closedir(dir);
    assert_in_range(count_entries(worker_case_dir), 0, count_children(true));
}

void worker_case_nothing_left(void)
{
    assert_no_children();
    assert_no_directories();
}

/* Does each run get a user of its own here? */
bool worker_case_own_users(void)
{
    unsigned inside = 1, outside, count = 0;
    FILE *map = fopen("/proc/self/uid_map", "r");
    if (map && fscanf(map, "%u %u %u", &inside, &outside, &count) != 3)
        count = 0;
    if (map)
        fclose(map);
    return geteuid() == 0 && inside == 0 && count > 0x7fffffffu;
}

/* ---- running one ---- */

struct worker *worker_case_job(const struct test_job *job)
{
    struct err e;
    struct worker *w = worker_run(&worker_case, job, &e);
    if (!w)
        fail_msg("%s", e.detail);
    worker_case_nothing_left();
    return w;
}

struct worker *worker_case_run(const char *name, int64_t timeout_ms)
{
    char path[4096];
    struct test_job job = {.plugin_file = test_plugin(name, path, sizeof path),
                           .test_id = "t1",
                           .name = name,
                           .subject = {.model_id = "m:1", .name = "m", .version = "1"},
                           .seed = 42,
                           .timeout_ms = timeout_ms};
    return worker_case_job(&job);
}

void worker_case_expect(const char *plugin, int64_t timeout_ms, enum worker_status status,
                        const char *part)
{
    struct worker *w = worker_case_run(plugin, timeout_ms);
    const struct worker_result *r = worker_result(w);
    if (r->status != status || !strstr(r->message, part))
        fail_msg("%s: %s: %s (wanted %s: %s)\n%s", plugin, WORKER_STATUS_NAMES[r->status],
                 r->message, WORKER_STATUS_NAMES[status], part, r->log);
    worker_free(w);
}

int worker_case_anew(void **state)
{
    (void)state;
    worker_case =
        (struct worker_settings){.program = test_worker_program(), .scratch_dir = worker_case_dir};
    snprintf(worker_case_dir, sizeof worker_case_dir, "/tmp/paddock-worker-XXXXXX");
    return mkdtemp(worker_case_dir) && chmod(worker_case_dir, 0755) == 0 &&
                   prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
               ? 0
               : -1;
}

int worker_case_from_nursery(void **state)
{
    if (worker_case_anew(state) != 0)
        return -1;
    worker_case.nursery = nursery_new(worker_case.program, NURSERY_PLAIN);
    worker_case.nursery_http = nursery_new(worker_case.program, NURSERY_HTTP);
    return 0;
}

int worker_case_end(void **state)
{
    (void)state;
    nursery_free(worker_case.nursery);
    nursery_free(worker_case.nursery_http);
    worker_case.nursery = worker_case.nursery_http = NULL;
    return worker_case_children() == 0 ? rmdir(worker_case_dir) : -1;
}
