/* plugin: what the commands `paddock plugin new|check|run` share. Room: cli. Threads: [main]. */
#ifndef PADDOCK_CLI_PLUGIN_H
#define PADDOCK_CLI_PLUGIN_H

#include "base/arena.h"
#include "base/err.h"
#include "extend/worker_process.h"

#include <stdbool.h>
#include <stdint.h>

#define PLUGIN_DATA_MAX  8
#define PLUGIN_FILES_MAX 256

/* The command line of check and run. */
struct plugin_options {
    struct arena *arena; /* of all texts */
    const char *files[PLUGIN_FILES_MAX];
    size_t n_files;
    const char *config;   /* JSON text; NULL: not given */
    const char *runtime;  /* JSON text of the subject's runtime; NULL: the practice model */
    const char *baseline; /* of the baseline's; NULL: not given */
    const char *runtime_plugin, *url, *model_name;
    const char *data[PLUGIN_DATA_MAX];
    size_t n_data;
    const char *label, *only;
    uint64_t seed;
    int64_t timeout_ms;
    bool json, list;
};

/* Read the arguments of `command`. False: they are unusable, which was said. */
bool plugin_options_read(struct plugin_options *o, const char *command, int argc, char **argv);

/* Where things are; all in the arena. NULL with `e` if paddock-worker is not beside us. */
const char *plugin_worker_program(struct arena *a, struct err *e);

/* The models that options or the practice model stand for. */
struct job_models {
    struct job_model subject, baseline;
};

/* Fill in a job from the options: the plugin `file`, models, data, seed. Runtimes and data of the
 * job may be replaced afterwards. */
bool plugin_job(const struct plugin_options *o, const char *file, struct test_job *job,
                struct job_models *models, struct err *e) MUST_CHECK;
/* A model with this runtime (JSON text). */
bool plugin_job_model(const struct plugin_options *o, const char *model_id, const char *runtime,
                      struct job_model *out, struct err *e) MUST_CHECK;
/* The file of `o->n_data` == 0, or of the options: as datasets of the job. `made` is a directory
 * of our own for files that are made, NULL if there is none. */
bool plugin_job_data(const struct plugin_options *o, const char *made, struct test_job *job,
                     struct err *e) MUST_CHECK;

int plugin_new(int argc, char **argv);
int plugin_check(int argc, char **argv);
int plugin_run(int argc, char **argv);

#endif
