/* process: what `serve` and `work` begin with. Room: top. Threads: [main]. */
#ifndef PADDOCK_PROCESS_H
#define PADDOCK_PROCESS_H

#include "config.h"

#include <signal.h>

/* Signals that the main thread waits for; every thread that it starts leaves them to it. */
void process_block_signals(sigset_t *out);
/* Print what --help or --print-config ask for; returns the exit status. */
int process_show(const struct loaded_config *c);
bool process_open_log(const struct config *c, struct err *e) MUST_CHECK;

#endif
