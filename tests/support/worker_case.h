/* worker_case: tests of paddock-worker, started anew or from the nursery, after each of which
 * nothing may be left behind but those that are kept, each with an empty directory at most. */
#ifndef PADDOCK_TESTS_WORKER_CASE_H
#define PADDOCK_TESTS_WORKER_CASE_H

#include "extend/nursery.h"
#include "extend/worker_process.h"

/* What they run with, between the set-up of a group and its end; private directories are in the
 * other. */
extern struct worker_settings worker_case;
extern char worker_case_dir[256];

/* Of a group; this process becomes a subreaper. */
int worker_case_anew(void **state);
int worker_case_from_nursery(void **state);
int worker_case_end(void **state);

/* Run it, or the plugin of tests/plugins; nothing is left. Free with worker_free(). */
struct worker *worker_case_job(const struct test_job *job);
struct worker *worker_case_run(const char *plugin, int64_t timeout_ms);
/* It ends so, and `part` is in the message. */
void worker_case_expect(const char *plugin, int64_t timeout_ms, enum worker_status status,
                        const char *part);

void worker_case_nothing_left(void);
size_t worker_case_children(void); /* that are not the nursery */
/* Does each run get a user of its own here? */
bool worker_case_own_users(void);

#endif
