/* process: what `serve` and `work` begin with. Room: top. Threads: [main]. */
#ifndef PADDOCK_PROCESS_H
#define PADDOCK_PROCESS_H

#include "config.h"
#include "server_parts.h"

#include <signal.h>

/* What differs between them. */
struct process {
    const char *name; /* of the command */
    /* Start all parts; after a failure stop() is called all the same. */
    bool (*start)(struct server *s, struct err *e);
    /* Until a signal ends it. */
    void (*run)(struct server *s, const sigset_t *signals);
    /* Stop and free all parts there are; `s` itself is the caller's. */
    void (*stop)(struct server *s);
};

/* Read the configuration into `s`, which the caller made, and show it, or start, run and stop; free
 * `s`. SIGTERM, SIGINT and SIGHUP are the main thread's to wait for; every thread that it starts
 * leaves them to it. Returns the exit status: 2 for what is wrong with the settings. */
int process_main(const struct process *p, struct server *s, int argc, char **argv, char **env);
/* Open the file of the log anew (SIGHUP); a failure is logged. */
void process_reopen_log(void);
bool process_open_log(const struct config *c, struct err *e) MUST_CHECK;

#endif
