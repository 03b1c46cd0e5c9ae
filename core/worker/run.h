/* run: the state of the second stage while a test runs, and what the host offers it.
 * Room: worker. Threads: set up before run() is called; afterwards as each part says. */
#ifndef PADDOCK_WORKER_RUN_H
#define PADDOCK_WORKER_RUN_H

#include "worker/dataset.h"
#include "worker/job.h"
#include "worker/load.h"
#include "worker/model.h"

#include <paddock/plugin.h>
#include <stdatomic.h>

struct run {
    const struct job *job;
    struct loaded plugin;
    json_t *config;
    struct dataset datasets[JOB_DATASETS];
    const paddock_dataset *dataset_list[JOB_DATASETS];
    struct model subject, baseline;
    paddock_test test;
    uint64_t start_ns, deadline_ns; /* of run() */
    atomic_uint_fast64_t checks;
};

/* The one of this process. */
extern struct run RUN;
/* The table that plugins get. */
extern const paddock_host HOST;

uint64_t run_now_ns(void);

/* Note that the plugin used the host wrongly: into the log, and the run is an error. [any] */
void run_fault(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
