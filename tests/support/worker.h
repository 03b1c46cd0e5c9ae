/* worker: running paddock-worker on the plugins of tests/plugins. */
#ifndef PADDOCK_TESTS_WORKER_H
#define PADDOCK_TESTS_WORKER_H

#include <stddef.h>

/* <build>/bin/paddock-worker, and <build>/tests/plugins/<name>.so into `out`. */
const char *test_worker_program(void);
const char *test_plugin(const char *name, char *out, size_t size);

#endif
